//! The main job: a full-waveform-inversion gradient of one shot with the forward history kept compressed.
//!
//! `cargo run --release --example gradient` uses a built-in salt model. Try
//! `-- --compression quantize --nbits 12 --reference`, or your own model:
//! `-- --model vp.f32 --shape 1601x401 --spacing 7.5`. `-- --help` lists everything.

mod options;
mod problem;
mod report;

use clap::Parser;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use options::Options;
use problem::Problem;
use report::Report;
use std::io::IsTerminal;
use wavefold::seismic::{Section, gradient_picture};

fn main() -> miette::Result<()> {
    let o = Options::try_parse().unwrap_or_else(|e| refuse(&e));
    let problem = Problem::new(&o)?;
    let codec = o.codec()?;
    let bar = progress_bar();
    let progress = |phase: &str, done: u64, total: u64| {
        bar.set_length(total);
        bar.set_position(done);
        if bar.message() != phase {
            bar.set_message(phase.to_string());
        }
    };

    let observed = problem.observe(&progress)?;
    let gradient = problem.gradient(&observed, codec, o.reference, &progress)?;
    let reference = match o.reference {
        true => Some(problem.gradient(&observed, None, false, &progress)?),
        false => None,
    };
    bar.finish_and_clear();

    let picture = (!o.no_plot).then_some(o.plot.as_path());
    if let Some(path) = picture {
        let velocity = problem.velocity.clone().into_dimensionality().map_err(|e| miette::miette!("{e}"))?;
        let section = Section {
            spacing: problem.spacing,
            source: Some(&problem.shot.source),
            receivers: &problem.shot.receivers,
            ..Section::default()
        };
        gradient_picture(path, &velocity, &gradient.values, &section)
            .map_err(|e| miette::miette!(code = e.code(), "{e}"))?;
    }
    let report =
        Report { problem: &problem, gradient: &gradient, reference: reference.as_ref(), codec, picture };
    if o.json {
        println!("{}", report.json());
    } else {
        print!("{}", report.table());
    }
    Ok(())
}

/// Bad options are bad input like any other, with exit status 1; `--help` is not.
fn refuse(e: &clap::Error) -> ! {
    // A closed standard error leaves nobody to tell.
    let _ = e.print();
    std::process::exit(i32::from(e.use_stderr()))
}

/// On standard error, and only if that is a terminal.
fn progress_bar() -> ProgressBar {
    let bar = ProgressBar::new(0);
    if !std::io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    if let Ok(style) =
        ProgressStyle::with_template("{msg:14} {bar:40} {pos}/{len} steps  {per_sec}  {eta} left")
    {
        bar.set_style(style);
    }
    bar
}
