//! A tree as a C file.

mod expr;
mod front;
mod preamble;
mod sparse;
mod statement;

use crate::names::Names;
use expr::Printer;
use std::cell::{Cell, RefCell};
use std::fmt::Write;
use wavefold_ir::tree::{Program, Reduction, Stmt};
use wavefold_ir::{Access, Direction, FieldId};

/// The function that an emitted file defines.
pub const ENTRY: &str = "wavefold_kernel";

/// Columns after which a statement goes on in the next line.
const WIDTH: usize = 110;

/// Prints a verified program as one C11 file.
///
/// The function `run` is the tree: every loop is commented with the equations it came from. Arrays are indexed by
/// slot and by point plus padding: `u[t1][x + 8][y + 16]`.
pub fn emit(program: &Program) -> String {
    let names = Names::new(&program.decls);
    let direction = program.time().map_or(Direction::Ascending, |(direction, _)| direction);
    let slot = |field: FieldId, shift: i32| -> Option<String> {
        let decl = program.decls.field(field);
        let wanted = wavefold_ir::tree::Slot::of(decl, shift)?;
        // T6: every access to a field with time has a slot.
        let computed = || statement::slot_text(&wanted, direction);
        Some(program.slot(field, shift).map_or_else(computed, |i| format!("t{i}")))
    };
    let printer = Printer {
        decls: &program.decls,
        exprs: &program.exprs,
        names: &names,
        slot: &slot,
        tiled: Cell::default(),
        rows: RefCell::default(),
    };
    let mut w = Writer {
        program,
        printer,
        out: String::new(),
        depth: 0,
        reduction: None,
        lines: vec![],
        in_tiles: false,
    };
    w.head();
    w.line("static int run(const wf_context *cx) {");
    w.depth = 1;
    w.constants();
    w.pointers();
    w.shared_tickets();
    w.block(&program.body);
    w.line("return 0;");
    w.depth = 0;
    w.line("}");
    w.entry();
    w.out
}

/// Appends lines to the file.
struct Writer<'a> {
    program: &'a Program,
    printer: Printer<'a>,
    out: String,
    depth: usize,
    /// How the reduction around combines values.
    reduction: Option<Reduction>,
    /// What the loop at hand stores line by line: past the caches, or at the end of a row.
    lines: Vec<Access>,
    /// Whether what is done at sparse points is done for those in the tile at hand.
    in_tiles: bool,
}

impl Writer<'_> {
    /// One line at the current depth, broken at spaces when it is long.
    fn line(&mut self, text: &str) {
        let mut indent = self.depth * 2;
        let mut rest = text;
        loop {
            let room = WIDTH.saturating_sub(indent).max(40);
            let cut = if rest.len() <= room { None } else { break_at(rest, room) };
            let (now, next) = rest.split_at(cut.unwrap_or(rest.len()));
            let _ = writeln!(self.out, "{:indent$}{}", "", now);
            if cut.is_none() {
                return;
            }
            rest = next.trim_start();
            indent = self.depth * 2 + 4;
        }
    }

    fn blank(&mut self) {
        self.out.push('\n');
    }

    /// A comment per line of the user's text, whatever it holds.
    fn comment(&mut self, text: &str) {
        for line in text.lines() {
            // A backslash at the end would pull the next line into the comment.
            let _ = writeln!(self.out, "{:1$}// {2}", "", self.depth * 2, line.replace('\\', "/"));
        }
    }

    fn visit(&self, f: &mut impl FnMut(&Stmt)) {
        self.program.visit(f);
    }
}

/// Where to break a long line: after a comma or before an operator, never inside an index, as far outside of
/// parentheses as the second half of the line allows; at the first such place when the line has none.
fn break_at(text: &str, room: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut parens, mut brackets) = (0i32, 0i32);
    let mut best: Option<(usize, i32)> = None;
    for (i, b) in bytes.iter().enumerate() {
        match b {
            b'(' => parens += 1,
            b')' => parens -= 1,
            b'[' => brackets += 1,
            b']' => brackets -= 1,
            b' ' if brackets == 0 && i > 0 => {
                let after_comma = bytes[i - 1] == b',';
                let before_operator =
                    matches!(bytes.get(i + 1), Some(b'+' | b'-')) && bytes.get(i + 2) == Some(&b' ');
                let late = i > room / 2;
                let better = best.is_none_or(|(at, depth)| parens <= depth || at <= room / 2);
                if i > room && best.is_some() {
                    break;
                }
                if (after_comma || before_operator) && (late || best.is_none()) && better {
                    best = Some((i, parens));
                }
            }
            _ => {}
        }
    }
    best.map(|(at, _)| at)
}
