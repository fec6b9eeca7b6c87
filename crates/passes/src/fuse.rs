//! `fuse`: statements that can share a loop nest are put into one cluster.
//!
//! ```text
//! points { u[t+1, x] = f(u[t]) }  points { w[x] += u[t, x] }   ->   points { u[t+1, x] = ..;  w[x] += .. }
//! ```
//! A cluster moves up into an earlier one when nothing in between, and nothing there at another point, depends
//! on it or it on them. Statements keep their order.

use wavefold_ir::Arena;
use wavefold_ir::cluster::{Action, Cluster, Program};

/// Fuses greedily, first fit.
pub fn fuse(mut p: Program) -> Program {
    let mut out: Vec<Cluster> = Vec::new();
    for cluster in std::mem::take(&mut p.clusters) {
        match home(&p.exprs, &out, &cluster) {
            Some(i) => absorb(&mut out[i], cluster),
            None => out.push(cluster),
        }
    }
    p.clusters = out;
    p
}

/// The earlier cluster that can take in `cluster`.
fn home(exprs: &Arena, earlier: &[Cluster], cluster: &Cluster) -> Option<usize> {
    if !is_parallel_points(cluster) {
        return None;
    }
    for (i, candidate) in earlier.iter().enumerate().rev() {
        if is_parallel_points(candidate) && candidate.every == cluster.every && shares_points(exprs, candidate, cluster)
        {
            return Some(i);
        }
        if depends(exprs, candidate, cluster) {
            return None;
        }
    }
    None
}

fn is_parallel_points(c: &Cluster) -> bool {
    matches!(c.action, Action::Points { serial: false, .. })
}

fn absorb(into: &mut Cluster, cluster: Cluster) {
    if let (Action::Points { statements, .. }, Action::Points { statements: more, .. }) =
        (&mut into.action, cluster.action)
    {
        statements.extend(more);
        into.source.extend(cluster.source);
    }
}

/// Whether one of the two writes a time level that the other touches.
fn depends(exprs: &Arena, a: &Cluster, b: &Cluster) -> bool {
    let (ta, tb) = (a.touches(exprs), b.touches(exprs));
    let fields = ta.iter().any(|x| {
        tb.iter().any(|y| {
            (x.write || y.write) && x.access.field == y.access.field && x.access.time == y.access.time
        })
    });
    let sparse = match (a.sparse(), b.sparse()) {
        (Some((x, wx)), Some((y, wy))) => x == y && (wx || wy),
        _ => false,
    };
    fields || sparse || matches!(a.action, Action::Wait(_)) && reads_slice(b)
}

/// Conservative: a wait may guard any slice, so statements that follow it stay behind it.
fn reads_slice(c: &Cluster) -> bool {
    matches!(c.action, Action::Points { .. })
}

/// Whether all that one writes and the other touches is touched at the same point.
fn shares_points(exprs: &Arena, a: &Cluster, b: &Cluster) -> bool {
    let (ta, tb) = (a.touches(exprs), b.touches(exprs));
    ta.iter().all(|x| {
        tb.iter().all(|y| {
            let same = x.access.field == y.access.field && x.access.time == y.access.time;
            !(same && (x.write || y.write)) || (x.access.is_here() && y.access.is_here())
        })
    })
}
