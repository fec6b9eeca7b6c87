//! What is known of a slice before it is coded: extremes, finiteness, amplitude.
//!
//! Partial results are per piece of the shape, never per thread, and are combined in order.

use std::sync::OnceLock;

use crate::format::BlockGrid;
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

/// Maps every piece of the planes of `src`, in parallel, and returns the results in row-major order.
fn map_pieces<T: Element, R: Send + Sync>(
    src: &View<'_, T>,
    par: &dyn Parallel,
    piece: impl Fn(View<'_, T>) -> R + Sync,
) -> Result<Vec<R>, EncodeError> {
    let grid = BlockGrid::rows(src.shape());
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
    let pieces = map_pieces(src, par, |piece| {
        let sum = if squares { native::squares(&piece, [1.0; 2]) } else { 0.0 };
        native::extremes(&piece).map(|extremes| (extremes, sum))
    })?;
    let (mut all, mut total) = (Extremes::NONE, 0.0);
    for piece in pieces {
        let Some(([low, high], sum)) = piece else { return Err(first_not_finite(src)) };
        all.include(&Extremes::new(low.to_f64(), high.to_f64()));
        total += sum;
    }
    Ok(Extremes { squares: squares.then_some(total), ..all })
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
    let sums = map_pieces(src, par, |piece| native::squares(&piece, factors))?;
    Ok(((sums.into_iter().sum::<f64>() / points).sqrt(), e))
}
