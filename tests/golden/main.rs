//! Reference solutions: every stored array of every case, in f64 to 1e-11 and in f32 to 1e-4, on both backends.
//!
//! The cases and all their parameters come from `manifest.json` in the directory named by `WAVEFOLD_GOLDEN_DIR`
//! (default: this one). The part of a case's name before the first `_so`, or the whole name, chooses the program.
//! Errors are relative: the largest difference over the largest absolute value of the reference.

mod case;
mod programs;
mod systems;

use case::{Case, Failure};
use std::path::PathBuf;
use wavefold::prelude::*;

/// Largest relative error in the type of the run.
fn tolerance(dtype: DType) -> f64 {
    match dtype {
        DType::F64 => 1e-11,
        DType::F32 => 1e-4,
    }
}

fn directory() -> PathBuf {
    match std::env::var_os("WAVEFOLD_GOLDEN_DIR") {
        Some(dir) => dir.into(),
        None => PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden")),
    }
}

fn run(dtype: DType, backend: Backend) {
    let cases = Case::all(&directory()).expect("the manifest");
    let mut failures: Vec<String> = Vec::new();
    let mut checked = 0;
    for case in &cases {
        let kind = case.name.split("_so").next().unwrap_or(&case.name);
        match programs::run(kind, case, dtype, backend) {
            Ok(errors) => {
                for (array, error) in errors {
                    println!("{:<24} {array:<16} {error:.2e}", case.name);
                    checked += 1;
                    // A NaN fails as well.
                    if !matches!(error.partial_cmp(&tolerance(dtype)), Some(std::cmp::Ordering::Less)) {
                        failures.push(format!("{}: {array} is off by {error:e}", case.name));
                    }
                }
            }
            Err(Failure(message)) => failures.push(format!("{}: {message}", case.name)),
        }
    }
    assert!(failures.is_empty(), "{} on {backend}:\n{}", dtype, failures.join("\n"));
    assert!(checked > 0, "no case in {}", directory().display());
}

#[test]
fn f64_c() {
    run(DType::F64, Backend::C);
}

#[test]
fn f64_cranelift() {
    run(DType::F64, Backend::Cranelift);
}

#[test]
fn f32_c() {
    run(DType::F32, Backend::C);
}

#[test]
fn f32_cranelift() {
    run(DType::F32, Backend::Cranelift);
}
