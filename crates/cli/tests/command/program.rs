//! `run`, `check`, `inspect`, `fmt`, `new`, `doctor`, `completions`: what is printed where, and exit statuses.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{diagnostic, fails, numbers, object, text};

const GOOD: &str = "let nt = 4
const c = 1
grid g { shape 4 4 }
time u on g
time usave on g save nt compress noop
time vsave on g save nt
operator store { u.forward = u + c   usave = u }
operator read { vsave = usave }
run store time_M = nt - 1
run read
print \"peak\", max(u)
assert vsave == decompress(usave)
write u to \"u.npy\"
";

/// A run of minutes, unless it is stopped.
const LONG: &str = "grid g { shape 400 400 }
time u on g order 4
operator step { u.forward = 0.9*u + 0.001*u.laplace }
write u to \"before.npy\"
run step time_M = 100000000
write u to \"after.npy\"
";

struct Place(tempfile::TempDir);

impl Place {
    fn new(files: &[(&str, &str)]) -> Place {
        let place = Place(tempfile::tempdir().unwrap());
        files.iter().for_each(|(name, source)| std::fs::write(place.path(name), source).unwrap());
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wavefold"));
        command.args(words).current_dir(self.0.path()).env_remove("NO_COLOR").env_remove("FORCE_COLOR");
        command
    }

    fn run(&self, words: &str) -> Output {
        self.command(&words.split_whitespace().collect::<Vec<_>>()).output().unwrap()
    }

    fn files(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.0.path())
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

fn succeeds(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(text(&output.stderr), "", "nothing on standard error");
    text(&output.stdout)
}

#[test]
fn a_program_runs_and_says_what_it_did() {
    let place = Place::new(&[("good.wf", GOOD)]);
    let said = succeeds(&place.run("run good.wf --backend cranelift --threads 1"));
    for part in ["peak 4", "store", "read", "wrote u.npy", "1 assertion holds"] {
        assert!(said.contains(part), "{part} in {said}");
    }
    assert!(!said.contains('\x1b'), "no colour but to a terminal: {said}");
    assert_eq!(place.files(), ["good.wf", "u.npy"]);
}

#[test]
fn json_is_one_object() {
    let place = Place::new(&[("good.wf", GOOD)]);
    let ran = object(&place.run("run good.wf --json"));
    assert_eq!(ran["runs"].as_array().map(Vec::len), Some(2));
    assert_eq!(
        (&ran["asserts"], &ran["printed"][0], &ran["written"][0]),
        (&1.into(), &"peak 4".into(), &"u.npy".into())
    );
    assert_eq!(ran["runs"][0]["compression"][0]["function"], "usave");
    numbers(&ran, &["seconds", "first_step_seconds"]);
    let checked = object(&place.run("check good.wf --json"));
    assert_eq!(checked["operators"], Value::from(vec!["store", "read"]));
    for stage in ["equations", "stencil", "cluster", "tree", "c", "clif", "passes", "memory"] {
        let seen = object(&place.run(&format!("inspect good.wf --stage {stage} --json")));
        assert_eq!((&seen["stage"], seen["operators"].as_array().map(Vec::len)), (&stage.into(), Some(2)));
        assert!(seen["operators"][0]["text"].as_str().is_some_and(|t| t.len() > 10), "{stage}");
    }
    let doctor = object(&place.run("doctor --json"));
    assert!(doctor["cores"].as_u64().is_some_and(|n| n > 0) && doctor["backend"].is_string());
    assert_eq!(object(&place.run("new shot --json"))["file"], "shot.wf");
    assert_eq!(object(&place.run("fmt good.wf --json"))["checked"], 1);
}

#[test]
fn names_of_the_program_are_set_from_outside() {
    let place = Place::new(&[("good.wf", GOOD)]);
    let ran = object(&place.run("run good.wf --json --set nt=2*3 --set c=0.5"));
    assert_eq!((&ran["runs"][0]["time_M"], &ran["printed"][0]), (&5.into(), &"peak 3".into()));
    assert_eq!(
        object(&place.run("run good.wf --json --backend cranelift"))["runs"][0]["backend"],
        "cranelift"
    );
    fails(&place.run("run good.wf --set mt=2"), "set::unknown", "no `let mt = ..`");
    assert!(diagnostic(&place.run("run good.wf --set mt=2")).contains("`c`, `nt`"));
    fails(&place.run("run good.wf --set usave=2"), "set::unknown", "no `let usave = ..`");
    fails(&place.run("run good.wf --set nt=+"), "set::value", "`+` is no value for `nt`");
    fails(&place.run("run good.wf --set nt"), "cli::usage", "`--set nt` has no value");
    fails(&place.run("run good.wf --backend gpu"), "backend::not_available", "gpu");
    fails(&place.run("run good.wf --threads 0"), "threads::count", "0 threads");
}

#[test]
fn what_is_wrong_is_told_on_standard_error() {
    let two = "let a = bb\nlet c = dd\n";
    let failing = "grid g { shape 4 4 }\ntime u on g\nassert max(u) > 1\n";
    let place = Place::new(&[("two.wf", two), ("failing.wf", failing), ("bytes.wf", "")]);
    std::fs::write(place.path("bytes.wf"), [0xff, 0xfe, 0x00]).unwrap();
    let output = place.run("check two.wf");
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(1), String::new()));
    let said = text(&output.stderr);
    assert_eq!(said.matches("name::unknown").count(), 2, "{said}");
    assert!(said.contains("two.wf:1:9") && said.contains("two.wf:2:9") && !said.contains('\x1b'), "{said}");
    for words in ["run two.wf --json", "inspect two.wf --json", "check two.wf --json"] {
        let output = place.run(words);
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(1), String::new()), "{words}");
    }
    assert!(diagnostic(&place.run("run failing.wf")).starts_with("assert::failed"));
    assert_eq!(place.run("check failing.wf").status.code(), Some(0), "what is checked is not run");
    fails(&place.run("run nowhere.wf"), "file::read", "cannot read `nowhere.wf`");
    fails(&place.run("run bytes.wf"), "file::read", "bytes.wf");
    fails(&place.run("run ."), "file::read", "cannot read `.`");
    fails(&place.run("rnu good.wf"), "cli::usage", "rnu");
    fails(&place.run("run"), "cli::usage", "required");
    fails(&place.run("inspect failing.wf --stage asm"), "cli::usage", "asm");
    fails(&place.run("inspect failing.wf --operator a"), "cli::usage", "no operator `a`");
}

#[test]
fn a_missing_compiler_is_named() {
    let place = Place::new(&[("good.wf", GOOD)]);
    let run = |words: &[&str]| place.command(words).env("CC", "/no/such/compiler").output().unwrap();
    fails(&run(&["run", "good.wf", "--backend", "c"]), "backend_c::no_compiler", "no C compiler was found");
    assert_eq!(run(&["run", "good.wf"]).status.code(), Some(0), "the other backend needs none");
    let doctor: Value = serde_json::from_slice(&run(&["doctor", "--json"]).stdout).unwrap();
    assert_eq!((&doctor["c_compiler"], &doctor["backend"]), (&Value::Null, &"cranelift".into()));
}

#[test]
fn vectors_are_those_of_the_machine_or_fewer() {
    let place = Place::new(&[("good.wf", GOOD)]);
    let run = |bits: &str, words: &[&str]| {
        let words = words.iter().copied().chain(["good.wf", "--backend", "cranelift"]).collect::<Vec<_>>();
        place.command(&words).env("WAVEFOLD_VECTORS", bits).output().unwrap()
    };
    for wrong in ["100", "1024", "wide", ""] {
        fails(&run(wrong, &["run"]), "cranelift::vectors", "there are no vectors of");
    }
    assert_eq!(run("128", &["run"]).status.code(), Some(0), "every machine has them");
}

#[test]
fn programs_are_laid_out_and_started() {
    let untidy = "let   a=1 # one\nlet b = a\n";
    let place = Place::new(&[("untidy.wf", untidy), ("good.wf", GOOD), ("wrong.wf", "let = 1")]);
    fails(&place.run("fmt --check untidy.wf"), "cli::layout", "untidy.wf");
    assert_eq!(std::fs::read_to_string(place.path("untidy.wf")).unwrap(), untidy, "nothing is rewritten");
    assert_eq!(succeeds(&place.run("fmt untidy.wf")), "laid out untidy.wf\n");
    assert_eq!(std::fs::read_to_string(place.path("untidy.wf")).unwrap(), "let a = 1  # one\nlet b = a\n");
    assert_eq!(succeeds(&place.run("fmt --check untidy.wf")), "");
    assert_eq!(place.run("fmt wrong.wf").status.code(), Some(1));
    assert_eq!(std::fs::read_to_string(place.path("wrong.wf")).unwrap(), "let = 1");

    assert!(succeeds(&place.run("new shot")).contains("wavefold run shot.wf"));
    fails(&place.run("new shot"), "file::exists", "shot.wf");
    fails(&place.run("new nowhere/shot"), "file::write", "nowhere");
    assert_eq!(succeeds(&place.run("fmt --check shot.wf")), "", "what `new` writes is laid out");
    succeeds(&place.run("run shot.wf --backend cranelift"));
    assert!(place.files().iter().all(|n| !n.starts_with('.')), "{:?}", place.files());
}

#[test]
fn shells_are_completed() {
    let place = Place::new(&[]);
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = succeeds(&place.run(&format!("completions {shell}")));
        for word in ["inspect", "--stage", "doctor"] {
            assert!(script.contains(word.trim_start_matches("--")), "{word} for {shell}");
        }
    }
    fails(&place.run("completions cmd"), "cli::usage", "cmd");
    assert!(succeeds(&place.run("--help")).contains("Exit status: 0"));
}

/// Whoever closes the pipe has seen enough.
#[test]
fn a_closed_pipe_is_no_error() {
    let many = format!("{}repeat i from 0 to 3000 {{ print \"{}\" }}\n", "let a = 1\n", "x".repeat(100));
    let place = Place::new(&[("many.wf", &many)]);
    for words in [&["run", "many.wf"][..], &["completions", "bash"], &["--help"]] {
        let mut child = place.command(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut first = [0; 10];
        child.stdout.take().unwrap().read_exact(&mut first).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()), "{words:?}");
    }
}

/// Waits until a file is there.
#[cfg(unix)]
fn wait_for(path: &Path) {
    let start = Instant::now();
    while !path.exists() {
        assert!(start.elapsed() < Duration::from_secs(60), "{} is not made", path.display());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Ctrl-C ends a run before its next step: what was written before is whole, nothing else is there.
#[test]
#[cfg(unix)]
fn an_interrupt_leaves_no_half_written_file() {
    for backend in ["cranelift", "interpreter"] {
        let place = Place::new(&[("long.wf", LONG)]);
        let words = ["run", "long.wf", "--backend", backend, "--threads", "1"];
        let child = place.command(&words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        wait_for(&place.path("before.npy"));
        std::thread::sleep(Duration::from_millis(100));
        let pid = libc::pid_t::try_from(child.id()).unwrap();
        // SAFETY: it is a child of this process that was not waited for, so the number is its own.
        assert_eq!(unsafe { libc::kill(pid, libc::SIGINT) }, 0);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130), "{}", text(&output.stderr));
        assert_eq!(text(&output.stderr).trim(), "stopped");
        assert_eq!(place.files(), ["before.npy", "long.wf"]);
        let bytes = std::fs::read(place.path("before.npy")).unwrap();
        assert_eq!(bytes.len() % 4, 0);
        assert!(bytes.len() > 400 * 400 * 4 && bytes.starts_with(b"\x93NUMPY"));
    }
}

/// A file that cannot be written leaves the one before it as it was.
#[test]
fn a_file_is_replaced_whole_or_not_at_all() {
    let place = Place::new(&[("good.wf", GOOD)]);
    succeeds(&place.run("run good.wf"));
    let old = std::fs::read(place.path("u.npy")).unwrap();
    std::fs::write(place.path("bad.wf"), GOOD.replace("assert", "write vsave.dt to \"u.jpg\"\nassert"))
        .unwrap();
    assert_eq!(place.run("run bad.wf").status.code(), Some(1));
    assert_eq!(std::fs::read(place.path("u.npy")).unwrap(), old);
    assert!(place.files().iter().all(|n| !n.starts_with('.')), "{:?}", place.files());
}

/// On a terminal there are colours, and a bar for runs that take longer than a second; `script` makes one.
#[test]
#[cfg(target_os = "linux")]
fn terminals_get_colours_and_a_bar() {
    if Command::new("script").arg("--version").output().is_err() {
        return;
    }
    let slow = LONG.replace("100000000", "nt").replace("grid", "let nt = 10\ngrid");
    let place = Place::new(&[("slow.wf", &slow), ("wrong.wf", "let a = b\n")]);
    let command = env!("CARGO_BIN_EXE_wavefold");
    let on_terminal = |words: &str| {
        let mut script = Command::new("script");
        script.args(["-qec", &format!("{command} {words}"), "/dev/null"]).current_dir(place.0.path());
        script.env_remove("NO_COLOR").env("TERM", "xterm-256color").env("COLUMNS", "120");
        text(&script.stdin(Stdio::null()).output().unwrap().stdout)
    };
    assert!(on_terminal("check wrong.wf").contains("\x1b["), "colour");
    assert!(!on_terminal("check slow.wf").contains("steps,"));
    assert!(!on_terminal("run slow.wf --backend cranelift").contains("steps,"), "no bar for a short run");
    let said = on_terminal("run slow.wf --backend interpreter --set nt=60");
    assert!(said.contains("steps,") && said.contains("step "), "a bar: {said}");
    // Piped, the same run is quiet on standard error.
    assert_eq!(text(&place.run("run slow.wf --backend interpreter --set nt=20").stderr), "");
}
