//! Sizes given at `apply`: they must name what the operator has.

use crate::{ApplyError, Operator, Result};
use wavefold_passes::Specialisation;

/// Checks that every size names something of the operator.
pub(crate) fn check(op: &Operator, special: &Specialisation) -> Result<()> {
    let decls = &op.program().decls;
    let unused = |name: String| Err(ApplyError::UnusedArgument { operator: op.name().into(), name }.into());
    for (d, first, last) in &special.bounds {
        let Some(dim) = decls.dims.get(*d) else { return unused("bounds".into()) };
        if first > last || *last >= dim.size {
            let (dim, size) = (dim.name.clone(), dim.size);
            return Err(ApplyError::BadBounds { dim, first: *first, last: *last, size }.into());
        }
    }
    for (name, d, left, right) in &special.thickness {
        let mut parts = op.equations().iter().flat_map(|e| e.flatten()).filter_map(|e| e.region().cloned());
        let Some(dim) = decls.dims.get(*d).filter(|_| parts.any(|part| part.name() == name)) else {
            return unused(format!("thickness of `{name}`"));
        };
        if left.saturating_add(*right) > dim.size {
            let (dim, size) = (dim.name.clone(), dim.size);
            return Err(ApplyError::BadBounds { dim, first: *left, last: *right, size }.into());
        }
    }
    for (name, every) in &special.every {
        let saved = op.compiled().bindings.functions.iter().any(|f| f.name() == name && f.save().is_some());
        if !saved || *every == 0 {
            return unused(format!("save_every of `{name}`"));
        }
    }
    Ok(())
}
