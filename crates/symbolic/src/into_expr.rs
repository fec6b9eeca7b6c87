//! What can stand in an expression.

use smallvec::smallvec;

use crate::{
    Access, Constant, Expr, Function, FunctionRef, Node, SparseFunction, SparseRef, SparseTimeFunction,
    TimeFunction,
};

/// Anything that can stand in an expression: expressions, handles, constants, numbers, and references to them.
pub trait IntoExpr {
    /// The expression.
    fn expr(&self) -> Expr;
}

impl<T: IntoExpr + ?Sized> IntoExpr for &T {
    fn expr(&self) -> Expr {
        (**self).expr()
    }
}

impl IntoExpr for Expr {
    fn expr(&self) -> Expr {
        self.clone()
    }
}

impl IntoExpr for FunctionRef {
    fn expr(&self) -> Expr {
        let offsets = smallvec![0; self.grid().rank()];
        Expr::from_node(Node::Access(Access { function: self.clone(), time: 0, offsets }))
    }
}

impl IntoExpr for SparseRef {
    fn expr(&self) -> Expr {
        Expr::from_node(Node::Sparse { sparse: self.clone(), time: 0 })
    }
}

impl IntoExpr for Constant {
    fn expr(&self) -> Expr {
        Expr::from_node(Node::Constant(self.clone()))
    }
}

macro_rules! handles {
    ($($handle:ty),*) => {$(
        impl IntoExpr for $handle {
            fn expr(&self) -> Expr {
                self.handle().expr()
            }
        }
    )*};
}

handles!(Function, TimeFunction, SparseFunction, SparseTimeFunction);

macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl IntoExpr for $number {
            fn expr(&self) -> Expr {
                Expr::number(f64::from(*self))
            }
        }

        impl From<$number> for Expr {
            fn from(value: $number) -> Self {
                value.expr()
            }
        }
    )*};
}

numbers!(f64, f32, i32, u32);
