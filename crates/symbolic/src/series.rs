//! Series: one number a step, made by reducing values over the grid.

use std::ops::Deref;

use crate::{
    DType, Equation, EquationKind, Grid, IntoExpr, Reduction, Result, SparseDecl, SparseFunctionBuilder,
    SparseRef, SparseTimeFunction,
};

/// One number for each step: an energy, a largest velocity, a residual. Its values are those of a sparse function of one
/// point.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Series(SparseTimeFunction);

/// Builder of a [`Series`].
#[must_use = "a builder makes nothing until `build`"]
pub struct SeriesBuilder(SparseFunctionBuilder<SparseTimeFunction>);

impl SeriesBuilder {
    /// The number of steps.
    pub fn steps(self, steps: usize) -> Self {
        Self(self.0.steps(steps))
    }

    /// The element type of the numbers; they are made in double precision and rounded once.
    pub fn dtype(self, dtype: DType) -> Self {
        Self(self.0.dtype(dtype))
    }

    /// Makes the series.
    ///
    /// # Errors
    /// The `grid::`, `name::` and `sparse::` codes.
    pub fn build(self) -> Result<Series> {
        self.0.build().map(Series)
    }
}

impl Series {
    /// Starts a series of this name.
    #[allow(clippy::new_ret_no_self, reason = "the fluent form that users write")]
    pub fn new(name: impl Into<String>, grid: &Grid) -> SeriesBuilder {
        SeriesBuilder(SparseTimeFunction::new(name, grid).points(1))
    }

    /// The sparse function that holds the values, `[steps, 1]`.
    #[must_use]
    pub fn values(&self) -> &SparseTimeFunction {
        &self.0
    }

    /// The statement that sets this step's number to the sum of a value over the grid.
    #[track_caller]
    #[must_use]
    pub fn sum(&self, value: impl IntoExpr) -> Equation {
        Equation::new(self.reduce(Reduction::Sum, &value))
    }

    /// The statement that sets this step's number to the least value on the grid.
    #[track_caller]
    #[must_use]
    pub fn min(&self, value: impl IntoExpr) -> Equation {
        Equation::new(self.reduce(Reduction::Min, &value))
    }

    /// The statement that sets this step's number to the largest value on the grid.
    #[track_caller]
    #[must_use]
    pub fn max(&self, value: impl IntoExpr) -> Equation {
        Equation::new(self.reduce(Reduction::Max, &value))
    }

    fn reduce(&self, op: Reduction, value: &dyn IntoExpr) -> EquationKind {
        EquationKind::Reduce { series: SparseRef::from(&self.0), op, value: value.expr() }
    }
}

impl Deref for Series {
    type Target = SparseDecl;

    fn deref(&self) -> &SparseDecl {
        &self.0
    }
}

impl AsRef<SparseRef> for Series {
    fn as_ref(&self) -> &SparseRef {
        self.0.as_ref()
    }
}
