//! Verifier of the tree level.

use super::{Loop, LoopForm, Program, Slot, Stmt};
use crate::stencil::verify::Check;
use crate::{Access, Expr, ExprId, LocalId, SparseId, TicketId, VerifyError};
use std::collections::{HashMap, HashSet};

impl Program {
    /// Checks the invariants T1 to T9.
    ///
    /// # Errors
    /// The first broken one.
    pub fn verify(&self) -> Result<(), VerifyError> {
        let check = Check { level: "tree", prefix: 'T', decls: &self.decls, exprs: &self.exprs };
        check.declarations()?;
        for f in &self.decls.fields {
            check.that(f.is_compressed() != f.layout.is_some(), 2, || format!("layout of {}", f.name))?;
            if let Some(l) = &f.layout {
                let rank = self.decls.rank();
                check.that(l.pad.len() == rank && l.alloc.len() == rank, 2, || {
                    format!("layout of {} has another rank", f.name)
                })?;
                let covers = (0..rank).all(|d| {
                    let needed = l.pad[d].saturating_add(self.decls.dims[d].size).saturating_add(f.halo);
                    l.pad[d] >= f.halo && l.alloc[d] >= needed
                });
                check.that(covers, 2, || format!("layout of {} is too small", f.name))?;
                let vector = 16 / self.decls.dtype.size();
                check.that(l.alloc[rank - 1].is_multiple_of(vector), 2, || {
                    format!("a row of {} is no whole number of vectors", f.name)
                })?;
            }
        }
        let mut v = Verifier { program: self, check, tickets: HashMap::new(), slots: None, in_time: false };
        let mut scope = HashSet::new();
        for s in &self.scalars {
            v.value(s.value, None, &scope)?;
            scope.insert(s.local);
        }
        v.block(&self.body, &mut scope, &mut Vec::new())?;
        v.check.that(v.tickets.values().all(|open| !open), 7, || "a ticket is never waited for".into())
    }
}

struct Verifier<'a> {
    program: &'a Program,
    check: Check<'a>,
    tickets: HashMap<TicketId, bool>,
    slots: Option<&'a [Slot]>,
    /// Whether the statement at hand lies in the time loop.
    in_time: bool,
}

impl<'a> Verifier<'a> {
    fn block(
        &mut self,
        body: &'a [Stmt],
        scope: &mut HashSet<LocalId>,
        loops: &mut Vec<(usize, LoopForm)>,
    ) -> Result<(), VerifyError> {
        let mut here = scope.clone();
        for s in body {
            self.statement(s, &mut here, loops)?;
        }
        Ok(())
    }

    fn statement(
        &mut self,
        s: &'a Stmt,
        scope: &mut HashSet<LocalId>,
        loops: &mut Vec<(usize, LoopForm)>,
    ) -> Result<(), VerifyError> {
        match s {
            Stmt::Time { slots, body, .. } => {
                self.check.that(self.slots.is_none(), 6, || "two time loops".into())?;
                self.slots = Some(slots);
                self.in_time = true;
                self.block(body, scope, loops)?;
                self.in_time = false;
                Ok(())
            }
            Stmt::First(body) => {
                let guarded = body.iter().any(|s| matches!(s, Stmt::When { .. }));
                self.check.that(!guarded, 7, || "a guard at the first step".into())?;
                self.block(body, scope, loops)
            }
            Stmt::When { body, .. } => self.block(body, scope, loops),
            Stmt::Nest { outer: l, .. } | Stmt::Loop(l) => self.walk(l, scope, loops),
            Stmt::Let { local, value } => {
                self.inside_all_loops(loops)?;
                self.value(*value, None, scope)?;
                self.check.that(scope.insert(*local), 5, || format!("{local} is defined twice"))
            }
            Stmt::Assign { target, value, .. } => {
                self.inside_all_loops(loops)?;
                self.access(target)?;
                self.value(*value, None, scope)
            }
            Stmt::Inject { sparse, target, value, .. } => {
                self.access(target)?;
                self.value(*value, Some(*sparse), scope)
            }
            Stmt::Interpolate { value, .. } => self.value(*value, None, scope),
            Stmt::Compress { ticket, slice, .. } | Stmt::Decompress { ticket, slice, .. } => {
                self.access(&Access::here(slice.field, slice.time))?;
                let fresh = self.tickets.insert(*ticket, true).is_none();
                self.check.that(fresh, 7, || format!("{ticket} is made twice"))
            }
            Stmt::Wait(ticket) => {
                let open = self.tickets.insert(*ticket, false) == Some(true);
                self.check.that(open, 7, || format!("nothing to wait for in {ticket}"))
            }
        }
    }

    fn walk(
        &mut self,
        l: &'a Loop,
        scope: &mut HashSet<LocalId>,
        loops: &mut Vec<(usize, LoopForm)>,
    ) -> Result<(), VerifyError> {
        let tiles = loops.iter().filter(|(d, f)| *d == l.dim && matches!(f, LoopForm::Tiles { .. })).count();
        let fits = match l.form {
            LoopForm::Tiles { size, .. } => tiles == 0 && size > 0,
            LoopForm::Points { tiled, simd } => {
                (tiles == 1) == tiled && (!simd || l.dim + 1 == self.program.decls.rank())
            }
        };
        self.check.that(fits && l.dim < self.program.decls.rank(), 8, || format!("loop over {}", l.dim))?;
        loops.push((l.dim, l.form));
        self.block(&l.body, scope, loops)?;
        loops.pop();
        Ok(())
    }

    fn inside_all_loops(&self, loops: &[(usize, LoopForm)]) -> Result<(), VerifyError> {
        let points: Vec<usize> =
            loops.iter().filter(|(_, f)| matches!(f, LoopForm::Points { .. })).map(|(d, _)| *d).collect();
        let all: Vec<usize> = (0..self.program.decls.rank()).collect();
        self.check.that(points == all, 8, || format!("a point statement in loops over {points:?}"))
    }

    fn slot(&self, a: &Access) -> Result<(), VerifyError> {
        let field = self.program.decls.field(a.field);
        let Some(slot) = Slot::of(field, a.time) else { return Ok(()) };
        let known = self.in_time && self.slots.is_some_and(|s| s.contains(&slot));
        self.check.that(known, 6, || format!("{} has no slot at shift {}", field.name, a.time))
    }

    fn access(&self, a: &Access) -> Result<(), VerifyError> {
        self.check.access(a)?;
        self.slot(a)?;
        let field = self.program.decls.field(a.field);
        let Some(l) = &field.layout else {
            return self.check.that(false, 9, || format!("{} has no place in memory", field.name));
        };
        let inside = (0..self.program.decls.rank()).all(|d| {
            let low = l.pad[d] as i64 + a.offsets[d] as i64;
            low >= 0 && low.saturating_add(self.program.decls.dims[d].size as i64) <= l.alloc[d] as i64
        });
        self.check.that(inside, 9, || format!("{:?} leaves {}", a.offsets, field.name))
    }

    fn value(
        &self,
        id: ExprId,
        inside: Option<SparseId>,
        scope: &HashSet<LocalId>,
    ) -> Result<(), VerifyError> {
        self.check.expression(id, inside, |e| !matches!(e, Expr::Power(..) | Expr::Derivative(_)))?;
        let mut result = Ok(());
        self.program.exprs.visit(id, &mut |_, e| {
            if result.is_err() {
                return;
            }
            result = match e {
                Expr::Local(l) => self.check.that(scope.contains(l), 5, || format!("{l} is not defined")),
                Expr::Load(a) => self.access(a),
                _ => Ok(()),
            };
        });
        result
    }
}
