//! Where a function lives between the nodes of its grid.

use crate::Dim;

/// Where the values of a function lie.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Stagger {
    /// At the nodes.
    #[default]
    Node,
    /// In the middle of the cells: half a spacing up in every dimension.
    Cell,
    /// Half a spacing up in these dimensions.
    Dims(Vec<Dim>),
}

impl Stagger {
    /// Per dimension of a grid of `rank` dimensions: whether the values lie half a spacing up.
    pub(crate) fn halves(&self, rank: usize) -> [bool; 3] {
        match self {
            Self::Node => [false; 3],
            Self::Cell => [0, 1, 2].map(|d| d < rank),
            Self::Dims(dims) => [0, 1, 2].map(|d| d < rank && dims.contains(&Dim::Space(d))),
        }
    }
}

impl From<Dim> for Stagger {
    fn from(dim: Dim) -> Self {
        Self::Dims(vec![dim])
    }
}

impl<const N: usize> From<[Dim; N]> for Stagger {
    fn from(dims: [Dim; N]) -> Self {
        Self::Dims(dims.to_vec())
    }
}

/// How a function is taken to a place where it does not live: a mean of its 2, 4 or 8 neighbours there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Average {
    /// `(a + b)/2`
    #[default]
    Arithmetic,
    /// `2/(1/a + 1/b)`: for moduli, where a vanishing one must win.
    Harmonic,
}
