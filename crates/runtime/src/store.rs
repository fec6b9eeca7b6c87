//! Compressed histories.

use std::fmt;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use wavefold_codecs::{Compression, ErrorReport, Parallel};

use crate::arena::{Arena, Block, Stream};
use crate::{Result, RuntimeError};

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
    steps: usize,
    raw: usize,
    content: RwLock<Content>,
}

#[derive(Debug)]
struct Content {
    state: State,
    codec: Option<Compression>,
    /// By snapshot; grows as they are written, since a history may be declared far longer than memory.
    blocks: Vec<Option<Block>>,
    arena: Arena,
    errors: Option<ErrorReport>,
}

impl Store {
    /// An empty store for `steps` snapshots of `raw` uncompressed bytes each.
    #[must_use]
    pub fn new(name: &str, steps: usize, raw: usize) -> Store {
        let content = Content {
            state: State::Empty,
            codec: None,
            blocks: Vec::new(),
            arena: Arena::default(),
            errors: None,
        };
        Store { name: name.into(), steps, raw, content: RwLock::new(content) }
    }

    /// The name of the function.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Snapshots that it can hold.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// The state.
    #[must_use]
    pub fn state(&self) -> State {
        self.read().state.clone()
    }

    /// The codec that wrote it, with the parameter of the run.
    #[must_use]
    pub fn codec(&self) -> Option<Compression> {
        self.read().codec
    }

    /// Number of snapshots written.
    #[must_use]
    pub fn written(&self) -> usize {
        self.read().blocks.iter().flatten().count()
    }

    /// The first snapshot written.
    #[must_use]
    pub fn first_written(&self) -> Option<usize> {
        self.read().blocks.iter().position(Option::is_some)
    }

    /// The last snapshot written.
    #[must_use]
    pub fn last_written(&self) -> Option<usize> {
        self.read().blocks.iter().rposition(Option::is_some)
    }

    /// The first snapshot that is missing in a range, ends included; a snapshot outside the store is missing.
    #[must_use]
    pub fn first_missing(&self, from: usize, to: usize) -> Option<usize> {
        let content = self.read();
        (from..=to).find(|i| content.blocks.get(*i).is_none_or(Option::is_none))
    }

    /// Uncompressed bytes of the snapshots written, without halo.
    #[must_use]
    pub fn raw_bytes(&self) -> usize {
        self.written().saturating_mul(self.raw)
    }

    /// Bytes of the streams.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.read().blocks.iter().flatten().map(|b| b.len()).sum()
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

    /// Begins the one write: `Empty -> Writing`.
    ///
    /// # Errors
    /// As [`Store::check_writable`].
    pub fn begin_write(&self, codec: Compression) -> Result<()> {
        let mut content = self.write();
        self.writable(&content.state)?;
        content.state = State::Writing;
        content.codec = Some(codec);
        Ok(())
    }

    /// Keeps a copy of the stream of a snapshot, made on the threads of `par`. A later one replaces it.
    ///
    /// # Errors
    /// `store::not_writing`, `data::out_of_range`, `memory::allocation`.
    pub fn put(&self, snapshot: usize, stream: &[u8], par: &dyn Parallel) -> Result<()> {
        let mut content = self.write();
        let Content { state, blocks, arena, .. } = &mut *content;
        if *state != State::Writing {
            return Err(RuntimeError::NotWriting { name: self.name.clone() });
        }
        if snapshot >= self.steps {
            return Err(self.out_of_range(snapshot));
        }
        let new = (snapshot + 1).saturating_sub(blocks.len());
        if blocks.try_reserve(new).is_err() {
            let (what, bytes) =
                (format!("the history of `{}`", self.name), new.saturating_mul(size_of::<Block>()));
            return Err(RuntimeError::Allocation { what, bytes });
        }
        let (block, room) = arena.reserve(stream.len(), &format!("the history of `{}`", self.name))?;
        copy(stream, room, par);
        if new > 0 {
            blocks.resize(snapshot + 1, None);
        }
        blocks[snapshot] = Some(block);
        Ok(())
    }

    /// Keeps the measured error of the write.
    pub fn set_errors(&self, errors: ErrorReport) {
        self.write().errors = Some(errors);
    }

    /// Ends the write: `Writing -> Sealed`.
    ///
    /// # Errors
    /// `store::not_writing`.
    pub fn seal(&self) -> Result<()> {
        let mut content = self.write();
        if content.state != State::Writing {
            return Err(RuntimeError::NotWriting { name: self.name.clone() });
        }
        content.state = State::Sealed;
        Ok(())
    }

    /// Ends a write that failed: `Writing -> Poisoned`. Its streams are freed. No effect in another state.
    pub fn poison(&self, reason: impl Into<String>) {
        let mut content = self.write();
        if content.state == State::Writing {
            content.state = State::Poisoned { reason: reason.into() };
            content.blocks = Vec::new();
            content.arena = Arena::default();
        }
    }

    /// Takes back a write that put nothing yet: `Writing -> Empty`. No effect otherwise.
    pub fn abandon(&self) {
        let mut content = self.write();
        if content.state == State::Writing && content.blocks.iter().all(Option::is_none) {
            content.state = State::Empty;
            content.codec = None;
        }
    }

    /// Hands the stream of a snapshot to `read`.
    ///
    /// # Errors
    /// As [`Store::check_readable`]; `data::out_of_range`, `store::missing_step`.
    pub fn with_stream<R>(&self, snapshot: usize, read: impl FnOnce(&[u8]) -> R) -> Result<R> {
        // The lock is given back before `read`, which may start parallel loops: a thread that waits in one
        // may take up another run, and must not hold what that run needs.
        let stream = self.stream(snapshot)?;
        Ok(read(stream.bytes()))
    }

    fn stream(&self, snapshot: usize) -> Result<Stream> {
        let content = self.read();
        self.readable(&content.state)?;
        match content.blocks.get(snapshot) {
            Some(Some(block)) => Ok(content.arena.get(*block)),
            _ if snapshot < self.steps => Err(self.missing(snapshot, &content)),
            _ => Err(self.out_of_range(snapshot)),
        }
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
        RuntimeError::OutOfRange { name: self.name.clone(), snapshot, steps: self.steps }
    }

    fn missing(&self, step: usize, content: &Content) -> RuntimeError {
        let blocks = &content.blocks;
        let ends = blocks.iter().position(Option::is_some).zip(blocks.iter().rposition(Option::is_some));
        let written = match ends {
            Some((first, last)) if first == last => format!("only {first} was"),
            Some((first, last)) => {
                let gaps = blocks[first..=last].iter().filter(|b| b.is_none()).count();
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

/// Copies on several threads: most of the time goes into the first touch of the new pages.
fn copy(from: &[u8], to: &mut [u8], par: &dyn Parallel) {
    const PIECE: usize = 1 << 20;
    if from.len() <= 2 * PIECE {
        return to.copy_from_slice(from);
    }
    let pieces: Vec<_> = from.chunks(PIECE).zip(to.chunks_mut(PIECE)).map(std::sync::Mutex::new).collect();
    par.run(pieces.len(), &|i| {
        let mut piece = pieces[i].lock().unwrap_or_else(PoisonError::into_inner);
        let (from, to) = &mut *piece;
        to.copy_from_slice(from);
    });
}
