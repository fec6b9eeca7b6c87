//! Threads: pools, the floating-point mode of their threads, and parallel loops for codecs.

use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use wavefold_codecs::Parallel;
pub use wavefold_codecs::float_mode::{FlushGuard, flush_denormals};
use wavefold_ir::abi;

use crate::locks::lock;
use crate::{KernelThreads, Result, RuntimeError};

/// The largest number of threads of a run.
pub const LIMIT: usize = 1024;

/// Pools that are kept for the next run.
const KEPT: usize = 4;

/// Threads that this process may run at the same time.
#[must_use]
pub fn available() -> usize {
    std::thread::available_parallelism().map_or(1, |n| n.get().min(LIMIT))
}

/// A pool of `count` threads that flush denormals. Pools are kept and shared: runs with the same count use
/// the same.
///
/// # Errors
/// `threads::count` unless `count` lies in `1..=`[`LIMIT`]; `threads::start`.
pub fn pool(count: usize) -> Result<Arc<ThreadPool>> {
    static POOLS: Mutex<Vec<Arc<ThreadPool>>> = Mutex::new(Vec::new());
    check_count(count)?;
    let mut pools = lock(&POOLS);
    let pool = match pools.iter().position(|p| p.current_num_threads() == count) {
        Some(found) => pools.remove(found),
        None => Arc::new(start(count)?),
    };
    // The most recently used pool is the last; the oldest goes, and ends with the last run that holds it.
    pools.push(pool.clone());
    let old = (pools.len() > KEPT).then(|| pools.remove(0));
    drop(pools);
    drop(old);
    Ok(pool)
}

/// # Errors
/// `threads::count` unless `count` lies in `1..=`[`LIMIT`].
pub(crate) fn check_count(count: usize) -> Result<()> {
    if (1..=LIMIT).contains(&count) { Ok(()) } else { Err(RuntimeError::ThreadCount { count, limit: LIMIT }) }
}

/// The pool of a run; none when its kernel has threads of its own, or it runs on one.
///
/// # Errors
/// `threads::count`, `threads::start`.
pub(crate) fn of_run(count: usize, kernel_threads: KernelThreads) -> Result<Option<Arc<ThreadPool>>> {
    check_count(count)?;
    match kernel_threads {
        KernelThreads::Host if count > 1 => pool(count).map(Some),
        KernelThreads::Own if count > 2 * available() => probe(count).map(|()| None),
        _ => Ok(None),
    }
}

/// The stack of a thread that a kernel starts: the usual default of the system.
const KERNEL_STACK: usize = 8 << 20;

/// Checks that the system lets this process start `count` threads at a time, once for each number: the OpenMP runtime
/// ends the process when it cannot.
fn probe(count: usize) -> Result<()> {
    static STARTED: Mutex<usize> = Mutex::new(0);
    let mut started = lock(&STARTED);
    if count <= *started {
        return Ok(());
    }
    // The threads end when they get hold of the gate; until all are there, it is closed.
    let gate = RwLock::new(());
    std::thread::scope(|scope| {
        let _closed = gate.write().unwrap_or_else(PoisonError::into_inner);
        (0..count).try_for_each(|_| {
            let thread = std::thread::Builder::new().stack_size(KERNEL_STACK);
            thread.spawn_scoped(scope, || drop(gate.read())).map(drop)
        })
    })
    .map_err(|e| RuntimeError::ThreadStart { count, reason: e.to_string() })?;
    *started = count;
    Ok(())
}

fn start(count: usize) -> Result<ThreadPool> {
    ThreadPoolBuilder::new()
        .num_threads(count)
        .thread_name(|i| format!("wavefold-{i}"))
        .start_handler(|_| std::mem::forget(flush_denormals()))
        .build()
        .map_err(|e| RuntimeError::ThreadStart { count, reason: e.to_string() })
}

/// Parallel loops on all threads of the process, for work outside a run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Everywhere;

impl Parallel for Everywhere {
    fn run(&self, n: usize, body: &(dyn Fn(usize) + Sync)) {
        match n {
            0 => {}
            1 => body(0),
            _ => (0..n).into_par_iter().with_max_len(1).for_each(body),
        }
    }
}

/// Parallel loops on the threads of a kernel, for work that its callbacks do.
#[derive(Debug)]
pub(crate) struct KernelLoops {
    context: *const abi::Context,
    parallel: abi::ParallelFn,
}

// SAFETY: the pointers are only handed to the parallel function, which any thread of the run may call.
unsafe impl Sync for KernelLoops {}

impl KernelLoops {
    /// # Safety
    /// `parallel` must accept `context` and keep the promise of [`abi::ParallelFn`] as long as this value
    /// lives.
    pub unsafe fn new(context: *const abi::Context, parallel: abi::ParallelFn) -> Self {
        Self { context, parallel }
    }
}

/// One parallel loop, as its parts see it.
struct Call<'a> {
    body: &'a (dyn Fn(usize) + Sync),
    panicked: AtomicBool,
}

impl Parallel for KernelLoops {
    fn run(&self, n: usize, body: &(dyn Fn(usize) + Sync)) {
        /// # Safety
        /// `argument` must point to a [`Call`] that outlives the loop.
        unsafe extern "C" fn part(argument: *mut c_void, index: i64) {
            // SAFETY: by the contract; parts only share it.
            let call = unsafe { &*argument.cast::<Call<'_>>() };
            // A panic must not unwind into foreign frames: it is carried over.
            if catch_unwind(AssertUnwindSafe(|| (call.body)(index as usize))).is_err() {
                call.panicked.store(true, Ordering::Relaxed);
            }
        }
        let call = Call { body, panicked: AtomicBool::new(false) };
        // SAFETY: `call` outlives the loop, since the parallel function returns when all parts are done.
        unsafe { (self.parallel)(self.context, n as i64, part, (&raw const call).cast_mut().cast()) };
        if call.panicked.into_inner() {
            std::panic::resume_unwind(Box::new("a part of a parallel loop"));
        }
    }
}

/// A part of a parallel loop that other threads may call.
#[derive(Clone, Copy)]
pub(crate) struct Part {
    body: abi::BodyFn,
    argument: *mut c_void,
}

// SAFETY: that parts may run at the same time on any thread is what `abi::ParallelFn` promises to its body.
unsafe impl Send for Part {}
// SAFETY: as above.
unsafe impl Sync for Part {}

impl Part {
    /// # Safety
    /// `body` must accept `argument` with every index that [`Part::run`] is given, from several threads at a
    /// time.
    pub unsafe fn new(body: abi::BodyFn, argument: *mut c_void) -> Self {
        Self { body, argument }
    }

    /// Runs all parts: on the threads of the pool, or here.
    pub fn run(self, count: i64, pool: Option<&ThreadPool>) {
        let count = usize::try_from(count).unwrap_or(0);
        match pool {
            Some(pool) if count > 1 => {
                pool.install(|| (0..count).into_par_iter().with_max_len(1).for_each(|i| self.call(i)));
            }
            _ => (0..count).for_each(|i| self.call(i)),
        }
    }

    fn call(&self, index: usize) {
        // SAFETY: by the contract of `new`.
        unsafe { (self.body)(self.argument, index as i64) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pools_are_shared_and_bounded() {
        let (a, b) = (pool(2).unwrap(), pool(2).unwrap());
        assert!(Arc::ptr_eq(&a, &b));
        assert_eq!(pool(3).unwrap().current_num_threads(), 3);
        assert_eq!(pool(0).unwrap_err().code(), "threads::count");
        assert_eq!(pool(LIMIT + 1).unwrap_err().code(), "threads::count");
        assert!(available() >= 1);
    }

    #[test]
    fn a_panic_in_a_part_is_carried_over() {
        unsafe extern "C" fn serial(
            _: *const abi::Context,
            count: i64,
            body: abi::BodyFn,
            argument: *mut c_void,
        ) {
            // SAFETY: by the contract of `abi::ParallelFn`.
            (0..count).for_each(|i| unsafe { body(argument, i) });
        }
        // SAFETY: `serial` takes any context.
        let loops = unsafe { KernelLoops::new(std::ptr::null(), serial) };
        let sum = std::sync::atomic::AtomicUsize::new(0);
        loops.run(10, &|i| {
            sum.fetch_add(i, Ordering::Relaxed);
        });
        assert_eq!(sum.into_inner(), 45);
        let done = std::sync::atomic::AtomicUsize::new(0);
        let caught = catch_unwind(AssertUnwindSafe(|| {
            loops.run(4, &|i| {
                assert_ne!(i, 1);
                done.fetch_add(1, Ordering::Relaxed);
            });
        }));
        assert!(caught.is_err());
        assert_eq!(done.into_inner(), 3);
    }
}
