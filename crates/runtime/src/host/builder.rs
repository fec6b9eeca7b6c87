//! Binding the memory of a run.

use std::ffi::c_void;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use wavefold_codecs::{Bounded, ErrorReport};
use wavefold_ir::{Decls, Direction, Field, FieldId, FieldKind, ScalarId, SparseId, TableId, abi};

use super::beside::Beside;
use super::in_place::InPlace;
use super::parts::Parts;
use super::rows::Rows;
use super::{Access, BoundField, BoundStore, EffectProfile, Host, Inner, KernelThreads, TileMemory, Work};
use crate::spare::{Lent, Spare};
use crate::{Buffer, Dense, MemoryLimit, Result, RuntimeError, SparseTables, SparseValues, Store, threads};

/// Binds memory, values and stores to the declarations of a program, see [`Host::builder`].
///
/// Everything that is declared must be bound; rings of the compiler are made here when they are not.
#[derive(Debug)]
pub struct HostBuilder<'a> {
    decls: &'a Decls,
    fields: Vec<Option<BoundField>>,
    scalars: Vec<Option<f64>>,
    sparse: Vec<Option<abi::SparseValues>>,
    tables: Vec<Option<abi::SparseTable>>,
    stores: Vec<Option<BoundStore>>,
    scratch: Vec<Dense>,
    lent: Lent<'a>,
    settings: Settings<'a>,
}

struct Settings<'a> {
    time: (i64, i64),
    direction: Direction,
    threads: usize,
    kernel_threads: KernelThreads,
    codec_threads: usize,
    measure: bool,
    watched: Vec<(FieldId, i32)>,
    progress: Option<&'a (dyn Fn(i64, i64) + Sync)>,
    cancel: Option<&'a AtomicBool>,
    handover: Option<&'a (dyn Fn(i64, i64) -> bool + Sync)>,
    memory_limit: Option<MemoryLimit>,
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
            fields: none(decls.fields.len()),
            scalars: vec![None; decls.scalars.len()],
            sparse: none(decls.sparse.len()),
            tables: none(decls.tables.len()),
            stores: none(decls.fields.len()),
            scratch: Vec::new(),
            lent: Lent::default(),
            settings: Settings {
                time: (0, -1),
                direction: Direction::Ascending,
                threads: 1,
                kernel_threads: KernelThreads::default(),
                codec_threads: 0,
                measure: false,
                watched: vec![],
                progress: None,
                cancel: None,
                handover: None,
                memory_limit: None,
            },
        }
    }

    /// The range of steps, ends included; left out, there are none.
    pub fn time(&mut self, time_m: i64, time_max: i64) -> &mut Self {
        self.settings.time = (time_m, time_max);
        self
    }

    /// Where time goes; left out, it ascends.
    pub fn direction(&mut self, direction: Direction) -> &mut Self {
        self.settings.direction = direction;
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

    /// Threads that compress whole slices beside the loops; left out, none: the threads of the run do, in turn.
    pub fn codec_threads(&mut self, threads: usize) -> &mut Self {
        self.settings.codec_threads = threads;
        self
    }

    /// Whether to decompress every snapshot right after it was compressed, and measure the error.
    pub fn measure_errors(&mut self, measure: bool) -> &mut Self {
        self.settings.measure = measure;
        self
    }

    /// Watches a field that the program writes at a time shift: NaN or infinity in it ends the run with
    /// `run::not_finite`. Fields with time are looked at every few steps, in part; all of them at the end, whole.
    pub fn watch(&mut self, field: FieldId, time: i32) -> &mut Self {
        self.settings.watched.push((field, time));
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

    /// Asked at the start of every step but the first, with the number of steps done and of all steps, whether
    /// the kernel stops there for the next one, see [`Host::run_in_turn`].
    pub fn handover(&mut self, ask: &'a (dyn Fn(i64, i64) -> bool + Sync)) -> &mut Self {
        self.settings.handover = Some(ask);
        self
    }

    /// What the histories that the run writes may take of the memory, together.
    pub fn memory_limit(&mut self, limit: MemoryLimit) -> &mut Self {
        self.settings.memory_limit = Some(limit);
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
        let dense = self.fresh(field)?;
        self.bind(field, &dense)?;
        self.scratch.push(dense);
        Ok(())
    }

    fn fresh(&self, field: FieldId) -> Result<Dense> {
        let decl = self.decls.field(field);
        Dense::new(&decl.name, decl.dtype, &self.decls.stored_shape(decl), decl.halo, decl.slots())
    }

    /// Whether memory is as a field was declared.
    fn is_for(&self, decl: &Field, dense: &Dense) -> bool {
        dense.dtype() == decl.dtype
            && dense.shape() == self.decls.stored_shape(decl)
            && decl.layout.as_ref() == Some(dense.layout())
            && dense.slots() == decl.slots()
    }

    /// Where arrays come from that the program fills before it reads them, and where they go; left out, the run has its own.
    pub fn spare(&mut self, spare: &'a Spare) -> &mut Self {
        self.lent = Lent::of(spare);
        self
    }

    /// Gives memory to an invariant, whatever it holds: the first step fills all that is read.
    fn invariant(&mut self, field: FieldId) -> Result<()> {
        let decl = self.decls.field(field);
        let dense = match self.lent.take(|spare| self.is_for(decl, spare)) {
            Some(dense) => dense,
            None => self.fresh(field)?,
        };
        self.bind(field, &dense)?;
        self.lent.push(dense);
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

    /// Binds values of sparse points, which the program may write.
    ///
    /// # Errors
    /// `run::internal` when type, points or steps are not those of the declaration.
    pub fn sparse(&mut self, sparse: SparseId, values: &'a mut SparseValues) -> Result<()> {
        let pointer = values.pointer_mut();
        self.bind_sparse(sparse, values, pointer)
    }

    /// Binds values of sparse points, which the program only reads.
    ///
    /// # Errors
    /// As [`sparse`](HostBuilder::sparse).
    pub fn sparse_read(&mut self, sparse: SparseId, values: &'a SparseValues) -> Result<()> {
        self.bind_sparse(sparse, values, values.pointer().cast_mut())
    }

    fn bind_sparse(&mut self, sparse: SparseId, values: &SparseValues, pointer: *mut c_void) -> Result<()> {
        let Some(decl) = self.decls.sparse.get(sparse.index()) else {
            return Err(RuntimeError::internal(format!("no {sparse} to bind")));
        };
        let shape: Vec<usize> = decl.steps.into_iter().chain([decl.points]).collect();
        if values.data().shape() != shape || values.data().dtype() != decl.dtype {
            return Err(RuntimeError::internal(format!("`{}` is not as it was declared", decl.name)));
        }
        let values = abi::SparseValues { points: decl.points as i64, values: pointer };
        self.sparse[sparse.index()] = Some(values);
        Ok(())
    }

    /// Binds the places of sparse points.
    ///
    /// # Errors
    /// `run::internal` when they are not those of the declaration.
    pub fn table(&mut self, id: TableId, tables: &'a SparseTables) -> Result<()> {
        let Some(decl) = self.decls.tables.get(id.index()) else {
            return Err(RuntimeError::internal(format!("no {id} to bind")));
        };
        let sparse = self.decls.sparse(decl.sparse);
        let rows = sparse.points * if decl.moving { sparse.steps.unwrap_or(1) } else { 1 };
        let shape: Vec<usize> = self.decls.dims.iter().map(|d| d.size).collect();
        let same = tables.points() == rows
            && tables.corners() == decl.corners
            && tables.weights().dtype() == self.decls.dtype
            && tables.fit(&shape);
        if !same {
            return Err(RuntimeError::internal(format!("the table of `{}` is not as declared", sparse.name)));
        }
        self.tables[id.index()] = Some(tables.table(if decl.planes { &shape } else { &[] })?);
        Ok(())
    }

    /// Binds a compressed field that the program writes, with the codec of this run.
    ///
    /// # Errors
    /// `store::second_write`, `store::writing`, `store::poisoned`; `run::internal` when it is not compressed.
    pub fn write_store(
        &mut self,
        field: FieldId,
        store: Arc<Store>,
        codec: impl Into<Bounded>,
    ) -> Result<()> {
        store.check_writable()?;
        self.bind_store(
            field,
            BoundStore { store, access: Access::Write(codec.into()), parts: Parts::default() },
        )
    }

    /// Binds a compressed field that the program reads.
    ///
    /// # Errors
    /// `store::empty`, `store::writing`, `store::poisoned`; `run::internal` when it is not compressed.
    pub fn read_store(&mut self, field: FieldId, store: Arc<Store>) -> Result<()> {
        store.check_readable()?;
        self.bind_store(field, BoundStore { store, access: Access::Read, parts: Parts::default() })
    }

    /// Makes the host. The stores that it writes go to state `Writing`, or none of them on an error.
    ///
    /// # Errors
    /// `threads::count`, `threads::start`; the errors of [`write_store`](HostBuilder::write_store);
    /// `memory::allocation` for fields of the compiler; `run::internal` when something is not bound.
    pub fn build(mut self) -> Result<Host<'a>> {
        let pool = threads::of_run(self.settings.threads, self.settings.kernel_threads)?;
        let writes = self.stores.iter().flatten().any(|s| matches!(s.access, Access::Write(_)));
        let beside = match self.settings.codec_threads {
            0 => None,
            count => {
                threads::check_count(count)?;
                writes.then(|| Beside::new(count)).transpose()?
            }
        };
        self.make_scratch()?;
        let tiles = self.tiles()?;
        let unbound = |name: &str| RuntimeError::internal(format!("`{name}` is not bound"));
        let mut fields = Vec::with_capacity(self.fields.len());
        for (decl, (field, store)) in self.decls.fields.iter().zip(self.fields.into_iter().zip(&self.stores))
        {
            fields.push(match field {
                Some(field) => field,
                None if store.is_some() || decl.kind == FieldKind::Tile => {
                    BoundField { pointer: std::ptr::null_mut(), slots: 0, empty_halo: true }
                }
                None => return Err(unbound(&decl.name)),
            });
        }
        let scalars = self.decls.scalars.iter().zip(self.scalars);
        let scalars = scalars.map(|(decl, s)| s.ok_or_else(|| unbound(&decl.name))).collect::<Result<_>>()?;
        let sparse = self.decls.sparse.iter().zip(self.sparse);
        let sparse = sparse.map(|(decl, s)| s.ok_or_else(|| unbound(&decl.name))).collect::<Result<_>>()?;
        let tables = self.decls.tables.iter().zip(self.tables);
        let tables = tables
            .map(|(decl, t)| t.ok_or_else(|| unbound(&self.decls.sparse(decl.sparse).name)))
            .collect::<Result<_>>()?;
        let rows = Rows::new(self.decls, &fields)?;
        begin_writes(&self.stores, self.settings.memory_limit.as_ref())?;
        let Settings { time, direction, threads, measure, watched, progress, cancel, handover, .. } =
            self.settings;
        let inner = Inner {
            decls: self.decls,
            pointers: fields.iter().map(|f: &BoundField| f.pointer.cast()).collect(),
            work: Mutex::new(work(fields.len())),
            in_place: InPlace::of(self.decls, &fields, direction, time),
            fields,
            rows,
            scalars,
            sparse,
            tables,
            tiles: Mutex::new(tiles.iter().map(|t| TileMemory(t.pointer())).collect()),
            _tiles: tiles,
            stores: self.stores,
            _scratch: self.scratch,
            _lent: self.lent,
            time,
            threads,
            pool,
            beside,
            progress,
            cancel,
            handover,
            measure,
            watched,
            finished: false,
        };
        Ok(Host { inner: Box::new(inner) })
    }

    /// Memory of the run's own for what the compiler made.
    fn make_scratch(&mut self) -> Result<()> {
        for id in self.decls.field_ids() {
            match self.decls.field(id).kind {
                _ if self.fields[id.index()].is_some() => {}
                FieldKind::Ring { .. } => self.scratch(id)?,
                FieldKind::Invariant => self.invariant(id)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Memory for as many tiles as there may be threads at work.
    fn tiles(&self) -> Result<Vec<Buffer>> {
        let bytes = self.decls.tile_bytes();
        let count = if bytes == 0 { 0 } else { self.settings.threads.max(1) };
        (0..count).map(|_| Buffer::zeroed(bytes, "the memory of tiles")).collect()
    }

    /// The borrow for 'a is in the signatures of the callers; `scratch` moves into the host.
    fn bind(&mut self, field: FieldId, dense: &Dense) -> Result<()> {
        let Some(decl) = self.decls.fields.get(field.index()) else {
            return Err(RuntimeError::internal(format!("no {field} to bind")));
        };
        if !self.is_for(decl, dense) {
            return Err(RuntimeError::internal(format!(
                "the memory of `{}` is not as it was declared",
                decl.name
            )));
        }
        let (pointer, slots, empty_halo) = (dense.pointer(), dense.slots(), dense.has_empty_halo());
        self.fields[field.index()] = Some(BoundField { pointer, slots, empty_halo });
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
fn begin_writes(stores: &[Option<BoundStore>], limit: Option<&MemoryLimit>) -> Result<()> {
    let mut begun: Vec<&Store> = Vec::new();
    for bound in stores.iter().flatten() {
        let result = match bound.access {
            Access::Write(bounded) => bound.store.begin_write(bounded, limit),
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
        looks: 0,
        error: None,
        finite: None,
        start: Instant::now(),
        steps: 0,
        step: 0,
        group: 0,
        handed_over: None,
        tickets: 0,
        compress: vec![EffectProfile::default(); fields],
        decompress: vec![EffectProfile::default(); fields],
        errors: vec![ErrorReport::default(); fields],
        measuring: 0.0,
        stream: Vec::new(),
        decoded: None,
    }
}
