//! Expressions and equations print as mathematics.

use wavefold_symbolic::prelude::*;

use crate::wave;

#[test]
fn accesses_show_their_shifts() -> Result<(), SymbolicError> {
    let (grid, m, u) = wave();
    let saved = TimeFunction::new("us", &grid).save(5).save_every(4).build()?;
    let shown = |expr: Expr| expr.to_string();
    assert_eq!(u.to_string(), "u(t, x, y)");
    assert_eq!(shown(u.forward()), "u(t+1, x, y)");
    assert_eq!(shown(u.backward().shift(Dim::Y, -3)), "u(t-1, x, y-3)");
    assert_eq!(shown(m.forward_is_itself()), "m(x, y)");
    assert_eq!(saved.to_string(), "us(t/4, x, y)");
    assert_eq!(shown(grid.dt() / grid.h(0)), "dt/h_x");
    Ok(())
}

trait Still {
    fn forward_is_itself(&self) -> Expr;
}

impl Still for Function {
    fn forward_is_itself(&self) -> Expr {
        self.expr().forward()
    }
}

#[test]
fn derivatives_show_degree_and_side() {
    let (_, m, u) = wave();
    for (expr, shown) in [
        (u.dx(), "∂/∂x u(t, x, y)"),
        (u.dy2(), "∂²/∂y² u(t, x, y)"),
        (u.dxl(), "∂₋/∂x u(t, x, y)"),
        (u.dyr(), "∂₊/∂y u(t, x, y)"),
        (u.dx().T(), "(∂/∂x)ᵀ u(t, x, y)"),
        (u.dt(), "∂/∂t u(t, x, y)"),
        (u.dtl(), "∂₋/∂t u(t, x, y)"),
        (u.dtc(), "∂₀/∂t u(t, x, y)"),
        (u.dt2(), "∂²/∂t² u(t, x, y)"),
        (u.dx().dy(), "∂/∂y ∂/∂x u(t, x, y)"),
        ((&m * &u).dx(), "∂/∂x (m(x, y)*u(t, x, y))"),
        (u.laplace(), "∂²/∂x² u(t, x, y) + ∂²/∂y² u(t, x, y)"),
        (u.dx() * &m, "(∂/∂x u(t, x, y))*m(x, y)"),
        (&m * u.dx(), "m(x, y)*∂/∂x u(t, x, y)"),
        (u.dx() / &m, "(∂/∂x u(t, x, y))/m(x, y)"),
    ] {
        assert_eq!(expr.to_string(), shown);
    }
}

#[test]
fn parentheses_are_minimal() {
    let (_, m, u) = wave();
    let (a, b) = (Constant::new("a", 1.0), Constant::new("b", 1.0));
    for (expr, shown) in [
        (&a - (&b - 1.0), "a - (b - 1)"),
        ((&a + &b) * &a, "(a + b)*a"),
        (-(&a + &b), "-(a + b)"),
        (&a / (&b * &a), "a/(b*a)".to_owned().leak()),
        ((&a * &b).pow(-1), "1/(a*b)"),
        ((&a * &b).pow(2), "(a*b)²"),
        (a.pow(-2) * 3.0, "3/a²"),
        (a.pow(&b), "a^b"),
        (a.pow(0.5), "a^0.5"),
        (a.pow(10), "a¹⁰"),
        (-a.pow(-1), "-1/a"),
        (a.sqrt() + b.exp() * a.abs().floor(), "√(a) + exp(b)*floor(abs(a))"),
        (&a * 1e-9 - 2e20, "1e-9*a - 2e20"),
        (a.pow(&b - 1.0), "a^(b - 1)"),
        (-(&m * &u) + 1.0, "-m(x, y)*u(t, x, y) + 1"),
    ] {
        assert_eq!(expr.to_string(), shown);
    }
}

#[test]
fn equations_read_as_statements() -> Result<(), SymbolicError> {
    let (grid, m, u) = wave();
    let src = SparseTimeFunction::new("src", &grid).points(2).steps(9).build()?;
    let weights = SparseFunction::new("w", &grid).points(2).build()?;
    let gradient = Function::new("grad", &grid).build()?;
    for (equation, shown) in [
        (eq(u.forward(), &u + 1.0), "u(t+1, x, y) = u(t, x, y) + 1"),
        (inc(&gradient, -(&u * u.dt2())), "grad(x, y) += -u(t, x, y)*∂²/∂t² u(t, x, y)"),
        (
            src.inject(u.forward(), &src * grid.dt().pow(2) / &m),
            "u(t+1, x, y) += src(t, p)*dt²/m(x, y)  for p in src",
        ),
        (src.interpolate(&u), "src(t, p) = u(t, x, y)  for p in src"),
        (weights.interpolate_add(&m), "w(p) += m(x, y)  for p in w"),
    ] {
        assert_eq!(equation.to_string(), shown);
        equation.check()?;
    }
    Ok(())
}
