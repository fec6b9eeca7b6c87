//! What the user wrote: grids, functions, expressions, derivatives, equations and `solve`.
//!
//! Everything here is a value that can be printed as mathematics and looked into; nothing computes.
//! The compiler reads [`Equation`]s and turns them into stencils.
//!
//! ```
//! use wavefold_symbolic::prelude::*;
//!
//! # fn main() -> Result<(), SymbolicError> {
//! let grid = Grid::new([64, 64]).with_spacing(10.0);
//! let m = Function::new("m", &grid).build()?;
//! let u = TimeFunction::new("u", &grid).time_order(2).space_order(8).build()?;
//!
//! let update = eq(u.forward(), solve(&m * u.dt2() - u.laplace(), u.forward())?);
//! assert_eq!(
//!     update.to_string(),
//!     "u(t+1, x, y) = 2*u(t, x, y) - u(t-1, x, y) + \
//!      dt²*(∂²/∂x² u(t, x, y) + ∂²/∂y² u(t, x, y))/m(x, y)",
//! );
//! # Ok(()) }
//! ```
//!
//! # Conventions
//!
//! * Dimensions are called `x`, `y`, `z` in storage order, the last one contiguous; time is `t`.
//! * `u.dt()` is the forward difference, `u.dt2()` the centred one.
//! * `u.dx()` is centred at the space order of the function, **order 2 included**. Devito takes a
//!   one-sided forward difference there; ported programs of order 2 want [`Differentiable::dxr`] or a review.
//! * A function of space order `o` has a halo of `o` points on each side of every dimension.
//! * Construction never fails and never panics: an expression that means nothing (a `dz` on a
//!   two-dimensional grid, say) is kept as written and named by [`Equation::check`].

mod boundary;
mod codec;
mod complex;
mod condition;
mod constant;
mod coordinates;
mod diff;
mod differentiable;
mod dimension;
mod equation;
mod error;
mod expand_time;
mod expr;
pub mod fd;
mod fields;
mod function;
mod function_builder;
mod grid;
mod handles;
mod identifier;
mod into_expr;
mod locate;
mod operand;
mod operators;
mod print;
mod series;
mod solve;
mod sparse;
mod stagger;
mod storage;
mod subdomain;
mod temporaries;
mod transpose;
mod validate;
mod vector;
mod visit;

pub use boundary::{expand_space, free_surface, mirrored_surface};
pub use codec::{Bounded, Compression, DType};
pub use complex::{
    Complex, ComplexFunction, ComplexFunctionBuilder, ComplexTimeFunction, ComplexTimeFunctionBuilder,
    IntoComplex,
};
pub use condition::{Comparison, Condition, select};
pub use constant::Constant;
pub use coordinates::Coordinates;
pub use diff::Diff;
pub use differentiable::Differentiable;
pub use dimension::Dim;
pub use equation::{Equation, EquationKind, Reduction, eq, inc};
pub use error::{Result, SymbolicError};
pub use expand_time::expand_time;
pub use expr::{Access, Derivative, Expr, Extremum, MathFn, Node, Offsets, Side};
pub use fields::{
    TensorFunction, TensorFunctionBuilder, TensorTimeFunction, TensorTimeFunctionBuilder, VectorFunction,
    VectorFunctionBuilder, VectorTimeFunction, VectorTimeFunctionBuilder,
};
pub use function::{FunctionDecl, FunctionKind, FunctionRef, Layers};
pub use function_builder::{FunctionBuilder, TimeFunctionBuilder};
pub use grid::{Grid, PerDimension};
pub use handles::{Function, TimeFunction};
pub use into_expr::IntoExpr;
pub use locate::{Location, locate, location};
pub use operand::{Components, Operand};
pub use series::{Series, SeriesBuilder};
pub use solve::solve;
pub use sparse::{
    Interpolation, PrecomputedWeights, SparseDecl, SparseFunction, SparseFunctionBuilder, SparseRef,
    SparseTimeFunction,
};
pub use stagger::{Average, Stagger};
pub use storage::Storage;
pub use subdomain::{Part, SubDomain};
pub use temporaries::inline_temporaries;
pub use vector::{
    Divergence, Gradient, IntoTensor, IntoVector, Tensor, Vector, curl, diag, div, grad, solve_vector,
};

/// Everything a program needs: `use wavefold_symbolic::prelude::*`.
pub mod prelude {
    pub use crate::Compression::{Lapped, LappedSnr, Noop, Quantize, Wavelet};
    pub use crate::Interpolation::Linear;
    pub use crate::{
        Average, Complex, ComplexFunction, ComplexTimeFunction, Compression, Condition, Constant, DType,
        Differentiable, Dim, Equation, Expr, Function, Grid, Interpolation, IntoExpr, Layers, Series, Side,
        SparseFunction, SparseTimeFunction, Stagger, SubDomain, SymbolicError, Tensor, TensorFunction,
        TensorTimeFunction, TimeFunction, Vector, VectorFunction, VectorTimeFunction, curl, diag, div, eq,
        expand_time, free_surface, grad, inc, mirrored_surface, select, solve, solve_vector,
    };
}
