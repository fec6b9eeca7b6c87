//! Framing: a slice into a stream of chunks and back, for any coder of blocks.

mod decode;
mod encode;
mod lapped;
mod line;
mod part;
mod patch;
mod pieces;
mod snr;

pub(crate) use decode::decode;
pub use encode::SliceInfo;
pub(crate) use encode::encode;
pub(crate) use part::decode_box;
pub(crate) use patch::encode_within;
pub use pieces::{PartDecoder, PartEncoder};
pub(crate) use pieces::{least_decoded, least_encoded};
pub use snr::Trend;
