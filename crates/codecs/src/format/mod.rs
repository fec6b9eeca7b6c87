//! Layout of a stream, version 1. All numbers are little-endian.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 4 | magic `WFLD` |
//! | 4 | 2 | version, 1 |
//! | 6 | 1 | codec: 0 noop, 1 quantize, 2 wavelet, 3 lapped, 4 lapped by SNR |
//! | 7 | 1 | element type: 0 f32, 1 f64 |
//! | 8 | 1 | mode: 0 coded, 1 constant (all values are `min`), 2 raw (all rows as they are) |
//! | 9 | 1 | 1 if the last chunk holds outliers, else 0 |
//! | 10 | 2 | 0 |
//! | 12 | 4 | nbits; 0 unless quantize |
//! | 16 | 8 | compscale, or SNR in dB (f64); 0 for noop and quantize |
//! | 24 | 24 | shape, three u64, slowest axis first |
//! | 48 | 12 | block, three u32: largest extents of a block |
//! | 60 | 4 | blocks in a chunk |
//! | 64 | 8 | chunks |
//! | 72 | 8 | bytes of the payload |
//! | 80 | 16 | min and max of the slice (f64) |
//! | 96 | 8 | step of the quantiser (f64); 0 where there is none |
//! | 104 | 4 | CRC-32 of the directory |
//! | 108 | 4 | CRC-32 of bytes 0..108 |
//! | 112 | 8 x chunks | directory: for each chunk its bytes (u32) and its CRC-32 |
//! | ... | | payload: the chunks one after the other |
//!
//! A chunk is a run of blocks in row-major order of the block grid; it is coded, checked and decoded by one thread.
//! Blocks of `noop` and of raw slices are rows of one plane, or pieces of one row; those of `quantize` have 512 points
//! and may stick out of the shape; those of `wavelet` split an axis of n points into p = ceil(n / block) parts of
//! n / p points, the first n mod p of them one point longer; those of `lapped` are rows of blocks, on the shape with its
//! axes of one point first.
//!
//! The chunk of outliers, which replace decoded values, has for each of them in row-major order its distance from the one
//! before it (from 0 for the first), as groups of 7 bits, lowest first, with the high bit set in all but the last; then
//! the value.
//!
//! The bytes of a block are described in [`reference`](crate::reference).

mod grid;
mod header;

pub(crate) use grid::{BlockGrid, choose, rows};
pub(crate) use header::{ENTRY_BYTES, HEADER_BYTES, Header, locate};

use crate::{Compression, DType, DecodeError};

/// How the values of a slice are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// By the codec.
    Coded,
    /// All values are the same, and exact.
    Constant,
    /// Bit for bit: the codec's arithmetic does not reach (denormal amplitude, values next to overflow, or a scale below
    /// the precision of the type).
    Raw,
}

/// What a stream says of itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StreamInfo {
    /// Version of the format.
    pub version: u16,
    /// Codec and parameter.
    pub compression: Compression,
    /// Type of the values.
    pub dtype: DType,
    /// Extents, slowest axis first.
    pub shape: [usize; 3],
    /// How the values are held.
    pub mode: Mode,
    /// Largest extents of a block.
    pub block: [usize; 3],
    /// Separately checked parts.
    pub chunks: usize,
    /// Bytes of the values.
    pub raw_bytes: u64,
    /// Bytes of the whole stream.
    pub bytes: u64,
    /// Smallest value of the slice.
    pub min: f64,
    /// Largest value of the slice.
    pub max: f64,
    /// Step of the quantiser; 0 where there is none.
    pub step: f64,
}

/// Reads and checks header, directory and length of a stream; not the chunks.
///
/// # Errors
/// A [`DecodeError`], as from [`decode`](crate::decode).
pub fn inspect(stream: &[u8]) -> Result<StreamInfo, DecodeError> {
    let header = Header::read(stream)?;
    locate(&header, stream)?;
    Ok(header.info())
}
