//! Timed runs.

use std::time::Instant;

use wavefold::prelude::{Apply, Operator, PerformanceSummary};

use super::Settings;
use super::progress::Progress;
use crate::error::Result;
use crate::output::median;

/// One run with its costs as the process sees them.
pub struct Run {
    pub summary: PerformanceSummary,
    /// Wall time of the whole run, in seconds.
    pub wall: f64,
    /// CPU time of all threads, in seconds.
    pub cpu: f64,
}

/// Runs `apply` and takes the times.
pub fn timed(progress: &Progress, what: &str, apply: Apply<'_>) -> Result<Run> {
    let (start, cpu) = (Instant::now(), cpu_seconds());
    let summary = progress.run(what, apply)?;
    Ok(Run { summary, wall: start.elapsed().as_secs_f64(), cpu: cpu_seconds() - cpu })
}

/// CPU time of all threads of this process, in seconds.
fn cpu_seconds() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes one `timespec` through a pointer to one, which lives until it returns.
    let status = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    if status == 0 { time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9 } else { f64::NAN }
}

/// Repeated runs of one kind; a gradient adds a forward and an adjoint run to one entry.
#[derive(Default)]
pub struct Series {
    threads: usize,
    kernel: Vec<f64>,
    wall: Vec<f64>,
    cpu: f64,
}

impl Series {
    /// Adds runs that count as one.
    pub fn add(&mut self, runs: &[&Run]) {
        self.threads = runs.iter().map(|r| r.summary.threads).fold(self.threads, usize::max);
        self.kernel.push(runs.iter().map(|r| r.summary.seconds).sum());
        self.wall.push(runs.iter().map(|r| r.wall).sum());
        self.cpu += runs.iter().map(|r| r.cpu).sum::<f64>();
    }

    /// Median of the time in the kernel, in seconds.
    pub fn kernel(&self) -> f64 {
        median(self.kernel.iter().copied())
    }

    /// Median of the wall times over those of runs that took turns with these: what the machine does for longer than a turn
    /// is in both.
    pub fn wall_over(&self, other: &Series) -> f64 {
        median(self.wall.iter().zip(&other.wall).map(|(one, other)| one / other))
    }

    /// Threads that ran: fewer than asked for when the kernel is serial.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// CPU time over wall time and threads.
    pub fn utilisation(&self) -> f64 {
        self.cpu / (self.wall.iter().sum::<f64>() * self.threads as f64)
    }
}

/// Costs before the first result.
#[derive(Clone, Copy, Debug)]
pub struct FirstStep {
    /// From the first symbol to the end of a one-step run.
    pub seconds: f64,
    /// From equations to the tree.
    pub lower: f64,
    /// Time of the backend.
    pub compile: f64,
    /// Whether the code came from the compile cache.
    pub cached: bool,
}

impl FirstStep {
    /// The costs of this operator and of one that was run for the first time after it.
    pub fn then(self, next: FirstStep) -> FirstStep {
        FirstStep {
            seconds: next.seconds,
            lower: self.lower + next.lower,
            compile: self.compile + next.compile,
            cached: self.cached && next.cached,
        }
    }

    /// Runs step `step` of an operator that was never run, whose problem began to be built at `start`.
    pub fn take(
        settings: &Settings,
        op: &Operator,
        step: usize,
        dt: f64,
        start: Instant,
    ) -> Result<FirstStep> {
        let summary = apply(settings, op, dt).time_min(step).time_max(step).run()?;
        Ok(FirstStep {
            seconds: start.elapsed().as_secs_f64(),
            lower: summary.lower_seconds,
            compile: summary.compile_seconds,
            cached: summary.cached,
        })
    }
}

/// A run with the settings that all runs share; its range is still to be set.
pub fn apply<'a>(settings: &Settings, op: &'a Operator, dt: f64) -> Apply<'a> {
    let apply = op.apply().dt(dt).backend(settings.backend).threads(settings.threads);
    match settings.steps_at_a_time {
        Some(steps) => apply.steps_at_a_time(steps),
        None => apply,
    }
}

/// A run over all steps of a wave, whose first step is 1.
pub fn steps<'a>(settings: &Settings, op: &'a Operator, dt: f64) -> Apply<'a> {
    apply(settings, op, dt).time_min(1).time_max(settings.steps)
}
