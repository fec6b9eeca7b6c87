//! The Cranelift backend: a tree program becomes native code within milliseconds, with nothing installed.
//!
//! ```text
//! tree -> CLIF (one function for the run, one for every loop nest) -> machine code
//! ```
//!
//! [`emit`] shows the CLIF, [`compile`] makes a [`Kernel`] whose [`entry`](Kernel::entry) follows the calling
//! convention of [`wavefold_ir::abi`]. The code does exactly what the tree says, with 128-bit vectors in `simd`
//! loops and fused multiply-adds where the tree has them, so its results are bitwise those of the reference
//! interpreter. Denormals are flushed to zero on every thread that runs generated code, and only there.

mod error;
mod host;
mod lower;
mod target;

pub use error::CompileError;

use cranelift_codegen::{Context, verify_function};
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{FuncId, Linkage, Module, default_libcall_names};
use lower::{Lowered, lower};
use std::fmt::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;
use wavefold_ir::{abi::KernelFn, tree::Program};

/// Native code of a program. Dropping it frees the code.
pub struct Kernel {
    entry: KernelFn,
    compile_seconds: f64,
    /// Owns the code. Locked only to be freed; the lock makes the kernel shareable between threads.
    module: Mutex<Option<JITModule>>,
}

impl Kernel {
    /// The entry of the kernel. It must not be called after the kernel is dropped.
    pub fn entry(&self) -> KernelFn {
        self.entry
    }

    /// Seconds from the tree to callable code.
    pub fn compile_seconds(&self) -> f64 {
        self.compile_seconds
    }
}

impl std::fmt::Debug for Kernel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kernel").field("compile_seconds", &self.compile_seconds).finish_non_exhaustive()
    }
}

impl Drop for Kernel {
    fn drop(&mut self) {
        let module = self.module.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(module) = module {
            // SAFETY: `entry` says that the code is not called any more, and no other pointer to it was given out.
            unsafe { module.free_memory() };
        }
    }
}

/// The CLIF text of all functions of a program, each under a comment with the equations it computes.
///
/// A program that [`compile`] refuses gives a comment with the reason.
pub fn emit(program: &Program) -> String {
    let functions = match lower(program) {
        Ok(functions) => functions,
        Err(e) => return format!("; {e}\n"),
    };
    let mut text = String::new();
    for (i, f) in host::all().iter().enumerate() {
        if functions.iter().any(|l| calls(l, i as u32)) {
            let _ = writeln!(text, "; u0:{i} is {}", f.name);
        }
    }
    for (i, f) in functions.iter().enumerate() {
        let _ = writeln!(text, "\n; u0:{} is {}", host::COUNT as usize + i, f.name);
        for note in &f.notes {
            let _ = writeln!(text, "; {note}");
        }
        let _ = write!(text, "{}", f.clif.display());
    }
    text
}

fn calls(function: &Lowered, index: u32) -> bool {
    function.clif.params.user_named_funcs().values().any(|n| n.namespace == 0 && n.index == index)
}

/// Compiles a program for this machine.
///
/// # Errors
/// [`CompileError::Target`] on machines without a code generator, [`CompileError::Program`] and
/// [`CompileError::Nesting`] for programs that break the rules of the tree level, [`CompileError::Codegen`] when
/// Cranelift gives up.
pub fn compile(program: &Program) -> Result<Kernel, CompileError> {
    let start = Instant::now();
    let isa = target::host()?;
    let functions = lower(program)?;
    let mut builder = JITBuilder::with_isa(isa, default_libcall_names());
    let hosts = host::all();
    builder.symbols(host::library());
    builder.symbols(hosts.iter().map(|h| (h.name, h.address)));
    let mut module = JITModule::new(builder);
    let entry = match define(&mut module, &hosts, functions) {
        Ok(id) => module.get_finalized_function(id),
        Err(e) => {
            // SAFETY: no pointer to the code was given out.
            unsafe { module.free_memory() };
            return Err(e);
        }
    };
    // SAFETY: the entry function was built with exactly this signature and calling convention.
    let entry = unsafe { std::mem::transmute::<*const u8, KernelFn>(entry) };
    Ok(Kernel { entry, compile_seconds: start.elapsed().as_secs_f64(), module: Mutex::new(Some(module)) })
}

/// Declares everything in the order of the names in the code, compiles all functions, and returns the entry.
fn define(
    module: &mut JITModule,
    hosts: &[host::HostFunction],
    functions: Vec<Lowered>,
) -> Result<FuncId, CompileError> {
    let mut ids = Vec::new();
    for h in hosts {
        let mut signature = module.make_signature();
        signature.params.extend(h.parameters.iter().map(|t| cranelift_codegen::ir::AbiParam::new(*t)));
        signature.returns.extend(h.result.map(cranelift_codegen::ir::AbiParam::new));
        let id =
            module.declare_function(h.name, Linkage::Import, &signature).map_err(CompileError::codegen)?;
        ids.push(id);
    }
    for f in &functions {
        let id = module
            .declare_function(&f.name, Linkage::Local, &f.clif.signature)
            .map_err(CompileError::codegen)?;
        ids.push(id);
    }
    if ids.iter().enumerate().any(|(i, id)| id.as_u32() != i as u32) {
        return Err(CompileError::codegen("functions are not numbered in order of declaration"));
    }
    let ids = ids.split_off(hosts.len());
    for (id, f) in ids.iter().zip(functions) {
        let mut context = Context::for_function(f.clif);
        module
            .define_function(*id, &mut context)
            .map_err(|e| CompileError::codegen(format!("{} in {}", e, f.name)))?;
    }
    module.finalize_definitions().map_err(CompileError::codegen)?;
    ids.first().copied().ok_or_else(|| CompileError::codegen("there is no entry function"))
}

/// Runs Cranelift's verifier over the code of a program: a check of this backend, for tests.
///
/// # Errors
/// Like [`compile`]; [`CompileError::Codegen`] with the first broken rule.
pub fn verify(program: &Program) -> Result<(), CompileError> {
    let isa = target::host()?;
    for f in lower(program)? {
        verify_function(&f.clif, isa.as_ref())
            .map_err(|e| CompileError::codegen(format!("{}: {e}\n{}", f.name, f.clif.display())))?;
    }
    Ok(())
}
