//! Sparse points as kernels see them: values, cells and weights.

use std::ffi::c_void;
use std::sync::{Arc, Mutex, OnceLock};

use wavefold_codecs::{DType, Element};
use wavefold_ir::abi::{PlaneLists, Planes, SparseTable};
use wavefold_symbolic::{Interpolation, PrecomputedWeights, SparseDecl};

use crate::data::{Data, array, count, each, row_major, with_type, zeros};
use crate::locks::lock;
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
        // One row for all steps, or all values: `[steps]` of one point is the latter.
        each!(data, source => {
            let source = row_major(source);
            each!(&mut self.data, values => for (v, s) in values.iter_mut().zip(source.iter().cycle()) {
                *v = Element::from_f64(s.to_f64());
            });
        });
        Ok(())
    }

    /// Sets all values to one number.
    pub fn fill(&mut self, value: f64) {
        each!(&mut self.data, values => values.fill(Element::from_f64(value)));
    }

    /// The first value; row-major, steps outermost.
    pub(crate) fn pointer(&self) -> *const c_void {
        each!(&self.data, a => a.as_ptr().cast())
    }

    /// As [`pointer`](SparseValues::pointer), for writing.
    pub(crate) fn pointer_mut(&mut self) -> *mut c_void {
        each!(&mut self.data, a => a.as_mut_ptr().cast())
    }
}

/// Where sparse points lie between grid points: per point (and step, for points that move) its corners, with weights.
///
/// Corners come in row-major order: the last dimension varies fastest.
#[derive(Clone, Debug, PartialEq)]
pub struct SparseTables {
    points: usize,
    corners: usize,
    cells: Vec<i32>,
    weights: Data,
    /// Corners and points by planes, for kernels that ask for it.
    planes: OnceLock<[PlaneLists; 2]>,
}

/// The grid points that tables refer to.
#[derive(Clone, Copy, Debug)]
pub struct Points<'a> {
    /// Number of points of the grid, per dimension.
    pub shape: &'a [usize],
    /// Distance of neighbouring points.
    pub spacing: &'a [f64],
    /// Position of the first point.
    pub origin: &'a [f64],
    /// Whether the values lie half a spacing up, per dimension.
    pub half: [bool; 3],
}

impl SparseTables {
    /// Tables for points at `coordinates` (row-major, points by rank).
    ///
    /// Along a dimension the position is `(x - origin)/spacing`, less 1/2 where the values lie half a spacing up. Weights
    /// are products over the dimensions, made in double precision and rounded to `dtype`: multilinear in the cell that
    /// holds the point, 1 at the nearest grid point, or a sinc in a Kaiser window (Hicks, 2002). All weights of a point
    /// outside the domain are 0, and so are those of corners outside.
    ///
    /// # Errors
    /// `memory::too_large`; `run::internal` when the lengths do not fit.
    pub fn new(
        grid: Points,
        coordinates: &[f64],
        interpolation: Interpolation,
        dtype: DType,
    ) -> Result<SparseTables> {
        let Points { shape, spacing, origin, half } = grid;
        let rank = shape.len();
        if !(1..=3).contains(&rank)
            || spacing.len() != rank
            || origin.len() != rank
            || !coordinates.len().is_multiple_of(rank)
        {
            return Err(RuntimeError::internal("sparse coordinates of another rank than the grid"));
        }
        let points = coordinates.len() / rank;
        let axis = |p: usize, d: usize| {
            let at = coordinates[p * rank + d];
            let position = (at - origin[d]) / spacing[d] - if half[d] { 0.5 } else { 0.0 };
            axis_weights(position, shape[d], half[d], interpolation)
        };
        SparseTables::fill(shape, points, interpolation.width(), dtype, axis)
    }

    fn fill(
        shape: &[usize],
        points: usize,
        width: usize,
        dtype: DType,
        axis: impl Fn(usize, usize) -> Axis,
    ) -> Result<SparseTables> {
        let rank = shape.len();
        if shape.iter().any(|n| *n == 0 || i32::try_from(*n).is_err()) {
            return Err(RuntimeError::TooLarge {
                what: "a grid with sparse points".into(),
                shape: shape.to_vec(),
            });
        }
        let corners = width.pow(rank as u32);
        let (mut cells, mut weights) = (Vec::new(), Vec::new());
        let entries = points.saturating_mul(corners);
        if cells.try_reserve_exact(entries.saturating_mul(rank)).is_err()
            || weights.try_reserve_exact(entries).is_err()
        {
            let bytes = entries.saturating_mul(rank * size_of::<i32>() + size_of::<f64>());
            return Err(RuntimeError::Allocation { what: "the cells of sparse points".into(), bytes });
        }
        for p in 0..points {
            let axes: Vec<Axis> = (0..rank).map(|d| axis(p, d)).collect();
            for k in 0..corners {
                let mut weight = 1.0;
                for (d, axis) in axes.iter().enumerate() {
                    let along = k / width.pow((rank - 1 - d) as u32) % width;
                    let index = axis.first.saturating_add(along as i64);
                    let inside = (0..shape[d] as i64).contains(&index);
                    weight *= if inside { axis.weights.get(along).copied().unwrap_or(0.0) } else { 0.0 };
                    cells.push(index.clamp(0, shape[d] as i64 - 1) as i32);
                }
                weights.push(weight);
            }
        }
        let weights =
            with_type!(dtype, T => Data::from(weights.iter().map(|w| T::from_f64(*w)).collect::<Vec<T>>()));
        Ok(SparseTables { points, corners, cells, weights, planes: OnceLock::new() })
    }

    /// Tables for the points of a declared function, where they are now, among values that lie half a spacing up in
    /// some dimensions; weights of the type of a program.
    ///
    /// # Errors
    /// As [`SparseTables::new`].
    ///
    /// They are made once, and again when the coordinates are replaced.
    pub fn of(sparse: &SparseDecl, half: [bool; 3], dtype: DType) -> Result<Arc<SparseTables>> {
        let (grid, coordinates) = (sparse.grid(), sparse.coordinates());
        let made = sparse.storage().get_or_init(TablesMade::default);
        let mut made = lock(&made.0);
        made.retain(|m| Arc::ptr_eq(&m.coordinates, &coordinates));
        if let Some(known) = made.iter().find(|m| m.half == half && m.dtype == dtype) {
            return Ok(known.tables.clone());
        }
        let points = Points { shape: grid.shape(), spacing: grid.spacing(), origin: grid.origin(), half };
        let tables = Arc::new(match (sparse.precomputed(), sparse.interpolation()) {
            (Some(given), Interpolation::Precomputed { width }) => {
                SparseTables::precomputed(grid.shape(), given, width, dtype)?
            }
            (_, interpolation) => SparseTables::new(points, &coordinates, interpolation, dtype)?,
        });
        made.push(Made { coordinates, half, dtype, tables: tables.clone() });
        Ok(tables)
    }

    /// Tables of weights of the user's own.
    ///
    /// # Errors
    /// As [`SparseTables::new`].
    pub fn precomputed(
        shape: &[usize],
        given: &PrecomputedWeights,
        width: usize,
        dtype: DType,
    ) -> Result<SparseTables> {
        let rank = shape.len();
        let axis = |p: usize, d: usize| {
            let at = p * rank + d;
            Axis { first: given.first[at], weights: given.weights[at * width..][..width].to_vec() }
        };
        SparseTables::fill(shape, given.first.len() / rank.max(1), width, dtype, axis)
    }

    /// Number of points; times the number of steps for points that move.
    #[must_use]
    pub fn points(&self) -> usize {
        self.points
    }

    /// Corners per point.
    #[must_use]
    pub fn corners(&self) -> usize {
        self.corners
    }

    /// Index of corner `k` of point `p` along dimension `d` at `[(p * corners + k) * rank + d]`.
    #[must_use]
    pub fn cells(&self) -> &[i32] {
        &self.cells
    }

    /// Weight of corner `k` of point `p` at `[p * corners + k]`.
    #[must_use]
    pub fn weights(&self) -> &Data {
        &self.weights
    }

    /// Number of points with no weight: they lie outside the domain, and are skipped.
    #[must_use]
    pub fn outside(&self) -> usize {
        let weights: Vec<f64> = self.weights.iter().collect();
        weights.chunks(self.corners).filter(|w| w.iter().all(|w| *w == 0.0)).count()
    }

    /// Whether all cells lie in a grid of this shape.
    pub(crate) fn fit(&self, shape: &[usize]) -> bool {
        let mut corners = self.cells.chunks_exact(shape.len().max(1));
        corners.all(|c| c.iter().zip(shape).all(|(i, n)| usize::try_from(*i).is_ok_and(|i| i < *n)))
    }

    /// What a kernel takes; the pointers live as long as the tables. With the shape of the grid, corners and points are sorted by
    /// planes.
    ///
    /// # Errors
    /// `memory::allocation`; `run::internal` for another shape than before.
    pub(crate) fn table(&self, shape: &[usize]) -> Result<SparseTable> {
        let lists = match shape {
            [] => [Planes::none(), Planes::none()],
            [planes, ..] => {
                if self.planes.get().is_none() {
                    let made = self.sorted(shape.len(), *planes).ok_or_else(|| {
                        let bytes = self.cells.len().saturating_mul(size_of::<[i64; 2]>());
                        RuntimeError::Allocation { what: "the planes of sparse points".into(), bytes }
                    })?;
                    // Another thread may have made the same meanwhile.
                    let _ = self.planes.set(made);
                }
                let made = self.planes.get().filter(|made| made[0].len() == *planes);
                let Some([corners, points]) = made else {
                    return Err(RuntimeError::internal("sparse points of another grid"));
                };
                [corners.planes(), points.planes()]
            }
        };
        let [corners, points] = lists;
        let weights = each!(&self.weights, a => a.as_ptr().cast());
        Ok(SparseTable { cells: self.cells.as_ptr(), weights, corners, points })
    }

    /// Corners with weight, and points, by planes; `None` without memory for them.
    fn sorted(&self, rank: usize, planes: usize) -> Option<[PlaneLists; 2]> {
        let weighted = |c: usize| each!(&self.weights, a => a.as_slice().is_some_and(|w| w[c] != 0.0));
        let corners = PlaneLists::corners(&self.cells, rank, planes, weighted)?;
        Some([corners, PlaneLists::points(&self.cells, rank, planes, self.corners)?])
    }
}

/// The tables of one function that were made so far.
#[derive(Default)]
struct TablesMade(Mutex<Vec<Made>>);

struct Made {
    coordinates: Arc<[f64]>,
    half: [bool; 3],
    dtype: DType,
    tables: Arc<SparseTables>,
}

/// Grid points along one dimension and their weights; none for a point outside.
struct Axis {
    first: i64,
    weights: Vec<f64>,
}

fn axis_weights(position: f64, n: usize, half: bool, interpolation: Interpolation) -> Axis {
    let Some((cell, fraction)) = locate(position, n, half) else { return Axis { first: 0, weights: vec![] } };
    match interpolation {
        Interpolation::Linear => Axis { first: cell, weights: vec![1.0 - fraction, fraction] },
        Interpolation::Nearest => Axis { first: cell + i64::from(fraction >= 0.5), weights: vec![1.0] },
        Interpolation::Sinc { radius } => {
            let first = cell - radius as i64 + 1;
            let weight = |k: usize| kaiser_sinc(k as f64 - (radius - 1) as f64 - fraction, radius);
            Axis { first, weights: (0..2 * radius).map(weight).collect() }
        }
        // Made from their own numbers, see `SparseTables::precomputed`.
        Interpolation::Precomputed { .. } => Axis { first: 0, weights: vec![] },
    }
}

/// `sinc(x)` in a Kaiser window of half width `radius`, `x` in grid points; 0 at all other grid points when it is 1 at
/// one. The window's shape is that of Hicks (2002, table 1: wavenumbers up to half of the Nyquist limit).
fn kaiser_sinc(x: f64, radius: usize) -> f64 {
    const SHAPE: [f64; 9] = [2.94, 4.53, 4.14, 5.26, 6.40, 7.51, 8.56, 9.56, 10.64];
    let shape = SHAPE[radius.clamp(2, 10) - 2];
    let within = 1.0 - (x / radius as f64).powi(2);
    if within < 0.0 {
        return 0.0;
    }
    let window = bessel_i0(shape * within.sqrt()) / bessel_i0(shape);
    let angle = std::f64::consts::PI * x;
    let sinc = if angle.abs() < 1e-12 { 1.0 } else { angle.sin() / angle };
    sinc * window
}

/// The modified Bessel function of order 0, by its power series (Abramowitz and Stegun, 1964, 9.6.12).
fn bessel_i0(x: f64) -> f64 {
    let quarter = x * x / 4.0;
    let (mut sum, mut term) = (1.0, 1.0);
    for k in 1..60 {
        term *= quarter / f64::from(k * k);
        sum += term;
    }
    sum
}

/// The grid point at or below a position, and the fraction beyond it; `None` outside the domain, which values half a
/// spacing up reach from -1/2 on.
fn locate(position: f64, n: usize, half: bool) -> Option<(i64, f64)> {
    let end = (n - 1) as f64;
    let slack = EDGE * end.max(1.0);
    let (low, high) = if half { (-0.5, end - 0.5) } else { (0.0, end) };
    if !(position >= low - slack && position <= high + slack) {
        return None;
    }
    let position = position.clamp(low, high);
    let cell = position.floor();
    Some((cell as i64, position - cell))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn linear(
        shape: &[usize],
        spacing: &[f64],
        origin: &[f64],
        at: &[f64],
        dtype: DType,
    ) -> Result<SparseTables> {
        let grid = Points { shape, spacing, origin, half: [false; 3] };
        SparseTables::new(grid, at, Interpolation::Linear, dtype)
    }

    fn weights(tables: &SparseTables) -> Vec<f64> {
        tables.weights().iter().collect()
    }

    #[test]
    fn corners_and_weights_in_two_dimensions() {
        let t = linear(&[4, 5], &[10.0, 2.0], &[100.0, -2.0], &[112.5, 1.0], DType::F64).unwrap();
        assert_eq!(t.cells(), [1, 1, 1, 2, 2, 1, 2, 2]);
        assert_eq!(weights(&t), [0.375, 0.375, 0.125, 0.125]);
        assert_eq!((t.points(), t.outside()), (1, 0));
    }

    #[test]
    fn the_domain_is_closed_and_tolerates_rounding() {
        let (n, h) = (4, 0.1);
        let at = [0.0, 3.0 * h, 0.3 * (1.0 + 1e-15), -1e-12, 0.3 + 1e-6, -1e-6, 0.15];
        let t = linear(&[n], &[h], &[0.0], &at, DType::F64).unwrap();
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
        let t = linear(&[1, 9], &[1.0, 1.0], &[0.0, 0.0], &at, DType::F32).unwrap();
        assert_eq!(&weights(&t)[..4], [1.0, 0.0, 0.0, 0.0]);
        assert_eq!(&weights(&t)[4..12], [0.0; 8], "off the line, and far away");
        assert_eq!(&weights(&t)[12..], [1.0, 0.0, 0.0, 0.0]);
        assert_eq!(&t.cells()[24..], [0, 8, 0, 8, 0, 8, 0, 8]);
        assert_eq!(t.weights().dtype(), DType::F32);
    }

    #[test]
    fn no_points_and_wrong_lengths() {
        assert_eq!(linear(&[3], &[1.0], &[0.0], &[], DType::F32).unwrap().outside(), 0);
        let error = linear(&[3, 3], &[1.0, 1.0], &[0.0, 0.0], &[1.0], DType::F32).unwrap_err();
        assert_eq!(error.code(), "run::internal");
    }

    #[test]
    fn the_nearest_point_and_values_half_a_spacing_up() {
        let grid = Points { shape: &[4], spacing: &[2.0], origin: &[0.0], half: [false; 3] };
        let t = SparseTables::new(grid, &[2.9, 3.0, 6.0, 7.0], Interpolation::Nearest, DType::F64).unwrap();
        assert_eq!((t.cells(), weights(&t)), (&[1, 2, 3, 0][..], vec![1.0, 1.0, 1.0, 0.0]));
        // The values lie at 1, 3, 5, 7: the first half cell has one neighbour alone.
        let grid = Points { half: [true, false, false], ..grid };
        let t = SparseTables::new(grid, &[2.0, 0.5, 6.0], Interpolation::Linear, DType::F64).unwrap();
        assert_eq!(t.cells(), [0, 1, 0, 0, 2, 3]);
        assert_eq!(weights(&t), [0.5, 0.5, 0.0, 0.75, 0.5, 0.5]);
    }

    #[test]
    fn a_sinc_is_exact_at_grid_points_and_reproduces_waves() {
        let grid = Points { shape: &[40], spacing: &[1.0], origin: &[0.0], half: [false; 3] };
        let sinc = Interpolation::Sinc { radius: 4 };
        let t = SparseTables::new(grid, &[20.0, 17.3, 1.5], sinc, DType::F64).unwrap();
        let w = weights(&t);
        assert!((w[3] - 1.0).abs() < 1e-15 && w[..3].iter().chain(&w[4..8]).all(|w| w.abs() < 1e-15));
        // A wave of six points: to a fraction of a per cent.
        let wave = |x: f64| (2.0 * std::f64::consts::PI * x / 6.0).cos();
        let sum: f64 = (0..8).map(|k| w[8 + k] * wave(f64::from(t.cells()[8 + k]))).sum();
        assert!((sum - wave(17.3)).abs() < 5e-3, "{sum} is not {}", wave(17.3));
        assert_eq!(w[16..18], [0.0; 2], "corners outside have no weight");
    }
}
