//! `wavefold doctor`: what this machine has, and what would be used.

use serde::Serialize;
use wavefold::prelude::Backend;

use crate::error::Result;
use crate::output::{self, Table};

/// Show what this machine has and what would be used
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    version: &'static str,
    system: String,
    cores: usize,
    vectors: &'static str,
    c_compiler: Option<String>,
    backend: String,
    gpu: Option<String>,
    cache: Option<String>,
}

impl Table for Report {
    fn rows(&self) -> Vec<(&'static str, String)> {
        let none = |o: &Option<String>, why: &str| o.clone().unwrap_or_else(|| format!("none: {why}"));
        vec![
            ("wavefold", self.version.into()),
            ("system", self.system.clone()),
            ("cores", self.cores.to_string()),
            ("vectors", self.vectors.into()),
            (
                "C compiler",
                none(&self.c_compiler, "install gcc or clang, or set CC, for the fastest kernels"),
            ),
            ("backend", format!("{} (what `auto` is here)", self.backend)),
            ("GPU", none(&self.gpu, "no NVIDIA driver answers; this version has no GPU backend yet")),
            ("compile cache", none(&self.cache, "no folder of the user's; kernels are compiled anew")),
        ]
    }
}

/// The widest vectors that kernels use.
fn vectors() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    {
        if std::arch::is_x86_feature_detected!("avx512f") {
            return "AVX-512";
        }
        if std::arch::is_x86_feature_detected!("avx2") {
            return "AVX2";
        }
        "SSE2"
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        if cfg!(target_arch = "aarch64") { "NEON" } else { "unknown" }
    }
}

fn gpu() -> Option<String> {
    let text = std::fs::read_to_string("/proc/driver/nvidia/version").ok()?;
    text.lines().next().map(str::to_string)
}

/// Prints the report.
pub fn run(args: &Args) -> Result<()> {
    let report = Report {
        version: env!("CARGO_PKG_VERSION"),
        system: format!("{} on {}", std::env::consts::OS, std::env::consts::ARCH),
        cores: wavefold::runtime::threads::available(),
        vectors: vectors(),
        c_compiler: Backend::c_compiler(),
        backend: Backend::Auto.resolve().to_string(),
        gpu: gpu(),
        cache: Backend::compile_cache().map(|p| p.display().to_string()),
    };
    output::print(&report, args.json)
}
