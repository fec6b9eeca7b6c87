//! How much memory a run needs, before any of it is there.

use crate::summary::bytes_text;
use std::fmt;
use wavefold_ir::{Compression, Decls, FieldKind};

/// What memory is used for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MemoryUse {
    /// Values on the grid: every time level or snapshot, with halo and padding.
    Field,
    /// A compressed history.
    History {
        /// The codec with the parameter of the run.
        codec: Compression,
        /// Snapshots that the run writes or reads.
        snapshots: usize,
        /// Whether it lives in a file, and takes no memory.
        on_disk: bool,
    },
    /// Made by the compiler: invariants, uncompressed slices of histories, tiles of all threads.
    Scratch,
    /// Values of sparse points, with their cells and weights.
    Points,
}

/// The memory of one function.
#[derive(Clone, Debug, PartialEq)]
pub struct MemoryEntry {
    /// Its name.
    pub name: String,
    /// What it is used for.
    pub used: MemoryUse,
    /// Bytes without compression.
    pub raw_bytes: u64,
    /// Bytes expected: exact but for a history, of which it is a guess until it is written.
    pub bytes: u64,
}

impl MemoryEntry {
    fn is_on_disk(&self) -> bool {
        matches!(self.used, MemoryUse::History { on_disk: true, .. })
    }
}

/// The memory of a run; prints as a small table.
#[derive(Clone, Debug, PartialEq)]
pub struct MemoryEstimate {
    /// Name of the operator.
    pub operator: String,
    /// One for each function of the operator, and of the compiler.
    pub entries: Vec<MemoryEntry>,
}

impl MemoryEstimate {
    /// Bytes of all that is in memory, histories compressed as expected.
    pub fn bytes(&self) -> u64 {
        self.entries.iter().filter(|e| !e.is_on_disk()).fold(0, |sum, e| sum.saturating_add(e.bytes))
    }

    /// Bytes of the histories on disk, compressed as expected.
    pub fn bytes_on_disk(&self) -> u64 {
        self.entries.iter().filter(|e| e.is_on_disk()).fold(0, |sum, e| sum.saturating_add(e.bytes))
    }

    /// Bytes of everything if nothing were compressed.
    pub fn raw_bytes(&self) -> u64 {
        self.entries.iter().fold(0, |sum, e| sum.saturating_add(e.raw_bytes))
    }

    /// The memory of one function.
    pub fn of(&self, name: &str) -> Option<&MemoryEntry> {
        self.entries.iter().find(|e| e.name == name)
    }
}

impl fmt::Display for MemoryEstimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}: {} expected, {} without compression",
            self.operator,
            bytes_text(self.bytes()),
            bytes_text(self.raw_bytes())
        )?;
        for e in &self.entries {
            let (name, bytes) = (&e.name, bytes_text(e.bytes));
            match e.used {
                MemoryUse::Field => writeln!(f, "  {name}: {bytes}")?,
                MemoryUse::Points => writeln!(f, "  {name}: {bytes} of points")?,
                MemoryUse::Scratch => writeln!(f, "  {name}: {bytes} of the compiler's")?,
                MemoryUse::History { codec, snapshots, on_disk } => writeln!(
                    f,
                    "  {name}: {bytes} expected ({codec}), {snapshots} snapshots, {} raw{}",
                    bytes_text(e.raw_bytes),
                    if on_disk { ", on disk" } else { "" }
                )?,
            }
        }
        Ok(())
    }
}

/// What a run does with one history.
pub(crate) struct History {
    pub(crate) codec: Compression,
    pub(crate) snapshots: usize,
    pub(crate) on_disk: bool,
    /// Bytes of its streams, when it is written already.
    pub(crate) written: Option<usize>,
}

/// The memory of all declarations on a number of threads; `history` tells of a compressed field by its number.
pub(crate) fn estimate(
    decls: &Decls,
    threads: usize,
    history: impl Fn(usize) -> Option<History>,
) -> MemoryEstimate {
    let mut entries = Vec::new();
    let product = |factors: &[usize]| factors.iter().fold(1_u64, |p, n| p.saturating_mul(*n as u64));
    for (i, field) in decls.fields.iter().enumerate() {
        let (name, size) = (field.name.clone(), field.dtype.size());
        if let Some(History { codec, snapshots, on_disk, written }) = history(i) {
            let raw_bytes = product(&[decls.points(), snapshots, size]);
            let expected = raw_bytes as f64 * codec.expected_bits(field.dtype) / (8 * size) as f64;
            let bytes = written.map_or(expected.ceil() as u64, |n| n as u64);
            entries.push(MemoryEntry {
                name,
                used: MemoryUse::History { codec, snapshots, on_disk },
                raw_bytes,
                bytes,
            });
            continue;
        }
        let Some(layout) = &field.layout else { continue };
        let (used, copies) = match field.kind {
            FieldKind::Tile => (MemoryUse::Scratch, threads),
            FieldKind::Invariant | FieldKind::Ring { .. } => (MemoryUse::Scratch, field.slots()),
            _ => (MemoryUse::Field, field.slots()),
        };
        let bytes = layout.alloc.iter().fold(product(&[copies, size]), |p, n| p.saturating_mul(*n as u64));
        entries.push(MemoryEntry { name, used, raw_bytes: bytes, bytes });
    }
    for (i, sparse) in decls.sparse.iter().enumerate() {
        let values = product(&[sparse.points, sparse.steps.unwrap_or(1), sparse.dtype.size()]);
        let tables = decls.tables.iter().filter(|t| t.sparse.index() == i).map(|t| {
            let rows = if t.moving { sparse.steps.unwrap_or(1) } else { 1 };
            let corners = product(&[sparse.points, rows, t.corners, 4 * decls.rank() + decls.dtype.size()]);
            let planes = if t.planes { decls.dims[0].size + 1 } else { 0 };
            let entries = if t.planes { product(&[sparse.points, t.corners + 1, 16]) } else { 0 };
            corners.saturating_add(product(&[planes, 16])).saturating_add(entries)
        });
        let bytes = tables.fold(values, u64::saturating_add);
        entries.push(MemoryEntry {
            name: sparse.name.clone(),
            used: MemoryUse::Points,
            raw_bytes: bytes,
            bytes,
        });
    }
    MemoryEstimate { operator: decls.name.clone(), entries }
}
