//! A program: read, resolved, run.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use lalrpop_util::ParseError;
use wavefold_operator::{Backend, Operator, PerformanceSummary};
use wavefold_symbolic::Grid;

use crate::ast::{Expr, Name, Span, Statement, StatementKind};
use crate::diagnostic::{Diagnostic, Failure, Result, nearest};
use crate::grammar::ProgramParser;
use crate::lexer::{KEYWORDS, Token, lex};
use crate::value::Value;

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
    let tokens = tokens.into_iter().filter(|(_, token, _)| !matches!(token, Token::Comment(_)));
    let mut recovered = vec![];
    let parsed = ProgramParser::new().parse(&mut recovered, tokens.map(Ok::<_, ()>));
    let mut found: Vec<Diagnostic> = recovered.into_iter().map(|e| syntax(e.error, source)).collect();
    let statements = parsed.unwrap_or_else(|e| {
        found.push(syntax(e, source));
        vec![]
    });
    // What follows on the line of an error is mostly its consequence.
    let line = |d: &Diagnostic| {
        d.labels.first().map_or(0, |l| source[..l.span.start.min(source.len())].matches('\n').count())
    };
    found.dedup_by_key(|d| line(d));
    wrong.extend(found);
    (statements, wrong)
}

fn syntax(error: ParseError<usize, Token<'_>, ()>, source: &str) -> Diagnostic {
    let words = |expected: &[String]| {
        let plain = |w: &String| w.trim_matches('"').to_string();
        let mut list: Vec<String> = expected.iter().map(plain).collect();
        let named = |w: &str| match w {
            "name" => "a name".to_string(),
            "number" => "a number".to_string(),
            "text" => "a text".to_string(),
            "word" => "a setting".to_string(),
            other => format!("`{other}`"),
        };
        list.sort();
        match list.len() {
            0 => None,
            1..=8 => {
                Some(format!("expected {}", list.iter().map(|w| named(w)).collect::<Vec<_>>().join(", ")))
            }
            _ => None,
        }
    };
    let found = |start: usize, token: &Token, end: usize, expected: &[String]| {
        let mut d = Diagnostic::new(
            "syntax::unexpected",
            Span::new(start, end),
            format!("`{token}` cannot stand here"),
        );
        d.help = words(expected);
        let sign = matches!(token, Token::Plus | Token::Minus | Token::Times | Token::Over | Token::Power);
        if sign && expected.iter().any(|w| w.trim_matches('"') == "word") {
            d.help = Some("put a computed value of a setting in parentheses: `save (nt + 1)`".into());
            return *d;
        }
        let typed = token.to_string();
        let begins = expected.iter().any(|w| w.trim_matches('"') == "let");
        if let (Token::Name(_), Some(like)) = (token, nearest(&typed, KEYWORDS.iter().map(|(text, _)| *text)))
        {
            d.help = Some(format!("did you mean `{like}`?"));
        } else if let (Token::Name(name), true) = (token, begins) {
            d.help = Some(format!(
                "a statement begins with a word such as `let`, `time`, `operator` or `run`; data are set with `set {name} = ..`"
            ));
        } else if matches!(token, Token::Word(_) | Token::Keyword(_))
            && expected.iter().any(|w| w.trim_matches('"') == "name")
        {
            d.help = Some(format!("`{token}` is a word of the language: choose another name"));
        }
        *d
    };
    match error {
        ParseError::UnrecognizedToken { token: (start, token, end), expected } => {
            found(start, &token, end, &expected)
        }
        ParseError::ExtraToken { token: (start, token, end) } => found(start, &token, end, &[]),
        ParseError::UnrecognizedEof { expected, .. } => {
            let end = source.trim_end().len();
            let mut d = Diagnostic::new(
                "syntax::end",
                Span::new(end.saturating_sub(1), end),
                "the program ends too early",
            );
            d.help = words(&expected).or(Some("a bracket or a value is missing".into()));
            *d
        }
        ParseError::InvalidToken { location } => *Diagnostic::new(
            "syntax::characters",
            Span::new(location, location),
            "this begins no word of the language",
        ),
        ParseError::User { error: () } => {
            *Diagnostic::new("syntax::unexpected", Span::default(), "no program")
        }
    }
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
            levels: HashMap::new(),
            used_sets: HashSet::new(),
            report: Report::default(),
            wrong: vec![],
        }
    }

    pub(crate) fn add_wrong(&mut self, d: Diagnostic) {
        self.wrong.push(d);
    }

    /// Runs statements. While resolving, all of them, whatever goes wrong; otherwise up to the first failure.
    fn block(&mut self, statements: &[Statement]) {
        for s in statements {
            if let Err(d) = self.statement(s) {
                if let Some(name) = defined(s) {
                    self.failed.insert(name.text.clone());
                }
                self.wrong.push(*d);
            }
            if self.live && !self.wrong.is_empty() {
                return;
            }
        }
    }

    fn statement(&mut self, s: &Statement) -> Result<()> {
        self.facts = false;
        match &s.kind {
            StatementKind::Let { name, value } => {
                let value = self.given(name)?.map_or_else(|| self.eval(value), Ok)?;
                let value = self.settled(value, s.span)?;
                self.define(name, value)
            }
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

    fn repeat(&mut self, variable: &Name, from: &Expr, to: &Expr, body: &[Statement]) -> Result<()> {
        let (first, last) = (self.number(from)?, self.number(to)?);
        if !(first.is_finite() && last.is_finite()) && self.live {
            return Err(Diagnostic::new(
                "repeat::range",
                from.span,
                format!("a loop from {first} to {last} has no rounds"),
            ));
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
            let known: Vec<&str> = known.map(|(k, _)| k.as_str()).collect();
            let mut d = Diagnostic::new(
                "set::unknown",
                Span::default(),
                format!("the program has no `let {name} = ..`"),
            );
            d.help = nearest(name, known.iter().copied()).map(|n| format!("did you mean `{n}`?"));
            self.wrong.push(*d);
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
        | StatementKind::Const { name, .. }
        | StatementKind::Grid { name, .. }
        | StatementKind::Declare { name, .. }
        | StatementKind::Twin { name, .. }
        | StatementKind::Operator { name, .. } => Some(name),
        _ => None,
    }
}
