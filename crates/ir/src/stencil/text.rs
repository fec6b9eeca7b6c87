//! Printer and parser of the stencil level.

use super::{Action, Program, Reduction, Statement};
use crate::text::{self, Cursor, ParseError};
use crate::{Arena, Decls, Region};
use std::fmt;

impl Action {
    pub(crate) fn text(&self, d: &Decls, exprs: &Arena) -> String {
        match self {
            Action::Assign { target, value, increment } => format!(
                "{} {} {}",
                text::access_text(d, target),
                if *increment { "+=" } else { "=" },
                text::expression_text(d, exprs, *value)
            ),
            Action::Inject { sparse, table, target, value } => format!(
                "inject {}{} -> {} += {}",
                d.sparse(*sparse).name,
                text::at_text(d, *table),
                text::access_text(d, target),
                text::expression_text(d, exprs, *value)
            ),
            Action::Interpolate { sparse, table, time, value, increment } => format!(
                "interpolate {}{} {} {}",
                text::sparse_text(d, *sparse, *time),
                text::at_text(d, *table),
                if *increment { "+=" } else { "=" },
                text::expression_text(d, exprs, *value)
            ),
            Action::Reduce { series, op, value } => format!(
                "reduce {} = {} {}",
                text::series_text(d, *series),
                op.name(),
                text::expression_text(d, exprs, *value)
            ),
        }
    }

    pub(crate) fn parse(c: &mut Cursor, d: &Decls, exprs: &mut Arena) -> Result<Action, ParseError> {
        if c.keyword("inject") {
            let sparse = sparse(c, d)?;
            c.word()?;
            let table = text::table_at(c, d, sparse)?;
            c.expect("->")?;
            let target = text::access(c, d)?;
            c.expect("+")?;
            c.expect("=")?;
            let value = text::expression(c, d, exprs)?;
            return Ok(Action::Inject { sparse, table, target, value });
        }
        if c.keyword("interpolate") {
            let sparse = sparse(c, d)?;
            let time = text::sparse_index(c, d, sparse)?;
            let table = text::table_at(c, d, sparse)?;
            let increment = increment(c)?;
            let value = text::expression(c, d, exprs)?;
            return Ok(Action::Interpolate { sparse, table, time, value, increment });
        }
        if c.keyword("reduce") {
            let series = text::series(c, d)?;
            c.expect("=")?;
            let op = reduction(c)?;
            return Ok(Action::Reduce { series, op, value: text::expression(c, d, exprs)? });
        }
        let target = text::access(c, d)?;
        let increment = increment(c)?;
        let value = text::expression(c, d, exprs)?;
        Ok(Action::Assign { target, value, increment })
    }
}

/// `sum`, `min` or `max`
pub(crate) fn reduction(c: &mut Cursor) -> Result<Reduction, ParseError> {
    match Reduction::ALL.into_iter().find(|op| op.name() == c.peek()) {
        Some(op) => {
            c.word()?;
            Ok(op)
        }
        None => c.error("`sum`, `min` or `max`"),
    }
}

fn increment(c: &mut Cursor) -> Result<bool, ParseError> {
    let increment = c.eat("+");
    c.expect("=")?;
    Ok(increment)
}

fn sparse(c: &mut Cursor, d: &Decls) -> Result<crate::SparseId, ParseError> {
    match d.sparse.iter().position(|s| s.name == c.peek()) {
        Some(i) => Ok(crate::SparseId(i as u32)),
        None => c.error("the name of sparse points"),
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text::header(&self.decls))?;
        for s in &self.statements {
            if !s.source.is_empty() {
                writeln!(f, "  # {}", s.source)?;
            }
            f.write_str("  ")?;
            if let Some(region) = text::region_text(&self.decls, &s.region) {
                write!(f, "on {region} ")?;
            }
            writeln!(f, "{}", s.action.text(&self.decls, &self.exprs))?;
        }
        writeln!(f, "}}")
    }
}

impl Program {
    /// Reads what the printer prints.
    ///
    /// # Errors
    /// The first place where the text is not a program of this level.
    pub fn parse(source: &str) -> Result<Program, ParseError> {
        let (decls, exprs, statements) = text::parse_program(source, |c, d, exprs| {
            let mut statements = Vec::new();
            while c.peek() != "}" && !c.at_end() {
                let source = c.comment().unwrap_or("").to_string();
                let region =
                    if c.keyword_before_range("on") { text::region(c, d)? } else { Region::domain(&d.dims) };
                statements.push(Statement { action: Action::parse(c, d, exprs)?, region, source });
            }
            Ok(statements)
        })?;
        Ok(Program { decls, exprs, statements })
    }
}
