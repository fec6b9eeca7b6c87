//! Rows in the widest vectors of the processor: instructions that Cranelift, whose vectors have 128 bits, does not have.
//!
//! A row is a straight line of operations on vectors ([`ops`]), the same for every width. Registers are given out along it
//! ([`registers`]) while instructions are chosen ([`emit`]) and encoded ([`assembler`]). A loop does whole vectors, and the
//! same operations once more, with masks, the rest of the row. Each operation rounds as the tree says, so that results are
//! bitwise those of 128 bits.

mod assembler;
mod emit;
mod ops;
mod registers;

pub(crate) use ops::{Binary, Op, Place, Row, Unary, Value};

use crate::CompileError;
use assembler::Assembler;
use iced_x86::{Code, Encoder, Instruction};
use std::sync::{Once, OnceLock};

/// Vectors that the code of rows uses.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Vectors {
    /// 128 bits, which Cranelift has on every machine.
    Bits128,
    /// 256 bits: AVX2 with fused multiply-adds.
    Bits256,
    /// 512 bits: AVX-512 (F, DQ, VL) and BMI2.
    Bits512,
}

impl Vectors {
    /// The widest of this machine, or narrower ones: as many bits as `WAVEFOLD_VECTORS` says (128, 256, 512).
    ///
    /// # Errors
    /// [`CompileError::Vectors`] when the variable says something else, or more than the machine has.
    pub fn of_host() -> Result<Vectors, CompileError> {
        static HOST: OnceLock<Result<Vectors, CompileError>> = OnceLock::new();
        HOST.get_or_init(|| match std::env::var_os("WAVEFOLD_VECTORS") {
            None => Ok(Self::widest()),
            Some(text) => match text.to_str() {
                Some("128") => Self::Bits128.checked(),
                Some("256") => Self::Bits256.checked(),
                Some("512") => Self::Bits512.checked(),
                _ => Err(CompileError::Vectors {
                    asked: text.to_string_lossy().into(),
                    widest: Self::widest().bits(),
                }),
            },
        })
        .clone()
    }

    /// These, if the machine has them.
    ///
    /// # Errors
    /// [`CompileError::Vectors`] if not.
    pub(crate) fn checked(self) -> Result<Vectors, CompileError> {
        let widest = Self::widest();
        if self <= widest {
            return Ok(self);
        }
        Err(CompileError::Vectors { asked: self.bits().to_string(), widest: widest.bits() })
    }

    /// The widest of this machine that code is made for.
    pub fn widest() -> Vectors {
        // The convention of calls on Windows is another one.
        #[cfg(all(target_arch = "x86_64", not(windows)))]
        {
            use std::arch::is_x86_feature_detected as has;
            if has!("avx512f") && has!("avx512dq") && has!("avx512vl") && has!("bmi2") {
                return Vectors::Bits512;
            }
            if has!("avx2") && has!("fma") {
                return Vectors::Bits256;
            }
        }
        Vectors::Bits128
    }

    /// Bits of a vector.
    pub fn bits(self) -> usize {
        8 * self.bytes()
    }

    /// Bytes of a vector.
    pub(crate) fn bytes(self) -> usize {
        match self {
            Vectors::Bits128 => 16,
            Vectors::Bits256 => 32,
            Vectors::Bits512 => 64,
        }
    }
}

/// The instructions of a row.
///
/// # Errors
/// [`CompileError::Codegen`] when one cannot be encoded, which would be a defect.
pub(crate) fn encode(row: &Row, vectors: Vectors) -> Result<Vec<u8>, CompileError> {
    emit::emit(row, vectors).and_then(Assembler::finish).map_err(CompileError::codegen)
}

/// Begins to make the encoder's tables of all instructions, on another thread: once per process, they take as long as a kernel.
pub(crate) fn begin() {
    static BEGUN: Once = Once::new();
    BEGUN.call_once(|| {
        rayon::spawn(|| {
            let _ = Encoder::try_new(64).and_then(|mut e| e.encode(&Instruction::with(Code::Retnq), 0));
        });
    });
}

/// The instructions of a row, one a line; numbers that lie behind them by their values.
pub(crate) fn text(row: &Row, vectors: Vectors) -> String {
    emit::emit(row, vectors).map_or_else(|e| format!("; {e}"), |code| code.text())
}
