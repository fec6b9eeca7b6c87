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
    },
    Wavelet {
        /// Extents of a group of coefficients; 8 points.
        group: [usize; 3],
        step: Step<T>,
    },
}

/// Codes blocks: the C of `runtime-c`, or the plain Rust reference.
pub(crate) trait BlockCoder: Sync {
    /// Appends the bytes of the block `src`.
    fn encode<T: Element>(&self, coding: &Coding<T>, src: View<'_, T>, out: &mut Vec<u8>);

    /// Decodes the block at the beginning of `bytes` (all of them, for a wavelet) and returns how many it took, or
    /// `None` when they make no block.
    fn decode<T: Element>(
        &self,
        coding: &Coding<T>,
        bytes: &[u8],
        dst: &mut BlockMut<'_, T>,
    ) -> Option<usize>;
}
