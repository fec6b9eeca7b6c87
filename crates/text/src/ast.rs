//! A program as it was written, with the place of everything.

/// Bytes of the source: the first, and the one after the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[allow(missing_docs, reason = "the type says it")]
pub struct Span {
    pub start: usize,
    pub end: usize,
}

impl Span {
    /// From one place to another.
    #[must_use]
    pub fn new(start: usize, end: usize) -> Span {
        Span { start, end }
    }
}

/// A name with its place.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the type says it")]
pub struct Name {
    pub text: String,
    pub span: Span,
}

/// An expression with its place.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the type says it")]
pub struct Expr {
    pub kind: ExprKind,
    pub span: Span,
}

/// How numbers are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is its sign")]
pub enum Relation {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    Different,
}

/// What an expression is. Chains are lists, so that a program is never deeper than its brackets.
#[derive(Clone, Debug)]
pub enum ExprKind {
    /// `1.5e3`
    Number(f64),
    /// `"model.npy"`
    Text(String),
    /// `u`
    Name(String),
    /// `[1, 2, 3]`
    List(Vec<Expr>),
    /// `a + b - c`: whether each term is subtracted.
    Sum(Vec<(bool, Expr)>),
    /// `a*b/c`: whether each factor divides.
    Product(Vec<(bool, Expr)>),
    /// `-a`
    Negative(Box<Expr>),
    /// `a^b`
    Power(Box<Expr>, Box<Expr>),
    /// `a < b`
    Compare(Relation, Box<Expr>, Box<Expr>),
    /// `a and b`
    And(Vec<Expr>),
    /// `a or b`
    Or(Vec<Expr>),
    /// `not a`
    Not(Box<Expr>),
    /// `sin(u)`
    Call(Name, Vec<Argument>),
    /// `u.dx(order = 4).forward`, `u at 3`
    Suffixed(Box<Expr>, Vec<Suffix>),
}

/// What stands behind a value.
#[derive(Clone, Debug)]
pub enum Suffix {
    /// `.dx`, `.dx(order = 4)`
    Member(Name, Vec<Argument>),
    /// `at 3`
    At(Expr),
}

/// An argument of a call, with its name if it has one.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the type says it")]
pub struct Argument {
    pub name: Option<Name>,
    pub value: Expr,
}

/// A setting of a declaration: a word and its values.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the type says it")]
pub struct Setting {
    pub word: Name,
    pub values: Vec<Expr>,
}

/// What is declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is its keyword")]
pub enum Kind {
    Function,
    Time,
    Vector,
    Tensor,
    TimeVector,
    TimeTensor,
    Points,
    Series,
    Part,
}

/// A statement with its place.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the type says it")]
pub struct Statement {
    pub kind: StatementKind,
    pub span: Span,
}

/// What a statement does.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "each shows its form")]
pub enum StatementKind {
    /// `let nt = 4`
    Let { name: Name, value: Expr },
    /// `let bump(x) = exp(-x^2)`
    Formula { name: Name, parameters: Vec<Name>, value: Expr },
    /// `const c = 1.5`
    Const { name: Name, value: Expr },
    /// `grid g { shape 4 4 }`
    Grid { name: Name, settings: Vec<Setting> },
    /// `time u on g order 8`
    Declare { kind: Kind, name: Name, on: Name, settings: Vec<Setting> },
    /// `twin usave1 of usave`
    Twin { name: Name, of: Name },
    /// `operator step { .. }`
    Operator { name: Name, body: Vec<Equation> },
    /// `set u at 0 = exp(-x^2)`
    Set { target: Expr, value: Expr },
    /// `run step dt = 0.5`
    Run { operator: Name, arguments: Vec<RunArgument> },
    /// `assert max(u) < 1`
    Assert { condition: Expr },
    /// `print "peak", max(u)`
    Print { values: Vec<Expr> },
    /// `write u to "u.png"`
    Write { value: Expr, path: Expr },
    /// `repeat shot from 0 to 9 { .. }`
    Repeat { variable: Name, from: Expr, to: Expr, body: Vec<Statement> },
    /// What could not be read.
    Error,
}

/// An argument of a run.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "each shows its form")]
pub enum RunArgument {
    /// `dt = 0.5`, `nbits(usave) = 12`
    Value { name: Name, of: Option<Name>, value: Expr },
    /// `with u = u2`
    With { function: Name, other: Name },
}

/// A statement of an operator with its place.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the type says it")]
pub struct Equation {
    pub kind: EquationKind,
    pub span: Span,
}

/// What a statement of an operator does.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "each shows its form")]
pub enum EquationKind {
    /// `u.forward = u + 1`, `image += u*v`, `rec = u`
    Assign { target: Expr, increment: bool, value: Expr },
    /// `solve m*u.dt2 - u.laplace = 0 for u.forward`
    Solve { left: Expr, right: Expr, target: Expr },
    /// `inject src*dt^2/m into u.forward`
    Inject { value: Expr, target: Expr, through: Option<Name> },
    /// `on top { .. }`, `on west, east { .. }`
    On { parts: Vec<Name>, body: Vec<Equation> },
    /// `repeat sweep from 1 to 4 { .. }`
    Repeat { variable: Name, from: Expr, to: Expr, body: Vec<Equation> },
    /// `when u > 0.5 { .. }`
    When { condition: Expr, body: Vec<Equation> },
    /// `surface y even vz { .. }`
    Surface { dim: Name, even: Vec<Name>, body: Vec<Equation> },
}

/// A value with what stands behind it.
pub(crate) fn suffixed(base: Expr, suffixes: Vec<Suffix>, start: usize, end: usize) -> Expr {
    if suffixes.is_empty() {
        return base;
    }
    Expr { kind: ExprKind::Suffixed(Box::new(base), suffixes), span: Span::new(start, end) }
}
