//! Pictures of depth sections: velocity and gradient, with axes in kilometres, colour bars, source and receivers.
//!
//! Everything is drawn into a bitmap, text included (from a small stroke font), so no font has to be installed.

mod canvas;
mod colour;
mod font;
mod panel;
mod scale;

use std::path::{Path, PathBuf};

use ndarray::{Array2, ArrayView2};
use thiserror::Error;

use canvas::Canvas;
pub use colour::ColourMap;
use panel::{Frame, Panel};
use scale::{Extent, Range};

use crate::{VelocityUnit, velocity_unit};

/// Where a section lies, and what is marked on it.
#[derive(Clone, Debug, Default)]
pub struct Section<'a> {
    /// Metres between points along x and z.
    pub spacing: [f64; 2],
    /// Position of the first point, in metres.
    pub origin: [f64; 2],
    /// What the axes are called, without units: numbers stand as they are. `x` and `Depth` in m or km if nothing is given.
    pub axes: Option<[&'a str; 2]>,
    /// Position of the source in metres: x first, depth last (a y between them is ignored). Drawn as a star.
    pub source: Option<&'a [f64]>,
    /// Positions of the receivers in the same form. Drawn as triangles, thinned out until they can be told apart.
    pub receivers: &'a [Vec<f64>],
}

/// How a single field is drawn.
#[derive(Clone, Debug)]
pub struct FieldStyle<'a> {
    /// Title above the panel.
    pub title: &'a str,
    /// Label of the colour bar, usually the unit.
    pub label: &'a str,
    /// Colours. A diverging map has white at zero and is clipped at the 98th percentile of the absolute values.
    pub colours: ColourMap,
}

/// Why a picture cannot be made.
#[derive(Debug, Error)]
pub enum PictureError {
    /// A field without points.
    #[error("a field of {nx} by {nz} points cannot be drawn")]
    Empty {
        /// Points along x.
        nx: usize,
        /// Points along z.
        nz: usize,
    },
    /// Velocity and gradient are not on the same points.
    #[error("the velocity has the shape {velocity:?} and the gradient {gradient:?}; they must be the same")]
    ShapeMismatch {
        /// Shape of the velocity.
        velocity: [usize; 2],
        /// Shape of the gradient.
        gradient: [usize; 2],
    },
    /// Spacing or origin is not usable.
    #[error("a section needs positive spacing and finite origin, not {spacing:?} and {origin:?}")]
    BadSection {
        /// Metres between points.
        spacing: [f64; 2],
        /// Position of the first point.
        origin: [f64; 2],
    },
    /// The file could not be written.
    #[error("cannot write the picture `{}`: {reason}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        reason: String,
    },
}

impl PictureError {
    /// A stable name of the error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty { .. } => "picture::empty",
            Self::ShapeMismatch { .. } => "picture::shape_mismatch",
            Self::BadSection { .. } => "picture::bad_section",
            Self::Write { .. } => "picture::write",
        }
    }

    /// What to do about it.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Empty { .. } => Some("draw a section with at least one point along x and z".into()),
            Self::ShapeMismatch { .. } => {
                Some("remove the absorbing layers from both, or from neither".into())
            }
            Self::BadSection { .. } => Some("spacing and origin are in metres".into()),
            Self::Write { .. } => Some("use a name that ends in .png, in a directory that exists".into()),
        }
    }
}

/// Draws velocity above gradient, with shared axes, true proportions where they fit, and writes a `.png`.
///
/// `velocity` (km/s or m/s, told apart as by [`velocity_unit`]) and `gradient` (any unit) have the axes `x, z`.
/// The gradient's colours are symmetric about zero and clipped at the 98th percentile of its absolute values, since
/// a gradient is largest right at the source. Points that are not finite are grey.
///
/// # Errors
/// Empty or unequal shapes, senseless spacing, and files that cannot be written.
pub fn gradient_picture(
    path: impl AsRef<Path>,
    velocity: &Array2<f32>,
    gradient: &Array2<f32>,
    section: &Section<'_>,
) -> Result<(), PictureError> {
    let shape = |a: &Array2<f32>| [a.nrows(), a.ncols()];
    if shape(velocity) != shape(gradient) {
        return Err(PictureError::ShapeMismatch { velocity: shape(velocity), gradient: shape(gradient) });
    }
    let velocity = match velocity_unit(&velocity.clone().into_dyn()) {
        VelocityUnit::KilometresPerSecond => velocity.clone(),
        VelocityUnit::MetresPerSecond => velocity.mapv(|v| v / 1000.0),
    };
    let velocity = (
        velocity.view(),
        FieldStyle { title: "P-wave velocity", label: "km/s", colours: ColourMap::Sequential },
    );
    let gradient = (
        gradient.view(),
        FieldStyle { title: "Gradient", label: "clipped at 98 %", colours: ColourMap::Diverging },
    );
    stacked_picture(path.as_ref(), &[velocity, gradient], section)
}

/// Draws one field with the axes `x, z` and writes a `.png`; see [`gradient_picture`].
///
/// # Errors
/// As for [`gradient_picture`].
pub fn field_picture(
    path: impl AsRef<Path>,
    field: &Array2<f32>,
    section: &Section<'_>,
    style: &FieldStyle<'_>,
) -> Result<(), PictureError> {
    stacked_picture(path.as_ref(), &[(field.view(), style.clone())], section)
}

/// Panels of one shape, one below the other, over a shared x axis.
fn stacked_picture(
    path: &Path,
    fields: &[(ArrayView2<'_, f32>, FieldStyle<'_>)],
    section: &Section<'_>,
) -> Result<(), PictureError> {
    let Some((first, _)) = fields.first() else { return Err(PictureError::Empty { nx: 0, nz: 0 }) };
    let (nx, nz) = first.dim();
    if nx == 0 || nz == 0 {
        return Err(PictureError::Empty { nx, nz });
    }
    let extent = Extent::new([nx, nz], section)?;
    let frame = Frame::fit(&extent, fields.len());
    let mut canvas = Canvas::new(path, frame.canvas_size());
    for (row, (field, style)) in fields.iter().enumerate() {
        let panel =
            Panel { field: *field, style, range: Range::of(*field, style.colours), extent: &extent, section };
        panel.draw(&mut canvas, &frame, row);
    }
    canvas.save()
}
