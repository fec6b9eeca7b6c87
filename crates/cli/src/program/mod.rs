//! Programs in `.wf` files: `run`, `check`, `inspect`, `fmt`, `new`.

mod inspect;
mod layout;
mod run;

use std::path::{Path, PathBuf};

use wavefold::prelude::Backend;
use wavefold_text::{Options, Program};

use crate::error::{CliError, Result};

pub use inspect::{InspectArgs, inspect};
pub use layout::{FmtArgs, NewArgs, fmt, new};
pub use run::{CheckArgs, RunArgs, check, run};

/// What programs are given on the command line.
#[derive(Debug, Default, clap::Args)]
pub struct Given {
    /// A value for a name that the program defines with `let` or `const`, as in --set nt=100; may stand several times
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<String>,
    /// Backend of runs that name none: auto, c, cranelift or interpreter
    #[arg(long, value_name = "B")]
    backend: Option<String>,
    /// Number of threads of runs that name none [default: one per core]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
}

impl Given {
    fn options(&self, file: &Path) -> Result<Options> {
        let mut set = vec![];
        for text in &self.set {
            let Some((name, value)) = text.split_once('=') else {
                return Err(CliError::Usage {
                    message: format!("`--set {text}` has no value"),
                    help: "give a name and a value: `--set nt=100`".into(),
                });
            };
            set.push((name.trim().to_string(), value.trim().to_string()));
        }
        let backend = self.backend.as_deref().map(str::parse::<Backend>).transpose()?;
        let folder = file.parent().map(PathBuf::from).unwrap_or_default();
        Ok(Options { set, backend, threads: self.threads, folder, ..Options::default() })
    }
}

/// Reads a program from a file.
fn read(file: &Path) -> Result<(String, Program)> {
    let source = std::fs::read_to_string(file)
        .map_err(|e| CliError::Read { path: file.into(), cause: e.to_string() })?;
    let program = wavefold_text::parse_named(&file.display().to_string(), &source)?;
    Ok((source, program))
}
