//! Transposes of derivatives.

use wavefold_symbolic::{Derivative, Expr, Node, fd::stencil, prelude::*};

use crate::wave;

fn derivative(expr: &Expr) -> Derivative {
    match expr.node() {
        Node::Derivative(derivative) => derivative.clone(),
        _ => panic!("{expr} is not a derivative"),
    }
}

#[test]
fn a_transpose_negates_offsets() {
    let (_, _, u) = wave();
    for expr in [u.dx(), u.dxl(), u.dx2(), u.dt(), u.dy3()] {
        let mirrored: Vec<_> = stencil(&derivative(&expr)).into_iter().rev().map(|(k, w)| (-k, w)).collect();
        assert_eq!(stencil(&derivative(&expr.T())), mirrored);
        assert_eq!(expr.T().T(), expr);
    }
    assert_eq!(stencil(&derivative(&u.dt().T())), [(-1, 1.0), (0, -1.0)]);
}

#[test]
fn sums_and_chains_transpose_as_operators() {
    let (_, m, u) = wave();
    for (expr, shown) in [
        (u.laplace().T(), "(∂²/∂x²)ᵀ u(t, x, y) + (∂²/∂y²)ᵀ u(t, x, y)"),
        ((&m * u.dx()).T(), "(∂/∂x)ᵀ (m(x, y)*u(t, x, y))"),
        ((-2.0 * u.dx()).T(), "-2*(∂/∂x)ᵀ u(t, x, y)"),
        (u.dx().dyl().T(), "(∂/∂x)ᵀ (∂₋/∂y)ᵀ u(t, x, y)"),
        ((&m * u.dx()).dy().T(), "(∂/∂x)ᵀ (m(x, y)*(∂/∂y)ᵀ u(t, x, y))"),
        ((u.dx() + &u).dy().T(), "(∂/∂x)ᵀ (∂/∂y)ᵀ u(t, x, y) + (∂/∂y)ᵀ u(t, x, y)"),
        ((&m * &u).T(), "m(x, y)*u(t, x, y)"),
    ] {
        assert_eq!(expr.to_string(), shown);
    }
}
