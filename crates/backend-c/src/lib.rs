//! The C backend: prints a tree as C, has it compiled, and loads the result.
//!
//! [`emit`] gives one readable C11 file that includes [`HEADER`] (`wavefold.h`) and defines [`ENTRY`]. [`compile`]
//! hands it to the C compiler of the machine and keeps the shared object in a cache, named by its contents.
//!
//! The emitted code computes exactly what [`wavefold_ir::tree::interpret()`] computes, bit for bit: it is compiled
//! without contraction or reassociation, and fused multiply-adds are written out. The one difference is that
//! denormal numbers are flushed to zero inside the loops.

mod cache;
mod compiler;
mod emit;
mod error;
mod kernel;
mod names;

pub use cache::{Cache, CacheStatus};
pub use compiler::Compiler;
pub use emit::{ENTRY, emit};
pub use error::CompileError;
pub use kernel::{Kernel, cached, compile, compile_with};

/// The text of `wavefold.h`, which emitted files include.
pub const HEADER: &str = include_str!("../../../runtime-c/include/wavefold.h");
