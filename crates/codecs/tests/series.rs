//! Slices that follow each other: `lapped` with a ratio of signal to noise takes its first step from those before.

mod common;

use common::{Field, Kind, decoded};
use wavefold_codecs::{
    Bounded, Compression, EncodeError, Mode, Parallel, Serial, Threads, Trend, View, compare, encode,
    encode_next,
};

const SHAPE: [usize; 3] = [50, 70, 96];
const SNR: f64 = 60.0;
const CODEC: Compression = Compression::LappedSnr { snr: SNR };

fn wave() -> Vec<f32> {
    Field { kind: Kind::Wave, shape: SHAPE, scale: 0, offset: 0.0, seed: 4 }.f32()
}

/// A wave whose amplitude changes by a factor from slice to slice, with a silent half, a spike, a constant and nothing at all
/// in between.
fn slices(factor: f32) -> Vec<Vec<f32>> {
    let wave = wave();
    let scaled = |k: i32| wave.iter().map(|x| x * factor.powi(k)).collect::<Vec<f32>>();
    let mut all: Vec<Vec<f32>> = (0..6).map(scaled).collect();
    let mut half = scaled(6);
    let end = half.len() / 2;
    half[..end].fill(0.0);
    let mut spike = vec![0.0; wave.len()];
    spike[end] = 1.0;
    all.extend([half, vec![0.0; wave.len()], spike, vec![2.5; wave.len()], scaled(7), scaled(8)]);
    all
}

fn streams(slices: &[Vec<f32>], par: &dyn Parallel) -> Vec<(Vec<u8>, Mode)> {
    let mut trend = Trend::default();
    let one = |slice: &Vec<f32>| {
        let mut stream = Vec::new();
        let view = View::dense(slice, SHAPE).unwrap();
        let info = encode_next(CODEC, view, par, &mut trend, &mut stream).unwrap();
        (stream, info.mode)
    };
    slices.iter().map(one).collect()
}

#[test]
fn every_slice_keeps_the_ratio() {
    for factor in [1.0, 1.3, 0.6, 30.0, 1e-4] {
        let slices = slices(factor);
        for (i, ((stream, mode), slice)) in streams(&slices, &Serial).iter().zip(&slices).enumerate() {
            let back = decoded::<f32>(stream, SHAPE);
            let report =
                compare(View::dense(slice, SHAPE).unwrap(), View::dense(&back, SHAPE).unwrap()).unwrap();
            let kept = *mode == Mode::Constant || report.snr_db() >= SNR;
            assert!(kept, "factor {factor}, slice {i}: {} dB", report.snr_db());
        }
    }
}

#[test]
fn the_trend_changes_little_of_what_a_slice_takes() {
    for factor in [1.0, 1.3, 0.6] {
        let slices = slices(factor);
        for ((stream, _), slice) in streams(&slices, &Serial).iter().zip(&slices) {
            let mut alone = Vec::new();
            encode(CODEC, View::dense(slice, SHAPE).unwrap(), &Serial, &mut alone).unwrap();
            let ratio = stream.len() as f64 / alone.len() as f64;
            assert!((0.9..1.1).contains(&ratio), "factor {factor}: {} of {}", stream.len(), alone.len());
        }
    }
}

#[test]
fn a_series_is_the_same_bytes_on_any_threads() {
    let slices = slices(1.3);
    let expected = streams(&slices, &Serial);
    for n in [1, 2, 5] {
        assert!(streams(&slices, &Threads::new(n).unwrap()) == expected, "{n} threads");
    }
}

#[test]
fn a_slice_that_is_refused_leaves_the_series_as_it_was() {
    let wave = wave();
    let view = View::dense(&wave, SHAPE).unwrap();
    let mut trend = Trend::default();
    let mut out = Vec::new();
    encode_next(CODEC, view, &Serial, &mut trend, &mut out).unwrap();
    let (before, len) = (trend.clone(), out.len());
    assert_ne!(before, Trend::default());
    let mut bad = wave.clone();
    bad[1234] = f32::NAN;
    let error = encode_next(CODEC, View::dense(&bad, SHAPE).unwrap(), &Serial, &mut trend, &mut out);
    assert!(matches!(error, Err(EncodeError::NotFinite { .. })));
    assert_eq!((trend, out.len()), (before, len));
}

#[test]
fn a_bound_at_every_point_goes_with_a_series() {
    let bounded: Bounded = CODEC.within(1e-3);
    let (mut trend, wave) = (Trend::default(), wave());
    for _ in 0..3 {
        let mut stream = Vec::new();
        let view = View::dense(&wave, SHAPE).unwrap();
        bounded.encode_next(view, &Serial, &mut trend, &mut stream).unwrap();
        let back = decoded::<f32>(&stream, SHAPE);
        let report = compare(view, View::dense(&back, SHAPE).unwrap()).unwrap();
        assert!(report.max_error_rel() <= 2e-3 && report.snr_db() >= SNR);
    }
}
