//! Compressed histories.

mod arena;
pub mod file;
mod limit;
mod pool;
mod spool;
mod streams;

pub use limit::MemoryLimit;
pub(crate) use pool::make_room;
pub use pool::release_memory;
pub(crate) use streams::OpenStream;

use std::fmt;
use std::path::Path;
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use wavefold_codecs::{
    Bounded, Compression, Element, EncodeError, ErrorReport, Parallel, Pieces, SliceInfo, Trend, View,
};
use wavefold_symbolic::Layers;

use crate::locks::lock;
use crate::threads::Everywhere;
use crate::{Result, RuntimeError};
use file::Kind;
use streams::{New, Stream, Streams};

/// What has happened to a [`Store`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing was written yet.
    Empty,
    /// A run is writing it.
    Writing,
    /// A run has written it; it can be read by any number of runs, and not written again.
    Sealed,
    /// The run that wrote it failed; it can be neither read nor written.
    Poisoned {
        /// Why the run failed.
        reason: String,
    },
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            State::Empty => f.write_str("empty"),
            State::Writing => f.write_str("being written"),
            State::Sealed => f.write_str("sealed"),
            State::Poisoned { reason } => write!(f, "poisoned: {reason}"),
        }
    }
}

/// The compressed history of one function: one stream per snapshot.
#[derive(Debug)]
pub struct Store {
    name: String,
    kind: Kind,
    layers: Layers,
    content: RwLock<Content>,
    /// The snapshot read last.
    last: Mutex<Option<usize>>,
    /// Memory of streams that were read from disk, for the next ones.
    buffers: Mutex<Vec<Vec<u8>>>,
    /// What the snapshots written so far tell of the next one. It is here so that it outlives a kernel that hands over to
    /// another: the streams must not depend on when that happens.
    trend: Mutex<Trend>,
}

#[derive(Debug)]
struct Content {
    state: State,
    codec: Option<Bounded>,
    streams: Streams,
    errors: Option<ErrorReport>,
}

impl Store {
    /// An empty store for snapshots of a kind.
    #[must_use]
    pub fn new(name: &str, kind: Kind, layers: Layers) -> Store {
        let content = Content { state: State::Empty, codec: None, streams: Streams::default(), errors: None };
        Store {
            name: name.into(),
            kind,
            layers,
            content: RwLock::new(content),
            last: Mutex::new(None),
            buffers: Mutex::new(Vec::new()),
            trend: Mutex::default(),
        }
    }

    /// The name of the function.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Snapshots that it can hold.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.kind.snapshots
    }

    /// The state.
    #[must_use]
    pub fn state(&self) -> State {
        self.read().state.clone()
    }

    /// The codec that wrote it, with the parameter and the bound on the error of the run.
    #[must_use]
    pub fn codec(&self) -> Option<Bounded> {
        self.read().codec
    }

    /// Number of snapshots written.
    #[must_use]
    pub fn written(&self) -> usize {
        self.read().streams.written().filter(|w| *w).count()
    }

    /// The first snapshot written.
    #[must_use]
    pub fn first_written(&self) -> Option<usize> {
        self.read().streams.written().position(|w| w)
    }

    /// The last snapshot written.
    #[must_use]
    pub fn last_written(&self) -> Option<usize> {
        self.read().streams.written().rposition(|w| w)
    }

    /// The first snapshot that is missing in a range, ends included; a snapshot outside the store is missing.
    #[must_use]
    pub fn first_missing(&self, from: usize, to: usize) -> Option<usize> {
        let content = self.read();
        let mut written = content.streams.written().skip(from);
        (from..=to).find(|_| !written.next().unwrap_or(false))
    }

    /// Uncompressed bytes of the snapshots written, without halo.
    #[must_use]
    pub fn raw_bytes(&self) -> usize {
        self.written().saturating_mul(self.kind.bytes())
    }

    /// Bytes of the streams.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.read().streams.bytes()
    }

    /// Bytes of the streams that are on disk and not in memory.
    #[must_use]
    pub fn bytes_on_disk(&self) -> usize {
        self.read().streams.bytes_on_disk()
    }

    /// Raw bytes over compressed bytes; 0 while nothing is written.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        match self.bytes() {
            0 => 0.0,
            bytes => self.raw_bytes() as f64 / bytes as f64,
        }
    }

    /// The measured error of all snapshots, if the run that wrote it was asked for it.
    #[must_use]
    pub fn errors(&self) -> Option<ErrorReport> {
        self.read().errors
    }

    /// Whether a run may begin to write it.
    ///
    /// # Errors
    /// `store::second_write`, `store::writing`, `store::poisoned`.
    pub fn check_writable(&self) -> Result<()> {
        self.writable(&self.read().state)
    }

    /// Whether it can be read.
    ///
    /// # Errors
    /// `store::empty`, `store::writing`, `store::poisoned`.
    pub fn check_readable(&self) -> Result<()> {
        self.readable(&self.read().state)
    }

    /// Whether all snapshots of a range, ends included, can be read.
    ///
    /// # Errors
    /// As [`Store::check_readable`]; `store::missing_step`.
    pub fn check_range(&self, from: usize, to: usize) -> Result<()> {
        self.check_readable()?;
        self.first_missing(from, to).map_or(Ok(()), |step| Err(self.missing(step, &self.read())))
    }

    /// Begins the one write: `Empty -> Writing`. What it keeps in memory is taken from `limit`.
    ///
    /// # Errors
    /// As [`Store::check_writable`]; `store::disk` when its directory cannot be written to.
    pub fn begin_write(&self, codec: impl Into<Bounded>, limit: Option<&MemoryLimit>) -> Result<()> {
        let mut content = self.write();
        self.writable(&content.state)?;
        content.streams.begin(&self.name, &self.layers, limit.cloned())?;
        content.state = State::Writing;
        content.codec = Some(codec.into());
        *lock(&self.trend) = Trend::default();
        Ok(())
    }

    /// Codes the next snapshot, with what is known from those before.
    ///
    /// # Errors
    /// Those of [`Bounded::encode`].
    pub(crate) fn encode<T: Element>(
        &self,
        codec: Bounded,
        values: View<'_, T>,
        par: &dyn Parallel,
        stream: &mut Vec<u8>,
    ) -> Result<SliceInfo, EncodeError> {
        codec.encode_next(values, par, &mut lock(&self.trend), stream)
    }

    /// Keeps the stream of a snapshot; what is left in the vector means nothing. A later one replaces it. In memory it is
    /// a copy, made on the threads of `par`; on disk it is written while the caller goes on.
    ///
    /// # Errors
    /// `store::not_writing`, `data::out_of_range`, `memory::allocation`, `memory::limit`; `store::disk`, perhaps of an
    /// earlier stream.
    pub fn put(&self, snapshot: usize, stream: &mut Vec<u8>, par: &dyn Parallel) -> Result<()> {
        let (mut content, new) = self.writing(snapshot)?;
        content.streams.put(new, stream, par)
    }

    /// The streams while they are written, and what is told with that of a snapshot.
    fn writing(&self, snapshot: usize) -> Result<(RwLockWriteGuard<'_, Content>, New<'_>)> {
        let content = self.write();
        if content.state != State::Writing {
            return Err(RuntimeError::NotWriting { name: self.name.clone() });
        }
        if snapshot >= self.steps() {
            return Err(self.out_of_range(snapshot));
        }
        Ok((content, New { name: &self.name, layers: &self.layers, snapshot, of: self.steps() }))
    }

    /// From here on the pieces of one snapshot come.
    pub(crate) fn begin_pieces(&self) {
        self.write().streams.begin_pieces();
    }

    /// Puts a piece where it stays; `None` where memory is short. The result is its place.
    pub(crate) fn keep(&self, piece: &[u8]) -> Option<u64> {
        let room = self.write().streams.room(piece.len()).ok()?;
        Some(room.fill(piece))
    }

    /// Gives back what the pieces have taken.
    pub(crate) fn forget_pieces(&self) {
        self.write().streams.forget_pieces();
    }

    /// Appends the stream that the pieces make.
    ///
    /// # Errors
    /// `run::internal`.
    pub(crate) fn join(&self, pieces: &Pieces, par: &dyn Parallel, stream: &mut Vec<u8>) -> Result<()> {
        let coded = self.read().streams.in_pieces(pieces.clone());
        coded.append(par, stream).map_err(|e| RuntimeError::internal(format!("a fresh stream: {e}")))
    }

    /// As [`put`](Store::put), for a snapshot whose pieces were kept; `stream` is work space.
    ///
    /// # Errors
    /// As [`put`](Store::put).
    pub(crate) fn put_pieces(
        &self,
        snapshot: usize,
        pieces: Pieces,
        stream: &mut Vec<u8>,
        par: &dyn Parallel,
    ) -> Result<()> {
        let (mut content, new) = self.writing(snapshot)?;
        content.streams.put_pieces(new, pieces, stream, par)
    }

    /// Keeps the measured error of the write.
    pub fn set_errors(&self, errors: ErrorReport) {
        self.write().errors = Some(errors);
    }

    /// Ends the write: `Writing -> Sealed`; waits for the disk.
    ///
    /// # Errors
    /// `store::not_writing`; `store::disk`, and the store is poisoned.
    pub fn seal(&self) -> Result<()> {
        let mut content = self.write();
        if content.state != State::Writing {
            return Err(RuntimeError::NotWriting { name: self.name.clone() });
        }
        // With it goes memory that only writing needs.
        *lock(&self.trend) = Trend::default();
        if let Err(error) = content.streams.end(&self.name, self.steps()) {
            content.state = State::Poisoned { reason: error.to_string() };
            content.streams = Streams::default();
            return Err(error);
        }
        content.state = State::Sealed;
        Ok(())
    }

    /// Ends a write that failed: `Writing -> Poisoned`. Its streams are freed. No effect in another state.
    pub fn poison(&self, reason: impl Into<String>) {
        let mut content = self.write();
        if content.state == State::Writing {
            content.state = State::Poisoned { reason: reason.into() };
            content.streams = Streams::default();
            *lock(&self.trend) = Trend::default();
        }
    }

    /// Takes back a write that put nothing yet: `Writing -> Empty`. No effect otherwise.
    pub fn abandon(&self) {
        let mut content = self.write();
        if content.state == State::Writing && content.streams.written().all(|w| !w) {
            content.state = State::Empty;
            content.streams = Streams::default();
            content.codec = None;
        }
    }

    /// Hands the stream of a snapshot to `read`.
    ///
    /// # Errors
    /// As [`Store::check_readable`]; `data::out_of_range`, `store::missing_step`, `store::disk`.
    pub fn with_stream<R>(&self, snapshot: usize, read: impl FnOnce(&[u8]) -> R) -> Result<R> {
        // The lock is given back before `read`, which may start parallel loops: a thread that waits in one
        // may take up another run, and must not hold what that run needs.
        let mut stream = self.open_stream(snapshot)?;
        let bytes = stream.bytes(&Everywhere);
        let result = read(bytes.map_err(|e| RuntimeError::corrupt(&self.name, snapshot, &e))?);
        self.close_stream(stream);
        Ok(result)
    }

    /// The stream of a snapshot.
    ///
    /// # Errors
    /// As [`Store::with_stream`].
    pub(crate) fn open_stream(&self, snapshot: usize) -> Result<OpenStream> {
        let stream = self.stream(snapshot)?;
        let buffer = lock(&self.buffers).pop().unwrap_or_default();
        stream.open(buffer).map_err(|e| self.read().streams.unreadable(&self.name, &e))
    }

    /// Keeps the memory of a stream that was read from disk, or put together, for the next one.
    pub(crate) fn close_stream(&self, stream: OpenStream) {
        if let Some(buffer) = stream.into_buffer() {
            lock(&self.buffers).push(buffer);
        }
    }

    fn stream(&self, snapshot: usize) -> Result<Stream> {
        let content = self.read();
        self.readable(&content.state)?;
        let last = lock(&self.last).replace(snapshot);
        match content.streams.get(snapshot, last) {
            Some(stream) => Ok(stream),
            None if snapshot < self.steps() => Err(self.missing(snapshot, &content)),
            None => Err(self.out_of_range(snapshot)),
        }
    }

    /// Writes a sealed history to a file, which takes its name when it is complete; one of this name is replaced.
    ///
    /// # Errors
    /// As [`Store::check_readable`]; `store::disk`, `history::file`.
    pub fn save(&self, path: &Path) -> Result<()> {
        self.check_readable()?;
        let snapshots = self.last_written().map_or(0, |last| last + 1);
        let codec = self.codec().unwrap_or(Compression::Noop.into());
        file::save(path, &self.kind, codec, &self.name, snapshots, |snapshot, write| {
            match self.with_stream(snapshot, &mut *write) {
                Err(RuntimeError::MissingStep { .. }) => Ok(()),
                other => other,
            }
        })
    }

    /// Takes the history of a file in the place of a write: `Empty -> Sealed`. The file stays open, and its streams are
    /// read when they are needed.
    ///
    /// # Errors
    /// As [`Store::check_writable`]; `history::file`, `history::format`; `history::mismatch` when its snapshots are of
    /// another kind.
    pub fn open(&self, path: &Path) -> Result<()> {
        let saved = file::open(path)?;
        if saved.kind != self.kind {
            let (name, expected, found) = (self.name.clone(), self.kind.to_string(), saved.kind.to_string());
            return Err(RuntimeError::HistoryMismatch { name, path: path.into(), expected, found });
        }
        let mut content = self.write();
        self.writable(&content.state)?;
        content.codec = Some(saved.codec);
        content.streams = Streams::of_file(saved, path);
        content.state = State::Sealed;
        Ok(())
    }

    fn writable(&self, state: &State) -> Result<()> {
        let name = self.name.clone();
        match state {
            State::Empty => Ok(()),
            State::Writing => Err(RuntimeError::Writing { name }),
            State::Sealed => Err(RuntimeError::SecondWrite { name }),
            State::Poisoned { reason } => Err(RuntimeError::Poisoned { name, reason: reason.clone() }),
        }
    }

    fn readable(&self, state: &State) -> Result<()> {
        let name = self.name.clone();
        match state {
            State::Empty => Err(RuntimeError::Empty { name }),
            State::Writing => Err(RuntimeError::Writing { name }),
            State::Sealed => Ok(()),
            State::Poisoned { reason } => Err(RuntimeError::Poisoned { name, reason: reason.clone() }),
        }
    }

    fn out_of_range(&self, snapshot: usize) -> RuntimeError {
        RuntimeError::OutOfRange { name: self.name.clone(), snapshot, steps: self.steps() }
    }

    fn missing(&self, step: usize, content: &Content) -> RuntimeError {
        let streams = &content.streams;
        let ends = streams.written().position(|w| w).zip(streams.written().rposition(|w| w));
        let written = match ends {
            Some((first, last)) if first == last => format!("only {first} was"),
            Some((first, last)) => {
                let gaps = streams.written().take(last).skip(first).filter(|w| !w).count();
                let but = if gaps == 0 { String::new() } else { format!(", but for {gaps} of them") };
                format!("{first} to {last} were{but}")
            }
            None => "none was".into(),
        };
        RuntimeError::MissingStep { name: self.name.clone(), step, written }
    }

    // A panic while the lock was held leaves the content whole: every change is a single assignment.
    fn read(&self) -> RwLockReadGuard<'_, Content> {
        self.content.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Content> {
        self.content.write().unwrap_or_else(PoisonError::into_inner)
    }
}
