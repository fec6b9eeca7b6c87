//! Staggering made explicit: every value of an equation is taken where its left-hand side lives.
//!
//! A function lives at the nodes, or half a spacing up in some dimensions. In an equation whose left-hand side lives at
//! `p`:
//! * a function that lives elsewhere is averaged over the 2 points next to `p` along each dimension in which it does
//!   (over 2 to 8 corners), arithmetically or harmonically as it [says](crate::Average);
//! * a derivative along a dimension is evaluated at `p` from samples of its operand where the operand lives along that
//!   dimension: halfway between them when that is not `p`. Along the others its operand is taken at `p`;
//! * where an operand lives is where its time functions do, or else all its functions, when they agree; a derivative of
//!   what lives halfway lives at the nodes;
//! * a derivative with a place of evaluation of its own is left as it is written.

use std::collections::{HashMap, HashSet};

use crate::{Access, Average, Derivative, Dim, Equation, EquationKind, Expr, Node, validate};

/// Per dimension: whether values lie half a spacing up.
pub type Location = [bool; 3];

/// The equation with every derivative evaluated, and every function averaged, where the left-hand side lives. One that was
/// located before stays as it is.
#[must_use]
pub fn locate(equation: &Equation) -> Equation {
    if equation.is_located() {
        return equation.clone();
    }
    let location = location(equation);
    let mut target = true;
    let has_target = equation.target().is_some();
    let located = equation.map(|expr| {
        // The left-hand side comes first, and stands where it stands.
        let keep = std::mem::take(&mut target) && has_target;
        if keep { expr.clone() } else { at(expr, location) }
    });
    located.into_located()
}

/// Where the values of an equation are taken: where the left-hand side lives; for an interpolation or a reduction, where
/// all functions live when they agree and none is differentiated, else at the nodes.
#[must_use]
pub fn location(equation: &Equation) -> Location {
    match equation.kind() {
        EquationKind::Assign { lhs, .. } | EquationKind::Inject { target: lhs, .. } => {
            lhs.as_access().map_or([false; 3], |access| access.function.stagger())
        }
        EquationKind::Interpolate { value, .. } | EquationKind::Reduce { value, .. } => {
            let implicit =
                |node: &Node| matches!(node, Node::Derivative(d) if d.x0.is_none() && d.dim != Dim::Time);
            let mut places = value.functions().into_iter().map(|f| f.stagger());
            match places.next() {
                Some(first) if !value.any(implicit) && places.all(|p| p == first) => first,
                _ => [false; 3],
            }
        }
        EquationKind::Group(_) => [false; 3],
    }
}

/// An expression at a location.
fn at(expr: &Expr, location: Location) -> Expr {
    if validate::depth(expr).is_err() {
        return expr.clone(); // for the check to name
    }
    at_below(expr, location, &mut HashMap::new())
}

/// Shared parts are located once for each location.
type Located = HashMap<(*const Node, Location), Expr>;

fn at_below(expr: &Expr, location: Location, done: &mut Located) -> Expr {
    let key = (std::ptr::from_ref(expr.node()), location);
    if let Some(known) = done.get(&key) {
        return known.clone();
    }
    let located = match expr.node() {
        Node::Access(access) => average(access, location),
        Node::Derivative(d) => derivative(d, location, done),
        _ => {
            let parts: HashMap<*const Node, Expr> = expr
                .children()
                .into_iter()
                .map(|part| (std::ptr::from_ref(part.node()), at_below(part, location, done)))
                .collect();
            expr.with_children(&mut |part| parts[&std::ptr::from_ref(part.node())].clone())
        }
    };
    done.insert(key, located.clone());
    located
}

fn derivative(d: &Derivative, location: Location, done: &mut Located) -> Expr {
    let Dim::Space(dim) = d.dim else {
        let expr = at_below(&d.expr, location, done);
        return Expr::derivative(Derivative { expr, ..d.clone() });
    };
    if dim >= 3 {
        return Expr::from_node(Node::Derivative(d.clone())); // for the check to name
    }
    let (inner, x0) = match d.x0 {
        None => {
            let samples = natural(&d.expr, dim).unwrap_or(location[dim]);
            let mut inner = location;
            inner[dim] = samples;
            (inner, i32::from(location[dim]) - i32::from(samples))
        }
        Some(x0) => {
            let inner = [0, 1, 2].map(|k| natural(&d.expr, k).unwrap_or(false));
            (inner, x0.saturating_sub(i32::from(inner[dim])))
        }
    };
    let expr = at_below(&d.expr, inner, done);
    Expr::derivative(Derivative { expr, x0: Some(x0), ..d.clone() })
}

/// Where an expression lives along a dimension, if its functions agree.
fn natural(expr: &Expr, dim: usize) -> Option<bool> {
    let mut votes = Votes::default();
    collect(expr, dim, &mut votes);
    votes.of_time.or(votes.of_space)?.ok()
}

/// What functions say: `Err` when they disagree.
#[derive(Default)]
struct Votes {
    of_time: Option<Result<bool, ()>>,
    of_space: Option<Result<bool, ()>>,
}

/// What lies in a derivative along the dimension counts as at the nodes. Shared parts vote once.
fn collect(expr: &Expr, dim: usize, votes: &mut Votes) {
    let (mut pending, mut seen) = (vec![(expr, false)], HashSet::new());
    while let Some((expr, flip)) = pending.pop() {
        if !seen.insert((std::ptr::from_ref(expr.node()), flip)) {
            continue;
        }
        match expr.node() {
            Node::Access(access) => {
                let half = access.function.stagger()[dim] && !flip;
                let vote = if access.function.is_time() { &mut votes.of_time } else { &mut votes.of_space };
                *vote = match vote {
                    None => Some(Ok(half)),
                    Some(Ok(other)) if *other == half => Some(Ok(half)),
                    _ => Some(Err(())),
                };
            }
            // It says itself where it is evaluated.
            Node::Derivative(d) if d.x0.is_some() => {}
            Node::Derivative(d) => pending.push((&d.expr, flip || d.dim == Dim::Space(dim))),
            _ => pending.extend(expr.children().into_iter().map(|part| (part, flip))),
        }
    }
}

/// A function at a location, averaged along the dimensions in which it lives elsewhere.
fn average(access: &Access, location: Location) -> Expr {
    let lives = access.function.stagger();
    let apart: Vec<usize> = (0..access.offsets.len().min(3)).filter(|d| lives[*d] != location[*d]).collect();
    if apart.is_empty() {
        return Expr::from_node(Node::Access(access.clone()));
    }
    let corners = (0..1_usize << apart.len()).map(|corner| {
        let mut access = access.clone();
        for (bit, d) in apart.iter().enumerate() {
            let far = (corner >> bit & 1) as i32;
            // From a node to half a spacing up lie this point and the next; back, the one before and this.
            let shift = if location[*d] { far } else { far - 1 };
            access.offsets[*d] = access.offsets[*d].saturating_add(shift);
        }
        Expr::from_node(Node::Access(access))
    });
    let count = f64::from(1_u32 << apart.len());
    match access.function.average() {
        Average::Arithmetic => Expr::product([Expr::number(1.0 / count), Expr::sum(corners)]),
        Average::Harmonic => {
            let inverses = corners.map(|corner| Expr::power(corner, Expr::number(-1.0)));
            let sum = Expr::sum(inverses);
            Expr::product([Expr::number(count), Expr::power(sum, Expr::number(-1.0))])
        }
    }
}
