//! `prefetch`: asks for memory a while before it is needed.
//!
//! ```text
//! simd z { u[t+1, x, y, z] = f(u[t, x+4, y, z]) }   ->   simd z { prefetch u[t, x+4, y, z+256]
//!                                                              u[t+1, x, y, z] = f(u[t, x+4, y, z]) }
//! ```
//! A loop nest walks through its arrays along rows that lie one after the other, so what it needs next lies farther along the
//! row. Of each array only the leading plane is new, the one that no point has read yet; the others are in the cache since
//! they led. Processors guess such walks by themselves, but begin anew at every page, and guess worse the more arrays there are:
//! with the question put between the arithmetic of every cache line, the memory works while the loop computes (Mowry, Lam and
//! Gupta, 1992). Arrays that fit into the caches of the threads are left alone, and so are functions most of whose rows are one in
//! memory.

use crate::Machine;
use crate::nests::nests;
use crate::rows::few_rows;
use std::collections::{BTreeMap, BTreeSet};
use wavefold_ir::tree::{Loop, LoopForm, Program, Stmt};
use wavefold_ir::{Access, Arena, Decls, FieldId, FieldKind};

/// Bytes along a row by which memory is asked for ahead: what a core reads while the memory answers.
const AHEAD: usize = 1024;

/// Puts prefetches into every row of a nest that walks through more memory than the caches hold. `alike`: see
/// [`Specialisation`](crate::Specialisation::alike).
pub fn prefetch(mut p: Program, machine: &Machine, alike: &[String]) -> Program {
    let mut few = few_rows(&p, alike);
    few.retain(|id| p.decls.field(*id).by_rows);
    let there = BTreeSet::from_iter(few.into_iter().map(|id| (id, 0)));
    let (d, exprs) = (&p.decls, &p.exprs);
    nests(&mut p.body, &mut |outer| {
        let arrays = arrays(outer, d, exprs);
        let sizes = arrays.keys().map(|(field, _)| d.field(*field).slot_bytes());
        if sizes.fold(0, usize::saturating_add) > machine.caches() {
            rows(outer, (1, &there), d, exprs);
        }
    });
    p
}

/// Puts prefetches into the rows inside a loop; `planes` is how many of its planes each round does, `there` what stays in the
/// cache, or another loop has brought into it for the same tile.
fn rows(l: &mut Loop, (planes, there): (usize, &BTreeSet<(FieldId, i32)>), d: &Decls, exprs: &Arena) {
    let planes = if l.dim == 0 { planes * l.step } else { planes };
    if l.form.is_simd() {
        let mut arrays = arrays(l, d, exprs);
        // What is stored past the caches should not be brought into them.
        arrays.retain(|(field, time), _| !l.is_streamed(*field, *time) && !there.contains(&(*field, *time)));
        let ahead = leading(arrays, planes, d);
        l.body.splice(0..0, ahead.into_iter().map(Stmt::Prefetch));
        return;
    }
    let mut there = there.clone();
    for s in &mut l.body {
        if let Stmt::Loop(inner) = s {
            rows(inner, (planes, &there), d, exprs);
            if inner.dim == 0 && inner.form == (LoopForm::Tile { before: 0, after: 0, simd: false }) {
                there.extend(arrays(inner, d, exprs).into_keys());
            }
        }
    }
}

/// Where a loop reads and writes, array by array.
fn arrays(l: &Loop, d: &Decls, exprs: &Arena) -> BTreeMap<(FieldId, i32), Vec<[i32; 3]>> {
    let mut arrays: BTreeMap<(FieldId, i32), Vec<[i32; 3]>> = BTreeMap::new();
    let mut visit = |s: &Stmt| {
        let (value, target) = match s {
            Stmt::Let { value, .. } => (*value, None),
            Stmt::Assign { target, value, .. } => (*value, Some(*target)),
            _ => return,
        };
        let loads = exprs.loads(value);
        for a in loads.into_iter().chain(target) {
            // Tile fields were written a moment ago.
            if d.field(a.field).kind != FieldKind::Tile {
                arrays.entry((a.field, a.time)).or_default().push(a.offsets);
            }
        }
    };
    l.body.iter().for_each(|s| s.visit(&mut visit));
    arrays
}

/// The places that a row asks for: of each array the planes that lead, one for each plane of a round.
fn leading(arrays: BTreeMap<(FieldId, i32), Vec<[i32; 3]>>, planes: usize, d: &Decls) -> Vec<Access> {
    let last = d.rank() - 1;
    let mut places: Vec<Access> = Vec::new();
    for ((id, time), offsets) in arrays {
        let field = d.field(id);
        let mut leads: Vec<i32> = offsets.iter().map(|o| if last > 0 { o[0] } else { 0 }).collect();
        leads.sort_unstable();
        leads.dedup();
        let moves = leads.len() > planes;
        for lead in leads.into_iter().rev().take(planes) {
            let on_plane = || offsets.iter().filter(|o| last == 0 || o[0] == lead);
            // Rows of a plane that leads are new one by one; where no plane leads, it is the farthest row that is new.
            let rows = on_plane().map(|o| o[1]);
            let row = if moves { rows.min_by_key(|y| (y.abs(), -y)) } else { rows.max() };
            let along = on_plane().map(|o| o[last]).min_by_key(|z| (z.abs(), -z)).unwrap_or(0);
            let mut place = Access { field: id, time, offsets: [0; 3] };
            if last > 0 {
                place.offsets[0] = lead;
            }
            if last > 1 {
                place.offsets[1] = row.unwrap_or(0);
            }
            place.offsets[last] = along + (AHEAD / field.dtype.size()) as i32;
            let known =
                |p: &Access| p.field == id && field.same_slot(p.time, time) && p.offsets == place.offsets;
            if !places.iter().any(known) {
                places.push(place);
            }
        }
    }
    places
}
