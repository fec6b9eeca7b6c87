//! Names with a meaning of their own: dimensions, steps, functions.

use wavefold_operator::{inner, maximum, minimum, norm, total};
use wavefold_runtime::{CompressedData, Data, FieldData, SparseData, decompress, decompress_step};
use wavefold_seismic::{cfl_dt, damping, layered_salt, ricker, smooth};
use wavefold_symbolic::{
    Differentiable, Dim, Expr as Symbolic, Grid, IntoExpr, MathFn, TimeFunction, curl, diag, div, grad,
    select, solve,
};

use crate::ast::{Argument, Expr, Name, Span};
use crate::declare::shape_text;
use crate::diagnostic::{Diagnostic, Result, nearest};
use crate::program::Machine;
use crate::value::{Formula, Value, map};

/// Formulas that call each other, at most: what evaluates them goes as deep.
const MOST_CALLS: usize = 32;

/// Values.
const VALUES: &[&str] = &["x", "y", "z", "t", "dt", "h_x", "h_y", "h_z", "pi"];

/// Functions.
const FUNCTIONS: &[&str] = &[
    "abs",
    "acos",
    "argmax",
    "asin",
    "atan",
    "ceil",
    "cos",
    "curl",
    "data",
    "decompress",
    "diag",
    "div",
    "exp",
    "floor",
    "grad",
    "index",
    "inner",
    "layers",
    "load",
    "log",
    "max",
    "min",
    "norm",
    "ratio",
    "ricker",
    "select",
    "sign",
    "sin",
    "smooth",
    "solve",
    "sponge",
    "sqrt",
    "stable_dt",
    "sum",
    "tan",
    "tanh",
    "total",
];

/// All names with a meaning of their own.
pub(crate) const NAMES: &[&str] = &[
    "x",
    "y",
    "z",
    "t",
    "dt",
    "h_x",
    "h_y",
    "h_z",
    "pi",
    "abs",
    "acos",
    "argmax",
    "asin",
    "atan",
    "ceil",
    "cos",
    "curl",
    "data",
    "decompress",
    "diag",
    "div",
    "exp",
    "floor",
    "grad",
    "index",
    "inner",
    "layers",
    "load",
    "log",
    "max",
    "min",
    "norm",
    "ratio",
    "ricker",
    "select",
    "sign",
    "sin",
    "smooth",
    "solve",
    "sponge",
    "sqrt",
    "stable_dt",
    "sum",
    "tan",
    "tanh",
    "total",
];

/// Whether a name cannot be defined.
pub(crate) fn is_reserved(name: &str) -> bool {
    VALUES.contains(&name) || FUNCTIONS.contains(&name)
}

/// The arguments of a call: by position, then by name.
pub(crate) struct Arguments {
    called: Name,
    positional: Vec<(Value, Span)>,
    named: Vec<(Name, Value, Span)>,
}

impl Arguments {
    fn exactly<const N: usize>(&self, form: &str) -> Result<[&Value; N]> {
        if let Some((name, ..)) = self.named.first() {
            let message = format!("`{}` has no argument `{}`", self.called.text, name.text);
            return Err(Diagnostic::new("call::argument", name.span, message).help(form_text(form)));
        }
        let values: Vec<&Value> = self.positional.iter().map(|(v, _)| v).collect();
        values.try_into().map_err(|found: Vec<&Value>| {
            let plural = if N == 1 { "" } else { "s" };
            let message = format!("`{}` takes {N} argument{plural}, not {}", self.called.text, found.len());
            Diagnostic::new("call::count", self.called.span, message).help(form_text(form))
        })
    }

    fn wrong(&self, form: &str) -> Box<Diagnostic> {
        let given: Vec<&str> = self.positional.iter().map(|(v, _)| v.describe()).collect();
        let given = if given.is_empty() { "nothing".into() } else { given.join(", ") };
        let message = format!("`{}` cannot be called with {given}", self.called.text);
        Diagnostic::new("call::kind", self.called.span, message).help(form_text(form))
    }

    fn unknown(&self) -> bool {
        self.positional
            .iter()
            .map(|(v, _)| v)
            .chain(self.named.iter().map(|(_, v, _)| v))
            .any(|v| matches!(v, Value::Unknown))
    }
}

/// Functions of numbers and arrays, which no equation has.
fn inverse(name: &str) -> Option<fn(f64) -> f64> {
    match name {
        "asin" => Some(f64::asin),
        "acos" => Some(f64::acos),
        "atan" => Some(f64::atan),
        _ => None,
    }
}

/// How a function is called; there may be two ways.
fn form_text(form: &str) -> String {
    format!("call it as `{}`", form.replace(", or ", "` or `"))
}

fn math(name: &str) -> Option<MathFn> {
    Some(match name {
        "sqrt" => MathFn::Sqrt,
        "exp" => MathFn::Exp,
        "log" => MathFn::Log,
        "sin" => MathFn::Sin,
        "cos" => MathFn::Cos,
        "tan" => MathFn::Tan,
        "tanh" => MathFn::Tanh,
        "abs" => MathFn::Abs,
        "floor" => MathFn::Floor,
        "ceil" => MathFn::Ceil,
        _ => return None,
    })
}

impl Machine<'_> {
    fn some_grid(&self, span: Span) -> Result<Grid> {
        self.grid.clone().ok_or_else(|| {
            Diagnostic::new("grid::none", span, "there is no grid yet")
                .help("declare one: `grid g { shape 101 101 }`")
        })
    }

    /// What a name means by itself.
    pub(crate) fn builtin(&self, name: &str, span: Span) -> Result<Option<Value>> {
        let grid = || self.some_grid(span);
        Ok(Some(match name {
            "pi" => Value::Number(std::f64::consts::PI),
            "dt" => Value::Scalar(grid()?.dt()),
            "t" => Value::Scalar(grid()?.position(Dim::Time)),
            "x" | "y" | "z" => Value::Scalar(grid()?.position(crate::declare::dim(name, span)?)),
            "h_x" | "h_y" | "h_z" => {
                let grid = grid()?;
                let d = ["h_x", "h_y", "h_z"].iter().position(|n| *n == name).unwrap_or(0);
                match grid.spacing().get(d) {
                    Some(h) => Value::Number(*h),
                    None => {
                        let message =
                            format!("the grid has {} dimension(s), so there is no `{name}`", grid.rank());
                        return Err(Diagnostic::new("name::dimension", span, message));
                    }
                }
            }
            _ => return Ok(None),
        }))
    }

    pub(crate) fn arguments(&mut self, called: &Name, list: &[Argument]) -> Result<Arguments> {
        // What is compared here is compared at every point: `max(select(u > v, u, v))`.
        let facts = std::mem::replace(&mut self.facts, false);
        let arguments = self.each_argument(called, list);
        self.facts = facts;
        arguments
    }

    fn each_argument(&mut self, called: &Name, list: &[Argument]) -> Result<Arguments> {
        let mut arguments = Arguments { called: called.clone(), positional: vec![], named: vec![] };
        for a in list {
            let span = a.value.span;
            match &a.name {
                Some(name) => {
                    let value = self.eval(&a.value)?;
                    let value = self.settled(value, span)?;
                    arguments.named.push((name.clone(), value, span));
                }
                None => {
                    let value = self.eval(&a.value)?;
                    let value = self.settled(value, span)?;
                    arguments.positional.push((value, span));
                }
            }
        }
        Ok(arguments)
    }

    /// Calls a function.
    pub(crate) fn call(&mut self, name: &Name, list: &[Argument]) -> Result<Value> {
        let defined = self.names.iter().rev().find_map(|scope| scope.get(&name.text));
        if let Some(Value::Formula(formula)) = defined {
            let formula = formula.clone();
            return self.call_formula(&formula, name, list);
        }
        if !FUNCTIONS.contains(&name.text.as_str()) {
            let known =
                FUNCTIONS.iter().copied().chain(self.names.iter().flat_map(|s| s.keys().map(String::as_str)));
            let like = nearest(&name.text, known).map(str::to_string);
            let d =
                Diagnostic::new("call::unknown", name.span, format!("there is no function `{}`", name.text));
            return Err(match like {
                Some(like) => d.help(format!("did you mean `{like}`?")),
                None => d.help(format!("there are {}", FUNCTIONS.join(", "))),
            });
        }
        if name.text == "index" {
            return self.index(name, list);
        }
        let a = self.arguments(name, list)?;
        if a.unknown() {
            return Ok(Value::Unknown);
        }
        if let Some(f) = math(&name.text) {
            let form = format!("{}(u)", name.text);
            let [v] = a.exactly(&form)?;
            let v = &self.sampled(v.clone(), name.span)?;
            return Ok(match v {
                Value::Unknown => Value::Unknown,
                Value::Number(n) => Value::Number(f.eval(*n)),
                Value::Data(d) => Value::Data(map(d, |v| f.eval(v))),
                v => Value::Scalar(Symbolic::call(f, v.scalar().ok_or_else(|| a.wrong(&form))?)),
            });
        }
        if let Some(f) = inverse(&name.text) {
            let form = format!("{}(0.5)", name.text);
            let [v] = a.exactly(&form)?;
            if let Some(n) = number_of(v) {
                return Ok(Value::Number(f(n)));
            }
            return match v {
                Value::Data(_) | Value::Points(_) | Value::Series(_) | Value::List(_) => {
                    match self.data_of(v, name.span)? {
                        Some(Value::Data(d)) => Ok(Value::Data(map(&d, f))),
                        _ => Ok(Value::Unknown),
                    }
                }
                _ => Err(a.wrong(&form)),
            };
        }
        match name.text.as_str() {
            "argmax" => {
                let form = "argmax(energy), of points, a series or an array";
                let [v] = a.exactly(form)?;
                match self.data_of(v, name.span)? {
                    Some(Value::Data(d)) => {
                        let best = d.iter().enumerate().max_by(|(_, v), (_, w)| v.total_cmp(w));
                        let width = d.len() / d.shape().first().copied().unwrap_or(1).max(1);
                        Ok(Value::Number(best.map_or(0, |(i, _)| i / width.max(1)) as f64))
                    }
                    Some(_) => Ok(Value::Unknown),
                    None => Err(a.wrong(form)),
                }
            }
            "ratio" => {
                let [v] = a.exactly("ratio(usave)")?;
                let u = match v {
                    Value::Function(f) => compressed(f, a.positional[0].1)?,
                    _ => return Err(a.wrong("ratio(usave)")),
                };
                if !self.live {
                    return Ok(Value::Unknown);
                }
                let info = u.compression_info().map_err(|e| Diagnostic::of(&e.into(), name.span))?;
                Ok(Value::Number(info.ratio))
            }
            "sign" => {
                let [v] = a.exactly("sign(u)")?;
                Ok(Value::Scalar(v.scalar().ok_or_else(|| a.wrong("sign(u)"))?.sign()))
            }
            "max" | "min" if a.positional.len() == 2 => {
                let form = "max(a, b)";
                let [v, w] = a.exactly(form)?;
                let largest = name.text == "max";
                if let (Value::Number(v), Value::Number(w)) = (v, w) {
                    return Ok(Value::Number(if largest { v.max(*w) } else { v.min(*w) }));
                }
                let (v, w) = v.scalar().zip(w.scalar()).ok_or_else(|| a.wrong(form))?;
                Ok(Value::Scalar(if largest { v.max(w) } else { v.min(w) }))
            }
            "max" | "min" | "sum" | "total" | "norm" => {
                let form = format!("{}(u)", name.text);
                let [v] = a.exactly(&form)?;
                self.reduce(&name.text, v, &a, &form, name.span)
            }
            "inner" => {
                let [v, w] = a.exactly("inner(u, v)")?;
                let (v, w) = v.scalar().zip(w.scalar()).ok_or_else(|| a.wrong("inner(u, v)"))?;
                Ok(self.measure(inner(&v, &w), v * w))
            }
            "select" => {
                let form = "select(u > 0, a, b)";
                let [c, v, w] = a.exactly(form)?;
                match (c, v.scalar(), w.scalar()) {
                    (Value::Condition(c), Some(v), Some(w)) => Ok(Value::Scalar(select(c.clone(), v, w))),
                    _ => Err(a.wrong(form)),
                }
            }
            "solve" => {
                let form = "solve(m*u.dt2 - u.laplace, u.forward)";
                let [e, target] = a.exactly(form)?;
                let (e, target) = e.scalar().zip(target.scalar()).ok_or_else(|| a.wrong(form))?;
                solve(e, target).map(Value::Scalar).map_err(|e| Diagnostic::of(&e.into(), name.span))
            }
            "div" => {
                let [v] = a.exactly("div(v)")?;
                if let Some(t) = v.tensor() {
                    return Ok(Value::Vector(div(t)));
                }
                Ok(Value::Scalar(div(v.vector().ok_or_else(|| a.wrong("div(v)"))?)))
            }
            "grad" => {
                let [v] = a.exactly("grad(p)")?;
                if let Some(v) = v.vector() {
                    return Ok(Value::Tensor(grad(v)));
                }
                Ok(Value::Vector(grad(v.scalar().ok_or_else(|| a.wrong("grad(p)"))?)))
            }
            "curl" => {
                let [v] = a.exactly("curl(v)")?;
                Ok(Value::Vector(curl(v.vector().ok_or_else(|| a.wrong("curl(v)"))?)))
            }
            "diag" => {
                let [v] = a.exactly("diag(e)")?;
                let rank = self.some_grid(name.span)?.rank();
                Ok(Value::Tensor(diag(rank, v.scalar().ok_or_else(|| a.wrong("diag(e)"))?)))
            }
            "data" => {
                let [v] = a.exactly("data(u)")?;
                self.data_of(v, name.span)?.map_or_else(|| Err(a.wrong("data(u)")), Ok)
            }
            "decompress" => self.decompressed(&a, name.span),
            "load" => self.loaded(&a, name.span),
            "ricker" => {
                let form = "ricker(f0, dt, steps), or ricker(f0, dt, steps, t0)";
                let numbers: Vec<f64> = a.positional.iter().filter_map(|(v, _)| number_of(v)).collect();
                match numbers[..] {
                    _ if numbers.len() != a.positional.len() || !a.named.is_empty() => Err(a.wrong(form)),
                    [f0, dt, nt] => Ok(Value::Data(ricker(f0, 1.2 / f0, dt, nt.max(0.0) as usize).into())),
                    [f0, dt, nt, t0] => Ok(Value::Data(ricker(f0, t0, dt, nt.max(0.0) as usize).into())),
                    _ => Err(a.wrong(form)),
                }
            }
            "layers" => {
                let [] = a.exactly("layers()")?;
                let grid = self.some_grid(name.span)?;
                Ok(Value::Data(layered_salt(grid.shape(), grid.spacing()).into()))
            }
            "smooth" => {
                let form = "smooth(v, points)";
                let [v, sigma] = a.exactly(form)?;
                let (Some(Value::Data(v)), Some(sigma)) = (self.data_of(v, name.span)?, number_of(sigma))
                else {
                    return if self.live { Err(a.wrong(form)) } else { Ok(Value::Unknown) };
                };
                Ok(Value::Data(smooth(&v.to_f32(), sigma).into()))
            }
            "sponge" => {
                let form = "sponge(points, velocity)";
                let [width, velocity] = a.exactly(form)?;
                let grid = self.some_grid(name.span)?;
                let (width, velocity) =
                    number_of(width).zip(number_of(velocity)).ok_or_else(|| a.wrong(form))?;
                Ok(Value::Data(
                    damping(grid.shape(), grid.spacing(), width.max(0.0) as usize, velocity).into(),
                ))
            }
            "stable_dt" => {
                let form = "stable_dt(velocity, order)";
                let [velocity, order] = a.exactly(form)?;
                let velocity = number_of(velocity);
                let grid = self.some_grid(name.span)?;
                let (velocity, order) = velocity.zip(number_of(order)).ok_or_else(|| a.wrong(form))?;
                Ok(Value::Number(cfl_dt(grid.spacing(), velocity, order.max(0.0) as usize, 1.0)))
            }
            _ => Err(a.wrong("another function")),
        }
    }

    /// The value of a formula: its parameters are known to it alone.
    fn call_formula(&mut self, formula: &Formula, name: &Name, list: &[Argument]) -> Result<Value> {
        let form = || {
            let parameters: Vec<&str> = formula.parameters.iter().map(|p| p.text.as_str()).collect();
            format!("call it as `{}({})`", formula.name, parameters.join(", "))
        };
        if let Some(a) = list.iter().find_map(|a| a.name.as_ref()) {
            let message = format!("the arguments of `{}` have no names", formula.name);
            return Err(Diagnostic::new("call::argument", a.span, message).help(form()));
        }
        if list.len() != formula.parameters.len() {
            let message = format!(
                "`{}` takes {} argument(s), not {}",
                formula.name,
                formula.parameters.len(),
                list.len()
            );
            return Err(Diagnostic::new("call::count", name.span, message).help(form()));
        }
        if self.calls.contains(&formula.name) {
            let message = format!("`{}` is made of itself", formula.name);
            return Err(Diagnostic::new("call::recursion", name.span, message)
                .help("a formula is made of what was defined before it"));
        }
        if self.calls.len() >= MOST_CALLS {
            let message = format!("formulas call each other more than {MOST_CALLS} deep here");
            return Err(
                Diagnostic::new("call::depth", name.span, message).help("name a part of it with `let`")
            );
        }
        let mut scope = std::collections::HashMap::new();
        for (parameter, a) in formula.parameters.iter().zip(list) {
            let value = self.eval(&a.value)?;
            scope.insert(parameter.text.clone(), self.settled(value, a.value.span)?);
        }
        let hidden = self.names.split_off(formula.scopes.min(self.names.len()));
        self.names.push(scope);
        self.calls.push(formula.name.clone());
        let value = self.eval(&formula.value);
        self.calls.pop();
        self.names.truncate(formula.scopes);
        self.names.extend(hidden);
        value
    }

    /// `index(x)`: the dimension stands as it is.
    fn index(&mut self, name: &Name, list: &[Argument]) -> Result<Value> {
        let grid = self.some_grid(name.span)?;
        match list {
            [Argument { name: None, value: Expr { kind: crate::ast::ExprKind::Name(dim), span } }] => {
                let dim = if dim == "t" { Dim::Time } else { crate::declare::dim(dim, *span)? };
                Ok(Value::Scalar(grid.index(dim)))
            }
            _ => Err(Diagnostic::new("call::kind", name.span, "`index` takes a dimension")
                .help("call it as `index(x)`")),
        }
    }

    /// A number from a field; made at once where it is needed.
    fn measure(&self, m: wavefold_operator::Measure, e: Symbolic) -> Value {
        if self.live { Value::Measure(m, None, e) } else { Value::Unknown }
    }

    fn reduce(&mut self, which: &str, v: &Value, a: &Arguments, form: &str, span: Span) -> Result<Value> {
        if let Value::Number(n) = v {
            return Ok(Value::Number(if which == "norm" { n.abs() } else { *n }));
        }
        let as_data = match v {
            Value::Data(d) => Some(d.clone()),
            Value::List(_) | Value::Points(_) | Value::Series(_) => match self.data_of(v, span)? {
                Some(Value::Data(d)) => Some(d),
                _ => return Ok(Value::Unknown),
            },
            _ => None,
        };
        if let Some(d) = as_data {
            return Ok(Value::Number(match which {
                "max" => d.max(),
                "min" => d.min(),
                "norm" => d.norm(),
                _ => d.iter().sum(),
            }));
        }
        let e = v.scalar().ok_or_else(|| a.wrong(form))?;
        let m = match which {
            "max" => maximum(&e),
            "min" => minimum(&e),
            "norm" => norm(&e),
            _ => total(&e),
        };
        Ok(self.measure(m, e))
    }

    /// The values of a function as an array; of a function of time all levels. Unknown while nothing runs.
    pub(crate) fn data_of(&mut self, v: &Value, span: Span) -> Result<Option<Value>> {
        let failed = |e: wavefold_runtime::RuntimeError| Diagnostic::of(&e.into(), span);
        Ok(Some(match v {
            Value::Data(d) => Value::Data(d.clone()),
            Value::List(list) => match crate::value::array(list) {
                Some(d) => Value::Data(d),
                None => return Ok(None),
            },
            Value::Function(_) | Value::Points(_) | Value::Series(_) if !self.live => Value::Unknown,
            Value::Function(f) => Value::Data(f.data().map_err(failed)?),
            Value::Points(s) => Value::Data(one_column(s.data().map_err(failed)?)),
            Value::Series(s) => Value::Data(one_column(s.data().map_err(failed)?)),
            _ => return Ok(None),
        }))
    }

    fn decompressed(&mut self, a: &Arguments, span: Span) -> Result<Value> {
        let form = "decompress(usave), or decompress(usave, snapshot)";
        let (Some((Value::Function(f), at)), true) = (a.positional.first(), a.positional.len() <= 2) else {
            return Err(a.wrong(form));
        };
        let u = compressed(f, *at)?;
        if !self.live {
            return Ok(Value::Unknown);
        }
        let data = match a.positional.get(1) {
            None => decompress(&u),
            Some((v, _)) => decompress_step(&u, number_of(v).ok_or_else(|| a.wrong(form))?.max(0.0) as usize),
        };
        data.map(Value::Data).map_err(|e| Diagnostic::of(&e.into(), span))
    }

    fn loaded(&mut self, a: &Arguments, span: Span) -> Result<Value> {
        let form = "load(\"model.npy\"), or load(\"model.f32\", [401, 101])";
        let Some((Value::Text(path), at)) = a.positional.first() else { return Err(a.wrong(form)) };
        if [".h5", ".hdf5"].iter().any(|kind| path.ends_with(kind)) && a.named.is_empty() {
            let dataset = match a.positional.get(1..) {
                Some([]) => None,
                Some([(Value::Text(name), _)]) => Some(name.as_str()),
                _ => return Err(a.wrong("load(\"model.h5\", \"vp\")")),
            };
            let full = self.options.folder.join(path);
            return crate::hdf5::load(&full, path, dataset, *at).map(Value::Data);
        }
        let shape: Option<Vec<usize>> = match a.positional.get(1) {
            None if path.ends_with(".wfh") && a.named.is_empty() => {
                return Ok(Value::History(self.options.folder.join(path)));
            }
            None => None,
            Some((Value::List(list), _)) => {
                let numbers =
                    list.iter().map(|v| number_of(v).map(|n| n.max(0.0) as usize)).collect::<Option<_>>();
                Some(numbers.ok_or_else(|| a.wrong(form))?)
            }
            Some(_) => return Err(a.wrong(form)),
        };
        if a.positional.len() > 2 || !a.named.is_empty() {
            return Err(a.wrong(form));
        }
        let _ = span;
        crate::data::load(&self.options.folder, path, shape.as_deref(), *at).map(Value::Data)
    }

    /// A member that is a derivative, `dx`, `dy2`, `dzl`, `dt2`, .., with settings.
    pub(crate) fn derivative(
        &mut self,
        e: &Symbolic,
        name: &Name,
        list: &[Argument],
    ) -> Result<Option<Symbolic>> {
        let text = name.text.as_str();
        let Some(rest) = text.strip_prefix('d') else { return Ok(None) };
        let mut letters = rest.chars();
        let (dim, tail) = match letters.next() {
            Some('x') => (Dim::X, letters.as_str()),
            Some('y') => (Dim::Y, letters.as_str()),
            Some('z') => (Dim::Z, letters.as_str()),
            Some('t') => (Dim::Time, letters.as_str()),
            _ => return Ok(None),
        };
        if dim == Dim::Time {
            let value = match tail {
                "" => e.dt(),
                "2" => e.dt2(),
                "l" => e.dtl(),
                "c" => e.dtc(),
                _ => return Ok(None),
            };
            if let Some(a) = list.first() {
                return Err(Diagnostic::new(
                    "call::count",
                    a.value.span,
                    format!("`{text}` takes no arguments"),
                )
                .help("leave the brackets out"));
            }
            return Ok(Some(value));
        }
        let (degree, side) = match tail {
            "" => (1, wavefold_symbolic::Side::Centered),
            "l" => (1, wavefold_symbolic::Side::Left),
            "r" => (1, wavefold_symbolic::Side::Right),
            digits => match digits.parse() {
                Ok(degree @ 1..=16) => (degree, wavefold_symbolic::Side::Centered),
                _ => return Ok(None),
            },
        };
        let mut d = e.diff(dim).degree(degree).side(side);
        let (mut weights, mut first) = (None, None);
        for a in list {
            let Some(key) = &a.name else {
                return Err(Diagnostic::new(
                    "call::argument",
                    a.value.span,
                    format!("the arguments of `{text}` have names"),
                )
                .help("they are `order`, `side`, `x0`, `first` and `weights`"));
            };
            match key.text.as_str() {
                "order" => d = d.order(self.number(&a.value)?.clamp(0.0, 1e6) as u32),
                "x0" => d = d.x0(self.number(&a.value)?),
                "first" => first = Some(self.number(&a.value)? as i32),
                "weights" => match self.eval(&a.value)? {
                    Value::List(list) => weights = list.iter().map(number_of).collect::<Option<Vec<f64>>>(),
                    _ => {
                        return Err(Diagnostic::new(
                            "call::kind",
                            a.value.span,
                            "`weights` is a list of numbers",
                        ));
                    }
                },
                "side" => {
                    d = d.side(match &a.value.kind {
                        crate::ast::ExprKind::Text(t) if t == "left" => wavefold_symbolic::Side::Left,
                        crate::ast::ExprKind::Text(t) if t == "right" => wavefold_symbolic::Side::Right,
                        _ => {
                            return Err(Diagnostic::new(
                                "call::kind",
                                a.value.span,
                                "a side is \"left\" or \"right\"",
                            )
                            .help("write `side = \"left\"`"));
                        }
                    });
                }
                _ => {
                    let message = format!("`{text}` has no argument `{}`", key.text);
                    return Err(Diagnostic::new("call::argument", key.span, message)
                        .help("they are `order`, `side`, `x0`, `first` and `weights`"));
                }
            }
        }
        if let Some(weights) = weights {
            let first = first.unwrap_or(-(weights.len() as i32 / 2));
            d = d.weights(first, &weights);
        }
        Ok(Some(d.expr()))
    }
}

/// The samples of one point as an array of one dimension.
fn one_column(data: Data) -> Data {
    let &[samples, 1] = data.shape() else { return data };
    let flat = match &data {
        Data::F32(a) => a.clone().into_shape_with_order(vec![samples]).map(Data::from),
        Data::F64(a) => a.clone().into_shape_with_order(vec![samples]).map(Data::from),
    };
    flat.unwrap_or(data)
}

/// A function with a compressed history.
fn compressed(f: &wavefold_symbolic::FunctionRef, at: Span) -> Result<TimeFunction> {
    TimeFunction::from_function(f).filter(|u| u.compression().is_some()).ok_or_else(|| {
        Diagnostic::new("store::not_compressed", at, format!("`{}` is not compressed", f.name()))
            .help("compare with it as it is, or declare it with `save .. compress ..`")
    })
}

/// A number as it is printed: six digits, an exponent where there would be many zeros.
pub(crate) fn number_text(n: f64) -> String {
    let size = n.abs();
    if n.fract() == 0.0 && size < 1e15 || !n.is_finite() {
        return format!("{n}");
    }
    let trimmed = |digits: &str| match digits.contains('.') {
        true => digits.trim_end_matches('0').trim_end_matches('.').to_string(),
        false => digits.to_string(),
    };
    if (1e-4..1e6).contains(&size) {
        let decimals = 5 - size.log10().floor() as i32;
        return trimmed(&format!("{n:.*}", decimals.max(0) as usize));
    }
    let text = format!("{n:.5e}");
    match text.split_once('e') {
        Some((digits, exponent)) => format!("{}e{exponent}", trimmed(digits)),
        None => text,
    }
}

/// A number that is known.
pub(crate) fn number_of(v: &Value) -> Option<f64> {
    match v {
        Value::Number(n) => Some(*n),
        Value::Constant(c) => Some(c.value()),
        _ => None,
    }
}

/// An array in words, for prints.
pub(crate) fn data_text(data: &Data) -> String {
    match data.len() {
        0 => format!("nothing ({})", shape_text(data)),
        1 => number_text(data.max()),
        _ => format!(
            "{} values from {} to {}",
            shape_text(data),
            number_text(data.min()),
            number_text(data.max())
        ),
    }
}
