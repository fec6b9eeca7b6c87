//! What is wrong with a program, and where.

use std::fmt;

use crate::ast::Span;
use crate::lexer::{LexError, MAX_BYTES, MAX_DEPTH};

/// A place in the source with a remark.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the type says it")]
pub struct Label {
    pub span: Span,
    pub text: String,
}

/// One thing that is wrong: a stable code, a message, places, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the type says it")]
pub struct Diagnostic {
    pub code: String,
    pub message: String,
    pub labels: Vec<Label>,
    pub help: Option<String>,
}

/// The result of anything that reads a program.
pub(crate) type Result<T, E = Box<Diagnostic>> = std::result::Result<T, E>;

impl Diagnostic {
    pub(crate) fn new(code: &str, span: Span, message: impl Into<String>) -> Box<Diagnostic> {
        let labels = vec![Label { span, text: String::new() }];
        Box::new(Diagnostic { code: code.into(), message: message.into(), labels, help: None })
    }

    /// What follows from an error that was reported already: dropped.
    pub(crate) fn silent() -> Box<Diagnostic> {
        Box::new(Diagnostic { code: String::new(), message: String::new(), labels: vec![], help: None })
    }

    pub(crate) fn is_silent(&self) -> bool {
        self.code.is_empty()
    }

    pub(crate) fn help(mut self: Box<Self>, help: impl Into<String>) -> Box<Diagnostic> {
        self.help = Some(help.into());
        self
    }

    /// One more place.
    pub(crate) fn also(mut self: Box<Self>, span: Span, text: impl Into<String>) -> Box<Diagnostic> {
        self.labels.push(Label { span, text: text.into() });
        self
    }

    /// Another place in the place of the first.
    pub(crate) fn at(mut self: Box<Self>, span: Option<Span>) -> Box<Diagnostic> {
        if let (Some(span), Some(first)) = (span, self.labels.first_mut()) {
            first.span = span;
        }
        self
    }

    pub(crate) fn label(mut self: Box<Self>, text: impl Into<String>) -> Box<Diagnostic> {
        if let Some(first) = self.labels.first_mut() {
            first.text = text.into();
        }
        self
    }

    /// An error of the library at a place of the program.
    pub(crate) fn of(error: &wavefold_operator::Error, span: Span) -> Box<Diagnostic> {
        // The place in a Rust program, which an equation carries, is none of the user's.
        let message = error.to_string();
        let message =
            message.lines().filter(|l| !l.trim_start().starts_with("in the equation")).collect::<Vec<_>>();
        let mut d = Diagnostic::new(error.code(), span, message.join("\n").replace("..=", " to "));
        d.help = crate::help::of(error.code(), &d.message, error.help());
        d
    }

    pub(crate) fn lex(error: &LexError, source: &str) -> Box<Diagnostic> {
        let span = |r: &std::ops::Range<usize>| Span::new(r.start, r.end);
        match error {
            LexError::Characters(range) => {
                let text: String = source[range.clone()].chars().take(20).collect();
                let d = Diagnostic::new(
                    "syntax::characters",
                    span(range),
                    format!("`{text}` begins no word of the language"),
                );
                if text.starts_with(['\'', '\u{2018}', '\u{2019}', '\u{201c}', '\u{201d}']) {
                    return d.help("texts stand in straight double quotes: `\"model.npy\"`");
                }
                d.help("programs are made of names, numbers, operators, texts in double quotes, and comments after `#`")
            }
            LexError::OpenText(range) => {
                Diagnostic::new("syntax::open_text", span(range), "a text has no end")
                    .help("end it with `\"` on the same line")
            }
            LexError::TooDeep(range) => {
                let message = format!("brackets are more than {MAX_DEPTH} deep");
                Diagnostic::new("syntax::too_deep", span(range), message).help("name parts of it with `let`")
            }
            LexError::TooLarge(bytes) => {
                let message = format!("a program of {bytes} bytes is longer than {MAX_BYTES}");
                Diagnostic::new("syntax::too_large", Span::new(0, 0), message)
                    .help("keep data in files of their own")
            }
        }
    }
}

/// A name of a list that is nearly `name`.
pub(crate) fn nearest<'a>(name: &str, among: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    among
        .into_iter()
        .map(|other| (strsim::jaro_winkler(name, other), other))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, other)| other)
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Diagnostic {}

/// Everything that is wrong with a program, with its source: a report for people.
#[derive(Debug)]
pub struct Failure {
    source: miette::NamedSource<String>,
    diagnostics: Vec<Diagnostic>,
}

impl Failure {
    pub(crate) fn new(name: &str, source: &str, mut diagnostics: Vec<Diagnostic>) -> Failure {
        diagnostics.retain(|d| !d.is_silent());
        diagnostics.sort_by_key(|d| d.labels.first().map(|l| l.span.start));
        Failure { source: miette::NamedSource::new(name, source.to_string()), diagnostics }
    }

    /// What is wrong, in the order of the source.
    #[must_use]
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// One report for each thing that is wrong.
    #[must_use]
    pub fn reports(&self) -> Vec<miette::Report> {
        let report = |d: &Diagnostic| {
            let located = Located(d.clone());
            miette::Report::new(located)
                .with_source_code(miette::NamedSource::new(self.source.name(), self.source.inner().clone()))
        };
        self.diagnostics.iter().map(report).collect()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for d in &self.diagnostics {
            writeln!(f, "[{}] {}", d.code, d.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

/// A diagnostic as miette has them.
#[derive(Debug)]
struct Located(Diagnostic);

impl fmt::Display for Located {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Located {}

impl miette::Diagnostic for Located {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(&self.0.code))
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.0.help.as_ref().map(|h| Box::new(h) as Box<dyn fmt::Display>)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = miette::LabeledSpan> + '_>> {
        Some(Box::new(self.0.labels.iter().map(|l| {
            let text = (!l.text.is_empty()).then(|| l.text.clone());
            miette::LabeledSpan::new(text, l.span.start, l.span.end.saturating_sub(l.span.start))
        })))
    }
}
