//! Default floating-point mode around the codecs' arithmetic.
//!
//! Stencil threads flush denormals; the codecs' bits must not depend on that, nor on a rounding mode.

/// Runs `f` with round-to-nearest and denormals on, then restores the mode of the calling thread.
pub(crate) fn with_default<R>(f: impl FnOnce() -> R) -> R {
    let _mode = DefaultMode::enter();
    isolated(f)
}

/// Keeps the arithmetic of `f` from moving across the change of mode.
#[inline(never)]
fn isolated<R>(f: impl FnOnce() -> R) -> R {
    f()
}

struct DefaultMode {
    saved: u64,
}

impl DefaultMode {
    fn enter() -> Self {
        let saved = read();
        let mode = DefaultMode { saved };
        write(DEFAULT);
        mode
    }
}

impl Drop for DefaultMode {
    fn drop(&mut self) {
        write(self.saved);
    }
}

#[cfg(target_arch = "x86_64")]
const DEFAULT: u64 = 0x1F80;
#[cfg(not(target_arch = "x86_64"))]
const DEFAULT: u64 = 0;

#[cfg(target_arch = "x86_64")]
fn read() -> u64 {
    let mut csr = 0u32;
    // SAFETY: stores MXCSR to a local variable.
    unsafe { std::arch::asm!("stmxcsr [{}]", in(reg) &mut csr, options(nostack)) };
    csr.into()
}

#[cfg(target_arch = "x86_64")]
fn write(mode: u64) {
    let csr = mode as u32;
    // SAFETY: loads MXCSR with the default or with a value that was read from it.
    unsafe { std::arch::asm!("ldmxcsr [{}]", in(reg) &csr, options(nostack)) };
}

#[cfg(target_arch = "aarch64")]
fn read() -> u64 {
    let fpcr: u64;
    // SAFETY: reads a register that user code may read.
    unsafe { std::arch::asm!("mrs {}, fpcr", out(reg) fpcr, options(nostack)) };
    fpcr
}

#[cfg(target_arch = "aarch64")]
fn write(mode: u64) {
    // SAFETY: writes the default, or a value that was read from the same register.
    unsafe { std::arch::asm!("msr fpcr, {}", in(reg) mode, options(nostack)) };
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn read() -> u64 {
    DEFAULT
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn write(_mode: u64) {}
