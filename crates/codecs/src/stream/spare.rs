//! Memory that is kept from one slice of a series for the next.

use std::fmt;

use crate::Element;

/// Bytes of a cache line.
const LINE: usize = 64;

/// Memory for the values of a slice. It is no part of what its owner is: copies have none, and all are equal.
#[derive(Default)]
pub(super) struct Spare(Vec<u64>);

impl Spare {
    /// Room for some values, which are anything, at the beginning of a cache line.
    pub(super) fn values<T: Element>(&mut self, count: usize) -> &mut [T] {
        let words = count.saturating_mul(size_of::<T>()).div_ceil(size_of::<u64>());
        let least = words + LINE / size_of::<u64>();
        if self.0.len() < least {
            self.0 = Vec::new();
            // Nobody touches these zeros, so that the threads that decode are the first to touch their parts.
            self.0 = vec![0; least];
        }
        let start = self.0.as_ptr().align_offset(LINE);
        let words = &mut self.0[start..start + words];
        // SAFETY: as many values fit in, aligned as any element is; every bit pattern is an element.
        unsafe { std::slice::from_raw_parts_mut(words.as_mut_ptr().cast(), count) }
    }
}

impl Clone for Spare {
    fn clone(&self) -> Self {
        Spare::default()
    }
}

impl PartialEq for Spare {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl fmt::Debug for Spare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", size_of_val(&self.0[..]))
    }
}
