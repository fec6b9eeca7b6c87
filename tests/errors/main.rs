//! Wrong programs and their messages, one test each, and programs at the edge of what is allowed.
//!
//! A message is what `{:?}` of [`wavefold::Error`] prints: code, text, help. The golden ones lie in `snapshots`;
//! `INSTA_UPDATE=always` writes them anew.

mod apply;
mod data;
mod declarations;
mod equations;
mod operators;
mod robustness;
mod solving;
mod stores;
mod text;

use wavefold::prelude::*;
use wavefold::{Error, Result};

/// Compares the message of a refused program with the golden one, which is named after the test.
macro_rules! golden {
    ($refused:expr) => {
        $crate::settings().bind(|| insta::assert_snapshot!($crate::message($refused)))
    };
}
pub(crate) use golden;

fn settings() -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/errors/snapshots"));
    settings.set_omit_expression(true);
    settings
}

/// What the user sees of an error, without the line of the test.
fn message<T, E: Into<Error>>(refused: Result<T, E>) -> String {
    match refused {
        Ok(_) => panic!("the program was not refused"),
        Err(e) => without_lines(&format!("{:?}", e.into())),
    }
}

/// Replaces `any/folder/name.rs:12` by `name.rs:LINE`.
fn without_lines(text: &str) -> String {
    let mut parts = text.split(".rs:");
    let mut out = String::new();
    let mut left = parts.next().unwrap_or_default();
    for right in parts {
        let place = left.rfind(['(', ' ', '`']).map_or(0, |i| i + 1);
        let name = left[place..].rfind('/').map_or(place, |i| place + i + 1);
        out += &left[..place];
        out += &left[name..];
        out += ".rs:LINE";
        left = right.trim_start_matches(|c: char| c.is_ascii_digit() || c == ':');
    }
    out + left
}

/// The backends of this machine: C where a compiler answers, and Cranelift.
fn backends() -> Vec<Backend> {
    match Backend::Auto.resolve() {
        Backend::C => vec![Backend::C, Backend::Cranelift],
        _ => vec![Backend::Cranelift],
    }
}

const CODECS: [Compression; 5] = [
    Noop,
    Quantize { nbits: 9 },
    Wavelet { compscale: 1e-3 },
    Lapped { compscale: 1e-3 },
    LappedSnr { snr: 60.0 },
];

fn grid() -> Grid {
    Grid::new([4, 5])
}

fn time(name: &str, grid: &Grid) -> TimeFunction {
    TimeFunction::new(name, grid).build().unwrap()
}

fn saved(name: &str, grid: &Grid, snapshots: usize) -> TimeFunction {
    TimeFunction::new(name, grid).save(snapshots).build().unwrap()
}

fn compressed(name: &str, grid: &Grid, snapshots: usize) -> TimeFunction {
    TimeFunction::new(name, grid).save(snapshots).compression(Noop).build().unwrap()
}

/// The operator of the first program of the documentation: it counts, and saves what it counts.
fn counting(u: &TimeFunction, usave: &TimeFunction) -> Operator {
    Operator::new([eq(u.forward(), u + 1.0), eq(usave, u)]).unwrap()
}

/// A compressed function whose snapshots `first..=last` of `snapshots` were written, each with its number.
fn written(snapshots: usize, first: usize, last: usize) -> TimeFunction {
    let g = grid();
    let (u, usave) = (time("u", &g), compressed("usave", &g, snapshots));
    for level in 0..2 {
        u.set_at(level, Data::from_vec(&[4, 5], vec![first as f32; 20]).unwrap()).unwrap();
    }
    counting(&u, &usave).apply().time_min(first).time_max(last).backend(Backend::Cranelift).run().unwrap();
    usave
}
