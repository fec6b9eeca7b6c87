//! Expressions: effect-free nodes in a hash-consed arena.

use crate::{FieldId, LocalId, ScalarId, SparseId};
use smallvec::SmallVec;
use std::collections::HashMap;

/// An expression of an [`Arena`]. Two ids of one arena are equal exactly when the expressions are.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ExprId(pub u32);

/// A double with the identity of its bits, so that it can be hashed (`-0` is stored as `0`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Number(u64);

impl Number {
    /// Wraps a value.
    pub fn new(value: f64) -> Number {
        Number((value + 0.0).to_bits())
    }

    /// The value.
    pub fn value(self) -> f64 {
        f64::from_bits(self.0)
    }
}

impl std::fmt::Debug for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.value())
    }
}

/// One value of a field, relative to the current point and step.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Access {
    /// The field.
    pub field: FieldId,
    /// Time shift: in steps, or in snapshots for a saved field. 0 for fields without time.
    pub time: i32,
    /// Offset along each dimension, in points; entries past the rank are 0.
    pub offsets: [i32; 3],
}

impl Access {
    /// The access at the current point.
    pub fn here(field: FieldId, time: i32) -> Access {
        Access { field, time, offsets: [0; 3] }
    }

    /// Whether it is at the current point.
    pub fn is_here(&self) -> bool {
        self.offsets == [0; 3]
    }
}

/// Elementary functions.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
#[allow(missing_docs)]
pub enum Func {
    Sqrt,
    Exp,
    Log,
    Sin,
    Cos,
    Tan,
    Tanh,
    Abs,
    Floor,
    Ceil,
    /// `a < b ? a : b`, so `b` when either is NaN.
    Min,
    /// `a > b ? a : b`, so `b` when either is NaN.
    Max,
    /// `pow(base, exponent)` with an exponent that is not a whole number.
    Pow,
}

impl Func {
    /// All functions with their names and number of arguments.
    pub const ALL: [(Func, &'static str, usize); 13] = [
        (Func::Sqrt, "sqrt", 1),
        (Func::Exp, "exp", 1),
        (Func::Log, "log", 1),
        (Func::Sin, "sin", 1),
        (Func::Cos, "cos", 1),
        (Func::Tan, "tan", 1),
        (Func::Tanh, "tanh", 1),
        (Func::Abs, "abs", 1),
        (Func::Floor, "floor", 1),
        (Func::Ceil, "ceil", 1),
        (Func::Min, "min", 2),
        (Func::Max, "max", 2),
        (Func::Pow, "pow", 2),
    ];

    /// The name as printed.
    pub fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }

    /// Number of arguments.
    pub fn arity(self) -> usize {
        Self::ALL[self as usize].2
    }
}

/// Which points a space derivative takes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Side {
    /// Centred at the point.
    Centered,
    /// Shifted by one point to smaller indices.
    Left,
    /// Shifted by one point to larger indices.
    Right,
}

impl Side {
    /// The name as printed.
    pub fn name(self) -> &'static str {
        match self {
            Side::Centered => "centered",
            Side::Left => "left",
            Side::Right => "right",
        }
    }
}

/// A space derivative that is not yet a weighted sum.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Derivative {
    /// What is differentiated.
    pub of: ExprId,
    /// Dimension, 0 for x.
    pub dim: u8,
    /// Degree: 1 for the first derivative.
    pub degree: u8,
    /// Order of accuracy.
    pub order: u8,
    /// Which points it takes.
    pub side: Side,
    /// Where it is evaluated, in half spacings relative to the samples: 1 for half a point up.
    pub shift: i8,
    /// Transposed: the offsets are negated.
    pub transpose: bool,
    /// Weights of the user for unit spacing, at offsets from the point; `order` and `side` then mean nothing.
    pub weights: Option<Box<[(i32, Number)]>>,
}

/// How two numbers are compared. Every comparison with NaN is false.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Comparison {
    /// `a < b`
    Less,
    /// `a <= b`
    LessOrEqual,
    /// `a == b`
    Equal,
}

/// A node. `Sum` and `Product` take two or more operands and are evaluated from left to right.
/// `Sub`, `Neg`, `Div` and `Fma` exist at the tree level only, where the rounding of each operation is fixed;
/// `Derivative` exists at the stencil level only.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Expr {
    /// A literal, rounded to the type of the program where it is used.
    Number(Number),
    /// A run-time scalar.
    Scalar(ScalarId),
    /// A named value.
    Local(LocalId),
    /// A value of a field.
    Load(Access),
    /// The value of the current sparse point, at a time shift.
    Sparse(SparseId, i32),
    /// Index of the current point along a dimension (0 for x), as a number.
    Index(u8),
    /// The current step `t`, as a number.
    Step,
    /// A comparison of two numbers. Comparisons, `And`, `Or` and `Not` are *conditions*: they stand nowhere but in other
    /// conditions and as the first operand of `Select`.
    Compare(Comparison, ExprId, ExprId),
    /// Both conditions hold.
    And(ExprId, ExprId),
    /// One of the conditions holds.
    Or(ExprId, ExprId),
    /// The condition does not hold.
    Not(ExprId),
    /// The second operand where the condition holds, the third elsewhere. Both may be evaluated.
    Select(ExprId, ExprId, ExprId),
    /// `a + b + ..`
    Sum(SmallVec<[ExprId; 4]>),
    /// `a * b * ..`
    Product(SmallVec<[ExprId; 4]>),
    /// A whole power, negative for a division.
    Power(ExprId, i32),
    /// An elementary function.
    Call(Func, SmallVec<[ExprId; 2]>),
    /// A space derivative.
    Derivative(Derivative),
    /// `a - b`
    Sub(ExprId, ExprId),
    /// `-a`
    Neg(ExprId),
    /// `a / b`
    Div(ExprId, ExprId),
    /// `a * b + c`, rounded once.
    Fma(ExprId, ExprId, ExprId),
}

impl Expr {
    /// Whether it is true or false, and no number: it can have no name.
    pub fn is_condition(&self) -> bool {
        matches!(self, Expr::Compare(..) | Expr::And(..) | Expr::Or(..) | Expr::Not(_))
    }

    /// The operands, in order.
    pub fn children(&self) -> SmallVec<[ExprId; 4]> {
        match self {
            Expr::Number(_)
            | Expr::Scalar(_)
            | Expr::Local(_)
            | Expr::Load(_)
            | Expr::Index(_)
            | Expr::Step
            | Expr::Sparse(..) => SmallVec::new(),
            Expr::Compare(_, a, b) | Expr::And(a, b) | Expr::Or(a, b) => SmallVec::from_slice(&[*a, *b]),
            Expr::Not(a) => SmallVec::from_slice(&[*a]),
            Expr::Select(a, b, c) => SmallVec::from_slice(&[*a, *b, *c]),
            Expr::Sum(c) | Expr::Product(c) => c.clone(),
            Expr::Call(_, c) => SmallVec::from_slice(c),
            Expr::Power(a, _) | Expr::Neg(a) => SmallVec::from_slice(&[*a]),
            Expr::Derivative(d) => SmallVec::from_slice(&[d.of]),
            Expr::Sub(a, b) | Expr::Div(a, b) => SmallVec::from_slice(&[*a, *b]),
            Expr::Fma(a, b, c) => SmallVec::from_slice(&[*a, *b, *c]),
        }
    }

    /// The same node over other operands.
    pub fn with_children(&self, mut f: impl FnMut(ExprId) -> ExprId) -> Expr {
        match self {
            Expr::Number(_)
            | Expr::Scalar(_)
            | Expr::Local(_)
            | Expr::Load(_)
            | Expr::Index(_)
            | Expr::Step
            | Expr::Sparse(..) => self.clone(),
            Expr::Compare(op, a, b) => Expr::Compare(*op, f(*a), f(*b)),
            Expr::And(a, b) => Expr::And(f(*a), f(*b)),
            Expr::Or(a, b) => Expr::Or(f(*a), f(*b)),
            Expr::Not(a) => Expr::Not(f(*a)),
            Expr::Select(a, b, c) => Expr::Select(f(*a), f(*b), f(*c)),
            Expr::Sum(c) => Expr::Sum(c.iter().map(|e| f(*e)).collect()),
            Expr::Product(c) => Expr::Product(c.iter().map(|e| f(*e)).collect()),
            Expr::Call(g, c) => Expr::Call(*g, c.iter().map(|e| f(*e)).collect()),
            Expr::Power(a, n) => Expr::Power(f(*a), *n),
            Expr::Neg(a) => Expr::Neg(f(*a)),
            Expr::Derivative(d) => Expr::Derivative(Derivative { of: f(d.of), ..d.clone() }),
            Expr::Sub(a, b) => Expr::Sub(f(*a), f(*b)),
            Expr::Div(a, b) => Expr::Div(f(*a), f(*b)),
            Expr::Fma(a, b, c) => Expr::Fma(f(*a), f(*b), f(*c)),
        }
    }
}

/// The store of expressions of one program.
///
/// [`Arena::intern`] keeps a node as it is; [`Arena::sum`], [`Arena::product`] and [`Arena::power`] build the
/// canonical form: flat, like terms collected, numbers folded, operands sorted by id.
#[derive(Clone, Default, Debug)]
pub struct Arena {
    nodes: Vec<Expr>,
    ids: HashMap<Expr, ExprId>,
}

impl std::ops::Index<ExprId> for Arena {
    type Output = Expr;
    fn index(&self, id: ExprId) -> &Expr {
        &self.nodes[id.0 as usize]
    }
}

impl Arena {
    /// An empty arena.
    pub fn new() -> Arena {
        Arena::default()
    }

    /// Number of distinct expressions.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether nothing was interned yet.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The id of a node, which is kept as it is.
    pub fn intern(&mut self, node: Expr) -> ExprId {
        if let Some(id) = self.ids.get(&node) {
            return *id;
        }
        let id = ExprId(self.nodes.len() as u32);
        self.nodes.push(node.clone());
        self.ids.insert(node, id);
        id
    }

    /// A literal.
    pub fn number(&mut self, value: f64) -> ExprId {
        self.intern(Expr::Number(Number::new(value)))
    }

    /// A load.
    pub fn load(&mut self, access: Access) -> ExprId {
        self.intern(Expr::Load(access))
    }

    /// Makes every load of `from` a load of `to`, a field that nothing loads yet. Ids stay, and with them the order of
    /// operands: no sum is rounded otherwise than before.
    pub fn rename_loads(&mut self, from: FieldId, to: FieldId) {
        for (i, node) in self.nodes.iter_mut().enumerate() {
            if let Expr::Load(access) = node
                && access.field == from
            {
                let renamed = Expr::Load(Access { field: to, ..*access });
                self.ids.remove(node);
                self.ids.insert(renamed.clone(), ExprId(i as u32));
                *node = renamed;
            }
        }
    }

    /// The value of a literal.
    pub fn as_number(&self, id: ExprId) -> Option<f64> {
        match self[id] {
            Expr::Number(n) => Some(n.value()),
            _ => None,
        }
    }

    /// Splits `c * e` into `(c, e)`; the second is `None` for a plain number.
    pub fn split_coefficient(&mut self, id: ExprId) -> (f64, Option<ExprId>) {
        match &self[id] {
            Expr::Number(n) => (n.value(), None),
            Expr::Product(c) => match self.as_number(c[0]) {
                Some(v) if c.len() == 2 => (v, Some(c[1])),
                Some(v) => {
                    let rest = Expr::Product(SmallVec::from_slice(&c[1..]));
                    (v, Some(self.intern(rest)))
                }
                None => (1.0, Some(id)),
            },
            _ => (1.0, Some(id)),
        }
    }

    /// The canonical sum: nested sums flattened, like terms collected.
    pub fn sum(&mut self, terms: impl IntoIterator<Item = ExprId>) -> ExprId {
        let mut constant = 0.0;
        let mut order: Vec<ExprId> = Vec::new();
        let mut coefficients: HashMap<ExprId, f64> = HashMap::new();
        let mut stack: Vec<ExprId> = terms.into_iter().collect();
        stack.reverse();
        while let Some(term) = stack.pop() {
            if let Expr::Sum(inner) = &self[term] {
                stack.extend(inner.iter().rev());
                continue;
            }
            match self.split_coefficient(term) {
                (c, None) => constant += c,
                (c, Some(rest)) => {
                    *coefficients.entry(rest).or_insert_with(|| {
                        order.push(rest);
                        0.0
                    }) += c;
                }
            }
        }
        order.sort();
        let mut children: SmallVec<[ExprId; 4]> = SmallVec::new();
        for rest in order {
            let c = coefficients[&rest];
            if c != 0.0 {
                children.push(self.scaled(c, rest));
            }
        }
        if constant != 0.0 || children.is_empty() {
            let k = self.number(constant);
            children.insert(0, k);
        }
        match children.len() {
            1 => children[0],
            _ => self.intern(Expr::Sum(children)),
        }
    }

    /// `c * e`, with a sum left factored.
    pub fn scaled(&mut self, c: f64, e: ExprId) -> ExprId {
        let k = self.number(c);
        self.product([k, e])
    }

    /// The canonical product: nested products flattened, equal factors collected into powers, the number first.
    pub fn product(&mut self, factors: impl IntoIterator<Item = ExprId>) -> ExprId {
        let mut constant = 1.0;
        let mut order: Vec<ExprId> = Vec::new();
        let mut exponents: HashMap<ExprId, i32> = HashMap::new();
        let mut stack: Vec<ExprId> = factors.into_iter().collect();
        stack.reverse();
        while let Some(factor) = stack.pop() {
            let (base, n) = match &self[factor] {
                Expr::Product(inner) => {
                    stack.extend(inner.iter().rev());
                    continue;
                }
                Expr::Number(v) => {
                    constant *= v.value();
                    continue;
                }
                Expr::Power(base, n) => (*base, *n),
                _ => (factor, 1),
            };
            let sum = exponents.entry(base).or_insert_with(|| {
                order.push(base);
                0
            });
            *sum = sum.saturating_add(n);
        }
        if constant == 0.0 {
            return self.number(0.0);
        }
        order.sort();
        let mut children: SmallVec<[ExprId; 4]> = SmallVec::new();
        for base in order {
            match exponents[&base] {
                0 => {}
                1 => children.push(base),
                n => children.push(self.intern(Expr::Power(base, n))),
            }
        }
        if constant != 1.0 || children.is_empty() {
            let k = self.number(constant);
            children.insert(0, k);
        }
        match children.len() {
            1 => children[0],
            _ => self.intern(Expr::Product(children)),
        }
    }

    /// A whole power of an expression.
    pub fn power(&mut self, base: ExprId, n: i32) -> ExprId {
        match &self[base] {
            _ if n == 0 => self.number(1.0),
            _ if n == 1 => base,
            Expr::Number(v) => {
                let value = v.value().powi(n);
                self.number(value)
            }
            Expr::Power(inner, m) if m.checked_mul(n).is_some() => {
                let (inner, m) = (*inner, *m);
                self.intern(Expr::Power(inner, m * n))
            }
            Expr::Product(factors) => {
                let factors = factors.clone();
                let powers: Vec<ExprId> = factors.iter().map(|f| self.power(*f, n)).collect();
                self.product(powers)
            }
            _ => self.intern(Expr::Power(base, n)),
        }
    }

    /// Rebuilds an expression bottom-up in canonical form, replacing each node for which `leaf` answers.
    /// Shared nodes are rebuilt once.
    pub fn rewrite(
        &mut self,
        root: ExprId,
        leaf: &mut impl FnMut(&mut Arena, ExprId) -> Option<ExprId>,
    ) -> ExprId {
        self.rewrite_memo(root, leaf, &mut HashMap::new())
    }

    fn rewrite_memo(
        &mut self,
        id: ExprId,
        leaf: &mut impl FnMut(&mut Arena, ExprId) -> Option<ExprId>,
        memo: &mut HashMap<ExprId, ExprId>,
    ) -> ExprId {
        if let Some(done) = memo.get(&id) {
            return *done;
        }
        let result = match leaf(self, id) {
            Some(new) => new,
            None => {
                let node = self[id].clone();
                let children: SmallVec<[ExprId; 4]> =
                    node.children().iter().map(|c| self.rewrite_memo(*c, leaf, memo)).collect();
                self.rebuild(&node, &children)
            }
        };
        memo.insert(id, result);
        result
    }

    /// The node over other operands, in canonical form.
    pub fn rebuild(&mut self, node: &Expr, children: &[ExprId]) -> ExprId {
        match node {
            Expr::Sum(_) => self.sum(children.iter().copied()),
            Expr::Product(_) => self.product(children.iter().copied()),
            Expr::Power(_, n) => self.power(children[0], *n),
            _ => {
                let mut next = children.iter();
                let node = node.with_children(|c| *next.next().unwrap_or(&c));
                self.intern(node)
            }
        }
    }

    /// Calls `f` once for every distinct expression below and including `root`, operands first.
    pub fn visit(&self, root: ExprId, f: &mut impl FnMut(ExprId, &Expr)) {
        self.visit_all([root], f);
    }

    /// Like [`Arena::visit`], over several roots, each distinct expression once.
    pub fn visit_all(&self, roots: impl IntoIterator<Item = ExprId>, f: &mut impl FnMut(ExprId, &Expr)) {
        let mut seen = std::collections::HashSet::new();
        for root in roots {
            let mut stack = vec![(root, false)];
            while let Some((id, expanded)) = stack.pop() {
                if expanded {
                    f(id, &self[id]);
                } else if seen.insert(id) {
                    stack.push((id, true));
                    stack.extend(self[id].children().iter().rev().map(|c| (*c, false)));
                }
            }
        }
    }

    /// All loads below `root`, each once.
    pub fn loads(&self, root: ExprId) -> Vec<Access> {
        let mut loads = Vec::new();
        self.visit(root, &mut |_, e| {
            if let Expr::Load(a) = e {
                loads.push(*a);
            }
        });
        loads
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arena() -> (Arena, ExprId, ExprId) {
        let mut a = Arena::new();
        let u = a.load(Access::here(FieldId(0), 0));
        let v = a.load(Access::here(FieldId(1), 0));
        (a, u, v)
    }

    #[test]
    fn sums_collect_like_terms_in_any_order() {
        let (mut a, u, v) = arena();
        let two_u = a.scaled(2.0, u);
        let left = a.sum([u, v, two_u]);
        let three_u = a.scaled(3.0, u);
        let right = a.sum([v, three_u]);
        assert_eq!(left, right);
        let minus = a.scaled(-3.0, u);
        assert_eq!(a.sum([left, minus]), v);
    }

    #[test]
    fn products_collect_powers() {
        let (mut a, u, v) = arena();
        let inverse = a.power(u, -1);
        assert_eq!(a.product([u, v, inverse]), v);
        let p = a.product([u, v, u]);
        let q = a.power(u, 2);
        assert_eq!(p, a.product([v, q]));
        let zero = a.number(0.0);
        assert_eq!(a.product([p, zero]), zero);
    }

    #[test]
    fn renamed_loads_keep_their_place() {
        let (mut a, u, v) = arena();
        let sum = a.sum([u, v]);
        a.rename_loads(FieldId(0), FieldId(9));
        let renamed = a.load(Access::here(FieldId(9), 0));
        assert_eq!(renamed, u);
        assert_eq!(a.sum([v, renamed]), sum);
        let fresh = a.load(Access::here(FieldId(0), 0));
        assert_ne!(fresh, u);
    }

    #[test]
    fn rewriting_shares_work() {
        let (mut a, u, v) = arena();
        let mut e = a.sum([u, v]);
        for _ in 0..60 {
            let square = a.intern(Expr::Call(Func::Max, SmallVec::from_slice(&[e, e])));
            e = a.sum([square, u]);
        }
        let mut calls = 0;
        a.rewrite(e, &mut |_, id| {
            calls += 1;
            (id == u).then_some(v)
        });
        assert!(calls < 200, "{calls}");
    }
}
