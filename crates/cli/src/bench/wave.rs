//! The acoustic wave equation with source, receivers and absorbing layers.

use wavefold::prelude::*;
use wavefold::seismic::{Sponge, damping, ricker};

use super::plain::{Problem, at_rest};
use super::{Case, Settings};
use crate::error::Result;

/// Distance of neighbouring points, in m.
pub const SPACING: f64 = 10.0;

/// Velocities of the layers, from the top, in km/s.
const LAYERS: [f64; 3] = [1.5, 2.5, 3.5];

/// Where a shot is fired and heard, in m from the first grid point, and its peak frequency in kHz.
pub struct Geometry {
    pub source: Vec<f64>,
    pub receivers: Vec<Vec<f64>>,
    pub frequency: f64,
}

impl Geometry {
    /// A source off the grid points near the middle, and receivers on a line along the first axis.
    fn line(shape: &[usize], receivers: usize, frequency: f64) -> Geometry {
        let extent: Vec<f64> = shape.iter().map(|n| (n - 1) as f64 * SPACING).collect();
        let along = |r: usize| 0.1 + 0.8 * r as f64 / (receivers - 1).max(1) as f64;
        let place = |r| {
            let axis = |(k, e): (usize, &f64)| if k == 0 { along(r) * e } else { 0.37 * e + 1.7 };
            extent.iter().enumerate().map(axis).collect()
        };
        Geometry {
            source: extent.iter().map(|e| e / 2.0 + 3.3).collect(),
            receivers: (0..receivers).map(place).collect(),
            frequency,
        }
    }
}

/// `m u_tt - laplace(u) + damp u_t = 0` in km/s, m and ms, and what is needed to fire a shot. Steps begin at 1.
pub struct Wave {
    pub grid: Grid,
    pub u: TimeFunction,
    /// Squared slowness.
    pub m: Function,
    pub damp: Function,
    pub source: SparseTimeFunction,
    pub receivers: SparseTimeFunction,
    pub dt: f64,
}

impl Wave {
    /// All symbols, with the source's wavelet and the damping; `m` is still to be set.
    pub fn new(settings: &Settings, geometry: &Geometry, velocity_max: f64, dt: f64) -> Result<Wave> {
        let grid = Grid::new(settings.shape.clone()).with_spacing(SPACING).with_dtype(settings.dtype);
        let u = TimeFunction::new("u", &grid).time_order(2).space_order(settings.so).build()?;
        let m = Function::new("m", &grid).space_order(0).build()?;
        let damp = Function::new("damp", &grid).space_order(0).build()?;
        let samples = settings.steps + 2;
        let source =
            SparseTimeFunction::new("src", &grid).coordinates([&geometry.source]).steps(samples).build()?;
        let receivers =
            SparseTimeFunction::new("rec", &grid).coordinates(&geometry.receivers).steps(samples).build()?;
        source.set_data(ricker(geometry.frequency, 1.0 / geometry.frequency, dt, samples))?;
        let profiles = damping_profiles(&settings.shape, velocity_max);
        damp.set_with(|i| i.iter().zip(&profiles).map(|(&i, profile)| profile[i]).sum())?;
        Ok(Wave { grid, u, m, damp, source, receivers, dt })
    }

    /// Three layers along the last axis, with receivers on a line and a peak frequency in kHz.
    pub fn layered(settings: &Settings, receivers: usize, frequency: f64) -> Result<Wave> {
        let [.., fastest] = LAYERS;
        let geometry = Geometry::line(&settings.shape, receivers, frequency);
        let wave = Wave::new(settings, &geometry, fastest, 0.3 * SPACING / fastest)?;
        let depth = settings.shape.last().copied().unwrap_or(1);
        let slowness = LAYERS.map(|v| 1.0 / (v * v));
        wave.m.set_with(|i| {
            let z = i.last().copied().unwrap_or(0);
            // Slowness goes down by less than the time step has room for.
            slowness[usize::from(z >= depth / 3) + usize::from(z >= 2 * depth / 3)] * settings.unevenness(i)
        })?;
        Ok(wave)
    }

    /// The update of `u`, the injection of the source, and the recording.
    pub fn forward(&self) -> Result<Vec<Equation>> {
        let Wave { grid, u, m, damp, source, receivers, .. } = self;
        let update = solve(m * u.dt2() - u.laplace() + damp * u.dt(), u.forward())?;
        Ok(vec![
            eq(u.forward(), update),
            source.inject(u.forward(), source * grid.dt().pow(2.0) / m),
            receivers.interpolate(u),
        ])
    }

    /// A function that holds what a run saves.
    pub fn history(&self, settings: &Settings, codec: Option<Compression>) -> Result<TimeFunction> {
        // Snapshot 0 belongs to step 0, which no run makes.
        let history = TimeFunction::new("usave", &self.grid)
            .space_order(0)
            .save(settings.snapshots() + 1)
            .save_every(settings.every);
        Ok(match codec {
            Some(codec) => history.compression(codec).build()?,
            None => history.build()?,
        })
    }
}

/// Width of the absorbing layers, in points.
pub fn layer_width(shape: &[usize]) -> usize {
    let usual = if shape.len() == 2 { 20 } else { 10 };
    shape.iter().map(|n| n / 4).min().unwrap_or(0).min(usual)
}

/// The damping along each axis; at a point it is their sum.
fn damping_profiles(shape: &[usize], velocity_max: f64) -> Vec<Vec<f64>> {
    let sponge = Sponge::new(layer_width(shape));
    let profile = |n: &usize| damping(&[*n], &[SPACING], sponge, velocity_max).into_raw_vec_and_offset().0;
    shape.iter().map(profile).collect()
}

/// The acoustic cases.
pub fn problem(settings: &Settings) -> Result<Problem> {
    debug_assert!(matches!(settings.case, Case::Acoustic2d | Case::Acoustic3d));
    let wave = Wave::layered(settings, 1000, 0.010)?;
    Ok(Problem {
        equations: wave.forward()?,
        unknowns: vec![wave.u.clone()],
        dt: wave.dt,
        first: 1,
        start: at_rest,
    })
}
