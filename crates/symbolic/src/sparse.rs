//! Functions on points that need not lie on the grid: sources and receivers.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::panic::Location;
use std::sync::{Arc, PoisonError, RwLock};

use crate::function::next_id;
use crate::{
    Coordinates, DType, Equation, EquationKind, Expr, Grid, IntoExpr, Result, Storage, SymbolicError,
    coordinates, identifier,
};

/// How values travel between points and the grid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Interpolation {
    /// Multilinear weights on the corners of the cell that holds the point.
    #[default]
    Linear,
    /// The nearest grid point alone; halfway between two, the one further along.
    Nearest,
    /// A sinc function in a Kaiser window of `2*radius` grid points along each dimension (Hicks, 2002): exact to
    /// high wavenumbers for a point anywhere between grid points.
    Sinc {
        /// Half the width of the window in grid points, 2 to 10; Hicks recommends 4.
        radius: usize,
    },
    /// Weights of the user's own, see [`SparseFunctionBuilder::weights`].
    Precomputed {
        /// Grid points along one dimension.
        width: usize,
    },
}

/// Where points lie between grid points, given instead of coordinates.
#[derive(Debug)]
pub struct PrecomputedWeights {
    /// Index of the first grid point along each dimension: points by rank, row-major.
    pub first: Vec<i64>,
    /// Weights along each dimension: points by rank by width, row-major.
    pub weights: Vec<f64>,
}

impl Interpolation {
    /// Grid points along one dimension that take part in one value.
    #[must_use]
    pub fn width(self) -> usize {
        match self {
            Self::Nearest => 1,
            Self::Linear => 2,
            Self::Sinc { radius } => 2 * radius,
            Self::Precomputed { width } => width,
        }
    }
}

/// The declaration of a sparse function, shared by all its handles.
#[derive(Debug)]
pub struct SparseDecl {
    id: u64,
    name: String,
    grid: Grid,
    dtype: DType,
    points: usize,
    steps: Option<usize>,
    interpolation: Interpolation,
    moving: bool,
    coordinates: RwLock<Arc<[f64]>>,
    precomputed: Option<PrecomputedWeights>,
    storage: Storage,
}

impl SparseDecl {
    /// A number no other declaration of this process has.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The grid that gives the points their meaning.
    #[must_use]
    pub fn grid(&self) -> &Grid {
        &self.grid
    }

    /// The element type.
    #[must_use]
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The number of points; 0 is legal.
    #[must_use]
    pub fn points(&self) -> usize {
        self.points
    }

    /// The number of samples in time, if it has any.
    #[must_use]
    pub fn steps(&self) -> Option<usize> {
        self.steps
    }

    /// How values travel between points and the grid.
    #[must_use]
    pub fn interpolation(&self) -> Interpolation {
        self.interpolation
    }

    /// Whether the points move: then there are coordinates for each sample in time.
    #[must_use]
    pub fn is_moving(&self) -> bool {
        self.moving
    }

    /// The coordinates: row-major, points by rank (steps by points by rank for points that move), in the unit of the
    /// grid's spacing. The same allocation until they are replaced.
    #[must_use]
    pub fn coordinates(&self) -> Arc<[f64]> {
        self.coordinates.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Its weights, when they are not made from coordinates.
    #[must_use]
    pub fn precomputed(&self) -> Option<&PrecomputedWeights> {
        self.precomputed.as_ref()
    }

    /// Replaces the coordinates; runs already under way keep the old ones.
    ///
    /// # Errors
    /// `sparse::coordinate_count`, `sparse::coordinate_rank`, `sparse::not_finite`, `sparse::no_coordinates`; the old
    /// ones stay.
    pub fn set_coordinates(&self, coordinates: impl Coordinates) -> Result<()> {
        if self.precomputed.is_some() {
            return Err(SymbolicError::NoCoordinates { name: self.name.clone() });
        }
        let points = coordinates.points();
        let wanted = if self.moving { self.points * self.steps.unwrap_or(1) } else { self.points };
        if points.len() != wanted {
            let (name, found) = (self.name.clone(), points.len());
            return Err(SymbolicError::CoordinateCount { name, points: wanted, found });
        }
        let flat = coordinates::flatten(&self.name, self.grid.rank(), &points)?;
        *self.coordinates.write().unwrap_or_else(PoisonError::into_inner) = flat.into();
        Ok(())
    }

    /// The slot for its data.
    #[must_use]
    pub fn storage(&self) -> &Storage {
        &self.storage
    }
}

/// A handle of any kind of sparse function: what expressions hold.
///
/// Dereferences to the [declaration](SparseDecl). Handles are equal when they name the same declaration.
#[derive(Clone)]
pub struct SparseRef(Arc<SparseDecl>);

impl Deref for SparseRef {
    type Target = SparseDecl;

    fn deref(&self) -> &SparseDecl {
        &self.0
    }
}

impl PartialEq for SparseRef {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for SparseRef {}

impl std::hash::Hash for SparseRef {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.id.hash(state);
    }
}

/// Prints the function with its arguments: `src(t, p)`.
impl fmt::Display for SparseRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.expr())
    }
}

impl fmt::Debug for SparseRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A function of time on points: the wavelets of sources, the traces of receivers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SparseTimeFunction(SparseRef);

/// A function on points without time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SparseFunction(SparseRef);

/// Builder of a [`SparseTimeFunction`] or a [`SparseFunction`]: linear interpolation and the grid's
/// element type unless said otherwise.
#[must_use = "a builder makes nothing until `build`"]
pub struct SparseFunctionBuilder<H> {
    name: String,
    grid: Grid,
    dtype: DType,
    points: Option<usize>,
    steps: Option<usize>,
    interpolation: Interpolation,
    moving: bool,
    coordinates: Option<Vec<Vec<f64>>>,
    precomputed: Option<PrecomputedWeights>,
    handle: PhantomData<fn() -> H>,
}

impl<H> SparseFunctionBuilder<H> {
    fn new(name: String, grid: &Grid) -> Self {
        Self {
            name,
            grid: grid.clone(),
            dtype: grid.dtype(),
            points: None,
            steps: None,
            interpolation: Interpolation::Linear,
            moving: false,
            coordinates: None,
            precomputed: None,
            handle: PhantomData,
        }
    }

    /// The number of points. Left out, it is the number of coordinates.
    pub fn points(mut self, points: usize) -> Self {
        self.points = Some(points);
        self
    }

    /// Where the points are, in the unit of the grid's spacing. Left out, all lie at the grid's origin.
    pub fn coordinates(mut self, coordinates: impl Coordinates) -> Self {
        self.coordinates = Some(coordinates.points());
        self
    }

    /// How values travel between points and the grid.
    pub fn interpolation(mut self, interpolation: Interpolation) -> Self {
        self.interpolation = interpolation;
        self
    }

    /// Weights of the user's own instead of coordinates: for each point the indices of its `first` grid points, one per
    /// dimension, and in `weights` (points by rank by `width`, row-major) those of that grid point and the
    /// `width - 1` after it along each dimension. The weight of a grid point is the product over the dimensions; grid
    /// points outside the domain are passed over. Of a function that lives half a spacing up, grid point `i` is the
    /// value at `i + 1/2`.
    pub fn weights<F: AsRef<[i64]>>(
        mut self,
        width: usize,
        first: impl IntoIterator<Item = F>,
        weights: impl Into<Vec<f64>>,
    ) -> Self {
        let rank = self.grid.rank();
        let mut flat = Vec::new();
        for point in first {
            // A point of another rank makes the count wrong, which `build` reports.
            flat.extend_from_slice(point.as_ref());
        }
        self.points = self.points.or(Some(flat.len() / rank.max(1)));
        self.interpolation = Interpolation::Precomputed { width };
        self.precomputed = Some(PrecomputedWeights { first: flat, weights: weights.into() });
        self
    }

    /// The element type.
    pub fn dtype(mut self, dtype: DType) -> Self {
        self.dtype = dtype;
        self
    }

    fn check_weights(&self) -> Result<()> {
        let Interpolation::Precomputed { width } = self.interpolation else { return Ok(()) };
        let wrong = |reason: String| SymbolicError::SparseWeights { name: self.name.clone(), reason };
        let (rank, points) = (self.grid.rank(), self.points.unwrap_or(0));
        let Some(given) = &self.precomputed else {
            return Err(wrong("there are none".into()));
        };
        if !(1..=20).contains(&width) {
            return Err(wrong(format!("they reach over {width} grid points, not 1 to 20")));
        }
        if self.coordinates.is_some() {
            return Err(wrong("coordinates are given as well".into()));
        }
        if given.first.len() != points.saturating_mul(rank) {
            let found = given.first.len();
            return Err(wrong(format!(
                "{found} indices do not make {points} point(s) in {rank} dimension(s)"
            )));
        }
        if given.weights.len() != points.saturating_mul(rank).saturating_mul(width) {
            let found = given.weights.len();
            return Err(wrong(format!(
                "{found} are not {width} for each of {rank} dimension(s) of {points} point(s)"
            )));
        }
        match given.weights.iter().find(|w| !w.is_finite()) {
            Some(w) => Err(wrong(format!("one is {w}"))),
            None => Ok(()),
        }
    }

    fn declare(self) -> Result<SparseRef> {
        identifier::check(&self.name)?;
        self.grid.check()?;
        self.check_weights()?;
        if let Interpolation::Sinc { radius } = self.interpolation
            && !(2..=10).contains(&radius)
        {
            return Err(SymbolicError::SincRadius { name: self.name, radius });
        }
        let given = self.coordinates.as_ref().map(Vec::len);
        let times = if self.moving { self.steps.unwrap_or(1) } else { 1 };
        let points = self.points.or(given.map(|n| n / times)).unwrap_or(0);
        let rows = points.saturating_mul(times);
        let coordinates = match self.coordinates {
            Some(given) if given.len() != rows => {
                return Err(SymbolicError::CoordinateCount {
                    name: self.name,
                    points: rows,
                    found: given.len(),
                });
            }
            Some(given) => coordinates::flatten(&self.name, self.grid.rank(), &given)?,
            None => coordinates::repeat(&self.name, self.grid.origin(), rows)?,
        };
        let decl = SparseDecl {
            id: next_id(),
            name: self.name,
            grid: self.grid,
            dtype: self.dtype,
            points,
            steps: self.steps,
            interpolation: self.interpolation,
            moving: self.moving,
            coordinates: RwLock::new(coordinates.into()),
            precomputed: self.precomputed,
            storage: Storage::default(),
        };
        Ok(SparseRef(Arc::new(decl)))
    }
}

impl SparseFunctionBuilder<SparseTimeFunction> {
    /// Where the points are at each sample in time: those of sample 0 first. The number of points is that of the
    /// coordinates over that of the samples.
    pub fn moving_coordinates(mut self, coordinates: impl Coordinates) -> Self {
        self.coordinates = Some(coordinates.points());
        self.moving = true;
        self
    }

    /// The number of samples in time; sample `n` belongs to step `n`.
    pub fn steps(mut self, steps: usize) -> Self {
        self.steps = Some(steps);
        self
    }

    /// Makes the function.
    ///
    /// # Errors
    /// The `grid::`, `name::` and `sparse::` codes.
    pub fn build(self) -> Result<SparseTimeFunction> {
        if self.steps.is_none_or(|steps| steps == 0) {
            return Err(SymbolicError::SparseSteps { name: self.name });
        }
        self.declare().map(SparseTimeFunction)
    }
}

impl SparseFunctionBuilder<SparseFunction> {
    /// Makes the function.
    ///
    /// # Errors
    /// The `grid::`, `name::` and `sparse::` codes.
    pub fn build(self) -> Result<SparseFunction> {
        self.declare().map(SparseFunction)
    }
}

impl SparseTimeFunction {
    /// The function at the next step, `src(t+1, p)`.
    #[must_use]
    pub fn forward(&self) -> Expr {
        self.expr().forward()
    }

    /// The function at the previous step, `src(t-1, p)`.
    #[must_use]
    pub fn backward(&self) -> Expr {
        self.expr().backward()
    }
}

macro_rules! handle {
    ($($handle:ident: $is_time:literal),*) => {$(
        impl $handle {
            /// Starts a sparse function of this name on a grid.
            #[allow(clippy::new_ret_no_self, reason = "the fluent form that users write")]
            pub fn new(name: impl Into<String>, grid: &Grid) -> SparseFunctionBuilder<Self> {
                SparseFunctionBuilder::new(name.into(), grid)
            }

            /// The handle again, if the function is of this kind.
            #[must_use]
            pub fn from_sparse(sparse: &SparseRef) -> Option<Self> {
                (sparse.steps.is_some() == $is_time).then(|| Self(sparse.clone()))
            }

            /// The handle that expressions hold.
            #[must_use]
            pub fn handle(&self) -> &SparseRef {
                &self.0
            }

            /// The statement that adds `value` at each point to `target` on the surrounding grid points.
            #[track_caller]
            #[must_use]
            pub fn inject(&self, target: impl IntoExpr, value: impl IntoExpr) -> Equation {
                let (target, value) = (target.expr(), value.expr());
                Equation::new(EquationKind::Inject { sparse: self.0.clone(), target, value })
            }

            /// The statements that add a value each to several targets.
            #[track_caller]
            #[must_use]
            pub fn inject_all<T: IntoExpr, V: IntoExpr>(
                &self,
                pairs: impl IntoIterator<Item = (T, V)>,
            ) -> Equation {
                let location = Location::caller();
                let members = pairs.into_iter().map(|(target, value)| {
                    let (sparse, target, value) = (self.0.clone(), target.expr(), value.expr());
                    Equation::at(EquationKind::Inject { sparse, target, value }, location)
                });
                Equation::new(EquationKind::Group(members.collect()))
            }

            /// The statement that sets this function at each point to `value` there.
            #[track_caller]
            #[must_use]
            pub fn interpolate(&self, value: impl IntoExpr) -> Equation {
                let value = value.expr();
                Equation::new(EquationKind::Interpolate { sparse: self.0.clone(), value, increment: false })
            }

            /// The statement that adds `value` at each point to this function.
            #[track_caller]
            #[must_use]
            pub fn interpolate_add(&self, value: impl IntoExpr) -> Equation {
                let value = value.expr();
                Equation::new(EquationKind::Interpolate { sparse: self.0.clone(), value, increment: true })
            }
        }

        impl Deref for $handle {
            type Target = SparseDecl;

            fn deref(&self) -> &SparseDecl {
                &self.0
            }
        }

        impl AsRef<SparseRef> for $handle {
            fn as_ref(&self) -> &SparseRef {
                &self.0
            }
        }

        impl From<&$handle> for SparseRef {
            fn from(handle: &$handle) -> Self {
                handle.0.clone()
            }
        }

        /// Prints the function with its arguments: `src(t, p)`.
        impl fmt::Display for $handle {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

handle!(SparseFunction: false, SparseTimeFunction: true);
