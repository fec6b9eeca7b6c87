//! Elastic waves: velocity and stress on a staggered grid.
//!
//! ```text
//! density v_t = div(stress)
//! stress_t    = lambda div(v) 1 + mu (grad v + (grad v)ᵀ)
//! ```
//!
//! Virieux (1986), order 8; lengths in m, times in ms, velocities in km/s, densities in g/cm³. An explosion and a shear
//! couple are fired in one homogeneous medium. Two receivers on a line with each tell the velocity of the waves by the delay
//! between their traces: `sqrt((lambda + 2 mu)/density)` for the explosion, `sqrt(mu/density)` for the couple, seen across it.
//!
//! `cargo run --release --example elastic [-- --points 401 --steps 600]`

mod support;

use support::{Options, Panel, Report};
use wavefold::prelude::*;
use wavefold::seismic::equations::Elastic;
use wavefold::seismic::ricker;

fn main() -> support::Result {
    let (o, mut report) = (Options::parse(), Report::default());
    let (n, steps) = (o.points(301), o.steps(600));
    let (h, dt) = (10.0, 1.0);
    let (vp, vs, density) = (3.0_f64, 1.7_f64, 2.2);
    let grid = Grid::new([n, n]).with_spacing(h);
    let v = VectorTimeFunction::new("v", &grid).space_order(8).build()?;
    let s = TensorTimeFunction::new("s", &grid).space_order(8).build()?;
    let (mu, lambda) = (density * vs * vs, density * (vp * vp - 2.0 * vs * vs));
    let medium = Elastic {
        lambda: Expr::from(lambda),
        mu: Expr::from(mu),
        buoyancy: Expr::from(1.0 / density),
        taper: Expr::from(1.0),
    };
    let middle = h * (n / 2) as f64;
    let offsets = [0.12, 0.24].map(|k| k * h * n as f64);
    let source =
        SparseTimeFunction::new("source", &grid).coordinates([[middle; 2]]).steps(steps + 1).build()?;
    let receivers = SparseTimeFunction::new("receivers", &grid)
        .coordinates(offsets.map(|x| [middle + x, middle]))
        .steps(steps + 1)
        .build()?;
    source.set_data(ricker(0.012, 90.0, dt, steps + 1))?;

    let next = s.forward();
    // The explosion is seen by the velocity along the line, the couple by the one across it.
    let shots = [
        ("explosion", vec![next[(0, 0)].clone(), next[(1, 1)].clone()], 0, vp),
        ("shear couple", vec![next[(0, 1)].clone()], 1, vs),
    ];
    let mut panels = Vec::new();
    for (name, targets, component, velocity) in shots {
        v.components().iter().try_for_each(|f| f.fill(0.0))?;
        s.components().iter().try_for_each(|f| f.fill(0.0))?;
        let mut equations = medium.forward(&v, &s).to_vec();
        equations.push(source.inject_all(targets.into_iter().map(|target| (target, &source * grid.dt()))));
        equations.push(receivers.interpolate(&v[component]));
        let wave = Operator::named("elastic", equations)?;
        let summary = o.apply(&wave).dt(dt).time_max(steps - 1).run()?;
        report.run(&grid, &summary);
        let traces = receivers.data()?.to_f64();
        let trace = |k: usize| -> Vec<f64> { (0..steps).map(|t| traces[[t, k]]).collect() };
        let delay = delay(&trace(0), &trace(1)) * dt;
        report.near(
            &format!("velocity of the {name} (km/s)"),
            (offsets[1] - offsets[0]) / delay,
            velocity,
            0.05,
        );
        panels.push(Panel::signed(v[component].at(steps)?.to_f64(), 0.5));
    }
    o.picture(&panels)?;
    report.finish()
}

/// The shift, in samples and fractions of one, at which the second trace looks most like the first.
fn delay(a: &[f64], b: &[f64]) -> f64 {
    let likeness = |lag: usize| -> f64 { a.iter().zip(&b[lag..]).map(|(x, y)| x * y).sum() };
    let all: Vec<f64> = (0..b.len()).map(likeness).collect();
    let best = (1..all.len() - 1).max_by(|i, j| all[*i].total_cmp(&all[*j])).unwrap_or(1);
    let (before, at, after) = (all[best - 1], all[best], all[best + 1]);
    best as f64 + 0.5 * (before - after) / (before - 2.0 * at + after)
}
