//! The symbolic layer as its users see it.

mod errors;
mod operators;
mod printing;
mod solving;
mod transposes;
mod weights;

use wavefold_symbolic::prelude::*;

/// A grid of two dimensions, a parameter, and a wavefield of orders 2 and 8.
fn wave() -> (Grid, Function, TimeFunction) {
    let grid = Grid::new([16, 16]).with_spacing(10.0);
    let m = Function::new("m", &grid).space_order(8).build().unwrap();
    let u = TimeFunction::new("u", &grid).time_order(2).space_order(8).build().unwrap();
    (grid, m, u)
}
