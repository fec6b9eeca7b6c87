//! Surfaces by images, and temporaries between the nodes.

use crate::{both, relative};
use ndarray::{Array2, s};
use wavefold::Result;
use wavefold::prelude::*;

/// Pressure and velocity under a free surface give what they give on twice the domain, where the pressure is odd and the
/// velocity across the surface even about its middle.
#[test]
fn staggered_waves_under_a_free_surface_are_half_of_an_odd_field() -> Result<()> {
    both(|backend| {
        for order in [2, 4, 8] {
            let (nx, nz, steps) = (12, 20, 15);
            let run = |mirror: bool| -> Result<(Data, Data)> {
                let whole = if mirror { nz } else { 2 * nz - 1 };
                let grid = Grid::new([nx, whole]).with_dtype(DType::F64);
                let p = TimeFunction::new("pressure", &grid).space_order(order).build()?;
                let vx = TimeFunction::new("vx", &grid).space_order(order).staggered(Dim::X).build()?;
                let vz = TimeFunction::new("vz", &grid).space_order(order).staggered(Dim::Y).build()?;
                let b = Function::new("b", &grid).space_order(order).build()?;
                let surface = if mirror { 0 } else { nz - 1 };
                let depth = move |i: &[usize]| i[1] as f64 - surface as f64;
                b.set_with(|i| 1.0 + 0.02 * depth(i).abs())?;
                b.extend_halo()?;
                p.set_with(|i| {
                    let d = depth(i);
                    let pulse = |at: f64| (-0.3 * (d - at).powi(2)).exp();
                    (0.5 * i[0] as f64).sin() * (pulse(4.0) - pulse(-4.0))
                })?;
                let step = [
                    eq(vx.forward(), &vx - 0.3 * &b * p.dx()),
                    eq(vz.forward(), &vz - 0.3 * &b * p.dy()),
                    eq(p.forward(), &p - 0.3 * (vx.forward().dx() + vz.forward().dy())),
                ];
                let even = [&vz];
                let step = if mirror {
                    step.iter().map(|e| mirrored_surface(e, Dim::Y, &grid, &even)).collect()
                } else {
                    step.to_vec()
                };
                Operator::new(step)?.apply().time_max(steps - 1).backend(backend).run()?;
                Ok((p.at(steps)?, vz.at(steps)?))
            };
            let (p, vz) = run(true)?;
            let (whole_p, whole_vz) = run(false)?;
            // What comes from the far edge of the domain has not arrived.
            let near = nz / 2;
            let below =
                |data: &Data| data.to_f64().slice(s![.., nz - 1..nz - 1 + near]).to_owned().into_dyn();
            let top = |data: &Data| -> Data {
                Array2::from_shape_fn((nx, near), |(i, j)| data.get(&[i, j]).unwrap_or(f64::NAN)).into()
            };
            let (e, f) = (relative(&top(&p), &below(&whole_p)), relative(&top(&vz), &below(&whole_vz)));
            assert!(e < 1e-12 && f < 1e-12, "{backend}, order {order}: off by {e:e} and {f:e}");
            assert_eq!(p.get(&[5, 0]), Some(0.0));
        }
        Ok(())
    })
}

/// A temporary lives where it says: used elsewhere it is averaged, and differentiated from where it lives, as a function
/// with memory is.
#[test]
fn temporaries_between_the_nodes_are_functions_without_memory() -> Result<()> {
    both(|backend| {
        let run = |temporary: bool| -> Result<(Data, Data)> {
            let grid = Grid::new([14, 11]).with_dtype(DType::F64);
            let u = TimeFunction::new("u", &grid).space_order(4).build()?;
            let v = TimeFunction::new("v", &grid).space_order(4).staggered(Dim::Y).build()?;
            u.set_with(|i| (0.4 * i[0] as f64).sin() + (0.3 * i[1] as f64).cos())?;
            let flux = Function::new("flux", &grid).space_order(4).staggered(Dim::X);
            let flux = if temporary { flux.temporary() } else { flux }.build()?;
            let inner = SubDomain::new("inner", &grid).middle(Dim::X, 4, 4).middle(Dim::Y, 4, 4);
            let op = Operator::new([
                eq(&flux, u.dx() * (1.0 + u.expr())),
                eq(u.forward(), &u + 0.1 * flux.dx()).on(&inner),
                eq(v.forward(), &flux * 2.0 + flux.dy()).on(&inner),
            ])?;
            assert_eq!(op.tree().contains("field flux"), !temporary);
            op.apply().time_max(3).backend(backend).run()?;
            Ok((u.at(4)?, v.at(4)?))
        };
        let ((u, v), (wanted_u, wanted_v)) = (run(true)?, run(false)?);
        let (e, f) = (relative(&u, &wanted_u.to_f64()), relative(&v, &wanted_v.to_f64()));
        assert!(e < 1e-13 && f < 1e-13, "{backend}: off by {e:e} and {f:e}");
        Ok(())
    })
}
