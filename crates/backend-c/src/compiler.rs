//! The C compiler of the machine.

use crate::CompileError;
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::process::Command;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

/// A C compiler that answers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Compiler {
    /// The program and its first arguments.
    command: Vec<String>,
    version: String,
}

/// Flags that every variant has. Contraction would round differently from the tree, and so would functions that
/// the compiler evaluates itself; the flags on errno and traps change no value.
const EXACT: &[&str] = &[
    "-std=gnu11",
    "-O3",
    "-fPIC",
    "-shared",
    "-w",
    "-ffp-contract=off",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fno-builtin-exp",
    "-fno-builtin-expf",
    "-fno-builtin-log",
    "-fno-builtin-logf",
    "-fno-builtin-sin",
    "-fno-builtin-sinf",
    "-fno-builtin-cos",
    "-fno-builtin-cosf",
    "-fno-builtin-tan",
    "-fno-builtin-tanf",
    "-fno-builtin-tanh",
    "-fno-builtin-tanhf",
    "-fno-builtin-pow",
    "-fno-builtin-powf",
];

/// The flags of one way to compile, from the best to the one that every compiler understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Variant {
    pub(crate) openmp: bool,
    native: bool,
}

impl Variant {
    pub(crate) const ALL: [Variant; 3] = [
        Variant { openmp: true, native: true },
        Variant { openmp: false, native: true },
        Variant { openmp: false, native: false },
    ];

    pub(crate) fn flags(self) -> Vec<&'static str> {
        let mut flags = EXACT.to_vec();
        if self.openmp {
            flags.push("-fopenmp");
        }
        if self.native {
            flags.push("-march=native");
            if cfg!(target_arch = "x86_64") {
                flags.push(VECTORS);
            }
            if !self.openmp {
                flags.push("-fopenmp-simd");
            }
        }
        flags
    }
}

/// Width of vectors where the processor has several. Fields in cache gain 5 % over 256 bits; others lose nothing.
const VECTORS: &str = "-mprefer-vector-width=512";

impl Compiler {
    /// The compiler named by `CC`; without it the first of cc, gcc and clang that answers.
    pub fn find() -> Option<Compiler> {
        Compiler::required().ok()
    }

    /// Like [`Compiler::find`].
    ///
    /// # Errors
    /// [`CompileError::NoCompiler`], with the names that were tried.
    pub fn required() -> Result<Compiler, CompileError> {
        match std::env::var("CC") {
            Ok(cc) if !cc.trim().is_empty() => Compiler::first_of(&[cc.trim()]),
            _ => Compiler::first_of(&["cc", "gcc", "clang"]),
        }
    }

    /// The first of some commands that answers.
    ///
    /// # Errors
    /// [`CompileError::NoCompiler`], with the names that were tried.
    pub fn first_of(commands: &[&str]) -> Result<Compiler, CompileError> {
        commands.iter().find_map(|c| Compiler::named(c)).ok_or_else(|| CompileError::NoCompiler {
            tried: commands.iter().map(|c| c.to_string()).collect(),
        })
    }

    /// A compiler by command: a name on the path or a file, perhaps with arguments. `None` when it does not answer.
    pub fn named(command: &str) -> Option<Compiler> {
        let mut words: Vec<String> = command.split_whitespace().map(str::to_string).collect();
        // The compiler runs in a directory of its own.
        if let Some(first) = words.first_mut()
            && first.contains('/')
            && let Some(absolute) =
                std::path::absolute(&*first).ok().and_then(|p| p.into_os_string().into_string().ok())
        {
            *first = absolute;
        }
        let version = version_of(&words)?;
        Some(Compiler { command: words, version })
    }

    /// The command, as it would be typed.
    pub fn command(&self) -> String {
        self.command.join(" ")
    }

    /// What it answers to `--version`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Whether a variant was [refused](Compiler::refuse) before.
    pub(crate) fn refuses(&self, variant: Variant) -> bool {
        refused().contains(&(self.clone(), variant))
    }

    /// Remembers, until the process ends, variants that failed where another one worked: most compilers that have no
    /// OpenMP will not get it meanwhile, and asking them again takes as long as a compilation.
    pub(crate) fn refuse(&self, variants: &[Variant]) {
        refused().extend(variants.iter().map(|v| (self.clone(), *v)));
    }

    /// Compiles `source` to the shared object `object`, both in `directory`; or returns the first lines of what the
    /// compiler said.
    pub(crate) fn run(
        &self,
        variant: Variant,
        directory: &Path,
        source: &str,
        object: &str,
    ) -> Result<(), String> {
        let done = Command::new(&self.command[0])
            .args(&self.command[1..])
            .args(variant.flags())
            .args(["-I.", "-o", object, source, "-lm"])
            .current_dir(directory)
            .output()
            .map_err(|e| e.to_string())?;
        if done.status.success() && directory.join(object).is_file() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&done.stderr);
        let lines: Vec<&str> = said.lines().take(12).collect();
        Err(if lines.is_empty() { format!("{} and no message", done.status) } else { lines.join("\n") })
    }
}

/// What compilers refused in this process.
fn refused() -> MutexGuard<'static, HashSet<(Compiler, Variant)>> {
    static REFUSED: LazyLock<Mutex<HashSet<(Compiler, Variant)>>> = LazyLock::new(Mutex::default);
    REFUSED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The answer to `--version`, asked once per process and command.
fn version_of(command: &[String]) -> Option<String> {
    static KNOWN: Mutex<Option<HashMap<Vec<String>, String>>> = Mutex::new(None);
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let known = known.get_or_insert_with(HashMap::new);
    if let Some(version) = known.get(command) {
        return Some(version.clone());
    }
    let answer = Command::new(command.first()?).args(&command[1..]).arg("--version").output().ok()?;
    if !answer.status.success() {
        return None;
    }
    let version =
        String::from_utf8_lossy(&answer.stdout).lines().next().unwrap_or_default().trim().to_string();
    known.insert(command.to_vec(), version.clone());
    Some(version)
}

/// What `-march=native` depends on.
pub(crate) fn processor() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = |key: &str| info.lines().find(|l| l.starts_with(key)).unwrap_or_default();
    let lines = ["model name", "flags", "CPU part", "Features"].map(line);
    format!("{} {}", std::env::consts::ARCH, lines.join("\n"))
}
