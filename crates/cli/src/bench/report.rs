//! What a bench prints.

use serde::Serialize;

use wavefold::prelude::Cost;

use super::measure::{FirstStep, Series};
use super::{Settings, stream};
use crate::error::Result;
use crate::output::{Table, bytes, seconds};
use crate::shape::Shape;

/// The result of any case.
#[derive(Debug, Serialize)]
pub struct Report {
    case: String,
    backend: String,
    so: u32,
    shape: Vec<usize>,
    steps: usize,
    threads: usize,
    seconds: f64,
    gpts_per_s: f64,
    lower_seconds: f64,
    compile_seconds: f64,
    first_step_seconds: f64,
    compile_cached: bool,
    repeats: usize,
    cpu_utilisation: f64,
    dtype: &'static str,
    bytes_per_point: f64,
    flops_per_point: f64,
    gflops: f64,
    gb_per_s: f64,
    /// Of the memory, for what the case's fields take.
    stream_gb_per_s: f64,
    stream_fraction: f64,
    schedule: Vec<String>,
    #[serde(flatten)]
    history: Option<History>,
}

/// What saving did.
#[derive(Debug, Serialize)]
pub struct History {
    /// With its parameter, or `none`.
    pub codec: String,
    pub save_every: usize,
    pub raw_bytes: u64,
    pub bytes: u64,
    pub ratio: f64,
    pub overhead: f64,
    pub gradient_error: Option<f64>,
    pub peak_rss_bytes: Option<u64>,
}

impl Report {
    /// `sweeps` is the number of passes over the time axis that one entry of the series holds. The speed of the memory
    /// is still to be [measured](Report::measure_stream).
    pub fn new(
        settings: &Settings,
        first: FirstStep,
        series: &Series,
        sweeps: usize,
        (cost, schedule): (Cost, Vec<String>),
        history: Option<History>,
    ) -> Report {
        let updates = settings.points() as f64 * settings.steps as f64 * sweeps as f64;
        let gpts_per_s = updates / series.kernel().max(1e-12) / 1e9;
        Report {
            case: settings.case.to_string(),
            backend: settings.backend.to_string(),
            so: settings.so,
            shape: settings.shape.clone(),
            steps: settings.steps,
            threads: series.threads(),
            seconds: series.kernel(),
            gpts_per_s,
            lower_seconds: first.lower,
            compile_seconds: first.compile,
            first_step_seconds: first.seconds,
            compile_cached: first.cached,
            repeats: settings.repeat,
            cpu_utilisation: series.utilisation(),
            dtype: "f32",
            bytes_per_point: cost.bytes,
            flops_per_point: cost.flops,
            gflops: gpts_per_s * cost.flops,
            gb_per_s: gpts_per_s * cost.bytes,
            stream_gb_per_s: f64::NAN,
            stream_fraction: f64::NAN,
            schedule,
            history,
        }
    }

    /// Measures the memory with arrays that take as much as the fields did, on as many threads.
    pub fn measure_stream(&mut self, bytes: usize) -> Result<()> {
        self.stream_gb_per_s = stream::gb_per_s(bytes, self.threads)?;
        self.stream_fraction = self.gb_per_s / self.stream_gb_per_s;
        Ok(())
    }
}

/// Up to two decimals, none for a whole number.
fn tidy(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

impl Report {
    fn of_memory(&self) -> String {
        format!("{:.0} % of {:.1} GB/s, measured", 100.0 * self.stream_fraction, self.stream_gb_per_s)
    }

    /// The head of [`Report::line`].
    pub const HEAD: &str =
        "case         order grid           backend    GPts/s   GB/s of memory GFlops/s first step  CPU";

    /// One line of a table of several cases.
    pub fn line(&self) -> String {
        format!(
            "{:<12} {:>5} {:<14} {:<9} {:>7.3} {:>6.1} {:>7.0} % {:>8.1} {:>10} {:>4.2}",
            self.case,
            self.so,
            Shape(self.shape.clone()).to_string(),
            self.backend,
            self.gpts_per_s,
            self.gb_per_s,
            100.0 * self.stream_fraction,
            self.gflops,
            seconds(self.first_step_seconds),
            self.cpu_utilisation
        )
    }
}

impl Table for Report {
    fn rows(&self) -> Vec<(&'static str, String)> {
        let cached = if self.compile_cached { " (from the cache)" } else { "" };
        let mut rows = vec![
            ("case", format!("{}, order {}, {}", self.case, self.so, self.dtype)),
            ("grid", format!("{}, {} steps", Shape(self.shape.clone()), self.steps)),
            ("backend", format!("{}, {} threads", self.backend, self.threads)),
            ("time", format!("{} (median of {})", seconds(self.seconds), self.repeats)),
            ("speed", format!("{:.3} GPts/s", self.gpts_per_s)),
            ("traffic", format!("{:.1} GB/s at {} B/point", self.gb_per_s, tidy(self.bytes_per_point))),
            ("of the memory", self.of_memory()),
            (
                "arithmetic",
                format!("{:.1} GFlops/s at {} flops/point", self.gflops, tidy(self.flops_per_point)),
            ),
            ("CPU utilisation", format!("{:.2}", self.cpu_utilisation)),
            ("lowering", seconds(self.lower_seconds)),
            ("compilation", format!("{}{cached}", seconds(self.compile_seconds))),
            ("first step", seconds(self.first_step_seconds)),
        ];
        for (i, line) in self.schedule.iter().enumerate() {
            rows.push(match line.strip_prefix("step by step: ") {
                Some(why) => ("step by step", why.to_string()),
                None => (if i == 0 { "schedule" } else { "" }, line.clone()),
            });
        }
        if let Some(h) = &self.history {
            rows.extend(h.rows());
        }
        rows
    }
}

impl History {
    fn rows(&self) -> Vec<(&'static str, String)> {
        let unknown = || "not measured".to_string();
        let every = if self.save_every == 1 {
            "every step".into()
        } else {
            format!("every {} steps", self.save_every)
        };
        vec![
            ("history", format!("{}, {every}", self.codec)),
            ("size", format!("{} -> {} (ratio {:.2})", bytes(self.raw_bytes), bytes(self.bytes), self.ratio)),
            ("overhead", format!("{:+.1} % over the runs without it", 100.0 * self.overhead)),
            (
                "gradient error",
                self.gradient_error.map_or_else(unknown, |e| format!("{e:.2e} (relative L2)")),
            ),
            (
                "peak memory",
                self.peak_rss_bytes.map_or_else(unknown, |b| format!("{} over the fields", bytes(b))),
            ),
        ]
    }
}
