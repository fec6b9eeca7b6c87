//! Wave equations of exploration seismology, ready to be put into an operator.

use wavefold_symbolic::prelude::*;
use wavefold_symbolic::{IntoExpr, Result};

/// Direction of the symmetry axis of a tilted transversely isotropic medium: the tilt from the vertical, the last
/// dimension of the grid, and in three dimensions the azimuth of the tilt, from the first dimension, both in radians.
#[derive(Clone, Debug)]
pub struct Axis {
    /// Tilt.
    pub theta: Expr,
    /// Azimuth; not used in two dimensions.
    pub phi: Option<Expr>,
}

impl Axis {
    /// The components of the unit vector along the axis, one for each dimension of a grid.
    fn components(&self, rank: usize) -> Vec<Expr> {
        let (sin, cos) = (self.theta.sin(), self.theta.cos());
        match (rank, &self.phi) {
            (3, Some(phi)) => vec![&sin * phi.cos(), &sin * phi.sin(), cos],
            (3, None) => vec![sin, Expr::number(0.0), cos],
            (2, _) => vec![sin, cos],
            _ => vec![cos],
        }
    }

    /// The second derivative of `u` along the axis, `-Gᵀ G u` with `G` the first derivative along it, taken halfway between
    /// the points with half the space order (Zhang, Zhang and Zhang, 2011). It is symmetric: its own adjoint.
    ///
    /// The angles are read in the halo as well.
    #[must_use]
    pub fn second_derivative(&self, u: &Expr, rank: usize, order: u32) -> Expr {
        let order = (order / 2).max(2);
        let axis = self.components(rank);
        let dims = || (0..rank).map(Dim::Space);
        let up = |dim: Dim| u.diff(dim).order(order).x0(0.5).expr();
        let along = Expr::sum(dims().zip(&axis).map(|(dim, component)| component * up(dim)));
        let down = |dim: Dim, component: &Expr| (component * &along).diff(dim).order(order).x0(-0.5).expr();
        Expr::sum(dims().zip(&axis).map(|(dim, component)| down(dim, component)))
    }
}

/// A tilted transversely isotropic medium for pseudo-acoustic waves: squared slowness along the axis, Thomsen's (1986)
/// parameters, the axis, and the damping of absorbing layers.
#[derive(Clone, Debug)]
pub struct Tti {
    /// Squared slowness along the axis.
    pub m: Expr,
    /// Thomsen's epsilon.
    pub epsilon: Expr,
    /// Thomsen's delta.
    pub delta: Expr,
    /// The symmetry axis.
    pub axis: Axis,
    /// Damping; 0 for none.
    pub damp: Expr,
}

impl Tti {
    /// The update of the two fields of a forward run (Zhang, Zhang and Zhang, 2011, equation 9):
    /// `m p_tt = (1 + 2 epsilon) H p + sqrt(1 + 2 delta) V q`, `m q_tt = sqrt(1 + 2 delta) H p + V q`, with `V` the second
    /// derivative along the axis and `H` the rest of the Laplacian.
    ///
    /// # Errors
    /// None for fields of time order 2.
    pub fn forward(&self, p: &TimeFunction, q: &TimeFunction) -> Result<[Equation; 2]> {
        let (along, across) = (|u: &Expr| self.along(u, p), |u: &Expr| u.laplace() - self.along(u, p));
        let (ep, eq_) = (p.expr(), q.expr());
        let (normal, moveout) = (self.normal(), self.moveout());
        let p_force = normal * across(&ep) + &moveout * along(&eq_);
        let q_force = &moveout * across(&ep) + along(&eq_);
        Ok([self.step(p, p_force, true)?, self.step(q, q_force, true)?])
    }

    /// The update of the two fields of the adjoint run: the transpose of [`forward`](Tti::forward), backwards in time.
    ///
    /// # Errors
    /// None for fields of time order 2.
    pub fn adjoint(&self, p: &TimeFunction, q: &TimeFunction) -> Result<[Equation; 2]> {
        let (along, across) = (|u: &Expr| self.along(u, p), |u: &Expr| u.laplace() - self.along(u, p));
        let (normal, moveout) = (self.normal(), self.moveout());
        let p_force = across(&(normal * p + &moveout * q));
        let q_force = along(&(&moveout * p + q));
        Ok([self.step(p, p_force, false)?, self.step(q, q_force, false)?])
    }

    fn along(&self, u: &Expr, like: &TimeFunction) -> Expr {
        self.axis.second_derivative(u, like.grid().rank(), like.space_order())
    }

    fn normal(&self) -> Expr {
        1.0 + 2.0 * &self.epsilon
    }

    fn moveout(&self) -> Expr {
        (1.0 + 2.0 * &self.delta).sqrt()
    }

    fn step(&self, u: &TimeFunction, force: Expr, forward: bool) -> Result<Equation> {
        let (damping, next) = if forward { (u.dt(), u.forward()) } else { (u.dt().T(), u.backward()) };
        let update = solve(&self.m * u.dt2() + &self.damp * damping - force, &next)?;
        Ok(eq(next, update))
    }
}

/// An isotropic elastic medium: Lamé's parameters, the inverse of density, and a factor below 1 in absorbing layers.
#[derive(Clone, Debug)]
pub struct Elastic {
    /// Lamé's first parameter.
    pub lambda: Expr,
    /// Shear modulus.
    pub mu: Expr,
    /// Inverse of the density.
    pub buoyancy: Expr,
    /// What each step multiplies velocity and stress with; 1 for no absorption.
    pub taper: Expr,
}

impl Elastic {
    /// The update of velocity, and of stress from the new velocity (Virieux, 1986; Levander, 1988).
    #[must_use]
    pub fn forward(&self, v: &VectorTimeFunction, stress: &TensorTimeFunction) -> [Equation; 2] {
        let rank = v.components().len();
        let dt = v.components().first().map_or_else(|| Expr::number(0.0), |f| f.grid().dt());
        let strain = grad(v.forward());
        let rate = diag(rank, &self.lambda * div(v.forward())) + &self.mu * (&strain + strain.transpose());
        [
            eq(v.forward(), &self.taper * (v + &dt * (&self.buoyancy * div(stress)))),
            eq(stress.forward(), &self.taper * (stress + &dt * rate)),
        ]
    }
}
