//! The adjoint of the damped acoustic equation, and the gradient made with it.

use crate::acoustic::Acoustic;
use crate::both;
use crate::random::Random;
use ndarray::{Array, ArrayD, Zip};
use wavefold::Result;
use wavefold::prelude::*;

const THREADS: usize = 2;

/// `<F w, y> = <w, F' y>` for random wavelets `w` and data `y`.
fn dot_product(shape: &[usize], so: u32, seed: u64) -> Result<()> {
    let a = Acoustic::new(shape, so, 90, DType::F64, seed)?;
    both(|backend| {
        let u = a.wavefield("u")?;
        a.run(a.forward(&u)?, backend, THREADS)?;
        let synthetic = a.rec.data()?.to_f64();

        let y = Random::new(seed + 1).array(synthetic.shape(), -1.0, 1.0);
        let (equations, arrived) = a.adjoint(&a.wavefield("v")?, &y)?;
        a.run(equations, backend, THREADS)?;

        let left = (&synthetic * &y).sum();
        let right = (&a.src.data()?.to_f64() * &arrived.data()?.to_f64()).sum();
        let error = (left - right).abs() / left.abs();
        println!("{shape:?} so {so} {backend}: <Fw,y> = {left:e}, <w,F'y> = {right:e}, off by {error:.1e}");
        assert!(left.abs() > 1e-9 && error <= 1e-12, "{backend}: {left} and {right} differ by {error:e}");
        Ok(())
    })
}

#[test]
fn dot_product_1d() -> Result<()> {
    dot_product(&[91], 8, 1)?;
    dot_product(&[77], 2, 2)
}

#[test]
fn dot_product_2d() -> Result<()> {
    dot_product(&[47, 52], 8, 3)?;
    dot_product(&[41, 38], 4, 4)
}

#[test]
fn dot_product_3d() -> Result<()> {
    dot_product(&[29, 27, 31], 4, 5)
}

/// Half the squared residual as a function of `m`, with its gradient.
struct Objective {
    a: Acoustic,
    observed: ArrayD<f64>,
    backend: Backend,
}

impl Objective {
    /// Data of a medium with an anomaly in it.
    fn new(backend: Backend) -> Result<Objective> {
        let a = Acoustic::new(&[45, 41], 8, 110, DType::F64, 7)?;
        a.smooth_wavelet()?;
        let start = a.m.data()?;
        let truth =
            Array::from_shape_fn([45, 41], |(x, z)| 1.0 - 0.2 * bump(x as f64 - 22.0, z as f64 - 20.0));
        a.m.set_data(&start.to_f64() * &truth)?;
        a.run(a.forward(&a.wavefield("u")?)?, backend, THREADS)?;
        let observed = a.rec.data()?.to_f64();
        a.m.set_data(start)?;
        Ok(Objective { a, observed, backend })
    }

    fn residual(&self) -> Result<ArrayD<f64>> {
        Ok(self.a.rec.data()?.to_f64() - &self.observed)
    }

    fn value(&self, m: &ArrayD<f64>) -> Result<f64> {
        self.a.m.set_data(m.clone())?;
        self.a.run(self.a.forward(&self.a.wavefield("u")?)?, self.backend, THREADS)?;
        Ok(0.5 * self.residual()?.mapv(|r| r * r).sum())
    }

    /// With the history of the wavefield kept in the given way.
    fn gradient(&self, m: &ArrayD<f64>, codec: Option<Compression>) -> Result<ArrayD<f64>> {
        let a = &self.a;
        a.m.set_data(m.clone())?;
        let (u, v) = (a.wavefield("u")?, a.wavefield("v")?);
        let usave = a.history("usave", codec)?;
        let mut equations = a.forward(&u)?;
        equations.push(eq(&usave, &u));
        a.run(equations, self.backend, THREADS)?;

        let grad = Function::new("grad", &a.grid).build()?;
        let (mut equations, _) = a.adjoint(&v, &self.residual()?)?;
        equations.push(inc(&grad, -&usave * v.dt2()));
        a.run(equations, self.backend, THREADS)?;
        Ok(grad.data()?.to_f64())
    }
}

fn bump(x: f64, z: f64) -> f64 {
    (-(x * x + z * z) / 60.0).exp()
}

/// The remainder `|f(m + a dm) - f(m) - a <g, dm>|` falls with the square of `a`.
#[test]
fn gradient_passes_the_taylor_test() -> Result<()> {
    let histories = [None, Some(Noop), Some(Wavelet { compscale: 1e-5 })];
    both(|backend| {
        let f = Objective::new(backend)?;
        let m = f.a.m.data()?.to_f64();
        // A smooth change, within the medium, of up to 4 % at a = 1.
        let shape = (m.shape()[0], m.shape()[1]);
        let dm = Array::from_shape_fn(shape, |(x, z)| {
            0.04 * (bump(x as f64 - 18.0, z as f64 - 22.0) - 0.7 * bump(x as f64 - 27.0, z as f64 - 17.0))
        });
        let dm = &m * &dm.into_dyn();
        let at_m = f.value(&m)?;
        let scales: Vec<f64> = (0..5).map(|k| 10f64.powf(-1.0 - 0.5 * f64::from(k))).collect();
        let changes: Vec<f64> =
            scales.iter().map(|a| Ok(f.value(&(&m + &(*a * &dm)))? - at_m)).collect::<Result<_>>()?;
        let exact = f.gradient(&m, None)?;
        for codec in histories {
            let g = f.gradient(&m, codec)?;
            if codec == Some(Noop) {
                assert_eq!(g, exact, "noop changes nothing");
            }
            let mut off = g.clone();
            Zip::from(&mut off).and(&exact).for_each(|g, e| *g -= e);
            let off = off.mapv(|e| e * e).sum().sqrt() / exact.mapv(|e| e * e).sum().sqrt();
            let slope = (&g * &dm).sum();
            let remainders: Vec<f64> =
                scales.iter().zip(&changes).map(|(a, c)| (c - a * slope).abs()).collect();
            let order = fit(&scales, &remainders);
            println!(
                "{backend} {codec:?}: slope {order:.4}, gradient off by {off:.1e}, remainders {remainders:?}"
            );
            assert!(
                (1.95..=2.05).contains(&order),
                "{backend} {codec:?}: slope {order}, remainders {remainders:?}"
            );
            assert!(off <= 1e-4, "{backend} {codec:?}: {off:e}");
        }
        Ok(())
    })
}

/// Slope of the straight line through the logarithms, least squares.
fn fit(x: &[f64], y: &[f64]) -> f64 {
    let logs = |values: &[f64]| values.iter().map(|v| v.ln()).collect::<Vec<_>>();
    let (x, y) = (logs(x), logs(y));
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (mx, my) = (mean(&x), mean(&y));
    let sum = |f: &dyn Fn(f64, f64) -> f64| x.iter().zip(&y).map(|(a, b)| f(a - mx, b - my)).sum::<f64>();
    sum(&|a, b| a * b) / sum(&|a, _| a * a)
}
