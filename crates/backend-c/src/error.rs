//! What can go wrong between a tree and a loaded kernel.

use std::path::PathBuf;

/// A program could not be turned into a kernel.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// No C compiler answers.
    #[error("no C compiler was found (tried {})", .tried.join(", "))]
    NoCompiler {
        /// The commands that were tried, in order.
        tried: Vec<String>,
    },
    /// The compiler refused the source, or could not be started.
    #[error("`{compiler}` failed: {message}\nthe source is kept in {}", .source_file.display())]
    Failed {
        /// The compiler.
        compiler: String,
        /// The first lines of what it said.
        message: String,
        /// The source that it was given.
        source_file: PathBuf,
    },
    /// The shared object cannot be loaded.
    #[error("the compiled kernel {} cannot be loaded: {message}", .object.display())]
    Load {
        /// The shared object.
        object: PathBuf,
        /// What the loader said.
        message: String,
    },
    /// Neither the cache directory nor the directory for temporary files can be written.
    #[error("no directory for compiled kernels can be written: {message}")]
    NoDirectory {
        /// What the system said.
        message: String,
    },
}

impl CompileError {
    /// A stable code.
    pub fn code(&self) -> &'static str {
        match self {
            CompileError::NoCompiler { .. } => "backend_c::no_compiler",
            CompileError::Failed { .. } => "backend_c::failed",
            CompileError::Load { .. } => "backend_c::load",
            CompileError::NoDirectory { .. } => "backend_c::no_directory",
        }
    }

    /// What the user can do.
    pub fn help(&self) -> Option<String> {
        Some(
            match self {
                CompileError::NoCompiler { .. } => {
                    "install gcc or clang, set CC to a C compiler, or use the Cranelift backend"
                }
                CompileError::Failed { .. } => {
                    "check that the compiler can build shared objects, or use the Cranelift backend"
                }
                CompileError::Load { .. } => {
                    "set WAVEFOLD_CACHE_DIR to a directory from which programs may be run, or use the Cranelift backend"
                }
                CompileError::NoDirectory { .. } => "set WAVEFOLD_CACHE_DIR to a directory that can be written",
            }
            .to_string(),
        )
    }
}
