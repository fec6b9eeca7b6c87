//! Codecs in the loops: the same streams and the same values as of whole slices, whatever the backend and the threads.

use crate::random::Random;
use crate::{BACKENDS, DTYPES, assert_same};
use std::path::PathBuf;
use wavefold::Result;
use wavefold::codecs::{Bounded, Serial, View, encode};
use wavefold::prelude::*;

const STEPS: usize = 9;
const SHAPES: [&[usize]; 4] = [&[13, 42, 37], &[9, 33, 16], &[10, 24, 20], &[70, 50]];

/// A field that grows threefold each step, or stays about the same.
struct Problem {
    grid: Grid,
    u: TimeFunction,
    growth: f64,
}

impl Problem {
    fn new(shape: &[usize], dtype: DType, growth: f64) -> Result<Problem> {
        let grid = Grid::new(shape).with_dtype(dtype);
        let u = TimeFunction::new("u", &grid).space_order(4).build()?;
        let start = Random::new(7).array(u.data()?.shape(), -1.0, 1.0);
        u.set_data(start)?;
        Ok(Problem { grid, u, growth })
    }

    fn step(&self) -> Equation {
        eq(self.u.forward(), self.growth * &self.u + 1e-2 * self.u.laplace())
    }

    fn history(&self, name: &str, codec: impl Into<Bounded>) -> Result<TimeFunction> {
        TimeFunction::new(name, &self.grid).save(STEPS).compression(codec).build().map_err(Into::into)
    }
}

fn run(op: &Operator, backend: Backend, threads: usize) -> Result<PerformanceSummary> {
    op.apply().dt(0.1).time_min(0).time_max(STEPS - 1).backend(backend).threads(threads).run()
}

/// The bytes of a history as it is kept in a file.
fn file(f: &TimeFunction, name: &str) -> Result<Vec<u8>> {
    let path: PathBuf = std::env::temp_dir().join(format!("wavefold-fusion-{}-{name}", std::process::id()));
    f.save_history(&path)?;
    let bytes = std::fs::read(&path).expect("a file just written");
    std::fs::remove_file(&path).expect("the same file");
    Ok(bytes)
}

fn runs() -> impl Iterator<Item = (Backend, usize)> {
    BACKENDS.into_iter().flat_map(|backend| [1, 2, 5].map(|threads| (backend, threads)))
}

/// What a run keeps of the field itself and of an expression, and the same uncompressed.
fn kept(p: &Problem, backend: Backend, threads: usize) -> Result<[(TimeFunction, TimeFunction); 2]> {
    let pair = |name: &str| -> Result<_> {
        let raw = TimeFunction::new(format!("raw_{name}"), &p.grid).save(STEPS).build()?;
        Ok((p.history(name, Compression::quantize())?, raw))
    };
    let (copy, rate) = (pair("copy")?, pair("rate")?);
    let change = p.u.forward() - &p.u;
    let op = Operator::new([
        p.step(),
        eq(&copy.0, &p.u),
        eq(&rate.0, change.clone()),
        eq(&copy.1, &p.u),
        eq(&rate.1, change),
    ])?;
    let tree = op.tree();
    assert!(tree.contains("encode k0") && tree.contains("encode k1"), "{tree}");
    assert_eq!(tree.matches("until").count(), 1, "{tree}");
    run(&op, backend, threads)?;
    Ok([copy, rate])
}

/// The stream of a whole slice.
fn stream(values: &Data) -> Vec<u8> {
    let shape = values.shape();
    let cube = [if shape.len() == 3 { shape[0] } else { 1 }, shape[shape.len() - 2], shape[shape.len() - 1]];
    let (codec, mut out) = (Compression::quantize(), Vec::new());
    match values.dtype() {
        DType::F32 => {
            let values: Vec<f32> = values.to_f32().into_iter().collect();
            encode(codec, View::dense(&values, cube).expect("a slice"), &Serial, &mut out)
        }
        DType::F64 => {
            let values: Vec<f64> = values.to_f64().into_iter().collect();
            encode(codec, View::dense(&values, cube).expect("a slice"), &Serial, &mut out)
        }
    }
    .expect("finite values");
    out
}

#[test]
fn streams_are_those_of_whole_slices() -> Result<()> {
    for (shape, growth) in SHAPES.into_iter().flat_map(|shape| [0.9, 3.0].map(|growth| (shape, growth))) {
        for (dtype, (backend, threads)) in DTYPES.into_iter().flat_map(|d| runs().map(move |r| (d, r))) {
            let p = Problem::new(shape, dtype, growth)?;
            for (history, raw) in kept(&p, backend, threads)? {
                let file = file(&history, history.name())?;
                for n in 0..STEPS {
                    let stream = stream(&raw.at(n)?);
                    let at = file.windows(stream.len()).any(|bytes| bytes == stream);
                    assert!(at, "{shape:?} {dtype} {growth} {backend} {threads}: `{}` {n}", history.name());
                }
            }
        }
    }
    Ok(())
}

#[test]
fn values_are_those_of_whole_slices() -> Result<()> {
    let codecs: [Bounded; 4] = [
        Compression::quantize().into(),
        Noop.into(),
        // With outliers: no stream of parts.
        Quantize { nbits: 4 }.within(0.02),
        Quantize { nbits: 16 }.into(),
    ];
    for (shape, codec) in SHAPES.into_iter().flat_map(|shape| codecs.map(|codec| (shape, codec))) {
        let p = Problem::new(shape, DType::F32, 0.9)?;
        // The first snapshot is 0 everywhere.
        p.u.fill(0.0)?;
        let kept = [p.history("saved", codec)?, p.history("one", codec)?];
        let source = eq(p.u.forward(), p.growth * &p.u + index(&p.grid) + 1e-2 * p.u.laplace());
        run(&Operator::new([source, eq(&kept[0], &p.u), eq(&kept[1], &p.u + 1.0)])?, Backend::Cranelift, 2)?;
        let whole = [("saved", &kept[0]), ("one", &kept[1])].map(|(name, history)| -> Result<_> {
            let whole = TimeFunction::new(name, &p.grid).save(STEPS).build()?;
            whole.set_data(decompress(history)?)?;
            Ok(whole)
        });
        let [saved, one] = whole;
        let whole = [saved?, one?];
        let read = |[saved, one]: &[TimeFunction; 2], decoded, backend, threads| -> Result<Data> {
            let (v, sum) = (TimeFunction::new("v", &p.grid).build()?, Function::new("sum", &p.grid).build()?);
            v.fill(1.0)?;
            let op = Operator::new([eq(v.backward(), 0.5 * &v + 1.0), inc(&sum, saved * &v - one * 0.5)])?;
            let tree = op.tree();
            assert_eq!(tree.matches("decode").count(), decoded, "{tree}");
            run(&op, backend, threads)?;
            Ok(sum.data()?)
        };
        for (backend, threads) in runs() {
            let (found, wanted) = (read(&kept, 2, backend, threads)?, read(&whole, 0, backend, 1)?);
            assert!(wanted.norm() > 0.0);
            assert_same(&found, &wanted, &format!("{shape:?} {codec} {backend} {threads}"));
        }
    }
    Ok(())
}

/// Something that is not the same everywhere.
fn index(grid: &Grid) -> Expr {
    (0..grid.rank()).fold(0.01 * grid.index(Dim::Time), |sum, d| sum + 0.001 * grid.index(Dim::Space(d)))
}

/// Snapshots of which more is asked than their parts can tell.
#[test]
fn tiles_that_are_needed_whole() -> Result<()> {
    for backend in BACKENDS {
        let p = Problem::new(&[13, 42, 37], DType::F32, 0.9)?;
        let kept = [("rate", p.history("rate", Quantize { nbits: 6 })?), ("raw", p.history("raw", Noop)?)];
        let mut equations = vec![p.step()];
        equations.extend(kept.iter().map(|(_, f)| eq(f, p.u.forward() - &p.u)));
        let op = Operator::new(equations)?;
        let apply = || op.apply().dt(0.1).time_min(0).time_max(STEPS - 1).backend(backend).threads(2);
        apply().measure_errors().max_error_of("rate", 0.005).run()?;
        let info = kept[0].1.compression_info()?;
        assert!(info.errors.is_some_and(|e| e.max_error() > 0.0), "{info:?}");
        for n in 0..STEPS {
            let (found, exact) = (decompress_step(&kept[0].1, n)?, decompress_step(&kept[1].1, n)?);
            let bound = 0.005 * (exact.max() - exact.min());
            let error = found.iter().zip(exact.iter()).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(error <= bound, "{backend}, snapshot {n}: {error:e} > {bound:e}");
        }
    }
    Ok(())
}

#[test]
fn the_first_point_that_is_not_finite_is_told() -> Result<()> {
    let message = |backend, threads, plain: bool| -> Result<String> {
        let p = Problem::new(&[13, 42, 37], DType::F32, 0.9)?;
        let kept = p.history("kept", Compression::quantize())?;
        let value = if plain { 1.0 * &p.u } else { 1.0 * p.u.forward() + 1.0 };
        let bad = eq(p.u.forward(), &p.u / select(p.grid.index(Dim::Time).ge(4), 0.0, 1.0));
        let op = Operator::new([bad, eq(&kept, value)])?;
        let run = op.apply().dt(0.1).time_min(0).time_max(STEPS - 1).backend(backend).threads(threads);
        Ok(run.run().expect_err("infinity").to_string())
    };
    for plain in [true, false] {
        let whole = message(Backend::Interpreter, 1, plain)?;
        assert!(whole.contains("`kept`"), "{whole}");
        for (backend, threads) in runs() {
            assert_eq!(message(backend, threads, plain)?, whole, "{backend} {threads}");
        }
    }
    Ok(())
}
