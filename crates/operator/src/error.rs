//! Everything that can go wrong, in one type with a code, a message and a help line.

use std::fmt;
use wavefold_ir::CompressionError;
use wavefold_passes::CompileError;
use wavefold_runtime::RuntimeError;
use wavefold_symbolic::SymbolicError;

/// The result of anything in Wavefold.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Arguments of an `apply` that make no sense. Nothing has run.
#[derive(Clone, Debug, thiserror::Error, PartialEq)]
pub enum ApplyError {
    /// No saved function or sparse time function gives the number of steps.
    #[error("`{operator}` has no last time step: no function that it uses has a known number of steps")]
    NoBounds {
        /// The operator.
        operator: String,
    },
    /// First step after last step.
    #[error("`{operator}` has no step to run: the range is {time_m}..={time_max}")]
    EmptyRange {
        /// The operator.
        operator: String,
        /// First step.
        time_m: i64,
        /// Last step.
        time_max: i64,
    },
    /// A step outside of what a function holds.
    #[error("step {step} accesses sample {sample} of `{function}`, which has samples {first}..={last}")]
    OutOfRange {
        /// The function.
        function: String,
        /// The step.
        step: i64,
        /// Time sample or snapshot.
        sample: i64,
        /// First sample.
        first: i64,
        /// Last sample.
        last: i64,
    },
    /// The equations name `dt`, and no value was given.
    #[error("`{operator}` uses the time step `dt`, which has no value")]
    NoStep {
        /// The operator.
        operator: String,
    },
    /// A scalar that is NaN, infinite, or a time step of zero.
    #[error("`{name}` is {value}")]
    BadScalar {
        /// The scalar.
        name: String,
        /// Its value.
        value: f64,
    },
    /// An override that no compressed function written by the operator uses.
    #[error("nothing that `{operator}` compresses uses the override {parameter}")]
    UnusedOverride {
        /// The operator.
        operator: String,
        /// `nbits`, `compscale`, `snr` or `max_error`, with a function's name when one was given.
        parameter: String,
        /// What the operator compresses, with codecs.
        compresses: Vec<String>,
    },
    /// An override for a function that the operator does not compress.
    #[error("`{operator}` compresses no function `{function}`")]
    UnknownOverride {
        /// The operator.
        operator: String,
        /// The name given.
        function: String,
        /// What the operator compresses.
        compresses: Vec<String>,
    },
    /// An argument that nothing in the operator uses.
    #[error("nothing in `{operator}` uses the argument {name}")]
    UnusedArgument {
        /// The operator.
        operator: String,
        /// What was given.
        name: String,
    },
    /// Bounds or thicknesses that do not fit the grid.
    #[error("the {what} {first} and {last} do not fit the {size} points along {dim}")]
    BadBounds {
        /// Bounds or thicknesses.
        what: &'static str,
        /// The dimension.
        dim: String,
        /// First point, or thickness on the left.
        first: usize,
        /// Last point, or thickness on the right.
        last: usize,
        /// Points of the grid.
        size: usize,
    },
    /// A function that cannot stand for another.
    #[error("`{other}` cannot take the place of `{function}`: its {what} is another")]
    Mismatch {
        /// The function of the operator.
        function: String,
        /// The one that was given.
        other: String,
        /// What differs.
        what: &'static str,
    },
    /// An expression to measure that lives on no grid.
    #[error("`{expr}` names no function on a grid")]
    NoFunction {
        /// The expression.
        expr: String,
    },
    /// A function that would be there twice.
    #[error("`{name}` would take two places in `{operator}`")]
    Twice {
        /// The operator.
        operator: String,
        /// The function.
        name: String,
    },
    /// A time step with which a wave certainly grows without bound.
    #[error(
        "`dt` = {dt} is too large: `{function}` grows without bound in `{operator}`, which is stable up to `dt` = {}",
        crate::stability::rounded_down(*largest)
    )]
    Unstable {
        /// The operator.
        operator: String,
        /// The function that would grow.
        function: String,
        /// The step given.
        dt: f64,
        /// The largest stable one.
        largest: f64,
    },
    /// A backend that this machine or this build lacks.
    #[error("the {backend} backend is not available: {reason}")]
    NoBackend {
        /// The backend.
        backend: String,
        /// Why.
        reason: String,
    },
}

impl ApplyError {
    fn code(&self) -> &'static str {
        match self {
            ApplyError::NoBounds { .. } => "time::no_bounds",
            ApplyError::EmptyRange { .. } => "time::empty_range",
            ApplyError::OutOfRange { .. } => "time::out_of_range",
            ApplyError::NoStep { .. } => "time::no_step",
            ApplyError::BadScalar { .. } => "apply::bad_scalar",
            ApplyError::UnusedOverride { .. } => "override::unused",
            ApplyError::UnknownOverride { .. } => "override::unknown",
            ApplyError::UnusedArgument { .. } => "apply::unused",
            ApplyError::BadBounds { .. } => "apply::bounds",
            ApplyError::Mismatch { .. } => "apply::mismatch",
            ApplyError::NoFunction { .. } => "measure::no_function",
            ApplyError::Twice { .. } => "apply::twice",
            ApplyError::Unstable { .. } => "stability::dt",
            ApplyError::NoBackend { .. } => "backend::not_available",
        }
    }

    fn help(&self) -> Option<String> {
        let list = |names: &[String]| match names {
            [] => "it writes no compressed function".to_string(),
            names => format!("it compresses {}", names.join(", ")),
        };
        Some(match self {
            ApplyError::NoBounds { .. } => "give one: `.time_max(nt - 1)`".into(),
            ApplyError::EmptyRange { .. } => {
                "save more snapshots, or give bounds with `.time_min(..)` and `.time_max(..)`".into()
            }
            ApplyError::OutOfRange { function, .. } => {
                format!(
                    "narrow the range with `.time_min(..)` or `.time_max(..)`, or give `{function}` more samples"
                )
            }
            ApplyError::UnusedArgument { .. } => "check the name, or leave the argument out".into(),
            ApplyError::BadBounds { what: "thicknesses", size, .. } => {
                format!("both together take at most {size} points")
            }
            ApplyError::BadBounds { .. } => "points count from 0; the last one is included".into(),
            ApplyError::Mismatch { function, .. } => format!("declare it with the settings of `{function}`"),
            ApplyError::Twice { name, .. } => {
                format!("give each function data of its own, not those of `{name}`")
            }
            ApplyError::NoStep { .. } => "give one: `.dt(0.5)`".into(),
            ApplyError::BadScalar { name, .. } if name == "dt" => "`dt` must be finite and not zero".into(),
            ApplyError::BadScalar { .. } => "set it to a finite value".into(),
            ApplyError::UnusedOverride { compresses, .. }
            | ApplyError::UnknownOverride { compresses, .. } => list(compresses),
            ApplyError::NoFunction { .. } => "measure an expression of a function on the grid".into(),
            ApplyError::Unstable { largest, .. } => format!(
                "use `.dt({})` or less, or a coarser grid; `.check_stability(false)` runs it all the same",
                crate::stability::rounded_down(*largest)
            ),
            ApplyError::NoBackend { .. } => "use `Backend::Auto`, which takes what is there".into(),
        })
    }
}

/// Any error of Wavefold.
#[derive(Clone, thiserror::Error)]
pub enum Error {
    /// A declaration or equation that means nothing.
    #[error(transparent)]
    Symbolic(#[from] SymbolicError),
    /// An operator that cannot be compiled.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// Data, histories, or a run that failed.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// Arguments of a run.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// A codec, or a parameter of one.
    #[error(transparent)]
    Compression(#[from] CompressionError),
    /// The C compiler.
    #[error(transparent)]
    C(#[from] std::sync::Arc<wavefold_backend_c::CompileError>),
    /// Cranelift.
    #[error(transparent)]
    Cranelift(#[from] std::sync::Arc<wavefold_backend_cranelift::CompileError>),
}

impl Error {
    /// The stable code, such as `compress::read_and_write`.
    pub fn code(&self) -> &'static str {
        match self {
            Error::Symbolic(e) => e.code(),
            Error::Compile(e) => e.code(),
            Error::Runtime(e) => e.code(),
            Error::Apply(e) => e.code(),
            Error::Compression(e) => e.code(),
            Error::C(e) => e.code(),
            Error::Cranelift(e) => e.code(),
        }
    }

    /// How to mend it.
    pub fn help(&self) -> Option<String> {
        match self {
            Error::Symbolic(e) => e.help(),
            Error::Compile(e) => e.help(),
            Error::Runtime(e) => e.help(),
            Error::Apply(e) => e.help(),
            Error::Compression(e) => e.help(),
            Error::C(e) => e.help(),
            Error::Cranelift(e) => e.help(),
        }
    }
}

/// Prints code, message and help, so that a `main` that returns this error ends readably.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] {self}", self.code())?;
        match self.help() {
            Some(help) => write!(f, "\n  help: {}", help.replace('\n', "\n        ")),
            None => Ok(()),
        }
    }
}

impl miette::Diagnostic for Error {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(Error::code(self)))
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Error::help(self).map(|h| Box::new(h) as Box<dyn fmt::Display>)
    }
}

/// Results are moved through every call, so errors stay small; what is large in one goes behind a pointer.
const _: () = assert!(size_of::<Error>() <= 120);
