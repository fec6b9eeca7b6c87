//! Odd programs on which both backends must agree, at any number of threads, bit for bit.

use crate::{backends, grid, saved};
use wavefold::prelude::*;

/// Runs `program` with every backend and number of threads; all must leave the same bits.
fn agreed(
    shape: &[usize],
    dtype: DType,
    program: impl Fn(&TimeFunction, &Function) -> Vec<Equation>,
) -> Vec<Data> {
    let mut first: Option<Vec<Data>> = None;
    for (backend, threads) in backends().into_iter().flat_map(|b| [(b, 1), (b, 2), (b, 5)]) {
        let g = Grid::new(shape.to_vec()).with_dtype(dtype);
        let u = TimeFunction::new("u", &g).space_order(4).build().unwrap();
        let m = Function::new("m", &g).space_order(4).build().unwrap();
        u.set_with(|at| at.iter().fold(0.1, |v, i| v * 1.3 + *i as f64 * 0.21).cos()).unwrap();
        m.set_with(|at| at.iter().fold(0.7, |v, i| v * 1.1 + *i as f64 * 0.17).sin()).unwrap();
        let op = Operator::new(program(&u, &m)).unwrap();
        op.apply().time_min(0).time_max(3).dt(0.1).backend(backend).threads(threads).run().unwrap();
        let found = vec![u.data().unwrap(), m.data().unwrap()];
        let bits = |all: &[Data]| all.iter().flat_map(Data::iter).map(plain_bits).collect::<Vec<u64>>();
        match &first {
            None => first = Some(found),
            Some(first) => assert!(bits(first) == bits(&found), "{backend} with {threads} threads differs"),
        }
    }
    first.unwrap()
}

/// One pattern for all NaN.
fn plain_bits(v: f64) -> u64 {
    if v.is_nan() { u64::MAX } else { v.to_bits() }
}

#[test]
fn in_place_stencils() {
    for shape in [&[97][..], &[40, 33], &[9, 10, 11]] {
        // Each point reads what the points before it have become.
        agreed(shape, DType::F64, |u, m| {
            vec![eq(u.forward(), u + 0.1), eq(m, m.shift(Dim::X, -1) + 0.5 * m)]
        });
        agreed(shape, DType::F64, |u, m| vec![eq(u.forward(), u + 0.1), eq(m, m.shift(Dim::X, 1) - 0.5 * m)]);
        agreed(shape, DType::F64, |u, m| vec![eq(u.forward(), u + m), eq(m, m + 0.01 * m.laplace())]);
        agreed(shape, DType::F64, |u, m| vec![eq(u.forward(), u + 0.2 * u.forward().laplace() + m)]);
    }
}

#[test]
fn in_place_along_one_dimension_is_a_running_sum() {
    let found =
        agreed(&[6], DType::F64, |u, m| vec![eq(u.forward(), u * 1.0), eq(m, m.shift(Dim::X, -1) + 1.0)]);
    assert_eq!(found[1].to_f64().into_raw_vec_and_offset().0, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
}

#[test]
fn numbers_at_the_ends_of_the_range() {
    for dtype in [DType::F32, DType::F64] {
        for number in [
            1e300,
            -1e300,
            1e-300,
            1e-45,
            1e-40,
            3.4e38,
            3.5e38,
            f64::MAX,
            f64::MIN_POSITIVE,
            -0.0,
            16777217.0,
        ] {
            agreed(&[9], dtype, |u, m| {
                vec![eq(u.forward(), u * number + m), eq(m, m / (u.abs() + 1.0) + number)]
            });
        }
    }
}

#[test]
fn functions_outside_of_their_domain() {
    for dtype in [DType::F32, DType::F64] {
        agreed(&[7, 9], dtype, |u, m| {
            vec![
                eq(u.forward(), u.sqrt() + m.log() + (u - 2.0).pow(0.5) + m.pow(-1.0) + 1.0 / (u - u)),
                inc(m, u.pow(m) + (u * 1e30).exp() + (m * 1e30).sin() + (u * 1e9).floor() + m.pow(17.0)),
            ]
        });
    }
}

#[test]
fn increments_of_what_is_read() {
    agreed(&[30, 7], DType::F32, |u, m| {
        vec![
            inc(u.forward(), u + m),
            inc(m, u.forward() * 0.5),
            eq(u.forward(), u.forward() - m),
            inc(u.forward(), m),
        ]
    });
}

#[test]
fn a_saved_function_that_makes_itself() {
    for backend in backends() {
        let usave = saved("usave", &grid(), 5);
        let op = Operator::new([eq(usave.forward(), &usave + 1.0)]).unwrap();
        let s = op.apply().backend(backend).run().unwrap();
        assert_eq!((s.time_m, s.time_max), (0, 3));
        for n in 0..5 {
            assert_eq!(usave.at(n).unwrap().min(), n as f64);
        }
    }
}

#[test]
fn operators_of_any_name() {
    let long = "k".repeat(3000);
    for name in ["", "1", "größe", "int", "main", "printf", "exit", "a b;}", "memcpy", "u", long.as_str()] {
        for backend in backends() {
            let u = TimeFunction::new("u", &Grid::new([3])).build().unwrap();
            let op = Operator::named(name, [eq(u.forward(), &u + 1.0)]).unwrap();
            op.apply()
                .time_min(0)
                .time_max(0)
                .backend(backend)
                .run()
                .unwrap_or_else(|e| panic!("{name}: {e:?}"));
            assert_eq!(u.at(1).unwrap().max(), 1.0);
        }
    }
    let u = TimeFunction::new(long, &Grid::new([3])).build().unwrap();
    for backend in backends() {
        Operator::new([eq(u.forward(), &u + 1.0)])
            .unwrap()
            .apply()
            .time_max(0)
            .backend(backend)
            .run()
            .unwrap();
    }
}
