//! The operator itself.

use crate::backend::Kernel;
use crate::stability::Schemes;
use crate::tier::Background;
use crate::{Apply, Backend, Result};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use wavefold_ir::{cluster, tree};
use wavefold_passes::{Compiled, Machine, Specialisation, compile};
use wavefold_runtime::{Spare, system, threads};
use wavefold_symbolic::Equation;

/// Equations, compiled. Cheap to clone; may be applied any number of times, from any thread.
///
/// ```
/// # use wavefold_operator::Operator;
/// # use wavefold_symbolic::prelude::*;
/// let grid = Grid::new([4, 4]);
/// let u = TimeFunction::new("u", &grid).build()?;
/// let op = Operator::new([eq(u.forward(), &u + 1.0)])?;
/// op.apply().time_max(3).run()?;
/// # Ok::<(), wavefold_operator::Error>(())
/// ```
#[derive(Clone)]
pub struct Operator {
    inner: Arc<Inner>,
}

struct Inner {
    name: String,
    equations: Vec<Equation>,
    compiled: Compiled,
    lowering: Duration,
    special: Specialisation,
    kernels: Mutex<HashMap<Backend, Arc<Kernel>>>,
    background: Background,
    /// Arrays of invariants between two runs.
    spare: Spare,
    /// The updates whose stability is known, found when they are first asked for.
    schemes: OnceLock<Option<Schemes>>,
    /// The operator for other sizes.
    variants: Mutex<HashMap<Specialisation, Operator>>,
}

impl Operator {
    /// Compiles equations down to the tree. Their order is the order of execution within a step, as far as their
    /// dependences ask for one.
    ///
    /// # Errors
    /// Equations that mean nothing, alone or together; see [`wavefold_passes::CompileError`].
    pub fn new(equations: impl IntoIterator<Item = Equation>) -> Result<Operator> {
        Operator::named("kernel", equations)
    }

    /// Like [`Operator::new`], with a name that generated code, summaries and messages use.
    ///
    /// # Errors
    /// As [`Operator::new`]; characters that a C identifier cannot hold become `_`.
    pub fn named(name: &str, equations: impl IntoIterator<Item = Equation>) -> Result<Operator> {
        let equations: Vec<Equation> = equations.into_iter().collect();
        Operator::with_sizes(identifier(name), equations, &Specialisation::default())
    }

    fn with_sizes(name: String, equations: Vec<Equation>, special: &Specialisation) -> Result<Operator> {
        let start = Instant::now();
        let compiled = compile(&name, &equations, special, &machine(), false)?;
        let operator = Operator {
            inner: Arc::new(Inner {
                name,
                equations,
                compiled,
                lowering: start.elapsed(),
                special: special.clone(),
                kernels: Mutex::new(HashMap::new()),
                background: Background::default(),
                spare: Spare::default(),
                schemes: OnceLock::new(),
                variants: Mutex::new(HashMap::new()),
            }),
        };
        if std::env::var_os("WAVEFOLD_TRACE").is_some_and(|v| v != "0") {
            eprintln!("{}", operator.trace());
        }
        Ok(operator)
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// The equations.
    pub fn equations(&self) -> &[Equation] {
        &self.inner.equations
    }

    /// Time that the compiler took down to the tree.
    pub fn lowering(&self) -> Duration {
        self.inner.lowering
    }

    /// Collects the arguments of a run; `.run()` runs it.
    ///
    /// Arrays of what does not change during a run ("invariants") are kept for the next run until the operator is dropped; their
    /// values are computed anew by each.
    pub fn apply(&self) -> Apply<'_> {
        Apply::new(self)
    }

    /// The memory of a run with default arguments, without allocating any; see [`Apply::estimate_memory`].
    ///
    /// # Errors
    /// None today; arguments that make no sense later on.
    pub fn estimate_memory(&self) -> Result<crate::MemoryEstimate> {
        self.apply().estimate_memory()
    }

    /// The generated C.
    pub fn ccode(&self) -> String {
        wavefold_backend_c::emit(self.program())
    }

    /// The generated Cranelift functions.
    pub fn clif(&self) -> String {
        wavefold_backend_cranelift::emit(self.program())
    }

    /// The tree: everything that the machine does, as text.
    pub fn tree(&self) -> String {
        self.program().to_string()
    }

    /// The schedule that the compiler chose: the loops of a step in a few words, one line for each kind of nest, and why steps
    /// are done one by one, if they are. It is that of functions without equal rows, with the declared sizes; the summary of a run
    /// has its own.
    pub fn schedule(&self) -> Vec<String> {
        let mut lines = tree::outline(self.program());
        lines.extend(self.compiled().one_by_one.as_ref().map(|why| format!("step by step: {why}")));
        lines
    }

    /// Every pass with its time and the program after it.
    pub fn trace(&self) -> Trace {
        // The equations compiled before, so they do again.
        let stages = compile(self.name(), self.equations(), &self.inner.special, &machine(), true)
            .map(|c| c.stages)
            .unwrap_or_default();
        Trace { name: self.name().into(), stages }
    }

    /// The operator for other sizes, compiled once for each set of them.
    pub(crate) fn specialised(&self, special: &Specialisation) -> Result<Operator> {
        if *special == self.inner.special {
            return Ok(self.clone());
        }
        let mut variants = self.inner.variants.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = variants.get(special) {
            return Ok(known.clone());
        }
        let variant = Operator::with_sizes(self.name().into(), self.equations().to_vec(), special)?;
        variants.insert(special.clone(), variant.clone());
        Ok(variant)
    }

    /// Compiles for a backend now, not at the first run, for the functions as they are: how loops are cut may depend on whether
    /// many of their rows are equal. Returns the seconds that it took, 0 when it was done before.
    ///
    /// # Errors
    /// A backend that is not available, or that fails.
    pub fn compile(&self, backend: Backend) -> Result<f64> {
        Ok(self.apply().for_data()?.kernel(backend.resolve())?.1)
    }

    pub(crate) fn reference(&self) -> Result<cluster::Program> {
        Ok(wavefold_passes::reference(self.name(), self.equations(), &self.inner.special)?)
    }

    pub(crate) fn special(&self) -> &Specialisation {
        &self.inner.special
    }

    pub(crate) fn schemes(&self) -> Option<&Schemes> {
        self.inner.schemes.get_or_init(|| Schemes::of(self)).as_ref()
    }

    pub(crate) fn program(&self) -> &tree::Program {
        &self.inner.compiled.tree
    }

    pub(crate) fn compiled(&self) -> &Compiled {
        &self.inner.compiled
    }

    pub(crate) fn spare(&self) -> &Spare {
        &self.inner.spare
    }

    /// The C kernel that is made beside runs.
    pub(crate) fn background(&self) -> &Background {
        &self.inner.background
    }

    /// The kernel for a backend, if it was compiled before.
    pub(crate) fn known(&self, backend: Backend) -> Option<Arc<Kernel>> {
        self.inner.kernels.lock().unwrap_or_else(PoisonError::into_inner).get(&backend).cloned()
    }

    /// Keeps a kernel, unless there is one.
    pub(crate) fn keep(&self, backend: Backend, kernel: Arc<Kernel>) {
        let mut kernels = self.inner.kernels.lock().unwrap_or_else(PoisonError::into_inner);
        kernels.entry(backend).or_insert(kernel);
    }

    /// The kernel for a resolved backend, compiled once, with the seconds that it took now.
    pub(crate) fn kernel(&self, backend: Backend) -> Result<(Arc<Kernel>, f64)> {
        let mut kernels = self.inner.kernels.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kernel) = kernels.get(&backend) {
            return Ok((kernel.clone(), 0.0));
        }
        let kernel = Arc::new(backend.compile(self)?);
        kernels.insert(backend, kernel.clone());
        let seconds = kernel.seconds;
        Ok((kernel, seconds))
    }
}

impl fmt::Debug for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Operator({})", self.name())
    }
}

/// Prints the equations, one per line.
impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.equations().iter().try_for_each(|e| writeln!(f, "{e}"))
    }
}

/// This machine.
fn machine() -> Machine {
    static CACHE: OnceLock<usize> = OnceLock::new();
    let probed = || system::second_level_cache().unwrap_or(Machine::default().cache);
    Machine { threads: threads::available(), cache: *CACHE.get_or_init(probed) }
}

fn identifier(name: &str) -> String {
    let mut s: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if !s.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        s.insert(0, '_');
    }
    s
}

/// What every pass did; [`fmt::Display`] prints it.
#[derive(Clone, Debug)]
pub struct Trace {
    name: String,
    stages: Vec<wavefold_passes::Stage>,
}

impl Trace {
    /// One entry per pass: name, time, and the program after it.
    pub fn stages(&self) -> &[wavefold_passes::Stage] {
        &self.stages
    }

    /// The program after a pass.
    pub fn after(&self, pass: &str) -> Option<&str> {
        self.stages.iter().find(|s| s.pass == pass).map(|s| s.text.as_str())
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for s in &self.stages {
            writeln!(f, "== {}: {} ({:.1} us)\n{}", self.name, s.pass, s.time.as_secs_f64() * 1e6, s.text)?;
        }
        Ok(())
    }
}
