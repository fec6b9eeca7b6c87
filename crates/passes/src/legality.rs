//! `legality`: refuses operators that have no meaning, before anything is rewritten.
//!
//! A compressed function is written by one equation, or read, never both. Time runs one way: ascending when
//! some function is written at a later level than it is read, descending when at an earlier one. The levels of
//! a buffered function fit its buffers.

use crate::{CompileError, Result};
use std::cmp::Ordering;
use std::collections::HashMap;
use std::ops::RangeInclusive;
use wavefold_ir::stencil::{Action, Program, Statement};
use wavefold_ir::tree::{self, Stmt};
use wavefold_ir::{Direction, ExprId, FieldId, FieldKind};

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
    let adds = |s: &&Statement| writes(s) && !matches!(s.action, Action::Assign { increment: false, .. });
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
    let slots = match field.kind {
        FieldKind::Buffered { slots, .. } => slots,
        FieldKind::Saved { steps, .. } | FieldKind::Compressed { steps, .. } => steps,
        FieldKind::Space | FieldKind::Invariant | FieldKind::Tile | FieldKind::Ring { .. } => return Ok(()),
    };
    let Some((lowest, highest)) = shifts(p, id).map(RangeInclusive::into_inner) else { return Ok(()) };
    if highest.abs_diff(lowest) as usize >= slots {
        return Err(CompileError::TimeBuffers { name: field.name.clone(), lowest, highest, slots });
    }
    Ok(())
}

/// Largest size of an expression, written out as a tree, where no part of it can be named.
const LARGEST_TREE: u64 = 100_000;

/// Refuses values of injections and interpolations, and of run-time scalars, that would be far larger written out than
/// they are shared: unlike in loops over points, nothing in them gets a name.
///
/// # Errors
/// [`CompileError::TooLarge`].
pub fn sizes(p: &tree::Program) -> Result<()> {
    let mut values: Vec<(ExprId, &str)> = p.scalars.iter().map(|s| (s.value, "a run-time scalar")).collect();
    for s in &p.body {
        collect_unnamed(s, &mut values);
    }
    let mut sizes: HashMap<ExprId, u64> = HashMap::new();
    p.exprs.visit_all(values.iter().map(|(value, _)| *value), &mut |id, e| {
        let below = e.children().iter().fold(0u64, |sum, c| sum.saturating_add(sizes[c]));
        sizes.insert(id, below.saturating_add(1));
    });
    match values.into_iter().find(|(value, _)| sizes[value] > LARGEST_TREE) {
        Some((value, equation)) => Err(CompileError::TooLarge {
            equation: equation.into(),
            size: sizes[&value],
            limit: LARGEST_TREE,
        }),
        None => Ok(()),
    }
}

fn collect_unnamed<'a>(s: &'a Stmt, values: &mut Vec<(ExprId, &'a str)>) {
    match s {
        Stmt::Inject { value, source, .. } | Stmt::Interpolate { value, source, .. } => {
            values.push((*value, source))
        }
        other => other.body().iter().for_each(|s| collect_unnamed(s, values)),
    }
}

/// The direction of time: `None` when nothing depends on time.
///
/// A value that is written at one level and read at another, before the step itself has replaced it there, was
/// carried from another step: time ascends when the write is the later level. Where nothing is carried, the
/// sign of the shift tells what the user means: `forward` ascends, `backward` descends.
///
/// # Errors
/// [`CompileError::Direction`] when equations need both.
pub fn direction(p: &Program) -> Result<Option<Direction>> {
    let (mut carried, mut meant) = (Votes::default(), Votes::default());
    for id in p.decls.field_ids().filter(|id| p.decls.field(*id).is_time()) {
        let writes = p
            .statements
            .iter()
            .filter_map(|s| s.action.target().filter(|t| t.field == id).map(|t| (t.time, s)));
        let writes: Vec<(i32, &Statement)> = writes.collect();
        let reads = carried_reads(p, id);
        for (written, statement) in writes {
            reads.iter().for_each(|read| carried.add(written, *read, statement));
            meant.add(written, 0, statement);
        }
    }
    let votes = if carried.is_empty() { meant } else { carried };
    if let (Some(f), Some(b)) = (votes.forward, votes.backward) {
        return Err(CompileError::Direction { forward: f.source.clone(), backward: b.source.clone() });
    }
    let timed =
        p.decls.fields.iter().any(|f| f.is_time()) || p.decls.sparse.iter().any(|s| s.steps.is_some());
    Ok(match (timed, votes.backward) {
        (false, _) => None,
        (true, None) => Some(Direction::Ascending),
        (true, Some(_)) => Some(Direction::Descending),
    })
}

/// The first statement for each direction.
#[derive(Default)]
struct Votes<'a> {
    forward: Option<&'a Statement>,
    backward: Option<&'a Statement>,
}

impl<'a> Votes<'a> {
    fn add(&mut self, written: i32, read: i32, statement: &'a Statement) {
        match written.cmp(&read) {
            Ordering::Greater => self.forward.get_or_insert(statement),
            Ordering::Less => self.backward.get_or_insert(statement),
            Ordering::Equal => return,
        };
    }

    fn is_empty(&self) -> bool {
        self.forward.is_none() && self.backward.is_none()
    }
}

/// The levels of a field that are read before the step has replaced them.
fn carried_reads(p: &Program, id: FieldId) -> Vec<i32> {
    let (mut reads, mut replaced) = (Vec::new(), Vec::new());
    for s in &p.statements {
        let loads = p.exprs.loads(s.action.value()).into_iter().filter(|a| a.field == id).map(|a| a.time);
        reads.extend(loads.filter(|t| !replaced.contains(t)));
        if let Action::Assign { target, increment: false, .. } = s.action
            && target.field == id
            && (p.every(s) == 1 || p.decls.field(id).every() > 1)
        {
            replaced.push(target.time);
        }
    }
    reads
}
