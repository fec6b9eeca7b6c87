//! Expressions.

use wavefold_operator::Measure;
use wavefold_runtime::{Data, FieldData};
use wavefold_symbolic::{Condition, Differentiable, Expr as Symbolic, TimeFunction};

use crate::ast::{Argument, Expr, ExprKind, Name, Relation, Span, Suffix};
use crate::diagnostic::{Diagnostic, Result};
use crate::program::Machine;
use crate::value::{TensorHandle, Value, VectorHandle, map, slice, zip};

/// The members of values, for "did you mean".
const MEMBERS: &[&str] = &[
    "forward",
    "backward",
    "dt",
    "dt2",
    "dtl",
    "dtc",
    "dx",
    "dy",
    "dz",
    "dx2",
    "dy2",
    "dz2",
    "dxl",
    "dxr",
    "dyl",
    "dyr",
    "dzl",
    "dzr",
    "laplace",
    "biharmonic",
    "T",
    "shift",
    "transpose",
    "trace",
    "x",
    "y",
    "z",
];

impl Machine<'_> {
    /// The value of an expression.
    pub(crate) fn eval(&mut self, e: &Expr) -> Result<Value> {
        match &e.kind {
            ExprKind::Number(n) if n.is_finite() => Ok(Value::Number(*n)),
            ExprKind::Number(_) => Err(Diagnostic::new("number::range", e.span, "this number is too large")
                .help("numbers go up to 1.7e308")),
            ExprKind::Text(t) => Ok(Value::Text(t.clone())),
            ExprKind::Name(name) => self.lookup(name, e.span),
            ExprKind::List(list) => {
                Ok(Value::List(list.iter().map(|e| self.eval(e)).collect::<Result<_>>()?))
            }
            ExprKind::Sum(terms) => {
                let mut sum: Option<Value> = None;
                for (minus, term) in terms {
                    let value = self.operand(term)?;
                    sum = Some(match sum {
                        None => value,
                        Some(so_far) => self.add(so_far, value, *minus, e.span)?,
                    });
                }
                Ok(sum.unwrap_or(Value::Number(0.0)))
            }
            ExprKind::Product(factors) => {
                let mut product: Option<Value> = None;
                for (over, factor) in factors {
                    let value = self.operand(factor)?;
                    product = Some(match product {
                        None => value,
                        Some(so_far) => self.multiply(so_far, value, *over, e.span)?,
                    });
                }
                Ok(product.unwrap_or(Value::Number(1.0)))
            }
            ExprKind::Negative(inner) => {
                let value = self.operand(inner)?;
                self.multiply(Value::Number(-1.0), value, false, e.span)
            }
            ExprKind::Power(base, exponent) => {
                let (a, b) = (self.operand(base)?, self.operand(exponent)?);
                match (&a, &b) {
                    (Value::Unknown, _) | (_, Value::Unknown) => Ok(Value::Unknown),
                    (Value::Number(a), Value::Number(b)) => Ok(Value::Number(a.powf(*b))),
                    (Value::List(_), Value::Number(b)) => match self.data_of(&a, e.span)? {
                        Some(Value::Data(a)) => Ok(Value::Data(map(&a, |v| v.powf(*b)))),
                        _ => Err(join("raised to", &a, &Value::Number(*b), e.span)),
                    },
                    (Value::Data(a), Value::Number(b)) => Ok(Value::Data(map(a, |v| v.powf(*b)))),
                    _ => match (a.scalar(), b.scalar()) {
                        (Some(a), Some(b)) => Ok(Value::Scalar(a.pow(b))),
                        _ => Err(join("raised to", &a, &b, e.span)),
                    },
                }
            }
            ExprKind::Compare(relation, a, b) => self.compare(*relation, a, b, e.span),
            ExprKind::And(list) => self.all(list, true),
            ExprKind::Or(list) => self.all(list, false),
            ExprKind::Not(inner) => Ok(match self.eval(inner)? {
                Value::Truth(t) => Value::Truth(!t),
                Value::Condition(c) => Value::Condition(!c),
                Value::Unknown => Value::Unknown,
                other => return Err(not_a_condition(&other, inner.span)),
            }),
            ExprKind::Call(name, arguments) => self.call(name, arguments),
            ExprKind::Suffixed(base, suffixes) => {
                let mut value = self.eval(base)?;
                for suffix in suffixes {
                    value = match suffix {
                        Suffix::Member(name, arguments) => self.member(&value, name, arguments)?,
                        Suffix::At(level) => self.at(&value, level, e.span)?,
                    };
                }
                Ok(value)
            }
        }
    }

    /// An operand of arithmetic: a number from a field is made, and samples are read where none are written.
    fn operand(&mut self, e: &Expr) -> Result<Value> {
        let value = self.eval(e)?;
        let value = self.sampled(value, e.span)?;
        self.settled(value, e.span)
    }

    /// Points and series as arrays, constants as numbers, outside of equations.
    pub(crate) fn sampled(&mut self, value: Value, span: Span) -> Result<Value> {
        match &value {
            Value::Points(_) | Value::Series(_) if self.samples => {
                Ok(self.data_of(&value, span)?.unwrap_or(value))
            }
            Value::Constant(c) if self.samples && self.changed.contains(c.name()) => Ok(Value::Unknown),
            Value::Constant(c) if self.samples => Ok(Value::Number(c.value())),
            _ => Ok(value),
        }
    }

    /// The value with a number from a field made.
    pub(crate) fn settled(&mut self, value: Value, span: Span) -> Result<Value> {
        match value {
            Value::Measure(m, at, e) => Ok(Value::Number(self.measured(&m, at, &e, span)?)),
            other => Ok(other),
        }
    }

    /// Makes a number from a field, at the given or the newest level.
    pub(crate) fn measured(
        &mut self,
        m: &Measure,
        at: Option<usize>,
        e: &Symbolic,
        span: Span,
    ) -> Result<f64> {
        let newest = e.functions().iter().filter_map(|f| self.levels.get(&f.id())).max().copied();
        let m = m.clone().time(at.or(newest).unwrap_or(0));
        m.value().map_err(|e| Diagnostic::of(&e, span))
    }

    /// A number that is known.
    pub(crate) fn number(&mut self, e: &Expr) -> Result<f64> {
        let outer = std::mem::replace(&mut self.samples, true);
        let value = self.operand(e);
        self.samples = outer;
        match value? {
            Value::Number(n) => Ok(n),
            Value::Constant(c) => Ok(c.value()),
            Value::Unknown => Err(Diagnostic::silent()),
            other => {
                let message = format!("a number is needed here, and this is {}", other.describe());
                Err(Diagnostic::new("value::number", e.span, message)
                    .help("numbers, and names defined with `let`, will do"))
            }
        }
    }

    fn add(&mut self, a: Value, b: Value, minus: bool, span: Span) -> Result<Value> {
        let sign = if minus { -1.0 } else { 1.0 };
        let apply = |v: f64, w: f64| v + sign * w;
        Ok(match (&a, &b) {
            (Value::Unknown, _) | (_, Value::Unknown) => Value::Unknown,
            (Value::Number(v), Value::Number(w)) => Value::Number(apply(*v, *w)),
            (Value::Data(_) | Value::List(_), _) | (_, Value::Data(_) | Value::List(_)) => {
                self.arrays(&a, &b, span, apply)?
            }
            _ => {
                if let (Some(v), Some(w)) = (a.scalar(), b.scalar()) {
                    Value::Scalar(if minus { v - w } else { v + w })
                } else if let (Some(v), Some(w)) = (a.vector(), b.vector()) {
                    Value::Vector(if minus { v - w } else { v + w })
                } else if let (Some(v), Some(w)) = (a.tensor(), b.tensor()) {
                    Value::Tensor(if minus { v - w } else { v + w })
                } else {
                    return Err(join(if minus { "minus" } else { "plus" }, &a, &b, span));
                }
            }
        })
    }

    fn multiply(&mut self, a: Value, b: Value, over: bool, span: Span) -> Result<Value> {
        let apply = |v: f64, w: f64| if over { v / w } else { v * w };
        Ok(match (&a, &b) {
            (Value::Unknown, _) | (_, Value::Unknown) => Value::Unknown,
            (Value::Number(v), Value::Number(w)) => Value::Number(apply(*v, *w)),
            (Value::Data(_) | Value::List(_), _) | (_, Value::Data(_) | Value::List(_)) => {
                self.arrays(&a, &b, span, apply)?
            }
            _ => match (a.scalar(), b.scalar()) {
                (Some(v), Some(w)) => Value::Scalar(if over { v / w } else { v * w }),
                (None, Some(w)) => match (a.vector(), a.tensor()) {
                    (Some(v), _) => Value::Vector(if over { v / w } else { v * w }),
                    (_, Some(t)) => Value::Tensor(if over { t / w } else { t * w }),
                    _ => return Err(join(if over { "over" } else { "times" }, &a, &b, span)),
                },
                (Some(v), None) if !over => match (b.vector(), b.tensor()) {
                    (Some(w), _) => Value::Vector(w * v),
                    (_, Some(t)) => Value::Tensor(t * v),
                    _ => return Err(join("times", &a, &b, span)),
                },
                _ => return Err(join(if over { "over" } else { "times" }, &a, &b, span)),
            },
        })
    }

    fn arrays(&mut self, a: &Value, b: &Value, span: Span, f: impl Fn(f64, f64) -> f64) -> Result<Value> {
        let number = crate::builtins::number_of;
        let known = |v: &Value| matches!(v, Value::Data(_) | Value::List(_));
        if let (Some(n), true) = (number(a), known(b))
            && let Some(Value::Data(d)) = self.data_of(b, span)?
        {
            return Ok(Value::Data(map(&d, |v| f(n, v))));
        }
        if let (true, Some(n)) = (known(a), number(b))
            && let Some(Value::Data(d)) = self.data_of(a, span)?
        {
            return Ok(Value::Data(map(&d, |v| f(v, n))));
        }
        let (left, right) = (self.data_of(a, span)?, self.data_of(b, span)?);
        match (left, right) {
            (Some(Value::Data(v)), Some(Value::Data(w))) => {
                zip(&v, &w, f).map(Value::Data).ok_or_else(|| {
                    let (v, w) = (crate::declare::shape_text(&v), crate::declare::shape_text(&w));
                    Diagnostic::new(
                        "array::shape",
                        span,
                        format!("arrays of {v} and {w} values cannot be joined"),
                    )
                    .help("both must have one shape; `u at n` is one time level")
                })
            }
            (Some(_), Some(_)) => Ok(Value::Unknown),
            _ => Err(join("joined with", a, b, span)),
        }
    }

    fn compare(&mut self, relation: Relation, left: &Expr, right: &Expr, span: Span) -> Result<Value> {
        let (a, b) = (self.operand(left)?, self.operand(right)?);
        if matches!(a, Value::Unknown) || matches!(b, Value::Unknown) {
            return Ok(Value::Unknown);
        }
        let known = |v: &Value| matches!(v, Value::Number(_) | Value::Data(_));
        if self.facts || (known(&a) && known(&b)) {
            return self.fact(relation, &a, &b, span);
        }
        let (Some(a), Some(b)) = (a.scalar(), b.scalar()) else {
            return Err(join("compared with", &a, &b, span));
        };
        Ok(Value::Condition(match relation {
            Relation::Less => a.lt(b),
            Relation::LessOrEqual => a.le(b),
            Relation::Greater => a.gt(b),
            Relation::GreaterOrEqual => a.ge(b),
            Relation::Equal => a.equals(b),
            Relation::Different => !a.equals(b),
        }))
    }

    /// Compares what is known: numbers, and whole arrays for equality.
    fn fact(&mut self, relation: Relation, a: &Value, b: &Value, span: Span) -> Result<Value> {
        let number = crate::builtins::number_of;
        if let (Some(a), Some(b)) = (number(a), number(b)) {
            return Ok(Value::Truth(match relation {
                Relation::Less => a < b,
                Relation::LessOrEqual => a <= b,
                Relation::Greater => a > b,
                Relation::GreaterOrEqual => a >= b,
                Relation::Equal => a == b,
                Relation::Different => a != b,
            }));
        }
        let (left, right) = (self.data_of(a, span)?, self.data_of(b, span)?);
        match (relation, left, right) {
            (Relation::Equal, Some(Value::Data(a)), Some(Value::Data(b))) => Ok(Value::Truth(a == b)),
            (Relation::Different, Some(Value::Data(a)), Some(Value::Data(b))) => Ok(Value::Truth(a != b)),
            (Relation::Equal | Relation::Different, Some(_), Some(_)) => Ok(Value::Unknown),
            _ => Err(join("compared with", a, b, span)
                .help("compare numbers, such as `max(u)`, or arrays with `==`")),
        }
    }

    fn all(&mut self, list: &[Expr], and: bool) -> Result<Value> {
        let mut joined: Option<Value> = None;
        for e in list {
            let value = self.eval(e)?;
            joined = Some(match (joined, value) {
                (None, v @ (Value::Truth(_) | Value::Condition(_) | Value::Unknown)) => v,
                (Some(Value::Truth(a)), Value::Truth(b)) => Value::Truth(if and { a && b } else { a || b }),
                (Some(Value::Condition(a)), Value::Condition(b)) => {
                    Value::Condition(if and { a & b } else { a | b })
                }
                (Some(Value::Unknown), _) | (_, Value::Unknown) => Value::Unknown,
                (_, other) => return Err(not_a_condition(&other, e.span)),
            });
        }
        Ok(joined.unwrap_or(Value::Truth(and)))
    }

    /// `u at 3`
    fn at(&mut self, value: &Value, level: &Expr, span: Span) -> Result<Value> {
        let n = self.number(level)?;
        if n < 0.0 || n.fract() != 0.0 {
            return Err(Diagnostic::new("value::level", level.span, format!("{n} is no time level"))
                .help("levels count from 0"));
        }
        let n = n as usize;
        match value {
            Value::Unknown => Ok(Value::Unknown),
            Value::Measure(m, _, e) => Ok(Value::Measure(m.clone(), Some(n), e.clone())),
            Value::Function(f) if f.is_time() => {
                if !self.live {
                    return Ok(Value::Unknown);
                }
                f.at(n).map(Value::Data).map_err(|e| Diagnostic::of(&e.into(), span))
            }
            Value::Data(_) | Value::List(_) | Value::Points(_) | Value::Series(_) => {
                let Some(Value::Data(d)) = self.data_of(value, span)? else { return Ok(Value::Unknown) };
                slice(&d, n).ok_or_else(|| {
                    let message = format!("{} has no `at {n}`", value.describe());
                    Diagnostic::new("value::level", span, message)
                        .help(format!("it holds {} values, counted from 0", crate::declare::shape_text(&d)))
                })
            }
            other => {
                let message = format!("{} has no time levels", other.describe());
                Err(Diagnostic::new("value::level", span, message)
                    .help("a function of time has, and so have `max(u)`, points, series and arrays"))
            }
        }
    }

    fn member(&mut self, value: &Value, name: &Name, arguments: &[Argument]) -> Result<Value> {
        if matches!(value, Value::Unknown) {
            return Ok(Value::Unknown);
        }
        let text = name.text.as_str();
        let plain = |value: Value| match arguments.first() {
            None => Ok(value),
            Some(a) => {
                Err(Diagnostic::new("call::count", a.value.span, format!("`{text}` takes no arguments"))
                    .help("leave the brackets out"))
            }
        };
        if let Some(found) = self.component(value, name)? {
            return plain(found);
        }
        if let Some(v) = value.vector() {
            let time = |name: &str| match name {
                "forward" => Some(v.forward()),
                "backward" => Some(v.backward()),
                "dt" => Some(v.dt()),
                "dt2" => Some(v.dt2()),
                "laplace" => Some(v.laplace()),
                _ => None,
            };
            if let Some(v) = time(text) {
                return plain(Value::Vector(v));
            }
        }
        if let Some(t) = value.tensor() {
            match text {
                "forward" => return plain(Value::Tensor(t.forward())),
                "backward" => return plain(Value::Tensor(t.backward())),
                "dt" => return plain(Value::Tensor(t.dt())),
                "dt2" => return plain(Value::Tensor(t.dt2())),
                "transpose" => return plain(Value::Tensor(t.transpose())),
                "trace" => return plain(Value::Scalar(t.trace())),
                _ => {}
            }
        }
        if let Some(e) = value.scalar() {
            if let Some(d) = self.derivative(&e, name, arguments)? {
                return Ok(Value::Scalar(d));
            }
            match text {
                "forward" => return plain(Value::Scalar(e.forward())),
                "backward" => return plain(Value::Scalar(e.backward())),
                "laplace" => return plain(Value::Scalar(e.laplace())),
                "biharmonic" => return plain(Value::Scalar(e.biharmonic())),
                "T" => return plain(Value::Scalar(e.T())),
                "shift" => return self.shift(&e, name, arguments),
                _ => {}
            }
        }
        let message = format!("{} has no `{text}`", value.describe());
        let d = Diagnostic::new("value::member", name.span, message);
        Err(match crate::diagnostic::nearest(text, MEMBERS.iter().copied()) {
            Some(like) => d.help(format!("did you mean `{like}`?")),
            None => d.help("derivatives are `dx`, `dy2`, `dt`, ..; levels are `forward` and `backward`"),
        })
    }

    /// `v.x`, `s.xy`: a function of a vector or tensor.
    fn component(&self, value: &Value, name: &Name) -> Result<Option<Value>> {
        let letters: Option<Vec<usize>> =
            name.text.chars().map(|c| ['x', 'y', 'z'].iter().position(|d| *d == c)).collect();
        let Some(letters) = letters else { return Ok(None) };
        let missing = || {
            let message = format!("{} has no component `{}`", value.describe(), name.text);
            Diagnostic::new("value::component", name.span, message)
                .help("components are named by the dimensions of the grid")
        };
        let found = match (value, letters.as_slice()) {
            (Value::VectorHandle(VectorHandle::Space(v)), [d]) => {
                v.components().get(*d).map(|f| Value::Function(f.into()))
            }
            (Value::VectorHandle(VectorHandle::Time(v)), [d]) => {
                v.components().get(*d).map(|f| Value::Function(f.into()))
            }
            (Value::TensorHandle(TensorHandle::Space(t)), [i, j]) => {
                t.component(*i, *j).map(|f| Value::Function(f.into()))
            }
            (Value::TensorHandle(TensorHandle::Time(t)), [i, j]) => {
                t.component(*i, *j).map(|f| Value::Function(f.into()))
            }
            (Value::Vector(v), [d]) => v.components().get(*d).cloned().map(Value::Scalar),
            (Value::Tensor(t), [i, j]) => {
                let rank = t.rank();
                (*i < rank && *j < rank).then(|| Value::Scalar(t[(*i, *j)].clone()))
            }
            _ => return Ok(None),
        };
        found.map(Some).ok_or_else(missing)
    }

    fn shift(&mut self, e: &Symbolic, name: &Name, arguments: &[Argument]) -> Result<Value> {
        let form = "call it as `u.shift(x, 1)`";
        let [Argument { name: None, value: dim }, Argument { name: None, value: by }] = arguments else {
            return Err(Diagnostic::new(
                "call::count",
                name.span,
                "`shift` takes a dimension and a number of points",
            )
            .help(form));
        };
        let ExprKind::Name(which) = &dim.kind else {
            return Err(Diagnostic::new("call::kind", dim.span, "this is no dimension").help(form));
        };
        let along = crate::declare::dim(which, dim.span)?;
        let by = self.number(by)?;
        Ok(Value::Scalar(e.shift(along, by.clamp(-1e9, 1e9) as i32)))
    }

    /// The condition of a statement of an operator.
    pub(crate) fn condition(&mut self, e: &Expr) -> Result<Condition> {
        match self.eval(e)? {
            Value::Condition(c) => Ok(c),
            Value::Unknown => Err(Diagnostic::silent()),
            other => Err(not_a_condition(&other, e.span)),
        }
    }

    /// The newest time level of a function, or snapshot of a history.
    pub(crate) fn newest(&self, f: &TimeFunction) -> usize {
        self.levels.get(&f.id()).copied().unwrap_or(0)
    }

    /// What is written or printed of a value.
    pub(crate) fn shown(&mut self, value: &Value, span: Span) -> Result<Option<Data>> {
        let failed = |e: wavefold_runtime::RuntimeError| Diagnostic::of(&e.into(), span);
        if let Value::Function(f) = value
            && let Some(u) = TimeFunction::from_function(f)
        {
            if !self.live {
                return Ok(None);
            }
            let n = self.newest(&u);
            if u.compression().is_some() {
                return wavefold_runtime::decompress_step(&u, n).map(Some).map_err(failed);
            }
            return u.at(n).map(Some).map_err(failed);
        }
        Ok(match self.data_of(value, span)? {
            Some(Value::Data(d)) => Some(d),
            _ => None,
        })
    }
}

fn join(how: &str, a: &Value, b: &Value, span: Span) -> Box<Diagnostic> {
    let message = format!("{} cannot be {how} {}", a.describe(), b.describe());
    let message = match how {
        "plus" | "minus" | "times" | "over" => {
            format!("{} {how} {} means nothing", a.describe(), b.describe())
        }
        _ => message,
    };
    let kinds = [a, b].map(|v| v.vector().is_some() || v.tensor().is_some());
    Diagnostic::new("value::operands", span, message).help(if kinds[0] || kinds[1] {
        "name a component, `v.x`, or make a number of it with `div(v)`"
    } else {
        "numbers, arrays, functions and expressions of them can be joined"
    })
}

fn not_a_condition(v: &Value, span: Span) -> Box<Diagnostic> {
    let message = format!("a condition is needed here, and this is {}", v.describe());
    Diagnostic::new("value::condition", span, message).help("compare two values: `u > 0.5`")
}
