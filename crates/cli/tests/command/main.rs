//! The built command: what it prints, where, and with which exit status.

mod bench;
mod codec;
mod program;
#[cfg(unix)]
mod tiers;

use std::process::{Command, Output};

use serde_json::{Map, Value};

/// Runs `wavefold` with words that are separated by blanks.
fn wavefold(words: &str) -> Output {
    run(&words.split_whitespace().collect::<Vec<_>>())
}

fn run(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_wavefold"))
        .args(args)
        .env("NO_COLOR", "1")
        .output()
        .expect("the command starts")
}

/// The one JSON object on standard output of a run that succeeds.
fn object(output: &Output) -> Map<String, Value> {
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert_eq!(stderr, "", "nothing on standard error");
    assert_eq!(stdout.trim_end().lines().count(), 1, "{stdout}");
    match serde_json::from_str(&stdout) {
        Ok(Value::Object(object)) => object,
        other => panic!("{other:?} in {stdout}"),
    }
}

/// The one diagnostic of a run that fails, as one line: `code × message help: ..`.
fn diagnostic(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "exit status");
    assert_eq!(text(&output.stdout), "", "nothing on standard output");
    let stderr = text(&output.stderr);
    // Long messages are wrapped behind a bar.
    let words: Vec<&str> = stderr.split_whitespace().filter(|w| *w != "│").collect();
    let line = words.join(" ");
    assert_eq!(line.matches('×').count(), 1, "{line}");
    line
}

/// Checks code, a part of the message, and that there is help.
fn fails(output: &Output, code: &str, message: &str) {
    let line = diagnostic(output);
    assert!(line.split(' ').next() == Some(code), "{code} in {line}");
    assert!(line.contains(message), "{message:?} in {line}");
    assert!(line.contains("help:"), "{line}");
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

/// Every number under these keys is there and finite.
fn numbers(object: &Map<String, Value>, keys: &[&str]) {
    for key in keys {
        let value = object.get(*key).and_then(Value::as_f64);
        assert!(value.is_some_and(f64::is_finite), "{key} in {object:?}");
    }
}

#[test]
fn help_and_version_succeed() {
    for words in ["--help", "--version", "bench --help", "codec -h", "help bench"] {
        let output = wavefold(words);
        assert_eq!(output.status.code(), Some(0), "{words}");
        assert!(!output.stdout.is_empty() && output.stderr.is_empty(), "{words}");
    }
    let help = text(&wavefold("bench --help").stdout);
    for word in ["acoustic2d", "gradient", "overhead", "peak_rss_bytes", "--save-every"] {
        assert!(help.contains(word), "{word}");
    }
}

#[test]
fn wrong_command_lines_are_one_diagnostic() {
    fails(&wavefold(""), "cli::usage", "requires a subcommand");
    fails(&wavefold("fly"), "cli::usage", "unrecognized subcommand 'fly'");
    fails(&wavefold("bench"), "cli::usage", "required arguments were not provided");
    fails(&wavefold("bench marmousi"), "cli::usage", "invalid value 'marmousi'");
    fails(&wavefold("bench heat3d --backend gpu"), "cli::usage", "invalid value 'gpu'");
    fails(&wavefold("bench heat3d --steps -1"), "cli::usage", "'-1'");
    fails(&wavefold("bench history --nbits 4 --compscale 0.1"), "cli::usage", "cannot be used with");
    assert!(diagnostic(&wavefold("bench marmousi")).contains("acoustic2d, acoustic3d"));
}
