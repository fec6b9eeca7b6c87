//! Damaged streams give errors: no panic, no wild memory access, no silent wrong values.

mod common;

use common::{Field, Kind, decode_into, encoded, random};
use wavefold_codecs::{Compression, DType, DecodeError, Serial, ViewMut, inspect, reference};

const SHAPE: [usize; 3] = [9, 10, 11];

fn streams() -> Vec<Vec<u8>> {
    let wave = Field { kind: Kind::Wave, shape: SHAPE, scale: 0, offset: 0.0, seed: 4 };
    let flat = Field { kind: Kind::Constant, ..wave };
    let extreme = Field { kind: Kind::Extreme, ..wave };
    let mut all = Vec::new();
    for c in [Compression::Noop, Compression::quantize(), Compression::wavelet(), Compression::lapped()] {
        all.extend([wave, flat, extreme].map(|f| encoded(c, SHAPE, &f.f32()).0));
    }
    // Small shapes with large blocks would be raw otherwise.
    all.push(encoded(Compression::Lapped { compscale: 0.3 }, SHAPE, &wave.f32()).0);
    all
}

fn decode(stream: &[u8]) -> Result<(), DecodeError> {
    decode_into(stream, SHAPE, &mut vec![0f32; 990], &Serial)
}

#[test]
fn every_truncation_is_an_error() {
    for stream in streams() {
        decode(&stream).unwrap();
        for n in 0..stream.len() {
            assert!(matches!(decode(&stream[..n]), Err(DecodeError::Truncated { .. })), "{n} bytes");
        }
        let longer = [stream.as_slice(), &[0]].concat();
        assert_eq!(decode(&longer).unwrap_err().code(), "decompress::corrupt");
    }
}

#[test]
fn every_flipped_bit_is_an_error() {
    for stream in streams() {
        // Each bit of header, directory and first block; every 7th after them.
        let bits = (0..stream.len() * 8).filter(|b| *b < 4000 || b % 7 == 0);
        let mut damaged = stream.clone();
        for b in bits {
            damaged[b / 8] ^= 1 << (b % 8);
            assert!(decode(&damaged).is_err(), "bit {b}");
            damaged[b / 8] ^= 1 << (b % 8);
        }
    }
}

#[test]
fn random_damage_is_an_error() {
    for (s, stream) in streams().into_iter().enumerate() {
        for trial in 0..200 {
            let at = |k: u64| (random(s as u64, trial * 16 + k).abs() * stream.len() as f64) as usize;
            let mut damaged = stream.clone();
            for k in 0..1 + trial % 8 {
                damaged[at(2 * k)] ^= (at(2 * k + 1) % 255 + 1) as u8;
            }
            assert!(damaged == stream || decode(&damaged).is_err());
        }
    }
}

/// Writes correct checksums over damaged bytes, so that the damage reaches the decoders.
fn forge(stream: &mut [u8]) {
    let word = |b: &[u8]| u32::from_le_bytes([b[0], b[1], b[2], b[3]]) as usize;
    let chunks = u64::from_le_bytes(stream[64..72].try_into().unwrap()) as usize;
    let mut at = 112 + 8 * chunks;
    for i in 0..chunks {
        let len = word(&stream[112 + 8 * i..]);
        let crc = crc32fast::hash(&stream[at..at + len]);
        stream[116 + 8 * i..120 + 8 * i].copy_from_slice(&crc.to_le_bytes());
        at += len;
    }
    let directory = crc32fast::hash(&stream[112..112 + 8 * chunks]);
    stream[104..108].copy_from_slice(&directory.to_le_bytes());
    let header = crc32fast::hash(&stream[..108]);
    stream[108..112].copy_from_slice(&header.to_le_bytes());
}

/// Damages a stream under correct checksums; C blocks and reference must make the same of it.
fn check_forged(stream: &[u8], shape: [usize; 3], seed: u64, trials: u64) {
    let first = 112 + 8 * u64::from_le_bytes(stream[64..72].try_into().unwrap()) as usize;
    for trial in 0..trials {
        let at = |k: u64| random(77 + seed, trial * 8 + k).abs();
        let mut damaged = stream.to_vec();
        // Mostly the structure at the beginning of the payload; sometimes the header.
        let range = if trial % 4 == 0 { 4..104 } else { first..stream.len().min(first + 400) };
        if range.is_empty() {
            continue;
        }
        for k in 0..2 {
            let i = range.start + (at(k) * range.len() as f64) as usize;
            if !(64..72).contains(&i) {
                damaged[i] = (at(k + 2) * 256.0) as u8;
            }
        }
        forge(&mut damaged);
        let mut a = vec![0f32; shape.iter().product()];
        let mut b = a.clone();
        let native = decode_into(&damaged, shape, &mut a, &Serial);
        let plain = reference::decode(&damaged, ViewMut::dense(&mut b, shape).unwrap(), &Serial);
        assert_eq!(native, plain, "C and reference disagree on what is corrupt");
        if native.is_ok() {
            let bits =
                |v: &[f32]| v.iter().map(|x| if x.is_nan() { 0 } else { x.to_bits() }).collect::<Vec<_>>();
            assert_eq!(bits(&a), bits(&b));
        }
    }
}

#[test]
fn forged_streams_do_no_harm() {
    for (s, stream) in streams().into_iter().enumerate() {
        check_forged(&stream, SHAPE, s as u64, 2000);
    }
}

/// Blocks of full size have ways of their own through the C.
#[test]
fn forged_streams_of_full_blocks_do_no_harm() {
    let shape = [33, 64, 96];
    let wave = Field { kind: Kind::Wave, shape, scale: 0, offset: 0.0, seed: 4 };
    for c in [Compression::quantize(), Compression::wavelet(), Compression::Lapped { compscale: 0.1 }] {
        check_forged(&encoded(c, shape, &wave.f32()).0, shape, 50, 40);
    }
}

#[test]
fn impossible_headers_allocate_nothing() {
    let mut stream = encoded(Compression::Noop, [1, 1, 5], &[1f32; 5]).0;
    for shape in [u64::MAX, 1 << 62, 1 << 40] {
        stream[40..48].copy_from_slice(&shape.to_le_bytes());
        stream[64..72].copy_from_slice(&1u64.to_le_bytes());
        forge(&mut stream);
        assert!(inspect(&stream).is_err());
    }
}

#[test]
fn the_destination_must_match() {
    let (stream, info) = encoded(Compression::quantize(), SHAPE, &[1.5f32; 990]);
    let wrong = decode_into(&stream, [10, 9, 11], &mut vec![0f32; 990], &Serial).unwrap_err();
    assert_eq!(wrong.code(), "decompress::wrong_shape");
    let wrong = decode_into(&stream, SHAPE, &mut vec![0f64; 990], &Serial).unwrap_err();
    assert_eq!(wrong.code(), "decompress::wrong_type");
    let found = inspect(&stream).unwrap();
    assert_eq!((found.shape, found.dtype, found.bytes), (SHAPE, DType::F32, info.bytes));
    assert_eq!(found.compression, Compression::quantize());
}

#[test]
fn strangers_and_other_versions_are_named() {
    let mut stream = encoded(Compression::Noop, [1, 1, 5], &[1f32; 5]).0;
    stream[4] = 9;
    assert_eq!(inspect(&stream), Err(DecodeError::Version { found: 9, expected: 1 }));
    stream[0] = b'X';
    assert_eq!(inspect(&stream), Err(DecodeError::BadMagic));
    assert_eq!(inspect(b"hello"), Err(DecodeError::BadMagic));
    assert_eq!(inspect(&[]).unwrap_err().code(), "decompress::truncated");
}
