//! What the generated code looks like, and what is refused.

mod common;

use wavefold_backend_cranelift::{CompileError, compile, emit};
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
    let text = emit(&common::parse(HEAT));
    assert!(text.contains("; u.forward = u + laplace(u)"), "{text}");
    assert!(text.contains("fma"), "{text}");
    assert!(text.contains("splat.f32x4"), "{text}");
    let loads = text.lines().filter(|l| l.contains("load.f32x4") && l.contains("readonly")).count();
    assert_eq!(loads, 4, "{text}");
    assert_eq!(text.matches("load.f32x4").count(), 4, "{text}");
    assert!(text.contains("; u0:0 is wavefold_flush"), "{text}");
    assert_eq!(text, emit(&common::parse(HEAT)), "printing is deterministic");
}

#[test]
fn what_a_nest_writes_is_not_readonly() {
    let text = emit(&common::parse(&HEAT.replace("t/1+0 % 2", "t/1-1 % 2").replace("u[t,", "u[t-1,")));
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
    assert!(emit(&broken).starts_with("; the program cannot be compiled"), "{}", emit(&broken));
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
