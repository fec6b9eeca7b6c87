//! Forms that functions take: temporaries, tight memory, no halo, one point, complex values; one number a step.

use crate::byhand::{at, each, stencil};
use crate::random::Random;
use crate::{assert_close, assert_same, both};
use ndarray::ArrayD;
use wavefold::Result;
use wavefold::prelude::*;

const SHAPE: [usize; 2] = [11, 9];

fn grid() -> Grid {
    Grid::new(SHAPE).with_spacing([0.5, 0.25]).with_dtype(DType::F64)
}

fn field(name: &str, grid: &Grid) -> Result<TimeFunction> {
    let u = TimeFunction::new(name, grid).space_order(4).build()?;
    u.set_data(Random::new(1).array(&[2, SHAPE[0], SHAPE[1]], -1.0, 1.0))?;
    Ok(u)
}

/// A program with temporaries is the program with their values written out.
#[test]
fn temporaries_are_names() -> Result<()> {
    both(|backend| {
        let grid = grid();
        let temporary = |name: &str| Function::new(name, &grid).space_order(4).temporary().build();
        let run = |op: Operator| op.apply().dt(0.1).time_max(4).backend(backend).run().map(|_| ());
        let (u, v) = (field("u", &grid)?, field("u", &grid)?);
        let (a, b, other) = (temporary("a")?, temporary("b")?, temporary("c")?);
        let rec =
            |name: &str| SparseTimeFunction::new(name, &grid).steps(5).coordinates([[1.3, 1.1]]).build();
        let (heard, wanted) = (rec("rec")?, rec("rec")?);
        run(Operator::new([
            eq(&a, &u * u.dx()),
            eq(&b, a.dy() + a.shift(Dim::X, 1) * 0.1), // of another one
            eq(&other, u.laplace()),
            eq(u.forward(), &u + 0.01 * &b + 0.001 * &other).when(a.lt(10.0)),
            eq(&a, 2.0 * u.forward()), // a second meaning, from here on
            eq(&other, &a + u.dx()),   // and of the second meaning
            heard.interpolate(a.dx() + &other),
        ])?)?;
        let first = &v * v.dx();
        let second = first.dy() + first.shift(Dim::X, 1) * 0.1;
        run(Operator::new([
            eq(v.forward(), &v + 0.01 * second + 0.001 * v.laplace()).when(first.lt(10.0)),
            wanted.interpolate((2.0 * v.forward()).dx() + (2.0 * v.forward() + v.dx())),
        ])?)?;
        assert!(heard.data()?.norm() > 0.0);
        assert_same(&u.data()?, &v.data()?, "u");
        assert_same(&heard.data()?, &wanted.data()?, "rec");
        Ok(())
    })
}

/// Memory without padding changes no bit.
#[test]
fn tight_functions() -> Result<()> {
    for dtype in crate::DTYPES {
        both(|backend| {
            let grid = Grid::new(SHAPE).with_dtype(dtype);
            let outcome = |tight: bool| -> Result<Vec<Data>> {
                let time = |name: &str| {
                    let f = TimeFunction::new(name, &grid).space_order(4);
                    if tight { f.tight() } else { f }
                };
                let m = Function::new("m", &grid).space_order(4);
                let m = if tight { m.tight() } else { m }.build()?;
                m.set_data_with_halo(Random::new(3).array(&[19, 17], 0.5, 1.5))?;
                let u = time("u").build()?;
                assert_eq!(u.is_tight(), tight);
                u.set_data(Random::new(4).array(&[2, 11, 9], -1.0, 1.0))?;
                let all = time("all").save(6).build()?;
                let kept = time("kept").save(6).compression(Noop).build()?;
                let part = SubDomain::new("part", &grid).middle(Dim::X, 2, 3).right(Dim::Y, 4);
                let psi = time("psi").on(&part).build()?;
                let op = Operator::new([
                    eq(u.forward(), &u + 0.01 * (&m * u.dx()).dx() + 0.01 * u.dy2()),
                    eq(psi.forward(), 0.5 * &psi + u.dy()).on(&part),
                    inc(u.forward(), 0.1 * psi.dx()).on(&part),
                    eq(&all, &u),
                    eq(&kept, &u),
                ])?;
                op.apply().time_max(5).threads(2).backend(backend).run()?;
                let sum = Function::new("sum", &grid);
                let sum = if tight { sum.tight() } else { sum }.build()?;
                let back = time("back").build()?;
                let read = Operator::new([eq(back.backward(), &back + 1.0), inc(&sum, kept.dx())])?;
                read.apply().time_min(0).time_max(5).backend(backend).run()?;
                let halo = u.data_with_halo()?;
                assert_eq!(halo.shape(), [2, 19, 17]);
                Ok(vec![halo, m.data_with_halo()?, psi.data()?, all.data()?, decompress(&kept)?, sum.data()?])
            };
            for (tight, padded) in outcome(true)?.iter().zip(&outcome(false)?) {
                assert!(tight.norm() > 0.0);
                assert_same(tight, padded, "tight");
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// Functions without any halo, next to one with a halo.
#[test]
fn functions_without_halo() -> Result<()> {
    both(|backend| {
        let grid = grid();
        let u = field("u", &grid)?;
        let bare = TimeFunction::new("bare", &grid).space_order(0).build()?;
        let tight = Function::new("tight", &grid).space_order(0).tight().build()?;
        let start = u.at(0)?.to_f64();
        let op = Operator::new([
            eq(bare.forward(), &bare + u.diff(Dim::X).order(2)),
            eq(&tight, bare.forward() * 2.0),
        ])?;
        op.apply().time_max(0).backend(backend).run()?;
        let slope = each(&SHAPE, |p| stencil(&|q| at(&start, q), p, 0, &[(-1, -1.0), (1, 1.0)]));
        assert_eq!(bare.data_with_halo()?.shape(), [2, 11, 9]);
        assert_close(&bare.at(1)?, &slope, 1e-14, "bare");
        assert_close(&tight.data()?, &(2.0 * slope), 1e-14, "tight");
        Ok(())
    })
}

/// Along a dimension of one point a derivative sees the zeros around it.
#[test]
fn dimensions_of_one_point() -> Result<()> {
    for shape in [
        vec![1],
        vec![1, 7],
        vec![7, 1],
        vec![1, 1],
        vec![1, 1, 5],
        vec![4, 1, 6],
        vec![3, 5, 1],
        vec![1, 1, 1],
    ] {
        both(|backend| {
            let rank = shape.len();
            let grid = Grid::new(shape.clone()).with_spacing(0.5).with_dtype(DType::F64);
            let u = TimeFunction::new("u", &grid).build()?;
            let start = Random::new(5).array(&shape, -1.0, 1.0);
            u.set_at(0, start.clone())?;
            let total = Series::new("total", &grid).steps(4).build()?;
            let place = vec![0.0; rank];
            let rec = SparseTimeFunction::new("rec", &grid).steps(4).coordinates([place]).build()?;
            let kept =
                TimeFunction::new("kept", &grid).save(4).compression(Wavelet { compscale: 1e-6 }).build()?;
            let op = Operator::new([
                eq(u.forward(), &u + 0.02 * (u.laplace() + (&u * u.dx()).d(Dim::Space(rank - 1), 1))),
                total.sum(&u),
                rec.interpolate(&u),
                eq(&kept, &u),
            ])?;
            op.apply().time_max(3).threads(2).backend(backend).run()?;
            let mut now = start;
            for t in 0..4 {
                let (first, found) =
                    (now[&*vec![0; rank]], [total.data()?.to_f64()[[t, 0]], rec.data()?.to_f64()[[t, 0]]]);
                assert!(
                    (found[0] - now.sum()).abs() < 1e-12 && (found[1] - first).abs() < 1e-13,
                    "{shape:?}"
                );
                assert_close(&decompress_step(&kept, t)?, &now, 1e-4, "kept");
                let value = |q: &[i64]| at(&now, q);
                let flux = |q: &[i64]| value(q) * stencil(&value, q, 0, &[(-1, -1.0), (1, 1.0)]);
                now = each(&shape, |p| {
                    let second = |d| stencil(&value, p, d, &[(-1, 4.0), (0, -8.0), (1, 4.0)]);
                    let mixed = stencil(&flux, p, rank - 1, &[(-1, -1.0), (1, 1.0)]);
                    value(p) + 0.02 * ((0..rank).map(second).sum::<f64>() + mixed)
                });
            }
            assert_close(&u.at(4)?, &now, 1e-13, &format!("{shape:?}"));
            Ok(())
        })?;
    }
    Ok(())
}

/// Reductions of expressions, on parts, of f32 and f64 values, at any number of threads.
#[test]
fn one_number_a_step() -> Result<()> {
    const STEPS: usize = 4;
    for dtype in crate::DTYPES {
        both(|backend| {
            let grid = Grid::new([37, 41]).with_dtype(dtype);
            let mut outcomes = Vec::new();
            for threads in [1, 2, 3] {
                let u = TimeFunction::new("u", &grid).build()?;
                u.set_at(0, Random::new(6).array(&[37, 41], -1.0, 1.0))?;
                let series = |name: &str| Series::new(name, &grid).steps(STEPS).dtype(DType::F64).build();
                let names = ["total", "least", "most", "energy", "part", "nothing"];
                let all = names.into_iter().map(series).collect::<std::result::Result<Vec<_>, _>>()?;
                let every = TimeFunction::new("every", &grid).save(2).save_every(2).build()?;
                let late = series("late")?;
                let op = Operator::new([
                    all[0].sum(&u),
                    all[1].min(&u),
                    all[2].max(u.dx()),
                    all[3].sum(u.pow(2)),
                    all[4].max(-&u).on(&SubDomain::new("part", &grid).middle(Dim::X, 5, 7).left(Dim::Y, 3)),
                    all[5].sum(&u + 1.0).on(&SubDomain::new("none", &grid).left(Dim::X, 0)),
                    eq(&every, &u),
                    late.sum(&every + u.forward()),
                    eq(u.forward(), -0.5 * &u),
                    late.values().interpolate_add(1.0).when(grid.index(Dim::Time).equals(3)),
                ])?;
                op.apply().time_max(STEPS - 1).threads(threads).backend(backend).run()?;
                if threads == 1 {
                    let mut now = Random::new(6).array(&[37, 41], -1.0, 1.0);
                    if dtype == DType::F32 {
                        now.mapv_inplace(|v| f64::from(v as f32));
                    }
                    let mut next = ArrayD::zeros(now.raw_dim());
                    for t in 0..STEPS {
                        let slope =
                            each(&[37, 41], |p| stencil(&|q| at(&now, q), p, 0, &[(-1, -0.5), (1, 0.5)]));
                        let low = each(&[25, 3], |p| at(&now, &[p[0] + 5, p[1]]));
                        let kept = if t % 2 == 0 { (&now + &next).sum() } else { 0.0 };
                        let fold = |a: &ArrayD<f64>, f: fn(f64, f64) -> f64| {
                            a.iter().copied().reduce(f).unwrap_or(0.0)
                        };
                        let wanted = [
                            now.sum(),
                            fold(&now, f64::min),
                            fold(&slope, f64::max),
                            now.mapv(|v| v * v).sum(),
                            -fold(&low, f64::min),
                            0.0,
                            kept + if t == 3 { 1.0 } else { 0.0 },
                        ];
                        let tolerance = if dtype == DType::F32 { 1e-4 } else { 1e-11 };
                        for (s, wanted) in all.iter().chain([&late]).zip(wanted) {
                            let found = s.data()?.to_f64()[[t, 0]];
                            assert!(
                                (found - wanted).abs() <= tolerance,
                                "{} at {t}: {found}, not {wanted}",
                                s.name()
                            );
                        }
                        // Slot t+1 still holds the level before this one.
                        (now, next) = (-0.5 * &now, now);
                    }
                }
                let data = all.iter().chain([&late]).map(|s| Ok(crate::bits(&s.data()?)));
                outcomes.push(data.collect::<Result<Vec<_>>>()?);
            }
            assert!(outcomes[0] == outcomes[1] && outcomes[0] == outcomes[2]);
            Ok(())
        })?;
    }
    Ok(())
}

/// What is no number is passed over by the least and the largest, and spoils a sum.
#[test]
fn reductions_of_what_is_no_number() -> Result<()> {
    both(|backend| {
        let grid = grid();
        let f = Function::new("f", &grid).build()?;
        f.set_with(|i| if i[0] == 3 { f64::NAN } else { i[0] as f64 - 5.0 })?;
        let series = |name: &str| Series::new(name, &grid).steps(1).build();
        let (least, most, total) = (series("least")?, series("most")?, series("total")?);
        Operator::new([least.min(&f), most.max(&f), total.sum(&f)])?
            .apply()
            .time_max(0)
            .backend(backend)
            .run()?;
        let found = |s: &Series| -> Result<f64> { Ok(s.data()?.to_f64()[[0, 0]]) };
        assert_eq!((found(&least)?, found(&most)?), (-5.0, 5.0));
        assert!(found(&total)?.is_nan());
        Ok(())
    })
}

/// A Fourier transform on the fly of a field that decays by a factor a step: a geometric series.
#[test]
fn fourier_transform_on_the_fly() -> Result<()> {
    let (dt, omega, steps, decay) = (0.1, 2.5, 40, 0.9);
    both(|backend| {
        let grid = grid();
        let u = TimeFunction::new("u", &grid).build()?;
        let start = Random::new(7).array(&SHAPE, -1.0, 1.0);
        u.set_at(0, start.clone())?;
        let frequency = Constant::new("omega", omega);
        let spectrum = ComplexFunction::new("spectrum", &grid).build()?;
        let kernel = Complex::cis(-(&frequency * grid.position(Dim::Time)));
        let op = Operator::new([inc(&spectrum, kernel * &u * grid.dt()), eq(u.forward(), decay * &u)])?;
        op.apply().dt(dt).time_max(steps - 1).backend(backend).run()?;
        // (1 - q^n)/(1 - q) with q = decay*exp(-i*omega*dt).
        let power = |n: usize| {
            let (r, phase) = (decay.powi(n as i32), -omega * dt * n as f64);
            (r * phase.cos(), r * phase.sin())
        };
        let ((qr, qi), (pr, pi)) = (power(1), power(steps));
        let (nr, ni, dr, di) = (1.0 - pr, -pi, 1.0 - qr, -qi);
        let scale = dt / (dr * dr + di * di);
        let wanted = ((nr * dr + ni * di) * scale, (ni * dr - nr * di) * scale);
        assert_close(&spectrum.re.data()?, &(&start * wanted.0), 1e-12, "real part");
        assert_close(&spectrum.im.data()?, &(&start * wanted.1), 1e-12, "imaginary part");
        Ok(())
    })
}

/// Products, conjugates and derivatives of complex functions.
#[test]
fn complex_arithmetic() -> Result<()> {
    both(|backend| {
        let grid = grid();
        let psi = ComplexTimeFunction::new("psi", &grid).build()?;
        let (a, b) = (Random::new(8).array(&SHAPE, -1.0, 1.0), Random::new(9).array(&SHAPE, -1.0, 1.0));
        psi.re.set_at(0, a.clone())?;
        psi.im.set_at(0, b.clone())?;
        let turned = ComplexFunction::new("turned", &grid).build()?;
        let (power, curvature) =
            (Function::new("power", &grid).build()?, ComplexFunction::new("curvature", &grid).build()?);
        let real = ComplexFunction::new("real", &grid).build()?;
        real.im.fill(7.0)?;
        let op = Operator::new([
            eq(psi.forward(), psi.expr().times(Complex::cis(0.3))),
            eq(&turned, psi.forward().conj() * 2.0 - &psi),
            eq(&power, psi.forward().norm_sqr()),
            eq(&curvature, psi.expr().laplace()),
            eq(&real, 2.0 * &power),
        ])?;
        op.apply().time_max(4).backend(backend).run()?;
        let rotated = |k: usize| {
            let (s, c) = (0.3 * k as f64).sin_cos();
            (&a * c - &b * s, &a * s + &b * c)
        };
        let ((re, im), (next_re, next_im)) = (rotated(4), rotated(5));
        let second = |f: &ArrayD<f64>| {
            let along = |p: &[i64], d: usize, h: f64| {
                stencil(&|q| at(f, q), p, d, &[(-1, 1.0), (0, -2.0), (1, 1.0)]) / h / h
            };
            each(&SHAPE, |p| along(p, 0, 0.5) + along(p, 1, 0.25))
        };
        assert_close(&psi.re.at(5)?, &next_re, 1e-14, "real part");
        assert_close(&psi.im.at(5)?, &next_im, 1e-14, "imaginary part");
        assert_close(&turned.re.data()?, &(&next_re * 2.0 - &re), 1e-14, "turned");
        assert_close(&turned.im.data()?, &(&next_im * -2.0 - &im), 1e-14, "turned");
        assert_close(&power.data()?, &(&a * &a + &b * &b), 1e-13, "power");
        assert_close(&real.re.data()?, &(2.0 * (&a * &a + &b * &b)), 1e-13, "a real number");
        assert_eq!(real.im.data()?.norm(), 0.0, "it has no imaginary part");
        assert_close(&curvature.re.data()?, &second(&re), 1e-13, "curvature");
        assert_close(&curvature.im.data()?, &second(&im), 1e-13, "curvature");
        Ok(())
    })
}
