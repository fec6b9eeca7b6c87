//! What a compiled program runs on: memory of fields, compressed histories, sparse tables, threads, and the
//! callbacks of a kernel.
//!
//! * [`Buffer`] and [`Dense`]: zeroed memory, and the uncompressed data of a function in it.
//! * [`Store`]: the compressed history of one function and its states.
//! * [`Data`] with [`FieldData`], [`SparseData`] and [`CompressedData`]: how a user reads and writes them.
//! * [`SparseTables`] and [`SparseValues`]: sources and receivers as kernels see them.
//! * [`threads`]: pools, and the floating-point mode of their threads.
//! * [`Host`]: one run of one kernel; fills its [`Context`](wavefold_ir::abi::Context), answers its callbacks.
//!
//! Data live in the [`Storage`](wavefold_symbolic::Storage) of their declaration, made on first use, and are
//! freed with its last handle.

mod buffer;
mod compressed_data;
mod data;
mod dense;
mod error;
mod field_data;
mod host;
pub mod locks;
mod spare;
mod sparse;
mod sparse_data;
mod store;
pub mod system;
pub mod threads;

pub use buffer::Buffer;
pub use compressed_data::{CompressedData, CompressionInfo, decompress, decompress_step, store_of};
pub use data::Data;
pub use dense::Dense;
pub use error::{Result, RuntimeError};
pub use field_data::{FieldData, dense_of};
pub use host::{EffectProfile, Host, HostBuilder, HostReport, KernelThreads, StoreProfile, status};
pub use spare::Spare;
pub use sparse::{Points, SparseTables, SparseValues};
pub use sparse_data::{SparseData, values_of};
pub use store::{MemoryLimit, State, Store, file, release_memory};

/// What programs need of this crate: `use wavefold_runtime::prelude::*`.
pub mod prelude {
    pub use crate::{
        CompressedData, CompressionInfo, Data, FieldData, RuntimeError, SparseData, decompress,
        decompress_step,
    };
}
