//! `stream`: what is not read again soon is stored past the caches.
//!
//! ```text
//! simd z { u[t+1, x, y, z] = f(u[t, x, y, z]) }   ->   simd z { stream u[t+1]
//!                                                              u[t+1, x, y, z] = f(u[t, x, y, z]) }
//! ```
//! An ordinary store first reads the cache line that it changes. Where a nest fills a level that it does not read, every line
//! is overwritten as a whole, so that this read, a third of the traffic of diffusion, is for nothing; and when the caches hold only
//! a small part of what the nest walks through, the lines are gone before anyone reads them. Raw histories are such levels, and
//! the newest level of what is not kept in place.

use crate::Machine;
use crate::nests::nests;
use std::collections::BTreeSet;
use wavefold_ir::tree::{Loop, LoopForm, Program, Slice, Stmt};
use wavefold_ir::{Access, Arena, Decls, FieldId, FieldKind};

/// How many times what the second-level caches of all threads hold a nest must walk through: caches behind them are larger.
const CACHES: usize = 8;

/// Marks the levels that go past the caches, in the rows that store to them.
pub fn stream(mut p: Program, machine: &Machine) -> Program {
    let (d, exprs) = (&p.decls, &p.exprs);
    nests(&mut p.body, &mut |outer| {
        if !matches!(outer.form, LoopForm::Tiles { parallel: true, .. }) {
            return;
        }
        let used = Used::of(outer, d, exprs);
        if used.bytes(d) > machine.caches().saturating_mul(CACHES) {
            rows(outer, &used, d);
        }
    });
    p
}

fn rows(l: &mut Loop, used: &Used, d: &Decls) {
    if let LoopForm::Points { from, simd: true, .. } = l.form {
        let levels = used.written.iter().map(|(field, time)| Slice { field: *field, time: *time });
        let fits =
            levels.filter(|level| fills_lines(&l.body, *level, from, d) && used.only_written(*level, d));
        let hints: Vec<Stmt> = fits.map(Stmt::Stream).collect();
        l.body.splice(0..0, hints);
        return;
    }
    for s in &mut l.body {
        if let Stmt::Loop(inner) = s {
            rows(inner, used, d);
        }
    }
}

/// Whether a row stores to a level at each of its points once, from the beginning of a cache line on.
fn fills_lines(row: &[Stmt], level: Slice, from: i64, d: &Decls) -> bool {
    let (field, last) = (d.field(level.field), d.rank() - 1);
    let targets: Vec<(&Access, bool)> = row
        .iter()
        .filter_map(|s| match s {
            Stmt::Assign { target, increment, .. } if target.field == level.field => {
                Some((target, *increment))
            }
            _ => None,
        })
        .collect();
    let each = |(i, (target, increment)): (usize, &(&Access, bool))| {
        !increment
            && target.time == level.time
            && target.offsets[last] == 0
            && targets[..i].iter().all(|(other, _)| other.offsets != target.offsets)
    };
    let whole = field.begins_line(from) && field.dtype == d.dtype;
    whole && !targets.is_empty() && targets.iter().enumerate().all(each)
}

/// What a nest reads and writes.
struct Used {
    read: BTreeSet<(FieldId, i32)>,
    written: BTreeSet<(FieldId, i32)>,
}

impl Used {
    fn of(outer: &Loop, d: &Decls, exprs: &Arena) -> Used {
        let mut used = Used { read: BTreeSet::new(), written: BTreeSet::new() };
        let mut visit = |s: &Stmt| {
            let loads = s.value().map(|value| exprs.loads(value)).unwrap_or_default();
            used.read.extend(loads.iter().map(|a| (a.field, a.time)));
            match s {
                Stmt::Assign { target, .. } => {
                    used.written.insert((target.field, target.time));
                }
                Stmt::Inject { target, .. } => {
                    used.read.insert((target.field, target.time));
                }
                // What is coded in the loop is read from the cache.
                Stmt::Part { slice, .. } => {
                    used.read.insert((slice.field, slice.time));
                }
                _ => {}
            }
        };
        outer.body.iter().for_each(|s| s.visit(&mut visit));
        let in_memory = |(field, _): &(FieldId, i32)| d.field(*field).kind != FieldKind::Tile;
        used.read.retain(in_memory);
        used.written.retain(in_memory);
        used
    }

    fn bytes(&self, d: &Decls) -> usize {
        let size = |(field, _): &(FieldId, i32)| d.field(*field).slot_bytes();
        self.read.union(&self.written).map(size).fold(0, usize::saturating_add)
    }

    fn only_written(&self, level: Slice, d: &Decls) -> bool {
        let field = d.field(level.field);
        !self.read.iter().any(|(id, time)| *id == level.field && field.same_slot(*time, level.time))
    }
}
