//! `rows`: where many rows may be equal, each is found by a pointer.
//!
//! ```text
//! field damp space halo 0 alloc (288, 289, 288) pad (0, 0, 0)   ->   field damp space .. pad (0, 0, 0) by rows
//! ```
//! Absorbing layers, layered media and constants are the same in most rows of a grid. What does not change during a run is read
//! through a table of rows: once the first step is done, the runtime lets equal rows be one in memory, which then stays in the
//! caches. Nothing is copied, the program means the same, and where all rows differ a pointer for each is what it costs.

use crate::Machine;
use std::collections::BTreeSet;
use wavefold_ir::tree::{Program, Stmt};
use wavefold_ir::{FieldId, FieldKind};

/// Fewest bytes of a row: a pointer to it must be little beside it.
const ROW: usize = 256;

/// Marks the fields whose rows have pointers.
pub fn rows(mut p: Program, machine: &Machine) -> Program {
    let rank = p.decls.rank();
    if rank < 2 || p.time().is_none() {
        return p;
    }
    let mut read = BTreeSet::new();
    read_in_loops(&p, &p.body, &mut read);
    let changing = BTreeSet::from_iter(p.changing());
    let in_memory = |id: &&FieldId| !matches!(p.decls.field(**id).kind, FieldKind::Tile);
    let used = read.union(&changing).filter(in_memory).map(|id| p.decls.field(*id).level_bytes());
    if used.sum::<f64>() * p.decls.points() as f64 <= 2.0 * machine.caches() as f64 {
        return p;
    }
    let constants = p.constants();
    for id in read.into_iter().filter(|id| constants.contains(id)) {
        let row = p.decls.dims[rank - 1].size * p.decls.field(id).dtype.size();
        let field = &mut p.decls.fields[id.index()];
        field.by_rows = field.layout.is_some() && row >= ROW;
    }
    p
}

/// Fields that loops read after the first step.
fn read_in_loops(p: &Program, body: &[Stmt], read: &mut BTreeSet<FieldId>) {
    for s in body.iter().filter(|s| !matches!(s, Stmt::First(_))) {
        if let Stmt::Let { value, .. } | Stmt::Assign { value, .. } | Stmt::Accumulate(value) = s {
            read.extend(p.exprs.loads(*value).iter().map(|a| a.field));
        }
        read_in_loops(p, s.body(), read);
    }
}

/// Fields that do not change and whose rows hardly count as memory, once equal ones are one: those that are
/// [`alike`](crate::Specialisation::alike), and invariants that are made of such.
pub(crate) fn few_rows(p: &Program, alike: &[String]) -> Vec<FieldId> {
    let mut few = p.constants();
    few.retain(|id| alike.contains(&p.decls.field(*id).name));
    p.visit(&mut |s| {
        let Stmt::First(body) = s else { return };
        for nest in body {
            let (mut made, mut loads) = (vec![], vec![]);
            nest.visit(&mut |s| {
                made.extend(s.target());
                loads.extend(s.value().iter().flat_map(|value| p.exprs.loads(*value)).map(|a| a.field));
            });
            if !loads.is_empty() && loads.iter().all(|id| few.contains(id) || made.contains(id)) {
                few.extend(made);
            }
        }
    });
    few
}
