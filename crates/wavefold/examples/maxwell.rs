//! Light in a metal box: Maxwell's equations in two dimensions by finite differences in time (Yee 1966).
//!
//! ```text
//! hx_t = -ez_y,   hy_t = ez_x,   eps ez_t = hy_x - hx_y
//! ```
//!
//! Units in which the speed of light in vacuum and the magnetic permeability are 1; the box is 1 wide. `ez`
//! lives at grid points, `hx` half a point up, `hy` half a point to the right, both half a step earlier. The
//! walls conduct: there `ez` is never computed, and stays zero.
//!
//! One operator serves two runs.
//!
//! * The mode `sin(3 pi x) sin(2 pi y)` oscillates with the frequency `pi sqrt(3^2 + 2^2)`. That of the
//!   scheme is known exactly as well (Taflove and Hagness 2005, the numerical dispersion relation), and
//!   differs by less than `(k h)^2/24`. Both are checked: the first is physics, the second sees the least
//!   error in a weight.
//! * A pulse meets a disc of glass. Once the source is silent, the energy, with `h h` taken as the product of
//!   two successive values, is constant to rounding, glass or not.
//!
//! `cargo run --release --example maxwell [-- --points 801 --steps 1000]`

mod support;

use std::f64::consts::PI;

use support::{Options, Panel, Report};
use wavefold::prelude::*;

fn main() -> support::Result {
    let (o, mut report) = (Options::parse(), Report::default());
    let (n, steps) = (o.points(401), o.steps(500));
    let grid = Grid::new([n, n]).with_extent(1.0).with_dtype(DType::F64);
    let h = 1.0 / (n - 1) as f64;
    let dt = 0.6 * h;

    let ez = TimeFunction::new("ez", &grid).build()?;
    let hx = TimeFunction::new("hx", &grid).staggered(Dim::Y).build()?;
    let hy = TimeFunction::new("hy", &grid).staggered(Dim::X).build()?;
    let eps = Function::new("eps", &grid).build()?;
    let source = SparseTimeFunction::new("source", &grid).coordinates([[0.25, 0.4]]).steps(steps).build()?;
    let probe = SparseTimeFunction::new("probe", &grid).coordinates([[0.5, 0.25]]).steps(steps).build()?;
    let electric = Series::new("electric", &grid).steps(steps).build()?;
    let magnetic_x = Series::new("magnetic_x", &grid).steps(steps).build()?;
    let magnetic_y = Series::new("magnetic_y", &grid).steps(steps).build()?;

    let inside = SubDomain::new("inside", &grid).interior();
    let curl = hy.forward().dx() - hx.forward().dy();
    let maxwell = Operator::named(
        "maxwell",
        [
            eq(hx.forward(), &hx - grid.dt() * ez.dy()),
            eq(hy.forward(), &hy + grid.dt() * ez.dx()),
            eq(ez.forward(), &ez + grid.dt() / &eps * curl).on(&inside),
            source.inject(ez.forward(), &source * grid.dt() / &eps),
            probe.interpolate(&ez),
            electric.sum(0.5 * &eps * ez.pow(2)),
            magnetic_x.sum(0.5 * &hx * hx.forward()),
            magnetic_y.sum(0.5 * &hy * hy.forward()),
        ],
    )?;
    let run = || o.apply(&maxwell).dt(dt).time_max(steps - 1).run();

    // The mode, without a source.
    let (kx, ky) = (3.0 * PI, 2.0 * PI);
    eps.fill(1.0)?;
    ez.set_with(|i| (kx * i[0] as f64 * h).sin() * (ky * i[1] as f64 * h).sin())?;
    report.run(&grid, &run()?);

    // Successive values of an oscillation: e(t+1) + e(t-1) = 2 cos(w dt) e(t). Least squares for the cosine.
    let e: Vec<f64> = probe.data()?.iter().collect();
    let sums = e.windows(3).map(|e| ((e[0] + e[2]) * e[1], 2.0 * e[1] * e[1]));
    let (above, below) = sums.fold((0.0, 0.0), |s, t| (s.0 + t.0, s.1 + t.1));
    let measured = (above / below).acos() / dt;
    let exact = kx.hypot(ky);
    let of_scheme = 2.0 / dt * (dt / h * (0.5 * kx * h).sin().hypot((0.5 * ky * h).sin())).asin();
    let distance = |from: f64| (measured / from - 1.0).abs();
    report.below("frequency, distance from the cavity's", distance(exact), (exact * h).powi(2) / 24.0);
    report.below("frequency, distance from the scheme's", distance(of_scheme), 1e-9);

    // A pulse and a disc of glass.
    let (width, silent) = (0.02, (0.2 / dt) as usize + 1);
    let wave = |t: usize| (t as f64 * dt - 0.1) / width;
    let pulse = (0..steps).map(|t| if t < silent { wave(t) * (-wave(t).powi(2) / 2.0).exp() } else { 0.0 });
    source.set_data(pulse.map(|p| p / (h * h)).collect::<Vec<f64>>())?;
    let disc = |i: &[usize]| (i[0] as f64 * h - 0.6).hypot(i[1] as f64 * h - 0.5) < 0.15;
    eps.set_with(|i| if disc(i) { 2.25 } else { 1.0 })?;
    [&ez, &hx, &hy].iter().try_for_each(|f| f.fill(0.0))?;
    report.run(&grid, &run()?);

    let parts =
        [electric.data()?, magnetic_x.data()?, magnetic_y.data()?].map(|p| p.iter().collect::<Vec<f64>>());
    let energy: Vec<f64> = (silent + 1..steps).map(|t| parts.iter().map(|part| part[t]).sum()).collect();
    report.below("change of energy, relative", support::drift(&energy), 1e-11);
    o.picture(&[Panel::new(eps.data()?.to_f64()), Panel::signed(ez.at(steps)?.to_f64(), 0.5)])?;
    report.finish()
}
