//! Wavefold compiles symbolic finite-difference equations to native code and keeps the history of a time-stepping
//! run compressed, transparently.
//!
//! ```
//! use wavefold::prelude::*;
//!
//! # fn main() -> wavefold::Result<()> {
//! let nt = 4;
//! let grid = Grid::new([4, 4]);
//! let u = TimeFunction::new("u", &grid).build()?;
//! let usave = TimeFunction::new("usave", &grid).save(nt).compression(Noop).build()?;
//!
//! let op = Operator::new([eq(u.forward(), &u + 1.0), eq(&usave, &u)])?;
//! op.apply().time_max(nt - 1).backend(Backend::Cranelift).run()?;
//! assert_eq!(decompress_step(&usave, 3)?.max(), 3.0);
//! # Ok(())
//! # }
//! ```
//!
//! Names lead the way: [`Grid`](prelude::Grid), [`Function`](prelude::Function),
//! [`TimeFunction`](prelude::TimeFunction), [`eq`](prelude::eq) and [`Operator`](prelude::Operator) are what a
//! program is made of. Everything is in the [`prelude`]; the crates behind it are re-exported as modules.

pub use wavefold_codecs as codecs;
pub use wavefold_ir as ir;
pub use wavefold_operator as operator;
pub use wavefold_operator::{Error, Result};
pub use wavefold_passes as passes;
pub use wavefold_runtime as runtime;
pub use wavefold_seismic as seismic;
pub use wavefold_symbolic as symbolic;

/// Everything that a program needs: `use wavefold::prelude::*`.
pub mod prelude {
    pub use wavefold_operator::{
        Apply, Backend, CompressionSummary, Cost, Measure, MemoryEstimate, Operator, PerformanceSummary,
        Tier, dot_product_test, initialise, inner, maximum, minimum, norm, total,
    };
    pub use wavefold_runtime::prelude::*;
    pub use wavefold_symbolic::prelude::*;
}

/// The programs of the documentation, as tests.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/language.md")]
mod language {}

#[cfg(doctest)]
#[doc = include_str!("../../../docs/porting.md")]
mod porting {}

#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
mod readme {}
