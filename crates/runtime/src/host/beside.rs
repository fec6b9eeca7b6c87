//! Compressions beside the loops of a step, on threads of their own.
//!
//! One thread takes whole slices in the order in which they come, and has others help it. The kernel waits for a slice before
//! it writes there again.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex};

use wavefold_codecs::{Parallel, Serial, Threads};
use wavefold_ir::FieldId;

use super::{Inner, effects, status};
use crate::locks::lock;
use crate::{Result, RuntimeError};

/// What is to be compressed, and who does it.
pub(super) struct Beside {
    par: Box<dyn Parallel + Send>,
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    due: VecDeque<FieldId>,
    under_way: Option<FieldId>,
    /// An error was recorded.
    failed: bool,
    /// Nothing more comes.
    closed: bool,
}

impl Beside {
    /// # Errors
    /// `threads::start`.
    pub(super) fn new(count: usize) -> Result<Beside> {
        let par: Box<dyn Parallel + Send> = if count == 1 {
            Box::new(Serial)
        } else {
            let failed =
                |e: wavefold_codecs::ThreadsError| RuntimeError::ThreadStart { count, reason: e.cause };
            Box::new(Threads::new(count).map_err(failed)?)
        };
        Ok(Beside { par, queue: Mutex::default(), changed: Condvar::new() })
    }

    /// Asks for the slice of a store.
    pub(super) fn start(&self, store: FieldId) {
        lock(&self.queue).due.push_back(store);
        self.changed.notify_all();
    }

    /// Returns when the slice of a store is compressed; false when that failed, or something before it.
    pub(super) fn wait(&self, store: FieldId) -> bool {
        let busy = |q: &mut Queue| !q.failed && (q.under_way == Some(store) || q.due.contains(&store));
        let queue = self.changed.wait_while(lock(&self.queue), busy);
        !queue.unwrap_or_else(std::sync::PoisonError::into_inner).failed
    }

    fn next(&self) -> Option<FieldId> {
        let idle = |q: &mut Queue| q.due.is_empty() && !q.closed;
        let queue = self.changed.wait_while(lock(&self.queue), idle);
        let mut queue = queue.unwrap_or_else(std::sync::PoisonError::into_inner);
        queue.under_way = if queue.closed { None } else { queue.due.pop_front() };
        queue.under_way
    }

    fn work(&self, inner: &Inner<'_>) {
        while let Some(store) = self.next() {
            let done =
                inner.guarded("compression", || effects::compress_whole(inner, store, self.par.as_ref()));
            let mut queue = lock(&self.queue);
            queue.failed |= done != status::OK;
            queue.under_way = None;
            drop(queue);
            self.changed.notify_all();
        }
    }

    fn close(&self, closed: bool) {
        lock(&self.queue).closed = closed;
        self.changed.notify_all();
    }
}

/// Calls a kernel with a thread at hand that compresses, if the run has one.
pub(super) fn during(inner: &Inner<'_>, kernel: impl FnOnce() -> i32) -> i32 {
    /// Lets the thread go, whatever happens.
    struct Open<'a>(&'a Beside);
    impl Drop for Open<'_> {
        fn drop(&mut self) {
            self.0.close(true);
        }
    }
    let Some(beside) = &inner.beside else { return kernel() };
    beside.close(false);
    std::thread::scope(|scope| {
        let _open = Open(beside);
        let thread = std::thread::Builder::new().name("wavefold-codecs".into());
        let started = inner.guarded("compression", || {
            let failed = |e: std::io::Error| RuntimeError::ThreadStart { count: 1, reason: e.to_string() };
            thread.spawn_scoped(scope, || beside.work(inner)).map(drop).map_err(failed)
        });
        if started == status::OK { kernel() } else { started }
    })
}
