//! The passes keep the meaning: equations are evaluated at one point as the user wrote them, derivatives and
//! all, and as the tree computes them, and compared.

mod support;

use proptest::prelude::*;
use std::collections::HashMap;
use support::{compile, grid};
use wavefold_ir::stencil::Action;
use wavefold_ir::tree::Stmt;
use wavefold_ir::{Access, Arena, Decls, Derivative, Expr, ExprId, FieldId, FieldKind, Func, LocalId, Side};
use wavefold_passes::{CompileError, lower};
use wavefold_symbolic as sym;
use wavefold_symbolic::Equation;
use wavefold_symbolic::prelude::*;

/// A value, and a bound of its rounding errors in units of the last place.
#[derive(Clone, Copy, Debug)]
struct Value {
    v: f64,
    error: f64,
}

impl Value {
    fn exact(v: f64) -> Value {
        Value { v, error: v.abs() }
    }

    fn add(self, o: Value) -> Value {
        Value { v: self.v + o.v, error: self.error + o.error }
    }

    fn mul(self, o: Value) -> Value {
        Value { v: self.v * o.v, error: self.error * o.v.abs() + self.v.abs() * o.error }
    }

    /// A function with its derivative.
    fn map(self, f: f64, slope: f64) -> Value {
        Value { v: f, error: slope.abs() * self.error + f.abs() }
    }

    fn power(self, n: f64) -> Value {
        self.map(self.v.powf(n), n * self.v.powf(n - 1.0))
    }

    fn call(f: Func, a: &[Value]) -> Value {
        let x = a[0].v;
        match f {
            Func::Sqrt => a[0].map(x.sqrt(), 0.5 / x.sqrt()),
            Func::Exp => a[0].map(x.exp(), x.exp()),
            Func::Sin => a[0].map(x.sin(), x.cos()),
            Func::Cos => a[0].map(x.cos(), x.sin()),
            Func::Tanh => a[0].map(x.tanh(), 1.0 - x.tanh().powi(2)),
            Func::Abs => a[0].map(x.abs(), 1.0),
            Func::Pow => a[0].power(a[1].v),
            other => panic!("{other:?} is not generated"),
        }
    }
}

/// Memory at and around one point: what was written there, else a number made from the name of the place.
#[derive(Default)]
struct Point {
    written: HashMap<Access, Value>,
    locals: HashMap<LocalId, Value>,
    /// What defines locals, for other points, and the fields of the compiler.
    named: HashMap<LocalId, ExprId>,
    made: HashMap<FieldId, ExprId>,
}

/// A number between 0.5 and 1.5 that looks random.
fn noise(seed: &[i64]) -> f64 {
    let hash = seed.iter().fold(0x9e37_79b9_7f4a_7c15_u64, |h, s| {
        let h = (h ^ *s as u64).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        h ^ h >> 29
    });
    0.5 + (hash >> 11) as f64 / (1_u64 << 53) as f64
}

impl Point {
    fn load(&self, a: Access) -> Value {
        self.written.get(&a).copied().unwrap_or_else(|| {
            let o = a.offsets.map(i64::from);
            Value::exact(noise(&[a.field.0.into(), a.time.into(), o[0], o[1], o[2]]))
        })
    }

    fn eval(&self, d: &Decls, e: &Arena, id: ExprId, at: [i32; 3]) -> Value {
        let of = |c: ExprId| self.eval(d, e, c, at);
        match &e[id] {
            Expr::Number(n) => Value::exact(n.value()),
            Expr::Scalar(s) => Value::exact(noise(&[-1, s.0.into()])),
            Expr::Local(l) => match self.named.get(l) {
                Some(value) if at != [0; 3] => of(*value),
                _ => self.locals[l],
            },
            Expr::Load(a) => {
                let offsets = [0, 1, 2].map(|i| a.offsets[i] + at[i]);
                if let Some(value) = self.made.get(&a.field) {
                    return self.eval(d, e, *value, offsets);
                }
                self.load(Access { offsets, ..*a })
            }
            Expr::Sum(c) => c.iter().map(|c| of(*c)).reduce(Value::add).expect("operands"),
            Expr::Product(c) => c.iter().map(|c| of(*c)).reduce(Value::mul).expect("operands"),
            Expr::Power(a, n) => of(*a).power((*n).into()),
            Expr::Call(f, c) => Value::call(*f, &c.iter().map(|c| of(*c)).collect::<Vec<_>>()),
            Expr::Derivative(v) => self.derivative(d, e, v, at),
            Expr::Sub(a, b) => of(*a).add(of(*b).mul(Value::exact(-1.0))),
            Expr::Neg(a) => of(*a).mul(Value::exact(-1.0)),
            Expr::Div(a, b) => of(*a).mul(of(*b).power(-1.0)),
            Expr::Fma(a, b, c) => of(*a).mul(of(*b)).add(of(*c)),
            other => panic!("{other:?} is not generated"),
        }
    }

    fn derivative(&self, d: &Decls, e: &Arena, v: &Derivative, at: [i32; 3]) -> Value {
        let stencil = sym::fd::stencil(&sym::Derivative {
            expr: sym::Expr::number(0.0),
            dim: sym::Dim::Space(v.dim.into()),
            degree: v.degree.into(),
            order: v.order.into(),
            side: match v.side {
                Side::Left => sym::Side::Left,
                Side::Centered => sym::Side::Centered,
                Side::Right => sym::Side::Right,
            },
            transpose: v.transpose,
            x0: Some(v.shift.into()),
            weights: None,
        });
        let h = Value::exact(d.dims[usize::from(v.dim)].spacing).power(-f64::from(v.degree));
        let terms = stencil.into_iter().map(|(offset, weight)| {
            let mut at = at;
            at[usize::from(v.dim)] += offset;
            self.eval(d, e, v.of, at).mul(Value::exact(weight)).mul(h)
        });
        terms.reduce(Value::add).expect("a stencil has points")
    }

    fn assign(&mut self, target: Access, value: Value, increment: bool) {
        let value = if increment { self.load(target).add(value) } else { value };
        self.written.insert(target, value);
    }
}

/// The values that the equations leave at the point, as written.
fn as_written(equations: &[Equation]) -> Result<HashMap<Access, Value>, CompileError> {
    let p = lower("op", equations, &wavefold_passes::Specialisation::default())?.program;
    let mut point = Point::default();
    for s in &p.statements {
        let value = point.eval(&p.decls, &p.exprs, s.action.value(), [0; 3]);
        if let Action::Assign { target, increment, .. } = s.action {
            point.assign(target, value, increment);
        }
    }
    Ok(point.written)
}

/// The values that the tree leaves at the point.
fn as_compiled(equations: &[Equation]) -> Result<HashMap<Access, Value>, CompileError> {
    let p = compile(equations, true)?.tree;
    let mut point = Point::default();
    for s in &p.scalars {
        let value = point.eval(&p.decls, &p.exprs, s.value, [0; 3]);
        point.locals.insert(s.local, value);
    }
    p.visit(&mut |s| match s {
        Stmt::Let { local, value } => {
            point.named.insert(*local, *value);
            let value = point.eval(&p.decls, &p.exprs, *value, [0; 3]);
            point.locals.insert(*local, value);
        }
        Stmt::Assign { target, value, .. }
            if matches!(p.decls.field(target.field).kind, FieldKind::Tile | FieldKind::Invariant) =>
        {
            point.made.insert(target.field, *value);
        }
        Stmt::Assign { target, value, increment } => {
            let value = point.eval(&p.decls, &p.exprs, *value, [0; 3]);
            point.assign(*target, value, *increment);
        }
        _ => {}
    });
    Ok(point.written)
}

fn same(equations: &[Equation]) -> Result<(), TestCaseError> {
    let (Ok(left), right) = (as_written(equations), as_compiled(equations)) else {
        return Err(TestCaseError::reject("means nothing"));
    };
    let right = match right {
        Err(CompileError::Halo { .. }) => return Err(TestCaseError::reject("wider than the halo")),
        other => other.map_err(|e| TestCaseError::fail(e.to_string()))?,
    };
    prop_assert_eq!(left.len(), right.len());
    for (access, a) in left {
        let b = right[&access];
        prop_assume!(a.v.is_finite() && a.error.is_finite());
        // Terms of a large sum may cancel: the tolerance is relative to them.
        let tolerance = 1e-12 * a.v.abs() + 1e-15 * (a.error + b.error);
        prop_assert!((a.v - b.v).abs() <= tolerance, "{a:?} became {b:?} in {equations:?}");
    }
    Ok(())
}

/// The functions of the generated equations, of one set of ids per case.
#[derive(Clone)]
struct Names {
    u: TimeFunction,
    m: Function,
    c: Constant,
    grid: Grid,
    targets: Vec<Function>,
}

fn names() -> Names {
    let grid = grid(&[40, 30]);
    let u = TimeFunction::new("u", &grid).time_order(2).space_order(4).build().unwrap();
    let m = Function::new("m", &grid).space_order(4).build().unwrap();
    let target = |i| Function::new(format!("w{i}"), &grid).space_order(4).build().unwrap();
    Names { u, m, c: Constant::new("c", 1.0), targets: (0..3).map(target).collect(), grid }
}

/// The shape of an expression; made into one over [`Names`].
#[derive(Clone, Debug)]
enum Shape {
    Leaf(u8),
    Number(f64),
    Join(u8, Box<Shape>, Box<Shape>),
    Apply(u8, Box<Shape>),
}

fn shape() -> impl Strategy<Value = Shape> {
    let number = prop_oneof![Just(0.0), Just(1.0), Just(-1.0), Just(2.0), -3.0..3.0];
    let leaf = prop_oneof![4 => (0..9u8).prop_map(Shape::Leaf), 1 => number.prop_map(Shape::Number)];
    leaf.prop_recursive(5, 40, 2, |inner| {
        prop_oneof![
            3 => (0..5u8, inner.clone(), inner.clone()).prop_map(|(k, a, b)| Shape::Join(k, a.into(), b.into())),
            2 => (0..17u8, inner).prop_map(|(k, a)| Shape::Apply(k, a.into())),
        ]
    })
}

impl Shape {
    fn expr(&self, n: &Names) -> sym::Expr {
        match self {
            Shape::Number(v) => sym::Expr::number(*v),
            Shape::Leaf(k) => match k {
                0 | 1 => n.u.expr(),
                2 => n.u.forward(),
                3 => n.u.backward(),
                4 => n.m.expr(),
                5 => n.c.expr(),
                6 => n.grid.dt(),
                _ => n.targets[usize::from(k % 3)].expr(),
            },
            Shape::Join(k, a, b) => {
                let (a, b) = (a.expr(n), b.expr(n));
                match k {
                    0 => a + b,
                    1 => a - b,
                    2 => a * b,
                    3 => a / (2.0 + b.sin()),
                    _ => 2.0 * &a * &b + 2.0 * a,
                }
            }
            Shape::Apply(k, a) => {
                let a = a.expr(n);
                match k {
                    0 => a.dx(),
                    1 => a.dy(),
                    2 => a.dx2(),
                    3 => a.laplace(),
                    4 => a.dxl(),
                    5 => a.dyr().T(),
                    6 => -a,
                    7 => a.sin(),
                    8 => a.cos(),
                    9 => a.sin().exp(),
                    10 => (1.0 + &a * &a).sqrt(),
                    11 => (2.0 + a.sin()).pow(-1),
                    12 => (2.0 + a.cos()).pow(-2),
                    13 => a.pow(2),
                    14 => a.pow(3),
                    15 => (2.0 + a.sin()).pow(1.5),
                    _ => (2.0 + a.sin()).pow(-0.5) * (2.0 + a.sin()).pow(9),
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 250, failure_persistence: None, max_global_rejects: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn values_survive_the_pipeline(
        shapes in proptest::collection::vec((0..3usize, any::<bool>(), shape()), 1..5),
    ) {
        let n = names();
        let equations: Vec<Equation> = shapes
            .iter()
            .map(|(target, increment, shape)| {
                let (target, value) = (&n.targets[*target], shape.expr(&n));
                if *increment { inc(target, value) } else { eq(target, value) }
            })
            .collect();
        same(&equations)?;
    }
}

#[test]
fn coefficients_of_zero_and_one_and_minus_one() {
    let n = names();
    let (u, m, w) = (&n.u, &n.m, &n.targets[0]);
    for value in [
        0.0 * u.expr(),
        u.expr() - u,
        -1.0 * u.expr() - m,
        -(u * m),
        -1.0 / m.expr(),
        u - 1.0 / m.expr(),
        u - u * u / m,
        u.expr() / m / m / &n.c,
        u.pow(0),
        u.pow(1),
        u.pow(-1) * u * m,
        (u * m).pow(-3) * m.pow(2),
        u.pow(16) - u.pow(9) / u.pow(8),
        (&n.c + 1.0) * (&n.c + 1.0) * u,
        &n.c * (u + m) + &n.c * (u - m),
        2.0 * (u + 2.0 * (m + 2.0 * (u.expr() - m))),
        u.dx().dx() - u.dx2() + (m * u.dx()).dx(),
    ] {
        same(&[eq(w, value)]).unwrap();
    }
}

/// What the evaluator takes a field for: ids are those of the declarations, which the compiler only extends.
#[test]
fn declarations_keep_their_order() {
    let n = names();
    let equations = [eq(&n.targets[0], &n.u + &n.m)];
    let (a, b) = (
        lower("op", &equations, &wavefold_passes::Specialisation::default()).unwrap().program.decls,
        compile(&equations, false).unwrap().tree.decls,
    );
    for i in 0..a.fields.len() {
        assert_eq!(a.field(FieldId(i as u32)).name, b.field(FieldId(i as u32)).name);
    }
}

/// Three derivatives need more halo than there is: that is said of the equation, and no temporary hides it.
#[test]
fn what_reaches_beyond_the_halo_gets_no_temporary() {
    let n = names();
    let e = eq(&n.targets[0], n.u.dx().dx().dx());
    let error = compile(&[e], true).unwrap_err();
    assert_eq!(error.code(), "halo::too_narrow");
}
