//! What the interpreters of the cluster and the tree level share: memory and arithmetic at one point.
//!
//! Values are kept in double precision between operations; each operation rounds once to the type of the program.

use crate::abi::{AGAIN, Context, EffectFn};
use crate::cluster::{PointStatement, Slice, Stage};
use crate::stencil::Reduction;
use crate::tree::{Slot, Step};
use crate::{
    Access, Arena, Comparison, DType, Decls, Direction, Expr, ExprId, Field, FieldId, FieldKind, Func,
    LocalId, SparseId, TableId, TicketId,
};
use std::collections::HashMap;
use std::ffi::c_void;

/// The arithmetic of one type: each method rounds once.
pub(crate) trait Real: Copy + PartialEq {
    /// Rounds once to this type; exact for a value of this type.
    fn round(value: f64) -> Self;
    /// Exact.
    fn widen(self) -> f64;
    fn compare(self, op: Comparison, other: Self) -> bool;
    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    fn mul(self, other: Self) -> Self;
    fn div(self, other: Self) -> Self;
    fn neg(self) -> Self;
    fn fma(self, factor: Self, term: Self) -> Self;
    fn call(f: Func, arguments: &[Self]) -> Self;
}

macro_rules! real {
    ($type:ty) => {
        impl Real for $type {
            fn round(value: f64) -> Self {
                value as $type
            }
            fn widen(self) -> f64 {
                self as f64
            }
            fn compare(self, op: Comparison, other: Self) -> bool {
                match op {
                    Comparison::Less => self < other,
                    Comparison::LessOrEqual => self <= other,
                    Comparison::Equal => self == other,
                }
            }
            fn add(self, other: Self) -> Self {
                self + other
            }
            fn sub(self, other: Self) -> Self {
                self - other
            }
            fn mul(self, other: Self) -> Self {
                self * other
            }
            fn div(self, other: Self) -> Self {
                self / other
            }
            fn neg(self) -> Self {
                -self
            }
            fn fma(self, factor: Self, term: Self) -> Self {
                self.mul_add(factor, term)
            }
            fn call(f: Func, arguments: &[Self]) -> Self {
                let a = arguments[0];
                match f {
                    Func::Sqrt => a.sqrt(),
                    Func::Exp => a.exp(),
                    Func::Log => a.ln(),
                    Func::Sin => a.sin(),
                    Func::Cos => a.cos(),
                    Func::Tan => a.tan(),
                    Func::Tanh => a.tanh(),
                    Func::Abs => a.abs(),
                    Func::Floor => a.floor(),
                    Func::Ceil => a.ceil(),
                    Func::Min if a < arguments[1] => a,
                    Func::Max if a > arguments[1] => a,
                    Func::Min | Func::Max => arguments[1],
                    Func::Pow => a.powf(arguments[1]),
                }
            }
        }
    };
}
real!(f32);
real!(f64);

impl Func {
    /// Its value in double precision, as the reference interpreter computes it. There must be [`arity`](Func::arity)
    /// arguments.
    pub fn value(self, arguments: &[f64]) -> f64 {
        f64::call(self, arguments)
    }
}

/// The status with which a callback stopped the run.
pub(crate) struct Stop(pub(crate) i32);

pub(crate) fn stop_unless_zero(status: i32) -> Result<(), Stop> {
    if status == 0 { Ok(()) } else { Err(Stop(status)) }
}

/// A point, a step, and everything that an expression may ask for there.
pub(crate) struct Machine<'a> {
    pub(crate) decls: &'a Decls,
    pub(crate) exprs: &'a Arena,
    pub(crate) context: &'a Context,
    pub(crate) step: Step,
    /// Current point, or corner.
    pub(crate) point: [i64; 3],
    /// First point of the current tile and the point after its last, in dimensions that have tiles.
    pub(crate) tile: [Option<(i64, i64)>; 3],
    /// Memory of the tile fields, at the tree level.
    pub(crate) tile_memory: *mut c_void,
    /// What defines the tile fields, at the cluster level: it has no tiles, and computes their values where they are read.
    pub(crate) stages: &'a [Stage],
    /// Named values: of the run and of the step in double precision, of the point in the type of the program.
    pub(crate) locals: HashMap<LocalId, f64>,
    pub(crate) tickets: HashMap<TicketId, i64>,
    pub(crate) sparse_point: i64,
}

/// The methods are unsafe because memory and callbacks come from the context: it must fit the program, see
/// [`interpret`](crate::tree::interpret).
impl<'a> Machine<'a> {
    pub(crate) fn new(decls: &'a Decls, exprs: &'a Arena, context: &'a Context) -> Machine<'a> {
        Machine {
            decls,
            exprs,
            context,
            step: Step {
                t: context.time_m,
                first: context.time_m,
                direction: Direction::Ascending,
                in_place: 0,
            },
            point: [0; 3],
            tile: [None; 3],
            tile_memory: std::ptr::null_mut(),
            stages: &[],
            locals: HashMap::new(),
            tickets: HashMap::new(),
            sparse_point: 0,
        }
    }

    /// Goes to step `i` of the range, with which `count` steps begin.
    pub(crate) unsafe fn begin_steps(
        &mut self,
        direction: Direction,
        i: i64,
        count: i64,
    ) -> Result<(), Stop> {
        let (first, t) = match direction {
            Direction::Ascending => (self.context.time_m, self.context.time_m + i),
            Direction::Descending => (self.context.time_max, self.context.time_max - i),
        };
        self.step = Step { t, first, direction, in_place: self.context.in_place };
        // SAFETY: `step` takes any step of the range.
        stop_unless_zero(unsafe { (self.context.step)(self.context, t, count, self.context.parallel) })
    }

    /// Where an access at the current point and step lies in memory.
    unsafe fn place(&self, a: &Access, field: &Field) -> *mut c_void {
        let Some(layout) = &field.layout else { return std::ptr::null_mut() };
        let slot = Slot::of(field, a.time).map_or(0, |s| s.at(&self.step));
        let mut at = slot * layout.slot_len() as i64;
        let mut row = None;
        for (d, stride) in layout.strides().into_iter().enumerate() {
            if field.by_rows && d + 1 == self.decls.rank() {
                row = Some(std::mem::take(&mut at) / layout.alloc[d] as i64);
            }
            let window = field.window.as_ref().map_or(0, |w| w.from[d] as i64);
            let first = match self.tile[d] {
                Some((first, _)) if field.kind == FieldKind::Tile => first,
                _ => window,
            };
            let mut point = self.point[d] - first + layout.pad[d] as i64 + a.offsets[d] as i64;
            if layout.turns && d == 0 {
                point = point.rem_euclid(layout.alloc[0] as i64);
            }
            at += point * stride as i64;
        }
        let bytes = at * field.dtype.size() as i64;
        // SAFETY: the context holds one allocation per field with all its slots, and one pointer per row of those by rows; the
        // runtime lends memory for all tile fields; the verifier keeps accesses inside.
        unsafe {
            if let Some(row) = row {
                let rows = *self.context.rows.add(a.field.index());
                return (*rows.offset(row as isize)).byte_offset(bytes as isize);
            }
            match field.kind {
                FieldKind::Tile => {
                    self.tile_memory.byte_add(self.decls.tile_offset(a.field)).byte_offset(bytes as isize)
                }
                _ => (*self.context.fields.add(a.field.index())).byte_offset(bytes as isize),
            }
        }
    }

    /// Where the value of the current sparse point lies, at a time shift.
    unsafe fn sparse_place(&self, id: SparseId, time: i32) -> *mut c_void {
        let decl = self.decls.sparse(id);
        let row = if decl.steps.is_some() { self.step.t + time as i64 } else { 0 };
        let at = (row * decl.points as i64 + self.sparse_point) * decl.dtype.size() as i64;
        // SAFETY: the context holds values per point set; the range of steps keeps the row inside.
        unsafe { (*self.context.sparse.add(id.index())).values.byte_offset(at as isize) }
    }

    /// A value of the program's type.
    pub(crate) unsafe fn value<T: Real>(&mut self, id: ExprId) -> T {
        let exprs = self.exprs;
        // SAFETY: as for the whole program.
        unsafe {
            match &exprs[id] {
                Expr::Number(n) => T::round(n.value()),
                Expr::Scalar(s) => T::round(*self.context.scalars.add(s.index())),
                Expr::Local(l) => T::round(self.locals.get(l).copied().unwrap_or(f64::NAN)),
                Expr::Index(d) => T::round(self.point[*d as usize] as f64),
                Expr::Step => T::round(self.step.t as f64),
                Expr::Load(a) => T::round(self.load::<T>(a)),
                Expr::Sparse(id, time) => {
                    T::round(read(self.sparse_place(*id, *time), self.decls.sparse(*id).dtype))
                }
                Expr::Select(c, a, b) => {
                    let chosen = if self.condition::<T>(*c) { a } else { b };
                    self.value(*chosen)
                }
                e => {
                    let operands: Vec<T> = e.children().into_iter().map(|c| self.value(c)).collect();
                    operation(e, &operands)
                }
            }
        }
    }

    unsafe fn condition<T: Real>(&mut self, id: ExprId) -> bool {
        let exprs = self.exprs;
        // SAFETY: as for the whole program.
        unsafe {
            match &exprs[id] {
                Expr::Compare(op, a, b) => {
                    let (a, b): (T, T) = (self.value(*a), self.value(*b));
                    a.compare(*op, b)
                }
                Expr::And(a, b) => self.condition::<T>(*a) && self.condition::<T>(*b),
                Expr::Or(a, b) => self.condition::<T>(*a) || self.condition::<T>(*b),
                Expr::Not(a) => !self.condition::<T>(*a),
                _ => false, // excluded by the verifier
            }
        }
    }

    unsafe fn load<T: Real>(&mut self, a: &Access) -> f64 {
        let field = self.decls.field(a.field);
        // SAFETY: as for the whole program.
        unsafe {
            if field.kind == FieldKind::Tile && !self.stages.is_empty() {
                return self.on_demand::<T>(a);
            }
            read(self.place(a, field), field.dtype)
        }
    }

    /// The value of a tile field at a point: its stage, run for this point alone.
    unsafe fn on_demand<T: Real>(&mut self, a: &Access) -> f64 {
        let assigns = |s: &PointStatement| matches!(s, PointStatement::Assign { target, .. } if target.field == a.field);
        let stages = self.stages;
        let Some(i) = stages.iter().position(|stage| stage.statements.iter().any(assigns)) else {
            return f64::NAN;
        };
        let (point, locals) = (self.point, self.locals.clone());
        for (p, offset) in self.point.iter_mut().zip(a.offsets) {
            *p += i64::from(offset);
        }
        let mut result = f64::NAN;
        for s in &stages[i].statements {
            // SAFETY: as for the whole program; an earlier stage is the only tile memory that a stage reads.
            let value = unsafe { self.value::<T>(s.value()) }.widen();
            match s {
                PointStatement::Let { local, .. } => {
                    self.locals.insert(*local, value);
                }
                PointStatement::Assign { target, .. } if target.field == a.field => {
                    result = T::round(round_to(value, self.decls.field(a.field).dtype)).widen();
                    break;
                }
                PointStatement::Assign { .. } => {}
            }
        }
        (self.point, self.locals) = (point, locals);
        result
    }

    /// Stores a value at the current point, or adds it.
    pub(crate) unsafe fn assign<T: Real>(&mut self, target: &Access, value: T, increment: bool) {
        let field = self.decls.field(target.field);
        // SAFETY: as for the whole program.
        unsafe {
            let place = self.place(target, field);
            let value = if increment { T::round(read(place, field.dtype)).add(value) } else { value };
            write(place, field.dtype, value.widen());
        }
    }

    /// Makes corner `corner` of the current sparse point the current point, and returns its weight.
    unsafe fn corner<T: Real>(&mut self, table: TableId, corner: usize) -> T {
        let decl = self.decls.table(table);
        let rank = self.decls.rank();
        let row = if decl.moving { self.step.t * self.decls.sparse(decl.sparse).points as i64 } else { 0 };
        let at = (row + self.sparse_point) as usize * decl.corners + corner;
        // SAFETY: tables have `corners` entries for each point (and step, for points that move), with `rank` indices.
        unsafe {
            let table = &*self.context.tables.add(table.index());
            for d in 0..rank {
                self.point[d] = *table.cells.add(at * rank + d) as i64;
            }
            T::round(read(table.weights.byte_add(at * self.decls.dtype.size()).cast_mut(), self.decls.dtype))
        }
    }

    /// Whether a point lies in the tiles around.
    fn in_tile(&self, point: [i64; 3]) -> bool {
        self.tile.iter().zip(point).all(|(tile, at)| tile.is_none_or(|(from, to)| (from..to).contains(&at)))
    }

    /// The first of the corners around the current sparse point, along each dimension.
    unsafe fn first_corner<T: Real>(&mut self, table: TableId) -> [i64; 3] {
        let mut first = [i64::MAX; 3];
        for k in 0..self.decls.table(table).corners {
            // SAFETY: as for the whole program.
            let _: T = unsafe { self.corner(table, k) };
            first = std::array::from_fn(|d| first[d].min(self.point[d]));
        }
        first
    }

    pub(crate) unsafe fn inject<T: Real>(
        &mut self,
        sparse: SparseId,
        table: TableId,
        target: &Access,
        value: ExprId,
    ) {
        for p in 0..self.decls.sparse(sparse).points as i64 {
            self.sparse_point = p;
            for k in 0..self.decls.table(table).corners {
                // SAFETY: as for the whole program; corners lie in the domain.
                unsafe {
                    let weight: T = self.corner(table, k);
                    if self.in_tile(self.point) && weight != T::round(0.0) {
                        let value = weight.mul(self.value(value));
                        self.assign(target, value, true);
                    }
                }
            }
        }
    }

    pub(crate) unsafe fn interpolate<T: Real>(
        &mut self,
        sparse: SparseId,
        table: TableId,
        time: i32,
        value: ExprId,
        increment: bool,
    ) {
        let dtype = self.decls.sparse(sparse).dtype;
        for p in 0..self.decls.sparse(sparse).points as i64 {
            self.sparse_point = p;
            let mut sum = T::round(0.0);
            // SAFETY: as for the whole program; corners lie in the domain.
            unsafe {
                // In a front, a sample is taken in the tile of its first corner.
                if self.tile != [None; 3] {
                    let first = self.first_corner::<T>(table);
                    if !self.in_tile(first) {
                        continue;
                    }
                }
                for k in 0..self.decls.table(table).corners {
                    let weight: T = self.corner(table, k);
                    if weight != T::round(0.0) {
                        sum = weight.fma(self.value(value), sum);
                    }
                }
                let place = self.sparse_place(sparse, time);
                let sum = if increment { T::round(read(place, dtype)).add(sum) } else { sum };
                write(place, dtype, sum.widen());
            }
        }
    }

    /// Keeps the result of a reduction as the value of the series at this step.
    pub(crate) unsafe fn reduced(&mut self, series: SparseId, parts: &[f64], op: Reduction) {
        self.sparse_point = 0;
        let result = parts.iter().fold(op.identity(), |so_far, part| op.combine(so_far, *part));
        // SAFETY: as for the whole program.
        unsafe { write(self.sparse_place(series, 0), self.decls.sparse(series).dtype, result) };
    }

    pub(crate) unsafe fn effect(
        &mut self,
        start: EffectFn,
        ticket: TicketId,
        (store, time): (FieldId, i32),
        slice: Slice,
        rows: usize,
    ) -> Result<(), Stop> {
        let index = |f: FieldId, shift| Slot::of(self.decls.field(f), shift).map_or(0, |s| s.at(&self.step));
        let (snapshot, slot) = (index(store, time), index(slice.field, slice.time));
        let (store, field, parallel) = (store.0 as i64, slice.field.0 as i64, self.context.parallel);
        // SAFETY: the callback belongs to this context.
        let made = unsafe { start(self.context, store, snapshot, field, slot, rows as i64, parallel) };
        if made < 0 {
            return Err(Stop(-made as i32));
        }
        self.tickets.insert(ticket, made);
        Ok(())
    }

    /// Moves the points of the current tiles.
    pub(crate) unsafe fn part(&mut self, ticket: TicketId, slice: Slice) {
        let ticket = self.tickets.get(&ticket).copied().unwrap_or(-1);
        let along = |d: usize| {
            let all = self.decls.dims.get(d).map_or(1, |dim| dim.size as i64);
            self.tile[d].unwrap_or((0, all))
        };
        let ((x, x_end), (y, y_end)) = (along(0), along(1));
        // SAFETY: the callback belongs to this context; tile memory was lent for all tile fields.
        unsafe {
            let tile = match self.decls.field(slice.field).kind {
                FieldKind::Tile => self.tile_memory.byte_add(self.decls.tile_offset(slice.field)),
                _ => std::ptr::null_mut(),
            };
            (self.context.part)(self.context.host, ticket, x, x_end, y, y_end, tile);
        }
    }

    /// Returns true when the parts of the ticket are wanted again.
    pub(crate) unsafe fn wait(&mut self, ticket: TicketId) -> Result<bool, Stop> {
        let number = self.tickets.get(&ticket).copied().unwrap_or(0);
        // SAFETY: the callback belongs to this context.
        let status = unsafe { (self.context.wait)(self.context, number, self.context.parallel) };
        if status == AGAIN {
            return Ok(true);
        }
        self.tickets.remove(&ticket);
        stop_unless_zero(status).map(|()| false)
    }
}

/// A value in memory.
unsafe fn read(place: *mut c_void, dtype: DType) -> f64 {
    // SAFETY: the caller has found the place of a value of this type.
    unsafe {
        match dtype {
            DType::F32 => f64::from(*place.cast::<f32>()),
            DType::F64 => *place.cast::<f64>(),
        }
    }
}

unsafe fn write(place: *mut c_void, dtype: DType, value: f64) {
    // SAFETY: the caller has found the place of a value of this type.
    unsafe {
        match dtype {
            DType::F32 => *place.cast::<f32>() = value as f32,
            DType::F64 => *place.cast::<f64>() = value,
        }
    }
}

fn round_to(value: f64, dtype: DType) -> f64 {
    match dtype {
        DType::F32 => f64::from(value as f32),
        DType::F64 => value,
    }
}

/// An inner node over the values of its operands. Nodes that a verifier excludes give NaN.
fn operation<T: Real>(e: &Expr, operands: &[T]) -> T {
    match e {
        Expr::Sum(_) => operands[1..].iter().fold(operands[0], |sum, v| sum.add(*v)),
        Expr::Product(_) => operands[1..].iter().fold(operands[0], |product, v| product.mul(*v)),
        Expr::Power(_, n) => {
            let power = (1..n.unsigned_abs()).fold(operands[0], |power, _| power.mul(operands[0]));
            if *n < 0 { T::round(1.0).div(power) } else { power }
        }
        Expr::Sub(..) => operands[0].sub(operands[1]),
        Expr::Div(..) => operands[0].div(operands[1]),
        Expr::Neg(_) => operands[0].neg(),
        Expr::Fma(..) => operands[0].fma(operands[1], operands[2]),
        Expr::Call(f, _) => T::call(*f, operands),
        _ => T::round(f64::NAN),
    }
}
