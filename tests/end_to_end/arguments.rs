//! What a run may change of its operator: data, constants, sizes, steps.

use crate::byhand::{at, each, set, stencil};
use crate::random::Random;
use crate::{assert_close, assert_same, both};
use ndarray::ArrayD;
use wavefold::Result;
use wavefold::prelude::*;

const SHAPE: [usize; 2] = [9, 12];

fn grid() -> Grid {
    Grid::new(SHAPE).with_dtype(DType::F64)
}

fn field(name: &str, grid: &Grid, seed: u64) -> Result<TimeFunction> {
    let u = TimeFunction::new(name, grid).build()?;
    u.set_at(0, Random::new(seed).array(&SHAPE, -1.0, 1.0))?;
    Ok(u)
}

/// All that a run can be given in the place of something else.
struct Shot {
    u: TimeFunction,
    m: Function,
    src: SparseTimeFunction,
    rec: SparseTimeFunction,
    history: TimeFunction,
}

impl Shot {
    fn new(grid: &Grid, number: u64) -> Result<Shot> {
        let name = |what: &str| format!("{what}{number}");
        let m = Function::new(name("m"), grid).build()?;
        m.set_data(Random::new(number + 10).array(&SHAPE, 0.5, 1.5))?;
        let sparse = |what: &str, x: f64| {
            let place = [[x + 0.5 * number as f64, 3.25]];
            SparseTimeFunction::new(name(what), grid).steps(5).coordinates(place).build()
        };
        let (src, rec) = (sparse("src", 2.0)?, sparse("rec", 4.5)?);
        src.set_data(Random::new(number + 20).array(&[5, 1], -1.0, 1.0))?;
        let history = TimeFunction::new(name("history"), grid).save(5).compression(Noop).build()?;
        Ok(Shot { u: field(&name("u"), grid, number)?, m, src, rec, history })
    }

    fn operator(&self) -> Result<Operator> {
        let Shot { u, m, src, rec, history } = self;
        Operator::new([
            eq(u.forward(), m * u + 0.1 * u.dx()),
            src.inject(u.forward(), src / m),
            rec.interpolate(u.forward()),
            eq(history, u),
        ])
    }

    fn outcome(&self) -> Result<[Data; 3]> {
        Ok([self.u.data()?, self.rec.data()?, decompress(&self.history)?])
    }
}

/// An operator on other data is the operator of the other data, and leaves its own alone.
#[test]
fn other_data() -> Result<()> {
    both(|backend| {
        let grid = grid();
        let (first, second, same) = (Shot::new(&grid, 1)?, Shot::new(&grid, 2)?, Shot::new(&grid, 2)?);
        let op = first.operator()?;
        let before = first.u.data()?;
        let run =
            op.apply().with(&first.u, &second.u).with(&first.m, &second.m).with(&first.src, &second.src);
        let run = run.with(&first.rec, &second.rec).with(&first.history, &second.history);
        run.time_max(4).backend(backend).run()?;
        same.operator()?.apply().time_max(4).backend(backend).run()?;
        for (found, wanted) in second.outcome()?.iter().zip(&same.outcome()?) {
            assert!(found.norm() > 0.0);
            assert_same(found, wanted, "second");
        }
        assert_same(&first.u.data()?, &before, "first");
        assert_eq!((first.rec.data()?.norm(), first.history.compression_info()?.written), (0.0, 0));
        // The next run is on its own data again.
        op.apply().time_max(4).backend(backend).run()?;
        let alone = Shot::new(&grid, 1)?;
        alone.operator()?.apply().time_max(4).backend(backend).run()?;
        for (found, wanted) in first.outcome()?.iter().zip(&alone.outcome()?) {
            assert_same(found, wanted, "first");
        }
        Ok(())
    })
}

/// Two functions of an operator may take each other's place.
#[test]
fn exchanged_data() -> Result<()> {
    both(|backend| {
        let grid = grid();
        let function = |name: &str, value| -> Result<Function> {
            let f = Function::new(name, &grid).build()?;
            f.fill(value)?;
            Ok(f)
        };
        let (a, b) = (function("a", 1.0)?, function("b", 5.0)?);
        let op = Operator::new([eq(&b, &a + 1.0)])?;
        op.apply().with(&a, &b).with(&b, &a).backend(backend).run()?;
        assert_eq!((a.data()?.max(), b.data()?.max()), (6.0, 5.0));
        op.apply().backend(backend).run()?;
        assert_eq!((a.data()?.max(), b.data()?.max()), (6.0, 7.0));
        Ok(())
    })
}

#[test]
fn other_constants() -> Result<()> {
    both(|backend| {
        let grid = grid();
        let (c, d) = (Constant::new("c", 2.0), Constant::new("d", 3.0));
        let f = Function::new("f", &grid).build()?;
        let op = Operator::new([eq(&f, &c * 10.0 + &d)])?;
        let run = |given: &[(&Constant, f64)]| -> Result<f64> {
            let run = given.iter().fold(op.apply(), |run, (constant, value)| run.set(constant, *value));
            run.backend(backend).run()?;
            Ok(f.data()?.max())
        };
        assert_eq!(run(&[(&c, 4.0)])?, 43.0);
        assert_eq!(run(&[(&d, -1.0), (&c, 0.0)])?, -1.0);
        assert_eq!(run(&[(&c, 9.0), (&c, 1.0)])?, 13.0, "the last one holds");
        assert_eq!(run(&[])?, 23.0, "the constants keep their values");
        d.set(7.0);
        assert_eq!(run(&[(&c, 1.0)])?, 17.0);
        Ok(())
    })
}

/// Bounds hold for equations and reductions, the points of which they share with subdomains; not for sparse points.
#[test]
fn bounds() -> Result<()> {
    both(|backend| {
        let grid = grid();
        let u = field("u", &grid, 1)?;
        let start = u.at(0)?.to_f64();
        let (all, left) = (Function::new("all", &grid).build()?, Function::new("left", &grid).build()?);
        let total = Series::new("total", &grid).steps(1).build()?;
        let src = SparseFunction::new("src", &grid).coordinates([[0.0, 0.0]]).build()?;
        src.fill(100.0)?;
        let op = Operator::new([
            eq(&all, u.dx() + 1.0),
            inc(&left, &u).on(&SubDomain::new("left_part", &grid).left(Dim::Y, 5)),
            total.sum(&u),
            src.inject(&all, &src),
        ])?;
        let slope = |p: &[i64]| stencil(&|q| at(&start, q), p, 0, &[(-1, -0.5), (1, 0.5)]);
        let (nx, ny) = (SHAPE[0] as i64, SHAPE[1] as i64);
        type Given = &'static [(Dim, usize, usize)];
        let cases: [(Given, [(i64, i64); 2]); 4] = [
            (&[], [(0, nx), (0, ny)]),
            (&[(Dim::X, 2, 5)], [(2, 6), (0, ny)]),
            (&[(Dim::Y, 3, 11), (Dim::X, 8, 8)], [(8, 9), (3, ny)]),
            (&[(Dim::Y, 7, 9)], [(0, nx), (7, 10)]),
        ];
        for (given, part) in cases {
            all.fill(0.0)?;
            left.fill(0.0)?;
            let run = given.iter().fold(op.apply(), |run, (dim, a, b)| run.bounds(*dim, *a, *b));
            run.time_max(0).backend(backend).run()?;
            let (mut wanted, mut other) = (ArrayD::zeros(SHAPE.to_vec()), ArrayD::zeros(SHAPE.to_vec()));
            set(&mut wanted, &part, |p, _| slope(p) + 1.0);
            wanted[[0, 0]] += 100.0;
            set(&mut other, &[part[0], (part[1].0, part[1].1.min(5))], |p, _| at(&start, p));
            let mut sum = 0.0;
            set(&mut start.clone(), &part, |_, v| {
                sum += v;
                v
            });
            assert_close(&all.data()?, &wanted, 1e-14, "all");
            assert_close(&left.data()?, &other, 1e-15, "left");
            assert!((total.data()?.to_f64()[[0, 0]] - sum).abs() < 1e-13, "{given:?}");
        }
        Ok(())
    })
}

/// A run with another thickness is a run of the operator that was declared with it.
#[test]
fn thickness() -> Result<()> {
    both(|backend| {
        let grid = grid();
        let program = |layers: [usize; 3]| -> Result<(TimeFunction, Operator, [SubDomain; 3])> {
            let u = field("u", &grid, 2)?;
            let parts = [
                SubDomain::new("low", &grid).left(Dim::X, layers[0]),
                SubDomain::new("high", &grid).right(Dim::Y, layers[1]),
                SubDomain::new("inside", &grid).middle(Dim::X, layers[2], 1),
            ];
            let op = Operator::new([
                eq(u.forward(), &u + 0.1 * u.laplace()).on(&parts[2]),
                eq(u.forward(), 2.0).on(&parts[0]),
                inc(u.forward(), 1.0).on(&parts[1]),
            ])?;
            Ok((u, op, parts))
        };
        let (u, op, [low, high, inside]) = program([1, 2, 3])?;
        let start = u.data()?;
        for layers in [[4, 2, 3], [0, 5, 2], [1, 2, 3], [9, 0, 0]] {
            let (v, declared, _) = program(layers)?;
            declared.apply().time_max(3).backend(backend).run()?;
            u.set_data(start.clone())?;
            let run = op.apply().thickness(&low, Dim::X, layers[0], 0).thickness(&high, Dim::Y, 0, layers[1]);
            run.thickness(&inside, Dim::X, layers[2], 1).time_max(3).backend(backend).run()?;
            assert_same(&u.data()?, &v.data()?, &format!("{layers:?}"));
        }
        let (v, declared, _) = program([1, 2, 3])?;
        u.set_data(start)?;
        op.apply().time_max(3).backend(backend).run()?;
        declared.apply().time_max(3).backend(backend).run()?;
        assert_same(&u.data()?, &v.data()?, "as declared");
        Ok(())
    })
}

/// The range of steps follows the distance that is given.
#[test]
fn other_distances_of_snapshots() -> Result<()> {
    for codec in [None, Some(Noop)] {
        both(|backend| {
            let grid = grid();
            for (every, last) in [(1, 1), (2, 4), (4, 10), (5, 13)] {
                let u = TimeFunction::new("u", &grid).build()?;
                let some = TimeFunction::new("some", &grid).save(3).save_every(4);
                let some = codec.into_iter().fold(some, |f, codec| f.compression(codec)).build()?;
                let op = Operator::new([eq(u.forward(), &u + 1.0), eq(&some, &u)])?;
                let s = op.apply().save_every_of("some", every).backend(backend).run()?;
                assert_eq!((s.time_m, s.time_max), (0, last), "every {every}");
                for k in (0..3).filter(|k| k * every <= last as usize) {
                    let found = if codec.is_some() { decompress_step(&some, k)? } else { some.at(k)? };
                    let wanted = (k * every) as f64;
                    assert_eq!((found.min(), found.max()), (wanted, wanted), "snapshot {k}, every {every}");
                }
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// More time levels than a time order needs, for equations that look further back or ahead.
#[test]
fn more_time_levels() -> Result<()> {
    const LAST: usize = 9;
    both(|backend| {
        let grid = grid();
        let u = TimeFunction::new("u", &grid).buffers(5).build()?;
        assert_eq!((u.buffers(), u.data()?.shape().to_vec()), (5, vec![5, 9, 12]));
        let mut levels: Vec<ArrayD<f64>> = (0..4).map(|k| Random::new(k).array(&SHAPE, -1.0, 1.0)).collect();
        for (k, level) in levels.iter().enumerate() {
            u.set_at(k, level.clone())?;
        }
        let step = 0.5 * &u + 0.3 * u.backward_by(3) - 0.2 * u.backward().dx();
        let s = Operator::new([eq(u.forward(), step)])?.apply().time_max(LAST).backend(backend).run()?;
        assert_eq!(s.time_m, 3, "the levels before the first are not read");
        for t in 3..=LAST {
            let next = each(&SHAPE, |p| {
                let slope = stencil(&|q| at(&levels[t - 1], q), p, 0, &[(-1, -0.5), (1, 0.5)]);
                0.5 * at(&levels[t], p) + 0.3 * at(&levels[t - 3], p) - 0.2 * slope
            });
            levels.push(next);
        }
        for (t, level) in levels.iter().enumerate().skip(LAST - 3) {
            assert_close(&u.at(t)?, level, 1e-14, &format!("level {t}"));
        }
        Ok(())
    })
}

/// Runs of one step each, one after the other, are one run.
#[test]
fn one_step_at_a_time() -> Result<()> {
    const STEPS: usize = 7;
    both(|backend| {
        let grid = grid();
        let outcome = |apart: bool, back: bool| -> Result<Vec<Data>> {
            let u = TimeFunction::new("u", &grid).time_order(2).build()?;
            u.set_with(|i| (i[0] * 12 + i[1]) as f64 / 100.0)?;
            let all = TimeFunction::new("all", &grid).save(STEPS).build()?;
            let some = TimeFunction::new("some", &grid).save(3).save_every(3).build()?;
            let src = SparseTimeFunction::new("src", &grid).steps(STEPS).coordinates([[2.5, 3.5]]).build()?;
            src.set_data(Random::new(1).array(&[STEPS, 1], -1.0, 1.0))?;
            let peak = Series::new("peak", &grid).steps(STEPS).build()?;
            let (next, last) = if back { (u.backward(), u.forward()) } else { (u.forward(), u.backward()) };
            let op = Operator::new([
                eq(&next, 1.9 * &u - 0.95 * last + 0.1 * u.laplace()),
                src.inject(&next, &src),
                eq(&all, &next),
                eq(&some, &u),
                peak.max(u.abs()),
            ])?;
            let mut steps: Vec<usize> = (0..STEPS).collect();
            if back {
                steps.reverse();
            }
            if apart {
                for t in steps {
                    let s = op.apply().time_min(t).time_max(t).backend(backend).run()?;
                    assert_eq!((s.steps, s.time_m, s.time_max), (1, t as i64, t as i64));
                }
            } else {
                op.apply().time_min(0).time_max(STEPS - 1).backend(backend).run()?;
            }
            Ok(vec![u.data()?, all.data()?, some.data()?, peak.data()?])
        };
        for back in [false, true] {
            for (one, many) in outcome(false, back)?.iter().zip(&outcome(true, back)?) {
                assert!(one.norm() > 0.0);
                assert_same(one, many, if back { "descending" } else { "ascending" });
            }
        }
        Ok(())
    })
}
