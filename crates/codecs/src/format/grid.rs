//! How a shape is cut into blocks, and blocks into chunks.

use std::ops::Range;

use crate::{Compression, lapped};

/// Points of a `quantize` block.
pub(crate) const QUANTIZE_POINTS: usize = 512;
/// Most points of a `wavelet` block; bounds the work space of a decoder.
pub(crate) const WAVELET_MOST_POINTS: usize = 1 << 20;
/// Points of a chunk of small blocks: 256 KiB of f32.
const CHUNK_POINTS: usize = 1 << 16;

/// Blocks of a shape, numbered in row-major order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BlockGrid {
    shape: [usize; 3],
    block: [usize; 3],
    counts: [usize; 3],
    /// Equal parts of an axis, instead of full blocks and a rest.
    balanced: bool,
}

impl BlockGrid {
    pub(crate) fn new(shape: [usize; 3], block: [usize; 3], balanced: bool) -> Self {
        let counts = [0, 1, 2].map(|a| shape[a].div_ceil(block[a]));
        BlockGrid { shape, block, counts, balanced }
    }

    /// Pieces of planes: as many whole rows as a chunk holds, or a part of a long one.
    pub(crate) fn rows(shape: [usize; 3]) -> Self {
        let length = shape[2].min(CHUNK_POINTS);
        Self::new(shape, [1, shape[1].min(CHUNK_POINTS / length), length], false)
    }

    /// Blocks along each axis.
    pub(crate) fn counts(&self) -> [usize; 3] {
        self.counts
    }

    /// Number of blocks; does not overflow, as there are no more blocks than points.
    pub(crate) fn count(&self) -> usize {
        self.counts.iter().product()
    }

    /// Number of chunks of `per_chunk` blocks.
    pub(crate) fn chunks(&self, per_chunk: usize) -> usize {
        self.count().div_ceil(per_chunk)
    }

    /// Blocks of a chunk of rows; at least 1.
    pub(crate) fn rows_per_chunk(&self) -> usize {
        (CHUNK_POINTS / (self.block[1] * self.block[2])).max(1)
    }

    /// The first of `blocks` and those behind it in the rest of its row of the grid, or in whole rows of the same plane:
    /// origin and extent of all of them, and how many.
    pub(crate) fn run(&self, blocks: &Range<usize>) -> ([usize; 3], [usize; 3], usize) {
        let [_, c1, c2] = self.counts;
        let (row, at) = (blocks.start / c2, blocks.start % c2);
        let rows = (blocks.len() / c2).min(c1 - row % c1);
        let count = if at == 0 && rows > 0 { rows * c2 } else { blocks.len().min(c2 - at) };
        let (origin, _) = self.bounds(blocks.start);
        let (last, extent) = self.bounds(blocks.start + count - 1);
        (origin, [0, 1, 2].map(|a| last[a] + extent[a] - origin[a]), count)
    }

    /// Takes the first of `blocks`, or a run of them, away; its origin and extent.
    pub(crate) fn next(&self, blocks: &mut Range<usize>, in_runs: bool) -> ([usize; 3], [usize; 3]) {
        let (origin, extent, count) = if in_runs {
            self.run(blocks)
        } else {
            let (origin, extent) = self.bounds(blocks.start);
            (origin, extent, 1)
        };
        blocks.start += count;
        (origin, extent)
    }

    /// Origin and extent of block `i`.
    pub(crate) fn bounds(&self, i: usize) -> ([usize; 3], [usize; 3]) {
        let [_, c1, c2] = self.counts;
        let (row, k) = (i / c2, i % c2);
        let at = [row / c1, row % c1, k];
        let cut = |a: usize, k: usize| {
            if self.balanced {
                let (n, parts) = (self.shape[a], self.counts[a]);
                k * (n / parts) + k.min(n % parts)
            } else {
                (k * self.block[a]).min(self.shape[a])
            }
        };
        // Written out: this runs once for every small block.
        let [x, y, z] = [cut(0, at[0]), cut(1, at[1]), cut(2, at[2])];
        let ends = [cut(0, at[0] + 1), cut(1, at[1] + 1), cut(2, at[2] + 1)];
        ([x, y, z], [ends[0] - x, ends[1] - y, ends[2] - z])
    }
}

/// Block extents and blocks in a chunk for a coded slice.
pub(crate) fn choose(compression: Compression, shape: [usize; 3]) -> ([usize; 3], usize) {
    match compression {
        Compression::Noop => rows(shape),
        Compression::Quantize { .. } => (quantize_block(shape), CHUNK_POINTS / QUANTIZE_POINTS),
        Compression::Wavelet { .. } => (wavelet_block(shape), 1),
        Compression::Lapped { .. } | Compression::LappedSnr { .. } => (lapped::block(shape), 1),
    }
}

/// Block extents and blocks in a chunk for a raw slice.
pub(crate) fn rows(shape: [usize; 3]) -> ([usize; 3], usize) {
    let grid = BlockGrid::rows(shape);
    (grid.block, grid.rows_per_chunk())
}

/// The first block that does not stick out much: rows of 16 points, a cache line, as many as make it compact.
fn quantize_block(shape: [usize; 3]) -> [usize; 3] {
    const CANDIDATES: [[usize; 3]; 9] = [
        [4, 8, 16],
        [1, 32, 16],
        [32, 1, 16],
        [8, 8, 8],
        [1, 64, 8],
        [16, 32, 1],
        [1, 1, 512],
        [1, 512, 1],
        [512, 1, 1],
    ];
    let covered = |b: &[usize; 3]| (0..3).fold(1u128, |n, a| n * (shape[a].div_ceil(b[a]) * b[a]) as u128);
    let least = CANDIDATES.iter().map(covered).min().unwrap_or(0);
    let fits = |b: &&[usize; 3]| covered(b) <= least + least / 4;
    CANDIDATES.iter().find(fits).copied().unwrap_or([8, 8, 8])
}

/// Large enough for five or more levels of the transform, small enough for the second-level cache.
fn wavelet_block(shape: [usize; 3]) -> [usize; 3] {
    let side = match axes(shape) {
        3 => 64,
        2 => 128,
        _ => 8192,
    };
    shape.map(|n| n.min(side))
}

fn axes(shape: [usize; 3]) -> usize {
    shape.iter().filter(|n| **n > 1).count()
}

/// Extents of a group of 8 wavelet coefficients: 2x2x2, 2x4 or 8 along the axes with more than one point.
pub(crate) fn wavelet_group(shape: [usize; 3]) -> [usize; 3] {
    let mut sizes: &[usize] = match axes(shape) {
        3 => &[2, 2, 2],
        2 => &[2, 4],
        _ => &[8],
    };
    let mut group = [1; 3];
    for a in 0..3 {
        if shape[a] > 1
            && let [first, rest @ ..] = sizes
        {
            (group[a], sizes) = (*first, rest);
        }
    }
    // A single point still needs a group of 8.
    if let [left] = sizes {
        group[2] = *left;
    }
    group
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_cover_the_shape_once() {
        for (shape, block, balanced) in
            [([5, 9, 17], [2, 4, 8], false), ([5, 9, 17], [2, 4, 8], true), ([1, 1, 100], [1, 1, 64], true)]
        {
            let grid = BlockGrid::new(shape, block, balanced);
            let mut seen = vec![0; shape.iter().product()];
            for i in 0..grid.count() {
                let (o, e) = grid.bounds(i);
                assert!((0..3).all(|a| e[a] > 0 && e[a] <= block[a]));
                for x in o[0]..o[0] + e[0] {
                    for y in o[1]..o[1] + e[1] {
                        (o[2]..o[2] + e[2]).for_each(|z| seen[(x * shape[1] + y) * shape[2] + z] += 1);
                    }
                }
            }
            assert!(seen.iter().all(|n| *n == 1));
            let (mut at, mut points);
            for most in 1..=grid.count() {
                (at, points) = (0, 0);
                while at < grid.count() {
                    let (origin, extent, count) = grid.run(&(at..grid.count().min(at + most)));
                    assert_eq!(origin, grid.bounds(at).0);
                    (at, points) = (at + count, points + extent.iter().product::<usize>());
                }
                assert_eq!(points, seen.len());
            }
        }
    }

    #[test]
    fn blocks_follow_the_shape() {
        assert_eq!(quantize_block([96, 96, 96]), [4, 8, 16]);
        assert_eq!(quantize_block([1, 1601, 401]), [1, 32, 16]);
        assert_eq!(quantize_block([1, 1, 100_000]), [1, 1, 512]);
        assert_eq!(wavelet_group([9, 9, 9]), [2, 2, 2]);
        assert_eq!(wavelet_group([1, 9, 9]), [1, 2, 4]);
        assert_eq!(wavelet_group([9, 1, 9]), [2, 1, 4]);
        assert_eq!(wavelet_group([1, 9, 1]), [1, 8, 1]);
        assert_eq!(wavelet_group([1, 1, 1]), [1, 1, 8]);
    }
}
