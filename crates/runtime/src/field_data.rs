//! Reading and writing the data of functions on a grid.

use std::ptr::NonNull;
use std::sync::{Arc, RwLock};

use wavefold_codecs::Element;
use wavefold_symbolic::{Function, FunctionDecl, FunctionKind, FunctionRef, TimeFunction};

use crate::{Data, Dense, Result, RuntimeError, locks};

/// The data of an uncompressed function, made on first use; freed with the declaration.
///
/// # Errors
/// `store::data_of_compressed`, `store::data_of_temporary`, `memory::allocation`, `memory::too_large`.
pub fn dense_of(function: &FunctionDecl) -> Result<Arc<RwLock<Dense>>> {
    if function.compression().is_some() {
        return Err(RuntimeError::DataOfCompressed { name: function.name().into() });
    }
    if function.is_temporary() {
        return Err(RuntimeError::DataOfTemporary { name: function.name().into() });
    }
    function.storage().get_or_try_init(|| Dense::of(function).map(RwLock::new))
}

/// The data of functions of space and of uncompressed functions of time.
///
/// The domain alone is read and written; the halo holds 0. Values are converted to the type of the function.
///
/// | function | shape of the whole | first index |
/// |---|---|---|
/// | `Function` | `[nx, ..]` | |
/// | `TimeFunction` | `[time_order + 1, nx, ..]` | slot; time level `n` lies in slot `n mod (time_order + 1)` |
/// | saved `TimeFunction` | `[save, nx, ..]` | snapshot; snapshot `i` holds step `i * save_every` |
///
/// All methods fail with `store::data_of_compressed` for a compressed function, see
/// [`decompress`](crate::decompress), with `store::data_of_temporary` for a temporary, with `memory::allocation` when the data cannot be allocated, and with
/// `data::in_use` in a callback of a run that uses them.
pub trait FieldData {
    /// The function.
    #[doc(hidden)]
    fn function(&self) -> &FunctionRef;

    /// A copy of all values, of the shape of the table above.
    ///
    /// # Errors
    /// `store::data_of_compressed`, `memory::allocation`.
    fn data(&self) -> Result<Data> {
        read(self.function(), |dense, is_time| if is_time { dense.read_all() } else { dense.read_slot(0) })
    }

    /// Sets all values: the whole array, or one time level, which then goes to every slot or snapshot.
    ///
    /// # Errors
    /// `data::wrong_shape`, `store::data_of_compressed`, `memory::allocation`.
    fn set_data(&self, data: impl Into<Data>) -> Result<()>
    where
        Self: Sized,
    {
        let data = data.into();
        write(
            self.function(),
            |dense, is_time| if is_time { dense.write_all(&data) } else { dense.write_slot(0, &data) },
        )
    }

    /// Sets all values to one number.
    ///
    /// # Errors
    /// `store::data_of_compressed`, `memory::allocation`.
    fn fill(&self, value: f64) -> Result<()> {
        write(self.function(), |dense, _| {
            dense.fill(value);
            Ok(())
        })
    }

    /// Sets the values of every slot or snapshot from the indices of the grid point, possibly on several
    /// threads.
    ///
    /// # Errors
    /// `store::data_of_compressed`, `memory::allocation`.
    fn set_with(&self, value: impl Fn(&[usize]) -> f64 + Sync) -> Result<()>
    where
        Self: Sized,
    {
        write(self.function(), |dense, _| {
            dense.set_with(&value);
            Ok(())
        })
    }

    /// As [`data`](FieldData::data), with the halo: `halo` more points on each side of each dimension.
    ///
    /// # Errors
    /// `store::data_of_compressed`, `memory::allocation`.
    fn data_with_halo(&self) -> Result<Data> {
        write(self.function(), |dense, is_time| {
            dense.with_halo(|dense| if is_time { dense.read_all() } else { dense.read_slot(0) })
        })
    }

    /// As [`set_data`](FieldData::set_data), with the halo: `halo` more points on each side of each dimension. What
    /// equations differentiate, or take between two points, is read there as well.
    ///
    /// # Errors
    /// `data::wrong_shape`, `store::data_of_compressed`, `memory::allocation`.
    fn set_data_with_halo(&self, data: impl Into<Data>) -> Result<()>
    where
        Self: Sized,
    {
        let data = data.into();
        write(self.function(), |dense, is_time| {
            dense.write_with_halo(|d| if is_time { d.write_all(&data) } else { d.write_slot(0, &data) })
        })
    }

    /// Fills the halo with the nearest values of the domain.
    ///
    /// # Errors
    /// `store::data_of_compressed`, `memory::allocation`.
    fn extend_halo(&self) -> Result<()> {
        write(self.function(), |dense, _| {
            dense.extend_halo();
            Ok(())
        })
    }

    /// Uses the memory of an array from now on, without a copy, and with the values that it holds. The function must be
    /// [tight](wavefold_symbolic::FunctionBuilder::tight); the array has its type and is row-major, of the shape of
    /// [`data_with_halo`](FieldData::data_with_halo).
    ///
    /// # Errors
    /// `data::cannot_wrap`, `data::wrong_shape`, `store::data_of_compressed`.
    fn wrap(&self, data: impl Into<Data>) -> Result<()>
    where
        Self: Sized,
    {
        let data = data.into();
        write(self.function(), |dense, is_time| dense.adopt(data, is_time))
    }

    /// Uses memory that stays the caller's from now on: `len` values, laid out as for [`wrap`](FieldData::wrap).
    ///
    /// # Safety
    /// The values are initialised and stay valid until the function is dropped or [`take`](FieldData::take)n, and
    /// nothing else reads or writes them while a method of the function or an operator that uses it runs.
    ///
    /// # Errors
    /// `data::cannot_wrap`, `store::data_of_compressed`.
    unsafe fn wrap_raw<T: Element>(&self, start: NonNull<T>, len: usize) -> Result<()>
    where
        Self: Sized,
    {
        // SAFETY: the caller's promise.
        write(self.function(), |dense, _| unsafe { dense.adopt_raw(start, len) })
    }

    /// Hands the values out with the halo, as [`data_with_halo`](FieldData::data_with_halo) does, and leaves zeros in fresh
    /// memory: the array that was [wrapped](FieldData::wrap) comes back without a copy.
    ///
    /// # Errors
    /// `store::data_of_compressed`, `memory::allocation`.
    fn take(&self) -> Result<Data> {
        let fresh = Dense::of(self.function())?;
        write(self.function(), |dense, is_time| dense.release(fresh, is_time))
    }

    /// A copy of time level `n` (of slot `n mod slots`), or of snapshot `n` of a saved function: shape `[nx,
    /// ..]`.
    ///
    /// # Errors
    /// `data::no_time`, `data::out_of_range`, `store::data_of_compressed`, `memory::allocation`.
    fn at(&self, n: usize) -> Result<Data> {
        let slot = slot(self.function(), n)?;
        read(self.function(), |dense, _| dense.read_slot(slot))
    }

    /// Sets time level `n` (slot `n mod slots`), or snapshot `n` of a saved function, from data of shape
    /// `[nx, ..]`.
    ///
    /// # Errors
    /// `data::no_time`, `data::out_of_range`, `data::wrong_shape`, `store::data_of_compressed`,
    /// `memory::allocation`.
    fn set_at(&self, n: usize, data: impl Into<Data>) -> Result<()>
    where
        Self: Sized,
    {
        let (slot, data) = (slot(self.function(), n)?, data.into());
        write(self.function(), |dense, _| dense.write_slot(slot, &data))
    }
}

impl FieldData for FunctionRef {
    fn function(&self) -> &FunctionRef {
        self
    }
}

impl FieldData for Function {
    fn function(&self) -> &FunctionRef {
        self.handle()
    }
}

impl FieldData for TimeFunction {
    fn function(&self) -> &FunctionRef {
        self.handle()
    }
}

fn slot(function: &FunctionDecl, n: usize) -> Result<usize> {
    match function.kind() {
        FunctionKind::Space => Err(RuntimeError::NoTime { name: function.name().into(), level: n }),
        FunctionKind::Time { save: Some(_), .. } => Ok(n),
        FunctionKind::Time { .. } => Ok(n % function.buffers()),
    }
}

fn read<R>(function: &FunctionDecl, body: impl FnOnce(&Dense, bool) -> Result<R>) -> Result<R> {
    let dense = dense_of(function)?;
    let dense = locks::read(&dense, function.name())?;
    body(&dense, function.is_time())
}

fn write<R>(function: &FunctionDecl, body: impl FnOnce(&mut Dense, bool) -> Result<R>) -> Result<R> {
    let dense = dense_of(function)?;
    let mut dense = locks::write(&dense, function.name())?;
    body(&mut dense, function.is_time())
}
