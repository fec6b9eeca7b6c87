//! Slices that are coded in parts, by whoever has these parts in a cache at the time.
//!
//! A part is a box of whole rows along the last axis, which begins and ends with a block along the other two (or where
//! the slice ends). The bytes of a stream are those of [`encode`](crate::encode).

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::coder::BlockCoder;
use crate::format::{Header, Mode};
use crate::native::Native;
use crate::scale::quantize_step;
use crate::stream::encode::header_of;
use crate::stream::part_decoder::{is_part, least_decoded};
use crate::stream::pieces::{Cuts, Piece};
use crate::survey::Extremes;
use crate::{Compression, DType, Element, Pieces, SliceInfo, View, float_mode};

/// See [`Compression::encoded_part`].
pub(crate) fn least_encoded(compression: Compression, shape: [usize; 3]) -> Option<[usize; 2]> {
    match compression {
        Compression::Quantize { .. } => least_decoded(compression, shape),
        _ => None,
    }
}

/// Codes a slice that is handed over in parts, on any threads and in any order.
///
/// What a codec must know of the whole slice beforehand is guessed: [`finish`](PartEncoder::finish) tells when it was
/// wrong. One encoder serves all slices of a history.
#[derive(Debug)]
pub struct PartEncoder {
    /// With the guessed step.
    header: Header,
    least: [usize; 2],
    cuts: Cuts,
    /// Each once it was coded.
    pieces: Vec<Slot>,
    extremes: Mutex<Extremes>,
    /// The slice must be coded as a whole: more parts are of no use.
    wrong: AtomicBool,
}

/// A [`Piece`] that one of several threads sets.
#[derive(Debug, Default)]
struct Slot {
    at: AtomicU64,
    /// Length and checksum; 0 while there is none.
    len_crc: AtomicU64,
}

impl Slot {
    /// False when it was set before.
    fn set(&self, Piece { at, len, crc }: Piece) -> bool {
        self.at.store(at, Ordering::Relaxed);
        self.len_crc.swap(u64::from(len) << 32 | u64::from(crc), Ordering::Relaxed) == 0
    }

    fn get(&self) -> Option<Piece> {
        let len_crc = self.len_crc.load(Ordering::Relaxed);
        let piece = || Piece {
            at: self.at.load(Ordering::Relaxed),
            len: (len_crc >> 32) as u32,
            crc: len_crc as u32,
        };
        (len_crc != 0).then(piece)
    }
}

thread_local! {
    /// The piece that the thread is coding.
    static PIECE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl PartEncoder {
    /// How many slices before one are looked at.
    pub const LOOKS_BACK: usize = 3;

    /// For slices of a shape; `None` where the codec needs the whole slice at once.
    pub fn new(compression: Compression, dtype: DType, shape: [usize; 3]) -> Option<PartEncoder> {
        let least = least_encoded(compression, shape)?;
        if shape.contains(&0) {
            return None;
        }
        let header = header_of(compression, dtype, shape, &Extremes::NONE, Mode::Coded, 0.0);
        let cuts = Cuts::of(&header);
        Some(PartEncoder {
            header,
            least,
            cuts,
            pieces: std::iter::repeat_with(Slot::default).take(cuts.count()).collect(),
            extremes: Mutex::new(Extremes::NONE),
            wrong: AtomicBool::new(true),
        })
    }

    /// Begins a slice. `before` is what became of those before it in the order of the history, the latest last; where that
    /// tells nothing, the result is false.
    pub fn begin(&mut self, before: &[SliceInfo]) -> bool {
        self.pieces.iter_mut().for_each(|slot| *slot = Slot::default());
        *self.extremes.get_mut().unwrap_or_else(PoisonError::into_inner) = Extremes::NONE;
        let guess = expected(before);
        self.header.step = match self.header.dtype {
            DType::F32 => step_of::<f32>(self.header.compression, &guess),
            DType::F64 => step_of::<f64>(self.header.compression, &guess),
        };
        let known = self.header.step > 0.0;
        *self.wrong.get_mut() = !known;
        known
    }

    /// Codes the part that begins at `origin` along the first two axes. Its bytes go to `keep`, in pieces, which tells where
    /// they are from then on; where it cannot keep one, the slice must be coded as a whole.
    pub fn encode<T: Element>(
        &self,
        origin: [usize; 2],
        part: View<'_, T>,
        keep: impl Fn(&[u8]) -> Option<u64>,
    ) {
        let mut extremes = Extremes::NONE;
        let coded = !self.wrong.load(Ordering::Relaxed)
            && T::DTYPE == self.header.dtype
            && is_part(self.header.shape, self.least, origin, part.shape())
            && float_mode::with_default(|| self.rows(origin, part, &mut extremes, keep));
        if !coded {
            return self.wrong.store(true, Ordering::Relaxed);
        }
        self.extremes.lock().unwrap_or_else(PoisonError::into_inner).include(&extremes);
    }

    /// Row by row of the grid of blocks. False when one cannot be coded.
    fn rows<T: Element>(
        &self,
        origin: [usize; 2],
        part: View<'_, T>,
        extremes: &mut Extremes,
        keep: impl Fn(&[u8]) -> Option<u64>,
    ) -> bool {
        let (grid, [b0, b1], [n0, n1, _]) = (self.header.grid(), self.least, part.shape());
        let c1 = grid.counts()[1];
        let coding = self.header.coding::<T>();
        for layer in origin[0] / b0..(origin[0] + n0).div_ceil(b0) {
            for y in origin[1] / b1..(origin[1] + n1).div_ceil(b1) {
                for blocks in self.cuts.of_row(layer * c1 + y) {
                    let ([i, j, k], extent, _) = grid.run(&blocks);
                    let part = part.part([i - origin[0], j - origin[1], k], extent);
                    let piece = PIECE.with_borrow_mut(|bytes| {
                        bytes.clear();
                        let [low, high] = Native.encode_seen(&coding, part, bytes)?;
                        extremes.include(&Extremes::new(low.to_f64(), high.to_f64()));
                        let (len, crc) = (u32::try_from(bytes.len()).ok()?, crc32fast::hash(bytes));
                        Some(Piece { at: keep(bytes)?, len, crc })
                    });
                    let slot = &self.pieces[self.cuts.number(blocks.start)];
                    if !piece.is_some_and(|piece| slot.set(piece)) {
                        return false;
                    }
                }
            }
        }
        // What can only become worse: steps grow with the range.
        step_of::<T>(self.header.compression, extremes) <= self.header.step
    }

    /// What was coded, if all parts are there and the guess was right; otherwise the slice must be coded by
    /// [`encode`](crate::encode).
    pub fn finish<T: Element>(&mut self) -> Option<(SliceInfo, Pieces)> {
        let pieces: Option<Vec<Piece>> = self.pieces.iter().map(Slot::get).collect();
        let pieces = pieces.filter(|_| !self.wrong.load(Ordering::Relaxed))?;
        let all = *self.extremes.get_mut().unwrap_or_else(PoisonError::into_inner);
        if T::DTYPE != self.header.dtype || step_of::<T>(self.header.compression, &all) != self.header.step {
            return None;
        }
        (self.header.min, self.header.max) = (all.min, all.max);
        self.header.payload = pieces.iter().map(|p| u64::from(p.len)).sum();
        let pieces = Pieces { header: self.header, pieces: pieces.into() };
        Some((SliceInfo::of(&self.header), pieces))
    }
}

/// The extremes of a slice behind these, continued by a polynomial: a source that swells passes a power of two every few
/// steps.
fn expected(before: &[SliceInfo]) -> Extremes {
    let Some(last) = before.last() else { return Extremes::NONE };
    let ahead = |of: fn(&SliceInfo) -> f64| match before {
        [.., c, b, a] => of(c) + 3.0 * (of(a) - of(b)),
        [b, a] => 2.0 * of(a) - of(b),
        _ => of(last),
    };
    let (min, max) = (ahead(|info| info.min), ahead(|info| info.max));
    if min < max && min.is_finite() && max.is_finite() {
        Extremes::new(min, max)
    } else {
        Extremes::new(last.min, last.max)
    }
}

/// The step of a slice with these extremes; 0 where they tell none.
fn step_of<T: Element>(compression: Compression, extremes: &Extremes) -> f64 {
    match compression {
        Compression::Quantize { nbits } if extremes.min < extremes.max => {
            quantize_step::<T>(extremes.min, extremes.max, nbits)
        }
        _ => 0.0,
    }
}
