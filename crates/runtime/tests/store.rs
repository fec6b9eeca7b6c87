//! Compressed histories: states, and what is refused in each.

use wavefold_codecs::{Serial, View, encode};
use wavefold_runtime::prelude::*;
use wavefold_runtime::threads::Everywhere;
use wavefold_runtime::{State, Store, dense_of, store_of};
use wavefold_symbolic::prelude::*;

fn stream(value: f32) -> Vec<u8> {
    let mut out = Vec::new();
    encode(Noop, View::dense(&[value; 12], [1, 3, 4]).unwrap(), &Serial, &mut out).unwrap();
    out
}

fn usave() -> TimeFunction {
    TimeFunction::new("usave", &Grid::new([3, 4])).save(4).compression(Noop).build().unwrap()
}

/// A function of which some snapshots, holding their number, were written.
fn written(snapshots: &[usize]) -> TimeFunction {
    let usave = usave();
    let store = store_of(&usave).unwrap();
    store.begin_write(Noop).unwrap();
    for i in snapshots {
        store.put(*i, &stream(*i as f32), &Everywhere).unwrap();
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
    assert_eq!((store.first_written(), store.last_written(), store.codec()), (Some(0), Some(3), Some(Noop)));
    let error = store.begin_write(Noop).unwrap_err();
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
    store.begin_write(Noop).unwrap();
    assert_eq!(decompress(&usave).unwrap_err().code(), "store::writing");
    assert_eq!(store.check_writable().unwrap_err().code(), "store::writing");
    assert_eq!(store.put(4, &stream(0.0), &Serial).unwrap_err().code(), "data::out_of_range");
    store.abandon();
    assert_eq!(store.state(), State::Empty);
    assert_eq!(store.put(0, &stream(0.0), &Serial).unwrap_err().code(), "store::not_writing");
    assert_eq!(store.seal().unwrap_err().code(), "store::not_writing");
}

#[test]
fn a_poisoned_one_says_why() {
    let usave = usave();
    let store = store_of(&usave).unwrap();
    store.poison("too early");
    assert_eq!(store.state(), State::Empty);
    store.begin_write(Noop).unwrap();
    store.put(0, &stream(1.0), &Serial).unwrap();
    store.abandon();
    store.poison("NaN at step 3");
    let error = decompress(&usave).unwrap_err();
    assert_eq!(error.code(), "store::poisoned");
    assert_eq!(
        error.to_string(),
        "`usave` cannot be used, because the run that wrote it failed: NaN at step 3"
    );
    assert_eq!(store.begin_write(Noop).unwrap_err(), error);
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
    store.begin_write(Noop).unwrap();
    let good = stream(1.0);
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 4;
    store.put(0, &good[..good.len() - 1], &Serial).unwrap();
    store.put(1, &flipped, &Serial).unwrap();
    store.put(2, &[], &Serial).unwrap();
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
    let store = Store::new("u", 2, 10_000_000);
    store.begin_write(Wavelet { compscale: 1e-3 }).unwrap();
    store.put(0, &long, &Everywhere).unwrap();
    store.put(1, &long[..100], &Everywhere).unwrap();
    store.put(0, &long[1..], &Everywhere).unwrap();
    store.seal().unwrap();
    assert!(store.with_stream(0, |s| s == &long[1..]).unwrap());
    assert!(store.with_stream(1, |s| s == &long[..100]).unwrap());
    assert_eq!(store.bytes(), long.len() - 1 + 100);
}
