//! Memory: where the points of fields and sparse sets lie, and how their values become values of the program.
//!
//! A load converts from the type in memory to the type of the program, a store back. Vectors have as many lanes as fit
//! 16 bytes in the type of the program: of an `f32` field, an `f64` program takes half a vector, the other way round
//! there are two vectors to a load.

use super::frame::{Buffer, Frame, context};
use super::value::{Point, SparsePoint};
use super::writer::{WORD, Writer, type_of};
use cranelift::prelude::*;
use wavefold_ir::{Access, FieldId, FieldKind, SparseId};

/// Largest displacement from an address; leaves room for the second vector of a load.
const FARTHEST: i64 = i32::MAX as i64 - 64;

impl Writer<'_, '_> {
    /// Bytes of a value of a field.
    pub(super) fn size_of(&self, field: FieldId) -> i64 {
        self.program.decls.field(field).dtype.size() as i64
    }

    /// The address of the first point of the domain in a buffer; of the first point of the current tile, in its
    /// dimensions, for a tile field, and of the first point of memory in the others. For a field by rows, the address of the
    /// pointer to the row of the first point.
    pub(super) fn origin(&mut self, buffer: Buffer) -> Value {
        if let Some(known) = self.origins.get(&buffer) {
            return *known;
        }
        let field = self.program.decls.field(buffer.field);
        let start = match (&field.kind, self.tile_memory) {
            (FieldKind::Tile, memory) => {
                let memory = match memory {
                    Some(memory) => memory,
                    None => self.frame_value(WORD, Frame::TILE_MEMORY),
                };
                let offset = self.program.decls.tile_offset(buffer.field) as i64;
                self.b.ins().iadd_imm_s(memory, offset)
            }
            _ => {
                let all = if field.by_rows { context::ROWS } else { context::FIELDS };
                let all = self.context_word(all);
                self.b.ins().load(WORD, Self::constant_flags(), all, 8 * buffer.field.0 as i32)
            }
        };
        let Some(layout) = &field.layout else { return start };
        if field.by_rows {
            let at = (0..layout.pad.len() - 1)
                .map(|d| (layout.pad[d] as i64 + i64::from(buffer.at[d])) * self.rows_between(buffer, d));
            let at = 8 * at.sum::<i64>();
            return self.b.ins().iadd_imm_s(start, at);
        }
        let size = field.dtype.size() as i64;
        let slot_start = match buffer.slot {
            Some(slot) => {
                let index = self.frame_value(WORD, self.layout.slot(slot));
                let offset = self.b.ins().imul_imm_s(index, layout.slot_len() as i64 * size);
                self.b.ins().iadd(start, offset)
            }
            None => start,
        };
        let mut origin = layout.origin() as i64 * size;
        if let (Some(window), false) = (&field.window, field.kind == FieldKind::Tile) {
            for (d, from) in window.from.iter().enumerate() {
                origin -= *from as i64 * self.stride(buffer, d);
            }
        }
        self.b.ins().iadd_imm_s(slot_start, origin)
    }

    /// Distance between neighbours along a dimension of a buffer, in bytes.
    pub(super) fn stride(&self, buffer: Buffer, dim: usize) -> i64 {
        let layout = self.program.decls.field(buffer.field).layout.as_ref();
        layout.map_or(0, |l| l.strides()[dim] as i64 * self.size_of(buffer.field))
    }

    /// Rows between neighbours along a dimension that is not the last.
    fn rows_between(&self, buffer: Buffer, dim: usize) -> i64 {
        let layout = self.program.decls.field(buffer.field).layout.as_ref();
        layout.map_or(0, |l| l.alloc[dim + 1..l.alloc.len() - 1].iter().product::<usize>() as i64)
    }

    /// How many planes of a buffer take turns.
    fn turns(&self, buffer: Buffer) -> Option<i64> {
        let layout = self.program.decls.field(buffer.field).layout.as_ref()?;
        layout.turns.then_some(layout.alloc[0] as i64)
    }

    /// The address of a point, given by its index along each dimension.
    pub(super) fn address(&mut self, buffer: Buffer, indices: &[Value]) -> Value {
        let mut address = self.origin(buffer);
        let field = self.program.decls.field(buffer.field);
        if field.by_rows {
            return self.address_by_rows(buffer, address, indices);
        }
        for (d, index) in indices.iter().enumerate() {
            let mut index = *index;
            if field.kind == FieldKind::Tile {
                index = match (self.places[d].tile, &field.window) {
                    (Some(tile), _) => self.b.ins().isub(index, tile.lo),
                    (None, Some(window)) => self.b.ins().iadd_imm_s(index, -(window.from[d] as i64)),
                    (None, None) => index,
                };
            }
            if let (0, Some(planes)) = (d, self.turns(buffer)) {
                let first = field.layout.as_ref().map_or(0, |l| l.pad[0] as i64);
                let plane = self.b.ins().iadd_imm_s(index, first + i64::from(buffer.at[0]));
                let turn = self.b.ins().band_imm_s(plane, planes - 1);
                index = self.b.ins().iadd_imm_s(turn, -first);
            }
            let stride = self.stride(buffer, d);
            let offset = self.b.ins().imul_imm_s(index, stride);
            address = self.b.ins().iadd(address, offset);
        }
        address
    }

    /// The address of a point in the row that it finds its pointer for.
    fn address_by_rows(&mut self, buffer: Buffer, origin: Value, indices: &[Value]) -> Value {
        let last = indices.len() - 1;
        let mut pointer = origin;
        for (d, index) in indices[..last].iter().enumerate() {
            let bytes = 8 * self.rows_between(buffer, d);
            let offset = self.b.ins().imul_imm_s(*index, bytes);
            pointer = self.b.ins().iadd(pointer, offset);
        }
        // Between steps, the pointer may change.
        let flags = if self.written.is_some() { Self::constant_flags() } else { MemFlagsData::trusted() };
        let row = self.b.ins().load(WORD, flags, pointer, 0);
        let layout = self.program.decls.field(buffer.field).layout.as_ref();
        let first = layout.map_or(0, |l| l.pad[last] as i64);
        let point = self.b.ins().iadd_imm_s(indices[last], first);
        let size = self.size_of(buffer.field);
        let offset = self.b.ins().imul_imm_s(point, size);
        self.b.ins().iadd(row, offset)
    }

    /// Bytes from the current point of a buffer to an access.
    pub(super) fn displacement(&self, access: &Access) -> i64 {
        let buffer = self.layout.buffer(self.program, access);
        // Planes that take turns, and rows of their own, are in the address already.
        let first = match self.turns(buffer) {
            _ if self.program.decls.field(access.field).by_rows => self.program.decls.rank() - 1,
            Some(_) => 1,
            None => 0,
        };
        (first..self.program.decls.rank()).map(|d| access.offsets[d] as i64 * self.stride(buffer, d)).sum()
    }

    /// The address and the displacement of an access.
    fn place(&mut self, access: &Access, point: &Point) -> (Buffer, Value, i32) {
        let buffer = self.layout.buffer(self.program, access);
        let here = match point.at.iter().find(|(b, _)| *b == buffer) {
            Some((_, address)) => *address,
            // Not reached: every buffer that a loop uses has an address in it.
            None => self.origin(buffer),
        };
        let offset = self.displacement(access);
        match i32::try_from(offset) {
            Ok(displacement) if offset <= FARTHEST => (buffer, here, displacement),
            _ => (buffer, self.b.ins().iadd_imm_s(here, offset), 0),
        }
    }

    /// The value of a field.
    pub(super) fn load(&mut self, access: &Access, point: &Point) -> Value {
        let (buffer, address, displacement) = self.place(access, point);
        let flags = self.load_flags(buffer);
        let stored = type_of(self.program.decls.field(access.field).dtype);
        self.load_as(point.ty, stored, flags, (address, displacement))
    }

    /// Stores a value of a field.
    pub(super) fn store(&mut self, access: &Access, value: Value, point: &Point) {
        let (buffer, address, displacement) = self.place(access, point);
        let flags = self.load_flags(buffer);
        let stored = type_of(self.program.decls.field(access.field).dtype);
        self.store_as(value, stored, flags, (address, displacement));
    }

    /// Values of type `stored` in memory, as `ty`.
    fn load_as(&mut self, ty: Type, stored: Type, flags: MemFlagsData, (address, at): (Value, i32)) -> Value {
        if ty.lane_type() == stored {
            return self.b.ins().load(ty, flags, address, at);
        }
        if !ty.is_vector() {
            let value = self.b.ins().load(stored, flags, address, at);
            return self.converted(value, ty);
        }
        if stored == types::F32 {
            let pair = self.b.ins().load(types::F64, flags, address, at);
            let low = self.b.ins().scalar_to_vector(types::F64X2, pair);
            let low = self.recast(low, types::F32X4);
            return self.b.ins().fvpromote_low(low);
        }
        let mut halves = [0, 16].map(|further| {
            let half = self.b.ins().load(types::F64X2, flags, address, at + further);
            let low = self.b.ins().fvdemote(half);
            self.recast(low, types::F64X2)
        });
        halves[1] = self.b.ins().extractlane(halves[1], 0);
        let both = self.b.ins().insertlane(halves[0], halves[1], 1);
        self.recast(both, types::F32X4)
    }

    /// Stores values as values of type `stored`.
    fn store_as(&mut self, value: Value, stored: Type, flags: MemFlagsData, (address, at): (Value, i32)) {
        let ty = self.b.func.dfg.value_type(value);
        if ty.lane_type() == stored {
            self.b.ins().store(flags, value, address, at);
        } else if !ty.is_vector() {
            let value = self.converted(value, stored);
            self.b.ins().store(flags, value, address, at);
        } else if stored == types::F32 {
            let low = self.b.ins().fvdemote(value);
            let low = self.recast(low, types::F64X2);
            let pair = self.b.ins().extractlane(low, 0);
            self.b.ins().store(flags, pair, address, at);
        } else {
            let pairs = self.recast(value, types::F64X2);
            let high = self.b.ins().extractlane(pairs, 1);
            let high = self.b.ins().scalar_to_vector(types::F64X2, high);
            let high = self.recast(high, types::F32X4);
            for (half, further) in [(value, 0), (high, 16)] {
                let half = self.b.ins().fvpromote_low(half);
                self.b.ins().store(flags, half, address, at + further);
            }
        }
    }

    /// One value as another type: exactly, or rounded once.
    pub(super) fn converted(&mut self, value: Value, ty: Type) -> Value {
        match (self.b.func.dfg.value_type(value), ty) {
            (types::F32, types::F64) => self.b.ins().fpromote(types::F64, value),
            (types::F64, types::F32) => self.b.ins().fdemote(types::F32, value),
            _ => value,
        }
    }

    /// The address of the value of a sparse point, `shift` steps from now.
    fn sparse_address(&mut self, set: SparseId, shift: i32, s: SparsePoint) -> Value {
        let decl = self.program.decls.sparse(set);
        let mut index = s.point;
        if decl.steps.is_some() {
            let step = self.b.ins().iadd_imm_s(s.t, shift as i64);
            let row = self.b.ins().imul(step, s.points);
            index = self.b.ins().iadd(row, s.point);
        }
        let offset = self.b.ins().imul_imm_s(index, decl.dtype.size() as i64);
        self.b.ins().iadd(s.values, offset)
    }

    /// The value of a sparse point, `shift` steps from now.
    pub(super) fn load_sparse(&mut self, set: SparseId, shift: i32, s: SparsePoint) -> Value {
        let address = self.sparse_address(set, shift, s);
        let stored = type_of(self.program.decls.sparse(set).dtype);
        self.load_as(self.element(), stored, MemFlagsData::trusted(), (address, 0))
    }

    /// Stores the value of a sparse point, `shift` steps from now.
    pub(super) fn store_sparse(&mut self, set: SparseId, shift: i32, value: Value, s: SparsePoint) {
        let address = self.sparse_address(set, shift, s);
        let stored = type_of(self.program.decls.sparse(set).dtype);
        self.store_as(value, stored, MemFlagsData::trusted(), (address, 0));
    }
}
