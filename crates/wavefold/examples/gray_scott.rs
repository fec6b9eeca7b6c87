//! Two chemicals that react and diffuse draw a pattern (Gray and Scott 1984, Pearson 1993).
//!
//! ```text
//! u_t = Du (u_xx + u_yy) - u v^2 + F (1 - u)
//! v_t = Dv (v_xx + v_yy) + u v^2 - (F + k) v
//! ```
//!
//! `v` eats `u` and makes more of itself; `F` feeds `u` and washes both out, `k` removes `v`. Lengths are in
//! points, times in steps. Forward differences in time, centred ones in space. Nothing flows through the
//! edges: each takes the value of its neighbour inside, an equation on a subdomain of one row.
//!
//! Three things are checked.
//!
//! * The pattern: without diffusion, or with a wrong reaction, `v` dies out and is the same everywhere. Its
//!   standard deviation grows well beyond that of the seeds instead.
//! * The range: concentrations stay between 0 and 1, at every step.
//! * The balance: `u` changes by what reacts and what is fed, and by nothing else. Diffusion moves it around
//!   but makes none, so the sum over all points and steps closes to rounding, if the differences telescope
//!   and the edges are tight. Double precision, so that a leak cannot hide in rounding.
//!
//! `cargo run --release --example gray_scott [-- --points 256 --steps 10000]`

mod support;

use support::{Options, Panel, Report};
use wavefold::prelude::*;

/// Diffusivities in points^2 per step, feed and removal per step.
const DU: f64 = 0.2;
const DV: f64 = 0.1;
const F: f64 = 0.037;
const K: f64 = 0.06;

fn main() -> support::Result {
    let (o, mut report) = (Options::parse(), Report::default());
    let (n, steps) = (o.points(200), o.steps(6000));
    let grid = Grid::new([n, n]).with_spacing(1.0).with_dtype(DType::F64);

    let u = TimeFunction::new("u", &grid).build()?;
    let v = TimeFunction::new("v", &grid).build()?;
    let series = |name: &str| Series::new(name, &grid).steps(steps).build();
    let (amount, made) = (series("amount")?, series("made")?);
    let (lowest, highest) = (series("lowest")?, series("highest")?);

    let inside = SubDomain::new("inside", &grid).interior();
    let made_u = F * (1.0 - &u) - &u * v.pow(2);
    let made_v = &u * v.pow(2) - (F + K) * &v;
    let mut equations = vec![
        eq(u.forward(), &u + DU * u.laplace() + &made_u).on(&inside),
        eq(v.forward(), &v + DV * v.laplace() + made_v).on(&inside),
    ];
    for (edge, dim, inwards) in [
        (SubDomain::new("west", &grid).left(Dim::X, 1), Dim::X, 1),
        (SubDomain::new("east", &grid).right(Dim::X, 1), Dim::X, -1),
        (SubDomain::new("south", &grid).left(Dim::Y, 1), Dim::Y, 1),
        (SubDomain::new("north", &grid).right(Dim::Y, 1), Dim::Y, -1),
    ] {
        equations.push(eq(u.forward(), u.forward().shift(dim, inwards)).on(&edge));
        equations.push(eq(v.forward(), v.forward().shift(dim, inwards)).on(&edge));
    }
    equations.extend([
        amount.sum(&u).on(&inside),
        made.sum(made_u).on(&inside),
        lowest.min(u.forward().min(v.forward())),
        highest.max(u.forward().max(v.forward())),
    ]);
    let gray_scott = Operator::named("gray_scott", equations)?;

    let seeds = seeds(n);
    let seeded = |i: &[usize]| seeds.iter().any(|s| i[0].abs_diff(s[0]) < 4 && i[1].abs_diff(s[1]) < 4);
    u.set_with(|i| if seeded(i) { 0.5 } else { 1.0 })?;
    v.set_with(|i| if seeded(i) { 0.25 } else { 0.0 })?;
    let seeded = deviation(&v.at(0)?);
    report.run(&grid, &o.apply(&gray_scott).time_max(steps - 1).run()?);

    let (last, end) = (steps - 1, v.at(steps)?);
    report.above("deviation of v, end over start", deviation(&end) / seeded, 1.5);
    report.above("lowest concentration of all steps", lowest.data()?.min(), -1e-12);
    report.below("highest concentration of all steps", highest.data()?.max(), 1.0 + 1e-12);
    let (amount, made) = (amount.data()?, made.data()?);
    let at = |t: usize| amount.iter().nth(t).unwrap_or(f64::NAN);
    let unexplained = at(last) - at(0) - made.iter().take(last).sum::<f64>();
    report.below("unexplained change of u, relative", unexplained.abs() / at(0), 1e-11);
    o.picture(&[Panel::new(u.at(steps)?.to_f64()), Panel::new(end.to_f64())])?;
    report.finish()
}

/// Places for seeds, the same at every run: a linear congruential generator with the constants of ANSI C.
fn seeds(n: usize) -> Vec<[usize; 2]> {
    let mut state: u64 = 7;
    let mut place = || {
        state = (state * 1_103_515_245 + 12_345) % (1 << 31);
        5 + ((n.saturating_sub(10) as u64 * state) >> 31) as usize
    };
    (0..n * n / 1280 + 1).map(|_| [place(), place()]).collect()
}

/// The standard deviation.
fn deviation(values: &Data) -> f64 {
    let mean = |v: &mut dyn Iterator<Item = f64>| v.sum::<f64>() / values.len() as f64;
    let centre = mean(&mut values.iter());
    mean(&mut values.iter().map(|v| (v - centre).powi(2))).sqrt()
}
