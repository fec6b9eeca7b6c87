//! What a bench prints.

use serde::Serialize;

use wavefold::prelude::Cost;

use super::Settings;
use super::measure::{FirstStep, Series};
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
    /// `sweeps` is the number of passes over the time axis that one entry of the series holds.
    pub fn new(
        settings: &Settings,
        first: FirstStep,
        series: &Series,
        sweeps: usize,
        cost: Cost,
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
            history,
        }
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
            ("traffic", format!("{:.1} GB/s at {} B/point", self.gb_per_s, self.bytes_per_point)),
            ("arithmetic", format!("{:.1} GFlops/s at {} flops/point", self.gflops, self.flops_per_point)),
            ("CPU utilisation", format!("{:.2}", self.cpu_utilisation)),
            ("lowering", seconds(self.lower_seconds)),
            ("compilation", format!("{}{cached}", seconds(self.compile_seconds))),
            ("first step", seconds(self.first_step_seconds)),
        ];
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
