//! Adjoints of systems of equations: tilted transverse isotropy, elastic waves.

use crate::both;
use crate::random::Random;
use wavefold::Result;
use wavefold::prelude::*;
use wavefold::seismic::equations::{Axis, Elastic, Tti};

const STEPS: usize = 60;

fn parameter(grid: &Grid, so: u32, name: &str, seed: u64, low: f64, high: f64) -> Result<Function> {
    let f = Function::new(name, grid).space_order(so).build()?;
    f.set_data(Random::new(seed).array(grid.shape(), low, high))?;
    f.extend_halo()?;
    Ok(f)
}

/// Points between the grid points, away from the edges.
fn points(grid: &Grid, name: &str, count: usize, seed: u64) -> Result<SparseTimeFunction> {
    let mut random = Random::new(seed);
    let extent = grid.extent();
    let places: Vec<Vec<f64>> =
        (0..count).map(|_| extent.iter().map(|e| random.within(0.2 * e, 0.8 * e)).collect()).collect();
    let s = SparseTimeFunction::new(name, grid).coordinates(&places).steps(STEPS + 3).build()?;
    s.set_data(Random::new(seed + 1).array(&[STEPS + 3, count], -1.0, 1.0))?;
    Ok(s)
}

fn check(what: &str, backend: Backend, left: f64, right: f64) {
    let error = (left - right).abs() / left.abs();
    println!("{what} {backend}: <Fw,y> = {left:e}, <w,F'y> = {right:e}, off by {error:.1e}");
    assert!(left.abs() > 1e-9 && error <= 1e-12, "{what} {backend}: {left} and {right} differ by {error:e}");
}

/// `<F w, y> = <w, F' y>` for random wavelets `w` and data `y` of both fields.
fn tti(shape: &[usize], so: u32) -> Result<()> {
    let grid = Grid::new(shape.to_vec()).with_spacing(10.0).with_dtype(DType::F64);
    let m = parameter(&grid, so, "m", 1, 0.2, 0.4)?;
    let (epsilon, delta) =
        (parameter(&grid, so, "epsilon", 2, 0.1, 0.2)?, parameter(&grid, so, "delta", 3, 0.0, 0.1)?);
    let (theta, phi) =
        (parameter(&grid, so, "theta", 4, -0.7, 0.7)?, parameter(&grid, so, "phi", 5, -0.7, 0.7)?);
    let damp = parameter(&grid, so, "damp", 6, 0.0, 0.01)?;
    let medium = Tti {
        m: m.expr(),
        epsilon: epsilon.expr(),
        delta: delta.expr(),
        axis: Axis { theta: theta.expr(), phi: (shape.len() == 3).then(|| phi.expr()) },
        damp: damp.expr(),
    };
    // Where sources and receivers are there is no damping: the injection is scaled without it.
    let quiet = |i: &[usize]| i.iter().zip(shape).all(|(i, n)| *i > 2 && *i < n - 3);
    let values = damp.data()?.to_f64();
    damp.set_with(|i| if quiet(i) { 0.0 } else { values[i] })?;
    let (src, rec) = (points(&grid, "src", 2, 10)?, points(&grid, "rec", 3, 20)?);
    let (wavelets, y) = (src.data()?.to_f64(), rec.data()?.to_f64());
    let field = |name: &str| TimeFunction::new(name, &grid).time_order(2).space_order(so).build();
    let force = |s: &SparseTimeFunction| s * grid.dt().pow(2) / &m;
    both(|backend| {
        let (heard, arrived) = (points(&grid, "heard", 3, 20)?, points(&grid, "arrived", 2, 10)?);
        let (p, q) = (field("pp")?, field("qq")?);
        let mut forward = medium.forward(&p, &q)?.to_vec();
        forward.push(src.inject_all([(p.forward(), force(&src)), (q.forward(), force(&src))]));
        forward.push(heard.interpolate(&p + 2.0 * &q));
        heard.fill(0.0)?;
        let op = Operator::new(forward)?;
        assert!(op.tree().contains("tile"), "derivatives of derivatives are computed once per tile");
        op.apply().dt(0.4).time_min(1).time_max(STEPS).backend(backend).run()?;

        let (a, b) = (field("aa")?, field("bb")?);
        let mut adjoint = medium.adjoint(&a, &b)?.to_vec();
        adjoint.push(rec.inject_all([(a.backward(), force(&rec)), (b.backward(), 2.0 * force(&rec))]));
        adjoint.push(arrived.interpolate(&a + &b));
        arrived.fill(0.0)?;
        Operator::new(adjoint)?.apply().dt(0.4).time_min(1).time_max(STEPS).backend(backend).run()?;
        let left = (&heard.data()?.to_f64() * &y).sum();
        check(&format!("tti {shape:?}"), backend, left, (&wavelets * &arrived.data()?.to_f64()).sum());
        Ok(())
    })
}

#[test]
fn tti_2d() -> Result<()> {
    tti(&[31, 28], 8)
}

#[test]
fn tti_3d() -> Result<()> {
    tti(&[19, 21, 18], 4)
}

/// The transpose of a velocity-stress step, by hand: `D+` and `D-` are each other's negative transposes.
#[test]
fn elastic_2d() -> Result<()> {
    let so = 4;
    let grid = Grid::new([26, 31]).with_spacing(10.0).with_dtype(DType::F64);
    let lambda = parameter(&grid, so, "lambda", 1, 4.0, 6.0)?;
    let mu = parameter(&grid, so, "mu", 2, 2.0, 3.0)?;
    let buoyancy = parameter(&grid, so, "buoyancy", 3, 0.4, 0.5)?;
    let taper = parameter(&grid, so, "taper", 4, 0.97, 1.0)?;
    let medium =
        Elastic { lambda: lambda.expr(), mu: mu.expr(), buoyancy: buoyancy.expr(), taper: taper.expr() };
    let (src, rec) = (points(&grid, "src", 2, 10)?, points(&grid, "rec", 3, 20)?);
    let (wavelets, y) = (src.data()?.to_f64(), rec.data()?.to_f64());
    let dt = grid.dt();
    both(|backend| {
        let heard = points(&grid, "heard", 3, 20)?;
        let v = VectorTimeFunction::new("v", &grid).space_order(so).build()?;
        let s = TensorTimeFunction::new("s", &grid).space_order(so).build()?;
        let mut forward = medium.forward(&v, &s).to_vec();
        let next = s.forward();
        forward
            .push(src.inject_all([(next[(0, 0)].clone(), &src * &dt), (next[(0, 1)].clone(), &src * 2.0)]));
        forward.push(heard.interpolate(&s.expr()[(1, 1)]));
        heard.fill(0.0)?;
        Operator::new(forward)?.apply().dt(0.5).time_max(STEPS).backend(backend).run()?;

        // w and r at level t are what is multiplied with velocity and stress there.
        let w = VectorTimeFunction::new("w", &grid).space_order(so).build()?;
        let r = TensorTimeFunction::new("r", &grid).space_order(so).build()?;
        let arrived = [points(&grid, "arrived_xx", 2, 10)?, points(&grid, "arrived_xy", 2, 10)?];
        let tapered = r.expr().map(|c| &taper * c);
        let trace = &lambda * tapered.trace();
        let flux = Tensor::new((0..4).map(|k| {
            let c = &tapered.components()[k];
            if k % 3 == 0 { &trace + 2.0 * &mu * c } else { &mu * c }
        }));
        // The velocity that this step's stress has seen, then what it came from.
        let whole = VectorTimeFunction::new("whole", &grid).space_order(so).build()?;
        let strain = grad(whole.backward().map(|c| &buoyancy * &taper * c));
        let fed = Tensor::new((0..4).map(|k| {
            let (i, j) = (k / 2, k % 2);
            let e = &strain[(i, j)];
            if i == j { -e } else { -(e + &strain[(j, i)]) }
        }));
        let adjoint = vec![
            arrived[0].interpolate(&r.expr()[(0, 0)]),
            arrived[1].interpolate(&r.expr()[(0, 1)]),
            eq(whole.backward(), &w - &dt * div(&flux)),
            eq(w.backward(), whole.backward().map(|c| &taper * c)),
            eq(r.backward(), &tapered + &dt * fed),
            rec.inject(r.backward()[(1, 1)].clone(), rec.backward()),
        ];
        Operator::new(adjoint)?.apply().dt(0.5).time_min(1).time_max(STEPS + 1).backend(backend).run()?;
        let left = (&heard.data()?.to_f64() * &y).sum();
        let mut right = 0.0;
        for (k, factor) in [0.5, 2.0].into_iter().enumerate() {
            let arrived = arrived[k].data()?.to_f64();
            for t in 1..=STEPS + 1 {
                for p in 0..2 {
                    right += factor * wavelets[[t - 1, p]] * arrived[[t, p]];
                }
            }
        }
        check("elastic", backend, left, right);
        Ok(())
    })
}
