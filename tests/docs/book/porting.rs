//! The table of `docs/porting.md`: what it says in Rust stands in [`constructs`], what it says in `.wf` is checked by itself.

use super::blocks::{blocks, spans, table};
use super::text;
use wavefold::prelude::*;
use wavefold_text::{Options, parse};

/// Every Rust snippet of the table, in a program that compiles and runs.
#[test]
fn constructs() -> wavefold::Result<()> {
    let nt = 12;
    let grid = Grid::new([101, 51]).with_extent([1000.0, 500.0]);
    let m = Function::new("m", &grid).space_order(8).build()?;
    m.fill(0.25)?;
    m.set_with(|i| if i[1] < 25 { 0.25 } else { 0.16 })?;
    let array = Data::from_vec(&[101, 51], vec![0.25_f32; 101 * 51])?;
    m.set_data(array)?;
    let u = TimeFunction::new("u", &grid).time_order(2).space_order(8).build()?;
    let v = u.twin("v");
    let history = TimeFunction::new("history", &grid).save(nt).build()?;
    let some = TimeFunction::new("some", &grid).save(nt / 4).save_every(4).build()?;
    let packed = TimeFunction::new("packed", &grid).save(nt).compression(Quantize { nbits: 12 }).build()?;
    let ring = TimeFunction::new("ring", &grid).buffers(4).build()?;
    let c = Constant::new("c", 1.5);
    let src = SparseTimeFunction::new("src", &grid).coordinates([[500.0, 20.0]]).steps(nt).build()?;
    let rec = SparseTimeFunction::new("rec", &grid).coordinates([[100.0, 20.0]]).steps(nt).build()?;
    let flow = VectorTimeFunction::new("flow", &grid).space_order(4).build()?;
    let stress = TensorTimeFunction::new("stress", &grid).space_order(4).build()?;
    let half = Function::new("half", &grid).staggered(Dim::X).build()?;
    let top = SubDomain::new("top", &grid).left(Dim::Y, 1);
    let image = Function::new("image", &grid).build()?;
    let other = u.twin("other");

    let expressions = [
        u.forward(),
        u.backward(),
        u.dt(),
        u.dt2(),
        u.dx(),
        u.dy2(),
        u.dxl(),
        u.dxr(),
        u.laplace(),
        u.dx().dy(),
        u.dx().T(),
        u.diff(Dim::X).order(4).expr(),
        u.diff(Dim::X).x0(0.5).expr(),
        u.diff(Dim::X).weights(-1, &[-0.5, 0.0, 0.5]).expr(),
        u.shift(Dim::X, 1),
        m.sqrt(),
        m.pow(2),
        grid.dt(),
        grid.h(0),
        grid.index(Dim::X),
        select(u.gt(0.0), &u, 0.0),
    ];
    assert!(expressions.iter().all(|e| !e.to_string().is_empty()));
    let strain = grad(flow.forward());
    let _systems = [
        eq(flow.forward(), &flow + grid.dt() * div(&stress)),
        eq(stress.forward(), &stress + grid.dt() * (&strain + strain.transpose())),
        eq(&half, u.dx()),
        eq(ring.forward(), &ring + 1.0),
    ];

    let pde = &m * u.dt2() - u.laplace();
    let update = solve(pde, u.forward())?;
    let op = Operator::named(
        "forward",
        [
            eq(u.forward(), update),
            src.inject(u.forward(), &src * grid.dt().pow(2) / &m),
            rec.interpolate(&u),
            eq(u.forward(), 0.0).on(&top),
            inc(u.forward(), &c).when(u.gt(0.5)),
            eq(&history, &u),
            eq(&some, &u),
            eq(&packed, u.dt2()),
        ],
    )?;
    let imaging = Operator::new([inc(&image, -&packed * v.dt2())])?;
    let summary = op.apply().time_max(nt - 2).dt(1.0).backend(Backend::Cranelift).run()?;
    assert_eq!(summary.steps, 10);
    op.apply().dt(1.0).with(&u, &other).with(&packed, &packed.twin("again")).threads(1).estimate_memory()?;
    let plain = Operator::new([eq(u.forward(), &u + 1.0)])?;
    plain.apply().bounds(Dim::X, 5, 20).estimate_memory()?;
    assert!(imaging.apply().dt(1.0).estimate_memory().is_ok());
    c.set(2.0);
    assert!(!op.ccode().is_empty() && !u.at(0)?.shape().is_empty() && norm(&u).value()? >= 0.0);
    let (a, b) = (Function::new("a", &grid).build()?, Function::new("b", &grid).build()?);
    assert_eq!(inner(&a, &b).value()?, 0.0);
    Ok(())
}

/// Without blanks and line breaks, which are rustfmt's.
fn packed(text: &str) -> String {
    let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    text.replace(",]", "]").replace(",)", ")")
}

#[test]
fn every_rust_snippet_compiles() {
    let program = packed(include_str!("porting.rs"));
    let rows = table(&text("docs/porting.md"), "constructs");
    let snippets: Vec<String> = rows.iter().flat_map(|row| spans(&row[1])).collect();
    assert!(snippets.len() > 40, "{}", snippets.len());
    let missing: Vec<_> = snippets.iter().filter(|s| !program.contains(&packed(s))).collect();
    assert!(missing.is_empty(), "tests/docs/book/porting.rs lacks {missing:#?}");
}

#[test]
fn every_wf_snippet_means_something() {
    let page = text("docs/porting.md");
    let context =
        blocks(&page).into_iter().find(|b| b.marker == "file context.wf").expect("the context").text;
    let rows = table(&page, "constructs");
    let snippets: Vec<String> = rows.iter().flat_map(|row| spans(&row[2])).collect();
    assert!(snippets.len() > 40, "{}", snippets.len());
    // Options of the command are checked with its page.
    for snippet in snippets.iter().filter(|s| !s.starts_with("--") && !s.starts_with("wavefold ")) {
        let ways = [
            format!("{context}\n{snippet}"),
            format!("{context}\noperator probe {{ {snippet} }}"),
            format!("{context}\nfunction probe_ on g\noperator probe {{ probe_ = {snippet} }}"),
            format!("{context}\nprint {snippet}"),
            format!("{context}\nrun forward dt = 1 {snippet}"),
            format!("{context}\ntime probe on g {snippet}"),
        ];
        let right = |source: &String| parse(source).is_ok_and(|p| p.check(&Options::default()).is_ok());
        assert!(ways.iter().any(right), "`{snippet}` means nothing after\n{context}");
    }
}
