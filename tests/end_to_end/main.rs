//! Whole programs, from equations to numbers, on both backends.
//!
//! | module | what must hold |
//! |---|---|
//! | `notebook` | the first program of the documentation gives exactly the values 0, 1, 2, 3 |
//! | `adjoint` | the adjoint is the transpose, the gradient is that of the discrete problem |
//! | `convergence` | manufactured solutions: measured order = order of the stencils, staggered grids included |
//! | `generated` | generated programs of the whole language: interpreter, Cranelift and C agree |
//! | `memory` | estimates, arrays of the caller's, initial values, numbers from fields, weights of the user's own |
//! | `in_place` | levels that take the place of others leave no trace |
//! | `surfaces` | surfaces by images, temporaries between the nodes |
//! | `threads` | the same bits at any number of threads, on either backend, in every run |
//! | `compression` | error bounds, overrides, measured errors, what is known about a history |
//! | `fronts` | several steps at a time leave the same bits as one by one |
//! | `fusion` | codecs in loops: the streams and values of whole slices |
//! | `joined` | nests that share their tiles leave the same bits as one after the other |
//! | `reading` | every form in which a compressed history can be written and read |
//! | `readers` | random programs that read a history give what an uncompressed one gives |
//! | `order` | what happens before what within a step |
//! | `parts` | equations and functions on parts of the grid, conditions, boundaries, against loops by hand |
//! | `derivatives` | derivatives with settings of their own, nested, transposed; means of staggered functions |
//! | `points` | sparse points that move, of every interpolation, of every kind of value |
//! | `arguments` | what a run may change: data, constants, sizes, steps |
//! | `forms` | temporaries, tight memory, one point, complex values, one number a step |
//! | `sparse` | sources and receivers anywhere, also outside of the domain |
//! | `numerics` | random equations against a direct evaluator; order of convergence |
//! | `systems` | adjoints of systems of equations |
//! | `examples` | the examples as a user starts them |

mod acoustic;
mod adjoint;
mod arguments;
mod beside;
mod byhand;
mod compression;
mod convergence;
mod derivatives;
mod evaluator;
mod examples;
mod forms;
mod fronts;
mod fusion;
mod generated;
mod in_place;
mod joined;
mod layers;
mod memory;
mod notebook;
mod numerics;
mod order;
mod parts;
mod points;
mod random;
mod readers;
mod reading;
mod rows;
mod sparse;
mod stability;
mod surfaces;
mod systems;
mod threads;

use ndarray::ArrayD;
use wavefold::Result;
use wavefold::prelude::*;

/// Both backends.
pub const BACKENDS: [Backend; 2] = [Backend::C, Backend::Cranelift];

/// Both element types.
pub const DTYPES: [DType; 2] = [DType::F32, DType::F64];

/// Runs a test on both backends.
pub fn both(test: impl Fn(Backend) -> Result<()>) -> Result<()> {
    BACKENDS.into_iter().try_for_each(test)
}

/// The bits of the values, so that comparisons see signs of zeros as well.
pub fn bits(data: &Data) -> Vec<u64> {
    match data {
        Data::F32(a) => a.iter().map(|v| v.to_bits().into()).collect(),
        Data::F64(a) => a.iter().map(|v| v.to_bits()).collect(),
    }
}

/// Largest difference over the largest absolute value that is wanted.
pub fn relative(found: &Data, wanted: &ArrayD<f64>) -> f64 {
    let found = found.to_f64();
    assert_eq!(found.shape(), wanted.shape());
    let scale = wanted.iter().fold(0.0f64, |m, v| m.max(v.abs()));
    let worst = found.iter().zip(wanted).map(|(a, b)| (a - b).abs());
    // A NaN is the worst of all.
    let worst = worst.fold(0.0f64, |m, e| if e.is_nan() || m.is_nan() { f64::NAN } else { m.max(e) });
    if worst == 0.0 { 0.0 } else { worst / scale }
}

/// Asserts that two arrays agree to a relative tolerance; a NaN never does.
#[track_caller]
pub fn assert_close(found: &Data, wanted: &ArrayD<f64>, tolerance: f64, what: &str) {
    let error = relative(found, wanted);
    assert!(error <= tolerance, "{what} is off by {error:e}");
}

/// Asserts that two arrays are the same bit for bit.
#[track_caller]
pub fn assert_same(found: &Data, wanted: &Data, what: &str) {
    assert_eq!(found.shape(), wanted.shape(), "{what}");
    assert!(bits(found) == bits(wanted), "{what}: off by {:e}", relative(found, &wanted.to_f64()));
}
