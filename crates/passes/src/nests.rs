//! A walk that several passes over the tree share.

use wavefold_ir::tree::{Loop, Stmt};

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
