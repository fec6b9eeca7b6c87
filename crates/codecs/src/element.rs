//! The element types of a field.

use std::fmt;
use std::str::FromStr;

/// Type of the values of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DType {
    /// 32-bit IEEE 754.
    F32,
    /// 64-bit IEEE 754.
    F64,
}

impl DType {
    /// Bytes of one value.
    pub fn size(self) -> usize {
        match self {
            DType::F32 => 4,
            DType::F64 => 8,
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DType::F32 => "f32",
            DType::F64 => "f64",
        })
    }
}

/// The text names no element type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown element type `{0}`")]
pub struct UnknownDType(pub String);

impl UnknownDType {
    /// Stable identifier of the error.
    pub fn code(&self) -> &'static str {
        "compress::unknown_dtype"
    }

    /// What to do about it.
    pub fn help(&self) -> Option<String> {
        Some("use `f32` or `f64`".into())
    }
}

impl FromStr for DType {
    type Err = UnknownDType;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        match s {
            "f32" => Ok(DType::F32),
            "f64" => Ok(DType::F64),
            _ => Err(UnknownDType(s.into())),
        }
    }
}

/// A value of a field: `f32` or `f64`.
pub trait Element: sealed::Real {
    /// The type as a value.
    const DTYPE: DType;

    /// Exact.
    fn to_f64(self) -> f64;

    /// Rounds to nearest even.
    fn from_f64(v: f64) -> Self;
}

pub(crate) mod sealed {
    use std::fmt::Debug;
    use std::ops::{Add, Mul, Neg, Sub};

    /// What the codecs need of a number; also keeps [`Element`](super::Element) closed.
    pub trait Real:
        Copy
        + Send
        + Sync
        + 'static
        + Debug
        + Default
        + PartialOrd
        + Add<Output = Self>
        + Sub<Output = Self>
        + Mul<Output = Self>
        + Neg<Output = Self>
        + crate::native::Blocks
    {
        /// Smallest positive value, as a power of two.
        const TINY_EXPONENT: i32;
        /// Bits of the significand, without the hidden one.
        const MANTISSA: i32;
        /// Largest finite value.
        const LARGEST: f64;
        /// Largest |r| that `quantize` codes; larger ones go raw.
        const QUANTIZE_LIMIT: f64;
        /// Bytes of the base of a `quantize` block.
        const BASE_BYTES: usize;

        fn round_even(self) -> Self;
        /// Truncates; only for values within the range of i64.
        fn to_i64(self) -> i64;
        /// Rounds to nearest even.
        fn from_i64(v: i64) -> Self;
        fn put(self, out: &mut Vec<u8>);
        /// Reads `size_of::<Self>()` bytes; `None` when there are fewer.
        fn get(bytes: &[u8]) -> Option<Self>;
    }
}

macro_rules! element {
    ($t:ident, $dtype:ident, tiny $tiny:literal, mantissa $mantissa:literal, limit $limit:literal, base $base:literal) => {
        impl Element for $t {
            const DTYPE: DType = DType::$dtype;

            fn to_f64(self) -> f64 {
                self as f64
            }

            fn from_f64(v: f64) -> Self {
                v as $t
            }
        }

        impl sealed::Real for $t {
            const TINY_EXPONENT: i32 = $tiny;
            const MANTISSA: i32 = $mantissa;
            const LARGEST: f64 = $t::MAX as f64;
            const QUANTIZE_LIMIT: f64 = (1u64 << $limit) as f64;
            const BASE_BYTES: usize = $base;

            fn round_even(self) -> Self {
                self.round_ties_even()
            }

            fn to_i64(self) -> i64 {
                self as i64
            }

            fn from_i64(v: i64) -> Self {
                v as $t
            }

            fn put(self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }

            fn get(bytes: &[u8]) -> Option<Self> {
                bytes.first_chunk().map(|b| $t::from_le_bytes(*b))
            }
        }
    };
}

element!(f32, F32, tiny -149, mantissa 23, limit 30, base 4);
element!(f64, F64, tiny -1074, mantissa 52, limit 62, base 8);
