//! Reading compressed histories.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use wavefold_codecs::{Bounded, Compression, ErrorReport, ViewMut};
use wavefold_symbolic::{FunctionDecl, TimeFunction};

use crate::data::{Scalar, array, count, with_type, zeros};
use crate::host::cube;
use crate::store::file::Kind;
use crate::threads::Everywhere;
use crate::{Data, Result, RuntimeError, State, Store};

/// The compressed history of a function, made on first use; freed with the declaration.
///
/// # Errors
/// `store::not_compressed`.
pub fn store_of(function: &FunctionDecl) -> Result<Arc<Store>> {
    if function.compression().is_none() {
        return Err(RuntimeError::NotCompressed { name: function.name().into() });
    }
    let kind = Kind {
        dtype: function.dtype(),
        shape: function.shape(),
        snapshots: function.buffers(),
        every: function.save_every(),
    };
    Ok(function.storage().get_or_init(|| Store::new(function.name(), kind, function.layers().clone())))
}

/// All snapshots of a compressed function: shape `[save, nx, ..]`.
///
/// # Errors
/// `store::not_compressed`; `store::empty`, `store::writing`, `store::poisoned`; `store::missing_step` when a
/// snapshot was never written; `store::corrupt`; `memory::allocation`.
pub fn decompress(function: &TimeFunction) -> Result<Data> {
    let store = store_of(function)?;
    store.check_range(0, function.buffers() - 1)?;
    let domain = function.shape();
    let shape = [&[function.buffers()], domain.as_slice()].concat();
    with_type!(function.dtype(), T => read::<T>(&store, 0, &domain, &shape))
}

/// One snapshot of a compressed function: shape `[nx, ..]`.
///
/// # Errors
/// As [`decompress`]; `data::out_of_range`.
pub fn decompress_step(function: &TimeFunction, snapshot: usize) -> Result<Data> {
    let (store, shape) = (store_of(function)?, function.shape());
    with_type!(function.dtype(), T => read::<T>(&store, snapshot, &shape, &shape))
}

fn read<T: Scalar>(store: &Store, first: usize, domain: &[usize], shape: &[usize]) -> Result<Data> {
    let what = format!("the decompressed `{}`", store.name());
    let mut values = zeros::<T>(count(shape, &what)?, &what)?;
    let (cube, points) = (cube(domain), count(domain, &what)?);
    for (i, slice) in values.chunks_mut(points).enumerate() {
        let snapshot = first + i;
        let stream = store.open_stream(snapshot)?;
        let view = ViewMut::dense(slice, cube).map_err(|e| RuntimeError::internal(e.to_string()))?;
        stream.decode(view, &Everywhere).map_err(|e| RuntimeError::corrupt(store.name(), snapshot, &e))?;
        store.close_stream(stream);
    }
    array(shape, values)
}

/// The state and size of a compressed history.
#[derive(Clone, Debug, PartialEq)]
pub struct CompressionInfo {
    /// Name of the function.
    pub name: String,
    /// What has happened to it.
    pub state: State,
    /// The codec that wrote it, or that it is declared with.
    pub codec: Compression,
    /// The bound on the error that it was written with, or is declared with, over the range of a snapshot.
    pub max_error: Option<f64>,
    /// Snapshots written.
    pub written: usize,
    /// Snapshots that it can hold.
    pub steps: usize,
    /// Uncompressed bytes of the snapshots written.
    pub raw_bytes: usize,
    /// Bytes of the streams.
    pub bytes: usize,
    /// Those of them that are on disk.
    pub bytes_on_disk: usize,
    /// Raw bytes over compressed bytes; 0 while nothing is written.
    pub ratio: f64,
    /// Measured error, if the run that wrote it was asked for it.
    pub errors: Option<ErrorReport>,
}

impl fmt::Display for CompressionInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CompressionInfo { name, state, written, steps, raw_bytes, bytes, ratio, .. } = self;
        let codec = Bounded { codec: self.codec, max_error: self.max_error };
        write!(f, "{name}: {codec}, {state}, {written} of {steps} snapshots, ")?;
        write!(f, "{raw_bytes} bytes in {bytes} ({ratio:.2} : 1)")?;
        match self.bytes_on_disk {
            0 => Ok(()),
            n => write!(f, ", {n} of them on disk"),
        }
    }
}

/// The history of compressed functions of time.
pub trait CompressedData {
    /// All snapshots, see [`decompress`].
    ///
    /// # Errors
    /// As [`decompress`].
    fn decompress(&self) -> Result<Data>;

    /// One snapshot, see [`decompress_step`].
    ///
    /// # Errors
    /// As [`decompress_step`].
    fn decompress_step(&self, snapshot: usize) -> Result<Data>;

    /// Writes the sealed history to a file ([format](crate::file)), which takes its name when it is complete; a file of
    /// this name is replaced.
    ///
    /// # Errors
    /// `store::not_compressed`; `store::empty`, `store::writing`, `store::poisoned`; `history::file`.
    fn save_history(&self, path: impl AsRef<Path>) -> Result<()>;

    /// Takes the history of a file as if a run had written it: it can be read, and not written. The file is read when
    /// snapshots are needed, and must stay as it is meanwhile.
    ///
    /// # Errors
    /// `store::not_compressed`; `store::second_write`, `store::writing`, `store::poisoned`; `history::file`,
    /// `history::format`; `history::mismatch` when the type, shape, number or distance of the snapshots differ.
    fn open_history(&self, path: impl AsRef<Path>) -> Result<()>;

    /// State, codec, size and, when it was measured, error.
    ///
    /// # Errors
    /// `store::not_compressed`.
    fn compression_info(&self) -> Result<CompressionInfo>;
}

impl CompressedData for TimeFunction {
    fn decompress(&self) -> Result<Data> {
        decompress(self)
    }

    fn decompress_step(&self, snapshot: usize) -> Result<Data> {
        decompress_step(self, snapshot)
    }

    fn save_history(&self, path: impl AsRef<Path>) -> Result<()> {
        store_of(self)?.save(path.as_ref())
    }

    fn open_history(&self, path: impl AsRef<Path>) -> Result<()> {
        store_of(self)?.open(path.as_ref())
    }

    fn compression_info(&self) -> Result<CompressionInfo> {
        let store = store_of(self)?;
        let declared = Bounded {
            codec: self.compression().copied().unwrap_or(Compression::Noop),
            max_error: self.max_error(),
        };
        let Bounded { codec, max_error } = store.codec().unwrap_or(declared);
        Ok(CompressionInfo {
            name: self.name().into(),
            state: store.state(),
            codec,
            max_error,
            written: store.written(),
            steps: store.steps(),
            raw_bytes: store.raw_bytes(),
            bytes: store.bytes(),
            bytes_on_disk: store.bytes_on_disk(),
            ratio: store.ratio(),
            errors: store.errors(),
        })
    }
}
