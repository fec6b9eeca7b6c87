//! Fields whose newest level takes the memory of the oldest, see [`Slot`].

use wavefold_ir::tree::{Slot, Step};
use wavefold_ir::{Decls, Direction, FieldId, FieldKind};

use super::{BoundField, Inner};

/// Which steps of a kernel keep levels in place.
#[derive(Clone, Copy, Debug)]
pub(super) struct InPlace {
    pub(super) direction: Direction,
    /// The first step of the kernel, in the direction of time.
    first: i64,
    /// Steps from there.
    pub(super) steps: i64,
}

impl InPlace {
    /// Of the kernel for a range of steps. Levels that may differ in their halos keep their own memory.
    pub(super) fn of(
        decls: &Decls,
        fields: &[BoundField],
        direction: Direction,
        range: (i64, i64),
    ) -> InPlace {
        let first = match direction {
            Direction::Ascending => range.0,
            Direction::Descending => range.1,
        };
        let mut in_place = decls.fields.iter().zip(fields).filter(|(decl, _)| decl.is_in_place());
        let empty = in_place.all(|(_, field)| field.empty_halo);
        let steps = if empty { decls.steps_in_place(range.1 - range.0 + 1) } else { 0 };
        InPlace { direction, first, steps }
    }

    /// Of another kernel of the same run.
    pub(super) fn again(&self, inner: &Inner<'_>, range: (i64, i64)) -> InPlace {
        InPlace::of(inner.decls, &inner.fields, self.direction, range)
    }
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
    let InPlace { direction, first, steps } = inner.in_place;
    Step { t, first, direction, in_place: steps }
}

/// Puts the levels of a run that stopped in step `t`, or after it, where users look for them.
pub(super) fn settle(inner: &Inner<'_>, t: i64) {
    let step = step(inner, t);
    if !step.is_in_place() {
        return;
    }
    let (newest, back) = match step.direction {
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
