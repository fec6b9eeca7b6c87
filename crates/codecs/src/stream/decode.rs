//! A stream into a slice: everything is checked, then chunks are decoded in parallel.

use std::ops::Range;
use std::sync::Mutex;

use crate::coder::{BlockCoder, Coding};
use crate::format::{BlockGrid, Header, Mode, locate};
use crate::parallel::run_once;
use crate::stream::lapped;
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
    let chunks = locate(&header, stream)?;
    let coding = header.coding::<T>();
    if let Coding::Lapped(plan) = &coding {
        return lapped::decode(coder, plan, &header.grid(), &chunks, &mut dst, par);
    }
    let dst = dst.shared();
    if header.mode == Mode::Constant {
        return fill(&dst, header.shape, T::from_f64(header.min), par);
    }
    let grid = header.grid();
    // The first wrong chunk, so that the error does not depend on the threads.
    let wrong: Mutex<Option<(usize, DecodeError)>> = Mutex::new(None);
    let done = run_once(par, chunks.len(), |i| {
        let (bytes, crc) = chunks[i];
        let blocks = i * header.chunk_blocks..grid.count().min((i + 1) * header.chunk_blocks);
        let result = if crc32fast::hash(bytes) == crc {
            float_mode::with_default(|| decode_chunk(coder, &coding, &grid, blocks, bytes, &dst))
        } else {
            Err(DecodeError::Checksum { part: format!("block {i}") })
        };
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
        (None, Err(missing)) => Err(DecodeError::Schedule { missing, total: chunks.len() }),
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

fn fill<T: Element>(
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
