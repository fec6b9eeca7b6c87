//! `factorize`: terms with the same coefficient share its multiplication.
//!
//! ```text
//! 2*a + 2*b + -2*c + d   ->   2*(a + b + -1*c) + d
//! ```

use std::collections::HashMap;
use wavefold_ir::cluster::Program;
use wavefold_ir::{Arena, Expr, ExprId, Number};

/// Factorises every expression.
pub fn factorize(mut p: Program) -> Program {
    let mut memo = HashMap::new();
    for cluster in &mut p.clusters {
        cluster.action.map_values(|value| expression(&mut p.exprs, value, &mut memo));
    }
    p
}

/// `memo` keeps sums that were factorised, so that those used in several places are visited once.
fn expression(exprs: &mut Arena, root: ExprId, memo: &mut HashMap<ExprId, ExprId>) -> ExprId {
    exprs.rewrite(root, &mut |exprs, id| {
        if let Some(done) = memo.get(&id) {
            return Some(*done);
        }
        let Expr::Sum(terms) = exprs[id].clone() else { return None };
        let terms: Vec<ExprId> = terms.iter().map(|t| expression(exprs, *t, memo)).collect();
        let new = sum(exprs, &terms);
        memo.insert(id, new);
        Some(new)
    })
}

fn sum(exprs: &mut Arena, terms: &[ExprId]) -> ExprId {
    let mut order: Vec<Number> = Vec::new();
    let mut groups: HashMap<Number, Vec<(f64, ExprId)>> = HashMap::new();
    let mut rest: Vec<ExprId> = Vec::new();
    for term in terms {
        match exprs.split_coefficient(*term) {
            (c, Some(e)) if c.abs() != 1.0 => {
                let key = Number::new(c.abs());
                if !groups.contains_key(&key) {
                    order.push(key);
                }
                groups.entry(key).or_default().push((c.signum(), e));
            }
            _ => rest.push(*term),
        }
    }
    for key in order {
        let group = &groups[&key];
        // The sign of the first term goes into the coefficient.
        let sign = group[0].0;
        let inner: Vec<ExprId> = group.iter().map(|(s, e)| exprs.scaled(s * sign, *e)).collect();
        let inner = if inner.len() == 1 { inner[0] } else { exprs.sum(inner) };
        rest.push(exprs.scaled(key.value() * sign, inner));
    }
    if rest.len() == 1 {
        return rest[0];
    }
    exprs.intern(Expr::Sum(rest.into_iter().collect()))
}
