//! Ratio, error and throughput of the codecs on a raw f32 file.
//!
//! `cargo run --release -p wavefold-codecs --example measure -- FILE AxBxC [THREADS] [CODEC..]`

use std::error::Error;
use std::time::Instant;

use wavefold_codecs::{Compression, Threads, View, ViewMut, compare, decode, encode};

const CODECS: [&str; 7] =
    ["noop", "quantize:9", "quantize:12", "quantize:16", "wavelet:1e-2", "wavelet:1e-3", "wavelet:1e-4"];

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [file, extents, rest @ ..] = args.as_slice() else {
        return Err("usage: measure FILE AxBxC [THREADS] [CODEC..]".into());
    };
    let bytes = std::fs::read(file)?;
    let data: Vec<f32> =
        bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    let mut shape = [1; 3];
    let extents: Vec<usize> = extents.split('x').map(str::parse).collect::<Result<_, _>>()?;
    shape.iter_mut().rev().zip(extents.iter().rev()).for_each(|(n, m)| *n = *m);
    let threads = Threads::new(rest.first().map_or(Ok(1), |n| n.parse())?)?;
    let codecs: Vec<&str> = rest.iter().skip(1).map(String::as_str).collect();
    println!(
        "{:14} {:>8} {:>8} {:>10} {:>9} {:>9}",
        "codec", "ratio", "SNR dB", "max err", "enc GB/s", "dec GB/s"
    );
    for name in if codecs.is_empty() { CODECS.to_vec() } else { codecs } {
        measure(name.parse()?, &data, shape, &threads)?;
    }
    Ok(())
}

fn measure(c: Compression, data: &[f32], shape: [usize; 3], threads: &Threads) -> Result<(), Box<dyn Error>> {
    let view = View::dense(data, shape)?;
    let (mut stream, mut back) = (Vec::new(), vec![0f32; data.len()]);
    let (mut compress, mut decompress) = (f64::INFINITY, f64::INFINITY);
    let mut ratio = 0.0;
    for _ in 0..10 {
        stream.clear();
        let start = Instant::now();
        ratio = encode(c, view, threads, &mut stream)?.ratio();
        compress = compress.min(start.elapsed().as_secs_f64());
        let start = Instant::now();
        decode(&stream, ViewMut::dense(&mut back, shape)?, threads)?;
        decompress = decompress.min(start.elapsed().as_secs_f64());
    }
    let report = compare(view, View::dense(&back, shape)?)?;
    let rate = |seconds: f64| 4e-9 * data.len() as f64 / seconds;
    println!(
        "{:14} {:8.2} {:8.2} {:10.2e} {:9.2} {:9.2}",
        c.to_string(),
        ratio,
        report.snr_db(),
        report.max_error_rel(),
        rate(compress),
        rate(decompress)
    );
    Ok(())
}
