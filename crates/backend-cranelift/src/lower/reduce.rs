//! Reductions: each tile leaves its result in an array, and the entry function combines them in order.

use super::effects::Run;
use super::frame::Frame;
use super::nest::Tiles;
use super::writer::{WORD, Writer};
use cranelift::prelude::*;
use wavefold_ir::SparseId;
use wavefold_ir::tree::{Loop, LoopForm, Reduction};

/// Most results of tiles that are kept at a time; a loop of more tiles runs in parts.
const PARTIALS: i64 = 1024;

impl<'a> Writer<'a, '_> {
    /// Reduces the values of a nest to the value of `series` at the current step.
    pub(super) fn reduce(
        &mut self,
        series: SparseId,
        op: Reduction,
        outer: &'a Loop,
        source: &str,
        run: &Run,
    ) {
        let LoopForm::Tiles { from, to, size, parallel } = outer.form else { return }; // Excluded by T8.
        let tiles = Tiles::new(from, to, size).count;
        let mut result = self.b.ins().f64const(op.identity());
        if tiles > 0 {
            let notes = if source.is_empty() { vec![] } else { vec![source.to_string()] };
            let body = self.nest_task(outer, true, Some(op), notes);
            let (kept, size) = (tiles.min(PARTIALS), 8 * tiles.min(PARTIALS) as u32);
            let slot =
                self.b.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, size, 4));
            let partials = self.b.ins().stack_addr(WORD, slot, 0);
            self.set_frame(partials, Frame::PARTIALS);
            let start = self.whole(0);
            let (block, state) = self.enter_loop(&[start, result]);
            self.set_frame(state[0], Frame::FIRST_TILE);
            let left = self.whole(tiles);
            let left = self.b.ins().isub(left, state[0]);
            let most = self.whole(kept);
            let count = self.b.ins().smin(left, most);
            self.run_tiles(parallel, body, count);
            result = self.combined(op, state[1], partials, count);
            let next = self.b.ins().iadd_imm_s(state[0], kept);
            let again = self.b.ins().icmp_imm_s(IntCC::SignedLessThan, next, tiles);
            self.close_loop(block, again, &[next, result]);
        }
        let mut point = self.sparse_set(series, run.t);
        point.point = self.whole(0);
        self.store_sparse(series, 0, result, point);
    }

    /// Combines the results of `count` tiles with `result`.
    fn combined(&mut self, op: Reduction, result: Value, partials: Value, count: Value) -> Value {
        let start = self.whole(0);
        let (block, state) = self.enter_loop(&[start, result]);
        let offset = self.b.ins().imul_imm_s(state[0], 8);
        let address = self.b.ins().iadd(partials, offset);
        let partial = self.b.ins().load(types::F64, MemFlagsData::trusted(), address, 0);
        let result = self.combine(op, state[1], partial);
        let next = self.b.ins().iadd_imm_s(state[0], 1);
        let again = self.b.ins().icmp(IntCC::SignedLessThan, next, count);
        self.close_loop(block, again, &[next, result]);
        result
    }

    /// Combines a result so far with a value, both doubles.
    fn combine(&mut self, op: Reduction, so_far: Value, value: Value) -> Value {
        match op {
            Reduction::Sum => self.b.ins().fadd(so_far, value),
            Reduction::Min => self.choose(FloatCC::LessThan, value, so_far, types::F64),
            Reduction::Max => self.choose(FloatCC::GreaterThan, value, so_far, types::F64),
        }
    }

    /// Combines a value, or each lane of a vector in order, with a result so far.
    pub(super) fn accumulate(&mut self, op: Reduction, mut so_far: Value, value: Value, ty: Type) -> Value {
        for lane in 0..ty.lane_count() as u8 {
            let mut one = if ty.is_vector() { self.b.ins().extractlane(value, lane) } else { value };
            if ty.lane_type() == types::F32 {
                one = self.b.ins().fpromote(types::F64, one);
            }
            so_far = self.combine(op, so_far, one);
        }
        so_far
    }

    /// Begins the result of a tile. It lives on the stack of the thread: rows of other tiles do not share its line.
    pub(super) fn start_partial(&mut self, op: Reduction) {
        let slot = self.b.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, 8, 4));
        let address = self.b.ins().stack_addr(WORD, slot, 0);
        let identity = self.b.ins().f64const(op.identity());
        self.b.ins().store(MemFlagsData::trusted(), identity, address, 0);
        self.partial = Some((op, address));
    }

    /// Leaves the result of a tile where the entry function finds it.
    pub(super) fn keep_partial(&mut self, index: Value) {
        let Some((_, address)) = self.partial else { return };
        let result = self.b.ins().load(types::F64, MemFlagsData::trusted(), address, 0);
        let partials = self.frame_value(WORD, Frame::PARTIALS);
        let offset = self.b.ins().imul_imm_s(index, 8);
        let place = self.b.ins().iadd(partials, offset);
        self.b.ins().store(MemFlagsData::trusted(), result, place, 0);
    }
}
