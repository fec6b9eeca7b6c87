//! Level 1, **stencil**: what each equation means on the grid.
//!
//! A program is a list of statements in the order in which the user wrote them. Each statement holds for every
//! point of the domain (or every sparse point) at every time step `t` of the run:
//!
//! * `u[t+1, x, y] = ..` and `grad[x, y] += ..` assign a field at the current point;
//! * `inject src -> u[t+1, x, y] += value` adds `value`, evaluated at each corner of the grid cell around each
//!   point and weighted multilinearly, to the field at that corner;
//! * `interpolate rec[t, p] = value` evaluates `value` at the corners and takes the weighted mean;
//! * `reduce energy[t, p] = sum value` reduces `value` over the points to one number.
//!
//! `on [1:63, 0:64]` before an assignment or reduction restricts it to a box of points.
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
//! * **S6** no field has a layout yet;
//! * **S7** conditions stand only where conditions are asked for, and nothing else stands there;
//! * **S8** a target is stored on the whole region of its statement;
//! * **S9** a table belongs to the points that use it, and a series is a set of one point;
//! * **S10** a field that the compiler made is a tile field, and is assigned before it is read.

pub(crate) mod text;
pub(crate) mod verify;

use crate::{Access, Arena, Decls, ExprId, Region, SparseId, TableId};

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
    /// Adds `value` at the corners around sparse points.
    Inject {
        /// The points.
        sparse: SparseId,
        /// Where they lie on the grid of the target.
        table: TableId,
        /// The field that receives.
        target: Access,
        /// Evaluated at each corner.
        value: ExprId,
    },
    /// Samples `value` at sparse points.
    Interpolate {
        /// The points that receive.
        sparse: SparseId,
        /// Where they lie on the grid of the value.
        table: TableId,
        /// Time shift of the values written.
        time: i32,
        /// Evaluated at each corner.
        value: ExprId,
        /// Whether the sample is added.
        increment: bool,
    },
    /// Reduces `value` over the points to one number, kept as the value at the current step of a set of one point.
    Reduce {
        /// Where the number goes.
        series: SparseId,
        /// How values are combined.
        op: Reduction,
        /// What is reduced.
        value: ExprId,
    },
}

/// How values are reduced to one number, in double precision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reduction {
    /// The sum, from 0.
    Sum,
    /// The least value (`v < least ? v : least`, from infinity), so that NaN is skipped.
    Min,
    /// The largest value, likewise.
    Max,
}

impl Reduction {
    /// All of them.
    pub const ALL: [Reduction; 3] = [Reduction::Sum, Reduction::Min, Reduction::Max];

    /// The name as printed.
    pub fn name(self) -> &'static str {
        match self {
            Reduction::Sum => "sum",
            Reduction::Min => "min",
            Reduction::Max => "max",
        }
    }

    /// What reducing nothing gives.
    pub fn identity(self) -> f64 {
        match self {
            Reduction::Sum => 0.0,
            Reduction::Min => f64::INFINITY,
            Reduction::Max => f64::NEG_INFINITY,
        }
    }

    /// Combines a result so far with a value.
    pub fn combine(self, so_far: f64, value: f64) -> f64 {
        match self {
            Reduction::Sum => so_far + value,
            Reduction::Min if value < so_far => value,
            Reduction::Max if value > so_far => value,
            Reduction::Min | Reduction::Max => so_far,
        }
    }
}

impl Action {
    /// The expression.
    pub fn value(&self) -> ExprId {
        match self {
            Action::Assign { value, .. }
            | Action::Inject { value, .. }
            | Action::Interpolate { value, .. }
            | Action::Reduce { value, .. } => *value,
        }
    }

    /// Replaces the expression.
    pub fn set_value(&mut self, new: ExprId) {
        match self {
            Action::Assign { value, .. }
            | Action::Inject { value, .. }
            | Action::Interpolate { value, .. }
            | Action::Reduce { value, .. } => *value = new,
        }
    }

    /// The field that is written, with its time shift.
    pub fn target(&self) -> Option<Access> {
        match self {
            Action::Assign { target, .. } | Action::Inject { target, .. } => Some(*target),
            Action::Interpolate { .. } | Action::Reduce { .. } => None,
        }
    }
}

/// One equation of the user, lowered.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// What it does.
    pub action: Action,
    /// The points at which an assignment or reduction holds; the whole domain for others.
    pub region: Region,
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
