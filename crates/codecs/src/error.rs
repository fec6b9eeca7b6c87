//! What can go wrong between a slice and its stream.

use crate::{CompressionError, DType};

/// A slice that cannot be compressed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum EncodeError {
    /// NaN or infinity; the first in row-major order.
    #[error("value {value} at [{}, {}, {}] is not finite", index[0], index[1], index[2])]
    NotFinite {
        /// Point in the view, slowest axis first.
        index: [usize; 3],
        /// NaN or an infinity.
        value: f64,
    },
    /// The codec's parameter is out of range.
    #[error(transparent)]
    Parameter(#[from] CompressionError),
    /// The [`Parallel`](crate::Parallel) did not call the body for every index.
    #[error("the parallel loop left out {missing} of {total} blocks")]
    Schedule {
        /// How many were left out.
        missing: usize,
        /// Of how many.
        total: usize,
    },
}

impl EncodeError {
    /// Stable identifier of the error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFinite { .. } => "compress::not_finite",
            Self::Parameter(e) => e.code(),
            Self::Schedule { .. } => "compress::schedule",
        }
    }

    /// What to do about it.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::NotFinite { .. } => {
                Some("NaN and infinity usually mean that the time step is above the stability limit".into())
            }
            Self::Parameter(e) => e.help(),
            Self::Schedule { .. } => {
                Some("`Parallel::run` must call the body once for every index below n".into())
            }
        }
    }
}

/// A stream that cannot be decompressed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum DecodeError {
    /// The stream ends too early.
    #[error("the stream has {have} bytes, but needs {need}")]
    Truncated {
        /// Bytes there are.
        have: u64,
        /// Bytes that header and directory ask for.
        need: u64,
    },
    /// The stream does not begin with the magic bytes.
    #[error("this is no Wavefold stream")]
    BadMagic,
    /// Written by another version of the format.
    #[error("the stream has format version {found}, this is version {expected}")]
    Version {
        /// Of the stream.
        found: u16,
        /// Of this library.
        expected: u16,
    },
    /// Some bytes are not those that were written.
    #[error("checksum of the {part} does not match")]
    Checksum {
        /// "header", "directory" or "block N".
        part: String,
    },
    /// The destination has another shape.
    #[error("the stream holds shape {stream:?}, the destination has {destination:?}")]
    WrongShape {
        /// Of the stream.
        stream: [usize; 3],
        /// Of the destination.
        destination: [usize; 3],
    },
    /// The box that is asked for is not part of the slice.
    #[error("the stream holds shape {stream:?}, which has no box of {extent:?} points at {origin:?}")]
    BoxOutside {
        /// Shape of the stream.
        stream: [usize; 3],
        /// First point that is asked for.
        origin: [usize; 3],
        /// Extents that are asked for.
        extent: [usize; 3],
    },
    /// The destination has another element type.
    #[error("the stream holds {stream} values, the destination {destination}")]
    WrongType {
        /// Of the stream.
        stream: DType,
        /// Of the destination.
        destination: DType,
    },
    /// The checksums match but the content makes no sense.
    #[error("corrupt stream: {0}")]
    Corrupt(String),
    /// The [`Parallel`](crate::Parallel) did not call the body for every index.
    #[error("the parallel loop left out {missing} of {total} blocks")]
    Schedule {
        /// How many were left out.
        missing: usize,
        /// Of how many.
        total: usize,
    },
}

impl DecodeError {
    /// Stable identifier of the error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Truncated { .. } => "decompress::truncated",
            Self::BadMagic => "decompress::bad_magic",
            Self::Version { .. } => "decompress::version",
            Self::Checksum { .. } => "decompress::checksum",
            Self::WrongShape { .. } => "decompress::wrong_shape",
            Self::BoxOutside { .. } => "decompress::box_outside",
            Self::WrongType { .. } => "decompress::wrong_type",
            Self::Corrupt(_) => "decompress::corrupt",
            Self::Schedule { .. } => "decompress::schedule",
        }
    }

    /// What to do about it.
    pub fn help(&self) -> Option<String> {
        Some(
            match self {
                Self::Truncated { .. } => "the file or buffer was cut; write it again",
                Self::BadMagic => "check that the right file or offset is read",
                Self::Version { .. } => "read it with the version of Wavefold that wrote it",
                Self::Checksum { .. } => "the bytes changed after they were written; check memory or disk",
                Self::WrongShape { .. } => "decompress into a field of the shape that was compressed",
                Self::BoxOutside { .. } => {
                    "the box begins at the origin and has the shape of the destination"
                }
                Self::WrongType { .. } => "decompress into a field of the type that was compressed",
                Self::Corrupt(_) => "the stream was not written by Wavefold, or by a defective copy",
                Self::Schedule { .. } => "`Parallel::run` must call the body once for every index below n",
            }
            .into(),
        )
    }
}
