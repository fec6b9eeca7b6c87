//! The damped acoustic wave equation `m u_tt - lap(u) + damp u_t = q` with random parameters.

use crate::random::Random;
use ndarray::ArrayD;
use wavefold::Result;
use wavefold::prelude::*;
use wavefold::seismic::{cfl_dt, damping};

const SPACING: f64 = 10.0;
const SPONGE: usize = 8;
const FASTEST: f64 = 2.5;

/// A medium, a source and receivers outside the sponge. Units: metres, milliseconds, km/s.
pub struct Acoustic {
    pub grid: Grid,
    pub so: u32,
    pub steps: usize,
    pub dt: f64,
    /// Squared slowness.
    pub m: Function,
    pub damp: Function,
    pub src: SparseTimeFunction,
    pub rec: SparseTimeFunction,
    receivers: Vec<Vec<f64>>,
    sources: Vec<Vec<f64>>,
}

impl Acoustic {
    /// Random velocity, wavelets and positions, from the seed alone.
    pub fn new(shape: &[usize], so: u32, steps: usize, dtype: DType, seed: u64) -> Result<Acoustic> {
        let mut random = Random::new(seed);
        let spacing = vec![SPACING; shape.len()];
        let grid = Grid::new(shape.to_vec()).with_spacing(spacing.clone()).with_dtype(dtype);
        let m = Function::new("m", &grid).space_order(so).build()?;
        let damp = Function::new("damp", &grid).space_order(so).build()?;
        m.set_data(random.array(shape, 1.5, FASTEST).mapv(|v| 1.0 / (v * v)))?;
        damp.set_data(damping(shape, &spacing, SPONGE, FASTEST))?;
        let mut inside = |points: usize| -> Vec<Vec<f64>> {
            let last = |n: &usize| (n - SPONGE - 2) as f64;
            let point = |r: &mut Random| {
                shape.iter().map(|n| r.within(SPONGE as f64 + 1.0, last(n)) * SPACING).collect()
            };
            (0..points).map(|_| point(&mut random)).collect()
        };
        let (sources, receivers) = (inside(2), inside(9));
        let src = sparse("src", &grid, steps, &sources)?;
        let rec = sparse("rec", &grid, steps, &receivers)?;
        src.set_data(random.array(&[steps, sources.len()], -1.0, 1.0))?;
        let dt = cfl_dt(&spacing, FASTEST, so as usize, 0.8);
        Ok(Acoustic { grid, so, steps, dt, m, damp, src, rec, receivers, sources })
    }

    /// A smooth wavelet, the same at every source.
    pub fn smooth_wavelet(&self) -> Result<()> {
        let peak = 0.25 * self.steps as f64;
        let wavelet = ArrayD::from_shape_fn(vec![self.steps, self.sources.len()], |i| {
            let x = (i[0] as f64 - peak) / (0.08 * self.steps as f64);
            (1.0 - 2.0 * x * x) * (-x * x).exp()
        });
        Ok(self.src.set_data(wavelet)?)
    }

    /// A wavefield at rest.
    pub fn wavefield(&self, name: &str) -> Result<TimeFunction> {
        Ok(TimeFunction::new(name, &self.grid).time_order(2).space_order(self.so).build()?)
    }

    /// A function that keeps every step, compressed or not.
    pub fn history(&self, name: &str, codec: Option<Compression>) -> Result<TimeFunction> {
        let history = TimeFunction::new(name, &self.grid).time_order(2).space_order(self.so).save(self.steps);
        Ok(match codec {
            Some(codec) => history.compression(codec).build()?,
            None => history.build()?,
        })
    }

    /// Stencil, injection and receivers.
    pub fn forward(&self, u: &TimeFunction) -> Result<Vec<Equation>> {
        let m = &self.m;
        let update = solve(m * u.dt2() - u.laplace() + &self.damp * u.dt(), u.forward())?;
        Ok(vec![
            eq(u.forward(), update),
            self.src.inject(u.forward(), &self.src * self.grid.dt().pow(2) / m),
            self.rec.interpolate(u),
        ])
    }

    /// The transposed stencil, with data put in at the receivers, and what arrives at the sources.
    pub fn adjoint(
        &self,
        v: &TimeFunction,
        data: &ArrayD<f64>,
    ) -> Result<(Vec<Equation>, SparseTimeFunction)> {
        let m = &self.m;
        let res = sparse("res", &self.grid, self.steps, &self.receivers)?;
        res.set_data(data.clone())?;
        let arrived = sparse("arrived", &self.grid, self.steps, &self.sources)?;
        let update = solve(m * v.dt2() - v.laplace() + &self.damp * v.dt().T(), v.backward())?;
        let equations = vec![
            eq(v.backward(), update),
            res.inject(v.backward(), &res * self.grid.dt().pow(2) / m),
            arrived.interpolate(v),
        ];
        Ok((equations, arrived))
    }

    /// Runs equations with this problem's time step over all steps that have every sample.
    pub fn run(
        &self,
        equations: Vec<Equation>,
        backend: Backend,
        threads: usize,
    ) -> Result<PerformanceSummary> {
        let op = Operator::named("acoustic", equations)?;
        op.apply().dt(self.dt).time_min(1).time_max(self.steps - 2).backend(backend).threads(threads).run()
    }
}

fn sparse(name: &str, grid: &Grid, steps: usize, coordinates: &[Vec<f64>]) -> Result<SparseTimeFunction> {
    Ok(SparseTimeFunction::new(name, grid).steps(steps).coordinates(coordinates.to_vec()).build()?)
}
