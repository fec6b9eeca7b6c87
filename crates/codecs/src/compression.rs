//! Which codec, with which parameter.

use std::fmt;
use std::str::FromStr;

/// A codec and its parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Compression {
    /// Copies the values: the worst case, and the tool for tests.
    Noop,
    /// Uniform quantisation; the error never exceeds (max - min) / (2^nbits - 1) of the slice.
    Quantize {
        /// 1 to 24; default 9.
        nbits: u32,
    },
    /// 9/7 wavelet; coefficients are truncated in steps of compscale x RMS of the slice.
    Wavelet {
        /// Above 0, at most 1; default 1e-3, useful from 1e-2 to 1e-6. Larger is smaller and lossier.
        compscale: f64,
    },
}

/// A codec name or parameter that cannot be used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CompressionError {
    /// The text names no codec.
    #[error("unknown codec `{0}`")]
    UnknownCodec(String),
    /// The text after the colon is no parameter of the codec.
    #[error("`{text}` is not a parameter of codec `{codec}`")]
    BadParameter {
        /// Name of the codec.
        codec: &'static str,
        /// What was given.
        text: String,
    },
    /// `nbits` for a codec other than `quantize`.
    #[error("codec `{0}` has no parameter `nbits`")]
    NoNbits(&'static str),
    /// `compscale` for a codec other than `wavelet`.
    #[error("codec `{0}` has no parameter `compscale`")]
    NoCompscale(&'static str),
    /// `nbits` out of range.
    #[error("nbits = {0} is outside 1..=24")]
    NbitsRange(u32),
    /// `compscale` out of range.
    #[error("compscale = {0} is not above 0 and at most 1")]
    CompscaleRange(f64),
    /// `max_error` is out of range.
    #[error("max_error is {0}, must be above 0 and at most 0.5")]
    MaxErrorRange(f64),
}

impl CompressionError {
    /// Stable identifier of the error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownCodec(_) => "compress::unknown_codec",
            Self::BadParameter { .. } => "compress::bad_parameter",
            Self::NoNbits(_) => "compress::no_nbits",
            Self::NoCompscale(_) => "compress::no_compscale",
            Self::NbitsRange(_) => "compress::nbits_range",
            Self::CompscaleRange(_) => "compress::compscale_range",
            Self::MaxErrorRange(_) => "compress::max_error_range",
        }
    }

    /// What to do about it.
    pub fn help(&self) -> Option<String> {
        Some(
            match self {
                Self::UnknownCodec(_) => {
                    "use `noop`, `quantize` (or `bitcomp`), `wavelet` (or `cvxcompress`), with an optional parameter: \
                     `quantize:12`, `wavelet:1e-4`"
                }
                Self::BadParameter { codec: "noop", .. } => "`noop` has no parameter",
                Self::BadParameter { codec: "quantize", .. } => "give the number of bits, such as `quantize:12`",
                Self::BadParameter { .. } => "give the scale, such as `wavelet:1e-4`",
                Self::NoNbits(_) => "nbits belongs to `quantize`",
                Self::NoCompscale(_) => "compscale belongs to `wavelet`",
                Self::NbitsRange(_) => "9 bits is the default; more bits, less error",
                Self::MaxErrorRange(_) => "it is relative to the range of the slice: 1e-3 is a thousandth of it",
                Self::CompscaleRange(_) => "useful values are 1e-2 to 1e-6; smaller, less error",
            }
            .into(),
        )
    }
}

impl Compression {
    /// `quantize` with the default of 9 bits.
    pub fn quantize() -> Self {
        Self::Quantize { nbits: 9 }
    }

    /// `wavelet` with the default scale of 1e-3.
    pub fn wavelet() -> Self {
        Self::Wavelet { compscale: 1e-3 }
    }

    /// Name of the codec, without its parameter.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Noop => "noop",
            Self::Quantize { .. } => "quantize",
            Self::Wavelet { .. } => "wavelet",
        }
    }

    /// Whether the step is relative to the RMS of the slice.
    pub(crate) fn uses_rms(&self) -> bool {
        matches!(self, Self::Wavelet { .. })
    }

    /// The same codec with other `nbits`.
    ///
    /// # Errors
    /// When the codec has no `nbits`, or they are out of range.
    pub fn with_nbits(self, nbits: u32) -> Result<Self, CompressionError> {
        match self {
            Self::Quantize { .. } => Self::Quantize { nbits }.validate(),
            _ => Err(CompressionError::NoNbits(self.name())),
        }
    }

    /// The same codec with another `compscale`.
    ///
    /// # Errors
    /// When the codec has no `compscale`, or it is out of range.
    pub fn with_compscale(self, compscale: f64) -> Result<Self, CompressionError> {
        match self {
            Self::Wavelet { .. } => Self::Wavelet { compscale }.validate(),
            _ => Err(CompressionError::NoCompscale(self.name())),
        }
    }

    /// Checks the parameter; returns the value unchanged.
    ///
    /// # Errors
    /// When the parameter is out of range.
    pub fn validate(self) -> Result<Self, CompressionError> {
        match self {
            Self::Quantize { nbits } if !(1..=24).contains(&nbits) => {
                Err(CompressionError::NbitsRange(nbits))
            }
            Self::Wavelet { compscale } if !(compscale > 0.0 && compscale <= 1.0) => {
                Err(CompressionError::CompscaleRange(compscale))
            }
            _ => Ok(self),
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Noop => f.write_str("noop"),
            Self::Quantize { nbits } => write!(f, "quantize:{nbits}"),
            Self::Wavelet { compscale } => write!(f, "wavelet:{compscale:e}"),
        }
    }
}

impl FromStr for Compression {
    type Err = CompressionError;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let (name, parameter) = match s.split_once(':') {
            Some((name, parameter)) => (name, Some(parameter)),
            None => (s, None),
        };
        let default = match name {
            "noop" => Self::Noop,
            "quantize" | "bitcomp" => Self::quantize(),
            "wavelet" | "cvxcompress" => Self::wavelet(),
            _ => return Err(CompressionError::UnknownCodec(name.into())),
        };
        let Some(text) = parameter else { return Ok(default) };
        let bad = || CompressionError::BadParameter { codec: default.name(), text: text.into() };
        match default {
            Self::Noop => Err(bad()),
            Self::Quantize { .. } => default.with_nbits(text.trim().parse().map_err(|_| bad())?),
            Self::Wavelet { .. } => default.with_compscale(text.trim().parse().map_err(|_| bad())?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_parameters() {
        assert_eq!("bitcomp".parse(), Ok(Compression::Quantize { nbits: 9 }));
        assert_eq!("quantize:12".parse(), Ok(Compression::Quantize { nbits: 12 }));
        assert_eq!("cvxcompress:1e-4".parse(), Ok(Compression::Wavelet { compscale: 1e-4 }));
        for text in ["noop", "quantize:24", "wavelet:1e-6"] {
            assert_eq!(text.parse::<Compression>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn wrong_ones_are_refused() {
        let code = |s: &str| s.parse::<Compression>().unwrap_err().code();
        assert_eq!(code("zip"), "compress::unknown_codec");
        assert_eq!(code("noop:3"), "compress::bad_parameter");
        assert_eq!(code("quantize:x"), "compress::bad_parameter");
        assert_eq!(code("quantize:25"), "compress::nbits_range");
        assert_eq!(code("wavelet:0"), "compress::compscale_range");
        assert_eq!(code("wavelet:nan"), "compress::compscale_range");
        assert_eq!(Compression::Noop.with_nbits(3).unwrap_err().code(), "compress::no_nbits");
        assert_eq!(Compression::quantize().with_compscale(0.1).unwrap_err().code(), "compress::no_compscale");
    }
}
