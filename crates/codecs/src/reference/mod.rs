//! The format in plain Rust: what the C blocks must reproduce, bit for bit.
//!
//! [`encode`] and [`decode`] are those of the crate root with other block coders: same streams, same errors, only slower.
//! A block of `noop` is its rows, one after the other. The others:
//!
//! # quantize
#![doc = include_str!("quantize.md")]
//! # wavelet
#![doc = include_str!("wavelet.md")]
//! # lapped
#![doc = include_str!("lapped.md")]

mod groups;
mod lapped;
mod quantize;
mod wavelet;

use crate::coder::{BlockCoder, Coding, Rows};
use crate::lapped::{Lapped, Row};
use crate::native::Native;
use crate::view::BlockMut;
use crate::{
    Compression, DecodeError, Element, EncodeError, Parallel, SliceInfo, Trend, View, ViewMut, stream,
};

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
    stream::encode(&Plain, compression, &src, par, &mut Trend::default(), out)
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
            // Coded by rows.
            Coding::Lapped(_) => {}
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
            // Decoded by rows.
            Coding::Lapped(_) => None,
            Coding::Copy => scatter_raw(bytes, dst),
            Coding::Quantize { block, step, .. } => quantize::decode(bytes, *block, step, dst),
            Coding::Wavelet { group, step, .. } => {
                wavelet::decode(bytes, *group, step, dst).map(|()| bytes.len())
            }
        }
    }

    /// Codes all tiles: those that are skipped elsewhere must come out as 0.
    fn encode_rows<T: Element>(
        &self,
        lapped: &Lapped<T>,
        src: &View<'_, T>,
        rows: &Rows,
        out: &mut Vec<u8>,
        lost: Option<&mut f64>,
    ) -> Vec<usize> {
        if lost.is_some() {
            Native.encode_rows(lapped, src, rows, &mut Vec::new(), lost);
        }
        let [x, y, z] = rows.origin;
        let mut row = |i: usize| {
            lapped::encode(lapped, src, [x, y + i * lapped.size[1], z], rows.length, out);
            out.len()
        };
        (0..rows.count).map(&mut row).collect()
    }

    unsafe fn decode_row<T: Element>(
        &self,
        lapped: &Lapped<T>,
        row: &Row,
        bytes: &[u8],
        rows: &[*mut T],
    ) -> bool {
        // SAFETY: the caller's duty.
        let slice = |p: &*mut T| unsafe { row_slice(*p, row.length as usize) };
        lapped::decode(lapped, row, bytes, &mut rows.iter().map(slice).collect::<Vec<_>>())
    }

    unsafe fn unfold<T: Element>(&self, rows: [*mut T; 4], weights: [T; 4], length: usize) {
        // SAFETY: the caller's duty.
        lapped::unfold(rows.map(|p| unsafe { row_slice(p, length) }), weights);
    }
}

/// A row of `length` points; `None` where there is none.
///
/// # Safety
/// The row must be null, or writable for `length` during `'a` by the caller alone.
unsafe fn row_slice<'a, T>(row: *mut T, length: usize) -> Option<&'a mut [T]> {
    // SAFETY: the caller's duty.
    (!row.is_null()).then(|| unsafe { std::slice::from_raw_parts_mut(row, length) })
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
