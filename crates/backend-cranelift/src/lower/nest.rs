//! Loop nests: functions that run a whole nest, or one tile of a parallel loop.

use super::frame::{Buffer, Frame, context};
use super::writer::{Place, WORD, Writer, signature};
use crate::host;
use cranelift::prelude::*;
use cranelift_codegen::ir::Function;
use std::rc::Rc;
use wavefold_ir::tree::{Loop, LoopForm, Program, Stmt};

/// A loop that becomes a function `extern "C" fn(frame, index)`.
#[derive(Clone)]
pub(super) struct Task<'a> {
    /// Position among the functions of the program.
    position: u32,
    body: &'a Loop,
    /// Run once per tile, with the number of the tile as index; a nest that is not parallel runs once.
    parallel: bool,
    /// Dimensions of enclosing loops: whether they are at a point (or in a tile).
    enclosing: [Option<bool>; 3],
    /// What the whole nest stores to.
    written: Rc<[Buffer]>,
    /// The equations.
    pub(super) notes: Vec<String>,
}

impl Task<'_> {
    pub(super) fn name(&self) -> String {
        format!("wavefold_body{}", self.position)
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
    w.written = Some(task.written.clone());
    w.context = w.frame_value(WORD, Frame::CONTEXT);
    for buffer in w.buffers(&task.body.body) {
        let origin = w.origin(buffer);
        w.origins.insert(buffer, origin);
    }
    for d in 0..3 {
        w.places[d] = match task.enclosing[d] {
            None => Place::Domain,
            Some(point) => {
                let lo = w.frame_value(WORD, frame.range(d));
                let hi = w.frame_value(WORD, frame.range(d) + 8);
                if point { Place::Point(lo) } else { Place::Tile { lo, hi } }
            }
        };
    }
    match task.body.form {
        LoopForm::Tiles { size, .. } if task.parallel => {
            let before = w.call_host(host::FLUSH, &[]);
            let lo = w.b.ins().imul_imm_s(index, size as i64);
            w.tile(task.body, lo, size);
            w.call_host(host::RESTORE, before.as_slice());
        }
        _ => w.walk(task.body),
    }
    w.b.ins().return_(&[]);
    w.finish();
    function
}

impl<'a> Writer<'a, '_> {
    /// Runs a nest: through the runtime when its outermost loop is parallel.
    pub(super) fn nest(&mut self, l: &'a Loop, source: &[String]) {
        let mut written = Vec::new();
        let program = self.program;
        let collect = &mut |s: &Stmt| {
            if let Stmt::Assign { target, .. } = s {
                written.push(self.layout.buffer(program, target));
            }
        };
        l.body.iter().for_each(|s| s.visit(collect));
        written.sort();
        written.dedup();
        let parallel = matches!(l.form, LoopForm::Tiles { parallel: true, .. });
        self.call_task(l, parallel, written.into(), source.to_vec());
    }

    fn call_task(&mut self, l: &'a Loop, parallel: bool, written: Rc<[Buffer]>, notes: Vec<String>) {
        let enclosing = self.places.map(|p| match p {
            Place::Domain => None,
            Place::Tile { .. } => Some(false),
            Place::Point(_) => Some(true),
        });
        // The entry function is the first of the program, the tasks follow.
        let position = self.tasks.len() as u32;
        self.tasks.push(Task { position, body: l, parallel, enclosing, written, notes });
        let signature = signature(self.layout.target.default_call_conv, &[WORD, WORD], None);
        let body = self.import(host::COUNT + 1 + position, signature);
        let frame = self.frame_for_task();
        match l.form {
            LoopForm::Tiles { size, .. } if parallel => {
                let count = self.whole(self.program.decls.dims[l.dim].size.div_ceil(size) as i64);
                let run = self.context_word(context::PARALLEL);
                let body = self.b.ins().func_addr(WORD, body);
                self.call_pointer(run, &[self.context, count, body, frame], None);
            }
            _ => {
                let once = self.whole(0);
                self.b.ins().call(body, &[frame, once]);
            }
        }
    }

    /// The frame itself at the top of a nest; inside loops a copy with their positions, since other threads may
    /// be at other positions.
    fn frame_for_task(&mut self) -> Value {
        if self.places.iter().all(|p| matches!(p, Place::Domain)) {
            return self.frame;
        }
        let size = self.layout.shared_size();
        let slot = self.b.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, size, 4));
        let copy = self.b.ins().stack_addr(WORD, slot, 0);
        let flags = MemFlagsData::trusted();
        for word in 0..self.layout.range(0) / 8 {
            let value = self.frame_value(WORD, 8 * word);
            self.b.ins().store(flags, value, copy, 8 * word);
        }
        for d in 0..3 {
            let (lo, hi) = match self.places[d] {
                Place::Domain => continue,
                Place::Tile { lo, hi } => (lo, hi),
                Place::Point(at) => (at, at),
            };
            self.b.ins().store(flags, lo, copy, self.layout.range(d));
            self.b.ins().store(flags, hi, copy, self.layout.range(d) + 8);
        }
        copy
    }

    /// A loop and everything in it.
    pub(super) fn walk(&mut self, l: &'a Loop) {
        let points = self.program.decls.dims[l.dim].size as i64;
        if points == 0 {
            return;
        }
        match l.form {
            LoopForm::Tiles { parallel: true, .. } => {
                let written = self.written.clone().unwrap_or_default();
                self.call_task(l, true, written, vec![]);
            }
            LoopForm::Tiles { size, .. } => {
                let start = self.whole(0);
                let (block, at) = self.enter_loop(&[start]);
                self.tile(l, at[0], size);
                let next = self.b.ins().iadd_imm_s(at[0], size as i64);
                let again = self.b.ins().icmp_imm_s(IntCC::SignedLessThan, next, points);
                self.close_loop(block, again, &[next]);
            }
            LoopForm::Points { simd, .. } if l.dim + 1 == self.program.decls.rank() => self.row(l, simd),
            LoopForm::Points { .. } => self.points(l, points),
        }
    }

    /// One tile, which begins at `lo`.
    fn tile(&mut self, l: &'a Loop, lo: Value, size: usize) {
        let points = self.program.decls.dims[l.dim].size as i64;
        let mut hi = self.b.ins().iadd_imm_s(lo, size as i64);
        if points % size as i64 != 0 {
            let end = self.whole(points);
            hi = self.b.ins().smin(hi, end);
        }
        let before = std::mem::replace(&mut self.places[l.dim], Place::Tile { lo, hi });
        self.block(&l.body);
        self.places[l.dim] = before;
    }

    /// A loop over points of a dimension that is not the last.
    fn points(&mut self, l: &'a Loop, points: i64) {
        let before = self.places[l.dim];
        let (start, end) = match before {
            Place::Tile { lo, hi } => (lo, hi),
            _ => (self.whole(0), self.whole(points)),
        };
        let (block, at) = self.enter_loop(&[start]);
        self.places[l.dim] = Place::Point(at[0]);
        self.block(&l.body);
        self.places[l.dim] = before;
        let next = self.b.ins().iadd_imm_s(at[0], 1);
        let again = self.b.ins().icmp(IntCC::SignedLessThan, next, end);
        self.close_loop(block, again, &[next]);
    }

    fn block(&mut self, body: &'a [Stmt]) {
        for s in body {
            // Point statements lie in loops over the last dimension (T8), which are rows.
            if let Stmt::Loop(l) = s {
                self.walk(l);
            }
        }
    }
}
