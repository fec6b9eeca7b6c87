//! `hoist`: what depends on run-time scalars only is computed once per run, in double precision.
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
        names: HashMap::new(),
        known: HashMap::new(),
        done: HashMap::new(),
    };
    for cluster in &mut p.clusters {
        cluster.action.map_values(|value| h.expression(&mut p.exprs, value));
    }
    p.scalars = h.scalars;
    p
}

struct Hoist {
    next: LocalId,
    scalars: Vec<ScalarLet>,
    names: HashMap<ExprId, LocalId>,
    /// Whether an expression depends on scalars only.
    known: HashMap<ExprId, bool>,
    /// Sums and products that were rewritten, so that those used in several places are visited once.
    done: HashMap<ExprId, ExprId>,
}

impl Hoist {
    fn expression(&mut self, exprs: &mut Arena, root: ExprId) -> ExprId {
        exprs.rewrite(root, &mut |exprs, id| {
            if is_scalar(exprs, id, &mut self.known) {
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
            parts.iter().partition(|c| is_scalar(exprs, **c, &mut self.known));
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
        if exprs[id].children().is_empty() {
            return id;
        }
        let local = *self.names.entry(id).or_insert_with(|| {
            let local = self.next;
            self.next = LocalId(local.0 + 1);
            self.scalars.push(ScalarLet { local, value: id });
            local
        });
        exprs.intern(Expr::Local(local))
    }
}

fn is_scalar(exprs: &Arena, id: ExprId, memo: &mut HashMap<ExprId, bool>) -> bool {
    if let Some(known) = memo.get(&id) {
        return *known;
    }
    let scalar = match &exprs[id] {
        Expr::Number(_) | Expr::Scalar(_) => true,
        Expr::Load(_) | Expr::Sparse(..) | Expr::Local(_) => false,
        e => e.children().iter().all(|c| is_scalar(exprs, *c, memo)),
    };
    memo.insert(id, scalar);
    scalar
}
