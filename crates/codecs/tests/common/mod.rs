//! Fields for the codec tests.
#![allow(dead_code, reason = "each test uses a part")]

use proptest::prelude::*;
use wavefold_codecs::{
    Compression, DecodeError, Element, EncodeError, Parallel, Serial, SliceInfo, View, ViewMut, decode,
    reference,
};

/// What kind of values a field has.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Plane waves that fill a part of the field; exact zeros elsewhere.
    Wave,
    /// Independent values.
    Noise,
    /// One value everywhere.
    Constant,
    /// Zero but for a few points.
    Spikes,
    /// Largest finite values of either sign among others.
    Extreme,
    /// Multiples of the smallest positive value.
    Denormal,
}

/// A field: kind, shape, amplitude 10^scale, offset in amplitudes, seed.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    pub kind: Kind,
    pub shape: [usize; 3],
    pub scale: i32,
    pub offset: f64,
    pub seed: u64,
}

/// Uniform in -1..1; splitmix64 of the counter.
pub fn random(seed: u64, i: u64) -> f64 {
    let mut z = seed.wrapping_add((i + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 52) as f64 - 1.0
}

impl Field {
    pub fn values<T: Element>(&self, largest: f64, tiniest: f64) -> Vec<T> {
        let [_, n1, n2] = self.shape;
        let points: usize = self.shape.iter().product();
        let amplitude = 10f64.powi(self.scale);
        let clamped = |x: f64| T::from_f64(x.clamp(-largest, largest));
        (0..points)
            .map(|i| {
                let (x, y, z) = ((i / n2 / n1) as f64, (i / n2 % n1) as f64, (i % n2) as f64);
                let r = random(self.seed, i as u64);
                let wave = (0.31 * x + 0.17 * y + 0.23 * z + self.seed as f64).sin();
                match self.kind {
                    Kind::Wave if x + y + z < 20.0 => T::from_f64(0.0),
                    Kind::Wave => clamped(amplitude * (wave + self.offset)),
                    Kind::Noise => clamped(amplitude * (r + self.offset)),
                    Kind::Constant => clamped(amplitude * (1.0 + self.offset)),
                    Kind::Spikes => clamped(if r > 0.99 { amplitude * r } else { 0.0 }),
                    Kind::Extreme if r > 0.5 => T::from_f64(largest),
                    Kind::Extreme if r < -0.5 => T::from_f64(-largest),
                    Kind::Extreme => clamped(largest * r),
                    Kind::Denormal => T::from_f64((r * 1000.0).round() * tiniest),
                }
            })
            .collect()
    }

    pub fn f32(&self) -> Vec<f32> {
        self.values(f32::MAX.into(), f32::from_bits(1).into())
    }

    pub fn f64(&self) -> Vec<f64> {
        self.values(f64::MAX, f64::from_bits(1))
    }
}

/// Fields of one to three dimensions, odd sizes and single points among them.
pub fn fields() -> impl Strategy<Value = Field> {
    let kind = prop_oneof![
        4 => Just(Kind::Wave),
        4 => Just(Kind::Noise),
        1 => Just(Kind::Constant),
        1 => Just(Kind::Spikes),
        1 => Just(Kind::Extreme),
        1 => Just(Kind::Denormal),
    ];
    let shape = prop_oneof![
        (1usize..1500).prop_map(|n| [1, 1, n]),
        (1usize..60, 1usize..60).prop_map(|(a, b)| [1, a, b]),
        (1usize..20, 1usize..20, 1usize..40).prop_map(|(a, b, c)| [a, b, c]),
        (1usize..40).prop_map(|n| [n, 1, 1]),
        (1usize..60, 1usize..60).prop_map(|(a, b)| [a, 1, b]),
        (1usize..60, 1usize..60).prop_map(|(a, b)| [a, b, 1]),
    ];
    let scale = prop_oneof![3 => Just(0), 2 => -44i32..39, 1 => -300i32..300];
    let offset =
        prop_oneof![4 => Just(0.0), 1 => Just(1.5), 1 => Just(-1e4), 1 => Just(1e8), 1 => Just(3e14)];
    (kind, shape, scale, offset, 0u64..1000).prop_map(|(kind, shape, scale, offset, seed)| Field {
        kind,
        shape,
        scale,
        offset,
        seed,
    })
}

pub fn compressions() -> impl Strategy<Value = Compression> {
    prop_oneof![
        Just(Compression::Noop),
        (1u32..=24).prop_map(|nbits| Compression::Quantize { nbits }),
        (-14f64..0.0).prop_map(|e| Compression::Wavelet { compscale: 10f64.powf(e) }),
        (-14f64..0.0).prop_map(|e| Compression::Lapped { compscale: 10f64.powf(e) }),
        (1f64..250.0).prop_map(|snr| Compression::LappedSnr { snr }),
    ]
}

pub fn encoded<T: Element>(c: Compression, shape: [usize; 3], data: &[T]) -> (Vec<u8>, SliceInfo) {
    let mut out = Vec::new();
    let info = wavefold_codecs::encode(c, View::dense(data, shape).unwrap(), &Serial, &mut out).unwrap();
    (out, info)
}

pub fn decoded<T: Element + Default>(stream: &[u8], shape: [usize; 3]) -> Vec<T> {
    let mut values = vec![T::from_f64(f64::NAN); shape.iter().product()];
    decode_into(stream, shape, &mut values, &Serial).unwrap();
    values
}

pub fn decode_into<T: Element>(
    stream: &[u8],
    shape: [usize; 3],
    values: &mut [T],
    par: &dyn Parallel,
) -> Result<(), DecodeError> {
    wavefold_codecs::decode(stream, ViewMut::dense(values, shape).unwrap(), par)
}

pub fn encode_error<T: Element>(c: Compression, shape: [usize; 3], data: &[T]) -> EncodeError {
    wavefold_codecs::encode(c, View::dense(data, shape).unwrap(), &Serial, &mut Vec::new()).unwrap_err()
}

pub fn bits<T: Element>(values: &[T]) -> Vec<u64> {
    values.iter().map(|x| x.to_f64().to_bits()).collect()
}

/// C blocks and Rust reference make the same bytes and the same values.
pub fn check<T: Element + Default>(
    c: Compression,
    shape: [usize; 3],
    data: &[T],
) -> Result<(), TestCaseError> {
    let (stream, info) = encoded(c, shape, data);
    let mut expected = vec![1u8, 2, 3];
    let same = reference::encode(c, View::dense(data, shape).unwrap(), &Serial, &mut expected).unwrap();
    prop_assert_eq!(&stream, &expected[3..]);
    prop_assert_eq!(info, same);
    let (mut a, mut b) = (vec![T::default(); data.len()], vec![T::default(); data.len()]);
    decode(&stream, ViewMut::dense(&mut a, shape).unwrap(), &Serial).unwrap();
    reference::decode(&stream, ViewMut::dense(&mut b, shape).unwrap(), &Serial).unwrap();
    prop_assert_eq!(bits(&a), bits(&b));
    Ok(())
}
