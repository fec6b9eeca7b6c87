//! Memory: what a run needs, arrays of the caller's, expressions as initial values, numbers from fields.

use crate::{DTYPES, both};
use ndarray::Array2;
use std::ptr::NonNull;
use wavefold::prelude::*;
use wavefold::{Result, operator::MemoryUse};

/// A heat equation on memory of the caller's gives the bits that it gives on memory of its own.
#[test]
fn arrays_of_the_caller_are_used_without_a_copy() -> Result<()> {
    both(|backend| {
        let grid = Grid::new([13, 18]);
        let tight = TimeFunction::new("u", &grid).space_order(4).tight().build()?;
        let own = TimeFunction::new("u", &grid).space_order(4).build()?;
        let first = |i: &[usize]| (0.3 * i[0] as f64).sin() + 0.1 * i[1] as f64;
        own.set_with(first)?;
        let mut values = vec![0.0_f32; 2 * 21 * 26];
        for (k, v) in values.iter_mut().enumerate() {
            let (i, j) = (k / 26 % 21, k % 26);
            if (4..17).contains(&i) && (4..22).contains(&j) {
                *v = first(&[i - 4, j - 4]) as f32;
            }
        }
        let start = values.as_ptr();
        tight.wrap(Data::from_vec(&[2, 21, 26], values)?)?;
        for u in [&tight, &own] {
            let heat = Operator::new([eq(u.forward(), u + 0.05 * u.laplace())])?;
            heat.apply().time_max(6).backend(backend).run()?;
        }
        assert_eq!(tight.data()?, own.data()?);
        let wide = own.data_with_halo()?;
        let back = tight.take()?;
        assert_eq!(back, wide);
        assert_eq!(back.as_f32().map(|a| a.as_ptr()), Some(start), "the same memory");
        assert_eq!(tight.data()?.norm(), 0.0, "fresh memory");
        Ok(())
    })
}

#[test]
fn memory_that_stays_the_callers_is_written_in_place() -> Result<()> {
    both(|backend| {
        let grid = Grid::new([5, 3]).with_dtype(DType::F64);
        let f = Function::new("f", &grid).space_order(0).tight().build()?;
        let mut values = vec![1.5_f64; 15];
        let start = NonNull::new(values.as_mut_ptr()).expect("of a vector");
        // SAFETY: `values` outlives the use of `f`, and is not touched meanwhile.
        unsafe { f.wrap_raw(start, 15) }?;
        Operator::new([eq(&f, &f * 2.0 + grid.index(Dim::Y))])?.apply().backend(backend).run()?;
        assert_eq!(f.take()?.get(&[4, 2]), Some(5.0), "a copy");
        assert_eq!(values[..4], [3.0, 4.0, 5.0, 3.0]);
        Ok(())
    })
}

#[test]
fn memory_that_does_not_fit_is_refused_and_nothing_is_lost() -> Result<()> {
    let grid = Grid::new([4, 6]);
    let f = Function::new("f", &grid).space_order(2).tight().build()?;
    f.fill(3.0)?;
    let padded = Function::new("g", &grid).build()?;
    let code = |r: std::result::Result<(), RuntimeError>| r.unwrap_err().code();
    assert_eq!(code(padded.wrap(Array2::<f32>::zeros((8, 10)))), "data::cannot_wrap");
    assert_eq!(code(f.wrap(Array2::<f64>::zeros((8, 10)))), "data::cannot_wrap");
    assert_eq!(code(f.wrap(Array2::<f32>::zeros((4, 6)))), "data::wrong_shape");
    let columns = Array2::<f32>::zeros((10, 8)).reversed_axes();
    assert_eq!(code(f.wrap(columns)), "data::cannot_wrap");
    let mut values = [0.0_f32; 81];
    let start = NonNull::from(&mut values[0]);
    // SAFETY: refused, so never used.
    assert_eq!(code(unsafe { f.wrap_raw(start, 79) }), "data::cannot_wrap");
    assert_eq!(f.data()?.min(), 3.0);
    Ok(())
}

/// What is estimated before a run is what the run then has.
#[test]
fn memory_is_estimated_before_there_is_any() -> Result<()> {
    for dtype in DTYPES {
        let (nt, size) = (20, dtype.size() as u64);
        let grid = Grid::new([30, 40]).with_dtype(dtype);
        let u = TimeFunction::new("u", &grid).space_order(4).build()?;
        let all = TimeFunction::new("all", &grid).save(nt).compression(Noop).build()?;
        let some = TimeFunction::new("some", &grid)
            .save(5)
            .save_every(4)
            .compression(Quantize { nbits: 8 })
            .build()?;
        let rec = SparseTimeFunction::new("rec", &grid).coordinates([[3.5, 7.2]; 7]).steps(nt).build()?;
        let op = Operator::new([
            eq(u.forward(), &u + 0.1 * u.laplace()),
            eq(&all, &u),
            eq(&some, &u),
            rec.interpolate(&u),
        ])?;
        let e = op.apply().time_max(nt - 1).estimate_memory()?;
        let (field, points) = (e.of("u").expect("a field"), e.of("rec").expect("points"));
        assert!(field.bytes >= 2 * 38 * 48 * size && field.bytes < 2 * 45 * 80 * size, "{e}");
        assert_eq!(points.bytes, 7 * (20 * size + 4 * (8 + size)));
        let history = e.of("all").expect("a history");
        assert_eq!((history.raw_bytes, history.bytes), (20 * 1200 * size, 20 * 1200 * size));
        let sampled = e.of("some").expect("a history");
        assert_eq!(sampled.raw_bytes, 5 * 1200 * size);
        assert!(sampled.bytes < sampled.raw_bytes / 4);
        assert!(e.bytes() < e.raw_bytes() && e.to_string().contains("some"), "{e}");

        let shorter = op.apply().time_max(9).nbits(16).estimate_memory()?;
        assert_eq!(shorter.of("all").expect("a history").raw_bytes, 10 * 1200 * size);
        let MemoryUse::History { codec, snapshots, .. } = shorter.of("some").expect("a history").used else {
            panic!("no history");
        };
        assert_eq!((codec, snapshots), (Quantize { nbits: 16 }, 3));
        assert_eq!(op.apply().nbits(99).estimate_memory().unwrap_err().code(), "compress::nbits_range");

        // Of a history that is there, the bytes are known.
        u.set_with(|i| (0.1 * i[0] as f64).sin())?;
        op.apply().run()?;
        let image = Function::new("image", &grid).build()?;
        let read = Operator::new([inc(&image, some.dx())])?.estimate_memory()?;
        assert_eq!(read.of("some").expect("it is read").bytes, some.compression_info()?.bytes as u64);
    }
    // A billion points and three thousand steps: nothing is allocated.
    let grid = Grid::new([1000, 1000, 1000]);
    let u = TimeFunction::new("u", &grid).time_order(2).space_order(8).build()?;
    let save =
        TimeFunction::new("save", &grid).save(3000).compression(Wavelet { compscale: 1e-2 }).build()?;
    let op = Operator::new([eq(u.forward(), 2.0 * &u - u.backward() + 0.1 * u.laplace()), eq(&save, &u)])?;
    let e = op.estimate_memory()?;
    assert!(e.raw_bytes() > 12_000_000_000_000 && e.bytes() < 1_000_000_000_000, "{e}");
    Ok(())
}

#[test]
fn expressions_are_initial_values() -> Result<()> {
    let grid = Grid::new([6, 4]).with_spacing([2.0, 3.0]).with_origin([1.0, -2.0]).with_dtype(DType::F64);
    let m = Function::new("values_", &grid).build()?;
    m.set_with(|i| i[0] as f64)?;
    let c = Constant::new("c", 0.5);
    let u = TimeFunction::new("u", &grid).save(3).build()?;
    initialise(&u, &c * &m * grid.position(Dim::Y) + grid.position(Dim::X))?;
    let wanted = |i: usize, j: usize| 0.5 * i as f64 * (3.0 * j as f64 - 2.0) + 2.0 * i as f64 + 1.0;
    for n in 0..3 {
        assert_eq!(u.at(n)?.get(&[4, 3]), Some(wanted(4, 3)));
    }
    // Between the nodes, a function is the mean of its neighbours.
    let half = Function::new("half", &grid).staggered(Dim::X).build()?;
    initialise(&half, &m)?;
    assert_eq!(half.data()?.get(&[2, 0]), Some(2.5));
    let part = SubDomain::new("part", &grid).left(Dim::X, 2);
    let stored = Function::new("stored", &grid).on(&part).build()?;
    initialise(&stored, 7.0)?;
    assert_eq!((stored.data()?.shape().to_vec(), stored.data()?.min()), (vec![2, 4], 7.0));
    let save = TimeFunction::new("save", &grid).save(3).compression(Noop).build()?;
    assert_eq!(initialise(&save, 1.0).unwrap_err().code(), "store::data_of_compressed");
    Ok(())
}

#[test]
fn expressions_are_measured() -> Result<()> {
    both(|backend| {
        for dtype in DTYPES {
            let grid = Grid::new([7, 9]).with_dtype(dtype);
            let u = TimeFunction::new("u", &grid).space_order(2).build()?;
            let v = Function::new("v", &grid).build()?;
            u.set_with(|i| i[0] as f64 - 2.0 * i[1] as f64)?;
            v.set_with(|i| (i[0] * i[1]) as f64)?;
            let points = || (0..7).flat_map(|i| (0..9).map(move |j| (i as f64, j as f64)));
            let sum = |f: &dyn Fn(f64, f64) -> f64| points().map(|(i, j)| f(i, j)).sum::<f64>();
            let get = |m: Measure| m.backend(backend).value();
            assert_eq!(get(total(&u))?, sum(&|i, j| i - 2.0 * j));
            assert_eq!((get(minimum(&u))?, get(maximum(&u))?), (-16.0, 6.0));
            assert_eq!(get(inner(&u, &v))?, sum(&|i, j| (i - 2.0 * j) * i * j));
            assert_eq!(get(norm(&v))?, sum(&|i, j| (i * j).powi(2)).sqrt());
            let top = SubDomain::new("top", &grid).left(Dim::X, 1);
            assert_eq!(get(total(&u).on(&top))?, -72.0);
            // Level 1 is another slot; the rate of change needs `dt`.
            u.set_at(1, vec_of(dtype, 1.0)?)?;
            assert_eq!(get(total(&u).time(1))?, 63.0);
            assert_eq!(get(maximum(u.dt()).dt(0.5))?, 34.0);
            assert_eq!(get(total(1.0)).unwrap_err().code(), "measure::no_function");
            assert_eq!(get(total(u.dt())).unwrap_err().code(), "time::no_step");
        }
        Ok(())
    })
}

fn vec_of(dtype: DType, value: f64) -> Result<Data> {
    Ok(match dtype {
        DType::F32 => Data::from_vec(&[7, 9], vec![value as f32; 63])?,
        DType::F64 => Data::from_vec(&[7, 9], vec![value; 63])?,
    })
}

/// Weights of the user's own: those of linear interpolation give what it gives; others move values as they say.
#[test]
fn weights_of_the_users_own_move_values() -> Result<()> {
    both(|backend| {
        let grid = Grid::new([6, 8]).with_dtype(DType::F64);
        let u = TimeFunction::new("u", &grid).build()?;
        u.set_with(|i| (i[0] * 10 + i[1]) as f64)?;
        let linear = SparseTimeFunction::new("linear", &grid)
            .coordinates([[1.25, 2.5], [4.0, 7.0]])
            .steps(3)
            .build()?;
        let own = SparseTimeFunction::new("own", &grid)
            .weights(2, [[1, 2], [4, 6]], [0.75, 0.25, 0.5, 0.5, 1.0, 0.0, 0.0, 1.0])
            .steps(3)
            .build()?;
        // Three points wide, and over the edge.
        let wide = SparseFunction::new("wide", &grid)
            .weights(3, [[-1, 6]], [0.5, 1.0, -0.5, 2.0, 1.0, 100.0])
            .build()?;
        wide.fill(3.0)?;
        let image = Function::new("image", &grid).build()?;
        let op = Operator::new([linear.interpolate(&u), own.interpolate(&u), wide.inject(&image, &wide)])?;
        op.apply().time_min(0).time_max(0).backend(backend).run()?;
        assert_eq!(linear.data()?, own.data()?);
        assert_eq!(own.data()?.get(&[0, 0]), Some(15.0));
        let image = image.data()?.to_f64();
        assert_eq!((image[[0, 6]], image[[0, 7]], image[[1, 6]], image[[1, 7]]), (6.0, 3.0, -3.0, -1.5));
        assert_eq!(image.sum(), 4.5);
        assert_eq!(own.set_coordinates([[0.0, 0.0]; 2]).unwrap_err().code(), "sparse::no_coordinates");
        Ok(())
    })
}

/// Tables of points are kept between runs, and made anew when the points move.
#[test]
fn points_that_were_moved_are_found_again() -> Result<()> {
    both(|backend| {
        let grid = Grid::new([9, 9]).with_dtype(DType::F64);
        let f = Function::new("f", &grid).build()?;
        f.set_with(|i| (i[0] * 100 + i[1]) as f64)?;
        let p = SparseFunction::new("pts", &grid).coordinates([[2.0, 3.0]]).build()?;
        let op = Operator::new([p.interpolate(&f)])?;
        for (x, y) in [(2.0, 3.0), (2.0, 3.0), (5.0, 1.5), (2.0, 3.0)] {
            p.set_coordinates([[x, y]])?;
            op.apply().backend(backend).run()?;
            assert_eq!(p.data()?.get(&[0]), Some(100.0 * x + y));
        }
        Ok(())
    })
}
