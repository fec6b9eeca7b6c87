//! Regular grids.

use std::sync::Arc;

use crate::{DType, Dim, Expr, Node, Result, SymbolicError};

/// A regular grid of one to three dimensions.
///
/// Point `i` of a dimension lies at `origin + i * spacing`. Building never fails: what is wrong is
/// reported by the first function built on the grid, and by [`Grid::check`].
///
/// ```
/// # use wavefold_symbolic::prelude::*;
/// let grid = Grid::new([101, 51]).with_spacing(10.0).with_origin([0.0, 20.0]);
/// assert_eq!(grid.extent(), [1000.0, 500.0]);
/// ```
#[derive(Clone, Debug)]
pub struct Grid(Arc<GridDecl>);

#[derive(Clone, Debug)]
struct GridDecl {
    shape: Vec<usize>,
    spacing: Vec<f64>,
    origin: Vec<f64>,
    dtype: DType,
    error: Option<SymbolicError>,
}

/// One value per dimension, or one for all: `10.0`, `[10.0, 5.0]`, a `Vec` or a slice.
pub trait PerDimension {
    /// The values for a grid of `rank` dimensions; the length is checked by the caller.
    fn values(self, rank: usize) -> Vec<f64>;
}

impl PerDimension for f64 {
    fn values(self, rank: usize) -> Vec<f64> {
        vec![self; rank]
    }
}

impl<const N: usize> PerDimension for [f64; N] {
    fn values(self, _: usize) -> Vec<f64> {
        self.to_vec()
    }
}

impl PerDimension for Vec<f64> {
    fn values(self, _: usize) -> Vec<f64> {
        self
    }
}

impl PerDimension for &[f64] {
    fn values(self, _: usize) -> Vec<f64> {
        self.to_vec()
    }
}

impl PerDimension for &Vec<f64> {
    fn values(self, _: usize) -> Vec<f64> {
        self.clone()
    }
}

impl Grid {
    /// A grid with this many points per dimension, unit spacing, origin 0, and `f32` functions.
    #[must_use]
    pub fn new(shape: impl Into<Vec<usize>>) -> Self {
        let shape = shape.into();
        let rank = shape.len();
        let error = check_shape(&shape).err();
        Self(Arc::new(GridDecl {
            shape,
            spacing: vec![1.0; rank],
            origin: vec![0.0; rank],
            dtype: DType::F32,
            error,
        }))
    }

    /// Sets the distance of neighbouring points, in the user's unit of length.
    #[must_use]
    pub fn with_spacing(self, spacing: impl PerDimension) -> Self {
        self.change(|grid| {
            let spacing = grid.expect_rank("spacing", spacing)?;
            for (i, &value) in spacing.iter().enumerate() {
                if !value.is_finite() || value <= 0.0 {
                    return Err(SymbolicError::GridSpacing { dim: Dim::Space(i).name(), value });
                }
            }
            grid.spacing = spacing;
            Ok(())
        })
    }

    /// Sets the distance from the first to the last point: `spacing * (points - 1)`.
    #[must_use]
    pub fn with_extent(self, extent: impl PerDimension) -> Self {
        self.change(|grid| {
            let extent = grid.expect_rank("extent", extent)?;
            for (i, &value) in extent.iter().enumerate() {
                let points = grid.shape[i];
                if points == 1 && value == 0.0 {
                    continue;
                }
                let spacing = value / (points.max(1) - 1) as f64;
                if !spacing.is_finite() || spacing <= 0.0 {
                    return Err(SymbolicError::GridExtent { dim: Dim::Space(i).name(), value, points });
                }
                grid.spacing[i] = spacing;
            }
            Ok(())
        })
    }

    /// Sets the position of the first point.
    #[must_use]
    pub fn with_origin(self, origin: impl PerDimension) -> Self {
        self.change(|grid| {
            let origin = grid.expect_rank("origin", origin)?;
            for (i, &value) in origin.iter().enumerate() {
                if !value.is_finite() {
                    return Err(SymbolicError::GridOrigin { dim: Dim::Space(i).name(), value });
                }
            }
            grid.origin = origin;
            Ok(())
        })
    }

    /// Sets the element type of functions that do not choose their own.
    #[must_use]
    pub fn with_dtype(self, dtype: DType) -> Self {
        self.change(|grid| {
            grid.dtype = dtype;
            Ok(())
        })
    }

    /// Applies a change to a grid of its own, keeping the first error.
    fn change(mut self, change: impl FnOnce(&mut GridDecl) -> Result<()>) -> Self {
        let grid = Arc::make_mut(&mut self.0);
        let outcome = change(grid);
        grid.error = grid.error.take().or(outcome.err());
        self
    }

    /// Points per dimension.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.0.shape
    }

    /// Distance of neighbouring points, per dimension.
    #[must_use]
    pub fn spacing(&self) -> &[f64] {
        &self.0.spacing
    }

    /// Distance from the first to the last point, per dimension.
    #[must_use]
    pub fn extent(&self) -> Vec<f64> {
        let lengths = self.shape().iter().zip(self.spacing());
        lengths.map(|(&n, h)| n.saturating_sub(1) as f64 * h).collect()
    }

    /// Position of the first point, per dimension.
    #[must_use]
    pub fn origin(&self) -> &[f64] {
        &self.0.origin
    }

    /// Element type of functions that do not choose their own.
    #[must_use]
    pub fn dtype(&self) -> DType {
        self.0.dtype
    }

    /// Number of dimensions.
    #[must_use]
    pub fn rank(&self) -> usize {
        self.0.shape.len()
    }

    /// Number of points.
    #[must_use]
    pub fn points(&self) -> usize {
        self.shape().iter().fold(1, |product, &n| product.saturating_mul(n))
    }

    /// The space dimensions in storage order.
    #[must_use]
    pub fn dims(&self) -> Vec<Dim> {
        (0..self.rank()).map(Dim::Space).collect()
    }

    /// The symbolic time step `dt`.
    #[must_use]
    pub fn dt(&self) -> Expr {
        Expr::from_node(Node::TimeStep)
    }

    /// The symbolic spacing along dimension `i`: `h_x`, `h_y` or `h_z`.
    #[must_use]
    pub fn h(&self, i: usize) -> Expr {
        Expr::from_node(Node::Spacing(i))
    }

    /// The index of the point along a dimension, as a number; of the step along [`Dim::Time`].
    #[must_use]
    pub fn index(&self, dim: Dim) -> Expr {
        Expr::from_node(Node::Index(dim))
    }

    /// The position of the node along a dimension: `origin + index*spacing`; the time `step*dt` along [`Dim::Time`].
    #[must_use]
    pub fn position(&self, dim: Dim) -> Expr {
        match dim {
            Dim::Time => self.index(dim) * self.dt(),
            Dim::Space(d) => {
                let origin = self.origin().get(d).copied().unwrap_or(0.0);
                self.index(dim) * self.h(d) + origin
            }
        }
    }

    /// Whether both grids have the same points, whoever made them.
    #[must_use]
    pub fn same_as(&self, other: &Self) -> bool {
        self == other
            || (self.shape() == other.shape()
                && self.spacing() == other.spacing()
                && self.origin() == other.origin())
    }

    /// Reports what went wrong while the grid was built.
    ///
    /// # Errors
    /// The `grid::` codes.
    pub fn check(&self) -> Result<()> {
        self.0.error.clone().map_or(Ok(()), Err)
    }
}

impl GridDecl {
    fn expect_rank(&self, what: &'static str, values: impl PerDimension) -> Result<Vec<f64>> {
        let rank = self.shape.len();
        let values = values.values(rank);
        if values.len() == rank {
            Ok(values)
        } else {
            Err(SymbolicError::GridValues { what, found: values.len(), rank })
        }
    }
}

fn check_shape(shape: &[usize]) -> Result<()> {
    if shape.is_empty() || shape.len() > 3 {
        return Err(SymbolicError::GridRank { rank: shape.len() });
    }
    if shape.contains(&0) {
        return Err(SymbolicError::GridEmpty { shape: shape.to_vec() });
    }
    // Room for the widest halo on both sides, in bytes of f64; indices are signed in generated code.
    let bytes = shape.iter().try_fold(8_usize, |bytes, &n| bytes.checked_mul(n.checked_add(128)?));
    match bytes {
        Some(bytes) if isize::try_from(bytes).is_ok() => Ok(()),
        _ => Err(SymbolicError::GridTooLarge { shape: shape.to_vec() }),
    }
}

/// Two handles are equal when they are the same grid; see [`Grid::same_as`] for the same points.
impl PartialEq for Grid {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Grid {}
