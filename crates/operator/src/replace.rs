//! Other data in the place of those that the equations name.

use crate::{ApplyError, Operator, Result};
use std::collections::HashSet;
use std::hash::Hash;
use wavefold_symbolic::{
    Function, FunctionDecl, FunctionKind, FunctionRef, Series, SparseDecl, SparseFunction, SparseRef,
    SparseTimeFunction, SubDomain, TimeFunction,
};

/// A function of any kind.
#[derive(Clone, Debug)]
pub enum Handle {
    /// On the grid.
    Function(FunctionRef),
    /// On sparse points.
    Sparse(SparseRef),
}

macro_rules! handles {
    ($($t:ty: $kind:ident),*) => {$(
        impl From<&$t> for Handle {
            fn from(handle: &$t) -> Handle {
                Handle::$kind(handle.into())
            }
        }
    )*};
}

handles!(Function: Function, TimeFunction: Function, SparseFunction: Sparse, SparseTimeFunction: Sparse);

impl From<&Series> for Handle {
    fn from(series: &Series) -> Handle {
        Handle::from(series.values())
    }
}

impl Handle {
    fn name(&self) -> &str {
        match self {
            Handle::Function(f) => f.name(),
            Handle::Sparse(s) => s.name(),
        }
    }
}

/// All that was given.
#[derive(Clone, Debug, Default)]
pub(crate) struct Replacements(Vec<(Handle, Handle)>);

/// The functions of an operator as a run binds them, in the order of its declarations.
pub(crate) struct Bound {
    pub(crate) functions: Vec<FunctionRef>,
    pub(crate) sparse: Vec<SparseRef>,
}

impl Replacements {
    pub(crate) fn add(&mut self, function: Handle, other: Handle) {
        self.0.push((function, other));
    }

    /// # Errors
    /// [`ApplyError::UnusedArgument`], [`ApplyError::Mismatch`], [`ApplyError::Twice`].
    pub(crate) fn bind(&self, op: &Operator) -> Result<Bound> {
        let bindings = &op.compiled().bindings;
        let mut bound = Bound { functions: bindings.functions.clone(), sparse: bindings.sparse.clone() };
        let unused =
            |name: &str| ApplyError::UnusedArgument { operator: op.name().into(), name: format!("`{name}`") };
        for (function, other) in &self.0 {
            let mismatch = |what| {
                let (function, other) = (function.name().to_string(), other.name().to_string());
                ApplyError::Mismatch { function, other, what }
            };
            let place = match (function, other) {
                (Handle::Function(f), Handle::Function(g)) => {
                    let at = bindings.functions.iter().position(|h| h == f);
                    at.map(|i| {
                        bound.functions[i] = g.clone();
                        same(f, g)
                    })
                }
                (Handle::Sparse(f), Handle::Sparse(g)) => {
                    let at = bindings.sparse.iter().position(|h| h == f);
                    at.map(|i| {
                        bound.sparse[i] = g.clone();
                        same_points(f, g)
                    })
                }
                _ => return Err(mismatch("kind").into()),
            };
            match place {
                Some(Ok(())) => {}
                Some(Err(what)) => return Err(mismatch(what).into()),
                None => return Err(unused(function.name()).into()),
            }
        }
        // Each is locked by itself: one lock cannot be had twice.
        let twice =
            repeated(&bound.functions).map(|f| f.name()).or(repeated(&bound.sparse).map(|s| s.name()));
        match twice {
            Some(name) => Err(ApplyError::Twice { operator: op.name().into(), name: name.into() }.into()),
            None => Ok(bound),
        }
    }
}

/// The first item that is there again.
fn repeated<T: Eq + Hash>(list: &[T]) -> Option<&T> {
    let mut seen = HashSet::new();
    list.iter().find(|item| !seen.insert(*item))
}

/// What tells two functions apart that cannot stand for each other.
fn same(f: &FunctionDecl, g: &FunctionDecl) -> std::result::Result<(), &'static str> {
    let kept = |h: &FunctionDecl| match h.kind() {
        FunctionKind::Space => None,
        FunctionKind::Time { save, every, compression, .. } => {
            Some((*save, *every, compression.is_some(), h.buffers()))
        }
    };
    let part = |h: &FunctionDecl| h.region().map(SubDomain::bounds);
    let differences = [
        (f.grid().same_as(g.grid()), "grid"),
        (f.dtype() == g.dtype(), "type"),
        (f.halo() == g.halo(), "space order"),
        (part(f) == part(g), "subdomain"),
        (f.stagger() == g.stagger(), "staggering"),
        (f.is_tight() == g.is_tight(), "layout"),
        (kept(f) == kept(g), "number of time levels or snapshots"),
    ];
    differences.into_iter().find(|(same, _)| !same).map_or(Ok(()), |(_, what)| Err(what))
}

fn same_points(f: &SparseDecl, g: &SparseDecl) -> std::result::Result<(), &'static str> {
    let differences = [
        (f.grid().same_as(g.grid()), "grid"),
        (f.dtype() == g.dtype(), "type"),
        (f.points() == g.points(), "number of points"),
        (f.steps() == g.steps(), "number of steps"),
        (f.interpolation() == g.interpolation() && f.is_moving() == g.is_moving(), "interpolation"),
    ];
    differences.into_iter().find(|(same, _)| !same).map_or(Ok(()), |(_, what)| Err(what))
}
