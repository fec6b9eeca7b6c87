//! The textual form shared by all levels: tokens, declarations, expressions.
//!
//! ```text
//! operator op0 f32 {
//!   dim x 4 spacing 1
//!   scalar dt step
//!   field u buffered 2 halo 2
//!   sparse src points 1 steps 100
//!   ...statements of the level...
//! }
//! ```
//!
//! Expressions print with the least parentheses that keep the tree: `a + b + c` is one n-ary sum, a sum within
//! a sum is parenthesised. So `parse(print(p))` gives back `p`, node by node.

mod decls;
mod lex;
mod parse;
mod print;

pub(crate) use decls::in_place;
pub(crate) use lex::Cursor;
pub use lex::ParseError;
pub(crate) use parse::{
    access, expression, local, parse_program, range, region, series, shifted, sparse_index, table_at,
};
pub(crate) use print::{
    access_text, at_text, expression_text, header, region_text, series_text, sparse_text, time_text,
};
