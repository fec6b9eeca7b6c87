//! Boxes of a grid on which equations hold or functions are stored.

use std::fmt;
use std::sync::Arc;

use crate::{Dim, Grid, Result, SymbolicError, identifier};

/// What a subdomain takes of one dimension.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// All points.
    All,
    /// The first points.
    Left(usize),
    /// The last points.
    Right(usize),
    /// All but the first and the last points.
    Middle(usize, usize),
}

impl Part {
    /// First point, and the point after the last, among `n`.
    fn range(self, n: usize) -> (usize, usize) {
        match self {
            Self::All => (0, n),
            Self::Left(k) => (0, k.min(n)),
            Self::Right(k) => (n.saturating_sub(k), n),
            Self::Middle(left, right) => (left.min(n), n.saturating_sub(right).max(left.min(n))),
        }
    }

    /// The same part with other thicknesses: of the left and the right side.
    fn with(self, (left, right): (usize, usize)) -> Self {
        match self {
            Self::All => Self::All,
            Self::Left(_) => Self::Left(left),
            Self::Right(_) => Self::Right(right),
            Self::Middle(..) => Self::Middle(left, right),
        }
    }

    fn points(self) -> usize {
        match self {
            Self::All => 0,
            Self::Left(k) | Self::Right(k) => k,
            Self::Middle(left, right) => left.saturating_add(right),
        }
    }
}

/// A box of a grid: whole dimensions unless said otherwise.
///
/// ```
/// # use wavefold_symbolic::prelude::*;
/// let grid = Grid::new([100, 60]);
/// let surface = SubDomain::new("surface", &grid).left(Dim::Y, 1);
/// let inside = SubDomain::new("inside", &grid).interior();
/// assert_eq!(inside.to_string(), "inside[1:99, 1:59]");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct SubDomain(Arc<Decl>);

#[derive(Clone, Debug, PartialEq)]
struct Decl {
    name: String,
    grid: Grid,
    parts: [Part; 3],
    error: Option<SymbolicError>,
}

impl SubDomain {
    /// All of a grid, to be cut down.
    #[must_use]
    pub fn new(name: impl Into<String>, grid: &Grid) -> Self {
        Self(Arc::new(Decl { name: name.into(), grid: grid.clone(), parts: [Part::All; 3], error: None }))
    }

    /// The first `points` along a dimension.
    #[must_use]
    pub fn left(self, dim: Dim, points: usize) -> Self {
        self.part(dim, Part::Left(points))
    }

    /// The last `points` along a dimension.
    #[must_use]
    pub fn right(self, dim: Dim, points: usize) -> Self {
        self.part(dim, Part::Right(points))
    }

    /// All but the first `left` and the last `right` points along a dimension.
    #[must_use]
    pub fn middle(self, dim: Dim, left: usize, right: usize) -> Self {
        self.part(dim, Part::Middle(left, right))
    }

    /// All but the outermost points of every dimension.
    #[must_use]
    pub fn interior(self) -> Self {
        let dims = self.0.grid.dims();
        dims.into_iter().fold(self, |inside, dim| inside.middle(dim, 1, 1))
    }

    fn part(mut self, dim: Dim, part: Part) -> Self {
        let decl = Arc::make_mut(&mut self.0);
        match dim {
            Dim::Space(d) if d < decl.grid.rank().min(3) => {
                decl.parts[d] = part;
                let points = decl.grid.shape()[d];
                if part.points() > points && decl.error.is_none() {
                    decl.error = Some(SymbolicError::SubDomainTooThick {
                        name: decl.name.clone(),
                        dim: dim.name(),
                        thickness: part.points(),
                        points,
                    });
                }
            }
            _ => {
                decl.error.get_or_insert(SymbolicError::SubDomainDimension {
                    name: decl.name.clone(),
                    dim: dim.name(),
                });
            }
        }
        self
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The grid.
    #[must_use]
    pub fn grid(&self) -> &Grid {
        &self.0.grid
    }

    /// What it takes of each dimension.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.0.parts[..self.0.grid.rank().min(3)]
    }

    /// Per dimension: the first point, and the point after the last.
    #[must_use]
    pub fn bounds(&self) -> Vec<(usize, usize)> {
        self.bounds_with(&|_| None)
    }

    /// The bounds with other thicknesses (left and right) in some dimensions.
    #[must_use]
    pub fn bounds_with(&self, thickness: &dyn Fn(usize) -> Option<(usize, usize)>) -> Vec<(usize, usize)> {
        let part = |(d, part): (usize, &Part)| {
            let part = thickness(d).map_or(*part, |t| part.with(t));
            part.range(self.0.grid.shape()[d])
        };
        self.parts().iter().enumerate().map(part).collect()
    }

    /// Reports what went wrong while it was made.
    ///
    /// # Errors
    /// The `subdomain::`, `name::` and `grid::` codes.
    pub fn check(&self) -> Result<()> {
        identifier::check(&self.0.name)?;
        self.0.grid.check()?;
        self.0.error.clone().map_or(Ok(()), Err)
    }
}

/// Prints the name with the bounds: `surface[0:100, 0:1]`.
impl fmt::Display for SubDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bounds: Vec<String> = self.bounds().iter().map(|(from, to)| format!("{from}:{to}")).collect();
        write!(f, "{}[{}]", self.name(), bounds.join(", "))
    }
}
