//! `front`: several steps at a time, so that what one leaves in the caches is there for the next.
//!
//! ```text
//! time { parallel tiles y { for x { .. } } }   ->   time { front of 4 steps .. { lag 0 { for x in tile { for y in tile { .. } } } } }
//! ```
//! Steps need not end everywhere before the next begins: a stencil reaches a bounded way. What follows what at which distance is
//! read off the accesses ([`lags`]); the order of a front is that of [`Front`]. Steps are taken together when that moves clearly
//! less memory, counted as the fields of all parts once for the group, with what neighbouring strips fetch again, as long as the
//! planes under way stay in a second-level cache. Results do not depend on it.
//!
//! What is compressed is whole only when a group has ended, and decompressed before it begins:
//!
//! ```text
//! time {                                            time {
//!   every 4 { k0 = compress usave[t] <- u[t] }        front of 8 steps .. { every 4 { lag 0 { s[t, x] = u[t, x] } } .. }
//!   tiles x { u[t+1, x] = f(u[t]) }          ->       steps { every 4 { k0 = compress usave[t] <- s[t]  wait k0 } }
//!   every 4 { wait k0 }                             }
//! }
//! ```
//! The ring of slices has room for the snapshots of a group, of which there are two at most.

use crate::nests::by_planes;
use crate::rows::few_rows;
use crate::schedule::{nest as nest_over, push_guarded, slots};
use crate::{Machine, compress, join, parts as in_parts};
use wavefold_ir::tree::{
    Front, Lag, Loop, LoopForm, Program, Slice, Stmt, cost_of_rows, footprint, front_bytes, lags,
    reads_around,
};
use wavefold_ir::{Access, Field, FieldId, FieldKind, Layout, Region, TicketId};

/// Largest part of the second-level cache for the planes under way.
const CACHE_PART: f64 = 0.85;
/// Most memory that a front may move, as a part of what single steps move.
const GAIN: f64 = 0.8;
/// Most snapshots of a group for each compressed function: slices take memory.
const SNAPSHOTS: usize = 2;
/// Most steps at a time that may be asked for.
const MOST_STEPS: usize = 64;
/// Steps at a time that are tried.
const STEPS: [usize; 6] = [1, 2, 3, 4, 6, 8];
/// Rows of strips that are tried in three dimensions.
const STRIPS: [usize; 4] = [8, 16, 32, 64];
/// Planes at a time that are tried.
const CHUNKS: [usize; 3] = [8, 4, 2];

/// Builds a front where it is allowed and pays; otherwise gives the reason why steps are done one by one.
///
/// `steps` are those that are asked for at a time; without, the compiler chooses. `alike`: see
/// [`Specialisation`](crate::Specialisation::alike).
pub fn front(
    mut p: Program,
    machine: &Machine,
    steps: Option<usize>,
    alike: &[String],
) -> (Program, Option<String>) {
    // Slices are made on the way to a plan.
    let before = has_effects(&p).then(|| p.clone());
    match plan(&mut p, before.as_ref(), machine, steps, alike) {
        Ok((front, group)) => {
            group.widen(&mut p, front.steps);
            let apart = |list: Vec<Stmt>| (!list.is_empty()).then_some(Stmt::Steps(list));
            let mut step = Vec::from_iter(apart(group.before));
            step.push(Stmt::Front { front, body: group.parts });
            step.extend(apart(group.after));
            for s in std::mem::take(&mut p.body) {
                let s = match s {
                    Stmt::Time { direction, scalars, mut body, .. } => {
                        body.retain(|s| matches!(s, Stmt::First(_)));
                        body.append(&mut step);
                        let slots = slots(&body, &p.decls, &p.exprs);
                        Stmt::Time { direction, slots, scalars, body }
                    }
                    other => other,
                };
                p.body.push(s);
            }
            by_planes(&mut p);
            (p, None)
        }
        Err(why) => (before.unwrap_or(p), Some(why)),
    }
}

fn has_effects(p: &Program) -> bool {
    let mut found = false;
    p.visit(&mut |s| found |= matches!(s, Stmt::Compress { .. } | Stmt::Decompress { .. }));
    found
}

/// What the steps of a group do.
#[derive(Default)]
struct Group {
    /// Decompressions, and what waits for them.
    before: Vec<Stmt>,
    /// Parts of the front.
    parts: Vec<Stmt>,
    /// Compressions, and what waits for them.
    after: Vec<Stmt>,
    compressing: Vec<TicketId>,
    /// Slices, with the distance of their snapshots in steps.
    rings: Vec<(FieldId, usize)>,
}

impl Group {
    /// Most steps for which the slices of a group are few enough.
    fn most_steps(&self) -> usize {
        let most = self.rings.iter().map(|(_, every)| SNAPSHOTS * every).min();
        most.map_or(MOST_STEPS, |most| most.min(MOST_STEPS))
    }

    /// Makes room for the slices of all snapshots of a group: a step has what it reads in its ring already.
    fn widen(&self, p: &mut Program, steps: usize) {
        for (ring, every) in &self.rings {
            if let FieldKind::Ring { slots, .. } = &mut p.decls.fields[ring.index()].kind {
                *slots += steps.div_ceil(*every) - 1;
            }
        }
    }

    /// Adds what a statement that is done every few steps becomes.
    fn add(&mut self, p: &mut Program, s: &Stmt, every: usize) -> Result<(), String> {
        let mut region = Region::domain(&p.decls.dims);
        let inside = match s {
            Stmt::When { every: n, body } if every == 1 => {
                return body.iter().try_for_each(|s| self.add(p, s, *n));
            }
            Stmt::Nest { source, outer } => {
                if p.uses_tiles(outer) {
                    return Err("stages of a step stay in the cache already".into());
                }
                let (outer, bounds) = nest(p, outer).ok_or("points of a loop depend on each other")?;
                region = bounds;
                Stmt::Nest { source: source.clone(), outer }
            }
            Stmt::Inject { table, .. } | Stmt::Interpolate { table, .. } => {
                if p.decls.table(*table).moving {
                    return Err("sparse points move".into());
                }
                if reads_around(p, s) {
                    return Err("an injection reads around itself".into());
                }
                s.clone()
            }
            Stmt::Compress { ticket, store, time, slice, rows, source } => {
                let mut slice = *slice;
                if !matches!(p.decls.field(slice.field).kind, FieldKind::Ring { .. }) {
                    let (ring, copy) = copied(p, *store, *time, slice);
                    self.add(p, &copy, every)?;
                    slice = Slice { field: ring, time: *time };
                }
                self.compressing.push(*ticket);
                self.rings.push((slice.field, p.decls.field(*store).every()));
                let (ticket, store, time, rows, source) = (*ticket, *store, *time, *rows, source.clone());
                push_guarded(
                    &mut self.after,
                    every,
                    Stmt::Compress { ticket, store, time, slice, rows, source },
                );
                return Ok(());
            }
            Stmt::Decompress { store, slice, .. } => {
                self.rings.push((slice.field, p.decls.field(*store).every()));
                push_guarded(&mut self.before, every, s.clone());
                return Ok(());
            }
            Stmt::Wait(ticket) => {
                let list = if self.compressing.contains(ticket) { &mut self.after } else { &mut self.before };
                push_guarded(list, every, s.clone());
                return Ok(());
            }
            Stmt::Reduce { .. } => return Err("a step is reduced to one number".into()),
            _ => return Err("a step has parts that act on whole fields".into()),
        };
        let mut body = Vec::new();
        push_guarded(&mut body, every, inside);
        let cut = |all: [i64; 3], else_: i64| [all[0], if p.decls.rank() == 3 { all[1] } else { else_ }];
        let (from, to) = (cut(region.from, 0), cut(region.to, 1));
        self.parts.push(Stmt::Lagged { lag: Lag::default(), from, to, body });
        Ok(())
    }
}

/// A ring for the slices of a function, and the nest that copies to it what is compressed where it lies.
fn copied(p: &mut Program, store: FieldId, time: i32, from: Slice) -> (FieldId, Stmt) {
    let field = p.decls.field(store);
    let layout = Layout::new(&p.decls.stored_shape(field), 0, field.dtype.size());
    let ring = Field {
        name: p.decls.fresh_name(&format!("{}_slices", field.name)),
        kind: FieldKind::Ring { slots: 1, every: field.every(), of: store },
        halo: 0,
        tight: false,
        by_rows: false,
        layout: Some(layout),
        ..field.clone()
    };
    let ring = p.decls.add_field(ring);
    let value = p.exprs.load(Access::here(from.field, from.time));
    let copy = Stmt::Assign { target: Access::here(ring, time), value, increment: false };
    let outer = nest_over(vec![copy], &compress::stored_region(&p.decls, store), false, &p.decls);
    (ring, Stmt::Nest { source: vec![], outer })
}

/// `before`: the program without slices of a group, where it is another one.
fn plan(
    p: &mut Program,
    before: Option<&Program>,
    machine: &Machine,
    steps: Option<usize>,
    alike: &[String],
) -> Result<(Front, Group), String> {
    let rank = p.decls.rank();
    let Some(Stmt::Time { body, .. }) = p.body.iter().find(|s| matches!(s, Stmt::Time { .. })) else {
        return Err("there is no time loop".into());
    };
    if rank < 2 {
        return Err("a grid of one dimension has too few points".into());
    }
    if steps == Some(1) {
        return Err("as is asked for".into());
    }
    let step = match body.as_slice() {
        [Stmt::First(_), step @ ..] | step => step.to_vec(),
    };
    let mut group = Group::default();
    for s in &step {
        group.add(p, s, 1)?;
    }
    let loops = |s: &Stmt| s.body().iter().any(|s| matches!(s, Stmt::Nest { .. } | Stmt::When { .. }));
    if !group.parts.iter().any(loops) {
        return Err("a step has no loops".into());
    }
    // Planes may be done by twos.
    let (lags, period) = lags(p, &group.parts, if rank == 3 { 2 } else { 1 });
    for (part, own) in group.parts.iter_mut().zip(lags) {
        if let Stmt::Lagged { lag, .. } = part {
            *lag = own;
        }
    }
    let few = few_rows(p, alike);
    let rows = |id: FieldId| if few.contains(&id) { 0.0 } else { 1.0 };
    let one_by_one = || {
        let p = in_parts(before.unwrap_or(p).clone());
        let effects = p.body.iter().map(|s| effects(&p, s)).sum::<f64>();
        cost_of_rows(&join(p, machine), &rows).bytes + effects
    };
    let front = choose(p, &group, period, one_by_one, &rows, machine, steps)?;
    Ok((front, group))
}

/// Bytes per point and step of what is compressed and decompressed as a whole: each value moves once more.
fn effects(p: &Program, s: &Stmt) -> f64 {
    match s {
        Stmt::Compress { slice, rows: 0, .. } | Stmt::Decompress { slice, rows: 0, .. } => {
            p.decls.field(slice.field).level_bytes()
        }
        Stmt::First(_) => 0.0,
        Stmt::When { every, body } => body.iter().map(|s| effects(p, s)).sum::<f64>() / *every as f64,
        s => s.body().iter().map(|s| effects(p, s)).sum(),
    }
}

/// A nest over the points of a tile, and its bounds.
fn nest(p: &Program, outer: &Loop) -> Option<(Loop, Region)> {
    let LoopForm::Tiles { from, to, parallel: true, .. } = outer.form else { return None };
    let [Stmt::Loop(inner)] = outer.body.as_slice() else { return None };
    let tile = LoopForm::Tile { before: 0, after: 0, simd: false };
    let mut bounds = Region::domain(&p.decls.dims);
    (bounds.from[outer.dim], bounds.to[outer.dim]) = (from, to);
    let mut inner = inner.clone();
    if p.decls.rank() == 3 {
        let LoopForm::Points { from, to, simd: false } = inner.form else { return None };
        (bounds.from[0], bounds.to[0]) = (from, to);
        inner.form = tile;
        let [Stmt::Loop(rows)] = inner.body.as_slice() else { return None };
        if outer.dim != 1 || rows.form != tile {
            return None;
        }
    }
    let mut points = true;
    inner.body.iter().for_each(|s| {
        s.visit(&mut |s| points &= matches!(s, Stmt::Loop(_) | Stmt::Let { .. } | Stmt::Assign { .. }));
    });
    (points && inner.dim == 0 && inner.form == tile).then_some((inner, bounds))
}

/// The shape that moves the least memory: `one_by_one` are the bytes per point and step of single steps.
fn choose(
    p: &Program,
    group: &Group,
    period: Lag,
    one_by_one: impl Fn() -> f64,
    rows: &dyn Fn(FieldId) -> f64,
    machine: &Machine,
    steps: Option<usize>,
) -> Result<Front, String> {
    let (rank, parts, most_steps) = (p.decls.rank(), group.parts.as_slice(), group.most_steps());
    let shared = Front::bounds(parts, Front::shared(rank));
    let block = usize::try_from(shared.1 - shared.0).unwrap_or(0).div_ceil(machine.threads.max(1)).max(1);
    let shape = |steps, strip, chunk| Front { steps, period, block, strip, chunk };
    let width = |front: &Front| {
        let reach = front.reach(front.steps, parts);
        usize::try_from(reach.ahead + reach.back).unwrap_or(usize::MAX)
    };
    let fits = |front: &Front| front.blocks(parts, rank) == 1 || width(front) <= block;
    let strips: &[usize] = if rank == 3 { &STRIPS } else { &[1] };
    if let Some(steps) = steps.map(|steps| steps.min(most_steps)) {
        let asked = shape(steps, strips[0], CHUNKS[2]);
        return Ok(Front { block: block.max(width(&asked)), ..asked });
    }
    if footprint(p, parts, &|_| 1.0) * p.decls.points() as f64 <= 2.0 * machine.caches() as f64 {
        return Err("the fields stay in the caches".into());
    }
    let footprint = footprint(p, parts, rows);
    let mut best: Option<(f64, Front)> = None;
    let narrow = STEPS.iter().all(|steps| *steps < 2 || !fits(&shape(*steps, strips[0], CHUNKS[2])));
    let effects = group.before.iter().chain(&group.after).map(|s| effects(p, s)).sum::<f64>();
    for steps in STEPS.into_iter().filter(|steps| *steps <= most_steps) {
        let bytes = front_bytes(p, parts, steps, rows);
        for strip in strips {
            let fitting = CHUNKS.iter().map(|chunk| shape(steps, *strip, *chunk));
            let Some(front) = fitting
                .filter(|front| {
                    fits(front) && under_way(p, parts, front, footprint) <= CACHE_PART * machine.cache as f64
                })
                .max_by_key(|front| front.chunk)
            else {
                continue;
            };
            let moved = bytes * (1.0 + again(rank, parts, &front)) + effects;
            if best.is_none_or(|(least, _)| moved < least) {
                best = Some((moved, front));
            }
        }
    }
    match best {
        Some((moved, front)) if moved <= GAIN * one_by_one() => Ok(front),
        _ if narrow => Err("the blocks of so many threads are too narrow".into()),
        Some(_) => Err("several steps at a time would move as much memory".into()),
        None => Err("the planes of several steps do not stay in the cache".into()),
    }
}

/// Bytes of the planes of a strip that all steps of a group are at.
fn under_way(p: &Program, parts: &[Stmt], front: &Front, footprint: f64) -> f64 {
    let rank = p.decls.rank();
    // What a point reads on both sides.
    let around = front.period.ahead + front.period.back;
    let reach = front.reach(front.steps, parts).ahead;
    let planes = (front.chunk as i64 + reach + around) as f64;
    let rows = if rank == 3 { (front.strip as i64 + reach + around) as f64 } else { 1.0 };
    planes * rows * p.decls.dims[rank - 1].size as f64 * footprint
}

/// What strips fetch again from their neighbours, as a part of what they move.
fn again(rank: usize, parts: &[Stmt], front: &Front) -> f64 {
    match rank {
        3 => (front.reach(front.steps, parts).ahead + front.period.back) as f64 / front.strip as f64,
        _ => 0.0,
    }
}
