//! The operators that `docs/pipeline.md` walks through.

use wavefold::prelude::*;
use wavefold_backend_cranelift::Vectors;
use wavefold_passes::{Machine, Specialisation, compile};

/// `op0` and `op1` of the notebook, and those that show what these do not.
pub struct Operators([Operator; 6]);

/// What the trees of the page are made for, whatever machine runs the test.
const MACHINE: Machine = Machine { threads: 2, cache: 1 << 20 };

impl Operators {
    pub fn new() -> wavefold::Result<Operators> {
        let nt = 4;
        let grid = Grid::new([4, 4]);
        let u = TimeFunction::new("u", &grid).build()?;
        let usave = TimeFunction::new("usave", &grid).save(nt).compression(Noop).build()?;
        let v = TimeFunction::new("v", &grid).build()?;
        let vsave = TimeFunction::new("vsave", &grid).save(nt).layers(Layers::None).build()?;
        let op0 = Operator::named("op0", [eq(u.forward(), &u + 1.0), eq(&usave, &u)])?;
        let op1 = Operator::named("op1", [eq(v.backward(), &v - 1.0), eq(&vsave, &usave)])?;
        Ok(Operators([op0, op1, wave()?, damped()?, heat()?, adjoint()?]))
    }

    /// What a marker asks for.
    pub fn text(&self, marker: &str) -> Option<String> {
        let (what, rest) = marker.split_once(' ')?;
        let (name, detail) = rest.split_once(' ').unwrap_or((rest, ""));
        let op = self.0.iter().find(|op| op.name() == name)?;
        match what {
            "trace" => after(op, detail),
            "body" => after(op, detail).map(|text| body(&text)),
            "equations" => Some(op.to_string()),
            "ccode" => Some(op.ccode()),
            "clif" => {
                let (function, block) = detail.split_once(' ')?;
                basic_block(&cranelift(op, Vectors::Bits128)?, function, block)
            }
            "row" => row(&cranelift(op, Vectors::Bits512)?, detail),
            _ => None,
        }
    }
}

/// The program after a pass; step by step in all sections but that of fronts.
fn after(op: &Operator, pass: &str) -> Option<String> {
    let special = Specialisation { steps: (pass != "front").then_some(1), ..Specialisation::default() };
    let done = compile(op.name(), op.equations(), &special, &MACHINE, true).ok()?;
    done.stages.into_iter().find(|s| s.pass == pass).map(|s| s.text)
}

/// What the Cranelift backend makes of a program, on a machine with such vectors.
fn cranelift(op: &Operator, vectors: Vectors) -> Option<String> {
    let special = Specialisation { steps: Some(1), ..Specialisation::default() };
    let done = compile(op.name(), op.equations(), &special, &MACHINE, false).ok()?;
    Some(wavefold_backend_cranelift::emit_for(&done.tree, vectors))
}

/// The loop over whole vectors of a row.
fn row(code: &str, function: &str) -> Option<String> {
    let (_, code) = code.split_once(&format!(" is {function}\n"))?;
    Some(code[code.find("points:")?..code.find("rest:")?].to_string())
}

/// A program without its name, its declarations and the braces around it.
fn body(program: &str) -> String {
    let declares = |line: &str| ["dim ", "field ", "scalar ", "sparse "].iter().any(|d| line.starts_with(d));
    let lines = program.lines().filter_map(|line| line.strip_prefix("  ")).filter(|line| !declares(line));
    lines.collect::<Vec<_>>().join("\n")
}

/// One basic block of a function in a listing of functions.
fn basic_block(code: &str, function: &str, block: &str) -> Option<String> {
    let (_, code) = code.split_once(&format!(" is {function}\n"))?;
    let start = code.find(&format!("\n{block}("))? + 1;
    let end = code[start..].find("\n\n").map_or(code.len(), |n| start + n);
    Some(code[start..end].to_string())
}

fn wave() -> wavefold::Result<Operator> {
    let grid = Grid::new([256]).with_spacing(10.0);
    let m = Function::new("m", &grid).build()?;
    let u = TimeFunction::new("u", &grid).time_order(2).build()?;
    let usave = TimeFunction::new("usave", &grid).save(100).compression(Quantize { nbits: 12 }).build()?;
    let update = solve(&m * u.dt2() - u.laplace(), u.forward())?;
    Operator::named("wave", [eq(u.forward(), update), eq(&usave, u.dx2())])
}

fn damped() -> wavefold::Result<Operator> {
    let grid = Grid::new([256]).with_spacing(10.0);
    let (m, d) = (Function::new("m", &grid).build()?, Function::new("d", &grid).build()?);
    let u = TimeFunction::new("u", &grid).time_order(2).build()?;
    let update = solve(&m * u.dt2() + &d * u.dt() - u.laplace(), u.forward())?;
    Operator::named("damped", [eq(u.forward(), update)])
}

fn adjoint() -> wavefold::Result<Operator> {
    let grid = Grid::new([256, 256]).with_spacing(10.0);
    let v = TimeFunction::new("v", &grid).build()?;
    let usave = TimeFunction::new("usave", &grid).save(100).compression(Quantize { nbits: 12 }).build()?;
    let image = Function::new("image", &grid).space_order(0).build()?;
    let res = SparseTimeFunction::new("res", &grid).points(30).steps(100).build()?;
    let step = eq(v.backward(), &v + 0.1 * v.laplace());
    let equations = [step, res.inject(v.backward(), res.expr()), inc(&image, &usave * v.backward())];
    Operator::named("adjoint", equations)
}

fn heat() -> wavefold::Result<Operator> {
    let grid = Grid::new([129, 128, 128]).with_spacing(10.0);
    let u = TimeFunction::new("u", &grid).build()?;
    Operator::named("heat", [eq(u.forward(), &u + 0.5 * u.laplace())])
}
