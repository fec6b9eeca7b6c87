//! Boundary conditions that need more than an equation on a subdomain.
//!
//! Most need no more:
//!
//! ```
//! # use wavefold_symbolic::prelude::*;
//! # use wavefold_symbolic::Side;
//! # fn main() -> Result<(), SymbolicError> {
//! # let grid = Grid::new([64, 64]).with_spacing(10.0);
//! # let u = TimeFunction::new("u", &grid).time_order(2).build()?;
//! # let c = Constant::new("c", 1500.0);
//! let left = SubDomain::new("left", &grid).left(Dim::X, 1);
//! let next = u.forward().shift(Dim::X, 1);
//! let dirichlet = eq(u.forward(), 0.0).on(&left);
//! let neumann = eq(u.forward(), &next).on(&left);
//! // u_t = c u_x lets waves out on the left (Engquist and Majda, 1977).
//! let one_way = eq(u.forward(), &u + grid.dt() * &c * (u.shift(Dim::X, 1) - &u) / grid.h(0)).on(&left);
//! # for e in [dirichlet, neumann, one_way] { e.check()?; }
//! # Ok(())
//! # }
//! ```

use crate::{Access, Dim, Equation, EquationKind, Expr, Grid, Node, SubDomain, expand_time, fd, locate};

/// The expression with every space derivative as a weighted sum of shifted accesses.
#[must_use]
pub fn expand_space(expr: &Expr) -> Expr {
    expr.rebuild(&mut |part| match part.node() {
        Node::Derivative(d) if d.dim != Dim::Time => {
            let Dim::Space(dim) = d.dim else { return part };
            let scale = Expr::power(Expr::from_node(Node::Spacing(dim)), Expr::number(-f64::from(d.degree)));
            let terms = fd::stencil(d)
                .into_iter()
                .map(|(offset, weight)| Expr::number(weight) * d.expr.shifted(d.dim, offset));
            Expr::product([scale, Expr::sum(terms)])
        }
        _ => part,
    })
}

/// An equation under a free surface at the first plane of a dimension: the field is 0 there, and odd about it.
///
/// Where the stencil reaches above the surface, a time function is replaced by minus its mirror image, `u(-k) = -u(k)`,
/// and a function of space by its mirror image (Levander, 1988). The planes near the surface, as many as the stencil is
/// wide, become equations of their own; the rest stays as it is. Another statement than an assignment, or one that is
/// restricted already, is returned as it is.
#[must_use]
pub fn free_surface(equation: &Equation, dim: Dim, grid: &Grid) -> Equation {
    let (EquationKind::Assign { lhs, rhs, increment }, Dim::Space(d), None) =
        (equation.kind(), dim, equation.region())
    else {
        return equation.clone();
    };
    let located = locate(&Equation::new(EquationKind::Assign {
        lhs: lhs.clone(),
        rhs: expand_time(rhs),
        increment: *increment,
    }));
    let expanded = located.value().map(expand_space).unwrap_or_else(|| rhs.clone());
    let above = |a: &&Access| a.offsets.get(d).copied().unwrap_or(0);
    let reach = expanded.accesses().iter().map(above).min().unwrap_or(0).min(0).unsigned_abs() as usize;
    let points = grid.shape().get(d).copied().unwrap_or(0);
    let plane = |k: usize| {
        SubDomain::new(format!("plane{k}"), grid).middle(dim, k.min(points), points.saturating_sub(k + 1))
    };
    let statement =
        |rhs: Expr| Equation::new(EquationKind::Assign { lhs: lhs.clone(), rhs, increment: *increment });
    let mut all = vec![statement(Expr::number(0.0)).on(&plane(0))];
    all.extend((1..reach.min(points)).map(|k| statement(mirrored(&expanded, d, k as i32)).on(&plane(k))));
    let rest = SubDomain::new("below", grid).middle(dim, reach.clamp(1, points.max(1)), 0);
    all.push(statement(rhs.clone()).on(&rest));
    let group = Equation::new(EquationKind::Group(all));
    match equation.condition() {
        Some(condition) => group.when(condition.clone()),
        None => group,
    }
}

/// What an expression at plane `k` finds above the surface, mirrored.
fn mirrored(expr: &Expr, d: usize, k: i32) -> Expr {
    expr.rebuild(&mut |part| {
        let Node::Access(access) = part.node() else { return part };
        let at = k + access.offsets[d];
        if at >= 0 {
            return part;
        }
        let mut image = access.clone();
        image.offsets[d] = -at - k;
        let sign = if image.function.is_time() { -1.0 } else { 1.0 };
        Expr::product([Expr::number(sign), Expr::from_node(Node::Access(image))])
    })
}
