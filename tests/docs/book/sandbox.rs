//! A folder in which the programs and commands of a page run.

use super::blocks::Block;
use super::repository;
use std::path::Path;
use std::process::{Command, Output};
use wavefold::prelude::Backend;
use wavefold_text::{Failure, Options, parse};

/// What is wrong with a block.
pub struct Wrong {
    pub message: String,
    /// What the block should show.
    pub output: Option<String>,
}

impl From<String> for Wrong {
    fn from(message: String) -> Wrong {
        Wrong { message, output: None }
    }
}

pub struct Sandbox {
    folder: tempfile::TempDir,
    /// The last program of the page.
    program: String,
}

impl Sandbox {
    pub fn new() -> Sandbox {
        let folder = tempfile::tempdir().expect("a folder");
        let examples = folder.path().join("dsl-examples");
        std::fs::create_dir(&examples).expect("a folder");
        for entry in std::fs::read_dir(repository("dsl-examples")).expect("the programs") {
            let path = entry.expect("an entry").path();
            if path.extension().is_some_and(|e| e == "wf") {
                std::fs::copy(&path, examples.join(path.file_name().expect("a name"))).expect("a copy");
            }
        }
        Sandbox { folder, program: String::new() }
    }

    pub fn check(&mut self, block: &Block) -> Result<(), Wrong> {
        let marker = block.marker.as_str();
        if let Some(arguments) = marker.strip_prefix("output ") {
            let real = self.shown(arguments)?;
            let message =
                format!("`wavefold {arguments}` prints something else (WAVEFOLD_BLESS=1 renews it)");
            let same = real.trim_end() == block.text.trim_end();
            return if same { Ok(()) } else { Err(Wrong { message, output: Some(real) }) };
        }
        if let Some(arguments) = marker.strip_prefix("summary ") {
            let real = self.shown(arguments)?;
            let message = format!("`wavefold {arguments}` prints something like\n{real}");
            let same = without_numbers(&real) == without_numbers(&block.text)
                && counts(&real) == counts(&block.text);
            return if same { Ok(()) } else { Err(Wrong { message, output: Some(real) }) };
        }
        if let Some(arguments) = marker.strip_prefix("excerpt ") {
            let real = self.shown(arguments)?;
            let mut lines = real.lines();
            let missing = block.text.lines().find(|shown| !lines.any(|l| l == *shown));
            let message =
                |line| format!("`wavefold {arguments}` does not print, in this order, {line:?} in\n{real}");
            return missing.map_or(Ok(()), |line| Err(message(line).into()));
        }
        match block.language.as_str() {
            "wf" => Ok(self.program(block)?),
            "sh" => Ok(self.commands(block)?),
            "console" => Ok(prompts(&block.text)?),
            _ => Ok(()),
        }
    }

    fn program(&mut self, block: &Block) -> Result<(), String> {
        let source = match block.marker.as_str() {
            "continues" => format!("{}\n{}\n", self.program, block.text),
            _ => format!("{}\n", block.text),
        };
        let (name, marker) = match block.marker.strip_prefix("file ") {
            Some(rest) => rest.split_once(' ').unwrap_or((rest, "")),
            None => ("", block.marker.as_str()),
        };
        if !name.is_empty() {
            std::fs::write(self.folder.path().join(name), &source).map_err(|e| e.to_string())?;
        }
        let options = Options {
            backend: Some(Backend::Cranelift),
            folder: self.folder.path().to_path_buf(),
            ..Options::default()
        };
        let done = parse(&source).and_then(|p| p.run(&options));
        if let Some(codes) = marker.strip_prefix("wrong ") {
            let found = done.err().map(|e| self::codes(&e)).unwrap_or_default();
            return if found == codes {
                Ok(())
            } else {
                Err(format!("it fails with `{found}`, not `{codes}`"))
            };
        }
        self.program = source;
        done.map(|_| ()).map_err(|e| format!("the program fails: {e}"))
    }

    fn commands(&self, block: &Block) -> Result<(), String> {
        let expected = if block.marker == "fails" { Some(1) } else { Some(0) };
        let mut wrong = vec![];
        for line in logical_lines(&block.text) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let Some(arguments) = of_wavefold(&words) else {
                wrong.extend(known(&words).err());
                continue;
            };
            let done = self.run(&small(arguments, self.folder.path()));
            if done.status.code() != expected {
                let said = String::from_utf8_lossy(&done.stderr).into_owned();
                wrong.push(format!("`{line}` ends with {:?}: {said}", done.status.code()));
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n  ")) }
    }

    /// What a command prints: standard output, then standard error.
    fn shown(&self, arguments: &str) -> Result<String, Wrong> {
        let words: Vec<String> = arguments.split_whitespace().map(str::to_string).collect();
        let done = self.run(&words);
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        match done.status.code() {
            Some(0) if said.is_empty() => Ok(String::from_utf8_lossy(&done.stdout).into_owned()),
            Some(0 | 1) if done.stdout.is_empty() && !said.contains("file::read") => Ok(said),
            code => Err(format!("`wavefold {arguments}` ends with {code:?}: {said}").into()),
        }
    }

    fn run(&self, arguments: &[String]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_wavefold"))
            .args(arguments)
            .current_dir(self.folder.path())
            .env("NO_COLOR", "1")
            // What pages show of Cranelift must not depend on the machine.
            .env("WAVEFOLD_VECTORS", "128")
            .output()
            .expect("the command starts")
    }
}

/// Commands behind a `$` must be known; what programs print is compared where they are tested.
fn prompts(text: &str) -> Result<(), String> {
    for line in text.lines().filter_map(|l| l.strip_prefix("$ ")) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match of_wavefold(&words).as_deref() {
            Some(["run", program, ..]) if repository(program).is_file() => {}
            Some(_) => return Err(format!("`{line}` runs no program of the repository")),
            None => known(&words)?,
        }
    }
    Ok(())
}

/// The codes of what is wrong with a program, with blanks between them.
fn codes(failure: &Failure) -> String {
    failure.diagnostics().iter().map(|d| d.code.as_str()).collect::<Vec<_>>().join(" ")
}

/// Lines of a shell block without comments, continued ones joined.
fn logical_lines(text: &str) -> Vec<String> {
    let joined = text.replace("\\\n", " ");
    let plain = |line: &str| line.split(" #").next().unwrap_or_default().trim().to_string();
    joined.lines().map(plain).filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}

/// The arguments of a command that runs `wavefold`.
fn of_wavefold<'a>(words: &[&'a str]) -> Option<Vec<&'a str>> {
    match words {
        ["wavefold", rest @ ..] => Some(rest.to_vec()),
        ["cargo", "run", "--release", "-p", "wavefold-cli", "--", rest @ ..]
        | ["cargo", "run", "--release", "-p", "wavefold-cli", "--bin", "wavefold", "--", rest @ ..] => {
            Some(rest.to_vec())
        }
        _ => None,
    }
}

/// Arguments that take no time: `bench` with small grids, `codec` with a file that is made here.
fn small(arguments: Vec<&str>, folder: &Path) -> Vec<String> {
    let mut words: Vec<String> = arguments.into_iter().map(str::to_string).collect();
    match words.first().map(String::as_str) {
        Some("bench") if words.iter().any(|w| w == "--all") => set(&mut words, "--repeat", "1"),
        Some("bench") => {
            let flat = words.get(1).is_some_and(|case| case.ends_with("2d"));
            set(&mut words, "--shape", if flat { "24x24" } else { "16x16x16" });
            set(&mut words, "--steps", "6");
            set(&mut words, "--repeat", "1");
        }
        Some("codec") => {
            set(&mut words, "--shape", "16x16x16");
            let values = (0..16 * 16 * 16).flat_map(|i| ((i as f32) * 0.01).sin().to_le_bytes());
            if let Some(file) = words.get(1) {
                std::fs::write(folder.join(file), values.collect::<Vec<u8>>()).expect("a field");
            }
        }
        // Threads that share a busy machine wait for each other; results do not depend on them.
        Some("run") if !words.iter().any(|w| w == "--threads") => set(&mut words, "--threads", "1"),
        _ => {}
    }
    words
}

/// Gives an option a value.
fn set(words: &mut Vec<String>, option: &str, value: &str) {
    match words.iter().position(|w| w == option) {
        Some(i) => words[i + 1] = value.into(),
        None => words.extend([option.into(), value.into()]),
    }
}

/// A command that is not run here must be one that is run elsewhere, or that every machine has.
fn known(words: &[&str]) -> Result<(), String> {
    let exists = |path: &str| match repository(path).exists() {
        true => Ok(()),
        false => Err(format!("`{path}` is not there")),
    };
    let after = |option: &str| words.iter().position(|w| *w == option).and_then(|i| words.get(i + 1));
    // `NAME=value` before a command.
    let plain: Vec<&str> = words.iter().copied().skip_while(|w| w.contains('=')).collect();
    match plain.as_slice() {
        ["cargo", "run", "--release", "--example", name, ..] => {
            exists(&format!("crates/wavefold/examples/{name}.rs"))
                .or_else(|_| exists(&format!("crates/wavefold/examples/{name}")))
        }
        ["cargo", "test" | "bench", ..] => match after("-p").and_then(|p| p.strip_prefix("wavefold-")) {
            Some(folder) => exists(&format!("crates/{folder}")),
            None => Ok(()),
        },
        ["cargo", "install", "--path", path, ..] => exists(path),
        ["cargo", "build" | "doc", ..] => Ok(()),
        ["for", ..] | ["cp" | "cd" | "ln" | "mdbook" | "taskset" | "export", ..] | ["git", "clone", ..] => {
            Ok(())
        }
        [script, ..] if script.starts_with("docs/") => exists(script),
        _ => Err(format!("nobody knows whether `{}` works", words.join(" "))),
    }
}

/// The numbers of a text that do not depend on the machine: steps, points, snapshots, counts of the compiler.
fn counts(text: &str) -> Vec<String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let counted = ["steps", "points", "snapshots,", "B/point,", "flops/point;"];
    words.windows(2).filter(|pair| counted.contains(&pair[1])).map(|pair| pair.join(" ")).collect()
}

/// The words of a text that are not made of digits, so that two runs agree.
fn without_numbers(text: &str) -> Vec<String> {
    let letters =
        |word: &str| word.chars().filter(|c| c.is_alphabetic() || "_:".contains(*c)).collect::<String>();
    // Units change with the size of numbers, and compiled code may come from the cache.
    let unit = |w: &str| ["", "s", "ms", "us", "B", "KiB", "MiB", "GiB", "e", "cached"].contains(&w);
    text.split_whitespace().map(letters).filter(|w| !unit(w)).collect()
}
