//! Arrays that users see.

use std::alloc::{Layout, alloc_zeroed};
use std::borrow::Cow;
use std::fmt;

use ndarray::{Array, ArrayD, ArrayView, Dimension, IxDyn};
use wavefold_codecs::{DType, Element};

use crate::{Buffer, Result, RuntimeError};

/// A copy of the values of a function, of its element type, row-major.
///
/// Equal when type, shape and all values are equal; as for floats, `0 == -0` and NaN equals nothing.
///
/// ```
/// use wavefold_runtime::Data;
///
/// let data = Data::from_vec(&[2, 3], vec![1.0_f32, 2.0, 3.0, 4.0, 5.0, 6.0])?;
/// assert_eq!(data.get(&[1, 0]), Some(4.0));
/// assert_eq!(data.max(), 6.0);
/// # Ok::<(), wavefold_runtime::RuntimeError>(())
/// ```
#[derive(Clone, PartialEq)]
pub enum Data {
    /// 32-bit values.
    F32(ArrayD<f32>),
    /// 64-bit values.
    F64(ArrayD<f64>),
}

/// The element types of [`Data`].
pub(crate) trait Scalar: Element {
    /// The array as data.
    fn wrap(array: ArrayD<Self>) -> Data;
}

impl Scalar for f32 {
    fn wrap(array: ArrayD<f32>) -> Data {
        Data::F32(array)
    }
}

impl Scalar for f64 {
    fn wrap(array: ArrayD<f64>) -> Data {
        Data::F64(array)
    }
}

/// Runs the same expression on either array.
macro_rules! each {
    ($data:expr, $array:ident => $value:expr) => {
        match $data {
            $crate::Data::F32($array) => $value,
            $crate::Data::F64($array) => $value,
        }
    };
}

/// Runs the same expression with `T` either element type.
macro_rules! with_type {
    ($dtype:expr, $T:ident => $value:expr) => {
        match $dtype {
            wavefold_codecs::DType::F32 => {
                type $T = f32;
                $value
            }
            wavefold_codecs::DType::F64 => {
                type $T = f64;
                $value
            }
        }
    };
}

pub(crate) use {each, with_type};

/// Zeros that the allocator hands out; too many are an error, not an abort.
pub(crate) fn zeros<T: Element>(len: usize, what: &str) -> Result<Vec<T>> {
    let error = || RuntimeError::Allocation { what: what.into(), bytes: len.saturating_mul(size_of::<T>()) };
    let layout = Layout::array::<T>(len).map_err(|_| error())?;
    if layout.size() == 0 {
        return Ok(Vec::new());
    }
    // SAFETY: the layout has a size.
    let start = unsafe { alloc_zeroed(layout) }.cast::<T>();
    if start.is_null() {
        return Err(error());
    }
    // SAFETY: the memory comes from the global allocator with the layout of `len` values, all zero bits,
    // which is 0.
    Ok(unsafe { Vec::from_raw_parts(start, len, len) })
}

/// The number of values of an array.
pub(crate) fn count(shape: &[usize], what: &str) -> Result<usize> {
    let count = shape.iter().try_fold(1_usize, |product, n| product.checked_mul(*n));
    let fits = |n: &usize| isize::try_from(n.saturating_mul(8)).is_ok();
    count.filter(fits).ok_or_else(|| RuntimeError::TooLarge { what: what.into(), shape: shape.to_vec() })
}

/// An array of values whose number is known to be right.
pub(crate) fn array<T: Scalar>(shape: &[usize], values: Vec<T>) -> Result<Data> {
    let found = values.len();
    match ArrayD::from_shape_vec(IxDyn(shape), values) {
        Ok(array) => Ok(T::wrap(array)),
        Err(_) => {
            let expected =
                count(shape, "an array").map_or_else(|_| "too many".to_string(), |n| n.to_string());
            Err(RuntimeError::WrongLength { shape: shape.to_vec(), expected, found })
        }
    }
}

impl Data {
    /// Row-major values of an array of this shape.
    ///
    /// # Errors
    /// `data::wrong_length` when the number of values is not the product of the shape.
    #[allow(private_bounds, reason = "f32 and f64")]
    pub fn from_vec<T: Scalar>(shape: &[usize], values: Vec<T>) -> Result<Data> {
        array(shape, values)
    }

    /// Zeros.
    ///
    /// # Errors
    /// `memory::allocation`, `memory::too_large`.
    pub fn zeros(dtype: DType, shape: &[usize]) -> Result<Data> {
        let len = count(shape, "an array")?;
        with_type!(dtype, T => array(shape, zeros::<T>(len, "an array")?))
    }

    /// Points along each dimension.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        each!(self, a => a.shape())
    }

    /// Number of values.
    #[must_use]
    pub fn len(&self) -> usize {
        each!(self, a => a.len())
    }

    /// Whether there are no values.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Type of the values.
    #[must_use]
    pub fn dtype(&self) -> DType {
        match self {
            Data::F32(_) => DType::F32,
            Data::F64(_) => DType::F64,
        }
    }

    /// The values in double precision.
    #[must_use]
    pub fn to_f64(&self) -> ArrayD<f64> {
        each!(self, a => a.mapv(|v| v.to_f64()))
    }

    /// The values in single precision, rounded to nearest.
    #[must_use]
    pub fn to_f32(&self) -> ArrayD<f32> {
        each!(self, a => a.mapv(|v| f32::from_f64(v.to_f64())))
    }

    /// The array, if it is single precision.
    #[must_use]
    pub fn as_f32(&self) -> Option<&ArrayD<f32>> {
        match self {
            Data::F32(a) => Some(a),
            Data::F64(_) => None,
        }
    }

    /// The array, if it is double precision.
    #[must_use]
    pub fn as_f64(&self) -> Option<&ArrayD<f64>> {
        match self {
            Data::F32(_) => None,
            Data::F64(a) => Some(a),
        }
    }

    /// The value at an index; `None` outside the array, or for an index of another rank.
    #[must_use]
    pub fn get(&self, index: &[usize]) -> Option<f64> {
        each!(self, a => a.get(IxDyn(index)).map(|v| v.to_f64()))
    }

    /// Part `index` of the first dimension: one time level of the data of a time function.
    #[must_use]
    pub fn level(&self, index: usize) -> Option<Data> {
        let within = self.shape().first().is_some_and(|n| index < *n);
        within.then(|| each!(self, a => a.index_axis(ndarray::Axis(0), index).to_owned().into()))
    }

    /// The values, row-major.
    pub fn iter(&self) -> Box<dyn Iterator<Item = f64> + '_> {
        each!(self, a => Box::new(a.iter().map(|v| v.to_f64())))
    }

    /// The smallest value; NaN when there is none, or one is NaN.
    #[must_use]
    pub fn min(&self) -> f64 {
        self.iter().reduce(|a, b| if a <= b || a.is_nan() { a } else { b }).unwrap_or(f64::NAN)
    }

    /// The largest value; NaN when there is none, or one is NaN.
    #[must_use]
    pub fn max(&self) -> f64 {
        self.iter().reduce(|a, b| if a >= b || a.is_nan() { a } else { b }).unwrap_or(f64::NAN)
    }

    /// The Euclidean norm, summed in double precision.
    #[must_use]
    pub fn norm(&self) -> f64 {
        self.iter().map(|v| v * v).sum::<f64>().sqrt()
    }

    /// The memory, if it is row-major and contiguous.
    pub(crate) fn into_buffer(self) -> Option<Buffer> {
        each!(self, a => {
            if !a.is_standard_layout() {
                return None;
            }
            let len = a.len();
            match a.into_raw_vec_and_offset() {
                (values, None | Some(0)) if values.len() == len => Some(Buffer::from_vec(values)),
                _ => None,
            }
        })
    }
}

/// The values of an array, row-major.
pub(crate) fn row_major<T: Element>(array: &ArrayD<T>) -> Cow<'_, [T]> {
    array.as_slice().map_or_else(|| array.iter().copied().collect(), Cow::Borrowed)
}

/// Lets `assert_eq!(decompress(&usave)?, vsave.data())` compare with what may have failed; an error is not
/// equal.
impl PartialEq<Result<Data>> for Data {
    fn eq(&self, other: &Result<Data>) -> bool {
        other.as_ref().is_ok_and(|other| self == other)
    }
}

/// As the array prints.
impl fmt::Display for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        each!(self, a => a.fmt(f))
    }
}

impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}\n{self}", self.dtype(), self.shape())
    }
}

macro_rules! from {
    ($($T:ident => $Variant:ident),*) => {$(
        impl<D: Dimension> From<Array<$T, D>> for Data {
            fn from(array: Array<$T, D>) -> Data {
                Data::$Variant(array.into_dyn())
            }
        }

        impl<D: Dimension> From<&Array<$T, D>> for Data {
            fn from(array: &Array<$T, D>) -> Data {
                Data::$Variant(array.to_owned().into_dyn())
            }
        }

        impl<D: Dimension> From<ArrayView<'_, $T, D>> for Data {
            fn from(array: ArrayView<'_, $T, D>) -> Data {
                Data::$Variant(array.to_owned().into_dyn())
            }
        }

        /// A one-dimensional array.
        impl From<Vec<$T>> for Data {
            fn from(values: Vec<$T>) -> Data {
                Data::$Variant(Array::from_vec(values).into_dyn())
            }
        }

        /// A one-dimensional array.
        impl From<&[$T]> for Data {
            fn from(values: &[$T]) -> Data {
                values.to_vec().into()
            }
        }

        /// Shape and row-major values.
        impl TryFrom<(Vec<usize>, Vec<$T>)> for Data {
            type Error = RuntimeError;

            fn try_from((shape, values): (Vec<usize>, Vec<$T>)) -> Result<Data> {
                Data::from_vec(&shape, values)
            }
        }
    )*};
}

from!(f32 => F32, f64 => F64);

impl From<&Data> for Data {
    fn from(data: &Data) -> Data {
        data.clone()
    }
}
