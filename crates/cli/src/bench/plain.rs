//! Cases of one operator without history.

use std::time::Instant;

use wavefold::prelude::{Equation, FieldData, Operator, TimeFunction};

use super::Settings;
use super::measure::{FirstStep, Series, apply, timed};
use super::progress::Progress;
use super::report::Report;
use crate::error::Result;

/// A problem that is ready to be compiled.
pub struct Problem {
    pub equations: Vec<Equation>,
    /// The unknowns.
    pub unknowns: Vec<TimeFunction>,
    /// Time step.
    pub dt: f64,
    /// The first of the steps.
    pub first: usize,
    /// Sets what an unknown begins with.
    pub start: fn(&TimeFunction) -> Result<()>,
}

/// An unknown that begins with 0.
pub fn at_rest(u: &TimeFunction) -> Result<()> {
    Ok(u.fill(0.0)?)
}

/// Builds and measures.
pub fn run(settings: &Settings, build: fn(&Settings) -> Result<Problem>) -> Result<Report> {
    let progress = Progress::new();
    let start = Instant::now();
    let problem = build(settings)?;
    let op = Operator::named(&settings.case.to_string(), problem.equations)?;
    let first = FirstStep::take(settings, &op, problem.first, problem.dt, start)?;

    let last = problem.first + settings.steps - 1;
    let mut series = Series::default();
    let round = |what| {
        problem.unknowns.iter().try_for_each(problem.start)?;
        timed(&progress, what, apply(settings, &op, problem.dt).time_min(problem.first).time_max(last))
    };
    let warm = round("warm-up")?.summary;
    for _ in 0..settings.repeat {
        series.add(&[&round("run")?]);
    }
    Ok(Report::new(settings, first, &series, 1, (warm.cost, warm.schedule), None))
}
