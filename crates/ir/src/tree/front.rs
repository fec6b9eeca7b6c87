//! Several steps at a time: the order in which a front does the parts of its steps.
//!
//! A stencil reaches a bounded way, so that a point may be several steps ahead of others that are far enough behind. A front
//! goes through the domain once for several steps, and data that one step leaves in the cache is there for the next ("time
//! skewing", Wonnacott, 2000). Along every dimension that is cut, a part with lag `l` is done for the points of the tile minus
//! `l`, so that what it reads is done, and what it overwrites is not read any more.
//!
//! Threads share the domain in blocks, which shrink from step to step where another begins; the gaps are filled when all are
//! done ("split tiling", Krishnamoorthy and others, 2007).

use super::{Program, Stmt};
use crate::{Access, Direction, Expr, FieldId, FieldKind, SparseId};

/// How far something stays behind what comes before it, in points: where the points that it needs lie ahead, in the direction
/// in which tiles follow each other, and where they lie back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lag {
    /// Behind what lies ahead.
    pub ahead: i64,
    /// Behind what lies back: at the low edge of a block.
    pub back: i64,
}

impl Lag {
    /// The larger of two, in both directions.
    #[must_use]
    pub fn max(self, other: Lag) -> Lag {
        Lag { ahead: self.ahead.max(other.ahead), back: self.back.max(other.back) }
    }

    /// `self + n other`.
    #[must_use]
    pub fn plus(self, n: i64, other: Lag) -> Lag {
        let sum = |a: i64, b: i64| a.saturating_add(n.saturating_mul(b));
        Lag { ahead: sum(self.ahead, other.ahead), back: sum(self.back, other.back) }
    }

    /// Whether it is no less than another, in both directions.
    #[must_use]
    pub fn covers(self, other: Lag) -> bool {
        self.max(other) == self
    }
}

/// The shape of a front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Front {
    /// Most steps at a time.
    pub steps: usize,
    /// Lag of a step behind the one before.
    pub period: Lag,
    /// Points of a block along the dimension that threads share: y in three dimensions, x in two.
    pub block: usize,
    /// Rows of y that a thread does at a time, in three dimensions; otherwise 1.
    pub strip: usize,
    /// Planes of x that it does at a time.
    pub chunk: usize,
}

/// What is done next: a part of a step, for some points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tile {
    /// Steps after the first of the group.
    pub step: usize,
    /// Position of the part.
    pub part: usize,
    /// First points, and those after the last, along x, and y in three dimensions.
    pub range: [(i64, i64); 2],
}

impl Front {
    /// The dimension that threads share.
    pub fn shared(rank: usize) -> usize {
        if rank == 3 { 1 } else { 0 }
    }

    /// How far the last part of the last of `steps` steps may be behind the first of the first.
    pub fn reach(&self, steps: usize, parts: &[Stmt]) -> Lag {
        let lag = |s: &Stmt| if let Stmt::Lagged { lag, .. } = s { *lag } else { Lag::default() };
        parts.iter().map(lag).fold(Lag::default(), Lag::max).plus(steps as i64 - 1, self.period)
    }

    /// Bounds of all parts along a dimension that is cut.
    pub fn bounds(parts: &[Stmt], dim: usize) -> (i64, i64) {
        let ranges = parts.iter().filter_map(|s| match s {
            Stmt::Lagged { from, to, .. } => Some((from[dim], to[dim])),
            _ => None,
        });
        ranges.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))).unwrap_or((0, 0))
    }

    /// Number of blocks.
    pub fn blocks(&self, parts: &[Stmt], rank: usize) -> i64 {
        let (from, to) = Front::bounds(parts, Front::shared(rank));
        let points = to.saturating_sub(from).max(0) as u64;
        points.div_ceil(self.block.max(1) as u64).max(1) as i64
    }

    /// Everything that a group of `steps` steps does: in the first list blocks one after the other, in the second the gaps
    /// between them.
    pub fn order(&self, steps: usize, parts: &[Stmt], rank: usize) -> [Vec<Tile>; 2] {
        let (start, end) = Front::bounds(parts, Front::shared(rank));
        let (reach, blocks) = (self.reach(steps, parts), self.blocks(parts, rank));
        let mut order = [vec![], vec![]];
        let edge = |block: i64| start + block * self.block as i64;
        for b in 0..blocks {
            let low = (b > 0).then(|| Edge { at: edge(b), gap: false });
            let high = (b + 1 < blocks).then(|| Edge { at: edge(b + 1), gap: false });
            let to = high.map_or(end + reach.ahead, |high| high.at);
            self.fill(&mut order[0], (edge(b), to), (low, high), (steps, parts), rank);
        }
        for b in 1..blocks {
            let at = Some(Edge { at: edge(b), gap: true });
            self.fill(
                &mut order[1],
                (edge(b), edge(b) + reach.ahead + reach.back),
                (at, at),
                (steps, parts),
                rank,
            );
        }
        order
    }

    /// The tiles of a block, or of the gap between two.
    fn fill(
        &self,
        tiles: &mut Vec<Tile>,
        (from, to): (i64, i64),
        (low, high): (Option<Edge>, Option<Edge>),
        (steps, parts): (usize, &[Stmt]),
        rank: usize,
    ) {
        let shared = Front::shared(rank);
        let (x, y) = if shared == 0 {
            ((from, to), (0, 1))
        } else {
            let (start, end) = Front::bounds(parts, 0);
            ((start, end + self.reach(steps, parts).ahead), (from, to))
        };
        let (strip, chunk) = (self.strip.max(1) as i64, self.chunk.max(1) as i64);
        let points = |range: (i64, i64), size: i64| {
            (range.0..range.1).step_by(size as usize).map(move |at| (at, (at + size).min(range.1)))
        };
        for strip in points(y, strip) {
            for chunk in points(x, chunk) {
                for step in 0..steps {
                    for (part, s) in parts.iter().enumerate() {
                        let Stmt::Lagged { lag, from, to, .. } = s else { continue };
                        let lag = lag.plus(step as i64, self.period);
                        let cut = |dim: usize, points: (i64, i64)| {
                            let (mut first, mut last) =
                                (from[dim].max(points.0 - lag.ahead), to[dim].min(points.1 - lag.ahead));
                            if dim == shared {
                                first = low.map_or(first, |edge| first.max(edge.low(lag)));
                                last = high.map_or(last, |edge| last.min(edge.high(lag)));
                            }
                            (first, last)
                        };
                        let y = if shared == 1 { cut(1, strip) } else { (0, 1) };
                        let range = [cut(0, chunk), y];
                        if range.iter().all(|(first, last)| first < last) {
                            tiles.push(Tile { step, part, range });
                        }
                    }
                }
            }
        }
    }
}

/// Where two blocks meet.
#[derive(Clone, Copy)]
struct Edge {
    at: i64,
    /// Whether the gap is meant, between the ends of two blocks.
    gap: bool,
}

impl Edge {
    /// The first point above it.
    fn low(self, lag: Lag) -> i64 {
        if self.gap { self.at - lag.ahead } else { self.at + lag.back }
    }

    /// The point after the last below it.
    fn high(self, lag: Lag) -> i64 {
        if self.gap { self.at + lag.back } else { self.at - lag.ahead }
    }
}

/// What a part of a step touches: memory, and how far from its point, at the least and at the most, along x and y.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Memory {
    Field(FieldId),
    Points(SparseId),
}

struct Touch {
    memory: Memory,
    time: i32,
    write: bool,
    low: [i32; 2],
    high: [i32; 2],
}

/// Steps from which on all levels of a field count as one: what is far enough apart then is so for more steps, too.
const FAR: i64 = 8;

/// What the parts of a step touch.
struct Touches<'a> {
    program: &'a Program,
    parts: Vec<Vec<Touch>>,
}

impl<'a> Touches<'a> {
    fn of(program: &'a Program, parts: &[Stmt]) -> Touches<'a> {
        Touches { program, parts: parts.iter().map(|part| touches(program, part)).collect() }
    }

    /// How far a part must stay behind another, which is done in the same step before it, or `steps` steps earlier: as far as
    /// they reach for the same memory along the dimensions that a front cuts. `None` where they have no memory in common that
    /// one of them writes.
    fn apart(&self, first: usize, second: usize, steps: i64) -> Option<Lag> {
        let cut = Front::shared(self.program.decls.rank()) + 1;
        let mut lag = None;
        for a in &self.parts[first] {
            for b in self.parts[second].iter().filter(|b| self.meet(a, b, steps)) {
                for d in 0..cut {
                    let (ahead, back) = (b.high[d] - a.low[d], a.high[d] - b.low[d]);
                    let this = Lag { ahead: ahead.max(0).into(), back: back.max(0).into() };
                    lag = Some(lag.map_or(this, |lag: Lag| lag.max(this)));
                }
            }
        }
        lag
    }

    /// Whether two touches are of the same memory, and one of them changes it. Levels of a field that is kept in turn may share
    /// memory when they are as far apart as there are levels in memory.
    fn meet(&self, a: &Touch, b: &Touch, steps: i64) -> bool {
        if a.memory != b.memory || !(a.write || b.write) {
            return false;
        }
        let Memory::Field(id) = a.memory else { return true };
        let later = match self.program.time() {
            Some((Direction::Descending, _)) => -steps,
            _ => steps,
        };
        let apart = (i64::from(b.time) + later - i64::from(a.time)).abs();
        let field = self.program.decls.field(id);
        match field.kind {
            _ if steps >= FAR => true,
            FieldKind::Buffered { .. } => apart == 0 || apart >= field.levels() as i64,
            FieldKind::Saved { every: 1, .. } => apart == 0,
            _ => true,
        }
    }
}

/// The lags of parts whose lags are a multiple of `unit` ahead, as short as their order allows, and that of a step.
pub fn lags(p: &Program, parts: &[Stmt], unit: i64) -> (Vec<Lag>, Lag) {
    let touches = Touches::of(p, parts);
    let round = |lag: Lag| Lag { ahead: (lag.ahead + unit - 1) / unit * unit, ..lag };
    let mut lags: Vec<Lag> = Vec::new();
    for i in 0..parts.len() {
        let needed = (0..i).filter_map(|j| Some(lags[j].plus(1, touches.apart(j, i, 0)?)));
        lags.push(round(needed.fold(Lag::default(), Lag::max)));
    }
    let mut period = Lag::default();
    for (first, before) in lags.iter().enumerate() {
        for (second, lag) in lags.iter().enumerate() {
            for steps in 1..=FAR {
                let Some(apart) = touches.apart(first, second, steps) else { continue };
                let needed = before.plus(1, apart).plus(-1, *lag);
                let share = |n: i64| n.max(0).unsigned_abs().div_ceil(steps.unsigned_abs()) as i64;
                period = period.max(Lag { ahead: share(needed.ahead), back: share(needed.back) });
            }
        }
    }
    (lags, round(period))
}

/// How far a statement of a step must stay behind an earlier one of the same step; `None` where they have no memory in common
/// that one of them writes.
pub fn apart(p: &Program, first: &Stmt, second: &Stmt) -> Option<Lag> {
    let parts = vec![touches(p, first), touches(p, second)];
    Touches { program: p, parts }.apart(0, 1, 0)
}

/// Whether parts with these lags keep the order of the program wherever they meet in memory.
pub(super) fn in_order(p: &Program, parts: &[Stmt], period: Lag) -> bool {
    let touches = Touches::of(p, parts);
    let lag = |part: usize| if let Stmt::Lagged { lag, .. } = &parts[part] { *lag } else { Lag::default() };
    (0..=FAR).all(|steps| {
        (0..parts.len()).all(|first| {
            let from = if steps == 0 { first + 1 } else { 0 };
            (from..parts.len()).all(|second| {
                let apart = touches.apart(first, second, steps);
                apart.is_none_or(|apart| lag(second).plus(steps, period).covers(lag(first).plus(1, apart)))
            })
        })
    })
}

fn touches(p: &Program, part: &Stmt) -> Vec<Touch> {
    let mut all: Vec<Touch> = Vec::new();
    let mut planes = 1;
    let mut visit = |s: &Stmt| {
        if let Stmt::Nest { outer: l, .. } | Stmt::Loop(l) = s
            && l.dim == 0
        {
            planes = planes.max(l.step as i32);
        }
        // The point of a sample is the first of its corners.
        let wide = match s {
            Stmt::Interpolate { table, .. } => width(p.decls.table(*table).corners, p.decls.rank()) - 1,
            _ => 0,
        };
        // The first corner of a point differs between tables of values that lie half a spacing up, and others.
        let around = |id: SparseId| {
            let mut halves = p.decls.tables.iter().filter(|t| t.sparse == id).map(|t| t.half);
            let first = halves.next();
            i32::from(halves.any(|half| Some(half) != first))
        };
        let mut touch =
            |memory: Memory, time: i32, write: bool, [x, y]: [i32; 2], [before, after]: [i32; 2]| {
                let low = [x.saturating_sub(before), y.saturating_sub(before)];
                let high = [x.saturating_add(after), y.saturating_add(after)];
                match all.iter_mut().find(|t| (t.memory, t.time, t.write) == (memory, time, write)) {
                    Some(t) => {
                        t.low = std::array::from_fn(|d| t.low[d].min(low[d]));
                        t.high = std::array::from_fn(|d| t.high[d].max(high[d]));
                    }
                    None => all.push(Touch { memory, time, write, low, high }),
                }
            };
        let at = |a: &Access| [a.offsets[0], a.offsets[1]];
        if let Stmt::Assign { target, .. } | Stmt::Inject { target, .. } = s {
            touch(Memory::Field(target.field), target.time, true, at(target), [0, wide]);
        }
        if let Stmt::Part { slice, decode, .. } = s {
            touch(Memory::Field(slice.field), slice.time, *decode, [0; 2], [0; 2]);
        }
        if let Stmt::Interpolate { sparse, .. } = s {
            touch(Memory::Points(*sparse), 0, true, [0; 2], [around(*sparse); 2]);
        }
        if let Some(value) = s.value() {
            p.exprs.visit(value, &mut |_, e| match e {
                Expr::Load(a) => touch(Memory::Field(a.field), a.time, false, at(a), [0, wide]),
                // Injected is each corner at its own place, up to so far behind the first.
                Expr::Sparse(id, _) => {
                    let corners = match s {
                        Stmt::Inject { table, .. } => {
                            width(p.decls.table(*table).corners, p.decls.rank()) - 1
                        }
                        _ => 0,
                    };
                    touch(Memory::Points(*id), 0, false, [0; 2], [around(*id) + corners, around(*id)]);
                }
                _ => {}
            });
        }
    };
    part.visit(&mut visit);
    // A body that does several planes holds the statements of the last one that many planes farther.
    all.iter_mut().for_each(|t| t.high[0] = (t.high[0] - (planes - 1)).max(t.low[0]));
    all
}

/// Corners along a dimension.
fn width(corners: usize, rank: usize) -> i32 {
    (1..).find(|n: &i32| (*n as usize).pow(rank as u32) >= corners).unwrap_or(1)
}

/// Whether an injection reads what it changes at other points: then its points depend on each other.
pub fn reads_around(p: &Program, s: &Stmt) -> bool {
    let Stmt::Inject { target, value, .. } = s else { return false };
    p.exprs.loads(*value).iter().any(|a| a.field == target.field && a.offsets != target.offsets)
}

impl Program {
    /// The front of the time loop, with the parts of a step.
    pub fn front(&self) -> Option<(Front, &[Stmt])> {
        self.body.iter().flat_map(Stmt::body).find_map(|s| match s {
            Stmt::Front { front, body } => Some((*front, body.as_slice())),
            _ => None,
        })
    }
}
