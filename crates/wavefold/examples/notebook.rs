//! The smallest program with a compressed history: write it with one operator, read it back with another.
//!
//! `cargo run --release --example notebook [-- --backend c|cranelift]` (default: both, one after the other)

use clap::Parser;
use wavefold::prelude::*;

#[derive(Parser)]
struct Options {
    /// Backend that compiles the operators: c, cranelift or auto; both when not given
    #[arg(long)]
    backend: Option<String>,
}

fn main() -> wavefold::Result<()> {
    let backends = match Options::parse().backend {
        Some(name) => vec![name.parse::<Backend>()?.resolve()],
        None if Backend::Auto.resolve() == Backend::C => vec![Backend::C, Backend::Cranelift],
        None => vec![Backend::Cranelift],
    };
    for backend in backends {
        println!("==== backend: {backend}\n");
        notebook(backend)?;
    }
    Ok(())
}

fn notebook(backend: Backend) -> wavefold::Result<()> {
    let nt = 4;
    let grid = Grid::new([4, 4]);
    let u = TimeFunction::new("u", &grid).build()?;
    let usave = TimeFunction::new("usave", &grid).save(nt).compression(Noop).build()?;
    let v = TimeFunction::new("v", &grid).build()?;
    let vsave = TimeFunction::new("vsave", &grid).save(nt).layers(Layers::None).build()?;

    let op0 = Operator::named("op0", [eq(u.forward(), &u + 1.0), eq(&usave, &u)])?; // write: compress
    let op1 = Operator::named("op1", [eq(v.backward(), &v - 1.0), eq(&vsave, &usave)])?; // read: decompress

    println!("{op0}{op1}");
    let s0 = op0.apply().time_max(nt - 1).backend(backend).run()?;
    let s1 = op1.apply().backend(backend).run()?; // the bounds come from the saved functions
    println!("{s0}{s1}");

    let saved = vsave.data()?;
    println!("vsave, one value per snapshot and point:\n{saved}\n");
    assert_eq!(decompress(&usave)?, vsave.data());
    for n in 0..nt {
        let snapshot = vsave.at(n)?;
        assert!(snapshot.iter().all(|value| value == n as f64), "snapshot {n}");
    }
    println!("every snapshot holds its number: 0, 1, 2, 3\n");

    println!("{}", op0.ccode());
    println!("{}", op1.ccode());

    // Written once: a twin has the same settings and no data.
    let usave1 = usave.twin("usave1");
    let again = Operator::named("again", [eq(u.forward(), &u + 1.0), eq(&usave1, &u)])?;
    println!("{}", again.apply().time_max(nt - 1).backend(backend).run()?);
    Ok(())
}
