//! What must hold of expressions and equations before they are compiled.
//!
//! An expression:
//! 1. is at most [`MAX_DEPTH`] levels deep and holds no number that is infinite or not a number;
//! 2. names only functions and constants that are valid themselves;
//! 3. differentiates and shifts along dimensions that the functions have, in time only what depends on
//!    time, and never a sparse function in space.
//!
//! An equation:
//! 4. writes a function at the point itself;
//! 5. lives on one grid;
//! 6. uses no more neighbouring time levels of a function than it keeps, and none but the present one of a
//!    function that is saved every few steps;
//! 7. holds no sparse function but the one it injects.

use crate::{
    Access, Derivative, Dim, Equation, EquationKind, Expr, FunctionRef, Grid, IntoExpr, Node, Result, Side,
    SymbolicError, expand_time, identifier,
};

/// Levels of nesting that recursive passes accept: as many as the parsers of the compiler read back, and few enough
/// for the stack of a thread in a build without optimisation.
pub(crate) const MAX_DEPTH: usize = 200;

impl Expr {
    /// Checks that the expression can be compiled.
    ///
    /// # Errors
    /// The `grid::`, `name::`, `function::`, `derivative::` and `expression::` codes.
    pub fn check(&self) -> Result<()> {
        depth(self)?;
        let mut outcome = Ok(());
        self.walk(|expr| {
            if outcome.is_ok() {
                outcome = node(expr);
            }
        });
        outcome
    }
}

pub(crate) fn depth(expr: &Expr) -> Result<()> {
    let depth = expr.depth();
    if depth > MAX_DEPTH { Err(SymbolicError::TooDeep { depth, limit: MAX_DEPTH }) } else { Ok(()) }
}

fn node(expr: &Expr) -> Result<()> {
    match expr.node() {
        Node::Number(value) => finite(*value),
        // Numbers were folded unless the result is not finite.
        Node::Pow(base, exponent) => match (base.as_number(), exponent.as_number()) {
            (Some(base), Some(exponent)) => finite(base.powf(exponent)),
            _ => Ok(()),
        },
        Node::Call(function, argument) => argument.as_number().map_or(Ok(()), |x| finite(function.eval(x))),
        Node::Constant(constant) => constant.check(),
        Node::Access(access) => access_in_grid(access),
        Node::Sparse { sparse, .. } => identifier::check(sparse.name()),
        Node::Derivative(d) => derivative(expr, d),
        Node::Spacing(_)
        | Node::TimeStep
        | Node::Index(_)
        | Node::Extremum(..)
        | Node::Select(..)
        | Node::Add(_)
        | Node::Mul(_) => Ok(()),
    }
}

fn finite(value: f64) -> Result<()> {
    if value.is_finite() { Ok(()) } else { Err(SymbolicError::NumberNotFinite { value }) }
}

fn access_in_grid(access: &Access) -> Result<()> {
    access.function.check()?;
    if access.offsets.len() == access.function.grid().rank() {
        Ok(())
    } else {
        Err(SymbolicError::AccessDimension { function: access.function.name().into() })
    }
}

fn derivative(expr: &Expr, derivative: &Derivative) -> Result<()> {
    own_settings(expr, derivative)?;
    own_order(expr, derivative)?;
    let functions = derivative.expr.functions();
    let sparse = derivative.expr.sparse();
    let expr = || expr.to_string();
    let Dim::Space(i) = derivative.dim else {
        let varies = functions.iter().any(|function| function.is_time())
            || sparse.iter().any(|sparse| sparse.steps().is_some());
        return if varies { Ok(()) } else { Err(SymbolicError::DerivativeTime { expr: expr() }) };
    };
    if let Some(sparse) = sparse.first() {
        return Err(SymbolicError::DerivativeSparse { expr: expr(), sparse: sparse.name().into() });
    }
    for function in &functions {
        let name = || function.name().to_owned();
        if i >= function.grid().rank() {
            let dim = derivative.dim.name();
            return Err(SymbolicError::DerivativeDimension { expr: expr(), dim, function: name() });
        }
        if function.space_order() == 0 {
            return Err(SymbolicError::DerivativeOrder { expr: expr(), function: name() });
        }
    }
    Ok(())
}

/// What the user chose for one derivative alone.
fn own_settings(expr: &Expr, derivative: &Derivative) -> Result<()> {
    let text = || expr.to_string();
    // Farther than any halo reaches.
    if derivative.x0.is_some_and(|x0| x0.unsigned_abs() > 128) {
        return Err(SymbolicError::DerivativePlace { expr: text() });
    }
    if let Some(weights) = &derivative.weights {
        let mut offsets: Vec<i32> = weights.iter().map(|(offset, _)| *offset).collect();
        offsets.sort_unstable();
        offsets.dedup();
        let finite = weights.iter().all(|(_, w)| w.is_finite());
        if weights.is_empty() || !finite || offsets.len() != weights.len() {
            return Err(SymbolicError::DerivativeWeights { expr: text() });
        }
    }
    Ok(())
}

/// Order 0 is that of a function of space order 0, which is the better thing to name.
fn own_order(expr: &Expr, derivative: &Derivative) -> Result<()> {
    let order = derivative.order;
    let none = order == 0 && !derivative.expr.functions().iter().any(|function| function.space_order() == 0);
    let odd = !order.is_multiple_of(2) && derivative.side == Side::Centered;
    if derivative.dim != Dim::Time && (none || order > 64 || odd) {
        return Err(SymbolicError::DerivativeOwnOrder { expr: expr.to_string(), order });
    }
    Ok(())
}

pub(crate) fn equation(equation: &Equation) -> Result<()> {
    if let Some(error) = equation.error() {
        return Err(error.clone());
    }
    if let EquationKind::Group(_) = equation.kind() {
        return equation.flatten().iter().try_for_each(self::equation);
    }
    equation.value().map_or(Ok(()), Expr::check)?;
    if let Some(condition) = equation.condition() {
        condition.numbers().into_iter().try_for_each(Expr::check)?;
    }
    if let Some(target) = equation.target() {
        depth(target)?;
        match target.as_access() {
            Some(access) if access.is_centred() => target.check()?,
            _ => return Err(SymbolicError::EquationLhs { lhs: target.to_string() }),
        }
    }
    sparse_in_place(equation)?;
    one_grid(equation)?;
    restrictions(equation)?;
    time_levels(equation)
}

fn restrictions(equation: &Equation) -> Result<()> {
    let what = match equation.kind() {
        EquationKind::Inject { .. } => Some("injection"),
        EquationKind::Interpolate { .. } => Some("interpolation"),
        _ => None,
    };
    if let (Some(what), Some(_)) = (what, equation.region()) {
        return Err(SymbolicError::EquationRegion { what });
    }
    if let EquationKind::Reduce { series, .. } = equation.kind() {
        if equation.condition().is_some() {
            return Err(SymbolicError::ReduceCondition);
        }
        if series.points() != 1 {
            let (name, points) = (series.name().to_string(), series.points());
            return Err(SymbolicError::ReduceTarget { name, points });
        }
    }
    if let Some(region) = equation.region() {
        region.check()?;
        for function in equation.functions() {
            if !region.grid().same_as(function.grid()) {
                let (first, second) = (region.name().to_string(), function.name().to_string());
                return Err(SymbolicError::EquationGrid { first, second });
            }
        }
    }
    Ok(())
}

fn sparse_in_place(equation: &Equation) -> Result<()> {
    let injected = match equation.kind() {
        EquationKind::Inject { sparse, .. } => Some(sparse),
        _ => None,
    };
    let used = equation.value().map(Expr::sparse).unwrap_or_default();
    let in_condition = equation.condition().into_iter().flat_map(|c| c.numbers()).flat_map(Expr::sparse);
    match used.into_iter().chain(in_condition).find(|sparse| Some(sparse) != injected) {
        Some(sparse) => Err(SymbolicError::EquationSparse { sparse: sparse.name().into() }),
        None => Ok(()),
    }
}

fn one_grid(equation: &Equation) -> Result<()> {
    let (functions, sparse) = (equation.functions(), equation.sparse());
    let grids = functions.iter().map(|function| (function.name(), function.grid()));
    let grids: Vec<(&str, &Grid)> =
        grids.chain(sparse.iter().map(|sparse| (sparse.name(), sparse.grid()))).collect();
    let Some((first, grid)) = grids.first() else { return Ok(()) };
    if let Some((second, _)) = grids.iter().find(|(_, other)| !grid.same_as(other)) {
        return Err(SymbolicError::EquationGrid { first: (*first).into(), second: (*second).into() });
    }
    let (mut beyond, mut derived) = (None, None);
    let mut look = |expr: &Expr| match expr.node() {
        // Of a function, `derivative` has looked; of a position, nobody yet.
        Node::Derivative(d) => match d.dim {
            Dim::Space(i) if i >= grid.rank() && derived.is_none() => derived = Some((expr.clone(), d.dim)),
            _ => {}
        },
        Node::Spacing(i) | Node::Index(Dim::Space(i)) if *i >= grid.rank() => beyond = beyond.or(Some(*i)),
        _ => {}
    };
    let numbers = equation.condition().into_iter().flat_map(|c| c.numbers());
    equation.value().into_iter().chain(numbers).for_each(|value| value.walk(&mut look));
    if let Some((expr, dim)) = derived {
        let (expr, dim, function) = (expr.to_string(), dim.name(), (*first).to_owned());
        return Err(SymbolicError::DerivativeDimension { expr, dim, function });
    }
    beyond.map_or(Ok(()), |i| {
        let (dim, function) = (Dim::Space(i).name(), (*first).to_owned());
        Err(SymbolicError::SpacingDimension { dim, function })
    })
}

fn time_levels(equation: &Equation) -> Result<()> {
    let numbers = equation.condition().into_iter().flat_map(|c| c.numbers());
    let values: Vec<Expr> = equation.value().into_iter().chain(numbers).map(expand_time).collect();
    let mut accesses: Vec<&Access> = values.iter().flat_map(Expr::accesses).collect();
    accesses.extend(equation.target().and_then(Expr::as_access));
    for function in equation.functions().iter().filter(|function| function.is_time()) {
        let shifts =
            || accesses.iter().filter(|access| access.function == *function).map(|access| access.time);
        levels_of(function, shifts().min().unwrap_or(0), shifts().max().unwrap_or(0))?;
    }
    Ok(())
}

fn levels_of(function: &FunctionRef, first: i32, last: i32) -> Result<()> {
    let every = function.save_every();
    if every > 1 && (first, last) != (0, 0) {
        return Err(SymbolicError::EquationSubsampledShift { function: function.name().into(), every });
    }
    let steps = u64::from(last.abs_diff(first)) + 1;
    if steps > function.buffers() as u64 {
        let (function, buffers) = (function.expr().to_string(), function.buffers());
        return Err(SymbolicError::EquationTimeShift { function, steps, buffers });
    }
    Ok(())
}
