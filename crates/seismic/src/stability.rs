/// Weights of the centred second derivative on a unit spacing: `[c0, c1, .., cR]` with `R = space_order / 2`, to be
/// used at offsets `-R..=R` by symmetry.
///
/// `c_k = 2 (-1)^(k+1) / k^2 * R!^2 / ((R-k)! (R+k)!)` and `c0 = -2 (c1 + .. + cR)`, the Taylor weights of full order
/// (Fornberg 1988). An odd order counts as the even one below, orders under 2 as 2.
pub fn second_derivative_weights(space_order: usize) -> Vec<f64> {
    let radius = (space_order / 2).max(1);
    let mut weights = vec![0.0];
    let mut ratio = 1.0;
    for k in 1..=radius {
        // R!^2 / ((R-k)! (R+k)!) grows by one factor per k, so no factorial is ever formed.
        ratio *= (radius - k + 1) as f64 / (radius + k) as f64;
        let sign = if k % 2 == 1 { 1.0 } else { -1.0 };
        weights.push(sign * 2.0 / (k * k) as f64 * ratio);
    }
    weights[0] = -2.0 * weights[1..].iter().sum::<f64>();
    weights
}

/// Time step for `m u_tt = lap u` with a centred second time difference and a Laplacian of `space_order`:
///
/// `dt = safety * 2 / (vmax * sqrt(sum_d sum_k |c_k| / h_d^2))` (Lines, Slawinski and Bording 1999), where the inner
/// sum runs over all weights of [`second_derivative_weights`] at `-R..=R`. `safety = 1` is the limit itself; 0.9 is
/// a usual choice.
///
/// `spacing` in metres and `vmax` in km/s give milliseconds; in m/s, seconds. The result is NaN if a spacing, `vmax`
/// or `safety` is not positive and finite, or if there is no axis.
pub fn cfl_dt(spacing: &[f64], vmax: f64, space_order: usize, safety: f64) -> f64 {
    let usable = |x: f64| x.is_finite() && x > 0.0;
    if spacing.is_empty() || !spacing.iter().all(|&h| usable(h)) || !usable(vmax) || !usable(safety) {
        return f64::NAN;
    }
    let weights = second_derivative_weights(space_order);
    let total = weights[0].abs() + 2.0 * weights[1..].iter().map(|c| c.abs()).sum::<f64>();
    let spectral = spacing.iter().map(|h| total / (h * h)).sum::<f64>();
    safety * 2.0 / (vmax * spectral.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_the_textbook_ones() {
        assert_eq!(second_derivative_weights(2), [-2.0, 1.0]);
        let close = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-15);
        assert!(close(&second_derivative_weights(4), &[-5.0 / 2.0, 4.0 / 3.0, -1.0 / 12.0]));
        let eighth = [-205.0 / 72.0, 8.0 / 5.0, -1.0 / 5.0, 8.0 / 315.0, -1.0 / 560.0];
        assert!(close(&second_derivative_weights(8), &eighth));
        assert!(second_derivative_weights(400).iter().all(|c| c.is_finite()));
    }

    #[test]
    fn step_equals_the_value_by_hand() {
        // Order 2: sum |c| = 4, so the limit is h / (v sqrt(dimensions)).
        assert!((cfl_dt(&[10.0], 2.0, 2, 1.0) - 5.0).abs() < 1e-14);
        assert!((cfl_dt(&[10.0, 10.0], 2.0, 2, 1.0) - 5.0 / 2f64.sqrt()).abs() < 1e-14);
        // Order 4: sum |c| = 5/2 + 2 (4/3 + 1/12) = 16/3; h = 10 and 5: 16/3 (1/100 + 4/100) = 4/15.
        let by_hand = 0.9 * 2.0 / (4.5 * (4.0f64 / 15.0).sqrt());
        assert!((cfl_dt(&[10.0, 5.0], 4.5, 4, 0.9) - by_hand).abs() < 1e-14);
    }

    #[test]
    fn limit_separates_stable_from_unstable() {
        for order in [2, 8, 16] {
            assert!(growth(order, 0.999) < 1e3, "order {order} below the limit");
            assert!(growth(order, 1.02) > 1e6, "order {order} above the limit");
        }
    }

    /// Largest value after 600 leapfrog steps from a spike on a 1-D grid with zero ends.
    fn growth(order: usize, safety: f64) -> f64 {
        let (n, dt) = (101i64, cfl_dt(&[1.0], 1.0, order, safety));
        let weights = second_derivative_weights(order);
        let at = |u: &[f64], i: i64| if (0..n).contains(&i) { u[i as usize] } else { 0.0 };
        let (mut past, mut now) = (vec![0.0; n as usize], vec![0.0; n as usize]);
        now[50] = 1.0;
        for _ in 0..600 {
            let next = (0..n).map(|i| {
                let arms = (1..weights.len())
                    .map(|k| weights[k] * (at(&now, i - k as i64) + at(&now, i + k as i64)));
                2.0 * at(&now, i) - at(&past, i) + dt * dt * (weights[0] * at(&now, i) + arms.sum::<f64>())
            });
            let next = next.collect();
            past = std::mem::replace(&mut now, next);
        }
        now.iter().fold(0.0, |a, b| b.abs().max(a))
    }

    #[test]
    fn nonsense_gives_nan() {
        assert!(cfl_dt(&[], 1.0, 2, 0.9).is_nan());
        assert!(cfl_dt(&[0.0], 1.0, 2, 0.9).is_nan());
        assert!(cfl_dt(&[1.0], -1.0, 2, 0.9).is_nan());
        assert!(cfl_dt(&[1.0], f64::INFINITY, 2, 0.9).is_nan());
    }
}
