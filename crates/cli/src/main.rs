//! The `wavefold` command: `run`, `check`, `inspect`, `fmt` and `new` for programs in `.wf` files, `bench` measures runs,
//! `codec` a codec on a file, `doctor` shows what the machine has, `completions` is for shells.
//!
//! Results go to standard output, as a table or, with `--json`, as one JSON object. Progress goes to standard error,
//! and only to a terminal. Bad input is one diagnostic on standard error and exit status 1.

mod bench;
mod codec;
mod doctor;
mod error;
mod output;
mod pages;
mod program;
mod shape;
mod stop;

use std::process::ExitCode;

use std::time::Instant;

use clap::{CommandFactory, Parser, Subcommand};

use crate::error::CliError;

const STATUS: &str = "Exit status: 0 when all went well, 1 for anything that is wrong (a diagnostic on standard error says \
what), 130 when a run was stopped with Ctrl-C.";

/// Finite-difference programs with compressed histories: run them, look into them, measure them.
#[derive(Debug, Parser)]
#[command(name = "wavefold", version, arg_required_else_help = false, after_help = STATUS)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Run(program::RunArgs),
    Check(program::CheckArgs),
    Inspect(program::InspectArgs),
    Fmt(program::FmtArgs),
    New(program::NewArgs),
    Bench(bench::Args),
    Codec(codec::Args),
    Doctor(doctor::Args),
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

fn main() -> ExitCode {
    let started = Instant::now();
    spin_briefly();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) if !e.use_stderr() => {
            // `--help` and `--version`; a closed pipe is not an error.
            let _ = e.print();
            return ExitCode::SUCCESS;
        }
        Err(e) => return fail(CliError::usage(&e)),
    };
    let done = match cli.verb {
        Verb::Bench(args) => bench::run(&args),
        Verb::Codec(args) => codec::run(&args),
        Verb::Run(args) => program::run(&args, started),
        Verb::Check(args) => program::check(&args),
        Verb::Inspect(args) => program::inspect(&args),
        Verb::Fmt(args) => program::fmt(&args),
        Verb::New(args) => program::new(&args),
        Verb::Doctor(args) => doctor::run(&args),
        Verb::Completions { shell } => {
            let mut script = vec![];
            clap_complete::generate(shell, &mut Cli::command(), "wavefold", &mut script);
            output::raw(&script)
        }
    };
    done.map_or_else(fail, |()| ExitCode::SUCCESS)
}

/// Threads of generated C spin before they sleep between two loops. By default libgomp spins so long that a run stalls
/// for milliseconds at every loop when another program wants a core; this costs nothing on a quiet machine.
fn spin_briefly() {
    if std::env::var_os("GOMP_SPINCOUNT").is_none() && std::env::var_os("OMP_WAIT_POLICY").is_none() {
        // SAFETY: the process has one thread still, so nobody reads the environment now.
        unsafe { std::env::set_var("GOMP_SPINCOUNT", "10000") };
    }
}

fn fail(error: CliError) -> ExitCode {
    // Lines are the terminal's to wrap, so that options in messages can be searched for and copied. The messages
    // are whole: a chain of causes would say the same again.
    let plain = miette::MietteHandlerOpts::new().wrap_lines(false).without_cause_chain();
    // Fails only where a hook is set already.
    let _ = miette::set_hook(Box::new(move |_| Box::new(plain.clone().build())));
    if stop::requested() {
        eprintln!("stopped");
        return ExitCode::from(130);
    }
    match error {
        CliError::Program(failure) => failure.reports().iter().for_each(|report| eprintln!("{report:?}")),
        error => eprintln!("{:?}", miette::Report::new(error)),
    }
    ExitCode::FAILURE
}
