//! C blocks and Rust reference make the same bytes and the same values, in every way of calling them.

mod common;

use common::{Field, Kind, bits, check, compressions, encoded, fields};
use proptest::prelude::*;
use wavefold_codecs::{Compression, Parallel, Serial, Threads, View, ViewMut, decode, encode};

const ALL: [Compression; 7] = [
    Compression::Noop,
    Compression::Quantize { nbits: 9 },
    Compression::Wavelet { compscale: 1e-2 },
    Compression::Wavelet { compscale: 1e-5 },
    Compression::Lapped { compscale: 3e-2 },
    Compression::Lapped { compscale: 1e-4 },
    Compression::LappedSnr { snr: 60.0 },
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn native_is_reference_f32(field in fields(), c in compressions()) {
        check(c, field.shape, &field.f32())?;
    }

    #[test]
    fn native_is_reference_f64(field in fields(), c in compressions()) {
        check(c, field.shape, &field.f64())?;
    }

    #[test]
    fn a_box_in_a_field_is_as_good_as_its_copy(
        field in fields(), c in compressions(), halo in 0usize..5, pad in 0usize..5
    ) {
        let [n0, n1, n2] = field.shape;
        let data = field.f32();
        let strides = [(n1 + 2 * halo) * (n2 + 2 * halo + pad), n2 + 2 * halo + pad, 1];
        let start = halo * (strides[0] + strides[1] + 1);
        let mut big = vec![f32::NAN; (n0 + 2 * halo) * strides[0]];
        for (i, x) in data.iter().enumerate() {
            big[start + i / n2 / n1 * strides[0] + i / n2 % n1 * strides[1] + i % n2] = *x;
        }
        let mut stream = Vec::new();
        encode(c, View::new(&big[start..], field.shape, strides).unwrap(), &Serial, &mut stream).unwrap();
        let (dense, _) = encoded(c, field.shape, &data);
        prop_assert_eq!(&stream, &dense);

        let expected = common::decoded::<f32>(&dense, field.shape);
        let mut back = vec![f32::NAN; big.len()];
        let dst = ViewMut::new(&mut back[start..], field.shape, strides).unwrap();
        decode(&stream, dst, &Serial).unwrap();
        let inside = |i: usize| start + i / n2 / n1 * strides[0] + i / n2 % n1 * strides[1] + i % n2;
        for (i, x) in expected.iter().enumerate() {
            prop_assert_eq!(x.to_bits(), back[inside(i)].to_bits());
            back[inside(i)] = f32::NAN;
        }
        prop_assert!(back.iter().all(|x| x.is_nan()), "the halo was written");
    }
}

/// Every number of blocks, with and without a rest, and every way to lay out their groups.
#[test]
fn lapped_is_reference_over_many_blocks() {
    let shapes = [
        [70, 65, 130],
        [33, 32, 600],
        [48, 17, 40],
        [2, 100, 31],
        [1, 150, 90],
        [50, 1, 4200],
        [90, 70, 1],
        [1, 1, 9000],
        [300, 1, 1],
    ];
    for shape in shapes {
        let field = Field { kind: Kind::Wave, shape, scale: 0, offset: 0.0, seed: 2 };
        for compscale in [3e-1, 1e-2, 1e-4] {
            check(Compression::Lapped { compscale }, shape, &field.f32()).unwrap();
        }
        check(Compression::lapped(), shape, &field.f64()).unwrap();
    }
}

/// Blocks of full size, and those just below and above it, along each axis.
#[test]
fn large_blocks_agree() {
    let shapes =
        [[64, 64, 64], [65, 31, 17], [3, 64, 67], [63, 2, 65], [1, 128, 127], [129, 1, 130], [1, 1, 8193]];
    for (i, shape) in shapes.into_iter().enumerate() {
        for (kind, compscale) in
            [(Kind::Wave, 1e-2), (Kind::Noise, 1e-5), (Kind::Spikes, 1e-3), (Kind::Wave, 1e-6)]
        {
            let field = Field { kind, shape, scale: 0, offset: 0.0, seed: i as u64 };
            let c = Compression::Wavelet { compscale };
            check(c, shape, &field.f32()).unwrap();
            check(c, shape, &field.f64()).unwrap();
        }
    }
}

/// Every index backwards, some of them twice.
struct Contrary;

impl Parallel for Contrary {
    fn run(&self, n: usize, body: &(dyn Fn(usize) + Sync)) {
        (0..n).rev().for_each(body);
        (0..n).step_by(3).for_each(body);
    }
}

/// Forgets the last index.
struct Lazy;

impl Parallel for Lazy {
    fn run(&self, n: usize, body: &(dyn Fn(usize) + Sync)) {
        (0..n - 1).for_each(body);
    }
}

#[test]
fn any_number_of_threads_makes_the_same_bytes() {
    let field = Field { kind: Kind::Wave, shape: [70, 65, 130], scale: 0, offset: 0.0, seed: 1 };
    let data = field.f32();
    let view = View::dense(&data, field.shape).unwrap();
    for c in ALL {
        let (expected, _) = encoded(c, field.shape, &data);
        let values = common::decoded::<f32>(&expected, field.shape);
        let pools = [1, 2, 5].map(|n| Threads::new(n).unwrap());
        let pars = pools.iter().map(|p| p as &dyn Parallel).chain([&Contrary as &dyn Parallel]);
        for par in pars {
            let mut stream = Vec::new();
            encode(c, view, par, &mut stream).unwrap();
            assert!(stream == expected, "{c}");
            let mut back = vec![0f32; data.len()];
            decode(&stream, ViewMut::dense(&mut back, field.shape).unwrap(), par).unwrap();
            assert_eq!(bits(&back), bits(&values));
        }
        let mut stream = vec![7];
        assert_eq!(encode(c, view, &Lazy, &mut stream).unwrap_err().code(), "compress::schedule");
        assert_eq!(stream, [7]);
        let mut back = vec![0f32; data.len()];
        let dst = ViewMut::dense(&mut back, field.shape).unwrap();
        assert_eq!(decode(&expected, dst, &Lazy).unwrap_err().code(), "decompress::schedule");
    }
}

/// Flushes denormals on the calling thread, as stencil threads do.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn flushing<R>(f: impl FnOnce() -> R) -> R {
    let _flush = wavefold_codecs::float_mode::flush_denormals();
    let result = f();
    let half = std::hint::black_box(f32::MIN_POSITIVE) * std::hint::black_box(0.5);
    assert_eq!(std::hint::black_box(half).to_bits(), 0, "the caller's mode was not restored");
    result
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[test]
fn the_callers_float_mode_does_not_matter() {
    for (kind, scale) in [(Kind::Denormal, 0), (Kind::Wave, -37), (Kind::Noise, -38), (Kind::Spikes, -36)] {
        let field = Field { kind, shape: [20, 30, 40], scale, offset: 0.0, seed: 9 };
        let data = field.f32();
        for c in ALL {
            let (expected, _) = encoded(c, field.shape, &data);
            let values = common::decoded::<f32>(&expected, field.shape);
            let (stream, back) = flushing(|| {
                let (stream, _) = encoded(c, field.shape, &data);
                let back = common::decoded::<f32>(&stream, field.shape);
                (stream, back)
            });
            assert!(stream == expected, "{c} {kind:?}");
            let same = back.iter().zip(&values).all(|(a, b)| a.to_bits() == b.to_bits());
            assert!(same, "{c} {kind:?}");
        }
    }
}
