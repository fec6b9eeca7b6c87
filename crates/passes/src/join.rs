//! `join`: nests of a step that may go through the domain together do so tile by tile, with what is injected between them.
//!
//! ```text
//! tiles y { for x { v[t-1] = .. v[t, x+1] .. } }           tiles y { tiles x { for x { v[t-1] = .. v[t, x+1] .. }
//! inject q -> v[t-1] += q[p]                         ->                        inject q -> v[t-1] += q[p]
//! tiles y { for x { w += v[t-1] } }                                            for x { w += v[t-1] } } }
//! ```
//! [`fuse`](crate::fuse) puts statements into one loop that nothing stands between. An adjoint wave is driven by what is
//! injected into it, and imaged afterwards, so three passes over memory would be made of it: the image finds what the step has
//! just left in the cache when they share tiles ("fusion after tiling"). It is allowed where statements meet in memory at
//! the same points only. What is decompressed as a whole is waited for before the tiles then. Fronts do it in their own way, so
//! this pass looks at what is done step by step.

use crate::Machine;
use crate::nests::by_planes;
use crate::schedule::{EDGE, strips_that, touched};
use wavefold_ir::tree::{Lag, Loop, LoopForm, Program, Stmt, apart, reads_around};
use wavefold_ir::{Access, FieldKind, TicketId};

/// Planes of a tile in three dimensions, unless codecs work on its parts.
const PLANES: usize = 4;
/// Fewest rows of a tile: a narrower one reads its edges too often.
const ROWS: usize = 8;
/// Largest part of the second-level cache for what a tile touches.
const CACHE_PART: f64 = 0.85;
/// An injection is looked up in every strip: at most once for so many points of the domain.
const POINTS: usize = 16;

/// Joins the nests of every step.
pub fn join(mut p: Program, machine: &Machine) -> Program {
    if p.decls.rank() < 2 {
        return p;
    }
    for s in std::mem::take(&mut p.body) {
        let done = match s {
            Stmt::Time { direction, slots, scalars, body } => {
                Stmt::Time { direction, slots, scalars, body: block(&p, body, machine) }
            }
            other => other,
        };
        p.body.push(done);
    }
    by_planes(&mut p);
    p
}

/// The statements of a step, those joined that may be.
fn block(p: &Program, step: Vec<Stmt>, machine: &Machine) -> Vec<Stmt> {
    let (mut out, mut filled): (Vec<Stmt>, Vec<TicketId>) = (Vec::new(), Vec::new());
    let mut rest: Vec<Option<Stmt>> = step.into_iter().map(Some).collect();
    for i in 0..rest.len() {
        let Some(first) = rest[i].take() else { continue };
        if let Stmt::Decompress { ticket, .. } = first {
            filled.push(ticket);
        }
        let group = Group::from(p, &first, &rest[i + 1..], &filled);
        match group.and_then(|group| Some((group.nest(p, machine)?, group.waits, group.at))) {
            Some((nest, waits, at)) => {
                out.extend(waits.into_iter().filter_map(|k| rest[i + 1 + k].take()));
                at.into_iter().for_each(|k| rest[i + 1 + k] = None);
                out.push(nest);
            }
            None => out.push(first),
        }
    }
    out
}

/// Statements that are done together.
struct Group<'a> {
    members: Vec<Member<'a>>,
    /// Where those after the first stood behind it.
    at: Vec<usize>,
    /// And where what they wait for.
    waits: Vec<usize>,
}

enum Member<'a> {
    Nest(Tiled<'a>),
    Inject(&'a Stmt),
}

impl<'a> Group<'a> {
    /// A nest, and all that may be done in its tiles; `filled` are the tickets of what is decompressed before.
    fn from(
        p: &Program,
        first: &'a Stmt,
        after: &'a [Option<Stmt>],
        filled: &[TicketId],
    ) -> Option<Group<'a>> {
        let tiles = Tiled::of(p, first)?;
        let mut group = Group { members: vec![Member::Nest(tiles)], at: vec![], waits: vec![] };
        let (mut together, mut passed): (Vec<&Stmt>, Vec<&Stmt>) = (vec![first], vec![]);
        // What is injected last is left where it is.
        let mut kept = 0;
        for (k, s) in after.iter().enumerate() {
            let Some(s) = s else { continue };
            let member = match s {
                Stmt::Nest { .. } => Tiled::of(p, s).map(Member::Nest),
                Stmt::Inject { .. } if group.takes(p, s) => Some(Member::Inject(s)),
                Stmt::Inject { .. } | Stmt::Interpolate { .. } => None,
                Stmt::Wait(ticket) if filled.contains(ticket) => {
                    group.waits.push(k);
                    continue;
                }
                // What acts on whole fields is not passed.
                _ => break,
            };
            let at_points = |other: &&Stmt| apart(p, other, s).is_none_or(|lag| lag == Lag::default());
            let follows = together.iter().all(at_points) && passed.iter().all(|o| apart(p, o, s).is_none());
            match member.filter(|m| follows && group.fits(m)) {
                Some(member) => {
                    kept = if matches!(member, Member::Nest(_)) { group.at.len() + 1 } else { kept };
                    together.push(s);
                    group.members.push(member);
                    group.at.push(k);
                }
                None => passed.push(s),
            }
        }
        group.members.truncate(kept + 1);
        group.at.truncate(kept);
        let last = *group.at.last()?;
        // What is decoded in the tiles is waited for behind them.
        let within = group.parts();
        let before = |wait: &usize| matches!(&after[*wait], Some(Stmt::Wait(k)) if !within.contains(k));
        group.waits.retain(|wait| *wait < last && before(wait));
        Some(group)
    }

    fn nests(&self) -> impl Iterator<Item = &Tiled<'a>> {
        self.members.iter().filter_map(|m| if let Member::Nest(tiled) = m { Some(tiled) } else { None })
    }

    /// The tickets of what is coded in the tiles.
    fn parts(&self) -> Vec<TicketId> {
        let parts = self.nests().flat_map(|tiled| tiled.inside).filter_map(|s| match s {
            Stmt::Part { ticket, .. } => Some(*ticket),
            _ => None,
        });
        parts.collect()
    }

    /// Whether a member has the same tiles.
    fn fits(&self, member: &Member) -> bool {
        let Member::Nest(new) = member else { return true };
        self.nests().all(|old| {
            let same = old.sizes.is_none() || new.sizes.is_none() || old.sizes == new.sizes;
            same && old.bounds == new.bounds
        })
    }

    /// Whether an injection may be done tile by tile.
    fn takes(&self, p: &Program, s: &Stmt) -> bool {
        let Stmt::Inject { table, .. } = s else { return false };
        let whole =
            |(dim, &(from, to)): (usize, &(i64, i64))| from <= 0 && to >= p.decls.dims[dim].size as i64;
        let all = self.nests().all(|tiled| tiled.bounds.iter().enumerate().all(whole));
        all && !p.decls.table(*table).moving && !reads_around(p, s)
    }

    /// All members in the tiles of one nest, if what a tile touches stays in the cache.
    fn nest(&self, p: &Program, machine: &Machine) -> Option<Stmt> {
        let bounds = &self.nests().next()?.bounds;
        let last = bounds.len() - 1;
        let (from, to) = bounds[last];
        let extent = usize::try_from(to.saturating_sub(from)).unwrap_or(0);
        let cache = CACHE_PART * machine.cache as f64;
        let [rows, planes] = self.nests().find_map(|tiled| tiled.sizes).unwrap_or_else(|| {
            let fits = |rows: usize| self.touched(p, [rows, PLANES]) <= cache;
            [strips_that(fits, (extent, EDGE), machine).max(ROWS), PLANES]
        });
        let strips = extent.div_ceil(rows.max(1));
        let few = |m: &Member| match m {
            Member::Inject(Stmt::Inject { sparse, table, .. }) if last > 0 => {
                let corners = p.decls.sparse(*sparse).points.saturating_mul(p.decls.table(*table).corners);
                corners.saturating_mul(strips) <= p.decls.points() / POINTS
            }
            _ => true,
        };
        if self.touched(p, [rows, planes]) > cache || !self.members.iter().all(few) {
            return None;
        }
        let (mut source, mut body) = (Vec::new(), Vec::new());
        for member in &self.members {
            match member {
                Member::Nest(tiled) => {
                    source.extend(tiled.source.iter().cloned());
                    body.extend(tiled.body(last));
                }
                Member::Inject(s) => body.push((*s).clone()),
            }
        }
        if last > 0 {
            let form = LoopForm::Tiles { from: bounds[0].0, to: bounds[0].1, size: planes, parallel: false };
            body = vec![Stmt::Loop(Loop { dim: 0, form, step: 1, body })];
        }
        let form = LoopForm::Tiles { from, to, size: rows, parallel: true };
        Some(Stmt::Nest { source, outer: Loop { dim: last, form, step: 1, body } })
    }

    /// Bytes that a tile of so many rows and planes touches.
    fn touched(&self, p: &Program, tile: [usize; 2]) -> f64 {
        let mut accesses: Vec<Access> = Vec::new();
        for s in self.nests().flat_map(|tiled| tiled.inside) {
            s.visit(&mut |s| {
                accesses.extend(s.value().iter().flat_map(|v| p.exprs.loads(*v)));
                if let Stmt::Assign { target, .. } = s {
                    accesses.push(*target);
                }
            });
        }
        touched(accesses.iter(), tile, p.decls.dims[p.decls.rank() - 1].size, &p.decls)
    }
}

/// A nest without stages, over strips of its second last dimension; in three dimensions perhaps with tiles of planes in these.
struct Tiled<'a> {
    source: &'a [String],
    /// Bounds along the dimensions that are cut.
    bounds: Vec<(i64, i64)>,
    /// Rows and planes of its tiles, where codecs work on them.
    sizes: Option<[usize; 2]>,
    /// What a tile holds.
    inside: &'a [Stmt],
}

impl<'a> Tiled<'a> {
    fn of(p: &Program, nest: &'a Stmt) -> Option<Tiled<'a>> {
        let Stmt::Nest { source, outer } = nest else { return None };
        let last = p.decls.rank() - 2;
        let LoopForm::Tiles { from, to, size: rows, parallel: true } = outer.form else { return None };
        let (mut inside, mut planes, mut bounds) = (outer.body.as_slice(), 1, vec![(from, to)]);
        let mut in_tiles = vec![last];
        if let [Stmt::Loop(Loop { dim: 0, form: LoopForm::Tiles { from, to, size, .. }, body, .. })] = inside
        {
            (inside, planes) = (body, *size);
            bounds.insert(0, (*from, *to));
            in_tiles.push(0);
        }
        let parts = inside.iter().any(|s| matches!(s, Stmt::Part { .. }));
        let mut loops = inside.iter().filter(|s| !matches!(s, Stmt::Part { .. }));
        let (Some(Stmt::Loop(l)), None) = (loops.next(), loops.next()) else { return None };
        // One loop in the other, down to point statements.
        let mut at = l;
        for dim in 0..p.decls.rank() {
            let fits = match at.form {
                LoopForm::Tile { before: 0, after: 0, .. } => in_tiles.contains(&dim),
                LoopForm::Points { from, to, .. } => {
                    if dim < last {
                        bounds.insert(0, (from, to));
                    }
                    !in_tiles.contains(&dim)
                }
                _ => false,
            };
            if at.dim != dim || at.step != 1 || !fits {
                return None;
            }
            match at.body.as_slice() {
                [Stmt::Loop(inner)] => at = inner,
                body => {
                    let points = |s: &Stmt| match s {
                        Stmt::Assign { target, .. } => p.decls.field(target.field).kind != FieldKind::Tile,
                        s => matches!(s, Stmt::Let { .. }),
                    };
                    if dim + 1 != p.decls.rank() || !body.iter().all(points) {
                        return None;
                    }
                }
            }
        }
        let fits = outer.dim == last && bounds.len() == last + 1;
        fits.then_some(Tiled { source, bounds, sizes: parts.then_some([rows, planes]), inside })
    }

    /// What a tile holds, planes of x included.
    fn body(&self, last: usize) -> impl Iterator<Item = Stmt> {
        self.inside.iter().cloned().map(move |mut s| {
            if let (Stmt::Loop(l), true) = (&mut s, last > 0) {
                l.form = LoopForm::Tile { before: 0, after: 0, simd: false };
            }
            s
        })
    }
}
