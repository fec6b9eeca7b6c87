//! `wavefold inspect`

use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use serde::Serialize;
use wavefold::prelude::Operator;

use super::{Given, read};
use crate::error::{CliError, Result};
use crate::output;

/// Show what the compiler makes of a program
#[derive(Debug, clap::Args)]
pub struct InspectArgs {
    /// The program, a .wf file
    file: PathBuf,
    /// The operator [default: all of them]
    #[arg(long, value_name = "NAME")]
    operator: Option<String>,
    /// equations, stencil, cluster, tree, c, clif, passes for all, or memory
    #[arg(long, value_name = "LEVEL", default_value = "tree",
          value_parser = ["equations", "stencil", "cluster", "tree", "c", "clif", "passes", "memory"])]
    stage: String,
    #[command(flatten)]
    given: Given,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Inspected {
    stage: String,
    operators: Vec<Text>,
}

#[derive(Serialize)]
struct Text {
    operator: String,
    text: String,
}

/// `wavefold inspect`
pub fn inspect(args: &InspectArgs) -> Result<()> {
    let (_, program) = read(&args.file)?;
    let report = program.check(&args.given.options(&args.file)?)?;
    let names: Vec<String> = report.operators.iter().map(|(name, _)| name.clone()).collect();
    let chosen: Vec<&(String, Operator)> = report
        .operators
        .iter()
        .filter(|(name, _)| args.operator.as_ref().is_none_or(|n| n == name))
        .collect();
    if chosen.is_empty() {
        let message = match &args.operator {
            Some(name) => format!("the program has no operator `{name}`"),
            None => "the program has no operator".into(),
        };
        let help = if names.is_empty() {
            "define one: `operator step { .. }`".into()
        } else {
            format!("there are {}", names.join(", "))
        };
        return Err(CliError::Usage { message, help });
    }
    let text = |op: &Operator| -> Result<String> {
        let after = |pass: &str| op.trace().after(pass).unwrap_or_default().to_string();
        Ok(match args.stage.as_str() {
            "equations" => op.to_string(),
            "stencil" => after("discretize"),
            "cluster" => after("cse"),
            "c" => op.ccode(),
            "clif" => op.clif(),
            "passes" => op.trace().to_string(),
            "memory" => op.estimate_memory()?.to_string(),
            _ => op.tree(),
        })
    };
    if args.json {
        let mut operators = vec![];
        for (name, op) in chosen {
            operators.push(Text { operator: name.clone(), text: text(op)? });
        }
        return output::object(&Inspected { stage: args.stage.clone(), operators });
    }
    let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let mut out = std::io::stdout().lock();
    for (_, op) in chosen {
        let text = text(op)?;
        let text = if colour { coloured(&text) } else { text };
        if writeln!(out, "{}", text.trim_end()).is_err() {
            return Ok(()); // whoever reads it has seen enough
        }
    }
    Ok(())
}

/// Comments grey, words that open a block bold.
fn coloured(text: &str) -> String {
    let words = [
        "operator",
        "time",
        "parallel",
        "simd",
        "for",
        "first",
        "every",
        "points",
        "compress",
        "decompress",
        "wait",
    ];
    let line = |line: &str| {
        let start = line.trim_start();
        if start.starts_with('#')
            || start.starts_with("//")
            || start.starts_with("/*")
            || start.starts_with("==")
        {
            return format!("\x1b[90m{line}\x1b[0m");
        }
        match words.iter().find(|w| start.strip_prefix(**w).is_some_and(|rest| rest.starts_with(' '))) {
            Some(word) => line.replacen(word, &format!("\x1b[1m{word}\x1b[0m"), 1),
            None => line.to_string(),
        }
    };
    text.lines().map(|l| line(l) + "\n").collect()
}
