//! Sizes given at `apply`: they must name what the operator has.

use crate::{ApplyError, Operator, Result};
use wavefold_passes::Specialisation;
use wavefold_symbolic::Part;

/// Whether a subdomain has the sides that are given a thickness.
fn has_sides(part: Part, left: usize, right: usize) -> bool {
    match part {
        Part::All => false,
        Part::Left(_) => right == 0,
        Part::Right(_) => left == 0,
        Part::Middle(..) => true,
    }
}

/// Checks that every size names something of the operator.
pub(crate) fn check(op: &Operator, special: &Specialisation) -> Result<()> {
    let decls = &op.program().decls;
    let unused = |name: String| Err(ApplyError::UnusedArgument { operator: op.name().into(), name }.into());
    for (d, first, last) in &special.bounds {
        let Some(dim) = decls.dims.get(*d) else {
            return unused("bounds, along a dimension that its grid lacks".into());
        };
        if first > last || *last >= dim.size {
            let (dim, size) = (dim.name.clone(), dim.size);
            return Err(
                ApplyError::BadBounds { what: "bounds", dim, first: *first, last: *last, size }.into()
            );
        }
    }
    for (name, d, left, right) in &special.thickness {
        let parts = op.equations().iter().flat_map(|e| e.flatten()).filter_map(|e| e.region().cloned());
        let mut named = parts.filter(|part| part.name() == name);
        let Some(dim) =
            decls.dims.get(*d).filter(|_| named.any(|part| has_sides(part.parts()[*d], *left, *right)))
        else {
            return unused(format!("thickness {left} and {right} of `{name}`"));
        };
        if left.saturating_add(*right) > dim.size {
            let (dim, size) = (dim.name.clone(), dim.size);
            return Err(
                ApplyError::BadBounds { what: "thicknesses", dim, first: *left, last: *right, size }.into()
            );
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
