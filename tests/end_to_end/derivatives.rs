//! Derivatives with settings of their own, derivatives of derivatives, transposes, means of staggered functions.

use crate::byhand::{Value, along, at, each, stencil};
use crate::random::Random;
use crate::{assert_close, both};
use ndarray::ArrayD;
use wavefold::Result;
use wavefold::prelude::*;

const SHAPE: [usize; 2] = [12, 10];
const H: [f64; 2] = [0.5, 0.25];

fn grid() -> Grid {
    Grid::new(SHAPE).with_spacing(H).with_dtype(DType::F64)
}

fn random(name: &str, grid: &Grid, so: u32, seed: u64) -> Result<(Function, ArrayD<f64>)> {
    let values = Random::new(seed).array(grid.shape(), 0.5, 1.5);
    let f = Function::new(name, grid).space_order(so).build()?;
    f.set_data(values.clone())?;
    Ok((f, values))
}

/// Compares an expression of `u` and `m`, both of space order 8, with a value by hand.
fn check(
    what: &str,
    expr: impl Fn(&Function, &Function) -> Expr,
    by_hand: impl Fn(Value, Value, &[i64]) -> f64,
) -> Result<()> {
    both(|backend| {
        let grid = grid();
        let ((u, a), (m, b)) = (random("u", &grid, 8, 1)?, random("m", &grid, 8, 2)?);
        let out = Function::new("out", &grid).build()?;
        Operator::new([eq(&out, expr(&u, &m))])?.apply().backend(backend).run()?;
        let wanted = each(&SHAPE, |p| by_hand(&|q| at(&a, q), &|q| at(&b, q), p));
        assert_close(&out.data()?, &wanted, 1e-13, what);
        Ok(())
    })
}

#[test]
fn orders_sides_and_places() -> Result<()> {
    type Make = fn(Expr) -> Expr;
    type Weights = &'static [(i64, f64)];
    let cases: [(&str, Make, usize, i32, Weights); 12] = [
        ("order 2", |u| u.diff(Dim::X).order(2).expr(), 0, 1, &[(-1, -0.5), (1, 0.5)]),
        (
            "order 4",
            |u| u.diff(Dim::Y).order(4).expr(),
            1,
            1,
            &[(-2, 1.0 / 12.0), (-1, -2.0 / 3.0), (1, 2.0 / 3.0), (2, -1.0 / 12.0)],
        ),
        (
            "degree 2, order 4",
            |u| u.diff(Dim::X).degree(2).order(4).expr(),
            0,
            2,
            &[(-2, -1.0 / 12.0), (-1, 4.0 / 3.0), (0, -2.5), (1, 4.0 / 3.0), (2, -1.0 / 12.0)],
        ),
        (
            "left",
            |u| u.diff(Dim::X).order(2).side(Side::Left).expr(),
            0,
            1,
            &[(-2, 0.5), (-1, -2.0), (0, 1.5)],
        ),
        (
            "right",
            |u| u.diff(Dim::Y).order(2).side(Side::Right).expr(),
            1,
            1,
            &[(0, -1.5), (1, 2.0), (2, -0.5)],
        ),
        ("halfway up", |u| u.diff(Dim::X).order(2).x0(0.5).expr(), 0, 1, &[(0, -1.0), (1, 1.0)]),
        ("halfway down", |u| u.diff(Dim::X).order(2).x0(-0.5).expr(), 0, 1, &[(-1, -1.0), (0, 1.0)]),
        (
            "halfway up, order 4",
            |u| u.diff(Dim::Y).order(4).x0(0.5).expr(),
            1,
            1,
            &[(-1, 1.0 / 24.0), (0, -1.125), (1, 1.125), (2, -1.0 / 24.0)],
        ),
        ("a point further", |u| u.diff(Dim::X).order(2).x0(1.0).expr(), 0, 1, &[(0, -0.5), (2, 0.5)]),
        (
            "curvature halfway",
            |u| u.diff(Dim::X).degree(2).order(4).x0(0.5).expr(),
            0,
            2,
            &[(-1, 0.5), (0, -0.5), (1, -0.5), (2, 0.5)],
        ),
        ("weights", |u| u.diff(Dim::X).weights(-1, &[-1.0, 1.0]).expr(), 0, 1, &[(-1, -1.0), (0, 1.0)]),
        (
            "weights of degree 2",
            |u| u.diff(Dim::Y).degree(2).weights(-3, &[0.3, 0.0, 0.0, -1.1, 0.8, 7.0]).expr(),
            1,
            2,
            &[(-3, 0.3), (0, -1.1), (1, 0.8), (2, 7.0)],
        ),
    ];
    for (what, make, dim, degree, weights) in cases {
        check(what, |u, _| make(u.expr()), |u, _, p| stencil(u, p, dim, weights) / H[dim].powi(degree))?;
        // The operand is any expression, taken at each point of the stencil.
        let product = |u: Value, m: Value, p: &[i64]| {
            stencil(&|q| u(q) * m(&along(q, 1, 1)), p, dim, weights) / H[dim].powi(degree)
        };
        check(what, |u, m| make(u * m.shift(Dim::Y, 1)), product)?;
    }
    Ok(())
}

/// Third and fourth derivatives against polynomials, for which they are exact.
#[test]
fn polynomials() -> Result<()> {
    both(|backend| {
        let grid = grid();
        let u = Function::new("u", &grid).space_order(4).build()?;
        let (x, y) = (|p: &[usize]| p[0] as f64 * H[0], |p: &[usize]| p[1] as f64 * H[1]);
        u.set_with(|p| x(p).powi(4) - 2.0 * x(p).powi(2) * y(p).powi(2) + y(p).powi(3))?;
        type Exact = fn(f64, f64) -> f64;
        let cases: [(Expr, Exact); 7] = [
            (u.dx3(), |x, _| 24.0 * x),
            (u.dx4(), |_, _| 24.0),
            (u.dy3(), |_, _| 6.0),
            (u.dxdy(), |x, y| -8.0 * x * y),
            (u.dx2().dy2(), |_, _| -8.0),
            (u.dxl() + u.dyr(), |x, y| 4.0 * x.powi(3) - 4.0 * x * y * y - 4.0 * x * x * y + 3.0 * y * y),
            (u.diff(Dim::X).x0(0.5).expr(), |x, y| {
                let x = x + H[0] / 2.0;
                4.0 * x.powi(3) - 4.0 * x * y * y
            }),
        ];
        for (expr, exact) in cases {
            let out = Function::new("out", &grid).build()?;
            let inside = SubDomain::new("inside", &grid).middle(Dim::X, 4, 4).middle(Dim::Y, 4, 4);
            Operator::new([eq(&out, expr.clone()).on(&inside)])?.apply().backend(backend).run()?;
            let wanted = each(&SHAPE, |p| {
                let inside = (4..8).contains(&p[0]) && (4..6).contains(&p[1]);
                if inside { exact(p[0] as f64 * H[0], p[1] as f64 * H[1]) } else { 0.0 }
            });
            assert_close(&out.data()?, &wanted, 1e-10, &expr.to_string());
        }
        Ok(())
    })
}

/// The position is a function like others: it changes from point to point of a stencil, also of one within another.
#[test]
fn derivatives_of_positions() -> Result<()> {
    both(|backend| {
        let grid = Grid::new(SHAPE).with_spacing(H).with_origin([3.0, -1.0]).with_dtype(DType::F64);
        let x = |p: &[i64]| 3.0 + p[0] as f64 * H[0];
        let (u, values) = random("u", &grid, 8, 7)?;
        let out: Vec<Function> = (0..4)
            .map(|k| Function::new(format!("out{k}"), &grid).build())
            .collect::<std::result::Result<_, _>>()?;
        let position = grid.position(Dim::X);
        let inner = (&position * u.diff(Dim::X).order(4)).diff(Dim::X).order(4).expr();
        let op = Operator::new([
            eq(&out[0], position.dx()),
            eq(&out[1], (position.pow(2) * &u).diff(Dim::X).order(2)),
            eq(&out[2], inner + (&position * &u).diff(Dim::Y).order(2)),
            eq(&out[3], grid.index(Dim::Y).shift(Dim::Y, -2)),
        ])?;
        op.apply().backend(backend).run()?;
        let first: [(i64, f64); 2] = [(-1, -0.5), (1, 0.5)];
        let wide = [(-2, 1.0 / 12.0), (-1, -2.0 / 3.0), (1, 2.0 / 3.0), (2, -1.0 / 12.0)];
        let slope = |f: Value, p: &[i64]| stencil(f, p, 0, &wide) / H[0];
        let field = |p: &[i64]| at(&values, p);
        let wanted = [
            each(&SHAPE, |_| 1.0),
            each(&SHAPE, |p| stencil(&|q| x(q).powi(2) * field(q), p, 0, &first) / H[0]),
            each(&SHAPE, |p| {
                let along_y = stencil(&|q| x(q) * field(q), p, 1, &first) / H[1];
                slope(&|q| x(q) * slope(&field, q), p) + along_y
            }),
            each(&SHAPE, |p| p[1] as f64 - 2.0),
        ];
        for (out, wanted) in out.iter().zip(&wanted) {
            assert_close(&out.data()?, wanted, 1e-12, out.name());
        }
        Ok(())
    })
}

#[test]
fn nested_and_cross_derivatives() -> Result<()> {
    const FIRST: [(i64, f64); 4] = [(-2, 1.0 / 12.0), (-1, -2.0 / 3.0), (1, 2.0 / 3.0), (2, -1.0 / 12.0)];
    let first = |f: Value, p: &[i64], dim: usize| stencil(f, p, dim, &FIRST) / H[dim];
    let d = |e: Expr, dim: Dim| e.diff(dim).order(4).expr();
    check(
        "of a product",
        |u, m| d(m * d(u.expr(), Dim::X), Dim::X),
        |u, m, p| first(&|q| m(q) * first(u, q, 0), p, 0),
    )?;
    check(
        "across",
        |u, m| d(m * d(u.expr(), Dim::X), Dim::Y) + d(m * d(u.expr(), Dim::Y), Dim::X),
        |u, m, p| first(&|q| m(q) * first(u, q, 0), p, 1) + first(&|q| m(q) * first(u, q, 1), p, 0),
    )?;
    // The rotated derivative twice, as in tilted media: what is inside is computed once per tile.
    let angle = |m: &Function| (m.sin(), m.cos());
    let along_axis = |e: Expr, m: &Function| {
        let (s, c) = angle(m);
        s * d(e.clone(), Dim::X) + c * d(e, Dim::Y)
    };
    let by_hand = |f: Value, m: Value, p: &[i64]| m(p).sin() * first(f, p, 0) + m(p).cos() * first(f, p, 1);
    check(
        "along an axis",
        |u, m| along_axis(along_axis(u.expr(), m), m),
        |u, m, p| by_hand(&|q| by_hand(u, m, q), m, p),
    )?;
    check(
        "of a function of a derivative",
        |u, m| d((d(u.expr(), Dim::Y).pow(2) + m.pow(2)).sqrt(), Dim::X),
        |u, m, p| first(&|q| (first(u, q, 1).powi(2) + m(q).powi(2)).sqrt(), p, 0),
    )
}

/// `<A u, v> = <u, A' v>` with zeros around the domain.
#[test]
fn transposes() -> Result<()> {
    type Linear = fn(Expr, Expr) -> Expr;
    let weights = |u: Expr, dim| u.diff(dim).weights(-2, &[0.1, -0.7, 0.4, 0.0, 1.3]).expr();
    let cases: [(&str, Linear); 8] = [
        ("left", |u, _| u.dxl()),
        ("right", |u, _| u.dyr()),
        ("halfway", |u, _| u.diff(Dim::X).order(4).x0(0.5).expr()),
        ("further down", |u, _| u.diff(Dim::Y).order(2).x0(-1.5).expr()),
        ("third", |u, _| u.dx3()),
        ("a factor before", |u, m| m * u.dxl()),
        ("a chain", |u, m| (m.clone() * (m * u.dxl()).dyr()).diff(Dim::X).order(2).x0(0.5).expr()),
        ("a sum", |u, m| u.dxr() + 2.0 * (m * u.dyl()).dxr() - u.dy2()),
    ];
    type Map<'a> = &'a dyn Fn(Expr, Expr) -> Expr;
    let own: [(&str, Map); 2] = [
        ("weights", &|u, _| weights(u, Dim::X)),
        ("weights in a chain", &|u, m| weights(m * weights(u, Dim::Y), Dim::X)),
    ];
    let plain = cases.iter().map(|(what, make)| (*what, make as Map));
    for (what, make) in plain.chain(own) {
        both(|backend| {
            let grid = grid();
            let ((u, a), (v, b)) = (random("u", &grid, 12, 3)?, random("v", &grid, 12, 4)?);
            let (m, _) = random("m", &grid, 12, 5)?;
            let (out, back) = (Function::new("out", &grid).build()?, Function::new("back", &grid).build()?);
            let op =
                Operator::new([eq(&out, make(u.expr(), m.expr())), eq(&back, make(v.expr(), m.expr()).T())])?;
            op.apply().backend(backend).run()?;
            let left = (out.data()?.to_f64() * &b).sum();
            let right = (back.data()?.to_f64() * &a).sum();
            let scale = out.data()?.norm() * b.iter().map(|v| v * v).sum::<f64>().sqrt();
            assert!((left - right).abs() <= 1e-13 * scale, "{what}: {left} and {right}");
            Ok(())
        })?;
    }
    Ok(())
}

/// The transpose of a tensor, in the sum that makes a strain.
#[test]
fn transposed_tensors() -> Result<()> {
    both(|backend| {
        let grid = grid();
        let v = VectorTimeFunction::new("v", &grid).collocated().build()?;
        let starts: Vec<ArrayD<f64>> = (0..2).map(|d| Random::new(6 + d).array(&SHAPE, -1.0, 1.0)).collect();
        for (c, start) in v.components().iter().zip(&starts) {
            c.set_at(0, start.clone())?;
        }
        let s = TensorTimeFunction::new("s", &grid).collocated().symmetric(false).build()?;
        let gradient = grad(&v);
        let op = Operator::new([eq(s.forward(), 2.0 * gradient.transpose() + &gradient)])?;
        op.apply().time_max(0).backend(backend).run()?;
        let slope = |of: usize, dim: usize, p: &[i64]| {
            stencil(&|q| at(&starts[of], q), p, dim, &[(-1, -0.5), (1, 0.5)]) / H[dim]
        };
        // One of both is the derivative of component i along j; the other carries the factor.
        let row = grad(&v)[(0, 1)].to_string() == v.components()[0].dy().to_string();
        for i in 0..2 {
            for j in 0..2 {
                let wanted = each(&SHAPE, |p| {
                    let (own, other) = (slope(i, j, p), slope(j, i, p));
                    if row { own + 2.0 * other } else { other + 2.0 * own }
                });
                let found = s.component(i, j).expect("a full tensor").at(1)?;
                assert_close(&found, &wanted, 1e-13, &format!("{i}{j}"));
            }
        }
        Ok(())
    })
}

/// The mean of a list.
fn mean(values: &[f64], harmonic: bool) -> f64 {
    let n = values.len() as f64;
    if harmonic { n / values.iter().map(|v| 1.0 / v).sum::<f64>() } else { values.iter().sum::<f64>() / n }
}

/// Between two, four and eight neighbours, up from the nodes and back.
#[test]
fn means_of_staggered_functions() -> Result<()> {
    let shape = [5, 6, 4];
    let places: [(Stagger, [bool; 3]); 4] = [
        (Stagger::Node, [false; 3]),
        (Dim::Y.into(), [false, true, false]),
        ([Dim::X, Dim::Z].into(), [true, false, true]),
        (Stagger::Cell, [true; 3]),
    ];
    for average in [Average::Arithmetic, Average::Harmonic] {
        both(|backend| {
            let grid = Grid::new(shape).with_dtype(DType::F64);
            let (mut equations, mut outs) = (vec![], vec![]);
            for (i, (from, lives)) in places.iter().enumerate() {
                let f =
                    Function::new(format!("f{i}"), &grid).staggered(from.clone()).average(average).build()?;
                let values = Random::new(i as u64).array(&shape, 0.5, 1.5);
                f.set_data(values.clone())?;
                f.extend_halo()?;
                for (j, (to, wanted)) in places.iter().enumerate() {
                    let out = Function::new(format!("out{i}{j}"), &grid).staggered(to.clone()).build()?;
                    equations.push(eq(&out, 2.0 * &f));
                    outs.push((out, values.clone(), *lives, *wanted));
                }
            }
            Operator::new(equations)?.apply().backend(backend).run()?;
            for (out, values, lives, wanted) in outs {
                // The halo continues the function.
                let value = |p: &[i64]| {
                    let inside: Vec<i64> = (0..3).map(|d| p[d].clamp(0, shape[d] as i64 - 1)).collect();
                    at(&values, &inside)
                };
                let by_hand = each(&shape, |p| {
                    let mut corners = vec![p.to_vec()];
                    for d in (0..3).filter(|d| lives[*d] != wanted[*d]) {
                        let next = if wanted[d] { 1 } else { -1 };
                        corners.extend(corners.clone().iter().map(|c| along(c, d, next)));
                    }
                    let near: Vec<f64> = corners.iter().map(|c| value(c)).collect();
                    2.0 * mean(&near, average == Average::Harmonic)
                });
                assert_close(&out.data()?, &by_hand, 1e-14, &format!("{} {average:?}", out.name()));
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// Within a derivative the parameter is taken to where the wavefield lives; where it vanishes, so does its harmonic mean.
#[test]
fn harmonic_means_within_derivatives() -> Result<()> {
    both(|backend| {
        let grid = grid();
        let b = Function::new("b", &grid).average(Average::Harmonic).build()?;
        let mut modulus = Random::new(8).array(&SHAPE, 0.5, 1.5);
        modulus[[4, 5]] = 0.0;
        b.set_data(modulus.clone())?; // and 0 in its halo
        let v = TimeFunction::new("v", &grid).staggered(Dim::X).build()?;
        let p = TimeFunction::new("pressure", &grid).build()?;
        let start = Random::new(9).array(&SHAPE, -1.0, 1.0);
        v.set_at(0, start.clone())?;
        let op = Operator::new([eq(p.forward(), (&b * &v).dx()), eq(v.forward(), &b * p.forward().dx())])?;
        op.apply().time_max(0).backend(backend).run()?;
        let halfway = |q: &[i64]| mean(&[at(&modulus, q), at(&modulus, &along(q, 0, 1))], true);
        assert_eq!((halfway(&[4, 5]), halfway(&[3, 5]), halfway(&[11, 2])), (0.0, 0.0, 0.0));
        let flux = |q: &[i64]| if at(&start, q) == 0.0 { 0.0 } else { halfway(q) * at(&start, q) };
        let pressure = each(&SHAPE, |q| stencil(&flux, q, 0, &[(-1, -1.0), (0, 1.0)]) / H[0]);
        let slope = |q: &[i64]| stencil(&|r| at(&pressure, r), q, 0, &[(0, -1.0), (1, 1.0)]) / H[0];
        assert_close(&p.at(1)?, &pressure, 1e-13, "p");
        assert_close(&v.at(1)?, &each(&SHAPE, |q| halfway(q) * slope(q)), 1e-13, "v");
        Ok(())
    })
}
