//! Expressions: immutable shared trees.
//!
//! An [`Expr`] is an `Arc<Node>`: cloning is a counter, equality is structural, and nothing is
//! registered anywhere. The constructors simplify lightly: sums and products are flat, numbers are folded
//! (first in a product, last in a sum), and 0 and 1 disappear. They never expand a product over a
//! sum and never expand a derivative.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, LazyLock};

use smallvec::SmallVec;

use crate::{Condition, Constant, Dim, FunctionRef, SparseRef};

/// Offsets of an access in points, one per space dimension.
pub type Offsets = SmallVec<[i32; 3]>;

/// A symbolic expression.
#[derive(Clone)]
pub struct Expr(Arc<Node>);

impl PartialEq for Expr {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

/// One node of an expression. See [`Expr`] for the invariants that the constructors keep.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// A number.
    Number(f64),
    /// The grid spacing along a space dimension: `h_x`, `h_y` or `h_z`.
    Spacing(usize),
    /// The time step `dt`.
    TimeStep,
    /// A named scalar whose value is read when an operator is applied.
    Constant(Constant),
    /// The value of a function at a point.
    Access(Access),
    /// The value of a sparse function at its point `p`.
    Sparse {
        /// The function.
        sparse: SparseRef,
        /// Time shift in steps; 0 for a function without time.
        time: i32,
    },
    /// A sum of two or more terms, none of them a sum; at most one number, last.
    Add(Vec<Expr>),
    /// A product of two or more factors, none of them a product; at most one number, first.
    Mul(Vec<Expr>),
    /// A power. A quotient `a/b` is `a*b^-1`.
    Pow(Expr, Expr),
    /// The index of the point along a dimension of space, or the number of the step, as a number.
    Index(Dim),
    /// An elementary function of one argument.
    Call(MathFn, Expr),
    /// The smaller or larger of two numbers.
    Extremum(Extremum, Expr, Expr),
    /// The second expression where the condition holds, the third elsewhere.
    Select(Condition, Expr, Expr),
    /// A derivative that has not been turned into a stencil.
    Derivative(Derivative),
}

/// The value of a function at a point: `u(t+time, x+offsets[0], ..)`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Access {
    /// The function.
    pub function: FunctionRef,
    /// Time shift in steps; 0 for a function without time.
    pub time: i32,
    /// Space shift in points, one per dimension of the function's grid.
    pub offsets: Offsets,
}

impl Access {
    /// Whether the access is at the iteration point itself in every space dimension.
    #[must_use]
    pub fn is_centred(&self) -> bool {
        self.offsets.iter().all(|&offset| offset == 0)
    }
}

/// A derivative of an expression, kept symbolic; [`crate::fd::stencil`] gives its weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Derivative {
    /// What is differentiated.
    pub expr: Expr,
    /// Along which dimension.
    pub dim: Dim,
    /// How many times: 1 for a first derivative.
    pub degree: u32,
    /// Order of the stencil (Devito's `fd_order`): a centred stencil has `order + 1` points.
    pub order: u32,
    /// Where the points lie.
    pub side: Side,
    /// Whether it is the matrix transpose, with every offset negated.
    pub transpose: bool,
    /// Where it is evaluated along `dim`, in half points from the grid node of the index: 1 for `i + 1/2`. `None`:
    /// where the left-hand side of the equation lives. In an equation that was [located](crate::locate) it counts from
    /// the points of the operand, and is never `None` in space.
    pub x0: Option<i32>,
    /// Weights of the user at offsets from the point, for unit spacing, in place of those of [`crate::fd`].
    pub weights: Option<Arc<[(i32, f64)]>>,
}

/// Which of two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Extremum {
    /// `a < b ? a : b`
    Min,
    /// `a > b ? a : b`
    Max,
}

/// Where the points of a difference lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// Symmetric about the point.
    Centered,
    /// Shifted by one point to lower indices. In time: the backward difference.
    Left,
    /// Shifted by one point to higher indices. In time: the forward difference.
    Right,
}

/// Elementary functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MathFn {
    /// Square root.
    Sqrt,
    /// Exponential.
    Exp,
    /// Natural logarithm.
    Log,
    /// Sine of an angle in radians.
    Sin,
    /// Cosine of an angle in radians.
    Cos,
    /// Tangent of an angle in radians.
    Tan,
    /// Hyperbolic tangent.
    Tanh,
    /// Absolute value.
    Abs,
    /// Largest integer not above.
    Floor,
    /// Smallest integer not below.
    Ceil,
}

impl MathFn {
    /// Every function, for tables.
    pub const ALL: [Self; 10] = [
        Self::Sqrt,
        Self::Exp,
        Self::Log,
        Self::Sin,
        Self::Cos,
        Self::Tan,
        Self::Tanh,
        Self::Abs,
        Self::Floor,
        Self::Ceil,
    ];

    /// The name in text and in C's `<tgmath.h>` family (`abs` is `fabs` there).
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqrt => "sqrt",
            Self::Exp => "exp",
            Self::Log => "log",
            Self::Sin => "sin",
            Self::Cos => "cos",
            Self::Tan => "tan",
            Self::Tanh => "tanh",
            Self::Abs => "abs",
            Self::Floor => "floor",
            Self::Ceil => "ceil",
        }
    }

    /// The function applied to a number.
    #[must_use]
    pub fn eval(self, x: f64) -> f64 {
        match self {
            Self::Sqrt => x.sqrt(),
            Self::Exp => x.exp(),
            Self::Log => x.ln(),
            Self::Sin => x.sin(),
            Self::Cos => x.cos(),
            Self::Tan => x.tan(),
            Self::Tanh => x.tanh(),
            Self::Abs => x.abs(),
            Self::Floor => x.floor(),
            Self::Ceil => x.ceil(),
        }
    }
}

static ZERO: LazyLock<Expr> = LazyLock::new(|| Expr(Arc::new(Node::Number(0.0))));

impl Expr {
    /// A node as it stands, without simplification.
    #[must_use]
    pub fn from_node(node: Node) -> Self {
        Self(Arc::new(node))
    }

    /// Whether both are the very same node in memory.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The root node.
    #[must_use]
    pub fn node(&self) -> &Node {
        &self.0
    }

    /// A number.
    #[must_use]
    pub fn number(value: f64) -> Self {
        if value.to_bits() == 0 { ZERO.clone() } else { Self::from_node(Node::Number(value)) }
    }

    /// The value, if the expression is a number.
    #[must_use]
    pub fn as_number(&self) -> Option<f64> {
        if let Node::Number(value) = self.node() { Some(*value) } else { None }
    }

    /// The access, if the expression is one.
    #[must_use]
    pub fn as_access(&self) -> Option<&Access> {
        if let Node::Access(access) = self.node() { Some(access) } else { None }
    }

    /// Whether the expression is the number `value`.
    #[must_use]
    pub fn is_number(&self, value: f64) -> bool {
        self.as_number() == Some(value)
    }

    /// The sum of terms: flattened, numbers added up and put last, zeros dropped.
    #[must_use]
    pub fn sum(terms: impl IntoIterator<Item = Self>) -> Self {
        let mut flat = Vec::new();
        let mut constant = 0.0;
        for term in terms {
            push_flat(&mut flat, term, |node| if let Node::Add(list) = node { Some(list) } else { None });
            // A number is the term itself or the last of its terms.
            while let Some(value) = flat.last().and_then(Self::as_number) {
                constant += value;
                flat.pop();
            }
        }
        if constant != 0.0 || flat.is_empty() {
            flat.push(Self::number(constant));
        }
        if flat.len() == 1 { flat.swap_remove(0) } else { Self::from_node(Node::Add(flat)) }
    }

    /// The product of factors: flattened, numbers multiplied and put first, ones dropped; 0 if any is 0.
    #[must_use]
    pub fn product(factors: impl IntoIterator<Item = Self>) -> Self {
        let mut flat = Vec::new();
        for factor in factors {
            push_flat(&mut flat, factor, |node| if let Node::Mul(list) = node { Some(list) } else { None });
        }
        let mut coefficient = 1.0;
        flat.retain(|factor| match factor.as_number() {
            Some(value) => {
                coefficient *= value;
                false
            }
            None => true,
        });
        if coefficient == 0.0 {
            return Self::number(0.0);
        }
        if coefficient != 1.0 || flat.is_empty() {
            flat.insert(0, Self::number(coefficient));
        }
        if flat.len() == 1 { flat.swap_remove(0) } else { Self::from_node(Node::Mul(flat)) }
    }

    /// A power, with numbers folded when the result is finite, and `(a^m)^n = a^(m*n)` for integers.
    #[must_use]
    pub fn power(base: Self, exponent: Self) -> Self {
        let Some(n) = exponent.as_number() else {
            return Self::from_node(Node::Pow(base, exponent));
        };
        if n == 0.0 {
            return Self::number(1.0);
        }
        if n == 1.0 {
            return base;
        }
        if let Some(b) = base.as_number() {
            let value = b.powf(n);
            if value.is_finite() {
                return Self::number(value);
            }
        }
        if let Node::Pow(inner, m) = base.node()
            && let Some(m) = m.as_number()
            && m.fract() == 0.0
            && n.fract() == 0.0
        {
            return Self::power(inner.clone(), Self::number(m * n));
        }
        Self::from_node(Node::Pow(base, exponent))
    }

    /// An elementary function of an expression; of a number it is folded when the result is finite.
    #[must_use]
    pub fn call(function: MathFn, argument: Self) -> Self {
        match argument.as_number().map(|x| function.eval(x)) {
            Some(value) if value.is_finite() => Self::number(value),
            _ => Self::from_node(Node::Call(function, argument)),
        }
    }

    /// A derivative; that of an expression without any function is 0.
    #[must_use]
    pub fn derivative(derivative: Derivative) -> Self {
        let varies = |node: &Node| matches!(node, Node::Access(_) | Node::Sparse { .. } | Node::Index(_));
        if derivative.degree == 0 {
            derivative.expr
        } else if derivative.expr.any(varies) {
            Self::from_node(Node::Derivative(derivative))
        } else {
            Self::number(0.0)
        }
    }

    /// The negated expression.
    #[must_use]
    pub fn negated(&self) -> Self {
        Self::product([Self::number(-1.0), self.clone()])
    }
}

/// Pushes an expression, or its parts if `parts` says it is a list of the same kind.
///
/// The list is taken over without copying when nobody else holds it, so that a sum built term by
/// term in a loop costs linear time.
fn push_flat(flat: &mut Vec<Expr>, mut expr: Expr, parts: impl Fn(&mut Node) -> Option<&mut Vec<Expr>>) {
    if let Some(node) = Arc::get_mut(&mut expr.0) {
        match parts(node) {
            Some(list) if flat.is_empty() => *flat = std::mem::take(list),
            Some(list) => flat.append(list),
            None => flat.push(expr),
        }
        return;
    }
    match (expr.node(), flat.len()) {
        (Node::Add(_) | Node::Mul(_), _) => {
            let mut node = expr.node().clone();
            match parts(&mut node) {
                Some(list) => flat.append(list),
                None => flat.push(expr),
            }
        }
        _ => flat.push(expr),
    }
}

impl Node {
    /// Moves the children out, leaving a node that is only fit to be dropped.
    fn take_children(&mut self, out: &mut Vec<Expr>) {
        match self {
            Self::Add(list) | Self::Mul(list) => out.append(list),
            Self::Pow(base, exponent) => {
                out.push(std::mem::replace(base, ZERO.clone()));
                out.push(std::mem::replace(exponent, ZERO.clone()));
            }
            Self::Call(_, argument) => out.push(std::mem::replace(argument, ZERO.clone())),
            Self::Extremum(_, a, b) => {
                out.push(std::mem::replace(a, ZERO.clone()));
                out.push(std::mem::replace(b, ZERO.clone()));
            }
            Self::Select(condition, a, b) => {
                condition.take_numbers(out);
                out.push(std::mem::replace(a, ZERO.clone()));
                out.push(std::mem::replace(b, ZERO.clone()));
            }
            Self::Derivative(derivative) => out.push(std::mem::replace(&mut derivative.expr, ZERO.clone())),
            _ => {}
        }
    }

    fn is_leaf(&self) -> bool {
        matches!(
            self,
            Self::Number(_)
                | Self::Spacing(_)
                | Self::TimeStep
                | Self::Constant(_)
                | Self::Access(_)
                | Self::Sparse { .. }
                | Self::Index(_)
        )
    }
}

impl Drop for Expr {
    /// Drops the tree in a loop: a deep one would overflow the stack otherwise.
    fn drop(&mut self) {
        if self.0.is_leaf() {
            return;
        }
        let Some(node) = Arc::get_mut(&mut self.0) else { return };
        let mut pending = Vec::new();
        node.take_children(&mut pending);
        while let Some(mut expr) = pending.pop() {
            if !expr.0.is_leaf()
                && let Some(node) = Arc::get_mut(&mut expr.0)
            {
                node.take_children(&mut pending);
                // Its own `drop` now finds nothing below it but shared leaves.
            }
        }
    }
}

impl Deref for Expr {
    type Target = Node;

    fn deref(&self) -> &Node {
        &self.0
    }
}

impl fmt::Debug for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
