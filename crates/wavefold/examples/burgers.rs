//! Burgers' equations in two dimensions: a block of fast fluid steepens into a front.
//!
//! ```text
//! u_t + u u_x + v u_y = a (u_xx + u_yy)
//! v_t + u v_x + v v_y = a (v_xx + v_yy)
//! ```
//!
//! on a square of 2 m; `u` and `v` are velocities in m/s, `a` in m^2/s (Burgers 1948). Both are 1 except in a
//! block where they are 2, and stay 1 on the edges. Time differences are forward, diffusion is centred, and
//! convection takes its derivative from where the flow comes, the left (Courant, Isaacson and Rees 1952):
//! first order, and monotone as long as `dt (u/h + v/h + 4 a/h^2) <= 1`. So what is checked is
//!
//! * that no value leaves the range 1 to 2, at any step: centred convection, or a step too long, oscillates
//!   and does;
//! * that three grids come closer to each other as they should. The front is only a few points wide, so the
//!   order lies between 1/2, that of a jump, and 1, that of a smooth flow (Kuznetsov 1976). An inconsistent
//!   scheme has order 0.
//!
//! `cargo run --release --example burgers [-- --points 65]`

mod support;

use ndarray::{ArrayD, Axis, Slice};
use support::{Options, Panel, Report};
use wavefold::prelude::*;

/// Viscosity in m^2/s, side of the square in metres, and seconds to run.
const A: f64 = 0.01;
const SIDE: f64 = 2.0;
const END: f64 = 0.4;

fn main() -> support::Result {
    let (o, mut report) = (Options::parse(), Report::default());
    // The edges of the block are points of all three grids.
    let n = o.points(97) / 4 * 4 + 1;
    let coarse = flow(&o, &mut report, n)?;
    let medium = flow(&o, &mut report, 2 * n - 1)?;
    let fine = flow(&o, &mut report, 4 * n - 3)?;

    let distance = |a: &ArrayD<f64>, finer: &ArrayD<f64>| {
        let mut b = finer.view();
        (0..2).for_each(|d| b.slice_axis_inplace(Axis(d), Slice::from(..).step_by(2)));
        (a - &b).mapv(f64::abs).mean().unwrap_or(f64::NAN)
    };
    let (first, second) = (distance(&coarse, &medium), distance(&medium, &fine));
    report.value("mean distance, coarse to medium (m/s)", first);
    report.value("mean distance, medium to fine (m/s)", second);
    report.near("order of convergence", (first / second).log2(), 0.75, 0.25);
    o.picture(&[Panel::new(coarse), Panel::new(fine)])?;
    report.finish()
}

/// `u` at the end, on a grid of `n` by `n` points.
fn flow(o: &Options, report: &mut Report, n: usize) -> support::Result<ArrayD<f64>> {
    let grid = Grid::new([n, n]).with_extent(SIDE);
    let h = SIDE / (n - 1) as f64;
    let steps = o.steps((END * (4.0 / h + 4.0 * A / (h * h)) / 0.8).ceil() as usize);

    let u = TimeFunction::new("u", &grid).build()?;
    let v = TimeFunction::new("v", &grid).build()?;
    let lowest = Series::new("lowest", &grid).steps(steps).build()?;
    let highest = Series::new("highest", &grid).steps(steps).build()?;

    // Both read the old `u` and `v`, whatever comes first.
    let left = |f: &TimeFunction, dim| f.diff(dim).weights(-1, &[-1.0, 1.0]).expr();
    let flow_of = |f: &TimeFunction| {
        solve(f.dt() + &u * left(f, Dim::X) + &v * left(f, Dim::Y) - A * f.laplace(), f.forward())
    };
    let interior = SubDomain::new("interior", &grid).interior();
    let mut equations =
        vec![eq(u.forward(), flow_of(&u)?).on(&interior), eq(v.forward(), flow_of(&v)?).on(&interior)];
    for edge in [
        SubDomain::new("west", &grid).left(Dim::X, 1),
        SubDomain::new("east", &grid).right(Dim::X, 1),
        SubDomain::new("south", &grid).left(Dim::Y, 1),
        SubDomain::new("north", &grid).right(Dim::Y, 1),
    ] {
        equations.extend([eq(u.forward(), 1.0).on(&edge), eq(v.forward(), 1.0).on(&edge)]);
    }
    equations.extend([lowest.min(u.forward().min(v.forward())), highest.max(u.forward().max(v.forward()))]);
    let burgers = Operator::named("burgers", equations)?;

    let block = |i: &[usize]| i.iter().all(|i| (n / 4..=n / 2).contains(i));
    for f in [&u, &v] {
        f.set_with(|i| if block(i) { 2.0 } else { 1.0 })?;
    }
    let dt = END / steps as f64;
    report.run(&grid, &o.apply(&burgers).dt(dt).time_max(steps - 1).run()?);
    report.above("lowest velocity of all steps (m/s)", lowest.data()?.min(), 1.0 - 1e-5);
    report.below("highest velocity of all steps (m/s)", highest.data()?.max(), 2.0 + 1e-5);
    Ok(u.at(steps)?.to_f64())
}
