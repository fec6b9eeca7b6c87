//! The range of time steps of a run: inferred, or given and checked.
//!
//! The default is the widest range for which every access is in range:
//! * snapshots and samples exist: of a saved function, of the values of sparse points, and, for a compressed
//!   function that is read, among those that were written;
//! * no read goes before level 0;
//! * when some function has a known number of levels, no access goes past the last of them.

use crate::{ApplyError, Operator, Result};
use wavefold_ir::tree::Stmt;
use wavefold_ir::{Expr, FieldKind};

/// What one kind of access allows: the samples that it may meet.
#[derive(Clone, Debug)]
struct Bound {
    function: String,
    /// Distance between samples in steps.
    every: i64,
    shift: i64,
    /// First and last sample that the function can hold.
    samples: (i64, i64),
    /// First and last sample that there are: fewer for a compressed function that is read.
    present: (i64, i64),
}

impl Bound {
    fn sample(&self, t: i64) -> i64 {
        t.div_euclid(self.every).saturating_add(self.shift)
    }

    fn first_step(&self) -> i64 {
        (self.present.0 - self.shift).saturating_mul(self.every)
    }

    fn last_step(&self) -> i64 {
        (self.present.1 - self.shift).saturating_add(1).saturating_mul(self.every) - 1
    }

    /// The first and last step of a range at which the guard lets the function be touched.
    fn touched(&self, time_m: i64, time_max: i64) -> Option<(i64, i64)> {
        let first = time_m.saturating_add((-time_m).rem_euclid(self.every));
        let last = time_max - time_max.rem_euclid(self.every);
        (first <= last).then_some((first, last))
    }
}

/// The snapshots of a compressed function that were written: asked for functions that are read.
pub(crate) type Written<'a> = &'a dyn Fn(usize) -> Option<(usize, usize)>;

/// The first and last step of a run.
pub(crate) fn range(
    op: &Operator,
    time_min: Option<usize>,
    time_max: Option<usize>,
    written: Written,
) -> Result<(i64, i64)> {
    if op.program().time().is_none() {
        return Ok((0, 0));
    }
    let (bounds, read_floor, horizon, reach) = collect(op, written);
    let floor = bounds.iter().map(Bound::first_step).chain([0, read_floor]).max().unwrap_or(0);
    let ceiling = bounds.iter().map(Bound::last_step).chain(horizon.map(|n| n - 1 - reach)).min();
    let time_m = time_min.map_or(floor, step);
    let time_max = match (time_max, ceiling) {
        (Some(t), _) => step(t),
        (None, Some(c)) => c,
        (None, None) => return Err(ApplyError::NoBounds { operator: op.name().into() }.into()),
    };
    if time_m > time_max {
        return Err(ApplyError::EmptyRange { operator: op.name().into(), time_m, time_max }.into());
    }
    for b in &bounds {
        check(b, time_m, time_max)?;
    }
    Ok((time_m, time_max))
}

/// The last step that there may be: far below the end of the numbers, so that kernels can count past it.
const LAST: i64 = i64::MAX / 4;

/// A number of steps or samples.
fn step(n: usize) -> i64 {
    i64::try_from(n).map_or(LAST, |n| n.min(LAST))
}

/// The first and last step that touch the function must find their sample; all between then do.
fn check(b: &Bound, time_m: i64, time_max: i64) -> Result<()> {
    let Some((first, last)) = b.touched(time_m, time_max) else { return Ok(()) };
    for step in [first, last] {
        let sample = b.sample(step);
        if sample < b.samples.0 || sample > b.samples.1 {
            let (first, last) = b.samples;
            return Err(
                ApplyError::OutOfRange { function: b.function.clone(), step, sample, first, last }.into()
            );
        }
    }
    Ok(())
}

/// All bounds; the first step allowed by reads of buffered functions; the number of time levels, when some
/// function knows it; and the highest time shift of any access to a buffered function.
fn collect(op: &Operator, written: Written) -> (Vec<Bound>, i64, Option<i64>, i64) {
    let compiled = op.compiled();
    let decls = &compiled.tree.decls;
    let mut bounds = Vec::new();
    let (mut read_floor, mut reach) = (0, 0);
    let mut horizon: Option<i64> = None;
    let mut levels = |n: i64| horizon = Some(horizon.map_or(n, |h| h.min(n)));
    for u in &compiled.uses {
        let field = decls.field(u.field);
        let shift = i64::from(u.time);
        match field.kind {
            FieldKind::Buffered { .. } => {
                reach = reach.max(shift);
                if !u.write {
                    read_floor = read_floor.max(-shift);
                }
            }
            FieldKind::Saved { steps, every } | FieldKind::Compressed { steps, every, .. } => {
                levels(step(steps.saturating_mul(every)));
                let samples = (0, step(steps) - 1);
                let mut present = samples;
                if field.is_compressed() && !u.write {
                    present = written(u.field.index()).map_or((0, -1), |(a, b)| (a as i64, b as i64));
                }
                bounds.push(Bound {
                    function: field.name.clone(),
                    every: step(every),
                    shift,
                    samples,
                    present,
                });
            }
            FieldKind::Space | FieldKind::Invariant | FieldKind::Tile | FieldKind::Ring { .. } => {}
        }
    }
    for (id, time) in sparse_uses(op) {
        let s = &decls.sparse[id];
        if let Some(steps) = s.steps {
            levels(step(steps));
            let samples = (0, step(steps) - 1);
            bounds.push(Bound {
                function: s.name.clone(),
                every: 1,
                shift: time.into(),
                samples,
                present: samples,
            });
        }
    }
    (bounds, read_floor, horizon, reach)
}

/// Every time shift at which the values of sparse points are read or written.
fn sparse_uses(op: &Operator) -> Vec<(usize, i32)> {
    let p = op.program();
    let mut uses = Vec::new();
    p.visit(&mut |s| {
        match s {
            Stmt::Interpolate { sparse, time, .. } => uses.push((sparse.index(), *time)),
            Stmt::Reduce { series, .. } => uses.push((series.index(), 0)),
            Stmt::Inject { sparse, table, .. } if p.decls.table(*table).moving => {
                uses.push((sparse.index(), 0))
            }
            _ => {}
        }
        if let Some(value) = s.value() {
            p.exprs.visit(value, &mut |_, e| {
                if let Expr::Sparse(id, time) = e {
                    uses.push((id.index(), *time));
                }
            });
        }
    });
    uses
}
