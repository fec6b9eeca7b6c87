//! What the compiler knows of the machine that it compiles for.

/// Threads and caches, from which tiles are chosen. What a program computes does not depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Threads that may run at the same time.
    pub threads: usize,
    /// Bytes of the second-level cache, which each thread has for itself.
    pub cache: usize,
}

impl Machine {
    /// Bytes that the second-level caches of all threads hold.
    pub fn caches(&self) -> usize {
        self.threads.max(1).saturating_mul(self.cache)
    }
}

impl Default for Machine {
    /// A common one: for tests, and where nothing is known.
    fn default() -> Machine {
        Machine { threads: 8, cache: 1 << 20 }
    }
}
