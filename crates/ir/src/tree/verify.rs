//! Verifier of the tree level.

use super::front::in_order;
use super::{Front, Lag, Loop, LoopForm, Program, Slice, Slot, Stmt, apart, reads_around};
use crate::stencil::verify::Check;
use crate::{
    Access, Expr, ExprId, Field, FieldId, FieldKind, Layout, LocalId, SparseId, TableId, TicketId,
    VerifyError,
};
use std::collections::{HashMap, HashSet};

impl Program {
    /// Checks the invariants T1 to T19.
    ///
    /// # Errors
    /// The first broken one.
    pub fn verify(&self) -> Result<(), VerifyError> {
        let check = Check { level: "tree", prefix: 'T', decls: &self.decls, exprs: &self.exprs };
        check.declarations()?;
        for f in &self.decls.fields {
            // A tile field that another has made superfluous has none.
            let placed = f.is_compressed() != f.layout.is_some();
            check.that(placed || f.kind == FieldKind::Tile, 2, || format!("layout of {}", f.name))?;
            if let Some(l) = &f.layout {
                let rank = self.decls.rank();
                check.that(l.pad.len() == rank && l.alloc.len() == rank, 2, || {
                    format!("layout of {} has another rank", f.name)
                })?;
                let shape = self.decls.stored_shape(f);
                // The room of a tile depends on its nest, see T9.
                let covers = f.kind == FieldKind::Tile
                    || (0..rank).all(|d| {
                        let needed = l.pad[d].saturating_add(shape[d]).saturating_add(f.halo);
                        l.pad[d] >= f.halo && l.alloc[d] >= needed
                    });
                check.that(covers, 2, || format!("layout of {} is too small", f.name))?;
                let turns = f.kind == FieldKind::Tile && rank > 1 && l.alloc[0].is_power_of_two();
                check.that(!l.turns || turns, 2, || format!("planes of {} cannot take turns", f.name))?;
                let vector = 16 / f.dtype.size();
                check.that(!l.aligned || l.alloc[rank - 1].is_multiple_of(vector), 2, || {
                    format!("a row of {} is no whole number of vectors", f.name)
                })?;
            }
        }
        let changing = self.changing();
        for id in self.decls.field_ids().filter(|id| self.decls.field(*id).by_rows) {
            let f = self.decls.field(id);
            let kind = matches!(f.kind, FieldKind::Space | FieldKind::Invariant) && f.window.is_none();
            check.that(kind && self.decls.rank() > 1, 19, || format!("{} has no rows to share", f.name))?;
            check.that(!changing.contains(&id), 19, || {
                format!("{} is written after the first step", f.name)
            })?;
        }
        let mut v = Verifier {
            program: self,
            check,
            tickets: HashMap::new(),
            slots: None,
            in_time: false,
            reducing: false,
        };
        let mut scope = HashSet::new();
        for s in &self.scalars {
            v.value(s.value, None, &scope, None)?;
            v.check.scalar(s.value, false, 12)?;
            scope.insert(s.local);
        }
        v.block(&self.body, &mut scope, &mut Vec::new())?;
        v.check.that(v.tickets.values().all(|e| !e.open), 7, || "a ticket is never waited for".into())
    }
}

struct Verifier<'a> {
    program: &'a Program,
    check: Check<'a>,
    tickets: HashMap<TicketId, Effect>,
    slots: Option<&'a [Slot]>,
    /// Whether the statement at hand lies in the time loop.
    in_time: bool,
    /// Whether it lies in a reduction.
    reducing: bool,
}

/// What is known of a ticket.
#[derive(Clone, Copy, PartialEq)]
struct Effect {
    store: FieldId,
    slice: Slice,
    rows: usize,
    decode: bool,
    /// Whether it is still to be waited for.
    open: bool,
}

impl<'a> Verifier<'a> {
    fn block(
        &mut self,
        body: &'a [Stmt],
        scope: &mut HashSet<LocalId>,
        loops: &mut Vec<Around>,
    ) -> Result<(), VerifyError> {
        let mut here = scope.clone();
        for s in body {
            self.statement(s, &mut here, loops)?;
        }
        Ok(())
    }

    fn statement(
        &mut self,
        s: &'a Stmt,
        scope: &mut HashSet<LocalId>,
        loops: &mut Vec<Around>,
    ) -> Result<(), VerifyError> {
        match s {
            Stmt::Time { slots, scalars, body, .. } => {
                self.check.that(self.slots.is_none(), 6, || "two time loops".into())?;
                self.slots = Some(slots);
                self.in_time = true;
                let mut scope = scope.clone();
                for s in scalars {
                    self.value(s.value, None, &scope, None)?;
                    self.check.scalar(s.value, true, 12)?;
                    scope.insert(s.local);
                }
                self.block(body, &mut scope, loops)?;
                self.in_time = false;
                Ok(())
            }
            Stmt::First(body) => {
                let guarded = body.iter().any(|s| matches!(s, Stmt::When { .. }));
                self.check.that(!guarded, 7, || "a guard at the first step".into())?;
                self.block(body, scope, loops)
            }
            Stmt::When { body, .. } => self.block(body, scope, loops),
            Stmt::Nest { outer: l, .. } | Stmt::Loop(l) => self.walk(l, scope, loops),
            Stmt::Let { local, value } => {
                self.inside_all_loops(loops)?;
                self.value(*value, None, scope, Some(loops))?;
                self.check.that(scope.insert(*local), 5, || format!("{local} is defined twice"))
            }
            Stmt::Prefetch(a) => {
                let row = loops.last().is_some_and(|a| a.form.is_simd());
                self.check.that(row, 15, || "a prefetch outside of a row".into())?;
                self.place(a).map(|_| ())
            }
            Stmt::Stream(level) => self.slot(&Access::here(level.field, level.time)),
            Stmt::Assign { target, value, .. } => {
                self.inside_all_loops(loops)?;
                self.access(target, Some(loops))?;
                self.value(*value, None, scope, Some(loops))
            }
            Stmt::Inject { sparse, table, target, value, .. } => {
                self.check.table(*sparse, *table, 11)?;
                if !loops.is_empty() {
                    self.in_tiles(s, *table, loops)?;
                }
                self.access(target, None)?;
                self.value(*value, Some(*sparse), scope, None)
            }
            Stmt::Interpolate { sparse, table, value, .. } => {
                self.check.table(*sparse, *table, 11)?;
                self.check.that(loops.is_empty(), 18, || "an interpolation in a loop".into())?;
                self.value(*value, None, scope, None)
            }
            Stmt::Reduce { series, outer, .. } => {
                self.check.series(*series, 11)?;
                let tiles = matches!(outer.form, LoopForm::Tiles { .. });
                self.check.that(tiles && !self.reducing, 8, || "a reduction without tiles".into())?;
                self.reducing = true;
                self.walk(outer, scope, loops)?;
                self.reducing = false;
                Ok(())
            }
            Stmt::Accumulate(value) => {
                self.inside_all_loops(loops)?;
                self.check.that(self.reducing, 8, || "nothing to accumulate into".into())?;
                self.value(*value, None, scope, Some(loops))
            }
            Stmt::Compress { ticket, store, slice, rows, .. }
            | Stmt::Decompress { ticket, store, slice, rows, .. } => {
                self.slot(&Access::here(slice.field, slice.time))?;
                let whole = *rows > 0 || !self.is_tile(slice.field);
                self.check.that(whole, 14, || "a tile field is moved as a whole".into())?;
                let decode = matches!(s, Stmt::Decompress { .. });
                let effect = Effect { store: *store, slice: *slice, rows: *rows, decode, open: true };
                let fresh = self.tickets.insert(*ticket, effect).is_none();
                self.check.that(fresh, 7, || format!("{ticket} is made twice"))
            }
            Stmt::Part { ticket, store, slice, decode } => {
                let effect = self.tickets.get(ticket).copied();
                let own = |rows| Effect { store: *store, slice: *slice, rows, decode: *decode, open: true };
                let known = effect.is_some_and(|e| e.rows > 0 && e == own(e.rows));
                self.check.that(known, 14, || format!("a part of {ticket}, which has no such parts"))?;
                self.part(slice.field, effect.map_or(0, |e| e.rows), loops)
            }
            Stmt::Until { ticket, body } => {
                self.block(body, scope, loops)?;
                self.wait(*ticket, true)
            }
            Stmt::Wait(ticket) => self.wait(*ticket, false),
            Stmt::Front { front, body } => self.front(front, body, scope),
            Stmt::Steps(body) => {
                let beside = self.program.front().is_some();
                self.check.that(beside, 17, || "steps of a group beside no front".into())?;
                let guarded = |s: &'a Stmt| match s {
                    Stmt::When { body, .. } => body.as_slice(),
                    s => std::slice::from_ref(s),
                };
                let mut inside = body.iter().flat_map(guarded);
                let whole = inside.all(|s| match s {
                    Stmt::Compress { rows, .. } | Stmt::Decompress { rows, .. } => *rows == 0,
                    s => matches!(s, Stmt::Wait(_)),
                });
                self.check.that(whole, 17, || "more than effects beside a front".into())?;
                self.block(body, scope, loops)
            }
            Stmt::Lagged { .. } => self.check.that(false, 17, || "a part of no front".into()),
        }
    }

    /// A front in its time loop: its shape, its lags, and its parts, which lie in the tiles that it cuts.
    fn front(
        &mut self,
        front: &Front,
        parts: &'a [Stmt],
        scope: &HashSet<LocalId>,
    ) -> Result<(), VerifyError> {
        let rank = self.program.decls.rank();
        let wrong = |v: &Self, why: &str| v.check.that(false, 17, || format!("a front {why}"));
        let alone = self.program.body.iter().any(|s| match s {
            Stmt::Time { body, .. } => {
                let body = match body.as_slice() {
                    [Stmt::First(_), body @ ..] | body => body,
                };
                let body = match body {
                    [Stmt::Steps(_), body @ ..] | body => body,
                };
                matches!(body, [Stmt::Front { .. }] | [Stmt::Front { .. }, Stmt::Steps(_)])
            }
            _ => false,
        });
        if !alone {
            return wrong(self, "beside other statements of a step");
        }
        if rank < 2 || [front.steps, front.block, front.strip, front.chunk].contains(&0) {
            return wrong(self, "without points");
        }
        let reach = front.reach(front.steps, parts);
        let room = reach.ahead.saturating_add(reach.back) <= i64::try_from(front.block).unwrap_or(i64::MAX);
        if !room && front.blocks(parts, rank) > 1 {
            return wrong(self, "whose blocks are too narrow");
        }
        for part in parts {
            let Stmt::Lagged { lag, from, to, body } = part else {
                return wrong(self, "of something that is no part");
            };
            if !lag.covers(Lag::default()) {
                return wrong(self, "with a lag below 0");
            }
            let start = from[0] - Front::bounds(parts, 0).0;
            self.lagged(front, Lag { ahead: lag.ahead + start, ..*lag }, (*from, *to), body, scope)?;
        }
        if !front.period.covers(Lag::default()) || !in_order(self.program, parts, front.period) {
            return wrong(self, "whose lags are too short");
        }
        Ok(())
    }

    fn lagged(
        &mut self,
        front: &Front,
        lag: Lag,
        (from, to): ([i64; 2], [i64; 2]),
        body: &'a [Stmt],
        scope: &HashSet<LocalId>,
    ) -> Result<(), VerifyError> {
        let rank = self.program.decls.rank();
        let sizes = [front.chunk, front.strip];
        let around = |dim: usize| {
            let form = LoopForm::Tiles { from: from[dim], to: to[dim], size: sizes[dim], parallel: false };
            Around { dim, form, step: 1 }
        };
        for s in body {
            match s {
                Stmt::When { body, .. } => self.lagged(front, lag, (from, to), body, scope)?,
                Stmt::Nest { outer, .. } => {
                    let step = outer.step as i64;
                    let whole =
                        step == 1 || rank == 3 && lag.ahead % step == 0 && front.period.ahead % step == 0;
                    let in_tile = matches!(outer.form, LoopForm::Tile { before: 0, after: 0, .. });
                    self.check.that(whole && in_tile && outer.dim == 0, 17, || {
                        "a nest in a front that does not follow its tiles".into()
                    })?;
                    let mut loops = (0..=Front::shared(rank)).map(around).collect();
                    self.walk(outer, &mut scope.clone(), &mut loops)?;
                }
                Stmt::Inject { table, .. } | Stmt::Interpolate { table, .. } => {
                    self.sorted(s, *table, 17)?;
                    self.statement(s, &mut scope.clone(), &mut Vec::new())?;
                }
                _ => self.check.that(false, 17, || "something in a front that has no points".into())?,
            }
        }
        Ok(())
    }

    /// Sparse points that are done tile by tile.
    fn sorted(&self, s: &Stmt, table: TableId, invariant: usize) -> Result<(), VerifyError> {
        let still = self.program.decls.tables.get(table.index());
        self.check.that(still.is_none_or(|t| !t.moving && t.planes), invariant, || {
            "points of a tile that are not sorted by planes".into()
        })?;
        self.check.that(!reads_around(self.program, s), invariant, || {
            "an injection in a tile that reads around itself".into()
        })
    }

    /// An injection in the tiles of a nest.
    fn in_tiles(&self, s: &Stmt, table: TableId, loops: &[Around]) -> Result<(), VerifyError> {
        let rank = self.program.decls.rank();
        let tiles = loops.iter().all(|a| matches!(a.form, LoopForm::Tiles { .. }));
        let cut = rank > 1 && (0..=Front::shared(rank)).all(|dim| loops.iter().any(|a| a.dim == dim));
        self.check.that(tiles && cut, 18, || "an injection that is not that of tiles".into())?;
        self.sorted(s, table, 18)
    }

    /// `again`: the wait may ask for all parts once more.
    fn wait(&mut self, ticket: TicketId, again: bool) -> Result<(), VerifyError> {
        let open = self.tickets.get(&ticket).is_some_and(|e| e.open);
        self.check.that(open, 7, || format!("nothing to wait for in {ticket}"))?;
        let gone = self.tickets.get(&ticket).is_some_and(|e| !e.decode && self.is_tile(e.slice.field));
        self.check.that(gone == again, 14, || format!("the wrong way to wait for {ticket}"))?;
        if let Some(effect) = self.tickets.get_mut(&ticket) {
            effect.open = false;
        }
        Ok(())
    }

    fn is_tile(&self, field: FieldId) -> bool {
        self.program.decls.field(field).kind == FieldKind::Tile
    }

    /// The points of the tiles around, in strips of `rows` rows.
    fn part(&self, slice: FieldId, rows: usize, loops: &[Around]) -> Result<(), VerifyError> {
        let d = &self.program.decls;
        let tile = |dim: usize| {
            loops.iter().find_map(|a| match a.form {
                LoopForm::Tiles { from, to, size, .. } if a.dim == dim => Some((from, to, size)),
                _ => None,
            })
        };
        let strips = d.rank().saturating_sub(2);
        let tiled = loops.iter().all(|a| matches!(a.form, LoopForm::Tiles { .. }) && a.dim <= strips)
            && (0..=strips).all(|dim| tile(dim).is_some())
            && tile(strips).is_some_and(|(.., size)| size == rows)
            && d.rank() > 1;
        self.check.that(tiled, 14, || "a part is not that of tiles".into())?;
        let field = d.field(slice);
        let Some(layout) = field.layout.as_ref().filter(|_| self.is_tile(slice)) else { return Ok(()) };
        let room = (0..d.rank()).all(|dim| {
            let points = match tile(dim) {
                Some((from, to, size)) => size.min(usize::try_from(to.saturating_sub(from)).unwrap_or(0)),
                None => d.stored_shape(field)[dim],
            };
            layout.pad[dim].saturating_add(points) <= layout.alloc[dim]
        });
        self.check.that(room, 14, || format!("{} has no room for a part", field.name))
    }

    fn walk(
        &mut self,
        l: &'a Loop,
        scope: &mut HashSet<LocalId>,
        loops: &mut Vec<Around>,
    ) -> Result<(), VerifyError> {
        self.check.that(whole_steps(l, loops), 13, || format!("steps of {} along {}", l.step, l.dim))?;
        let tiles =
            loops.iter().filter(|a| a.dim == l.dim && matches!(a.form, LoopForm::Tiles { .. })).count();
        let fits = match l.form {
            LoopForm::Tiles { size, .. } => tiles == 0 && size > 0,
            LoopForm::Points { simd, .. } => tiles == 0 && (!simd || l.dim + 1 == self.program.decls.rank()),
            LoopForm::Tile { before, after, simd } => {
                tiles == 1 && before >= 0 && after >= 0 && (!simd || l.dim + 1 == self.program.decls.rank())
            }
        };
        self.check.that(fits && l.dim < self.program.decls.rank(), 8, || format!("loop over {}", l.dim))?;
        let (hints, others) = l.hints();
        let late = others.iter().any(Stmt::is_hint);
        self.check.that(!late, 15, || "a hint after other statements".into())?;
        for s in hints {
            if let Stmt::Stream(level) = s {
                self.stream(l, *level, others)?;
            }
        }
        if l.dim == 0 && !matches!(l.form, LoopForm::Tiles { .. }) {
            self.turns(l)?;
        }
        self.at_points(l)?;
        loops.push(Around { dim: l.dim, form: l.form, step: l.step });
        self.block(&l.body, scope, loops)?;
        loops.pop();
        Ok(())
    }

    /// What an injection shares its tiles with meets it, and each other, at the same points.
    fn at_points(&self, tiles: &Loop) -> Result<(), VerifyError> {
        if !tiles.body.iter().any(|s| matches!(s, Stmt::Inject { .. })) {
            return Ok(());
        }
        let meet = tiles.body.iter().enumerate().all(|(i, second)| {
            let apart =
                |first: &Stmt| apart(self.program, first, second).is_none_or(|lag| lag == Lag::default());
            tiles.body[..i].iter().all(apart)
        });
        self.check.that(meet, 18, || "an injection beside what reads around a point".into())
    }

    /// Planes that take turns: those that a loop over them names at a time are in memory together.
    fn turns(&self, l: &'a Loop) -> Result<(), VerifyError> {
        let mut spans: HashMap<FieldId, (i32, i32)> = HashMap::new();
        let mut name = |a: &Access| {
            let span = spans.entry(a.field).or_insert((a.offsets[0], a.offsets[0]));
            *span = (span.0.min(a.offsets[0]), span.1.max(a.offsets[0]));
        };
        l.body.iter().for_each(|s| {
            s.visit(&mut |s| {
                if let Stmt::Assign { target, .. } = s {
                    name(target);
                }
                s.value()
                    .iter()
                    .for_each(|value| self.program.exprs.loads(*value).iter().for_each(&mut name));
            });
        });
        for (id, (low, high)) in spans {
            let Some(layout) = &self.program.decls.field(id).layout else { continue };
            let room = !layout.turns || (high.abs_diff(low) as usize) < layout.alloc[0];
            self.check
                .that(room, 9, || format!("{} has too few planes", self.program.decls.field(id).name))?;
        }
        Ok(())
    }

    /// A level that goes past the caches: what the loop stores to it fills cache lines from the first point on.
    fn stream(&self, l: &Loop, level: Slice, others: &[Stmt]) -> Result<(), VerifyError> {
        let wrong = |why: &str| self.check.that(false, 16, || format!("a streamed level {why}"));
        let here = Access::here(level.field, level.time);
        let Some((field, _)) = self.place(&here)? else { return Ok(()) };
        let last = self.program.decls.rank() - 1;
        let LoopForm::Points { from, simd: true, .. } = l.form else { return wrong("outside of a row") };
        if field.dtype != self.program.decls.dtype || !field.begins_line(from) {
            return wrong("does not begin with a cache line of the row");
        }
        let same = |a: &Access| a.field == level.field && field.same_slot(a.time, level.time);
        let reads = |value| self.program.exprs.loads(value).iter().any(same);
        let mut targets = Vec::new();
        for s in others {
            if s.value().is_some_and(reads) {
                return wrong("is read");
            }
            match s {
                Stmt::Assign { target, increment, .. } if same(target) => {
                    let once = !targets.contains(&target.offsets) && target.time == level.time;
                    if *increment || target.offsets[last] != 0 || !once {
                        return wrong("is not stored point by point");
                    }
                    targets.push(target.offsets);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn inside_all_loops(&self, loops: &[Around]) -> Result<(), VerifyError> {
        let points: Vec<usize> =
            loops.iter().filter(|a| !matches!(a.form, LoopForm::Tiles { .. })).map(|a| a.dim).collect();
        let all: Vec<usize> = (0..self.program.decls.rank()).collect();
        self.check.that(points == all, 8, || format!("a point statement in loops over {points:?}"))
    }

    fn slot(&self, a: &Access) -> Result<(), VerifyError> {
        let field = self.program.decls.field(a.field);
        let Some(slot) = Slot::of(field, a.time) else { return Ok(()) };
        let known = self.in_time && self.slots.is_some_and(|s| s.contains(&slot));
        self.check.that(known, 6, || format!("{} has no slot at shift {}", field.name, a.time))
    }

    /// `loops` are those around the statement; without, the point is any of the domain.
    fn access(&self, a: &Access, loops: Option<&[Around]>) -> Result<(), VerifyError> {
        let Some((field, l)) = self.place(a)? else { return Ok(()) };
        let inside = (0..self.program.decls.rank()).all(|d| {
            let (from, to) = self.stored_range(field, d, loops.unwrap_or(&[]));
            let low = l.pad[d] as i64 + a.offsets[d] as i64;
            let turns = l.turns && d == 0 && low.saturating_add(from) >= 0;
            to <= from
                || turns
                || (low.saturating_add(from) >= 0 && low.saturating_add(to) <= l.alloc[d] as i64)
        });
        self.check.that(inside, 9, || format!("{:?} leaves {}", a.offsets, field.name))
    }

    /// The field of an access and its layout.
    fn place(&self, a: &Access) -> Result<Option<(&'a Field, &'a Layout)>, VerifyError> {
        self.check.access(a)?;
        self.slot(a)?;
        let field = self.program.decls.field(a.field);
        let placed = field.layout.is_some();
        self.check.that(placed, 9, || format!("{} has no place in memory", field.name))?;
        Ok(field.layout.as_ref().map(|layout| (field, layout)))
    }

    /// The stored points of a field along a dimension that loops reach, before offset and padding.
    fn stored_range(&self, field: &Field, d: usize, loops: &[Around]) -> (i64, i64) {
        let window = field.window.as_ref().map_or(0, |w| w.from[d] as i64);
        let (mut from, mut to) = (0, self.program.decls.dims[d].size as i64);
        let mut tile = None;
        for &Around { form, step, .. } in loops.iter().filter(|a| a.dim == d) {
            match form {
                LoopForm::Tiles { from: first, to: last, size, .. } => {
                    (from, to) = (first, last);
                    tile = Some(size as i64);
                }
                LoopForm::Points { from: first, to: last, .. } => (from, to) = (first, last),
                LoopForm::Tile { before, after, .. } => {
                    if let (Some(size), FieldKind::Tile) = (tile, &field.kind) {
                        let points = size.min(to.saturating_sub(from)).saturating_add(after);
                        return (before.saturating_neg(), points.saturating_sub(step as i64 - 1));
                    }
                    (from, to) = (from.saturating_sub(before), to.saturating_add(after));
                }
            }
            // The last round begins at its first plane.
            to = to.saturating_sub(step as i64 - 1);
        }
        (from.saturating_sub(window), to.saturating_sub(window))
    }

    fn value(
        &self,
        id: ExprId,
        inside: Option<SparseId>,
        scope: &HashSet<LocalId>,
        loops: Option<&[Around]>,
    ) -> Result<(), VerifyError> {
        self.check.expression(id, inside, |e| !matches!(e, Expr::Power(..) | Expr::Derivative(_)))?;
        let mut result = Ok(());
        self.program.exprs.visit(id, &mut |_, e| {
            if result.is_err() {
                return;
            }
            result = match e {
                Expr::Local(l) => self.check.that(scope.contains(l), 5, || format!("{l} is not defined")),
                Expr::Load(a) => self.access(a, loops),
                _ => Ok(()),
            };
        });
        result
    }
}

/// A loop around a statement.
#[derive(Clone, Copy)]
struct Around {
    dim: usize,
    form: LoopForm,
    step: usize,
}

/// Whether the rounds of a loop fill its points.
fn whole_steps(l: &Loop, loops: &[Around]) -> bool {
    let tiles = loops.iter().find(|a| a.dim == l.dim).map(|a| a.form);
    match (l.form, tiles) {
        _ if l.step == 1 => true,
        (
            LoopForm::Tile { before: 0, after: 0, simd: false },
            Some(LoopForm::Tiles { from, to, size, .. }),
        ) => l.step > 0 && to.saturating_sub(from) % l.step as i64 == 0 && size.is_multiple_of(l.step),
        (LoopForm::Points { from, to, simd: false }, _) => {
            l.step > 0 && to.saturating_sub(from) % l.step as i64 == 0
        }
        _ => false,
    }
}
