//! How much memory a step moves, by the compiler's own count.

use std::collections::HashSet;
use wavefold_ir::tree::{Program, Stmt};
use wavefold_ir::{Expr, FieldId};

/// Bytes that the loop nests of one step read and write per point of the domain: each time level that a nest reads
/// counts once, each that it writes once (what a perfect cache would move).
pub(crate) fn bytes_per_point(p: &Program) -> f64 {
    let mut streams = 0usize;
    for_each_nest(&p.body, &mut |nest| {
        let mut read: HashSet<(FieldId, i32)> = HashSet::new();
        let mut written: HashSet<(FieldId, i32)> = HashSet::new();
        nest.visit(&mut |s| {
            if let Some(value) = s.value() {
                p.exprs.visit(value, &mut |_, e| {
                    if let Expr::Load(a) = e {
                        read.insert((a.field, a.time));
                    }
                });
            }
            if let Stmt::Assign { target, increment, .. } = s {
                written.insert((target.field, target.time));
                if *increment {
                    read.insert((target.field, target.time));
                }
            }
        });
        streams += read.len() + written.len();
    });
    (streams * p.decls.dtype.size()) as f64
}

fn for_each_nest(body: &[Stmt], f: &mut impl FnMut(&Stmt)) {
    for s in body {
        match s {
            Stmt::Nest { .. } => f(s),
            other => for_each_nest(other.body(), f),
        }
    }
}
