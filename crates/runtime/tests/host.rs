//! Runs of kernels that are written by hand against the calling convention.

use std::ffi::c_void;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError};

use wavefold_ir::abi::Context;
use wavefold_ir::{
    Compression, DType, Decls, Dim, Field, FieldId, FieldKind, Layout, ScalarDecl, ScalarId, ScalarKind,
    SparseDecl, SparseId, TableDecl, TableId,
};
use wavefold_runtime::file::Kind;
use wavefold_runtime::{
    Data, Dense, Host, HostReport, KernelThreads, RuntimeError, SparseTables, State, Store, status, threads,
};
use wavefold_symbolic::Layers;

const SHAPE: [usize; 2] = [6, 9];
const U: FieldId = FieldId(0);
const USAVE: FieldId = FieldId(1);
const RING: FieldId = FieldId(2);

fn decls(dtype: DType) -> Decls {
    let layout = || Some(Layout::new(&SHAPE, 2, dtype.size()));
    let dim = |name: &str, size| Dim { name: name.into(), size, spacing: 1.0 };
    let codec = Compression::Noop;
    let field = |name: &str, kind, layout| Field {
        name: name.into(),
        kind,
        dtype,
        halo: 2,
        window: None,
        tight: false,
        by_rows: false,
        layout,
    };
    Decls {
        name: "op".into(),
        dtype,
        dims: vec![dim("x", SHAPE[0]), dim("y", SHAPE[1])],
        scalars: vec![ScalarDecl { name: "dt".into(), kind: ScalarKind::Step }],
        fields: vec![
            field("u", FieldKind::Buffered { slots: 2, in_place: false }, layout()),
            field("usave", FieldKind::Compressed { steps: 4, every: 1, codec }, None),
            field("usave_ring", FieldKind::Ring { slots: 2, every: 1, of: USAVE }, layout()),
        ],
        sparse: vec![],
        tables: vec![],
    }
}

fn u(dtype: DType) -> Dense {
    let mut u = Dense::new("u", dtype, &SHAPE, 2, 2).unwrap();
    u.set_with(&|i| (i[0] * 10 + i[1]) as f64);
    u
}

fn store(dtype: DType) -> Arc<Store> {
    let kind = Kind { dtype, shape: SHAPE.to_vec(), snapshots: 4, every: 1 };
    Arc::new(Store::new("usave", kind, Layers::Host))
}

/// Compresses `u` at every step, adding `dt` to its first point before.
unsafe extern "C" fn save(context: *const Context) -> i32 {
    // SAFETY: the host keeps what the context points to.
    unsafe {
        let c = &*context;
        for t in c.time_m..=c.time_max {
            let status = (c.step)(context, t, 1, c.parallel);
            if status != 0 {
                return status;
            }
            let first = (*c.fields).cast::<f64>().add(Layout::new(&SHAPE, 2, 8).origin());
            *first += *c.scalars;
            let ticket = (c.compress)(context, 1, t, 0, 0, 0, c.parallel);
            let status = if ticket < 0 { -ticket as i32 } else { (c.wait)(context, ticket, c.parallel) };
            if status != 0 {
                return status;
            }
        }
        0
    }
}

/// Decompresses the history backwards through the ring, adding the first point of each to `u`.
unsafe extern "C" fn load(context: *const Context) -> i32 {
    // SAFETY: the host keeps what the context points to.
    unsafe {
        let c = &*context;
        let layout = Layout::new(&SHAPE, 2, 8);
        for t in (c.time_m..=c.time_max).rev() {
            let status = (c.step)(context, t, 1, c.parallel);
            if status != 0 {
                return status;
            }
            let ticket = (c.decompress)(context, 1, t, 2, t % 2, 0, c.parallel);
            let status = if ticket < 0 { -ticket as i32 } else { (c.wait)(context, ticket, c.parallel) };
            if status != 0 {
                return status;
            }
            let ring =
                (*c.fields.add(2)).cast::<f64>().add((t % 2) as usize * layout.slot_len() + layout.origin());
            *(*c.fields).cast::<f64>().add(layout.origin()) += *ring;
        }
        0
    }
}

struct Setup<'a> {
    store: &'a Arc<Store>,
    threads: usize,
    time: (i64, i64),
    write: bool,
}

fn run(
    setup: &Setup<'_>,
    u: &mut Dense,
    settings: impl FnOnce(&mut wavefold_runtime::HostBuilder<'_>),
) -> HostReport {
    let decls = decls(DType::F64);
    let mut builder = Host::builder(&decls);
    builder.threads(setup.threads).time(setup.time.0, setup.time.1);
    builder.field(U, u).unwrap();
    builder.scalar(ScalarId(0), 0.5).unwrap();
    if setup.write {
        builder.write_store(USAVE, setup.store.clone(), Compression::Noop).unwrap();
    } else {
        builder.read_store(USAVE, setup.store.clone()).unwrap();
    }
    settings(&mut builder);
    let host = builder.build().unwrap();
    // SAFETY: the kernels above are written for these declarations.
    unsafe { host.run(if setup.write { save } else { load }) }
}

#[test]
fn a_history_is_compressed_and_read_back() {
    for threads in [1, 2, 3] {
        let store = store(DType::F64);
        let mut u = u(DType::F64);
        let seen = Mutex::new(Vec::new());
        let progress = |done, of| seen.lock().unwrap_or_else(PoisonError::into_inner).push((done, of));
        let write = Setup { store: &store, threads, time: (0, 3), write: true };
        let report = run(&write, &mut u, |b| {
            b.measure_errors(true);
        });
        assert_eq!((report.error, report.steps), (None, 4));
        assert_eq!(store.state(), State::Sealed);
        let profile = &report.stores[0];
        assert_eq!(
            (profile.field, profile.name.as_str(), profile.codec),
            (USAVE, "usave", Some(Compression::Noop))
        );
        assert_eq!((profile.compress.snapshots, profile.compress.raw_bytes), (4, 4 * 54 * 8));
        assert_eq!(profile.compress.bytes, store.bytes());
        assert!(profile.written && profile.compress.bytes > 0 && profile.compress.seconds > 0.0);
        assert_eq!(profile.errors.map(|e| e.max_error()), Some(0.0));
        assert_eq!(store.errors(), profile.errors);
        assert!(report.seconds >= profile.compress.seconds);

        u.fill(0.0);
        let decls = decls(DType::F64);
        let mut builder = Host::builder(&decls);
        builder.threads(threads).kernel_threads(KernelThreads::Own).time(0, 3).progress(&progress);
        builder.field(U, &mut u).unwrap();
        builder.scalar(ScalarId(0), 0.0).unwrap();
        builder.read_store(USAVE, store.clone()).unwrap();
        // SAFETY: the kernel is written for these declarations.
        let report = unsafe { builder.build().unwrap().run(load) };
        assert_eq!((report.error, report.stores[0].decompress.snapshots), (None, 4));
        assert!(!report.stores[0].written);
        assert_eq!(u.read_slot(0).unwrap().get(&[0, 0]), Some(0.5 + 1.0 + 1.5 + 2.0));
        assert_eq!(*seen.lock().unwrap(), [(0, 4), (1, 4), (2, 4), (3, 4), (4, 4)]);
        assert_eq!(store.state(), State::Sealed);
    }
}

#[test]
fn a_value_that_is_not_finite_stops_the_run_and_poisons() {
    let store = store(DType::F64);
    let mut u = u(DType::F64);
    u.write_slot(
        0,
        &Data::from(u.read_slot(0).unwrap().to_f64().mapv(|v| if v == 34.0 { f64::NAN } else { v })),
    )
    .unwrap();
    let report = run(&Setup { store: &store, threads: 2, time: (2, 3), write: true }, &mut u, |_| {});
    let error = report.error.unwrap();
    assert_eq!(error.code(), "compress::not_finite");
    assert_eq!(
        error.to_string(),
        "NaN in `u` at point (3, 4), step 2: snapshot 2 of `usave` cannot be compressed"
    );
    assert_eq!(report.steps, 1);
    assert_eq!(store.state(), State::Poisoned { reason: error.to_string() });
    let builder_error = Host::builder(&decls(DType::F64)).read_store(USAVE, store).unwrap_err();
    assert_eq!(builder_error.code(), "store::poisoned");
}

#[test]
fn an_error_in_a_ring_does_not_name_it() {
    let (decls, store) = (decls(DType::F64), store(DType::F64));
    let mut u = u(DType::F64);
    let mut builder = Host::builder(&decls);
    builder.field(U, &mut u).unwrap();
    builder.scalar(ScalarId(0), 0.0).unwrap();
    builder.write_store(USAVE, store, Compression::Noop).unwrap();
    let host = builder.build().unwrap();
    let c = host.context();
    // SAFETY: the context is the host's; the ring has two slots.
    let ticket = unsafe {
        let layout = Layout::new(&SHAPE, 2, 8);
        *(*c.fields.add(RING.index())).cast::<f64>().add(layout.slot_len() + layout.origin()) =
            f64::NEG_INFINITY;
        assert_eq!((c.step)(&raw const c, 17, 1, c.parallel), status::OK);
        (c.compress)(&raw const c, 1, 3, 2, 1, 0, c.parallel)
    };
    let error = host.finish(-ticket as i32).error.unwrap().to_string();
    assert_eq!(error, "-inf at point (0, 0), step 17: snapshot 3 of `usave` cannot be compressed");
}

#[test]
fn cancelling_and_panics_stop_the_run() {
    static CANCEL: AtomicBool = AtomicBool::new(true);
    let store1 = store(DType::F64);
    let mut u = u(DType::F64);
    let report = run(&Setup { store: &store1, threads: 1, time: (0, 3), write: true }, &mut u, |b| {
        b.cancel(&CANCEL);
    });
    assert_eq!(report.error, Some(RuntimeError::Cancelled { step: 0 }));
    assert!(matches!(store1.state(), State::Poisoned { .. }));

    static PANICS: fn(i64, i64) = |done, _| {
        if done == 2 {
            panic!("no more")
        }
    };
    let store2 = store(DType::F64);
    let report = run(&Setup { store: &store2, threads: 2, time: (0, 3), write: true }, &mut u, |b| {
        b.progress(&PANICS);
    });
    let error = report.error.unwrap();
    assert_eq!(error.code(), "run::panicked");
    assert_eq!(error.to_string(), "the progress callback panicked: no more");
}

#[test]
fn missing_and_damaged_snapshots_stop_the_run() {
    let store1 = store(DType::F64);
    let mut u = u(DType::F64);
    run(&Setup { store: &store1, threads: 1, time: (1, 2), write: true }, &mut u, |_| {});
    let report = run(&Setup { store: &store1, threads: 1, time: (0, 2), write: false }, &mut u, |_| {});
    assert_eq!(report.error.unwrap().code(), "store::missing_step");
    assert_eq!(store1.state(), State::Sealed, "a failed reader does no harm");

    let store2 = store(DType::F64);
    store2.begin_write(Compression::Noop, None).unwrap();
    store2.put(0, &mut b"no stream".to_vec(), &threads::Everywhere).unwrap();
    store2.seal().unwrap();
    let report = run(&Setup { store: &store2, threads: 1, time: (0, 0), write: false }, &mut u, |_| {});
    assert_eq!(report.error.unwrap().code(), "store::corrupt");
}

#[test]
fn kernels_that_break_the_contract_get_an_error() {
    let decls = decls(DType::F64);
    let store = store(DType::F64);
    let mut u = u(DType::F64);
    let mut builder = Host::builder(&decls);
    builder.field(U, &mut u).unwrap();
    builder.scalar(ScalarId(0), 0.0).unwrap();
    builder.write_store(USAVE, store.clone(), Compression::Noop).unwrap();
    let host = builder.build().unwrap();
    assert_eq!(store.state(), State::Writing);
    let c = host.context();
    assert_eq!((c.time_m, c.time_max, c.threads), (0, -1, 1));
    for (store, snapshot, field, slot) in [
        (0, 0, 0, 0),
        (9, 0, 0, 0),
        (-1, 0, 0, 0),
        (1, -1, 0, 0),
        (1, 4, 0, 0),
        (1, 0, 1, 0),
        (1, 0, 0, 2),
        (1, 0, 7, 0),
    ] {
        // SAFETY: the context is the host's; its callbacks check the rest.
        let ticket = unsafe { (c.compress)(&raw const c, store, snapshot, field, slot, 0, c.parallel) };
        assert_eq!(ticket, -i64::from(status::FAILED));
    }
    // SAFETY: as above.
    unsafe {
        assert_eq!((c.decompress)(&raw const c, 1, 0, 2, 0, 0, c.parallel), -1, "a store being written");
        assert_eq!((c.wait)(&raw const c, 0, c.parallel), status::FAILED);
        assert_eq!((c.compress)(&raw const c, 1, 0, 0, 1, 0, c.parallel), 1);
        assert_eq!((c.wait)(&raw const c, 1, c.parallel), status::OK);
    }
    let report = host.finish(1);
    assert_eq!(report.error.unwrap().code(), "run::internal");
    let report =
        Host::builder(&Decls { fields: vec![], scalars: vec![], ..decls.clone() }).build().unwrap().finish(9);
    assert_eq!(report.error, Some(RuntimeError::Status { status: 9 }));
}

#[test]
fn what_is_not_bound_or_does_not_fit_is_refused() {
    let decls = decls(DType::F64);
    let mut narrow = Dense::new("u", DType::F64, &SHAPE, 1, 2).unwrap();
    let mut single = Dense::new("u", DType::F32, &SHAPE, 2, 2).unwrap();
    let error = Host::builder(&decls).field(U, &mut narrow).unwrap_err();
    assert_eq!(error.to_string(), "defect of Wavefold: the memory of `u` is not as it was declared");
    assert!(Host::builder(&decls).field(U, &mut single).is_err());
    assert!(Host::builder(&decls).field(USAVE, &mut narrow).is_err());
    assert!(Host::builder(&decls).field(FieldId(7), &mut narrow).is_err());
    assert!(Host::builder(&decls).scalar(ScalarId(1), 0.0).is_err());
    assert!(Host::builder(&decls).write_store(U, store(DType::F64), Compression::Noop).is_err());
    assert_eq!(
        Host::builder(&decls).build().unwrap_err().to_string(),
        "defect of Wavefold: `u` is not bound"
    );
    for count in [0, threads::LIMIT + 1] {
        let mut builder = Host::builder(&decls);
        builder.threads(count);
        assert_eq!(builder.build().unwrap_err().code(), "threads::count");
    }
}

#[test]
fn a_second_write_is_refused_and_an_unused_host_takes_its_writes_back() {
    let decls = decls(DType::F64);
    let store = store(DType::F64);
    let mut u1 = u(DType::F64);
    let mut u2 = u(DType::F64);
    let mut first = Host::builder(&decls);
    let mut second = Host::builder(&decls);
    for (builder, u) in [(&mut first, &mut u1), (&mut second, &mut u2)] {
        builder.field(U, u).unwrap();
        builder.scalar(ScalarId(0), 0.0).unwrap();
        builder.write_store(USAVE, store.clone(), Compression::Noop).unwrap();
    }
    let host = first.build().unwrap();
    assert_eq!(second.build().unwrap_err().code(), "store::writing");
    assert_eq!(store.state(), State::Writing);
    drop(host);
    assert_eq!(store.state(), State::Empty);
    let report = run(&Setup { store: &store, threads: 1, time: (0, 3), write: true }, &mut u1, |_| {});
    assert_eq!(report.error, None);
    let error = Host::builder(&decls).write_store(USAVE, store, Compression::Noop).unwrap_err();
    assert_eq!(error.code(), "store::second_write");
}

#[test]
fn parallel_loops_run_every_part_once_with_denormals_flushed() {
    struct Seen {
        parts: Vec<AtomicUsize>,
        denormals: AtomicUsize,
    }
    unsafe extern "C" fn part(argument: *mut c_void, i: i64) {
        // SAFETY: the test passes a `Seen` that outlives the loop.
        let seen = unsafe { &*argument.cast::<Seen>() };
        seen.parts[i as usize].fetch_add(1, Ordering::Relaxed);
        let small = std::hint::black_box(f32::MIN_POSITIVE);
        if std::hint::black_box(small * std::hint::black_box(0.5)) != 0.0 {
            seen.denormals.fetch_add(1, Ordering::Relaxed);
        }
    }
    static COUNT: AtomicI64 = AtomicI64::new(0);
    unsafe extern "C" fn kernel(context: *const Context) -> i32 {
        for count in [0, 1, 2, 1000, -3] {
            let parts = (0..count).map(|_| AtomicUsize::new(0)).collect();
            let mut seen = Seen { parts, denormals: AtomicUsize::new(0) };
            // SAFETY: `seen` outlives the loop.
            unsafe { ((*context).parallel)(context, count, part, (&raw mut seen).cast()) };
            assert!(seen.parts.iter().all(|n| n.load(Ordering::Relaxed) == 1));
            assert_eq!(seen.denormals.into_inner(), 0);
            COUNT.fetch_add(count, Ordering::Relaxed);
        }
        0
    }
    let decls = Decls { fields: vec![], scalars: vec![], ..decls(DType::F32) };
    for threads in [1, 2, 5] {
        for kernel_threads in [KernelThreads::Own, KernelThreads::Host] {
            let mut builder = Host::builder(&decls);
            builder.threads(threads).kernel_threads(kernel_threads);
            // SAFETY: the kernel uses the context alone.
            assert_eq!(unsafe { builder.build().unwrap().run(kernel) }.error, None);
        }
    }
    assert_eq!(COUNT.load(Ordering::Relaxed), 6 * 1000);
    let small = std::hint::black_box(f32::MIN_POSITIVE);
    assert_ne!(std::hint::black_box(small * 0.5), 0.0, "the mode of the caller is restored");
}

#[test]
fn sparse_points_reach_the_kernel() {
    unsafe extern "C" fn kernel(context: *const Context) -> i32 {
        // SAFETY: the table holds two points in two dimensions, of one step, in f32.
        unsafe {
            let (points, table) = (&*(*context).sparse, &*(*context).tables);
            let weights = table.weights.cast::<f32>();
            let ok = points.points == 2 && *table.cells.add(8) == 1 && *weights.add(4) == 0.25;
            *points.values.cast::<f32>().add(1) = 7.0;
            i32::from(!ok)
        }
    }
    use wavefold_runtime::{SparseData, values_of};
    use wavefold_symbolic::{Grid, SparseTimeFunction};
    let grid = Grid::new(SHAPE);
    let rec =
        SparseTimeFunction::new("rec", &grid).steps(1).coordinates([[0.0, 0.0], [1.5, 2.5]]).build().unwrap();
    let mut decls = Decls { fields: vec![], scalars: vec![], ..decls(DType::F32) };
    decls.sparse = vec![SparseDecl { name: "rec".into(), points: 2, steps: Some(1), dtype: DType::F32 }];
    decls.tables =
        vec![TableDecl { sparse: SparseId(0), half: [false; 3], corners: 4, moving: false, planes: true }];
    let tables = SparseTables::of(&rec, [false; 3], DType::F32).unwrap();
    let values = values_of(&rec).unwrap();
    let mut values = values.write().unwrap();
    let mut builder = Host::builder(&decls);
    builder.sparse(SparseId(0), &mut values).unwrap();
    assert!(builder.table(TableId(1), &tables).is_err());
    builder.table(TableId(0), &tables).unwrap();
    // SAFETY: the kernel is written for these declarations.
    assert_eq!(unsafe { builder.build().unwrap().run(kernel) }.error, None);
    drop(values);
    assert_eq!(rec.data().unwrap().iter().collect::<Vec<_>>(), [0.0, 7.0]);

    let mut wide = decls.clone();
    wide.sparse[0].dtype = DType::F64;
    let values = values_of(&rec).unwrap();
    let mut values = values.write().unwrap();
    assert!(Host::builder(&wide).sparse(SparseId(0), &mut values).is_err());
    assert!(Host::builder(&decls).sparse(SparseId(1), &mut values).is_err());
    assert!(Host::builder(&wide).sparse_read(SparseId(0), &values).is_err());
    let wide = Decls { dtype: DType::F64, ..decls.clone() };
    assert!(Host::builder(&wide).table(TableId(0), &tables).is_err(), "weights have the program's type");
    let mut builder = Host::builder(&decls);
    builder.sparse_read(SparseId(0), &values).unwrap();
    builder.table(TableId(0), &tables).unwrap();
    let host = builder.build().unwrap();
    // SAFETY: there is one table.
    let table = unsafe { &*host.context().sparse };
    // SAFETY: of two points in f32.
    assert_eq!(unsafe { *table.values.cast::<f32>().add(1) }, 7.0);
}
