//! Arrays in files: raw little-endian floats, or `.npy`.

use std::path::Path;

use wavefold::codecs::DType;
use wavefold::seismic::NpyArray;

use crate::bench::memory;
use crate::error::{CliError, Result};
use crate::shape::Shape;

/// Values of either type.
pub enum Values {
    /// 32-bit.
    F32(Vec<f32>),
    /// 64-bit.
    F64(Vec<f64>),
}

/// An array: its shape, slowest axis first, and its values, row-major.
pub struct File {
    /// One to three axes.
    pub shape: Vec<usize>,
    /// As many as the shape says.
    pub values: Values,
}

/// Reads a file; `shape` and `dtype` are those of the command line.
pub fn read(path: &Path, shape: Option<&Shape>, dtype: Option<DType>) -> Result<File> {
    if let Some(shape) = shape {
        check_rank(path, shape)?;
    }
    let about = std::fs::metadata(path).map_err(|e| unreadable(path, &e))?;
    if !about.is_file() {
        return Err(CliError::Read { path: path.into(), cause: "it is no file with a size".into() });
    }
    let size = about.len();
    let is_npy = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("npy"));
    if is_npy {
        let file = read_npy(path, size)?;
        check_options(path, &file, shape, dtype)?;
        Ok(file)
    } else {
        read_raw(path, size, shape, dtype.unwrap_or(DType::F32))
    }
}

fn read_raw(path: &Path, size: u64, shape: Option<&Shape>, dtype: DType) -> Result<File> {
    let shape = shape.ok_or_else(|| CliError::ShapeNeeded { path: path.into() })?;
    let expected = shape
        .points()
        .and_then(|n| n.checked_mul(dtype.size()))
        .filter(|&n| isize::try_from(n).is_ok())
        .ok_or_else(|| CliError::ShapeTooLarge { shape: shape.to_string() })? as u64;
    let wrong_size = |found| CliError::FileSize {
        path: path.into(),
        shape: shape.to_string(),
        dtype: dtype.to_string(),
        expected,
        found,
    };
    // Known before anything is read, so that a wrong path to a huge file costs nothing.
    if size != expected {
        return Err(wrong_size(size));
    }
    let bytes = load(path, size)?;
    if bytes.len() as u64 != expected {
        return Err(wrong_size(bytes.len() as u64));
    }
    let values = match dtype {
        DType::F32 => Values::F32(bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect()),
        DType::F64 => Values::F64(bytes.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b)).collect()),
    };
    Ok(File { shape: shape.0.clone(), values })
}

fn read_npy(path: &Path, size: u64) -> Result<File> {
    let array = NpyArray::parse(&load(path, size)?)
        .map_err(|e| CliError::Npy { path: path.into(), reason: e.to_string() })?;
    let shape = array.shape().to_vec();
    check_rank(path, &Shape(shape.clone()))?;
    let values = match array {
        NpyArray::F32(array) => Values::F32(array.into_raw_vec_and_offset().0),
        NpyArray::F64(array) => Values::F64(array.into_raw_vec_and_offset().0),
    };
    Ok(File { shape, values })
}

fn load(path: &Path, size: u64) -> Result<Vec<u8>> {
    // Bytes, values, decoded values, and a stream that may be as large.
    memory::check(&format!("`{}`", path.display()), 4.0 * size as f64)?;
    std::fs::read(path).map_err(|e| unreadable(path, &e))
}

fn check_options(path: &Path, file: &File, shape: Option<&Shape>, dtype: Option<DType>) -> Result<()> {
    let found = match file.values {
        Values::F32(_) => DType::F32,
        Values::F64(_) => DType::F64,
    };
    let mismatch = |option, expected: String, found: String| {
        Err(CliError::NpyMismatch { path: path.into(), option, expected, found })
    };
    match (shape, dtype) {
        (Some(s), _) if s.0 != file.shape => {
            mismatch("--shape", s.to_string(), format!("an array of shape {}", Shape(file.shape.clone())))
        }
        (_, Some(d)) if d != found => mismatch("--dtype", d.to_string(), format!("values of {found}")),
        _ => Ok(()),
    }
}

fn check_rank(path: &Path, shape: &Shape) -> Result<()> {
    if (1..=3).contains(&shape.rank()) {
        return Ok(());
    }
    let what = path.display().to_string();
    Err(CliError::Rank { what, needed: "1 to 3", shape: shape.to_string(), found: shape.rank() })
}

fn unreadable(path: &Path, error: &std::io::Error) -> CliError {
    CliError::Read { path: path.into(), cause: error.to_string() }
}
