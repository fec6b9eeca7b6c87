//! The `.wf` language: a program as text.
//!
//! [`parse`] reads a program, [`Program::check`] resolves every name and builds every operator, [`Program::run`] runs it,
//! [`format`] lays it out. What is wrong is a list of [`Diagnostic`]s with places in the source, all at once.
//!
//! ```
//! let source = "
//!     let nt = 4
//!     grid g { shape 4 4 }
//!     time u on g
//!     time usave on g save nt compress noop
//!     time vsave on g save nt
//!     operator store { u.forward = u + 1   usave = u }
//!     operator read { vsave = usave }
//!     run store time_M = nt - 1
//!     run read
//!     assert vsave == decompress(usave)
//! ";
//! let program = wavefold_text::parse(source).expect("it is right");
//! let report = program.run(&Default::default()).expect("it runs");
//! assert_eq!((report.runs.len(), report.asserts), (2, 1));
//! ```

pub mod ast;
mod builtins;
mod data;
mod declare;
mod diagnostic;
mod eval;
mod format;
mod hdf5;
mod help;
pub mod lexer;
mod operators;
mod output;
mod program;
mod value;

/// What lalrpop makes of the grammar.
#[allow(
    clippy::all,
    clippy::pedantic,
    missing_docs,
    unused_imports,
    unused_qualifications,
    reason = "generated"
)]
mod grammar {
    use lalrpop_util::lalrpop_mod;
    lalrpop_mod!(grammar);
    pub use grammar::*;
}

pub use diagnostic::{Diagnostic, Failure, Label};
pub use format::format;
pub use program::{Observer, Options, Program, Report, parse, parse_named};
