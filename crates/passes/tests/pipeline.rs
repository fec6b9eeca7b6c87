//! The pipeline on whole operators: the structure of the tree that comes out.

mod support;

use std::time::Instant;
use support::{acoustic, compile, compiled, flops, grid, outline, steps};
use wavefold_ir::tree::Stmt;
use wavefold_ir::{Compression, Direction, FieldKind, cluster, stencil, tree};
use wavefold_symbolic::Equation;
use wavefold_symbolic::prelude::*;

fn notebook() -> (Vec<Equation>, Vec<Equation>) {
    let grid = Grid::new([4, 4]);
    let u = TimeFunction::new("u", &grid).build().unwrap();
    let usave = TimeFunction::new("usave", &grid).save(4).compression(Noop).build().unwrap();
    let v = TimeFunction::new("v", &grid).build().unwrap();
    let vsave = TimeFunction::new("vsave", &grid).save(4).build().unwrap();
    (vec![eq(u.forward(), &u + 1.0), eq(&usave, &u)], vec![eq(v.backward(), &v - 1.0), eq(&vsave, &usave)])
}

#[test]
fn every_stage_prints_and_reads_back() {
    let (op0, op1) = notebook();
    for equations in [op0, op1, acoustic(8, &[40, 30, 20]), acoustic(4, &[40, 30]), acoustic(2, &[40])] {
        for stage in compiled(&equations).stages {
            let again = match stage.pass {
                "lower" | "legality" | "divide" | "invariants" | "temporaries" | "discretize" => {
                    stencil::Program::parse(&stage.text).map(|p| p.to_string())
                }
                "schedule" | "parts" | "contract" | "front" | "join" | "jam" | "sink" | "stream" | "rows"
                | "prefetch" => tree::Program::parse(&stage.text).map(|p| p.to_string()),
                _ => cluster::Program::parse(&stage.text).map(|p| p.to_string()),
            };
            assert_eq!(again.as_deref(), Ok(stage.text.as_str()), "{}", stage.pass);
        }
    }
}

#[test]
fn acoustic_is_one_nest_one_injection_one_interpolation() {
    let p = compiled(&acoustic(8, &[40, 30, 20])).tree;
    assert_eq!(outline(&p), ["first", "nest u", "inject src -> u", "interpolate rec"]);
    assert_eq!(p.time().map(|(direction, _)| direction), Some(Direction::Ascending));
}

#[test]
fn acoustic_needs_few_operations() {
    let count = |so, shape: &[usize]| flops(&compiled(&acoustic(so, shape)).tree);
    let counts: Vec<usize> = [2, 4, 8, 16].map(|so| count(so, &[40, 30, 20])).to_vec();
    println!("acoustic 3-D, orders 2 4 8 16: {counts:?} operations a point");
    assert!(counts[2] <= 45, "{counts:?}");
    assert!(count(8, &[40, 30]) <= 35, "{}", count(8, &[40, 30]));
}

#[test]
fn costs_do_not_depend_on_how_planes_are_taken() {
    for planes in [2, 3, 40, 41] {
        let cost = compiled(&acoustic(8, &[planes, 30, 20])).cost;
        // Read u at two levels, and two values of m and damp; write u.
        assert_eq!(cost.bytes, 20.0, "{planes} planes");
        assert!((36.0..=38.0).contains(&cost.flops), "{planes} planes: {}", cost.flops);
    }
}

#[test]
fn costs_count_what_nests_share_once() {
    // An odd number of planes leaves some over, for which the nest holds everything once more.
    for (planes, times) in [(3, 1), (8, 1), (41, 2)] {
        let g = grid(&[planes, 30, 20]);
        let u = TimeFunction::new("u", &g).space_order(8).build().unwrap();
        let w = Function::new("w", &g).space_order(0).build().unwrap();
        let src = SparseTimeFunction::new("src", &g).points(1).steps(100).build().unwrap();
        let p = compiled(&[
            eq(u.forward(), &u + 0.1 * u.laplace()),
            src.inject(u.forward(), src.expr()),
            inc(&w, &u * u.forward()),
        ]);
        assert_eq!(outline(&p.tree), [format!("nest{}", " u src->u w".repeat(times))]);
        // One level of u is read, the next written, and w both.
        assert_eq!(p.cost.bytes, 8.0 + 8.0, "{planes} planes");
        let step = compiled(&[eq(u.forward(), &u + 0.1 * u.laplace())]).cost.flops;
        assert_eq!(p.cost.flops, step + 2.0, "{planes} planes");
    }
}

#[test]
fn a_save_of_the_second_difference_sees_the_injection() {
    let g = grid(&[40, 30]);
    let u = TimeFunction::new("u", &g).time_order(2).space_order(4).build().unwrap();
    let usave = TimeFunction::new("usave", &g).save(100).compression(Noop).build().unwrap();
    let src = SparseTimeFunction::new("src", &g).points(1).steps(100).build().unwrap();
    let p = compiled(&[
        eq(u.forward(), solve(u.dt2() - u.laplace(), u.forward()).unwrap()),
        src.inject(u.forward(), src.expr()),
        eq(&usave, u.dt2()),
    ]);
    assert_eq!(outline(&p.tree), ["nest u src->u usave_slice", "compress usave <- usave_slice", "wait k0"]);
}

#[test]
fn a_save_of_the_function_itself_needs_no_copy() {
    let (op0, _) = notebook();
    let p = compiled(&op0).tree;
    assert_eq!(outline(&p), ["compress usave <- u", "nest u", "wait k0"], "they run at the same time");
    assert!(!p.decls.fields.iter().any(|f| matches!(f.kind, FieldKind::Ring { .. })));
}

#[test]
fn a_slice_that_changes_later_is_waited_for() {
    let g = grid(&[40]);
    let u = TimeFunction::new("u", &g).build().unwrap();
    let usave = TimeFunction::new("usave", &g).save(100).compression(Noop).build().unwrap();
    let p = compiled(&[eq(u.forward(), &u + 1.0), eq(&usave, u.forward()), inc(u.forward(), 1.0)]).tree;
    assert_eq!(outline(&p), ["nest u", "compress usave <- u", "wait k0", "nest u"]);
}

#[test]
fn reading_a_second_difference_makes_a_ring_of_three() {
    let g = grid(&[40]);
    let v = TimeFunction::new("v", &g).build().unwrap();
    let usave = TimeFunction::new("usave", &g).save(100).compression(Noop).build().unwrap();
    let grad = Function::new("grad", &g).build().unwrap();
    let p = compiled(&[eq(v.backward(), &v - 1.0), inc(&grad, &v * usave.dt2())]).tree;
    let ring = p.decls.fields.iter().find(|f| f.name == "usave_slots").unwrap();
    assert!(matches!(ring.kind, FieldKind::Ring { slots: 3, every: 1, .. }), "{ring:?}");
    let Stmt::First(first) = &steps(&p)[0] else { panic!("no first step: {p}") };
    // Time descends: t and t+1 are there from the start, t-1 is new at every step.
    let primed: Vec<i32> = first
        .iter()
        .filter_map(|s| if let Stmt::Decompress { time, .. } = s { Some(*time) } else { None })
        .collect();
    assert_eq!(primed, [0, 1]);
    assert_eq!(
        outline(&p)[1..],
        ["decompress usave -> usave_slots", "nest v", "wait k2", "nest grad"],
        "the update runs while the snapshot is decompressed"
    );
}

#[test]
fn subsampled_saving_is_guarded() {
    let g = grid(&[40]);
    let u = TimeFunction::new("u", &g).build().unwrap();
    let usave = TimeFunction::new("usave", &g)
        .save(10)
        .save_every(5)
        .compression(Quantize { nbits: 9 })
        .build()
        .unwrap();
    let p = compiled(&[eq(u.forward(), &u + 1.0), eq(&usave, 2.0 * &u)]).tree;
    assert_eq!(
        outline(&p),
        ["nest u", "every 5", "  nest usave_slice", "  compress usave <- usave_slice", "  wait k0"]
    );
    let usave = p.decls.fields.iter().find(|f| f.name == "usave").unwrap();
    let codec = Compression::Quantize { nbits: 9 };
    assert_eq!(usave.kind, FieldKind::Compressed { steps: 10, every: 5, codec });
}

#[test]
fn time_runs_as_the_equations_ask() {
    let g = grid(&[40]);
    let u = TimeFunction::new("u", &g).time_order(2).build().unwrap();
    let m = Function::new("m", &g).build().unwrap();
    let src = SparseTimeFunction::new("src", &g).points(1).steps(9).build().unwrap();
    let direction = |equations: &[Equation]| compiled(equations).tree.time().map(|(direction, _)| direction);
    let (up, down) = (Some(Direction::Ascending), Some(Direction::Descending));
    assert_eq!(direction(&[eq(u.forward(), &u + 1.0)]), up);
    assert_eq!(direction(&[eq(u.backward(), &u + 1.0)]), down);
    assert_eq!(direction(&[eq(u.backward(), 1.0 + u.forward())]), down);
    assert_eq!(direction(&[eq(u.backward(), 1.0), src.inject(u.backward(), src.expr())]), down);
    assert_eq!(direction(&[eq(u.forward(), &u + 1.0), eq(&u, 0.0)]), up);
    assert_eq!(direction(&[eq(&u, 1.0)]), up);
    assert_eq!(direction(&[eq(&m, 1.0)]), None);
}

/// Written out as a tree, the equation would have millions of nodes.
#[test]
fn shared_expressions_stay_small() {
    let g = grid(&[40]);
    let u = TimeFunction::new("u", &g).space_order(0).build().unwrap();
    let dt = g.dt();
    let mut e = &u + 1.0;
    for _ in 0..12 {
        e = 2.0 * &dt * (e.sin() + &u) * (3.0 * e.cos() + 3.0 * &u);
    }
    let equation = eq(u.forward(), e);
    let start = Instant::now();
    let p = compile(&[equation], false).unwrap().tree;
    println!("12 levels: {:?}, {} characters", start.elapsed(), p.to_string().len());
    assert!(p.to_string().len() < 8_000, "{p}");
    assert!(flops(&p) < 120, "{}", flops(&p));
}

#[test]
fn compiling_takes_milliseconds() {
    let g = grid(&[64, 64, 64]);
    let u = TimeFunction::new("u", &g).space_order(16).build().unwrap();
    let w = TimeFunction::new("w", &g).space_order(8).build().unwrap();
    let m = Function::new("m", &g).space_order(8).build().unwrap();
    let cases = [
        ("acoustic so 8", acoustic(8, &[64, 64, 64])),
        ("acoustic so 16", acoustic(16, &[64, 64, 64])),
        ("biharmonic so 8", vec![eq(w.forward(), &w - w.biharmonic())]),
        (
            "products of derivatives so 16",
            vec![eq(u.forward(), u.dx() * u.dy() * u.dz() * u.dx2() + u.dx().pow(2))],
        ),
        (
            "derivative of products so 8",
            vec![eq(w.forward(), (&m * w.dx() + &m * w.dy() + &m * w.dz()).dx())],
        ),
    ];
    for (name, equations) in cases {
        let mut best = f64::INFINITY;
        let mut count = 0;
        for _ in 0..5 {
            let start = Instant::now();
            count = flops(&compile(&equations, false).unwrap().tree);
            best = best.min(start.elapsed().as_secs_f64());
        }
        println!("{name}: {:.2} ms, {count} operations a point", best * 1e3);
        let limit = if name.starts_with("acoustic") { 0.05 } else { 0.5 };
        assert!(best < limit, "{name} takes {best} s");
    }
}

#[test]
fn many_equations_fuse_in_reasonable_time() {
    let g = grid(&[64, 64, 64]);
    let u = TimeFunction::new("u", &g).space_order(16).build().unwrap();
    let outs: Vec<Function> = (0..60).map(|i| Function::new(format!("w{i}"), &g).build().unwrap()).collect();
    let equations: Vec<Equation> = outs.iter().map(|w| inc(w, u.laplace())).collect();
    let start = Instant::now();
    let p = compile(&equations, false).unwrap().tree;
    println!("60 equations: {:?}", start.elapsed());
    assert_eq!(outline(&p).len(), 1, "one nest");
    assert!(start.elapsed().as_secs_f64() < 2.0);
}
