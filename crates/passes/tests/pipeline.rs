//! The pipeline on whole operators.

use wavefold_ir::{cluster, stencil, tree};
use wavefold_passes::{CompileError, Compiled, compile};
use wavefold_symbolic::prelude::*;
use wavefold_symbolic::{Equation, eq};

fn acoustic(so: u32, shape: &[usize]) -> Vec<Equation> {
    let grid = Grid::new(shape.to_vec()).with_spacing(vec![10.0; shape.len()]);
    let u = TimeFunction::new("u", &grid).time_order(2).space_order(so).build().unwrap();
    let m = Function::new("m", &grid).space_order(so).build().unwrap();
    let damp = Function::new("damp", &grid).space_order(so).build().unwrap();
    let src = SparseTimeFunction::new("src", &grid).points(1).steps(100).build().unwrap();
    let rec = SparseTimeFunction::new("rec", &grid).points(5).steps(100).build().unwrap();
    let update = solve(&m * u.dt2() - u.laplace() + &damp * u.dt(), u.forward()).unwrap();
    vec![
        eq(u.forward(), update),
        src.inject(u.forward(), &src * grid.dt().pow(2) / &m),
        rec.interpolate(&u),
    ]
}

fn notebook() -> (Vec<Equation>, Vec<Equation>) {
    let grid = Grid::new([4, 4]);
    let u = TimeFunction::new("u", &grid).build().unwrap();
    let usave = TimeFunction::new("usave", &grid).save(4).compression(Noop).build().unwrap();
    let v = TimeFunction::new("v", &grid).build().unwrap();
    let vsave = TimeFunction::new("vsave", &grid).save(4).build().unwrap();
    (
        vec![eq(u.forward(), &u + 1.0), eq(&usave, &u)],
        vec![eq(v.backward(), &v - 1.0), eq(&vsave, &usave)],
    )
}

fn shown(equations: &[Equation]) -> Compiled {
    compile("op", equations, true).unwrap()
}

#[test]
fn every_stage_prints_and_reads_back() {
    let (op0, op1) = notebook();
    for equations in [op0, op1, acoustic(8, &[40, 30, 20]), acoustic(4, &[40, 30]), acoustic(2, &[40])] {
        for stage in shown(&equations).stages {
            let again = match stage.pass {
                "lower" | "legality" | "discretize" => stencil::Program::parse(&stage.text).map(|p| p.to_string()),
                "schedule" | "contract" => tree::Program::parse(&stage.text).map(|p| p.to_string()),
                _ => cluster::Program::parse(&stage.text).map(|p| p.to_string()),
            };
            assert_eq!(again.as_deref(), Ok(stage.text.as_str()), "{}", stage.pass);
        }
    }
}

#[test]
fn show() {
    let (op0, op1) = notebook();
    for equations in [op0, op1, acoustic(4, &[40, 30, 20])] {
        for stage in shown(&equations).stages {
            println!("---- {} {:?}\n{}", stage.pass, stage.time, stage.text);
        }
    }
    let equations = acoustic(8, &[256, 256, 256]);
    let t = std::time::Instant::now();
    compile("op", &equations, false).unwrap();
    println!("{:?}", t.elapsed());
    let t = std::time::Instant::now();
    compile("op", &equations, false).unwrap();
    println!("{:?}", t.elapsed());
}

#[test]
fn a_compressed_function_is_not_read_and_written() {
    let grid = Grid::new([4, 4]);
    let u = TimeFunction::new("u", &grid).build().unwrap();
    let usave = TimeFunction::new("usave", &grid).save(4).compression(Noop).build().unwrap();
    let error = compile("op", &[eq(&usave, &u), eq(u.forward(), &usave + 1.0)], false).unwrap_err();
    assert!(matches!(error, CompileError::ReadAndWrite { .. }), "{error}");
}
