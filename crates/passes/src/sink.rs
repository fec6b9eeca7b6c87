//! `sink`: stores at the end of a point.
//!
//! ```text
//! simd z { u[x] = f(x); u[x+1] = f(x+1) }   ->   simd z { a = f(x); b = f(x+1); u[x] = a; u[x+1] = b }
//! ```
//! A C compiler does not know that what is stored in between lies elsewhere, and reads once more what statements on both sides
//! of a store have in common: in a stencil for two planes at a time one load in six at order 8. The tree knows. Values, and the
//! order of the stores, stay as they are.

use std::collections::HashSet;
use wavefold_ir::tree::{Loop, Program, Stmt};
use wavefold_ir::{Access, Arena, Decls, Expr, LocalId};

/// Most values that may wait for their stores: they are in registers meanwhile.
const MOST: usize = 16;

/// Sinks the stores of every row that gains by it.
pub fn sink(mut p: Program) -> Program {
    let next = p.next_local();
    let mut sink = Sink { decls: &p.decls, exprs: &mut p.exprs, next };
    sink.block(&mut p.body);
    p
}

struct Sink<'a> {
    decls: &'a Decls,
    exprs: &'a mut Arena,
    /// Names from here on are free.
    next: LocalId,
}

impl Sink<'_> {
    fn block(&mut self, body: &mut [Stmt]) {
        for s in body {
            match s {
                Stmt::Loop(l) | Stmt::Nest { outer: l, .. } if l.form.is_simd() => self.row(l),
                s => self.block(s.body_mut()),
            }
        }
    }

    fn row(&mut self, l: &mut Loop) {
        let loads = |s: &Stmt| s.value().map(|v| self.exprs.loads(v)).unwrap_or_default();
        let loads: Vec<Vec<Access>> = l.body.iter().map(loads).collect();
        let sinks: Vec<bool> =
            (0..l.body.len()).map(|i| self.sinks(&l.body[i], &l.body[i + 1..], &loads[i + 1..])).collect();
        let count = sinks.iter().filter(|s| **s).count();
        if !(2..=MOST).contains(&count) || !shares(&loads, &sinks) {
            return;
        }
        let mut values = Vec::new();
        let mut stores = Vec::new();
        for (s, sinks) in std::mem::take(&mut l.body).into_iter().zip(sinks) {
            match s {
                // What has a name keeps it.
                Stmt::Assign { target, value, increment }
                    if sinks && !matches!(self.exprs[value], Expr::Local(_)) =>
                {
                    let local = self.next;
                    self.next = LocalId(local.0 + 1);
                    values.push(Stmt::Let { local, value });
                    let value = self.exprs.intern(Expr::Local(local));
                    stores.push(Stmt::Assign { target, value, increment });
                }
                s if sinks => stores.push(s),
                s => values.push(s),
            }
        }
        values.append(&mut stores);
        l.body = values;
    }

    /// Whether a statement is a store that nothing `behind` it, with these loads, reads or overwrites.
    fn sinks(&self, s: &Stmt, behind: &[Stmt], loads: &[Vec<Access>]) -> bool {
        let Some(target) = s.assigned() else { return false };
        let meets = |a: &Access| {
            a.field == target.field
                && self.decls.field(a.field).same_slot(a.time, target.time)
                && a.offsets == target.offsets
        };
        !behind.iter().filter_map(Stmt::assigned).chain(loads.iter().flatten()).any(meets)
    }
}

/// Whether statements on both sides of a store that sinks read the same.
fn shares(loads: &[Vec<Access>], sinks: &[bool]) -> bool {
    let mut read: HashSet<&Access> = HashSet::new();
    let mut before: HashSet<&Access> = HashSet::new();
    loads.iter().zip(sinks).any(|(loads, sinks)| {
        let again = loads.iter().any(|a| before.contains(a));
        read.extend(loads);
        if *sinks {
            before.extend(read.drain());
        }
        again
    })
}
