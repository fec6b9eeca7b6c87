//! `cse`: an expression used more than once at a point is computed once and named.
//!
//! ```text
//! a[x] = (u + v)*w;  b[x] = (u + v)^2   ->   r0 = u + v;  a[x] = r0*w;  b[x] = r0^2
//! ```
//! Expressions that load what the cluster itself writes change their value on the way, so they are shared only
//! within one statement.

use std::collections::{HashMap, HashSet};
use wavefold_ir::cluster::{Action, PointStatement, Program};
use wavefold_ir::{Access, Arena, Decls, Expr, ExprId, LocalId};

/// Names common subexpressions in every loop nest.
pub fn cse(mut p: Program) -> Program {
    let mut next = p.next_local();
    for cluster in p.first.iter_mut().chain(&mut p.clusters) {
        if let Action::Points { stages, statements, .. } = &mut cluster.action {
            for list in stages.iter_mut().map(|stage| &mut stage.statements).chain([statements]) {
                let old = std::mem::take(list);
                let mut cse = Cse::new(&p.decls, &p.exprs, &old, next);
                for s in &old {
                    cse.statement(&mut p.exprs, s, list);
                }
                next = cse.next;
            }
        }
    }
    p
}

struct Cse {
    /// Fields that the cluster writes, and expressions that load one of them.
    changing: HashSet<ExprId>,
    /// Uses over all statements.
    uses: HashMap<ExprId, usize>,
    names: HashMap<ExprId, LocalId>,
    next: LocalId,
}

impl Cse {
    fn new(decls: &Decls, exprs: &Arena, statements: &[PointStatement], next: LocalId) -> Cse {
        let written: Vec<Access> = statements
            .iter()
            .filter_map(|s| match s {
                PointStatement::Assign { target, .. } => Some(*target),
                PointStatement::Let { .. } => None,
            })
            .collect();
        let mut changing = HashSet::new();
        exprs.visit_all(statements.iter().map(|s| s.value()), &mut |id, e| {
            let is_written = |a: &Access| {
                written.iter().any(|w| w.field == a.field && decls.field(a.field).same_slot(w.time, a.time))
            };
            let loads_written = matches!(e, Expr::Load(a) if is_written(a));
            if loads_written || e.children().iter().any(|c| changing.contains(c)) {
                changing.insert(id);
            }
        });
        let uses = uses(exprs, statements.iter().map(|s| s.value()));
        Cse { changing, uses, names: HashMap::new(), next }
    }

    fn statement(&mut self, exprs: &mut Arena, s: &PointStatement, out: &mut Vec<PointStatement>) {
        let local_uses = uses(exprs, [s.value()]);
        let mut order = Vec::new();
        exprs.visit(s.value(), &mut |id, _| order.push(id));
        let mut here: HashMap<ExprId, ExprId> = HashMap::new();
        for id in order {
            let node = exprs[id].clone();
            let rebuilt = exprs.intern(node.with_children(|c| here[&c]));
            let changing = self.changing.contains(&id);
            let count = if changing { local_uses.get(&id) } else { self.uses.get(&id) };
            let shared = !is_trivial(exprs, &node) && count.is_some_and(|n| *n > 1);
            let result = match (shared, self.names.get(&id)) {
                (false, _) => rebuilt,
                (true, Some(local)) if !changing => exprs.intern(Expr::Local(*local)),
                (true, _) => {
                    let local = self.next;
                    self.next = LocalId(local.0 + 1);
                    self.names.insert(id, local);
                    out.push(PointStatement::Let { local, value: rebuilt });
                    exprs.intern(Expr::Local(local))
                }
            };
            here.insert(id, result);
        }
        out.push(s.with_value(here[&s.value()]));
    }
}

/// Leaves, conditions, which are no values, and the negation of anything: a sum subtracts it at no cost.
fn is_trivial(exprs: &Arena, node: &Expr) -> bool {
    match node {
        Expr::Product(c) => c.len() == 2 && exprs.as_number(c[0]) == Some(-1.0),
        _ => node.children().is_empty() || node.is_condition(),
    }
}

/// How often each expression is used: by other expressions, by statements, and by whole powers, which
/// multiply their base with itself. What a condition compares is used as often as the condition, which gets no name.
fn uses(exprs: &Arena, roots: impl IntoIterator<Item = ExprId>) -> HashMap<ExprId, usize> {
    let mut uses = HashMap::new();
    let mut conditions = Vec::new();
    let roots: Vec<ExprId> = roots.into_iter().collect();
    exprs.visit_all(roots.iter().copied(), &mut |id, e| {
        if e.is_condition() {
            conditions.push(id);
        }
        let weight = match e {
            Expr::Power(_, n) if n.unsigned_abs() > 1 => 2,
            _ => 1,
        };
        for c in e.children() {
            *uses.entry(c).or_insert(0) += weight;
        }
    });
    for root in roots {
        *uses.entry(root).or_insert(0) += 1;
    }
    // Whole conditions before their parts.
    for id in conditions.into_iter().rev() {
        let again = uses.get(&id).map_or(0, |n: &usize| n - 1);
        for c in exprs[id].children() {
            *uses.entry(c).or_insert(0) += again;
        }
    }
    uses
}
