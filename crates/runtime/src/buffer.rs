//! Zeroed memory for fields and streams.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};

use wavefold_codecs::{DType, Element};

use crate::{Result, RuntimeError};

/// Alignment of every buffer: a cache line, and the widest vector.
const ALIGN: usize = 64;

/// Size of a large page; buffers of this size and more are mapped.
const LARGE_PAGE: usize = 2 << 20;

/// Zeroed memory that is aligned for vectors.
///
/// From 2 MiB on (on Linux) the memory is mapped, shortly after a 2 MiB boundary, with large pages asked for: the first
/// touch of fresh 4 KiB pages costs seconds per GiB. Pages are real only once they are touched.
#[derive(Debug)]
pub struct Buffer {
    start: NonNull<u8>,
    len: usize,
    owner: Owner,
}

/// Whose memory it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    /// The allocator's, aligned to [`ALIGN`].
    Heap,
    /// Mapped pages.
    Mapped,
    /// That of a vector of `capacity` values, taken over.
    Vector { dtype: DType, capacity: usize },
    /// Somebody else's.
    Lent,
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
            Some((NonNull::without_provenance(const { std::num::NonZero::new(ALIGN).unwrap() }), Owner::Lent))
        } else if len >= LARGE_PAGE && cfg!(target_os = "linux") {
            map(len).map(|start| (start, Owner::Mapped))
        } else {
            allocate(len).map(|start| (start, Owner::Heap))
        };
        match found {
            Some((start, owner)) => Ok(Buffer { start, len, owner }),
            None => Err(RuntimeError::Allocation { what: what.into(), bytes: len }),
        }
    }

    /// The memory of a vector, taken over without a copy; aligned as its values are.
    #[must_use]
    pub fn from_vec<T: Element>(values: Vec<T>) -> Buffer {
        let mut values = std::mem::ManuallyDrop::new(values);
        let owner = Owner::Vector { dtype: T::DTYPE, capacity: values.capacity() };
        let len = size_of_val(values.as_slice());
        // SAFETY: the pointer of a vector is never null.
        let start = unsafe { NonNull::new_unchecked(values.as_mut_ptr().cast()) };
        Buffer { start, len, owner }
    }

    /// The vector that was taken over; the buffer again when there was none, or one of another type.
    ///
    /// # Errors
    /// The buffer, unchanged.
    pub fn into_vec<T: Element>(self) -> std::result::Result<Vec<T>, Buffer> {
        match self.owner {
            Owner::Vector { dtype, capacity } if dtype == T::DTYPE => {
                let buffer = std::mem::ManuallyDrop::new(self);
                let len = buffer.len / size_of::<T>();
                // SAFETY: `from_vec` took these parts from a vector of this type, and nothing else frees them.
                Ok(unsafe { Vec::from_raw_parts(buffer.start.as_ptr().cast(), len, capacity) })
            }
            _ => Err(self),
        }
    }

    /// Memory of somebody else, `len` bytes.
    ///
    /// # Safety
    /// The bytes are initialised, aligned for the values that they are used as, and stay valid as long as the buffer;
    /// nothing else reads or writes them while the buffer is in use.
    #[must_use]
    pub unsafe fn lent(start: NonNull<u8>, len: usize) -> Buffer {
        Buffer { start, len, owner: Owner::Lent }
    }

    /// Whether the memory is that of a vector taken over.
    #[must_use]
    pub fn is_adopted(&self) -> bool {
        matches!(self.owner, Owner::Vector { .. })
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

    /// The first byte, 64-byte aligned unless the memory was brought.
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
        match self.owner {
            Owner::Lent => {}
            Owner::Mapped => unmap(self.start, self.len),
            Owner::Heap => {
                if let Ok(layout) = Layout::from_size_align(self.len, ALIGN) {
                    // SAFETY: `allocate` made it with this layout.
                    unsafe { dealloc(self.start.as_ptr(), layout) }
                }
            }
            Owner::Vector { dtype, capacity } => {
                let layout = match dtype {
                    DType::F32 => Layout::array::<f32>(capacity),
                    DType::F64 => Layout::array::<f64>(capacity),
                };
                if let Ok(layout) = layout
                    && layout.size() > 0
                {
                    // SAFETY: a vector of these values has this layout, and it was taken over.
                    unsafe { dealloc(self.start.as_ptr(), layout) }
                }
            }
        }
    }
}

fn allocate(len: usize) -> Option<NonNull<u8>> {
    let layout = Layout::from_size_align(len, ALIGN).ok()?;
    // SAFETY: `len` is not 0.
    NonNull::new(unsafe { alloc_zeroed(layout) })
}

/// Lines of cache by which a mapping begins later than the one before, and after how many they begin again. Were all on
/// one boundary, equal points of all fields would compete for one set of each cache, and a store to one would look to the
/// processor like one to the others, of which it compares the lowest twelve bits.
const STAGGER: (usize, usize) = (131, 32);

/// Bytes that are mapped for `len`: whole pages of any common size, so that the rest can be given back.
#[cfg(target_os = "linux")]
fn whole_pages(len: usize) -> Option<usize> {
    len.checked_next_multiple_of(64 << 10)
}

#[cfg(target_os = "linux")]
fn map(len: usize) -> Option<NonNull<u8>> {
    static MADE: AtomicUsize = AtomicUsize::new(0);
    let shift = MADE.fetch_add(1, Ordering::Relaxed) % STAGGER.1 * STAGGER.0 * ALIGN;
    let size = whole_pages(len.checked_add(shift)?)?;
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
        NonNull::new(start.add(shift))
    }
}

#[cfg(target_os = "linux")]
fn unmap(start: NonNull<u8>, len: usize) {
    let shift = start.addr().get() % LARGE_PAGE;
    if let Some(size) = whole_pages(len + shift) {
        // SAFETY: `map` kept exactly this range, and nothing borrows it any more.
        unsafe { libc::munmap(start.as_ptr().sub(shift).cast(), size) };
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
            assert_eq!(buffer.pointer() as usize % ALIGN, 0, "{len}");
            buffer.bytes_mut().fill(7);
            assert!(buffer.bytes().iter().all(|b| *b == 7));
            assert_eq!(buffer.values::<f64>().len(), len / 8);
            buffer.values_mut::<f32>().fill(1.5);
            assert!(buffer.values::<f32>().iter().all(|v| *v == 1.5));
        }
    }

    #[test]
    fn vectors_are_taken_over_and_handed_back() {
        let mut values = Vec::with_capacity(100);
        values.extend([1.0_f64, 2.0, 3.0]);
        let start = values.as_ptr();
        let mut buffer = Buffer::from_vec(values);
        assert_eq!((buffer.len(), buffer.values::<f64>()), (24, &[1.0, 2.0, 3.0][..]));
        buffer.values_mut::<f64>()[1] = 5.0;
        let buffer = buffer.into_vec::<f32>().unwrap_err();
        let values = buffer.into_vec::<f64>().unwrap();
        assert_eq!((values.as_ptr(), &values[..]), (start, &[1.0, 5.0, 3.0][..]));
        drop(Buffer::from_vec(values));
        drop(Buffer::from_vec(Vec::<f32>::new()));
        assert!(Buffer::zeroed(8, "a test").unwrap().into_vec::<f32>().is_err());
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
