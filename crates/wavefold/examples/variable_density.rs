//! Acoustic waves where the density jumps: velocity and pressure on a staggered grid.
//!
//! ```text
//! v_t = -b p_x,   p_t = -k v_x,   b = 1/density,  k = density c²
//! ```
//!
//! One dimension, lengths in m, times in ms, densities in g/cm³. The pressure lives at the nodes, the velocity halfway
//! between them, where `b` is the mean of its neighbours (Virieux 1984). The velocity of sound is the same everywhere, so that
//! all that is reflected is reflected by the density: `R = (d2 - d1)/(d2 + d1)`, and `1 + R` goes on.
//!
//! The picture shows the pressure over distance (downwards) and time, out of a saved history.
//!
//! `cargo run --release --example variable_density [-- --points 4001]`

mod support;

use support::{Options, Panel, Report};
use wavefold::prelude::*;

fn main() -> support::Result {
    let (o, mut report) = (Options::parse(), Report::default());
    let n = o.points(2001);
    let (h, c, every) = (1.0, 2.0, 8);
    let dt = 0.4 * h / c;
    let steps = o.steps((0.55 * n as f64 * h / c / dt) as usize);
    let (light, heavy) = (1.0, 2.5);
    let grid = Grid::new([n]).with_spacing(h).with_dtype(DType::F64);
    let p = TimeFunction::new("pressure", &grid).space_order(8).build()?;
    let v = TimeFunction::new("v", &grid).space_order(8).staggered(Dim::X).build()?;
    let density = Function::new("density", &grid).space_order(8).build()?;
    let history = TimeFunction::new("history", &grid).save(steps / every + 1).save_every(every).build()?;
    density.set_with(|i| if i[0] < n / 2 { light } else { heavy })?;
    density.extend_halo()?;
    let bump = |i: usize, middle: f64| (-((i as f64 - middle) / 40.0).powi(2)).exp();
    p.set_with(|i| bump(i[0], 0.35 * n as f64))?;
    // A wave that travels to the right alone: the velocity belongs to the pressure half a point and half a step on.
    v.set_with(|i| bump(i[0], 0.35 * n as f64 - 0.5 + 0.5 * c * dt / h) / (light * c))?;

    let wave = Operator::named(
        "variable_density",
        [
            eq(p.forward(), &p - grid.dt() * &density * c * c * v.dx()),
            eq(v.forward(), &v - grid.dt() / &density * p.forward().dx()),
            eq(&history, &p),
        ],
    )?;
    let summary = o.apply(&wave).dt(dt).time_max(steps).run()?;
    report.run(&grid, &summary);

    let last = p.at(steps + 1)?.to_f64();
    let peak = |from: usize, to: usize| support::largest((from..to).map(|i| last[[i]].abs()));
    let reflection = (heavy - light) / (heavy + light);
    report.near("reflected", peak(0, n / 2 - 1), reflection, 0.01);
    report.near("transmitted", peak(n / 2 + 1, n), 1.0 + reflection, 0.01);
    o.picture(&[Panel::signed(history.data()?.to_f64(), 1.0)])?;
    report.finish()
}
