//! Where the streams of a history lie: in memory, on disk, or first the one and then the other.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use wavefold_codecs::{
    DType, DecodeError, Element, Parallel, PartDecoder, PieceMemory, Pieces, ViewMut, decode,
};
use wavefold_symbolic::Layers;

use super::arena::{Arena, Block, Kept, Laid, Mark, Room};
use super::file::{Range, Saved};
use super::limit::MemoryLimit;
use super::spool::{Spool, expect, read_at};
use crate::locks::lock;
use crate::{Result, RuntimeError};

/// Snapshots that the system is told of before they are read.
const AHEAD: i64 = 3;

/// The streams of one history, by snapshot.
#[derive(Debug, Default)]
pub(super) struct Streams {
    /// Grows as they are written, since a history may be declared far longer than memory.
    places: Vec<Option<Place>>,
    bytes: usize,
    on_disk: usize,
    arena: Arena,
    /// Where the pieces of the snapshot that is being coded begin.
    mark: Mark,
    spool: Option<Spool>,
    /// The file of a history that was written before.
    saved: Option<Arc<File>>,
    /// That file, or the directory of the spool.
    path: PathBuf,
    limit: Option<MemoryLimit>,
}

#[derive(Clone, Debug)]
enum Place {
    Memory(Block),
    /// And the chunks in which they lie.
    Pieces(Box<Pieces>, std::ops::Range<usize>),
    File(Range),
}

impl Place {
    fn len(&self) -> usize {
        match self {
            Place::Memory(block) => block.len(),
            Place::Pieces(pieces, _) => pieces.stream_bytes(),
            Place::File(range) => range.len,
        }
    }
}

/// A stream whose pieces lie where they were put.
#[derive(Debug)]
pub(super) struct InPieces {
    pieces: Pieces,
    laid: Laid,
}

/// One stream, to be used without the others.
#[derive(Debug)]
pub(super) enum Stream {
    Memory(Kept),
    Pieces(Box<InPieces>),
    File(Arc<File>, Range),
}

/// A new stream, and to whom it belongs.
pub(super) struct New<'a> {
    pub name: &'a str,
    pub layers: &'a Layers,
    pub snapshot: usize,
    /// Of how many.
    pub of: usize,
}

impl Streams {
    /// Makes ready to be written.
    ///
    /// # Errors
    /// `store::disk`.
    pub fn begin(&mut self, name: &str, layers: &Layers, limit: Option<MemoryLimit>) -> Result<()> {
        self.limit = match layers {
            Layers::Spill(_) => limit.or_else(MemoryLimit::of_system),
            _ => limit,
        };
        // A directory that cannot be written to is told before anything runs.
        if let Layers::Disk(directory) | Layers::Spill(directory) = layers {
            self.path = directory.clone();
            let begun = Spool::new(directory);
            self.spool = Some(begun.map_err(|e| disk(name, "kept in", directory, "", &e))?);
        }
        Ok(())
    }

    /// Keeps a stream. A later one of the same snapshot replaces it. What is left in the vector is of no meaning.
    ///
    /// # Errors
    /// `memory::allocation`, `memory::limit`, `store::disk`.
    pub fn put(&mut self, new: New<'_>, stream: &mut Vec<u8>, par: &dyn Parallel) -> Result<()> {
        let what = of_history(new.name);
        let len = stream.len();
        let place = if self.stays_in_memory(&new, len)? {
            match self.arena.reserve(len, &what) {
                Ok((block, room)) => {
                    copy(stream, room, par);
                    Place::Memory(block)
                }
                Err(RuntimeError::Allocation { .. }) if spills(new.layers) => self.spool(&new, stream)?,
                Err(e) => return Err(e),
            }
        } else {
            self.spool(&new, stream)?
        };
        self.place(new.snapshot, place, &what)
    }

    /// From here on the pieces of one snapshot come.
    pub fn begin_pieces(&mut self) {
        self.mark = self.arena.mark();
    }

    /// Room for one of them.
    ///
    /// # Errors
    /// `memory::allocation`.
    pub fn room(&mut self, len: usize) -> Result<Room> {
        self.arena.room(len, "a piece of a history")
    }

    /// Gives back what the pieces have taken.
    pub fn forget_pieces(&mut self) {
        self.arena.rewind(self.mark);
    }

    /// The stream that the pieces make, in their place.
    pub fn in_pieces(&self, pieces: Pieces) -> InPieces {
        InPieces { pieces, laid: self.arena.laid(self.arena.since(self.mark)) }
    }

    /// As [`put`](Streams::put), for what is in its place already; `stream` is work space.
    ///
    /// # Errors
    /// As [`put`](Streams::put); `run::internal`.
    pub fn put_pieces(
        &mut self,
        new: New<'_>,
        pieces: Pieces,
        stream: &mut Vec<u8>,
        par: &dyn Parallel,
    ) -> Result<()> {
        let place = match self.stays_in_memory(&new, pieces.stream_bytes()) {
            Ok(true) => Place::Pieces(Box::new(pieces), self.arena.since(self.mark)),
            Ok(false) => {
                stream.clear();
                let joined = self.in_pieces(pieces).append(par, stream);
                self.forget_pieces();
                joined.map_err(|e| RuntimeError::internal(format!("a fresh stream: {e}")))?;
                self.spool(&new, stream)?
            }
            Err(error) => {
                self.forget_pieces();
                return Err(error);
            }
        };
        self.place(new.snapshot, place, &of_history(new.name))
    }

    /// Whether a new stream is kept in memory; otherwise on disk.
    fn stays_in_memory(&self, new: &New<'_>, len: usize) -> Result<bool> {
        let in_memory = !matches!(new.layers, Layers::Disk(_)) && self.has_room(len);
        if in_memory || spills(new.layers) { Ok(in_memory) } else { Err(self.limit_reached(new)) }
    }

    fn place(&mut self, snapshot: usize, place: Place, what: &str) -> Result<()> {
        let more = (snapshot + 1).saturating_sub(self.places.len());
        if self.places.try_reserve(more).is_err() {
            let bytes = more.saturating_mul(size_of::<Place>());
            return Err(RuntimeError::Allocation { what: what.into(), bytes });
        }
        if more > 0 {
            self.places.resize(snapshot + 1, None);
        }
        self.bytes += place.len();
        self.bytes -= self.places[snapshot].replace(place).map_or(0, |before| before.len());
        Ok(())
    }

    fn has_room(&self, len: usize) -> bool {
        self.limit.as_ref().is_none_or(|limit| limit.take(len))
    }

    fn spool(&mut self, new: &New<'_>, stream: &mut Vec<u8>) -> Result<Place> {
        let Some(spool) = &mut self.spool else {
            return Err(RuntimeError::internal("a history without a file goes to disk"));
        };
        let len = stream.len();
        match spool.put(stream) {
            Ok(offset) => {
                self.on_disk += len;
                Ok(Place::File(Range { offset, len }))
            }
            Err(e) => Err(self.failed(new.name, new.of, &e)),
        }
    }

    /// Ends the writing.
    ///
    /// # Errors
    /// `store::disk`.
    pub fn end(&mut self, name: &str, of: usize) -> Result<()> {
        match self.spool.as_mut().map(Spool::close) {
            Some(Err(e)) => Err(self.failed(name, of, &e)),
            _ => Ok(()),
        }
    }

    fn failed(&self, name: &str, of: usize, error: &io::Error) -> RuntimeError {
        let written = self.places.iter().flatten().count();
        let came = format!(" (after about {written} of {of} snapshots, {} bytes)", self.on_disk);
        disk(name, "written to", &self.path, &came, error)
    }

    fn limit_reached(&self, new: &New<'_>) -> RuntimeError {
        RuntimeError::MemoryLimit {
            name: new.name.into(),
            limit: self.limit.as_ref().map_or(0, MemoryLimit::bytes),
            written: self.places.iter().flatten().count(),
            of: new.of,
            bytes: self.bytes,
        }
    }

    /// The streams of a file.
    pub fn of_file(saved: Saved, path: &Path) -> Streams {
        let places: Vec<_> = saved.streams.into_iter().map(|s| s.map(Place::File)).collect();
        let bytes = places.iter().flatten().map(Place::len).sum();
        Streams {
            places,
            bytes,
            on_disk: bytes,
            saved: Some(saved.file),
            path: path.into(),
            ..Streams::default()
        }
    }

    /// The stream of a snapshot, if it was written. When the one before it was `last`, those that come next in this
    /// direction will be read from disk meanwhile.
    pub fn get(&self, snapshot: usize, last: Option<usize>) -> Option<Stream> {
        let stream = match self.places.get(snapshot)?.as_ref()? {
            Place::Memory(block) => Stream::Memory(self.arena.get(*block)),
            Place::Pieces(pieces, chunks) => {
                let laid = self.arena.laid(chunks.clone());
                Stream::Pieces(Box::new(InPieces { pieces: (**pieces).clone(), laid }))
            }
            Place::File(range) => Stream::File(self.file()?, *range),
        };
        let stride = last.map_or(0, |last| snapshot as i64 - last as i64);
        if stride != 0 && self.on_disk > 0 {
            (1..=AHEAD).for_each(|k| self.expect(snapshot as i64 + k * stride));
        }
        Some(stream)
    }

    fn expect(&self, snapshot: i64) {
        let place = usize::try_from(snapshot).ok().and_then(|i| self.places.get(i)?.as_ref());
        if let (Some(Place::File(range)), Some(file)) = (place, self.file()) {
            expect(&file, range.offset, range.len);
        }
    }

    fn file(&self) -> Option<Arc<File>> {
        self.spool.as_ref().map(Spool::file).or_else(|| self.saved.clone())
    }

    /// What befell the reading of a stream.
    pub fn unreadable(&self, name: &str, error: &io::Error) -> RuntimeError {
        disk(name, "read from", &self.path, "", error)
    }

    /// Which snapshots were written.
    pub fn written(&self) -> impl DoubleEndedIterator<Item = bool> + ExactSizeIterator + '_ {
        self.places.iter().map(Option::is_some)
    }

    /// Bytes of all streams.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Bytes of the streams that are on disk.
    pub fn bytes_on_disk(&self) -> usize {
        self.on_disk
    }
}

impl Stream {
    /// The stream with its bytes; those of a file are read into `buffer`.
    ///
    /// # Errors
    /// Those of the system.
    pub fn open(self, mut buffer: Vec<u8>) -> io::Result<OpenStream> {
        match self {
            Stream::Memory(kept) => Ok(OpenStream { bytes: Bytes::Memory(kept), buffer }),
            Stream::Pieces(stream) => Ok(OpenStream { bytes: Bytes::Pieces(stream), buffer }),
            Stream::File(file, range) => {
                buffer.clear();
                if buffer.try_reserve(range.len).is_err() {
                    return Err(io::ErrorKind::OutOfMemory.into());
                }
                buffer.resize(range.len, 0);
                read_at(&file, &mut buffer, range.offset)?;
                Ok(OpenStream { bytes: Bytes::Buffer, buffer })
            }
        }
    }
}

impl InPieces {
    /// Appends the stream in one piece.
    ///
    /// # Errors
    /// As [`Pieces::append`].
    pub fn append(&self, par: &dyn Parallel, out: &mut Vec<u8>) -> Result<(), DecodeError> {
        self.pieces.append(&self.laid, par, out)
    }
}

/// The bytes of a stream.
#[derive(Debug)]
pub(crate) struct OpenStream {
    bytes: Bytes,
    buffer: Vec<u8>,
}

#[derive(Debug)]
enum Bytes {
    Memory(Kept),
    Pieces(Box<InPieces>),
    /// They were read from disk, or put together.
    Buffer,
}

impl OpenStream {
    /// How many.
    pub(crate) fn len(&self) -> usize {
        match &self.bytes {
            Bytes::Memory(kept) => kept.bytes().len(),
            Bytes::Pieces(stream) => stream.pieces.stream_bytes(),
            Bytes::Buffer => self.buffer.len(),
        }
    }

    /// All of them, one after the other.
    ///
    /// # Errors
    /// As [`Pieces::append`].
    pub(crate) fn bytes(&mut self, par: &dyn Parallel) -> Result<&[u8], DecodeError> {
        if let Bytes::Pieces(stream) = &self.bytes {
            self.buffer.clear();
            stream.append(par, &mut self.buffer)?;
            self.bytes = Bytes::Buffer;
        }
        Ok(self.joined())
    }

    /// Those of a stream that is not in pieces.
    fn joined(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Memory(kept) => kept.bytes(),
            Bytes::Pieces(_) => &[],
            Bytes::Buffer => &self.buffer,
        }
    }

    /// Decodes the slice.
    ///
    /// # Errors
    /// As [`decode`].
    pub(crate) fn decode<T: Element>(
        &self,
        slice: ViewMut<'_, T>,
        par: &dyn Parallel,
    ) -> Result<(), DecodeError> {
        match &self.bytes {
            Bytes::Pieces(stream) => {
                PartDecoder::of(&stream.pieces, T::DTYPE, slice.shape())?.decode_all(&stream.laid, slice, par)
            }
            _ => decode(self.joined(), slice, par),
        }
    }

    /// What decodes parts of the slice, where that is possible; the bytes are then those of this stream.
    ///
    /// # Errors
    /// As [`PartDecoder::new`].
    pub(crate) fn in_parts(
        &self,
        dtype: DType,
        shape: [usize; 3],
        par: &dyn Parallel,
    ) -> Result<Option<PartDecoder>, DecodeError> {
        match &self.bytes {
            Bytes::Pieces(stream) => PartDecoder::of(&stream.pieces, dtype, shape).map(Some),
            _ => PartDecoder::new(self.joined(), dtype, shape, par),
        }
    }

    /// The memory for the next one, if there is any.
    pub(super) fn into_buffer(self) -> Option<Vec<u8>> {
        (self.buffer.capacity() > 0).then_some(self.buffer)
    }
}

impl PieceMemory for OpenStream {
    fn piece(&self, at: u64, len: usize) -> &[u8] {
        match &self.bytes {
            Bytes::Pieces(stream) => stream.laid.piece(at, len),
            _ => self.joined().piece(at, len),
        }
    }
}

/// What memory was for.
fn of_history(name: &str) -> String {
    format!("the history of `{name}`")
}

/// Whether streams may go to disk.
fn spills(layers: &Layers) -> bool {
    matches!(layers, Layers::Disk(_) | Layers::Spill(_))
}

fn disk(name: &str, doing: &'static str, path: &Path, came: &str, error: &io::Error) -> RuntimeError {
    let full = error.kind() == io::ErrorKind::StorageFull;
    let (name, path, reason) = (name.into(), path.into(), format!("{error}{came}"));
    RuntimeError::Disk { name, doing, path, reason, full }
}

/// Copies on several threads: most of the time goes into the first touch of the new pages.
fn copy(from: &[u8], to: &mut [u8], par: &dyn Parallel) {
    const PIECE: usize = 1 << 20;
    if from.len() <= 2 * PIECE {
        return to.copy_from_slice(from);
    }
    let pieces: Vec<_> = from.chunks(PIECE).zip(to.chunks_mut(PIECE)).map(std::sync::Mutex::new).collect();
    par.run(pieces.len(), &|i| {
        let mut piece = lock(&pieces[i]);
        let (from, to) = &mut *piece;
        to.copy_from_slice(from);
    });
}
