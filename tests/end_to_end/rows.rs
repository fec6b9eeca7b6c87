//! Equal rows in one place: the same bits as when each is its own, as in runs of a few steps.

use crate::random::Random;
use crate::{BACKENDS, assert_same};
use wavefold::Result;
use wavefold::prelude::*;

const STEPS: usize = 20;

type Model<'a> = &'a (dyn Fn(&[usize]) -> f64 + Sync);

/// A damped wave over layers, with a body in which all rows differ.
struct Wave {
    op: Operator,
    u: TimeFunction,
    m: Function,
}

impl Wave {
    fn new(shape: &[usize], dtype: DType, order: u32) -> Result<Wave> {
        let grid = Grid::new(shape).with_dtype(dtype);
        let u = TimeFunction::new("u", &grid).space_order(order).time_order(2).build()?;
        let m = Function::new("m", &grid).space_order(order).build()?;
        let damp = Function::new("damp", &grid).build()?;
        damp.set_with(|i| if i[0] < 3 { 0.01 * (3 - i[0]) as f64 } else { 0.0 })?;
        let equation = &m * u.dt2() - u.laplace() + &damp * u.dt();
        let op = Operator::named("wave", [eq(u.forward(), solve(&equation, u.forward())?)])?;
        Ok(Wave { op, u, m })
    }

    fn run(&self, steps_each: usize, backend: Backend, threads: usize) -> Result<(Data, Vec<(String, f64)>)> {
        self.u.set_data(Random::new(3).array(self.u.data()?.shape(), -1.0, 1.0))?;
        let mut rows = vec![];
        for first in (1..=STEPS).step_by(steps_each) {
            let apply = self.op.apply().dt(0.1).time_min(first).time_max(first + steps_each - 1);
            rows = apply.backend(backend).threads(threads).run()?.rows;
        }
        Ok((self.u.data()?, rows))
    }
}

#[test]
fn results_do_not_depend_on_where_rows_are() -> Result<()> {
    // Large enough that the caches of a common machine do not hold all fields.
    for (shape, dtype, order) in [
        (vec![70, 61, 320], DType::F32, 4),
        (vec![50, 51, 270], DType::F64, 2),
        (vec![900, 1100], DType::F32, 8),
    ] {
        let wave = Wave::new(&shape, dtype, order)?;
        let layers = |i: &[usize]| 1.0 + (i[i.len() - 1] / 50) as f64;
        let body = |i: &[usize]| {
            let inside = i[0] > 20 && i[0] < 40;
            layers(i) + if inside { (i[0] * 31 + i[1]) as f64 * 1e-4 } else { 0.0 }
        };
        let models: [Model<'_>; 3] =
            [&layers, &body, &|i: &[usize]| 1.0 + i.iter().sum::<usize>() as f64 * 1e-3];
        for (model, name) in models.into_iter().zip(["layers", "body", "slope"]) {
            wave.m.set_with(|i| model(i))?;
            let (expected, _) = wave.run(1, Backend::Cranelift, 1)?;
            for backend in BACKENDS {
                for threads in [1, 2, 3] {
                    let (got, rows) = wave.run(STEPS, backend, threads)?;
                    let what = format!("{shape:?} {name} {backend} {threads}");
                    assert_same(&got, &expected, &what);
                    let part = |name: &str| rows.iter().find(|(n, _)| n == name).map(|(_, part)| *part);
                    // Machines with very large caches keep plain arrays.
                    if let (Some(damp), Some(inv)) = (part("damp"), part("inv")) {
                        assert!(damp < 0.1, "{what}: {damp}");
                        let fits = match name {
                            "layers" => inv < 0.1,
                            "body" => inv < 0.5,
                            _ => inv > 0.8,
                        };
                        assert!(fits, "{what}: {inv}");
                    }
                }
            }
        }
    }
    Ok(())
}
