/// A red, green and blue value.
pub(super) type Rgb = [u8; 3];

/// Which colours stand for which values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColourMap {
    /// Dark violet over green to yellow, with even steps of lightness: for quantities such as velocity.
    Sequential,
    /// Blue over white to red: for signed quantities, with white at zero.
    Diverging,
}

/// Ten supports of a map whose lightness grows evenly (the shape of viridis: van der Walt and Smith 2015).
const SEQUENTIAL: [Rgb; 10] = [
    [68, 1, 84],
    [72, 40, 120],
    [62, 74, 137],
    [49, 104, 142],
    [38, 130, 142],
    [31, 158, 137],
    [53, 183, 121],
    [109, 205, 89],
    [180, 222, 44],
    [253, 231, 37],
];

const DIVERGING: [Rgb; 9] = [
    [8, 24, 88],
    [24, 72, 166],
    [66, 133, 210],
    [160, 200, 236],
    [252, 252, 252],
    [244, 180, 156],
    [220, 92, 76],
    [176, 22, 36],
    [92, 0, 22],
];

/// Points that have no value.
const UNDEFINED: Rgb = [150, 150, 150];

impl ColourMap {
    /// The colour at `fraction` of the range; outside 0..1 the end colours, for NaN grey.
    pub(super) fn at(self, fraction: f64) -> Rgb {
        if fraction.is_nan() {
            return UNDEFINED;
        }
        let table: &[Rgb] = match self {
            Self::Sequential => &SEQUENTIAL,
            Self::Diverging => &DIVERGING,
        };
        let place = fraction.clamp(0.0, 1.0) * (table.len() - 1) as f64;
        let low = (place as usize).min(table.len() - 2);
        let t = place - low as f64;
        let mix = |c: usize| f64::from(table[low][c]) * (1.0 - t) + f64::from(table[low + 1][c]) * t;
        [0, 1, 2].map(|c| mix(c).round() as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_middle_and_undefined() {
        assert_eq!(ColourMap::Sequential.at(-1.0), SEQUENTIAL[0]);
        assert_eq!(ColourMap::Sequential.at(2.0), SEQUENTIAL[9]);
        assert_eq!(ColourMap::Diverging.at(0.5), [252, 252, 252]);
        assert_eq!(ColourMap::Diverging.at(f64::NAN), UNDEFINED);
    }

    #[test]
    fn sequential_lightness_grows() {
        let light = |f: f64| {
            let [r, g, b] = ColourMap::Sequential.at(f).map(f64::from);
            0.2126 * r + 0.7152 * g + 0.0722 * b
        };
        assert!((0..100).all(|k| light(k as f64 / 100.0) < light((k + 1) as f64 / 100.0)));
    }
}
