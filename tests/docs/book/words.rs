//! `docs/wf.md` and the grammar for editors name the words of the language, all of them and no other.

use super::blocks::{blocks, names, spans, table};
use super::text;
use std::collections::BTreeSet;
use wavefold_text::{Options, parse, vocabulary};

fn set(words: impl IntoIterator<Item = impl Into<String>>) -> BTreeSet<String> {
    words.into_iter().map(Into::into).collect()
}

/// Names before a bracket or a blank: `sin(e)` is `sin`.
fn heads(words: Vec<String>) -> BTreeSet<String> {
    set(words.iter().map(|w| w.split(['(', ' ']).next().unwrap_or_default()))
}

fn keywords() -> BTreeSet<String> {
    set(vocabulary::KEYWORDS.iter().map(|(text, _)| *text))
}

#[test]
fn the_page_names_the_words_of_the_language() {
    let page = text("docs/wf.md");
    assert_eq!(set(names(&page, "keywords")), keywords());
    assert_eq!(set(names(&page, "setting words")), set(vocabulary::SETTINGS.iter().copied()));
    assert_eq!(set(names(&page, "values")), set(vocabulary::VALUES.iter().copied()));
    assert_eq!(heads(names(&page, "functions")), set(vocabulary::FUNCTIONS.iter().copied()));
    assert_eq!(heads(names(&page, "arguments of a run")), {
        let mut all = set(vocabulary::ARGUMENTS.iter().copied());
        all.insert("with".into());
        all
    });
    let members: BTreeSet<String> =
        names(&page, "members").iter().map(|m| m.split('(').next().unwrap_or_default().into()).collect();
    let missing: Vec<_> = vocabulary::MEMBERS.iter().filter(|m| !members.contains(**m)).collect();
    assert!(missing.is_empty(), "members {missing:?}");
}

/// The settings that a declaration has, which it tells when it gets another.
fn settings_of(declaration: &str) -> BTreeSet<String> {
    let source = format!("grid g {{ shape 5 5 }}\n{declaration}");
    let program = parse(&source).unwrap_or_else(|e| panic!("{source}: {e}"));
    let e = program.check(&Options::default()).expect_err("a setting too many");
    let d = e
        .diagnostics()
        .iter()
        .find(|d| d.code == "setting::unknown")
        .unwrap_or_else(|| panic!("{source}: {e}"));
    let help = d.help.clone().unwrap_or_default();
    let (_, list) = help.rsplit_once("here are ").unwrap_or_else(|| panic!("{help}"));
    set(list.split(", "))
}

#[test]
fn the_page_names_every_setting_of_every_declaration() {
    let page = text("docs/wf.md");
    for (marker, declaration) in [
        ("grid", "grid h { shape 2 2 count 1 }"),
        ("points", "points p on g at 1 1 shape 3"),
        ("series", "series s on g steps 3 shape 3"),
        ("part", "part q on g left x 1 shape 3"),
    ] {
        let named = heads(names(&page, &format!("settings of {marker}")));
        assert_eq!(named, settings_of(declaration), "{marker}");
    }
    let rows = table(&page, "settings of functions");
    for kind in ["function", "time", "vector", "tensor", "time vector", "time tensor"] {
        let of_kind = rows.iter().filter(|row| spans(&row[1]).iter().any(|k| k == kind));
        let named = heads(of_kind.flat_map(|row| spans(&row[0])).collect());
        assert_eq!(named, settings_of(&format!("{kind} f on g shape 3")), "{kind}");
    }
}

#[test]
fn the_grammar_has_the_tokens_of_the_parser() {
    let page = text("docs/wf.md");
    let all = blocks(&page);
    let ebnf = all.iter().find(|b| b.language == "ebnf").expect("a grammar");
    let terminals: BTreeSet<String> = ebnf.text.split('"').skip(1).step_by(2).map(str::to_string).collect();
    let source = text("crates/text/src/grammar.lalrpop");
    let (_, tokens) = source.split_once("enum Token").expect("the tokens");
    let (tokens, rules) = tokens.split_once("\n    }\n}").expect("the end of the tokens");
    let mut expected: BTreeSet<String> = tokens.split('"').skip(1).step_by(2).map(str::to_string).collect();
    // Classes of tokens have rules of their own.
    for class in ["name", "word", "number", "text"] {
        assert!(expected.remove(class), "{class}");
    }
    assert_eq!(terminals, expected);
    // Every rule is defined once and used; the first is the program.
    let defined: Vec<&str> =
        ebnf.text.lines().filter_map(|l| l.split_once(" = ")).map(|(n, _)| n.trim()).collect();
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let quoted: String = ebnf.text.split('"').step_by(2).collect::<Vec<_>>().join(" ");
    let used: BTreeSet<&str> = quoted.split(|c| !word(c)).filter(|w| !w.is_empty()).collect();
    // Names of tokens are written large.
    let (tokens, used): (Vec<&str>, Vec<&str>) = used.into_iter().partition(|w| w.to_uppercase() == **w);
    assert_eq!(tokens, ["NAME", "NUMBER", "SETTING_WORD", "TEXT"]);
    assert_eq!(set(defined.iter().copied()), set(used), "rules");
    assert_eq!(defined.len(), set(defined.iter().copied()).len(), "a rule is defined twice");
    for rule in defined.iter().skip(1) {
        let uses = ebnf.text.split(|c| !word(c)).filter(|w| w == rule).count();
        assert!(uses > 1, "`{rule}` is never used");
    }
    // Keywords that begin statements and equations do so in both.
    for keyword in keywords() {
        assert!(rules.contains(&format!("\"{keyword}\"")), "{keyword}");
    }
}

#[test]
fn the_grammar_for_editors_knows_every_word() {
    let grammar: serde_json::Value =
        serde_json::from_str(&text("docs/editors/wavefold.tmLanguage.json")).expect("JSON");
    assert_eq!(grammar["scopeName"], "source.wavefold");
    let words_of = |name: &str| -> BTreeSet<String> {
        let pattern = grammar["repository"][name]["match"].as_str().unwrap_or_else(|| panic!("{name}"));
        let (_, rest) = pattern.split_once("\\b(").unwrap_or_else(|| panic!("{pattern}"));
        set(rest.split(')').next().unwrap_or_default().split('|'))
    };
    assert_eq!(words_of("keywords"), keywords());
    assert_eq!(words_of("settings"), set(vocabulary::SETTINGS.iter().copied()));
    assert_eq!(words_of("functions"), set(vocabulary::FUNCTIONS.iter().copied()));
    assert_eq!(words_of("values"), set(vocabulary::VALUES.iter().copied()));
    assert_eq!(words_of("members"), set(vocabulary::MEMBERS.iter().copied()));
    let extension: serde_json::Value =
        serde_json::from_str(&text("docs/editors/package.json")).expect("JSON");
    let path = extension["contributes"]["grammars"][0]["path"].as_str().expect("a path");
    assert!(super::repository("docs/editors").join(path).is_file());
    let language = extension["contributes"]["languages"][0]["configuration"].as_str().expect("a path");
    serde_json::from_str::<serde_json::Value>(&text(&format!("docs/editors/{language}"))).expect("JSON");
}

#[test]
fn limits_are_where_the_page_says() {
    let page = text("docs/limits.md");
    let (mib, deep) = (wavefold_text::lexer::MAX_BYTES >> 20, wavefold_text::lexer::MAX_DEPTH);
    assert!(page.contains(&format!("{mib} MiB, brackets {deep} deep")));
    assert!(page.contains(&format!("| threads | {} |", wavefold::runtime::threads::LIMIT)));
    let codes = |source: &str| -> Vec<String> {
        let source = format!("grid g {{ shape 150 140 }}\ntime u on g\n{source}");
        match parse(&source).and_then(|p| p.run(&Options::default())) {
            Ok(_) => vec![],
            Err(e) => e.diagnostics().iter().map(|d| d.code.clone()).collect(),
        }
    };
    // What is just allowed, what is not, and the code of the table.
    for (allowed, refused, code) in [
        ("grid h { shape 2 2 2 }", "grid h { shape 2 2 2 2 }", "grid::rank"),
        ("time v on g order 64", "time v on g order 66", "function::space_order"),
        ("time v on g time_order 2", "time v on g time_order 3", "function::time_order"),
        ("time w on g order 16\nprint w.dx16", "time w on g order 16\nprint w.dx17", "value::member"),
        (
            "time v on g save 2 compress quantize 24",
            "time v on g save 2 compress quantize 25",
            "compress::nbits_range",
        ),
        (
            "time v on g save 2 compress wavelet 1",
            "time v on g save 2 compress wavelet 2",
            "compress::compscale_range",
        ),
        (
            "points p on g at 9 9 interpolation sinc 10",
            "points p on g at 9 9 interpolation sinc 11",
            "sparse::radius",
        ),
        (
            "operator o { repeat i from 1 to 1000 { u.forward = i } }",
            "operator o { repeat i from 1 to 1001 { u.forward = i } }",
            "repeat::range",
        ),
        (
            "operator o { u.forward = u }\nrun o time_M = 1 threads = 1",
            "operator o { u.forward = u }\nrun o time_M = 1 threads = 1025",
            "threads::count",
        ),
    ] {
        assert_eq!(codes(allowed), Vec::<String>::new(), "{allowed}");
        assert_eq!(codes(refused), [code], "{refused}");
        assert!(page.contains(&format!("`{code}`")), "docs/limits.md lacks {code}");
    }
}
