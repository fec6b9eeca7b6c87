use ndarray::{ArrayD, Axis, Zip};

use crate::columns::by_column;

/// Velocity of water, of rock salt and of the basement, in km/s.
const WATER: f64 = 1.5;
const SALT: f64 = 4.5;
const BASEMENT: f64 = 4.1;

/// Sedimentary layers between sea floor and basement.
const LAYERS: usize = 24;

/// A layered model with a body of salt, in km/s, made by arithmetic alone: the same numbers for the same arguments.
///
/// From the top: water over an uneven sea floor, undulating layers whose velocity grows with depth, two normal faults,
/// a mushroom of salt with a rugged top and a stem (4.5 km/s) that drags the layers upwards, and a basement. The layout
/// is a fraction of the model's depth, so that every size shows all of it; horizontal lengths are measured in depths,
/// so that wide models have more undulations rather than wider ones.
///
/// `shape` is `x, z` or `x, y, z` (any number of axes works, the last one is depth); `spacing` has a length per axis,
/// missing or senseless ones count as equal to the depth axis. An axis without points gives an empty array.
pub fn layered_salt(shape: &[usize], spacing: &[f64]) -> ArrayD<f32> {
    let earth = Earth::new(shape, spacing);
    by_column(shape, |lateral, velocities| {
        let column = earth.column(lateral);
        for (z, velocity) in velocities.iter_mut().enumerate() {
            *velocity = column.velocity(earth.depth(z)) as f32;
        }
    })
}

/// Geometry that all points share.
struct Earth {
    /// Horizontal step per axis, in model depths.
    step: Vec<f64>,
    /// Horizontal extent per axis, in model depths.
    extent: Vec<f64>,
    points_z: usize,
}

impl Earth {
    fn new(shape: &[usize], spacing: &[f64]) -> Self {
        let usable = |h: Option<&f64>| h.copied().filter(|h| h.is_finite() && *h > 0.0);
        let (&points_z, lateral) = shape.split_last().unwrap_or((&1, &[]));
        let dz = usable(spacing.get(lateral.len())).unwrap_or(1.0);
        let depth = points_z.saturating_sub(1).max(1) as f64 * dz;
        let step: Vec<f64> = (0..lateral.len())
            .map(|axis| (usable(spacing.get(axis)).unwrap_or(dz) / depth).clamp(1e-9, 1e9))
            .collect();
        let extent = lateral.iter().zip(&step).map(|(&n, h)| n.saturating_sub(1) as f64 * h).collect();
        Self { step, extent, points_z }
    }

    /// 0 at the first point, 1 at the last.
    fn depth(&self, z: usize) -> f64 {
        z as f64 / self.points_z.saturating_sub(1).max(1) as f64
    }

    fn column(&self, lateral: &[usize]) -> Column {
        let place: Vec<f64> = lateral.iter().zip(&self.step).map(|(&i, h)| i as f64 * h).collect();
        // Distance from the body's axis, 1 at its rim.
        let radius = self.extent.iter().zip(&place).map(|(length, x)| {
            let rim = (0.22 * length).clamp(1e-9, 0.85);
            (x - 0.6 * length) / rim
        });
        let radius = radius.map(|r| r * r).sum::<f64>().sqrt() * (1.0 + 0.25 * noise(1, &place, 2.0));
        let drag = (-0.5 * radius * radius).exp() - 0.5 * (-0.2 * radius * radius).exp();
        let mut warp = 0.050 * noise(2, &place, 0.9) + 0.014 * noise(3, &place, 2.7) - 0.15 * drag;
        let x = place.first().copied().unwrap_or(0.0);
        let length = self.extent.first().copied().unwrap_or(0.0);
        let faults = [(x - 0.17 * length, 0.45, 0.045), (x - 0.33 * length, -0.40, -0.035)];
        warp += 0.02 * (x - 0.5 * length) / length.max(1.0);
        let salt = (radius < 1.0).then(|| {
            let half = (1.0 - radius * radius).sqrt();
            let rugged = 0.045 * noise(4, &place, 4.0) + 0.026 * noise(5, &place, 11.0);
            (0.42 - 0.17 * half + half.sqrt() * rugged, 0.42 + 0.08 * half + 0.02 * noise(6, &place, 3.0))
        });
        Column {
            floor: 0.09 + 0.014 * noise(7, &place, 1.1) + 0.004 * noise(8, &place, 5.0),
            basement: 0.90 + 0.035 * noise(9, &place, 1.0),
            lateral: 0.03 * noise(10, &place, 0.6),
            radius,
            warp,
            faults,
            salt,
        }
    }
}

/// What lies under one point of the surface; depths are fractions of the model's.
struct Column {
    floor: f64,
    basement: f64,
    lateral: f64,
    warp: f64,
    /// Distance from the fault's outcrop, its slope, and its throw.
    faults: [(f64, f64, f64); 2],
    /// Top and base of the salt's head.
    salt: Option<(f64, f64)>,
    /// Distance from the axis of the salt, 1 at the rim of its head.
    radius: f64,
}

impl Column {
    fn velocity(&self, depth: f64) -> f64 {
        if depth <= self.floor {
            return WATER;
        }
        if let Some((top, base)) = self.salt
            && depth >= top
            && (depth <= base || self.radius < stem_radius(depth))
        {
            return SALT;
        }
        // A fault shifts the layers on its far side, and dies out towards the sea floor, which is younger.
        let burial = (depth - self.floor).max(0.0);
        let grown = (burial / 0.15).min(1.0);
        let thrown = self.faults.iter().filter(|(from, slope, _)| from + slope * depth > 0.0);
        let shift: f64 = thrown.map(|(_, _, throw)| throw).sum::<f64>();
        let age = (burial - grown * (self.warp + shift)).max(0.0);
        if depth > self.basement - grown * (shift + 0.3 * self.warp) {
            return BASEMENT * (1.0 + 0.3 * self.lateral);
        }
        // Layers get thicker downwards.
        let layer = (age.powf(0.75) * LAYERS as f64).floor();
        let contrast = 2.0 * hash(&[21, layer as i64]) - 1.0;
        let trend = 1.62 + 2.35 * (layer / LAYERS as f64).powf(1.33).min(1.1) + 0.25 * age;
        (trend * (1.0 + self.lateral) + 0.27 * contrast * grown.max(0.35)).clamp(WATER + 0.05, SALT - 0.2)
    }
}

/// Radius of the salt's stem: flared into the head, thin below it, wide again at its root.
fn stem_radius(depth: f64) -> f64 {
    let flare = 0.45 * (-(depth - 0.44).max(0.0) / 0.045).exp();
    let root = 0.40 * ((depth - 0.62).max(0.0) / 0.38).powi(2);
    0.17 + flare + root + 0.02 * (23.0 * depth).sin()
}

/// Smooth noise between -1 and 1 (Perlin 1985, on values): `frequency` random values per unit of length, joined
/// smoothly.
fn noise(seed: i64, place: &[f64], frequency: f64) -> f64 {
    let cells: Vec<(i64, f64)> = place
        .iter()
        .map(|x| {
            let scaled = x * frequency;
            let t = scaled - scaled.floor();
            (scaled.floor() as i64, t * t * t * (t * (6.0 * t - 15.0) + 10.0))
        })
        .collect();
    let mut value = 0.0;
    for corner in 0..1usize << cells.len().min(8) {
        let (mut weight, mut key) = (1.0, vec![seed]);
        for (axis, &(cell, t)) in cells.iter().enumerate().take(8) {
            let upper = corner >> axis & 1;
            weight *= if upper == 1 { t } else { 1.0 - t };
            key.push(cell.wrapping_add(upper as i64));
        }
        value += weight * (2.0 * hash(&key) - 1.0);
    }
    value
}

/// A number in 0..1 that belongs to the key (mixing steps of SplitMix64: Steele, Lea and Flood 2014).
fn hash(key: &[i64]) -> f64 {
    let mixed = key.iter().fold(0x9e37_79b9_7f4a_7c15u64, |state, &k| {
        let mut z = state.wrapping_add(k as u64).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    });
    (mixed >> 11) as f64 / (1u64 << 53) as f64
}

/// Smooths with a Gaussian whose standard deviation is `sigma_points` grid points along every axis, cut off at four
/// standard deviations and normalised; beyond the edges the outermost value goes on.
///
/// A sigma that is not positive and finite returns the model as it is; one over a million points counts as a million.
pub fn smooth(model: &ArrayD<f32>, sigma_points: f64) -> ArrayD<f32> {
    if !(sigma_points.is_finite() && sigma_points > 0.0) {
        return model.clone();
    }
    let weights = gaussian(sigma_points.min(1e6));
    let mut smoothed = model.clone();
    for axis in 0..model.ndim() {
        Zip::from(smoothed.lanes_mut(Axis(axis))).par_for_each(|mut lane| {
            let line: Vec<f64> = lane.iter().map(|&v| f64::from(v)).collect();
            for (i, v) in lane.iter_mut().enumerate() {
                *v = weighted_mean(&line, i, &weights) as f32;
            }
        });
    }
    smoothed
}

/// [`smooth`], but of the slowness: travel times are kept better than by smoothing the velocity.
pub fn smooth_slowness(model: &ArrayD<f32>, sigma_points: f64) -> ArrayD<f32> {
    smooth(&model.mapv(f32::recip), sigma_points).mapv(f32::recip)
}

/// Weights at distances 0, 1, .. and, for each distance, the sum of all weights beyond it.
fn gaussian(sigma: f64) -> Vec<(f64, f64)> {
    let radius = (4.0 * sigma).ceil() as usize;
    let raw: Vec<f64> = (0..=radius).map(|k| (-0.5 * (k as f64 / sigma).powi(2)).exp()).collect();
    let total = raw[0] + 2.0 * raw[1..].iter().sum::<f64>();
    let mut beyond = 0.0;
    let mut weights: Vec<(f64, f64)> = raw
        .iter()
        .rev()
        .map(|w| {
            let pair = (w / total, beyond);
            beyond += w / total;
            pair
        })
        .collect();
    weights.reverse();
    weights
}

fn weighted_mean(line: &[f64], i: usize, weights: &[(f64, f64)]) -> f64 {
    let radius = weights.len() - 1;
    let last = line.len() - 1;
    let (from, to) = (i.saturating_sub(radius), (i + radius).min(last));
    let inner: f64 = (from..=to).map(|j| line[j] * weights[i.abs_diff(j)].0).sum();
    // All that falls over an edge meets the same value, so its weights are summed beforehand.
    let over = |distance: usize| weights.get(distance).map_or(0.0, |w| w.1);
    inner + line[0] * over(i) + line[last] * over(last - i)
}
