//! Convergence by manufactured solutions: measured order = space order, 2 to 12, staggered systems included.
//!
//! A smooth solution is chosen, put into the equations, and what is left over becomes a source term. All fields of a system
//! are exact at first, one step of Euler's method is taken on a coarse and on a fine grid, and what it changes is compared
//! with what the exact rate says. One step has no error in time, since the rate is compared and not the solution.

use crate::both;
use wavefold::Result;
use wavefold::prelude::*;

/// Errors fall by `2^order` between the grids, to within this much of the order.
const SLACK: f64 = 0.5;

/// The largest error of a field that lives at `half`, away from the edges of the domain, where stencils meet the halo.
fn error(found: &Data, h: f64, half: [bool; 2], margin: usize, exact: impl Fn(f64, f64) -> f64) -> f64 {
    let found = found.to_f64();
    let (n, m) = (found.shape()[0], found.shape()[1]);
    let place = |i: usize, half: bool| (i as f64 + if half { 0.5 } else { 0.0 }) * h;
    let inside = (margin..n - margin).flat_map(|i| (margin..m - margin).map(move |j| (i, j)));
    inside
        .map(|(i, j)| (found[[i, j]] - exact(place(i, half[0]), place(j, half[1]))).abs())
        .fold(0.0, |worst: f64, e| if e.is_nan() { f64::INFINITY } else { worst.max(e) })
}

/// The error of each field of a system on a grid of `points` cells.
type System = fn(u32, usize, Backend) -> Result<Vec<(&'static str, f64)>>;

fn converges(name: &str, system: System) -> Result<()> {
    both(|backend| {
        for order in (2..=12).step_by(2) {
            let n = if order <= 6 { 40 } else { 32 };
            let (coarse, fine) = (system(order, n, backend)?, system(order, 2 * n, backend)?);
            for ((field, coarse), (_, fine)) in coarse.into_iter().zip(fine) {
                let measured = (coarse / fine).log2();
                println!(
                    "{name} {backend} order {order} {field}: {measured:.2} ({coarse:.1e} to {fine:.1e})"
                );
                assert!(
                    (measured - f64::from(order)).abs() <= SLACK,
                    "{name}, {field}, {backend}, order {order}: {measured} ({coarse:e} to {fine:e})"
                );
            }
        }
        Ok(())
    })
}

/// Coarser for high orders, whose errors would drown in rounding.
fn side(order: u32) -> f64 {
    if order <= 6 { 5.0 } else { 16.0 }
}

fn grid(order: u32, points: usize) -> (Grid, f64, usize) {
    let h = side(order) / points as f64;
    // Errors are compared over the same part of the domain.
    (Grid::new([points + 1, points + 1]).with_spacing(h).with_dtype(DType::F64), h, points / 3)
}

fn set(f: &TimeFunction, h: f64, value: impl Fn(f64, f64) -> f64 + Sync) -> Result<()> {
    let half = f.stagger().map(|half| if half { 0.5 } else { 0.0 });
    Ok(f.set_with(|i| value((i[0] as f64 + half[0]) * h, (i[1] as f64 + half[1]) * h))?)
}

/// Pressure and particle velocity on a staggered grid: `p_t = -k div v`, `v_t = -grad p`.
fn staggered_waves(order: u32, points: usize, backend: Backend) -> Result<Vec<(&'static str, f64)>> {
    let (grid, h, margin) = grid(order, points);
    let p = TimeFunction::new("pressure", &grid).space_order(order).build()?;
    let v = VectorTimeFunction::new("v", &grid).space_order(order).build()?;
    let (vx, vy) = (&v.components()[0], &v.components()[1]);
    set(&p, h, |x, y| x.sin() * (1.3 * y).cos())?;
    set(vx, h, |x, y| (0.9 * x).cos() * y.sin())?;
    set(vy, h, |x, y| (1.1 * x).sin() * (0.8 * y).cos())?;
    let op = Operator::named(
        &format!("waves{order}"),
        [eq(v.forward(), grid.dt() * -1.0 * grad(&p)), eq(p.forward(), grid.dt() * -2.0 * div(&v))],
    )?;
    op.apply().dt(1.0).time_max(0).backend(backend).run()?;
    Ok(vec![
        ("vx", error(&vx.at(1)?, h, [true, false], margin, |x, y| -x.cos() * (1.3 * y).cos())),
        ("vy", error(&vy.at(1)?, h, [false, true], margin, |x, y| 1.3 * x.sin() * (1.3 * y).sin())),
        (
            "p",
            error(&p.at(1)?, h, [false; 2], margin, |x, y| {
                2.0 * (0.9 * (0.9 * x).sin() * y.sin() + 0.8 * (1.1 * x).sin() * (0.8 * y).sin())
            }),
        ),
    ])
}

/// Hooke's law and Newton's on a staggered grid (Virieux, 1986), with moduli that vary and are constant along each
/// direction in which they are averaged.
fn elastic(order: u32, points: usize, backend: Backend) -> Result<Vec<(&'static str, f64)>> {
    let (grid, h, margin) = grid(order, points);
    let v = VectorTimeFunction::new("v", &grid).space_order(order).build()?;
    let s = TensorTimeFunction::new("s", &grid).space_order(order).build()?;
    let (vx, vy) = (&v.components()[0], &v.components()[1]);
    set(vx, h, |x, y| x.sin() * (1.2 * y).cos())?;
    set(vy, h, |x, y| (0.8 * x).cos() * y.sin())?;
    let parts = [(0, 0), (1, 1), (0, 1)];
    for (k, (i, j)) in parts.into_iter().enumerate() {
        let f = s.component(i, j).expect("a component");
        set(f, h, |x, y| (x + 0.3 * k as f64).cos() * (y - 0.2 * k as f64).sin())?;
    }
    let (l, m) = (1.5, 0.75);
    let strain = grad(&v);
    let rate = diag(2, l * div(&v)) + m * (&strain + strain.transpose());
    let op = Operator::named(
        &format!("elastic{order}"),
        [eq(v.forward(), grid.dt() * div(&s)), eq(s.forward(), grid.dt() * rate)],
    )?;
    op.apply().dt(1.0).time_max(0).backend(backend).run()?;
    let sxy = s.component(0, 1).expect("a component");
    let sxx = s.component(0, 0).expect("a component");
    let (dvx_dx, dvx_dy) =
        (|x: f64, y: f64| x.cos() * (1.2 * y).cos(), |x: f64, y: f64| -1.2 * x.sin() * (1.2 * y).sin());
    let (dvy_dx, dvy_dy) =
        (|x: f64, y: f64| -0.8 * (0.8 * x).sin() * y.sin(), |x: f64, y: f64| (0.8 * x).cos() * y.cos());
    Ok(vec![
        (
            "vx",
            error(&vx.at(1)?, h, [true, false], margin, |x, y| {
                -x.sin() * y.sin() + (x + 0.6).cos() * (y - 0.4).cos()
            }),
        ),
        (
            "sxx",
            error(&sxx.at(1)?, h, [false; 2], margin, |x, y| {
                l * (dvx_dx(x, y) + dvy_dy(x, y)) + 2.0 * m * dvx_dx(x, y)
            }),
        ),
        ("sxy", error(&sxy.at(1)?, h, [true; 2], margin, |x, y| m * (dvx_dy(x, y) + dvy_dx(x, y)))),
    ])
}

/// Derivatives of products and of derivatives at the nodes: `u_t = (a u_x)_y + (a u_y)_x + u_xx`.
fn nested(order: u32, points: usize, backend: Backend) -> Result<Vec<(&'static str, f64)>> {
    let (grid, h, margin) = grid(order, points);
    let u = TimeFunction::new("u", &grid).space_order(order).build()?;
    let a = Function::new("a", &grid).space_order(order).build()?;
    set(&u, h, |x, y| x.sin() * y.cos())?;
    a.set_with(|i| 2.0 + (0.5 * i[0] as f64 * h).sin() * (0.7 * i[1] as f64 * h).cos())?;
    let rate = (&a * u.dx()).dy() + (&a * u.dy()).dx() + u.dx2();
    let op = Operator::named(&format!("nested{order}"), [eq(u.forward(), grid.dt() * rate)])?;
    op.apply().dt(1.0).time_max(0).backend(backend).run()?;
    let exact = |x: f64, y: f64| {
        let a = 2.0 + (0.5 * x).sin() * (0.7 * y).cos();
        let (a_x, a_y) = (0.5 * (0.5 * x).cos() * (0.7 * y).cos(), -0.7 * (0.5 * x).sin() * (0.7 * y).sin());
        let (u_x, u_y, u_xy, u_xx) =
            (x.cos() * y.cos(), -x.sin() * y.sin(), -x.cos() * y.sin(), -x.sin() * y.cos());
        a_y * u_x + a_x * u_y + 2.0 * a * u_xy + u_xx
    };
    Ok(vec![("u", error(&u.at(1)?, h, [false; 2], margin, exact))])
}

#[test]
fn staggered_waves_converge_at_their_order() -> Result<()> {
    converges("staggered waves", staggered_waves)
}

#[test]
fn elastic_waves_converge_at_their_order() -> Result<()> {
    converges("elastic", elastic)
}

#[test]
fn nested_derivatives_converge_at_their_order() -> Result<()> {
    converges("nested", nested)
}

/// What is averaged between two places is of order 2, whatever the order of the derivatives.
#[test]
fn averages_are_of_order_two() -> Result<()> {
    both(|backend| {
        let run = |points: usize| -> Result<f64> {
            let (grid, h, margin) = grid(2, points);
            let f = TimeFunction::new("f", &grid).space_order(8).staggered([Dim::X, Dim::Y]).build()?;
            let g = TimeFunction::new("g", &grid).space_order(8).build()?;
            set(&f, h, |x, y| x.sin() * y.cos())?;
            Operator::named("average", [eq(g.forward(), &f)])?.apply().time_max(0).backend(backend).run()?;
            Ok(error(&g.at(1)?, h, [false; 2], margin, |x, y| x.sin() * y.cos()))
        };
        let measured = (run(40)? / run(80)?).log2();
        assert!((measured - 2.0).abs() < 0.1, "{backend}: {measured}");
        Ok(())
    })
}

/// A solution in time: leapfrog is of order 2, with space errors far below.
#[test]
fn steps_converge_at_their_order_in_time() -> Result<()> {
    both(|backend| {
        let run = |steps: usize| -> Result<f64> {
            let (n, dt) = (64, 1.0 / steps as f64);
            let h = std::f64::consts::PI / n as f64;
            let grid = Grid::new([n + 1]).with_spacing(h).with_dtype(DType::F64);
            let u = TimeFunction::new("u", &grid).time_order(2).space_order(16).build()?;
            // u = sin(x) e^t cos(t) solves u_tt = u_xx + f; it is odd about both ends, which are free surfaces.
            let exact = |i: usize, t: f64| (i as f64 * h).sin() * t.exp() * t.cos();
            for level in 0..2 {
                u.set_at(level, ndarray::Array1::from_shape_fn(n + 1, |i| exact(i, level as f64 * dt)))?;
            }
            let s = Function::new("s", &grid).space_order(16).build()?;
            s.set_with(|i| (i[0] as f64 * h).sin())?;
            let t = grid.position(Dim::Time);
            // u_tt - u_xx = sin(x) e^t (cos t - 2 sin t)
            let source = &s * t.exp() * (t.cos() - 2.0 * t.sin());
            let middle = SubDomain::new("middle", &grid).middle(Dim::X, 20, 20);
            let step = eq(u.forward(), solve(u.dt2() - u.dx2() - source, u.forward())?);
            let op = Operator::named("in_time", [step])?;
            op.apply().dt(dt).time_min(1).time_max(steps - 1).backend(backend).run()?;
            let found = u.at(steps)?.to_f64();
            let (from, to) = middle.bounds()[0];
            // Errors of the edges do not get as far in this time.
            Ok((from + 8..to - 8).map(|i| (found[[i]] - exact(i, 1.0)).abs()).fold(0.0, f64::max))
        };
        let measured = (run(50)? / run(100)?).log2();
        assert!((measured - 2.0).abs() < 0.1, "{backend}: {measured}");
        Ok(())
    })
}
