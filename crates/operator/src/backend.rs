//! Which backend compiles the tree.

use crate::{ApplyError, Error, Operator, Result};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Instant;
use wavefold_ir::{Decls, abi, cluster};

/// Where the code comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Backend {
    /// C where it is in the compile cache; otherwise Cranelift, until the C compiler is done, if there is one, Cranelift's
    /// vectors are narrower, and the run is long enough for it to pay. The results are the same, bit for bit.
    #[default]
    Auto,
    /// The C compiler of the machine, with OpenMP.
    C,
    /// Code made in the process; nothing needs to be installed.
    Cranelift,
    /// The reference interpreter: the equations point by point, before loops and rewriting, a thousand times slower. For
    /// checks of the compiler.
    Interpreter,
}

impl Backend {
    /// What `Auto` may end up with on this machine.
    pub fn resolve(self) -> Backend {
        match self {
            Backend::Auto if wavefold_backend_c::Compiler::find().is_some() => Backend::C,
            Backend::Auto => Backend::Cranelift,
            other => other,
        }
    }

    /// The C compiler that [`Backend::C`] uses on this machine: its command and its version.
    pub fn c_compiler() -> Option<String> {
        let compiler = wavefold_backend_c::Compiler::find()?;
        let version = compiler.version().lines().next().unwrap_or_default().to_string();
        Some(format!("{} ({version})", compiler.command()))
    }

    /// The folder in which compiled C is kept.
    pub fn compile_cache() -> Option<std::path::PathBuf> {
        wavefold_backend_c::Cache::user().directory().map(std::path::Path::to_path_buf)
    }

    pub(crate) fn compile(self, op: &Operator) -> Result<Kernel> {
        let program = op.program();
        match self.resolve() {
            Backend::Interpreter => {
                let start = Instant::now();
                let program = op.reference()?;
                let seconds = start.elapsed().as_secs_f64();
                Ok(Kernel {
                    seconds,
                    cached: false,
                    threaded: false,
                    code: Code::Interpreter(Box::new(program)),
                })
            }
            Backend::C => {
                let k = wavefold_backend_c::compile(program).map_err(|e| Error::C(Arc::new(e)))?;
                Ok(Kernel::c(k))
            }
            _ => {
                let k = wavefold_backend_cranelift::compile(program)
                    .map_err(|e| Error::Cranelift(Arc::new(e)))?;
                Ok(Kernel {
                    seconds: k.compile_seconds(),
                    cached: false,
                    threaded: true,
                    code: Code::Cranelift(Box::new(k)),
                })
            }
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Backend::Auto => "auto",
            Backend::C => "c",
            Backend::Cranelift => "cranelift",
            Backend::Interpreter => "interpreter",
        })
    }
}

impl FromStr for Backend {
    type Err = Error;

    fn from_str(s: &str) -> Result<Backend> {
        match s {
            "auto" => Ok(Backend::Auto),
            "c" => Ok(Backend::C),
            "cranelift" => Ok(Backend::Cranelift),
            "interpreter" => Ok(Backend::Interpreter),
            other => Err(ApplyError::NoBackend {
                backend: other.into(),
                reason: "there are `auto`, `c`, `cranelift` and `interpreter`".into(),
            }
            .into()),
        }
    }
}

/// Compiled code of one operator for one backend.
pub(crate) struct Kernel {
    code: Code,
    /// Time that compilation took (or loading, from the cache).
    pub(crate) seconds: f64,
    /// Whether it came from the compile cache.
    pub(crate) cached: bool,
    /// Whether its parallel loops use threads.
    pub(crate) threaded: bool,
}

enum Code {
    C(wavefold_backend_c::Kernel),
    Cranelift(Box<wavefold_backend_cranelift::Kernel>),
    Interpreter(Box<cluster::Program>),
}

impl Kernel {
    /// The declarations of its program. Those of the interpreter have slices where the others have tiles.
    pub(crate) fn decls<'a>(&'a self, op: &'a Operator) -> &'a Decls {
        match &self.code {
            Code::Interpreter(p) => &p.decls,
            Code::C(_) | Code::Cranelift(_) => &op.program().decls,
        }
    }

    pub(crate) fn c(k: wavefold_backend_c::Kernel) -> Kernel {
        Kernel {
            seconds: k.compile_seconds(),
            cached: k.cached(),
            threaded: k.uses_openmp(),
            code: Code::C(k),
        }
    }

    /// Whether it is Cranelift's, in vectors as wide as those of C.
    pub(crate) fn is_wide(&self) -> bool {
        matches!(&self.code, Code::Cranelift(k) if k.is_wide())
    }

    /// Runs the kernel: returns 0, or the status with which a callback stopped it.
    ///
    /// # Safety
    /// The context must be one for the program that the kernel was compiled from, see [`abi`].
    pub(crate) unsafe fn call(&self, context: *const abi::Context) -> i32 {
        // SAFETY: by the contract.
        unsafe {
            match &self.code {
                Code::C(k) => k.entry()(context),
                Code::Cranelift(k) => k.entry()(context),
                Code::Interpreter(p) => cluster::interpret(p, context),
            }
        }
    }
}
