//! Statements that act on whole fields or on sparse points, and calls to the runtime.

use super::frame::{Buffer, context, table};
use super::value::{Point, SparsePoint};
use super::writer::{WORD, Writer};
use crate::host;
use cranelift::prelude::*;
use std::collections::HashMap;
use wavefold_ir::tree::{Slice, Stmt};
use wavefold_ir::{Access, ExprId, FieldId, SparseId, TicketId};

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
            Stmt::Inject { sparse, target, value, .. } => self.inject(sparse, target, value, run),
            Stmt::Interpolate { sparse, time, value, increment, .. } => {
                self.interpolate(sparse, time, value, increment, run);
            }
            Stmt::Compress { ticket, store, time, slice, .. } => {
                self.start(context::COMPRESS, ticket, store, time, slice, run);
            }
            Stmt::Decompress { ticket, store, time, slice } => {
                self.start(context::DECOMPRESS, ticket, store, time, slice, run);
            }
            Stmt::Wait(ticket) => {
                let number = self.frame_value(WORD, self.layout.ticket(ticket));
                self.checked(context::WAIT, number, run);
            }
            _ => {}
        }
    }

    /// Tells the runtime that a step begins.
    pub(super) fn begin_step(&mut self, run: &Run) {
        self.checked(context::STEP, run.t, run);
    }

    /// Calls `callback(host, argument)` and leaves the kernel with its status if that is not 0.
    fn checked(&mut self, callback: i32, argument: Value, run: &Run) {
        let host = self.context_word(context::HOST);
        let Some(status) = self.outside(callback, &[host, argument], types::I32, run) else { return };
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
    fn start(&mut self, callback: i32, ticket: TicketId, store: FieldId, time: i32, slice: Slice, run: &Run) {
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
        let arguments = [self.context, store, snapshot, field, slot, parallel];
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
    fn inject(&mut self, sparse: SparseId, target: Access, value: ExprId, run: &Run) {
        let mut loads = self.program.exprs.loads(value);
        loads.push(target);
        self.sparse_loop(sparse, run, |w, table, s| {
            w.corners(table, s, &loads, &[], |w, weight, point, _| {
                let value = w.evaluate(value, point);
                let weighted = w.b.ins().fmul(weight, value);
                let old = w.load(&target, point);
                let sum = w.b.ins().fadd(old, weighted);
                let new = w.if_weighted(weight, sum, old);
                w.store(&target, new, point);
                vec![]
            });
        });
    }

    /// The weighted mean of `value` over the corners around every point.
    fn interpolate(&mut self, sparse: SparseId, time: i32, value: ExprId, increment: bool, run: &Run) {
        let loads = self.program.exprs.loads(value);
        self.sparse_loop(sparse, run, |w, table, s| {
            let zero = w.constant(0.0, w.element());
            let sum = w.corners(table, s, &loads, &[zero], |w, weight, point, sum| {
                let value = w.evaluate(value, point);
                let more = w.b.ins().fma(weight, value, sum[0]);
                vec![w.if_weighted(weight, more, sum[0])]
            })[0];
            let address = w.sparse_address(sparse.index(), time, s);
            let (ty, flags) = (w.element(), MemFlagsData::trusted());
            let mut result = sum;
            if increment {
                let old = w.b.ins().load(ty, flags, address, 0);
                result = w.b.ins().fadd(old, sum);
            }
            w.b.ins().store(flags, result, address, 0);
        });
    }

    /// `new` where a corner has weight, `old` where it has none: its value may be NaN.
    fn if_weighted(&mut self, weight: Value, new: Value, old: Value) -> Value {
        let zero = self.constant(0.0, self.element());
        let weighted = self.b.ins().fcmp(FloatCC::NotEqual, weight, zero);
        self.b.ins().select(weighted, new, old)
    }

    /// A loop over the points of a set; `body` gets the address of the set's table.
    fn sparse_loop(&mut self, set: SparseId, run: &Run, body: impl FnOnce(&mut Self, Value, SparsePoint)) {
        let tables = self.context_word(context::SPARSE);
        let table = self.b.ins().iadd_imm_s(tables, set.0 as i64 * table::SIZE as i64);
        let points = self.table_word(table, table::POINTS);
        let values = self.table_word(table, table::VALUES);
        let (begin, after) = (self.b.create_block(), self.b.create_block());
        let any = self.b.ins().icmp_imm_s(IntCC::SignedGreaterThan, points, 0);
        self.branch(any, (begin, &[]), (after, &[]));
        self.b.switch_to_block(begin);
        let zero = self.whole(0);
        let (block, at) = self.enter_loop(&[zero]);
        body(self, table, SparsePoint { values, points, point: at[0], t: run.t });
        let next = self.b.ins().iadd_imm_s(at[0], 1);
        let again = self.b.ins().icmp(IntCC::SignedLessThan, next, points);
        self.close_loop(block, again, &[next]);
        self.b.ins().jump(after, &[]);
        self.b.switch_to_block(after);
    }

    fn table_word(&mut self, table: Value, offset: i32) -> Value {
        self.b.ins().load(WORD, Self::constant_flags(), table, offset)
    }

    /// A loop over the corners around a sparse point. `body` gets the weight, the corner, and the values that the
    /// loop carries, and returns the new ones.
    fn corners(
        &mut self,
        table: Value,
        s: SparsePoint,
        accesses: &[Access],
        carried: &[Value],
        body: impl FnOnce(&mut Self, Value, &Point, &[Value]) -> Vec<Value>,
    ) -> Vec<Value> {
        let rank = self.program.decls.rank();
        let corners = 1i64 << rank;
        let cells = self.table_word(table, table::CELLS);
        let weights = self.table_word(table, table::WEIGHTS);
        let (ty, bytes) = (self.element(), self.bytes());
        let first = self.b.ins().imul_imm_s(s.point, corners);
        let last = self.b.ins().iadd_imm_s(first, corners);
        let (block, state) = self.enter_loop(&[&[first], carried].concat());
        let corner = state[0];
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
        let point = Point { ty, at: &at, locals: &HashMap::new(), sparse: Some(s) };
        let mut next = vec![self.b.ins().iadd_imm_s(corner, 1)];
        next.extend(body(self, weight, &point, &state[1..]));
        let again = self.b.ins().icmp(IntCC::SignedLessThan, next[0], last);
        self.close_loop(block, again, &next);
        next.split_off(1)
    }
}
