//! Programs of several equations: elastic waves, tilted transverse isotropy, Burgers.

use crate::case::{Case, Errors, Outcome, rows};
use wavefold::prelude::*;

fn points(case: &Case, grid: &Grid, name: &str, coordinates: &str) -> Outcome<SparseTimeFunction> {
    let coordinates = rows(&case.array(coordinates)?);
    Ok(SparseTimeFunction::new(name, grid).steps(case.count("nt")?).coordinates(coordinates).build()?)
}

fn parameter(case: &Case, grid: &Grid, so: u32, name: &str) -> Outcome<Function> {
    let f = Function::new(name, grid).space_order(so).build()?;
    f.set_data(case.array(name)?)?;
    f.extend_halo()?;
    Ok(f)
}

/// Velocity and stress on a staggered grid (Virieux, 1986).
pub fn elastic(case: &Case, dtype: DType, backend: Backend) -> Outcome<Errors> {
    let grid = case.grid(dtype)?;
    let so = case.count("so")? as u32;
    let v = VectorTimeFunction::new("v", &grid).space_order(so).build()?;
    let t = TensorTimeFunction::new("t", &grid).space_order(so).build()?;
    let [lam, mu, b] = ["lam", "mu", "b"].map(|name| parameter(case, &grid, so, name));
    let (lam, mu, b) = (lam?, mu?, b?);
    let src = points(case, &grid, "src", "src_coords")?;
    src.set_data(case.array("wavelet")?)?;
    let (rec_tyy, rec_divv) =
        (points(case, &grid, "rec_tyy", "rec_coords")?, points(case, &grid, "rec_divv", "rec_coords")?);
    let dt = grid.dt();
    let (next, rate) = (v.forward(), grad(v.forward()));
    let stress = diag(2, &lam * div(&next)) + &mu * (&rate + rate.transpose());
    let normal = [0, 1].map(|i| t.expr()[(i, i)].forward());
    let op = Operator::new([
        eq(v.forward(), &v + &dt * (&b * div(&t))),
        eq(t.forward(), &t + &dt * stress),
        src.inject_all(normal.map(|target| (target, &src * &dt))),
        rec_tyy.interpolate(&t.expr()[(1, 1)]),
        rec_divv.interpolate(div(&v)),
    ])?;
    let run = op.apply().dt(case.number("dt")?).backend(backend).run()?;
    let default = (case.count("time_m_default")? as i64, case.count("time_M_default")? as i64);
    assert_eq!((run.time_m, run.time_max), default);
    let last = case.count("time_M_default")? + 1;
    let mut errors = Errors::default();
    errors.array(case, "rec_tyy", "", &rec_tyy.data()?)?;
    errors.array(case, "rec_divv", "", &rec_divv.data()?)?;
    for f in v.components().iter().chain(t.components()) {
        errors.array(case, f.name(), "", &f.at(last)?)?;
    }
    Ok(errors)
}

/// Pseudo-acoustic waves in a tilted transversely isotropic medium (Zhang, Zhang and Zhang, 2011), rotated derivatives of
/// half the order between the nodes.
pub fn tti(case: &Case, dtype: DType, backend: Backend) -> Outcome<Errors> {
    let grid = case.grid(dtype)?;
    let so = case.count("so")? as u32;
    let field = |name: &str| TimeFunction::new(name, &grid).time_order(2).space_order(so).build();
    let (p, q) = (field("pw")?, field("qw")?);
    let [epsilon, delta, damp] = ["epsilon", "delta", "damp"].map(|name| parameter(case, &grid, so, name));
    let (epsilon, delta, damp) = (epsilon?, delta?, damp?);
    let m = Function::new("m", &grid).space_order(so).build()?;
    m.set_data(case.array("v")?.mapv(|v| 1.0 / (v * v)))?;
    let theta = Function::new("theta", &grid).space_order(so).build()?;
    theta.set_data_with_halo(case.array("theta_with_halo")?)?;
    let src = points(case, &grid, "src", "src_coords")?;
    src.set_data(case.array("wavelet")?)?;
    let rec = points(case, &grid, "rec", "rec_coords")?;

    let (sin, cos) = (theta.sin(), theta.cos());
    let axis = |u: &TimeFunction| {
        let up = |dim| u.diff(dim).order(so / 2).x0(0.5);
        let along = &sin * up(Dim::X) + &cos * up(Dim::Y);
        let down = |e: Expr, dim| e.diff(dim).order(so / 2).x0(-0.5).expr();
        down(&cos * &along, Dim::Y) + down(&sin * &along, Dim::X)
    };
    let across = |u: &TimeFunction| u.laplace() - axis(u);
    let (normal, moveout) = (1.0 + 2.0 * &epsilon, (1.0 + 2.0 * &delta).sqrt());
    let residual = |u: &TimeFunction, force: Expr| &m * u.dt2() + &damp * u.dt() - force;
    let p_next = solve(residual(&p, normal * across(&p) + &moveout * axis(&q)), p.forward())?;
    let q_next = solve(residual(&q, &moveout * across(&p) + axis(&q)), q.forward())?;
    let shot = || &src * grid.dt().pow(2) / &m;
    let op = Operator::new([
        eq(p.forward(), p_next),
        eq(q.forward(), q_next),
        src.inject_all([(p.forward(), shot()), (q.forward(), shot())]),
        rec.interpolate(&p + &q),
    ])?;
    let run = op.apply().dt(case.number("dt")?).backend(backend).run()?;
    let default = (case.count("time_m_default")? as i64, case.count("time_M_default")? as i64);
    assert_eq!((run.time_m, run.time_max), default);
    let last = case.count("time_M_default")? + 1;
    let mut errors = Errors::default();
    errors.array(case, "rec", "", &rec.data()?)?;
    errors.array(case, "p", "", &p.at(last)?)?;
    errors.array(case, "q", "", &q.at(last)?)?;
    Ok(errors)
}

/// Convection by upwind differences, diffusion, and edges kept at 1.
pub fn burgers(case: &Case, dtype: DType, backend: Backend) -> Outcome<Errors> {
    let grid = case.grid(dtype)?;
    let a = Constant::new("a", case.number("a")?);
    let field = |name: &str, start: &str| -> Outcome<TimeFunction> {
        let f = TimeFunction::new(name, &grid).space_order(2).build()?;
        f.set_data(case.array(start)?)?;
        Ok(f)
    };
    let (u, v) = (field("u", "u0")?, field("v", "v0")?);
    let inside = SubDomain::new("inside", &grid).interior();
    let back = |f: &TimeFunction, dim: Dim, d: usize| (f.expr() - f.shift(dim, -1)) / grid.h(d);
    let rate = |f: &TimeFunction| &a * f.laplace() - (&u * back(f, Dim::X, 0) + &v * back(f, Dim::Y, 1));
    let mut equations = vec![];
    for f in [&u, &v] {
        equations.push(eq(f.forward(), f + grid.dt() * rate(f)).on(&inside));
    }
    for (name, dim, last) in
        [("west", Dim::X, false), ("east", Dim::X, true), ("south", Dim::Y, false), ("north", Dim::Y, true)]
    {
        let edge = SubDomain::new(name, &grid);
        let edge = if last { edge.right(dim, 1) } else { edge.left(dim, 1) };
        equations.extend([&u, &v].map(|f| eq(f.forward(), 1.0).on(&edge)));
    }
    let op = Operator::new(equations)?;
    let nt = case.count("nt")?;
    op.apply().dt(case.number("dt")?).time_max(nt - 1).backend(backend).run()?;
    let mut errors = Errors::default();
    errors.array(case, "u", "", &u.at(nt)?)?;
    errors.array(case, "v", "", &v.at(nt)?)?;
    Ok(errors)
}

/// Upwind convection: see `convection2d.py`, which made the cases.
pub fn convection(case: &Case, dtype: DType, backend: Backend) -> Outcome<Errors> {
    let grid = case.grid(dtype)?;
    let field = |name: &str, start: &str| -> Outcome<TimeFunction> {
        let f = TimeFunction::new(name, &grid).space_order(2).build()?;
        f.set_data(case.array(start)?)?;
        Ok(f)
    };
    let u = field("u", "u0")?;
    let upwind =
        |f: &TimeFunction, dim: Dim, order: u32, side: Side| f.diff(dim).order(order).side(side).expr();
    let mut fields = vec![u.clone()];
    let equations = if case.name.ends_with("so1") {
        let v = field("v", "v0")?;
        let inside = SubDomain::new("inside", &grid).interior();
        fields.push(v.clone());
        let rate =
            |f: &TimeFunction| &u * upwind(f, Dim::X, 1, Side::Left) + &v * upwind(f, Dim::Y, 1, Side::Left);
        [&u, &v].map(|f| eq(f.forward(), f - grid.dt() * rate(f)).on(&inside)).to_vec()
    } else {
        let inside = SubDomain::new("inside", &grid).middle(Dim::X, 2, 2).middle(Dim::Y, 2, 2);
        let speeds = [0.5 - grid.position(Dim::Y), grid.position(Dim::X) - 0.5];
        let rate = Expr::sum([Dim::X, Dim::Y].into_iter().zip(&speeds).map(|(dim, speed)| {
            let [left, right] = [Side::Left, Side::Right].map(|side| upwind(&u, dim, 2, side));
            speed * select(speed.gt(0.0), left, right)
        }));
        vec![eq(u.forward(), &u - grid.dt() * rate).on(&inside)]
    };
    let op = Operator::new(equations)?;
    let nt = case.count("nt")?;
    op.apply().dt(case.number("dt")?).time_max(nt - 1).backend(backend).run()?;
    let mut errors = Errors::default();
    for f in &fields {
        errors.array(case, f.name(), "", &f.at(nt)?)?;
    }
    Ok(errors)
}
