//! Fields of two dimensions as panels with colour bars: x to the right, y upwards.

use std::path::Path;

use ndarray::{Array, Array2, Dimension, Ix2};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::colors::colormaps::{ColorMap, DerivedColorMap, ViridisRGB};

/// Pixels of the longer side of a panel, around it, and of the colour bar with its numbers.
const SIDE: usize = 380;
const MARGIN: usize = 16;
const BAR: usize = 14;
const NUMBERS: usize = 74;

type Area<'a> = DrawingArea<BitMapBackend<'a>, Shift>;

/// A field and its colours.
pub struct Panel {
    values: Array2<f64>,
    low: f64,
    high: f64,
    levels: f64,
    diverging: bool,
}

impl Panel {
    /// A field with two axes, violet at its minimum and yellow at its maximum.
    pub fn new<D: Dimension>(values: Array<f64, D>) -> Panel {
        // What has not two axes has nothing to show, which `draw` refuses.
        let values = values.into_dimensionality::<Ix2>().unwrap_or_default();
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        Panel { values, low, high, levels: 64.0, diverging: false }
    }

    /// A field with two axes, blue below zero and red above; `clip` (0 to 1) of the largest value has full
    /// colour.
    pub fn signed<D: Dimension>(values: Array<f64, D>, clip: f64) -> Panel {
        let panel = Panel::new(values);
        let most = clip * panel.low.abs().max(panel.high.abs());
        Panel { low: -most, high: most, diverging: true, ..panel }
    }

    /// The number of distinct colours: few of them show as contours.
    pub fn levels(self, levels: u32) -> Panel {
        Panel { levels: f64::from(levels), ..self }
    }

    /// Width and height in pixels.
    fn size(&self) -> (usize, usize) {
        let (nx, ny) = self.values.dim();
        let longest = nx.max(ny).max(1);
        ((SIDE * nx / longest).max(1), (SIDE * ny / longest).max(1))
    }

    /// The colour at a fraction of the range.
    fn colour(&self, fraction: f64) -> RGBColor {
        if fraction.is_nan() {
            return RGBColor(150, 150, 150);
        }
        let step = (fraction.clamp(0.0, 1.0) * self.levels).floor().min(self.levels - 1.0);
        let fraction = (step + 0.5) / self.levels;
        if !self.diverging {
            return ViridisRGB.get_color(fraction);
        }
        let (blue, white, red) = (RGBColor(20, 60, 160), RGBColor(252, 252, 252), RGBColor(180, 20, 40));
        DerivedColorMap::new(&[blue, white, red]).get_color(fraction)
    }

    /// The value at a place in points, linear between points.
    fn at(&self, x: f64, y: f64) -> f64 {
        let (nx, ny) = self.values.dim();
        let cell = |p: f64, n: usize| {
            let i = (p.max(0.0) as usize).min(n.saturating_sub(2));
            (i, (i + 1).min(n - 1), p - i as f64)
        };
        let ((i0, i1, a), (j0, j1, b)) = (cell(x, nx), cell(y, ny));
        let row = |i: usize| (1.0 - b) * self.values[[i, j0]] + b * self.values[[i, j1]];
        (1.0 - a) * row(i0) + a * row(i1)
    }

    fn draw(&self, area: &Area<'_>, left: usize, top: usize) -> Result<(), String> {
        let ((nx, ny), (width, height)) = (self.values.dim(), self.size());
        let range = if self.high > self.low { self.high - self.low } else { 1.0 };
        let pixel = |x: usize, y: usize, colour: &RGBColor| {
            area.draw_pixel(((left + x) as i32, (top + y) as i32), colour).map_err(|e| e.to_string())
        };
        let place = |pixel: usize, pixels: usize, n: usize| {
            pixel as f64 / (pixels.max(2) - 1) as f64 * (n - 1) as f64
        };
        for py in 0..height {
            let y = place(height - 1 - py, height, ny);
            for px in 0..width {
                let value = self.at(place(px, width, nx), y);
                pixel(px, py, &self.colour((value - self.low) / range))?;
            }
            let bar = self.colour(1.0 - py as f64 / height as f64);
            for px in 0..BAR {
                pixel(width + MARGIN / 2 + px, py, &bar)?;
            }
        }
        let numbers = left + width + MARGIN / 2 + BAR + 6;
        write(area, self.high, numbers, top)?;
        // What is nothing beside the other end is zero.
        let low = if self.low.abs() < 1e-6 * self.high.abs() { 0.0 } else { self.low };
        write(area, low, numbers, top + height - GLYPH.1 * DOT)
    }
}

/// Draws panels side by side into a `.png`.
///
/// # Errors
/// Nothing to draw, or a file that cannot be written; in words.
pub fn draw(path: &Path, panels: &[Panel]) -> Result<(), String> {
    if panels.is_empty() || panels.iter().any(|p| p.values.is_empty()) {
        return Err("a panel needs a field with two axes".into());
    }
    let sizes = panels.iter().map(Panel::size);
    let (width, height) = sizes.fold((0, 0), |(w, h), s| (w + s.0 + MARGIN + BAR + NUMBERS, h.max(s.1)));
    let size = ((width + MARGIN) as u32, (height + 2 * MARGIN) as u32);
    let area = BitMapBackend::new(path, size).into_drawing_area();
    area.fill(&WHITE).map_err(|e| e.to_string())?;
    let mut left = MARGIN;
    for panel in panels {
        panel.draw(&area, left, MARGIN)?;
        left += panel.size().0 + MARGIN + BAR + NUMBERS;
    }
    area.present().map_err(|e| e.to_string())
}

/// Columns and rows of a digit, and pixels of each of its dots.
const GLYPH: (usize, usize) = (3, 5);
const DOT: usize = 2;

/// Rows of dots from the top, the highest of three bits to the left: no font needs to be installed.
fn glyph(letter: char) -> [u8; 5] {
    match letter {
        '0' => [7, 5, 5, 5, 7],
        '1' => [2, 6, 2, 2, 7],
        '2' => [7, 1, 7, 4, 7],
        '3' => [7, 1, 7, 1, 7],
        '4' => [5, 5, 7, 1, 1],
        '5' => [7, 4, 7, 1, 7],
        '6' => [7, 4, 7, 5, 7],
        '7' => [7, 1, 2, 2, 2],
        '8' => [7, 5, 7, 5, 7],
        '9' => [7, 5, 7, 1, 7],
        'e' => [0, 7, 7, 4, 7],
        '-' => [0, 0, 7, 0, 0],
        '.' => [0, 0, 0, 0, 2],
        _ => [0; 5],
    }
}

/// Writes a number with three digits, its upper left corner at the given pixel.
fn write(area: &Area<'_>, value: f64, left: usize, top: usize) -> Result<(), String> {
    let size = value.abs();
    let text = if size != 0.0 && !(1e-2..1e4).contains(&size) {
        format!("{value:.1e}")
    } else {
        let digits = (2 - size.max(1.0).log10().floor() as i32).max(0) as usize;
        format!("{value:.digits$}")
    };
    for (k, letter) in text.chars().enumerate() {
        for (row, bits) in glyph(letter).into_iter().enumerate() {
            for column in (0..GLYPH.0).filter(|c| bits & (4 >> c) != 0) {
                let x = left + (k * (GLYPH.0 + 1) + column) * DOT;
                let y = top + row * DOT;
                let dot = Rectangle::new(
                    [(x as i32, y as i32), ((x + DOT) as i32, (y + DOT) as i32)],
                    BLACK.filled(),
                );
                area.draw(&dot).map_err(|e| e.to_string())?;
            }
        }
    }
    Ok(())
}
