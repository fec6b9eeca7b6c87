//! Tree to CLIF: one function for the program, and one for every loop nest.
//!
//! Nests are functions of their own, parallel or not, because a load may be marked `readonly` (free to move, and
//! to become a memory operand) only when nothing stores to its buffer while the function runs: see
//! [`writer::Writer::load_flags`]. A parallel tile loop calls its function through the runtime, once per tile, and so
//! does a reduction.

mod effects;
mod frame;
mod front;
mod main;
mod memory;
mod nest;
mod reduce;
mod row;
mod value;
mod wide;
mod writer;

use crate::target::{self, Care};
use crate::wide::{Row, Vectors};
use crate::{CompileError, host};
use cranelift_codegen::ir::{Function, UserFuncName};
use frame::Frame;
use nest::{Body, Task};
use std::sync::Arc;
use wavefold_ir::tree::{LoopForm, Program, Stmt, line};

/// Name of the entry function.
pub(crate) const ENTRY: &str = "wavefold_main";

/// One function of a program.
pub(crate) struct Lowered {
    /// Its symbol.
    pub(crate) name: String,
    /// What it does, in the words of the program; one line each.
    pub(crate) notes: Vec<String>,
    /// The code.
    pub(crate) code: Code,
}

/// The code of a function.
pub(crate) enum Code {
    /// For Cranelift.
    Clif(Box<Function>),
    /// A row for vectors that Cranelift does not have.
    Row(Arc<Row>),
}

/// A program, ready for code.
pub(crate) struct Functions {
    /// All functions, the entry first. Function `i` is called `u0:(host::COUNT + i)` in the code.
    pub(crate) all: Vec<Lowered>,
    /// Whether all rows that each step goes through have code of their own, in vectors that Cranelift does not have.
    pub(crate) rows: bool,
}

/// All functions of a program.
///
/// # Errors
/// [`CompileError::Program`] or [`CompileError::Nesting`] for programs that break the rules of the tree level,
/// [`CompileError::Target`] on machines without a code generator.
pub(crate) fn lower(program: &Program, vectors: Vectors) -> Result<Functions, CompileError> {
    program.verify()?;
    check_nesting(program)?;
    // The one that is needed, unless some row turns out to have no code of its own; they are configured alike.
    let care = if vectors > Vectors::Bits128 { Care::Quick } else { Care::Full };
    let frame = Frame::new(program, target::host(care)?.frontend_config(), vectors);
    let mut tasks = Vec::new();
    let entry = main::lower(program, &frame, &mut tasks);
    let mut functions =
        vec![Lowered { name: ENTRY.into(), notes: main_notes(program), code: Code::Clif(Box::new(entry)) }];
    // Lowering a task may add tasks: parallel loops inside it.
    let mut next = 0;
    while next < tasks.len() {
        let task: Task = tasks[next].clone();
        let code = match &task.body {
            Body::Row(row) => Code::Row(row.clone()),
            _ => Code::Clif(Box::new(nest::lower(program, &frame, &task, &mut tasks))),
        };
        functions.push(Lowered { name: task.name(), notes: task.notes, code });
        next += 1;
    }
    for (i, f) in functions.iter_mut().enumerate() {
        if let Code::Clif(clif) = &mut f.code {
            clif.name = UserFuncName::user(0, host::COUNT + i as u32);
        }
    }
    let rows = vectors > Vectors::Bits128 && !frame.narrow.get();
    Ok(Functions { all: functions, rows })
}

/// Only loops, and in the innermost of them point statements, may stand inside loops over points.
fn check_nesting(program: &Program) -> Result<(), CompileError> {
    let mut found = None;
    program.visit(&mut |s| {
        let (Stmt::Nest { outer: l, .. } | Stmt::Reduce { outer: l, .. } | Stmt::Loop(l)) = s else { return };
        for inner in &l.body {
            let row = l.dim + 1 == program.decls.rank() && !matches!(l.form, LoopForm::Tiles { .. });
            let fits = match inner {
                Stmt::Let { .. } | Stmt::Assign { .. } | Stmt::Accumulate(_) => true,
                Stmt::Loop(_) => !row,
                // T14 and T18: in loops over tiles only; T15: at the head of a row.
                Stmt::Part { .. } | Stmt::Inject { .. } | Stmt::Prefetch(_) | Stmt::Stream(_) => true,
                _ => false,
            };
            if !fits {
                found.get_or_insert_with(|| match inner {
                    Stmt::Time { .. } => "time".to_string(),
                    Stmt::First(_) => "first".to_string(),
                    Stmt::When { every, .. } => format!("every {every}"),
                    Stmt::Until { ticket, .. } => format!("until {ticket}"),
                    Stmt::Nest { .. } | Stmt::Loop(_) => "loop".to_string(),
                    Stmt::Reduce { .. } => "reduce".to_string(),
                    Stmt::Front { .. } | Stmt::Steps(_) | Stmt::Lagged { .. } => "front".to_string(),
                    other => line(other, &program.decls, &program.exprs),
                });
            }
        }
    });
    found.map_or(Ok(()), |statement| Err(CompileError::Nesting { statement }))
}

fn main_notes(program: &Program) -> Vec<String> {
    let mut notes = vec![format!("operator {}: time loop, sparse points, compression", program.decls.name)];
    program.visit(&mut |s| match s {
        Stmt::Inject { source, .. } | Stmt::Interpolate { source, .. } if !source.is_empty() => {
            notes.push(source.clone());
        }
        Stmt::Compress { .. } | Stmt::Decompress { .. } | Stmt::Part { .. } | Stmt::Wait(_) => {
            notes.push(line(s, &program.decls, &program.exprs));
        }
        _ => {}
    });
    notes
}
