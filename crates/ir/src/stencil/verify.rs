//! Verifier of the stencil level.

use super::{Action, Program};
use crate::{Access, Arena, Decls, Expr, ExprId, SparseId, VerifyError};

impl Program {
    /// Checks the invariants S1 to S6.
    ///
    /// # Errors
    /// The first broken one.
    pub fn verify(&self) -> Result<(), VerifyError> {
        let check = Check { level: "stencil", prefix: 'S', decls: &self.decls, exprs: &self.exprs };
        check.declarations()?;
        for s in &self.statements {
            check.action(&s.action)?;
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
        const NAMES: [[&str; 9]; 3] = [
            ["S1", "S2", "S3", "S4", "S5", "S6", "S7", "S8", "S9"],
            ["C1", "C2", "C3", "C4", "C5", "C6", "C7", "C8", "C9"],
            ["T1", "T2", "T3", "T4", "T5", "T6", "T7", "T8", "T9"],
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
        self.that((1..=3).contains(&d.rank()), 1, || format!("{} dimensions", d.rank()))
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
            .and_then(|()| self.that(allowed(e), 3, || format!("{} has no place at this level", kind(e))));
        });
        result
    }

    pub(crate) fn action(&self, action: &Action) -> Result<(), VerifyError> {
        if let Some(target) = action.target() {
            self.access(&target)?;
            self.that(target.is_here(), 2, || "a target has space offsets".into())?;
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
