//! `fuse`: statements that can share a loop nest are put into one cluster.
//!
//! ```text
//! points { u[t+1, x] = f(u[t]) }  points { w[x] += u[t, x] }   ->   points { u[t+1, x] = ..;  w[x] += .. }
//! ```
//! A cluster moves up into an earlier one when nothing in between, and nothing there at another point, depends
//! on it or it on them. Statements keep their order.

use wavefold_ir::cluster::{Action, Cluster, Program, Touch};
use wavefold_ir::{Arena, Decls};

/// Fuses greedily, first fit.
pub fn fuse(mut p: Program) -> Program {
    let mut out: Vec<Touched> = Vec::new();
    for cluster in std::mem::take(&mut p.clusters) {
        let cluster = Touched::new(&p.exprs, cluster);
        match home(&p.decls, &out, &cluster) {
            Some(i) => out[i].absorb(cluster),
            None => out.push(cluster),
        }
    }
    p.clusters = out.into_iter().map(|t| t.cluster).collect();
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

    fn is_parallel_points(&self) -> bool {
        matches!(self.cluster.action, Action::Points { serial: false, .. })
    }

    fn absorb(&mut self, other: Touched) {
        if let (Action::Points { statements, .. }, Action::Points { statements: more, .. }) =
            (&mut self.cluster.action, other.cluster.action)
        {
            statements.extend(more);
            self.cluster.source.extend(other.cluster.source);
            self.reads.extend(other.reads);
            self.writes.extend(other.writes);
        }
    }
}

/// The earlier cluster that can take in `cluster`.
fn home(decls: &Decls, earlier: &[Touched], cluster: &Touched) -> Option<usize> {
    if !cluster.is_parallel_points() {
        return None;
    }
    for (i, candidate) in earlier.iter().enumerate().rev() {
        let same_space = candidate.is_parallel_points() && candidate.cluster.every == cluster.cluster.every;
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
    writes_of_a.chain(writes_of_b).filter(|(x, y)| {
        x.access.field == y.access.field
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
