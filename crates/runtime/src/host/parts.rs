//! Snapshots that are compressed and decompressed part by part, in the loops of the kernel.
//!
//! Parts come on any threads, between the start of an effect and its wait. What a part cannot do is done for the whole
//! slice: a slot is compressed by the wait, a tile field is gathered into a slice of memory in a second round; a stream
//! without parts is decompressed at the start.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Instant;

use wavefold_codecs::{Bounded, DecodeError, PartDecoder, PartEncoder, SliceInfo, View, ViewMut};
use wavefold_ir::{Decls, FieldId};

use super::effects::{Slice, internal};
use super::{cube, cube_strides};
use crate::data::{Scalar, with_type};
use crate::locks::lock;
use crate::store::OpenStream;
use crate::{Buffer, Result, RuntimeError, Store};

/// What one store has under way.
#[derive(Debug, Default)]
pub(super) struct Parts {
    state: RwLock<State>,
    /// Time of all threads in parts, in nanoseconds.
    time: AtomicU64,
    error: Mutex<Option<RuntimeError>>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) write: Option<Write>,
    pub(super) read: Option<Read>,
}

/// A snapshot to be written, with what serves the next one too.
#[derive(Debug)]
pub(super) struct Write {
    pub(super) snapshot: usize,
    pub(super) source: Source,
    pub(super) mode: Mode,
    /// None when the codec needs the whole slice.
    pub(super) encoder: Option<PartEncoder>,
    /// What became of the last snapshots, as many as the encoder looks back.
    pub(super) before: Vec<SliceInfo>,
    /// Values of a slice whose tiles are gone.
    pub(super) gathered: Option<Buffer>,
}

/// Where the values of a snapshot are.
#[derive(Debug)]
pub(super) enum Source {
    Slot(Slice),
    Tile(FieldId),
}

/// What is done with parts that are to be written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Mode {
    /// They are coded.
    Code,
    /// They are copied.
    Gather,
    /// Nothing: the slot is coded by the wait.
    Leave,
    /// Nothing: the snapshot is written.
    Done,
}

/// A snapshot of which parts are read.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) snapshot: usize,
    /// Where parts go; a slot has all of them from the start.
    pub(super) tile: Option<FieldId>,
    pub(super) form: Form,
}

/// Where its values come from.
#[derive(Debug)]
pub(super) enum Form {
    Stream(OpenStream, Box<PartDecoder>),
    /// Row-major.
    Values(Buffer),
}

impl Parts {
    pub(super) fn state(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn shared(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Seconds that each of `threads` threads has spent since the last call.
    pub(super) fn take_seconds(&self, threads: usize) -> f64 {
        self.time.swap(0, Ordering::Relaxed) as f64 * 1e-9 / threads.max(1) as f64
    }

    /// The first error in a part.
    pub(super) fn take_error(&self) -> Option<RuntimeError> {
        lock(&self.error).take()
    }

    /// Moves one part of the snapshot of `store` that is under way.
    pub(super) fn part(&self, decls: &Decls, id: FieldId, store: &Store, place: &Place) {
        let start = Instant::now();
        let state = self.shared();
        let moved = place.within(decls, id).and_then(|part| {
            with_type!(decls.field(id).dtype, T => match &*state {
                State { write: Some(write), .. } => write.part::<T>(decls, store, &part, place),
                State { read: Some(read), .. } => read.part::<T>(decls, id, &part, place),
                _ => Err(RuntimeError::internal("a part of nothing")),
            })
        });
        drop(state);
        if let Err(error) = moved {
            lock(&self.error).get_or_insert(error);
        }
        self.time.fetch_add(start.elapsed().as_nanos() as u64, Ordering::Relaxed);
    }
}

/// The points of a part in the domain, along its first two dimensions, and the memory of the tile field.
pub(super) struct Place {
    pub(super) from: [i64; 2],
    pub(super) to: [i64; 2],
    pub(super) tile: *mut u8,
}

/// A part in the slice, as codecs count: origin along the first two of three axes, and extents.
struct Part {
    shape: [usize; 3],
    origin: [usize; 2],
    extent: [usize; 3],
}

impl Place {
    fn within(&self, decls: &Decls, store: FieldId) -> Result<Part> {
        let field = decls.field(store);
        let stored = decls.stored_shape(field);
        let outside = || RuntimeError::internal(format!("a part of `{}` lies outside", field.name));
        let along = |d: usize| {
            let first = field.window.as_ref().map_or(0, |w| w.from[d] as i64);
            let (from, to) = (self.from[d] - first, self.to[d] - first);
            let inside = 0 <= from && from < to && to <= stored[d] as i64;
            inside.then_some((from as usize, (to - from) as usize)).ok_or_else(outside)
        };
        let (origin, extent) = match stored.as_slice() {
            [_, n] => {
                let (x, nx) = along(0)?;
                ([0, x], [1, nx, *n])
            }
            [_, _, n] => {
                let ((x, nx), (y, ny)) = (along(0)?, along(1)?);
                ([x, y], [nx, ny, *n])
            }
            _ => return Err(outside()),
        };
        Ok(Part { shape: cube(&stored), origin, extent })
    }

    /// The first point in the memory of a tile field, the values from there on, and their strides.
    fn tile(&self, decls: &Decls, field: FieldId) -> Result<(*mut u8, usize, [usize; 3])> {
        let field = decls.field(field);
        let error = || RuntimeError::internal(format!("a part of `{}` has no memory", field.name));
        let layout = field.layout.as_ref().filter(|_| !self.tile.is_null()).ok_or_else(error)?;
        // SAFETY: the kernel passes the memory of the whole tile field, in which the layout lies.
        let first = unsafe { self.tile.add(layout.origin() * field.dtype.size()) };
        Ok((first, layout.slot_len() - layout.origin(), cube_strides(layout)))
    }
}

impl Write {
    /// For the snapshots that a run writes.
    pub(super) fn new(decls: &Decls, store: FieldId, codec: Bounded, rows: usize, source: Source) -> Write {
        let field = decls.field(store);
        let shape = cube(&decls.stored_shape(field));
        // A bound on the error is kept by looking at the whole slice once more.
        let encoder = match codec.max_error {
            None if rows > 0 => PartEncoder::new(codec.codec, field.dtype, shape),
            _ => None,
        };
        Write { snapshot: 0, source, mode: Mode::Done, encoder, before: Vec::new(), gathered: None }
    }

    /// Begins a snapshot; `keep`: its values are wanted when it was coded.
    ///
    /// # Errors
    /// `memory::allocation`.
    pub(super) fn begin(&mut self, decls: &Decls, store: FieldId, snapshot: usize, keep: bool) -> Result<()> {
        self.snapshot = snapshot;
        let in_tiles = matches!(self.source, Source::Tile(_));
        let alone = self.encoder.as_mut().is_some_and(|encoder| encoder.begin(&self.before));
        self.mode = if alone && !(keep && in_tiles) { Mode::Code } else { Mode::Leave };
        if in_tiles && self.mode == Mode::Leave { self.gather(decls, store) } else { Ok(()) }
    }

    /// The snapshot is kept.
    pub(super) fn end(&mut self, info: SliceInfo) {
        self.mode = Mode::Done;
        if self.before.len() == PartEncoder::LOOKS_BACK {
            self.before.remove(0);
        }
        self.before.push(info);
    }

    /// From now on parts are copied.
    ///
    /// # Errors
    /// `memory::allocation`.
    pub(super) fn gather(&mut self, decls: &Decls, store: FieldId) -> Result<()> {
        self.mode = Mode::Gather;
        if self.gathered.is_none() {
            self.gathered = Some(slice_memory(decls, store)?);
        }
        Ok(())
    }

    /// The whole slice.
    pub(super) fn view<T: Scalar>(&self, shape: [usize; 3]) -> Result<View<'_, T>> {
        match (&self.source, &self.gathered) {
            // SAFETY: the slot belongs to the run, and the kernel does not write to it before its wait.
            (Source::Slot(slice), _) => unsafe { slice.view::<T>() }.map_err(internal),
            (Source::Tile(_), Some(buffer)) => View::dense(buffer.values::<T>(), shape).map_err(internal),
            (Source::Tile(_), None) => Err(RuntimeError::internal("no slice was gathered")),
        }
    }

    fn part<T: Scalar>(&self, decls: &Decls, store: &Store, part: &Part, place: &Place) -> Result<()> {
        if matches!(self.mode, Mode::Leave | Mode::Done) {
            return Ok(());
        }
        let view = match &self.source {
            // SAFETY: the slot belongs to the run, and the kernel does not write to it before its wait.
            Source::Slot(slice) => unsafe { slice.part::<T>(part.origin, part.extent) }.map_err(internal)?,
            Source::Tile(field) => {
                let (first, len, strides) = place.tile(decls, *field)?;
                // SAFETY: the memory was lent to the calling thread, whose loops have written the points of the part.
                let values = unsafe { std::slice::from_raw_parts(first.cast_const().cast::<T>(), len) };
                View::new(values, part.extent, strides).map_err(internal)?
            }
        };
        match (&self.encoder, &self.gathered) {
            (Some(encoder), _) if self.mode == Mode::Code => {
                encoder.encode(part.origin, view, |piece| store.keep(piece));
            }
            (_, Some(buffer)) => part.rows(|i, j, at| {
                let row = view.row(i, j);
                // SAFETY: `Place::within` found the part inside the slice, whose size the buffer has, and no two parts
                // share a row.
                unsafe {
                    buffer.pointer().cast::<T>().add(at).copy_from_nonoverlapping(row.as_ptr(), row.len())
                };
            }),
            _ => return Err(RuntimeError::internal("a part that nobody takes")),
        }
        Ok(())
    }
}

impl Part {
    /// Calls `row` with the position of each row in the part, and where it begins in the slice.
    fn rows(&self, mut row: impl FnMut(usize, usize, usize)) {
        let ([x, y], [n0, n1, n2]) = (self.origin, self.extent);
        for i in 0..n0 {
            (0..n1).for_each(|j| row(i, j, ((x + i) * self.shape[1] + y + j) * n2));
        }
    }
}

impl Read {
    fn part<T: Scalar>(&self, decls: &Decls, store: FieldId, part: &Part, place: &Place) -> Result<()> {
        let Some(tile) = self.tile else { return Ok(()) };
        let (first, len, strides) = place.tile(decls, tile)?;
        // SAFETY: the memory was lent to the calling thread, and holds numbers, if not yet those of the part.
        let values = unsafe { std::slice::from_raw_parts_mut(first.cast::<T>(), len) };
        match &self.form {
            Form::Stream(stream, decoder) => {
                let view = ViewMut::new(values, part.extent, strides).map_err(internal)?;
                let decoded = decoder.decode(stream, part.origin, view);
                decoded.map_err(|e: DecodeError| {
                    RuntimeError::corrupt(&decls.field(store).name, self.snapshot, &e)
                })
            }
            Form::Values(buffer) => {
                let _: ViewMut<'_, T> = ViewMut::new(values, part.extent, strides).map_err(internal)?;
                let all = buffer.values::<T>();
                part.rows(|i, j, at| {
                    let to = &mut values[i * strides[0] + j * strides[1]..][..part.extent[2]];
                    to.copy_from_slice(&all[at..at + part.extent[2]]);
                });
                Ok(())
            }
        }
    }
}

/// Memory for the values of a snapshot, row-major.
///
/// # Errors
/// `memory::allocation`.
pub(super) fn slice_memory(decls: &Decls, store: FieldId) -> Result<Buffer> {
    let field = decls.field(store);
    let points: usize = decls.stored_shape(field).iter().product();
    Buffer::zeroed(points * field.dtype.size(), &format!("a snapshot of `{}`", field.name))
}
