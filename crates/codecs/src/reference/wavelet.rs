//! Blocks of `wavelet`; the format is described in the parent module.

use super::groups::{self, MAX_BITS};
use super::{gather, scatter, scatter_raw};
use crate::element::Element;
use crate::scale::Step;
use crate::view::{BlockMut, View};

const ZERO: u8 = 0;
const CODED: u8 = 1;
const RAW: u8 = 2;

const ALPHA: f64 = -1.586134342059924;
const BETA: f64 = -0.052980118572961;
const GAMMA: f64 = 0.882911075530934;
const DELTA: f64 = 0.443506852043971;
/// sqrt(2) / 1.230174104914001, gain of the low band, and its inverse, gain of the high band.
const LOW: f64 = 1.149604398860241;
const HIGH: f64 = 0.8698644516247808;
const OFFSET_ONE: f64 = 0.42;
const OFFSET_MORE: f64 = 0.48;

pub(super) fn encode<T: Element>(src: &View<'_, T>, group: [usize; 3], step: &Step<T>, out: &mut Vec<u8>) {
    let axes = axes(group);
    let shape = squeezed(src.shape(), group);
    let scaled = gather(src).into_iter().map(|x| x * step.inverse[0] * step.inverse[1]);
    let mut c: Vec<T> = scaled.collect();
    for axis in [1, 2, 0] {
        for_lines(shape, axis, |start, stride| forward(&mut c, start, stride, shape[axis]));
    }
    let raw = src.points() * size_of::<T>();
    let start = out.len();
    let reach = T::from_f64((1u64 << MAX_BITS) as f64);
    if c.iter().all(|c| *c < reach && -*c < reach) {
        let q: Vec<i64> = c.iter().map(|c| c.to_i64()).collect();
        if q.iter().all(|q| *q == 0) {
            return out.push(ZERO);
        }
        out.push(CODED);
        let groups = group_points(shape, axes);
        groups::write(groups.iter().map(|points| points.map(|p| p.map_or(0, |p| q[p]))), out);
        if out.len() - start <= 1 + raw {
            return;
        }
        out.truncate(start);
    }
    out.push(RAW);
    gather(src).into_iter().for_each(|x| x.put(out));
}

pub(super) fn decode<T: Element>(
    bytes: &[u8],
    group: [usize; 3],
    step: &Step<T>,
    dst: &mut BlockMut<'_, T>,
) -> Option<()> {
    let axes = axes(group);
    let shape = squeezed(dst.extent(), group);
    let points = shape.iter().product();
    let (kind, bytes) = bytes.split_first()?;
    match *kind {
        ZERO if bytes.is_empty() => scatter(&vec![T::default(); points], dst),
        RAW => {
            scatter_raw(bytes, dst).filter(|used| *used == bytes.len())?;
        }
        CODED => {
            let q = read_groups(bytes, shape, axes)?;
            let mut c: Vec<T> = q.into_iter().map(middle).collect();
            for axis in [0, 2, 1] {
                for_lines(shape, axis, |start, stride| inverse(&mut c, start, stride, shape[axis]));
            }
            let x: Vec<T> = c.into_iter().map(|c| c * step.value[0] * step.value[1]).collect();
            scatter(&x, dst);
        }
        _ => return None,
    }
    Some(())
}

/// Decoded value of a truncated coefficient.
fn middle<T: Element>(q: i64) -> T {
    let offset = if q.abs() == 1 { OFFSET_ONE } else { OFFSET_MORE };
    let size = T::from_i64(q.abs()) + T::from_f64(offset);
    match q {
        0 => T::default(),
        1.. => size,
        _ => -size,
    }
}

/// Calls `f(first index, stride)` for every line of a block along `axis`.
fn for_lines(shape: [usize; 3], axis: usize, mut f: impl FnMut(usize, usize)) {
    let strides = [shape[1] * shape[2], shape[2], 1];
    let (a, b) = [(1, 2), (0, 2), (0, 1)][axis];
    for i in 0..shape[a] {
        for j in 0..shape[b] {
            f(i * strides[a] + j * strides[b], strides[axis]);
        }
    }
}

/// `x[i] += k (x[i-1] + x[i+1])` for every second value from `first`, mirrored at the ends.
fn lift<T: Element>(c: &mut [T], at: impl Fn(usize) -> usize, n: usize, first: usize, k: f64) {
    for i in (first..n).step_by(2) {
        let left = c[at(if i > 0 { i - 1 } else { i + 1 })];
        let right = c[at(if i + 1 < n { i + 1 } else { i - 1 })];
        c[at(i)] = c[at(i)] + T::from_f64(k) * (left + right);
    }
}

fn scale<T: Element>(c: &mut [T], at: impl Fn(usize) -> usize, n: usize, even: f64, odd: f64) {
    for i in 0..n {
        c[at(i)] = c[at(i)] * T::from_f64(if i % 2 == 0 { even } else { odd });
    }
}

/// All levels of a line of `n` values, finest first; level values are `s` apart.
fn forward<T: Element>(c: &mut [T], start: usize, stride: usize, n: usize) {
    let mut s = 1;
    while s < n {
        let (at, m) = (|i: usize| start + i * s * stride, n.div_ceil(s));
        lift(c, at, m, 1, ALPHA);
        lift(c, at, m, 0, BETA);
        lift(c, at, m, 1, GAMMA);
        lift(c, at, m, 0, DELTA);
        scale(c, at, m, LOW, HIGH);
        s *= 2;
    }
}

fn inverse<T: Element>(c: &mut [T], start: usize, stride: usize, n: usize) {
    let mut s = n.next_power_of_two() / 2;
    while s >= 1 {
        let (at, m) = (|i: usize| start + i * s * stride, n.div_ceil(s));
        scale(c, at, m, HIGH, LOW);
        lift(c, at, m, 0, -DELTA);
        lift(c, at, m, 1, -GAMMA);
        lift(c, at, m, 0, -BETA);
        lift(c, at, m, 1, -ALPHA);
        s /= 2;
    }
}

/// Positions of the coefficients of an axis, coarsest band first.
fn order(n: usize) -> Vec<usize> {
    let mut positions = vec![0];
    let mut s = n.next_power_of_two() / 2;
    while s >= 1 {
        positions.extend((s..n).step_by(2 * s));
        s /= 2;
    }
    positions
}

/// How many axes the field has with more than one point; 1 for a single point.
fn axes(group: [usize; 3]) -> usize {
    group.iter().filter(|n| **n > 1).count()
}

/// Extents of x, y and z: axes of one point first.
fn squeezed(shape: [usize; 3], group: [usize; 3]) -> [usize; 3] {
    let mut kept = (0..3).rev().filter(|a| group[*a] > 1).map(|a| shape[a]);
    let [z, y, x] = [0, 1, 2].map(|_| kept.next().unwrap_or(1));
    [x, y, z]
}

/// Groups in an octet.
const TOGETHER: usize = 8;

/// For each group, the indices of its points in the block, `None` outside; octet after octet.
fn group_points(shape: [usize; 3], axes: usize) -> Vec<[Option<usize>; 8]> {
    let orders = shape.map(order);
    let index = |p: [usize; 3]| {
        let [x, y, z] = [0, 1, 2].map(|a| orders[a].get(p[a]).copied());
        Some((x? * shape[1] + y?) * shape[2] + z?)
    };
    // Points of an octet along each axis, and of a group; inside one x is slowest, y fastest.
    let (octet, group) = match axes {
        3 => ([2, 16, 2], [2, 2, 2]),
        2 => ([1, 16, 4], [1, 2, 4]),
        _ => ([1, 1, 64], [1, 1, 8]),
    };
    let [x, y, _] = [0, 1, 2].map(|a| shape[a].div_ceil(octet[a]));
    let octets: usize = (0..3).map(|a| shape[a].div_ceil(octet[a])).product();
    let group_at = |g: usize| {
        let (o, j) = (g / TOGETHER, g % TOGETHER);
        let at = [o % x, o / x % y, o / x / y];
        let beside = if axes == 1 { 2 } else { 1 };
        [0, 1, 2].map(|a| at[a] * octet[a] + if a == beside { j * group[a] } else { 0 })
    };
    let inside = |n: usize| [n / group[1] / group[2], n % group[1], n / group[1] % group[2]];
    let points = |g: usize| {
        let at = group_at(g);
        [0, 1, 2, 3, 4, 5, 6, 7].map(inside).map(|p| index([0, 1, 2].map(|a| at[a] + p[a])))
    };
    (0..octets * TOGETHER).map(points).collect()
}

/// The truncated coefficients; bits of points outside the block count for nothing.
fn read_groups(bytes: &[u8], shape: [usize; 3], axes: usize) -> Option<Vec<i64>> {
    let places = group_points(shape, axes);
    let (live, left) = groups::read::<8>(bytes, places.len())?;
    let mut q = vec![0; shape.iter().product()];
    for (g, values) in live {
        for (point, value) in places[g].iter().zip(values) {
            if let Some(point) = point {
                q[*point] = value;
            }
        }
    }
    left.is_empty().then_some(q)
}
