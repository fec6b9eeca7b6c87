//! `+ - * /` between everything that can stand in an expression.

use std::iter::{Product, Sum};
use std::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub, SubAssign};

use crate::{
    Constant, Diff, Expr, Function, FunctionRef, IntoExpr, SparseFunction, SparseRef, SparseTimeFunction,
    TimeFunction,
};

fn add(a: Expr, b: Expr) -> Expr {
    Expr::sum([a, b])
}

fn sub(a: Expr, b: Expr) -> Expr {
    Expr::sum([a, b.negated()])
}

fn mul(a: Expr, b: Expr) -> Expr {
    Expr::product([a, b])
}

fn div(a: Expr, b: Expr) -> Expr {
    Expr::product([a, Expr::power(b, Expr::number(-1.0))])
}

/// `Expr` on the left by value is moved, so that sums built in a loop stay linear.
trait IntoOwned {
    fn owned(self) -> Expr;
}

impl IntoOwned for Expr {
    fn owned(self) -> Expr {
        self
    }
}

macro_rules! owned {
    ($($t:ty),*) => {$(
        impl IntoOwned for $t {
            fn owned(self) -> Expr {
                self.expr()
            }
        }
    )*};
}

owned!(
    Diff,
    &Diff,
    &Expr,
    Constant,
    &Constant,
    Function,
    &Function,
    FunctionRef,
    &FunctionRef,
    TimeFunction,
    &TimeFunction,
    SparseFunction,
    &SparseFunction,
    SparseTimeFunction,
    &SparseTimeFunction,
    SparseRef,
    &SparseRef
);

macro_rules! operator {
    ($trait:ident $method:ident: $($left:ty),*) => {$(
        impl<R: IntoExpr> $trait<R> for $left {
            type Output = Expr;

            fn $method(self, right: R) -> Expr {
                $method(self.owned(), right.expr())
            }
        }

        // One float and one integer type only: the literal of `2.0 * &u` then has but one meaning, and
        // `(2.0 * &u).dx()` compiles. An `f32` variable on the left needs `Expr::from`.
        operator!(@number $trait $method $left: f64, i32);
    )*};
    (@number $trait:ident $method:ident $right:ty: $($number:ty),*) => {$(
        impl $trait<$right> for $number {
            type Output = Expr;

            fn $method(self, right: $right) -> Expr {
                $method(self.expr(), right.owned())
            }
        }
    )*};
}

macro_rules! operators {
    ($($left:ty),*) => {
        operator!(Add add: $($left),*);
        operator!(Sub sub: $($left),*);
        operator!(Mul mul: $($left),*);
        operator!(Div div: $($left),*);
        $(impl Neg for $left {
            type Output = Expr;

            fn neg(self) -> Expr {
                self.owned().negated()
            }
        })*
    };
}

operators!(
    Diff,
    &Diff,
    Expr,
    &Expr,
    Constant,
    &Constant,
    Function,
    &Function,
    FunctionRef,
    &FunctionRef,
    TimeFunction,
    &TimeFunction,
    SparseFunction,
    &SparseFunction,
    SparseTimeFunction,
    &SparseTimeFunction,
    SparseRef,
    &SparseRef
);

macro_rules! assign {
    ($($trait:ident $method:ident $operator:ident),*) => {$(
        impl<R: IntoExpr> $trait<R> for Expr {
            fn $method(&mut self, right: R) {
                let left = std::mem::replace(self, Expr::number(0.0));
                *self = $operator(left, right.expr());
            }
        }
    )*};
}

assign!(AddAssign add_assign add, SubAssign sub_assign sub, MulAssign mul_assign mul, DivAssign div_assign div);

impl<T: IntoExpr> Sum<T> for Expr {
    fn sum<I: Iterator<Item = T>>(terms: I) -> Self {
        Expr::sum(terms.map(|term| term.expr()))
    }
}

impl<T: IntoExpr> Product<T> for Expr {
    fn product<I: Iterator<Item = T>>(factors: I) -> Self {
        Expr::product(factors.map(|factor| factor.expr()))
    }
}
