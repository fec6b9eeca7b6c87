//! Where a history lives changes nothing but where it lives.

use crate::acoustic::Acoustic;
use crate::{assert_same, both};
use std::path::Path;
use wavefold::Result;
use wavefold::prelude::*;
use wavefold::runtime::State;

const STEPS: usize = 60;

struct Shot {
    history: TimeFunction,
    image: Data,
    bytes: usize,
    on_disk: usize,
}

fn wavefield(a: &Acoustic, layers: Layers) -> Result<TimeFunction> {
    let history = TimeFunction::new("usave", &a.grid).time_order(2).space_order(4).save(STEPS);
    Ok(history.compression(Compression::quantize()).layers(layers).build()?)
}

fn forward(a: &Acoustic, history: &TimeFunction) -> Result<Operator> {
    let u = a.wavefield("u")?;
    let mut equations = a.forward(&u)?;
    equations.push(eq(history, &u));
    Operator::named("forward", equations)
}

/// The correlation of the history with a wavefield that goes backwards.
fn image(a: &Acoustic, history: &TimeFunction, backend: Backend) -> Result<Data> {
    let (v, image) = (a.wavefield("v")?, Function::new("image", &a.grid).space_order(0).build()?);
    let (mut equations, _) = a.adjoint(&v, &a.rec.data()?.to_f64())?;
    equations.push(inc(&image, history.laplace() * &v));
    a.run(equations, backend, 2)?;
    Ok(image.data()?)
}

fn shot(layers: Layers, limit: Option<usize>, backend: Backend) -> Result<Shot> {
    let a = Acoustic::new(&[61, 47], 4, STEPS, DType::F32, 5)?;
    a.smooth_wavelet()?;
    let history = wavefield(&a, layers)?;
    let op = forward(&a, &history)?;
    let apply = op.apply().dt(a.dt).time_min(1).time_max(STEPS - 2).backend(backend);
    match limit {
        Some(bytes) => apply.memory_limit(bytes).run()?,
        None => apply.run()?,
    };
    let info = history.compression_info()?;
    let image = image(&a, &history, backend)?;
    Ok(Shot { history, image, bytes: info.bytes, on_disk: info.bytes_on_disk })
}

fn files(directory: &Path) -> usize {
    std::fs::read_dir(directory).map_or(0, Iterator::count)
}

#[test]
fn images_are_the_same_from_every_layer() -> Result<()> {
    both(|backend| {
        let directory = tempfile::tempdir().expect("a directory");
        let path = || directory.path().to_path_buf();
        let host = shot(Layers::None, None, backend)?;
        assert!(host.on_disk == 0 && host.image.norm() > 0.0);
        for (layers, limit) in [
            (Layers::Host, Some(host.bytes)),
            (Layers::Disk(path()), None),
            (Layers::Disk(path()), Some(0)),
            (Layers::Spill(path()), Some(host.bytes / 2)),
        ] {
            let other = shot(layers.clone(), limit, backend)?;
            assert_same(&other.image, &host.image, &format!("{layers:?}"));
            assert_eq!(other.bytes, host.bytes);
            let on_disk = match layers {
                Layers::Disk(_) => host.bytes..=host.bytes,
                Layers::Spill(_) => host.bytes / 2..=host.bytes * 3 / 5,
                _ => 0..=0,
            };
            assert!(on_disk.contains(&other.on_disk), "{layers:?}: {} of {}", other.on_disk, other.bytes);
        }
        assert_eq!(files(directory.path()), 0);
        Ok(())
    })
}

#[test]
fn a_run_stops_at_its_limit_and_says_how_far_it_came() -> Result<()> {
    both(|backend| {
        let bytes = shot(Layers::None, None, backend)?.bytes;
        let a = Acoustic::new(&[61, 47], 4, STEPS, DType::F32, 5)?;
        a.smooth_wavelet()?;
        let history = wavefield(&a, Layers::Host)?;
        let op = forward(&a, &history)?;
        let apply = || op.apply().dt(a.dt).time_min(1).time_max(STEPS - 2).backend(backend);
        let error = apply().memory_limit(bytes / 2).run().unwrap_err();
        assert_eq!(error.code(), "memory::limit");
        let text = error.to_string();
        let came = text.split("after ").nth(1).and_then(|t| t.split(' ').next()).and_then(|n| n.parse().ok());
        assert!(came.is_some_and(|n: usize| (25..45).contains(&n)), "{text}");
        assert!(matches!(history.compression_info()?.state, State::Poisoned { .. }));
        Ok(())
    })
}

#[test]
fn a_saved_history_gives_the_image_that_the_run_gives() -> Result<()> {
    both(|backend| {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("shot.wfh");
        let Shot { history, image: wanted, .. } = shot(Layers::Disk(directory.path().into()), None, backend)?;
        history.save_history(&file)?;
        assert_eq!(files(directory.path()), 1);
        drop(history);

        let a = Acoustic::new(&[61, 47], 4, STEPS, DType::F32, 5)?;
        a.smooth_wavelet()?;
        let opened = wavefield(&a, Layers::Host)?;
        opened.open_history(&file)?;
        assert_eq!(forward(&a, &opened)?.apply().dt(a.dt).run().unwrap_err().code(), "store::second_write");
        // The receivers' data come from a forward run of their own.
        let u = a.wavefield("u")?;
        a.run(a.forward(&u)?, backend, 1)?;
        assert_same(&image(&a, &opened, backend)?, &wanted, "opened");
        Ok(())
    })
}

#[test]
fn memory_is_estimated_where_it_is() -> Result<()> {
    let a = Acoustic::new(&[61, 47], 4, STEPS, DType::F32, 5)?;
    let host = forward(&a, &wavefield(&a, Layers::Host)?)?.estimate_memory()?;
    let disk = forward(&a, &wavefield(&a, Layers::Disk("there".into()))?)?.estimate_memory()?;
    assert_eq!(host.bytes_on_disk(), 0);
    assert!(disk.bytes_on_disk() > 100_000);
    assert_eq!(host.bytes(), disk.bytes() + disk.bytes_on_disk());
    assert!(disk.to_string().contains("raw, on disk"));
    Ok(())
}
