//! Grids, functions, sparse functions and names that mean nothing.

use crate::{golden, grid, time};
use wavefold::prelude::*;

#[test]
fn grid_without_points() {
    golden!(Function::new("m", &Grid::new([4, 0])).build());
}

#[test]
fn grid_of_four_dimensions() {
    golden!(Function::new("m", &Grid::new([4, 4, 4, 4])).build());
}

#[test]
fn grid_of_no_dimension() {
    golden!(Function::new("m", &Grid::new([])).build());
}

#[test]
fn grid_beyond_all_memory() {
    golden!(Function::new("m", &Grid::new([usize::MAX / 2, 3])).build());
}

#[test]
fn grid_with_spacings_of_another_rank() {
    golden!(Function::new("m", &grid().with_spacing([1.0, 2.0, 3.0])).build());
}

#[test]
fn grid_with_negative_spacing() {
    golden!(Function::new("m", &grid().with_spacing([1.0, -2.0])).build());
}

#[test]
fn grid_with_spacing_nan() {
    golden!(Function::new("m", &grid().with_spacing(f64::NAN)).build());
}

#[test]
fn grid_with_extent_zero() {
    golden!(Function::new("m", &grid().with_extent([1.0, 0.0])).build());
}

#[test]
fn grid_with_an_extent_over_one_point() {
    golden!(Function::new("m", &Grid::new([1, 4]).with_extent(100.0)).build());
}

#[test]
fn grid_with_infinite_origin() {
    golden!(Function::new("m", &grid().with_origin([f64::INFINITY, 0.0])).build());
}

#[test]
fn name_of_a_c_keyword() {
    golden!(Function::new("double", &grid()).build());
}

#[test]
fn name_of_a_dimension() {
    golden!(Function::new("x", &grid()).build());
}

#[test]
fn name_that_is_empty() {
    golden!(Function::new("", &grid()).build());
}

#[test]
fn name_beyond_ascii() {
    golden!(TimeFunction::new("größe", &grid()).build());
}

#[test]
fn name_with_a_space_of_a_twin() {
    let u = time("u", &grid()).twin("u 1");
    golden!(Operator::new([eq(u.forward(), &u + 1.0)]));
}

#[test]
fn name_of_a_constant_that_begins_with_a_digit() {
    let (u, c) = (time("u", &grid()), Constant::new("2nd", 1.0));
    golden!(Operator::new([eq(u.forward(), &u * c)]));
}

#[test]
fn space_order_odd() {
    golden!(Function::new("m", &grid()).space_order(3).build());
}

#[test]
fn space_order_too_high() {
    golden!(Function::new("m", &grid()).space_order(66).build());
}

#[test]
fn time_order_three() {
    golden!(TimeFunction::new("u", &grid()).time_order(3).build());
}

#[test]
fn save_of_no_snapshot() {
    golden!(TimeFunction::new("usave", &grid()).save(0).build());
}

#[test]
fn save_every_zero() {
    golden!(TimeFunction::new("usave", &grid()).save(3).save_every(0).build());
}

#[test]
fn save_every_without_save() {
    golden!(TimeFunction::new("usave", &grid()).save_every(2).build());
}

#[test]
fn compression_without_save() {
    golden!(TimeFunction::new("usave", &grid()).compression(Noop).build());
}

#[test]
fn compression_with_no_bits() {
    golden!(TimeFunction::new("usave", &grid()).save(3).compression(Quantize { nbits: 0 }).build());
}

#[test]
fn compression_of_what_is_exact_with_a_bound() {
    golden!(TimeFunction::new("usave", &grid()).save(3).compression(Noop.within(1e-3)).build());
}

#[test]
fn compression_with_no_error_at_all() {
    let lapped = Lapped { compscale: 1e-2 };
    golden!(TimeFunction::new("usave", &grid()).save(3).compression(lapped.within(0.0)).build());
}

#[test]
fn compression_with_a_negative_scale() {
    let wavelet = Wavelet { compscale: -1e-3 };
    golden!(TimeFunction::new("usave", &grid()).save(3).compression(wavelet).build());
}

#[test]
fn compression_with_an_impossible_ratio() {
    let lapped = LappedSnr { snr: 301.0 };
    golden!(TimeFunction::new("usave", &grid()).save(3).compression(lapped).build());
}

#[test]
fn sparse_coordinates_of_another_count() {
    golden!(SparseFunction::new("rec", &grid()).points(3).coordinates([[0.0, 1.0], [1.0, 1.0]]).build());
}

#[test]
fn sparse_coordinates_of_another_rank() {
    golden!(SparseTimeFunction::new("src", &grid()).steps(9).coordinates([[0.0, 1.0, 2.0]]).build());
}

#[test]
fn sparse_coordinates_nan() {
    golden!(
        SparseTimeFunction::new("src", &grid()).steps(9).coordinates([[0.0, 1.0], [f64::NAN, 1.0]]).build()
    );
}

#[test]
fn sparse_coordinates_replaced_by_too_few() {
    let rec = SparseFunction::new("rec", &grid()).points(2).build().unwrap();
    golden!(rec.set_coordinates([[0.0, 1.0]]));
}

#[test]
fn sparse_without_steps() {
    golden!(SparseTimeFunction::new("src", &grid()).coordinates([[0.0, 1.0]]).build());
}

#[test]
fn sparse_with_more_points_than_memory() {
    golden!(SparseFunction::new("rec", &grid()).points(usize::MAX).build());
}

#[test]
fn time_levels_fewer_than_the_time_order_needs() {
    golden!(TimeFunction::new("u", &grid()).time_order(2).buffers(2).build());
}

#[test]
fn time_levels_of_a_saved_function() {
    golden!(TimeFunction::new("usave", &grid()).save(9).buffers(4).build());
}

#[test]
fn sinc_of_one_point() {
    let sinc = Interpolation::Sinc { radius: 1 };
    golden!(SparseFunction::new("rec", &grid()).points(1).interpolation(sinc).build());
}

#[test]
fn sparse_points_that_move_too_little() {
    golden!(
        SparseTimeFunction::new("rec", &grid())
            .points(2)
            .steps(3)
            .moving_coordinates([[0.0, 1.0]; 5])
            .build()
    );
}

#[test]
fn part_along_a_missing_dimension() {
    golden!(Function::new("m", &grid()).on(&SubDomain::new("deep", &grid()).left(Dim::Z, 1)).build());
}

#[test]
fn part_thicker_than_the_grid() {
    let (u, part) = (time("u", &grid()), SubDomain::new("thick", &grid()).middle(Dim::X, 3, 2));
    golden!(Operator::new([eq(u.forward(), 1.0).on(&part)]));
}

#[test]
fn part_of_another_grid() {
    let part = SubDomain::new("part", &Grid::new([4, 6])).left(Dim::X, 1);
    golden!(Function::new("m", &grid()).on(&part).build());
}

#[test]
fn function_on_an_empty_part() {
    golden!(Function::new("m", &grid()).on(&SubDomain::new("nothing", &grid()).right(Dim::Y, 0)).build());
}
