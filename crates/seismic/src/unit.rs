use ndarray::ArrayD;

/// The unit that a model's numbers are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VelocityUnit {
    /// Kilometres per second, which is metres per millisecond.
    KilometresPerSecond,
    /// Metres per second.
    MetresPerSecond,
}

impl VelocityUnit {
    /// The factor that turns a value in this unit into km/s.
    pub fn in_km_per_s(self) -> f64 {
        match self {
            Self::KilometresPerSecond => 1.0,
            Self::MetresPerSecond => 1e-3,
        }
    }
}

impl std::fmt::Display for VelocityUnit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::KilometresPerSecond => "km/s",
            Self::MetresPerSecond => "m/s",
        })
    }
}

/// Guesses the unit from the largest value: under 20 it is km/s, otherwise m/s.
///
/// No rock reaches 20 km/s and no useful model is slower than 20 m/s throughout, so the guess is safe for velocities
/// of the ground; it is not meant for anything else.
pub fn velocity_unit(model: &ArrayD<f32>) -> VelocityUnit {
    if model.iter().copied().fold(0.0, f32::max) < 20.0 {
        VelocityUnit::KilometresPerSecond
    } else {
        VelocityUnit::MetresPerSecond
    }
}

/// The model in km/s, whatever [`velocity_unit`] takes it to be in.
pub fn to_km_per_s(mut model: ArrayD<f32>) -> ArrayD<f32> {
    if velocity_unit(&model) == VelocityUnit::MetresPerSecond {
        // Division rounds once, the product with 0.001 twice: 1500 becomes exactly 1.5.
        model.mapv_inplace(|v| v / 1000.0);
    }
    model
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::arr1;

    #[test]
    fn both_units_arrive_at_km_per_s() {
        let km = arr1(&[1.5f32, 4.5]).into_dyn();
        let m = arr1(&[1500.0f32, 4500.0]).into_dyn();
        assert_eq!(velocity_unit(&km), VelocityUnit::KilometresPerSecond);
        assert_eq!(velocity_unit(&m), VelocityUnit::MetresPerSecond);
        assert_eq!(to_km_per_s(m), km);
        assert_eq!(to_km_per_s(km.clone()), km);
        assert_eq!(VelocityUnit::MetresPerSecond.to_string(), "m/s");
    }
}
