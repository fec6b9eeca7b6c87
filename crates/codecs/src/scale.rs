//! Steps of the quantisers, and how to multiply by them without overflow.

use crate::Element;

/// 2^e for -1074 <= e <= 1023.
pub(crate) fn pow2(e: i32) -> f64 {
    debug_assert!((-1074..=1023).contains(&e));
    if e >= -1022 { f64::from_bits(((e + 1023) as u64) << 52) } else { f64::from_bits(1 << (e + 1074)) }
}

/// floor(log2 x) for finite x > 0.
pub(crate) fn exponent(x: f64) -> i32 {
    if x < f64::MIN_POSITIVE {
        return exponent(x * pow2(54)) - 54;
    }
    ((x.to_bits() >> 52) & 0x7FF) as i32 - 1023
}

/// Smallest e with 2^e >= x, for finite x > 0.
pub(crate) fn exponent_above(x: f64) -> i32 {
    let e = exponent(x);
    if e < 1023 && x <= pow2(e) { e } else { e + 1 }
}

/// x 2^e, where neither x 2^(e/2) nor the result overflows.
pub(crate) fn scaled(x: f64, e: i32) -> f64 {
    x * pow2(e / 2) * pow2(e - e / 2)
}

/// A step and its inverse, each as two factors that a value is multiplied by in turn, so that no intermediate result
/// over- or underflows where the final one does not.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step<T> {
    pub(crate) inverse: [T; 2],
    pub(crate) value: [T; 2],
}

impl<T: Element> Step<T> {
    pub(crate) fn new(step: f64) -> Self {
        let e = exponent(step);
        let (half, rest) = (e / 2, e - e / 2);
        let significand = scaled(step, -e);
        Step {
            inverse: [T::from_f64(pow2(-half)), T::from_f64(pow2(-rest) / significand)],
            value: [T::from_f64(significand * pow2(half)), T::from_f64(pow2(rest))],
        }
    }
}

/// Largest |r| for which r x step is finite and fits the integers of `quantize`.
pub(crate) fn quantize_limit<T: Element>(step: f64) -> T {
    let most = scaled(T::LARGEST, -exponent(step)).floor();
    T::from_f64(most.min(T::QUANTIZE_LIMIT))
}

/// Step of `quantize`: delta = (max - min) / (2^nbits - 1), rounded up to a power of two, which keeps r = x / step and
/// r x step exact; the error is at most step / 2, which is less than delta.
///
/// Where all values are multiples of a larger power of two (far from zero, or denormal), that one is taken: no loss.
pub(crate) fn quantize_step<T: Element>(min: f64, max: f64, nbits: u32) -> f64 {
    let levels = ((1u64 << nbits) - 1) as f64;
    let range = max - min;
    let (range, more) = if range.is_finite() { (range, 0) } else { (max / 2.0 - min / 2.0, 1) };
    let delta = range / levels;
    let mut e = if delta > 0.0 { exponent_above(delta) + more } else { T::TINY_EXPONENT };
    let nearest_zero = if min > 0.0 {
        min
    } else if max < 0.0 {
        -max
    } else {
        0.0
    };
    if nearest_zero > 0.0 {
        e = e.max(exponent(nearest_zero) - T::MANTISSA);
    }
    pow2(e.clamp(T::TINY_EXPONENT, 1023))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_and_exponents_agree() {
        for e in -1074..=1023 {
            assert_eq!(exponent(pow2(e)), e);
            assert_eq!(scaled(pow2(e), -e), 1.0);
        }
        assert_eq!((exponent_above(1.0), exponent_above(1.001), exponent_above(1.999)), (0, 1, 1));
        assert_eq!(exponent(1.999), 0);
        assert_eq!(exponent(f64::MAX), 1023);
    }
}
