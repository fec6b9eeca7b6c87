//! The C block coders of `runtime-c/codecs`.

use std::cell::RefCell;
use std::ffi::c_int;

use crate::coder::{BlockCoder, Coding};
use crate::element::Element;
use crate::scale::Step;
use crate::view::{BlockMut, View};

/// `wf_box` of `block.h`.
#[repr(C)]
pub struct Box3 {
    extent: [i64; 3],
    stride: [i64; 2],
}

impl Box3 {
    fn new(extent: [usize; 3], stride: [usize; 2]) -> Self {
        Box3 { extent: extent.map(|n| n as i64), stride: stride.map(|n| n as i64) }
    }
}

unsafe extern "C" {
    fn wavefold_noop_encode(src: *const u8, bounds: *const Box3, size: usize, out: *mut u8) -> usize;
    fn wavefold_noop_decode(
        input: *const u8,
        len: usize,
        bounds: *const Box3,
        size: usize,
        dst: *mut u8,
    ) -> usize;
    fn wavefold_wavelet_scratch(bounds: *const Box3, group: *const i32, size: usize) -> usize;
}

/// The functions that `blocks.c` exports for one element type. Their contract is that of the headers.
pub trait Blocks: Sized {
    /// Smallest and largest value; `None` when one is not finite.
    ///
    /// # Safety
    /// `src` must be readable over the box.
    unsafe fn extremes(src: *const Self, bounds: &Box3) -> Option<[Self; 2]>;
    /// # Safety
    /// `src` must be readable over the box, one block thick; `out` must take 1 + 512 values for each of its blocks,
    /// `extremes`, if not null, two.
    unsafe fn quantize_encode(
        src: *const Self,
        bounds: &Box3,
        block: &[i32; 3],
        inverse: [Self; 2],
        limit: Self,
        extremes: *mut Self,
        out: *mut u8,
    ) -> usize;
    /// # Safety
    /// `dst` must be writable over the box, one block thick.
    unsafe fn quantize_decode(
        bytes: &[u8],
        bounds: &Box3,
        block: &[i32; 3],
        step: [Self; 2],
        bypass: bool,
        dst: *mut Self,
    ) -> usize;
    /// # Safety
    /// `src` must be readable over the box, `out` take 1 + its raw bytes, `scratch` be as large as asked for.
    unsafe fn wavelet_encode(
        src: *const Self,
        bounds: &Box3,
        group: &[i32; 3],
        inverse: [Self; 2],
        scratch: *mut u8,
        out: *mut u8,
    ) -> usize;
    /// # Safety
    /// `dst` must be writable over the box, `scratch` be as large as asked for.
    unsafe fn wavelet_decode(
        bytes: &[u8],
        bounds: &Box3,
        group: &[i32; 3],
        step: [Self; 2],
        bypass: bool,
        scratch: *mut u8,
        dst: *mut Self,
    ) -> c_int;
    /// Sum of the squares of the values, scaled by two factors in turn.
    ///
    /// # Safety
    /// `src` must be readable over the box.
    unsafe fn squares(src: *const Self, bounds: &Box3, factors: [f64; 2]) -> f64;
}

macro_rules! blocks {
    ($t:ident, $extremes:ident, $qe:ident, $qd:ident, $we:ident, $wd:ident, $squares:ident) => {
        unsafe extern "C" {
            fn $extremes(src: *const $t, b: *const Box3, low: *mut $t, high: *mut $t) -> c_int;
            fn $qe(
                src: *const $t,
                b: *const Box3,
                block: *const i32,
                s1: $t,
                s2: $t,
                limit: $t,
                extremes: *mut $t,
                out: *mut u8,
            ) -> usize;
            fn $qd(
                i: *const u8,
                n: usize,
                b: *const Box3,
                block: *const i32,
                s1: $t,
                s2: $t,
                bypass: c_int,
                dst: *mut $t,
            ) -> usize;
            fn $we(
                src: *const $t,
                b: *const Box3,
                group: *const i32,
                s1: $t,
                s2: $t,
                scratch: *mut u8,
                out: *mut u8,
            ) -> usize;
            fn $wd(
                i: *const u8,
                n: usize,
                b: *const Box3,
                group: *const i32,
                s1: $t,
                s2: $t,
                bypass: c_int,
                scratch: *mut u8,
                dst: *mut $t,
            ) -> c_int;
            fn $squares(src: *const $t, b: *const Box3, s1: f64, s2: f64) -> f64;
        }

        impl Blocks for $t {
            unsafe fn extremes(src: *const Self, bounds: &Box3) -> Option<[Self; 2]> {
                let [mut low, mut high] = [0.0; 2];
                // SAFETY: the caller's duty.
                let finite = unsafe { $extremes(src, bounds, &mut low, &mut high) };
                (finite != 0).then_some([low, high])
            }

            unsafe fn quantize_encode(
                src: *const Self,
                bounds: &Box3,
                block: &[i32; 3],
                inverse: [Self; 2],
                limit: Self,
                extremes: *mut Self,
                out: *mut u8,
            ) -> usize {
                let [s1, s2] = inverse;
                // SAFETY: the caller's duty.
                unsafe { $qe(src, bounds, block.as_ptr(), s1, s2, limit, extremes, out) }
            }

            unsafe fn quantize_decode(
                bytes: &[u8],
                bounds: &Box3,
                block: &[i32; 3],
                step: [Self; 2],
                bypass: bool,
                dst: *mut Self,
            ) -> usize {
                let (bypass, [s1, s2]) = (c_int::from(bypass), step);
                // SAFETY: the caller's duty; reads are checked against the length.
                unsafe { $qd(bytes.as_ptr(), bytes.len(), bounds, block.as_ptr(), s1, s2, bypass, dst) }
            }

            unsafe fn wavelet_encode(
                src: *const Self,
                bounds: &Box3,
                group: &[i32; 3],
                inverse: [Self; 2],
                scratch: *mut u8,
                out: *mut u8,
            ) -> usize {
                // SAFETY: the caller's duty.
                unsafe { $we(src, bounds, group.as_ptr(), inverse[0], inverse[1], scratch, out) }
            }

            unsafe fn wavelet_decode(
                bytes: &[u8],
                bounds: &Box3,
                group: &[i32; 3],
                step: [Self; 2],
                bypass: bool,
                scratch: *mut u8,
                dst: *mut Self,
            ) -> c_int {
                let (bypass, group, [s1, s2]) = (c_int::from(bypass), group.as_ptr(), step);
                // SAFETY: the caller's duty; reads are checked against the length.
                unsafe { $wd(bytes.as_ptr(), bytes.len(), bounds, group, s1, s2, bypass, scratch, dst) }
            }

            unsafe fn squares(src: *const Self, bounds: &Box3, factors: [f64; 2]) -> f64 {
                // SAFETY: the caller's duty.
                unsafe { $squares(src, bounds, factors[0], factors[1]) }
            }
        }
    };
}

blocks!(
    f32,
    wavefold_extremes_f32,
    wavefold_quantize_encode_f32,
    wavefold_quantize_decode_f32,
    wavefold_wavelet_encode_f32,
    wavefold_wavelet_decode_f32,
    wavefold_squares_f32
);
blocks!(
    f64,
    wavefold_extremes_f64,
    wavefold_quantize_encode_f64,
    wavefold_quantize_decode_f64,
    wavefold_wavelet_encode_f64,
    wavefold_wavelet_decode_f64,
    wavefold_squares_f64
);

thread_local! {
    /// Work space of the wavelet; grows to the largest block that the thread has seen.
    static SCRATCH: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

/// Runs `f` with scratch space for a wavelet block, aligned to 64 bytes.
fn with_scratch<T, R>(bounds: &Box3, group: &[i32; 3], f: impl FnOnce(*mut u8) -> R) -> R {
    // SAFETY: reads the box and three group sizes.
    let bytes = unsafe { wavefold_wavelet_scratch(bounds, group.as_ptr(), size_of::<T>()) };
    SCRATCH.with_borrow_mut(|scratch| {
        let words = bytes.div_ceil(8) + 8;
        if scratch.len() < words {
            scratch.resize(words, 0);
        }
        let start = scratch.as_mut_ptr().cast::<u8>();
        f(start.wrapping_add(start.align_offset(64)))
    })
}

/// Appends what `write` puts into at most `room` bytes.
fn append(out: &mut Vec<u8>, room: usize, write: impl FnOnce(*mut u8) -> usize) {
    out.reserve(room);
    let len = out.len();
    let used = write(out.spare_capacity_mut().as_mut_ptr().cast());
    assert!(used <= room, "a block coder wrote {used} bytes into {room}");
    // SAFETY: `write` has initialised `used` bytes of the reserved room.
    unsafe { out.set_len(len + used) };
}

/// Smallest and largest value of a view; `None` when one is not finite.
pub(crate) fn extremes<T: Element>(src: &View<'_, T>) -> Option<[T; 2]> {
    let strides = src.strides();
    // SAFETY: the view's points are readable.
    unsafe { T::extremes(src.as_ptr(), &Box3::new(src.shape(), [strides[0], strides[1]])) }
}

/// Makes what was written round the caches visible to threads that learn of it.
pub(crate) fn finish_writes() {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: orders stores, nothing else; part of every x86-64 processor.
    unsafe {
        std::arch::x86_64::_mm_sfence();
    }
}

/// Appends the blocks of `quantize`; `extremes`, if not null, takes two values, and nothing is appended where one of the
/// view is not finite.
fn quantize<T: Element>(coding: &Coding<T>, src: &View<'_, T>, extremes: *mut T, out: &mut Vec<u8>) {
    let Coding::Quantize { block, step: Step { inverse, .. }, limit, .. } = coding else { return };
    let strides = src.strides();
    let bounds = Box3::new(src.shape(), [strides[0], strides[1]]);
    let blocks: usize = (0..3).map(|a| src.shape()[a].div_ceil(block[a])).product();
    let block = block.map(|n| n as i32);
    append(out, blocks * (1 + 512 * size_of::<T>()), |to| {
        // SAFETY: the view's points are readable, `to` takes its blocks raw, `extremes` is as the C block wants it.
        unsafe { T::quantize_encode(src.as_ptr(), &bounds, &block, *inverse, *limit, extremes, to) }
    });
}

/// Sum of the squares of a view, scaled by two factors in turn.
pub(crate) fn squares<T: Element>(src: &View<'_, T>, factors: [f64; 2]) -> f64 {
    let strides = src.strides();
    // SAFETY: the view's points are readable.
    unsafe { T::squares(src.as_ptr(), &Box3::new(src.shape(), [strides[0], strides[1]]), factors) }
}

/// Coder by the C blocks.
pub(crate) struct Native;

impl BlockCoder for Native {
    fn encode<T: Element>(&self, coding: &Coding<T>, src: View<'_, T>, out: &mut Vec<u8>) {
        let strides = src.strides();
        let bounds = Box3::new(src.shape(), [strides[0], strides[1]]);
        let raw = src.points() * size_of::<T>();
        match coding {
            Coding::Copy => append(out, raw, |to| {
                // SAFETY: the view's points are readable, and `to` takes all of them.
                unsafe { wavefold_noop_encode(src.as_ptr().cast(), &bounds, size_of::<T>(), to) }
            }),
            Coding::Quantize { .. } => quantize(coding, &src, std::ptr::null_mut(), out),
            Coding::Wavelet { group, step: Step { inverse, .. }, .. } => {
                let group = group.map(|n| n as i32);
                append(out, 1 + raw, |to| {
                    with_scratch::<T, _>(&bounds, &group, |scratch| {
                        // SAFETY: the view's points are readable, `to` takes a raw block, scratch has its size.
                        unsafe { T::wavelet_encode(src.as_ptr(), &bounds, &group, *inverse, scratch, to) }
                    })
                });
            }
        }
    }

    fn encode_seen<T: Element>(
        &self,
        coding: &Coding<T>,
        src: View<'_, T>,
        out: &mut Vec<u8>,
    ) -> Option<[T; 2]> {
        let mut seen = [T::default(); 2];
        let before = out.len();
        quantize(coding, &src, seen.as_mut_ptr(), out);
        (out.len() > before).then_some(seen)
    }

    fn decode<T: Element>(
        &self,
        coding: &Coding<T>,
        bytes: &[u8],
        dst: &mut BlockMut<'_, T>,
    ) -> Option<usize> {
        let bounds = Box3::new(dst.extent(), dst.strides());
        let to = dst.as_mut_ptr();
        let used = match coding {
            Coding::Copy => {
                // SAFETY: the block is ours to write; the length is checked before anything is read.
                unsafe {
                    wavefold_noop_decode(bytes.as_ptr(), bytes.len(), &bounds, size_of::<T>(), to.cast())
                }
            }
            Coding::Quantize { block, step, bypass, .. } => {
                let block = block.map(|n| n as i32);
                // SAFETY: the points of `dst` are ours to write and lie inside a run of blocks.
                unsafe { T::quantize_decode(bytes, &bounds, &block, step.value, *bypass, to) }
            }
            Coding::Wavelet { group, step, bypass } => {
                let group = group.map(|n| n as i32);
                let ok = with_scratch::<T, _>(&bounds, &group, |scratch| {
                    // SAFETY: the points of `dst` are ours to write, scratch has its size.
                    unsafe { T::wavelet_decode(bytes, &bounds, &group, step.value, *bypass, scratch, to) }
                });
                if ok != 0 { bytes.len() } else { 0 }
            }
        };
        (used > 0).then_some(used)
    }
}
