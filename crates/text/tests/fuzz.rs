//! Damaged programs: tokens left out, doubled, exchanged, replaced, and bytes at random, made from all programs of the
//! repository, right and wrong. Nothing may panic or hang, and what is laid out must be the same program.
//!
//! `WAVEFOLD_FUZZ=100000` sets the number of programs; `fuzz/` has the same for cargo-fuzz.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use wavefold_text::lexer::{Token, lex};
use wavefold_text::{Options, format, parse};

mod rng {
    /// A generator whose numbers depend on nothing but the seed (Steele, Lea and Flood 2014).
    pub struct SplitMix(pub u64);

    impl SplitMix {
        pub fn next(&mut self) -> u64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        }

        pub fn below(&mut self, n: usize) -> usize {
            (self.next() % n.max(1) as u64) as usize
        }
    }
}
use rng::SplitMix;

fn programs(folder: &Path, out: &mut Vec<String>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut paths: Vec<PathBuf> = entries.filter_map(|e| Some(e.ok()?.path())).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            programs(&path, out);
        } else if path.extension().is_some_and(|e| e == "wf") {
            out.extend(std::fs::read_to_string(path));
        }
    }
}

fn corpus() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut all = vec![];
    for folder in ["dsl-examples", "tests/errors/text", "crates/cli/src/program"] {
        programs(&root.join(folder), &mut all);
    }
    assert!(all.len() > 100, "{} programs", all.len());
    all
}

/// The texts of all tokens.
fn tokens(source: &str) -> Vec<&str> {
    lex(source).0.iter().map(|(start, _, end)| &source[*start..*end]).collect()
}

/// A program with some damage.
fn damaged(corpus: &[String], random: &mut SplitMix) -> String {
    let source = &corpus[random.below(corpus.len())];
    if random.below(5) == 0 {
        return damaged_bytes(source, random);
    }
    let mut list = tokens(source);
    for _ in 0..1 + random.below(4) {
        let at = random.below(list.len());
        match random.below(6) {
            _ if list.is_empty() => break,
            0 => drop(list.remove(at)),
            1 => list.insert(at, list[at]),
            2 => {
                let other = random.below(list.len());
                list.swap(at, other);
            }
            3 => {
                let other = tokens(&corpus[random.below(corpus.len())]);
                if !other.is_empty() {
                    list[at] = other[random.below(other.len())];
                }
            }
            4 => {
                let extra =
                    ["(", ")", "{", "}", "[", "]", ".", ",", "=", "-", "at", "0", "1e308", "-1", "u", "\"\""];
                list.insert(at, extra[random.below(extra.len())]);
            }
            _ => list.truncate(at),
        }
    }
    // Comments end with their line.
    list.iter().map(|t| if t.starts_with('#') { format!("{t}\n") } else { format!("{t} ") }).collect()
}

fn damaged_bytes(source: &str, random: &mut SplitMix) -> String {
    let mut bytes = source.as_bytes().to_vec();
    for _ in 0..1 + random.below(8) {
        let at = random.below(bytes.len());
        match random.below(3) {
            _ if bytes.is_empty() => break,
            0 => bytes[at] = random.next() as u8,
            1 => bytes.insert(at, random.next() as u8),
            _ => drop(bytes.remove(at)),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Whether a program is small enough to be resolved: it allocates nothing while it is checked, but loops of the compiler
/// grow with what it says.
fn resolved(source: &str) {
    let Ok(program) = parse(source) else { return };
    let _ = program.check(&Options { folder: "/nonexistent".into(), ..Options::default() });
}

/// The tokens that have a meaning.
fn meaning(source: &str) -> Vec<String> {
    let kept = |token: &Token| !matches!(token, Token::Comment(_));
    lex(source)
        .0
        .iter()
        .filter(|(_, token, _)| kept(token))
        .map(|(_, token, _)| format!("{token:?}"))
        .collect()
}

fn laid_out(source: &str) {
    let Ok(once) = format(source) else { return };
    assert_eq!(meaning(source), meaning(&once), "the layout of\n{source}\nis\n{once}");
    let (a, b) = (parse(source), parse(&once));
    let shape = |p: &wavefold_text::Program| without_places(&format!("{:?}", p.statements()));
    match (a, b) {
        (Ok(a), Ok(b)) => assert_eq!(shape(&a), shape(&b), "the layout of\n{source}\nis\n{once}"),
        (a, b) => assert_eq!(a.is_ok(), b.is_ok(), "the layout of\n{source}\nis\n{once}"),
    }
    let twice = format(&once).expect("it was laid out");
    assert_eq!(once, twice, "laying out twice changes\n{source}");
}

/// A tree as text, without the places in the source.
fn without_places(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("Span {") {
        out += &rest[..at];
        let end = rest[at..].find('}').map_or(rest.len(), |end| at + end + 1);
        rest = &rest[end..];
    }
    out + rest
}

#[test]
fn damaged_programs_are_read_resolved_and_laid_out() {
    let corpus = corpus();
    let count = std::env::var("WAVEFOLD_FUZZ").ok().and_then(|n| n.parse().ok()).unwrap_or(6000);
    let mut worst = (Duration::ZERO, String::new());
    for seed in 0..count {
        let mut random = SplitMix(seed);
        let source = damaged(&corpus, &mut random);
        let start = Instant::now();
        let done = std::panic::catch_unwind(|| {
            laid_out(&source);
            resolved(&source);
        });
        if let Err(panic) = done {
            eprintln!("seed {seed}:\n{source}");
            std::panic::resume_unwind(panic);
        }
        worst = worst.max((start.elapsed(), source));
    }
    assert!(worst.0 < Duration::from_secs(10), "{:?} for\n{}", worst.0, worst.1);
}

/// What is laid out keeps its meaning, for every program of the repository.
#[test]
fn all_programs_are_laid_out() {
    corpus().iter().for_each(|source| laid_out(source));
}

/// Random bytes and random tokens.
#[test]
fn noise() {
    let corpus = corpus();
    let words: Vec<&str> = corpus.iter().flat_map(|s| tokens(s)).collect();
    for seed in 0..3000 {
        let mut random = SplitMix(seed);
        let n = random.below(200);
        let bytes: Vec<u8> = (0..n).map(|_| random.next() as u8).collect();
        let noise = String::from_utf8_lossy(&bytes).into_owned();
        let text: String =
            (0..n / 4).map(|_| [words[random.below(words.len())], " ", "\n"][random.below(3)]).collect();
        for source in [noise, text] {
            laid_out(&source);
            resolved(&source);
        }
    }
}
