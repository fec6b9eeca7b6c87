//! The Cranelift backend: a tree program becomes native code within milliseconds, with nothing installed.
//!
//! ```text
//! tree -> CLIF (one function for the run, one for every loop nest) -> machine code
//! ```
//!
//! [`emit`] shows the CLIF, [`compile`] makes a [`Kernel`] whose [`entry`](Kernel::entry) follows the calling
//! convention of [`wavefold_ir::abi`]. The code does exactly what the tree says, with vectors in `simd` loops
//! ([`Vectors`]: Cranelift's have 128 bits, rows in wider ones are encoded here) and fused multiply-adds where the tree has
//! them, so its results are bitwise those of the reference interpreter. Denormals are flushed to zero on every thread that runs generated code, and only there.

mod error;
mod host;
mod lower;
mod target;
mod wide;

pub use error::CompileError;
pub use wide::Vectors;

use cranelift_codegen::ir::{AbiParam, Signature, types};
use cranelift_codegen::isa::TargetIsa;
use cranelift_codegen::{Context, control::ControlPlane, verify_function};
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{FuncId, Linkage, Module, ModuleReloc, default_libcall_names};
use lower::{Code, Functions, Lowered, lower};
use rayon::prelude::*;
use std::fmt::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;
use target::Care;
use wavefold_ir::{abi::KernelFn, tree::Program};

/// Native code of a program. Dropping it frees the code.
pub struct Kernel {
    entry: KernelFn,
    compile_seconds: f64,
    wide: bool,
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

    /// Whether all rows that each step goes through are in the widest vectors of the machine: then a C compiler has little to
    /// add.
    pub fn is_wide(&self) -> bool {
        self.wide
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
/// Rows in vectors of more than 128 bits are in instructions of the processor. A program that [`compile`] refuses gives a
/// comment with the reason.
pub fn emit(program: &Program) -> String {
    Vectors::of_host().map_or_else(|e| format!("; {e}\n"), |vectors| emit_for(program, vectors))
}

/// Like [`emit`], with rows in these vectors, also those that this machine lacks.
pub fn emit_for(program: &Program, vectors: Vectors) -> String {
    let functions = match lower(program, vectors) {
        Ok(functions) => functions.all,
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
        let _ = match &f.code {
            Code::Clif(clif) => write!(text, "{}", clif.display()),
            Code::Row(row) => writeln!(text, "{}", wide::text(row, vectors)),
        };
    }
    text
}

fn calls(function: &Lowered, index: u32) -> bool {
    let Code::Clif(clif) = &function.code else { return false };
    clif.params.user_named_funcs().values().any(|n| n.namespace == 0 && n.index == index)
}

/// Compiles a program for this machine, with rows in the vectors of [`Vectors::of_host`].
///
/// # Errors
/// Like [`compile_for`].
pub fn compile(program: &Program) -> Result<Kernel, CompileError> {
    compile_for(program, Vectors::of_host()?)
}

/// Compiles a program for this machine. Results do not depend on the vectors.
///
/// # Errors
/// [`CompileError::Vectors`] if the machine does not have the vectors,
/// [`CompileError::Target`] on machines without a code generator, [`CompileError::Program`] and
/// [`CompileError::Nesting`] for programs that break the rules of the tree level, [`CompileError::Codegen`] when
/// Cranelift gives up.
pub fn compile_for(program: &Program, vectors: Vectors) -> Result<Kernel, CompileError> {
    let start = Instant::now();
    if vectors > Vectors::Bits128 {
        wide::begin();
    }
    let Functions { all: functions, rows } = lower(program, vectors.checked()?)?;
    let isa = target::host(if rows { Care::Quick } else { Care::Full })?;
    let wide = rows && vectors == Vectors::widest();
    let mut builder = JITBuilder::with_isa(isa, default_libcall_names());
    let hosts = host::all();
    builder.symbols(host::library());
    builder.symbols(hosts.iter().map(|h| (h.name, h.address)));
    let mut module = JITModule::new(builder);
    let entry = match define(&mut module, &hosts, functions, vectors) {
        Ok(id) => module.get_finalized_function(id),
        Err(e) => {
            // SAFETY: no pointer to the code was given out.
            unsafe { module.free_memory() };
            return Err(e);
        }
    };
    // SAFETY: the entry function was built with exactly this signature and calling convention.
    let entry = unsafe { std::mem::transmute::<*const u8, KernelFn>(entry) };
    let compile_seconds = start.elapsed().as_secs_f64();
    Ok(Kernel { entry, compile_seconds, wide, module: Mutex::new(Some(module)) })
}

/// Declares everything in the order of the names in the code, compiles all functions side by side, and returns the entry.
fn define(
    module: &mut JITModule,
    hosts: &[host::HostFunction],
    functions: Vec<Lowered>,
    vectors: Vectors,
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
        let signature = match &f.code {
            Code::Clif(clif) => clif.signature.clone(),
            Code::Row(_) => of_rows(module),
        };
        let id =
            module.declare_function(&f.name, Linkage::Local, &signature).map_err(CompileError::codegen)?;
        ids.push(id);
    }
    if ids.iter().enumerate().any(|(i, id)| id.as_u32() != i as u32) {
        return Err(CompileError::codegen("functions are not numbered in order of declaration"));
    }
    let ids = ids.split_off(hosts.len());
    let isa = module.isa();
    let code = ids.par_iter().zip(functions).map(|(id, f)| machine_code(*id, f, isa, vectors));
    let code = code.collect::<Result<Vec<_>, _>>()?;
    for (id, c) in ids.iter().zip(code) {
        module
            .define_function_bytes(*id, c.alignment, &c.bytes, &c.relocations)
            .map_err(CompileError::codegen)?;
    }
    module.finalize_definitions().map_err(CompileError::codegen)?;
    ids.first().copied().ok_or_else(|| CompileError::codegen("there is no entry function"))
}

/// The code of a function, wherever it will lie.
struct MachineCode {
    bytes: Vec<u8>,
    alignment: u64,
    relocations: Vec<ModuleReloc>,
}

fn machine_code(
    id: FuncId,
    function: Lowered,
    isa: &dyn TargetIsa,
    vectors: Vectors,
) -> Result<MachineCode, CompileError> {
    match function.code {
        Code::Row(row) => {
            Ok(MachineCode { bytes: wide::encode(&row, vectors)?, alignment: 64, relocations: vec![] })
        }
        Code::Clif(clif) => {
            let mut context = Context::for_function(*clif);
            let code = context
                .compile(isa, &mut ControlPlane::default())
                .map_err(|e| CompileError::codegen(format!("{} in {}", e.inner, function.name)))?;
            let alignment = u64::from(code.buffer.alignment.max(isa.function_alignment().minimum));
            let (bytes, relocations) = (code.buffer.data().to_vec(), code.buffer.relocs().to_vec());
            let relocations =
                relocations.iter().map(|r| ModuleReloc::from_mach_reloc(r, &context.func, id)).collect();
            Ok(MachineCode { bytes, alignment: alignment.max(isa.symbol_alignment()), relocations })
        }
    }
}

/// The signature of a row: its arguments, the number of points.
fn of_rows(module: &JITModule) -> Signature {
    let mut signature = module.make_signature();
    signature.params.extend([AbiParam::new(types::I64); 2]);
    signature
}

/// Runs Cranelift's verifier over the code of a program: a check of this backend, for tests.
///
/// # Errors
/// Like [`compile`]; [`CompileError::Codegen`] with the first broken rule.
pub fn verify(program: &Program) -> Result<(), CompileError> {
    let isa = target::host(Care::Full)?;
    for vectors in [Vectors::Bits128, Vectors::of_host()?] {
        for f in lower(program, vectors)?.all {
            let Code::Clif(clif) = f.code else { continue };
            verify_function(&clif, isa.as_ref())
                .map_err(|e| CompileError::codegen(format!("{}: {e}\n{}", f.name, clif.display())))?;
        }
    }
    Ok(())
}
