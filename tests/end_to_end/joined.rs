//! Nests of a step that share their tiles, with what is injected between them: the same bits as one after the other.

use crate::random::Random;
use crate::{BACKENDS, DTYPES, assert_same};
use wavefold::Result;
use wavefold::codecs::Compression;
use wavefold::prelude::*;

const STEPS: usize = 7;
const SHAPES: [&[usize]; 5] = [&[13, 42, 37], &[16, 25, 18], &[12, 24, 20], &[70, 50], &[21, 1]];

/// An adjoint wave that is driven by points, and imaged with a history.
struct Problem {
    v: TimeFunction,
    image: Function,
    energy: Function,
    step: [Equation; 2],
    images: [Equation; 2],
}

impl Problem {
    fn new(shape: &[usize], dtype: DType, codec: Option<Compression>) -> Result<Problem> {
        let grid = Grid::new(shape).with_dtype(dtype);
        let so = if shape[shape.len() - 1] > 4 { 4 } else { 2 };
        let mut random = Random::new(3);

        let (u, all) = (TimeFunction::new("u", &grid).build()?, STEPS + 2);
        let usave = TimeFunction::new("usave", &grid).save(all);
        let usave = match codec {
            Some(codec) => usave.compression(codec).build()?,
            None => usave.build()?,
        };
        u.set_data(random.array(u.data()?.shape(), -1.0, 1.0))?;
        let forward = Operator::named("forward", [eq(u.forward(), 0.9 * &u + 0.01), eq(&usave, &u)])?;
        forward.apply().time_min(0).time_max(all - 1).run()?;

        let v = TimeFunction::new("v", &grid).time_order(2).space_order(so).build()?;
        let image = Function::new("image", &grid).space_order(0).build()?;
        let energy = Function::new("energy", &grid).space_order(0).build()?;
        // Several points share a cell, and one lies on the last node.
        let last: Vec<f64> = shape.iter().map(|n| (n - 1) as f64).collect();
        let mut points: Vec<Vec<f64>> =
            (0..2).map(|_| last.iter().map(|l| random.within(0.0, *l)).collect()).collect();
        points.extend([points[0].clone(), points[1].clone(), last]);
        let count = points.len();
        let driven = SparseTimeFunction::new("driven", &grid).coordinates(points).steps(all).build()?;
        driven.set_data(random.array(&[all, count], -1.0, 1.0))?;

        let update = solve(v.dt2() - 0.2 * v.laplace(), v.backward())?;
        let step = [eq(v.backward(), update), driven.inject(v.backward(), &driven * 0.5)];
        let images = [inc(&image, -&usave * v.dt2()), inc(&energy, v.backward().pow(2))];
        Ok(Problem { v, image, energy, step, images })
    }

    fn fill(&self) -> Result<()> {
        let start = Random::new(5).array(self.v.data()?.shape(), -0.1, 0.1);
        self.v.set_data(start)?;
        self.image.fill(0.25)?;
        self.energy.fill(0.0)?;
        Ok(())
    }

    fn values(&self) -> Result<[Data; 3]> {
        Ok([self.v.data()?, self.image.data()?, self.energy.data()?])
    }

    /// Steps and images by operators of their own, which take turns: nothing is done together.
    fn in_turn(&self, backend: Backend) -> Result<[Data; 3]> {
        let operators =
            [Operator::named("step", self.step.clone())?, Operator::named("image", self.images.clone())?];
        self.fill()?;
        for t in (1..=STEPS).rev() {
            for op in &operators {
                op.apply().dt(1.0).time_min(t).time_max(t).backend(backend).threads(1).run()?;
            }
        }
        self.values()
    }

    fn together(&self, backend: Backend, threads: usize) -> Result<[Data; 3]> {
        let op = Operator::named("adjoint", self.step.iter().chain(&self.images).cloned())?;
        self.fill()?;
        let run = op.apply().dt(1.0).time_min(1).time_max(STEPS).backend(backend).threads(threads);
        run.steps_at_a_time(1).run()?;
        let tree = op.tree();
        let nests = tree.lines().filter(|l| l.starts_with("    parallel tiles")).count();
        assert_eq!(nests, 1, "{tree}");
        assert!(tree.lines().any(|l| l.starts_with("      ") && l.contains("inject driven")), "{tree}");
        self.values()
    }
}

#[test]
fn an_image_in_the_tiles_of_its_step_has_the_same_bits() -> Result<()> {
    for shape in SHAPES {
        for codec in [None, Some(Compression::quantize()), Some(Noop)] {
            for &dtype in if shape == SHAPES[0] { &DTYPES[..] } else { &DTYPES[..1] } {
                let p = Problem::new(shape, dtype, codec)?;
                for backend in BACKENDS {
                    let wanted = p.in_turn(backend)?;
                    for threads in [1, 2, 5] {
                        let found = p.together(backend, threads)?;
                        for (i, (found, wanted)) in found.iter().zip(&wanted).enumerate() {
                            let what = format!("{shape:?} {codec:?} {dtype} {backend} {threads}: {i}");
                            assert_same(found, wanted, &what);
                        }
                    }
                }
            }
        }
    }
    Ok(())
}
