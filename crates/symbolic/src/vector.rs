//! Vectors and tensors of expressions.

use std::ops::{Add, Div, Index, Mul, Neg, Sub};

use crate::{Complex, Differentiable, Dim, Expr, IntoExpr, Result, solve};

/// A vector: one expression for each dimension of the grid.
#[derive(Clone, Debug, PartialEq)]
pub struct Vector(Vec<Expr>);

/// A square tensor of second order: one expression for each pair of dimensions, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor(Vec<Expr>);

impl Vector {
    /// The vector of these components.
    #[must_use]
    pub fn new(components: impl IntoIterator<Item = Expr>) -> Self {
        Self(components.into_iter().collect())
    }

    /// The components, in the order of the dimensions.
    #[must_use]
    pub fn components(&self) -> &[Expr] {
        &self.0
    }

    /// Maps every component.
    #[must_use]
    pub fn map(&self, map: impl FnMut(&Expr) -> Expr) -> Self {
        Self(self.0.iter().map(map).collect())
    }

    /// The sum of the products of components.
    #[must_use]
    pub fn dot(&self, other: impl IntoVector) -> Expr {
        Expr::sum(self.0.iter().zip(other.vector().0).map(|(a, b)| a * b))
    }

    /// The divergence: the sum of the derivatives of each component along its own dimension.
    #[must_use]
    pub fn divergence(&self) -> Expr {
        Expr::sum(self.0.iter().enumerate().map(|(d, c)| c.d(Dim::Space(d), 1)))
    }

    /// The gradient: component `(i, j)` is the derivative of component `i` along dimension `j`.
    #[must_use]
    pub fn gradient(&self) -> Tensor {
        let rank = self.0.len();
        let dims = || (0..rank).map(Dim::Space);
        Tensor(self.0.iter().flat_map(|c| dims().map(|dim| c.d(dim, 1))).collect())
    }

    /// The curl of a vector of three components; of one of two the third component alone, as the only one.
    #[must_use]
    pub fn curl(&self) -> Self {
        let d = |component: usize, dim: usize| self.0[component].d(Dim::Space(dim), 1);
        match self.0.len() {
            3 => Self(vec![d(2, 1) - d(1, 2), d(0, 2) - d(2, 0), d(1, 0) - d(0, 1)]),
            2 => Self(vec![d(1, 0) - d(0, 1)]),
            _ => Self(vec![]),
        }
    }
}

impl Tensor {
    /// The tensor of these components, row-major.
    #[must_use]
    pub fn new(components: impl IntoIterator<Item = Expr>) -> Self {
        Self(components.into_iter().collect())
    }

    /// A tensor with one expression on the diagonal and zeros elsewhere.
    #[must_use]
    pub fn diagonal(rank: usize, value: impl IntoExpr) -> Self {
        let at = |k: usize| if k.is_multiple_of(rank + 1) { value.expr() } else { Expr::number(0.0) };
        Self((0..rank * rank).map(at).collect())
    }

    /// The number of dimensions.
    #[must_use]
    pub fn rank(&self) -> usize {
        self.0.len().isqrt()
    }

    /// The components, row-major.
    #[must_use]
    pub fn components(&self) -> &[Expr] {
        &self.0
    }

    /// Maps every component.
    #[must_use]
    pub fn map(&self, map: impl FnMut(&Expr) -> Expr) -> Self {
        Self(self.0.iter().map(map).collect())
    }

    /// The transpose. (`T` of an expression transposes its derivatives.)
    #[must_use]
    pub fn transpose(&self) -> Self {
        let rank = self.rank();
        Self((0..rank * rank).map(|k| self.0[k % rank * rank + k / rank].clone()).collect())
    }

    /// The sum of the diagonal.
    #[must_use]
    pub fn trace(&self) -> Expr {
        Expr::sum(self.0.iter().step_by(self.rank() + 1).cloned())
    }

    /// The divergence: component `i` is the sum over `j` of the derivatives of component `(i, j)` along dimension `j`.
    #[must_use]
    pub fn divergence(&self) -> Vector {
        let rank = self.rank();
        let row = |row: &[Expr]| Expr::sum(row.iter().enumerate().map(|(j, c)| c.d(Dim::Space(j), 1)));
        Vector(self.0.chunks(rank.max(1)).map(row).collect())
    }
}

impl Index<usize> for Vector {
    type Output = Expr;

    fn index(&self, d: usize) -> &Expr {
        &self.0[d]
    }
}

impl Index<(usize, usize)> for Tensor {
    type Output = Expr;

    fn index(&self, (i, j): (usize, usize)) -> &Expr {
        &self.0[i * self.rank() + j]
    }
}

/// Anything that is a vector.
pub trait IntoVector {
    /// The vector.
    fn vector(&self) -> Vector;
}

/// Anything that is a tensor.
pub trait IntoTensor {
    /// The tensor.
    fn tensor(&self) -> Tensor;
}

impl IntoVector for Vector {
    fn vector(&self) -> Vector {
        self.clone()
    }
}

impl IntoTensor for Tensor {
    fn tensor(&self) -> Tensor {
        self.clone()
    }
}

impl<T: IntoVector> IntoVector for &T {
    fn vector(&self) -> Vector {
        (**self).vector()
    }
}

impl<T: IntoTensor> IntoTensor for &T {
    fn tensor(&self) -> Tensor {
        (**self).tensor()
    }
}

/// What has a divergence: a vector (a number) and a tensor (a vector).
pub trait Divergence {
    /// The type of the divergence.
    type Output;

    /// The divergence.
    fn divergence(&self) -> Self::Output;
}

/// What has a gradient: a number (a vector) and a vector (a tensor).
pub trait Gradient {
    /// The type of the gradient.
    type Output;

    /// The gradient.
    fn gradient(&self) -> Self::Output;
}

/// The divergence of a vector or a tensor.
pub fn div<T: Divergence>(value: T) -> T::Output {
    value.divergence()
}

/// The gradient of a number or a vector.
pub fn grad<T: Gradient>(value: T) -> T::Output {
    value.gradient()
}

/// The curl of a vector, see [`Vector::curl`].
#[must_use]
pub fn curl(value: impl IntoVector) -> Vector {
    value.vector().curl()
}

/// A tensor with one expression on the diagonal and zeros elsewhere.
#[must_use]
pub fn diag(rank: usize, value: impl IntoExpr) -> Tensor {
    Tensor::diagonal(rank, value)
}

/// The gradient of an expression along the dimensions of its functions' grid.
fn gradient_of(expr: &Expr) -> Vector {
    let rank = expr.functions().iter().map(|f| f.grid().rank()).max().unwrap_or(0);
    Vector((0..rank).map(|d| expr.d(Dim::Space(d), 1)).collect())
}

macro_rules! gradients {
    ($($t:ty),*) => {$(
        impl Gradient for $t {
            type Output = Vector;

            fn gradient(&self) -> Vector {
                gradient_of(&self.expr())
            }
        }

        impl Gradient for &$t {
            type Output = Vector;

            fn gradient(&self) -> Vector {
                gradient_of(&self.expr())
            }
        }
    )*};
}

gradients!(Expr, crate::Function, crate::TimeFunction);

/// Solves each component of `expr == 0` for that of `target`, see [`solve`].
///
/// # Errors
/// Those of [`solve`].
pub fn solve_vector(expr: impl IntoVector, target: impl IntoVector) -> Result<Vector> {
    let (expr, target) = (expr.vector(), target.vector());
    expr.0.iter().zip(&target.0).map(|(e, t)| solve(e, t)).collect::<Result<Vec<_>>>().map(Vector)
}

macro_rules! arithmetic {
    ($value:ident, $into:ident, $method:ident) => {
        impl $value {
            /// At the next step.
            #[must_use]
            pub fn forward(&self) -> Self {
                self.map(Expr::forward)
            }

            /// At the previous step.
            #[must_use]
            pub fn backward(&self) -> Self {
                self.map(Expr::backward)
            }

            /// The forward difference in time of every component.
            #[must_use]
            pub fn dt(&self) -> Self {
                self.map(|c| c.dt())
            }

            /// The second difference in time of every component.
            #[must_use]
            pub fn dt2(&self) -> Self {
                self.map(|c| c.dt2())
            }

            /// The Laplacian of every component.
            #[must_use]
            pub fn laplace(&self) -> Self {
                self.map(|c| c.laplace())
            }

            fn zip(&self, other: &Self, join: impl Fn(&Expr, &Expr) -> Expr) -> Self {
                // Where the lengths differ, the longer stays: the equation that holds the result names its components.
                let long = self.0.len().max(other.0.len());
                let zero = Expr::number(0.0);
                let at = |list: &[Expr], k: usize| list.get(k).cloned().unwrap_or_else(|| zero.clone());
                Self((0..long).map(|k| join(&at(&self.0, k), &at(&other.0, k))).collect())
            }
        }

        impl<R: $into> Add<R> for $value {
            type Output = $value;

            fn add(self, other: R) -> $value {
                self.zip(&other.$method(), |a, b| a + b)
            }
        }

        impl<R: $into> Add<R> for &$value {
            type Output = $value;

            fn add(self, other: R) -> $value {
                self.zip(&other.$method(), |a, b| a + b)
            }
        }

        impl<R: $into> Sub<R> for $value {
            type Output = $value;

            fn sub(self, other: R) -> $value {
                self.zip(&other.$method(), |a, b| a - b)
            }
        }

        impl<R: $into> Sub<R> for &$value {
            type Output = $value;

            fn sub(self, other: R) -> $value {
                self.zip(&other.$method(), |a, b| a - b)
            }
        }

        impl<S: IntoExpr> Mul<S> for $value {
            type Output = $value;

            fn mul(self, factor: S) -> $value {
                let factor = factor.expr();
                self.map(|c| &factor * c)
            }
        }

        impl<S: IntoExpr> Div<S> for $value {
            type Output = $value;

            fn div(self, divisor: S) -> $value {
                let divisor = divisor.expr();
                self.map(|c| c / &divisor)
            }
        }

        impl Neg for $value {
            type Output = $value;

            fn neg(self) -> $value {
                self.map(Expr::negated)
            }
        }
    };
}

arithmetic!(Vector, IntoVector, vector);
arithmetic!(Tensor, IntoTensor, tensor);

/// `factor * value` for every kind of factor.
macro_rules! factors {
    ($value:ident: $($factor:ty),* $(,)?) => {$(
        impl Mul<$value> for $factor {
            type Output = $value;

            fn mul(self, value: $value) -> $value {
                value * self
            }
        }

        impl Mul<&$value> for $factor {
            type Output = $value;

            fn mul(self, value: &$value) -> $value {
                value.clone() * self
            }
        }
    )*};
}

macro_rules! all_factors {
    ($($value:ident),*) => {$(
        factors!(
            $value: f64,
            Expr,
            &Expr,
            crate::Constant,
            &crate::Constant,
            crate::Function,
            &crate::Function,
            crate::TimeFunction,
            &crate::TimeFunction
        );
    )*};
}

all_factors!(Vector, Tensor, Complex);

macro_rules! divergences {
    ($($t:ty: $method:ident $whole:ident => $output:ty),* $(,)?) => {$(
        impl Divergence for $t {
            type Output = $output;

            fn divergence(&self) -> $output {
                let value: $whole = self.$method();
                value.divergence()
            }
        }

        impl Divergence for &$t {
            type Output = $output;

            fn divergence(&self) -> $output {
                let value: $whole = self.$method();
                value.divergence()
            }
        }
    )*};
}

divergences!(
    Vector: vector Vector => Expr,
    Tensor: tensor Tensor => Vector,
    crate::VectorFunction: vector Vector => Expr,
    crate::VectorTimeFunction: vector Vector => Expr,
    crate::TensorFunction: tensor Tensor => Vector,
    crate::TensorTimeFunction: tensor Tensor => Vector,
);

macro_rules! vector_gradients {
    ($($t:ty),*) => {$(
        impl Gradient for $t {
            type Output = Tensor;

            fn gradient(&self) -> Tensor {
                let value: Vector = self.vector();
                value.gradient()
            }
        }

        impl Gradient for &$t {
            type Output = Tensor;

            fn gradient(&self) -> Tensor {
                let value: Vector = self.vector();
                value.gradient()
            }
        }
    )*};
}

vector_gradients!(Vector, crate::VectorFunction, crate::VectorTimeFunction);
