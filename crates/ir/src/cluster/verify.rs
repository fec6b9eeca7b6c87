//! Verifier of the cluster level.

use super::{Action, Cluster, PointStatement, Program, Slice, Stage};
use crate::stencil::verify::Check;
use crate::{Expr, ExprId, FieldId, FieldKind, LocalId, Region, SparseId, TicketId, VerifyError};
use std::collections::{HashMap, HashSet};

impl Program {
    /// Checks the invariants C1 to C14.
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
        for (i, s) in self.scalars.iter().chain(&self.step_scalars).enumerate() {
            v.value(s.value, None, &globals)?;
            v.check.scalar(s.value, i >= self.scalars.len(), 13)?;
            v.check.that(globals.insert(s.local), 5, || format!("{} is defined twice", s.local))?;
        }
        v.in_place()?;
        let mut tickets = HashMap::new();
        let guarded = self.first.iter().any(|c| c.every > 1);
        v.check.that(!guarded, 7, || "a guard at the first step".into())?;
        for list in [&self.first, &self.clusters] {
            for cluster in list {
                v.cluster(cluster, &globals, std::ptr::eq(list, &self.first))?;
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
    fn cluster(&self, cluster: &Cluster, globals: &HashSet<LocalId>, first: bool) -> Result<(), VerifyError> {
        match &cluster.action {
            Action::Points { region, stages, statements, serial } => {
                for s in stages {
                    self.statements(&s.statements, globals, &widened(region, &s.widen))?;
                }
                self.statements(statements, globals, region)?;
                self.check.that(stages.is_empty() || !serial, 12, || "stages among serial points".into())?;
                self.stages(stages, statements)?;
                if !serial {
                    self.parallel(cluster)?;
                }
            }
            Action::Inject { sparse, table, value, .. } => {
                self.check.table(*sparse, *table, 11)?;
                self.value(*value, Some(*sparse), globals)?;
                self.loads_within(*value, &Region::domain(&self.program.decls.dims))?;
            }
            Action::Interpolate { sparse, table, value, .. } => {
                self.check.table(*sparse, *table, 11)?;
                self.value(*value, None, globals)?;
                self.loads_within(*value, &Region::domain(&self.program.decls.dims))?;
            }
            Action::Reduce { region, series, value, .. } => {
                self.check.series(*series, 11)?;
                self.value(*value, None, globals)?;
                self.loads_within(*value, region)?;
            }
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
            self.check.that(!t.write || first || field.kind != FieldKind::Invariant, 13, || {
                format!("{} changes", field.name)
            })?;
        }
        Ok(())
    }

    fn statements(
        &self,
        statements: &[PointStatement],
        globals: &HashSet<LocalId>,
        region: &Region,
    ) -> Result<(), VerifyError> {
        let mut known = globals.clone();
        for s in statements {
            self.value(s.value(), None, &known)?;
            self.loads_within(s.value(), region)?;
            match s {
                PointStatement::Let { local, .. } => {
                    self.check.that(known.insert(*local), 5, || format!("{local} is defined twice"))?;
                }
                PointStatement::Assign { target, .. } => self.check.stored(target, region, 9)?,
            }
        }
        Ok(())
    }

    fn loads_within(&self, value: ExprId, region: &Region) -> Result<(), VerifyError> {
        self.program.exprs.loads(value).iter().try_for_each(|a| self.check.read(a, region, 9))
    }

    /// Tile fields are read where their stage has computed them.
    fn stages(&self, stages: &[Stage], statements: &[PointStatement]) -> Result<(), VerifyError> {
        let main = Stage { widen: [(0, 0); 3], statements: vec![] };
        let mut made: HashMap<FieldId, &Stage> = HashMap::new();
        let lists = stages.iter().map(|s| (s, s.statements.as_slice(), true));
        for (stage, list, is_stage) in lists.chain([(&main, statements, false)]) {
            for s in list {
                for a in self.program.exprs.loads(s.value()) {
                    if self.program.decls.field(a.field).kind != FieldKind::Tile {
                        continue;
                    }
                    let covered = made.get(&a.field).is_some_and(|from| {
                        (0..3).all(|d| {
                            let offset = i64::from(a.offsets[d]);
                            from.widen[d].0 >= stage.widen[d].0.saturating_sub(offset)
                                && from.widen[d].1 >= stage.widen[d].1.saturating_add(offset)
                        })
                    });
                    self.check
                        .that(covered, 12, || format!("{} is not there", self.program.access_text(&a)))?;
                }
                if let PointStatement::Assign { target, .. } = s {
                    let is_tile = self.program.decls.field(target.field).kind == FieldKind::Tile;
                    self.check.that(is_tile == is_stage, 12, || {
                        format!("{} in or out of a stage", self.program.access_text(target))
                    })?;
                    let fresh = !is_stage || made.insert(target.field, stage).is_none();
                    self.check.that(fresh, 12, || "a tile field is written twice".into())?;
                }
            }
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
        let is_tile = |t: &&super::Touch| self.program.decls.field(t.access.field).kind == FieldKind::Tile;
        for w in touches.iter().filter(|t| t.write && !is_tile(t)) {
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

    /// The oldest level of a field in place is gone once the newest is written.
    fn in_place(&self) -> Result<(), VerifyError> {
        let mut written = HashSet::new();
        for cluster in &self.program.clusters {
            let touches = cluster.touches(&self.program.exprs);
            let gone =
                touches.iter().find(|t| !t.write && written.contains(&(t.access.field, t.access.time)));
            self.check.that(gone.is_none(), 14, || {
                let text = gone.map_or(String::new(), |t| self.program.access_text(&t.access));
                format!("{text} was overwritten in place")
            })?;
            for t in
                touches.iter().filter(|t| t.write && self.program.decls.field(t.access.field).is_in_place())
            {
                let back = self.program.decls.field(t.access.field).slots() as i32 - 1;
                written.insert((t.access.field, t.access.time - t.access.time.signum() * back));
            }
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

/// The points of a region and some around it.
fn widened(region: &Region, widen: &[(i64, i64); 3]) -> Region {
    let mut wide = *region;
    for (d, (before, after)) in widen.iter().enumerate() {
        wide.from[d] = wide.from[d].saturating_sub(*before);
        wide.to[d] = wide.to[d].saturating_add(*after);
    }
    wide
}
