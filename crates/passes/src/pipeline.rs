//! The pipeline: every pass in order, each timed, verified, and shown on request.

use crate::{
    Bindings, Lowered, Machine, Result, Specialisation, clusters, compress, contract, cse, discretize,
    divide, factorize, front, fuse, hoist, in_place, invariants, jam, join, layout, legality, lower, parts,
    prefetch, rows, schedule, sink, sizes, stream, temporaries,
};
use std::time::{Duration, Instant};
use wavefold_ir::{FieldId, VerifyError, cluster, stencil, tree};
use wavefold_symbolic::Equation;

/// What a pass did.
#[derive(Clone, Debug)]
pub struct Stage {
    /// The name of the pass.
    pub pass: &'static str,
    /// How long it took, without verification and printing.
    pub time: Duration,
    /// The program after the pass as text; empty unless asked for.
    pub text: String,
}

/// An access to a field as the user wrote it: what the range of time steps is inferred from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldUse {
    /// The field.
    pub field: FieldId,
    /// The time shift.
    pub time: i32,
    /// Whether it is written.
    pub write: bool,
}

/// A compiled operator.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// What backends print.
    pub tree: tree::Program,
    /// What the declarations stand for.
    pub bindings: Bindings,
    /// All accesses to fields.
    pub uses: Vec<FieldUse>,
    /// What a step costs.
    pub cost: tree::Cost,
    /// Why steps are done one by one, unless several are done at a time.
    pub one_by_one: Option<String>,
    /// One entry per pass.
    pub stages: Vec<Stage>,
}

/// Compiles the equations of an operator called `name` for the sizes of a run and a machine; `show` keeps the text after
/// every pass.
///
/// # Errors
/// See [`crate::CompileError`].
pub fn compile(
    name: &str,
    equations: &[Equation],
    special: &Specialisation,
    machine: &Machine,
    show: bool,
) -> Result<Compiled> {
    let mut log = Log { show, stages: Vec::new() };
    let Lowered { program, bindings } = log.stage("lower", equations, |e| lower(name, e, special))?;
    let p = log.stage("legality", program, |p| legality(&p).map(|()| p))?;
    let p = log.stage("divide", p, |p| Ok(divide(p)))?;
    let p = log.stage("invariants", p, |p| Ok(invariants(p)))?;
    let p = log.stage("temporaries", p, |p| Ok(temporaries(p)))?;
    let p = log.stage("discretize", p, discretize)?;
    let uses = uses(&p);
    let p = log.stage("clusters", p, clusters)?;
    let p = log.stage("compress", p, |p| Ok(compress(p)))?;
    let p = log.stage("fuse", p, |p| Ok(fuse(p)))?;
    let p = log.stage("factorize", p, |p| Ok(factorize(p)))?;
    let p = log.stage("hoist", p, |p| Ok(hoist(p)))?;
    let p = log.stage("cse", p, |p| Ok(cse(p)))?;
    let p = log.stage("in_place", p, |p| Ok(in_place(p)))?;
    let p = log.stage("layout", p, |p| Ok(layout(p)))?;
    let p = log.stage("schedule", p, |p| Ok(schedule(p, machine)))?;
    let p = log.stage("contract", p, |p| Ok(contract(p)))?;
    let mut one_by_one = None;
    let p = log.stage("front", p, |p| {
        let (p, why) = front(p, machine, special.steps, &special.alike);
        one_by_one = why;
        Ok(p)
    })?;
    let p = log.stage("parts", p, |p| Ok(parts(p)))?;
    let p = log.stage("join", p, |p| Ok(join(p, machine)))?;
    let p = log.stage("jam", p, |p| Ok(jam(p)))?;
    let p = log.stage("sink", p, |p| Ok(sink(p)))?;
    let p = log.stage("stream", p, |p| Ok(stream(p, machine)))?;
    let p = log.stage("rows", p, |p| Ok(rows(p, machine)))?;
    let tree = log.stage("prefetch", p, |p| Ok(prefetch(p, machine, &special.alike)))?;
    tree.verify()?;
    sizes(&tree)?;
    let cost = tree::cost(&tree);
    Ok(Compiled { tree, cost, one_by_one, bindings, uses, stages: log.stages })
}

/// The program of the cluster level before any rewriting, with layouts: what a compiled kernel is checked against. Its
/// declarations are those of [`Compiled::tree`], but for the layouts of tile fields, and for slices that the tree has in tiles.
///
/// # Errors
/// See [`crate::CompileError`].
pub fn reference(name: &str, equations: &[Equation], special: &Specialisation) -> Result<cluster::Program> {
    let Lowered { program, .. } = lower(name, equations, special)?;
    legality(&program)?;
    let p = layout(compress(clusters(discretize(temporaries(invariants(divide(program))))?)?));
    p.verify()?;
    Ok(p)
}

fn uses(p: &stencil::Program) -> Vec<FieldUse> {
    let all = p.statements.iter().flat_map(|s| p.accesses(s));
    all.map(|(a, write)| FieldUse { field: a.field, time: a.time, write }).collect()
}

struct Log {
    show: bool,
    stages: Vec<Stage>,
}

impl Log {
    fn stage<A, B: Level>(
        &mut self,
        pass: &'static str,
        input: A,
        run: impl FnOnce(A) -> Result<B>,
    ) -> Result<B> {
        let start = Instant::now();
        let output = run(input)?;
        let time = start.elapsed();
        if cfg!(debug_assertions) || self.show {
            output.verify()?;
        }
        let text = if self.show { output.to_string() } else { String::new() };
        self.stages.push(Stage { pass, time, text });
        Ok(output)
    }
}

/// A program of any level.
trait Level: std::fmt::Display {
    fn verify(&self) -> std::result::Result<(), VerifyError>;
}

impl std::fmt::Display for Lowered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.program.fmt(f)
    }
}

impl Level for Lowered {
    /// The invariants hold once `legality` has passed.
    fn verify(&self) -> std::result::Result<(), VerifyError> {
        Ok(())
    }
}

impl Level for stencil::Program {
    fn verify(&self) -> std::result::Result<(), VerifyError> {
        stencil::Program::verify(self)
    }
}

impl Level for cluster::Program {
    fn verify(&self) -> std::result::Result<(), VerifyError> {
        cluster::Program::verify(self)
    }
}

impl Level for tree::Program {
    /// Powers are legal until `contract`; the whole tree is verified after the last pass.
    fn verify(&self) -> std::result::Result<(), VerifyError> {
        Ok(())
    }
}
