//! What a page points to.

use super::repository;
use std::path::Path;

/// First parts of the paths that pages name in code spans.
const ROOTS: [&str; 6] = ["crates", "tests", "docs", "runtime-c", "dsl-examples", ".ci"];

/// One line for everything that a page points to and that is not there.
pub fn broken(page: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(page).unwrap_or_else(|e| panic!("{}: {e}", page.display()));
    let mut broken = Vec::new();
    let mut fenced = false;
    for (i, line) in text.lines().enumerate() {
        fenced ^= line.starts_with("```");
        if fenced {
            continue;
        }
        let links = targets(line).filter(|target| !leads_somewhere(page, &text, target));
        let paths = spans(line).filter(|span| is_path(span) && !repository(span).exists());
        for what in links.chain(paths) {
            broken.push(format!("{}:{}: {what}", page.display(), i + 1));
        }
    }
    broken
}

/// The targets of `[text](target)`.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target)
}

/// The code spans of a line.
fn spans(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

fn is_path(span: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    span.split_once('/').is_some_and(|(root, _)| ROOTS.contains(&root)) && span.chars().all(plain)
}

fn leads_somewhere(page: &Path, text: &str, target: &str) -> bool {
    if target.contains("://") {
        return true;
    }
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let file = page.parent().unwrap_or(Path::new(".")).join(path);
    if path.is_empty() {
        return has_heading(text, anchor);
    }
    match std::fs::read_to_string(&file) {
        Ok(other) => anchor.is_empty() || has_heading(&other, anchor),
        Err(_) => file.is_dir() || (file.exists() && anchor.is_empty()),
    }
}

fn has_heading(text: &str, anchor: &str) -> bool {
    text.lines()
        .filter(|line| line.starts_with('#'))
        .any(|line| slug(line.trim_start_matches('#').trim()) == anchor)
}

/// The anchor of a heading: lower case, blanks to hyphens, other punctuation left out.
fn slug(heading: &str) -> String {
    let keep = |c: &char| c.is_alphanumeric() || *c == '-' || *c == ' ' || *c == '_';
    heading.to_lowercase().chars().filter(keep).map(|c| if c == ' ' { '-' } else { c }).collect()
}
