//! Fields whose newest level takes the memory of the oldest, see [`Slot`].

use wavefold_ir::tree::{Slot, Step};
use wavefold_ir::{Decls, Direction, FieldId, FieldKind};

use super::{BoundField, Inner};

/// Steps of a run in which levels are kept in place. Levels that differ in their halos keep their own memory.
pub(super) fn steps(decls: &Decls, fields: &[BoundField], (first, last): (i64, i64)) -> i64 {
    let mut in_place = decls.fields.iter().zip(fields).filter(|(decl, _)| decl.is_in_place());
    if in_place.all(|(_, field)| field.empty_halo) { decls.steps_in_place(last - first + 1) } else { 0 }
}

/// The slot of a level, or snapshot, after step `t`; `None` for one that is not kept.
pub(super) fn slot(inner: &Inner<'_>, field: FieldId, level: i64, t: i64) -> Option<i64> {
    let decl = inner.decls.field(field);
    match decl.kind {
        FieldKind::Saved { .. } => {
            (0..inner.fields[field.index()].slots as i64).contains(&level).then_some(level)
        }
        _ => {
            let shift = i32::try_from(level - t).ok()?;
            Some(Slot::of(decl, shift).map_or(0, |slot| slot.at(&step(inner, t))))
        }
    }
}

/// What slots at step `t` are computed from.
pub(super) fn step(inner: &Inner<'_>, t: i64) -> Step {
    let first = match inner.direction {
        Direction::Ascending => inner.time.0,
        Direction::Descending => inner.time.1,
    };
    Step { t, first, direction: inner.direction, in_place: inner.in_place }
}

/// Puts the levels of a run that stopped in step `t`, or after it, where users look for them.
pub(super) fn settle(inner: &Inner<'_>, t: i64) {
    let step = step(inner, t);
    if !step.is_in_place() {
        return;
    }
    let (newest, back) = match inner.direction {
        Direction::Ascending => (t + 1, -1),
        Direction::Descending => (t - 1, 1),
    };
    for id in inner.decls.field_ids().filter(|id| inner.decls.field(*id).is_in_place()) {
        let decl = inner.decls.field(id);
        let Some(layout) = &decl.layout else { continue };
        let (slots, bytes) = (decl.slots() as i64, layout.slot_len() * decl.dtype.size());
        let at = |slot: i64| inner.fields[id.index()].pointer.wrapping_add(slot as usize * bytes);
        let levels: Vec<i64> = (0..slots - 1).map(|i| newest + back * i).collect();
        let mut places: Vec<i64> = levels.iter().filter_map(|level| slot(inner, id, *level, t)).collect();
        for i in 0..places.len() {
            let (from, to) = (places[i], levels[i].rem_euclid(slots));
            if from == to {
                continue;
            }
            // SAFETY: slots of the field do not overlap, and the kernel has returned.
            unsafe { std::ptr::swap_nonoverlapping(at(from), at(to), bytes) };
            for place in places.iter_mut().filter(|place| **place == to) {
                *place = from;
            }
            places[i] = to;
        }
    }
}
