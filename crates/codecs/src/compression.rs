//! Which codec, with which parameter.

use std::fmt;
use std::str::FromStr;

use crate::{DType, stream};

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
    /// Lapped cosine transform; coefficients are rounded in steps of at most compscale x RMS of the slice.
    Lapped {
        /// Above 0, at most 1; default 1e-2, useful from 1e-1 to 1e-5. Larger is smaller and lossier.
        compscale: f64,
    },
    /// The same transform, with the largest step that keeps a signal-to-noise ratio.
    LappedSnr {
        /// 10 log10(sum of the squares of the values / that of the errors) in dB; above 0, at most 300. Larger is larger and
        /// more exact.
        snr: f64,
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
    /// `compscale` for a codec other than `wavelet` and `lapped`.
    #[error("codec `{0}` has no parameter `compscale`")]
    NoCompscale(&'static str),
    /// `snr` for a codec other than `lapped`.
    #[error("codec `{0}` has no parameter `snr`")]
    NoSnr(&'static str),
    /// `nbits` out of range.
    #[error("nbits = {0} is outside 1..=24")]
    NbitsRange(u32),
    /// `compscale` out of range.
    #[error("compscale = {0} is not above 0 and at most 1")]
    CompscaleRange(f64),
    /// `snr` out of range.
    #[error("snr = {0} dB is not above 0 and at most 300")]
    SnrRange(f64),
    /// A bound on the error of a codec that has none.
    #[error("`{0}` is exact, it has no max_error")]
    NoMaxError(&'static str),
    /// `max_error` is out of range.
    #[error("max_error = {0} is not above 0 and at most 0.5")]
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
            Self::NoSnr(_) => "compress::no_snr",
            Self::NbitsRange(_) => "compress::nbits_range",
            Self::CompscaleRange(_) => "compress::compscale_range",
            Self::SnrRange(_) => "compress::snr_range",
            Self::NoMaxError(_) => "compress::no_max_error",
            Self::MaxErrorRange(_) => "compress::max_error_range",
        }
    }

    /// What to do about it.
    pub fn help(&self) -> Option<String> {
        Some(
            match self {
                Self::UnknownCodec(_) => {
                    "use `noop`, `quantize` (or `bitcomp`), `wavelet` (or `cvxcompress`) or `lapped`, with an optional \
                     parameter: `quantize:12`, `wavelet:1e-4`, `lapped:1e-2`, `lapped:60dB`"
                }
                Self::BadParameter { codec: "noop", .. } => "`noop` has no parameter",
                Self::BadParameter { codec: "quantize", .. } => "give the number of bits, such as `quantize:12`",
                Self::BadParameter { codec: "lapped", .. } => {
                    "give the scale, such as `lapped:1e-2`, or the signal-to-noise ratio, such as `lapped:60dB`"
                }
                Self::BadParameter { .. } => "give the scale, such as `wavelet:1e-4`",
                Self::NoNbits(_) => "nbits belongs to `quantize`",
                Self::NoCompscale(_) => "compscale belongs to `wavelet` and `lapped`",
                Self::NoSnr(_) => "snr belongs to `lapped`",
                Self::NbitsRange(_) => "9 bits is the default; more bits, less error",
                Self::NoMaxError(_) => "leave it out, or choose `quantize`, `wavelet` or `lapped`",
                Self::MaxErrorRange(_) => "it is relative to the range of a snapshot: 1e-3 is a thousandth of it",
                Self::CompscaleRange(_) => "useful values are 1e-2 to 1e-6; smaller, less error",
                Self::SnrRange(_) => "useful values are 40 to 80; larger, less error",
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

    /// `lapped` with the default scale of 1e-2.
    pub fn lapped() -> Self {
        Self::Lapped { compscale: 1e-2 }
    }

    /// Name of the codec, without its parameter.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Noop => "noop",
            Self::Quantize { .. } => "quantize",
            Self::Wavelet { .. } => "wavelet",
            Self::Lapped { .. } | Self::LappedSnr { .. } => "lapped",
        }
    }

    /// Whether the step is relative to the RMS of the slice.
    pub(crate) fn uses_rms(&self) -> bool {
        matches!(self, Self::Wavelet { .. }) || self.is_lapped()
    }

    /// Whether it is `lapped`, by either parameter.
    pub(crate) fn is_lapped(&self) -> bool {
        matches!(self, Self::Lapped { .. } | Self::LappedSnr { .. })
    }

    /// Points along the two slower axes of the smallest part of a slice that [`PartEncoder`](crate::PartEncoder) codes:
    /// parts begin at multiples of them. `None` where it needs all of it, or, as for `noop`, could do no better than a copy.
    pub fn encoded_part(&self, shape: [usize; 3]) -> Option<[usize; 2]> {
        stream::least_encoded(*self, shape)
    }

    /// The same for [`PartDecoder`](crate::PartDecoder).
    pub fn decoded_part(&self, shape: [usize; 3]) -> Option<[usize; 2]> {
        stream::least_decoded(*self, shape)
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
            Self::Lapped { .. } | Self::LappedSnr { .. } => Self::Lapped { compscale }.validate(),
            _ => Err(CompressionError::NoCompscale(self.name())),
        }
    }

    /// The same codec, to keep a signal-to-noise ratio in dB.
    ///
    /// # Errors
    /// When the codec has no `snr`, or it is out of range.
    pub fn with_snr(self, snr: f64) -> Result<Self, CompressionError> {
        match self {
            Self::Lapped { .. } | Self::LappedSnr { .. } => Self::LappedSnr { snr }.validate(),
            _ => Err(CompressionError::NoSnr(self.name())),
        }
    }

    /// Bits that a value of a smooth wavefield is expected to take, for planning before there are data. Mean of an
    /// acoustic wavefield in three dimensions (`wavefold codec`); rough fields take more, quiet ones less.
    pub fn expected_bits(&self, dtype: DType) -> f64 {
        /// Of `wavelet` at compscale 1, 0.1, .. 1e-6; more follow at the slope of the last two.
        const WAVELET: [f64; 7] = [0.1, 0.4, 1.1, 2.8, 5.4, 8.7, 12.2];
        /// Of `lapped`.
        const LAPPED: [f64; 7] = [0.03, 0.2, 0.5, 1.3, 3.2, 6.3, 9.6];
        let raw = 8.0 * dtype.size() as f64;
        let at = |table: [f64; 7], compscale: f64| {
            let decade = (-compscale.log10()).max(0.0);
            let below = (decade as usize).min(table.len() - 2);
            let (low, high) = (table[below], table[below + 1]);
            low + (decade - below as f64) * (high - low)
        };
        let bits = match *self {
            Self::Noop => raw,
            Self::Quantize { nbits } => (f64::from(nbits) - 3.2).max(0.5 * f64::from(nbits)),
            Self::Wavelet { compscale } => at(WAVELET, compscale),
            Self::Lapped { compscale } => at(LAPPED, compscale),
            // A scale of 1e-2 keeps 60 dB, each decade 15 dB more or less.
            Self::LappedSnr { snr } => at(LAPPED, 10f64.powf(2.0 - snr / 15.0)),
        };
        bits.min(raw)
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
            Self::Wavelet { compscale } | Self::Lapped { compscale }
                if !(compscale > 0.0 && compscale <= 1.0) =>
            {
                Err(CompressionError::CompscaleRange(compscale))
            }
            Self::LappedSnr { snr } if !(snr > 0.0 && snr <= 300.0) => Err(CompressionError::SnrRange(snr)),
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
            Self::Lapped { compscale } => write!(f, "lapped:{compscale:e}"),
            Self::LappedSnr { snr } => write!(f, "lapped:{snr}dB"),
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
            "lapped" => Self::lapped(),
            _ => return Err(CompressionError::UnknownCodec(name.into())),
        };
        let Some(text) = parameter else { return Ok(default) };
        let bad = || CompressionError::BadParameter { codec: default.name(), text: text.into() };
        match default {
            Self::Noop => Err(bad()),
            Self::Quantize { .. } => default.with_nbits(text.trim().parse().map_err(|_| bad())?),
            Self::Lapped { .. } if text.trim_end().ends_with("dB") => {
                let number = text.trim_end().trim_end_matches("dB");
                default.with_snr(number.trim().parse().map_err(|_| bad())?)
            }
            _ => default.with_compscale(text.trim().parse().map_err(|_| bad())?),
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
        for text in ["noop", "quantize:24", "wavelet:1e-6", "lapped:1e-2", "lapped:60dB"] {
            assert_eq!(text.parse::<Compression>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn fewer_bits_are_expected_of_coarser_parameters() {
        let bits = |s: &str| s.parse::<Compression>().unwrap().expected_bits(DType::F32);
        let wavelets =
            ["wavelet:1", "wavelet:0.05", "wavelet:1e-2", "wavelet:3e-4", "wavelet:1e-6", "wavelet:1e-9"];
        let quantized = ["quantize:1", "quantize:9", "quantize:16", "quantize:24"];
        for family in [&wavelets[..], &quantized[..]] {
            assert!(family.is_sorted_by(|a, b| bits(a) < bits(b)), "{family:?}");
        }
        assert_eq!((bits("noop"), bits("wavelet:1e-300")), (32.0, 32.0));
        assert_eq!(Compression::Noop.expected_bits(DType::F64), 64.0);
    }

    #[test]
    fn wrong_ones_are_refused() {
        let code = |s: &str| s.parse::<Compression>().unwrap_err().code();
        assert_eq!(code("zip"), "compress::unknown_codec");
        assert_eq!(code("noop:3"), "compress::bad_parameter");
        assert_eq!(code("quantize:x"), "compress::bad_parameter");
        assert_eq!(code("quantize:25"), "compress::nbits_range");
        assert_eq!(code("wavelet:0"), "compress::compscale_range");
        assert_eq!(code("lapped:2"), "compress::compscale_range");
        assert_eq!(code("lapped:0dB"), "compress::snr_range");
        assert_eq!(code("lapped:xdB"), "compress::bad_parameter");
        assert_eq!(Compression::wavelet().with_snr(60.0).unwrap_err().code(), "compress::no_snr");
        assert_eq!(code("wavelet:nan"), "compress::compscale_range");
        assert_eq!(Compression::Noop.with_nbits(3).unwrap_err().code(), "compress::no_nbits");
        assert_eq!(Compression::quantize().with_compscale(0.1).unwrap_err().code(), "compress::no_compscale");
    }
}
