//! What may stand on either side of an equation.

use crate::{Complex, Expr, IntoExpr, Tensor, Vector};

/// A side of an equation: a number, or several.
#[derive(Clone, Debug, PartialEq)]
pub enum Components {
    /// One number.
    Scalar(Expr),
    /// One number for each dimension.
    Vector(Vec<Expr>),
    /// A square of numbers, row-major.
    Tensor(Vec<Expr>),
    /// Real and imaginary part.
    Complex([Expr; 2]),
}

impl Components {
    /// Equal components of both sides. A scalar on the right is meant for all of them, and is a real
    /// number for a complex left-hand side. Each component of a symmetric
    /// left-hand side is written once, and what is no function there (the zeros of a diagonal) not at all.
    pub(crate) fn pairs(&self, rhs: &Self) -> Option<Vec<(Expr, Expr)>> {
        let lhs = self.list();
        let rhs: Vec<Expr> = match rhs {
            Self::Scalar(value) if matches!(self, Self::Complex(_)) => vec![value.clone(), Expr::number(0.0)],
            Self::Scalar(value) => vec![value.clone(); lhs.len()],
            _ if matches!(self, Self::Complex(_)) != matches!(rhs, Self::Complex(_)) => return None,
            _ => rhs.list(),
        };
        let scalar = matches!(self, Self::Scalar(_));
        if scalar || lhs.len() != rhs.len() {
            return None;
        }
        let mut pairs: Vec<(Expr, Expr)> = Vec::new();
        for (l, r) in lhs.into_iter().zip(rhs) {
            if l.as_number().is_none() && pairs.iter().all(|(known, _)| *known != l) {
                pairs.push((l, r));
            }
        }
        Some(pairs)
    }

    fn list(&self) -> Vec<Expr> {
        match self {
            Self::Scalar(value) => vec![value.clone()],
            Self::Vector(list) | Self::Tensor(list) => list.clone(),
            Self::Complex(parts) => parts.to_vec(),
        }
    }

    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Scalar(_) => "a number".into(),
            Self::Vector(list) => format!("a vector of {} components", list.len()),
            Self::Tensor(list) => format!("a tensor of {} components", list.len()),
            Self::Complex(_) => "a complex number".into(),
        }
    }
}

/// Anything that may stand on a side of an equation.
pub trait Operand {
    /// Its components.
    fn components(&self) -> Components;
}

impl<T: IntoExpr> Operand for T {
    fn components(&self) -> Components {
        Components::Scalar(self.expr())
    }
}

macro_rules! operands {
    ($($t:ty: $this:ident => $components:expr),* $(,)?) => {$(
        impl Operand for $t {
            fn components(&self) -> Components {
                let $this = self;
                $components
            }
        }

        impl Operand for &$t {
            fn components(&self) -> Components {
                Operand::components(*self)
            }
        }
    )*};
}

operands! {
    Vector: v => Components::Vector(v.components().to_vec()),
    Tensor: t => Components::Tensor(t.components().to_vec()),
    Complex: c => Components::Complex([c.re.clone(), c.im.clone()]),
}

macro_rules! handles {
    ($($t:ty),*) => {$(
        impl Operand for $t {
            fn components(&self) -> Components {
                Operand::components(&self.expr())
            }
        }

        impl Operand for &$t {
            fn components(&self) -> Components {
                Operand::components(&self.expr())
            }
        }
    )*};
}

handles!(
    crate::VectorFunction,
    crate::VectorTimeFunction,
    crate::TensorFunction,
    crate::TensorTimeFunction,
    crate::ComplexFunction,
    crate::ComplexTimeFunction
);
