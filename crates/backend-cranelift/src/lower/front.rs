//! Fronts: a function for a block, which calls those of the parts of a step, tile by tile.

use super::effects::Run;
use super::frame::{Frame, context};
use super::writer::{WORD, Writer};
use cranelift::prelude::*;
use wavefold_ir::Direction;
use wavefold_ir::tree::{Front, Lag, Stmt};

/// A block of a front, or the gap above it.
struct Block {
    front: Front,
    gaps: Value,
    /// Whether another block lies below and above.
    below: Value,
    above: Value,
    /// The edges to these.
    low: Value,
    high: Value,
}

impl<'a> Writer<'a, '_> {
    /// A group of steps: blocks in parallel, then the gaps between them.
    pub(super) fn front(&mut self, front: &'a Front, parts: &'a [Stmt]) {
        let blocks = front.blocks(parts, self.program.decls.rank());
        let body = self.block_task(front, parts);
        for (gaps, count) in [(0, blocks), (1, blocks - 1)] {
            if count > 0 {
                let (gaps, count) = (self.whole(gaps), self.whole(count));
                self.set_frame(gaps, Frame::GAPS);
                self.run_tiles(true, body, count);
            }
        }
    }

    /// What the steps of a group do outside of their front, in turn.
    pub(super) fn steps_of_group(&mut self, body: &'a [Stmt], run: &Run) {
        let (Some((direction, slots)), Some(first)) = (self.program.time(), run.first) else { return };
        let steps = self.frame_value(WORD, Frame::STEPS);
        self.steps((run.t, first, steps), direction, slots, |w, _, t| w.run(body, &Run { t, ..*run }));
        // The front begins where they did.
        self.enter_step((run.t, run.first), slots, self.program.step_scalars(), direction);
    }

    /// Block `index`, or the gap above it.
    pub(super) fn block_of_front(&mut self, front: &'a Front, parts: &'a [Stmt], index: Value) {
        let Some((direction, slots)) = self.program.time() else { return };
        let rank = self.program.decls.rank();
        let shared = Front::shared(rank);
        let gaps = self.frame_value(WORD, Frame::GAPS);
        let steps = self.frame_value(WORD, Frame::STEPS);
        let start = self.frame_value(WORD, Frame::STEP);
        let first = match direction {
            Direction::Ascending => self.context_word(context::TIME_MIN),
            Direction::Descending => self.context_word(context::TIME_MAX),
        };
        self.copy_frame();
        let (from, to) = Front::bounds(parts, shared);
        let block = self.b.ins().iadd(index, gaps);
        let low = self.b.ins().imul_imm_s(block, front.block as i64);
        let low = self.b.ins().iadd_imm_s(low, from);
        let high = self.b.ins().iadd_imm_s(low, front.block as i64);
        let last = front.blocks(parts, rank) - 1;
        let below = self.b.ins().icmp_imm_s(IntCC::SignedGreaterThan, block, 0);
        let above = self.b.ins().icmp_imm_s(IntCC::SignedLessThan, block, last);
        let block = Block { front: *front, gaps, below, above, low, high };
        let most = front.reach(1, parts);
        let more = self.b.ins().iadd_imm_s(steps, -1);
        let reach = self.lag(most, front.period, more);
        let (gap, end) = (self.b.ins().iadd(reach.0, reach.1), self.b.ins().iadd_imm_s(reach.0, to));
        let gap = self.b.ins().iadd(low, gap);
        let end = self.b.ins().select(above, high, end);
        let after = self.b.ins().select(gaps, gap, end);
        let chunk = (0, front.chunk as i64);
        if shared == 1 {
            let (from, to) = Front::bounds(parts, 0);
            let x_after = self.b.ins().iadd_imm_s(reach.0, to);
            self.through(low, after, front.strip as i64, |w, y| {
                let x_first = w.whole(from);
                w.through(x_first, x_after, chunk.1, |w, x| {
                    w.steps((start, first, steps), direction, slots, |w, step, _| {
                        w.parts(&block, parts, step, [(x, x_after), (y, after)]);
                    });
                });
            });
        } else {
            self.through(low, after, chunk.1, |w, x| {
                w.steps((start, first, steps), direction, slots, |w, step, _| {
                    w.parts(&block, parts, step, [(x, after), (x, after)]);
                });
            });
        }
    }

    /// `lag + steps * period`, ahead and back.
    fn lag(&mut self, lag: Lag, period: Lag, steps: Value) -> (Value, Value) {
        let mut along = |lag: i64, period: i64| {
            let steps = self.b.ins().imul_imm_s(steps, period);
            self.b.ins().iadd_imm_s(steps, lag)
        };
        (along(lag.ahead, period.ahead), along(lag.back, period.back))
    }

    /// The steps of a group, each with its slots and scalars in the frame: its number, and where it is in time.
    fn steps(
        &mut self,
        (start, first, steps): (Value, Value, Value),
        direction: Direction,
        slots: &[wavefold_ir::tree::Slot],
        body: impl FnOnce(&mut Self, Value, Value),
    ) {
        let zero = self.whole(0);
        self.through(zero, steps, 1, |w, step| {
            let t = match direction {
                Direction::Ascending => w.b.ins().iadd(start, step),
                Direction::Descending => w.b.ins().isub(start, step),
            };
            let scalars = w.program.step_scalars();
            w.enter_step((t, Some(first)), slots, scalars, direction);
            body(w, step, t);
        });
    }

    /// The parts of a step, for a tile: per dimension its first point, and where tiles end.
    fn parts(&mut self, block: &Block, parts: &'a [Stmt], step: Value, at: [(Value, Value); 2]) {
        let shared = Front::shared(self.program.decls.rank());
        for part in parts {
            let Stmt::Lagged { lag, from, to, body } = part else { continue };
            let (ahead, back) = self.lag(*lag, block.front.period, step);
            let mut any = None;
            for dim in 0..=shared {
                let size = if dim == 1 { block.front.strip } else { block.front.chunk };
                let (first, after) = at[dim];
                let last = self.b.ins().iadd_imm_s(first, size as i64);
                let last = self.b.ins().smin(last, after);
                let (lo, hi) = (self.b.ins().isub(first, ahead), self.b.ins().isub(last, ahead));
                let (low, high) = (self.whole(from[dim]), self.whole(to[dim]));
                let (mut lo, mut hi) = (self.b.ins().smax(lo, low), self.b.ins().smin(hi, high));
                if dim == shared {
                    let (under, over) =
                        (self.b.ins().isub(block.low, ahead), self.b.ins().iadd(block.low, back));
                    let end = self.b.ins().isub(block.high, ahead);
                    let edge = self.b.ins().select(block.below, over, low);
                    let edge = self.b.ins().select(block.gaps, under, edge);
                    lo = self.b.ins().smax(lo, edge);
                    let edge = self.b.ins().select(block.above, end, high);
                    let edge = self.b.ins().select(block.gaps, over, edge);
                    hi = self.b.ins().smin(hi, edge);
                }
                self.set_frame(lo, self.layout.place(dim));
                self.set_frame(hi, self.layout.place(dim) + 8);
                let some = self.b.ins().icmp(IntCC::SignedLessThan, lo, hi);
                any = Some(any.map_or(some, |any| self.b.ins().band(any, some)));
            }
            let Some(any) = any else { continue };
            self.guard(any, |w| w.calls(body));
        }
    }

    /// Calls the functions of a part, at the steps that are meant.
    fn calls(&mut self, body: &'a [Stmt]) {
        for s in body {
            if let Stmt::When { every, body } = s {
                let t = self.frame_value(WORD, Frame::STEP);
                let rest = self.b.ins().srem_imm_s(t, (*every).max(1) as i64);
                let now = self.b.ins().icmp_imm_s(IntCC::Equal, rest, 0);
                self.guard(now, |w| w.calls(body));
            } else if let Some(function) = self.part_task(s) {
                let once = self.whole(0);
                self.b.ins().call(function, &[self.frame, once]);
            }
        }
    }
}
