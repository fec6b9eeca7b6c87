//! Compressed histories: what is refused, and what a failed run leaves behind.

use crate::{CODECS, backends, compressed, counting, golden, grid, message, time, written};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use wavefold::codecs::{Serial, View, encode};
use wavefold::prelude::*;
use wavefold::runtime::store_of;
use wavefold::runtime::threads::Everywhere;

/// Reads every snapshot.
fn reading(usave: &TimeFunction) -> Operator {
    let v = time("v", &grid());
    Operator::named("reading", [eq(v.backward(), &v + usave)]).unwrap()
}

#[test]
fn second_write_by_another_apply() {
    let g = grid();
    let (u, usave) = (time("u", &g), compressed("usave", &g, 4));
    let op = counting(&u, &usave);
    op.apply().run().unwrap();
    golden!(op.apply().run());
}

#[test]
fn second_write_by_another_operator() {
    let usave = written(4, 0, 3);
    golden!(counting(&time("w", usave.grid()), &usave).apply().time_max(1).run());
}

#[test]
fn second_write_leaves_the_first() {
    let g = grid();
    let (u, usave) = (time("u", &g), compressed("usave", &g, 4));
    let op = counting(&u, &usave);
    op.apply().time_max(3).run().unwrap();
    op.apply().time_max(1).run().unwrap_err();
    assert_eq!(decompress_step(&usave, 3).unwrap().max(), 3.0);
    assert_eq!(u.at(4).unwrap().max(), 4.0, "the refused run did not run");
}

#[test]
fn read_of_an_unwritten_function() {
    golden!(reading(&compressed("usave", &grid(), 4)).apply().run());
}

#[test]
fn decompress_of_an_unwritten_function() {
    golden!(decompress(&compressed("usave", &grid(), 4)));
}

#[test]
fn read_of_a_twin() {
    golden!(reading(&written(4, 0, 3).twin("usave1")).apply().run());
}

/// A history whose run met a NaN in step 2.
fn poisoned() -> TimeFunction {
    let g = grid();
    let (u, usave) = (time("u", &g), compressed("usave", &g, 4));
    let op = Operator::new([eq(u.forward(), (&u - 1.0).log()), eq(&usave, &u)]).unwrap();
    op.apply().backend(Backend::Cranelift).run().unwrap_err();
    usave
}

#[test]
fn read_of_a_function_poisoned_by_nan() {
    golden!(reading(&poisoned()).apply().run());
}

#[test]
fn decompress_of_a_poisoned_function() {
    golden!(decompress_step(&poisoned(), 0));
}

#[test]
fn write_of_a_poisoned_function() {
    golden!(counting(&time("u", &grid()), &poisoned()).apply().run());
}

/// A history whose run was cancelled before step 2, and the error of that run.
fn cancelled() -> (TimeFunction, wavefold::Error) {
    let g = grid();
    let (u, usave) = (time("u", &g), compressed("usave", &g, 4));
    let flag = AtomicBool::new(false);
    let stop = |done: u64, _: u64| flag.store(done >= 1, Ordering::Relaxed);
    let run = counting(&u, &usave).apply().cancel(&flag).progress(&stop).run();
    (usave, run.unwrap_err())
}

#[test]
fn run_cancelled() {
    golden!(Err::<(), _>(cancelled().1));
}

#[test]
fn read_of_a_function_poisoned_by_cancel() {
    golden!(reading(&cancelled().0).apply().run());
}

#[test]
fn decompress_while_it_is_written() {
    let g = grid();
    let (u, usave) = (time("u", &g), compressed("usave", &g, 4));
    let met = Mutex::new(None);
    let look = |_: u64, _: u64| {
        met.lock().unwrap().get_or_insert(decompress_step(&usave, 0));
    };
    counting(&u, &usave).apply().progress(&look).run().unwrap();
    golden!(met.into_inner().unwrap().unwrap());
}

#[test]
fn data_asked_for_in_the_progress_callback() {
    let g = grid();
    let (u, usave) = (time("u", &g), compressed("usave", &g, 4));
    let met = Mutex::new(None);
    let look = |_: u64, _: u64| {
        met.lock().unwrap().get_or_insert(u.data());
    };
    counting(&u, &usave).apply().progress(&look).run().unwrap();
    golden!(met.into_inner().unwrap().unwrap());
}

#[test]
fn panic_in_the_progress_callback() {
    let g = grid();
    let (u, usave) = (time("u", &g), compressed("usave", &g, 4));
    let stop = |done: u64, _: u64| {
        if done == 2 {
            // As `panic!` does, without its report on the terminal.
            std::panic::resume_unwind(Box::new("too far"));
        }
    };
    let run = counting(&u, &usave).apply().progress(&stop).run();
    golden!(run);
}

#[test]
fn step_never_written_by_explicit_bounds() {
    golden!(reading(&written(6, 1, 3)).apply().time_min(1).time_max(4).run());
}

#[test]
fn step_never_written_by_decompress() {
    golden!(decompress(&written(6, 1, 3)));
}

#[test]
fn step_never_written_by_decompress_step() {
    golden!(decompress_step(&written(6, 1, 3), 0));
}

#[test]
fn step_that_is_not_kept() {
    golden!(decompress_step(&written(6, 0, 5), 6));
}

#[test]
fn default_bounds_are_the_steps_that_were_written() {
    let usave = written(6, 1, 3);
    let s = reading(&usave).apply().backend(Backend::Cranelift).run().unwrap();
    assert_eq!((s.time_m, s.time_max), (1, 3));
}

/// The message of a run that saves `u` itself, which is not finite at one point from step 2 on.
fn not_finite(value: f64, compression: Compression, backend: Backend) -> String {
    let g = grid();
    let u = time("u", &g);
    let m = Function::new("m", &g).build().unwrap();
    m.set_with(|at| if at == [2, 3] || at == [3, 0] { value } else { 0.0 }).unwrap();
    let usave = TimeFunction::new("usave", &g).save(5).compression(compression).build().unwrap();
    let k = time("k", &g);
    k.set_at(0, Data::zeros(DType::F32, &[4, 5]).unwrap()).unwrap();
    // The value appears in u at step 2: m stands in v from step 1 on.
    let v = time("v", &g);
    let op = Operator::new([eq(u.forward(), &v + 1.0), eq(v.forward(), &m + &k), eq(&usave, &u)]).unwrap();
    let text = message(op.apply().backend(backend).run());
    assert!(message(decompress(&usave)).starts_with("[store::poisoned]"));
    text
}

#[test]
fn nan_in_a_slice() {
    let first = not_finite(f64::NAN, Noop, Backend::Cranelift);
    for (codec, backend) in CODECS.into_iter().flat_map(|c| backends().into_iter().map(move |b| (c, b))) {
        assert_eq!(not_finite(f64::NAN, codec, backend), first, "{codec} {backend}");
    }
    crate::settings().bind(|| insta::assert_snapshot!(first));
}

#[test]
fn infinity_in_a_slice() {
    let first = not_finite(f64::NEG_INFINITY, Noop, Backend::Cranelift);
    for (codec, backend) in CODECS.into_iter().flat_map(|c| backends().into_iter().map(move |b| (c, b))) {
        assert_eq!(not_finite(f64::NEG_INFINITY, codec, backend), first, "{codec} {backend}");
    }
    crate::settings().bind(|| insta::assert_snapshot!(first));
}

#[test]
fn nan_in_the_value_of_an_expression() {
    let g = Grid::new([3, 3, 3]);
    let (u, usave) = (time("u", &g), compressed("usave", &g, 4));
    let u0 = Function::new("u0", &g).build().unwrap();
    u0.set_with(|at| if at == [1, 2, 0] { -1.0 } else { 1.0 }).unwrap();
    let op = Operator::new([eq(u.forward(), &u + 1.0), eq(&usave, &u * u0.sqrt())]).unwrap();
    golden!(op.apply().backend(Backend::Cranelift).run());
}

/// A history whose snapshot 1 is `stream` after `damage`.
fn damaged(damage: impl Fn(&mut Vec<u8>)) -> TimeFunction {
    let usave = compressed("usave", &grid(), 3);
    let store = store_of(&usave).unwrap();
    store.begin_write(Noop, None).unwrap();
    for snapshot in 0..3 {
        let mut stream = Vec::new();
        encode(Noop, View::dense(&[snapshot as f32; 20], [1, 4, 5]).unwrap(), &Serial, &mut stream).unwrap();
        if snapshot == 1 {
            damage(&mut stream);
        }
        store.put(snapshot, &mut stream, &Everywhere).unwrap();
    }
    store.seal().unwrap();
    usave
}

#[test]
fn stream_with_a_flipped_bit() {
    let flip = |stream: &mut Vec<u8>| {
        let last = stream.len() - 1;
        stream[last] ^= 4;
    };
    golden!(decompress(&damaged(flip)));
}

#[test]
fn stream_with_a_flipped_bit_read_by_a_run() {
    let usave = damaged(|stream| stream[40] ^= 1);
    assert_eq!(decompress_step(&usave, 2).unwrap().max(), 2.0, "the others can be read");
    let first = message(reading(&usave).apply().backend(Backend::Cranelift).run());
    for backend in backends() {
        assert_eq!(message(reading(&usave).apply().backend(backend).run()), first);
    }
    crate::settings().bind(|| insta::assert_snapshot!(first));
}

#[test]
fn stream_cut() {
    golden!(decompress(&damaged(|stream| stream.truncate(stream.len() - 1))));
}

#[test]
fn stream_of_nothing() {
    golden!(decompress_step(&damaged(|stream| stream.clear()), 1));
}

#[test]
fn stream_that_is_no_stream() {
    golden!(decompress_step(&damaged(|stream| stream.fill(0)), 1));
}

#[test]
fn stream_of_another_shape() {
    let other = |stream: &mut Vec<u8>| {
        stream.clear();
        encode(Noop, View::dense(&[0.0_f32; 20], [1, 5, 4]).unwrap(), &Serial, stream).unwrap();
    };
    golden!(decompress_step(&damaged(other), 1));
}

#[test]
fn stream_of_another_type() {
    let other = |stream: &mut Vec<u8>| {
        stream.clear();
        encode(Noop, View::dense(&[0.0_f64; 20], [1, 4, 5]).unwrap(), &Serial, stream).unwrap();
    };
    golden!(decompress_step(&damaged(other), 1));
}

/// Every byte of every stream, flipped, is found out.
#[test]
fn stream_with_any_byte_flipped() {
    let length = store_of(&damaged(|_| ())).unwrap().bytes() / 3;
    for at in 0..length {
        decompress(&damaged(|stream| stream[at] ^= 1 << (at % 8))).unwrap_err();
    }
}

fn limited(layers: Layers) -> TimeFunction {
    TimeFunction::new("usave", &grid()).save(4).compression(Noop).layers(layers).build().unwrap()
}

#[test]
fn a_history_on_disk_that_is_not_compressed() {
    golden!(TimeFunction::new("usave", &grid()).save(4).layers(Layers::Disk("here".into())).build());
}

#[test]
fn a_history_in_a_directory_that_is_not_there() {
    let usave = limited(Layers::Disk("no/such/directory".into()));
    golden!(counting(&time("u", usave.grid()), &usave).apply().run());
}

#[test]
fn a_history_beyond_its_limit() {
    let usave = limited(Layers::Host);
    golden!(counting(&time("u", usave.grid()), &usave).apply().memory_limit(300).run());
}

#[test]
fn a_history_from_a_file_that_is_not_there() {
    golden!(limited(Layers::Host).open_history("no/such/file.wfh"));
}

#[test]
fn a_history_from_a_file_of_another_kind() {
    golden!(limited(Layers::Host).open_history("Cargo.toml"));
}

#[test]
fn a_history_from_a_file_of_another_shape() {
    let saved = std::env::temp_dir().join(format!("wavefold-{}.wfh", std::process::id()));
    written(5, 0, 4).save_history(&saved).unwrap();
    let refused = limited(Layers::Host).open_history(&saved).map_err(wavefold::Error::from);
    std::fs::remove_file(&saved).unwrap();
    let text = message(refused).replace(saved.to_str().unwrap(), "shot.wfh");
    crate::settings().bind(|| insta::assert_snapshot!(text));
}

#[test]
fn an_unwritten_history_saved() {
    golden!(limited(Layers::Host).save_history("u.wfh"));
}
