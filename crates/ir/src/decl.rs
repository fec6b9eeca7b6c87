//! Declarations: everything that the statements of a program may name.

use crate::{Compression, DType, FieldId, LocalId, ScalarId, SparseId, TableId};

/// A dimension of space: its name, number of points and distance between points.
#[derive(Clone, Debug, PartialEq)]
pub struct Dim {
    /// `x`, `y` or `z`.
    pub name: String,
    /// Number of points of the domain along it.
    pub size: usize,
    /// Distance between neighbouring points, in the user's unit of length.
    pub spacing: f64,
}

/// Where the value of a run-time scalar comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScalarKind {
    /// The time step `dt`, given at `apply`.
    Step,
    /// A `Constant` of the user.
    Constant,
}

/// A scalar whose value is given for each run.
#[derive(Clone, Debug, PartialEq)]
pub struct ScalarDecl {
    /// Its name in the program.
    pub name: String,
    /// Where its value comes from.
    pub kind: ScalarKind,
}

/// How the time levels of a field are kept.
#[derive(Clone, Debug, PartialEq)]
pub enum FieldKind {
    /// No time axis.
    Space,
    /// Made by the compiler: values that do not change during a run, computed once, at the first step.
    Invariant,
    /// Made by the compiler: values at the points of one tile and around it, in memory of the thread that works on
    /// the tile. See [`Field::window`] for how its points are numbered.
    Tile,
    /// `slots` time levels; level `n` lives in slot `n mod slots`.
    Buffered {
        /// Number of slots.
        slots: usize,
        /// Whether most steps of a run put the level that they write where the oldest lies, see
        /// [`Slot`](crate::tree::Slot). What the program means does not depend on it.
        in_place: bool,
    },
    /// Every snapshot is kept in memory: snapshot `i` holds time step `i * every`.
    Saved {
        /// Number of snapshots.
        steps: usize,
        /// Distance between snapshots in time steps.
        every: usize,
    },
    /// Snapshots are kept as compressed streams. No expression loads it: the compiler reads and writes it
    /// through a ring.
    Compressed {
        /// Number of snapshots.
        steps: usize,
        /// Distance between snapshots in time steps.
        every: usize,
        /// The codec, as declared; its parameter may be overridden at `apply`.
        codec: Compression,
    },
    /// Made by the compiler: uncompressed slots of the compressed field `of`. Snapshot `i` lives in slot `i mod slots`.
    Ring {
        /// Number of slots.
        slots: usize,
        /// Distance between snapshots in time steps.
        every: usize,
        /// The compressed field whose snapshots it holds.
        of: FieldId,
    },
}

/// Where the points of one slot lie in memory, in elements. Row-major, the last dimension contiguous.
///
/// Point `(0, 0, 0)` of the domain is at `pad`; `alloc` counts the halo, the domain and the alignment.
/// The slots of a field follow each other, `alloc[0] * alloc[1] * alloc[2]` elements apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Allocated points per dimension (as many entries as the grid has dimensions).
    pub alloc: Vec<usize>,
    /// Points allocated before the first point of the domain, at least the halo.
    pub pad: Vec<usize>,
    /// Whether the first point of every row lies on a 64-byte boundary; not so in memory of the user's.
    pub aligned: bool,
    /// Whether planes of the first dimension take turns: plane `i` of memory is also plane `i + alloc[0]`, which is a power of two.
    /// For tile fields that a loop over this dimension fills a few planes ahead of what reads them.
    pub turns: bool,
}

impl Layout {
    /// The layout of a field over a domain of `shape` points with `halo` points around it, in elements of
    /// `size` bytes: the first point of every row lies on a 64-byte boundary, a row of more than one vector of 64 bytes
    /// has room for whole ones with the halo around them, and no stride is a multiple of a page (4096 bytes), so that the rows of a stencil do not
    /// compete for one set of the cache.
    pub fn new(shape: &[usize], halo: usize, size: usize) -> Layout {
        let vector = 64 / size;
        let last = shape.len() - 1;
        let mut pad = vec![halo; shape.len()];
        pad[last] = halo.next_multiple_of(vector);
        let mut alloc: Vec<usize> = shape.iter().zip(&pad).map(|(n, p)| p + n + halo).collect();
        let row = if shape[last] < vector { shape[last] } else { shape[last].next_multiple_of(vector) };
        alloc[last] = (pad[last] + row + halo).next_multiple_of(vector);
        let mut stride = size;
        for d in (1..=last).rev() {
            let step = if d == last { vector } else { 1 };
            while (stride * alloc[d]).is_multiple_of(4096) {
                alloc[d] += step;
            }
            stride *= alloc[d];
        }
        Layout { alloc, pad, aligned: true, turns: false }
    }

    /// The layout without any padding: `shape` points with the halo around them, row-major.
    pub fn tight(shape: &[usize], halo: usize) -> Layout {
        let alloc = shape.iter().map(|n| n + 2 * halo).collect();
        Layout { alloc, pad: vec![halo; shape.len()], aligned: false, turns: false }
    }

    /// Distance between neighbours along each dimension, in elements.
    pub fn strides(&self) -> Vec<usize> {
        let mut strides = vec![1; self.alloc.len()];
        for d in (1..self.alloc.len()).rev() {
            strides[d - 1] = strides[d] * self.alloc[d];
        }
        strides
    }

    /// Elements of one slot.
    pub fn slot_len(&self) -> usize {
        self.alloc.iter().product()
    }

    /// Position of the first point of the domain within a slot, in elements.
    pub fn origin(&self) -> usize {
        self.pad.iter().zip(self.strides()).map(|(p, s)| p * s).sum()
    }
}

/// A box of the domain on which a field is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// First point, per dimension.
    pub from: Vec<usize>,
    /// Number of points, per dimension.
    pub shape: Vec<usize>,
}

impl Window {
    /// Whether all points of a region lie in it.
    pub fn holds(&self, region: &Region) -> bool {
        (0..self.from.len()).all(|d| {
            let from = self.from[d] as i64;
            region.from[d] >= from && region.to[d] <= from.saturating_add(self.shape[d] as i64)
        })
    }
}

/// Prints the points: `[2:10, 0:4]`.
impl std::fmt::Display for Window {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ranges =
            self.from.iter().zip(&self.shape).map(|(from, n)| format!("{from}:{}", from.saturating_add(*n)));
        write!(f, "[{}]", ranges.collect::<Vec<_>>().join(", "))
    }
}

/// A box of points: `from[d] <= i < to[d]`; entries past the rank are 0 and 1. Empty when `to <= from` somewhere.
/// Boxes made by the compiler may reach into the halo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Region {
    /// First point, per dimension.
    pub from: [i64; 3],
    /// The point after the last, per dimension.
    pub to: [i64; 3],
}

impl Region {
    /// All points of the domain.
    pub fn domain(dims: &[Dim]) -> Region {
        let mut region = Region { from: [0; 3], to: [1; 3] };
        for (to, dim) in region.to.iter_mut().zip(dims) {
            *to = dim.size as i64;
        }
        region
    }

    /// Number of points.
    pub fn points(&self) -> u64 {
        self.from
            .iter()
            .zip(self.to)
            .map(|(from, to)| to.saturating_sub(*from).max(0) as u64)
            .fold(1, u64::saturating_mul)
    }
}

/// A field on the grid.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Its name in the program; unique, and a valid C identifier.
    pub name: String,
    /// How its time levels are kept.
    pub kind: FieldKind,
    /// Type of its values in memory. A load converts it to the type of the program, a store back (one rounding).
    pub dtype: DType,
    /// Points outside the stored box that a stencil may read, on each side of each dimension. They hold 0.
    pub halo: usize,
    /// The box of the domain on which it is stored; `None` for the whole domain. A point `i` of the domain is stored
    /// as point `i - from`. For a [`FieldKind::Tile`], in dimensions that have tiles, `from` is the first point of
    /// the current tile instead (and the window's entry is 0).
    pub window: Option<Window>,
    /// Whether its memory has no padding, since the user brings it.
    pub tight: bool,
    /// Its place in memory; present from the tree level on (never for compressed fields).
    pub layout: Option<Layout>,
    /// Whether kernels find each of its rows by [a pointer of its own](crate::abi::Context::rows), so that equal rows can be one
    /// in the caches.
    pub by_rows: bool,
}

impl Field {
    /// Number of slots in memory: time levels of a buffered field, snapshots of a saved one.
    pub fn slots(&self) -> usize {
        match self.kind {
            FieldKind::Space | FieldKind::Invariant | FieldKind::Tile => 1,
            FieldKind::Buffered { slots, .. } | FieldKind::Ring { slots, .. } => slots,
            FieldKind::Saved { steps, .. } => steps,
            FieldKind::Compressed { .. } => 0,
        }
    }

    /// Levels of a function that are in memory while steps are done: one less than there are slots, in place; 1 for all that is
    /// no function kept in turn.
    pub fn levels(&self) -> usize {
        match self.kind {
            FieldKind::Buffered { slots, in_place } => (slots - usize::from(in_place)).max(1),
            _ => 1,
        }
    }

    /// Bytes per point of these levels.
    pub fn level_bytes(&self) -> f64 {
        (self.levels() * self.dtype.size()) as f64
    }

    /// Rows of a slot along the last dimension, with those that surround its points; 0 without a layout.
    pub fn rows(&self) -> usize {
        self.layout.as_ref().map_or(0, |l| l.alloc[..l.alloc.len() - 1].iter().product())
    }

    /// Bytes of a slot with all that surrounds its points; 0 without a layout.
    pub fn slot_bytes(&self) -> usize {
        self.layout.as_ref().map_or(0, |l| l.slot_len().saturating_mul(self.dtype.size()))
    }

    /// Whether point `from` of every row begins a cache line (64 bytes).
    pub fn begins_line(&self, from: i64) -> bool {
        let Some((layout, pad)) = self.layout.as_ref().and_then(|l| Some((l, *l.pad.last()?))) else {
            return false;
        };
        let window = self.window.as_ref().and_then(|w| w.from.last()).map_or(0, |first| *first as i64);
        let row = layout.alloc.last().map_or(0, |points| points * self.dtype.size());
        layout.aligned && row % 64 == 0 && (pad as i64 + from - window) * self.dtype.size() as i64 % 64 == 0
    }

    /// Distance between the snapshots in time steps; 1 for fields that live at every step.
    pub fn every(&self) -> usize {
        match self.kind {
            FieldKind::Saved { every, .. }
            | FieldKind::Compressed { every, .. }
            | FieldKind::Ring { every, .. } => every,
            FieldKind::Space | FieldKind::Invariant | FieldKind::Tile | FieldKind::Buffered { .. } => 1,
        }
    }

    /// Whether two time shifts name the same place in memory, at some steps at least: fields with slots use them in turn,
    /// and the newest level of a field in place takes the slot of the oldest.
    pub fn same_slot(&self, a: i32, b: i32) -> bool {
        match self.kind {
            FieldKind::Buffered { slots, in_place: true } if a.abs_diff(b) as usize + 1 == slots => true,
            FieldKind::Buffered { slots, .. } | FieldKind::Ring { slots, .. } if slots > 0 => {
                (i64::from(a) - i64::from(b)) % slots as i64 == 0
            }
            _ => a == b,
        }
    }

    /// Whether most steps write a level where the oldest lies.
    pub fn is_in_place(&self) -> bool {
        matches!(self.kind, FieldKind::Buffered { in_place: true, .. })
    }

    /// Whether the field has a time axis.
    pub fn is_time(&self) -> bool {
        !matches!(self.kind, FieldKind::Space | FieldKind::Invariant | FieldKind::Tile)
    }

    /// Whether the field is kept as compressed streams.
    pub fn is_compressed(&self) -> bool {
        matches!(self.kind, FieldKind::Compressed { .. })
    }
}

/// A set of points off the grid, with one value per point (and per step when `steps` is given).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SparseDecl {
    /// Its name in the program.
    pub name: String,
    /// Number of points.
    pub points: usize,
    /// Number of time steps of its values, when they depend on time.
    pub steps: Option<usize>,
    /// Type of its values in memory; converted like those of a field.
    pub dtype: DType,
}

/// Where the points of a set lie between the points of the grid: grid positions ("corners") with weights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableDecl {
    /// The points.
    pub sparse: SparseId,
    /// Per dimension: whether the grid values lie half a spacing up.
    pub half: [bool; 3],
    /// Corners per point: 1 for the nearest, `2^rank` for multilinear weights, more for others.
    pub corners: usize,
    /// Whether the points move: then the table has a row for each step of the values of `sparse`.
    pub moving: bool,
    /// Whether statements take its points plane by plane, as in a [front](crate::tree::Front).
    pub planes: bool,
}

/// The declarations of a program.
#[derive(Clone, Debug, PartialEq)]
pub struct Decls {
    /// Name of the operator.
    pub name: String,
    /// Type of the arithmetic.
    pub dtype: DType,
    /// Dimensions of the grid, outermost first.
    pub dims: Vec<Dim>,
    /// Run-time scalars.
    pub scalars: Vec<ScalarDecl>,
    /// Fields.
    pub fields: Vec<Field>,
    /// Sparse point sets.
    pub sparse: Vec<SparseDecl>,
    /// Their places between grid points.
    pub tables: Vec<TableDecl>,
}

impl Decls {
    /// The first steps of a run of `steps` in which levels of fields that are kept in place lie there: a whole number of
    /// rounds through their slots, both with the last slot and without it. The others put levels where users look for
    /// them, so that a run ends as if nothing had been in place. 0 if no field is.
    pub fn steps_in_place(&self, steps: i64) -> i64 {
        let round = |slots: i64| slots * (slots - 1);
        let rounds = self.fields.iter().filter(|f| f.is_in_place()).map(|f| round(f.slots() as i64));
        let period = rounds.reduce(num_integer::lcm);
        period.map_or(0, |period| (steps - 1).max(0) / period * period)
    }

    /// The next local above those that are used, and whose printed form no declaration is named like.
    pub fn next_local(&self, used: impl IntoIterator<Item = LocalId>) -> LocalId {
        let names = self.fields.iter().map(|f| f.name.as_str());
        let names = names.chain(self.scalars.iter().map(|s| s.name.as_str()));
        let taken = names
            .chain(self.sparse.iter().map(|s| s.name.as_str()))
            .filter_map(|name| name.strip_prefix('r')?.parse().ok())
            .filter(|n| *n < u32::MAX / 2);
        LocalId(used.into_iter().map(|local| local.0).chain(taken).max().map_or(0, |m| m + 1))
    }

    /// Number of space dimensions, 1 to 3.
    pub fn rank(&self) -> usize {
        self.dims.len()
    }

    /// The field named by `id`.
    pub fn field(&self, id: FieldId) -> &Field {
        &self.fields[id.index()]
    }

    /// The scalar named by `id`.
    pub fn scalar(&self, id: ScalarId) -> &ScalarDecl {
        &self.scalars[id.index()]
    }

    /// The sparse point set named by `id`.
    pub fn sparse(&self, id: SparseId) -> &SparseDecl {
        &self.sparse[id.index()]
    }

    /// The table named by `id`.
    pub fn table(&self, id: TableId) -> &TableDecl {
        &self.tables[id.index()]
    }

    /// The domain with `halo` points around it.
    pub fn with_halo(&self, halo: usize) -> Region {
        let mut region = Region::domain(&self.dims);
        for d in 0..self.rank() {
            region.from[d] -= halo as i64;
            region.to[d] += halo as i64;
        }
        region
    }

    /// Shape of the box on which a field is stored.
    pub fn stored_shape(&self, field: &Field) -> Vec<usize> {
        match &field.window {
            Some(window) => window.shape.clone(),
            None => self.dims.iter().map(|d| d.size).collect(),
        }
    }

    /// Position of a tile field in the memory of a thread, in bytes: they follow each other on 64-byte boundaries.
    pub fn tile_offset(&self, id: FieldId) -> usize {
        self.fields[..id.index()].iter().map(tile_bytes).sum()
    }

    /// Bytes of memory that a thread needs for its tile.
    pub fn tile_bytes(&self) -> usize {
        self.fields.iter().map(tile_bytes).sum()
    }

    /// Adds a field and returns its id.
    pub fn add_field(&mut self, field: Field) -> FieldId {
        self.fields.push(field);
        FieldId(self.fields.len() as u32 - 1)
    }

    /// Ids of all fields, in order of declaration.
    pub fn field_ids(&self) -> impl Iterator<Item = FieldId> + use<> {
        (0..self.fields.len() as u32).map(FieldId)
    }

    /// Looks a field up by name.
    pub fn find_field(&self, name: &str) -> Option<FieldId> {
        self.fields.iter().position(|f| f.name == name).map(|i| FieldId(i as u32))
    }

    /// Number of points of the domain.
    pub fn points(&self) -> usize {
        self.dims.iter().map(|d| d.size).product()
    }

    /// A name for a field made by the compiler that no declaration uses yet.
    pub fn fresh_name(&self, stem: &str) -> String {
        let taken = |n: &str| {
            self.fields.iter().any(|f| f.name == n)
                || self.sparse.iter().any(|s| s.name == n)
                || self.scalars.iter().any(|s| s.name == n)
        };
        let mut name = stem.to_string();
        let mut k = 1;
        while taken(&name) {
            name = format!("{stem}{k}");
            k += 1;
        }
        name
    }
}

fn tile_bytes(field: &Field) -> usize {
    if field.kind == FieldKind::Tile { field.slot_bytes().next_multiple_of(64) } else { 0 }
}
