//! `schedule`: cluster level -> tree. Loops, tiles, threads, vectors, guards and slots.
//!
//! ```text
//! points { u[t+1, x, y, z] = .. }   ->   parallel tiles y by 32 { for x { for y in tile { simd z { .. } } } }
//! ```
//! In three dimensions the tiles are strips of y that each thread follows along x, so that the planes of a strip
//! stay in its cache; z, the contiguous dimension, is never cut. In one and two dimensions the tiles cut x.

use wavefold_ir::cluster::{self, Cluster, PointStatement};
use wavefold_ir::tree::{Loop, LoopForm, Program, Slice, Slot, Stmt};
use wavefold_ir::{Access, Arena, Decls, Expr};

/// Rows of a strip: enough to amortise its overlap with the neighbours, few enough for the second-level cache.
const STRIP: usize = 32;
/// Points of a tile where only one dimension exists.
const SEGMENT: usize = 4096;

/// Builds the tree.
pub fn schedule(p: cluster::Program) -> Program {
    let mut step = Vec::new();
    let first: Vec<Stmt> = guarded(&p.first, &p.decls);
    if !first.is_empty() {
        step.push(Stmt::First(first));
    }
    step.extend(guarded(&p.clusters, &p.decls));
    let body = match p.direction {
        None => step,
        Some(direction) => {
            vec![Stmt::Time { direction, slots: slots(&step, &p.decls, &p.exprs), body: step }]
        }
    };
    Program { decls: p.decls, exprs: p.exprs, scalars: p.scalars, body }
}

/// Neighbours with the same guard share it.
fn guarded(clusters: &[Cluster], decls: &Decls) -> Vec<Stmt> {
    let mut out: Vec<Stmt> = Vec::new();
    for c in clusters {
        let s = statement(c, decls);
        match (c.every, out.last_mut()) {
            (1, _) => out.push(s),
            (k, Some(Stmt::When { every, body })) if *every == k => body.push(s),
            (every, _) => out.push(Stmt::When { every, body: vec![s] }),
        }
    }
    out
}

fn statement(c: &Cluster, decls: &Decls) -> Stmt {
    let source = c.source.first().cloned().unwrap_or_default();
    match c.action.clone() {
        cluster::Action::Points { statements, serial } => {
            Stmt::Nest { source: c.source.clone(), outer: nest(statements, serial, decls) }
        }
        cluster::Action::Inject { sparse, target, value } => Stmt::Inject { sparse, target, value, source },
        cluster::Action::Interpolate { sparse, time, value, increment } => {
            Stmt::Interpolate { sparse, time, value, increment, source }
        }
        cluster::Action::Compress { ticket, store, time, slice } => {
            Stmt::Compress { ticket, store, time, slice, source }
        }
        cluster::Action::Decompress { ticket, store, time, slice } => {
            Stmt::Decompress { ticket, store, time, slice }
        }
        cluster::Action::Wait(ticket) => Stmt::Wait(ticket),
    }
}

fn nest(statements: Vec<PointStatement>, serial: bool, decls: &Decls) -> Loop {
    let rank = decls.rank();
    let tiled_dim = if rank == 3 { 1 } else { 0 };
    let mut body: Vec<Stmt> = statements
        .into_iter()
        .map(|s| match s {
            PointStatement::Let { local, value } => Stmt::Let { local, value },
            PointStatement::Assign { target, value, increment } => Stmt::Assign { target, value, increment },
        })
        .collect();
    for dim in (0..rank).rev() {
        let form = LoopForm::Points { tiled: !serial && dim == tiled_dim, simd: !serial && dim + 1 == rank };
        let l = Loop { dim, form, body };
        if dim == 0 && serial {
            return l;
        }
        body = vec![Stmt::Loop(l)];
    }
    let size = tile(decls.dims[tiled_dim].size, rank);
    Loop { dim: tiled_dim, form: LoopForm::Tiles { size, parallel: true }, body }
}

/// Tiles are the unit of parallel work: small domains get smaller ones, so that all threads have some.
fn tile(size: usize, rank: usize) -> usize {
    let largest = if rank == 1 { SEGMENT } else { STRIP };
    (size / 16).clamp(largest.min(4), largest)
}

/// Every slot that the step uses, in order of first use.
fn slots(body: &[Stmt], decls: &Decls, exprs: &Arena) -> Vec<Slot> {
    let mut slots: Vec<Slot> = Vec::new();
    let mut add = |a: &Access| {
        if let Some(slot) = Slot::of(decls.field(a.field), a.time)
            && !slots.contains(&slot)
        {
            slots.push(slot);
        }
    };
    let mut visit = |s: &Stmt| {
        if let Stmt::Assign { target, .. } | Stmt::Inject { target, .. } = s {
            add(target);
        }
        if let Some(value) = s.value() {
            exprs.visit(value, &mut |_, e| {
                if let Expr::Load(a) = e {
                    add(a);
                }
            });
        }
        if let Stmt::Compress { store, time, slice, .. } | Stmt::Decompress { store, time, slice, .. } = s {
            let Slice { field, time: slot } = *slice;
            add(&Access::here(field, slot));
            add(&Access::here(*store, *time));
        }
    };
    body.iter().for_each(|s| s.visit(&mut visit));
    slots
}
