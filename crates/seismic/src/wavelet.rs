use std::f64::consts::PI;

/// Ricker wavelet (Ricker 1953): `(1 - 2a) exp(-a)` with `a = (pi f0 (t - t0))^2`.
///
/// `f0` is the peak frequency, `t0` the time of the peak (`1 / f0` starts close enough to zero for most uses),
/// `dt` the step; sample `n` is at `n dt`. `f0` and `dt` are in kHz and ms, or in Hz and s. The peak value is 1.
pub fn ricker(f0: f64, t0: f64, dt: f64, nt: usize) -> Vec<f64> {
    sample(t0, dt, nt, |t| {
        let a = (PI * f0 * t).powi(2);
        (1.0 - 2.0 * a) * (-a).exp()
    })
}

/// First derivative of a Gaussian, with its largest value scaled to 1: `-s exp((1 - s^2) / 2)`, `s = 2 pi f0 (t - t0)`.
///
/// Its amplitude spectrum peaks at `f0`. Units as in [`ricker`]; `t0` is the time of the zero crossing.
pub fn gaussian_derivative(f0: f64, t0: f64, dt: f64, nt: usize) -> Vec<f64> {
    sample(t0, dt, nt, |t| {
        let s = 2.0 * PI * f0 * t;
        -s * (0.5 * (1.0 - s * s)).exp()
    })
}

fn sample(t0: f64, dt: f64, nt: usize, value: impl Fn(f64) -> f64) -> Vec<f64> {
    (0..nt).map(|n| value(n as f64 * dt - t0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ricker_peaks_at_t0_and_is_symmetric() {
        let w = ricker(0.010, 100.0, 1.0, 201);
        assert_eq!(w.len(), 201);
        assert_eq!(w[100], 1.0);
        for k in 1..=100 {
            assert!((w[100 - k] - w[100 + k]).abs() < 1e-15);
        }
        assert!(w[0].abs() < 2e-3, "{}", w[0]);
    }

    #[test]
    fn ricker_has_no_mean_and_its_zeros_where_theory_says() {
        let w = ricker(10.0, 0.2, 1e-3, 401);
        assert!(w.iter().sum::<f64>().abs() < 1e-9);
        let zero = 0.2 + 1.0 / (PI * 10.0 * 2f64.sqrt());
        let n = (zero / 1e-3) as usize;
        assert!(w[n] > 0.0 && w[n + 1] < 0.0);
    }

    #[test]
    fn units_of_frequency_and_time_cancel() {
        let hertz = ricker(10.0, 0.1, 1e-3, 100);
        let kilohertz = ricker(0.010, 100.0, 1.0, 100);
        assert!(hertz.iter().zip(&kilohertz).all(|(a, b)| (a - b).abs() < 1e-12));
    }

    #[test]
    fn gaussian_derivative_is_odd_with_unit_peak() {
        let w = gaussian_derivative(0.010, 100.0, 0.1, 2001);
        assert_eq!(w[1000], 0.0);
        assert!((w[900] + w[1100]).abs() < 1e-12);
        let peak = w.iter().copied().fold(0.0, f64::max);
        assert!((peak - 1.0).abs() < 1e-4);
    }
}
