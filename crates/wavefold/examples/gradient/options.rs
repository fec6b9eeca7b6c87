//! The command line of the example.

use clap::{Parser, ValueEnum};
use std::path::PathBuf;
use wavefold::prelude::*;

/// A full-waveform-inversion gradient of one shot, with the forward history kept compressed.
///
/// The true model is smoothed to make a starting model. Data are computed in both; the difference, sent back in
/// time, meets the forward wavefield, which was compressed at every step.
#[derive(Parser)]
#[command(allow_negative_numbers = true)]
pub struct Options {
    /// Velocity model: raw little-endian f32 (with --shape) or .npy, depth last; a built-in salt model if not given
    #[arg(long, value_name = "FILE")]
    pub model: Option<PathBuf>,
    /// Points along x and depth, such as 1601x401
    #[arg(long, value_name = "NXxNZ", value_parser = shape)]
    pub shape: Option<[usize; 2]>,
    /// Distance between points in metres
    #[arg(long, value_name = "M", default_value_t = 10.0)]
    pub spacing: f64,
    /// How the history is kept
    #[arg(long, value_enum, default_value_t = Codec::Wavelet)]
    pub compression: Codec,
    /// Bits per value of quantize
    #[arg(long)]
    pub nbits: Option<u32>,
    /// Step of wavelet or lapped relative to the rms of a snapshot: larger is smaller and lossier
    #[arg(long)]
    pub compscale: Option<f64>,
    /// Signal-to-noise ratio that lapped keeps, in dB, in place of a step
    #[arg(long, value_name = "DB", conflicts_with = "compscale")]
    pub snr: Option<f64>,
    /// What is kept at every step: the wavefield, or its second time derivative
    #[arg(long, value_enum, default_value_t = Saved::U)]
    pub save: Saved,
    /// auto, c or cranelift
    #[arg(long, default_value = "auto")]
    pub backend: Backend,
    /// Number of threads [default: all cores]
    #[arg(long)]
    pub threads: Option<usize>,
    /// Number of time steps [default: as many as --seconds asks for]
    #[arg(long)]
    pub steps: Option<usize>,
    /// Recording time in seconds, if --steps is not given
    #[arg(long, default_value_t = 2.0)]
    pub seconds: f64,
    /// Peak frequency of the Ricker wavelet in Hz
    #[arg(long, value_name = "HZ", default_value_t = 10.0)]
    pub frequency: f64,
    /// Space order of the derivatives
    #[arg(long, value_name = "ORDER", default_value_t = 8)]
    pub so: u32,
    /// Width of the absorbing layer in points
    #[arg(long, default_value_t = 40)]
    pub sponge: usize,
    /// Also compute the gradient with an uncompressed history, and report the difference
    #[arg(long)]
    pub reference: bool,
    /// Print one JSON object instead of the table
    #[arg(long)]
    pub json: bool,
    /// Where the picture goes
    #[arg(long, value_name = "FILE.png", default_value = "gradient.png")]
    pub plot: PathBuf,
    /// Draw no picture
    #[arg(long)]
    pub no_plot: bool,
}

/// Ways to keep the history.
#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub enum Codec {
    /// Uncompressed in memory
    None,
    /// Through the compression machinery, without loss or gain
    Noop,
    /// Uniform quantisation to --nbits
    Quantize,
    /// Wavelet transform with --compscale
    Wavelet,
    /// Lapped cosine transform with --compscale or --snr
    Lapped,
}

/// What is kept.
#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub enum Saved {
    /// `u`
    U,
    /// `u.dt2`
    Dt2,
}

/// Most points of a built-in model along an axis, and of an absorbing layer.
const MOST_POINTS: usize = 100_000;

impl Options {
    /// Refuses what no run could make sense of.
    pub fn check(&self) -> miette::Result<()> {
        let positive = |option: &str, value: f64| {
            if value.is_finite() && value > 0.0 {
                return Ok(());
            }
            Err(miette::miette!(
                code = "gradient::option",
                help = "it must be positive",
                "`--{option}` is {value}"
            ))
        };
        positive("spacing", self.spacing)?;
        positive("seconds", self.seconds)?;
        positive("frequency", self.frequency)?;
        let largest = self.shape.into_iter().flatten().chain([self.sponge]).max().unwrap_or(0);
        if largest > MOST_POINTS {
            return Err(miette::miette!(
                code = "gradient::option",
                help = "this example is made for models of up to {MOST_POINTS} points an axis",
                "{largest} points are too many for `--shape` or `--sponge`"
            ));
        }
        Ok(())
    }

    /// The codec with its parameter; `None` for an uncompressed history.
    pub fn codec(&self) -> wavefold::Result<Option<Compression>> {
        use wavefold::codecs::CompressionError;
        let codec = match self.compression {
            Codec::None if self.nbits.is_some() => return Err(CompressionError::NoNbits("none").into()),
            Codec::None if self.compscale.is_some() => {
                return Err(CompressionError::NoCompscale("none").into());
            }
            Codec::None if self.snr.is_some() => return Err(CompressionError::NoSnr("none").into()),
            Codec::None => return Ok(None),
            Codec::Noop => Compression::Noop,
            Codec::Quantize => Compression::quantize(),
            Codec::Wavelet => Compression::wavelet(),
            Codec::Lapped => Compression::lapped(),
        };
        let codec = self.nbits.map_or(Ok(codec), |n| codec.with_nbits(n))?;
        let codec = self.compscale.map_or(Ok(codec), |s| codec.with_compscale(s))?;
        let codec = self.snr.map_or(Ok(codec), |s| codec.with_snr(s))?;
        Ok(Some(codec))
    }

    /// Number of threads.
    pub fn threads(&self) -> usize {
        self.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, |n| n.get()))
    }
}

fn shape(text: &str) -> Result<[usize; 2], String> {
    let parts: Vec<&str> = text.split('x').collect();
    match parts.as_slice() {
        [x, z] => match (x.parse(), z.parse()) {
            (Ok(x), Ok(z)) if x > 0 && z > 0 => Ok([x, z]),
            _ => Err("both numbers must be at least 1".into()),
        },
        _ => Err("write two numbers, such as 1601x401".into()),
    }
}
