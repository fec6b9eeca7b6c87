//! Locks of data, and callbacks of the user that run while they are held.
//!
//! A run locks the data of its functions until it returns. A callback that then asked for the same data in the
//! ordinary way would wait for itself, so within callbacks nobody waits: data in use are an error.

use std::cell::Cell;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError};

use crate::{Result, RuntimeError};

thread_local! {
    static IN_CALLBACK: Cell<bool> = const { Cell::new(false) };
}

/// Runs a callback of the user; locks are not waited for meanwhile.
pub(crate) fn callback<R>(body: impl FnOnce() -> R) -> R {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            IN_CALLBACK.set(self.0);
        }
    }
    let _restore = Restore(IN_CALLBACK.replace(true));
    body()
}

/// Locks what no callback of the user runs under. A panic elsewhere leaves it whole: every change is a single assignment.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Locks the data of a function for reading.
///
/// # Errors
/// `data::in_use` in a callback of a run that writes them.
pub fn read<'a, T>(lock: &'a RwLock<T>, name: &str) -> Result<RwLockReadGuard<'a, T>> {
    if !IN_CALLBACK.get() {
        return Ok(lock.read().unwrap_or_else(PoisonError::into_inner));
    }
    match lock.try_read() {
        Ok(guard) => Ok(guard),
        Err(TryLockError::Poisoned(guard)) => Ok(guard.into_inner()),
        Err(TryLockError::WouldBlock) => Err(RuntimeError::InUse { name: name.into() }),
    }
}

/// Locks the data of a function for writing.
///
/// # Errors
/// `data::in_use` in a callback of a run that uses them.
pub fn write<'a, T>(lock: &'a RwLock<T>, name: &str) -> Result<RwLockWriteGuard<'a, T>> {
    if !IN_CALLBACK.get() {
        return Ok(lock.write().unwrap_or_else(PoisonError::into_inner));
    }
    match lock.try_write() {
        Ok(guard) => Ok(guard),
        Err(TryLockError::Poisoned(guard)) => Ok(guard.into_inner()),
        Err(TryLockError::WouldBlock) => Err(RuntimeError::InUse { name: name.into() }),
    }
}
