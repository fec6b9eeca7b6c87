//! Strided boxes of points inside larger fields.

use std::marker::PhantomData;

/// A view whose shape and strides do not describe points of its data.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ViewError {
    /// An axis has no points.
    #[error("shape {0:?} has an axis without points")]
    Empty([usize; 3]),
    /// The fastest axis is not contiguous.
    #[error("the last stride is {0}, not 1")]
    LastStride(usize),
    /// The last point lies past the end of the data.
    #[error("shape {shape:?} with strides {strides:?} does not fit in {len} values")]
    OutOfBounds {
        /// Extents.
        shape: [usize; 3],
        /// Distances between neighbours.
        strides: [usize; 3],
        /// Values there are.
        len: usize,
    },
    /// Two points of a writable view are the same value.
    #[error("points overlap: shape {shape:?} with strides {strides:?}")]
    Overlap {
        /// Extents.
        shape: [usize; 3],
        /// Distances between neighbours.
        strides: [usize; 3],
    },
    /// Two views that must have the same shape do not.
    #[error("shapes {0:?} and {1:?} differ")]
    ShapesDiffer([usize; 3], [usize; 3]),
}

impl ViewError {
    /// Stable identifier of the error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty(_) => "compress::empty_shape",
            Self::LastStride(_) => "compress::last_stride",
            Self::OutOfBounds { .. } => "compress::view_bounds",
            Self::Overlap { .. } => "compress::view_overlap",
            Self::ShapesDiffer(..) => "compress::shapes_differ",
        }
    }

    /// What to do about it.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Empty(_) => Some("2-D and 1-D fields have leading extents of 1".into()),
            Self::LastStride(_) => Some("the last axis must be contiguous".into()),
            Self::OutOfBounds { .. } => Some("the data begins at the first point of the view".into()),
            Self::Overlap { .. } | Self::ShapesDiffer(..) => None,
        }
    }
}

fn check(len: usize, shape: [usize; 3], strides: [usize; 3]) -> Result<(), ViewError> {
    if shape.contains(&0) {
        return Err(ViewError::Empty(shape));
    }
    if strides[2] != 1 {
        return Err(ViewError::LastStride(strides[2]));
    }
    let last = (0..3).try_fold(0usize, |sum, a| sum.checked_add((shape[a] - 1).checked_mul(strides[a])?));
    match last {
        // Offsets are passed to C as signed 64-bit numbers.
        Some(last) if last < len && strides.iter().all(|s| *s <= isize::MAX as usize) => Ok(()),
        _ => Err(ViewError::OutOfBounds { shape, strides, len }),
    }
}

fn check_distinct(shape: [usize; 3], strides: [usize; 3]) -> Result<(), ViewError> {
    let mut outer = [(strides[0], shape[0]), (strides[1], shape[1])];
    outer.sort();
    let mut span = shape[2];
    for (stride, n) in outer {
        if n > 1 && stride < span {
            return Err(ViewError::Overlap { shape, strides });
        }
        // Cannot overflow: `check` found the last point.
        span += (n - 1) * stride;
    }
    Ok(())
}

fn dense_strides(shape: [usize; 3]) -> [usize; 3] {
    [shape[1].saturating_mul(shape[2]), shape[2], 1]
}

/// A box of points to read: shape `[n0, n1, n2]`, the last axis contiguous. 2-D and 1-D fields have leading extents of 1.
#[derive(Clone, Copy, Debug)]
pub struct View<'a, T> {
    data: &'a [T],
    shape: [usize; 3],
    strides: [usize; 3],
}

impl<'a, T> View<'a, T> {
    /// `data` begins at the first point; strides count elements.
    ///
    /// # Errors
    /// When an extent is 0, the last stride is not 1, or a point lies outside `data`.
    pub fn new(data: &'a [T], shape: [usize; 3], strides: [usize; 3]) -> Result<Self, ViewError> {
        check(data.len(), shape, strides)?;
        Ok(View { data, shape, strides })
    }

    /// All of a row-major array.
    ///
    /// # Errors
    /// As [`View::new`].
    pub fn dense(data: &'a [T], shape: [usize; 3]) -> Result<Self, ViewError> {
        Self::new(data, shape, dense_strides(shape))
    }

    /// Extents, slowest axis first.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// Distances between neighbours, in elements.
    pub fn strides(&self) -> [usize; 3] {
        self.strides
    }

    /// Number of points.
    pub fn points(&self) -> usize {
        self.shape.iter().product()
    }

    /// The contiguous row at `(i, j)`; panics outside the shape.
    pub fn row(&self, i: usize, j: usize) -> &'a [T] {
        let start = i * self.strides[0] + j * self.strides[1];
        &self.data[start..start + self.shape[2]]
    }

    /// The box at `origin`, which must lie inside.
    pub(crate) fn part(&self, origin: [usize; 3], shape: [usize; 3]) -> View<'a, T> {
        let start: usize = (0..3).map(|a| origin[a] * self.strides[a]).sum();
        View { data: &self.data[start..], shape, strides: self.strides }
    }

    /// All of an array whose length is that of the shape.
    pub(crate) fn packed(data: &'a [T], shape: [usize; 3]) -> View<'a, T> {
        assert_eq!(data.len(), shape.iter().product::<usize>());
        View { data, shape, strides: dense_strides(shape) }
    }

    /// The same points; a middle axis of one point changes places with the first.
    pub(crate) fn without_middle(&self) -> View<'a, T> {
        let (shape, strides) = without_middle(self.shape, self.strides);
        View { data: self.data, shape, strides }
    }

    pub(crate) fn as_ptr(&self) -> *const T {
        self.data.as_ptr()
    }
}

fn without_middle(shape: [usize; 3], strides: [usize; 3]) -> ([usize; 3], [usize; 3]) {
    let ([n0, n1, n2], [s0, s1, s2]) = (shape, strides);
    if n1 > 1 { (shape, strides) } else { ([1, n0, n2], [s1, s0, s2]) }
}

/// A box of points to write; see [`View`].
#[derive(Debug)]
pub struct ViewMut<'a, T> {
    data: &'a mut [T],
    shape: [usize; 3],
    strides: [usize; 3],
}

impl<'a, T> ViewMut<'a, T> {
    /// `data` begins at the first point; strides count elements.
    ///
    /// # Errors
    /// As [`View::new`], and when two points share a value.
    pub fn new(data: &'a mut [T], shape: [usize; 3], strides: [usize; 3]) -> Result<Self, ViewError> {
        check(data.len(), shape, strides)?;
        check_distinct(shape, strides)?;
        Ok(ViewMut { data, shape, strides })
    }

    /// All of a row-major array.
    ///
    /// # Errors
    /// As [`View::new`].
    pub fn dense(data: &'a mut [T], shape: [usize; 3]) -> Result<Self, ViewError> {
        Self::new(data, shape, dense_strides(shape))
    }

    /// Extents, slowest axis first.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// As [`View::packed`].
    pub(crate) fn packed(data: &'a mut [T], shape: [usize; 3]) -> ViewMut<'a, T> {
        assert_eq!(data.len(), shape.iter().product::<usize>());
        ViewMut { data, shape, strides: dense_strides(shape) }
    }

    /// The points as blocks that threads may write at the same time.
    pub(crate) fn shared(&mut self) -> SharedMut<'_, T> {
        SharedMut {
            data: self.data.as_mut_ptr(),
            shape: self.shape,
            strides: self.strides,
            owner: PhantomData,
        }
    }
}

/// A [`ViewMut`] from which several threads take disjoint blocks.
pub(crate) struct SharedMut<'a, T> {
    data: *mut T,
    shape: [usize; 3],
    strides: [usize; 3],
    owner: PhantomData<&'a mut [T]>,
}

// SAFETY: it stands for a unique borrow of `[T]`; `block` puts the duty of disjointness on its caller.
unsafe impl<T: Send> Sync for SharedMut<'_, T> {}

impl<T> SharedMut<'_, T> {
    /// Extents, slowest axis first.
    pub(crate) fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// As [`View::without_middle`].
    pub(crate) fn without_middle(&self) -> SharedMut<'_, T> {
        let (shape, strides) = without_middle(self.shape, self.strides);
        SharedMut { data: self.data, shape, strides, owner: PhantomData }
    }

    /// Where a point of the shape is.
    pub(crate) fn at(&self, point: [usize; 3]) -> *mut T {
        debug_assert!((0..3).all(|a| point[a] < self.shape[a]));
        self.data.wrapping_add((0..3).map(|a| point[a] * self.strides[a]).sum())
    }

    /// The block at `origin`.
    ///
    /// # Safety
    /// No other live block may share a point with this one.
    pub(crate) unsafe fn block(&self, origin: [usize; 3], extent: [usize; 3]) -> BlockMut<'_, T> {
        debug_assert!((0..3).all(|a| origin[a] + extent[a] <= self.shape[a]));
        let start: usize = (0..3).map(|a| origin[a] * self.strides[a]).sum();
        // SAFETY: the origin lies inside the view, whose points `check` found inside the data.
        let data = unsafe { self.data.add(start) };
        BlockMut { data, extent, strides: [self.strides[0], self.strides[1]], owner: PhantomData }
    }
}

/// One block of a field, to be written by one thread.
pub(crate) struct BlockMut<'a, T> {
    data: *mut T,
    extent: [usize; 3],
    strides: [usize; 2],
    owner: PhantomData<&'a mut [T]>,
}

impl<T: Copy> BlockMut<'_, T> {
    pub(crate) fn extent(&self) -> [usize; 3] {
        self.extent
    }

    pub(crate) fn strides(&self) -> [usize; 2] {
        self.strides
    }

    pub(crate) fn as_mut_ptr(&mut self) -> *mut T {
        self.data
    }

    /// The contiguous row at `(i, j)`; panics outside the extent.
    pub(crate) fn row_mut(&mut self, i: usize, j: usize) -> &mut [T] {
        assert!(i < self.extent[0] && j < self.extent[1], "row ({i}, {j}) outside the block");
        // SAFETY: the row lies inside the block, which this value alone may touch.
        unsafe {
            let start = self.data.add(i * self.strides[0] + j * self.strides[1]);
            std::slice::from_raw_parts_mut(start, self.extent[2])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_checked() {
        let data = [0f32; 24];
        assert!(View::new(&data, [2, 3, 4], [12, 4, 1]).is_ok());
        assert!(View::new(&data, [2, 3, 4], [13, 4, 1]).is_err());
        assert_eq!(View::dense(&data, [0, 3, 4]).unwrap_err().code(), "compress::empty_shape");
        assert_eq!(View::new(&data, [1, 1, 4], [1, 1, 2]).unwrap_err().code(), "compress::last_stride");
        let huge = View::new(&data, [usize::MAX, 2, 2], [usize::MAX, 1, 1]);
        assert_eq!(huge.unwrap_err().code(), "compress::view_bounds");
    }

    #[test]
    fn writable_points_are_distinct() {
        let mut data = [0f32; 24];
        assert!(ViewMut::new(&mut data, [3, 2, 4], [4, 12, 1]).is_ok());
        assert_eq!(
            ViewMut::new(&mut data, [2, 3, 4], [2, 4, 1]).unwrap_err().code(),
            "compress::view_overlap"
        );
        assert_eq!(
            ViewMut::new(&mut data, [1, 3, 4], [0, 3, 1]).unwrap_err().code(),
            "compress::view_overlap"
        );
    }
}
