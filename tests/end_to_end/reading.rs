//! Every form in which a history can be written and read gives what an uncompressed one gives.
//!
//! With `noop` the values are the same, so the results must be, bit for bit.

use crate::acoustic::Acoustic;
use crate::{assert_close, assert_same, both};
use ndarray::{ArrayD, Axis};
use wavefold::Result;
use wavefold::prelude::*;

const STEPS: usize = 30;

fn problem() -> Result<Acoustic> {
    let a = Acoustic::new(&[31, 37], 4, STEPS, DType::F64, 31)?;
    a.smooth_wavelet()?;
    Ok(a)
}

/// The same history twice: uncompressed and compressed without loss. Snapshots 1 to `STEPS - 2`.
struct Pair {
    a: Acoustic,
    raw: TimeFunction,
    packed: TimeFunction,
}

impl Pair {
    fn new(backend: Backend) -> Result<Pair> {
        Pair::of(backend, |u| u.expr())
    }

    fn of(backend: Backend, value: impl Fn(&TimeFunction) -> Expr) -> Result<Pair> {
        let a = problem()?;
        let u = a.wavefield("u")?;
        let (raw, packed) = (a.history("raw", None)?, a.history("packed", Some(Noop))?);
        let mut equations = a.forward(&u)?;
        equations.extend([eq(&raw, value(&u)), eq(&packed, value(&u))]);
        a.run(equations, backend, 2)?;
        Ok(Pair { a, raw, packed })
    }

    /// Runs the equations that `make` makes of either history; the outcomes must be the same.
    fn same(
        &self,
        backend: Backend,
        range: (usize, usize),
        make: impl Fn(&Acoustic, &TimeFunction) -> Result<(Vec<Equation>, Outcome)>,
    ) -> Result<()> {
        let mut outcomes = Vec::new();
        for history in [&self.raw, &self.packed] {
            let (equations, outcome) = make(&self.a, history)?;
            let op = Operator::named("reader", equations)?;
            op.apply().dt(self.a.dt).time_min(range.0).time_max(range.1).backend(backend).threads(2).run()?;
            outcomes.push(outcome()?);
        }
        let (wanted, found) = (&outcomes[0], &outcomes[1]);
        assert!(wanted.norm() > 0.0, "nothing was read");
        assert_same(found, wanted, "read from the compressed history");
        Ok(())
    }
}

/// Gives what a reader has left behind.
type Outcome = Box<dyn Fn() -> Result<Data>>;

fn of_function(f: &Function) -> Outcome {
    let f = f.clone();
    Box::new(move || Ok(f.data()?))
}

fn of_time(f: &TimeFunction) -> Outcome {
    let f = f.clone();
    Box::new(move || Ok(f.data()?))
}

fn of_sparse(f: &SparseTimeFunction) -> Outcome {
    let f = f.clone();
    Box::new(move || Ok(f.data()?))
}

/// All snapshots, or all but those next to the ends of the history, where a time derivative has no neighbour.
const ALL: (usize, usize) = (1, STEPS - 2);
const INNER: (usize, usize) = (2, STEPS - 3);

#[test]
fn writing_the_second_time_derivative() -> Result<()> {
    both(|backend| {
        let pair = Pair::of(backend, |u| u.dt2())?;
        for n in ALL.0..=ALL.1 {
            assert_same(&decompress_step(&pair.packed, n)?, &pair.raw.at(n)?, &format!("snapshot {n}"));
        }
        Ok(())
    })
}

#[test]
fn writing_an_expression_with_stencils() -> Result<()> {
    both(|backend| {
        let pair = Pair::of(backend, |u| u.laplace() * 2.0 + u.forward().dx() - u * u)?;
        for n in ALL.0..=ALL.1 {
            assert_same(&decompress_step(&pair.packed, n)?, &pair.raw.at(n)?, &format!("snapshot {n}"));
        }
        Ok(())
    })
}

#[test]
fn space_derivatives_of_a_history() -> Result<()> {
    both(|backend| {
        Pair::new(backend)?.same(backend, ALL, |a, h| {
            let vsave = a.history("vsave", None)?;
            Ok((vec![eq(&vsave, h.dx2())], of_time(&vsave)))
        })?;
        Pair::new(backend)?.same(backend, ALL, |a, h| {
            let vsave = a.history("vsave", None)?;
            Ok((vec![eq(&vsave, h.laplace() + h.dx().dy() * &a.m - h.shift(Dim::Y, -2))], of_time(&vsave)))
        })
    })
}

#[test]
fn time_derivatives_of_a_history_ascending() -> Result<()> {
    both(|backend| {
        let pair = Pair::new(backend)?;
        for derivative in [|h: &TimeFunction| h.dt2(), |h: &TimeFunction| h.dt(), |h: &TimeFunction| h.dtc()]
        {
            pair.same(backend, INNER, |a, h| {
                let vsave = a.history("vsave", None)?;
                Ok((vec![eq(&vsave, derivative(h))], of_time(&vsave)))
            })?;
        }
        Ok(())
    })
}

#[test]
fn time_derivatives_of_a_history_descending() -> Result<()> {
    both(|backend| {
        let pair = Pair::new(backend)?;
        for derivative in [|h: &TimeFunction| h.dt2(), |h: &TimeFunction| h.dt(), |h: &TimeFunction| h.dtl()]
        {
            pair.same(backend, INNER, |a, h| {
                let v = a.wavefield("v")?;
                let grad = Function::new("grad", &a.grid).build()?;
                v.fill(1.0)?;
                let step = eq(v.backward(), &v * 0.9 + derivative(h) * 0.1);
                Ok((vec![step, inc(&grad, &v * derivative(h))], of_function(&grad)))
            })?;
        }
        Ok(())
    })
}

/// The default range of a reader is that of the snapshots that were written.
#[test]
fn bounds_come_from_the_snapshots() -> Result<()> {
    both(|backend| {
        let pair = Pair::new(backend)?;
        let vsave = pair.a.history("vsave", None)?;
        let op = Operator::new([eq(&vsave, pair.packed.dt2())])?;
        let s = op.apply().dt(pair.a.dt).backend(backend).run()?;
        assert_eq!((s.time_m as usize, s.time_max as usize), INNER);
        let Some(c) = s.compression_of("packed") else { panic!("{s}") };
        assert_eq!(
            c.snapshots,
            STEPS - 2,
            "each snapshot is decompressed once, then kept as long as it is needed"
        );
        Ok(())
    })
}

#[test]
fn imaging_with_an_adjoint_wavefield() -> Result<()> {
    both(|backend| {
        let pair = Pair::new(backend)?;
        let data = pair.a.rec.data()?.to_f64();
        pair.same(backend, ALL, |a, h| {
            let v = a.wavefield("v")?;
            let grad = Function::new("grad", &a.grid).build()?;
            let (mut equations, _) = a.adjoint(&v, &data)?;
            equations.push(inc(&grad, h * &v));
            Ok((equations, of_function(&grad)))
        })
    })
}

#[test]
fn receivers_and_sources_in_a_history() -> Result<()> {
    both(|backend| {
        let pair = Pair::new(backend)?;
        let points = |a: &Acoustic, name: &str| -> Result<SparseTimeFunction> {
            let coordinates = a.rec.coordinates().chunks(2).map(<[f64]>::to_vec).collect::<Vec<_>>();
            Ok(SparseTimeFunction::new(name, &a.grid).steps(STEPS).coordinates(coordinates).build()?)
        };
        pair.same(backend, ALL, |a, h| {
            let rec = points(a, "rec1")?;
            Ok((vec![rec.interpolate(h)], of_sparse(&rec)))
        })?;
        pair.same(backend, ALL, |a, h| {
            let rec = points(a, "rec2")?;
            Ok((vec![rec.interpolate(h.dx() * &a.m + 1.0)], of_sparse(&rec)))
        })?;
        pair.same(backend, ALL, |a, h| {
            let (src, w) = (points(a, "src1")?, a.wavefield("w")?);
            src.fill(2.0)?;
            let step = eq(w.forward(), &w * 0.5);
            Ok((vec![step, src.inject(w.forward(), &src * h / &a.m)], of_time(&w)))
        })
    })
}

#[test]
fn a_history_in_several_equations_of_one_operator() -> Result<()> {
    both(|backend| {
        Pair::new(backend)?.same(backend, INNER, |a, h| {
            let w = TimeFunction::new("w", &a.grid).build()?;
            let grad = Function::new("grad", &a.grid).build()?;
            let step = eq(w.forward(), &w + h);
            Ok((vec![step, inc(&grad, h.dx2() * &w), inc(&grad, h.dt2() * w.forward())], of_function(&grad)))
        })
    })
}

/// Written and read every third step, by operators that step through all of them, in both directions.
#[test]
fn subsampled() -> Result<()> {
    const EVERY: usize = 3;
    both(|backend| {
        let a = problem()?;
        let (u, raw) = (a.wavefield("u")?, a.history("raw", None)?);
        let kept = |name: &str, codec: Option<Compression>| -> Result<TimeFunction> {
            let f =
                TimeFunction::new(name, &a.grid).time_order(2).save(STEPS.div_ceil(EVERY)).save_every(EVERY);
            Ok(codec.map_or(f.clone(), |c| f.compression(c)).build()?)
        };
        let (plain, packed) = (kept("plain", None)?, kept("packed", Some(Noop))?);
        let mut equations = a.forward(&u)?;
        equations.extend([eq(&raw, &u), eq(&plain, &u), eq(&packed, &u)]);
        a.run(equations, backend, 2)?;
        let snapshots = 1..(STEPS - 2) / EVERY + 1;
        for n in snapshots.clone() {
            assert_same(&decompress_step(&packed, n)?, &raw.at(n * EVERY)?, &format!("snapshot {n}"));
            assert_same(&plain.at(n)?, &raw.at(n * EVERY)?, &format!("uncompressed snapshot {n}"));
        }
        let missing = decompress_step(&packed, 0).map(|_| ()).map_err(|e| e.code());
        assert_eq!(missing, Err("store::missing_step"), "the run began at step 1");

        // v counts down from STEPS, so that v = t + 1 at step t.
        let first = EVERY;
        let mut wanted = ArrayD::zeros(a.grid.shape().to_vec());
        for n in snapshots {
            wanted = wanted + decompress_step(&packed, n)?.to_f64() * (n * EVERY + 1) as f64;
        }
        for history in [&plain, &packed] {
            let v = TimeFunction::new("v", &a.grid).build()?;
            let grad = Function::new("grad", &a.grid).build()?;
            v.fill((STEPS - 1) as f64)?;
            let op = Operator::named("down", [eq(v.backward(), &v - 1.0), inc(&grad, history * &v)])?;
            let s = op.apply().time_min(first).time_max(STEPS - 2).backend(backend).run()?;
            assert_eq!(s.steps as usize, STEPS - 1 - first, "other equations run at every step");
            assert_close(&grad.data()?, &wanted, 1e-14, "descending");

            let w = TimeFunction::new("w", &a.grid).build()?;
            let sum = Function::new("sum", &a.grid).build()?;
            w.fill((first + 1) as f64)?;
            let op = Operator::named("up", [inc(&sum, history * &w), eq(w.forward(), &w + 1.0)])?;
            op.apply().time_min(first).time_max(STEPS - 2).backend(backend).run()?;
            assert_close(&sum.data()?, &wanted, 1e-14, "ascending");
        }
        Ok(())
    })
}

#[test]
fn two_histories_with_different_codecs() -> Result<()> {
    both(|backend| {
        let a = problem()?;
        let u = a.wavefield("u")?;
        let codecs = [Compression::Quantize { nbits: 16 }, Compression::Wavelet { compscale: 1e-5 }];
        let (raw, rawd) = (a.history("raw", None)?, a.history("rawd", None)?);
        let (q, w) = (a.history("q", Some(codecs[0]))?, a.history("w", Some(codecs[1]))?);
        let mut equations = a.forward(&u)?;
        equations.extend([eq(&q, &u), eq(&w, u.dt2()), eq(&raw, &u), eq(&rawd, u.dt2())]);
        let s = a.run(equations, backend, 2)?;
        assert_eq!(s.compression_of("q").map(|c| c.codec), Some(codecs[0]));
        assert_eq!(s.compression_of("w").map(|c| c.codec), Some(codecs[1]));

        // Both are read by one operator, and one of them by another as well.
        let product = |name: &str, f: &TimeFunction, g: &TimeFunction| -> Result<Data> {
            let image = Function::new(name, &a.grid).build()?;
            a.run(vec![inc(&image, f * g)], backend, 2)?;
            Ok(image.data()?)
        };
        let wanted = product("wanted", &raw, &rawd)?.to_f64();
        assert_close(&product("found", &q, &w)?, &wanted, 1e-3, "product of two histories");
        let mixed = product("mixed", &raw, &w)?;
        assert_close(&mixed, &wanted, 1e-3, "product with an uncompressed one");
        assert_same(&product("mixed", &raw, &w)?, &mixed, "read again");
        Ok(())
    })
}

/// A history that is read and another that is written, in one operator: recompression.
#[test]
fn from_one_history_into_another() -> Result<()> {
    both(|backend| {
        let pair = Pair::new(backend)?;
        let again = pair.a.history("again", Some(Noop))?;
        let op = Operator::new([eq(&again, &pair.packed * 2.0)])?;
        op.apply().backend(backend).run()?;
        for n in ALL.0..=ALL.1 {
            let mut wanted = ArrayD::zeros(vec![1, 31, 37]);
            wanted.index_axis_mut(Axis(0), 0).assign(&pair.raw.at(n)?.to_f64());
            assert_eq!(decompress_step(&again, n)?.to_f64(), wanted.index_axis(Axis(0), 0).to_owned() * 2.0);
        }
        Ok(())
    })
}
