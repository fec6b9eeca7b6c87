//! Acoustic waves over two layers, absorbed at the edges.
//!
//! ```text
//! m u_tt - laplace(u) + damp u_t = q,   m = 1/v²
//! ```
//!
//! Lengths in m, times in ms, velocities in km/s; order 8 in space, 2 in time. The edges absorb with a sponge.
//!
//! The check is reciprocity (Rayleigh 1873): what a receiver hears of a source does not change when the two change
//! places. The discrete equations have the same symmetry where the velocity is the same, so the two traces differ by
//! rounding only; a stencil with one wrong weight, or an injection that is not the transpose of the interpolation, breaks it.
//!
//! `cargo run --release --example acoustic2d [-- --points 401 --steps 800]`

mod support;

use support::{Options, Panel, Report};
use wavefold::prelude::*;
use wavefold::seismic::{Sponge, damping, ricker};

fn main() -> support::Result {
    let (o, mut report) = (Options::parse(), Report::default());
    let (n, steps) = (o.points(301), o.steps(700));
    let (h, dt) = (10.0, 1.2);
    let grid = Grid::new([n, n]).with_spacing(h);
    let u = TimeFunction::new("u", &grid).time_order(2).space_order(8).build()?;
    let m = Function::new("m", &grid).build()?;
    let damp = Function::new("damp", &grid).build()?;
    m.set_with(|i| if i[1] > n / 2 { 1.0 / 9.0 } else { 1.0 / 4.0 })?;
    damp.set_data(damping(&[n, n], &[h, h], Sponge::new(40), 3.0))?;

    let width = h * (n - 1) as f64;
    let places = [[0.35 * width + 3.1, 0.3 * width], [0.7 * width, 0.35 * width + 4.7]];
    let source = SparseTimeFunction::new("source", &grid).points(1).steps(steps + 1).build()?;
    let receiver = SparseTimeFunction::new("receiver", &grid).points(1).steps(steps + 1).build()?;
    source.set_data(ricker(0.015, 80.0, dt, steps + 1))?;

    let update = solve(&m * u.dt2() - u.laplace() + &damp * u.dt(), u.forward())?;
    let wave = Operator::named(
        "acoustic2d",
        [
            eq(u.forward(), update),
            source.inject(u.forward(), &source * grid.dt().pow(2) / &m),
            receiver.interpolate(&u),
        ],
    )?;
    let mut traces = Vec::new();
    for (from, to) in [(0, 1), (1, 0)] {
        u.fill(0.0)?;
        source.set_coordinates([places[from]])?;
        receiver.set_coordinates([places[to]])?;
        let summary = o.apply(&wave).dt(dt).time_max(steps - 1).run()?;
        report.run(&grid, &summary);
        traces.push(receiver.data()?.to_f64());
    }
    let loudest = support::largest(traces[0].iter().map(|v| v.abs()));
    let apart = support::largest(traces[0].iter().zip(&traces[1]).map(|(a, b)| (a - b).abs()));
    report.above("largest value of the trace", loudest, 1e-3);
    report.below("the traces differ by, relative", apart / loudest, 1e-4);

    u.fill(0.0)?;
    o.apply(&wave).dt(dt).time_max(steps / 2).run()?;
    let snapshot = u.at(steps / 2 + 1)?.to_f64();
    o.picture(&[Panel::signed(snapshot, 0.3)])?;
    report.finish()
}
