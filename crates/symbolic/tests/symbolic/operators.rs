//! Operators, handles, and what the prelude lets a user write.

use wavefold_symbolic::{EquationKind, Node, prelude::*};

use crate::wave;

fn text(expr: impl IntoExpr) -> String {
    expr.expr().to_string()
}

#[test]
fn the_notebook_can_be_written() -> Result<(), SymbolicError> {
    let nt = 4;
    let grid = Grid::new([4, 4]);
    let u = TimeFunction::new("u", &grid).build()?;
    let usave = TimeFunction::new("usave", &grid).save(nt).compression(Noop).build()?;
    let v = TimeFunction::new("v", &grid).build()?;
    let vsave = TimeFunction::new("vsave", &grid).save(nt).layers(Layers::None).build()?;
    let first = [eq(u.forward(), &u + 1.0), eq(&usave, &u)];
    let second = [eq(v.backward(), &v - 1.0), eq(&vsave, &usave)];
    for equation in first.iter().chain(&second) {
        equation.check()?;
    }
    assert_eq!(first[0].to_string(), "u(t+1, x, y) = u(t, x, y) + 1");
    let usave1 = usave.twin("usave1");
    assert_eq!((usave1.name(), usave1.save(), usave1.compression()), ("usave1", Some(4), Some(&Noop)));
    assert_ne!(usave1, usave);
    usave1.check()
}

#[test]
fn defaults_follow_the_documentation() -> Result<(), SymbolicError> {
    let grid =
        Grid::new([11, 21, 31]).with_extent([100.0, 100.0, 300.0]).with_origin(-5.0).with_dtype(DType::F64);
    assert_eq!((grid.spacing(), grid.rank(), grid.points()), (&[10.0, 5.0, 10.0][..], 3, 11 * 21 * 31));
    assert_eq!((grid.origin(), grid.extent()), (&[-5.0; 3][..], vec![100.0, 100.0, 300.0]));
    assert_eq!(grid.dims(), [Dim::X, Dim::Y, Dim::Z]);
    let u = TimeFunction::new("u", &grid).build()?;
    assert_eq!(
        (u.dtype(), u.space_order(), u.time_order(), u.halo(), u.buffers()),
        (DType::F64, 2, Some(1), 2, 2)
    );
    let s = TimeFunction::new("s", &grid).save(7).save_every(3).build()?;
    assert_eq!((s.buffers(), s.save_every()), (7, 3));
    assert_eq!(Grid::new(vec![3_usize]).dtype(), DType::F32);
    assert!(Grid::new([3]).same_as(&Grid::new([3])) && Grid::new([3]) != Grid::new([3]));
    Ok(())
}

#[test]
fn every_pair_of_operands_works() {
    let (_, m, u) = wave();
    let c = Constant::new("c", 1.5);
    let e = &m + &u;
    assert_eq!(text(&e), "m(x, y) + u(t, x, y)");
    assert_eq!(text(1.0 + &u), "u(t, x, y) + 1");
    assert_eq!(text(2 * u.clone() / &c - e.clone()), "2*u(t, x, y)/c - (m(x, y) + u(t, x, y))");
    assert_eq!(text(-&m * 0.5_f32), "-0.5*m(x, y)");
    assert_eq!(text(c.clone() * m.clone() + e * c), "c*m(x, y) + (m(x, y) + u(t, x, y))*c");
    assert_eq!(text(3 - &m), "-m(x, y) + 3");
    assert_eq!(text(1 / &m), "1/m(x, y)");
    let mut sum = Expr::from(0.0);
    sum += &m;
    sum *= 2;
    sum -= 1.0;
    sum /= &u;
    assert_eq!(text(sum), "(2*m(x, y) - 1)/u(t, x, y)");
    assert_eq!(text([&m, &m].into_iter().sum::<Expr>()), "m(x, y) + m(x, y)");
    assert_eq!(text([&m, &m].into_iter().product::<Expr>()), "m(x, y)*m(x, y)");
}

#[test]
fn numbers_fold_and_neutral_elements_vanish() {
    let (_, m, _) = wave();
    assert_eq!(text(&m * 1.0 + 0.0), "m(x, y)");
    assert_eq!(text(&m * 0), "0");
    assert_eq!(text((&m + 1.0) + (2.0 + &m)), "m(x, y) + m(x, y) + 3");
    assert_eq!(text(2.0 * (&m * 3.0)), "6*m(x, y)");
    assert_eq!(text(m.pow(1)), "m(x, y)");
    assert_eq!(text(m.pow(0)), "1");
    assert_eq!(text(m.pow(2).pow(-1)), "1/m(x, y)²");
    assert_eq!(text(Expr::from(4.0).sqrt()), "2");
    assert_eq!(text(Expr::from(4.0).dx()), "0");
    assert_eq!(text(-(-m.expr())), "m(x, y)");
}

#[test]
fn equality_is_structural_and_by_declaration() -> Result<(), SymbolicError> {
    let (grid, m, u) = wave();
    assert_eq!(u.dt2() - m.expr(), u.dt2() - m.expr());
    assert_ne!(u.forward(), u.backward());
    let other = Function::new("m", &grid).space_order(8).build()?;
    assert_ne!(other.expr(), m.expr());
    assert_eq!(u.forward().backward(), u.expr());
    assert_eq!(u.laplace().forward_by(2), u.laplace().shift(Dim::Time, 2));
    assert_eq!(Function::from_function(m.handle()), Some(m.clone()));
    assert_eq!(TimeFunction::from_function(m.handle()), None);
    Ok(())
}

#[test]
fn derivatives_take_the_least_order() -> Result<(), SymbolicError> {
    let (grid, _, u) = wave();
    let low = Function::new("low", &grid).space_order(4).build()?;
    let orders = |expr: Expr| match expr.node() {
        Node::Derivative(derivative) => derivative.order,
        _ => 0,
    };
    assert_eq!(orders(u.dx()), 8);
    assert_eq!(orders((&low * &u).dx2()), 4);
    Ok(())
}

#[test]
fn deep_and_wide_expressions_do_not_overflow() {
    let (_, m, _) = wave();
    let mut wide = m.expr();
    let mut deep = m.expr();
    for i in 0..10_000 {
        wide += &m;
        deep = if i % 2 == 0 { deep.sin() } else { deep * 2.0 + 1.0 };
    }
    assert_eq!(wide.accesses().len(), 10_001);
    assert_eq!(wide.forward(), wide);
    assert!(wide.check().is_ok() && wide.to_string().len() > 100_000);
    assert_eq!(deep.check().unwrap_err().code(), "expression::too_deep");
    assert_eq!(deep.forward().to_string() + &deep.T().dt2().to_string(), "……");
    assert_eq!(solve(&deep, &m).unwrap_err().code(), "expression::too_deep");
}

#[test]
fn data_live_as_long_as_a_handle() -> Result<(), SymbolicError> {
    struct Field(#[allow(dead_code)] Vec<f32>);
    let (_, m, u) = wave();
    let field = u.storage().get_or_init(|| Field(vec![0.0; 4]));
    assert!(std::sync::Arc::ptr_eq(&field, &u.storage().get_or_init(|| Field(Vec::new()))));
    assert!(m.storage().get::<Field>().is_none() && u.twin("w").storage().get::<Field>().is_none());
    assert!(u.storage().get_or_try_init(|| Err::<String, _>("no")).is_err());
    let watch = std::sync::Arc::downgrade(&field);
    let expr = u.forward() * 2.0;
    drop((field, u));
    assert!(watch.upgrade().is_some());
    drop(expr);
    assert!(watch.upgrade().is_none());
    Ok(())
}

#[test]
fn coordinates_come_in_many_forms() -> Result<(), SymbolicError> {
    let grid = Grid::new([8, 8]);
    let src = SparseTimeFunction::new("src", &grid).points(1).steps(5).coordinates([[1.0, 2.0]]).build()?;
    assert_eq!((src.points(), src.steps(), src.coordinates().to_vec()), (1, Some(5), vec![1.0, 2.0]));
    src.set_coordinates(vec![vec![3.0, 4.0]])?;
    let list = vec![[5.0, 6.0]];
    src.set_coordinates(&list[..])?;
    src.clone().set_coordinates(&list)?;
    assert_eq!(src.coordinates()[..], [5.0, 6.0]);
    let none = SparseFunction::new("none", &grid).points(0).interpolation(Linear).build()?;
    assert_eq!((none.points(), none.steps(), none.coordinates().to_vec()), (0, None, vec![]));
    let some = SparseFunction::new("some", &grid).coordinates([[0.5, 0.5], [1.5, 1.5]]).build()?;
    assert_eq!(some.points(), 2);
    Ok(())
}

#[test]
fn equations_know_their_parts_and_place() -> Result<(), SymbolicError> {
    let (grid, m, u) = wave();
    let src = SparseTimeFunction::new("src", &grid).points(2).steps(9).build()?;
    let injection = src.inject(u.forward(), &src * grid.dt().pow(2) / &m);
    injection.check()?;
    assert!(injection.location().file().ends_with("operators.rs"));
    assert_eq!(injection.functions(), [u.handle().clone(), m.handle().clone()]);
    assert_eq!(injection.sparse(), [src.handle().clone()]);
    let doubled = injection.map(|expr| expr * 2.0);
    assert!(
        matches!(doubled.kind(), EquationKind::Inject { value, .. } if value.to_string().starts_with("2*"))
    );
    Ok(())
}

#[test]
fn constants_change_for_all_handles() {
    let c = Constant::new("c", 1.0);
    let expr = &c * 2.0;
    c.clone().set(3.0);
    assert_eq!(expr.constants()[0].value(), 3.0);
}

#[test]
fn everything_can_cross_threads() {
    fn check<T: Send + Sync + Clone>() {}
    check::<Expr>();
    check::<Equation>();
    check::<Grid>();
    check::<(Constant, Function, TimeFunction, SparseFunction, SparseTimeFunction)>();
    check::<SymbolicError>();
}
