//! Memory for the streams of one history.

use std::ops::Range;
use std::sync::Arc;

use super::pool;
use crate::{Buffer, Result, RuntimeError};

/// Size of the first chunk.
const FIRST: usize = 64 << 10;
/// Size up to which chunks double.
const LARGEST: usize = 256 << 20;

/// Where a stream lies in an [`Arena`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
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

/// Memory that goes back to the [`pool`].
#[derive(Debug)]
struct Chunk(Option<Buffer>);

impl Chunk {
    fn bytes(&self) -> &[u8] {
        self.0.as_ref().map_or(&[], Buffer::bytes)
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        self.0.as_mut().map_or(&mut [], Buffer::bytes_mut)
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        self.0.take().into_iter().for_each(pool::give);
    }
}

/// Streams, one behind the other in large chunks: thousands of them share the large pages of a few buffers.
///
/// What is left over at the end of a chunk is address space that was never touched.
#[derive(Debug, Default)]
pub(super) struct Arena {
    chunks: Vec<Arc<Chunk>>,
    used: usize,
}

impl Arena {
    /// Room for a stream of `len` bytes, to be filled by the caller; `what` names its use in the error.
    pub fn reserve(&mut self, len: usize, what: &str) -> Result<(Block, &mut [u8])> {
        let last = self.chunks.last().map_or(0, |c| c.bytes().len());
        // A chunk that is being read is left alone.
        let free = self.chunks.last_mut().and_then(Arc::get_mut).map_or(0, |c| c.bytes().len() - self.used);
        if self.chunks.is_empty() || free < len {
            let size = (2 * last).clamp(FIRST, LARGEST).max(len);
            // A power of two finds its like in the pool.
            let size = size.checked_next_power_of_two().unwrap_or(size);
            self.chunks.push(Arc::new(Chunk(Some(pool::take(size, what)?))));
            self.used = 0;
        }
        let chunk = self.chunks.len() - 1;
        let block = Block { chunk, start: self.used, len };
        let Some(room) = Arc::get_mut(&mut self.chunks[chunk]) else {
            return Err(RuntimeError::internal("a history is read while it is written"));
        };
        let room = room.bytes_mut();
        // Streams start on cache lines.
        self.used = (block.start + len).next_multiple_of(64).min(room.len());
        Ok((block, &mut room[block.start..block.start + len]))
    }

    /// The bytes of a stream, to be used without the arena.
    pub fn get(&self, block: Block) -> Kept {
        Kept { chunk: self.chunks[block.chunk].clone(), range: block.start..block.start + block.len }
    }
}

/// Shared bytes of an [`Arena`].
#[derive(Debug)]
pub(super) struct Kept {
    chunk: Arc<Chunk>,
    range: Range<usize>,
}

impl Kept {
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

    #[test]
    fn chunks_go_from_one_history_to_the_next() {
        // A size that no other test uses.
        let size = 32 << 20;
        let mut arena = Arena::default();
        let (block, room) = arena.reserve(size - 7, "a test").unwrap();
        room[0] = 1;
        let kept = arena.get(block);
        let start = kept.bytes().as_ptr();
        drop(arena);
        assert_ne!(pool::take(size, "a test").unwrap().bytes().as_ptr(), start, "a reader still has it");
        drop(kept);
        let again = pool::take(size, "a test").unwrap();
        assert_eq!(again.bytes().as_ptr(), start);
        pool::give(again);
        assert!(pool::release_memory() >= size);
    }
}
