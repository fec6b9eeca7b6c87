//! Generated programs of the whole language: the interpreter of the cluster level, Cranelift and C must agree.
//!
//! A program has fields that live anywhere between the nodes, parameters with either average, equations on parts of the
//! grid and under conditions, sources and receivers of every kind, reductions, and histories, saved whole or in part,
//! raw or compressed, which a second operator reads. The interpreter runs the equations as the cluster level has them:
//! before fusion, factorisation, hoisting, elimination of common parts, tiles, vectors and threads.

use crate::random::Random;
use crate::relative;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};
use wavefold::Result;
use wavefold::ir::{cluster, stencil, tree};
use wavefold::prelude::*;
use wavefold_passes::{Machine, Specialisation, compile};

#[derive(Clone, Debug)]
struct Program {
    shape: Vec<usize>,
    half_order: u32,
    steps: usize,
    threads: usize,
    seed: u64,
    /// Per field: where it lives (a bit for each dimension), and its time order.
    fields: Vec<(u8, u32)>,
    /// Where the two parameters live, and whether they are averaged harmonically.
    parameters: [(u8, bool); 2],
    /// Further equations, behind one for each field.
    equations: Vec<Statement>,
    /// Terms of the equations of the fields.
    updates: Vec<Vec<Term>>,
    points: Vec<PointSet>,
    saves: Vec<Save>,
    reductions: Vec<(u8, u8)>,
}

#[derive(Clone, Debug)]
struct Statement {
    field: u8,
    region: u8,
    when: u8,
    increment: bool,
    terms: Vec<Term>,
}

#[derive(Clone, Debug)]
struct Term {
    coefficient: f64,
    field: u8,
    time: u8,
    action: u8,
    dim: u8,
    factor: u8,
}

#[derive(Clone, Debug)]
struct PointSet {
    kind: u8,
    count: usize,
    moving: bool,
    receives: bool,
    field: u8,
}

#[derive(Clone, Debug)]
struct Save {
    field: u8,
    every: usize,
    codec: u8,
    value: u8,
}

fn term() -> impl Strategy<Value = Term> {
    (-0.06f64..0.06, any::<u8>(), any::<u8>(), any::<u8>(), any::<u8>(), any::<u8>()).prop_map(
        |(coefficient, field, time, action, dim, factor)| Term {
            coefficient,
            field,
            time,
            action,
            dim,
            factor,
        },
    )
}

fn program() -> impl Strategy<Value = Program> {
    let shape = prop_oneof![
        prop::collection::vec(1..45usize, 1),
        prop::collection::vec(5..24usize, 2),
        prop::collection::vec(4..12usize, 3)
    ];
    let numbers = (1..=4u32, 1..=11usize, 1..=3usize, any::<u64>());
    let fields = prop::collection::vec((any::<u8>(), 1..=2u32), 1..=3);
    let parameters = [(any::<u8>(), any::<bool>()), (any::<u8>(), any::<bool>())];
    let statement =
        (any::<u8>(), any::<u8>(), any::<u8>(), any::<bool>(), prop::collection::vec(term(), 0..=2))
            .prop_map(|(field, region, when, increment, terms)| Statement {
                field,
                region,
                when,
                increment,
                terms,
            });
    let equations = prop::collection::vec(statement, 0..=3);
    let updates = prop::collection::vec(prop::collection::vec(term(), 1..=4), 3);
    let points = (any::<u8>(), 0..=3usize, any::<bool>(), any::<bool>(), any::<u8>())
        .prop_map(|(kind, count, moving, receives, field)| PointSet { kind, count, moving, receives, field });
    let save = (any::<u8>(), 1..=3usize, any::<u8>(), any::<u8>())
        .prop_map(|(field, every, codec, value)| Save { field, every, codec, value });
    let rest = (
        prop::collection::vec(points, 0..=2),
        prop::collection::vec(save, 0..=3),
        prop::collection::vec((any::<u8>(), any::<u8>()), 0..=2),
    );
    (shape, numbers, fields, parameters, equations, updates, rest).prop_map(
        |(shape, (half_order, steps, threads, seed), fields, parameters, equations, updates, rest)| {
            let (points, saves, reductions) = rest;
            Program {
                shape,
                half_order,
                steps,
                threads,
                seed,
                fields,
                parameters,
                equations,
                updates,
                points,
                saves,
                reductions,
            }
        },
    )
}

/// What a program leaves behind: by name, with the error that its codecs may make of a difference by rounding.
type Outcome = Vec<(String, Data, f64)>;

struct Built {
    rank: usize,
    fields: Vec<TimeFunction>,
    parameters: Vec<Function>,
}

impl Built {
    fn dim(&self, d: u8) -> Dim {
        Dim::Space(usize::from(d) % self.rank)
    }

    fn field(&self, f: u8) -> &TimeFunction {
        &self.fields[usize::from(f) % self.fields.len()]
    }

    /// `known`: how many fields have their new level when the term is evaluated.
    fn term(&self, t: &Term, known: usize) -> Expr {
        let index = usize::from(t.field) % self.fields.len();
        let f = &self.fields[index];
        let u = match t.time % 4 {
            0 if index < known => f.forward(),
            1 if f.time_order() == Some(2) => f.backward(),
            _ => f.expr(),
        };
        let d = self.dim(t.dim);
        let next = self.dim(t.dim.wrapping_add(1));
        let value = match t.action % 12 {
            0 => u.clone(),
            1 | 2 => u.diff(d).expr(),
            3 => u.d(d, 2),
            4 => u.laplace(),
            5 => u.diff(d).order(2).side(Side::Left).expr(),
            6 => u.diff(d).order(2).side(Side::Right).expr(),
            7 => u.diff(d).order(2).expr().diff(next).order(2).expr(),
            // Wide enough to be worth a temporary of its own, in a tile.
            8 => ((&self.parameters[0] * u.diff(d) + &self.parameters[1] * u.diff(next))
                * &self.parameters[0])
                .diff(next)
                .expr(),
            9 => u.diff(d).x0(0.0).weights(-1, &[-0.6, 0.1, 0.5]).expr(),
            10 => (u.clone() * 0.3).sin() * u.diff(d),
            _ => select(self.parameters[1].gt(0.9), u.abs(), u.pow(2)),
        };
        let value = value * t.coefficient;
        match t.factor % 5 {
            0 => value * &self.parameters[0],
            1 => value / (&self.parameters[1] + 2.0),
            2 => value * self.parameters[1].sqrt() * &self.parameters[0],
            3 => value * self.parameters[1].exp().sin(),
            _ => value,
        }
    }

    fn sum(&self, terms: &[Term], known: usize) -> Expr {
        Expr::sum(terms.iter().map(|t| self.term(t, known)))
    }
}

fn dims(bits: u8, rank: usize) -> Stagger {
    Stagger::Dims((0..rank).filter(|d| bits >> d & 1 == 1).map(Dim::Space).collect())
}

fn region(which: u8, grid: &Grid) -> Option<SubDomain> {
    let d = Dim::Space(usize::from(which / 8) % grid.rank());
    let part = SubDomain::new("part", grid);
    Some(match which % 8 {
        0 => part.left(d, 1),
        1 => part.right(d, 2),
        2 => part.middle(d, 1, 2),
        3 => part.interior(),
        _ => return None,
    })
}

const DT: f64 = 0.5;

fn run(p: &Program, dtype: DType, backend: Backend, threads: usize) -> Result<Outcome> {
    let rank = p.shape.len();
    let grid = Grid::new(p.shape.clone()).with_spacing(vec![1.25; rank]).with_dtype(dtype);
    let mut random = Random::new(p.seed);
    let order = 2 * p.half_order;
    let mut fields = vec![];
    for (i, (stagger, time_order)) in p.fields.iter().enumerate() {
        let f = TimeFunction::new(format!("u{i}"), &grid)
            .space_order(order)
            .time_order(*time_order)
            .staggered(dims(*stagger, rank))
            .build()?;
        for level in 0..f.buffers() {
            f.set_at(level, random.array(&p.shape, -1.0, 1.0))?;
        }
        fields.push(f);
    }
    let mut parameters = vec![];
    for (i, (stagger, harmonic)) in p.parameters.iter().enumerate() {
        let average = if *harmonic { Average::Harmonic } else { Average::Arithmetic };
        let f = Function::new(format!("a{i}"), &grid)
            .space_order(order)
            .staggered(dims(*stagger, rank))
            .average(average)
            .build()?;
        f.set_data(random.array(&p.shape, 0.5, 1.5))?;
        f.extend_halo()?;
        parameters.push(f);
    }
    let b = Built { rank, fields, parameters };
    let mut equations = vec![];
    for (i, f) in b.fields.iter().enumerate() {
        equations.push(eq(f.forward(), f.expr() * 0.9 + b.sum(&p.updates[i], i)));
    }
    for s in &p.equations {
        let (f, value) = (b.field(s.field), b.sum(&s.terms, b.fields.len()));
        let mut e =
            if s.increment { inc(f.forward(), value) } else { eq(f.forward(), f.forward() * 0.5 + value) };
        if let Some(part) = region(s.region, &grid) {
            e = e.on(&part);
        }
        match s.when % 5 {
            0 => e = e.when(b.parameters[0].lt(1.0)),
            1 => e = e.when(grid.index(b.dim(s.when)).ge(2) & grid.index(Dim::Time).lt(4)),
            _ => {}
        }
        equations.push(e);
    }
    let (first, last) = (1, p.steps);
    let samples = last + 1;
    let mut receivers = vec![];
    for (i, set) in p.points.iter().enumerate() {
        let f = b.field(set.field);
        let place = |random: &mut Random, n: &usize| random.within(-0.5, 1.25 * (*n as f64 - 0.5));
        let rows = if set.moving { set.count * samples } else { set.count };
        let at: Vec<Vec<f64>> =
            (0..rows).map(|_| p.shape.iter().map(|n| place(&mut random, n)).collect()).collect();
        let interpolation = match set.kind % 3 {
            0 => Interpolation::Linear,
            1 => Interpolation::Nearest,
            _ => Interpolation::Sinc { radius: 3 },
        };
        let builder =
            SparseTimeFunction::new(format!("pts{i}"), &grid).steps(samples).interpolation(interpolation);
        let s = if set.moving { builder.moving_coordinates(at) } else { builder.coordinates(at) }.build()?;
        s.set_data(random.array(&[samples, set.count], -1.0, 1.0))?;
        if set.receives {
            equations.push(s.interpolate(f.forward() * &b.parameters[0] + f.diff(b.dim(set.kind))));
            receivers.push(s);
        } else {
            equations.push(s.inject(f.forward(), &s * &b.parameters[1]));
        }
    }
    let mut saves = vec![];
    for (i, s) in p.saves.iter().enumerate() {
        let f = b.field(s.field);
        let builder = TimeFunction::new(format!("save{i}"), &grid)
            .space_order(2)
            .staggered(f.stagger()[..rank].iter().zip(0..).fold(Stagger::Dims(vec![]), |all, (half, d)| {
                let Stagger::Dims(mut dims) = all else { return all };
                dims.extend(half.then_some(Dim::Space(d)));
                Stagger::Dims(dims)
            }))
            .save(last / s.every + 1)
            .save_every(s.every);
        let (builder, loss) = match s.codec % 3 {
            0 => (builder, 0.0),
            1 => (builder.compression(Noop), 0.0),
            _ => (builder.compression(Quantize { nbits: 16 }), 1e-4),
        };
        let save = builder.build()?;
        let value = match s.value % 3 {
            0 => f.expr(),
            1 => f.forward() - f,
            _ => f.diff(b.dim(s.value)) * &b.parameters[0],
        };
        equations.push(eq(&save, value));
        saves.push((save, loss));
    }
    let mut series = vec![];
    for (i, (field, op)) in p.reductions.iter().enumerate() {
        let s = Series::new(format!("series{i}"), &grid).steps(samples).build()?;
        let f = b.field(*field);
        equations.push(match op % 3 {
            0 => s.sum(f.forward().pow(2)),
            1 => s.max(f.forward()),
            _ => s.min(f.forward() * &b.parameters[0]),
        });
        series.push(s);
    }
    let forward = Operator::new(equations)?;
    let mut tree = forward.tree();
    if backend == Backend::Interpreter {
        tree += &round_trip(&forward);
    }
    for (seen, word) in SEEN.iter().zip(FEATURES) {
        seen.fetch_or(tree.contains(word), Ordering::Relaxed);
    }
    let apply = forward.apply().dt(DT).time_min(first).time_max(last).backend(backend).threads(threads);
    apply.steps_at_a_time(1 + p.steps % 4).run()?;

    let mut outcome = vec![];
    for f in &b.fields {
        outcome.push((f.name().to_string(), f.at(last)?, 0.0));
        outcome.push((format!("{} forward", f.name()), f.at(last + 1)?, 0.0));
    }
    for s in &receivers {
        outcome.push((s.name().to_string(), s.data()?, 0.0));
    }
    for s in &series {
        outcome.push((s.name().to_string(), s.data()?, 0.0));
    }
    if !saves.is_empty() {
        let mut reading = vec![];
        let mut images = vec![];
        for (i, (save, loss)) in saves.iter().enumerate() {
            let image = Function::new(format!("image{i}"), &grid).build()?;
            reading.push(inc(&image, save * &b.parameters[0] + save.dx().pow(2)));
            images.push((image, *loss));
        }
        // Only the steps that were written: step 0 was not.
        let from = p.saves.iter().map(|s| s.every).max().unwrap_or(1);
        if from <= last {
            let read = Operator::named("read", reading)?;
            if backend == Backend::Interpreter {
                round_trip(&read);
            }
            read.apply().time_min(from).time_max(last).backend(backend).threads(threads).run()?;
        }
        for (image, loss) in images {
            outcome.push((image.name().to_string(), image.data()?, loss));
        }
    }
    Ok(outcome)
}

/// What is printed after every pass is verified, and reads back as what prints the same; with caches that hold much, so that
/// nests share tiles, and with caches that hold nothing, so that every nest says how it uses memory, and with several steps at a
/// time. Returns the last program.
fn round_trip(op: &Operator) -> String {
    round_trip_for(op, None, &Machine::default());
    round_trip_for(op, Some(3), &Machine { threads: 2, cache: 0 })
}

fn round_trip_for(op: &Operator, steps: Option<usize>, machine: &Machine) -> String {
    let special = Specialisation { steps, ..Specialisation::default() };
    let compiled = compile(op.name(), op.equations(), &special, machine, true);
    let stages = compiled.unwrap_or_else(|e| panic!("a pass broke an invariant: {e}")).stages;
    assert_eq!(stages.len(), 24);
    for stage in &stages {
        let text = &stage.text;
        let again = match stage.pass {
            "lower" | "legality" | "divide" | "invariants" | "temporaries" | "discretize" => {
                stencil::Program::parse(text).map(|p| p.to_string())
            }
            "schedule" | "parts" | "contract" | "front" | "join" | "jam" | "sink" | "stream" | "rows"
            | "prefetch" => tree::Program::parse(text).map(|p| p.to_string()),
            _ => cluster::Program::parse(text).map(|p| p.to_string()),
        };
        let again = again.unwrap_or_else(|e| panic!("after {}: {e}\n{text}", stage.pass));
        assert_eq!(again, *text, "after {}", stage.pass);
    }
    stages.last().map_or(String::new(), |stage| stage.text.clone())
}

/// The same programs in every run; `PROPTEST_CASES` asks for more.
fn programs(cases: u32, test: impl Fn(&Program) -> Result<()>) {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(cases);
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 400, ..Config::default() };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let (ran, refused) = (Cell::new(0), Cell::new(0));
    let outcome = TestRunner::new_with_rng(config, rng).run(&program(), |p| {
        match test(&p) {
            Ok(()) => ran.set(ran.get() + 1),
            // Two derivatives and an average may reach beyond the halo, and a part beyond a line of one point.
            Err(e) if REFUSALS.contains(&e.code()) => refused.set(refused.get() + 1),
            Err(e) => return Err(TestCaseError::fail(format!("{e:?}"))),
        }
        Ok(())
    });
    if let Err(e) = outcome {
        panic!("{e}");
    }
    println!("{} programs ran, {} were refused", ran.get(), refused.get());
    for (seen, word) in SEEN.iter().zip(FEATURES) {
        assert!(seen.load(Ordering::Relaxed), "no tree has `{word}`");
    }
    assert!(ran.get() > 4 * refused.get(), "{} of them ran, {} were refused", ran.get(), refused.get());
}

/// What the trees must have shown once all programs have run: otherwise the generator tests less than it says.
const FEATURES: [&str; 8] =
    ["front of", " in place", " tile", "invariant", "when ", "inject", "reduce", "compress"];
static SEEN: [AtomicBool; 8] = [const { AtomicBool::new(false) }; 8];

const REFUSALS: [&str; 3] = ["halo::too_narrow", "subdomain::too_thick", "subdomain::empty"];

/// The interpreter and a backend agree to rounding.
fn compare(p: &Program, backend: Backend) -> Result<()> {
    for (dtype, tolerance) in [(DType::F64, 1e-11), (DType::F32, 2e-3)] {
        let wanted = run(p, dtype, Backend::Interpreter, 1)?;
        let found = run(p, dtype, backend, p.threads)?;
        for ((name, wanted, loss), (_, found, _)) in wanted.iter().zip(&found) {
            let error = relative(found, &wanted.to_f64());
            assert!(error <= tolerance + loss, "{backend}, {dtype}: `{name}` is off by {error:e}");
        }
    }
    Ok(())
}

#[test]
fn generated_programs_run_on_cranelift_as_they_are_interpreted() {
    programs(150, |p| compare(p, Backend::Cranelift));
}

#[test]
fn generated_programs_run_in_c_as_they_are_interpreted() {
    programs(12, |p| compare(p, Backend::C));
}
