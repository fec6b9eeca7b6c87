//! The reference interpreter of the cluster level: what equations mean before loops, tiles and rewriting.
//!
//! It visits the points of a region in row-major order, computes values of tile fields where they are read, and makes a
//! reduction in that order. It takes the same [`Context`] as a compiled kernel, runs on the calling thread, calls
//! back in the same order as a kernel, and does not flush denormals.

use super::{Action, Cluster, PointStatement, Program, Stage};
use crate::DType;
use crate::Region;
use crate::abi::Context;
use crate::machine::{Machine, Real, Stop};

/// Runs a program whose fields have layouts, as a kernel would: returns 0, or the status with which a callback stopped
/// the run.
///
/// # Safety
/// The program must pass [`Program::verify`], and every field but compressed and tile fields must have a layout.
/// `context` must point to a context made for it: every field with a layout has all its slots allocated, tables and
/// values of sparse points have the declared sizes, the range of steps keeps every snapshot and sparse value in range,
/// and nothing else touches this memory meanwhile.
pub unsafe fn interpret(program: &Program, context: *const Context) -> i32 {
    // SAFETY: the caller's promise is the one that both instances ask for.
    let done = unsafe {
        match program.decls.dtype {
            DType::F32 => run::<f32>(program, &*context),
            DType::F64 => run::<f64>(program, &*context),
        }
    };
    done.map_or_else(|Stop(status)| status, |()| 0)
}

/// Unsafe, as all that follows, for the reason given at [`interpret`]: memory and callbacks come from the context.
unsafe fn run<T: Real>(program: &Program, context: &Context) -> Result<(), Stop> {
    let mut machine = Machine::new(&program.decls, &program.exprs, context);
    for s in &program.scalars {
        // SAFETY: as for the whole program.
        let value = unsafe { machine.value(s.value) };
        machine.locals.insert(s.local, value);
    }
    let steps = if program.direction.is_some() { context.time_max - context.time_m + 1 } else { 1 };
    for i in 0..steps {
        // SAFETY: as for the whole program.
        unsafe {
            if let Some(direction) = program.direction {
                machine.begin_steps(direction, i, 1)?;
            }
            for s in &program.step_scalars {
                let value = machine.value(s.value);
                machine.locals.insert(s.local, value);
            }
            let first: &[Cluster] = if i == 0 { &program.first } else { &[] };
            for cluster in first.iter().chain(&program.clusters) {
                // Without a time loop there are no steps to pass over.
                if program.direction.is_none() || machine.step.t % cluster.every as i64 == 0 {
                    act::<T>(&mut machine, &cluster.action)?;
                }
            }
        }
    }
    Ok(())
}

unsafe fn act<'a, T: Real>(m: &mut Machine<'a>, action: &'a Action) -> Result<(), Stop> {
    // SAFETY: as for the whole program.
    unsafe {
        match action {
            Action::Points { region, stages, statements, .. } => {
                m.stages = stages;
                each(m, *region, |m| point::<T>(m, statements));
                m.stages = &[] as &[Stage];
            }
            Action::Inject { sparse, table, target, value } => m.inject::<T>(*sparse, *table, target, *value),
            Action::Interpolate { sparse, table, time, value, increment } => {
                m.interpolate::<T>(*sparse, *table, *time, *value, *increment);
            }
            Action::Reduce { region, series, op, value } => {
                let mut result = op.identity();
                each(m, *region, |m| result = op.combine(result, m.value::<T>(*value).widen()));
                m.reduced(*series, &[result], *op);
            }
            Action::Compress { ticket, store, time, slice } => {
                m.effect(m.context.compress, *ticket, (*store, *time), *slice, 0)?;
            }
            Action::Decompress { ticket, store, time, slice } => {
                m.effect(m.context.decompress, *ticket, (*store, *time), *slice, 0)?;
            }
            Action::Wait(ticket) => {
                m.wait(*ticket)?;
            }
        }
    }
    Ok(())
}

/// Goes to every point of a region, in ascending row-major order.
fn each<'a>(m: &mut Machine<'a>, region: Region, mut visit: impl FnMut(&mut Machine<'a>)) {
    let Region { from, to } = region;
    for x in from[0]..to[0] {
        for y in from[1]..to[1] {
            for z in from[2]..to[2] {
                m.point = [x, y, z];
                visit(m);
            }
        }
    }
}

unsafe fn point<T: Real>(m: &mut Machine, statements: &[PointStatement]) {
    for s in statements {
        // SAFETY: as for the whole program.
        unsafe {
            let value = m.value::<T>(s.value());
            match s {
                PointStatement::Let { local, .. } => {
                    m.locals.insert(*local, value.widen());
                }
                PointStatement::Assign { target, increment, .. } => m.assign(target, value, *increment),
            }
        }
    }
}
