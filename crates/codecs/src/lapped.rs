//! What the C blocks and the reference of `lapped` share: sizes of blocks, weights of the folds, where folds reach.

use std::ops::Range;
use std::sync::LazyLock;

use crate::Element;

/// Largest points of a block along an axis.
const MOST: usize = 32;
/// Threshold of the quantiser: a coefficient below it becomes 0, and none is further off.
pub(crate) const THRESHOLD: f64 = 0.64;

/// A block whose sum of squares is less, in units of the step, becomes 0: below the square of the threshold, for rounding.
pub(crate) const QUIET: f64 = 0.36;

/// Folded values are drawn nearer to 0 by it, which no coefficient notices.
pub(crate) const TINY: f64 = 1.0 / (1u64 << 40) as f64;
/// Steps, each twice the last, at which errors are measured to find the one for a signal-to-noise ratio.
pub(crate) const STEPS: usize = 12;

/// A slice for `lapped`: axes of one point come first, blocks have 1, 16 or 32 points along an axis. A chunk is a row of
/// blocks along the last axis, which is cut into segments that do not overlap.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lapped<T> {
    /// The axes of the slice in the order of `shape`.
    pub(crate) axes: [usize; 3],
    pub(crate) shape: [usize; 3],
    pub(crate) size: [usize; 3],
    pub(crate) step: f64,
    /// Multiplied with values: 1 / (step x sqrt(points of a block)).
    pub(crate) forward: T,
    /// Multiplied with transformed coefficients: step / sqrt(points of a block).
    pub(crate) backward: T,
    /// Weights of the fold along the last axis, for the points of half a block before a border and half a block behind.
    pub(crate) own: [T; MOST],
    pub(crate) partner: [T; MOST],
    /// The same times `backward`, to undo it.
    pub(crate) unfold_own: [T; MOST],
    pub(crate) unfold_partner: [T; MOST],
}

/// One value of a fold: r x own + f x partner. `wf_tap` of `lapped.h`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Tap {
    /// Offset of the point itself, in elements.
    pub(crate) own: i64,
    /// Offset of the point on the other side of the border.
    pub(crate) partner: i64,
    pub(crate) r: f64,
    pub(crate) f: f64,
}

/// `wf_lapped` of `lapped.h`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Points of a block.
    pub(crate) size: [i64; 3],
    /// Points along the last axis.
    pub(crate) length: i64,
    /// Whether the blocks are the last ones along the first two axes.
    pub(crate) last: [i64; 2],
    /// Whether the rows of blocks before and after this one along the middle axis are coded with the same scratch.
    pub(crate) before: i64,
    pub(crate) after: i64,
}

impl<T: Element> Lapped<T> {
    pub(crate) fn new(shape: [usize; 3], step: f64) -> Self {
        let axes = squeezed_axes(shape);
        let shape = axes.map(|a| shape[a]);
        let size = sizes(shape);
        let gain = (size.iter().product::<usize>() as f64).sqrt();
        let (forward, backward) = (1.0 / (step * gain), step / gain);
        let weight = |t: usize, part: usize, scale: f64| {
            let half = size[2] / 2;
            let (r, f) = if t < half { weights(size[2], half - 1 - t) } else { weights(size[2], t - half) };
            [r, if t < half { -f } else { f }][part] * scale
        };
        let all = |part: usize, scale: f64| {
            let value = |t: usize| if t < size[2] { weight(t, part, scale) } else { 0.0 };
            std::array::from_fn(|t| T::from_f64(value(t)))
        };
        Lapped {
            axes,
            shape,
            size,
            step,
            forward: T::from_f64(forward),
            backward: T::from_f64(backward),
            own: all(0, 1.0),
            partner: all(1, 1.0),
            unfold_own: all(0, backward),
            unfold_partner: all(1, backward),
        }
    }

    /// Weights of the fold along the last axis.
    pub(crate) fn window(&self) -> [&[T]; 2] {
        [&self.own[..], &self.partner[..]]
    }

    pub(crate) fn row(&self, origin: [usize; 3], length: usize) -> Row {
        let last = |a: usize| i64::from(origin[a] + self.size[a] >= self.shape[a]);
        Row {
            size: self.size.map(|n| n as i64),
            length: length as i64,
            last: [last(0), last(1)],
            before: 0,
            after: 0,
        }
    }

    /// The folds of a block at `origin` along `axis`, one of the first two. Past its end the field is its mirror image.
    pub(crate) fn taps(&self, axis: usize, origin: usize, stride: usize) -> Vec<Tap> {
        let (n, points, half) = (self.size[axis], self.shape[axis], self.size[axis] / 2);
        let at = |i: usize| {
            let i = i % (2 * points);
            (if i < points { i } else { 2 * points - 1 - i } * stride) as i64
        };
        let tap = |t: usize| {
            let own = at(origin + t);
            if t < half && origin > 0 {
                let (r, f) = weights(n, t);
                Tap { own, partner: at(origin - 1 - t), r, f }
            } else if t >= half && origin + n < points {
                let (r, f) = weights(n, n - 1 - t);
                Tap { own, partner: at(origin + 2 * n - 1 - t), r, f: -f }
            } else {
                Tap { own, partner: own, r: 1.0, f: 0.0 }
            }
        };
        (0..n).map(tap).collect()
    }

    /// Rows along `axis` that decoding needs: the shape, and what the last fold reaches of the block beyond it.
    pub(crate) fn reach(&self, axis: usize) -> usize {
        let (n, points) = (self.size[axis], self.shape[axis]);
        let last = (points.div_ceil(n) - 1) * n;
        if last == 0 { points } else { points.max(last + n / 2) }
    }

    /// What is needed of a row of blocks for some of its tiles: the points along the last axis, and the places of the tiles
    /// among those that these points make. Folds reach into neighbours.
    pub(crate) fn window_of(&self, tiles: Range<usize>, length: usize) -> (Range<usize>, Range<usize>) {
        let before = tiles.start.min(1);
        let from = (tiles.start - before) * self.tile_length();
        let to = length.min((tiles.end + 1) * self.tile_length());
        (from..to, before..before + tiles.len())
    }

    /// Tiles of a row of blocks.
    pub(crate) fn tiles(&self, length: usize) -> usize {
        length.div_ceil(self.tile_length())
    }

    /// Points of a tile along the last axis.
    pub(crate) fn tile_length(&self) -> usize {
        // 16 blocks where they have no other axis.
        if self.size[1] > 1 { self.size[2] } else { 16 * self.size[2] }
    }

    /// Points of a tile.
    pub(crate) fn tile(&self) -> usize {
        self.size[0] * self.size[1] * self.tile_length()
    }

    /// Blocks along `axis`.
    pub(crate) fn blocks(&self, axis: usize) -> usize {
        self.shape[axis].div_ceil(self.size[axis])
    }
}

/// Points of an axis that a block of n points at `origin` is made of; and how many times a point may occur in it: beyond
/// the end the axis goes on as its mirror image.
pub(crate) fn support(n: usize, points: usize, origin: usize) -> (Range<usize>, usize) {
    let (from, to) = (origin.saturating_sub(n / 2), origin + n);
    if to > points {
        let mirrored = (2 * points).saturating_sub(to);
        return (from.min(mirrored)..points, n.div_ceil(points) + 1);
    }
    (from..points.min(to + n / 2), if to < points && points < to + n / 2 { 2 } else { 1 })
}

/// The same extents, those of one point first.
pub(crate) fn squeezed(shape: [usize; 3]) -> [usize; 3] {
    squeezed_axes(shape).map(|a| shape[a])
}

/// The axes, those of one point first.
fn squeezed_axes(shape: [usize; 3]) -> [usize; 3] {
    let mut axes = [0, 1, 2];
    axes.sort_by_key(|a| shape[*a] > 1);
    axes
}

/// Extents of a row of blocks.
pub(crate) fn block(shape: [usize; 3]) -> [usize; 3] {
    let shape = squeezed(shape);
    let size = sizes(shape);
    // Small enough for the second-level cache, and for many threads.
    let most = match (shape[0], shape[1]) {
        (1, 1) => 8192,
        (1, _) => 4096,
        _ => 512,
    };
    let length = shape[2].div_ceil(shape[2].div_ceil(most));
    [size[0], size[1], length.next_multiple_of(size[2])]
}

/// How many times more points the blocks have than the shape.
pub(crate) fn padding(shape: [usize; 3]) -> f64 {
    let shape = squeezed(shape);
    let size = sizes(shape);
    (0..3).map(|a| shape[a].next_multiple_of(size[a]) as f64 / shape[a] as f64).product()
}

/// 32 points, unless 16 save more than a sixth of the points beyond the end.
fn sizes(shape: [usize; 3]) -> [usize; 3] {
    shape.map(|n| {
        let covered = |size: usize| n.div_ceil(size) * size;
        if n == 1 {
            1
        } else if covered(32) * 5 <= covered(16) * 6 {
            32
        } else {
            16
        }
    })
}

/// Weights (r, f) of the points at a distance of i + 1/2 from the border of blocks of n points; r^2 + f^2 = 1.
pub(crate) fn weights(n: usize, i: usize) -> (f64, f64) {
    static WINDOWS: LazyLock<[Vec<f64>; 2]> = LazyLock::new(|| [window(16), window(32)]);
    let window = &WINDOWS[n / 32];
    (window[n / 2 + i], window[n / 2 - 1 - i])
}

/// Rising half of the Kaiser-Bessel-derived window with a = 4: roots of the running sum of a Kaiser window over n + 1
/// points. Only operations that IEEE 754 rounds correctly, so that it is the same everywhere.
fn window(n: usize) -> Vec<f64> {
    let kaiser = |i: usize| {
        let x = 2.0 * i as f64 / n as f64 - 1.0;
        bessel_i0(std::f64::consts::PI * 4.0 * (1.0 - x * x).max(0.0).sqrt())
    };
    let total: f64 = (0..=n).map(kaiser).sum();
    let mut sum = 0.0;
    (0..n)
        .map(|i| {
            sum += kaiser(i);
            (sum / total).sqrt()
        })
        .collect()
}

/// Modified Bessel function of order 0, by its power series.
fn bessel_i0(x: f64) -> f64 {
    let quarter = x * x / 4.0;
    let terms = (1..64).scan(1.0, |term, k| {
        *term = *term * quarter / f64::from(k * k);
        Some(*term)
    });
    1.0 + terms.sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_are_rotations() {
        for n in [16, 32] {
            for i in 0..n / 2 {
                let (r, f) = weights(n, i);
                assert!((r * r + f * f - 1.0).abs() < 1e-15 && r > f);
            }
        }
    }

    #[test]
    fn blocks_follow_the_shape() {
        assert_eq!(block([256, 256, 256]), [32, 32, 256]);
        assert_eq!(block([40, 1, 1000]), [1, 16, 1024]);
        assert_eq!(block([20, 1, 1]), [1, 1, 32]);
        assert_eq!(block([1, 1, 10_000]), [1, 1, 5024]);
        let lapped = Lapped::<f32>::new([70, 33, 5], 1.0);
        assert_eq!((lapped.size, lapped.reach(0), lapped.reach(1)), ([32, 16, 16], 80, 40));
    }
}
