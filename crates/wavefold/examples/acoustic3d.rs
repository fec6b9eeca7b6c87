//! Acoustic waves from a point in three dimensions, against the exact solution.
//!
//! ```text
//! m u_tt - laplace(u) = s(t) delta(x - x0)
//! ```
//!
//! Lengths in m, times in ms, velocities in km/s. In a homogeneous medium a receiver at the distance `r` hears
//! `s(t - r/v)/(4 pi r)` (Kirchhoff 1883) until the first echo of an edge. A source on the grid is a delta of the height
//! `1/h³`, so what is injected is `s dt² v² / h³`. The traces of three receivers, none of them on a grid point, must agree
//! with the formula.
//!
//! `cargo run --release --example acoustic3d [-- --points 161 --steps 300]`

mod support;

use std::f64::consts::PI;

use support::{Options, Panel, Report};
use wavefold::prelude::*;
use wavefold::seismic::ricker;

fn main() -> support::Result {
    let (o, mut report) = (Options::parse(), Report::default());
    let (n, steps) = (o.points(121), o.steps(240));
    let (h, v, dt) = (10.0, 2.0, 1.0);
    let (frequency, delay) = (0.012, 90.0);
    let grid = Grid::new([n, n, n]).with_spacing(h);
    let u = TimeFunction::new("u", &grid).time_order(2).space_order(8).build()?;
    let slowness = Constant::new("slowness", 1.0 / (v * v));

    let middle = h * (n / 2) as f64;
    let away = [[203.0, 0.0, 0.0], [0.0, 151.0, 148.0], [122.0, 119.0, -131.0]];
    let source =
        SparseTimeFunction::new("source", &grid).coordinates([[middle; 3]]).steps(steps + 1).build()?;
    let receivers = SparseTimeFunction::new("receivers", &grid)
        .coordinates(away.map(|a| a.map(|x| middle + x)))
        .steps(steps + 1)
        .interpolation(Interpolation::Sinc { radius: 4 })
        .build()?;
    let wavelet = ricker(frequency, delay, dt, steps + 1);
    source.set_data(wavelet)?;

    let wave = Operator::named(
        "acoustic3d",
        [
            eq(u.forward(), solve(&slowness * u.dt2() - u.laplace(), u.forward())?),
            source.inject(u.forward(), &source * grid.dt().pow(2) / (&slowness * h.powi(3))),
            receivers.interpolate(&u),
        ],
    )?;
    let summary = o.apply(&wave).dt(dt).time_max(steps - 1).run()?;
    report.run(&grid, &summary);

    let traces = receivers.data()?.to_f64();
    let ricker_at = |t: f64| {
        let a = (PI * frequency * (t - delay)).powi(2);
        (1.0 - 2.0 * a) * (-a).exp()
    };
    for (k, offset) in away.iter().enumerate() {
        let r = offset.iter().map(|x| x * x).sum::<f64>().sqrt();
        // Until the echo of the nearest edge arrives.
        let quiet = ((2.0 * middle - 210.0) / v / dt) as usize;
        let (mut error, mut size) = (0.0, 0.0);
        for t in 0..steps.min(quiet) {
            let exact = ricker_at(t as f64 * dt - r / v) / (4.0 * PI * r);
            error += (traces[[t, k]] - exact).powi(2);
            size += exact * exact;
        }
        report.below(&format!("error of the trace at {r:.0} m, relative (L2)"), (error / size).sqrt(), 0.03);
    }
    let cube = u.at(steps)?.to_f64();
    let section = cube.index_axis(ndarray::Axis(0), n / 2).to_owned();
    o.picture(&[Panel::signed(section, 0.5)])?;
    report.finish()
}
