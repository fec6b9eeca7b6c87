//! What the callbacks of a kernel do.

use std::sync::atomic::Ordering;
use std::time::Instant;

use wavefold_codecs::{Bounded, EncodeError, ErrorReport, Parallel, View, ViewError, ViewMut, decode};
use wavefold_ir::{FieldId, FieldKind};

use super::{Access, BoundStore, Handover, Inner, Work, cube, finite};
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

/// A step begins.
pub(super) fn step(inner: &Inner<'_>, t: i64) -> Result<()> {
    if inner.cancel.is_some_and(|flag| flag.load(Ordering::Relaxed)) {
        return Err(RuntimeError::Cancelled { step: t });
    }
    finite::between_steps(inner)?;
    let done = inner.work().steps;
    if let Some(progress) = inner.progress {
        locks::callback(|| progress(done, inner.time.1 - inner.time.0 + 1));
    }
    // Nothing stops the step from here on.
    let mut work = inner.work();
    (work.steps, work.step) = (done + 1, t);
    Ok(())
}

/// Compresses slot `slot` of `field` into snapshot `snapshot` of `store`.
pub(super) fn compress(
    inner: &Inner<'_>,
    store: i64,
    snapshot: i64,
    field: i64,
    slot: i64,
    par: &dyn Parallel,
) -> Result<()> {
    let (id, bound) = find(inner, store)?;
    let Access::Write(codec) = bound.access else {
        return Err(RuntimeError::internal(format!(
            "`{}` is written but bound for reading",
            bound.store.name()
        )));
    };
    let write =
        Write { id, bound, codec, snapshot: index(snapshot)?, slice: slice(inner, field, slot)?, par };
    with_type!(inner.decls.field(write.slice.field).dtype, T => write.run::<T>(inner))
}

/// Decompresses snapshot `snapshot` of `store` into slot `slot` of `field`.
pub(super) fn decompress(
    inner: &Inner<'_>,
    store: i64,
    snapshot: i64,
    field: i64,
    slot: i64,
    par: &dyn Parallel,
) -> Result<()> {
    let (id, bound) = find(inner, store)?;
    let (snapshot, slice) = (index(snapshot)?, slice(inner, field, slot)?);
    let start = Instant::now();
    let name = bound.store.name();
    let bytes = with_type!(inner.decls.field(slice.field).dtype, T => {
        // SAFETY: the slot belongs to the run, and the kernel does not touch it before its wait.
        let view = unsafe { slice.view_mut::<T>() }.map_err(|e| RuntimeError::internal(e.to_string()))?;
        bound.store.with_stream(snapshot, |stream| match decode(stream, view, par) {
            Ok(()) => Ok(stream.len()),
            Err(e) => {
                let (name, reason, help) = (name.to_string(), e.to_string(), e.help());
                Err(RuntimeError::Corrupt { name, snapshot, reason, help })
            }
        })??
    });
    let raw = raw_bytes(inner, slice.field);
    inner.work().decompress[id.index()].add(start.elapsed().as_secs_f64(), raw, bytes);
    Ok(())
}

/// One compression.
struct Write<'a> {
    id: FieldId,
    bound: &'a BoundStore,
    codec: Bounded,
    snapshot: usize,
    slice: Slice,
    par: &'a dyn Parallel,
}

impl Write<'_> {
    fn run<T: Scalar>(&self, inner: &Inner<'_>) -> Result<()> {
        let start = Instant::now();
        let mut work = inner.work();
        // SAFETY: the slot belongs to the run, and the kernel does not write to it before its wait.
        let view = || unsafe { self.slice.view::<T>() }.map_err(|e| RuntimeError::internal(e.to_string()));
        let Work { step, stream, decoded, errors, compress, measuring, .. } = &mut *work;
        stream.clear();
        self.codec.encode(view()?, self.par, stream).map_err(|e| self.failed(inner, *step, e))?;
        let (encoding, raw, bytes) = (start.elapsed(), raw_bytes(inner, self.slice.field), stream.len());
        if inner.measure {
            let start = Instant::now();
            let back = match decoded {
                Some(buffer) => buffer,
                none => none.insert(Buffer::zeroed(raw, "a decompressed slice")?),
            };
            self.measure(view()?, stream, back, &mut errors[self.id.index()])?;
            *measuring += start.elapsed().as_secs_f64();
        }
        let start = Instant::now();
        self.bound.store.put(self.snapshot, stream, self.par)?;
        compress[self.id.index()].add((encoding + start.elapsed()).as_secs_f64(), raw, bytes);
        Ok(())
    }

    /// Decompresses a fresh stream, and adds what it lost to the errors of the history.
    fn measure<T: Scalar>(
        &self,
        values: View<'_, T>,
        stream: &[u8],
        back: &mut Buffer,
        errors: &mut ErrorReport,
    ) -> Result<()> {
        let shape = self.slice.shape;
        let internal = |e: ViewError| RuntimeError::internal(e.to_string());
        let view = ViewMut::dense(back.values_mut::<T>(), shape).map_err(internal)?;
        decode(stream, view, self.par).map_err(|e| RuntimeError::internal(format!("a fresh stream: {e}")))?;
        errors.accumulate(values, View::dense(back.values::<T>(), shape).map_err(internal)?).map_err(internal)
    }

    fn failed(&self, inner: &Inner<'_>, step: i64, error: EncodeError) -> RuntimeError {
        let (name, snapshot) = (self.bound.store.name().to_string(), self.snapshot);
        match error {
            EncodeError::NotFinite { index, value } => {
                let field = inner.decls.field(self.slice.field);
                // The user knows nothing of the compiler's ring.
                let known = !matches!(field.kind, FieldKind::Ring { .. });
                let field = known.then(|| field.name.clone());
                let index = index[3 - inner.decls.rank().min(3)..].to_vec();
                RuntimeError::NotFinite { name, field, step, snapshot, index, value }
            }
            e => RuntimeError::Compress { name, snapshot, reason: e.to_string(), help: e.help() },
        }
    }
}

/// The domain of one slot.
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
    let mut strides = [len; 3];
    let rank = inner.decls.rank().min(3);
    strides[3 - rank..].copy_from_slice(&layout.strides());
    let shape = inner.decls.stored_shape(inner.decls.field(id));
    Ok(Slice {
        field: id,
        // SAFETY: the builder checked that the memory of the field holds `slots` slots of this layout.
        start: unsafe { bound.pointer.add(offset) },
        len: len - origin,
        shape: cube(&shape),
        strides,
    })
}
