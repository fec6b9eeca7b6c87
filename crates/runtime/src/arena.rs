//! Memory for the streams of one history.

use std::ops::Range;
use std::sync::Arc;

use crate::{Buffer, Result, RuntimeError};

/// Size of the first chunk.
const FIRST: usize = 64 << 10;
/// Size up to which chunks double.
const LARGEST: usize = 256 << 20;

/// Where a stream lies in an [`Arena`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block {
    chunk: usize,
    start: usize,
    len: usize,
}

impl Block {
    /// Bytes of the stream.
    pub fn len(self) -> usize {
        self.len
    }
}

/// Streams, one behind the other in large chunks: thousands of them share the large pages of a few buffers.
///
/// What is left over at the end of a chunk is address space that was never touched.
#[derive(Debug, Default)]
pub(crate) struct Arena {
    chunks: Vec<Arc<Buffer>>,
    used: usize,
}

impl Arena {
    /// Room for a stream of `len` bytes, to be filled by the caller; `what` names its use in the error.
    pub fn reserve(&mut self, len: usize, what: &str) -> Result<(Block, &mut [u8])> {
        let last = self.chunks.last().map_or(0, |c| c.len());
        // A chunk that is being read is left alone.
        let free = self.chunks.last_mut().and_then(Arc::get_mut).map_or(0, |c| c.len() - self.used);
        if self.chunks.is_empty() || free < len {
            let size = (2 * last).clamp(FIRST, LARGEST).max(len);
            self.chunks.push(Arc::new(Buffer::zeroed(size, what)?));
            self.used = 0;
        }
        let chunk = self.chunks.len() - 1;
        let block = Block { chunk, start: self.used, len };
        let Some(room) = Arc::get_mut(&mut self.chunks[chunk]) else {
            return Err(RuntimeError::internal("a history is read while it is written"));
        };
        // Streams start on cache lines.
        self.used = (block.start + len).next_multiple_of(64).min(room.len());
        Ok((block, &mut room.bytes_mut()[block.start..block.start + len]))
    }

    /// The bytes of a stream, to be used without the arena.
    pub fn get(&self, block: Block) -> Stream {
        Stream { chunk: self.chunks[block.chunk].clone(), range: block.start..block.start + block.len }
    }
}

/// Shared bytes of an [`Arena`].
#[derive(Debug)]
pub(crate) struct Stream {
    chunk: Arc<Buffer>,
    range: Range<usize>,
}

impl Stream {
    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.chunk.bytes()[self.range.clone()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_keep_their_bytes() {
        let mut arena = Arena::default();
        let sizes = [0, 1, 63, 64, 65, 1000, FIRST, 3 * FIRST + 1, 5, 40_000, 100_000, 2 << 20, 17];
        let blocks: Vec<Block> = (0_u8..)
            .zip(sizes)
            .map(|(i, len)| {
                let (block, room) = arena.reserve(len, "a test").unwrap();
                room.fill(i + 1);
                block
            })
            .collect();
        for ((i, len), block) in (0_u8..).zip(sizes).zip(blocks) {
            assert_eq!(block.len(), len);
            assert_eq!(arena.get(block).bytes(), vec![i + 1; len]);
        }
    }
}
