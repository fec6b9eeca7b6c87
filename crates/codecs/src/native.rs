//! The C block coders of `runtime-c/codecs`.

use std::cell::RefCell;
use std::ffi::c_int;
use std::ops::Range;

use crate::coder::{BlockCoder, Coding, Rows};
use crate::element::Element;
use crate::lapped::{Lapped, Row, STEPS, Tap};
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
    fn wavefold_lapped_scratch(row: *const Row, size: usize, room: *mut usize) -> usize;
    fn wavefold_widest(bytes: c_int);
}

/// Lets the block coders use vectors of at most so many bytes from here on, in the whole process: 64, as from the start, 32
/// or 16. Streams and values are the same; for tests.
#[doc(hidden)]
pub fn widest_vectors(bytes: u32) {
    // SAFETY: whichever width a coder reads, at whatever time, it makes the same.
    unsafe { wavefold_widest(bytes as c_int) }
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
    /// Adds the squares of the values to 16 partial sums for each `width` of them along the last axis.
    ///
    /// # Safety
    /// `src` must be readable over the box, and `sums` be long enough.
    unsafe fn loudness(src: *const Self, bounds: &Box3, width: usize, sums: &mut [f64]);
    /// Codes some tiles. Adds to `lost`, if there is one, the squares of the errors, in units of the step.
    ///
    /// # Safety
    /// `src` must be readable at all taps over the length of `row`, `own` and `partner` have the points of a block,
    /// `out` and `scratch` be as large as asked for.
    #[expect(clippy::too_many_arguments, reason = "those of the C block")]
    unsafe fn lapped_encode(
        src: *const Self,
        row: &Row,
        taps: [&[Tap]; 2],
        window: [&[Self]; 2],
        forward: Self,
        tiles: Range<usize>,
        scratch: *mut u8,
        out: *mut u8,
        lost: Option<&mut f64>,
    ) -> usize;
    /// Adds to `errors` the squares of the errors of some tiles at steps of 1, 2, 4, .., in units of the first.
    ///
    /// # Safety
    /// As above, but for `out`.
    #[expect(clippy::too_many_arguments, reason = "those of the C block")]
    unsafe fn lapped_errors(
        src: *const Self,
        row: &Row,
        taps: [&[Tap]; 2],
        window: [&[Self]; 2],
        forward: Self,
        tiles: Range<usize>,
        scratch: *mut u8,
        errors: &mut [f64; STEPS],
    );
    /// # Safety
    /// `rows` must be as many as those of a block, each null or writable over the length of `row`; `own`, `partner` and
    /// `scratch` as above.
    unsafe fn lapped_decode(
        bytes: &[u8],
        row: &Row,
        window: [&[Self]; 2],
        backward: Self,
        scratch: *mut u8,
        rows: &[*mut Self],
    ) -> c_int;
    /// # Safety
    /// The rows must be distinct, null or writable over `length`.
    unsafe fn lapped_unfold(rows: [*mut Self; 4], weights: [Self; 4], length: usize);
}

macro_rules! blocks {
    ($t:ident, $extremes:ident, $qe:ident, $qd:ident, $we:ident, $wd:ident, $squares:ident, $loud:ident, $le:ident, $lx:ident, $ld:ident, $lu:ident) => {
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
            fn $le(
                src: *const $t,
                row: *const Row,
                x: *const Tap,
                y: *const Tap,
                own: *const $t,
                partner: *const $t,
                scale: $t,
                first: i64,
                end: i64,
                scratch: *mut u8,
                out: *mut u8,
                errors: *mut f64,
            ) -> usize;
            fn $loud(src: *const $t, b: *const Box3, width: i64, sums: *mut f64);
            fn $lx(
                src: *const $t,
                row: *const Row,
                x: *const Tap,
                y: *const Tap,
                own: *const $t,
                partner: *const $t,
                scale: $t,
                first: i64,
                end: i64,
                scratch: *mut u8,
                errors: *mut f64,
            );
            fn $ld(
                i: *const u8,
                n: usize,
                row: *const Row,
                own: *const $t,
                partner: *const $t,
                scale: $t,
                scratch: *mut u8,
                rows: *const *mut $t,
            ) -> c_int;
            fn $lu(a: *mut $t, b: *mut $t, c: *mut $t, d: *mut $t, rx: $t, fx: $t, ry: $t, fy: $t, n: i64);
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

            unsafe fn loudness(src: *const Self, bounds: &Box3, width: usize, sums: &mut [f64]) {
                // SAFETY: the caller's duty.
                unsafe { $loud(src, bounds, width as i64, sums.as_mut_ptr()) }
            }

            unsafe fn lapped_encode(
                src: *const Self,
                row: &Row,
                [x, y]: [&[Tap]; 2],
                [own, partner]: [&[Self]; 2],
                forward: Self,
                tiles: Range<usize>,
                scratch: *mut u8,
                out: *mut u8,
                lost: Option<&mut f64>,
            ) -> usize {
                let (x, y, own, partner) = (x.as_ptr(), y.as_ptr(), own.as_ptr(), partner.as_ptr());
                let (first, end) = (tiles.start as i64, tiles.end as i64);
                let lost = lost.map_or(std::ptr::null_mut(), std::ptr::from_mut);
                // SAFETY: the caller's duty.
                unsafe { $le(src, row, x, y, own, partner, forward, first, end, scratch, out, lost) }
            }

            unsafe fn lapped_errors(
                src: *const Self,
                row: &Row,
                [x, y]: [&[Tap]; 2],
                [own, partner]: [&[Self]; 2],
                forward: Self,
                tiles: Range<usize>,
                scratch: *mut u8,
                errors: &mut [f64; STEPS],
            ) {
                let (x, y, own, partner) = (x.as_ptr(), y.as_ptr(), own.as_ptr(), partner.as_ptr());
                let (first, end) = (tiles.start as i64, tiles.end as i64);
                // SAFETY: the caller's duty.
                unsafe {
                    $lx(src, row, x, y, own, partner, forward, first, end, scratch, errors.as_mut_ptr())
                }
            }

            unsafe fn lapped_decode(
                bytes: &[u8],
                row: &Row,
                [own, partner]: [&[Self]; 2],
                backward: Self,
                scratch: *mut u8,
                rows: &[*mut Self],
            ) -> c_int {
                let (own, partner, rows) = (own.as_ptr(), partner.as_ptr(), rows.as_ptr());
                // SAFETY: the caller's duty; reads are checked against the length.
                unsafe { $ld(bytes.as_ptr(), bytes.len(), row, own, partner, backward, scratch, rows) }
            }

            unsafe fn lapped_unfold([a, b, c, d]: [*mut Self; 4], w: [Self; 4], length: usize) {
                // SAFETY: the caller's duty.
                unsafe { $lu(a, b, c, d, w[0], w[1], w[2], w[3], length as i64) }
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
    wavefold_squares_f32,
    wavefold_loudness_f32,
    wavefold_lapped_encode_f32,
    wavefold_lapped_errors_f32,
    wavefold_lapped_decode_f32,
    wavefold_lapped_unfold_f32
);
blocks!(
    f64,
    wavefold_extremes_f64,
    wavefold_quantize_encode_f64,
    wavefold_quantize_decode_f64,
    wavefold_wavelet_encode_f64,
    wavefold_wavelet_decode_f64,
    wavefold_squares_f64,
    wavefold_loudness_f64,
    wavefold_lapped_encode_f64,
    wavefold_lapped_errors_f64,
    wavefold_lapped_decode_f64,
    wavefold_lapped_unfold_f64
);

thread_local! {
    /// Work space of `wavelet` and `lapped`; grows to the largest block that the thread has seen.
    static SCRATCH: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

/// Runs `f` with scratch space of `bytes`, aligned to 64 bytes.
fn with_scratch<R>(bytes: usize, f: impl FnOnce(*mut u8) -> R) -> R {
    SCRATCH.with_borrow_mut(|scratch| {
        let words = bytes.div_ceil(8) + 8;
        if scratch.len() < words {
            scratch.resize(words, 0);
        }
        let start = scratch.as_mut_ptr().cast::<u8>();
        f(start.wrapping_add(start.align_offset(64)))
    })
}

/// Bytes of scratch for a wavelet block.
fn wavelet_scratch<T>(bounds: &Box3, group: &[i32; 3]) -> usize {
    // SAFETY: reads the box and three group sizes.
    unsafe { wavefold_wavelet_scratch(bounds, group.as_ptr(), size_of::<T>()) }
}

/// Bytes of scratch for a row of lapped blocks, and most bytes that it codes to.
fn lapped_scratch<T>(row: &Row) -> (usize, usize) {
    let mut room = 0;
    // SAFETY: reads the row, writes the room.
    let bytes = unsafe { wavefold_lapped_scratch(row, size_of::<T>(), &mut room) };
    (bytes, room)
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

/// Sum of the squares of a view, scaled by two factors in turn.
pub(crate) fn squares<T: Element>(src: &View<'_, T>, factors: [f64; 2]) -> f64 {
    let strides = src.strides();
    // SAFETY: the view's points are readable.
    unsafe { T::squares(src.as_ptr(), &Box3::new(src.shape(), [strides[0], strides[1]]), factors) }
}

/// Sums of the squares of a view for each `width` values, a multiple of 16, along the last axis.
pub(crate) fn loudness<T: Element>(src: &View<'_, T>, width: usize) -> Vec<f64> {
    let strides = src.strides();
    let mut sums = vec![0.0; 16 * src.shape()[2].div_ceil(width)];
    // SAFETY: the view's points are readable, and there are 16 sums for each `width` of a row.
    unsafe { T::loudness(src.as_ptr(), &Box3::new(src.shape(), [strides[0], strides[1]]), width, &mut sums) }
    sums.chunks(16).map(|part| part.iter().sum()).collect()
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

/// Calls `f` for `count` rows of blocks along the middle axis, which are coded with the same scratch.
fn each_row<T: Element>(
    lapped: &Lapped<T>,
    [x, y, z]: [usize; 3],
    length: usize,
    count: usize,
    strides: [usize; 3],
    mut f: impl FnMut(&Row, [&[Tap]; 2]),
) {
    let across = lapped.taps(0, x, strides[0]);
    for i in 0..count {
        let y = y + i * lapped.size[1];
        let mut row = lapped.row([x, y, z], length);
        (row.before, row.after) = (i64::from(i > 0), i64::from(i + 1 < count));
        f(&row, [&across[..], &lapped.taps(1, y, strides[1])]);
    }
}

/// Squares of the errors of some tiles of a row of blocks at the step of `lapped`, twice that, .., in units of the first.
pub(crate) fn lapped_errors<T: Element>(
    lapped: &Lapped<T>,
    src: &View<'_, T>,
    [x, y, z]: [usize; 3],
    length: usize,
    tiles: Range<usize>,
) -> [f64; STEPS] {
    let (start, strides) = (src.as_ptr().wrapping_add(z), src.strides());
    let row = lapped.row([x, y, z], length);
    let taps = [lapped.taps(0, x, strides[0]), lapped.taps(1, y, strides[1])];
    let taps = [&taps[0][..], &taps[1][..]];
    let (scratch, _) = lapped_scratch::<T>(&row);
    let mut errors = [0.0; STEPS];
    with_scratch(scratch, |scratch| {
        // SAFETY: taps lie inside the view, and so does the row; sizes are those asked for.
        unsafe {
            let window = lapped.window();
            T::lapped_errors(start, &row, taps, window, lapped.forward, tiles, scratch, &mut errors);
        }
    });
    errors
}

/// Coder by the C blocks.
pub(crate) struct Native;

impl BlockCoder for Native {
    fn encode<T: Element>(&self, coding: &Coding<T>, src: View<'_, T>, out: &mut Vec<u8>) {
        let strides = src.strides();
        let bounds = Box3::new(src.shape(), [strides[0], strides[1]]);
        let raw = src.points() * size_of::<T>();
        match coding {
            // Coded by rows.
            Coding::Lapped(_) => {}
            Coding::Copy => append(out, raw, |to| {
                // SAFETY: the view's points are readable, and `to` takes all of them.
                unsafe { wavefold_noop_encode(src.as_ptr().cast(), &bounds, size_of::<T>(), to) }
            }),
            Coding::Quantize { .. } => quantize(coding, &src, std::ptr::null_mut(), out),
            Coding::Wavelet { group, step: Step { inverse, .. }, .. } => {
                let group = group.map(|n| n as i32);
                append(out, 1 + raw, |to| {
                    with_scratch(wavelet_scratch::<T>(&bounds, &group), |scratch| {
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
            // Decoded by rows.
            Coding::Lapped(_) => 0,
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
                let ok = with_scratch(wavelet_scratch::<T>(&bounds, &group), |scratch| {
                    // SAFETY: the points of `dst` are ours to write, scratch has its size.
                    unsafe { T::wavelet_decode(bytes, &bounds, &group, step.value, *bypass, scratch, to) }
                });
                if ok != 0 { bytes.len() } else { 0 }
            }
        };
        (used > 0).then_some(used)
    }

    fn encode_rows<T: Element>(
        &self,
        lapped: &Lapped<T>,
        src: &View<'_, T>,
        rows: &Rows,
        out: &mut Vec<u8>,
        mut lost: Option<&mut f64>,
    ) -> Vec<usize> {
        let all = lapped.tiles(rows.length);
        if rows.tiles.is_empty() {
            let ends = (1..=rows.count).map(|row| out.len() + row * all).collect();
            out.resize(out.len() + rows.count * all, 0);
            return ends;
        }
        let (window, tiles) = lapped.window_of(rows.tiles.clone(), rows.length);
        let [x, y, z] = rows.origin;
        let origin = [x, y, z + window.start];
        let (start, strides) = (src.as_ptr().wrapping_add(origin[2]), src.strides());
        let (scratch, room) = lapped_scratch::<T>(&lapped.row(origin, window.len()));
        let mut ends = Vec::with_capacity(rows.count);
        with_scratch(scratch, |scratch| {
            each_row(lapped, origin, window.len(), rows.count, strides, |row, taps| {
                // The others become 0.
                out.resize(out.len() + rows.tiles.start, 0);
                append(out, room, |to| {
                    let (window, lost) = (lapped.window(), lost.as_deref_mut());
                    // SAFETY: taps lie inside the view, and so does the row; sizes are those asked for.
                    unsafe {
                        let tiles = tiles.clone();
                        T::lapped_encode(start, row, taps, window, lapped.forward, tiles, scratch, to, lost)
                    }
                });
                out.resize(out.len() + all - rows.tiles.end, 0);
                ends.push(out.len());
            });
        });
        ends
    }

    unsafe fn decode_row<T: Element>(
        &self,
        lapped: &Lapped<T>,
        row: &Row,
        bytes: &[u8],
        rows: &[*mut T],
    ) -> bool {
        assert_eq!(rows.len(), lapped.size[0] * lapped.size[1]);
        let window = [&lapped.unfold_own[..], &lapped.unfold_partner[..]];
        let (size, _) = lapped_scratch::<T>(row);
        with_scratch(size, |scratch| {
            // SAFETY: the caller's duty for the rows; scratch has its size.
            unsafe { T::lapped_decode(bytes, row, window, lapped.backward, scratch, rows) != 0 }
        })
    }

    unsafe fn unfold<T: Element>(&self, rows: [*mut T; 4], weights: [T; 4], length: usize) {
        // SAFETY: the caller's duty.
        unsafe { T::lapped_unfold(rows, weights, length) }
    }
}
