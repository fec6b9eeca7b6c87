//! Blocks of `quantize`; the format is described in the parent module.

use crate::element::Element;
use crate::scale::Step;
use crate::view::{BlockMut, View};

const POINTS: usize = 512;
const LANES: usize = 16;
const ROWS: usize = 32;
const BASED: u8 = 64;
const RAW: u8 = 255;
/// All r lie in -REACH .. REACH.
const REACH: i64 = 1 << 30;

pub(super) fn encode<T: Element>(
    src: &View<'_, T>,
    block: [usize; 3],
    step: &Step<T>,
    limit: T,
    out: &mut Vec<u8>,
) {
    let [n0, n1, n2] = src.shape();
    for j in (0..n1).step_by(block[1]) {
        for k in (0..n2).step_by(block[2]) {
            let part = src.part([0, j, k], [n0, block[1].min(n1 - j), block[2].min(n2 - k)]);
            encode_block(&part, block, step, limit, out);
        }
    }
}

fn encode_block<T: Element>(
    src: &View<'_, T>,
    block: [usize; 3],
    step: &Step<T>,
    limit: T,
    out: &mut Vec<u8>,
) {
    let points = tile_points(block);
    let last = src.shape().map(|n| n - 1);
    let tile: Vec<T> =
        points.iter().map(|p| src.row(p[0].min(last[0]), p[1].min(last[1]))[p[2].min(last[2])]).collect();
    let rounded = |x: &T| (*x * step.inverse[0] * step.inverse[1]).round_even();
    let Some(r) = tile.iter().map(|x| Some(rounded(x)).filter(|r| *r >= -limit && *r <= limit)).collect()
    else {
        return raw(&tile, out);
    };
    let r: Vec<T> = r;
    let r: Vec<i64> = r.into_iter().map(T::to_i64).collect();
    // Only f64 has bases out of reach.
    let within = |v: i64| (-REACH..REACH).contains(&v);
    let shift = if within(r[0]) || T::BASE_BYTES == 4 { 0 } else { r[0] };
    if !r.iter().all(|r| within(r - shift)) {
        return raw(&tile, out);
    }
    let plain = r.iter().map(|r| bits(r - shift)).max().unwrap_or(0);
    if plain == 0 && shift == 0 {
        return out.push(0);
    }
    let before = |n: usize| if n >= LANES { r[n - LANES] } else { r[n.saturating_sub(1)] };
    let differences: Vec<i64> = (0..POINTS).map(|n| r[n] - before(n)).collect();
    let w = differences.iter().map(|d| bits(*d)).max().unwrap_or(0);
    if plain <= w && shift == 0 {
        out.push(plain as u8);
        pack(&r, plain, out);
    } else {
        out.push(BASED + w as u8);
        out.extend_from_slice(&r[0].to_le_bytes()[..T::BASE_BYTES]);
        pack(&differences, w, out);
    }
}

pub(super) fn decode<T: Element>(
    bytes: &[u8],
    block: [usize; 3],
    step: &Step<T>,
    dst: &mut BlockMut<'_, T>,
) -> Option<usize> {
    let [n0, n1, n2] = dst.extent();
    let points = tile_points(block);
    let mut used = 0;
    for j in (0..n1).step_by(block[1]) {
        for k in (0..n2).step_by(block[2]) {
            let (tile, n) = decode_tile(&bytes[used..], step)?;
            used += n;
            for (p, x) in points.iter().zip(tile) {
                if p[0] < n0 && j + p[1] < n1 && k + p[2] < n2 {
                    dst.row_mut(p[0], j + p[1])[k + p[2]] = x;
                }
            }
        }
    }
    Some(used)
}

/// The values of a tile, and its bytes.
fn decode_tile<T: Element>(bytes: &[u8], step: &Step<T>) -> Option<(Vec<T>, usize)> {
    let (tag, rest) = bytes.split_first()?;
    let scaled = |r: T| r * step.value[0] * step.value[1];
    match *tag {
        0 => Some((vec![T::default(); POINTS], 1)),
        RAW => {
            let values = rest.get(..POINTS * size_of::<T>())?.chunks_exact(size_of::<T>());
            Some((values.map(T::get).collect::<Option<_>>()?, 1 + POINTS * size_of::<T>()))
        }
        w @ 1..=31 => {
            let r = unpack(rest, w.into())?;
            let tile = r.into_iter().map(|r| scaled(T::from_i64(r.into()))).collect();
            Some((tile, 1 + usize::from(w) * 64))
        }
        tag @ 64..=96 => {
            let w = usize::from(tag - BASED);
            let (base, rest) = rest.split_at_checked(T::BASE_BYTES)?;
            // Sign extension of the highest byte.
            let mut long = [if base.last()? & 128 == 0 { 0 } else { 255 }; 8];
            long[..T::BASE_BYTES].copy_from_slice(base);
            let base = i64::from_le_bytes(long);
            // Sums wrap where differences are damaged.
            let mut sum = unpack(rest, w)?;
            for n in 1..POINTS {
                sum[n] = sum[n].wrapping_add(sum[if n >= LANES { n - LANES } else { n - 1 }]);
            }
            if T::BASE_BYTES == 4 {
                // The first difference is 0, unless damaged.
                sum.iter_mut().for_each(|s| *s = s.wrapping_add(base as i32));
                let tile = sum.into_iter().map(|s| scaled(T::from_i64(s.into()))).collect();
                return Some((tile, 1 + T::BASE_BYTES + w * 64));
            }
            let tile = sum.into_iter().map(|s| scaled(T::from_i64(s.into()) + T::from_i64(base))).collect();
            Some((tile, 1 + T::BASE_BYTES + w * 64))
        }
        _ => None,
    }
}

/// Bits of `v` as a two's complement number: 0 for 0, 1 for -1, 2 for 1 and -2.
fn bits(v: i64) -> usize {
    (64 - (v ^ (v << 1)).leading_zeros()) as usize
}

fn raw<T: Element>(tile: &[T], out: &mut Vec<u8>) {
    out.push(RAW);
    tile.iter().for_each(|x| x.put(out));
}

/// The point of the block at each place of its tile.
fn tile_points(block: [usize; 3]) -> Vec<[usize; 3]> {
    let [_, b1, b2] = block;
    let visited = |n: usize| {
        let (i, j, k) = (n / b2 / b1, n / b2 % b1, n % b2);
        [i, if i % 2 == 1 { b1 - 1 - j } else { j }, k]
    };
    let one_axis = block.contains(&POINTS);
    (0..POINTS).map(|n| visited(if one_axis { n % LANES * ROWS + n / LANES } else { n })).collect()
}

/// The low `w` bits of each value.
fn pack(values: &[i64], w: usize, out: &mut Vec<u8>) {
    let mut words = vec![0u32; w * LANES];
    for (i, value) in values.iter().enumerate() {
        let (row, lane) = (i / LANES, i % LANES);
        for b in 0..w {
            let at = row * w + b;
            words[at / 32 * LANES + lane] |= ((value >> b & 1) as u32) << (at % 32);
        }
    }
    words.iter().for_each(|word| out.extend_from_slice(&word.to_le_bytes()));
}

/// Two's complement numbers of `w` bits.
fn unpack(bytes: &[u8], w: usize) -> Option<Vec<i32>> {
    let bytes = bytes.get(..w * LANES * 4)?;
    let word = |k: usize| bytes[4 * k..].first_chunk().map_or(0, |b| u32::from_le_bytes(*b));
    let mut values = vec![0i32; LANES * ROWS];
    for (i, value) in values.iter_mut().enumerate() {
        let (row, lane) = (i / LANES, i % LANES);
        for b in 0..w {
            let at = row * w + b;
            let bit = (word(at / 32 * LANES + lane) >> (at % 32) & 1) as i32;
            *value |= bit << b;
            if b + 1 == w && bit == 1 {
                *value |= (-1i64 << w) as i32;
            }
        }
    }
    Some(values)
}
