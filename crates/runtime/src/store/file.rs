//! Histories as files, version 2. All numbers are little-endian.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 8 | magic `WFHISTRY` |
//! | 8 | 4 | version, 2 |
//! | 12 | 1 | element type: 0 f32, 1 f64 |
//! | 13 | 1 | rank, 1 to 3 |
//! | 14 | 2 | 0 |
//! | 16 | 24 | shape of a snapshot, three u64, slowest axis first; dimensions that there are not have 1 point and come first |
//! | 40 | 8 | snapshots that the history can hold |
//! | 48 | 8 | steps between two snapshots |
//! | 56 | 4 | 0 |
//! | 60 | 4 | CRC-32 of bytes 0..60 |
//! | 64 | | the streams of the [codecs](wavefold_codecs::format), each at a multiple of 64 |
//! | i | | index: the codec and its bound on the error as text, as in `lapped:1e-2 within 1e-3` (u32 bytes, then UTF-8), the name of the function likewise, the number of entries (u64), and for each snapshot from 0 on its offset and its bytes (u64 each; 0 and 0 where none was written) |
//! | end - 32 | 8 | offset i of the index |
//! | end - 24 | 8 | bytes of the index |
//! | end - 16 | 4 | CRC-32 of the index |
//! | end - 12 | 4 | CRC-32 of bytes end-32 .. end-12 |
//! | end - 8 | 8 | magic `WFHISEND` |
//!
//! The end is written last: a file without it is one whose writer was stopped. Streams carry checksums of their own, which
//! are compared whenever one is decompressed.

use std::fmt;
use std::fs::File;
use std::io::{self, BufWriter, Seek, Write};
use std::path::Path;
use std::sync::Arc;

use wavefold_codecs::{Bounded, DType};

use super::spool::{ALIGN, read_at};
use crate::{Result, RuntimeError, system};

const MAGIC: &[u8; 8] = b"WFHISTRY";
const END: &[u8; 8] = b"WFHISEND";
const VERSION: u32 = 2;
const HEADER: usize = 64;
const TRAILER: usize = 32;

/// What the snapshots of a history are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kind {
    /// Type of the values.
    pub dtype: DType,
    /// Points of a snapshot.
    pub shape: Vec<usize>,
    /// Snapshots that it can hold.
    pub snapshots: usize,
    /// Steps between two snapshots.
    pub every: usize,
}

impl Kind {
    /// Uncompressed bytes of a snapshot.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.shape.iter().product::<usize>() * self.dtype.size()
    }

    fn header(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER);
        out.extend(MAGIC);
        out.extend(VERSION.to_le_bytes());
        out.extend([u8::from(self.dtype == DType::F64), self.shape.len() as u8, 0, 0]);
        for n in crate::host::cube(&self.shape).into_iter().chain([self.snapshots, self.every]) {
            out.extend((n as u64).to_le_bytes());
        }
        out.extend([0; 4]);
        out.extend(crc32fast::hash(&out).to_le_bytes());
        out
    }

    fn parse(header: &[u8]) -> std::result::Result<Kind, String> {
        if header.get(..8) != Some(MAGIC) {
            return Err("it is no history of Wavefold".into());
        }
        let version = u32_at(header, 8);
        if version != VERSION {
            return Err(format!(
                "it has version {version} of the format; this program reads version {VERSION}"
            ));
        }
        if u32_at(header, 60) != crc32fast::hash(&header[..60]) {
            return Err("its header is damaged".into());
        }
        let dtype = if header[12] == 0 { DType::F32 } else { DType::F64 };
        let numbers: Option<Vec<usize>> =
            (0..5).map(|i| usize::try_from(u64_at(header, 16 + 8 * i)).ok()).collect();
        match (header[13], numbers) {
            (rank @ 1..=3, Some(n)) => {
                Ok(Kind { dtype, shape: n[3 - usize::from(rank)..3].to_vec(), snapshots: n[3], every: n[4] })
            }
            _ => Err("its header makes no sense".into()),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Kind { dtype, shape, snapshots, every } = self;
        let shape: Vec<String> = shape.iter().map(usize::to_string).collect();
        write!(f, "{snapshots} snapshots of {} {dtype}", shape.join("x"))?;
        if *every == 1 { Ok(()) } else { write!(f, ", one in {every} steps") }
    }
}

/// Where a stream lies in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub offset: u64,
    pub len: usize,
}

/// A whole file, open for reading.
#[derive(Debug)]
pub(super) struct Saved {
    pub file: Arc<File>,
    pub kind: Kind,
    pub codec: Bounded,
    pub streams: Vec<Option<Range>>,
}

/// Writes a history to a file that takes its name when it is complete. `stream` hands the bytes of a snapshot to a
/// function, or tells that there are none.
pub(super) fn save(
    path: &Path,
    kind: &Kind,
    codec: Bounded,
    name: &str,
    snapshots: usize,
    mut stream: impl FnMut(usize, &mut dyn FnMut(&[u8])) -> Result<()>,
) -> Result<()> {
    let failed = |e: io::Error| RuntimeError::HistoryFile {
        path: path.into(),
        doing: "written",
        reason: e.to_string(),
        help: (e.kind() == io::ErrorKind::StorageFull).then(|| "free space, or choose another place".into()),
    };
    let temporary = system::temporary_beside(path).map_err(failed)?;
    let mut out = BufWriter::with_capacity(1 << 20, temporary);
    out.write_all(&kind.header()).map_err(failed)?;
    let mut end = HEADER as u64;
    let mut entries = Vec::with_capacity(snapshots);
    for snapshot in 0..snapshots {
        let mut entry = (0, 0);
        let mut written = Ok(());
        stream(snapshot, &mut |bytes| {
            entry = (end, bytes.len() as u64);
            let padding = (end + entry.1).next_multiple_of(ALIGN) - (end + entry.1);
            written =
                out.write_all(bytes).and_then(|()| out.write_all(&[0; ALIGN as usize][..padding as usize]));
            end += entry.1 + padding;
        })?;
        written.map_err(failed)?;
        entries.push(entry);
    }
    let index = index(codec, name, &entries);
    out.write_all(&index).and_then(|()| out.write_all(&trailer(end, &index))).map_err(failed)?;
    let temporary = out.into_inner().map_err(|e| failed(e.into_error()))?;
    temporary.as_file().sync_all().map_err(failed)?;
    temporary.persist(path).map_err(|e| failed(e.error))?;
    Ok(())
}

fn index(codec: Bounded, name: &str, entries: &[(u64, u64)]) -> Vec<u8> {
    let mut out = Vec::new();
    for text in [codec.to_string().as_str(), name] {
        out.extend((text.len() as u32).to_le_bytes());
        out.extend(text.as_bytes());
    }
    out.extend((entries.len() as u64).to_le_bytes());
    for (offset, len) in entries {
        out.extend(offset.to_le_bytes());
        out.extend(len.to_le_bytes());
    }
    out
}

fn trailer(offset: u64, index: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(TRAILER);
    out.extend(offset.to_le_bytes());
    out.extend((index.len() as u64).to_le_bytes());
    out.extend(crc32fast::hash(index).to_le_bytes());
    out.extend(crc32fast::hash(&out).to_le_bytes());
    out.extend(END);
    out
}

/// Opens a file and checks all but the streams.
///
/// # Errors
/// `history::file`, `history::format`.
pub(super) fn open(path: &Path) -> Result<Saved> {
    let failed = |e: io::Error| RuntimeError::HistoryFile {
        path: path.into(),
        doing: "read",
        reason: e.to_string(),
        help: None,
    };
    let no_history = |reason: String| RuntimeError::HistoryFormat { path: path.into(), reason };
    let mut file = File::open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.is_dir() {
        return Err(failed(io::ErrorKind::IsADirectory.into()));
    }
    let size = file.seek(io::SeekFrom::End(0)).map_err(failed)?;
    if size < HEADER as u64 {
        return Err(no_history("it is no history of Wavefold".into()));
    }
    let mut header = [0; HEADER];
    read_at(&file, &mut header, 0).map_err(failed)?;
    let kind = Kind::parse(&header).map_err(no_history)?;
    let incomplete = || {
        no_history("its end is missing: the program that wrote it was stopped, or the file was cut".into())
    };
    if size < (HEADER + TRAILER) as u64 {
        return Err(incomplete());
    }
    let mut trailer = [0; TRAILER];
    let end = size - TRAILER as u64;
    read_at(&file, &mut trailer, end).map_err(failed)?;
    if trailer[24..] != *END || u32_at(&trailer, 20) != crc32fast::hash(&trailer[..20]) {
        return Err(incomplete());
    }
    let (offset, len) = (u64_at(&trailer, 0), u64_at(&trailer, 8));
    let damaged = || no_history("its index is damaged".into());
    if offset.checked_add(len) != Some(end) {
        return Err(damaged());
    }
    let mut index = vec![0; usize::try_from(len).map_err(|_| damaged())?];
    read_at(&file, &mut index, offset).map_err(failed)?;
    if crc32fast::hash(&index) != u32_at(&trailer, 16) {
        return Err(damaged());
    }
    let (codec, streams) = parse_index(&index, offset).ok_or_else(damaged)?;
    if streams.len() > kind.snapshots {
        return Err(damaged());
    }
    Ok(Saved { file: Arc::new(file), kind, codec, streams })
}

/// The codec and the streams, which end before `limit`.
fn parse_index(mut index: &[u8], limit: u64) -> Option<(Bounded, Vec<Option<Range>>)> {
    let codec = text(&mut index)?.parse().ok()?;
    text(&mut index)?; // the name is for people who look into the file
    let (count, index) = index.split_first_chunk()?;
    let count = usize::try_from(u64::from_le_bytes(*count)).ok()?;
    if count.checked_mul(16) != Some(index.len()) {
        return None;
    }
    let entry = |entry: &[u8]| {
        let (offset, len) = (u64_at(entry, 0), u64_at(entry, 8));
        match (offset, len) {
            (0, 0) => Some(None),
            _ if offset < HEADER as u64 || offset.checked_add(len)? > limit => None,
            _ => Some(Some(Range { offset, len: usize::try_from(len).ok()? })),
        }
    };
    let streams = index.chunks_exact(16).map(entry).collect::<Option<_>>()?;
    Some((codec, streams))
}

fn text<'a>(index: &mut &'a [u8]) -> Option<&'a str> {
    let (len, rest) = index.split_first_chunk()?;
    let (text, rest) = rest.split_at_checked(u32::from_le_bytes(*len) as usize)?;
    *index = rest;
    std::str::from_utf8(text).ok()
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes[at..].first_chunk().map_or(0, |b| u32::from_le_bytes(*b))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes[at..].first_chunk().map_or(0, |b| u64::from_le_bytes(*b))
}
