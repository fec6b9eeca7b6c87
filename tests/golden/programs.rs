//! The program of each kind of case.

use crate::case::{Case, Errors, Failure, Outcome, rows};
use crate::systems;
use ndarray::{ArrayD, Axis};
use wavefold::prelude::*;

/// Runs a case; returns every stored array or other quantity with its relative error.
pub fn run(kind: &str, case: &Case, dtype: DType, backend: Backend) -> Outcome<Vec<(String, f64)>> {
    let errors = match kind {
        _ if kind.starts_with("acoustic") => acoustic(case, dtype, backend)?,
        _ if kind.starts_with("heat") => heat(case, dtype, backend)?,
        _ if kind.starts_with("fwi_gradient") => gradient(case, dtype, backend)?,
        _ if kind.starts_with("snapshots") => snapshots(case, dtype, backend)?,
        _ if kind.starts_with("elastic") => systems::elastic(case, dtype, backend)?,
        _ if kind.starts_with("tti") => systems::tti(case, dtype, backend)?,
        _ if kind.starts_with("convection") => systems::convection(case, dtype, backend)?,
        _ if kind.starts_with("burgers") => systems::burgers(case, dtype, backend)?,
        _ => return Err(Failure(format!("no program for `{kind}`"))),
    };
    errors.complete(case)?;
    Ok(errors.list)
}

/// The damped acoustic wave equation with a source and receivers.
struct Acoustic {
    grid: Grid,
    u: TimeFunction,
    m: Function,
    damp: Function,
    src: SparseTimeFunction,
    dt: f64,
    time: (usize, usize),
}

impl Acoustic {
    fn new(case: &Case, velocity: &str, dtype: DType) -> Outcome<Acoustic> {
        let grid = case.grid(dtype)?;
        let so = case.count("so")? as u32;
        let u = TimeFunction::new("u", &grid).time_order(2).space_order(so).build()?;
        let m = Function::new("m", &grid).space_order(so).build()?;
        let damp = Function::new("damp", &grid).space_order(so).build()?;
        m.set_data(case.array(velocity)?.mapv(|v| 1.0 / (v * v)))?;
        damp.set_data(case.array("damp")?)?;
        let wavelet = case.array("wavelet")?;
        let src = SparseTimeFunction::new("src", &grid)
            .steps(wavelet.shape()[0])
            .coordinates(rows(&case.array("src_coords")?))
            .build()?;
        src.set_data(wavelet)?;
        let time = (case.count("time_m_default")?, case.count("time_M_default")?);
        Ok(Acoustic { grid, u, m, damp, src, dt: case.number("dt")?, time })
    }

    /// Stencil and injection.
    fn step(&self) -> Outcome<Vec<Equation>> {
        let (u, m) = (&self.u, &self.m);
        let update = solve(m * u.dt2() - u.laplace() + &self.damp * u.dt(), u.forward())?;
        Ok(vec![eq(u.forward(), update), self.src.inject(u.forward(), &self.src * self.grid.dt().pow(2) / m)])
    }

    fn receivers(&self, case: &Case, name: &str) -> Outcome<SparseTimeFunction> {
        let coordinates = rows(&case.array("rec_coords")?);
        let rec = SparseTimeFunction::new(name, &self.grid)
            .points(coordinates.len())
            .steps(case.count("nt")?)
            .coordinates(coordinates)
            .build()?;
        Ok(rec)
    }
}

fn acoustic(case: &Case, dtype: DType, backend: Backend) -> Outcome<Errors> {
    let a = Acoustic::new(case, "v", dtype)?;
    let rec = a.receivers(case, "rec")?;
    let mut equations = a.step()?;
    equations.push(rec.interpolate(&a.u));
    let op = Operator::new(equations)?;
    let half = case.count("half")?;
    let (first, last) = a.time;

    let whole = op.apply().dt(a.dt).backend(backend).run()?;
    if (whole.time_m as usize, whole.time_max as usize) != a.time {
        return Err(Failure(format!("default range {}..={}", whole.time_m, whole.time_max)));
    }
    let mut errors = Errors::default();
    errors.array(case, "rec", "", &rec.data()?)?;
    errors.array(case, "u_last", "", &a.u.at(last + 1)?)?;
    errors.array(case, "u_last_m1", "", &a.u.at(last)?)?;
    a.u.fill(0.0)?;
    op.apply().dt(a.dt).time_min(first).time_max(half).backend(backend).run()?;
    errors.array(case, "u_half", "", &a.u.at(half + 1)?)?;
    Ok(errors)
}

fn heat(case: &Case, dtype: DType, backend: Backend) -> Outcome<Errors> {
    let grid = case.grid(dtype)?;
    let so = case.count("so")? as u32;
    let u = TimeFunction::new("u", &grid).space_order(so).build()?;
    let a = Constant::new("a", case.number("a")?);
    u.set_at(0, case.array("u0")?)?;
    let update = solve(u.dt() - &a * u.laplace(), u.forward())?;
    let op = Operator::new([eq(u.forward(), update)])?;
    let nt = case.count("nt")?;
    op.apply().dt(case.number("dt")?).time_max(nt - 1).backend(backend).run()?;
    let mut errors = Errors::default();
    errors.array(case, "u", "", &u.at(nt)?)?;
    Ok(errors)
}

/// Snapshots of `u` and `u.dt2` every few steps, and of `u.dt2` at every step.
fn snapshots(case: &Case, dtype: DType, backend: Backend) -> Outcome<Errors> {
    let a = Acoustic::new(case, "v", dtype)?;
    let (nt, every, count) = (case.count("nt")?, case.count("factor")?, case.count("nsnap")?);
    let mut errors = Errors::default();
    // Uncompressed, and compressed without loss: the same values.
    for compression in [None, Some(Noop)] {
        let save = |name: &str, steps: usize, every: usize| {
            let f = TimeFunction::new(name, &a.grid).time_order(2).save(steps).save_every(every);
            match compression {
                Some(c) => f.compression(c).build(),
                None => f.build(),
            }
        };
        let (us, ud, uf) = (save("us", count, every)?, save("ud", count, every)?, save("uf", nt, 1)?);
        let mut equations = a.step()?;
        equations.extend([eq(&us, &a.u), eq(&ud, a.u.dt2()), eq(&uf, a.u.dt2())]);
        a.u.fill(0.0)?;
        let op = Operator::new(equations)?;
        let run = op.apply().dt(a.dt).backend(backend).run()?;
        if (run.time_m as usize, run.time_max as usize) != a.time {
            return Err(Failure(format!("default range {}..={}", run.time_m, run.time_max)));
        }
        let how = if compression.is_some() { " (noop)" } else { "" };
        errors.array(case, "us", how, &history(&us, 1)?)?;
        errors.array(case, "ud", how, &history(&ud, 1)?)?;
        if let Some((name, k)) = case.sampled("uf") {
            errors.array(case, &name, how, &history(&uf, k)?)?;
        }
    }
    Ok(errors)
}

/// Every `k`-th snapshot of a saved function; those that were never written are 0.
fn history(f: &TimeFunction, k: usize) -> Outcome<Data> {
    let steps = f.save().unwrap_or(0);
    let mut shape = f.grid().shape().to_vec();
    shape.insert(0, steps.div_ceil(k));
    let mut all = ArrayD::<f64>::zeros(shape);
    for n in (0..steps).step_by(k) {
        let snapshot = if f.compression().is_none() {
            f.at(n)?
        } else {
            match decompress_step(f, n) {
                Ok(snapshot) => snapshot,
                Err(e) if e.code() == "store::missing_step" => continue,
                Err(e) => return Err(e.into()),
            }
        };
        all.index_axis_mut(Axis(0), n / k).assign(&snapshot.to_f64());
    }
    Ok(all.into())
}

/// Forward with the history kept, adjoint, gradient; and the dot-product test.
fn gradient(case: &Case, dtype: DType, backend: Backend) -> Outcome<Errors> {
    let nt = case.count("nt")?;
    let truth = Acoustic::new(case, "v_true", dtype)?;
    let a = Acoustic::new(case, "v0", dtype)?;
    let (observed, synthetic) = (truth.receivers(case, "rec")?, a.receivers(case, "rec")?);
    forward(&truth, &observed, None, backend)?;

    let mut errors = Errors::default();
    for compression in [None, Some(Noop)] {
        let usave = TimeFunction::new("usave", &a.grid).time_order(2).save(nt);
        let usave = match compression {
            Some(c) => usave.compression(c).build()?,
            None => usave.build()?,
        };
        forward(&a, &synthetic, Some(&usave), backend)?;
        let residual = synthetic.data()?.to_f64() - observed.data()?.to_f64();
        let (grad, _) = adjoint(&a, case, &residual, Some(&usave), backend)?;
        let how = if compression.is_some() { " (noop)" } else { "" };
        if let Some((name, k)) = case.sampled("usave") {
            errors.array(case, &name, how, &history(&usave, k)?)?;
        }
        errors.array(case, "grad", how, &grad.data()?)?;
    }
    let (syn, obs) = (synthetic.data()?.to_f64(), observed.data()?.to_f64());
    let objective = 0.5 * (&syn - &obs).mapv(|r| r * r).sum();
    errors.array(case, "d_obs", "", &obs.into())?;
    errors.array(case, "d_syn", "", &syn.clone().into())?;
    errors.number("objective", objective, case.number("objective")?);

    let y = case.array("y")?;
    let (_, srca) = adjoint(&a, case, &y, None, backend)?;
    let srca = srca.data()?;
    let fw_y = (&syn * &y).sum();
    let w_fty =
        (&case.array("wavelet")?.into_shape_with_order(srca.shape().to_vec())? * &srca.to_f64()).sum();
    errors.array(case, "srca", "", &srca)?;
    errors.number("<F w, y>", fw_y, case.number_in("dot_test", "Fw_y")?);
    errors.number("<w, F'y>", w_fty, case.number_in("dot_test", "w_Fty")?);
    Ok(errors)
}

fn forward(
    a: &Acoustic,
    rec: &SparseTimeFunction,
    save: Option<&TimeFunction>,
    backend: Backend,
) -> Outcome<()> {
    a.u.fill(0.0)?;
    let mut equations = a.step()?;
    equations.push(rec.interpolate(&a.u));
    equations.extend(save.map(|usave| eq(usave, &a.u)));
    Operator::named("forward", equations)?.apply().dt(a.dt).backend(backend).run()?;
    Ok(())
}

/// Back-propagates data; images with `usave` when it is there, and samples at the source.
fn adjoint(
    a: &Acoustic,
    case: &Case,
    data: &ArrayD<f64>,
    usave: Option<&TimeFunction>,
    backend: Backend,
) -> Outcome<(Function, SparseTimeFunction)> {
    let (grid, m) = (&a.grid, &a.m);
    let so = case.count("so")? as u32;
    let v = TimeFunction::new("v", grid).time_order(2).space_order(so).build()?;
    let grad = Function::new("grad", grid).build()?;
    let res = a.receivers(case, "res")?;
    res.set_data(data.clone())?;
    let coordinates = rows(&case.array("src_coords")?);
    let srca =
        SparseTimeFunction::new("srca", grid).steps(case.count("nt")?).coordinates(coordinates).build()?;

    let update = solve(m * v.dt2() - v.laplace() + &a.damp * v.dt().T(), v.backward())?;
    let mut equations = vec![
        eq(v.backward(), update),
        res.inject(v.backward(), &res * grid.dt().pow(2) / m),
        srca.interpolate(&v),
    ];
    equations.extend(usave.map(|usave| inc(&grad, -usave * v.dt2())));
    let run = Operator::named("adjoint", equations)?
        .apply()
        .dt(a.dt)
        .time_min(a.time.0)
        .time_max(a.time.1)
        .backend(backend)
        .run()?;
    if run.steps as usize != a.time.1 - a.time.0 + 1 {
        return Err(Failure(format!("{} steps", run.steps)));
    }
    Ok((grad, srca))
}
