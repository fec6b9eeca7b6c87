//! `lower`: equations of the user -> stencil level.
//!
//! ```text
//! u(t+dt, x) = u(t, x) + dt*∂²/∂x² u(t, x)
//!   -> u[t+1, x] = u[t, x] + dt*diff(u[t, x], x, 2, order 8, centered)
//! ```
//! Declarations are collected in order of first appearance; time derivatives become differences of time
//! levels; grid spacings become numbers.

use crate::{CompileError, Result};
use std::collections::HashMap;
use wavefold_ir::stencil::{Action, Program, Statement};
use wavefold_ir::{
    Access, Arena, Decls, Derivative, Dim, Expr, ExprId, Field, FieldId, FieldKind, Func, ScalarDecl,
    ScalarId, ScalarKind, Side, SparseDecl, SparseId,
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
pub fn lower(name: &str, equations: &[Equation]) -> Result<Lowered> {
    for e in equations {
        e.check().map_err(|source| CompileError::Equation {
            source,
            equation: one_line(e),
            at: e.location().to_string(),
        })?;
    }
    let mut b = Builder::new(name, equations)?;
    for e in equations {
        b.statement(e)?;
    }
    b.check_names()?;
    Ok(Lowered {
        program: Program { decls: b.decls, exprs: b.exprs, statements: b.statements },
        bindings: b.bindings,
    })
}

struct Builder {
    decls: Decls,
    exprs: Arena,
    statements: Vec<Statement>,
    bindings: Bindings,
    /// The name of the function or sparse function that fixed the grid and the type.
    first: String,
}

impl Builder {
    fn new(name: &str, equations: &[Equation]) -> Result<Builder> {
        let (first, grid, dtype) = equations
            .iter()
            .find_map(|e| {
                let f = e
                    .functions()
                    .into_iter()
                    .next()
                    .map(|f| (f.name().to_string(), f.grid().clone(), f.dtype()));
                f.or_else(|| {
                    e.sparse().into_iter().next().map(|s| (s.name().to_string(), s.grid().clone(), s.dtype()))
                })
            })
            .ok_or(CompileError::Empty)?;
        let dims = (0..grid.rank())
            .map(|d| Dim {
                name: sym::Dim::Space(d).name().to_string(),
                size: grid.shape()[d],
                spacing: grid.spacing()[d],
            })
            .collect();
        Ok(Builder {
            decls: Decls { name: name.into(), dtype, dims, scalars: vec![], fields: vec![], sparse: vec![] },
            exprs: Arena::new(),
            statements: vec![],
            bindings: Bindings { grid, functions: vec![], scalars: vec![], sparse: vec![] },
            first,
        })
    }

    fn check_common(&self, name: &str, grid: &Grid, dtype: wavefold_ir::DType) -> Result<()> {
        if !self.bindings.grid.same_as(grid) {
            return Err(CompileError::Grids { first: self.first.clone(), second: name.into() });
        }
        if self.decls.dtype != dtype {
            return Err(CompileError::Types {
                first: self.first.clone(),
                first_type: self.decls.dtype.to_string(),
                second: name.into(),
                second_type: dtype.to_string(),
            });
        }
        Ok(())
    }

    fn field(&mut self, f: &FunctionRef) -> Result<FieldId> {
        if let Some(i) = self.bindings.functions.iter().position(|g| g == f) {
            return Ok(FieldId(i as u32));
        }
        self.check_common(f.name(), f.grid(), f.dtype())?;
        let kind = match *f.kind() {
            FunctionKind::Space => FieldKind::Space,
            FunctionKind::Time { save: None, .. } => FieldKind::Buffered { slots: f.buffers() },
            FunctionKind::Time { save: Some(steps), every, compression: None, .. } => {
                FieldKind::Saved { steps, every }
            }
            FunctionKind::Time { save: Some(steps), every, compression: Some(codec), .. } => {
                FieldKind::Compressed { steps, every, codec }
            }
        };
        self.bindings.functions.push(f.clone());
        Ok(self.decls.add_field(Field { name: f.name().into(), kind, halo: f.halo(), layout: None }))
    }

    fn sparse(&mut self, s: &SparseRef) -> Result<SparseId> {
        if let Some(i) = self.bindings.sparse.iter().position(|g| g == s) {
            return Ok(SparseId(i as u32));
        }
        self.check_common(s.name(), s.grid(), s.dtype())?;
        self.bindings.sparse.push(s.clone());
        self.decls.sparse.push(SparseDecl { name: s.name().into(), points: s.points(), steps: s.steps() });
        Ok(SparseId(self.decls.sparse.len() as u32 - 1))
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

    fn statement(&mut self, e: &Equation) -> Result<()> {
        let action = match e.kind() {
            EquationKind::Assign { lhs, rhs, increment } => {
                let target = self.target(lhs)?;
                Action::Assign { target, value: self.value(rhs)?, increment: *increment }
            }
            EquationKind::Inject { sparse, target, value } => {
                let target = self.target(target)?;
                let sparse = self.sparse(sparse)?;
                Action::Inject { sparse, target, value: self.value(value)? }
            }
            EquationKind::Interpolate { sparse, value, increment } => {
                let value = self.value(value)?;
                Action::Interpolate { sparse: self.sparse(sparse)?, time: 0, value, increment: *increment }
            }
        };
        self.statements.push(Statement { action, source: one_line(e) });
        Ok(())
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
                    transpose: d.transpose,
                }))
            }
        };
        memo.insert(key, id);
        Ok(id)
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
