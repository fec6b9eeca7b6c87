//! The same bits at any number of threads, on either backend, in every run.

use crate::acoustic::Acoustic;
use crate::random::Random;
use crate::{BACKENDS, DTYPES, assert_same};
use wavefold::Result;
use wavefold::prelude::*;

/// Everything that a gradient run leaves behind.
struct Outcome {
    parts: Vec<(&'static str, Data)>,
    /// Size of all streams.
    bytes: usize,
}

/// A forward run with its history kept, the adjoint that reads it, and the gradient. The wavefields begin with
/// random values of this size.
fn run(
    a: &Acoustic,
    noise: f64,
    codec: Option<Compression>,
    backend: Backend,
    threads: usize,
) -> Result<Outcome> {
    let (u, v) = (a.wavefield("u")?, a.wavefield("v")?);
    for (seed, f) in [(1, &u), (2, &v)] {
        f.set_data(Random::new(seed).array(u.data()?.shape(), -noise, noise))?;
    }
    let usave = a.history("usave", codec)?;
    let grad = Function::new("grad", &a.grid).build()?;
    let mut forward = a.forward(&u)?;
    forward.push(eq(&usave, u.dt2()));
    let op = Operator::named("forward", forward)?;
    op.apply().dt(a.dt).time_min(1).time_max(a.steps - 2).backend(backend).threads(threads).run()?;

    let rec = a.rec.data()?;
    let (mut adjoint, arrived) = a.adjoint(&v, &rec.to_f64())?;
    adjoint.push(inc(&grad, -&usave * &v));
    a.run(adjoint, backend, threads)?;

    let mut parts = vec![
        ("wavefield", u.data()?),
        ("receivers", rec),
        ("adjoint wavefield", v.data()?),
        ("sources", arrived.data()?),
        ("gradient", grad.data()?),
    ];
    let mut bytes = 0;
    for n in (1..a.steps - 1).step_by(7) {
        let snapshot = if codec.is_some() { decompress_step(&usave, n)? } else { usave.at(n)? };
        parts.push(("history", snapshot));
    }
    if codec.is_some() {
        bytes = usave.compression_info()?.bytes;
    }
    Ok(Outcome { parts, bytes })
}

fn assert_outcomes(found: &Outcome, wanted: &Outcome, what: &str) {
    assert_eq!(found.bytes, wanted.bytes, "{what}: size of the streams");
    for ((name, found), (_, wanted)) in found.parts.iter().zip(&wanted.parts) {
        assert!(wanted.norm() > 0.0 || *name == "history", "{what}: {name} is 0");
        assert_same(found, wanted, &format!("{what}: {name}"));
    }
}

fn same_bits(
    shape: &[usize],
    so: u32,
    steps: usize,
    noise: f64,
    codecs: &[Option<Compression>],
) -> Result<()> {
    for dtype in DTYPES {
        let a = Acoustic::new(shape, so, steps, dtype, 11)?;
        a.smooth_wavelet()?;
        for &codec in codecs {
            let reference = run(&a, noise, codec, Backend::Cranelift, 1)?;
            for backend in BACKENDS {
                // The last one repeats the one before.
                for threads in [1, 2, 5, 5] {
                    let what = format!("{shape:?} {dtype} {codec:?} on {backend} with {threads} threads");
                    assert_outcomes(&run(&a, noise, codec, backend, threads)?, &reference, &what);
                }
            }
        }
    }
    Ok(())
}

const CODECS: [Option<Compression>; 4] =
    [None, Some(Noop), Some(Quantize { nbits: 9 }), Some(Wavelet { compscale: 1e-3 })];

#[test]
fn acoustic_2d() -> Result<()> {
    same_bits(&[67, 83], 8, 60, 0.0, &CODECS)
}

#[test]
fn acoustic_3d() -> Result<()> {
    same_bits(&[29, 34, 41], 4, 30, 0.0, &CODECS)
}

/// Wide enough that five threads share the tiles of one nest, in a shape without round numbers.
#[test]
fn many_tiles() -> Result<()> {
    same_bits(&[331, 217], 4, 10, 0.1, &[Some(Wavelet { compscale: 1e-4 })])
}

/// Several operators at once, on one history and on one function, give what each gives alone.
#[test]
fn operators_side_by_side() -> Result<()> {
    let a = Acoustic::new(&[47, 53], 4, 40, DType::F32, 17)?;
    a.smooth_wavelet()?;
    let (u, usave) = (a.wavefield("u")?, a.history("usave", Some(Compression::wavelet()))?);
    let mut forward = a.forward(&u)?;
    forward.push(eq(&usave, &u));
    a.run(forward, Backend::Auto, 2)?;

    let image = |name: &str, backend: Backend, threads: usize| -> Result<Data> {
        let f = Function::new(name, &a.grid).build()?;
        a.run(vec![inc(&f, usave.dx2() * &usave)], backend, threads)?;
        Ok(f.data()?)
    };
    let alone = image("image", Backend::Cranelift, 1)?;
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..8)
            .map(|i| {
                let image = &image;
                scope.spawn(move || image("image", BACKENDS[i % 2], 1 + i % 3))
            })
            .collect();
        for reader in readers {
            let found = reader.join().expect("no panic")?;
            assert_same(&found, &alone, "read by several operators at once");
        }
        Ok::<(), wavefold::Error>(())
    })?;

    // One operator, applied by four threads: the runs follow one another, each whole.
    let sum = Function::new("sum", &a.grid).build()?;
    let op = Operator::named("add", [inc(&sum, &a.m)])?;
    std::thread::scope(|scope| {
        let runs: Vec<_> = (0..4)
            .map(|i| {
                let op = &op;
                scope.spawn(move || op.apply().backend(BACKENDS[i % 2]).threads(2).run().map(|_| ()))
            })
            .collect();
        runs.into_iter().try_for_each(|run| run.join().expect("no panic"))
    })?;
    let wanted = a.m.data()?.to_f64() * 4.0;
    crate::assert_close(&sum.data()?, &wanted, 1e-6, "four times m");
    Ok(())
}
