//! Results on standard output.

use std::io::Write;

use serde::Serialize;

use crate::error::{CliError, Result};

/// A result that prints as a table.
pub trait Table: Serialize {
    /// Labels and values, in order.
    fn rows(&self) -> Vec<(&'static str, String)>;
}

/// Prints one JSON object, or a table with aligned values. Numbers that JSON cannot write (NaN, infinity) are null.
pub fn print(result: &impl Table, json: bool) -> Result<()> {
    if json {
        return object(result);
    }
    let rows = result.rows();
    let width = rows.iter().map(|(label, _)| label.chars().count()).max().unwrap_or(0);
    let lines: Vec<String> = rows.iter().map(|(label, value)| format!("{label:<width$}  {value}")).collect();
    line(&lines.join("\n"))
}

/// Prints one JSON object.
pub fn object(result: &impl Serialize) -> Result<()> {
    line(&serde_json::to_string(result).map_err(|e| CliError::Output(e.to_string()))?)
}

/// Prints lines of text.
pub fn line(text: &str) -> Result<()> {
    raw(format!("{text}\n").as_bytes())
}

/// Prints bytes.
pub fn raw(bytes: &[u8]) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        // Whoever reads the output has seen enough of it.
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(|e| CliError::Output(e.to_string())),
    }
}

/// A time in the unit that suits it.
pub fn seconds(value: f64) -> String {
    if value >= 1.0 {
        format!("{value:.3} s")
    } else if value >= 1e-3 {
        format!("{:.2} ms", value * 1e3)
    } else {
        format!("{:.1} us", value * 1e6)
    }
}

/// Bytes in decimal units, as all rates are given.
pub fn bytes(value: u64) -> String {
    let v = value as f64;
    match v {
        _ if v >= 1e9 => format!("{:.3} GB", v / 1e9),
        _ if v >= 1e6 => format!("{:.2} MB", v / 1e6),
        _ if v >= 1e3 => format!("{:.1} kB", v / 1e3),
        _ => format!("{value} B"),
    }
}

/// The middle value, or the mean of the two middle ones; NaN of nothing.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[middle],
        _ => 0.5 * (values[middle - 1] + values[middle]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median([]).is_nan());
    }

    #[test]
    fn units() {
        assert_eq!(seconds(0.0123), "12.30 ms");
        assert_eq!(seconds(2.0), "2.000 s");
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(2_500_000), "2.50 MB");
    }
}
