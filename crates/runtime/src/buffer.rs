//! Zeroed memory for fields and streams.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ptr::NonNull;

use wavefold_codecs::Element;

use crate::{Result, RuntimeError};

/// Alignment of every buffer: a cache line, and the widest vector.
const ALIGN: usize = 64;

/// Size of a large page; buffers of this size and more are mapped, and aligned to it.
const LARGE_PAGE: usize = 2 << 20;

/// Zeroed memory that is aligned for vectors.
///
/// From 2 MiB on (on Linux) the memory is mapped, on a 2 MiB boundary, with large pages asked for: the first
/// touch of fresh 4 KiB pages costs seconds per GiB. Pages are real only once they are touched.
#[derive(Debug)]
pub struct Buffer {
    start: NonNull<u8>,
    len: usize,
    mapped: bool,
}

// SAFETY: the buffer owns its memory and hands out references by the borrow rules only.
unsafe impl Send for Buffer {}
// SAFETY: as above; shared access is reading.
unsafe impl Sync for Buffer {}

impl Buffer {
    /// `len` bytes of zeros; `what` names their use in the error.
    ///
    /// # Errors
    /// `memory::allocation`.
    pub fn zeroed(len: usize, what: &str) -> Result<Buffer> {
        let found = if len == 0 {
            // Aligned, and never read.
            Some((NonNull::without_provenance(const { std::num::NonZero::new(ALIGN).unwrap() }), false))
        } else if len >= LARGE_PAGE && cfg!(target_os = "linux") {
            map(len).map(|start| (start, true))
        } else {
            allocate(len).map(|start| (start, false))
        };
        match found {
            Some((start, mapped)) => Ok(Buffer { start, len, mapped }),
            None => Err(RuntimeError::Allocation { what: what.into(), bytes: len }),
        }
    }

    /// Number of bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The first byte, 64-byte aligned.
    ///
    /// Writing through it needs exclusive access to the buffer, as [`Buffer::values_mut`] has it.
    #[must_use]
    pub fn pointer(&self) -> *mut u8 {
        self.start.as_ptr()
    }

    /// The bytes as values; a rest that is no whole value is left out.
    #[must_use]
    pub fn values<T: Element>(&self) -> &[T] {
        // SAFETY: the memory is initialised, aligned and owned; every bit pattern is a value of f32 and f64.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr().cast(), self.len / size_of::<T>()) }
    }

    /// The bytes as values that can be changed.
    #[must_use]
    pub fn values_mut<T: Element>(&mut self) -> &mut [T] {
        // SAFETY: as in `values`, and `self` is borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr().cast(), self.len / size_of::<T>()) }
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: the memory is initialised and owned.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }

    /// The bytes, to be changed.
    #[must_use]
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: the memory is initialised and owned, and `self` is borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.len == 0 {
        } else if self.mapped {
            unmap(self.start, self.len);
        } else if let Ok(layout) = Layout::from_size_align(self.len, ALIGN) {
            // SAFETY: `allocate` made it with this layout.
            unsafe { dealloc(self.start.as_ptr(), layout) }
        }
    }
}

fn allocate(len: usize) -> Option<NonNull<u8>> {
    let layout = Layout::from_size_align(len, ALIGN).ok()?;
    // SAFETY: `len` is not 0.
    NonNull::new(unsafe { alloc_zeroed(layout) })
}

/// Bytes that are mapped for `len`: whole pages of any common size, so that the rest can be given back.
#[cfg(target_os = "linux")]
fn whole_pages(len: usize) -> Option<usize> {
    len.checked_next_multiple_of(64 << 10)
}

#[cfg(target_os = "linux")]
fn map(len: usize) -> Option<NonNull<u8>> {
    let size = whole_pages(len)?;
    let reserved = size.checked_add(LARGE_PAGE)?;
    isize::try_from(reserved).ok()?;
    let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: a fresh anonymous mapping touches no other memory.
    let base = unsafe { libc::mmap(std::ptr::null_mut(), reserved, protection, flags, -1, 0) };
    if base == libc::MAP_FAILED {
        return None;
    }
    let base = base.cast::<u8>();
    let head = base.align_offset(LARGE_PAGE).min(LARGE_PAGE);
    let tail = LARGE_PAGE - head;
    // SAFETY: head, buffer and tail are disjoint parts of the mapping, in whole pages; only the buffer is
    // kept.
    unsafe {
        let start = base.add(head);
        if head > 0 {
            libc::munmap(base.cast(), head);
        }
        if tail > 0 {
            libc::munmap(start.add(size).cast(), tail);
        }
        // Advice only: without large pages the buffer is slower to touch, nothing else.
        libc::madvise(start.cast(), size, libc::MADV_HUGEPAGE);
        NonNull::new(start)
    }
}

#[cfg(target_os = "linux")]
fn unmap(start: NonNull<u8>, len: usize) {
    if let Some(size) = whole_pages(len) {
        // SAFETY: `map` kept exactly this range, and nothing borrows it any more.
        unsafe { libc::munmap(start.as_ptr().cast(), size) };
    }
}

#[cfg(not(target_os = "linux"))]
fn map(_: usize) -> Option<NonNull<u8>> {
    None
}

#[cfg(not(target_os = "linux"))]
fn unmap(_: NonNull<u8>, _: usize) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_zero_and_aligned() {
        for len in [0, 1, 64, 100_000, LARGE_PAGE - 1, LARGE_PAGE, 3 * LARGE_PAGE + 12_345] {
            let mut buffer = Buffer::zeroed(len, "a test").unwrap();
            assert_eq!(buffer.len(), len);
            assert_eq!(buffer.is_empty(), len == 0);
            assert!(buffer.bytes().iter().all(|b| *b == 0));
            let align = if len >= LARGE_PAGE && cfg!(target_os = "linux") { LARGE_PAGE } else { ALIGN };
            assert_eq!(buffer.pointer() as usize % align, 0, "{len}");
            buffer.bytes_mut().fill(7);
            assert!(buffer.bytes().iter().all(|b| *b == 7));
            assert_eq!(buffer.values::<f64>().len(), len / 8);
            buffer.values_mut::<f32>().fill(1.5);
            assert!(buffer.values::<f32>().iter().all(|v| *v == 1.5));
        }
    }

    #[test]
    fn memory_that_is_not_there_is_an_error() {
        for len in [usize::MAX, isize::MAX as usize, usize::MAX - 4096, 1 << 60] {
            let error = Buffer::zeroed(len, "`u`").unwrap_err();
            assert_eq!(error.code(), "memory::allocation");
            assert!(error.to_string().contains("`u`") && error.help().is_some());
        }
    }
}
