//! The entry function: scalars, the time loop, guards.

use super::effects::Run;
use super::frame::{Frame, context};
use super::nest::Task;
use super::value::Point;
use super::writer::{WORD, Writer, signature};
use crate::host;
use cranelift::prelude::*;
use cranelift_codegen::ir::Function;
use std::collections::HashMap;
use wavefold_ir::Direction;
use wavefold_ir::abi::AGAIN;
use wavefold_ir::tree::{Program, ScalarLet, Slot, Stmt};

/// The entry function; loop bodies are added to `tasks`.
pub(super) fn lower<'a>(program: &'a Program, frame: &Frame, tasks: &mut Vec<Task<'a>>) -> Function {
    let mut function = Function::new();
    function.signature = signature(frame.target.default_call_conv, &[WORD], Some(types::I32));
    let mut builder = FunctionBuilderContext::new();
    let mut w = Writer::new(program, frame, &mut function, &mut builder, tasks);
    let slot = StackSlotData::new(StackSlotKind::ExplicitSlot, frame.size(), 4);
    let slot = w.b.create_sized_stack_slot(slot);
    w.frame = w.b.ins().stack_addr(WORD, slot, 0);
    w.set_frame(w.context, Frame::CONTEXT);
    let mode = match w.call_host(host::FLUSH, &[]) {
        Some(before) => before,
        None => w.whole(0),
    };
    let leave = w.b.create_block();
    w.b.append_block_param(leave, types::I32);
    let none = w.whole(0);
    for ticket in frame.tickets() {
        w.set_frame(none, frame.ticket(ticket));
    }
    let t = w.context_word(context::TIME_MIN);
    w.set_frame(t, Frame::STEP);
    w.scalars(&program.scalars);
    let run = Run { mode, leave, t, first: None };
    w.run(&program.body, &run);
    let success = w.b.ins().iconst(types::I32, 0);
    w.b.ins().jump(leave, &[success.into()]);
    w.b.switch_to_block(leave);
    w.call_host(host::RESTORE, &[mode]);
    let status = w.b.block_params(leave)[0];
    w.b.ins().return_(&[status]);
    w.finish();
    function
}

impl<'a> Writer<'a, '_> {
    /// Stores a word of the frame.
    pub(super) fn set_frame(&mut self, value: Value, offset: i32) {
        self.b.ins().store(MemFlagsData::trusted(), value, self.frame, offset);
    }

    /// Computes scalars of the run or of a step, in double precision.
    fn scalars(&mut self, scalars: &[ScalarLet]) {
        let locals = HashMap::new();
        for s in scalars {
            let value = self.evaluate(s.value, &Point::nowhere(types::F64, &locals));
            if let Some(offset) = self.layout.named(s.local) {
                self.set_frame(value, offset);
            }
        }
    }

    /// Statements outside loops over points.
    pub(super) fn run(&mut self, body: &'a [Stmt], run: &Run) {
        for s in body {
            match s {
                Stmt::Time { direction, slots, scalars, body } => {
                    self.time(*direction, (slots, scalars), body, run);
                }
                Stmt::First(body) => match run.first {
                    Some(first) => {
                        let now = self.b.ins().icmp(IntCC::Equal, run.t, first);
                        self.once = true;
                        self.guard(now, |w| w.run(body, run));
                        self.once = false;
                    }
                    None => self.run(body, run),
                },
                Stmt::When { every, body } => {
                    let rest = self.b.ins().srem_imm_s(run.t, (*every).max(1) as i64);
                    let now = self.b.ins().icmp_imm_s(IntCC::Equal, rest, 0);
                    self.guard(now, |w| w.run(body, run));
                }
                Stmt::Nest { source, outer } => self.nest(outer, source),
                Stmt::Front { front, body } => self.front(front, body),
                Stmt::Steps(body) => self.steps_of_group(body, run),
                Stmt::Reduce { series, op, outer, source } => self.reduce(*series, *op, outer, source, run),
                Stmt::Until { ticket, body } => {
                    let (block, _) = self.enter_loop(&[]);
                    self.run(body, run);
                    let Some(status) = self.wait(*ticket, run) else { continue };
                    let again = self.b.ins().icmp_imm_s(IntCC::Equal, status, i64::from(AGAIN));
                    self.close_loop(block, again, &[]);
                    self.leave_unless_zero(Some(status), run);
                }
                other => self.effect(other, run),
            }
        }
    }

    fn time(
        &mut self,
        direction: Direction,
        (slots, scalars): (&[Slot], &[ScalarLet]),
        body: &'a [Stmt],
        run: &Run,
    ) {
        let low = self.context_word(context::TIME_MIN);
        let high = self.context_word(context::TIME_MAX);
        let (first, last, step, on) = match direction {
            Direction::Ascending => (low, high, 1, IntCC::SignedLessThanOrEqual),
            Direction::Descending => (high, low, -1, IntCC::SignedGreaterThanOrEqual),
        };
        let after = self.b.create_block();
        let begin = self.b.create_block();
        let any = self.b.ins().icmp(on, first, last);
        self.branch(any, (begin, &[]), (after, &[]));
        self.b.switch_to_block(begin);
        let (block, at) = self.enter_loop(&[first]);
        let run = Run { t: at[0], first: Some(first), ..*run };
        let count = match self.program.front() {
            Some((front, _)) => {
                // The first step has work of its own, which must be done before the second.
                let left = match direction {
                    Direction::Ascending => self.b.ins().isub(last, run.t),
                    Direction::Descending => self.b.ins().isub(run.t, last),
                };
                let (one, most) = (self.whole(1), self.whole(front.steps as i64));
                let left = self.b.ins().iadd_imm_s(left, 1);
                let count = self.b.ins().smin(left, most);
                let is_first = self.b.ins().icmp(IntCC::Equal, run.t, first);
                self.b.ins().select(is_first, one, count)
            }
            None => self.whole(1),
        };
        self.begin_steps(&run, count);
        self.set_frame(count, Frame::STEPS);
        self.enter_step((run.t, run.first), slots, scalars, direction);
        self.run(body, &run);
        let next = self.b.ins().imul_imm_s(count, step);
        let next = self.b.ins().iadd(run.t, next);
        let again = self.b.ins().icmp(on, next, last);
        self.close_loop(block, again, &[next]);
        self.b.ins().jump(after, &[]);
        self.b.switch_to_block(after);
    }

    /// Keeps in the frame what a step needs.
    pub(super) fn enter_step(
        &mut self,
        (t, first): (Value, Option<Value>),
        slots: &[Slot],
        scalars: &[ScalarLet],
        direction: Direction,
    ) {
        for (i, slot) in slots.iter().enumerate() {
            let index = self.slot_index(slot, (t, first), direction);
            self.set_frame(index, self.layout.slot(i));
        }
        self.set_frame(t, Frame::STEP);
        self.scalars(scalars);
    }

    /// The index of a slot at step `t` of a run, see [`Slot`].
    fn slot_index(&mut self, slot: &Slot, (t, first): (Value, Option<Value>), direction: Direction) -> Value {
        let snapshot = self.snapshot(t, slot.every, slot.shift);
        let modulus = slot.modulus as i64;
        match (slot.in_place, first) {
            _ if modulus == 0 => snapshot,
            (true, Some(first)) => {
                let oldest = match direction {
                    Direction::Ascending => self.b.ins().iadd_imm_s(first, 2 - modulus),
                    Direction::Descending => first,
                };
                let after = self.b.ins().isub(snapshot, oldest);
                let after = self.modulo(after, modulus - 1);
                let shared = self.b.ins().iadd(oldest, after);
                let steps = self.b.ins().isub(t, first);
                let steps = self.b.ins().iabs(steps);
                let limit = self.context_word(context::IN_PLACE);
                let in_place = self.b.ins().icmp(IntCC::SignedLessThan, steps, limit);
                let level = self.b.ins().select(in_place, shared, snapshot);
                self.modulo(level, modulus)
            }
            _ => self.modulo(snapshot, modulus),
        }
    }

    /// The remainder of a division, never negative.
    fn modulo(&mut self, value: Value, divisor: i64) -> Value {
        let rest = self.b.ins().srem_imm_s(value, divisor);
        let wrapped = self.b.ins().iadd_imm_s(rest, divisor);
        let negative = self.b.ins().icmp_imm_s(IntCC::SignedLessThan, rest, 0);
        self.b.ins().select(negative, wrapped, rest)
    }

    /// `t / every + shift`.
    pub(super) fn snapshot(&mut self, t: Value, every: usize, shift: i32) -> Value {
        let snapshot = if every > 1 { self.b.ins().sdiv_imm_s(t, every as i64) } else { t };
        self.b.ins().iadd_imm_s(snapshot, shift as i64)
    }
}
