//! Functions of this process that generated code calls: elementary functions, and the rounding mode of a thread.
//!
//! The elementary functions are those of Rust's standard library, so that a kernel gives the bits of the
//! reference interpreter.

use cranelift::prelude::{Type, types};
use wavefold_ir::{DType, Func, float_mode};

/// A function that generated code may call by its position in [`all`].
pub(crate) struct HostFunction {
    /// The symbol.
    pub(crate) name: &'static str,
    /// Where it is.
    pub(crate) address: *const u8,
    /// Types of the parameters.
    pub(crate) parameters: Vec<Type>,
    /// Type of the result.
    pub(crate) result: Option<Type>,
}

/// Position of `extern "C" fn() -> i64`: flushes denormals to zero from here on, and returns what was before.
pub(crate) const FLUSH: u32 = 0;
/// Position of `extern "C" fn(i64)`: goes back to what [`FLUSH`] returned.
pub(crate) const RESTORE: u32 = 1;

const CALLED: [Func; 7] = [Func::Exp, Func::Log, Func::Sin, Func::Cos, Func::Tan, Func::Tanh, Func::Pow];
/// Number of functions in [`all`].
pub(crate) const COUNT: u32 = 2 + 2 * CALLED.len() as u32;

/// Position of an elementary function; `None` for those that are instructions.
pub(crate) fn elementary(f: Func, dtype: DType) -> Option<u32> {
    let at = CALLED.iter().position(|c| *c == f)? as u32;
    Some(2 + 2 * at + matches!(dtype, DType::F64) as u32)
}

macro_rules! elementary {
    ($($name32:ident, $name64:ident: |$($x:ident),+| $value:expr;)*) => {
        $(
            extern "C" fn $name32($($x: f32),+) -> f32 { $value }
            extern "C" fn $name64($($x: f64),+) -> f64 { $value }
        )*
    };
}

elementary! {
    exp32, exp64: |x| x.exp();
    log32, log64: |x| x.ln();
    sin32, sin64: |x| x.sin();
    cos32, cos64: |x| x.cos();
    tan32, tan64: |x| x.tan();
    tanh32, tanh64: |x| x.tanh();
    pow32, pow64: |x, y| x.powf(y);
    fma32, fma64: |x, y, z| x.mul_add(y, z);
    floor32, floor64: |x| x.floor();
    ceil32, ceil64: |x| x.ceil();
}

/// All functions, in the order of their positions.
pub(crate) fn all() -> Vec<HostFunction> {
    let (f32, f64) = (types::F32, types::F64);
    let host = |name, address, parameters: &[Type], result| HostFunction {
        name,
        address,
        parameters: parameters.to_vec(),
        result,
    };
    vec![
        host("wavefold_flush", flush as *const u8, &[], Some(types::I64)),
        host("wavefold_restore", restore as *const u8, &[types::I64], None),
        host("wavefold_exp_f32", exp32 as *const u8, &[f32], Some(f32)),
        host("wavefold_exp_f64", exp64 as *const u8, &[f64], Some(f64)),
        host("wavefold_log_f32", log32 as *const u8, &[f32], Some(f32)),
        host("wavefold_log_f64", log64 as *const u8, &[f64], Some(f64)),
        host("wavefold_sin_f32", sin32 as *const u8, &[f32], Some(f32)),
        host("wavefold_sin_f64", sin64 as *const u8, &[f64], Some(f64)),
        host("wavefold_cos_f32", cos32 as *const u8, &[f32], Some(f32)),
        host("wavefold_cos_f64", cos64 as *const u8, &[f64], Some(f64)),
        host("wavefold_tan_f32", tan32 as *const u8, &[f32], Some(f32)),
        host("wavefold_tan_f64", tan64 as *const u8, &[f64], Some(f64)),
        host("wavefold_tanh_f32", tanh32 as *const u8, &[f32], Some(f32)),
        host("wavefold_tanh_f64", tanh64 as *const u8, &[f64], Some(f64)),
        host("wavefold_pow_f32", pow32 as *const u8, &[f32, f32], Some(f32)),
        host("wavefold_pow_f64", pow64 as *const u8, &[f64, f64], Some(f64)),
    ]
}

/// Symbols that Cranelift itself calls on processors without the instruction.
pub(crate) fn library() -> [(&'static str, *const u8); 6] {
    [
        ("fmaf", fma32 as *const u8),
        ("fma", fma64 as *const u8),
        ("floorf", floor32 as *const u8),
        ("floor", floor64 as *const u8),
        ("ceilf", ceil32 as *const u8),
        ("ceil", ceil64 as *const u8),
    ]
}

/// Results and operands below the normal range become 0 on this thread; returns what [`restore`] takes.
extern "C" fn flush() -> i64 {
    float_mode::flush() as i64
}

/// Goes back to what was before [`flush`].
extern "C" fn restore(before: i64) {
    float_mode::restore(before as u64);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_match_the_table() {
        let all = all();
        assert_eq!(all.len() as u32, COUNT);
        assert_eq!(all[FLUSH as usize].name, "wavefold_flush");
        assert_eq!(all[RESTORE as usize].name, "wavefold_restore");
        for (f, name, arity) in Func::ALL {
            for dtype in [DType::F32, DType::F64] {
                if let Some(at) = elementary(f, dtype) {
                    let host = &all[at as usize];
                    assert_eq!(host.name, format!("wavefold_{name}_{dtype}"));
                    assert_eq!(host.parameters.len(), arity);
                }
            }
        }
    }

    #[test]
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    fn denormals_are_flushed_between_flush_and_restore() {
        let half = |x: f32| std::hint::black_box(x) * std::hint::black_box(0.5);
        let before = flush();
        let flushed = half(f32::MIN_POSITIVE);
        restore(before);
        let kept = half(f32::MIN_POSITIVE);
        assert_eq!(flushed, 0.0);
        assert!(kept > 0.0);
    }
}
