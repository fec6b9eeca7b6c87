//! Operators: build, compile, apply, summary.
//!
//! [`Operator::new`] runs the whole compiler down to the tree; a backend compiles the tree at the first
//! [`Operator::apply`] that needs it, once. [`Apply`] collects the arguments of one run, checks all of them
//! before anything runs, and returns a [`PerformanceSummary`].

mod adjoint;
mod apply;
mod backend;
mod error;
mod measure;
mod memory;
mod operator;
mod overrides;
mod range;
mod replace;
mod sizes;
mod stability;
mod summary;
mod tier;

pub use adjoint::{DotProducts, Values, dot_product_test};
pub use apply::{Apply, Progress};
pub use backend::Backend;
pub use error::{ApplyError, Error, Result};
pub use measure::{Measure, initialise, inner, maximum, minimum, norm, total};
pub use memory::{MemoryEntry, MemoryEstimate, MemoryUse};
pub use operator::{Operator, Trace};
pub use replace::Handle;
pub use summary::{CompressionSummary, PerformanceSummary, Tier, Use};
pub use wavefold_ir::tree::Cost;
