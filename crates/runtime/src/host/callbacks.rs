//! The functions of a [`Context`](abi::Context): what a kernel calls.

use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};

use wavefold_ir::abi;

use super::parts::Place;
use super::{Inner, TileMemory, effects, status};
use crate::locks::lock;
use crate::threads::{KernelLoops, Part};
use crate::{Result, RuntimeError};

impl Inner<'_> {
    /// Runs the body of a callback; an error or a panic is recorded, and becomes a status.
    pub(super) fn guarded(&self, what: &'static str, body: impl FnOnce() -> Result<()>) -> i32 {
        let error = match catch_unwind(AssertUnwindSafe(body)) {
            Ok(Ok(())) => return status::OK,
            Ok(Err(error)) => error,
            Err(panic) => {
                let text = panic.downcast_ref::<&str>().map(|s| (*s).to_string());
                let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
                RuntimeError::Panicked { what, message: text.unwrap_or_else(|| "no message".into()) }
            }
        };
        // The first error is the cause of those that follow.
        self.work().error.get_or_insert(error);
        status::FAILED
    }

    /// As [`guarded`](Inner::guarded), returning a ticket of the store or minus the status. The ticket tells whose it is.
    fn ticket(&self, what: &'static str, store: i64, body: impl FnOnce() -> Result<()>) -> i64 {
        match self.guarded(what, body) {
            status::OK => {
                let mut work = self.work();
                work.tickets += 1;
                (work.tickets - 1) * self.stores.len() as i64 + store
            }
            failed => -i64::from(failed),
        }
    }
}

/// # Safety
/// `host` must be [`abi::Context::host`] of a living [`Host`](super::Host).
unsafe fn host<'a>(host: *mut c_void) -> &'a Inner<'a> {
    // SAFETY: by the contract; it is only ever shared.
    unsafe { &*host.cast_const().cast::<Inner<'a>>() }
}

/// [`abi::ParallelFn`] on the threads of the run.
pub(super) unsafe extern "C" fn parallel(
    context: *const abi::Context,
    count: i64,
    body: abi::BodyFn,
    argument: *mut c_void,
) {
    // SAFETY: kernels pass the context that they were given, and a body that may run on any thread.
    let (inner, part) = unsafe { (host((*context).host), Part::new(body, argument)) };
    part.run(count, inner.pool.as_deref());
}

/// [`abi::Context::step`]: counts, reports progress, lets equal rows be one, and stops a run that was cancelled, or that
/// another kernel goes on with.
pub(super) unsafe extern "C" fn step(
    context: *const abi::Context,
    t: i64,
    count: i64,
    parallel: abi::ParallelFn,
) -> i32 {
    // SAFETY: kernels pass the context that they were given, and a parallel function that accepts it.
    let (inner, loops) = unsafe { (host((*context).host), KernelLoops::new(context, parallel)) };
    if effects::hands_over(inner, t) {
        return status::HANDOVER;
    }
    inner.guarded("the progress callback", || effects::steps(inner, t, count, &loops))
}

/// [`abi::Context::compress`]: compresses in place, before it returns; in parts, it makes ready for them.
pub(super) unsafe extern "C" fn compress(
    context: *const abi::Context,
    store: i64,
    snapshot: i64,
    field: i64,
    slot: i64,
    rows: i64,
    parallel: abi::ParallelFn,
) -> i64 {
    // SAFETY: kernels pass the context that they were given, and a parallel function that accepts it.
    let (inner, loops) = unsafe { (host((*context).host), KernelLoops::new(context, parallel)) };
    inner.ticket("compression", store, || {
        effects::compress(inner, (store, snapshot), (field, slot), rows, &loops)
    })
}

/// [`abi::Context::decompress`]: decompresses in place, before it returns; in parts, it finds and checks them.
pub(super) unsafe extern "C" fn decompress(
    context: *const abi::Context,
    store: i64,
    snapshot: i64,
    field: i64,
    slot: i64,
    rows: i64,
    parallel: abi::ParallelFn,
) -> i64 {
    // SAFETY: kernels pass the context that they were given, and a parallel function that accepts it.
    let (inner, loops) = unsafe { (host((*context).host), KernelLoops::new(context, parallel)) };
    inner.ticket("decompression", store, || {
        effects::decompress(inner, (store, snapshot), (field, slot), rows, &loops)
    })
}

/// [`abi::Context::part`].
pub(super) unsafe extern "C" fn part(
    pointer: *mut c_void,
    ticket: i64,
    x: i64,
    x_end: i64,
    y: i64,
    y_end: i64,
    tile: *mut c_void,
) {
    // SAFETY: kernels pass the host of their context.
    let inner = unsafe { host(pointer) };
    let place = Place { from: [x, y], to: [x_end, y_end], tile: tile.cast() };
    // What goes wrong in a part is told by the wait, but for panics, which stop the run at the next callback.
    inner.guarded("a part of a snapshot", || effects::part(inner, ticket, &place));
}

/// [`abi::Context::wait`]: the work of a ticket is done when it is handed out, or when all its parts are.
pub(super) unsafe extern "C" fn wait(
    context: *const abi::Context,
    ticket: i64,
    parallel: abi::ParallelFn,
) -> i32 {
    // SAFETY: kernels pass the context that they were given, and a parallel function that accepts it.
    let (inner, loops) = unsafe { (host((*context).host), KernelLoops::new(context, parallel)) };
    let mut again = false;
    let status = inner.guarded("waiting", || {
        again = effects::wait(inner, ticket, &loops)?;
        Ok(())
    });
    if again { abi::AGAIN } else { status }
}

/// [`abi::Context::take_tile`]: there is one for each thread, and each thread takes one at a time.
pub(super) unsafe extern "C" fn take_tile(pointer: *mut c_void) -> *mut c_void {
    // SAFETY: kernels pass the host of their context.
    let inner = unsafe { host(pointer) };
    loop {
        if let Some(tile) = lock(&inner.tiles).pop() {
            return tile.0.cast();
        }
        // Only a kernel with more threads than it was told of comes here.
        std::thread::yield_now();
    }
}

/// [`abi::Context::give_tile`].
pub(super) unsafe extern "C" fn give_tile(pointer: *mut c_void, tile: *mut c_void) {
    // SAFETY: kernels pass the host of their context.
    let inner = unsafe { host(pointer) };
    lock(&inner.tiles).push(TileMemory(tile.cast()));
}
