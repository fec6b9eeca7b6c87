//! What the functions of a program share: the argument of loop bodies.
//!
//! The frame is a row of 8-byte words: the context, the current step, memory of the current tile, what a reduction
//! keeps, what blocks of a front need, the slot indices of the current step, the scalars of the run and of the step in
//! double precision, the tickets, the places of enclosing loops (for parallel loops inside others).

use crate::wide::Vectors;
use cranelift_codegen::isa::TargetFrontendConfig;
use std::cell::Cell;
use std::mem::offset_of;
use wavefold_ir::tree::{Program, Slot, Stmt};
use wavefold_ir::{Access, FieldId, LocalId, TicketId, abi};

/// One slot of a field, or a field without time: a piece of memory that no other buffer overlaps, but for the oldest and
/// newest levels of a field in place.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(super) struct Buffer {
    pub(super) field: FieldId,
    /// Position in the slots of the time loop.
    pub(super) slot: Option<usize>,
    /// Which of those that lie elsewhere is meant, relative to the current point: the plane where planes take turns, plane and row
    /// in a field by rows.
    pub(super) at: [i32; 2],
}

/// Byte offsets within the frame.
pub(super) struct Frame {
    /// Conventions of the machine.
    pub(super) target: TargetFrontendConfig,
    /// Vectors of rows.
    pub(super) vectors: Vectors,
    /// Whether a row that each step goes through is in narrower ones.
    pub(super) narrow: Cell<bool>,
    slots: Vec<Slot>,
    named: Vec<LocalId>,
    tickets: usize,
}

impl Frame {
    pub(super) const CONTEXT: i32 = 0;
    /// The current step.
    pub(super) const STEP: i32 = 8;
    /// Memory of the tile that an enclosing loop works on.
    pub(super) const TILE_MEMORY: i32 = 16;
    /// Results of the tiles of a reduction: one double for each call of its body.
    pub(super) const PARTIALS: i32 = 24;
    /// The tile of a reduction whose result is the first of them.
    pub(super) const FIRST_TILE: i32 = 32;
    /// Steps that are done together.
    pub(super) const STEPS: i32 = 40;
    /// Whether the gaps between blocks are done.
    pub(super) const GAPS: i32 = 48;
    const SLOTS: i32 = 56;

    pub(super) fn new(program: &Program, target: TargetFrontendConfig, vectors: Vectors) -> Frame {
        let mut tickets = 0;
        program.visit(&mut |s| {
            if let Stmt::Compress { ticket, .. } | Stmt::Decompress { ticket, .. } = s {
                tickets = tickets.max(ticket.index() + 1);
            }
        });
        let mut named = Vec::new();
        let of_step = program.body.iter().filter_map(|s| match s {
            Stmt::Time { scalars, .. } => Some(scalars),
            _ => None,
        });
        for s in program.scalars.iter().chain(of_step.flatten()) {
            if !named.contains(&s.local) {
                named.push(s.local);
            }
        }
        let slots = program.time().map_or(vec![], |(_, slots)| slots.to_vec());
        Frame { target, vectors, narrow: Cell::new(false), slots, named, tickets }
    }

    pub(super) fn slot(&self, slot: usize) -> i32 {
        Self::SLOTS + 8 * slot as i32
    }

    /// Where a scalar of the run or of the step is; `None` for names that are computed at points.
    pub(super) fn named(&self, local: LocalId) -> Option<i32> {
        let at = self.named.iter().position(|l| *l == local)?;
        Some(self.slot(self.slots.len() + at))
    }

    /// The place along a dimension: first point of the enclosing tile, the point after its last, the current point.
    pub(super) fn place(&self, dim: usize) -> i32 {
        self.slot(self.slots.len() + self.named.len() + self.tickets + 3 * dim)
    }

    pub(super) fn ticket(&self, ticket: TicketId) -> i32 {
        self.slot(self.slots.len() + self.named.len() + ticket.index())
    }

    pub(super) fn tickets(&self) -> impl Iterator<Item = TicketId> + use<> {
        (0..self.tickets as u32).map(TicketId)
    }

    /// All bytes.
    pub(super) fn size(&self) -> u32 {
        self.place(3) as u32
    }

    /// Whether two buffers may share memory.
    pub(super) fn overlap(&self, a: Buffer, b: Buffer) -> bool {
        let (Some(i), Some(j)) = (a.slot, b.slot) else { return a.field == b.field };
        let (s, other) = (self.slots[i], self.slots[j]);
        let share = s.in_place && s.shift.abs_diff(other.shift) as usize == s.modulus - 1;
        a == b || a.field == b.field && share
    }

    /// The buffer of an access. Time shifts that always meet in one slot give one buffer.
    pub(super) fn buffer(&self, program: &Program, access: &Access) -> Buffer {
        let slot = Slot::of(program.decls.field(access.field), access.time).and_then(|wanted| {
            self.slots.iter().position(|s| {
                let distance = s.shift as i64 - wanted.shift as i64;
                let same = if s.modulus == 0 { distance == 0 } else { distance % s.modulus as i64 == 0 };
                s.every == wanted.every
                    && s.modulus == wanted.modulus
                    && s.in_place == wanted.in_place
                    && same
            })
        });
        let field = program.decls.field(access.field);
        let at = match &field.layout {
            _ if field.by_rows => {
                [0, 1].map(|d| if d + 1 < program.decls.rank() { access.offsets[d] } else { 0 })
            }
            Some(layout) if layout.turns => [access.offsets[0], 0],
            _ => [0; 2],
        };
        Buffer { field: access.field, slot, at }
    }
}

/// Byte offsets within [`abi::Context`].
pub(super) mod context {
    use super::*;
    pub(in crate::lower) const FIELDS: i32 = offset_of!(abi::Context, fields) as i32;
    pub(in crate::lower) const ROWS: i32 = offset_of!(abi::Context, rows) as i32;
    pub(in crate::lower) const SCALARS: i32 = offset_of!(abi::Context, scalars) as i32;
    pub(in crate::lower) const SPARSE: i32 = offset_of!(abi::Context, sparse) as i32;
    pub(in crate::lower) const TABLES: i32 = offset_of!(abi::Context, tables) as i32;
    pub(in crate::lower) const TIME_MIN: i32 = offset_of!(abi::Context, time_m) as i32;
    pub(in crate::lower) const TIME_MAX: i32 = offset_of!(abi::Context, time_max) as i32;
    pub(in crate::lower) const IN_PLACE: i32 = offset_of!(abi::Context, in_place) as i32;
    pub(in crate::lower) const HOST: i32 = offset_of!(abi::Context, host) as i32;
    pub(in crate::lower) const PARALLEL: i32 = offset_of!(abi::Context, parallel) as i32;
    pub(in crate::lower) const STEP: i32 = offset_of!(abi::Context, step) as i32;
    pub(in crate::lower) const COMPRESS: i32 = offset_of!(abi::Context, compress) as i32;
    pub(in crate::lower) const DECOMPRESS: i32 = offset_of!(abi::Context, decompress) as i32;
    pub(in crate::lower) const TAKE_TILE: i32 = offset_of!(abi::Context, take_tile) as i32;
    pub(in crate::lower) const GIVE_TILE: i32 = offset_of!(abi::Context, give_tile) as i32;
    pub(in crate::lower) const PART: i32 = offset_of!(abi::Context, part) as i32;
    pub(in crate::lower) const WAIT: i32 = offset_of!(abi::Context, wait) as i32;
}

/// Byte offsets within [`abi::SparseValues`].
pub(super) mod sparse {
    use super::*;
    pub(in crate::lower) const SIZE: i64 = size_of::<abi::SparseValues>() as i64;
    pub(in crate::lower) const POINTS: i32 = offset_of!(abi::SparseValues, points) as i32;
    pub(in crate::lower) const VALUES: i32 = offset_of!(abi::SparseValues, values) as i32;
}

/// Byte offsets within [`abi::SparseTable`].
pub(super) mod table {
    use super::*;
    pub(in crate::lower) const SIZE: i64 = size_of::<abi::SparseTable>() as i64;
    pub(in crate::lower) const CELLS: i32 = offset_of!(abi::SparseTable, cells) as i32;
    pub(in crate::lower) const WEIGHTS: i32 = offset_of!(abi::SparseTable, weights) as i32;
    pub(in crate::lower) const CORNERS: i32 = offset_of!(abi::SparseTable, corners) as i32;
    pub(in crate::lower) const POINTS: i32 = offset_of!(abi::SparseTable, points) as i32;
    pub(in crate::lower) const FIRST: i32 = offset_of!(abi::Planes, first) as i32;
    pub(in crate::lower) const ENTRIES: i32 = offset_of!(abi::Planes, entries) as i32;
}
