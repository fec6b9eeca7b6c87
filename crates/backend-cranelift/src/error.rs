//! Why a program was not compiled.

use wavefold_ir::VerifyError;

/// Why [`compile`](crate::compile) made no kernel.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum CompileError {
    /// Cranelift makes no code for this machine.
    #[error("this machine has no Cranelift code generator: {reason}")]
    Target {
        /// What Cranelift says.
        reason: String,
    },
    /// The program breaks an invariant of the tree level.
    #[error("the program cannot be compiled: {0}")]
    Program(#[from] VerifyError),
    /// A statement that acts on whole fields, or guards, stands inside a loop over points.
    #[error("`{statement}` stands inside a loop over points")]
    Nesting {
        /// The statement, as the tree prints it.
        statement: String,
    },
    /// `WAVEFOLD_VECTORS`, or the caller, asks for vectors that this machine does not have.
    #[error("there are no vectors of `{asked}` bits here")]
    Vectors {
        /// What was asked for.
        asked: String,
        /// Bits of the widest vectors of the machine.
        widest: usize,
    },
    /// Cranelift refused the generated code, or memory for it could not be had.
    #[error("code generation failed: {reason}")]
    Codegen {
        /// What Cranelift says.
        reason: String,
    },
}

impl CompileError {
    /// A stable code.
    pub fn code(&self) -> &'static str {
        match self {
            CompileError::Target { .. } => "cranelift::target",
            CompileError::Program(_) => "cranelift::program",
            CompileError::Nesting { .. } => "cranelift::nesting",
            CompileError::Vectors { .. } => "cranelift::vectors",
            CompileError::Codegen { .. } => "cranelift::codegen",
        }
    }

    /// What can be done about it.
    pub fn help(&self) -> Option<String> {
        Some(
            match self {
                CompileError::Target { .. } => {
                    "install a C compiler and use the C backend; Cranelift supports x86-64, AArch64, s390x and RISC-V"
                }
                CompileError::Program(_) | CompileError::Nesting { .. } => {
                    "this is a defect of Wavefold: please report the operator that shows it"
                }
                CompileError::Vectors { widest, .. } => {
                    return Some(format!("set WAVEFOLD_VECTORS to 128, 256 or 512, at most {widest} on this machine, or unset it"));
                }
                CompileError::Codegen { .. } => {
                    "the C backend may compile this operator; please report the operator that shows it"
                }
            }
            .to_string(),
        )
    }

    pub(crate) fn codegen(reason: impl std::fmt::Display) -> CompileError {
        CompileError::Codegen { reason: reason.to_string() }
    }
}
