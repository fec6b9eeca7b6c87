//! The gradient of a shot's misfit: a forward run that saves, and an adjoint run that reads what it saved.

use std::time::Instant;

use ndarray::ArrayD;
use wavefold::codecs::Compression;
use wavefold::prelude::*;
use wavefold::seismic::{Shot, Sponge, Spread, cfl_dt, layered_salt, pad, smooth};

use super::Settings;
use super::history::{FREQUENCY, describe};
use super::measure::{FirstStep, Run, Series, steps, timed};
use super::memory::{self, PeakWatch};
use super::progress::Progress;
use super::report::Report;
use super::wave::{Geometry, SPACING, Wave, layer_width};
use crate::error::Result;

/// Builds and measures; the runs with and without history take turns.
pub fn run(settings: &Settings) -> Result<Report> {
    let progress = Progress::new();
    let models = Models::new(settings);
    let start = Instant::now();
    let shot = ShotProblem::new(settings, &models)?;
    let imaging = shot.imaging(settings.codec)?;
    let first = imaging.first_step(&shot, start)?;
    shot.make_residual(&progress, &models)?;
    let bare = shot.bare()?;

    // The warm-up, each once. The arrays of operators that save nothing are part of the base of the memory.
    bare.run(&shot, &progress)?;
    let watch = PeakWatch::start();
    let mut last = imaging.run(&shot, &progress)?;
    let (mut without, mut with) = (Series::default(), Series::default());
    for _ in 0..settings.repeat {
        let (bare, saving) = (bare.run(&shot, &progress)?, imaging.run(&shot, &progress)?);
        without.add(&[&bare.0, &bare.1]);
        with.add(&[&saving.0, &saving.1]);
        last = saving;
    }
    let peak = watch.over_base();
    let error = shot.error(&progress)?;
    let overhead = with.wall_over(&without) - 1.0;
    let (forward, adjoint) = (&last.0.summary, &last.1.summary);
    let history = describe(settings, forward, overhead, error, peak);
    let cost = Cost {
        flops: 0.5 * (forward.cost.flops + adjoint.cost.flops),
        bytes: 0.5 * (forward.cost.bytes + adjoint.cost.bytes),
    };
    let schedule = [forward.schedule.clone(), adjoint.schedule.clone()].concat();
    Ok(Report::new(settings, first, &with, 2, (cost, schedule), Some(history)))
}

/// Velocities on the whole grid, in km/s.
pub(super) struct Models {
    pub(super) exact: ArrayD<f32>,
    smooth: ArrayD<f32>,
    vmax: f64,
    /// Points per axis between the absorbing layers.
    inner: Vec<usize>,
}

impl Models {
    pub(super) fn new(settings: &Settings) -> Models {
        let width = layer_width(&settings.shape);
        let inner: Vec<usize> = settings.shape.iter().map(|n| n - 2 * width).collect();
        let spacing = vec![SPACING; inner.len()];
        let model = layered_salt(&inner, &spacing);
        let smoothed = smooth(&model, if inner.len() == 2 { 12.0 } else { 6.0 });
        let vmax = f64::from(model.iter().copied().fold(0.0, f32::max));
        let sponge = Sponge::new(width);
        Models { exact: pad(&model, sponge), smooth: pad(&smoothed, sponge), vmax, inner }
    }

    /// Time step, in ms.
    pub(super) fn dt(&self, settings: &Settings) -> f64 {
        cfl_dt(&vec![SPACING; self.inner.len()], self.vmax, settings.so as usize, 0.7)
    }

    /// The symbols, with the smooth model.
    pub(super) fn wave(&self, settings: &Settings) -> Result<Wave> {
        let spacing = vec![SPACING; self.inner.len()];
        let dt = self.dt(settings);
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

pub(super) fn set_velocity(wave: &Wave, velocity: &ArrayD<f32>) -> Result<()> {
    Ok(wave.m.set_data(velocity.mapv(|v| 1.0 / (v * v)))?)
}

/// All symbols of one shot's gradient.
struct ShotProblem<'a> {
    settings: &'a Settings,
    wave: Wave,
    /// The adjoint wave.
    v: TimeFunction,
    /// Synthetic less observed traces at the smooth model: its source.
    residual: SparseTimeFunction,
    grad: Function,
}

impl<'a> ShotProblem<'a> {
    fn new(settings: &'a Settings, models: &Models) -> Result<Self> {
        let wave = models.wave(settings)?;
        let grid = &wave.grid;
        let v = TimeFunction::new("v", grid).time_order(2).space_order(settings.so).build()?;
        let grad = Function::new("grad", grid).space_order(0).build()?;
        let places: Vec<Vec<f64>> =
            wave.receivers.coordinates().chunks(grid.rank()).map(<[f64]>::to_vec).collect();
        let residual = SparseTimeFunction::new("residual", grid)
            .coordinates(places)
            .steps(settings.steps + 2)
            .build()?;
        Ok(ShotProblem { settings, wave, v, residual, grad })
    }

    /// The adjoint of [`Wave::forward`], driven by the residual.
    fn adjoint(&self) -> Result<Vec<Equation>> {
        let (Wave { grid, m, damp, .. }, ShotProblem { v, residual, .. }) = (&self.wave, self);
        let update = solve(m * v.dt2() - v.laplace() + damp * v.dt().T(), v.backward())?;
        Ok(vec![eq(v.backward(), update), residual.inject(v.backward(), residual * grid.dt().pow(2.0) / m)])
    }

    /// Forward and adjoint without a history.
    fn bare(&self) -> Result<Pair> {
        let forward = Operator::named("forward", self.wave.forward()?)?;
        Ok(Pair { forward, adjoint: Operator::named("adjoint", self.adjoint()?)?, usave: None })
    }

    /// Forward and adjoint with a history, compressed or not, and imaging.
    fn imaging(&self, codec: Option<Compression>) -> Result<Pair> {
        let usave = self.wave.history(self.settings, codec)?;
        let (mut forward, mut adjoint) = (self.wave.forward()?, self.adjoint()?);
        forward.push(eq(&usave, &self.wave.u));
        adjoint.push(inc(&self.grad, -(self.settings.every as f64) * &usave * self.v.dt2()));
        let forward = Operator::named("forward_saving", forward)?;
        Ok(Pair { forward, adjoint: Operator::named("adjoint_imaging", adjoint)?, usave: Some(usave) })
    }

    /// Fires the shot over the exact model and over the smooth one, which stays.
    fn make_residual(&self, progress: &Progress, models: &Models) -> Result<()> {
        let forward = self.bare()?.forward;
        let traces = |model, what| -> Result<ArrayD<f32>> {
            set_velocity(&self.wave, model)?;
            self.wave.u.fill(0.0)?;
            progress.run(what, steps(self.settings, &forward, self.wave.dt))?;
            Ok(self.wave.receivers.data()?.to_f32())
        };
        let observed = traces(&models.exact, "observed data")?;
        self.residual.set_data(traces(&models.smooth, "synthetic data")? - observed)?;
        Ok(())
    }

    /// Relative L2 distance of `grad` from the gradient with an uncompressed history, if that fits in half of the
    /// available memory. `grad` is then the latter.
    fn error(&self, progress: &Progress) -> Result<Option<f64>> {
        let half = memory::available().map_or(0, |bytes| bytes / 2);
        if self.settings.raw_bytes() > half {
            return Ok(None);
        }
        let found = self.grad.data()?;
        self.imaging(None)?.run(self, progress)?;
        Ok(Some(relative_l2(&found, &self.grad.data()?)))
    }
}

/// A forward and an adjoint operator.
struct Pair {
    forward: Operator,
    adjoint: Operator,
    /// The history that their equations name.
    usave: Option<TimeFunction>,
}

impl Pair {
    /// One step of each, neither of which was run before.
    fn first_step(&self, shot: &ShotProblem, start: Instant) -> Result<FirstStep> {
        let (settings, dt) = (shot.settings, shot.wave.dt);
        let forward = FirstStep::take(settings, &self.forward, settings.every, dt, start)?;
        Ok(forward.then(FirstStep::take(settings, &self.adjoint, settings.every, dt, start)?))
    }

    /// All steps of both, from fields at rest, with a fresh history: one is written once.
    fn run(&self, shot: &ShotProblem, progress: &Progress) -> Result<(Run, Run)> {
        let settings = shot.settings;
        for op in [&self.forward, &self.adjoint] {
            op.compile(settings.backend)?;
        }
        shot.wave.u.fill(0.0)?;
        shot.v.fill(0.0)?;
        shot.grad.fill(0.0)?;
        let fresh = self.usave.as_ref().map(|usave| (usave, usave.twin(usave.name())));
        let timed = |op: &Operator| {
            let mut apply = steps(settings, op, shot.wave.dt);
            if let Some((usave, fresh)) = &fresh {
                apply = apply.with(*usave, fresh);
            }
            timed(progress, op.name(), apply)
        };
        Ok((timed(&self.forward)?, timed(&self.adjoint)?))
    }
}

/// Distance of two arrays over the norm of the second; NaN when that is 0 and they differ.
fn relative_l2(found: &Data, exact: &Data) -> f64 {
    let distance = found.iter().zip(exact.iter()).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
    if distance == 0.0 { 0.0 } else { distance / exact.norm() }
}
