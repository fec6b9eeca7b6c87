//! What each codec promises of its error.

mod common;

use common::{Field, Kind, decoded, encode_error, encoded, fields};
use proptest::prelude::*;
use wavefold_codecs::{Compression, Element, Mode, View, compare};

/// |x - y| <= delta, where delta = (max - min) / (2^nbits - 1) may overflow.
fn check_quantize<T: Element + Default>(
    data: &[T],
    shape: [usize; 3],
    nbits: u32,
) -> Result<(), TestCaseError> {
    let (stream, info) = encoded(Compression::Quantize { nbits }, shape, data);
    prop_assert_eq!(stream.len() as u64, info.bytes);
    let levels = ((1u64 << nbits) - 1) as f64;
    for (x, y) in data.iter().zip(decoded::<T>(&stream, shape)) {
        let (x, y) = (x.to_f64(), y.to_f64());
        prop_assert!(y.is_finite());
        // Halved, so that neither side overflows; exact unless denormal, where both sides are multiples of the same.
        let (error, range) = if info.max - info.min < f64::INFINITY {
            ((x - y).abs(), info.max - info.min)
        } else {
            ((x / 2.0 - y / 2.0).abs(), info.max / 2.0 - info.min / 2.0)
        };
        prop_assert!(error <= range / levels, "{x:e} -> {y:e}, range {range:e}, nbits {nbits}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn quantize_keeps_delta_f32(field in fields(), nbits in 1u32..=24) {
        check_quantize(&field.f32(), field.shape, nbits)?;
    }

    #[test]
    fn quantize_keeps_delta_f64(field in fields(), nbits in 1u32..=24) {
        check_quantize(&field.f64(), field.shape, nbits)?;
    }

    #[test]
    fn noop_keeps_every_bit(field in fields()) {
        let data = field.f64();
        let (stream, _) = encoded(Compression::Noop, field.shape, &data);
        let back = decoded::<f64>(&stream, field.shape);
        prop_assert!(data.iter().zip(&back).all(|(a, b)| a.to_bits() == b.to_bits()));
    }

    #[test]
    fn wavelet_keeps_its_rms(field in fields(), exponent in -6f64..-0.5) {
        let compscale = 10f64.powf(exponent);
        let data = field.f32();
        let (stream, info) = encoded(Compression::Wavelet { compscale }, field.shape, &data);
        let back = decoded::<f32>(&stream, field.shape);
        let view = |v| View::dense(v, field.shape).unwrap();
        let error = compare(view(&data), view(&back)).unwrap();
        // Step, and the rounding of the f32 transform, which shows next to an offset.
        let limit = if info.mode == Mode::Coded { info.step * (1.0 + 2e-6 / compscale) } else { 0.0 };
        prop_assert!(error.rms() <= limit, "rms {:e}, step {limit:e}", error.rms());
        prop_assert!(info.bytes <= info.raw_bytes + 200 + info.raw_bytes / 4);
    }

    #[test]
    fn lapped_keeps_any_snr(field in fields(), snr in 5f64..110.0) {
        let data = field.f32();
        let (stream, info) = encoded(Compression::LappedSnr { snr }, field.shape, &data);
        let back = decoded::<f32>(&stream, field.shape);
        let view = |v| View::dense(v, field.shape).unwrap();
        let found = compare(view(&data), view(&back)).unwrap().snr_db();
        // Rounding of the f32 transform limits what can be kept.
        prop_assert!(info.mode != Mode::Coded || found >= snr.min(105.0) - 0.5, "{found} dB of {snr} dB");
    }

    #[test]
    fn lapped_keeps_its_rms(field in fields(), exponent in -5f64..-0.1) {
        let compscale = 10f64.powf(exponent);
        let data = field.f32();
        let (stream, info) = encoded(Compression::Lapped { compscale }, field.shape, &data);
        let back = decoded::<f32>(&stream, field.shape);
        let view = |v| View::dense(v, field.shape).unwrap();
        let zero = vec![0f32; data.len()];
        let value = compare(view(&data), view(&zero)).unwrap().rms();
        let error = compare(view(&data), view(&back)).unwrap();
        let limit = if info.mode == Mode::Coded { compscale + 2e-6 } else { 0.0 };
        prop_assert!(error.rms() <= limit * value, "rms {:e} of {value:e}, limit {limit:e}", error.rms());
        prop_assert!(info.bytes <= info.raw_bytes + 200 + info.raw_bytes / 4);
    }
}

#[test]
fn noop_keeps_negative_zero() {
    let (stream, _) = encoded(Compression::Noop, [1, 1, 3], &[0.0f32, -0.0, 0.0]);
    assert_eq!(decoded::<f32>(&stream, [1, 1, 3]).map_bits(), [0, 1 << 31, 0]);
}

trait Bits {
    fn map_bits(&self) -> Vec<u32>;
}

impl Bits for Vec<f32> {
    fn map_bits(&self) -> Vec<u32> {
        self.iter().map(|x| x.to_bits()).collect()
    }
}

#[test]
fn constants_are_exact_and_tiny() {
    let shape = [20, 20, 20];
    for value in [0.0, 1.1, -3e-320, f64::MAX] {
        for c in [Compression::quantize(), Compression::wavelet(), Compression::lapped()] {
            let (stream, info) = encoded(c, shape, &vec![value; 8000]);
            assert_eq!((stream.len(), info.mode), (112, Mode::Constant));
            assert!(decoded::<f64>(&stream, shape).iter().all(|x| *x == value));
        }
    }
}

#[test]
fn quiet_regions_cost_close_to_nothing() {
    let shape = [64, 64, 64];
    let mut data = vec![0f32; 64 * 64 * 64];
    for (i, x) in data.iter_mut().enumerate() {
        if i / 4096 < 16 && i / 64 % 64 < 16 && i % 64 < 16 {
            *x = common::random(1, i as u64) as f32;
        }
    }
    for c in [Compression::quantize(), Compression::wavelet(), Compression::lapped()] {
        let (_, info) = encoded(c, shape, &data);
        assert!(info.ratio() > 10.0, "{c}: {}", info.ratio());
    }
}

#[test]
fn far_from_zero_loses_no_bits_to_the_offset() {
    let field = Field { kind: Kind::Noise, shape: [8, 16, 16], scale: 0, offset: 1e6, seed: 3 };
    let (_, info) = encoded(Compression::Quantize { nbits: 9 }, field.shape, &field.f64());
    assert!(info.ratio() > 5.0, "{}", info.ratio());
}

/// Full amplitude up to all ends, none of which is that of a block. Each of `least`: scale, SNR in dB, ratio.
fn check_snr(codec: impl Fn(f64) -> Compression, least: &[(f64, f64, f64)]) {
    let field = Field { kind: Kind::Wave, shape: [50, 61, 70], scale: 3, offset: 0.0, seed: 5 };
    let data = field.f32();
    for (compscale, snr, ratio) in least {
        let (stream, info) = encoded(codec(*compscale), field.shape, &data);
        let back = decoded::<f32>(&stream, field.shape);
        let view = |v| View::dense(v, field.shape).unwrap();
        let report = compare(view(&data), view(&back)).unwrap();
        assert!(report.snr_db() > *snr, "{compscale:e}: {} dB", report.snr_db());
        assert!(info.ratio() > *ratio, "{compscale:e}: ratio {}", info.ratio());
    }
}

#[test]
fn wavelet_reaches_its_snr() {
    let least = [(1e-2, 46.0, 8.0), (1e-3, 66.0, 4.0), (1e-4, 86.0, 2.5)];
    check_snr(|compscale| Compression::Wavelet { compscale }, &least);
}

#[test]
fn lapped_reaches_its_snr() {
    let least = [(1e-1, 32.0, 22.0), (1e-2, 50.0, 10.0), (1e-3, 67.0, 5.0), (1e-4, 84.0, 3.0)];
    check_snr(|compscale| Compression::Lapped { compscale }, &least);
}

#[test]
fn lapped_keeps_the_snr_asked_for() {
    let shapes = [[50, 61, 70], [96, 64, 64], [1, 200, 300], [1, 1, 5000]];
    for (i, shape) in shapes.into_iter().enumerate() {
        let field = Field { kind: Kind::Wave, shape, scale: 3, offset: 0.0, seed: i as u64 };
        let data = field.f64();
        for snr in [20.0, 40.0, 60.0, 90.0, 110.0] {
            let (stream, _) = encoded(Compression::LappedSnr { snr }, shape, &data);
            let back = decoded::<f64>(&stream, shape);
            let view = |v| View::dense(v, shape).unwrap();
            let found = compare(view(&data), view(&back)).unwrap().snr_db();
            // What falls on points beyond the ends counts as if it fell inside.
            assert!(found >= snr && found < snr + 5.0, "{shape:?}, {snr} dB: {found} dB");
        }
    }
}

#[test]
fn the_first_point_that_is_not_finite_is_named() {
    let shape = [4, 40, 50];
    for c in [Compression::Noop, Compression::quantize(), Compression::wavelet(), Compression::lapped()] {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut data = vec![1f32; 8000];
            data[2 * 2000 + 7 * 50 + 49] = bad;
            data[7999] = f32::NAN;
            let error = encode_error(c, shape, &data);
            let wavefold_codecs::EncodeError::NotFinite { index, value } = error else { panic!("{error}") };
            assert_eq!(index, [2, 7, 49]);
            assert!(value.is_nan() == bad.is_nan() && !value.is_finite());
        }
    }
}
