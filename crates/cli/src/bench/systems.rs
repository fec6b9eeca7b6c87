//! Systems of equations: tilted transverse isotropy, elastic waves, Burgers.

use wavefold::prelude::*;
use wavefold::seismic::equations::{Axis, Elastic, Tti};
use wavefold::seismic::{Sponge, damping, ricker};

use super::plain::{Problem, at_rest};
use super::wave::{SPACING, layer_width};
use super::{Case, Settings};
use crate::error::Result;

/// Peak frequency of the source, in kHz.
const FREQUENCY: f64 = 0.010;

/// A parameter with one value in the upper half and another below, its halo filled.
fn two_layers(settings: &Settings, grid: &Grid, name: &str, [above, below]: [f64; 2]) -> Result<Function> {
    let f = Function::new(name, grid).space_order(settings.so).build()?;
    let depth = settings.shape.last().copied().unwrap_or(1);
    let layer = |i: &[usize]| if i.last().is_some_and(|z| *z >= depth / 2) { below } else { above };
    f.set_with(|i| layer(i) * settings.unevenness(i))?;
    f.extend_halo()?;
    Ok(f)
}

/// The damping of absorbing layers.
fn damp(settings: &Settings, grid: &Grid, velocity: f64) -> Result<Function> {
    let f = Function::new("damp", grid).space_order(settings.so).build()?;
    let spacing = vec![SPACING; settings.shape.len()];
    let sponge = Sponge::new(layer_width(&settings.shape));
    f.set_data(damping(&settings.shape, &spacing, sponge, velocity))?;
    f.extend_halo()?;
    Ok(f)
}

/// A source near the middle and receivers on a line along the first axis.
fn shot(settings: &Settings, grid: &Grid, dt: f64) -> Result<(SparseTimeFunction, SparseTimeFunction)> {
    let extent: Vec<f64> = settings.shape.iter().map(|n| (n - 1) as f64 * SPACING).collect();
    let at = |r: usize| -> Vec<f64> {
        let axis =
            |(k, e): (usize, &f64)| if k == 0 { (0.1 + 0.8 * r as f64 / 999.0) * e } else { 0.37 * e + 1.7 };
        extent.iter().enumerate().map(axis).collect()
    };
    let samples = settings.steps + 2;
    let middle: Vec<f64> = extent.iter().map(|e| e / 2.0 + 3.3).collect();
    let source = SparseTimeFunction::new("src", grid).coordinates([&middle]).steps(samples).build()?;
    source.set_data(ricker(FREQUENCY, 1.0 / FREQUENCY, dt, samples))?;
    let places: Vec<Vec<f64>> = (0..1000).map(at).collect();
    let receivers = SparseTimeFunction::new("rec", grid).coordinates(&places).steps(samples).build()?;
    Ok((source, receivers))
}

/// Tilted transverse isotropy over two layers.
fn tti(settings: &Settings) -> Result<Problem> {
    let grid = Grid::new(settings.shape.clone()).with_spacing(SPACING);
    let field = |name: &str| TimeFunction::new(name, &grid).time_order(2).space_order(settings.so).build();
    let (p, q) = (field("pressure")?, field("moveout")?);
    let parameter = |name: &str, values| two_layers(settings, &grid, name, values);
    let m = parameter("m", [1.0 / 2.25, 1.0 / 6.25])?;
    let (epsilon, delta) = (parameter("epsilon", [0.1, 0.24])?, parameter("delta", [0.05, 0.1])?);
    let (theta, phi) = (parameter("theta", [0.2, 0.6])?, parameter("phi", [0.3, 0.7])?);
    let dt = 0.3 * SPACING / (2.5 * f64::sqrt(1.0 + 2.0 * 0.24));
    let (source, receivers) = shot(settings, &grid, dt)?;
    let phi = (settings.shape.len() == 3).then(|| phi.expr());
    let damp = damp(settings, &grid, 2.5)?.expr();
    let medium = Tti {
        m: m.expr(),
        epsilon: epsilon.expr(),
        delta: delta.expr(),
        axis: Axis { theta: theta.expr(), phi },
        damp,
    };
    let wavelet = || &source * grid.dt().pow(2.0) / &m;
    let mut equations = medium.forward(&p, &q)?.to_vec();
    equations.push(source.inject_all([(p.forward(), wavelet()), (q.forward(), wavelet())]));
    equations.push(receivers.interpolate(&p + &q));
    Ok(Problem { equations, unknowns: vec![p, q], dt, first: 1, start: at_rest })
}

/// Time step of the elastic cases, in ms.
pub(super) fn elastic_dt(settings: &Settings) -> f64 {
    0.4 * SPACING / (3.0 * f64::sqrt(settings.shape.len() as f64))
}

/// Elastic waves over two layers: velocity and stress on a staggered grid.
fn elastic(settings: &Settings) -> Result<Problem> {
    let grid = Grid::new(settings.shape.clone()).with_spacing(SPACING);
    let v = VectorTimeFunction::new("v", &grid).space_order(settings.so).build()?;
    let stress = TensorTimeFunction::new("s", &grid).space_order(settings.so).build()?;
    let parameter = |name: &str, values| two_layers(settings, &grid, name, values);
    // Velocities of 2 and 3 km/s for P waves, 1 and 1.7 for S waves, densities of 2 and 2.4 g/cm³.
    let lambda = parameter("lambda", [4.0, 7.73])?;
    let mu = parameter("mu", [2.0, 6.94])?;
    let buoyancy = parameter("buoyancy", [0.5, 1.0 / 2.4])?;
    let dt = elastic_dt(settings);
    let (source, receivers) = shot(settings, &grid, dt)?;
    let damp = damp(settings, &grid, 3.0)?;
    let taper = 1.0 - grid.dt() * &damp;
    let medium = Elastic { lambda: lambda.expr(), mu: mu.expr(), buoyancy: buoyancy.expr(), taper };
    let mut equations = medium.forward(&v, &stress).to_vec();
    let normal = (0..settings.shape.len()).map(|i| stress.forward()[(i, i)].clone());
    equations.push(source.inject_all(normal.map(|target| (target, &source * grid.dt()))));
    equations.push(receivers.interpolate(div(&v)));
    let unknowns = v.components().iter().chain(stress.components()).cloned().collect();
    Ok(Problem { equations, unknowns, dt, first: 0, start: at_rest })
}

/// Viscous Burgers equations with upwind convection from a block of fast fluid, edges kept at 1.
fn burgers(settings: &Settings) -> Result<Problem> {
    let grid = Grid::new(settings.shape.clone()).with_extent(vec![2.0; 2]);
    let field = |name: &str| TimeFunction::new(name, &grid).space_order(2).build();
    let (u, v) = (field("u")?, field("v")?);
    let nu = Constant::new("nu", 0.01);
    let inside = SubDomain::new("inside", &grid).interior();
    let back = |f: &TimeFunction, dim| f.diff(dim).weights(-1, &[-1.0, 1.0]).expr();
    let mut equations = Vec::new();
    for f in [&u, &v] {
        let rate = &nu * f.laplace() - (&u * back(f, Dim::X) + &v * back(f, Dim::Y));
        equations.push(eq(f.forward(), f + grid.dt() * rate).on(&inside));
    }
    for dim in [Dim::X, Dim::Y] {
        let first = SubDomain::new(format!("first_{}", dim.name()), &grid).left(dim, 1);
        let last = SubDomain::new(format!("last_{}", dim.name()), &grid).right(dim, 1);
        for (f, edge) in [(&u, &first), (&v, &first), (&u, &last), (&v, &last)] {
            equations.push(eq(f.forward(), 1.0).on(edge));
        }
    }
    let h = grid.spacing().iter().copied().fold(f64::INFINITY, f64::min);
    let dt = 0.5 / (2.0 * 2.0 / h + 4.0 * 0.01 / (h * h));
    block(&u)?;
    block(&v)?;
    Ok(Problem { equations, unknowns: vec![u, v], dt, first: 0, start: block })
}

fn block(u: &TimeFunction) -> Result<()> {
    let shape = u.grid().shape().to_vec();
    let inside = |i: &[usize]| i.iter().zip(&shape).all(|(i, n)| (n / 4..n / 2).contains(i));
    Ok(u.set_with(|i| if inside(i) { 2.0 } else { 1.0 })?)
}

/// The cases of several unknowns.
pub fn problem(settings: &Settings) -> Result<Problem> {
    match settings.case {
        Case::Tti2d | Case::Tti3d => tti(settings),
        Case::Elastic2d | Case::Elastic3d => elastic(settings),
        _ => burgers(settings),
    }
}
