use ndarray::ArrayView2;

use super::{ColourMap, PictureError, Section};

/// The part of the absolute values that a diverging range covers.
const CLIP: f64 = 0.98;

/// What the axes of a section span, in metres.
pub(super) struct Extent {
    /// Position of the first point.
    pub low: [f64; 2],
    /// Length along x and z.
    pub length: [f64; 2],
    /// Whether the axes are labelled in km rather than m.
    pub kilometres: bool,
}

impl Extent {
    pub fn new(points: [usize; 2], section: &Section<'_>) -> Result<Self, PictureError> {
        let (spacing, origin) = (section.spacing, section.origin);
        // One lone point is drawn as wide as the spacing that it would have.
        let length = [0, 1].map(|d| points[d].saturating_sub(1).max(1) as f64 * spacing[d]);
        let sound =
            |d: usize| length[d].is_finite() && spacing[d] > 0.0 && (origin[d] + length[d]).is_finite();
        if !(sound(0) && sound(1)) {
            return Err(PictureError::BadSection { spacing, origin });
        }
        Ok(Self {
            low: origin,
            length,
            kilometres: section.axes.is_none() && length[0].max(length[1]) >= 1000.0,
        })
    }

    /// Unit of the axis labels, and how many metres it is.
    pub fn unit(&self) -> (&'static str, f64) {
        if self.kilometres { ("km", 1000.0) } else { ("m", 1.0) }
    }
}

/// The values that the ends of a colour map stand for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Range {
    pub low: f64,
    pub high: f64,
}

impl Range {
    /// Smallest to largest value, or symmetric about zero for a diverging map; never empty.
    pub fn of(field: ArrayView2<'_, f32>, colours: ColourMap) -> Self {
        let finite = || field.iter().copied().filter(|v| v.is_finite());
        match colours {
            ColourMap::Diverging => {
                let mut sizes: Vec<f32> = finite().map(f32::abs).filter(|&v| v > 0.0).collect();
                let clip = percentile(&mut sizes, CLIP).map_or(1.0, f64::from);
                Self { low: -clip, high: clip }
            }
            ColourMap::Sequential => {
                let (low, high) =
                    finite().map(f64::from).fold((f64::MAX, f64::MIN), |r, v| (r.0.min(v), r.1.max(v)));
                if low > high {
                    return Self { low: 0.0, high: 1.0 };
                }
                let least = 1e-3 * low.abs().max(high.abs()).max(f64::MIN_POSITIVE);
                if high - low >= least {
                    return Self { low, high };
                }
                let middle = 0.5 * (low + high);
                let half = if middle == 0.0 { 1.0 } else { 0.1 * middle.abs() };
                Self { low: middle - half, high: middle + half }
            }
        }
    }

    pub fn fraction(&self, value: f64) -> f64 {
        (value - self.low) / (self.high - self.low)
    }

    /// The power of ten that labels are divided by: 0 unless numbers would become long.
    pub fn exponent(&self) -> i32 {
        let largest = self.low.abs().max(self.high.abs());
        let exponent = largest.log10().floor() as i32;
        if (-1..=3).contains(&exponent) { 0 } else { exponent }
    }
}

fn percentile(values: &mut [f32], fraction: f64) -> Option<f32> {
    let last = values.len().checked_sub(1)?;
    let place = ((last as f64 * fraction).round() as usize).min(last);
    Some(*values.select_nth_unstable_by(place, f32::total_cmp).1)
}

/// Round numbers between `low` and `high`, about `wanted` of them, with their labels.
pub(super) fn ticks(low: f64, high: f64, wanted: usize) -> Vec<(f64, String)> {
    let raw = (high - low) / wanted.max(1) as f64;
    if !(raw.is_finite() && raw > 0.0) {
        return Vec::new();
    }
    let decade = 10f64.powf(raw.log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0].map(|f| f * decade).into_iter().find(|s| *s >= raw * 0.999);
    let step = step.unwrap_or(10.0 * decade);
    // The step may itself need one digit more than its decade (2.5).
    let decimals = (0..9usize).find(|&d| {
        let scaled = step * 10f64.powi(d as i32);
        (scaled - scaled.round()).abs() < 1e-6 * scaled
    });
    let decimals = decimals.unwrap_or(9);
    let slack = 1e-9 * (high - low);
    let (from, to) = (((low - slack) / step).ceil(), ((high + slack) / step).floor());
    (0..=(to - from).clamp(0.0, 100.0) as usize)
        .map(|k| (from + k as f64) * step)
        .filter(|v| *v <= high + slack)
        // Adding zero turns -0 into 0.
        .map(|v| (v, format!("{:.decimals$}", v + 0.0)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, arr2};

    #[test]
    fn ticks_are_round_and_inside() {
        let labels = |low, high, n| ticks(low, high, n).into_iter().map(|t| t.1).collect::<Vec<_>>();
        assert_eq!(labels(0.0, 3.0, 3), ["0", "1", "2", "3"]);
        assert_eq!(labels(1.03, 4.7, 4), ["2", "3", "4"]);
        assert_eq!(labels(-0.5, 0.5, 4), ["-0.50", "-0.25", "0.00", "0.25", "0.50"]);
        assert!(labels(0.0, 0.0, 4).is_empty());
        assert!(labels(f64::NAN, 1.0, 4).is_empty());
    }

    #[test]
    fn ranges_are_never_empty() {
        for value in [0.0, -3.0, 1e-30, f32::NAN, f32::MAX, 1e-45] {
            for colours in [ColourMap::Sequential, ColourMap::Diverging] {
                let range = Range::of(Array2::from_elem((1, 1), value).view(), colours);
                assert!(range.low < range.high, "{value} {range:?}");
                assert!((0.0..=1.0).contains(&range.fraction(0.5 * (range.low + range.high))));
            }
        }
    }

    #[test]
    fn diverging_range_is_symmetric_and_clipped() {
        let mut field = Array2::from_shape_fn((100, 10), |(i, _)| if i % 2 == 0 { 1.0 } else { -1.0 });
        field[[0, 0]] = 1000.0;
        assert_eq!(Range::of(field.view(), ColourMap::Diverging), Range { low: -1.0, high: 1.0 });
        assert_eq!(
            Range::of(arr2(&[[1.0, f32::NAN, 3.0]]).view(), ColourMap::Sequential),
            Range { low: 1.0, high: 3.0 }
        );
    }
}
