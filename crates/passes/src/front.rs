//! `front`: several steps at a time, so that what one leaves in the caches is there for the next.
//!
//! ```text
//! time { parallel tiles y { for x { .. } } }   ->   time { front of 4 steps .. { lag 0 { for x in tile { for y in tile { .. } } } } }
//! ```
//! Steps need not end everywhere before the next begins: a stencil reaches a bounded way. What follows what at which distance is
//! read off the accesses ([`lags`]); the order of a front is that of [`Front`]. Steps are taken together when that moves clearly
//! less memory, counted as the fields of all parts once for the group, with what neighbouring strips fetch again, as long as the
//! planes under way stay in a second-level cache. Results do not depend on it.

use crate::nests::by_planes;
use crate::{Machine, join};
use wavefold_ir::Region;
use wavefold_ir::tree::{
    Front, Lag, Loop, LoopForm, Program, Stmt, cost, footprint, front_bytes, lags, reads_around,
};

/// Largest part of the second-level cache for the planes under way.
const CACHE_PART: f64 = 0.85;
/// Most memory that a front may move, as a part of what single steps move.
const GAIN: f64 = 0.8;
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
/// `steps` are those that are asked for at a time; without, the compiler chooses.
pub fn front(mut p: Program, machine: &Machine, steps: Option<usize>) -> (Program, Option<String>) {
    match plan(&p, machine, steps) {
        Ok((front, parts)) => {
            for s in &mut p.body {
                if let Stmt::Time { body, .. } = s {
                    body.retain(|s| matches!(s, Stmt::First(_)));
                    body.push(Stmt::Front { front, body: parts });
                    break;
                }
            }
            by_planes(&mut p);
            (p, None)
        }
        Err(why) => (p, Some(why)),
    }
}

fn plan(p: &Program, machine: &Machine, steps: Option<usize>) -> Result<(Front, Vec<Stmt>), String> {
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
        [Stmt::First(_), step @ ..] | step => step,
    };
    let mut parts = Vec::new();
    for s in step {
        part(p, s, None, &mut parts)?;
    }
    if !parts.iter().any(|s| s.body().iter().any(|s| matches!(s, Stmt::Nest { .. } | Stmt::When { .. }))) {
        return Err("a step has no loops".into());
    }
    // Planes may be done by twos.
    let (lags, period) = lags(p, &parts, if rank == 3 { 2 } else { 1 });
    for (part, own) in parts.iter_mut().zip(lags) {
        if let Stmt::Lagged { lag, .. } = part {
            *lag = own;
        }
    }
    let front = choose(p, &parts, period, machine, steps)?;
    Ok((front, parts))
}

/// The parts that a statement of a step becomes.
fn part(p: &Program, s: &Stmt, every: Option<usize>, parts: &mut Vec<Stmt>) -> Result<(), String> {
    let mut region = Region::domain(&p.decls.dims);
    let inside = match s {
        Stmt::When { every: n, body } if every.is_none() => {
            return body.iter().try_for_each(|s| part(p, s, Some(*n), parts));
        }
        Stmt::Nest { source, outer } => {
            if p.uses_tiles(outer) {
                return Err("stages of a step stay in the cache already".into());
            }
            let (outer, bounds) =
                nest(p, outer).ok_or("points of a loop depend on each other, or codecs work inside")?;
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
        Stmt::Compress { store, .. } | Stmt::Decompress { store, .. } => {
            return Err(format!("`{}` is compressed", p.decls.field(*store).name));
        }
        Stmt::Reduce { .. } => return Err("a step is reduced to one number".into()),
        _ => return Err("a step has parts that act on whole fields".into()),
    };
    let body = vec![match every {
        Some(every) => Stmt::When { every, body: vec![inside] },
        None => inside,
    }];
    let cut = |all: [i64; 3], else_: i64| [all[0], if p.decls.rank() == 3 { all[1] } else { else_ }];
    let (from, to) = (cut(region.from, 0), cut(region.to, 1));
    parts.push(Stmt::Lagged { lag: Lag::default(), from, to, body });
    Ok(())
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

/// The shape that moves the least memory.
fn choose(
    p: &Program,
    parts: &[Stmt],
    period: Lag,
    machine: &Machine,
    steps: Option<usize>,
) -> Result<Front, String> {
    let rank = p.decls.rank();
    let shared = Front::bounds(parts, Front::shared(rank));
    let block = usize::try_from(shared.1 - shared.0).unwrap_or(0).div_ceil(machine.threads.max(1)).max(1);
    let shape = |steps, strip, chunk| Front { steps, period, block, strip, chunk };
    let width = |front: &Front| {
        let reach = front.reach(front.steps, parts);
        usize::try_from(reach.ahead + reach.back).unwrap_or(usize::MAX)
    };
    let fits = |front: &Front| front.blocks(parts, rank) == 1 || width(front) <= block;
    let strips: &[usize] = if rank == 3 { &STRIPS } else { &[1] };
    if let Some(steps) = steps.map(|steps| steps.min(MOST_STEPS)) {
        let asked = shape(steps, strips[0], CHUNKS[2]);
        return Ok(Front { block: block.max(width(&asked)), ..asked });
    }
    let footprint = footprint(p, parts);
    if footprint * p.decls.points() as f64 <= 2.0 * machine.caches() as f64 {
        return Err("the fields stay in the caches".into());
    }
    let mut best: Option<(f64, Front)> = None;
    let narrow = STEPS.iter().all(|steps| *steps < 2 || !fits(&shape(*steps, strips[0], CHUNKS[2])));
    for steps in STEPS {
        let bytes = front_bytes(p, parts, steps);
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
            let moved = bytes * (1.0 + again(rank, parts, &front));
            if best.is_none_or(|(least, _)| moved < least) {
                best = Some((moved, front));
            }
        }
    }
    match best {
        Some((moved, front)) if moved <= GAIN * cost(&join(p.clone(), machine)).bytes => Ok(front),
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
