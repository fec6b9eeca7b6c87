//! Element types and compression settings, as the codecs define them.

pub use wavefold_codecs::{Bounded, Compression, DType};
