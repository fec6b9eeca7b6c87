//! `jam`: two planes at a time, where they share much of what they read.
//!
//! ```text
//! for x { for y { simd z { u[..] = f(x) } } }   ->   for x by 2 { for y { simd z { u[..] = f(x); u[..] = f(x + 1) } } }
//! ```
//! The planes of a stencil along the slowest dimension come from the second-level cache: a plane that two points of the body
//! read is fetched once for both ("unroll and jam", Callahan, Carr and Kennedy, 1990). The points of these loops do not depend
//! on each other, so their order is free, and each is computed as before.

use std::collections::{HashMap, HashSet};
use wavefold_ir::tree::{Loop, LoopForm, Program, Stmt};
use wavefold_ir::{Access, Arena, Expr, ExprId, LocalId};

/// Planes at a time.
const PLANES: usize = 2;
/// Least part of the loads that must be saved.
const GAIN: f64 = 0.1;
/// Most values that two planes may read: with more, addresses no longer fit into registers, and the gain is lost.
const MOST_LOADS: usize = 72;

/// Jams every nest that gains by it.
pub fn jam(mut p: Program) -> Program {
    // In two dimensions the planes are rows, which stay in the first-level cache by themselves.
    if p.decls.rank() == 3 {
        p.body = block(p.body, &mut p.exprs);
    }
    p
}

fn block(body: Vec<Stmt>, exprs: &mut Arena) -> Vec<Stmt> {
    let statement = |s| match s {
        Stmt::Time { direction, slots, scalars, body } => {
            Stmt::Time { direction, slots, scalars, body: block(body, exprs) }
        }
        Stmt::First(body) => Stmt::First(block(body, exprs)),
        Stmt::When { every, body } => Stmt::When { every, body: block(body, exprs) },
        Stmt::Nest { source, outer } => Stmt::Nest { source, outer: nest(outer, exprs) },
        other => other,
    };
    body.into_iter().map(statement).collect()
}

/// The loop over x lies inside strips of y.
fn nest(mut outer: Loop, exprs: &mut Arena) -> Loop {
    let strips = matches!(outer.form, LoopForm::Tiles { .. });
    let [Stmt::Loop(x)] = outer.body.as_slice() else { return outer };
    let LoopForm::Points { from, to, simd: false } = x.form else { return outer };
    let even = to - (to - from) % PLANES as i64;
    if !strips || x.dim != 0 || even <= from {
        return outer;
    }
    let Some(body) = jammed(x, exprs) else { return outer };
    let form = |from, to| LoopForm::Points { from, to, simd: false };
    let rest = Loop { form: form(even, to), ..x.clone() };
    outer.body = vec![Stmt::Loop(Loop { dim: 0, form: form(from, even), step: PLANES, body })];
    if even < to {
        outer.body.push(Stmt::Loop(rest));
    }
    outer
}

/// The body of a loop over x for two planes, if that saves enough.
fn jammed(x: &Loop, exprs: &mut Arena) -> Option<Vec<Stmt>> {
    let mut body = x.body.clone();
    let row = innermost(&mut body)?;
    let second = shifted(row, exprs)?;
    let (one, both) = (loads(row.iter(), exprs), loads(row.iter().chain(&second), exprs));
    if both > MOST_LOADS || (both as f64) > 2.0 * (1.0 - GAIN) * one as f64 {
        return None;
    }
    row.extend(second);
    Some(body)
}

/// The point statements at the bottom of loops that hold nothing else.
fn innermost(body: &mut Vec<Stmt>) -> Option<&mut Vec<Stmt>> {
    if let [Stmt::Loop(_)] = body.as_slice() {
        return match &mut body[0] {
            Stmt::Loop(l) => innermost(&mut l.body),
            _ => None,
        };
    }
    let points = body.iter().all(|s| matches!(s, Stmt::Let { .. } | Stmt::Assign { .. }));
    points.then_some(body)
}

fn loads<'a>(row: impl Iterator<Item = &'a Stmt>, exprs: &Arena) -> usize {
    let mut all = HashSet::new();
    for s in row {
        all.extend(s.value().into_iter().flat_map(|v| exprs.loads(v)));
    }
    all.len()
}

/// The statements at the next plane, under other names; `None` if they ask where they are.
fn shifted(row: &[Stmt], exprs: &mut Arena) -> Option<Vec<Stmt>> {
    let mut names = HashMap::new();
    let mut next = unused_name(row, exprs);
    let mut out = Vec::with_capacity(row.len());
    let mut memo = HashMap::new();
    for s in row {
        out.push(match s {
            Stmt::Let { local, value } => {
                let value = plane(*value, exprs, &names, &mut memo)?;
                let fresh = LocalId(next);
                next += 1;
                names.insert(*local, fresh);
                Stmt::Let { local: fresh, value }
            }
            Stmt::Assign { target, value, increment } => {
                let value = plane(*value, exprs, &names, &mut memo)?;
                Stmt::Assign { target: next_plane(target), value, increment: *increment }
            }
            _ => return None,
        });
    }
    Some(out)
}

/// A number above those of all names that the statements define or use.
fn unused_name(row: &[Stmt], exprs: &Arena) -> u32 {
    let mut last = 0;
    for s in row {
        if let Stmt::Let { local, .. } = s {
            last = last.max(local.0 + 1);
        }
        if let Some(value) = s.value() {
            exprs.visit(value, &mut |_, e| {
                if let Expr::Local(local) = e {
                    last = last.max(local.0 + 1);
                }
            });
        }
    }
    last
}

/// The expression one plane further, node by node: roundings stay as they are.
fn plane(
    id: ExprId,
    exprs: &mut Arena,
    names: &HashMap<LocalId, LocalId>,
    memo: &mut HashMap<ExprId, ExprId>,
) -> Option<ExprId> {
    if let Some(done) = memo.get(&id) {
        return Some(*done);
    }
    let node = exprs[id].clone();
    let moved = match &node {
        Expr::Load(access) => Expr::Load(next_plane(access)),
        Expr::Local(local) => Expr::Local(names.get(local).copied().unwrap_or(*local)),
        Expr::Index(0) => return None,
        _ => {
            let mut children = Vec::new();
            for child in node.children() {
                children.push(plane(child, exprs, names, memo)?);
            }
            let mut children = children.into_iter();
            node.with_children(|c| children.next().unwrap_or(c))
        }
    };
    let moved = exprs.intern(moved);
    memo.insert(id, moved);
    Some(moved)
}

fn next_plane(access: &Access) -> Access {
    let mut access = access.clone();
    access.offsets[0] += 1;
    access
}
