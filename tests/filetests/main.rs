//! Filetests: one program in, one program out, as text.
//!
//! ```text
//! ; test fuse
//! ; What the case shows.
//! operator .. { .. }
//! ; -----
//! operator .. { .. }
//! ```
//! The first line is one of
//! * `; test PASS`: the input is read, verified and passed through; the output is verified, printed, compared
//!   and read back. A pass that refuses the program gives `; error: CODE message` instead.
//! * `; verify LEVEL`: the verdict of the verifier, `; ok` or `; error: C8 message`.
//! * `; parse LEVEL`: the verdict of the parser.
//!
//! `WAVEFOLD_BLESS=1` rewrites all that follows the separator.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use wavefold_ir::{VerifyError, cluster, stencil, tree};
use wavefold_passes as passes;

const SEPARATOR: &str = "; -----\n";

/// Folder, and the fewest cases that it may hold.
const FOLDERS: [(&str, usize); 25] = [
    ("legality", 3),
    ("divide", 3),
    ("invariants", 3),
    ("temporaries", 3),
    ("discretize", 3),
    ("clusters", 3),
    ("compress", 3),
    ("fuse", 3),
    ("factorize", 3),
    ("hoist", 3),
    ("cse", 3),
    ("in_place", 3),
    ("layout", 3),
    ("schedule", 3),
    ("parts", 3),
    ("contract", 3),
    ("front", 3),
    ("join", 3),
    ("jam", 3),
    ("sink", 3),
    ("stream", 3),
    ("rows", 3),
    ("prefetch", 3),
    ("verify", 60),
    ("parse", 3),
];

#[test]
fn filetests() {
    let bless = std::env::var_os("WAVEFOLD_BLESS").is_some();
    let mut failures = String::new();
    for (folder, least) in FOLDERS {
        let cases = cases(&root().join(folder));
        assert!(cases.len() >= least, "{folder} has {} cases, {least} are wanted", cases.len());
        for path in cases {
            let text = std::fs::read_to_string(&path).expect("a case can be read");
            let name = path.strip_prefix(root()).unwrap_or(&path).display();
            match case(&text, bless) {
                Ok(None) => {}
                Ok(Some(blessed)) => std::fs::write(&path, blessed).expect("a case can be written"),
                Err(message) => {
                    let _ = writeln!(failures, "==== {name}\n{message}");
                }
            }
        }
    }
    assert!(failures.is_empty(), "\n{failures}\n(WAVEFOLD_BLESS=1 accepts the new output)");
}

#[test]
fn no_folder_is_forgotten() {
    for entry in std::fs::read_dir(root()).expect("the folder of the filetests") {
        let entry = entry.expect("an entry");
        let name = entry.file_name().to_string_lossy().into_owned();
        let known = FOLDERS.iter().any(|(folder, _)| *folder == name);
        assert!(known || name == "main.rs", "`{name}` is not run");
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/filetests")
}

fn cases(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.filter_map(|e| Some(e.ok()?.path())).collect();
    paths.retain(|p| p.extension().is_some_and(|e| e == "txt"));
    paths.sort();
    paths
}

/// Runs one case: `Ok(None)` when it holds, `Ok(Some(text))` when it was blessed, else what is wrong.
fn case(text: &str, bless: bool) -> Result<Option<String>, String> {
    let (head, expected) = text.split_once(SEPARATOR).unwrap_or((text, ""));
    let directive = head.lines().next().and_then(|l| l.strip_prefix("; ")).unwrap_or("");
    let input: String = head.lines().filter(|l| !l.starts_with(';')).map(|l| format!("{l}\n")).collect();
    let output = match directive.split_once(' ') {
        Some(("test", pass)) => test(pass, &input)?,
        Some(("verify", level)) => verify(level, &input)?,
        Some(("parse", level)) => parse(level, &input)?,
        _ => return Err("the first line is `; test PASS`, `; verify LEVEL` or `; parse LEVEL`".into()),
    };
    if output == expected {
        return Ok(None);
    }
    if bless { Ok(Some(format!("{head}{SEPARATOR}{output}"))) } else { Err(difference(expected, &output)) }
}

fn text<T>(result: Result<T, impl std::fmt::Display>) -> Result<T, String> {
    result.map_err(|e| e.to_string())
}

fn stencils(input: &str) -> Result<stencil::Program, String> {
    let p = text(stencil::Program::parse(input))?;
    text(p.verify()).map(|()| p)
}

fn clusters(input: &str) -> Result<cluster::Program, String> {
    let p = text(cluster::Program::parse(input))?;
    text(p.verify()).map(|()| p)
}

/// The output of a pass, or its refusal.
fn test(pass: &str, input: &str) -> Result<String, String> {
    let on_clusters = |run: fn(cluster::Program) -> cluster::Program| of_cluster(run(clusters(input)?));
    match pass {
        "legality" => {
            let p = stencils(input)?;
            let direction = passes::legality(&p).and_then(|()| passes::direction(&p));
            Ok(match direction {
                Ok(Some(direction)) => format!("; ok, time {direction}\n"),
                Ok(None) => "; ok, no time\n".into(),
                Err(e) => refusal(&e),
            })
        }
        "divide" => of_stencil(passes::divide(stencils(input)?)),
        "invariants" => of_stencil(passes::invariants(stencils(input)?)),
        "temporaries" => of_stencil(passes::temporaries(stencils(input)?)),
        "discretize" => match passes::discretize(stencils(input)?) {
            Ok(p) => of_stencil(p),
            Err(e) => Ok(refusal(&e)),
        },
        "clusters" => match passes::clusters(stencils(input)?) {
            Ok(p) => of_cluster(p),
            Err(e) => Ok(refusal(&e)),
        },
        "compress" => on_clusters(passes::compress),
        "fuse" => on_clusters(passes::fuse),
        "factorize" => on_clusters(passes::factorize),
        "hoist" => on_clusters(passes::hoist),
        "cse" => on_clusters(passes::cse),
        "in_place" => on_clusters(passes::in_place),
        "layout" => on_clusters(passes::layout),
        "schedule" => of_tree(passes::schedule(clusters(input)?, &passes::Machine::default())),
        "parts" => of_tree(passes::parts(text(tree::Program::parse(input))?)),
        // Powers are what this pass removes: its input is not yet a legal tree.
        "contract" => of_tree(passes::contract(text(tree::Program::parse(input))?)),
        "front" => {
            let input = text(tree::Program::parse(input))?;
            let (p, why) = passes::front(input, &passes::Machine::default(), None, &[]);
            let why = why.map_or(String::new(), |why| format!("; step by step: {why}\n"));
            of_tree(p).map(|text| text + &why)
        }
        "join" => {
            let input = text(tree::Program::parse(input))?;
            of_tree(passes::join(input, &passes::Machine::default()))
        }
        "jam" => of_tree(passes::jam(text(tree::Program::parse(input))?)),
        "sink" => of_tree(passes::sink(text(tree::Program::parse(input))?)),
        "stream" => {
            let input = text(tree::Program::parse(input))?;
            of_tree(passes::stream(input, &passes::Machine::default()))
        }
        "rows" => {
            let input = text(tree::Program::parse(input))?;
            of_tree(passes::rows(input, &passes::Machine::default()))
        }
        // A function called `alike` is one.
        "prefetch" => {
            let input = text(tree::Program::parse(input))?;
            of_tree(passes::prefetch(input, &passes::Machine::default(), &["alike".into()]))
        }
        _ => Err(format!("no pass `{pass}`")),
    }
}

fn refusal(e: &passes::CompileError) -> String {
    format!("; error: {} {}\n", e.code(), e.to_string().replace('\n', " "))
}

fn of_stencil(p: stencil::Program) -> Result<String, String> {
    text(p.verify())?;
    same(p.to_string(), |t| stencil::Program::parse(t).map(|p| p.to_string()))
}

fn of_cluster(p: cluster::Program) -> Result<String, String> {
    text(p.verify())?;
    same(p.to_string(), |t| cluster::Program::parse(t).map(|p| p.to_string()))
}

fn of_tree(p: tree::Program) -> Result<String, String> {
    text(p.verify())?;
    same(p.to_string(), |t| tree::Program::parse(t).map(|p| p.to_string()))
}

/// The text, when it reads back as itself.
fn same(
    printed: String,
    again: impl Fn(&str) -> Result<String, wavefold_ir::ParseError>,
) -> Result<String, String> {
    let again = text(again(&printed)).map_err(|e| format!("the output does not parse: {e}\n{printed}"))?;
    if again == printed {
        Ok(printed)
    } else {
        Err(format!("reads back differently:\n{}", difference(&printed, &again)))
    }
}

fn verify(level: &str, input: &str) -> Result<String, String> {
    let verdict = match level {
        "stencil" => text(stencil::Program::parse(input))?.verify(),
        "cluster" => text(cluster::Program::parse(input))?.verify(),
        "tree" => text(tree::Program::parse(input))?.verify(),
        _ => return Err(format!("no level `{level}`")),
    };
    Ok(match verdict {
        Ok(()) => "; ok\n".into(),
        Err(VerifyError { invariant, message, .. }) => format!("; error: {invariant} {message}\n"),
    })
}

fn parse(level: &str, input: &str) -> Result<String, String> {
    let verdict = match level {
        "stencil" => stencil::Program::parse(input).map(|p| p.to_string()),
        "cluster" => cluster::Program::parse(input).map(|p| p.to_string()),
        "tree" => tree::Program::parse(input).map(|p| p.to_string()),
        _ => return Err(format!("no level `{level}`")),
    };
    Ok(verdict.unwrap_or_else(|e| format!("; error: {e}\n")))
}

/// The lines of both texts, those of one alone marked with `-` (expected) or `+` (found).
fn difference(expected: &str, found: &str) -> String {
    let (a, b): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), found.lines().collect());
    // common[i][j]: the most lines that a[i..] and b[j..] share in order.
    let mut common = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            common[i][j] =
                if a[i] == b[j] { common[i + 1][j + 1] + 1 } else { common[i + 1][j].max(common[i][j + 1]) };
        }
    }
    let (mut i, mut j, mut out) = (0, 0, String::new());
    while i < a.len() || j < b.len() {
        let (mark, line) = if i < a.len() && j < b.len() && a[i] == b[j] {
            (i, j) = (i + 1, j + 1);
            (' ', a[i - 1])
        } else if j == b.len() || i < a.len() && common[i + 1][j] >= common[i][j + 1] {
            i += 1;
            ('-', a[i - 1])
        } else {
            j += 1;
            ('+', b[j - 1])
        };
        let _ = writeln!(out, "{mark} {line}");
    }
    out
}
