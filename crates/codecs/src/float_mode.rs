//! The floating-point mode of a thread: rounding, and what becomes of denormal numbers.
//!
//! Stencil threads flush denormals: decaying wavefields are full of them, and each costs a hundred cycles. The bits of
//! the codecs must not depend on that, nor on a rounding mode: they run in the default mode.
//!
//! Nothing changes on processors other than x86-64 and AArch64, which have no common switch.

use std::marker::PhantomData;

/// Runs `f` with round-to-nearest and denormals on, then restores the mode of the calling thread.
pub fn with_default<R>(f: impl FnOnce() -> R) -> R {
    struct Restore(u64);
    impl Drop for Restore {
        fn drop(&mut self) {
            register::write(self.0);
        }
    }
    let _restore = Restore(register::read());
    register::write(register::DEFAULT);
    isolated(f)
}

/// Keeps the arithmetic of `f` from moving across the change of mode.
#[inline(never)]
fn isolated<R>(f: impl FnOnce() -> R) -> R {
    f()
}

/// Makes this thread treat denormal numbers as 0, in operands and results, until the guard is dropped.
pub fn flush_denormals() -> FlushGuard {
    FlushGuard { before: flush(), this_thread: PhantomData }
}

/// Restores what became of denormals before, see [`flush_denormals`].
#[must_use = "the mode is restored when this is dropped"]
#[derive(Debug)]
pub struct FlushGuard {
    before: u64,
    this_thread: PhantomData<*const ()>,
}

impl Drop for FlushGuard {
    fn drop(&mut self) {
        restore(self.before);
    }
}

/// [`flush_denormals`] for generated code, which has no guards; returns what [`restore`] takes.
pub fn flush() -> u64 {
    let before = register::read();
    register::write(before | register::FLUSH);
    before & register::FLUSH
}

/// Goes back to what was before a [`flush`]. Rounding stays as it is, whatever the argument.
pub fn restore(before: u64) {
    register::write(register::read() & !register::FLUSH | before & register::FLUSH);
}

/// MXCSR, the control register of the vector unit.
#[cfg(target_arch = "x86_64")]
mod register {
    use std::arch::asm;

    /// Round to nearest, keep denormals, mask all exceptions.
    pub(super) const DEFAULT: u64 = 0x1F80;
    /// Flush to zero (bit 15), denormals are zero (bit 6).
    pub(super) const FLUSH: u64 = 1 << 15 | 1 << 6;

    pub(super) fn read() -> u64 {
        let mut mxcsr = 0_u32;
        // SAFETY: stores the register to a local.
        unsafe { asm!("stmxcsr [{}]", in(reg) &raw mut mxcsr, options(nostack, preserves_flags)) };
        mxcsr.into()
    }

    pub(super) fn write(mode: u64) {
        let mxcsr = mode as u32;
        // SAFETY: loads the default, or a value that `read` gave with flushing on or off.
        unsafe {
            asm!("ldmxcsr [{}]", in(reg) &raw const mxcsr, options(nostack, preserves_flags, readonly))
        };
    }
}

/// FPCR, the control register of the vector unit.
#[cfg(target_arch = "aarch64")]
mod register {
    use std::arch::asm;

    /// Round to nearest, keep denormals, trap nothing.
    pub(super) const DEFAULT: u64 = 0;
    /// Flush to zero.
    pub(super) const FLUSH: u64 = 1 << 24;

    pub(super) fn read() -> u64 {
        let fpcr: u64;
        // SAFETY: reads a register that user code may read.
        unsafe { asm!("mrs {}, fpcr", out(reg) fpcr, options(nostack, preserves_flags)) };
        fpcr
    }

    pub(super) fn write(mode: u64) {
        // SAFETY: writes the default, or a value that `read` gave with flushing on or off.
        unsafe { asm!("msr fpcr, {}", in(reg) mode, options(nostack, preserves_flags)) };
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
mod register {
    pub(super) const DEFAULT: u64 = 0;
    pub(super) const FLUSH: u64 = 0;

    pub(super) fn read() -> u64 {
        DEFAULT
    }

    pub(super) fn write(_: u64) {}
}

#[cfg(all(test, any(target_arch = "x86_64", target_arch = "aarch64")))]
mod tests {
    use super::*;
    use std::hint::black_box;

    /// The bits of a denormal number, or 0 when it was flushed: a comparison would flush it as well.
    fn denormal() -> u64 {
        black_box(black_box(f64::MIN_POSITIVE) * black_box(0.5)).to_bits()
    }

    #[test]
    fn guards_nest() {
        assert_ne!(denormal(), 0);
        let outer = flush_denormals();
        {
            let _inner = flush_denormals();
            assert_eq!(denormal(), 0);
        }
        assert_eq!(denormal(), 0);
        assert_ne!(with_default(denormal), 0);
        assert_eq!(denormal(), 0);
        drop(outer);
        assert_ne!(denormal(), 0);
    }

    #[test]
    fn only_flushing_can_be_restored() {
        // Flags that operations raise and that stay: exceptions, bits 0 to 5 of MXCSR.
        let mode = || register::read() & !0x3F;
        let before = mode();
        assert_eq!((flush(), denormal()), (0, 0));
        restore(!register::FLUSH);
        assert_ne!(denormal(), 0);
        assert_eq!(mode(), before);
        restore(flush());
        assert_eq!(mode(), before);
    }
}
