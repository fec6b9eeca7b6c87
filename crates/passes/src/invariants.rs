//! `invariants`: what does not change during a run is computed once, for every point.
//!
//! ```text
//! u[t+1, x] = sin(theta[x])*u[t, x]   ->   first: inv[x] = sin(theta[x]);   u[t+1, x] = inv[x]*u[t, x]
//! ```
//! Functions of space that the operator does not write are constants of the run. An expression over them is worth a field
//! of its own when it is expensive, or when the field takes the place of those it is made of. Its halo is filled too, from
//! theirs.

use std::collections::{HashMap, HashSet};
use wavefold_ir::stencil::{Action, Program, Statement};
use wavefold_ir::{Access, Arena, Decls, Expr, ExprId, Field, FieldId, FieldKind, Func};

/// Cost from which an expression is worth one more array to read: that of an elementary function.
const EXPENSIVE: usize = 20;
/// Cost from which it is worth taking the place of the arrays that it is made of.
const WORTH: usize = 5;

/// Moves invariants of assignments before the time loop. A program without time loop runs once anyway.
pub fn invariants(mut p: Program) -> Program {
    if !matches!(crate::direction(&p), Ok(Some(_))) {
        return p;
    }
    let mut search = Search::new(&p);
    for s in &p.statements {
        match s.action {
            Action::Assign { value, .. } => search.collect(&mut p.exprs, value),
            // Sparse points read little.
            Action::Inject { .. } | Action::Interpolate { .. } => {}
            _ => search.elsewhere.extend(p.exprs.loads(s.action.value()).iter().map(|a| a.field)),
        }
    }
    let chosen = search.chosen(&p.exprs);
    let mut names: HashMap<ExprId, ExprId> = HashMap::new();
    let mut first = Vec::new();
    for value in chosen {
        let field = field(&mut p.decls, &p.exprs, value);
        let action = Action::Assign { target: Access::here(field, 0), value, increment: false };
        let region = p.decls.with_halo(p.decls.field(field).halo);
        first.push(Statement { action, region, source: String::new() });
        names.insert(value, p.exprs.load(Access::here(field, 0)));
    }
    if names.is_empty() {
        return p;
    }
    let mut done = HashMap::new();
    for s in p.statements.iter_mut().filter(|s| matches!(s.action, Action::Assign { .. })) {
        let value = replace(&mut p.exprs, s.action.value(), &names, &mut done);
        s.action.set_value(value);
    }
    first.append(&mut p.statements);
    p.statements = first;
    p
}

/// What does not change during a run, and reads the current point alone.
pub(crate) struct Constants {
    /// Functions of space that are not written.
    fields: HashSet<FieldId>,
    known: HashMap<ExprId, bool>,
}

impl Constants {
    pub(crate) fn of(p: &Program) -> Constants {
        let written: HashSet<FieldId> =
            p.statements.iter().filter_map(|s| s.action.target()).map(|a| a.field).collect();
        let is_constant = |id: &FieldId| {
            let field = p.decls.field(*id);
            field.kind == FieldKind::Space && field.window.is_none() && !written.contains(id)
        };
        Constants { fields: p.decls.field_ids().filter(is_constant).collect(), known: HashMap::new() }
    }

    /// Whether nothing in an expression changes during a run.
    pub(crate) fn has(&mut self, exprs: &Arena, root: ExprId) -> bool {
        if let Some(known) = self.known.get(&root) {
            return *known;
        }
        exprs.visit(root, &mut |id, e| {
            let constant = match e {
                Expr::Number(_) | Expr::Scalar(_) | Expr::Index(_) => true,
                Expr::Load(a) => a.is_here() && self.fields.contains(&a.field),
                Expr::Local(_) | Expr::Sparse(..) | Expr::Step | Expr::Derivative(_) => false,
                e => e.children().iter().all(|c| self.known[c]),
            };
            self.known.insert(id, constant);
        });
        self.known[&root]
    }

    /// The constant factors of a product that has others as well, as one product.
    fn part(&mut self, exprs: &mut Arena, id: ExprId) -> Option<(ExprId, Vec<ExprId>)> {
        let Expr::Product(factors) = exprs[id].clone() else { return None };
        let (same, others): (Vec<ExprId>, Vec<ExprId>) =
            factors.into_iter().partition(|f| self.has(exprs, *f));
        // Numbers and scalars go well with what changes: they stay outside.
        let (with, without): (Vec<ExprId>, Vec<ExprId>) =
            same.into_iter().partition(|c| !exprs.loads(*c).is_empty());
        if with.len() < 2 || others.is_empty() {
            return None;
        }
        let part = exprs.product(with);
        self.known.insert(part, true);
        Some((part, without.into_iter().chain(others).collect()))
    }
}

/// Largest constant expressions that hold a function, of the assignments of a program.
struct Search {
    constants: Constants,
    found: Vec<ExprId>,
    /// Functions that are read besides, at every point.
    elsewhere: HashSet<FieldId>,
    seen: HashSet<ExprId>,
}

impl Search {
    fn new(p: &Program) -> Search {
        let (found, elsewhere, seen) = (vec![], HashSet::new(), HashSet::new());
        Search { constants: Constants::of(p), found, elsewhere, seen }
    }

    fn collect(&mut self, exprs: &mut Arena, id: ExprId) {
        if !self.seen.insert(id) {
            return;
        }
        // A condition is no number that a field could keep; what it compares is.
        let condition = matches!(exprs[id], Expr::Compare(..) | Expr::And(..) | Expr::Or(..) | Expr::Not(_));
        let reads = !exprs.loads(id).is_empty();
        if !condition && reads && self.constants.has(exprs, id) && cost(exprs, id) >= WORTH {
            if !self.found.contains(&id) {
                self.found.push(id);
            }
            return;
        }
        if let Expr::Load(a) = exprs[id] {
            self.elsewhere.insert(a.field);
        }
        match self.constants.part(exprs, id) {
            Some((part, others)) => {
                self.collect(exprs, part);
                others.into_iter().for_each(|c| self.collect(exprs, c));
            }
            None => exprs[id].children().into_iter().for_each(|c| self.collect(exprs, c)),
        }
    }

    /// Those that are worth a field: because they are expensive, or because they and all that share functions with them, with
    /// what is read of these besides, are at most as many.
    fn chosen(&self, exprs: &Arena) -> Vec<ExprId> {
        let fields = |id: &ExprId| -> HashSet<FieldId> { exprs.loads(*id).iter().map(|a| a.field).collect() };
        let mut families: Vec<(HashSet<FieldId>, Vec<ExprId>)> = Vec::new();
        for id in &self.found {
            let mut family = (fields(id), vec![*id]);
            for other in families.extract_if(.., |f| !f.0.is_disjoint(&family.0)).collect::<Vec<_>>() {
                family.0.extend(other.0);
                family.1.extend(other.1);
            }
            families.push(family);
        }
        let worth = |id: &ExprId| {
            cost(exprs, *id) >= EXPENSIVE
                || families.iter().any(|(fields, all)| {
                    let kept = fields.intersection(&self.elsewhere).count();
                    all.contains(id) && all.len() + kept <= fields.len()
                })
        };
        self.found.iter().copied().filter(worth).collect()
    }
}

/// A rough cost in cycles for a vector of points.
fn cost(exprs: &Arena, root: ExprId) -> usize {
    let mut cost = 0;
    exprs.visit(root, &mut |_, e| {
        cost += match e {
            Expr::Sum(c) | Expr::Product(c) => c.len() - 1,
            Expr::Power(_, n) if *n < 0 => 5,
            Expr::Power(..) | Expr::Select(..) | Expr::Compare(..) => 1,
            Expr::Call(Func::Sqrt, _) => 5,
            Expr::Call(Func::Abs | Func::Floor | Func::Ceil | Func::Min | Func::Max, _) => 1,
            Expr::Call(..) => EXPENSIVE,
            _ => 0,
        };
    });
    cost
}

fn field(decls: &mut Decls, exprs: &Arena, value: ExprId) -> FieldId {
    let halo = exprs.loads(value).iter().map(|a| decls.field(a.field).halo).min().unwrap_or(0);
    let (name, dtype, kind) = (decls.fresh_name("inv"), decls.dtype, FieldKind::Invariant);
    decls.add_field(Field {
        name,
        kind,
        dtype,
        halo,
        window: None,
        tight: false,
        layout: None,
        by_rows: false,
    })
}

fn replace(
    exprs: &mut Arena,
    root: ExprId,
    names: &HashMap<ExprId, ExprId>,
    done: &mut HashMap<ExprId, ExprId>,
) -> ExprId {
    exprs.rewrite(root, &mut |exprs, id| {
        if let Some(known) = names.get(&id).or_else(|| done.get(&id)) {
            return Some(*known);
        }
        // A product whose constant factors were named together.
        let Expr::Product(factors) = exprs[id].clone() else { return None };
        let named: Vec<(ExprId, ExprId)> = names.iter().map(|(value, load)| (*value, *load)).collect();
        let holds = |value: ExprId| match &exprs[value] {
            Expr::Product(inner) => inner.iter().all(|f| factors.contains(f)),
            _ => false,
        };
        let (value, load) = named
            .into_iter()
            .filter(|(v, _)| holds(*v))
            .max_by_key(|(v, _)| (exprs[*v].children().len(), *v))?;
        let inner = exprs[value].children();
        let others: Vec<ExprId> = factors.into_iter().filter(|f| !inner.contains(f)).collect();
        let others: Vec<ExprId> = others.into_iter().map(|f| replace(exprs, f, names, done)).collect();
        let new = exprs.product(others.into_iter().chain([load]));
        done.insert(id, new);
        Some(new)
    })
}
