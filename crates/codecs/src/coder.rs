//! The seam between the stream and the arithmetic: one block in, its bytes out.

use std::ops::Range;

use crate::element::Element;
use crate::lapped::{Lapped, Row};
use crate::native;
use crate::scale::Step;
use crate::view::{BlockMut, View};

/// How the blocks of a stream are coded, with every parameter worked out.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Coding<T> {
    /// Rows as they are: `noop`, and slices that a lossy codec cannot hold.
    Copy,
    Quantize {
        /// Extents of a block; 512 points.
        block: [usize; 3],
        step: Step<T>,
        /// Blocks with a larger |x / step| go raw.
        limit: T,
        /// Decode round the caches: the slice does not fit in them.
        bypass: bool,
    },
    Wavelet {
        /// Extents of a group of coefficients; 8 points.
        group: [usize; 3],
        step: Step<T>,
        /// As above.
        bypass: bool,
    },
    /// Rows of blocks that lap over each other, for `encode_rows`, `decode_row` and `unfold`.
    Lapped(Lapped<T>),
}

impl<T> Coding<T> {
    /// The same, but what is decoded is wanted in the caches.
    pub(crate) fn cached(mut self) -> Self {
        if let Coding::Quantize { bypass, .. } | Coding::Wavelet { bypass, .. } = &mut self {
            *bypass = false;
        }
        self
    }

    /// Whether several blocks are coded at once.
    pub(crate) fn in_runs(&self) -> bool {
        matches!(self, Coding::Quantize { .. })
    }
}

/// Rows of blocks of `lapped` that lie side by side along the middle axis.
#[derive(Clone, Debug)]
pub(crate) struct Rows {
    /// Of the first one.
    pub(crate) origin: [usize; 3],
    /// Points along the last axis.
    pub(crate) length: usize,
    pub(crate) count: usize,
    /// The tiles of each that need not be all 0.
    pub(crate) tiles: Range<usize>,
}

/// Codes blocks: the C of `runtime-c`, or the plain Rust reference.
pub(crate) trait BlockCoder: Sync {
    /// Appends the bytes of the block `src`, or of a run of blocks.
    fn encode<T: Element>(&self, coding: &Coding<T>, src: View<'_, T>, out: &mut Vec<u8>);

    /// The same for `quantize`, with smallest and largest value; `None` when one is not finite, and then `out` may have
    /// anything appended.
    fn encode_seen<T: Element>(
        &self,
        coding: &Coding<T>,
        src: View<'_, T>,
        out: &mut Vec<u8>,
    ) -> Option<[T; 2]> {
        self.encode(coding, src, out);
        native::extremes(&src)
    }

    /// Decodes the block, or run of blocks, at the beginning of `bytes` (all of them, for a wavelet) and returns how many
    /// it took, or `None` when they make no block.
    fn decode<T: Element>(
        &self,
        coding: &Coding<T>,
        bytes: &[u8],
        dst: &mut BlockMut<'_, T>,
    ) -> Option<usize>;

    /// Appends the bytes of rows of blocks of `src`; returns where each ends. Adds to `lost`, if there is one, the squares of
    /// the errors of the coefficients that need not all be 0, in units of the step. What decides about a step must not depend
    /// on the coder, so it is always the C blocks that measure.
    fn encode_rows<T: Element>(
        &self,
        lapped: &Lapped<T>,
        src: &View<'_, T>,
        rows: &Rows,
        out: &mut Vec<u8>,
        lost: Option<&mut f64>,
    ) -> Vec<usize>;

    /// Decodes a row of blocks from exactly `bytes` into `rows`, in row-major order of the first two axes of a block,
    /// still folded along them. Returns false when they make no such row.
    ///
    /// # Safety
    /// Each row is null, or writable for the length of `row` by the caller alone.
    unsafe fn decode_row<T: Element>(
        &self,
        lapped: &Lapped<T>,
        row: &Row,
        bytes: &[u8],
        rows: &[*mut T],
    ) -> bool;

    /// Unfolds rows at (+, +), (+, -), (-, +), (-, -) of a border along the first two axes; where only one of them has a
    /// border, those on the other side of the other one are null. The weights are r and f of either axis.
    ///
    /// # Safety
    /// Each row is null, or writable for `length` by the caller alone.
    unsafe fn unfold<T: Element>(&self, rows: [*mut T; 4], weights: [T; 4], length: usize);
}
