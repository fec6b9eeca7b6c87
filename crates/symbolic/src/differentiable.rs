//! Derivatives and elementary functions, as methods.

use crate::{
    Comparison, Condition, Constant, Derivative, Diff, Dim, Expr, Extremum, Function, FunctionRef, IntoExpr,
    MathFn, Node, Side, SparseFunction, SparseTimeFunction, TimeFunction, select, transpose,
};

macro_rules! derivatives {
    ($($name:ident: $dim:ident $degree:literal $what:literal),* $(,)?) => {$(
        #[doc = concat!("The ", $what, " derivative along `", stringify!($dim), "`, centred, at the space order.")]
        #[must_use]
        fn $name(&self) -> Expr {
            self.d(Dim::$dim, $degree)
        }
    )*};
}

macro_rules! sided {
    ($($name:ident: $dim:ident $side:ident $what:literal),* $(,)?) => {$(
        #[doc = concat!("The first derivative along `", stringify!($dim), "`, ", $what, ".")]
        #[must_use]
        fn $name(&self) -> Expr {
            space(&self.expr(), Dim::$dim, 1, Side::$side)
        }
    )*};
}

macro_rules! calls {
    ($($name:ident: $function:ident $what:literal),* $(,)?) => {$(
        #[doc = $what]
        #[must_use]
        fn $name(&self) -> Expr {
            Expr::call(MathFn::$function, self.expr())
        }
    )*};
}

/// Derivatives and elementary functions of expressions and functions.
///
/// Derivatives stay symbolic until an operator is built. The order of a space derivative is the
/// space order of the function, and of a compound expression the least of its functions'. Every
/// space derivative is centred unless its name says otherwise, **at order 2 as at any other**
/// (Devito's `.dx` is one-sided at order 2).
pub trait Differentiable: IntoExpr {
    /// The derivative of a degree along a dimension, centred; the first in time is the forward difference.
    #[must_use]
    fn d(&self, dim: Dim, degree: u32) -> Expr {
        match (dim, degree) {
            (Dim::Time, 1) => time(&self.expr(), 1, 1, Side::Right),
            (Dim::Time, _) => time(&self.expr(), degree, 2, Side::Centered),
            _ => space(&self.expr(), dim, degree, Side::Centered),
        }
    }

    derivatives! {
        dx: X 1 "first", dy: Y 1 "first", dz: Z 1 "first",
        dx2: X 2 "second", dy2: Y 2 "second", dz2: Z 2 "second",
        dx3: X 3 "third", dy3: Y 3 "third", dz3: Z 3 "third",
        dx4: X 4 "fourth", dy4: Y 4 "fourth", dz4: Z 4 "fourth",
    }

    sided! {
        dxc: X Centered "centred (the same as `dx`)",
        dyc: Y Centered "centred (the same as `dy`)",
        dzc: Z Centered "centred (the same as `dz`)",
        dxl: X Left "with the points of `dx` shifted by one to lower indices",
        dyl: Y Left "with the points of `dy` shifted by one to lower indices",
        dzl: Z Left "with the points of `dz` shifted by one to lower indices",
        dxr: X Right "with the points of `dx` shifted by one to higher indices",
        dyr: Y Right "with the points of `dy` shifted by one to higher indices",
        dzr: Z Right "with the points of `dz` shifted by one to higher indices",
    }

    /// The Laplacian: the sum of second derivatives over the dimensions of the grid.
    #[must_use]
    fn laplace(&self) -> Expr {
        let expr = self.expr();
        let rank = expr.functions().iter().map(|function| function.grid().rank()).max().unwrap_or(0);
        Expr::sum((0..rank).map(|i| expr.d(Dim::Space(i), 2)))
    }

    /// The Laplacian of the Laplacian.
    #[must_use]
    fn biharmonic(&self) -> Expr {
        self.laplace().laplace()
    }

    /// The first time derivative, the forward difference `(u(t+1) - u(t))/dt`.
    #[must_use]
    fn dt(&self) -> Expr {
        self.d(Dim::Time, 1)
    }

    /// The second time derivative, the centred difference `(u(t+1) - 2*u(t) + u(t-1))/dt²`.
    #[must_use]
    fn dt2(&self) -> Expr {
        self.d(Dim::Time, 2)
    }

    /// The first time derivative, the centred difference `(u(t+1) - u(t-1))/(2*dt)`.
    #[must_use]
    fn dtc(&self) -> Expr {
        time(&self.expr(), 1, 2, Side::Centered)
    }

    /// The first time derivative, the backward difference `(u(t) - u(t-1))/dt`.
    #[must_use]
    fn dtl(&self) -> Expr {
        time(&self.expr(), 1, 1, Side::Left)
    }

    /// The matrix transpose of the derivatives, as operators on what they differentiate.
    ///
    /// `dx` with weights `w[k]` at offsets `k` becomes the difference with `w[k]` at `-k`. Sums transpose
    /// term by term, chains in reverse: `(c*u.dx()).T()` is the transposed `dx` of `c*u`. Without a
    /// derivative the expression is its own transpose.
    #[allow(non_snake_case, reason = "the field writes a transpose as a capital T")]
    #[must_use]
    fn T(&self) -> Expr {
        transpose::transpose(&self.expr())
    }

    /// The expression `k` points further along a dimension (steps, in time).
    #[must_use]
    fn shift(&self, dim: Dim, k: i32) -> Expr {
        self.expr().shifted(dim, k)
    }

    /// A derivative with settings of its own: degree, order, side, place of evaluation, weights.
    fn diff(&self, dim: Dim) -> Diff {
        Diff::new(self.expr(), dim)
    }

    /// The mixed derivative along `x` and `y`: one after the other.
    #[must_use]
    fn dxdy(&self) -> Expr {
        self.dx().dy()
    }

    /// The mixed derivative along `x` and `z`: one after the other.
    #[must_use]
    fn dxdz(&self) -> Expr {
        self.dx().dz()
    }

    /// The mixed derivative along `y` and `z`: one after the other.
    #[must_use]
    fn dydz(&self) -> Expr {
        self.dy().dz()
    }

    /// `self < other`
    #[must_use]
    fn lt(&self, other: impl IntoExpr) -> Condition {
        Condition::Compare(Comparison::Less, self.expr(), other.expr())
    }

    /// `self <= other`
    #[must_use]
    fn le(&self, other: impl IntoExpr) -> Condition {
        Condition::Compare(Comparison::LessOrEqual, self.expr(), other.expr())
    }

    /// `self > other`
    #[must_use]
    fn gt(&self, other: impl IntoExpr) -> Condition {
        Condition::Compare(Comparison::Less, other.expr(), self.expr())
    }

    /// `self >= other`
    #[must_use]
    fn ge(&self, other: impl IntoExpr) -> Condition {
        Condition::Compare(Comparison::LessOrEqual, other.expr(), self.expr())
    }

    /// `self == other`, to the last bit.
    #[must_use]
    fn equals(&self, other: impl IntoExpr) -> Condition {
        Condition::Compare(Comparison::Equal, self.expr(), other.expr())
    }

    /// The smaller of two values.
    #[must_use]
    fn min(&self, other: impl IntoExpr) -> Expr {
        Expr::from_node(Node::Extremum(Extremum::Min, self.expr(), other.expr()))
    }

    /// The larger of two values.
    #[must_use]
    fn max(&self, other: impl IntoExpr) -> Expr {
        Expr::from_node(Node::Extremum(Extremum::Max, self.expr(), other.expr()))
    }

    /// -1, 0 or 1.
    #[must_use]
    fn sign(&self) -> Expr {
        select(self.gt(0.0), 1.0, select(self.lt(0.0), -1.0, 0.0))
    }

    /// A power.
    #[must_use]
    fn pow(&self, exponent: impl IntoExpr) -> Expr
    where
        Self: Sized,
    {
        Expr::power(self.expr(), exponent.expr())
    }

    calls! {
        sqrt: Sqrt "The square root.",
        exp: Exp "The exponential.",
        log: Log "The natural logarithm.",
        sin: Sin "The sine of an angle in radians.",
        cos: Cos "The cosine of an angle in radians.",
        tan: Tan "The tangent of an angle in radians.",
        tanh: Tanh "The hyperbolic tangent.",
        abs: Abs "The absolute value.",
        floor: Floor "The largest integer not above.",
        ceil: Ceil "The smallest integer not below.",
    }
}

impl Differentiable for Expr {}
impl Differentiable for Constant {}
impl Differentiable for Function {}
impl Differentiable for FunctionRef {}
impl Differentiable for TimeFunction {}
impl Differentiable for SparseFunction {}
impl Differentiable for SparseTimeFunction {}

/// The least space order of the functions in an expression.
pub(crate) fn space_order(expr: &Expr) -> u32 {
    expr.functions().iter().map(|function| function.space_order()).min().unwrap_or(2)
}

fn space(expr: &Expr, dim: Dim, degree: u32, side: Side) -> Expr {
    let order = space_order(expr);
    Expr::derivative(Derivative {
        expr: expr.clone(),
        dim,
        degree,
        order,
        side,
        transpose: false,
        x0: None,
        weights: None,
    })
}

fn time(expr: &Expr, degree: u32, order: u32, side: Side) -> Expr {
    let dim = Dim::Time;
    let (x0, weights) = (None, None);
    Expr::derivative(Derivative {
        expr: expr.clone(),
        dim,
        degree,
        order,
        side,
        transpose: false,
        x0,
        weights,
    })
}
