//! Measured error of a decoded slice, or of a whole history.

use crate::float_mode;
use crate::{Element, View, ViewError};

/// Error of decoded values against the originals, over one slice or accumulated over many.
///
/// Sums are kept in f64; amplitudes beyond 1e150 overflow them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ErrorReport {
    points: u64,
    max_error: f64,
    max_value: f64,
    error_squares: f64,
    value_squares: f64,
}

impl ErrorReport {
    /// Adds the points of `original` and `decoded`.
    ///
    /// # Errors
    /// When their shapes differ.
    pub fn accumulate<T: Element>(
        &mut self,
        original: View<'_, T>,
        decoded: View<'_, T>,
    ) -> Result<(), ViewError> {
        if original.shape() != decoded.shape() {
            return Err(ViewError::ShapesDiffer(original.shape(), decoded.shape()));
        }
        let [n0, n1, _] = original.shape();
        float_mode::with_default(|| {
            for i in 0..n0 {
                for j in 0..n1 {
                    self.add_row(original.row(i, j), decoded.row(i, j));
                }
            }
        });
        Ok(())
    }

    fn add_row<T: Element>(&mut self, original: &[T], decoded: &[T]) {
        let (mut errors, mut values) = (0.0, 0.0);
        for (a, b) in original.iter().zip(decoded) {
            let (a, e) = (a.to_f64(), a.to_f64() - b.to_f64());
            // A NaN in either must show, so it counts as an infinite error.
            let size = if e.is_nan() { f64::INFINITY } else { e.abs() };
            self.max_error = self.max_error.max(size);
            self.max_value = self.max_value.max(a.abs());
            errors += size * size;
            values += a * a;
        }
        self.points += original.len() as u64;
        self.error_squares += errors;
        self.value_squares += values;
    }

    /// Number of points.
    pub fn points(&self) -> u64 {
        self.points
    }

    /// Largest |original - decoded|, in the field's unit.
    pub fn max_error(&self) -> f64 {
        self.max_error
    }

    /// [`max_error`](Self::max_error) over the largest |original|; 0 where there is no error.
    pub fn max_error_rel(&self) -> f64 {
        if self.max_error == 0.0 { 0.0 } else { self.max_error / self.max_value }
    }

    /// Root of the mean squared error, in the field's unit; 0 without points.
    pub fn rms(&self) -> f64 {
        if self.points == 0 { 0.0 } else { (self.error_squares / self.points as f64).sqrt() }
    }

    /// Signal-to-noise ratio, 10 log10(sum x^2 / sum e^2), in dB; infinite without error.
    pub fn snr_db(&self) -> f64 {
        if self.error_squares == 0.0 {
            f64::INFINITY
        } else {
            10.0 * (self.value_squares / self.error_squares).log10()
        }
    }
}

/// Error of one decoded slice.
///
/// # Errors
/// When the shapes differ.
pub fn compare<T: Element>(original: View<'_, T>, decoded: View<'_, T>) -> Result<ErrorReport, ViewError> {
    let mut report = ErrorReport::default();
    report.accumulate(original, decoded)?;
    Ok(report)
}
