//! A direct evaluator of equations: walks the expressions as the user wrote them, point by point.
//!
//! It knows nothing of the compiler, and is what the language means: every equation sweeps the whole domain before
//! the next begins, points outside of the domain are 0, a derivative is the sum of its weights times what it
//! differentiates at the shifted point.

use ndarray::{ArrayD, Dimension, IxDyn};
use std::collections::HashMap;
use wavefold::prelude::*;
use wavefold::symbolic::{Access, Comparison, EquationKind, Extremum, Node, fd};

/// Values of all functions: by function and time level.
pub struct World {
    shape: Vec<usize>,
    spacing: Vec<f64>,
    dt: f64,
    levels: HashMap<(u64, i64), ArrayD<f64>>,
}

impl World {
    pub fn new(grid: &Grid, dt: f64) -> World {
        World { shape: grid.shape().to_vec(), spacing: grid.spacing().to_vec(), dt, levels: HashMap::new() }
    }

    /// Sets the values of a function at a time level (0 for a function of space).
    pub fn set(&mut self, id: u64, level: i64, values: ArrayD<f64>) {
        self.levels.insert((id, level), values);
    }

    /// The values of a function at a time level; 0 where nothing was written.
    pub fn get(&self, id: u64, level: i64) -> ArrayD<f64> {
        self.levels.get(&(id, level)).cloned().unwrap_or_else(|| ArrayD::zeros(self.shape.clone()))
    }

    /// All equations, in order, at step `t`.
    pub fn step(&mut self, equations: &[Equation], t: i64) {
        for e in equations {
            let EquationKind::Assign { lhs, rhs, increment } = e.kind() else {
                panic!("not an assignment: {e}")
            };
            let Node::Access(target) = lhs.node() else { panic!("no target: {e}") };
            let key = (target.function.id(), level(target, t));
            let mut values = ArrayD::from_shape_fn(IxDyn(&self.shape), |i| {
                let point: Vec<i64> = i.as_array_view().iter().map(|n| *n as i64).collect();
                self.value(rhs, t, &point)
            });
            if *increment {
                values += &self.get(key.0, key.1);
            }
            self.levels.insert(key, values);
        }
    }

    /// The value of an expression at step `t` and a point, which may lie outside of the domain.
    fn value(&self, e: &Expr, t: i64, point: &[i64]) -> f64 {
        match e.node() {
            Node::Number(v) => *v,
            Node::Spacing(i) => self.spacing[*i],
            Node::TimeStep => self.dt,
            Node::Constant(c) => c.value(),
            Node::Access(a) => self.load(a, t, point),
            Node::Sparse { .. } => panic!("sparse functions are not evaluated here"),
            Node::Add(terms) => terms.iter().map(|e| self.value(e, t, point)).sum(),
            Node::Mul(factors) => factors.iter().map(|e| self.value(e, t, point)).product(),
            Node::Pow(base, exponent) => self.value(base, t, point).powf(self.value(exponent, t, point)),
            Node::Call(function, e) => function.eval(self.value(e, t, point)),
            Node::Index(Dim::Time) => t as f64,
            Node::Index(Dim::Space(d)) => point[*d] as f64,
            Node::Extremum(which, a, b) => {
                let (a, b) = (self.value(a, t, point), self.value(b, t, point));
                let first = if *which == Extremum::Min { a < b } else { a > b };
                if first { a } else { b }
            }
            Node::Select(condition, a, b) => {
                let chosen = if self.holds(condition, t, point) { a } else { b };
                self.value(chosen, t, point)
            }
            Node::Derivative(d) => {
                let weighted = fd::stencil(d).into_iter().map(|(offset, weight)| {
                    let mut shifted = point.to_vec();
                    let mut time = t;
                    match d.dim {
                        Dim::Time => time += i64::from(offset),
                        Dim::Space(i) => shifted[i] += i64::from(offset),
                    }
                    weight * self.value(&d.expr, time, &shifted)
                });
                let step = match d.dim {
                    Dim::Time => self.dt,
                    Dim::Space(i) => self.spacing[i],
                };
                weighted.sum::<f64>() / step.powi(d.degree as i32)
            }
        }
    }

    fn holds(&self, condition: &Condition, t: i64, point: &[i64]) -> bool {
        match condition {
            Condition::Compare(op, a, b) => {
                let (a, b) = (self.value(a, t, point), self.value(b, t, point));
                match op {
                    Comparison::Less => a < b,
                    Comparison::LessOrEqual => a <= b,
                    Comparison::Equal => a == b,
                }
            }
            Condition::And(a, b) => self.holds(a, t, point) && self.holds(b, t, point),
            Condition::Or(a, b) => self.holds(a, t, point) || self.holds(b, t, point),
            Condition::Not(a) => !self.holds(a, t, point),
        }
    }

    fn load(&self, a: &Access, t: i64, point: &[i64]) -> f64 {
        let mut index = Vec::with_capacity(point.len());
        for ((p, offset), n) in point.iter().zip(&a.offsets).zip(&self.shape) {
            let i = p + i64::from(*offset);
            if i < 0 || i >= *n as i64 {
                return 0.0;
            }
            index.push(i as usize);
        }
        self.levels.get(&(a.function.id(), level(a, t))).map_or(0.0, |values| values[IxDyn(&index)])
    }
}

fn level(a: &Access, t: i64) -> i64 {
    if a.function.is_time() { t + i64::from(a.time) } else { 0 }
}
