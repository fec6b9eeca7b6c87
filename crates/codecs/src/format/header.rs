//! Header and directory, written and read.

use std::ops::Range;

use crate::coder::Coding;
use crate::element::Element;
use crate::format::grid::{self, BlockGrid, QUANTIZE_POINTS, WAVELET_MOST_POINTS};
use crate::format::{Mode, StreamInfo};
use crate::lapped::{self, Lapped};
use crate::scale::{self, Step};
use crate::{Compression, DType, DecodeError};

const MAGIC: [u8; 4] = *b"WFLD";
const VERSION: u16 = 1;
pub(crate) const HEADER_BYTES: usize = 112;
/// Slices of this size are not expected to be found in a cache after they were decoded.
const BYPASS_BYTES: u64 = 32 << 20;
/// Bytes of a directory entry.
pub(crate) const ENTRY_BYTES: usize = 8;

/// The fields of the table in [`format`](crate::format), but for magic, version and the header's checksum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Header {
    pub(crate) compression: Compression,
    pub(crate) dtype: DType,
    pub(crate) mode: Mode,
    pub(crate) shape: [usize; 3],
    pub(crate) block: [usize; 3],
    pub(crate) chunk_blocks: usize,
    pub(crate) chunks: usize,
    pub(crate) payload: u64,
    pub(crate) min: f64,
    pub(crate) max: f64,
    pub(crate) step: f64,
    pub(crate) directory_crc: u32,
    /// The last chunk holds outliers.
    pub(crate) patched: bool,
}

impl Header {
    /// The grid that the chunks are runs of.
    pub(crate) fn grid(&self) -> BlockGrid {
        let balanced = self.mode == Mode::Coded && matches!(self.compression, Compression::Wavelet { .. });
        let squeezed = self.mode == Mode::Coded && self.compression.is_lapped();
        let shape = if squeezed { lapped::squeezed(self.shape) } else { self.shape };
        BlockGrid::new(shape, self.block, balanced)
    }

    /// The blocks of chunk `i`.
    pub(crate) fn chunk(&self, i: usize) -> Range<usize> {
        i * self.chunk_blocks..self.grid().count().min((i + 1) * self.chunk_blocks)
    }

    /// How the blocks are coded.
    pub(crate) fn coding<T: Element>(&self) -> Coding<T> {
        match self.compression {
            Compression::Quantize { .. } if self.mode == Mode::Coded => Coding::Quantize {
                block: self.block,
                step: Step::new(self.step),
                limit: scale::quantize_limit(self.step),
                bypass: self.raw_bytes() >= BYPASS_BYTES,
            },
            Compression::Wavelet { .. } if self.mode == Mode::Coded => Coding::Wavelet {
                group: grid::wavelet_group(self.shape),
                step: Step::new(self.step),
                bypass: self.raw_bytes() >= BYPASS_BYTES,
            },
            _ if self.mode == Mode::Coded && self.compression.is_lapped() => {
                Coding::Lapped(Lapped::new(self.shape, self.step))
            }
            _ => Coding::Copy,
        }
    }

    pub(crate) fn write(&self) -> [u8; HEADER_BYTES] {
        let (codec, nbits, parameter) = match self.compression {
            Compression::Noop => (0, 0, 0.0),
            Compression::Quantize { nbits } => (1, nbits, 0.0),
            Compression::Wavelet { compscale } => (2, 0, compscale),
            Compression::Lapped { compscale } => (3, 0, compscale),
            Compression::LappedSnr { snr } => (4, 0, snr),
        };
        let mode = match self.mode {
            Mode::Coded => 0,
            Mode::Constant => 1,
            Mode::Raw => 2,
        };
        let mut fields = Fields { bytes: [0; HEADER_BYTES], at: 0 };
        fields.put(&MAGIC);
        fields.put(&VERSION.to_le_bytes());
        fields.put(&[codec, u8::from(self.dtype == DType::F64), mode, self.patched.into(), 0, 0]);
        fields.put(&nbits.to_le_bytes());
        fields.put(&parameter.to_le_bytes());
        self.shape.iter().for_each(|n| fields.put(&(*n as u64).to_le_bytes()));
        self.block.iter().for_each(|n| fields.put(&(*n as u32).to_le_bytes()));
        fields.put(&(self.chunk_blocks as u32).to_le_bytes());
        fields.put(&(self.chunks as u64).to_le_bytes());
        fields.put(&self.payload.to_le_bytes());
        [self.min, self.max, self.step].iter().for_each(|v| fields.put(&v.to_le_bytes()));
        fields.put(&self.directory_crc.to_le_bytes());
        let crc = crc32fast::hash(&fields.bytes[..fields.at]);
        fields.put(&crc.to_le_bytes());
        fields.bytes
    }

    /// Reads the header at the beginning of `stream`, and checks that its fields make sense.
    pub(crate) fn read(stream: &[u8]) -> Result<Self, DecodeError> {
        let have = stream.len() as u64;
        if stream.len() >= MAGIC.len() && !stream.starts_with(&MAGIC) {
            return Err(DecodeError::BadMagic);
        }
        let Some(bytes) = stream.first_chunk::<HEADER_BYTES>() else {
            return Err(DecodeError::Truncated { have, need: HEADER_BYTES as u64 });
        };
        let mut fields = Fields { bytes: *bytes, at: 4 };
        let found = u16::from_le_bytes(fields.get());
        if found != VERSION {
            return Err(DecodeError::Version { found, expected: VERSION });
        }
        let crc = u32::from_le_bytes(*bytes.last_chunk().unwrap_or(&[0; 4]));
        if crc != crc32fast::hash(&bytes[..HEADER_BYTES - 4]) {
            return Err(DecodeError::Checksum { part: "header".into() });
        }
        Self::read_fields(&mut fields)?.checked()
    }

    fn read_fields(fields: &mut Fields) -> Result<Self, DecodeError> {
        let corrupt = |what: &str| DecodeError::Corrupt(what.into());
        let wide = |v: u64| usize::try_from(v).map_err(|_| corrupt("size beyond this machine"));
        let [codec, dtype, mode, patched, ..] = fields.get::<6>();
        let nbits = u32::from_le_bytes(fields.get());
        let parameter = f64::from_le_bytes(fields.get());
        let compression = match codec {
            0 => Compression::Noop,
            1 => Compression::Quantize { nbits },
            2 => Compression::Wavelet { compscale: parameter },
            3 => Compression::Lapped { compscale: parameter },
            4 => Compression::LappedSnr { snr: parameter },
            _ => return Err(corrupt("unknown codec")),
        };
        let dtype = match dtype {
            0 => DType::F32,
            1 => DType::F64,
            _ => return Err(corrupt("unknown element type")),
        };
        let mode = match mode {
            0 => Mode::Coded,
            1 => Mode::Constant,
            2 => Mode::Raw,
            _ => return Err(corrupt("unknown mode")),
        };
        let mut long = || u64::from_le_bytes(fields.get());
        let shape = [wide(long())?, wide(long())?, wide(long())?];
        let mut short = || u32::from_le_bytes(fields.get()) as usize;
        let block = [short(), short(), short()];
        let chunk_blocks = short();
        let chunks = wide(u64::from_le_bytes(fields.get()))?;
        let payload = u64::from_le_bytes(fields.get());
        let [min, max, step] = [0; 3].map(|_| f64::from_le_bytes(fields.get()));
        let directory_crc = u32::from_le_bytes(fields.get());
        Ok(Header {
            compression,
            dtype,
            mode,
            shape,
            block,
            chunk_blocks,
            chunks,
            payload,
            min,
            max,
            step,
            directory_crc,
            patched: match patched {
                0 => false,
                1 => true,
                _ => return Err(corrupt("unknown flag")),
            },
        })
    }

    /// Refuses fields that no encoder writes, so that a decoder may rely on them.
    fn checked(self) -> Result<Self, DecodeError> {
        let corrupt = |what: &str| Err(DecodeError::Corrupt(what.into()));
        if let Err(e) = self.compression.validate() {
            return corrupt(&e.to_string());
        }
        let points = self.shape.iter().try_fold(1usize, |n, m| n.checked_mul(*m));
        let raw = points.and_then(|n| n.checked_mul(self.dtype.size()));
        if raw.is_none_or(|n| n == 0 || n > isize::MAX as usize) {
            return corrupt("impossible shape");
        }
        if self.block.contains(&0) || self.chunk_blocks == 0 {
            return corrupt("empty blocks");
        }
        let block = self.block.iter().try_fold(1usize, |n, m| n.checked_mul(*m)).unwrap_or(usize::MAX);
        let (lossy, wrong_block) = match self.compression {
            Compression::Noop => (false, false),
            Compression::Quantize { .. } => (true, block != QUANTIZE_POINTS),
            Compression::Wavelet { .. } => (true, block > WAVELET_MOST_POINTS || self.chunk_blocks != 1),
            Compression::Lapped { .. } | Compression::LappedSnr { .. } => {
                (true, self.block != lapped::block(self.shape) || self.chunk_blocks != 1)
            }
        };
        if self.mode == Mode::Coded && wrong_block {
            return corrupt("wrong size of blocks");
        }
        let stepped = lossy && self.mode == Mode::Coded;
        if stepped != (self.step != 0.0) || !self.step.is_finite() || self.step < 0.0 {
            return corrupt("wrong step");
        }
        let chunks = if self.mode == Mode::Constant { 0 } else { self.grid().chunks(self.chunk_blocks) };
        if self.patched && !stepped {
            return corrupt("outliers of an exact slice");
        }
        let chunks = chunks.checked_add(usize::from(self.patched));
        if Some(self.chunks) != chunks || !self.min.is_finite() || !self.max.is_finite() {
            return corrupt("header contradicts itself");
        }
        Ok(self)
    }

    pub(crate) fn raw_bytes(&self) -> u64 {
        self.shape.iter().product::<usize>() as u64 * self.dtype.size() as u64
    }

    /// Bytes of the whole stream; saturates.
    pub(crate) fn stream_bytes(&self) -> u64 {
        let directory = (self.chunks as u64).saturating_mul(ENTRY_BYTES as u64);
        directory.saturating_add(HEADER_BYTES as u64).saturating_add(self.payload)
    }

    pub(crate) fn info(&self) -> StreamInfo {
        StreamInfo {
            version: VERSION,
            compression: self.compression,
            dtype: self.dtype,
            shape: self.shape,
            mode: self.mode,
            block: self.block,
            chunks: self.chunks,
            raw_bytes: self.raw_bytes(),
            bytes: self.stream_bytes(),
            min: self.min,
            max: self.max,
            step: self.step,
        }
    }
}

/// Cursor over the bytes of a header. All fields have fixed sizes that add up to its length.
struct Fields {
    bytes: [u8; HEADER_BYTES],
    at: usize,
}

impl Fields {
    fn put(&mut self, field: &[u8]) {
        self.bytes[self.at..self.at + field.len()].copy_from_slice(field);
        self.at += field.len();
    }

    fn get<const N: usize>(&mut self) -> [u8; N] {
        let mut field = [0; N];
        field.copy_from_slice(&self.bytes[self.at..self.at + N]);
        self.at += N;
        field
    }
}

/// Bytes and checksum of each chunk of a stream, whose directory and length are checked here.
pub(crate) fn locate<'a>(header: &Header, stream: &'a [u8]) -> Result<Vec<(&'a [u8], u32)>, DecodeError> {
    let (have, need) = (stream.len() as u64, header.stream_bytes());
    if have < need {
        return Err(DecodeError::Truncated { have, need });
    }
    if have > need {
        return Err(DecodeError::Corrupt(format!("{} bytes after the end", have - need)));
    }
    let (directory, mut payload) = stream[HEADER_BYTES..].split_at(header.chunks * ENTRY_BYTES);
    if crc32fast::hash(directory) != header.directory_crc {
        return Err(DecodeError::Checksum { part: "directory".into() });
    }
    let mut chunks = Vec::with_capacity(header.chunks);
    for entry in directory.chunks_exact(ENTRY_BYTES) {
        let (bytes, crc) = entry.split_at(4);
        let number = |b: &[u8]| b.first_chunk().map_or(0, |b| u32::from_le_bytes(*b));
        let Some((chunk, rest)) = payload.split_at_checked(number(bytes) as usize) else {
            return Err(DecodeError::Corrupt("chunks longer than the payload".into()));
        };
        chunks.push((chunk, number(crc)));
        payload = rest;
    }
    if !payload.is_empty() {
        return Err(DecodeError::Corrupt("chunks shorter than the payload".into()));
    }
    Ok(chunks)
}
