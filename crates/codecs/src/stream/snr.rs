//! The step of `lapped` for a signal-to-noise ratio.
//!
//! The transform is orthonormal, so sums of squares of errors are those of the coefficients, which the coder knows while
//! it codes: what is promised is measured, not estimated. A first step comes from the slice before in a series, or else
//! from the coefficients of a sample of the tiles.

use std::sync::OnceLock;

use crate::coder::BlockCoder;
use crate::format::{BlockGrid, Header};
use crate::lapped::{self, Lapped, STEPS};
use crate::native;
use crate::parallel::run_once;
use crate::scale::pow2;
use crate::stream::encode::{Known, write_chunks};
use crate::stream::lapped::squeeze;
use crate::stream::spare::Spare;
use crate::survey::Loudness;
use crate::{Element, EncodeError, Parallel, View, float_mode};

/// What the slices of a series so far tell of the next one; see [`encode_next`](crate::encode_next).
///
/// `lapped` with a signal-to-noise ratio has use for it: how its step relates to the RMS of a slice changes slowly. A bound on
/// the error keeps memory in it, as large as a slice, which is no part of its value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trend {
    /// Logarithms to base 2 of the factors that would just have kept the ratio: of the last slice, and of the one before.
    last: Option<f64>,
    before: Option<f64>,
    /// For a slice that is decoded again.
    pub(super) spare: Spare,
}

/// So much less noise than is allowed, in dB, is aimed at, that a guess seldom misses;
const MARGIN: f64 = 0.1;
/// the same for what is estimated from a sample;
const SAMPLED: f64 = 0.2;
/// a guess with so much less is not good enough.
const WASTE: f64 = 1.0;
/// Squares of errors grow with about this power of the step.
const SLOPE: f64 = 1.5;
/// How often a slice is coded with steps from what is known of its noise.
const TRIES: i32 = 6;

impl Trend {
    /// The factor for the next slice.
    fn guess(&self) -> Option<f64> {
        let last = self.last?;
        // What falls goes on falling; what grows may end growing, and a step that is too large costs more than one that is
        // too small.
        let change = self.before.map_or(0.0, |before| last - before);
        let change = if change > 0.0 { change / 4.0 } else { change }.clamp(-0.5, 0.5);
        Some(few_digits((last + change).exp2() / widening(MARGIN)))
    }

    /// A slice whose noise, over what it may be, is `noise` at a factor.
    fn add(&mut self, factor: f64, noise: f64) {
        let known = noise > decibels(-WASTE);
        self.before = self.last;
        self.last = known.then(|| factor.log2() - noise.log2() / SLOPE);
    }
}

/// A power in dB as a number.
fn decibels(db: f64) -> f64 {
    10f64.powf(db / 10.0)
}

/// How many times larger a step is that makes so many dB more noise.
fn widening(db: f64) -> f64 {
    decibels(db / SLOPE)
}

/// A factor of at least 1 with 9 bits, so that the last ones of logarithms, which differ between systems, do not show.
fn few_digits(factor: f64) -> f64 {
    let unit = pow2(factor.log2().floor() as i32 - 8);
    ((factor / unit).floor() * unit).max(1.0)
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Goal<'a> {
    /// A step that is small enough whatever the slice.
    pub(super) least: f64,
    /// Most squares of errors, in units of its square.
    pub(super) most: f64,
    /// What is known of the slice.
    pub(super) loudness: Option<&'a Loudness>,
}

/// As [`write_chunks`], with the largest step, or one a little smaller, that keeps the ratio.
pub(super) fn write<T: Element, C: BlockCoder>(
    coder: &C,
    header: &mut Header,
    goal: Goal<'_>,
    trend: &mut Trend,
    src: &View<'_, T>,
    par: &dyn Parallel,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    let start = out.len();
    let guess = trend.guess();
    let mut factor = guess.map_or_else(|| estimate(src, goal, par), Ok)?;
    for attempt in 1.. {
        out.truncate(start);
        header.step = goal.least * factor;
        let lost = write_chunks(coder, header, src, par, out, Known { loudness: goal.loudness, watch: None })
            .map_err(|missing| EncodeError::Schedule { missing, total: header.chunks })?;
        let noise = lost * factor * factor / goal.most;
        let wasteful = attempt == 1 && guess.is_some() && noise < decibels(-WASTE);
        if factor <= 1.0 || (noise <= 1.0 && !wasteful) {
            trend.add(factor, noise);
            break;
        }
        // The least step is good enough whatever the slice.
        let known = attempt < TRIES && noise > decibels(-20.0 * WASTE);
        factor = match known {
            true => few_digits(factor / noise.powf(1.0 / SLOPE) / widening(MARGIN)),
            false if wasteful => estimate(src, goal, par)?,
            false => 1.0,
        };
    }
    Ok(())
}

/// Slices with fewer points are looked at whole.
const FEW: usize = 1 << 18;
/// Points, and tiles, of a sample at least.
const SAMPLE: (usize, usize) = (1 << 18, 64);

/// How many times larger than `least` a step may be, up to 2^11.
fn estimate<T: Element>(src: &View<'_, T>, goal: Goal<'_>, par: &dyn Parallel) -> Result<f64, EncodeError> {
    Ok(widest(&errors(src, goal, par)?, goal.most))
}

/// A tile of the transform.
#[derive(Clone, Copy, Debug)]
struct Tile {
    /// The row of blocks.
    row: usize,
    /// In the row.
    at: usize,
    /// Estimate of the sum of the squares of what it is made of, in units of the square of the least step.
    energy: f64,
}

/// Sums of the squares of the errors at the least step, twice that, .., in units of the first, estimated from a sample.
/// Tiles that cannot add much are left out; others are taken at equal distances in the order of their energies.
fn errors<T: Element>(
    src: &View<'_, T>,
    goal: Goal<'_>,
    par: &dyn Parallel,
) -> Result<[f64; STEPS], EncodeError> {
    let shape = src.shape();
    let mut room = Vec::new();
    let src = &squeeze(src, &mut room);
    let lapped = Lapped::<T>::new(shape, goal.least);
    let grid = BlockGrid::new(lapped.shape, lapped::block(shape), false);
    let mut tiles = tiles(&lapped, &grid, src, goal.loudness, par)?;
    let mut sums = [0.0; STEPS];
    let mut each = 1;
    if src.points() >= FEW {
        let floor = 0.02 * goal.most / tiles.len() as f64;
        // With what lies round them, every value was counted up to eight times.
        let quiet: f64 = tiles.iter().map(|t| t.energy).filter(|e| *e < floor).sum();
        sums = [quiet / 8.0; STEPS];
        tiles.retain(|t| t.energy >= floor);
        let wanted = SAMPLE.1.max(SAMPLE.0 / lapped.tile());
        each = (tiles.len() / wanted).clamp(1, 16);
    }
    tiles.sort_by(|a, b| b.energy.total_cmp(&a.energy).then((a.row, a.at).cmp(&(b.row, b.at))));
    let all = tiles.len();
    let sample: Vec<Tile> = tiles.into_iter().skip(each / 2).step_by(each).collect();
    let found: Vec<OnceLock<[f64; STEPS]>> = sample.iter().map(|_| OnceLock::new()).collect();
    run_once(par, sample.len(), |i| {
        let _ = found[i].set(float_mode::with_default(|| errors_of(&lapped, &grid, src, sample[i])));
    })
    .map_err(|missing| EncodeError::Schedule { missing, total: sample.len() })?;
    let weight = all as f64 / sample.len().max(1) as f64;
    for errors in found.into_iter().filter_map(OnceLock::into_inner) {
        sums.iter_mut().zip(errors).for_each(|(sum, e)| *sum += weight * e);
    }
    Ok(sums)
}

/// All tiles, and about how loud they are.
fn tiles<T: Element>(
    lapped: &Lapped<T>,
    grid: &BlockGrid,
    src: &View<'_, T>,
    loudness: Option<&Loudness>,
    par: &dyn Parallel,
) -> Result<Vec<Tile>, EncodeError> {
    let rows: Vec<OnceLock<Vec<Tile>>> = (0..grid.count()).map(|_| OnceLock::new()).collect();
    run_once(par, rows.len(), |row| {
        let (origin, extent) = grid.bounds(row);
        let length = lapped.tile_length();
        let tile = |at: usize| {
            let from = [origin[0], origin[1], origin[2] + at * length];
            let size = [extent[0], extent[1], length.min(extent[2] - at * length)];
            let energy = match loudness {
                Some(loudness) => loudness.of_tile(lapped, origin, extent[2], at),
                None => energy(lapped, &src.part(from, size)),
            };
            Tile { row, at, energy }
        };
        let tiles = (0..extent[2].div_ceil(length)).map(tile);
        let _ = rows[row].set(float_mode::with_default(|| tiles.collect()));
    })
    .map_err(|missing| EncodeError::Schedule { missing, total: grid.count() })?;
    Ok(rows.into_iter().filter_map(OnceLock::into_inner).flatten().collect())
}

/// Sum of the squares of a box in units of the square of the step, from some of its rows.
fn energy<T: Element>(lapped: &Lapped<T>, part: &View<'_, T>) -> f64 {
    let [n0, n1, _] = part.shape();
    let apart = (n0 * n1).div_ceil(32);
    let rows = (0..n0 * n1).step_by(apart);
    let (sum, count) = rows.fold((0.0, 0), |(sum, count), r| {
        let (i, j) = (r / n1, (r % n1 + 11 * (r / n1)) % n1);
        let row = part.row(i, j).iter().map(|x| (x.to_f64() / lapped.step).powi(2)).sum::<f64>();
        (sum + row, count + 1)
    });
    sum * (n0 * n1) as f64 / f64::from(count)
}

/// The errors of a tile, which needs its neighbours along the last axis for the folds.
fn errors_of<T: Element>(
    lapped: &Lapped<T>,
    grid: &BlockGrid,
    src: &View<'_, T>,
    tile: Tile,
) -> [f64; STEPS] {
    let ([x, y, z], [_, _, length]) = grid.bounds(tile.row);
    let (window, tiles) = lapped.window_of(tile.at..tile.at + 1, length);
    native::lapped_errors(lapped, src, [x, y, z + window.start], window.len(), tiles)
}

/// The factor f for which an error of `sums[k]` at 2^k, in between by a parabola in log f through three of them, is `most`.
/// A little less, for what the sample and the parabola take.
fn widest(sums: &[f64; STEPS], most: f64) -> f64 {
    let log = |k: usize| (sums[k] / most).max(1e-30).log2();
    let Some(above) = (1..STEPS).find(|k| log(*k) > 0.0) else { return pow2(STEPS as i32 - 1) };
    let middle = above.min(STEPS - 2);
    let (l, m, r) = (log(middle - 1), log(middle), log(middle + 1));
    let parabola = |t: f64| m + t * (r - l) / 2.0 + t * t * (r - 2.0 * m + l) / 2.0;
    let (mut low, mut high) = if above > middle { (0.0, 1.0) } else { (-1.0, 0.0) };
    for _ in 0..40 {
        let t = (low + high) / 2.0;
        if parabola(t) > 0.0 { high = t } else { low = t }
    }
    few_digits((middle as f64 + low).exp2() / widening(SAMPLED))
}
