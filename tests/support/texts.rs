//! Pieces of tree programs as text.
#![allow(dead_code)]

/// A field with room for vectors: `halo` points on both sides, rows of 16 more.
pub fn field(name: &str, kind: &str, halo: usize, sizes: &[usize]) -> String {
    let last = sizes.len() - 1;
    let alloc: Vec<String> = sizes
        .iter()
        .enumerate()
        .map(|(d, n)| if d == last { (n + 2 * 16).next_multiple_of(16) } else { n + 2 * halo }.to_string())
        .collect();
    let pad: Vec<String> = (0..sizes.len()).map(|d| if d == last { 16 } else { halo }.to_string()).collect();
    format!("  field {name} {kind} halo {halo} alloc ({}) pad ({})\n", alloc.join(", "), pad.join(", "))
}

/// The head of a program and its dimensions.
pub fn head(dtype: &str, sizes: &[usize]) -> String {
    let names = ["x", "y", "z"];
    let dims = sizes.iter().enumerate().map(|(d, n)| format!("  dim {} {n} spacing 10\n", names[d]));
    format!("operator op {dtype} {{\n{}", dims.collect::<String>())
}

/// A field of the user's memory, on a box of the domain: rows begin anywhere.
pub fn tight(name: &str, kind: &str, halo: usize, window: &[(usize, usize)]) -> String {
    let alloc: Vec<String> = window.iter().map(|(from, to)| (to - from + 2 * halo).to_string()).collect();
    let pad = vec![halo.to_string(); window.len()].join(", ");
    let (on, alloc) = (ranges(window), alloc.join(", "));
    format!("  field {name} {kind} halo {halo} in [{on}] tight alloc ({alloc}) pad ({pad})\n")
}

/// A field on a box of the domain, with aligned rows.
pub fn windowed(name: &str, kind: &str, halo: usize, window: &[(usize, usize)]) -> String {
    let sizes: Vec<usize> = window.iter().map(|(from, to)| to - from).collect();
    let on = format!("halo {halo} in [{}] alloc", ranges(window));
    field(name, kind, halo, &sizes).replace(&format!("halo {halo} alloc"), &on)
}

fn ranges(window: &[(usize, usize)]) -> String {
    let list: Vec<String> = window.iter().map(|(from, to)| format!("{from}:{to}")).collect();
    list.join(", ")
}
