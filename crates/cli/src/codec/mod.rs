//! `wavefold codec`: how small, how exact and how fast a codec is on real data.

mod file;

use std::path::PathBuf;
use std::time::Instant;

use serde::Serialize;
use wavefold::codecs::{
    Bounded, Compression, DType, Element, ErrorReport, Threads, View, ViewMut, compare, decode,
};
use wavefold::runtime::threads;

use crate::error::{CliError, Result};
use crate::output::{self, Table, bytes, median};
use crate::pages::Pages;
use crate::shape::Shape;
use file::Values;

/// Compress a file in memory and report size, error and speed
///
/// The file is compressed and decompressed `--repeat` times after a warm-up; nothing is written. The speeds are
/// medians, in 10^9 uncompressed bytes a second.
///
///   ratio          uncompressed over compressed size
///   snr_db         10 log10(sum x^2 / sum e^2); null in JSON when there is no error
///   max_error_rel  largest |error| at any point over the largest |value| of the file
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// Raw little-endian floats without a header, or an array that ends in .npy
    file: PathBuf,
    /// Points per axis, slowest first, such as 96x96x96; needed for raw files
    #[arg(long, value_name = "AxBxC")]
    shape: Option<Shape>,
    /// Type of the values: f32 (default for raw files) or f64; a .npy file says it itself
    #[arg(long, value_name = "TYPE", value_parser = ["f32", "f64"])]
    dtype: Option<String>,
    /// noop, quantize, wavelet or lapped; a parameter may follow, as in quantize:12 or lapped:60dB
    #[arg(long, value_name = "NAME")]
    codec: String,
    /// Bits a value for `quantize`, 1 to 24 [default: 9]
    #[arg(long, value_name = "N", conflicts_with = "compscale")]
    nbits: Option<u32>,
    /// Scale of the quantisation step of `wavelet` and `lapped`, relative to the RMS of the values [default: 1e-3, 1e-2]
    #[arg(long, value_name = "S", allow_negative_numbers = true)]
    compscale: Option<f64>,
    /// Signal-to-noise ratio that `lapped` keeps, in dB
    #[arg(long, value_name = "DB", conflicts_with_all = ["nbits", "compscale"], allow_negative_numbers = true)]
    snr: Option<f64>,
    /// Bound on the error at every point over max - min of the values; what would be further off is stored as it is
    #[arg(long, value_name = "E", allow_negative_numbers = true)]
    max_error: Option<f64>,
    /// Number of threads [default: one per core]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Number of timed runs
    #[arg(long, value_name = "R", default_value_t = 5)]
    repeat: usize,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Report {
    codec: &'static str,
    nbits: Option<u32>,
    compscale: Option<f64>,
    snr: Option<f64>,
    max_error: Option<f64>,
    shape: Vec<usize>,
    dtype: String,
    raw_bytes: u64,
    bytes: u64,
    ratio: f64,
    snr_db: f64,
    max_error_rel: f64,
    compress_gb_per_s: f64,
    decompress_gb_per_s: f64,
    threads: usize,
    repeats: usize,
}

impl Table for Report {
    fn rows(&self) -> Vec<(&'static str, String)> {
        let parameter = match (self.nbits, self.compscale, self.snr) {
            (Some(nbits), ..) => format!(", {nbits} bits"),
            (_, Some(scale), _) => format!(", compscale {scale:e}"),
            (.., Some(snr)) => format!(", {snr} dB"),
            _ => String::new(),
        };
        let bound = self.max_error.map_or(String::new(), |e| format!(", within {e:e} of the range"));
        let snr = if self.snr_db.is_finite() { format!("{:.1} dB", self.snr_db) } else { "no error".into() };
        vec![
            ("codec", format!("{}{parameter}{bound}", self.codec)),
            ("data", format!("{} of {}", Shape(self.shape.clone()), self.dtype)),
            ("uncompressed", bytes(self.raw_bytes)),
            ("compressed", bytes(self.bytes)),
            ("ratio", format!("{:.2}", self.ratio)),
            ("SNR", snr),
            ("largest error", format!("{:.3e} of the largest value", self.max_error_rel)),
            ("compress", format!("{:.2} GB/s", self.compress_gb_per_s)),
            ("decompress", format!("{:.2} GB/s", self.decompress_gb_per_s)),
            ("threads", self.threads.to_string()),
            ("runs", self.repeats.to_string()),
        ]
    }
}

/// Measures and prints.
pub fn run(args: &Args) -> Result<()> {
    let codec = parameters(args.codec.parse()?, args.nbits, args.compscale, args.snr)?;
    let codec = Bounded { codec, max_error: args.max_error }.validate()?;
    let threads = thread_count(args.threads)?;
    if args.repeat == 0 {
        return Err(CliError::Zero { option: "--repeat" });
    }
    let dtype = match args.dtype.as_deref() {
        Some("f64") => Some(DType::F64),
        Some(_) => Some(DType::F32),
        None => None,
    };
    let file = file::read(&args.file, args.shape.as_ref(), dtype)?;
    let report = match file.values {
        Values::F32(values) => measure(values, &file.shape, codec, threads, args.repeat)?,
        Values::F64(values) => measure(values, &file.shape, codec, threads, args.repeat)?,
    };
    output::print(&report, args.json)
}

/// The codec with the parameters of the command line.
pub fn parameters(
    codec: Compression,
    nbits: Option<u32>,
    compscale: Option<f64>,
    snr: Option<f64>,
) -> Result<Compression> {
    let codec = nbits.map_or(Ok(codec), |n| codec.with_nbits(n))?;
    let codec = compscale.map_or(Ok(codec), |s| codec.with_compscale(s))?;
    Ok(snr.map_or(Ok(codec), |s| codec.with_snr(s))?)
}

/// The number of threads: that of the cores unless given.
pub fn thread_count(given: Option<usize>) -> Result<usize> {
    let count = given.unwrap_or_else(threads::available);
    if (1..=threads::LIMIT).contains(&count) {
        Ok(count)
    } else {
        Err(CliError::ThreadCount { count, limit: threads::LIMIT })
    }
}

fn measure<T: Element>(
    values: Vec<T>,
    shape: &[usize],
    bounded: Bounded,
    threads: usize,
    repeats: usize,
) -> Result<Report> {
    let pool = Threads::new(threads)?;
    let mut cube = [1; 3];
    cube[3 - shape.len()..].copy_from_slice(shape);
    let raw_bytes = size_of_val(&values[..]) as u64;
    // In memory as the runtime has its fields.
    let values = {
        let pages = Pages::of(&values);
        drop(values);
        pages
    };
    let mut decoded = Pages::of(&values);
    decoded.fill(T::from_f64(0.0));
    let mut stream = Vec::new();
    let (mut compress, mut decompress) = (Vec::new(), Vec::new());
    let mut errors = ErrorReport::default();
    for round in 0..=repeats {
        stream.clear();
        let start = Instant::now();
        bounded.encode(View::dense(&values, cube)?, &pool, &mut stream)?;
        let encoded = Instant::now();
        decode(&stream, ViewMut::dense(&mut decoded, cube)?, &pool)?;
        let end = Instant::now();
        if round == 0 {
            // The warm-up: memory is touched for the first time, and threads start.
            errors = compare(View::dense(&values, cube)?, View::dense(&decoded, cube)?)?;
        } else {
            compress.push((encoded - start).as_secs_f64());
            decompress.push((end - encoded).as_secs_f64());
        }
    }
    let codec = bounded.codec;
    let rate = |times: Vec<f64>| raw_bytes as f64 / 1e9 / median(times).max(1e-9);
    Ok(Report {
        codec: codec.name(),
        nbits: if let Compression::Quantize { nbits } = codec { Some(nbits) } else { None },
        compscale: match codec {
            Compression::Wavelet { compscale } | Compression::Lapped { compscale } => Some(compscale),
            _ => None,
        },
        snr: if let Compression::LappedSnr { snr } = codec { Some(snr) } else { None },
        max_error: bounded.max_error,
        shape: shape.to_vec(),
        dtype: T::DTYPE.to_string(),
        raw_bytes,
        bytes: stream.len() as u64,
        ratio: raw_bytes as f64 / stream.len().max(1) as f64,
        snr_db: errors.snr_db(),
        max_error_rel: errors.max_error_rel(),
        compress_gb_per_s: rate(compress),
        decompress_gb_per_s: rate(decompress),
        threads,
        repeats,
    })
}
