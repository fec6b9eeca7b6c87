//! Random programs that read a history: compressed without loss it gives the bits that an uncompressed one gives.

use crate::random::Random;
use crate::{BACKENDS, assert_same};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use wavefold::Result;
use wavefold::prelude::*;

/// One access to the history: steps and points away, and what is done to it.
#[derive(Clone, Copy, Debug)]
struct Read {
    time: i32,
    point: i32,
    action: u8,
}

/// What the equation does with what it has read.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Use {
    /// A term of the wavefield's update.
    Update,
    /// Added to a function.
    Image,
    /// Put in a function whose derivative is added to the image.
    Through,
    /// Kept in another history.
    Save,
    /// Sampled at a point.
    Sample,
    /// Put into the wavefield at a point.
    Inject,
}

#[derive(Clone, Debug)]
struct Program {
    shape: Vec<usize>,
    snapshots: usize,
    every: usize,
    descending: bool,
    threads: usize,
    equations: Vec<(Use, Vec<Read>)>,
}

fn program() -> impl Strategy<Value = Program> {
    let shape = prop_oneof![
        prop::collection::vec(5..40usize, 1),
        prop::collection::vec(5..16usize, 2),
        prop::collection::vec(5..9usize, 3)
    ];
    let read = (-2..=2, -2..=2, 0..6u8).prop_map(|(time, point, action)| Read { time, point, action });
    let uses = vec![Use::Update, Use::Image, Use::Through, Use::Save, Use::Sample, Use::Inject];
    let equation = (prop::sample::select(uses), prop::collection::vec(read, 1..=3));
    let equations = prop::collection::vec(equation, 1..=3);
    (shape, 7..12usize, 1..=3usize, any::<bool>(), 1..=3usize, equations).prop_map(
        |(shape, snapshots, every, descending, threads, mut equations)| {
            // Each use once.
            let mut seen = Vec::new();
            equations.retain(|(u, _)| {
                let new = !seen.contains(u);
                seen.push(*u);
                new
            });
            Program { shape, snapshots, every, descending, threads, equations }
        },
    )
}

fn value(h: &TimeFunction, reads: &[Read]) -> Expr {
    Expr::sum(reads.iter().enumerate().map(|(i, r)| {
        // A subsampled history has no neighbours in time.
        let steps = if h.save_every() == 1 { r.time } else { 0 };
        let e = h.forward_by(steps).shift(Dim::X, r.point);
        let coefficient = 0.25 + 0.125 * i as f64;
        let e = match r.action {
            0 => h.forward_by(steps).dx2(),
            1 => h.forward_by(steps).laplace(),
            2 if h.save_every() == 1 => h.dt2(),
            3 => h.forward_by(steps).dxl() * &e,
            _ => e,
        };
        e * coefficient
    }))
}

/// The history of a small wave, uncompressed and compressed.
fn histories(p: &Program, grid: &Grid, backend: Backend) -> Result<[TimeFunction; 2]> {
    let u = TimeFunction::new("u", grid).build()?;
    u.set_data(Random::new(1).array(&p.shape, -1.0, 1.0))?;
    let kept =
        |name: &str| TimeFunction::new(name, grid).space_order(4).save(p.snapshots).save_every(p.every);
    let raw = kept("raw").build()?;
    let packed = kept("packed").compression(Noop).build()?;
    let update = eq(u.forward(), u.laplace() * 0.1 + &u * 0.9 + 0.01);
    Operator::new([update, eq(&raw, &u), eq(&packed, &u)])?.apply().backend(backend).run()?;
    Ok([raw, packed])
}

/// Everything that the reading program leaves behind.
fn read(p: &Program, h: &TimeFunction, backend: Backend) -> Result<Vec<Data>> {
    let grid = h.grid();
    let v = TimeFunction::new("v", grid).build()?;
    v.fill(0.5)?;
    let next = if p.descending { v.backward() } else { v.forward() };
    let (image, through) = (Function::new("image", grid).build()?, Function::new("through", grid).build()?);
    let saved = TimeFunction::new("saved", grid).save(p.snapshots).save_every(p.every).build()?;
    let steps = p.snapshots * p.every;
    let middle: Vec<f64> = p.shape.iter().map(|n| *n as f64 * 0.5 - 0.3).collect();
    let points =
        |name: &str| SparseTimeFunction::new(name, grid).steps(steps).coordinates([middle.clone()]).build();
    let (src, rec) = (points("src")?, points("rec")?);
    src.fill(0.5)?;

    let mut equations = vec![eq(&next, &v * 0.75)];
    for (u, reads) in &p.equations {
        let e = value(h, reads);
        match u {
            Use::Update => equations.push(inc(&next, e)),
            Use::Image => equations.push(inc(&image, e * &v)),
            Use::Through => equations.extend([eq(&through, e), inc(&image, through.dx2())]),
            Use::Save => equations.push(eq(&saved, e)),
            Use::Sample => equations.push(rec.interpolate(e)),
            Use::Inject => equations.push(src.inject(&next, &src * e)),
        }
    }
    let op = Operator::named("reader", equations)?;
    // Two snapshots of room at either end; the last one is not written, since `u` at the next step has no place.
    let (first, last) = (2 * p.every, (p.snapshots - 4) * p.every);
    op.apply().dt(0.5).time_min(first).time_max(last).backend(backend).threads(p.threads).run()?;
    Ok(vec![v.data()?, image.data()?, through.data()?, saved.data()?, rec.data()?])
}

fn same(p: &Program, backend: Backend) -> Result<()> {
    let grid = Grid::new(p.shape.clone()).with_dtype(DType::F64);
    let [raw, packed] = histories(p, &grid, backend)?;
    let (wanted, found) = (read(p, &raw, backend)?, read(p, &packed, backend)?);
    for (name, (found, wanted)) in
        ["v", "image", "through", "saved", "rec"].iter().zip(found.iter().zip(&wanted))
    {
        assert_same(found, wanted, &format!("{name} on {backend}"));
    }
    Ok(())
}

/// The same programs in every run; `PROPTEST_CASES` asks for more.
#[test]
fn random_readers() {
    for (backend, cases) in BACKENDS.into_iter().zip([4, 60]) {
        let cases = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(cases);
        let config = Config { cases, failure_persistence: None, max_shrink_iters: 300, ..Config::default() };
        let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
        let outcome = TestRunner::new_with_rng(config, rng)
            .run(&program(), |p| same(&p, backend).map_err(|e| TestCaseError::fail(format!("{e:?}"))));
        if let Err(e) = outcome {
            panic!("{backend}: {e}");
        }
    }
}
