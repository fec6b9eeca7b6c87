//! Operators and their runs.

use wavefold_operator::{Apply, Backend, Operator};
use wavefold_runtime::{FieldData, RuntimeError};
use wavefold_symbolic::{Dim, Equation, Grid, TimeFunction, eq, inc, mirrored_surface, solve};

use crate::ast::{Equation as Written, EquationKind, Expr, ExprKind, Name, RunArgument, Span};
use crate::diagnostic::{Diagnostic, Result, nearest};
use crate::program::Machine;
use crate::value::Value;

/// What may be given to a run.
const ARGUMENTS: &[&str] = &[
    "dt",
    "time_m",
    "time_M",
    "time_min",
    "time_max",
    "threads",
    "backend",
    "nbits",
    "compscale",
    "snr",
    "bounds",
    "save_every",
];

impl Machine<'_> {
    pub(crate) fn operator(&mut self, name: &Name, body: &[Written], span: Span) -> Result<()> {
        let mut equations = vec![];
        let mut wrong: Option<Box<Diagnostic>> = None;
        self.equations(body, &mut equations, &mut wrong);
        if let Some(d) = wrong {
            return Err(d);
        }
        for (e, at) in &equations {
            e.check().map_err(|error| Diagnostic::of(&error.into(), *at))?;
        }
        let op = Operator::named(&name.text, equations.iter().map(|(e, _)| e.clone())).map_err(|error| {
            // The equation that the message quotes is the one to point at.
            let text = error.to_string();
            let quoted =
                equations.iter().find(|(e, _)| e.flatten().iter().any(|e| text.contains(&e.to_string())));
            Diagnostic::of(&error, quoted.map_or(Span::new(span.start, name.span.end), |(_, at)| *at))
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
            EquationKind::On { part, body } => {
                let Value::Part(region) = self.lookup(&part.text, part.span)? else {
                    let message = format!("`{}` is no part of the grid", part.text);
                    return Err(Diagnostic::new("name::kind", part.span, message)
                        .help("declare one: `part top on g left y 1`"));
                };
                let mut inner = vec![];
                self.equations(body, &mut inner, wrong);
                out.extend(inner.into_iter().map(|(e, at)| (e.on(&region), at)));
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
        let mut apply = op.apply().progress(&progress);
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
        if !self.live {
            // Checks sizes, overrides and replacements; the range is known when it runs.
            if !unknown {
                apply.estimate_memory().map_err(|e| Diagnostic::of(&e, span))?;
            }
            return Ok(());
        }
        let summary = apply.run().map_err(|e| Diagnostic::of(&e, span))?;
        if let Some(o) = &self.options.observer {
            o.ran(&summary);
        }
        self.note_levels(&op, summary.time_m, summary.time_max);
        self.report.runs.push(summary);
        self.finite(&op, name)
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
            "time_m" | "time_M" | "time_min" | "time_max" | "threads" | "nbits" | "save_every"
        ) && (number < 0.0 || number.fract() != 0.0)
        {
            let message = format!("`{}` is a whole number, and {number} is none", name.text);
            return Err((Box::new(apply), Diagnostic::new("run::whole", value.span, message)));
        }
        Ok(match (name.text.as_str(), of) {
            ("dt", None) => apply.dt(number),
            ("time_m" | "time_min", None) => apply.time_min(count),
            ("time_M" | "time_max", None) => apply.time_max(count),
            ("threads", None) => apply.threads(count),
            ("nbits", None) => apply.nbits(count.min(u32::MAX as usize) as u32),
            ("nbits", Some(f)) => apply.nbits_of(&f.text, count.min(u32::MAX as usize) as u32),
            ("compscale", None) => apply.compscale(number),
            ("compscale", Some(f)) => apply.compscale_of(&f.text, number),
            ("snr", None) => apply.snr(number),
            ("snr", Some(f)) => apply.snr_of(&f.text, number),
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
                let d = Diagnostic::new("run::argument", name.span, message)
                    .help("there are `nbits(u)`, `compscale(u)`, `snr(u)`, `save_every(u)` and `bounds(x)`");
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

    /// What a run wrote must be numbers: an unstable run is reported where it happens.
    fn finite(&mut self, op: &Operator, name: &Name) -> Result<()> {
        for e in op.equations().iter().flat_map(Equation::flatten) {
            let Some(f) = e.target().and_then(|t| t.as_access().map(|a| a.function.clone())) else {
                continue;
            };
            if f.compression().is_some() || f.is_temporary() {
                continue;
            }
            let data = match TimeFunction::from_function(&f) {
                Some(u) => u.at(self.newest(&u)),
                None => f.data(),
            };
            let data = data.map_err(|e: RuntimeError| Diagnostic::of(&e.into(), name.span))?;
            let Some((at, value)) = data.iter().enumerate().find(|(_, v)| !v.is_finite()) else { continue };
            let mut rest = at;
            let mut index: Vec<String> = vec![];
            for n in data.shape().iter().rev() {
                index.insert(0, (rest % n).to_string());
                rest /= n;
            }
            let message =
                format!("`{}` holds {value} at point ({}) after `{}`", f.name(), index.join(", "), name.text);
            return Err(Diagnostic::new("run::not_finite", name.span, message).help(
                "the run is probably unstable: use a smaller `dt`, and check the parameters for zeros",
            ));
        }
        Ok(())
    }
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
