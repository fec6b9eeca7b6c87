//! How much memory histories may take.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::system;

/// A number of bytes that the histories of one run share.
#[derive(Clone, Debug)]
pub struct MemoryLimit(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    bytes: usize,
    used: AtomicUsize,
}

impl MemoryLimit {
    /// A limit of `bytes`.
    #[must_use]
    pub fn new(bytes: usize) -> MemoryLimit {
        MemoryLimit(Arc::new(Shared { bytes, used: AtomicUsize::new(0) }))
    }

    /// Three quarters of the memory that the system could still give, if it tells.
    #[must_use]
    pub fn of_system() -> Option<MemoryLimit> {
        available().map(|bytes| MemoryLimit::new(bytes / 4 * 3))
    }

    /// The limit in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.0.bytes
    }

    /// Takes `bytes` of it, if there are as many left.
    pub(super) fn take(&self, bytes: usize) -> bool {
        let more = |used: usize| used.checked_add(bytes).filter(|sum| *sum <= self.0.bytes);
        self.0.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }
}

/// Bytes that can be had without swapping: those that Linux tells of, within the control group of the process.
pub(super) fn available() -> Option<usize> {
    let machine = usize::try_from(system::memory("/proc/meminfo", "MemAvailable:")?).ok()?;
    let number = |file: &str| {
        let text = std::fs::read_to_string(format!("/sys/fs/cgroup/{file}")).ok()?;
        text.trim().parse::<usize>().ok()
    };
    let group =
        number("memory.max").zip(number("memory.current")).map(|(max, used)| max.saturating_sub(used));
    Some(group.map_or(machine, |group| group.min(machine)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_shared_and_kept() {
        let limit = MemoryLimit::new(10);
        let same = limit.clone();
        assert!(limit.take(4) && same.take(6) && !limit.take(1) && same.take(0));
        assert!(!MemoryLimit::new(usize::MAX).take(usize::MAX) || !limit.take(usize::MAX));
    }
}
