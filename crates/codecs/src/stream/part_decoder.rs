//! Slices that are decoded in parts, by whoever wants these parts in a cache at the time.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use crate::coder::{BlockCoder, Coding};
use crate::format::{self, Header, Mode};
use crate::native::Native;
use crate::stream::decode::{each, each_chunk, fill};
use crate::stream::patch;
use crate::stream::pieces::{Cuts, Piece, PieceMemory, Pieces};
use crate::view::SharedMut;
use crate::{Compression, DType, DecodeError, Element, Parallel, ViewMut, float_mode};

/// See [`Compression::decoded_part`].
pub(crate) fn least_decoded(compression: Compression, shape: [usize; 3]) -> Option<[usize; 2]> {
    match compression {
        Compression::Noop => Some([1, 1]),
        Compression::Quantize { .. } => {
            let ([b0, b1, _], _) = format::choose(compression, shape);
            Some([b0, b1])
        }
        Compression::Wavelet { .. } | Compression::Lapped { .. } | Compression::LappedSnr { .. } => None,
    }
}

/// Whether a box of whole rows begins and ends, along the first two axes, with a block or where the slice ends.
pub(super) fn is_part(shape: [usize; 3], block: [usize; 2], origin: [usize; 2], extent: [usize; 3]) -> bool {
    let along = |a: usize| {
        let end = origin[a].saturating_add(extent[a]);
        let ends = end == shape[a] || (end < shape[a] && end.is_multiple_of(block[a]));
        origin[a].is_multiple_of(block[a]) && ends
    };
    along(0) && along(1) && extent[2] == shape[2]
}

/// A stream of which parts are decoded, on any threads.
#[derive(Debug)]
pub struct PartDecoder {
    header: Header,
    least: [usize; 2],
    cuts: Cuts,
    pieces: Arc<[Piece]>,
    /// Whether the bytes were checked before; otherwise each piece is when it is decoded.
    checked: bool,
    /// Where the payload begins in a stream without pieces.
    payload: u64,
}

fn fits(header: &Header, dtype: DType, shape: [usize; 3]) -> Result<(), DecodeError> {
    if header.dtype != dtype {
        return Err(DecodeError::WrongType { stream: header.dtype, destination: dtype });
    }
    if header.shape != shape {
        return Err(DecodeError::WrongShape { stream: header.shape, destination: shape });
    }
    Ok(())
}

impl PartDecoder {
    /// Checks the whole stream, and finds its parts; `None` where it can only be decoded as a whole.
    ///
    /// # Errors
    /// As [`decode`](crate::decode).
    pub fn new(
        stream: &[u8],
        dtype: DType,
        shape: [usize; 3],
        par: &dyn Parallel,
    ) -> Result<Option<PartDecoder>, DecodeError> {
        let header = Header::read(stream)?;
        fits(&header, dtype, shape)?;
        let coded = header.mode == Mode::Coded && header.compression != Compression::Noop;
        let quantized = matches!(header.compression, Compression::Quantize { .. });
        if header.patched || (coded && !quantized) {
            return Ok(None);
        }
        let (chunks, _) = patch::split(&header, stream)?;
        let payload = stream.len() - header.payload as usize;
        let starts = chunks.iter().scan(payload, |at, (bytes, _)| {
            *at += bytes.len();
            Some(*at - bytes.len())
        });
        let starts: Vec<usize> = starts.collect();
        let cuts = Cuts::of(&header);
        let found: Vec<OnceLock<Vec<Piece>>> = chunks.iter().map(|_| OnceLock::new()).collect();
        each_chunk(par, &chunks, &Vec::from_iter(0..chunks.len()), |i, bytes| {
            if coded {
                let pieces = pieces_of(&cuts, header.chunk(i), starts[i], bytes, dtype);
                let _ = found[i].set(pieces.ok_or_else(|| cut(i))?);
            }
            Ok(())
        })?;
        let least = if coded { [header.block[0], header.block[1]] } else { [1, 1] };
        let pieces = found.into_iter().filter_map(OnceLock::into_inner).flatten().collect();
        Ok(Some(PartDecoder { header, least, cuts, pieces, checked: true, payload: payload as u64 }))
    }

    /// For a slice in pieces.
    ///
    /// # Errors
    /// [`DecodeError::WrongType`], [`DecodeError::WrongShape`].
    pub fn of(pieces: &Pieces, dtype: DType, shape: [usize; 3]) -> Result<PartDecoder, DecodeError> {
        let Pieces { header, pieces } = pieces.clone();
        fits(&header, dtype, shape)?;
        let least = [header.block[0], header.block[1]];
        Ok(PartDecoder { header, least, cuts: Cuts::of(&header), pieces, checked: false, payload: 0 })
    }

    /// Decodes the part that begins at `origin` along the first two axes, from the stream that was checked, or from the memory of
    /// the pieces.
    ///
    /// # Errors
    /// [`DecodeError::Corrupt`] when its bytes make no blocks, [`DecodeError::Checksum`] when those of a piece have changed;
    /// [`DecodeError::BoxOutside`] when it is no part.
    pub fn decode<T: Element>(
        &self,
        memory: &dyn PieceMemory,
        origin: [usize; 2],
        mut part: ViewMut<'_, T>,
    ) -> Result<(), DecodeError> {
        let extent = part.shape();
        let shape = self.header.shape;
        if T::DTYPE != self.header.dtype || !is_part(shape, self.least, origin, extent) {
            let origin = [origin[0], origin[1], 0];
            return Err(DecodeError::BoxOutside { stream: shape, origin, extent });
        }
        let part = part.shared();
        float_mode::with_default(|| match self.header.mode {
            Mode::Constant => fill(&part, extent, T::from_f64(self.header.min), &crate::Serial),
            Mode::Coded if self.header.compression != Compression::Noop => {
                let ([b0, b1], c1) = (self.least, self.header.grid().counts()[1]);
                let coding = self.header.coding::<T>().cached();
                for x in origin[0] / b0..(origin[0] + extent[0]).div_ceil(b0) {
                    for y in origin[1] / b1..(origin[1] + extent[1]).div_ceil(b1) {
                        self.row(&coding, memory, x * c1 + y, origin, &part)?;
                    }
                }
                Ok(())
            }
            Mode::Coded | Mode::Raw => self.copies(memory, origin, extent, &part),
        })
    }

    /// Decodes a slice in pieces as a whole.
    ///
    /// # Errors
    /// As [`decode`](PartDecoder::decode); [`DecodeError::Schedule`].
    pub fn decode_all<T: Element>(
        &self,
        memory: &dyn PieceMemory,
        mut slice: ViewMut<'_, T>,
        par: &dyn Parallel,
    ) -> Result<(), DecodeError> {
        if self.pieces.is_empty() {
            return self.decode(memory, [0, 0], slice);
        }
        fits(&self.header, T::DTYPE, slice.shape())?;
        let [c0, c1, _] = self.header.grid().counts();
        let (coding, slice) = (self.header.coding::<T>(), slice.shared());
        each(par, c0 * c1, |row| self.row(&coding, memory, row, [0, 0], &slice))
    }

    /// Decodes a row of the grid of blocks into the part that begins at `origin`.
    fn row<T: Element>(
        &self,
        coding: &Coding<T>,
        memory: &dyn PieceMemory,
        row: usize,
        origin: [usize; 2],
        part: &SharedMut<'_, T>,
    ) -> Result<(), DecodeError> {
        let grid = self.header.grid();
        for blocks in self.cuts.of_row(row) {
            let number = self.cuts.number(blocks.start);
            let piece = self.pieces.get(number).copied().unwrap_or_default();
            let bytes = memory.piece(piece.at, piece.len as usize);
            if !self.checked && crc32fast::hash(bytes) != piece.crc {
                return Err(DecodeError::Checksum { part: format!("piece {number}") });
            }
            let ([i, j, k], extent, _) = grid.run(&blocks);
            // SAFETY: rows of blocks are disjoint, and each is decoded once, by this thread.
            let mut block = unsafe { part.block([i - origin[0], j - origin[1], k], extent) };
            if Native.decode(coding, bytes, &mut block) != Some(piece.len as usize) {
                return Err(DecodeError::Corrupt(format!("blocks at {:?} cannot be decoded", [i, j, k])));
            }
        }
        Ok(())
    }

    /// Rows as they are: the payload is the slice in row-major order.
    fn copies<T: Element>(
        &self,
        memory: &dyn PieceMemory,
        origin: [usize; 2],
        extent: [usize; 3],
        part: &SharedMut<'_, T>,
    ) -> Result<(), DecodeError> {
        let plane = extent[1] * extent[2] * size_of::<T>();
        for i in 0..extent[0] {
            let row = (origin[0] + i) * self.header.shape[1] + origin[1];
            let start = self.payload + (row * extent[2] * size_of::<T>()) as u64;
            // SAFETY: the only block of its view that lives.
            let mut block = unsafe { part.block([i, 0, 0], [1, extent[1], extent[2]]) };
            if Native.decode(&Coding::Copy, memory.piece(start, plane), &mut block).is_none() {
                return Err(DecodeError::Corrupt(format!("rows at {origin:?} are missing")));
            }
        }
        Ok(())
    }
}

/// The pieces of the blocks of a chunk, whose bytes begin at `start`; `None` when they are no blocks.
fn pieces_of(
    cuts: &Cuts,
    blocks: Range<usize>,
    start: usize,
    bytes: &[u8],
    dtype: DType,
) -> Option<Vec<Piece>> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut at = 0;
    for block in blocks {
        let len = quantized_len(*bytes.get(at)?, dtype)?;
        if cuts.is_first(block) {
            pieces.push(Piece { at: (start + at) as u64, len: 0, crc: 0 });
        }
        pieces.last_mut()?.len += len as u32;
        at += len;
    }
    (at == bytes.len()).then_some(pieces)
}

fn cut(chunk: usize) -> DecodeError {
    DecodeError::Corrupt(format!("block {chunk} cannot be decoded"))
}

/// Bytes of a block of `quantize` that begins with this tag; the table is in `runtime-c/codecs/quantize.h`.
fn quantized_len(tag: u8, dtype: DType) -> Option<usize> {
    Some(match tag {
        0 => 1,
        w @ 1..=31 => 1 + 64 * usize::from(w),
        w @ 64..=96 => 1 + dtype.size() + 64 * usize::from(w - 64),
        255 => 1 + 512 * dtype.size(),
        _ => return None,
    })
}
