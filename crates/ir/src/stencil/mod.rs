//! Level 1, **stencil**: what each equation means on the grid.
//!
//! A program is a list of statements in the order in which the user wrote them. Each statement holds for every
//! point of the domain (or every sparse point) at every time step `t` of the run:
//!
//! * `u[t+1, x, y] = ..` and `grad[x, y] += ..` assign a field at the current point;
//! * `inject src -> u[t+1, x, y] += value` adds `value`, evaluated at each corner of the grid cell around each
//!   point and weighted multilinearly, to the field at that corner;
//! * `interpolate rec[t, p] = value` evaluates `value` at the corners and takes the weighted mean.
//!
//! A statement whose accesses touch a field with snapshots every `k` steps runs only at steps with `t % k == 0`,
//! and the time index of such a field counts snapshots (`t` stands for snapshot `t / k`).
//! Space derivatives are single nodes; time derivatives are already differences of time levels.
//!
//! Invariants, checked by [`Program::verify`]:
//! * **S1** every id is in range, and names are unique;
//! * **S2** targets are at the current point (no space offsets), and fields without time have time shift 0;
//! * **S3** no expression holds tree-level nodes (`Sub`, `Neg`, `Div`, `Fma`) or locals;
//! * **S4** a sparse value is used only in the injection of the same sparse points;
//! * **S5** all snapshots of one statement have the same distance in time;
//! * **S6** no field has a layout yet.

mod text;
pub(crate) mod verify;

use crate::{Access, Arena, Decls, ExprId, SparseId};

/// What a statement does.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// `target = value` or `target += value` at every point of the domain.
    Assign {
        /// Where the value goes.
        target: Access,
        /// What is computed.
        value: ExprId,
        /// Whether the value is added.
        increment: bool,
    },
    /// Adds `value` at the corners of the cells around sparse points.
    Inject {
        /// The points.
        sparse: SparseId,
        /// The field that receives.
        target: Access,
        /// Evaluated at each corner.
        value: ExprId,
    },
    /// Samples `value` at sparse points.
    Interpolate {
        /// The points that receive.
        sparse: SparseId,
        /// Time shift of the values written.
        time: i32,
        /// Evaluated at each corner.
        value: ExprId,
        /// Whether the sample is added.
        increment: bool,
    },
}

impl Action {
    /// The expression.
    pub fn value(&self) -> ExprId {
        match self {
            Action::Assign { value, .. }
            | Action::Inject { value, .. }
            | Action::Interpolate { value, .. } => *value,
        }
    }

    /// Replaces the expression.
    pub fn set_value(&mut self, new: ExprId) {
        match self {
            Action::Assign { value, .. }
            | Action::Inject { value, .. }
            | Action::Interpolate { value, .. } => *value = new,
        }
    }

    /// The field that is written, with its time shift.
    pub fn target(&self) -> Option<Access> {
        match self {
            Action::Assign { target, .. } | Action::Inject { target, .. } => Some(*target),
            Action::Interpolate { .. } => None,
        }
    }
}

/// One equation of the user, lowered.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// What it does.
    pub action: Action,
    /// The equation as the user would read it; one line.
    pub source: String,
}

/// A program of this level.
#[derive(Clone, Debug)]
pub struct Program {
    /// Declarations.
    pub decls: Decls,
    /// Expressions.
    pub exprs: Arena,
    /// Statements, in program order.
    pub statements: Vec<Statement>,
}

impl Program {
    /// All accesses of a statement: loads first, the target last, with whether it is a write.
    pub fn accesses(&self, statement: &Statement) -> Vec<(Access, bool)> {
        let mut all: Vec<(Access, bool)> =
            self.exprs.loads(statement.action.value()).into_iter().map(|a| (a, false)).collect();
        all.extend(statement.action.target().map(|a| (a, true)));
        all
    }

    /// The guard of a statement: it runs at steps divisible by this.
    pub fn every(&self, statement: &Statement) -> usize {
        self.accesses(statement).iter().map(|(a, _)| self.decls.field(a.field).every()).max().unwrap_or(1)
    }
}
