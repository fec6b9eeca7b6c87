//! The programs of `dsl-examples`: each runs on both backends, which agree, its assertions hold, its layout is that of
//! `wavefold fmt`, and the book shows what it prints.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use wavefold_operator::Backend;
use wavefold_runtime::{Data, FieldData};
use wavefold_symbolic::{Equation, Function, TimeFunction};
use wavefold_text::{Options, Report, format, parse_named};

/// A test for each program, and their names.
macro_rules! programs {
    ($($name:ident),* $(,)?) => {
        const PROGRAMS: &[&str] = &[$(stringify!($name)),*];
        $(
            #[test]
            fn $name() {
                check(stringify!($name));
            }
        )*
    };
}

programs!(
    acoustic2d,
    acoustic3d,
    burgers,
    cavity,
    convection,
    elastic,
    gradient,
    gray_scott,
    heat,
    maxwell,
    model3d,
    notebook,
    packet,
    ripples,
    shallow_water,
    string,
    timestep,
    tti,
    variable_density,
    viscoacoustic,
    vti,
);

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

fn read(path: &str) -> String {
    std::fs::read_to_string(repository(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

#[test]
fn every_program_has_a_test_and_a_row_and_a_section() {
    let folder = std::fs::read_dir(repository("dsl-examples")).expect("the folder of programs");
    let found: BTreeSet<String> = folder
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name in UTF-8"))
        .filter_map(|name| name.strip_suffix(".wf").map(str::to_string))
        .collect();
    assert_eq!(found, PROGRAMS.iter().map(|p| (*p).to_string()).collect());
    let (table, book) = (read("dsl-examples/README.md"), read("docs/programs.md"));
    for name in PROGRAMS {
        assert!(
            table.contains(&format!("| [{name}.wf]({name}.wf) |")),
            "dsl-examples/README.md lacks {name}.wf"
        );
        assert!(
            book.contains(&format!("<!-- file dsl-examples/{name}.wf -->")),
            "docs/programs.md lacks {name}.wf"
        );
    }
}

fn check(name: &str) {
    let source = read(&format!("dsl-examples/{name}.wf"));
    assert!(source.starts_with("# "), "{name}.wf does not say what it is");
    laid_out(name, &source);
    let cranelift = run(name, &source, Backend::Cranelift);
    // One thread: next to other tests, threads that wait for each other take the time of those that work.
    let c = run(name, &source, Backend::C);
    assert!(cranelift.asserts > 0, "{name}.wf asserts nothing");
    assert_eq!(cranelift.asserts, c.asserts);
    same_lines(&format!("{name}.wf on two backends"), &cranelift.printed, &c.printed);
    same_fields(name, &cranelift, &c);
    same_lines(&format!("docs/programs.md, {name}.wf"), &shown(name), &cranelift.printed);
}

/// The layout is that of the formatter, whatever the indentation was, and means the same.
fn laid_out(name: &str, source: &str) {
    let formatted = format(source).expect("a program");
    assert_eq!(formatted, source, "{name}.wf is not laid out");
    let ragged: String = source.lines().map(|line| format!("\t{}  \n", line.trim_start())).collect();
    let again = format(&ragged).expect("a program still");
    assert_eq!(again, source, "{name}.wf is laid out differently without its indentation");
    assert_eq!(tree(name, &again), tree(name, &ragged), "{name}.wf means something else when it is laid out");
}

/// The statements without their places.
fn tree(name: &str, source: &str) -> String {
    let text = format!("{:?}", parse_named(name, source).expect("a program").statements());
    let mut parts = text.split("Span { start: ");
    let first = parts.next().unwrap_or_default().to_string();
    parts.fold(first, |all, part| all + part.split_once('}').map_or(part, |(_, rest)| rest))
}

/// Runs a program in a folder of its own, where it leaves what it says that it wrote.
fn run(name: &str, source: &str, backend: Backend) -> Report {
    let folder = tempfile::tempdir().expect("a folder");
    let options = Options {
        backend: Some(backend),
        threads: Some(1),
        folder: folder.path().to_path_buf(),
        ..Options::default()
    };
    let program = parse_named(&format!("{name}.wf"), source).expect("a program");
    let report = program.run(&options).unwrap_or_else(|e| panic!("{name}.wf on {backend}: {e:?}"));
    let written: BTreeSet<PathBuf> = report.written.iter().cloned().collect();
    assert_eq!(files(folder.path()), written, "{name}.wf leaves other files than it names");
    for path in written {
        let bytes = std::fs::read(&path).expect("what was written");
        assert!(bytes.starts_with(b"\x89PNG") && bytes.len() > 500, "{} is no picture", path.display());
        assert!(path.starts_with(folder.path().join("out")), "{} is not in `out`", path.display());
    }
    report
}

/// All files below a folder.
fn files(folder: &Path) -> BTreeSet<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|e| e.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { BTreeSet::from([path]) }).collect()
}

/// Lines of the same words, and of numbers that differ by rounding only: at most a hundredth, or both next to nothing.
fn same_lines(what: &str, a: &[String], b: &[String]) {
    let words = |lines: &[String]| -> Vec<String> {
        lines
            .iter()
            .flat_map(|l| l.split_whitespace().map(str::to_string).chain(["\n".to_string()]))
            .collect()
    };
    let (a, b) = (words(a), words(b));
    assert_eq!(a.len(), b.len(), "{what}: {a:?} and {b:?}");
    for (v, w) in a.iter().zip(&b) {
        match (v.trim_end_matches(',').parse::<f64>(), w.trim_end_matches(',').parse::<f64>()) {
            (Ok(v), Ok(w)) => {
                let near = (v - w).abs() <= 0.01 * v.abs().max(w.abs()) || v.abs().max(w.abs()) < 1e-5;
                assert!(near, "{what}: {v} and {w}");
            }
            _ => assert_eq!(v, w, "{what}"),
        }
    }
}

/// Whatever the operators wrote is the same but for rounding.
fn same_fields(name: &str, a: &Report, b: &Report) {
    assert_eq!(a.operators.len(), b.operators.len());
    for ((operator, a), (_, b)) in a.operators.iter().zip(&b.operators) {
        let (a, b) = (a.equations(), b.equations());
        for (a, b) in a.iter().flat_map(Equation::flatten).zip(b.iter().flat_map(Equation::flatten)) {
            let (Some((field, a)), Some((_, b))) = (written(&a), written(&b)) else { continue };
            let distance: f64 = a.iter().zip(b.iter()).map(|(v, w)| (v - w).powi(2)).sum::<f64>().sqrt();
            assert!(a.shape() == b.shape() && a.norm().is_finite());
            assert!(
                distance <= 1e-3 * a.norm(),
                "{name}.wf: `{field}` of `{operator}` differs by {distance}"
            );
        }
    }
}

/// What an equation writes, unless it is compressed, and the values there now.
fn written(e: &Equation) -> Option<(String, Data)> {
    let target = e.target()?.as_access()?.function.clone();
    if target.compression().is_some() || target.is_temporary() {
        return None;
    }
    let data = match (TimeFunction::from_function(&target), Function::from_function(&target)) {
        (Some(f), _) => f.data(),
        (_, Some(f)) => f.data(),
        _ => return None,
    };
    Some((target.name().to_string(), data.expect("what was written")))
}

/// What the book says that a program prints: what follows the command that runs it.
fn shown(name: &str) -> Vec<String> {
    let book = read("docs/programs.md");
    let command = format!("$ wavefold run dsl-examples/{name}.wf\n");
    let (_, after) =
        book.split_once(&command).unwrap_or_else(|| panic!("docs/programs.md does not run {name}.wf"));
    let (lines, _) = after.split_once("```").expect("the end of the block");
    lines.lines().map(str::to_string).collect()
}
