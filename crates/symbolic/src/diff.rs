//! Derivatives with settings of their own.

use std::sync::Arc;

use crate::differentiable::space_order;
use crate::{Derivative, Differentiable, Dim, Expr, IntoExpr, Side};

/// A derivative under construction: centred, of degree 1, at the space order, where the left-hand side lives, unless said
/// otherwise. It stands in expressions as it is.
///
/// ```
/// # use wavefold_symbolic::prelude::*;
/// # use wavefold_symbolic::Side;
/// # fn main() -> Result<(), SymbolicError> {
/// let grid = Grid::new([32, 32]);
/// let u = TimeFunction::new("u", &grid).space_order(8).build()?;
/// let halfway = u.diff(Dim::X).order(4).x0(0.5); // at x + h/2, from four points
/// let upwind = u.diff(Dim::Y).order(2).side(Side::Left);
/// let optimised = u.diff(Dim::X).weights(-2, &[0.12, -0.74, 0.0, 0.74, -0.12]);
/// let rate = eq(u.forward(), &u - (halfway + upwind + optimised));
/// # rate.check()
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a derivative that stands in no equation does nothing"]
pub struct Diff(Derivative);

impl Diff {
    pub(crate) fn new(expr: Expr, dim: Dim) -> Self {
        let order = if dim == Dim::Time { 2 } else { space_order(&expr) };
        let side = Side::Centered;
        Self(Derivative { expr, dim, degree: 1, order, side, transpose: false, x0: None, weights: None })
    }

    /// How many times it differentiates.
    pub fn degree(mut self, degree: u32) -> Self {
        self.0.degree = degree;
        self
    }

    /// The order of the stencil: even, or odd for a derivative with a [side](Diff::side).
    pub fn order(mut self, order: u32) -> Self {
        self.0.order = order;
        self
    }

    /// Where the points lie.
    pub fn side(mut self, side: Side) -> Self {
        self.0.side = side;
        self
    }

    /// The place of evaluation in points (along time: steps) from the grid node: `0.5` for halfway to the next. The operand
    /// is then taken as it stands, and the value is not moved any more, wherever the left-hand side lives.
    pub fn x0(mut self, x0: f64) -> Self {
        let halves = 2.0 * x0;
        // What is no multiple of a half is kept as a place that the check refuses.
        self.0.x0 = Some(if halves.fract() == 0.0 && halves.abs() < 1e6 { halves as i32 } else { i32::MAX });
        self
    }

    /// Weights for unit spacing, the first at offset `first` from the point, such as those that preserve the dispersion
    /// relation (Tam and Webb, 1993). They are divided by the spacing to the power of the degree.
    pub fn weights(mut self, first: i32, weights: &[f64]) -> Self {
        let at = |(k, w): (usize, &f64)| (first.saturating_add(k as i32), *w);
        self.0.weights = Some(weights.iter().enumerate().map(at).collect::<Arc<[_]>>());
        self
    }
}

impl IntoExpr for Diff {
    fn expr(&self) -> Expr {
        Expr::derivative(self.0.clone())
    }
}

impl Differentiable for Diff {}
