//! The comparison with the interpreter.

#[path = "../../../../tests/support/harness.rs"]
mod harness;
#[path = "../../../../tests/support/texts.rs"]
mod texts;

pub use texts::{field, head, tight, windowed};
use wavefold_backend_c::{compile, emit};

/// Compares the kernel of a program with the interpreter, bit by bit, for 1, 2 and 5 threads.
pub fn check(text: &str, range: (i64, i64)) {
    let program = harness::program(text);
    let kernel = compile(&program).unwrap_or_else(|e| panic!("{e}\n{}", emit(&program)));
    // SAFETY: the harness makes the context for this program.
    harness::assert_same(&program, range, &[1, 2, 5], |context| unsafe { kernel.entry()(context) });
}
