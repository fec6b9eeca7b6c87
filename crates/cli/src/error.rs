//! Everything that makes the command fail, with a code, a message and a help line.

use std::fmt;
use std::path::PathBuf;

use wavefold::codecs::{CompressionError, DecodeError, EncodeError, ThreadsError, ViewError};
use wavefold::operator::ApplyError;
use wavefold::runtime::RuntimeError;
use wavefold::seismic::ShotError;
use wavefold::symbolic::SymbolicError;

/// The result of anything in the command.
pub type Result<T, E = CliError> = std::result::Result<T, E>;

/// A failure of the command.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// A command line that does not parse.
    #[error("{message}")]
    Usage {
        /// What is wrong.
        message: String,
        /// Accepted values and the form of the command.
        help: String,
    },
    /// A shape with the wrong number of axes for what it is used for.
    #[error("`{what}` needs a shape with {needed} axes, but {shape} has {found}")]
    Rank {
        /// The case, or a file.
        what: String,
        /// Numbers of axes that are accepted.
        needed: &'static str,
        /// The shape.
        shape: String,
        /// Its number of axes.
        found: usize,
    },
    /// An order of space derivatives that no stencil has.
    #[error("`--so {order}` is no order of a centred derivative")]
    Order {
        /// The order.
        order: u32,
    },
    /// A number of threads that cannot run.
    #[error("{count} threads cannot be used")]
    ThreadCount {
        /// The number.
        count: usize,
        /// The largest one.
        limit: usize,
    },
    /// An option that is 0 and must not be.
    #[error("`{option} 0` leaves nothing to run")]
    Zero {
        /// The option.
        option: &'static str,
    },
    /// An option that the case does not read.
    #[error("the case `{case}` keeps no history, so it has no use for `{option}`")]
    UnusedOption {
        /// The option.
        option: &'static str,
        /// The case.
        case: String,
    },
    /// No step is saved.
    #[error("saving every {every} steps saves nothing in {steps} steps")]
    NothingSaved {
        /// Distance between snapshots.
        every: usize,
        /// Number of steps.
        steps: usize,
    },
    /// A parameter of a codec for `--codec none`.
    #[error("the uncompressed history has no parameter `{parameter}`")]
    NoneParameter {
        /// `nbits`, `compscale` or `snr`.
        parameter: &'static str,
    },
    /// More memory than there is.
    #[error("{what} needs about {needed:.1} GB of memory, and {available:.1} GB are available")]
    Memory {
        /// What needs it.
        what: String,
        /// In units of 10^9 bytes.
        needed: f64,
        /// In units of 10^9 bytes.
        available: f64,
    },
    /// A file that cannot be read.
    #[error("cannot read `{}`: {cause}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: String,
    },
    /// A raw file carries no shape.
    #[error("the raw file `{}` needs a shape", path.display())]
    ShapeNeeded {
        /// The file.
        path: PathBuf,
    },
    /// A shape with too many points.
    #[error("the shape {shape} has more points than memory can address")]
    ShapeTooLarge {
        /// The shape.
        shape: String,
    },
    /// Size and shape of a file disagree.
    #[error("`{}` holds {found} bytes, but {shape} values of {dtype} are {expected} bytes", path.display())]
    FileSize {
        /// The file.
        path: PathBuf,
        /// The shape.
        shape: String,
        /// The element type.
        dtype: String,
        /// Bytes that they need.
        expected: u64,
        /// Bytes in the file.
        found: u64,
    },
    /// A `.npy` file that cannot be understood.
    #[error("`{}` is not a readable .npy array: {reason}", path.display())]
    Npy {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A `.npy` file that is not what the options say.
    #[error("`{}` holds {found}, but `{option} {expected}` was given", path.display())]
    NpyMismatch {
        /// The file.
        path: PathBuf,
        /// The option.
        option: &'static str,
        /// Its value.
        expected: String,
        /// What the header says.
        found: String,
    },
    /// A file that cannot be written.
    #[error("cannot write `{}`: {cause}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: String,
    },
    /// A file that is there already.
    #[error("`{}` is there already", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// Programs that are not laid out.
    #[error("{} would be laid out anew", files.join(", "))]
    Layout {
        /// The programs.
        files: Vec<String>,
    },
    /// A program that is wrong, or a run of one that failed: one report for each thing.
    #[error("{0}")]
    Program(#[from] Box<wavefold_text::Failure>),
    /// Standard output cannot be written.
    #[error("cannot write to standard output: {0}")]
    Output(String),
    /// Equations, compilation, a run.
    #[error(transparent)]
    Wavefold(#[from] wavefold::Error),
    /// A codec or its parameter.
    #[error(transparent)]
    Compression(#[from] CompressionError),
    /// A slice that cannot be compressed.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// A stream that cannot be decompressed.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// A shape that a codec cannot take.
    #[error(transparent)]
    View(#[from] ViewError),
    /// Threads that cannot be started.
    #[error(transparent)]
    Threads(#[from] ThreadsError),
    /// Source and receivers that do not fit the model.
    #[error(transparent)]
    Shot(#[from] ShotError),
}

impl From<SymbolicError> for CliError {
    fn from(e: SymbolicError) -> CliError {
        CliError::Wavefold(e.into())
    }
}

impl From<RuntimeError> for CliError {
    fn from(e: RuntimeError) -> CliError {
        CliError::Wavefold(e.into())
    }
}

impl From<ApplyError> for CliError {
    fn from(e: ApplyError) -> CliError {
        CliError::Wavefold(e.into())
    }
}

impl CliError {
    /// The diagnostic of a command line that does not parse: its first line is the message, the rest helps.
    pub fn usage(error: &clap::Error) -> CliError {
        let text = error.render().to_string();
        let mut lines = text.lines().map(str::trim).filter(|l| !l.is_empty());
        let message =
            lines.next().unwrap_or_default().trim_start_matches("error: ").trim_end_matches(':').to_string();
        CliError::Usage { message, help: lines.collect::<Vec<_>>().join("\n") }
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            CliError::Usage { .. } => "cli::usage",
            CliError::Rank { .. } => "cli::rank",
            CliError::Order { .. } => "cli::order",
            CliError::ThreadCount { .. } => "threads::count",
            CliError::Zero { .. } => "cli::zero",
            CliError::UnusedOption { .. } => "cli::unused_option",
            CliError::NothingSaved { .. } => "cli::nothing_saved",
            CliError::NoneParameter { .. } => "cli::codec_parameter",
            CliError::Memory { .. } => "cli::memory",
            CliError::Write { .. } => "file::write",
            CliError::Exists { .. } => "file::exists",
            CliError::Layout { .. } => "cli::layout",
            CliError::Program(_) => "program",
            CliError::Output(_) => "cli::output",
            CliError::Read { .. } => "file::read",
            CliError::ShapeNeeded { .. } => "file::shape_needed",
            CliError::ShapeTooLarge { .. } => "file::shape_too_large",
            CliError::FileSize { .. } => "file::size",
            CliError::Npy { .. } => "file::npy",
            CliError::NpyMismatch { .. } => "file::mismatch",
            CliError::Wavefold(e) => e.code(),
            CliError::Compression(e) => e.code(),
            CliError::Encode(e) => e.code(),
            CliError::Decode(e) => e.code(),
            CliError::View(e) => e.code(),
            CliError::Threads(e) => e.code(),
            CliError::Shot(e) => e.code(),
        }
    }

    /// How to mend it.
    pub fn help(&self) -> Option<String> {
        Some(match self {
            CliError::Usage { help, .. } => help.clone(),
            CliError::Rank { needed, .. } => {
                format!("give {needed} numbers of points, such as `--shape {}`", example(needed))
            }
            CliError::Order { .. } => "give an even number from 2 to 64".into(),
            CliError::ThreadCount { limit, .. } => {
                format!("give 1 to {limit}, or leave `--threads` out for one per core")
            }
            CliError::Zero { .. } => "give 1 or more".into(),
            CliError::UnusedOption { option, .. } => {
                format!("leave `{option}` out, or measure the case `history` or `gradient`")
            }
            CliError::NothingSaved { steps, .. } => format!("give `--save-every` from 1 to {steps}"),
            CliError::NoneParameter { .. } => {
                "choose a codec, such as `--codec quantize`, or leave it out".into()
            }
            CliError::Memory { .. } => {
                "use a smaller `--shape`, fewer `--steps`, or another `--codec`".into()
            }
            CliError::Read { .. } => "check the path and its permissions".into(),
            CliError::Write { .. } => "check the folder, its permissions, and the room on the disk".into(),
            CliError::Exists { .. } => "choose another name, or remove the file".into(),
            CliError::Layout { .. } => "run `wavefold fmt` without `--check`".into(),
            CliError::Program(_) | CliError::Output(_) => return None,
            CliError::ShapeNeeded { .. } => {
                "give the points per axis, slowest first, as in `--shape 1601x401`".into()
            }
            CliError::ShapeTooLarge { .. } => "check the numbers of the shape".into(),
            CliError::FileSize { .. } => {
                "raw files are little-endian values without a header; check `--shape` and `--dtype`".into()
            }
            CliError::Npy { .. } => "arrays of float32 or float64 with 1 to 3 axes can be read".into(),
            CliError::NpyMismatch { option, .. } => {
                format!("leave `{option}` out: the header of the file says it")
            }
            CliError::Wavefold(e) => return e.help(),
            CliError::Compression(e) => return e.help(),
            CliError::Encode(e) => return e.help(),
            CliError::Decode(e) => return e.help(),
            CliError::View(e) => return e.help(),
            CliError::Threads(e) => return e.help(),
            CliError::Shot(e) => return e.help(),
        })
    }
}

fn example(needed: &str) -> &'static str {
    if needed == "2" { "400x300" } else { "96x96x96" }
}

impl From<wavefold_text::Failure> for CliError {
    fn from(failure: wavefold_text::Failure) -> Self {
        CliError::Program(Box::new(failure))
    }
}

impl miette::Diagnostic for CliError {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(CliError::code(self)))
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        CliError::help(self).map(|h| Box::new(h) as Box<dyn fmt::Display>)
    }
}
