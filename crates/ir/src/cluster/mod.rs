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
//! * **C9** accesses stay within the halo of the field, over the region that the cluster covers;
//! * **C10** conditions stand only where conditions are asked for, and nothing else stands there;
//! * **C11** a table belongs to the points that use it, and a series is a set of one point;
//! * **C12** tile fields are written in stages, each in one, and read only by later stages and the main statements of
//!   the same cluster, within the points that their stage covers; stages write nothing else, and none stand among serial points;
//! * **C13** invariant fields are written in `first` only; scalars hold neither loads nor indices, those of the run no step;
//! * **C14** the oldest level of a field in place is not read once the newest is written.

mod interpret;
pub(crate) mod text;
mod verify;

pub use interpret::interpret;

use crate::stencil::Reduction;
use crate::{Access, Arena, Decls, Direction, ExprId, FieldId, LocalId, Region, SparseId, TableId, TicketId};

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

/// Statements that fill fields of kind [`Tile`](crate::FieldKind::Tile) before the main statements of a cluster read
/// them at other points.
#[derive(Clone, Debug, PartialEq)]
pub struct Stage {
    /// How far the stage runs beyond the points of the tile, per dimension: before its first and after its last point.
    pub widen: [(i64, i64); 3],
    /// In the order of execution at one point. Every target is a tile field.
    pub statements: Vec<PointStatement>,
}

/// What a cluster does.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Statements at every point of a region. With stages, all of a tile is done stage by stage, the main statements last.
    Points {
        /// Which points.
        region: Region,
        /// What is computed into tile fields before, in order.
        stages: Vec<Stage>,
        /// In the order of execution at one point.
        statements: Vec<PointStatement>,
        /// Whether the points must be visited in ascending row-major order.
        serial: bool,
    },
    /// Adds `value` at the corners of the cells around sparse points, one point after the other.
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
    /// Reduces a value over a region to one number.
    Reduce {
        /// Which points.
        region: Region,
        /// A set of one point whose value at the current step receives the number.
        series: SparseId,
        /// How values are combined.
        op: Reduction,
        /// What is reduced.
        value: ExprId,
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
            Action::Points { stages, statements, .. } => {
                for s in stages.iter_mut().flat_map(|stage| &mut stage.statements).chain(statements) {
                    *s = s.with_value(f(s.value()));
                }
            }
            Action::Inject { value, .. }
            | Action::Interpolate { value, .. }
            | Action::Reduce { value, .. } => *value = f(*value),
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
    /// Values computed once per step, in double precision, at its start: like `scalars`, and over the step `t`.
    pub step_scalars: Vec<ScalarLet>,
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
            Action::Points { stages, statements, .. } => {
                for stage in stages {
                    // A stage reads around the points that it is for.
                    let aside = |d: usize, offset: &mut i32, after: bool| {
                        let (low, high) = stage.widen[d];
                        let by = if after { high } else { -low };
                        *offset = offset.saturating_add(by.clamp(i32::MIN.into(), i32::MAX.into()) as i32);
                    };
                    for s in &stage.statements {
                        for (access, after) in
                            exprs.loads(s.value()).into_iter().flat_map(|a| [(a, false), (a, true)])
                        {
                            let mut access = access;
                            for (d, offset) in access.offsets.iter_mut().enumerate() {
                                aside(d, offset, after);
                            }
                            reads.push(Touch { access, write: false });
                        }
                        if let PointStatement::Assign { target, .. } = s {
                            writes.push(Touch { access: *target, write: true });
                        }
                    }
                }
                let mut read = |id: ExprId| {
                    reads.extend(exprs.loads(id).into_iter().map(|access| Touch { access, write: false }))
                };
                let mut write = |access: Access| writes.push(Touch { access, write: true });
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
            Action::Interpolate { value, .. } | Action::Reduce { value, .. } => read(*value),
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
        let scalars = self.scalars.iter().chain(&self.step_scalars);
        let used = scalars.map(|s| s.local).chain(self.first.iter().chain(&self.clusters).flat_map(|c| {
            let (stages, statements) = match &c.action {
                Action::Points { stages, statements, .. } => (stages.as_slice(), statements.as_slice()),
                _ => (&[] as &[Stage], &[] as &[PointStatement]),
            };
            stages.iter().flat_map(|stage| &stage.statements).chain(statements).filter_map(|s| match s {
                PointStatement::Let { local, .. } => Some(*local),
                PointStatement::Assign { .. } => None,
            })
        }));
        self.decls.next_local(used)
    }
}
