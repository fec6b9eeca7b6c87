//! Framing: a slice into a stream of chunks and back, for any coder of blocks.

mod decode;
mod encode;
mod lapped;
mod line;
mod part;
mod part_decoder;
mod part_encoder;
mod patch;
mod pieces;
mod snr;
mod spare;

pub(crate) use decode::decode;
pub use encode::SliceInfo;
pub(crate) use encode::encode;
pub(crate) use part::decode_box;
pub use part_decoder::PartDecoder;
pub(crate) use part_decoder::least_decoded;
pub use part_encoder::PartEncoder;
pub(crate) use part_encoder::least_encoded;
pub(crate) use patch::encode_within;
pub use pieces::{PieceMemory, Pieces};
pub use snr::Trend;
