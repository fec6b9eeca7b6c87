//! `solve` and the expansion of time derivatives.

use wavefold_symbolic::prelude::*;

use crate::wave;

#[test]
fn time_derivatives_become_shifts() {
    let (_, m, u) = wave();
    let shown = |expr: Expr| expand_time(&expr).to_string();
    assert_eq!(shown(u.dt()), "(u(t+1, x, y) - u(t, x, y))/dt");
    assert_eq!(shown(u.dt2()), "(u(t+1, x, y) - 2*u(t, x, y) + u(t-1, x, y))/dt²");
    assert_eq!(shown(u.dtc()), "(0.5*u(t+1, x, y) - 0.5*u(t-1, x, y))/dt");
    assert_eq!(shown(u.dt().T()), "(-u(t, x, y) + u(t-1, x, y))/dt");
    assert_eq!(shown(u.dx().dt()), "(∂/∂x u(t+1, x, y) - ∂/∂x u(t, x, y))/dt");
    assert_eq!(shown((&m * u.dt()).dx()), "∂/∂x (m(x, y)*(u(t+1, x, y) - u(t, x, y))/dt)");
}

#[test]
fn the_acoustic_equation_with_damping() -> Result<(), SymbolicError> {
    let (grid, m, u) = wave();
    let damp = Function::new("damp", &grid).build()?;
    let step = solve(&m * u.dt2() - u.laplace() + &damp * u.dt(), u.forward())?;
    assert_eq!(
        step.to_string(),
        "(m(x, y)*(2*u(t, x, y) - u(t-1, x, y))/dt² + ∂²/∂x² u(t, x, y) + ∂²/∂y² u(t, x, y) \
         + damp(x, y)*u(t, x, y)/dt)/(m(x, y)/dt² + damp(x, y)/dt)"
    );
    Ok(())
}

#[test]
fn the_adjoint_mirrors_the_forward_step() -> Result<(), SymbolicError> {
    let (grid, m, v) = wave();
    let damp = Function::new("damp", &grid).build()?;
    let step = solve(&m * v.dt2() - v.laplace() + &damp * v.dt().T(), v.backward())?;
    assert_eq!(
        step.to_string(),
        "(-m(x, y)*(u(t+1, x, y) - 2*u(t, x, y))/dt² + ∂²/∂x² u(t, x, y) + ∂²/∂y² u(t, x, y) \
         + damp(x, y)*u(t, x, y)/dt)/(m(x, y)/dt² + damp(x, y)/dt)"
    );
    Ok(())
}

#[test]
fn a_single_coefficient_is_divided_out() -> Result<(), SymbolicError> {
    let (grid, m, u) = wave();
    let q = Function::new("q", &grid).build()?;
    let step = solve(u.laplace() - &m * u.dt2() + &q, u.forward())?;
    assert_eq!(
        step.to_string(),
        "2*u(t, x, y) - u(t-1, x, y) + dt²*(∂²/∂x² u(t, x, y) + ∂²/∂y² u(t, x, y) + q(x, y))/m(x, y)"
    );
    assert_eq!(solve(2.0 * &u - &m, &u)?.to_string(), "0.5*m(x, y)");
    assert_eq!(solve(&u - &u + 3.0 * &u - 6.0, &u)?.to_string(), "2");
    assert_eq!(solve(&u * 4.0, &u)?.to_string(), "0");
    Ok(())
}

/// Evaluates an expression without derivatives, with values by printed name.
fn evaluate(expr: &Expr, value: &dyn Fn(&str) -> f64) -> f64 {
    use wavefold_symbolic::Node;
    match expr.node() {
        Node::Number(number) => *number,
        Node::Add(terms) => terms.iter().map(|term| evaluate(term, value)).sum(),
        Node::Mul(factors) => factors.iter().map(|factor| evaluate(factor, value)).product(),
        Node::Pow(base, exponent) => evaluate(base, value).powf(evaluate(exponent, value)),
        Node::Call(function, argument) => function.eval(evaluate(argument, value)),
        _ => value(&expr.to_string()),
    }
}

#[test]
fn the_solution_satisfies_the_equation() -> Result<(), SymbolicError> {
    let (grid, m, u) = wave();
    let c = Constant::new("c", 1.0);
    let values = |name: &str| match name {
        "u(t, x, y)" => 1.25,
        "u(t-1, x, y)" => -0.75,
        "m(x, y)" => 2.5,
        "c" => 0.3,
        "dt" => 0.1,
        _ => 0.7,
    };
    let dt = grid.dt();
    for equation in [
        &m * u.dt2() - u.dx2() + &c * u.dt(),
        u.dt() + u.dt2() - &c * (u.forward() - &m),
        &c * (&m * (u.dt() - 1.0) + u.dt() / 3.0) - u.sin(),
        u.dt2() / (&m * &dt) - u.dx2() / dt.pow(2) + &u / dt.pow(2),
        (u.forward() + &u) / 2.0 * &m - &m * &u + 5.0,
    ] {
        let next = evaluate(&solve(&equation, u.forward())?, &values);
        let with_next = |name: &str| if name == "u(t+1, x, y)" { next } else { values(name) };
        let residual = evaluate(&expand_time(&equation), &with_next);
        assert!(residual.abs() < 1e-9 * next.abs().max(1.0), "{equation}: {residual}");
    }
    Ok(())
}
