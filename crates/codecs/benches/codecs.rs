//! Throughput of the codecs on a band-limited field; the ratio is printed first.
//!
//! `cargo bench -p wavefold-codecs`

use divan::Bencher;
use divan::counter::BytesCount;
use wavefold_codecs::{Compression, Serial, View, ViewMut, decode, encode};

const SHAPE: [usize; 3] = [128, 128, 128];
const CODECS: [&str; 8] = [
    "noop",
    "quantize:9",
    "quantize:16",
    "wavelet:1e-2",
    "wavelet:1e-4",
    "lapped:3e-2",
    "lapped:8e-3",
    "lapped:2e-3",
];

/// An expanding shell of waves: spherical wavefronts 12 to 30 points long, quiet ahead of the front.
fn field() -> Vec<f32> {
    let centre = SHAPE.map(|n| 0.4 * n as f32);
    let points =
        (0..SHAPE.iter().product()).map(|i| [i / SHAPE[2] / SHAPE[1], i / SHAPE[2] % SHAPE[1], i % SHAPE[2]]);
    points
        .map(|p: [usize; 3]| {
            let r = (0..3).map(|a| (p[a] as f32 - centre[a]).powi(2)).sum::<f32>().sqrt();
            let envelope = (-((r - 45.0) / 14.0).powi(2)).exp();
            envelope * ((0.37 * r).sin() + 0.5 * (0.21 * r + 0.05 * p[2] as f32).cos()) / (1.0 + 0.05 * r)
        })
        .collect()
}

fn parse(codec: &str) -> Compression {
    codec.parse().expect("a codec of the list above")
}

fn stream(codec: &str, data: &[f32]) -> Vec<u8> {
    let mut out = Vec::new();
    let view = View::dense(data, SHAPE).expect("shape of the field");
    encode(parse(codec), view, &Serial, &mut out).expect("finite values");
    out
}

fn main() {
    let data = field();
    for codec in CODECS {
        println!("{codec:14} ratio {:.2}", 4.0 * data.len() as f64 / stream(codec, &data).len() as f64);
    }
    divan::main();
}

#[divan::bench(args = CODECS, sample_count = 10)]
fn compress(bencher: Bencher, codec: &str) {
    let data = field();
    let mut out = Vec::new();
    bencher.counter(BytesCount::of_slice(&data)).bench_local(|| {
        out.clear();
        let view = View::dense(&data, SHAPE).expect("shape of the field");
        encode(parse(codec), view, &Serial, &mut out).expect("finite values");
    });
}

#[divan::bench(args = CODECS, sample_count = 10)]
fn decompress(bencher: Bencher, codec: &str) {
    let data = field();
    let bytes = stream(codec, &data);
    let mut back = vec![0f32; data.len()];
    bencher.counter(BytesCount::of_slice(&data)).bench_local(|| {
        let view = ViewMut::dense(&mut back, SHAPE).expect("shape of the field");
        decode(&bytes, view, &Serial).expect("a stream just written");
    });
}
