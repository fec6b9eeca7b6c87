//! A box out of a stream: only the chunks that have points of it are decoded.

use std::ops::Range;

use crate::coder::{BlockCoder, Coding};
use crate::format::{BlockGrid, Header, Mode};
use crate::stream::decode::{each_chunk, fill};
use crate::stream::{lapped, patch};
use crate::view::SharedMut;
use crate::{DecodeError, Element, Parallel, ViewMut, float_mode};

/// See [`crate::decode_box`].
pub(crate) fn decode_box<T: Element, C: BlockCoder>(
    coder: &C,
    stream: &[u8],
    origin: [usize; 3],
    dst: ViewMut<'_, T>,
    par: &dyn Parallel,
) -> Result<(), DecodeError> {
    float_mode::with_default(|| decode_part(coder, stream, origin, dst, par))
}

fn decode_part<T: Element, C: BlockCoder>(
    coder: &C,
    stream: &[u8],
    origin: [usize; 3],
    mut dst: ViewMut<'_, T>,
    par: &dyn Parallel,
) -> Result<(), DecodeError> {
    let header = Header::read(stream)?;
    let extent = dst.shape();
    if header.dtype != T::DTYPE {
        return Err(DecodeError::WrongType { stream: header.dtype, destination: T::DTYPE });
    }
    if (0..3).any(|a| origin[a].checked_add(extent[a]).is_none_or(|end| end > header.shape[a])) {
        return Err(DecodeError::BoxOutside { stream: header.shape, origin, extent });
    }
    let (chunks, outliers) = patch::split(&header, stream)?;
    let dst = dst.shared();
    if header.mode == Mode::Constant {
        return fill(&dst, extent, T::from_f64(header.min), par);
    }
    let (grid, coding) = (header.grid(), header.coding::<T>().cached());
    let wanted = Area { origin, extent };
    if let Coding::Lapped(plan) = &coding {
        lapped::decode_box(coder, plan, &grid, &chunks, &wanted, &dst, par)?;
        return patch::apply(outliers, header.shape, &wanted, &dst);
    }
    let has_points =
        |i: &usize| header.chunk(*i).any(|block| wanted.common(&Area::of(&grid, block)).is_some());
    let numbers: Vec<usize> = (0..chunks.len()).filter(has_points).collect();
    each_chunk(par, &chunks, &numbers, |i, bytes| {
        let mut chunk = ChunkReader { coder, coding: &coding, grid: &grid, bytes };
        chunk.decode(header.chunk(i), &wanted, &dst)
    })?;
    patch::apply(outliers, header.shape, &wanted, &dst)
}

/// A box of points of the slice.
pub(super) struct Area {
    pub(super) origin: [usize; 3],
    pub(super) extent: [usize; 3],
}

impl Area {
    fn of(grid: &BlockGrid, block: usize) -> Self {
        let (origin, extent) = grid.bounds(block);
        Area { origin, extent }
    }

    /// The points of both.
    pub(super) fn common(&self, other: &Area) -> Option<Area> {
        let origin = [0, 1, 2].map(|a| self.origin[a].max(other.origin[a]));
        let end = [0, 1, 2].map(|a| (self.origin[a] + self.extent[a]).min(other.origin[a] + other.extent[a]));
        let inside = (0..3).all(|a| origin[a] < end[a]);
        inside.then(|| Area { origin, extent: [0, 1, 2].map(|a| end[a] - origin[a]) })
    }

    /// With its axes in another order.
    pub(super) fn permuted(&self, axes: [usize; 3]) -> Area {
        Area { origin: axes.map(|a| self.origin[a]), extent: axes.map(|a| self.extent[a]) }
    }

    /// What gives this one when [permuted](Self::permuted).
    pub(super) fn restored(&self, axes: [usize; 3]) -> Area {
        let mut area = Area { origin: [0; 3], extent: [0; 3] };
        for (i, a) in axes.into_iter().enumerate() {
            (area.origin[a], area.extent[a]) = (self.origin[i], self.extent[i]);
        }
        area
    }

    /// Where it begins in `other`, which must contain its origin.
    pub(super) fn within(&self, other: &Area) -> [usize; 3] {
        [0, 1, 2].map(|a| self.origin[a] - other.origin[a])
    }
}

/// What is left of a chunk.
struct ChunkReader<'a, T, C> {
    coder: &'a C,
    coding: &'a Coding<T>,
    grid: &'a BlockGrid,
    bytes: &'a [u8],
}

impl<T: Element, C: BlockCoder> ChunkReader<'_, T, C> {
    /// Decodes the blocks up to the last one with points of `wanted`, and copies these points.
    fn decode(
        &mut self,
        mut blocks: Range<usize>,
        wanted: &Area,
        dst: &SharedMut<'_, T>,
    ) -> Result<(), DecodeError> {
        let has_points = |block: &usize| wanted.common(&Area::of(self.grid, *block)).is_some();
        let Some(last) = blocks.clone().rfind(has_points) else { return Ok(()) };
        while blocks.start <= last {
            let (origin, extent) = self.grid.next(&mut blocks, self.coding.in_runs());
            let area = Area { origin, extent };
            let values = self.block(&area)?;
            if let Some(common) = wanted.common(&area) {
                copy(&values, &area, &common, wanted, dst);
            }
        }
        Ok(())
    }

    fn block(&mut self, area: &Area) -> Result<Vec<T>, DecodeError> {
        let corrupt = || DecodeError::Corrupt(format!("block at {:?} cannot be decoded", area.origin));
        let mut values = vec![T::default(); area.extent.iter().product()];
        let mut view = ViewMut::dense(&mut values, area.extent).map_err(|_| corrupt())?;
        let shared = view.shared();
        // SAFETY: the only block of its view.
        let mut block = unsafe { shared.block([0; 3], area.extent) };
        let used = self.coder.decode(self.coding, self.bytes, &mut block).filter(|n| *n <= self.bytes.len());
        self.bytes = &self.bytes[used.ok_or_else(corrupt)?..];
        Ok(values)
    }
}

/// Copies the points `common` of `area`, whose values are given, to their place in `wanted`.
pub(super) fn copy<T: Element>(
    values: &[T],
    area: &Area,
    common: &Area,
    wanted: &Area,
    dst: &SharedMut<'_, T>,
) {
    let [x, y, z] = common.within(area);
    // SAFETY: areas are disjoint, and each is copied once, by this thread.
    let mut to = unsafe { dst.block(common.within(wanted), common.extent) };
    for i in 0..common.extent[0] {
        for j in 0..common.extent[1] {
            let start = ((x + i) * area.extent[1] + y + j) * area.extent[2] + z;
            to.row_mut(i, j).copy_from_slice(&values[start..start + common.extent[2]]);
        }
    }
}
