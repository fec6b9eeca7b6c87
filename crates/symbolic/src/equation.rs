//! Statements: assignments, injections, interpolations.

use std::panic::Location;

use crate::{
    Components, Condition, Expr, FunctionRef, Operand, Result, SparseRef, SubDomain, SymbolicError, validate,
};

/// One statement of an operator.
#[derive(Clone, Debug, PartialEq)]
pub struct Equation {
    kind: EquationKind,
    region: Option<SubDomain>,
    condition: Option<Condition>,
    error: Option<SymbolicError>,
    located: bool,
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
    /// `series = reduction of value` over the points of the domain.
    Reduce {
        /// A series: one number a step.
        series: SparseRef,
        /// How values are combined.
        op: Reduction,
        /// The value at each point.
        value: Expr,
    },
    /// Several statements that were written as one: the components of a vector.
    Group(Vec<Equation>),
}

/// How the values at all points become one number, in double precision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reduction {
    /// Their sum.
    Sum,
    /// The least of them; NaN is passed over.
    Min,
    /// The largest of them; NaN is passed over.
    Max,
}

/// The statement `lhs = rhs`, of numbers, vectors, tensors or complex values: component by component.
#[track_caller]
#[must_use]
pub fn eq(lhs: impl Operand, rhs: impl Operand) -> Equation {
    assign(&lhs, &rhs, false)
}

/// The statement `lhs += rhs`, component by component.
#[track_caller]
#[must_use]
pub fn inc(lhs: impl Operand, rhs: impl Operand) -> Equation {
    assign(&lhs, &rhs, true)
}

#[track_caller]
fn assign(lhs: &dyn Operand, rhs: &dyn Operand, increment: bool) -> Equation {
    let (targets, values) = (lhs.components(), rhs.components());
    // A closure does not know its caller.
    let location = Location::caller();
    let scalar = |lhs: &Expr, rhs: &Expr| {
        Equation::at(EquationKind::Assign { lhs: lhs.clone(), rhs: rhs.clone(), increment }, location)
    };
    match (&targets, &values) {
        (Components::Scalar(lhs), Components::Scalar(rhs)) => scalar(lhs, rhs),
        _ => match targets.pairs(&values) {
            Some(pairs) => {
                Equation::new(EquationKind::Group(pairs.iter().map(|(l, r)| scalar(l, r)).collect()))
            }
            None => {
                let (lhs, rhs) = (targets.describe(), values.describe());
                let mut equation = Equation::new(EquationKind::Group(vec![]));
                equation.error = Some(SymbolicError::EquationComponents { lhs, rhs });
                equation
            }
        },
    }
}

impl Equation {
    /// A statement, written where the caller is.
    #[track_caller]
    #[must_use]
    pub fn new(kind: EquationKind) -> Self {
        Self::at(kind, Location::caller())
    }

    pub(crate) fn at(kind: EquationKind, location: &'static Location<'static>) -> Self {
        Self { kind, region: None, condition: None, error: None, located: false, location }
    }

    /// Restricts the statement, or every statement of a group, to a part of the grid: to one part, parts do not intersect.
    #[must_use]
    pub fn on(mut self, region: &SubDomain) -> Self {
        self.restrict(region);
        self
    }

    fn restrict(&mut self, region: &SubDomain) {
        match &self.region {
            Some(other) if other != region => {
                let (first, second) = (other.name().to_string(), region.name().to_string());
                self.error.get_or_insert(SymbolicError::EquationRegions { first, second });
            }
            _ => self.region = Some(region.clone()),
        }
        if let EquationKind::Group(members) = &mut self.kind {
            members.iter_mut().filter(|member| member.region.is_some()).for_each(|m| m.restrict(region));
        }
    }

    /// Restricts the statement to the points (and steps) where a condition holds. Elsewhere the target keeps its value.
    #[must_use]
    pub fn when(mut self, condition: Condition) -> Self {
        self.condition = Some(match self.condition.take() {
            Some(other) => other & condition,
            None => condition,
        });
        self
    }

    /// The part of the grid where it holds, if not all of it.
    #[must_use]
    pub fn region(&self) -> Option<&SubDomain> {
        self.region.as_ref()
    }

    /// The condition under which it holds.
    #[must_use]
    pub fn condition(&self) -> Option<&Condition> {
        self.condition.as_ref()
    }

    /// Whether staggering was made explicit in it, see [`locate`](crate::locate).
    pub(crate) fn is_located(&self) -> bool {
        self.located
    }

    /// The same statement, as one in which staggering was made explicit.
    pub(crate) fn into_located(mut self) -> Self {
        self.located = true;
        self
    }

    /// What went wrong while it was made.
    pub(crate) fn error(&self) -> Option<&SymbolicError> {
        self.error.as_ref()
    }

    /// The single statements of a group, restricted as the group is; of another statement, or a group that means nothing,
    /// itself.
    #[must_use]
    pub fn flatten(&self) -> Vec<Equation> {
        let EquationKind::Group(members) = &self.kind else { return vec![self.clone()] };
        if self.error.is_some() {
            return vec![self.clone()]; // for the check to name
        }
        let restricted = |member: &Equation| {
            let mut member = member.clone();
            member.region = member.region.or_else(|| self.region.clone());
            match &self.condition {
                Some(condition) => member.when(condition.clone()),
                None => member,
            }
        };
        members.iter().flat_map(|member| restricted(member).flatten()).collect()
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
        self.map_dyn(&mut map)
    }

    fn map_dyn(&self, map: &mut dyn FnMut(&Expr) -> Expr) -> Self {
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
            EquationKind::Reduce { series, op, value } => {
                EquationKind::Reduce { series: series.clone(), op: *op, value: map(value) }
            }
            EquationKind::Group(members) => {
                EquationKind::Group(members.iter().map(|member| member.map_dyn(map)).collect())
            }
        };
        let condition = self.condition.as_ref().map(|c| c.map(map));
        Self {
            kind,
            condition,
            region: self.region.clone(),
            error: self.error.clone(),
            located: self.located,
            location: self.location,
        }
    }

    /// The expression written to on the grid, if the statement writes there.
    #[must_use]
    pub fn target(&self) -> Option<&Expr> {
        match &self.kind {
            EquationKind::Assign { lhs, .. } => Some(lhs),
            EquationKind::Inject { target, .. } => Some(target),
            _ => None,
        }
    }

    /// The value that is written; a group has none of its own.
    #[must_use]
    pub fn value(&self) -> Option<&Expr> {
        match &self.kind {
            EquationKind::Assign { rhs, .. } => Some(rhs),
            EquationKind::Inject { value, .. }
            | EquationKind::Interpolate { value, .. }
            | EquationKind::Reduce { value, .. } => Some(value),
            EquationKind::Group(_) => None,
        }
    }

    /// Every expression of the statement and its condition.
    fn expressions(&self) -> Vec<&Expr> {
        let own = self.target().into_iter().chain(self.value());
        let mut all: Vec<&Expr> = own.collect();
        if let EquationKind::Group(members) = &self.kind {
            all.extend(members.iter().flat_map(Equation::expressions));
        }
        all.extend(self.condition.iter().flat_map(Condition::numbers));
        all
    }

    /// The functions on the grid, each once, in order of appearance.
    #[must_use]
    pub fn functions(&self) -> Vec<FunctionRef> {
        dedup(self.expressions().into_iter().flat_map(Expr::functions).collect())
    }

    /// The sparse functions, each once: that of an injection or interpolation first.
    #[must_use]
    pub fn sparse(&self) -> Vec<SparseRef> {
        let mut found = Vec::new();
        if let EquationKind::Inject { sparse, .. }
        | EquationKind::Interpolate { sparse, .. }
        | EquationKind::Reduce { series: sparse, .. } = &self.kind
        {
            found.push(sparse.clone());
        }
        found.extend(self.expressions().into_iter().flat_map(Expr::sparse));
        if let EquationKind::Group(members) = &self.kind {
            found.extend(members.iter().flat_map(Equation::sparse));
        }
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
