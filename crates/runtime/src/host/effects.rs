//! What the callbacks of a kernel do.

use std::sync::atomic::Ordering;
use std::time::Instant;

use wavefold_codecs::{
    Bounded, DecodeError, EncodeError, ErrorReport, Parallel, View, ViewError, ViewMut, decode,
};
use wavefold_ir::{Direction, FieldId, FieldKind};

use super::parts::{self, Form, Mode, Place, Source};
use super::{Access, BoundStore, Handover, Inner, cube, cube_strides, finite, status};
use crate::data::{Scalar, with_type};
use crate::{Buffer, Result, RuntimeError, locks};

/// Whether the kernel stops before step `t` for the next kernel; it does so once.
pub(super) fn hands_over(inner: &Inner<'_>, t: i64) -> bool {
    let Some(ask) = inner.handover else { return false };
    let (done, seconds) = {
        let work = inner.work();
        if work.steps == 0 || work.handed_over.is_some() {
            return false;
        }
        (work.steps, work.start.elapsed().as_secs_f64() - work.measuring)
    };
    let wanted = ask(done, inner.time.1 - inner.time.0 + 1);
    if wanted {
        inner.work().handed_over = Some(Handover { step: t, done, seconds });
    }
    wanted
}

/// `count` steps begin, the first of which is `t`.
pub(super) fn steps(inner: &Inner<'_>, t: i64, count: i64, par: &dyn Parallel) -> Result<()> {
    if inner.cancel.is_some_and(|flag| flag.load(Ordering::Relaxed)) {
        return Err(RuntimeError::Cancelled { step: t });
    }
    finite::between_steps(inner)?;
    let done = inner.work().steps;
    if let Some(progress) = inner.progress {
        locks::callback(|| progress(done, inner.time.1 - inner.time.0 + 1));
    }
    inner.rows.before_steps(inner.time.1 - inner.time.0 + 1 - done, inner.threads, par);
    // Nothing stops these steps from here on.
    let last = match inner.in_place.direction {
        Direction::Ascending => t + count - 1,
        Direction::Descending => t - count + 1,
    };
    let mut work = inner.work();
    (work.steps, work.step, work.group) = (done + count, last, count);
    Ok(())
}

/// Compresses slot `slot` of `field` into snapshot `snapshot` of `store`; in parts, when `rows` is not 0.
pub(super) fn compress(
    inner: &Inner<'_>,
    (store, snapshot): (i64, i64),
    (field, slot): (i64, i64),
    rows: i64,
    par: &dyn Parallel,
) -> Result<()> {
    let (id, bound) = find(inner, store)?;
    let Access::Write(codec) = bound.access else {
        return Err(RuntimeError::internal(format!(
            "`{}` is written but bound for reading",
            bound.store.name()
        )));
    };
    let snapshot = index(snapshot)?;
    let source = match inner.decls.field(known(inner, field)?).kind {
        FieldKind::Tile => Source::Tile(known(inner, field)?),
        _ => Source::Slot(slice(inner, field, slot)?),
    };
    let mut state = bound.parts.state();
    let mut write = match state.write.take() {
        Some(before) => parts::Write { source, ..before },
        None => parts::Write::new(inner.decls, id, codec, index(rows)?, source),
    };
    if rows > 0 {
        write.begin(inner.decls, id, snapshot, inner.measure)?;
        if write.mode == Mode::Code {
            bound.store.begin_pieces();
        }
        state.write = Some(write);
        return Ok(());
    }
    (write.snapshot, write.mode) = (snapshot, Mode::Leave);
    state.write = Some(write);
    drop(state);
    match &inner.beside {
        Some(beside) => beside.start(id),
        None => compress_whole(inner, id, par)?,
    }
    Ok(())
}

/// Compresses the slice at hand of a store, where it lies.
pub(super) fn compress_whole(inner: &Inner<'_>, id: FieldId, par: &dyn Parallel) -> Result<()> {
    let (id, bound) = find(inner, i64::from(id.0))?;
    let mut state = bound.parts.state();
    let (Some(write), Access::Write(codec)) = (&mut state.write, &bound.access) else {
        return Err(RuntimeError::internal("nothing to compress"));
    };
    let one = Compress { id, bound, codec: *codec, par, start: Instant::now() };
    with_type!(inner.decls.field(id).dtype, T => one.run::<T>(inner, write)).map(|_| ())
}

/// Decompresses snapshot `snapshot` of `store` into slot `slot` of `field`; in parts, when `rows` is not 0.
pub(super) fn decompress(
    inner: &Inner<'_>,
    (store, snapshot): (i64, i64),
    (field, slot): (i64, i64),
    rows: i64,
    par: &dyn Parallel,
) -> Result<()> {
    let (id, bound) = find(inner, store)?;
    let (start, snapshot) = (Instant::now(), index(snapshot)?);
    let field_id = known(inner, field)?;
    let stream = bound.store.open_stream(snapshot)?;
    let bytes = stream.len();
    let failed = |e: DecodeError| RuntimeError::corrupt(bound.store.name(), snapshot, &e);
    let dtype = inner.decls.field(id).dtype;
    if matches!(inner.decls.field(field_id).kind, FieldKind::Tile) {
        let shape = cube(&inner.decls.stored_shape(inner.decls.field(id)));
        let form = match stream.in_parts(dtype, shape, par).map_err(failed)? {
            Some(decoder) => Form::Stream(stream, Box::new(decoder)),
            None => {
                let mut values = match bound.parts.state().read.take().map(|read| read.form) {
                    Some(Form::Values(buffer)) => buffer,
                    _ => parts::slice_memory(inner.decls, id)?,
                };
                with_type!(dtype, T => {
                    let view = ViewMut::dense(values.values_mut::<T>(), shape).map_err(internal)?;
                    stream.decode(view, par).map_err(failed)?;
                });
                bound.store.close_stream(stream);
                Form::Values(values)
            }
        };
        bound.parts.state().read = Some(parts::Read { snapshot, tile: Some(field_id), form });
    } else {
        let slice = slice(inner, field, slot)?;
        with_type!(dtype, T => {
            // SAFETY: the slot belongs to the run, and the kernel does not touch it before its wait.
            let view = unsafe { slice.view_mut::<T>() }.map_err(internal)?;
            stream.decode(view, par).map_err(failed)?;
        });
        bound.store.close_stream(stream);
        // Its parts are where they belong.
        let nothing = || Form::Values(Buffer::from_vec::<f32>(vec![]));
        bound.parts.state().read = (rows > 0).then(|| parts::Read { snapshot, tile: None, form: nothing() });
    }
    let raw = raw_bytes(inner, id);
    inner.work().decompress[id.index()].add(start.elapsed().as_secs_f64(), raw, bytes);
    Ok(())
}

/// The store of a ticket.
fn of_ticket<'a>(inner: &'a Inner<'_>, ticket: i64) -> Result<(FieldId, &'a BoundStore)> {
    find(inner, ticket.checked_rem_euclid(inner.stores.len() as i64).unwrap_or(0))
}

/// Moves a part of the slice of a ticket.
pub(super) fn part(inner: &Inner<'_>, ticket: i64, place: &Place) -> Result<()> {
    let (id, bound) = of_ticket(inner, ticket)?;
    bound.parts.part(inner.decls, id, &bound.store, place);
    Ok(())
}

/// Ends the work of a ticket. True when all its parts are wanted once more.
pub(super) fn wait(inner: &Inner<'_>, ticket: i64, par: &dyn Parallel) -> Result<bool> {
    let stores = inner.stores.len().max(1) as i64;
    if ticket < 0 || ticket / stores >= inner.work().tickets {
        let text = format!("the kernel waits for ticket {ticket}, which was never made");
        return Err(RuntimeError::internal(text));
    }
    let (id, bound) = of_ticket(inner, ticket)?;
    if let Some(beside) = &inner.beside
        && !beside.wait(id)
    {
        // The cause is recorded.
        return Err(RuntimeError::Status { status: status::FAILED });
    }
    let mut state = bound.parts.state();
    if let Some(error) = bound.parts.take_error() {
        return Err(error);
    }
    let seconds = bound.parts.take_seconds(inner.threads);
    if let Some(read) = &mut state.read {
        inner.work().decompress[id.index()].seconds += seconds;
        if let Form::Stream(..) = read.form
            && let Some(parts::Read { form: Form::Stream(stream, _), .. }) = state.read.take()
        {
            bound.store.close_stream(stream);
        }
        return Ok(false);
    }
    let (Some(write), Access::Write(codec)) = (&mut state.write, &bound.access) else { return Ok(false) };
    if write.mode == Mode::Done {
        return Ok(false);
    }
    inner.work().compress[id.index()].seconds += seconds;
    let one = Compress { id, bound, codec: *codec, par, start: Instant::now() };
    let written = with_type!(inner.decls.field(id).dtype, T => one.run::<T>(inner, write))?;
    if !written {
        write.gather(inner.decls, id)?;
    }
    Ok(!written)
}

/// One compression.
struct Compress<'a> {
    id: FieldId,
    bound: &'a BoundStore,
    codec: Bounded,
    par: &'a dyn Parallel,
    start: Instant,
}

impl Compress<'_> {
    /// False when the values are gone: they must come again, to be gathered.
    fn run<T: Scalar>(&self, inner: &Inner<'_>, write: &mut parts::Write) -> Result<bool> {
        let shape = cube(&inner.decls.stored_shape(inner.decls.field(self.id)));
        let store = &self.bound.store;
        let from_parts = match &mut write.encoder {
            Some(encoder) if write.mode == Mode::Code => encoder.finish::<T>(),
            _ => None,
        };
        if from_parts.is_none() && write.mode == Mode::Code {
            store.forget_pieces();
        }
        // Loops may go on meanwhile, and ask for what is shared.
        let (under_way, mut stream, decoded) = {
            let mut work = inner.work();
            ((work.step, work.group), std::mem::take(&mut work.stream), work.decoded.take())
        };
        stream.clear();
        let failed = |e| self.failed(inner, write, under_way, e);
        let (info, pieces) = match from_parts {
            Some((info, pieces)) => (info, Some(pieces)),
            None if write.mode == Mode::Code && matches!(write.source, Source::Tile(_)) => return Ok(false),
            None => {
                let values = write.view::<T>(shape)?;
                (store.encode(self.codec, values, self.par, &mut stream).map_err(failed)?, None)
            }
        };
        let (encoding, raw, bytes) = (self.start.elapsed(), raw_bytes(inner, self.id), info.bytes as usize);
        if inner.measure {
            if let Some(pieces) = &pieces {
                store.join(pieces, self.par, &mut stream)?;
            }
            let start = Instant::now();
            let mut back = match decoded {
                Some(buffer) => buffer,
                None => Buffer::zeroed(raw, "a decompressed slice")?,
            };
            let mut errors = std::mem::take(&mut inner.work().errors[self.id.index()]);
            self.measure(write.view::<T>(shape)?, &stream, &mut back, &mut errors)?;
            let mut work = inner.work();
            work.errors[self.id.index()] = errors;
            work.decoded = Some(back);
            work.measuring += start.elapsed().as_secs_f64();
        }
        let start = Instant::now();
        match pieces {
            Some(pieces) => store.put_pieces(write.snapshot, pieces, &mut stream, self.par)?,
            None => store.put(write.snapshot, &mut stream, self.par)?,
        }
        let mut work = inner.work();
        work.stream = stream;
        work.compress[self.id.index()].add((encoding + start.elapsed()).as_secs_f64(), raw, bytes);
        write.end(info);
        Ok(true)
    }

    /// Decompresses a fresh stream, and adds what it lost to the errors of the history.
    fn measure<T: Scalar>(
        &self,
        values: View<'_, T>,
        stream: &[u8],
        back: &mut Buffer,
        errors: &mut ErrorReport,
    ) -> Result<()> {
        let shape = values.shape();
        let view = ViewMut::dense(back.values_mut::<T>(), shape).map_err(internal)?;
        decode(stream, view, self.par).map_err(|e| RuntimeError::internal(format!("a fresh stream: {e}")))?;
        errors.accumulate(values, View::dense(back.values::<T>(), shape).map_err(internal)?).map_err(internal)
    }

    fn failed(
        &self,
        inner: &Inner<'_>,
        write: &parts::Write,
        (last, group): (i64, i64),
        error: EncodeError,
    ) -> RuntimeError {
        let (name, snapshot) = (self.bound.store.name().to_string(), write.snapshot);
        // Of several steps that are under way, that of the snapshot.
        let every = inner.decls.field(self.id).every();
        let step = i64::try_from(snapshot.saturating_mul(every)).unwrap_or(last);
        let step = match inner.in_place.direction {
            Direction::Ascending => step.clamp(last - group + 1, last),
            Direction::Descending => step.clamp(last, last + group - 1),
        };
        match error {
            EncodeError::NotFinite { index, value } => {
                // The user knows nothing of the compiler's ring, nor of its tiles.
                let field = match &write.source {
                    Source::Slot(slice) => Some(inner.decls.field(slice.field)),
                    Source::Tile(_) => None,
                };
                let known = field.filter(|f| !matches!(f.kind, FieldKind::Ring { .. }));
                let field = known.map(|f| f.name.clone());
                let index = index[3 - inner.decls.rank().min(3)..].to_vec();
                RuntimeError::NotFinite { name, field, step, snapshot, index, value }
            }
            e => RuntimeError::Compress { name, snapshot, reason: e.to_string(), help: e.help() },
        }
    }
}

pub(super) fn internal(error: ViewError) -> RuntimeError {
    RuntimeError::internal(error.to_string())
}

/// The domain of one slot.
#[derive(Debug)]
pub(super) struct Slice {
    field: FieldId,
    /// The first point of the domain.
    start: *mut u8,
    /// Values from there to the end of the slot.
    len: usize,
    shape: [usize; 3],
    strides: [usize; 3],
}

impl Slice {
    /// # Safety
    /// The memory of the slot must live, and nobody may write to it, while the view lives.
    pub(super) unsafe fn view<'v, T: Scalar>(&self) -> Result<View<'v, T>, ViewError> {
        // SAFETY: `slice` checked that the slot lies within the memory of the field, which is initialised.
        let values = unsafe { std::slice::from_raw_parts(self.start.cast_const().cast::<T>(), self.len) };
        View::new(values, self.shape, self.strides)
    }

    /// The part that begins at `origin` along the first two axes.
    ///
    /// # Safety
    /// As [`view`](Slice::view).
    pub(super) unsafe fn part<'v, T: Scalar>(
        &self,
        origin: [usize; 2],
        extent: [usize; 3],
    ) -> Result<View<'v, T>, ViewError> {
        let start = origin[0] * self.strides[0] + origin[1] * self.strides[1];
        let len = self.len.saturating_sub(start);
        // SAFETY: as for `view`; nothing is left of a slot that ends before `start`.
        let values = unsafe {
            let first = self.start.cast_const().cast::<T>().add(start.min(self.len));
            std::slice::from_raw_parts(first, len)
        };
        View::new(values, extent, self.strides)
    }

    /// # Safety
    /// The memory of the slot must live, and nobody else may use it, while the view lives.
    unsafe fn view_mut<'v, T: Scalar>(&self) -> Result<ViewMut<'v, T>, ViewError> {
        // SAFETY: `slice` checked that the slot lies within the memory of the field, which is initialised.
        let values = unsafe { std::slice::from_raw_parts_mut(self.start.cast::<T>(), self.len) };
        ViewMut::new(values, self.shape, self.strides)
    }
}

fn index(i: i64) -> Result<usize> {
    usize::try_from(i).map_err(|_| RuntimeError::internal(format!("the kernel uses index {i}")))
}

/// The field with a number.
fn known(inner: &Inner<'_>, field: i64) -> Result<FieldId> {
    let at = index(field)?;
    let error = || RuntimeError::internal(format!("the kernel uses field {field}"));
    (at < inner.fields.len()).then_some(FieldId(at as u32)).ok_or_else(error)
}

fn find<'a>(inner: &'a Inner<'_>, store: i64) -> Result<(FieldId, &'a BoundStore)> {
    match inner.stores.get(index(store)?) {
        Some(Some(bound)) => Ok((FieldId(store as u32), bound)),
        _ => Err(RuntimeError::internal(format!("the kernel uses field {store} as a store"))),
    }
}

/// Bytes of one snapshot.
fn raw_bytes(inner: &Inner<'_>, field: FieldId) -> usize {
    let field = inner.decls.field(field);
    inner.decls.stored_shape(field).iter().product::<usize>() * field.dtype.size()
}

pub(super) fn slice(inner: &Inner<'_>, field: i64, slot: i64) -> Result<Slice> {
    let (at, slot) = (index(field)?, index(slot)?);
    let error = || RuntimeError::internal(format!("the kernel uses slot {slot} of field {field}"));
    let bound = inner.fields.get(at).filter(|b| slot < b.slots).ok_or_else(error)?;
    let id = FieldId(at as u32);
    let layout = inner.decls.field(id).layout.as_ref().ok_or_else(error)?;
    let (len, origin) = (layout.slot_len(), layout.origin());
    let offset = (slot * len + origin) * inner.decls.field(id).dtype.size();
    let shape = inner.decls.stored_shape(inner.decls.field(id));
    Ok(Slice {
        field: id,
        // SAFETY: the builder checked that the memory of the field holds `slots` slots of this layout.
        start: unsafe { bound.pointer.add(offset) },
        len: len - origin,
        shape: cube(&shape),
        strides: cube_strides(layout),
    })
}
