//! Groups of coefficients as bit planes, with the directory of those that are not all 0: what the coded blocks of
//! `wavelet`, in groups of 8, and of `lapped`, in groups of 16, have in common.

/// Most bits of a coefficient, without its sign.
pub(super) const MAX_BITS: usize = 30;
/// Width from which on one has a byte of its own.
const LONG: usize = 15;
/// Groups whose flags stand together.
const UNIT: usize = 16;

/// Units of so many groups.
pub(super) fn units(groups: usize) -> usize {
    groups.div_ceil(UNIT)
}

/// Appends groups whose coefficients are below 2^[`MAX_BITS`].
pub(super) fn write<const N: usize>(groups: impl ExactSizeIterator<Item = [i64; N]>, out: &mut Vec<u8>) {
    let mut flags = vec![0u16; units(groups.len())];
    let (mut widths, mut longs, mut planes, mut signs) = (vec![], vec![], vec![], vec![]);
    for (g, v) in groups.enumerate() {
        // Or, not max: both have the same width.
        let largest = v.iter().fold(0, |any, v| any | v.unsigned_abs());
        if largest == 0 {
            continue;
        }
        flags[g / UNIT] |= 1 << (g % UNIT);
        let w = 64 - largest.leading_zeros() as usize;
        widths.push(w.min(LONG) as u8);
        if w >= LONG {
            longs.push(w as u8);
        }
        for b in 0..w {
            planes.extend(pack_bits(&v.map(|v| v.unsigned_abs() >> b & 1 == 1)));
        }
        signs.extend(v.iter().filter(|v| **v != 0).map(|v| *v < 0));
    }
    out.extend(pack_bits(&flags.iter().map(|f| *f != 0).collect::<Vec<_>>()));
    flags.iter().filter(|f| **f != 0).for_each(|f| out.extend_from_slice(&f.to_le_bytes()));
    out.extend(widths.chunks(2).map(|w| w[0] | w.get(1).unwrap_or(&0) << 4));
    out.extend(longs);
    out.extend(planes);
    out.extend(pack_bits(&signs));
}

/// A group that is not all 0: its number and coefficients.
pub(super) type Live<const N: usize> = (usize, [i64; N]);

/// Those of `count` groups that are not all 0, and the bytes left behind them; `None` where `bytes` are no such groups.
pub(super) fn read<const N: usize>(bytes: &[u8], count: usize) -> Option<(Vec<Live<N>>, &[u8])> {
    let (live, bytes) = read_flags(bytes, count)?;
    let (widths, bytes) = read_widths(bytes, live.len())?;
    let (mut planes, signs) = bytes.split_at_checked(widths.iter().sum::<usize>() * N / 8)?;
    let mut groups = Vec::with_capacity(live.len());
    let mut sign = 0;
    for (g, w) in live.into_iter().zip(widths) {
        let (these, rest) = planes.split_at_checked(w * N / 8)?;
        planes = rest;
        let mut values = [0; N];
        for (j, value) in values.iter_mut().enumerate() {
            let size = (0..w).fold(0, |size, b| size | i64::from(bit(these, b * N + j)) << b);
            if size > 0 {
                let negative = sign < 8 * signs.len() && bit(signs, sign);
                *value = if negative { -size } else { size };
                sign += 1;
            }
        }
        groups.push((g, values));
    }
    Some((groups, signs.get(sign.div_ceil(8)..)?))
}

/// The numbers of the live ones of `count` groups, and the bytes behind their flags.
fn read_flags(bytes: &[u8], count: usize) -> Option<(Vec<usize>, &[u8])> {
    let (live_units, mut bytes) = bytes.split_at_checked(units(count).div_ceil(8))?;
    let mut live = Vec::new();
    for unit in (0..units(count)).filter(|u| bit(live_units, *u)) {
        let (flags, rest) = bytes.split_at_checked(UNIT / 8)?;
        live.extend((0..UNIT).filter(|g| bit(flags, *g)).map(|g| unit * UNIT + g));
        bytes = rest;
    }
    live.last().is_none_or(|g| *g < count).then_some((live, bytes))
}

/// The widths of `live` groups, and the bytes behind them.
fn read_widths(bytes: &[u8], live: usize) -> Option<(Vec<usize>, &[u8])> {
    let (packed, bytes) = bytes.split_at_checked(live.div_ceil(2))?;
    let mut widths: Vec<usize> = (0..live).map(|i| (packed[i / 2] >> (4 * (i % 2)) & 15) as usize).collect();
    let (longs, bytes) = bytes.split_at_checked(widths.iter().filter(|w| **w == LONG).count())?;
    widths.iter_mut().filter(|w| **w == LONG).zip(longs).for_each(|(w, long)| *w = *long as usize);
    let wrong = |w: &usize| *w == 0 || *w > MAX_BITS;
    if widths.iter().any(wrong) || longs.iter().any(|w| (*w as usize) < LONG) {
        return None;
    }
    Some((widths, bytes))
}

/// Bit i of bytes, lowest first.
pub(super) fn bit(bytes: &[u8], i: usize) -> bool {
    bytes[i / 8] >> (i % 8) & 1 == 1
}

fn pack_bits(bits: &[bool]) -> Vec<u8> {
    bits.chunks(8).map(|byte| byte.iter().rev().fold(0, |b, bit| b << 1 | u8::from(*bit))).collect()
}
