//! Operators and measures that several tests use.
#![allow(dead_code, reason = "each test uses a part")]

use wavefold_ir::tree::{Program, Stmt, cost};
use wavefold_passes::{CompileError, Compiled, Machine, Specialisation};
use wavefold_symbolic::Equation;
use wavefold_symbolic::prelude::*;

pub fn grid(shape: &[usize]) -> Grid {
    Grid::new(shape.to_vec()).with_spacing(vec![10.0; shape.len()])
}

/// The acoustic wave equation with damping, a source and receivers.
pub fn acoustic(so: u32, shape: &[usize]) -> Vec<Equation> {
    let grid = grid(shape);
    let u = TimeFunction::new("u", &grid).time_order(2).space_order(so).build().unwrap();
    let m = Function::new("m", &grid).space_order(so).build().unwrap();
    let damp = Function::new("damp", &grid).space_order(so).build().unwrap();
    let src = SparseTimeFunction::new("src", &grid).points(1).steps(100).build().unwrap();
    let rec = SparseTimeFunction::new("rec", &grid).points(5).steps(100).build().unwrap();
    let update = solve(&m * u.dt2() - u.laplace() + &damp * u.dt(), u.forward()).unwrap();
    vec![eq(u.forward(), update), src.inject(u.forward(), &src * grid.dt().pow(2) / &m), rec.interpolate(&u)]
}

/// Compiles with every stage verified and printed.
pub fn compiled(equations: &[Equation]) -> Compiled {
    compile(equations, true).unwrap_or_else(|e| panic!("{} {e}", e.code()))
}

/// Compiles for the usual machine; `trace`: with every stage verified and printed.
pub fn compile(equations: &[Equation], trace: bool) -> Result<Compiled, CompileError> {
    wavefold_passes::compile("op", equations, &Specialisation::default(), &Machine::default(), trace)
}

/// The statements of a step.
pub fn steps(p: &Program) -> &[Stmt] {
    p.body.iter().find(|s| matches!(s, Stmt::Time { .. })).map_or(&p.body, Stmt::body)
}

/// One line per statement of a step; nests name what they write.
pub fn outline(p: &Program) -> Vec<String> {
    let mut lines = Vec::new();
    lines_of(p, steps(p), "", &mut lines);
    lines
}

fn lines_of(p: &Program, body: &[Stmt], pad: &str, lines: &mut Vec<String>) {
    let name = |f: wavefold_ir::FieldId| p.decls.field(f).name.clone();
    for s in body {
        let line = match s {
            Stmt::Nest { .. } => {
                let mut written: Vec<String> = Vec::new();
                s.visit(&mut |s| match s {
                    Stmt::Assign { target, .. } => written.push(name(target.field)),
                    Stmt::Inject { sparse, target, .. } => {
                        written.push(format!("{}->{}", p.decls.sparse(*sparse).name, name(target.field)));
                    }
                    _ => {}
                });
                written.dedup();
                format!("nest {}", written.join(" "))
            }
            Stmt::Inject { sparse, target, .. } => {
                format!("inject {} -> {}", p.decls.sparse(*sparse).name, name(target.field))
            }
            Stmt::Interpolate { sparse, .. } => format!("interpolate {}", p.decls.sparse(*sparse).name),
            Stmt::Compress { store, slice, .. } => {
                format!("compress {} <- {}", name(*store), name(slice.field))
            }
            Stmt::Decompress { store, slice, .. } => {
                format!("decompress {} -> {}", name(*store), name(slice.field))
            }
            Stmt::Wait(ticket) => format!("wait {ticket}"),
            Stmt::When { every, .. } => format!("every {every}"),
            Stmt::Until { ticket, .. } => format!("until {ticket}"),
            Stmt::First(_) => "first".into(),
            other => format!("{other:?}"),
        };
        lines.push(format!("{pad}{line}"));
        if let Stmt::When { body, .. } | Stmt::Until { body, .. } = s {
            lines_of(p, body, &format!("{pad}  "), lines);
        }
    }
}

/// Floating-point operations per point of the domain in a step.
pub fn flops(p: &Program) -> usize {
    cost(p).flops.round() as usize
}
