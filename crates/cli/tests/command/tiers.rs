//! `--backend auto` with C compilers of all kinds.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Two seconds of steps with Cranelift, or more on a slow machine.
const PROGRAM: &str = "grid g { shape 256 256 }
time u on g order 8
set u = 1
operator o { u.forward = u + 0.01*u.laplace + 0.001*sin(u) }
run o time_M = steps
write u at steps to \"u.npy\"
";

/// The run of the program, with a compiler and an empty cache, and the field that it wrote.
fn run(folder: &Path, compiler: &str, backend: &str, steps: usize) -> (Value, Vec<u8>) {
    std::fs::write(folder.join("a.wf"), format!("let steps = {steps}\n{PROGRAM}")).unwrap();
    let cache = tempfile::tempdir().unwrap();
    let done = Command::new(env!("CARGO_BIN_EXE_wavefold"))
        .args(["run", "a.wf", "--json", "--threads", "1", "--backend", backend])
        .current_dir(folder)
        .env("CC", compiler)
        .env("WAVEFOLD_CACHE_DIR", cache.path())
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let said: Value = serde_json::from_slice(&done.stdout).unwrap();
    let left = std::fs::read_dir(cache.path()).map_or(0, |dir| {
        dir.flatten().filter(|f| f.file_name().to_string_lossy().starts_with("build-")).count()
    });
    // A source that does not compile is kept for its author.
    assert!(left <= usize::from(compiler.contains("fails")), "{left} folders are left in the cache");
    (said["runs"][0].clone(), std::fs::read(folder.join("u.npy")).unwrap())
}

fn script(folder: &Path, name: &str, body: &str) -> String {
    let path = folder.join(name);
    let text = format!("#!/bin/sh\nif [ \"$1\" = --version ]; then echo fake 1.0; exit 0; fi\n{body}\n");
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path.to_str().unwrap().into()
}

fn backends(run: &Value) -> Vec<&str> {
    run["tiers"].as_array().unwrap().iter().map(|t| t["backend"].as_str().unwrap()).collect()
}

#[test]
fn with_compilers_that_are_missing_fail_or_work() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let real = "cc";
    // As many steps as take three seconds.
    let (probe, _) = run(folder, "/nowhere/cc", "cranelift", 200);
    let steps = (200.0 * 3.0 / probe["seconds"].as_f64().unwrap()).ceil().min(1e6) as usize;

    let (missing, exact) = run(folder, "/nowhere/cc", "auto", steps);
    assert_eq!((backends(&missing), &missing["note"]), (vec!["cranelift"], &Value::Null));

    let failing = script(folder, "fails", "echo no such luck >&2; exit 1");
    let (failed, found) = run(folder, &failing, "auto", steps);
    assert_eq!(backends(&failed), ["cranelift"]);
    assert!(failed["note"].as_str().unwrap().contains("no such luck"), "{failed}");
    assert!(found == exact);

    if Command::new(real).arg("--version").output().is_ok_and(|o| o.status.success()) {
        let slow = script(folder, "slow", &format!("sleep 0.2; exec {real} \"$@\""));
        let (both, found) = run(folder, &slow, "auto", steps);
        assert_eq!((backends(&both), &both["note"]), (vec!["cranelift", "c"], &Value::Null), "{both}");
        assert!(found == exact);
        let (fixed, found) = run(folder, real, "c", steps);
        assert_eq!(backends(&fixed), ["c"]);
        assert!(found == exact);
        // A short run starts no compiler, and waits for none.
        let never = script(folder, "never", "sleep 100");
        assert_eq!(backends(&run(folder, &never, "auto", 5).0), ["cranelift"]);
    }
}
