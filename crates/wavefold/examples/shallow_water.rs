//! A tsunami crosses a seamount: linear shallow water on a staggered grid.
//!
//! ```text
//! u_t = -g eta_x,   v_t = -g eta_y,   eta_t = -(h u)_x - (h v)_y
//! ```
//!
//! `eta` is the height of the surface in metres, `u` and `v` are velocities in m/s, `h` is the depth of the
//! sea. Where the seamount makes the sea shallow, the wave is slow, `sqrt(g h)`, and bends around it.
//!
//! `eta` lives at grid points, `u` half a point to the right and `v` half a point up (the C grid of Arakawa
//! and Lamb 1977); `eta` is new before the next velocities are (Mesinger and Arakawa 1976). Every derivative
//! is taken where the left-hand side lives, without a word about it. Walls are where the normal velocity is
//! never computed, and so stays zero.
//!
//! The scheme conserves two sums to rounding: the volume of the wave, and the energy with `u u` taken as the
//! product of two successive values. They are conserved only if the two differences in space are each other's
//! negative transposes, walls included: a derivative at a wrong place, or a wall that leaks, shows at once.
//! Neither knows how fast the wave is, so two gauges tell that. Double precision, as a conserved quantity
//! deserves.
//!
//! `cargo run --release --example shallow_water [-- --points 401]`

mod support;

use support::{Options, Panel, Report};
use wavefold::prelude::*;

/// Side of the sea and its depth in metres, gravity in m/s^2.
const SIDE: f64 = 400e3;
const DEPTH: f64 = 4000.0;
const G: f64 = 9.81;

fn main() -> support::Result {
    let (o, mut report) = (Options::parse(), Report::default());
    let n = o.points(601);
    let grid = Grid::new([n, n]).with_extent(SIDE).with_dtype(DType::F64);
    let spacing = SIDE / (n - 1) as f64;
    let speed = (G * DEPTH).sqrt();
    let dt = 0.5 * spacing / speed;
    let steps = o.steps((1200.0 / dt) as usize);

    let eta = TimeFunction::new("eta", &grid).build()?;
    let u = TimeFunction::new("u", &grid).staggered(Dim::X).build()?;
    let v = TimeFunction::new("v", &grid).staggered(Dim::Y).build()?;

    // Depth at the points, and, averaged once, where the velocities live.
    let h = Function::new("h", &grid).build()?;
    let hu = Function::new("hu", &grid).staggered(Dim::X).build()?;
    let hv = Function::new("hv", &grid).staggered(Dim::Y).build()?;
    let bump = |i: &[usize], (x, y): (f64, f64), width: f64| {
        let distance2 = (i[0] as f64 * spacing - x).powi(2) + (i[1] as f64 * spacing - y).powi(2);
        (-distance2 / (2.0 * width * width)).exp()
    };
    h.set_with(|i| DEPTH - 3800.0 * bump(i, (0.6 * SIDE, 0.6 * SIDE), 30e3))?;
    let faces = Operator::named("faces", [eq(&hu, &h), eq(&hv, &h)])?;
    o.apply(&faces).run()?;

    let volume = Series::new("volume", &grid).steps(steps).build()?;
    let potential = Series::new("potential", &grid).steps(steps).build()?;
    let kinetic_x = Series::new("kinetic_x", &grid).steps(steps).build()?;
    let kinetic_y = Series::new("kinetic_y", &grid).steps(steps).build()?;
    let gauges = SparseTimeFunction::new("gauges", &grid)
        .coordinates([[0.5 * SIDE, 0.3 * SIDE], [0.8 * SIDE, 0.3 * SIDE]])
        .steps(steps)
        .build()?;

    let east = SubDomain::new("east", &grid).middle(Dim::X, 0, 1); // without the face beyond the last point
    let north = SubDomain::new("north", &grid).middle(Dim::Y, 0, 1);
    let flow = (&hu * u.forward()).dx() + (&hv * v.forward()).dy();
    let water = Operator::named(
        "shallow_water",
        [
            eq(u.forward(), &u - G * grid.dt() * eta.dx()).on(&east),
            eq(v.forward(), &v - G * grid.dt() * eta.dy()).on(&north),
            eq(eta.forward(), &eta - grid.dt() * flow),
            volume.sum(&eta),
            potential.sum(0.5 * G * eta.pow(2)),
            kinetic_x.sum(0.5 * &hu * &u * u.forward()),
            kinetic_y.sum(0.5 * &hv * &v * v.forward()),
            gauges.interpolate(&eta),
        ],
    )?;

    eta.set_with(|i| 2.0 * bump(i, (0.3 * SIDE, 0.3 * SIDE), 10e3))?;
    report.run(&grid, &o.apply(&water).dt(dt).time_max(steps - 1).run()?);

    let values = |s: &Series| -> wavefold::Result<Vec<f64>> { Ok(s.data()?.iter().collect()) };
    let parts = [values(&potential)?, values(&kinetic_x)?, values(&kinetic_y)?];
    let energy: Vec<f64> = (0..steps).map(|t| parts.iter().map(|part| part[t]).sum()).collect();
    report.below("change of volume, relative", support::drift(&values(&volume)?), 1e-11);
    report.below("change of energy, relative", support::drift(&energy), 1e-11);

    // Both gauges lie in deep water, 80 km and 200 km from the source.
    let seen = gauges.data()?;
    let height = |t: usize, gauge: usize| seen.get(&[t, gauge]).unwrap_or(f64::NAN);
    let crest = |gauge| (0..steps).max_by(|a, b| height(*a, gauge).total_cmp(&height(*b, gauge)));
    if let (Some(first), Some(second)) = (crest(0), crest(1)) {
        let seconds = (second as f64 - first as f64) * dt;
        report.near("speed of the crest over sqrt(g h)", 0.3 * SIDE / seconds / speed, 1.0, 0.02);
    }
    o.picture(&[Panel::new(h.data()?.to_f64()), Panel::signed(eta.at(steps)?.to_f64(), 0.6)])?;
    report.finish()
}
