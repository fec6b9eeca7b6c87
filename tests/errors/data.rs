//! Data of the wrong shape or in the wrong place.

use crate::{compressed, golden, grid, saved, time};
use wavefold::prelude::*;

fn zeros(shape: &[usize]) -> Data {
    Data::zeros(DType::F32, shape).unwrap()
}

#[test]
fn shape_of_a_function() {
    golden!(Function::new("m", &grid()).build().unwrap().set_data(zeros(&[5, 4])));
}

#[test]
fn shape_of_a_time_function() {
    golden!(time("u", &grid()).set_data(zeros(&[4, 4, 5])));
}

#[test]
fn shape_of_a_saved_function() {
    golden!(saved("usave", &grid(), 3).set_data(zeros(&[3, 4, 6])));
}

#[test]
fn shape_of_a_time_level() {
    golden!(time("u", &grid()).set_at(1, zeros(&[2, 4, 5])));
}

#[test]
fn shape_of_a_sparse_function() {
    golden!(SparseFunction::new("rec", &grid()).points(3).build().unwrap().set_data(vec![0.0_f32; 2]));
}

#[test]
fn shape_of_a_sparse_time_function() {
    let rec = SparseTimeFunction::new("rec", &grid()).points(3).steps(4).build().unwrap();
    golden!(rec.set_data(zeros(&[3, 4])));
}

#[test]
fn shape_of_a_wavelet() {
    let src = SparseTimeFunction::new("src", &grid()).points(1).steps(4).build().unwrap();
    golden!(src.set_data(vec![0.0_f64; 5]));
}

#[test]
fn number_of_values() {
    golden!(Data::from_vec(&[4, 5], vec![0.0_f32; 19]));
}

#[test]
fn array_beyond_all_memory() {
    golden!(Data::zeros(DType::F64, &[usize::MAX, 2]));
}

#[test]
fn level_of_a_function_without_time() {
    golden!(Function::new("m", &grid()).build().unwrap().at(2));
}

#[test]
fn snapshot_that_is_not_kept() {
    golden!(saved("usave", &grid(), 3).at(3));
}

#[test]
fn data_of_a_compressed_function() {
    golden!(compressed("usave", &grid(), 3).data());
}

#[test]
fn data_of_a_temporary() {
    golden!(Function::new("a", &grid()).temporary().build().unwrap().data());
}

#[test]
fn set_data_of_a_compressed_function() {
    golden!(compressed("usave", &grid(), 3).set_data(zeros(&[3, 4, 5])));
}

#[test]
fn fill_of_a_compressed_function() {
    golden!(compressed("usave", &grid(), 3).fill(1.0));
}

#[test]
fn decompress_of_an_uncompressed_function() {
    golden!(decompress(&saved("usave", &grid(), 3)));
}

#[test]
fn compression_info_of_an_uncompressed_function() {
    golden!(time("u", &grid()).compression_info());
}

#[test]
fn array_of_more_than_there_is() {
    golden!(Data::zeros(DType::F64, &[1 << 57]));
}

#[test]
fn shape_of_a_function_on_a_part() {
    let part = SubDomain::new("part", &grid()).interior();
    golden!(Function::new("m", &grid()).on(&part).build().unwrap().set_data(zeros(&[4, 5])));
}

#[test]
fn shape_with_the_halo() {
    golden!(Function::new("m", &grid()).build().unwrap().set_data_with_halo(zeros(&[4, 5])));
}

#[test]
fn shape_of_a_series() {
    golden!(Series::new("total", &grid()).steps(3).build().unwrap().set_data(vec![0.0_f32; 4]));
}
