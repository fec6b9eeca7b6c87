//! Time derivatives into shifts: `u.dt()` becomes `dt^-1*(u(t+1) - u(t))`.

use crate::{Derivative, Dim, Expr, Node, fd};

/// Replaces every time derivative by shifts in time and powers of `dt`.
///
/// Space derivatives stay as they are, with the shift inside:
/// `u.laplace().dt()` becomes `dt^-1*(u(t+1).laplace() - u(t).laplace())`.
#[must_use]
pub fn expand_time(expr: &Expr) -> Expr {
    expr.rebuild(&mut |expr| match expr.node() {
        Node::Derivative(derivative) if derivative.dim == Dim::Time => expand(derivative),
        _ => expr,
    })
}

fn expand(derivative: &Derivative) -> Expr {
    // The latest level first, as the formula is usually written.
    let terms = fd::stencil(derivative).into_iter().rev().map(|(step, weight)| {
        Expr::product([Expr::number(weight), derivative.expr.shifted(Dim::Time, step)])
    });
    let scale = Expr::power(Expr::from_node(Node::TimeStep), Expr::number(-f64::from(derivative.degree)));
    Expr::product([scale, Expr::sum(terms)])
}
