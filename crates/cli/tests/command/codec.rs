//! `wavefold codec`

use std::path::{Path, PathBuf};

use ndarray::{Array3, ArrayD, IxDyn, ShapeBuilder};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use super::{diagnostic, fails, numbers, object, run, text};

/// A smooth pulse of 12 x 14 x 16 points.
fn field() -> Array3<f64> {
    let distance = |i: usize, n: usize| (i as f64 - n as f64 / 2.0) / 3.0;
    Array3::from_shape_fn((12, 14, 16), |(i, j, k)| {
        let r2 = distance(i, 12).powi(2) + distance(j, 14).powi(2) + distance(k, 16).powi(2);
        (1.0 - r2) * (-0.5 * r2).exp()
    })
}

fn write(folder: &TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

fn raw_f32(values: impl IntoIterator<Item = f64>) -> Vec<u8> {
    values.into_iter().flat_map(|v| (v as f32).to_le_bytes()).collect()
}

fn codec(path: &Path, words: &str) -> std::process::Output {
    let mut args = vec!["codec", path.to_str().unwrap(), "--threads", "2"];
    args.extend(words.split_whitespace());
    run(&args)
}

fn measure(path: &Path, words: &str) -> Map<String, Value> {
    let result = object(&codec(path, &format!("{words} --repeat 2 --json")));
    numbers(&result, &["ratio", "max_error_rel", "compress_gb_per_s", "decompress_gb_per_s"]);
    assert_eq!(result["threads"], 2);
    assert_eq!(result["shape"], json!([12, 14, 16]));
    result
}

#[test]
fn raw_and_npy_agree() {
    let (folder, field) = (TempDir::new().unwrap(), field());
    let raw = write(&folder, "u.f32", &raw_f32(field.iter().copied()));
    let single = folder.path().join("single.npy");
    ndarray_npy::write_npy(&single, &field.mapv(|v| v as f32)).unwrap();
    let from_raw = measure(&raw, "--shape 12x14x16 --codec wavelet --compscale 1e-4");
    let from_npy = measure(&single, "--codec wavelet:1e-4");
    for key in ["codec", "compscale", "dtype", "raw_bytes", "bytes", "ratio", "snr_db", "max_error_rel"] {
        assert_eq!(from_raw[key], from_npy[key], "{key}");
    }
    assert_eq!(from_raw["codec"], "wavelet");
    assert_eq!(from_raw["nbits"], Value::Null);
    assert!(from_raw["snr_db"].as_f64() > Some(70.0));
}

#[test]
fn fortran_order_is_the_same_array() {
    let (folder, field) = (TempDir::new().unwrap(), field());
    let (c, f) = (folder.path().join("c.npy"), folder.path().join("f.npy"));
    ndarray_npy::write_npy(&c, &field).unwrap();
    let mut turned = Array3::<f64>::zeros((12, 14, 16).f());
    turned.assign(&field);
    ndarray_npy::write_npy(&f, &turned).unwrap();
    let (c, f) = (measure(&c, "--codec quantize --nbits 12"), measure(&f, "--codec quantize --nbits 12"));
    assert_eq!(c["bytes"], f["bytes"]);
    assert_eq!(c["dtype"], "f64");
    assert_eq!(c["nbits"], 12);
    // Values reach from -0.45 to 1: delta is 1.45 / 4095 of the largest.
    assert!(c["max_error_rel"].as_f64() <= Some(1.45 / 4095.0));
}

#[test]
fn a_bound_is_kept() {
    let folder = TempDir::new().unwrap();
    let raw = write(&folder, "u.f32", &raw_f32(field().iter().copied()));
    let codec = "--shape 12x14x16 --codec wavelet --compscale 0.3";
    let (loose, bounded) = (measure(&raw, codec), measure(&raw, &format!("{codec} --max-error 1e-3")));
    assert_eq!((&loose["max_error"], &bounded["max_error"]), (&Value::Null, &json!(1e-3)));
    // Values reach from -0.45 to 1.
    assert!(loose["max_error_rel"].as_f64() > Some(1.45e-3));
    assert!(bounded["max_error_rel"].as_f64() <= Some(1.45e-3));
    assert!(bounded["ratio"].as_f64() < loose["ratio"].as_f64());
}

#[test]
fn no_error_has_no_number() {
    let folder = TempDir::new().unwrap();
    let raw: Vec<u8> = field().iter().flat_map(|v| v.to_le_bytes()).collect();
    let raw = write(&folder, "u.f64", &raw);
    let result = measure(&raw, "--shape 12x14x16 --dtype f64 --codec noop");
    assert_eq!(result["max_error_rel"], 0.0);
    assert_eq!(result["snr_db"], Value::Null);
    let table = text(&codec(&raw, "--shape 12x14x16 --dtype f64 --codec noop").stdout);
    assert!(table.contains("no error") && table.contains("12x14x16 of f64"), "{table}");
}

#[test]
fn one_and_two_axes() {
    let folder = TempDir::new().unwrap();
    let raw = write(&folder, "u.f32", &raw_f32(field().iter().copied()));
    for shape in ["2688", "12x224"] {
        let result = object(&codec(&raw, &format!("--shape {shape} --codec quantize --json")));
        assert_eq!(result["raw_bytes"], 2688 * 4);
    }
}

#[test]
fn bad_files() {
    let folder = TempDir::new().unwrap();
    let raw = write(&folder, "u.f32", &raw_f32(field().iter().copied()));
    fails(&codec(&folder.path().join("absent.f32"), "--shape 3 --codec noop"), "file::read", "absent.f32");
    fails(&codec(folder.path(), "--shape 3 --codec noop"), "file::read", "no file with a size");
    fails(&codec(&raw, "--codec noop"), "file::shape_needed", "needs a shape");
    fails(
        &codec(&raw, "--shape 12x14x15 --codec noop"),
        "file::size",
        "12x14x15 values of f32 are 10080 bytes",
    );
    fails(&codec(&raw, "--shape 12x14x16 --dtype f64 --codec noop"), "file::size", "21504 bytes");
    fails(
        &codec(&raw, "--shape 4294967296x4294967296x4 --codec noop"),
        "file::shape_too_large",
        "4294967296",
    );
    fails(&codec(&raw, "--shape 2x6x14x16 --codec noop"), "cli::rank", "1 to 3 axes");
    fails(&codec(&raw, "--shape 0 --codec noop"), "cli::usage", "at least one point");

    let mut values: Vec<f64> = field().iter().copied().collect();
    values[14 * 16 + 5] = f64::NAN;
    let nan = write(&folder, "nan.f32", &raw_f32(values));
    for name in ["noop", "quantize", "wavelet", "lapped"] {
        fails(&codec(&nan, &format!("--shape 12x14x16 --codec {name}")), "compress::not_finite", "[1, 0, 5]");
    }
}

#[test]
fn bad_npy_files() {
    let folder = TempDir::new().unwrap();
    let good = folder.path().join("good.npy");
    ndarray_npy::write_npy(&good, &field()).unwrap();
    let bytes = std::fs::read(&good).unwrap();
    for (name, bytes) in
        [("empty", &[][..]), ("text", b"hello"), ("cut", &bytes[..60]), ("short", &bytes[..bytes.len() - 8])]
    {
        let path = write(&folder, &format!("{name}.npy"), bytes);
        fails(&codec(&path, "--codec noop"), "file::npy", "not a readable .npy array");
    }
    // A header that promises more than memory.
    let header = "{'descr': '<f8', 'fortran_order': False, 'shape': (1099511627776, 1048576), }";
    let mut huge = b"\x93NUMPY\x01\x00".to_vec();
    huge.extend_from_slice(&118_u16.to_le_bytes());
    huge.extend_from_slice(format!("{header:<117}\n").as_bytes());
    fails(&codec(&write(&folder, "huge.npy", &huge), "--codec noop"), "file::npy", "not a readable");

    let integers = folder.path().join("integers.npy");
    ndarray_npy::write_npy(&integers, &ndarray::arr1(&[1_i32, 2, 3])).unwrap();
    fails(&codec(&integers, "--codec noop"), "file::npy", "not float32 or float64");
    let scalar = folder.path().join("empty_axis.npy");
    ndarray_npy::write_npy(&scalar, &ArrayD::<f32>::zeros(IxDyn(&[3, 0]))).unwrap();
    fails(&codec(&scalar, "--codec noop"), "file::npy", "no axis with points");

    fails(&codec(&good, "--codec noop --shape 3x3"), "file::mismatch", "shape 12x14x16");
    fails(&codec(&good, "--codec noop --dtype f32"), "file::mismatch", "values of f64");
}

#[test]
fn bad_codecs() {
    let folder = TempDir::new().unwrap();
    let raw = write(&folder, "u.f32", &raw_f32([1.0, 2.0]));
    let bad = |words: &str, code: &str| assert!(diagnostic(&codec(&raw, words)).starts_with(code), "{words}");
    bad("--shape 2", "cli::usage");
    bad("--shape 2 --codec none", "compress::unknown_codec");
    bad("--shape 2 --codec wavelet --nbits 4", "compress::no_nbits");
    bad("--shape 2 --codec quantize --compscale 0.1", "compress::no_compscale");
    bad("--shape 2 --codec quantize --nbits 0", "compress::nbits_range");
    bad("--shape 2 --codec wavelet --compscale -1", "compress::compscale_range");
    bad("--shape 2 --codec wavelet --compscale nan", "compress::compscale_range");
    bad("--shape 2 --codec lapped --max-error 0", "compress::max_error_range");
    bad("--shape 2 --codec noop --max-error 0.1", "compress::no_max_error");
    bad("--shape 2 --codec noop --repeat 0", "cli::zero");
    let none = run(&["codec", raw.to_str().unwrap(), "--shape", "2", "--codec", "noop", "--threads", "0"]);
    fails(&none, "threads::count", "0 threads");
}
