//! Complex values: pairs of real ones.

use std::ops::{Add, Mul, Neg, Sub};

use crate::{
    DType, Differentiable, Expr, Function, FunctionBuilder, Grid, IntoExpr, Result, TimeFunction,
    TimeFunctionBuilder,
};

/// A complex expression.
#[derive(Clone, Debug, PartialEq)]
pub struct Complex {
    /// Real part.
    pub re: Expr,
    /// Imaginary part.
    pub im: Expr,
}

impl Complex {
    /// `re + i*im`
    #[must_use]
    pub fn new(re: impl IntoExpr, im: impl IntoExpr) -> Self {
        Self { re: re.expr(), im: im.expr() }
    }

    /// `cos(phase) + i*sin(phase)`, the phase in radians: `cis(-omega*t)` is the kernel of a Fourier transform.
    #[must_use]
    pub fn cis(phase: impl IntoExpr) -> Self {
        let phase = phase.expr();
        Self { re: phase.cos(), im: phase.sin() }
    }

    /// The complex conjugate.
    #[must_use]
    pub fn conj(&self) -> Self {
        Self { re: self.re.clone(), im: self.im.negated() }
    }

    /// The square of the absolute value.
    #[must_use]
    pub fn norm_sqr(&self) -> Expr {
        &self.re * &self.re + &self.im * &self.im
    }

    /// Maps both parts.
    #[must_use]
    pub fn map(&self, map: impl Fn(&Expr) -> Expr) -> Self {
        Self { re: map(&self.re), im: map(&self.im) }
    }

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

    /// The Laplacian.
    #[must_use]
    pub fn laplace(&self) -> Self {
        self.map(|part| part.laplace())
    }
}

/// Anything that is complex.
pub trait IntoComplex {
    /// The complex expression.
    fn complex(&self) -> Complex;
}

impl IntoComplex for Complex {
    fn complex(&self) -> Complex {
        self.clone()
    }
}

impl<T: IntoComplex> IntoComplex for &T {
    fn complex(&self) -> Complex {
        (**self).complex()
    }
}

impl<R: IntoComplex> Add<R> for Complex {
    type Output = Self;

    fn add(self, other: R) -> Self {
        let other = other.complex();
        Self { re: self.re + other.re, im: self.im + other.im }
    }
}

impl<R: IntoComplex> Sub<R> for Complex {
    type Output = Self;

    fn sub(self, other: R) -> Self {
        let other = other.complex();
        Self { re: self.re - other.re, im: self.im - other.im }
    }
}

impl<S: IntoExpr> Mul<S> for Complex {
    type Output = Self;

    fn mul(self, factor: S) -> Self {
        let factor = factor.expr();
        self.map(|part| part * &factor)
    }
}

impl Complex {
    /// The complex product.
    #[must_use]
    pub fn times(&self, other: impl IntoComplex) -> Self {
        let other = other.complex();
        Self {
            re: &self.re * &other.re - &self.im * &other.im,
            im: &self.re * &other.im + &self.im * &other.re,
        }
    }
}

impl Neg for Complex {
    type Output = Self;

    fn neg(self) -> Self {
        self.map(Expr::negated)
    }
}

macro_rules! handles {
    ($($handle:ident $builder:ident: $function:ident $prototype:ident $what:literal),* $(,)?) => {$(
        #[doc = concat!("A complex function ", $what, ": the pair of `name_re` and `name_im`.")]
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub struct $handle {
            /// Real part.
            pub re: $function,
            /// Imaginary part.
            pub im: $function,
        }

        #[doc = concat!("Builder of a [`", stringify!($handle), "`].")]
        #[derive(Clone, Debug)]
        #[must_use = "a builder makes nothing until `build`"]
        pub struct $builder($prototype);

        impl $handle {
            /// Starts a complex function of this name on a grid.
            #[allow(clippy::new_ret_no_self, reason = "the fluent form that users write")]
            pub fn new(name: impl Into<String>, grid: &Grid) -> $builder {
                $builder($prototype::new(name.into(), grid))
            }

            /// The complex expression.
            #[must_use]
            pub fn expr(&self) -> Complex {
                Complex { re: self.re.expr(), im: self.im.expr() }
            }
        }

        impl $builder {
            /// Order of space derivatives and width of the halo: even, 2 to 64; 0 for none.
            pub fn space_order(self, order: u32) -> Self {
                Self(self.0.space_order(order))
            }

            /// The element type of both parts.
            pub fn dtype(self, dtype: DType) -> Self {
                Self(self.0.dtype(dtype))
            }

            /// Makes both parts.
            ///
            /// # Errors
            /// The `grid::`, `name::` and `function::` codes.
            pub fn build(self) -> Result<$handle> {
                let part = |end: &str| self.0.renamed(format!("{}_{end}", self.0.name())).build();
                Ok($handle { re: part("re")?, im: part("im")? })
            }
        }

        impl IntoComplex for $handle {
            fn complex(&self) -> Complex {
                self.expr()
            }
        }
    )*};
}

handles!(
    ComplexFunction ComplexFunctionBuilder: Function FunctionBuilder "of space",
    ComplexTimeFunction ComplexTimeFunctionBuilder: TimeFunction TimeFunctionBuilder "of time and space",
);

impl ComplexTimeFunctionBuilder {
    /// 1 or 2. `time_order + 1` time levels are kept.
    pub fn time_order(self, order: u32) -> Self {
        Self(self.0.time_order(order))
    }
}

impl ComplexTimeFunction {
    /// At the next step.
    #[must_use]
    pub fn forward(&self) -> Complex {
        self.expr().forward()
    }

    /// At the previous step.
    #[must_use]
    pub fn backward(&self) -> Complex {
        self.expr().backward()
    }
}
