//! Programs that every backend must run like the interpreter, bit by bit.

mod common;

#[path = "../../../tests/support/numbers.rs"]
mod numbers;
#[path = "../../../tests/support/regions.rs"]
mod regions;
#[path = "../../../tests/support/rows.rs"]
mod rows;
