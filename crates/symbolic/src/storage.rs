//! The slot in which the runtime keeps the data of a function.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// An opaque place for the data of one declaration, at most one value per type.
///
/// This crate does not know what lies in it. Since the declaration owns the slot, dropping the last
/// handle of a function frees its field.
#[derive(Default)]
pub struct Storage {
    values: Mutex<Vec<Arc<dyn Any + Send + Sync>>>,
}

impl Storage {
    /// The stored value of type `T`, if there is one.
    pub fn get<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        find(&self.values.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The stored value of type `T`, made by `init` on first use.
    ///
    /// `init` runs at most once; it must not use the same slot.
    pub fn get_or_init<T: Any + Send + Sync>(&self, init: impl FnOnce() -> T) -> Arc<T> {
        match self.get_or_try_init::<T, std::convert::Infallible>(|| Ok(init())) {
            Ok(value) => value,
            Err(never) => match never {},
        }
    }

    /// As [`Storage::get_or_init`], for an `init` that can fail; a failure leaves the slot empty.
    ///
    /// # Errors
    /// The error of `init`.
    pub fn get_or_try_init<T: Any + Send + Sync, E>(
        &self,
        init: impl FnOnce() -> Result<T, E>,
    ) -> Result<Arc<T>, E> {
        // Held while `init` runs: a field may be gigabytes, so it must not be made twice.
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = find(&values) {
            return Ok(value);
        }
        let value = Arc::new(init()?);
        values.push(value.clone());
        Ok(value)
    }
}

fn find<T: Any + Send + Sync>(values: &[Arc<dyn Any + Send + Sync>]) -> Option<Arc<T>> {
    values.iter().find_map(|value| value.clone().downcast().ok())
}

impl fmt::Debug for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Storage(..)")
    }
}
