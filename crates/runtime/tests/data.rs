//! Data of functions: round trips, shapes, and what is refused.

use ndarray::{Array1, Array2, Array3, ShapeBuilder};
use wavefold_runtime::prelude::*;
use wavefold_runtime::{Dense, dense_of, values_of};
use wavefold_symbolic::prelude::*;

fn grid() -> Grid {
    Grid::new([3, 4]).with_spacing(10.0)
}

/// The number of values in the whole allocation that are not 0.
fn non_zeros(dense: &Dense) -> usize {
    // SAFETY: the memory lives, and nothing writes to it.
    let bytes = unsafe { std::slice::from_raw_parts(dense.pointer(), dense.bytes()) };
    bytes.chunks(dense.dtype().size()).filter(|v| v.iter().any(|b| *b != 0)).count()
}

#[test]
fn a_function_begins_with_zeros_and_keeps_what_it_is_given() {
    let m = Function::new("m", &grid()).space_order(4).build().unwrap();
    assert_eq!(m.data().unwrap(), Data::zeros(DType::F32, &[3, 4]).unwrap());

    let values = Array2::from_shape_fn((3, 4), |(i, j)| (10 * i + j + 1) as f32);
    m.set_data(&values).unwrap();
    assert_eq!(m.data().unwrap().as_f32(), Some(&values.clone().into_dyn()));
    let dense = dense_of(&m).unwrap();
    assert_eq!(non_zeros(&dense.read().unwrap()), 12, "the halo stays 0");

    // Converted from f64, and from a column-major array.
    let columns = Array2::from_shape_fn((3, 4).f(), |(i, j)| (10 * i + j + 1) as f64);
    m.set_data(columns).unwrap();
    assert_eq!(m.data().unwrap().as_f32(), Some(&values.into_dyn()));
    m.handle().fill(2.5).unwrap();
    assert!((m.data().unwrap().norm() - 75_f64.sqrt()).abs() < 1e-12);
    assert_eq!(non_zeros(&dense.read().unwrap()), 12);
}

#[test]
fn time_levels_lie_in_slots() {
    let u = TimeFunction::new("u", &grid()).time_order(2).dtype(DType::F64).build().unwrap();
    u.set_with(|i| (i[0] * 10 + i[1]) as f64).unwrap();
    let all = u.data().unwrap();
    assert_eq!(all.shape(), [3, 3, 4]);
    assert_eq!(all.get(&[2, 1, 3]), Some(13.0));
    u.set_at(4, Array2::from_elem((3, 4), 7.0)).unwrap();
    assert_eq!((u.at(1).unwrap().min(), u.at(7).unwrap().max()), (7.0, 7.0));
    assert_eq!(u.at(0).unwrap().level(2).unwrap().iter().collect::<Vec<_>>(), [20.0, 21.0, 22.0, 23.0]);
    u.set_data(Array2::<f64>::ones((3, 4))).unwrap();
    assert_eq!(u.data().unwrap().iter().sum::<f64>(), 36.0, "one level goes to all slots");
    let levels = Array3::from_shape_fn((3, 3, 4), |(n, i, j)| (n * 100 + i * 10 + j) as f64);
    u.set_data(&levels).unwrap();
    assert_eq!(u.data().unwrap(), Data::from(levels));
}

#[test]
fn saved_functions_keep_snapshots() {
    let us = TimeFunction::new("us", &grid()).save(5).build().unwrap();
    us.set_at(4, Array2::<f32>::ones((3, 4))).unwrap();
    assert_eq!(us.data().unwrap().shape(), [5, 3, 4]);
    assert_eq!(us.at(4).unwrap().max(), 1.0);
    let error = us.at(5).unwrap_err();
    assert_eq!(error.code(), "data::out_of_range");
    assert_eq!(error.to_string(), "`us` has no snapshot 5: it keeps 5, counted from 0");
}

#[test]
fn large_functions_are_copied_in_parallel() {
    let grid = Grid::new([40, 70, 130]).with_dtype(DType::F64);
    let u = TimeFunction::new("u", &grid).space_order(8).build().unwrap();
    let value = |i: &[usize]| (i[0] * 70 * 130 + i[1] * 130 + i[2]) as f64 + 1.0;
    u.set_with(value).unwrap();
    let data = u.data().unwrap();
    let points = 40 * 70 * 130;
    assert!(data.iter().zip((0..points).chain(0..points)).all(|(v, i)| v == i as f64 + 1.0));
    assert_eq!(non_zeros(&dense_of(&u).unwrap().read().unwrap()), 2 * points);
    u.set_at(1, Data::from(data.level(0).unwrap().to_f64().mapv(|v| -v))).unwrap();
    assert_eq!(u.at(1).unwrap().min(), -(points as f64));
    assert_eq!(u.at(0).unwrap(), data.level(0).unwrap());
}

#[test]
fn the_halo_is_filled_with_the_nearest_values() {
    // The last is large enough for several threads; a halo may be wider than the domain.
    for (shape, order) in [(vec![5], 4), (vec![3, 2], 8), (vec![3, 4, 2], 2), (vec![40, 30, 130], 4)] {
        let (grid, halo) = (Grid::new(shape.clone()).with_dtype(DType::F64), order as usize);
        let value = |i: &[usize]| i.iter().fold(1.0, |sum, i| 1000.0 * sum + *i as f64);
        let m = Function::new("m", &grid).space_order(order).build().unwrap();
        let u = TimeFunction::new("u", &grid).space_order(order).tight().build().unwrap();
        m.set_with(value).unwrap();
        u.set_with(value).unwrap();
        m.extend_halo().unwrap();
        u.extend_halo().unwrap();

        let nearest = |wide: ndarray::IxDyn| {
            let inside = |(&n, d)| wide[d].saturating_sub(halo).min(n - 1);
            value(&shape.iter().zip(0..).map(inside).collect::<Vec<_>>())
        };
        let wide: Vec<usize> = shape.iter().map(|n| n + 2 * halo).collect();
        let expected = Data::from(ndarray::ArrayD::from_shape_fn(wide, nearest));
        assert_eq!(m.data_with_halo().unwrap(), expected);
        let levels = u.data_with_halo().unwrap();
        assert_eq!((levels.level(0), levels.level(1)), (Some(expected.clone()), Some(expected.clone())));
        // Padding stays empty.
        assert_eq!(non_zeros(&dense_of(&m).unwrap().read().unwrap()), expected.len());
    }
}

#[test]
fn wrong_data_are_refused() {
    let g = grid();
    let u = TimeFunction::new("u", &g).build().unwrap();
    let error = u.set_data(Array2::<f32>::zeros((4, 3))).unwrap_err();
    assert_eq!(error.code(), "data::wrong_shape");
    assert_eq!(error.to_string(), "`u` holds data of shape [2, 3, 4] or [3, 4], not [4, 3]");
    assert!(error.help().is_some());
    let m = Function::new("m", &g).build().unwrap();
    let error = m.set_data(Array1::<f32>::zeros(12)).unwrap_err();
    assert_eq!(error.to_string(), "`m` holds data of shape [3, 4], not [12]");
    assert_eq!(m.at(0).unwrap_err().code(), "data::no_time");
    assert_eq!(u.set_at(0, Array1::<f32>::zeros(4)).unwrap_err().code(), "data::wrong_shape");
    let error = Data::from_vec(&[2, 2], vec![1.0_f32; 5]).unwrap_err();
    assert_eq!(error.code(), "data::wrong_length");
    assert_eq!(error.to_string(), "an array of shape [2, 2] has 4 value(s), but 5 were given");
    assert_eq!(Data::try_from((vec![2], vec![0.0_f64])).unwrap_err().code(), "data::wrong_length");
    assert_eq!(Data::zeros(DType::F64, &[usize::MAX, 2]).unwrap_err().code(), "memory::too_large");
    assert_eq!(Data::zeros(DType::F64, &[1 << 57]).unwrap_err().code(), "memory::allocation");
}

#[test]
fn what_does_not_fit_into_memory_is_an_error() {
    let u = TimeFunction::new("u", &Grid::new([1 << 20, 1 << 20])).save(1 << 30).build().unwrap();
    assert_eq!(u.data().unwrap_err().code(), "memory::too_large");
    let u = TimeFunction::new("u", &Grid::new([1 << 20, 1 << 20])).save(1 << 10).build().unwrap();
    assert_eq!(u.fill(0.0).unwrap_err().code(), "memory::allocation");
    assert_eq!(Dense::new("u", DType::F32, &[usize::MAX], 2, 1).unwrap_err().code(), "memory::too_large");
    assert_eq!(Dense::new("u", DType::F32, &[4], usize::MAX, 1).unwrap_err().code(), "memory::too_large");
    assert_eq!(Dense::new("u", DType::F32, &[], 2, 1).unwrap_err().code(), "run::internal");
    assert_eq!(Dense::new("u", DType::F32, &[4, 0], 2, 1).unwrap_err().code(), "run::internal");
}

#[test]
fn data_compare_and_print() {
    let a = Data::from(vec![1.0_f32, -2.0, 0.5]);
    assert_eq!(a.to_string(), "[1, -2, 0.5]");
    assert_eq!(format!("{a:?}"), "f32 [3]\n[1, -2, 0.5]");
    assert_eq!((a.min(), a.max(), a.len(), a.dtype()), (-2.0, 1.0, 3, DType::F32));
    assert_ne!(a, Data::from(a.to_f64()), "another type");
    assert_eq!(a, Ok(a.clone()));
    assert_ne!(a, Err::<Data, _>(RuntimeError::Empty { name: "u".into() }));
    assert_eq!(Data::from(vec![0.0_f32]), Data::from(vec![-0.0_f32]));
    let nan = Data::from(vec![1.0, f64::NAN, 2.0]);
    assert_ne!(nan, nan.clone());
    assert!(nan.min().is_nan() && nan.max().is_nan());
    assert_eq!(a.get(&[3]), None);
    assert_eq!(a.get(&[0, 0]), None);
    assert!(a.as_f64().is_none() && a.level(3).is_none());
}

#[test]
fn sparse_values() {
    let g = grid();
    let src = SparseTimeFunction::new("src", &g).steps(3).coordinates([[5.0, 5.0]]).build().unwrap();
    src.set_data(vec![1.0_f32, 2.0, 3.0]).unwrap();
    assert_eq!(
        src.data().unwrap(),
        Data::from(Array2::from_shape_vec((3, 1), vec![1.0_f32, 2.0, 3.0]).unwrap())
    );
    src.set_data(vec![4.0_f32]).unwrap();
    assert_eq!(src.data().unwrap().min(), 4.0);
    let rec = SparseTimeFunction::new("rec", &g).steps(3).points(2).build().unwrap();
    rec.set_data(vec![1.0_f64, 2.0]).unwrap();
    assert_eq!(rec.data().unwrap().iter().collect::<Vec<_>>(), [1.0, 2.0, 1.0, 2.0, 1.0, 2.0]);
    rec.set_data(Array2::from_shape_fn((3, 2), |(i, j)| (i * 2 + j) as f32)).unwrap();
    assert_eq!(rec.data().unwrap().get(&[2, 1]), Some(5.0));
    let error = rec.set_data(vec![0.0_f32; 3]).unwrap_err();
    assert_eq!(error.to_string(), "`rec` holds data of shape [3, 2] or [2], not [3]");
    let p = SparseFunction::new("none", &g).points(0).build().unwrap();
    p.set_data(Vec::<f32>::new()).unwrap();
    p.fill(1.0).unwrap();
    assert!(p.data().unwrap().is_empty() && values_of(&p).is_ok());
}
