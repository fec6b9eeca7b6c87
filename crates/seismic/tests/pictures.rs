//! Pictures of any input, and the errors of those that cannot be drawn.

use ndarray::Array2;
use wavefold_seismic::picture::{ColourMap, FieldStyle};
use wavefold_seismic::{Section, Shot, Spread, field_picture, gradient_picture, layered_salt};

fn dimensions(path: &std::path::Path) -> (u32, u32) {
    let bytes = std::fs::read(path).unwrap();
    assert_eq!(&bytes[..8], b"\x89PNG\r\n\x1a\n");
    let word = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    (word(16), word(20))
}

#[test]
fn model_and_gradient_are_drawn_in_proportion() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("gradient.png");
    let (shape, spacing) = ([201, 81], [10.0, 10.0]);
    let velocity = layered_salt(&shape, &spacing).into_dimensionality().unwrap();
    let gradient = Array2::from_shape_fn((201, 81), |(i, j)| ((i + j) as f32 * 0.2).sin() * 1e-7);
    let shot = Shot::surface(&shape, &spacing, &[0.0; 2], &Spread::default()).unwrap();
    let section =
        Section { spacing, source: Some(&shot.source), receivers: &shot.receivers, ..Section::default() };
    gradient_picture(&path, &velocity, &gradient, &section).unwrap();
    let (width, height) = dimensions(&path);
    assert!(width > 1200 && height > 2 * 480, "{width} x {height}");
}

#[test]
fn odd_input_is_drawn_without_panic() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("odd.png");
    let far = vec![vec![1e9, -1e9], vec![f64::NAN, 0.0], vec![], vec![0.0]];
    for spacing in [[10.0, 10.0], [1e-9, 1e9], [1e9, 1e-3]] {
        let section = Section { spacing, source: Some(&[0.0, 0.0]), receivers: &far, ..Section::default() };
        for shape in [(1, 1), (1, 9), (9, 1), (3, 2)] {
            for value in [0.0, 1500.0, f32::NAN, f32::INFINITY, -f32::MAX, 1e-45] {
                let field = Array2::from_elem(shape, value);
                gradient_picture(&path, &field, &field, &section).unwrap();
            }
        }
    }
}

#[test]
fn undrawable_input_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("none.png");
    let section = Section { spacing: [10.0, 10.0], ..Section::default() };
    let style = FieldStyle { title: "Pressure", label: "", colours: ColourMap::Diverging };
    let draw = |field: &Array2<f32>, section: &Section<'_>| field_picture(&path, field, section, &style);

    let error = draw(&Array2::zeros((0, 3)), &section).unwrap_err();
    assert_eq!(error.to_string(), "a field of 0 by 3 points cannot be drawn");
    let error =
        draw(&Array2::zeros((2, 3)), &Section { spacing: [0.0, 1.0], ..Section::default() }).unwrap_err();
    assert_eq!(error.code(), "picture::bad_section");
    let error =
        gradient_picture(&path, &Array2::zeros((2, 3)), &Array2::zeros((3, 2)), &section).unwrap_err();
    assert_eq!(error.code(), "picture::shape_mismatch");
    for name in ["missing/folder.png", "no_ending"] {
        let error =
            field_picture(dir.path().join(name), &Array2::zeros((2, 3)), &section, &style).unwrap_err();
        assert_eq!(error.code(), "picture::write");
    }
}
