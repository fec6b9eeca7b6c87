use ndarray::{ArrayD, Axis, Slice};

use crate::ModelError;
use crate::columns::by_column;

/// The part of the amplitude that the layer's profile lets through on the way in and back, at the largest velocity.
const REFLECTION: f64 = 1e-3;

/// One end of an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Where the index is 0; on the depth axis, the top.
    Low,
    /// Where the index is largest; on the depth axis, the bottom.
    High,
}

/// Where absorbing layers lie: `width` points on every face, except those left out.
///
/// A plain number converts into a layer on all faces, so `pad(&model, 40)` reads as it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sponge {
    width: usize,
    free_surface: bool,
    bare: [[bool; 2]; 3],
}

impl Sponge {
    /// Layers of `width` points on every face.
    pub fn new(width: usize) -> Self {
        Self { width, free_surface: false, bare: [[false; 2]; 3] }
    }

    /// Leaves out the top, the low side of the depth axis, whatever the number of dimensions.
    pub fn free_surface(mut self) -> Self {
        self.free_surface = true;
        self
    }

    /// Leaves out one face of one of the first three axes; other axes are ignored.
    pub fn without(mut self, axis: usize, side: Side) -> Self {
        if let Some(faces) = self.bare.get_mut(axis) {
            faces[side as usize] = true;
        }
        self
    }

    /// Points in the layer on one face of an array with `dimensions` axes.
    pub fn width(&self, dimensions: usize, axis: usize, side: Side) -> usize {
        let top = self.free_surface && axis + 1 == dimensions && side == Side::Low;
        let bare = self.bare.get(axis).is_some_and(|faces| faces[side as usize]);
        if top || bare { 0 } else { self.width }
    }

    /// Origin of the padded grid, given that of the bare one.
    pub fn origin(&self, origin: &[f64], spacing: &[f64]) -> Vec<f64> {
        let shifted = origin.iter().zip(spacing).enumerate();
        shifted.map(|(axis, (o, h))| o - self.width(origin.len(), axis, Side::Low) as f64 * h).collect()
    }
}

impl From<usize> for Sponge {
    fn from(width: usize) -> Self {
        Self::new(width)
    }
}

/// Damping of an absorbing sponge (Cerjan et al. 1985), for `m u_tt - lap u + damp u_t = q`.
///
/// `shape` is that of the padded grid, layers included. At the fraction `d` (0 to 1) of the way through a layer of
/// `L = width * h` the value is `3 ln(1/R) / (vmax L) * d^2` with `R = 1e-3` (the quadratic profile of Collino and
/// Tsogka 2001): it begins smoothly, and a wave at `vmax` that crosses the layer, is reflected at the end and comes
/// back would have lost all but `R` of its amplitude. Layers that meet in a corner add up. Inside, the value is 0.
///
/// The unit is that of 1 / (velocity * length): s/m^2 for m/s, ms/m^2 for km/s. The damping itself reflects waves
/// that are long against the layer: three wavelengths are a good width, one is too thin.
/// Without a positive velocity or spacing there is no damping on that axis.
pub fn damping(
    shape: &[usize],
    spacing: &[f64],
    sponge: impl Into<Sponge>,
    velocity_max: f64,
) -> ArrayD<f64> {
    let sponge = sponge.into();
    let profiles: Vec<Vec<f64>> = shape
        .iter()
        .enumerate()
        .map(|(axis, &points)| {
            let low = sponge.width(shape.len(), axis, Side::Low);
            let high = sponge.width(shape.len(), axis, Side::High);
            let step = spacing.get(axis).copied().unwrap_or(0.0);
            let value = |depth: usize, width: usize| face_damping(depth, width, step, velocity_max);
            let both = |i| {
                value(low.saturating_sub(i), low)
                    + value((i + 1).saturating_add(high).saturating_sub(points), high)
            };
            (0..points).map(both).collect()
        })
        .collect();
    let below = profiles.last().map_or(&[][..], Vec::as_slice);
    by_column(shape, |index, column| {
        let beside: f64 = index.iter().zip(&profiles).map(|(&i, profile)| profile[i]).sum();
        column.iter_mut().zip(below).for_each(|(damping, below)| *damping = beside + below);
    })
}

/// `depth` points into a layer of `width` points.
fn face_damping(depth: usize, width: usize, step: f64, velocity: f64) -> f64 {
    let length = width as f64 * step;
    if depth == 0 || !(length > 0.0 && velocity > 0.0 && (velocity * length).is_finite()) {
        return 0.0;
    }
    let d = depth as f64 / width as f64;
    -3.0 * REFLECTION.ln() / (velocity * length) * d * d
}

/// Continues a model into the absorbing layers by repeating its outermost values.
///
/// An axis without points stays empty.
pub fn pad<A: Clone>(model: &ArrayD<A>, sponge: impl Into<Sponge>) -> ArrayD<A> {
    let sponge = sponge.into();
    let mut padded = model.clone();
    for axis in 0..model.ndim() {
        let points = model.len_of(Axis(axis));
        if points == 0 {
            continue;
        }
        let low = sponge.width(model.ndim(), axis, Side::Low);
        let high = sponge.width(model.ndim(), axis, Side::High);
        let source: Vec<usize> =
            (0..low + points + high).map(|i| i.saturating_sub(low).min(points - 1)).collect();
        padded = padded.select(Axis(axis), &source);
    }
    padded
}

/// Cuts the absorbing layers off again: the inverse of [`pad`].
///
/// # Errors
/// [`ModelError::TooSmall`] if an axis has fewer points than its two layers.
pub fn unpad<A: Clone>(padded: &ArrayD<A>, sponge: impl Into<Sponge>) -> Result<ArrayD<A>, ModelError> {
    let sponge = sponge.into();
    let mut inner = padded.view();
    for axis in 0..padded.ndim() {
        let low = sponge.width(padded.ndim(), axis, Side::Low);
        let high = sponge.width(padded.ndim(), axis, Side::High);
        let points = padded.len_of(Axis(axis));
        if low.checked_add(high).is_none_or(|layers| layers > points) {
            return Err(ModelError::TooSmall { shape: padded.shape().to_vec(), width: sponge.width });
        }
        inner.slice_axis_inplace(Axis(axis), Slice::from(low..points - high));
    }
    Ok(inner.as_standard_layout().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, IxDyn, s};

    #[test]
    fn zero_inside_positive_and_symmetric_outside() {
        let damp = damping(&[50, 40], &[10.0, 10.0], 8, 3.0);
        assert!(damp.slice(s![8..42, 8..32]).iter().all(|&d| d == 0.0));
        assert!(damp.slice(s![..8, ..]).iter().all(|&d| d > 0.0));
        for (i, j) in (0..50).flat_map(|i| (0..40).map(move |j| (i, j))) {
            assert_eq!(damp[[i, j]], damp[[49 - i, 39 - j]]);
        }
        let face = damp.slice(s![..9, 20]);
        assert!(face.iter().zip(face.iter().skip(1)).all(|(a, b)| a > b), "grows outwards");
    }

    #[test]
    fn outermost_value_is_the_documented_one() {
        let damp = damping(&[50], &[10.0], 8, 3.0);
        let expected = 3.0 * 1000f64.ln() / (3.0 * 80.0);
        assert!((damp[[0]] - expected).abs() < 1e-15);
    }

    #[test]
    fn free_surface_and_single_faces() {
        let damp = damping(&[30, 30], &[1.0, 1.0], Sponge::new(5).free_surface(), 1.0);
        assert_eq!(damp[[15, 0]], 0.0);
        assert!(damp[[15, 29]] > 0.0 && damp[[0, 15]] > 0.0);
        let damp = damping(&[30, 30], &[1.0, 1.0], Sponge::new(5).without(0, Side::High), 1.0);
        assert_eq!(damp[[29, 15]], 0.0);
        assert!(damp[[0, 15]] > 0.0);
    }

    #[test]
    fn tiny_and_senseless_input_stays_finite() {
        assert!(damping(&[1], &[10.0], 40, 1.5).iter().all(|d| d.is_finite()));
        assert!(damping(&[3, 0], &[10.0, 10.0], 2, 1.5).is_empty());
        assert!(damping(&[9], &[0.0], 2, 1.5).iter().all(|&d| d == 0.0));
        assert!(damping(&[9], &[1.0], 2, f64::NAN).iter().all(|&d| d == 0.0));
        assert!(damping(&[9], &[1.0], 0, 1.0).iter().all(|&d| d == 0.0));
    }

    #[test]
    fn padding_repeats_edges_and_is_undone() {
        let model = Array2::from_shape_fn((3, 4), |(i, j)| (10 * i + j) as f32).into_dyn();
        for sponge in [Sponge::new(2), Sponge::new(2).free_surface(), Sponge::new(0)] {
            let padded = pad(&model, sponge);
            assert_eq!(unpad(&padded, sponge).unwrap(), model);
        }
        let padded = pad(&model, Sponge::new(2).free_surface());
        assert_eq!(padded.shape(), &[7, 6]);
        assert_eq!(padded[[0, 0]], 0.0);
        assert_eq!(padded[[6, 5]], 23.0);
        assert_eq!(Sponge::new(2).free_surface().origin(&[0.0, 0.0], &[10.0, 5.0]), [-20.0, 0.0]);
    }

    #[test]
    fn cutting_too_much_is_an_error() {
        let error = unpad(&ArrayD::<f32>::zeros(IxDyn(&[5, 9])), 3).unwrap_err();
        assert_eq!(error.code(), "model::too_small");
        assert_eq!(
            error.to_string(),
            "an array of shape [5, 9] is too small to remove absorbing layers of 3 points"
        );
    }

    /// A pulse that leaves a 1-D grid of water must not come back with more than a few percent.
    #[test]
    fn layer_absorbs_a_pulse() {
        let (nbl, inside, h, v, dt) = (40usize, 200usize, 10.0, 1.5, 2.5);
        let n = inside + 2 * nbl;
        let damp = damping(&[n], &[h], nbl, 3.0);
        let (mut past, mut now) = (vec![0.0f64; n], vec![0.0f64; n]);
        let wavelet = crate::ricker(0.015, 80.0, dt, 1200);
        let (m, mut first, mut last) = (1.0 / (v * v), 0.0f64, 0.0f64);
        for (step, q) in wavelet.iter().enumerate() {
            let at =
                |i: usize, o: isize| i.checked_add_signed(o).and_then(|j| now.get(j)).copied().unwrap_or(0.0);
            let mut next: Vec<f64> = (0..n)
                .map(|i| {
                    let lap = (at(i, -1) - 2.0 * now[i] + at(i, 1)) / (h * h);
                    let d = damp[[i]] / dt;
                    (m * (2.0 * now[i] - past[i]) / (dt * dt) + lap + d * now[i]) / (m / (dt * dt) + d)
                })
                .collect();
            next[n / 2] += q;
            past = std::mem::replace(&mut now, next);
            let loudest = now[nbl..n - nbl].iter().fold(0.0f64, |a, b| a.max(b.abs()));
            first = first.max(loudest);
            if step > 1100 {
                last = last.max(loudest);
            }
        }
        assert!(last < 0.05 * first, "{last} against {first}");
    }
}
