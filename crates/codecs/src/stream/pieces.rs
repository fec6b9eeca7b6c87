//! Streams whose payload lies in pieces, wherever those who coded them put them.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::format::{ENTRY_BYTES, HEADER_BYTES, Header};
use crate::stream::encode::{append_parts, finish, write_directory};
use crate::{DecodeError, Parallel};

/// Memory in which pieces of a stream lie.
pub trait PieceMemory: Sync {
    /// The `len` bytes of the piece at `at`; fewer where there is no such piece.
    fn piece(&self, at: u64, len: usize) -> &[u8];
}

impl PieceMemory for &[u8] {
    fn piece(&self, at: u64, len: usize) -> &[u8] {
        (**self).piece(at, len)
    }
}

impl PieceMemory for [u8] {
    fn piece(&self, at: u64, len: usize) -> &[u8] {
        let range = usize::try_from(at).ok().and_then(|at| Some(at..at.checked_add(len)?));
        range.and_then(|range| self.get(range)).unwrap_or_default()
    }
}

/// Where the bytes of some blocks are: those of one row of the grid and of one chunk.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Piece {
    pub(super) at: u64,
    pub(super) len: u32,
    pub(super) crc: u32,
}

/// How the blocks of a slice are cut into pieces: before each row of the grid, and before each chunk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cuts {
    row: usize,
    chunk: usize,
    both: usize,
    blocks: usize,
}

impl Cuts {
    pub(super) fn of(header: &Header) -> Cuts {
        let (row, chunk, blocks) =
            (header.grid().counts()[2].max(1), header.chunk_blocks, header.grid().count());
        let common = |mut a: usize, mut b: usize| {
            while b > 0 {
                (a, b) = (b, a % b);
            }
            a
        };
        Cuts { row, chunk, both: (row / common(row, chunk)).saturating_mul(chunk), blocks }
    }

    /// Number of pieces.
    pub(super) fn count(&self) -> usize {
        self.number(self.blocks)
    }

    /// Number of the piece that begins with a block.
    pub(super) fn number(&self, block: usize) -> usize {
        block.div_ceil(self.row) + block.div_ceil(self.chunk) - block.div_ceil(self.both)
    }

    /// Whether a piece begins with a block.
    pub(super) fn is_first(&self, block: usize) -> bool {
        block.is_multiple_of(self.row) || block.is_multiple_of(self.chunk)
    }

    /// The block behind the piece that begins with `block`.
    pub(super) fn end(&self, block: usize) -> usize {
        let next = |n: usize| (block / n + 1).saturating_mul(n);
        next(self.row).min(next(self.chunk)).min(self.blocks)
    }

    /// The pieces of a row of the grid, by their blocks.
    pub(super) fn of_row(&self, row: usize) -> impl Iterator<Item = Range<usize>> + '_ {
        let (from, to) = (row * self.row, ((row + 1) * self.row).min(self.blocks));
        std::iter::successors(Some(from..self.end(from)), move |p| Some(p.end..self.end(p.end)))
            .take_while(move |p| p.start < to)
    }
}

/// A coded slice, but for its bytes, which lie in pieces in memory of the caller's.
#[derive(Clone, Debug)]
pub struct Pieces {
    /// Without the checksum of the directory.
    pub(super) header: Header,
    pub(super) pieces: Arc<[Piece]>,
}

impl Pieces {
    /// Bytes of the stream.
    #[must_use]
    pub fn stream_bytes(&self) -> usize {
        HEADER_BYTES + self.header.chunks * ENTRY_BYTES + self.header.payload as usize
    }

    /// Checks the pieces, and appends the stream that they make to `out`, which is left as it was on error.
    ///
    /// # Errors
    /// [`DecodeError::Checksum`], [`DecodeError::Schedule`].
    pub fn append(
        &self,
        memory: &dyn PieceMemory,
        par: &dyn Parallel,
        out: &mut Vec<u8>,
    ) -> Result<(), DecodeError> {
        let (start, cuts, mut header) = (out.len(), Cuts::of(&self.header), self.header);
        out.resize(start + HEADER_BYTES + header.chunks * ENTRY_BYTES, 0);
        let of_chunk = |i: usize| {
            let blocks = header.chunk(i);
            &self.pieces[cuts.number(blocks.start)..cuts.number(blocks.end)]
        };
        let sizes = (0..header.chunks).map(|i| of_chunk(i).iter().map(|p| p.len as usize).sum()).collect();
        let wrong = AtomicUsize::new(usize::MAX);
        let entries = append_parts(out, sizes, par, |i, mut room| {
            let mut sum = crc32fast::Hasher::new();
            for piece in of_chunk(i) {
                let bytes = memory.piece(piece.at, piece.len as usize);
                let to;
                (to, room) = room.split_at_mut(piece.len as usize);
                if bytes.len() == to.len() && crc32fast::hash(bytes) == piece.crc {
                    to.write_copy_of_slice(bytes);
                    sum.update(bytes);
                } else {
                    to.fill(std::mem::MaybeUninit::new(0));
                    wrong.fetch_min(i, Ordering::Relaxed);
                }
            }
            sum.finalize()
        });
        let missing = |missing| DecodeError::Schedule { missing, total: self.header.chunks };
        let checked = entries.map_err(missing).and_then(|entries| match wrong.into_inner() {
            usize::MAX => Ok(entries),
            i => Err(DecodeError::Checksum { part: format!("block {i}") }),
        });
        match checked {
            Ok(entries) => {
                write_directory(&mut header, &entries, start, out);
                finish(&header, start, out);
                Ok(())
            }
            Err(error) => {
                out.truncate(start);
                Err(error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_block_is_in_one_piece() {
        for (row, chunk, blocks) in
            [(16, 128, 1024), (10, 128, 1000), (7, 3, 20), (300, 128, 900), (1, 1, 5), (4, 4, 3)]
        {
            let both = (1..).map(|k| k * row).find(|n| n % chunk == 0).unwrap();
            let cuts = Cuts { row, chunk, both, blocks };
            let firsts: Vec<usize> = (0..blocks).filter(|b| cuts.is_first(*b)).collect();
            assert_eq!(cuts.count(), firsts.len());
            for (i, first) in firsts.iter().enumerate() {
                assert_eq!(cuts.number(*first), i);
                assert_eq!(cuts.end(*first), *firsts.get(i + 1).unwrap_or(&blocks));
            }
            let by_rows = (0..blocks.div_ceil(row)).flat_map(|r| cuts.of_row(r).collect::<Vec<_>>());
            assert_eq!(by_rows.map(|p| p.start).collect::<Vec<_>>(), firsts);
        }
    }
}
