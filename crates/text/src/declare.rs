//! Grids, functions, points, parts.

use std::path::PathBuf;

use wavefold_codecs::{Bounded, Compression, CompressionError, DType};
use wavefold_runtime::Data;
use wavefold_symbolic::{
    Average, Dim, Function, Grid, Interpolation, Layers, Series, SparseFunction, SparseTimeFunction, Stagger,
    SubDomain, TensorFunction, TensorTimeFunction, TimeFunction, VectorFunction, VectorTimeFunction,
};

use crate::ast::{Expr, ExprKind, Kind, Name, Setting, Span};
use crate::diagnostic::{Diagnostic, Result, nearest};
use crate::program::Machine;
use crate::value::{TensorHandle, Value, VectorHandle};

/// The settings of a declaration; each is asked for once, and what is left over is an error.
struct Settings<'s> {
    list: &'s [Setting],
    asked: Vec<&'static str>,
}

impl<'s> Settings<'s> {
    fn new(list: &'s [Setting]) -> Settings<'s> {
        Settings { list, asked: vec![] }
    }

    /// All settings of a word that may stand several times.
    fn all(&mut self, word: &'static str) -> Vec<&'s Setting> {
        self.asked.push(word);
        self.list.iter().filter(|s| s.word.text == word).collect()
    }

    fn one(&mut self, word: &'static str) -> Result<Option<&'s Setting>> {
        let all = self.all(word);
        match all.as_slice() {
            [] => Ok(None),
            [one] => Ok(Some(one)),
            [first, second, ..] => {
                let message = format!("`{word}` is set twice");
                let help = match first.values.is_empty() {
                    true => format!("what is named like a setting stands in parentheses: `{word} ({word})`"),
                    false => "keep one of them".into(),
                };
                Err(Diagnostic::new("setting::twice", second.word.span, message).help(help))
            }
        }
    }

    fn flag(&mut self, word: &'static str) -> Result<bool> {
        match self.one(word)? {
            None => Ok(false),
            Some(s) if s.values.is_empty() => Ok(true),
            Some(s) => Err(values(s, "no value").help(format!("write `{word}` alone"))),
        }
    }

    /// Every setting must have been asked for.
    fn done(self, what: &str) -> Result<()> {
        let Some(s) = self.list.iter().find(|s| !self.asked.contains(&s.word.text.as_str())) else {
            return Ok(());
        };
        let message = format!("{what} has no setting `{}`", s.word.text);
        let d = Diagnostic::new("setting::unknown", s.word.span, message);
        Err(match nearest(&s.word.text, self.asked.iter().copied()) {
            Some(like) => d.help(format!("did you mean `{like}`? There are {}", self.asked.join(", "))),
            None => d.help(format!("there are {}", self.asked.join(", "))),
        })
    }
}

fn values(s: &Setting, wanted: &str) -> Box<Diagnostic> {
    let message = format!("`{}` takes {wanted}", s.word.text);
    let d = Diagnostic::new("setting::values", whole(s), message);
    let example = EXAMPLES.iter().find(|e| e.split(' ').next() == Some(s.word.text.as_str()));
    let name = &s.word.text;
    match (example, s.values.is_empty()) {
        // A value that is named like a setting is taken for one.
        (Some(example), true) => d.help(format!(
            "as in `{example}`; what is named like a setting stands in parentheses: `{name} ({name})`"
        )),
        (Some(example), false) => d.help(format!("as in `{example}`")),
        (None, _) => d,
    }
}

/// A setting with its values.
fn whole(s: &Setting) -> Span {
    Span::new(s.word.span.start, s.values.last().map_or(s.word.span.end, |v| v.span.end))
}

/// One use of each setting that has values.
const EXAMPLES: &[&str] = &[
    "shape 201 101",
    "spacing 10",
    "extent 2000 1000",
    "origin 0 0",
    "dtype f64",
    "order 8",
    "time_order 2",
    "save 100",
    "every 4",
    "buffers 3",
    "compress quantize 12",
    "layers disk \"histories\"",
    "staggered x",
    "average harmonic",
    "on top",
    "at 500 20",
    "line 0 20 to 1000 20 count 101",
    "to 1000 20",
    "count 101",
    "from \"points.csv\"",
    "interpolation sinc 4",
    "steps 500",
    "left y 1",
    "right y 1",
    "middle x 10 10",
];

/// The setting that an error of the library is about.
fn blamed(code: &str, list: &[Setting]) -> Option<Span> {
    let words: &[&str] = match code {
        "grid::empty" | "grid::rank" | "grid::too_large" => &["shape"],
        "grid::spacing" => &["spacing"],
        "grid::origin" => &["origin"],
        "grid::extent" => &["extent"],
        "grid::values" => &["spacing", "extent", "origin"],
        "function::space_order" => &["order"],
        "function::time_order" => &["time_order"],
        "function::buffers" => &["buffers"],
        "function::save" => &["save"],
        "function::save_every" | "function::save_every_without_save" => &["every"],
        "function::compression" | "function::compression_without_save" => &["compress"],
        "sparse::coordinate_rank" | "sparse::not_finite" => &["at", "line", "from"],
        "sparse::steps" => &["steps"],
        "sparse::radius" => &["interpolation"],
        "subdomain::too_thick" | "subdomain::dimension" | "subdomain::empty" => &["left", "right", "middle"],
        _ => &[],
    };
    let mut of = list.iter().filter(|s| words.contains(&s.word.text.as_str()));
    // Of several, only the user knows which.
    match (of.next(), of.next()) {
        (Some(one), None) => Some(whole(one)),
        _ => None,
    }
}

/// A name that is meant as it stands.
fn word(e: &Expr) -> Option<&str> {
    match &e.kind {
        ExprKind::Name(name) => Some(name),
        _ => None,
    }
}

fn dim_of(name: &str) -> Option<Dim> {
    match name {
        "x" => Some(Dim::X),
        "y" => Some(Dim::Y),
        "z" => Some(Dim::Z),
        _ => None,
    }
}

/// A dimension by name.
pub(crate) fn dim(name: &str, span: Span) -> Result<Dim> {
    dim_of(name).ok_or_else(|| {
        Diagnostic::new("name::dimension", span, format!("`{name}` is no dimension"))
            .help("they are x, y and z")
    })
}

impl Machine<'_> {
    fn numbers(&mut self, s: &Setting) -> Result<Vec<f64>> {
        let mut list = vec![];
        for e in &s.values {
            match self.eval(e)? {
                Value::List(values) => {
                    for v in values {
                        match v {
                            Value::Number(n) => list.push(n),
                            _ => return Err(values_error(s)),
                        }
                    }
                }
                Value::Number(n) => list.push(n),
                Value::Unknown => return Err(Diagnostic::silent()),
                _ => return Err(values_error(s)),
            }
        }
        if list.is_empty() { Err(values_error(s)) } else { Ok(list) }
    }

    fn counts(&mut self, s: &Setting) -> Result<Vec<usize>> {
        let numbers = self.numbers(s)?;
        let whole = |n: &f64| n.fract() == 0.0 && (0.0..9e15).contains(n);
        match numbers.iter().find(|n| !whole(n)) {
            Some(n) => {
                let message = format!("`{}` takes whole numbers, and {n} is none", s.word.text);
                Err(Diagnostic::new("setting::whole", s.values[0].span, message)
                    .help("round it, or count anew"))
            }
            None => Ok(numbers.into_iter().map(|n| n as usize).collect()),
        }
    }

    fn count(&mut self, s: &Setting) -> Result<usize> {
        match self.counts(s)?.as_slice() {
            [n] => Ok(*n),
            _ => Err(values(s, "one number")),
        }
    }

    fn dtype(&mut self, settings: &mut Settings) -> Result<Option<DType>> {
        let Some(s) = settings.one("dtype")? else { return Ok(None) };
        match s.values.as_slice() {
            [e] if word(e) == Some("f32") => Ok(Some(DType::F32)),
            [e] if word(e) == Some("f64") => Ok(Some(DType::F64)),
            _ => Err(values(s, "`f32` or `f64`")),
        }
    }

    pub(crate) fn declare_grid(&mut self, name: &Name, list: &[Setting]) -> Result<()> {
        let mut settings = Settings::new(list);
        let Some(shape) = settings.one("shape")? else {
            return Err(Diagnostic::new(
                "grid::shape",
                name.span,
                format!("the grid `{}` has no shape", name.text),
            )
            .help("give the points along each dimension: `shape 201 101`"));
        };
        let mut grid = Grid::new(self.counts(shape)?);
        if let Some(s) = settings.one("spacing")? {
            let values = self.numbers(s)?;
            grid = if let [one] = values[..] { grid.with_spacing(one) } else { grid.with_spacing(values) };
        }
        if let Some(s) = settings.one("extent")? {
            grid = grid.with_extent(self.numbers(s)?);
        }
        if let Some(s) = settings.one("origin")? {
            grid = grid.with_origin(self.numbers(s)?);
        }
        if let Some(dtype) = self.dtype(&mut settings)? {
            grid = grid.with_dtype(dtype);
        }
        settings.done("a grid")?;
        grid.check().map_err(|e| {
            let place = blamed(e.code(), list);
            Diagnostic::of(&e.into(), name.span).at(place)
        })?;
        self.grid = Some(grid.clone());
        self.define(name, Value::Grid(grid))
    }

    pub(crate) fn grid_named(&self, name: &Name) -> Result<Grid> {
        match self.lookup(&name.text, name.span)? {
            Value::Grid(grid) => Ok(grid),
            other => {
                let message = format!("`{}` is {}, no grid", name.text, other.describe());
                Err(Diagnostic::new("name::kind", name.span, message)
                    .help("functions live on a grid: `time u on g`"))
            }
        }
    }

    pub(crate) fn declare(&mut self, kind: Kind, name: &Name, on: &Name, list: &[Setting]) -> Result<()> {
        let grid = self.grid_named(on)?;
        let mut settings = Settings::new(list);
        let value = self.declared(kind, name, &grid, &mut settings).map_err(|d| {
            let place = blamed(&d.code, list);
            d.at(place)
        })?;
        settings.done(match kind {
            Kind::Function => "a function",
            Kind::Time => "a function of time",
            Kind::Points => "a set of points",
            Kind::Series => "a series",
            Kind::Part => "a part of the grid",
            _ => "a vector or tensor",
        })?;
        self.define(name, value)
    }

    fn declared(&mut self, kind: Kind, name: &Name, grid: &Grid, settings: &mut Settings) -> Result<Value> {
        Ok(match kind {
            Kind::Function | Kind::Time => self.function(kind, name, grid, settings)?,
            Kind::Vector | Kind::Tensor | Kind::TimeVector | Kind::TimeTensor => {
                self.vector_or_tensor(kind, name, grid, settings)?
            }
            Kind::Points => self.points(name, grid, settings)?,
            Kind::Series => {
                let mut builder = Series::new(name.text.as_str(), grid);
                if let Some(s) = settings.one("steps")? {
                    builder = builder.steps(self.count(s)?);
                }
                if let Some(dtype) = self.dtype(settings)? {
                    builder = builder.dtype(dtype);
                }
                Value::Series(builder.build().map_err(|e| Diagnostic::of(&e.into(), name.span))?)
            }
            Kind::Part => self.part(name, grid, settings)?,
        })
    }

    /// A codec, then its parameter, by name or as a number, then a bound: `compress lapped`, `compress lapped 1e-2`,
    /// `compress lapped snr 60`, `compress lapped 1e-2 max_error 1e-3`.
    fn compression(&mut self, s: &Setting) -> Result<Bounded> {
        let wrong = || values(s, "the name of a codec, and its parameter");
        let at = |span| move |e: CompressionError| Diagnostic::of(&e.into(), span);
        let (first, mut rest) = s.values.split_first().ok_or_else(wrong)?;
        self.followed_by_number(rest)?;
        let codec: Compression = word(first).ok_or_else(wrong)?.parse().map_err(at(first.span))?;
        let mut bounded = Bounded::from(codec);
        if let (1, [e, named @ ..]) = (rest.len() % 2, rest) {
            let text = format!("{}:{}", codec.name(), self.number(e)?);
            bounded.codec = text.parse().map_err(at(e.span))?;
            rest = named;
        }
        for pair in rest.chunks_exact(2) {
            let (name, number) = (word(&pair[0]), self.number(&pair[1])?);
            let codec = bounded.codec;
            bounded.codec = match name {
                Some("nbits") if number >= 0.0 && number.fract() == 0.0 => codec.with_nbits(number as u32),
                Some("compscale") => codec.with_compscale(number),
                Some("snr") => codec.with_snr(number),
                Some("max_error") => {
                    bounded.max_error = Some(number);
                    bounded.validate().map(|b| b.codec)
                }
                _ => {
                    return Err(values(
                        s,
                        "a codec, and `nbits`, `compscale`, `snr` or `max_error` with a number",
                    ));
                }
            }
            .map_err(at(pair[1].span))?;
        }
        Ok(bounded)
    }

    /// Refuses the name of a parameter of a codec behind which nothing stands.
    fn followed_by_number(&self, values: &[Expr]) -> Result<()> {
        let Some(last) = values.last() else { return Ok(()) };
        let name = word(last).filter(|name| ["nbits", "compscale", "snr", "max_error"].contains(name));
        match name {
            // It may be a number of that name.
            Some(name) if self.lookup(name, last.span).is_err() => {
                let message = format!("`{name}` takes a number");
                Err(Diagnostic::new("setting::values", last.span, message)
                    .help("as in `compress quantize nbits 12`, `compress lapped snr 60`, `compress lapped 1e-2 max_error 1e-3`"))
            }
            _ => Ok(()),
        }
    }

    fn layers(&mut self, settings: &mut Settings) -> Result<Option<Layers>> {
        let Some(s) = settings.one("layers")? else { return Ok(None) };
        let form = "`none`, `host`, `disk \"directory\"`, or `spill \"directory\"`";
        let layer = s.values.first().and_then(word).map(str::to_string);
        let directory = match s.values.get(1) {
            Some(e) => Some(self.folder_of(e)?),
            None => None,
        };
        match (layer.as_deref(), directory, s.values.len()) {
            (Some("none"), None, 1) => Ok(Some(Layers::None)),
            (Some("host"), None, 1) => Ok(Some(Layers::Host)),
            (Some("disk"), Some(directory), 2) => Ok(Some(Layers::Disk(directory))),
            (Some("spill"), Some(directory), 2) => Ok(Some(Layers::Spill(directory))),
            _ => Err(values(s, form)),
        }
    }

    /// A path beside the program.
    fn folder_of(&mut self, e: &Expr) -> Result<PathBuf> {
        match self.eval(e)? {
            Value::Text(path) => Ok(self.options.folder.join(path)),
            other => {
                let message = format!("a directory is a text, and this is {}", other.describe());
                Err(Diagnostic::new("setting::value", e.span, message)
                    .help("write `layers disk \"directory\"`"))
            }
        }
    }

    fn function(&mut self, kind: Kind, name: &Name, grid: &Grid, settings: &mut Settings) -> Result<Value> {
        let mut space = Function::new(name.text.as_str(), grid);
        let mut time = TimeFunction::new(name.text.as_str(), grid);
        macro_rules! both {
            ($method:ident($($value:expr),*)) => {{
                space = space.$method($($value),*);
                time = time.$method($($value),*);
            }};
        }
        if let Some(s) = settings.one("order")? {
            both!(space_order(u32::try_from(self.count(s)?).unwrap_or(u32::MAX)));
        }
        if let Some(dtype) = self.dtype(settings)? {
            both!(dtype(dtype));
        }
        if let Some(s) = settings.one("staggered")? {
            let stagger = match s.values.iter().map(word).collect::<Vec<_>>().as_slice() {
                [Some("node")] => Stagger::Node,
                [Some("cell")] => Stagger::Cell,
                [] => return Err(values(s, "`node`, `cell`, or dimensions")),
                _ => {
                    let mut dims = vec![];
                    for e in &s.values {
                        dims.push(dim(word(e).unwrap_or("this"), e.span)?);
                    }
                    Stagger::Dims(dims)
                }
            };
            both!(staggered(stagger.clone()));
        }
        if let Some(s) = settings.one("average")? {
            match s.values.first().and_then(word) {
                Some("harmonic") => both!(average(Average::Harmonic)),
                Some("arithmetic") => both!(average(Average::Arithmetic)),
                _ => return Err(values(s, "`arithmetic` or `harmonic`")),
            }
        }
        if let Some(s) = settings.one("on")? {
            let part = self.part_named(s)?;
            both!(on(&part));
        }
        if settings.flag("tight")? {
            both!(tight());
        }
        if kind == Kind::Function {
            if settings.flag("temporary")? {
                space = space.temporary();
            }
            let extended = settings.flag("extended")?;
            let f = space.build().map_err(|e| Diagnostic::of(&e.into(), name.span))?;
            if extended {
                self.extended.insert(f.id());
            }
            return Ok(Value::Function((&f).into()));
        }
        if let Some(s) = settings.one("time_order")? {
            time = time.time_order(u32::try_from(self.count(s)?).unwrap_or(u32::MAX));
        }
        if let Some(s) = settings.one("buffers")? {
            time = time.buffers(self.count(s)?);
        }
        if let Some(s) = settings.one("save")? {
            time = time.save(self.count(s)?);
        }
        if let Some(s) = settings.one("every")? {
            time = time.save_every(self.count(s)?);
        }
        if let Some(s) = settings.one("compress")? {
            time = time.compression(self.compression(s)?);
        }
        if let Some(layers) = self.layers(settings)? {
            time = time.layers(layers);
        }
        let f = time.build().map_err(|e| Diagnostic::of(&e.into(), name.span))?;
        Ok(Value::Function((&f).into()))
    }

    fn part_named(&mut self, s: &Setting) -> Result<SubDomain> {
        let [e] = s.values.as_slice() else { return Err(values(s, "the name of a part")) };
        match self.eval(e)? {
            Value::Part(part) => Ok(part),
            _ => Err(values(s, "the name of a part")),
        }
    }

    fn vector_or_tensor(
        &mut self,
        kind: Kind,
        name: &Name,
        grid: &Grid,
        settings: &mut Settings,
    ) -> Result<Value> {
        let order = match settings.one("order")? {
            Some(s) => Some(u32::try_from(self.count(s)?).unwrap_or(u32::MAX)),
            None => None,
        };
        let dtype = self.dtype(settings)?;
        let collocated = settings.flag("collocated")?;
        let tensor = matches!(kind, Kind::Tensor | Kind::TimeTensor);
        let (mut symmetric, mut diagonal) = (false, false);
        if tensor {
            (symmetric, diagonal) = (settings.flag("symmetric")?, settings.flag("diagonal")?);
        }
        let _ = symmetric; // what tensors are unless said otherwise
        let (mut time_order, mut save, mut every, mut compress) = (None, None, None, None);
        if matches!(kind, Kind::TimeVector | Kind::TimeTensor) {
            if let Some(s) = settings.one("time_order")? {
                time_order = Some(u32::try_from(self.count(s)?).unwrap_or(u32::MAX));
            }
            if let Some(s) = settings.one("save")? {
                save = Some(self.count(s)?);
            }
            if let Some(s) = settings.one("every")? {
                every = Some(self.count(s)?);
            }
            if let Some(s) = settings.one("compress")? {
                compress = Some(self.compression(s)?);
            }
        }
        let text = name.text.as_str();
        let failed = |e: wavefold_symbolic::SymbolicError| Diagnostic::of(&e.into(), name.span);
        macro_rules! common {
            ($builder:expr) => {{
                let mut b = $builder;
                if let Some(order) = order {
                    b = b.space_order(order);
                }
                if let Some(dtype) = dtype {
                    b = b.dtype(dtype);
                }
                if collocated {
                    b = b.collocated();
                }
                b
            }};
        }
        macro_rules! timed {
            ($builder:expr) => {{
                let mut b = common!($builder);
                if let Some(order) = time_order {
                    b = b.time_order(order);
                }
                if let Some(n) = save {
                    b = b.save(n);
                }
                if let Some(n) = every {
                    b = b.save_every(n);
                }
                if let Some(codec) = compress {
                    b = b.compression(codec);
                }
                b
            }};
        }
        Ok(match kind {
            Kind::Vector => Value::VectorHandle(VectorHandle::Space(
                common!(VectorFunction::new(text, grid)).build().map_err(failed)?,
            )),
            Kind::TimeVector => Value::VectorHandle(VectorHandle::Time(
                timed!(VectorTimeFunction::new(text, grid)).build().map_err(failed)?,
            )),
            Kind::Tensor => {
                let b = common!(TensorFunction::new(text, grid));
                let b = if diagonal { b.diagonal() } else { b };
                Value::TensorHandle(TensorHandle::Space(b.build().map_err(failed)?))
            }
            _ => {
                let b = timed!(TensorTimeFunction::new(text, grid));
                let b = if diagonal { b.diagonal() } else { b };
                Value::TensorHandle(TensorHandle::Time(b.build().map_err(failed)?))
            }
        })
    }

    fn points(&mut self, name: &Name, grid: &Grid, settings: &mut Settings) -> Result<Value> {
        let rank = grid.rank();
        let mut places: Option<Vec<Vec<f64>>> = None;
        let mut moving = false;
        for s in settings.all("at") {
            let values_here = self.numbers(s)?;
            if values_here.len() != rank {
                return Err(values(s, &format!("{rank} coordinates")));
            }
            places.get_or_insert_default().push(values_here);
        }
        let (line, to, count) = (settings.one("line")?, settings.one("to")?, settings.one("count")?);
        match (line, to, count) {
            (Some(line), Some(to), Some(count)) => {
                let (a, b, n) = (self.numbers(line)?, self.numbers(to)?, self.count(count)?);
                if a.len() != rank || b.len() != rank {
                    return Err(values(
                        if a.len() == rank { to } else { line },
                        &format!("{rank} coordinates"),
                    ));
                }
                let fraction = |i: usize| if n > 1 { i as f64 / (n - 1) as f64 } else { 0.0 };
                let place = |i: usize| a.iter().zip(&b).map(|(a, b)| a + fraction(i) * (b - a)).collect();
                places.get_or_insert_default().extend((0..n).map(place));
            }
            (None, None, None) => {}
            (Some(s), ..) | (_, Some(s), _) | (.., Some(s)) => {
                return Err(Diagnostic::new(
                    "setting::line",
                    s.word.span,
                    "a line needs two ends and a number of points",
                )
                .help("write `line 0 20 to 1000 20 count 101`"));
            }
        }
        if let Some(s) = settings.one("from")? {
            let [e] = s.values.as_slice() else { return Err(values(s, "the path of a file")) };
            let Value::Text(path) = self.eval(e)? else { return Err(values(s, "the path of a file")) };
            let data = crate::data::load(&self.options.folder, &path, None, e.span)?;
            let shape = data.shape().to_vec();
            if shape.len() != 2 || shape[1] != rank {
                let message =
                    format!("`{path}` has shape {shape:?}, and points here have {rank} coordinates");
                return Err(Diagnostic::new("points::shape", e.span, message).help("one row for each point"));
            }
            let all: Vec<f64> = data.iter().collect();
            places.get_or_insert_default().extend(all.chunks(rank).map(<[f64]>::to_vec));
        }
        if settings.flag("moving")? {
            moving = true;
        }
        let interpolation = match settings.one("interpolation")? {
            None => Interpolation::Linear,
            Some(s) => match s.values.first().and_then(word) {
                Some("linear") => Interpolation::Linear,
                Some("nearest") => Interpolation::Nearest,
                Some("sinc") => Interpolation::Sinc {
                    radius: match s.values.get(1) {
                        Some(e) => self.number(e)? as usize,
                        None => 4,
                    },
                },
                _ => return Err(values(s, "`linear`, `nearest` or `sinc`")),
            },
        };
        let steps = match settings.one("steps")? {
            Some(s) => Some(self.count(s)?),
            None => None,
        };
        let dtype = self.dtype(settings)?;
        let places = places.unwrap_or_default();
        if !moving && !places.is_empty() && places.iter().all(|p| outside(grid, p)) {
            return Err(off_grid(name, grid, &places));
        }
        let failed = |e: wavefold_symbolic::SymbolicError| Diagnostic::of(&e.into(), name.span);
        Ok(Value::Points(match steps {
            Some(steps) => {
                let mut b = SparseTimeFunction::new(name.text.as_str(), grid)
                    .steps(steps)
                    .interpolation(interpolation);
                if let Some(dtype) = dtype {
                    b = b.dtype(dtype);
                }
                let b = if moving { b.moving_coordinates(places) } else { b.coordinates(places) };
                (&b.build().map_err(failed)?).into()
            }
            None => {
                let mut b = SparseFunction::new(name.text.as_str(), grid)
                    .coordinates(places)
                    .interpolation(interpolation);
                if let Some(dtype) = dtype {
                    b = b.dtype(dtype);
                }
                (&b.build().map_err(failed)?).into()
            }
        }))
    }

    fn part(&mut self, name: &Name, grid: &Grid, settings: &mut Settings) -> Result<Value> {
        let mut part = SubDomain::new(name.text.as_str(), grid);
        for which in ["left", "right", "middle"] {
            for s in settings.all(which) {
                let along = s.values.first().and_then(word).and_then(dim_of);
                let numbers: Vec<usize> = {
                    let rest = Setting {
                        word: s.word.clone(),
                        values: s.values.get(1..).unwrap_or_default().to_vec(),
                    };
                    if rest.values.is_empty() { vec![] } else { self.counts(&rest)? }
                };
                part = match (which, along, numbers.as_slice()) {
                    ("left", Some(d), [n]) => part.left(d, *n),
                    ("right", Some(d), [n]) => part.right(d, *n),
                    ("middle", Some(d), [a, b]) => part.middle(d, *a, *b),
                    ("middle", ..) => return Err(values(s, "a dimension and two numbers of points")),
                    _ => return Err(values(s, "a dimension and a number of points")),
                };
            }
        }
        if settings.flag("interior")? {
            part = part.interior();
        }
        part.check().map_err(|e| Diagnostic::of(&e.into(), name.span))?;
        Ok(Value::Part(part))
    }

    pub(crate) fn twin(&mut self, name: &Name, of: &Name) -> Result<()> {
        let original = self.lookup(&of.text, of.span)?;
        let extended = matches!(&original, Value::Function(f) if self.extended.contains(&f.id()));
        let value = match original {
            Value::Function(f) => {
                if let Some(f) = TimeFunction::from_function(&f) {
                    Value::Function((&f.twin(name.text.as_str())).into())
                } else if let Some(f) = Function::from_function(&f) {
                    Value::Function((&f.twin(name.text.as_str())).into())
                } else {
                    return Err(Diagnostic::silent());
                }
            }
            other => {
                let message = format!("`{}` is {}, which has no twins", of.text, other.describe());
                return Err(
                    Diagnostic::new("name::kind", of.span, message).help("a function on the grid has")
                );
            }
        };
        if let Value::Function(f) = &value {
            f.check().map_err(|e| Diagnostic::of(&e.into(), name.span))?;
            if extended {
                self.extended.insert(f.id());
            }
        }
        self.define(name, value)
    }
}

/// Whether a place is none on the grid, where points are passed over.
fn outside(grid: &Grid, place: &[f64]) -> bool {
    let ends = grid.origin().iter().zip(grid.extent());
    place.iter().zip(ends).any(|(at, (from, extent))| *at < *from || *at > from + extent)
}

/// Points off the grid are passed over; when all are, the coordinates are mostly in another unit.
fn off_grid(name: &Name, grid: &Grid, places: &[Vec<f64>]) -> Box<Diagnostic> {
    let message = match places.len() {
        1 => format!("the point of `{}` does not lie on the grid", name.text),
        n => format!("none of the {n} points of `{}` lies on the grid", name.text),
    };
    let ends = grid.origin().iter().zip(grid.extent()).zip(["x", "y", "z"]);
    let ranges: Vec<String> =
        ends.map(|((from, extent), d)| format!("{d} from {from} to {}", from + extent)).collect();
    Diagnostic::new("points::outside", name.span, message).help(format!(
        "the grid extends along {}; coordinates are in the unit of its spacing",
        ranges.join(", ")
    ))
}

fn values_error(s: &Setting) -> Box<Diagnostic> {
    values(s, "numbers")
}

/// The shape of an array in words.
pub(crate) fn shape_text(data: &Data) -> String {
    data.shape().iter().map(usize::to_string).collect::<Vec<_>>().join(" x ")
}
