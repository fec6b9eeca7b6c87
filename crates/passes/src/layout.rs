//! `layout`: gives every field its place in memory.
//!
//! The layout is a function of the domain, the halo and the type alone, see [`Layout::new`], so that data can be
//! set before any operator exists.

use wavefold_ir::Layout;
use wavefold_ir::cluster::Program;

/// Sets the layout of every field but the compressed ones.
pub fn layout(mut p: Program) -> Program {
    let shape: Vec<usize> = p.decls.dims.iter().map(|d| d.size).collect();
    let size = p.decls.dtype.size();
    for f in p.decls.fields.iter_mut().filter(|f| !f.is_compressed()) {
        f.layout = Some(Layout::new(&shape, f.halo, size));
    }
    p
}
