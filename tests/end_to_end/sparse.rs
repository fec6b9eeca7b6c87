//! Sources and receivers anywhere: on grid points, between them, at the edge, outside.

use crate::random::Random;
use crate::{both, relative};
use ndarray::ArrayD;
use wavefold::Result;
use wavefold::prelude::*;

const SHAPE: [usize; 2] = [7, 9];
const SPACING: [f64; 2] = [2.0, 0.5];
const ORIGIN: [f64; 2] = [-4.0, 10.0];

/// Positions in points of the grid, with whether the whole cell lies in the domain.
const POSITIONS: [([f64; 2], bool); 9] = [
    ([3.0, 4.0], true),
    ([2.25, 5.5], true),
    ([0.0, 0.0], true),
    ([6.0, 8.0], true),
    ([5.999, 7.25], true),
    ([-3.0, 2.0], false),
    ([2.0, 9.5], false),
    ([1e6, -1e6], false),
    ([0.5, 8.0], true),
];

fn grid() -> Grid {
    Grid::new(SHAPE).with_spacing(SPACING).with_origin(ORIGIN).with_dtype(DType::F64)
}

fn coordinates() -> Vec<Vec<f64>> {
    let place = |(at, _): &([f64; 2], bool)| (0..2).map(|d| ORIGIN[d] + at[d] * SPACING[d]).collect();
    POSITIONS.iter().map(place).collect()
}

/// The weights of a position on the points of the domain.
fn weights(position: [f64; 2]) -> ArrayD<f64> {
    ArrayD::from_shape_fn(SHAPE.to_vec(), |i| {
        (0..2).map(|d| (1.0 - (position[d] - i[d] as f64).abs()).max(0.0)).product::<f64>()
    })
}

#[test]
fn interpolation_everywhere() -> Result<()> {
    both(|backend| {
        let grid = grid();
        let f = Function::new("f", &grid).build()?;
        let values = Random::new(1).array(&SHAPE, 1.0, 2.0);
        f.set_data(values.clone())?;
        let rec = SparseFunction::new("rec", &grid).coordinates(coordinates()).build()?;
        rec.fill(0.0)?;
        let s = Operator::new([rec.interpolate(&f)])?.apply().backend(backend).run()?;
        assert_eq!(s.steps, 1);
        for ((position, inside), found) in POSITIONS.iter().zip(rec.data()?.iter()) {
            let wanted = (weights(*position) * &values).sum();
            assert!((found - wanted).abs() <= 1e-12, "{position:?}: {found}, not {wanted}");
            assert!(if *inside { found >= 0.99 } else { found == 0.0 }, "{position:?}: {found}");
        }
        Ok(())
    })
}

#[test]
fn injection_everywhere() -> Result<()> {
    both(|backend| {
        let grid = grid();
        let (f, m) = (Function::new("f", &grid).build()?, Function::new("m", &grid).build()?);
        let (start, scale) =
            (Random::new(2).array(&SHAPE, -1.0, 1.0), Random::new(3).array(&SHAPE, 1.0, 2.0));
        f.set_data(start.clone())?;
        m.set_data(scale.clone())?;
        let src = SparseFunction::new("src", &grid).coordinates(coordinates()).build()?;
        let amplitudes = Random::new(4).array(&[POSITIONS.len()], 1.0, 2.0);
        src.set_data(amplitudes.clone())?;
        let op = Operator::new([src.inject(&f, &src / &m)])?;
        let mut wanted = start;
        for threads in [1, 3] {
            op.apply().backend(backend).threads(threads).run()?;
            for ((position, _), amplitude) in POSITIONS.iter().zip(&amplitudes) {
                wanted = wanted + weights(*position) / &scale * *amplitude;
            }
            let error = relative(&f.data()?, &wanted);
            assert!(error <= 1e-12, "off by {error:e}");
        }
        Ok(())
    })
}

/// Many sources at one point add up in the same order at any number of threads.
#[test]
fn sources_at_the_same_point() -> Result<()> {
    both(|backend| {
        let grid = grid().with_dtype(DType::F32);
        let mut outcomes = Vec::new();
        for threads in [1, 2, 5] {
            let f = Function::new("f", &grid).build()?;
            let places: Vec<Vec<f64>> = (0..200).map(|i| vec![0.3 + 0.01 * f64::from(i % 3), 12.3]).collect();
            let src = SparseFunction::new("src", &grid).coordinates(places).build()?;
            src.set_data(Random::new(5).array(&[200], -1.0, 1.0))?;
            Operator::new([src.inject(&f, &src)])?.apply().backend(backend).threads(threads).run()?;
            outcomes.push(crate::bits(&f.data()?));
        }
        assert!(outcomes[0] == outcomes[1] && outcomes[0] == outcomes[2]);
        Ok(())
    })
}

/// Moved points take effect in the next run of an operator that is compiled already.
#[test]
fn points_can_be_moved_between_runs() -> Result<()> {
    both(|backend| {
        let grid = grid();
        let f = Function::new("f", &grid).build()?;
        let values = Random::new(6).array(&SHAPE, 1.0, 2.0);
        f.set_data(values.clone())?;
        let rec = SparseFunction::new("rec", &grid).coordinates([[ORIGIN[0], ORIGIN[1]]]).build()?;
        let op = Operator::new([rec.interpolate(&f)])?;
        for (x, y) in [(0, 0), (3, 2), (6, 8)] {
            rec.set_coordinates([[ORIGIN[0] + SPACING[0] * x as f64, ORIGIN[1] + SPACING[1] * y as f64]])?;
            op.apply().backend(backend).run()?;
            assert_eq!(rec.data()?.get(&[0]), Some(values[[x, y]]));
        }
        Ok(())
    })
}

/// No points at all are legal.
#[test]
fn no_points() -> Result<()> {
    both(|backend| {
        let grid = grid();
        let u = TimeFunction::new("u", &grid).build()?;
        let none = |name: &str| SparseTimeFunction::new(name, &grid).points(0).steps(3).build();
        let (src, rec) = (none("src")?, none("rec")?);
        let equations = [eq(u.forward(), &u + 1.0), src.inject(u.forward(), &src), rec.interpolate(&u)];
        let s = Operator::new(equations)?.apply().backend(backend).run()?;
        assert_eq!((s.time_m, s.time_max), (0, 1));
        assert_eq!(u.at(2)?.max(), 2.0);
        assert_eq!(rec.data()?.shape(), [3, 0]);
        Ok(())
    })
}
