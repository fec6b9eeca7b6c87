//! Equations on parts of the grid and under conditions, functions stored on a part, boundaries.

use crate::byhand::{Value, along, at, each, set, stencil};
use crate::random::Random;
use crate::{assert_close, assert_same, both};
use ndarray::{ArrayD, Axis, Slice};
use wavefold::Result;
use wavefold::prelude::*;

const SHAPE: [usize; 2] = [13, 11];
const SPACING: [f64; 2] = [0.5, 0.25];

fn grid() -> Grid {
    Grid::new(SHAPE).with_spacing(SPACING).with_dtype(DType::F64)
}

/// Its two levels, equal at first.
fn random(u: &TimeFunction, seed: u64) -> Result<[ArrayD<f64>; 2]> {
    let start = Random::new(seed).array(&u.shape(), -1.0, 1.0);
    u.set_at(0, start.clone())?;
    u.set_at(1, start.clone())?;
    Ok([start.clone(), start])
}

/// Half of an odd field in a symmetric medium is the field under a free surface.
fn half_of_an_odd_field(so: u32, dim: usize, rate: impl Fn(&TimeFunction, &Function) -> Expr) -> Result<()> {
    let (n, mut whole) = (SHAPE[dim], SHAPE);
    whole[dim] = 2 * n - 1;
    let depth = |i: &[usize]| i[dim] as i64 - (n as i64 - 1);
    let folded = |i: &[usize]| {
        let mut i = i.to_vec();
        i[dim] = depth(&i).unsigned_abs() as usize;
        i
    };
    let medium = Random::new(1).array(&SHAPE, 0.5, 1.0);
    let mut start = Random::new(2).array(&SHAPE, -1.0, 1.0);
    start.index_axis_mut(Axis(dim), 0).fill(0.0);
    let program = |shape: &[usize], grid: &Grid| -> Result<(TimeFunction, Equation)> {
        let u = TimeFunction::new("u", grid).time_order(2).space_order(so).build()?;
        let m = Function::new("m", grid).space_order(so).build()?;
        let odd = |i: &[usize]| {
            if shape == SHAPE { start[i] } else { depth(i).signum() as f64 * start[&*folded(i)] }
        };
        m.set_with(|i| if shape == SHAPE { medium[i] } else { medium[&*folded(i)] })?;
        u.set_with(odd)?;
        let step = eq(u.forward(), 2.0 * &u - u.backward() + grid.dt().pow(2) * rate(&u, &m));
        Ok((u, step))
    };
    both(|backend| {
        let (half, all) = (grid(), Grid::new(whole).with_spacing(SPACING).with_dtype(DType::F64));
        let (u, step) = program(&SHAPE, &half)?;
        let (v, reference) = program(&whole, &all)?;
        let mirrored = Operator::new([free_surface(&step, Dim::Space(dim), &half)])?;
        mirrored.apply().dt(0.05).time_min(1).time_max(6).backend(backend).run()?;
        Operator::new([reference])?.apply().dt(0.05).time_min(1).time_max(6).backend(backend).run()?;
        for level in [6, 7] {
            let wanted = v.at(level)?.to_f64();
            let wanted = wanted.slice_axis(Axis(dim), Slice::from(n - 1..)).to_owned();
            assert_close(&u.at(level)?, &wanted, 1e-12, &format!("order {so} along {dim}"));
            let surface = u.at(level)?.to_f64().index_axis(Axis(dim), 0).to_owned();
            assert!(surface.iter().all(|v| *v == 0.0), "the surface moves");
        }
        Ok(())
    })
}

#[test]
fn free_surface_of_a_wave() -> Result<()> {
    for (so, dim) in [(2, 1), (4, 0), (4, 1), (8, 1)] {
        half_of_an_odd_field(so, dim, |u, m| u.laplace() / m)?;
    }
    Ok(())
}

#[test]
fn free_surface_of_nested_derivatives() -> Result<()> {
    for dim in [0, 1] {
        half_of_an_odd_field(4, dim, |u, m| (m * u.dx()).dx() + (m * u.dy()).dy())?;
    }
    Ok(())
}

/// The mirrored stencil of order 4, point by point.
#[test]
fn free_surface_by_hand() -> Result<()> {
    const SECOND: [(i64, f64); 5] =
        [(-2, -1.0 / 12.0), (-1, 4.0 / 3.0), (0, -2.5), (1, 4.0 / 3.0), (2, -1.0 / 12.0)];
    both(|backend| {
        let grid = grid();
        let u = TimeFunction::new("u", &grid).space_order(4).build()?;
        let mut levels = random(&u, 3)?;
        let step = eq(u.forward(), &u + 0.01 * u.laplace());
        let op = Operator::new([free_surface(&step, Dim::Y, &grid)])?;
        op.apply().time_max(3).backend(backend).run()?;
        for t in 0..=3_usize {
            let now = levels[t % 2].clone();
            let odd: Value = &|p| if p[1] < 0 { -at(&now, &[p[0], -p[1]]) } else { at(&now, p) };
            levels[(t + 1) % 2] = each(&SHAPE, |p| {
                let curvature = |d: usize| stencil(odd, p, d, &SECOND) / SPACING[d].powi(2);
                if p[1] == 0 { 0.0 } else { odd(p) + 0.01 * (curvature(0) + curvature(1)) }
            });
        }
        assert_close(&u.at(4)?, &levels[0], 1e-12, "u");
        Ok(())
    })
}

/// Dirichlet, Neumann and one-way conditions; what no equation covers keeps its value.
#[test]
fn boundaries() -> Result<()> {
    let (dt, c) = (0.05, 0.7);
    both(|backend| {
        let grid = grid();
        let u = TimeFunction::new("u", &grid).build()?;
        let mut levels = random(&u, 4)?;
        let part = |name: &str| SubDomain::new(name, &grid);
        let speed = Constant::new("c", c);
        let outgoing = grid.dt() * &speed * (u.shift(Dim::Y, 1) - &u) / grid.h(1);
        let op = Operator::new([
            eq(u.forward(), &u + 0.2 * grid.dt() * u.laplace()).on(&part("inside").interior()),
            eq(u.forward(), u.forward().shift(Dim::X, -1)).on(&part("neumann").right(Dim::X, 1)),
            eq(u.forward(), &u + outgoing).on(&part("one_way").middle(Dim::X, 1, 1).left(Dim::Y, 1)),
            eq(u.forward(), grid.position(Dim::Y)).on(&part("dirichlet").left(Dim::X, 1)),
        ])?;
        op.apply().dt(dt).time_max(4).backend(backend).run()?;
        let (nx, ny) = (SHAPE[0] as i64, SHAPE[1] as i64);
        for t in 0..=4_usize {
            let now = levels[t % 2].clone();
            let next = &mut levels[(t + 1) % 2];
            set(next, &[(1, nx - 1), (1, ny - 1)], |p, _| {
                let second = |d: usize| stencil(&|q| at(&now, q), p, d, &[(-1, 1.0), (0, -2.0), (1, 1.0)]);
                at(&now, p) + 0.2 * dt * (0..2).map(|d| second(d) / SPACING[d].powi(2)).sum::<f64>()
            });
            let before = next.clone();
            set(next, &[(nx - 1, nx), (0, ny)], |p, _| at(&before, &along(p, 0, -1)));
            set(next, &[(1, nx - 1), (0, 1)], |p, _| {
                at(&now, p) + dt * c * (at(&now, &along(p, 1, 1)) - at(&now, p)) / SPACING[1]
            });
            set(next, &[(0, 1), (0, ny)], |p, _| p[1] as f64 * SPACING[1]);
        }
        for (t, wanted) in levels.iter().enumerate() {
            assert_close(&u.at(t)?, wanted, 1e-13, "u");
        }
        Ok(())
    })
}

/// Conditions on values, places and steps; of assignments, increments, histories and groups.
#[test]
fn conditions() -> Result<()> {
    const LAST: usize = 5;
    both(|backend| {
        let grid = grid();
        let u = TimeFunction::new("u", &grid).build()?;
        let w = VectorTimeFunction::new("w", &grid).collocated().build()?;
        let (count, band) = (Function::new("count", &grid).build()?, Function::new("band", &grid).build()?);
        let kept = TimeFunction::new("kept", &grid).save(3).save_every(2).build()?;
        let part = SubDomain::new("part", &grid).middle(Dim::X, 2, 3);
        let mut levels = random(&u, 5)?;
        let op = Operator::new([
            eq(u.forward(), 1.0 - 0.9 * &u).when(u.gt(0.1) & grid.index(Dim::X).lt(6)),
            inc(&count, 1.0).when(!u.le(0.0) | grid.index(Dim::Time).equals(2)),
            eq(&band, &u).when(u.ge(-0.2)).when(u.lt(0.3)).on(&part),
            eq(&kept, &u + 2.0).when(grid.index(Dim::Y).ge(4)),
            eq(w.forward(), Vector::new([2.0 * &u, 3.0 * &u])).when(u.lt(0.5)),
        ])?;
        op.apply().time_max(LAST).backend(backend).run()?;
        let zeros = || ArrayD::<f64>::zeros(SHAPE.to_vec());
        let (mut counted, mut banded) = (zeros(), zeros());
        let mut snapshots = [zeros(), zeros(), zeros()];
        let mut vectors = [zeros(), zeros()];
        for t in 0..=LAST {
            let now = levels[t % 2].clone();
            let next = each(&SHAPE, |p| {
                let v = at(&now, p);
                if v > 0.1 && p[0] < 6 { 1.0 - 0.9 * v } else { at(&levels[(t + 1) % 2], p) }
            });
            counted += &each(&SHAPE, |p| if at(&now, p) > 0.0 || t == 2 { 1.0 } else { 0.0 });
            set(&mut banded, &[(2, SHAPE[0] as i64 - 3), (0, SHAPE[1] as i64)], |p, old| {
                let v = at(&now, p);
                if (-0.2..0.3).contains(&v) { v } else { old }
            });
            if t % 2 == 0 {
                snapshots[t / 2] = each(&SHAPE, |p| if p[1] >= 4 { at(&now, p) + 2.0 } else { 0.0 });
            }
            vectors[(t + 1) % 2] = each(&SHAPE, |p| {
                let v = at(&now, p);
                if v < 0.5 { v } else { at(&vectors[(t + 1) % 2], p) }
            });
            levels[(t + 1) % 2] = next;
        }
        assert_close(&count.data()?, &counted, 0.0, "count");
        assert_close(&band.data()?, &banded, 1e-15, "band");
        for t in 0..2 {
            assert_close(&u.at(t)?, &levels[t], 1e-15, "u");
            assert_close(&w.components()[0].at(t)?, &(2.0 * &vectors[t]), 1e-15, "w_x");
            assert_close(&w.components()[1].at(t)?, &(3.0 * &vectors[t]), 1e-15, "w_y");
        }
        for (k, wanted) in snapshots.iter().enumerate() {
            assert_close(&kept.at(k)?, wanted, 1e-15, "kept");
        }
        Ok(())
    })
}

/// Conditions that several equations share, and such as could be asked once for all steps.
#[test]
fn conditions_that_are_shared_or_constant() -> Result<()> {
    both(|backend| {
        let grid = grid();
        let (u, m) = (TimeFunction::new("u", &grid).build()?, Function::new("m", &grid).build()?);
        let (a, b) = (Function::new("a", &grid).build()?, Function::new("b", &grid).build()?);
        let mut levels = random(&u, 12)?;
        let angle = Random::new(13).array(&SHAPE, -2.0, 2.0);
        m.set_data(angle.clone())?;
        let tilted = || m.sin().gt(0.2) & !(m.cos() * &m).exp().gt(3.0);
        let shared = || (&u * &m).lt(0.1) | u.gt(0.9);
        let op = Operator::new([
            eq(u.forward(), 0.5 - &u).when(tilted()),
            inc(&a, select(tilted(), 1.0, 2.0) * select(tilted() & shared(), 3.0, &u)),
            inc(&b, u.pow(2)).when(shared()),
            inc(&b, &u + 1.0).when(shared()),
        ])?;
        op.apply().time_max(2).backend(backend).run()?;
        let (mut wanted_a, mut wanted_b) = (ArrayD::zeros(SHAPE.to_vec()), ArrayD::zeros(SHAPE.to_vec()));
        for t in 0..=2 {
            let (now, old) = (levels[t % 2].clone(), levels[(t + 1) % 2].clone());
            let tilted = |p: &[i64]| {
                let m = at(&angle, p);
                m.sin() > 0.2 && (m.cos() * m).exp() <= 3.0
            };
            let shared = |p: &[i64]| at(&now, p) * at(&angle, p) < 0.1 || at(&now, p) > 0.9;
            levels[(t + 1) % 2] = each(&SHAPE, |p| if tilted(p) { 0.5 - at(&now, p) } else { at(&old, p) });
            wanted_a += &each(&SHAPE, |p| match (tilted(p), shared(p)) {
                (true, true) => 3.0,
                (true, false) => at(&now, p),
                (false, _) => 2.0 * at(&now, p),
            });
            wanted_b +=
                &each(&SHAPE, |p| if shared(p) { at(&now, p).powi(2) + at(&now, p) + 1.0 } else { 0.0 });
        }
        assert_close(&a.data()?, &wanted_a, 1e-14, "a");
        assert_close(&b.data()?, &wanted_b, 1e-14, "b");
        assert_close(&u.at(3)?, &levels[1], 1e-15, "u");
        Ok(())
    })
}

/// Where a condition fails nothing is computed into the target, not even what is no number.
#[test]
fn conditions_guard_against_division_by_zero() -> Result<()> {
    both(|backend| {
        let grid = grid();
        let (m, inverse) = (Function::new("m", &grid).build()?, Function::new("inverse", &grid).build()?);
        m.set_with(|i| if i[0] % 3 == 0 { 0.0 } else { i[1] as f64 + 1.0 })?;
        inverse.fill(-1.0)?;
        let op = Operator::new([eq(&inverse, 1.0 / &m).when(!m.equals(0.0))])?;
        op.apply().backend(backend).run()?;
        let wanted = each(&SHAPE, |p| if p[0] % 3 == 0 { -1.0 } else { 1.0 / (p[1] + 1) as f64 });
        assert_close(&inverse.data()?, &wanted, 1e-15, "inverse");
        Ok(())
    })
}

/// Points 3..9 and 2..6.
fn window(grid: &Grid) -> SubDomain {
    SubDomain::new("window", grid).middle(Dim::X, 3, 4).middle(Dim::Y, 2, 5)
}

const WINDOW: [(i64, i64); 2] = [(3, 9), (2, 6)];

/// What is stored on the window, on the whole grid with zeros around.
fn widened(stored: &ArrayD<f64>) -> ArrayD<f64> {
    assert_eq!(stored.shape(), [6, 4]);
    each(&SHAPE, |p| at(stored, &[p[0] - WINDOW[0].0, p[1] - WINDOW[1].0]))
}

fn cut(whole: &ArrayD<f64>) -> ArrayD<f64> {
    each(&[6, 4], |p| at(whole, &[p[0] + WINDOW[0].0, p[1] + WINDOW[1].0]))
}

const FIRST: [(i64, f64); 4] = [(-2, 1.0 / 12.0), (-1, -2.0 / 3.0), (1, 2.0 / 3.0), (2, -1.0 / 12.0)];

/// A function that is stored on a part is 0 around it, as far as its halo reaches.
#[test]
fn functions_on_a_part() -> Result<()> {
    both(|backend| {
        let grid = grid();
        let part = window(&grid);
        let around = SubDomain::new("around", &grid).middle(Dim::X, 2, 3).middle(Dim::Y, 1, 4);
        let u = TimeFunction::new("u", &grid).space_order(4).build()?;
        let psi = TimeFunction::new("psi", &grid).space_order(4).on(&part).build()?;
        let q = Function::new("q", &grid).space_order(4).on(&part).build()?;
        let mut outer = random(&u, 6)?;
        let mut inner = random(&psi, 7)?.map(|level| widened(&level));
        let factor = Random::new(8).array(&[6, 4], 0.0, 1.0);
        q.set_data(factor.clone())?;
        let op = Operator::new([
            eq(psi.forward(), 0.5 * &psi + 0.1 * (&q * psi.dx()) + 0.1 * u.dy()).on(&part),
            eq(u.forward(), 0.9 * &u),
            inc(u.forward(), 0.2 * psi.forward().dy()).on(&around),
        ])?;
        op.apply().time_max(3).backend(backend).run()?;
        let factor = widened(&factor);
        for t in 0..=3_usize {
            let (now, own) = (outer[t % 2].clone(), inner[t % 2].clone());
            set(&mut inner[(t + 1) % 2], &WINDOW, |p, _| {
                let slope = stencil(&|q| at(&own, q), p, 0, &FIRST) / SPACING[0];
                let forced = stencil(&|q| at(&now, q), p, 1, &FIRST) / SPACING[1];
                0.5 * at(&own, p) + 0.1 * at(&factor, p) * slope + 0.1 * forced
            });
            let own = inner[(t + 1) % 2].clone();
            let mut next = 0.9 * &now;
            set(&mut next, &[(2, 10), (1, 7)], |p, v| {
                v + 0.2 * stencil(&|q| at(&own, q), p, 1, &FIRST) / SPACING[1]
            });
            outer[(t + 1) % 2] = next;
        }
        for t in 0..2 {
            assert_close(&u.at(t)?, &outer[t], 1e-13, "u");
            assert_close(&psi.at(t)?, &cut(&inner[t]), 1e-13, "psi");
        }
        Ok(())
    })
}

/// A history of a part, in every form: of a function on the whole grid, of one on the same part, of an expression.
#[test]
fn histories_of_a_part() -> Result<()> {
    const LAST: usize = 5;
    for every in [1, 2] {
        for codec in [None, Some(Noop), Some(Quantize { nbits: 16 })] {
            both(|backend| history_of_a_part(every, codec, LAST, backend))?;
        }
    }
    Ok(())
}

fn history_of_a_part(every: usize, codec: Option<Compression>, last: usize, backend: Backend) -> Result<()> {
    let grid = grid();
    let part = window(&grid);
    let snapshots = last / every + 1;
    let u = TimeFunction::new("u", &grid).build()?;
    let psi = TimeFunction::new("psi", &grid).space_order(4).on(&part).build()?;
    random(&u, 9)?;
    random(&psi, 10)?;
    let history = |name: &str| {
        let f = TimeFunction::new(name, &grid).save(snapshots).save_every(every).space_order(4).on(&part);
        codec.into_iter().fold(f, |f, codec| f.compression(codec)).build()
    };
    let kept = [history("of_u")?, history("of_psi")?, history("of_both")?];
    let whole = TimeFunction::new("whole", &grid).save(snapshots).save_every(every).build()?;
    let other = TimeFunction::new("other", &grid).save(snapshots).save_every(every).on(&part).build()?;
    let write = Operator::new([
        eq(u.forward(), 0.9 * &u + 0.05 * u.dx()),
        eq(psi.forward(), 0.8 * &psi).on(&part),
        eq(&kept[0], &u).on(&part),
        eq(&kept[1], &psi).on(&part),
        eq(&kept[2], &u - 2.0 * &psi).on(&part),
        eq(&whole, &u),
        eq(&other, &psi).on(&part),
    ])?;
    write.apply().time_max(last).backend(backend).run()?;
    let stored = |f: &TimeFunction, k: usize| if codec.is_some() { decompress_step(f, k) } else { f.at(k) };
    let mut sums = vec![ArrayD::<f64>::zeros(vec![6, 4]); 3];
    for k in 0..snapshots {
        let (of_u, of_psi) = (cut(&whole.at(k)?.to_f64()), other.at(k)?.to_f64());
        let wanted = [of_u.clone(), of_psi.clone(), of_u - 2.0 * of_psi];
        for (i, (f, wanted)) in kept.iter().zip(&wanted).enumerate() {
            let found = stored(f, k)?;
            // The range is at most 6 wide; half a step of 16 bits, with room for rounding.
            let tolerance = if matches!(codec, Some(Quantize { .. })) { 1e-4 } else { 1e-15 };
            assert_close(&found, wanted, tolerance, &format!("snapshot {k} of {} with {codec:?}", f.name()));
            let found = widened(&found.to_f64());
            sums[i] += &cut(&each(&SHAPE, |p| stencil(&|q| at(&found, q), p, 0, &FIRST) / SPACING[0]));
        }
    }
    // Read against the direction in which it was written, with a derivative that looks around the part.
    let image = |name: &str| Function::new(name, &grid).on(&part).build();
    let images = [image("image_u")?, image("image_psi")?, image("image_both")?];
    let back = TimeFunction::new("back", &grid).build()?;
    let mut equations = vec![eq(back.backward(), &back + 1.0)];
    equations.extend(images.iter().zip(&kept).map(|(image, f)| inc(image, f.dx()).on(&part)));
    let read = Operator::new(equations)?;
    read.apply().time_min(0).time_max(last).backend(backend).run()?;
    for (image, wanted) in images.iter().zip(&sums) {
        assert_close(&image.data()?, wanted, 1e-12, &format!("{} with {codec:?}", image.name()));
    }
    Ok(())
}

/// A subdomain that is the whole grid, an empty one, and one of a single point.
#[test]
fn parts_of_every_size() -> Result<()> {
    both(|backend| {
        let grid = grid();
        let f = Function::new("f", &grid).build()?;
        let all = SubDomain::new("all", &grid);
        let none = SubDomain::new("none", &grid).middle(Dim::X, 6, 7);
        let corner = SubDomain::new("corner", &grid).right(Dim::X, 1).right(Dim::Y, 1);
        let op = Operator::new([
            eq(&f, 1.0).on(&all),
            eq(&f, 2.0).on(&none),
            inc(&f, 3.0).on(&corner),
            inc(&f, 5.0).on(&SubDomain::new("nothing", &grid).left(Dim::Y, 0)),
        ])?;
        op.apply().backend(backend).run()?;
        let wanted = each(&SHAPE, |p| if p == [12, 10] { 4.0 } else { 1.0 });
        assert_close(&f.data()?, &wanted, 0.0, "f");
        Ok(())
    })
}

/// `.on` of a group holds for each of its members, and the order within a step is that of the program.
#[test]
fn groups_on_a_part() -> Result<()> {
    both(|backend| {
        let (grid, run) = (grid(), |op: Operator| op.apply().time_max(2).backend(backend).run().map(|_| ()));
        let part = window(&grid);
        let field = |name: &str| VectorTimeFunction::new(name, &grid).build();
        let (a, b) = (field("a")?, field("b")?);
        let u = TimeFunction::new("u", &grid).build()?;
        random(&u, 11)?;
        run(Operator::new([eq(a.forward(), &a + grad(&u)).on(&part)])?)?;
        let each = (0..2).map(|d| {
            let component = &b.components()[d];
            eq(component.forward(), component + u.d(Dim::Space(d), 1)).on(&part)
        });
        run(Operator::new(each)?)?;
        for (a, b) in a.components().iter().zip(b.components()) {
            assert!(a.data()?.norm() > 0.0);
            assert_same(&a.data()?, &b.data()?, a.name());
        }
        Ok(())
    })
}
