//! `clusters`: stencil level -> cluster level, one cluster per statement, with the direction of time.
//!
//! Effects on compressed functions are not made explicit here, see `compress`.

use crate::{Result, legality};
use wavefold_ir::cluster::{Action, Cluster, PointStatement, Program};
use wavefold_ir::stencil;

/// Wraps every statement into a cluster of its own.
///
/// # Errors
/// [`crate::CompileError::Direction`].
pub fn clusters(p: stencil::Program) -> Result<Program> {
    let direction = legality::direction(&p)?;
    let clusters = p.statements.iter().map(|s| cluster(&p, s)).collect();
    Ok(Program { direction, scalars: vec![], first: vec![], clusters, decls: p.decls, exprs: p.exprs })
}

fn cluster(p: &stencil::Program, s: &stencil::Statement) -> Cluster {
    let action = match s.action.clone() {
        stencil::Action::Assign { target, value, increment } => {
            let statements = vec![PointStatement::Assign { target, value, increment }];
            let serial = is_serial(p, &statements);
            Action::Points { statements, serial }
        }
        stencil::Action::Inject { sparse, target, value } => Action::Inject { sparse, target, value },
        stencil::Action::Interpolate { sparse, time, value, increment } => {
            Action::Interpolate { sparse, time, value, increment }
        }
    };
    let source = if s.source.is_empty() { vec![] } else { vec![s.source.clone()] };
    Cluster { every: p.every(s), action, source }
}

/// Whether the points of a cluster depend on each other: a value is written at a point and read at another.
fn is_serial(p: &stencil::Program, statements: &[PointStatement]) -> bool {
    statements.iter().any(|s| match s {
        PointStatement::Assign { target, value, .. } => p.exprs.loads(*value).iter().any(|a| {
            let same = a.field == target.field && p.decls.field(a.field).same_slot(a.time, target.time);
            same && !a.is_here()
        }),
        PointStatement::Let { .. } => false,
    })
}
