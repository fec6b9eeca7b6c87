//! The transpose of derivatives, as linear operators on what they differentiate.

use crate::{Derivative, Expr, Node, validate};

/// One linear operator of a chain, outermost first.
#[derive(Clone)]
enum Link {
    Derivative(Derivative),
    Factor(Expr),
}

/// `(A B u)ᵀ = Bᵀ Aᵀ u`, over every sum.
pub(crate) fn transpose(expr: &Expr) -> Expr {
    // Too deep to be compiled: left for the check to name.
    if validate::depth(expr).is_ok() { transpose_below(&mut Vec::new(), expr) } else { expr.clone() }
}

/// Transposes `chain(expr)`, where `chain` are the operators met on the way down.
fn transpose_below(chain: &mut Vec<Link>, expr: &Expr) -> Expr {
    match expr.node() {
        Node::Derivative(derivative) => {
            let (operand, depth) = (derivative.expr.clone(), chain.len());
            chain.push(Link::Derivative(derivative.clone()));
            let transposed = transpose_below(chain, &operand);
            chain.truncate(depth);
            transposed
        }
        Node::Add(terms) if has_derivative(expr) => {
            Expr::sum(terms.iter().map(|term| transpose_below(chain, term)).collect::<Vec<_>>())
        }
        Node::Mul(factors) => match single_derivative(factors) {
            Some(i) => {
                let depth = chain.len();
                let others =
                    factors.iter().enumerate().filter(|(j, _)| *j != i).map(|(_, factor)| factor.clone());
                chain.push(Link::Factor(Expr::product(others)));
                let transposed = transpose_below(chain, &factors[i]);
                chain.truncate(depth);
                transposed
            }
            None => apply(chain, expr),
        },
        _ => apply(chain, expr),
    }
}

/// Applies the transposed operators to the operand, the outermost first.
fn apply(chain: &[Link], operand: &Expr) -> Expr {
    chain.iter().fold(operand.clone(), |expr, link| match link {
        Link::Derivative(d) => {
            // Numbers commute with derivatives; outside they stay visible to later passes.
            let (number, expr) = split_number(expr);
            let transposed = Derivative { expr, transpose: !d.transpose, ..d.clone() };
            Expr::product([Expr::number(number), Expr::derivative(transposed)])
        }
        Link::Factor(factor) => Expr::product([factor.clone(), expr]),
    })
}

fn split_number(expr: Expr) -> (f64, Expr) {
    if let Node::Mul(factors) = expr.node()
        && let Some(number) = factors[0].as_number()
    {
        return (number, Expr::product(factors[1..].iter().cloned()));
    }
    (1.0, expr)
}

fn has_derivative(expr: &Expr) -> bool {
    expr.any(|node| matches!(node, Node::Derivative(_)))
}

/// The one factor with a derivative in it; a product of several is not linear in one operand.
fn single_derivative(factors: &[Expr]) -> Option<usize> {
    let mut found = factors.iter().enumerate().filter(|(_, factor)| has_derivative(factor));
    match (found.next(), found.next()) {
        (Some((i, _)), None) => Some(i),
        _ => None,
    }
}
