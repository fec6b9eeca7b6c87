//! A codec with a bound on the error at every point.

use std::fmt;
use std::str::FromStr;

use crate::native::Native;
use crate::{Compression, CompressionError, Element, EncodeError, Parallel, SliceInfo, Trend, View, stream};

/// A codec and, if wanted, a bound on the error at every point; see [`encode_within`](crate::encode_within).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounded {
    /// The codec.
    pub codec: Compression,
    /// Largest error of a value over max - min of its slice, above 0 to 0.5.
    pub max_error: Option<f64>,
}

impl From<Compression> for Bounded {
    fn from(codec: Compression) -> Self {
        Bounded { codec, max_error: None }
    }
}

impl Compression {
    /// The same codec; no decoded value is further off than `max_error` x (max - min) of its slice.
    pub fn within(self, max_error: f64) -> Bounded {
        Bounded { codec: self, max_error: Some(max_error) }
    }
}

impl Bounded {
    /// Checks the parameters; returns the value unchanged.
    ///
    /// # Errors
    /// When one of them is out of range, or the codec is exact and has no use for a bound.
    pub fn validate(self) -> Result<Self, CompressionError> {
        self.codec.validate()?;
        if let Some(max_error) = self.max_error {
            check(max_error)?;
            if self.codec == Compression::Noop {
                return Err(CompressionError::NoMaxError(self.codec.name()));
            }
        }
        Ok(self)
    }

    /// [`encode`](crate::encode), or [`encode_within`](crate::encode_within) where there is a bound.
    ///
    /// # Errors
    /// Theirs.
    pub fn encode<T: Element>(
        &self,
        src: View<'_, T>,
        par: &dyn Parallel,
        out: &mut Vec<u8>,
    ) -> Result<SliceInfo, EncodeError> {
        self.encode_next(src, par, &mut Trend::default(), out)
    }

    /// The same for the next slice of a series; see [`encode_next`](crate::encode_next).
    ///
    /// # Errors
    /// As [`Bounded::encode`].
    pub fn encode_next<T: Element>(
        &self,
        src: View<'_, T>,
        par: &dyn Parallel,
        trend: &mut Trend,
        out: &mut Vec<u8>,
    ) -> Result<SliceInfo, EncodeError> {
        match self.max_error {
            Some(max_error) => stream::encode_within(&Native, self.codec, max_error, &src, par, trend, out),
            None => stream::encode(&Native, self.codec, &src, par, trend, out),
        }
    }
}

impl fmt::Display for Bounded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.max_error {
            Some(max_error) => write!(f, "{} within {max_error:e}", self.codec),
            None => self.codec.fmt(f),
        }
    }
}

impl FromStr for Bounded {
    type Err = CompressionError;

    /// Reads what [`Display`](fmt::Display) writes.
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let Some((codec, bound)) = s.split_once(" within ") else {
            return Ok(s.parse::<Compression>()?.into());
        };
        let codec: Compression = codec.parse()?;
        let bad = |_| CompressionError::BadParameter { codec: codec.name(), text: bound.into() };
        codec.within(bound.parse().map_err(bad)?).validate()
    }
}

/// A bound must be above 0, and at most half the range of the values.
pub(crate) fn check(max_error: f64) -> Result<(), CompressionError> {
    let inside = max_error > 0.0 && max_error <= 0.5;
    if inside { Ok(()) } else { Err(CompressionError::MaxErrorRange(max_error)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_checked() {
        let code = |b: Bounded| b.validate().unwrap_err().code();
        assert_eq!(code(Compression::lapped().within(0.0)), "compress::max_error_range");
        assert_eq!(code(Compression::lapped().within(f64::NAN)), "compress::max_error_range");
        assert_eq!(code(Compression::Noop.within(1e-3)), "compress::no_max_error");
        assert_eq!(code(Compression::Lapped { compscale: 2.0 }.within(1e-3)), "compress::compscale_range");
        let good = Compression::Lapped { compscale: 1e-2 }.within(1e-3);
        assert_eq!(good.validate().unwrap().to_string(), "lapped:1e-2 within 1e-3");
        assert_eq!(Bounded::from(Compression::Noop).validate().unwrap().to_string(), "noop");
    }

    #[test]
    fn text_reads_back() {
        for text in ["noop", "quantize:12 within 1e-4", "lapped:1e-2 within 1e-3", "lapped:60dB"] {
            assert_eq!(text.parse::<Bounded>().unwrap().to_string(), text);
        }
        for text in ["noop within 1e-3", "lapped:1e-2 within", "lapped:1e-2 within x", "lapped:1e-2 within 2"]
        {
            assert!(text.parse::<Bounded>().is_err(), "{text}");
        }
    }
}
