//! Memory of histories that are gone, kept for the next ones.
//!
//! Fresh pages are cleared by the system when they are first touched, which costs several times what writing to them does.
//! Shots of an inversion make histories of much the same size, one after the other: they take over each other's pages.

use std::sync::Mutex;

use super::limit::available;
use crate::locks::lock;
use crate::{Buffer, Result};

/// Chunks that nobody uses. Their sum never exceeds what histories used at one time, since all of it was in use.
static FREE: Mutex<Vec<Buffer>> = Mutex::new(Vec::new());

/// Chunks smaller than this go back to the allocator, which keeps them itself.
const KEPT: usize = 2 << 20;

/// A chunk of `len` bytes of any content.
pub(super) fn take(len: usize, what: &str) -> Result<Buffer> {
    let mut free = lock(&FREE);
    if let Some(i) = free.iter().rposition(|chunk| chunk.len() == len) {
        return Ok(free.swap_remove(i));
    }
    match Buffer::zeroed(len, what) {
        // What is kept may be all that is missing.
        Err(_) if !free.is_empty() => {
            free.clear();
            Buffer::zeroed(len, what)
        }
        made => made,
    }
}

/// Takes a chunk back.
pub(super) fn give(chunk: Buffer) {
    if chunk.len() >= KEPT && chunk.len().is_power_of_two() {
        lock(&FREE).push(chunk);
    }
}

/// Before `bytes` are taken for a field: what is kept for coming histories goes back where memory is short.
pub(crate) fn make_room(bytes: usize) {
    let kept = bytes >= KEPT && !lock(&FREE).is_empty();
    if kept && is_short(bytes, available()) {
        release_memory();
    }
}

/// Memory that was taken before may not have been touched yet, so half of what is free is left for it.
fn is_short(bytes: usize, free: Option<usize>) -> bool {
    free.is_some_and(|free| bytes > free / 2)
}

/// Gives the memory that is kept for coming histories back to the system; returns its bytes.
pub fn release_memory() -> usize {
    let free = std::mem::take(&mut *lock(&FREE));
    free.iter().map(Buffer::len).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_made_where_memory_is_short() {
        assert!(is_short(12 << 30, Some(11 << 30)) && is_short(6 << 30, Some(11 << 30)));
        assert!(!is_short(5 << 30, Some(11 << 30)) && !is_short(usize::MAX, None));
    }
}
