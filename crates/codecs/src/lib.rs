//! Codecs for one snapshot (time slice) of a field: `noop`, `quantize`, `wavelet` and `lapped`.
//!
//! [`encode`] reads a [`View`], usually the inner part of a field with halo, and appends one self-contained stream to a
//! byte vector; [`decode`] writes it back through a [`ViewMut`]. Both work on blocks in parallel through a [`Parallel`],
//! and the bytes do not depend on it. [`format`](mod@format) gives the layout of a stream.
//!
//! | codec | meaning of the parameter | error |
//! |---|---|---|
//! | `noop` | none | none, bit for bit |
//! | `quantize` | `nbits`: delta = (max - min) / (2^nbits - 1) of the slice | at every point at most delta |
//! | `wavelet` | `compscale`: step = compscale x RMS of the slice | RMS at most compscale x RMS of the slice (typically half) |
//! | `lapped` | `compscale`: step = at most compscale x RMS of the slice | RMS at most compscale x RMS of the slice (typically a tenth) |
//!
//! The arithmetic is that of the element type: in f32 the rounding of `wavelet` and `lapped` adds up to 2e-6 x RMS, and scales below
//! 4.8e-7 (f64: 8.9e-16) store the slice raw.
//!
//! The block coders are C (`runtime-c/codecs`), so that generated code can inline them; [`mod@reference`] is the same format
//! in plain Rust, bit for bit, and is the one to read.

mod bounded;
mod coder;
mod compression;
mod element;
mod error;
pub mod float_mode;
pub mod format;
mod lapped;
mod native;
mod parallel;
pub mod reference;
mod report;
mod scale;
mod stream;
mod survey;
mod view;

pub use bounded::Bounded;
pub use compression::{Compression, CompressionError};
pub use element::{DType, Element, UnknownDType};
pub use error::{DecodeError, EncodeError};
pub use format::{Mode, StreamInfo, inspect};
#[doc(hidden)]
pub use native::widest_vectors;
pub use parallel::{Parallel, Serial, Threads, ThreadsError};
pub use report::{ErrorReport, compare};
pub use stream::{PartDecoder, PartEncoder, PieceMemory, Pieces, SliceInfo, Trend};
pub use view::{View, ViewError, ViewMut};

/// Compresses `src` and appends one stream to `out`, which is left as it was on error.
///
/// The bytes are the same for every `par`, on every machine, and in every floating-point mode of the caller.
///
/// # Errors
/// [`EncodeError::NotFinite`] for the first NaN or infinity in row-major order, whatever the codec;
/// [`EncodeError::Parameter`] when [`Compression::validate`] fails.
pub fn encode<T: Element>(
    compression: Compression,
    src: View<'_, T>,
    par: &dyn Parallel,
    out: &mut Vec<u8>,
) -> Result<SliceInfo, EncodeError> {
    encode_next(compression, src, par, &mut Trend::default(), out)
}

/// As [`encode`], for the next slice of a series, with what is known from the slices before.
///
/// `lapped` with a signal-to-noise ratio takes a first step from the trend, which is right for most slices of a history;
/// otherwise it samples the slice, or codes it once more. The ratio is kept in either case, but the step, and so the
/// bytes, depend on the slices before in their order. Other codecs have no use for the trend.
///
/// # Errors
/// As [`encode`].
pub fn encode_next<T: Element>(
    compression: Compression,
    src: View<'_, T>,
    par: &dyn Parallel,
    trend: &mut Trend,
    out: &mut Vec<u8>,
) -> Result<SliceInfo, EncodeError> {
    stream::encode(&native::Native, compression, &src, par, trend, out)
}

/// As [`encode`], but no decoded value is further off than `max_error` x (max - min) of the slice.
///
/// The slice is decoded again, and every value that is too far off is stored as it is; where this would take more bytes
/// than the slice itself, all values are. Worth it for `wavelet` and `lapped` with few outliers.
///
/// # Errors
/// As [`encode`], and [`CompressionError::MaxErrorRange`] unless 0 < `max_error` <= 0.5.
pub fn encode_within<T: Element>(
    compression: Compression,
    max_error: f64,
    src: View<'_, T>,
    par: &dyn Parallel,
    out: &mut Vec<u8>,
) -> Result<SliceInfo, EncodeError> {
    stream::encode_within(&native::Native, compression, max_error, &src, par, &mut Trend::default(), out)
}

/// Decompresses a stream into `dst`, whose shape and element type must be those of the stream.
///
/// Every size is checked before use and every byte of the stream is covered by a checksum.
///
/// # Errors
/// A [`DecodeError`]; `dst` may then hold a mixture of old and new values.
pub fn decode<T: Element>(stream: &[u8], dst: ViewMut<'_, T>, par: &dyn Parallel) -> Result<(), DecodeError> {
    stream::decode(&native::Native, stream, dst, par)
}

/// Decompresses the box of a stream that begins at `origin` and has the shape of `dst`, whose element type must be that of
/// the stream.
///
/// Only chunks that the box needs are read and checked: those with points of it, of up to 65536 points each, for `wavelet`
/// its blocks; for `lapped` also the rows of blocks that overlap them. The values are those of [`decode`].
///
/// # Errors
/// A [`DecodeError`]; [`DecodeError::BoxOutside`] when the stream has no such box. `dst` may then hold a mixture of old
/// and new values.
pub fn decode_box<T: Element>(
    stream: &[u8],
    origin: [usize; 3],
    dst: ViewMut<'_, T>,
    par: &dyn Parallel,
) -> Result<(), DecodeError> {
    stream::decode_box(&native::Native, stream, origin, dst, par)
}
