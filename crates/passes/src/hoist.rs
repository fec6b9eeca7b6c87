//! `hoist`: what depends on run-time scalars only is computed once per run, what depends on the step as well once per step;
//! both in double precision.
//!
//! ```text
//! u[t+1, x] = 2*dt^-2*m[x]*u[t, x]   ->   once r0 = 2*dt^-2;  u[t+1, x] = r0*m[x]*u[t, x]
//! ```

use std::collections::HashMap;
use wavefold_ir::cluster::{Program, ScalarLet};
use wavefold_ir::{Arena, Expr, ExprId, LocalId};

/// Hoists out of every expression.
pub fn hoist(mut p: Program) -> Program {
    let mut h = Hoist {
        next: p.next_local(),
        scalars: std::mem::take(&mut p.scalars),
        step_scalars: std::mem::take(&mut p.step_scalars),
        names: HashMap::new(),
        known: HashMap::new(),
        done: HashMap::new(),
    };
    for cluster in p.first.iter_mut().chain(&mut p.clusters) {
        cluster.action.map_values(|value| h.expression(&mut p.exprs, value));
    }
    p.scalars = h.scalars;
    p.step_scalars = h.step_scalars;
    p
}

struct Hoist {
    next: LocalId,
    scalars: Vec<ScalarLet>,
    step_scalars: Vec<ScalarLet>,
    names: HashMap<ExprId, LocalId>,
    /// How often expressions change.
    known: HashMap<ExprId, Rate>,
    /// Sums and products that were rewritten, so that those used in several places are visited once.
    done: HashMap<ExprId, ExprId>,
}

impl Hoist {
    fn expression(&mut self, exprs: &mut Arena, root: ExprId) -> ExprId {
        exprs.rewrite(root, &mut |exprs, id| {
            if rate(exprs, id, &mut self.known) != Rate::Point {
                return Some(self.name(exprs, id));
            }
            if let Some(done) = self.done.get(&id) {
                return Some(*done);
            }
            let new = self.operands(exprs, id)?;
            self.done.insert(id, new);
            Some(new)
        })
    }

    /// A sum or product with several scalar operands, which become one.
    fn operands(&mut self, exprs: &mut Arena, id: ExprId) -> Option<ExprId> {
        let (sum, parts) = match &exprs[id] {
            Expr::Sum(c) => (true, c.clone()),
            Expr::Product(c) => (false, c.clone()),
            _ => return None,
        };
        let (scalars, others): (Vec<ExprId>, Vec<ExprId>) =
            parts.iter().partition(|c| rate(exprs, **c, &mut self.known) != Rate::Point);
        if scalars.len() < 2 {
            return None;
        }
        let scalar = if sum { exprs.sum(scalars) } else { exprs.product(scalars) };
        let mut children = vec![self.name(exprs, scalar)];
        children.extend(others.iter().map(|c| self.expression(exprs, *c)));
        Some(if sum { exprs.sum(children) } else { exprs.product(children) })
    }

    /// A leaf stays as it is; anything larger gets a name.
    fn name(&mut self, exprs: &mut Arena, id: ExprId) -> ExprId {
        if exprs[id].children().is_empty() && exprs[id] != Expr::Step {
            return id;
        }
        let local = self.names.get(&id).copied().unwrap_or_else(|| {
            let local = self.next;
            self.next = LocalId(local.0 + 1);
            let list = match rate(exprs, id, &mut self.known) {
                Rate::Run => &mut self.scalars,
                _ => &mut self.step_scalars,
            };
            list.push(ScalarLet { local, value: id });
            self.names.insert(id, local);
            local
        });
        exprs.intern(Expr::Local(local))
    }
}

/// How often a value changes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rate {
    /// Never during a run.
    Run,
    /// From step to step.
    Step,
    /// From point to point.
    Point,
}

fn rate(exprs: &Arena, id: ExprId, memo: &mut HashMap<ExprId, Rate>) -> Rate {
    if let Some(known) = memo.get(&id) {
        return *known;
    }
    let rate = match &exprs[id] {
        Expr::Number(_) | Expr::Scalar(_) => Rate::Run,
        Expr::Step => Rate::Step,
        Expr::Load(_) | Expr::Sparse(..) | Expr::Local(_) | Expr::Index(_) => Rate::Point,
        // A condition is no number that could get a name.
        e if e.is_condition() => Rate::Point,
        e => e.children().iter().map(|c| rate(exprs, *c, memo)).max().unwrap_or(Rate::Run),
    };
    memo.insert(id, rate);
    rate
}
