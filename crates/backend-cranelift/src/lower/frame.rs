//! What the functions of a program share: the argument of loop bodies.
//!
//! The frame is a row of 8-byte words: the context, the slot indices of the current step, the once-scalars in
//! double precision, the ranges of enclosing loops (for parallel loops inside others), the tickets.

use cranelift_codegen::isa::TargetFrontendConfig;
use std::mem::offset_of;
use wavefold_ir::tree::{Program, Slot};
use wavefold_ir::{Access, FieldId, LocalId, TicketId, abi};

/// One slot of a field, or a field without time: a piece of memory that no other buffer overlaps.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(super) struct Buffer {
    pub(super) field: FieldId,
    /// Position in the slots of the time loop.
    pub(super) slot: Option<usize>,
}

/// Byte offsets within the frame.
pub(super) struct Frame {
    /// Conventions of the machine.
    pub(super) target: TargetFrontendConfig,
    slots: Vec<Slot>,
    once: Vec<LocalId>,
    tickets: usize,
}

impl Frame {
    pub(super) const CONTEXT: i32 = 0;

    pub(super) fn new(program: &Program, target: TargetFrontendConfig) -> Frame {
        let mut tickets = 0;
        program.visit(&mut |s| {
            use wavefold_ir::tree::Stmt::{Compress, Decompress};
            if let Compress { ticket, .. } | Decompress { ticket, .. } = s {
                tickets = tickets.max(ticket.index() + 1);
            }
        });
        Frame {
            target,
            slots: program.time().map_or(vec![], |(_, slots)| slots.to_vec()),
            once: program.scalars.iter().map(|s| s.local).collect(),
            tickets,
        }
    }

    pub(super) fn slot(&self, slot: usize) -> i32 {
        8 + 8 * slot as i32
    }

    /// Where a once-scalar is; `None` for names that are computed at points.
    pub(super) fn once(&self, local: LocalId) -> Option<i32> {
        let at = self.once.iter().position(|l| *l == local)?;
        Some(self.slot(self.slots.len()) + 8 * at as i32)
    }

    /// First point of the enclosing tile, or the current point, of a dimension; its end lies 8 bytes further.
    pub(super) fn range(&self, dim: usize) -> i32 {
        self.slot(self.slots.len() + self.once.len()) + 16 * dim as i32
    }

    pub(super) fn ticket(&self, ticket: TicketId) -> i32 {
        self.range(3) + 8 * ticket.index() as i32
    }

    pub(super) fn tickets(&self) -> impl Iterator<Item = TicketId> + use<> {
        (0..self.tickets as u32).map(TicketId)
    }

    /// Bytes that loop bodies read.
    pub(super) fn shared_size(&self) -> u32 {
        self.range(3) as u32
    }

    /// All bytes.
    pub(super) fn size(&self) -> u32 {
        self.shared_size() + 8 * self.tickets as u32
    }

    /// The buffer of an access. Time shifts that always meet in one slot give one buffer.
    pub(super) fn buffer(&self, program: &Program, access: &Access) -> Buffer {
        let slot = Slot::of(program.decls.field(access.field), access.time).and_then(|wanted| {
            self.slots.iter().position(|s| {
                let distance = s.shift as i64 - wanted.shift as i64;
                let same = if s.modulus == 0 { distance == 0 } else { distance % s.modulus as i64 == 0 };
                s.every == wanted.every && s.modulus == wanted.modulus && same
            })
        });
        Buffer { field: access.field, slot }
    }
}

/// Byte offsets within [`abi::Context`].
pub(super) mod context {
    use super::*;
    pub(in crate::lower) const FIELDS: i32 = offset_of!(abi::Context, fields) as i32;
    pub(in crate::lower) const SCALARS: i32 = offset_of!(abi::Context, scalars) as i32;
    pub(in crate::lower) const SPARSE: i32 = offset_of!(abi::Context, sparse) as i32;
    pub(in crate::lower) const TIME_MIN: i32 = offset_of!(abi::Context, time_m) as i32;
    pub(in crate::lower) const TIME_MAX: i32 = offset_of!(abi::Context, time_max) as i32;
    pub(in crate::lower) const HOST: i32 = offset_of!(abi::Context, host) as i32;
    pub(in crate::lower) const PARALLEL: i32 = offset_of!(abi::Context, parallel) as i32;
    pub(in crate::lower) const STEP: i32 = offset_of!(abi::Context, step) as i32;
    pub(in crate::lower) const COMPRESS: i32 = offset_of!(abi::Context, compress) as i32;
    pub(in crate::lower) const DECOMPRESS: i32 = offset_of!(abi::Context, decompress) as i32;
    pub(in crate::lower) const WAIT: i32 = offset_of!(abi::Context, wait) as i32;
}

/// Byte offsets within [`abi::SparseTable`].
pub(super) mod table {
    use super::*;
    pub(in crate::lower) const SIZE: i32 = size_of::<abi::SparseTable>() as i32;
    pub(in crate::lower) const POINTS: i32 = offset_of!(abi::SparseTable, points) as i32;
    pub(in crate::lower) const CELLS: i32 = offset_of!(abi::SparseTable, cells) as i32;
    pub(in crate::lower) const WEIGHTS: i32 = offset_of!(abi::SparseTable, weights) as i32;
    pub(in crate::lower) const VALUES: i32 = offset_of!(abi::SparseTable, values) as i32;
}
