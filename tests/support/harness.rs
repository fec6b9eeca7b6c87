//! Runs tree programs through the kernels' own calling convention, without a runtime.
//!
//! [`Host`] allocates everything that a program names, with contents that depend on a seed only, and answers the
//! callbacks. Two hosts of one seed are equal, so a backend is right when it leaves the same bits as the
//! interpreter:
//!
//! ```ignore
//! let program = harness::program(TEXT);
//! harness::assert_same(&program, (0, 4), &[1, 2, 5], |context| unsafe { entry(context) });
//! ```
#![allow(dead_code)]

use std::collections::HashMap;
use std::ffi::c_void;
use std::sync::Mutex;
use wavefold_ir::abi::{AGAIN, BodyFn, Context, ParallelFn, PlaneLists, SparseTable, SparseValues};
use wavefold_ir::tree::{self, Program};
use wavefold_ir::{DType, Decls, FieldId, FieldKind, TableDecl};

/// Reads and verifies a program.
pub fn program(text: &str) -> Program {
    let program = Program::parse(text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    program.verify().unwrap_or_else(|e| panic!("{e}\n{text}"));
    program
}

/// What a kernel asked of the host, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// Steps began: the first of them, and how many.
    Step(i64, i64),
    /// Store, snapshot, field, slot.
    Compress(i64, i64, i64, i64),
    /// Store, snapshot, field, slot.
    Decompress(i64, i64, i64, i64),
    /// Ticket.
    Wait(i64),
}

/// Memory on 64-byte lines.
#[derive(Clone)]
struct Lines {
    lines: Vec<Line>,
    bytes: usize,
}

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

impl Lines {
    fn new(bytes: usize) -> Lines {
        Lines { lines: vec![Line([0; 64]); bytes.div_ceil(64)], bytes }
    }

    fn pointer(&mut self) -> *mut u8 {
        self.lines.as_mut_ptr().cast()
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: the lines are at least `bytes` initialised bytes.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.bytes) }
    }
}

/// A small generator of numbers in (-1, 1) (splitmix64, Steele and others 2014).
pub struct Random(pub u64);

impl Random {
    /// The next whole number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e3779b97f4a7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d049bb133111eb);
        z ^ (z >> 31)
    }

    /// The next number, never closer to 0 than 2^-20, so that no small program meets denormals.
    pub fn number(&mut self) -> f64 {
        let bits = self.next();
        let size = ((bits >> 12) as f64 / (1u64 << 52) as f64).max(1.0 / (1 << 20) as f64);
        if bits & 1 == 0 { size } else { -size }
    }
}

/// Memory and callbacks for one program.
pub struct Host {
    fields: Vec<Lines>,
    types: Vec<DType>,
    names: Vec<String>,
    slot_bytes: Vec<usize>,
    /// Per field: where its rows are found, if it is by rows.
    rows: Vec<Vec<*mut c_void>>,
    cells: Vec<Vec<i32>>,
    planes: Vec<[PlaneLists; 2]>,
    weights: Vec<Lines>,
    values: Vec<Lines>,
    value_types: Vec<DType>,
    points: Vec<usize>,
    tile_bytes: usize,
    tiles: Mutex<Vec<Lines>>,
    /// Values of the run-time scalars; change them before a run.
    pub scalars: Vec<f64>,
    /// Snapshots by store and number; those never compressed are made up when they are read.
    pub snapshots: HashMap<(i64, i64), Vec<u8>>,
    /// Everything the kernel asked for.
    pub calls: Vec<Call>,
    /// The call with this number (counted from 0) answers with status 7.
    pub fail_at: Option<usize>,
    /// Whether all callbacks were made with denormals kept.
    pub denormals_kept: bool,
    tickets: i64,
    decls: Decls,
    parts: Mutex<HashMap<i64, PartedSlice>>,
}

impl Host {
    /// Memory for a program; its contents depend on `seed` only.
    pub fn new(program: &Program, seed: u64) -> Host {
        let d = &program.decls;
        let mut random = Random(seed);
        let mut fill = |count: usize, dtype: DType| {
            let mut lines = Lines::new(count * dtype.size());
            let p = lines.pointer();
            for i in 0..count {
                let v = random.number();
                // SAFETY: `i` is below the number of elements that were allocated.
                unsafe {
                    match dtype {
                        DType::F32 => p.cast::<f32>().add(i).write(v as f32),
                        DType::F64 => p.cast::<f64>().add(i).write(v),
                    }
                }
            }
            lines
        };
        let slot_lens: Vec<usize> =
            d.fields.iter().map(|f| f.layout.as_ref().map_or(0, |l| l.slot_len())).collect();
        let fields = d.fields.iter().zip(&slot_lens).map(|(f, n)| fill(f.slots() * n, f.dtype)).collect();
        let corners = |t: &TableDecl| {
            let s = d.sparse(t.sparse);
            s.points * t.corners * if t.moving { s.steps.unwrap_or(1) } else { 1 }
        };
        let weights = d.tables.iter().map(|t| fill(corners(t), d.dtype)).collect();
        let values = d.sparse.iter().map(|s| fill(s.points * s.steps.unwrap_or(1), s.dtype)).collect();
        let mut cells_of = |t: &TableDecl| -> Vec<i32> {
            let count = corners(t) * d.rank();
            (0..count).map(|i| (random.next() % d.dims[i % d.rank()].size as u64) as i32).collect()
        };
        let cells: Vec<Vec<i32>> = d.tables.iter().map(&mut cells_of).collect();
        let planes = d.tables.iter().zip(&cells).map(|(t, cells)| {
            let (rank, planes) = (d.rank(), d.dims[0].size);
            let corners = PlaneLists::corners(cells, rank, planes, |_| true).unwrap();
            [corners, PlaneLists::points(cells, rank, planes, t.corners).unwrap()]
        });
        let planes = planes.collect();
        Host {
            fields,
            types: d.fields.iter().map(|f| f.dtype).collect(),
            names: d.fields.iter().map(|f| f.name.clone()).collect(),
            slot_bytes: slot_lens.iter().zip(&d.fields).map(|(n, f)| n * f.dtype.size()).collect(),
            rows: vec![vec![]; d.fields.len()],
            cells,
            planes,
            weights,
            values,
            value_types: d.sparse.iter().map(|s| s.dtype).collect(),
            tile_bytes: d.tile_bytes(),
            tiles: Mutex::default(),
            points: d.sparse.iter().map(|s| s.points).collect(),
            scalars: d.scalars.iter().enumerate().map(|(i, _)| 0.3 + 0.17 * i as f64).collect(),
            snapshots: HashMap::new(),
            calls: Vec::new(),
            fail_at: None,
            denormals_kept: true,
            tickets: 0,
            decls: d.clone(),
            parts: Mutex::default(),
        }
    }

    /// Calls a kernel for the steps `range.0 ..= range.1` and returns its status.
    pub fn run(
        &mut self,
        range: (i64, i64),
        threads: i64,
        kernel: impl FnOnce(*const Context) -> i32,
    ) -> i32 {
        self.find_rows(1);
        let mut fields = vec![std::ptr::null_mut(); self.fields.len()];
        for (i, f) in self.fields.iter_mut().enumerate() {
            // By rows they are found by their pointers alone.
            if self.slot_bytes[i] > 0 && self.rows[i].is_empty() {
                fields[i] = f.pointer().cast::<c_void>();
            }
        }
        let rows: Vec<*const *mut c_void> = self.rows.iter().map(|rows| rows.as_ptr()).collect();
        let sparse: Vec<SparseValues> = (0..self.points.len())
            .map(|i| SparseValues { points: self.points[i] as i64, values: self.values[i].pointer().cast() })
            .collect();
        let tables: Vec<SparseTable> = (0..self.cells.len())
            .map(|i| SparseTable {
                cells: self.cells[i].as_ptr(),
                weights: self.weights[i].pointer().cast(),
                corners: self.planes[i][0].planes(),
                points: self.planes[i][1].planes(),
            })
            .collect();
        let scalars = self.scalars.clone();
        let context = Context {
            fields: fields.as_ptr(),
            rows: rows.as_ptr(),
            scalars: scalars.as_ptr(),
            sparse: sparse.as_ptr(),
            tables: tables.as_ptr(),
            time_m: range.0,
            time_max: range.1,
            in_place: self.decls.steps_in_place(range.1 - range.0 + 1),
            threads,
            host: (self as *mut Host).cast(),
            parallel,
            step,
            compress,
            decompress,
            take_tile,
            give_tile,
            part,
            wait,
        };
        kernel(&context)
    }

    /// Puts the rows of fields by rows in the order of memory backwards, `together` in one place.
    fn find_rows(&mut self, together: usize) {
        for (i, f) in self.decls.fields.iter().enumerate().filter(|(_, f)| f.by_rows) {
            let (count, first) = (f.rows(), self.fields[i].pointer());
            let bytes = self.slot_bytes[i] / count;
            self.rows[i].resize(count, std::ptr::null_mut());
            for (row, place) in self.rows[i].iter_mut().enumerate() {
                *place = first.wrapping_add((count - 1 - row / together * together) * bytes).cast();
            }
        }
    }

    /// Every number of every field and sparse point set, by name and position; one pattern stands for all NaN.
    pub fn bits(&self) -> Vec<(String, Vec<u64>)> {
        let mut all = Vec::new();
        for (name, f) in self.names.iter().zip(&self.fields) {
            all.push((name.clone(), bits_of(f, self.types[all.len()])));
        }
        for (i, v) in self.values.iter().enumerate() {
            all.push((format!("sparse{i}"), bits_of(v, self.value_types[i])));
        }
        all
    }

    /// The bytes of a field, all slots.
    pub fn field(&self, index: usize) -> &[u8] {
        self.fields[index].bytes()
    }

    /// Overwrites one number of a field.
    pub fn set(&mut self, index: usize, at: usize, value: f64) {
        let dtype = self.types[index];
        assert!((at + 1) * dtype.size() <= self.fields[index].bytes);
        let p = self.fields[index].pointer();
        // SAFETY: `at` was just checked.
        unsafe {
            match dtype {
                DType::F32 => p.cast::<f32>().add(at).write(value as f32),
                DType::F64 => p.cast::<f64>().add(at).write(value),
            }
        }
    }

    /// Notes a call and returns the status to answer with.
    fn note(&mut self, call: Call) -> i32 {
        self.denormals_kept &= std::hint::black_box(f64::MIN_POSITIVE) / std::hint::black_box(4.0) != 0.0;
        self.calls.push(call);
        if self.fail_at == Some(self.calls.len() - 1) { 7 } else { 0 }
    }

    fn slot(&mut self, field: i64, slot: i64) -> (*mut u8, usize) {
        let bytes = self.slot_bytes[field as usize];
        let lines = &mut self.fields[field as usize];
        assert!((slot as usize + 1) * bytes <= lines.bytes, "slot {slot} of field {field}");
        // SAFETY: the slot was just checked to lie inside.
        (unsafe { lines.pointer().add(slot as usize * bytes) }, bytes)
    }
}

fn bits_of(lines: &Lines, dtype: DType) -> Vec<u64> {
    let bytes = lines.bytes();
    match dtype {
        DType::F32 => {
            let numbers = bytes.chunks_exact(4).map(|b| f32::from_ne_bytes([b[0], b[1], b[2], b[3]]));
            numbers.map(|v| if v.is_nan() { u64::MAX } else { v.to_bits() as u64 }).collect()
        }
        DType::F64 => {
            let numbers = bytes.chunks_exact(8).map(|b| f64::from_ne_bytes(std::array::from_fn(|i| b[i])));
            numbers.map(|v| if v.is_nan() { u64::MAX } else { v.to_bits() }).collect()
        }
    }
}

/// Lends memory with NaN in it, so that nothing may be read before it was written.
unsafe extern "C" fn take_tile(host: *mut c_void) -> *mut c_void {
    // SAFETY: the context was made with this host; these two fields are shared.
    let (bytes, tiles) = unsafe { ((*host.cast::<Host>()).tile_bytes, &(*host.cast::<Host>()).tiles) };
    let mut tile = Lines::new(bytes);
    tile.lines.iter_mut().for_each(|line| line.0 = [0xff; 64]);
    let pointer = tile.pointer();
    tiles.lock().unwrap().push(tile);
    pointer.cast()
}

unsafe extern "C" fn give_tile(host: *mut c_void, tile: *mut c_void) {
    // SAFETY: the context was made with this host; this field is shared.
    let tiles = unsafe { &(*host.cast::<Host>()).tiles };
    let mut tiles = tiles.lock().unwrap();
    let at = tiles
        .iter()
        .position(|t| t.lines.as_ptr().cast() == tile.cast_const())
        .expect("a tile that was lent");
    tiles.swap_remove(at);
}

/// Runs the interpreter once and `kernel` with each number of threads, and compares all memory, snapshots, calls
/// and statuses bit by bit.
pub fn assert_same(
    program: &Program,
    range: (i64, i64),
    threads: &[i64],
    kernel: impl Fn(*const Context) -> i32,
) {
    let mut expected = Host::new(program, 1);
    // SAFETY: the host made the context for this program.
    let status = expected.run(range, 1, |context| unsafe { tree::interpret(program, context) });
    assert_eq!(status, 0);
    for n in threads {
        let mut host = Host::new(program, 1);
        assert_eq!(host.run(range, *n, &kernel), 0);
        assert_eq!(host.calls, expected.calls, "with {n} threads");
        assert!(host.denormals_kept, "a callback ran with denormals flushed");
        for ((name, got), (_, want)) in host.bits().into_iter().zip(expected.bits()) {
            if let Some(at) = got.iter().zip(&want).position(|(a, b)| a != b) {
                panic!("{name} differs at {at} with {n} threads: {:#x}, not {:#x}", got[at], want[at]);
            }
        }
        assert!(host.snapshots == expected.snapshots, "snapshots differ with {n} threads");
    }
}

unsafe extern "C" fn parallel(_: *const Context, count: i64, body: BodyFn, argument: *mut c_void) {
    for i in 0..count {
        // SAFETY: the kernel or callback gave a body together with its argument.
        unsafe { body(argument, i) };
    }
}

unsafe extern "C" fn step(cx: *const Context, t: i64, count: i64, _: ParallelFn) -> i32 {
    // SAFETY: the context was made with this host.
    let host = unsafe { &mut *(*cx).host.cast::<Host>() };
    if host.calls.iter().filter(|call| matches!(call, Call::Step(..))).count() == 1 {
        host.find_rows(2);
    }
    host.note(Call::Step(t, count))
}

unsafe extern "C" fn wait(cx: *const Context, ticket: i64, _: ParallelFn) -> i32 {
    // SAFETY: the context was made with this host.
    let host = unsafe { &mut *(*cx).host.cast::<Host>() };
    let status = host.note(Call::Wait(ticket));
    let Some(mut slice) = host.parts.lock().unwrap().remove(&ticket) else { return status };
    assert!(slice.rows.iter().all(|n| *n == 1), "every row is moved once");
    slice.rounds += 1;
    // The values of tiles are asked for twice.
    if !slice.decode && slice.is_tile && slice.rounds == 1 && status == 0 {
        slice.rows.fill(0);
        slice.bytes.fill(0);
        host.parts.lock().unwrap().insert(ticket, slice);
        return AGAIN;
    }
    if !slice.decode {
        host.snapshots.insert(slice.of, slice.bytes);
    }
    status
}

/// A slice that is moved in parts: its values, row-major.
struct PartedSlice {
    /// Store and snapshot.
    of: (i64, i64),
    field: FieldId,
    slot: i64,
    strip: i64,
    decode: bool,
    is_tile: bool,
    bytes: Vec<u8>,
    /// How often each row was moved.
    rows: Vec<usize>,
    rounds: usize,
}

impl PartedSlice {
    /// Between the slice and the memory of the field, or of a tile of it.
    fn part(&mut self, decls: &Decls, memory: *mut u8, (x, x_end): (i64, i64), (y, y_end): (i64, i64)) {
        let (field, store) = (decls.field(self.field), decls.field(FieldId(self.of.0 as u32)));
        let (stored, layout) = (decls.stored_shape(store), field.layout.as_ref().unwrap());
        let (rank, size) = (stored.len(), field.dtype.size());
        let first = |d: usize| store.window.as_ref().map_or(0, |w| w.from[d] as i64);
        let last = stored[rank - 1];
        let strip = if rank == 3 { (y, y_end) } else { (x, x_end) };
        let from = strip.0 - first(rank - 2);
        assert!(from % self.strip == 0 && strip.1 - strip.0 <= self.strip, "a part of a strip");
        let strides = layout.strides();
        for i in x..x_end {
            for j in if rank == 3 { y..y_end } else { 0..1 } {
                let (a, b) = (i - first(0), if rank == 3 { j - first(1) } else { 0 });
                let row = (if rank == 3 { a * stored[1] as i64 + b } else { a }) as usize;
                self.rows[row] += 1;
                let (di, dj) = if self.is_tile { (i - x, j - y) } else { (a, b) };
                let mut at = layout.origin() + di as usize * strides[0];
                if rank == 3 {
                    at += dj as usize * strides[1];
                }
                let at = at + self.slot as usize * layout.slot_len();
                let own = &mut self.bytes[row * last * size..(row + 1) * last * size];
                // SAFETY: the layout holds the points of a verified part.
                unsafe {
                    let place = memory.add(at * size);
                    if self.decode {
                        place.copy_from_nonoverlapping(own.as_ptr(), own.len());
                    } else {
                        own.as_mut_ptr().copy_from_nonoverlapping(place, own.len());
                    }
                }
            }
        }
    }
}

unsafe extern "C" fn part(
    host: *mut c_void,
    ticket: i64,
    x: i64,
    x_end: i64,
    y: i64,
    y_end: i64,
    tile: *mut c_void,
) {
    // SAFETY: the context was made with this host; these fields are shared, and memory is that of the kernel.
    let (decls, parts, fields) = unsafe {
        let host = host.cast::<Host>();
        (&(*host).decls, &(*host).parts, &raw const (*host).fields)
    };
    let mut parts = parts.lock().unwrap();
    let slice = parts.get_mut(&ticket).expect("a part of a slice that is moved in parts");
    let memory = if slice.is_tile {
        tile.cast()
    } else {
        // SAFETY: as above.
        unsafe { (&(*fields))[slice.field.index()].lines.as_ptr().cast_mut().cast() }
    };
    slice.part(decls, memory, (x, x_end), (y, y_end));
}

impl Host {
    /// Makes ready to move a slice in parts.
    fn start_parts(&mut self, of: (i64, i64), (field, slot): (i64, i64), strip: i64, decode: bool) {
        let field = FieldId(field as u32);
        let stored = self.decls.stored_shape(self.decls.field(FieldId(of.0 as u32)));
        let dtype = self.decls.field(field).dtype;
        let bytes = stored.iter().product::<usize>() * dtype.size();
        let bytes = if decode {
            let seed = (of.0 * 1000 + of.1) as u64;
            self.snapshots.entry(of).or_insert_with(|| made_up(bytes, seed, dtype)).clone()
        } else {
            vec![0; bytes]
        };
        let rows = vec![0; stored[..stored.len() - 1].iter().product()];
        let is_tile = self.decls.field(field).kind == FieldKind::Tile;
        let slice = PartedSlice { of, field, slot, strip, decode, is_tile, bytes, rows, rounds: 0 };
        self.parts.lock().unwrap().insert(self.tickets + 1, slice);
    }
}

const PARTS: usize = 7;

struct Copy {
    from: *const u8,
    to: *mut u8,
    bytes: usize,
}

/// Copies one of `PARTS` parts.
unsafe extern "C" fn copy_part(argument: *mut c_void, index: i64) {
    // SAFETY: the argument is the `Copy` of `copy`, whose two ranges are valid and do not overlap.
    unsafe {
        let c = &*argument.cast::<Copy>();
        let (from, to) = (c.bytes * index as usize / PARTS, c.bytes * (index as usize + 1) / PARTS);
        std::ptr::copy_nonoverlapping(c.from.add(from), c.to.add(from), to - from);
    }
}

/// Copies on the threads of the kernel.
unsafe fn copy(cx: *const Context, parallel: ParallelFn, mut what: Copy) {
    // SAFETY: the caller gives valid ranges; `what` lives until `parallel` returns.
    unsafe { parallel(cx, PARTS as i64, copy_part, (&raw mut what).cast()) };
}

unsafe extern "C" fn compress(
    cx: *const Context,
    store: i64,
    snapshot: i64,
    field: i64,
    slot: i64,
    rows: i64,
    parallel: ParallelFn,
) -> i64 {
    // SAFETY: the context was made with this host, and kernels are called on one thread.
    unsafe {
        let host = &mut *(*cx).host.cast::<Host>();
        let status = host.note(Call::Compress(store, snapshot, field, slot));
        if status != 0 {
            return -status as i64;
        }
        if rows > 0 {
            host.start_parts((store, snapshot), (field, slot), rows, false);
            host.tickets += 1;
            return host.tickets;
        }
        let (from, bytes) = host.slot(field, slot);
        let mut stream = vec![0; bytes];
        copy(cx, parallel, Copy { from, to: stream.as_mut_ptr(), bytes });
        host.snapshots.insert((store, snapshot), stream);
        host.tickets += 1;
        host.tickets
    }
}

unsafe extern "C" fn decompress(
    cx: *const Context,
    store: i64,
    snapshot: i64,
    field: i64,
    slot: i64,
    rows: i64,
    parallel: ParallelFn,
) -> i64 {
    // SAFETY: the context was made with this host, and kernels are called on one thread.
    unsafe {
        let host = &mut *(*cx).host.cast::<Host>();
        let status = host.note(Call::Decompress(store, snapshot, field, slot));
        if status != 0 {
            return -status as i64;
        }
        if rows > 0 {
            host.start_parts((store, snapshot), (field, slot), rows, true);
            host.tickets += 1;
            return host.tickets;
        }
        let (to, bytes) = host.slot(field, slot);
        if !host.snapshots.contains_key(&(store, snapshot)) {
            let made_up = made_up(bytes, (store * 1000 + snapshot) as u64, host.types[field as usize]);
            host.snapshots.insert((store, snapshot), made_up);
        }
        let from = host.snapshots[&(store, snapshot)].as_ptr();
        copy(cx, parallel, Copy { from, to, bytes });
        host.tickets += 1;
        host.tickets
    }
}

fn made_up(bytes: usize, seed: u64, dtype: DType) -> Vec<u8> {
    let mut random = Random(seed);
    let mut out = Vec::with_capacity(bytes);
    while out.len() < bytes {
        match dtype {
            DType::F32 => out.extend((random.number() as f32).to_ne_bytes()),
            DType::F64 => out.extend(random.number().to_ne_bytes()),
        }
    }
    out
}

/// Rows that say how they use memory: of two cache lines and a part of one, in rounds of two planes, on tiles with a rest.
pub const HINTS: &str = "operator op f32 {
  dim x 8 spacing 1
  dim y 13 spacing 1
  dim z 37 spacing 1
  field u buffered 2 halo 1 alloc (10, 15, 80) pad (1, 1, 16)
  field s saved 9 every 1 halo 0 alloc (8, 13, 48) pad (0, 0, 0)
  time ascending {
    slot 0 = t/1+0 % 2
    slot 1 = t/1+1 % 2
    slot 2 = t/1+0 % 0
    parallel tiles y by 5 {
      for x by 2 {
        for y in tile {
          simd z {
            stream u[t+1]
            prefetch u[t, x+1, y, z+256]
            prefetch u[t, x+2, y, z+256]
            stream s[t]
            r0 = u[t, x-1, y, z] + u[t, x+1, y, z+1]
            u[t+1, x, y, z] = fma(r0, 0.25, u[t, x, y-1, z])
            r1 = u[t, x, y, z] + u[t, x+2, y, z+1]
            u[t+1, x+1, y, z] = fma(r1, 0.25, u[t, x+1, y-1, z])
            s[t, x, y, z] = r0
            s[t, x+1, y, z] = r1
          }
        }
      }
    }
  }
}";

/// Slices in parts: of a slot, of tiles that are asked for twice, and read back, with loops over two planes at a time.
pub const IN_PARTS: [&str; 2] = [
    "operator op f32 {
  dim x 10 spacing 1
  dim y 11 spacing 1
  dim z 20 spacing 1
  field u buffered 2 halo 1 alloc (12, 13, 48) pad (1, 1, 16)
  field w space halo 0 alloc (10, 11, 32) pad (0, 0, 0)
  field s compressed 9 every 1 quantize 9 halo 0
  field e compressed 9 every 2 quantize 9 halo 0
  field r compressed 9 every 1 noop halo 0
  field e_slice tile halo 0 in [0:4, 0:8, 0:20] alloc (4, 8, 32) pad (0, 0, 0)
  field r_slots tile halo 0 in [0:4, 0:8, 0:20] alloc (4, 8, 32) pad (0, 0, 0)
  time ascending {
    slot 0 = t/1+0 % 2
    slot 1 = t/1+1 % 2
    slot 2 = t/1+0 % 0
    slot 3 = t/2+0 % 0
    k0 = compress s[t] <- u[t] in parts of 4
    parallel tiles y by 4 {
      tiles x by 4 {
        for x by 2 in tile {
          for y in tile {
            simd z {
              u[t+1, x, y, z] = u[t, x-1, y, z] + u[t, x, y+1, z]
              u[t+1, x+1, y, z] = u[t, x, y, z] + u[t, x+1, y+1, z]
            }
          }
        }
        encode k0 s <- u[t]
      }
    }
    every 2 {
      k1 = compress e[t] <- e_slice in parts of 8
      until k1 {
        parallel tiles y by 8 {
          tiles x by 4 {
            for x in tile {
              for y in tile {
                simd z {
                  e_slice[x, y, z] = u[t+1, x, y, z] - u[t, x, y, z]
                }
              }
            }
            encode k1 e <- e_slice
          }
        }
      }
    }
    wait k0
    k2 = decompress r[t] -> r_slots in parts of 8
    parallel tiles y by 8 {
      tiles x by 4 {
        decode k2 r -> r_slots
        for x in tile {
          for y in tile {
            simd z {
              w[x, y, z] += r_slots[x, y, z]*u[t, x, y, z]
            }
          }
        }
      }
    }
    wait k2
  }
}",
    "operator op f64 {
  dim x 21 spacing 1
  dim y 17 spacing 1
  field u buffered 2 halo 0 alloc (21, 32) pad (0, 0)
  field w space halo 0 alloc (21, 32) pad (0, 0)
  field s compressed 9 every 1 quantize 9 halo 0 in [4:20, 0:17]
  field r compressed 9 every 1 noop halo 0
  field s_slice tile halo 0 in [0:8, 0:17] alloc (8, 24) pad (0, 0)
  field r_slots tile halo 0 in [0:5, 0:17] alloc (5, 24) pad (0, 0)
  time descending {
    slot 0 = t/1+0 % 2
    slot 1 = t/1-1 % 2
    slot 2 = t/1+0 % 0
    k0 = decompress r[t] -> r_slots in parts of 5
    parallel tiles x by 5 {
      decode k0 r -> r_slots
      for x in tile {
        simd y {
          u[t-1, x, y] = u[t, x, y] + r_slots[x, y]
        }
      }
    }
    wait k0
    k1 = compress s[t] <- s_slice in parts of 8
    until k1 {
      parallel tiles x [4:20] by 8 {
        for x in tile {
          simd y {
            s_slice[x, y] = u[t-1, x, y]*2
            w[x, y] = s_slice[x, y] + 1
          }
        }
        encode k1 s <- s_slice
      }
    }
  }
}",
];
