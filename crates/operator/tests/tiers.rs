//! `Backend::Auto`: Cranelift first, C from the step on at which it is ready, and the same bits.

use std::time::{Duration, SystemTime};
use wavefold_backend_cranelift::Vectors;
use wavefold_operator::{Backend, Operator, PerformanceSummary};
use wavefold_runtime::prelude::*;
use wavefold_symbolic::prelude::*;

/// A number that no program before had: code with it is not in the compile cache.
fn fresh() -> f64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    0.1 + f64::from(since.subsec_nanos()) * 1e-11 + f64::from(std::process::id()) * 1e-13
}

/// Next to nothing, with a function for which Cranelift has no wide vectors: C is faster.
fn narrow(u: &TimeFunction) -> Expr {
    1e-6 * u.expr().sin()
}

/// A wave with an invariant coefficient, a source, receivers, an energy and a compressed history.
struct Shot {
    op: Operator,
    u: TimeFunction,
    receivers: SparseTimeFunction,
    history: TimeFunction,
}

const STEPS: usize = 120;

fn shot(number: f64) -> Shot {
    let grid = Grid::new([40, 30]).with_spacing(1.0);
    let u = TimeFunction::new("u", &grid).time_order(2).space_order(4).build().unwrap();
    let m = Function::new("m", &grid).build().unwrap();
    m.set_with(|i| 2.0 + 0.01 * i[0] as f64).unwrap();
    let source = SparseTimeFunction::new("src", &grid).coordinates([&[20.3, 14.6]]).steps(STEPS + 2);
    let source = source.build().unwrap();
    source.fill(0.25).unwrap();
    let receivers = SparseTimeFunction::new("rec", &grid).coordinates([&[5.2, 7.1], &[30.0, 11.5]]);
    let receivers = receivers.steps(STEPS + 2).build().unwrap();
    let history = TimeFunction::new("usave", &grid).save(STEPS + 2).compression(Noop).build().unwrap();
    let step = 2.0 * &u - u.backward() + number * u.laplace() / m.expr().sin() + narrow(&u);
    let op = Operator::named(
        "shot",
        [
            eq(u.forward(), step),
            source.inject(u.forward(), &source),
            receivers.interpolate(&u),
            eq(&history, &u),
        ],
    );
    Shot { op: op.unwrap(), u, receivers, history }
}

impl Shot {
    /// Runs with steps that take a while, and returns everything that it made.
    fn run(&self, backend: Backend, pause: Duration) -> (PerformanceSummary, Vec<Data>) {
        let wait = |_, _| std::thread::sleep(pause);
        let apply = self.op.apply().backend(backend).time_min(1).time_max(STEPS).threads(2);
        let summary = apply.check_stability(false).progress(&wait).run().unwrap();
        let mut made = vec![self.u.data().unwrap(), self.receivers.data().unwrap()];
        made.extend((1..=STEPS).map(|t| decompress_step(&self.history, t).unwrap()));
        (summary, made)
    }
}

#[test]
fn a_run_goes_on_with_c_and_gives_the_same_bits() {
    if Backend::c_compiler().is_none() {
        return;
    }
    let number = fresh();
    // 120 steps of 50 ms: the compiler is done long before the end.
    let tiered = shot(number);
    let (summary, found) = tiered.run(Backend::Auto, Duration::from_millis(50));
    let backends: Vec<Backend> = summary.tiers.iter().map(|t| t.backend).collect();
    assert_eq!(backends, [Backend::Cranelift, Backend::C], "{summary}");
    assert_eq!(summary.backend, Backend::C);
    assert_eq!(summary.steps, STEPS as u64);
    assert_eq!(summary.tiers.iter().map(|t| t.steps).sum::<u64>(), STEPS as u64);
    let seconds: f64 = summary.tiers.iter().map(|t| t.seconds).sum();
    assert!((seconds - summary.seconds).abs() < 1e-6 && summary.tiers.iter().all(|t| t.seconds > 0.0));
    assert!(summary.tiers[0].steps >= 2 && summary.note.is_none());
    let words = format!("(cranelift {} steps, c {} steps)", summary.tiers[0].steps, summary.tiers[1].steps);
    assert!(summary.to_string().contains(&words), "{summary}");
    assert_eq!(summary.compression_of("usave").unwrap().snapshots, STEPS);

    for backend in [Backend::Cranelift, Backend::C] {
        let fixed = shot(number);
        let (summary, exact) = fixed.run(backend, Duration::ZERO);
        assert_eq!(summary.tiers.len(), 1);
        assert_eq!((summary.tiers[0].backend, summary.tiers[0].steps), (backend, STEPS as u64));
        assert_eq!(found, exact, "{backend}");
    }

    // For another operator of the same program the kernel is in the cache.
    let (summary, _) = shot(number).run(Backend::Auto, Duration::ZERO);
    assert_eq!((summary.tiers.len(), summary.backend, summary.cached), (1, Backend::C, true), "{summary}");
}

#[test]
fn backwards_too() {
    if Backend::c_compiler().is_none() {
        return;
    }
    let number = fresh();
    let run = |backend: Backend, pause: u64| {
        let grid = Grid::new([20, 18, 12]);
        let v = TimeFunction::new("v", &grid).time_order(2).space_order(2).build().unwrap();
        v.set_with(|i| (i[0] * 7 + i[1] * 3 + i[2]) as f64 * 0.01).unwrap();
        let op = Operator::new([eq(
            v.backward(),
            2.0 * &v - v.forward() + 0.1 * number * v.laplace() + narrow(&v),
        )]);
        let op = op.unwrap();
        let wait = |_, _| std::thread::sleep(Duration::from_millis(pause));
        let apply = op.apply().backend(backend).time_min(1).time_max(100).check_stability(false);
        let first = apply.progress(&wait).run().unwrap();
        let data = v.data().unwrap();
        // A second run of the same operator has the kernel from the start.
        let second = op.apply().backend(backend).time_min(1).time_max(3).run().unwrap();
        (first, second, data)
    };
    let (first, second, found) = run(Backend::Auto, 50);
    assert_eq!(first.tiers.len(), 2, "{first}");
    assert_eq!((second.tiers.len(), second.backend), (1, Backend::C), "{second}");
    for backend in [Backend::Cranelift, Backend::C] {
        assert_eq!(run(backend, 0).2, found, "{backend}");
    }
}

#[test]
fn wide_vectors_need_no_compiler() {
    let grid = Grid::new([16, 16]);
    let u = TimeFunction::new("u", &grid).space_order(2).build().unwrap();
    let op = Operator::new([eq(u.forward(), &u + 0.01 * fresh() * u.laplace())]).unwrap();
    let wait = |_, _| std::thread::sleep(Duration::from_millis(30));
    let summary = op.apply().time_max(120).progress(&wait).run().unwrap();
    let narrow = Vectors::widest() == Vectors::Bits128 || Vectors::of_host().unwrap() < Vectors::widest();
    let other = if narrow && Backend::c_compiler().is_some() { Backend::C } else { Backend::Cranelift };
    assert_eq!(summary.backend, other, "{summary}");
}

#[test]
fn short_runs_never_start_the_compiler() {
    let short = shot(fresh());
    let (summary, _) = short.run(Backend::Auto, Duration::ZERO);
    assert_eq!((summary.tiers.len(), summary.backend), (1, Backend::Cranelift), "{summary}");
    assert_eq!(summary.compression_of("usave").unwrap().snapshots, STEPS);
}

#[test]
fn many_short_runs_start_it_at_last() {
    if Backend::c_compiler().is_none() {
        return;
    }
    let grid = Grid::new([16, 16]);
    let u = TimeFunction::new("u", &grid).space_order(2).build().unwrap();
    let op = Operator::new([eq(u.forward(), &u + 0.01 * fresh() * u.laplace() + narrow(&u))]).unwrap();
    let wait = |_, _| std::thread::sleep(Duration::from_millis(10));
    let begin = std::time::Instant::now();
    // Each alone takes a tenth of a second.
    while begin.elapsed() < Duration::from_secs(60) {
        let summary = op.apply().time_max(9).progress(&wait).run().unwrap();
        if summary.backend == Backend::C {
            return;
        }
    }
    panic!("no run came to C");
}

#[test]
fn a_run_that_is_stopped_or_fails_says_so_in_any_tier() {
    let number = fresh();
    let grid = Grid::new([16, 16]);
    let u = TimeFunction::new("u", &grid).space_order(2).build().unwrap();
    u.fill(1.0).unwrap();
    let op = Operator::new([eq(u.forward(), 1e3 * number * u.expr())]).unwrap();
    let wait = |_, _| std::thread::sleep(Duration::from_millis(30));
    let failed = op.apply().time_max(150).check_finite(true).check_stability(false).progress(&wait).run();
    assert_eq!(failed.unwrap_err().code(), "run::not_finite");
    let stop = std::sync::atomic::AtomicBool::new(false);
    let at = |done, _| stop.store(done >= 100, std::sync::atomic::Ordering::Relaxed);
    let stopped = op.apply().time_max(150).progress(&at).cancel(&stop).check_stability(false).run();
    assert_eq!(stopped.unwrap_err().code(), "run::cancelled");
}
