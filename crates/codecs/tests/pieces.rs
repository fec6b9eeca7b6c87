//! A slice coded in parts has the stream of the whole; parts decoded have its values.

mod common;

use common::{Field, Kind, compressions, decoded, encoded, fields, random};
use proptest::prelude::*;
use std::sync::Mutex;
use wavefold_codecs::{
    Compression, DType, Element, PartDecoder, PartEncoder, Pieces, Serial, SliceInfo, Threads, View, ViewMut,
};

/// Takes pieces in the order in which they come, with something between them.
#[derive(Default)]
struct Kept(Mutex<Vec<u8>>);

impl Kept {
    fn keep(&self, bytes: &[u8]) -> Option<u64> {
        let mut all = self.0.lock().unwrap();
        all.extend([0xAA; 3]);
        all.extend(bytes);
        Some((all.len() - bytes.len()) as u64)
    }

    fn into_bytes(self) -> Vec<u8> {
        self.0.into_inner().unwrap()
    }
}

/// Boxes of `least` times `layers` planes and `rows` rows: origin and extent along the first two axes.
fn parts(shape: [usize; 3], planes: usize, rows: usize) -> Vec<[[usize; 2]; 2]> {
    let strips = (0..shape[1]).step_by(rows);
    let part = |y: usize, x: usize| [[x, y], [planes.min(shape[0] - x), rows.min(shape[1] - y)]];
    strips.flat_map(|y| (0..shape[0]).step_by(planes).map(move |x| part(y, x))).collect()
}

/// Codes one part.
fn code<T: Element>(
    encoder: &PartEncoder,
    (shape, data): ([usize; 3], &[T]),
    [[x, y], [n0, n1]]: [[usize; 2]; 2],
    keep: impl Fn(&[u8]) -> Option<u64>,
) {
    let from = &data[(x * shape[1] + y) * shape[2]..];
    let view = View::new(from, [n0, n1, shape[2]], [shape[1] * shape[2], shape[2], 1]).unwrap();
    encoder.encode([x, y], view, keep);
}

/// What is coded from parts, where they make a slice.
fn coded<T: Element>(
    encoder: &mut PartEncoder,
    (shape, data): ([usize; 3], &[T]),
    parts: &[[[usize; 2]; 2]],
    before: &[SliceInfo],
) -> Option<(SliceInfo, Pieces, Vec<u8>)> {
    let kept = Kept::default();
    encoder.begin(before);
    parts.iter().for_each(|part| code(encoder, (shape, data), *part, |bytes| kept.keep(bytes)));
    let (info, pieces) = encoder.finish::<T>()?;
    Some((info, pieces, kept.into_bytes()))
}

/// The stream that pieces make.
fn stream(pieces: &Pieces, memory: &[u8]) -> Vec<u8> {
    let mut out = vec![7];
    pieces.append(&memory, &Threads::new(2).unwrap(), &mut out).unwrap();
    assert_eq!(out.remove(0), 7);
    assert_eq!(out.len(), pieces.stream_bytes());
    out
}

fn same_bits<T: Element>(a: &[T], b: &[T]) -> bool {
    a.iter().zip(b).all(|(a, b)| a.to_f64().to_bits() == b.to_f64().to_bits())
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
    assert!(coded(encoder, (shape, data), parts, &[]).is_none());
    for guess in [0.25, 4.0, 1.0] {
        let [min, max] = [info.min, info.max].map(|x| T::from_f64(x * guess));
        // No slice has extremes that are not finite.
        if !(min.to_f64().is_finite() && max.to_f64().is_finite()) {
            continue;
        }
        let (_, SliceInfo { step: guessed, .. }) = encoded(c, [1, 1, 2], &[min, max]);
        let like = SliceInfo { min: min.to_f64(), max: max.to_f64(), ..info };
        let from_parts = coded(encoder, (shape, data), parts, &[like]);
        assert_eq!(from_parts.is_some(), guessed == info.step && info.step > 0.0, "{c} {shape:?} {guess}");
        if let Some((found, pieces, memory)) = from_parts {
            assert_eq!(found, info);
            assert!(stream(&pieces, &memory) == whole, "{c} {shape:?}: other bytes");
            let values: Vec<T> = decoded(&whole, shape);
            let decoder = PartDecoder::of(&pieces, T::DTYPE, shape).unwrap();
            assert!(
                same_bits(&in_parts(&decoder, &memory, shape, parts), &values),
                "{c} {shape:?}: other values"
            );
            let mut all = vec![T::from_f64(f64::NAN); data.len()];
            let view = ViewMut::dense(&mut all, shape).unwrap();
            decoder.decode_all(&memory.as_slice(), view, &Serial).unwrap();
            assert!(same_bits(&all, &values), "{c} {shape:?}: other values");
        }
    }
}

/// Decoded part by part.
fn in_parts<T: Element>(
    decoder: &PartDecoder,
    memory: &[u8],
    shape: [usize; 3],
    parts: &[[[usize; 2]; 2]],
) -> Vec<T> {
    let mut found = vec![T::from_f64(f64::NAN); shape.iter().product()];
    for &[[x, y], [n0, n1]] in parts {
        let to = &mut found[(x * shape[1] + y) * shape[2]..];
        let view = ViewMut::new(to, [n0, n1, shape[2]], [shape[1] * shape[2], shape[2], 1]).unwrap();
        decoder.decode(&memory, [x, y], view).unwrap();
    }
    found
}

/// Coded and decoded in parts of some size.
fn check<T: Element>(c: Compression, shape: [usize; 3], data: &[T], size: [usize; 2]) {
    let (whole, info) = encoded(c, shape, data);
    assert_eq!(PartEncoder::new(c, T::DTYPE, shape).is_some(), c.encoded_part(shape).is_some());
    let Some([b0, b1]) = c.decoded_part(shape) else {
        assert!(PartDecoder::new(&whole, T::DTYPE, shape, &Serial).unwrap().is_none() || info.step == 0.0);
        return;
    };
    let (planes, rows) = (b0 * size[0], b1 * size[1]);
    let parts = parts(shape, planes, rows);
    let encoder = PartEncoder::new(c, T::DTYPE, shape);
    assert_eq!(encoder.is_some(), c != Compression::Noop);
    if let Some(mut encoder) = encoder {
        guesses(c, shape, data, &parts, &mut encoder);
    }
    let values: Vec<T> = decoded(&whole, shape);
    let decoder = PartDecoder::new(&whole, T::DTYPE, shape, &Serial).unwrap().unwrap();
    assert!(same_bits(&in_parts(&decoder, &whole, shape, &parts), &values), "{c} {shape:?}: other values");
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
    let mut encoder = PartEncoder::new(c, DType::F32, shape).unwrap();
    let all = parts(shape, 4, 8);
    let mut made = |parts: &[_], data: &[f32]| coded(&mut encoder, (shape, data), parts, &[info]).is_some();
    assert!(made(&all, &data));
    assert!(!made(&all[1..], &data));
    assert!(!made(&[&all[..], &all[..1]].concat(), &data));
    assert!(!made(&[&all[..1], &all[..]].concat(), &data));
    for moved in [[[0, 4], [4, 8]], [[0, 0], [4, 16]]] {
        assert!(!made(&[&[moved], &all[1..]].concat(), &data));
    }
    for bad in [f32::NAN, f32::INFINITY] {
        let good = std::mem::replace(&mut data[5000], bad);
        assert!(!made(&all, &data));
        data[5000] = good;
    }
    assert!(made(&all, &data));
    // Memory that is full.
    encoder.begin(&[info]);
    for part in &all {
        code(&encoder, (shape, &data), *part, |_| if part[0][0] > 0 { None } else { Some(0) });
    }
    assert!(encoder.finish::<f32>().is_none());
    assert!(coded(&mut encoder, (shape, &data), &all, &[info]).is_some());
}

/// A field that swells like a source does: behind three slices no guess is wrong, though the step doubles many times.
#[test]
fn growth_is_foreseen() {
    let field = Field { kind: Kind::Wave, shape: [6, 16, 40], scale: 0, offset: 0.0, seed: 4 };
    let (shape, c, data) = (field.shape, Compression::quantize(), field.f32());
    let mut encoder = PartEncoder::new(c, DType::F32, shape).unwrap();
    let parts = parts(shape, 4, 8);
    let mut before: Vec<SliceInfo> = Vec::new();
    for n in 1..40 {
        let grown: Vec<f32> = data.iter().map(|x| x * (n * n) as f32).collect();
        let (_, info) = encoded(c, shape, &grown);
        let last = before.len().saturating_sub(PartEncoder::LOOKS_BACK);
        let found = coded(&mut encoder, (shape, &grown), &parts, &before[last..]);
        assert!(n <= 3 || found.is_some_and(|(found, ..)| found == info), "slice {n}");
        before.push(info);
    }
    assert!(before.windows(2).filter(|two| two[0].step < two[1].step).count() >= 9);
}

/// Extremes that cannot be continued are taken as they are.
#[test]
fn no_guess_is_no_number() {
    let field = Field { kind: Kind::Wave, shape: [4, 9, 30], scale: 0, offset: 0.0, seed: 6 };
    let (shape, c, data) = (field.shape, Compression::quantize(), field.f64());
    let (_, info) = encoded(c, shape, &data);
    let mut encoder = PartEncoder::new(c, DType::F64, shape).unwrap();
    let parts = parts(shape, 4, 8);
    let with = |min: f64, max: f64| SliceInfo { min, max, ..info };
    let huge = with(-f64::MAX, f64::MAX);
    for before in [[with(0.0, 1.0), huge], [with(info.min - 10.0, info.max + 10.0), info]] {
        let _ = coded(&mut encoder, (shape, &data), &parts, &before);
        let _ = coded(&mut encoder, (shape, &data), &parts, &[huge, before[0], before[1]]);
    }
    let narrowing = [with(info.min - 10.0, info.max + 10.0), info];
    assert!(coded(&mut encoder, (shape, &data), &parts, &narrowing).is_some());
    assert!(!encoder.begin(&[with(0.0, 0.0); 3]));
}

#[test]
fn threads_share_the_parts() {
    let field = Field { kind: Kind::Wave, shape: [40, 96, 100], scale: 0, offset: 0.0, seed: 3 };
    let (shape, data) = (field.shape, field.f32());
    let (whole, info) = encoded(Compression::quantize(), shape, &data);
    let mut encoder = PartEncoder::new(Compression::quantize(), DType::F32, shape).unwrap();
    let kept = Kept::default();
    assert!(encoder.begin(&[info]));
    std::thread::scope(|scope| {
        for k in 0..3 {
            let (encoder, data, kept) = (&encoder, &data, &kept);
            scope.spawn(move || {
                for part in parts(shape, 4, 16).into_iter().filter(|p| p[0][1] / 16 % 3 == k) {
                    code(encoder, (shape, data), part, |bytes| kept.keep(bytes));
                }
            });
        }
    });
    let (_, pieces) = encoder.finish::<f32>().unwrap();
    assert!(stream(&pieces, &kept.into_bytes()) == whole);
}

/// Whatever bit of a piece changes, whoever reads it is told.
#[test]
fn damaged_pieces_are_errors() {
    let field = Field { kind: Kind::Wave, shape: [5, 9, 40], scale: 0, offset: 0.0, seed: 5 };
    let (shape, data) = (field.shape, field.f32());
    let (_, info) = encoded(Compression::quantize(), shape, &data);
    let mut encoder = PartEncoder::new(Compression::quantize(), DType::F32, shape).unwrap();
    let whole = parts(shape, 8, 16);
    let (_, pieces, memory) = coded(&mut encoder, (shape, &data), &whole, &[info]).unwrap();
    let decoder = PartDecoder::of(&pieces, DType::F32, shape).unwrap();
    let mut values = vec![0f32; data.len()];
    let mut read = |memory: &[u8]| {
        let all = decoder.decode_all(&memory, ViewMut::dense(&mut values, shape).unwrap(), &Serial);
        let part = decoder.decode(&memory, [0, 0], ViewMut::dense(&mut values, shape).unwrap());
        let mut out = vec![1];
        let appended = pieces.append(&memory, &Serial, &mut out);
        assert!(appended.is_ok() || out == [1]);
        assert!(all.is_ok() == part.is_ok() && part.is_ok() == appended.is_ok());
        all.map_err(|e| e.code())
    };
    assert_eq!(read(&memory), Ok(()));
    let mut damaged = memory.clone();
    let mut found = 0;
    for b in (0..memory.len() * 8).step_by(11) {
        damaged[b / 8] ^= 1 << (b % 8);
        // But for what lies between the pieces.
        found += i32::from(read(&damaged) == Err("decompress::checksum"));
        damaged[b / 8] ^= 1 << (b % 8);
    }
    assert!(found as usize > memory.len() * 8 / 11 - 40, "{found}");
    assert!(read(&memory[..memory.len() - 1]).is_err());
    assert!(read(&[]).is_err());
    assert!(PartDecoder::of(&pieces, DType::F64, shape).is_err());
    assert!(PartDecoder::of(&pieces, DType::F32, [5, 9, 41]).is_err());
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
            let _ = decoder.decode(&bytes.as_slice(), [0, 0], ViewMut::dense(&mut values, shape).unwrap());
            let _ = decoder.decode(&&bytes[..7], [0, 0], ViewMut::dense(&mut values, shape).unwrap());
        }
        let outside =
            decoder.decode(&stream.as_slice(), [8, 0], ViewMut::dense(&mut values, [9, 10, 11]).unwrap());
        assert_eq!(outside.unwrap_err().code(), "decompress::box_outside");
    }
}
