//! Looking through and rebuilding expressions.

use std::collections::{HashMap, HashSet};

use smallvec::SmallVec;

use crate::{Access, Constant, Derivative, Dim, Expr, FunctionRef, Node, SparseRef, validate};

impl Expr {
    /// The direct parts, in order.
    #[must_use]
    pub fn children(&self) -> SmallVec<[&Self; 4]> {
        match self.node() {
            Node::Add(list) | Node::Mul(list) => list.iter().collect(),
            Node::Pow(base, exponent) => SmallVec::from_iter([base, exponent]),
            Node::Call(_, argument) => SmallVec::from_iter([argument]),
            Node::Extremum(_, a, b) => SmallVec::from_iter([a, b]),
            Node::Select(condition, a, b) => condition.numbers().into_iter().chain([a, b]).collect(),
            Node::Derivative(derivative) => SmallVec::from_iter([&derivative.expr]),
            _ => SmallVec::new(),
        }
    }

    /// Calls `visit` on the expression and everything below it, parents first, left to right.
    ///
    /// A shared part is visited once, where it stands first: an expression built from itself in a loop has
    /// exponentially many places.
    pub fn walk<'a>(&'a self, mut visit: impl FnMut(&'a Self)) {
        self.search(|expr| {
            visit(expr);
            false
        });
    }

    /// Whether the expression or anything below it has a node for which `test` holds.
    pub fn any(&self, mut test: impl FnMut(&Node) -> bool) -> bool {
        self.search(|expr| test(expr.node()))
    }

    /// Walks until `test` holds. The stack is on the heap: trees may be deeper than threads allow.
    fn search<'a>(&'a self, mut test: impl FnMut(&'a Self) -> bool) -> bool {
        let mut seen: HashSet<*const Node> = HashSet::new();
        let mut pending = vec![self];
        while let Some(expr) = pending.pop() {
            let children = expr.children();
            if !children.is_empty() && !seen.insert(expr.node()) {
                continue;
            }
            if test(expr) {
                return true;
            }
            pending.extend(children.into_iter().rev());
        }
        false
    }

    /// Levels of nesting; 1 for a leaf.
    #[must_use]
    pub fn depth(&self) -> usize {
        let mut known: HashMap<*const Node, usize> = HashMap::new();
        let mut pending = vec![(self, false)];
        while let Some((expr, parts_known)) = pending.pop() {
            let key: *const Node = expr.node();
            let children = expr.children();
            if children.is_empty() || parts_known {
                let below = children.iter().filter_map(|c| known.get(&std::ptr::from_ref(c.node()))).max();
                known.insert(key, 1 + below.copied().unwrap_or(0));
            } else if !known.contains_key(&key) {
                pending.push((expr, true));
                pending.extend(children.into_iter().map(|child| (child, false)));
            }
        }
        known.get(&std::ptr::from_ref(self.node())).copied().unwrap_or(1)
    }

    /// Every access, in order of appearance.
    #[must_use]
    pub fn accesses(&self) -> Vec<&Access> {
        let mut found = Vec::new();
        self.walk(|expr| found.extend(expr.as_access()));
        found
    }

    /// The functions on the grid, each once, in order of appearance.
    #[must_use]
    pub fn functions(&self) -> Vec<FunctionRef> {
        distinct(self, |node| if let Node::Access(access) = node { Some(&access.function) } else { None })
    }

    /// The sparse functions, each once, in order of appearance.
    #[must_use]
    pub fn sparse(&self) -> Vec<SparseRef> {
        distinct(self, |node| if let Node::Sparse { sparse, .. } = node { Some(sparse) } else { None })
    }

    /// The constants, each once, in order of appearance.
    #[must_use]
    pub fn constants(&self) -> Vec<Constant> {
        distinct(self, |node| if let Node::Constant(constant) = node { Some(constant) } else { None })
    }

    /// Whether `part` stands anywhere in the expression.
    #[must_use]
    pub fn contains(&self, part: &Self) -> bool {
        self.any(|node| node == part.node())
    }

    /// Rebuilds the expression from the leaves up: `map` sees each node after its parts were rebuilt.
    ///
    /// Parts that do not change stay shared with the original, and shared parts are rebuilt once. An expression nested too deeply to be
    /// compiled is returned as it is, for [`Expr::check`] to name.
    #[must_use]
    pub fn rebuild(&self, map: &mut dyn FnMut(Self) -> Self) -> Self {
        if validate::depth(self).is_ok() {
            self.rebuild_below(map, &mut HashMap::new())
        } else {
            self.clone()
        }
    }

    fn rebuild_below(&self, map: &mut dyn FnMut(Self) -> Self, done: &mut Rebuilt) -> Self {
        let key: *const Node = self.node();
        if let Some(rebuilt) = done.get(&key) {
            return rebuilt.clone();
        }
        let rebuilt = match self.node() {
            Node::Add(list) => rebuild_list(list, map, done).map(Self::sum),
            Node::Mul(list) => rebuild_list(list, map, done).map(Self::product),
            Node::Pow(base, exponent) => {
                let (new_base, new_exponent) =
                    (base.rebuild_below(map, done), exponent.rebuild_below(map, done));
                let same = new_base.is_same(base) && new_exponent.is_same(exponent);
                (!same).then(|| Self::power(new_base, new_exponent))
            }
            Node::Call(function, argument) => {
                let new = argument.rebuild_below(map, done);
                (!new.is_same(argument)).then(|| Self::call(*function, new))
            }
            Node::Extremum(which, a, b) => {
                let (new_a, new_b) = (a.rebuild_below(map, done), b.rebuild_below(map, done));
                let same = new_a.is_same(a) && new_b.is_same(b);
                (!same).then(|| Self::from_node(Node::Extremum(*which, new_a, new_b)))
            }
            Node::Select(condition, a, b) => {
                let condition = condition.map(&mut |number| number.rebuild_below(map, done));
                let (a, b) = (a.rebuild_below(map, done), b.rebuild_below(map, done));
                Some(Self::from_node(Node::Select(condition, a, b)))
            }
            Node::Derivative(derivative) => {
                let expr = derivative.expr.rebuild_below(map, done);
                (!expr.is_same(&derivative.expr))
                    .then(|| Self::derivative(Derivative { expr, ..derivative.clone() }))
            }
            _ => None,
        };
        let rebuilt = map(rebuilt.unwrap_or_else(|| self.clone()));
        done.insert(key, rebuilt.clone());
        rebuilt
    }

    /// The same node over other parts, simplified as when it is made.
    pub(crate) fn with_children(&self, map: &mut dyn FnMut(&Self) -> Self) -> Self {
        match self.node() {
            Node::Add(list) => Self::sum(list.iter().map(map).collect::<Vec<_>>()),
            Node::Mul(list) => Self::product(list.iter().map(map).collect::<Vec<_>>()),
            Node::Pow(base, exponent) => Self::power(map(base), map(exponent)),
            Node::Call(function, argument) => Self::call(*function, map(argument)),
            Node::Extremum(which, a, b) => Self::from_node(Node::Extremum(*which, map(a), map(b))),
            Node::Select(condition, a, b) => {
                Self::from_node(Node::Select(condition.map(map), map(a), map(b)))
            }
            Node::Derivative(d) => Self::derivative(Derivative { expr: map(&d.expr), ..d.clone() }),
            _ => self.clone(),
        }
    }

    /// The expression `k` points further along a dimension (steps, in time).
    #[must_use]
    pub fn shifted(&self, dim: Dim, k: i32) -> Self {
        if k == 0 {
            return self.clone();
        }
        self.rebuild(&mut |expr| match (expr.node(), dim) {
            (Node::Access(access), Dim::Time) if access.function.is_time() => {
                let time = access.time.saturating_add(k);
                Self::from_node(Node::Access(Access { time, ..access.clone() }))
            }
            (Node::Access(access), Dim::Space(i)) => {
                let mut access = access.clone();
                if access.offsets.len() <= i {
                    // Kept for the check to name: the grid has no such dimension.
                    access.offsets.resize(i.min(3) + 1, 0);
                }
                if let Some(offset) = access.offsets.get_mut(i) {
                    *offset = offset.saturating_add(k);
                }
                Self::from_node(Node::Access(access))
            }
            (Node::Index(along), _) if *along == dim => expr + k,
            (Node::Sparse { sparse, time }, Dim::Time) if sparse.steps().is_some() => {
                Self::from_node(Node::Sparse { sparse: sparse.clone(), time: time.saturating_add(k) })
            }
            _ => expr,
        })
    }

    /// The expression at the next step.
    #[must_use]
    pub fn forward(&self) -> Self {
        self.shifted(Dim::Time, 1)
    }

    /// The expression at the previous step.
    #[must_use]
    pub fn backward(&self) -> Self {
        self.shifted(Dim::Time, -1)
    }

    /// The expression `k` steps ahead.
    #[must_use]
    pub fn forward_by(&self, k: i32) -> Self {
        self.shifted(Dim::Time, k)
    }

    /// The expression `k` steps back.
    #[must_use]
    pub fn backward_by(&self, k: i32) -> Self {
        self.shifted(Dim::Time, k.saturating_neg())
    }
}

/// Nodes that were rebuilt, by address. All of them are part of the expression being rebuilt, which outlives this.
type Rebuilt = HashMap<*const Node, Expr>;

/// The rebuilt parts, or `None` if none changed.
fn rebuild_list(list: &[Expr], map: &mut dyn FnMut(Expr) -> Expr, done: &mut Rebuilt) -> Option<Vec<Expr>> {
    let new: Vec<_> = list.iter().map(|expr| expr.rebuild_below(map, done)).collect();
    let same = new.iter().zip(list).all(|(new, old)| new.is_same(old));
    (!same).then_some(new)
}

fn distinct<'a, T: Clone + Eq + std::hash::Hash + 'a>(
    expr: &'a Expr,
    part: impl Fn(&'a Node) -> Option<&'a T>,
) -> Vec<T> {
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    expr.walk(|expr| {
        if let Some(value) = part(expr.node())
            && seen.insert(value)
        {
            found.push(value.clone());
        }
    });
    found
}
