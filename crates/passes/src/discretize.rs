//! `discretize`: space derivatives -> weighted sums of shifted expressions.
//!
//! ```text
//! diff(u[t, x], x, 2, order 2, centered)   ->   100*u[t, x-1] + -200*u[t, x] + 100*u[t, x+1]
//! ```
//! Weights are Fornberg's (1988), divided by the spacing to the power of the degree. Also checks that no stencil
//! leaves the halo.

use crate::{CompileError, Result};
use std::collections::HashMap;
use wavefold_ir::stencil::Program;
use wavefold_ir::{Access, Arena, Decls, Derivative, Expr, ExprId, FieldKind, Side};
use wavefold_symbolic as sym;

/// Expands all derivatives.
///
/// # Errors
/// [`CompileError::Halo`] when a stencil is wider than the halo of a field.
pub fn discretize(mut p: Program) -> Result<Program> {
    let mut memo = HashMap::new();
    for i in 0..p.statements.len() {
        let value = expand(&mut p.exprs, &p.decls, p.statements[i].action.value(), &mut memo);
        p.statements[i].action.set_value(value);
    }
    halos(&p)?;
    Ok(p)
}

/// `memo` keeps derivatives that were expanded, so that those used in several places are expanded once.
fn expand(exprs: &mut Arena, decls: &Decls, root: ExprId, memo: &mut HashMap<ExprId, ExprId>) -> ExprId {
    exprs.rewrite(root, &mut |exprs, id| {
        if let Some(done) = memo.get(&id) {
            return Some(*done);
        }
        let Expr::Derivative(d) = exprs[id].clone() else { return None };
        let of = expand(exprs, decls, d.of, memo);
        let new = difference(exprs, decls, &Derivative { of, ..d });
        memo.insert(id, new);
        Some(new)
    })
}

/// The number of points of a derivative.
pub(crate) fn points(d: &Derivative) -> usize {
    stencil(d).len()
}

/// The lowest and the highest point of a derivative.
pub(crate) fn reach(d: &Derivative) -> (i64, i64) {
    let offsets = || stencil(d).into_iter().map(|(offset, _)| i64::from(offset));
    (offsets().min().unwrap_or(0), offsets().max().unwrap_or(0))
}

fn difference(exprs: &mut Arena, decls: &Decls, d: &Derivative) -> ExprId {
    let scale = decls.dims[d.dim as usize].spacing.powi(-i32::from(d.degree));
    let weights = stencil(d);
    let terms: Vec<ExprId> = weights
        .into_iter()
        .map(|(offset, weight)| {
            let shifted = shift(exprs, d.of, d.dim as usize, offset);
            exprs.scaled(weight * scale, shifted)
        })
        .collect();
    exprs.sum(terms)
}

/// Offsets and weights for unit spacing.
fn stencil(d: &Derivative) -> sym::fd::Stencil {
    let side = match d.side {
        Side::Centered => sym::Side::Centered,
        Side::Left => sym::Side::Left,
        Side::Right => sym::Side::Right,
    };
    sym::fd::stencil(&sym::Derivative {
        expr: sym::Expr::number(0.0),
        dim: sym::Dim::Space(d.dim as usize),
        degree: d.degree.into(),
        order: d.order.into(),
        side,
        transpose: d.transpose,
        x0: Some(d.shift.into()),
        weights: d.weights.as_ref().map(|list| list.iter().map(|(k, w)| (*k, w.value())).collect()),
    })
}

/// The expression `offset` points further along a dimension.
fn shift(exprs: &mut Arena, root: ExprId, dim: usize, offset: i32) -> ExprId {
    exprs.rewrite(root, &mut |exprs, id| match exprs[id] {
        Expr::Load(mut a) => {
            a.offsets[dim] = a.offsets[dim].saturating_add(offset);
            Some(exprs.load(a))
        }
        Expr::Index(d) if usize::from(d) == dim && offset != 0 => {
            let further = exprs.number(offset.into());
            Some(exprs.sum([id, further]))
        }
        _ => None,
    })
}

/// No access leaves the halo, over the region of its statement.
fn halos(p: &Program) -> Result<()> {
    for s in &p.statements {
        // Temporaries were made within the halos, invariants of what has them.
        let made = |a: Access| matches!(p.decls.field(a.field).kind, FieldKind::Tile | FieldKind::Invariant);
        if s.action.target().is_some_and(made) {
            continue;
        }
        for (Access { field, offsets, .. }, _) in p.accesses(s) {
            let field = p.decls.field(field);
            if field.kind == FieldKind::Tile {
                continue;
            }
            let shape = p.decls.stored_shape(field);
            for (d, dim) in p.decls.dims.iter().enumerate() {
                let from = field.window.as_ref().map_or(0, |w| w.from[d] as i64);
                let (low, high) =
                    (s.region.from[d] + i64::from(offsets[d]), s.region.to[d] + i64::from(offsets[d]));
                let beyond = (from - low).max(high - (from + shape[d] as i64));
                if s.region.points() == 0 || beyond <= field.halo as i64 {
                    continue;
                }
                if let Some(window) = field.window.as_ref().filter(|w| !w.holds(&s.region)) {
                    let (name, part) = (field.name.clone(), window.to_string());
                    return Err(CompileError::Outside { name, part, equation: s.source.clone() });
                } else {
                    return Err(CompileError::Halo {
                        name: field.name.clone(),
                        dim: dim.name.clone(),
                        reach: u32::try_from(beyond).unwrap_or(u32::MAX),
                        halo: field.halo,
                        equation: s.source.clone(),
                    });
                }
            }
        }
    }
    Ok(())
}
