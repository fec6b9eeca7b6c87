//! `wavefold bench`: how fast the compiled problems run.

mod codecs;
mod gradient;
mod heat;
mod history;
mod measure;
pub mod memory;
mod plain;
mod progress;
mod report;
mod stream;
mod systems;
mod wave;
mod zfp;

use std::fmt;

use clap::ValueEnum;
use wavefold::codecs::{Compression, DType};
use wavefold::prelude::{Backend, Grid};

use crate::codec::{parameters, thread_count};
use crate::error::{CliError, Result};
use crate::output;
use crate::shape::Shape;
use report::Report;

/// Measure a problem: points a second, time to the first step, cost and error of a compressed history
///
/// Cases (32-bit floats; the shape is that of the whole grid, absorbing layers included):
///
///   acoustic2d   m u_tt - laplace(u) + damp u_t = 0 over three layers, one source of 10 Hz, 1000 receivers on a line,
///                absorbing layers of 20 points
///   acoustic3d   the same in 3-D, layers of 10 points
///   heat3d       u_t = a laplace(u) from a small block
///   tti2d, tti3d  pseudo-acoustic waves in two layers of a tilted transversely isotropic medium, 1000 receivers
///   elastic2d, elastic3d  velocity and stress on a staggered grid, two layers, 1000 receivers
///   burgers2d    viscous Burgers equations, upwind convection, edges kept at 1
///   history      acoustic3d with 100 receivers and a source of 15 Hz, and every K-th u saved
///   gradient     one shot of 15 Hz in 2-D or 3-D, over layers with a body of salt: forward run saving every K-th u,
///                adjoint run reading it, and the gradient of the misfit at a smoothed model
///   codecs       not a run: every codec on wavefields of `gradient` at four instants, in 3-D, 2-D and 64-bit, and on a
///                particle velocity of elastic3d; ratio at 50, 60 and 70 dB and at a largest error of 1e-3, speed of one
///                thread; with zfp beside them where its library is installed
///
/// Absorbing layers are never wider than a quarter of the shortest axis.
///
/// What is reported (medians over --repeat runs after a warm-up):
///
///   seconds             time in the compiled time loop; gradient: forward and adjoint
///   gpts_per_s          10^9 grid points x steps a second; gradient: forward and adjoint steps count
///   first_step_seconds  from the first symbol to the end of a one-step run, on nothing made before: memory, model
///                       values, lowering and compilation included; gradient: one forward and one adjoint step
///   compile_seconds     time of the backend, and whether the code came from the compile cache (compile_cached); set
///                       WAVEFOLD_CACHE_DIR to an empty directory to measure without it
///   cpu_utilisation     CPU time over wall time x threads; well below 1 means that the machine was shared
///   gb_per_s            bytes_per_point x gpts_per_s: memory traffic by the compiler's own count; of fields whose equal
///                       rows are read from one place, only those that differ
///   stream_gb_per_s     what the memory does with a[i] += s (b[i] + c[i]), on the same threads, with arrays that take
///                       as much together as the fields of the case (1 GiB at most): a loop compiled with this command
///   stream_fraction     gb_per_s over that
///   schedule            the loops of a step, outermost first, a line for each kind of nest, and why steps are done one
///                       by one, if they are
///   gflops              flops_per_point x gpts_per_s: arithmetic by the compiler's own count (10^9 a second)
///   raw_bytes, bytes    the saved snapshots before and after compression, with their ratio
///   overhead            wall time of a run over that of the same run without saving, minus 1, where both kinds take
///                       turns in the same call: the median of the turns. gradient: forward + adjoint, over
///                       forward + adjoint without reading the history and without imaging
///   gradient_error      relative L2 distance from the gradient with an uncompressed history; null for `history`, and
///                       when the uncompressed history is larger than half of the available memory
///   peak_rss_bytes      largest resident size of the process during the runs, less that just before them (fields and
///                       model are in that base): what saving costs in memory
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// Which problem
    #[arg(value_enum, value_name = "CASE", required_unless_present = "all")]
    case: Option<Case>,
    /// Every case but `codecs`, one after the other, each with its defaults
    #[arg(long, conflicts_with_all = ["case", "so", "shape", "steps", "uneven", "codec", "nbits", "compscale", "snr", "save_every"])]
    all: bool,
    /// Smaller grids and fewer steps where none are given: a second in place of ten
    #[arg(long)]
    quick: bool,
    /// acoustic, tti, elastic, history: a medium with another value at every point, so that none of its rows are equal
    #[arg(long)]
    uneven: bool,
    /// Order of the space derivatives, even [default: 8; elastic: 4; heat3d, burgers2d: 2]
    #[arg(long, value_name = "N")]
    so: Option<u32>,
    /// Points per axis [default: 2000x2000 or 256x256x256; tti3d, elastic3d: 192x192x192; history: 128x128x128; gradient: 96x96x96; codecs: 256x256x256]
    #[arg(long, value_name = "AxBxC")]
    shape: Option<Shape>,
    /// Time steps [default: acoustic2d 200, 2-D 50, 3-D 50; tti3d, elastic3d: 20; history: 300; gradient: 400]
    #[arg(long, value_name = "N")]
    steps: Option<u32>,
    /// Number of threads [default: one per core]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Steps that are done together where their order allows it [default: the compiler chooses]
    #[arg(long, value_name = "N")]
    steps_at_a_time: Option<usize>,
    /// Where the code comes from: auto takes c when a C compiler is there, else cranelift
    #[arg(long, value_name = "B", default_value = "auto", value_parser = ["auto", "c", "cranelift"])]
    backend: String,
    /// history, gradient: none (uncompressed), noop, quantize (default), wavelet or lapped; or as in quantize:12
    #[arg(long, value_name = "NAME")]
    codec: Option<String>,
    /// Bits a value for `quantize`, 1 to 24 [default: 9]
    #[arg(long, value_name = "N", conflicts_with = "compscale")]
    nbits: Option<u32>,
    /// Scale of the quantisation step of `wavelet` and `lapped`, relative to the RMS of a snapshot [default: 1e-3, 1e-2]
    #[arg(long, value_name = "S", allow_negative_numbers = true)]
    compscale: Option<f64>,
    /// history, gradient: signal-to-noise ratio that `lapped` keeps, in dB
    #[arg(long, value_name = "DB", conflicts_with_all = ["nbits", "compscale"], allow_negative_numbers = true)]
    snr: Option<f64>,
    /// history, gradient: save one step in K [default: 1]
    #[arg(long, value_name = "K")]
    save_every: Option<u32>,
    /// Number of timed runs
    #[arg(long, value_name = "R", default_value_t = 3)]
    repeat: usize,
    /// Print one JSON object; with --all one a line for each case
    #[arg(long)]
    json: bool,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Case {
    Acoustic2d,
    Acoustic3d,
    Heat3d,
    Tti2d,
    Tti3d,
    Elastic2d,
    Elastic3d,
    Burgers2d,
    History,
    Gradient,
    Codecs,
}

impl Case {
    fn saves(self) -> bool {
        matches!(self, Case::History | Case::Gradient)
    }

    /// What `--all` runs.
    const ALL: [Case; 10] = [
        Case::Acoustic2d,
        Case::Acoustic3d,
        Case::Heat3d,
        Case::Tti2d,
        Case::Tti3d,
        Case::Elastic2d,
        Case::Elastic3d,
        Case::Burgers2d,
        Case::History,
        Case::Gradient,
    ];

    /// Shape and steps of `--quick`.
    fn quick_size(self) -> (&'static [usize], usize) {
        match self {
            Case::Acoustic2d | Case::Tti2d | Case::Elastic2d | Case::Burgers2d => (&[500, 500], 20),
            Case::Gradient | Case::History => (&[48, 48, 48], 40),
            _ => (&[64, 64, 64], 10),
        }
    }

    /// Shape and steps that take seconds on two cores.
    fn size(self) -> (&'static [usize], usize) {
        match self {
            Case::Acoustic2d => (&[2000, 2000], 200),
            Case::Acoustic3d | Case::Heat3d => (&[256, 256, 256], 50),
            Case::Tti2d | Case::Elastic2d | Case::Burgers2d => (&[2000, 2000], 50),
            Case::Tti3d | Case::Elastic3d => (&[192, 192, 192], 20),
            Case::History => (&[128, 128, 128], 300),
            Case::Gradient => (&[96, 96, 96], 400),
            // Steps follow from the instants.
            Case::Codecs => (&[256, 256, 256], 1),
        }
    }

    fn check_rank(self, shape: &Shape) -> Result<()> {
        let (ranks, needed) = match self {
            Case::Acoustic2d | Case::Tti2d | Case::Elastic2d | Case::Burgers2d => (2..=2, "2"),
            Case::Acoustic3d
            | Case::Heat3d
            | Case::History
            | Case::Tti3d
            | Case::Elastic3d
            | Case::Codecs => (3..=3, "3"),
            Case::Gradient => (2..=3, "2 or 3"),
        };
        if ranks.contains(&shape.rank()) {
            return Ok(());
        }
        Err(CliError::Rank { what: self.to_string(), needed, shape: shape.to_string(), found: shape.rank() })
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Case::Acoustic2d => "acoustic2d",
            Case::Acoustic3d => "acoustic3d",
            Case::Heat3d => "heat3d",
            Case::Tti2d => "tti2d",
            Case::Tti3d => "tti3d",
            Case::Elastic2d => "elastic2d",
            Case::Elastic3d => "elastic3d",
            Case::Burgers2d => "burgers2d",
            Case::History => "history",
            Case::Gradient => "gradient",
            Case::Codecs => "codecs",
        })
    }
}

/// The arguments, checked and completed.
#[derive(Clone, Debug)]
pub struct Settings {
    pub case: Case,
    pub so: u32,
    pub shape: Vec<usize>,
    pub steps: usize,
    pub threads: usize,
    /// Steps that are done together; `None` leaves it to the compiler.
    pub steps_at_a_time: Option<usize>,
    /// The backend that runs, never `Auto`.
    pub backend: Backend,
    /// `None` keeps an uncompressed history.
    pub codec: Option<Compression>,
    /// Steps between snapshots.
    pub every: usize,
    pub repeat: usize,
    pub dtype: DType,
    /// Whether the medium varies from point to point.
    pub uneven: bool,
}

impl Settings {
    /// What the value of the medium at a point is multiplied by: 1, or numbers down from there by up to a hundredth.
    pub fn unevenness(&self, point: &[usize]) -> f64 {
        if !self.uneven {
            return 1.0;
        }
        let mixed = point.iter().fold(0u32, |h, i| (h ^ *i as u32).wrapping_mul(0x9e37_79b1).rotate_left(13));
        1.0 - 0.01 * f64::from(mixed) / f64::from(u32::MAX)
    }

    fn new(args: &Args, case: Case) -> Result<Settings> {
        let (shape, steps) = if args.quick { case.quick_size() } else { case.size() };
        let shape = args.shape.clone().unwrap_or_else(|| Shape(shape.to_vec()));
        case.check_rank(&shape)?;
        Grid::new(shape.0.clone()).check()?;
        if !case.saves() {
            let given = [
                ("--codec", args.codec.is_some()),
                ("--nbits", args.nbits.is_some()),
                ("--compscale", args.compscale.is_some()),
                ("--snr", args.snr.is_some()),
                ("--save-every", args.save_every.is_some()),
            ];
            if let Some((option, _)) = given.into_iter().find(|(_, given)| *given) {
                return Err(CliError::UnusedOption { option, case: case.to_string() });
            }
        }
        let without_steps =
            [("--steps", args.steps.is_some()), ("--steps-at-a-time", args.steps_at_a_time.is_some())];
        if let (Case::Codecs, Some((option, _))) = (case, without_steps.into_iter().find(|(_, given)| *given))
        {
            return Err(CliError::UnusedOption { option, case: case.to_string() });
        }
        let smooth = matches!(case, Case::Heat3d | Case::Burgers2d | Case::Gradient | Case::Codecs);
        if smooth && args.uneven {
            return Err(CliError::UnusedOption { option: "--uneven", case: case.to_string() });
        }
        let steps = args.steps.map_or(steps, |n| n as usize);
        let every = args.save_every.map_or(1, |k| k as usize);
        let together = args.steps_at_a_time.unwrap_or(1);
        let counts = [
            ("--steps", steps),
            ("--steps-at-a-time", together),
            ("--save-every", every),
            ("--repeat", args.repeat),
        ];
        for (option, value) in counts {
            if value == 0 {
                return Err(CliError::Zero { option });
            }
        }
        if every > steps {
            return Err(CliError::NothingSaved { every, steps });
        }
        let so = args.so.unwrap_or(match case {
            Case::Heat3d | Case::Burgers2d => 2,
            Case::Elastic2d | Case::Elastic3d => 4,
            _ => 8,
        });
        // Its differences are those of the upwind scheme.
        if case == Case::Burgers2d && so != 2 {
            return Err(CliError::UnusedOption { option: "--so", case: case.to_string() });
        }
        if !(2..=64).contains(&so) || so % 2 == 1 {
            return Err(CliError::Order { order: so });
        }
        Ok(Settings {
            case,
            so,
            shape: shape.0,
            steps,
            threads: thread_count(args.threads)?,
            steps_at_a_time: args.steps_at_a_time,
            backend: args.backend.parse::<Backend>()?.resolve(),
            uneven: args.uneven,
            codec: codec(args)?,
            every,
            repeat: args.repeat,
            dtype: DType::F32,
        })
    }

    /// Number of grid points.
    pub fn points(&self) -> usize {
        self.shape.iter().product()
    }

    /// Snapshots that a run writes.
    pub fn snapshots(&self) -> usize {
        self.steps / self.every
    }

    /// Bytes of the snapshots uncompressed.
    pub fn raw_bytes(&self) -> u64 {
        (self.snapshots() * self.points() * size_of::<f32>()) as u64
    }

    /// Bytes of `fields` time levels or parameters with the halo of the space order.
    fn field_bytes(&self, fields: usize) -> f64 {
        let halo = 2.0 * f64::from(self.so);
        fields as f64 * 4.0 * self.shape.iter().map(|&n| n as f64 + halo).product::<f64>()
    }

    /// Time levels and parameters of the case.
    fn fields(&self) -> usize {
        match self.case {
            Case::Acoustic2d | Case::Acoustic3d | Case::History => 5,
            Case::Heat3d => 2,
            Case::Burgers2d => 4,
            Case::Tti2d | Case::Tti3d => 18,
            Case::Elastic2d => 15,
            Case::Elastic3d => 24,
            Case::Gradient | Case::Codecs => 14,
        }
    }

    /// Bytes of the arrays that the memory is measured with: as many as those of the fields, as far as more would change
    /// nothing.
    fn stream_bytes(&self) -> usize {
        self.field_bytes(self.fields()).min(f64::from(1_u32 << 30)) as usize
    }

    /// Refuses what memory cannot hold before any of it is touched.
    fn check_memory(&self) -> Result<()> {
        let receivers = match self.case {
            Case::Heat3d | Case::Burgers2d => 0.0,
            Case::History => 100.0,
            Case::Gradient => 4.0 * gradient::receivers(&self.shape) as f64,
            _ => 1000.0,
        };
        let traces = (receivers * 4.0 + 16.0) * self.steps as f64;
        let verbatim = self.case.saves() && matches!(self.codec, None | Some(Compression::Noop));
        let history = if verbatim {
            self.snapshots() as f64 * self.shape.iter().map(|&n| n as f64).product::<f64>() * 4.0
        } else {
            0.0
        };
        memory::check(&format!("`{}`", self.case), self.field_bytes(self.fields()) + traces + history)
    }
}

fn codec(args: &Args) -> Result<Option<Compression>> {
    match args.codec.as_deref() {
        Some("none") => {
            let given = [
                ("nbits", args.nbits.is_some()),
                ("compscale", args.compscale.is_some()),
                ("snr", args.snr.is_some()),
            ];
            match given.into_iter().find(|(_, given)| *given) {
                Some((parameter, _)) => Err(CliError::NoneParameter { parameter }),
                None => Ok(None),
            }
        }
        name => {
            let codec = name.unwrap_or("quantize").parse()?;
            Ok(Some(parameters(codec, args.nbits, args.compscale, args.snr)?))
        }
    }
}

/// Measures and prints.
pub fn run(args: &Args) -> Result<()> {
    match args.case {
        Some(Case::Codecs) => {
            let settings = Settings::new(args, Case::Codecs)?;
            settings.check_memory()?;
            codecs::run(&settings, args.json)
        }
        Some(case) => output::print(&measured(&Settings::new(args, case)?)?, args.json),
        None => all(args),
    }
}

/// Every case of a run: a JSON object for each, or a table.
fn all(args: &Args) -> Result<()> {
    if !args.json {
        output::line(Report::HEAD)?;
    }
    for case in Case::ALL {
        let report = measured(&Settings::new(args, case)?)?;
        if args.json {
            output::object(&report)?;
        } else {
            output::line(&report.line())?;
        }
    }
    Ok(())
}

fn measured(settings: &Settings) -> Result<Report> {
    settings.check_memory()?;
    let mut report = match settings.case {
        Case::Acoustic2d | Case::Acoustic3d => plain::run(settings, wave::problem)?,
        Case::Heat3d => plain::run(settings, heat::problem)?,
        Case::History => history::run(settings)?,
        Case::Gradient => gradient::run(settings)?,
        _ => plain::run(settings, systems::problem)?,
    };
    // The fields are gone, so there is room.
    report.measure_stream(settings.stream_bytes())?;
    Ok(report)
}
