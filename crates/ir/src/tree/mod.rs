//! Level 3, **tree**: everything that the machine does, in order. A backend prints it and adds nothing.
//!
//! A program computes its `once` scalars in double precision (each is rounded to the type of the program where
//! it is used), then runs its body. [`Stmt::Time`] is the time loop: `t` runs from `time_m` to `time_M`, or back;
//! its slots are computed at the start of each step. A program without a time dimension has no such loop.
//!
//! Loops nest as dimension order demands. [`LoopForm::Tiles`] walks over tiles of a dimension; a later loop with
//! `tiled` set walks over the points of the current tile, the last of which may be smaller. A parallel tile loop
//! may run its tiles in any order and on any thread. A `simd` loop may run its points in vectors of any width.
//!
//! **Arithmetic is exact about rounding**: every node is one rounding in the type of the program, `Sum` and
//! `Product` are evaluated from left to right, [`Fma`](crate::Expr::Fma) rounds once. No backend may contract or
//! reassociate, so all backends give the same bits wherever their elementary functions do.
//!
//! Inside an injection or interpolation the current point is a corner of the cell around each sparse point; its
//! position and weight come from tables (see [`abi`](crate::abi)). Points are taken in order, corners in order.
//! An injection adds `weight * value`, as one multiplication and one addition, to the target at each corner; an
//! interpolation sums `fma(weight, value, sum)` from 0. Corners of weight 0 are skipped, whatever value they have.
//!
//! A slice that is compressed or decompressed **in parts** is moved where the loops have its points in a cache: a
//! [`Stmt::Part`] moves those of the current tiles. A part that is compressed from a slot may be put off until the wait, so
//! nothing may write to the slot meanwhile; a tile field is gone then, and [`Stmt::Until`] runs its loops again when the
//! wait asks for that.
//!
//! A [`Stmt::Prefetch`] changes nothing: it asks for memory that the loop needs a while later, so that the memory works while
//! the loop computes. Backends ask in each cache line, or not at all. A [`Stmt::Stream`] changes nothing either: it says
//! that what the loop stores to a level is not read again soon, so that it may go past the caches, a cache line at a time.
//!
//! Invariants, checked by [`Program::verify`]:
//! * **T1** every id is in range, and names are unique;
//! * **T2** every field but compressed ones has a layout that covers its halo, with whole vectors per row; only planes of tile
//!   fields take turns, a power of two of them;
//! * **T3** no expression holds a power or derivative;
//! * **T4** a sparse value is used only in the injection of the same sparse points;
//! * **T5** a local is defined before it is used, in an enclosing block;
//! * **T6** every access to a field with time lies in the time loop and has a slot there;
//! * **T7** every ticket is waited for once, after it is made; [`Stmt::First`] holds no guard;
//! * **T8** point statements lie in loops over every dimension, outermost first, and only the innermost is `simd`;
//! * **T9** accesses stay within the allocation, over the points that the loops around them reach; of planes that take turns, a
//!   loop over them names no more than there are;
//! * **T10** conditions stand only where conditions are asked for, and nothing else stands there;
//! * **T11** a table belongs to the points that use it, and a series is a set of one point;
//! * **T12** scalars hold neither loads nor indices, and those of the run no step;
//! * **T13** steps of several points belong to loops over points that are not `simd`, and fill them or the tiles;
//! * **T14** a part lies in loops over tiles, all of the first dimension and, of three, of the second, whose rows are those of
//!   the strips of its effect, and in no loop over points; a tile field is moved in parts that it has room for, and
//!   what waits for its compression is an [`Stmt::Until`];
//! * **T15** prefetches and streams come before all else in a `simd` loop, and name fields that have a place in memory; what
//!   is asked for may lie outside of it;
//! * **T16** a level that is streamed has the type of the program; the loop over all points of a row stores to it at its own
//!   points, to each once, does not read it, and begins where a cache line does;
//! * **T17** a [front](Front) is all that its time loop does after what the first step does alone, but for [`Stmt::Steps`] before
//!   and after it, which hold effects on whole slices and nothing else; its tiles are not empty, its blocks as wide as their
//!   edges move; its parts are nests over the points of a tile, and sparse points that do not move, with
//!   lags that keep every two of them in order where they meet in memory;
//! * **T18** an injection in a nest lies in loops over tiles, of every dimension that a front cuts, and in none over points; it is
//!   done for the points of the tile, which do not move, are sorted by planes, and do not depend on each other; what shares
//!   these tiles with it meets it, and each other, at the same points;
//! * **T19** a field by rows has several dimensions and no time, is stored on the whole domain, and is written at the first step only.

mod cost;
mod front;
mod interpret;
mod outline;
mod text;
mod verify;

pub use crate::cluster::{ScalarLet, Slice};
pub use crate::stencil::Reduction;
use crate::{
    Access, Arena, Decls, Direction, ExprId, Field, FieldId, FieldKind, LocalId, SparseId, TableId, TicketId,
};
pub use cost::{Cost, cost, cost_of_rows, footprint, front_bytes};
pub use front::{Front, Lag, Tile, apart, lags, reads_around};
pub use interpret::interpret;
pub use outline::outline;
pub use text::{front_head, line};

/// An index computed at the start of each step: `(t / every + shift)`, modulo `modulus` when that is not 0.
///
/// With a modulus the result lies in `0..modulus`, also for negative shifts.
///
/// **In place**: a level that is written takes the slot of the oldest, `modulus - 1` steps before, as long as the run is in
/// its first [`Context::in_place`](crate::abi::Context::in_place) steps. Level `n` then lies where level
/// `oldest + (n - oldest) mod (modulus - 1)` did when the run began, `oldest` being the level farthest back that the first
/// step reads: `time_m + 2 - modulus` when time ascends, `time_max` when it descends. Memory is read and written at the same
/// place, and one slot stays untouched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Slot {
    /// Distance between snapshots in steps; 1 for fields that live at every step.
    pub every: usize,
    /// Time shift.
    pub shift: i32,
    /// Number of slots that are used in turn, or 0.
    pub modulus: usize,
    /// Whether the newest level takes the place of the oldest.
    pub in_place: bool,
}

/// A step of a run: what slots are computed from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The step, not negative.
    pub t: i64,
    /// The first step of the run, the last in time when time descends.
    pub first: i64,
    /// Where time goes.
    pub direction: Direction,
    /// Steps from the first on in which levels are kept in place.
    pub in_place: i64,
}

impl Step {
    /// The oldest level that the first step reads, of fields of `slots` levels.
    pub fn oldest(&self, slots: i64) -> i64 {
        match self.direction {
            Direction::Ascending => self.first + 2 - slots,
            Direction::Descending => self.first,
        }
    }

    /// The step that comes some steps later.
    pub fn after(&self, steps: i64) -> Step {
        let t = match self.direction {
            Direction::Ascending => self.t + steps,
            Direction::Descending => self.t - steps,
        };
        Step { t, ..*self }
    }

    /// Whether it is the first.
    pub fn is_first(&self) -> bool {
        self.t == self.first
    }

    /// Whether levels are kept in place at this step.
    pub fn is_in_place(&self) -> bool {
        let done = match self.direction {
            Direction::Ascending => self.t - self.first,
            Direction::Descending => self.first - self.t,
        };
        (0..self.in_place).contains(&done)
    }
}

impl Slot {
    /// The slot of `field` at a time shift; `None` for fields without time.
    pub fn of(field: &Field, shift: i32) -> Option<Slot> {
        match field.kind {
            FieldKind::Space | FieldKind::Invariant | FieldKind::Tile => None,
            FieldKind::Buffered { slots, in_place } => {
                Some(Slot { every: 1, shift, modulus: slots, in_place })
            }
            FieldKind::Ring { slots, every, .. } => {
                Some(Slot { every, shift, modulus: slots, in_place: false })
            }
            FieldKind::Saved { every, .. } | FieldKind::Compressed { every, .. } => {
                Some(Slot { every, shift, modulus: 0, in_place: false })
            }
        }
    }

    /// The index at a step.
    pub fn at(&self, step: &Step) -> i64 {
        let (mut level, modulus) = (step.t / self.every as i64 + self.shift as i64, self.modulus as i64);
        if self.in_place && step.is_in_place() {
            let oldest = step.oldest(modulus);
            level = oldest + (level - oldest).rem_euclid(modulus - 1);
        }
        if modulus == 0 { level } else { level.rem_euclid(modulus) }
    }
}

/// How a loop walks over its dimension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoopForm {
    /// Over the points `from .. to`, in tiles of `size` points.
    Tiles {
        /// First point.
        from: i64,
        /// The point after the last.
        to: i64,
        /// Points per tile; the last tile may be smaller.
        size: usize,
        /// Whether the tiles may run at the same time.
        parallel: bool,
    },
    /// Over the points `from .. to`.
    Points {
        /// First point.
        from: i64,
        /// The point after the last.
        to: i64,
        /// Whether the points may run in vectors.
        simd: bool,
    },
    /// Over the points of the current tile of the same dimension, and some around it.
    Tile {
        /// Points before the first of the tile.
        before: i64,
        /// Points after the last of the tile.
        after: i64,
        /// Whether the points may run in vectors.
        simd: bool,
    },
}

impl LoopForm {
    /// Whether its points may run in vectors.
    pub fn is_simd(&self) -> bool {
        matches!(self, LoopForm::Points { simd: true, .. } | LoopForm::Tile { simd: true, .. })
    }
}

impl Loop {
    /// The statements at its head that say how memory is used, and the others.
    pub fn hints(&self) -> (&[Stmt], &[Stmt]) {
        self.body.split_at(self.body.iter().take_while(|s| s.is_hint()).count())
    }

    /// Whether a hint of this row sends a level past the caches.
    pub fn is_streamed(&self, field: FieldId, time: i32) -> bool {
        self.body.contains(&Stmt::Stream(Slice { field, time }))
    }
}

/// A loop over one dimension.
#[derive(Clone, Debug, PartialEq)]
pub struct Loop {
    /// The dimension, 0 for x.
    pub dim: usize,
    /// How it walks.
    pub form: LoopForm,
    /// Points from one round to the next; with more than 1, the body does as many planes at a time.
    pub step: usize,
    /// What it does.
    pub body: Vec<Stmt>,
}

/// A statement.
#[derive(Clone, Debug, PartialEq)]
pub enum Stmt {
    /// The time loop.
    Time {
        /// Its direction.
        direction: Direction,
        /// Indices computed at the start of each step; slot `i` is printed as `t<i>`.
        slots: Vec<Slot>,
        /// Values computed at the start of each step, in double precision, over numbers, run-time scalars, the step
        /// and earlier names.
        scalars: Vec<ScalarLet>,
        /// A step.
        body: Vec<Stmt>,
    },
    /// Runs its body at the first step only.
    First(Vec<Stmt>),
    /// Runs its body at steps divisible by `every`.
    When {
        /// The divisor.
        every: usize,
        /// What is guarded.
        body: Vec<Stmt>,
    },
    /// A loop nest, with the equations it came from.
    Nest {
        /// One equation per line, as the user would read them.
        source: Vec<String>,
        /// The outermost loop.
        outer: Loop,
    },
    /// A loop within a nest.
    Loop(Loop),
    /// Names a value at the current point.
    Let {
        /// The name.
        local: LocalId,
        /// The value.
        value: ExprId,
    },
    /// Asks for a place in memory; changes nothing.
    Prefetch(Access),
    /// What the loop stores to a level is not read again soon; changes nothing.
    Stream(Slice),
    /// Stores a value at the current point; an increment loads, adds and stores.
    Assign {
        /// Where the value goes.
        target: Access,
        /// What is computed.
        value: ExprId,
        /// Whether the value is added.
        increment: bool,
    },
    /// Adds at the corners of the cells around sparse points.
    Inject {
        /// The points.
        sparse: SparseId,
        /// Where they lie on the grid of the target.
        table: TableId,
        /// The field that receives.
        target: Access,
        /// Evaluated at each corner.
        value: ExprId,
        /// The equation, as the user would read it.
        source: String,
    },
    /// Samples at sparse points.
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
        /// The equation, as the user would read it.
        source: String,
    },
    /// Reduces values to one number: the value at the current step of the only point of `series`, rounded once.
    ///
    /// `outer` is a loop over tiles. Each tile combines the values that its [`Stmt::Accumulate`] meets, in order, in
    /// double precision from the identity of `op`; then the results of the tiles are combined in the order of the
    /// tiles, from the identity, so that the number of threads does not matter.
    Reduce {
        /// Where the number goes.
        series: SparseId,
        /// How values are combined.
        op: Reduction,
        /// Loops around one [`Stmt::Accumulate`].
        outer: Loop,
        /// The equation, as the user would read it.
        source: String,
    },
    /// Hands the value at the current point to the enclosing reduction.
    Accumulate(ExprId),
    /// Starts to compress a slice.
    Compress {
        /// Ends with a wait.
        ticket: TicketId,
        /// The compressed field.
        store: FieldId,
        /// Which snapshot, relative to the current one.
        time: i32,
        /// What is compressed.
        slice: Slice,
        /// Rows of the strips from which parts of it are taken; 0 when it is compressed at once.
        rows: usize,
        /// The equation, as the user would read it.
        source: String,
    },
    /// Starts to decompress a snapshot.
    Decompress {
        /// Ends with a wait.
        ticket: TicketId,
        /// The compressed field.
        store: FieldId,
        /// Which snapshot, relative to the current one.
        time: i32,
        /// Where it goes.
        slice: Slice,
        /// Rows of the strips to which parts of it go; 0 when it is decompressed at once.
        rows: usize,
    },
    /// Compresses or decompresses the points of the current tiles.
    Part {
        /// The effect that it is a part of.
        ticket: TicketId,
        /// The compressed field.
        store: FieldId,
        /// The slice of that effect.
        slice: Slice,
        /// Whether it is decompressed.
        decode: bool,
    },
    /// Runs loops that compress a slice in parts, waits for the work of the ticket, and runs the loops again when that
    /// asks for it. What they write does not depend on what they have written.
    Until {
        /// The ticket that ends here.
        ticket: TicketId,
        /// The loops.
        body: Vec<Stmt>,
    },
    /// Waits for the work of a ticket.
    Wait(TicketId),
    /// Several steps at a time; `body` holds one [`Stmt::Lagged`] for each part of a step, in order.
    Front {
        /// Its shape.
        front: Front,
        /// The parts of a step.
        body: Vec<Stmt>,
    },
    /// What the steps of a group do outside of their front: runs its body at each of them, in turn.
    Steps(Vec<Stmt>),
    /// A part of a step in a front: done for the points of the tile at hand, moved back by its lag.
    Lagged {
        /// By how much it stays behind the first part of the step.
        lag: Lag,
        /// First points along the dimensions that the front cuts.
        from: [i64; 2],
        /// The points after the last.
        to: [i64; 2],
        /// A nest over the points of the tile, or something at sparse points, or a guard around these.
        body: Vec<Stmt>,
    },
}

/// The statements nested directly inside one, by either kind of reference.
macro_rules! nested {
    ($s:expr $(, $mutable:tt)?) => {
        match $s {
            Stmt::Time { body, .. }
            | Stmt::First(body)
            | Stmt::When { body, .. }
            | Stmt::Until { body, .. }
            | Stmt::Front { body, .. }
            | Stmt::Steps(body)
            | Stmt::Lagged { body, .. } => body,
            Stmt::Nest { outer: l, .. } | Stmt::Reduce { outer: l, .. } | Stmt::Loop(l) => &$($mutable)? l.body,
            _ => &$($mutable)? [],
        }
    };
}

impl Stmt {
    /// The statements nested directly inside.
    pub fn body(&self) -> &[Stmt] {
        nested!(self)
    }

    /// The same, to be changed.
    pub fn body_mut(&mut self) -> &mut [Stmt] {
        nested!(self, mut)
    }

    /// Where a store at the current point goes.
    pub fn assigned(&self) -> Option<&Access> {
        if let Stmt::Assign { target, .. } = self { Some(target) } else { None }
    }

    /// The field that the statement writes.
    pub fn target(&self) -> Option<FieldId> {
        match self {
            Stmt::Assign { target, .. } | Stmt::Inject { target, .. } => Some(target.field),
            Stmt::Compress { store, .. } => Some(*store),
            Stmt::Decompress { slice, .. } => Some(slice.field),
            _ => None,
        }
    }

    /// The expression that the statement evaluates.
    pub fn value(&self) -> Option<ExprId> {
        match self {
            Stmt::Let { value, .. }
            | Stmt::Assign { value, .. }
            | Stmt::Inject { value, .. }
            | Stmt::Interpolate { value, .. }
            | Stmt::Accumulate(value) => Some(*value),
            _ => None,
        }
    }

    /// Whether it only says how memory is used: such statements stand at the head of a row.
    pub fn is_hint(&self) -> bool {
        matches!(self, Stmt::Prefetch(_) | Stmt::Stream(_))
    }

    /// Calls `f` for this statement and all inside, outermost first.
    pub fn visit(&self, f: &mut impl FnMut(&Stmt)) {
        f(self);
        for s in self.body() {
            s.visit(f);
        }
    }
}

/// A program of this level.
#[derive(Clone, Debug)]
pub struct Program {
    /// Declarations, with layouts.
    pub decls: Decls,
    /// Expressions.
    pub exprs: Arena,
    /// Values computed once per run.
    pub scalars: Vec<ScalarLet>,
    /// The statements.
    pub body: Vec<Stmt>,
}

impl Program {
    /// The time loop's direction and slots.
    pub fn time(&self) -> Option<(Direction, &[Slot])> {
        self.body.iter().find_map(|s| match s {
            Stmt::Time { direction, slots, .. } => Some((*direction, slots.as_slice())),
            _ => None,
        })
    }

    /// Values computed at the start of each step.
    pub fn step_scalars(&self) -> &[ScalarLet] {
        match self.body.iter().find(|s| matches!(s, Stmt::Time { .. })) {
            Some(Stmt::Time { scalars, .. }) => scalars,
            _ => &[],
        }
    }

    /// The number of the slot for `field` at a time shift: `t<number>` holds its index.
    pub fn slot(&self, field: FieldId, shift: i32) -> Option<usize> {
        let wanted = Slot::of(self.decls.field(field), shift)?;
        self.time()?.1.iter().position(|s| *s == wanted)
    }

    /// Calls `f` for every statement, outermost first.
    pub fn visit(&self, f: &mut impl FnMut(&Stmt)) {
        for s in &self.body {
            s.visit(f);
        }
    }

    /// The next local that no statement uses, and whose printed form no declaration is named like.
    pub fn next_local(&self) -> LocalId {
        let mut used: Vec<LocalId> = self.scalars.iter().map(|s| s.local).collect();
        self.visit(&mut |s| match s {
            Stmt::Time { scalars, .. } => used.extend(scalars.iter().map(|s| s.local)),
            Stmt::Let { local, .. } => used.push(*local),
            _ => {}
        });
        self.decls.next_local(used)
    }

    /// Whether a nest has tile fields: then each round of its outermost loop needs memory for a tile.
    pub fn uses_tiles(&self, outer: &Loop) -> bool {
        let is_tile = |s: &Stmt| match s {
            Stmt::Assign { target, .. } => self.decls.field(target.field).kind == FieldKind::Tile,
            Stmt::Part { slice, .. } => self.decls.field(slice.field).kind == FieldKind::Tile,
            _ => false,
        };
        let mut found = false;
        outer.body.iter().for_each(|s| s.visit(&mut |s| found |= is_tile(s)));
        found
    }

    /// The fields that the program writes (directly, by injection, or by decompression into a ring).
    pub fn written(&self) -> Vec<FieldId> {
        let mut written = Vec::new();
        self.visit(&mut |s| written.extend(s.target()));
        written.sort_unstable();
        written.dedup();
        written
    }

    /// Those that it writes after the first step of its time loop.
    pub fn changing(&self) -> Vec<FieldId> {
        fn collect(body: &[Stmt], changing: &mut Vec<FieldId>) {
            for s in body.iter().filter(|s| !matches!(s, Stmt::First(_))) {
                changing.extend(s.target());
                collect(s.body(), changing);
            }
        }
        let mut changing = Vec::new();
        collect(&self.body, &mut changing);
        changing
    }

    /// Functions of space and invariants on the whole domain that nothing writes after the first step.
    pub fn constants(&self) -> Vec<FieldId> {
        let changing = self.changing();
        let constant = |id: &FieldId| {
            let field = self.decls.field(*id);
            matches!(field.kind, FieldKind::Space | FieldKind::Invariant)
                && field.window.is_none()
                && !changing.contains(id)
        };
        self.decls.field_ids().filter(constant).collect()
    }
}
