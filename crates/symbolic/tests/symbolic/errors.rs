//! One wrong program for each error code.

use wavefold_symbolic::prelude::*;

use crate::wave;

/// Checks code, message and help of an error.
fn refused<T>(result: Result<T, SymbolicError>, code: &str, message: &str) {
    let error = result.err().unwrap_or_else(|| panic!("{code} was not reported"));
    assert_eq!((error.code(), error.to_string().as_str()), (code, message));
    assert!(error.help().is_none_or(|help| !help.is_empty() && !help.ends_with('.')));
}

fn on(grid: Grid) -> Result<Function, SymbolicError> {
    Function::new("f", &grid).build()
}

#[test]
fn grids() {
    let g = || Grid::new([4, 4]);
    refused(on(Grid::new([4, 0])), "grid::empty", "a grid of shape [4, 0] has no points");
    refused(on(Grid::new([2; 4])), "grid::rank", "a grid has one to three dimensions, not 4");
    refused(on(Grid::new([])), "grid::rank", "a grid has one to three dimensions, not 0");
    refused(
        on(Grid::new([1 << 40, 1 << 40])),
        "grid::too_large",
        "a grid of shape [1099511627776, 1099511627776] has more points than memory can address",
    );
    refused(
        on(g().with_spacing([1.0])),
        "grid::values",
        "the spacing of the grid has 1 values; the grid has 2 dimension(s)",
    );
    refused(
        on(g().with_spacing([1.0, -2.0])),
        "grid::spacing",
        "the spacing of the grid along y is -2; it must be positive and finite",
    );
    refused(
        on(g().with_spacing(f64::NAN).with_spacing(1.0)),
        "grid::spacing",
        "the spacing of the grid along x is NaN; it must be positive and finite",
    );
    refused(
        on(Grid::new([4, 1]).with_extent(3.0)),
        "grid::extent",
        "the extent of the grid along y is 3, which gives no positive spacing over 1 point(s)",
    );
    refused(
        on(g().with_origin([f64::INFINITY, 0.0])),
        "grid::origin",
        "the origin of the grid along x is inf; it must be finite",
    );
    assert!(on(Grid::new([4, 1]).with_extent([3.0, 0.0])).is_ok());
}

#[test]
fn names() -> Result<(), SymbolicError> {
    let (grid, m, _) = wave();
    let named = |name: &str| Function::new(name, &grid).build();
    refused(named("2u"), "name::invalid", "`2u` is not an identifier");
    refused(named(""), "name::invalid", "`` is not an identifier");
    refused(named("ü"), "name::invalid", "`ü` is not an identifier");
    refused(named("dt"), "name::reserved", "`dt` is reserved for a dimension or a step");
    refused(named("double"), "name::reserved", "`double` is reserved by the C language");
    refused(eq(m.twin("a b"), 1.0).check(), "name::invalid", "`a b` is not an identifier");
    refused(
        eq(&m, Constant::new("for", 1.0)).check(),
        "name::reserved",
        "`for` is reserved by the C language",
    );
    refused(
        SparseFunction::new("h_x", &grid).build(),
        "name::reserved",
        "`h_x` is reserved for a dimension or a step",
    );
    Ok(())
}

#[test]
fn functions() {
    let (grid, _, _) = wave();
    let f = || Function::new("f", &grid);
    let u = || TimeFunction::new("u", &grid);
    let space_order = "function::space_order";
    refused(f().space_order(3).build(), space_order, "`f` has space order 3; it must be even and at most 64");
    refused(
        f().space_order(66).build(),
        space_order,
        "`f` has space order 66; it must be even and at most 64",
    );
    refused(u().time_order(3).build(), "function::time_order", "`u` has time order 3; it must be 1 or 2");
    refused(u().save(0).build(), "function::save", "`u` saves no snapshot");
    refused(u().save(2).save_every(0).build(), "function::save_every", "`u` saves every 0 steps");
    refused(
        u().save_every(2).build(),
        "function::save_every_without_save",
        "`u` has `save_every(2)` but is not saved",
    );
    refused(
        u().compression(Noop).build(),
        "function::compression_without_save",
        "`u` is compressed but not saved",
    );
    let error = u().save(2).compression(Quantize { nbits: 0 }).build().unwrap_err();
    assert_eq!(error.code(), "function::compression");
    assert!(error.to_string().starts_with("the compression of `u` is not valid: "));
    let error = u().save(2).compression(Wavelet { compscale: f64::NAN }).build().unwrap_err();
    assert_eq!(error.code(), "function::compression");
    assert!(f().space_order(0).build().is_ok());
}

#[test]
fn sparse_functions() {
    let (grid, _, _) = wave();
    let s = || SparseTimeFunction::new("s", &grid).steps(3);
    refused(
        s().coordinates([[1.0]]).build(),
        "sparse::coordinate_rank",
        "`s` has 1 coordinate(s) at point 0; the grid has 2 dimension(s)",
    );
    refused(
        s().points(2).coordinates([[1.0, 2.0]]).build(),
        "sparse::coordinate_count",
        "`s` has 2 point(s) but 1 were given",
    );
    refused(
        s().coordinates([[0.0, 0.0], [1.0, f64::NAN]]).build(),
        "sparse::not_finite",
        "coordinate y of point 1 of `s` is NaN",
    );
    refused(SparseTimeFunction::new("s", &grid).build(), "sparse::steps", "`s` has no time steps");
}

#[test]
fn expressions() -> Result<(), SymbolicError> {
    let (grid, m, u) = wave();
    let src = SparseTimeFunction::new("src", &grid).points(1).steps(3).build()?;
    let flat = Function::new("flat", &grid).space_order(0).build()?;
    refused(
        u.dz().check(),
        "derivative::dimension",
        "`∂/∂z u(t, x, y)` is differentiated along z, which the grid of `u` does not have",
    );
    refused(
        m.dt().check(),
        "derivative::time",
        "`∂/∂t m(x, y)` is differentiated in time, but nothing in it depends on time",
    );
    refused(
        flat.dx().check(),
        "derivative::order",
        "`∂/∂x flat(x, y)` is differentiated in space, but `flat` has space order 0",
    );
    refused(
        (&src * &u).dx().check(),
        "derivative::sparse",
        "`∂/∂x (src(t, p)*u(t, x, y))` is differentiated, but the sparse function `src` lives on points",
    );
    let dimension = "expression::dimension";
    let message = |name: &str| format!("`{name}` is shifted along a dimension that its grid does not have");
    refused(u.shift(Dim::Z, 1).check(), dimension, &message("u"));
    refused(u.shift(Dim::Space(9), 1).check(), dimension, &message("u"));
    refused((&u / 0.0).check(), "expression::not_finite", "the expression contains the number inf");
    refused(
        Expr::from(-1.0).sqrt().check(),
        "expression::not_finite",
        "the expression contains the number NaN",
    );
    let deep = (0..600).fold(u.expr(), |expr, _| expr.sin());
    refused(
        deep.check(),
        "expression::too_deep",
        "the expression is nested 601 levels deep; at most 200 can be compiled",
    );
    Ok(())
}

#[test]
fn equations() -> Result<(), SymbolicError> {
    let (grid, m, u) = wave();
    let lhs = "equation::lhs";
    refused(eq(&u + 1.0, &u).check(), lhs, "`u(t, x, y) + 1` cannot be assigned to");
    refused(eq(u.shift(Dim::X, 1), &u).check(), lhs, "`u(t, x+1, y)` cannot be assigned to");
    refused(eq(u.dx(), &u).check(), lhs, "`∂/∂x u(t, x, y)` cannot be assigned to");
    let other = Function::new("other", &Grid::new([5, 5])).build()?;
    refused(
        eq(&u, &other).check(),
        "equation::grid",
        "`u` and `other` are used together but live on different grids",
    );
    let w = TimeFunction::new("w", &grid).build()?;
    refused(
        eq(&m, w.dt2()).check(),
        "equation::time_shift",
        "`w(t, x, y)` is used at 3 time levels but keeps 2",
    );
    let few = TimeFunction::new("few", &grid).save(3).save_every(2).build()?;
    refused(
        eq(few.forward(), &u).check(),
        "equation::subsampled_shift",
        "`few` is saved every 2 steps and cannot be shifted in time",
    );
    let src = SparseTimeFunction::new("src", &grid).points(1).steps(3).build()?;
    refused(eq(&u, &src).check(), "equation::sparse", "`src` is used outside its own injection");
    refused(
        src.interpolate(&src + &u).check(),
        "equation::sparse",
        "`src` is used outside its own injection",
    );
    let receivers = SparseTimeFunction::new("rec", &Grid::new([3, 3])).points(1).steps(3).build()?;
    refused(
        receivers.interpolate(&u).check(),
        "equation::grid",
        "`u` and `rec` are used together but live on different grids",
    );
    refused(
        eq(&u, grid.h(2)).check(),
        "expression::spacing",
        "the expression contains the spacing `h_z`, but the grid of `u` has no dimension z",
    );
    Ok(())
}

#[test]
fn solving() {
    let (_, m, u) = wave();
    let target = u.forward();
    refused(solve(u.dt(), &u + 1.0), "solve::target", "`u(t, x, y) + 1` cannot be solved for");
    let absent = "the equation does not contain `u(t+1, x, y)`";
    refused(solve(u.dx2() - &m, &target), "solve::absent", absent);
    refused(solve(&target - &target, &target), "solve::absent", absent);
    let non_linear = "solve::non_linear";
    refused(
        solve(target.pow(2) - &m, &target),
        non_linear,
        "the equation is not linear in `u(t+1, x, y)`: see `u(t+1, x, y)²`",
    );
    refused(
        solve(&target * &target, &target),
        non_linear,
        "the equation is not linear in `u(t+1, x, y)`: see `u(t+1, x, y)*u(t+1, x, y)`",
    );
    refused(
        solve(target.sin(), &target),
        non_linear,
        "the equation is not linear in `u(t+1, x, y)`: see `sin(u(t+1, x, y))`",
    );
    refused(
        solve(u.dt() - target.dx2(), &target),
        "solve::inside_derivative",
        "`u(t+1, x, y)` stands inside the space derivative `∂²/∂x² u(t+1, x, y)`",
    );
}

#[test]
fn fd() {
    refused(
        wavefold_symbolic::fd::weights(2, &[0, 1], 0),
        "fd::nodes",
        "a derivative of degree 2 needs 2 + 1 or more distinct points, not 2",
    );
}
