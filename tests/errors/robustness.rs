//! Programs at the edge of what is allowed: nothing may panic, abort, hang, or compute wrong values.

mod agreement;
mod extremes;
mod shapes;
mod sharing;
mod sources;
