use std::path::Path;

use plotters::backend::{BitMapBackend, DrawingBackend};
use plotters::style::{Color, RGBColor};

use super::PictureError;
use super::colour::Rgb;

/// A bitmap in memory that ends as a file. Coordinates are pixels, y downwards; what falls outside is not drawn.
pub(super) struct Canvas<'a> {
    path: &'a Path,
    backend: BitMapBackend<'a>,
}

impl<'a> Canvas<'a> {
    /// A white canvas.
    pub fn new(path: &'a Path, (width, height): (i32, i32)) -> Self {
        let backend = BitMapBackend::new(path, (width.max(1) as u32, height.max(1) as u32));
        let mut canvas = Self { path, backend };
        canvas.fill((0, 0), (width - 1, height - 1), [255, 255, 255]);
        canvas
    }

    /// Blends one pixel; `cover` is the part of it that is covered.
    pub fn pixel(&mut self, at: (i32, i32), colour: Rgb, cover: f64) {
        if cover > 0.0 {
            let colour = RGBColor(colour[0], colour[1], colour[2]).mix(cover.min(1.0));
            // The bitmap cannot fail before it is saved.
            let _ = self.backend.draw_pixel(at, colour.to_backend_color());
        }
    }

    /// Fills a rectangle, both corners included.
    pub fn fill(&mut self, from: (i32, i32), to: (i32, i32), colour: Rgb) {
        let colour = RGBColor(colour[0], colour[1], colour[2]);
        // The backend leaves its second corner out.
        let _ = self.backend.draw_rect(from, (to.0 + 1, to.1 + 1), &colour, true);
    }

    /// Draws the outline of a rectangle just outside the given pixels.
    pub fn frame(&mut self, from: (i32, i32), to: (i32, i32), colour: Rgb) {
        let ((x0, y0), (x1, y1)) = ((from.0 - 1, from.1 - 1), (to.0 + 1, to.1 + 1));
        self.fill((x0, y0), (x1, y0), colour);
        self.fill((x0, y1), (x1, y1), colour);
        self.fill((x0, y0), (x0, y1), colour);
        self.fill((x1, y0), (x1, y1), colour);
    }

    /// Fills a polygon with smooth edges, and outlines it with a line of width `edge` in `outline`.
    pub fn polygon(&mut self, corners: &[(f64, f64)], colour: Rgb, outline: Rgb, edge: f64) {
        self.shade(corners, edge + 1.0, |canvas, at, signed| {
            canvas.pixel(at, outline, 0.5 + 0.5 * edge - signed);
            canvas.pixel(at, colour, 0.5 - 0.5 * edge - signed);
        });
    }

    /// Draws lines between consecutive points with a round pen of the given width.
    pub fn stroke(&mut self, points: &[(f64, f64)], width: f64, colour: Rgb) {
        let reach = 0.5 * width + 1.0;
        for_each_pixel(points, reach, |at, p| {
            let distance =
                points.windows(2).map(|s| segment_distance(p, s[0], s[1])).fold(f64::MAX, f64::min);
            self.pixel(at, colour, 0.5 + 0.5 * width - distance);
        });
    }

    /// Calls back with every pixel near a closed polygon and its distance from the edge, negative inside.
    fn shade(&mut self, corners: &[(f64, f64)], reach: f64, draw: impl Fn(&mut Self, (i32, i32), f64)) {
        for_each_pixel(corners, reach, |at, p| {
            let edges = || corners.iter().zip(corners.iter().cycle().skip(1));
            let distance = edges().map(|(&a, &b)| segment_distance(p, a, b)).fold(f64::MAX, f64::min);
            let crossings = edges().filter(|(a, b)| {
                (a.1 > p.1) != (b.1 > p.1) && p.0 < a.0 + (p.1 - a.1) / (b.1 - a.1) * (b.0 - a.0)
            });
            let inside = crossings.count() % 2 == 1;
            draw(self, at, if inside { -distance } else { distance });
        });
    }

    /// Writes the file.
    pub fn save(mut self) -> Result<(), PictureError> {
        let path = self.path.to_owned();
        self.backend.present().map_err(|error| PictureError::Write { path, reason: error.to_string() })
    }
}

/// Visits the pixels whose centres lie within `reach` of the points' bounding box.
fn for_each_pixel(points: &[(f64, f64)], reach: f64, mut visit: impl FnMut((i32, i32), (f64, f64))) {
    let bound = |pick: fn(&(f64, f64)) -> f64| {
        let values = points.iter().map(pick);
        let (low, high) = values.fold((f64::MAX, f64::MIN), |r, v| (r.0.min(v), r.1.max(v)));
        ((low - reach).floor() as i32, (high + reach).ceil() as i32)
    };
    if points.is_empty() {
        return;
    }
    let ((x0, x1), (y0, y1)) = (bound(|p| p.0), bound(|p| p.1));
    for y in y0..=y1 {
        for x in x0..=x1 {
            visit((x, y), (f64::from(x) + 0.5, f64::from(y) + 0.5));
        }
    }
}

fn segment_distance(p: (f64, f64), a: (f64, f64), b: (f64, f64)) -> f64 {
    let (dx, dy) = (b.0 - a.0, b.1 - a.1);
    let length2 = dx * dx + dy * dy;
    let t =
        if length2 > 0.0 { (((p.0 - a.0) * dx + (p.1 - a.1) * dy) / length2).clamp(0.0, 1.0) } else { 0.0 };
    (p.0 - a.0 - t * dx).hypot(p.1 - a.1 - t * dy)
}
