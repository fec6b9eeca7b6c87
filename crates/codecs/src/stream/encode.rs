//! A slice into a stream: survey, then blocks in parallel, then the chunks put side by side.

use std::cell::RefCell;
use std::mem::MaybeUninit;
use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::coder::{BlockCoder, Coding};
use crate::format::{self, BlockGrid, ENTRY_BYTES, HEADER_BYTES, Header, Mode};
use crate::lapped::{THRESHOLD, padding};
use crate::parallel::run_once;
use crate::scale::{exponent, pow2, quantize_step, scaled};
use crate::stream::lapped;
use crate::survey::{self, Extremes};
use crate::{Compression, Element, EncodeError, Parallel, View, float_mode};

/// What became of a slice.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SliceInfo {
    /// Bytes of the values.
    pub raw_bytes: u64,
    /// Bytes of the stream.
    pub bytes: u64,
    /// Smallest value.
    pub min: f64,
    /// Largest value.
    pub max: f64,
    /// Step of the quantiser, in the field's unit; 0 where there is none.
    pub step: f64,
    /// How the values are held.
    pub mode: Mode,
}

impl SliceInfo {
    /// Raw bytes over compressed bytes.
    pub fn ratio(&self) -> f64 {
        self.raw_bytes as f64 / self.bytes as f64
    }
}

/// See [`crate::encode`].
pub(crate) fn encode<T: Element, C: BlockCoder>(
    coder: &C,
    compression: Compression,
    src: &View<'_, T>,
    par: &dyn Parallel,
    out: &mut Vec<u8>,
) -> Result<SliceInfo, EncodeError> {
    float_mode::with_default(|| encode_slice(coder, compression, src, par, out))
}

fn encode_slice<T: Element, C: BlockCoder>(
    coder: &C,
    compression: Compression,
    src: &View<'_, T>,
    par: &dyn Parallel,
    out: &mut Vec<u8>,
) -> Result<SliceInfo, EncodeError> {
    compression.validate()?;
    let extremes = survey::extremes(src, compression.uses_rms(), par)?;
    let mut header = plan(compression, src, &extremes, par)?;
    let coding = header.coding::<T>();
    let start = out.len();
    let mut written = match (header.mode, &coding) {
        (Mode::Constant, _) => {
            out.resize(start + HEADER_BYTES, 0);
            Ok(())
        }
        (_, Coding::Lapped(_)) => {
            let mut room = Vec::new();
            let squeezed = lapped::squeeze(src, &mut room);
            write_chunks(coder, &coding, &mut header, &squeezed, par, out)
        }
        _ => write_chunks(coder, &coding, &mut header, src, par, out),
    };
    // Blocks that stick out of the shape can take more than the values.
    if matches!(coding, Coding::Lapped(_)) && written.is_ok() && header.payload >= header.raw_bytes() {
        out.truncate(start);
        header = header_of(compression, src, &extremes, Mode::Raw, 0.0);
        written = write_chunks(coder, &header.coding::<T>(), &mut header, src, par, out);
    }
    if let Err(missing) = written {
        out.truncate(start);
        return Err(EncodeError::Schedule { missing, total: header.chunks });
    }
    out[start..start + HEADER_BYTES].copy_from_slice(&header.write());
    let (raw_bytes, bytes) = (header.raw_bytes(), header.stream_bytes());
    Ok(SliceInfo { raw_bytes, bytes, min: header.min, max: header.max, step: header.step, mode: header.mode })
}

/// Decides how the slice is held: mode, step, blocks, chunks.
fn plan<T: Element>(
    compression: Compression,
    src: &View<'_, T>,
    extremes: &Extremes,
    par: &dyn Parallel,
) -> Result<Header, EncodeError> {
    let (mode, step) = match compression {
        Compression::Noop => (Mode::Coded, 0.0),
        _ if extremes.min == extremes.max => (Mode::Constant, 0.0),
        Compression::Quantize { nbits } => {
            let step = quantize_step::<T>(extremes.min, extremes.max, nbits);
            (Mode::Coded, step)
        }
        Compression::Wavelet { compscale } => {
            let (rms, e) = survey::rms(src, extremes, par)?;
            match wavelet_step::<T>(compscale, rms, e) {
                Some(step) => (Mode::Coded, step),
                None => (Mode::Raw, 0.0),
            }
        }
        Compression::Lapped { compscale } => {
            let (rms, e) = survey::rms(src, extremes, par)?;
            match lapped_step::<T>(compscale, rms, e, padding(src.shape())) {
                Some(step) => (Mode::Coded, step),
                None => (Mode::Raw, 0.0),
            }
        }
    };
    Ok(header_of(compression, src, extremes, mode, step))
}

fn header_of<T: Element>(
    compression: Compression,
    src: &View<'_, T>,
    extremes: &Extremes,
    mode: Mode,
    step: f64,
) -> Header {
    let shape = src.shape();
    let (block, chunk_blocks) = match mode {
        Mode::Coded => format::choose(compression, shape),
        Mode::Constant | Mode::Raw => format::rows(shape),
    };
    let mut header = Header {
        compression,
        dtype: T::DTYPE,
        mode,
        shape,
        block,
        chunk_blocks,
        chunks: 0,
        payload: 0,
        min: extremes.min,
        max: extremes.max,
        step,
        directory_crc: crc32fast::hash(&[]),
    };
    if mode != Mode::Constant {
        header.chunks = header.grid().chunks(chunk_blocks);
    }
    header
}

/// Step of `wavelet`, compscale x RMS with RMS = `rms` 2^`e` and 2^`e` <= max |x|. `None` where the arithmetic of the type
/// does not reach: a scale below its precision, a step among the denormals, or values so large that the decoded ones
/// might overflow.
fn wavelet_step<T: Element>(compscale: f64, rms: f64, e: i32) -> Option<f64> {
    let relative = compscale * rms;
    let reached = compscale >= pow2(2 - T::MANTISSA)
        && exponent(relative) + e >= T::TINY_EXPONENT + 3
        && e <= exponent(T::LARGEST) - 12;
    reached.then(|| scaled(relative, e))
}

/// Step of `lapped`, which keeps the RMS of the error at compscale x RMS even if all of it, of every point of the blocks,
/// fell on points of the shape; see [`wavelet_step`].
fn lapped_step<T: Element>(compscale: f64, rms: f64, e: i32, padding: f64) -> Option<f64> {
    let relative = compscale * rms / (THRESHOLD * padding.sqrt()).max(1.0);
    let reached = compscale >= pow2(2 - T::MANTISSA)
        && exponent(relative) + e >= T::TINY_EXPONENT + 12
        && e <= exponent(T::LARGEST) - 20;
    reached.then(|| scaled(relative, e))
}

/// One coded chunk.
struct Piece {
    bytes: Box<[u8]>,
    crc: u32,
}

/// Appends room for the header, then directory and payload; completes the header. The error counts missing chunks.
fn write_chunks<T: Element, C: BlockCoder>(
    coder: &C,
    coding: &Coding<T>,
    header: &mut Header,
    src: &View<'_, T>,
    par: &dyn Parallel,
    out: &mut Vec<u8>,
) -> Result<(), usize> {
    let start = out.len();
    let directory = start + HEADER_BYTES;
    let payload = directory + header.chunks * ENTRY_BYTES;
    let grid = header.grid();
    let chunk = |i: usize| i * header.chunk_blocks..grid.count().min((i + 1) * header.chunk_blocks);
    let (sizes, crcs): (Vec<usize>, Vec<u32>);
    if matches!(coding, Coding::Copy) {
        // Sizes are known beforehand, so the rows need no buffer of their own.
        let points = |block: usize| grid.bounds(block).1.iter().product::<usize>();
        sizes = (0..header.chunks).map(|i| chunk(i).map(points).sum::<usize>() * size_of::<T>()).collect();
        out.resize(payload, 0);
        let found: Vec<AtomicU32> = (0..header.chunks).map(|_| AtomicU32::new(0)).collect();
        append_parts(out, &sizes, par, |i, part| {
            with_chunk(coder, coding, &grid, chunk(i), src, |bytes| {
                part.write_copy_of_slice(bytes);
                found[i].store(crc32fast::hash(bytes), Ordering::Relaxed);
            });
        })?;
        crcs = found.into_iter().map(AtomicU32::into_inner).collect();
    } else {
        let cells: Vec<OnceLock<Piece>> = (0..header.chunks).map(|_| OnceLock::new()).collect();
        let keep = |i: usize, bytes: &[u8]| {
            let _ = cells[i].set(Piece { bytes: bytes.into(), crc: crc32fast::hash(bytes) });
        };
        if let Coding::Lapped(lapped) = coding {
            lapped::encode(coder, lapped, &grid, src, par, keep)?;
        } else {
            run_once(par, header.chunks, |i| {
                with_chunk(coder, coding, &grid, chunk(i), src, |bytes| keep(i, bytes));
            })?;
        }
        let pieces: Vec<Piece> = cells.into_iter().filter_map(OnceLock::into_inner).collect();
        sizes = pieces.iter().map(|p| p.bytes.len()).collect();
        crcs = pieces.iter().map(|p| p.crc).collect();
        out.resize(payload, 0);
        append_parts(out, &sizes, par, |i, part| {
            part.write_copy_of_slice(&pieces[i].bytes);
        })?;
    }
    for (i, (size, crc)) in sizes.iter().zip(crcs).enumerate() {
        let entry = &mut out[directory + i * ENTRY_BYTES..][..ENTRY_BYTES];
        entry[..4].copy_from_slice(&(*size as u32).to_le_bytes());
        entry[4..].copy_from_slice(&crc.to_le_bytes());
    }
    header.payload = (out.len() - payload) as u64;
    header.directory_crc = crc32fast::hash(&out[directory..payload]);
    Ok(())
}

thread_local! {
    /// The chunk that the thread is coding.
    static CHUNK: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Codes a run of blocks and hands their bytes to `consume`.
fn with_chunk<T: Element, C: BlockCoder, R>(
    coder: &C,
    coding: &Coding<T>,
    grid: &BlockGrid,
    blocks: Range<usize>,
    src: &View<'_, T>,
    consume: impl FnOnce(&[u8]) -> R,
) -> R {
    CHUNK.with_borrow_mut(|bytes| {
        bytes.clear();
        float_mode::with_default(|| {
            for block in blocks {
                let (origin, extent) = grid.bounds(block);
                coder.encode(coding, src.part(origin, extent), bytes);
            }
        });
        consume(bytes)
    })
}

/// Where the parts of `append_parts` go.
struct Spare(*mut MaybeUninit<u8>);

// SAFETY: threads write disjoint parts of what it points to.
unsafe impl Sync for Spare {}

impl Spare {
    /// # Safety
    /// The part must lie inside the spare capacity, and no other thread may touch it.
    #[expect(clippy::mut_from_ref, reason = "a cursor into memory that threads share out among them")]
    unsafe fn part(&self, start: usize, len: usize) -> &mut [MaybeUninit<u8>] {
        // SAFETY: the caller's duty.
        unsafe { std::slice::from_raw_parts_mut(self.0.add(start), len) }
    }
}

/// Appends parts of the given sizes, written in parallel; `write` must fill its part. The error counts missing parts.
fn append_parts(
    out: &mut Vec<u8>,
    sizes: &[usize],
    par: &dyn Parallel,
    write: impl Fn(usize, &mut [MaybeUninit<u8>]) + Sync,
) -> Result<(), usize> {
    let starts: Vec<usize> = sizes
        .iter()
        .scan(0, |end, size| {
            *end += size;
            Some(*end - size)
        })
        .collect();
    let total = sizes.iter().sum();
    out.reserve(total);
    let spare = Spare(out.spare_capacity_mut().as_mut_ptr());
    run_once(par, sizes.len(), |i| {
        // SAFETY: parts lie one after the other in the reserved room, and `run_once` visits each once.
        write(i, unsafe { spare.part(starts[i], sizes[i]) });
    })?;
    // SAFETY: `run_once` has visited every part, so `total` bytes are initialised.
    unsafe { out.set_len(out.len() + total) };
    Ok(())
}
