use std::path::Path;

use ndarray::{ArrayD, IxDyn};

use crate::{ModelError, NpyArray, NpyError};

/// Reads a velocity model.
///
/// * A file that ends in `.npy` holds float32 or float64 of either byte order, in C or Fortran order. Its shape is in
///   its header; a `shape` given as well must agree.
/// * Any other file is raw little-endian float32, depth contiguous, and needs a `shape`.
///
/// The numbers are returned in the unit that they are in; see [`crate::velocity_unit`] and [`crate::to_km_per_s`].
///
/// # Errors
/// Files that cannot be read, sizes and shapes that do not fit, and velocities that are not finite and positive; the
/// latter name the index of the first such point.
pub fn load_model(path: impl AsRef<Path>, shape: Option<&[usize]>) -> Result<ArrayD<f32>, ModelError> {
    let path = path.as_ref();
    if let Some(shape) = shape {
        points(shape)?;
    }
    let is_npy = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("npy"));
    let model = if is_npy { load_npy(path, shape)? } else { load_raw(path, shape)? };
    check_velocities(&model)?;
    Ok(model)
}

/// Writes a model as `.npy`, float32 in C order.
///
/// # Errors
/// [`ModelError::Io`] if the file cannot be written.
pub fn save_npy(path: impl AsRef<Path>, model: &ArrayD<f32>) -> Result<(), ModelError> {
    let path = path.as_ref();
    ndarray_npy::write_npy(path, &model.as_standard_layout()).map_err(|error| {
        let source = match error {
            ndarray_npy::WriteNpyError::Io(source) => source,
            other => std::io::Error::other(other),
        };
        ModelError::Io { path: path.to_owned(), source }
    })
}

fn load_raw(path: &Path, shape: Option<&[usize]>) -> Result<ArrayD<f32>, ModelError> {
    let shape = shape.ok_or_else(|| ModelError::ShapeNeeded { path: path.to_owned() })?;
    // The size is checked before anything is read, so that a wrong path to a huge file costs nothing.
    let found = std::fs::metadata(path).map_err(|source| io(path, source))?.len();
    check_size(path, shape, found)?;
    let bytes = std::fs::read(path).map_err(|source| io(path, source))?;
    check_size(path, shape, bytes.len() as u64)?;
    let values = bytes.as_chunks::<4>().0.iter().map(|&b| f32::from_le_bytes(b)).collect();
    ArrayD::from_shape_vec(IxDyn(shape), values).map_err(|_| ModelError::BadShape { shape: shape.to_vec() })
}

fn load_npy(path: &Path, shape: Option<&[usize]>) -> Result<ArrayD<f32>, ModelError> {
    let bytes = std::fs::read(path).map_err(|source| io(path, source))?;
    let path = path.to_owned();
    let model = match NpyArray::parse(&bytes) {
        Ok(NpyArray::F32(model)) => model,
        Ok(NpyArray::F64(model)) => model.mapv(|v| v as f32),
        Err(NpyError::Header(reason)) => return Err(ModelError::Npy { path, reason: reason.to_owned() }),
        Err(NpyError::Shape { shape }) => return Err(ModelError::BadShape { shape }),
        Err(NpyError::Size { shape, expected, found }) => {
            return Err(ModelError::FileSize { path, shape, expected, found });
        }
    };
    match shape {
        Some(expected) if expected != model.shape() => {
            let (expected, found) = (expected.to_vec(), model.shape().to_vec());
            Err(ModelError::ShapeMismatch { path, expected, found })
        }
        _ => Ok(model),
    }
}

fn io(path: &Path, source: std::io::Error) -> ModelError {
    ModelError::Io { path: path.to_owned(), source }
}

/// The number of points, if there are any and if their bytes can be counted.
fn points(shape: &[usize]) -> Result<usize, ModelError> {
    let total = shape.iter().try_fold(1usize, |product, &n| product.checked_mul(n));
    total
        .filter(|&n| n > 0 && !shape.is_empty() && n <= isize::MAX as usize / 8)
        .ok_or_else(|| ModelError::BadShape { shape: shape.to_vec() })
}

fn check_size(path: &Path, shape: &[usize], found: u64) -> Result<(), ModelError> {
    let expected = (points(shape)? * size_of::<f32>()) as u64;
    if expected == found {
        return Ok(());
    }
    Err(ModelError::FileSize { path: path.to_owned(), shape: shape.to_vec(), expected, found })
}

fn check_velocities(model: &ArrayD<f32>) -> Result<(), ModelError> {
    let wrong = model.indexed_iter().find(|(_, v)| !v.is_finite() || **v <= 0.0);
    let Some((index, &value)) = wrong else { return Ok(()) };
    let index = ndarray::Dimension::slice(&index).to_vec();
    Err(if value.is_finite() {
        ModelError::NotPositive { index, value }
    } else {
        ModelError::NotFinite { index, value }
    })
}
