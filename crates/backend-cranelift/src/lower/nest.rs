//! Loop nests: functions that run a whole nest, or one tile of its outermost loop.

use super::frame::{Buffer, Frame, context};
use super::writer::{Place, Tile, WORD, Writer, signature};
use crate::host;
use crate::wide::Row;
use cranelift::prelude::*;
use cranelift_codegen::ir::{FuncRef, Function};
use std::rc::Rc;
use std::sync::Arc;
use wavefold_ir::tree::{Front, Loop, LoopForm, Program, Reduction, Stmt, front_head};
use wavefold_ir::{Access, FieldId, FieldKind, TicketId};

/// A loop that becomes a function `extern "C" fn(frame, index)`.
#[derive(Clone)]
pub(super) struct Task<'a> {
    /// Position among the functions of the program.
    position: u32,
    pub(super) body: Body<'a>,
    /// Run once per tile, with the number of the tile as index; otherwise it runs once.
    by_tile: bool,
    /// The places of enclosing loops.
    enclosing: [Around; 3],
    /// What the whole nest stores to.
    written: Rc<[Buffer]>,
    /// Whether it borrows memory for tile fields.
    borrows: bool,
    /// How the values of its points are combined, in a reduction.
    reduction: Option<Reduction>,
    /// Whether it runs at the first step only.
    once: bool,
    /// The equations.
    pub(super) notes: Vec<String>,
}

/// What a task does.
#[derive(Clone)]
pub(super) enum Body<'a> {
    /// A loop.
    Loop(&'a Loop),
    /// A block of a front, or the gap above it.
    Block(&'a Front, &'a [Stmt]),
    /// Something at the sparse points of a tile of a front.
    Sparse(&'a Stmt),
    /// A row in wide vectors: `extern "C" fn(arguments, points)`.
    Row(Arc<Row>),
}

/// What is known about the place along a dimension before code runs.
#[derive(Clone, Copy, Default)]
struct Around {
    /// Whether a tile loop encloses the place, and its points when all its tiles have as many.
    tile: Option<Option<i64>>,
    /// Whether a loop over points encloses it.
    point: bool,
}

impl<'a> Task<'a> {
    /// What is done once, by itself.
    pub(super) fn new(body: Body<'a>, notes: Vec<String>) -> Task<'a> {
        Task {
            position: 0,
            body,
            by_tile: false,
            enclosing: [Around::default(); 3],
            written: [].into(),
            borrows: false,
            reduction: None,
            once: false,
            notes,
        }
    }

    pub(super) fn name(&self) -> String {
        format!("wavefold_body{}", self.position)
    }
}

/// The tiles of a loop.
#[derive(Clone, Copy)]
pub(super) struct Tiles {
    from: i64,
    to: i64,
    /// Points of a tile, at most those of the loop.
    size: i64,
    /// Number of tiles.
    pub(super) count: i64,
}

impl Tiles {
    pub(super) fn new(from: i64, to: i64, size: usize) -> Tiles {
        let points = to.saturating_sub(from).max(0);
        let size = i64::try_from(size).unwrap_or(i64::MAX).min(points).max(1);
        let count = points / size + i64::from(points % size != 0);
        Tiles { from, to, size, count }
    }

    /// Points of every tile, when all have as many.
    fn points(&self) -> Option<i64> {
        (self.to.saturating_sub(self.from) % self.size == 0).then_some(self.size)
    }
}

/// The function of a task.
pub(super) fn lower<'a>(
    program: &'a Program,
    frame: &Frame,
    task: &Task<'a>,
    tasks: &mut Vec<Task<'a>>,
) -> Function {
    let mut function = Function::new();
    function.signature = signature(frame.target.default_call_conv, &[WORD, WORD], None);
    let mut builder = FunctionBuilderContext::new();
    let mut w = Writer::new(program, frame, &mut function, &mut builder, tasks);
    let index = w.parameters[1];
    // The steps of a block change its frame, and what sparse points write is not looked into.
    w.written = matches!(task.body, Body::Loop(_)).then(|| task.written.clone());
    w.once = task.once;
    w.context = w.frame_value(WORD, Frame::CONTEXT);
    if task.borrows {
        let take = w.context_word(context::TAKE_TILE);
        let host = w.context_word(context::HOST);
        w.tile_memory = w.call_pointer(take, &[host], Some(WORD));
    }
    w.enter_places(&task.enclosing);
    match &task.body {
        Body::Loop(l) => {
            for buffer in w.buffers(&l.body) {
                let origin = w.origin(buffer);
                w.origins.insert(buffer, origin);
            }
            match l.form {
                LoopForm::Tiles { from, to, size, .. } if task.by_tile => {
                    let before = w.call_host(host::FLUSH, &[]);
                    w.one_tile(task, l, Tiles::new(from, to, size), index);
                    w.call_host(host::RESTORE, before.as_slice());
                }
                _ => w.walk(l),
            }
        }
        Body::Block(front, parts) => {
            let before = w.call_host(host::FLUSH, &[]);
            w.block_of_front(front, parts, index);
            w.call_host(host::RESTORE, before.as_slice());
        }
        Body::Sparse(s) => w.in_tile(s),
        // Has code of its own.
        Body::Row(_) => {}
    }
    if let (true, Some(memory)) = (task.borrows, w.tile_memory) {
        let give = w.context_word(context::GIVE_TILE);
        let host = w.context_word(context::HOST);
        w.call_pointer(give, &[host, memory], None);
    }
    w.b.ins().return_(&[]);
    w.finish();
    function
}

impl<'a> Writer<'a, '_> {
    /// Runs a nest: through the runtime when its outermost loop is parallel.
    pub(super) fn nest(&mut self, l: &'a Loop, source: &[String]) {
        let count = match l.form {
            LoopForm::Tiles { from, to, size, .. } => Tiles::new(from, to, size).count,
            LoopForm::Points { from, to, .. } => to.saturating_sub(from),
            LoopForm::Tile { .. } => 0, // Excluded by invariant T8.
        };
        if count <= 0 {
            return;
        }
        let by_tile = matches!(l.form, LoopForm::Tiles { parallel: true, .. });
        let body = self.nest_task(l, by_tile, None, source.to_vec());
        if by_tile {
            let count = self.whole(count);
            self.run_tiles(true, body, count);
        } else {
            let once = self.whole(0);
            self.b.ins().call(body, &[self.frame, once]);
        }
    }

    /// The function of a nest.
    pub(super) fn nest_task(
        &mut self,
        l: &'a Loop,
        by_tile: bool,
        reduction: Option<Reduction>,
        notes: Vec<String>,
    ) -> FuncRef {
        let task = self.of_nest(l, by_tile, reduction, notes);
        self.add_task(task)
    }

    /// The task of a nest.
    fn of_nest(
        &self,
        l: &'a Loop,
        by_tile: bool,
        reduction: Option<Reduction>,
        notes: Vec<String>,
    ) -> Task<'a> {
        let mut written = Vec::new();
        let program = self.program;
        let collect = &mut |s: &Stmt| match s {
            Stmt::Assign { target, .. } | Stmt::Inject { target, .. } => {
                written.push(self.layout.buffer(program, target));
            }
            Stmt::Part { slice, decode: true, .. } => {
                let target = Access::here(slice.field, slice.time);
                written.push(self.layout.buffer(program, &target));
            }
            _ => {}
        };
        l.body.iter().for_each(|s| s.visit(collect));
        written.sort();
        written.dedup();
        let is_tile = |b: &Buffer| program.decls.field(b.field).kind == FieldKind::Tile;
        let borrows = self.buffers(&l.body).iter().any(is_tile);
        let task = Task::new(Body::Loop(l), notes);
        Task { by_tile, written: written.into(), borrows, reduction, once: self.once, ..task }
    }

    /// Numbers a task and keeps it for later.
    pub(super) fn add_task(&mut self, mut task: Task<'a>) -> FuncRef {
        // The entry function is the first of the program, the tasks follow.
        task.position = self.tasks.len() as u32;
        let signature = signature(self.layout.target.default_call_conv, &[WORD, WORD], None);
        let body = self.import(host::COUNT + 1 + task.position, signature);
        self.tasks.push(task);
        body
    }

    /// Calls `body(frame, 0 .. count)`, on the threads of the runtime or here, one after the other.
    pub(super) fn run_tiles(&mut self, parallel: bool, body: FuncRef, count: Value) {
        if parallel {
            let frame = self.frame_for_task();
            let run = self.context_word(context::PARALLEL);
            let body = self.b.ins().func_addr(WORD, body);
            self.call_pointer(run, &[self.context, count, body, frame], None);
            return;
        }
        let first = self.whole(0);
        let (block, at) = self.enter_loop(&[first]);
        self.b.ins().call(body, &[self.frame, at[0]]);
        let next = self.b.ins().iadd_imm_s(at[0], 1);
        let again = self.b.ins().icmp(IntCC::SignedLessThan, next, count);
        self.close_loop(block, again, &[next]);
    }

    /// The function of a part of a front, for the tile whose place is in the frame.
    pub(super) fn part_task(&mut self, s: &'a Stmt) -> Option<FuncRef> {
        let cut = Front::shared(self.program.decls.rank()) + 1;
        let task = match s {
            Stmt::Nest { outer, source } => self.of_nest(outer, false, None, source.clone()),
            Stmt::Inject { source, .. } | Stmt::Interpolate { source, .. } => {
                Task::new(Body::Sparse(s), vec![source.clone()])
            }
            _ => return None,
        };
        let enclosing = std::array::from_fn(|d| Around { tile: (d < cut).then_some(None), point: false });
        Some(self.add_task(Task { enclosing, ..task }))
    }

    /// The function of the blocks of a front.
    pub(super) fn block_task(&mut self, front: &'a Front, parts: &'a [Stmt]) -> FuncRef {
        let task = Task::new(Body::Block(front, parts), vec![front_head(front, &self.program.decls)]);
        self.add_task(Task { by_tile: true, ..task })
    }

    /// A parallel loop inside others.
    fn parallel_inside(&mut self, l: &'a Loop, tiles: Tiles) {
        let enclosing =
            self.places.map(|p| Around { tile: p.tile.map(|t| t.points), point: p.point.is_some() });
        let written = self.written.clone().unwrap_or_default();
        let task = Task::new(Body::Loop(l), vec![]);
        let body = self.add_task(Task { by_tile: true, enclosing, written, once: self.once, ..task });
        let count = self.whole(tiles.count);
        self.run_tiles(true, body, count);
    }

    /// The frame itself at the top of a nest; inside loops a copy with their places, since other threads may be at
    /// other places.
    fn frame_for_task(&mut self) -> Value {
        if self.places.iter().all(|p| p.tile.is_none() && p.point.is_none()) && self.tile_memory.is_none() {
            return self.frame;
        }
        let (copy, flags) = (self.frame_copy(), MemFlagsData::trusted());
        for d in 0..3 {
            let at = self.layout.place(d);
            if let Some(tile) = self.places[d].tile {
                self.b.ins().store(flags, tile.lo, copy, at);
                self.b.ins().store(flags, tile.hi, copy, at + 8);
            }
            if let Some(point) = self.places[d].point {
                self.b.ins().store(flags, point, copy, at + 16);
            }
        }
        copy
    }

    /// Another frame with the same words but for places.
    fn frame_copy(&mut self) -> Value {
        let size = self.layout.size();
        let slot = self.b.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, size, 4));
        let copy = self.b.ins().stack_addr(WORD, slot, 0);
        for word in 0..self.layout.place(0) / 8 {
            let value = match self.tile_memory {
                Some(memory) if 8 * word == Frame::TILE_MEMORY => memory,
                _ => self.frame_value(WORD, 8 * word),
            };
            self.b.ins().store(MemFlagsData::trusted(), value, copy, 8 * word);
        }
        copy
    }

    /// Goes on with a frame of its own.
    pub(super) fn copy_frame(&mut self) {
        self.frame = self.frame_copy();
    }

    /// Reads the places of enclosing loops from the frame.
    fn enter_places(&mut self, enclosing: &[Around; 3]) {
        for (d, around) in enclosing.iter().enumerate() {
            let at = self.layout.place(d);
            let tile = around.tile.map(|points| Tile {
                lo: self.frame_value(WORD, at),
                hi: self.frame_value(WORD, at + 8),
                points,
            });
            let point = around.point.then(|| self.frame_value(WORD, at + 16));
            self.places[d] = Place { tile, point };
        }
    }

    /// The tile with number `index` of the outermost loop.
    fn one_tile(&mut self, task: &Task<'a>, l: &'a Loop, tiles: Tiles, index: Value) {
        let Some(op) = task.reduction else {
            self.numbered_tile(l, tiles, index);
            return;
        };
        self.start_partial(op);
        let first = self.frame_value(WORD, Frame::FIRST_TILE);
        let number = self.b.ins().iadd(first, index);
        self.numbered_tile(l, tiles, number);
        self.keep_partial(index);
    }

    fn numbered_tile(&mut self, l: &'a Loop, tiles: Tiles, number: Value) {
        let mut lo = self.b.ins().imul_imm_s(number, tiles.size);
        if tiles.from != 0 {
            lo = self.b.ins().iadd_imm_s(lo, tiles.from);
        }
        self.tile(l, lo, tiles);
    }

    /// A loop and everything in it.
    pub(super) fn walk(&mut self, l: &'a Loop) {
        match l.form {
            LoopForm::Tiles { from, to, size, parallel } => {
                let tiles = Tiles::new(from, to, size);
                if tiles.count == 0 {
                    return;
                }
                // A reduction takes its values in order.
                if parallel && self.partial.is_none() {
                    self.parallel_inside(l, tiles);
                } else {
                    self.tiles(l, tiles);
                }
            }
            LoopForm::Points { from, to, .. } if to <= from => {}
            LoopForm::Points { simd, .. } | LoopForm::Tile { simd, .. }
                if l.dim + 1 == self.program.decls.rank() =>
            {
                self.row(l, simd);
            }
            LoopForm::Points { .. } | LoopForm::Tile { .. } => self.points(l),
        }
    }

    fn tiles(&mut self, l: &'a Loop, tiles: Tiles) {
        let start = self.whole(tiles.from);
        let (block, at) = self.enter_loop(&[start]);
        self.tile(l, at[0], tiles);
        let next = self.b.ins().iadd_imm_s(at[0], tiles.size);
        let again = self.b.ins().icmp_imm_s(IntCC::SignedLessThan, next, tiles.to);
        self.close_loop(block, again, &[next]);
    }

    /// One tile, which begins at `lo`.
    fn tile(&mut self, l: &'a Loop, lo: Value, tiles: Tiles) {
        let points = tiles.points();
        let mut hi = self.b.ins().iadd_imm_s(lo, tiles.size);
        if points.is_none() {
            let end = self.whole(tiles.to);
            hi = self.b.ins().smin(hi, end);
        }
        let before = self.places[l.dim];
        self.places[l.dim].tile = Some(Tile { lo, hi, points });
        self.block(&l.body);
        self.places[l.dim] = before;
    }

    /// A loop over points of a dimension that is not the last.
    fn points(&mut self, l: &'a Loop) {
        let (start, end) = (self.first(l), self.end(l));
        let before = self.places[l.dim];
        let (block, at) = self.enter_loop(&[start]);
        self.places[l.dim].point = Some(at[0]);
        self.block(&l.body);
        self.places[l.dim] = before;
        let next = self.b.ins().iadd_imm_s(at[0], l.step as i64);
        let again = self.b.ins().icmp(IntCC::SignedLessThan, next, end);
        self.close_loop(block, again, &[next]);
    }

    /// The first point of a loop over points.
    pub(super) fn first(&mut self, l: &Loop) -> Value {
        match (l.form, self.places[l.dim].tile) {
            (LoopForm::Tile { before: 0, .. }, Some(tile)) => tile.lo,
            (LoopForm::Tile { before, .. }, Some(tile)) => {
                self.b.ins().iadd_imm_s(tile.lo, before.wrapping_neg())
            }
            (LoopForm::Points { from, .. } | LoopForm::Tiles { from, .. }, _) => self.whole(from),
            (LoopForm::Tile { .. }, None) => self.whole(0), // Excluded by invariant T8.
        }
    }

    /// The point after the last of a loop over points, which is not empty.
    pub(super) fn end(&mut self, l: &Loop) -> Value {
        match (l.form, self.places[l.dim].tile) {
            (LoopForm::Tile { after: 0, .. }, Some(tile)) => tile.hi,
            (LoopForm::Tile { after, .. }, Some(tile)) => self.b.ins().iadd_imm_s(tile.hi, after),
            (LoopForm::Points { to, .. } | LoopForm::Tiles { to, .. }, _) => self.whole(to),
            (LoopForm::Tile { .. }, None) => self.whole(1), // Excluded by invariant T8.
        }
    }

    /// The number of points of a loop over points, when it is known now.
    pub(super) fn length(&self, l: &Loop) -> Option<i64> {
        match l.form {
            LoopForm::Tile { before, after, .. } => {
                let points = self.places[l.dim].tile?.points?;
                Some(points.saturating_add(before).saturating_add(after))
            }
            LoopForm::Points { from, to, .. } | LoopForm::Tiles { from, to, .. } => {
                Some(to.saturating_sub(from))
            }
        }
    }

    fn block(&mut self, body: &'a [Stmt]) {
        for s in body {
            // Point statements lie in loops over the last dimension (T8), which are rows.
            match s {
                Stmt::Loop(l) => self.walk(l),
                Stmt::Part { ticket, slice, .. } => self.part(*ticket, slice.field),
                Stmt::Inject { .. } => self.in_tile(s),
                _ => {}
            }
        }
    }

    /// Moves the points of the current tiles.
    fn part(&mut self, ticket: TicketId, slice: FieldId) {
        let number = self.frame_value(WORD, self.layout.ticket(ticket));
        let mut arguments = vec![self.context_word(context::HOST), number];
        for dim in 0..2 {
            let (lo, hi) = match self.places[dim].tile {
                Some(tile) => (tile.lo, tile.hi),
                None => (self.whole(0), self.whole(self.program.decls.dims[dim].size as i64)),
            };
            arguments.extend([lo, hi]);
        }
        let tile = match (&self.program.decls.field(slice).kind, self.tile_memory) {
            (FieldKind::Tile, Some(memory)) => memory,
            (FieldKind::Tile, None) => self.frame_value(WORD, Frame::TILE_MEMORY),
            _ => self.whole(0),
        };
        let offset = match self.program.decls.field(slice).kind {
            FieldKind::Tile => self.program.decls.tile_offset(slice) as i64,
            _ => 0,
        };
        arguments.push(self.b.ins().iadd_imm_s(tile, offset));
        let part = self.context_word(context::PART);
        self.call_pointer(part, &arguments, None);
    }
}
