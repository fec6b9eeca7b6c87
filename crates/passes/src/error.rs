//! What makes the compiler refuse an operator.

use wavefold_ir::VerifyError;
use wavefold_symbolic::SymbolicError;

/// The result of a pass.
pub type Result<T> = std::result::Result<T, CompileError>;

/// An operator that cannot be compiled.
#[derive(Clone, Debug, thiserror::Error, PartialEq)]
pub enum CompileError {
    /// An equation that means nothing by itself.
    #[error("{source}\n  in the equation {equation} ({at})")]
    Equation {
        /// What is wrong.
        #[source]
        source: SymbolicError,
        /// The equation as text.
        equation: String,
        /// File and line in the user's program.
        at: String,
    },
    /// No equations.
    #[error("an operator needs at least one equation")]
    Empty,
    /// Functions on different grids.
    #[error("`{first}` and `{second}` live on different grids")]
    Grids {
        /// One function.
        first: String,
        /// The other.
        second: String,
    },
    /// Equations that mean nothing together.
    #[error(transparent)]
    Program {
        /// What is wrong.
        source: SymbolicError,
    },
    /// An equation that uses a function where it is not stored.
    #[error("`{name}` is stored on {part} only, and used outside of it")]
    Outside {
        /// The function.
        name: String,
        /// Where it is stored.
        part: String,
        /// The equation.
        equation: String,
    },
    /// A compressed snapshot of which an equation writes a part.
    #[error("the equation {equation} writes a part of a snapshot of the compressed function `{name}`")]
    PartialSnapshot {
        /// The function.
        name: String,
        /// The equation.
        equation: String,
    },
    /// Two functions, constants or sparse functions of one name.
    #[error("two different functions or constants are named `{name}`")]
    DuplicateName {
        /// The name.
        name: String,
    },
    /// One operator reads and writes a compressed function.
    #[error("the operator both reads and writes the compressed function `{name}`")]
    ReadAndWrite {
        /// The function.
        name: String,
        /// The equation that writes.
        write: String,
        /// The equation that reads.
        read: String,
    },
    /// Two equations write one compressed function.
    #[error("two equations of the operator write the compressed function `{name}`")]
    WrittenTwice {
        /// The function.
        name: String,
        /// The first equation.
        first: String,
        /// The second.
        second: String,
    },
    /// Time runs both ways.
    #[error("time would have to run forwards for `{forward}` and backwards for `{backward}`")]
    Direction {
        /// The equation that needs ascending time.
        forward: String,
        /// The equation that needs descending time.
        backward: String,
    },
    /// More time levels of a buffered function than it keeps.
    #[error("the operator uses time levels t{lowest:+} to t{highest:+} of `{name}`, which keeps {slots}")]
    TimeBuffers {
        /// The function.
        name: String,
        /// Lowest time shift.
        lowest: i32,
        /// Highest time shift.
        highest: i32,
        /// Time levels that it keeps.
        slots: usize,
    },
    /// Saved functions of different distances between snapshots in one equation.
    #[error("the equation {equation} uses functions that are saved every {first} and every {second} steps")]
    MixedSnapshots {
        /// The equation.
        equation: String,
        /// One distance.
        first: usize,
        /// The other.
        second: usize,
    },
    /// A stencil that leaves the halo.
    #[error("the stencil reaches {reach} points along {dim}, but `{name}` has a halo of {halo}")]
    Halo {
        /// The function.
        name: String,
        /// The dimension.
        dim: String,
        /// Points that the stencil reaches.
        reach: u32,
        /// Points of halo.
        halo: usize,
        /// The equation.
        equation: String,
    },
    /// A value, shared within itself, that is too large where no part of it can be named.
    #[error(
        "the value of {equation} has {size} operations when it is written out; at most {limit} can be compiled there"
    )]
    TooLarge {
        /// The equation, or what else it is.
        equation: String,
        /// Operations and operands, at most `u64::MAX`.
        size: u64,
        /// The largest size.
        limit: u64,
    },
    /// A defect of the compiler.
    #[error(transparent)]
    Internal(#[from] VerifyError),
}

impl CompileError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            CompileError::Equation { source, .. } => source.code(),
            CompileError::Empty => "operator::empty",
            CompileError::Grids { .. } => "operator::grids",
            CompileError::Program { source } => source.code(),
            CompileError::Outside { .. } => "equation::outside",
            CompileError::PartialSnapshot { .. } => "compress::partial",
            CompileError::DuplicateName { .. } => "operator::duplicate_name",
            CompileError::ReadAndWrite { .. } => "compress::read_and_write",
            CompileError::WrittenTwice { .. } => "compress::written_twice",
            CompileError::Direction { .. } => "time::direction",
            CompileError::TimeBuffers { .. } => "time::buffers",
            CompileError::MixedSnapshots { .. } => "time::mixed_snapshots",
            CompileError::Halo { .. } => "halo::too_narrow",
            CompileError::TooLarge { .. } => "expression::too_large",
            CompileError::Internal(_) => "internal::verify",
        }
    }

    /// How to mend it.
    pub fn help(&self) -> Option<String> {
        Some(match self {
            CompileError::Equation { source, .. } => return source.help(),
            CompileError::Empty => "pass equations, such as `eq(u.forward(), &u + 1.0)`".into(),
            CompileError::Grids { .. } => "make all functions of an operator on one `Grid`".into(),
            CompileError::Program { source } => return source.help(),
            CompileError::Outside { name, equation, .. } => {
                format!(
                    "in: {equation}\nrestrict the equation with `.on(..)`, or store `{name}` on all of the grid"
                )
            }
            CompileError::PartialSnapshot { .. } => {
                "a snapshot is compressed whole: write `select(condition, value, 0.0)` everywhere, or store the \
                 function on the subdomain with `.on(..)`"
                    .into()
            }
            CompileError::DuplicateName { .. } => {
                "names identify functions in generated code: rename one".into()
            }
            CompileError::ReadAndWrite { name, write, read } => format!(
                "written by: {write}\nread by:    {read}\n\
                 split it: one operator writes `{name}`, a later one reads it"
            ),
            CompileError::WrittenTwice { name, first, second } => format!(
                "first by:  {first}\nagain by:  {second}\n\
                 a snapshot is compressed once; combine the right-hand sides, or save into `{name}.twin(..)`"
            ),
            CompileError::Direction { forward, backward } => {
                format!("ascending:  {forward}\ndescending: {backward}\nsplit them into two operators")
            }
            CompileError::TimeBuffers { name, .. } => {
                format!("give `{name}` a higher time order, or save it")
            }
            CompileError::MixedSnapshots { .. } => "write one equation for each distance".into(),
            CompileError::Halo { name, reach, equation, .. } => {
                format!(
                    "in: {equation}\ndeclare `{name}` with a space order of at least {}",
                    reach.next_multiple_of(2)
                )
            }
            CompileError::TooLarge { .. } => {
                "assign the value to a `Function` with `eq` first, and inject or interpolate that; compute what is made of \
                 constants alone beforehand"
                    .into()
            }
            CompileError::Internal(_) => {
                "this is a defect of Wavefold: please report it with the program".into()
            }
        })
    }
}
