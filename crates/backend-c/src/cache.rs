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

    /// Where it is; nowhere when the environment names no home.
    pub fn directory(&self) -> Option<&Path> {
        self.directory.as_deref()
    }

    /// The object of a source with what `load` makes of it, in the best of the ways that work: from the cache, or else
    /// compiled and kept there. An object of a lesser way never stands in for a better one that can be had.
    pub(crate) fn object<T>(
        &self,
        source: &str,
        compiler: &Compiler,
        load: impl Fn(&Path) -> Result<T, libloading::Error>,
    ) -> Result<(Object, T), CompileError> {
        let (mut failed, mut first_failure) = (Vec::new(), None);
        for variant in Variant::ALL {
            let loaded = match self.find(source, compiler, variant) {
                Some(object) => load(&object.path).ok().map(|loaded| (object, loaded)),
                None => None,
            };
            let built = match loaded {
                Some(loaded) => Ok(loaded),
                None if compiler.refuses(variant) => continue,
                None => self.build(source, compiler, variant, &load)?,
            };
            match built {
                Ok(found) => {
                    compiler.refuse(&failed);
                    return Ok(found);
                }
                Err(failure) => {
                    failed.push(variant);
                    first_failure.get_or_insert(failure);
                }
            }
        }
        Err(match first_failure {
            Some(failure) => failure.into_error(compiler),
            // The variants that are refused failed where a later one worked, so the last never is.
            None => CompileError::NoCompiler { tried: vec![compiler.command()] },
        })
    }

    /// As [`object`](Cache::object), without compiling: nothing when the best way that may work is not in the cache.
    pub(crate) fn held<T>(
        &self,
        source: &str,
        compiler: &Compiler,
        load: impl Fn(&Path) -> Result<T, libloading::Error>,
    ) -> Option<(Object, T)> {
        let variant = Variant::ALL.into_iter().find(|v| !compiler.refuses(*v))?;
        let object = self.find(source, compiler, variant)?;
        let loaded = load(&object.path).ok()?;
        Some((object, loaded))
    }

    /// The sound object of a source that the cache holds.
    fn find(&self, source: &str, compiler: &Compiler, variant: Variant) -> Option<Object> {
        let path = self.directory.as_ref()?.join(format!("{}.so", key(source, compiler, variant)));
        is_sound(&path).then_some(Object { path, variant, status: CacheStatus::Hit })
    }

    /// Compiles a source, keeps the object and loads it. The outer error is that nothing can be written anywhere.
    fn build<T>(
        &self,
        source: &str,
        compiler: &Compiler,
        variant: Variant,
        load: impl Fn(&Path) -> Result<T, libloading::Error>,
    ) -> Result<Result<(Object, T), Failure>, CompileError> {
        let work = self.work_directory()?;
        let written = std::fs::write(work.path().join("kernel.c"), source)
            .and_then(|()| std::fs::write(work.path().join("wavefold.h"), HEADER));
        written.map_err(|e| CompileError::NoDirectory { message: e.to_string() })?;
        if let Err(message) = compiler.run(variant, work.path(), "kernel.c", "kernel.so") {
            return Ok(Err(Failure::Compile { message, work }));
        }
        let object = self.keep(&work, key(source, compiler, variant), variant);
        // An object that could not be kept goes with its work directory, once it is loaded.
        Ok(match load(&object.path) {
            Ok(loaded) => Ok((object, loaded)),
            Err(e) => Err(Failure::Load { object: object.path, message: e.to_string() }),
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
    fn keep(&self, work: &TempDir, key: String, variant: Variant) -> Object {
        let built = work.path().join("kernel.so");
        if let Some(directory) = &self.directory {
            let path = directory.join(format!("{key}.so"));
            if publish(&built, &path, work.path()).is_ok() {
                return Object { path, variant, status: CacheStatus::Built };
            }
        }
        Object { path: built, variant, status: CacheStatus::Uncached }
    }
}

/// Why one way to compile does not work.
enum Failure {
    Compile { message: String, work: TempDir },
    Load { object: PathBuf, message: String },
}

impl Failure {
    fn into_error(self, compiler: &Compiler) -> CompileError {
        match self {
            Failure::Compile { message, work } => CompileError::Failed {
                compiler: compiler.command(),
                message,
                source_file: work.keep().join("kernel.c"),
            },
            Failure::Load { object, message } => CompileError::Load { object, message },
        }
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
    let flags = compiler.flags(variant).join(" ");
    let processor = processor();
    for part in [source, HEADER, &flags, &compiler.command(), compiler.version(), &processor] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize().to_hex()[..32].to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lesser_object_does_not_stand_in_for_a_better_one() {
        let directory = tempfile::tempdir().unwrap();
        let (cache, compiler) = (Cache::at(directory.path()), Compiler::required().unwrap());
        let source = "int answer(void) { return 42; }\n";
        let [best, .., least] = Variant::ALL;
        let load = |_: &Path| Ok(());
        let built = cache.build(source, &compiler, least, load).unwrap();
        assert!(built.is_ok_and(|(object, ())| object.status == CacheStatus::Built));
        assert!(cache.find(source, &compiler, least).is_some());
        // What is there is not the best.
        assert!(cache.held(source, &compiler, load).is_none());
        for status in [CacheStatus::Built, CacheStatus::Hit] {
            let (object, ()) = cache.object(source, &compiler, load).unwrap();
            assert_eq!((object.variant, object.status), (best, status));
        }
        let held = cache.held(source, &compiler, load);
        assert!(held.is_some_and(|(object, ())| object.status == CacheStatus::Hit));
        assert!(cache.held("int other;\n", &compiler, load).is_none());
    }
}
