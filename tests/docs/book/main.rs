//! The book is true: its programs run, its commands run with the built `wavefold`, the output it shows is real, and its tables
//! name exactly what there is.
//!
//! Pages are Markdown. What a fenced block is follows from its language, and from a marker line right before it:
//! * `wf` is a whole program, which runs. After `<!-- file NAME.wf -->` it is also a file for the commands of the page, after
//!   `<!-- continues -->` it goes on with the program before it, after `<!-- wrong CODE.. -->` or `<!-- file NAME.wf wrong
//!   CODE.. -->` it fails with these codes.
//! * `sh` holds commands. Those of `wavefold` run in a folder with a copy of `dsl-examples` and the files of the page; sizes
//!   of `bench` are made small. After `<!-- fails -->` they must end with status 1. Others must be known here.
//! * `console` holds commands behind a `$`, with their output; they must be known.
//! * after `<!-- output ARGUMENTS -->` a block is what `wavefold ARGUMENTS` prints; `WAVEFOLD_BLESS=1` renews it;
//! * after `<!-- excerpt ARGUMENTS -->` its lines are some of those, in their order;
//! * after `<!-- summary ARGUMENTS -->` it is the same but for numbers that depend on the machine.

mod blocks;
mod commands;
mod errors;
mod porting;
mod sandbox;
mod words;

use blocks::{Block, blocks};
use sandbox::Sandbox;
use std::path::{Path, PathBuf};

/// A file or folder of the repository.
fn repository(path: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).join(path)
}

/// The text of a file of the repository.
fn text(path: &str) -> String {
    std::fs::read_to_string(repository(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// All pages of the book, and what leads to them.
fn pages() -> Vec<PathBuf> {
    let mut pages = vec![repository("README.md")];
    for folder in ["docs", "docs/examples"] {
        let entries = std::fs::read_dir(repository(folder)).unwrap_or_else(|e| panic!("{folder}: {e}"));
        let files = entries.map(|entry| entry.expect("an entry").path());
        pages.extend(files.filter(|path| path.extension().is_some_and(|e| e == "md")));
    }
    pages.sort();
    pages
}

#[test]
fn programs_commands_and_output_of_every_page_are_real() {
    let (pages, bless) = (pages(), std::env::var_os("WAVEFOLD_BLESS").is_some());
    let wrong: Vec<String> = std::thread::scope(|scope| {
        // Pages differ in what they take; two threads share them.
        let half = |which: usize| {
            let mine: Vec<&PathBuf> = pages.iter().skip(which).step_by(2).collect();
            move || mine.into_iter().flat_map(|page| check(page, bless)).collect::<Vec<String>>()
        };
        let threads = [scope.spawn(half(0)), scope.spawn(half(1))];
        threads.into_iter().flat_map(|t| t.join().expect("a page")).collect()
    });
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// What is wrong with the blocks of a page; what it shows of output may be renewed.
fn check(path: &Path, bless: bool) -> Vec<String> {
    let page = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let mut sandbox = Sandbox::new();
    let mut wrong = vec![];
    let mut fresh = page.clone();
    for block in blocks(&page) {
        match sandbox.check(&block) {
            Ok(()) => {}
            Err(e) => match e.output {
                Some(real) if bless => fresh = renewed(&fresh, &block, &real),
                _ => wrong.push(format!("{name}:{}: {}", block.line, e.message)),
            },
        }
    }
    if fresh != page {
        std::fs::write(path, fresh).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    }
    wrong
}

/// The page with other text in one block.
fn renewed(page: &str, block: &Block, real: &str) -> String {
    let marker = format!("<!-- {} -->\n```{}\n", block.marker, block.language);
    let Some(start) = page.find(&marker).map(|n| n + marker.len()) else { return page.into() };
    // The fence that closes the block is the first line from here that is one; the block may be empty.
    let end = page[start - 1..].find("\n```").map_or(page.len(), |n| start + n);
    format!("{}{}\n{}", &page[..start], real.trim_end(), &page[end..])
}

#[test]
fn the_picture_of_the_codecs_is_made_from_their_table() {
    let done =
        std::process::Command::new("bash").arg("docs/measure/plot.sh").current_dir(repository(".")).output();
    let done = done.expect("the script starts");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let picture = String::from_utf8(done.stdout).expect("text");
    let page = text("docs/compression.md");
    let rows = page.lines().filter(|l| l.contains(" | c | ") && l.contains("e-")).count();
    assert!(rows > 0 && picture.matches("<circle").count() == rows, "{rows} rows\n{picture}");
    let shown = text("docs/images/marmousi.svg");
    assert!(shown == picture, "draw it anew: docs/measure/plot.sh > docs/images/marmousi.svg");
}

#[test]
fn a_false_page_is_found_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let wrong = |text: &str| {
        let path = folder.path().join("page.md");
        std::fs::write(&path, text).expect("a page");
        check(&path, false).len()
    };
    assert_eq!(wrong("```wf\nassert 1 < 2\n```\n"), 0);
    assert_eq!(wrong("```wf\nassert 2 < 1\n```\n"), 1);
    assert_eq!(wrong("<!-- wrong assert::failed -->\n```wf\nassert 2 < 1\n```\n"), 0);
    assert_eq!(wrong("<!-- wrong name::unknown -->\n```wf\nassert 2 < 1\n```\n"), 1);
    assert_eq!(wrong("```sh\nwavefold check no.wf\n```\n"), 1);
    assert_eq!(wrong("<!-- fails -->\n```sh\nwavefold check no.wf\n```\n"), 0);
    assert_eq!(wrong("```sh\nwavefold --version\n```\n```sh\nfly me\n```\n"), 1);
    let program = "<!-- file a.wf -->\n```wf\nprint 1 + 1\n```\n";
    assert_eq!(wrong(&format!("{program}<!-- output run a.wf -->\n```text\n2\n```\n")), 0);
    assert_eq!(wrong(&format!("{program}<!-- output run a.wf -->\n```text\n3\n```\n")), 1);
    assert_eq!(wrong(&format!("{program}<!-- excerpt run a.wf -->\n```text\n3\n```\n")), 1);
    assert_eq!(wrong(&format!("{program}<!-- summary run a.wf -->\n```text\n3\n```\n")), 0);
    let steps = "<!-- file s.wf -->\n```wf\ngrid g { shape 4 }\ntime u on g\noperator o { u.forward = u }\n\
                 run o time_M = 2\n```\n<!-- summary run s.wf --backend cranelift --threads 1 -->\n```text\n";
    let summary = |n: usize| {
        format!(
            "{steps}o: {n} steps (0..=2) of 4 points in 0.1 s on 1 thread (cranelift)\n  0.1 GPts/s, 0.1 GB/s at 8 B/point, \
             0.0 GFlops/s at 0 flops/point; lowered in 1 ms, compiled in 2 ms\n```\n"
        )
    };
    assert_eq!((wrong(&summary(3)), wrong(&summary(4))), (0, 1));
    assert_eq!(wrong("<!-- output run a.wf -->\n```text\n3\n```\n"), 1);
    let path = folder.path().join("page.md");
    for stale in ["", "3\n", "3\n4\n"] {
        let shown = format!(
            "{program}<!-- output run a.wf -->\n```text\n{stale}```\nbehind\n```sh\nwavefold -V\n```\n"
        );
        std::fs::write(&path, shown).expect("a page");
        assert!(check(&path, true).is_empty());
        let fresh = std::fs::read_to_string(&path).expect("a page");
        assert!(fresh.ends_with("-->\n```text\n2\n```\nbehind\n```sh\nwavefold -V\n```\n"), "{fresh}");
    }
}
