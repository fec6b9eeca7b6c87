//! Wrong programs in text: `text/NAME.wf` with the report of it in `text/NAME.snap`.
//!
//! Programs are run in a folder with some files, most of them damaged, see [`files`].

use std::path::Path;

use wavefold_text::{Failure, Options, format, parse_named};

fn folder() -> &'static str {
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/errors/text")
}

/// What `wavefold run NAME.wf` reports.
fn report(name: &str, source: &str, files: &Path) -> String {
    let options = Options {
        folder: files.into(),
        backend: Some(wavefold::prelude::Backend::Cranelift),
        threads: Some(1),
        ..Options::default()
    };
    let refused = parse_named(name, source).and_then(|p| p.run(&options));
    match refused {
        Ok(_) => "NOT REFUSED".into(),
        Err(failure) => rendered(&failure),
    }
}

fn rendered(failure: &Failure) -> String {
    let handler = miette::GraphicalReportHandler::new_themed(miette::GraphicalTheme::unicode_nocolor())
        .with_width(400)
        .with_wrap_lines(false)
        .without_cause_chain();
    let mut text = String::new();
    for report in failure.reports() {
        handler.render_report(&mut text, report.as_ref()).unwrap();
    }
    // Machines differ.
    match text.split_once("and this machine has ") {
        Some((before, after)) => {
            let after = after.split_once(" GB").map_or("", |(_, rest)| rest);
            format!("{before}and this machine has N GB{after}")
        }
        None => text,
    }
}

/// The head of a `.npy` file, and its values.
fn npy(kind: &str, shape: &str, values: &[u8]) -> Vec<u8> {
    let mut header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({shape}), }}");
    header.push_str(&" ".repeat((64 - (10 + header.len() + 1) % 64) % 64));
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(values);
    bytes
}

fn files(folder: &Path) {
    let ones = |n: usize| [1.0_f32; 64][..n].iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.join(name), bytes).unwrap();
    write("good.npy", &npy("<f4", "4, 4, ", &ones(16)));
    write("three.npy", &npy("<f4", "3, 3, ", &ones(9)));
    write("integers.npy", &npy("<i4", "2, ", &[0; 8]));
    write("broken.npy", b"\x93NUMPY, once");
    write("short.f32", &ones(15));
    write("words.csv", b"1, 2\n3, four\n");
    write("ragged.csv", b"1, 2\n3\n");
    write("other.wfh", b"no history");
    write("three.csv", b"1, 2, 3\n");
}

/// Every program has its report, and no report speaks Rust.
#[test]
fn wrong_programs() {
    let place = tempfile::tempdir().unwrap();
    files(place.path());
    let mut names: Vec<String> = std::fs::read_dir(folder())
        .unwrap()
        .filter_map(|e| e.unwrap().file_name().into_string().ok())
        .filter_map(|n| n.strip_suffix(".wf").map(str::to_string))
        .collect();
    names.sort();
    assert!(names.len() > 100, "{} programs", names.len());
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(folder());
    settings.set_omit_expression(true);
    settings.set_prepend_module_to_snapshot(false);
    for name in &names {
        let source = std::fs::read_to_string(Path::new(folder()).join(format!("{name}.wf"))).unwrap();
        let file = format!("{name}.wf");
        let text = report(&file, &source, place.path());
        for rust in ["()`", "&u", "Grid::", "::new", "eq(", ".build", "Some(", "`."] {
            assert!(!text.contains(rust), "{file} reports {rust:?}:\n{text}");
        }
        let path = place.path().to_string_lossy();
        assert!(!text.contains(&*path), "{file} names a folder of the test:\n{text}");
        settings.bind(|| insta::assert_snapshot!(name.as_str(), text));
    }
    let stale: Vec<_> = std::fs::read_dir(folder())
        .unwrap()
        .filter_map(|e| e.unwrap().file_name().into_string().ok())
        .filter(|n| n.strip_suffix(".snap").is_some_and(|n| !names.iter().any(|m| m == n)))
        .collect();
    assert!(stale.is_empty(), "reports without programs: {stale:?}");
}

/// Every code that these programs meet is met by a program whose first report it is, so that none hides behind another.
#[test]
fn reports_are_in_the_order_of_the_source() {
    let source = "let a = b\nlet c = d\nlet e = f\n";
    let failure = parse_named("several.wf", source).unwrap().check(&Options::default()).unwrap_err();
    let places: Vec<usize> = failure.diagnostics().iter().map(|d| d.labels[0].span.start).collect();
    assert_eq!(places, [8, 18, 28]);
}

/// A long program is refused at once, or read in seconds; and so are brackets without end.
#[test]
fn large_programs() {
    let start = std::time::Instant::now();
    let code = |source: &str| match parse_named("large.wf", source) {
        Ok(_) => String::new(),
        Err(f) => f.diagnostics()[0].code.clone(),
    };
    let lines = "let a = 1 + 2*3\n";
    assert_eq!(code(&lines.repeat(10_000_000 / lines.len())), "syntax::too_large");
    assert_eq!(code(&"$".repeat(10_000_000)), "syntax::too_large");
    assert_eq!(code(&lines.repeat(100_000)), "");
    for open in ["(", "[", "{", "sin(", "not ", "-", "operator a { when u > 0 {", "repeat i from 0 to 1 {"] {
        let deep = format!("let a = {}1", open.repeat(100_000));
        let code = code(&deep);
        assert!(code.starts_with("syntax::"), "{open}: {code}");
        assert!(format(&deep).is_err(), "{open}");
    }
    // Chains are no deeper than their brackets.
    let chains = [
        format!("let a = 1{}", " + 1".repeat(100_000)),
        format!("let a = 1{}", "*1".repeat(100_000)),
        format!("let a = {}", "1, ".repeat(100_000)),
        format!("let a = 2{}", "^2".repeat(100_000)),
        format!("grid g {{ shape 4 }}\ntime u on g\nlet a = u{}", ".forward".repeat(100_000)),
        format!("grid g {{ shape 4 }}\ntime u on g\noperator a {{ u.forward = u{} }}", " + u".repeat(20_000)),
        format!("grid g {{ shape 4 }}\ntime u on g\noperator a {{ u.forward = u{} }}", "*u".repeat(20_000)),
        format!("grid g {{ shape 4 }}\ntime u on g\noperator a {{ u.forward = u{} }}", ".dx".repeat(2_000)),
    ];
    for source in &chains {
        if let Ok(program) = parse_named("chain.wf", source) {
            let _ = program.check(&Options::default());
        }
    }
    assert!(start.elapsed().as_secs() < 240, "{:?}", start.elapsed());
}
