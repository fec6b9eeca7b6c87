//! Level 2, **cluster**: statements over an iteration space, without loops.
//!
//! The clusters run one after the other at each time step `t`, in the order of the list. A [`Action::Points`]
//! cluster runs all of its statements at one point before it goes to the next; the points may be visited in any
//! order when `serial` is false, in ascending row-major order otherwise. `first` holds clusters that run once,
//! at the first step, before the others. A cluster with `every = k` runs at steps with `t % k == 0` only.
//!
//! Compression is explicit: [`Action::Compress`] starts to compress a slice into snapshot `t + shift` of a
//! compressed field, [`Action::Decompress`] starts to bring a snapshot into a slot; both return a ticket that a
//! later [`Action::Wait`] ends. Until then the slice must not change, or be read, respectively.
//!
//! Invariants, checked by [`Program::verify`]:
//! * **C1** every id is in range, and names are unique;
//! * **C2** targets are at the current point, and fields without time have time shift 0;
//! * **C3** no expression holds derivatives or nodes of the tree level;
//! * **C4** a sparse value is used only in the injection of the same sparse points;
//! * **C5** a local is defined before it is used, within the same cluster, or among the scalars of the program;
//! * **C6** once there is a compression effect, no expression and no target names a compressed field;
//! * **C7** every ticket is made once and waited for once, afterwards, under the same guard and in the same list;
//!   in between, nothing changes a slice that is compressed or touches one that is decompressed; clusters of `first` have no guard;
//! * **C8** in a parallel cluster, no statement reads at another point what the cluster writes;
//! * **C9** offsets stay within the halo of the field.

pub(crate) mod text;
mod verify;

use crate::{Access, Arena, Decls, Direction, ExprId, FieldId, LocalId, SparseId, TicketId};

/// A statement at a point.
#[derive(Clone, Debug, PartialEq)]
pub enum PointStatement {
    /// Names a value.
    Let {
        /// The name.
        local: LocalId,
        /// The value.
        value: ExprId,
    },
    /// `target = value` or `target += value`.
    Assign {
        /// Where the value goes.
        target: Access,
        /// What is computed.
        value: ExprId,
        /// Whether the value is added.
        increment: bool,
    },
}

impl PointStatement {
    /// The expression.
    pub fn value(&self) -> ExprId {
        match self {
            PointStatement::Let { value, .. } | PointStatement::Assign { value, .. } => *value,
        }
    }

    /// The same statement with another expression.
    pub fn with_value(&self, new: ExprId) -> PointStatement {
        let mut s = self.clone();
        match &mut s {
            PointStatement::Let { value, .. } | PointStatement::Assign { value, .. } => *value = new,
        }
        s
    }
}

/// One snapshot of a field in memory: the slot of `field` for time shift `time`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Slice {
    /// The field.
    pub field: FieldId,
    /// Time shift, in snapshots.
    pub time: i32,
}

/// What a cluster does.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Statements at every point of the domain.
    Points {
        /// In the order of execution at one point.
        statements: Vec<PointStatement>,
        /// Whether the points must be visited in ascending row-major order.
        serial: bool,
    },
    /// Adds `value` at the corners of the cells around sparse points, one point after the other.
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
    /// Starts to compress `slice` into snapshot `t + time` of `store`.
    Compress {
        /// Ends with a wait.
        ticket: TicketId,
        /// The compressed field.
        store: FieldId,
        /// Which snapshot, relative to the current one.
        time: i32,
        /// What is compressed.
        slice: Slice,
    },
    /// Starts to bring snapshot `t + time` of `store` into `slice`.
    Decompress {
        /// Ends with a wait.
        ticket: TicketId,
        /// The compressed field.
        store: FieldId,
        /// Which snapshot, relative to the current one.
        time: i32,
        /// Where it goes.
        slice: Slice,
    },
    /// Waits until the work of a ticket is done.
    Wait(TicketId),
}

impl Action {
    /// Replaces every expression that the action evaluates, in order.
    pub fn map_values(&mut self, mut f: impl FnMut(ExprId) -> ExprId) {
        match self {
            Action::Points { statements, .. } => {
                for s in statements {
                    *s = s.with_value(f(s.value()));
                }
            }
            Action::Inject { value, .. } | Action::Interpolate { value, .. } => *value = f(*value),
            Action::Compress { .. } | Action::Decompress { .. } | Action::Wait(_) => {}
        }
    }
}

/// A group of statements with one iteration space and one guard.
#[derive(Clone, Debug, PartialEq)]
pub struct Cluster {
    /// It runs at steps divisible by this; 1 for every step.
    pub every: usize,
    /// What it does.
    pub action: Action,
    /// The equations it came from, as the user would read them.
    pub source: Vec<String>,
}

/// A value computed once per run, in double precision, before the time loop.
#[derive(Clone, Debug, PartialEq)]
pub struct ScalarLet {
    /// The name.
    pub local: LocalId,
    /// An expression over numbers, run-time scalars and earlier names.
    pub value: ExprId,
}

/// A program of this level.
#[derive(Clone, Debug)]
pub struct Program {
    /// Declarations.
    pub decls: Decls,
    /// Expressions.
    pub exprs: Arena,
    /// Direction of the time loop; `None` when the program runs once, without time.
    pub direction: Option<Direction>,
    /// Values computed once per run.
    pub scalars: Vec<ScalarLet>,
    /// Clusters that run once, at the first step.
    pub first: Vec<Cluster>,
    /// Clusters of a step, in order.
    pub clusters: Vec<Cluster>,
}

/// One access of a cluster, for dependence analysis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Touch {
    /// What is touched, and where.
    pub access: Access,
    /// Whether it is written.
    pub write: bool,
}

impl Cluster {
    /// Every access to fields, reads first.
    pub fn touches(&self, exprs: &Arena) -> Vec<Touch> {
        let mut reads = Vec::new();
        let mut writes = Vec::new();
        let mut read = |id: ExprId| {
            reads.extend(exprs.loads(id).into_iter().map(|access| Touch { access, write: false }))
        };
        let mut write = |access: Access| writes.push(Touch { access, write: true });
        match &self.action {
            Action::Points { statements, .. } => {
                for s in statements {
                    read(s.value());
                    if let PointStatement::Assign { target, .. } = s {
                        write(*target);
                    }
                }
            }
            Action::Inject { target, value, .. } => {
                read(*value);
                write(*target);
            }
            Action::Interpolate { value, .. } => read(*value),
            Action::Compress { store, time, slice, .. } => {
                reads.push(Touch { access: Access::here(slice.field, slice.time), write: false });
                write(Access::here(*store, *time));
            }
            Action::Decompress { store, time, slice, .. } => {
                reads.push(Touch { access: Access::here(*store, *time), write: false });
                write(Access::here(slice.field, slice.time));
            }
            Action::Wait(_) => {}
        }
        reads.extend(writes);
        reads
    }
}

impl Program {
    /// The next local that no statement uses, and whose printed form no declaration is named like.
    pub fn next_local(&self) -> LocalId {
        let used = self.scalars.iter().map(|s| s.local.0).chain(self.clusters.iter().flat_map(|c| {
            let statements = match &c.action {
                Action::Points { statements, .. } => statements.as_slice(),
                _ => &[],
            };
            statements.iter().filter_map(|s| match s {
                PointStatement::Let { local, .. } => Some(local.0),
                PointStatement::Assign { .. } => None,
            })
        }));
        let d = &self.decls;
        let names = d.fields.iter().map(|f| f.name.as_str()).chain(d.scalars.iter().map(|s| s.name.as_str()));
        let taken = names
            .chain(d.sparse.iter().map(|s| s.name.as_str()))
            .filter_map(|name| name.strip_prefix('r')?.parse().ok())
            .filter(|n| *n < u32::MAX / 2);
        LocalId(used.chain(taken).max().map_or(0, |m| m + 1))
    }
}
