//! Arguments of a run that mean nothing: nothing runs.

use crate::{backends, compressed, counting, golden, grid, saved, time, without_lines};
use wavefold::prelude::*;

/// `u.forward = u + 1`, which has no last step.
fn endless() -> Operator {
    let u = time("u", &grid());
    Operator::new([eq(u.forward(), &u + 1.0)]).unwrap()
}

/// Saves 4 steps with the codec.
fn saving(compression: Compression) -> Operator {
    let u = time("u", &grid());
    let usave = TimeFunction::new("usave", &grid()).save(4).compression(compression).build().unwrap();
    counting(&u, &usave)
}

#[test]
fn time_without_bounds() {
    golden!(endless().apply().run());
}

#[test]
fn time_without_last_step() {
    golden!(endless().apply().time_min(3).run());
}

#[test]
fn time_range_empty() {
    golden!(endless().apply().time_min(5).time_max(4).run());
}

#[test]
fn time_range_empty_by_itself() {
    let (u, v) = (TimeFunction::new("u", &grid()).time_order(2), saved("v", &grid(), 1));
    let u = u.build().unwrap();
    golden!(Operator::new([eq(u.forward(), u.backward() + &v)]).unwrap().apply().run());
}

#[test]
fn time_max_beyond_a_saved_function() {
    let (u, usave) = (time("u", &grid()), saved("usave", &grid(), 4));
    golden!(counting(&u, &usave).apply().time_max(4).run());
}

#[test]
fn time_max_beyond_a_compressed_function() {
    golden!(saving(Noop).apply().time_max(4).run());
}

#[test]
fn time_max_beyond_all_numbers() {
    golden!(saving(Noop).apply().time_max(usize::MAX).run());
}

#[test]
fn time_max_beyond_a_subsampled_function() {
    let u = time("u", &grid());
    let usave = TimeFunction::new("usave", &grid()).save(3).save_every(2).build().unwrap();
    golden!(counting(&u, &usave).apply().time_max(6).run());
}

#[test]
fn time_min_before_a_saved_function() {
    let (u, usave) = (time("u", &grid()), saved("usave", &grid(), 4));
    let op = Operator::new([eq(u.forward(), &u + usave.backward())]).unwrap();
    golden!(op.apply().time_min(0).time_max(3).run());
}

#[test]
fn time_max_beyond_sources() {
    let u = time("u", &grid());
    let src = SparseTimeFunction::new("src", &grid()).points(1).steps(3).build().unwrap();
    let op = Operator::new([eq(u.forward(), &u + 1.0), src.inject(u.forward(), &src)]).unwrap();
    golden!(op.apply().time_max(3).run());
}

#[test]
fn time_max_beyond_receivers() {
    let u = time("u", &grid());
    let rec = SparseTimeFunction::new("rec", &grid()).points(1).steps(3).build().unwrap();
    let op = Operator::new([eq(u.forward(), &u + 1.0), rec.interpolate(&u)]).unwrap();
    golden!(op.apply().time_min(1).time_max(4).run());
}

fn diffusion() -> Operator {
    let u = time("u", &grid());
    Operator::named("diffusion", [eq(u.forward(), &u + grid().dt() * u.laplace())]).unwrap()
}

#[test]
fn dt_missing() {
    golden!(diffusion().apply().time_max(3).run());
}

#[test]
fn dt_nan() {
    golden!(diffusion().apply().time_max(3).dt(f64::NAN).run());
}

#[test]
fn dt_zero() {
    golden!(diffusion().apply().time_max(3).dt(0.0).run());
}

#[test]
fn constant_nan() {
    let (u, c) = (time("u", &grid()), Constant::new("c", f64::NAN));
    golden!(Operator::new([eq(u.forward(), &u * &c)]).unwrap().apply().time_max(3).run());
}

#[test]
fn override_nbits_unused() {
    golden!(saving(Wavelet { compscale: 1e-3 }).apply().nbits(8).run());
}

#[test]
fn override_nbits_with_nothing_compressed() {
    golden!(endless().apply().time_max(3).nbits(8).run());
}

#[test]
fn override_nbits_of_a_function_that_is_only_read() {
    let usave = crate::written(4, 0, 3);
    let v = time("v", &grid());
    let op = Operator::new([eq(v.forward(), &v + &usave)]).unwrap();
    golden!(op.apply().nbits_of("usave", 8).run());
}

#[test]
fn override_compscale_of_quantize() {
    golden!(saving(Quantize { nbits: 9 }).apply().compscale_of("usave", 1e-2).run());
}

#[test]
fn override_of_an_unknown_function() {
    golden!(saving(Quantize { nbits: 9 }).apply().nbits_of("wsave", 8).run());
}

#[test]
fn override_nbits_out_of_range() {
    golden!(saving(Quantize { nbits: 9 }).apply().nbits(25).run());
}

#[test]
fn override_compscale_out_of_range() {
    golden!(saving(Wavelet { compscale: 1e-3 }).apply().compscale(f64::NAN).run());
}

#[test]
fn override_snr_out_of_range() {
    golden!(saving(LappedSnr { snr: 60.0 }).apply().snr(-3.0).run());
}

#[test]
fn override_snr_of_a_wavelet() {
    golden!(saving(Wavelet { compscale: 1e-3 }).apply().snr(60.0).run());
}

#[test]
fn override_max_error_of_what_is_exact() {
    golden!(saving(Noop).apply().max_error_of("usave", 1e-3).run());
}

#[test]
fn override_max_error_out_of_range() {
    golden!(saving(Lapped { compscale: 1e-2 }).apply().max_error(0.7).run());
}

#[test]
fn threads_zero() {
    golden!(saving(Noop).apply().threads(0).run());
}

#[test]
fn threads_too_many() {
    golden!(saving(Noop).apply().threads(usize::MAX).run());
}

#[test]
fn backend_unknown() {
    golden!("fortran".parse::<Backend>());
}

/// What is refused before the run leaves a compressed function as it was: it can still be written.
#[test]
fn refused_arguments_poison_nothing() {
    let g = grid();
    let (u, usave) = (time("u", &g), compressed("usave", &g, 4));
    let op = counting(&u, &usave);
    let apply = || op.apply().backend(Backend::Cranelift);
    for refused in [
        apply().threads(0).run(),
        apply().time_max(9).run(),
        apply().nbits(3).run(),
        apply().time_min(3).time_max(2).run(),
    ] {
        refused.unwrap_err();
        assert_eq!(usave.compression_info().unwrap().state, wavefold::runtime::State::Empty);
    }
    apply().time_max(3).run().unwrap();
    assert_eq!(decompress_step(&usave, 3).unwrap().max(), 3.0);
}

/// A compiler asked for by name that does not answer. The environment belongs to the whole process, so the test
/// runs itself in another.
#[test]
fn c_compiler_missing() {
    const CHILD: &str = "WAVEFOLD_TEST_WITHOUT_COMPILER";
    if std::env::var_os(CHILD).is_some() {
        let error = saving(Noop).apply().backend(Backend::C).run().unwrap_err();
        println!("<<{}>>", without_lines(&format!("{error:?}")));
        // What chooses by itself goes on.
        assert_eq!(saving(Noop).apply().run().unwrap().backend, Backend::Cranelift);
        return;
    }
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "apply::c_compiler_missing", "--nocapture"])
        .env(CHILD, "1")
        .env("CC", "/no/such/compiler")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success(), "{said}{}", String::from_utf8_lossy(&child.stderr));
    let message = said.split("<<").nth(1).and_then(|s| s.split(">>").next()).unwrap();
    crate::settings().bind(|| insta::assert_snapshot!(message));
}

/// Every argument at its edge is accepted.
#[test]
fn arguments_at_the_edge() {
    for backend in backends() {
        let g = grid();
        let (u, usave) = (time("u", &g), saved("usave", &g, 4));
        let op = counting(&u, &usave);
        let s = op.apply().time_min(3).time_max(3).threads(1).dt(1e-300).backend(backend).run().unwrap();
        assert_eq!((s.steps, s.time_m, s.time_max), (1, 3, 3));
        op.apply().time_min(0).time_max(0).threads(64).dt(-1.0).backend(backend).run().unwrap();
        assert_eq!(usave.at(3).unwrap().max(), 0.0);
    }
}

/// An operator with a part, a constant and two functions.
struct Parts {
    u: TimeFunction,
    low: SubDomain,
    all: SubDomain,
    op: Operator,
}

fn parts() -> Parts {
    let g = grid();
    let u = time("u", &g);
    let (low, all) = (SubDomain::new("low", &g).left(Dim::X, 1), SubDomain::new("all", &g));
    let (c, m) = (Constant::new("c", 1.0), Function::new("m", &g).build().unwrap());
    let step = eq(u.forward(), &c * &m * &u).on(&all);
    Parts { op: Operator::named("step", [step, eq(u.forward(), 0.0).on(&low)]).unwrap(), u, low, all }
}

#[test]
fn bounds_beyond_the_grid() {
    golden!(parts().op.apply().time_max(1).bounds(Dim::Y, 2, 5).run());
}

#[test]
fn bounds_in_the_wrong_order() {
    golden!(parts().op.apply().time_max(1).bounds(Dim::X, 3, 2).run());
}

#[test]
fn bounds_along_a_missing_dimension() {
    golden!(parts().op.apply().time_max(1).bounds(Dim::Z, 0, 1).run());
}

#[test]
fn bounds_in_time() {
    golden!(parts().op.apply().time_max(1).bounds(Dim::Time, 0, 1).run());
}

#[test]
fn bounds_of_a_snapshot_that_is_compressed() {
    golden!(saving(Noop).apply().bounds(Dim::X, 1, 2).run());
}

#[test]
fn thickness_beyond_the_grid() {
    let p = parts();
    golden!(p.op.apply().time_max(1).thickness(&p.low, Dim::X, 5, 0).run());
}

#[test]
fn thickness_of_another_subdomain() {
    let other = SubDomain::new("other", &grid()).left(Dim::X, 1);
    golden!(parts().op.apply().time_max(1).thickness(&other, Dim::X, 2, 0).run());
}

#[test]
fn thickness_of_a_side_that_is_not_cut() {
    let p = parts();
    golden!(p.op.apply().time_max(1).thickness(&p.low, Dim::X, 1, 2).run());
}

#[test]
fn thickness_of_a_whole_dimension() {
    let p = parts();
    golden!(p.op.apply().time_max(1).thickness(&p.all, Dim::X, 1, 1).run());
}

#[test]
fn distance_of_snapshots_of_a_function_that_keeps_none() {
    golden!(parts().op.apply().time_max(1).save_every_of("u", 2).run());
}

#[test]
fn constant_of_another_operator() {
    golden!(parts().op.apply().time_max(1).set(&Constant::new("c", 2.0), 3.0).run());
}

#[test]
fn data_for_a_function_of_another_operator() {
    let (a, b) = (time("a", &grid()), time("b", &grid()));
    golden!(parts().op.apply().time_max(1).with(&a, &b).run());
}

#[test]
fn data_of_another_kind() {
    let p = parts();
    let rec = SparseTimeFunction::new("rec", &grid()).points(1).steps(3).build().unwrap();
    golden!(p.op.apply().time_max(1).with(&p.u, &rec).run());
}

#[test]
fn data_of_a_function_that_differs() {
    let (p, g) = (parts(), grid());
    let others = [
        time("other", &Grid::new([4, 6])),
        TimeFunction::new("other", &g).dtype(DType::F64).build().unwrap(),
        TimeFunction::new("other", &g).space_order(4).build().unwrap(),
        TimeFunction::new("other", &g).on(&p.low).build().unwrap(),
        TimeFunction::new("other", &g).staggered(Dim::X).build().unwrap(),
        TimeFunction::new("other", &g).tight().build().unwrap(),
        TimeFunction::new("other", &g).time_order(2).build().unwrap(),
        saved("other", &g, 2),
    ];
    let refuse = |other| {
        without_lines(&format!("{:?}", p.op.apply().time_max(1).with(&p.u, other).run().unwrap_err()))
    };
    let messages: Vec<String> = others.iter().map(refuse).collect();
    crate::settings().bind(|| insta::assert_snapshot!(messages.join("\n")));
}

#[test]
fn data_of_points_that_differ() {
    let (g, u) = (grid(), time("u", &grid()));
    let points = |g: &Grid, points: usize, steps: usize| {
        SparseTimeFunction::new("other", g).points(points).steps(steps)
    };
    let src = SparseTimeFunction::new("src", &g).points(2).steps(3).build().unwrap();
    let op = Operator::new([eq(u.forward(), &u), src.inject(u.forward(), &src)]).unwrap();
    let others = [
        points(&Grid::new([4, 6]), 2, 3),
        points(&g, 2, 3).dtype(DType::F64),
        points(&g, 3, 3),
        points(&g, 2, 4),
        points(&g, 2, 3).interpolation(Interpolation::Nearest),
        points(&g, 2, 3).moving_coordinates([[0.0, 0.0]; 6]),
    ];
    let others = others.map(|other| other.build().unwrap());
    let refuse = |other| without_lines(&format!("{:?}", op.apply().with(&src, other).run().unwrap_err()));
    let messages: Vec<String> = others.iter().map(refuse).collect();
    crate::settings().bind(|| insta::assert_snapshot!(messages.join("\n")));
}

/// A part as large elsewhere is not the same part.
#[test]
fn data_of_another_part() {
    let g = grid();
    let parts = [SubDomain::new("low", &g).left(Dim::X, 2), SubDomain::new("high", &g).right(Dim::X, 2)];
    let [a, b] = parts.each_ref().map(|part| Function::new("a", &g).on(part).build().unwrap());
    let op = Operator::new([eq(&a, 1.0).on(&parts[0])]).unwrap();
    golden!(op.apply().with(&a, &b).run());
}

#[test]
fn data_in_two_places() {
    let (a, b) = (time("a", &grid()), time("b", &grid()));
    let op = Operator::new([eq(a.forward(), &a + &b)]).unwrap();
    golden!(op.apply().time_max(1).with(&a, &b).run());
}

#[test]
fn points_in_two_places() {
    let (g, u) = (grid(), time("u", &grid()));
    let points = |name: &str| SparseTimeFunction::new(name, &g).points(2).steps(3).build().unwrap();
    let (src, rec, other) = (points("src"), points("rec"), points("other"));
    let op = Operator::new([src.inject(u.forward(), &src), rec.interpolate(&u)]).unwrap();
    golden!(op.apply().with(&src, &other).with(&rec, &other).run());
}

#[test]
fn step_too_large() {
    let g = Grid::new([101]);
    let u = time("u", &g);
    let op = Operator::named("heat", [eq(u.forward(), &u + g.dt() * u.laplace())]).unwrap();
    golden!(op.apply().dt(0.6).time_max(99).run());
}

#[test]
fn values_not_finite() {
    let g = grid();
    let u = time("u", &g);
    let op = Operator::named("divide", [eq(u.forward(), &u + 1.0 / (g.index(Dim::X) - 2.0))]).unwrap();
    golden!(op.apply().time_max(99).check_finite(true).backend(Backend::Cranelift).run());
}
