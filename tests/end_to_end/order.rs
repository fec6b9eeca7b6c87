//! What happens before what within a step, against loops written out here.

use crate::random::Random;
use crate::{assert_close, assert_same, both};
use ndarray::{Array2, ArrayD, Axis, Ix2};
use wavefold::Result;
use wavefold::prelude::*;

const STEPS: usize = 12;
const SHAPE: [usize; 2] = [13, 17];

fn grid() -> Grid {
    Grid::new(SHAPE).with_dtype(DType::F64)
}

fn random(seed: u64) -> ArrayD<f64> {
    Random::new(seed).array(&SHAPE, -1.0, 1.0)
}

fn saved(name: &str, grid: &Grid) -> Result<TimeFunction> {
    Ok(TimeFunction::new(name, grid).time_order(2).save(STEPS).build()?)
}

/// One point on a grid point, and one between.
fn points(name: &str, grid: &Grid) -> Result<SparseTimeFunction> {
    Ok(SparseTimeFunction::new(name, grid).steps(STEPS).coordinates([[6.0, 7.0], [3.25, 9.5]]).build()?)
}

/// Bilinear interpolation at the two points of [`points`].
fn at_points(f: &ArrayD<f64>) -> [f64; 2] {
    let between = 0.75 * (0.5 * f[[3, 9]] + 0.5 * f[[3, 10]]) + 0.25 * (0.5 * f[[4, 9]] + 0.5 * f[[4, 10]]);
    [f[[6, 7]], between]
}

struct Waves {
    grid: Grid,
    u: TimeFunction,
    src: SparseTimeFunction,
    rec: SparseTimeFunction,
}

impl Waves {
    fn new() -> Result<Waves> {
        let grid = grid();
        let u = TimeFunction::new("u", &grid).time_order(2).build()?;
        let (src, rec) = (points("src", &grid)?, points("rec", &grid)?);
        src.set_data(Random::new(3).array(&[STEPS, 2], 1.0, 2.0))?;
        Ok(Waves { grid, u, src, rec })
    }

    fn stencil(&self) -> Equation {
        eq(self.u.forward(), self.u.expr() * 2.0 - self.u.backward() + self.u.laplace() * 0.1)
    }

    fn injection(&self) -> Equation {
        self.src.inject(self.u.forward(), &self.src)
    }

    fn run(&self, equations: Vec<Equation>, backend: Backend) -> Result<()> {
        self.u.fill(0.0)?;
        let op = Operator::new(equations)?;
        op.apply().dt(0.5).time_min(1).time_max(STEPS - 2).backend(backend).run().map(|_| ())
    }
}

#[test]
fn a_saved_time_derivative_sees_the_injection() -> Result<()> {
    both(|backend| {
        let w = Waves::new()?;
        let (all, plain) = (saved("all", &w.grid)?, saved("plain", &w.grid)?);
        let packed = TimeFunction::new("packed", &w.grid).save(STEPS).compression(Noop).build()?;
        let saves = [eq(&all, &w.u), eq(&plain, w.u.dt2()), eq(&packed, w.u.dt2())];
        let equations = [w.stencil(), w.injection()].into_iter().chain(saves).collect();
        w.run(equations, backend)?;
        for n in 1..STEPS - 2 {
            // The next level as the next step saved it: with the injection.
            let level = |k: usize| Ok::<_, wavefold::Error>(all.at(k)?.to_f64());
            let wanted = (level(n + 1)? - level(n)? * 2.0 + level(n - 1)?) * 4.0;
            assert!(wanted[[6, 7]].abs() > 0.1);
            assert_close(&plain.at(n)?, &wanted, 1e-13, &format!("step {n}"));
            assert_same(&decompress_step(&packed, n)?, &plain.at(n)?, &format!("compressed step {n}"));
        }
        Ok(())
    })
}

/// Wherever the interpolation is written, `u` is the level before the step and `u.forward()` the one after.
#[test]
fn receivers_read_the_level_that_they_name() -> Result<()> {
    both(|backend| {
        for order in [[0, 1, 2, 3], [2, 0, 1, 3]] {
            let w = Waves::new()?;
            let next = points("next", &w.grid)?;
            let all = saved("all", &w.grid)?;
            let kinds =
                [w.stencil(), w.injection(), w.rec.interpolate(&w.u), next.interpolate(w.u.forward())];
            let mut equations: Vec<Equation> = order.iter().map(|i| kinds[*i].clone()).collect();
            equations.push(eq(&all, &w.u));
            w.run(equations, backend)?;
            let (rec, next) = (w.rec.data()?.to_f64(), next.data()?.to_f64());
            for n in 1..STEPS - 1 {
                let wanted = at_points(&all.at(n)?.to_f64());
                for p in 0..2 {
                    assert!(
                        (rec[[n, p]] - wanted[p]).abs() <= 1e-13 * wanted[p].abs(),
                        "step {n}, point {p}"
                    );
                    assert!(
                        (next[[n - 1, p]] - wanted[p]).abs() <= 1e-13 * wanted[p].abs() || n == 1,
                        "step {n}"
                    );
                }
            }
            assert!(rec[[5, 0]].abs() > 0.1 && rec[[1, 0]] == 0.0);
        }
        Ok(())
    })
}

/// Before the injection is not after it.
#[test]
fn interpolation_between_stencil_and_injection() -> Result<()> {
    both(|backend| {
        let w = Waves::new()?;
        let (before, after) = (points("before", &w.grid)?, points("after", &w.grid)?);
        let (u, src) = (w.u.forward(), w.src.data()?.to_f64());
        let equations = vec![w.stencil(), before.interpolate(&u), w.injection(), after.interpolate(&u)];
        w.run(equations, backend)?;
        let (before, after) = (before.data()?.to_f64(), after.data()?.to_f64());
        for n in 1..STEPS - 1 {
            let added = after[[n, 0]] - before[[n, 0]];
            assert!((added - src[[n, 0]]).abs() <= 1e-12 * after[[n, 0]].abs().max(1.0), "step {n}: {added}");
        }
        Ok(())
    })
}

#[test]
fn increments_accumulate_over_steps_and_runs() -> Result<()> {
    both(|backend| {
        let w = Waves::new()?;
        let all = saved("all", &w.grid)?;
        let sum = Function::new("sum", &w.grid).build()?;
        let stack = points("stack", &w.grid)?;
        sum.set_data(random(9))?;
        let mut wanted = random(9);
        let add = [inc(&sum, &w.u * 2.0), inc(&sum, w.u.forward()), stack.interpolate_add(&w.u)];
        let equations = || {
            let front = [w.stencil(), w.injection(), eq(&all, &w.u)];
            front.into_iter().chain(add.clone()).collect::<Vec<_>>()
        };
        for run in 1..=2 {
            w.run(equations(), backend)?;
            let last = w.u.at(STEPS - 1)?.to_f64();
            for n in 1..STEPS - 1 {
                let next = if n + 2 < STEPS { all.at(n + 1)?.to_f64() } else { last.clone() };
                wanted = wanted + all.at(n)?.to_f64() * 2.0 + next;
            }
            assert_close(&sum.data()?, &wanted, 1e-13, &format!("sum after run {run}"));
            let (found, once) = (stack.data()?.to_f64()[[6, 1]], at_points(&all.at(6)?.to_f64())[1]);
            assert!(
                (found - once * f64::from(run)).abs() <= 1e-13 * found.abs(),
                "run {run}: {found}, {once}"
            );
        }
        Ok(())
    })
}

#[test]
fn operators_without_time() -> Result<()> {
    both(|backend| {
        let grid = grid().with_spacing([0.5, 0.25]);
        let f = |name: &str| Function::new(name, &grid).build();
        let (a, b, c, d) = (f("a")?, f("b")?, f("c")?, f("d")?);
        a.set_data(random(1))?;
        d.set_data(random(2))?;
        let op = Operator::new([eq(&b, &a * 2.0 + 1.0), eq(&c, b.dx() + b.dy2()), inc(&d, &c * &a)])?;
        let s = op.apply().backend(backend).run()?;
        assert_eq!((s.steps, s.points), (1, 221));

        let (a0, d0) = (random(1), random(2));
        let b0 = a0.mapv(|v| 2.0 * v + 1.0);
        let c0 = Array2::from_shape_fn(SHAPE, |(x, y)| {
            let b = |dx: i64, dy: i64| at(&b0, x as i64 + dx, y as i64 + dy);
            (b(1, 0) - b(-1, 0)) / (2.0 * 0.5) + (b(0, 1) - 2.0 * b(0, 0) + b(0, -1)) / (0.25 * 0.25)
        });
        let c0 = c0.into_dyn();
        assert_close(&b.data()?, &b0, 1e-15, "b");
        assert_close(&c.data()?, &c0, 1e-14, "c");
        assert_close(&d.data()?, &(&d0 + &(&c0 * &a0)), 1e-14, "d");
        Ok(())
    })
}

/// The value at a point; 0 in the halo.
fn at(f: &ArrayD<f64>, x: i64, y: i64) -> f64 {
    let inside = x >= 0 && y >= 0 && x < SHAPE[0] as i64 && y < SHAPE[1] as i64;
    if inside { f[[x as usize, y as usize]] } else { 0.0 }
}

/// Derivatives of what an earlier equation of the same step has written, at every step anew.
#[test]
fn equations_chained_through_functions() -> Result<()> {
    both(|backend| {
        let grid = grid();
        let u = TimeFunction::new("u", &grid).build()?;
        let (f, g) = (Function::new("f", &grid).build()?, Function::new("g", &grid).build()?);
        u.set_at(0, random(4))?;
        let chain = [
            eq(&f, &u * &u + 0.5),
            eq(&g, f.dx2() - f.dy() * &u),
            eq(u.forward(), &u + &g * 0.01),
            eq(&f, u.forward() + f.shift(Dim::X, 0)),
            inc(&g, &f * 3.0),
        ];
        Operator::new(chain)?.apply().time_max(STEPS - 1).backend(backend).run()?;

        let (mut u0, mut f0, mut g0) = (random(4), random(4), random(4));
        for _ in 0..STEPS {
            f0 = u0.mapv(|v| v * v + 0.5);
            g0 = Array2::from_shape_fn(SHAPE, |(x, y)| {
                let f = |dx: i64, dy: i64| at(&f0, x as i64 + dx, y as i64 + dy);
                f(1, 0) - 2.0 * f(0, 0) + f(-1, 0) - 0.5 * (f(0, 1) - f(0, -1)) * u0[[x, y]]
            })
            .into_dyn();
            u0 = &u0 + &(&g0 * 0.01);
            f0 = &f0 + &u0;
            g0 = &g0 + &(&f0 * 3.0);
        }
        assert_close(&u.at(STEPS)?, &u0, 1e-12, "u");
        assert_close(&f.data()?, &f0, 1e-12, "f");
        assert_close(&g.data()?, &g0, 1e-12, "g");
        Ok(())
    })
}

/// Values that the same sweep has just written are seen where the loop has already been: rows, then columns,
/// both ascending.
#[test]
fn serial_dependences_equal_a_direct_loop() -> Result<()> {
    type Row = fn(&Function) -> Expr;
    type Direct = fn(&ArrayD<f64>, i64, i64) -> f64;
    let cases: [(&str, Row, Direct); 5] = [
        ("first dimension", |f| f.shift(Dim::X, -1) * 0.5 + f, |f, x, y| at(f, x - 1, y) * 0.5 + at(f, x, y)),
        (
            "second dimension",
            |f| f.shift(Dim::Y, -1) * 0.5 + f,
            |f, x, y| at(f, x, y - 1) * 0.5 + at(f, x, y),
        ),
        ("ahead", |f| f.shift(Dim::X, 1) - f.shift(Dim::Y, 2), |f, x, y| at(f, x + 1, y) - at(f, x, y + 2)),
        (
            "diagonal",
            |f| f.shift(Dim::X, -1).shift(Dim::Y, 1) * 0.7 + f,
            |f, x, y| at(f, x - 1, y + 1) * 0.7 + at(f, x, y),
        ),
        (
            "Gauss-Seidel",
            |f| (f.shift(Dim::X, -1) + f.shift(Dim::X, 1) + f.shift(Dim::Y, -1) + f.shift(Dim::Y, 1)) * 0.25,
            |f, x, y| (at(f, x - 1, y) + at(f, x + 1, y) + at(f, x, y - 1) + at(f, x, y + 1)) * 0.25,
        ),
    ];
    both(|backend| {
        for (name, symbolic, direct) in &cases {
            let f = Function::new("f", &grid()).build()?;
            f.set_data(random(8))?;
            Operator::new([eq(&f, symbolic(&f))])?.apply().threads(3).backend(backend).run()?;
            let mut wanted = random(8);
            for x in 0..SHAPE[0] {
                for y in 0..SHAPE[1] {
                    wanted[[x, y]] = direct(&wanted, x as i64, y as i64);
                }
            }
            assert_close(&f.data()?, &wanted, 1e-13, &format!("{name} on {backend}"));
        }
        Ok(())
    })
}

/// A recursion in space within each time step.
#[test]
fn serial_dependences_in_every_step() -> Result<()> {
    both(|backend| {
        let grid = grid();
        let u = TimeFunction::new("u", &grid).build()?;
        u.set_at(0, random(6))?;
        let step = eq(u.forward(), &u * 0.5 + u.forward().shift(Dim::X, -1) * 0.25);
        Operator::new([step])?.apply().time_max(STEPS - 1).backend(backend).run()?;
        let mut level = random(6).into_dimensionality::<Ix2>().unwrap_or_default();
        for _ in 0..STEPS {
            let mut next = level.mapv(|v| v * 0.5);
            // The first row has only the halo before it, which is 0.
            for x in 1..SHAPE[0] {
                let before = next.index_axis(Axis(0), x - 1).to_owned();
                let mut row = next.index_axis_mut(Axis(0), x);
                row += &(before * 0.25);
            }
            level = next;
        }
        assert_close(&u.at(STEPS)?, &level.into_dyn(), 1e-13, "u");
        Ok(())
    })
}
