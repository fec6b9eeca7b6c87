//! What the generated code looks like, and what is refused.

mod common;

use wavefold_backend_cranelift::{CompileError, Vectors, compile, compile_for, emit_for};
use wavefold_ir::tree::{Program, Stmt};
use wavefold_ir::{Expr, ExprId};

const HEAT: &str = "operator heat f32 {
  dim x 8 spacing 1
  dim y 16 spacing 1
  field u buffered 2 halo 1 alloc (10, 48) pad (1, 16)
  time ascending {
    slot 0 = t/1+1 % 2
    slot 1 = t/1+0 % 2
    # u.forward = u + laplace(u)
    parallel tiles x by 4 {
      for x in tile {
        simd y {
          u[t+1, x, y] = fma(u[t, x+1, y] + u[t, x-1, y], 0.25, u[t, x, y+1] + u[t, x, y-1])
        }
      }
    }
  }
}
";

#[test]
fn a_stencil_has_vectors_and_readonly_loads() {
    let text = emit_for(&common::parse(HEAT), Vectors::Bits128);
    assert!(text.contains("; u.forward = u + laplace(u)"), "{text}");
    assert!(text.contains("fma"), "{text}");
    assert!(text.contains("splat.f32x4"), "{text}");
    let loads = text.lines().filter(|l| l.contains("load.f32x4") && l.contains("readonly")).count();
    assert_eq!(loads, 4, "{text}");
    assert_eq!(text.matches("load.f32x4").count(), 4, "{text}");
    assert!(text.contains("; u0:0 is wavefold_flush"), "{text}");
    assert_eq!(text, emit_for(&common::parse(HEAT), Vectors::Bits128), "printing is deterministic");
}

#[test]
fn rows_in_wide_vectors_are_instructions() {
    let text = emit_for(&common::parse(HEAT), Vectors::Bits512);
    assert!(!text.contains("f32x4"), "{text}");
    let row = text.split_once(" is wavefold_body1\n").expect("a function of its own").1;
    for wanted in
        ["; 0.25\n", "points:\n    vmovups zmm0,[rax+0C0h]\n", "vfmadd", "jge points", "rest:\n", "{k1}{z}"]
    {
        assert!(row.contains(wanted), "{wanted}: {row}");
    }
    let narrow = emit_for(&common::parse(HEAT), Vectors::Bits256);
    assert!(narrow.contains("ymm") && narrow.contains("vmaskmovps") && !narrow.contains("zmm"), "{narrow}");
    let with_sine = HEAT.replace("0.25,", "sin(0.25*u[t, x, y]),");
    assert!(
        emit_for(&common::parse(&with_sine), Vectors::Bits512).contains("f32x4"),
        "no sines in wide vectors"
    );
}

#[test]
fn prefetches_and_streams_are_in_wide_rows() {
    let text = emit_for(&common::parse(common::harness::HINTS), Vectors::Bits512);
    let count = |word: &str| text.matches(word).count();
    assert_eq!((count("prefetcht1"), count("vmovntps"), count("sfence")), (2, 4, 1), "{text}");
}

#[test]
fn vectors_that_are_not_there_are_refused() {
    for bits in [Vectors::Bits128, Vectors::Bits256, Vectors::Bits512] {
        match compile_for(&common::parse(HEAT), bits) {
            Ok(_) => assert!(bits <= Vectors::widest()),
            Err(e) => assert!(bits > Vectors::widest() && e.code() == "cranelift::vectors", "{e}"),
        }
        let refused = CompileError::Vectors { asked: "1024".into(), widest: bits.bits() };
        assert_eq!(refused.code(), "cranelift::vectors");
        assert!(refused.help().is_some_and(|h| h.contains(&bits.bits().to_string())));
    }
}

#[test]
fn what_a_nest_writes_is_not_readonly() {
    let text = emit_for(
        &common::parse(&HEAT.replace("t/1+0 % 2", "t/1-1 % 2").replace("u[t,", "u[t-1,")),
        Vectors::Bits128,
    );
    assert!(!text.lines().any(|l| l.contains("load.f32x4") && l.contains("readonly")), "{text}");
}

#[test]
fn deep_expressions_cost_no_stack() {
    let mut program = Program::parse(HEAT).expect("parses");
    let mut deep = ExprId(0);
    program.visit(&mut |s| deep = s.value().unwrap_or(deep));
    for i in 0..20_000 {
        deep = program.exprs.intern(match i % 2 {
            0 => Expr::Neg(deep),
            _ => Expr::Sub(deep, ExprId(0)),
        });
    }
    fn replace(body: &mut [Stmt], new: ExprId) {
        for s in body {
            match s {
                Stmt::Time { body, .. } => replace(body, new),
                Stmt::Nest { outer: l, .. } | Stmt::Loop(l) => replace(&mut l.body, new),
                Stmt::Assign { value, .. } => *value = new,
                _ => {}
            }
        }
    }
    replace(&mut program.body, deep);
    let kernel = compile(&program).expect("compiles");
    assert!(kernel.compile_seconds() > 0.0);
}

#[test]
fn broken_programs_are_refused() {
    let broken = Program::parse(&HEAT.replace("u[t, x+1, y]", "u[t, x+1, y]^2")).expect("parses");
    let error = compile(&broken).expect_err("a power is no tree node");
    assert_eq!(error.code(), "cranelift::program");
    assert!(error.help().is_some());
    assert!(
        emit_for(&broken, Vectors::Bits128).starts_with("; the program cannot be compiled"),
        "{}",
        emit_for(&broken, Vectors::Bits128)
    );
    let nested =
        Program::parse(&HEAT.replace("simd y {", "every 2 { simd y {").replace("y-1])\n", "y-1])\n}"))
            .expect("parses");
    let error = compile(&nested).expect_err("a guard inside a loop");
    assert_eq!(error, CompileError::Nesting { statement: "every 2".into() });
}

#[test]
fn kernels_may_be_shared_between_threads() {
    fn shared<T: Send + Sync>(_: &T) {}
    let kernel = compile(&common::parse(HEAT)).expect("compiles");
    shared(&kernel);
    assert!(format!("{kernel:?}").starts_with("Kernel"));
}

#[test]
fn mixed_types_keep_vectors() {
    let text = HEAT.replace("field u buffered 2 halo", "field u buffered 2 f64 halo");
    let clif = emit_for(&common::parse(&text), Vectors::Bits128);
    assert!(clif.contains("load.f64x2") && clif.contains("fvdemote"), "{clif}");
    assert!(clif.contains("fvpromote_low") && clif.contains("fma"), "{clif}");
    let clif = emit_for(
        &common::parse(&text.replace("heat f32", "heat f64").replace("2 f64", "2 f32")),
        Vectors::Bits128,
    );
    assert!(clif.contains("fvpromote_low") && clif.contains("splat.f64x2"), "{clif}");
}

#[test]
fn tiles_of_equal_size_need_no_dynamic_rows() {
    let tiles = |by| HEAT.replace("x by 4", &format!("y by {by}")).replace("for x in tile", "for x");
    let blocks = |by| {
        let text = tiles(by).replace("simd y", "simd y in tile");
        emit_for(&common::parse(&text), Vectors::Bits128).lines().filter(|l| l.starts_with("block")).count()
    };
    assert!(blocks(8) < blocks(6), "16 points are two tiles of 8, but not of 6");
}

#[test]
fn only_point_statements_stand_in_reductions() {
    let text = HEAT
        .replace("  time ascending", "  sparse s points 1\n  time ascending")
        .replace("parallel tiles", "reduce s sum parallel tiles")
        .replace("u[t+1, x, y] = fma", "first { accumulate fma")
        .replace("y-1])\n", "y-1]) }\n");
    let error = compile(&Program::parse(&text).expect("parses")).expect_err("a guard inside a reduction");
    assert_eq!(error, CompileError::Nesting { statement: "first".into() });
    let text = text.replace("first { ", "").replace("y-1]) }\n", "y-1])\n");
    assert!(emit_for(&common::parse(&text), Vectors::Bits128).contains("; u.forward = u + laplace(u)"));
}
