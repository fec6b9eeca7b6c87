//! Operators and their runs.

use std::collections::HashMap;

use wavefold_operator::{Apply, Backend, Operator};
use wavefold_symbolic::{Dim, Equation, Grid, TimeFunction, eq, inc, mirrored_surface, solve};

use crate::ast::{Equation as Written, EquationKind, Expr, ExprKind, Name, RunArgument, Span};
use crate::diagnostic::{Diagnostic, Result, nearest};
use crate::program::Machine;
use crate::value::Value;

/// Names of what may be given to a run.
pub const ARGUMENTS: &[&str] = &[
    "dt",
    "time_m",
    "time_M",
    "time_min",
    "time_max",
    "threads",
    "steps_at_a_time",
    "backend",
    "nbits",
    "compscale",
    "snr",
    "max_error",
    "bounds",
    "save_every",
    "memory_limit",
    "codec_threads",
    "stability",
];

/// Rounds of a loop in an operator, at most: each makes its equations.
const MOST_ROUNDS: f64 = 1000.0;

/// Equations of all rounds, at most.
const MOST_EQUATIONS: usize = 10_000;

impl Machine<'_> {
    pub(crate) fn operator(&mut self, name: &Name, body: &[Written], span: Span) -> Result<()> {
        let mut equations = vec![];
        let mut wrong: Option<Box<Diagnostic>> = None;
        self.equations(body, &mut equations, &mut wrong);
        if let Some(d) = wrong {
            return Err(d);
        }
        for (e, at) in &equations {
            e.check().map_err(|error| {
                let left = (error.code() == "equation::lhs").then(|| target_of(body, *at)).flatten();
                Diagnostic::of(&error.into(), *at).at(left)
            })?;
        }
        let op = Operator::named(&name.text, equations.iter().map(|(e, _)| e.clone())).map_err(|error| {
            // The equations that the error quotes are those to point at.
            let text = format!("{error}\n{}", error.help().unwrap_or_default());
            let mut quoted: Vec<(usize, Span)> = equations
                .iter()
                .filter_map(|(e, at)| {
                    let place = |e: &Equation| quoted_at(&text, &e.to_string());
                    Some((e.flatten().iter().find_map(place)?, *at))
                })
                .collect();
            quoted.sort_by_key(|(place, _)| *place);
            let whole = Span::new(span.start, name.span.end);
            let d = Diagnostic::of(&error, quoted.first().map_or(whole, |(_, at)| *at));
            let (first, second) = match error.code() {
                "compress::read_and_write" => ("written here", "read here"),
                "compress::written_twice" => ("first here", "again here"),
                "time::direction" => ("forwards here", "backwards here"),
                _ => return d,
            };
            match quoted.get(1) {
                Some((_, at)) => d.label(first).also(*at, second),
                None => d,
            }
        })?;
        self.report.operators.push((name.text.clone(), op.clone()));
        self.define(name, Value::Operator(op))
    }

    /// The equations of a block; of what is wrong, the first is kept and the rest is reported at once.
    fn equations(
        &mut self,
        body: &[Written],
        out: &mut Vec<(Equation, Span)>,
        wrong: &mut Option<Box<Diagnostic>>,
    ) {
        for e in body {
            if let Err(d) = self.equation(e, out, wrong) {
                match wrong {
                    None => *wrong = Some(d),
                    Some(first) if first.is_silent() => *first = d,
                    Some(_) => self.note(*d),
                }
            }
        }
    }

    fn equation(
        &mut self,
        e: &Written,
        out: &mut Vec<(Equation, Span)>,
        wrong: &mut Option<Box<Diagnostic>>,
    ) -> Result<()> {
        match &e.kind {
            EquationKind::Assign { target, increment, value } => {
                let made = self.assignment(target, *increment, value)?;
                out.push((made, e.span));
            }
            EquationKind::Solve { left, right, target } => {
                let aim = self.scalar(target)?;
                self.on_grid_of(&aim);
                let rest = self.scalar(left)? - self.scalar(right)?;
                let value = solve(rest, &aim).map_err(|error| Diagnostic::of(&error.into(), e.span))?;
                out.push((eq(aim, value), e.span));
            }
            EquationKind::Inject { value, target, through } => {
                let made = self.injection(value, target, through.as_ref())?;
                out.push((made, e.span));
            }
            EquationKind::On { parts, body } => {
                let mut regions = vec![];
                for part in parts {
                    let Value::Part(region) = self.lookup(&part.text, part.span)? else {
                        let message = format!("`{}` is no part of the grid", part.text);
                        return Err(Diagnostic::new("name::kind", part.span, message)
                            .help("declare one: `part top on g left y 1`"));
                    };
                    regions.push(region);
                }
                let mut inner = vec![];
                self.equations(body, &mut inner, wrong);
                for region in &regions {
                    out.extend(inner.iter().map(|(e, at)| (e.clone().on(region), *at)));
                }
            }
            EquationKind::Repeat { variable, from, to, body } => {
                self.repeated(variable, from, to, body, out, wrong)?;
            }
            EquationKind::When { condition, body } => {
                let condition = self.condition(condition)?;
                let mut inner = vec![];
                self.equations(body, &mut inner, wrong);
                out.extend(inner.into_iter().map(|(e, at)| (e.when(condition.clone()), at)));
            }
            EquationKind::Surface { dim, even, body } => {
                let along = crate::declare::dim(&dim.text, dim.span)?;
                let mut mirrored = vec![];
                for name in even {
                    match self.lookup(&name.text, name.span)? {
                        Value::Function(f) if f.is_time() => mirrored.extend(TimeFunction::from_function(&f)),
                        other => {
                            let message =
                                format!("`{}` is {}, no function of time", name.text, other.describe());
                            return Err(Diagnostic::new("name::kind", name.span, message));
                        }
                    }
                }
                let mut inner = vec![];
                self.equations(body, &mut inner, wrong);
                let even: Vec<&TimeFunction> = mirrored.iter().collect();
                for (e, at) in inner {
                    let grid = e.functions().first().map(|f| f.grid().clone());
                    if let Some(grid) = grid {
                        out.push((mirrored_surface(&e, along, &grid, &even), at));
                    }
                }
            }
        }
        Ok(())
    }

    /// The equations of a block, once for each value of a variable.
    fn repeated(
        &mut self,
        variable: &Name,
        from: &Expr,
        to: &Expr,
        body: &[Written],
        out: &mut Vec<(Equation, Span)>,
        wrong: &mut Option<Box<Diagnostic>>,
    ) -> Result<()> {
        let (first, last) = (self.number(from)?, self.number(to)?);
        let rounds = last - first;
        if rounds.is_nan() || rounds >= MOST_ROUNDS || first.abs() > 1e15 {
            let message = format!("equations cannot be repeated from {first} to {last}");
            return Err(Diagnostic::new("repeat::range", Span::new(from.span.start, to.span.end), message)
                .help(format!(
                    "an operator repeats at most {MOST_ROUNDS} times; time steps are made by `run`"
                )));
        }
        for i in first as i64..=last as i64 {
            self.names.push(HashMap::from([(variable.text.clone(), Value::Number(i as f64))]));
            self.equations(body, out, wrong);
            self.names.pop();
            if wrong.is_some() {
                break;
            }
            if out.len() > MOST_EQUATIONS {
                let message = format!("more than {MOST_EQUATIONS} equations are repeated here");
                return Err(Diagnostic::new(
                    "repeat::range",
                    Span::new(from.span.start, to.span.end),
                    message,
                )
                .help("time steps are made by `run`"));
            }
        }
        Ok(())
    }

    fn scalar(&mut self, e: &Expr) -> Result<wavefold_symbolic::Expr> {
        let value = self.eval(e)?;
        if matches!(value, Value::Unknown) {
            return Err(Diagnostic::silent());
        }
        value.scalar().ok_or_else(|| {
            let message = format!("an expression is needed here, and this is {}", value.describe());
            Diagnostic::new("value::expression", e.span, message)
        })
    }

    /// Dimensions of expressions are those of the grid that an equation writes on.
    fn on_grid_of(&mut self, e: &wavefold_symbolic::Expr) {
        let grid: Option<Grid> = e.functions().first().map(|f| f.grid().clone());
        self.grid = grid.or(self.grid.take());
    }

    fn assignment(&mut self, target: &Expr, increment: bool, value: &Expr) -> Result<Equation> {
        let aim = self.eval(target)?;
        let mismatch = |v: &Value| {
            let message = format!("{} cannot become {}", aim.describe(), v.describe());
            Diagnostic::new("equation::kinds", value.span, message)
                .help("both sides must be numbers at a point, vectors, or tensors; `grad(p)`, `div(v)` and components such as `v.x` lead from one to another")
        };
        match &aim {
            Value::Unknown => Err(Diagnostic::silent()),
            Value::Series(series) => {
                if increment {
                    return Err(Diagnostic::new(
                        "series::increment",
                        target.span,
                        "a series is set, not added to",
                    ));
                }
                let ExprKind::Call(name, arguments) = strip(value) else {
                    return Err(series_form(value.span));
                };
                let [argument] = arguments.as_slice() else { return Err(series_form(value.span)) };
                let e = self.scalar(&argument.value)?;
                match name.text.as_str() {
                    "sum" | "total" => Ok(series.sum(e)),
                    "max" => Ok(series.max(e)),
                    "min" => Ok(series.min(e)),
                    _ => Err(series_form(value.span)),
                }
            }
            Value::Points(points) => {
                let e = self.scalar(value)?;
                Ok(Equation::new(wavefold_symbolic::EquationKind::Interpolate {
                    sparse: points.clone(),
                    value: e,
                    increment,
                }))
            }
            _ => {
                if let Some(aim) = aim.scalar() {
                    self.on_grid_of(&aim);
                    let v = self.eval(value)?;
                    if matches!(v, Value::Unknown) {
                        return Err(Diagnostic::silent());
                    }
                    let v = v.scalar().ok_or_else(|| mismatch(&v))?;
                    return Ok(if increment { inc(aim, v) } else { eq(aim, v) });
                }
                let v = self.eval(value)?;
                if let Some(aim) = aim.vector() {
                    return match (v.vector(), v.scalar()) {
                        (Some(v), _) => Ok(if increment { inc(aim, v) } else { eq(aim, v) }),
                        (_, Some(v)) => Ok(if increment { inc(aim, v) } else { eq(aim, v) }),
                        _ => Err(mismatch(&v)),
                    };
                }
                if let Some(aim) = aim.tensor() {
                    return match (v.tensor(), v.scalar()) {
                        (Some(v), _) => Ok(if increment { inc(aim, v) } else { eq(aim, v) }),
                        (_, Some(v)) => Ok(if increment { inc(aim, v) } else { eq(aim, v) }),
                        _ => Err(mismatch(&v)),
                    };
                }
                let message = format!("{} cannot be written by an equation", aim.describe());
                Err(Diagnostic::new("equation::target", target.span, message)
                    .help("the left side is a function, `u.forward`, points, or a series"))
            }
        }
    }

    fn injection(&mut self, value: &Expr, target: &Expr, through: Option<&Name>) -> Result<Equation> {
        let aim = self.scalar(target)?;
        self.on_grid_of(&aim);
        let e = self.scalar(value)?;
        let sparse = match through {
            Some(name) => match self.lookup(&name.text, name.span)? {
                Value::Points(s) => s,
                other => {
                    let message = format!("`{}` is {}, no set of points", name.text, other.describe());
                    return Err(Diagnostic::new("name::kind", name.span, message));
                }
            },
            None => {
                let mut named = e.sparse();
                named.dedup();
                match named.as_slice() {
                    [one] => one.clone(),
                    [] => {
                        return Err(Diagnostic::new(
                            "inject::points",
                            value.span,
                            "nothing here says at which points",
                        )
                        .help(
                            "name a set of points: `inject src*dt^2/m into u.forward`, or add `through src`",
                        ));
                    }
                    _ => {
                        return Err(Diagnostic::new(
                            "inject::points",
                            value.span,
                            "several sets of points are named here",
                        )
                        .help("say which: add `through src`"));
                    }
                }
            }
        };
        Ok(Equation::new(wavefold_symbolic::EquationKind::Inject { sparse, target: aim, value: e }))
    }

    pub(crate) fn apply(&mut self, name: &Name, arguments: &[RunArgument], span: Span) -> Result<()> {
        let op = match self.lookup(&name.text, name.span)? {
            Value::Operator(op) => op,
            other => {
                let message = format!("`{}` is {}, no operator", name.text, other.describe());
                return Err(Diagnostic::new("name::kind", name.span, message)
                    .help("define one: `operator step { .. }`"));
            }
        };
        let observer = self.options.observer.clone();
        let progress = |done: u64, all: u64| {
            if let Some(o) = &observer {
                o.step(&name.text, done, all);
            }
        };
        let idle = std::sync::atomic::AtomicBool::new(false);
        let cancel = self.options.cancel.clone();
        let mut apply =
            op.apply().cancel(cancel.as_deref().unwrap_or(&idle)).check_finite(true).progress(&progress);
        if let Some(backend) = self.options.backend {
            apply = apply.backend(backend);
        }
        if let Some(threads) = self.options.threads {
            apply = apply.threads(threads);
        }
        let mut unknown = false;
        for a in arguments {
            match self.argument(apply, a) {
                Ok(next) => apply = next,
                Err((next, d)) if d.is_silent() => {
                    unknown = true;
                    apply = *next;
                }
                Err((_, d)) => return Err(d),
            }
        }
        let blame = |e: wavefold_operator::Error| {
            let place = blamed(e.code(), arguments);
            Diagnostic::of(&e, span).at(place)
        };
        if !self.live {
            // Checks sizes, overrides and replacements; the range is known when it runs.
            if !unknown {
                apply.estimate_memory().map_err(blame)?;
            }
            return Ok(());
        }
        let needed = apply.estimate_memory().map_err(blame)?.bytes();
        if let Some(all) = machine_memory().filter(|all| needed > *all) {
            let gigabytes = |bytes: u64| bytes as f64 / 1e9;
            let message = format!(
                "`{}` needs {:.1} GB of memory, and this machine has {:.1} GB",
                name.text,
                gigabytes(needed),
                gigabytes(all)
            );
            return Err(Diagnostic::new("run::memory", span, message)
                .help("use a smaller grid, fewer snapshots, or compress them; `wavefold inspect --stage memory` counts"));
        }
        let summary = apply.run().map_err(blame)?;
        if let Some(o) = &self.options.observer {
            o.ran(&summary);
        }
        self.note_levels(&op, summary.time_m, summary.time_max);
        self.report.runs.push(summary);
        Ok(())
    }

    /// One argument of a run; an error gives the arguments so far back.
    fn argument<'x>(
        &mut self,
        apply: Apply<'x>,
        a: &RunArgument,
    ) -> std::result::Result<Apply<'x>, (Box<Apply<'x>>, Box<Diagnostic>)> {
        let (name, of, value) = match a {
            RunArgument::With { function, other } => {
                let handle = |m: &Self, name: &Name| match m.lookup(&name.text, name.span)? {
                    Value::Function(f) => Ok(wavefold_operator::Handle::Function(f)),
                    Value::Points(s) => Ok(wavefold_operator::Handle::Sparse(s)),
                    v => {
                        let message = format!("`{}` is {}, no function", name.text, v.describe());
                        Err(Diagnostic::new("name::kind", name.span, message))
                    }
                };
                return match (handle(self, function), handle(self, other)) {
                    (Ok(f), Ok(g)) => Ok(apply.with(f, g)),
                    (Err(d), _) | (_, Err(d)) => Err((Box::new(apply), d)),
                };
            }
            RunArgument::Value { name, of, value } => (name, of, value),
        };
        if name.text == "backend" {
            let text = match &value.kind {
                ExprKind::Name(text) | ExprKind::Text(text) => text.as_str(),
                _ => "",
            };
            return match text.parse::<Backend>() {
                Ok(backend) => Ok(apply.backend(backend)),
                Err(e) => Err((Box::new(apply), Diagnostic::of(&e, value.span))),
            };
        }
        if name.text == "stability" {
            return match &value.kind {
                ExprKind::Name(word) if word == "off" => Ok(apply.check_stability(false)),
                _ => {
                    let message = "`stability` is checked, unless it is `off`";
                    let d = Diagnostic::new("run::stability", value.span, message);
                    Err((Box::new(apply), d.help("write `stability = off`, or leave it out")))
                }
            };
        }
        if name.text == "bounds" {
            return match self.bounds(of.as_ref(), name, value) {
                Ok((d, a, b)) => Ok(apply.bounds(d, a, b)),
                Err(d) => Err((Box::new(apply), d)),
            };
        }
        let number = match self.number(value) {
            Ok(n) => n,
            Err(d) => return Err((Box::new(apply), d)),
        };
        let count = number.max(0.0) as usize;
        if matches!(
            name.text.as_str(),
            "time_m"
                | "time_M"
                | "time_min"
                | "time_max"
                | "threads"
                | "steps_at_a_time"
                | "nbits"
                | "save_every"
                | "memory_limit"
                | "codec_threads"
        ) && (number < 0.0 || number.fract() != 0.0)
        {
            let message = format!("`{}` is a whole number, and {number} is none", name.text);
            let d = Diagnostic::new("run::whole", value.span, message)
                .help("steps and counts are whole: 0, 1, 2, ..");
            return Err((Box::new(apply), d));
        }
        Ok(match (name.text.as_str(), of) {
            ("dt", None) => apply.dt(number),
            ("time_m" | "time_min", None) => apply.time_min(count),
            ("time_M" | "time_max", None) => apply.time_max(count),
            ("threads", None) => apply.threads(count),
            ("steps_at_a_time", None) => apply.steps_at_a_time(count),
            ("memory_limit", None) => apply.memory_limit(count),
            ("codec_threads", None) => apply.codec_threads(count),
            ("nbits", None) => apply.nbits(count.min(u32::MAX as usize) as u32),
            ("nbits", Some(f)) => apply.nbits_of(&f.text, count.min(u32::MAX as usize) as u32),
            ("compscale", None) => apply.compscale(number),
            ("compscale", Some(f)) => apply.compscale_of(&f.text, number),
            ("snr", None) => apply.snr(number),
            ("snr", Some(f)) => apply.snr_of(&f.text, number),
            ("max_error", None) => apply.max_error(number),
            ("max_error", Some(f)) => apply.max_error_of(&f.text, number),
            ("save_every", Some(f)) => apply.save_every_of(&f.text, count),
            (other, None) => match self.lookup(other, name.span) {
                Ok(Value::Constant(c)) => apply.set(&c, number),
                _ => {
                    let d = Diagnostic::new(
                        "run::argument",
                        name.span,
                        format!("a run has no argument `{other}`"),
                    );
                    let d = match nearest(other, ARGUMENTS.iter().copied()) {
                        Some(like) => d.help(format!("did you mean `{like}`?")),
                        None => d.help(format!("there are {}, and constants by name", ARGUMENTS.join(", "))),
                    };
                    return Err((Box::new(apply), d));
                }
            },
            (other, Some(f)) => {
                let message = format!("a run has no argument `{other}({})`", f.text);
                let d = Diagnostic::new("run::argument", name.span, message).help(
                    "there are `nbits(u)`, `compscale(u)`, `snr(u)`, `max_error(u)`, `save_every(u)` and `bounds(x)`",
                );
                return Err((Box::new(apply), d));
            }
        })
    }

    fn bounds(&mut self, of: Option<&Name>, name: &Name, value: &Expr) -> Result<(Dim, usize, usize)> {
        let wrong = || {
            Diagnostic::new(
                "run::bounds",
                name.span,
                "bounds are those of a dimension: the first point and the last",
            )
            .help("write `bounds(x) = [10, 90]`")
        };
        let along = of.ok_or_else(wrong)?;
        let along = crate::declare::dim(&along.text, along.span)?;
        let Value::List(list) = self.eval(value)? else { return Err(wrong()) };
        match list.as_slice() {
            [Value::Number(a), Value::Number(b)] if *a >= 0.0 && *b >= 0.0 => {
                Ok((along, *a as usize, *b as usize))
            }
            _ => Err(wrong()),
        }
    }

    /// Remembers the newest level of what a run wrote.
    fn note_levels(&mut self, op: &Operator, first: i64, last: i64) {
        let targets: Vec<(u64, i32, Option<usize>)> = op
            .equations()
            .iter()
            .flat_map(Equation::flatten)
            .filter_map(|e| {
                let access = e.target()?.as_access()?.clone();
                let every = access.function.save().map(|_| access.function.save_every());
                access.function.is_time().then(|| (access.function.id(), access.time, every))
            })
            .collect();
        let descending = targets.iter().any(|(_, shift, _)| *shift < 0);
        for (id, shift, every) in targets {
            let level = match every {
                Some(every) => last / every as i64,
                None if descending => first + i64::from(shift),
                None => last + i64::from(shift),
            };
            let level = level.max(0) as usize;
            let newest = self.levels.entry(id).or_insert(level);
            *newest = if descending { level } else { level.max(*newest) };
        }
    }
}

/// Memory of the machine in bytes, where the system tells: it grants more, and ends the process when that is used.
fn machine_memory() -> Option<u64> {
    let field = |name| wavefold_runtime::system::memory("/proc/meminfo", name);
    Some(field("MemTotal:")? + field("SwapTotal:").unwrap_or(0))
}

/// Where a text quotes an equation: not as a part of a longer one.
fn quoted_at(text: &str, equation: &str) -> Option<usize> {
    text.match_indices(equation).map(|(at, _)| at).find(|at| {
        let after = &text[at + equation.len()..];
        !after.starts_with([' ', '*', '/', '^', '('])
            || after.starts_with(" and ")
            || after.starts_with(" uses ")
            || after.starts_with(" writes ")
    })
}

/// The left side of the equation at a place.
fn target_of(body: &[Written], at: Span) -> Option<Span> {
    body.iter().find_map(|e| match &e.kind {
        EquationKind::Assign { target, .. } if e.span == at => Some(target.span),
        EquationKind::On { body, .. }
        | EquationKind::When { body, .. }
        | EquationKind::Surface { body, .. } => target_of(body, at),
        _ => None,
    })
}

/// The argument of a run that an error of the library is about.
fn blamed(code: &str, arguments: &[RunArgument]) -> Option<Span> {
    let names: &[&str] = match code {
        "stability::dt" => &["dt"],
        "apply::bad_scalar" => &["dt"],
        "apply::bounds" => &["bounds"],
        "override::unused" | "override::unknown" => &["nbits", "compscale", "snr", "max_error"],
        "threads::count" | "threads::start" => &["threads"],
        "time::empty_range" | "time::out_of_range" => &["time_M", "time_max", "time_m", "time_min"],
        "apply::mismatch" | "apply::twice" => {
            return arguments.iter().find_map(|a| match a {
                RunArgument::With { function, other } => Some(Span::new(function.span.start, other.span.end)),
                RunArgument::Value { .. } => None,
            });
        }
        _ => &[],
    };
    names.iter().find_map(|wanted| {
        arguments.iter().find_map(|a| match a {
            RunArgument::Value { name, value, .. } if name.text == *wanted => {
                Some(Span::new(name.span.start, value.span.end))
            }
            _ => None,
        })
    })
}

fn strip(e: &Expr) -> &ExprKind {
    match &e.kind {
        ExprKind::Suffixed(base, suffixes) if suffixes.is_empty() => &base.kind,
        kind => kind,
    }
}

fn series_form(span: Span) -> Box<Diagnostic> {
    Diagnostic::new("series::value", span, "a series is the sum, largest or least value of an expression")
        .help("write `energy = sum(u^2)`, `peak = max(abs(u))`")
}
