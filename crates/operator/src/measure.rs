//! Numbers and fields from expressions, at once.

use crate::{ApplyError, Backend, Operator, Result};
use wavefold_runtime::{FieldData, SparseData};
use wavefold_symbolic::{
    DType, Differentiable, Equation, Expr, FunctionRef, Grid, IntoExpr, Node, Series, SubDomain, eq,
};

/// A number made by reducing an expression over the grid: see [`total`], [`minimum`], [`maximum`], [`norm`] and
/// [`inner`]. [`Measure::value`] makes it, in double precision, from the data of now.
#[derive(Clone, Debug)]
#[must_use = "nothing is computed until `.value()`"]
pub struct Measure {
    expr: Expr,
    reduce: fn(&Series, &Expr) -> Equation,
    root: bool,
    region: Option<SubDomain>,
    time: usize,
    dt: Option<f64>,
    backend: Backend,
}

impl Measure {
    fn new(expr: Expr, reduce: fn(&Series, &Expr) -> Equation) -> Measure {
        Measure { expr, reduce, root: false, region: None, time: 0, dt: None, backend: Backend::Cranelift }
    }

    /// The part of the grid whose points count. Default: all.
    pub fn on(mut self, region: &SubDomain) -> Self {
        self.region = Some(region.clone());
        self
    }

    /// The step at which functions of time are read. Default: 0.
    pub fn time(mut self, t: usize) -> Self {
        self.time = t;
        self
    }

    /// The time step `dt`, if the expression names it.
    pub fn dt(mut self, dt: f64) -> Self {
        self.dt = Some(dt);
        self
    }

    /// The backend. Default: [`Backend::Cranelift`], which compiles in a millisecond.
    pub fn backend(mut self, backend: Backend) -> Self {
        self.backend = backend;
        self
    }

    /// Computes the number.
    ///
    /// # Errors
    /// An expression that means nothing, as for [`Operator::new`]; one without a function on a grid; a step that a saved
    /// function does not hold.
    pub fn value(&self) -> Result<f64> {
        let grid = grid(&self.expr)?;
        let steps = self.time.saturating_add(1);
        let name = fresh(&self.expr, "value_");
        let series = Series::new(name, &grid).dtype(DType::F64).steps(steps).build()?;
        let mut reduce = (self.reduce)(&series, &self.expr);
        if let Some(region) = &self.region {
            reduce = reduce.on(region);
        }
        let op = Operator::named("measure", [reduce])?;
        let mut apply = op.apply().time_min(self.time).time_max(self.time).backend(self.backend);
        if let Some(dt) = self.dt {
            apply = apply.dt(dt);
        }
        apply.run()?;
        let value = series.data()?.get(&[self.time, 0]).unwrap_or(f64::NAN);
        Ok(if self.root { value.sqrt() } else { value })
    }
}

/// The sum of an expression over the points of the grid.
///
/// ```
/// # use wavefold_operator::{inner, maximum, norm, total};
/// # use wavefold_runtime::FieldData;
/// # use wavefold_symbolic::prelude::*;
/// let grid = Grid::new([3, 4]);
/// let m = Function::new("m", &grid).build()?;
/// m.fill(2.0)?;
/// assert_eq!(total(&m).value()?, 24.0);
/// assert_eq!(maximum(1.0 - &m).value()?, -1.0);
/// assert_eq!(norm(&m).value()?, 48.0_f64.sqrt());
/// assert_eq!(inner(&m, 3.0 * &m).value()?, 144.0);
/// # Ok::<(), wavefold_operator::Error>(())
/// ```
pub fn total(value: impl IntoExpr) -> Measure {
    Measure::new(value.expr(), |s, e| s.sum(e))
}

/// The least value of an expression on the grid.
pub fn minimum(value: impl IntoExpr) -> Measure {
    Measure::new(value.expr(), |s, e| s.min(e))
}

/// The largest value of an expression on the grid.
pub fn maximum(value: impl IntoExpr) -> Measure {
    Measure::new(value.expr(), |s, e| s.max(e))
}

/// The Euclidean norm of an expression over the points of the grid.
pub fn norm(value: impl IntoExpr) -> Measure {
    Measure { root: true, ..total(value.expr().pow(2)) }
}

/// The inner product of two expressions over the points of the grid.
pub fn inner(a: impl IntoExpr, b: impl IntoExpr) -> Measure {
    total(a.expr() * b.expr())
}

/// Sets all time levels or snapshots of a function to an expression of functions of space, constants, and positions of
/// nodes ([`Grid::position`]).
///
/// ```
/// # use wavefold_operator::initialise;
/// # use wavefold_runtime::FieldData;
/// # use wavefold_symbolic::prelude::*;
/// let grid = Grid::new([5]).with_spacing(2.0);
/// let u = TimeFunction::new("u", &grid).build()?;
/// initialise(&u, (-grid.position(Dim::X)).exp())?;
/// assert_eq!(u.at(1)?.get(&[2]), Some((-4.0_f32).exp() as f64));
/// # Ok::<(), wavefold_operator::Error>(())
/// ```
///
/// # Errors
/// An expression that means nothing or depends on time; a compressed function.
#[track_caller]
pub fn initialise<F: FieldData + AsRef<FunctionRef>>(function: &F, value: impl IntoExpr) -> Result<()> {
    let (decl, value) = (function.as_ref(), value.expr());
    let values = decl.level(fresh(&value, "values_"));
    let mut set = eq(&values, value);
    if let Some(region) = decl.region() {
        set = set.on(region);
    }
    Operator::named("initialise", [set])?.apply().backend(Backend::Cranelift).run()?;
    Ok(function.set_data(values.data()?)?)
}

/// The grid of the functions that an expression names.
fn grid(expr: &Expr) -> Result<Grid> {
    match expr.accesses().first() {
        Some(access) => Ok(access.function.grid().clone()),
        None => Err(ApplyError::NoFunction { expr: expr.to_string() }.into()),
    }
}

/// A name that nothing in an expression has.
fn fresh(expr: &Expr, stem: &str) -> String {
    let mut name = stem.to_string();
    let taken = |name: &str| {
        expr.any(|node| match node {
            Node::Access(access) => access.function.name() == name,
            Node::Constant(constant) => constant.name() == name,
            _ => false,
        })
    };
    while taken(&name) {
        name.push('_');
    }
    name
}
