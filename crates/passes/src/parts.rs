//! `parts`: codecs work in the loops that have their values in a cache.
//!
//! ```text
//! tiles y { for x { u[t+1] = f(u[t]) } }            k0 = compress usave[t] <- u[t] in parts of 32
//! k0 = compress usave[t] <- u[t]             ->     tiles y { tiles x { for x { u[t+1] = f(u[t]) }  encode k0 usave <- u[t] } }
//! wait k0                                           wait k0
//!
//! tiles y { for x { s[x] = f(u) } }                 k0 = compress usave[t] <- s in parts of 32
//! k0 = compress usave[t] <- s                ->     until k0 { tiles y { tiles x { for x { s[x] = f(u) }  encode k0 usave <- s } } }
//! wait k0
//!
//! k0 = decompress usave[t] -> s                     k0 = decompress usave[t] -> s in parts of 32
//! wait k0                                    ->     tiles y { tiles x { decode k0 usave -> s  for x { w[x] += s[x] } } }
//! tiles y { for x { w[x] += s[x] } }                wait k0
//! ```
//! A slice of the compiler's own becomes a tile field then: it never is in memory as a whole. The tiles are as long as the
//! blocks of the codec along x, and their rows a multiple of these. Codecs that need a whole slice are left alone, and so are
//! slices that several loops use or a stencil reads, and dimensions in which blocks are so long that tiles would not stay in
//! a cache. In two dimensions the tiles are those of x.

use crate::compress;
use crate::schedule::slots;
use std::collections::HashMap;
use wavefold_ir::tree::{Loop, LoopForm, Program, Slice, Stmt};
use wavefold_ir::{Access, Decls, FieldId, FieldKind, Layout, Region, TicketId, Window};

/// Fewest planes of a tile: loops do two at a time, and each part is a call.
const FEWEST: usize = 4;
/// Most planes of a tile.
const PLANES: usize = 8;
/// Most rows that a block may force on a tile.
const ROWS: usize = 64;

/// Moves the work of codecs into loops.
pub fn parts(mut p: Program) -> Program {
    let mut uses = Uses::new();
    p.body.iter().for_each(|s| count(&p, s, &mut uses));
    for s in std::mem::take(&mut p.body) {
        let done = match s {
            Stmt::Time { direction, scalars, body, .. } => {
                let body = block(&mut p, &uses, body);
                let slots = slots(&body, &p.decls, &p.exprs);
                Stmt::Time { direction, slots, scalars, body }
            }
            other => other,
        };
        p.body.push(done);
    }
    p
}

/// How many statements use each field.
type Uses = HashMap<FieldId, usize>;

fn count(p: &Program, s: &Stmt, uses: &mut Uses) {
    s.visit(&mut |s| {
        let mut fields: Vec<FieldId> = match s {
            Stmt::Assign { target, .. } | Stmt::Inject { target, .. } => vec![target.field],
            Stmt::Compress { slice, .. } | Stmt::Decompress { slice, .. } => vec![slice.field],
            _ => vec![],
        };
        fields.extend(s.value().iter().flat_map(|v| p.exprs.loads(*v)).map(|a| a.field));
        fields.sort_unstable();
        fields.dedup();
        fields.into_iter().for_each(|f| *uses.entry(f).or_default() += 1);
    });
}

/// A step, or what is guarded in it.
fn block(p: &mut Program, uses: &Uses, body: Vec<Stmt>) -> Vec<Stmt> {
    let mut body: Vec<Stmt> = body
        .into_iter()
        .map(|s| match s {
            Stmt::When { every, body } => Stmt::When { every, body: block(p, uses, body) },
            other => other,
        })
        .collect();
    let effects: Vec<TicketId> = body
        .iter()
        .filter_map(|s| match s {
            Stmt::Compress { ticket, .. } | Stmt::Decompress { ticket, .. } => Some(*ticket),
            _ => None,
        })
        .collect();
    for ticket in effects {
        if let Some(found) = Found::of(&body, ticket)
            && let Some(moved) = found.moved(p, uses, &body)
        {
            body = moved;
        }
    }
    body
}

/// An effect that starts and ends in one block.
struct Found {
    ticket: TicketId,
    store: FieldId,
    slice: Slice,
    decode: bool,
    /// Positions in the block.
    start: usize,
    wait: usize,
}

impl Found {
    fn of(body: &[Stmt], ticket: TicketId) -> Option<Found> {
        let wait = body.iter().position(|s| *s == Stmt::Wait(ticket))?;
        body.iter().enumerate().find_map(|(start, s)| {
            let (k, store, slice, decode) = match *s {
                Stmt::Compress { ticket, store, slice, .. } => (ticket, store, slice, false),
                Stmt::Decompress { ticket, store, slice, .. } => (ticket, store, slice, true),
                _ => return None,
            };
            (k == ticket).then_some(Found { ticket, store, slice, decode, start, wait })
        })
    }

    /// The block with the effect in a loop, if there is one for it.
    fn moved(&self, p: &mut Program, uses: &Uses, body: &[Stmt]) -> Option<Vec<Stmt>> {
        let own = matches!(p.decls.field(self.slice.field).kind, FieldKind::Ring { slots: 1, .. });
        let at = if own { self.only_nest(p, uses, body)? } else { self.reader(p, body)? };
        let tiles = Tiles::of(p, self.store, self.decode, &body[at])?;
        let mut slice = self.slice;
        if own {
            slice.time = 0;
            tiles.place(p, slice.field);
        }
        let part = Stmt::Part { ticket: self.ticket, store: self.store, slice, decode: self.decode };
        let nest = tiles.nest(&body[at], part, self.decode)?;
        let mut start = body[self.start].clone();
        if let Stmt::Compress { slice: s, rows, .. } | Stmt::Decompress { slice: s, rows, .. } = &mut start {
            (*s, *rows) = (slice, tiles.rows);
        }
        let mut out = Vec::new();
        for (i, s) in body.iter().enumerate() {
            let ends = own && i == self.wait;
            if i == at.min(self.start) {
                out.push(start.clone());
            }
            if i == at {
                out.push(match self.decode {
                    false if own => Stmt::Until { ticket: self.ticket, body: vec![nest.clone()] },
                    _ => nest.clone(),
                });
                if own && self.decode {
                    out.push(Stmt::Wait(self.ticket));
                }
            } else if i != self.start && !ends {
                out.push(s.clone());
            }
        }
        Some(out)
    }

    /// The nest that reads the slot that is compressed, where nothing writes to it before the compression.
    fn reader(&self, p: &Program, body: &[Stmt]) -> Option<usize> {
        if self.decode {
            return None;
        }
        let touches = |s: &Stmt, write: bool| touches(p, s, self.slice, write);
        let from = body[..self.start].iter().rposition(|s| touches(s, true)).map_or(0, |i| i + 1);
        let reads = |s: &Stmt| is_nest(s) && touches(s, false) && !touches(s, true);
        (from..self.wait).find(|i| reads(&body[*i]) && Tiles::of(p, self.store, false, &body[*i]).is_some())
    }

    /// The nest that alone uses the slice of the compiler's own, point by point; one that writes it can be run twice.
    fn only_nest(&self, p: &Program, uses: &Uses, body: &[Stmt]) -> Option<usize> {
        let field = self.slice.field;
        let range = if self.decode { self.wait..body.len() } else { 0..self.start };
        let own = |s: &Stmt| {
            let mut here = Uses::new();
            count(p, s, &mut here);
            here.get(&field).copied().unwrap_or(0)
        };
        let at = range.into_iter().find(|i| own(&body[*i]) > 0)?;
        // The effect is the other one.
        let alone = uses.get(&field) == Some(&(own(&body[at]) + 1));
        let fits = alone && is_nest(&body[at]) && self.slice.time == 0 && points(p, &body[at], field);
        (fits && (self.decode || repeats(p, &body[at]))).then_some(at)
    }
}

fn is_nest(s: &Stmt) -> bool {
    matches!(s, Stmt::Nest { .. })
}

/// Whether a statement reads a slice, or writes to it.
fn touches(p: &Program, s: &Stmt, slice: Slice, write: bool) -> bool {
    let field = p.decls.field(slice.field);
    let same = |a: &Access| a.field == slice.field && field.same_slot(a.time, slice.time);
    let mut found = false;
    s.visit(&mut |s| {
        found |= match s {
            Stmt::Assign { target, increment, .. } => same(target) && (write || *increment),
            Stmt::Inject { target, .. } => same(target),
            Stmt::Decompress { slice: to, .. } => write && to.field == slice.field,
            Stmt::Compress { slice: from, .. } => !write && from.field == slice.field && *from != slice,
            _ => false,
        };
        if !write && let Some(value) = s.value() {
            found |= p.exprs.loads(value).iter().any(same);
        }
    });
    found
}

/// Whether a nest uses a field at the current point alone.
fn points(p: &Program, nest: &Stmt, field: FieldId) -> bool {
    let mut here = true;
    nest.visit(&mut |s| {
        let elsewhere = |a: &Access| a.field == field && !(a.is_here() && a.time == 0);
        if let Stmt::Assign { target, increment, .. } = s {
            here &= !elsewhere(target) && (target.field != field || !increment);
        }
        if let Some(value) = s.value() {
            here &= !p.exprs.loads(value).iter().any(elsewhere);
        }
    });
    here
}

/// Whether a nest writes the same when it is run again: what it reads of a slot that it writes, it has written before at
/// the same point.
fn repeats(p: &Program, nest: &Stmt) -> bool {
    let mut targets: Vec<Access> = Vec::new();
    nest.visit(&mut |s| {
        if let Stmt::Assign { target, .. } = s {
            targets.push(*target);
        }
    });
    let same =
        |a: &Access, b: &Access| a.field == b.field && p.decls.field(a.field).same_slot(a.time, b.time);
    let (mut written, mut fits): (Vec<Access>, bool) = (Vec::new(), true);
    nest.visit(&mut |s| {
        for load in s.value().iter().flat_map(|v| p.exprs.loads(*v)) {
            fits &= !targets.iter().any(|t| same(t, &load)) || written.contains(&load);
        }
        if let Stmt::Assign { target, increment, .. } = s {
            fits &= !increment;
            written.push(*target);
        }
    });
    fits
}

/// The tiles of a nest that moves parts.
struct Tiles {
    /// Dimension of the strips: the outermost tile loop.
    strips: usize,
    /// Rows of a strip, and planes of a tile.
    rows: usize,
    planes: usize,
    region: Region,
}

impl Tiles {
    /// For a nest over all points of a snapshot, as `schedule` makes them, or with parts of other snapshots.
    fn of(p: &Program, store: FieldId, decode: bool, nest: &Stmt) -> Option<Tiles> {
        let (rank, Stmt::Nest { outer, .. }) = (p.decls.rank(), nest) else { return None };
        let LoopForm::Tiles { from, to, size, parallel: true } = outer.form else { return None };
        let (strips, least) = (rank.checked_sub(2)?, least_part(&p.decls, store, decode)?);
        let region = compress::stored_region(&p.decls, store);
        let along = |dim: usize| (region.from[dim], region.to[dim]);
        let (mut body, mut planes) = (&outer.body, None);
        if let [Stmt::Loop(Loop { dim: 0, form: LoopForm::Tiles { from, to, size, .. }, body: inner, .. })] =
            body.as_slice()
        {
            (body, planes) = (inner, ((*from, *to) == along(0)).then_some(*size));
        }
        let mut covers = outer.dim == strips && (from, to) == along(strips);
        for dim in 0..rank {
            let inner = only_loop(body)?;
            let tiled = dim == strips || (dim == 0 && planes.is_some());
            covers &= inner.dim == dim && inner.step == 1;
            covers &= match inner.form {
                LoopForm::Points { from, to, .. } => !tiled && (from, to) == along(dim),
                LoopForm::Tile { before: 0, after: 0, .. } => tiled,
                _ => false,
            };
            body = &inner.body;
        }
        covers &= body.iter().all(|s| matches!(s, Stmt::Let { .. } | Stmt::Assign { .. }));
        // Where there are parts already, tiles stay as they are.
        let rows = if has_parts(nest) { size } else { size.next_multiple_of(least[1]) };
        let planes = planes.unwrap_or(least[0].next_multiple_of(FEWEST));
        let fits = planes.is_multiple_of(least[0]) && rows.is_multiple_of(least[1]);
        let near = planes <= PLANES && least[1] <= ROWS && region.points() > 0;
        (covers && fits && near).then_some(Tiles { strips, rows, planes, region })
    }

    /// Makes a slice of the compiler's own a tile field.
    fn place(&self, p: &mut Program, slice: FieldId) {
        let rank = p.decls.rank();
        let field = &mut p.decls.fields[slice.index()];
        let vector = 64 / field.dtype.size();
        let extent = |d: usize| (self.region.to[d] - self.region.from[d]) as usize;
        let shape: Vec<usize> = (0..rank)
            .map(|d| match d {
                _ if d == self.strips => self.rows.min(extent(d)),
                0 if rank == 3 => self.planes.min(extent(d)),
                _ => extent(d),
            })
            .collect();
        let from = |d: usize| if d + 1 == rank { self.region.from[d] as usize } else { 0 };
        let mut alloc = shape.clone();
        alloc[rank - 1] = alloc[rank - 1].next_multiple_of(vector);
        // The rows of a block lie in different sets of the first-level cache.
        if (alloc[rank - 1] / vector).is_multiple_of(8) {
            alloc[rank - 1] += vector;
        }
        field.kind = FieldKind::Tile;
        field.halo = 0;
        field.window = Some(Window { from: (0..rank).map(from).collect(), shape });
        field.layout = Some(Layout { alloc, pad: vec![0; rank], aligned: true, turns: false });
    }

    /// The nest with a part before or after the loops of each tile.
    fn nest(&self, nest: &Stmt, part: Stmt, before: bool) -> Option<Stmt> {
        let Stmt::Nest { source, outer } = nest else { return None };
        let mut outer = outer.clone();
        if let LoopForm::Tiles { size, .. } = &mut outer.form {
            *size = self.rows;
        }
        let whole = matches!(outer.body.as_slice(), [Stmt::Loop(Loop { form: LoopForm::Points { .. }, .. })]);
        if whole {
            let (from, to) = (self.region.from[0], self.region.to[0]);
            let form = LoopForm::Tiles { from, to, size: self.planes, parallel: false };
            let mut body = std::mem::take(&mut outer.body);
            if let [Stmt::Loop(x)] = body.as_mut_slice() {
                x.form = LoopForm::Tile { before: 0, after: 0, simd: false };
            }
            outer.body = vec![Stmt::Loop(Loop { dim: 0, form, step: 1, body })];
        }
        let body = match outer.body.as_mut_slice() {
            [Stmt::Loop(tiles)] if matches!(tiles.form, LoopForm::Tiles { .. }) => &mut tiles.body,
            _ => &mut outer.body,
        };
        if before {
            body.insert(0, part)
        } else {
            body.push(part)
        }
        Some(Stmt::Nest { source: source.clone(), outer })
    }
}

/// The loop in a body that else holds parts.
fn only_loop(body: &[Stmt]) -> Option<&Loop> {
    let mut rest = body.iter().filter(|s| !matches!(s, Stmt::Part { .. }));
    match (rest.next(), rest.next()) {
        (Some(Stmt::Loop(l)), None) => Some(l),
        _ => None,
    }
}

fn has_parts(nest: &Stmt) -> bool {
    let mut found = false;
    nest.visit(&mut |s| found |= matches!(s, Stmt::Part { .. }));
    found
}

/// Points along the planes and the rows of the smallest part.
fn least_part(d: &Decls, store: FieldId, decode: bool) -> Option<[usize; 2]> {
    let field = d.field(store);
    let FieldKind::Compressed { codec, .. } = &field.kind else { return None };
    let shape = match d.stored_shape(field).as_slice() {
        [x, y] => [1, *x, *y],
        [x, y, z] => [*x, *y, *z],
        _ => return None,
    };
    if decode { codec.decoded_part(shape) } else { codec.encoded_part(shape) }
}
