//! `clusters`: stencil level -> cluster level, one cluster per statement, with the direction of time. Statements that fill
//! tile fields become stages of the statement that they stand before, and invariants run at the first step.
//!
//! Effects on compressed functions are not made explicit here, see `compress`.

use crate::stages::arrange;
use crate::{Result, legality};
use wavefold_ir::cluster::{Action, Cluster, PointStatement, Program, Stage};
use wavefold_ir::{FieldKind, stencil};

/// Wraps every statement into a cluster of its own.
///
/// # Errors
/// [`crate::CompileError::Direction`].
pub fn clusters(p: stencil::Program) -> Result<Program> {
    let direction = legality::direction(&p)?;
    let (mut first, mut clusters, mut pending) = (vec![], vec![], vec![]);
    for s in &p.statements {
        let made = s.action.target().map(|target| p.decls.field(target.field).kind.clone());
        let mut c = cluster(&p, s);
        match (made, &mut c.action) {
            (Some(FieldKind::Invariant), _) => first.push(c),
            (Some(FieldKind::Tile), Action::Points { statements, .. }) => {
                pending.push(Stage { widen: [(0, 0); 3], statements: std::mem::take(statements) });
            }
            (_, Action::Points { stages, statements, .. }) => {
                *stages = arrange(&p.decls, &p.exprs, std::mem::take(&mut pending), statements);
                clusters.push(c);
            }
            _ => clusters.push(c),
        }
    }
    let (scalars, step_scalars) = (vec![], vec![]);
    Ok(Program { direction, scalars, step_scalars, first, clusters, decls: p.decls, exprs: p.exprs })
}

fn cluster(p: &stencil::Program, s: &stencil::Statement) -> Cluster {
    let action = match s.action.clone() {
        stencil::Action::Assign { target, value, increment } => {
            let statements = vec![PointStatement::Assign { target, value, increment }];
            let serial = is_serial(p, &statements);
            Action::Points { region: s.region, stages: vec![], statements, serial }
        }
        stencil::Action::Inject { sparse, table, target, value } => {
            Action::Inject { sparse, table, target, value }
        }
        stencil::Action::Interpolate { sparse, table, time, value, increment } => {
            Action::Interpolate { sparse, table, time, value, increment }
        }
        stencil::Action::Reduce { series, op, value } => {
            Action::Reduce { region: s.region, series, op, value }
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
