//! Memory of the machine and of this process, as Linux tells it; elsewhere nothing is known.

use wavefold::runtime::system::memory;

use crate::error::{CliError, Result};

/// Bytes that programs can still have.
pub fn available() -> Option<u64> {
    memory("/proc/meminfo", "MemAvailable:")
}

/// Refuses what needs more memory than is available: the system grants it, and kills the process when it is used.
pub fn check(what: &str, bytes: f64) -> Result<()> {
    match available() {
        Some(available) if bytes > available as f64 => {
            let (needed, available) = (bytes / 1e9, available as f64 / 1e9);
            Err(CliError::Memory { what: what.into(), needed, available })
        }
        _ => Ok(()),
    }
}

/// Peak resident size of this process over what it was at the start of the watch.
pub struct PeakWatch {
    base: Option<u64>,
}

impl PeakWatch {
    /// Begins: the resident size now is the base, and the system's record of the peak starts anew.
    pub fn start() -> PeakWatch {
        // Where the record cannot be reset, an earlier peak may count: the result is then too large, never too small.
        let _ = std::fs::write("/proc/self/clear_refs", "5");
        PeakWatch { base: status("VmRSS:") }
    }

    /// Bytes over the base.
    pub fn over_base(&self) -> Option<u64> {
        Some(status("VmHWM:")?.saturating_sub(self.base?))
    }
}

fn status(name: &str) -> Option<u64> {
    memory("/proc/self/status", name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn the_peak_sees_memory_that_is_gone() {
        let watch = PeakWatch::start();
        let used = std::hint::black_box(vec![1_u8; 64 << 20]);
        drop(used);
        assert!(watch.over_base().is_some_and(|peak| peak >= 60 << 20));
        assert!(check("nothing", 1e30).is_err());
    }
}
