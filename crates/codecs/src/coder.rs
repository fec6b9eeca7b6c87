//! The seam between the stream and the arithmetic: one block in, its bytes out.

use crate::element::Element;
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
    },
}

impl<T> Coding<T> {
    /// Most blocks, side by side along the last axis, that are coded at once.
    pub(crate) fn run(&self) -> usize {
        if matches!(self, Coding::Quantize { .. }) { 16 } else { 1 }
    }
}

/// Codes blocks: the C of `runtime-c`, or the plain Rust reference.
pub(crate) trait BlockCoder: Sync {
    /// Appends the bytes of the block `src`, or of a run of blocks.
    fn encode<T: Element>(&self, coding: &Coding<T>, src: View<'_, T>, out: &mut Vec<u8>);

    /// Decodes the block, or run of blocks, at the beginning of `bytes` (all of them, for a wavelet) and returns how many
    /// it took, or `None` when they make no block.
    fn decode<T: Element>(
        &self,
        coding: &Coding<T>,
        bytes: &[u8],
        dst: &mut BlockMut<'_, T>,
    ) -> Option<usize>;
}
