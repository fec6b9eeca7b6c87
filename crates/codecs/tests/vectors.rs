//! Blocks are the same with vectors of every width, up to the widest of the machine.

mod common;

use std::sync::{Mutex, PoisonError};

use common::{bits, check, encoded, fields};
use proptest::prelude::*;
use wavefold_codecs::{Compression, Element, Serial, ViewMut, decode, reference, widest_vectors};

const WIDTHS: [u32; 3] = [16, 32, 64];

/// The width is that of the process.
static ONE_BY_ONE: Mutex<()> = Mutex::new(());

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_width_is_the_reference(
        field in fields(), width in 0..WIDTHS.len(), nbits in 1u32..=24, wavelet in any::<bool>(), scale in -6f64..0.0
    ) {
        let _one = ONE_BY_ONE.lock().unwrap_or_else(PoisonError::into_inner);
        widest_vectors(WIDTHS[width]);
        let codec = match wavelet {
            true => Compression::Wavelet { compscale: 10f64.powf(scale) },
            false => Compression::Quantize { nbits },
        };
        check(codec, field.shape, &field.f32())?;
        check(codec, field.shape, &field.f64())?;
    }
}

/// Slices that are decoded round the caches, in rows that begin where cache lines do, and in others.
fn check_large<T: Element + Default>(shape: [usize; 3]) {
    let [n0, n1, n2] = shape;
    let value = |i: usize| {
        let (x, y, z) = (i / n2 / n1, i / n2 % n1, i % n2);
        match (4 * x / n0, 4 * y / n1) {
            (0, _) => 0.0,
            (_, 0) if z % 64 < 40 => 1e-9,
            (1, _) => (0.2 * x as f64 + 0.15 * y as f64 + 0.1 * z as f64).sin(),
            (_, 1) => (i as f64 * 1e-7).cos() + 0.2 * (i.wrapping_mul(0x9E37_79B9) % 1000) as f64,
            _ => 0.01 * z as f64,
        }
    };
    let data: Vec<T> = (0..n0 * n1 * n2).map(|i| T::from_f64(value(i))).collect();
    let mut memory = vec![T::default(); data.len() + 64];
    let start = memory.as_ptr().align_offset(64);
    for codec in [Compression::Quantize { nbits: 9 }, Compression::Wavelet { compscale: 1e-2 }] {
        let (stream, _) = encoded(codec, shape, &data);
        let mut expected = vec![T::default(); data.len()];
        reference::decode(&stream, ViewMut::dense(&mut expected, shape).unwrap(), &Serial).unwrap();
        for (bytes, start) in WIDTHS.into_iter().flat_map(|bytes| [(bytes, start), (bytes, start + 3)]) {
            widest_vectors(bytes);
            assert!(encoded(codec, shape, &data).0 == stream, "{codec} of {shape:?} with {bytes}");
            let back = &mut memory[start..start + data.len()];
            decode(&stream, ViewMut::dense(back, shape).unwrap(), &Serial).unwrap();
            assert!(bits(back) == bits(&expected), "{codec} of {shape:?} from {start} with {bytes}");
            back.fill(T::from_f64(7.0));
        }
    }
}

#[test]
fn slices_larger_than_caches_agree() {
    let _one = ONE_BY_ONE.lock().unwrap_or_else(PoisonError::into_inner);
    check_large::<f32>([130, 256, 256]);
    check_large::<f32>([66, 250, 529]);
    check_large::<f64>([66, 256, 256]);
}
