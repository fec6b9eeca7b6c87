//! Verifier of the stencil level.

use super::{Action, Program};
use crate::{Access, Arena, Decls, Expr, ExprId, FieldId, FieldKind, Region, SparseId, TableId, VerifyError};

impl Program {
    /// Checks the invariants S1 to S10.
    ///
    /// # Errors
    /// The first broken one.
    pub fn verify(&self) -> Result<(), VerifyError> {
        let check = Check { level: "stencil", prefix: 'S', decls: &self.decls, exprs: &self.exprs };
        check.declarations()?;
        let mut assigned: Vec<FieldId> = Vec::new();
        for s in &self.statements {
            let is_tile = |a: &Access| self.decls.field(a.field).kind == FieldKind::Tile;
            let ready = self
                .accesses(s)
                .iter()
                .all(|(a, write)| *write || !is_tile(a) || assigned.contains(&a.field));
            check.that(ready, 10, || "a tile field is read before it is assigned".into())?;
            assigned.extend(s.action.target().filter(is_tile).map(|a| a.field));
            check.action(&s.action)?;
            if let Some(target) = s.action.target() {
                check.stored(&target, &s.region, 8)?;
            }
            let every: Vec<usize> = self
                .accesses(s)
                .iter()
                .map(|(a, _)| self.decls.field(a.field))
                .filter(|f| f.every() > 1)
                .map(|f| f.every())
                .collect();
            check.that(every.windows(2).all(|w| w[0] == w[1]), 5, || format!("distances {every:?}"))?;
        }
        check.that(self.decls.fields.iter().all(|f| f.layout.is_none()), 6, || "a field has a layout".into())
    }
}

/// Checks shared by the stencil and cluster levels, whose first four invariants are the same.
pub(crate) struct Check<'a> {
    pub(crate) level: &'static str,
    pub(crate) prefix: char,
    pub(crate) decls: &'a Decls,
    pub(crate) exprs: &'a Arena,
}

impl Check<'_> {
    pub(crate) fn that(
        &self,
        ok: bool,
        n: usize,
        message: impl FnOnce() -> String,
    ) -> Result<(), VerifyError> {
        if ok {
            return Ok(());
        }
        const NAMES: [&[&str]; 3] = [
            &[
                "S1", "S2", "S3", "S4", "S5", "S6", "S7", "S8", "S9", "S10", "S11", "S12", "S13", "S14",
                "S15", "S16",
            ],
            &[
                "C1", "C2", "C3", "C4", "C5", "C6", "C7", "C8", "C9", "C10", "C11", "C12", "C13", "C14",
                "C15", "C16",
            ],
            &[
                "T1", "T2", "T3", "T4", "T5", "T6", "T7", "T8", "T9", "T10", "T11", "T12", "T13", "T14",
                "T15", "T16", "T17", "T18", "T19",
            ],
        ];
        let row = match self.prefix {
            'S' => 0,
            'C' => 1,
            _ => 2,
        };
        Err(VerifyError { level: self.level, invariant: NAMES[row][n - 1], message: message() })
    }

    pub(crate) fn declarations(&self) -> Result<(), VerifyError> {
        let d = self.decls;
        let mut names: Vec<&str> = d.fields.iter().map(|f| f.name.as_str()).collect();
        names.extend(d.scalars.iter().map(|s| s.name.as_str()));
        names.extend(d.sparse.iter().map(|s| s.name.as_str()));
        names.sort_unstable();
        self.that(names.windows(2).all(|w| w[0] != w[1]), 1, || {
            format!("a name is used twice in {names:?}")
        })?;
        self.that((1..=3).contains(&d.rank()), 1, || format!("{} dimensions", d.rank()))?;
        for f in &d.fields {
            let fits = f.window.as_ref().is_none_or(|w| {
                w.from.len() == d.rank()
                    && w.shape.len() == d.rank()
                    && (f.kind == FieldKind::Tile
                        || (0..d.rank()).all(|i| w.from[i].saturating_add(w.shape[i]) <= d.dims[i].size))
            });
            self.that(fits, 1, || format!("{} is stored outside the domain", f.name))?;
        }
        let tables = d.tables.iter().all(|t| t.sparse.index() < d.sparse.len() && t.corners > 0);
        self.that(tables, 1, || "a table of no points".into())
    }

    /// A target is stored at every point of a region. What the compiler computes for itself may fill the halo as well.
    pub(crate) fn stored(&self, a: &Access, region: &Region, invariant: usize) -> Result<(), VerifyError> {
        let field = self.decls.field(a.field);
        let halo = if field.kind == FieldKind::Invariant { field.halo } else { 0 };
        self.within(a, region, halo, invariant)
    }

    /// A load stays within the halo at every point of a region.
    pub(crate) fn read(&self, a: &Access, region: &Region, invariant: usize) -> Result<(), VerifyError> {
        self.within(a, region, self.decls.field(a.field).halo, invariant)
    }

    fn within(&self, a: &Access, region: &Region, halo: usize, invariant: usize) -> Result<(), VerifyError> {
        let field = self.decls.field(a.field);
        if field.kind == FieldKind::Tile || region.points() == 0 {
            return Ok(());
        }
        let halo = halo as i64;
        let shape = self.decls.stored_shape(field);
        let inside = (0..self.decls.rank()).all(|d| {
            let first = field.window.as_ref().map_or(0, |w| w.from[d] as i64);
            let from = first.saturating_sub(halo);
            let to = first.saturating_add(shape[d] as i64).saturating_add(halo);
            let offset = i64::from(a.offsets[d]);
            region.from[d].saturating_add(offset) >= from && region.to[d].saturating_add(offset) <= to
        });
        self.that(inside, invariant, || format!("{:?} of {} over {region:?}", a.offsets, field.name))
    }

    /// The value of a scalar: no loads, no index of a point, and the step only where there is one.
    pub(crate) fn scalar(&self, value: ExprId, step: bool, invariant: usize) -> Result<(), VerifyError> {
        let mut fits = true;
        self.exprs.visit(value, &mut |_, e| {
            fits &= match e {
                Expr::Load(_) | Expr::Index(_) | Expr::Sparse(..) => false,
                Expr::Step => step,
                _ => true,
            };
        });
        self.that(fits, invariant, || "a scalar that changes from point to point".into())
    }

    /// A table lies where the points of an effect are.
    pub(crate) fn table(
        &self,
        sparse: SparseId,
        table: TableId,
        invariant: usize,
    ) -> Result<(), VerifyError> {
        let fits = self.decls.tables.get(table.index()).is_some_and(|t| t.sparse == sparse);
        self.that(fits, invariant, || format!("{table} is not of {sparse}"))
    }

    /// A series is a set of one point.
    pub(crate) fn series(&self, series: SparseId, invariant: usize) -> Result<(), VerifyError> {
        let fits = self.decls.sparse.get(series.index()).is_some_and(|s| s.points == 1);
        self.that(fits, invariant, || format!("{series} is no series"))
    }

    pub(crate) fn access(&self, a: &Access) -> Result<(), VerifyError> {
        self.that(a.field.index() < self.decls.fields.len(), 1, || format!("no {}", a.field))?;
        let field = self.decls.field(a.field);
        self.that(field.is_time() || a.time == 0, 2, || format!("{} has no time", field.name))?;
        self.that(a.offsets[self.decls.rank()..].iter().all(|o| *o == 0), 2, || {
            format!("{} has an offset beyond the rank", field.name)
        })
    }

    pub(crate) fn expression(
        &self,
        root: ExprId,
        inside: Option<SparseId>,
        allowed: impl Fn(&Expr) -> bool,
    ) -> Result<(), VerifyError> {
        let mut result = Ok(());
        self.exprs.visit(root, &mut |_, e| {
            if result.is_err() {
                return;
            }
            result = match e {
                Expr::Load(a) => self.access(a),
                Expr::Scalar(s) => self.that(s.index() < self.decls.scalars.len(), 1, || format!("no {s}")),
                Expr::Sparse(id, _) => {
                    self.that(inside == Some(*id), 4, || "a sparse value outside its injection".into())
                }
                Expr::Derivative(v) => {
                    self.that((v.dim as usize) < self.decls.rank(), 1, || format!("no dimension {}", v.dim))
                }
                _ => Ok(()),
            }
            .and_then(|()| self.that(allowed(e), 3, || format!("{} has no place at this level", kind(e))))
            .and_then(|()| self.conditions(e));
        });
        result?;
        self.that(!self.exprs[root].is_condition(), self.on_conditions(), || "a condition as a value".into())
    }

    /// Conditions stand where conditions are asked for, and nothing else stands there.
    fn conditions(&self, e: &Expr) -> Result<(), VerifyError> {
        let asked = |i: usize| match e {
            Expr::Select(..) => i == 0,
            Expr::And(..) | Expr::Or(..) | Expr::Not(_) => true,
            _ => false,
        };
        let fits = e.children().iter().enumerate().all(|(i, c)| self.exprs[*c].is_condition() == asked(i));
        self.that(fits, self.on_conditions(), || format!("an operand of {}", kind(e)))?;
        match e {
            Expr::Index(d) => self.that((*d as usize) < self.decls.rank(), 1, || format!("no dimension {d}")),
            _ => Ok(()),
        }
    }

    /// The invariant on the place of conditions.
    fn on_conditions(&self) -> usize {
        if self.prefix == 'S' { 7 } else { 10 }
    }

    pub(crate) fn action(&self, action: &Action) -> Result<(), VerifyError> {
        if let Some(target) = action.target() {
            self.access(&target)?;
            self.that(target.is_here(), 2, || "a target has space offsets".into())?;
        }
        match action {
            Action::Inject { sparse, table, .. } | Action::Interpolate { sparse, table, .. } => {
                self.table(*sparse, *table, 9)?;
            }
            Action::Reduce { series, .. } => self.series(*series, 9)?,
            Action::Assign { .. } => {}
        }
        let inside = match action {
            Action::Inject { sparse, .. } => Some(*sparse),
            _ => None,
        };
        self.expression(action.value(), inside, |e| {
            !matches!(e, Expr::Sub(..) | Expr::Neg(_) | Expr::Div(..) | Expr::Fma(..) | Expr::Local(_))
        })
    }
}

/// A node in words, for messages.
fn kind(e: &Expr) -> &'static str {
    match e {
        Expr::Number(_) => "a number",
        Expr::Scalar(_) => "a scalar",
        Expr::Local(_) => "a value named by the compiler",
        Expr::Load(_) => "a load",
        Expr::Sparse(..) => "a sparse value",
        Expr::Index(_) => "an index",
        Expr::Step => "the step",
        Expr::Compare(..) => "a comparison",
        Expr::And(..) => "a conjunction",
        Expr::Or(..) => "a disjunction",
        Expr::Not(_) => "a negated condition",
        Expr::Select(..) => "a selection",
        Expr::Sum(_) => "a sum",
        Expr::Product(_) => "a product",
        Expr::Power(..) => "a power",
        Expr::Call(..) => "a function",
        Expr::Derivative(_) => "a derivative",
        Expr::Sub(..) => "a difference",
        Expr::Neg(_) => "a negation",
        Expr::Div(..) => "a quotient",
        Expr::Fma(..) => "a fused multiply-add",
    }
}
