//! Expressions as C.

use crate::names::Names;
use std::cell::{Cell, RefCell};
use std::fmt::Write;
use std::ops::Range;
use wavefold_ir::{
    Access, Arena, Comparison, DType, Decls, Expr, ExprId, FieldId, FieldKind, Func, LocalId, ScalarId,
    SparseId, TableId,
};

/// In which type an expression is computed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Precision {
    /// The type of the program: everything in loops.
    Program,
    /// Double: the values computed once.
    Double,
}

/// Prints expressions of one program.
pub(super) struct Printer<'a> {
    pub(super) decls: &'a Decls,
    pub(super) exprs: &'a Arena,
    pub(super) names: &'a Names,
    /// The expression of the slot for a field at a time shift, such as `t1`.
    pub(super) slot: &'a dyn Fn(FieldId, i32) -> Option<String>,
    /// The dimensions that the loops around have cut into tiles.
    pub(super) tiled: Cell<[bool; 3]>,
    /// Fields, at a slot, whose rows are found from a pointer to the current one, and its name.
    pub(super) rows: RefCell<Vec<(Level, String)>>,
}

/// A field and the name of its slot.
pub(super) type Level = (FieldId, Option<String>);

const SELECT: u8 = 1;
const OR: u8 = 2;
const AND: u8 = 3;
const COMPARISON: u8 = 4;
const SUM: u8 = 5;
const PRODUCT: u8 = 6;
const UNARY: u8 = 7;
const ATOM: u8 = 8;

fn precedence(e: &Expr) -> u8 {
    match e {
        Expr::Select(..) => SELECT,
        Expr::Or(..) => OR,
        Expr::And(..) => AND,
        Expr::Compare(..) => COMPARISON,
        Expr::Sum(_) | Expr::Sub(..) => SUM,
        Expr::Product(_) | Expr::Div(..) => PRODUCT,
        Expr::Neg(_) | Expr::Not(_) | Expr::Index(_) | Expr::Step => UNARY,
        Expr::Number(n) if n.value().is_sign_negative() => UNARY,
        _ => ATOM,
    }
}

impl Printer<'_> {
    fn single(&self, precision: Precision) -> bool {
        self.decls.dtype == DType::F32 && precision == Precision::Program
    }

    /// The name of the type of the program.
    pub(super) fn real(&self) -> &'static str {
        self.type_of(Precision::Program)
    }

    fn type_of(&self, precision: Precision) -> &'static str {
        if self.single(precision) { "float" } else { "double" }
    }

    /// What turns a value in memory into one to compute with: nothing when it is one.
    pub(super) fn conversion(&self, dtype: DType, precision: Precision) -> &'static str {
        match (dtype == DType::F32, self.single(precision)) {
            (true, false) => "(double)",
            (false, true) => "(float)",
            _ => "",
        }
    }

    pub(super) fn expression(&self, id: ExprId, precision: Precision) -> String {
        let mut out = String::new();
        self.write(&mut out, id, precision, 0);
        out
    }

    /// Writes `id`; parentheses keep it apart from operators that bind as strongly as `outer`.
    fn write(&self, out: &mut String, id: ExprId, precision: Precision, outer: u8) {
        let e = &self.exprs[id];
        let level = precedence(e);
        let parens = level <= outer;
        if parens {
            out.push('(');
        }
        let join = |out: &mut String, operands: &[ExprId], between: &str| {
            for (i, operand) in operands.iter().enumerate() {
                if i > 0 {
                    out.push_str(between);
                }
                self.write(out, *operand, precision, level);
            }
        };
        match e {
            Expr::Number(n) => out.push_str(&number(n.value(), self.single(precision))),
            Expr::Scalar(s) => out.push_str(&self.scalar(*s, precision)),
            Expr::Local(l) => out.push_str(&self.local(*l, precision)),
            Expr::Load(a) => {
                out.push_str(self.conversion(self.decls.field(a.field).dtype, precision));
                out.push_str(&self.access(a));
            }
            Expr::Sparse(s, time) => {
                out.push_str(self.conversion(self.decls.sparse(*s).dtype, precision));
                out.push_str(&self.sparse(*s, *time));
            }
            Expr::Index(dim) => {
                let _ = write!(out, "({}){}", self.type_of(precision), self.decls.dims[*dim as usize].name);
            }
            Expr::Step => {
                let _ = write!(out, "({})t", self.type_of(precision));
            }
            Expr::Compare(op, a, b) => join(
                out,
                &[*a, *b],
                match op {
                    Comparison::Less => " < ",
                    Comparison::LessOrEqual => " <= ",
                    Comparison::Equal => " == ",
                },
            ),
            Expr::And(a, b) => join(out, &[*a, *b], " && "),
            Expr::Or(a, b) => join(out, &[*a, *b], " || "),
            Expr::Not(a) => {
                out.push('!');
                self.write(out, *a, precision, level);
            }
            Expr::Select(c, a, b) => {
                self.write(out, *c, precision, level);
                out.push_str(" ? ");
                self.write(out, *a, precision, level);
                out.push_str(" : ");
                self.write(out, *b, precision, level);
            }
            Expr::Sum(c) => join(out, c, " + "),
            Expr::Product(c) => join(out, c, "*"),
            Expr::Sub(a, b) => join(out, &[*a, *b], " - "),
            Expr::Div(a, b) => join(out, &[*a, *b], "/"),
            Expr::Neg(a) => {
                out.push('-');
                self.write(out, *a, precision, level);
            }
            Expr::Fma(a, b, c) => self.call(out, "fma", &[*a, *b, *c], precision),
            Expr::Call(f, c) => self.call(out, function(*f), c, precision),
            // T3: they do not occur at this level.
            Expr::Power(..) | Expr::Derivative(_) => out.push_str("NAN"),
        }
        if parens {
            out.push(')');
        }
    }

    fn call(&self, out: &mut String, name: &str, arguments: &[ExprId], precision: Precision) {
        let _ = write!(out, "{name}{}(", if self.single(precision) { "f" } else { "" });
        for (i, a) in arguments.iter().enumerate() {
            if i > 0 {
                out.push_str(", ");
            }
            self.write(out, *a, precision, 0);
        }
        out.push(')');
    }

    /// Values computed once have a second, double name in single-precision programs.
    fn precise(&self, name: &str, precision: Precision) -> String {
        let second = precision == Precision::Double && self.decls.dtype == DType::F32;
        if second { format!("{name}_f64") } else { name.to_string() }
    }

    pub(super) fn scalar(&self, s: ScalarId, precision: Precision) -> String {
        self.precise(&self.names.scalars[s.index()], precision)
    }

    pub(super) fn local(&self, l: LocalId, precision: Precision) -> String {
        self.precise(&l.to_string(), precision)
    }

    /// `u[t1][x + 8][y + 16]`
    pub(super) fn access(&self, a: &Access) -> String {
        self.place(a, "")
    }

    /// The same at the point where the current vector of a row begins: `u[t1][x + 8][y_vector + 16]`
    pub(super) fn access_of_vector(&self, a: &Access) -> String {
        self.place(a, "_vector")
    }

    /// What [`rows`](Printer::rows) may name for an access.
    pub(super) fn level(&self, a: &Access) -> Level {
        (a.field, (self.slot)(a.field, a.time))
    }

    /// The row of an access: `u[t1][x + 8]`
    pub(super) fn row(&self, a: &Access) -> String {
        self.indexed(a, "", 0..self.decls.rank() - 1)
    }

    /// `suffix` goes to the name of the last dimension.
    fn place(&self, a: &Access, suffix: &str) -> String {
        let rows = self.rows.borrow();
        let last = self.decls.rank() - 1;
        match rows.iter().find(|(level, _)| *level == self.level(a)) {
            Some((_, name)) => {
                let point = self.indexed(a, suffix, last..last + 1);
                format!("{name}[{}]{point}", self.rows_away(a))
            }
            None => self.indexed(a, suffix, 0..last + 1),
        }
    }

    /// How many rows an access is away from the current point: `-2*304 + 1`
    fn rows_away(&self, a: &Access) -> String {
        let planes = match (&self.decls.field(a.field).layout, self.decls.rank()) {
            (Some(layout), 3) => match (a.offsets[0], layout.alloc[1]) {
                (0, _) => String::new(),
                (1, rows) => rows.to_string(),
                (-1, rows) => format!("-{rows}"),
                (planes, rows) => format!("{planes}*{rows}"),
            },
            _ => String::new(),
        };
        let rows = a.offsets[self.decls.rank() - 2];
        if planes.is_empty() { rows.to_string() } else { shifted(&planes, i64::from(rows)) }
    }

    /// An access with some of its dimensions. Without the first, the field and its slot are left to the caller.
    fn indexed(&self, a: &Access, suffix: &str, dims: Range<usize>) -> String {
        let mut out = String::new();
        if dims.start == 0 {
            out.push_str(&self.names.fields[a.field.index()]);
            if let Some(slot) = (self.slot)(a.field, a.time) {
                let _ = write!(out, "[{slot}]");
            }
        }
        let field = self.decls.field(a.field);
        if let Some(layout) = &field.layout {
            for (d, dim) in self.decls.dims.iter().enumerate().filter(|(d, _)| dims.contains(d)) {
                let from = field.window.as_ref().map_or(0, |w| w.from[d] as i64);
                let shift = layout.pad[d] as i64 + a.offsets[d] as i64 - from;
                let in_tile = field.kind == FieldKind::Tile && self.tiled.get()[d];
                let suffix = if d + 1 == self.decls.rank() { suffix } else { "" };
                let name = format!("{}{suffix}", dim.name);
                let point = if in_tile { format!("{name} - {}_tile", dim.name) } else { name };
                let index = shifted(&point, shift);
                let _ = match layout.turns && d == 0 {
                    true => write!(out, "[({index}) & {}]", layout.alloc[0] - 1),
                    false => write!(out, "[{index}]"),
                };
            }
        }
        out
    }

    /// The name of a table: that of its points, numbered when they have several.
    pub(super) fn table(&self, table: TableId) -> String {
        let sparse = self.decls.table(table).sparse;
        let before = self.decls.tables[..table.index()].iter().filter(|t| t.sparse == sparse).count();
        let name = &self.names.sparse[sparse.index()];
        if before == 0 { name.clone() } else { format!("{name}_{before}") }
    }

    /// `src[t + 1][p]`
    pub(super) fn sparse(&self, s: SparseId, time: i32) -> String {
        let name = &self.names.sparse[s.index()];
        match self.decls.sparse(s).steps {
            Some(_) => format!("{name}[{}][p]", shifted("t", time as i64)),
            None => format!("{name}[p]"),
        }
    }
}

/// `x`, `x + 1`, `x - 1`
pub(super) fn shifted(name: &str, shift: i64) -> String {
    match shift {
        0 => name.to_string(),
        s if s > 0 => format!("{name} + {s}"),
        s => format!("{name} - {}", -s),
    }
}

fn function(f: Func) -> &'static str {
    match f {
        Func::Abs => "fabs",
        Func::Min => "wf_min",
        Func::Max => "wf_max",
        other => other.name(),
    }
}

/// The shortest literal that is exactly the value, rounded to single precision first when `single`.
fn number(value: f64, single: bool) -> String {
    let rounded = if single { value as f32 as f64 } else { value };
    let sign = if rounded.is_sign_negative() && !rounded.is_nan() { "-" } else { "" };
    if rounded.is_nan() {
        return if single { "(float)NAN" } else { "(double)NAN" }.to_string();
    }
    if rounded.is_infinite() {
        return format!("{sign}({})INFINITY", if single { "float" } else { "double" });
    }
    if single { format!("{:?}F", value as f32) } else { format!("{value:?}") }
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn literals_are_exact() {
        assert_eq!(number(0.1, true), "0.1F");
        assert_eq!(number(0.1, false), "0.1");
        assert_eq!(number(1.0, true), "1.0F");
        assert_eq!(number(-205.0 / 72.0, false), "-2.8472222222222223");
        assert_eq!(number(1e300, true), "(float)INFINITY");
        assert_eq!(number(f64::NEG_INFINITY, false), "-(double)INFINITY");
        assert_eq!(number(1e-300, false), "1e-300");
    }
}
