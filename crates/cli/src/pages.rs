//! Memory on large pages where the system has them, as the runtime's fields are.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ops::{Deref, DerefMut};

/// Size of a large page.
const PAGE: usize = 2 << 20;

/// A copy of some values.
pub struct Pages<T> {
    start: *mut T,
    len: usize,
}

impl<T: Copy> Pages<T> {
    /// Copies; `values` must not be empty.
    pub fn of(values: &[T]) -> Self {
        let layout = Self::layout(values.len());
        // SAFETY: the layout is that of at least one value.
        let start = unsafe { alloc_zeroed(layout) };
        if start.is_null() {
            handle_alloc_error(layout);
        }
        #[cfg(target_os = "linux")]
        // SAFETY: the pages are ours. Advice that the system does not take does no harm.
        unsafe {
            libc::madvise(start.cast(), layout.size(), libc::MADV_HUGEPAGE);
        }
        let start = start.cast::<T>();
        // SAFETY: the memory is as long as the values, and nobody else's.
        unsafe { start.copy_from_nonoverlapping(values.as_ptr(), values.len()) };
        Pages { start, len: values.len() }
    }
}

impl<T> Pages<T> {
    /// Whole pages.
    fn layout(len: usize) -> Layout {
        let bytes = (len * size_of::<T>()).max(1).next_multiple_of(PAGE);
        Layout::from_size_align(bytes, PAGE).expect("values that are in memory have a layout")
    }
}

impl<T> Deref for Pages<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: `of` has written that many values.
        unsafe { std::slice::from_raw_parts(self.start, self.len) }
    }
}

impl<T> DerefMut for Pages<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as above, and borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.start, self.len) }
    }
}

impl<T> Drop for Pages<T> {
    fn drop(&mut self) {
        // SAFETY: made by `of` with this layout.
        unsafe { dealloc(self.start.cast(), Self::layout(self.len)) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_what_it_copied() {
        let values: Vec<f64> = (0..1000).map(f64::from).collect();
        let mut pages = Pages::of(&values);
        assert_eq!(*pages, values[..]);
        pages[999] = -1.0;
        assert_eq!((pages[0], pages[999]), (0.0, -1.0));
    }
}
