//! Grids of any shape, stencils wider than the domain, ranges of one step; against plain loops.

use crate::{backends, compressed, counting, grid, time};
use wavefold::prelude::*;
use wavefold::symbolic::fd;

const SHAPES: [&[usize]; 14] = [
    &[1],
    &[2],
    &[17],
    &[70],
    &[1, 1],
    &[2, 3],
    &[1, 70],
    &[70, 1],
    &[13, 7],
    &[1, 1, 1],
    &[3, 5, 7],
    &[1, 1, 70],
    &[1, 70, 1],
    &[70, 1, 1],
];

/// A value for each point that no symmetry repeats.
fn value(at: &[usize]) -> f64 {
    at.iter().fold(0.37, |v, i| v * 1.7 + *i as f64 * 0.31).sin()
}

/// `u + 0.01 * laplace(u)` at space order `order`, `steps` times, with plain loops; outside the domain is 0.
fn reference(shape: &[usize], order: u32, steps: usize) -> Vec<f64> {
    let r = order as i32 / 2;
    let offsets: Vec<i32> = (-r..=r).collect();
    let weights = fd::weights(2, &offsets, 0).unwrap();
    let points: usize = shape.iter().product();
    let index = |p: usize| {
        let mut at = vec![0; shape.len()];
        (0..shape.len()).rev().fold(p, |rest, d| {
            at[d] = rest % shape[d];
            rest / shape[d]
        });
        at
    };
    let mut u: Vec<f64> = (0..points).map(|p| value(&index(p))).collect();
    for _ in 0..steps {
        u = (0..points)
            .map(|p| {
                let at = index(p);
                let mut laplace = 0.0;
                for d in 0..shape.len() {
                    let stride: usize = shape[d + 1..].iter().product();
                    for (k, w) in offsets.iter().zip(&weights) {
                        let i = at[d] as i64 + i64::from(*k);
                        if (0..shape[d] as i64).contains(&i) {
                            laplace += w * u[(p as i64 + i64::from(*k) * stride as i64) as usize];
                        }
                    }
                }
                u[p] + 0.01 * laplace
            })
            .collect();
    }
    u
}

fn assert_close(found: &Data, expected: &[f64], tolerance: f64, case: &str) {
    assert_eq!(found.len(), expected.len(), "{case}");
    for (i, (a, b)) in found.iter().zip(expected).enumerate() {
        assert!((a - b).abs() <= tolerance * (1.0 + b.abs()), "{case}: {a} at {i}, not {b}");
    }
}

fn diffuse(shape: &[usize], order: u32, dtype: DType, backend: Backend, threads: usize) -> Data {
    let g = Grid::new(shape.to_vec()).with_dtype(dtype);
    let u = TimeFunction::new("u", &g).space_order(order).build().unwrap();
    u.set_with(value).unwrap();
    let op = Operator::new([eq(u.forward(), &u + 0.01 * u.laplace())]).unwrap();
    op.apply().time_min(0).time_max(2).backend(backend).threads(threads).run().unwrap();
    u.at(3).unwrap()
}

#[test]
fn any_shape_and_space_order() {
    for shape in SHAPES {
        for order in [2, 4, 6, 8, 12, 16] {
            let expected = reference(shape, order, 3);
            for threads in [1, 3] {
                let found = diffuse(shape, order, DType::F64, Backend::Cranelift, threads);
                assert_close(&found, &expected, 1e-13, &format!("{shape:?} order {order} threads {threads}"));
            }
            let found = diffuse(shape, order, DType::F32, Backend::Cranelift, 1);
            assert_close(&found, &expected, 1e-5, &format!("{shape:?} order {order} f32"));
        }
    }
}

#[test]
fn any_shape_in_c() {
    if !backends().contains(&Backend::C) {
        return;
    }
    for (i, shape) in SHAPES.into_iter().enumerate() {
        let order = [2, 16][i % 2];
        let expected = reference(shape, order, 3);
        for threads in [1, 3] {
            let found = diffuse(shape, order, DType::F64, Backend::C, threads);
            assert_close(&found, &expected, 1e-13, &format!("{shape:?} order {order} threads {threads}"));
        }
    }
}

#[test]
fn space_order_far_beyond_the_domain() {
    let expected = reference(&[3, 2], 64, 3);
    for backend in backends() {
        assert_close(&diffuse(&[3, 2], 64, DType::F64, backend, 1), &expected, 1e-12, "order 64");
    }
}

#[test]
fn space_order_zero() {
    for backend in backends() {
        let u = TimeFunction::new("u", &Grid::new([5, 3])).space_order(0).build().unwrap();
        u.set_with(value).unwrap();
        let op = Operator::new([eq(u.forward(), 2.0 * &u)]).unwrap();
        op.apply().time_max(0).backend(backend).run().unwrap();
        let doubled: Vec<f64> = u.at(0).unwrap().iter().map(|v| 2.0 * v).collect();
        assert_close(&u.at(1).unwrap(), &doubled, 0.0, "order 0");
    }
}

#[test]
fn every_shape_is_compressed() {
    for shape in SHAPES {
        for codec in crate::CODECS {
            let g = Grid::new(shape.to_vec());
            let u = TimeFunction::new("u", &g).space_order(0).build().unwrap();
            u.set_with(value).unwrap();
            let usave = TimeFunction::new("usave", &g).save(3).compression(codec).build().unwrap();
            let op = Operator::new([eq(u.forward(), &u * 2.0), eq(&usave, &u)]).unwrap();
            op.apply().time_max(2).backend(Backend::Cranelift).measure_errors().run().unwrap();
            // The adjoint order: all snapshots backwards.
            let sum = Function::new("sum", &g).build().unwrap();
            let v = TimeFunction::new("v", &g).build().unwrap();
            let back = Operator::new([eq(v.backward(), &usave + 0.0), inc(&sum, &usave)]).unwrap();
            back.apply().time_min(0).time_max(2).backend(Backend::Cranelift).run().unwrap();
            let all = decompress(&usave).unwrap();
            let mut expected = vec![0.0; g.points()];
            for snapshot in 0..3 {
                let level = all.level(snapshot).unwrap();
                assert_eq!(level, decompress_step(&usave, snapshot).unwrap(), "{shape:?} {codec}");
                level.iter().zip(&mut expected).for_each(|(v, e)| *e += v);
            }
            assert_close(&sum.data().unwrap(), &expected, 1e-6, &format!("{shape:?} {codec}"));
            let start = u.at(0).unwrap();
            let scale = start.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
            // Level 0 was overwritten by level 2, which is four times as large.
            for (a, b) in all.level(0).unwrap().iter().zip(start.iter()) {
                assert!((a - b / 4.0).abs() <= 0.01 * scale, "{shape:?} {codec}: {a}, not {b} / 4");
            }
        }
    }
}

/// One step at either end of the saved range, and both in one run.
#[test]
fn ranges_of_one_step() {
    for backend in backends() {
        for step in [0, 3] {
            let g = grid();
            let (u, usave) = (time("u", &g), compressed("usave", &g, 4));
            u.fill(step as f64).unwrap();
            let s =
                counting(&u, &usave).apply().time_min(step).time_max(step).backend(backend).run().unwrap();
            assert_eq!((s.steps, s.compression_of("usave").unwrap().snapshots), (1, 1));
            assert_eq!(decompress_step(&usave, step).unwrap().max(), step as f64);
            assert_eq!(u.at(step + 1).unwrap().min(), step as f64 + 1.0);
            decompress_step(&usave, 3 - step).unwrap_err();
            // It is read back by a run of that step alone.
            let v = time("v", &g);
            let back = Operator::new([eq(v.backward(), &v + &usave)]).unwrap();
            let s = back.apply().backend(backend).run();
            match s {
                Ok(s) => assert_eq!((s.time_m, s.time_max), (step as i64, step as i64)),
                Err(e) => assert_eq!((step, e.code()), (3, "time::empty_range"), "{e:?}"),
            }
        }
        let g = grid();
        let (u, usave) = (time("u", &g), compressed("usave", &g, 1));
        counting(&u, &usave).apply().time_min(0).time_max(0).backend(backend).run().unwrap();
        assert_eq!(decompress(&usave).unwrap().max(), 0.0);
    }
}

/// Levels before 0 lie in the slots that hold them, whatever the first step.
#[test]
fn reads_before_level_zero() {
    for backend in backends() {
        let u = TimeFunction::new("u", &grid()).time_order(2).build().unwrap();
        for (level, value) in [(0, 10.0), (2, 1.0)] {
            u.set_at(level, Data::from_vec(&[4, 5], vec![value; 20]).unwrap()).unwrap();
        }
        // Level -1 lies in slot 2: 10 + 1 = 11, then 11 + 10 = 21.
        let op = Operator::new([eq(u.forward(), &u + u.backward())]).unwrap();
        op.apply().time_min(0).time_max(1).backend(backend).run().unwrap();
        assert_eq!(u.at(2).unwrap().max(), 21.0, "{backend}");

        let v = TimeFunction::new("v", &grid()).time_order(2).build().unwrap();
        v.fill(1.0).unwrap();
        let op = Operator::new([eq(v.backward(), &v + v.forward())]).unwrap();
        op.apply().time_min(0).time_max(2).backend(backend).run().unwrap();
        assert_eq!(v.at(2).unwrap().max(), 5.0, "{backend}: 1 1 | 2 3 5, the last in slot 2");
    }
}

/// Every step counts, also far from 0.
#[test]
fn steps_far_from_zero() {
    for backend in backends() {
        let u = time("u", &grid());
        let op = Operator::new([eq(u.forward(), &u + 1.0)]).unwrap();
        let far = 1 << 40;
        op.apply().time_min(far).time_max(far + 4).backend(backend).run().unwrap();
        assert_eq!(u.at(far + 5).unwrap().min(), 5.0);
    }
}
