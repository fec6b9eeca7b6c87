//! The innermost loop: a row of points, in vectors with the rest one by one.
//!
//! Every buffer has one pointer, bumped from vector to vector; neighbours are constant displacements from it, so
//! that loads become memory operands.

use super::frame::Buffer;
use super::value::Point;
use super::writer::{Writer, arguments};
use cranelift::prelude::*;
use std::collections::HashMap;
use wavefold_ir::tree::{Loop, Stmt};
use wavefold_ir::{DType, Expr};

/// What a row does, and what its loop carries: the index of the point when it is used, and one pointer for each
/// buffer.
struct Row<'a> {
    body: &'a [Stmt],
    buffers: Vec<Buffer>,
    counts: bool,
    /// Distance between points of each carried value.
    steps: Vec<i64>,
}

impl<'a> Writer<'a, '_> {
    /// A loop over the points of the last dimension.
    pub(super) fn row(&mut self, l: &'a Loop, simd: bool) {
        if !l.body.iter().any(|s| matches!(s, Stmt::Assign { .. } | Stmt::Accumulate(_))) {
            return; // Nothing is stored.
        }
        let buffers = self.buffers(&l.body);
        let counts = buffers.is_empty() || self.uses_index(&l.body, l.dim);
        let sizes = buffers.iter().map(|b| self.size_of(b.field));
        let steps: Vec<i64> = counts.then_some(1).into_iter().chain(sizes).collect();
        let lanes = if simd && self.fits_vectors(&buffers, counts, l.dim) { 16 / self.bytes() } else { 1 };
        let start = self.first(l);
        let pointers: Vec<Value> = buffers.iter().map(|b| self.row_pointer(*b, l.dim, start)).collect();
        if simd && self.wide_row(l, &buffers, &pointers, start) {
            return;
        }
        if !self.once {
            self.layout.narrow.set(true);
        }
        let at: Vec<Value> = counts.then_some(start).into_iter().chain(pointers).collect();
        let row = Row { body: &l.body, buffers, counts, steps };
        match self.length(l) {
            Some(known) => self.whole_row(&row, at, known, lanes),
            None => {
                let points = self.points_of_row(l, start);
                self.part_of_row(&row, at, points, lanes);
            }
        }
    }

    /// The number of points.
    pub(super) fn points_of_row(&mut self, l: &Loop, start: Value) -> Value {
        match self.length(l) {
            Some(known) => self.whole(known),
            None => {
                let end = self.end(l);
                self.b.ins().isub(end, start)
            }
        }
    }

    fn uses_index(&self, body: &[Stmt], dim: usize) -> bool {
        let mut found = false;
        self.program.exprs.visit_all(body.iter().filter_map(Stmt::value), &mut |_, e| {
            found |= matches!(e, Expr::Index(d) if *d as usize == dim);
        });
        found
    }

    /// Two floats are taken from the low half of a double, where a big-endian machine has the second first; lanes
    /// count points in 32 bits.
    fn fits_vectors(&self, buffers: &[Buffer], counts: bool, dim: usize) -> bool {
        let mixed = buffers.iter().any(|b| self.size_of(b.field) != self.bytes());
        let small = self.program.decls.dims[dim].size < 1 << 30;
        !(mixed && cfg!(target_endian = "big"))
            && (small || !counts || self.program.decls.dtype == DType::F64)
    }

    fn row_pointer(&mut self, buffer: Buffer, dim: usize, start: Value) -> Value {
        let mut indices: Vec<Value> = Vec::with_capacity(3);
        for d in 0..dim {
            indices.push(match self.places[d].point {
                Some(at) => at,
                // Excluded by invariant T8: rows lie inside loops over all other dimensions.
                None => self.whole(0),
            });
        }
        indices.push(start);
        self.address(buffer, &indices)
    }

    /// A row whose length is known now.
    fn whole_row(&mut self, row: &Row, mut at: Vec<Value>, points: i64, lanes: i64) {
        let first = at[0];
        let in_vectors = points / lanes * lanes;
        if in_vectors > 0 {
            let end = self.b.ins().iadd_imm_s(first, in_vectors * row.steps[0]);
            at = self.strip(row, at, end, lanes);
        }
        if in_vectors < points {
            let end = self.b.ins().iadd_imm_s(first, points * row.steps[0]);
            self.strip(row, at, end, 1);
        }
    }

    /// A row whose length depends on the tile.
    fn part_of_row(&mut self, row: &Row, mut at: Vec<Value>, points: Value, lanes: i64) {
        let step = row.steps[0];
        let length = self.b.ins().imul_imm_s(points, step);
        let end = self.b.ins().iadd(at[0], length);
        if lanes > 1 {
            let whole = self.b.ins().band_imm_s(length, -(lanes * step));
            let end_of_vectors = self.b.ins().iadd(at[0], whole);
            let (vectors, rest) = (self.b.create_block(), self.block_like(&at));
            self.branch(whole, (vectors, &[]), (rest, &at));
            self.b.switch_to_block(vectors);
            let after = self.strip(row, at, end_of_vectors, lanes);
            self.b.ins().jump(rest, &arguments(&after));
            self.b.switch_to_block(rest);
            at = self.b.block_params(rest).to_vec();
        }
        let (singly, done) = (self.b.create_block(), self.b.create_block());
        let more = self.b.ins().icmp(IntCC::NotEqual, at[0], end);
        self.branch(more, (singly, &[]), (done, &[]));
        self.b.switch_to_block(singly);
        self.strip(row, at, end, 1);
        self.b.ins().jump(done, &[]);
        self.b.switch_to_block(done);
    }

    /// `lanes` points at a time until the first carried value reaches `end`; at least once.
    fn strip(&mut self, row: &Row, at: Vec<Value>, end: Value, lanes: i64) -> Vec<Value> {
        let partial = self.partial;
        let flags = MemFlagsData::trusted();
        let so_far = partial.map(|(_, address)| self.b.ins().load(types::F64, flags, address, 0));
        let mut carried = at;
        carried.extend(so_far);
        let (block, now) = self.enter_loop(&carried);
        let (now, so_far) = now.split_at(row.steps.len());
        let result = self.statements(row, now, so_far.first().copied(), lanes);
        let next: Vec<Value> =
            now.iter().zip(&row.steps).map(|(v, step)| self.b.ins().iadd_imm_s(*v, lanes * step)).collect();
        let again = self.b.ins().icmp(IntCC::NotEqual, next[0], end);
        let mut carried = next.clone();
        carried.extend(result);
        self.close_loop(block, again, &carried);
        if let (Some((_, address)), Some(result)) = (partial, result) {
            self.b.ins().store(flags, result, address, 0);
        }
        next
    }

    /// The statements at `lanes` points; returns the result of the reduction so far, when there is one.
    fn statements(
        &mut self,
        row: &Row,
        now: &[Value],
        mut so_far: Option<Value>,
        lanes: i64,
    ) -> Option<Value> {
        let element = self.element();
        let ty = element.by(lanes as u32).unwrap_or(element);
        let mut indices = self.places.map(|p| p.point);
        let mut pointers = now;
        if let (true, [count, rest @ ..]) = (row.counts, now) {
            indices[self.program.decls.rank() - 1] = Some(*count);
            pointers = rest;
        }
        let at: Vec<(Buffer, Value)> = row.buffers.iter().copied().zip(pointers.iter().copied()).collect();
        let mut locals = HashMap::new();
        for s in row.body {
            let point = Point { ty, at: &at, indices, locals: &locals, sparse: None };
            match s {
                Stmt::Let { local, value } => {
                    let value = self.evaluate(*value, &point);
                    locals.insert(*local, value);
                }
                Stmt::Assign { target, value, increment } => {
                    let mut value = self.evaluate(*value, &point);
                    if *increment {
                        let old = self.load(target, &point);
                        value = self.b.ins().fadd(old, value);
                    }
                    self.store(target, value, &point);
                }
                Stmt::Accumulate(value) => {
                    let value = self.evaluate(*value, &point);
                    if let (Some((op, _)), Some(before)) = (self.partial, so_far) {
                        so_far = Some(self.accumulate(op, before, value, ty));
                    }
                }
                _ => {}
            }
        }
        so_far
    }
}
