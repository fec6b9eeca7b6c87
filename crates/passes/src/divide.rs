//! `divide`: a numerator is divided by a denominator that does not change during a run, as polynomials are.
//!
//! ```text
//! (m*(2*u - v) + d*u + lap)*(m + d)^-1   ->   2*u - v + (m + d)^-1*(lap + d*(v - u))
//! ```
//! This is what `solve` leaves of an equation with damping. Behind the quotient stands the remainder over the denominator, where
//! `invariants` finds the inverse: as many arrays are read as before, and nothing is divided in the time loop.

use std::collections::BTreeMap;

use crate::invariants::Constants;
use wavefold_ir::stencil::{Action, Program};
use wavefold_ir::{Arena, Expr, ExprId};

/// Divides wherever a term of the denominator is found in the numerator.
pub fn divide(mut p: Program) -> Program {
    if !matches!(crate::direction(&p), Ok(Some(_))) {
        return p;
    }
    let mut constants = Constants::of(&p);
    for s in p.statements.iter_mut().filter(|s| matches!(s.action, Action::Assign { .. })) {
        let value = p.exprs.rewrite(s.action.value(), &mut |exprs, id| {
            Fraction::find(exprs, &mut constants, id)?.divided(exprs, &mut constants)
        });
        s.action.set_value(value);
    }
    p
}

/// A product with the inverse of a constant sum, and another sum.
struct Fraction {
    numerator: Vec<Term>,
    inverse: ExprId,
    denominator: Vec<Term>,
    others: Vec<ExprId>,
}

/// A product, taken apart.
#[derive(Clone)]
struct Term {
    coefficient: f64,
    factors: Vec<ExprId>,
}

impl Fraction {
    fn find(exprs: &mut Arena, constants: &mut Constants, id: ExprId) -> Option<Fraction> {
        let Expr::Product(factors) = &exprs[id] else { return None };
        let mut others = factors.to_vec();
        let is_sum = |exprs: &Arena, id: ExprId| matches!(exprs[id], Expr::Sum(_));
        let base = |exprs: &Arena, id: ExprId| match exprs[id] {
            Expr::Power(base, -1) if is_sum(exprs, base) => Some(base),
            _ => None,
        };
        let at = others.iter().position(|f| base(exprs, *f).is_some_and(|b| constants.has(exprs, b)))?;
        let inverse = others.remove(at);
        let at = others.iter().position(|f| is_sum(exprs, *f) && !constants.has(exprs, *f))?;
        let numerator = terms(exprs, others.remove(at));
        let denominator = base(exprs, inverse)?;
        Some(Fraction { numerator, inverse, denominator: terms(exprs, denominator), others })
    }

    /// Quotient and remainder over the denominator; `None` if no term divides another.
    fn divided(mut self, exprs: &mut Arena, constants: &mut Constants) -> Option<ExprId> {
        // The term that takes the most out of the numerator.
        let gain = |exprs: &Arena, by: &Term| -> usize {
            if by.factors.iter().all(|f| exprs.loads(*f).is_empty()) {
                return 0;
            }
            let quotients = self.numerator.iter().filter_map(|t| t.over(by));
            quotients.flat_map(|q| q.factors).map(|f| exprs.loads(f).len()).sum()
        };
        let gains: Vec<usize> = self.denominator.iter().map(|by| gain(exprs, by)).collect();
        let most = gains.iter().copied().max().filter(|gain| *gain > 0)?;
        let by = self.denominator.remove(gains.iter().position(|gain| *gain == most)?);

        let (mut quotient, mut remainder) = (Vec::new(), Vec::new());
        for term in &self.numerator {
            match term.over(&by) {
                Some(term) => quotient.extend(term.expanded(exprs)),
                None => remainder.push(term.clone()),
            }
        }
        for term in &quotient {
            remainder.extend(self.denominator.iter().map(|rest| term.times(-1.0, rest)));
        }
        let mut sum: Vec<ExprId> = quotient.iter().map(|term| term.expr(exprs)).collect();
        sum.push(self.fraction(exprs, constants, remainder));
        let sum = exprs.sum(sum);
        Some(exprs.product(self.others.iter().copied().chain([sum])))
    }

    /// The remainder over the denominator, with one term for each set of constant factors.
    fn fraction(&self, exprs: &mut Arena, constants: &mut Constants, remainder: Vec<Term>) -> ExprId {
        let mut groups: BTreeMap<Vec<ExprId>, Vec<ExprId>> = BTreeMap::new();
        for Term { coefficient, factors } in remainder {
            let (constant, factors) = factors.into_iter().partition(|f| constants.has(exprs, *f));
            let rest = Term { coefficient, factors }.expr(exprs);
            groups.entry(constant).or_default().push(rest);
        }
        let product = |(mut factors, rest): (Vec<ExprId>, Vec<ExprId>)| {
            factors.push(exprs.sum(rest));
            exprs.product(factors)
        };
        let terms: Vec<ExprId> = groups.into_iter().map(product).collect();
        let remainder = exprs.sum(terms);
        exprs.product([self.inverse, remainder])
    }
}

impl Term {
    fn new(exprs: &mut Arena, id: ExprId) -> Term {
        let (coefficient, rest) = exprs.split_coefficient(id);
        let factors = rest.map_or(vec![], |rest| match &exprs[rest] {
            Expr::Product(factors) => factors.to_vec(),
            _ => vec![rest],
        });
        Term { coefficient, factors }
    }

    fn expr(&self, exprs: &mut Arena) -> ExprId {
        let number = exprs.number(self.coefficient);
        exprs.product(self.factors.iter().copied().chain([number]))
    }

    /// The quotient, if all factors of `by` are there.
    fn over(&self, by: &Term) -> Option<Term> {
        let mut factors = self.factors.clone();
        for f in &by.factors {
            factors.remove(factors.iter().position(|mine| mine == f)?);
        }
        Some(Term { coefficient: self.coefficient / by.coefficient, factors })
    }

    fn times(&self, number: f64, other: &Term) -> Term {
        let coefficient = number * self.coefficient * other.coefficient;
        Term { coefficient, factors: [&self.factors[..], &other.factors[..]].concat() }
    }

    /// A number times a sum as the terms of the sum.
    fn expanded(self, exprs: &mut Arena) -> Vec<Term> {
        match self.factors[..] {
            [sum] if matches!(exprs[sum], Expr::Sum(_)) => {
                let scaled = |t: Term| Term { coefficient: self.coefficient * t.coefficient, ..t };
                terms(exprs, sum).into_iter().map(scaled).collect()
            }
            _ => vec![self],
        }
    }
}

fn terms(exprs: &mut Arena, sum: ExprId) -> Vec<Term> {
    let all: Vec<ExprId> = exprs[sum].children().to_vec();
    all.into_iter().map(|term| Term::new(exprs, term)).collect()
}
