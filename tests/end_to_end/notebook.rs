//! The first program of the documentation.

use crate::{DTYPES, both};
use wavefold::Result;
use wavefold::operator::Use;
use wavefold::prelude::*;

/// Every codec; small whole numbers are exact in all of them, since a constant slice is.
const CODECS: [Compression; 3] = [Noop, Quantize { nbits: 9 }, Wavelet { compscale: 1e-3 }];

#[test]
fn as_it_is_written() -> Result<()> {
    let nt = 4;
    let grid = Grid::new([4, 4]);
    let u = TimeFunction::new("u", &grid).build()?;
    let usave = TimeFunction::new("usave", &grid).save(nt).compression(Noop).build()?;
    let v = TimeFunction::new("v", &grid).build()?;
    let vsave = TimeFunction::new("vsave", &grid).save(nt).layers(Layers::None).build()?;

    let op0 = Operator::new([eq(u.forward(), &u + 1.0), eq(&usave, &u)])?; // write => compress
    let op1 = Operator::new([eq(v.backward(), &v - 1.0), eq(&vsave, &usave)])?; // read => decompress

    let s0 = op0.apply().time_max(nt - 1).run()?;
    let s1 = op1.apply().run()?; // bounds come from the saved functions
    assert_eq!(decompress(&usave)?, vsave.data());
    println!("{s0}{s1}");
    println!("{}", op0.ccode()); // and .tree(), .cuda(), .clif()
    let usave1 = usave.twin("usave1"); // fresh, same settings, writable

    let again = Operator::new([eq(u.forward(), &u + 1.0), eq(&usave1, &u)])?;
    again.apply().time_max(nt - 1).run()?;
    Ok(())
}

struct Notebook {
    u: TimeFunction,
    usave: TimeFunction,
    vsave: TimeFunction,
    write: Operator,
    read: Operator,
}

const STEPS: usize = 4;

impl Notebook {
    fn new(codec: Compression, dtype: DType) -> Result<Notebook> {
        let grid = Grid::new([4, 4]).with_dtype(dtype);
        let u = TimeFunction::new("u", &grid).build()?;
        let usave = TimeFunction::new("usave", &grid).save(STEPS).compression(codec).build()?;
        let v = TimeFunction::new("v", &grid).build()?;
        let vsave = TimeFunction::new("vsave", &grid).save(STEPS).layers(Layers::None).build()?;
        let write = Operator::named("op0", [eq(u.forward(), &u + 1.0), eq(&usave, &u)])?;
        let read = Operator::named("op1", [eq(v.backward(), &v - 1.0), eq(&vsave, &usave)])?;
        Ok(Notebook { u, usave, vsave, write, read })
    }
}

/// Snapshot `n` holds `n` at all of its 16 points.
fn assert_counts(data: &Data) {
    let wanted: Vec<f64> = [0.0, 1.0, 2.0, 3.0].into_iter().flat_map(|n| [n; 16]).collect();
    assert_eq!(data.shape(), [STEPS, 4, 4]);
    assert_eq!(data.iter().collect::<Vec<_>>(), wanted);
}

#[test]
fn exactly_0_1_2_3() -> Result<()> {
    both(|backend| {
        for codec in CODECS {
            for dtype in DTYPES {
                let n = Notebook::new(codec, dtype)?;
                let wrote = n.write.apply().time_max(STEPS - 1).backend(backend).run()?;
                let read = n.read.apply().backend(backend).run()?;
                assert_counts(&n.vsave.data()?);
                assert_counts(&decompress(&n.usave)?);
                assert_eq!(decompress(&n.usave)?, n.vsave.data());
                assert_eq!(n.vsave.data()?.dtype(), dtype);
                summaries(&wrote, &read, backend, codec, dtype);
            }
        }
        Ok(())
    })
}

fn summaries(
    wrote: &PerformanceSummary,
    read: &PerformanceSummary,
    backend: Backend,
    codec: Compression,
    dtype: DType,
) {
    for (s, operator, used) in [(wrote, "op0", Use::Written), (read, "op1", Use::Read)] {
        assert_eq!((s.operator.as_str(), s.backend, s.steps, s.points), (operator, backend, 4, 16));
        assert_eq!((s.time_m, s.time_max), (0, 3));
        assert!(
            s.seconds > 0.0 && s.total_seconds >= s.seconds && s.gpts_per_s() > 0.0 && s.gb_per_s() > 0.0,
            "{s}"
        );
        assert_eq!(s.compression.len(), 1);
        let Some(c) = s.compression_of("usave") else { panic!("{s}") };
        assert_eq!((c.used, c.codec, c.snapshots), (used, codec, 4));
        assert_eq!(c.raw_bytes, 4 * 16 * dtype.size() as u64);
        assert!(c.bytes > 0 && c.seconds >= 0.0);
        assert_eq!(c.ratio(), c.raw_bytes as f64 / c.bytes as f64);
        assert_eq!((c.max_error, c.snr_db), (None, None), "measured on request only");
        let text = s.to_string();
        assert!(text.contains("usave") && text.contains("4 snapshots") && text.contains(operator), "{text}");
    }
    assert_eq!(wrote.compression[0].bytes, read.compression[0].bytes);
}

#[test]
fn generated_code_holds_the_calls() -> Result<()> {
    let n = Notebook::new(Noop, DType::F32)?;
    for (op, wanted, other) in [(&n.write, "compress", "decompress"), (&n.read, "decompress", "compress")] {
        let (c, clif, tree) = (op.ccode(), op.clif(), op.tree());
        assert!(c.contains(&format!("wf_{wanted}(cx, ")) && c.contains("wf_wait(cx, "), "{c}");
        assert!(!c.contains(&format!("wf_{other}(")), "{c}");
        assert!(clif.contains(wanted) && clif.contains("wait") && clif.contains("call"), "{clif}");
        assert!(tree.contains(&format!("{wanted} ")) && tree.contains("wait"), "{tree}");
    }
    let (c, equation) = (n.write.ccode(), "// u(t+1, x, y) = u(t, x, y) + 1");
    assert!(c.contains(equation), "each loop says what it computes:\n{c}");
    assert_eq!(n.write.to_string(), "u(t+1, x, y) = u(t, x, y) + 1\nusave(t, x, y) = u(t, x, y)\n");
    Ok(())
}

#[test]
fn a_twin_can_be_written_and_the_original_stays() -> Result<()> {
    both(|backend| {
        let n = Notebook::new(Noop, DType::F32)?;
        n.write.apply().time_max(STEPS - 1).backend(backend).run()?;
        let twin = n.usave.twin("usave1");
        assert_eq!((twin.save(), twin.compression(), twin.dtype()), (Some(STEPS), Some(&Noop), DType::F32));
        assert_eq!(decompress(&twin).map_err(|e| e.code()), Err("store::empty"));

        n.u.fill(10.0)?;
        let again = Operator::named("again", [eq(n.u.forward(), &n.u + 1.0), eq(&twin, &n.u)])?;
        again.apply().time_max(STEPS - 1).backend(backend).run()?;
        assert_eq!(decompress_step(&twin, 3)?.max(), 13.0);
        assert_counts(&decompress(&n.usave)?);

        // Neither can be written again, and the refusal leaves the data alone.
        let refused = n.write.apply().time_max(STEPS - 1).backend(backend).run();
        assert_eq!(refused.map(|_| ()).map_err(|e| e.code()), Err("store::second_write"));
        assert_counts(&decompress(&n.usave)?);
        Ok(())
    })
}
