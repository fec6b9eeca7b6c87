use std::path::PathBuf;

use thiserror::Error;

/// What can be wrong with a velocity model or the file that holds it.
#[derive(Debug, Error)]
pub enum ModelError {
    /// The file could not be read or written.
    #[error("cannot access the model file `{}`: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A raw file carries no shape, and none was given.
    #[error("the raw model file `{}` needs a shape", path.display())]
    ShapeNeeded {
        /// The file.
        path: PathBuf,
    },
    /// The shape has no axis, an axis without points, or more points than can be addressed.
    #[error("the model shape {shape:?} is empty or too large")]
    BadShape {
        /// The shape asked for.
        shape: Vec<usize>,
    },
    /// The size of the file is not that of the shape.
    #[error(
        "the model file `{}` holds {found} bytes of samples, but the shape {shape:?} needs {expected} bytes",
        path.display()
    )]
    FileSize {
        /// The file.
        path: PathBuf,
        /// Points along each axis.
        shape: Vec<usize>,
        /// Bytes that the shape needs.
        expected: u64,
        /// Bytes that are there.
        found: u64,
    },
    /// A `.npy` file has another shape than the one asked for.
    #[error("the model file `{}` has the shape {found:?}, but {expected:?} was asked for", path.display())]
    ShapeMismatch {
        /// The file.
        path: PathBuf,
        /// The shape asked for.
        expected: Vec<usize>,
        /// The shape in the file.
        found: Vec<usize>,
    },
    /// A `.npy` header that cannot be understood, or samples that are not real numbers.
    #[error("the model file `{}` is not a readable .npy array: {reason}", path.display())]
    Npy {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A velocity is NaN or infinite.
    #[error("the velocity at index {index:?} is {value}, not a finite number")]
    NotFinite {
        /// Index of the first such point.
        index: Vec<usize>,
        /// What is there.
        value: f32,
    },
    /// A velocity is zero or negative.
    #[error("the velocity at index {index:?} is {value}, but velocities are positive")]
    NotPositive {
        /// Index of the first such point.
        index: Vec<usize>,
        /// What is there.
        value: f32,
    },
    /// An array too small to have carried the absorbing layers that are to be cut off.
    #[error("an array of shape {shape:?} is too small to remove absorbing layers of {width} points")]
    TooSmall {
        /// Shape of the array.
        shape: Vec<usize>,
        /// Points in one layer.
        width: usize,
    },
}

impl ModelError {
    /// A stable name of the error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Io { .. } => "model::io",
            Self::ShapeNeeded { .. } => "model::shape_needed",
            Self::BadShape { .. } => "model::bad_shape",
            Self::FileSize { .. } => "model::file_size",
            Self::ShapeMismatch { .. } => "model::shape_mismatch",
            Self::Npy { .. } => "model::npy",
            Self::NotFinite { .. } => "model::not_finite",
            Self::NotPositive { .. } => "model::not_positive",
            Self::TooSmall { .. } => "model::too_small",
        }
    }

    /// What to do about it.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Io { .. } => None,
            Self::ShapeNeeded { .. } => {
                Some("give the points along x, (y,) z, depth last, as in 1601x401".into())
            }
            Self::BadShape { .. } => Some("every axis needs at least one point".into()),
            Self::FileSize { expected, found, .. } if *found == 2 * *expected => Some(
                "the file is twice as large: raw models are 32-bit floats; convert 64-bit ones first".into(),
            ),
            Self::FileSize { .. } => {
                Some("raw models are little-endian 32-bit floats without a header, depth contiguous".into())
            }
            Self::ShapeMismatch { .. } => Some("leave the shape out to take the one of the file".into()),
            Self::Npy { .. } => {
                Some("arrays of float32 or float64 can be read, in C or Fortran order".into())
            }
            Self::NotFinite { .. } | Self::NotPositive { .. } => {
                Some("check the byte order and the shape, and replace undefined points".into())
            }
            Self::TooSmall { .. } => {
                Some("remove the layers with the same description that added them".into())
            }
        }
    }
}
