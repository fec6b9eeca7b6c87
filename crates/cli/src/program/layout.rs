//! `wavefold fmt` and `wavefold new`.

use std::io::Write;
use std::path::{Path, PathBuf};
use wavefold::runtime::system::temporary_beside;

use serde::Serialize;

use crate::error::{CliError, Result};
use crate::output;

/// Lay programs out: one statement a line, blocks indented
#[derive(Debug, clap::Args)]
pub struct FmtArgs {
    /// The programs, .wf files; they are rewritten
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Rewrite nothing; fail if something would change
    #[arg(long)]
    check: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Start a program
#[derive(Debug, clap::Args)]
pub struct NewArgs {
    /// Its name; NAME.wf is written into this folder
    name: String,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Formatted {
    changed: Vec<String>,
    checked: usize,
}

/// Writes a file whole or not at all.
fn replace(file: &Path, text: &str) -> Result<()> {
    let failed = |e: std::io::Error| CliError::Write { path: file.into(), cause: e.to_string() };
    let mut temporary = temporary_beside(file).map_err(failed)?;
    temporary.write_all(text.as_bytes()).map_err(failed)?;
    if let Ok(old) = std::fs::metadata(file) {
        let _ = temporary.as_file().set_permissions(old.permissions());
    }
    temporary.persist(file).map_err(|e| failed(e.error))?;
    Ok(())
}

/// `wavefold fmt`
pub fn fmt(args: &FmtArgs) -> Result<()> {
    let mut changed = vec![];
    for file in &args.files {
        let (source, _) = super::read(file)?;
        let text = wavefold_text::format(&source)?;
        if text != source {
            changed.push(file.display().to_string());
            if !args.check {
                replace(file, &text)?;
            }
        }
    }
    if args.json {
        output::object(&Formatted { changed: changed.clone(), checked: args.files.len() })?;
    }
    if args.check && !changed.is_empty() {
        return Err(CliError::Layout { files: changed });
    }
    if !args.json {
        for file in &changed {
            output::line(&format!("laid out {file}"))?;
        }
    }
    Ok(())
}

const START: &str = include_str!("start.wf");

#[derive(Serialize)]
struct Started {
    file: String,
}

/// `wavefold new`
pub fn new(args: &NewArgs) -> Result<()> {
    let file = PathBuf::from(format!("{}.wf", args.name.trim_end_matches(".wf")));
    if file.exists() {
        return Err(CliError::Exists { path: file });
    }
    let stem = file.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    replace(&file, &START.replace("NAME", &stem))?;
    if args.json {
        return output::object(&Started { file: file.display().to_string() });
    }
    output::line(&format!("wrote {0}\nrun it with `wavefold run {0}`", file.display()))
}
