//! Sparse points as kernels see them: values, cells and weights.

use std::ffi::c_void;

use wavefold_codecs::{DType, Element};
use wavefold_ir::abi::SparseTable;
use wavefold_symbolic::SparseDecl;

use crate::data::{Data, array, count, each, with_type, zeros};
use crate::{Result, RuntimeError};

/// How far outside the domain a point may lie and still count as on its edge, relative to the edge's length
/// in cells: room for the rounding of `origin + i * spacing`.
const EDGE: f64 = 1e-9;

/// The values of one sparse function: `[steps, points]`, or `[points]` without time.
#[derive(Debug)]
pub struct SparseValues {
    name: String,
    points: usize,
    data: Data,
}

impl SparseValues {
    /// Zeros for a declared function.
    ///
    /// # Errors
    /// `memory::allocation`, `memory::too_large`.
    pub fn of(sparse: &SparseDecl) -> Result<SparseValues> {
        let shape: Vec<usize> = sparse.steps().into_iter().chain([sparse.points()]).collect();
        let what = format!("`{}`", sparse.name());
        let len = count(&shape, &what)?;
        let data = with_type!(sparse.dtype(), T => array(&shape, zeros::<T>(len, &what)?))?;
        Ok(SparseValues { name: sparse.name().into(), points: sparse.points(), data })
    }

    /// The values.
    #[must_use]
    pub fn data(&self) -> &Data {
        &self.data
    }

    /// Sets the values. With time, the data may also be `[points]`, the same at every step, or a wavelet
    /// `[steps]` when there is one point.
    ///
    /// # Errors
    /// `data::wrong_shape`.
    pub fn set(&mut self, data: &Data) -> Result<()> {
        let shape = self.data.shape().to_vec();
        let mut expected = vec![shape.clone()];
        if shape.len() == 2 {
            expected.push(vec![self.points]);
        }
        if shape.len() == 2 && self.points == 1 {
            expected.push(vec![shape[0]]);
        }
        if !expected.iter().any(|e| e == data.shape()) {
            let found = data.shape().to_vec();
            return Err(RuntimeError::WrongShape { name: self.name.clone(), expected, found });
        }
        with_type!(self.data.dtype(), T => {
            let source = data.row_major::<T>();
            // One row for all steps, or all values: `[steps]` of one point is the latter.
            if let Some(values) = self.values_mut::<T>() && !source.is_empty() {
                values.chunks_mut(source.len()).for_each(|row| row.copy_from_slice(&source));
            }
        });
        Ok(())
    }

    /// Sets all values to one number.
    pub fn fill(&mut self, value: f64) {
        with_type!(self.data.dtype(), T => {
            if let Some(values) = self.values_mut::<T>() {
                values.fill(T::from_f64(value));
            }
        });
    }

    /// The first value; row-major, steps outermost.
    pub(crate) fn pointer(&self) -> *const c_void {
        each!(&self.data, a => a.as_ptr().cast())
    }

    /// As [`pointer`](SparseValues::pointer), for writing.
    pub(crate) fn pointer_mut(&mut self) -> *mut c_void {
        each!(&mut self.data, a => a.as_mut_ptr().cast())
    }

    fn values_mut<T: Element>(&mut self) -> Option<&mut [T]> {
        if self.data.dtype() != T::DTYPE {
            return None;
        }
        let len = self.data.len();
        // SAFETY: the array is row-major (`of` makes it, nothing replaces it) and of type T, and borrowed
        // exclusively.
        Some(unsafe { std::slice::from_raw_parts_mut(self.pointer_mut().cast(), len) })
    }
}

/// Where sparse points lie between grid points: per point its `2^rank` corners, with weights.
///
/// Corner `k` lies one further along dimension `d` when bit `rank - 1 - d` of `k` is set.
#[derive(Clone, Debug, PartialEq)]
pub struct SparseTables {
    points: usize,
    cells: Vec<i32>,
    weights: Data,
}

impl SparseTables {
    /// Tables for points at `coordinates` (row-major, points by rank) of a grid.
    ///
    /// The cell is `floor((x - origin) / spacing)`, the weights are multilinear, both in double precision;
    /// weights are then rounded to `dtype`. All weights of a point outside the domain are 0, and so are those
    /// of corners outside.
    ///
    /// # Errors
    /// `memory::too_large`; `run::internal` when the lengths do not fit.
    pub fn new(
        shape: &[usize],
        spacing: &[f64],
        origin: &[f64],
        coordinates: &[f64],
        dtype: DType,
    ) -> Result<SparseTables> {
        let rank = shape.len();
        if rank == 0
            || spacing.len() != rank
            || origin.len() != rank
            || !coordinates.len().is_multiple_of(rank)
        {
            return Err(RuntimeError::internal("sparse coordinates of another rank than the grid"));
        }
        if shape.iter().any(|n| *n == 0 || i32::try_from(*n).is_err()) {
            return Err(RuntimeError::TooLarge {
                what: "a grid with sparse points".into(),
                shape: shape.to_vec(),
            });
        }
        let points = coordinates.len() / rank;
        let corners = 1_usize << rank;
        let (mut cells, mut weights) = (Vec::new(), Vec::new());
        let entries = points.saturating_mul(corners);
        if cells.try_reserve_exact(entries.saturating_mul(rank)).is_err()
            || weights.try_reserve_exact(entries).is_err()
        {
            let bytes = entries.saturating_mul(rank * size_of::<i32>() + size_of::<f64>());
            return Err(RuntimeError::Allocation { what: "the cells of sparse points".into(), bytes });
        }
        for at in coordinates.chunks_exact(rank) {
            let place = |d: usize| locate((at[d] - origin[d]) / spacing[d], shape[d]);
            let places: Option<Vec<(usize, f64)>> = (0..rank).map(place).collect();
            let within = places.is_some();
            let places = places.unwrap_or_else(|| vec![(0, 0.0); rank]);
            for k in 0..corners {
                let mut weight = if within { 1.0 } else { 0.0 };
                for (d, (cell, fraction)) in places.iter().enumerate() {
                    let far = k >> (rank - 1 - d) & 1;
                    let outside = cell + far >= shape[d];
                    weight *= match far {
                        _ if outside => 0.0,
                        0 => 1.0 - fraction,
                        _ => *fraction,
                    };
                    cells.push((cell + far).min(shape[d] - 1) as i32);
                }
                weights.push(weight);
            }
        }
        let weights =
            with_type!(dtype, T => Data::from(weights.iter().map(|w| T::from_f64(*w)).collect::<Vec<T>>()));
        Ok(SparseTables { points, cells, weights })
    }

    /// Tables for the points of a declared function, where they are now.
    ///
    /// # Errors
    /// As [`SparseTables::new`].
    pub fn of(sparse: &SparseDecl) -> Result<SparseTables> {
        let grid = sparse.grid();
        SparseTables::new(grid.shape(), grid.spacing(), grid.origin(), &sparse.coordinates(), sparse.dtype())
    }

    /// Number of points.
    #[must_use]
    pub fn points(&self) -> usize {
        self.points
    }

    /// Index of corner `k` of point `p` along dimension `d` at `[(p * 2^rank + k) * rank + d]`.
    #[must_use]
    pub fn cells(&self) -> &[i32] {
        &self.cells
    }

    /// Weight of corner `k` of point `p` at `[p * 2^rank + k]`.
    #[must_use]
    pub fn weights(&self) -> &Data {
        &self.weights
    }

    /// Number of points with no weight: they lie outside the domain, and are skipped.
    #[must_use]
    pub fn outside(&self) -> usize {
        let corners = self.weights.len() / self.points.max(1);
        let weights: Vec<f64> = self.weights.iter().collect();
        weights.chunks(corners.max(1)).filter(|w| w.iter().all(|w| *w == 0.0)).count()
    }

    /// Whether all cells lie in a grid of this shape.
    pub(crate) fn fit(&self, shape: &[usize]) -> bool {
        let mut corners = self.cells.chunks_exact(shape.len().max(1));
        corners.all(|c| c.iter().zip(shape).all(|(i, n)| usize::try_from(*i).is_ok_and(|i| i < *n)))
    }

    /// What a kernel takes, with the first of the values; the pointers live as long as the tables and values.
    pub(crate) fn table(&self, values: *mut c_void) -> SparseTable {
        SparseTable {
            points: self.points as i64,
            cells: self.cells.as_ptr(),
            weights: each!(&self.weights, a => a.as_ptr().cast()),
            values,
        }
    }
}

/// The cell and the fraction within it of a position in cells, in a dimension of `n` points; `None` outside.
fn locate(position: f64, n: usize) -> Option<(usize, f64)> {
    let end = (n - 1) as f64;
    let slack = EDGE * end.max(1.0);
    if !(position >= -slack && position <= end + slack) {
        return None;
    }
    let position = position.clamp(0.0, end);
    let cell = position.floor();
    Some((cell as usize, position - cell))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weights(tables: &SparseTables) -> Vec<f64> {
        tables.weights().iter().collect()
    }

    #[test]
    fn corners_and_weights_in_two_dimensions() {
        let t = SparseTables::new(&[4, 5], &[10.0, 2.0], &[100.0, -2.0], &[112.5, 1.0], DType::F64).unwrap();
        assert_eq!(t.cells(), [1, 1, 1, 2, 2, 1, 2, 2]);
        assert_eq!(weights(&t), [0.375, 0.375, 0.125, 0.125]);
        assert_eq!((t.points(), t.outside()), (1, 0));
    }

    #[test]
    fn the_domain_is_closed_and_tolerates_rounding() {
        let (n, h) = (4, 0.1);
        let at = [0.0, 3.0 * h, 0.3 * (1.0 + 1e-15), -1e-12, 0.3 + 1e-6, -1e-6, 0.15];
        let t = SparseTables::new(&[n], &[h], &[0.0], &at, DType::F64).unwrap();
        assert_eq!(&t.cells()[..8], [0, 1, 3, 3, 3, 3, 0, 1]);
        assert_eq!(&weights(&t)[..8], [1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0]);
        assert_eq!(&weights(&t)[8..12], [0.0; 4]);
        assert_eq!(t.outside(), 2);
        assert!((weights(&t)[12] - 0.5).abs() < 1e-12);
        assert!(t.cells().iter().all(|c| (0..n as i32).contains(c)));
    }

    #[test]
    fn a_dimension_of_one_point_and_far_points() {
        let at = [0.0, 5.0, 0.5, 5.5, 0.0, 1e300, 0.0, 8.0];
        let t = SparseTables::new(&[1, 9], &[1.0, 1.0], &[0.0, 0.0], &at, DType::F32).unwrap();
        assert_eq!(&weights(&t)[..4], [1.0, 0.0, 0.0, 0.0]);
        assert_eq!(&weights(&t)[4..12], [0.0; 8], "off the line, and far away");
        assert_eq!(&weights(&t)[12..], [1.0, 0.0, 0.0, 0.0]);
        assert_eq!(&t.cells()[24..], [0, 8, 0, 8, 0, 8, 0, 8]);
        assert_eq!(t.weights().dtype(), DType::F32);
    }

    #[test]
    fn no_points_and_wrong_lengths() {
        assert_eq!(SparseTables::new(&[3], &[1.0], &[0.0], &[], DType::F32).unwrap().outside(), 0);
        let error = SparseTables::new(&[3, 3], &[1.0, 1.0], &[0.0, 0.0], &[1.0], DType::F32).unwrap_err();
        assert_eq!(error.code(), "run::internal");
    }
}
