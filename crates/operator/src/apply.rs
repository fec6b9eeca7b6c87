//! One run of an operator: arguments, checks, the kernel call.

use crate::backend::Kernel;
use crate::memory::{self, History, MemoryEstimate};
use crate::overrides::{Override, Parameter, codecs};
use crate::replace::{Bound, Handle, Replacements};
use crate::sizes;
use crate::tier::{Change, Start};
use crate::{
    ApplyError, Backend, CompressionSummary, Operator, PerformanceSummary, Result, Tier, Use, range,
};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Instant;
use wavefold_ir::tree::{self, Stmt};
use wavefold_ir::{Bounded, FieldId, FieldKind, ScalarId, SparseId, TableDecl, TableId};
use wavefold_passes::Specialisation;
use wavefold_runtime::{
    Dense, Host, HostReport, KernelThreads, MemoryLimit, SparseTables, SparseValues, Store, StoreProfile,
    dense_of, locks, store_of, threads, values_of,
};
use wavefold_symbolic::{Constant, Dim, FunctionRef, Layers, SubDomain};

/// Receives the number of steps done and the number of all steps.
pub type Progress<'a> = dyn Fn(u64, u64) + Sync + 'a;

/// The arguments of a run. Made by [`Operator::apply`]; [`Apply::run`] checks them all, then runs.
#[must_use = "nothing runs until `.run()`"]
pub struct Apply<'a> {
    op: &'a Operator,
    time_min: Option<usize>,
    time_max: Option<usize>,
    dt: Option<f64>,
    backend: Backend,
    threads: Option<usize>,
    overrides: Vec<Override>,
    special: Specialisation,
    replaced: Replacements,
    scalars: Vec<(Constant, f64)>,
    measure_errors: bool,
    memory_limit: Option<usize>,
    codec_threads: usize,
    check_stability: bool,
    check_finite: bool,
    progress: Option<&'a Progress<'a>>,
    cancel: Option<&'a AtomicBool>,
}

impl<'a> Apply<'a> {
    pub(crate) fn new(op: &'a Operator) -> Apply<'a> {
        Apply {
            op,
            time_min: None,
            time_max: None,
            dt: None,
            backend: Backend::Auto,
            threads: None,
            overrides: vec![],
            special: Specialisation::default(),
            replaced: Replacements::default(),
            scalars: vec![],
            measure_errors: false,
            memory_limit: None,
            codec_threads: 0,
            check_stability: true,
            check_finite: false,
            progress: None,
            cancel: None,
        }
    }

    /// The first step (`time_m`). Default: the widest range for which every access is in range.
    pub fn time_min(mut self, t: usize) -> Self {
        self.time_min = Some(t);
        self
    }

    /// The last step, included (`time_M`). Default: as for [`Apply::time_min`].
    pub fn time_max(mut self, t: usize) -> Self {
        self.time_max = Some(t);
        self
    }

    /// The time step `dt`, in the unit that the equations imply.
    pub fn dt(mut self, dt: f64) -> Self {
        self.dt = Some(dt);
        self
    }

    /// The backend. Default: [`Backend::Auto`].
    pub fn backend(mut self, backend: Backend) -> Self {
        self.backend = backend;
        self
    }

    /// The number of threads. Default: one for each core. Results do not depend on it.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads);
        self
    }

    /// Steps that are done at a time, 64 at most, where the order of the operator allows it: with 1, all points finish a step before the
    /// next begins. Default: what the compiler expects to be fastest, see [`Operator::schedule`]. Results do not depend on it,
    /// to the last bit.
    pub fn steps_at_a_time(mut self, steps: usize) -> Self {
        self.special.steps = Some(steps.max(1));
        self
    }

    /// Bits per value for everything that this run quantizes.
    pub fn nbits(self, nbits: u32) -> Self {
        self.codec(None, Parameter::Nbits(nbits))
    }

    /// Bits per value for one function.
    pub fn nbits_of(self, function: &str, nbits: u32) -> Self {
        self.codec(Some(function), Parameter::Nbits(nbits))
    }

    /// Quantisation step relative to the rms of a snapshot, for everything that this run compresses with
    /// wavelets or lapped transforms.
    pub fn compscale(self, compscale: f64) -> Self {
        self.codec(None, Parameter::Compscale(compscale))
    }

    /// Quantisation step for one function.
    pub fn compscale_of(self, function: &str, compscale: f64) -> Self {
        self.codec(Some(function), Parameter::Compscale(compscale))
    }

    /// Signal-to-noise ratio in dB, for everything that this run compresses with lapped transforms.
    pub fn snr(self, snr: f64) -> Self {
        self.codec(None, Parameter::Snr(snr))
    }

    /// Signal-to-noise ratio in dB for one function.
    pub fn snr_of(self, function: &str, snr: f64) -> Self {
        self.codec(Some(function), Parameter::Snr(snr))
    }

    /// Bound on the error at every point over max - min of a snapshot, above 0 to 0.5, for everything that this run
    /// compresses with a lossy codec. Values that would be further off are stored as they are.
    pub fn max_error(self, max_error: f64) -> Self {
        self.codec(None, Parameter::MaxError(max_error))
    }

    /// Bound on the error at every point for one function.
    pub fn max_error_of(self, function: &str, max_error: f64) -> Self {
        self.codec(Some(function), Parameter::MaxError(max_error))
    }

    fn codec(mut self, function: Option<&str>, parameter: Parameter) -> Self {
        self.overrides.push(Override { function: function.map(str::to_string), parameter });
        self
    }

    /// Runs with other data: those of `other` in the place of those of `function`. Both must be of one kind: grid, type,
    /// halo, time levels and snapshots. No function may be there twice, but two may change places.
    pub fn with(mut self, function: impl Into<Handle>, other: impl Into<Handle>) -> Self {
        self.replaced.add(function.into(), other.into());
        self
    }

    /// Runs with another value of a constant.
    pub fn set(mut self, constant: &Constant, value: f64) -> Self {
        self.scalars.push((constant.clone(), value));
        self
    }

    /// Restricts all equations to the points `first ..= last` along a dimension of space. The operator is compiled anew
    /// for it, once.
    pub fn bounds(mut self, dim: Dim, first: usize, last: usize) -> Self {
        // A dimension that there is not is refused by `run`.
        let d = if let Dim::Space(d) = dim { d } else { usize::MAX };
        self.special.bounds.push((d, first, last));
        self
    }

    /// Runs with other thicknesses of a subdomain along a dimension: on the left and on the right. The operator is compiled
    /// anew for them, once.
    pub fn thickness(mut self, part: &SubDomain, dim: Dim, left: usize, right: usize) -> Self {
        let d = if let Dim::Space(d) = dim { d } else { usize::MAX };
        self.special.thickness.push((part.name().into(), d, left, right));
        self
    }

    /// Runs with another distance between the snapshots of a function. The operator is compiled anew for it, once.
    pub fn save_every_of(mut self, function: &str, every: usize) -> Self {
        self.special.every.push((function.into(), every));
        self
    }

    /// The memory in bytes that the compressed histories which this run writes may take together. A run that reaches it
    /// fails with `memory::limit`; histories with [`Layers::Spill`](wavefold_symbolic::Layers::Spill) go on on disk. Left
    /// out, there is none, for histories that spill three quarters of the memory that is free when the run begins.
    pub fn memory_limit(mut self, bytes: usize) -> Self {
        self.memory_limit = Some(bytes);
        self
    }

    /// Threads of their own for codecs that need a whole snapshot (`lapped`, `wavelet`): a snapshot is compressed beside the
    /// loops of its step, where they do not write to it. It pays where memory is busy before all cores are, and takes as many
    /// threads more. With 0, the default, loops and codecs take turns on the threads of the run. Results do not depend on it.
    pub fn codec_threads(mut self, threads: usize) -> Self {
        self.codec_threads = threads;
        self
    }

    /// Decompresses every snapshot right after it was compressed, and reports the largest error and the SNR. The
    /// summary's `seconds` leave the time for this out. For an operator that compresses nothing it does nothing.
    pub fn measure_errors(mut self) -> Self {
        self.measure_errors = true;
        self
    }

    /// Whether a time step that is certainly too large for the scheme is refused before anything runs; it is, unless
    /// said otherwise. Looked at are updates that are linear in one function of time, with coefficients made of
    /// numbers, constants, `dt` and functions of space. A step up to the limit of von Neumann's analysis for the worst
    /// values of these is never refused, nor is a scheme that the analysis does not understand, or a run of fewer than
    /// 24 steps.
    pub fn check_stability(mut self, check: bool) -> Self {
        self.check_stability = check;
        self
    }

    /// Whether NaN or infinity in a function of time that the run writes ends it with an error, which names the step
    /// and the point; it does not, unless asked for. Every 8th row is looked at every 8 steps or so, and everything at the end:
    /// less than a hundredth of a run of many steps. The data stay as they are.
    pub fn check_finite(mut self, check: bool) -> Self {
        self.check_finite = check;
        self
    }

    /// Calls `f` at each step, or each group of steps that are done together, and at the end, with the number of steps done and of all steps. The data of the
    /// operator's functions are in use meanwhile: asking for them is the error `data::in_use`.
    pub fn progress(mut self, f: &'a Progress<'a>) -> Self {
        self.progress = Some(f);
        self
    }

    /// Stops the run before the next step, or group of steps, once the flag is set; what it was writing is poisoned.
    pub fn cancel(mut self, flag: &'a AtomicBool) -> Self {
        self.cancel = Some(flag);
        self
    }

    /// Runs the operator.
    ///
    /// # Errors
    /// Arguments that make no sense, found before anything runs; a backend that is not available; a slice that
    /// cannot be compressed, a stream that is damaged, or memory that cannot be had while it runs.
    pub fn run(self) -> Result<PerformanceSummary> {
        self.run_as(&self.for_data()?)
    }

    /// The operator for the sizes and the data of this run.
    pub(crate) fn for_data(&self) -> Result<Operator> {
        let op = self.sizes()?;
        match self.alike(&op) {
            none if none.is_empty() => Ok(op),
            alike => self.op.specialised(&Specialisation { alike, ..self.special.clone() }),
        }
    }

    /// Functions that do not change, and most of whose rows are equal to others.
    fn alike(&self, op: &Operator) -> Vec<String> {
        let p = op.program();
        if !p.decls.fields.iter().any(|field| field.by_rows) {
            return vec![];
        }
        // What is wrong with the functions is told by the run.
        let Ok(bound) = self.replaced.bind(op) else { return vec![] };
        // Invariants come behind the functions.
        let functions =
            p.constants().into_iter().filter_map(|id| Some((id, bound.functions.get(id.index())?)));
        let equal = |f: &FunctionRef| Some(locks::read(&*dense_of(f).ok()?, f.name()).ok()?.has_equal_rows());
        let alike = functions.filter(|(_, f)| equal(f) == Some(true));
        alike.map(|(id, _)| p.decls.field(id).name.clone()).collect()
    }

    /// The memory that this run needs, without allocating any: of each function, of histories raw and as expected
    /// compressed, and of what the compiler adds.
    ///
    /// Without a time range, a history counts with all of its snapshots. One that was written counts with the bytes that
    /// it has.
    ///
    /// # Errors
    /// Arguments that make no sense, as for [`Apply::run`].
    pub fn estimate_memory(&self) -> Result<MemoryEstimate> {
        let op = &self.sizes()?;
        let bound = self.replaced.bind(op)?;
        let codecs = codecs(op, &self.overrides)?;
        let store = |i: usize| bound.functions.get(i).and_then(|f| f.storage().get::<Store>());
        let written = |i: usize| store(i).and_then(|s| Some((s.first_written()?, s.last_written()?)));
        // What is not known yet, the range of a history that another operator will write, leaves it open.
        let range = range::range(op, self.time_min, self.time_max, &written).ok();
        let history = |i: usize| {
            let on_disk = matches!(bound.functions.get(i)?.layers(), Layers::Disk(_));
            let FieldKind::Compressed { steps, every, codec } = op.program().decls.fields.get(i)?.kind else {
                return None;
            };
            let known = store(i).filter(|s| s.written() > 0);
            if let Some(store) = known.filter(|_| !codecs.iter().any(|(id, _)| id.index() == i)) {
                let codec = store.codec().map_or(codec, |bounded| bounded.codec);
                let (snapshots, written) = (store.written(), Some(store.bytes()));
                return Some(History { codec, snapshots, on_disk, written });
            }
            let codec = codecs.iter().find(|(id, _)| id.index() == i).map_or(codec, |(_, c)| c.codec);
            let every = every as i64;
            let snapshots = range.map_or(steps, |(first, last)| {
                let count = last.div_euclid(every) - (first + every - 1).div_euclid(every) + 1;
                usize::try_from(count).unwrap_or(0).min(steps)
            });
            Some(History { codec, snapshots, on_disk, written: None })
        };
        let threads = self.threads.unwrap_or_else(threads::available);
        Ok(memory::estimate(&op.program().decls, threads, history))
    }

    /// The operator for the sizes of this run.
    fn sizes(&self) -> Result<Operator> {
        sizes::check(self.op, &self.special)?;
        self.op.specialised(&self.special)
    }

    fn run_as(&self, op: &Operator) -> Result<PerformanceSummary> {
        let start = Instant::now();
        let bound = self.replaced.bind(op)?;
        let codecs = codecs(op, &self.overrides)?;
        let stores = Stores::find(op, &bound, &codecs)?;
        let (time_m, time_max) = range::range(op, self.time_min, self.time_max, &|i| stores.written(i))?;
        stores.check(op, time_m, time_max)?;
        let scalars = self.scalar_values(op)?;
        if self.check_stability
            && let Some(schemes) = op.schemes()
        {
            schemes.check(op, &bound.functions, &scalars, time_max - time_m + 1)?;
        }
        let threads = self.threads.unwrap_or_else(threads::available);
        let begin = match self.backend {
            Backend::Auto => op.start(threads),
            other => Start::Fixed(other),
        };
        let (backend, change) = match begin {
            Start::Fixed(backend) => (backend, None),
            Start::Tiered(compiler) => (Backend::Cranelift, Some(Change::new(op, compiler, threads))),
        };
        let (kernel, compile_seconds) = op.kernel(backend)?;
        let change = change.filter(|_| !kernel.is_wide());

        let fields = Fields::find(op, &bound)?;
        let points = Points::find(op, &bound)?;
        let mut locked = fields.lock()?;
        let mut values = points.lock()?;
        let tell = |done: i64, total: i64| {
            if let Some(f) = self.progress {
                f(done.max(0) as u64, total.max(0) as u64);
            }
        };
        let due = |done, total| change.as_ref().is_some_and(|change| change.due(done, total));
        let mut host = Host::builder(kernel.decls(op));
        host.spare(op.spare());
        host.time(time_m, time_max).threads(threads).measure_errors(self.measure_errors).progress(&tell);
        if let Some((direction, _)) = self.op.program().time() {
            host.direction(direction);
        }
        if self.check_finite {
            watched(op).into_iter().for_each(|(field, time)| {
                host.watch(field, time);
            });
        }
        if change.is_some() {
            host.handover(&due);
        }
        if let Some(flag) = self.cancel {
            host.cancel(flag);
        }
        host.codec_threads(self.codec_threads);
        if let Some(bytes) = self.memory_limit {
            host.memory_limit(MemoryLimit::new(bytes));
        }
        for (id, guard) in &mut locked {
            match guard {
                Guard::Read(dense) => host.field_read(*id, dense)?,
                Guard::Write(dense) => host.field(*id, dense)?,
            }
        }
        for (id, guard) in &mut values {
            match guard {
                Guard::Read(values) => host.sparse_read(*id, values)?,
                Guard::Write(values) => host.sparse(*id, values)?,
            }
        }
        for (i, table) in points.tables.iter().enumerate() {
            host.table(TableId(i as u32), table)?;
        }
        for (i, value) in scalars.into_iter().enumerate() {
            host.scalar(ScalarId(i as u32), value)?;
        }
        stores.bind(&mut host)?;
        if kernel.threaded && backend == Backend::C {
            host.kernel_threads(KernelThreads::Own);
        }
        let host = host.build()?;
        let next = || change.as_ref().and_then(Change::next);
        // SAFETY: the kernel was compiled from the program whose declarations the host has bound, for this machine;
        // what it writes is bound for writing, see `Fields::find` and `Points::find`; the builder was told of its
        // threads. So was that which takes over.
        let report = unsafe {
            host.run_in_turn(
                |context| kernel.call(context),
                |context| next().map_or(wavefold_runtime::status::FAILED, |kernel| kernel.call(context)),
            )
        };
        let mut tiers = Tier::of(backend, &report);
        if self.backend == Backend::Auto && backend == Backend::Cranelift {
            op.background().spend(tiers[0].seconds);
        }
        if let Some(error) = report.error {
            return Err(error.into());
        }
        // A program without time makes one step, which it does not tell of.
        if op.program().time().is_none() {
            tiers[0].steps = 1;
        }
        let last = next().filter(|_| tiers.len() > 1).unwrap_or(&kernel);
        let mut summary = summary(op, last, (time_m, time_max), threads, compile_seconds, start, report);
        if self.backend == Backend::Auto && backend == Backend::Cranelift {
            summary.note = op.background().failure();
        }
        summary.backend = tiers.last().map_or(backend, |t| t.backend);
        summary.tiers = tiers;
        Ok(summary)
    }

    fn scalar_values(&self, op: &Operator) -> Result<Vec<f64>> {
        let bindings = &op.compiled().bindings;
        if let Some((unused, _)) =
            self.scalars.iter().find(|(c, _)| !bindings.scalars.contains(&Some(c.clone())))
        {
            let (operator, name) = (op.name().into(), format!("`{}`", unused.name()));
            return Err(ApplyError::UnusedArgument { operator, name }.into());
        }
        let mut scalars = Vec::with_capacity(bindings.scalars.len());
        for constant in &bindings.scalars {
            let (name, value) = match constant {
                Some(c) => {
                    let given = self.scalars.iter().rev().find(|(other, _)| other == c);
                    (c.name().to_string(), given.map_or(c.value(), |(_, value)| *value))
                }
                None => (
                    "dt".to_string(),
                    self.dt.ok_or_else(|| ApplyError::NoStep { operator: op.name().into() })?,
                ),
            };
            if !value.is_finite() || (constant.is_none() && value == 0.0) {
                return Err(ApplyError::BadScalar { name, value }.into());
            }
            scalars.push(value);
        }
        Ok(scalars)
    }
}

/// What a run writes uncompressed, with its time shift.
fn watched(op: &Operator) -> Vec<(FieldId, i32)> {
    let users = op.compiled().bindings.functions.len();
    let written = op.compiled().uses.iter().filter(|u| u.write && u.field.index() < users);
    let mut list: Vec<(FieldId, i32)> = written
        .filter(|u| !op.program().decls.field(u.field).is_compressed())
        .map(|u| (u.field, u.time))
        .collect();
    list.dedup();
    list
}

#[allow(clippy::too_many_arguments, reason = "collects what the run has found out")]
fn summary(
    op: &Operator,
    kernel: &Kernel,
    (time_m, time_max): (i64, i64),
    threads: usize,
    compile_seconds: f64,
    start: Instant,
    report: HostReport,
) -> PerformanceSummary {
    let (p, rows) = (op.program(), &report.rows);
    let timed = p.time().is_some();
    PerformanceSummary {
        operator: op.name().into(),
        backend: Backend::Auto,
        tiers: vec![],
        note: None,
        threads: if kernel.threaded { threads } else { 1 },
        time_m,
        time_max,
        steps: if timed { (time_max - time_m + 1) as u64 } else { 1 },
        points: p.decls.points() as u64,
        seconds: report.seconds,
        lower_seconds: op.lowering().as_secs_f64(),
        compile_seconds,
        cached: kernel.cached,
        total_seconds: start.elapsed().as_secs_f64(),
        cost: tree::cost_of_rows(p, &|id| rows.iter().find(|r| r.0 == id).map_or(1.0, |r| r.1)),
        rows: rows.iter().map(|(id, own)| (p.decls.field(*id).name.clone(), *own)).collect(),
        schedule: op.schedule(),
        compression: report.stores.iter().filter_map(compression).collect(),
    }
}

fn compression(s: &StoreProfile) -> Option<CompressionSummary> {
    let (used, effect) = if s.written { (Use::Written, s.compress) } else { (Use::Read, s.decompress) };
    let errors = s.errors.as_ref();
    Some(CompressionSummary {
        function: s.name.clone(),
        used,
        codec: s.codec?,
        bound: s.bound,
        snapshots: effect.snapshots,
        raw_bytes: effect.raw_bytes as u64,
        bytes: effect.bytes as u64,
        seconds: effect.seconds,
        max_error: errors.map(|e| e.max_error()),
        snr_db: errors.map(|e| e.snr_db()),
    })
}

/// The compressed functions of an operator.
struct Stores {
    entries: Vec<StoreEntry>,
}

struct StoreEntry {
    field: FieldId,
    store: Arc<Store>,
    /// The codec when it is written, none when it is read.
    codec: Option<Bounded>,
}

impl Stores {
    /// Checks the states as well, so that nothing else is set up for a run that cannot happen.
    fn find(op: &Operator, bound: &Bound, codecs: &[(FieldId, Bounded)]) -> Result<Stores> {
        let mut entries = Vec::new();
        for (i, f) in bound.functions.iter().enumerate() {
            let field = FieldId(i as u32);
            if !op.program().decls.field(field).is_compressed() {
                continue;
            }
            let store = store_of(f)?;
            let codec = codecs.iter().find(|(id, _)| *id == field).map(|(_, c)| *c);
            match codec {
                Some(_) => store.check_writable()?,
                None => store.check_readable()?,
            }
            entries.push(StoreEntry { field, store, codec });
        }
        Ok(Stores { entries })
    }

    /// First and last snapshot of a function that is read.
    fn written(&self, field: usize) -> Option<(usize, usize)> {
        let entry = self.entries.iter().find(|e| e.field.index() == field)?;
        Some((entry.store.first_written()?, entry.store.last_written()?))
    }

    /// Every snapshot that the run will read was written.
    fn check(&self, op: &Operator, time_m: i64, time_max: i64) -> Result<()> {
        for e in self.entries.iter().filter(|e| e.codec.is_none()) {
            let FieldKind::Compressed { every, .. } = op.program().decls.field(e.field).kind else {
                continue;
            };
            let every = every as i64;
            let (first, last) = (time_m.saturating_add(every - 1) / every, time_max / every);
            for u in op.compiled().uses.iter().filter(|u| u.field == e.field) {
                let shift = i64::from(u.time);
                if first <= last {
                    e.store.check_range((first + shift).max(0) as usize, (last + shift).max(0) as usize)?;
                }
            }
        }
        Ok(())
    }

    fn bind(&self, host: &mut wavefold_runtime::HostBuilder) -> Result<()> {
        for e in &self.entries {
            match e.codec {
                Some(codec) => host.write_store(e.field, e.store.clone(), codec)?,
                None => host.read_store(e.field, e.store.clone())?,
            }
        }
        Ok(())
    }
}

/// The uncompressed functions of an operator, in the order in which they are locked: that of their making, the same
/// for all operators, so that runs cannot wait for each other in a circle.
struct Fields {
    entries: Vec<(FieldId, bool, String, Arc<RwLock<Dense>>)>,
}

enum Guard<'a, T> {
    Read(RwLockReadGuard<'a, T>),
    Write(RwLockWriteGuard<'a, T>),
}

impl<'a, T> Guard<'a, T> {
    fn lock(lock: &'a RwLock<T>, write: bool, name: &str) -> Result<Guard<'a, T>> {
        Ok(if write {
            Guard::Write(locks::write(lock, name)?)
        } else {
            Guard::Read(locks::read(lock, name)?)
        })
    }
}

impl Fields {
    fn find(op: &Operator, bound: &Bound) -> Result<Fields> {
        let written = op.program().written();
        let mut functions: Vec<(FieldId, &FunctionRef)> = bound
            .functions
            .iter()
            .enumerate()
            .map(|(i, f)| (FieldId(i as u32), f))
            .filter(|(id, _)| !op.program().decls.field(*id).is_compressed())
            .collect();
        functions.sort_by_key(|(_, f)| f.id());
        let entry = |(id, f): (FieldId, &FunctionRef)| {
            Ok((id, written.contains(&id), f.name().to_string(), dense_of(f)?))
        };
        Ok(Fields { entries: functions.into_iter().map(entry).collect::<Result<_>>()? })
    }

    fn lock(&self) -> Result<Vec<(FieldId, Guard<'_, Dense>)>> {
        let entries = self.entries.iter();
        entries.map(|(id, write, name, dense)| Ok((*id, Guard::lock(dense, *write, name)?))).collect()
    }
}

/// The sparse functions of an operator, by declaration, with the order in which they are locked.
struct Points {
    entries: Vec<PointsEntry>,
    tables: Vec<Arc<SparseTables>>,
    order: Vec<usize>,
}

struct PointsEntry {
    write: bool,
    name: String,
    values: Arc<RwLock<SparseValues>>,
}

impl Points {
    fn find(op: &Operator, bound: &Bound) -> Result<Points> {
        let sparse = &bound.sparse;
        let mut written = vec![false; sparse.len()];
        op.program().visit(&mut |s| {
            if let Stmt::Interpolate { sparse, .. } | Stmt::Reduce { series: sparse, .. } = s {
                written[sparse.index()] = true;
            }
        });
        let mut entries = Vec::with_capacity(sparse.len());
        for (s, write) in sparse.iter().zip(written) {
            entries.push(PointsEntry { write, name: s.name().to_string(), values: values_of(s)? });
        }
        let decls = &op.program().decls;
        let table = |t: &TableDecl| SparseTables::of(&sparse[t.sparse.index()], t.half, decls.dtype);
        let tables = decls.tables.iter().map(table).collect::<wavefold_runtime::Result<_>>()?;
        let mut order: Vec<usize> = (0..sparse.len()).collect();
        order.sort_by_key(|i| sparse[*i].id());
        Ok(Points { entries, tables, order })
    }

    fn lock(&self) -> Result<Vec<(SparseId, Guard<'_, SparseValues>)>> {
        let lock = |i: &usize| {
            let PointsEntry { write, name, values, .. } = &self.entries[*i];
            Ok((SparseId(*i as u32), Guard::lock(values, *write, name)?))
        };
        self.order.iter().map(lock).collect()
    }
}
