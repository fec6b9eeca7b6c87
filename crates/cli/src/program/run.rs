//! `wavefold run` and `wavefold check`.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use wavefold::prelude::{PerformanceSummary, Tier};
use wavefold_text::Observer;

use super::{Given, read};
use crate::error::Result;
use crate::output;

/// Run a program
///
/// What the program prints goes to standard output, then one summary for each run. Files are written relative to the
/// folder of the program.
#[derive(Debug, clap::Args)]
pub struct RunArgs {
    /// The program, a .wf file
    file: PathBuf,
    #[command(flatten)]
    given: Given,
    /// Print one JSON object instead
    #[arg(long)]
    json: bool,
}

/// Check a program without running it
///
/// Resolves every name, reads every file, builds every operator, and estimates the memory of every run.
#[derive(Debug, clap::Args)]
pub struct CheckArgs {
    /// The program, a .wf file
    file: PathBuf,
    #[command(flatten)]
    given: Given,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Prints lines as they come, and shows the progress of runs that take longer than a second.
struct Teller {
    quiet: bool,
    started: Instant,
    first_step: Mutex<Option<f64>>,
    bar: Mutex<Option<(Instant, ProgressBar)>>,
}

impl Observer for Teller {
    fn say(&self, line: &str) {
        if !self.quiet {
            let _ = output::line(line);
        }
    }

    fn step(&self, operator: &str, done: u64, all: u64) {
        self.first_step
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert_with(|| self.started.elapsed().as_secs_f64());
        if !std::io::stderr().is_terminal() {
            return;
        }
        let mut bar = self.bar.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, shown) = bar.get_or_insert_with(|| {
            let bar = ProgressBar::hidden();
            if let Ok(style) =
                ProgressStyle::with_template("{msg:20} {bar:32} {pos}/{len} steps, {per_sec}, {eta} left")
            {
                bar.set_style(style);
            }
            bar.set_message(operator.to_string());
            (Instant::now(), bar)
        });
        if shown.is_hidden() && since.elapsed() > Duration::from_secs(1) {
            shown.set_draw_target(indicatif::ProgressDrawTarget::stderr());
        }
        shown.set_length(all);
        shown.set_position(done);
    }

    fn ran(&self, summary: &PerformanceSummary) {
        if let Some((_, bar)) = self.bar.lock().unwrap_or_else(PoisonError::into_inner).take() {
            bar.finish_and_clear();
        }
        if !self.quiet {
            let _ = output::line(summary.to_string().trim_end());
        }
    }
}

#[derive(Serialize)]
struct Ran {
    program: String,
    runs: Vec<OneRun>,
    asserts: usize,
    printed: Vec<String>,
    written: Vec<String>,
    /// From the start of the process to the first step of the first run.
    first_step_seconds: Option<f64>,
    seconds: f64,
}

#[derive(Serialize)]
struct OneRun {
    operator: String,
    backend: String,
    /// What ran one after the other.
    tiers: Vec<OneTier>,
    /// Why the C compiler was of no use.
    note: Option<String>,
    threads: usize,
    time_m: i64,
    #[serde(rename = "time_M")]
    time_max: i64,
    steps: u64,
    points: u64,
    seconds: f64,
    gpts_per_s: f64,
    lower_seconds: f64,
    compile_seconds: f64,
    compression: Vec<OneHistory>,
}

#[derive(Serialize)]
struct OneTier {
    backend: String,
    steps: u64,
    seconds: f64,
}

#[derive(Serialize)]
struct OneHistory {
    function: String,
    codec: String,
    snapshots: usize,
    raw_bytes: u64,
    bytes: u64,
    ratio: f64,
    seconds: f64,
}

impl OneTier {
    fn of(t: &Tier) -> OneTier {
        OneTier { backend: t.backend.to_string(), steps: t.steps, seconds: t.seconds }
    }
}

impl OneRun {
    fn of(s: &PerformanceSummary) -> OneRun {
        OneRun {
            operator: s.operator.clone(),
            backend: s.backend.to_string(),
            tiers: s.tiers.iter().map(OneTier::of).collect(),
            note: s.note.clone(),
            threads: s.threads,
            time_m: s.time_m,
            time_max: s.time_max,
            steps: s.steps,
            points: s.points,
            seconds: s.seconds,
            gpts_per_s: s.gpts_per_s(),
            lower_seconds: s.lower_seconds,
            compile_seconds: s.compile_seconds,
            compression: s
                .compression
                .iter()
                .map(|c| OneHistory {
                    function: c.function.clone(),
                    codec: c.codec.to_string(),
                    snapshots: c.snapshots,
                    raw_bytes: c.raw_bytes,
                    bytes: c.bytes,
                    ratio: c.ratio(),
                    seconds: c.seconds,
                })
                .collect(),
        }
    }
}

/// `wavefold run`
pub fn run(args: &RunArgs, started: Instant) -> Result<()> {
    let (_, program) = read(&args.file)?;
    let mut options = args.given.options(&args.file)?;
    let teller =
        Arc::new(Teller { quiet: args.json, started, first_step: Mutex::new(None), bar: Mutex::new(None) });
    options.observer = Some(teller.clone());
    options.cancel = Some(crate::stop::on_interrupt());
    let report = program.run(&options)?;
    if args.json {
        return output::object(&Ran {
            program: args.file.display().to_string(),
            runs: report.runs.iter().map(OneRun::of).collect(),
            asserts: report.asserts,
            printed: report.printed,
            written: report.written.iter().map(|p| p.display().to_string()).collect(),
            first_step_seconds: *teller.first_step.lock().unwrap_or_else(PoisonError::into_inner),
            seconds: started.elapsed().as_secs_f64(),
        });
    }
    for path in &report.written {
        output::line(&format!("wrote {}", path.display()))?;
    }
    match report.asserts {
        0 => {}
        1 => output::line("1 assertion holds")?,
        n => output::line(&format!("{n} assertions hold"))?,
    }
    Ok(())
}

#[derive(Serialize)]
struct Checked {
    program: String,
    operators: Vec<String>,
    seconds: f64,
}

/// `wavefold check`
pub fn check(args: &CheckArgs) -> Result<()> {
    let start = Instant::now();
    let (_, program) = read(&args.file)?;
    let report = program.check(&args.given.options(&args.file)?)?;
    let operators: Vec<String> = report.operators.into_iter().map(|(name, _)| name).collect();
    let seconds = start.elapsed().as_secs_f64();
    let program = args.file.display().to_string();
    if args.json {
        return output::object(&Checked { program, operators, seconds });
    }
    output::line(&format!(
        "{program} is right: {} operator(s), checked in {}",
        operators.len(),
        output::seconds(seconds)
    ))
}
