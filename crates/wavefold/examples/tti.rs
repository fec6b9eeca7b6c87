//! Waves in a tilted transversely isotropic medium.
//!
//! ```text
//! m p_tt = (1 + 2 epsilon) H p + sqrt(1 + 2 delta) V q
//! m q_tt = sqrt(1 + 2 delta) H p + V q
//! ```
//!
//! `V` is the second derivative along the axis of symmetry, `H` the rest of the Laplacian (Zhang, Zhang and Zhang 2011);
//! lengths in m, times in ms, velocities in km/s. `wavefold::seismic::equations` writes them; the compiler computes the first
//! derivative along the axis once per tile, and sines and cosines once per run.
//!
//! With `epsilon = delta` the wave fronts are ellipses: the medium is an isotropic one, stretched by
//! `s = sqrt(1 + 2 epsilon)` across the axis. So a receiver along the axis and one `s` times as far across it must hear the
//! same, however the axis is tilted. (The mixed terms of the scheme are of second order: the wavelet is long.)
//!
//! `cargo run --release --example tti [-- --points 401 --steps 700]`

mod support;

use support::{Options, Panel, Report};
use wavefold::prelude::*;
use wavefold::seismic::equations::{Axis, Tti};
use wavefold::seismic::ricker;

fn main() -> support::Result {
    let (o, mut report) = (Options::parse(), Report::default());
    let (n, steps) = (o.points(301), o.steps(600));
    let (h, v, dt) = (10.0, 2.0, 1.2);
    let (anisotropy, tilt) = (0.2_f64, 0.5_f64);
    let grid = Grid::new([n, n]).with_spacing(h);
    let field = |name: &str| TimeFunction::new(name, &grid).time_order(2).space_order(8).build();
    let (p, q) = (field("stretched")?, field("vertical")?);
    let theta = Function::new("theta", &grid).space_order(8).build()?;
    theta.fill(tilt)?;
    theta.extend_halo()?;
    let medium = Tti {
        m: Expr::from(1.0 / (v * v)),
        epsilon: Expr::from(anisotropy),
        delta: Expr::from(anisotropy),
        axis: Axis { theta: theta.expr(), phi: None },
        damp: Expr::from(0.0),
    };

    let middle = h * (n / 2) as f64;
    let (axis, stretch, r) = ([tilt.sin(), tilt.cos()], (1.0 + 2.0 * anisotropy).sqrt(), 0.22 * h * n as f64);
    let along = [0, 1].map(|d| middle + r * axis[d]);
    let across = [middle + stretch * r * axis[1], middle - stretch * r * axis[0]];
    let source =
        SparseTimeFunction::new("source", &grid).coordinates([[middle; 2]]).steps(steps + 1).build()?;
    let receivers = SparseTimeFunction::new("receivers", &grid)
        .coordinates([along, across])
        .steps(steps + 1)
        .interpolation(Interpolation::Sinc { radius: 4 })
        .build()?;
    source.set_data(ricker(0.006, 180.0, dt, steps + 1))?;

    let mut equations = medium.forward(&p, &q)?.to_vec();
    // In this proportion it excites the wave alone, not the fields' other, standing solution.
    let shot = |factor: f64| &source * grid.dt().pow(2) * (factor * v * v);
    equations.push(source.inject_all([(p.forward(), shot(stretch)), (q.forward(), shot(1.0))]));
    equations.push(receivers.interpolate(&p));
    let wave = Operator::named("tti", equations)?;
    let summary = o.apply(&wave).dt(dt).time_max(steps - 1).run()?;
    report.run(&grid, &summary);
    report.value("operations per point and step", summary.cost.flops);

    let traces = receivers.data()?.to_f64();
    let rms = |f: &dyn Fn(usize) -> f64| (0..steps).map(|t| f(t).powi(2)).sum::<f64>().sqrt();
    let size = rms(&|t| traces[[t, 0]]);
    report.above("size of the trace along the axis", size, 1e-3);
    let apart = rms(&|t| traces[[t, 0]] - traces[[t, 1]]) / size;
    report.below("the trace across differs by, relative (L2)", apart, 0.05);
    o.picture(&[Panel::signed(p.at(steps)?.to_f64(), 0.5)])?;
    report.finish()
}
