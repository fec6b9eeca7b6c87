//! Threads for kernels under test, and the comparison with the interpreter.
#![allow(dead_code)] // Every test file uses a part of it.

use std::ffi::c_void;
use std::sync::atomic::{AtomicI64, Ordering};
use wavefold_backend_cranelift::{Vectors, compile_for, verify};
use wavefold_ir::abi::{BodyFn, Context};
use wavefold_ir::tree::Program;

#[path = "../../../../tests/support/harness.rs"]
pub mod harness;

/// Runs a parallel loop on `threads` threads of the context, started for it.
pub unsafe extern "C" fn threads(context: *const Context, count: i64, body: BodyFn, argument: *mut c_void) {
    // SAFETY: kernels pass the context that they were called with.
    let threads = unsafe { (*context).threads };
    let next = AtomicI64::new(0);
    let argument = argument as usize;
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= count {
                        return;
                    }
                    // SAFETY: the body and its argument belong together, and each index is taken once.
                    unsafe { body(argument as *mut c_void, index) };
                }
            });
        }
    });
}

/// The context with threads of its own.
pub fn threaded(context: *const Context) -> Context {
    // SAFETY: the harness passes a context that lives during the call.
    let c = unsafe { &*context };
    Context { parallel: threads, ..*c }
}

/// Parses a program and checks it on every level.
pub fn parse(text: &str) -> Program {
    let program = Program::parse(text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    program.verify().unwrap_or_else(|e| panic!("{e}\n{text}"));
    verify(&program).unwrap_or_else(|e| panic!("{e}"));
    program
}

/// Compares the kernels of a program with the interpreter, bit by bit, for 1, 2 and 5 threads and all vectors of this machine.
pub fn check(text: &str, range: (i64, i64)) {
    let program = parse(text);
    for vectors in of_machine() {
        let kernel = compile_for(&program, vectors).unwrap_or_else(|e| panic!("{e}"));
        harness::assert_same(&program, range, &[1, 2, 5], |context| {
            let context = threaded(context);
            // SAFETY: the harness made the context for this program.
            unsafe { (kernel.entry())(&context) }
        });
    }
}

/// The vectors of this machine.
pub fn of_machine() -> impl Iterator<Item = Vectors> {
    let all = [Vectors::Bits128, Vectors::Bits256, Vectors::Bits512];
    all.into_iter().filter(|v| *v <= Vectors::widest())
}

#[path = "../../../../tests/support/texts.rs"]
mod texts;
#[allow(unused_imports, reason = "every test file uses a part")]
pub use texts::{field, head, tight, windowed};
