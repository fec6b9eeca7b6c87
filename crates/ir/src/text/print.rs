//! Printing of declarations and expressions.

use crate::{
    Access, Arena, Comparison, Compression, Decls, Derivative, Expr, ExprId, FieldKind, Region, ScalarKind,
    SparseId, TableId,
};
use std::fmt::Write;

/// The opening line and the declarations of a program.
pub(crate) fn header(d: &Decls) -> String {
    let mut s = format!("operator {} {} {{\n", d.name, d.dtype);
    for dim in &d.dims {
        let _ = writeln!(s, "  dim {} {} spacing {}", dim.name, dim.size, dim.spacing);
    }
    for scalar in &d.scalars {
        let kind = match scalar.kind {
            ScalarKind::Step => "step",
            ScalarKind::Constant => "constant",
        };
        let _ = writeln!(s, "  scalar {} {kind}", scalar.name);
    }
    for field in &d.fields {
        let _ = write!(s, "  field {} ", field.name);
        let _ = match &field.kind {
            FieldKind::Space => write!(s, "space"),
            FieldKind::Invariant => write!(s, "invariant"),
            FieldKind::Tile => write!(s, "tile"),
            FieldKind::Buffered { slots, in_place: false } => write!(s, "buffered {slots}"),
            FieldKind::Buffered { slots, in_place: true } => write!(s, "buffered {slots} in place"),
            FieldKind::Saved { steps, every } => write!(s, "saved {steps} every {every}"),
            FieldKind::Compressed { steps, every, codec } => {
                write!(s, "compressed {steps} every {every} {}", codec_text(*codec))
            }
            FieldKind::Ring { slots, every, of } => {
                write!(s, "ring {slots} every {every} of {}", d.field(*of).name)
            }
        };
        if field.dtype != d.dtype {
            let _ = write!(s, " {}", field.dtype);
        }
        let _ = write!(s, " halo {}", field.halo);
        if let Some(window) = &field.window {
            let _ = write!(s, " in {window}");
        }
        if field.tight {
            s.push_str(" tight");
        }
        if let Some(layout) = &field.layout {
            let turns = if layout.turns { " turns" } else { "" };
            let _ = write!(s, " alloc {} pad {}{turns}", tuple(&layout.alloc), tuple(&layout.pad));
        }
        if field.by_rows {
            s.push_str(" by rows");
        }
        s.push('\n');
    }
    for sparse in &d.sparse {
        let _ = write!(s, "  sparse {}", sparse.name);
        if sparse.dtype != d.dtype {
            let _ = write!(s, " {}", sparse.dtype);
        }
        let _ = write!(s, " points {}", sparse.points);
        if let Some(steps) = sparse.steps {
            let _ = write!(s, " steps {steps}");
        }
        s.push('\n');
    }
    for (i, table) in d.tables.iter().enumerate() {
        let at = half_text(d, TableId(i as u32));
        let moving = if table.moving { " moving" } else { "" };
        let planes = if table.planes { " planes" } else { "" };
        let _ = writeln!(
            s,
            "  table {} at {at} corners {}{moving}{planes}",
            d.sparse(table.sparse).name,
            table.corners
        );
    }
    s
}

/// `node`, or the dimensions in which the grid values lie half a spacing up: `x+y`.
fn half_text(d: &Decls, table: TableId) -> String {
    let halves = d.dims.iter().zip(d.table(table).half).filter(|(_, half)| *half);
    let names: Vec<&str> = halves.map(|(dim, _)| dim.name.as_str()).collect();
    if names.is_empty() { "node".into() } else { names.join("+") }
}

/// ` at x+y` after the name of sparse points, nothing at the nodes.
pub(crate) fn at_text(d: &Decls, table: TableId) -> String {
    if d.table(table).half == [false; 3] { String::new() } else { format!(" at {}", half_text(d, table)) }
}

/// `[2:10, 0:4]`, or `None` for the whole domain.
pub(crate) fn region_text(d: &Decls, region: &Region) -> Option<String> {
    let list = || {
        let ranges = region.from.iter().zip(region.to).take(d.rank());
        ranges.map(|(from, to)| format!("{from}:{to}")).collect::<Vec<_>>().join(", ")
    };
    (*region != Region::domain(&d.dims)).then(|| format!("[{}]", list()))
}

fn tuple(values: &[usize]) -> String {
    let list: Vec<String> = values.iter().map(|v| v.to_string()).collect();
    format!("({})", list.join(", "))
}

fn codec_text(codec: Compression) -> String {
    match codec {
        Compression::Noop => "noop".into(),
        Compression::Quantize { nbits } => format!("quantize {nbits}"),
        Compression::Wavelet { compscale } => format!("wavelet {compscale:e}"),
        Compression::Lapped { compscale } => format!("lapped {compscale:e}"),
        Compression::LappedSnr { snr } => format!("lapped_snr {snr}"),
    }
}

/// `t`, `t+1`, `t-1`: the current step with a shift.
pub(crate) fn time_text(shift: i32) -> String {
    shifted("t", shift)
}

fn shifted(name: &str, shift: i32) -> String {
    match shift {
        0 => name.to_string(),
        s if s > 0 => format!("{name}+{s}"),
        s => format!("{name}{s}"),
    }
}

/// `u[t+1, x, y-2]`
pub(crate) fn access_text(d: &Decls, a: &Access) -> String {
    let field = d.field(a.field);
    let mut parts = Vec::with_capacity(4);
    if field.is_time() {
        parts.push(time_text(a.time));
    }
    for (dim, offset) in d.dims.iter().zip(a.offsets) {
        parts.push(shifted(&dim.name, offset));
    }
    format!("{}[{}]", field.name, parts.join(", "))
}

/// `src[t, p]`, or `w[p]` for values without time.
pub(crate) fn sparse_text(d: &Decls, id: SparseId, time: i32) -> String {
    let s = d.sparse(id);
    match s.steps {
        Some(_) => format!("{}[{}, p]", s.name, time_text(time)),
        None => format!("{}[p]", s.name),
    }
}

/// `energy[t]`, or `total` for a value without time.
pub(crate) fn series_text(d: &Decls, id: SparseId) -> String {
    let s = d.sparse(id);
    if s.steps.is_some() { format!("{}[t]", s.name) } else { s.name.clone() }
}

const SUM: u8 = 1;
const PRODUCT: u8 = 2;
const POWER: u8 = 3;
const ATOM: u8 = 4;

/// An expression as text.
pub(crate) fn expression_text(d: &Decls, arena: &Arena, id: ExprId) -> String {
    let mut s = String::new();
    write_expression(&mut s, d, arena, id, 0);
    s
}

fn precedence(e: &Expr) -> u8 {
    match e {
        Expr::Sum(_) | Expr::Sub(..) => SUM,
        Expr::Product(_) | Expr::Div(..) => PRODUCT,
        Expr::Power(..) => POWER,
        _ => ATOM,
    }
}

fn write_expression(s: &mut String, d: &Decls, arena: &Arena, id: ExprId, outer: u8) {
    let e = &arena[id];
    let level = precedence(e);
    let parens = level <= outer;
    if parens {
        s.push('(');
    }
    let join = |s: &mut String, children: &[ExprId], between: &str| {
        for (i, c) in children.iter().enumerate() {
            if i > 0 {
                s.push_str(between);
            }
            write_expression(s, d, arena, *c, level);
        }
    };
    match e {
        Expr::Number(n) => {
            let _ = write!(s, "{}", number_text(n.value()));
        }
        Expr::Scalar(id) => s.push_str(&d.scalar(*id).name),
        Expr::Local(id) => {
            let _ = write!(s, "{id}");
        }
        Expr::Load(a) => s.push_str(&access_text(d, a)),
        Expr::Sparse(id, time) => s.push_str(&sparse_text(d, *id, *time)),
        Expr::Index(dim) => {
            let _ = write!(s, "index({})", d.dims[*dim as usize].name);
        }
        Expr::Step => s.push_str("index(t)"),
        Expr::Compare(op, a, b) => {
            let name = match op {
                Comparison::Less => "less",
                Comparison::LessOrEqual => "less_or_equal",
                Comparison::Equal => "equal",
            };
            write_call(s, d, arena, name, &[*a, *b]);
        }
        Expr::And(a, b) => write_call(s, d, arena, "and", &[*a, *b]),
        Expr::Or(a, b) => write_call(s, d, arena, "or", &[*a, *b]),
        Expr::Not(a) => write_call(s, d, arena, "not", &[*a]),
        Expr::Select(c, a, b) => write_call(s, d, arena, "select", &[*c, *a, *b]),
        Expr::Sum(c) => join(s, c, " + "),
        Expr::Product(c) => join(s, c, "*"),
        Expr::Sub(a, b) => join(s, &[*a, *b], " - "),
        Expr::Div(a, b) => join(s, &[*a, *b], "/"),
        Expr::Power(a, n) => {
            write_expression(s, d, arena, *a, level);
            let _ = write!(s, "^{n}");
        }
        Expr::Neg(a) => write_call(s, d, arena, "neg", &[*a]),
        Expr::Fma(a, b, c) => write_call(s, d, arena, "fma", &[*a, *b, *c]),
        Expr::Call(f, c) => write_call(s, d, arena, f.name(), c),
        Expr::Derivative(v) => {
            s.push_str("diff(");
            write_expression(s, d, arena, v.of, 0);
            stencil_text(s, d, v);
        }
    }
    if parens {
        s.push(')');
    }
}

fn write_call(s: &mut String, d: &Decls, arena: &Arena, name: &str, args: &[ExprId]) {
    s.push_str(name);
    s.push('(');
    for (i, a) in args.iter().enumerate() {
        if i > 0 {
            s.push_str(", ");
        }
        write_expression(s, d, arena, *a, 0);
    }
    s.push(')');
}

/// The shortest decimal that reads back as the same double.
fn number_text(v: f64) -> String {
    let plain = format!("{v}");
    let short = format!("{v:e}");
    if plain.len() <= short.len() + 2 { plain } else { short }
}

/// What follows the operand of a derivative: `, x, 1, order 4, centered, shift 1)`.
fn stencil_text(s: &mut String, d: &Decls, v: &Derivative) {
    let _ = write!(s, ", {}, {}, ", d.dims[v.dim as usize].name, v.degree);
    match &v.weights {
        Some(weights) => {
            let list: Vec<String> =
                weights.iter().map(|(k, w)| format!("{k}: {}", number_text(w.value()))).collect();
            let _ = write!(s, "weights ({})", list.join(", "));
        }
        None => {
            let _ = write!(s, "order {}, {}", v.order, v.side.name());
        }
    }
    if v.shift != 0 {
        let _ = write!(s, ", shift {}", v.shift);
    }
    s.push_str(if v.transpose { ", transposed)" } else { ")" });
}
