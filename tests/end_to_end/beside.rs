//! Snapshots that are compressed beside the loops of their step: the same bytes, and the same errors.

use crate::random::Random;
use crate::{BACKENDS, assert_same};
use wavefold::Result;
use wavefold::prelude::*;

const STEPS: usize = 12;

struct Problem {
    u: TimeFunction,
    op: Operator,
    histories: Vec<TimeFunction>,
}

/// A wave, of which copies and something computed are kept.
fn problem(shape: &[usize]) -> Result<Problem> {
    let grid = Grid::new(shape);
    let u = TimeFunction::new("u", &grid).space_order(4).time_order(2).build()?;
    let saved = |name: &str, codec: Compression| {
        TimeFunction::new(name, &grid).save(STEPS + 1).space_order(0).compression(codec).build()
    };
    let histories = vec![
        saved("lapped", Lapped { compscale: 1e-2 })?,
        saved("ratio", LappedSnr { snr: 50.0 })?,
        saved("wavelet", Wavelet { compscale: 1e-3 })?,
        saved("quantize", Quantize { nbits: 9 })?,
    ];
    let mut equations = vec![eq(u.forward(), 2.0 * &u - u.backward() + 0.05 * u.laplace())];
    equations.extend(histories[1..].iter().map(|h| eq(h, &u)));
    equations.push(eq(&histories[0], &u + u.forward() * 0.5));
    Ok(Problem { u, op: Operator::named("wave", equations)?, histories })
}

impl Problem {
    fn fill(&self) -> Result<()> {
        Ok(self.u.set_data(Random::new(4).array(self.u.data()?.shape(), -1.0, 1.0))?)
    }

    /// Fresh histories, and a run that writes them.
    fn apply(&self, backend: Backend) -> Result<(Vec<TimeFunction>, Apply<'_>)> {
        self.fill()?;
        let fresh: Vec<TimeFunction> = self.histories.iter().map(|h| h.twin(h.name())).collect();
        let apply = self.op.apply().dt(1.0).time_min(1).time_max(STEPS).steps_at_a_time(1);
        let apply = apply.backend(backend).check_stability(false);
        let apply = self.histories.iter().zip(&fresh).fold(apply, |apply, (h, f)| apply.with(h, f));
        Ok((fresh, apply))
    }
}

#[test]
fn snapshots_are_the_same_bytes() -> Result<()> {
    for shape in [&[45, 38][..], &[33, 20, 18]] {
        let p = problem(shape)?;
        for backend in BACKENDS.into_iter().chain([Backend::Auto]) {
            let mut wanted: Option<Vec<(usize, Data)>> = None;
            for (threads, beside) in [(1, 0), (1, 1), (2, 1), (2, 3)] {
                let (histories, apply) = p.apply(backend)?;
                let apply = apply.threads(threads).codec_threads(beside);
                if beside == 3 { apply.measure_errors() } else { apply }.run()?;
                let mut found = vec![(0, p.u.data()?)];
                for h in &histories {
                    for step in 1..=STEPS {
                        found.push((h.compression_info()?.bytes, decompress_step(h, step)?));
                    }
                }
                let wanted = wanted.get_or_insert_with(|| found.clone());
                for (i, (found, wanted)) in found.iter().zip(wanted.iter()).enumerate() {
                    assert_eq!(found.0, wanted.0);
                    assert_same(&found.1, &wanted.1, &format!("{shape:?} {backend} {threads} {beside}: {i}"));
                }
            }
        }
    }
    Ok(())
}

#[test]
fn errors_end_the_run() -> Result<()> {
    let p = problem(&[30, 25])?;
    for backend in BACKENDS {
        for beside in [0, 1, 2] {
            let limited = p.apply(backend)?.1.codec_threads(beside).memory_limit(1);
            assert_eq!(limited.run().expect_err("no memory").code(), "memory::limit");
            // Infinite from the first step on.
            let (histories, apply) = p.apply(backend)?;
            p.u.set_data(Random::new(1).array(p.u.data()?.shape(), 1e38, 3e38))?;
            let error = apply.codec_threads(beside).run().expect_err("it grows");
            assert_eq!(error.code(), "compress::not_finite", "{error}");
            assert!(histories.iter().all(|h| decompress(h).is_err()));
        }
        let many = p.apply(backend)?.1.codec_threads(100_000);
        assert_eq!(many.run().expect_err("too many").code(), "threads::count");
    }
    Ok(())
}

/// A run that is cancelled does not wait for what it will not need.
#[test]
fn a_run_can_be_cancelled() -> Result<()> {
    let p = problem(&[30, 25])?;
    for backend in BACKENDS {
        let flag = std::sync::atomic::AtomicBool::new(false);
        let stop = |done: u64, _: u64| flag.store(done >= 3, std::sync::atomic::Ordering::Relaxed);
        let apply = p.apply(backend)?.1.codec_threads(2).cancel(&flag).progress(&stop);
        assert_eq!(apply.run().expect_err("it is cancelled").code(), "run::cancelled");
    }
    Ok(())
}
