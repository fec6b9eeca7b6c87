//! `compress`: makes the effects on compressed functions explicit.
//!
//! ```text
//! usave[t, x] = u[t, x]        ->   k0 = compress usave[t] <- u[t]  ..  wait k0
//! usave[t, x] = f(u)           ->   usave_slice[t, x] = f(u);  k0 = compress usave[t] <- usave_slice[t]  ..  wait k0
//! grad[x] += f(usave[t, x])    ->   k0 = decompress usave[t] -> usave_slots[t];  wait k0;  grad[x] += f(usave_slots)
//! ```
//! A plain copy of an uncompressed function is compressed from where it lies. Several snapshots read in one
//! step share a ring of slots: one is decompressed per step, the others once, at the first step.
//! Work starts as early and is waited for as late as the step allows: compressions from the last write to their slice until
//! its end, decompressions from its start until the first reader. A slice that a later equation of the step changes is waited for before.

use wavefold_ir::cluster::{Action, Cluster, PointStatement, Program, Slice};
use wavefold_ir::{
    Access, Arena, Decls, Direction, Expr, ExprId, Field, FieldId, FieldKind, Region, TicketId,
};

/// Rewrites every access to a compressed function.
pub fn compress(mut p: Program) -> Program {
    let mut tickets = Tickets(0);
    for id in p.decls.field_ids() {
        if !p.decls.field(id).is_compressed() {
            continue;
        }
        if p.clusters.iter().any(|c| c.touches(&p.exprs).iter().any(|t| t.write && t.access.field == id)) {
            write(&mut p, id, &mut tickets);
        } else {
            read(&mut p, id, &mut tickets);
        }
    }
    p
}

/// Numbers tickets in the order of their making.
struct Tickets(u32);

impl Tickets {
    fn take(&mut self) -> TicketId {
        self.0 += 1;
        TicketId(self.0 - 1)
    }
}

fn ring(p: &mut Program, of: FieldId, slots: usize, stem: &str, halo: usize) -> FieldId {
    let field = p.decls.field(of);
    let name = p.decls.fresh_name(&format!("{}_{stem}", field.name));
    let kind = FieldKind::Ring { slots, every: field.every(), of };
    let (dtype, window) = (field.dtype, field.window.clone());
    p.decls.add_field(Field { name, kind, dtype, halo, window, tight: false, layout: None, by_rows: false })
}

fn write(p: &mut Program, store: FieldId, tickets: &mut Tickets) {
    let mut out = Vec::new();
    let mut waits: Vec<(Slice, Cluster)> = Vec::new();
    for mut cluster in std::mem::take(&mut p.clusters) {
        // A slice that changes later in the step is waited for before it does.
        let (due, later): (Vec<_>, Vec<_>) =
            waits.into_iter().partition(|(slice, _)| writes(p, &cluster, *slice));
        waits = later;
        out.extend(due.into_iter().map(|(_, wait)| wait));
        let assigned = match &cluster.action {
            Action::Points { statements, .. } => match statements.as_slice() {
                [PointStatement::Assign { target, value, .. }] if target.field == store => {
                    Some((*target, *value))
                }
                _ => None,
            },
            _ => None,
        };
        let Some((target, value)) = assigned else {
            out.push(cluster);
            continue;
        };
        let (every, mut source) = (cluster.every, cluster.source.clone());
        let slice = match plain_copy(p, store, value, every) {
            Some(slice) => slice,
            None => {
                let ring = ring(p, store, 1, "slice", 0);
                let target = Access { field: ring, ..target };
                if let Action::Points { region, statements, serial, .. } = &mut cluster.action {
                    *region = stored_region(&p.decls, store);
                    *statements = vec![PointStatement::Assign { target, value, increment: false }];
                    *serial = false;
                }
                out.push(cluster);
                source = vec![];
                Slice { field: ring, time: target.time }
            }
        };
        let ticket = tickets.take();
        let start = Action::Compress { ticket, store, time: target.time, slice };
        // As soon as nothing of the step writes there any more.
        let after = out.iter().rposition(|c| writes(p, c, slice)).map_or(0, |last| last + 1);
        out.insert(after, Cluster { every, action: start, source });
        waits.push((slice, Cluster { every, action: Action::Wait(ticket), source: vec![] }));
    }
    out.extend(waits.into_iter().map(|(_, wait)| wait));
    p.clusters = out;
}

/// Whether a cluster writes to a slice.
fn writes(p: &Program, cluster: &Cluster, slice: Slice) -> bool {
    let field = p.decls.field(slice.field);
    let same = |a: &Access| a.field == slice.field && field.same_slot(a.time, slice.time);
    cluster.touches(&p.exprs).iter().any(|t| t.write && same(&t.access))
}

/// The points of a snapshot.
pub(crate) fn stored_region(d: &Decls, store: FieldId) -> Region {
    let mut region = Region::domain(&d.dims);
    if let Some(window) = &d.field(store).window {
        for (i, (from, points)) in window.from.iter().zip(&window.shape).enumerate() {
            (region.from[i], region.to[i]) = (*from as i64, (from + points) as i64);
        }
    }
    region
}

/// The slot that can be compressed where it lies.
fn plain_copy(p: &Program, store: FieldId, value: ExprId, every: usize) -> Option<Slice> {
    let Expr::Load(a) = p.exprs[value] else { return None };
    let field = p.decls.field(a.field);
    let kept = p.decls.field(store);
    let same = field.dtype == kept.dtype && field.window == kept.window;
    let fits =
        a.is_here() && same && !field.is_compressed() && (field.every() == every || field.every() == 1);
    fits.then_some(Slice { field: a.field, time: a.time })
}

fn read(p: &mut Program, store: FieldId, tickets: &mut Tickets) {
    let times = |c: &Cluster, exprs: &Arena| -> Vec<i32> {
        c.touches(exprs).iter().filter(|t| t.access.field == store).map(|t| t.access.time).collect()
    };
    let all: Vec<i32> = p.clusters.iter().flat_map(|c| times(c, &p.exprs)).collect();
    let (Some(&lowest), Some(&highest)) = (all.iter().min(), all.iter().max()) else { return };
    let reader = p.clusters.iter().position(|c| !times(c, &p.exprs).is_empty()).unwrap_or(0);
    let slots = highest.abs_diff(lowest) as usize + 1;
    let (halo, every) = (p.decls.field(store).halo, p.decls.field(store).every());
    let ring = ring(p, store, slots, "slots", halo);
    p.exprs.rename_loads(store, ring);
    let newest = if p.direction == Some(Direction::Descending) { lowest } else { highest };
    let mut effects = |time: i32| {
        let ticket = tickets.take();
        let slice = Slice { field: ring, time };
        let start = Action::Decompress { ticket, store, time, slice };
        [start, Action::Wait(ticket)].map(|action| Cluster { every, action, source: vec![] })
    };
    for time in (lowest..=highest).filter(|t| *t != newest) {
        p.first.extend(effects(time));
    }
    let [start, wait] = effects(newest);
    p.clusters.insert(reader, wait);
    p.clusters.insert(0, start);
}
