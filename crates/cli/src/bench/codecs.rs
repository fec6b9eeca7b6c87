//! What the codecs do to wavefields that are made here.

use std::time::Instant;

use serde::Serialize;
use wavefold::codecs::{
    Compression, DType, Element, ErrorReport, Serial, View, ViewMut, compare, decode, encode,
};
use wavefold::prelude::{Data, FieldData, Operator, TimeFunction};

use super::gradient::{Models, set_velocity};
use super::measure::apply;
use super::pages::Pages;
use super::progress::Progress;
use super::{Case, Settings, memory, systems};
use crate::error::Result;
use crate::output::{self, median};
use crate::shape::Shape;

/// Signal-to-noise ratios that the codecs are compared at, in dB.
const TARGETS: [f64; 3] = [50.0, 60.0, 70.0];
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
    target_db: Option<f64>,
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
    memory::check("`codecs`", 12.0 * raw)?;
    let mut bench = Bench { repeats: settings.repeat, json, rows: Vec::new() };
    if !json {
        println!(
            "{:<42} {:<17} {:>8} {:>7} {:>10} {:>9} {:>9}",
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
        let mut add = |codec: Compression, target| -> Result<()> {
            let row = Row { field: name.into(), target_db: target, ..field.measure(codec, self.repeats)? };
            if !self.json {
                row.print();
            }
            self.rows.push(row);
            Ok(())
        };
        add(Compression::Noop, None)?;
        for target in TARGETS {
            let reaches = |codec: Compression, field: &mut Field<T>| -> Result<bool> {
                Ok(field.once(codec)?.0.snr_db() >= target)
            };
            let mut probe = Field::new(values, shape)?;
            let mut nbits = 2;
            while nbits < 24 && !reaches(Compression::Quantize { nbits }, &mut probe)? {
                nbits += 1;
            }
            // The largest scale that keeps the ratio, to 2 %.
            let (mut low, mut high) = (1e-7_f64, 1.0_f64);
            while high / low > 1.02 {
                let compscale = (low * high).sqrt();
                if reaches(Compression::Wavelet { compscale }, &mut probe)? {
                    low = compscale;
                } else {
                    high = compscale;
                }
            }
            let compscale = low;
            add(Compression::Quantize { nbits }, Some(target))?;
            add(Compression::Wavelet { compscale }, Some(target))?;
            // By the ratio, and by the scale that the ratio comes to, for the speed without the search.
            let by_snr = Compression::LappedSnr { snr: target };
            add(by_snr, Some(target))?;
            let compscale = probe.scale_of(by_snr)?;
            add(Compression::Lapped { compscale }, Some(target))?;
        }
        Ok(())
    }
}

impl Row {
    fn print(&self) {
        let field = format!("{} {} {}", self.field, Shape(self.shape.clone()), self.dtype);
        println!(
            "{field:<42} {:<17} {:>8.2} {:>7.1} {:>10.2e} {:>9.2} {:>9.2}",
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
    stream: Vec<u8>,
    shape: Vec<usize>,
    cube: [usize; 3],
}

impl<T: Element> Field<T> {
    fn new(values: &[T], shape: &[usize]) -> Result<Self> {
        let mut cube = [1; 3];
        cube[3 - shape.len()..].copy_from_slice(shape);
        let (values, decoded) = (Pages::of(values), Pages::of(&vec![T::from_f64(0.0); values.len()]));
        Ok(Field { values, decoded, stream: Vec::new(), shape: shape.to_vec(), cube })
    }

    /// Codes and decodes once: error, seconds.
    fn once(&mut self, codec: Compression) -> Result<(ErrorReport, [f64; 2])> {
        let times = self.time(codec)?;
        let views = (View::dense(&self.values, self.cube)?, View::dense(&self.decoded, self.cube)?);
        Ok((compare(views.0, views.1)?, times))
    }

    fn time(&mut self, codec: Compression) -> Result<[f64; 2]> {
        self.stream.clear();
        let start = Instant::now();
        encode(codec, View::dense(&self.values, self.cube)?, &Serial, &mut self.stream)?;
        let encoded = Instant::now();
        decode(&self.stream, ViewMut::dense(&mut self.decoded, self.cube)?, &Serial)?;
        Ok([(encoded - start).as_secs_f64(), encoded.elapsed().as_secs_f64()])
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

    fn measure(&mut self, codec: Compression, repeats: usize) -> Result<Row> {
        let (errors, _) = self.once(codec)?;
        let times: Vec<[f64; 2]> = (0..repeats).map(|_| self.time(codec)).collect::<Result<_>>()?;
        let raw = size_of_val::<[T]>(&self.values) as f64;
        let rate = |way: usize| raw / 1e9 / median(times.iter().map(|t| t[way])).max(1e-9);
        Ok(Row {
            field: String::new(),
            shape: self.shape.clone(),
            dtype: T::DTYPE.to_string(),
            codec: match codec {
                Compression::Wavelet { compscale } => format!("wavelet:{compscale:.2e}"),
                Compression::Lapped { compscale } => format!("lapped:{compscale:.2e}"),
                other => other.to_string(),
            },
            target_db: None,
            ratio: raw / self.stream.len() as f64,
            snr_db: errors.snr_db(),
            max_error_rel: errors.max_error_rel(),
            compress_gb_per_s: rate(0),
            decompress_gb_per_s: rate(1),
        })
    }
}
