//! Memory for the streams of one history.

use std::ops::Range;
use std::sync::Arc;

use wavefold_codecs::PieceMemory;

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
    /// The bytes of a range, whatever happens to others.
    fn part(&self, range: Range<usize>) -> &[u8] {
        match &self.0 {
            Some(buffer) if range.start <= range.end && range.end <= buffer.len() => {
                // SAFETY: the range lies in the buffer, which is initialised, and nobody writes to it any more.
                unsafe { std::slice::from_raw_parts(buffer.pointer().add(range.start), range.len()) }
            }
            _ => &[],
        }
    }

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
        // Streams start on cache lines.
        let start = self.used.next_multiple_of(64);
        // A chunk that is being read is left alone.
        let last = self.chunks.last_mut().and_then(Arc::get_mut);
        if last.is_none_or(|c| c.bytes().len().saturating_sub(start) < len) {
            self.grow(len, what)?;
        }
        let chunk = self.chunks.len() - 1;
        let block = Block { chunk, start: self.used.next_multiple_of(64), len };
        let Some(room) = Arc::get_mut(&mut self.chunks[chunk]) else {
            return Err(RuntimeError::internal("a history is read while it is written"));
        };
        self.used = block.start + len;
        Ok((block, &mut room.bytes_mut()[block.start..self.used]))
    }

    /// Room for a piece of `len` bytes, to be filled without the arena, beside other such rooms. Pieces follow each other
    /// without gaps.
    pub fn room(&mut self, len: usize, what: &str) -> Result<Room> {
        if self.chunks.last().is_none_or(|c| c.bytes().len() - self.used < len) {
            self.grow(len, what)?;
        }
        let number = self.chunks.len() - 1;
        let range = self.used..self.used + len;
        self.used = range.end;
        Ok(Room { number, chunk: self.chunks[number].clone(), range })
    }

    /// One more chunk, of at least `len` bytes.
    fn grow(&mut self, len: usize, what: &str) -> Result<()> {
        let last = self.chunks.last().map_or(0, |c| c.bytes().len());
        let size = (2 * last).clamp(FIRST, LARGEST).max(len);
        // A power of two finds its like in the pool.
        let size = size.checked_next_power_of_two().unwrap_or(size);
        self.chunks.push(Arc::new(Chunk(Some(pool::take(size, what)?))));
        self.used = 0;
        Ok(())
    }

    /// The end of what is taken.
    pub fn mark(&self) -> Mark {
        Mark { chunks: self.chunks.len(), used: self.used }
    }

    /// Gives back all that was taken after `mark`.
    pub fn rewind(&mut self, mark: Mark) {
        self.chunks.truncate(mark.chunks);
        self.used = mark.used;
    }

    /// Where the pieces lie that were put since `mark`.
    pub fn since(&self, mark: Mark) -> Range<usize> {
        mark.chunks.saturating_sub(1).min(self.chunks.len())..self.chunks.len()
    }

    /// The pieces that lie somewhere, to be used without the arena.
    pub fn laid(&self, chunks: Range<usize>) -> Laid {
        Laid { first: chunks.start, chunks: self.chunks[chunks].to_vec() }
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
        self.chunk.part(self.range.clone())
    }
}

/// How far an [`Arena`] was taken.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mark {
    chunks: usize,
    used: usize,
}

/// Memory for one piece.
#[derive(Debug)]
pub(super) struct Room {
    number: usize,
    chunk: Arc<Chunk>,
    range: Range<usize>,
}

/// Bits of the place of a piece that say where it is in its chunk.
const IN_CHUNK: u32 = 40;
/// Pieces of this size and more go round the caches: nothing is read back before all others were written.
const LARGE_PIECE: usize = 4 << 10;

impl Room {
    /// Puts the piece there; the result is its place. Bytes behind the room are left out.
    pub fn fill(self, bytes: &[u8]) -> u64 {
        let len = bytes.len().min(self.range.len());
        if let Some(buffer) = &self.chunk.0 {
            // SAFETY: the arena gave this range to nobody else, and it lies in the buffer.
            unsafe {
                let to = buffer.pointer().add(self.range.start);
                if len >= LARGE_PIECE {
                    copy_round_caches(bytes.as_ptr(), to, len);
                } else {
                    std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, len);
                }
            }
        }
        (self.number as u64) << IN_CHUNK | self.range.start as u64
    }
}

/// Copies `len` bytes that will not be read soon.
///
/// # Safety
/// As for [`std::ptr::copy_nonoverlapping`].
unsafe fn copy_round_caches(from: *const u8, to: *mut u8, len: usize) {
    // SAFETY: the caller's duty; the middle is made of whole lines of `to`, and SSE2 is part of x86-64.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::x86_64::{__m128i, _mm_loadu_si128, _mm_sfence, _mm_stream_si128};
            let head = to.align_offset(64).min(len);
            let end = head + (len - head) / 64 * 64;
            std::ptr::copy_nonoverlapping(from, to, head);
            for at in (head..end).step_by(16) {
                _mm_stream_si128(to.add(at).cast::<__m128i>(), _mm_loadu_si128(from.add(at).cast()));
            }
            std::ptr::copy_nonoverlapping(from.add(end), to.add(end), len - end);
            _mm_sfence();
        }
        #[cfg(not(target_arch = "x86_64"))]
        std::ptr::copy_nonoverlapping(from, to, len);
    }
}

/// Shared chunks of an [`Arena`], in which pieces lie.
#[derive(Clone, Debug)]
pub(super) struct Laid {
    first: usize,
    chunks: Vec<Arc<Chunk>>,
}

impl PieceMemory for Laid {
    fn piece(&self, at: u64, len: usize) -> &[u8] {
        let (number, start) = ((at >> IN_CHUNK) as usize, (at & ((1 << IN_CHUNK) - 1)) as usize);
        let chunk = number.checked_sub(self.first).and_then(|i| self.chunks.get(i));
        chunk.map_or(&[], |chunk| chunk.part(start..start.saturating_add(len)))
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
    fn pieces_keep_their_bytes() {
        let mut arena = Arena::default();
        arena.reserve(100, "a test").unwrap().1.fill(9);
        let mut places = Vec::new();
        for round in 0..2_u8 {
            let mark = arena.mark();
            places.clear();
            for (i, len) in (0..200).map(|i| (i as u8 ^ round, 1 + i * i * 7 % 9001)) {
                let room = arena.room(len, "a test").unwrap();
                places.push((room.fill(&vec![i; len]), len, i));
            }
            let laid = arena.laid(arena.since(mark));
            for &(at, len, i) in &places {
                assert_eq!(laid.piece(at, len), vec![i; len]);
            }
            assert_eq!(laid.piece(99 << IN_CHUNK, 1), []);
            assert_eq!(laid.piece(1 << 39, 1), []);
            if round == 0 {
                drop(laid);
                arena.rewind(mark);
                assert_eq!((arena.mark().chunks, arena.mark().used), (mark.chunks, mark.used));
            }
        }
        let (block, room) = arena.reserve(64, "a test").unwrap();
        room.fill(3);
        assert!(block.start.is_multiple_of(64));
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
