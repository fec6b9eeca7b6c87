//! `legality`: refuses operators that have no meaning, before anything is rewritten.
//!
//! A compressed function is written by one equation, or read, never both. Time runs one way: ascending when
//! some function is written at a later level than it is read, descending when at an earlier one. The levels of
//! a buffered function fit its buffers.

use crate::{CompileError, Result};
use std::ops::RangeInclusive;
use wavefold_ir::stencil::{Action, Program, Statement};
use wavefold_ir::{Direction, FieldId, FieldKind};

/// Checks a lowered operator.
///
/// # Errors
/// See [`CompileError`].
pub fn legality(p: &Program) -> Result<()> {
    for s in &p.statements {
        snapshots(p, s)?;
    }
    for id in p.decls.field_ids() {
        if p.decls.field(id).is_compressed() {
            compressed(p, id)?;
        }
        buffers(p, id)?;
    }
    direction(p).map(|_| ())
}

fn snapshots(p: &Program, s: &Statement) -> Result<()> {
    let mut every = p.accesses(s).into_iter().map(|(a, _)| p.decls.field(a.field).every()).filter(|k| *k > 1);
    let Some(first) = every.next() else { return Ok(()) };
    match every.find(|k| *k != first) {
        Some(second) => Err(CompileError::MixedSnapshots { equation: s.source.clone(), first, second }),
        None => Ok(()),
    }
}

fn compressed(p: &Program, id: FieldId) -> Result<()> {
    let name = p.decls.field(id).name.clone();
    let writes = |s: &&Statement| s.action.target().is_some_and(|t| t.field == id);
    // Adding to a snapshot reads it first.
    let adds = |s: &&Statement| {
        writes(s) && !matches!(s.action, Action::Assign { increment: false, .. })
    };
    let reads = |s: &&Statement| p.accesses(s).iter().any(|(a, write)| !write && a.field == id) || adds(s);
    let mut writers = p.statements.iter().filter(writes);
    let Some(write) = writers.next() else { return Ok(()) };
    if let Some(read) = p.statements.iter().find(reads) {
        let (write, read) = (write.source.clone(), read.source.clone());
        return Err(CompileError::ReadAndWrite { name, write, read });
    }
    match writers.next() {
        Some(second) => Err(CompileError::WrittenTwice {
            name,
            first: write.source.clone(),
            second: second.source.clone(),
        }),
        None => Ok(()),
    }
}

/// The time shifts at which a field is touched: all of them, and those of its writes.
fn shifts(p: &Program, id: FieldId) -> Option<RangeInclusive<i32>> {
    let all: Vec<i32> = p
        .statements
        .iter()
        .flat_map(|s| p.accesses(s))
        .filter(|(a, _)| a.field == id)
        .map(|(a, _)| a.time)
        .collect();
    Some(*all.iter().min()?..=*all.iter().max()?)
}

fn buffers(p: &Program, id: FieldId) -> Result<()> {
    let field = p.decls.field(id);
    let (FieldKind::Buffered { slots }, Some(range)) = (&field.kind, shifts(p, id)) else { return Ok(()) };
    let (lowest, highest) = range.into_inner();
    if (highest - lowest) as usize >= *slots {
        return Err(CompileError::TimeBuffers { name: field.name.clone(), lowest, highest, slots: *slots });
    }
    Ok(())
}

/// The direction of time: `None` when nothing depends on time.
///
/// # Errors
/// [`CompileError::Direction`] when equations need both.
pub fn direction(p: &Program) -> Result<Option<Direction>> {
    let mut forward = None;
    let mut backward = None;
    for id in p.decls.field_ids().filter(|id| p.decls.field(*id).is_time()) {
        let touches: Vec<(i32, bool, &Statement)> = p
            .statements
            .iter()
            .flat_map(|s| p.accesses(s).into_iter().map(move |(a, w)| (a, w, s)))
            .filter(|(a, ..)| a.field == id)
            .map(|(a, w, s)| (a.time, w, s))
            .collect();
        for (written, _, statement) in touches.iter().filter(|(_, write, _)| *write) {
            // Without any other level, the sign of the shift tells what the user means.
            let others = touches.iter().map(|(t, ..)| *t).filter(|t| t != written);
            for other in others.chain((touches.len() == 1).then_some(0)) {
                if *written > other {
                    forward.get_or_insert(*statement);
                } else if *written < other {
                    backward.get_or_insert(*statement);
                }
            }
        }
    }
    if let (Some(f), Some(b)) = (forward, backward) {
        return Err(CompileError::Direction { forward: f.source.clone(), backward: b.source.clone() });
    }
    let timed = p.decls.fields.iter().any(|f| f.is_time()) || p.decls.sparse.iter().any(|s| s.steps.is_some());
    Ok(match (timed, backward) {
        (false, _) => None,
        (true, None) => Some(Direction::Ascending),
        (true, Some(_)) => Some(Direction::Descending),
    })
}
