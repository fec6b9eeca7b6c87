//! Finds NaN and infinity in what a run writes.
//!
//! A stencil spreads a value that is not finite by a row or more at each step, so a part of the rows is enough to find it
//! soon: every [`ROWS`]th, every [`STEPS`] steps, or as soon as the steps that are done together have ended. The run then stops. At its end, everything is looked at.

use wavefold_codecs::View;
use wavefold_ir::{Direction, FieldId, FieldKind};

use super::Inner;
use super::effects::slice;
use super::in_place::{slot, step};
use crate::data::{Scalar, with_type};
use crate::{Result, RuntimeError};

/// Rows from one that is looked at to the next.
const ROWS: usize = 8;

/// Steps from one look to the next.
const STEPS: i64 = 8;

/// Looks at what the steps so far have written, every few steps.
pub(super) fn between_steps(inner: &Inner<'_>) -> Result<()> {
    if inner.watched.is_empty() {
        return Ok(());
    }
    let (look, t, since) = {
        let mut work = inner.work();
        let look = work.steps / STEPS;
        if look == work.looks {
            return Ok(());
        }
        work.looks = look;
        (look, work.step, work.finite)
    };
    let first = look as usize % ROWS;
    for (field, time) in &inner.watched {
        if let Some((level, t)) = newest(inner, *field, *time, t)
            && let Some(slot) = slot(inner, *field, level, t)
            && find(inner, *field, slot, first, ROWS)?.is_some()
        {
            return located(inner, *field, *time, t, since);
        }
    }
    inner.work().finite = Some(t);
    Ok(())
}

/// Looks at everything that a run has written, after its last step.
pub(super) fn at_end(inner: &Inner<'_>, t: i64, since: Option<i64>) -> Result<()> {
    inner.watched.iter().try_for_each(|(field, time)| located(inner, *field, *time, t, since))
}

/// The level, or snapshot, that was written last when step `t` was done, and the step that wrote it; none if no step of the run
/// wrote any.
fn newest(inner: &Inner<'_>, field: FieldId, time: i32, t: i64) -> Option<(i64, i64)> {
    let decl = inner.decls.field(field);
    let every = decl.every() as i64;
    let wrote = match inner.in_place.direction {
        Direction::Ascending => t - t.rem_euclid(every),
        Direction::Descending => t + (-t).rem_euclid(every),
    };
    let (first, last) = inner.time;
    (decl.is_time() && (first..=last).contains(&wrote)).then_some((wrote / every + i64::from(time), wrote))
}

/// An error with the earliest level in memory that holds a value that is not finite, if the newest does.
fn located(inner: &Inner<'_>, field: FieldId, time: i32, t: i64, since: Option<i64>) -> Result<()> {
    let decl = inner.decls.field(field);
    if !decl.is_time() {
        return match find(inner, field, 0, 0, 1)? {
            Some((index, value)) => Err(error(inner, field, t, since, index, value)),
            None => Ok(()),
        };
    }
    let every = decl.every() as i64;
    let level = t.div_euclid(every) + i64::from(time);
    let look = |level| slot(inner, field, level, t).map_or(Ok(None), |slot| find(inner, field, slot, 0, 1));
    let Some(mut found) = look(level)? else { return Ok(()) };
    // The level before that of this step, in the direction of time.
    let back = if time < 0 { -1 } else { 1 };
    let held = match decl.kind {
        FieldKind::Saved { .. } => i64::MAX,
        // In place, the newest level lies where the oldest did.
        _ => decl.slots() as i64 - 1 - i64::from(decl.is_in_place() && step(inner, t).is_in_place()),
    };
    let (first, last) = inner.time;
    let mut step = t;
    for i in 1..=held.min(last - first) {
        let before = t - back * i * every;
        let levels = inner.fields[field.index()].slots as i64;
        let level = level - back * i;
        if before < first || before > last || (held == i64::MAX && !(0..levels).contains(&level)) {
            break;
        }
        match look(level)? {
            Some(earlier) => (found, step) = (earlier, before),
            None => break,
        }
    }
    let since = since.filter(|s| (step - s) * back > 0);
    Err(error(inner, field, step, since, found.0, found.1))
}

fn error(
    inner: &Inner<'_>,
    field: FieldId,
    step: i64,
    since: Option<i64>,
    index: Vec<usize>,
    value: f64,
) -> RuntimeError {
    let decl = inner.decls.field(field);
    let from = |d: usize| decl.window.as_ref().map_or(0, |w| w.from[d]);
    let index = index.iter().enumerate().map(|(d, i)| i + from(d)).collect();
    RuntimeError::RunNotFinite { name: decl.name.clone(), step, since, index, value }
}

/// The first value that is not finite in the rows `first`, `first + stride`, .. of a slot.
fn find(
    inner: &Inner<'_>,
    field: FieldId,
    slot: i64,
    first: usize,
    stride: usize,
) -> Result<Option<(Vec<usize>, f64)>> {
    let decl = inner.decls.field(field);
    let slice = slice(inner, i64::from(field.0), slot)?;
    let rank = inner.decls.rank().min(3);
    with_type!(decl.dtype, T => {
        // SAFETY: the slot belongs to the run, and no step runs meanwhile.
        let view = unsafe { slice.view::<T>() }.map_err(|e| RuntimeError::internal(e.to_string()))?;
        Ok(bad(&view, first, stride).map(|(index, value)| (index[3 - rank..].to_vec(), value)))
    })
}

fn bad<T: Scalar>(view: &View<'_, T>, first: usize, stride: usize) -> Option<([usize; 3], f64)> {
    let [nx, ny, _] = view.shape();
    // Of a few rows, all of them.
    let (first, stride) = if nx * ny < 2 * stride { (0, 1) } else { (first, stride) };
    for row in (first..nx * ny).step_by(stride) {
        let (x, y) = (row / ny, row % ny);
        let values = view.row(x, y);
        // Without a way out of the loop, it uses vectors.
        if values.iter().fold(true, |all, v| all & v.to_f64().is_finite()) {
            continue;
        }
        let z = values.iter().position(|v| !v.to_f64().is_finite())?;
        return Some(([x, y, z], values[z].to_f64()));
    }
    None
}
