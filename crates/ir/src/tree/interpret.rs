//! The reference interpreter: the meaning of the tree level, written down as slowly and obviously as possible.
//!
//! It takes the same [`Context`] as a compiled kernel, so that every backend can be compared with it bit by bit.
//! It runs on the calling thread, calls back in the same order as a kernel, and does not flush denormals.
//! Outside a time loop `t` is `time_m`. Tickets that are still open when a status stops the run belong to the host.

use super::{Front, Loop, LoopForm, Program, ScalarLet, Stmt};
use crate::DType;
use crate::abi::Context;
use crate::machine::{Machine, Real, Stop};

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

unsafe fn run<T: Real>(program: &Program, context: &Context) -> i32 {
    let mut machine = Machine::new(&program.decls, &program.exprs, context);
    for s in &program.scalars {
        // SAFETY: `interpret` asks its caller for a verified program and a fitting context.
        let value = unsafe { machine.value(s.value) };
        machine.locals.insert(s.local, value);
    }
    let mut walker = Walker { program, machine, accumulator: Accumulator::default(), group: 1 };
    // SAFETY: as above.
    match unsafe { walker.block::<T>(&program.body) } {
        Ok(()) => 0,
        Err(Stop(status)) => status,
    }
}

struct Walker<'a> {
    program: &'a Program,
    machine: Machine<'a>,
    accumulator: Accumulator,
    /// Steps that are done at a time.
    group: i64,
}

/// The results of the tiles of a reduction, the last one under way.
#[derive(Default)]
struct Accumulator {
    op: Option<super::Reduction>,
    parts: Vec<f64>,
}

/// The methods are unsafe for the reason given at [`interpret`]: memory and callbacks come from the context.
impl Walker<'_> {
    unsafe fn block<T: Real>(&mut self, body: &[Stmt]) -> Result<(), Stop> {
        for s in body {
            // SAFETY: as for the whole program.
            unsafe { self.statement::<T>(s)? };
        }
        Ok(())
    }

    unsafe fn statement<T: Real>(&mut self, s: &Stmt) -> Result<(), Stop> {
        let m = &mut self.machine;
        // SAFETY: as for the whole program; accesses are in range by T9, ids by T1.
        unsafe {
            match s {
                Stmt::Time { direction, scalars, body, .. } => {
                    let count = m.context.time_max - m.context.time_m + 1;
                    let most = self.program.front().map_or(1, |(front, _)| front.steps as i64);
                    let mut i = 0;
                    while i < count {
                        // The first step has work of its own, which must be done before the second.
                        self.group = if i == 0 { 1 } else { most.min(count - i) };
                        self.machine.begin_steps(*direction, i, self.group)?;
                        self.scalars(scalars);
                        self.block::<T>(body)?;
                        i += self.group;
                    }
                    Ok(())
                }
                Stmt::Front { front, body } => {
                    let scalars = self.program.step_scalars();
                    let (first, steps, rank) = (m.step, self.group as usize, self.program.decls.rank());
                    for tile in front.order(steps, body, rank).concat() {
                        self.machine.step = first.after(tile.step as i64);
                        self.scalars(scalars);
                        for d in 0..=Front::shared(rank) {
                            self.machine.tile[d] = Some(tile.range[d]);
                        }
                        self.block::<T>(body[tile.part].body())?;
                        self.machine.tile = [None; 3];
                    }
                    Ok(())
                }
                Stmt::Steps(body) => {
                    let first = m.step;
                    for step in 0..self.group {
                        self.machine.step = first.after(step);
                        self.block::<T>(body)?;
                    }
                    self.machine.step = first;
                    Ok(())
                }
                Stmt::Lagged { body, .. } => self.block::<T>(body),
                Stmt::First(body) if m.step.is_first() => self.block::<T>(body),
                Stmt::First(_) => Ok(()),
                Stmt::When { every, body } if m.step.t % *every as i64 == 0 => self.block::<T>(body),
                Stmt::When { .. } => Ok(()),
                Stmt::Nest { outer, .. } => {
                    let tiles = self.program.uses_tiles(outer);
                    self.walk::<T>(outer, tiles)
                }
                Stmt::Loop(l) => self.walk::<T>(l, false),
                Stmt::Reduce { series, op, outer, .. } => {
                    self.accumulator = Accumulator { op: Some(*op), parts: vec![] };
                    self.walk::<T>(outer, false)?;
                    self.machine.reduced(*series, &self.accumulator.parts, *op);
                    self.accumulator.op = None;
                    Ok(())
                }
                Stmt::Accumulate(value) => {
                    let value = m.value::<T>(*value).widen();
                    if let (Some(op), Some(part)) = (self.accumulator.op, self.accumulator.parts.last_mut()) {
                        *part = op.combine(*part, value);
                    }
                    Ok(())
                }
                Stmt::Let { local, value } => {
                    let value = m.value::<T>(*value).widen();
                    m.locals.insert(*local, value);
                    Ok(())
                }
                Stmt::Assign { target, value, increment } => {
                    let value = m.value::<T>(*value);
                    m.assign(target, value, *increment);
                    Ok(())
                }
                Stmt::Inject { sparse, table, target, value, .. } => {
                    m.inject::<T>(*sparse, *table, target, *value);
                    Ok(())
                }
                Stmt::Interpolate { sparse, table, time, value, increment, .. } => {
                    m.interpolate::<T>(*sparse, *table, *time, *value, *increment);
                    Ok(())
                }
                Stmt::Compress { ticket, store, time, slice, rows, .. } => {
                    m.effect(m.context.compress, *ticket, (*store, *time), *slice, *rows)
                }
                Stmt::Decompress { ticket, store, time, slice, rows } => {
                    m.effect(m.context.decompress, *ticket, (*store, *time), *slice, *rows)
                }
                Stmt::Part { ticket, slice, .. } => {
                    m.part(*ticket, *slice);
                    Ok(())
                }
                Stmt::Until { ticket, body } => loop {
                    self.block::<T>(body)?;
                    if !self.machine.wait(*ticket)? {
                        return Ok(());
                    }
                },
                Stmt::Prefetch(_) | Stmt::Stream(_) => Ok(()),
                // Only parts of tile fields are wanted again, and these are waited for by `Until`.
                Stmt::Wait(ticket) => m.wait(*ticket).map(|_| ()),
            }
        }
    }

    /// Values of the step.
    unsafe fn scalars(&mut self, scalars: &[ScalarLet]) {
        for s in scalars {
            // SAFETY: as for the whole program.
            let value = unsafe { self.machine.value(s.value) };
            self.machine.locals.insert(s.local, value);
        }
    }

    /// `lend`: each round of this loop, the outermost of its nest, borrows memory for tile fields.
    unsafe fn walk<T: Real>(&mut self, l: &Loop, lend: bool) -> Result<(), Stop> {
        let tile = self.machine.tile[l.dim].unwrap_or_default();
        let (mut from, to, step) = match l.form {
            LoopForm::Tiles { from, to, size, .. } => (from, to, size as i64),
            LoopForm::Points { from, to, .. } => (from, to, l.step as i64),
            LoopForm::Tile { before, after, .. } => (tile.0 - before, tile.1 + after, l.step as i64),
        };
        let (host, take, give) =
            (self.machine.context.host, self.machine.context.take_tile, self.machine.context.give_tile);
        while from < to {
            let outermost = self.accumulator.op.is_some() && self.machine.tile == [None; 3];
            match l.form {
                LoopForm::Tiles { .. } => {
                    if outermost {
                        self.accumulator.parts.extend(self.accumulator.op.map(|op| op.identity()));
                    }
                    self.machine.tile[l.dim] = Some((from, (from + step).min(to)));
                }
                LoopForm::Points { .. } | LoopForm::Tile { .. } => self.machine.point[l.dim] = from,
            }
            // SAFETY: as for the whole program; what was taken is given back.
            unsafe {
                if lend {
                    self.machine.tile_memory = take(host);
                }
                let done = self.block::<T>(&l.body);
                if lend {
                    give(host, self.machine.tile_memory);
                }
                done?;
            }
            if matches!(l.form, LoopForm::Tiles { .. }) {
                self.machine.tile[l.dim] = None;
            }
            from += step;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::{BodyFn, ParallelFn, Planes, SparseTable, SparseValues};
    use std::ffi::c_void;

    unsafe extern "C" fn parallel(_: *const Context, _: i64, _: BodyFn, _: *mut c_void) {}
    unsafe extern "C" fn step(_: *const Context, t: i64, _: i64, _: ParallelFn) -> i32 {
        if t == 9 { 5 } else { 0 }
    }
    unsafe extern "C" fn effect(
        _: *const Context,
        _: i64,
        _: i64,
        _: i64,
        _: i64,
        _: i64,
        _: ParallelFn,
    ) -> i64 {
        0
    }
    unsafe extern "C" fn part(_: *mut c_void, _: i64, _: i64, _: i64, _: i64, _: i64, _: *mut c_void) {}
    unsafe extern "C" fn wait(_: *const Context, _: i64, _: ParallelFn) -> i32 {
        0
    }

    unsafe extern "C" fn take(_: *mut c_void) -> *mut c_void {
        std::ptr::null_mut()
    }
    unsafe extern "C" fn give(_: *mut c_void, _: *mut c_void) {}

    /// Runs a program over one field `u`, two scalars and one sparse point halfway between points 1 and 2.
    fn run(body: &str, range: (i64, i64), u: &mut [f32]) -> (i32, f32) {
        let text = format!(
            "operator op f32 {{ dim x 4 spacing 1 scalar a constant scalar b constant
             field u buffered 2 halo 0 alloc (4) pad (0) sparse s points 1
             table s at node corners 2 {body} }}"
        );
        let program = Program::parse(&text).unwrap();
        program.verify().unwrap();
        assert_eq!(u.len(), 8);
        let (cells, weights, mut values) = ([1, 2], [0.5f32, 0.5], [10.0f32]);
        let (fields, scalars) = ([u.as_mut_ptr().cast()], [0.1, 3.0]);
        let table = SparseTable {
            cells: cells.as_ptr(),
            weights: weights.as_ptr().cast(),
            corners: Planes::none(),
            points: Planes::none(),
        };
        let points = SparseValues { points: 1, values: values.as_mut_ptr().cast() };
        let context = Context {
            fields: fields.as_ptr(),
            rows: std::ptr::null(),
            scalars: scalars.as_ptr(),
            sparse: &points,
            tables: &table,
            time_m: range.0,
            time_max: range.1,
            in_place: program.decls.steps_in_place(range.1 - range.0 + 1),
            threads: 1,
            host: std::ptr::null_mut(),
            parallel,
            step,
            compress: effect,
            decompress: effect,
            take_tile: take,
            give_tile: give,
            part,
            wait,
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
