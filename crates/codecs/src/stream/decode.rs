//! A stream into a slice: everything is checked, then chunks are decoded in parallel.

use std::ops::Range;
use std::sync::Mutex;

use crate::coder::{BlockCoder, Coding};
use crate::format::{BlockGrid, Header, Mode};
use crate::parallel::run_once;
use crate::stream::part::Area;
use crate::stream::{lapped, patch};
use crate::view::SharedMut;
use crate::{DecodeError, Element, Parallel, ViewMut, float_mode, native};

/// See [`crate::decode`].
pub(crate) fn decode<T: Element, C: BlockCoder>(
    coder: &C,
    stream: &[u8],
    dst: ViewMut<'_, T>,
    par: &dyn Parallel,
) -> Result<(), DecodeError> {
    float_mode::with_default(|| decode_slice(coder, stream, dst, par))
}

fn decode_slice<T: Element, C: BlockCoder>(
    coder: &C,
    stream: &[u8],
    mut dst: ViewMut<'_, T>,
    par: &dyn Parallel,
) -> Result<(), DecodeError> {
    let header = Header::read(stream)?;
    if header.dtype != T::DTYPE {
        return Err(DecodeError::WrongType { stream: header.dtype, destination: T::DTYPE });
    }
    if header.shape != dst.shape() {
        return Err(DecodeError::WrongShape { stream: header.shape, destination: dst.shape() });
    }
    let (chunks, outliers) = patch::split(&header, stream)?;
    let dst = dst.shared();
    if header.mode == Mode::Constant {
        return fill(&dst, header.shape, T::from_f64(header.min), par);
    }
    let (grid, coding) = (header.grid(), header.coding::<T>());
    match &coding {
        Coding::Lapped(plan) => lapped::decode(coder, plan, &grid, &chunks, &dst, par)?,
        _ => each_chunk(par, &chunks, &Vec::from_iter(0..chunks.len()), |i, bytes| {
            decode_chunk(coder, &coding, &grid, header.chunk(i), bytes, &dst)
        })?,
    }
    patch::apply(outliers, header.shape, &Area { origin: [0; 3], extent: header.shape }, &dst)
}

/// Checks the `wanted` ones of the chunks, and calls `body` with the number and the bytes of each, in parallel.
pub(super) fn each_chunk(
    par: &dyn Parallel,
    chunks: &[(&[u8], u32)],
    wanted: &[usize],
    body: impl Fn(usize, &[u8]) -> Result<(), DecodeError> + Sync,
) -> Result<(), DecodeError> {
    each(par, wanted.len(), |k| {
        let i = wanted[k];
        let (bytes, crc) = chunks[i];
        if crc32fast::hash(bytes) != crc {
            return Err(DecodeError::Checksum { part: format!("block {i}") });
        }
        body(i, bytes)
    })
}

/// Decodes `count` parts of a slice in parallel.
pub(super) fn each(
    par: &dyn Parallel,
    count: usize,
    body: impl Fn(usize) -> Result<(), DecodeError> + Sync,
) -> Result<(), DecodeError> {
    // The first wrong part, so that the error does not depend on the threads.
    let wrong: Mutex<Option<(usize, DecodeError)>> = Mutex::new(None);
    let done = run_once(par, count, |i| {
        let result = float_mode::with_default(|| body(i));
        native::finish_writes();
        if let Err(e) = result {
            let mut wrong = wrong.lock().unwrap_or_else(|p| p.into_inner());
            if wrong.as_ref().is_none_or(|(first, _)| i < *first) {
                *wrong = Some((i, e));
            }
        }
    });
    match (wrong.into_inner().unwrap_or_else(|p| p.into_inner()), done) {
        (Some((_, e)), _) => Err(e),
        (None, Err(missing)) => Err(DecodeError::Schedule { missing, total: count }),
        (None, Ok(())) => Ok(()),
    }
}

fn decode_chunk<T: Element, C: BlockCoder>(
    coder: &C,
    coding: &Coding<T>,
    grid: &BlockGrid,
    blocks: Range<usize>,
    mut bytes: &[u8],
    dst: &SharedMut<'_, T>,
) -> Result<(), DecodeError> {
    let mut blocks = blocks;
    while !blocks.is_empty() {
        let (origin, extent) = grid.next(&mut blocks, coding.in_runs());
        // SAFETY: blocks of a grid are disjoint, and each is decoded once, by this thread.
        let mut block = unsafe { dst.block(origin, extent) };
        let used = coder.decode(coding, bytes, &mut block).filter(|n| *n <= bytes.len());
        let Some(used) = used else {
            return Err(DecodeError::Corrupt(format!("block at {origin:?} cannot be decoded")));
        };
        bytes = &bytes[used..];
    }
    if bytes.is_empty() {
        Ok(())
    } else {
        Err(DecodeError::Corrupt("bytes left after the last block".into()))
    }
}

/// Writes one value everywhere.
pub(super) fn fill<T: Element>(
    dst: &SharedMut<'_, T>,
    shape: [usize; 3],
    value: T,
    par: &dyn Parallel,
) -> Result<(), DecodeError> {
    let grid = BlockGrid::rows(shape);
    let per_chunk = grid.rows_per_chunk();
    let chunks = grid.chunks(per_chunk);
    let body = |chunk: usize| {
        for i in chunk * per_chunk..grid.count().min((chunk + 1) * per_chunk) {
            let (origin, extent) = grid.bounds(i);
            // SAFETY: blocks of a grid are disjoint, and each is filled once, by this thread.
            let mut block = unsafe { dst.block(origin, extent) };
            (0..extent[1]).for_each(|j| block.row_mut(0, j).fill(value));
        }
    };
    run_once(par, chunks, body).map_err(|missing| DecodeError::Schedule { missing, total: chunks })
}
