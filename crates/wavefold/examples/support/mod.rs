//! What the examples share: the command line, a report with checks that can fail, a picture.

#![allow(dead_code, reason = "no example uses all of it")]

mod picture;

pub use picture::Panel;

use std::fmt;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use wavefold::prelude::*;

/// What an example's `main` returns; anything that goes wrong in Wavefold passes through `?`.
pub type Result<T = ExitCode> = std::result::Result<T, Failure>;

/// The command line of every example; each one has its own number of points and steps when none is given.
#[derive(Parser)]
pub struct Options {
    /// auto, c or cranelift
    #[arg(long, default_value = "auto")]
    pub backend: Backend,
    /// Points along a dimension
    #[arg(long, value_parser = clap::value_parser!(u32).range(9..=20_000))]
    points: Option<u32>,
    /// Time steps
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    steps: Option<u32>,
    /// Where the picture goes [default: target/EXAMPLE.png]
    #[arg(long, value_name = "FILE.png")]
    picture: Option<PathBuf>,
    /// Number of threads [default: all cores]
    #[arg(long)]
    threads: Option<usize>,
}

impl Options {
    /// Reads the command line.
    pub fn parse() -> Options {
        <Options as Parser>::parse()
    }

    /// Points along a dimension.
    pub fn points(&self, default: usize) -> usize {
        self.points.map_or(default, |n| n as usize)
    }

    /// Time steps.
    pub fn steps(&self, default: usize) -> usize {
        self.steps.map_or(default, |n| n as usize)
    }

    /// A run of the operator with the backend and the threads that were asked for.
    pub fn apply<'a>(&self, operator: &'a Operator) -> Apply<'a> {
        let apply = operator.apply().backend(self.backend);
        match self.threads {
            Some(threads) => apply.threads(threads),
            None => apply,
        }
    }

    /// The file of the picture; its folder is made if it is not there.
    pub fn picture_path(&self) -> Result<PathBuf> {
        let default = || PathBuf::from(format!("target/{}.png", env!("CARGO_CRATE_NAME")));
        let path = self.picture.clone().unwrap_or_else(default);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|e| Failure::Picture(e.to_string()))?;
        }
        Ok(path)
    }

    /// Draws panels side by side.
    pub fn picture(&self, panels: &[Panel]) -> Result<()> {
        let path = self.picture_path()?;
        picture::draw(&path, panels).map_err(Failure::Picture)?;
        println!("  picture: {}", path.display());
        Ok(())
    }
}

/// Prints runs and checks as they come, and remembers what failed.
#[derive(Default)]
pub struct Report {
    failed: usize,
}

impl Report {
    /// Tells of a run: grid, steps, seconds, grid points a second.
    pub fn run(&self, grid: &Grid, s: &PerformanceSummary) {
        let shape: Vec<String> = grid.shape().iter().map(usize::to_string).collect();
        println!(
            "{}: {} points, {} steps, {:.3} s, {:.3} GPts/s ({}, {} thread{})",
            s.operator,
            shape.join(" x "),
            s.steps,
            s.seconds,
            s.gpts_per_s(),
            s.backend,
            s.threads,
            if s.threads == 1 { "" } else { "s" },
        );
    }

    /// Tells of a value that nothing is asked of.
    pub fn value(&self, what: &str, value: f64) {
        println!("  {what:<44} {:>11}", number(value));
    }

    /// The value must be at most `bound`.
    pub fn below(&mut self, what: &str, value: f64, bound: f64) {
        self.check(what, value, value <= bound, format!("at most {}", number(bound)));
    }

    /// The value must be at least `bound`.
    pub fn above(&mut self, what: &str, value: f64, bound: f64) {
        self.check(what, value, value >= bound, format!("at least {}", number(bound)));
    }

    /// The value must be within `tolerance` of `target`.
    pub fn near(&mut self, what: &str, value: f64, target: f64, tolerance: f64) {
        let ok = (value - target).abs() <= tolerance;
        self.check(what, value, ok, format!("{} up to {}", number(target), number(tolerance)));
    }

    /// A NaN passes no comparison, and so no check.
    fn check(&mut self, what: &str, value: f64, ok: bool, asked: String) {
        println!("  {what:<44} {:>11}  {asked}: {}", number(value), if ok { "ok" } else { "FAILED" });
        self.failed += usize::from(!ok);
    }

    /// The exit status: 1 if a check failed.
    pub fn finish(self) -> Result {
        match self.failed {
            0 => Ok(ExitCode::SUCCESS),
            failed => Err(Failure::Check(failed)),
        }
    }
}

/// The largest distance from the first value, relative to it; NaN if any value is.
pub fn drift(values: &[f64]) -> f64 {
    let first = values.first().copied().unwrap_or(f64::NAN);
    largest(values.iter().map(|v| (v - first).abs() / first.abs()))
}

/// The largest of values that are not negative; NaN if one of them is, which `f64::max` would pass over.
pub fn largest(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(0.0, |most, value| if most.is_nan() || most >= value { most } else { value })
}

/// Four decimals where they tell something, powers of ten elsewhere.
fn number(value: f64) -> String {
    match value.abs() {
        size if size == 0.0 || (0.01..1e5).contains(&size) => format!("{value:.4}"),
        _ => format!("{value:.2e}"),
    }
}

/// Why an example ends with exit status 1.
pub enum Failure {
    /// Any error of Wavefold.
    Wavefold(wavefold::Error),
    /// This many checks failed; the report has said which.
    Check(usize),
    /// The picture cannot be drawn.
    Picture(String),
}

impl<E: Into<wavefold::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Failure::Wavefold(error.into())
    }
}

/// What Rust prints when `main` returns an error.
impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Wavefold(error) => error.fmt(f),
            Failure::Check(1) => f.write_str("a check failed"),
            Failure::Check(failed) => write!(f, "{failed} checks failed"),
            Failure::Picture(reason) => write!(f, "cannot draw the picture: {reason}"),
        }
    }
}
