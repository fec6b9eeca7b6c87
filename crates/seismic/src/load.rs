use std::path::Path;

use ndarray::{ArrayD, IxDyn, ShapeBuilder};

use crate::ModelError;

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
    check_size(path, shape, 4, found)?;
    let bytes = std::fs::read(path).map_err(|source| io(path, source))?;
    check_size(path, shape, 4, bytes.len() as u64)?;
    let values = bytes.as_chunks::<4>().0.iter().map(|&b| f32::from_le_bytes(b)).collect();
    array(shape, false, values)
}

fn load_npy(path: &Path, shape: Option<&[usize]>) -> Result<ArrayD<f32>, ModelError> {
    let bytes = std::fs::read(path).map_err(|source| io(path, source))?;
    let (header, samples) = NpyHeader::parse(&bytes)
        .map_err(|reason| ModelError::Npy { path: path.to_owned(), reason: reason.to_owned() })?;
    if let Some(expected) = shape.filter(|&s| s != header.shape) {
        let (expected, found) = (expected.to_vec(), header.shape);
        return Err(ModelError::ShapeMismatch { path: path.to_owned(), expected, found });
    }
    points(&header.shape)?;
    check_size(path, &header.shape, header.sample.bytes(), samples.len() as u64)?;
    array(&header.shape, header.fortran_order, header.sample.decode(samples))
}

/// The sample types that a model may be stored in.
#[derive(Clone, Copy)]
enum Sample {
    F32 { little: bool },
    F64 { little: bool },
}

impl Sample {
    fn parse(description: &str) -> Option<Self> {
        match description {
            "<f4" => Some(Self::F32 { little: true }),
            ">f4" => Some(Self::F32 { little: false }),
            "<f8" => Some(Self::F64 { little: true }),
            ">f8" => Some(Self::F64 { little: false }),
            _ => None,
        }
    }

    fn bytes(self) -> usize {
        match self {
            Self::F32 { .. } => 4,
            Self::F64 { .. } => 8,
        }
    }

    fn decode(self, samples: &[u8]) -> Vec<f32> {
        let (words, doubles) = (samples.as_chunks::<4>().0.iter(), samples.as_chunks::<8>().0.iter());
        match self {
            Self::F32 { little: true } => words.map(|&b| f32::from_le_bytes(b)).collect(),
            Self::F32 { little: false } => words.map(|&b| f32::from_be_bytes(b)).collect(),
            Self::F64 { little: true } => doubles.map(|&b| f64::from_le_bytes(b) as f32).collect(),
            Self::F64 { little: false } => doubles.map(|&b| f64::from_be_bytes(b) as f32).collect(),
        }
    }
}

/// What the dictionary at the head of a `.npy` file says (NumPy enhancement proposal 1, 2007).
struct NpyHeader {
    sample: Sample,
    fortran_order: bool,
    shape: Vec<usize>,
}

impl NpyHeader {
    /// The header, and the bytes after it.
    fn parse(bytes: &[u8]) -> Result<(Self, &[u8]), &'static str> {
        let rest = bytes.strip_prefix(b"\x93NUMPY").ok_or("it does not begin with the NumPy signature")?;
        let short = "the header is cut short";
        let (length, rest) = match rest {
            [1, _, a, b, rest @ ..] => (usize::from(u16::from_le_bytes([*a, *b])), rest),
            [2 | 3, _, a, b, c, d, rest @ ..] => (u32::from_le_bytes([*a, *b, *c, *d]) as usize, rest),
            [0..=3, ..] | [] => return Err(short),
            _ => return Err("the format version is unknown"),
        };
        let (text, samples) = rest.split_at_checked(length).ok_or(short)?;
        let text = std::str::from_utf8(text).map_err(|_| "the header is not text")?;
        let description = entry(text, "descr").and_then(quoted).ok_or("the sample type is missing")?;
        let sample = Sample::parse(description).ok_or("the samples are not float32 or float64")?;
        let fortran_order = match entry(text, "fortran_order") {
            Some(value) if value.starts_with("True") => true,
            Some(value) if value.starts_with("False") => false,
            _ => return Err("the memory order is missing"),
        };
        let shape = entry(text, "shape").and_then(tuple).ok_or("the shape is missing")?;
        Ok((Self { sample, fortran_order, shape }, samples))
    }
}

/// The text after `'key':` in a dictionary.
fn entry<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let quoted_key = [format!("'{key}'"), format!("\"{key}\"")];
    let end = quoted_key.iter().find_map(|k| text.find(k.as_str()).map(|at| at + k.len()))?;
    Some(text[end..].trim_start().strip_prefix(':')?.trim_start())
}

fn quoted(text: &str) -> Option<&str> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    text[1..].split_once(quote).map(|(inner, _)| inner)
}

fn tuple(text: &str) -> Option<Vec<usize>> {
    let (inner, _) = text.strip_prefix('(')?.split_once(')')?;
    inner.split(',').map(str::trim).filter(|n| !n.is_empty()).map(|n| n.parse().ok()).collect()
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

fn check_size(path: &Path, shape: &[usize], bytes_each: usize, found: u64) -> Result<(), ModelError> {
    let expected = (points(shape)? * bytes_each) as u64;
    if expected == found {
        return Ok(());
    }
    Err(ModelError::FileSize { path: path.to_owned(), shape: shape.to_vec(), expected, found })
}

fn array(shape: &[usize], fortran_order: bool, values: Vec<f32>) -> Result<ArrayD<f32>, ModelError> {
    let array = ArrayD::from_shape_vec(IxDyn(shape).set_f(fortran_order), values)
        .map_err(|_| ModelError::BadShape { shape: shape.to_vec() })?;
    Ok(if fortran_order { array.as_standard_layout().into_owned() } else { array })
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
