//! Error bounds, parameters and measured numbers of compressed histories.

use crate::acoustic::Acoustic;
use crate::{DTYPES, assert_close, assert_same, bits, both};
use ndarray::ArrayD;
use wavefold::Result;
use wavefold::prelude::*;
use wavefold::runtime::State;

const STEPS: usize = 40;

fn problem(dtype: DType) -> Result<Acoustic> {
    let a = Acoustic::new(&[37, 43], 4, STEPS, dtype, 21)?;
    a.smooth_wavelet()?;
    Ok(a)
}

/// Runs the wave equation and keeps `u` in all of these functions.
fn keep(a: &Acoustic, histories: &[&TimeFunction]) -> Result<Operator> {
    let u = a.wavefield("u")?;
    let mut equations = a.forward(&u)?;
    equations.extend(histories.iter().map(|h| eq(*h, &u)));
    Operator::named("keep", equations)
}

fn apply<'a>(op: &'a Operator, a: &Acoustic, backend: Backend) -> Apply<'a> {
    op.apply().dt(a.dt).backend(backend).time_min(1).time_max(STEPS - 2)
}

fn written() -> std::ops::Range<usize> {
    1..STEPS - 1
}

/// Largest difference of two snapshots.
fn max_error(a: &Data, b: &Data) -> f64 {
    a.iter().zip(b.iter()).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

fn ratio(s: &PerformanceSummary, name: &str) -> f64 {
    s.compression_of(name).map_or(f64::NAN, CompressionSummary::ratio)
}

fn assert_within_delta(compressed: &TimeFunction, raw: &TimeFunction, nbits: u32) -> Result<()> {
    for n in written() {
        let (wanted, found) = (raw.at(n)?, decompress_step(compressed, n)?);
        let delta = (wanted.max() - wanted.min()) / (f64::from(nbits).exp2() - 1.0);
        let error = max_error(&wanted, &found);
        assert!(error <= delta, "{} bits, snapshot {n}: {error:e} > {delta:e}", nbits);
        assert!(found.norm() > 0.0 || wanted.norm() == 0.0, "snapshot {n} is lost");
    }
    Ok(())
}

#[test]
fn quantize_stays_within_delta() -> Result<()> {
    both(|backend| {
        for dtype in DTYPES {
            let a = problem(dtype)?;
            let quantize = Some(Compression::quantize());
            let raw = a.history("raw", None)?;
            let names = ["nine", "six", "twelve"];
            let histories: Vec<TimeFunction> =
                names.iter().map(|n| a.history(n, quantize)).collect::<Result<_>>()?;
            let op = keep(&a, &[&raw, &histories[0], &histories[1], &histories[2]])?;
            let s = apply(&op, &a, backend).nbits_of("six", 6).nbits_of("twelve", 12).run()?;
            for (history, nbits) in histories.iter().zip([9, 6, 12]) {
                assert_within_delta(history, &raw, nbits)?;
                let info = history.compression_info()?;
                assert_eq!(info.codec, Quantize { nbits }, "what wrote it");
                assert_eq!(s.compression_of(history.name()).map(|c| c.codec), Some(Quantize { nbits }));
            }
            assert!(ratio(&s, "six") > ratio(&s, "nine") && ratio(&s, "nine") > ratio(&s, "twelve"), "{s}");
        }
        Ok(())
    })
}

#[test]
fn nbits_for_all_functions_at_once() -> Result<()> {
    both(|backend| {
        let a = problem(DType::F64)?;
        let quantize = Some(Compression::quantize());
        let (raw, f, g) = (a.history("raw", None)?, a.history("f", quantize)?, a.history("g", quantize)?);
        let noop = a.history("noop", Some(Noop))?;
        let op = keep(&a, &[&raw, &f, &g, &noop])?;
        // The later one wins.
        apply(&op, &a, backend).nbits(16).nbits_of("g", 20).run()?;
        assert_within_delta(&f, &raw, 16)?;
        assert_within_delta(&g, &raw, 20)?;
        assert_eq!(noop.compression_info()?.codec, Noop);
        Ok(())
    })
}

#[test]
fn smaller_compscale_is_larger_and_closer() -> Result<()> {
    both(|backend| {
        let a = problem(DType::F32)?;
        let mut last: Option<(f64, f64)> = None;
        for compscale in [1e-1, 1e-2, 1e-3, 1e-4, 1e-5] {
            let usave = a.history("usave", Some(Compression::wavelet()))?;
            let s = apply(&keep(&a, &[&usave])?, &a, backend).compscale(compscale).measure_errors().run()?;
            let Some(c) = s.compression_of("usave") else { panic!("{s}") };
            let snr = c.snr_db.unwrap_or(f64::NAN);
            // The error's rms is at most compscale x rms of each slice, so of all of them.
            assert!(snr >= -20.0 * compscale.log10(), "{compscale:e}: {snr} dB");
            if let Some((ratio, worse)) = last {
                assert!(c.ratio() < ratio && snr > worse, "{compscale:e}: ratio {} after {ratio}", c.ratio());
            }
            last = Some((c.ratio(), snr));
            assert_eq!(usave.compression_info()?.codec, Wavelet { compscale });
        }
        Ok(())
    })
}

#[test]
fn noop_keeps_every_bit() -> Result<()> {
    both(|backend| {
        for dtype in DTYPES {
            let a = problem(dtype)?;
            let (raw, usave) = (a.history("raw", None)?, a.history("usave", Some(Noop))?);
            apply(&keep(&a, &[&raw, &usave])?, &a, backend).run()?;
            for n in written() {
                assert_same(&decompress_step(&usave, n)?, &raw.at(n)?, &format!("snapshot {n}"));
            }
            // Signs of zeros and denormals as well: values that no arithmetic has touched.
            let grid = Grid::new([2, 3]).with_dtype(dtype);
            let f = TimeFunction::new("f", &grid).save(1).build()?;
            let odd = [0.0, -0.0, 1e-40, -5e-324, f64::from(f32::MAX), -1.5];
            f.set_data(ArrayD::from_shape_vec(vec![1, 2, 3], odd.to_vec()).unwrap_or_default())?;
            let fsave = TimeFunction::new("fsave", &grid).save(1).compression(Noop).build()?;
            Operator::new([eq(&fsave, &f)])?.apply().backend(backend).run()?;
            assert_eq!(bits(&decompress(&fsave)?), bits(&f.data()?));
        }
        Ok(())
    })
}

#[test]
fn measured_errors_are_those_of_the_values() -> Result<()> {
    both(|backend| {
        let a = problem(DType::F64)?;
        let raw = a.history("raw", None)?;
        let names = [("n", Noop), ("q", Compression::quantize()), ("w", Compression::wavelet())];
        let histories: Vec<TimeFunction> =
            names.iter().map(|(name, codec)| a.history(name, Some(*codec))).collect::<Result<_>>()?;
        let op = keep(&a, &[&raw, &histories[0], &histories[1], &histories[2]])?;
        let s = apply(&op, &a, backend).measure_errors().run()?;
        for history in &histories {
            let (mut worst, mut errors, mut values) = (0.0f64, 0.0, 0.0);
            for n in written() {
                let (wanted, found) = (raw.at(n)?, decompress_step(history, n)?);
                worst = worst.max(max_error(&wanted, &found));
                errors += wanted.iter().zip(found.iter()).map(|(a, b)| (a - b) * (a - b)).sum::<f64>();
                values += wanted.iter().map(|v| v * v).sum::<f64>();
            }
            let Some(c) = s.compression_of(history.name()) else { panic!("{s}") };
            let report = history.compression_info()?.errors;
            assert_eq!(c.max_error, Some(worst), "{}", history.name());
            assert_eq!(report.map(|r| r.max_error()), Some(worst));
            let snr = c.snr_db.unwrap_or(f64::NAN);
            if errors == 0.0 {
                assert_eq!((history.name(), snr), ("n", f64::INFINITY));
            } else {
                let wanted = 10.0 * f64::log10(values / errors);
                assert!((snr - wanted).abs() <= 1e-9 * wanted, "{}: {snr} dB, not {wanted}", history.name());
                assert!(s.to_string().contains("SNR"), "{s}");
            }
        }
        Ok(())
    })
}

/// A coarse codec alone breaks the bounds, of the declaration and of the run.
#[test]
fn a_bound_on_the_error_holds_at_every_point() -> Result<()> {
    both(|backend| {
        for dtype in DTYPES {
            let a = problem(dtype)?;
            let raw = a.history("raw", None)?;
            let codecs = [Quantize { nbits: 4 }, Wavelet { compscale: 0.3 }, LappedSnr { snr: 20.0 }];
            for codec in codecs {
                let history = |name: &str| TimeFunction::new(name, &a.grid).time_order(2).save(STEPS);
                let loose = history("loose").compression(codec).build()?;
                let declared = history("declared").compression(codec.within(2e-3)).build()?;
                let given = history("given").compression(codec.within(0.4)).build()?;
                let op = keep(&a, &[&raw.twin("raw1"), &loose, &declared, &given])?;
                let s = apply(&op, &a, backend).max_error_of("given", 1e-3).measure_errors().run()?;
                let again = keep(&a, &[&raw.twin("raw2"), &declared.twin("twin")])?;
                let t = apply(&again, &a, backend).measure_errors().run()?;
                let of = |name: &str| s.compression_of(name).cloned();
                let [Some(loose), Some(declared), Some(given)] = ["loose", "declared", "given"].map(of)
                else {
                    panic!("{s}")
                };
                assert!(loose.max_error > declared.max_error && declared.max_error > given.max_error, "{s}");
                assert_eq!((loose.bound, declared.bound, given.bound), (None, Some(2e-3), Some(1e-3)));
                assert_eq!(
                    t.compression_of("twin").map(|c| (c.bound, c.max_error)),
                    Some((Some(2e-3), declared.max_error))
                );
            }
            let [bounded, fine] =
                ["bounded", "fine"].map(|name| a.history(name, Some(Wavelet { compscale: 0.3 })));
            let (bounded, fine) = (bounded?, fine?);
            let op = keep(&a, &[&raw, &bounded, &fine])?;
            apply(&op, &a, backend).max_error(1e-3).compscale_of("fine", 1e-5).run()?;
            for n in written() {
                let (wanted, found) = (raw.at(n)?, decompress_step(&bounded, n)?);
                assert!(max_error(&wanted, &found) <= 1e-3 * (wanted.max() - wanted.min()), "snapshot {n}");
            }
        }
        Ok(())
    })
}

#[test]
fn what_is_known_about_a_history() -> Result<()> {
    both(|backend| {
        let a = problem(DType::F32)?;
        let usave = a.history("usave", Some(Compression::quantize()))?;
        let before = usave.compression_info()?;
        assert_eq!((before.state, before.written, before.steps, before.bytes), (State::Empty, 0, STEPS, 0));
        assert_eq!((before.codec, before.ratio, before.errors), (Compression::quantize(), 0.0, None));

        let s = apply(&keep(&a, &[&usave])?, &a, backend).run()?;
        let info = usave.compression_info()?;
        let Some(c) = s.compression_of("usave") else { panic!("{s}") };
        assert_eq!((&info.state, info.written, info.steps), (&State::Sealed, written().len(), STEPS));
        assert_eq!((info.raw_bytes, info.bytes), (c.raw_bytes as usize, c.bytes as usize));
        assert_eq!(info.raw_bytes, written().len() * 37 * 43 * 4);
        assert!((info.ratio - c.ratio()).abs() <= 1e-12 * c.ratio() && info.ratio > 2.0, "{info}");
        assert!(info.to_string().contains("usave") && info.to_string().contains("quantize:9"), "{info}");

        // Steps outside of the range were never written.
        let code = |n: usize| decompress_step(&usave, n).map(|_| ()).map_err(|e| e.code());
        assert_eq!(code(0), Err("store::missing_step"));
        assert_eq!(code(STEPS - 1), Err("store::missing_step"));
        assert_eq!(code(STEPS), Err("data::out_of_range"));
        assert_eq!(decompress(&usave).map(|_| ()).map_err(|e| e.code()), Err("store::missing_step"));
        Ok(())
    })
}

#[test]
fn a_history_outlives_its_operator_and_is_read_again_and_again() -> Result<()> {
    both(|backend| {
        let (usave, first) = {
            let a = problem(DType::F32)?;
            let usave = a.history("usave", Some(Compression::wavelet()))?;
            let op = keep(&a, &[&usave])?;
            apply(&op, &a, backend).run()?;
            let first = decompress_step(&usave, 20)?;
            (usave, first)
        };
        for _ in 0..3 {
            assert_same(&decompress_step(&usave, 20)?, &first, "snapshot 20");
        }
        // Out of order, and by several threads at once.
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for n in written().rev() {
                        let snapshot = decompress_step(&usave, n).map(|d| bits(&d));
                        assert!(n != 20 || snapshot.is_ok_and(|s| s == bits(&first)));
                    }
                });
            }
        });
        // In two operators, each twice.
        let grid = usave.grid().clone();
        let sum = Function::new("sum", &grid).build()?;
        let copy = TimeFunction::new("copy", &grid).save(STEPS).build()?;
        let (add, read) = (Operator::named("add", [inc(&sum, &usave)])?, Operator::new([eq(&copy, &usave)])?);
        for n in 1..=2 {
            add.apply().backend(backend).run()?;
            read.apply().backend(backend).run()?;
            assert_same(&copy.at(20)?, &first, "snapshot 20, read by an operator");
            let mut total = ArrayD::<f64>::zeros(vec![37, 43]);
            for k in written() {
                total += &decompress_step(&usave, k)?.to_f64();
            }
            assert_close(&sum.data()?, &(total * f64::from(n)), 1e-5, "sum of all snapshots");
        }
        Ok(())
    })
}
