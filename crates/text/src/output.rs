//! Data set, asserted, printed, written.

use wavefold_operator::{Backend, Operator, initialise};
use wavefold_runtime::{CompressedData, Data, FieldData, SparseData};
use wavefold_symbolic::{Function, FunctionRef, Grid, TimeFunction, eq};

use crate::ast::{Expr, ExprKind, Relation, Span, Suffix};
use crate::data::Shown;
use crate::diagnostic::{Diagnostic, Label, Result};
use crate::program::Machine;
use crate::value::{TensorHandle, Value, VectorHandle};

impl Machine<'_> {
    /// Keeps what is wrong besides the first thing of a statement.
    pub(crate) fn note(&mut self, d: Diagnostic) {
        self.add_wrong(d);
    }

    /// `set u at 0 = ..`
    pub(crate) fn set(&mut self, target: &Expr, value: &Expr) -> Result<()> {
        let (base, level) = match &target.kind {
            ExprKind::Suffixed(base, suffixes) => match suffixes.as_slice() {
                [] => (self.eval(base)?, None),
                [Suffix::At(n)] => (self.eval(base)?, Some(self.number(n)?)),
                _ => match suffixes.split_last() {
                    Some((Suffix::At(n), rest)) => {
                        let inner =
                            Expr { kind: ExprKind::Suffixed(base.clone(), rest.to_vec()), span: target.span };
                        (self.eval(&inner)?, Some(self.number(n)?))
                    }
                    _ => (self.eval(target)?, None),
                },
            },
            _ => (self.eval(target)?, None),
        };
        let failed = |e: wavefold_runtime::RuntimeError| Diagnostic::of(&e.into(), value.span);
        match &base {
            Value::Unknown => Ok(()),
            Value::Points(s) => {
                let v = self.eval(value)?;
                let v = self.settled(v, value.span)?;
                let v = self.sampled(v, value.span)?;
                let v = match &v {
                    Value::List(_) => self.data_of(&v, value.span)?.unwrap_or(v),
                    _ => v,
                };
                match v {
                    Value::Data(d) => self.if_live(|| {
                        let help = "one value for each sample and each point: samples x points";
                        s.set_data(d).map_err(|e| failed(e).help(help))
                    }),
                    Value::Number(n) => self.if_live(|| s.fill(n).map_err(failed)),
                    Value::Unknown => Ok(()),
                    other => Err(unfit(&base, &other, value.span)),
                }
            }
            Value::Function(f) => {
                self.grid = Some(f.grid().clone());
                let v = self.eval(value)?;
                let v = self.settled(v, value.span)?;
                let n = level.map(|n| n.max(0.0) as usize);
                self.set_function(f, v, n, &base, value)?;
                if self.live && self.extended.contains(&f.id()) {
                    f.extend_halo().map_err(failed)?;
                }
                Ok(())
            }
            Value::VectorHandle(_) | Value::TensorHandle(_) => {
                let v = self.eval(value)?;
                let v = self.settled(v, value.span)?;
                let n = level.map(|n| n.max(0.0) as usize);
                for f in components(&base) {
                    self.set_function(&f, v.clone(), n, &base, value)?;
                }
                Ok(())
            }
            Value::Constant(c) => {
                if !self.live {
                    self.changed.insert(c.name().to_string());
                }
                let n = self.number(value)?;
                if self.live {
                    c.set(n);
                }
                Ok(())
            }
            other => {
                let message = format!("{} holds no data that can be set", other.describe());
                Err(Diagnostic::new("set::target", target.span, message)
                    .help("functions, vectors, tensors, points and constants do; `let` names a number"))
            }
        }
    }

    fn set_function(
        &mut self,
        f: &FunctionRef,
        v: Value,
        n: Option<usize>,
        base: &Value,
        value: &Expr,
    ) -> Result<()> {
        let failed = |e: wavefold_runtime::RuntimeError| Diagnostic::of(&e.into(), value.span);
        match (v, n) {
            (Value::Unknown, _) => Ok(()),
            (Value::History(path), None) => match TimeFunction::from_function(f) {
                Some(f) => self.if_live(|| f.open_history(path).map_err(failed)),
                None => Err(unfit(base, &Value::History(path), value.span)),
            },
            (Value::Data(d), None) => {
                self.fits(f.name(), &d, &shapes(f), value.span)?;
                self.if_live(|| f.set_data(d).map_err(failed))
            }
            (Value::Data(d), Some(n)) => self.if_live(|| f.set_at(n, d).map_err(failed)),
            (Value::Number(v), None) => self.if_live(|| f.fill(v).map_err(failed)),
            (other, n) => {
                let e = other.scalar().ok_or_else(|| unfit(base, &other, value.span))?;
                if !self.live {
                    return Ok(());
                }
                let failed = |e: wavefold_operator::Error| Diagnostic::of(&e, value.span);
                match n {
                    None => match (TimeFunction::from_function(f), Function::from_function(f)) {
                        (Some(u), _) => initialise(&u, e).map_err(failed),
                        (_, Some(m)) => self.evaluate(&m, e, value.span),
                        _ => Ok(()),
                    },
                    Some(n) => {
                        let one = f.level("level_");
                        initialise(&one, e).map_err(failed)?;
                        let data = one.data().map_err(|e| Diagnostic::of(&e.into(), value.span))?;
                        f.set_at(n, data).map_err(|e| Diagnostic::of(&e.into(), value.span))
                    }
                }
            }
        }
    }

    /// All snapshots of a saved function.
    fn history(&self, f: &FunctionRef, span: Span) -> Result<Data> {
        let failed = |e: wavefold_runtime::RuntimeError| Diagnostic::of(&e.into(), span);
        match TimeFunction::from_function(f).filter(|u| u.compression().is_some()) {
            Some(u) => wavefold_runtime::decompress(&u).map_err(failed),
            None => f.data().map_err(failed),
        }
    }

    /// The values of an expression; functions of time at their newest level.
    fn evaluate(&self, f: &Function, e: wavefold_symbolic::Expr, span: Span) -> Result<()> {
        let failed = |e: wavefold_operator::Error| Diagnostic::of(&e, span);
        let functions = e.functions();
        if !functions.iter().any(|f| f.is_time()) {
            return initialise(f, e).map_err(failed);
        }
        let level = functions.iter().filter_map(|f| self.levels.get(&f.id())).max().copied().unwrap_or(0);
        let make = Operator::named("values", [eq(f, e)]).map_err(failed)?;
        let apply = make.apply().time_min(level).time_max(level).backend(Backend::Cranelift);
        apply.run().map(|_| ()).map_err(failed)
    }

    fn if_live(&self, act: impl FnOnce() -> Result<()>) -> Result<()> {
        if self.live { act() } else { Ok(()) }
    }

    fn fits(&self, name: &str, data: &Data, shapes: &[Vec<usize>], span: Span) -> Result<()> {
        if shapes.iter().any(|s| s == data.shape()) {
            return Ok(());
        }
        let wanted: Vec<String> =
            shapes.iter().map(|s| s.iter().map(usize::to_string).collect::<Vec<_>>().join(" x ")).collect();
        let message = format!(
            "`{name}` holds {} values, not {}",
            wanted.join(" or "),
            crate::declare::shape_text(data)
        );
        Err(Diagnostic::new("data::wrong_shape", span, message).help("the halo is not part of it"))
    }

    /// `assert max(u) < 1`
    pub(crate) fn assert(&mut self, condition: &Expr) -> Result<()> {
        self.facts = true;
        let held = self.eval(condition);
        let value = held?;
        match value {
            Value::Truth(true) => {
                self.report.asserts += 1;
                Ok(())
            }
            Value::Unknown => Ok(()),
            Value::Truth(false) => {
                let (span, sides) = self.untrue(condition);
                let mut d = Diagnostic::new("assert::failed", span, "the assertion does not hold");
                if !sides.is_empty() {
                    d.labels = sides;
                }
                Err(d)
            }
            other => {
                let message = format!("an assertion is a comparison, and this is {}", other.describe());
                Err(Diagnostic::new("assert::value", condition.span, message)
                    .help("write `assert max(u) < 1`"))
            }
        }
    }

    /// What both sides of a comparison are, at their places; of several comparisons, of the first that does not hold.
    fn untrue(&mut self, condition: &Expr) -> (Span, Vec<Label>) {
        match &condition.kind {
            ExprKind::Compare(relation, a, b) => (condition.span, self.sides(*relation, a, b)),
            ExprKind::And(list) => {
                let false_one = list.iter().find(|e| matches!(self.eval(e), Ok(Value::Truth(false))));
                false_one.map_or((condition.span, vec![]), |e| self.untrue(e))
            }
            _ => (condition.span, vec![]),
        }
    }

    /// What both sides of a comparison are; of two arrays, where they differ most.
    fn sides(&mut self, relation: Relation, a: &Expr, b: &Expr) -> Vec<Label> {
        let mut labels = vec![];
        let mut arrays = vec![];
        for e in [a, b] {
            let text = match self.eval(e).and_then(|v| self.settled(v, e.span)) {
                Ok(Value::Number(n)) => format!("this is {n}"),
                Ok(v) => match self.data_of(&v, e.span) {
                    Ok(Some(Value::Data(d))) => {
                        let text = format!("this is {}", crate::builtins::data_text(&d));
                        arrays.push(d);
                        text
                    }
                    _ => format!("this is {}", v.describe()),
                },
                Err(_) => "this is unknown".into(),
            };
            labels.push(Label { span: e.span, text });
        }
        if let ([a, b], Relation::Equal) = (arrays.as_slice(), relation)
            && let Some((index, v, w)) = furthest(a, b)
        {
            labels[0].text.push_str(&format!("; {v} at ({index})"));
            labels[1].text.push_str(&format!("; {w} there"));
        }
        labels
    }

    /// `print "peak", max(u)`
    pub(crate) fn print(&mut self, values: &[Expr]) -> Result<()> {
        self.facts = true;
        let mut words = vec![];
        for e in values {
            let v = self.eval(e)?;
            let v = self.settled(v, e.span)?;
            words.push(match &v {
                Value::Text(t) => t.clone(),
                Value::Number(n) => crate::builtins::number_text(*n),
                Value::Truth(t) => format!("{t}"),
                Value::Constant(c) => crate::builtins::number_text(c.value()),
                Value::Operator(op) => op.to_string().trim_end().to_string(),
                Value::Unknown => String::new(),
                other => match self.shown(other, e.span)? {
                    Some(d) => crate::builtins::data_text(&d),
                    None => match other.scalar() {
                        Some(e) => e.to_string(),
                        None => other.describe().to_string(),
                    },
                },
            });
        }
        if self.live {
            let line = words.join(" ");
            if let Some(o) = &self.options.observer {
                o.say(&line);
            }
            self.report.printed.push(line);
        }
        Ok(())
    }

    /// `write u to "u.png"`
    pub(crate) fn write(&mut self, value: &Expr, path: &Expr) -> Result<()> {
        let Value::Text(to) = self.eval(path)? else {
            return Err(Diagnostic::new("write::path", path.span, "the path of a file is a text")
                .help("write `write u to \"u.png\"`"));
        };
        if to.ends_with(".wfh") {
            return self.save_history(value, &to, path.span);
        }
        let kinds = [".npy", ".csv", ".png", ".vti", ".wfh"];
        if !kinds.iter().any(|k| to.ends_with(k)) {
            let message = format!("`{to}` is no kind of file that can be written");
            return Err(Diagnostic::new("file::format", path.span, message)
                .help(format!("end its name with {}", kinds.join(", "))));
        }
        let v = self.eval(value)?;
        let grid: Option<Grid> = match &v {
            Value::Function(f) => Some(f.grid().clone()),
            Value::Scalar(e) => e.functions().first().map(|f| f.grid().clone()).or(self.grid.clone()),
            _ => self.grid.clone(),
        };
        let title = match &value.kind {
            ExprKind::Name(n) => n.clone(),
            ExprKind::Suffixed(base, suffixes) => match &base.kind {
                ExprKind::Name(n) => {
                    let mut title = n.clone();
                    for suffix in suffixes {
                        match suffix {
                            Suffix::Member(member, _) => title.push_str(&format!(".{}", member.text)),
                            Suffix::At(_) => {}
                        }
                    }
                    title
                }
                _ => String::new(),
            },
            ExprKind::Call(called, arguments) => match arguments.first().map(|a| &a.value.kind) {
                Some(ExprKind::Name(n)) => format!("{}({n})", called.text),
                _ => called.text.clone(),
            },
            _ => String::new(),
        };
        if !self.live {
            return Ok(());
        }
        // On a line, the newest level alone would be no picture.
        let history = match &v {
            Value::Function(f) if to.ends_with(".png") && f.grid().rank() == 1 && f.save().is_some() => {
                Some(self.history(f, value.span)?)
            }
            _ => None,
        };
        let shown = match &v {
            _ if history.is_some() => Shown::History,
            Value::Points(_) => Shown::Samples,
            _ => Shown::Field,
        };
        let newest = if history.is_some() { history } else { self.shown(&v, value.span)? };
        let data = match newest {
            Some(d) => d,
            None => match v.scalar() {
                Some(e) => {
                    let Some(grid) = grid.clone() else { return Err(unwritable(&v, value.span)) };
                    let f = Function::new("values_", &grid).space_order(0).build();
                    let f = f.map_err(|e| Diagnostic::of(&e.into(), value.span))?;
                    self.evaluate(&f, e, value.span)?;
                    f.data().map_err(|e| Diagnostic::of(&e.into(), value.span))?
                }
                None => return Err(unwritable(&v, value.span)),
            },
        };
        let written =
            crate::data::write(&self.options.folder, &to, (&data, shown), grid.as_ref(), &title, path.span)?;
        self.report.written.push(written);
        Ok(())
    }
}

/// The functions of a vector or tensor.
fn components(v: &Value) -> Vec<FunctionRef> {
    match v {
        Value::VectorHandle(VectorHandle::Space(v)) => v.components().iter().map(Into::into).collect(),
        Value::VectorHandle(VectorHandle::Time(v)) => v.components().iter().map(Into::into).collect(),
        Value::TensorHandle(TensorHandle::Space(t)) => t.components().iter().map(|f| (*f).into()).collect(),
        Value::TensorHandle(TensorHandle::Time(t)) => t.components().iter().map(|f| (*f).into()).collect(),
        _ => vec![],
    }
}

impl Machine<'_> {
    /// `write usave to "u.wfh"`
    fn save_history(&mut self, value: &Expr, to: &str, path: Span) -> Result<()> {
        let function = match self.eval(value)? {
            Value::Unknown => return Ok(()),
            Value::Function(f) if f.compression().is_some() => TimeFunction::from_function(&f),
            _ => None,
        };
        let Some(function) = function else {
            let message = "a .wfh file holds a compressed history, and this is none";
            return Err(Diagnostic::new("write::history", value.span, message)
                .help("declare it with `save .. compress ..`, or end the name with .npy"));
        };
        if self.live {
            let full = self.options.folder.join(to);
            function.save_history(&full).map_err(|e| Diagnostic::of(&e.into(), path))?;
            self.report.written.push(full);
        }
        Ok(())
    }
}

/// Where two arrays of one shape differ most, with both values.
fn furthest(a: &Data, b: &Data) -> Option<(String, f64, f64)> {
    if a.shape() != b.shape() {
        return None;
    }
    let distance = |v: f64, w: f64| if v == w { 0.0 } else { (v - w).abs().max(f64::MIN_POSITIVE) };
    let worse = |best: &(usize, f64, f64), (i, (v, w)): (usize, (f64, f64))| {
        // NaN differs from everything.
        let (d, most) = (distance(v, w), distance(best.1, best.2));
        if most.is_nan() || d <= most { *best } else { (i, v, w) }
    };
    let mut best = (0, 0.0, 0.0);
    for item in a.iter().zip(b.iter()).enumerate() {
        best = worse(&best, item);
    }
    if distance(best.1, best.2) == 0.0 {
        return None;
    }
    let mut rest = best.0;
    let mut index: Vec<String> = vec![];
    for n in a.shape().iter().rev() {
        index.insert(0, (rest % n).to_string());
        rest /= n;
    }
    Some((index.join(", "), best.1, best.2))
}

/// Shapes of data that a function takes.
fn shapes(f: &wavefold_symbolic::FunctionDecl) -> Vec<Vec<usize>> {
    let one = f.shape();
    if f.is_time() { vec![[&[f.buffers()], &one[..]].concat(), one] } else { vec![one] }
}

fn unfit(target: &Value, v: &Value, span: Span) -> Box<Diagnostic> {
    let message = format!("{} cannot be set to {}", target.describe(), v.describe());
    Diagnostic::new("set::value", span, message).help(
        "set it to a number, an expression such as `exp(-x^2)`, or an array such as `load(\"model.npy\")`",
    )
}

fn unwritable(v: &Value, span: Span) -> Box<Diagnostic> {
    Diagnostic::new("write::value", span, format!("{} cannot be written to a file", v.describe()))
        .help("write a function, points, a series, or an array")
}
