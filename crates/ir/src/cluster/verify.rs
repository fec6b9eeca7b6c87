//! Verifier of the cluster level.

use super::{Action, Cluster, PointStatement, Program, Slice};
use crate::stencil::verify::Check;
use crate::{Expr, ExprId, LocalId, SparseId, TicketId, VerifyError};
use std::collections::{HashMap, HashSet};

impl Program {
    /// Checks the invariants C1 to C9.
    ///
    /// # Errors
    /// The first broken one.
    pub fn verify(&self) -> Result<(), VerifyError> {
        let is_effect = |c: &Cluster| matches!(c.action, Action::Compress { .. } | Action::Decompress { .. });
        let v = Verifier {
            program: self,
            explicit: self.first.iter().chain(&self.clusters).any(is_effect),
            check: Check { level: "cluster", prefix: 'C', decls: &self.decls, exprs: &self.exprs },
        };
        v.check.declarations()?;
        let mut globals = HashSet::new();
        for s in &self.scalars {
            v.value(s.value, None, &globals)?;
            v.check.that(self.exprs.loads(s.value).is_empty(), 5, || "a scalar loads a field".into())?;
            v.check.that(globals.insert(s.local), 5, || format!("{} is defined twice", s.local))?;
        }
        let mut tickets = HashMap::new();
        let guarded = self.first.iter().any(|c| c.every > 1);
        v.check.that(!guarded, 7, || "a guard at the first step".into())?;
        for list in [&self.first, &self.clusters] {
            for cluster in list {
                v.cluster(cluster, &globals)?;
                v.in_flight(cluster, &tickets)?;
                v.tickets(cluster, &mut tickets)?;
            }
            let done = tickets.values().all(|open| open.is_none());
            v.check.that(done, 7, || "a ticket is never waited for".into())?;
        }
        Ok(())
    }
}

/// Work that was started: under which guard, on which slice, and whether it writes the slice.
#[derive(Clone, Copy)]
struct InFlight {
    every: usize,
    slice: Slice,
    writes: bool,
}

struct Verifier<'a> {
    program: &'a Program,
    /// Whether compression has been made explicit.
    explicit: bool,
    check: Check<'a>,
}

impl Verifier<'_> {
    fn cluster(&self, cluster: &Cluster, globals: &HashSet<LocalId>) -> Result<(), VerifyError> {
        match &cluster.action {
            Action::Points { statements, serial } => {
                let mut known = globals.clone();
                for s in statements {
                    self.value(s.value(), None, &known)?;
                    if let PointStatement::Let { local, .. } = s {
                        self.check.that(known.insert(*local), 5, || format!("{local} is defined twice"))?;
                    }
                }
                if !serial {
                    self.parallel(cluster)?;
                }
            }
            Action::Inject { sparse, value, .. } => self.value(*value, Some(*sparse), globals)?,
            Action::Interpolate { value, .. } => self.value(*value, None, globals)?,
            Action::Compress { store, slice, .. } | Action::Decompress { store, slice, .. } => {
                self.check.that(self.program.decls.field(*store).is_compressed(), 6, || "no store".into())?;
                let Slice { field, .. } = slice;
                self.check
                    .that(!self.program.decls.field(*field).is_compressed(), 6, || "no slice".into())?;
            }
            Action::Wait(_) => {}
        }
        let effect = matches!(cluster.action, Action::Compress { .. } | Action::Decompress { .. });
        for t in cluster.touches(&self.program.exprs) {
            self.check.access(&t.access)?;
            let field = self.program.decls.field(t.access.field);
            self.check.that(!t.write || t.access.is_here(), 2, || format!("{} written aside", field.name))?;
            self.check.that(effect || !self.explicit || !field.is_compressed(), 6, || {
                format!("{} is compressed", field.name)
            })?;
            let halo = field.halo as u32;
            self.check.that(t.access.offsets.iter().all(|o| o.unsigned_abs() <= halo), 9, || {
                format!("{:?} leaves the halo of {}", t.access.offsets, field.name)
            })?;
        }
        Ok(())
    }

    fn value(
        &self,
        id: ExprId,
        inside: Option<SparseId>,
        known: &HashSet<LocalId>,
    ) -> Result<(), VerifyError> {
        self.check.expression(id, inside, |e| {
            !matches!(e, Expr::Sub(..) | Expr::Neg(_) | Expr::Div(..) | Expr::Fma(..) | Expr::Derivative(_))
        })?;
        let mut unknown = None;
        self.program.exprs.visit(id, &mut |_, e| {
            if let Expr::Local(l) = e
                && !known.contains(l)
            {
                unknown = Some(*l);
            }
        });
        self.check.that(unknown.is_none(), 5, || {
            unknown.map_or(String::new(), |local| format!("{local} is not defined"))
        })
    }

    fn parallel(&self, cluster: &Cluster) -> Result<(), VerifyError> {
        let touches = cluster.touches(&self.program.exprs);
        for w in touches.iter().filter(|t| t.write) {
            let clash = touches.iter().find(|t| {
                t.access.field == w.access.field
                    && self.program.decls.field(w.access.field).same_slot(t.access.time, w.access.time)
                    && !t.access.is_here()
            });
            self.check.that(clash.is_none(), 8, || {
                format!("{} is read aside and written", self.program.access_text(&w.access))
            })?;
        }
        Ok(())
    }

    /// A slice in flight is left alone.
    fn in_flight(
        &self,
        cluster: &Cluster,
        open: &HashMap<TicketId, Option<InFlight>>,
    ) -> Result<(), VerifyError> {
        let touches = cluster.touches(&self.program.exprs);
        for work in open.values().flatten() {
            let field = self.program.decls.field(work.slice.field);
            let clash = touches.iter().any(|t| {
                t.access.field == work.slice.field
                    && field.same_slot(t.access.time, work.slice.time)
                    && (t.write || work.writes)
            });
            self.check.that(!clash, 7, || format!("{} is touched while it is in flight", field.name))?;
        }
        Ok(())
    }

    fn tickets(
        &self,
        cluster: &Cluster,
        open: &mut HashMap<TicketId, Option<InFlight>>,
    ) -> Result<(), VerifyError> {
        let every = cluster.every;
        match cluster.action {
            Action::Compress { ticket, slice, .. } | Action::Decompress { ticket, slice, .. } => {
                let writes = matches!(cluster.action, Action::Decompress { .. });
                let fresh = open.insert(ticket, Some(InFlight { every, slice, writes })).is_none();
                self.check.that(fresh, 7, || format!("{ticket} is made twice"))
            }
            Action::Wait(ticket) => {
                let started = open.insert(ticket, None).flatten();
                let guarded = started.is_some_and(|work| work.every == every);
                self.check.that(guarded, 7, || format!("nothing to wait for in {ticket}"))
            }
            _ => Ok(()),
        }
    }
}
