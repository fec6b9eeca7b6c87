//! `schedule`: cluster level -> tree. Loops, tiles, threads, vectors, guards and slots.
//!
//! ```text
//! points { u[t+1, x, y, z] = .. }   ->   parallel tiles y by 32 { for x { for y in tile { simd z { .. } } } }
//! ```
//! In three dimensions the tiles are strips of y that each thread follows along x, so that the planes of a strip
//! stay in its cache; z, the contiguous dimension, is never cut. Every thread gets as many strips, and they are as wide as
//! the cache allows: their edges are read twice. In one and two dimensions the tiles cut x.
//!
//! Clusters with stages get tiles small enough for the tile fields to stay in the cache of a core. Each stage runs over the whole
//! tile, and as far around it as its readers need. In three dimensions a thread goes along x through its strip of y, and stages run
//! as many planes ahead of it as their readers need: tile fields have few planes, which take turns, and only the edges of strips
//! are computed twice.

use crate::Machine;
use crate::planes::Shift;
use std::collections::BTreeMap;
use wavefold_ir::cluster::{self, Cluster, PointStatement, Stage, Touch};
use wavefold_ir::tree::{Loop, LoopForm, Program, Slice, Slot, Stmt};
use wavefold_ir::{Access, Arena, Decls, Expr, FieldId, FieldKind, Layout, Region, Window};

/// Rows of a tile in two dimensions: enough to amortise its overlap with the neighbours, few enough for the second-level cache.
const STRIP: usize = 32;
/// Least number of strips in three dimensions, and fewest rows of one: threads are not equally fast.
const STRIPS: (usize, usize) = (8, 4);
/// Rows that what lies around a strip is worth: it is read by two strips, but little else is done with it.
pub(crate) const EDGE: usize = 1;
/// Largest part of the second-level cache for the rows that a strip goes on to read.
const CACHE_PART: f64 = 0.75;
/// Points of a tile where only one dimension exists.
const SEGMENT: usize = 4096;
/// Points of a tile with stages along each of its dimensions, if its memory allows.
const BLOCK: usize = 16;
/// Largest part of the second-level cache for the memory of a tile.
const TILE_PART: f64 = 0.5;
/// Most tiles of a reduction: each leaves a result that is combined at the end.
const REDUCTION_TILES: usize = 1024;

/// Builds the tree.
pub fn schedule(mut p: cluster::Program, machine: &Machine) -> Program {
    let mut step = Vec::new();
    let first: Vec<Stmt> = guarded(&p.first, &mut p.exprs, &mut p.decls, machine);
    if !first.is_empty() {
        step.push(Stmt::First(first));
    }
    step.extend(guarded(&p.clusters, &mut p.exprs, &mut p.decls, machine));
    let body = match p.direction {
        None => step,
        Some(direction) => {
            let slots = slots(&step, &p.decls, &p.exprs);
            vec![Stmt::Time { direction, slots, scalars: p.step_scalars, body: step }]
        }
    };
    Program { decls: p.decls, exprs: p.exprs, scalars: p.scalars, body }
}

/// Neighbours with the same guard share it.
fn guarded(clusters: &[Cluster], exprs: &mut Arena, decls: &mut Decls, machine: &Machine) -> Vec<Stmt> {
    let mut out: Vec<Stmt> = Vec::new();
    for c in clusters {
        let s = statement(c, exprs, decls, machine);
        push_guarded(&mut out, c.every, s);
    }
    out
}

/// Adds a statement that is done every few steps, under the guard of its neighbour where that is the same.
pub(crate) fn push_guarded(list: &mut Vec<Stmt>, every: usize, s: Stmt) {
    match (every, list.last_mut()) {
        (1, _) => list.push(s),
        (k, Some(Stmt::When { every, body })) if *every == k => body.push(s),
        (every, _) => list.push(Stmt::When { every, body: vec![s] }),
    }
}

fn statement(c: &Cluster, exprs: &mut Arena, decls: &mut Decls, machine: &Machine) -> Stmt {
    let source = c.source.first().cloned().unwrap_or_default();
    match c.action.clone() {
        cluster::Action::Points { region, stages, statements, serial } => {
            let outer = if stages.is_empty() {
                let mut outer = nest(body(statements), &region, serial, decls);
                if let (LoopForm::Tiles { size, .. }, 3) = (&mut outer.form, decls.rank()) {
                    *size = strip(&c.touches(exprs), &region, decls, machine);
                }
                outer
            } else {
                let most = (TILE_PART * machine.cache as f64) as usize;
                match swept(&region, &stages, &statements, (exprs, decls), machine, most) {
                    Some(outer) => outer,
                    None => staged(&region, stages, statements, decls, most),
                }
            };
            Stmt::Nest { source: c.source.clone(), outer }
        }
        cluster::Action::Reduce { region, series, op, value } => {
            let mut outer = nest(vec![Stmt::Accumulate(value)], &region, false, decls);
            if let LoopForm::Tiles { from, to, size, .. } = &mut outer.form {
                let points = usize::try_from(to.saturating_sub(*from)).unwrap_or(0);
                *size = (*size).max(points.div_ceil(REDUCTION_TILES));
            }
            Stmt::Reduce { series, op, outer, source }
        }
        cluster::Action::Inject { sparse, table, target, value } => {
            Stmt::Inject { sparse, table, target, value, source }
        }
        cluster::Action::Interpolate { sparse, table, time, value, increment } => {
            Stmt::Interpolate { sparse, table, time, value, increment, source }
        }
        cluster::Action::Compress { ticket, store, time, slice } => {
            Stmt::Compress { ticket, store, time, slice, rows: 0, source }
        }
        cluster::Action::Decompress { ticket, store, time, slice } => {
            Stmt::Decompress { ticket, store, time, slice, rows: 0 }
        }
        cluster::Action::Wait(ticket) => Stmt::Wait(ticket),
    }
}

fn body(statements: Vec<PointStatement>) -> Vec<Stmt> {
    let statement = |s| match s {
        PointStatement::Let { local, value } => Stmt::Let { local, value },
        PointStatement::Assign { target, value, increment } => Stmt::Assign { target, value, increment },
    };
    statements.into_iter().map(statement).collect()
}

/// Loops over a region, with one dimension cut into tiles unless the points must be visited in order.
pub(crate) fn nest(body: Vec<Stmt>, region: &Region, serial: bool, decls: &Decls) -> Loop {
    let rank = decls.rank();
    if serial {
        return points(body, region, &[(0, 0); 3], &[], false, rank);
    }
    let dim = if rank == 3 { 1 } else { 0 };
    let body = vec![Stmt::Loop(points(body, region, &[(0, 0); 3], &[dim], true, rank))];
    let size = tile(extent(region, dim), rank);
    let form = LoopForm::Tiles { from: region.from[dim], to: region.to[dim], size, parallel: true };
    Loop { dim, form, step: 1, body }
}

/// Loops over the points of a region, or of the tile in the dimensions `tiled`, and of some around.
fn points(
    body: Vec<Stmt>,
    region: &Region,
    widen: &[(i64, i64); 3],
    tiled: &[usize],
    simd: bool,
    rank: usize,
) -> Loop {
    let around = |dim: usize, body: Vec<Stmt>| {
        let (before, after) = widen[dim];
        let simd = simd && dim + 1 == rank;
        let form = if tiled.contains(&dim) {
            LoopForm::Tile { before, after, simd }
        } else {
            LoopForm::Points { from: region.from[dim] - before, to: region.to[dim] + after, simd }
        };
        Loop { dim, form, step: 1, body }
    };
    let inner = (1..rank).rev().fold(body, |body, dim| vec![Stmt::Loop(around(dim, body))]);
    around(0, inner)
}

/// All stages of a tile one after the other, and then the statements that read them.
fn staged(
    region: &Region,
    stages: Vec<Stage>,
    statements: Vec<PointStatement>,
    decls: &mut Decls,
    most: usize,
) -> Loop {
    let rank = decls.rank();
    let tiled: &[usize] = if rank == 3 { &[0, 1] } else { &[0] };
    let mut block = if rank == 1 { SEGMENT } else { BLOCK };
    while block > 4 && place(region, &stages, tiled, block, decls) > most {
        block /= 2;
    }
    place(region, &stages, tiled, block, decls);
    let mut inner: Vec<Stmt> = stages
        .into_iter()
        .map(|stage| Stmt::Loop(points(body(stage.statements), region, &stage.widen, tiled, true, rank)))
        .collect();
    inner.push(Stmt::Loop(points(body(statements), region, &[(0, 0); 3], tiled, true, rank)));
    let cut = |dim: usize, parallel, body| {
        let form = LoopForm::Tiles { from: region.from[dim], to: region.to[dim], size: block, parallel };
        Loop { dim, form, step: 1, body }
    };
    match tiled {
        [outer, within] => cut(*outer, true, vec![Stmt::Loop(cut(*within, false, inner))]),
        _ => cut(tiled[0], true, inner),
    }
}

/// Strips of y, in each a sweep along x: every stage first fills the planes around the first one, and is then as far ahead as its
/// readers need. `None` in fewer dimensions, and for stages that ask where they are.
fn swept(
    region: &Region,
    stages: &[Stage],
    statements: &[PointStatement],
    (exprs, decls): (&mut Arena, &mut Decls),
    machine: &Machine,
    most: usize,
) -> Option<Loop> {
    if decls.rank() != 3 {
        return None;
    }
    let mut along = Vec::new();
    for stage in stages {
        let mut shift = Shift::by(stage.widen[0].1 as i32, exprs);
        for s in body(stage.statements.clone()) {
            along.push(match s {
                Stmt::Let { local, value } => Stmt::Let { local, value: shift.expression(value)? },
                Stmt::Assign { target, value, increment } => {
                    let value = shift.expression(value)?;
                    Stmt::Assign { target: shift.access(target), value, increment }
                }
                other => other,
            });
        }
    }
    let edge =
        stages.iter().map(|stage| (stage.widen[1].0 + stage.widen[1].1) as usize / 2).max().unwrap_or(0);
    let rows = strips_that(
        |rows| take_turns(region, stages, rows, decls) <= most,
        (extent(region, 1), edge),
        machine,
    );
    take_turns(region, stages, rows, decls);
    let loops = |statements, widen: &[(i64, i64); 3]| points(statements, region, widen, &[1], true, 3);
    let (from, to) = (region.from[0], region.to[0]);
    let mut sweep = Vec::new();
    let form = LoopForm::Points { from, to, simd: false };
    let mut planes = Loop { dim: 0, form, step: 1, body: vec![] };
    let mut along = along.into_iter();
    for stage in stages {
        let (before, after) = stage.widen[0];
        let around = Loop {
            form: LoopForm::Points { from: from - before, to: from + after, simd: false },
            ..loops(body(stage.statements.clone()), &stage.widen)
        };
        if from < to && before + after > 0 {
            sweep.push(Stmt::Loop(around));
        }
        let ahead = along.by_ref().take(stage.statements.len()).collect();
        planes.body.extend(loops(ahead, &stage.widen).body);
    }
    planes.body.extend(loops(body(statements.to_vec()), &[(0, 0); 3]).body);
    sweep.push(Stmt::Loop(planes));
    let form = LoopForm::Tiles { from: region.from[1], to: region.to[1], size: rows, parallel: true };
    Some(Loop { dim: 1, form, step: 1, body: sweep })
}

/// Gives tile fields strips of `rows` rows of as many planes as are read at a time, which take turns; returns their bytes.
fn take_turns(region: &Region, stages: &[Stage], rows: usize, decls: &mut Decls) -> usize {
    place(region, stages, &[1], rows, decls);
    let mut bytes = 0;
    for (id, widen) in targets(stages) {
        let field = &mut decls.fields[id.index()];
        if let Some(layout) = &mut field.layout {
            let (before, after) = widen[0];
            layout.alloc[0] = usize::try_from(before + after + 1).unwrap_or(1).next_power_of_two();
            layout.pad[0] = usize::try_from(before - region.from[0].min(0)).unwrap_or(0);
            layout.turns = true;
        }
        if let Some(window) = &mut field.window {
            window.from[0] = 0;
        }
        bytes += field.layout.as_ref().map_or(0, |l| l.slot_len() * field.dtype.size());
    }
    bytes
}

/// The tile fields of stages, and how far around a tile they are needed.
fn targets(stages: &[Stage]) -> Vec<(FieldId, [(i64, i64); 3])> {
    let targets = stages.iter().flat_map(|stage| {
        stage.statements.iter().filter_map(move |s| match s {
            PointStatement::Assign { target, .. } => Some((target.field, stage.widen)),
            PointStatement::Let { .. } => None,
        })
    });
    targets.collect()
}

/// Gives the tile fields their place in the memory of a tile, and returns the bytes that they need.
fn place(region: &Region, stages: &[Stage], tiled: &[usize], block: usize, decls: &mut Decls) -> usize {
    let rank = decls.rank();
    let mut bytes = 0;
    for (id, widen) in targets(stages) {
        let field = &mut decls.fields[id.index()];
        debug_assert_eq!(field.kind, FieldKind::Tile);
        let vector = 64 / field.dtype.size();
        let size =
            |d: usize| if tiled.contains(&d) { block.min(extent(region, d)) } else { extent(region, d) };
        let mut pad: Vec<usize> = widen[..rank].iter().map(|w| w.0 as usize).collect();
        pad[rank - 1] = pad[rank - 1].next_multiple_of(vector);
        let mut alloc: Vec<usize> = (0..rank).map(|d| pad[d] + size(d) + widen[d].1 as usize).collect();
        alloc[rank - 1] = alloc[rank - 1].next_multiple_of(vector);
        let from = |d: usize| if tiled.contains(&d) { 0 } else { region.from[d].max(0) as usize };
        field.window =
            Some(Window { from: (0..rank).map(from).collect(), shape: (0..rank).map(size).collect() });
        bytes += alloc.iter().product::<usize>() * field.dtype.size();
        field.layout = Some(Layout { alloc, pad, aligned: true, turns: false });
    }
    bytes
}

/// Points of a region along a dimension.
fn extent(region: &Region, dim: usize) -> usize {
    usize::try_from(region.to[dim].saturating_sub(region.from[dim])).unwrap_or(0)
}

/// Tiles are the unit of parallel work: small domains get smaller ones, so that all threads have some.
fn tile(size: usize, rank: usize) -> usize {
    let largest = if rank == 1 { SEGMENT } else { STRIP };
    (size / 16).clamp(largest.min(4), largest)
}

/// Rows of a strip of y in three dimensions.
fn strip(touches: &[Touch], region: &Region, decls: &Decls, machine: &Machine) -> usize {
    let fits = |size: usize| kept(touches, size, region, decls) <= CACHE_PART * machine.cache as f64;
    strips_that(fits, (extent(region, 1), EDGE), machine)
}

/// Rows of strips that fit: as many strips for each thread, and as few as can be, but for some more where the last one would
/// be much shorter than the others, and its thread wait for them. What is done at the edges of a strip is worth `edge` rows.
pub(crate) fn strips_that(
    mut fits: impl FnMut(usize) -> bool,
    (rows, edge): (usize, usize),
    machine: &Machine,
) -> usize {
    let (fewest, least) = STRIPS;
    let threads = machine.threads.max(1);
    let size = |strips: usize| rows.div_ceil(strips).max(least);
    let mut strips = fewest.next_multiple_of(threads);
    while size(strips) > least && !fits(size(strips)) {
        strips += threads;
    }
    let work = |strips: &usize| strips * (size(*strips) + edge);
    (strips..=2 * strips).step_by(threads).min_by_key(work).map_or(least, size)
}

/// Bytes that should stay in the cache while a strip goes from one plane to the next: of each array the planes between the
/// first and the last that a point reads, and those of a second point, which [`jam`](crate::jam) may add.
fn kept(touches: &[Touch], rows: usize, region: &Region, decls: &Decls) -> f64 {
    touched(touches.iter().map(|touch| &touch.access), [rows, 2], extent(region, 2), decls)
}

/// Bytes that a tile of so many rows and planes touches, with rows of `points` points: of each array also what lies around the
/// tile. In two dimensions there are no planes.
pub(crate) fn touched<'a>(
    accesses: impl Iterator<Item = &'a Access>,
    [rows, planes]: [usize; 2],
    points: usize,
    decls: &Decls,
) -> f64 {
    let mut arrays: BTreeMap<(FieldId, i32), [(i32, i32); 2]> = BTreeMap::new();
    for access in accesses {
        let spans = arrays.entry((access.field, access.time)).or_default();
        for (d, span) in spans.iter_mut().enumerate() {
            *span = (span.0.min(access.offsets[d]), span.1.max(access.offsets[d]));
        }
    }
    let bytes = |((field, _), spans): (&(FieldId, i32), &[(i32, i32); 2])| {
        let along = |n: usize, d: usize| n as f64 + f64::from(spans[d].1 - spans[d].0);
        let tile = if decls.rank() == 3 { along(planes, 0) * along(rows, 1) } else { along(rows, 0) };
        tile * (points * decls.field(*field).dtype.size()) as f64
    };
    arrays.iter().map(bytes).sum()
}

/// Every slot that the step uses, in order of first use.
pub(crate) fn slots(body: &[Stmt], decls: &Decls, exprs: &Arena) -> Vec<Slot> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_get_strips_of_much_the_same_length() {
        let machine = |threads| Machine { threads, cache: 1 << 20 };
        for threads in [1, 2, 3, 16] {
            for rows in 100..600 {
                for most in [9, 17, 33] {
                    let size = strips_that(|size| size <= most, (rows, EDGE), &machine(threads));
                    assert!((STRIPS.1..=most).contains(&size), "{rows} {most}: {size}");
                    // Rows of the thread that has most of them, over its share.
                    let busiest = rows.div_ceil(size).div_ceil(threads) * size;
                    let share = rows as f64 / threads as f64;
                    assert!(busiest as f64 - share <= 0.06 * share + 4.0, "{rows} {most} {threads}: {size}");
                }
            }
        }
        assert_eq!(strips_that(|_| false, (1000, EDGE), &machine(2)), STRIPS.1);
        assert_eq!(strips_that(|_| true, (0, EDGE), &machine(2)), STRIPS.1);
    }
}
