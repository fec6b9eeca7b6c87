//! Sparse points: none, on corners and edges, outside, many on one point.

use crate::{backends, grid, time};
use wavefold::prelude::*;

/// Injects 1 into a field of zeros once, and returns the field and what the points then read.
fn inject_and_read(g: &Grid, at: &[[f64; 2]], backend: Backend, threads: usize) -> (Data, Data) {
    let u = time("u", g);
    let src = SparseTimeFunction::new("src", g).steps(2).coordinates(at).build().unwrap();
    let rec = SparseTimeFunction::new("rec", g).steps(2).coordinates(at).build().unwrap();
    src.fill(1.0).unwrap();
    rec.fill(9.0).unwrap();
    let op = Operator::new([eq(u.forward(), &u + 0.0), src.inject(u.forward(), &src), rec.interpolate(&u)])
        .unwrap();
    op.apply().time_min(0).time_max(1).backend(backend).threads(threads).run().unwrap();
    // After step 0 the field holds one injection; step 1 reads it.
    let once = time("once", g);
    let op = Operator::new([src.inject(once.forward(), &src)]).unwrap();
    op.apply().time_min(0).time_max(0).backend(backend).threads(threads).run().unwrap();
    (once.at(1).unwrap(), rec.data().unwrap().level(1).unwrap())
}

/// The same with plain loops.
fn reference(at: &[[f64; 2]]) -> (Vec<f64>, Vec<f64>) {
    let (nx, ny) = (4, 5);
    let mut u = vec![0.0; nx * ny];
    let corners = |p: &[f64; 2]| {
        let inside = p[0] >= 0.0 && p[0] <= 3.0 && p[1] >= 0.0 && p[1] <= 4.0;
        let mut list = vec![];
        for i in 0..nx {
            for j in 0..ny {
                let w = (1.0 - (p[0] - i as f64).abs()).max(0.0) * (1.0 - (p[1] - j as f64).abs()).max(0.0);
                if inside && w > 0.0 {
                    list.push((i * ny + j, w));
                }
            }
        }
        list
    };
    at.iter().flat_map(corners).for_each(|(i, w)| u[i] += w);
    let read = at.iter().map(|p| corners(p).into_iter().map(|(i, w)| w * u[i]).sum()).collect();
    (u, read)
}

#[test]
fn points_anywhere() {
    let at = [
        [0.0, 0.0],
        [3.0, 4.0],
        [0.0, 4.0],
        [3.0, 0.0],
        [1.25, 2.5],
        [3.0, 1.5],
        [0.5, 0.0],
        [2.999999, 3.999999],
        [-0.5, 2.0],
        [3.5, 2.0],
        [1.0, -1e-3],
        [1.0, 4.001],
        [1e300, -1e300],
        [f64::MAX, f64::MIN],
        [1.25, 2.5],
        [1.25, 2.5],
    ];
    let (field, read) = reference(&at);
    for (backend, threads) in backends().into_iter().flat_map(|b| [(b, 1), (b, 3)]) {
        let (u, rec) = inject_and_read(&grid(), &at, backend, threads);
        for (a, b) in u.iter().zip(&field).chain(rec.iter().zip(&read)) {
            assert!((a - b).abs() < 1e-5, "{backend}: {a}, not {b}");
        }
        assert_eq!(u.len(), field.len());
        assert_eq!(rec.len(), read.len());
    }
}

#[test]
fn no_points_at_all() {
    for backend in backends() {
        let (u, rec) = inject_and_read(&grid(), &[], backend, 2);
        assert_eq!((u.max(), rec.len()), (0.0, 0));
    }
}

#[test]
fn all_points_outside() {
    for backend in backends() {
        let (u, rec) = inject_and_read(&grid(), &[[-7.0, 1.0], [1.0, 400.0]], backend, 2);
        assert_eq!((u.max(), u.min()), (0.0, 0.0));
        assert!(rec.iter().all(|v| v == 0.0), "{rec}");
    }
}

#[test]
fn points_on_a_grid_of_one_point() {
    for backend in backends() {
        let g = Grid::new([1, 1]).with_origin([10.0, -10.0]);
        let (u, rec) = inject_and_read(&g, &[[10.0, -10.0], [10.5, -10.0]], backend, 1);
        assert_eq!(u.to_f64().into_raw_vec_and_offset().0, [1.0]);
        assert_eq!(rec.to_f64().into_raw_vec_and_offset().0, [1.0, 0.0]);
    }
}

#[test]
fn tiny_and_huge_spacing() {
    for h in [1e-300, 1e-30, 1e30, 1e300] {
        let g = Grid::new([4, 5]).with_spacing(h);
        let (u, rec) = inject_and_read(&g, &[[1.5 * h, 2.0 * h]], Backend::Cranelift, 1);
        assert_eq!((u.get(&[1, 2]), u.get(&[2, 2]), rec.get(&[0])), (Some(0.5), Some(0.5), Some(0.5)), "{h}");
    }
}

/// Values of any size go where they are sent, and nowhere else.
#[test]
fn a_huge_source_outside_the_domain_changes_nothing() {
    for (backend, huge) in
        backends().into_iter().flat_map(|b| [f32::MAX, f32::INFINITY, f32::NAN].map(|v| (b, v)))
    {
        let u = time("u", &grid());
        let src = SparseTimeFunction::new("src", &grid())
            .steps(1)
            .coordinates([[-5.0, 0.0], [1.0, 1.0]])
            .build()
            .unwrap();
        src.set_data(vec![huge, 2.0]).unwrap();
        let op = Operator::new([eq(u.forward(), &u + 0.0), src.inject(u.forward(), &src)]).unwrap();
        op.apply().time_min(0).time_max(0).backend(backend).run().unwrap();
        let u = u.at(1).unwrap();
        assert!(u.iter().all(f64::is_finite), "{backend}\n{u}");
        assert_eq!(u.get(&[1, 1]), Some(2.0));
    }
}

#[test]
fn sparse_functions_without_time() {
    for backend in backends() {
        let u = Function::new("u", &grid()).build().unwrap();
        let amplitude =
            SparseFunction::new("amplitude", &grid()).coordinates([[3.0, 4.0], [9.0, 9.0]]).build().unwrap();
        let read = SparseFunction::new("read", &grid()).coordinates([[3.0, 3.5]]).build().unwrap();
        amplitude.set_data(vec![4.0_f32, 8.0]).unwrap();
        let op = Operator::new([amplitude.inject(&u, &amplitude), read.interpolate(&u)]).unwrap();
        op.apply().backend(backend).run().unwrap();
        assert_eq!((u.data().unwrap().get(&[3, 4]), read.data().unwrap().get(&[0])), (Some(4.0), Some(2.0)));
    }
}
