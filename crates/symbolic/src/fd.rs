//! Finite-difference weights, exact to the last bit of `f64`.
//!
//! These are the weights of B. Fornberg (1988), *Generation of finite difference formulas on arbitrarily
//! spaced grids*: the derivatives of the polynomial through the points. They are computed in integers and
//! rounded once at the end, and are those of a unit spacing: the caller divides by `h^degree`.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, ToPrimitive, Zero};

use crate::{Derivative, Dim, Result, Side, SymbolicError};

/// The points of a derivative on the index axis, one `(offset, weight)` each.
pub type Stencil = Vec<(i32, f64)>;

/// Dimension, degree, order, side, half points from the samples to the place of evaluation, transpose.
type Key = (Dim, u32, u32, Side, i32, bool);

/// Stencils are asked for again and again while an operator is built.
static CACHE: LazyLock<Mutex<HashMap<Key, Arc<Stencil>>>> = LazyLock::new(Mutex::default);

/// The offsets and weights of a derivative, ascending in offset, zero weights left out.
///
/// With `r = max(order/2, (degree+1)/2)` rounded down, a space derivative uses the `2r+1` points
/// `-r..=r`, shifted by one for [`Side::Left`] and [`Side::Right`]: `order + 1` points whenever the
/// order allows the degree at all, as in Devito, so that the stencil fits the halo. Its accuracy is
/// `order` for first and second derivatives and falls by 2 with every further two degrees.
/// An odd order, which needs a side, takes `order + 1` points, one more on that side than on the other: for order 1 the
/// point and its neighbour, the upwind difference.
/// In time, `Right` and `Left` are one-sided differences on `degree + order` points.
/// A derivative that is evaluated `x0` half points from its samples uses those points within `r` of that place: `order`
/// points halfway between two. Weights of the user stand as they are given. A transpose has every offset negated.
#[must_use]
pub fn stencil(derivative: &Derivative) -> Stencil {
    let Derivative { dim, degree, order, side, transpose, x0, ref weights, .. } = *derivative;
    if let Some(weights) = weights {
        let sign = if transpose { -1 } else { 1 };
        let mut given: Stencil = weights.iter().map(|(offset, w)| (sign * offset, *w)).collect();
        given.sort_by_key(|(offset, _)| *offset);
        return given;
    }
    // Space dimensions share their stencils.
    let dim = if dim == Dim::Time { dim } else { Dim::X };
    let key = (dim, degree, order, side, x0.unwrap_or(0), transpose);
    let mut cache = CACHE.lock().unwrap_or_else(PoisonError::into_inner);
    cache.entry(key).or_insert_with(|| Arc::new(compute(key))).as_ref().clone()
}

/// The widest reach of a derivative to either side, in points.
#[must_use]
pub fn radius(derivative: &Derivative) -> u32 {
    stencil(derivative).iter().map(|(offset, _)| offset.unsigned_abs()).max().unwrap_or(0)
}

fn compute((dim, degree, order, side, x0, transpose): Key) -> Stencil {
    let (degree, order) = (degree.min(MAX_ORDER), order.min(MAX_ORDER));
    let between = x0 % 2 != 0;
    let upwind = !order.is_multiple_of(2) && !between;
    let r = order.div_ceil(2).max((degree + u32::from(between)).div_ceil(2)) as i32;
    // The points within r of the place of evaluation.
    let (low, high) = ((x0 - 2 * r + 1).div_euclid(2), (x0 + 2 * r).div_euclid(2));
    let one_sided = (degree + order).saturating_sub(1) as i32;
    let (first, last) = match (dim, side) {
        (_, Side::Centered) => (low, high),
        (Dim::Time, Side::Left) => (-one_sided, 0),
        (Dim::Time, Side::Right) => (0, one_sided),
        // One point more upwind than downwind.
        (Dim::Space(_), Side::Left) if upwind => (low, high - 1),
        (Dim::Space(_), Side::Right) if upwind => (low + 1, high),
        (Dim::Space(_), Side::Left) => (low - 1, high - 1),
        (Dim::Space(_), Side::Right) => (low + 1, high + 1),
    };
    let offsets: Vec<i32> = (first..=last).collect();
    // Cannot fail: the offsets are distinct and outnumber the degree.
    let weights = weights(degree, &offsets, x0).unwrap_or_default();
    let mut stencil: Stencil =
        offsets.into_iter().zip(weights).filter(|(_, weight)| *weight != 0.0).collect();
    if transpose {
        stencil.iter_mut().for_each(|(offset, _)| *offset = -*offset);
        stencil.reverse();
    }
    stencil
}

/// Bounds the work on hand-made nodes; functions stop at 64.
const MAX_ORDER: u32 = 256;

/// Weights of the derivative of a degree on points at these offsets, in the order given.
///
/// The derivative is taken at `half_steps / 2`: 0 for the node itself, 1 for half a point to the right.
///
/// # Errors
/// `fd::nodes` if there are fewer than `degree + 1` distinct offsets, or one is given twice.
///
/// ```
/// use wavefold_symbolic::fd::weights;
/// assert_eq!(weights(2, &[-1, 0, 1], 0)?, [1.0, -2.0, 1.0]);
/// assert_eq!(weights(1, &[0, 1], 1)?, [-1.0, 1.0]);
/// # Ok::<(), wavefold_symbolic::SymbolicError>(())
/// ```
pub fn weights(degree: u32, offsets: &[i32], half_steps: i32) -> Result<Vec<f64>> {
    let mut distinct = offsets.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    if distinct.len() != offsets.len() || offsets.len() <= degree as usize {
        return Err(SymbolicError::FdNodes { degree, points: distinct.len() });
    }
    // In half steps from the evaluation point every node is an integer; a derivative of degree d on
    // points twice as far apart is 2^d times as large.
    let nodes: Vec<BigInt> =
        offsets.iter().map(|&offset| (2 * i64::from(offset) - i64::from(half_steps)).into()).collect();
    let scale = BigInt::one() << degree;
    Ok(lagrange(degree as usize, &nodes).iter().map(|weight| round(&(weight * &scale))).collect())
}

/// The derivatives of a degree at 0 of the Lagrange polynomials of distinct nodes.
///
/// Polynomial `j` is the product of `x - x[k]` over `k != j`, divided by its value at `x[j]`. The one
/// product over all nodes is divided by each `x - x[j]` in turn; the derivative is `degree!` times a coefficient.
fn lagrange(degree: usize, x: &[BigInt]) -> Vec<BigRational> {
    let mut all = vec![BigInt::one()];
    for node in x {
        // Coefficients ascend: multiply by the variable, then subtract `node` times the old product.
        all.insert(0, BigInt::zero());
        for i in 0..all.len() - 1 {
            let lower = node * &all[i + 1];
            all[i] -= lower;
        }
    }
    let factorial: BigInt = (1..=degree).product();
    let weight = |(j, node): (usize, &BigInt)| {
        let mut coefficient = BigInt::zero();
        for i in (degree + 1..all.len()).rev() {
            coefficient = &all[i] + node * coefficient;
        }
        let others = x.iter().enumerate().filter(|(k, _)| *k != j);
        let value: BigInt = others.map(|(_, other)| node - other).product();
        BigRational::new(&factorial * coefficient, value)
    };
    x.iter().enumerate().map(weight).collect()
}

/// The nearest `f64`.
fn round(weight: &BigRational) -> f64 {
    const EXACT: i64 = 1 << 53;
    let small = |n: &BigInt| n.to_i64().filter(|n| (-EXACT..=EXACT).contains(n));
    match (small(weight.numer()), small(weight.denom())) {
        // Both are exact in f64, and IEEE division rounds once.
        (Some(n), Some(d)) => n as f64 / d as f64,
        _ => weight.to_f64().unwrap_or(f64::NAN),
    }
}
