//! Whether an explicit scheme can be stable with the time step of a run, found before it runs.
//!
//! The update of a function of time is looked at when it is linear in the function,
//!
//! ```text
//! u[t+1] = sum a_k u[t, x + k] + sum b_k u[t-1, x + k] + anything without u,
//! ```
//!
//! and its coefficients are made of numbers, constants, `dt` and functions of space that the operator does not write. A
//! wave `exp(i theta x)` then grows by the roots `g` of `g^2 = A(theta) g + B(theta)` at each step (von Neumann; see
//! Charney, Fjortoft and von Neumann 1950). Functions of space are frozen at their extremes.
//!
//! Two bounds keep the check from ever refusing what runs well:
//! * the *largest stable step*, which the message names, is that of the worst frozen coefficients and of all waves: at
//!   or below it nothing is refused;
//! * a larger step is refused only where growth is certain: a wave under a sine window that fits into a box of points
//!   grows with the *mildest* coefficients of that box by [`GROWTH`] before the run ends. For a symmetric stencil this is
//!   Rayleigh's quotient, a lower bound of what the run does; a stencil that carries waves out of the box has the time of
//!   one passage only.
//!
//! Everything else is passed over in silence: systems of coupled functions, nonlinear updates, coefficients that depend
//! on time or on indices, schemes that grow with every step however small, and runs of few steps.

use std::collections::HashMap;

use wavefold_ir::stencil::{Action, Program, Statement};
use wavefold_ir::{Expr, ExprId, FieldId, FieldKind, Region, ScalarKind};
use wavefold_passes::{discretize, legality, lower};
use wavefold_runtime::{dense_of, locks};
use wavefold_symbolic::FunctionRef;

use crate::{ApplyError, Operator, Result};

/// Growth of a wave that ruins a run.
const GROWTH: f64 = 1e4;

/// Runs of fewer steps are not looked at: reading the parameters once would cost more than a percent of the run.
const STEPS: i64 = 24;

/// Points along each dimension of the boxes in which coefficients that vary are taken as nearly constant.
const BOX: i64 = 16;

/// Functions of space in the coefficients, at most: all combinations of their extremes are tried.
const PARAMETERS: usize = 4;

/// How far above 1 rounding may lift a root.
const ROUNDING: f64 = 1e-6;

/// The updates of an operator that the analysis understands.
#[derive(Debug)]
pub(crate) struct Schemes {
    program: Program,
    updates: Vec<Update>,
}

/// One of them.
#[derive(Debug)]
struct Update {
    field: FieldId,
    /// Time shift of the target: 1, or -1 for a run backwards in time.
    target: i32,
    value: ExprId,
    region: Region,
    /// Points that other equations write: there, something else may hold.
    elsewhere: Vec<Region>,
    /// Functions of space in the value.
    parameters: Vec<FieldId>,
    /// How far the parameters are read around a point.
    reach: [i64; 3],
}

/// A value as it depends on the function: a part without it, if that is known, and terms at offsets of both levels.
#[derive(Clone, Debug, Default)]
struct Linear {
    /// `None` where the value is free of the function, and nothing else is known of it.
    rest: Option<f64>,
    terms: Vec<(Key, f64)>,
}

/// The level, 1 for the current and 2 for the one before, and the offsets.
type Key = (i32, [i32; 3]);

/// Numbers that an update depends on.
struct Frozen<'a> {
    scalars: &'a [f64],
    parameters: &'a [(FieldId, f64)],
}

impl Schemes {
    /// The updates of an operator, if there are any.
    pub(crate) fn of(op: &Operator) -> Option<Schemes> {
        let lowered = lower(op.name(), op.equations(), op.special()).ok()?.program;
        if !lowered.decls.scalars.iter().any(|s| s.kind == ScalarKind::Step) {
            return None; // there is no step to make smaller
        }
        // Coupled functions are found before derivatives are expanded, which for such systems takes long.
        if !(0..lowered.statements.len()).any(|i| lone(&lowered, i)) {
            return None;
        }
        legality(&lowered).ok()?;
        let program = discretize(lowered).ok()?;
        let updates: Vec<Update> =
            (0..program.statements.len()).filter_map(|i| Update::of(&program, i)).collect();
        (!updates.is_empty()).then_some(Schemes { program, updates })
    }

    /// Refuses a step that is certainly too large.
    pub(crate) fn check(
        &self,
        op: &Operator,
        functions: &[FunctionRef],
        scalars: &[f64],
        steps: i64,
    ) -> Result<()> {
        let step = self.program.decls.scalars.iter().position(|s| s.kind == ScalarKind::Step);
        let Some(dt) = step.and_then(|i| scalars.get(i).copied()).filter(|dt| *dt > 0.0) else {
            return Ok(());
        };
        if steps < STEPS {
            return Ok(());
        }
        for update in &self.updates {
            let Some(search) = Search::new(self, update, functions, scalars, step.unwrap_or(0), steps)?
            else {
                continue;
            };
            if let Some(largest) = search.too_large(dt)? {
                let function = self.program.decls.field(update.field).name.clone();
                return Err(ApplyError::Unstable { operator: op.name().into(), function, dt, largest }.into());
            }
        }
        Ok(())
    }
}

/// Whether a statement updates a function of time from its own past, and from nothing else that the operator writes.
fn lone(p: &Program, statement: usize) -> bool {
    let Statement { action: Action::Assign { target, value, increment: false }, .. } =
        &p.statements[statement]
    else {
        return false;
    };
    let field = p.decls.field(target.field);
    let written = |f: FieldId| p.statements.iter().any(|s| s.action.target().is_some_and(|t| t.field == f));
    let loads = p.exprs.loads(*value);
    field.is_time()
        && field.every() == 1
        && !field.is_compressed()
        && field.window.is_none()
        && target.time.abs() == 1
        && p.every(&p.statements[statement]) == 1
        && loads.iter().any(|a| a.field == target.field)
        && loads.iter().all(|a| a.field == target.field || !written(a.field))
}

impl Update {
    fn of(p: &Program, i: usize) -> Option<Update> {
        if !lone(p, i) {
            return None;
        }
        let statement = &p.statements[i];
        let Action::Assign { target, value, .. } = statement.action else { return None };
        let mut elsewhere = vec![];
        for (j, other) in p.statements.iter().enumerate() {
            if j == i || other.action.target().is_none_or(|t| t.field != target.field) {
                continue;
            }
            match &other.action {
                Action::Assign { increment: false, .. } => elsewhere.push(other.region),
                // What is added must not depend on the function, nor on what may depend on it.
                _ => {
                    let written = |f: FieldId| {
                        p.statements.iter().any(|s| s.action.target().is_some_and(|t| t.field == f))
                    };
                    if p.exprs.loads(other.action.value()).iter().any(|a| written(a.field)) {
                        return None;
                    }
                }
            }
        }
        let mut parameters = vec![];
        let mut reach = [0; 3];
        for a in p.exprs.loads(value) {
            let f = p.decls.field(a.field);
            if a.field == target.field || !matches!(f.kind, FieldKind::Space) {
                continue;
            }
            if f.window.is_some() {
                return None;
            }
            if !parameters.contains(&a.field) {
                parameters.push(a.field);
            }
            for (reach, offset) in reach.iter_mut().zip(a.offsets) {
                *reach = (*reach).max(i64::from(offset.abs()));
            }
        }
        let region = statement.region;
        (parameters.len() <= PARAMETERS).then_some(Update {
            field: target.field,
            target: target.time,
            value,
            region,
            elsewhere,
            parameters,
            reach,
        })
    }

    /// The update with frozen numbers; `None` where it is not linear, or depends on something unknown.
    fn linear(&self, p: &Program, numbers: &Frozen) -> Option<Linear> {
        let linear = self.value(p, self.value, numbers, &mut HashMap::new())?;
        linear.terms.iter().all(|(_, c)| c.is_finite()).then_some(linear)
    }

    fn value(
        &self,
        p: &Program,
        id: ExprId,
        numbers: &Frozen,
        known: &mut HashMap<ExprId, Linear>,
    ) -> Option<Linear> {
        if let Some(found) = known.get(&id) {
            return Some(found.clone());
        }
        let number = |v: f64| Linear { rest: Some(v), terms: vec![] };
        let free = || Linear { rest: None, terms: vec![] };
        let made = match &p.exprs[id] {
            Expr::Number(n) => number(n.value()),
            Expr::Scalar(s) => number(*numbers.scalars.get(s.index())?),
            Expr::Index(_) | Expr::Step | Expr::Sparse(..) => free(),
            Expr::Load(a) if a.field == self.field => {
                let level = (self.target - a.time) * self.target.signum();
                if !(1..=2).contains(&level) {
                    return None; // implicit, or with a longer memory
                }
                Linear { rest: Some(0.0), terms: vec![((level, a.offsets), 1.0)] }
            }
            Expr::Load(a) => match numbers.parameters.iter().find(|(f, _)| *f == a.field) {
                Some((_, v)) => number(*v),
                None => free(),
            },
            Expr::Sum(list) => {
                let mut sum = number(0.0);
                for e in list {
                    let e = self.value(p, *e, numbers, known)?;
                    sum.rest = sum.rest.zip(e.rest).map(|(a, b)| a + b);
                    e.terms.iter().for_each(|(key, c)| sum.add(*key, *c));
                }
                sum
            }
            Expr::Product(list) => {
                let mut product = number(1.0);
                for e in list {
                    let e = self.value(p, *e, numbers, known)?;
                    product = product.times(e)?;
                }
                product
            }
            Expr::Power(base, n) => {
                let base = self.value(p, *base, numbers, known)?;
                if !base.terms.is_empty() {
                    return None;
                }
                Linear { rest: base.rest.map(|v| v.powi(*n)), terms: vec![] }
            }
            Expr::Call(f, list) => {
                let mut values = vec![];
                for e in list {
                    let e = self.value(p, *e, numbers, known)?;
                    if !e.terms.is_empty() {
                        return None;
                    }
                    values.push(e.rest);
                }
                let values: Option<Vec<f64>> = values.into_iter().collect();
                Linear { rest: values.map(|v| f.value(&v)), terms: vec![] }
            }
            Expr::Select(condition, a, b) => {
                // Where it holds is not known: neither may what it chooses between matter.
                let of_function = |e: &ExprId| p.exprs.loads(*e).iter().any(|l| l.field == self.field);
                if [condition, a, b].into_iter().any(of_function) {
                    return None;
                }
                free()
            }
            _ => return None,
        };
        known.insert(id, made.clone());
        Some(made)
    }
}

impl Linear {
    fn add(&mut self, key: Key, c: f64) {
        match self.terms.iter_mut().find(|(k, _)| *k == key) {
            Some((_, sum)) => *sum += c,
            None => self.terms.push((key, c)),
        }
    }

    fn times(mut self, mut other: Linear) -> Option<Linear> {
        if self.terms.is_empty() {
            std::mem::swap(&mut self, &mut other);
        }
        if self.terms.is_empty() {
            return Some(Linear { rest: self.rest.zip(other.rest).map(|(a, b)| a * b), terms: vec![] });
        }
        if !other.terms.is_empty() {
            return None;
        }
        let factor = other.rest?;
        self.terms.iter_mut().for_each(|(_, c)| *c *= factor);
        self.rest = self.rest.map(|v| v * factor);
        Some(self)
    }

    /// Whether every term has its mirror image along every dimension.
    fn symmetric(&self, rank: usize) -> bool {
        let of = |key: &Key| self.terms.iter().find(|(k, _)| k == key).map_or(0.0, |(_, c)| *c);
        self.terms.iter().all(|((level, offsets), c)| {
            (0..rank).all(|d| {
                let mut mirrored = *offsets;
                mirrored[d] = -mirrored[d];
                (of(&(*level, mirrored)) - c).abs() <= 1e-12 * c.abs()
            })
        })
    }

    /// The largest growth in one step of any wave; under sine windows, those of a box with so many points.
    fn growth(&self, rank: usize, points: Option<[i64; 3]>) -> f64 {
        let damped: Vec<(Key, f64)> = self
            .terms
            .iter()
            .map(|(key, c)| {
                let within = |d: usize| points.map_or(1.0, |n| overlap(n[d], key.1[d]));
                (*key, c * (0..rank).map(within).product::<f64>())
            })
            .collect();
        let symmetric = self.symmetric(rank);
        let count: usize = if symmetric { 9 } else { [64, 32, 16][rank - 1] };
        let angle = |i: usize| {
            let part = if symmetric { i as f64 / (count - 1) as f64 } else { 2.0 * i as f64 / count as f64 };
            std::f64::consts::PI * part
        };
        let mut best = (0.0, [0.0; 3]);
        for i in 0..count.pow(rank as u32) {
            let mut theta = [0.0; 3];
            let mut rest = i;
            for t in &mut theta[..rank] {
                *t = angle(rest % count);
                rest /= count;
            }
            let g = root(&damped, theta);
            if g > best.0 {
                best = (g, theta);
            }
        }
        // The largest growth may lie between the angles that were tried.
        let mut width = angle(1);
        while width > 1e-4 {
            let mut better = false;
            for d in 0..rank {
                for by in [-width, width] {
                    let mut theta = best.1;
                    theta[d] += by;
                    let g = root(&damped, theta);
                    if g > best.0 {
                        best = (g, theta);
                        better = true;
                    }
                }
            }
            if !better {
                width /= 2.0;
            }
        }
        best.0
    }
}

/// How much a sine window over `n` points overlaps with itself after a shift.
fn overlap(n: i64, by: i32) -> f64 {
    let window = |j: i64| (std::f64::consts::PI * j as f64 / (n + 1) as f64).sin();
    let by = i64::from(by.abs());
    let sum = |by: i64| (1..=(n - by)).map(|j| window(j) * window(j + by)).sum::<f64>();
    if n < 1 { 0.0 } else { sum(by) / sum(0) }
}

/// The larger root of `g^2 = A g + B`, in size.
fn root(terms: &[(Key, f64)], theta: [f64; 3]) -> f64 {
    let (mut a, mut b) = ([0.0; 2], [0.0; 2]);
    for ((level, offsets), c) in terms {
        let phase: f64 = offsets.iter().zip(theta).map(|(k, t)| f64::from(*k) * t).sum();
        let (sin, cos) = phase.sin_cos();
        let sum = if *level == 1 { &mut a } else { &mut b };
        sum[0] += c * cos;
        sum[1] += c * sin;
    }
    let discriminant = [a[0] * a[0] - a[1] * a[1] + 4.0 * b[0], 2.0 * a[0] * a[1] + 4.0 * b[1]];
    let size = discriminant[0].hypot(discriminant[1]);
    let re = ((size + discriminant[0]) / 2.0).max(0.0).sqrt();
    let im = ((size - discriminant[0]) / 2.0).max(0.0).sqrt().copysign(discriminant[1]);
    let one = (a[0] + re).hypot(a[1] + im) / 2.0;
    let other = (a[0] - re).hypot(a[1] - im) / 2.0;
    one.max(other)
}

/// The search for the largest stable step of one update.
struct Search<'a> {
    program: &'a Program,
    update: &'a Update,
    functions: &'a [FunctionRef],
    scalars: Vec<f64>,
    /// Which scalar is the step.
    step: usize,
    steps: i64,
    /// Least and largest value of each parameter.
    extremes: Vec<(f64, f64)>,
}

impl<'a> Search<'a> {
    /// Nothing where the parameters are no numbers, or have not been set.
    fn new(
        schemes: &'a Schemes,
        update: &'a Update,
        functions: &'a [FunctionRef],
        scalars: &[f64],
        step: usize,
        steps: i64,
    ) -> Result<Option<Search<'a>>> {
        let mut search = Search {
            program: &schemes.program,
            update,
            functions,
            scalars: scalars.to_vec(),
            step,
            steps,
            extremes: vec![],
        };
        let domain = Region::domain(&schemes.program.decls.dims);
        search.extremes = search.ranges(domain)?;
        let known = search.extremes.iter().all(|(a, b)| a.is_finite() && b.is_finite());
        Ok(known.then_some(search))
    }

    /// Least and largest value of each parameter within a box.
    fn ranges(&self, region: Region) -> Result<Vec<(f64, f64)>> {
        let rank = self.program.decls.rank();
        let index = |list: [i64; 3]| list[..rank].iter().map(|i| (*i).max(0) as usize).collect::<Vec<_>>();
        let (from, to) = (index(region.from), index(region.to));
        let mut ranges = vec![];
        for id in &self.update.parameters {
            let Some(f) = self.functions.get(id.index()) else { return Ok(vec![(f64::NAN, f64::NAN)]) };
            let dense = dense_of(f)?;
            let dense = locks::read(&dense, f.name())?;
            ranges.push(dense.range(0, &from, &to));
        }
        Ok(ranges)
    }

    /// The updates for all combinations of extremes.
    fn frozen(&self, dt: f64, ranges: &[(f64, f64)]) -> Option<Vec<Linear>> {
        let mut scalars = self.scalars.clone();
        scalars[self.step] = dt;
        let mut all = vec![];
        for corner in 0..1_usize << ranges.len() {
            let high = |i: usize| corner >> i & 1 == 1;
            if (0..ranges.len()).any(|i| high(i) && ranges[i].0 == ranges[i].1) {
                continue; // both ends are one
            }
            let ids = self.update.parameters.iter().enumerate();
            let parameters: Vec<(FieldId, f64)> =
                ids.map(|(i, id)| (*id, if high(i) { ranges[i].1 } else { ranges[i].0 })).collect();
            let numbers = Frozen { scalars: &scalars, parameters: &parameters };
            all.push(self.update.linear(self.program, &numbers)?);
        }
        Some(all)
    }

    /// Whether no wave grows with any extreme of the parameters.
    fn stable(&self, dt: f64) -> Option<bool> {
        let rank = self.program.decls.rank();
        let all = self.frozen(dt, &self.extremes)?;
        Some(all.iter().all(|l| l.growth(rank, None) <= 1.0 + ROUNDING))
    }

    /// The largest stable step, if `dt` is certainly too large.
    fn too_large(&self, dt: f64) -> Result<Option<f64>> {
        let (mut low, mut high) = (dt / 1000.0, dt);
        if self.stable(dt) != Some(false) || self.stable(low) != Some(true) || !self.ruined(dt)? {
            return Ok(None);
        }
        while high - low > 1e-7 * high {
            let middle = 0.5 * (low + high);
            if self.stable(middle) == Some(true) { low = middle } else { high = middle }
        }
        Ok(Some(low))
    }

    /// Whether a wave certainly grows too much somewhere.
    fn ruined(&self, dt: f64) -> Result<bool> {
        for region in self.boxes() {
            let reach = self.update.reach;
            let mut wide = region;
            for (d, reach) in reach.iter().enumerate().take(self.program.decls.rank()) {
                wide.from[d] -= reach;
                wide.to[d] += reach;
            }
            let ranges = self.ranges(wide)?;
            let Some(all) = self.frozen(dt, &ranges) else { return Ok(false) };
            if all.iter().all(|l| self.grows(l, region)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn grows(&self, linear: &Linear, region: Region) -> bool {
        let rank = self.program.decls.rank();
        let points: [i64; 3] = std::array::from_fn(|d| region.to[d] - region.from[d]);
        let growth = linear.growth(rank, Some(points));
        let mut steps = self.steps;
        if !linear.symmetric(rank) {
            // Waves may leave the box, by as many points a step as the stencil is wide.
            let width = |d: usize| linear.terms.iter().map(|((_, k), _)| i64::from(k[d].abs())).max();
            for (d, points) in points.iter().enumerate().take(rank) {
                steps = steps.min(points / width(d).unwrap_or(1).max(1));
            }
        }
        growth.is_finite() && growth > 1.0 && steps as f64 * growth.ln() > GROWTH.ln()
    }

    /// The whole region of the update, then boxes within it.
    fn boxes(&self) -> Vec<Region> {
        let (decls, u) = (&self.program.decls, self.update);
        let rank = decls.rank();
        let domain = Region::domain(&decls.dims);
        let mut inner = u.region;
        for d in 0..rank {
            // Parameters are known in the domain only.
            inner.from[d] = inner.from[d].max(domain.from[d] + u.reach[d]);
            inner.to[d] = inner.to[d].min(domain.to[d] - u.reach[d]);
        }
        let mut list = vec![inner];
        let starts = |d: usize| {
            let (from, to) = (inner.from[d], inner.to[d]);
            let last = (to - BOX).max(from);
            let mut starts: Vec<i64> = (from..last.max(from + 1)).step_by(BOX as usize).collect();
            starts.push(last);
            starts.dedup();
            starts
        };
        let starts: Vec<Vec<i64>> = (0..3).map(|d| if d < rank { starts(d) } else { vec![0] }).collect();
        for x in &starts[0] {
            for y in &starts[1] {
                for z in &starts[2] {
                    let from = [*x, *y, *z];
                    let to =
                        std::array::from_fn(|d| if d < rank { (from[d] + BOX).min(inner.to[d]) } else { 1 });
                    list.push(Region { from, to });
                }
            }
        }
        let apart = |a: &Region, b: &Region| (0..3).any(|d| a.to[d] <= b.from[d] || b.to[d] <= a.from[d]);
        list.retain(|r| (0..3).all(|d| r.from[d] < r.to[d]) && u.elsewhere.iter().all(|e| apart(r, e)));
        list
    }
}

/// A step with four digits, rounded down.
pub(crate) fn rounded_down(dt: f64) -> f64 {
    if !(dt.is_finite() && dt > 0.0) {
        return dt;
    }
    let digits = 3 - dt.log10().floor() as i32;
    let text = format!("{:.*}", digits.max(0) as usize, dt);
    let near: f64 = text.parse().unwrap_or(dt);
    let near = if digits < 0 { (dt / 10f64.powi(-digits)).floor() * 10f64.powi(-digits) } else { near };
    if near <= dt {
        return near;
    }
    let lower = near - 10f64.powi(-digits);
    format!("{:.*}", digits.max(0) as usize, lower).parse().unwrap_or(lower)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_rounded_down() {
        assert_eq!(rounded_down(1.767_76), 1.767);
        assert_eq!(rounded_down(0.000_123_49), 0.000_123_4);
        assert_eq!(rounded_down(2.0), 2.0);
        assert_eq!(rounded_down(123_456.0), 123_400.0);
        assert_eq!(rounded_down(9.999_99), 9.999);
    }

    #[test]
    fn windows_overlap_less_with_every_shift() {
        assert_eq!(overlap(16, 0), 1.0);
        assert!(overlap(16, 1) < 1.0 && overlap(16, 2) < overlap(16, 1));
        // The least eigenvalue of [1, -2, 1] on n points is 2 - 2 cos(pi n / (n+1)), and the window has it exactly.
        let n = 7;
        let quotient = 2.0 + 2.0 * overlap(n, 1);
        let exact = 2.0 - 2.0 * (std::f64::consts::PI * n as f64 / (n + 1) as f64).cos();
        assert!((quotient - exact).abs() < 1e-12, "{quotient} {exact}");
        assert_eq!(overlap(1, 1), 0.0);
    }
}
