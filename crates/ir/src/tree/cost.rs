//! What a step costs, by the compiler's own count.

use super::{Front, Loop, LoopForm, Program, Stmt};
use crate::{Expr, ExprId, FieldId, FieldKind};
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// The cost of one step, per point of the domain. What runs at the first step only is left out, and so are sparse points
/// and codecs; statements that run every few steps count for their share.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// Floating-point operations: additions, subtractions, multiplications, divisions, comparisons, selections and
    /// elementary functions count 1, a fused multiply-add 2. What a loop computes once and uses twice counts once, and
    /// what tiles compute for their neighbours again is not counted.
    pub flops: f64,
    /// Bytes that the loop nests read and write when each value that a nest touches moves once: what a perfect cache
    /// would leave. Tile fields stay in the cache, and move nothing.
    pub bytes: f64,
}

/// Counts the cost of a step.
pub fn cost(p: &Program) -> Cost {
    cost_of_rows(p, &|_| 1.0)
}

/// Counts the cost of a step when `rows` says which part of the rows of a field have to be moved: equal ones, in one place, move
/// once.
pub fn cost_of_rows(p: &Program, rows: Rows<'_>) -> Cost {
    let mut cost = Cost::default();
    add(p, &p.body, [1.0; 3], 1.0, rows, &mut cost);
    cost
}

type Rows<'a> = &'a dyn Fn(FieldId) -> f64;

fn add(p: &Program, body: &[Stmt], mut extents: [f64; 3], share: f64, rows: Rows<'_>, cost: &mut Cost) {
    for s in body {
        match s {
            Stmt::First(_) => {}
            Stmt::When { every, body } => add(p, body, extents, share / *every as f64, rows, cost),
            Stmt::Nest { outer, .. } | Stmt::Reduce { outer, .. } => {
                let domain = p.decls.points().max(1) as f64;
                let points = walk(p, outer, &mut extents, domain, share, cost);
                cost.bytes += share * bytes(p, s, rows) * points / domain;
            }
            Stmt::Front { front, body } => {
                let mut parts = Cost::default();
                add(p, body, extents, share, rows, &mut parts);
                cost.flops += parts.flops;
                cost.bytes += share * front_bytes(p, body, front.steps, rows);
            }
            Stmt::Lagged { from, to, body, .. } => {
                for d in 0..2 {
                    extents[d] = to[d].saturating_sub(from[d]).max(0) as f64;
                }
                add(p, body, extents, share, rows, cost);
            }
            other => add(p, other.body(), extents, share, rows, cost),
        }
    }
}

/// Adds the operations of a loop, and returns the points of its main statements.
fn walk(p: &Program, l: &Loop, extents: &mut [f64; 3], domain: f64, share: f64, cost: &mut Cost) -> f64 {
    if let LoopForm::Tiles { from, to, .. } | LoopForm::Points { from, to, .. } = l.form {
        extents[l.dim] = to.saturating_sub(from).max(0) as f64;
    }
    // Rounds of several planes are fewer.
    extents[l.dim] /= l.step as f64;
    let rounds: f64 = extents.iter().product();
    cost.flops += share * operations(p, l.body.iter().filter_map(at_points)) * rounds / domain
        + share * increments(&l.body) * rounds / domain;
    let (mut points, mut end, mut several) = (rounds, None, false);
    for s in &l.body {
        let Stmt::Loop(inner) = s else { continue };
        let more = walk(p, inner, &mut extents.clone(), domain, share, cost);
        // Of several loops in a tile the last holds the main statements; one that goes on where the one before ended does
        // the rest of its planes.
        let range = match inner.form {
            LoopForm::Points { from, to, .. } | LoopForm::Tiles { from, to, .. } => Some((from, to)),
            LoopForm::Tile { .. } => None,
        };
        let goes_on = end.is_some() && range.map(|r| r.0) == end && several;
        several = inner.step > 1 || matches!(inner.form, LoopForm::Tiles { .. });
        points = if goes_on { points + more } else { more };
        end = range.map(|r| r.1);
    }
    points * l.step as f64
}

/// The expression that a statement evaluates at every point of the grid.
fn at_points(s: &Stmt) -> Option<ExprId> {
    s.value().filter(|_| !matches!(s, Stmt::Inject { .. } | Stmt::Interpolate { .. }))
}

/// Additions of `+=`, and of values that are accumulated.
fn increments(body: &[Stmt]) -> f64 {
    let adds = |s: &&Stmt| matches!(s, Stmt::Assign { increment: true, .. } | Stmt::Accumulate(_));
    body.iter().filter(adds).count() as f64
}

/// Operations of expressions, each distinct one once.
fn operations(p: &Program, roots: impl Iterator<Item = ExprId>) -> f64 {
    let mut flops = 0;
    p.exprs.visit_all(roots, &mut |_, e| {
        flops += match e {
            Expr::Sum(c) | Expr::Product(c) => c.len() - 1,
            Expr::Fma(..) => 2,
            Expr::Sub(..) | Expr::Div(..) | Expr::Call(..) | Expr::Compare(..) | Expr::Select(..) => 1,
            _ => 0,
        };
    });
    flops as f64
}

/// Bytes per point and step of the parts of a front of so many steps: each value moves once for all steps, in and, where it
/// changes, out; snapshots once for each. What is done at some steps or points only counts for its share. `rows` as for
/// [`cost_of_rows`].
pub fn front_bytes(p: &Program, parts: &[Stmt], steps: usize, rows: Rows<'_>) -> f64 {
    let mut moves: BTreeMap<(FieldId, bool), f64> = BTreeMap::new();
    for part in parts {
        let Stmt::Lagged { from, to, body, .. } = part else { continue };
        let points = |d: usize| {
            let all = p.decls.dims.get(d).map_or(1, |dim| dim.size.max(1)) as f64;
            to[d].saturating_sub(from[d]).max(0) as f64 / all
        };
        let of_points = (0..=Front::shared(p.decls.rank())).map(points).product::<f64>();
        let of_steps = match body.as_slice() {
            [Stmt::When { every, .. }] => 1.0 / *every as f64,
            _ => 1.0,
        };
        let mut add = |field: FieldId, write: bool| {
            // What every tenth step touches moves at most once in a group.
            let once = steps.max(1) as f64 * of_steps;
            let snapshots =
                matches!(p.decls.field(field).kind, FieldKind::Saved { .. } | FieldKind::Ring { .. });
            let of_steps = if snapshots { once } else { once.min(1.0) };
            let share = moves.entry((field, write)).or_default();
            *share = share.max(of_points * of_steps);
        };
        moves_of(p, part, &mut add);
    }
    moves.iter().map(|((id, _), share)| p.decls.field(*id).level_bytes() * share * rows(*id)).sum::<f64>()
        / steps.max(1) as f64
}

/// Calls `f` for every field that the loops of a part read, and with `true` for those that they write.
fn moves_of(p: &Program, part: &Stmt, f: &mut impl FnMut(FieldId, bool)) {
    part.visit(&mut |s| {
        if let Stmt::Let { value, .. } | Stmt::Assign { value, .. } = s {
            p.exprs.loads(*value).iter().for_each(|a| f(a.field, false));
        }
        if let Stmt::Assign { target, increment, .. } = s {
            f(target.field, true);
            if *increment {
                f(target.field, false);
            }
        }
    });
}

/// Bytes per point of all levels of the fields that the loops of a front use; `rows` as for [`cost_of_rows`].
pub fn footprint(p: &Program, parts: &[Stmt], rows: Rows<'_>) -> f64 {
    let mut fields = BTreeSet::new();
    for part in parts {
        moves_of(p, part, &mut |field, _| {
            fields.insert(field);
        });
    }
    fields.into_iter().map(|id| p.decls.field(id).level_bytes() * rows(id)).sum()
}

/// Bytes per point of a nest: each time level that it reads counts once, unless it has written it before, and each that it
/// writes once.
fn bytes(p: &Program, nest: &Stmt, rows: Rows<'_>) -> f64 {
    let (mut read, mut written) = (HashSet::new(), HashSet::new());
    nest.visit(&mut |s| {
        if let Some(value) = at_points(s) {
            p.exprs.visit(value, &mut |_, e| {
                if let Expr::Load(a) = e
                    && !written.contains(&(a.field, a.time))
                {
                    read.insert((a.field, a.time));
                }
            });
        }
        if let Stmt::Assign { target, increment, .. } = s
            && written.insert((target.field, target.time))
            && *increment
        {
            read.insert((target.field, target.time));
        }
    });
    let size = |(id, _): &(FieldId, i32)| match p.decls.field(*id) {
        f if f.kind == FieldKind::Tile => 0.0,
        f => f.dtype.size() as f64 * rows(*id),
    };
    read.iter().map(size).sum::<f64>() + written.iter().map(size).sum::<f64>()
}
