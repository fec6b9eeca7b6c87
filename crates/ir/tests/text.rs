//! The textual form: what is printed reads back, and what is not a program is an error.

mod programs;

use programs::{cluster_program, stencil_program, tree_program};
use proptest::prelude::*;
use wavefold_ir::{cluster, stencil, tree};

type Read = fn(&str) -> Result<String, String>;

/// Reads a text at a level, verifies and prints it. Everything but a panic is fine.
macro_rules! reader {
    ($level:ident) => {
        |text: &str| {
            let p = $level::Program::parse(text).map_err(|e| e.to_string())?;
            let _ = p.verify();
            Ok(p.to_string())
        }
    };
}

const READERS: [Read; 3] = [reader!(stencil), reader!(cluster), reader!(tree)];

fn printed(level: usize, tape: &[u8]) -> String {
    match level {
        0 => stencil_program(tape).to_string(),
        1 => cluster_program(tape).to_string(),
        _ => tree_program(tape).to_string(),
    }
}

fn tape() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..600)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn printing_reads_back(level in 0..3usize, tape in tape()) {
        let text = printed(level, &tape);
        prop_assert_eq!(READERS[level](&text), Ok(text));
    }

    #[test]
    fn edits_never_panic(
        level in 0..3usize,
        tape in tape(),
        edits in proptest::collection::vec((any::<usize>(), any::<u8>(), 0..4u8), 1..8),
    ) {
        let mut bytes = printed(level, &tape).into_bytes();
        for (at, byte, kind) in edits {
            let at = at % bytes.len().max(1);
            match kind {
                0 => bytes.insert(at, byte),
                1 => { bytes.remove(at); }
                2 => bytes[at] = byte,
                // A piece of the program in another place.
                _ => { let piece = bytes[at..].iter().copied().take(byte.into()).collect::<Vec<u8>>(); bytes.extend(piece) }
            }
        }
        let _ = READERS[level](&String::from_utf8_lossy(&bytes));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 30, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn prefixes_never_panic(level in 0..3usize, tape in tape()) {
        let text = printed(level, &tape);
        for (at, _) in text.trim_end().char_indices() {
            prop_assert!(READERS[level](&text[..at]).is_err(), "a prefix is no program");
        }
        // Nor does a program of one level crash the readers of the others.
        READERS.iter().for_each(|read| { let _ = read(&text); });
    }

    #[test]
    fn huge_numbers_never_panic(level in 0..3usize, tape in tape()) {
        let text = printed(level, &tape);
        for huge in ["99999999999999999999999", "9223372036854775807", "4294967296", "0"] {
            for (at, _) in text.match_indices(|c: char| c.is_ascii_digit()) {
                let end = text[at..].find(|c: char| !c.is_ascii_digit()).map_or(text.len(), |n| at + n);
                let _ = READERS[level](&format!("{}{huge}{}", &text[..at], &text[end..]));
            }
        }
    }
}

fn stencil_of(value: &str) -> String {
    format!(
        "operator op f32 {{\n  dim x 9 spacing 1\n  field u buffered 2 halo 2\n  u[t+1, x] = {value}\n}}\n"
    )
}

#[test]
fn deep_nesting_is_an_error() {
    for open in ["(", "sin(", "max(1, ", "diff("] {
        let error = READERS[0](&stencil_of(&open.repeat(100_000))).unwrap_err();
        assert!(error.contains("expected less nesting"), "{error}");
    }
    for open in ["first { ", "every 2 { ", "for x { ", "tiles x by 4 { "] {
        let text = format!("operator op f32 {{ dim x 9 spacing 1 {}", open.repeat(100_000));
        let error = READERS[2](&text).unwrap_err();
        assert!(error.contains("expected less nesting"), "{error}");
    }
}

#[test]
fn numbers_out_of_range_are_errors() {
    let huge = "99999999999999999999";
    for text in [
        format!("operator op f32 {{\n  dim x {huge} spacing 1\n}}\n"),
        "operator op f32 {\n  dim x -1 spacing 1\n}\n".to_string(),
        format!("operator op f32 {{\n  dim x 9 spacing 1\n  field u buffered {huge} halo 2\n}}\n"),
        "operator op f32 {\n  dim x 9 spacing 1\n  field u buffered 0 halo 2\n}\n".to_string(),
        "operator op f32 {\n  dim x 9 spacing 1\n  field u saved 3 every 0 halo 2\n}\n".to_string(),
        stencil_of(&format!("u[t+{huge}, x]")),
        stencil_of("u[t+2147483648, x]"),
        stencil_of("u[t+1.5, x]"),
        stencil_of(&format!("u[t, x]^{huge}")),
        stencil_of("u[t, x]^2147483648"),
        stencil_of("diff(u[t, x], x, 256, order 2, centered)"),
        stencil_of("diff(u[t, x], x, 1, order 1000, centered)"),
        stencil_of("r4294967296"),
    ] {
        let error = READERS[0](&text).expect_err(&text);
        assert!(error.contains("expected"), "{error}");
    }
}

#[test]
fn errors_name_the_line_and_what_was_expected() {
    let read = |value: &str| READERS[0](&stencil_of(value)).unwrap_err();
    assert_eq!(read("v[t, x]"), "line 4: expected the name of a field before this, found `[`");
    assert_eq!(read("u[t, x"), "line 5: expected `]`, found `}`");
    assert_eq!(read("2 +"), "line 5: expected an expression, found `}`");
    assert_eq!(read("cosh(2)"), "line 5: expected a function instead of `cosh`, found `}`");
    assert_eq!(read("2 $ 3"), "line 4: `$` is no token");
    assert_eq!(
        READERS[0]("operator op f32 {").unwrap_err(),
        "line 1: expected `}`, found the end of the text"
    );
}
