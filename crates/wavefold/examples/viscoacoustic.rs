//! Waves that lose energy: one relaxation mechanism, and a Fourier transform on the fly.
//!
//! ```text
//! v_t = -b p_x
//! p_t = -k (1 + tau) v_x - r
//! r_t = -(r + k tau v_x)/sigma
//! ```
//!
//! A standard linear solid (Robertsson, Blanch and Symes 1994) in one dimension, lengths in m, times in ms. The memory
//! variable `r` makes waves decay like `exp(-pi f x/(Q c))`. While the wave travels, its Fourier coefficient at one
//! frequency is summed up at every point, as a complex function; its logarithm falls along `x`, and the slope gives back the
//! quality factor `Q`.
//!
//! `cargo run --release --example viscoacoustic [-- --points 4001]`

mod support;

use std::f64::consts::PI;

use support::{Options, Panel, Report};
use wavefold::prelude::*;

fn main() -> support::Result {
    let (o, mut report) = (Options::parse(), Report::default());
    let n = o.points(3001);
    let (h, c, quality, frequency, every) = (1.0, 2.0, 40.0_f64, 0.020, 16);
    let dt = 0.4 * h / c;
    let steps = o.steps((0.85 * n as f64 * h / c / dt) as usize);
    let grid = Grid::new([n]).with_spacing(h).with_dtype(DType::F64);
    let (omega, k) = (2.0 * PI * frequency, c * c);
    // The mechanism that has this quality factor at the frequency, and is weakest there (Blanch, Robertsson and Symes 1995).
    let sigma = ((1.0 + 1.0 / (quality * quality)).sqrt() - 1.0 / quality) / omega;
    let tau = 2.0 / quality;

    let p = TimeFunction::new("pressure", &grid).space_order(8).build()?;
    let r = TimeFunction::new("r", &grid).space_order(8).build()?;
    let v = TimeFunction::new("v", &grid).space_order(8).staggered(Dim::X).build()?;
    let spectrum = ComplexFunction::new("spectrum", &grid).build()?;
    let history = TimeFunction::new("history", &grid).save(steps / every + 1).save_every(every).build()?;
    let bump = |i: f64| (-((i - 0.1 * n as f64) / 12.0).powi(2)).exp();
    p.set_with(|i| bump(i[0] as f64))?;
    v.set_with(|i| bump(i[0] as f64 + 0.5 - 0.5 * c * dt / h) / c)?;

    let phase = grid.position(Dim::Time) * -omega;
    let dt_ = grid.dt();
    let wave = Operator::named(
        "viscoacoustic",
        [
            eq(v.forward(), &v - &dt_ * p.dx()),
            // Implicit in the memory variable: stable for any relaxation time.
            eq(r.forward(), (&r - &dt_ / sigma * k * tau * v.forward().dx()) / (1.0 + &dt_ / sigma)),
            eq(p.forward(), &p - &dt_ * (k * (1.0 + tau) * v.forward().dx() + r.forward())),
            inc(&spectrum, Complex::cis(phase) * &p * &dt_),
            eq(&history, &p),
        ],
    )?;
    let summary = o.apply(&wave).dt(dt).time_max(steps).run()?;
    report.run(&grid, &summary);

    let (re, im) = (spectrum.re.data()?.to_f64(), spectrum.im.data()?.to_f64());
    let amplitude = |i: usize| re[[i]].hypot(im[[i]]);
    let (near, far) = (n / 4, n * 3 / 4);
    report.value("amplitude near the source", amplitude(near));
    let decay = (amplitude(near) / amplitude(far)).ln() / ((far - near) as f64 * h);
    // The velocity at the frequency lies between that of slow and that of fast waves.
    let phase = im[[near + 1]].atan2(re[[near + 1]]) - im[[near]].atan2(re[[near]]);
    let velocity = omega * h / (-phase).rem_euclid(2.0 * PI);
    report.above("velocity at the frequency (km/s)", velocity, c);
    report.near("quality factor", PI * frequency / (decay * velocity), quality, 0.05 * quality);
    o.picture(&[Panel::signed(history.data()?.to_f64(), 1.0)])?;
    report.finish()
}
