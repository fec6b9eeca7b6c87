use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use super::PictureError;
use super::colour::Rgb;

/// A bitmap in memory that ends as a file. Coordinates are pixels, y downwards; what falls outside is not drawn.
pub(super) struct Canvas<'a> {
    path: &'a Path,
    size: (i32, i32),
    pixels: Vec<Rgb>,
}

impl<'a> Canvas<'a> {
    /// A white canvas.
    pub fn new(path: &'a Path, (width, height): (i32, i32)) -> Self {
        let size = (width.max(1), height.max(1));
        Self { path, size, pixels: vec![[255, 255, 255]; size.0 as usize * size.1 as usize] }
    }

    /// Blends one pixel; `cover` is the part of it that is covered.
    pub fn pixel(&mut self, at: (i32, i32), colour: Rgb, cover: f64) {
        let inside = (0..self.size.0).contains(&at.0) && (0..self.size.1).contains(&at.1);
        if !inside || cover.is_nan() || cover <= 0.0 {
            return;
        }
        let cover = cover.min(1.0);
        let pixel = &mut self.pixels[(at.1 * self.size.0 + at.0) as usize];
        for (old, new) in pixel.iter_mut().zip(colour) {
            *old = (f64::from(*old) * (1.0 - cover) + f64::from(new) * cover).round() as u8;
        }
    }

    /// Fills a rectangle, both corners included.
    pub fn fill(&mut self, from: (i32, i32), to: (i32, i32), colour: Rgb) {
        for y in from.1.max(0)..=to.1.min(self.size.1 - 1) {
            for x in from.0.max(0)..=to.0.min(self.size.0 - 1) {
                self.pixels[(y * self.size.0 + x) as usize] = colour;
            }
        }
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
    pub fn save(self) -> Result<(), PictureError> {
        let failed = |reason: String| PictureError::Write { path: self.path.to_owned(), reason };
        if self.path.extension().is_none_or(|e| !e.eq_ignore_ascii_case("png")) {
            return Err(failed("its name does not end in .png".into()));
        }
        let file = File::create(self.path).map_err(|e| failed(e.to_string()))?;
        self.encode(BufWriter::new(file)).map_err(|e| failed(e.to_string()))
    }

    /// A PNG with a palette where that shows no difference to the eye: a third of the size.
    fn encode(&self, file: BufWriter<File>) -> Result<(), png::EncodingError> {
        let mut encoder = png::Encoder::new(file, self.size.0 as u32, self.size.1 as u32);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_compression(png::Compression::High);
        let Some((palette, indices)) = palette(&self.pixels) else {
            encoder.set_color(png::ColorType::Rgb);
            return encoder.write_header()?.write_image_data(self.pixels.as_flattened());
        };
        encoder.set_color(png::ColorType::Indexed);
        encoder.set_palette(palette.into_flattened());
        encoder.set_filter(png::Filter::NoFilter);
        encoder.write_header()?.write_image_data(&indices)
    }
}

/// At most 256 colours, and which of them each pixel has; neighbouring colours may become their mean.
fn palette(pixels: &[Rgb]) -> Option<(Vec<Rgb>, Vec<u8>)> {
    (0..=3).find_map(|bits| {
        let bucket = |c: &Rgb| c.map(|v| v >> bits);
        let mut buckets: BTreeMap<Rgb, (u64, [u64; 3])> = BTreeMap::new();
        for pixel in pixels {
            let (count, sum) = buckets.entry(bucket(pixel)).or_default();
            *count += 1;
            sum.iter_mut().zip(pixel).for_each(|(sum, v)| *sum += u64::from(*v));
            if buckets.len() > 256 {
                return None;
            }
        }
        let mean = |(count, sum): &(u64, [u64; 3])| sum.map(|v| ((v + count / 2) / count) as u8);
        let colours = buckets.values().map(mean).collect();
        let places: BTreeMap<Rgb, u8> = buckets.keys().zip(0..=255).map(|(c, i)| (*c, i)).collect();
        Some((colours, pixels.iter().map(|p| places[&bucket(p)]).collect()))
    })
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
