//! The calling convention between emitted code and the runtime: the mirror of `runtime-c/include/wavefold.h`.
//!
//! Every backend makes one function, [`KernelFn`]. The runtime fills a [`Context`] and calls it; the kernel runs
//! the whole tree, time loop included, and returns 0 or the first non-zero status that a callback returned.
//!
//! Tables of sparse points: with `c` corners per point ([`TableDecl::corners`](crate::TableDecl)), and `r` the point,
//! or `t * points + p` for points that move, `cells[(r * c + k) * rank + d]` is the index of corner `k` along
//! dimension `d`, always inside the domain, and `weights[r * c + k]` its weight in the type of the program (0 for
//! corners and points outside the domain).
//!
//! Parts: a slice that is moved in parts is handed over between the start of the effect and its wait, part by part, by
//! [`Context::part`], on any threads. The parts of a strip come in the order of the first dimension. A wait that returns
//! [`AGAIN`] wants all parts once more.
//!
//! Memory of tiles: a thread asks for it with [`Context::take_tile`] before it works on a tile of the outermost loop of
//! a nest that uses tile fields, and returns it with [`Context::give_tile`]. Each field lies at its
//! [`tile_offset`](crate::Decls::tile_offset).

use std::ffi::c_void;

/// What [`Context::wait`] returns when all parts of a slice must be handed over again.
pub const AGAIN: i32 = -1;

/// Part of a parallel loop: called with each index once.
pub type BodyFn = unsafe extern "C" fn(argument: *mut c_void, index: i64);

/// Runs `body(argument, 0 .. count)` in any order on the threads of the run, and returns when all are done.
pub type ParallelFn =
    unsafe extern "C" fn(context: *const Context, count: i64, body: BodyFn, argument: *mut c_void);

/// The entry of a kernel. Returns 0, or the status with which a callback stopped the run.
pub type KernelFn = unsafe extern "C" fn(context: *const Context) -> i32;

/// Values of one sparse point set.
#[repr(C)]
#[derive(Debug)]
pub struct SparseValues {
    /// Number of points.
    pub points: i64,
    /// Values: `steps * points` (or `points`) of the declared type.
    pub values: *mut c_void,
}

/// Where the points of a set lie on the grid.
#[repr(C)]
#[derive(Debug)]
pub struct SparseTable {
    /// Corner positions.
    pub cells: *const i32,
    /// Corner weights.
    pub weights: *const c_void,
    /// Corners with weight by their plane, in order: their position in `weights`.
    pub corners: Planes,
    /// Points by the plane of their first corner, in order.
    pub points: Planes,
}

/// Something at sparse points that do not move, sorted by planes of the first dimension. Null unless the table is declared with
/// planes.
#[repr(C)]
#[derive(Debug)]
pub struct Planes {
    /// Per plane: the position of its first entry; one more at the end.
    pub first: *const i64,
    /// Entries: an index, and the position along the second dimension.
    pub entries: *const [i64; 2],
}

/// What [`Planes`] point to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlaneLists {
    first: Vec<i64>,
    entries: Vec<[i64; 2]>,
}

impl Planes {
    /// None, for kernels that do not ask for planes.
    pub fn none() -> Planes {
        Planes { first: std::ptr::null(), entries: std::ptr::null() }
    }
}

impl PlaneLists {
    /// Corners with weight, from the cells of a table over `planes` planes; see [`SparseTable::corners`]. `None` without memory.
    pub fn corners(
        cells: &[i32],
        rank: usize,
        planes: usize,
        weighted: impl Fn(usize) -> bool,
    ) -> Option<PlaneLists> {
        let all = cells.chunks_exact(rank.max(1)).enumerate().filter(|(c, _)| weighted(*c));
        let at = |cell: &[i32], d: usize| cell.get(d).map_or(0, |at| i64::from(*at));
        PlaneLists::sorted(planes, all.map(|(c, cell)| (cell[0], [c as i64, at(cell, 1)])))
    }

    /// Points of `corners` corners each; see [`SparseTable::points`]. `None` without memory.
    pub fn points(cells: &[i32], rank: usize, planes: usize, corners: usize) -> Option<PlaneLists> {
        let all = cells.chunks_exact((corners * rank).max(1)).enumerate().map(|(p, cells)| {
            let first = |d: usize| cells.iter().skip(d).step_by(rank.max(1)).min().copied().unwrap_or(0);
            (first(0), [p as i64, if rank > 1 { i64::from(first(1)) } else { 0 }])
        });
        PlaneLists::sorted(planes, all)
    }

    /// Entries by their plane; within one their order stays.
    fn sorted(planes: usize, all: impl Iterator<Item = (i32, [i64; 2])> + Clone) -> Option<PlaneLists> {
        let (mut first, mut entries) = (Vec::new(), Vec::new());
        first.try_reserve_exact(planes + 1).ok()?;
        first.resize(planes + 1, 0);
        // How many there are in each plane, then where each plane begins.
        for (plane, _) in all.clone() {
            first[plane as usize + 1] += 1;
        }
        for plane in 0..planes {
            first[plane + 1] += first[plane];
        }
        entries.try_reserve_exact(first[planes] as usize).ok()?;
        entries.resize(first[planes] as usize, [0; 2]);
        let mut next = first.clone();
        for (plane, entry) in all {
            let at = &mut next[plane as usize];
            entries[*at as usize] = entry;
            *at += 1;
        }
        Some(PlaneLists { first, entries })
    }

    /// Number of planes.
    pub fn len(&self) -> usize {
        self.first.len().saturating_sub(1)
    }

    /// Whether there are no planes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// For a kernel; valid as long as the lists.
    pub fn planes(&self) -> Planes {
        Planes { first: self.first.as_ptr(), entries: self.entries.as_ptr() }
    }
}

/// Everything that a kernel needs for one run.
#[repr(C)]
#[derive(Debug)]
pub struct Context {
    /// Per field: the start of its allocation (slot 0), or null for compressed fields.
    pub fields: *const *mut c_void,
    /// Per field [by rows](crate::Field::by_rows): the address of the first point in memory of each row, in the order of memory.
    /// At the first step of a kernel each row has its own; later, equal rows may have one. Null for other fields.
    pub rows: *const *const *mut c_void,
    /// Per run-time scalar: its value.
    pub scalars: *const f64,
    /// Per sparse point set: its values.
    pub sparse: *const SparseValues,
    /// Per table: cells and weights.
    pub tables: *const SparseTable,
    /// First step of the range.
    pub time_m: i64,
    /// Last step of the range, included.
    pub time_max: i64,
    /// Steps, from the first on, in which fields in place are, see [`Slot`](crate::tree::Slot).
    pub in_place: i64,
    /// Number of threads to use.
    pub threads: i64,
    /// Belongs to the runtime; passed back to its callbacks.
    pub host: *mut c_void,
    /// Threads for kernels that have none of their own, and for callbacks outside a kernel.
    pub parallel: ParallelFn,
    /// Called before `count` steps that are done together, the first of which is `t`; may work on threads from `parallel`, and
    /// change what [`rows`](Context::rows) lead to. Non-zero stops the run before them.
    pub step: StepFn,
    /// Starts to compress slot `slot` of `field` into snapshot `snapshot` of `store`, on threads from `parallel`.
    /// Returns a ticket (0 or more), or minus the status that stops the run. `rows` is 0, or the rows of the strips whose
    /// parts are handed over next; a tile field has no other slices than these.
    pub compress: EffectFn,
    /// Starts to decompress snapshot `snapshot` of `store` into slot `slot` of `field`. Returns like `compress`.
    pub decompress: EffectFn,
    /// Lends memory for one tile, [`Decls::tile_bytes`](crate::Decls::tile_bytes) on a 64-byte boundary, of undefined
    /// content. Never null: there is one for each thread.
    pub take_tile: unsafe extern "C" fn(host: *mut c_void) -> *mut c_void,
    /// Takes the memory back.
    pub give_tile: unsafe extern "C" fn(host: *mut c_void, tile: *mut c_void),
    /// Codes or decodes the part of the slice of a ticket that lies in `x .. x_end` along the first dimension, `y .. y_end`
    /// along the second. `tile` is the memory of the tile field that is moved, or null for a slot. An error is kept for
    /// the wait.
    pub part: PartFn,
    /// Waits for a ticket, on threads from `parallel`. [`AGAIN`], only after a tile field was compressed in parts, asks for
    /// all parts once more; anything else that is not 0 stops the run.
    pub wait: WaitFn,
}

/// Signature of [`Context::step`].
pub type StepFn =
    unsafe extern "C" fn(context: *const Context, t: i64, count: i64, parallel: ParallelFn) -> i32;

/// Signature of [`Context::compress`] and [`Context::decompress`].
pub type EffectFn = unsafe extern "C" fn(
    context: *const Context,
    store: i64,
    snapshot: i64,
    field: i64,
    slot: i64,
    rows: i64,
    parallel: ParallelFn,
) -> i64;

/// Signature of [`Context::part`].
pub type PartFn = unsafe extern "C" fn(
    host: *mut c_void,
    ticket: i64,
    x: i64,
    x_end: i64,
    y: i64,
    y_end: i64,
    tile: *mut c_void,
);

/// Signature of [`Context::wait`].
pub type WaitFn = unsafe extern "C" fn(context: *const Context, ticket: i64, parallel: ParallelFn) -> i32;
