//! The heat equation: nothing but a stencil.

use wavefold::prelude::*;
use wavefold::seismic::second_derivative_weights;

use super::Settings;
use super::plain::Problem;
use crate::error::Result;

/// Explicit steps of `u_t = a laplace(u)` on unit spacing, from a block of 8 points a side in the middle.
pub fn problem(settings: &Settings) -> Result<Problem> {
    let grid = Grid::new(settings.shape.clone());
    let u = TimeFunction::new("u", &grid).space_order(settings.so).build()?;
    let a = Constant::new("a", 1.0);
    let update = eq(u.forward(), solve(u.dt() - &a * u.laplace(), u.forward())?);
    block(&u)?;
    Ok(Problem {
        equations: vec![update],
        unknowns: vec![u],
        dt: stable_step(settings),
        first: 0,
        start: block,
    })
}

/// Nine tenths of the largest step for which no wave number grows: 2 over the largest eigenvalue of the Laplacian.
fn stable_step(settings: &Settings) -> f64 {
    let weights = second_derivative_weights(settings.so as usize);
    let eigenvalue = weights[0].abs() + 2.0 * weights[1..].iter().map(|w| w.abs()).sum::<f64>();
    0.9 * 2.0 / (eigenvalue * settings.shape.len() as f64)
}

fn block(u: &TimeFunction) -> Result<()> {
    let shape = u.grid().shape().to_vec();
    let inside = |i: &[usize]| i.iter().zip(&shape).all(|(i, n)| i.abs_diff(n / 2) < 4);
    Ok(u.set_with(|i| if inside(i) { 1e-3 } else { 0.0 })?)
}
