//! The result as a table and as JSON.

use crate::problem::{Gradient, Problem};
use serde_json::json;
use std::fmt::Write;
use std::path::Path;
use wavefold::prelude::*;

/// What there is to tell.
pub struct Report<'a> {
    pub problem: &'a Problem,
    pub gradient: &'a Gradient,
    pub reference: Option<&'a Gradient>,
    pub codec: Option<Compression>,
    pub picture: Option<&'a Path>,
}

impl Report<'_> {
    fn bytes(&self) -> u64 {
        self.gradient.forward.compression_of("usave").map_or(self.raw_bytes(), |c| c.bytes)
    }

    /// One snapshot for each step that ran.
    fn raw_bytes(&self) -> u64 {
        self.problem.snapshot_bytes() * self.gradient.forward.steps
    }

    /// Relative L2 distance to the gradient with an uncompressed history.
    fn gradient_error(&self) -> Option<f64> {
        let reference = &self.reference?.values;
        let difference = (&self.gradient.values - reference).mapv(|e| f64::from(e).powi(2)).sum();
        let norm = reference.mapv(|e| f64::from(e).powi(2)).sum();
        Some((difference / norm).sqrt())
    }

    fn codec_name(&self) -> String {
        self.codec.map_or("none".into(), |c| c.to_string())
    }

    /// One JSON object.
    pub fn json(&self) -> String {
        let (g, p) = (self.gradient, self.problem);
        let finite = |v: Option<f64>| v.filter(|v| v.is_finite());
        let history = g.forward.compression_of("usave");
        json!({
            "example": "gradient",
            "shape": p.velocity.shape(),
            "padded_shape": p.padded_shape(),
            "spacing": p.spacing,
            "steps": p.shot.nt,
            "dt_ms": p.shot.dt,
            "receivers": p.shot.receivers.len(),
            "backend": p.backend().to_string(),
            "threads": g.forward.threads,
            "codec": self.codec_name(),
            "forward_seconds": g.forward.seconds,
            "adjoint_seconds": g.adjoint.seconds,
            "forward_gpts_per_s": g.forward.gpts_per_s(),
            "adjoint_gpts_per_s": g.adjoint.gpts_per_s(),
            "compress_seconds": history.map(|c| c.seconds),
            "decompress_seconds": g.adjoint.compression_of("usave").map(|c| c.seconds),
            "raw_bytes": self.raw_bytes(),
            "bytes": self.bytes(),
            "ratio": self.raw_bytes() as f64 / self.bytes() as f64,
            "max_error": finite(history.and_then(|c| c.max_error)),
            "snr_db": finite(history.and_then(|c| c.snr_db)),
            "objective": g.objective,
            "gradient_error": finite(self.gradient_error()),
            "reference_seconds": self.reference.map(|r| r.forward.seconds + r.adjoint.seconds),
            "picture": self.picture.map(|p| p.display().to_string()),
        })
        .to_string()
    }

    /// A table for people.
    pub fn table(&self) -> String {
        let (g, p) = (self.gradient, self.problem);
        let mib = |b: u64| format!("{:.1} MiB", b as f64 / 1048576.0);
        let mut rows: Vec<(&str, String)> = vec![
            ("model", format!("{:?} points, {} m apart", p.velocity.shape(), p.spacing[0])),
            (
                "shot",
                format!("{} receivers, {} steps of {:.3} ms", p.shot.receivers.len(), p.shot.nt, p.shot.dt),
            ),
            ("backend", format!("{}, {} threads", p.backend(), g.forward.threads)),
            ("history", format!("{}, {} snapshots", self.codec_name(), g.forward.steps)),
            ("  raw", mib(self.raw_bytes())),
            (
                "  kept",
                format!("{} (ratio {:.2})", mib(self.bytes()), self.raw_bytes() as f64 / self.bytes() as f64),
            ),
        ];
        for (name, s) in [("forward", &g.forward), ("adjoint", &g.adjoint)] {
            rows.push((name, format!("{:.3} s, {:.4} GPts/s", s.seconds, s.gpts_per_s())));
            if let Some(c) = s.compression_of("usave") {
                let what = if name == "forward" { "  compress" } else { "  decompress" };
                rows.push((what, format!("{:.3} s, {:.2} GB/s", c.seconds, c.gb_per_s())));
            }
        }
        if let Some(c) = g.forward.compression_of("usave")
            && let (Some(e), Some(snr)) = (c.max_error, c.snr_db)
        {
            rows.push(("history error", format!("max {e:.3e}, SNR {snr:.1} dB")));
        }
        rows.push(("objective", format!("{:.6e}", g.objective)));
        if let (Some(r), Some(e)) = (self.reference, self.gradient_error()) {
            let seconds = r.forward.seconds + r.adjoint.seconds;
            rows.push(("gradient error", format!("{e:.3e} (relative L2 against an uncompressed history)")));
            rows.push(("  uncompressed", format!("{seconds:.3} s forward and adjoint")));
        }
        if let Some(path) = self.picture {
            rows.push(("picture", path.display().to_string()));
        }
        rows.iter().fold(String::new(), |mut s, (name, value)| {
            let _ = writeln!(s, "{name:<16} {value}");
            s
        })
    }
}
