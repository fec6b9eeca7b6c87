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

use crate::{
    Access, Dim, Equation, EquationKind, Expr, FunctionRef, Grid, Node, SubDomain, TimeFunction, expand_time,
    fd, locate, location,
};

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
/// and a function of space by its mirror image (Levander, 1988); what lives half a spacing up along the dimension is
/// mirrored about the same surface, `u(-k - 1/2) = -u(k + 1/2)`, and has no values on it that would be 0. The planes near
/// the surface, as many as the stencil is wide, become equations of their own; the rest stays as it is. Another statement
/// than an assignment, or one that is restricted already, is returned as it is.
#[must_use]
pub fn free_surface(equation: &Equation, dim: Dim, grid: &Grid) -> Equation {
    mirrored_surface(equation, dim, grid, &[])
}

/// As [`free_surface`], with time functions that are even about the surface: `u(-k) = u(k)`, and not 0 on it. Of pressure
/// and particle velocity, the pressure and the velocity along the surface are odd, the velocity across it is even.
#[must_use]
pub fn mirrored_surface(equation: &Equation, dim: Dim, grid: &Grid, even: &[&TimeFunction]) -> Equation {
    let is_odd = |f: &FunctionRef| f.is_time() && !even.iter().any(|e| e.handle() == f);
    let (EquationKind::Assign { lhs, increment, .. }, Dim::Space(d), None) =
        (equation.kind(), dim, equation.region())
    else {
        return equation.clone();
    };
    let written_out = locate(&equation.map(expand_time)).map(expand_space);
    let values = written_out.value().map(Expr::accesses).unwrap_or_default();
    let above = |a: &Access| a.offsets.get(d).copied().unwrap_or(0);
    let reach = values.into_iter().map(above).min().unwrap_or(0).min(0).unsigned_abs() as usize;
    let points = grid.shape().get(d).copied().unwrap_or(0);
    let plane = |k: usize| {
        SubDomain::new(format!("plane{k}"), grid).middle(dim, k.min(points), points.saturating_sub(k + 1))
    };
    // Only what is odd and lives at the nodes is 0 on the surface.
    let odd = lhs.as_access().is_some_and(|a| is_odd(&a.function));
    let zeros = usize::from(odd && d < 3 && !location(equation)[d]);
    let mut all = vec![];
    if zeros == 1 {
        let (lhs, rhs) = (lhs.clone(), Expr::number(0.0));
        let zero =
            Equation::at(EquationKind::Assign { lhs, rhs, increment: *increment }, equation.location());
        let zero = zero.on(&plane(0));
        all.push(match equation.condition() {
            Some(condition) => zero.when(condition.clone()),
            None => zero,
        });
    }
    let image = |expr: &Expr, k| mirrored(expr, d, k as i32, &is_odd);
    all.extend((zeros..reach.min(points)).map(|k| written_out.map(|expr| image(expr, k)).on(&plane(k))));
    let rest = SubDomain::new("below", grid).middle(dim, reach.max(zeros).min(points), 0);
    all.push(equation.clone().on(&rest));
    Equation::at(EquationKind::Group(all), equation.location())
}

/// What an expression at plane `k` finds above the surface, mirrored.
fn mirrored(expr: &Expr, d: usize, k: i32, is_odd: &impl Fn(&FunctionRef) -> bool) -> Expr {
    expr.rebuild(&mut |part| {
        let Node::Access(access) = part.node() else { return part };
        let at = k + access.offsets[d];
        if at >= 0 {
            return part;
        }
        let mut image = access.clone();
        let half = i32::from(image.function.stagger()[d]);
        image.offsets[d] = -at - k - half;
        let sign = if is_odd(&image.function) { -1.0 } else { 1.0 };
        Expr::product([Expr::number(sign), Expr::from_node(Node::Access(image))])
    })
}
