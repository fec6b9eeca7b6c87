//! Finite-difference weights.

use wavefold_symbolic::{
    Derivative, Side,
    fd::{radius, stencil, weights},
    prelude::*,
};

fn of(degree: u32, order: u32, side: Side, transpose: bool) -> Vec<(i32, f64)> {
    let grid = Grid::new([8]);
    let expr = Function::new("f", &grid).build().unwrap().expr();
    stencil(&Derivative { expr, dim: Dim::X, degree, order, side, transpose, x0: None, weights: None })
}

#[test]
fn weights_are_devito_s() {
    let centred = |degree, order| of(degree, order, Side::Centered, false);
    assert_eq!(centred(1, 2), [(-1, -0.5), (1, 0.5)]);
    assert_eq!(centred(2, 2), [(-1, 1.0), (0, -2.0), (1, 1.0)]);
    assert_eq!(
        centred(1, 4),
        [
            (-2, 0.08333333333333333),
            (-1, -0.6666666666666666),
            (1, 0.6666666666666666),
            (2, -0.08333333333333333)
        ]
    );
    assert_eq!(centred(3, 4), [(-2, -0.5), (-1, 1.0), (1, -1.0), (2, 0.5)]);
    assert_eq!(centred(4, 4), [(-2, 1.0), (-1, -4.0), (0, 6.0), (1, -4.0), (2, 1.0)]);
    assert_eq!(
        centred(2, 8),
        [
            (-4, -0.0017857142857142857),
            (-3, 0.025396825396825397),
            (-2, -0.2),
            (-1, 1.6),
            (0, -2.8472222222222223),
            (1, 1.6),
            (2, -0.2),
            (3, 0.025396825396825397),
            (4, -0.0017857142857142857)
        ]
    );
    let wide = centred(2, 16);
    assert_eq!((wide.len(), wide[8], wide[1]), (17, (0, -3.05484410430839), (-7, 5.074290788576503e-05)));
    assert_eq!(centred(3, 8)[3], (-1, 2.033333333333333));
}

#[test]
fn sided_weights_shift_by_one_point() {
    assert_eq!(of(1, 2, Side::Left, false), [(-2, 0.5), (-1, -2.0), (0, 1.5)]);
    assert_eq!(of(1, 2, Side::Right, false), [(0, -1.5), (1, 2.0), (2, -0.5)]);
    assert_eq!(
        of(1, 4, Side::Left, false),
        [(-3, -0.08333333333333333), (-2, 0.5), (-1, -1.5), (0, 0.8333333333333334), (1, 0.25)]
    );
    assert_eq!(
        of(1, 4, Side::Right, false),
        [(-1, -0.25), (0, -0.8333333333333334), (1, 1.5), (2, -0.5), (3, 0.08333333333333333)]
    );
    assert_eq!(of(1, 8, Side::Left, false)[0], (-5, -0.0035714285714285713));
    assert_eq!(of(1, 4, Side::Centered, true)[0], (-2, -0.08333333333333333));
}

#[test]
fn half_way_weights() -> Result<(), SymbolicError> {
    let expected = [0.041666666666666664, -1.125, 1.125, -0.041666666666666664];
    assert_eq!(weights(1, &[-1, 0, 1, 2], 1)?, expected);
    assert_eq!(weights(1, &[-2, -1, 0, 1], -1)?, expected);
    assert_eq!(weights(0, &[0, 1], 1)?, [0.5, 0.5]);
    Ok(())
}

/// The `degree`-th derivative of x^p at x0.
fn monomial(p: u32, degree: u32, x0: f64) -> f64 {
    if degree > p {
        0.0
    } else {
        (p - degree + 1..=p).map(f64::from).product::<f64>() * x0.powi((p - degree) as i32)
    }
}

#[test]
fn weights_are_exact_on_polynomials() -> Result<(), SymbolicError> {
    for (offsets, half_steps) in [
        (vec![-2, -1, 0, 1, 2], 0),
        (vec![-3, -2, -1, 0, 1], 0),
        (vec![-1, 0, 1, 2], 1),
        (vec![3, -1, 0, 7, 2], 0),
    ] {
        for degree in 0..offsets.len() as u32 {
            let w = weights(degree, &offsets, half_steps)?;
            for p in 0..offsets.len() as u32 {
                let sum: f64 = offsets.iter().zip(&w).map(|(&k, w)| w * f64::from(k).powi(p as i32)).sum();
                let exact = monomial(p, degree, f64::from(half_steps) / 2.0);
                assert!((sum - exact).abs() < 1e-11, "{offsets:?} {degree} {p}: {sum} {exact}");
            }
        }
    }
    Ok(())
}

#[test]
fn stencils_fit_the_halo() {
    for order in (2..=64).step_by(2) {
        for (degree, side) in [(1, Side::Left), (1, Side::Right), (1, Side::Centered), (2, Side::Centered)] {
            let points = of(degree, order, side, false);
            assert!(points.iter().all(|(k, w)| k.unsigned_abs() <= order && w.is_finite()));
            let sum: f64 = points.iter().map(|(_, w)| w).sum();
            assert!(sum.abs() < 1e-13, "{degree} {order} {sum:e}");
        }
    }
    // An order too low for the degree still gives a stencil that is right.
    assert_eq!(of(4, 2, Side::Centered, false).len(), 5);
}

#[test]
fn radius_is_the_farther_side() {
    let grid = Grid::new([8]);
    let expr = Function::new("f", &grid).build().unwrap().expr();
    let derivative = Derivative {
        expr,
        dim: Dim::X,
        degree: 1,
        order: 8,
        side: Side::Left,
        transpose: false,
        x0: None,
        weights: None,
    };
    assert_eq!(radius(&derivative), 5);
}

#[test]
fn too_few_or_equal_points_are_refused() {
    for (degree, offsets) in [(1, &[0][..]), (0, &[]), (1, &[0, 0]), (2, &[0, 1])] {
        assert_eq!(weights(degree, offsets, 0).unwrap_err().code(), "fd::nodes");
    }
}

/// Upwind differences of odd order have one point more on their side; those of order 1 have two points, of order 3 four.
#[test]
fn odd_orders_are_upwind() -> Result<(), SymbolicError> {
    assert_eq!(of(1, 1, Side::Left, false), [(-1, -1.0), (0, 1.0)]);
    assert_eq!(of(1, 1, Side::Right, false), [(0, -1.0), (1, 1.0)]);
    assert_eq!(of(1, 3, Side::Left, false), [(-2, 1.0 / 6.0), (-1, -1.0), (0, 0.5), (1, 1.0 / 3.0)]);
    assert_eq!(
        of(1, 1, Side::Left, true),
        of(1, 1, Side::Right, false).iter().map(|(o, w)| (*o, -w)).collect::<Vec<_>>()
    );
    let u = Function::new("u", &Grid::new([20])).space_order(4).build()?;
    let code = |order, side| eq(&u, u.diff(Dim::X).order(order).side(side)).check().err().map(|e| e.code());
    assert_eq!(code(3, Side::Centered), Some("derivative::own_order"));
    assert_eq!(code(3, Side::Right), None);
    Ok(())
}

#[test]
fn a_time_derivative_half_a_step_on_takes_the_levels_around_it() {
    let expr = TimeFunction::new("u", &Grid::new([8])).build().unwrap().expr();
    let half_a_step = |half_steps, transpose| {
        let (dim, side, x0) = (Dim::Time, Side::Centered, Some(half_steps));
        let expr = expr.clone();
        stencil(&Derivative { expr, dim, degree: 1, order: 2, side, transpose, x0, weights: None })
    };
    assert_eq!(half_a_step(1, false), [(0, -1.0), (1, 1.0)]);
    assert_eq!(half_a_step(-1, false), [(-1, -1.0), (0, 1.0)]);
    assert_eq!(half_a_step(1, true), [(-1, 1.0), (0, -1.0)]);
    assert_eq!(half_a_step(0, false), [(-1, -0.5), (1, 0.5)]);
}
