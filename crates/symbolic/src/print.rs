//! Expressions and equations as mathematics.
//!
//! | written | printed |
//! |---|---|
//! | `u.forward()`, saved every 4 steps, shifted in `x` | `u(t+1, x, y)`, `us(t/4, x, y)`, `u(t, x+1, y)` |
//! | `u.dx2()`, `u.dxl()`, `u.dxr()`, `u.dx().T()` | `∂²/∂x² u`, `∂₋/∂x u`, `∂₊/∂x u`, `(∂/∂x)ᵀ u` (with arguments) |
//! | `u.dt()`, `u.dtl()`, `u.dtc()` | `∂/∂t u`, `∂₋/∂t u`, `∂₀/∂t u` |
//! | `a * b / c`, `a.pow(2)`, `a.sqrt()`, `a.abs()` | `a*b/c`, `a²`, `√(a)`, `abs(a)` |
//! | `eq(u, v)`, `inc(u, v)` | `u = v`, `u += v` |
//! | `src.inject(u, v)`, `rec.interpolate(u)` | `u += v  for p in src`, `rec(t, p) = u  for p in rec` |
//!
//! Parentheses are minimal and the order is that of the expression, so printing is deterministic.
//! An expression nested too deeply to be compiled prints as `…`.

use std::fmt::{self, Display, Formatter, Write};

use crate::{
    Access, Derivative, Dim, Equation, EquationKind, Expr, Extremum, IntoExpr, MathFn, Node, Reduction, Side,
    validate,
};

/// How tightly an expression holds together, loosest first.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Binding {
    Sum,
    Product,
    Prefix,
    Power,
    Atom,
}

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if validate::depth(self).is_ok() { expression(f, self) } else { f.write_char('…') }
    }
}

fn expression(f: &mut Formatter<'_>, expr: &Expr) -> fmt::Result {
    match expr.node() {
        Node::Number(value) => number(f, *value),
        Node::Spacing(i) => f.write_str(Dim::Space(*i).step_name()),
        Node::TimeStep => f.write_str(Dim::Time.step_name()),
        Node::Constant(constant) => f.write_str(constant.name()),
        Node::Access(access) => access.fmt(f),
        Node::Sparse { sparse, time } if sparse.steps().is_some() => {
            write!(f, "{}({}, p)", sparse.name(), Index("t", *time))
        }
        Node::Sparse { sparse, .. } => write!(f, "{}(p)", sparse.name()),
        Node::Add(terms) => sum(f, terms),
        Node::Mul(factors) => product(f, factors),
        Node::Pow(..) => product(f, std::slice::from_ref(expr)),
        Node::Index(dim) => f.write_str(dim.name()),
        Node::Extremum(which, a, b) => {
            f.write_str(if *which == Extremum::Min { "min(" } else { "max(" })?;
            expression(f, a)?;
            f.write_str(", ")?;
            expression(f, b)?;
            f.write_char(')')
        }
        Node::Select(condition, a, b) => {
            write!(f, "select({condition}, ")?;
            expression(f, a)?;
            f.write_str(", ")?;
            expression(f, b)?;
            f.write_char(')')
        }
        Node::Call(function, argument) => {
            f.write_str(if *function == MathFn::Sqrt { "√" } else { function.name() })?;
            in_parentheses(f, argument)
        }
        Node::Derivative(derivative) => derivative.fmt(f),
    }
}

impl Display for Access {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.function.name())?;
        let every = self.function.save_every();
        match (self.function.is_time(), every) {
            (false, _) => {}
            (true, 1) => write!(f, "{}, ", Index("t", self.time))?,
            (true, _) if self.time == 0 => write!(f, "t/{every}, ")?,
            (true, _) => write!(f, "({})/{every}, ", Index("t", self.time))?,
        }
        for (i, &offset) in self.offsets.iter().enumerate() {
            let separator = if i == 0 { "" } else { ", " };
            write!(f, "{separator}{}", Index(Dim::Space(i).name(), offset))?;
        }
        f.write_char(')')
    }
}

impl Display for Derivative {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let degree = if self.degree == 1 { String::new() } else { superscript(i64::from(self.degree)) };
        let side = match (self.side, self.dim) {
            (Side::Centered, Dim::Time) if self.degree == 1 => "₀",
            (Side::Centered, _) | (Side::Right, Dim::Time) => "",
            (Side::Left, _) => "₋",
            (Side::Right, Dim::Space(_)) => "₊",
        };
        let place = match self.x0 {
            Some(i32::MAX) => format!("({} aside)", self.dim),
            Some(x0) if x0 % 2 != 0 => format!("({}{:+}/2)", self.dim, x0),
            Some(x0) if x0 != 0 => format!("({}{:+})", self.dim, x0 / 2),
            _ => String::new(),
        };
        let operator = format!("∂{degree}{side}/∂{}{degree}{place}", self.dim);
        match self.transpose {
            true => write!(f, "({operator})ᵀ ")?,
            false => write!(f, "{operator} ")?,
        }
        match self.expr.node() {
            Node::Derivative(inner) => inner.fmt(f),
            _ => at_least(f, &self.expr, Binding::Atom),
        }
    }
}

impl Display for Equation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let sign = |increment: bool| if increment { "+=" } else { "=" };
        match self.kind() {
            EquationKind::Assign { lhs, rhs, increment } => write!(f, "{lhs} {} {rhs}", sign(*increment))?,
            EquationKind::Inject { sparse, target, value } => {
                write!(f, "{target} += {value}  for p in {}", sparse.name())?;
            }
            EquationKind::Interpolate { sparse, value, increment } => {
                write!(f, "{} {} {value}  for p in {}", sparse.expr(), sign(*increment), sparse.name())?;
            }
            EquationKind::Reduce { series, op, value } => {
                let op = match op {
                    Reduction::Sum => "sum",
                    Reduction::Min => "min",
                    Reduction::Max => "max",
                };
                write!(f, "{}(t) = {op} {value}", series.name())?;
            }
            EquationKind::Group(members) => {
                for (i, member) in members.iter().enumerate() {
                    write!(f, "{}{member}", if i == 0 { "" } else { "; " })?;
                }
            }
        }
        if let Some(region) = self.region() {
            write!(f, "  on {region}")?;
        }
        if let Some(condition) = self.condition() {
            write!(f, "  when {condition}")?;
        }
        Ok(())
    }
}

/// An index with its shift: `t`, `t+1`, `x-2`.
struct Index(&'static str, i32);

impl Display for Index {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)?;
        if self.1 == 0 { Ok(()) } else { write!(f, "{:+}", self.1) }
    }
}

/// Plain digits in the everyday range, scientific notation outside.
fn number(f: &mut Formatter<'_>, value: f64) -> fmt::Result {
    let size = value.abs();
    if size == 0.0 || !value.is_finite() || (1e-4..1e15).contains(&size) {
        write!(f, "{value}")
    } else {
        write!(f, "{value:e}")
    }
}

fn superscript(n: i64) -> String {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    let digit = |c: char| c.to_digit(10).map_or('⁻', |d| DIGITS[d as usize]);
    n.to_string().chars().map(digit).collect()
}

fn binding(expr: &Expr) -> Binding {
    match expr.node() {
        Node::Number(value) if *value < 0.0 => Binding::Product,
        Node::Add(_) => Binding::Sum,
        Node::Mul(_) => Binding::Product,
        Node::Pow(_, exponent) if negative_exponent(exponent).is_some() => Binding::Product,
        Node::Pow(..) => Binding::Power,
        Node::Derivative(_) => Binding::Prefix,
        _ => Binding::Atom,
    }
}

/// Prints in parentheses unless the expression holds together at least this tightly.
fn at_least(f: &mut Formatter<'_>, expr: &Expr, required: Binding) -> fmt::Result {
    if binding(expr) >= required { expression(f, expr) } else { in_parentheses(f, expr) }
}

fn in_parentheses(f: &mut Formatter<'_>, expr: &Expr) -> fmt::Result {
    f.write_char('(')?;
    expression(f, expr)?;
    f.write_char(')')
}

/// The expression without its leading minus sign, if it has one.
fn without_minus(term: &Expr) -> Option<Expr> {
    let leading = match term.node() {
        Node::Number(value) => Some(*value),
        Node::Mul(factors) => factors[0].as_number(),
        _ => None,
    };
    leading.filter(|value| *value < 0.0).map(|_| term.negated())
}

fn sum(f: &mut Formatter<'_>, terms: &[Expr]) -> fmt::Result {
    for (i, term) in terms.iter().enumerate() {
        match without_minus(term) {
            _ if i == 0 => at_least(f, term, Binding::Product)?,
            Some(positive) => {
                f.write_str(" - ")?;
                at_least(f, &positive, Binding::Product)?;
            }
            None => {
                f.write_str(" + ")?;
                at_least(f, term, Binding::Product)?;
            }
        }
    }
    Ok(())
}

fn negative_exponent(exponent: &Expr) -> Option<f64> {
    exponent.as_number().filter(|n| *n < 0.0)
}

/// Prints factors as one fraction: those with negative powers below the bar.
fn product(f: &mut Formatter<'_>, factors: &[Expr]) -> fmt::Result {
    let (mut above, mut below) = (Vec::new(), Vec::new());
    for factor in factors {
        match factor.node() {
            Node::Pow(base, exponent) if negative_exponent(exponent).is_some() => {
                below.push((base, Expr::number(-exponent.as_number().unwrap_or(-1.0))));
            }
            Node::Pow(base, exponent) => above.push((base, exponent.clone())),
            _ => above.push((factor, Expr::number(1.0))),
        }
    }
    if let Some((first, _)) = above.first()
        && first.is_number(-1.0)
        && above.len() > 1
    {
        f.write_char('-')?;
        above.remove(0);
    }
    if above.is_empty() {
        f.write_char('1')?;
    }
    // A prefix operator would swallow what follows it, so it goes bare only at the very end.
    let last_is_open = below.is_empty();
    for (i, (base, exponent)) in above.iter().enumerate() {
        if i > 0 {
            f.write_char('*')?;
        }
        power(f, base, exponent, last_is_open && i + 1 == above.len())?;
    }
    if below.is_empty() {
        return Ok(());
    }
    let several = below.len() > 1;
    f.write_str(if several { "/(" } else { "/" })?;
    for (i, (base, exponent)) in below.iter().enumerate() {
        if i > 0 {
            f.write_char('*')?;
        }
        power(f, base, exponent, false)?;
    }
    f.write_str(if several { ")" } else { "" })
}

/// Prints a factor `base^exponent`; a derivative stands bare only where nothing follows.
fn power(f: &mut Formatter<'_>, base: &Expr, exponent: &Expr, open: bool) -> fmt::Result {
    match exponent.as_number() {
        Some(1.0) => match base.node() {
            Node::Number(value) => number(f, *value),
            _ => at_least(f, base, if open { Binding::Prefix } else { Binding::Power }),
        },
        Some(n) if n.fract() == 0.0 && n.abs() < 1e9 => {
            at_least(f, base, Binding::Atom)?;
            f.write_str(&superscript(n as i64))
        }
        _ => {
            at_least(f, base, Binding::Atom)?;
            f.write_char('^')?;
            at_least(f, exponent, Binding::Atom)
        }
    }
}
