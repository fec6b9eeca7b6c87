//! Temporaries: functions without memory, which stand for the expression that defines them.

use crate::{Dim, Equation, EquationKind, Expr, FunctionRef, Node, Result, SymbolicError};

/// The equations with every temporary replaced by what defines it; none for the equations that define them. They must be
/// [located](crate::locate): a temporary lives where it says, and is averaged or differentiated from there.
///
/// # Errors
/// `temporary::undefined` for one that is used before it is defined, `temporary::target` for one that is incremented,
/// restricted, injected into or written aside.
pub fn inline_temporaries(equations: &[Equation]) -> Result<Vec<Option<Equation>>> {
    let mut defined: Vec<(FunctionRef, i32, Expr)> = Vec::new();
    let mut out = Vec::new();
    for equation in equations {
        let mut missing = None;
        let mut first = true;
        let has_target = equation.target().is_some();
        let inlined = equation.map(|expr| {
            let target = std::mem::take(&mut first) && has_target;
            if target { expr.clone() } else { inline(expr, &defined, &mut missing) }
        });
        if let Some(name) = missing {
            return Err(SymbolicError::TemporaryUndefined { name });
        }
        let Some(access) = inlined.target().and_then(Expr::as_access).filter(|a| a.function.is_temporary())
        else {
            out.push(Some(inlined));
            continue;
        };
        let refused = |how| SymbolicError::TemporaryTarget { name: access.function.name().into(), how };
        match inlined.kind() {
            _ if inlined.region().is_some() || inlined.condition().is_some() => {
                return Err(refused("restricted"));
            }
            _ if !access.is_centred() => return Err(refused("written aside")),
            EquationKind::Assign { rhs, increment: false, .. } => {
                let function = access.function.clone();
                defined.retain(|(known, ..)| *known != function);
                defined.push((function, access.time, rhs.clone()));
                out.push(None);
            }
            EquationKind::Assign { .. } => return Err(refused("incremented")),
            _ => return Err(refused("injected into")),
        }
    }
    Ok(out)
}

fn inline(expr: &Expr, defined: &[(FunctionRef, i32, Expr)], missing: &mut Option<String>) -> Expr {
    expr.rebuild(&mut |part| {
        let Node::Access(access) = part.node() else { return part };
        if !access.function.is_temporary() {
            return part;
        }
        let Some((_, time, value)) = defined.iter().find(|(function, ..)| *function == access.function)
        else {
            missing.get_or_insert_with(|| access.function.name().to_string());
            return part;
        };
        let in_time = value.shifted(Dim::Time, access.time.saturating_sub(*time));
        let offsets = access.offsets.iter().enumerate();
        offsets.fold(in_time, |value, (d, offset)| value.shifted(Dim::Space(d), *offset))
    })
}
