//! A bound on the error at every point: a slice is coded, decoded again, and what is too far off is added as it is.
//!
//! Li, Lindstrom and Clyne (2023) correct the outliers of a wavelet coder in this way.

use crate::coder::BlockCoder;
use crate::element::Element;
use crate::format::{ENTRY_BYTES, HEADER_BYTES, Header, Mode, locate};
use crate::stream::encode::{encode, finish, write_raw};
use crate::stream::part::Area;
use crate::stream::snr::Trend;
use crate::view::SharedMut;
use crate::{Compression, DecodeError, EncodeError, Parallel, SliceInfo, View, ViewMut, bounded};

/// See [`crate::encode_within`].
pub(crate) fn encode_within<T: Element, C: BlockCoder>(
    coder: &C,
    compression: Compression,
    max_error: f64,
    src: &View<'_, T>,
    par: &dyn Parallel,
    trend: &mut Trend,
    out: &mut Vec<u8>,
) -> Result<SliceInfo, EncodeError> {
    bounded::check(max_error)?;
    let start = out.len();
    let info = encode(coder, compression, src, par, trend, out)?;
    if info.mode != Mode::Coded || info.step == 0.0 {
        return Ok(info);
    }
    let result = add_outliers(coder, max_error, src, par, start, out);
    if result.is_err() {
        out.truncate(start);
    }
    result.map(|patched| patched.unwrap_or(info))
}

/// Adds a chunk of outliers to the stream at `start`, if there are any.
fn add_outliers<T: Element, C: BlockCoder>(
    coder: &C,
    max_error: f64,
    src: &View<'_, T>,
    par: &dyn Parallel,
    start: usize,
    out: &mut Vec<u8>,
) -> Result<Option<SliceInfo>, EncodeError> {
    let shape = src.shape();
    let mut back = vec![T::default(); src.points()];
    let own = |e: DecodeError| match e {
        DecodeError::Schedule { missing, total } => EncodeError::Schedule { missing, total },
        e => unreachable!("a stream just written cannot be read: {e}"),
    };
    let mut header = Header::read(&out[start..]).map_err(own)?;
    if let Ok(dst) = ViewMut::dense(&mut back, shape) {
        super::decode(coder, &out[start..], dst, par).map_err(own)?;
    }
    // Halves of the range cannot overflow.
    let bound = 2.0 * max_error * (header.max / 2.0 - header.min / 2.0);
    let outliers = find(src, &back, bound);
    if outliers.is_empty() {
        return Ok(None);
    }
    if header.payload + outliers.len() as u64 >= header.raw_bytes() || u32::try_from(outliers.len()).is_err()
    {
        out.truncate(start);
        return write_raw(coder, header, src, par, out).map(Some);
    }
    let directory = start + HEADER_BYTES;
    let end = directory + header.chunks * ENTRY_BYTES;
    let mut entry = [0; ENTRY_BYTES];
    entry[..4].copy_from_slice(&(outliers.len() as u32).to_le_bytes());
    entry[4..].copy_from_slice(&crc32fast::hash(&outliers).to_le_bytes());
    out.splice(end..end, entry);
    out.extend_from_slice(&outliers);
    header.patched = true;
    header.chunks += 1;
    header.payload += outliers.len() as u64;
    header.directory_crc = crc32fast::hash(&out[directory..end + ENTRY_BYTES]);
    Ok(Some(finish(&header, start, out)))
}

/// The values that are not nearer than `bound` to those of `back`: for each its distance in row-major order from the one
/// before it, or from the beginning, in groups of 7 bits, lowest first, the high bit set in all but the last; and the
/// value.
fn find<T: Element>(src: &View<'_, T>, back: &[T], bound: f64) -> Vec<u8> {
    let [n0, n1, n2] = src.shape();
    let (mut found, mut last) = (Vec::new(), 0);
    for row in 0..n0 * n1 {
        let values = src.row(row / n1, row % n1).iter().zip(&back[row * n2..]);
        for (k, (x, y)) in values.enumerate() {
            let error = (x.to_f64() - y.to_f64()).abs();
            // A rounded difference may be the bound itself and the true one larger.
            if error > 0.0 && error >= bound {
                put_number(row * n2 + k - last, &mut found);
                x.put(&mut found);
                last = row * n2 + k;
            }
        }
    }
    found
}

fn put_number(mut n: usize, out: &mut Vec<u8>) {
    while n >= 128 {
        out.push((n % 128 + 128) as u8);
        n /= 128;
    }
    out.push(n as u8);
}

/// Takes a number of at most 9 groups off the beginning of `bytes`.
fn take_number(bytes: &mut &[u8]) -> Option<usize> {
    let mut n = 0;
    for shift in (0..63).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        n |= usize::from(byte % 128) << shift;
        if *byte < 128 {
            return Some(n);
        }
    }
    None
}

/// The chunks of blocks of a stream, and that of the outliers, whose checksum is right.
#[expect(clippy::type_complexity, reason = "chunks are bytes and checksums everywhere")]
pub(super) fn split<'a>(
    header: &Header,
    stream: &'a [u8],
) -> Result<(Vec<(&'a [u8], u32)>, &'a [u8]), DecodeError> {
    let mut chunks = locate(header, stream)?;
    let outliers = if header.patched { chunks.pop() } else { None };
    let Some((bytes, crc)) = outliers else { return Ok((chunks, &[])) };
    if crc32fast::hash(bytes) != crc {
        return Err(DecodeError::Checksum { part: "outliers".into() });
    }
    Ok((chunks, bytes))
}

/// Writes the outliers that lie in `wanted`, a box of a slice of this shape, to their places in `dst`.
pub(super) fn apply<T: Element>(
    mut bytes: &[u8],
    shape: [usize; 3],
    wanted: &Area,
    dst: &SharedMut<'_, T>,
) -> Result<(), DecodeError> {
    let corrupt = || DecodeError::Corrupt("outliers cannot be decoded".into());
    let points: usize = shape.iter().product();
    let mut at = 0usize;
    while !bytes.is_empty() {
        let distance = take_number(&mut bytes).ok_or_else(corrupt)?;
        at = at.checked_add(distance).filter(|at| *at < points).ok_or_else(corrupt)?;
        let (value, rest) = bytes.split_at_checked(size_of::<T>()).ok_or_else(corrupt)?;
        bytes = rest;
        let point = [at / shape[2] / shape[1], at / shape[2] % shape[1], at % shape[2]];
        let point = Area { origin: point, extent: [1; 3] };
        if wanted.common(&point).is_some() {
            // SAFETY: the point lies in the box, and no block of `dst` is alive.
            let mut place = unsafe { dst.block(point.within(wanted), [1; 3]) };
            place.row_mut(0, 0)[0] = T::get(value).ok_or_else(corrupt)?;
        }
    }
    Ok(())
}
