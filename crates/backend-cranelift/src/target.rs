//! The machine that code is made for, and how Cranelift is set up.

use crate::CompileError;
use cranelift::prelude::*;
use cranelift_codegen::isa::OwnedTargetIsa;
use std::sync::OnceLock;

/// How much time is taken to keep values in registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Care {
    /// As much as it takes: for loops over points.
    Full,
    /// One pass: for code around loops over points.
    Quick,
}

/// The code generator of this machine, made once per process.
pub(crate) fn host(care: Care) -> Result<OwnedTargetIsa, CompileError> {
    static HOSTS: [OnceLock<Result<OwnedTargetIsa, String>>; 2] = [OnceLock::new(), OnceLock::new()];
    let host = &HOSTS[usize::from(care == Care::Quick)];
    host.get_or_init(|| detect(care)).clone().map_err(|reason| CompileError::Target { reason })
}

fn detect(care: Care) -> Result<OwnedTargetIsa, String> {
    let mut flags = settings::builder();
    // Cranelift has none for s390x.
    let probes = if cfg!(target_arch = "s390x") { "false" } else { "true" };
    let verify = if cfg!(debug_assertions) { "true" } else { "false" };
    let registers = if care == Care::Quick { "single_pass" } else { "backtracking" };
    for (name, value) in [
        ("opt_level", "speed"),
        ("regalloc_algorithm", registers),
        ("enable_verifier", verify),
        ("is_pic", "false"),
        // A frame larger than the guard page of a stack must touch it, not step over it.
        ("enable_probestack", probes),
        ("probestack_strategy", "inline"),
        ("unwind_info", "false"),
        ("use_colocated_libcalls", "false"),
    ] {
        flags.set(name, value).map_err(|e| format!("setting {name}: {e}"))?;
    }
    let isa = cranelift_native::builder()?.finish(settings::Flags::new(flags)).map_err(|e| e.to_string())?;
    // Generated code addresses the runtime's tables as 64-bit words.
    match isa.pointer_bits() {
        64 => Ok(isa),
        bits => Err(format!("pointers have {bits} bits, 64 are needed")),
    }
}
