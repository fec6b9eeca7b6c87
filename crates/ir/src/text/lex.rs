//! Tokens, and a cursor over them.

use logos::Logos;

/// A text that is not a program of the level it was read as.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("line {line}: {message}")]
pub struct ParseError {
    /// Line, counted from 1.
    pub line: usize,
    /// What was expected, and what was found.
    pub message: String,
}

#[derive(Logos, Clone, Copy, Debug, PartialEq)]
#[logos(skip r"[ \t\r\n]+")]
pub(crate) enum Token {
    #[regex(r"#[^\n]*", allow_greedy = true)]
    Comment,
    #[regex(r"[A-Za-z_][A-Za-z0-9_]*")]
    Word,
    #[regex(r"[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")]
    Number,
    #[token("<-")]
    #[token("->")]
    Arrow,
    #[token("..")]
    Dots,
    #[regex(r"[{}()\[\],=+\-*/^%:]")]
    Punct,
}

/// A position in a token stream.
pub(crate) struct Cursor<'a> {
    source: &'a str,
    tokens: Vec<(Token, std::ops::Range<usize>)>,
    at: usize,
    /// Blocks that are open.
    blocks: usize,
}

/// Deepest nesting of blocks that is read; deeper text is an error, not a stack overflow.
const MAX_BLOCKS: usize = 100;

impl<'a> Cursor<'a> {
    pub(crate) fn new(source: &'a str) -> Result<Self, ParseError> {
        let mut tokens = Vec::new();
        for (token, span) in Token::lexer(source).spanned() {
            match token {
                Ok(t) => tokens.push((t, span)),
                Err(()) => {
                    return Err(ParseError {
                        line: line_of(source, span.start),
                        message: format!("`{}` is no token", &source[span]),
                    });
                }
            }
        }
        Ok(Cursor { source, tokens, at: 0, blocks: 0 })
    }

    pub(crate) fn error<T>(&self, expected: &str) -> Result<T, ParseError> {
        let (line, found) = match self.tokens.get(self.at) {
            Some((_, span)) => {
                (line_of(self.source, span.start), format!("`{}`", &self.source[span.clone()]))
            }
            None => (line_of(self.source, self.source.len()), "the end of the text".to_string()),
        };
        Err(ParseError { line, message: format!("expected {expected}, found {found}") })
    }

    /// The text of the next token.
    pub(crate) fn peek(&self) -> &'a str {
        self.tokens.get(self.at).map_or("", |(_, span)| &self.source[span.clone()])
    }

    /// The text of the token after the next.
    pub(crate) fn peek_second(&self) -> &'a str {
        self.tokens.get(self.at + 1).map_or("", |(_, span)| &self.source[span.clone()])
    }

    fn peek_token(&self) -> Option<Token> {
        self.tokens.get(self.at).map(|t| t.0)
    }

    pub(crate) fn at_end(&self) -> bool {
        self.at >= self.tokens.len()
    }

    /// Takes the next token if it reads `text`.
    pub(crate) fn eat(&mut self, text: &str) -> bool {
        let yes = self.peek() == text && !text.is_empty();
        self.at += yes as usize;
        yes
    }

    /// Whether the next token reads `text` and is no field: those may be named like a word of the language.
    pub(crate) fn is_keyword(&self, text: &str) -> bool {
        self.peek() == text && self.peek_second() != "["
    }

    /// Takes the next token if it is the keyword `text`.
    pub(crate) fn keyword(&mut self, text: &str) -> bool {
        let yes = self.is_keyword(text);
        self.at += yes as usize;
        yes
    }

    /// Takes the keyword `text` before a box: unlike after a field of that name, the bracket then holds a range.
    pub(crate) fn keyword_before_range(&mut self, text: &str) -> bool {
        let colon = self.tokens[self.at.min(self.tokens.len())..]
            .iter()
            .map(|(_, span)| &self.source[span.clone()])
            .take_while(|t| *t != "]")
            .any(|t| t == ":");
        let yes = self.peek() == text && colon;
        self.at += yes as usize;
        yes
    }

    /// Takes the brace that opens a block.
    pub(crate) fn open(&mut self) -> Result<(), ParseError> {
        self.blocks += 1;
        if self.blocks > MAX_BLOCKS { self.error("less nesting") } else { self.expect("{") }
    }

    /// Takes the brace that closes a block.
    pub(crate) fn close(&mut self) -> Result<(), ParseError> {
        self.blocks = self.blocks.saturating_sub(1);
        self.expect("}")
    }

    pub(crate) fn expect(&mut self, text: &str) -> Result<(), ParseError> {
        if self.eat(text) { Ok(()) } else { self.error(&format!("`{text}`")) }
    }

    pub(crate) fn word(&mut self) -> Result<&'a str, ParseError> {
        match self.peek_token() {
            Some(Token::Word) => {
                let text = self.peek();
                self.at += 1;
                Ok(text)
            }
            _ => self.error("a name"),
        }
    }

    pub(crate) fn is_word(&self) -> bool {
        self.peek_token() == Some(Token::Word)
    }

    pub(crate) fn is_number(&self) -> bool {
        self.peek_token() == Some(Token::Number)
    }

    /// A comment line, without its `# `.
    pub(crate) fn comment(&mut self) -> Option<&'a str> {
        if self.peek_token() != Some(Token::Comment) {
            return None;
        }
        let text = self.peek();
        self.at += 1;
        Some(text.strip_prefix("# ").unwrap_or(&text[1..]).trim_end())
    }

    pub(crate) fn number(&mut self) -> Result<f64, ParseError> {
        let negative = self.eat("-");
        if self.is_number() {
            if let Ok(v) = self.peek().parse::<f64>() {
                self.at += 1;
                return Ok(if negative { -v } else { v });
            }
        } else if self.eat("inf") {
            return Ok(if negative { f64::NEG_INFINITY } else { f64::INFINITY });
        } else if self.eat("NaN") {
            return Ok(f64::NAN);
        }
        self.error("a number")
    }

    pub(crate) fn integer<T: TryFrom<i64>>(&mut self) -> Result<T, ParseError> {
        let at = self.at;
        let negative = self.eat("-");
        let parsed =
            self.peek().parse::<i64>().ok().and_then(|v| T::try_from(if negative { -v } else { v }).ok());
        match parsed {
            Some(v) => {
                self.at += 1;
                Ok(v)
            }
            None => {
                self.at = at;
                self.error("a whole number in range")
            }
        }
    }
}

impl Cursor<'_> {
    /// A whole number above 0.
    pub(crate) fn positive(&mut self) -> Result<usize, ParseError> {
        let at = self.at;
        match self.integer()? {
            0 => {
                self.at = at;
                self.error("a whole number above 0")
            }
            n => Ok(n),
        }
    }
}

fn line_of(source: &str, offset: usize) -> usize {
    source[..offset].matches('\n').count() + 1
}
