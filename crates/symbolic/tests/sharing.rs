//! Expressions built from themselves share their parts, and cost no more than those.

use wavefold_symbolic::prelude::*;

#[test]
fn shared_parts_are_walked_and_rebuilt_once() {
    let grid = Grid::new([4]);
    let u = TimeFunction::new("u", &grid).time_order(2).build().unwrap();
    let mut e = u.dt2();
    for _ in 0..60 {
        e = &e * &e + 1.0;
    }
    assert_eq!(e.depth(), 60 * 2 + 2);
    assert_eq!(e.functions().len(), 1);
    e.check().unwrap();
    let expanded = expand_time(&e);
    assert_eq!(expanded.functions().len(), 1);
    assert!(expanded.forward().depth() > 100);
}
