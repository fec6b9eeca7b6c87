use thiserror::Error;

use crate::ricker;

/// One shot: where it is fired, where it is heard, and what is fired.
///
/// Positions are metres from the same zero as the grid's origin, one number per axis, depth last.
#[derive(Clone, Debug, PartialEq)]
pub struct Shot {
    /// Position of the source.
    pub source: Vec<f64>,
    /// Positions of the receivers.
    pub receivers: Vec<Vec<f64>>,
    /// Source signature, one sample per step; `nt` samples, or none before a wavelet is chosen.
    pub wavelet: Vec<f64>,
    /// Time step, in ms for velocities in km/s.
    pub dt: f64,
    /// Number of time samples.
    pub nt: usize,
}

/// How a shot is laid out along the surface.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// Where the source is, as a fraction of the model's extent along x: 0 at the first point, 1 at the last.
    pub source_x: f64,
    /// The same along y; only read in 3-D.
    pub source_y: f64,
    /// Depth of the source below the grid's origin, in metres.
    pub source_depth: f64,
    /// Depth of the receivers below the grid's origin, in metres.
    pub receiver_depth: f64,
    /// One receiver at every so many points along each horizontal axis; 0 counts as 1.
    pub receiver_every: usize,
}

impl Default for Spread {
    /// Source in the middle, receivers at every point, all at 20 m.
    fn default() -> Self {
        Self { source_x: 0.5, source_y: 0.5, source_depth: 20.0, receiver_depth: 20.0, receiver_every: 1 }
    }
}

/// Why a shot cannot be laid out.
#[derive(Debug, Error, PartialEq)]
pub enum ShotError {
    /// Shape, spacing and origin disagree about the number of dimensions, or it is not 2 or 3.
    #[error("a shot needs 2 or 3 axes, but shape, spacing and origin have {shape}, {spacing} and {origin}")]
    Dimensions {
        /// Length of the shape.
        shape: usize,
        /// Length of the spacing.
        spacing: usize,
        /// Length of the origin.
        origin: usize,
    },
    /// An axis without points, or a spacing or origin that is not a usable number.
    #[error("axis {axis} has {points} points at a spacing of {spacing}")]
    Axis {
        /// The axis.
        axis: usize,
        /// Points on it.
        points: usize,
        /// Its spacing.
        spacing: f64,
    },
    /// A position outside the model.
    #[error("the {what} of {value} is outside the model, which spans {low} to {high}")]
    Outside {
        /// Which of the settings.
        what: &'static str,
        /// Its value.
        value: f64,
        /// Smallest value that is inside.
        low: f64,
        /// Largest value that is inside.
        high: f64,
    },
}

impl ShotError {
    /// A stable name of the error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Dimensions { .. } => "shot::dimensions",
            Self::Axis { .. } => "shot::axis",
            Self::Outside { .. } => "shot::outside",
        }
    }

    /// What to do about it.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Dimensions { .. } => Some("give one number per axis to each, depth last".into()),
            Self::Axis { .. } => {
                Some("every axis needs a point, a positive spacing and a finite origin".into())
            }
            Self::Outside { .. } => {
                Some("depths are in metres, the source's place along x and y a fraction".into())
            }
        }
    }
}

impl Shot {
    /// A source near the surface and receivers on a line (2-D) or a square net (3-D) along it.
    ///
    /// `shape`, `spacing` and `origin` are those of the model without absorbing layers, so that nothing is placed in
    /// a layer (where injection and recording would no longer be each other's transpose). The wavelet is empty; see
    /// [`Shot::with_ricker`].
    ///
    /// # Errors
    /// Axes that do not fit together, and positions outside the model.
    pub fn surface(
        shape: &[usize],
        spacing: &[f64],
        origin: &[f64],
        spread: &Spread,
    ) -> Result<Self, ShotError> {
        check_axes(shape, spacing, origin)?;
        let extent: Vec<f64> = shape.iter().zip(spacing).map(|(&n, h)| (n - 1) as f64 * h).collect();
        let depth = extent.len() - 1;
        inside("source's fraction of x", spread.source_x, 1.0)?;
        inside("source depth", spread.source_depth, extent[depth])?;
        inside("receiver depth", spread.receiver_depth, extent[depth])?;
        let mut source = vec![origin[0] + spread.source_x * extent[0]];
        if depth == 2 {
            inside("source's fraction of y", spread.source_y, 1.0)?;
            source.push(origin[1] + spread.source_y * extent[1]);
        }
        source.push(origin[depth] + spread.source_depth);

        let every = spread.receiver_every.max(1);
        let mut receivers: Vec<Vec<f64>> = vec![Vec::new()];
        for axis in 0..depth {
            let stations: Vec<f64> =
                (0..shape[axis]).step_by(every).map(|i| origin[axis] + i as f64 * spacing[axis]).collect();
            receivers = receivers
                .iter()
                .flat_map(|line| stations.iter().map(move |&s| [line.as_slice(), &[s]].concat()))
                .collect();
        }
        receivers.iter_mut().for_each(|r| r.push(origin[depth] + spread.receiver_depth));
        Ok(Self { source, receivers, wavelet: Vec::new(), dt: 0.0, nt: 0 })
    }

    /// Fires a Ricker wavelet of peak frequency `f0`, delayed by `1 / f0`, sampled `nt` times at `dt`; see [`ricker`].
    pub fn with_ricker(mut self, f0: f64, dt: f64, nt: usize) -> Self {
        self.wavelet = ricker(f0, 1.0 / f0, dt, nt);
        self.dt = dt;
        self.nt = nt;
        self
    }
}

fn check_axes(shape: &[usize], spacing: &[f64], origin: &[f64]) -> Result<(), ShotError> {
    let (shapes, spacings, origins) = (shape.len(), spacing.len(), origin.len());
    if !(2..=3).contains(&shapes) || spacings != shapes || origins != shapes {
        return Err(ShotError::Dimensions { shape: shapes, spacing: spacings, origin: origins });
    }
    for axis in 0..shapes {
        let (points, step) = (shape[axis], spacing[axis]);
        if points == 0 || !(step.is_finite() && step > 0.0 && origin[axis].is_finite()) {
            return Err(ShotError::Axis { axis, points, spacing: step });
        }
    }
    Ok(())
}

fn inside(what: &'static str, value: f64, high: f64) -> Result<(), ShotError> {
    if (0.0..=high).contains(&value) {
        Ok(())
    } else {
        Err(ShotError::Outside { what, value, low: 0.0, high })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_in_2d() {
        let spread = Spread {
            source_x: 0.25,
            source_depth: 10.0,
            receiver_depth: 15.0,
            receiver_every: 2,
            ..Spread::default()
        };
        let shot = Shot::surface(&[101, 51], &[10.0, 5.0], &[100.0, 0.0], &spread).unwrap();
        assert_eq!(shot.source, [350.0, 10.0]);
        assert_eq!(shot.receivers.len(), 51);
        assert_eq!(shot.receivers[1], [120.0, 15.0]);
        let shot = shot.with_ricker(0.010, 1.0, 250);
        assert_eq!((shot.wavelet.len(), shot.nt, shot.dt), (250, 250, 1.0));
        assert_eq!(shot.wavelet[100], 1.0);
    }

    #[test]
    fn net_in_3d() {
        let spread = Spread { source_y: 0.0, receiver_every: 5, ..Spread::default() };
        let shot = Shot::surface(&[11, 21, 6], &[10.0; 3], &[0.0; 3], &spread).unwrap();
        assert_eq!(shot.source, [50.0, 0.0, 20.0]);
        assert_eq!(shot.receivers.len(), 3 * 5);
        assert_eq!(shot.receivers[6], [50.0, 50.0, 20.0]);
    }

    #[test]
    fn wrong_layouts_are_named() {
        let flat = Shot::surface(&[10], &[1.0], &[0.0], &Spread::default()).unwrap_err();
        assert_eq!(flat.code(), "shot::dimensions");
        let empty = Shot::surface(&[10, 0], &[1.0; 2], &[0.0; 2], &Spread::default()).unwrap_err();
        assert_eq!(empty.to_string(), "axis 1 has 0 points at a spacing of 1");
        let deep = Shot::surface(&[10, 5], &[1.0; 2], &[0.0; 2], &Spread::default()).unwrap_err();
        assert_eq!(deep.to_string(), "the source depth of 20 is outside the model, which spans 0 to 4");
        let nan = Spread { source_x: f64::NAN, ..Spread::default() };
        assert!(Shot::surface(&[10, 50], &[1.0; 2], &[0.0; 2], &nan).is_err());
    }
}
