//! Reading `.npy` files (NumPy enhancement proposal 1, 2007).

use ndarray::{ArrayD, IxDyn, ShapeBuilder};

/// An array of real numbers from a `.npy` file.
#[derive(Clone, Debug, PartialEq)]
pub enum NpyArray {
    /// 32-bit samples.
    F32(ArrayD<f32>),
    /// 64-bit samples.
    F64(ArrayD<f64>),
}

/// Why bytes are no `.npy` array that can be read.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum NpyError {
    /// The header cannot be understood, or the samples are not real numbers.
    #[error("{0}")]
    Header(&'static str),
    /// No axis, an axis without points, or more points than can be addressed.
    #[error("its shape {shape:?} has no axis with points, or too many points")]
    Shape {
        /// The shape in the header.
        shape: Vec<usize>,
    },
    /// The samples are fewer or more than the header promises.
    #[error("it holds {found} bytes of samples, but its shape {shape:?} needs {expected}")]
    Size {
        /// The shape in the header.
        shape: Vec<usize>,
        /// Bytes that the shape needs.
        expected: u64,
        /// Bytes that are there.
        found: u64,
    },
}

impl NpyArray {
    /// Reads the bytes of a `.npy` file: float32 or float64, of either byte order, in C or Fortran order. The array is
    /// in C order.
    ///
    /// # Errors
    /// Everything else; no size in the header is trusted before it was compared with the bytes that are there.
    pub fn parse(bytes: &[u8]) -> Result<NpyArray, NpyError> {
        let (header, samples) = Header::parse(bytes).map_err(NpyError::Header)?;
        let Header { double, little, fortran_order, shape } = header;
        let total = shape.iter().try_fold(1usize, |product, &n| product.checked_mul(n));
        let Some(points) = total.filter(|&n| n > 0 && !shape.is_empty() && n <= isize::MAX as usize / 8)
        else {
            return Err(NpyError::Shape { shape });
        };
        let (expected, found) = ((points * if double { 8 } else { 4 }) as u64, samples.len() as u64);
        if expected != found {
            return Err(NpyError::Size { shape, expected, found });
        }
        let (words, doubles) = (samples.as_chunks::<4>().0.iter(), samples.as_chunks::<8>().0.iter());
        Ok(match (double, little) {
            (false, true) => {
                NpyArray::F32(array(&shape, fortran_order, words.map(|&b| f32::from_le_bytes(b)).collect())?)
            }
            (false, false) => {
                NpyArray::F32(array(&shape, fortran_order, words.map(|&b| f32::from_be_bytes(b)).collect())?)
            }
            (true, true) => NpyArray::F64(array(
                &shape,
                fortran_order,
                doubles.map(|&b| f64::from_le_bytes(b)).collect(),
            )?),
            (true, false) => NpyArray::F64(array(
                &shape,
                fortran_order,
                doubles.map(|&b| f64::from_be_bytes(b)).collect(),
            )?),
        })
    }

    /// Points along each axis, slowest first.
    pub fn shape(&self) -> &[usize] {
        match self {
            NpyArray::F32(array) => array.shape(),
            NpyArray::F64(array) => array.shape(),
        }
    }
}

fn array<T: Clone>(shape: &[usize], fortran_order: bool, values: Vec<T>) -> Result<ArrayD<T>, NpyError> {
    let array = ArrayD::from_shape_vec(IxDyn(shape).set_f(fortran_order), values)
        .map_err(|_| NpyError::Shape { shape: shape.to_vec() })?;
    Ok(if fortran_order { array.as_standard_layout().into_owned() } else { array })
}

/// What the dictionary at the head of a file says.
struct Header {
    /// 64-bit samples, not 32-bit ones.
    double: bool,
    /// Little-endian samples.
    little: bool,
    fortran_order: bool,
    shape: Vec<usize>,
}

impl Header {
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
        let (double, little) =
            match entry(text, "descr").and_then(quoted).ok_or("the sample type is missing")? {
                "<f4" => (false, true),
                ">f4" => (false, false),
                "<f8" => (true, true),
                ">f8" => (true, false),
                _ => return Err("the samples are not float32 or float64"),
            };
        let fortran_order = match entry(text, "fortran_order") {
            Some(value) if value.starts_with("True") => true,
            Some(value) if value.starts_with("False") => false,
            _ => return Err("the memory order is missing"),
        };
        let shape = entry(text, "shape").and_then(tuple).ok_or("the shape is missing")?;
        Ok((Self { double, little, fortran_order, shape }, samples))
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

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::arr2;

    fn file(description: &str, fortran_order: &str, samples: &[u8]) -> Vec<u8> {
        let header =
            format!("{{'descr': '{description}', 'fortran_order': {fortran_order}, 'shape': (2, 3), }}\n");
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(samples);
        bytes
    }

    #[test]
    fn both_types_byte_orders_and_memory_orders() {
        let expected = arr2(&[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]).into_dyn();
        for (order, values) in
            [("False", [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), ("True", [1.0, 4.0, 2.0, 5.0, 3.0, 6.0])]
        {
            let big: Vec<u8> = values.iter().flat_map(|v: &f64| v.to_be_bytes()).collect();
            let little: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            for (description, samples) in [(">f8", big), ("<f8", little)] {
                let array = NpyArray::parse(&file(description, order, &samples)).unwrap();
                assert_eq!(array, NpyArray::F64(expected.clone()), "{description} {order}");
            }
            let big: Vec<u8> = values.iter().flat_map(|v| (*v as f32).to_be_bytes()).collect();
            let little: Vec<u8> = values.iter().flat_map(|v| (*v as f32).to_le_bytes()).collect();
            for (description, samples) in [(">f4", big), ("<f4", little)] {
                let array = NpyArray::parse(&file(description, order, &samples)).unwrap();
                assert_eq!(array, NpyArray::F32(expected.mapv(|v| v as f32)), "{description} {order}");
                let short = NpyArray::parse(&file(description, order, &samples[1..])).unwrap_err();
                assert_eq!(short, NpyError::Size { shape: vec![2, 3], expected: 24, found: 23 });
            }
        }
        let integers = NpyArray::parse(&file("<i4", "False", &[0; 24])).unwrap_err();
        assert_eq!(integers, NpyError::Header("the samples are not float32 or float64"));
    }
}
