//! Blocks of `quantize`; the format is described in the parent module.

use super::scatter;
use crate::element::Element;
use crate::scale::Step;
use crate::view::{BlockMut, View};

const POINTS: usize = 512;
const LANES: usize = 16;
const ROWS: usize = 32;
const BASED: u8 = 64;
const RAW: u8 = 255;

pub(super) fn encode<T: Element>(
    src: &View<'_, T>,
    block: [usize; 3],
    step: &Step<T>,
    limit: T,
    out: &mut Vec<u8>,
) {
    let tile = load(src, block);
    let rounded = |x: &T| (*x * step.inverse[0] * step.inverse[1]).round_even();
    if !tile.iter().map(rounded).all(|r| r >= -limit && r <= limit) {
        return raw(&tile, out);
    }
    let r: Vec<i64> = tile.iter().map(|x| rounded(x).to_i64()).collect();
    let (low, high) = r.iter().fold((r[0], r[0]), |(a, b), v| (a.min(*v), b.max(*v)));
    if low == 0 && high == 0 {
        return out.push(0);
    }
    if high - low >= 1 << 31 {
        return raw(&tile, out);
    }
    let around_zero = 1 + bits(high.max(-low - 1));
    let above_low = bits(high - low);
    let (w, base) = if around_zero <= above_low && around_zero <= 31 {
        out.push(around_zero as u8);
        (around_zero, -(1i64 << (around_zero - 1)))
    } else {
        out.push(BASED + above_low as u8);
        out.extend_from_slice(&low.to_le_bytes()[..T::BASE_BYTES]);
        (above_low, low)
    };
    let fields: Vec<u32> = r.iter().map(|r| (r - base) as u32).collect();
    pack(&fields, w as usize, out);
}

pub(super) fn decode<T: Element>(
    bytes: &[u8],
    block: [usize; 3],
    step: &Step<T>,
    dst: &mut BlockMut<'_, T>,
) -> Option<usize> {
    let (tag, rest) = bytes.split_first()?;
    let (w, base, rest, before) = match *tag {
        0 => (0, 0, rest, 1),
        RAW => {
            let values = rest.get(..POINTS * size_of::<T>())?.chunks_exact(size_of::<T>());
            let tile: Option<Vec<T>> = values.map(T::get).collect();
            store(&tile?, block, dst);
            return Some(1 + POINTS * size_of::<T>());
        }
        w @ 1..=31 => (w, -(1i64 << (w - 1)), rest, 1),
        tag @ 64..=95 => {
            let (base, rest) = rest.split_at_checked(T::BASE_BYTES)?;
            // Sign extension of the highest byte.
            let mut long = [if base.last()? & 128 == 0 { 0 } else { 255 }; 8];
            long[..T::BASE_BYTES].copy_from_slice(base);
            (tag - BASED, i64::from_le_bytes(long), rest, 1 + T::BASE_BYTES)
        }
        _ => return None,
    };
    let fields = unpack(rest, w as usize)?;
    let value = |f: u32| T::from_i64(base.wrapping_add(f.into())) * step.value[0] * step.value[1];
    let tile: Vec<T> = fields.into_iter().map(value).collect();
    store(&tile, block, dst);
    Some(before + w as usize * 64)
}

/// Bits that hold `v` >= 0.
fn bits(v: i64) -> u32 {
    64 - v.leading_zeros()
}

fn raw<T: Element>(tile: &[T], out: &mut Vec<u8>) {
    out.push(RAW);
    tile.iter().for_each(|x| x.put(out));
}

/// The whole block, its first point standing for those outside the view.
fn load<T: Element>(src: &View<'_, T>, block: [usize; 3]) -> Vec<T> {
    let [n0, n1, n2] = src.shape();
    let mut tile = vec![src.row(0, 0)[0]; POINTS];
    for i in 0..n0 {
        for j in 0..n1 {
            tile[(i * block[1] + j) * block[2]..][..n2].copy_from_slice(src.row(i, j));
        }
    }
    tile
}

fn store<T: Element>(tile: &[T], block: [usize; 3], dst: &mut BlockMut<'_, T>) {
    let [n0, n1, n2] = dst.extent();
    let rows = (0..n0).flat_map(|i| (0..n1).map(move |j| (i * block[1] + j) * block[2]));
    let points: Vec<T> = rows.flat_map(|start| tile[start..start + n2].iter().copied()).collect();
    scatter(&points, dst);
}

fn pack(fields: &[u32], w: usize, out: &mut Vec<u8>) {
    let mut words = vec![0u32; w * LANES];
    for (i, field) in fields.iter().enumerate() {
        let (row, lane) = (i / LANES, i % LANES);
        for b in 0..w {
            let at = row * w + b;
            words[at / 32 * LANES + lane] |= (field >> b & 1) << (at % 32);
        }
    }
    words.iter().for_each(|word| out.extend_from_slice(&word.to_le_bytes()));
}

fn unpack(bytes: &[u8], w: usize) -> Option<Vec<u32>> {
    let bytes = bytes.get(..w * LANES * 4)?;
    let word = |k: usize| bytes[4 * k..].first_chunk().map_or(0, |b| u32::from_le_bytes(*b));
    let mut fields = vec![0u32; LANES * ROWS];
    for (i, field) in fields.iter_mut().enumerate() {
        let (row, lane) = (i / LANES, i % LANES);
        for b in 0..w {
            let at = row * w + b;
            *field |= (word(at / 32 * LANES + lane) >> (at % 32) & 1) << b;
        }
    }
    Some(fields)
}
