//! Shared objects on disk, named by everything that they depend on.
//!
//! `<key>.so` is an object and `<key>.sum` the hash of its bytes: an object that was damaged is never loaded, since
//! the loader of the system may crash on one. Files appear by renaming, so processes may share a directory.

use crate::compiler::{Variant, processor};
use crate::{CompileError, Compiler, HEADER};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A directory of compiled kernels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cache {
    directory: Option<PathBuf>,
}

/// Where a kernel came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheStatus {
    /// It lay in the cache.
    Hit,
    /// It was compiled and put into the cache.
    Built,
    /// It was compiled, and the cache could not be written.
    Uncached,
}

/// An object on disk.
pub(crate) struct Object {
    pub(crate) path: PathBuf,
    pub(crate) variant: Variant,
    pub(crate) status: CacheStatus,
    /// Holds the object when there is no cache; it may go once the object is loaded.
    _directory: Option<TempDir>,
}

impl Cache {
    /// The user's cache: `$WAVEFOLD_CACHE_DIR`, else `$XDG_CACHE_HOME/wavefold`, else `~/.cache/wavefold`.
    pub fn user() -> Cache {
        let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        let directory = set("WAVEFOLD_CACHE_DIR")
            .or_else(|| set("XDG_CACHE_HOME").map(|d| d.join("wavefold")))
            .or_else(|| set("HOME").map(|d| d.join(".cache").join("wavefold")));
        Cache { directory }
    }

    /// A cache in a directory, which is made when it is needed.
    pub fn at(directory: impl Into<PathBuf>) -> Cache {
        Cache { directory: Some(directory.into()) }
    }

    /// The sound objects of a source that the cache holds.
    pub(crate) fn find(&self, source: &str, compiler: &Compiler) -> Option<Object> {
        let directory = self.directory.as_ref()?;
        Variant::ALL.into_iter().find_map(|variant| {
            let path = directory.join(format!("{}.so", key(source, compiler, variant)));
            is_sound(&path).then_some(Object { path, variant, status: CacheStatus::Hit, _directory: None })
        })
    }

    /// Compiles a source, in the first of the ways that works, and keeps the object.
    pub(crate) fn build(&self, source: &str, compiler: &Compiler) -> Result<Object, CompileError> {
        let work = self.work_directory()?;
        let written = std::fs::write(work.path().join("kernel.c"), source)
            .and_then(|()| std::fs::write(work.path().join("wavefold.h"), HEADER));
        written.map_err(|e| CompileError::NoDirectory { message: e.to_string() })?;
        let mut first_message = None;
        for variant in Variant::ALL {
            match compiler.run(variant, work.path(), "kernel.c", "kernel.so") {
                Ok(()) => return Ok(self.keep(work, key(source, compiler, variant), variant)),
                Err(message) => {
                    first_message.get_or_insert(message);
                }
            }
        }
        Err(CompileError::Failed {
            compiler: compiler.command(),
            message: first_message.unwrap_or_default(),
            source_file: work.keep().join("kernel.c"),
        })
    }

    /// A fresh directory within the cache, or among temporary files when the cache cannot be written.
    fn work_directory(&self) -> Result<TempDir, CompileError> {
        if let Some(directory) = &self.directory
            && std::fs::create_dir_all(directory).is_ok()
            && let Ok(work) = tempfile::Builder::new().prefix("build-").tempdir_in(directory)
        {
            return Ok(work);
        }
        tempfile::Builder::new()
            .prefix("wavefold-")
            .tempdir()
            .map_err(|e| CompileError::NoDirectory { message: e.to_string() })
    }

    /// Moves the object from its work directory into the cache; leaves it there when that fails.
    fn keep(&self, work: TempDir, key: String, variant: Variant) -> Object {
        let built = work.path().join("kernel.so");
        if let Some(directory) = &self.directory {
            let path = directory.join(format!("{key}.so"));
            if publish(&built, &path, work.path()).is_ok() {
                return Object { path, variant, status: CacheStatus::Built, _directory: None };
            }
        }
        Object { path: built, variant, status: CacheStatus::Uncached, _directory: Some(work) }
    }
}

/// Renames an object and the hash of its bytes to their places.
fn publish(built: &Path, path: &Path, work: &Path) -> std::io::Result<()> {
    let sum = work.join("kernel.sum");
    std::fs::write(&sum, blake3::hash(&std::fs::read(built)?).to_hex().as_str())?;
    std::fs::rename(built, path)?;
    if let Err(e) = std::fs::rename(&sum, path.with_extension("sum")) {
        // Without its hash the object counts as damaged; the caller must not hand out its old place either.
        std::fs::rename(path, built)?;
        return Err(e);
    }
    Ok(())
}

fn is_sound(path: &Path) -> bool {
    let (Ok(object), Ok(sum)) = (std::fs::read(path), std::fs::read_to_string(path.with_extension("sum")))
    else {
        return false;
    };
    blake3::hash(&object).to_hex().as_str() == sum
}

/// Everything that an object depends on.
fn key(source: &str, compiler: &Compiler, variant: Variant) -> String {
    let mut hasher = blake3::Hasher::new();
    let flags = variant.flags().join(" ");
    let processor = processor();
    for part in [source, HEADER, &flags, &compiler.command(), compiler.version(), &processor] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize().to_hex()[..32].to_string()
}
