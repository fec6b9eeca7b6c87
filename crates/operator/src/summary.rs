//! What a run did and how fast.

use crate::Backend;
use std::fmt;
use wavefold_ir::Compression;
use wavefold_ir::tree::Cost;
use wavefold_runtime::HostReport;

/// Whether a compressed function was written or read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Compressed.
    Written,
    /// Decompressed.
    Read,
}

/// What a run did with one compressed function.
#[derive(Clone, Debug)]
pub struct CompressionSummary {
    /// Its name.
    pub function: String,
    /// Written or read.
    pub used: Use,
    /// The codec with the parameter that was used.
    pub codec: Compression,
    /// The bound that the run kept on the error at every point, over max - min of the snapshot, if it wrote with one.
    pub bound: Option<f64>,
    /// Number of snapshots.
    pub snapshots: usize,
    /// Size of the snapshots uncompressed, in bytes.
    pub raw_bytes: u64,
    /// Size of the streams, in bytes.
    pub bytes: u64,
    /// Time in the codec.
    pub seconds: f64,
    /// Largest error at any point of any snapshot; measured on request.
    pub max_error: Option<f64>,
    /// Signal-to-noise ratio `10 log10(sum x^2 / sum e^2)` in dB over all snapshots; measured on request.
    pub snr_db: Option<f64>,
}

impl CompressionSummary {
    /// Uncompressed over compressed size.
    pub fn ratio(&self) -> f64 {
        self.raw_bytes as f64 / (self.bytes as f64).max(1.0)
    }

    /// Uncompressed bytes through the codec per second, in GB/s (10^9 bytes).
    pub fn gb_per_s(&self) -> f64 {
        self.raw_bytes as f64 / self.seconds.max(1e-12) / 1e9
    }
}

/// The steps of a run that one backend did.
#[derive(Clone, Debug, PartialEq)]
pub struct Tier {
    /// The backend.
    pub backend: Backend,
    /// Number of steps.
    pub steps: u64,
    /// Time in its kernel, in seconds, as [`PerformanceSummary::seconds`].
    pub seconds: f64,
}

impl Tier {
    /// The parts of a run that began with a backend.
    pub(crate) fn of(backend: Backend, report: &HostReport) -> Vec<Tier> {
        let steps = |n: i64| n.max(0) as u64;
        let Some((done, seconds)) = report.first_kernel else {
            return vec![Tier { backend, steps: steps(report.steps), seconds: report.seconds }];
        };
        let rest = report.seconds - seconds;
        vec![
            Tier { backend, steps: steps(done), seconds },
            Tier { backend: Backend::C, steps: steps(report.steps - done), seconds: rest },
        ]
    }
}

/// What a run did and how fast; prints as a small table.
#[derive(Clone, Debug)]
pub struct PerformanceSummary {
    /// Name of the operator.
    pub operator: String,
    /// The backend that ran, the last if it was more than one.
    pub backend: Backend,
    /// What ran one after the other: with [`Backend::Auto`] Cranelift perhaps, and then C.
    pub tiers: Vec<Tier>,
    /// Why a run with [`Backend::Auto`] went on with Cranelift, if the C compiler was started and failed.
    pub note: Option<String>,
    /// Number of threads.
    pub threads: usize,
    /// First step.
    pub time_m: i64,
    /// Last step.
    pub time_max: i64,
    /// Number of steps.
    pub steps: u64,
    /// Points of the domain.
    pub points: u64,
    /// Time in the kernel with its codecs, in seconds; measuring errors on request is not counted.
    pub seconds: f64,
    /// Time from equations to the tree, in seconds; spent once per operator.
    pub lower_seconds: f64,
    /// Time of the backend, in seconds; 0 when this operator was compiled before.
    pub compile_seconds: f64,
    /// Whether the code came from the compile cache.
    pub cached: bool,
    /// Time of the whole `run()`: checks, compilation, tables, kernel.
    pub total_seconds: f64,
    /// Operations and bytes per point and step, by the compiler's own count; equal rows of `rows` count once.
    pub cost: Cost,
    /// Fields whose equal rows are read from one place, with the part of their rows that differ.
    pub rows: Vec<(String, f64)>,
    /// The loops of a step, see [`Operator::schedule`](crate::Operator::schedule).
    pub schedule: Vec<String>,
    /// Per compressed function.
    pub compression: Vec<CompressionSummary>,
}

impl PerformanceSummary {
    /// Points times steps per second of kernel time, in units of 10^9.
    pub fn gpts_per_s(&self) -> f64 {
        self.points as f64 * self.steps as f64 / self.seconds.max(1e-12) / 1e9
    }

    /// Memory traffic by the compiler's own count, in GB/s (10^9 bytes).
    pub fn gb_per_s(&self) -> f64 {
        self.gpts_per_s() * self.cost.bytes
    }

    /// Floating-point operations by the compiler's own count, in 10^9 a second.
    pub fn gflops(&self) -> f64 {
        self.gpts_per_s() * self.cost.flops
    }

    /// `c`, or `cranelift 40 steps, c 260 steps`.
    fn backends(&self) -> String {
        match self.tiers.as_slice() {
            [] | [_] => self.backend.to_string(),
            tiers => {
                let part = |t: &Tier| {
                    format!("{} {} {}", t.backend, t.steps, if t.steps == 1 { "step" } else { "steps" })
                };
                tiers.iter().map(part).collect::<Vec<_>>().join(", ")
            }
        }
    }

    /// What the run did with one compressed function.
    pub fn compression_of(&self, function: &str) -> Option<&CompressionSummary> {
        self.compression.iter().find(|c| c.function == function)
    }
}

impl fmt::Display for PerformanceSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps = if self.steps == 1 { "step" } else { "steps" };
        let threads = if self.threads == 1 { "thread" } else { "threads" };
        writeln!(
            f,
            "{}: {} {steps} ({}..={}) of {} points in {:.4} s on {} {threads} ({})",
            self.operator,
            self.steps,
            self.time_m,
            self.time_max,
            self.points,
            self.seconds,
            self.threads,
            self.backends()
        )?;
        writeln!(
            f,
            "  {:.4} GPts/s, {:.2} GB/s at {} B/point, {:.2} GFlops/s at {} flops/point; lowered in {:.2} ms, \
             compiled in {:.2} ms{}",
            self.gpts_per_s(),
            self.gb_per_s(),
            tidy(self.cost.bytes),
            self.gflops(),
            tidy(self.cost.flops),
            self.lower_seconds * 1e3,
            self.compile_seconds * 1e3,
            if self.cached { " (cached)" } else { "" }
        )?;
        let shared = self.rows.iter().filter(|(_, own)| *own < 0.995);
        let shared: Vec<String> =
            shared.map(|(name, own)| format!("{} % of {name}", tidy(100.0 * own))).collect();
        if !shared.is_empty() {
            writeln!(f, "  rows with memory of their own: {}", shared.join(", "))?;
        }
        if let Some(note) = &self.note {
            let first = note.lines().next().unwrap_or_default();
            writeln!(f, "  stayed with {}: {first}", self.backend)?;
        }
        for c in &self.compression {
            write!(
                f,
                "  {} {} ({}{}): {} snapshots, {} -> {} (ratio {:.2}), {:.4} s, {:.2} GB/s",
                c.function,
                if c.used == Use::Written { "compressed" } else { "decompressed" },
                c.codec,
                c.bound.map_or(String::new(), |e| format!(" within {e:e}")),
                c.snapshots,
                bytes_text(c.raw_bytes),
                bytes_text(c.bytes),
                c.ratio(),
                c.seconds,
                c.gb_per_s()
            )?;
            if let (Some(e), Some(snr)) = (c.max_error, c.snr_db) {
                write!(f, ", max error {e:.3e}, SNR {snr:.1} dB")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

/// Up to two decimals, none for a whole number.
fn tidy(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

/// Bytes in binary units.
pub(crate) fn bytes_text(bytes: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < units.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{value:.2} {}", units[unit]) }
}
