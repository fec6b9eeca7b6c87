//! Every refusal of the compiler once, with its code, its text and its help.

mod support;

use support::compile;
use wavefold_ir::VerifyError;
use wavefold_passes::CompileError;
use wavefold_symbolic::Equation;
use wavefold_symbolic::prelude::*;

fn refused(equations: &[Equation]) -> (&'static str, String, String) {
    let e = compile(equations, false).expect_err("refused");
    (e.code(), e.to_string(), e.help().unwrap_or_default())
}

fn check(equations: &[Equation], code: &str, text: &str, help: &str) {
    assert_eq!(refused(equations), (code, text.to_string(), help.to_string()));
}

fn time(name: &str, grid: &Grid) -> TimeFunction {
    TimeFunction::new(name, grid).build().unwrap()
}

fn compressed(name: &str, grid: &Grid) -> TimeFunction {
    TimeFunction::new(name, grid).save(9).compression(Noop).build().unwrap()
}

#[test]
fn an_equation_that_means_nothing() {
    let u = time("u", &Grid::new([9, 9]));
    let (code, text, _) = refused(&[eq(u.forward(), u.dz())]);
    assert_eq!(code, "derivative::dimension");
    assert!(
        text.contains("is differentiated along z, which the grid of `u` does not have\n  in the equation"),
        "{text}"
    );
    assert!(text.contains("errors.rs:"), "names the place: {text}");
}

#[test]
fn no_equations() {
    check(
        &[],
        "operator::empty",
        "an operator needs at least one equation",
        "pass equations, such as `eq(u.forward(), &u + 1.0)`",
    );
}

#[test]
fn two_grids() {
    let (u, v) = (time("u", &Grid::new([9, 9])), time("v", &Grid::new([9, 8])));
    check(
        &[eq(u.forward(), 1.0), eq(v.forward(), 1.0)],
        "operator::grids",
        "`u` and `v` live on different grids",
        "make all functions of an operator on one `Grid`",
    );
}

#[test]
fn two_of_one_name() {
    let g = Grid::new([9]);
    check(
        &[eq(time("u", &g).forward(), 1.0), eq(time("u", &g).forward(), 2.0)],
        "operator::duplicate_name",
        "two different functions or constants are named `u`",
        "names identify functions in generated code: rename one",
    );
}

#[test]
fn compressed_read_and_write() {
    let g = Grid::new([9]);
    let (u, s) = (time("u", &g), compressed("s", &g));
    check(
        &[eq(&s, &u), eq(u.forward(), &s + 1.0)],
        "compress::read_and_write",
        "the operator both reads and writes the compressed function `s`",
        "written by: s(t, x) = u(t, x)\nread by:    u(t+1, x) = s(t, x) + 1\n\
         split it: one operator writes `s`, a later one reads it",
    );
}

#[test]
fn compressed_written_twice() {
    let g = Grid::new([9]);
    let (u, s) = (time("u", &g), compressed("s", &g));
    check(
        &[eq(&s, &u), eq(&s, 2.0 * &u)],
        "compress::written_twice",
        "two equations of the operator write the compressed function `s`",
        "first by:  s(t, x) = u(t, x)\nagain by:  s(t, x) = 2*u(t, x)\n\
         a snapshot is compressed once; combine the right-hand sides, or save into `s.twin(..)`",
    );
}

#[test]
fn time_both_ways() {
    let g = Grid::new([9]);
    let (u, v) = (time("u", &g), time("v", &g));
    check(
        &[eq(u.forward(), &u), eq(v.backward(), &v)],
        "time::direction",
        "time would have to run forwards for `u(t+1, x) = u(t, x)` and backwards for `v(t-1, x) = v(t, x)`",
        "ascending:  u(t+1, x) = u(t, x)\ndescending: v(t-1, x) = v(t, x)\nsplit them into two operators",
    );
}

#[test]
fn too_few_time_levels() {
    let g = Grid::new([9]);
    let (u, w) = (time("u", &g), Function::new("w", &g).build().unwrap());
    check(
        &[eq(u.forward(), &u), eq(&w, u.backward())],
        "time::buffers",
        "the operator uses time levels t-1 to t+1 of `u`, which keeps 2",
        "give `u` a higher time order, or save it",
    );
}

#[test]
fn mixed_distances_of_snapshots() {
    let g = Grid::new([9]);
    let every = |name: &str, k| TimeFunction::new(name, &g).save(9).save_every(k).build().unwrap();
    let (a, b) = (every("a", 2), every("b", 3));
    check(
        &[eq(&a, &b)],
        "time::mixed_snapshots",
        "the equation a(t/2, x) = b(t/3, x) uses functions that are saved every 3 and every 2 steps",
        "write one equation for each distance",
    );
}

#[test]
fn a_stencil_wider_than_the_halo() {
    let u = time("u", &Grid::new([9]));
    check(
        &[eq(u.forward(), u.shift(Dim::X, -3))],
        "halo::too_narrow",
        "the stencil reaches 3 points along x, but `u` has a halo of 2",
        "in: u(t+1, x) = u(t, x-3)\ndeclare `u` with a space order of at least 4",
    );
    // Shifts and degrees beyond all reason do not wrap around.
    assert_eq!(refused(&[eq(u.forward(), u.shift(Dim::X, i32::MAX).dx())]).0, "halo::too_narrow");
    assert_eq!(refused(&[eq(u.forward(), u.d(Dim::X, 257))]).0, "halo::too_narrow");
}

#[test]
fn a_defect_of_the_compiler() {
    let e = CompileError::from(VerifyError { level: "tree", invariant: "T3", message: "a power".into() });
    assert_eq!(e.code(), "internal::verify");
    assert_eq!(e.to_string(), "tree invariant T3 is broken: a power");
    assert!(e.help().is_some_and(|h| h.contains("report")));
}
