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
    /// Whether it is gcc.
    gnu: bool,
}

/// Flags that every variant has. Contraction would round differently from the tree, and so would functions that
/// the compiler evaluates itself; the flags on errno and traps change no value.
const EXACT: &[&str] = &[
    "-std=gnu11",
    "-O3",
    "-fPIC",
    "-shared",
    "-pipe",
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

/// Passes of gcc that kernels gain nothing from, and that take up to a third of the time to compile. The first two copy whole
/// nests, once for each outcome of a condition that is asked once a tile. The others look for what the tree has settled already,
/// the order and the size of loops, or for what is not there: calls, strings, stores of a byte. Gcc 8 knows them all.
const GNU: &[&str] = &[
    "-fno-split-loops",
    "-fno-unswitch-loops",
    "-fno-ipa-cp",
    "-fno-ipa-icf",
    "-fno-ipa-sra",
    "-fno-ipa-vrp",
    "-fno-loop-interchange",
    "-fno-loop-unroll-and-jam",
    "-fno-optimize-strlen",
    "-fno-peel-loops",
    "-fno-predictive-commoning",
    "-fno-store-merging",
    "-fno-tree-loop-distribution",
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
        let answer = version_of(&words)?;
        Some(Compiler::answering(words, &answer))
    }

    /// The compiler with this answer to `--version`.
    fn answering(command: Vec<String>, answer: &str) -> Compiler {
        let version = answer.lines().next().unwrap_or_default().trim().to_string();
        Compiler { command, version, gnu: answer.contains("Free Software Foundation") }
    }

    /// The command, as it would be typed.
    pub fn command(&self) -> String {
        self.command.join(" ")
    }

    /// What it answers to `--version`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// What it is told, but for the names of files.
    pub(crate) fn flags(&self, variant: Variant) -> Vec<&'static str> {
        let mut flags = EXACT.to_vec();
        if self.gnu {
            flags.extend(GNU);
        }
        if variant.openmp {
            flags.push("-fopenmp");
        }
        if variant.native {
            flags.push("-march=native");
            if cfg!(target_arch = "x86_64") {
                flags.push(VECTORS);
            }
            if !variant.openmp {
                flags.push("-fopenmp-simd");
            }
        }
        flags
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
            .args(self.flags(variant))
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
    let version = String::from_utf8_lossy(&answer.stdout).into_owned();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_gcc_is_told_about_passes_of_gcc() {
        for (answer, gnu) in [
            ("gcc 12.2.0\nCopyright (C) 2022 Free Software Foundation, Inc.", true),
            ("clang version 14.0.6\nThread model: posix", false),
        ] {
            let compiler = Compiler::answering(vec!["cc".into()], answer);
            assert_eq!(compiler.version(), answer.lines().next().unwrap());
            for variant in Variant::ALL {
                let flags = compiler.flags(variant);
                assert_eq!(GNU.iter().all(|flag| flags.contains(flag)), gnu);
                assert_eq!(GNU.iter().any(|flag| flags.contains(flag)), gnu);
                assert!(EXACT.iter().all(|flag| flags.contains(flag)));
            }
        }
    }

    #[test]
    fn the_compiler_knows_every_flag() {
        let compiler = Compiler::required().unwrap();
        let done = Command::new(&compiler.command[0])
            .args(&compiler.command[1..])
            .args(compiler.flags(Variant { openmp: false, native: true }))
            .args(["-Werror", "-fsyntax-only", "-x", "c", "/dev/null"])
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
}
