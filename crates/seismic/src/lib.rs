//! What a seismic run needs around its equations: wavelets, absorbing layers, stable time steps, velocity
//! models, shots, and a picture of the result.
//!
//! Nothing here knows a compiler or a runtime: plain arrays go in and come out. Two conventions hold throughout.
//!
//! * **Axes.** Arrays are row-major `x, z` or `x, y, z`: depth is the last axis, contiguous, increasing downwards.
//! * **Units.** Lengths are metres. Velocity times time must be a length, so velocities in km/s go with times in
//!   milliseconds and frequencies in kHz (a 10 Hz wavelet has `f0 = 0.010`), and velocities in m/s go with
//!   seconds and Hz.
//!
//! ```
//! use wavefold_seismic::{cfl_dt, damping, layered_salt, pad, Shot, Spread};
//!
//! let (shape, spacing, nbl) = ([101, 61], [10.0, 10.0], 20);
//! let velocity = layered_salt(&shape, &spacing); // km/s
//! let vmax = f64::from(velocity.iter().copied().fold(0.0, f32::max));
//! let padded = pad(&velocity, nbl);
//! let damp = damping(padded.shape(), &spacing, nbl, vmax);
//! let dt = cfl_dt(&spacing, vmax, 8, 0.9); // ms
//! let shot = Shot::surface(&shape, &spacing, &[0.0, 0.0], &Spread::default())?.with_ricker(0.010, dt, 300);
//! assert_eq!(damp.shape(), &[141, 101]);
//! assert_eq!(shot.receivers.len(), 101);
//! # Ok::<(), wavefold_seismic::ShotError>(())
//! ```

mod columns;
pub mod equations;
mod error;
mod load;
mod model;
mod npy;
pub mod picture;
mod shot;
mod sponge;
mod stability;
mod unit;
mod wavelet;

pub use error::ModelError;
pub use load::{load_model, save_npy};
pub use model::{layered_salt, smooth, smooth_slowness};
pub use npy::{NpyArray, NpyError};
pub use picture::{PictureError, Section, field_picture, gradient_picture};
pub use shot::{Shot, ShotError, Spread};
pub use sponge::{Side, Sponge, damping, pad, unpad};
pub use stability::{cfl_dt, second_derivative_weights};
pub use unit::{VelocityUnit, to_km_per_s, velocity_unit};
pub use wavelet::{gaussian_derivative, ricker};
