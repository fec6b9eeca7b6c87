//! Binding the memory of a run.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use wavefold_codecs::{Compression, ErrorReport};
use wavefold_ir::{Decls, FieldId, FieldKind, ScalarId, SparseId, abi};

use super::{Access, BoundField, BoundStore, EffectProfile, Host, Inner, KernelThreads, Work};
use crate::{Dense, Result, RuntimeError, SparseTables, SparseValues, Store, threads};

/// Binds memory, values and stores to the declarations of a program, see [`Host::builder`].
///
/// Everything that is declared must be bound; rings of the compiler are made here when they are not.
#[derive(Debug)]
pub struct HostBuilder<'a> {
    decls: &'a Decls,
    shape: Vec<usize>,
    fields: Vec<Option<BoundField>>,
    scalars: Vec<Option<f64>>,
    sparse: Vec<Option<abi::SparseTable>>,
    stores: Vec<Option<BoundStore>>,
    scratch: Vec<Dense>,
    settings: Settings<'a>,
}

struct Settings<'a> {
    time: (i64, i64),
    threads: usize,
    kernel_threads: KernelThreads,
    measure: bool,
    progress: Option<&'a (dyn Fn(i64, i64) + Sync)>,
    cancel: Option<&'a AtomicBool>,
}

impl std::fmt::Debug for Settings<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "time {:?}, {} threads", self.time, self.threads)
    }
}

impl<'a> HostBuilder<'a> {
    pub(super) fn new(decls: &'a Decls) -> Self {
        fn none<T>(n: usize) -> Vec<Option<T>> {
            std::iter::repeat_with(|| None).take(n).collect()
        }
        HostBuilder {
            decls,
            shape: decls.dims.iter().map(|d| d.size).collect(),
            fields: none(decls.fields.len()),
            scalars: vec![None; decls.scalars.len()],
            sparse: none(decls.sparse.len()),
            stores: none(decls.fields.len()),
            scratch: Vec::new(),
            settings: Settings {
                time: (0, -1),
                threads: 1,
                kernel_threads: KernelThreads::default(),
                measure: false,
                progress: None,
                cancel: None,
            },
        }
    }

    /// The range of steps, ends included; left out, there are none.
    pub fn time(&mut self, time_m: i64, time_max: i64) -> &mut Self {
        self.settings.time = (time_m, time_max);
        self
    }

    /// The number of threads; left out, one.
    pub fn threads(&mut self, threads: usize) -> &mut Self {
        self.settings.threads = threads;
        self
    }

    /// Who runs the parallel loops of the kernel; left out, the host.
    pub fn kernel_threads(&mut self, kernel_threads: KernelThreads) -> &mut Self {
        self.settings.kernel_threads = kernel_threads;
        self
    }

    /// Whether to decompress every snapshot right after it was compressed, and measure the error.
    pub fn measure_errors(&mut self, measure: bool) -> &mut Self {
        self.settings.measure = measure;
        self
    }

    /// Called with the number of steps done and of all steps: at the start of every step, and at the end of a
    /// run that did not fail. It may be called on another thread, never on two at a time. The data of the
    /// functions of the run are in use meanwhile: asking for them is the error `data::in_use`.
    pub fn progress(&mut self, progress: &'a (dyn Fn(i64, i64) + Sync)) -> &mut Self {
        self.settings.progress = Some(progress);
        self
    }

    /// A flag that stops the run before the next step once it is set.
    pub fn cancel(&mut self, cancel: &'a AtomicBool) -> &mut Self {
        self.settings.cancel = Some(cancel);
        self
    }

    /// Binds a field that the program may write.
    ///
    /// # Errors
    /// `run::internal` when type, layout or slots are not those of the declaration.
    pub fn field(&mut self, field: FieldId, dense: &'a mut Dense) -> Result<()> {
        self.bind(field, dense)
    }

    /// Binds a field that the program only reads.
    ///
    /// # Errors
    /// As [`field`](HostBuilder::field).
    pub fn field_read(&mut self, field: FieldId, dense: &'a Dense) -> Result<()> {
        self.bind(field, dense)
    }

    /// Gives zeroed memory of the run's own to a field that the compiler made.
    ///
    /// # Errors
    /// `memory::allocation`, `memory::too_large`; as [`field`](HostBuilder::field).
    pub fn scratch(&mut self, field: FieldId) -> Result<()> {
        let decl = self.decls.field(field);
        let dense = Dense::new(&decl.name, self.decls.dtype, &self.shape, decl.halo, decl.slots())?;
        self.bind(field, &dense)?;
        self.scratch.push(dense);
        Ok(())
    }

    /// Sets a scalar.
    ///
    /// # Errors
    /// `run::internal` when there is no such scalar.
    pub fn scalar(&mut self, scalar: ScalarId, value: f64) -> Result<()> {
        let place = self.scalars.get_mut(scalar.index());
        *place.ok_or_else(|| RuntimeError::internal(format!("no {scalar} to bind")))? = Some(value);
        Ok(())
    }

    /// Binds sparse points and their values, which the program may write.
    ///
    /// # Errors
    /// `run::internal` when type, points or steps are not those of the declaration.
    pub fn sparse(
        &mut self,
        sparse: SparseId,
        tables: &'a SparseTables,
        values: &'a mut SparseValues,
    ) -> Result<()> {
        self.check_sparse(sparse, tables, values)?;
        self.sparse[sparse.index()] = Some(tables.table(values.pointer_mut()));
        Ok(())
    }

    /// Binds sparse points and their values, which the program only reads.
    ///
    /// # Errors
    /// As [`sparse`](HostBuilder::sparse).
    pub fn sparse_read(
        &mut self,
        sparse: SparseId,
        tables: &'a SparseTables,
        values: &'a SparseValues,
    ) -> Result<()> {
        self.check_sparse(sparse, tables, values)?;
        self.sparse[sparse.index()] = Some(tables.table(values.pointer().cast_mut()));
        Ok(())
    }

    fn check_sparse(&self, sparse: SparseId, tables: &SparseTables, values: &SparseValues) -> Result<()> {
        let Some(decl) = self.decls.sparse.get(sparse.index()) else {
            return Err(RuntimeError::internal(format!("no {sparse} to bind")));
        };
        let shape: Vec<usize> = decl.steps.into_iter().chain([decl.points]).collect();
        let entries = decl.points << self.decls.rank();
        let same = values.data().shape() == shape
            && values.data().dtype() == self.decls.dtype
            && tables.weights().dtype() == self.decls.dtype
            && tables.weights().len() == entries
            && tables.cells().len() == entries * self.decls.rank()
            && tables.fit(&self.shape);
        if same {
            return Ok(());
        }
        Err(RuntimeError::internal(format!("`{}` is not as it was declared", decl.name)))
    }

    /// Binds a compressed field that the program writes, with the codec of this run.
    ///
    /// # Errors
    /// `store::second_write`, `store::writing`, `store::poisoned`; `run::internal` when it is not compressed.
    pub fn write_store(&mut self, field: FieldId, store: Arc<Store>, codec: Compression) -> Result<()> {
        store.check_writable()?;
        self.bind_store(field, BoundStore { store, access: Access::Write(codec) })
    }

    /// Binds a compressed field that the program reads.
    ///
    /// # Errors
    /// `store::empty`, `store::writing`, `store::poisoned`; `run::internal` when it is not compressed.
    pub fn read_store(&mut self, field: FieldId, store: Arc<Store>) -> Result<()> {
        store.check_readable()?;
        self.bind_store(field, BoundStore { store, access: Access::Read })
    }

    /// Makes the host. The stores that it writes go to state `Writing`, or none of them on an error.
    ///
    /// # Errors
    /// `threads::count`, `threads::start`; the errors of [`write_store`](HostBuilder::write_store);
    /// `memory::allocation` for rings; `run::internal` when something is not bound.
    pub fn build(mut self) -> Result<Host<'a>> {
        let pool = threads::of_run(self.settings.threads, self.settings.kernel_threads)?;
        self.make_rings()?;
        let unbound = |name: &str| RuntimeError::internal(format!("`{name}` is not bound"));
        let mut fields = Vec::with_capacity(self.fields.len());
        for (decl, (field, store)) in self.decls.fields.iter().zip(self.fields.into_iter().zip(&self.stores))
        {
            fields.push(match field {
                Some(field) => field,
                None if store.is_some() => BoundField { pointer: std::ptr::null_mut(), slots: 0 },
                None => return Err(unbound(&decl.name)),
            });
        }
        let scalars = self.decls.scalars.iter().zip(self.scalars);
        let scalars = scalars.map(|(decl, s)| s.ok_or_else(|| unbound(&decl.name))).collect::<Result<_>>()?;
        let sparse = self.decls.sparse.iter().zip(self.sparse);
        let sparse = sparse.map(|(decl, s)| s.ok_or_else(|| unbound(&decl.name))).collect::<Result<_>>()?;
        begin_writes(&self.stores)?;
        let Settings { time, threads, measure, progress, cancel, .. } = self.settings;
        let inner = Inner {
            decls: self.decls,
            pointers: fields.iter().map(|f: &BoundField| f.pointer.cast()).collect(),
            work: Mutex::new(work(fields.len())),
            fields,
            scalars,
            sparse,
            stores: self.stores,
            _scratch: self.scratch,
            time,
            threads,
            pool,
            progress,
            cancel,
            measure,
            finished: false,
        };
        Ok(Host { inner: Box::new(inner) })
    }

    fn make_rings(&mut self) -> Result<()> {
        for id in self.decls.field_ids() {
            if matches!(self.decls.field(id).kind, FieldKind::Ring { .. })
                && self.fields[id.index()].is_none()
            {
                self.scratch(id)?;
            }
        }
        Ok(())
    }

    /// The borrow for 'a is in the signatures of the callers; `scratch` moves into the host.
    fn bind(&mut self, field: FieldId, dense: &Dense) -> Result<()> {
        let Some(decl) = self.decls.fields.get(field.index()) else {
            return Err(RuntimeError::internal(format!("no {field} to bind")));
        };
        let same = dense.dtype() == self.decls.dtype
            && dense.shape() == self.shape
            && decl.layout.as_ref() == Some(dense.layout())
            && dense.slots() == decl.slots();
        if !same {
            return Err(RuntimeError::internal(format!(
                "the memory of `{}` is not as it was declared",
                decl.name
            )));
        }
        self.fields[field.index()] = Some(BoundField { pointer: dense.pointer(), slots: dense.slots() });
        Ok(())
    }

    fn bind_store(&mut self, field: FieldId, bound: BoundStore) -> Result<()> {
        let decl = self.decls.fields.get(field.index());
        match decl.map(|d| &d.kind) {
            Some(FieldKind::Compressed { steps, .. }) if *steps == bound.store.steps() => {
                self.stores[field.index()] = Some(bound);
                Ok(())
            }
            _ => {
                Err(RuntimeError::internal(format!("`{}` is not declared as compressed", bound.store.name())))
            }
        }
    }
}

/// `Empty -> Writing` for all stores that are written, or for none.
fn begin_writes(stores: &[Option<BoundStore>]) -> Result<()> {
    let mut begun: Vec<&Store> = Vec::new();
    for bound in stores.iter().flatten() {
        let result = match bound.access {
            Access::Write(codec) => bound.store.begin_write(codec),
            Access::Read => bound.store.check_readable(),
        };
        if let Err(error) = result {
            begun.iter().for_each(|s| s.abandon());
            return Err(error);
        }
        if matches!(bound.access, Access::Write(_)) {
            begun.push(&bound.store);
        }
    }
    Ok(())
}

fn work(fields: usize) -> Work {
    Work {
        error: None,
        start: Instant::now(),
        steps: 0,
        step: 0,
        tickets: 0,
        compress: vec![EffectProfile::default(); fields],
        decompress: vec![EffectProfile::default(); fields],
        errors: vec![ErrorReport::default(); fields],
        measuring: 0.0,
        stream: Vec::new(),
        decoded: None,
    }
}
