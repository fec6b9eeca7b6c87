//! Statements: assignments, injections, interpolations.

use std::panic::Location;

use crate::{Expr, FunctionRef, IntoExpr, Result, SparseRef, validate};

/// One statement of an operator.
#[derive(Clone, Debug)]
pub struct Equation {
    kind: EquationKind,
    location: &'static Location<'static>,
}

/// What a statement does.
#[derive(Clone, Debug, PartialEq)]
pub enum EquationKind {
    /// `lhs = rhs` at every point of the domain, or `lhs += rhs`.
    Assign {
        /// An access at the point itself.
        lhs: Expr,
        /// The value.
        rhs: Expr,
        /// Whether the value is added.
        increment: bool,
    },
    /// `target += value` on the grid points around each sparse point.
    Inject {
        /// The points.
        sparse: SparseRef,
        /// An access at the grid point itself.
        target: Expr,
        /// The value, which may hold `sparse` and functions on the grid; these are taken at each grid point.
        value: Expr,
    },
    /// `sparse = value` at each sparse point, or `sparse += value`.
    Interpolate {
        /// The points.
        sparse: SparseRef,
        /// The value, taken on the grid points around each sparse point.
        value: Expr,
        /// Whether the value is added.
        increment: bool,
    },
}

/// The statement `lhs = rhs`.
#[track_caller]
#[must_use]
pub fn eq(lhs: impl IntoExpr, rhs: impl IntoExpr) -> Equation {
    Equation::new(EquationKind::Assign { lhs: lhs.expr(), rhs: rhs.expr(), increment: false })
}

/// The statement `lhs += rhs`.
#[track_caller]
#[must_use]
pub fn inc(lhs: impl IntoExpr, rhs: impl IntoExpr) -> Equation {
    Equation::new(EquationKind::Assign { lhs: lhs.expr(), rhs: rhs.expr(), increment: true })
}

impl Equation {
    /// A statement, written where the caller is.
    #[track_caller]
    #[must_use]
    pub fn new(kind: EquationKind) -> Self {
        Self { kind, location: Location::caller() }
    }

    /// What the statement does.
    #[must_use]
    pub fn kind(&self) -> &EquationKind {
        &self.kind
    }

    /// Where in the user's program the statement was written.
    #[must_use]
    pub fn location(&self) -> &'static Location<'static> {
        self.location
    }

    /// The same statement with every expression mapped: left-hand side or target first, then the value.
    #[must_use]
    pub fn map(&self, mut map: impl FnMut(&Expr) -> Expr) -> Self {
        let kind = match &self.kind {
            EquationKind::Assign { lhs, rhs, increment } => {
                EquationKind::Assign { lhs: map(lhs), rhs: map(rhs), increment: *increment }
            }
            EquationKind::Inject { sparse, target, value } => {
                EquationKind::Inject { sparse: sparse.clone(), target: map(target), value: map(value) }
            }
            EquationKind::Interpolate { sparse, value, increment } => {
                EquationKind::Interpolate { sparse: sparse.clone(), value: map(value), increment: *increment }
            }
        };
        Self { kind, location: self.location }
    }

    /// The expression written to on the grid, if the statement writes there.
    #[must_use]
    pub fn target(&self) -> Option<&Expr> {
        match &self.kind {
            EquationKind::Assign { lhs, .. } => Some(lhs),
            EquationKind::Inject { target, .. } => Some(target),
            EquationKind::Interpolate { .. } => None,
        }
    }

    /// The value that is written.
    #[must_use]
    pub fn value(&self) -> &Expr {
        match &self.kind {
            EquationKind::Assign { rhs, .. } => rhs,
            EquationKind::Inject { value, .. } | EquationKind::Interpolate { value, .. } => value,
        }
    }

    /// The functions on the grid, each once, in order of appearance.
    #[must_use]
    pub fn functions(&self) -> Vec<FunctionRef> {
        let mut found = self.target().map(Expr::functions).unwrap_or_default();
        found.extend(self.value().functions());
        dedup(found)
    }

    /// The sparse functions, each once: that of an injection or interpolation first.
    #[must_use]
    pub fn sparse(&self) -> Vec<SparseRef> {
        let mut found = Vec::new();
        if let EquationKind::Inject { sparse, .. } | EquationKind::Interpolate { sparse, .. } = &self.kind {
            found.push(sparse.clone());
        }
        found.extend(self.value().sparse());
        dedup(found)
    }

    /// Checks the statement by itself; what several statements do to each other is the operator's to check.
    ///
    /// # Errors
    /// The `grid::`, `name::`, `function::`, `derivative::`, `expression::` and `equation::` codes.
    pub fn check(&self) -> Result<()> {
        validate::equation(self)
    }
}

fn dedup<T: PartialEq>(list: Vec<T>) -> Vec<T> {
    let mut distinct = Vec::new();
    for item in list {
        if !distinct.contains(&item) {
            distinct.push(item);
        }
    }
    distinct
}
