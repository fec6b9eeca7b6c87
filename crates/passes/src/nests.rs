//! What several passes over the tree share.

use wavefold_ir::tree::{Loop, Program, Stmt};

/// Calls `f` for the outermost loop of every nest that is done as a whole: those in fronts go tile by tile.
pub(crate) fn nests(body: &mut [Stmt], f: &mut impl FnMut(&mut Loop)) {
    for s in body {
        match s {
            Stmt::Time { body, .. }
            | Stmt::First(body)
            | Stmt::When { body, .. }
            | Stmt::Until { body, .. } => nests(body, f),
            Stmt::Nest { outer, .. } => f(outer),
            _ => {}
        }
    }
}

/// Marks the tables of the sparse points that are done tile by tile, in fronts and nests.
pub(crate) fn by_planes(p: &mut Program) {
    let mut tables = Vec::new();
    p.visit(&mut |s| {
        if !matches!(s, Stmt::Front { .. } | Stmt::Nest { .. }) {
            return;
        }
        s.visit(&mut |s| {
            if let Stmt::Inject { table, .. } | Stmt::Interpolate { table, .. } = s {
                tables.push(*table);
            }
        });
    });
    for table in tables {
        p.decls.tables[table.index()].planes = true;
    }
}
