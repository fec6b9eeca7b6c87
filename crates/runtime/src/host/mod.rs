//! One run of one kernel: its context, its callbacks, and what they measured.

mod beside;
mod builder;
mod callbacks;
mod effects;
mod finite;
mod in_place;
mod parts;
mod report;
mod rows;

use beside::Beside;
pub use builder::HostBuilder;
use in_place::InPlace;
pub use report::{EffectProfile, HostReport, StoreProfile};

use std::ffi::c_void;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use rayon::ThreadPool;
use wavefold_codecs::{Bounded, ErrorReport};
use wavefold_ir::{Decls, Direction, FieldId, Layout, abi};

use parts::Parts;
use rows::Rows;

use crate::locks::lock;
use crate::spare::Lent;
use crate::{Buffer, Dense, RuntimeError, Store, locks, threads};

/// What callbacks and kernels return.
pub mod status {
    /// All is well.
    pub const OK: i32 = 0;
    /// An error was recorded; the run stops.
    pub const FAILED: i32 = 1;
    /// The kernel stops before the step that begins, and the next kernel goes on there.
    pub const HANDOVER: i32 = 2;
}

/// Who runs the parallel loops of a kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KernelThreads {
    /// The kernel, on threads of its own: it is called on the calling thread, and
    /// [`Context::parallel`](abi::Context::parallel) has one thread.
    Own,
    /// [`Context::parallel`](abi::Context::parallel): the kernel is called on a thread of the pool, next to
    /// the others.
    #[default]
    Host,
}

/// One run of one kernel, ready to go: all memory is bound, and the stores that it writes are in state
/// `Writing`.
///
/// Dropped without [`finish`](Host::finish) or [`run`](Host::run), it takes back its writes.
#[derive(Debug)]
pub struct Host<'a> {
    // Boxed: the context holds its address.
    inner: Box<Inner<'a>>,
}

/// A field as kernels and callbacks see it.
#[derive(Debug)]
struct BoundField {
    /// Slot 0; null for compressed fields.
    pointer: *mut u8,
    slots: usize,
    /// Whether the halo of every slot holds zeros.
    empty_halo: bool,
}

/// What a run does with a compressed field.
#[derive(Debug)]
enum Access {
    Write(Bounded),
    Read,
}

#[derive(Debug)]
struct BoundStore {
    store: Arc<Store>,
    access: Access,
    parts: Parts,
}

/// What [`abi::Context::host`] points to.
struct Inner<'a> {
    decls: &'a Decls,
    fields: Vec<BoundField>,
    pointers: Vec<*mut c_void>,
    rows: Rows,
    scalars: Vec<f64>,
    sparse: Vec<abi::SparseValues>,
    tables: Vec<abi::SparseTable>,
    /// Memory for tiles that no thread works on.
    tiles: Mutex<Vec<TileMemory>>,
    _tiles: Vec<Buffer>,
    /// Per field: its store, if it is compressed.
    stores: Vec<Option<BoundStore>>,
    /// Memory of the fields that the compiler made.
    _scratch: Vec<Dense>,
    _lent: Lent<'a>,
    time: (i64, i64),
    in_place: InPlace,
    threads: usize,
    /// The threads of [`KernelThreads::Host`], when there are several.
    pool: Option<Arc<ThreadPool>>,
    /// Who compresses whole slices, unless the threads of the run do.
    beside: Option<Beside>,
    progress: Option<&'a (dyn Fn(i64, i64) + Sync)>,
    cancel: Option<&'a AtomicBool>,
    handover: Option<&'a (dyn Fn(i64, i64) -> bool + Sync)>,
    measure: bool,
    /// Fields whose values must stay finite, with the time shift at which they are written.
    watched: Vec<(FieldId, i32)>,
    work: Mutex<Work>,
    finished: bool,
}

// SAFETY: the raw pointers lead to memory that the run borrows for 'a; the kernel alone uses it, under the
// contract of `Host::run`, and everything else in here can be shared.
unsafe impl Send for Inner<'_> {}
// SAFETY: as above; what callbacks change lies in `work`.
unsafe impl Sync for Inner<'_> {}

impl std::fmt::Debug for Inner<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host")
            .field("operator", &self.decls.name)
            .field("time", &self.time)
            .finish_non_exhaustive()
    }
}

/// Memory for one tile: whoever takes it out of the list has it for himself.
#[derive(Debug)]
struct TileMemory(*mut u8);

// SAFETY: the memory lives as long as the run and belongs to one thread at a time.
unsafe impl Send for TileMemory {}

/// Where one kernel stopped and the next one went on.
#[derive(Clone, Copy, Debug)]
struct Handover {
    /// The step that the first did not begin.
    step: i64,
    /// Steps that it did.
    done: i64,
    /// Seconds that it took.
    seconds: f64,
}

/// What changes during a run.
#[derive(Debug)]
struct Work {
    error: Option<RuntimeError>,
    start: Instant,
    steps: i64,
    /// The current step, the last of those that are under way.
    step: i64,
    /// How many are under way.
    group: i64,
    handed_over: Option<Handover>,
    /// How often values have been looked at, or would have been.
    looks: i64,
    /// The last step after which values were looked at, and found finite.
    finite: Option<i64>,
    tickets: i64,
    compress: Vec<EffectProfile>,
    decompress: Vec<EffectProfile>,
    errors: Vec<ErrorReport>,
    /// Time spent on measuring them, in seconds.
    measuring: f64,
    /// The stream being made, reused from snapshot to snapshot.
    stream: Vec<u8>,
    /// A decompressed slice, when errors are measured.
    decoded: Option<Buffer>,
}

impl Inner<'_> {
    fn work(&self) -> MutexGuard<'_, Work> {
        lock(&self.work)
    }

    fn written(&self) -> impl Iterator<Item = &BoundStore> {
        self.stores.iter().flatten().filter(|s| matches!(s.access, Access::Write(_)))
    }
}

impl<'a> Host<'a> {
    /// Begins to bind the memory of a run of a program with these declarations (of the tree level).
    #[must_use]
    pub fn builder(decls: &'a Decls) -> HostBuilder<'a> {
        HostBuilder::new(decls)
    }

    /// What the kernel takes. It points into this value, which must outlive it.
    #[must_use]
    pub fn context(&self) -> abi::Context {
        let inner = &*self.inner;
        abi::Context {
            fields: inner.pointers.as_ptr(),
            rows: inner.rows.pointers.as_ptr(),
            scalars: inner.scalars.as_ptr(),
            sparse: inner.sparse.as_ptr(),
            tables: inner.tables.as_ptr(),
            time_m: inner.time.0,
            time_max: inner.time.1,
            in_place: inner.in_place.steps,
            threads: inner.threads as i64,
            host: (&raw const *inner).cast_mut().cast(),
            parallel: callbacks::parallel,
            step: callbacks::step,
            compress: callbacks::compress,
            decompress: callbacks::decompress,
            take_tile: callbacks::take_tile,
            give_tile: callbacks::give_tile,
            part: callbacks::part,
            wait: callbacks::wait,
        }
    }

    /// Runs a kernel, with denormals flushed, and [finishes](Host::finish). It must be one whose parallel loops run as
    /// the [builder](HostBuilder::kernel_threads) was told.
    ///
    /// # Safety
    /// `kernel` must be compiled from a program with the declarations of this host, for this machine, and
    /// keep to [`abi`]: it accesses the memory of the context alone, within the layouts, writes only fields
    /// that are bound for writing, and calls the callbacks from one thread at a time, but for those of tiles and parts.
    #[must_use]
    pub unsafe fn run(self, kernel: abi::KernelFn) -> HostReport {
        // SAFETY: by the contract.
        unsafe { self.run_with(|context| kernel(context)) }
    }

    /// As [`run`](Host::run), with anything that runs as a kernel does.
    ///
    /// # Safety
    /// As for [`run`](Host::run).
    #[must_use]
    pub unsafe fn run_with(self, kernel: impl Fn(*const abi::Context) -> i32 + Sync) -> HostReport {
        // SAFETY: by the contract.
        unsafe { self.run_in_turn(kernel, |_| status::FAILED) }
    }

    /// As [`run_with`](Host::run_with), with a second kernel that does the rest of the steps when the first one was
    /// stopped by [`HostBuilder::handover`]. It is called on this thread, and its parallel loops are its own. What
    /// the program does at its first step only, it does again at the first step of the second kernel.
    ///
    /// # Safety
    /// As for [`run`](Host::run), for both.
    #[must_use]
    pub unsafe fn run_in_turn(
        mut self,
        kernel: impl Fn(*const abi::Context) -> i32 + Sync,
        next: impl FnOnce(*const abi::Context) -> i32,
    ) -> HostReport {
        let mut status = beside::during(&self.inner, || self.call(kernel));
        if status == status::HANDOVER
            && let Some(rest) = self.rest()
        {
            let _flush = threads::flush_denormals();
            status = beside::during(&self.inner, || next(&raw const rest));
        }
        self.finish(status)
    }

    /// The context for the steps that are left after a handover.
    fn rest(&mut self) -> Option<abi::Context> {
        let (last, Handover { step, .. }) = {
            let work = self.inner.work();
            (work.step, work.handed_over?)
        };
        in_place::settle(&self.inner, last);
        self.inner.rows.part();
        let mut range = self.inner.time;
        match self.inner.in_place.direction {
            Direction::Ascending => range.0 = step,
            Direction::Descending => range.1 = step,
        }
        self.inner.in_place = self.inner.in_place.again(&self.inner, range);
        Some(abi::Context { time_m: range.0, time_max: range.1, ..self.context() })
    }

    /// Calls a kernel with denormals flushed, next to the threads of the pool if there is one.
    fn call(&self, kernel: impl Fn(*const abi::Context) -> i32 + Sync) -> i32 {
        struct Shared(abi::Context);
        // SAFETY: the context is only read, and what it points to may be used from any thread, see `Inner`.
        unsafe impl Sync for Shared {}
        impl Shared {
            fn call(&self, kernel: impl Fn(*const abi::Context) -> i32) -> i32 {
                let _flush = threads::flush_denormals();
                kernel(&raw const self.0)
            }
        }
        let context = Shared(self.context());
        self.inner.work().start = Instant::now();
        match self.inner.pool.as_deref() {
            // A thread of another pool would take up other work while it waits, perhaps a run that waits for the
            // data of this one: it hands the run to a thread that does nothing else.
            Some(pool)
                if rayon::current_thread_index().is_some() && pool.current_thread_index().is_none() =>
            {
                let wait = || pool.install(|| context.call(&kernel));
                std::thread::scope(|scope| scope.spawn(wait).join()).unwrap_or(status::FAILED)
            }
            Some(pool) => pool.install(|| context.call(&kernel)),
            None => context.call(&kernel),
        }
    }

    /// Ends the run with the status that the kernel returned: seals the stores that it wrote, or poisons them
    /// when it failed, and hands out what was measured.
    #[must_use]
    pub fn finish(mut self, status: i32) -> HostReport {
        self.inner.finished = true;
        if status == status::OK {
            self.inner.guarded("the progress callback", || {
                let steps = self.inner.work().steps;
                let all = self.inner.time.1 - self.inner.time.0 + 1;
                if let Some(progress) = self.inner.progress {
                    locks::callback(|| progress(steps, all));
                }
                Ok(())
            });
        }
        let mut work = self.inner.work();
        let mut error = work.error.take();
        if error.is_none() && status != status::OK {
            error = Some(RuntimeError::Status { status });
        }
        if status != status::OK && work.steps > 0 {
            in_place::settle(&self.inner, work.step);
        }
        for BoundStore { store, .. } in self.inner.written() {
            match &error {
                Some(error) => store.poison(error.to_string()),
                None => error = store.seal().err(),
            }
        }
        // What was compressed was finite, and stays.
        if error.is_none() && work.steps > 0 {
            error = finite::at_end(&self.inner, work.step, work.finite).err();
        }
        report::take(&self.inner, &mut work, error)
    }
}

impl Drop for Inner<'_> {
    fn drop(&mut self) {
        if !self.finished {
            for BoundStore { store, .. } in self.written() {
                store.abandon();
                store.poison("the run did not finish");
            }
        }
    }
}

/// A shape of one to three dimensions as three: missing ones come first, with one point.
pub(crate) fn cube(shape: &[usize]) -> [usize; 3] {
    let mut cube = [1; 3];
    let rank = shape.len().min(3);
    cube[3 - rank..].copy_from_slice(&shape[shape.len() - rank..]);
    cube
}

/// The strides of a layout, as those of the [`cube`] of its shape.
fn cube_strides(layout: &Layout) -> [usize; 3] {
    let (own, mut strides) = (layout.strides(), [layout.slot_len(); 3]);
    strides[3 - own.len()..].copy_from_slice(&own);
    strides
}
