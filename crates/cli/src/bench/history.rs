//! A forward run that saves, against the same run that does not.

use std::time::Instant;

use wavefold::prelude::{CompressionSummary, FieldData, Operator, PerformanceSummary, eq};

use super::Settings;
use super::measure::{FirstStep, Run, Series, steps, timed};
use super::memory::PeakWatch;
use super::progress::Progress;
use super::report::{History, Report};
use super::wave::Wave;
use crate::error::Result;

/// Peak frequency of the source, in kHz: as high as the grid carries, so that waves fill it early.
pub const FREQUENCY: f64 = 0.015;

/// Builds and measures; the runs with and without saving take turns.
pub fn run(settings: &Settings) -> Result<Report> {
    let progress = Progress::new();
    let start = Instant::now();
    let wave = Wave::layered(settings, 100, FREQUENCY)?;
    let usave = wave.history(settings, settings.codec)?;
    let mut equations = wave.forward()?;
    equations.push(eq(&usave, &wave.u));
    let saving = Operator::named("history", equations)?;
    let first = FirstStep::take(settings, &saving, settings.every, wave.dt, start)?;

    let plain = Operator::named("forward", wave.forward()?)?;
    for op in [&plain, &saving] {
        op.compile(settings.backend)?;
    }
    let bare_run = || -> Result<Run> {
        wave.u.fill(0.0)?;
        timed(&progress, "without saving", steps(settings, &plain, wave.dt))
    };
    let saving_run = || -> Result<Run> {
        wave.u.fill(0.0)?;
        // It is written once, so each run has a fresh one.
        let fresh = usave.twin(usave.name());
        timed(&progress, "saving", steps(settings, &saving, wave.dt).with(&usave, &fresh))
    };
    // The warm-up, each once. The arrays of an operator that saves nothing are part of the base of the memory.
    bare_run()?;
    let watch = PeakWatch::start();
    let mut last = saving_run()?.summary;
    let (mut without, mut with) = (Series::default(), Series::default());
    for _ in 0..settings.repeat {
        let (bare, saved) = (bare_run()?, saving_run()?);
        without.add(&[&bare]);
        with.add(&[&saved]);
        last = saved.summary;
    }
    let peak = watch.over_base();
    let overhead = with.wall_over(&without) - 1.0;
    let history = describe(settings, &last, overhead, None, peak);
    Ok(Report::new(settings, first, &with, 1, (last.cost, last.schedule), Some(history)))
}

/// What a run saved.
pub fn describe(
    settings: &Settings,
    saved: &PerformanceSummary,
    overhead: f64,
    gradient_error: Option<f64>,
    peak_rss_bytes: Option<u64>,
) -> History {
    let verbatim = (settings.raw_bytes(), settings.raw_bytes());
    let sizes = |c: &CompressionSummary| (c.raw_bytes, c.bytes);
    let (raw_bytes, bytes) = saved.compression_of("usave").map_or(verbatim, sizes);
    History {
        codec: settings.codec.map_or_else(|| "none".to_string(), |c| c.to_string()),
        save_every: settings.every,
        raw_bytes,
        bytes,
        ratio: raw_bytes as f64 / (bytes as f64).max(1.0),
        overhead,
        gradient_error,
        peak_rss_bytes,
    }
}
