//! The bound on the error at every point is kept, whatever the codec and its parameter.

mod common;

use common::{Field, Kind, compressions, decoded, encoded, fields};
use proptest::prelude::*;
use wavefold_codecs::{
    Compression, Element, Serial, Threads, View, ViewMut, decode, decode_box, encode_within, inspect,
    reference,
};

fn within<T: Element>(c: Compression, max_error: f64, shape: [usize; 3], data: &[T]) -> Vec<u8> {
    let mut out = vec![7];
    let view = View::dense(data, shape).unwrap();
    let info = encode_within(c, max_error, view, &Serial, &mut out).unwrap();
    assert_eq!(info.bytes as usize, out.len() - 1);
    out.split_off(1)
}

fn check<T: Element + Default>(
    c: Compression,
    max_error: f64,
    shape: [usize; 3],
    data: &[T],
) -> Result<(), TestCaseError> {
    let stream = within(c, max_error, shape, data);
    let info = inspect(&stream).unwrap();
    // In halves, which cannot overflow.
    let bound = max_error * (info.max / 2.0 - info.min / 2.0);
    for (x, y) in data.iter().zip(decoded::<T>(&stream, shape)) {
        let (x, y) = (x.to_f64(), y.to_f64());
        prop_assert!(x == y || (x / 2.0 - y / 2.0).abs() <= bound, "{x:e} -> {y:e}, bound {bound:e}");
    }
    let mut plain = vec![T::default(); data.len()];
    reference::decode(&stream, ViewMut::dense(&mut plain, shape).unwrap(), &Serial).unwrap();
    let bits = |v: &[T]| v.iter().map(|x| x.to_f64().to_bits()).collect::<Vec<_>>();
    prop_assert_eq!(bits(&plain), bits(&decoded::<T>(&stream, shape)));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn the_bound_is_kept_f32(field in fields(), c in compressions(), e in -7f64..-0.5) {
        check(c, 10f64.powf(e), field.shape, &field.f32())?;
    }

    #[test]
    fn the_bound_is_kept_f64(field in fields(), c in compressions(), e in -12f64..-0.5) {
        check(c, 10f64.powf(e), field.shape, &field.f64())?;
    }
}

const SPIKES: Field = Field { kind: Kind::Spikes, shape: [20, 30, 40], scale: 0, offset: 0.0, seed: 3 };
const C: Compression = Compression::Wavelet { compscale: 0.3 };

/// The spikes' errors, sorted, tell a bound that cuts off a tenth of a percent.
fn few_outliers() -> (Vec<f32>, f64) {
    let data = SPIKES.f32();
    let back = decoded::<f32>(&encoded(C, SPIKES.shape, &data).0, SPIKES.shape);
    let mut errors: Vec<f64> = data.iter().zip(&back).map(|(x, y)| f64::from((x - y).abs())).collect();
    errors.sort_by(f64::total_cmp);
    let range = data.iter().fold(0f32, |m, x| m.max(*x)) - data.iter().fold(0f32, |m, x| m.min(*x));
    let bound = errors[errors.len() - errors.len() / 1000] / f64::from(range);
    (data, bound)
}

#[test]
fn outliers_cost_little_and_are_found_in_a_box() {
    let (data, bound) = few_outliers();
    let (plain, _) = encoded(C, SPIKES.shape, &data);
    let stream = within(C, bound, SPIKES.shape, &data);
    assert!(stream.len() > plain.len() && stream.len() < plain.len() + 8 * data.len() / 1000 + 100);
    let whole = decoded::<f32>(&stream, SPIKES.shape);
    assert_ne!(whole, decoded::<f32>(&plain, SPIKES.shape));
    let mut part = vec![0f32; 5 * 30 * 40];
    let dst = ViewMut::dense(&mut part, [5, 30, 40]).unwrap();
    decode_box(&stream, [7, 0, 0], dst, &Serial).unwrap();
    assert_eq!(part, whole[7 * 1200..12 * 1200]);
}

#[test]
fn outliers_of_large_slices_are_the_same_on_any_threads() {
    let field = Field { shape: [70, 45, 61], ..SPIKES };
    let (data, c) = (field.f32(), Compression::Wavelet { compscale: 0.3 });
    for max_error in [1e-1, 1e-2, 1e-3] {
        check(c, max_error, field.shape, &data).unwrap();
        let mut out = Vec::new();
        let view = View::dense(&data, field.shape).unwrap();
        encode_within(c, max_error, view, &Threads::new(3).unwrap(), &mut out).unwrap();
        assert!(out == within(c, max_error, field.shape, &data));
    }
}

#[test]
fn damaged_outliers_are_an_error() {
    let (data, bound) = few_outliers();
    let (plain, _) = encoded(C, SPIKES.shape, &data);
    let mut stream = within(C, bound, SPIKES.shape, &data);
    let mut back = vec![0f32; data.len()];
    for i in plain.len() + 8..stream.len() {
        stream[i] ^= 4;
        let dst = ViewMut::dense(&mut back, SPIKES.shape).unwrap();
        assert_eq!(decode(&stream, dst, &Serial).unwrap_err().code(), "decompress::checksum");
        stream[i] ^= 4;
    }
}

#[test]
fn bounds_out_of_range_are_refused() {
    let data = [1f32, 2.0, 4.0];
    for max_error in [0.0, -1.0, 0.6, f64::NAN] {
        let mut out = vec![1];
        let view = View::dense(&data, [1, 1, 3]).unwrap();
        let error = encode_within(C, max_error, view, &Serial, &mut out).unwrap_err();
        assert_eq!(error.code(), "compress::max_error_range");
        assert_eq!(out, [1]);
    }
}
