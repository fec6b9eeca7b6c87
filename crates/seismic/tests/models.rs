//! Built-in models, smoothing and model files.

use ndarray::{Array2, ArrayD, IxDyn, ShapeBuilder, arr2};
use wavefold_seismic::{layered_salt, load_model, save_npy, smooth, smooth_slowness};

fn extremes(model: &ArrayD<f32>) -> (f32, f32) {
    model.iter().fold((f32::MAX, f32::MIN), |(lo, hi), &v| (lo.min(v), hi.max(v)))
}

#[test]
fn every_size_has_a_model() {
    for nz in [1, 2, 3, 7] {
        for nx in [1, 2, 5] {
            assert_eq!(layered_salt(&[nx, nz], &[10.0, 10.0]).shape(), &[nx, nz]);
            assert_eq!(layered_salt(&[nx, 2, nz], &[10.0; 3]).shape(), &[nx, 2, nz]);
        }
    }
    assert_eq!(layered_salt(&[9], &[10.0]).len(), 9);
    assert!(layered_salt(&[0, 5], &[10.0; 2]).is_empty());
    assert_eq!(layered_salt(&[], &[]).len(), 1);
    for spacing in [[f64::NAN, 0.0], [1e300, 1e-300], [1e-300, 1e300]] {
        assert!(layered_salt(&[20, 20], &spacing).iter().all(|v| v.is_finite()), "{spacing:?}");
    }
}

#[test]
fn model_has_water_above_salt_inside_and_faster_rock_below() {
    for shape in [vec![161, 81], vec![41, 31, 41]] {
        let model = layered_salt(&shape, &vec![12.5; shape.len()]);
        assert_eq!(extremes(&model), (1.5, 4.5));
        let nz = *shape.last().unwrap();
        assert!(model.indexed_iter().all(|(i, &v)| i[shape.len() - 1] > 0 || v == 1.5), "water on top");
        let salt = model.iter().filter(|&&v| v == 4.5).count() as f64 / model.len() as f64;
        assert!((0.01..0.25).contains(&salt), "salt fills {salt}");
        let mean = |z: usize| model.index_axis(ndarray::Axis(shape.len() - 1), z).mean().unwrap();
        assert!(mean(nz / 4) < mean(nz * 9 / 10));
    }
}

#[test]
fn model_is_the_same_each_time_and_refines() {
    let coarse = layered_salt(&[101, 51], &[20.0, 20.0]);
    assert_eq!(coarse, layered_salt(&[101, 51], &[20.0, 20.0]));
    // Half the spacing gives the same earth at the shared points, but for rounding at the interfaces.
    let fine = layered_salt(&[201, 101], &[10.0, 10.0]);
    let shared =
        coarse.indexed_iter().filter(|(i, v)| (fine[[2 * i[0], 2 * i[1]]] - **v).abs() < 1e-4).count();
    assert!(shared as f64 > 0.98 * coarse.len() as f64);
}

#[test]
fn smoothing_keeps_constants_the_mean_and_symmetry() {
    let flat = ArrayD::from_elem(IxDyn(&[9, 1, 12]), 2.5f32);
    assert!(smooth(&flat, 3.0).iter().all(|v| (v - 2.5).abs() < 1e-6));
    assert!(smooth(&flat, 1e300).iter().all(|v| (v - 2.5).abs() < 1e-3));
    assert!(smooth_slowness(&flat, 2.0).iter().all(|v| (v - 2.5).abs() < 1e-6));
    let mut spike = ArrayD::from_elem(IxDyn(&[41, 41]), 0.0f32);
    spike[[20, 20]] = 1.0;
    let spread = smooth(&spike, 2.0);
    assert!((spread.sum() - 1.0).abs() < 1e-5);
    assert!((spread[[17, 20]] - spread[[20, 23]]).abs() < 1e-9);
    let variance: f32 = spread.indexed_iter().map(|(i, v)| v * (i[0] as f32 - 20.0).powi(2)).sum();
    assert!((variance - 4.0).abs() < 0.02, "{variance}");
    for sigma in [0.0, -1.0, f64::NAN] {
        assert_eq!(smooth(&spike, sigma), spike);
    }
    assert!(smooth(&ArrayD::zeros(IxDyn(&[0, 4])), 2.0).is_empty());
}

#[test]
fn raw_files_load_with_depth_contiguous() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("v.f32");
    let values: Vec<u8> = (1..=6).flat_map(|v| (v as f32).to_le_bytes()).collect();
    std::fs::write(&path, values).unwrap();
    let model = load_model(&path, Some(&[2, 3])).unwrap();
    assert_eq!(model, arr2(&[[1.0f32, 2.0, 3.0], [4.0, 5.0, 6.0]]).into_dyn());

    let error = load_model(&path, Some(&[2, 4])).unwrap_err();
    assert_eq!(error.code(), "model::file_size");
    assert!(
        error.to_string().ends_with("holds 24 bytes of samples, but the shape [2, 4] needs 32 bytes"),
        "{error}"
    );
    let doubled = load_model(&path, Some(&[3])).unwrap_err();
    assert!(doubled.help().unwrap().contains("64-bit"));
    assert_eq!(load_model(&path, None).unwrap_err().code(), "model::shape_needed");
    for shape in [&[][..], &[0, 3], &[usize::MAX, 3]] {
        assert_eq!(load_model(&path, Some(shape)).unwrap_err().code(), "model::bad_shape");
    }
    assert_eq!(load_model(dir.path().join("none"), Some(&[1])).unwrap_err().code(), "model::io");
}

#[test]
fn impossible_velocities_name_the_first_point() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("v.npy");
    let mut model = ArrayD::from_elem(IxDyn(&[3, 4]), 2.0f32);
    model[[1, 2]] = f32::NAN;
    model[[2, 0]] = -1.0;
    save_npy(&path, &model).unwrap();
    let error = load_model(&path, None).unwrap_err();
    assert_eq!(error.code(), "model::not_finite");
    assert_eq!(error.to_string(), "the velocity at index [1, 2] is NaN, not a finite number");
    model[[1, 2]] = 0.0;
    save_npy(&path, &model).unwrap();
    let error = load_model(&path, None).unwrap_err();
    assert_eq!(error.to_string(), "the velocity at index [1, 2] is 0, but velocities are positive");
}

#[test]
fn npy_files_load_in_every_stored_form() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("v.npy");
    let model = Array2::from_shape_fn((4, 3), |(i, j)| (1 + 10 * i + j) as f32);
    save_npy(&path, &model.clone().into_dyn()).unwrap();
    assert_eq!(load_model(&path, Some(&[4, 3])).unwrap(), model.clone().into_dyn());
    let error = load_model(&path, Some(&[3, 4])).unwrap_err();
    assert_eq!(error.code(), "model::shape_mismatch");
    assert!(error.to_string().ends_with("has the shape [4, 3], but [3, 4] was asked for"), "{error}");

    let mut fortran = Array2::<f64>::zeros((4, 3).f());
    fortran.assign(&model.mapv(f64::from));
    ndarray_npy::write_npy(&path, &fortran).unwrap();
    assert!(String::from_utf8_lossy(&std::fs::read(&path).unwrap()).contains("'fortran_order': True"));
    let loaded = load_model(&path, None).unwrap();
    assert_eq!(loaded, model.clone().into_dyn());
    assert!(loaded.is_standard_layout());

    ndarray_npy::write_npy(&path, &model.mapv(|v| v as i32)).unwrap();
    let error = load_model(&path, None).unwrap_err();
    assert!(error.to_string().contains("the samples are not float32 or float64"), "{error}");
}

#[test]
fn damaged_npy_files_are_errors() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("v.NPY");
    save_npy(&path, &ArrayD::from_elem(IxDyn(&[2, 2]), 2.0f32)).unwrap();
    let whole = std::fs::read(&path).unwrap();
    for length in 0..whole.len() {
        std::fs::write(&path, &whole[..length]).unwrap();
        let error = load_model(&path, None).unwrap_err();
        assert!(matches!(error.code(), "model::npy" | "model::file_size"), "{length}: {error}");
    }
    let text = String::from_utf8_lossy(&whole).replace("(2, 2)", "(9999999999999999, 9999999999999)");
    let mut huge = whole[..10].to_vec();
    huge.extend(&text.as_bytes()[text.find('{').unwrap()..]);
    std::fs::write(&path, huge).unwrap();
    assert!(load_model(&path, None).is_err());
}
