//! The passes of the compiler: from the equations of the user down to the tree that backends print.
//!
//! [`compile`] is the whole pipeline, readable on one screen in `pipeline.rs`. Every pass is one free function in
//! a file named by its verb, from a program of one level to a program of the same or the next level.

mod clusters;
mod compress;
mod contract;
mod cse;
mod discretize;
mod divide;
mod error;
mod factorize;
mod front;
mod fuse;
mod hoist;
mod in_place;
mod invariants;
mod jam;
mod join;
mod layout;
mod legality;
mod lower;
mod machine;
mod nests;
mod parts;
mod pipeline;
mod planes;
mod prefetch;
mod rows;
mod schedule;
mod sink;
mod specialisation;
mod stages;
mod stream;
mod temporaries;

pub use clusters::clusters;
pub use compress::compress;
pub use contract::contract;
pub use cse::cse;
pub use discretize::discretize;
pub use divide::divide;
pub use error::{CompileError, Result};
pub use factorize::factorize;
pub use front::front;
pub use fuse::fuse;
pub use hoist::hoist;
pub use in_place::in_place;
pub use invariants::invariants;
pub use jam::jam;
pub use join::join;
pub use layout::layout;
pub use legality::{direction, legality, sizes};
pub use lower::{Bindings, Lowered, lower};
pub use machine::Machine;
pub use parts::parts;
pub use pipeline::{Compiled, FieldUse, Stage, compile, reference};
pub use prefetch::prefetch;
pub use rows::rows;
pub use schedule::schedule;
pub use sink::sink;
pub use specialisation::Specialisation;
pub use stream::stream;
pub use temporaries::temporaries;
