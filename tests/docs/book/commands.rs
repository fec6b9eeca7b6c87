//! `docs/command.md` and the built command say the same.

use super::blocks::{names, spans, table};
use super::text;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

fn wavefold(words: &str, folder: &Path) -> String {
    let done = Command::new(env!("CARGO_BIN_EXE_wavefold"))
        .args(words.split_whitespace())
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .output()
        .expect("the command starts");
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "wavefold {words}: {said}");
    String::from_utf8(done.stdout).expect("text")
}

/// Entries of a section of a help text: `--set <NAME=VALUE>`, `<FILE>`, `run`.
fn section(help: &str, head: &str) -> BTreeSet<String> {
    let lines = help.lines().skip_while(|l| *l != head).skip(1);
    let entry = |line: &str| {
        let indent = line.len() - line.trim_start().len();
        let first = line.trim().split("  ").next().unwrap_or_default();
        // Explanations are indented deeper.
        let begins = indent <= 6 && !first.is_empty();
        begins.then(|| first.replace(['<', '>'], ""))
    };
    lines.take_while(|l| l.is_empty() || l.starts_with(' ')).filter_map(entry).collect()
}

/// Verbs of the command, without that of clap itself.
fn verbs(folder: &Path) -> BTreeSet<String> {
    let mut verbs = section(&wavefold("--help", folder), "Commands:");
    assert!(verbs.remove("help"), "clap has the verb help");
    verbs
}

#[test]
fn every_subcommand_and_option_is_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let page = text("docs/command.md");
    let shown: BTreeSet<String> = names(&page, "subcommands").into_iter().collect();
    assert_eq!(shown, verbs(folder.path()));
    for verb in &shown {
        let help = wavefold(&format!("{verb} --help"), folder.path());
        let mut there = section(&help, "Options:");
        there.extend(section(&help, "Arguments:"));
        let named: BTreeSet<String> = table(&page, &format!("options of {verb}"))
            .iter()
            .flat_map(|row| spans(&row[0]))
            .chain(["-h, --help".to_string()])
            .collect();
        assert_eq!(named, there, "options of {verb}");
    }
}

fn keys(value: &Value) -> BTreeSet<String> {
    value.as_object().expect("an object").keys().cloned().collect()
}

#[test]
fn every_key_of_the_objects_is_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let page = text("docs/command.md");
    let object = |words: &str| -> Value {
        serde_json::from_str(&wavefold(words, folder.path())).unwrap_or_else(|e| panic!("{words}: {e}"))
    };
    let same = |what: &str, value: &Value| {
        let named: BTreeSet<String> = names(&page, &format!("json of {what}")).into_iter().collect();
        assert_eq!(named, keys(value), "keys of {what}");
    };
    std::fs::write(
        folder.path().join("a.wf"),
        "grid g { shape 4 4 }\ntime u on g\ntime s on g save 3 compress noop\n\
         operator o { u.forward = u + 1   s = u }\nrun o time_M = 2\n",
    )
    .expect("a program");
    same("new", &object("new b --json"));
    same("fmt", &object("fmt a.wf --json"));
    same("check", &object("check a.wf --json"));
    same("doctor", &object("doctor --json"));
    let inspected = object("inspect a.wf --json");
    same("inspect", &inspected);
    same("an operator", &inspected["operators"][0]);
    let ran = object("run a.wf --backend cranelift --json");
    same("run", &ran);
    same("a run", &ran["runs"][0]);
    same("a tier", &ran["runs"][0]["tiers"][0]);
    same("a history", &ran["runs"][0]["compression"][0]);
}

#[test]
fn options_that_are_not_there_are_found_out() {
    let help = "Usage: x\n\nArguments:\n  <FILE>  The file\n\nOptions:\n      --set <K=V>\n          As in --set a=1\n\n  -h, --help  Help\n";
    assert_eq!(section(help, "Arguments:").into_iter().collect::<Vec<_>>(), ["FILE"]);
    assert_eq!(section(help, "Options:").into_iter().collect::<Vec<_>>(), ["--set K=V", "-h, --help"]);
}
