//! `lapped`: rows of blocks in parallel, each followed by the borders whose sides are all there.
//!
//! Neighbours fold the same points, so a few rows of blocks are coded by one thread, which folds them once. Decoded, a
//! row of blocks is written folded along the first two axes. Between the centres of up to four of them lies a seam, a
//! box of points that unfold among themselves; whoever decodes the last of the four unfolds it. Seams are disjoint, so
//! the values do not depend on the order.

use std::cell::RefCell;
use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use crate::coder::{BlockCoder, Rows};
use crate::format::BlockGrid;
use crate::lapped::{Lapped, QUIET, weights};
use crate::parallel::run_once;
use crate::stream::decode::each_chunk;
use crate::stream::part::{Area, copy};
use crate::survey::Loudness;
use crate::view::{SharedMut, View, ViewMut};
use crate::{DecodeError, Element, Parallel, float_mode};

/// Rows of blocks that one thread codes one after the other.
const STRIP: usize = 4;

/// The strips of a slice.
struct Strips {
    /// Rows of blocks along the middle axis.
    blocks: usize,
    /// Strips along the middle axis.
    count: usize,
    segments: usize,
    all: usize,
}

impl Strips {
    fn new<T: Element>(lapped: &Lapped<T>, grid: &BlockGrid) -> Self {
        let blocks = lapped.blocks(1);
        let (count, segments) = (blocks.div_ceil(STRIP), grid.count() / (lapped.blocks(0) * blocks));
        Strips { blocks, count, segments, all: lapped.blocks(0) * count * segments }
    }

    /// The chunks of a strip.
    fn chunks(&self, strip: usize) -> impl Iterator<Item = usize> {
        let (x, y, segment) =
            (strip / self.segments / self.count, strip / self.segments % self.count, strip % self.segments);
        let rows = y * STRIP..self.blocks.min((y + 1) * STRIP);
        let (blocks, segments) = (self.blocks, self.segments);
        rows.map(move |row| (x * blocks + row) * segments + segment)
    }
}

/// What is known of a slice, and wanted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Survey<'a> {
    pub(super) loudness: Option<&'a Loudness>,
    /// Whether the errors are added up.
    pub(super) errors: bool,
}

/// Codes all chunks, and hands the bytes of each to `keep`. The result is the sum of the squares of the errors of all
/// coefficients, if wanted, in units of the step; the error counts missing strips.
pub(super) fn encode<T: Element, C: BlockCoder>(
    coder: &C,
    lapped: &Lapped<T>,
    grid: &BlockGrid,
    src: &View<'_, T>,
    par: &dyn Parallel,
    survey: Survey<'_>,
    keep: impl Fn(usize, &[u8]) + Sync,
) -> Result<f64, usize> {
    thread_local! {
        static BYTES: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    }
    let mut room = Vec::new();
    let src = &squeeze(src, &mut room);
    let strips = Strips::new(lapped, grid);
    // In the order of the chunks, as far as strips go, whatever the order of the indices.
    let next = AtomicUsize::new(0);
    let lost: Vec<OnceLock<f64>> = (0..strips.all).map(|_| OnceLock::new()).collect();
    run_once(par, strips.all, |_| {
        let strip = next.fetch_add(1, Ordering::Relaxed);
        let chunks: Vec<usize> = strips.chunks(strip).collect();
        BYTES.with_borrow_mut(|bytes| {
            bytes.clear();
            let (ends, squares) =
                float_mode::with_default(|| encode_strip(coder, lapped, grid, src, survey, &chunks, bytes));
            let _ = lost[strip].set(squares);
            let mut start = 0;
            for (chunk, end) in chunks.into_iter().zip(ends) {
                keep(chunk, &bytes[start..end]);
                start = end;
            }
        });
    })?;
    Ok(lost.into_iter().filter_map(OnceLock::into_inner).sum())
}

/// Codes rows of blocks that are neighbours; where each ends in `bytes`, and at most the squares of the errors, if wanted.
/// Tiles that are known to become 0 are not looked at.
fn encode_strip<T: Element, C: BlockCoder>(
    coder: &C,
    lapped: &Lapped<T>,
    grid: &BlockGrid,
    src: &View<'_, T>,
    survey: Survey<'_>,
    chunks: &[usize],
    bytes: &mut Vec<u8>,
) -> (Vec<usize>, f64) {
    let (origin, [_, _, length]) = grid.bounds(chunks[0]);
    let rows = Rows { origin, length, count: chunks.len(), tiles: 0..lapped.tiles(length) };
    let (tiles, skipped) = match survey.loudness {
        Some(loudness) => loud_tiles(lapped, loudness, &rows),
        None => (rows.tiles.clone(), 0.0),
    };
    let rows = Rows { tiles, ..rows };
    let mut squares = 0.0;
    let ends = coder.encode_rows(lapped, src, &rows, bytes, survey.errors.then_some(&mut squares));
    (ends, skipped + squares)
}

/// From the first to behind the last tile of some rows of blocks that are not known to become 0, and the squares that are lost
/// with the others at most.
fn loud_tiles<T: Element>(lapped: &Lapped<T>, loudness: &Loudness, rows: &Rows) -> (Range<usize>, f64) {
    let [x, y, z] = rows.origin;
    // The largest, and the sum, of those with this number in all rows.
    let energy = |tile: usize| {
        let one = |row| loudness.of_tile(lapped, [x, y + row * lapped.size[1], z], rows.length, tile);
        (0..rows.count).map(one).fold((0.0f64, 0.0), |(most, sum), e| (most.max(e), sum + e))
    };
    let energies: Vec<(f64, f64)> = rows.tiles.clone().map(energy).collect();
    let loud = |e: &(f64, f64)| e.0 > QUIET;
    let first = energies.iter().position(loud).unwrap_or(energies.len());
    let end = energies.iter().rposition(loud).map_or(first, |last| last + 1);
    let lost = energies[..first].iter().chain(&energies[end..]).map(|e| e.1).sum();
    (first..end, lost)
}

/// The slice with axes of one point first, and copied if its last axis is one of them.
pub(super) fn squeeze<'a, T: Element>(src: &View<'a, T>, room: &'a mut Vec<T>) -> View<'a, T> {
    let [n0, n1, n2] = src.shape();
    if n2 > 1 {
        return src.without_middle();
    }
    room.extend((0..n0).flat_map(|i| (0..n1).map(move |j| src.row(i, j)[0])));
    let shape = if n1 > 1 { [1, n0, n1] } else { [1, 1, n0] };
    View::packed(room, shape)
}

/// As [`super::decode`], for chunks that are rows of blocks.
pub(super) fn decode<T: Element, C: BlockCoder>(
    coder: &C,
    lapped: &Lapped<T>,
    grid: &BlockGrid,
    chunks: &[(&[u8], u32)],
    dst: &SharedMut<'_, T>,
    par: &dyn Parallel,
) -> Result<(), DecodeError> {
    if dst.shape()[2] == 1 {
        let all = Area { origin: [0; 3], extent: dst.shape() };
        return decode_box(coder, lapped, grid, chunks, &all, dst, par);
    }
    let [n0, n1, n2] = lapped.shape;
    let reach = [lapped.reach(0), lapped.reach(1)];
    let mut beyond = vec![T::default(); (reach[0] * reach[1] - n0 * n1) * n2];
    let dst = dst.without_middle();
    let field = Field { dst, origin: [0; 3], reach, beyond: beyond.as_mut_ptr() };
    let seams = Seams::new(lapped, grid, &Area { origin: [0; 3], extent: lapped.shape });
    decode_seams(coder, lapped, grid, chunks, &seams, &field, par)
}

/// As [`super::decode_box`]: the seams that have points of the box are decoded by themselves, then the points copied.
pub(super) fn decode_box<T: Element, C: BlockCoder>(
    coder: &C,
    lapped: &Lapped<T>,
    grid: &BlockGrid,
    chunks: &[(&[u8], u32)],
    wanted: &Area,
    dst: &SharedMut<'_, T>,
    par: &dyn Parallel,
) -> Result<(), DecodeError> {
    let seams = Seams::new(lapped, grid, &wanted.permuted(lapped.axes));
    let area = seams.area(lapped);
    let mut values = vec![T::default(); area.extent.iter().product()];
    let mut view = ViewMut::packed(&mut values, area.extent);
    let field = Field {
        dst: view.shared(),
        origin: area.origin,
        reach: [area.extent[0], area.extent[1]],
        beyond: std::ptr::null_mut(),
    };
    decode_seams(coder, lapped, grid, chunks, &seams, &field, par)?;
    // Axes of one point make no difference to the order of the values.
    copy(&values, &area.restored(lapped.axes), wanted, wanted, dst);
    Ok(())
}

fn decode_seams<T: Element, C: BlockCoder>(
    coder: &C,
    lapped: &Lapped<T>,
    grid: &BlockGrid,
    chunks: &[(&[u8], u32)],
    seams: &Seams,
    field: &Field<'_, T>,
    par: &dyn Parallel,
) -> Result<(), DecodeError> {
    each_chunk(par, chunks, &seams.chunks(), |i, bytes| {
        let (origin, extent) = grid.bounds(i);
        let rows = field.rows(origin, lapped.size);
        // SAFETY: rows of blocks are disjoint, each is decoded once, and its rows go on for its length.
        if !unsafe { coder.decode_row(lapped, &lapped.row(origin, extent[2]), bytes, &rows) } {
            return Err(DecodeError::Corrupt(format!("block at {origin:?} cannot be decoded")));
        }
        // SAFETY: this chunk is done, and each is counted once.
        unsafe { seams.finish(coder, lapped, field, i) };
        Ok(())
    })
}

/// The slice, or a part of it, and, beyond its ends, the rows of the last blocks that unfolding needs.
struct Field<'a, T> {
    dst: SharedMut<'a, T>,
    /// Its first point.
    origin: [usize; 3],
    /// Extents with the rows beyond.
    reach: [usize; 2],
    beyond: *mut T,
}

// SAFETY: threads write disjoint rows of what `beyond` points to, as of `dst`.
unsafe impl<T: Send> Sync for Field<'_, T> {}

impl<T: Element> Field<'_, T> {
    /// The row at (x, y) from z on; null where none is needed.
    fn row(&self, x: usize, y: usize, z: usize) -> *mut T {
        let ([n0, n1, n2], [r0, r1]) = (self.dst.shape(), self.reach);
        let inside = |at: usize, axis: usize| {
            at.checked_sub(self.origin[axis]).filter(|distance| *distance < self.reach[axis])
        };
        let (Some(x), Some(y)) = (inside(x, 0), inside(y, 1)) else { return std::ptr::null_mut() };
        let z = z - self.origin[2];
        if x < n0 && y < n1 {
            return self.dst.at([x, y, z]);
        }
        let index = if x >= n0 { (x - n0) * r1 + y } else { (r0 - n0) * r1 + x * (r1 - n1) + y - n1 };
        self.beyond.wrapping_add(index * n2 + z)
    }

    /// The rows of the blocks at `origin`, in row-major order.
    fn rows(&self, origin: [usize; 3], size: [usize; 3]) -> Vec<*mut T> {
        let place = |i: usize| self.row(origin[0] + i / size[1], origin[1] + i % size[1], origin[2]);
        (0..size[0] * size[1]).map(place).collect()
    }
}

/// Along one axis, the points between the centres of two neighbouring blocks.
struct Band {
    /// Of these points.
    from: usize,
    to: usize,
    /// The border to unfold.
    border: Option<usize>,
}

/// What is to be unfolded, and how many chunks each still waits for.
struct Seams {
    bands: [Vec<Band>; 2],
    blocks: [usize; 2],
    segments: usize,
    /// Points of a segment.
    segment: usize,
    /// The bands along the first two axes, and the segments, that are to be decoded.
    wanted: [Range<usize>; 3],
    pending: Vec<AtomicU8>,
}

impl Seams {
    /// Those that have points of `area`.
    fn new<T: Element>(lapped: &Lapped<T>, grid: &BlockGrid, area: &Area) -> Self {
        let bands = [0, 1].map(|a| {
            let (n, blocks, reach) = (lapped.size[a], lapped.blocks(a), lapped.reach(a));
            let band = |k: usize| Band {
                from: (k * n).saturating_sub(n / 2),
                to: (k * n + n.div_ceil(2)).min(reach),
                border: (k > 0 && k < blocks).then_some(k * n),
            };
            (0..=if n == 1 { 0 } else { blocks }).map(band).collect::<Vec<_>>()
        });
        let blocks = [lapped.blocks(0), lapped.blocks(1)];
        let segments = grid.count() / (blocks[0] * blocks[1]);
        let segment = grid.bounds(0).1[2];
        let sides = |a: usize, k: usize| {
            let n = lapped.size[a];
            if n > 1 && k > 0 && k < blocks[a] { 2 } else { 1 }
        };
        let count = bands[0].len() * bands[1].len() * segments;
        let waits = |i: usize| {
            let (x, y) = (i / segments / bands[1].len(), i / segments % bands[1].len());
            AtomicU8::new(sides(0, x) * sides(1, y))
        };
        let end = |a: usize| area.origin[a] + area.extent[a];
        let cut = |a: usize| {
            let bands: &[Band] = &bands[a];
            bands.partition_point(|b| b.to <= area.origin[a])..bands.partition_point(|b| b.from < end(a))
        };
        let wanted = [cut(0), cut(1), area.origin[2] / segment..end(2).div_ceil(segment)];
        Seams { pending: (0..count).map(waits).collect(), wanted, bands, blocks, segments, segment }
    }

    /// The chunks on either side of the wanted ones, in ascending order.
    fn chunks(&self) -> Vec<usize> {
        let beside = |a: usize| {
            let bands = &self.wanted[a];
            bands.start.saturating_sub(1)..bands.end.min(self.blocks[a])
        };
        let rows = beside(0).flat_map(|x| beside(1).map(move |y| x * self.blocks[1] + y));
        rows.flat_map(|row| self.wanted[2].clone().map(move |s| row * self.segments + s)).collect()
    }

    /// The points of the wanted ones.
    fn area<T: Element>(&self, lapped: &Lapped<T>) -> Area {
        let along = |a: usize| {
            let bands = &self.bands[a][self.wanted[a].clone()];
            bands.first().zip(bands.last()).map_or((0, 0), |(first, last)| (first.from, last.to))
        };
        let segments = &self.wanted[2];
        let last = (segments.start * self.segment, lapped.shape[2].min(segments.end * self.segment));
        let ranges = [along(0), along(1), last];
        Area { origin: ranges.map(|(from, _)| from), extent: ranges.map(|(from, to)| to - from) }
    }

    /// Counts chunk `i` as done, and unfolds the wanted seams that it was the last one of.
    ///
    /// # Safety
    /// The chunk must be decoded, and counted once.
    unsafe fn finish<T: Element, C: BlockCoder>(
        &self,
        coder: &C,
        lapped: &Lapped<T>,
        field: &Field<'_, T>,
        i: usize,
    ) {
        let (s, x, y) =
            (i % self.segments, i / self.segments / self.blocks[1], i / self.segments % self.blocks[1]);
        let next = [0, 1].map(|a| usize::from(self.bands[a].len() > 1));
        for bx in x..=x + next[0] {
            for by in y..=y + next[1] {
                if !self.wanted[0].contains(&bx) || !self.wanted[1].contains(&by) {
                    continue;
                }
                let seam = (bx * self.bands[1].len() + by) * self.segments + s;
                if self.pending[seam].fetch_sub(1, Ordering::AcqRel) == 1 {
                    // SAFETY: all its chunks are done, and seams are disjoint.
                    unsafe { self.unfold(coder, lapped, field, [bx, by], s) };
                }
            }
        }
    }

    /// # Safety
    /// The seam must be decoded, and nobody else may touch it.
    unsafe fn unfold<T: Element, C: BlockCoder>(
        &self,
        coder: &C,
        lapped: &Lapped<T>,
        field: &Field<'_, T>,
        at: [usize; 2],
        segment: usize,
    ) {
        let z = segment * self.segment;
        let length = self.segment.min(lapped.shape[2] - z);
        let [x, y] = [0, 1].map(|a| pairs(&self.bands[a][at[a]], lapped.size[a]));
        if x.iter().chain(&y).all(|p| p.below.is_none()) {
            return;
        }
        for p in &x {
            for q in &y {
                let row = |x: Option<usize>, y: Option<usize>| match (x, y) {
                    (Some(x), Some(y)) => field.row(x, y, z),
                    _ => std::ptr::null_mut(),
                };
                let rows = [
                    row(Some(p.above), Some(q.above)),
                    row(Some(p.above), q.below),
                    row(p.below, Some(q.above)),
                    row(p.below, q.below),
                ];
                let weights = [p.weights.0, p.weights.1, q.weights.0, q.weights.1].map(T::from_f64);
                // SAFETY: the rows are distinct, inside the field and its rows beyond, and the caller's to write.
                unsafe { coder.unfold(rows, weights, length) };
            }
        }
    }
}

/// Two points that mirror each other, or one that has no fold.
struct Pair {
    above: usize,
    below: Option<usize>,
    weights: (f64, f64),
}

fn pairs(band: &Band, n: usize) -> Vec<Pair> {
    match band.border {
        Some(border) => (0..n / 2)
            .map(|i| Pair { above: border + i, below: Some(border - 1 - i), weights: weights(n, i) })
            .collect(),
        None => (band.from..band.to).map(|i| Pair { above: i, below: None, weights: (1.0, 0.0) }).collect(),
    }
}
