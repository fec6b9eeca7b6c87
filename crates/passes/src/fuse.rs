//! `fuse`: statements that can share a loop nest are put into one cluster.
//!
//! ```text
//! points { u[t+1, x] = f(u[t]) }  points { w[x] += u[t, x] }   ->   points { u[t+1, x] = ..;  w[x] += .. }
//! ```
//! A cluster moves up into an earlier one when nothing in between, and nothing there at another point, depends
//! on it or it on them. Statements keep their order.

use crate::stages::arrange;
use wavefold_ir::cluster::{Action, Cluster, PointStatement, Program, Stage, Touch};
use wavefold_ir::{Access, Arena, Decls, Expr, ExprId, FieldId, FieldKind, Region};

/// Fuses greedily, first fit: what runs at the first step, and what runs at every step.
pub fn fuse(mut p: Program) -> Program {
    for clusters in [&mut p.first, &mut p.clusters] {
        let mut out: Vec<Touched> = Vec::new();
        for cluster in std::mem::take(clusters) {
            let cluster = Touched::new(&p.exprs, cluster);
            match home(&p.decls, &out, &cluster) {
                Some(i) => out[i].absorb(&p.decls, &mut p.exprs, cluster),
                None => out.push(cluster),
            }
        }
        *clusters = out.into_iter().map(|t| t.cluster).collect();
    }
    p
}

/// A cluster with its accesses, which are asked for again and again.
struct Touched {
    cluster: Cluster,
    reads: Vec<Touch>,
    writes: Vec<Touch>,
}

impl Touched {
    fn new(exprs: &Arena, cluster: Cluster) -> Touched {
        let (writes, reads) = cluster.touches(exprs).into_iter().partition(|t| t.write);
        Touched { cluster, reads, writes }
    }

    /// The points that a cluster visits, when it may do so in any order.
    fn parallel_region(&self) -> Option<Region> {
        match self.cluster.action {
            Action::Points { region, serial: false, .. } => Some(region),
            _ => None,
        }
    }

    fn absorb(&mut self, decls: &Decls, exprs: &mut Arena, other: Touched) {
        if let (
            Action::Points { stages, statements, .. },
            Action::Points { stages: more_stages, statements: more, .. },
        ) = (&mut self.cluster.action, other.cluster.action)
        {
            let mut added = Added { stages, more: more_stages, statements: more };
            added.share(exprs);
            let Added { more: more_stages, statements: more, .. } = added;
            statements.extend(more);
            let all = std::mem::take(stages).into_iter().chain(more_stages).collect();
            *stages = arrange(decls, exprs, all, statements);
            self.cluster.source.extend(other.cluster.source);
            self.reads.extend(other.reads);
            self.writes.extend(other.writes);
        }
    }
}

/// What a cluster brings into another.
struct Added<'a> {
    /// Stages that are there.
    stages: &'a [Stage],
    more: Vec<Stage>,
    statements: Vec<PointStatement>,
}

impl Added<'_> {
    /// A tile field that is computed already takes the place of one that is brought.
    fn share(&mut self, exprs: &mut Arena) {
        let made = |stages: &[Stage]| -> Vec<(FieldId, ExprId)> {
            let statements = stages.iter().flat_map(|s| &s.statements);
            let pair = |s: &PointStatement| match s {
                PointStatement::Assign { target, value, .. } => Some((target.field, *value)),
                PointStatement::Let { .. } => None,
            };
            statements.filter_map(pair).collect()
        };
        let there = made(self.stages);
        // In order: what reads a shared field is equal only once it reads the same one.
        while let Some((old, new)) = made(&self.more).into_iter().find_map(|(field, value)| {
            there.iter().find(|(known, v)| *v == value && *known != field).map(|(known, _)| (field, *known))
        }) {
            let is_old = |s: &PointStatement| matches!(s, PointStatement::Assign { target, .. } if target.field == old);
            self.more.iter_mut().for_each(|stage| stage.statements.retain(|s| !is_old(s)));
            self.more.retain(|stage| !stage.statements.is_empty());
            let all =
                self.more.iter_mut().flat_map(|stage| &mut stage.statements).chain(&mut self.statements);
            for s in all {
                let value = exprs.rewrite(s.value(), &mut |exprs, id| match exprs[id] {
                    Expr::Load(a) if a.field == old => Some(exprs.load(Access { field: new, ..a })),
                    _ => None,
                });
                *s = s.with_value(value);
            }
        }
    }
}

/// The earlier cluster that can take in `cluster`.
fn home(decls: &Decls, earlier: &[Touched], cluster: &Touched) -> Option<usize> {
    let region = cluster.parallel_region()?;
    for (i, candidate) in earlier.iter().enumerate().rev() {
        let same_space =
            candidate.parallel_region() == Some(region) && candidate.cluster.every == cluster.cluster.every;
        if same_space && shares_points(decls, candidate, cluster) {
            return Some(i);
        }
        if depends(decls, candidate, cluster) {
            return None;
        }
    }
    None
}

/// Pairs of accesses to one place in memory, at least one of which is a write.
fn conflicts<'a>(
    decls: &'a Decls,
    a: &'a Touched,
    b: &'a Touched,
) -> impl Iterator<Item = (&'a Touch, &'a Touch)> {
    let all = |t: &'a Touched| t.reads.iter().chain(&t.writes);
    let writes_of_a = a.writes.iter().flat_map(move |x| all(b).map(move |y| (x, y)));
    let writes_of_b = b.writes.iter().flat_map(move |y| a.reads.iter().map(move |x| (x, y)));
    let is_tile = |t: &Touch| decls.field(t.access.field).kind == FieldKind::Tile;
    writes_of_a.chain(writes_of_b).filter(move |(x, y)| {
        x.access.field == y.access.field
            && !is_tile(x)
            && decls.field(x.access.field).same_slot(x.access.time, y.access.time)
    })
}

/// Whether the two cannot change places. A wait may guard any slice: no statement moves up over it.
/// (Sparse values are read and written by injections and interpolations alone, which do not move.)
fn depends(decls: &Decls, a: &Touched, b: &Touched) -> bool {
    matches!(a.cluster.action, Action::Wait(_)) || conflicts(decls, a, b).next().is_some()
}

/// Whether all that one writes and the other touches is touched at the same point.
fn shares_points(decls: &Decls, a: &Touched, b: &Touched) -> bool {
    conflicts(decls, a, b).all(|(x, y)| x.access.is_here() && y.access.is_here())
}
