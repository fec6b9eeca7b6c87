//! Slices that are coded and decoded in parts, by whoever has these parts in a cache at the time.
//!
//! A part is a box of whole rows along the last axis, which begins and ends with a block along the other two (or where
//! the slice ends). The bytes of a stream are those of [`encode`](crate::encode).

use std::mem::MaybeUninit;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::coder::{BlockCoder, Coding};
use crate::format::{self, ENTRY_BYTES, HEADER_BYTES, Header, Mode};
use crate::native::Native;
use crate::scale::quantize_step;
use crate::stream::decode::{each_chunk, fill};
use crate::stream::encode::{append_parts, finish, header_of, write_directory};
use crate::stream::patch;
use crate::survey::Extremes;
use crate::view::SharedMut;
use crate::{
    Compression, DType, DecodeError, Element, EncodeError, Parallel, SliceInfo, View, ViewMut, float_mode,
};

/// See [`Compression::encoded_part`].
pub(crate) fn least_encoded(compression: Compression, shape: [usize; 3]) -> Option<[usize; 2]> {
    match compression {
        Compression::Quantize { .. } => least_decoded(compression, shape),
        _ => None,
    }
}

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

/// Codes a slice that is handed over in parts, on any threads.
///
/// The slice is cut into strips along its middle axis; the parts of a strip come in their order along the first axis. What
/// a codec must know of the whole slice beforehand is guessed: [`finish`](PartEncoder::finish) tells when it was wrong.
/// The memory of one slice serves the next.
#[derive(Debug)]
pub struct PartEncoder {
    /// With the guessed step.
    header: Header,
    least: [usize; 2],
    /// Rows of a strip.
    rows: usize,
    strips: Vec<Mutex<Strip>>,
    /// The slice must be coded as a whole: more parts are of no use.
    wrong: AtomicBool,
}

#[derive(Debug)]
struct Strip {
    bytes: Vec<u8>,
    pieces: Vec<Piece>,
    extremes: Extremes,
}

/// Blocks that follow each other in a chunk of the stream.
#[derive(Clone, Copy, Debug)]
struct Piece {
    blocks: (usize, usize),
    strip: usize,
    start: usize,
    len: usize,
}

impl PartEncoder {
    /// For slices of a shape whose strips have `rows` rows; `None` where the codec needs the whole slice at once, or
    /// `rows` is no multiple of [`Compression::encoded_part`].
    pub fn new(
        compression: Compression,
        dtype: DType,
        shape: [usize; 3],
        rows: usize,
    ) -> Option<PartEncoder> {
        let least = least_encoded(compression, shape)?;
        if rows == 0 || !rows.is_multiple_of(least[1]) || shape.contains(&0) {
            return None;
        }
        let strip = || Mutex::new(Strip { bytes: vec![], pieces: vec![], extremes: Extremes::NONE });
        Some(PartEncoder {
            header: header_of(compression, dtype, shape, &Extremes::NONE, Mode::Coded, 0.0),
            least,
            rows,
            strips: (0..shape[1].div_ceil(rows)).map(|_| strip()).collect(),
            wrong: AtomicBool::new(true),
        })
    }

    /// Begins a slice. `like` is what became of one that was much the same; where that tells nothing, the result is false.
    pub fn begin(&mut self, like: Option<&SliceInfo>) -> bool {
        for strip in &mut self.strips {
            let strip = strip.get_mut().unwrap_or_else(PoisonError::into_inner);
            strip.bytes.clear();
            strip.pieces.clear();
            strip.extremes = Extremes::NONE;
        }
        self.header.step = like.filter(|l| l.mode == Mode::Coded).map_or(0.0, |l| l.step);
        let known = self.header.step > 0.0;
        *self.wrong.get_mut() = !known;
        known
    }

    /// Codes the part that begins at `origin` along the first two axes.
    pub fn encode<T: Element>(&self, origin: [usize; 2], part: View<'_, T>) {
        if self.wrong.load(Ordering::Relaxed) {
            return;
        }
        let strip = origin[1] / self.rows;
        let in_strip = origin[1] % self.rows + part.shape()[1] <= self.rows;
        if T::DTYPE != self.header.dtype
            || !in_strip
            || !is_part(self.header.shape, self.least, origin, part.shape())
        {
            return self.wrong.store(true, Ordering::Relaxed);
        }
        // Nobody else has it: the parts of a strip come one after the other.
        let mut held = self.strips[strip].lock().unwrap_or_else(PoisonError::into_inner);
        let Strip { bytes, pieces, extremes } = &mut *held;
        let coding = self.header.coding::<T>();
        let seen = float_mode::with_default(|| {
            self.runs(origin, part.shape(), |blocks, from, extent| {
                let start = bytes.len();
                let [low, high] = Native.encode_seen(&coding, part.part(from, extent), bytes)?;
                pieces.push(Piece {
                    blocks: (blocks.start, blocks.end),
                    strip,
                    start,
                    len: bytes.len() - start,
                });
                extremes.include(&Extremes::new(low.to_f64(), high.to_f64()));
                Some(())
            })?;
            // What can only become worse: steps grow with the range.
            (step_of::<T>(self.header.compression, extremes) <= self.header.step).then_some(())
        });
        if seen.is_none() {
            self.wrong.store(true, Ordering::Relaxed);
        }
    }

    /// Calls `body` with the blocks of a part, and the box of them in the part, in runs that no chunk cuts.
    fn runs(
        &self,
        origin: [usize; 2],
        [n0, n1, _]: [usize; 3],
        mut body: impl FnMut(Range<usize>, [usize; 3], [usize; 3]) -> Option<()>,
    ) -> Option<()> {
        let (grid, [b0, b1], per_chunk) = (self.header.grid(), self.least, self.header.chunk_blocks);
        let [_, c1, c2] = grid.counts();
        for layer in origin[0] / b0..(origin[0] + n0).div_ceil(b0) {
            let row = |y: usize| (layer * c1 + y) * c2;
            let mut blocks = row(origin[1] / b1)..row((origin[1] + n1).div_ceil(b1));
            while !blocks.is_empty() {
                let chunk_end = (blocks.start / per_chunk + 1) * per_chunk;
                let ([x, y, z], extent, count) = grid.run(&(blocks.start..blocks.end.min(chunk_end)));
                body(blocks.start..blocks.start + count, [x - origin[0], y - origin[1], z], extent)?;
                blocks.start += count;
            }
        }
        Some(())
    }

    /// Appends the stream to `out`, if all parts are there and the guess was right; otherwise the slice must be coded by
    /// [`encode`](crate::encode).
    ///
    /// # Errors
    /// [`EncodeError::Schedule`].
    pub fn finish<T: Element>(
        &mut self,
        par: &dyn Parallel,
        out: &mut Vec<u8>,
    ) -> Result<Option<SliceInfo>, EncodeError> {
        let mut all = Extremes::NONE;
        let mut pieces: Vec<Piece> = Vec::new();
        let mut strips: Vec<&[u8]> = Vec::new();
        for strip in &mut self.strips {
            let strip = strip.get_mut().unwrap_or_else(PoisonError::into_inner);
            all.include(&strip.extremes);
            pieces.extend(&strip.pieces);
            strips.push(&strip.bytes);
        }
        pieces.sort_unstable_by_key(|p| p.blocks.0);
        let last = pieces.iter().try_fold(0, |end, p| (p.blocks.0 == end).then_some(p.blocks.1));
        let whole = last == Some(self.header.grid().count());
        let right = whole
            && T::DTYPE == self.header.dtype
            && step_of::<T>(self.header.compression, &all) == self.header.step;
        if self.wrong.load(Ordering::Relaxed) || !right {
            return Ok(None);
        }
        (self.header.min, self.header.max) = (all.min, all.max);
        let start = out.len();
        let laid = Pieces::new(&self.header, pieces, strips);
        match laid.write(&mut self.header, par, out) {
            Ok(()) => Ok(Some(finish(&self.header, start, out))),
            Err(missing) => {
                out.truncate(start);
                Err(EncodeError::Schedule { missing, total: self.header.chunks })
            }
        }
    }
}

/// Whether a box of whole rows begins and ends, along the first two axes, with a block or where the slice ends.
fn is_part(shape: [usize; 3], block: [usize; 2], origin: [usize; 2], extent: [usize; 3]) -> bool {
    let along = |a: usize| {
        let end = origin[a].saturating_add(extent[a]);
        let ends = end == shape[a] || (end < shape[a] && end.is_multiple_of(block[a]));
        origin[a].is_multiple_of(block[a]) && ends
    };
    along(0) && along(1) && extent[2] == shape[2]
}

/// The step of a slice with these extremes.
fn step_of<T: Element>(compression: Compression, extremes: &Extremes) -> f64 {
    match compression {
        Compression::Quantize { nbits } if extremes.min < extremes.max => {
            quantize_step::<T>(extremes.min, extremes.max, nbits)
        }
        _ => 0.0,
    }
}

/// Pieces in the order of the stream.
struct Pieces<'a> {
    pieces: Vec<Piece>,
    strips: Vec<&'a [u8]>,
    /// Where each piece ends in the payload.
    ends: Vec<usize>,
    /// Where each chunk begins, and where the last one ends.
    chunks: Vec<usize>,
}

impl<'a> Pieces<'a> {
    fn new(header: &Header, pieces: Vec<Piece>, strips: Vec<&'a [u8]>) -> Pieces<'a> {
        let ends: Vec<usize> = pieces
            .iter()
            .scan(0, |end, piece| {
                *end += piece.len;
                Some(*end)
            })
            .collect();
        let begins = |p: &&Piece| p.blocks.0.is_multiple_of(header.chunk_blocks);
        let starts = pieces.iter().zip(&ends).filter(|(p, _)| begins(p)).map(|(p, end)| end - p.len);
        let mut chunks: Vec<usize> = starts.collect();
        chunks.extend(ends.last());
        Pieces { pieces, strips, ends, chunks }
    }

    /// Appends room for the header, the directory and the payload; completes the header. The error counts missing chunks.
    fn write(&self, header: &mut Header, par: &dyn Parallel, out: &mut Vec<u8>) -> Result<(), usize> {
        let start = out.len();
        out.resize(start + HEADER_BYTES + header.chunks * ENTRY_BYTES, 0);
        let sizes = self.chunks.windows(2).map(|ends| ends[1] - ends[0]).collect();
        let copy =
            |i: usize, room: &mut [MaybeUninit<u8>]| self.copy(self.chunks[i]..self.chunks[i + 1], room);
        let entries = append_parts(out, sizes, par, copy)?;
        write_directory(header, &entries, start, out);
        Ok(())
    }

    /// Copies some bytes of the payload, and returns their checksum.
    fn copy(&self, bytes: Range<usize>, room: &mut [MaybeUninit<u8>]) -> u32 {
        let mut sum = crc32fast::Hasher::new();
        let mut at = bytes.start;
        let first = self.ends.partition_point(|end| *end <= at);
        for (piece, end) in self.pieces[first..].iter().zip(&self.ends[first..]) {
            if at >= bytes.end {
                break;
            }
            let (skip, take) = (at + piece.len - end, (*end).min(bytes.end) - at);
            let from = &self.strips[piece.strip][piece.start + skip..][..take];
            room[at - bytes.start..][..take].write_copy_of_slice(from);
            sum.update(from);
            at += take;
        }
        sum.finalize()
    }
}

/// A checked stream of which parts are decoded, on any threads.
#[derive(Debug)]
pub struct PartDecoder {
    header: Header,
    least: [usize; 2],
    /// Where the rows of blocks begin in the stream.
    rows: Vec<AtomicUsize>,
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
        if header.dtype != dtype {
            return Err(DecodeError::WrongType { stream: header.dtype, destination: dtype });
        }
        if header.shape != shape {
            return Err(DecodeError::WrongShape { stream: header.shape, destination: shape });
        }
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
        let grid = header.grid();
        let [c0, c1, c2] = grid.counts();
        let (least, rows) = if coded { ([header.block[0], header.block[1]], c0 * c1) } else { ([1, 1], 0) };
        let rows: Vec<AtomicUsize> = (0..rows).map(|_| AtomicUsize::new(payload)).collect();
        each_chunk(par, &chunks, &Vec::from_iter(0..chunks.len()), |i, bytes| {
            if !coded {
                return Ok(());
            }
            let mut at = 0;
            for block in header.chunk(i) {
                if block % c2 == 0 {
                    rows[block / c2].store(starts[i] + at, Ordering::Relaxed);
                }
                let tag = *bytes.get(at).ok_or_else(|| cut(i))?;
                at += quantized_len(tag, dtype).ok_or_else(|| cut(i))?;
            }
            if at == bytes.len() { Ok(()) } else { Err(cut(i)) }
        })?;
        Ok(Some(PartDecoder { header, least, rows }))
    }

    /// Decodes the part that begins at `origin` along the first two axes, from the stream that was checked.
    ///
    /// # Errors
    /// [`DecodeError::Corrupt`] when its bytes make no blocks; [`DecodeError::BoxOutside`] when it is no part.
    pub fn decode<T: Element>(
        &self,
        stream: &[u8],
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
                self.blocks(stream, origin, extent, &part)
            }
            Mode::Coded | Mode::Raw => self.copies(stream, origin, extent, &part),
        })
    }

    /// Layer by layer, each a run of blocks.
    fn blocks<T: Element>(
        &self,
        stream: &[u8],
        origin: [usize; 2],
        extent: [usize; 3],
        part: &SharedMut<'_, T>,
    ) -> Result<(), DecodeError> {
        let coding = self.header.coding::<T>().cached();
        let ([b0, b1], counts) = (self.least, self.header.grid().counts());
        for from in (0..extent[0]).step_by(b0) {
            let row = (origin[0] + from) / b0 * counts[1] + origin[1] / b1;
            let at = self.rows.get(row).map_or(0, |at| at.load(Ordering::Relaxed));
            let layer = [b0.min(extent[0] - from), extent[1], extent[2]];
            // SAFETY: the only block of its view that lives.
            let mut block = unsafe { part.block([from, 0, 0], layer) };
            let bytes = stream.get(at..).unwrap_or_default();
            if Native.decode(&coding, bytes, &mut block).is_none_or(|used| used > bytes.len()) {
                return Err(DecodeError::Corrupt(format!("blocks at {origin:?} cannot be decoded")));
            }
        }
        Ok(())
    }

    /// Rows as they are: the payload is the slice in row-major order.
    fn copies<T: Element>(
        &self,
        stream: &[u8],
        origin: [usize; 2],
        extent: [usize; 3],
        part: &SharedMut<'_, T>,
    ) -> Result<(), DecodeError> {
        let payload = stream.len().saturating_sub(self.header.payload as usize);
        let plane = extent[1] * extent[2] * size_of::<T>();
        for i in 0..extent[0] {
            let row = (origin[0] + i) * self.header.shape[1] + origin[1];
            let start = payload + row * extent[2] * size_of::<T>();
            // SAFETY: the only block of its view that lives.
            let mut block = unsafe { part.block([i, 0, 0], [1, extent[1], extent[2]]) };
            let bytes = stream.get(start..start + plane).unwrap_or_default();
            if Native.decode(&Coding::Copy, bytes, &mut block).is_none() {
                return Err(DecodeError::Corrupt(format!("rows at {origin:?} are missing")));
            }
        }
        Ok(())
    }
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
