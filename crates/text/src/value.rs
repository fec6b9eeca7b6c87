//! What names and expressions stand for.

use std::path::PathBuf;
use std::sync::Arc;

use ndarray::ArrayD;
use wavefold_operator::{Measure, Operator};
use wavefold_runtime::Data;
use wavefold_symbolic::{
    Condition, Constant, Expr, FunctionRef, Grid, IntoExpr, Series, SparseRef, SubDomain, Tensor,
    TensorFunction, TensorTimeFunction, Vector, VectorFunction, VectorTimeFunction,
};

use crate::ast;

/// An expression with parameters.
#[derive(Debug)]
pub struct Formula {
    pub name: String,
    pub parameters: Vec<ast::Name>,
    pub value: ast::Expr,
    /// The number of scopes that its names are looked up in.
    pub scopes: usize,
}

/// A vector with its functions.
#[derive(Clone, Debug)]
pub enum VectorHandle {
    Space(VectorFunction),
    Time(VectorTimeFunction),
}

/// A tensor with its functions.
#[derive(Clone, Debug)]
pub enum TensorHandle {
    Space(TensorFunction),
    Time(TensorTimeFunction),
}

/// What a name stands for, or an expression.
#[derive(Clone, Debug)]
pub enum Value {
    Number(f64),
    Text(String),
    List(Vec<Value>),
    Data(Data),
    /// A function on the grid, by itself.
    Function(FunctionRef),
    /// A function on points, by itself.
    Points(SparseRef),
    Series(Series),
    Scalar(Expr),
    Vector(Vector),
    Tensor(Tensor),
    Condition(Condition),
    /// A number from a field, not made yet.
    Measure(Measure, Option<usize>, Expr),
    Truth(bool),
    Constant(Constant),
    VectorHandle(VectorHandle),
    TensorHandle(TensorHandle),
    Grid(Grid),
    Part(SubDomain),
    /// A file with a compressed history.
    History(PathBuf),
    Operator(Operator),
    Formula(Arc<Formula>),
    /// A dimension, as an argument: `x`, `y`, `z`, `t`.
    Unknown,
}

impl Value {
    /// What it is, in words.
    pub fn describe(&self) -> &'static str {
        match self {
            Value::Number(_) => "a number",
            Value::Text(_) => "a text",
            Value::List(_) => "a list",
            Value::Data(_) => "an array",
            Value::Function(f) if f.is_time() => "a function of time",
            Value::Function(_) => "a function",
            Value::Points(_) => "a function on points",
            Value::Series(_) => "a series",
            Value::Scalar(_) => "an expression",
            Value::Vector(_) | Value::VectorHandle(_) => "a vector",
            Value::Tensor(_) | Value::TensorHandle(_) => "a tensor",
            Value::Condition(_) | Value::Truth(_) => "a condition",
            Value::Measure(..) => "a number",
            Value::Constant(_) => "a constant",
            Value::Grid(_) => "a grid",
            Value::Part(_) => "a part of the grid",
            Value::History(_) => "a saved history",
            Value::Operator(_) => "an operator",
            Value::Formula(_) => "a formula",
            Value::Unknown => "a value that is not known yet",
        }
    }

    /// As a scalar expression.
    pub fn scalar(&self) -> Option<Expr> {
        Some(match self {
            Value::Number(n) => Expr::number(*n),
            Value::Function(f) => f.expr(),
            Value::Points(s) => s.expr(),
            Value::Series(s) => s.values().expr(),
            Value::Scalar(e) => e.clone(),
            Value::Constant(c) => c.expr(),
            _ => return None,
        })
    }

    /// As a vector of expressions.
    pub fn vector(&self) -> Option<Vector> {
        Some(match self {
            Value::Vector(v) => v.clone(),
            Value::VectorHandle(VectorHandle::Space(v)) => v.expr(),
            Value::VectorHandle(VectorHandle::Time(v)) => v.expr(),
            _ => return None,
        })
    }

    /// As a tensor of expressions.
    pub fn tensor(&self) -> Option<Tensor> {
        Some(match self {
            Value::Tensor(t) => t.clone(),
            Value::TensorHandle(TensorHandle::Space(t)) => t.expr(),
            Value::TensorHandle(TensorHandle::Time(t)) => t.expr(),
            _ => return None,
        })
    }
}

/// The part of an array that belongs to one index of its first dimension: a number if that is one value.
pub fn slice(data: &Data, n: usize) -> Option<Value> {
    if data.shape().first().is_none_or(|count| n >= *count) {
        return None;
    }
    let first = ndarray::Axis(0);
    let part: Data = match data {
        Data::F32(a) => a.index_axis(first, n).to_owned().into(),
        Data::F64(a) => a.index_axis(first, n).to_owned().into(),
    };
    Some(if part.len() == 1 { Value::Number(part.max()) } else { Value::Data(part) })
}

/// A list of numbers as an array of one dimension.
pub fn array(list: &[Value]) -> Option<Data> {
    let number = |v: &Value| match v {
        Value::Number(n) => Some(*n),
        Value::Constant(c) => Some(c.value()),
        _ => None,
    };
    let values: Option<Vec<f64>> = list.iter().map(number).collect();
    values.and_then(|values| Data::from_vec(&[list.len()], values).ok())
}

/// Applies a function to every value of an array, in its type.
pub fn map(data: &Data, f: impl Fn(f64) -> f64) -> Data {
    match data {
        Data::F32(a) => a.mapv(|v| f(f64::from(v)) as f32).into(),
        Data::F64(a) => a.mapv(f).into(),
    }
}

/// Joins two arrays of one shape, value by value, in double precision.
pub fn zip(a: &Data, b: &Data, f: impl Fn(f64, f64) -> f64) -> Option<Data> {
    if a.shape() != b.shape() {
        return None;
    }
    let values: Vec<f64> = a.iter().zip(b.iter()).map(|(a, b)| f(a, b)).collect();
    ArrayD::from_shape_vec(a.shape(), values).ok().map(Data::from)
}
