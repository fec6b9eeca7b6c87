//! What tests compute with instead of a compiler: plain loops over arrays that are 0 around, as functions are in their
//! halo.

use ndarray::{ArrayD, IxDyn};

/// What a field is at any point.
pub type Value<'a> = &'a dyn Fn(&[i64]) -> f64;

/// A value of an array, 0 outside.
pub fn at(a: &ArrayD<f64>, index: &[i64]) -> f64 {
    let index: Option<Vec<usize>> = index.iter().map(|i| usize::try_from(*i).ok()).collect();
    index.and_then(|i| a.get(IxDyn(&i)).copied()).unwrap_or(0.0)
}

/// The array of a value at all points.
pub fn each(shape: &[usize], mut value: impl FnMut(&[i64]) -> f64) -> ArrayD<f64> {
    ArrayD::from_shape_fn(IxDyn(shape), |i| {
        let index: Vec<i64> = (0..shape.len()).map(|d| i[d] as i64).collect();
        value(&index)
    })
}

/// Sets an array at the points of a box: per dimension the first point, and the point after the last.
pub fn set(a: &mut ArrayD<f64>, part: &[(i64, i64)], mut value: impl FnMut(&[i64], f64) -> f64) {
    for (i, v) in a.indexed_iter_mut() {
        let index: Vec<i64> = (0..part.len()).map(|d| i[d] as i64).collect();
        if index.iter().zip(part).all(|(i, (from, to))| i >= from && i < to) {
            *v = value(&index, *v);
        }
    }
}

/// The point `k` further along a dimension.
pub fn along(index: &[i64], dim: usize, k: i64) -> Vec<i64> {
    let mut index = index.to_vec();
    index[dim] += k;
    index
}

/// A weighted sum of a value at points along a dimension.
pub fn stencil(value: Value, index: &[i64], dim: usize, weights: &[(i64, f64)]) -> f64 {
    weights.iter().map(|(k, w)| w * value(&along(index, dim, *k))).sum()
}

/// The weight of a grid point in the linear interpolation at a position in points of the grid; 0 for a position outside.
pub fn linear(position: &[f64], shape: &[usize], index: &[i64]) -> f64 {
    let inside = position.iter().zip(shape).all(|(p, n)| *p >= 0.0 && *p <= (*n - 1) as f64);
    let axes = position.iter().zip(index).map(|(p, i)| (1.0 - (p - *i as f64).abs()).max(0.0));
    if inside { axes.product() } else { 0.0 }
}
