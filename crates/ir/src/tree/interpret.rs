//! The reference interpreter: the meaning of the tree level, written down as slowly and obviously as possible.
//!
//! It takes the same [`Context`] as a compiled kernel, so that every backend can be compared with it bit by bit.
//! It runs on the calling thread, calls back in the same order as a kernel, and does not flush denormals.
//! Outside a time loop `t` is `time_m`. Tickets that are still open when a status stops the run belong to the host.

use super::{Loop, LoopForm, Program, Slice, Stmt};
use crate::abi::{Context, EffectFn};
use crate::{Access, DType, Direction, Expr, ExprId, FieldId, Func, LocalId, SparseId, TicketId};
use std::collections::HashMap;

/// Runs a program as a kernel would: returns 0, or the status with which a callback stopped the run.
///
/// # Safety
/// The program must pass [`Program::verify`]. `context` must point to a context made for it: every field with a
/// layout has all its slots allocated, tables and values of sparse points have the declared sizes, the range of
/// steps keeps every snapshot and sparse value in range, and nothing else touches this memory meanwhile.
pub unsafe fn interpret(program: &Program, context: *const Context) -> i32 {
    // SAFETY: the caller's promise is the one that both instances ask for.
    unsafe {
        match program.decls.dtype {
            DType::F32 => run::<f32>(program, &*context),
            DType::F64 => run::<f64>(program, &*context),
        }
    }
}

/// The arithmetic of one type: each method rounds once.
trait Real: Copy + PartialEq {
    fn round(value: f64) -> Self;
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

/// The first non-zero status of a callback.
struct Stop(i32);

fn stop_unless_zero(status: i32) -> Result<(), Stop> {
    if status == 0 { Ok(()) } else { Err(Stop(status)) }
}

struct Machine<'a, T> {
    program: &'a Program,
    context: &'a Context,
    t: i64,
    first_step: bool,
    /// Current point, or corner.
    point: [i64; 3],
    /// First point of the current tile and the point after its last, per dimension.
    tile: [(i64, i64); 3],
    /// Values of the `once` scalars.
    once: HashMap<LocalId, f64>,
    locals: HashMap<LocalId, T>,
    tickets: HashMap<TicketId, i64>,
    sparse_point: i64,
}

unsafe fn run<T: Real>(program: &Program, context: &Context) -> i32 {
    let mut m = Machine::<T> {
        program,
        context,
        t: context.time_m,
        first_step: true,
        point: [0; 3],
        tile: [(0, 0); 3],
        once: HashMap::new(),
        locals: HashMap::new(),
        tickets: HashMap::new(),
        sparse_point: 0,
    };
    // SAFETY: `interpret` asks its caller for a verified program and a fitting context.
    unsafe {
        for s in &program.scalars {
            let value = m.once_value(s.value);
            m.once.insert(s.local, value);
        }
        match m.block(&program.body) {
            Ok(()) => 0,
            Err(Stop(status)) => status,
        }
    }
}

/// The methods are unsafe for the reason given at [`interpret`]: memory and callbacks come from the context.
impl<T: Real> Machine<'_, T> {
    unsafe fn block(&mut self, body: &[Stmt]) -> Result<(), Stop> {
        for s in body {
            // SAFETY: as for the whole program.
            unsafe { self.statement(s)? };
        }
        Ok(())
    }

    unsafe fn statement(&mut self, s: &Stmt) -> Result<(), Stop> {
        // SAFETY: as for the whole program; accesses are in range by T9, ids by T1.
        unsafe {
            match s {
                Stmt::Time { direction, body, .. } => self.time(*direction, body),
                Stmt::First(body) if self.first_step => self.block(body),
                Stmt::First(_) => Ok(()),
                Stmt::When { every, body } if self.t % *every as i64 == 0 => self.block(body),
                Stmt::When { .. } => Ok(()),
                Stmt::Nest { outer: l, .. } | Stmt::Loop(l) => self.walk(l),
                Stmt::Let { local, value } => {
                    let value = self.value(*value);
                    self.locals.insert(*local, value);
                    Ok(())
                }
                Stmt::Assign { target, value, increment } => {
                    let value = self.value(*value);
                    let place = self.place(target);
                    *place = if *increment { (*place).add(value) } else { value };
                    Ok(())
                }
                Stmt::Inject { sparse, target, value, .. } => {
                    self.inject(*sparse, target, *value);
                    Ok(())
                }
                Stmt::Interpolate { sparse, time, value, increment, .. } => {
                    self.interpolate(*sparse, *time, *value, *increment);
                    Ok(())
                }
                Stmt::Compress { ticket, store, time, slice, .. } => {
                    self.effect(self.context.compress, *ticket, *store, *time, *slice)
                }
                Stmt::Decompress { ticket, store, time, slice } => {
                    self.effect(self.context.decompress, *ticket, *store, *time, *slice)
                }
                Stmt::Wait(ticket) => {
                    let ticket = self.tickets.remove(ticket).unwrap_or(0);
                    stop_unless_zero((self.context.wait)(self.context.host, ticket))
                }
            }
        }
    }

    unsafe fn time(&mut self, direction: Direction, body: &[Stmt]) -> Result<(), Stop> {
        let (first, last) = (self.context.time_m, self.context.time_max);
        for i in 0..=last - first {
            self.t = match direction {
                Direction::Ascending => first + i,
                Direction::Descending => last - i,
            };
            self.first_step = i == 0;
            // SAFETY: `step` takes any step of the range; the rest as for the whole program.
            unsafe {
                stop_unless_zero((self.context.step)(self.context.host, self.t))?;
                self.block(body)?;
            }
        }
        Ok(())
    }

    unsafe fn walk(&mut self, l: &Loop) -> Result<(), Stop> {
        let size = self.program.decls.dims[l.dim].size as i64;
        let (mut from, to, step) = match l.form {
            LoopForm::Tiles { size: tile, .. } => (0, size, tile as i64),
            LoopForm::Points { tiled: true, .. } => (self.tile[l.dim].0, self.tile[l.dim].1, 1),
            LoopForm::Points { tiled: false, .. } => (0, size, 1),
        };
        while from < to {
            match l.form {
                LoopForm::Tiles { .. } => self.tile[l.dim] = (from, (from + step).min(size)),
                LoopForm::Points { .. } => self.point[l.dim] = from,
            }
            // SAFETY: as for the whole program; the point lies in the domain.
            unsafe { self.block(&l.body)? };
            from += step;
        }
        Ok(())
    }

    /// Where an access at the current point and step lies in memory.
    unsafe fn place(&self, a: &Access) -> *mut T {
        let field = self.program.decls.field(a.field);
        let Some(layout) = &field.layout else { return std::ptr::null_mut() };
        let slot = super::Slot::of(field, a.time).map_or(0, |s| s.at(self.t));
        let mut at = slot * layout.slot_len() as i64;
        for (d, stride) in layout.strides().into_iter().enumerate() {
            at += (self.point[d] + layout.pad[d] as i64 + a.offsets[d] as i64) * stride as i64;
        }
        // SAFETY: the context holds one allocation per field with all its slots; T9 keeps the point inside.
        unsafe { (*self.context.fields.add(a.field.index())).cast::<T>().offset(at as isize) }
    }

    /// The value of a sparse point at a time shift.
    unsafe fn sparse_place(&self, id: SparseId, time: i32) -> *mut T {
        let decl = self.program.decls.sparse(id);
        let row = if decl.steps.is_some() { self.t + time as i64 } else { 0 };
        let at = row * decl.points as i64 + self.sparse_point;
        // SAFETY: the context holds a table per point set; the range of steps keeps the row inside.
        unsafe { (*self.context.sparse.add(id.index())).values.cast::<T>().offset(at as isize) }
    }

    unsafe fn value(&self, id: ExprId) -> T {
        // SAFETY: as for the whole program.
        unsafe {
            match &self.program.exprs[id] {
                Expr::Number(n) => T::round(n.value()),
                Expr::Scalar(s) => T::round(*self.context.scalars.add(s.index())),
                Expr::Local(l) => match self.locals.get(l) {
                    Some(value) => *value,
                    None => T::round(self.once.get(l).copied().unwrap_or(f64::NAN)),
                },
                Expr::Load(a) => *self.place(a),
                Expr::Sparse(id, time) => *self.sparse_place(*id, *time),
                e => operation(e, |c| self.value(c)),
            }
        }
    }

    /// A value of the `once` section, in double precision.
    unsafe fn once_value(&self, id: ExprId) -> f64 {
        // SAFETY: as for the whole program.
        unsafe {
            match &self.program.exprs[id] {
                Expr::Number(n) => n.value(),
                Expr::Scalar(s) => *self.context.scalars.add(s.index()),
                Expr::Local(l) => self.once.get(l).copied().unwrap_or(f64::NAN),
                e => operation(e, |c| self.once_value(c)),
            }
        }
    }

    /// Makes corner `corner` of the current sparse point the current point, and returns its weight.
    unsafe fn corner(&mut self, sparse: SparseId, corner: i64) -> T {
        let rank = self.program.decls.rank();
        let at = ((self.sparse_point << rank) + corner) as usize;
        // SAFETY: tables have 2^rank corners for each point, with `rank` indices each.
        unsafe {
            let table = &*self.context.sparse.add(sparse.index());
            for d in 0..rank {
                self.point[d] = *table.cells.add(at * rank + d) as i64;
            }
            *table.weights.cast::<T>().add(at)
        }
    }

    unsafe fn inject(&mut self, sparse: SparseId, target: &Access, value: ExprId) {
        for p in 0..self.program.decls.sparse(sparse).points as i64 {
            self.sparse_point = p;
            for k in 0..1 << self.program.decls.rank() {
                // SAFETY: as for the whole program; corners lie in the domain.
                unsafe {
                    let weight = self.corner(sparse, k);
                    if weight != T::round(0.0) {
                        let value = weight.mul(self.value(value));
                        let place = self.place(target);
                        *place = (*place).add(value);
                    }
                }
            }
        }
    }

    unsafe fn interpolate(&mut self, sparse: SparseId, time: i32, value: ExprId, increment: bool) {
        for p in 0..self.program.decls.sparse(sparse).points as i64 {
            self.sparse_point = p;
            let mut sum = T::round(0.0);
            // SAFETY: as for the whole program; corners lie in the domain.
            unsafe {
                for k in 0..1 << self.program.decls.rank() {
                    let weight = self.corner(sparse, k);
                    if weight != T::round(0.0) {
                        sum = weight.fma(self.value(value), sum);
                    }
                }
                let place = self.sparse_place(sparse, time);
                *place = if increment { (*place).add(sum) } else { sum };
            }
        }
    }

    unsafe fn effect(
        &mut self,
        start: EffectFn,
        ticket: TicketId,
        store: FieldId,
        time: i32,
        slice: Slice,
    ) -> Result<(), Stop> {
        let decls = &self.program.decls;
        let index = |f: FieldId, shift| super::Slot::of(decls.field(f), shift).map_or(0, |s| s.at(self.t));
        let (snapshot, slot) = (index(store, time), index(slice.field, slice.time));
        let parallel = self.context.parallel;
        // SAFETY: the callback belongs to this context.
        let made =
            unsafe { start(self.context, store.0 as i64, snapshot, slice.field.0 as i64, slot, parallel) };
        if made < 0 {
            return Err(Stop(-made as i32));
        }
        self.tickets.insert(ticket, made);
        Ok(())
    }
}

/// An inner node over the values of its operands. Nodes of other levels, which T3 excludes, give NaN.
fn operation<T: Real>(e: &Expr, mut value: impl FnMut(ExprId) -> T) -> T {
    let operands: Vec<T> = e.children().into_iter().map(&mut value).collect();
    match e {
        Expr::Sum(_) => operands[1..].iter().fold(operands[0], |sum, v| sum.add(*v)),
        Expr::Product(_) => operands[1..].iter().fold(operands[0], |product, v| product.mul(*v)),
        Expr::Sub(..) => operands[0].sub(operands[1]),
        Expr::Div(..) => operands[0].div(operands[1]),
        Expr::Neg(_) => operands[0].neg(),
        Expr::Fma(..) => operands[0].fma(operands[1], operands[2]),
        Expr::Call(f, _) => T::call(*f, &operands),
        _ => T::round(f64::NAN),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::{BodyFn, ParallelFn, SparseTable};
    use std::ffi::c_void;

    unsafe extern "C" fn parallel(_: *const Context, _: i64, _: BodyFn, _: *mut c_void) {}
    unsafe extern "C" fn step(_: *mut c_void, t: i64) -> i32 {
        if t == 9 { 5 } else { 0 }
    }
    unsafe extern "C" fn effect(_: *const Context, _: i64, _: i64, _: i64, _: i64, _: ParallelFn) -> i64 {
        0
    }

    /// Runs a program over one field `u`, two scalars and one sparse point halfway between points 1 and 2.
    fn run(body: &str, range: (i64, i64), u: &mut [f32]) -> (i32, f32) {
        let text = format!(
            "operator op f32 {{ dim x 4 spacing 1 scalar a constant scalar b constant
             field u buffered 2 halo 0 alloc (4) pad (0) sparse s points 1 {body} }}"
        );
        let program = Program::parse(&text).unwrap();
        program.verify().unwrap();
        assert_eq!(u.len(), 8);
        let (cells, weights, mut values) = ([1, 2], [0.5f32, 0.5], [10.0f32]);
        let (fields, scalars) = ([u.as_mut_ptr().cast()], [0.1, 3.0]);
        let table = SparseTable {
            points: 1,
            cells: cells.as_ptr(),
            weights: weights.as_ptr().cast(),
            values: values.as_mut_ptr().cast(),
        };
        let context = Context {
            fields: fields.as_ptr(),
            scalars: scalars.as_ptr(),
            sparse: &table,
            time_m: range.0,
            time_max: range.1,
            threads: 1,
            host: std::ptr::null_mut(),
            parallel,
            step,
            compress: effect,
            decompress: effect,
            wait: step,
        };
        // SAFETY: the program was verified, and the context has its one field with two slots of four.
        let status = unsafe { interpret(&program, &raw const context) };
        (status, values[0])
    }

    #[test]
    fn the_notebook_counts_steps() {
        let mut u = [0.0; 8];
        let body =
            "time ascending { slot 0 = t/1+0 % 2 slot 1 = t/1+1 % 2 for x { u[t+1, x] = u[t, x] + 1 } }";
        assert_eq!(run(body, (0, 3), &mut u), (0, 10.0));
        assert_eq!(u, [4.0, 4.0, 4.0, 4.0, 3.0, 3.0, 3.0, 3.0]);
    }

    #[test]
    fn first_every_and_descending() {
        let mut u = [0.0; 8];
        let body = "time descending { slot 0 = t/1+0 % 2
            first { for x { u[t, x] += 100 } } every 3 { for x { u[t, x] += 1 } } }";
        run(body, (2, 7), &mut u);
        assert_eq!(u, [1.0, 1.0, 1.0, 1.0, 101.0, 101.0, 101.0, 101.0]);
    }

    #[test]
    fn once_values_are_rounded_at_their_use() {
        let mut u = [1.0; 8];
        let body =
            "once r0 = a/b time ascending { slot 0 = t/1+0 % 2 for x { u[t, x] = r0 - fma(a, 10, neg(1)) } }";
        run(body, (0, 0), &mut u);
        let tenth = 0.1f64 as f32;
        assert_eq!(u[0], (0.1f64 / 3.0) as f32 - tenth.mul_add(10.0, -1.0));
    }

    #[test]
    fn sparse_points_and_statuses() {
        let mut u = [1.0, 2.0, 3.0, 4.0, 0.0, 0.0, 0.0, 0.0];
        let body = "time ascending { slot 0 = t/1+0 % 2
            inject s -> u[t, x] += s[p] interpolate s[p] += u[t, x] }";
        assert_eq!(run(body, (0, 0), &mut u), (0, 10.0 + 7.5));
        assert_eq!(u[..4], [1.0, 7.0, 8.0, 4.0]);
        assert_eq!(run(body, (9, 9), &mut u).0, 5);
    }
}
