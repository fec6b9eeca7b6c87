//! Flow in a square whose lid moves: streamfunction and vorticity.
//!
//! ```text
//! w_t + u w_x + v w_y = (w_xx + w_yy)/Re,   psi_xx + psi_yy = -w,   u = psi_y,   v = -psi_x
//! ```
//!
//! `w` is the vorticity, `psi` the streamfunction; lengths are sides of the square, velocities that of the
//! lid. With `psi = 0` on all walls nothing flows through them, and the vorticity there is what makes the
//! fluid stick (Thom 1933): `w = -2 psi(1)/h^2`, with `psi(1)` one point inside, and `-2/h` more at the lid.
//!
//! Forward differences in time, centred ones of second order in space. The equation of `psi` is not solved at
//! every step: a few sweeps of Jacobi's iteration follow each step, and time goes on until both stand still
//! together. An operator is a list of equations, so a sweep is an equation between two functions, and ten
//! sweeps are ten equations.
//!
//! What is checked: that the flow has become steady, and its velocities on the two centre lines against the
//! tables of Ghia, Ghia and Shin (1982), who solved the same problem for Re = 100 on 129 by 129 points by
//! multigrid. A wrong wall, sign or factor moves them by far more than the hundredth of the lid's velocity
//! that is allowed.
//!
//! `cargo run --release --example cavity [-- --points 97]`

mod support;

use support::{Options, Panel, Report};
use wavefold::prelude::*;

/// Reynolds number, and the time at which the flow is steady.
const RE: f64 = 100.0;
const END: f64 = 25.0;

/// Sweeps after each step; an even number.
const SWEEPS: usize = 8;

/// From tables I and II of Ghia, Ghia and Shin: 128 y and u on the line x = 1/2, 128 x and v on y = 1/2.
const GHIA_U: [(f64, f64); 7] = [
    (8.0, -0.04192),
    (22.0, -0.10150),
    (36.0, -0.15662),
    (64.0, -0.20581),
    (94.0, 0.00332),
    (109.0, 0.23151),
    (125.0, 0.84123),
];
const GHIA_V: [(f64, f64); 7] = [
    (9.0, 0.10091),
    (20.0, 0.16077),
    (30.0, 0.17527),
    (64.0, 0.05454),
    (103.0, -0.24533),
    (110.0, -0.22445),
    (121.0, -0.10313),
];

fn main() -> support::Result {
    let (o, mut report) = (Options::parse(), Report::default());
    let n = o.points(65) | 1; // odd: a line of points at 1/2
    let grid = Grid::new([n, n]).with_extent(1.0);
    let h = 1.0 / (n - 1) as f64;
    let dt = (0.2 * RE * h * h).min(0.5 * h);
    let steps = o.steps((END / dt) as usize);

    let w = TimeFunction::new("w", &grid).build()?;
    let psi = Function::new("psi", &grid).build()?;
    let swept = Function::new("swept", &grid).build()?;
    let change = Series::new("change", &grid).steps(steps).build()?;

    let inside = SubDomain::new("inside", &grid).interior();
    let (u, v) = (psi.dy(), -psi.dx());
    let step = solve(w.dt() + &u * w.dx() + &v * w.dy() - w.laplace() / RE, w.forward())?;
    let mut equations = vec![eq(w.forward(), step).on(&inside)];
    for sweep in 0..SWEEPS {
        let (from, to) = if sweep % 2 == 0 { (&psi, &swept) } else { (&swept, &psi) };
        let beside = |dim| from.shift(dim, 1) + from.shift(dim, -1);
        let sweep = 0.25 * (beside(Dim::X) + beside(Dim::Y) + h * h * w.forward());
        equations.push(eq(to, sweep).on(&inside));
    }
    for (wall, dim, inwards, speed) in [
        (SubDomain::new("west", &grid).left(Dim::X, 1), Dim::X, 1, 0.0),
        (SubDomain::new("east", &grid).right(Dim::X, 1), Dim::X, -1, 0.0),
        (SubDomain::new("floor", &grid).left(Dim::Y, 1), Dim::Y, 1, 0.0),
        (SubDomain::new("lid", &grid).right(Dim::Y, 1), Dim::Y, -1, 1.0),
    ] {
        equations.push(eq(w.forward(), -2.0 / (h * h) * psi.shift(dim, inwards) - 2.0 * speed / h).on(&wall));
    }
    equations.push(change.max(w.dt().abs()).on(&inside));
    let cavity = Operator::named("cavity", equations)?;
    report.run(&grid, &o.apply(&cavity).dt(dt).time_max(steps - 1).run()?);

    // The velocities, once.
    let velocity_x = Function::new("velocity_x", &grid).build()?;
    let velocity_y = Function::new("velocity_y", &grid).build()?;
    velocity_x.set_with(|i| if i[1] == n - 1 { 1.0 } else { 0.0 })?; // what the lid has
    let velocities =
        Operator::named("velocities", [eq(&velocity_x, u).on(&inside), eq(&velocity_y, v).on(&inside)])?;
    o.apply(&velocities).run()?;
    let (velocity_x, velocity_y) = (velocity_x.data()?, velocity_y.data()?);

    let last = change.data()?.iter().last().unwrap_or(f64::NAN);
    report.below("last change of vorticity, per unit of time", last, 0.02);
    let on_u = |k| velocity_x.get(&[n / 2, k]);
    report.below("u on x = 1/2, distance from the table", worst(&GHIA_U, h, on_u), 0.01);
    let on_v = |k| velocity_y.get(&[k, n / 2]);
    report.below("v on y = 1/2, distance from the table", worst(&GHIA_V, h, on_v), 0.01);
    let stream = psi.data()?.to_f64();
    let speed = velocity_x.to_f64().mapv(|u| u * u) + velocity_y.to_f64().mapv(|v| v * v);
    o.picture(&[Panel::new(stream).levels(16), Panel::new(speed.mapv(f64::sqrt))])?;
    report.finish()
}

/// The largest distance from the table; values between points are linear.
fn worst(table: &[(f64, f64)], h: f64, value: impl Fn(usize) -> Option<f64>) -> f64 {
    let at = |place: f64| {
        let (k, part) = (place.floor() as usize, place.fract());
        let above = if part > 0.0 { value(k + 1)? } else { 0.0 };
        Some((1.0 - part) * value(k)? + part * above)
    };
    let distance = |(x, truth): &(f64, f64)| (at(x / 128.0 / h).unwrap_or(f64::NAN) - truth).abs();
    support::largest(table.iter().map(distance))
}
