//! Equations that mean something each, but not together.

use crate::{compressed, golden, grid, time};
use wavefold::prelude::*;

#[test]
fn no_equations() {
    golden!(Operator::new([]));
}

#[test]
fn compressed_read_and_written() {
    let (u, v, usave) = (time("u", &grid()), time("v", &grid()), compressed("usave", &grid(), 4));
    golden!(Operator::new([eq(u.forward(), &u + 1.0), eq(&usave, &u), eq(v.forward(), &v + &usave),]));
}

#[test]
fn compressed_read_and_written_in_one_equation() {
    let usave = compressed("usave", &grid(), 4);
    golden!(Operator::new([eq(usave.forward(), &usave + 1.0)]));
}

#[test]
fn compressed_incremented() {
    let (u, usave) = (time("u", &grid()), compressed("usave", &grid(), 4));
    golden!(Operator::new([eq(u.forward(), &u + 1.0), inc(&usave, &u)]));
}

#[test]
fn compressed_injected_into() {
    let usave = compressed("usave", &grid(), 4);
    let src = SparseTimeFunction::new("src", &grid()).steps(4).coordinates([[1.0, 1.0]]).build().unwrap();
    golden!(Operator::new([src.inject(&usave, &src)]));
}

#[test]
fn compressed_written_by_two_equations() {
    let (u, usave) = (time("u", &grid()), compressed("usave", &grid(), 4));
    golden!(Operator::new([eq(u.forward(), &u + 1.0), eq(&usave, &u), eq(usave.forward(), &u)]));
}

#[test]
fn stencil_wider_than_the_halo() {
    let u = time("u", &grid());
    golden!(Operator::new([eq(u.forward(), u.shift(Dim::X, 3) - u.shift(Dim::X, -1))]));
}

#[test]
fn stencil_of_nested_derivatives_wider_than_the_halo() {
    let u = time("u", &grid());
    let m = Function::new("m", &grid()).space_order(8).build().unwrap();
    golden!(Operator::new([eq(u.forward(), u.shift(Dim::Y, 2).shift(Dim::Y, 1) * m.dx())]));
}

#[test]
fn grids_mixed_between_equations() {
    let (u, v) = (time("u", &grid()), time("v", &Grid::new([5, 4])));
    golden!(Operator::new([eq(u.forward(), &u + 1.0), eq(v.forward(), &v + 1.0)]));
}

#[test]
fn names_twice() {
    let (u, other) = (time("u", &grid()), time("u", &grid()));
    golden!(Operator::new([eq(u.forward(), &u + &other)]));
}

#[test]
fn name_of_a_function_and_a_constant() {
    let (u, c) = (time("u", &grid()), Constant::new("u", 2.0));
    golden!(Operator::new([eq(u.forward(), &u * c)]));
}

#[test]
fn time_both_ways() {
    let (u, v) = (time("u", &grid()), time("v", &grid()));
    golden!(Operator::new([eq(u.forward(), &u + 1.0), eq(v.backward(), &v - 1.0)]));
}

#[test]
fn time_levels_too_many_between_equations() {
    let (u, v) = (time("u", &grid()), time("v", &grid()));
    golden!(Operator::new([eq(u.forward(), &u + 1.0), eq(v.forward(), u.backward())]));
}

#[test]
fn snapshots_of_different_distances() {
    let a = TimeFunction::new("a", &grid()).save(4).save_every(2).build().unwrap();
    let b = TimeFunction::new("b", &grid()).save(4).save_every(3).build().unwrap();
    golden!(Operator::new([eq(&a, &b + 1.0)]));
}

#[test]
fn compressed_in_part() {
    let (u, usave) = (time("u", &grid()), compressed("usave", &grid(), 4));
    let part = SubDomain::new("part", &grid()).interior();
    golden!(Operator::new([eq(u.forward(), &u + 1.0), eq(&usave, &u).on(&part)]));
}

#[test]
fn compressed_under_a_condition() {
    let (u, usave) = (time("u", &grid()), compressed("usave", &grid(), 4));
    golden!(Operator::new([eq(u.forward(), &u + 1.0), eq(&usave, &u).when(u.gt(0.0))]));
}

/// The inner two derivatives alone stay within the halo.
#[test]
fn stencil_of_three_nested_derivatives_wider_than_the_halo() {
    let g = Grid::new([40]);
    let u = TimeFunction::new("u", &g).space_order(8).build().unwrap();
    let c = Function::new("c", &g).space_order(8).build().unwrap();
    golden!(Operator::new([eq(u.forward(), (&c * u.dx()).dx().dx())]));
}
