//! What is known of a slice before it is coded: extremes, finiteness, amplitude.
//!
//! Partial results are per piece of the shape, never per thread, and are combined in order.

use std::ops::Range;
use std::sync::OnceLock;

use crate::format::BlockGrid;
use crate::lapped::{Lapped, support};
use crate::parallel::run_once;
use crate::scale::{exponent, pow2};
use crate::{Element, EncodeError, Parallel, View, float_mode, native};

/// Smallest and largest value of a slice.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extremes {
    pub(crate) min: f64,
    pub(crate) max: f64,
    /// Sum of the squares, if asked for; may over- or underflow.
    squares: Option<f64>,
}

impl Extremes {
    /// Of no values.
    pub(crate) const NONE: Extremes = Self::new(f64::INFINITY, f64::NEG_INFINITY);

    pub(crate) const fn new(min: f64, max: f64) -> Self {
        Extremes { min, max, squares: None }
    }

    pub(crate) fn include(&mut self, more: &Extremes) {
        (self.min, self.max) = (self.min.min(more.min), self.max.max(more.max));
    }

    pub(crate) fn largest(&self) -> f64 {
        self.max.max(-self.min)
    }
}

/// Maps every piece of the planes of `src`, the blocks of `grid`, in parallel, and returns the results in row-major order.
fn map_pieces<T: Element, R: Send + Sync>(
    src: &View<'_, T>,
    grid: &BlockGrid,
    par: &dyn Parallel,
    piece: impl Fn(View<'_, T>) -> R + Sync,
) -> Result<Vec<R>, EncodeError> {
    let (per_chunk, chunks) = (grid.rows_per_chunk(), grid.chunks(grid.rows_per_chunk()));
    let results: Vec<OnceLock<Vec<R>>> = (0..chunks).map(|_| OnceLock::new()).collect();
    let body = |chunk: usize| {
        let part = float_mode::with_default(|| {
            let range = chunk * per_chunk..grid.count().min((chunk + 1) * per_chunk);
            range.map(|b| grid.bounds(b)).map(|(origin, extent)| piece(src.part(origin, extent))).collect()
        });
        let _ = results[chunk].set(part);
    };
    run_once(par, chunks, body).map_err(|missing| EncodeError::Schedule { missing, total: chunks })?;
    Ok(results.into_iter().filter_map(OnceLock::into_inner).flatten().collect())
}

/// Smallest and largest value, or the first one that is not finite. The squares, which [`rms`] needs, are cheapest while
/// a piece is in the cache.
pub(crate) fn extremes<T: Element>(
    src: &View<'_, T>,
    squares: bool,
    par: &dyn Parallel,
) -> Result<Extremes, EncodeError> {
    let pieces = map_pieces(src, &BlockGrid::rows(src.shape()), par, |piece| look_at(&piece, squares))?;
    combine(&pieces, squares).ok_or_else(|| first_not_finite(src))
}

/// The same with squares, and how loud the slice is where, for `lapped`. `None` where the last axis has one point, or no
/// other axis has more.
pub(crate) fn loudness<T: Element>(
    src: &View<'_, T>,
    par: &dyn Parallel,
) -> Result<Option<(Extremes, Loudness)>, EncodeError> {
    let view = src.without_middle();
    let [n0, n1, n2] = view.shape();
    if n1 == 1 || n2 == 1 {
        return Ok(None);
    }
    let size = Lapped::<T>::new([n0, n1, n2], 1.0).size;
    let halves = [(size[0] / 2).max(1), size[1] / 2];
    let grid = BlockGrid::new([n0, n1, n2], [halves[0], halves[1], n2], false);
    let pieces = map_pieces(&view, &grid, par, |piece| {
        let squares = native::loudness(&piece, size[2]);
        let [low, high] = native::extremes(&piece)?;
        let total = Some(squares.iter().sum());
        Some((Extremes { squares: total, ..Extremes::new(low.to_f64(), high.to_f64()) }, squares))
    })?;
    let extremes: Vec<_> = pieces.iter().map(|p| p.as_ref().map(|(extremes, _)| *extremes)).collect();
    let all = combine(&extremes, true).ok_or_else(|| first_not_finite(src))?;
    let squares = pieces.into_iter().flatten().flat_map(|(_, squares)| squares).collect();
    let [c0, c1, _] = grid.counts();
    let counts = [c0, c1, n2.div_ceil(size[2])];
    Ok(Some((all, Loudness { halves, width: size[2], counts, squares })))
}

fn look_at<T: Element>(piece: &View<'_, T>, squares: bool) -> Option<Extremes> {
    let sum = squares.then(|| native::squares(piece, [1.0; 2]));
    let [low, high] = native::extremes(piece)?;
    Some(Extremes { squares: sum, ..Extremes::new(low.to_f64(), high.to_f64()) })
}

/// Of all pieces; `None` where one has a value that is not finite.
fn combine(pieces: &[Option<Extremes>], squares: bool) -> Option<Extremes> {
    let (mut all, mut total) = (Extremes::NONE, 0.0);
    for piece in pieces {
        let piece = (*piece)?;
        all.include(&piece);
        total += piece.squares.unwrap_or(0.0);
    }
    Some(Extremes { squares: squares.then_some(total), ..all })
}

/// Sums of squares of boxes of a slice: half a block of `lapped` along the first two axes, a block along the last one.
#[derive(Debug)]
pub(crate) struct Loudness {
    halves: [usize; 2],
    width: usize,
    /// Boxes along each axis.
    counts: [usize; 3],
    squares: Vec<f64>,
}

impl Loudness {
    /// At most what the squares of the coefficients of a tile add up to, in units of the square of the step: folds and transforms
    /// keep the sum of the squares of what they are made of. The tile is that with a number in a row of blocks at `origin`
    /// with so many points along the last axis.
    pub(crate) fn of_tile<T>(
        &self,
        lapped: &Lapped<T>,
        origin: [usize; 3],
        length: usize,
        tile: usize,
    ) -> f64 {
        let [n0, n1, n2] = lapped.size;
        let (x, more0) = support(n0, lapped.shape[0], origin[0]);
        let (y, more1) = support(n1, lapped.shape[1], origin[1]);
        let (z, more2) = support(n2, length, tile * n2);
        let squares = self.squares([x, y, origin[2] + z.start..origin[2] + z.end]);
        (more0 * more1 * more2) as f64 * squares / lapped.step.powi(2)
    }

    /// At most what the squares of the values in a box add up to.
    fn squares(&self, area: [Range<usize>; 3]) -> f64 {
        let sizes = [self.halves[0], self.halves[1], self.width];
        let along = |a: usize| area[a].start / sizes[a]..area[a].end.div_ceil(sizes[a]);
        let rows = along(0).flat_map(|x| along(1).map(move |y| (x * self.counts[1] + y) * self.counts[2]));
        rows.map(|row| self.squares[row..][along(2)].iter().sum::<f64>()).sum()
    }
}

/// Extremes of some rows, by far not all; `None` when a value in them is not finite.
pub(crate) fn sample<T: Element>(src: &View<'_, T>) -> Option<Extremes> {
    let [n0, n1, n2] = src.shape();
    let apart = |n: usize| if n >= 64 { 6 } else { 1 + n / 16 };
    let (a0, a1) = (apart(n0), apart(n1));
    let mut all = Extremes::NONE;
    for i in (a0 / 2..n0).step_by(a0) {
        for j in (a1 / 2 + i / a0 % 2..n1).step_by(a1) {
            let [low, high] = native::extremes(&src.part([i, j, 0], [1, 1, n2]))?;
            all.include(&Extremes::new(low.to_f64(), high.to_f64()));
        }
    }
    Some(all)
}

fn first_not_finite<T: Element>(src: &View<'_, T>) -> EncodeError {
    let [n0, n1, _] = src.shape();
    let rows = (0..n0).flat_map(|i| (0..n1).map(move |j| (i, j)));
    let mut bad = rows.flat_map(|(i, j)| {
        src.row(i, j)
            .iter()
            .enumerate()
            .map(move |(k, x)| ([i, j, k], x.to_f64()))
            .filter(|(_, x)| !x.is_finite())
    });
    let (index, value) = bad.next().unwrap_or(([0; 3], f64::NAN));
    EncodeError::NotFinite { index, value }
}

/// RMS of the slice as (m, e), meaning m 2^e, so that neither the squares nor their sum over- or underflow.
pub(crate) fn rms<T: Element>(
    src: &View<'_, T>,
    extremes: &Extremes,
    par: &dyn Parallel,
) -> Result<(f64, i32), EncodeError> {
    let e = exponent(extremes.largest());
    let points = src.points() as f64;
    if let Some(sum) = extremes.squares
        && e.abs() < 400
    {
        return Ok(((sum / points).sqrt() * pow2(-e), e));
    }
    let factors = [pow2(-(e / 2)), pow2(-(e - e / 2))];
    let sums = map_pieces(src, &BlockGrid::rows(src.shape()), par, |piece| native::squares(&piece, factors))?;
    Ok(((sums.into_iter().sum::<f64>() / points).sqrt(), e))
}
