//! What the codecs do to wavefields that are made here.

use std::fmt;
use std::time::Instant;

use serde::Serialize;
use wavefold::codecs::{
    Compression, DType, Element, ErrorReport, Serial, Trend, View, ViewMut, compare, decode, encode,
};
use wavefold::prelude::{Data, FieldData, Operator, TimeFunction};

use super::gradient::{Models, set_velocity};
use super::measure::apply;
use super::progress::Progress;
use super::zfp::Zfp;
use super::{Case, Settings, memory, systems};
use crate::error::Result;
use crate::output::{self, median};
use crate::pages::Pages;
use crate::shape::Shape;

/// Signal-to-noise ratios that the codecs are compared at, in dB.
const TARGETS: [f64; 3] = [50.0, 60.0, 70.0];
/// The bound on the error that the codecs are compared at, as a part of what lies between the extremes of the field.
const MAX_ERROR: f64 = 1e-3;
/// Instants in ms, for a cube of 256 points a side: waves have just started, have reached the sides, have filled the
/// model, have mostly left.
const INSTANTS: [(&str, f64); 4] =
    [("early", 320.0), ("mid", 680.0), ("late", 1200.0), ("very late", 2080.0)];

/// One codec on one field.
#[derive(Debug, Serialize)]
struct Row {
    field: String,
    shape: Vec<usize>,
    dtype: String,
    /// With its parameter.
    codec: String,
    /// The signal-to-noise ratio that it was to have.
    target_db: Option<f64>,
    /// The bound on the error that it was to keep, over what lies between the extremes.
    target_max_error: Option<f64>,
    ratio: f64,
    snr_db: f64,
    max_error_rel: f64,
    compress_gb_per_s: f64,
    decompress_gb_per_s: f64,
}

#[derive(Debug, Serialize)]
struct Report {
    case: &'static str,
    /// Of the codecs; the waves are made with all.
    threads: usize,
    repeats: usize,
    rows: Vec<Row>,
}

/// Makes the fields and measures all codecs on each.
pub fn run(settings: &Settings, json: bool) -> Result<()> {
    let raw = 4.0 * settings.points() as f64;
    memory::check("`codecs`", 20.0 * raw)?;
    let mut bench = Bench { repeats: settings.repeat, json, rows: Vec::new() };
    if !json {
        println!(
            "{:<42} {:<27} {:>8} {:>7} {:>10} {:>9} {:>9}",
            "field", "codec", "ratio", "SNR dB", "max error", "GB/s in", "GB/s out"
        );
    }
    let side = settings.shape[0];
    let scale = settings.shape.iter().copied().max().unwrap_or(1) as f64 / 256.0;
    let scaled = |t: f64| t * scale;
    bench.acoustic(settings, "acoustic", &INSTANTS.map(|(name, t)| (name, scaled(t))))?;
    let flat = Settings { shape: vec![side * 75 / 16, side * 25 / 8], ..settings.clone() };
    bench.acoustic(&flat, "acoustic", &[("late", scaled(1440.0))])?;
    let half: Vec<usize> = settings.shape.iter().map(|n| n.div_ceil(2)).collect();
    let double = Settings { shape: half.clone(), dtype: DType::F64, ..settings.clone() };
    bench.acoustic(&double, "acoustic", &[("late", scaled(600.0))])?;
    let elastic = Settings { shape: half, case: Case::Elastic3d, so: 4, ..settings.clone() };
    bench.elastic(&elastic, scaled(600.0))?;
    if !json {
        return Ok(());
    }
    output::object(&Report { case: "codecs", threads: 1, repeats: bench.repeats, rows: bench.rows })
}

struct Bench {
    repeats: usize,
    json: bool,
    rows: Vec<Row>,
}

impl Bench {
    /// A shot over layers with a body of salt, looked at at some instants, in ms.
    fn acoustic(&mut self, settings: &Settings, name: &str, instants: &[(&str, f64)]) -> Result<()> {
        let models = Models::new(settings);
        let dt = models.dt(settings);
        let step = |t: f64| (t / dt).ceil() as usize;
        let last = instants.iter().map(|(_, t)| step(*t)).max().unwrap_or(1);
        let settings = &Settings { steps: last, ..settings.clone() };
        let wave = models.wave(settings)?;
        set_velocity(&wave, &models.exact)?;
        let op = Operator::named("codecs", wave.forward()?)?;
        op.compile(settings.backend)?;
        let (progress, mut done) = (Progress::new(), 0);
        for (instant, t) in instants {
            let end = step(*t).max(done + 1);
            progress.run(instant, apply(settings, &op, dt).time_min(done + 1).time_max(end))?;
            done = end;
            self.field(&format!("{name} {instant}"), &wave.u, end + 1)?;
        }
        Ok(())
    }

    /// A particle velocity of the elastic case.
    fn elastic(&mut self, settings: &Settings, t: f64) -> Result<()> {
        let steps = (t / systems::elastic_dt(settings)).ceil() as usize;
        let settings = &Settings { steps, ..settings.clone() };
        let problem = systems::problem(settings)?;
        let op = Operator::named("codecs", problem.equations)?;
        op.compile(settings.backend)?;
        Progress::new().run("elastic", apply(settings, &op, problem.dt).time_min(0).time_max(steps - 1))?;
        self.field("elastic velocity x, late", &problem.unknowns[0], steps)
    }

    /// All codecs on one time level.
    fn field(&mut self, name: &str, u: &TimeFunction, level: usize) -> Result<()> {
        let slots = u.buffers();
        let data: Data = u.at(level % slots)?;
        match u.grid().dtype() {
            DType::F64 => self.values(name, &data.to_f64().into_raw_vec_and_offset().0, data.shape()),
            _ => self.values(name, &data.to_f32().into_raw_vec_and_offset().0, data.shape()),
        }
    }

    fn values<T: Element>(&mut self, name: &str, values: &[T], shape: &[usize]) -> Result<()> {
        let mut field = Field::new(values, shape)?;
        let mut probe = Field::new(values, shape)?;
        let mut add = |coder: Coder, target_db: Option<f64>, target_max_error: Option<f64>| -> Result<()> {
            let Some(row) = field.measure(coder, self.repeats)? else {
                return Ok(());
            };
            let row = Row { field: name.into(), target_db, target_max_error, ..row };
            if !self.json {
                row.print();
            }
            self.rows.push(row);
            Ok(())
        };
        add(Coder::of(Compression::Noop), None, None)?;
        for target in TARGETS {
            let reaches = |coder: Coder, field: &mut Field<T>| {
                Ok(field.once(coder)?.is_none_or(|e| e.snr_db() >= target))
            };
            let nbits = probe.fewest_bits(reaches)?;
            // The largest scale that keeps the ratio, to 2 %.
            let (mut low, mut high) = (1e-7_f64, 1.0_f64);
            while high / low > 1.02 {
                let compscale = (low * high).sqrt();
                if reaches(Coder::of(Compression::Wavelet { compscale }), &mut probe)? {
                    low = compscale;
                } else {
                    high = compscale;
                }
            }
            add(Coder::of(Compression::Quantize { nbits }), Some(target), None)?;
            add(Coder::of(Compression::Wavelet { compscale: low }), Some(target), None)?;
            // By the ratio, and by the scale that the ratio comes to, for the speed without the search.
            let by_snr = Compression::LappedSnr { snr: target };
            add(Coder::of(by_snr), Some(target), None)?;
            add(Coder::of(Compression::Lapped { compscale: probe.scale_of(by_snr)? }), Some(target), None)?;
            add(Coder::Zfp { tolerance: probe.tolerance(reaches)? }, Some(target), None)?;
        }
        let bound = MAX_ERROR * probe.range;
        let keeps = |coder: Coder, field: &mut Field<T>| {
            Ok(field.once(coder)?.is_none_or(|e| e.max_error() <= bound))
        };
        let nbits = probe.fewest_bits(keeps)?;
        add(Coder::of(Compression::Quantize { nbits }), None, Some(MAX_ERROR))?;
        for codec in
            [|compscale| Compression::Wavelet { compscale }, |compscale| Compression::Lapped { compscale }]
        {
            // The scale with the fewest bytes: a larger one leaves more values to be stored as they are.
            let mut best = (usize::MAX, Coder::of(Compression::Noop));
            for i in 2..=12 {
                let compscale = 0.5_f64.powf(0.5 * f64::from(i));
                let coder = Coder::Wavefold { codec: codec(compscale), within: Some(MAX_ERROR) };
                probe.time(coder)?;
                if probe.bytes < best.0 {
                    best = (probe.bytes, coder);
                }
            }
            add(best.1, None, Some(MAX_ERROR))?;
        }
        add(Coder::Zfp { tolerance: probe.tolerance(keeps)? }, None, Some(MAX_ERROR))
    }
}

/// Who codes, and with which parameter.
#[derive(Clone, Copy)]
enum Coder {
    Wavefold {
        codec: Compression,
        /// The bound on the error, if one is asked for.
        within: Option<f64>,
    },
    Zfp {
        /// Largest error, in the unit of the field.
        tolerance: f64,
    },
}

impl Coder {
    fn of(codec: Compression) -> Coder {
        Coder::Wavefold { codec, within: None }
    }
}

impl fmt::Display for Coder {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match *self {
            Coder::Zfp { tolerance } => return write!(f, "zfp:{tolerance:.2e}"),
            Coder::Wavefold { codec: Compression::Wavelet { compscale }, .. } => {
                write!(f, "wavelet:{compscale:.2e}")?
            }
            Coder::Wavefold { codec: Compression::Lapped { compscale }, .. } => {
                write!(f, "lapped:{compscale:.2e}")?
            }
            Coder::Wavefold { codec, .. } => write!(f, "{codec}")?,
        }
        match *self {
            Coder::Wavefold { within: Some(bound), .. } => write!(f, " within {bound:.0e}"),
            _ => Ok(()),
        }
    }
}

impl Row {
    fn print(&self) {
        let field = format!("{} {} {}", self.field, Shape(self.shape.clone()), self.dtype);
        println!(
            "{field:<42} {:<27} {:>8.2} {:>7.1} {:>10.2e} {:>9.2} {:>9.2}",
            self.codec,
            self.ratio,
            self.snr_db,
            self.max_error_rel,
            self.compress_gb_per_s,
            self.decompress_gb_per_s
        );
    }
}

/// Values to be coded, in memory as the runtime has it.
struct Field<T> {
    values: Pages<T>,
    decoded: Pages<T>,
    /// From the smallest to the largest.
    range: f64,
    stream: Vec<u8>,
    /// What was coded last came to.
    bytes: usize,
    shape: Vec<usize>,
    cube: [usize; 3],
    trend: Trend,
    zfp: Option<Zfp>,
}

impl<T: Element> Field<T> {
    fn new(values: &[T], shape: &[usize]) -> Result<Self> {
        let mut cube = [1; 3];
        cube[3 - shape.len()..].copy_from_slice(shape);
        let (low, high) = values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
            (low.min(v.to_f64()), high.max(v.to_f64()))
        });
        Ok(Field {
            values: Pages::of(values),
            decoded: Pages::of(&vec![T::from_f64(0.0); values.len()]),
            range: high - low,
            stream: Vec::new(),
            bytes: 0,
            shape: shape.to_vec(),
            cube,
            trend: Trend::default(),
            zfp: Zfp::find(),
        })
    }

    /// Codes and decodes once: the error, or nothing where the coder is not there.
    fn once(&mut self, coder: Coder) -> Result<Option<ErrorReport>> {
        if self.time(coder)?.is_none() {
            return Ok(None);
        }
        let views = (View::dense(&self.values, self.cube)?, View::dense(&self.decoded, self.cube)?);
        Ok(Some(compare(views.0, views.1)?))
    }

    /// Codes and decodes once: seconds, or nothing where the coder is not there.
    fn time(&mut self, coder: Coder) -> Result<Option<[f64; 2]>> {
        let start = Instant::now();
        let encoded = match coder {
            Coder::Wavefold { codec, within } => {
                self.stream.clear();
                let values = View::dense(&self.values, self.cube)?;
                match within {
                    None => encode(codec, values, &Serial, &mut self.stream)?,
                    // As in a history, which keeps the memory that it decodes into.
                    Some(bound) => {
                        codec.within(bound).encode_next(values, &Serial, &mut self.trend, &mut self.stream)?
                    }
                };
                self.bytes = self.stream.len();
                let encoded = Instant::now();
                decode(&self.stream, ViewMut::dense(&mut self.decoded, self.cube)?, &Serial)?;
                encoded
            }
            Coder::Zfp { tolerance } => {
                let Some(zfp) = &mut self.zfp else {
                    return Ok(None);
                };
                self.bytes = zfp.encode(&self.values, &self.shape, tolerance);
                let encoded = Instant::now();
                if self.bytes == 0 || zfp.decode(&mut self.decoded, &self.shape, tolerance) == 0 {
                    return Ok(None);
                }
                encoded
            }
        };
        Ok(Some([(encoded - start).as_secs_f64(), encoded.elapsed().as_secs_f64()]))
    }

    /// The fewest bits of `quantize` that do.
    fn fewest_bits(&mut self, does: impl Fn(Coder, &mut Self) -> Result<bool>) -> Result<u32> {
        let mut nbits = 2;
        while nbits < 24 && !does(Coder::of(Compression::Quantize { nbits }), self)? {
            nbits += 1;
        }
        Ok(nbits)
    }

    /// The largest tolerance of zfp that does. It takes powers of two only.
    fn tolerance(&mut self, does: impl Fn(Coder, &mut Self) -> Result<bool>) -> Result<f64> {
        let mut tolerance = self.range.max(f64::MIN_POSITIVE).log2().floor().exp2();
        for _ in 0..30 {
            if does(Coder::Zfp { tolerance }, self)? {
                break;
            }
            tolerance /= 2.0;
        }
        Ok(tolerance)
    }

    /// The scale that leads to the step of a codec.
    fn scale_of(&mut self, codec: Compression) -> Result<f64> {
        self.stream.clear();
        let info = encode(codec, View::dense(&self.values, self.cube)?, &Serial, &mut self.stream)?;
        self.stream.clear();
        let unit = encode(
            Compression::Lapped { compscale: 1.0 },
            View::dense(&self.values, self.cube)?,
            &Serial,
            &mut self.stream,
        )?;
        Ok((info.step / unit.step).min(1.0))
    }

    /// The row of a coder, if it is there.
    fn measure(&mut self, coder: Coder, repeats: usize) -> Result<Option<Row>> {
        let Some(errors) = self.once(coder)? else {
            return Ok(None);
        };
        let times: Option<Vec<[f64; 2]>> = (0..repeats).map(|_| self.time(coder)).collect::<Result<_>>()?;
        let Some(times) = times else {
            return Ok(None);
        };
        let raw = size_of_val::<[T]>(&self.values) as f64;
        let rate = |way: usize| raw / 1e9 / median(times.iter().map(|t| t[way])).max(1e-9);
        Ok(Some(Row {
            field: String::new(),
            shape: self.shape.clone(),
            dtype: T::DTYPE.to_string(),
            codec: coder.to_string(),
            target_db: None,
            target_max_error: None,
            ratio: raw / self.bytes as f64,
            snr_db: errors.snr_db(),
            max_error_rel: errors.max_error_rel(),
            compress_gb_per_s: rate(0),
            decompress_gb_per_s: rate(1),
        }))
    }
}
