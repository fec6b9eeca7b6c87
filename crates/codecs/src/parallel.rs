//! Who runs the blocks.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rayon::prelude::*;

/// A parallel loop: the caller's thread pool, as the codecs see it.
pub trait Parallel: Sync {
    /// Calls `body` once for each index below `n`, in any order, on any threads, and returns when all are done.
    fn run(&self, n: usize, body: &(dyn Fn(usize) + Sync));
}

/// The calling thread alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct Serial;

impl Parallel for Serial {
    fn run(&self, n: usize, body: &(dyn Fn(usize) + Sync)) {
        (0..n).for_each(body);
    }
}

/// A pool of threads of its own.
#[derive(Debug)]
pub struct Threads(rayon::ThreadPool);

/// The threads could not be started.
#[derive(Debug, thiserror::Error)]
#[error("cannot start {count} threads: {cause}")]
pub struct ThreadsError {
    /// How many were asked for.
    pub count: usize,
    /// What the system said.
    pub cause: String,
}

impl ThreadsError {
    /// Stable identifier of the error.
    pub fn code(&self) -> &'static str {
        "compress::threads"
    }

    /// What to do about it.
    pub fn help(&self) -> Option<String> {
        Some("ask for fewer threads".into())
    }
}

impl Threads {
    /// `count` threads; 0 means one per core.
    ///
    /// # Errors
    /// When the system refuses to start them.
    pub fn new(count: usize) -> Result<Self, ThreadsError> {
        rayon::ThreadPoolBuilder::new()
            .num_threads(count)
            .build()
            .map(Threads)
            .map_err(|e| ThreadsError { count, cause: e.to_string() })
    }
}

impl Parallel for Threads {
    fn run(&self, n: usize, body: &(dyn Fn(usize) + Sync)) {
        self.0.install(|| (0..n).into_par_iter().for_each(body));
    }
}

/// Runs `body` exactly once for each index below `n`, even if `par` repeats one; the error counts those left out.
///
/// Writers of disjoint memory rely on this, so it does not trust the implementation of [`Parallel`].
pub(crate) fn run_once(par: &dyn Parallel, n: usize, body: impl Fn(usize) + Sync) -> Result<(), usize> {
    let claimed: Vec<AtomicBool> = (0..n).map(|_| AtomicBool::new(false)).collect();
    let done = AtomicUsize::new(0);
    par.run(n, &|i| {
        if i < n && !claimed[i].swap(true, Ordering::Relaxed) {
            body(i);
            done.fetch_add(1, Ordering::Release);
        }
    });
    match n - done.load(Ordering::Acquire) {
        0 => Ok(()),
        missing => Err(missing),
    }
}
