//! The handles that users hold: functions of space, functions of time and space.

use std::fmt;
use std::ops::Deref;

use crate::{Expr, FunctionBuilder, FunctionDecl, FunctionRef, Grid, IntoExpr, TimeFunctionBuilder};

/// A function of space: a parameter, an image, a gradient.
///
/// A cheap handle; the data live as long as any handle or expression that names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Function(FunctionRef);

/// A function of time and space: a wavefield, with or without its history.
///
/// A cheap handle; the data live as long as any handle or expression that names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TimeFunction(FunctionRef);

impl Function {
    /// Starts a function of this name on a grid.
    #[allow(
        clippy::new_ret_no_self,
        reason = "the fluent form that users write: `Function::new(..).build()?`"
    )]
    pub fn new(name: impl Into<String>, grid: &Grid) -> FunctionBuilder {
        FunctionBuilder::new(name.into(), grid)
    }
}

impl TimeFunction {
    /// Starts a time function of this name on a grid.
    #[allow(
        clippy::new_ret_no_self,
        reason = "the fluent form that users write: `TimeFunction::new(..).build()?`"
    )]
    pub fn new(name: impl Into<String>, grid: &Grid) -> TimeFunctionBuilder {
        TimeFunctionBuilder::new(name.into(), grid)
    }

    /// The function at the next step, `u(t+1, ..)`.
    #[must_use]
    pub fn forward(&self) -> Expr {
        self.expr().forward()
    }

    /// The function at the previous step, `u(t-1, ..)`.
    #[must_use]
    pub fn backward(&self) -> Expr {
        self.expr().backward()
    }

    /// The function `k` steps ahead.
    #[must_use]
    pub fn forward_by(&self, k: i32) -> Expr {
        self.expr().forward_by(k)
    }

    /// The function `k` steps back.
    #[must_use]
    pub fn backward_by(&self, k: i32) -> Expr {
        self.expr().backward_by(k)
    }
}

macro_rules! handle {
    ($($handle:ident: $is_time:literal),*) => {$(
        impl $handle {
            pub(crate) fn from_handle(function: FunctionRef) -> Self {
                Self(function)
            }

            /// The handle again, if the function is of this kind.
            #[must_use]
            pub fn from_function(function: &FunctionRef) -> Option<Self> {
                (function.is_time() == $is_time).then(|| Self(function.clone()))
            }

            /// The handle that expressions hold.
            #[must_use]
            pub fn handle(&self) -> &FunctionRef {
                &self.0
            }

            /// A fresh function with the same settings, another name, and no data.
            ///
            /// The name is checked when an operator is built, or by [`FunctionDecl::check`].
            #[must_use]
            pub fn twin(&self, name: impl Into<String>) -> Self {
                Self(self.0.twin(name.into()))
            }
        }

        impl Deref for $handle {
            type Target = FunctionDecl;

            fn deref(&self) -> &FunctionDecl {
                &self.0
            }
        }

        impl AsRef<FunctionRef> for $handle {
            fn as_ref(&self) -> &FunctionRef {
                &self.0
            }
        }

        impl From<&$handle> for FunctionRef {
            fn from(handle: &$handle) -> Self {
                handle.0.clone()
            }
        }

        /// Prints the function with its arguments: `u(t, x, y)`.
        impl fmt::Display for $handle {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

handle!(Function: false, TimeFunction: true);
