//! `temporaries`: what a derivative would compute again at every one of its points is computed once per tile.
//!
//! ```text
//! w[t, x] = diff(c[x]*diff(u[t, x], x, 1, ..), x, 1, ..)
//!   -> tile[x] = c[x]*diff(u[t, x], x, 1, ..)
//!      w[t, x] = diff(tile[x], x, 1, ..)
//! ```
//! A derivative of an expression repeats the expression at each of its points: a derivative of derivatives of order 8 has
//! 64 of them. The operand becomes a field that lives in the cache of the thread that works on a tile, where the saving is
//! worth a store and the loads. Left alone are equations that read what they write at another point: their points come one
//! after the other, and tiles would not.

use std::collections::{HashMap, HashSet};
use wavefold_ir::stencil::{Action, Program, Statement};
use wavefold_ir::{Access, Arena, Decls, Derivative, Expr, ExprId, Field, FieldId, FieldKind};

/// Least number of operations per point that a temporary must save, its own store and loads aside.
const WORTH: usize = 40;

/// Names operands of derivatives, statement by statement.
pub fn temporaries(mut p: Program) -> Program {
    let mut out = Vec::with_capacity(p.statements.len());
    for s in std::mem::take(&mut p.statements) {
        let Action::Assign { target, value, .. } = s.action else {
            out.push(s);
            continue;
        };
        if in_order(&p.exprs, &p.decls, &target, value) || !fits(&p.exprs, &p.decls, &s) {
            out.push(s);
            continue;
        }
        let mut naming = Naming { made: vec![], done: HashMap::new() };
        let value = naming.expression(&mut p.exprs, &mut p.decls, s.action.value());
        for (field, value) in naming.made {
            let action = Action::Assign { target: Access::here(field, 0), value, increment: false };
            out.push(Statement { action, region: s.region, source: String::new() });
        }
        let mut s = s;
        s.action.set_value(value);
        out.push(s);
    }
    p.statements = out;
    p
}

/// Whether the points depend on each other: a value is written at a point and read at another.
fn in_order(exprs: &Arena, decls: &Decls, target: &Access, value: ExprId) -> bool {
    let same = |a: &Access| a.field == target.field && decls.field(a.field).same_slot(a.time, target.time);
    let mut found = false;
    exprs.visit(value, &mut |_, e| {
        found |= match e {
            Expr::Load(a) => same(a) && !a.is_here(),
            Expr::Derivative(d) => exprs.loads(d.of).iter().any(same),
            _ => false,
        };
    });
    found
}

struct Naming {
    /// Temporaries in the order in which they must be computed.
    made: Vec<(FieldId, ExprId)>,
    done: HashMap<ExprId, ExprId>,
}

impl Naming {
    fn expression(&mut self, exprs: &mut Arena, decls: &mut Decls, root: ExprId) -> ExprId {
        exprs.rewrite(root, &mut |exprs, id| {
            if let Some(done) = self.done.get(&id) {
                return Some(*done);
            }
            let Expr::Derivative(d) = exprs[id].clone() else { return None };
            let worth = is_worth(exprs, &d);
            let mut of = self.expression(exprs, decls, d.of);
            if worth {
                let field = self.field(decls, of);
                of = exprs.load(Access::here(field, 0));
            }
            let new = exprs.intern(Expr::Derivative(Derivative { of, ..d }));
            self.done.insert(id, new);
            Some(new)
        })
    }

    fn field(&mut self, decls: &mut Decls, value: ExprId) -> FieldId {
        if let Some((field, _)) = self.made.iter().find(|(_, v)| *v == value) {
            return *field;
        }
        let (name, dtype) = (decls.fresh_name("tile"), decls.dtype);
        let kind = FieldKind::Tile;
        let field = decls.add_field(Field {
            name,
            kind,
            dtype,
            halo: 0,
            window: None,
            tight: false,
            layout: None,
            by_rows: false,
        });
        self.made.push((field, value));
        field
    }
}

fn is_worth(exprs: &Arena, d: &Derivative) -> bool {
    let again = crate::discretize::points(d).saturating_sub(1);
    again * operations(exprs, d.of) >= WORTH
}

/// Operations of an expression with its derivatives written out, shared parts counted once.
fn operations(exprs: &Arena, root: ExprId) -> usize {
    let mut below: HashMap<ExprId, usize> = HashMap::new();
    exprs.visit(root, &mut |id, e| {
        let parts: usize = e.children().iter().fold(0, |sum, c| sum.saturating_add(below[c]));
        let own = match e {
            Expr::Sum(c) | Expr::Product(c) => c.len() - 1,
            Expr::Power(..) | Expr::Call(..) | Expr::Select(..) | Expr::Compare(..) => 1,
            Expr::Derivative(d) => {
                let points = crate::discretize::points(d);
                points * 2 + points.saturating_sub(1).saturating_mul(parts)
            }
            _ => 0,
        };
        below.insert(id, parts.saturating_add(own));
    });
    below[&root]
}

/// Whether all that a statement reads lies within the halos, over its points: if not, the error should speak of the
/// equation as it was written.
fn fits(exprs: &Arena, decls: &Decls, s: &Statement) -> bool {
    if s.region.points() == 0 {
        return true;
    }
    let (mut pending, mut seen) = (vec![(s.action.value(), [(0, 0); 3])], HashSet::new());
    while let Some((id, around)) = pending.pop() {
        if !seen.insert((id, around)) {
            continue;
        }
        match &exprs[id] {
            Expr::Load(a) => {
                let field = decls.field(a.field);
                let (halo, shape) = (field.halo as i64, decls.stored_shape(field));
                let inside = (0..decls.rank()).all(|k| {
                    let from = field.window.as_ref().map_or(0, |w| w.from[k] as i64);
                    let (offset, (low, high)): (i64, (i64, i64)) = (a.offsets[k].into(), around[k]);
                    s.region.from[k] + offset + low >= from - halo
                        && s.region.to[k] + offset + high <= from + shape[k] as i64 + halo
                });
                if !inside {
                    return false;
                }
            }
            Expr::Derivative(d) => {
                let (low, high) = crate::discretize::reach(d);
                let mut around: [(i64, i64); 3] = around;
                let along = &mut around[d.dim as usize];
                *along = (along.0 + low, along.1 + high);
                pending.push((d.of, around));
            }
            e => pending.extend(e.children().into_iter().map(|c| (c, around))),
        }
    }
    true
}
