//! A program: read, resolved, run.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use lalrpop_util::ParseError;
use wavefold_operator::{Backend, Operator, PerformanceSummary};
use wavefold_symbolic::Grid;

use crate::ast::{Expr, Name, Span, Statement, StatementKind};
use crate::diagnostic::{Diagnostic, Failure, Result, nearest};
use crate::grammar::ProgramParser;
use crate::lexer::{KEYWORDS, Keyword, Spanned, Token, WORDS, lex};
use crate::value::{Formula, Value};

/// A program that was read.
#[derive(Clone, Debug)]
pub struct Program {
    name: String,
    source: String,
    statements: Vec<Statement>,
}

/// Told of what a run does while it does it.
pub trait Observer: Send + Sync {
    /// A line that the program prints.
    fn say(&self, _line: &str) {}

    /// An operator has done some of its steps.
    fn step(&self, _operator: &str, _done: u64, _all: u64) {}

    /// An operator has run.
    fn ran(&self, _summary: &PerformanceSummary) {}
}

/// How a program is run.
#[derive(Clone, Default)]
pub struct Options {
    /// Values for names that the program defines with `let`, in the place of its own.
    pub set: Vec<(String, String)>,
    /// The backend of runs that name none.
    pub backend: Option<Backend>,
    /// The number of threads of runs that name none.
    pub threads: Option<usize>,
    /// What paths are relative to.
    pub folder: PathBuf,
    /// Ends a run before its next step, and the program before its next statement, once it is set.
    pub cancel: Option<Arc<AtomicBool>>,
    /// Told of progress.
    pub observer: Option<Arc<dyn Observer>>,
}

/// What a program did.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// One for each run.
    pub runs: Vec<PerformanceSummary>,
    /// Assertions that held.
    pub asserts: usize,
    /// Lines that were printed.
    pub printed: Vec<String>,
    /// Files that were written.
    pub written: Vec<PathBuf>,
    /// Operators with their names, in order.
    pub operators: Vec<(String, Operator)>,
}

/// Reads a program.
///
/// # Errors
/// Everything that is no program, with its place.
pub fn parse(source: &str) -> Result<Program, Failure> {
    parse_named("program.wf", source)
}

/// Reads a program with a name for reports.
///
/// # Errors
/// As [`parse`].
pub fn parse_named(name: &str, source: &str) -> Result<Program, Failure> {
    let (statements, wrong) = statements(source);
    if !wrong.is_empty() {
        return Err(Failure::new(name, source, wrong));
    }
    Ok(Program { name: name.into(), source: source.into(), statements })
}

/// The statements of a source, and what is wrong with it.
pub(crate) fn statements(source: &str) -> (Vec<Statement>, Vec<Diagnostic>) {
    let (tokens, lexical) = lex(source);
    let mut wrong: Vec<Diagnostic> = lexical.iter().map(|e| *Diagnostic::lex(e, source)).collect();
    if tokens.is_empty() && !wrong.is_empty() {
        return (vec![], wrong);
    }
    let tokens: Vec<_> =
        tokens.into_iter().filter(|(_, token, _)| !matches!(token, Token::Comment(_))).collect();
    let syntax = Syntax { source, tokens: &tokens };
    let mut recovered = vec![];
    let parsed = ProgramParser::new().parse(&mut recovered, tokens.iter().copied().map(Ok::<_, ()>));
    let mut found: Vec<Diagnostic> = recovered.into_iter().map(|e| *syntax.diagnostic(e.error)).collect();
    let statements = parsed.unwrap_or_else(|e| {
        found.push(*syntax.diagnostic(e));
        vec![]
    });
    // What follows on the line of an error is mostly its consequence; a text without its end takes brackets with it.
    let lines: Vec<usize> = source.match_indices('\n').map(|(at, _)| at).collect();
    let line =
        |d: &Diagnostic| d.labels.first().map_or(0, |l| lines.partition_point(|at| *at < l.span.start));
    wrong.dedup_by_key(|d| line(d));
    found.dedup_by_key(|d| line(d));
    let follows = |d: &Diagnostic, cause: &Diagnostic| {
        line(d) == line(cause) || (cause.code == "syntax::open_text" && line(d) == line(cause) + 1)
    };
    found.retain(|d| !wrong.iter().any(|cause| follows(d, cause)));
    wrong.extend(found);
    (statements, wrong)
}

/// What the parser could not read, as a sentence.
struct Syntax<'s> {
    source: &'s str,
    tokens: &'s [Spanned<'s>],
}

impl Syntax<'_> {
    fn diagnostic(&self, error: ParseError<usize, Token<'_>, ()>) -> Box<Diagnostic> {
        match error {
            ParseError::UnrecognizedToken { token: (start, token, end), expected } => {
                self.unexpected(start, token, end, &expected)
            }
            ParseError::ExtraToken { token: (start, token, end) } => self.unexpected(start, token, end, &[]),
            ParseError::UnrecognizedEof { expected, .. } => self.ended(&expected),
            ParseError::InvalidToken { location } => Diagnostic::new(
                "syntax::characters",
                Span::new(location, location),
                "this begins no word of the language",
            ),
            ParseError::User { error: () } => {
                Diagnostic::new("syntax::unexpected", Span::default(), "no program")
            }
        }
    }

    fn ended(&self, expected: &[String]) -> Box<Diagnostic> {
        let end = self.tokens.last().map_or(0, |(_, _, end)| *end);
        let last = Span::new(end.saturating_sub(1), end);
        let d = Diagnostic::new("syntax::end", last, "the program ends too early");
        if allows(expected, "number") {
            return d.help(VALUE);
        }
        match self.open_bracket(end) {
            Some((span, closing)) => d.also(span, "opened here").help(format!("a `{closing}` is missing")),
            None => match wanted(expected) {
                Some(text) => d.help(text),
                None => d.help("something is missing"),
            },
        }
    }

    fn unexpected(&self, start: usize, token: Token, end: usize, expected: &[String]) -> Box<Diagnostic> {
        let here = Span::new(start, end);
        let before = self.tokens.iter().rposition(|(at, ..)| *at < start).map(|i| self.tokens[i]);
        let begins = allows(expected, "let");
        let statement = matches!(token, Token::Keyword(word) if begins_statement(word));
        if (statement || token == Token::CloseBlock)
            && allows(expected, "number")
            && let Some((from, last, to)) = before
        {
            let message = format!("a value is missing after `{last}`");
            return Diagnostic::new("syntax::unexpected", Span::new(from, to), message).help(VALUE);
        }
        let mut d = Diagnostic::new("syntax::unexpected", here, format!("`{token}` cannot stand here"));
        let typed = token.to_string();
        let next = self.source[end..].trim_start();
        let assigned = (next.starts_with('=') && !next.starts_with("==")) || next.starts_with("+=");
        let words = KEYWORDS.iter().map(|(text, _)| *text);
        let settings = if allows(expected, "word") { WORDS } else { &[] };
        let sign = matches!(token, Token::Plus | Token::Minus | Token::Times | Token::Over | Token::Power);
        let relation = matches!(
            token,
            Token::Less
                | Token::LessOrEqual
                | Token::Greater
                | Token::GreaterOrEqual
                | Token::Equal
                | Token::Different
        );
        d.help = if sign && allows(expected, "word") {
            Some("put a computed value of a setting in parentheses: `save (nt + 1)`".into())
        } else if relation && allows(expected, "and") {
            Some("compare two values at a time, and join comparisons with `and`".into())
        } else if let (Token::Name(name), true, true) = (token, begins, assigned) {
            Some(format!("name a number with `let {name} = ..`, and fill a function with `set {name} = ..`"))
        } else if let (Token::Name(_), Some(like)) =
            (token, nearest(&typed, settings.iter().copied().chain(words)))
        {
            Some(format!("did you mean `{like}`?"))
        } else if let (Token::Name(_), true) = (token, begins) {
            Some("a statement begins with a word such as `let`, `time`, `operator` or `run`".into())
        } else if matches!(token, Token::Word(_) | Token::Keyword(_))
            && !statement
            && allows(expected, "name")
            || statement && expected.iter().all(|w| matches!(w.trim_matches('"'), "name" | "word"))
        {
            Some(format!("`{token}` is a word of the language: choose another name"))
        } else if expected.len() == 1 && allows(expected, "for") {
            Some("say what to solve for: `solve u.dt - u.laplace = 0 for u.forward`".into())
        } else if allows(expected, "number") {
            Some(VALUE.into())
        } else {
            wanted(expected)
        };
        let closes = matches!(token, Token::Close | Token::CloseList | Token::CloseBlock);
        match self.open_bracket(start) {
            Some((span, closing)) if allows(expected, closing) && !allows(expected, "let") => {
                d = d.also(span, "opened here");
                if closes {
                    d.help = Some(format!("a `{closing}` is missing before it"));
                }
            }
            None if closes => d.help = Some("nothing is open here: remove it".into()),
            _ => {}
        }
        d
    }

    /// The innermost bracket that is open before a place, and what closes it.
    fn open_bracket(&self, place: usize) -> Option<(Span, &'static str)> {
        let mut open = vec![];
        for (start, token, end) in self.tokens.iter().take_while(|(start, ..)| *start < place) {
            match token {
                Token::Open => open.push((Span::new(*start, *end), ")")),
                Token::OpenList => open.push((Span::new(*start, *end), "]")),
                Token::OpenBlock => open.push((Span::new(*start, *end), "}")),
                Token::Close | Token::CloseList | Token::CloseBlock => {
                    open.pop();
                }
                _ => {}
            }
        }
        open.pop()
    }
}

/// What a missing value may be.
const VALUE: &str = "a number, a name, a call, or an expression in parentheses goes here";

/// Whether a token may stand somewhere.
fn allows(expected: &[String], token: &str) -> bool {
    expected.iter().any(|w| w.trim_matches('"') == token)
}

/// What may stand somewhere, if that is not too much to say.
fn wanted(expected: &[String]) -> Option<String> {
    let named = |w: &str| match w {
        "name" => "a name".to_string(),
        "number" => "a number".to_string(),
        "text" => "a text".to_string(),
        "word" => "a setting".to_string(),
        other => format!("`{other}`"),
    };
    let mut list: Vec<&str> = expected.iter().map(|w| w.trim_matches('"')).collect();
    list.sort_unstable();
    let text = list.iter().map(|w| named(w)).collect::<Vec<_>>().join(", ");
    (1..=8).contains(&list.len()).then(|| format!("expected {text}"))
}

fn begins_statement(word: Keyword) -> bool {
    matches!(
        word,
        Keyword::Let
            | Keyword::Grid
            | Keyword::Const
            | Keyword::Function
            | Keyword::Time
            | Keyword::Vector
            | Keyword::Tensor
            | Keyword::Points
            | Keyword::Series
            | Keyword::Part
            | Keyword::Twin
            | Keyword::Operator
            | Keyword::Run
            | Keyword::Set
            | Keyword::Assert
            | Keyword::Print
            | Keyword::Write
            | Keyword::Repeat
    )
}

impl Program {
    /// The statements.
    #[must_use]
    pub fn statements(&self) -> &[Statement] {
        &self.statements
    }

    /// Resolves every name, reads every file, builds every operator, and runs nothing.
    ///
    /// # Errors
    /// Everything that is wrong, with its place.
    pub fn check(&self, options: &Options) -> Result<Report, Failure> {
        self.execute(options, false)
    }

    /// Runs the program.
    ///
    /// # Errors
    /// As [`Program::check`], before anything runs; then the first thing that goes wrong.
    pub fn run(&self, options: &Options) -> Result<Report, Failure> {
        self.check(options)?;
        self.execute(options, true)
    }

    fn execute(&self, options: &Options, live: bool) -> Result<Report, Failure> {
        let mut machine = Machine::new(options, live);
        machine.block(&self.statements);
        machine.unused_sets();
        if machine.wrong.iter().any(|d| !d.is_silent()) {
            return Err(Failure::new(&self.name, &self.source, machine.wrong));
        }
        Ok(machine.report)
    }
}

/// What runs a program, or only resolves it.
pub(crate) struct Machine<'a> {
    pub(crate) options: &'a Options,
    pub(crate) live: bool,
    /// Names by scope, innermost last.
    pub(crate) names: Vec<HashMap<String, Value>>,
    /// Names whose definitions failed: what uses them is not reported again.
    failed: HashSet<String>,
    /// The grid whose dimensions expressions mean.
    pub(crate) grid: Option<Grid>,
    /// Whether names of functions stand for what they hold now: in assertions and prints.
    pub(crate) facts: bool,
    /// Whether names of points and series stand for what they hold now: everywhere but in `let` and operators, which
    /// make equations.
    pub(crate) samples: bool,
    /// Functions whose halo repeats their outermost values, by id.
    pub(crate) extended: HashSet<u64>,
    /// Constants that are set somewhere, so that nothing is known about them while nothing runs.
    pub(crate) changed: HashSet<String>,
    /// Formulas that are being evaluated.
    pub(crate) calls: Vec<String>,
    /// The newest time level of functions of time, by id.
    pub(crate) levels: HashMap<u64, usize>,
    used_sets: HashSet<usize>,
    pub(crate) report: Report,
    wrong: Vec<Diagnostic>,
}

impl<'a> Machine<'a> {
    fn new(options: &'a Options, live: bool) -> Machine<'a> {
        Machine {
            options,
            live,
            names: vec![HashMap::new()],
            failed: HashSet::new(),
            grid: None,
            facts: false,
            samples: false,
            extended: HashSet::new(),
            changed: HashSet::new(),
            calls: vec![],
            levels: HashMap::new(),
            used_sets: HashSet::new(),
            report: Report::default(),
            wrong: vec![],
        }
    }

    /// Paths are told as the program has them, beside its own folder.
    pub(crate) fn add_wrong(&mut self, mut d: Diagnostic) {
        let folder = self.options.folder.display().to_string();
        if !folder.is_empty() {
            d.message = d.message.replace(&format!("{folder}/"), "");
        }
        self.wrong.push(d);
    }

    /// Runs statements. While resolving, all of them, whatever goes wrong; otherwise up to the first failure.
    fn block(&mut self, statements: &[Statement]) {
        for s in statements {
            if self.live && self.options.cancel.as_ref().is_some_and(|c| c.load(Ordering::Relaxed)) {
                self.wrong.push(*Diagnostic::new(
                    "run::cancelled",
                    s.span,
                    "the program was stopped before this",
                ));
                return;
            }
            if let Err(d) = self.statement(s) {
                if let Some(name) = defined(s) {
                    self.failed.insert(name.text.clone());
                }
                self.add_wrong(*d);
            }
            if self.live && !self.wrong.is_empty() {
                return;
            }
        }
    }

    fn statement(&mut self, s: &Statement) -> Result<()> {
        self.facts = false;
        self.samples = matches!(
            s.kind,
            StatementKind::Assert { .. }
                | StatementKind::Print { .. }
                | StatementKind::Set { .. }
                | StatementKind::Write { .. }
        );
        match &s.kind {
            StatementKind::Let { name, value } => {
                let value = self.given(name)?.map_or_else(|| self.eval(value), Ok)?;
                let value = self.settled(value, s.span)?;
                self.define(name, value)
            }
            StatementKind::Formula { name, parameters, value } => self.formula(name, parameters, value),
            StatementKind::Const { name, value } => {
                let value = match self.given(name)? {
                    Some(Value::Number(n)) => n,
                    _ => self.number(value)?,
                };
                let constant = wavefold_symbolic::Constant::new(name.text.as_str(), value);
                constant.check().map_err(|e| Diagnostic::of(&e.into(), name.span))?;
                self.define(name, Value::Constant(constant))
            }
            StatementKind::Grid { name, settings } => self.declare_grid(name, settings),
            StatementKind::Declare { kind, name, on, settings } => self.declare(*kind, name, on, settings),
            StatementKind::Twin { name, of } => self.twin(name, of),
            StatementKind::Operator { name, body } => self.operator(name, body, s.span),
            StatementKind::Set { target, value } => self.set(target, value),
            StatementKind::Run { operator, arguments } => self.apply(operator, arguments, s.span),
            StatementKind::Assert { condition } => self.assert(condition),
            StatementKind::Print { values } => self.print(values),
            StatementKind::Write { value, path } => self.write(value, path),
            StatementKind::Repeat { variable, from, to, body } => self.repeat(variable, from, to, body),
            StatementKind::Error => Ok(()),
        }
    }

    fn formula(&mut self, name: &Name, parameters: &[Name], value: &Expr) -> Result<()> {
        if let Some(twice) = parameters
            .iter()
            .enumerate()
            .find_map(|(i, p)| parameters[..i].iter().any(|q| q.text == p.text).then_some(p))
        {
            let message = format!("`{}` has two parameters `{}`", name.text, twice.text);
            return Err(Diagnostic::new("name::twice", twice.span, message).help("choose another name"));
        }
        let formula = Formula {
            name: name.text.clone(),
            parameters: parameters.to_vec(),
            value: value.clone(),
            scopes: self.names.len(),
        };
        self.define(name, Value::Formula(Arc::new(formula)))
    }

    fn repeat(&mut self, variable: &Name, from: &Expr, to: &Expr, body: &[Statement]) -> Result<()> {
        let (first, last) = (self.number(from)?, self.number(to)?);
        for (n, at) in [(first, from.span), (last, to.span)] {
            if n.fract() != 0.0 || n.abs() > 1e15 {
                let message = format!("rounds are counted in whole numbers, and {n} is none");
                return Err(Diagnostic::new("repeat::range", at, message).help("round it: `floor(n)`"));
            }
        }
        // From 1 to 0 there is nothing to do, as in a list without entries.
        if last < first - 1.0 {
            let message = format!("there are no rounds from {first} to {last}");
            return Err(Diagnostic::new("repeat::range", Span::new(from.span.start, to.span.end), message)
                .help(format!(
                    "rounds count upwards: `repeat {} from {last} to {first} {{ .. }}`",
                    variable.text
                )));
        }
        let (first, last) = (first as i64, last as i64);
        // One round shows whether names and shapes are right.
        let last = if self.live { last } else { first.min(last) };
        for i in first..=last {
            self.names.push(HashMap::from([(variable.text.clone(), Value::Number(i as f64))]));
            self.block(body);
            self.names.pop();
            if self.live && !self.wrong.is_empty() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// The value that the options give a name, on the outermost level.
    fn given(&mut self, name: &Name) -> Result<Option<Value>> {
        if self.names.len() > 1 {
            return Ok(None);
        }
        let Some(i) = self.options.set.iter().rposition(|(k, _)| *k == name.text) else { return Ok(None) };
        self.used_sets.extend(
            self.options.set.iter().enumerate().filter(|(_, (k, _))| *k == name.text).map(|(i, _)| i),
        );
        let text = format!("let value_ = {}", self.options.set[i].1);
        let bad = || {
            let message = format!("`{}` is no value for `{}`", self.options.set[i].1, name.text);
            Diagnostic::new("set::value", name.span, message)
                .help("give a number, or an expression of names defined before")
        };
        let (statements, wrong) = statements(&text);
        let [Statement { kind: StatementKind::Let { value, .. }, .. }] = statements.as_slice() else {
            return Err(bad());
        };
        if !wrong.is_empty() {
            return Err(bad());
        }
        let value = self.eval(value).map_err(|_| bad())?;
        Ok(Some(value))
    }

    fn unused_sets(&mut self) {
        for (i, (name, _)) in self.options.set.iter().enumerate() {
            if self.used_sets.contains(&i) || self.failed.contains(name) {
                continue;
            }
            let known =
                self.names[0].iter().filter(|(_, v)| matches!(v, Value::Number(_) | Value::Constant(_)));
            let mut known: Vec<&str> = known.map(|(k, _)| k.as_str()).collect();
            known.sort_unstable();
            let message = format!("the program has no `let {name} = ..` or `const {name} = ..`");
            let mut d = Diagnostic::new("set::unknown", Span::default(), message);
            d.labels.clear(); // it stands on the command line
            let list = known.iter().map(|k| format!("`{k}`")).collect::<Vec<_>>().join(", ");
            d.help = Some(match nearest(name, known.iter().copied()) {
                Some(like) => format!("did you mean `{like}`?"),
                None if known.is_empty() => "it names no numbers that can be set".into(),
                None => format!("what can be set is {list}"),
            });
            self.add_wrong(*d);
        }
    }

    /// Gives a name a meaning.
    pub(crate) fn define(&mut self, name: &Name, value: Value) -> Result<()> {
        let taken = self.names.iter().any(|scope| scope.contains_key(&name.text));
        if taken {
            let message = format!("`{}` is defined already", name.text);
            return Err(Diagnostic::new("name::twice", name.span, message).help("choose another name"));
        }
        if crate::builtins::is_reserved(&name.text) {
            let message = format!("`{}` has a meaning of its own", name.text);
            return Err(Diagnostic::new("name::reserved", name.span, message).help("choose another name"));
        }
        if let Some(scope) = self.names.last_mut() {
            scope.insert(name.text.clone(), value);
        }
        Ok(())
    }

    /// What a name stands for.
    pub(crate) fn lookup(&self, name: &str, span: Span) -> Result<Value> {
        if let Some(value) = self.names.iter().rev().find_map(|scope| scope.get(name)) {
            return Ok(value.clone());
        }
        if let Some(value) = self.builtin(name, span)? {
            return Ok(value);
        }
        if self.failed.contains(name) {
            return Err(Diagnostic::silent());
        }
        let known = self.names.iter().flat_map(|scope| scope.keys().map(String::as_str));
        let known: Vec<&str> = known.chain(crate::builtins::NAMES.iter().copied()).collect();
        let d = Diagnostic::new("name::unknown", span, format!("nothing is called `{name}`"));
        Err(match nearest(name, known) {
            Some(like) => d.help(format!("did you mean `{like}`?")),
            None => d.help("define it first: with `let`, `const`, `function`, `time`, .."),
        })
    }
}

/// The name that a statement defines.
fn defined(s: &Statement) -> Option<&Name> {
    match &s.kind {
        StatementKind::Let { name, .. }
        | StatementKind::Formula { name, .. }
        | StatementKind::Const { name, .. }
        | StatementKind::Grid { name, .. }
        | StatementKind::Declare { name, .. }
        | StatementKind::Twin { name, .. }
        | StatementKind::Operator { name, .. } => Some(name),
        _ => None,
    }
}
