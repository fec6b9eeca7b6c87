//! A slice coded in parts has the stream of the whole; parts decoded have its values.

mod common;

use common::{Field, Kind, compressions, decoded, encoded, fields, random};
use proptest::prelude::*;
use wavefold_codecs::{
    Compression, DType, Element, PartDecoder, PartEncoder, Serial, SliceInfo, Threads, View, ViewMut,
};

/// Boxes of `least` times `layers` planes and `rows` rows: origin and extent along the first two axes.
fn parts(shape: [usize; 3], planes: usize, rows: usize) -> Vec<[[usize; 2]; 2]> {
    let strips = (0..shape[1]).step_by(rows);
    let part = |y: usize, x: usize| [[x, y], [planes.min(shape[0] - x), rows.min(shape[1] - y)]];
    strips.flat_map(|y| (0..shape[0]).step_by(planes).map(move |x| part(y, x))).collect()
}

/// The stream from parts, where there is one.
fn coded<T: Element>(
    encoder: &mut PartEncoder,
    (shape, data): ([usize; 3], &[T]),
    parts: &[[[usize; 2]; 2]],
    like: Option<&SliceInfo>,
) -> Option<(Vec<u8>, SliceInfo)> {
    encoder.begin(like);
    for &[[x, y], [n0, n1]] in parts {
        let from = &data[(x * shape[1] + y) * shape[2]..];
        let view = View::new(from, [n0, n1, shape[2]], [shape[1] * shape[2], shape[2], 1]).unwrap();
        encoder.encode([x, y], view);
    }
    let mut out = vec![7];
    let info = encoder.finish::<T>(&Serial, &mut out).unwrap()?;
    assert_eq!(out.remove(0), 7);
    Some((out, info))
}

/// Coded in parts after right and wrong guesses.
fn guesses<T: Element>(
    c: Compression,
    shape: [usize; 3],
    data: &[T],
    parts: &[[[usize; 2]; 2]],
    encoder: &mut PartEncoder,
) {
    let (whole, info) = encoded(c, shape, data);
    for guess in [None, Some(0.25), Some(4.0), Some(1.0)] {
        let like = guess.map(|factor| SliceInfo { step: info.step * factor, ..info });
        let from_parts = coded(encoder, (shape, data), parts, like.as_ref());
        assert_eq!(from_parts.is_some(), guess == Some(1.0) && info.step > 0.0, "{c} {shape:?} {guess:?}");
        if let Some((stream, found)) = from_parts {
            assert_eq!(found, info);
            assert!(stream == whole, "{c} {shape:?}: other bytes");
        }
    }
}

/// Coded and decoded in parts of some size.
fn check<T: Element>(c: Compression, shape: [usize; 3], data: &[T], size: [usize; 2]) {
    let (whole, info) = encoded(c, shape, data);
    assert_eq!(PartEncoder::new(c, T::DTYPE, shape, 1 << 20).is_some(), c.encoded_part(shape).is_some());
    let Some([b0, b1]) = c.decoded_part(shape) else {
        assert!(PartDecoder::new(&whole, T::DTYPE, shape, &Serial).unwrap().is_none() || info.step == 0.0);
        return;
    };
    let (planes, rows) = (b0 * size[0], b1 * size[1]);
    let parts = parts(shape, planes, rows);
    let encoder = PartEncoder::new(c, T::DTYPE, shape, rows);
    assert_eq!(encoder.is_some(), c != Compression::Noop);
    if let Some(mut encoder) = encoder {
        guesses(c, shape, data, &parts, &mut encoder);
    }
    let values: Vec<T> = decoded(&whole, shape);
    let decoder = PartDecoder::new(&whole, T::DTYPE, shape, &Serial).unwrap().unwrap();
    let mut found = vec![T::from_f64(f64::NAN); data.len()];
    for &[[x, y], [n0, n1]] in &parts {
        let to = &mut found[(x * shape[1] + y) * shape[2]..];
        let view = ViewMut::new(to, [n0, n1, shape[2]], [shape[1] * shape[2], shape[2], 1]).unwrap();
        decoder.decode(&whole, [x, y], view).unwrap();
    }
    let same = found.iter().zip(&values).all(|(a, b)| a.to_f64().to_bits() == b.to_f64().to_bits());
    assert!(same, "{c} {shape:?}: other values");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn parts_make_the_whole(field in fields(), c in compressions(), planes in 1usize..4, rows in 1usize..4) {
        check(c, field.shape, &field.f32(), [planes, rows]);
        check(c, field.shape, &field.f64(), [planes, rows]);
    }
}

#[test]
fn parts_of_many_chunks() {
    for shape in [[70, 65, 130], [1, 700, 333], [9, 200, 168], [3, 2, 70_000]] {
        for kind in [Kind::Wave, Kind::Noise, Kind::Spikes] {
            let field = Field { kind, shape, scale: 0, offset: 0.0, seed: 1 };
            for c in [Compression::Noop, Compression::quantize()] {
                check(c, shape, &field.f32(), [1, 1]);
                check(c, shape, &field.f64(), [2, 3]);
            }
        }
    }
}

#[test]
fn zeros_of_either_sign() {
    let shape = [8, 16, 32];
    let data: Vec<f32> = (0..8 * 16 * 32).map(|i| if i % 3 == 0 { -0.0 } else { 0.0 }).collect();
    check(Compression::Noop, shape, &data, [1, 1]);
    let positive = data.iter().enumerate().map(|(i, x)| if i == 77 { 1.0 } else { *x }).collect::<Vec<f32>>();
    check(Compression::quantize(), shape, &positive, [1, 1]);
    check(Compression::Noop, shape, &positive, [1, 1]);
}

/// A part that is missing or comes twice, one out of place, and values that are not finite.
#[test]
fn what_is_no_slice_makes_no_stream() {
    let field = Field { kind: Kind::Noise, shape: [8, 32, 40], scale: 0, offset: 0.0, seed: 2 };
    let (shape, c) = (field.shape, Compression::quantize());
    let mut data = field.f32();
    let (_, info) = encoded(c, shape, &data);
    let mut encoder = PartEncoder::new(c, DType::F32, shape, 8).unwrap();
    let all = parts(shape, 4, 8);
    let mut made =
        |parts: &[_], data: &[f32]| coded(&mut encoder, (shape, data), parts, Some(&info)).is_some();
    assert!(made(&all, &data));
    assert!(!made(&all[1..], &data));
    assert!(!made(&[&all[..], &all[..1]].concat(), &data));
    assert!(!made(&[&all[..1], &all[..]].concat(), &data));
    let mut moved = all.clone();
    moved[0][1][1] = 16;
    assert!(!made(&moved, &data));
    for bad in [f32::NAN, f32::INFINITY] {
        let good = std::mem::replace(&mut data[5000], bad);
        assert!(!made(&all, &data));
        data[5000] = good;
    }
    assert!(made(&all, &data));
    assert!(PartEncoder::new(c, DType::F32, shape, 0).is_none());
    assert!(PartEncoder::new(c, DType::F32, shape, 12).is_none());
}

#[test]
fn threads_share_the_strips() {
    let field = Field { kind: Kind::Wave, shape: [40, 96, 100], scale: 0, offset: 0.0, seed: 3 };
    let (shape, data) = (field.shape, field.f32());
    let (whole, info) = encoded(Compression::quantize(), shape, &data);
    let mut encoder = PartEncoder::new(Compression::quantize(), DType::F32, shape, 16).unwrap();
    assert!(encoder.begin(Some(&info)));
    std::thread::scope(|scope| {
        for k in 0..3 {
            let (encoder, data) = (&encoder, &data);
            scope.spawn(move || {
                for [[x, y], [n0, n1]] in parts(shape, 4, 16).into_iter().filter(|p| p[0][1] / 16 % 3 == k) {
                    let from = &data[(x * shape[1] + y) * shape[2]..];
                    let view = View::new(from, [n0, n1, shape[2]], [9600, 100, 1]).unwrap();
                    encoder.encode([x, y], view);
                }
            });
        }
    });
    let mut out = Vec::new();
    encoder.finish::<f32>(&Threads::new(3).unwrap(), &mut out).unwrap().unwrap();
    assert!(out == whole);
}

#[test]
fn damage_is_an_error() {
    let shape = [9, 10, 11];
    let field = Field { kind: Kind::Noise, shape, scale: 0, offset: 0.0, seed: 4 };
    for c in [Compression::Noop, Compression::quantize()] {
        let (stream, _) = encoded(c, shape, &field.f32());
        for n in 0..stream.len() {
            assert!(PartDecoder::new(&stream[..n], DType::F32, shape, &Serial).is_err(), "{n} bytes");
        }
        let mut damaged = stream.clone();
        for b in (0..stream.len() * 8).filter(|b| *b < 4000 || b % 7 == 0) {
            damaged[b / 8] ^= 1 << (b % 8);
            assert!(PartDecoder::new(&damaged, DType::F32, shape, &Serial).is_err(), "bit {b}");
            damaged[b / 8] ^= 1 << (b % 8);
        }
        assert!(PartDecoder::new(&stream, DType::F64, shape, &Serial).is_err());
        assert!(PartDecoder::new(&stream, DType::F32, [9, 11, 10], &Serial).is_err());
        // Another stream than the one that was checked.
        let decoder = PartDecoder::new(&stream, DType::F32, shape, &Serial).unwrap().unwrap();
        let mut values = vec![0f32; 990];
        for trial in 0..200 {
            let bytes: Vec<u8> = (0..stream.len()).map(|i| (random(trial, i as u64) * 255.0) as u8).collect();
            let _ = decoder.decode(&bytes, [0, 0], ViewMut::dense(&mut values, shape).unwrap());
            let _ = decoder.decode(&bytes[..7], [0, 0], ViewMut::dense(&mut values, shape).unwrap());
        }
        let outside = decoder.decode(&stream, [8, 0], ViewMut::dense(&mut values, [9, 10, 11]).unwrap());
        assert_eq!(outside.unwrap_err().code(), "decompress::box_outside");
    }
}
