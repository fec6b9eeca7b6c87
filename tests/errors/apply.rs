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
