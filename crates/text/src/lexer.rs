//! Tokens.

use std::fmt;

use logos::Logos;

/// Levels of brackets, at most: what walks a program walks as deep.
pub const MAX_DEPTH: usize = 64;

/// Bytes of a program, at most.
pub const MAX_BYTES: usize = 4 << 20;

/// One token.
#[derive(Logos, Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs, reason = "each is what its pattern says")]
#[logos(skip r"[ \t\r\n;\u{feff}]+")]
pub enum Token<'a> {
    #[regex(r"#[^\n]*", allow_greedy = true)]
    Comment(&'a str),
    #[regex("[A-Za-z_][A-Za-z0-9_]*", |lex| lex.slice())]
    Name(&'a str),
    /// A word that begins a setting, see [`WORDS`].
    Word(&'a str),
    #[regex(r"([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?", |lex| lex.slice().parse().ok())]
    Number(f64),
    #[regex(r#""[^"\n]*""#, |lex| lex.slice().trim_matches('"'))]
    Text(&'a str),
    /// A text without its end: an error, and read as if it ended with the line.
    #[regex(r#""[^"\n]*"#, |lex| lex.slice().trim_start_matches('"'))]
    Unclosed(&'a str),
    #[token("(")]
    Open,
    #[token(")")]
    Close,
    #[token("[")]
    OpenList,
    #[token("]")]
    CloseList,
    #[token("{")]
    OpenBlock,
    #[token("}")]
    CloseBlock,
    #[token(",")]
    Comma,
    #[token(".")]
    Dot,
    #[token("=")]
    Assign,
    #[token("+=")]
    Add,
    #[token("+")]
    Plus,
    #[token("-")]
    Minus,
    #[token("*")]
    Times,
    #[token("/")]
    Over,
    #[token("^")]
    Power,
    #[token("<")]
    Less,
    #[token("<=")]
    LessOrEqual,
    #[token(">")]
    Greater,
    #[token(">=")]
    GreaterOrEqual,
    #[token("==")]
    Equal,
    #[token("!=")]
    Different,
    /// A word that begins or joins statements, see [`KEYWORDS`].
    Keyword(Keyword),
}

macro_rules! keywords {
    ($($variant:ident $text:literal),* $(,)?) => {
        /// Words that begin or join statements.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs, reason = "each is its text")]
        pub enum Keyword { $($variant),* }

        /// All keywords.
        pub const KEYWORDS: &[(&str, Keyword)] = &[$(($text, Keyword::$variant)),*];

        impl fmt::Display for Keyword {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Keyword::$variant => $text),* })
            }
        }
    };
}

keywords! {
    Let "let", Grid "grid", Const "const", Function "function", Time "time", Vector "vector", Tensor "tensor",
    Points "points", Series "series", Part "part", Twin "twin", Of "of", Operator "operator", Solve "solve", For "for",
    Inject "inject", Into "into", Through "through", On "on", When "when", Surface "surface", Even "even", Run "run",
    With "with", Set "set", Assert "assert", Print "print", Write "write", Repeat "repeat", From "from", To "to",
    At "at", And "and", Or "or", Not "not",
}

/// Words that begin a setting.
pub const WORDS: &[&str] = &[
    "average",
    "buffers",
    "collocated",
    "compress",
    "count",
    "diagonal",
    "dtype",
    "every",
    "extended",
    "extent",
    "interior",
    "interpolation",
    "layers",
    "left",
    "line",
    "middle",
    "moving",
    "order",
    "origin",
    "right",
    "save",
    "shape",
    "spacing",
    "staggered",
    "steps",
    "symmetric",
    "temporary",
    "tight",
    "time_order",
    "width",
];

impl fmt::Display for Token<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Token::Comment(text) | Token::Name(text) | Token::Word(text) => f.write_str(text),
            Token::Number(value) => write!(f, "{value}"),
            Token::Text(text) | Token::Unclosed(text) => write!(f, "\"{text}\""),
            Token::Keyword(word) => word.fmt(f),
            Token::Open => f.write_str("("),
            Token::Close => f.write_str(")"),
            Token::OpenList => f.write_str("["),
            Token::CloseList => f.write_str("]"),
            Token::OpenBlock => f.write_str("{"),
            Token::CloseBlock => f.write_str("}"),
            Token::Comma => f.write_str(","),
            Token::Dot => f.write_str("."),
            Token::Assign => f.write_str("="),
            Token::Add => f.write_str("+="),
            Token::Plus => f.write_str("+"),
            Token::Minus => f.write_str("-"),
            Token::Times => f.write_str("*"),
            Token::Over => f.write_str("/"),
            Token::Power => f.write_str("^"),
            Token::Less => f.write_str("<"),
            Token::LessOrEqual => f.write_str("<="),
            Token::Greater => f.write_str(">"),
            Token::GreaterOrEqual => f.write_str(">="),
            Token::Equal => f.write_str("=="),
            Token::Different => f.write_str("!="),
        }
    }
}

/// What the lexer cannot read, with its place.
#[derive(Clone, Debug, PartialEq)]
pub enum LexError {
    /// Characters that begin no token.
    Characters(std::ops::Range<usize>),
    /// A text without its end.
    OpenText(std::ops::Range<usize>),
    /// Brackets more than [`MAX_DEPTH`] deep.
    TooDeep(std::ops::Range<usize>),
    /// A source of more than [`MAX_BYTES`].
    TooLarge(usize),
}

/// A token with the places of its first byte and the byte after its last.
pub type Spanned<'a> = (usize, Token<'a>, usize);

/// All tokens, comments included; and what could not be read, which is left out.
#[must_use]
pub fn lex(source: &str) -> (Vec<Spanned<'_>>, Vec<LexError>) {
    if source.len() > MAX_BYTES {
        return (vec![], vec![LexError::TooLarge(source.len())]);
    }
    let (mut tokens, mut errors) = (vec![], vec![]);
    let mut depth = 0_usize;
    for (token, span) in Token::lexer(source).spanned() {
        let Ok(token) = token else {
            match errors.last_mut() {
                // Neighbours are one error.
                Some(LexError::Characters(last)) if last.end == span.start => last.end = span.end,
                _ => errors.push(LexError::Characters(span)),
            }
            continue;
        };
        let token = match token {
            Token::Unclosed(text) => {
                errors.push(LexError::OpenText(span.clone()));
                Token::Text(text)
            }
            token => token,
        };
        match token {
            Token::Open | Token::OpenList | Token::OpenBlock => depth += 1,
            Token::Close | Token::CloseList | Token::CloseBlock => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            errors.push(LexError::TooDeep(span));
            return (vec![], errors);
        }
        tokens.push((span.start, classified(token), span.end));
    }
    (tokens, errors)
}

fn classified(token: Token<'_>) -> Token<'_> {
    let Token::Name(name) = token else { return token };
    if let Some((_, keyword)) = KEYWORDS.iter().find(|(text, _)| *text == name) {
        return Token::Keyword(*keyword);
    }
    if WORDS.contains(&name) { Token::Word(name) } else { token }
}
