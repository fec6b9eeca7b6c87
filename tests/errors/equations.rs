//! Equations that mean nothing by themselves.

use crate::{golden, grid, saved, time};
use wavefold::prelude::*;

fn source() -> SparseTimeFunction {
    SparseTimeFunction::new("src", &grid()).steps(9).coordinates([[1.0, 1.0]]).build().unwrap()
}

#[test]
fn derivative_along_a_missing_dimension() {
    let u = time("u", &grid());
    golden!(Operator::new([eq(u.forward(), u.dz2())]));
}

#[test]
fn derivative_in_time_of_a_function_of_space() {
    let (u, m) = (time("u", &grid()), Function::new("m", &grid()).build().unwrap());
    golden!(Operator::new([eq(u.forward(), &u + m.dt())]));
}

#[test]
fn derivative_of_a_function_of_space_order_zero() {
    let u = TimeFunction::new("u", &grid()).space_order(0).build().unwrap();
    golden!(Operator::new([eq(u.forward(), u.laplace())]));
}

#[test]
fn derivative_of_a_sparse_function() {
    let (u, src) = (time("u", &grid()), source());
    golden!(Operator::new([src.inject(u.forward(), src.dx())]));
}

#[test]
fn shift_along_a_missing_dimension() {
    let u = time("u", &grid());
    golden!(Operator::new([eq(u.forward(), u.shift(Dim::Z, 1))]));
}

#[test]
fn spacing_of_a_missing_dimension() {
    let u = time("u", &grid());
    golden!(Operator::new([eq(u.forward(), &u / grid().h(2))]));
}

#[test]
fn number_infinite() {
    let u = time("u", &grid());
    golden!(Operator::new([eq(u.forward(), &u * f64::INFINITY)]));
}

#[test]
fn number_over_zero() {
    let u = time("u", &grid());
    golden!(Operator::new([eq(u.forward(), &u + 1.0 / Expr::from(0.0))]));
}

#[test]
fn expression_too_deep() {
    let u = time("u", &grid());
    let deep = (0..1000).fold(u.expr(), |e, _| e.sin());
    golden!(Operator::new([eq(u.forward(), deep)]));
}

#[test]
fn left_side_not_an_access() {
    let u = time("u", &grid());
    golden!(Operator::new([eq(u.forward() + 1.0, &u)]));
}

#[test]
fn left_side_a_number() {
    let u = time("u", &grid());
    golden!(Operator::new([eq(2.0, &u)]));
}

#[test]
fn left_side_shifted_in_space() {
    let u = time("u", &grid());
    golden!(Operator::new([eq(u.forward().shift(Dim::X, 1), &u)]));
}

#[test]
fn left_side_a_derivative() {
    let u = time("u", &grid());
    golden!(Operator::new([eq(u.dt(), u.laplace())]));
}

#[test]
fn left_side_sparse() {
    let (u, src) = (time("u", &grid()), source());
    golden!(Operator::new([eq(&src, &u)]));
}

#[test]
fn injection_into_a_sum() {
    let (u, src) = (time("u", &grid()), source());
    golden!(Operator::new([src.inject(u.forward() + 1.0, &src)]));
}

#[test]
fn grids_mixed_in_an_equation() {
    let (u, v) = (time("u", &grid()), time("v", &Grid::new([5, 4])));
    golden!(Operator::new([eq(u.forward(), &u + &v)]));
}

#[test]
fn grid_of_the_sparse_function_is_another() {
    let u = time("u", &Grid::new([4, 5]).with_spacing(2.0));
    let src = source();
    golden!(Operator::new([src.inject(u.forward(), &src)]));
}

#[test]
fn time_levels_too_many() {
    let u = time("u", &grid());
    golden!(Operator::new([eq(u.forward(), 2.0 * &u - u.backward())]));
}

#[test]
fn time_shift_of_a_subsampled_function() {
    let u = time("u", &grid());
    let usave = TimeFunction::new("usave", &grid()).save(3).save_every(2).build().unwrap();
    golden!(Operator::new([eq(u.forward(), &u + 1.0), eq(usave.forward(), &u)]));
}

#[test]
fn time_shift_beyond_all_snapshots() {
    let (u, usave) = (time("u", &grid()), saved("usave", &grid(), 3));
    golden!(Operator::new([eq(u.forward(), usave.forward_by(i32::MAX) + usave.backward_by(i32::MAX))]));
}

#[test]
fn sparse_function_in_an_equation() {
    let (u, src) = (time("u", &grid()), source());
    golden!(Operator::new([eq(u.forward(), &u + &src)]));
}
