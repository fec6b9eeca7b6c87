//! Which time steps are refused: above the limits of von Neumann's analysis for schemes whose limits are known, and
//! nothing that runs well.

use wavefold::prelude::*;

/// The largest stable step that the refusal of a run names; none when it runs.
fn refused(op: &Operator, dt: f64, steps: usize) -> Option<f64> {
    match op.apply().dt(dt).time_min(1).time_max(steps).backend(Backend::Cranelift).threads(1).run() {
        Ok(_) => None,
        Err(e) => {
            assert_eq!(e.code(), "stability::dt", "{e:?}");
            let text = e.to_string();
            Some(text.rsplit("`dt` = ").next().unwrap().parse().unwrap())
        }
    }
}

/// At the limit nothing is refused, above it everything; the message names the limit with four digits, rounded down.
fn limit(op: &Operator, exact: f64) {
    assert_eq!(refused(op, exact * 0.9999, 300), None, "below {exact}");
    for above in [1.05, 1.5, 4.0] {
        let named = refused(op, exact * above, 300).unwrap_or_else(|| panic!("{above} times {exact} runs"));
        assert!(named <= exact * (1.0 + 1e-6) && named > exact * 0.998, "{named} for {exact}");
    }
    assert!(op.apply().dt(exact * 1.5).time_min(1).time_max(300).check_stability(false).run().is_ok());
}

fn grid(shape: &[usize], spacing: &[f64]) -> Grid {
    Grid::new(shape.to_vec()).with_spacing(spacing.to_vec()).with_dtype(DType::F64)
}

fn wave(shape: &[usize], spacing: &[f64], order: u32, velocity: f64, damp: f64) -> Operator {
    let g = grid(shape, spacing);
    let m = Function::new("m", &g).space_order(order).build().unwrap();
    m.fill(1.0 / velocity.powi(2)).unwrap();
    let d = Function::new("damp", &g).space_order(order).build().unwrap();
    d.fill(damp).unwrap();
    let u = TimeFunction::new("u", &g).time_order(2).space_order(order).build().unwrap();
    let pde =
        if damp == 0.0 { &m * u.dt2() - u.laplace() } else { &m * u.dt2() + &d * u.dtc() - u.laplace() };
    Operator::new([eq(u.forward(), solve(pde, u.forward()).unwrap())]).unwrap()
}

/// Lines, Slawinski and Bording (1999): `dt = 2/(v sqrt(sum_d sum_k |c_k|/h_d^2))`.
#[test]
fn acoustic_limits_are_those_of_the_literature() {
    let shapes: [(&[usize], &[f64]); 3] =
        [(&[400], &[10.0]), (&[120, 100], &[10.0, 5.0]), (&[40, 36, 44], &[10.0, 8.0, 12.0])];
    for (shape, spacing) in shapes {
        for order in [2, 4, 8] {
            let exact = wavefold::seismic::cfl_dt(spacing, 2.0, order, 1.0);
            limit(&wave(shape, spacing, order as u32, 2.0, 0.0), exact);
        }
    }
}

/// Damping by a centred difference leaves the limit where it is.
#[test]
fn damping_leaves_the_acoustic_limit() {
    let exact = wavefold::seismic::cfl_dt(&[10.0, 10.0], 2.0, 4, 1.0);
    limit(&wave(&[100, 100], &[10.0, 10.0], 4, 2.0, 1e-4), exact);
}

/// `dt = h^2/(2 D rank)` for second order.
#[test]
fn heat() {
    for rank in 1..=3 {
        let g = grid(&[[200, 60, 30][rank - 1]].repeat(rank), &[0.5].repeat(rank));
        let u = TimeFunction::new("u", &g).space_order(2).build().unwrap();
        let op = Operator::new([eq(u.forward(), &u + g.dt() * 0.3 * u.laplace())]).unwrap();
        limit(&op, 0.25 / (2.0 * 0.3 * rank as f64));
    }
}

/// Upwind advection: `dt = h/c` in one dimension.
#[test]
fn advection() {
    let g = grid(&[400], &[2.0]);
    let u = TimeFunction::new("u", &g).space_order(2).build().unwrap();
    let upwind = u.diff(Dim::X).order(1).side(Side::Left).expr();
    let op = Operator::new([eq(u.forward(), &u - g.dt() * 0.5 * upwind)]).unwrap();
    limit(&op, 4.0);
}

/// Adjoint runs are looked at as well.
#[test]
fn backwards_in_time() {
    let g = grid(&[80, 80], &[10.0, 10.0]);
    let v = TimeFunction::new("v", &g).time_order(2).space_order(4).build().unwrap();
    let op = Operator::new([eq(v.backward(), solve(v.dt2() - 4.0 * v.laplace(), v.backward()).unwrap())]);
    limit(&op.unwrap(), wavefold::seismic::cfl_dt(&[10.0, 10.0], 2.0, 4, 1.0));
}

/// Sources, receivers, histories and constants do not hide a scheme.
#[test]
fn a_whole_program() {
    let (g, nt) = (grid(&[80, 80], &[10.0, 10.0]), 302);
    let c = Constant::new("c", 2.0);
    let u = TimeFunction::new("u", &g).time_order(2).space_order(4).build().unwrap();
    let usave = TimeFunction::new("usave", &g).save(nt).compression(Noop).build().unwrap();
    let points =
        |name: &str| SparseTimeFunction::new(name, &g).coordinates([[205.0, 301.0]]).steps(nt).build();
    let (src, rec) = (points("src").unwrap(), points("rec").unwrap());
    let step = solve(u.dt2() - c.clone().pow(2) * u.laplace(), u.forward()).unwrap();
    let op = Operator::new([
        eq(u.forward(), step),
        src.inject(u.forward(), &src * g.dt().pow(2)),
        rec.interpolate(&u),
        eq(&usave, &u),
    ])
    .unwrap();
    let exact = wavefold::seismic::cfl_dt(&[10.0, 10.0], 2.0, 4, 1.0);
    assert!(refused(&op, 1.1 * exact, 300).is_some());
    let run = |c_value: f64| op.apply().dt(1.1 * exact).set(&c, c_value).time_min(1).time_max(300).run();
    assert_eq!(run(4.0).unwrap_err().code(), "stability::dt");
    assert!(run(1.8).is_ok(), "the constant of the run counts, and nothing was written before");
}

/// Where the velocity varies, the fastest part decides: a step that is too large there is refused, if that part is large
/// enough to hold a wave. One fast point alone is none, and that such a run stays finite shows that it must not be refused.
#[test]
fn fast_parts_and_fast_points() {
    let g = grid(&[96, 96], &[10.0, 10.0]);
    let m = Function::new("m", &g).space_order(2).build().unwrap();
    let u = TimeFunction::new("u", &g).time_order(2).space_order(2).build().unwrap();
    let op =
        Operator::new([eq(u.forward(), solve(&m * u.dt2() - u.laplace(), u.forward()).unwrap())]).unwrap();
    let (slow, fast) = (
        wavefold::seismic::cfl_dt(&[10.0; 2], 2.0, 2, 1.0),
        wavefold::seismic::cfl_dt(&[10.0; 2], 3.0, 2, 1.0),
    );
    let velocity = |v: f64| 1.0 / (v * v);
    m.set_with(|i| velocity(if i[0] >= 50 { 3.0 } else { 2.0 })).unwrap();
    let named = refused(&op, 0.5 * (slow + fast), 300).expect("half of the grid is fast");
    assert!((named - fast).abs() < 2e-3, "{named} {fast}");

    m.set_with(|i| velocity(if i == [40, 40] { 3.0 } else { 2.0 })).unwrap();
    let dt = 1.1 * fast;
    assert!(dt < 0.99 * slow);
    u.set_with(|i| if (i[0] + i[1]) % 2 == 0 { 1.0 } else { -1.0 }).unwrap();
    assert_eq!(refused(&op, dt, 3000), None);
    assert!(u.at(3001).unwrap().iter().all(|v| v.abs() < 1e3), "one fast point is stable there");
}

/// What the analysis does not understand is left alone, and so is growth that is no matter of the step.
#[test]
fn nothing_else_is_refused() {
    let g = grid(&[40, 40], &[1.0, 1.0]);
    let u = TimeFunction::new("u", &g).space_order(2).build().unwrap();
    let v = TimeFunction::new("v", &g).space_order(2).build().unwrap();
    let top = SubDomain::new("top", &g).left(Dim::Y, 1);
    let dt = g.dt();
    let programs = [
        ("growth in the equation", vec![eq(u.forward(), &u + &dt * 0.1 * &u)]),
        ("nonlinear", vec![eq(u.forward(), &u + &dt * &u * u.dx() * 1e-9)]),
        ("a condition", vec![eq(u.forward(), &u + &dt * u.laplace()).when(u.gt(1e30))]),
        ("clipped", vec![eq(u.forward(), (&u + &dt * u.laplace()).max(-1.0).min(1.0))]),
        ("coupled", vec![eq(u.forward(), &u + &dt * v.laplace()), eq(v.forward(), &v + &dt * u.forward())]),
        (
            "damped afterwards",
            vec![eq(u.forward(), &u + &dt * u.laplace()), eq(u.forward(), u.forward() * 0.05)],
        ),
        ("no stencil", vec![eq(u.forward(), 0.5 * &u + &dt)]),
        ("index", vec![eq(u.forward(), &u + &dt * g.index(Dim::X) * u.laplace() * 1e-9)]),
    ];
    for (what, equations) in programs {
        let op = Operator::new(equations).unwrap();
        let run = op.apply().dt(0.9).time_max(60).backend(Backend::Cranelift).run();
        assert!(run.is_ok(), "{what}: {:?}", run.err());
    }
    // On a row of points, with zeros around it, the limit is 1/3; the message names that of a whole plane.
    let row = Operator::new([eq(u.forward(), &u + &dt * u.laplace()).on(&top)]).unwrap();
    assert_eq!(refused(&row, 0.32, 300), None);
    assert_eq!(refused(&row, 0.35, 300), Some(0.25));
    // A few steps are the user's own affair.
    let heat = Operator::new([eq(u.forward(), &u + &dt * u.laplace())]).unwrap();
    assert!(heat.apply().dt(0.9).time_max(5).run().is_ok());
    assert_eq!(heat.apply().dt(0.9).time_max(60).run().unwrap_err().code(), "stability::dt");
    // Parameters that were not set make no sense, but the analysis says nothing of them.
    let m = Function::new("m", &g).build().unwrap();
    let unset = Operator::new([eq(u.forward(), &u + &dt * u.laplace() / &m)]).unwrap();
    assert!(unset.apply().dt(0.9).time_max(60).run().is_ok());
}

/// Random explicit schemes: whatever is refused does grow.
#[test]
fn what_is_refused_grows() {
    use proptest::prelude::*;
    let weights = (-1.0..1.0_f64, -1.0..1.0_f64, -1.0..1.0_f64, -0.5..0.5_f64, 0.05..3.0_f64);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 150,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let refusals = std::cell::Cell::new(0);
    let one = |(a, b, c, past, dt): (f64, f64, f64, f64, f64)| {
        let g = grid(&[64], &[1.0]);
        let u = TimeFunction::new("u", &g).time_order(2).space_order(2).build().unwrap();
        let right =
            &u + g.dt() * (a * u.shift(Dim::X, -1) + b * &u + c * u.shift(Dim::X, 1) + past * u.backward());
        let op = Operator::new([eq(u.forward(), right)]).unwrap();
        u.set_with(|i| f64::from(((i[0] * 2_654_435_761_usize) >> 7) as u32 % 1000) / 1000.0 - 0.5).unwrap();
        let backend = Backend::Cranelift;
        let run =
            |check| op.apply().dt(dt).time_min(1).time_max(400).backend(backend).check_stability(check).run();
        if run(true).is_err() {
            refusals.set(refusals.get() + 1);
            run(false).unwrap();
            let largest = u
                .at(401)
                .unwrap()
                .iter()
                .fold(0.0_f64, |m, v| if v.is_nan() { f64::INFINITY } else { m.max(v.abs()) });
            // A wave that is carried out of the grid grows before it leaves.
            let peak = if largest < 1e3 {
                (1..8)
                    .map(|i| {
                        u.set_with(|i| {
                            f64::from(((i[0] * 2_654_435_761_usize) >> 7) as u32 % 1000) / 1000.0 - 0.5
                        })
                        .unwrap();
                        op.apply()
                            .dt(dt)
                            .time_min(1)
                            .time_max(i * 10)
                            .backend(backend)
                            .check_stability(false)
                            .run()
                            .unwrap();
                        u.at(i * 10 + 1).unwrap().iter().fold(0.0_f64, |m, v| m.max(v.abs()))
                    })
                    .fold(0.0, f64::max)
            } else {
                largest
            };
            prop_assert!(peak > 1e2, "{peak} for {a} {b} {c} {past} {dt}");
        }
        Ok(())
    };
    runner.run(&weights, one).unwrap();
    assert!(refusals.get() > 5, "{} refusals", refusals.get());
}

/// NaN and infinity end a run with step and point, if that is asked for.
#[test]
fn values_that_are_not_finite() {
    for backend in [Backend::Cranelift, Backend::C] {
        if backend == Backend::C && Backend::c_compiler().is_none() {
            continue;
        }
        let g = Grid::new([40, 30]);
        let u = TimeFunction::new("u", &g).space_order(2).build().unwrap();
        let grow = Operator::named("grow", [eq(u.forward(), 2.0 * u.laplace())]).unwrap();
        let spike = || u.set_with(|i| if i == [20, 15] { 1.0 } else { 0.0 }).unwrap();
        spike();
        assert!(grow.apply().time_max(99).backend(backend).run().is_ok(), "not unless it is asked for");
        spike();
        let e = grow.apply().time_max(99).backend(backend).check_finite(true).run().unwrap_err();
        assert_eq!(e.code(), "run::not_finite");
        let step = |e: &wavefold::Error| -> i64 {
            let text = e.to_string();
            text.split("after step ").nth(1).unwrap().split([';', ' ']).next().unwrap().parse().unwrap()
        };
        // The true step, found by running one at a time: a few steps at most separate them.
        spike();
        let bad = |t: usize| u.at(t).unwrap().iter().any(|v| !v.is_finite());
        let first = (0..99).find(|t| {
            grow.apply().time_min(*t).time_max(*t).backend(backend).run().unwrap();
            bad(t + 1)
        });
        let first = first.expect("it overflows") as i64;
        assert!((first..first + 16).contains(&step(&e)), "{} for {first}", step(&e));

        // At the end of a run, the exact step is known as long as it is in memory; with a history, always.
        let all = TimeFunction::new("all", &g).save(40).build().unwrap();
        let a = Function::new("a", &g).build().unwrap();
        a.set_with(|i| if i == [3, 4] { -1.0 } else { 1.0 }).unwrap();
        u.fill(0.0).unwrap();
        let op = Operator::new([eq(u.forward(), &u + 1.0), eq(&all, (7.5 + &a * &u).sqrt())]).unwrap();
        let e = op.apply().backend(backend).check_finite(true).run().unwrap_err();
        assert!(e.to_string().starts_with("`all` holds NaN at point (3, 4) after step "), "{e}");
        let at = step(&e) as usize;
        assert!(all.at(at).unwrap().get(&[3, 4]).unwrap().is_nan());
        assert!(!all.at(at - 1).unwrap().get(&[3, 4]).unwrap().is_nan(), "the first one");
        // Functions without time are looked at when the run has ended.
        let sum = Function::new("sum", &g).build().unwrap();
        let op = Operator::new([eq(u.forward(), &u + 1.0), inc(&sum, 1.0 / (&a + 1.0))]).unwrap();
        let e = op.apply().time_max(3).backend(backend).check_finite(true).run().unwrap_err();
        assert_eq!(e.to_string(), "`sum` holds inf at point (3, 4) after step 3");
    }
}
