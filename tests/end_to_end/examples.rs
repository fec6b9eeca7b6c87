//! The examples as a user starts them.

use crate::BACKENDS;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::time::SystemTime;

/// The built example. `cargo test` builds examples, but not when asked for one test alone.
fn example(name: &str) -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let folder = BUILT.get_or_init(|| {
        let this = std::env::current_exe().expect("the path of this test");
        let profile = this.ancestors().nth(2).expect("target/release/deps/end_to_end").to_path_buf();
        let folder = profile.join("examples");
        if EXAMPLES.iter().any(|name| is_stale(&executable(&folder, name))) {
            build(&profile);
        }
        folder
    });
    executable(folder, name)
}

fn executable(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Missing, or older than a source file.
fn is_stale(executable: &Path) -> bool {
    let Ok(built) = executable.metadata().and_then(|m| m.modified()) else { return true };
    let mut folders = vec![root().join("crates"), root().join("runtime-c")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            // Not a part of the examples.
            if path.ends_with("crates/cli") || path.ends_with("tests") || path.ends_with("benches") {
                continue;
            }
            let modified = entry.metadata().and_then(|m| m.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
            if path.is_dir() {
                folders.push(path);
            } else if modified > built {
                return true;
            }
        }
    }
    false
}

fn build(profile: &Path) {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "-p", "wavefold", "--examples"]);
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    let target = profile.parent().expect("a target folder");
    let status = cargo.arg("--target-dir").arg(target).current_dir(root()).status().expect("cargo");
    assert!(status.success(), "the examples do not build");
}

fn run(name: &str, arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    Command::new(example(name))
        .args(arguments)
        .current_dir(folder.path())
        .output()
        .expect("the example starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// All of them; the first two have tests of their own.
const EXAMPLES: [&str; 14] = [
    "notebook",
    "gradient",
    "acoustic2d",
    "acoustic3d",
    "burgers",
    "cavity",
    "elastic",
    "gray_scott",
    "heat",
    "maxwell",
    "shallow_water",
    "tti",
    "variable_density",
    "viscoacoustic",
];

/// Each checks its own result, and says so with its status.
#[test]
fn every_physics_passes_its_check_on_both_backends() {
    for name in &EXAMPLES[2..] {
        for backend in BACKENDS {
            let out = run(name, &["--backend", &backend.to_string(), "--picture", "picture.png"]);
            let stdout = text(&out.stdout);
            assert!(out.status.success(), "{name} {backend}: {stdout}{}", text(&out.stderr));
            assert!(stdout.contains(": ok"), "{name} checks nothing:\n{stdout}");
        }
    }
}

#[test]
fn notebook() {
    let out = run("notebook", &[]);
    let stdout = text(&out.stdout);
    assert!(out.status.success(), "{stdout}{}", text(&out.stderr));
    let saved: Vec<String> = (0..4).map(|n| format!("{:?}", [n; 4])).collect();
    for part in ["backend: c\n", "backend: cranelift\n", "usave compressed (noop): 4 snapshots", "GPts/s"] {
        assert!(stdout.contains(part), "no `{part}` in\n{stdout}");
    }
    for part in ["usave decompressed (noop)", "wf_compress(cx", "wf_decompress(cx"]
        .iter()
        .copied()
        .chain(saved.iter().map(String::as_str))
    {
        assert!(stdout.contains(part), "no `{part}` in\n{stdout}");
    }
    let one = run("notebook", &["--backend", "cranelift"]);
    assert!(one.status.success() && !text(&one.stdout).contains("backend: c\n"));
    let none = run("notebook", &["--backend", "fortran"]);
    assert_eq!(none.status.code(), Some(1), "{}", text(&none.stderr));
}

/// A model that takes a moment.
const SMALL: [&str; 7] = ["--shape", "60x40", "--steps", "120", "--json", "--threads", "2"];

fn gradient(more: &[&str]) -> Value {
    let out = run("gradient", &[&SMALL, more].concat());
    let (stdout, stderr) = (text(&out.stdout), text(&out.stderr));
    assert!(out.status.success(), "{more:?}: {stderr}");
    assert_eq!(stderr, "", "progress goes to terminals only");
    let json: Value = serde_json::from_str(&stdout).unwrap_or_else(|e| panic!("{more:?}: {e}\n{stdout}"));
    assert!(json.is_object() && stdout.trim_end().lines().count() == 1, "one JSON object:\n{stdout}");
    json
}

#[test]
fn gradient_with_every_history() {
    let histories: [(&[&str], f64, &str); 8] = [
        (&["none"], 0.0, "none"),
        (&["noop"], 0.0, "noop"),
        (&["quantize", "--nbits", "12"], 1e-2, "quantize:12"),
        (&["quantize"], 1e-1, "quantize:9"),
        (&["wavelet"], 1e-3, "wavelet:1e-3"),
        (&["wavelet", "--compscale", "1e-5"], 1e-5, "wavelet:1e-5"),
        (&["lapped"], 1e-2, "lapped:1e-2"),
        (&["lapped", "--snr", "60"], 1e-2, "lapped:60dB"),
    ];
    for backend in BACKENDS {
        let backend = backend.to_string();
        for (history, most, codec) in &histories {
            let fixed = ["--reference", "--no-plot", "--backend", &backend, "--compression"];
            let json = gradient(&[&fixed, *history].concat());
            let number =
                |key: &str| json[key].as_f64().unwrap_or_else(|| panic!("no number `{key}` in {json}"));
            let error = number("gradient_error");
            assert!(error <= *most && (*most == 0.0 || error > 0.0), "{codec} on {backend}: {error:e}");
            assert_eq!(json["codec"], *codec);
            assert_eq!(json["backend"], *backend);
            assert_eq!(json["picture"], Value::Null);
            assert_eq!(json["shape"], serde_json::json!([60, 40]));
            assert_eq!((number("steps"), number("threads")), (120.0, 2.0));
            let ratio = number("raw_bytes") / number("bytes");
            assert!((number("ratio") - ratio).abs() <= 1e-9 * ratio, "{json}");
            let lossy = *most > 0.0;
            assert!(
                if lossy { ratio > 1.5 } else { (0.95..=1.0).contains(&ratio) },
                "{codec}: ratio {ratio}"
            );
            for key in
                ["forward_seconds", "adjoint_seconds", "forward_gpts_per_s", "objective", "reference_seconds"]
            {
                assert!(number(key) > 0.0, "{key} in {json}");
            }
            assert_eq!(json["snr_db"].is_number(), lossy, "measured with --reference: {json}");
        }
    }
}

#[test]
fn gradient_of_the_second_time_derivative() {
    let json = gradient(&["--reference", "--no-plot", "--save", "dt2", "--compression", "wavelet"]);
    let error = json["gradient_error"].as_f64().unwrap_or(f64::NAN);
    assert!(error > 0.0 && error <= 1e-2, "{json}");
}

#[test]
fn gradient_without_a_reference_tells_no_error() {
    let json = gradient(&["--no-plot", "--compression", "noop"]);
    assert_eq!(json["gradient_error"], Value::Null);
    assert_eq!(json["reference_seconds"], Value::Null);
}

#[test]
fn gradient_draws_a_picture_and_a_table() {
    let folder = tempfile::tempdir().expect("a folder");
    let picture = folder.path().join("picture.png");
    let model = folder.path().join("model.f32");
    let layered: Vec<u8> =
        (0..60 * 40).flat_map(|i| (if i % 40 < 20 { 1.5f32 } else { 2.5 }).to_le_bytes()).collect();
    std::fs::write(&model, layered).expect("a model");
    let out = Command::new(example("gradient"))
        .args(["--shape", "60x40", "--steps", "150", "--spacing", "8", "--compression", "quantize"])
        .arg("--model")
        .arg(&model)
        .arg("--plot")
        .arg(&picture)
        .output()
        .expect("the example starts");
    let table = text(&out.stdout);
    assert!(out.status.success(), "{}", text(&out.stderr));
    for row in
        ["model", "shot", "backend", "history", "ratio", "forward", "adjoint", "objective", "picture.png"]
    {
        assert!(table.contains(row), "no `{row}` in\n{table}");
    }
    let png = std::fs::read(&picture).expect("a picture");
    assert!(png.starts_with(b"\x89PNG\r\n\x1a\n") && png.len() > 5000, "{} bytes", png.len());
}

/// One diagnostic on standard error, nothing on standard output.
#[test]
fn gradient_refuses_bad_options() {
    let cases: [(&[&str], &str); 18] = [
        (&["--compression", "zip"], "zip"),
        (&["--shape", "60"], "1601x401"),
        (&["--backend", "fortran"], "fortran"),
        (&["--compression", "noop", "--nbits", "9"], "nbits"),
        (&["--compression", "quantize", "--nbits", "40"], "nbits"),
        (&["--compression", "wavelet", "--compscale", "2"], "compscale"),
        (&["--compression", "wavelet", "--snr", "60"], "snr"),
        (&["--compression", "none", "--snr", "60"], "snr"),
        (&["--model", "no-such-model.f32"], "no-such-model"),
        (&["--no-such-option"], "no-such-option"),
        (&["--threads", "many"], "many"),
        (&["--seconds", "inf"], "seconds"),
        (&["--seconds", "1e12"], "steps"),
        (&["--steps", "1000000000000000"], "steps"),
        (&["--frequency", "0"], "frequency"),
        (&["--spacing", "-1"], "spacing"),
        (&["--sponge", "18446744073709551615"], "sponge"),
        (&["--shape", "100000000x100000000"], "shape"),
    ];
    for (arguments, part) in cases {
        let out = run("gradient", arguments);
        let (stdout, stderr) = (text(&out.stdout), text(&out.stderr));
        assert_eq!(out.status.code(), Some(1), "{arguments:?}: {stderr}");
        assert_eq!(stdout, "", "{arguments:?}");
        assert!(stderr.contains(part), "{arguments:?}: {stderr}");
        let heads = stderr.matches("Error:").count() + stderr.matches("error:").count();
        assert!(heads == 1 && !stderr.contains("panicked"), "{arguments:?}: {stderr}");
    }
}
