//! Sparse points that move, in every kind of interpolation, of every kind of value.

use crate::byhand::{at, each, linear, stencil};
use crate::random::Random;
use crate::{assert_close, assert_same, both};
use ndarray::ArrayD;
use std::f64::consts::PI;
use wavefold::Result;
use wavefold::prelude::*;

const SHAPE: [usize; 2] = [12, 10];
const SPACING: [f64; 2] = [2.0, 0.5];
const ORIGIN: [f64; 2] = [-4.0, 10.0];
const KINDS: [Interpolation; 3] =
    [Interpolation::Linear, Interpolation::Nearest, Interpolation::Sinc { radius: 2 }];

fn grid() -> Grid {
    Grid::new(SHAPE).with_spacing(SPACING).with_origin(ORIGIN).with_dtype(DType::F64)
}

/// Coordinates of positions in points of the grid.
fn places(positions: &[[f64; 2]]) -> Vec<Vec<f64>> {
    positions.iter().map(|p| (0..2).map(|d| ORIGIN[d] + p[d] * SPACING[d]).collect()).collect()
}

fn parameter(name: &str, grid: &Grid, seed: u64) -> Result<(Function, ArrayD<f64>)> {
    let values = Random::new(seed).array(grid.shape(), 0.5, 1.5);
    let f = Function::new(name, grid).build()?;
    f.set_data(values.clone())?;
    Ok((f, values))
}

const STEPS: usize = 7;

/// Positions of two points at each step; some lie outside.
fn tracks(seed: u64) -> Vec<[f64; 2]> {
    let mut random = Random::new(seed);
    let mut track: Vec<[f64; 2]> =
        (0..2 * STEPS).map(|_| [random.within(-0.5, 11.5), random.within(0.0, 9.0)]).collect();
    (track[0], track[5]) = ([3.0, 4.0], [-2.0, 4.0]);
    track
}

#[test]
fn moving_points_by_hand() -> Result<()> {
    let (from, to) = (tracks(1), tracks(2));
    both(|backend| {
        let grid = grid();
        let u = TimeFunction::new("u", &grid).build()?;
        let (m, scale) = parameter("m", &grid, 3)?;
        let src =
            SparseTimeFunction::new("src", &grid).steps(STEPS).moving_coordinates(places(&from)).build()?;
        let rec =
            SparseTimeFunction::new("rec", &grid).steps(STEPS).moving_coordinates(places(&to)).build()?;
        assert_eq!((src.points(), src.is_moving()), (2, true));
        let wavelets = Random::new(4).array(&[STEPS, 2], -1.0, 1.0);
        src.set_data(wavelets.clone())?;
        let op = Operator::new([
            eq(u.forward(), 0.5 * &u),
            src.inject(u.forward(), &src * &m),
            rec.interpolate(u.forward() + 1.0),
        ])?;
        op.apply().time_max(STEPS - 1).backend(backend).run()?;
        let mut now = ArrayD::<f64>::zeros(SHAPE.to_vec());
        let mut heard = ArrayD::<f64>::zeros(vec![STEPS, 2]);
        for t in 0..STEPS {
            now *= 0.5;
            for p in 0..2 {
                let weight = |i: &[i64]| linear(&from[2 * t + p], &SHAPE, i);
                now += &each(&SHAPE, |i| weight(i) * wavelets[[t, p]] * at(&scale, i));
            }
            for p in 0..2 {
                let weights = each(&SHAPE, |i| linear(&to[2 * t + p], &SHAPE, i));
                heard[[t, p]] = (weights * (&now + 1.0)).sum();
            }
        }
        assert_close(&u.at(STEPS)?, &now, 1e-13, "u");
        assert_close(&rec.data()?, &heard, 1e-13, "rec");
        Ok(())
    })
}

/// A run with moving points is a run of one step after the other, with the points put in their places before each.
#[test]
fn moving_points_are_points_moved_between_runs() -> Result<()> {
    let (from, to) = (tracks(5), tracks(6));
    for kind in KINDS {
        both(|backend| {
            let grid = grid();
            let outcome = |moving: bool| -> Result<(Data, Data, SparseTimeFunction)> {
                let u = TimeFunction::new("u", &grid).build()?;
                let (m, _) = parameter("m", &grid, 7)?;
                let sparse = |name: &str, track: &[[f64; 2]]| {
                    let s = SparseTimeFunction::new(name, &grid).steps(STEPS).interpolation(kind);
                    let first = places(&track[..2]);
                    if moving { s.moving_coordinates(places(track)) } else { s.coordinates(first) }.build()
                };
                let (src, rec) = (sparse("src", &from)?, sparse("rec", &to)?);
                src.set_data(Random::new(8).array(&[STEPS, 2], -1.0, 1.0))?;
                let op = Operator::new([
                    eq(u.forward(), 0.9 * &u + 0.1 * u.dx()),
                    src.inject(u.forward(), &src / &m),
                    rec.interpolate(&u + u.forward().dy()),
                ])?;
                if moving {
                    op.apply().time_max(STEPS - 1).backend(backend).run()?;
                } else {
                    for t in 0..STEPS {
                        src.set_coordinates(places(&from[2 * t..2 * t + 2]))?;
                        rec.set_coordinates(places(&to[2 * t..2 * t + 2]))?;
                        let s = op.apply().time_min(t).time_max(t).backend(backend).run()?;
                        assert_eq!(s.steps, 1);
                    }
                }
                Ok((u.data()?, rec.data()?, rec))
            };
            let (moved, apart) = (outcome(true)?, outcome(false)?);
            assert!(moved.1.norm() > 0.0);
            assert_same(&moved.0, &apart.0, &format!("u, {kind:?}"));
            assert_same(&moved.1, &apart.1, &format!("rec, {kind:?}"));
            Ok(())
        })?;
    }
    Ok(())
}

/// All tracks can be replaced at once.
#[test]
fn moving_points_can_be_moved_elsewhere() -> Result<()> {
    both(|backend| {
        let grid = grid();
        let (f, values) = parameter("f", &grid, 9)?;
        let stay = [[1.0, 1.0]; 2 * STEPS];
        let rec =
            SparseTimeFunction::new("rec", &grid).steps(STEPS).moving_coordinates(places(&stay)).build()?;
        let op = Operator::new([rec.interpolate(&f)])?;
        let walk: Vec<[f64; 2]> = (0..2 * STEPS).map(|k| [(k / 2) as f64, (k % 2 + 3) as f64]).collect();
        for track in [&stay[..], &walk[..]] {
            rec.set_coordinates(places(track))?;
            op.apply().time_max(STEPS - 1).backend(backend).run()?;
            let wanted = track.iter().map(|[x, y]| values[[*x as usize, *y as usize]]).collect();
            let wanted = ArrayD::from_shape_vec(vec![STEPS, 2], wanted).expect("two points a step");
            assert_close(&rec.data()?, &wanted, 1e-15, "rec");
        }
        Ok(())
    })
}

#[test]
fn the_nearest_point() -> Result<()> {
    let positions = [[2.4, 3.5], [2.6, 3.4999], [0.0, 9.0], [11.0, 0.49], [10.5, 8.5], [-0.1, 3.0]];
    let nearest = [Some([2, 4]), Some([3, 3]), Some([0, 9]), Some([11, 0]), Some([11, 9]), None];
    both(|backend| {
        let grid = grid();
        let (f, values) = parameter("f", &grid, 10)?;
        let near = |name: &str| {
            let s = SparseFunction::new(name, &grid).coordinates(places(&positions));
            s.interpolation(Interpolation::Nearest).build()
        };
        let (src, rec) = (near("src")?, near("rec")?);
        src.set_data(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0])?;
        Operator::new([rec.interpolate(&f), src.inject(&f, &src)])?.apply().backend(backend).run()?;
        let mut wanted = values.clone();
        for (k, place) in nearest.iter().enumerate() {
            let found = rec.data()?.get(&[k]);
            assert_eq!(found, Some(place.map_or(0.0, |p| values[p])), "{:?}", positions[k]);
            if let Some(p) = place {
                wanted[*p] += (k + 1) as f64;
            }
        }
        assert_close(&f.data()?, &wanted, 1e-15, "f");
        Ok(())
    })
}

/// The modified Bessel function of order 0 as the mean of `exp(x*cos)` over a circle.
fn bessel(x: f64) -> f64 {
    (0..96).map(|k| (x * (2.0 * PI * f64::from(k) / 96.0).cos()).exp()).sum::<f64>() / 96.0
}

/// A sinc in a Kaiser window of half width `radius` and shape `b` (Hicks, 2002).
fn windowed_sinc(x: f64, radius: usize, b: f64) -> f64 {
    let r = radius as f64;
    if x.abs() > r {
        return 0.0;
    }
    let sinc = if x == 0.0 { 1.0 } else { (PI * x).sin() / (PI * x) };
    sinc * bessel(b * (1.0 - (x / r).powi(2)).sqrt()) / bessel(b)
}

/// Corners outside of the domain have no part in it.
#[test]
fn a_windowed_sinc() -> Result<()> {
    let positions = [[5.3, 4.75], [6.0, 5.0], [1.25, 0.5], [10.9, 8.01], [11.0, 9.0], [11.3, 3.0]];
    for (radius, b) in [(2, 2.94), (3, 4.53), (4, 4.14), (8, 8.56)] {
        both(|backend| {
            let grid = grid();
            let (f, values) = parameter("f", &grid, 11)?;
            let sinc = |name: &str| {
                let s = SparseFunction::new(name, &grid).coordinates(places(&positions));
                s.interpolation(Interpolation::Sinc { radius }).build()
            };
            let (src, rec) = (sinc("src")?, sinc("rec")?);
            let amplitudes = Random::new(12).array(&[positions.len()], -1.0, 1.0);
            src.set_data(amplitudes.clone())?;
            Operator::new([rec.interpolate(&f), src.inject(&f, &src)])?.apply().backend(backend).run()?;
            let mut wanted = values.clone();
            for (k, p) in positions.iter().enumerate() {
                let inside = p[0] <= 11.0;
                let weights = each(&SHAPE, |i| {
                    let axis = |d: usize| {
                        // The window holds the points of its cell and `radius - 1` more to either side.
                        let reached = (i[d] - p[d].floor() as i64 + radius as i64 - 1) as usize;
                        if reached < 2 * radius { windowed_sinc(i[d] as f64 - p[d], radius, b) } else { 0.0 }
                    };
                    if inside { axis(0) * axis(1) } else { 0.0 }
                });
                let (found, sum) = (rec.data()?.to_f64()[[k]], (&weights * &values).sum());
                assert!((found - sum).abs() < 1e-12, "{p:?}, radius {radius}: {found}, not {sum}");
                wanted = wanted + weights * amplitudes[[k]];
            }
            assert_close(&f.data()?, &wanted, 1e-12, "f");
            Ok(())
        })?;
    }
    Ok(())
}

/// Of a smooth wave, a sinc of the recommended radius knows the value anywhere, a linear interpolation does not.
#[test]
fn a_sinc_reproduces_waves() -> Result<()> {
    both(|backend| {
        let grid = Grid::new([40, 40]).with_dtype(DType::F64);
        let wave = |x: f64, y: f64| (0.9 * x + 0.3).sin() * (0.7 * y).cos();
        let f = Function::new("f", &grid).build()?;
        f.set_with(|i| wave(i[0] as f64, i[1] as f64))?;
        let place = [17.37, 22.81];
        let mut errors = Vec::new();
        for kind in [Interpolation::Linear, Interpolation::Sinc { radius: 4 }] {
            let rec = SparseFunction::new("rec", &grid).coordinates([place]).interpolation(kind).build()?;
            Operator::new([rec.interpolate(&f)])?.apply().backend(backend).run()?;
            errors.push((rec.data()?.to_f64()[[0]] - wave(place[0], place[1])).abs());
        }
        assert!(errors[1] < 5e-3 && errors[0] > 10.0 * errors[1], "{errors:?}");
        Ok(())
    })
}

#[test]
fn inject_all_is_one_injection_after_the_other() -> Result<()> {
    both(|backend| {
        let grid = grid();
        let outcome = |together: bool| -> Result<[Data; 2]> {
            let field = |name: &str| TimeFunction::new(name, &grid).build();
            let (a, b) = (field("a")?, field("b")?);
            let (m, _) = parameter("m", &grid, 13)?;
            let src =
                SparseTimeFunction::new("src", &grid).steps(3).coordinates(places(&[[2.2, 3.3], [5.5, 1.0]]));
            let src = src.build()?;
            src.set_data(Random::new(14).array(&[3, 2], -1.0, 1.0))?;
            let pairs = [
                (a.forward(), &src * &m),
                (b.forward(), 2.0 * &src),
                (b.forward(), src.expr() + a.forward()),
            ];
            let mut equations = vec![eq(a.forward(), 0.5 * &a), eq(b.forward(), 0.5 * &b)];
            if together {
                equations.push(src.inject_all(pairs).when(grid.index(Dim::X).gt(2)));
            } else {
                let one =
                    |(target, value): (Expr, Expr)| src.inject(target, value).when(grid.index(Dim::X).gt(2));
                equations.extend(pairs.into_iter().map(one));
            }
            Operator::new(equations)?.apply().time_max(2).backend(backend).run()?;
            Ok([a.data()?, b.data()?])
        };
        let (all, apart) = (outcome(true)?, outcome(false)?);
        assert!(all.iter().all(|data| data.norm() > 0.0));
        assert!(all[1].level(1).is_some_and(|b| b.get(&[2, 3]) == Some(0.0)), "the condition holds for all");
        assert_same(&all[0], &apart[0], "a");
        assert_same(&all[1], &apart[1], "b");
        Ok(())
    })
}

/// Conditions are asked at the grid points around each point, at each step.
#[test]
fn injections_and_interpolations_under_conditions() -> Result<()> {
    let positions = [[2.25, 3.5], [6.75, 4.0], [9.0, 8.9]];
    both(|backend| {
        let grid = grid();
        let u = TimeFunction::new("u", &grid).build()?;
        let (m, limit) = parameter("m", &grid, 15)?;
        let sparse = |name: &str| {
            SparseTimeFunction::new(name, &grid).steps(STEPS).coordinates(places(&positions)).build()
        };
        let (src, rec) = (sparse("src")?, sparse("rec")?);
        src.fill(1.0)?;
        let op = Operator::new([
            eq(u.forward(), &u),
            src.inject(u.forward(), &src).when(grid.index(Dim::Time).lt(4) & m.gt(1.0)),
            rec.interpolate(&u + 1.0).when(u.gt(0.5)),
        ])?;
        op.apply().time_max(STEPS - 1).backend(backend).run()?;
        let mut now = ArrayD::<f64>::zeros(SHAPE.to_vec());
        let mut heard = ArrayD::<f64>::zeros(vec![STEPS, 3]);
        for t in 0..STEPS {
            for (p, place) in positions.iter().enumerate() {
                let loud = each(&SHAPE, |i| if at(&now, i) > 0.5 { at(&now, i) + 1.0 } else { 0.0 });
                heard[[t, p]] = (each(&SHAPE, |i| linear(place, &SHAPE, i)) * loud).sum();
            }
            for place in positions.iter().filter(|_| t < 4) {
                now += &each(&SHAPE, |i| if at(&limit, i) > 1.0 { linear(place, &SHAPE, i) } else { 0.0 });
            }
        }
        assert!(now.sum() > 1.0 && heard.sum() > 1.0);
        assert_close(&u.at(STEPS)?, &now, 1e-14, "u");
        assert_close(&rec.data()?, &heard, 1e-14, "rec");
        Ok(())
    })
}

#[test]
fn interpolation_of_derivatives() -> Result<()> {
    let positions = [[4.3, 3.5], [0.2, 0.4], [10.7, 8.6]];
    both(|backend| {
        let grid = grid();
        let ((u, now), (m, scale)) = (parameter("u", &grid, 16)?, parameter("m", &grid, 17)?);
        let rec = SparseFunction::new("rec", &grid).coordinates(places(&positions)).build()?;
        rec.fill(3.0)?;
        let value = &m * u.dx() + 0.5 * u.dy2().sin() + u.dx().dy();
        Operator::new([rec.interpolate_add(value)])?.apply().backend(backend).run()?;
        let field = |i: &[i64]| at(&now, i);
        let first = [(-1, -0.5), (1, 0.5)];
        let by_hand = each(&SHAPE, |i| {
            let dx = |i: &[i64]| stencil(&field, i, 0, &first) / SPACING[0];
            let dy2 = stencil(&field, i, 1, &[(-1, 1.0), (0, -2.0), (1, 1.0)]) / SPACING[1].powi(2);
            at(&scale, i) * dx(i) + 0.5 * dy2.sin() + stencil(&dx, i, 1, &first) / SPACING[1]
        });
        for (k, place) in positions.iter().enumerate() {
            let wanted = 3.0 + (each(&SHAPE, |i| linear(place, &SHAPE, i)) * &by_hand).sum();
            let found = rec.data()?.to_f64()[[k]];
            assert!((found - wanted).abs() < 1e-12, "{place:?}: {found}, not {wanted}");
        }
        Ok(())
    })
}

/// A staggered function is sampled, and fed, where it lives; with others it is averaged to the nodes.
#[test]
fn staggered_functions_at_points() -> Result<()> {
    let positions = [[4.3, 3.5], [0.75, 8.0], [10.4, 0.1]];
    both(|backend| {
        let grid = grid();
        let v = TimeFunction::new("v", &grid).staggered(Dim::X).build()?;
        let start = Random::new(18).array(&SHAPE, 0.5, 1.5);
        v.set_at(0, start.clone())?;
        let (m, scale) = parameter("m", &grid, 19)?;
        let sparse = |name: &str| {
            SparseTimeFunction::new(name, &grid).steps(2).coordinates(places(&positions)).build()
        };
        let (src, own, mixed) = (sparse("src")?, sparse("own")?, sparse("mixed")?);
        src.fill(2.0)?;
        let op = Operator::new([
            own.interpolate(&v),
            mixed.interpolate(&v + &m),
            eq(v.forward(), &v),
            src.inject(v.forward(), &src * &m),
        ])?;
        op.apply().time_max(0).backend(backend).run()?;
        let mut wanted = start.clone();
        for (k, place) in positions.iter().enumerate() {
            let halfway = [place[0] - 0.5, place[1]];
            let shape = [SHAPE[0] - 1, SHAPE[1]];
            // The cells of the half points, none of which is outside here.
            let weights = each(&SHAPE, |i| linear(&halfway, &shape, i));
            let nodes = each(&SHAPE, |i| linear(place, &SHAPE, i));
            let sum = |w: &ArrayD<f64>, f: &dyn Fn(&[i64]) -> f64| (w * &each(&SHAPE, |i| f(i))).sum();
            let found = [own.data()?.to_f64()[[0, k]], mixed.data()?.to_f64()[[0, k]]];
            let mean = |i: &[i64]| 0.5 * (at(&start, i) + at(&start, &[i[0] - 1, i[1]])) + at(&scale, i);
            let wants = [sum(&weights, &|i| at(&start, i)), sum(&nodes, &mean)];
            for (found, wants) in found.iter().zip(wants) {
                assert!((found - wants).abs() < 1e-13, "{place:?}: {found}, not {wants}");
            }
            // The parameter is taken to the half points.
            let factor = |i: &[i64]| 0.5 * (at(&scale, i) + at(&scale, &[i[0] + 1, i[1]]));
            wanted = wanted + each(&SHAPE, |i| at(&weights, i) * 2.0 * factor(i));
        }
        assert_close(&v.at(1)?, &wanted, 1e-13, "v");
        Ok(())
    })
}

/// Empty sets of every kind change nothing.
#[test]
fn no_points_of_any_kind() -> Result<()> {
    for kind in KINDS {
        for moving in [false, true] {
            both(|backend| {
                let grid = grid();
                let u = TimeFunction::new("u", &grid).build()?;
                let empty = |name: &str| {
                    let s = SparseTimeFunction::new(name, &grid).points(0).steps(4).interpolation(kind);
                    if moving { s.moving_coordinates(places(&[])) } else { s }.build()
                };
                let (src, rec) = (empty("src")?, empty("rec")?);
                let still = SparseFunction::new("still", &grid).points(0).interpolation(kind).build()?;
                let op = Operator::new([
                    eq(u.forward(), &u + 1.0),
                    src.inject_all([(u.forward(), &src * 2.0), (u.forward(), src.expr())]),
                    rec.interpolate(u.dx() + u.forward()),
                    still.interpolate_add(&u),
                ])?;
                op.apply().time_max(3).backend(backend).run()?;
                assert_eq!((u.at(4)?.min(), u.at(4)?.max()), (4.0, 4.0));
                assert_eq!((rec.data()?.shape(), still.data()?.shape()), (&[4, 0][..], &[0][..]));
                Ok(())
            })?;
        }
    }
    Ok(())
}
