//! `layout`: gives every field its place in memory.
//!
//! The layout is a function of the domain, the halo and the type alone, see [`Layout::new`], so that data can be
//! set before any operator exists.

use wavefold_ir::cluster::Program;
use wavefold_ir::{FieldKind, Layout};

/// Sets the layout of every field but the compressed ones.
pub fn layout(mut p: Program) -> Program {
    let shapes: Vec<Vec<usize>> = p.decls.fields.iter().map(|f| p.decls.stored_shape(f)).collect();
    for (f, shape) in p.decls.fields.iter_mut().zip(shapes) {
        if !f.is_compressed() && f.kind != FieldKind::Tile {
            f.layout = Some(if f.tight {
                Layout::tight(&shape, f.halo)
            } else {
                Layout::new(&shape, f.halo, f.dtype.size())
            });
        }
    }
    p
}
