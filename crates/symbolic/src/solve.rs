//! Solving a linear equation for one access.

use crate::{Expr, IntoExpr, Node, Result, SymbolicError, expand_time, validate};

/// Solves `expr == 0` for `target`, such as `u.forward()`.
///
/// Time derivatives are expanded, space derivatives never are. With `expr = c*target + r` the result is
/// `-r/c`, like terms collected; a coefficient of one term is divided into `r` term by term.
///
/// # Errors
/// The `solve::` codes: `target` is not an access, does not occur, occurs other than linearly, or stands
/// inside a space derivative. `expression::too_deep`.
///
/// ```
/// # use wavefold_symbolic::prelude::*;
/// # fn main() -> Result<(), SymbolicError> {
/// let grid = Grid::new([8, 8]);
/// let u = TimeFunction::new("u", &grid).build()?;
/// let step = solve(u.dt() - 0.5 * u.laplace(), u.forward())?;
/// assert_eq!(step.to_string(), "u(t, x, y) + 0.5*dt*(∂²/∂x² u(t, x, y) + ∂²/∂y² u(t, x, y))");
/// # Ok(()) }
/// ```
pub fn solve(expr: impl IntoExpr, target: impl IntoExpr) -> Result<Expr> {
    let (expr, target) = (expr.expr(), target.expr());
    validate::depth(&expr)?;
    if target.as_access().is_none() {
        return Err(SymbolicError::SolveTarget { target: target.to_string() });
    }
    let (coefficient, rest) = split(&expand_time(&expr), &target)?;
    let coefficient = collect(&coefficient);
    if coefficient.is_number(0.0) {
        return Err(SymbolicError::SolveAbsent { target: target.to_string() });
    }
    Ok(quotient(&negated(&collect(&rest)), &coefficient))
}

/// Splits a linear expression into `(c, r)` with `expr = c*target + r`.
fn split(expr: &Expr, target: &Expr) -> Result<(Expr, Expr)> {
    if expr == target {
        return Ok((Expr::number(1.0), Expr::number(0.0)));
    }
    if !expr.contains(target) {
        return Ok((Expr::number(0.0), expr.clone()));
    }
    let (target_text, term) = (|| target.to_string(), || expr.to_string());
    match expr.node() {
        Node::Add(terms) => {
            let parts = terms.iter().map(|term| split(term, target)).collect::<Result<Vec<_>>>()?;
            let (coefficients, rests): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
            Ok((Expr::sum(coefficients), Expr::sum(rests)))
        }
        Node::Mul(factors) => {
            let holds: Vec<_> = factors.iter().map(|factor| factor.contains(target)).collect();
            if holds.iter().filter(|&&holds| holds).count() > 1 {
                return Err(SymbolicError::SolveNonLinear { target: target_text(), term: term() });
            }
            let i = holds.iter().position(|&holds| holds).unwrap_or(0);
            let (coefficient, rest) = split(&factors[i], target)?;
            let with = |inner: Expr| {
                let mut product = factors.clone();
                product[i] = inner;
                Expr::product(product)
            };
            Ok((with(coefficient), with(rest)))
        }
        Node::Derivative(_) => {
            Err(SymbolicError::SolveInsideDerivative { target: target_text(), term: term() })
        }
        _ => Err(SymbolicError::SolveNonLinear { target: target_text(), term: term() }),
    }
}

/// A term as a number times powers of distinct bases.
#[derive(Clone, Debug)]
struct Term {
    number: f64,
    powers: Vec<(Expr, f64)>,
}

impl Term {
    fn new(expr: &Expr) -> Self {
        let mut term = Self { number: 1.0, powers: Vec::new() };
        match expr.node() {
            Node::Mul(factors) => factors.iter().for_each(|factor| term.multiply(factor, 1.0)),
            _ => term.multiply(expr, 1.0),
        }
        term
    }

    fn multiply(&mut self, factor: &Expr, exponent: f64) {
        let (base, exponent) = match factor.node() {
            // Only whole powers combine: (x²)^0.5 is not x.
            Node::Pow(base, power) if power.as_number().is_some_and(|n| n.fract() == 0.0) => {
                (base, exponent * power.as_number().unwrap_or(1.0))
            }
            _ => (factor, exponent),
        };
        if let Some(value) = base.as_number() {
            self.number *= value.powf(exponent);
        } else if let Some((_, sum)) = self.powers.iter_mut().find(|(known, _)| known == base) {
            *sum += exponent;
            self.powers.retain(|(_, exponent)| *exponent != 0.0);
        } else {
            self.powers.push((base.clone(), exponent));
        }
    }

    fn same_powers(&self, other: &Self) -> bool {
        self.powers.len() == other.powers.len()
            && self.powers.iter().all(|power| other.powers.contains(power))
    }

    fn shares_base(&self, other: &Self) -> bool {
        self.powers.iter().any(|(base, _)| other.powers.iter().any(|(known, _)| known == base))
    }

    fn over(mut self, divisor: &Self) -> Self {
        self.number /= divisor.number;
        for (base, exponent) in &divisor.powers {
            self.multiply(base, -exponent);
        }
        self
    }

    fn expr(&self) -> Expr {
        let (mut number, mut powers) = (self.number, self.powers.clone());
        if let Some(sum) = self.sum_to_negate() {
            number = -number;
            powers[sum].0 = negated(&powers[sum].0);
        }
        let powers = powers.into_iter().map(|(base, n)| Expr::power(base, Expr::number(n)));
        Expr::product([Expr::number(number)].into_iter().chain(powers))
    }

    /// The sum among the factors that should take in the minus sign of the term: one that leads with a
    /// minus itself, or one that is the whole term.
    fn sum_to_negate(&self) -> Option<usize> {
        let leads_negative = |base: &Expr| matches!(base.node(), Node::Add(terms) if is_negative(&terms[0]));
        let whole = self.number == -1.0 && self.powers.len() == 1;
        let takes = |base: &Expr| leads_negative(base) || (whole && matches!(base.node(), Node::Add(_)));
        let negative = self.number < 0.0;
        self.powers.iter().position(|(base, n)| negative && *n == 1.0 && takes(base))
    }
}

/// The terms of a sum; of anything else, itself.
fn terms(expr: &Expr) -> Vec<Term> {
    match expr.node() {
        Node::Add(terms) => terms.iter().map(Term::new).collect(),
        _ => vec![Term::new(expr)],
    }
}

/// Adds up the terms that differ in their number only.
fn collect(expr: &Expr) -> Expr {
    let mut collected: Vec<Term> = Vec::new();
    for term in terms(expr) {
        match collected.iter_mut().find(|known| known.same_powers(&term)) {
            Some(known) => known.number += term.number,
            None => collected.push(term),
        }
    }
    Expr::sum(collected.iter().map(Term::expr))
}

/// `-expr`, with the sign taken where it leaves the fewest minus signs: `-(a*(v - u))` is `a*(u - v)`.
fn negated(expr: &Expr) -> Expr {
    match expr.node() {
        Node::Add(terms) => Expr::sum(terms.iter().map(negated).collect::<Vec<_>>()),
        Node::Mul(factors) if factors[0].as_number().is_none_or(|n| n > 0.0) => {
            let leads_negative =
                |factor: &Expr| matches!(factor.node(), Node::Add(terms) if is_negative(&terms[0]));
            match factors.iter().position(leads_negative) {
                Some(i) => {
                    let mut factors = factors.clone();
                    factors[i] = negated(&factors[i]);
                    Expr::product(factors)
                }
                None => expr.negated(),
            }
        }
        _ => expr.negated(),
    }
}

fn is_negative(term: &Expr) -> bool {
    match term.node() {
        Node::Number(value) => *value < 0.0,
        Node::Mul(factors) => factors[0].as_number().is_some_and(|n| n < 0.0),
        _ => false,
    }
}

/// `rest / coefficient`.
fn quotient(rest: &Expr, coefficient: &Expr) -> Expr {
    if matches!(coefficient.node(), Node::Add(_)) {
        return Expr::product([rest.clone(), Expr::power(coefficient.clone(), Expr::number(-1.0))]);
    }
    let divisor = Term::new(coefficient);
    // Terms that cancel against the divisor are divided one by one; the others share one division.
    let (cancelling, others): (Vec<_>, Vec<_>) =
        terms(rest).into_iter().partition(|term| term.shares_base(&divisor));
    let divided = cancelling.into_iter().map(|term| term.over(&divisor).expr());
    let shared = Term::new(&Expr::product([
        Term { number: 1.0, powers: Vec::new() }.over(&divisor).expr(),
        Expr::sum(others.iter().map(Term::expr)),
    ]));
    collect(&Expr::sum(divided.chain([shared.expr()])))
}
