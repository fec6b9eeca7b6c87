//! Sizes beyond memory, values at the ends of the number range, names, expressions of any size.

use crate::{CODECS, backends, compressed, counting, grid, saved, time};
use wavefold::prelude::*;

/// Whether the message is one about memory.
fn is_about_memory<T: std::fmt::Debug>(refused: wavefold::Result<T>) {
    let error = refused.unwrap_err();
    assert!(["memory::allocation", "memory::too_large"].contains(&error.code()), "{error:?}");
}

#[test]
fn grid_beyond_memory() {
    let g = Grid::new([1 << 20, 1 << 20, 1 << 10]);
    for backend in backends() {
        let (u, usave) = (time("u", &g), compressed("usave", &g, 4));
        is_about_memory(u.data().map_err(Into::into));
        is_about_memory(u.set_data(vec![0.0_f32]).map_err(Into::into));
        is_about_memory(u.fill(1.0).map_err(Into::into));
        is_about_memory(counting(&u, &usave).apply().time_max(3).backend(backend).run());
        // Nothing was begun.
        assert_eq!(usave.compression_info().unwrap().state, wavefold::runtime::State::Empty);
        let src = SparseTimeFunction::new("src", &g).steps(4).coordinates([[0.0, 0.0, 0.0]]).build().unwrap();
        let op = Operator::new([eq(u.forward(), u.laplace()), src.inject(u.forward(), &src)]).unwrap();
        is_about_memory(op.apply().backend(backend).run());
    }
}

#[test]
fn grids_at_the_end_of_the_numbers() {
    for shape in [vec![1 << 59], vec![1 << 30, 1 << 29], vec![1 << 20, 1 << 20, 1 << 19], vec![1, 1 << 52]] {
        for backend in backends() {
            let g = Grid::new(shape.clone());
            if g.check().is_err() {
                continue;
            }
            let u = TimeFunction::new("u", &g).space_order(64).build().unwrap();
            let op = Operator::new([eq(u.forward(), u.laplace())]).unwrap();
            is_about_memory(op.apply().time_max(1).backend(backend).run());
        }
    }
}

#[test]
fn more_snapshots_than_memory() {
    for count in [1 << 40, usize::MAX / 8, usize::MAX] {
        let g = grid();
        let (u, plain, packed) = (time("u", &g), saved("plain", &g, count), compressed("packed", &g, count));
        is_about_memory(plain.data().map_err(Into::into));
        is_about_memory(counting(&u, &plain).apply().time_max(3).run());
        // A compressed history costs what is written.
        counting(&u, &packed).apply().time_max(3).backend(Backend::Cranelift).run().unwrap();
        assert_eq!(decompress_step(&packed, 3).unwrap().max(), 3.0);
        assert_eq!(decompress(&packed).unwrap_err().code(), "store::missing_step");
        assert_eq!(decompress_step(&packed, count - 1).unwrap_err().code(), "store::missing_step");
        let v = time("v", &g);
        let back = Operator::new([eq(v.backward(), &v + &packed)]).unwrap();
        let s = back.apply().backend(Backend::Cranelift).run().unwrap();
        assert_eq!((s.time_m, s.time_max), (0, 3));
    }
}

#[test]
fn distances_of_snapshots_beyond_all_steps() {
    for every in [1 << 33, usize::MAX] {
        for backend in backends() {
            let u = time("u", &grid());
            let usave = TimeFunction::new("usave", &grid())
                .save(2)
                .save_every(every)
                .compression(Noop)
                .build()
                .unwrap();
            let s = counting(&u, &usave).apply().time_min(0).time_max(5).backend(backend).run().unwrap();
            assert_eq!(s.compression_of("usave").unwrap().snapshots, 1);
            assert_eq!((u.at(6).unwrap().min(), decompress_step(&usave, 0).unwrap().max()), (6.0, 0.0));
        }
    }
}

#[test]
fn sources_with_more_steps_than_memory() {
    for steps in [1 << 45, usize::MAX] {
        let u = time("u", &grid());
        let src = SparseTimeFunction::new("src", &grid()).points(1).steps(steps).build().unwrap();
        is_about_memory(src.data().map_err(Into::into));
        let op = Operator::new([eq(u.forward(), &u + 0.0), src.inject(u.forward(), &src)]).unwrap();
        is_about_memory(op.apply().time_max(3).run());
    }
}

/// A slice of these values through each codec and back, in a run.
fn round_trip(values: &[f64], dtype: DType, codec: Compression) -> wavefold::Result<Vec<f64>> {
    let g = Grid::new([values.len()]).with_dtype(dtype);
    let u = TimeFunction::new("u", &g).build()?;
    u.set_with(|at| values[at[0]])?;
    let usave = TimeFunction::new("usave", &g).save(1).compression(codec).build()?;
    let op = Operator::new([eq(u.forward(), &u + 0.0), eq(&usave, &u)])?;
    op.apply().time_min(0).time_max(0).backend(Backend::Cranelift).measure_errors().run()?;
    Ok(decompress_step(&usave, 0)?.iter().collect())
}

fn check_round_trip(values: &[f64], dtype: DType) {
    let held = |v: f64| if dtype == DType::F32 { f64::from(v as f32) } else { v };
    let values: Vec<f64> = values.iter().map(|v| held(*v)).collect();
    let (low, high) = values.iter().fold((f64::MAX, f64::MIN), |(l, h), v| (l.min(*v), h.max(*v)));
    let rms = (values.iter().map(|v| (v / high.abs().max(low.abs())).powi(2)).sum::<f64>()
        / values.len() as f64)
        .sqrt()
        * high.abs().max(low.abs());
    for codec in CODECS {
        let found =
            round_trip(&values, dtype, codec).unwrap_or_else(|e| panic!("{codec} {dtype} {values:?}: {e:?}"));
        let bound = match codec {
            Noop => 0.0,
            Quantize { nbits } => (high / ((1 << nbits) - 1) as f64) - (low / ((1 << nbits) - 1) as f64),
            // The rms of the error is at most compscale x rms; one point may take it all.
            LappedSnr { snr } => 10f64.powf(-snr / 20.0) * rms * (values.len() as f64).sqrt() * 4.0,
            Wavelet { compscale } | Lapped { compscale } => {
                compscale * rms * (values.len() as f64).sqrt() * 4.0
            }
        };
        for (a, b) in found.iter().zip(&values) {
            // Half a unit in the last place of the end of the range comes with the arithmetic of the type.
            let unit = if dtype == DType::F32 { 1.2e-7 } else { 2.3e-16 };
            let slack = if codec == Noop { 0.0 } else { unit * high.abs().max(low.abs()) };
            assert!((a - b).abs() <= bound + slack, "{codec} {dtype}: {a:e}, not {b:e}, within {bound:e}");
        }
    }
}

#[test]
fn values_at_the_ends_of_single_precision() {
    let n = 70;
    let wave = |scale: f64| (0..n).map(|i| scale * (0.3 * f64::from(i)).sin()).collect::<Vec<f64>>();
    for scale in [3e38, 1e38, 1e30, 1.0, 1e-30, 1.2e-38, 1e-40, 1e-44] {
        check_round_trip(&wave(scale), DType::F32);
    }
    let mut spike = vec![0.0; 70];
    spike[35] = 3.4e38;
    check_round_trip(&spike, DType::F32);
    spike[36] = -3.4e38;
    check_round_trip(&spike, DType::F32);
    spike[35] = 1e-45;
    spike[36] = 0.0;
    check_round_trip(&spike, DType::F32);
}

#[test]
fn values_at_the_ends_of_double_precision() {
    let n = 70;
    let wave = |scale: f64| (0..n).map(|i| scale * (0.3 * f64::from(i)).sin()).collect::<Vec<f64>>();
    for scale in [1e308, 1e300, 1e155, 1.0, 1e-155, 1e-300, 2.3e-308, 1e-310, 1e-322] {
        check_round_trip(&wave(scale), DType::F64);
    }
    let mut spike = vec![0.0; 70];
    spike[0] = f64::MAX;
    spike[69] = f64::MIN;
    check_round_trip(&spike, DType::F64);
}

/// Without compression NaN and infinity are values like any other.
#[test]
fn nan_passes_through_an_uncompressed_run() {
    for backend in backends() {
        let g = grid();
        let (u, usave) = (time("u", &g), saved("usave", &g, 3));
        u.set_with(|at| {
            if at == [1, 1] {
                f64::NAN
            } else if at == [3, 4] {
                f64::INFINITY
            } else {
                1.0
            }
        })
        .unwrap();
        let op = Operator::new([eq(u.forward(), &u + 1.0), eq(&usave, &u)]).unwrap();
        op.apply().time_min(0).time_max(2).backend(backend).run().unwrap();
        for snapshot in 0..3 {
            for (i, v) in usave.at(snapshot).unwrap().iter().enumerate() {
                match i {
                    6 => assert!(v.is_nan()),
                    19 => assert_eq!(v, f64::INFINITY),
                    _ => assert_eq!(v, 1.0 + snapshot as f64),
                }
            }
        }
    }
}

/// Names that mean something to a C compiler, to its headers, or to the generated code.
#[test]
fn names_that_c_might_take() {
    let names = [
        "linux",
        "unix",
        "NULL",
        "INFINITY",
        "NAN",
        "M_PI",
        "EOF",
        "I",
        "errno",
        "stdin",
        "assert",
        "sin",
        "exp",
        "fmax",
        "memcpy",
        "malloc",
        "time",
        "time_m",
        "time_M",
        "time_max",
        "ctx",
        "context",
        "host",
        "kernel",
        "wf",
        "f0",
        "s0",
        "t0",
        "t1",
        "n_x",
        "x0",
        "x_m",
        "x_M",
        "i",
        "j",
        "k",
        "r0",
        "v0",
        "threads",
        "status",
        "fields",
        "scalars",
        "float32_t",
        "int64_t",
        "size_t",
        "uint8_t",
        "_Bool",
        "_",
        "__",
        "_1",
        "omp",
        "pragma",
        "define",
        "__FILE__",
        "__LINE__",
        "__x86_64__",
        "min",
        "max",
        "abs",
        "inline_",
        "u_",
        "p_src",
        "step",
        "store",
        "ticket",
        "slot",
    ];
    for chunk in names.chunks(8) {
        let g = Grid::new([6]);
        let declared: Vec<TimeFunction> =
            chunk.iter().filter_map(|name| TimeFunction::new(*name, &g).build().ok()).collect();
        let scale = Constant::new("scale", 2.0);
        let equations: Vec<Equation> =
            declared.iter().map(|u| eq(u.forward(), u + 1.0 + &scale * u.dx().sin() * 0.0)).collect();
        for backend in backends() {
            declared.iter().for_each(|u| u.fill(0.0).unwrap());
            let op = Operator::named(chunk[0], equations.clone()).unwrap();
            op.apply()
                .time_min(0)
                .time_max(1)
                .backend(backend)
                .run()
                .unwrap_or_else(|e| panic!("{chunk:?} {e:?}"));
            for u in &declared {
                assert_eq!(u.at(2).unwrap().max(), 2.0, "{backend} {}", u.name());
            }
        }
    }
}

#[test]
fn constants_of_any_name() {
    for name in ["linux", "INFINITY", "time_m", "t0", "M_PI", "h", "errno"] {
        let (u, c) = (time("u", &Grid::new([3])), Constant::new(name, 1.5));
        for backend in backends() {
            u.fill(0.0).unwrap();
            let op = Operator::new([eq(u.forward(), &u + &c)]).unwrap();
            op.apply()
                .time_min(0)
                .time_max(0)
                .backend(backend)
                .run()
                .unwrap_or_else(|e| panic!("{name} {e:?}"));
            assert_eq!(u.at(1).unwrap().min(), 1.5);
        }
    }
}

/// Thousands of terms, nesting at the limit, and a shared part in exponentially many places.
#[test]
fn expressions_of_any_size() {
    let u = TimeFunction::new("u", &Grid::new([4])).dtype(DType::F64).build().unwrap();
    u.fill(1.0).unwrap();
    let wide = (0..3000).fold(u.expr(), |e, i| e + &u * (1.0 / f64::from(1 + i)));
    let sum: f64 = 1.0 + (0..3000).map(|i| 1.0 / f64::from(1 + i)).sum::<f64>();
    for backend in backends() {
        let op = Operator::new([eq(u.forward(), wide.clone())]).unwrap();
        op.apply().time_min(0).time_max(0).backend(backend).run().unwrap();
        assert!((u.at(1).unwrap().max() - sum).abs() < 1e-9);
    }
    let deep = (0..198).fold(u.expr(), |e, _| e.tanh());
    let op = Operator::new([eq(u.forward(), deep)]).unwrap();
    for backend in backends() {
        op.apply().time_min(0).time_max(0).backend(backend).run().unwrap();
    }
    drop((0..1_000_000).fold(u.expr(), |e, _| e.sin()));
}

#[test]
fn handles_dropped_while_others_live() {
    for backend in backends() {
        let (op, u) = {
            let g = grid();
            let (u, m) = (time("u", &g), Function::new("m", &g).build().unwrap());
            m.fill(3.0).unwrap();
            let op = Operator::new([eq(u.forward(), &u + &m)]).unwrap();
            (op, u)
        };
        let clone = op.clone();
        drop(op);
        clone.apply().time_min(0).time_max(1).backend(backend).run().unwrap();
        drop(clone);
        assert_eq!(u.at(2).unwrap().max(), 6.0);

        let usave = crate::written(4, 0, 3);
        let v = time("v", usave.grid());
        let back = Operator::new([eq(v.backward(), &v + &usave)]).unwrap();
        drop(usave);
        back.apply().time_min(0).time_max(3).backend(backend).run().unwrap();
        assert_eq!(v.at(1).unwrap().max().max(v.at(0).unwrap().max()), 6.0);
    }
}

/// Whatever is built from odd numbers is refused or runs; it never panics. Returns the codes of the refusals.
fn refusals(expressions: Vec<Expr>, u: &TimeFunction) -> Vec<String> {
    let run = |e: Expr| -> wavefold::Result<()> {
        let _ = e.to_string();
        let op = Operator::new([eq(u.forward(), e)])?;
        op.apply().time_min(0).time_max(1).dt(0.1).backend(Backend::Cranelift).run()?;
        Ok(())
    };
    expressions.into_iter().map(|e| run(e).map_or_else(|e| e.code().into(), |()| "runs".into())).collect()
}

#[test]
fn derivatives_of_odd_degree_and_dimension() {
    let u = time("u", &grid());
    let expressions = vec![
        u.d(Dim::Space(7), 2),
        u.d(Dim::Space(usize::MAX), 1),
        u.d(Dim::X, 0),
        u.d(Dim::X, 3),
        u.d(Dim::X, 60),
        u.d(Dim::X, u32::MAX),
        u.d(Dim::Time, 0),
        u.d(Dim::Time, 3),
        u.d(Dim::Time, u32::MAX),
        u.d(Dim::X, 1000).T(),
        u.dx2().dx2().dx2().dx2(),
        Expr::from(2.0).dx(),
        Expr::from(2.0).laplace() + &u,
        Expr::from(1.0).dt(),
        grid().h(7) * &u,
        grid().h(usize::MAX) * &u,
        u.biharmonic().T().T(),
    ];
    insta_list("derivatives", &expressions, refusals(expressions.clone(), &u));
}

#[test]
fn shifts_beyond_all_numbers() {
    let u = time("u", &grid());
    let expressions = vec![
        u.shift(Dim::X, i32::MAX),
        u.shift(Dim::X, i32::MIN),
        u.shift(Dim::X, i32::MAX).shift(Dim::X, i32::MAX),
        u.shift(Dim::X, i32::MIN).shift(Dim::X, -1),
        u.shift(Dim::X, i32::MAX).dx2(),
        u.shift(Dim::Space(9), 1),
        u.shift(Dim::Space(9), i32::MIN).shift(Dim::Space(9), i32::MIN),
        u.forward_by(i32::MAX),
        u.forward_by(i32::MAX).forward(),
        u.backward_by(i32::MIN),
        u.backward_by(i32::MAX).backward().backward(),
        u.forward_by(i32::MAX).dt2(),
        u.shift(Dim::Time, i32::MIN).dt(),
    ];
    insta_list("shifts", &expressions, refusals(expressions.clone(), &u));
}

#[test]
fn powers_of_odd_numbers() {
    let u = time("u", &grid());
    let zero = || Expr::from(0.0);
    let expressions = vec![
        zero().pow(0.0) * &u,
        zero().pow(-1.0) * &u,
        Expr::from(-1.0).pow(0.5) * &u,
        u.pow(1e300),
        u.pow(f64::NAN),
        u.pow(u.pow(&u)),
        zero().log() + &u,
        &u / zero(),
        zero() / zero() * &u,
        &u * f64::NAN * 0.0,
        u.pow(i32::MIN),
        (1e300 * Expr::from(1e300)) + &u,
    ];
    insta_list("powers", &expressions, refusals(expressions.clone(), &u));
}

/// Pins what becomes of each expression.
fn insta_list(name: &str, expressions: &[Expr], outcomes: Vec<String>) {
    let line = |(e, o): (&Expr, String)| {
        let text = e.to_string();
        let short: String = text.chars().take(60).collect();
        format!("{short}{}: {o}\n", if text.chars().count() > 60 { ".." } else { "" })
    };
    let text: String = expressions.iter().zip(outcomes).map(line).collect();
    crate::settings().bind(|| insta::assert_snapshot!(name, text));
}

/// Snapshots that are further apart than the history is long cannot be read in one step.
#[test]
fn reads_at_both_ends_of_the_numbers() {
    let g = grid();
    let usave = compressed("usave", &g, 9);
    let (a, b) = (saved("a", &g, 9), saved("b", &g, 9));
    let far = [eq(&a, usave.forward_by(i32::MAX)), eq(&b, usave.backward_by(i32::MAX))];
    assert_eq!(Operator::new(far).unwrap_err().code(), "time::buffers");
}

/// Where nothing gets a name, a value that is shared within itself is refused instead of written out.
#[test]
fn shared_values_of_sparse_points_stay_small() {
    let g = grid();
    let u = time("u", &g);
    let rec = SparseTimeFunction::new("rec", &g).steps(4).coordinates([[1.0, 1.0]]).build().unwrap();
    let mut e = u.sin();
    for _ in 0..35 {
        e = e.sin() + e.cos();
    }
    let refused = Operator::new([rec.interpolate(&e)]).unwrap_err();
    assert_eq!(refused.code(), "expression::too_large", "{refused:?}");
    let refused = Operator::new([rec.inject(u.forward(), &e * &rec)]).unwrap_err();
    assert_eq!(refused.code(), "expression::too_large", "{refused:?}");
    // Points give names.
    Operator::new([eq(u.forward(), &e)]).unwrap();
}

/// Stencils of thousands of points with weights of their own.
#[test]
fn wide_stencils() {
    let u = TimeFunction::new("u", &Grid::new([70]).with_dtype(DType::F64)).space_order(64).build().unwrap();
    let m = Function::new("m", u.grid()).space_order(64).build().unwrap();
    u.fill(1.0).unwrap();
    m.fill(2.0).unwrap();
    let offsets = || -30..=30;
    // 61 x 13 products, all different.
    let wide = offsets().flat_map(|i| (-6..=6).map(move |j| (i, j)));
    let sum = wide.clone().fold(Expr::number(0.0), |e, (i, j)| {
        e + f64::from(1000 + 25 * i + j) * (u.shift(Dim::X, i) * m.shift(Dim::X, j))
    });
    let wanted: f64 = wide
        .map(|(i, j)| {
            if (0..70).contains(&(35 + i)) && (0..70).contains(&(35 + j)) {
                f64::from(1000 + 25 * i + j) * 2.0
            } else {
                0.0
            }
        })
        .sum();
    let op = Operator::new([eq(u.forward(), sum)]).unwrap();
    for backend in backends() {
        op.apply().time_min(0).time_max(0).backend(backend).run().unwrap();
        let found = u.at(1).unwrap().get(&[35]).unwrap();
        assert!((found - wanted).abs() < 1e-9 * wanted, "{found} {wanted} on {backend}");
    }
}
