//! Random equations against a direct evaluator, and the order of convergence of derivatives.

use crate::evaluator::World;
use crate::random::Random;
use crate::{DTYPES, assert_same, both, relative};
use ndarray::ArrayD;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use wavefold::Result;
use wavefold::prelude::*;

/// What is differentiated, in terms of fields that have values already.
#[derive(Clone, Copy, Debug)]
enum Operand {
    U,
    Previous,
    Parameter,
    Product,
    Square,
    Sine,
}

/// What is done to it. Dimensions wrap around at the rank.
#[derive(Clone, Copy, Debug)]
enum Action {
    Nothing,
    First(usize),
    Second(usize),
    Third(usize),
    Laplace,
    Left(usize),
    Right(usize),
    Transposed(usize),
    Mixed(usize),
    Shift(usize, i32),
    ShiftedDerivative(usize),
}

#[derive(Clone, Copy, Debug)]
struct Term {
    coefficient: f64,
    /// Multiplied with a parameter, divided by one, or neither.
    factor: u8,
    operand: Operand,
    action: Action,
}

#[derive(Clone, Debug)]
struct Program {
    shape: Vec<usize>,
    order: u32,
    time_order: u32,
    steps: usize,
    threads: usize,
    seed: u64,
    /// Of the main update, of a function within the step, of a second update, of an increment.
    terms: [Vec<Term>; 4],
}

fn term() -> impl Strategy<Value = Term> {
    use {Action as A, Operand as O};
    let operand =
        prop::sample::select(vec![O::U, O::U, O::Previous, O::Parameter, O::Product, O::Square, O::Sine]);
    let dim = 0..3usize;
    let action = prop_oneof![
        Just(A::Nothing),
        dim.clone().prop_map(A::First),
        dim.clone().prop_map(A::Second),
        dim.clone().prop_map(A::Third),
        Just(A::Laplace),
        dim.clone().prop_map(A::Left),
        dim.clone().prop_map(A::Right),
        dim.clone().prop_map(A::Transposed),
        dim.clone().prop_map(A::Mixed),
        (dim.clone(), -2..=2).prop_map(|(d, k)| A::Shift(d, k)),
        dim.prop_map(A::ShiftedDerivative),
    ];
    (-0.05f64..0.05, 0..4u8, operand, action).prop_map(|(coefficient, factor, operand, action)| Term {
        coefficient,
        factor,
        operand,
        action,
    })
}

fn program() -> impl Strategy<Value = Program> {
    let shape = prop_oneof![
        prop::collection::vec(9..40usize, 1),
        prop::collection::vec(6..21usize, 2),
        prop::collection::vec(4..11usize, 3)
    ];
    let terms = |most| prop::collection::vec(term(), 0..=most);
    let terms = (prop::collection::vec(term(), 1..=4), terms(3), terms(3), terms(2));
    (shape, 1..=4u32, 1..=2u32, 1..=4usize, 1..=3usize, any::<u64>(), terms).prop_map(
        |(shape, half, time_order, steps, threads, seed, (a, b, c, d))| Program {
            shape,
            order: 2 * half,
            time_order,
            steps,
            threads,
            seed,
            terms: [a, b, c, d],
        },
    )
}

/// The functions of a program.
struct Fields {
    rank: usize,
    u: TimeFunction,
    w: TimeFunction,
    a: Function,
    b: Function,
    f: Function,
    g: Function,
}

impl Fields {
    fn new(grid: &Grid, p: &Program) -> Result<Fields> {
        let function = |name: &str| Function::new(name, grid).space_order(p.order).build();
        let time =
            |name: &str| TimeFunction::new(name, grid).time_order(p.time_order).space_order(p.order).build();
        let (a, b, f, g) = (function("a")?, function("b")?, function("f")?, function("g")?);
        Ok(Fields { rank: grid.rank(), u: time("u")?, w: time("w")?, a, b, f, g })
    }

    fn operand(&self, o: Operand, main: &Expr, previous: &Expr) -> Expr {
        match o {
            Operand::U => main.clone(),
            Operand::Previous => previous.clone(),
            Operand::Parameter => self.a.expr() + self.b.expr() * main,
            Operand::Product => &self.a * main,
            Operand::Square => main * main,
            Operand::Sine => (main * 0.5 + &self.b).sin(),
        }
    }

    fn act(&self, action: Action, e: &Expr) -> Expr {
        let dim = |d: usize| Dim::Space(d % self.rank);
        let side = |d: usize, left: bool| match (d % self.rank, left) {
            (0, true) => e.dxl(),
            (1, true) => e.dyl(),
            (_, true) => e.dzl(),
            (0, false) => e.dxr(),
            (1, false) => e.dyr(),
            (_, false) => e.dzr(),
        };
        match action {
            Action::Nothing => e.clone(),
            Action::First(d) => e.d(dim(d), 1),
            Action::Second(d) => e.d(dim(d), 2),
            Action::Third(d) => e.d(dim(d), 3),
            Action::Laplace => e.laplace(),
            Action::Left(d) => side(d, true),
            Action::Right(d) => side(d, false),
            Action::Transposed(d) => side(d, true).T(),
            // In one dimension both derivatives need half of the halo.
            Action::Mixed(d) => e.d(dim(d), 1).d(dim(d + 1), 1),
            Action::Shift(d, k) => e.shift(dim(d), k),
            Action::ShiftedDerivative(d) => e.d(dim(d), 2).shift(dim(d), 1),
        }
    }

    fn sum(&self, terms: &[Term], main: &Expr, previous: &Expr) -> Expr {
        Expr::sum(terms.iter().map(|t| {
            let e = self.act(t.action, &self.operand(t.operand, main, previous)) * t.coefficient;
            match t.factor {
                0 => e * &self.a,
                1 => e / (&self.a * &self.a + 2.0),
                2 => e * &self.b / self.a.exp(),
                _ => e,
            }
        }))
    }

    /// The update of `u`, a function of it, an update of `w` that reads both, and an increment.
    fn equations(&self, p: &Program) -> Vec<Equation> {
        let (u, w) = (self.u.expr(), self.w.expr());
        let previous = |f: &TimeFunction| if p.time_order == 2 { f.backward() } else { f.expr() };
        let [update, within, second, increment] = &p.terms;
        vec![
            eq(self.u.forward(), &u * 0.9 + self.sum(update, &u, &previous(&self.u))),
            eq(&self.f, self.sum(within, &self.u.forward(), &u)),
            eq(self.w.forward(), &w * 0.5 + &u * 0.25 + self.sum(second, &self.f.expr(), &w)),
            inc(&self.g, &u * 0.125 + self.sum(increment, &self.w.forward(), &self.f.expr())),
        ]
    }
}

const DT: f64 = 0.5;

/// What a program leaves behind, by function, with what the evaluator says.
struct Outcome {
    found: Vec<Data>,
    wanted: Vec<ArrayD<f64>>,
}

impl Outcome {
    /// The largest relative error of any function.
    fn error(&self) -> f64 {
        let errors = self.found.iter().zip(&self.wanted).map(|(f, w)| relative(f, w));
        errors.fold(0.0, |worst: f64, e| if e.is_nan() { f64::INFINITY } else { worst.max(e) })
    }
}

fn run(p: &Program, dtype: DType, backend: Backend, threads: usize) -> Result<Outcome> {
    let grid = Grid::new(p.shape.clone()).with_spacing(vec![1.25; p.shape.len()]).with_dtype(dtype);
    let fields = Fields::new(&grid, p)?;
    let equations = fields.equations(p);
    let mut random = Random::new(p.seed);
    let mut world = World::new(&grid, DT);
    for f in [&fields.a, &fields.b, &fields.f, &fields.g] {
        let values = random.array(&p.shape, -1.0, 1.0);
        f.set_data(values.clone())?;
        world.set(f.id(), 0, values);
    }
    let first = p.time_order as i64 - 1;
    for f in [&fields.u, &fields.w] {
        for level in 0..=first {
            let values = random.array(&p.shape, -1.0, 1.0);
            f.set_at(level as usize, values.clone())?;
            world.set(f.id(), level, values);
        }
    }
    let last = first + p.steps as i64 - 1;
    let op = Operator::new(equations.clone())?;
    op.apply().time_min(first as usize).time_max(last as usize).backend(backend).threads(threads).run()?;
    if dtype == DType::F64 {
        (first..=last).for_each(|t| world.step(&equations, t));
    }

    let mut outcome = Outcome { found: vec![], wanted: vec![] };
    for f in [&fields.f, &fields.g] {
        outcome.found.push(f.data()?);
        outcome.wanted.push(world.get(f.id(), 0));
    }
    for f in [&fields.u, &fields.w] {
        for level in [last, last + 1] {
            outcome.found.push(f.at(level as usize)?);
            outcome.wanted.push(world.get(f.id(), level));
        }
    }
    Ok(outcome)
}

/// The same programs in every run; `PROPTEST_CASES` asks for more.
fn random_programs(cases: u32, test: impl Fn(&Program) -> Result<()>) {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(cases);
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 300, ..Config::default() };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let outcome = TestRunner::new_with_rng(config, rng)
        .run(&program(), |p| test(&p).map_err(|e| TestCaseError::fail(format!("{e:?}"))));
    if let Err(e) = outcome {
        panic!("{e}");
    }
}

fn assert_right(p: &Program, backend: Backend) -> Result<()> {
    let error = run(p, DType::F64, backend, p.threads)?.error();
    assert!(error <= 1e-11, "{backend} is off by {error:e}");
    Ok(())
}

#[test]
fn random_programs_on_cranelift() {
    random_programs(40, |p| assert_right(p, Backend::Cranelift));
}

#[test]
fn random_programs_in_the_interpreter() {
    random_programs(12, |p| assert_right(p, Backend::Interpreter));
}

#[test]
fn random_programs_on_c() {
    random_programs(6, |p| assert_right(p, Backend::C));
}

#[test]
fn random_programs_give_the_same_bits_on_both_backends() {
    random_programs(6, |p| {
        for dtype in DTYPES {
            let c = run(p, dtype, Backend::C, p.threads)?;
            let cranelift = run(p, dtype, Backend::Cranelift, 4 - p.threads)?;
            for (i, (c, cranelift)) in c.found.iter().zip(&cranelift.found).enumerate() {
                assert_same(c, cranelift, &format!("{dtype}, function {i}, C and Cranelift"));
            }
        }
        Ok(())
    });
}

/// Largest error of a derivative of `sin` at points whose stencils stay within the domain.
fn derivative_error(order: u32, degree: u32, points: usize, backend: Backend) -> Result<f64> {
    let h = 16.0 / points as f64;
    let grid = Grid::new([points + 1]).with_spacing(h).with_dtype(DType::F64);
    let u = Function::new("u", &grid).space_order(order).build()?;
    let d = Function::new("d", &grid).space_order(order).build()?;
    u.set_with(|i| (i[0] as f64 * h).sin())?;
    Operator::named(&format!("order{order}"), [eq(&d, u.d(Dim::X, degree))])?
        .apply()
        .backend(backend)
        .run()?;
    let (found, margin) = (d.data()?.to_f64(), order as usize / 2);
    let exact = |x: f64| if degree == 1 { x.cos() } else { -x.sin() };
    Ok((margin..=points - margin).map(|i| (found[[i]] - exact(i as f64 * h)).abs()).fold(0.0, f64::max))
}

#[test]
fn derivatives_converge_at_their_order() -> Result<()> {
    both(|backend| {
        for order in (2..=12).step_by(2) {
            for degree in [1, 2] {
                // Coarse for high orders, whose errors would drown in rounding.
                let points = if order <= 6 { 128 } else { 32 };
                let coarse = derivative_error(order, degree, points, backend)?;
                let fine = derivative_error(order, degree, 2 * points, backend)?;
                let measured = (coarse / fine).log2();
                println!(
                    "{backend} order {order} degree {degree}: {measured:.2} ({coarse:.1e} to {fine:.1e})"
                );
                assert!(
                    (measured - f64::from(order)).abs() <= 0.3,
                    "{backend}, order {order}, degree {degree}: {measured}"
                );
            }
        }
        Ok(())
    })
}
