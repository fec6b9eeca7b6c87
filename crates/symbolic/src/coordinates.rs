//! Coordinates of sparse points, in the forms users have them.

use crate::{Dim, Result, SymbolicError};

/// A list of points: `[[x, y], ..]`, a slice or `Vec` of arrays, or a `Vec<Vec<f64>>`.
pub trait Coordinates {
    /// The points, one list of coordinates each.
    fn points(self) -> Vec<Vec<f64>>;
}

impl<C: IntoIterator> Coordinates for C
where
    C::Item: AsRef<[f64]>,
{
    fn points(self) -> Vec<Vec<f64>> {
        self.into_iter().map(|point| point.as_ref().to_vec()).collect()
    }
}

/// Checks points against the rank of their grid and lays them out row by row.
pub(crate) fn flatten(name: &str, rank: usize, points: &[Vec<f64>]) -> Result<Vec<f64>> {
    let mut flat = Vec::with_capacity(points.len() * rank);
    for (point, values) in points.iter().enumerate() {
        let name = || name.to_owned();
        if values.len() != rank {
            return Err(SymbolicError::CoordinateRank { name: name(), point, found: values.len(), rank });
        }
        if let Some(i) = values.iter().position(|value| !value.is_finite()) {
            let (dim, value) = (Dim::Space(i).name(), values[i]);
            return Err(SymbolicError::CoordinateNotFinite { name: name(), point, dim, value });
        }
        flat.extend(values);
    }
    Ok(flat)
}

/// The same point a number of times.
pub(crate) fn repeat(name: &str, point: &[f64], points: usize) -> Result<Vec<f64>> {
    let mut flat = Vec::new();
    let reserved = points.checked_mul(point.len()).map(|len| flat.try_reserve_exact(len));
    if !matches!(reserved, Some(Ok(()))) {
        return Err(SymbolicError::SparseTooLarge { name: name.into(), points });
    }
    (0..points).for_each(|_| flat.extend(point));
    Ok(flat)
}
