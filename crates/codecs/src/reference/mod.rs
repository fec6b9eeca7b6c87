//! The format in plain Rust: what the C blocks must reproduce, bit for bit.
//!
//! [`encode`] and [`decode`] are those of the crate root with other block coders: same streams, same errors, only slower.
//! A block of `noop` is its rows, one after the other. The other two:
//!
//! # quantize
#![doc = include_str!("quantize.md")]
//! # wavelet
#![doc = include_str!("wavelet.md")]

mod quantize;
mod wavelet;

use crate::coder::{BlockCoder, Coding};
use crate::view::BlockMut;
use crate::{Compression, DecodeError, Element, EncodeError, Parallel, SliceInfo, View, ViewMut, stream};

/// As [`crate::encode`].
///
/// # Errors
/// As [`crate::encode`].
pub fn encode<T: Element>(
    compression: Compression,
    src: View<'_, T>,
    par: &dyn Parallel,
    out: &mut Vec<u8>,
) -> Result<SliceInfo, EncodeError> {
    stream::encode(&Plain, compression, &src, par, out)
}

/// As [`crate::decode`].
///
/// # Errors
/// As [`crate::decode`].
pub fn decode<T: Element>(stream: &[u8], dst: ViewMut<'_, T>, par: &dyn Parallel) -> Result<(), DecodeError> {
    stream::decode(&Plain, stream, dst, par)
}

struct Plain;

impl BlockCoder for Plain {
    fn encode<T: Element>(&self, coding: &Coding<T>, src: View<'_, T>, out: &mut Vec<u8>) {
        match coding {
            Coding::Copy => gather(&src).into_iter().for_each(|x| x.put(out)),
            Coding::Quantize { block, step, limit, .. } => quantize::encode(&src, *block, step, *limit, out),
            Coding::Wavelet { group, step, .. } => wavelet::encode(&src, *group, step, out),
        }
    }

    fn decode<T: Element>(
        &self,
        coding: &Coding<T>,
        bytes: &[u8],
        dst: &mut BlockMut<'_, T>,
    ) -> Option<usize> {
        match coding {
            Coding::Copy => scatter_raw(bytes, dst),
            Coding::Quantize { block, step, .. } => quantize::decode(bytes, *block, step, dst),
            Coding::Wavelet { group, step, .. } => {
                wavelet::decode(bytes, *group, step, dst).map(|()| bytes.len())
            }
        }
    }
}

/// The points of a view in row-major order.
fn gather<T: Element>(src: &View<'_, T>) -> Vec<T> {
    let [n0, n1, _] = src.shape();
    (0..n0).flat_map(|i| (0..n1).flat_map(move |j| src.row(i, j).iter().copied())).collect()
}

/// Writes points in row-major order.
fn scatter<T: Element>(points: &[T], dst: &mut BlockMut<'_, T>) {
    let [_, n1, n2] = dst.extent();
    for (r, row) in points.chunks_exact(n2).enumerate() {
        dst.row_mut(r / n1, r % n1).copy_from_slice(row);
    }
}

/// Writes raw points in row-major order; returns their bytes.
fn scatter_raw<T: Element>(bytes: &[u8], dst: &mut BlockMut<'_, T>) -> Option<usize> {
    let used = dst.extent().iter().product::<usize>() * size_of::<T>();
    let points: Option<Vec<T>> = bytes.get(..used)?.chunks_exact(size_of::<T>()).map(T::get).collect();
    scatter(&points?, dst);
    Some(used)
}
