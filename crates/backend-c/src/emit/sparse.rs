//! Sparse points: injection and interpolation, at all points or those in a tile.

use super::Writer;
use super::expr::{Precision, shifted};
use wavefold_ir::{Access, ExprId, SparseId, TableId};

impl Writer<'_> {
    /// Opens loops over the corners or the points of a table that lie in the tile at hand; returns their number.
    fn planes(&mut self, table: TableId, corners: bool) -> usize {
        let d = &self.program.decls;
        let (x, y) = (&d.dims[0].name, &d.dims[1].name);
        let planes = format!("cx->tables[{}].{}", table.index(), if corners { "corners" } else { "points" });
        self.open(&format!("for (int64_t {x} = {x}_tile; {x} < {x}_end; {x} += 1)"));
        self.open(&format!(
            "for (int64_t entry = {planes}.first[{x}]; entry < {planes}.first[{x} + 1]; entry += 1)"
        ));
        if d.rank() == 3 {
            self.line(&format!("const int64_t {y} = {planes}.entries[entry][1];"));
            self.line(&format!("if ({y} < {y}_tile || {y} >= {y}_end) continue;"));
        }
        2
    }

    /// Opens the loop over points; returns the number of loops.
    fn sparse_points(&mut self, sparse: SparseId, table: TableId) -> usize {
        if self.in_tiles {
            let loops = self.planes(table, false);
            self.line(&format!("const int64_t p = cx->tables[{}].points.entries[entry][0];", table.index()));
            return loops;
        }
        let points = self.program.decls.sparse(sparse).points;
        self.open(&format!("for (int64_t p = 0; p < {points}; p += 1)"));
        1
    }

    /// Opens the loop over the corners of a point; the corner is the current point.
    fn corners(&mut self, sparse: SparseId, table: TableId) {
        let d = &self.program.decls;
        let (points, corners) = (d.sparse(sparse).points, d.table(table).corners);
        let row = if d.table(table).moving { format!("(t*{points} + p)") } else { "p".into() };
        self.open(&format!("for (int64_t c = {corners}*{row}; c < {corners}*{row} + {corners}; c += 1)"));
        self.cell(table, 0);
    }

    /// The indices of corner `c`, from dimension `from` on.
    fn cell(&mut self, table: TableId, from: usize) {
        let (d, name) = (&self.program.decls, self.printer.table(table));
        let rank = d.rank();
        let at = |k: usize| if rank == 1 { "c".to_string() } else { shifted(&format!("{rank}*c"), k as i64) };
        let dims = d.dims.iter().enumerate().skip(from);
        let dims: Vec<String> = dims.map(|(k, x)| format!("{} = {name}_cells[{}]", x.name, at(k))).collect();
        self.line(&format!("const int64_t {};", dims.join(", ")));
    }

    pub(super) fn inject(&mut self, sparse: SparseId, table: TableId, target: &Access, value: ExprId) {
        let loops = if self.in_tiles {
            let loops = self.planes(table, true);
            let (entries, corners) = (
                format!("cx->tables[{}].corners.entries", table.index()),
                self.program.decls.table(table).corners,
            );
            self.line(&format!("const int64_t c = {entries}[entry][0], p = c / {corners};"));
            self.cell(table, self.program.decls.rank() - 1);
            loops
        } else {
            let loops = self.sparse_points(sparse, table);
            self.corners(sparse, table);
            loops + 1
        };
        let name = self.printer.table(table);
        let value = self.printer.expression(value, Precision::Program);
        let place = self.printer.access(target);
        let weighted = format!("{name}_weights[c]*({value})");
        let statement = self.added(&place, self.dtype(target), &weighted);
        self.line(&format!("if ({name}_weights[c] != 0) {statement}"));
        (0..loops).for_each(|_| self.close());
    }

    pub(super) fn interpolate(
        &mut self,
        (sparse, table): (SparseId, TableId),
        time: i32,
        value: ExprId,
        increment: bool,
    ) {
        let loops = self.sparse_points(sparse, table);
        self.line(&format!("{} sum = 0;", self.printer.real()));
        self.corners(sparse, table);
        let name = self.printer.table(table);
        let value = self.printer.expression(value, Precision::Program);
        let fma = if self.printer.real() == "float" { "fmaf" } else { "fma" };
        self.line(&format!("if ({name}_weights[c] != 0) sum = {fma}({name}_weights[c], {value}, sum);"));
        self.close();
        let place = self.printer.sparse(sparse, time);
        let stored = match increment {
            true => self.added(&place, self.program.decls.sparse(sparse).dtype, "sum"),
            false => format!("{place} = sum;"),
        };
        self.line(&stored);
        (0..loops).for_each(|_| self.close());
    }
}
