//! A box of a stream has the values that the whole slice has there, and needs no other chunk.

mod common;

use common::{Field, Kind, compressions, decoded, encoded, fields};
use proptest::prelude::*;
use wavefold_codecs::{Compression, DecodeError, Serial, Threads, ViewMut, decode_box};

/// The box out of the whole.
fn cut<T: Copy>(values: &[T], shape: [usize; 3], origin: [usize; 3], extent: [usize; 3]) -> Vec<T> {
    let index = |x: usize, y: usize, z: usize| (x * shape[1] + y) * shape[2] + z;
    let [x, y, z] = origin;
    let rows = (x..x + extent[0]).flat_map(|i| (y..y + extent[1]).map(move |j| index(i, j, z)));
    rows.flat_map(|start| values[start..start + extent[2]].iter().copied()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_box_is_what_the_slice_is(field in fields(), c in compressions(), ends in prop::array::uniform6(0f64..1.0)) {
        let shape = field.shape;
        let at = |a: usize, part: f64| ((shape[a] as f64 * part) as usize).min(shape[a] - 1);
        let origin = [0, 1, 2].map(|a| at(a, ends[a].min(ends[a + 3])));
        let extent = [0, 1, 2].map(|a| at(a, ends[a].max(ends[a + 3])) + 1 - origin[a]);
        let (stream, _) = encoded(c, shape, &field.f32());
        let expected = cut(&decoded::<f32>(&stream, shape), shape, origin, extent);
        let mut found = vec![f32::NAN; expected.len()];
        decode_box(&stream, origin, ViewMut::dense(&mut found, extent).unwrap(), &Serial).unwrap();
        prop_assert!(found.iter().zip(&expected).all(|(a, b)| a.to_bits() == b.to_bits()));
    }
}

#[test]
fn many_chunks_and_threads() {
    let field = Field { kind: Kind::Wave, shape: [70, 65, 130], scale: 0, offset: 0.0, seed: 1 };
    let (origin, extent) = ([30, 3, 60], [39, 62, 10]);
    let threads = Threads::new(3).unwrap();
    for c in [Compression::Noop, Compression::quantize(), Compression::wavelet(), Compression::lapped()] {
        let (stream, _) = encoded(c, field.shape, &field.f64());
        let expected = cut(&decoded::<f64>(&stream, field.shape), field.shape, origin, extent);
        let mut found = vec![0f64; expected.len()];
        decode_box(&stream, origin, ViewMut::dense(&mut found, extent).unwrap(), &threads).unwrap();
        assert_eq!(found, expected, "{c}");
    }
}

/// Boxes that begin and end at, before and behind the borders and centres of overlapping blocks.
#[test]
fn lapped_boxes_are_those_of_the_slice() {
    for shape in [[70, 65, 600], [1, 150, 4200], [50, 1, 130], [90, 70, 1], [1, 1, 9000], [100, 1, 1]] {
        let field = Field { kind: Kind::Wave, shape, scale: 0, offset: 0.0, seed: 4 };
        let (stream, _) = encoded(Compression::lapped(), shape, &field.f32());
        let whole = decoded::<f32>(&stream, shape);
        for ends in [[0, 1], [15, 17], [16, 48], [31, 33], [47, 64], [49, 600], [512, 513], [4000, 9000]] {
            let origin = shape.map(|n| ends[0].min(n - 1));
            let extent = [0, 1, 2].map(|a| (ends[1] - ends[0]).min(shape[a] - origin[a]));
            let mut found = vec![f32::NAN; extent.iter().product()];
            decode_box(&stream, origin, ViewMut::dense(&mut found, extent).unwrap(), &Serial).unwrap();
            assert_eq!(found, cut(&whole, shape, origin, extent), "{shape:?} {ends:?}");
        }
    }
}

/// Damage elsewhere is not noticed, damage in a chunk of the box is.
#[test]
fn other_chunks_are_not_touched() {
    let shape = [2, 2, 200_000];
    let field = Field { kind: Kind::Noise, shape, scale: 0, offset: 0.0, seed: 5 };
    for c in [Compression::Noop, Compression::quantize(), Compression::wavelet(), Compression::lapped()] {
        let (mut stream, _) = encoded(c, shape, &field.f32());
        let end = stream.len() - 1;
        stream[end] ^= 1;
        let mut found = vec![0f32; 40];
        let mut read =
            |origin| decode_box(&stream, origin, ViewMut::dense(&mut found, [1, 1, 40]).unwrap(), &Serial);
        read([0, 0, 100]).unwrap();
        assert_eq!(read([1, 1, 199_960]).unwrap_err().code(), "decompress::checksum");
    }
}

#[test]
fn boxes_outside_are_refused() {
    let (stream, _) = encoded(Compression::quantize(), [4, 5, 6], &[1.0f32; 120]);
    let mut found = [0f32; 8];
    let mut read =
        |origin| decode_box(&stream, origin, ViewMut::dense(&mut found, [2, 2, 2]).unwrap(), &Serial);
    read([2, 3, 4]).unwrap();
    for origin in [[3, 0, 0], [0, 4, 0], [0, 0, usize::MAX]] {
        let error = read(origin).unwrap_err();
        assert!(matches!(error, DecodeError::BoxOutside { .. }) && error.code() == "decompress::box_outside");
    }
    let mut wide = [0f64; 8];
    let wrong = decode_box(&stream, [0; 3], ViewMut::dense(&mut wide, [2, 2, 2]).unwrap(), &Serial);
    assert_eq!(wrong.unwrap_err().code(), "decompress::wrong_type");
}
