//! Dimensions of the iteration space.

use std::fmt;

/// A dimension that can be differentiated or shifted along.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dim {
    /// Time, printed `t`; one step is `dt`.
    Time,
    /// A space dimension by storage position: 0 is `x`, 1 is `y`, 2 is `z`; one step is `h_x`, `h_y`, `h_z`.
    Space(usize),
}

impl Dim {
    /// The first space dimension.
    pub const X: Self = Self::Space(0);
    /// The second space dimension.
    pub const Y: Self = Self::Space(1);
    /// The third space dimension.
    pub const Z: Self = Self::Space(2);

    /// The printed name: `t`, `x`, `y` or `z`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Time => "t",
            Self::Space(0) => "x",
            Self::Space(1) => "y",
            Self::Space(2) => "z",
            Self::Space(_) => "?",
        }
    }

    /// The printed name of one step along the dimension: `dt`, `h_x`, `h_y` or `h_z`.
    #[must_use]
    pub fn step_name(self) -> &'static str {
        match self {
            Self::Time => "dt",
            Self::Space(0) => "h_x",
            Self::Space(1) => "h_y",
            Self::Space(2) => "h_z",
            Self::Space(_) => "h_?",
        }
    }
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
