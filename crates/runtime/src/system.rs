//! What several crates ask of the system: memory, and files that are there whole or not at all.

use std::io;
use std::path::Path;

use tempfile::NamedTempFile;

/// A field `Name:  1234 kB` of a file such as `/proc/meminfo` or `/proc/self/status`, in bytes; `name` ends with the colon.
/// `None` elsewhere than on Linux.
#[must_use]
pub fn memory(file: &str, name: &str) -> Option<u64> {
    field(&std::fs::read_to_string(file).ok()?, name)
}

fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|l| l.strip_prefix(name))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

/// Bytes of the second-level cache of a core; `None` where the system does not tell.
#[must_use]
pub fn second_level_cache() -> Option<usize> {
    let text = std::fs::read_to_string("/sys/devices/system/cpu/cpu0/cache/index2/size").ok()?;
    text.trim().strip_suffix('K')?.parse::<usize>().ok()?.checked_mul(1024)
}

/// A new file in the directory of `path`, since only there it can take that name when it is complete. Its extension is that
/// of `path`; it is not private, as temporary files are, but readable for those whom the user's mask allows.
///
/// # Errors
/// Those of the system.
pub fn temporary_beside(path: &Path) -> io::Result<NamedTempFile> {
    let directory = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let suffix = path.extension().map_or_else(String::new, |e| format!(".{}", e.to_string_lossy()));
    let mut builder = tempfile::Builder::new();
    builder.prefix(".wavefold").suffix(&suffix);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_in_kib() {
        assert_eq!(field("A: 1 kB\nVmRSS:\t  20 kB\n", "VmRSS:"), Some(20 * 1024));
        assert_eq!(field("A: 1 kB\n", "VmRSS:"), None);
    }
}
