//! A slice into a stream: survey, then blocks in parallel, then the chunks put side by side.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crate::coder::{BlockCoder, Coding};
use crate::format::{self, BlockGrid, ENTRY_BYTES, HEADER_BYTES, Header, Mode};
use crate::lapped::{THRESHOLD, padding};
use crate::parallel::run_once;
use crate::scale::{exponent, pow2, quantize_step, scaled};
use crate::stream::snr::{self, Goal, Trend};
use crate::stream::{lapped, line::Line};
use crate::survey::{self, Extremes, Loudness};
use crate::{Compression, DType, Element, EncodeError, Parallel, View, float_mode};

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
    /// Of the slice with a completed header.
    pub(super) fn of(header: &Header) -> SliceInfo {
        let (raw_bytes, bytes) = (header.raw_bytes(), header.stream_bytes());
        SliceInfo { raw_bytes, bytes, min: header.min, max: header.max, step: header.step, mode: header.mode }
    }

    /// Raw bytes over compressed bytes.
    pub fn ratio(&self) -> f64 {
        self.raw_bytes as f64 / self.bytes as f64
    }
}

/// See [`crate::encode_next`].
pub(crate) fn encode<T: Element, C: BlockCoder>(
    coder: &C,
    compression: Compression,
    src: &View<'_, T>,
    par: &dyn Parallel,
    trend: &mut Trend,
    out: &mut Vec<u8>,
) -> Result<SliceInfo, EncodeError> {
    float_mode::with_default(|| encode_slice(coder, compression, src, par, trend, out))
}

fn encode_slice<T: Element, C: BlockCoder>(
    coder: &C,
    compression: Compression,
    src: &View<'_, T>,
    par: &dyn Parallel,
    trend: &mut Trend,
    out: &mut Vec<u8>,
) -> Result<SliceInfo, EncodeError> {
    compression.validate()?;
    let start = out.len();
    if let Some(info) = encode_guessed(coder, compression, src, par, out)? {
        return Ok(info);
    }
    out.truncate(start);
    let loud = if compression.is_lapped() { survey::loudness(src, par)? } else { None };
    // Squares of numbers that are far from 1 over- or underflow.
    let known = |largest: f64| pow2(-400) < largest && largest < pow2(400);
    let (extremes, loudness) = match &loud {
        Some((extremes, loudness)) => (*extremes, known(extremes.largest()).then_some(loudness)),
        None => (survey::extremes(src, compression.uses_rms(), par)?, None),
    };
    let (mut header, goal) = plan(compression, src, &extremes, par)?;
    let written = match (header.mode, goal) {
        (Mode::Constant, _) => {
            out.resize(start + HEADER_BYTES, 0);
            Ok(())
        }
        (_, Some(goal)) => snr::write(coder, &mut header, Goal { loudness, ..goal }, trend, src, par, out),
        _ => write_chunks(coder, &mut header, src, par, out, Known { loudness, watch: None })
            .map(|_| ())
            .map_err(|missing| EncodeError::Schedule { missing, total: header.chunks }),
    };
    if let Err(error) = written {
        out.truncate(start);
        return Err(error);
    }
    // Blocks that stick out of the shape can take more than the values.
    if header.mode == Mode::Coded && compression.is_lapped() && header.payload >= header.raw_bytes() {
        out.truncate(start);
        return write_raw(coder, header, src, par, out);
    }
    Ok(finish(&header, start, out))
}

/// Appends the slice of `header` as it is.
pub(super) fn write_raw<T: Element, C: BlockCoder>(
    coder: &C,
    mut header: Header,
    src: &View<'_, T>,
    par: &dyn Parallel,
    out: &mut Vec<u8>,
) -> Result<SliceInfo, EncodeError> {
    let start = out.len();
    (header.mode, header.step) = (Mode::Raw, 0.0);
    (header.block, header.chunk_blocks) = format::rows(src.shape());
    header.chunks = header.grid().chunks(header.chunk_blocks);
    if let Err(missing) = write_chunks(coder, &mut header, src, par, out, Known::NOTHING) {
        out.truncate(start);
        return Err(EncodeError::Schedule { missing, total: header.chunks });
    }
    Ok(finish(&header, start, out))
}

/// Puts the completed header at `start`.
pub(super) fn finish(header: &Header, start: usize, out: &mut [u8]) -> SliceInfo {
    out[start..start + HEADER_BYTES].copy_from_slice(&header.write());
    SliceInfo::of(header)
}

/// Slices with fewer points are surveyed at once: they are in the cache the second time.
const GUESSED_POINTS: usize = 1 << 19;

/// Reads a large slice once, not twice: guesses the step of `quantize` from a sample of the rows, a power of two that the
/// sample's extremes most often give as well as the slice's, and finds the true extremes on the way. `None` where there
/// is no guess or it was wrong; the bytes are those of a survey beforehand.
fn encode_guessed<T: Element, C: BlockCoder>(
    coder: &C,
    compression: Compression,
    src: &View<'_, T>,
    par: &dyn Parallel,
    out: &mut Vec<u8>,
) -> Result<Option<SliceInfo>, EncodeError> {
    let Compression::Quantize { nbits } = compression else { return Ok(None) };
    if src.points() < GUESSED_POINTS {
        return Ok(None);
    }
    let Some(sample) = survey::sample(src).filter(|e| e.min < e.max) else { return Ok(None) };
    let start = out.len();
    let (mut header, _) = plan(compression, src, &sample, par)?;
    let watch = Watch {
        step: header.step,
        nbits,
        sample,
        wrong: AtomicBool::new(false),
        extremes: (0..header.chunks).map(|_| OnceLock::new()).collect(),
        element: PhantomData,
    };
    let written =
        write_chunks(coder, &mut header, src, par, out, Known { loudness: None, watch: Some(&watch) });
    if watch.wrong.into_inner() {
        return Ok(None);
    }
    if let Err(missing) = written {
        out.truncate(start);
        return Err(EncodeError::Schedule { missing, total: header.chunks });
    }
    let mut all = sample;
    watch.extremes.into_iter().filter_map(OnceLock::into_inner).for_each(|e| all.include(&e));
    if quantize_step::<T>(all.min, all.max, nbits) != header.step {
        return Ok(None);
    }
    (header.min, header.max) = (all.min, all.max);
    Ok(Some(finish(&header, start, out)))
}

/// What is known of a slice, or becomes known, while it is coded.
pub(super) struct Known<'a, T> {
    pub(super) loudness: Option<&'a Loudness>,
    pub(super) watch: Option<&'a Watch<T>>,
}

impl<T> Known<'_, T> {
    const NOTHING: Self = Known { loudness: None, watch: None };
}

/// What becomes known of a slice whose step was guessed.
pub(super) struct Watch<T> {
    step: f64,
    nbits: u32,
    sample: Extremes,
    /// The step is not that of the slice, or a value is not finite; no more needs to be coded.
    wrong: AtomicBool,
    /// Of each chunk.
    extremes: Vec<OnceLock<Extremes>>,
    element: PhantomData<T>,
}

impl<T: Element> Watch<T> {
    /// Adds to what is known of a chunk.
    fn see(&self, extremes: Option<[T; 2]>, seen: &mut Extremes) {
        match extremes {
            Some([low, high]) => seen.include(&Extremes::new(low.to_f64(), high.to_f64())),
            None => self.wrong.store(true, Ordering::Relaxed),
        }
    }

    /// Notices at once what can only become worse: steps grow with the range.
    fn chunk_seen(&self, chunk: usize, seen: Extremes) {
        let mut all = self.sample;
        all.include(&seen);
        if quantize_step::<T>(all.min, all.max, self.nbits) > self.step {
            self.wrong.store(true, Ordering::Relaxed);
        }
        let _ = self.extremes[chunk].set(seen);
    }
}

/// Decides how the slice is held: mode, step, blocks, chunks. The step is the least one where a ratio of signal to noise is
/// asked for.
fn plan<T: Element>(
    compression: Compression,
    src: &View<'_, T>,
    extremes: &Extremes,
    par: &dyn Parallel,
) -> Result<(Header, Option<Goal<'static>>), EncodeError> {
    let mut goal = None;
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
        Compression::LappedSnr { snr } => {
            let (rms, e) = survey::rms(src, extremes, par)?;
            let noise = 10f64.powf(-snr / 20.0);
            match lapped_step::<T>(noise, rms, e, padding(src.shape())) {
                Some(least) => {
                    let most = src.points() as f64 * (scaled(noise * rms, e) / least).powi(2);
                    goal = Some(Goal { least, most, loudness: None });
                    (Mode::Coded, least)
                }
                None => (Mode::Raw, 0.0),
            }
        }
    };
    Ok((header_of(compression, T::DTYPE, src.shape(), extremes, mode, step), goal))
}

/// The header of a slice whose payload is still to be made.
pub(super) fn header_of(
    compression: Compression,
    dtype: DType,
    shape: [usize; 3],
    extremes: &Extremes,
    mode: Mode,
    step: f64,
) -> Header {
    let (block, chunk_blocks) = match mode {
        Mode::Coded => format::choose(compression, shape),
        Mode::Constant | Mode::Raw => format::rows(shape),
    };
    let mut header = Header {
        compression,
        dtype,
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
        patched: false,
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
/// fell on points of the shape; see [`wavelet_step`]. Over the root of the points of a block it is a normal number, too.
fn lapped_step<T: Element>(compscale: f64, rms: f64, e: i32, padding: f64) -> Option<f64> {
    let relative = compscale * rms / (THRESHOLD * padding.sqrt()).max(1.0);
    let reached = compscale >= pow2(2 - T::MANTISSA)
        && exponent(relative) + e >= T::TINY_EXPONENT + T::MANTISSA + 12
        && e <= exponent(T::LARGEST) - 20;
    reached.then(|| scaled(relative, e))
}

/// Appends room for the header, then directory and payload; completes the header. The result is the sum of the squares of
/// the errors in units of the step, where a ratio of signal to noise is asked for; the error counts missing chunks.
pub(super) fn write_chunks<T: Element, C: BlockCoder>(
    coder: &C,
    header: &mut Header,
    src: &View<'_, T>,
    par: &dyn Parallel,
    out: &mut Vec<u8>,
    Known { loudness, watch }: Known<'_, T>,
) -> Result<f64, usize> {
    let mut lost = 0.0;
    let coding = &header.coding::<T>();
    let start = out.len();
    let grid = header.grid();
    let chunk = |i: usize| i * header.chunk_blocks..grid.count().min((i + 1) * header.chunk_blocks);
    out.resize(start + HEADER_BYTES + header.chunks * ENTRY_BYTES, 0);
    let entries: Vec<(usize, u32)> = if matches!(coding, Coding::Copy) {
        // Sizes are known beforehand, so the rows need no buffer of their own.
        let points = |block: usize| grid.bounds(block).1.iter().product::<usize>();
        let size = |i: usize| chunk(i).map(points).sum::<usize>() * size_of::<T>();
        append_parts(out, (0..header.chunks).map(size).collect(), par, |i, part| {
            let code = |part: View<'_, T>, bytes: &mut Vec<u8>| coder.encode(coding, part, bytes);
            with_chunk(coding, &grid, chunk(i), src, code, |bytes| {
                part.write_copy_of_slice(bytes);
                crc32fast::hash(bytes)
            })
        })?
    } else {
        let line = Line::new(out, header.raw_bytes() as usize + header.chunks * 64);
        if let Coding::Lapped(lapped) = coding {
            let keep = |i: usize, bytes: &[u8]| line.append(i, bytes, crc32fast::hash(bytes));
            let errors = matches!(header.compression, Compression::LappedSnr { .. });
            let survey = lapped::Survey { loudness, errors };
            lost = lapped::encode(coder, lapped, &grid, src, par, survey, keep)?;
        } else {
            run_once(par, header.chunks, |_| {
                // In the order of the chunks, whatever the order of the indices, so that most are next when they are done.
                let i = line.ticket();
                let mut seen = Extremes::NONE;
                if watch.is_some_and(|w| w.wrong.load(Ordering::Relaxed)) {
                    return;
                }
                let code = |part: View<'_, T>, bytes: &mut Vec<u8>| match watch {
                    Some(watch) => watch.see(coder.encode_seen(coding, part, bytes), &mut seen),
                    None => coder.encode(coding, part, bytes),
                };
                with_chunk(coding, &grid, chunk(i), src, code, |bytes| {
                    line.append(i, bytes, crc32fast::hash(bytes));
                });
                if let Some(watch) = watch {
                    float_mode::with_default(|| watch.chunk_seen(i, seen));
                }
            })?;
        }
        line.finish()
    };
    write_directory(header, &entries, start, out);
    Ok(lost)
}

/// Writes sizes and checksums of the chunks into the directory of the stream at `start`, whose payload is there; completes
/// the header.
pub(super) fn write_directory(header: &mut Header, entries: &[(usize, u32)], start: usize, out: &mut [u8]) {
    let (directory, payload) = out[start + HEADER_BYTES..].split_at_mut(header.chunks * ENTRY_BYTES);
    for (entry, (size, crc)) in directory.chunks_exact_mut(ENTRY_BYTES).zip(entries) {
        entry[..4].copy_from_slice(&(*size as u32).to_le_bytes());
        entry[4..].copy_from_slice(&crc.to_le_bytes());
    }
    header.payload = payload.len() as u64;
    header.directory_crc = crc32fast::hash(directory);
}

thread_local! {
    /// The chunk that the thread is coding.
    static CHUNK: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Codes the blocks of a chunk, or runs of them, by `code`, and hands their bytes to `consume`.
fn with_chunk<T: Element, R>(
    coding: &Coding<T>,
    grid: &BlockGrid,
    mut blocks: Range<usize>,
    src: &View<'_, T>,
    mut code: impl FnMut(View<'_, T>, &mut Vec<u8>),
    consume: impl FnOnce(&[u8]) -> R,
) -> R {
    CHUNK.with_borrow_mut(|bytes| {
        bytes.clear();
        float_mode::with_default(|| {
            while !blocks.is_empty() {
                let (origin, extent) = grid.next(&mut blocks, coding.in_runs());
                code(src.part(origin, extent), bytes);
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

/// Appends parts of the given sizes, written in parallel: `write` must fill its part, and returns the checksum. The result
/// has sizes and checksums; the error counts missing parts.
pub(super) fn append_parts(
    out: &mut Vec<u8>,
    sizes: Vec<usize>,
    par: &dyn Parallel,
    write: impl Fn(usize, &mut [MaybeUninit<u8>]) -> u32 + Sync,
) -> Result<Vec<(usize, u32)>, usize> {
    let sums: Vec<AtomicU32> = sizes.iter().map(|_| AtomicU32::new(0)).collect();
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
        let sum = write(i, unsafe { spare.part(starts[i], sizes[i]) });
        sums[i].store(sum, Ordering::Relaxed);
    })?;
    // SAFETY: `run_once` has visited every part, so `total` bytes are initialised.
    unsafe { out.set_len(out.len() + total) };
    Ok(sizes.into_iter().zip(sums.into_iter().map(AtomicU32::into_inner)).collect())
}
