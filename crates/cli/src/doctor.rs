//! `wavefold doctor`: what this machine has, and what would be used.

use std::path::PathBuf;

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
    nvrtc: Option<String>,
    mpi: Option<String>,
    hdf5: bool,
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
            ("NVRTC", none(&self.nvrtc, "no libnvrtc found; nothing uses it yet")),
            ("MPI", none(&self.mpi, "no mpirun on the path; runs stay on one machine in any case")),
            ("HDF5", if self.hdf5 { "built in" } else { "not built in: `--features hdf5`" }.into()),
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

/// The first folder of a list that holds a file whose name begins so, with the file.
fn find(folders: impl IntoIterator<Item = PathBuf>, begins: &[&str]) -> Option<String> {
    folders.into_iter().find_map(|folder| {
        let mut names: Vec<PathBuf> =
            std::fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path())).collect();
        names.sort();
        let fits = |path: &&PathBuf| {
            path.file_name().and_then(|n| n.to_str()).is_some_and(|n| begins.iter().any(|b| n.starts_with(b)))
        };
        names.iter().find(fits).map(|path| path.display().to_string())
    })
}

fn folders(variable: &str) -> Vec<PathBuf> {
    std::env::var_os(variable).map_or_else(Vec::new, |list| std::env::split_paths(&list).collect())
}

/// NVIDIA's run-time compiler, where loaders look for it.
fn nvrtc() -> Option<String> {
    let usual = ["/usr/local/cuda/lib64", "/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib"];
    let all = folders("LD_LIBRARY_PATH").into_iter().chain(usual.map(PathBuf::from));
    find(all, &["libnvrtc.so"])
}

/// The launcher of MPI programs.
fn mpi() -> Option<String> {
    let names = ["mpirun", "mpiexec"];
    folders("PATH")
        .into_iter()
        .flat_map(|f| names.map(|n| f.join(n)))
        .find(|p| p.is_file())
        .map(|p| p.display().to_string())
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
        nvrtc: nvrtc(),
        mpi: mpi(),
        hdf5: cfg!(feature = "hdf5"),
        cache: Backend::compile_cache().map(|p| p.display().to_string()),
    };
    output::print(&report, args.json)
}
