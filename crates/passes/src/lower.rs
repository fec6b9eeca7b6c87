//! `lower`: equations of the user -> stencil level.
//!
//! ```text
//! u(t+dt, x) = u(t, x) + dt*∂²/∂x² u(t, x)
//!   -> u[t+1, x] = u[t, x] + dt*diff(u[t, x], x, 2, order 8, centered)
//! ```
//! Declarations are collected in order of first appearance; time derivatives become differences of time
//! levels; grid spacings become numbers.

use crate::{CompileError, Result, Specialisation};
use std::collections::HashMap;
use wavefold_ir::stencil::{Action, Program, Reduction, Statement};
use wavefold_ir::{
    Access, Arena, Comparison, Decls, Derivative, Dim, Expr, ExprId, Field, FieldId, FieldKind, Func, Number,
    Region, ScalarDecl, ScalarId, ScalarKind, Side, SparseDecl, SparseId, TableDecl, TableId, Window,
};
use wavefold_symbolic as sym;
use wavefold_symbolic::{
    Constant, Equation, EquationKind, FunctionKind, FunctionRef, Grid, MathFn, Node, SparseRef,
};

/// What the declarations of a program stand for, in the same order.
#[derive(Clone, Debug)]
pub struct Bindings {
    /// The grid.
    pub grid: Grid,
    /// Per field of the user; fields made by the compiler follow and have no entry.
    pub functions: Vec<FunctionRef>,
    /// Per scalar: its constant, or `None` for the time step.
    pub scalars: Vec<Option<Constant>>,
    /// Per sparse point set.
    pub sparse: Vec<SparseRef>,
}

/// A lowered operator.
#[derive(Clone, Debug)]
pub struct Lowered {
    /// The program.
    pub program: Program,
    /// What its declarations stand for.
    pub bindings: Bindings,
}

/// Lowers the equations of an operator called `name`.
///
/// # Errors
/// An equation that means nothing, mixed grids or types, names used twice.
pub fn lower(name: &str, equations: &[Equation], special: &Specialisation) -> Result<Lowered> {
    let equations: Vec<Equation> = equations.iter().flat_map(Equation::flatten).collect();
    for e in &equations {
        e.check().map_err(|source| CompileError::Equation {
            source,
            equation: Some(one_line(e)).filter(|text| !text.is_empty()).unwrap_or("of components".into()),
            at: e.location().to_string(),
        })?;
    }
    // Temporaries live somewhere as well, so what names them is located before they are replaced.
    let located: Vec<Equation> = equations.iter().map(sym::locate).collect();
    let inlined = sym::inline_temporaries(&located).map_err(|source| CompileError::Program { source })?;
    let statements: Vec<(&Equation, Equation)> =
        equations.iter().zip(inlined).filter_map(|(e, inlined)| Some((e, inlined?))).collect();
    let mut b = Builder::new(name, &statements, special)?;
    for (written, inlined) in &statements {
        b.statement(written, inlined)?;
    }
    b.check_names()?;
    Ok(Lowered {
        program: Program { decls: b.decls, exprs: b.exprs, statements: b.statements },
        bindings: b.bindings,
    })
}

struct Builder<'a> {
    special: &'a Specialisation,
    decls: Decls,
    exprs: Arena,
    statements: Vec<Statement>,
    bindings: Bindings,
    /// The name of the function or sparse function that fixed the grid and the type.
    first: String,
}

impl<'a> Builder<'a> {
    fn new(
        name: &str,
        statements: &[(&Equation, Equation)],
        special: &'a Specialisation,
    ) -> Result<Builder<'a>> {
        let named = statements.iter().flat_map(|(_, e)| {
            let functions =
                e.functions().into_iter().map(|f| (f.name().to_string(), f.grid().clone(), f.dtype()));
            let sparse = e.sparse().into_iter().map(|s| (s.name().to_string(), s.grid().clone(), s.dtype()));
            functions.chain(sparse).collect::<Vec<_>>()
        });
        let named: Vec<_> = named.collect();
        // Arithmetic is done in the widest type that something is kept in.
        let dtype = named.iter().map(|(.., dtype)| *dtype).max_by_key(|dtype| dtype.size());
        let (Some((first, grid, _)), Some(dtype)) = (named.into_iter().next(), dtype) else {
            return Err(CompileError::Empty);
        };
        let dims = (0..grid.rank())
            .map(|d| Dim {
                name: sym::Dim::Space(d).name().to_string(),
                size: grid.shape()[d],
                spacing: grid.spacing()[d],
            })
            .collect();
        Ok(Builder {
            special,
            decls: Decls {
                name: name.into(),
                dtype,
                dims,
                scalars: vec![],
                fields: vec![],
                sparse: vec![],
                tables: vec![],
            },
            exprs: Arena::new(),
            statements: vec![],
            bindings: Bindings { grid, functions: vec![], scalars: vec![], sparse: vec![] },
            first,
        })
    }

    fn check_grid(&self, name: &str, grid: &Grid) -> Result<()> {
        if self.bindings.grid.same_as(grid) {
            return Ok(());
        }
        Err(CompileError::Grids { first: self.first.clone(), second: name.into() })
    }

    /// The distance of the snapshots of a function, in steps.
    fn every(&self, name: &str, declared: usize) -> usize {
        let special = self.special.every.iter().find(|(function, _)| function == name);
        special.map_or(declared, |(_, every)| (*every).max(1))
    }

    /// The points at which an equation holds.
    fn region(&self, e: &Equation) -> Region {
        let mut region = Region::domain(&self.decls.dims);
        if let Some(part) = e.region() {
            let thickness = |d: usize| {
                let special = &self.special.thickness;
                let other = special.iter().find(|(name, dim, ..)| name == part.name() && *dim == d);
                other.map(|(_, _, left, right)| (*left, *right))
            };
            for (d, (from, to)) in part.bounds_with(&thickness).into_iter().enumerate() {
                (region.from[d], region.to[d]) = (from as i64, to as i64);
            }
        }
        for (d, first, last) in &self.special.bounds {
            region.from[*d] = region.from[*d].max(*first as i64);
            region.to[*d] = region.to[*d].min(*last as i64 + 1);
        }
        region
    }

    fn field(&mut self, f: &FunctionRef) -> Result<FieldId> {
        if let Some(i) = self.bindings.functions.iter().position(|g| g == f) {
            return Ok(FieldId(i as u32));
        }
        self.check_grid(f.name(), f.grid())?;
        let kind = match *f.kind() {
            FunctionKind::Space => FieldKind::Space,
            FunctionKind::Time { save: None, .. } => {
                FieldKind::Buffered { slots: f.buffers(), in_place: false }
            }
            FunctionKind::Time { save: Some(steps), every, compression: None, .. } => {
                FieldKind::Saved { steps, every: self.every(f.name(), every) }
            }
            FunctionKind::Time { save: Some(steps), every, compression: Some(bounded), .. } => {
                let (every, codec) = (self.every(f.name(), every), bounded.codec);
                FieldKind::Compressed { steps, every, codec }
            }
        };
        self.bindings.functions.push(f.clone());
        Ok(self.decls.add_field(Field {
            name: f.name().into(),
            kind,
            dtype: f.dtype(),
            halo: f.halo(),
            window: f.region().map(|part| Window {
                from: part.bounds().iter().map(|(from, _)| *from).collect(),
                shape: f.shape(),
            }),
            tight: f.is_tight(),
            by_rows: false,
            layout: None,
        }))
    }

    fn sparse(&mut self, s: &SparseRef) -> Result<SparseId> {
        if let Some(i) = self.bindings.sparse.iter().position(|g| g == s) {
            return Ok(SparseId(i as u32));
        }
        self.check_grid(s.name(), s.grid())?;
        self.bindings.sparse.push(s.clone());
        self.decls.sparse.push(SparseDecl {
            name: s.name().into(),
            points: s.points(),
            steps: s.steps(),
            dtype: s.dtype(),
        });
        Ok(SparseId(self.decls.sparse.len() as u32 - 1))
    }

    /// The table of sparse points among grid values that lie half a spacing up in some dimensions.
    fn table(&mut self, sparse: SparseId, half: [bool; 3]) -> TableId {
        let points = &self.bindings.sparse[sparse.index()];
        let corners = points.interpolation().width().pow(self.decls.rank() as u32);
        let table = TableDecl { sparse, half, corners, moving: points.is_moving(), planes: false };
        let known = self.decls.tables.iter().position(|t| *t == table);
        let i = known.unwrap_or_else(|| {
            self.decls.tables.push(table);
            self.decls.tables.len() - 1
        });
        TableId(i as u32)
    }

    fn scalar(&mut self, name: &str, constant: Option<&Constant>) -> ScalarId {
        if let Some(i) = self.bindings.scalars.iter().position(|c| c.as_ref() == constant) {
            return ScalarId(i as u32);
        }
        self.bindings.scalars.push(constant.cloned());
        let kind = if constant.is_some() { ScalarKind::Constant } else { ScalarKind::Step };
        self.decls.scalars.push(ScalarDecl { name: name.into(), kind });
        ScalarId(self.decls.scalars.len() as u32 - 1)
    }

    fn check_names(&self) -> Result<()> {
        let d = &self.decls;
        let names = d.fields.iter().map(|f| &f.name).chain(d.sparse.iter().map(|s| &s.name));
        let mut seen = std::collections::HashSet::new();
        match names.chain(d.scalars.iter().map(|s| &s.name)).find(|n| !seen.insert(n.as_str())) {
            Some(name) => Err(CompileError::DuplicateName { name: name.clone() }),
            None => Ok(()),
        }
    }

    /// `e` is the equation as it was written, `located` what it means.
    fn statement(&mut self, e: &Equation, located: &Equation) -> Result<()> {
        let half = sym::location(e);
        let condition = located.condition();
        let action = match located.kind() {
            EquationKind::Assign { lhs, rhs, increment } => {
                let target = self.target(lhs)?;
                let other = if *increment { sym::Expr::number(0.0) } else { lhs.clone() };
                self.refuse_condition_on_history(e, target)?;
                let value = self.value(&restricted(condition, rhs, other))?;
                Action::Assign { target, value, increment: *increment }
            }
            EquationKind::Inject { sparse, target, value } => {
                let target = self.target(target)?;
                let sparse = self.sparse(sparse)?;
                let table = self.table(sparse, half);
                let value = restricted(condition, value, sym::Expr::number(0.0));
                Action::Inject { sparse, table, target, value: self.value(&value)? }
            }
            EquationKind::Interpolate { sparse, value, increment } => {
                let value = self.value(&restricted(condition, value, sym::Expr::number(0.0)))?;
                let sparse = self.sparse(sparse)?;
                let table = self.table(sparse, half);
                Action::Interpolate { sparse, table, time: 0, value, increment: *increment }
            }
            EquationKind::Reduce { series, op, value } => {
                let value = self.value(value)?;
                let op = match op {
                    sym::Reduction::Sum => Reduction::Sum,
                    sym::Reduction::Min => Reduction::Min,
                    sym::Reduction::Max => Reduction::Max,
                };
                Action::Reduce { series: self.sparse(series)?, op, value }
            }
            // They were taken apart before.
            EquationKind::Group(_) => return Err(CompileError::Empty),
        };
        let region = self.region(e);
        self.check_stored(e, &action, &region)?;
        self.statements.push(Statement { action, region, source: one_line(e) });
        Ok(())
    }

    /// A target is stored at every point of the region of its equation.
    fn check_stored(&self, e: &Equation, action: &Action, region: &Region) -> Result<()> {
        let Some(target) = action.target() else { return Ok(()) };
        let field = self.decls.field(target.field);
        let Some(window) = &field.window else { return Ok(()) };
        if window.holds(region) || region.points() == 0 {
            return Ok(());
        }
        Err(CompileError::Outside {
            name: field.name.clone(),
            part: window.to_string(),
            equation: one_line(e),
        })
    }

    /// A snapshot that is compressed is written whole.
    fn refuse_condition_on_history(&self, e: &Equation, target: Access) -> Result<()> {
        let field = self.decls.field(target.field);
        if field.is_compressed() && (e.condition().is_some() || !self.covers(field, &self.region(e))) {
            return Err(CompileError::PartialSnapshot { name: field.name.clone(), equation: one_line(e) });
        }
        Ok(())
    }

    fn covers(&self, field: &Field, region: &Region) -> bool {
        let shape = self.decls.stored_shape(field);
        (0..self.decls.rank()).all(|d| {
            let from = field.window.as_ref().map_or(0, |w| w.from[d] as i64);
            region.from[d] <= from && region.to[d] >= from + shape[d] as i64
        })
    }

    fn target(&mut self, e: &sym::Expr) -> Result<Access> {
        match e.as_access() {
            Some(a) => self.access(a),
            None => Err(CompileError::Empty), // `Equation::check` has refused every other target
        }
    }

    fn access(&mut self, a: &sym::Access) -> Result<Access> {
        let mut access = Access::here(self.field(&a.function)?, a.time);
        for (to, from) in access.offsets.iter_mut().zip(&a.offsets) {
            *to = *from;
        }
        Ok(access)
    }

    fn value(&mut self, e: &sym::Expr) -> Result<ExprId> {
        let e = sym::expand_time(e);
        self.expression(&e, &mut HashMap::new())
    }

    /// Shared parts of the user's tree are lowered once: they are known by their address.
    fn expression(&mut self, e: &sym::Expr, memo: &mut HashMap<*const Node, ExprId>) -> Result<ExprId> {
        let key: *const Node = e.node();
        if let Some(id) = memo.get(&key) {
            return Ok(*id);
        }
        let id = match e.node() {
            Node::Number(v) => self.exprs.number(*v),
            Node::Spacing(d) => {
                let h = self.bindings.grid.spacing()[*d];
                self.exprs.number(h)
            }
            Node::TimeStep => {
                let s = self.scalar("dt", None);
                self.exprs.intern(Expr::Scalar(s))
            }
            Node::Constant(c) => {
                let s = self.scalar(c.name(), Some(c));
                self.exprs.intern(Expr::Scalar(s))
            }
            Node::Access(a) => {
                let a = self.access(a)?;
                self.exprs.load(a)
            }
            Node::Sparse { sparse, time } => {
                let s = self.sparse(sparse)?;
                self.exprs.intern(Expr::Sparse(s, *time))
            }
            Node::Add(terms) => {
                let terms = self.list(terms, memo)?;
                self.exprs.sum(terms)
            }
            Node::Mul(factors) => {
                let factors = self.list(factors, memo)?;
                self.exprs.product(factors)
            }
            Node::Pow(base, exponent) => self.power(base, exponent, memo)?,
            Node::Index(sym::Dim::Space(d)) => self.exprs.intern(Expr::Index(*d as u8)),
            Node::Index(sym::Dim::Time) => self.exprs.intern(Expr::Step),
            Node::Extremum(which, a, b) => {
                let f = if *which == sym::Extremum::Min { Func::Min } else { Func::Max };
                let operands = [self.expression(a, memo)?, self.expression(b, memo)?];
                self.exprs.intern(Expr::Call(f, operands.into_iter().collect()))
            }
            Node::Select(condition, a, b) => {
                let condition = self.condition(condition, memo)?;
                let (a, b) = (self.expression(a, memo)?, self.expression(b, memo)?);
                self.exprs.intern(Expr::Select(condition, a, b))
            }
            Node::Call(f, argument) => {
                let argument = self.expression(argument, memo)?;
                self.exprs.intern(Expr::Call(func(*f), [argument].into_iter().collect()))
            }
            Node::Derivative(d) => {
                let of = self.expression(&d.expr, memo)?;
                let sym::Dim::Space(dim) = d.dim else { return Err(CompileError::Empty) };
                let side = match d.side {
                    sym::Side::Centered => Side::Centered,
                    sym::Side::Left => Side::Left,
                    sym::Side::Right => Side::Right,
                };
                self.exprs.intern(Expr::Derivative(Derivative {
                    of,
                    dim: dim as u8,
                    degree: d.degree.min(u8::MAX.into()) as u8, // far too wide for any halo
                    order: d.order.min(u8::MAX.into()) as u8,
                    side,
                    shift: d.x0.unwrap_or(0).clamp(-127, 127) as i8, // the check allows fewer
                    transpose: d.transpose,
                    weights: d
                        .weights
                        .as_ref()
                        .map(|list| list.iter().map(|(offset, w)| (*offset, Number::new(*w))).collect()),
                }))
            }
        };
        memo.insert(key, id);
        Ok(id)
    }

    fn condition(&mut self, c: &sym::Condition, memo: &mut HashMap<*const Node, ExprId>) -> Result<ExprId> {
        let node = match c {
            sym::Condition::Compare(op, a, b) => {
                let op = match op {
                    sym::Comparison::Less => Comparison::Less,
                    sym::Comparison::LessOrEqual => Comparison::LessOrEqual,
                    sym::Comparison::Equal => Comparison::Equal,
                };
                Expr::Compare(op, self.expression(a, memo)?, self.expression(b, memo)?)
            }
            sym::Condition::And(a, b) => Expr::And(self.condition(a, memo)?, self.condition(b, memo)?),
            sym::Condition::Or(a, b) => Expr::Or(self.condition(a, memo)?, self.condition(b, memo)?),
            sym::Condition::Not(a) => Expr::Not(self.condition(a, memo)?),
        };
        Ok(self.exprs.intern(node))
    }

    fn list(&mut self, list: &[sym::Expr], memo: &mut HashMap<*const Node, ExprId>) -> Result<Vec<ExprId>> {
        list.iter().map(|e| self.expression(e, memo)).collect()
    }

    fn power(
        &mut self,
        base: &sym::Expr,
        exponent: &sym::Expr,
        memo: &mut HashMap<*const Node, ExprId>,
    ) -> Result<ExprId> {
        let base = self.expression(base, memo)?;
        Ok(match exponent.as_number() {
            Some(n) if n.fract() == 0.0 && n.abs() <= 16.0 => self.exprs.power(base, n as i32),
            Some(n) if n.abs() == 0.5 => {
                let root = self.exprs.intern(Expr::Call(Func::Sqrt, [base].into_iter().collect()));
                self.exprs.power(root, if n > 0.0 { 1 } else { -1 })
            }
            _ => {
                let exponent = self.expression(exponent, memo)?;
                self.exprs.intern(Expr::Call(Func::Pow, [base, exponent].into_iter().collect()))
            }
        })
    }
}

/// A value where a condition holds, another elsewhere.
fn restricted(condition: Option<&sym::Condition>, value: &sym::Expr, other: sym::Expr) -> sym::Expr {
    match condition {
        Some(condition) => sym::select(condition.clone(), value, other),
        None => value.clone(),
    }
}

/// Longest text of an equation, in bytes, that is kept for comments and messages.
const LONGEST_SOURCE: usize = 2000;

/// The equation as the user would read it, on one line. Shared parts make the text of some equations far longer
/// than the equations are: printing stops at a length that nobody would read.
fn one_line(e: &Equation) -> String {
    use std::fmt::Write;
    struct Limited(String);
    impl Write for Limited {
        fn write_str(&mut self, s: &str) -> std::fmt::Result {
            self.0.push_str(s);
            if self.0.len() > LONGEST_SOURCE { Err(std::fmt::Error) } else { Ok(()) }
        }
    }
    let mut text = Limited(String::new());
    if write!(text, "{e}").is_err() {
        text.0.truncate(text.0.floor_char_boundary(LONGEST_SOURCE));
        text.0.push_str(" ..");
    }
    text.0.replace('\n', " ")
}

fn func(f: MathFn) -> Func {
    match f {
        MathFn::Sqrt => Func::Sqrt,
        MathFn::Exp => Func::Exp,
        MathFn::Log => Func::Log,
        MathFn::Sin => Func::Sin,
        MathFn::Cos => Func::Cos,
        MathFn::Tan => Func::Tan,
        MathFn::Tanh => Func::Tanh,
        MathFn::Abs => Func::Abs,
        MathFn::Floor => Func::Floor,
        MathFn::Ceil => Func::Ceil,
    }
}
