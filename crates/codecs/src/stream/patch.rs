//! A bound on the error at every point: a slice is coded, decoded again, and what is too far off is added as it is.
//!
//! Li, Lindstrom and Clyne (2023) correct the outliers of a wavelet coder in this way.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::coder::BlockCoder;
use crate::element::Element;
use crate::format::{ENTRY_BYTES, HEADER_BYTES, Header, Mode, locate};
use crate::parallel::run_once;
use crate::stream::encode::{encode, finish, write_raw};
use crate::stream::part::Area;
use crate::stream::snr::Trend;
use crate::view::SharedMut;
use crate::{Compression, DecodeError, EncodeError, Parallel, SliceInfo, View, ViewMut, bounded, float_mode};

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
    let back = trend.spare.values(src.points());
    let result = add_outliers(coder, max_error, src, par, back, start, out);
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
    back: &mut [T],
    start: usize,
    out: &mut Vec<u8>,
) -> Result<Option<SliceInfo>, EncodeError> {
    let shape = src.shape();
    let own = |e: DecodeError| match e {
        DecodeError::Schedule { missing, total } => EncodeError::Schedule { missing, total },
        e => unreachable!("a stream just written cannot be read: {e}"),
    };
    let mut header = Header::read(&out[start..]).map_err(own)?;
    if let Ok(dst) = ViewMut::dense(back, shape) {
        super::decode(coder, &out[start..], dst, par).map_err(own)?;
    }
    // Halves of the range cannot overflow.
    let bound = 2.0 * max_error * (header.max / 2.0 - header.min / 2.0);
    let outliers = find(src, back, bound, header.raw_bytes() as usize, par)?;
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

/// Points that are compared together.
const PART_POINTS: usize = 1 << 16;

/// The outliers of some neighbouring points: the first and the last of them, and what is stored of them but for the distance
/// of the first.
struct Found {
    first: usize,
    last: usize,
    bytes: Vec<u8>,
}

/// The values that are not nearer than `bound` to those of `back`: for each its distance in row-major order from the one
/// before it, or from the beginning, in groups of 7 bits, lowest first, the high bit set in all but the last; and the
/// value. Not all of them where they would take `most` bytes or more.
fn find<T: Element>(
    src: &View<'_, T>,
    back: &[T],
    bound: f64,
    most: usize,
    par: &dyn Parallel,
) -> Result<Vec<u8>, EncodeError> {
    let [n0, n1, n2] = src.shape();
    // Rows, or where these are long, pieces of them.
    let per_row = n2.div_ceil(PART_POINTS).max(1);
    let (pieces, per_part) = (n0 * n1 * per_row, (PART_POINTS / n2.max(1)).max(1));
    // Of most rows differences in their own type show that nothing is off; those and the bound itself are rounded.
    let near = if bound < T::LARGEST.recip() { 0.0 } else { bound * (1.0 - 1e-6) };
    let near = T::from_f64(near);
    let taken = AtomicUsize::new(0);
    let parts: Vec<OnceLock<Found>> = (0..pieces.div_ceil(per_part)).map(|_| OnceLock::new()).collect();
    run_once(par, parts.len(), |part| {
        if taken.load(Ordering::Relaxed) >= most {
            return;
        }
        let mut found: Option<Found> = None;
        float_mode::with_default(|| {
            for piece in part * per_part..pieces.min((part + 1) * per_part) {
                let (row, begin) = (piece / per_row, piece % per_row * PART_POINTS);
                let end = n2.min(begin + PART_POINTS);
                let at = row * n2 + begin;
                let (values, decoded) =
                    (&src.row(row / n1, row % n1)[begin..end], &back[at..at + end - begin]);
                if !some_far(values, decoded, near) {
                    continue;
                }
                for (k, (x, y)) in values.iter().zip(decoded).enumerate() {
                    let error = (x.to_f64() - y.to_f64()).abs();
                    // A rounded difference may be the bound itself and the true one larger.
                    if error > 0.0 && error >= bound {
                        match &mut found {
                            Some(found) => put_number(at + k - found.last, &mut found.bytes),
                            None => found = Some(Found { first: at + k, last: at + k, bytes: Vec::new() }),
                        }
                        if let Some(found) = &mut found {
                            x.put(&mut found.bytes);
                            found.last = at + k;
                        }
                    }
                }
            }
        });
        if let Some(found) = found {
            taken.fetch_add(found.bytes.len(), Ordering::Relaxed);
            let _ = parts[part].set(found);
        }
    })
    .map_err(|missing| EncodeError::Schedule { missing, total: parts.len() })?;
    let (mut bytes, mut last) = (Vec::new(), 0);
    for found in parts.into_iter().filter_map(OnceLock::into_inner) {
        put_number(found.first - last, &mut bytes);
        bytes.extend_from_slice(&found.bytes);
        last = found.last;
    }
    Ok(bytes)
}

/// Whether any two values differ by `near` or more. Without branches, so that it becomes vector code.
fn some_far<T: Element>(values: &[T], decoded: &[T], near: T) -> bool {
    values.iter().zip(decoded).fold(false, |far, (x, y)| {
        let d = *x - *y;
        far | (d >= near) | (-d >= near)
    })
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
