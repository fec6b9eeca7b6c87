//! Where the streams of a history lie: in memory, on disk, or first the one and then the other.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use wavefold_codecs::Parallel;
use wavefold_symbolic::Layers;

use super::arena::{Arena, Block, Kept};
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
    spool: Option<Spool>,
    /// The file of a history that was written before.
    saved: Option<Arc<File>>,
    /// That file, or the directory of the spool.
    path: PathBuf,
    limit: Option<MemoryLimit>,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    Memory(Block),
    File(Range),
}

impl Place {
    fn len(self) -> usize {
        match self {
            Place::Memory(block) => block.len(),
            Place::File(range) => range.len,
        }
    }
}

/// One stream, to be used without the others.
#[derive(Debug)]
pub(super) enum Stream {
    Memory(Kept),
    File(Arc<File>, Range),
}

/// A new stream, and to whom it belongs.
pub(super) struct New<'a> {
    pub name: &'a str,
    pub layers: &'a Layers,
    pub snapshot: usize,
    /// Of how many.
    pub of: usize,
    pub stream: &'a mut Vec<u8>,
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
    pub fn put(&mut self, mut new: New<'_>, par: &dyn Parallel) -> Result<()> {
        let what = format!("the history of `{}`", new.name);
        let more = (new.snapshot + 1).saturating_sub(self.places.len());
        if self.places.try_reserve(more).is_err() {
            return Err(RuntimeError::Allocation { what, bytes: more.saturating_mul(size_of::<Place>()) });
        }
        let len = new.stream.len();
        let (in_memory, spills) = match new.layers {
            Layers::Disk(_) => (false, true),
            Layers::Spill(_) => (self.has_room(len), true),
            Layers::None | Layers::Host => (self.has_room(len), false),
        };
        let place = match in_memory {
            false if spills => self.spool(&mut new)?,
            false => return Err(self.limit_reached(&new)),
            true => match self.arena.reserve(len, &what) {
                Ok((block, room)) => {
                    copy(new.stream, room, par);
                    Place::Memory(block)
                }
                Err(RuntimeError::Allocation { .. }) if spills => self.spool(&mut new)?,
                Err(e) => return Err(e),
            },
        };
        let snapshot = new.snapshot;
        if more > 0 {
            self.places.resize(snapshot + 1, None);
        }
        self.bytes = self.bytes + len - self.places[snapshot].map_or(0, Place::len);
        self.places[snapshot] = Some(place);
        Ok(())
    }

    fn has_room(&self, len: usize) -> bool {
        self.limit.as_ref().is_none_or(|limit| limit.take(len))
    }

    fn spool(&mut self, new: &mut New<'_>) -> Result<Place> {
        let Some(spool) = &mut self.spool else {
            return Err(RuntimeError::internal("a history without a file goes to disk"));
        };
        let len = new.stream.len();
        match spool.put(new.stream) {
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
        let bytes = places.iter().flatten().map(|p| p.len()).sum();
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
        let stream = match (*self.places.get(snapshot)?)? {
            Place::Memory(block) => Stream::Memory(self.arena.get(block)),
            Place::File(range) => Stream::File(self.file()?, range),
        };
        let stride = last.map_or(0, |last| snapshot as i64 - last as i64);
        if stride != 0 && self.on_disk > 0 {
            (1..=AHEAD).for_each(|k| self.expect(snapshot as i64 + k * stride));
        }
        Some(stream)
    }

    fn expect(&self, snapshot: i64) {
        let place = usize::try_from(snapshot).ok().and_then(|i| *self.places.get(i)?);
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
            Stream::Memory(kept) => Ok(OpenStream { kept: Some(kept), buffer }),
            Stream::File(file, range) => {
                buffer.clear();
                if buffer.try_reserve(range.len).is_err() {
                    return Err(io::ErrorKind::OutOfMemory.into());
                }
                buffer.resize(range.len, 0);
                read_at(&file, &mut buffer, range.offset)?;
                Ok(OpenStream { kept: None, buffer })
            }
        }
    }
}

/// The bytes of a stream.
#[derive(Debug)]
pub(crate) struct OpenStream {
    kept: Option<Kept>,
    buffer: Vec<u8>,
}

impl OpenStream {
    pub(crate) fn bytes(&self) -> &[u8] {
        self.kept.as_ref().map_or(&self.buffer, Kept::bytes)
    }

    /// The memory for the next one, if there is any.
    pub(super) fn into_buffer(self) -> Option<Vec<u8>> {
        (self.buffer.capacity() > 0).then_some(self.buffer)
    }
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
