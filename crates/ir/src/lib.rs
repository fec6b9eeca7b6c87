//! The intermediate representations of Wavefold, one module per level.
//!
//! ```text
//! equations -> stencil -> cluster -> tree -> backend
//! ```
//!
//! * [`stencil`]: what each equation means on the grid. Accesses carry a time shift and space offsets;
//!   space derivatives are still single nodes.
//! * [`cluster`]: groups of statements over an iteration space, without loops. Order within a time step,
//!   direction of time, guards, and the compression effects with their tickets.
//! * [`tree`]: everything that the machine does, loops included. A backend prints it and adds nothing.
//!
//! All levels share the declarations ([`Decls`]) and the expression arena ([`Arena`]): statements are trees,
//! expressions are hash-consed, effect-free nodes named by [`ExprId`], so structural equality is `==` on ids.
//! Every level has a printer, a parser for exactly what the printer prints, and a verifier with numbered
//! invariants. [`abi`] is the calling convention between the emitted code and the runtime.

pub mod abi;
pub mod cluster;
mod decl;
mod expr;
mod machine;
pub mod stencil;
mod text;
pub mod tree;

pub use decl::{
    Decls, Dim, Field, FieldKind, Layout, Region, ScalarDecl, ScalarKind, SparseDecl, TableDecl, Window,
};
pub use expr::{Access, Arena, Comparison, Derivative, Expr, ExprId, Func, Number, Side};
pub use text::ParseError;
pub use wavefold_codecs::{Bounded, Compression, CompressionError, DType, float_mode};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
        pub struct $name(pub u32);
        impl $name {
            /// The position in the table that this id points into.
            pub fn index(self) -> usize {
                self.0 as usize
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }
    };
}

id!(/// A field of [`Decls::fields`].
    FieldId, "field");
id!(/// A run-time scalar of [`Decls::scalars`].
    ScalarId, "scalar");
id!(/// A set of sparse points of [`Decls::sparse`].
    SparseId, "sparse");
id!(/// The places of sparse points between the points of a grid, in [`Decls::tables`].
    TableId, "table");
id!(/// A value computed once and named: per point inside a loop, once per run at the top of a tree.
    LocalId, "r");
id!(/// Work in flight: returned by a compression or decompression, ended by a wait.
    TicketId, "k");

/// The direction in which the time loop runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Direction {
    /// From `time_m` up to `time_M`.
    Ascending,
    /// From `time_M` down to `time_m`.
    Descending,
}

impl std::fmt::Display for Direction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Direction::Ascending => "ascending",
            Direction::Descending => "descending",
        })
    }
}

/// A broken invariant, found by the verifier of a level. It is a defect of the compiler, never of user input.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("{level} invariant {invariant} is broken: {message}")]
pub struct VerifyError {
    /// The level: `stencil`, `cluster` or `tree`.
    pub level: &'static str,
    /// The number of the invariant, such as `S2`, as listed in the documentation of the level.
    pub invariant: &'static str,
    /// What is wrong, and where.
    pub message: String,
}
