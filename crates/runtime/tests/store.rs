//! Compressed histories: states, and what is refused in each.

use wavefold_codecs::{Serial, View, encode};
use wavefold_runtime::file::Kind;
use wavefold_runtime::prelude::*;
use wavefold_runtime::threads::Everywhere;
use wavefold_runtime::{MemoryLimit, State, Store, dense_of, release_memory, store_of};
use wavefold_symbolic::prelude::*;

fn stream(value: f32) -> Vec<u8> {
    let mut out = Vec::new();
    encode(Noop, View::dense(&[value; 12], [1, 3, 4]).unwrap(), &Serial, &mut out).unwrap();
    out
}

fn kind(snapshots: usize, shape: Vec<usize>) -> Kind {
    Kind { dtype: DType::F32, shape, snapshots, every: 1 }
}

fn usave() -> TimeFunction {
    TimeFunction::new("usave", &Grid::new([3, 4])).save(4).compression(Noop).build().unwrap()
}

/// A function of which some snapshots, holding their number, were written.
fn written(snapshots: &[usize]) -> TimeFunction {
    let usave = usave();
    let store = store_of(&usave).unwrap();
    store.begin_write(Noop, None).unwrap();
    for i in snapshots {
        store.put(*i, &mut stream(*i as f32), &Everywhere).unwrap();
    }
    store.seal().unwrap();
    usave
}

#[test]
fn a_history_is_written_once_and_read_back() {
    let usave = written(&[3, 1, 0, 2]);
    let all = decompress(&usave).unwrap();
    assert_eq!(all.shape(), [4, 3, 4]);
    let saved = TimeFunction::new("vsave", &Grid::new([3, 4])).save(4).build().unwrap();
    for i in 0..4 {
        saved.set_at(i, usave.decompress_step(i).unwrap()).unwrap();
        assert_eq!(decompress_step(&usave, i).unwrap().max(), i as f64);
    }
    assert_eq!(usave.decompress().unwrap(), saved.data());

    let info = usave.compression_info().unwrap();
    assert_eq!(
        (info.state.clone(), info.written, info.steps, info.raw_bytes),
        (State::Sealed, 4, 4, 4 * 12 * 4)
    );
    assert!(info.bytes >= info.raw_bytes && info.ratio <= 1.0 && info.errors.is_none());
    assert!(info.to_string().starts_with("usave: noop, sealed, 4 of 4 snapshots, 192 bytes in "));

    let store = store_of(&usave).unwrap();
    assert_eq!(
        (store.first_written(), store.last_written(), store.codec()),
        (Some(0), Some(3), Some(Noop.into()))
    );
    let error = store.begin_write(Noop, None).unwrap_err();
    assert_eq!(error.code(), "store::second_write");
    assert!(error.help().unwrap().contains("usave.twin(\"usave1\")"));
    assert!(store_of(&usave.twin("usave1")).unwrap().check_writable().is_ok());
}

#[test]
fn an_empty_one_cannot_be_read() {
    let error = decompress(&usave()).unwrap_err();
    assert_eq!(error.code(), "store::empty");
    assert_eq!(error.to_string(), "`usave` was never written");
    assert_eq!(decompress_step(&usave(), 1).unwrap_err().code(), "store::empty");
}

#[test]
fn one_being_written_can_be_neither_read_nor_written() {
    let usave = usave();
    let store = store_of(&usave).unwrap();
    store.begin_write(Noop, None).unwrap();
    assert_eq!(decompress(&usave).unwrap_err().code(), "store::writing");
    assert_eq!(store.check_writable().unwrap_err().code(), "store::writing");
    assert_eq!(store.put(4, &mut stream(0.0), &Serial).unwrap_err().code(), "data::out_of_range");
    store.abandon();
    assert_eq!(store.state(), State::Empty);
    assert_eq!(store.put(0, &mut stream(0.0), &Serial).unwrap_err().code(), "store::not_writing");
    assert_eq!(store.seal().unwrap_err().code(), "store::not_writing");
}

#[test]
fn a_poisoned_one_says_why() {
    let usave = usave();
    let store = store_of(&usave).unwrap();
    store.poison("too early");
    assert_eq!(store.state(), State::Empty);
    store.begin_write(Noop, None).unwrap();
    store.put(0, &mut stream(1.0), &Serial).unwrap();
    store.abandon();
    store.poison("NaN at step 3");
    let error = decompress(&usave).unwrap_err();
    assert_eq!(error.code(), "store::poisoned");
    assert_eq!(
        error.to_string(),
        "`usave` cannot be used, because the run that wrote it failed: NaN at step 3"
    );
    assert_eq!(store.begin_write(Noop, None).unwrap_err(), error);
    assert_eq!((store.written(), store.bytes(), store.ratio()), (0, 0, 0.0));
}

#[test]
fn a_missing_snapshot_is_named_with_those_that_exist() {
    let error = |snapshots: &[usize]| {
        let error = decompress(&written(snapshots)).unwrap_err();
        assert_eq!(error.code(), "store::missing_step");
        error.to_string()
    };
    assert_eq!(error(&[1, 2, 3]), "snapshot 0 of `usave` was never written; 1 to 3 were");
    assert_eq!(error(&[0, 3]), "snapshot 1 of `usave` was never written; 0 to 3 were, but for 2 of them");
    assert_eq!(error(&[2]), "snapshot 0 of `usave` was never written; only 2 was");
    assert_eq!(error(&[]), "snapshot 0 of `usave` was never written; none was");
    let usave = written(&[1, 2]);
    assert_eq!(usave.decompress_step(2).unwrap().max(), 2.0);
    assert_eq!(usave.decompress_step(3).unwrap_err().code(), "store::missing_step");
    assert_eq!(usave.decompress_step(4).unwrap_err().code(), "data::out_of_range");
    let store = store_of(&usave).unwrap();
    assert!(store.check_range(1, 2).is_ok());
    assert_eq!(store.first_missing(1, 9), Some(3));
}

#[test]
fn damaged_streams_are_errors() {
    let usave = usave();
    let store = store_of(&usave).unwrap();
    store.begin_write(Noop, None).unwrap();
    let good = stream(1.0);
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 4;
    store.put(0, &mut good[..good.len() - 1].to_vec(), &Serial).unwrap();
    store.put(1, &mut flipped, &Serial).unwrap();
    store.put(2, &mut vec![], &Serial).unwrap();
    store.seal().unwrap();
    for i in 0..3 {
        let error = usave.decompress_step(i).unwrap_err();
        assert_eq!(error.code(), "store::corrupt");
        assert!(error.to_string().starts_with(&format!("snapshot {i} of `usave` cannot be decompressed: ")));
    }
}

#[test]
fn data_of_a_compressed_function_point_to_decompress() {
    let usave = usave();
    let error = usave.data().unwrap_err();
    assert_eq!(error.code(), "store::data_of_compressed");
    assert!(error.help().unwrap().contains("decompress(&usave)"));
    for result in
        [usave.fill(0.0), usave.set_data(vec![0.0_f32]), usave.set_with(|_| 0.0), usave.at(0).map(drop)]
    {
        assert_eq!(result.unwrap_err(), error);
    }
    assert_eq!(dense_of(&usave).unwrap_err(), error);
    let u = TimeFunction::new("u", &Grid::new([3])).build().unwrap();
    assert_eq!(decompress(&u).unwrap_err().code(), "store::not_compressed");
    assert_eq!(u.compression_info().unwrap_err().code(), "store::not_compressed");
}

#[test]
fn long_streams_are_copied_in_pieces() {
    let long: Vec<u8> = (0..5_000_000_u32).map(|i| (i % 251) as u8).collect();
    let store = Store::new("u", kind(2, vec![2_500_000]), Layers::Host);
    store.begin_write(Wavelet { compscale: 1e-3 }, None).unwrap();
    store.put(0, &mut long.clone(), &Everywhere).unwrap();
    store.put(1, &mut long[..100].to_vec(), &Everywhere).unwrap();
    store.put(0, &mut long[1..].to_vec(), &Everywhere).unwrap();
    store.seal().unwrap();
    assert!(store.with_stream(0, |s| s == &long[1..]).unwrap());
    assert!(store.with_stream(1, |s| s == &long[..100]).unwrap());
    assert_eq!(store.bytes(), long.len() - 1 + 100);
}

/// Streams of different sizes, the number of each in all of its bytes.
fn numbered(i: usize) -> Vec<u8> {
    vec![i as u8; 1 + 1000 * (i % 7)]
}

fn fill(store: &Store, snapshots: usize, limit: Option<&MemoryLimit>) -> Result<(), RuntimeError> {
    store.begin_write(Noop, limit)?;
    let put = (0..snapshots).try_for_each(|i| store.put(i, &mut numbered(i), &Serial));
    put.and_then(|()| store.seal()).inspect_err(|e| store.poison(e.to_string()))
}

fn check(store: &Store, snapshots: usize) {
    // As an adjoint run reads, as a forward run reads, and in no order.
    let any = (0..snapshots).map(|i| (i * 17) % snapshots);
    for i in (0..snapshots).rev().chain(0..snapshots).chain(any) {
        assert!(store.with_stream(i, |s| s == numbered(i)).unwrap(), "{i}");
    }
    assert_eq!(store.bytes(), (0..snapshots).map(|i| numbered(i).len()).sum::<usize>());
}

#[test]
fn every_layer_hands_back_what_it_got() {
    let directory = tempfile::tempdir().unwrap();
    let path = || directory.path().to_path_buf();
    for (layers, limit, on_disk) in [
        (Layers::None, None, 0.0),
        (Layers::Host, None, 0.0),
        (Layers::Host, Some(1 << 20), 0.0),
        (Layers::Disk(path()), None, 1.0),
        (Layers::Disk(path()), Some(0), 1.0),
        (Layers::Spill(path()), None, 0.0),
        (Layers::Spill(path()), Some(60_000), 0.5),
        (Layers::Spill(path()), Some(0), 1.0),
    ] {
        let store = Store::new("u", kind(40, vec![3]), layers.clone());
        fill(&store, 40, limit.map(MemoryLimit::new).as_ref()).unwrap();
        check(&store, 40);
        let part = store.bytes_on_disk() as f64 / store.bytes() as f64;
        assert!((part - on_disk).abs() < 0.05, "{layers:?} {limit:?}: {part}");
    }
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "files have no names");
}

#[test]
fn a_limit_holds_for_all_histories_of_a_run_and_tells_how_far_it_came() {
    let limit = MemoryLimit::new(100_000);
    let (first, second) =
        (Store::new("u", kind(20, vec![3]), Layers::Host), Store::new("v", kind(40, vec![3]), Layers::Host));
    fill(&first, 20, Some(&limit)).unwrap();
    let error = fill(&second, 40, Some(&limit)).unwrap_err();
    assert_eq!(error.code(), "memory::limit");
    assert_eq!(
        error.to_string(),
        "the history of `v` has reached the memory limit of 100000 bytes after 15 of 40 snapshots, 42015 bytes"
    );
    assert!(error.help().unwrap().contains("Layers::Spill"));
    assert!(matches!(second.state(), State::Poisoned { .. }));
    check(&first, 20);
}

#[test]
fn a_directory_that_is_not_there_is_told_before_the_run() {
    for layers in [Layers::Disk, Layers::Spill] {
        let store = Store::new("u", kind(4, vec![3]), layers("no/such/directory".into()));
        let error = store.begin_write(Noop, None).unwrap_err();
        assert_eq!(error.code(), "store::disk");
        assert!(error.to_string().starts_with("the history of `u` cannot be kept in no/such/directory: "));
        assert!(error.help().unwrap().contains(".layers(..)"));
        assert_eq!(store.state(), State::Empty);
    }
}

#[test]
fn a_history_goes_through_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("u.wfh");
    let usave = written(&[0, 1, 3]);
    usave.save_history(&path).unwrap();
    usave.save_history(&path).unwrap(); // replaced
    let twin = usave.twin("other");
    twin.open_history(&path).unwrap();
    assert_eq!(twin.decompress_step(3).unwrap(), usave.decompress_step(3).unwrap());
    assert_eq!(twin.decompress_step(2).unwrap_err().code(), "store::missing_step");
    let (info, was) = (twin.compression_info().unwrap(), usave.compression_info().unwrap());
    assert_eq!((info.state, info.bytes, info.bytes_on_disk), (State::Sealed, was.bytes, was.bytes));
    assert_eq!((info.codec, info.written, info.steps), (was.codec, 3, 4));
    // It is written now.
    assert_eq!(twin.open_history(&path).unwrap_err().code(), "store::second_write");
    // A file that is open may lose its name.
    std::fs::remove_file(&path).unwrap();
    assert_eq!(twin.decompress_step(0).unwrap(), usave.decompress_step(0).unwrap());
    assert_eq!(usave.twin("third").open_history(&path).unwrap_err().code(), "history::file");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn a_file_tells_the_codec_and_its_bound() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("u.wfh");
    for with in [Wavelet { compscale: 1e-2 }.within(1e-3), Wavelet { compscale: 1e-2 }.into()] {
        let store = Store::new("u", kind(1, vec![3]), Layers::Host);
        store.begin_write(with, None).unwrap();
        store.put(0, &mut vec![1, 2, 3], &Everywhere).unwrap();
        store.seal().unwrap();
        store.save(&path).unwrap();
        let other = Store::new("v", kind(1, vec![3]), Layers::Host);
        other.open(&path).unwrap();
        assert_eq!(other.codec(), Some(with));
    }
}

#[test]
fn histories_that_are_not_whole_or_fit_not_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("u.wfh");
    let fresh = || usave().open_history(&path).map_err(|e| (e.code(), e.to_string()));
    assert_eq!(usave().save_history(&path).unwrap_err().code(), "store::empty");
    let usave = written(&[0, 1, 2, 3]);
    usave.save_history(&path).unwrap();
    let good = std::fs::read(&path).unwrap();
    fresh().unwrap();

    // Cut anywhere.
    for len in (0..good.len()).step_by(7).chain([good.len() - 1]) {
        std::fs::write(&path, &good[..len]).unwrap();
        assert_eq!(fresh().unwrap_err().0, "history::format", "{len}");
    }
    // A bit flipped anywhere: refused when it is opened, or when the stream is decompressed; or it lies in padding.
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1 << (at % 8);
        std::fs::write(&path, &bad).unwrap();
        let other = usave.twin("other");
        match other.open_history(&path) {
            Err(e) => assert!(["history::format", "history::mismatch"].contains(&e.code()), "{at}: {e}"),
            Ok(()) => match decompress(&other) {
                Err(e) => assert_eq!(e.code(), "store::corrupt", "{at}: {e}"),
                Ok(data) => assert_eq!(data, decompress(&usave).unwrap(), "{at}"),
            },
        }
    }
    // Cut while it is open.
    std::fs::write(&path, &good).unwrap();
    let open = usave.twin("open");
    open.open_history(&path).unwrap();
    std::fs::File::options().write(true).open(&path).unwrap().set_len(100).unwrap();
    let error = open.decompress_step(3).unwrap_err();
    assert_eq!(error.code(), "store::disk");
    assert!(error.to_string().contains("u.wfh"), "{error}");

    std::fs::write(&path, &good).unwrap();
    let grid = Grid::new([3, 4]);
    let builder = || TimeFunction::new("w", &grid).compression(Noop);
    for other in [
        builder().save(5).build(),
        builder().save(4).save_every(2).build(),
        builder().save(4).dtype(DType::F64).build(),
        TimeFunction::new("w", &Grid::new([4, 3])).save(4).compression(Noop).build(),
    ] {
        let error = other.unwrap().open_history(&path).unwrap_err();
        assert_eq!(error.code(), "history::mismatch");
        assert!(error.to_string().contains("holds 4 snapshots of 3x4 f32"), "{error}");
    }
    assert_eq!(usave.twin("d").open_history(directory.path()).unwrap_err().code(), "history::file");
    assert_eq!(usave.save_history(directory.path()).unwrap_err().code(), "history::file");
    assert_eq!(usave.save_history("no/such/directory/u.wfh").unwrap_err().code(), "history::file");
}

#[test]
fn memory_of_histories_is_kept_for_the_next_until_it_is_released() {
    let store = Store::new("u", kind(40, vec![3]), Layers::Host);
    store.begin_write(Noop, None).unwrap();
    store.put(0, &mut vec![1; 5 << 20], &Serial).unwrap();
    drop(store);
    assert!(release_memory() >= 8 << 20);
}
