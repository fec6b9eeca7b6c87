//! Conditions: what holds at a point, to choose between values.

use std::fmt;
use std::ops::{BitAnd, BitOr, Not};

use crate::{Expr, IntoExpr, Node};

/// How two numbers are compared. Nothing holds of a number that is not one (NaN).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// `a < b`
    Less,
    /// `a <= b`
    LessOrEqual,
    /// `a == b`
    Equal,
}

/// Something that holds at a point or does not. Made by comparing expressions ([`Differentiable`](crate::Differentiable)
/// has the comparisons), combined with `&`, `|` and `!`.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// A comparison.
    Compare(Comparison, Expr, Expr),
    /// Both hold.
    And(Box<Condition>, Box<Condition>),
    /// One holds.
    Or(Box<Condition>, Box<Condition>),
    /// It does not hold.
    Not(Box<Condition>),
}

impl Condition {
    /// The numbers that are compared, in order.
    #[must_use]
    pub fn numbers(&self) -> Vec<&Expr> {
        match self {
            Self::Compare(_, a, b) => vec![a, b],
            Self::And(a, b) | Self::Or(a, b) => [a.numbers(), b.numbers()].concat(),
            Self::Not(a) => a.numbers(),
        }
    }

    /// The same condition over other numbers.
    #[must_use]
    pub fn map(&self, map: &mut dyn FnMut(&Expr) -> Expr) -> Self {
        match self {
            Self::Compare(op, a, b) => Self::Compare(*op, map(a), map(b)),
            Self::And(a, b) => Self::And(Box::new(a.map(map)), Box::new(b.map(map))),
            Self::Or(a, b) => Self::Or(Box::new(a.map(map)), Box::new(b.map(map))),
            Self::Not(a) => Self::Not(Box::new(a.map(map))),
        }
    }

    /// Moves the numbers out, leaving a condition that is only fit to be dropped.
    pub(crate) fn take_numbers(&mut self, out: &mut Vec<Expr>) {
        match self {
            Self::Compare(_, a, b) => {
                out.push(std::mem::replace(a, Expr::number(0.0)));
                out.push(std::mem::replace(b, Expr::number(0.0)));
            }
            Self::And(a, b) | Self::Or(a, b) => {
                a.take_numbers(out);
                b.take_numbers(out);
            }
            Self::Not(a) => a.take_numbers(out),
        }
    }
}

/// `a` where the condition holds, `b` elsewhere. Both may be computed everywhere.
#[must_use]
pub fn select(condition: Condition, a: impl IntoExpr, b: impl IntoExpr) -> Expr {
    Expr::from_node(Node::Select(condition, a.expr(), b.expr()))
}

impl BitAnd for Condition {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self::And(Box::new(self), Box::new(other))
    }
}

impl BitOr for Condition {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self::Or(Box::new(self), Box::new(other))
    }
}

impl Not for Condition {
    type Output = Self;

    fn not(self) -> Self {
        Self::Not(Box::new(self))
    }
}

/// Prints `a < b`, `a < b and c == d`, `not (a < b)`.
impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Compare(Comparison::Less, a, b) => write!(f, "{a} < {b}"),
            Self::Compare(Comparison::LessOrEqual, a, b) => write!(f, "{a} <= {b}"),
            Self::Compare(Comparison::Equal, a, b) => write!(f, "{a} == {b}"),
            Self::And(a, b) => write!(f, "({a}) and ({b})"),
            Self::Or(a, b) => write!(f, "({a}) or ({b})"),
            Self::Not(a) => write!(f, "not ({a})"),
        }
    }
}
