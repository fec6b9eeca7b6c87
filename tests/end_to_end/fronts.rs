//! Several steps at a time: the same bits as one by one, on any number of threads.

use crate::random::Random;
use crate::{BACKENDS, assert_close, assert_same};
use wavefold::Result;
use wavefold::prelude::*;

/// An operator, what it writes, and how to fill what it starts from.
struct Case {
    name: String,
    op: Operator,
    fields: Vec<TimeFunction>,
    sums: Vec<Function>,
    receivers: Vec<SparseTimeFunction>,
}

const STEPS: usize = 24;

impl Case {
    fn fill(&self) -> Result<()> {
        let mut random = Random::new(11);
        for f in &self.fields {
            f.set_data(random.array(f.data()?.shape(), -1.0, 1.0))?;
        }
        for f in &self.sums {
            f.set_data(random.array(f.data()?.shape(), -1.0, 1.0))?;
        }
        for r in &self.receivers {
            r.set_data(random.array(r.data()?.shape(), -1.0, 1.0))?;
        }
        Ok(())
    }

    fn run(
        &self,
        range: (usize, usize),
        steps: usize,
        backend: Backend,
        threads: usize,
    ) -> Result<Vec<Data>> {
        self.fill()?;
        let apply = self.op.apply().dt(0.05).time_min(range.0).time_max(range.1).backend(backend);
        let summary = apply.threads(threads).steps_at_a_time(steps).run()?;
        let several = summary.schedule.iter().any(|line| line.contains(&format!("front of {steps} steps")));
        assert_eq!(several, steps > 1, "{}: {:?}", self.name, summary.schedule);
        let mut all = vec![];
        for f in &self.fields {
            all.push(f.data()?);
        }
        for f in &self.sums {
            all.push(f.data()?);
        }
        for r in &self.receivers {
            all.push(r.data()?);
        }
        Ok(all)
    }
}

/// Points within, on the edge of, and outside of a grid of spacing 1, several in the same cell.
fn points(name: &str, grid: &Grid, interpolation: Interpolation) -> Result<SparseTimeFunction> {
    let mut random = Random::new(5);
    let mut at: Vec<Vec<f64>> =
        (0..9).map(|_| grid.shape().iter().map(|n| random.within(-1.0, *n as f64)).collect()).collect();
    at.push(at[0].iter().map(|x| x + 0.01).collect());
    at.push(grid.shape().iter().map(|n| (*n / 2) as f64).collect());
    at.push(grid.shape().iter().map(|n| (*n / 2) as f64 - 0.4).collect());
    let points = SparseTimeFunction::new(name, grid).steps(STEPS + 2).coordinates(at);
    Ok(points.interpolation(interpolation).build()?)
}

/// A damped wave with sources, receivers, and a history of every step and one of every third.
fn wave(shape: &[usize], order: u32, backward: bool, dtype: DType) -> Result<Case> {
    let grid = Grid::new(shape).with_dtype(dtype);
    let u = TimeFunction::new("u", &grid).space_order(order).time_order(2).build()?;
    let m = Function::new("m", &grid).space_order(order).build()?;
    m.set_data(Random::new(7).array(m.data()?.shape(), 0.5, 1.5))?;
    let all = TimeFunction::new("all", &grid).save(STEPS + 2).build()?;
    let some = TimeFunction::new("some", &grid).save(STEPS.div_ceil(3) + 1).save_every(3).build()?;
    let (src, rec) =
        (points("src", &grid, Interpolation::Linear)?, points("rec", &grid, Interpolation::Linear)?);
    let wide = points("wide", &grid, Interpolation::Sinc { radius: 2 })?;
    let (next, last) = if backward { (u.backward(), u.forward()) } else { (u.forward(), u.backward()) };
    let op = Operator::named(
        "wave",
        [
            eq(&all, u.expr()),
            eq(&next, u.expr() * 2.0 - last * 0.99 + u.laplace() * &m * 0.01),
            src.inject(&next, &src * &m),
            rec.interpolate(u.expr() * &m),
            wide.interpolate(next.clone() + u.expr()),
            eq(&some, u.expr()),
        ],
    )?;
    let name = format!("wave {shape:?}, order {order}, backward {backward}, {dtype}");
    Ok(Case { name, op, fields: vec![u, all, some], sums: vec![], receivers: vec![rec, wide] })
}

/// Velocity and stress on staggered grids, which take turns within a step; a sum over time; a condition in space.
fn system(shape: &[usize]) -> Result<Case> {
    let grid = Grid::new(shape);
    let half = |d: usize| Stagger::Dims(vec![Dim::Space(d)]);
    let p = TimeFunction::new("p", &grid).space_order(4).build()?;
    let mut v = vec![];
    for d in 0..shape.len() {
        v.push(TimeFunction::new(format!("v{d}"), &grid).space_order(4).staggered(half(d)).build()?);
    }
    let image = Function::new("image", &grid).build()?;
    let rec = points("rec", &grid, Interpolation::Nearest)?;
    let src = points("src", &grid, Interpolation::Linear)?;
    let mut equations = vec![rec.interpolate(p.expr())];
    for (d, v) in v.iter().enumerate() {
        equations.push(eq(v.forward(), v.expr() * 0.98 - p.diff(Dim::Space(d)) * 0.1));
    }
    let divergence = v.iter().enumerate().map(|(d, v)| v.forward().diff(Dim::Space(d)) * 0.1);
    let divergence = divergence.reduce(|a, b| a + b).unwrap_or(p.expr());
    equations.push(eq(p.forward(), p.expr() * 0.99 - divergence));
    equations.push(src.inject(p.forward(), &src * 0.1));
    equations.push(inc(&image, p.forward() * p.expr()));
    let op = Operator::named("system", equations)?;
    v.push(p);
    Ok(Case { name: format!("system {shape:?}"), op, fields: v, sums: vec![image], receivers: vec![rec] })
}

/// What an adjoint does: backwards in time, with a history that is read.
fn imaging(shape: &[usize]) -> Result<Case> {
    let grid = Grid::new(shape);
    let v = TimeFunction::new("v", &grid).space_order(2).time_order(2).build()?;
    let history = TimeFunction::new("history", &grid).save(STEPS + 2).build()?;
    let image = Function::new("image", &grid).build()?;
    let rec = points("rec", &grid, Interpolation::Linear)?;
    let op = Operator::named(
        "imaging",
        [
            eq(v.backward(), v.expr() * 2.0 - v.forward() * 0.99 + v.laplace() * 0.05),
            rec.inject(v.backward(), rec.expr()),
            inc(&image, &history * v.dt2()),
        ],
    )?;
    Ok(Case {
        name: format!("imaging {shape:?}"),
        op,
        fields: vec![v, history],
        sums: vec![image],
        receivers: vec![rec],
    })
}

/// Samples that are injected again, in the same step, at points of which staggered functions see other corners.
fn echo(shape: &[usize], interpolation: Interpolation, first: bool) -> Result<Case> {
    let grid = Grid::new(shape);
    let p = TimeFunction::new("p", &grid).space_order(2).build()?;
    let v =
        TimeFunction::new("v", &grid).space_order(2).staggered(Stagger::Dims(vec![Dim::Space(0)])).build()?;
    let (rec, sum) = (points("rec", &grid, interpolation)?, points("sum", &grid, interpolation)?);
    let mut equations = vec![
        rec.interpolate(p.expr()),
        rec.inject(v.forward(), rec.expr()),
        sum.interpolate(p.expr()),
        sum.interpolate_add(v.expr()),
    ];
    if first {
        equations.rotate_left(2);
        equations.swap(0, 1);
    }
    equations.push(eq(v.forward(), v.expr() * 0.9 - p.diff(Dim::Space(0)) * 0.1));
    equations.push(eq(p.forward(), p.expr() * 0.9 - v.forward().diff(Dim::Space(0)) * 0.1));
    let op = Operator::named("echo", equations)?;
    let name = format!("echo {shape:?}, {interpolation:?}, {first}");
    Ok(Case { name, op, fields: vec![p, v], sums: vec![], receivers: vec![rec, sum] })
}

fn cases() -> Result<Vec<Case>> {
    Ok(vec![
        echo(&[52, 9], Interpolation::Linear, false)?,
        echo(&[52, 9], Interpolation::Nearest, true)?,
        echo(&[8, 40, 9], Interpolation::Nearest, false)?,
        wave(&[61, 19], 4, false, DType::F32)?,
        wave(&[40, 33], 8, true, DType::F64)?,
        wave(&[12, 37, 9], 4, false, DType::F64)?,
        wave(&[13, 50, 17], 2, true, DType::F32)?,
        wave(&[3, 2, 5], 4, false, DType::F32)?,
        system(&[57, 14])?,
        system(&[10, 41, 11])?,
        imaging(&[44, 9])?,
        imaging(&[8, 29, 18])?,
    ])
}

#[test]
fn several_steps_at_a_time_leave_the_same_bits() -> Result<()> {
    for case in cases()? {
        for range in [(1, 1), (2, 3), (1, 7), (1, STEPS)] {
            for backend in BACKENDS {
                let wanted = case.run(range, 1, backend, 1)?;
                for (steps, threads) in [(2, 1), (3, 2), (5, 2), (4, 3)] {
                    let found = case.run(range, steps, backend, threads)?;
                    for (i, (found, wanted)) in found.iter().zip(&wanted).enumerate() {
                        let what = format!("{}, {range:?}, {backend}, {steps} at a time: {i}", case.name);
                        assert_same(found, wanted, &what);
                    }
                }
            }
        }
    }
    Ok(())
}

#[test]
fn any_number_of_steps_may_be_asked_for() -> Result<()> {
    let case = wave(&[9, 8], 4, false, DType::F32)?;
    let wanted = case.run((1, 20), 1, Backend::Cranelift, 1)?;
    for backend in BACKENDS {
        for steps in [0, 64, usize::MAX] {
            case.fill()?;
            case.op
                .apply()
                .dt(0.05)
                .time_min(1)
                .time_max(20)
                .backend(backend)
                .steps_at_a_time(steps)
                .run()?;
            assert_close(&case.fields[0].data()?, &wanted[0].to_f64(), 1e-5, &format!("{steps} steps"));
        }
    }
    Ok(())
}

/// A run that grows without bound ends long before its last step.
#[test]
fn values_that_are_not_finite_are_found_between_groups() -> Result<()> {
    let grid = Grid::new([30, 20]);
    let u = TimeFunction::new("u", &grid).build()?;
    u.set_data(Random::new(1).array(u.data()?.shape(), 0.5, 1.0))?;
    let op = Operator::new([eq(u.forward(), u.expr() * 1e6 + u.laplace())])?;
    for (backend, steps) in [(Backend::Cranelift, 4), (Backend::C, 3), (Backend::Cranelift, 64)] {
        u.set_data(Random::new(1).array(u.data()?.shape(), 0.5, 1.0))?;
        let apply = op.apply().dt(1.0).time_min(0).time_max(999).backend(backend).steps_at_a_time(steps);
        let error = apply.check_finite(true).check_stability(false).run().expect_err("it grows");
        assert_eq!(error.code(), "run::not_finite");
        let step = error.to_string().split("step ").nth(1).and_then(|s| {
            s.chars().take_while(char::is_ascii_digit).collect::<String>().parse::<usize>().ok()
        });
        assert!(step.is_some_and(|step| step < 150), "{error}");
    }
    Ok(())
}

/// Histories that fronts write: copied, computed, and of a part; quantized, lapped, and not at all.
struct Kept {
    op: Operator,
    u: TimeFunction,
    rec: SparseTimeFunction,
    histories: Vec<TimeFunction>,
}

impl Kept {
    fn new(shape: &[usize], every: usize, backward: bool) -> Result<Kept> {
        let grid = Grid::new(shape);
        let u = TimeFunction::new("u", &grid).space_order(4).time_order(2).build()?;
        let part = SubDomain::new("part", &grid).middle(Dim::X, 3, 2).left(Dim::Y, 7);
        let saved = |name: &str| {
            let f = TimeFunction::new(name, &grid).save(STEPS.div_ceil(every) + 1).save_every(every);
            f.space_order(0)
        };
        let copied = saved("copied").compression(Quantize { nbits: 12 }).build()?;
        let computed = saved("computed").compression(Lapped { compscale: 1e-2 }).build()?;
        let window = saved("window").compression(Noop).on(&part).build()?;
        let (src, rec) =
            (points("src", &grid, Interpolation::Linear)?, points("rec", &grid, Interpolation::Linear)?);
        src.set_data(Random::new(2).array(src.data()?.shape(), -1.0, 1.0))?;
        let (next, last) = if backward { (u.backward(), u.forward()) } else { (u.forward(), u.backward()) };
        let op = Operator::named(
            "kept",
            [
                eq(&copied, &u),
                eq(&next, u.expr() * 2.0 - last + u.laplace() * 0.05),
                src.inject(&next, src.expr()),
                rec.interpolate(&u),
                eq(&computed, &next + u.dx() * 0.5),
                eq(&window, &u).on(&part),
            ],
        )?;
        Ok(Kept { op, u, rec, histories: vec![copied, computed, window] })
    }

    /// The wave, its samples, and every snapshot of every history.
    fn run(&self, last: usize, steps: usize, backend: Backend, threads: usize) -> Result<Vec<Data>> {
        self.u.set_data(Random::new(11).array(self.u.data()?.shape(), -1.0, 1.0))?;
        let fresh: Vec<TimeFunction> = self.histories.iter().map(|h| h.twin(h.name())).collect();
        let mut apply = self.op.apply().dt(1.0).time_min(1).time_max(last).backend(backend);
        for (history, fresh) in self.histories.iter().zip(&fresh) {
            apply = apply.with(history, fresh);
        }
        let summary = apply.threads(threads).steps_at_a_time(steps).check_stability(false).run()?;
        let most = steps.min(2 * fresh[0].save_every());
        let several = summary.schedule.iter().any(|line| line.contains(&format!("front of {most} steps")));
        assert_eq!(several, steps > 1, "{:?}", summary.schedule);
        let mut all = vec![self.u.data()?, self.rec.data()?];
        for history in &fresh {
            for snapshot in 1..=last / history.save_every() {
                all.push(decompress_step(history, snapshot)?);
            }
        }
        Ok(all)
    }
}

#[test]
fn fronts_write_the_same_compressed_histories() -> Result<()> {
    for (shape, every, backward) in [
        (&[45, 33][..], 3, false),
        (&[45, 33], 2, true),
        (&[40, 20], 1, false),
        (&[10, 37, 19], 3, true),
        (&[10, 37, 19], 1, true),
    ] {
        let kept = Kept::new(shape, every, backward)?;
        for backend in BACKENDS {
            for last in [every, 7, STEPS] {
                let wanted = kept.run(last, 1, backend, 1)?;
                for (steps, threads) in [(2, 1), (3, 2), (5, 3), (64, 2)] {
                    let found = kept.run(last, steps, backend, threads)?;
                    assert_eq!(found.len(), wanted.len());
                    for (i, (found, wanted)) in found.iter().zip(&wanted).enumerate() {
                        let what = format!("{shape:?}, every {every}, {last}, {backend}, {steps}: {i}");
                        assert_same(found, wanted, &what);
                    }
                }
            }
        }
    }
    Ok(())
}

/// Snapshots are decompressed before the group that reads them; neighbours in time stay in the ring.
#[test]
fn fronts_read_compressed_histories() -> Result<()> {
    for (shape, every) in [(&[44, 18][..], 3), (&[44, 18], 1), (&[8, 29, 18], 2), (&[8, 29, 18], 1)] {
        let grid = Grid::new(shape);
        let u = TimeFunction::new("u", &grid).build()?;
        let v = TimeFunction::new("v", &grid).space_order(4).time_order(2).build()?;
        let history = TimeFunction::new("history", &grid).save(STEPS / every + 2).save_every(every);
        let history = history.time_order(2).space_order(2).compression(Quantize { nbits: 10 }).build()?;
        u.set_data(Random::new(3).array(u.data()?.shape(), -1.0, 1.0))?;
        let write = Operator::new([eq(&history, &u), eq(u.forward(), u.expr() * 0.9 + u.laplace() * 0.01)])?;
        write.apply().time_min(0).time_max((STEPS / every + 1) * every).run()?;
        let image = Function::new("image", &grid).build()?;
        let read = if every == 1 { history.dt2() + history.dx() } else { history.expr() };
        let op = Operator::named(
            "imaging",
            [
                eq(v.backward(), v.expr() * 2.0 - v.forward() + v.laplace() * 0.05),
                inc(&image, read * v.expr()),
            ],
        )?;
        let run = |steps: usize, backend: Backend, threads: usize| -> Result<[Data; 2]> {
            v.set_data(Random::new(5).array(v.data()?.shape(), -1.0, 1.0))?;
            image.fill(0.5)?;
            let apply = op.apply().dt(1.0).time_min(1).time_max(STEPS).backend(backend).threads(threads);
            let summary = apply.steps_at_a_time(steps).check_stability(false).run()?;
            let most = steps.min(2 * every);
            let several =
                summary.schedule.iter().any(|line| line.contains(&format!("front of {most} steps")));
            assert_eq!(several, steps > 1, "{:?}", summary.schedule);
            Ok([v.data()?, image.data()?])
        };
        for backend in BACKENDS {
            let wanted = run(1, backend, 1)?;
            for (steps, threads) in [(2, 1), (3, 2), (64, 3)] {
                for (found, wanted) in run(steps, backend, threads)?.iter().zip(&wanted) {
                    assert_same(found, wanted, &format!("{shape:?}, every {every}, {backend}, {steps}"));
                }
            }
        }
    }
    Ok(())
}

/// The step that is to blame is that of the snapshot, not the last of its group.
#[test]
fn a_snapshot_that_cannot_be_compressed_names_its_step() -> Result<()> {
    let grid = Grid::new([30, 20]);
    let u = TimeFunction::new("u", &grid).build()?;
    let kept = TimeFunction::new("kept", &grid).save(20).save_every(2).compression(Quantize { nbits: 9 });
    let kept = kept.build()?;
    // Infinite from step 6 on.
    let op = Operator::new([eq(u.forward(), u.expr() * 1e7 + u.laplace()), eq(&kept, &u)])?;
    for (backend, steps) in [(Backend::Cranelift, 1), (Backend::Cranelift, 4), (Backend::C, 4)] {
        u.set_data(Random::new(1).array(u.data()?.shape(), 0.5, 1.0))?;
        let fresh = kept.twin("fresh");
        let apply = op.apply().dt(1.0).time_min(0).time_max(30).backend(backend).steps_at_a_time(steps);
        let error = apply.with(&kept, &fresh).check_stability(false).run().expect_err("it grows");
        assert_eq!(error.code(), "compress::not_finite", "{error}");
        assert!(error.to_string().contains("step 6"), "{steps}: {error}");
    }
    Ok(())
}

/// What keeps steps one by one is said in the schedule.
#[test]
fn the_schedule_says_why_steps_are_one_by_one() -> Result<()> {
    let grid = Grid::new([40, 30]);
    let u = TimeFunction::new("u", &grid).build()?;
    let save = TimeFunction::new("usave", &grid).save(5).compression(Noop).build()?;
    let why = |equations: Vec<Equation>| -> Result<String> {
        Ok(Operator::new(equations)?.schedule().last().cloned().unwrap_or_default())
    };
    let step = eq(u.forward(), u.expr() + u.laplace() * 0.1);
    assert_eq!(why(vec![step.clone()])?, "step by step: the fields stay in the caches");
    let src = points("src", &grid, Interpolation::Linear)?;
    let around = src.inject(u.forward(), &src * u.forward().dx());
    assert_eq!(why(vec![step.clone(), around])?, "step by step: an injection reads around itself");
    assert_eq!(why(vec![step, eq(&save, u.expr())])?, "step by step: the fields stay in the caches");
    Ok(())
}
