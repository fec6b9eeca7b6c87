//! Equations that cannot be solved.

use crate::{golden, grid, time};
use wavefold::prelude::*;

#[test]
fn target_absent() {
    let u = time("u", &grid());
    golden!(solve(&u + 1.0, u.forward()));
}

#[test]
fn target_not_an_access() {
    let u = time("u", &grid());
    golden!(solve(u.dt() - u.laplace(), &u + 1.0));
}

#[test]
fn target_squared() {
    let u = time("u", &grid());
    golden!(solve(u.forward() * u.forward() - &u, u.forward()));
}

#[test]
fn target_inside_a_function() {
    let u = time("u", &grid());
    golden!(solve(u.forward().sin() - &u, u.forward()));
}

#[test]
fn target_inside_a_derivative() {
    let u = time("u", &grid());
    golden!(solve(u.dt() - u.forward().laplace(), u.forward()));
}

#[test]
fn weights_of_too_few_points() {
    golden!(wavefold::symbolic::fd::weights(2, &[0, 1], 0));
}
