//! Diffusion of heat in three dimensions, against the exact solution.
//!
//! `u_t = a (u_xx + u_yy + u_zz)` in the unit cube, for the heat of a point that has already spread to the
//! width `s0`:
//!
//! ```text
//! u(r, t) = (s0/s)^3 exp(-r^2/(2 s^2)),   s^2 = s0^2 + 2 a t
//! ```
//!
//! Lengths are in metres, `a` in m^2/s. Forward differences in time and centred ones in space ("FTCS"; its
//! condition `dt <= h^2/(6 a)` is that of Courant, Friedrichs and Lewy 1928) are of first order in time, of
//! second in space. With `dt` proportional to `h^2`, both errors fall by four when `h` is halved. That is
//! what is checked, on two grids: a wrong weight or time step changes the order, whatever the size of the
//! error. The walls, 5 widths away, see nothing.
//!
//! The picture shows the middle plane at the start and at the end, each with its own colours.
//!
//! `cargo run --release --example heat [-- --points 81]`

mod support;

use ndarray::{ArrayD, Axis};
use support::{Options, Panel, Report};
use wavefold::prelude::*;

/// Diffusivity in m^2/s and the width at the start in metres.
const A: f64 = 1.0;
const S0: f64 = 0.06;

/// Seconds, when the heat is half as wide again.
const END: f64 = 0.00225;

/// `a dt/h^2`, three quarters of what is stable.
const RATIO: f64 = 0.125;

fn main() -> support::Result {
    let o = Options::parse();
    // The coarse grid has every second point, and every fourth step: both end at the same time.
    let coarse = o.points(161).div_ceil(2);
    let early = o.steps((END / RATIO * A * (2.0 * coarse as f64 - 2.0).powi(2)) as usize).div_ceil(4);
    let mut report = Report::default();

    let [_, _, error1] = diffuse(&o, &report, coarse, early)?;
    let [start, end, error2] = diffuse(&o, &report, 2 * coarse - 1, 4 * early)?;

    let norm = |a: &ArrayD<f64>| a.iter().map(|v| v * v).sum::<f64>().sqrt();
    let (error1, error2) = (norm(&error1), norm(&error2));
    let h = 1.0 / (2 * coarse - 2) as f64;
    report.below("relative error (L2), fine grid", error2, 0.04 * (h / S0).powi(2));
    report.near("order of convergence", (error1 / error2).log2(), 2.0, 0.1);
    let middle = |t: ArrayD<f64>| t.index_axis_move(Axis(2), coarse - 1);
    o.picture(&[Panel::new(middle(start)), Panel::new(middle(end))])?;
    report.finish()
}

/// The exact solution at a point of a grid with the spacing `h`.
fn exact(index: &[usize], h: f64, t: f64) -> f64 {
    let r2: f64 = index.iter().map(|i| (*i as f64 * h - 0.5).powi(2)).sum();
    let s2 = S0 * S0 + 2.0 * A * t;
    (S0 * S0 / s2).powf(1.5) * (-r2 / (2.0 * s2)).exp()
}

/// The temperature at the start and at the end, and its error over the norm of the exact solution.
fn diffuse(o: &Options, report: &Report, n: usize, steps: usize) -> support::Result<[ArrayD<f64>; 3]> {
    let grid = Grid::new([n, n, n]).with_extent(1.0);
    let (h, a) = (1.0 / (n - 1) as f64, Constant::new("a", A));
    let dt = RATIO * h * h / A;

    let u = TimeFunction::new("u", &grid).space_order(2).build()?;
    let step = solve(u.dt() - &a * u.laplace(), u.forward())?;
    let heat = Operator::named("heat", [eq(u.forward(), step)])?;

    u.set_with(|i| exact(i, h, 0.0))?;
    let start = u.at(0)?.to_f64();
    report.run(&grid, &o.apply(&heat).dt(dt).time_max(steps - 1).run()?);

    let truth = Function::new("truth", &grid).build()?;
    truth.set_with(|i| exact(i, h, steps as f64 * dt))?;
    let (end, norm) = (u.at(steps)?.to_f64(), truth.data()?.norm());
    let error = (&end - truth.data()?.to_f64()) / norm;
    Ok([start, end, error])
}
