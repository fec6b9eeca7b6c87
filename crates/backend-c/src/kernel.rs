//! From a tree to a function in memory.

use crate::cache::Object;
use crate::{Cache, CacheStatus, CompileError, Compiler, ENTRY};
use libloading::Library;
use std::path::Path;
use std::time::Instant;
use wavefold_ir::abi::KernelFn;
use wavefold_ir::tree::Program;

/// A compiled and loaded program.
pub struct Kernel {
    entry: KernelFn,
    openmp: bool,
    source: String,
    status: CacheStatus,
    compile_seconds: f64,
    /// Keeps the code in memory.
    _library: Library,
}

impl std::fmt::Debug for Kernel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kernel").field("status", &self.status).field("openmp", &self.openmp).finish()
    }
}

impl Kernel {
    fn of(source: String, (object, (library, entry)): (Object, Loaded), start: Instant) -> Kernel {
        Kernel {
            entry,
            openmp: object.variant.openmp,
            source,
            status: object.status,
            compile_seconds: start.elapsed().as_secs_f64(),
            _library: library,
        }
    }

    /// The function. It must not be called after the kernel is dropped.
    pub fn entry(&self) -> KernelFn {
        self.entry
    }

    /// Whether its loops run on several threads; otherwise it ignores the number of threads.
    pub fn uses_openmp(&self) -> bool {
        self.openmp
    }

    /// The C source.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether it came from the cache.
    pub fn cached(&self) -> bool {
        self.status == CacheStatus::Hit
    }

    /// Where it came from.
    pub fn cache_status(&self) -> CacheStatus {
        self.status
    }

    /// Seconds from the tree to the loaded function, by compiler or cache.
    pub fn compile_seconds(&self) -> f64 {
        self.compile_seconds
    }
}

/// Compiles a verified program with the compiler of [`Compiler::find`] and the user's cache.
///
/// # Errors
/// See [`CompileError`].
pub fn compile(program: &Program) -> Result<Kernel, CompileError> {
    compile_with(program, &Compiler::required()?, &Cache::user())
}

/// Compiles a verified program.
///
/// # Errors
/// See [`CompileError`].
pub fn compile_with(program: &Program, compiler: &Compiler, cache: &Cache) -> Result<Kernel, CompileError> {
    let start = Instant::now();
    let source = crate::emit(program);
    let found = cache.object(&source, compiler, load)?;
    Ok(Kernel::of(source, found, start))
}

/// The kernel of a verified program that the cache holds; nothing is compiled.
pub fn cached(program: &Program, compiler: &Compiler, cache: &Cache) -> Option<Kernel> {
    let start = Instant::now();
    let source = crate::emit(program);
    let found = cache.held(&source, compiler, load)?;
    Some(Kernel::of(source, found, start))
}

type Loaded = (Library, KernelFn);

fn load(path: &Path) -> Result<Loaded, libloading::Error> {
    let library = open(path)?;
    // SAFETY: objects hold what `emit` printed, where this symbol is a function of this type.
    let entry = unsafe { *library.get::<KernelFn>(ENTRY.as_bytes())? };
    Ok((library, entry))
}

/// Objects stay in memory until the process ends: they bring the OpenMP runtime with them, whose idle threads would
/// be left without code if the last object that needs it went away.
#[cfg(unix)]
fn open(path: &Path) -> Result<Library, libloading::Error> {
    use libloading::os::unix;
    const RTLD_NODELETE: i32 = if cfg!(target_os = "macos") { 0x80 } else { 0x1000 };
    // SAFETY: the object was made by this crate and has no initialisers of its own.
    unsafe {
        unix::Library::open(Some(path), unix::RTLD_NOW | unix::RTLD_LOCAL | RTLD_NODELETE).map(Library::from)
    }
}

#[cfg(not(unix))]
fn open(path: &Path) -> Result<Library, libloading::Error> {
    // SAFETY: the object was made by this crate and has no initialisers of its own.
    unsafe { Library::new(path) }
}
