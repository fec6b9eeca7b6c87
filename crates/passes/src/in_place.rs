//! `in_place`: the level that a step writes takes the memory of the oldest, which nobody reads any more.
//!
//! ```text
//! field u buffered 3;  u[t+1, x] = 2*u[t, x] - u[t-1, x] + ..   ->   field u buffered 3 in place
//! ```
//! A point of the oldest level is read where the newest is written, and then never again: memory is read and written at
//! the same place, instead of read at one and written at another, which would have to be fetched first. Receivers of the
//! oldest level are served before. What a run leaves behind is as without this pass, see [`Slot`](wavefold_ir::tree::Slot).

use wavefold_ir::cluster::{Action, Cluster, PointStatement, Program};
use wavefold_ir::{Access, Arena, Direction, Expr, FieldId, FieldKind, Region, SparseId};

/// Marks the fields whose levels may be kept in place.
pub fn in_place(mut p: Program) -> Program {
    let Some(direction) = p.direction else { return p };
    for i in 0..p.decls.fields.len() {
        let field = FieldId(i as u32);
        let FieldKind::Buffered { slots, .. } = p.decls.field(field).kind else { continue };
        let levels = Levels::new(field, slots, direction);
        if slots < 2 || p.decls.field(field).window.is_some() {
            continue;
        }
        let clusters = samples_first(&p, levels);
        if allowed(&p, &clusters, levels) {
            p.clusters = clusters;
            p.decls.fields[i].kind = FieldKind::Buffered { slots, in_place: true };
        }
    }
    p
}

/// The levels of a field that a step uses.
#[derive(Clone, Copy)]
struct Levels {
    field: FieldId,
    newest: i32,
    oldest: i32,
}

impl Levels {
    fn new(field: FieldId, slots: usize, direction: Direction) -> Levels {
        let (newest, back) = match direction {
            Direction::Ascending => (1, -1),
            Direction::Descending => (-1, 1),
        };
        Levels { field, newest, oldest: newest + back * (slots as i32 - 1) }
    }

    fn is_newest(&self, a: &Access) -> bool {
        a.field == self.field && a.time == self.newest
    }

    fn is_oldest(&self, a: &Access) -> bool {
        a.field == self.field && a.time == self.oldest
    }

    /// Whether an access is to another field, or to a level that has a place.
    fn has(&self, a: &Access) -> bool {
        let (first, last) = (self.newest.min(self.oldest), self.newest.max(self.oldest));
        a.field != self.field || (first..=last).contains(&a.time)
    }
}

/// The clusters of a step, with those that sample the oldest level before the one that writes the newest, where nothing in
/// between minds.
fn samples_first(p: &Program, levels: Levels) -> Vec<Cluster> {
    let mut clusters = p.clusters.clone();
    let Some(mut at) = clusters.iter().position(|c| writes(p, c, levels)) else { return clusters };
    for i in at + 1..clusters.len() {
        let (sparse, reads) = match clusters[i].action {
            Action::Interpolate { sparse, .. } | Action::Reduce { series: sparse, .. } => {
                (sparse, clusters[i].touches(&p.exprs))
            }
            _ => continue,
        };
        let minds = |c: &Cluster| {
            let changes = c.touches(&p.exprs).iter().any(|t| {
                t.write
                    && reads.iter().any(|r| {
                        r.access.field == t.access.field
                            && p.decls.field(t.access.field).same_slot(r.access.time, t.access.time)
                    })
            });
            changes || matches!(c.action, Action::Wait(_)) || uses_points(&p.exprs, c, sparse)
        };
        if reads.iter().any(|r| levels.is_oldest(&r.access)) && !clusters[at..i].iter().any(minds) {
            clusters[at..=i].rotate_right(1);
            at += 1;
        }
    }
    clusters
}

/// Whether a cluster reads or writes values of a set of sparse points.
fn uses_points(exprs: &Arena, cluster: &Cluster, points: SparseId) -> bool {
    match cluster.action {
        Action::Interpolate { sparse, .. } | Action::Reduce { series: sparse, .. } => sparse == points,
        Action::Inject { value, .. } => {
            let mut found = false;
            exprs
                .visit(value, &mut |_, e| found |= matches!(e, Expr::Sparse(sparse, _) if *sparse == points));
            found
        }
        _ => false,
    }
}

fn writes(p: &Program, cluster: &Cluster, levels: Levels) -> bool {
    cluster.touches(&p.exprs).iter().any(|t| t.write && t.access.field == levels.field)
}

/// Whether nothing misses the oldest level once the newest has been written.
fn allowed(p: &Program, clusters: &[Cluster], levels: Levels) -> bool {
    let touched = |c: &Cluster| c.touches(&p.exprs).iter().any(|t| t.access.field == levels.field);
    // The slot that stays untouched would miss what the first step writes elsewhere.
    if p.first.iter().any(touched) {
        return false;
    }
    let Some(at) = clusters.iter().position(|c| writes(p, c, levels)) else { return false };
    clusters.iter().enumerate().all(|(i, cluster)| {
        let touches = cluster.touches(&p.exprs);
        let known = touches.iter().all(|t| {
            let written = !t.write || t.access.field != levels.field || t.access.time == levels.newest;
            // Before it is written, the newest level would be what its slot held before.
            let early = i < at && levels.is_newest(&t.access);
            written && !early && levels.has(&t.access)
        });
        // A ticket may be waited for later than the level lives.
        let lasting = matches!(cluster.action, Action::Compress { .. } | Action::Decompress { .. });
        let misses = (i > at || lasting) && touches.iter().any(|t| !t.write && levels.is_oldest(&t.access));
        known && !misses && (i != at || replaces(p, cluster, levels))
    })
}

/// Whether a cluster writes the newest level everywhere, once at each step, and reads the oldest only at the same point
/// before that.
fn replaces(p: &Program, cluster: &Cluster, levels: Levels) -> bool {
    let Action::Points { region, stages, statements, .. } = &cluster.action else { return false };
    let loads = |s: &PointStatement| p.exprs.loads(s.value());
    let reads_old = |s: &PointStatement| loads(s).iter().any(|a| levels.is_oldest(a));
    let reads_well = |s: &PointStatement| {
        loads(s).iter().all(|a| !levels.is_newest(a) && (!levels.is_oldest(a) || a.is_here()))
    };
    let is_write =
        |s: &PointStatement| matches!(s, PointStatement::Assign { target, .. } if levels.is_newest(target));
    let Some(write) = statements.iter().position(is_write) else { return false };
    let whole = matches!(&statements[write], PointStatement::Assign { target, increment: false, .. } if target.is_here());
    let in_stages = |s: &PointStatement| loads(s).iter().any(|a| levels.is_oldest(a) || levels.is_newest(a));
    let (before, after) = statements.split_at(write + 1);
    cluster.every == 1
        && *region == Region::domain(&p.decls.dims)
        && whole
        && !stages.iter().flat_map(|s| &s.statements).any(in_stages)
        && before.iter().all(reads_well)
        && !after.iter().any(reads_old)
}
