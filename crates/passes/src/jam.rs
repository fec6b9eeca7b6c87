//! `jam`: two planes at a time, where they share much of what they read.
//!
//! ```text
//! for x { for y { simd z { u[..] = f(x) } } }   ->   for x by 2 { for y { simd z { u[..] = f(x); u[..] = f(x + 1) } } }
//! ```
//! The planes of a stencil along the slowest dimension come from the second-level cache: a plane that two points of the body
//! read is fetched once for both ("unroll and jam", Callahan, Carr and Kennedy, 1990). The points of these loops do not depend
//! on each other, so their order is free, and each is computed as before.

use crate::nests::nests;
use crate::planes::Shift;
use std::collections::HashSet;
use wavefold_ir::tree::{Front, Loop, LoopForm, Program, Stmt};
use wavefold_ir::{Access, Arena, LocalId};

/// Planes at a time.
const PLANES: usize = 2;
/// Least part of the loads that must be saved.
const GAIN: f64 = 0.1;
/// Most values that two planes may read: with more, addresses no longer fit into registers, and the gain is lost. Where there
/// are few levels, rows are found from the current one of each.
const MOST_LOADS: usize = 72;
const MOST_LOADS_OF_FEW: usize = 100;
/// Levels of fields that are few.
const FEW_LEVELS: usize = 6;

/// Jams every nest that gains by it.
pub fn jam(mut p: Program) -> Program {
    // In two dimensions the planes are rows, which stay in the first-level cache by themselves.
    if p.decls.rank() == 3 {
        let mut jam = Jam { next: p.next_local(), exprs: &mut p.exprs };
        nests(&mut p.body, &mut |outer| jam.nest(outer));
        jam.fronts(&mut p.body);
    }
    p
}

struct Jam<'a> {
    exprs: &'a mut Arena,
    /// Names from here on are free.
    next: LocalId,
}

impl Jam<'_> {
    /// Nests of fronts, where tiles and lags are whole rounds.
    fn fronts(&mut self, body: &mut [Stmt]) {
        for s in body {
            match s {
                Stmt::Time { body, .. } => self.fronts(body),
                Stmt::Front { front, body } => {
                    let even = |n: i64| n % PLANES as i64 == 0;
                    let first = Front::bounds(body, 0).0;
                    for s in body {
                        let Stmt::Lagged { lag, from, to, body } = s else { continue };
                        let whole = even(front.chunk as i64) && even(front.period.ahead) && even(lag.ahead);
                        if whole && even(to[0] - from[0]) && even(from[0] - first) {
                            self.tiles(body);
                        }
                    }
                }
                _ => {}
            }
        }
    }

    /// Loops over the planes of tiles that are whole rounds.
    fn tiles(&mut self, body: &mut [Stmt]) {
        for s in body {
            match s {
                Stmt::When { body, .. } => self.tiles(body),
                Stmt::Nest { outer: x, .. } | Stmt::Loop(x)
                    if x.form == (LoopForm::Tile { before: 0, after: 0, simd: false }) =>
                {
                    if let Some(jammed) = self.jammed(x) {
                        (x.step, x.body) = (PLANES, jammed);
                    }
                }
                _ => {}
            }
        }
    }

    /// The loop over x lies inside strips of y; where codecs work on parts, and where nests share tiles, inside tiles of x
    /// inside these.
    fn nest(&mut self, outer: &mut Loop) {
        if let [Stmt::Loop(x @ Loop { dim: 0, form: LoopForm::Tiles { .. }, .. })] = outer.body.as_slice() {
            outer.body = self.tiled(x.clone()).into_iter().map(Stmt::Loop).collect();
            return;
        }
        let strips = matches!(outer.form, LoopForm::Tiles { .. });
        let [Stmt::Loop(x)] = outer.body.as_slice() else { return };
        let LoopForm::Points { from, to, simd: false } = x.form else { return };
        let even = to - (to - from) % PLANES as i64;
        if !strips || x.dim != 0 || even <= from {
            return;
        }
        let Some(body) = self.jammed(x) else { return };
        let form = |from, to| LoopForm::Points { from, to, simd: false };
        let rest = Loop { form: form(even, to), ..x.clone() };
        outer.body = vec![Stmt::Loop(Loop { dim: 0, form: form(from, even), step: PLANES, body })];
        if even < to {
            outer.body.push(Stmt::Loop(rest));
        }
    }

    /// Tiles of whole rounds, and the last one by itself where it is none.
    fn tiled(&mut self, mut x: Loop) -> Vec<Loop> {
        let LoopForm::Tiles { from, to, size, parallel } = x.form else { return vec![x] };
        let planes = to.saturating_sub(from).max(0);
        if !size.is_multiple_of(PLANES) || planes < PLANES as i64 {
            return vec![x];
        }
        if planes % PLANES as i64 == 0 {
            self.tiles(&mut x.body);
            return vec![x];
        }
        let end = to - planes % size as i64;
        let form = |from, to| LoopForm::Tiles { from, to, size, parallel };
        let last = Loop { form: form(end, to), ..x.clone() };
        if end == from {
            return vec![last];
        }
        self.tiles(&mut x.body);
        if x.body == last.body {
            return vec![x];
        }
        x.form = form(from, end);
        vec![x, last]
    }

    /// The body of a loop over x for two planes, if that saves enough.
    fn jammed(&mut self, x: &Loop) -> Option<Vec<Stmt>> {
        let mut body = x.body.clone();
        let row = innermost(&mut body)?;
        let second = self.next(row)?;
        let (one, both) = (self.loads(row.iter()).len(), self.loads(row.iter().chain(&second)));
        let levels: HashSet<_> = both.iter().map(|a| (a.field, a.time)).collect();
        let most = if levels.len() > FEW_LEVELS { MOST_LOADS } else { MOST_LOADS_OF_FEW };
        if both.len() > most || both.len() as f64 > 2.0 * (1.0 - GAIN) * one as f64 {
            return None;
        }
        row.extend(second);
        Some(body)
    }

    fn loads<'a>(&self, row: impl Iterator<Item = &'a Stmt>) -> HashSet<Access> {
        let mut all = HashSet::new();
        for value in row.filter_map(Stmt::value) {
            all.extend(self.exprs.loads(value));
        }
        all
    }

    /// The statements at the next plane, under other names; `None` if they ask where they are.
    fn next(&mut self, row: &[Stmt]) -> Option<Vec<Stmt>> {
        let mut shift = Shift::by(1, self.exprs);
        let mut statement = |s: &Stmt| {
            let value = shift.expression(s.value()?)?;
            Some(match s {
                Stmt::Let { local, .. } => {
                    let fresh = self.next;
                    self.next = LocalId(fresh.0 + 1);
                    shift.names.insert(*local, fresh);
                    Stmt::Let { local: fresh, value }
                }
                Stmt::Assign { target, increment, .. } => {
                    Stmt::Assign { target: shift.access(*target), value, increment: *increment }
                }
                _ => return None,
            })
        };
        row.iter().map(&mut statement).collect()
    }
}

/// The point statements at the bottom of loops that hold nothing else.
fn innermost(body: &mut Vec<Stmt>) -> Option<&mut Vec<Stmt>> {
    if let [Stmt::Loop(_)] = body.as_slice() {
        return match &mut body[0] {
            Stmt::Loop(l) => innermost(&mut l.body),
            _ => None,
        };
    }
    let points = body.iter().all(|s| matches!(s, Stmt::Let { .. } | Stmt::Assign { .. }));
    points.then_some(body)
}
