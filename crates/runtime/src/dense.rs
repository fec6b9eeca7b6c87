//! The uncompressed data of a function: slots with halo, padding and alignment.

use std::ptr::NonNull;

use rayon::prelude::*;
use wavefold_codecs::{DType, Element};
use wavefold_ir::Layout;
use wavefold_symbolic::FunctionDecl;

use crate::data::{Data, Scalar, array, count, each, row_major, with_type, zeros};
use crate::store::make_room;
use crate::{Buffer, Result, RuntimeError, locks};

/// Dimensions of a grid, at most.
const MAX_RANK: usize = 3;

/// Copies of more values than this use several threads.
const PARALLEL: usize = 1 << 17;

/// The slots of an uncompressed function, one [`Layout`] behind the other.
///
/// Only the points of the domain are read and written here; the halo and the padding are zero and stay so.
#[derive(Debug)]
pub struct Dense {
    name: String,
    dtype: DType,
    shape: Vec<usize>,
    halo: usize,
    slots: usize,
    layout: Layout,
    buffer: Buffer,
    /// Whether nothing but zeros was ever put into the halo.
    empty_halo: bool,
}

impl Dense {
    /// Zeros for `slots` time levels of a function over a domain of `shape` points, with `halo` points around
    /// it.
    ///
    /// # Errors
    /// `memory::too_large`, `memory::allocation`.
    pub fn new(name: &str, dtype: DType, shape: &[usize], halo: usize, slots: usize) -> Result<Dense> {
        if shape.is_empty() || shape.len() > MAX_RANK || shape.contains(&0) {
            return Err(RuntimeError::internal(format!("`{name}` lives on a grid of shape {shape:?}")));
        }
        let what = format!("`{name}`");
        let too_large = || RuntimeError::TooLarge { what: what.clone(), shape: shape.to_vec() };
        // The layout itself does not check: it may add the halo, a vector, and some rows on each side.
        let margin = halo.checked_mul(2).and_then(|h| h.checked_add(64)).ok_or_else(too_large)?;
        let padded: Option<Vec<usize>> = shape.iter().map(|n| n.checked_add(margin)).collect();
        count(&padded.ok_or_else(too_large)?, &what)?;
        let layout = Layout::new(shape, halo, dtype.size());
        Dense::place(name, dtype, shape, halo, slots, layout)
    }

    fn place(
        name: &str,
        dtype: DType,
        shape: &[usize],
        halo: usize,
        slots: usize,
        layout: Layout,
    ) -> Result<Dense> {
        let what = format!("`{name}`");
        let too_large = || RuntimeError::TooLarge { what: what.clone(), shape: shape.to_vec() };
        let bytes = layout.slot_len().checked_mul(slots).and_then(|n| n.checked_mul(dtype.size()));
        let bytes = bytes.ok_or_else(too_large)?;
        make_room(bytes);
        let buffer = Buffer::zeroed(bytes, &what)?;
        Ok(Dense {
            name: name.into(),
            dtype,
            shape: shape.to_vec(),
            halo,
            slots,
            layout,
            buffer,
            empty_halo: true,
        })
    }

    /// Zeros for a declared function: its time levels or snapshots, with its halo.
    ///
    /// # Errors
    /// As [`Dense::new`].
    pub fn of(function: &FunctionDecl) -> Result<Dense> {
        let (name, dtype, shape, halo) =
            (function.name(), function.dtype(), function.shape(), function.halo());
        if function.is_tight() {
            let layout = Layout::tight(&shape, halo);
            return Dense::place(name, dtype, &shape, halo, function.buffers(), layout);
        }
        Dense::new(name, dtype, &shape, halo, function.buffers())
    }

    /// The memory of an array in the place of its own, without a copy: the points with the halo, `shape + 2*halo`,
    /// behind the number of slots when there is time.
    ///
    /// # Errors
    /// `data::cannot_wrap`, `data::wrong_shape`.
    pub fn adopt(&mut self, data: Data, is_time: bool) -> Result<()> {
        let wide: Vec<usize> = self.layout.alloc.clone();
        let expected = if is_time { [&[self.slots], &wide[..]].concat() } else { wide };
        self.wrappable(data.dtype())?;
        if data.shape() != expected {
            let (name, found) = (self.name.clone(), data.shape().to_vec());
            return Err(RuntimeError::WrongShape { name, expected: vec![expected], found });
        }
        let Some(buffer) = data.into_buffer() else {
            return Err(self.cannot_wrap("the array is not row-major and contiguous"));
        };
        (self.buffer, self.empty_halo) = (buffer, false);
        Ok(())
    }

    /// As [`adopt`](Dense::adopt), with memory of `len` values that stays somebody else's.
    ///
    /// # Safety
    /// That of [`Buffer::lent`].
    ///
    /// # Errors
    /// `data::cannot_wrap`.
    pub unsafe fn adopt_raw<T: Element>(&mut self, start: NonNull<T>, len: usize) -> Result<()> {
        self.wrappable(T::DTYPE)?;
        if len != self.layout.slot_len() * self.slots {
            let wanted = self.layout.slot_len() * self.slots;
            return Err(self.cannot_wrap(&format!("it holds {wanted} values with its halo, not {len}")));
        }
        if !start.is_aligned() {
            return Err(self.cannot_wrap("the memory is not aligned for its values"));
        }
        // SAFETY: the caller keeps the promise; length and alignment were checked.
        self.buffer = unsafe { Buffer::lent(start.cast(), len * size_of::<T>()) };
        self.empty_halo = false;
        Ok(())
    }

    /// Hands the memory of an array that was adopted back, without a copy, or a copy of other memory; the function gets
    /// `fresh`.
    ///
    /// # Errors
    /// `memory::allocation`.
    pub fn release(&mut self, fresh: Dense, is_time: bool) -> Result<Data> {
        let wide = self.layout.alloc.clone();
        let shape = if is_time { [&[self.slots], &wide[..]].concat() } else { wide };
        if !self.buffer.is_adopted() {
            let copy = self.with_halo(|dense| if is_time { dense.read_all() } else { dense.read_slot(0) })?;
            *self = fresh;
            return Ok(copy);
        }
        let old = std::mem::replace(self, fresh);
        with_type!(old.dtype, T => match old.buffer.into_vec::<T>() {
            Ok(values) => array(&shape, values),
            Err(_) => Err(RuntimeError::internal("an adopted array of another type")),
        })
    }

    fn wrappable(&self, dtype: DType) -> Result<()> {
        if self.layout != Layout::tight(&self.shape, self.halo) {
            return Err(self.cannot_wrap("its rows are padded"));
        }
        if dtype != self.dtype {
            return Err(self.cannot_wrap(&format!("it holds {} values, not {dtype}", self.dtype)));
        }
        Ok(())
    }

    fn cannot_wrap(&self, reason: &str) -> RuntimeError {
        RuntimeError::CannotWrap { name: self.name.clone(), reason: reason.into() }
    }

    /// The name of the function.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Type of the values.
    #[must_use]
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Points of the domain along each dimension.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Number of slots.
    #[must_use]
    pub fn slots(&self) -> usize {
        self.slots
    }

    /// Where the points of a slot lie.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Bytes of all slots with halo and padding.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.buffer.len()
    }

    /// Whether the halo of every slot is known to hold zeros.
    #[must_use]
    pub fn has_empty_halo(&self) -> bool {
        self.halo == 0 || self.empty_halo
    }

    /// The start of slot 0: what a kernel takes. Writing through it needs exclusive access.
    #[must_use]
    pub fn pointer(&self) -> *mut u8 {
        self.buffer.pointer()
    }

    /// The domain of one slot, of the shape of the grid.
    ///
    /// # Errors
    /// `data::out_of_range`, `memory::allocation`.
    pub fn read_slot(&self, slot: usize) -> Result<Data> {
        self.check(slot)?;
        with_type!(self.dtype, T => self.read::<T>(slot, 1, &self.shape))
    }

    /// The domain of all slots, of shape `[slots, nx, ..]`.
    ///
    /// # Errors
    /// `memory::allocation`.
    pub fn read_all(&self) -> Result<Data> {
        let shape = [&[self.slots], &self.shape[..]].concat();
        with_type!(self.dtype, T => self.read::<T>(0, self.slots, &shape))
    }

    /// Writes the domain of one slot; `data` has the shape of the grid, and is converted to the type of the
    /// function.
    ///
    /// # Errors
    /// `data::out_of_range`, `data::wrong_shape`.
    pub fn write_slot(&mut self, slot: usize, data: &Data) -> Result<()> {
        self.check(slot)?;
        if data.shape() != self.shape {
            let (name, found) = (self.name.clone(), data.shape().to_vec());
            return Err(RuntimeError::WrongShape { name, expected: vec![self.shape.clone()], found });
        }
        each!(data, a => self.write(slot, &row_major(a)));
        Ok(())
    }

    /// Writes all slots; `data` has shape `[slots, nx, ..]`, or that of the grid, which then goes to every
    /// slot.
    ///
    /// # Errors
    /// `data::wrong_shape`.
    pub fn write_all(&mut self, data: &Data) -> Result<()> {
        let whole = [&[self.slots], &self.shape[..]].concat();
        if data.shape() == self.shape {
            return (0..self.slots).try_for_each(|slot| self.write_slot(slot, data));
        }
        if data.shape() != whole {
            let (name, found) = (self.name.clone(), data.shape().to_vec());
            return Err(RuntimeError::WrongShape { name, expected: vec![whole, self.shape.clone()], found });
        }
        let points = self.shape.iter().product::<usize>();
        each!(data, a => {
            let source = row_major(a);
            for slot in 0..self.slots {
                self.write(slot, &source[slot * points..][..points]);
            }
        });
        Ok(())
    }

    /// Writes the domain of a slot from row-major values of either type.
    fn write<S: Element>(&mut self, slot: usize, source: &[S]) {
        let width = self.width();
        with_type!(self.dtype, T => self.rows(slot, |row, values: &mut [T]| {
            let source = &source[row * width..][..width];
            values.iter_mut().zip(source).for_each(|(v, s)| *v = T::from_f64(s.to_f64()));
        }));
    }

    /// Calls `body` with the halo as a part of the domain: `shape + 2*halo` points.
    pub fn with_halo<R>(&mut self, body: impl FnOnce(&mut Dense) -> R) -> R {
        let (shape, pad, halo) = (self.shape.clone(), self.layout.pad.clone(), self.halo);
        self.shape.iter_mut().for_each(|n| *n += 2 * halo);
        self.layout.pad.iter_mut().for_each(|p| *p -= halo);
        let result = body(self);
        (self.shape, self.layout.pad) = (shape, pad);
        result
    }

    /// As [`with_halo`](Dense::with_halo), where `body` writes.
    pub fn write_with_halo<R>(&mut self, body: impl FnOnce(&mut Dense) -> R) -> R {
        self.empty_halo = false;
        self.with_halo(body)
    }

    /// Fills the halo with the nearest values of the domain.
    pub fn extend_halo(&mut self) {
        self.empty_halo = false;
        with_type!(self.dtype, T => (0..self.slots).for_each(|slot| self.extend::<T>(slot)));
    }

    /// Extends a slot along one dimension after the other, the innermost first: what is copied outwards along a dimension
    /// has its halo along those behind it by then, so that edges and corners need no case of their own.
    fn extend<T: Element>(&mut self, slot: usize) {
        let (len, strides, halo) = (self.layout.slot_len(), self.layout.strides(), self.halo);
        let values = &mut self.buffer.values_mut::<T>()[slot * len..][..len];
        for (d, stride) in strides.into_iter().enumerate().rev() {
            let first = self.layout.pad[d] * stride;
            let last = first + (self.shape[d] - 1) * stride;
            each_chunk(values, self.layout.alloc[d] * stride, |(_, block)| {
                for distance in (1..=halo).map(|k| k * stride) {
                    block.copy_within(first..first + stride, first - distance);
                    block.copy_within(last..last + stride, last + distance);
                }
            });
        }
    }

    /// Sets the domain of every slot to one value.
    pub fn fill(&mut self, value: f64) {
        with_type!(self.dtype, T => {
            for slot in 0..self.slots {
                self.rows(slot, |_, values: &mut [T]| values.fill(T::from_f64(value)));
            }
        });
    }

    /// Sets the domain of every slot to the values of a function of the grid indices, a callback of the user.
    pub fn set_with(&mut self, value: &(impl Fn(&[usize]) -> f64 + Sync)) {
        let (shape, last) = (self.shape.clone(), self.shape.len() - 1);
        with_type!(self.dtype, T => {
            for slot in 0..self.slots {
                self.rows(slot, |row, values: &mut [T]| {
                    let mut index = [0; MAX_RANK];
                    let index = &mut index[..=last];
                    unravel(row, &shape[..last], index);
                    locks::callback(|| {
                        for (k, v) in values.iter_mut().enumerate() {
                            index[last] = k;
                            *v = T::from_f64(value(index));
                        }
                    });
                });
            }
        });
    }

    /// Least and largest value of a slot at the points `from <= i < to` of the domain; NaN if there is one among them, or
    /// if there are no points.
    #[must_use]
    pub fn range(&self, slot: usize, from: &[usize], to: &[usize]) -> (f64, f64) {
        let last = self.shape.len() - 1;
        let inside = from.len() == self.shape.len() && to.iter().zip(&self.shape).all(|(to, n)| to <= n);
        if slot >= self.slots || !inside || from.iter().zip(to).any(|(a, b)| a >= b) {
            return (f64::NAN, f64::NAN);
        }
        let extent: Vec<usize> = from.iter().zip(to).map(|(a, b)| b - a).collect();
        let strides = self.layout.strides();
        let start = slot * self.layout.slot_len() + self.layout.origin();
        let rows: usize = extent[..last].iter().product();
        with_type!(self.dtype, T => {
            let values = self.buffer.values::<T>();
            let row = |row: usize| {
                let mut index = [0; MAX_RANK];
                unravel(row, &extent[..last], &mut index[..last]);
                let at: usize = (0..last).map(|d| (from[d] + index[d]) * strides[d]).sum();
                let row = &values[start + at + from[last]..][..extent[last]];
                let first = row[0].to_f64();
                row.iter().fold((first, first), |(low, high), v| {
                    let v = v.to_f64();
                    (if v >= low { low } else { v }, if v <= high { high } else { v })
                })
            };
            let join = |a: (f64, f64), b: (f64, f64)| {
                let nan = [a.0, a.1, b.0, b.1].iter().any(|v| v.is_nan());
                if nan { (f64::NAN, f64::NAN) } else { (a.0.min(b.0), a.1.max(b.1)) }
            };
            let empty = (f64::INFINITY, f64::NEG_INFINITY);
            if in_parallel(rows * extent[last]) {
                (0..rows).into_par_iter().map(row).reduce(|| empty, join)
            } else {
                (0..rows).map(row).fold(empty, join)
            }
        })
    }

    /// Whether most rows of slot 0 seem to be equal to a neighbour, by a few dozen of them.
    #[must_use]
    pub fn has_equal_rows(&self) -> bool {
        const LOOKS: usize = 64;
        let last = self.shape.len() - 1;
        if last == 0 || self.slots == 0 || self.shape.contains(&0) {
            return false;
        }
        let strides = self.layout.strides();
        with_type!(self.dtype, T => {
            let values = &self.buffer.values::<T>()[self.layout.origin()..];
            let row = |index: &[usize]| {
                let at: usize = index.iter().zip(&strides).map(|(i, stride)| i * stride).sum();
                &values[at..][..self.width()]
            };
            let equal = |look: &usize| {
                // Places all over the grid, by odd parts of its sides (Weyl, 1916).
                let place = |d: usize, n: usize| (look * [0x9e37, 0xb505][d % 2] + 0x51) % 0x10000 * n / 0x10000;
                let index: Vec<usize> = (0..last).map(|d| place(d, self.shape[d])).collect();
                (0..last).any(|d| {
                    let mut other = index.clone();
                    other[d] = if index[d] > 0 { index[d] - 1 } else { (index[d] + 1) % self.shape[d] };
                    other[d] != index[d] && row(&other) == row(&index)
                })
            };
            (0..LOOKS).filter(equal).count() * 4 >= LOOKS * 3
        })
    }

    fn check(&self, slot: usize) -> Result<()> {
        if slot < self.slots {
            return Ok(());
        }
        Err(RuntimeError::OutOfRange { name: self.name.clone(), snapshot: slot, steps: self.slots })
    }

    /// Points in a row of the domain.
    fn width(&self) -> usize {
        self.shape.last().copied().unwrap_or(1)
    }

    /// Copies the domain of `slots` slots from `first` on into an array.
    fn read<T: Scalar>(&self, first: usize, slots: usize, shape: &[usize]) -> Result<Data> {
        let what = format!("a copy of `{}`", self.name);
        let mut values = zeros::<T>(count(shape, &what)?, &what)?;
        let (source, strides, width) = (self.buffer.values::<T>(), self.layout.strides(), self.width());
        let last = self.shape.len() - 1;
        let rows: usize = self.shape[..last].iter().product();
        let start = first * self.layout.slot_len() + self.layout.origin();
        let copy = |(row, values): (usize, &mut [T])| {
            let mut index = [0; MAX_RANK];
            unravel(row % rows, &self.shape[..last], &mut index[..last]);
            let offset: usize = index.iter().zip(&strides).take(last).map(|(i, s)| i * s).sum();
            let at = start + (row / rows) * self.layout.slot_len() + offset;
            values.copy_from_slice(&source[at..at + width]);
        };
        debug_assert_eq!(values.len(), slots * rows * width);
        each_chunk(&mut values, width, copy);
        array(shape, values)
    }

    /// Calls `body` with the number and the points of each row of the domain of a slot.
    fn rows<T: Element>(&mut self, slot: usize, body: impl Fn(usize, &mut [T]) + Sync) {
        let (len, width) = (self.layout.slot_len(), self.width());
        let last = self.shape.len() - 1;
        let (shape, alloc, pad) = (&self.shape, &self.layout.alloc, &self.layout.pad);
        let values = &mut self.buffer.values_mut::<T>()[slot * len..][..len];
        // Rows of the allocation, those of the halo included: they are passed over.
        let visit = |(row, values): (usize, &mut [T])| {
            let mut index = [0; MAX_RANK];
            unravel(row, &alloc[..last], &mut index[..last]);
            let mut within = 0;
            for d in 0..last {
                if index[d] < pad[d] || index[d] >= pad[d] + shape[d] {
                    return;
                }
                within = within * shape[d] + index[d] - pad[d];
            }
            body(within, &mut values[pad[last]..pad[last] + width]);
        };
        each_chunk(values, alloc[last], visit);
    }
}

/// Calls `body` with the number and the values of every `width` values, on several threads where it pays.
fn each_chunk<T: Element>(values: &mut [T], width: usize, body: impl Fn((usize, &mut [T])) + Send + Sync) {
    if in_parallel(values.len()) {
        values.par_chunks_mut(width).with_min_len(1 + PARALLEL / 8 / width).enumerate().for_each(body);
    } else {
        values.chunks_mut(width).enumerate().for_each(body);
    }
}

/// Whether so many values are worth several threads. A worker of a pool copies alone: while it waited for others
/// it would take up other work, which may need the lock that it holds.
fn in_parallel(len: usize) -> bool {
    len > PARALLEL && rayon::current_thread_index().is_none()
}

/// The indices of position `at` in a row-major array of this shape.
fn unravel(mut at: usize, shape: &[usize], index: &mut [usize]) {
    for d in (0..shape.len()).rev() {
        index[d] = at % shape[d];
        at /= shape[d];
    }
}
