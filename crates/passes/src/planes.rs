//! Statements of a point at another plane of the first dimension.

use std::collections::HashMap;
use wavefold_ir::{Access, Arena, Expr, ExprId, LocalId};

/// Moves expressions by a number of planes, node by node: roundings stay as they are.
pub(crate) struct Shift<'a> {
    exprs: &'a mut Arena,
    planes: i32,
    /// Locals that have another name there.
    pub names: HashMap<LocalId, LocalId>,
    memo: HashMap<ExprId, ExprId>,
}

impl<'a> Shift<'a> {
    pub(crate) fn by(planes: i32, exprs: &'a mut Arena) -> Shift<'a> {
        Shift { exprs, planes, names: HashMap::new(), memo: HashMap::new() }
    }

    pub(crate) fn access(&self, mut access: Access) -> Access {
        access.offsets[0] += self.planes;
        access
    }

    /// `None` for an expression that asks where it is.
    pub(crate) fn expression(&mut self, id: ExprId) -> Option<ExprId> {
        if let Some(done) = self.memo.get(&id) {
            return Some(*done);
        }
        let moved = match self.exprs[id].clone() {
            Expr::Load(access) => Expr::Load(self.access(access)),
            Expr::Local(local) => Expr::Local(self.names.get(&local).copied().unwrap_or(local)),
            Expr::Index(0) => return None,
            node => {
                let children = node.children();
                let children: Option<Vec<ExprId>> =
                    children.iter().map(|child| self.expression(*child)).collect();
                let mut children = children?.into_iter();
                node.with_children(|child| children.next().unwrap_or(child))
            }
        };
        let moved = self.exprs.intern(moved);
        self.memo.insert(id, moved);
        Some(moved)
    }
}
