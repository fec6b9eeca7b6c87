//! The gradient of a shot's misfit: a forward run that saves, and an adjoint run that reads what it saved.

use std::time::Instant;

use ndarray::ArrayD;
use wavefold::codecs::Compression;
use wavefold::prelude::*;
use wavefold::seismic::{Shot, Sponge, Spread, cfl_dt, layered_salt, pad, smooth};

use super::Settings;
use super::history::describe;
use super::measure::{FirstStep, Run, Series, apply, timed};
use super::memory::{self, PeakWatch};
use super::progress::Progress;
use super::report::Report;
use super::wave::{Geometry, SPACING, Wave, layer_width};
use crate::error::Result;

/// Peak frequency of the source, in kHz.
const FREQUENCY: f64 = 0.015;

/// Builds and measures; the runs with and without history take turns.
pub fn run(settings: &Settings) -> Result<Report> {
    let progress = Progress::new();
    let models = Models::new(settings);
    let start = Instant::now();
    let wave = models.wave(settings)?;
    let first = {
        let forward = Imaging::new(settings, &wave, settings.codec)?.forward;
        FirstStep::take(settings, &forward, settings.every, wave.dt, start)?
    };
    let problem = Inversion::new(settings, &progress, &wave, &models)?;

    let watch = PeakWatch::start();
    let (mut without, mut with) = (Series::default(), Series::default());
    let mut last = None;
    for round in 0..=settings.repeat {
        let bare = problem.bare()?;
        let imaging = Imaging::new(settings, &wave, settings.codec)?;
        let runs = problem.image(&imaging)?;
        if round > 0 {
            without.add(&[&bare.0, &bare.1]);
            with.add(&[&runs.0, &runs.1]);
        }
        last = Some((runs, imaging.grad.data()?, imaging.adjoint.lowering().as_secs_f64()));
    }
    let peak = watch.over_base();
    let Some(((forward, adjoint), gradient, lowering)) = last else { unreachable!("there is a warm-up at least") };
    let error = problem.reference()?.map(|reference| relative_l2(&gradient, &reference));
    let overhead = with.wall() / without.wall() - 1.0;
    let history = describe(settings, Some(&forward.summary), overhead, error, peak);
    let bytes_per_point = 0.5 * (forward.summary.bytes_per_point + adjoint.summary.bytes_per_point);
    let first = FirstStep {
        lower: first.lower + lowering,
        compile: first.compile + problem.adjoint_compile,
        cached: first.cached && problem.adjoint_cached,
        ..first
    };
    Ok(Report::new(settings, first, &with, 2, bytes_per_point, Some(history)))
}

/// Velocities on the whole grid, in km/s.
struct Models {
    exact: ArrayD<f32>,
    smooth: ArrayD<f32>,
    vmax: f64,
    /// Points per axis between the absorbing layers.
    inner: Vec<usize>,
}

impl Models {
    fn new(settings: &Settings) -> Models {
        let width = layer_width(&settings.shape);
        let inner: Vec<usize> = settings.shape.iter().map(|n| n - 2 * width).collect();
        let spacing = vec![SPACING; inner.len()];
        let model = layered_salt(&inner, &spacing);
        let smoothed = smooth(&model, if inner.len() == 2 { 12.0 } else { 6.0 });
        let vmax = f64::from(model.iter().copied().fold(0.0, f32::max));
        let sponge = Sponge::new(width);
        Models { exact: pad(&model, sponge), smooth: pad(&smoothed, sponge), vmax, inner }
    }

    /// The symbols, with the smooth model.
    fn wave(&self, settings: &Settings) -> Result<Wave> {
        let spacing = vec![SPACING; self.inner.len()];
        let dt = cfl_dt(&spacing, self.vmax, settings.so as usize, 0.7);
        let origin = vec![layer_width(&settings.shape) as f64 * SPACING; self.inner.len()];
        let depth = |points: usize| (points.min(self.inner[self.inner.len() - 1] - 1)) as f64 * SPACING;
        let spread = Spread {
            source_depth: depth(4),
            receiver_depth: depth(6),
            receiver_every: receiver_distance(self.inner.len()),
            ..Spread::default()
        };
        let shot = Shot::surface(&self.inner, &spacing, &origin, &spread)?;
        let geometry = Geometry { source: shot.source, receivers: shot.receivers, frequency: FREQUENCY };
        let wave = Wave::new(settings, &geometry, self.vmax, dt)?;
        set_velocity(&wave, &self.smooth)?;
        Ok(wave)
    }
}

/// A receiver at every point of a line, or at every fourth of a plane in each direction.
fn receiver_distance(rank: usize) -> usize {
    if rank == 2 { 1 } else { 4 }
}

/// No more receivers than this stand over a grid of this shape.
pub fn receivers(shape: &[usize]) -> usize {
    let every = receiver_distance(shape.len());
    shape[..shape.len() - 1].iter().map(|n| n.div_ceil(every)).product()
}

fn set_velocity(wave: &Wave, velocity: &ArrayD<f32>) -> Result<()> {
    Ok(wave.m.set_data(velocity.mapv(|v| 1.0 / (v * v)))?)
}

/// A pair of operators around one history. A compressed history is written once, so each gradient has its own.
struct Imaging {
    forward: Operator,
    adjoint: Operator,
    grad: Function,
    v: TimeFunction,
    residual: SparseTimeFunction,
}

impl Imaging {
    fn new(settings: &Settings, wave: &Wave, codec: Option<Compression>) -> Result<Imaging> {
        let usave = wave.history(settings, codec)?;
        let mut forward = wave.forward()?;
        forward.push(eq(&usave, &wave.u));
        let grad = Function::new("grad", &wave.grid).space_order(0).build()?;
        let Adjoint { mut equations, v, residual } = Adjoint::new(settings, wave)?;
        equations.push(inc(&grad, -(settings.every as f64) * &usave * v.dt2()));
        Ok(Imaging {
            forward: Operator::named("forward_saving", forward)?,
            adjoint: Operator::named("adjoint_imaging", equations)?,
            grad,
            v,
            residual,
        })
    }
}

/// The adjoint wave, driven by the residual.
struct Adjoint {
    equations: Vec<Equation>,
    v: TimeFunction,
    residual: SparseTimeFunction,
}

impl Adjoint {
    fn new(settings: &Settings, wave: &Wave) -> Result<Adjoint> {
        let Wave { grid, m, damp, receivers, .. } = wave;
        let v = TimeFunction::new("v", grid).time_order(2).space_order(settings.so).build()?;
        let rank = grid.rank();
        let places: Vec<Vec<f64>> = receivers.coordinates().chunks(rank).map(<[f64]>::to_vec).collect();
        let residual =
            SparseTimeFunction::new("residual", grid).coordinates(places).steps(settings.steps + 2).build()?;
        let update = solve(m * v.dt2() - v.laplace() + damp * v.dt().T(), v.backward())?;
        let equations = vec![
            eq(v.backward(), update),
            residual.inject(v.backward(), &residual * grid.dt().pow(2.0) / m),
        ];
        Ok(Adjoint { equations, v, residual })
    }
}

/// What all gradients of a call share.
struct Inversion<'a> {
    settings: &'a Settings,
    progress: &'a Progress,
    wave: &'a Wave,
    /// Synthetic less observed traces at the smooth model.
    residual: Data,
    forward: Operator,
    adjoint: Operator,
    v: TimeFunction,
    adjoint_compile: f64,
    adjoint_cached: bool,
}

impl<'a> Inversion<'a> {
    fn new(settings: &'a Settings, progress: &'a Progress, wave: &'a Wave, models: &Models) -> Result<Self> {
        let forward = Operator::named("forward", wave.forward()?)?;
        let traces = |model, what| -> Result<ArrayD<f32>> {
            set_velocity(wave, model)?;
            wave.u.fill(0.0)?;
            progress.run(what, steps(settings, wave, &forward))?;
            Ok(wave.receivers.data()?.to_f32())
        };
        let observed = traces(&models.exact, "observed data")?;
        let residual = Data::from(traces(&models.smooth, "synthetic data")? - observed);

        let Adjoint { equations, v, residual: source } = Adjoint::new(settings, wave)?;
        source.set_data(&residual)?;
        let adjoint = Operator::named("adjoint", equations)?;
        adjoint.compile(settings.backend)?;
        let (adjoint_compile, adjoint_cached) = compile_imaging(settings, wave)?;
        Ok(Inversion { settings, progress, wave, residual, forward, adjoint, v, adjoint_compile, adjoint_cached })
    }

    /// Forward and adjoint without a history.
    fn bare(&self) -> Result<(Run, Run)> {
        self.wave.u.fill(0.0)?;
        let forward = self.timed("forward", &self.forward)?;
        self.v.fill(0.0)?;
        Ok((forward, self.timed("adjoint", &self.adjoint)?))
    }

    /// Forward and adjoint with the history of `imaging`, whose fields are fresh.
    fn image(&self, imaging: &Imaging) -> Result<(Run, Run)> {
        imaging.forward.compile(self.settings.backend)?;
        imaging.adjoint.compile(self.settings.backend)?;
        imaging.residual.set_data(&self.residual)?;
        // Touches their memory, which the other kind of run had long before.
        imaging.v.fill(0.0)?;
        imaging.grad.fill(0.0)?;
        self.wave.u.fill(0.0)?;
        let forward = self.timed("forward, saving", &imaging.forward)?;
        Ok((forward, self.timed("adjoint, imaging", &imaging.adjoint)?))
    }

    /// The gradient with an uncompressed history, if that fits in half of the available memory.
    fn reference(&self) -> Result<Option<Data>> {
        let half = memory::available().map_or(0, |bytes| bytes / 2);
        if self.settings.raw_bytes() > half {
            return Ok(None);
        }
        let imaging = Imaging::new(self.settings, self.wave, None)?;
        self.image(&imaging)?;
        Ok(Some(imaging.grad.data()?))
    }

    fn timed(&self, what: &str, op: &Operator) -> Result<Run> {
        timed(self.progress, what, steps(self.settings, self.wave, op))
    }
}

/// Time of the backend for the adjoint operator that reads, and whether its code came from the cache.
fn compile_imaging(settings: &Settings, wave: &Wave) -> Result<(f64, bool)> {
    let imaging = Imaging::new(settings, wave, settings.codec)?;
    let seconds = imaging.adjoint.compile(settings.backend)?;
    // The operator does not tell; loading is at least ten times as fast as any C compiler.
    Ok((seconds, settings.backend == Backend::C && seconds < 0.02))
}

fn steps<'a>(settings: &Settings, wave: &Wave, op: &'a Operator) -> Apply<'a> {
    apply(settings, op, wave.dt).time_min(1).time_max(settings.steps)
}

/// Distance of two arrays over the norm of the second; NaN when that is 0 and they differ.
fn relative_l2(found: &Data, exact: &Data) -> f64 {
    let distance = found.iter().zip(exact.iter()).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
    if distance == 0.0 { 0.0 } else { distance / exact.norm() }
}
