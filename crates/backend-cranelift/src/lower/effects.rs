//! Statements that act on whole fields or on sparse points, and calls to the runtime.

use super::frame::{Buffer, Frame, context, sparse, table};
use super::value::{Point, SparsePoint};
use super::writer::{WORD, Writer};
use crate::host;
use cranelift::prelude::*;
use std::collections::HashMap;
use wavefold_ir::tree::{Slice, Stmt};
use wavefold_ir::{Access, ExprId, FieldId, SparseId, TableId, TicketId};

/// The state of a run that statements of the entry function need.
#[derive(Clone, Copy)]
pub(super) struct Run {
    /// How the thread treated denormals before the kernel.
    pub(super) mode: Value,
    /// Block that leaves the kernel with a status.
    pub(super) leave: Block,
    /// The current step.
    pub(super) t: Value,
    /// The first step; `None` outside the time loop.
    pub(super) first: Option<Value>,
}

impl Writer<'_, '_> {
    /// One effect.
    pub(super) fn effect(&mut self, s: &Stmt, run: &Run) {
        match *s {
            Stmt::Inject { sparse, table, target, value, .. } => {
                self.inject((sparse, table), target, value, run.t);
            }
            Stmt::Interpolate { sparse, table, time, value, increment, .. } => {
                self.interpolate((sparse, table), time, value, increment, run.t);
            }
            Stmt::Compress { ticket, store, time, slice, rows, .. } => {
                self.start(context::COMPRESS, ticket, (store, time), slice, rows, run);
            }
            Stmt::Decompress { ticket, store, time, slice, rows } => {
                self.start(context::DECOMPRESS, ticket, (store, time), slice, rows, run);
            }
            Stmt::Wait(ticket) => {
                let status = self.wait(ticket, run);
                self.leave_unless_zero(status, run);
            }
            _ => {}
        }
    }

    /// Tells the runtime that steps begin.
    pub(super) fn begin_steps(&mut self, run: &Run, count: Value) {
        let parallel = self.context_word(context::PARALLEL);
        let arguments = [self.context, run.t, count, parallel];
        let status = self.outside(context::STEP, &arguments, types::I32, run);
        self.leave_unless_zero(status, run);
    }

    /// Waits for a ticket; the status.
    pub(super) fn wait(&mut self, ticket: TicketId, run: &Run) -> Option<Value> {
        let number = self.frame_value(WORD, self.layout.ticket(ticket));
        let parallel = self.context_word(context::PARALLEL);
        self.outside(context::WAIT, &[self.context, number, parallel], types::I32, run)
    }

    /// Leaves the kernel with a status that is not 0.
    pub(super) fn leave_unless_zero(&mut self, status: Option<Value>, run: &Run) {
        let Some(status) = status else { return };
        let on = self.b.create_block();
        self.branch(status, (run.leave, &[status]), (on, &[]));
        self.b.switch_to_block(on);
    }

    /// Calls a callback of the context with denormals as the caller of the kernel has them: the runtime's own
    /// arithmetic does not depend on which thread does it.
    fn outside(&mut self, callback: i32, arguments: &[Value], result: Type, run: &Run) -> Option<Value> {
        let callback = self.context_word(callback);
        self.call_host(host::RESTORE, &[run.mode]);
        let result = self.call_pointer(callback, arguments, Some(result));
        self.call_host(host::FLUSH, &[]);
        result
    }

    /// Starts a compression or decompression, and keeps its ticket.
    fn start(
        &mut self,
        callback: i32,
        ticket: TicketId,
        (store, time): (FieldId, i32),
        slice: Slice,
        rows: usize,
        run: &Run,
    ) {
        let every = self.program.decls.field(store).every();
        let snapshot = self.snapshot(run.t, every, time);
        let store = self.whole(store.0 as i64);
        let field = self.whole(slice.field.0 as i64);
        let buffer = self.layout.buffer(self.program, &Access::here(slice.field, slice.time));
        let slot = match buffer.slot {
            Some(slot) => self.frame_value(WORD, self.layout.slot(slot)),
            None => self.whole(0),
        };
        let parallel = self.context_word(context::PARALLEL);
        let rows = self.whole(rows as i64);
        let arguments = [self.context, store, snapshot, field, slot, rows, parallel];
        let Some(number) = self.outside(callback, &arguments, WORD, run) else { return };
        let refused = self.b.ins().icmp_imm_s(IntCC::SignedLessThan, number, 0);
        let negated = self.b.ins().ineg(number);
        let status = self.b.ins().ireduce(types::I32, negated);
        let on = self.b.create_block();
        self.branch(refused, (run.leave, &[status]), (on, &[]));
        self.b.switch_to_block(on);
        self.set_frame(number, self.layout.ticket(ticket));
    }

    /// `target += weight * value` at every corner around every point.
    fn inject(&mut self, (sparse, table): (SparseId, TableId), target: Access, value: ExprId, t: Value) {
        let mut loads = self.program.exprs.loads(value);
        loads.push(target);
        self.sparse_loop(sparse, t, |w, s| {
            w.corners(table, s, &loads, &[], |w, weight, point, _| {
                w.inject_at(&target, value, weight, point);
                vec![]
            });
        });
    }

    /// `target += weight * value` at a corner.
    fn inject_at(&mut self, target: &Access, value: ExprId, weight: Value, point: &Point) {
        // A branch, since a store may round what was there.
        let weighted = self.weighted(weight);
        self.guard(weighted, |w| {
            let value = w.evaluate(value, point);
            let weighted = w.b.ins().fmul(weight, value);
            let old = w.load(target, point);
            let sum = w.b.ins().fadd(old, weighted);
            w.store(target, sum, point);
        });
    }

    /// The weighted mean of `value` over the corners around every point.
    fn interpolate(
        &mut self,
        (sparse, table): (SparseId, TableId),
        time: i32,
        value: ExprId,
        increment: bool,
        t: Value,
    ) {
        self.sparse_loop(sparse, t, |w, s| w.sample((sparse, table), time, value, increment, s));
    }

    /// The weighted mean of `value` over the corners around a point.
    fn sample(
        &mut self,
        (sparse, table): (SparseId, TableId),
        time: i32,
        value: ExprId,
        increment: bool,
        s: SparsePoint,
    ) {
        let loads = self.program.exprs.loads(value);
        let zero = self.constant(0.0, self.element());
        let mut result = self.corners(table, s, &loads, &[zero], |w, weight, point, sum| {
            let value = w.evaluate(value, point);
            let more = w.b.ins().fma(weight, value, sum[0]);
            let weighted = w.weighted(weight);
            vec![w.b.ins().select(weighted, more, sum[0])]
        })[0];
        if increment {
            let old = self.load_sparse(sparse, time, s);
            result = self.b.ins().fadd(old, result);
        }
        self.store_sparse(sparse, time, result, s);
    }

    /// A statement at the sparse points that lie in the tile at hand.
    pub(super) fn in_tile(&mut self, s: &Stmt) {
        let t = self.frame_value(WORD, Frame::STEP);
        match *s {
            Stmt::Inject { sparse, table, target, value, .. } => {
                let mut loads = self.program.exprs.loads(value);
                loads.push(target);
                let corners = self.program.decls.table(table).corners as i64;
                self.planes(table, table::CORNERS, |w, corner| {
                    let point = w.b.ins().sdiv_imm_s(corner, corners);
                    let s = SparsePoint { point, ..w.sparse_set(sparse, t) };
                    w.at_corner(table, s, corner, &loads, |w, weight, point| {
                        w.inject_at(&target, value, weight, point);
                    });
                });
            }
            Stmt::Interpolate { sparse, table, time, value, increment, .. } => {
                self.planes(table, table::POINTS, |w, point| {
                    let s = SparsePoint { point, ..w.sparse_set(sparse, t) };
                    w.sample((sparse, table), time, value, increment, s);
                });
            }
            _ => {}
        }
    }

    /// A loop over the entries of a table that lie in the tile at hand.
    fn planes(&mut self, table: TableId, list: i32, body: impl FnOnce(&mut Self, Value)) {
        let Some(tile) = self.places[0].tile else { return };
        let entry = self.table(table);
        let firsts = self.constant_word(entry, list + table::FIRST);
        let entries = self.constant_word(entry, list + table::ENTRIES);
        // Entries of neighbouring planes follow each other.
        let first = |w: &mut Self, plane: Value| {
            let offset = w.b.ins().imul_imm_s(plane, 8);
            let address = w.b.ins().iadd(firsts, offset);
            w.constant_word(address, 0)
        };
        let (low, high) = (first(self, tile.lo), first(self, tile.hi));
        let rows = self.places[1].tile.filter(|_| self.program.decls.rank() == 3);
        self.through(low, high, 1, |w, at| {
            let offset = w.b.ins().imul_imm_s(at, 16);
            let address = w.b.ins().iadd(entries, offset);
            let index = w.constant_word(address, 0);
            let Some(rows) = rows else { return body(w, index) };
            let y = w.constant_word(address, 8);
            let above = w.b.ins().icmp(IntCC::SignedGreaterThanOrEqual, y, rows.lo);
            let below = w.b.ins().icmp(IntCC::SignedLessThan, y, rows.hi);
            let inside = w.b.ins().band(above, below);
            w.guard(inside, |w| body(w, index));
        });
    }

    /// Whether a corner has weight: where it has none, the value may be NaN.
    fn weighted(&mut self, weight: Value) -> Value {
        let zero = self.constant(0.0, self.element());
        self.b.ins().fcmp(FloatCC::NotEqual, weight, zero)
    }

    /// A set of points, at its first one.
    pub(super) fn sparse_set(&mut self, set: SparseId, t: Value) -> SparsePoint {
        let sets = self.context_word(context::SPARSE);
        let set = self.b.ins().iadd_imm_s(sets, set.0 as i64 * sparse::SIZE);
        let points = self.constant_word(set, sparse::POINTS);
        let values = self.constant_word(set, sparse::VALUES);
        SparsePoint { values, points, point: self.whole(0), t }
    }

    /// A loop over the points of a set.
    fn sparse_loop(&mut self, set: SparseId, t: Value, body: impl FnOnce(&mut Self, SparsePoint)) {
        let first = self.sparse_set(set, t);
        self.through(first.point, first.points, 1, |w, point| body(w, SparsePoint { point, ..first }));
    }

    fn constant_word(&mut self, address: Value, offset: i32) -> Value {
        self.b.ins().load(WORD, Self::constant_flags(), address, offset)
    }

    /// The position of the first corner around a sparse point in a table.
    fn first_corner(&mut self, table: TableId, s: SparsePoint) -> Value {
        let decl = self.program.decls.table(table);
        let mut row = s.point;
        if decl.moving {
            let rows_before = self.b.ins().imul(s.t, s.points);
            row = self.b.ins().iadd(rows_before, s.point);
        }
        self.b.ins().imul_imm_s(row, decl.corners as i64)
    }

    /// A loop over the corners around a sparse point. `body` gets the weight, the corner, and the values that the
    /// loop carries, and returns the new ones.
    fn corners(
        &mut self,
        table: TableId,
        s: SparsePoint,
        accesses: &[Access],
        carried: &[Value],
        body: impl FnOnce(&mut Self, Value, &Point, &[Value]) -> Vec<Value>,
    ) -> Vec<Value> {
        let first = self.first_corner(table, s);
        let last = self.b.ins().iadd_imm_s(first, self.program.decls.table(table).corners as i64);
        let (block, state) = self.enter_loop(&[&[first], carried].concat());
        let mut next = vec![self.b.ins().iadd_imm_s(state[0], 1)];
        let mut more = vec![];
        self.at_corner(table, s, state[0], accesses, |w, weight, point| {
            more = body(w, weight, point, &state[1..]);
        });
        next.extend(more);
        let again = self.b.ins().icmp(IntCC::SignedLessThan, next[0], last);
        self.close_loop(block, again, &next);
        next.split_off(1)
    }

    /// The entry of the context for a table.
    fn table(&mut self, table: TableId) -> Value {
        let tables = self.context_word(context::TABLES);
        self.b.ins().iadd_imm_s(tables, table.0 as i64 * table::SIZE)
    }

    /// Corner `corner` of a table: `body` gets its weight, and the corner as a point.
    fn at_corner(
        &mut self,
        table: TableId,
        s: SparsePoint,
        corner: Value,
        accesses: &[Access],
        body: impl FnOnce(&mut Self, Value, &Point),
    ) {
        let rank = self.program.decls.rank();
        let (ty, bytes) = (self.element(), self.bytes());
        let entry = self.table(table);
        let cells = self.constant_word(entry, table::CELLS);
        let weights = self.constant_word(entry, table::WEIGHTS);
        let offset = self.b.ins().imul_imm_s(corner, bytes);
        let address = self.b.ins().iadd(weights, offset);
        let weight = self.b.ins().load(ty, Self::constant_flags(), address, 0);
        let offset = self.b.ins().imul_imm_s(corner, 4 * rank as i64);
        let cell = self.b.ins().iadd(cells, offset);
        let indices: Vec<Value> =
            (0..rank as i32).map(|d| self.b.ins().sload32(Self::constant_flags(), cell, 4 * d)).collect();
        let mut at: Vec<(Buffer, Value)> = Vec::new();
        for access in accesses {
            let buffer = self.layout.buffer(self.program, access);
            if at.iter().all(|(b, _)| *b != buffer) {
                let address = self.address(buffer, &indices);
                at.push((buffer, address));
            }
        }
        let indices = std::array::from_fn(|d| indices.get(d).copied());
        body(self, weight, &Point { ty, at: &at, indices, locals: &HashMap::new(), sparse: Some(s) });
    }
}
