//! `contract`: fixes every rounding. Sums of products become fused multiply-adds, negative powers divisions.
//!
//! ```text
//! a + b + 2*c + -3*d        ->   fma(-3, d, fma(2, c, a + b))
//! x*y^-1                    ->   x/y
//! a + -1*b                  ->   a - b
//! ```
//! After this pass each node is one rounding, in the order written; backends may not change it.

use smallvec::SmallVec;
use std::collections::HashMap;
use wavefold_ir::tree::{Program, Stmt};
use wavefold_ir::{Arena, Expr, ExprId, Func};

/// Largest power that is written out as a product.
const LARGEST_PRODUCT: u32 = 8;

/// Rewrites every expression of the tree.
pub fn contract(mut p: Program) -> Program {
    let mut c = Contract { memo: HashMap::new() };
    for s in &mut p.scalars {
        s.value = c.expression(&mut p.exprs, s.value);
    }
    for s in &mut p.body {
        statement(s, &mut p.exprs, &mut c);
    }
    p
}

fn statement(s: &mut Stmt, exprs: &mut Arena, c: &mut Contract) {
    match s {
        Stmt::Time { scalars, .. } => {
            for s in scalars {
                s.value = c.expression(exprs, s.value);
            }
        }
        Stmt::Let { value, .. }
        | Stmt::Assign { value, .. }
        | Stmt::Inject { value, .. }
        | Stmt::Interpolate { value, .. }
        | Stmt::Accumulate(value) => *value = c.expression(exprs, *value),
        _ => {}
    }
    s.body_mut().iter_mut().for_each(|s| statement(s, exprs, c));
}

struct Contract {
    memo: HashMap<ExprId, ExprId>,
}

/// Most terms that are added one after the other.
const LONGEST_CHAIN: usize = 64;

/// A term of a sum that is more than an addition.
enum Term {
    /// Subtracted.
    Negative(ExprId),
    /// The product of two factors, added.
    Product(ExprId, ExprId),
    /// The product of two factors, subtracted.
    NegativeProduct(ExprId, ExprId),
}

impl Contract {
    fn expression(&mut self, exprs: &mut Arena, id: ExprId) -> ExprId {
        if let Some(done) = self.memo.get(&id) {
            return *done;
        }
        let new = match exprs[id].clone() {
            Expr::Sum(terms) => self.sum(exprs, &terms),
            Expr::Product(factors) => {
                let (negative, factors) = sign(exprs, &factors);
                let product = self.product(exprs, &factors);
                if negative { exprs.intern(Expr::Neg(product)) } else { product }
            }
            Expr::Power(..) => self.product(exprs, &[id]),
            node => {
                let node = node.with_children(|c| self.expression(exprs, c));
                exprs.intern(node)
            }
        };
        self.memo.insert(id, new);
        new
    }

    /// Plain terms first, then one fused multiply-add for each product. A long sum is cut into chains that are summed
    /// at the end: expressions nest no deeper than a chain is long, however wide the stencil.
    fn sum(&mut self, exprs: &mut Arena, terms: &[ExprId]) -> ExprId {
        let mut plain: SmallVec<[ExprId; 4]> = SmallVec::new();
        let others: Vec<Term> = terms.iter().filter_map(|t| self.term(exprs, *t, &mut plain)).collect();
        let mut start = match plain.as_slice() {
            [] => None,
            [one] => Some(*one),
            _ => Some(exprs.intern(Expr::Sum(plain))),
        };
        if others.is_empty() {
            return start.unwrap_or_else(|| exprs.number(0.0));
        }
        let chains: SmallVec<[ExprId; 4]> =
            others.chunks(LONGEST_CHAIN).map(|terms| chain(exprs, start.take(), terms)).collect();
        if chains.len() == 1 { chains[0] } else { exprs.intern(Expr::Sum(chains)) }
    }

    /// A term; what is simply added goes to `plain`.
    fn term(&mut self, exprs: &mut Arena, id: ExprId, plain: &mut SmallVec<[ExprId; 4]>) -> Option<Term> {
        let Expr::Product(factors) = exprs[id].clone() else {
            plain.push(self.expression(exprs, id));
            return None;
        };
        let (negative, factors) = sign(exprs, &factors);
        let divides = factors.iter().any(|f| matches!(exprs[*f], Expr::Power(_, n) if n < 0));
        if divides || factors.len() < 2 {
            let e = self.product(exprs, &factors);
            if negative {
                return Some(Term::Negative(e));
            }
            plain.push(e);
            return None;
        }
        let last = self.product(exprs, &factors[factors.len() - 1..]);
        let first = self.product(exprs, &factors[..factors.len() - 1]);
        Some(if negative { Term::NegativeProduct(first, last) } else { Term::Product(first, last) })
    }

    /// Factors from left to right; all divisors are multiplied first, then divided by once.
    fn product(&mut self, exprs: &mut Arena, factors: &[ExprId]) -> ExprId {
        let mut above: SmallVec<[ExprId; 4]> = SmallVec::new();
        let mut below: SmallVec<[ExprId; 4]> = SmallVec::new();
        for f in factors {
            let (base, n) = match exprs[*f] {
                Expr::Power(base, n) => (base, n),
                _ => (*f, 1),
            };
            let base = self.expression(exprs, base);
            let side = if n < 0 { &mut below } else { &mut above };
            if n.unsigned_abs() <= LARGEST_PRODUCT {
                side.extend(std::iter::repeat_n(base, n.unsigned_abs() as usize));
            } else {
                let n = exprs.number(n.unsigned_abs().into());
                side.push(exprs.intern(Expr::Call(Func::Pow, [base, n].into_iter().collect())));
            }
        }
        let mut multiply = |list: SmallVec<[ExprId; 4]>| match list.len() {
            0 => None,
            1 => Some(list[0]),
            _ => Some(exprs.intern(Expr::Product(list))),
        };
        let (above, below) = (multiply(above), multiply(below));
        match (above, below) {
            (Some(a), None) => a,
            (Some(a), Some(b)) => exprs.intern(Expr::Div(a, b)),
            (None, b) => {
                let one = exprs.number(1.0);
                b.map_or(one, |b| exprs.intern(Expr::Div(one, b)))
            }
        }
    }
}

/// Adds terms to `start` one by one.
fn chain(exprs: &mut Arena, start: Option<ExprId>, terms: &[Term]) -> ExprId {
    let mut sum = start;
    for term in terms {
        let node = match (term, sum) {
            (Term::Negative(e), Some(s)) => Expr::Sub(s, *e),
            (Term::Negative(e), None) => Expr::Neg(*e),
            (Term::Product(a, b), Some(s)) => Expr::Fma(*a, *b, s),
            (Term::Product(a, b), None) => Expr::Product([*a, *b].into_iter().collect()),
            (Term::NegativeProduct(a, b), Some(s)) => Expr::Fma(exprs.intern(Expr::Neg(*a)), *b, s),
            (Term::NegativeProduct(a, b), None) => {
                Expr::Product([exprs.intern(Expr::Neg(*a)), *b].into_iter().collect())
            }
        };
        sum = Some(exprs.intern(node));
    }
    sum.unwrap_or_else(|| exprs.number(0.0))
}

/// Takes a factor of -1 off.
fn sign(exprs: &Arena, factors: &[ExprId]) -> (bool, SmallVec<[ExprId; 4]>) {
    if exprs.as_number(factors[0]) == Some(-1.0) && factors.len() > 1 {
        (true, SmallVec::from_slice(&factors[1..]))
    } else {
        (false, SmallVec::from_slice(factors))
    }
}
