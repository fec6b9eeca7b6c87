//! Data set, asserted, printed, written.

use wavefold_operator::initialise;
use wavefold_runtime::{Data, FieldData, SparseData};
use wavefold_symbolic::{Function, Grid, TimeFunction};

use crate::ast::{Expr, ExprKind, Relation, Span, Suffix};
use crate::diagnostic::{Diagnostic, Result};
use crate::program::Machine;
use crate::value::Value;

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
                match v {
                    Value::Data(d) => self.if_live(|| s.set_data(d).map_err(failed)),
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
                match (v, n) {
                    (Value::Unknown, _) => Ok(()),
                    (Value::Data(d), None) => {
                        self.fits(f.name(), &d, &shapes(f), value.span)?;
                        self.if_live(|| f.set_data(d).map_err(failed))
                    }
                    (Value::Data(d), Some(n)) => self.if_live(|| f.set_at(n, d).map_err(failed)),
                    (Value::Number(v), None) => self.if_live(|| f.fill(v).map_err(failed)),
                    (other, n) => {
                        let e = other.scalar().ok_or_else(|| unfit(&base, &other, value.span))?;
                        if !self.live {
                            return Ok(());
                        }
                        let failed = |e: wavefold_operator::Error| Diagnostic::of(&e, value.span);
                        match n {
                            None => match (TimeFunction::from_function(f), Function::from_function(f)) {
                                (Some(u), _) => initialise(&u, e).map_err(failed),
                                (_, Some(m)) => initialise(&m, e).map_err(failed),
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
            Value::Constant(c) => {
                let n = self.number(value)?;
                if self.live {
                    c.set(n);
                }
                Ok(())
            }
            other => {
                let message = format!("{} holds no data that can be set", other.describe());
                Err(Diagnostic::new("set::target", target.span, message)
                    .help("functions, points and constants do; `let` names a number"))
            }
        }
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
        let failed = |what: String| {
            Diagnostic::new("assert::failed", condition.span, "the assertion does not hold").label(what)
        };
        match value {
            Value::Truth(true) => {
                self.report.asserts += 1;
                Ok(())
            }
            Value::Unknown => Ok(()),
            Value::Truth(false) => {
                let sides = match &condition.kind {
                    ExprKind::Compare(relation, a, b) => self.sides(*relation, a, b),
                    _ => String::new(),
                };
                Err(failed(sides))
            }
            other => {
                let message = format!("an assertion is a comparison, and this is {}", other.describe());
                Err(Diagnostic::new("assert::value", condition.span, message)
                    .help("write `assert max(u) < 1`"))
            }
        }
    }

    /// What both sides of a comparison are.
    fn sides(&mut self, _: Relation, a: &Expr, b: &Expr) -> String {
        let mut texts = vec![];
        for e in [a, b] {
            let text = match self.eval(e).and_then(|v| self.settled(v, e.span)) {
                Ok(Value::Number(n)) => format!("{n}"),
                Ok(v) => match self.data_of(&v, e.span) {
                    Ok(Some(Value::Data(d))) => crate::builtins::data_text(&d),
                    _ => v.describe().to_string(),
                },
                Err(_) => "unknown".into(),
            };
            texts.push(text);
        }
        format!("{} here, {} there", texts[0], texts[1])
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
                Value::Number(n) => format!("{n}"),
                Value::Truth(t) => format!("{t}"),
                Value::Constant(c) => format!("{}", c.value()),
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
        let kinds = [".npy", ".csv", ".png", ".vti"];
        if !kinds.iter().any(|k| to.ends_with(k)) {
            let message = format!("`{to}` is no kind of file that can be written");
            return Err(Diagnostic::new("file::format", path.span, message)
                .help(format!("end its name with {}", kinds.join(", "))));
        }
        let v = self.eval(value)?;
        let grid: Option<Grid> = match &v {
            Value::Function(f) => Some(f.grid().clone()),
            _ => self.grid.clone(),
        };
        let title = match &value.kind {
            ExprKind::Name(n) => n.clone(),
            ExprKind::Suffixed(base, _) => match &base.kind {
                ExprKind::Name(n) => n.clone(),
                _ => "values".into(),
            },
            _ => "values".into(),
        };
        if !self.live {
            return Ok(());
        }
        let data = match self.shown(&v, value.span)? {
            Some(d) => d,
            None => match v.scalar() {
                Some(e) => {
                    let Some(grid) = grid.clone() else { return Err(unwritable(&v, value.span)) };
                    let f = Function::new("values_", &grid).space_order(0).build();
                    let f = f.map_err(|e| Diagnostic::of(&e.into(), value.span))?;
                    initialise(&f, e).map_err(|e| Diagnostic::of(&e, value.span))?;
                    f.data().map_err(|e| Diagnostic::of(&e.into(), value.span))?
                }
                None => return Err(unwritable(&v, value.span)),
            },
        };
        let written = crate::data::write(&self.options.folder, &to, &data, grid.as_ref(), &title, path.span)?;
        self.report.written.push(written);
        Ok(())
    }
}

/// Shapes of data that a function takes.
fn shapes(f: &wavefold_symbolic::FunctionDecl) -> Vec<Vec<usize>> {
    let one = f.shape();
    if f.is_time() { vec![[&[f.buffers()], &one[..]].concat(), one] } else { vec![one] }
}

fn unfit(target: &Value, v: &Value, span: Span) -> Box<Diagnostic> {
    let message = format!("{} cannot be set to {}", target.describe(), v.describe());
    Diagnostic::new("set::value", span, message).help("set it to a number, an expression, or an array")
}

fn unwritable(v: &Value, span: Span) -> Box<Diagnostic> {
    Diagnostic::new("write::value", span, format!("{} cannot be written to a file", v.describe()))
        .help("write a function, points, a series, or an array")
}
