//! The physics: one shot over a two-dimensional acoustic model.
//!
//! `m u_tt - lap(u) + damp u_t = 0` with `m = 1/v^2`, second order in time. Units: metres, milliseconds, km/s, kHz.
//! The adjoint mirrors the forward scheme exactly, so the gradient is that of the discrete problem.

use crate::options::{Options, Saved};
use ndarray::{Array2, ArrayD, Ix2};
use wavefold::prelude::*;
use wavefold::seismic::{
    Shot, Sponge, Spread, cfl_dt, damping, layered_salt, load_model, pad, smooth_slowness,
};
use wavefold::seismic::{to_km_per_s, unpad};

/// A shot of hours; beyond it, the wavelet alone fills the memory.
const MOST_STEPS: usize = 10_000_000;

/// Receives the name of the phase, the steps done, and the number of steps.
pub type Progress<'a> = &'a (dyn Fn(&str, u64, u64) + Sync);

/// Everything that does not change between runs.
pub struct Problem {
    /// Velocity in km/s without the absorbing layer.
    pub velocity: ArrayD<f32>,
    /// Starting model.
    pub start: ArrayD<f32>,
    /// Distance between points in metres.
    pub spacing: [f64; 2],
    /// Source, receivers, wavelet.
    pub shot: Shot,
    sponge: Sponge,
    grid: Grid,
    so: u32,
    m: Function,
    damp: Function,
    src: SparseTimeFunction,
    rec: SparseTimeFunction,
    backend: Backend,
    threads: usize,
    saved: Saved,
}

/// A gradient and how it was made.
pub struct Gradient {
    /// With respect to the squared slowness, without the absorbing layer.
    pub values: Array2<f32>,
    /// Half the squared norm of the residual.
    pub objective: f64,
    /// Forward run with the history written.
    pub forward: PerformanceSummary,
    /// Adjoint run with the history read.
    pub adjoint: PerformanceSummary,
}

impl Problem {
    /// Loads or makes the model and sets the shot up.
    ///
    /// # Errors
    /// Files that cannot be read, shapes that do not fit.
    pub fn new(o: &Options) -> Result<Problem, miette::Report> {
        o.check()?;
        let spacing = [o.spacing, o.spacing];
        let velocity = match &o.model {
            Some(path) => {
                let shape = o.shape.as_ref().map(|s| s.as_slice());
                to_km_per_s(load_model(path, shape).map_err(report)?)
            }
            None => layered_salt(&o.shape.unwrap_or([601, 241]), &spacing),
        };
        if velocity.ndim() != 2 {
            return Err(miette::miette!(
                "the model has {} dimensions; this example needs x and depth",
                velocity.ndim()
            ));
        }
        let start = starting_model(&velocity);
        let (sponge, shape) = (Sponge::new(o.sponge), velocity.shape().to_vec());
        let vmax = f64::from(velocity.iter().copied().fold(0.0, f32::max));
        let dt = cfl_dt(&spacing, vmax, o.so as usize, 0.9);
        let steps = o.steps.unwrap_or_else(|| ((o.seconds * 1e3 / dt).ceil() as usize).saturating_add(1));
        if steps > MOST_STEPS {
            return Err(miette::miette!(
                code = "gradient::steps",
                help = "give less `--seconds` or `--steps`",
                "{steps} steps are more than this example runs, {MOST_STEPS}"
            ));
        }
        let shot = Shot::surface(&shape, &spacing, &[0.0, 0.0], &Spread::default())
            .map_err(report)?
            .with_ricker(o.frequency * 1e-3, dt, steps);

        let padded = pad(&velocity, sponge);
        let grid = Grid::new(padded.shape().to_vec())
            .with_spacing(spacing.to_vec())
            .with_origin(sponge.origin(&[0.0, 0.0], &spacing));
        let m = Function::new("m", &grid).space_order(o.so).build().map_err(wavefold::Error::from)?;
        let damp = Function::new("damp", &grid).space_order(o.so).build().map_err(wavefold::Error::from)?;
        damp.set_data(damping(padded.shape(), &spacing, sponge, vmax)).map_err(wavefold::Error::from)?;
        let points = |name: &str, coordinates: Vec<Vec<f64>>| {
            SparseTimeFunction::new(name, &grid)
                .points(coordinates.len())
                .steps(steps)
                .coordinates(coordinates)
                .build()
        };
        let src = points("src", vec![shot.source.clone()]).map_err(wavefold::Error::from)?;
        let rec = points("rec", shot.receivers.clone()).map_err(wavefold::Error::from)?;
        src.set_data(ndarray::Array1::from(shot.wavelet.clone())).map_err(wavefold::Error::from)?;
        let threads = o.threads();
        Ok(Problem {
            velocity,
            start,
            spacing,
            shot,
            sponge,
            grid,
            so: o.so,
            m,
            damp,
            src,
            rec,
            backend: o.backend.resolve(),
            threads,
            saved: o.save,
        })
    }

    /// Bytes of one uncompressed snapshot.
    pub fn snapshot_bytes(&self) -> u64 {
        self.grid.points() as u64 * self.grid.dtype().size() as u64
    }

    /// Shape of the grid with the absorbing layer.
    pub fn padded_shape(&self) -> Vec<usize> {
        self.grid.shape().to_vec()
    }

    /// The name of the backend that runs.
    pub fn backend(&self) -> Backend {
        self.backend
    }

    fn set_model(&self, velocity: &ArrayD<f32>) -> wavefold::Result<()> {
        let slowness = pad(velocity, self.sponge).mapv(|v| (1.0 / (f64::from(v) * f64::from(v))) as f32);
        Ok(self.m.set_data(slowness)?)
    }

    /// The wavefield, with its update, source and receivers.
    fn forward(&self) -> wavefold::Result<(TimeFunction, Vec<Equation>)> {
        let u = TimeFunction::new("u", &self.grid).time_order(2).space_order(self.so).build()?;
        let m = &self.m;
        let update = solve(m * u.dt2() - u.laplace() + &self.damp * u.dt(), u.forward())?;
        let equations = vec![
            eq(u.forward(), update),
            self.src.inject(u.forward(), &self.src * self.grid.dt().pow(2) / m),
            self.rec.interpolate(&u),
        ];
        Ok((u, equations))
    }

    fn run(
        &self,
        op: &Operator,
        phase: &str,
        measure: bool,
        progress: Progress,
    ) -> wavefold::Result<PerformanceSummary> {
        let tell = |done: u64, total: u64| progress(phase, done, total);
        let mut apply =
            op.apply().dt(self.shot.dt).backend(self.backend).threads(self.threads).progress(&tell);
        if measure {
            apply = apply.measure_errors();
        }
        apply.run()
    }

    /// Data in the true model: steps by receivers.
    ///
    /// # Errors
    /// Those of the compiler and of the run.
    pub fn observe(&self, progress: Progress) -> wavefold::Result<ArrayD<f64>> {
        self.set_model(&self.velocity)?;
        let (_, equations) = self.forward()?;
        self.run(&Operator::named("observe", equations)?, "observed data", false, progress)?;
        Ok(self.rec.data()?.to_f64())
    }

    /// The gradient at the starting model.
    ///
    /// # Errors
    /// Those of the compiler and of the runs.
    pub fn gradient(
        &self,
        observed: &ArrayD<f64>,
        codec: Option<Compression>,
        measure: bool,
        progress: Progress,
    ) -> miette::Result<Gradient> {
        self.set_model(&self.start)?;
        let usave = TimeFunction::new("usave", &self.grid).time_order(2).save(self.shot.nt);
        let usave = match codec {
            Some(codec) => usave.compression(codec).build(),
            None => usave.build(),
        }
        .map_err(wavefold::Error::from)?;
        let (u, mut equations) = self.forward()?;
        equations.push(match self.saved {
            Saved::U => eq(&usave, &u),
            Saved::Dt2 => eq(&usave, u.dt2()),
        });
        let measure = measure && codec.is_some();
        let forward = self.run(&Operator::named("forward", equations)?, "forward", measure, progress)?;

        let residual = self.rec.data().map_err(wavefold::Error::from)?.to_f64() - observed;
        let objective = 0.5 * residual.mapv(|r| r * r).sum();
        let (grad, op) = self.adjoint(residual, &usave)?;
        let adjoint = self.run(&op, "adjoint", false, progress)?;
        let values =
            unpad(&grad.data().map_err(wavefold::Error::from)?.to_f32(), self.sponge).map_err(report)?;
        let values = values.into_dimensionality::<Ix2>().map_err(|e| miette::miette!("{e}"))?;
        Ok(Gradient { values, objective, forward, adjoint })
    }

    fn adjoint(&self, residual: ArrayD<f64>, usave: &TimeFunction) -> wavefold::Result<(Function, Operator)> {
        let (grid, m) = (&self.grid, &self.m);
        let v = TimeFunction::new("v", grid).time_order(2).space_order(self.so).build()?;
        let grad = Function::new("grad", grid).build()?;
        let res = SparseTimeFunction::new("res", grid)
            .points(self.shot.receivers.len())
            .steps(self.shot.nt)
            .coordinates(self.shot.receivers.clone())
            .build()?;
        res.set_data(residual)?;
        let update = solve(m * v.dt2() - v.laplace() + &self.damp * v.dt().T(), v.backward())?;
        let imaging = match self.saved {
            Saved::U => inc(&grad, -usave * v.dt2()),
            Saved::Dt2 => inc(&grad, -usave * &v),
        };
        let op = Operator::named(
            "adjoint",
            [eq(v.backward(), update), res.inject(v.backward(), &res * grid.dt().pow(2) / m), imaging],
        )?;
        Ok((grad, op))
    }
}

/// The true model, smoothed below the water: its velocity is known, and without it the direct wave alone would fill
/// the gradient.
fn starting_model(velocity: &ArrayD<f32>) -> ArrayD<f32> {
    const WATER: f32 = 1.5;
    let mut start = smooth_slowness(velocity, 15.0);
    for (mut column, truth) in start.rows_mut().into_iter().zip(velocity.rows()) {
        for (v, known) in column.iter_mut().zip(truth).take_while(|(_, known)| **known <= WATER) {
            *v = *known;
        }
    }
    start
}

/// Errors of the seismic helpers carry a code and a help line as well.
fn report<E: std::error::Error + Coded + Send + Sync + 'static>(e: E) -> miette::Report {
    let mut diagnostic = miette::MietteDiagnostic::new(e.to_string()).with_code(e.code_name());
    if let Some(help) = e.help_text() {
        diagnostic = diagnostic.with_help(help);
    }
    miette::Report::new(diagnostic)
}

trait Coded {
    fn code_name(&self) -> &'static str;
    fn help_text(&self) -> Option<String>;
}

impl Coded for wavefold::seismic::ModelError {
    fn code_name(&self) -> &'static str {
        self.code()
    }
    fn help_text(&self) -> Option<String> {
        self.help()
    }
}

impl Coded for wavefold::seismic::ShotError {
    fn code_name(&self) -> &'static str {
        self.code()
    }
    fn help_text(&self) -> Option<String> {
        self.help()
    }
}
