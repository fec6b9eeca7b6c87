//! The innermost loop: a row of points, in vectors with the rest one by one.
//!
//! Every buffer has one pointer, bumped from vector to vector; neighbours are constant displacements from it, so
//! that loads become memory operands.

use super::frame::Buffer;
use super::value::Point;
use super::writer::{Place, Writer, arguments};
use cranelift::prelude::*;
use std::collections::HashMap;
use wavefold_ir::tree::{Loop, Stmt};

/// What a row does, and the buffers it touches: the loop carries one pointer for each.
struct Row<'a> {
    body: &'a [Stmt],
    buffers: Vec<Buffer>,
}

impl<'a> Writer<'a, '_> {
    /// A loop over the points of the last dimension.
    pub(super) fn row(&mut self, l: &'a Loop, simd: bool) {
        let buffers = self.buffers(&l.body);
        if buffers.is_empty() {
            return; // Nothing is stored.
        }
        let lanes = if simd { 16 / self.bytes() } else { 1 };
        let range = match self.places[l.dim] {
            Place::Tile { lo, hi } => Some((lo, hi)),
            _ => None,
        };
        let start = match range {
            Some((lo, _)) => lo,
            None => self.whole(0),
        };
        let pointers: Vec<Value> = buffers.iter().map(|b| self.row_pointer(*b, l.dim, start)).collect();
        let row = Row { body: &l.body, buffers };
        match range {
            None => self.whole_row(&row, pointers, self.program.decls.dims[l.dim].size as i64, lanes),
            Some((lo, hi)) => self.part_of_row(&row, pointers, (lo, hi), lanes),
        }
    }

    fn row_pointer(&mut self, buffer: Buffer, dim: usize, start: Value) -> Value {
        let mut indices: Vec<Value> = Vec::with_capacity(3);
        for d in 0..dim {
            let index = match self.places[d] {
                Place::Point(at) => at,
                // Excluded by invariant T8: rows lie inside loops over all other dimensions.
                Place::Tile { lo, .. } => lo,
                Place::Domain => self.whole(0),
            };
            indices.push(index);
        }
        indices.push(start);
        self.address(buffer, &indices)
    }

    /// A row whose length is known now.
    fn whole_row(&mut self, row: &Row, mut pointers: Vec<Value>, points: i64, lanes: i64) {
        let (first, bytes) = (pointers[0], self.bytes());
        let in_vectors = points / lanes * lanes;
        if in_vectors > 0 {
            let end = self.b.ins().iadd_imm_s(first, in_vectors * bytes);
            pointers = self.strip(row, pointers, end, lanes);
        }
        if in_vectors < points {
            let end = self.b.ins().iadd_imm_s(first, points * bytes);
            self.strip(row, pointers, end, 1);
        }
    }

    /// A row within a tile.
    fn part_of_row(&mut self, row: &Row, pointers: Vec<Value>, (lo, hi): (Value, Value), lanes: i64) {
        let points = self.b.ins().isub(hi, lo);
        let bytes = self.bytes();
        let length = self.b.ins().imul_imm_s(points, bytes);
        let end = self.b.ins().iadd(pointers[0], length);
        let mut pointers = pointers;
        if lanes > 1 {
            let whole = self.b.ins().band_imm_s(length, -(lanes * bytes));
            let end_of_vectors = self.b.ins().iadd(pointers[0], whole);
            let (vectors, rest) = (self.b.create_block(), self.block_like(&pointers));
            self.branch(whole, (vectors, &[]), (rest, &pointers));
            self.b.switch_to_block(vectors);
            let after = self.strip(row, pointers, end_of_vectors, lanes);
            self.b.ins().jump(rest, &arguments(&after));
            self.b.switch_to_block(rest);
            pointers = self.b.block_params(rest).to_vec();
        }
        let (singly, done) = (self.b.create_block(), self.b.create_block());
        let more = self.b.ins().icmp(IntCC::NotEqual, pointers[0], end);
        self.branch(more, (singly, &[]), (done, &[]));
        self.b.switch_to_block(singly);
        self.strip(row, pointers, end, 1);
        self.b.ins().jump(done, &[]);
        self.b.switch_to_block(done);
    }

    /// `lanes` points at a time until the first pointer reaches `end`; at least once.
    fn strip(&mut self, row: &Row, pointers: Vec<Value>, end: Value, lanes: i64) -> Vec<Value> {
        let (block, pointers) = self.enter_loop(&pointers);
        let at: Vec<(Buffer, Value)> = row.buffers.iter().copied().zip(pointers.iter().copied()).collect();
        self.statements(row.body, &at, lanes);
        let step = lanes * self.bytes();
        let next: Vec<Value> = pointers.iter().map(|v| self.b.ins().iadd_imm_s(*v, step)).collect();
        let again = self.b.ins().icmp(IntCC::NotEqual, next[0], end);
        self.close_loop(block, again, &next);
        next
    }

    fn statements(&mut self, body: &[Stmt], at: &[(Buffer, Value)], lanes: i64) {
        let element = self.element();
        let ty = element.by(lanes as u32).unwrap_or(element);
        let mut locals = HashMap::new();
        for s in body {
            let point = Point { ty, at, locals: &locals, sparse: None };
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
                _ => {}
            }
        }
    }
}
