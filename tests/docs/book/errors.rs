//! `docs/errors.md` has every code of the sources, and no other.

use super::blocks::spans;
use super::{repository, text};
use std::collections::BTreeMap;
use std::path::Path;

/// The codes in the sources of all crates, without those of tests.
fn in_sources() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(repository("crates")).expect("the crates") {
        collect(&entry.expect("an entry").path().join("src"), &mut found);
    }
    found
}

fn collect(path: &Path, found: &mut BTreeMap<String, String>) {
    if path.is_dir() {
        let entries = std::fs::read_dir(path).expect("a folder");
        entries.for_each(|entry| collect(&entry.expect("an entry").path(), found));
    } else if path.extension().is_some_and(|e| e == "rs") {
        let source = std::fs::read_to_string(path).expect("a source");
        let source = source.split("#[cfg(test)]").next().unwrap_or_default();
        let strings = source.split('"').filter(|s| is_code(s));
        found.extend(strings.map(|s| (s.to_string(), path.display().to_string())));
    }
}

/// Two words of small letters, such as `grid::empty`.
fn is_code(text: &str) -> bool {
    let word = |w: &str| {
        !w.is_empty() && w.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    text.split_once("::").is_some_and(|(area, what)| word(area) && word(what))
}

/// The codes of the page, each with its row.
fn on_page() -> Vec<(String, String)> {
    let code = |row: &str| spans(row.split('|').nth(1)?).into_iter().find(|s| is_code(s));
    let page = text("docs/errors.md");
    page.lines().filter(|l| l.starts_with("| `")).filter_map(|l| Some((code(l)?, l.to_string()))).collect()
}

#[test]
fn the_table_of_errors_is_complete() {
    let (sources, page) = (in_sources(), on_page());
    let named = |code: &str| page.iter().filter(|(c, _)| c == code).count();
    let missing: Vec<_> = sources.iter().filter(|(code, _)| named(code) == 0).collect();
    let gone: Vec<_> = page.iter().filter(|(code, _)| !sources.contains_key(code)).collect();
    let twice: Vec<_> = page.iter().filter(|(code, _)| named(code) > 1).collect();
    assert!(missing.is_empty(), "docs/errors.md lacks {missing:#?}");
    assert!(gone.is_empty(), "docs/errors.md has codes that no source has: {gone:#?}");
    assert!(twice.is_empty(), "docs/errors.md says twice {twice:#?}");
    assert!(sources.len() > 200, "only {} codes were found", sources.len());
}

#[test]
fn every_error_has_a_meaning_and_a_remedy() {
    for (code, row) in on_page() {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        assert!(cells.len() == 3 && cells.iter().all(|c| !c.is_empty()), "{code}: {row}");
    }
}

#[test]
fn sections_are_in_order() {
    let page = text("docs/errors.md");
    let mut last = String::new();
    for line in page.lines() {
        let code = line.strip_prefix("| `").and_then(|l| l.split('`').next()).filter(|c| is_code(c));
        match code {
            Some(code) => {
                assert!(last.as_str() < code, "`{code}` stands behind `{last}`");
                last = code.to_string();
            }
            None => last.clear(),
        }
    }
}

#[test]
fn codes_in_all_pages_are_real() {
    let sources = in_sources();
    // Modules of Rust look alike.
    let module = |code: &str| ["wavefold", "std::"].iter().any(|m| code.starts_with(m));
    for page in super::pages() {
        let text = std::fs::read_to_string(&page).expect("a page");
        for line in text.lines() {
            for code in spans(line).iter().filter(|s| is_code(s) && !module(s)) {
                assert!(sources.contains_key(code), "{}: no source has `{code}`", page.display());
            }
        }
    }
}
