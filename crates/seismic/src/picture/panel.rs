use ndarray::ArrayView2;

use super::canvas::Canvas;
use super::colour::Rgb;
use super::font::{Align, Direction, Style, width, write};
use super::scale::{Extent, Range, ticks};
use super::{FieldStyle, Section};

const INK: Rgb = [38, 38, 42];
const FAINT: Rgb = [110, 110, 116];
const TITLE: Style = Style { height: 15.0, pen: 2.0, colour: INK };
const LABEL: Style = Style { height: 13.0, pen: 1.6, colour: INK };
const NUMBER: Style = Style { height: 11.5, pen: 1.5, colour: INK };
const NOTE: Style = Style { height: 10.5, pen: 1.3, colour: FAINT };

const SOURCE: Rgb = [255, 214, 10];
const RECEIVER: Rgb = [20, 160, 190];

/// Room around a panel, in pixels.
const LEFT: i32 = 92;
const RIGHT: i32 = 142;
const ABOVE: i32 = 62;
const BELOW: i32 = 76;
/// Room between two panels, beyond the upper part of the lower one.
const BETWEEN: i32 = 6;
const BAR_GAP: i32 = 22;
const BAR_WIDTH: i32 = 18;
const TICK: i32 = 6;
/// Least distance of two receiver marks.
const MARK_GAP: f64 = 17.0;

/// Draws a symbol at a point of the canvas.
type Mark = fn(&mut Canvas<'_>, (f64, f64));

/// Where the panels lie on the canvas.
pub(super) struct Frame {
    width: i32,
    height: i32,
    left: i32,
    rows: i32,
    /// How much longer a kilometre is drawn downwards than sideways.
    exaggeration: f64,
}

impl Frame {
    /// Panels in true proportion if that gives a picture of useful size, otherwise stretched until it does.
    pub fn fit(extent: &Extent, rows: usize) -> Self {
        let ratio = extent.length[1] / extent.length[0];
        let tallest = if rows > 1 { 520.0 } else { 600.0 };
        let mut size = (1200.0, 1200.0 * ratio);
        if size.1 > tallest {
            size = (tallest / ratio, tallest);
        }
        let (width, height) = (size.0.clamp(360.0, 1200.0).round(), size.1.clamp(150.0, tallest).round());
        Self {
            width: width as i32,
            height: height as i32,
            left: LEFT,
            rows: rows as i32,
            exaggeration: height / width / ratio,
        }
    }

    pub fn canvas_size(&self) -> (i32, i32) {
        let rows = self.rows * (self.height + ABOVE) + (self.rows - 1) * BETWEEN;
        (self.left + self.width + RIGHT, rows + BELOW)
    }

    fn top(&self, row: usize) -> i32 {
        ABOVE + row as i32 * (self.height + ABOVE + BETWEEN)
    }
}

/// One field with its axes.
pub(super) struct Panel<'a> {
    pub field: ArrayView2<'a, f32>,
    pub style: &'a FieldStyle<'a>,
    pub range: Range,
    pub extent: &'a Extent,
    pub section: &'a Section<'a>,
}

impl Panel<'_> {
    pub fn draw(&self, canvas: &mut Canvas<'_>, frame: &Frame, row: usize) {
        let top = frame.top(row);
        self.draw_field(canvas, frame, top);
        canvas.frame((frame.left, top), (frame.left + frame.width - 1, top + frame.height - 1), INK);
        self.draw_depth_axis(canvas, frame, top);
        self.draw_x_axis(canvas, frame, top, row + 1 == frame.rows as usize);
        self.draw_bar(canvas, frame, top);
        self.draw_marks(canvas, frame, top);
        let base = f64::from(top - 26);
        write(canvas, self.style.title, (f64::from(frame.left), base), TITLE, Align::Start, Direction::Right);
        if row == 0 {
            self.draw_legend(canvas, frame, base);
        }
    }

    fn draw_field(&self, canvas: &mut Canvas<'_>, frame: &Frame, top: i32) {
        let columns = footprints(self.field.nrows(), frame.width as usize);
        let rows = footprints(self.field.ncols(), frame.height as usize);
        for (px, (x0, wx)) in columns.iter().enumerate() {
            for (py, (z0, wz)) in rows.iter().enumerate() {
                let mut value = 0.0;
                for (i, a) in wx.iter().enumerate() {
                    for (j, b) in wz.iter().enumerate() {
                        value += a * b * f64::from(self.field[[x0 + i, z0 + j]]);
                    }
                }
                let value = if value.is_finite() { self.range.fraction(value) } else { f64::NAN };
                let at = (frame.left + px as i32, top + py as i32);
                canvas.pixel(at, self.style.colours.at(value), 1.0);
            }
        }
    }

    fn axis(&self, d: usize, otherwise: String) -> String {
        self.section.axes.map_or(otherwise, |names| names[d].to_string())
    }

    fn draw_depth_axis(&self, canvas: &mut Canvas<'_>, frame: &Frame, top: i32) {
        let (unit, metres) = self.extent.unit();
        let (low, length) = (self.extent.low[1] / metres, self.extent.length[1] / metres);
        let mut widest = 0.0f64;
        for (value, label) in ticks(low, low + length, (frame.height / 70).max(2) as usize) {
            let y = top + ((value - low) / length * f64::from(frame.height - 1)).round() as i32;
            canvas.fill((frame.left - 1 - TICK, y), (frame.left - 2, y), INK);
            let at = (f64::from(frame.left - TICK - 6), f64::from(y) + 0.5 + 0.5 * NUMBER.height);
            write(canvas, &label, at, NUMBER, Align::End, Direction::Right);
            widest = widest.max(width(&label, NUMBER));
        }
        let x = f64::from(frame.left - TICK - 6) - widest - 14.0;
        let at = (x.max(LABEL.height + 4.0), f64::from(top) + 0.5 * f64::from(frame.height));
        write(canvas, &self.axis(1, format!("Depth ({unit})")), at, LABEL, Align::Middle, Direction::Up);
    }

    fn draw_x_axis(&self, canvas: &mut Canvas<'_>, frame: &Frame, top: i32, labelled: bool) {
        let (unit, metres) = self.extent.unit();
        let (low, length) = (self.extent.low[0] / metres, self.extent.length[0] / metres);
        let bottom = top + frame.height;
        for (value, label) in ticks(low, low + length, (frame.width / 100).max(2) as usize) {
            let x = frame.left + ((value - low) / length * f64::from(frame.width - 1)).round() as i32;
            canvas.fill((x, bottom + 1), (x, bottom + TICK), INK);
            if labelled {
                let at = (f64::from(x) + 0.5, f64::from(bottom + TICK + 8) + NUMBER.height);
                write(canvas, &label, at, NUMBER, Align::Middle, Direction::Right);
            }
        }
        if labelled {
            let at =
                (f64::from(frame.left) + 0.5 * f64::from(frame.width), f64::from(bottom + 44) + LABEL.height);
            write(canvas, &self.axis(0, format!("x ({unit})")), at, LABEL, Align::Middle, Direction::Right);
        }
    }

    fn draw_bar(&self, canvas: &mut Canvas<'_>, frame: &Frame, top: i32) {
        let left = frame.left + frame.width + BAR_GAP;
        let right = left + BAR_WIDTH - 1;
        let last = f64::from(frame.height - 1);
        for py in 0..frame.height {
            let colour = self.style.colours.at(1.0 - f64::from(py) / last);
            canvas.fill((left, top + py), (right, top + py), colour);
        }
        canvas.frame((left, top), (right, top + frame.height - 1), INK);
        let exponent = self.range.exponent();
        let factor = 10f64.powi(exponent);
        let (low, high) = (self.range.low / factor, self.range.high / factor);
        let mut widest = 0.0f64;
        for (value, label) in ticks(low, high, (frame.height / 60).clamp(2, 8) as usize) {
            let y = top + ((high - value) / (high - low) * last).round() as i32;
            canvas.fill((right + 2, y), (right + 1 + TICK, y), INK);
            let at = (f64::from(right + TICK + 7), f64::from(y) + 0.5 + 0.5 * NUMBER.height);
            write(canvas, &label, at, NUMBER, Align::Start, Direction::Right);
            widest = widest.max(width(&label, NUMBER));
        }
        let label = match (exponent, self.style.label) {
            (0, name) => name.to_owned(),
            (_, "") => format!("× 10^{exponent}"),
            (_, name) => format!("{name}, × 10^{exponent}"),
        };
        let x = f64::from(right + TICK + 7) + widest + 14.0 + LABEL.height;
        let at = (x, f64::from(top) + 0.5 * f64::from(frame.height));
        write(canvas, &label, at, LABEL, Align::Middle, Direction::Up);
    }

    /// Pixel of a position in metres; `None` if it is off the panel.
    fn pixel(&self, frame: &Frame, top: i32, position: &[f64]) -> Option<(f64, f64)> {
        let (x, z) = (position.first()?, position.last()?);
        let fraction = |value: f64, d: usize| (value - self.extent.low[d]) / self.extent.length[d];
        let (fx, fz) = (fraction(*x, 0), fraction(*z, 1));
        let on = |f: f64| (-1e-6..=1.0 + 1e-6).contains(&f);
        (on(fx) && on(fz)).then(|| {
            let x = f64::from(frame.left) + 0.5 + fx * f64::from(frame.width - 1);
            (x, f64::from(top) + 0.5 + fz * f64::from(frame.height - 1))
        })
    }

    fn draw_marks(&self, canvas: &mut Canvas<'_>, frame: &Frame, top: i32) {
        let mut drawn: Vec<(f64, f64)> = Vec::new();
        for receiver in self.section.receivers {
            let Some(at) = self.pixel(frame, top, receiver) else { continue };
            // Neighbours come last, so the search is short for receivers in a line.
            if drawn.iter().rev().any(|d| (d.0 - at.0).hypot(d.1 - at.1) < MARK_GAP) {
                continue;
            }
            drawn.push(at);
            draw_receiver(canvas, at);
        }
        if let Some(at) = self.section.source.and_then(|s| self.pixel(frame, top, s)) {
            draw_source(canvas, at);
        }
    }

    /// From the right end of the panel leftwards: receivers, source, and the exaggeration if there is one.
    fn draw_legend(&self, canvas: &mut Canvas<'_>, frame: &Frame, base: f64) {
        let mut right = f64::from(frame.left + frame.width);
        let free = right - f64::from(frame.left) - width(self.style.title, TITLE) - 24.0;
        let mut entries: Vec<(&str, Option<Mark>)> = Vec::new();
        if !self.section.receivers.is_empty() {
            entries.push(("receivers", Some(|c, (x, y)| draw_receiver(c, (x, y + 5.0)))));
        }
        if self.section.source.is_some() {
            entries.push(("source", Some(draw_source)));
        }
        let stretched = format!("vertical exaggeration {:.2}", frame.exaggeration);
        if (frame.exaggeration - 1.0).abs() > 0.03 {
            entries.push((&stretched, None));
        }
        let end = right;
        for (name, mark) in entries {
            let length = width(name, NOTE) + if mark.is_some() { 16.0 } else { 0.0 };
            if end - right + length > free {
                return;
            }
            write(canvas, name, (right, base), NOTE, Align::End, Direction::Right);
            if let Some(draw) = mark {
                draw(canvas, (right - length, base - 0.5 * NOTE.height));
            }
            right -= length + 26.0;
        }
    }
}

/// A triangle that stands on the point `at`.
fn draw_receiver(canvas: &mut Canvas<'_>, (x, y): (f64, f64)) {
    canvas.polygon(&[(x, y), (x - 5.2, y - 9.0), (x + 5.2, y - 9.0)], RECEIVER, [255, 255, 255], 1.2);
}

/// A five-pointed star around the point `at`.
fn draw_source(canvas: &mut Canvas<'_>, (x, y): (f64, f64)) {
    let corners: Vec<(f64, f64)> = (0..10)
        .map(|k| {
            let (sin, cos) = (f64::from(k) * 36f64.to_radians()).sin_cos();
            let radius = if k % 2 == 0 { 11.0 } else { 4.6 };
            (x + radius * sin, y - radius * cos)
        })
        .collect();
    canvas.polygon(&corners, SOURCE, INK, 1.5);
}

/// For each of `pixels`, the first of `points` that it shows and their weights: linear interpolation when a pixel is
/// smaller than a cell, an average over the pixel when it is larger, so that thin layers do not flicker.
fn footprints(points: usize, pixels: usize) -> Vec<(usize, Vec<f64>)> {
    let last = points.saturating_sub(1) as f64;
    let step = last / pixels.saturating_sub(1).max(1) as f64;
    // A tent as wide as the larger of pixel and cell does both.
    let reach = step.max(1.0);
    (0..pixels)
        .map(|p| {
            let centre = (p as f64 * step).min(last);
            let from = (centre - reach).ceil().max(0.0);
            let to = (centre + reach).floor().min(last);
            let mut weights: Vec<f64> = (from as usize..=to as usize)
                .map(|i| (1.0 - (i as f64 - centre).abs() / reach).max(0.0))
                .collect();
            // A weight of zero must not let an undefined neighbour through.
            let leading = weights.iter().take_while(|w| **w <= 1e-12).count();
            weights.drain(..leading);
            weights.truncate(weights.iter().rposition(|w| *w > 1e-12).map_or(0, |l| l + 1));
            let total: f64 = weights.iter().sum();
            weights.iter_mut().for_each(|w| *w /= total);
            (from as usize + leading, weights)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn footprints_cover_all_points_once() {
        for (points, pixels) in [(1, 5), (2, 7), (10, 10), (1601, 1200), (401, 150), (5, 1)] {
            let all = footprints(points, pixels);
            assert_eq!(all.len(), pixels);
            for (first, weights) in &all {
                assert!(!weights.is_empty() && first + weights.len() <= points);
                assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            }
            assert_eq!(all[0].0, 0);
            if pixels > 1 {
                let (first, weights) = &all[pixels - 1];
                assert_eq!(first + weights.len(), points);
            }
        }
    }
}
