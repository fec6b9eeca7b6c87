//! Reading and writing the values of sparse functions.

use std::sync::{Arc, RwLock};

use wavefold_symbolic::{Series, SparseDecl, SparseFunction, SparseRef, SparseTimeFunction};

use crate::{Data, Result, SparseValues, locks};

/// The values of a sparse function, made on first use; freed with the declaration.
///
/// # Errors
/// `memory::allocation`, `memory::too_large`.
pub fn values_of(sparse: &SparseDecl) -> Result<Arc<RwLock<SparseValues>>> {
    sparse.storage().get_or_try_init(|| SparseValues::of(sparse).map(RwLock::new))
}

/// The values of sources and receivers: shape `[steps, points]`, or `[points]` without time.
///
/// All methods fail with `data::in_use` in a callback of a run that uses the function.
pub trait SparseData {
    /// The function.
    #[doc(hidden)]
    fn sparse(&self) -> &SparseRef;

    /// A copy of all values.
    ///
    /// # Errors
    /// `memory::allocation`.
    fn data(&self) -> Result<Data> {
        let values = values_of(self.sparse())?;
        let values = locks::read(&values, self.sparse().name())?;
        Ok(values.data().clone())
    }

    /// Sets all values, converted to the type of the function. For a function of time the data may also be a
    /// wavelet `[steps]` when there is one point, and otherwise `[points]`, the same at every step.
    ///
    /// # Errors
    /// `data::wrong_shape`, `memory::allocation`.
    fn set_data(&self, data: impl Into<Data>) -> Result<()>
    where
        Self: Sized,
    {
        let values = values_of(self.sparse())?;
        locks::write(&values, self.sparse().name())?.set(&data.into())
    }

    /// Sets all values to one number.
    ///
    /// # Errors
    /// `memory::allocation`.
    fn fill(&self, value: f64) -> Result<()> {
        let values = values_of(self.sparse())?;
        locks::write(&values, self.sparse().name())?.fill(value);
        Ok(())
    }
}

impl SparseData for SparseRef {
    fn sparse(&self) -> &SparseRef {
        self
    }
}

impl SparseData for SparseFunction {
    fn sparse(&self) -> &SparseRef {
        self.handle()
    }
}

impl SparseData for Series {
    fn sparse(&self) -> &SparseRef {
        self.as_ref()
    }
}

impl SparseData for SparseTimeFunction {
    fn sparse(&self) -> &SparseRef {
        self.handle()
    }
}
