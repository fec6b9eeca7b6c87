//! What can go wrong with data and during a run.

use std::path::PathBuf;

use wavefold_codecs::DecodeError;

/// The result of an operation on data.
pub type Result<T, E = RuntimeError> = std::result::Result<T, E>;

/// A failure at run time. Every variant has a stable [code](RuntimeError::code).
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[allow(missing_docs, reason = "the message of each variant names its fields")]
pub enum RuntimeError {
    #[error("{} of memory for {what} cannot be had", amount(*bytes))]
    Allocation { what: String, bytes: usize },
    #[error(
        "the history of `{name}` has reached the memory limit of {limit} bytes after {written} of {of} snapshots, {bytes} bytes"
    )]
    MemoryLimit { name: String, limit: usize, written: usize, of: usize, bytes: usize },
    #[error("{what} of shape {shape:?} has more points than memory can address")]
    TooLarge { what: String, shape: Vec<usize> },

    #[error("`{name}` holds data of shape {}, not {found:?}", shapes(expected))]
    WrongShape { name: String, expected: Vec<Vec<usize>>, found: Vec<usize> },
    #[error("an array of shape {shape:?} has {expected} value(s), but {found} were given")]
    WrongLength { shape: Vec<usize>, expected: String, found: usize },
    #[error("`{name}` does not depend on time: it has no level {level}")]
    NoTime { name: String, level: usize },
    #[error("`{name}` has no snapshot {snapshot}: it keeps {steps}, counted from 0")]
    OutOfRange { name: String, snapshot: usize, steps: usize },

    #[error("the memory of `{name}` cannot be replaced: {reason}")]
    CannotWrap { name: String, reason: String },
    #[error("the data of `{name}` are in use, and a callback cannot wait for them")]
    InUse { name: String },

    #[error("`{name}` is compressed: its data are no array")]
    DataOfCompressed { name: String },
    #[error("the temporary `{name}` is in no memory: it has no data")]
    DataOfTemporary { name: String },
    #[error("`{name}` is not compressed")]
    NotCompressed { name: String },
    #[error("`{name}` was already written; a compressed function is written once, by one run")]
    SecondWrite { name: String },
    #[error("`{name}` is being written by a run that has not finished")]
    Writing { name: String },
    #[error("`{name}` was never written")]
    Empty { name: String },
    #[error("`{name}` cannot be used, because the run that wrote it failed: {reason}")]
    Poisoned { name: String, reason: String },
    #[error("`{name}` is not being written by a run")]
    NotWriting { name: String },
    #[error("snapshot {step} of `{name}` was never written; {written}")]
    MissingStep { name: String, step: usize, written: String },
    #[error("snapshot {snapshot} of `{name}` cannot be decompressed: {reason}")]
    Corrupt { name: String, snapshot: usize, reason: String, help: Option<String> },

    #[error("the history of `{name}` cannot be {doing} {}: {reason}", path.display())]
    Disk { name: String, doing: &'static str, path: PathBuf, reason: String, full: bool },
    #[error("the history in {} cannot be {doing}: {reason}", path.display())]
    HistoryFile { path: PathBuf, doing: &'static str, reason: String, help: Option<String> },
    #[error("{} cannot be opened as a history: {reason}", path.display())]
    HistoryFormat { path: PathBuf, reason: String },
    #[error("`{name}` keeps {expected}, but {} holds {found}", path.display())]
    HistoryMismatch { name: String, path: PathBuf, expected: String, found: String },

    #[error(
        "{value}{} at point ({}), step {step}: snapshot {snapshot} of `{name}` cannot be compressed",
        within(field),
        point(index)
    )]
    NotFinite {
        name: String,
        /// The function that was compressed; none when it is the value of an expression.
        field: Option<String>,
        step: i64,
        snapshot: usize,
        index: Vec<usize>,
        value: f64,
    },
    #[error("snapshot {snapshot} of `{name}` cannot be compressed: {reason}")]
    Compress { name: String, snapshot: usize, reason: String, help: Option<String> },

    #[error("{count} threads cannot be used: give 1 to {limit}")]
    ThreadCount { count: usize, limit: usize },
    #[error("{count} threads cannot be started: {reason}")]
    ThreadStart { count: usize, reason: String },

    #[error(
        "`{name}` holds {value} at point ({}) after step {step}{}",
        point(index),
        since.map_or(String::new(), |s| format!("; after step {s} there was none to be seen"))
    )]
    RunNotFinite { name: String, step: i64, since: Option<i64>, index: Vec<usize>, value: f64 },
    #[error("the run was cancelled before step {step}")]
    Cancelled { step: i64 },
    #[error("the kernel stopped with status {status}")]
    Status { status: i32 },
    #[error("{what} panicked: {message}")]
    Panicked { what: &'static str, message: String },
    #[error("defect of Wavefold: {what}")]
    Internal { what: String },
}

fn shapes(expected: &[Vec<usize>]) -> String {
    let shapes: Vec<String> = expected.iter().map(|s| format!("{s:?}")).collect();
    shapes.join(" or ")
}

/// Bytes in the largest decimal unit that leaves a number of 1 or more.
fn amount(bytes: usize) -> String {
    let units = [(1e15, "PB"), (1e12, "TB"), (1e9, "GB"), (1e6, "MB")];
    match units.iter().find(|(unit, _)| bytes as f64 >= *unit) {
        Some((unit, name)) => format!("{:.1} {name}", bytes as f64 / unit),
        None => format!("{bytes} bytes"),
    }
}

fn within(field: &Option<String>) -> String {
    field.as_ref().map_or(String::new(), |name| format!(" in `{name}`"))
}

fn point(index: &[usize]) -> String {
    let index: Vec<String> = index.iter().map(usize::to_string).collect();
    index.join(", ")
}

impl RuntimeError {
    /// The stable code, such as `store::second_write`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Allocation { .. } => "memory::allocation",
            Self::MemoryLimit { .. } => "memory::limit",
            Self::TooLarge { .. } => "memory::too_large",
            Self::WrongShape { .. } => "data::wrong_shape",
            Self::WrongLength { .. } => "data::wrong_length",
            Self::NoTime { .. } => "data::no_time",
            Self::OutOfRange { .. } => "data::out_of_range",
            Self::CannotWrap { .. } => "data::cannot_wrap",
            Self::InUse { .. } => "data::in_use",
            Self::DataOfCompressed { .. } => "store::data_of_compressed",
            Self::DataOfTemporary { .. } => "store::data_of_temporary",
            Self::NotCompressed { .. } => "store::not_compressed",
            Self::SecondWrite { .. } => "store::second_write",
            Self::Writing { .. } => "store::writing",
            Self::Empty { .. } => "store::empty",
            Self::Poisoned { .. } => "store::poisoned",
            Self::NotWriting { .. } => "store::not_writing",
            Self::MissingStep { .. } => "store::missing_step",
            Self::Corrupt { .. } => "store::corrupt",
            Self::Disk { .. } => "store::disk",
            Self::HistoryFile { .. } => "history::file",
            Self::HistoryFormat { .. } => "history::format",
            Self::HistoryMismatch { .. } => "history::mismatch",
            Self::NotFinite { .. } => "compress::not_finite",
            Self::Compress { .. } => "compress::failed",
            Self::ThreadCount { .. } => "threads::count",
            Self::ThreadStart { .. } => "threads::start",
            Self::RunNotFinite { .. } => "run::not_finite",
            Self::Cancelled { .. } => "run::cancelled",
            Self::Status { .. } => "run::status",
            Self::Panicked { .. } => "run::panicked",
            Self::Internal { .. } => "run::internal",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Self::Allocation { .. } => "use a smaller grid, fewer snapshots, or `.compression(..)`".into(),
            Self::MemoryLimit { .. } => {
                "compress more, save fewer snapshots with `.save_every(..)`, raise the limit, or let the rest go to disk with \
                 `.layers(Layers::Spill(directory))`"
                    .into()
            }
            Self::WrongShape { .. } => {
                "give the whole array, or one time level for all; the halo is not part of it".into()
            }
            Self::WrongLength { .. } => "values are row-major, the last dimension fastest".into(),
            Self::NoTime { .. } => "use `.data()`".into(),
            Self::OutOfRange { .. } => "snapshot `i` holds step `i * save_every`".into(),
            Self::CannotWrap { name, .. } => format!(
                "declare `{name}` with `.tight()`, and bring a row-major array of its type, the halo included; or copy \
                 with `.set_data(..)`"
            ),
            Self::InUse { .. } => {
                "use them when the run has returned; run fewer steps at a time to look in between".into()
            }
            Self::DataOfCompressed { name } => {
                format!("use `decompress(&{name})`, or `decompress_step(&{name}, n)` for one snapshot")
            }
            Self::DataOfTemporary { .. } => "declare it without `.temporary()`".into(),
            Self::NotCompressed { .. } => {
                "use `.data()`, or declare it with `.save(..).compression(..)`".into()
            }
            Self::SecondWrite { name } | Self::Poisoned { name, .. } => {
                format!("write to a fresh one: `let {name}1 = {name}.twin(\"{name}1\")`")
            }
            Self::Writing { .. } => "wait for the run to return".into(),
            Self::Empty { .. } => "run the operator that writes it first".into(),
            Self::MissingStep { .. } => {
                "widen `.time_min(..)` and `.time_max(..)` of the run that writes it, or read fewer steps"
                    .into()
            }
            Self::Corrupt { help, .. } | Self::Compress { help, .. } => return help.clone(),
            Self::Disk { full: true, .. } => {
                "free space, choose another directory in `.layers(..)`, or compress more".into()
            }
            Self::Disk { full: false, doing, .. } => match *doing {
                "read from" => "the file was cut or its disk failed: write the history again".into(),
                _ => "name a directory that exists and can be written to in `.layers(..)`".into(),
            },
            Self::HistoryFile { help, .. } => return help.clone(),
            Self::HistoryFormat { .. } => "write it again with `.save_history(..)`".into(),
            Self::HistoryMismatch { .. } => "declare the function as the one that was saved".into(),
            Self::NotFinite { .. } | Self::RunNotFinite { .. } => {
                "the run is probably unstable: use a smaller `dt`, and check the parameters for zeros".into()
            }
            Self::ThreadStart { .. } => "ask for fewer threads".into(),
            Self::Internal { .. } => "please report it, with the program".into(),
            Self::TooLarge { .. }
            | Self::NotWriting { .. }
            | Self::ThreadCount { .. }
            | Self::Cancelled { .. }
            | Self::Panicked { .. }
            | Self::Status { .. } => return None,
        })
    }

    /// A broken contract between the compiler and the runtime.
    pub(crate) fn internal(what: impl Into<String>) -> Self {
        Self::Internal { what: what.into() }
    }

    /// A snapshot that cannot be read.
    pub(crate) fn corrupt(name: &str, snapshot: usize, error: &DecodeError) -> Self {
        Self::Corrupt { name: name.into(), snapshot, reason: error.to_string(), help: error.help() }
    }
}
