//! Equations that mean nothing by themselves.

use crate::{golden, grid, saved, time};
use wavefold::prelude::*;
use wavefold::symbolic::{EquationKind, Reduction};

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
fn two_parts_for_one_statement() {
    let (u, grid) = (time("u", &grid()), grid());
    let middle = SubDomain::new("middle", &grid).interior();
    let left = SubDomain::new("left", &grid).left(Dim::X, 2);
    golden!(Operator::new([eq(u.forward(), 1.0).on(&middle).on(&left)]));
}

#[test]
fn two_parts_for_a_member_of_a_group() {
    let (u, grid) = (time("u", &grid()), grid());
    let left = SubDomain::new("left", &grid).left(Dim::X, 2);
    let surface = free_surface(&eq(u.forward(), 1.0), Dim::Y, &grid);
    golden!(Operator::new([surface.on(&left)]));
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

#[test]
fn derivative_at_no_place() {
    let u = time("u", &grid());
    golden!(Operator::new([eq(u.forward(), u.diff(Dim::X).x0(0.3))]));
}

#[test]
fn derivative_far_away() {
    let u = time("u", &grid());
    golden!(Operator::new([eq(u.forward(), u.diff(Dim::X).x0(100.0))]));
}

#[test]
fn derivative_of_odd_order() {
    let u = time("u", &grid());
    golden!(Operator::new([eq(u.forward(), u.diff(Dim::X).order(3))]));
}

#[test]
fn derivative_of_order_zero() {
    let u = time("u", &grid());
    golden!(Operator::new([eq(u.forward(), u.diff(Dim::Y).order(0))]));
}

#[test]
fn derivative_without_weights() {
    let u = time("u", &grid());
    golden!(Operator::new([eq(u.forward(), u.diff(Dim::X).weights(0, &[]))]));
}

#[test]
fn derivative_with_a_weight_nan() {
    let u = time("u", &grid());
    golden!(Operator::new([eq(u.forward(), u.diff(Dim::X).weights(-1, &[-0.5, f64::NAN, 0.5]))]));
}

#[test]
fn derivative_with_weights_beyond_the_halo() {
    let u = time("u", &grid());
    golden!(Operator::new([eq(u.forward(), u.diff(Dim::X).weights(-3, &[-1.0, 1.0]))]));
}

#[test]
fn components_of_a_number_and_a_vector() {
    let (u, v) = (time("u", &grid()), VectorTimeFunction::new("v", &grid()).build().unwrap());
    golden!(Operator::new([eq(u.forward(), v.expr())]));
}

#[test]
fn components_of_a_complex_function_and_a_vector() {
    let g = grid();
    let (f, v) =
        (ComplexFunction::new("f", &g).build().unwrap(), VectorFunction::new("v", &g).build().unwrap());
    golden!(Operator::new([eq(&f, &v)]));
}

#[test]
fn components_of_a_vector_and_a_tensor() {
    let g = grid();
    let (v, s) = (
        VectorTimeFunction::new("v", &g).build().unwrap(),
        TensorTimeFunction::new("s", &g).build().unwrap(),
    );
    // Next to an equation that is right.
    golden!(Operator::new([eq(v.forward(), v.expr()), eq(v.forward(), &s)]));
}

fn edge() -> SubDomain {
    SubDomain::new("edge", &grid()).left(Dim::X, 2)
}

#[test]
fn injection_on_a_part() {
    let (u, src) = (time("u", &grid()), source());
    golden!(Operator::new([src.inject(u.forward(), &src).on(&edge())]));
}

#[test]
fn interpolation_on_a_part() {
    let (u, rec) = (time("u", &grid()), source());
    golden!(Operator::new([rec.interpolate(&u).on(&edge())]));
}

#[test]
fn reduction_under_a_condition() {
    let (u, total) = (time("u", &grid()), Series::new("total", &grid()).steps(3).build().unwrap());
    golden!(Operator::new([total.sum(&u).when(u.gt(0.0))]));
}

#[test]
fn reduction_into_several_points() {
    let rec = SparseTimeFunction::new("rec", &grid()).points(3).steps(3).build().unwrap();
    let reduce =
        EquationKind::Reduce { series: (&rec).into(), op: Reduction::Sum, value: time("u", &grid()).expr() };
    golden!(Operator::new([Equation::new(reduce)]));
}

#[test]
fn written_outside_of_its_part() {
    let psi = TimeFunction::new("psi", &grid()).on(&edge()).build().unwrap();
    golden!(Operator::new([eq(psi.forward(), &psi + 1.0)]));
}

#[test]
fn read_outside_of_its_part() {
    let (u, psi) =
        (time("u", &grid()), Function::new("psi", &grid()).space_order(0).on(&edge()).build().unwrap());
    golden!(Operator::new([eq(u.forward(), &u + &psi)]));
}

#[test]
fn interpolated_outside_of_its_part() {
    let psi = Function::new("psi", &grid()).space_order(0).on(&edge()).build().unwrap();
    golden!(Operator::new([source().interpolate(&psi)]));
}

#[test]
fn injected_outside_of_its_part() {
    let (psi, src) = (Function::new("psi", &grid()).on(&edge()).build().unwrap(), source());
    golden!(Operator::new([src.inject(&psi, &src)]));
}

/// Within its part an equation may still reach too far around it.
#[test]
fn stencil_wider_than_the_halo_around_a_part() {
    let psi = TimeFunction::new("psi", &grid()).on(&edge()).build().unwrap();
    golden!(Operator::new([eq(psi.forward(), psi.shift(Dim::X, 3)).on(&edge())]));
}

fn temporary(name: &str) -> Function {
    Function::new(name, &grid()).temporary().build().unwrap()
}

#[test]
fn temporary_before_it_is_defined() {
    let (u, a) = (time("u", &grid()), temporary("a"));
    golden!(Operator::new([eq(u.forward(), &u + &a), eq(&a, &u)]));
}

#[test]
fn temporary_made_of_itself() {
    let (u, a) = (time("u", &grid()), temporary("a"));
    golden!(Operator::new([eq(&a, 2.0 * &a), eq(u.forward(), &u + &a)]));
}

#[test]
fn temporary_incremented() {
    let (u, a) = (time("u", &grid()), temporary("a"));
    golden!(Operator::new([eq(&a, &u), inc(&a, 1.0), eq(u.forward(), &u + &a)]));
}

#[test]
fn temporary_on_a_part() {
    let (u, a) = (time("u", &grid()), temporary("a"));
    golden!(Operator::new([eq(&a, &u).on(&edge()), eq(u.forward(), &u + &a)]));
}

#[test]
fn temporary_under_a_condition() {
    let (u, a) = (time("u", &grid()), temporary("a"));
    golden!(Operator::new([eq(&a, &u).when(u.gt(0.0)), eq(u.forward(), &u + &a)]));
}

#[test]
fn temporary_injected_into() {
    let (src, a) = (source(), temporary("a"));
    golden!(Operator::new([src.inject(&a, &src)]));
}

#[test]
fn shared_value_of_constants_that_is_too_large() {
    let (u, c) = (time("u", &grid()), Constant::new("c", 1.0));
    let large = (0..35).fold(c.sin(), |e, _| e.sin() + e.cos());
    golden!(Operator::new([eq(u.forward(), &u + large)]));
}
