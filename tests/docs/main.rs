//! The documents are true: what `docs/pipeline.md` shows is what the compiler prints, the programs of `docs/programs.md` are
//! those of `dsl-examples`, and what they point to exists.
//!
//! A fenced block after a marker line holds output of the compiler:
//! * `<!-- trace OPERATOR PASS -->` is the program after a pass, `<!-- body OPERATOR PASS -->` the same without its
//!   declarations;
//! * `<!-- equations OPERATOR -->`, `<!-- ccode OPERATOR -->` are what `println!("{op}")` and `op.ccode()` print;
//! * `<!-- clif OPERATOR FUNCTION BLOCK -->` is one basic block of a function of `op.clif()`, with 128-bit vectors;
//! * `<!-- row OPERATOR FUNCTION -->` is the loop of a row in 512-bit vectors;
//! * `<!-- file PATH -->` is a file of the repository.
//!
//! `WAVEFOLD_BLESS=1` rewrites the blocks.

mod links;
mod operators;

use operators::Operators;
use std::fmt::Write as _;
use std::path::PathBuf;

/// A file or folder of the repository.
fn repository(path: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).join(path)
}

#[test]
fn the_walk_through_the_pipeline_is_what_the_compiler_prints() {
    let operators = Operators::new().expect("the operators of the page");
    up_to_date("docs/pipeline.md", &|marker| operators.text(marker));
}

#[test]
fn the_programs_of_the_book_are_those_of_the_repository() {
    let file = |marker: &str| std::fs::read_to_string(repository(marker.strip_prefix("file ")?)).ok();
    up_to_date("docs/programs.md", &file);
}

/// The marked blocks of a page are what the markers ask for.
fn up_to_date(page_name: &str, text: &dyn Fn(&str) -> Option<String>) {
    let path = repository(page_name);
    let page = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{page_name}: {e}"));
    let fresh = renewed(&page, text);
    if std::env::var_os("WAVEFOLD_BLESS").is_some() {
        std::fs::write(&path, fresh).unwrap_or_else(|e| panic!("{page_name}: {e}"));
        return;
    }
    let stale = page.lines().zip(fresh.lines()).find(|(shown, now)| shown != now);
    assert!(
        page == fresh,
        "{page_name} shows something else than there is (WAVEFOLD_BLESS=1 renews it)\nfirst: {stale:?}"
    );
}

/// The page with every marked block as it is now.
fn renewed(page: &str, text: &dyn Fn(&str) -> Option<String>) -> String {
    let mut out = String::new();
    let mut lines = page.lines();
    let mut markers = 0;
    while let Some(line) = lines.next() {
        let _ = writeln!(out, "{line}");
        let Some(marker) = line.strip_prefix("<!-- ").and_then(|l| l.strip_suffix(" -->")) else { continue };
        let text = text(marker).unwrap_or_else(|| panic!("nothing is called `{marker}`"));
        let fence = lines.next().filter(|l| l.starts_with("```")).expect("a fence follows a marker");
        let closing = lines.by_ref().find(|l| *l == "```").expect("a closing fence");
        let _ = writeln!(out, "{fence}\n{}\n{closing}", text.trim_end());
        markers += 1;
    }
    assert!(markers > 10, "the page has only {markers} marked blocks");
    out
}

#[test]
fn links_and_paths_lead_somewhere() {
    let mut pages: Vec<PathBuf> = ["docs", "docs/examples"].into_iter().flat_map(pages_of).collect();
    pages.extend(["README.md", "dsl-examples/README.md"].map(repository).into_iter().filter(|p| p.exists()));
    pages.sort();
    let broken: Vec<String> = pages.iter().flat_map(|page| links::broken(page)).collect();
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn every_page_is_in_the_summary() {
    let summary = std::fs::read_to_string(repository("docs/SUMMARY.md")).expect("docs/SUMMARY.md");
    let root = repository("docs");
    for page in ["docs", "docs/examples"].into_iter().flat_map(pages_of) {
        let name = page.strip_prefix(&root).expect("a page of the book").to_str().expect("a name in UTF-8");
        let listed = summary.matches(&format!("({name})")).count();
        assert!(name == "SUMMARY.md" || listed == 1, "docs/SUMMARY.md lists {name} {listed} times");
    }
    for target in
        summary.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target)
    {
        assert!(root.join(target).is_file(), "docs/SUMMARY.md lists {target}, which is not there");
    }
    let book = std::fs::read_to_string(repository("book.toml")).expect("book.toml");
    assert!(book.lines().any(|l| l == "src = \"docs\""), "the pages of the book are those of docs");
}

/// The pages in a folder.
fn pages_of(folder: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(repository(folder)).unwrap_or_else(|e| panic!("{folder}: {e}"));
    let files = entries.map(|entry| entry.expect("an entry").path());
    files.filter(|path| path.extension().is_some_and(|e| e == "md")).collect()
}

#[test]
fn the_table_of_crates_is_that_of_the_manifests() {
    let page = std::fs::read_to_string(repository("docs/structure.md")).expect("docs/structure.md");
    let (_, table) = page.split_once("<!-- crates -->\n").expect("the table");
    let mut shown: Vec<(String, Vec<String>)> = table.lines().skip(2).map_while(row).collect();
    shown.sort();
    let mut found: Vec<(String, Vec<String>)> = std::fs::read_dir(repository("crates"))
        .expect("the folder of crates")
        .map(|entry| entry.expect("an entry").path())
        .filter_map(|path| {
            let manifest = std::fs::read_to_string(path.join("Cargo.toml")).ok()?;
            Some((path.file_name()?.to_str()?.to_string(), builds_on(&manifest)))
        })
        .collect();
    found.sort();
    assert_eq!(shown, found);
}

/// Folder, and the folders it builds on, of a row of the table.
fn row(line: &str) -> Option<(String, Vec<String>)> {
    let cells: Vec<&str> = line.strip_prefix('|')?.strip_suffix('|')?.split('|').collect();
    let names = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_string).collect::<Vec<_>>();
    Some((names(cells.first()?).pop()?, names(cells.last()?)))
}

/// Crates of the workspace among the dependencies of a manifest.
fn builds_on(manifest: &str) -> Vec<String> {
    let section = manifest.split("\n[").find(|s| s.starts_with("dependencies]")).unwrap_or_default();
    let name = |line: &str| line.split(['.', ' ', '=']).next().map(str::to_string);
    let mut names: Vec<String> = section
        .lines()
        .filter_map(name)
        .filter(|name| name == "wavefold" || name.starts_with("wavefold-"))
        .map(|name| name.strip_prefix("wavefold-").unwrap_or("wavefold").to_string())
        .collect();
    names.sort();
    names
}
