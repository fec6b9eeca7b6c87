//! Statements and loops.

use super::Writer;
use super::expr::{Precision, shifted};
use super::preamble::c_type;
use std::collections::HashSet;
use wavefold_ir::tree::{Loop, LoopForm, Reduction, ScalarLet, Slot, Stmt, line};
use wavefold_ir::{Access, DType, Direction, Expr, FieldId, FieldKind, Func, SparseId, TicketId};

/// Rows for which a loop over points has registers, beside what else it needs them for.
const POINTERS: usize = 10;

/// Whether the statement is a loop whose tiles may run at the same time.
pub(super) fn is_parallel(s: &Stmt) -> bool {
    let (Stmt::Nest { outer: l, .. } | Stmt::Reduce { outer: l, .. } | Stmt::Loop(l)) = s else {
        return false;
    };
    matches!(l.form, LoopForm::Tiles { parallel: true, .. })
}

/// The index of a slot at step `t`, which is never negative.
pub(super) fn slot_text(s: &Slot, direction: Direction) -> String {
    let step = if s.every == 1 { "t".to_string() } else { format!("t / {}", s.every) };
    if s.in_place {
        return format!("wf_slot_{direction}(cx, t, {}, {})", s.shift, s.modulus);
    }
    if s.modulus == 0 {
        return shifted(&step, s.shift as i64);
    }
    // The shift is made positive, since `%` keeps the sign of its left side.
    match (s.shift as i64).rem_euclid(s.modulus as i64) {
        0 if s.every == 1 => format!("t % {}", s.modulus),
        shift => format!("({}) % {}", shifted(&step, shift), s.modulus),
    }
}

impl Writer<'_> {
    pub(super) fn block(&mut self, body: &[Stmt]) {
        for (i, s) in body.iter().enumerate() {
            if i > 0 && self.stands_apart(s) {
                self.blank();
            }
            self.statement(s);
        }
    }

    fn stands_apart(&self, s: &Stmt) -> bool {
        !matches!(s, Stmt::Let { .. } | Stmt::Assign { .. } | Stmt::Loop(_) | Stmt::Wait(_))
    }

    pub(super) fn open(&mut self, head: &str) {
        self.line(&format!("{head} {{"));
        self.depth += 1;
    }

    pub(super) fn close(&mut self) {
        self.depth -= 1;
        self.line("}");
    }

    fn statement(&mut self, s: &Stmt) {
        match s {
            Stmt::Time { direction, slots, scalars, body } => self.time(*direction, slots, scalars, body),
            Stmt::First(body) => {
                let first = match self.program.time() {
                    Some((Direction::Ascending, _)) => "if (t == cx->time_m)",
                    Some((Direction::Descending, _)) => "if (t == cx->time_max)",
                    None => "if (1)",
                };
                self.open(first);
                self.block(body);
                self.close();
            }
            Stmt::When { every, body } => {
                self.open(&format!("if (t % {every} == 0)"));
                self.block(body);
                self.close();
            }
            Stmt::Nest { source, outer } => {
                for equation in source {
                    self.comment(equation);
                }
                let before = std::mem::replace(&mut self.in_tiles, true);
                self.walk(outer, self.program.uses_tiles(outer));
                self.in_tiles = before;
            }
            Stmt::Loop(l) => self.walk(l, false),
            Stmt::Reduce { series, op, outer, source } => {
                self.comment(source);
                self.reduce(*series, *op, outer);
            }
            Stmt::Accumulate(value) => {
                let value = self.printer.expression(*value, Precision::Program);
                match self.reduction {
                    Some(Reduction::Min) => self.line(&format!("result = wf_min({value}, result);")),
                    Some(Reduction::Max) => self.line(&format!("result = wf_max({value}, result);")),
                    _ => self.line(&format!("result += {value};")),
                }
            }
            Stmt::Let { local, value } => {
                let value = self.printer.expression(*value, Precision::Program);
                self.line(&format!("const {} {local} = {value};", self.printer.real()));
            }
            // Printed by the loop, once a line.
            Stmt::Prefetch(_) | Stmt::Stream(_) => {}
            Stmt::Assign { target, value, increment } => {
                let value = self.printer.expression(*value, Precision::Program);
                let line = self.lines.iter().position(|a| a == target);
                let place = match line {
                    Some(k) => {
                        let x = &self.program.decls.dims[self.program.decls.rank() - 1].name;
                        format!("wf_value{k}[{x} - {x}_vector]")
                    }
                    None => self.printer.access(target),
                };
                let stored = match increment {
                    // A line holds nothing yet.
                    true if line.is_some() => {
                        format!("{place} = {} + ({value});", self.printer.access(target))
                    }
                    true => self.added(&place, self.dtype(target), &value),
                    false => format!("{place} = {value};"),
                };
                self.line(&stored);
            }
            Stmt::Inject { sparse, table, target, value, source } => {
                self.source(s, source);
                self.inject(*sparse, *table, target, *value);
            }
            Stmt::Interpolate { sparse, table, time, value, increment, source } => {
                self.source(s, source);
                self.interpolate((*sparse, *table), *time, *value, *increment);
            }
            Stmt::Compress { ticket, source, .. } => {
                self.source(s, source);
                self.effect(*ticket, s);
            }
            Stmt::Decompress { ticket, .. } => {
                self.source(s, "");
                self.effect(*ticket, s);
            }
            Stmt::Part { ticket, slice, .. } => {
                self.source(s, "");
                self.part(*ticket, slice.field);
            }
            Stmt::Until { ticket, body } => {
                self.open("do");
                self.block(body);
                self.depth -= 1;
                self.line(&format!("}} while ((status = wf_wait(cx, {ticket})) == WF_AGAIN);"));
                self.line("if (status != 0) return status;");
            }
            Stmt::Wait(ticket) => self.check(&format!("wf_wait(cx, {ticket})")),
            Stmt::Front { front, body } => self.front(front, body),
            Stmt::Steps(body) => self.steps(body),
            Stmt::Lagged { body, .. } => self.block(body),
        }
    }

    /// The equation as the user wrote it, or else the statement in the form of the tree.
    fn source(&mut self, s: &Stmt, source: &str) {
        if source.is_empty() {
            let text = line(s, &self.program.decls, &self.program.exprs);
            self.comment(&text);
        } else {
            self.comment(source);
        }
    }

    fn check(&mut self, call: &str) {
        self.line(&format!("if ((status = {call}) != 0) return status;"));
    }

    /// The statement that adds a value to what lies in a place: the sum is rounded to the type of the program before it is stored.
    pub(super) fn added(&self, place: &str, dtype: DType, value: &str) -> String {
        match self.printer.conversion(dtype, Precision::Program) {
            "" => format!("{place} += {value};"),
            conversion => format!("{place} = ({})({conversion}{place} + ({value}));", self.printer.real()),
        }
    }

    /// What threads share: the rounds of the loop that comes next.
    pub(super) fn open_parallel(&mut self) {
        self.line("#pragma omp parallel num_threads(threads)");
        self.line("{");
        self.depth += 1;
        self.line("const wf_mode mode = wf_flush_denormals();");
        self.line("#pragma omp for schedule(dynamic)");
    }

    /// The end of what threads share, after their loop.
    pub(super) fn close_parallel(&mut self) {
        self.line("wf_set_mode(mode);");
        self.close();
    }

    pub(super) fn dtype(&self, a: &Access) -> DType {
        self.program.decls.field(a.field).dtype
    }

    fn time(&mut self, direction: Direction, slots: &[Slot], scalars: &[ScalarLet], body: &[Stmt]) {
        match (self.program.front(), direction) {
            (None, Direction::Ascending) => {
                self.open("for (int64_t t = cx->time_m; t <= cx->time_max; t += 1)")
            }
            (None, Direction::Descending) => {
                self.open("for (int64_t t = cx->time_max; t >= cx->time_m; t -= 1)")
            }
            (Some((front, _)), _) => {
                let (first, on, step, left) = match direction {
                    Direction::Ascending => ("time_m", "<= cx->time_max", '+', "cx->time_max - start + 1"),
                    Direction::Descending => ("time_max", ">= cx->time_m", '-', "start - cx->time_m + 1"),
                };
                self.open(&format!(
                    "for (int64_t start = cx->{first}, steps; start {on}; start {step}= steps)"
                ));
                self.line(&format!("steps = start == cx->{first} ? 1 : wf_least({}, {left});", front.steps));
                self.line("const int64_t t = start;");
            }
        }
        let count = if self.program.front().is_some() { "steps" } else { "1" };
        self.check(&format!("wf_step(cx, t, {count})"));
        self.slots(slots, direction);
        self.scalars(scalars);
        self.blank();
        self.block(body);
        self.close();
    }

    /// The indices of a step.
    pub(super) fn slots(&mut self, slots: &[Slot], direction: Direction) {
        for (i, slot) in slots.iter().enumerate() {
            self.line(&format!("const int64_t t{i} = {};", slot_text(slot, direction)));
        }
    }

    /// `lend`: each round of this loop, the outermost of its nest, borrows memory for tile fields.
    fn walk(&mut self, l: &Loop, lend: bool) {
        let x = &self.program.decls.dims[l.dim].name;
        match l.form {
            LoopForm::Tiles { from, to, size: tile, parallel } => {
                if parallel {
                    self.open_parallel();
                }
                self.open(&format!("for (int64_t {x}_tile = {from}; {x}_tile < {to}; {x}_tile += {tile})"));
                self.line(&match (to - from).rem_euclid(tile.max(1) as i64) {
                    0 => format!("const int64_t {x}_end = {x}_tile + {tile};"),
                    _ => format!("const int64_t {x}_end = wf_least({x}_tile + {tile}, {to});"),
                });
                self.tile(l, lend, (from, tile));
                self.close();
                if parallel {
                    if streams(l) {
                        self.line("wf_stream_end();");
                    }
                    self.close_parallel();
                }
            }
            LoopForm::Points { from, to, .. } => {
                let whole = from + (to - from).max(0) / self.line_points() * self.line_points();
                self.points(l, &from.to_string(), &to.to_string(), &whole.to_string());
            }
            LoopForm::Tile { before, after, .. } => {
                let first = shifted(&format!("{x}_tile"), -before);
                let end = shifted(&format!("{x}_end"), after);
                let whole = format!("{end} - ({end} - ({first})) % {}", self.line_points());
                self.points(l, &first, &end, &whole);
            }
        }
    }

    /// Points in a cache line.
    fn line_points(&self) -> i64 {
        (64 / self.program.decls.dtype.size()) as i64
    }

    /// Points in a vector, which the compiler of C knows.
    fn vector_points(&self) -> String {
        format!("WF_VECTOR/{}", self.program.decls.dtype.size())
    }

    /// A loop over points `first .. end`; the rows that it reaches for are found from the current one where they are many.
    fn points(&mut self, l: &Loop, first: &str, end: &str, whole: &str) {
        let levels = if l.form.is_simd() { self.levels_of_many_rows(&l.body) } else { vec![] };
        if levels.is_empty() {
            return self.points_of_row(l, first, end, whole);
        }
        self.line("{");
        self.depth += 1;
        let mut named = Vec::new();
        for (access, written) in &levels {
            let (id, slot) = self.printer.level(access);
            // No two are the same, whatever fields are called.
            let of_slot = match &slot {
                None => "this".into(),
                Some(slot) if slot.bytes().all(|b| b.is_ascii_alphanumeric()) => slot.clone(),
                Some(_) => format!("s{}", named.len()),
            };
            let name = format!("{}_{of_slot}_row", self.printer.names.fields[id.index()]);
            let field = self.program.decls.field(id);
            let width = field.layout.as_ref().and_then(|l| l.alloc.last()).copied().unwrap_or(1);
            let constant = if *written { "" } else { "const " };
            let (value, row) = (c_type(field.dtype), self.printer.row(access));
            self.line(&format!("{constant}{value} (*{name})[{width}] = &{row};"));
            self.line(&format!("wf_hide({name});"));
            named.push(((id, slot), name));
        }
        self.printer.rows.replace(named);
        self.points_of_row(l, first, end, whole);
        self.printer.rows.take();
        self.close();
    }

    /// Of each level with several rows in a loop over points that reaches for many, the current row, and whether it is written.
    fn levels_of_many_rows(&self, body: &[Stmt]) -> Vec<(Access, bool)> {
        let d = &self.program.decls;
        if d.rank() < 2 {
            return vec![];
        }
        let mut accesses: Vec<(Access, bool)> = Vec::new();
        for s in body {
            let loads = s.value().map(|value| self.program.exprs.loads(value)).unwrap_or_default();
            accesses.extend(loads.into_iter().map(|a| (a, false)));
            accesses.extend(s.assigned().map(|a| (*a, true)));
        }
        let row = |a: &Access| {
            let mut offsets = a.offsets;
            offsets[d.rank() - 1] = 0;
            (self.printer.level(a), offsets)
        };
        let rows: HashSet<_> = accesses.iter().map(|(a, _)| row(a)).collect();
        if rows.len() <= POINTERS {
            return vec![];
        }
        let mut levels: Vec<(Access, bool)> = Vec::new();
        for (a, written) in accesses {
            let field = d.field(a.field);
            let turns = field.layout.as_ref().is_none_or(|l| l.turns);
            let level = self.printer.level(&a);
            let several = rows.iter().filter(|(other, _)| *other == level).count() > 1;
            if field.by_rows || turns || field.kind == FieldKind::Tile || !several {
                continue;
            }
            match levels.iter_mut().find(|(known, _)| self.printer.level(known) == level) {
                Some((_, all)) => *all |= written,
                None => levels.push((Access { offsets: [0; 3], ..a }, written)),
            }
        }
        levels
    }

    /// A loop over points `first .. end`. One that prefetches goes vector by vector as far as `whole`: gcc and clang turn the loop
    /// within a vector into straight code.
    fn points_of_row(&mut self, l: &Loop, first: &str, end: &str, whole: &str) {
        let (hints, body) = l.hints();
        let part = self.ends_in_part(l, body);
        if hints.is_empty() {
            if !part {
                return self.row(l, body, first, end);
            }
            self.row(l, body, first, whole);
            return self.line_in_part(l, body, (whole, end));
        }
        self.open_vectors(l, first, whole);
        for s in hints {
            if let Stmt::Prefetch(access) = s {
                let place = self.printer.access_of_vector(access);
                self.line(&format!("wf_prefetch(&{place});"));
            }
        }
        self.lines = streamed(l);
        for (k, place) in self.vector(l, body).iter().enumerate() {
            self.line(&format!("wf_stream(&{place}, wf_value{k});"));
        }
        self.close();
        if part {
            self.line_in_part(l, body, (whole, end));
        } else if whole != end {
            self.row(l, body, whole, end);
        }
    }

    /// A loop over the vectors of points from `first` to before `end`.
    fn open_vectors(&mut self, l: &Loop, first: &str, end: &str) {
        let (x, points) = (&self.program.decls.dims[l.dim].name, self.vector_points());
        self.open(&format!("for (int64_t {x}_vector = {first}; {x}_vector < {end}; {x}_vector += {points})"));
    }

    /// The points of the vector that begins at `x_vector`; returns where goes what they keep in arrays.
    fn vector(&mut self, l: &Loop, body: &[Stmt]) -> Vec<String> {
        let (x, points) = (&self.program.decls.dims[l.dim].name, self.vector_points());
        for k in 0..self.lines.len() {
            self.line(&format!("_Alignas(64) {} wf_value{k}[{points}];", self.printer.real()));
        }
        self.row(l, body, &format!("{x}_vector"), &format!("{x}_vector + {points}"));
        std::mem::take(&mut self.lines).iter().map(|a| self.printer.access_of_vector(a)).collect()
    }

    /// The last points of a row, from `whole` on, which fill a part of a cache line: all of each vector is computed, and of the
    /// last one the part stored. A loop over these points would do half of them one by one.
    fn line_in_part(&mut self, l: &Loop, body: &[Stmt], (whole, end): (&str, &str)) {
        let x = &self.program.decls.dims[l.dim].name;
        self.open_vectors(l, whole, end);
        self.lines = body.iter().filter_map(Stmt::assigned).copied().collect();
        let left = match self.program.decls.dtype.size() / 4 {
            1 => format!("{end} - {x}_vector"),
            words => format!("{words}*({end} - {x}_vector)"),
        };
        for (k, place) in self.vector(l, body).iter().enumerate() {
            self.line(&format!("wf_store_part(&{place}, wf_value{k}, {left});"));
        }
        self.close();
    }

    /// Whether a row has points behind its last whole cache line, and the line that they begin may be computed as a whole: there
    /// is memory for all that it reads, nothing in it reads what it stores, and no elementary function is called for nothing.
    fn ends_in_part(&self, l: &Loop, body: &[Stmt]) -> bool {
        let LoopForm::Points { from, to, simd: true } = l.form else { return false };
        let (d, last) = (&self.program.decls, l.dim);
        let line = self.line_points();
        let part = (to - from).max(0) % line;
        let room = |a: &Access| {
            let field = d.field(a.field);
            let first = field.window.as_ref().map_or(0, |w| w.from[last] as i64);
            field.layout.as_ref().is_some_and(|layout| {
                let end = layout.pad[last] as i64 + i64::from(a.offsets[last]) - first + to - part + line;
                end <= layout.alloc[last] as i64
            })
        };
        let mut stored: Vec<&Access> = Vec::new();
        // A row in vectors meets a level that it stores to at the same point, or not at all.
        let holds = |stored: &[&Access], a: &Access| {
            let level = |s: &Access| s.field == a.field && d.field(a.field).same_slot(s.time, a.time);
            stored.iter().any(|s| level(s) && s.offsets == a.offsets)
        };
        let mut fits = part > 0 && part < to - from;
        for s in body {
            let Some(value) = s.value() else { return false };
            self.program.exprs.visit(value, &mut |_, e| {
                fits &= match e {
                    Expr::Load(a) => room(a) && !holds(&stored, a),
                    Expr::Call(f, _) => {
                        matches!(f, Func::Abs | Func::Min | Func::Max | Func::Sqrt | Func::Floor | Func::Ceil)
                    }
                    _ => true,
                };
            });
            match s {
                Stmt::Assign { target, .. } => {
                    fits &= room(target) && !holds(&stored, target) && self.dtype(target) == d.dtype;
                    stored.push(target);
                }
                Stmt::Let { .. } => {}
                _ => return false,
            }
        }
        fits
    }

    fn row(&mut self, l: &Loop, body: &[Stmt], first: &str, end: &str) {
        if l.form.is_simd() {
            self.line("#pragma omp simd");
        }
        let x = &self.program.decls.dims[l.dim].name;
        self.open(&format!("for (int64_t {x} = {first}; {x} < {end}; {x} += {})", l.step));
        self.block(body);
        self.close();
    }

    /// What is done with one tile: of a nest that borrows memory, and of a reduction, more than the loops.
    fn tile(&mut self, l: &Loop, lend: bool, (from, size): (i64, usize)) {
        let before = self.printer.tiled.get();
        let mut tiled = before;
        tiled[l.dim] = true;
        self.printer.tiled.set(tiled);
        if lend {
            self.line("char *tile = cx->take_tile(cx->host);");
            for id in self.program.decls.field_ids() {
                if self.program.decls.field(id).kind == FieldKind::Tile {
                    self.tile_pointer(id);
                }
            }
        }
        let reduction = self.reduction.filter(|_| before == [false; 3]);
        if let Some(op) = reduction {
            self.line(&format!("double result = {};", identity(op)));
        }
        self.block(&l.body);
        if reduction.is_some() {
            let x = &self.program.decls.dims[l.dim].name;
            self.line(&format!("results[({}) / {size}] = result;", shifted(&format!("{x}_tile"), -from)));
        }
        if lend {
            self.line("cx->give_tile(cx->host, tile);");
        }
        self.printer.tiled.set(before);
    }

    /// The results of the tiles, combined in their order whichever thread made them.
    fn reduce(&mut self, series: SparseId, op: Reduction, outer: &Loop) {
        let LoopForm::Tiles { from, to, size, .. } = outer.form else { return };
        let count = (to - from).max(0).div_euclid(size.max(1) as i64) + 1;
        self.line("{");
        self.depth += 1;
        self.line(&format!("double results[{count}];"));
        self.line(&format!(
            "int64_t count = {};",
            (to - from).max(0).unsigned_abs().div_ceil(size.max(1) as u64)
        ));
        self.reduction = Some(op);
        self.walk(outer, false);
        self.reduction = None;
        self.line(&format!("double result = {};", identity(op)));
        let combine = match op {
            Reduction::Sum => "result += results[i];",
            Reduction::Min => "result = wf_min(results[i], result);",
            Reduction::Max => "result = wf_max(results[i], result);",
        };
        self.line(&format!("for (int64_t i = 0; i < count; i += 1) {combine}"));
        let name = &self.printer.names.sparse[series.index()];
        let place = match self.program.decls.sparse(series).steps {
            Some(_) => format!("{name}[t][0]"),
            None => format!("{name}[0]"),
        };
        self.line(&format!("{place} = result;"));
        self.close();
    }

    /// A compression or decompression, and the check of its ticket.
    fn effect(&mut self, ticket: TicketId, s: &Stmt) {
        let (call, store, time, slice, rows) = match s {
            Stmt::Compress { store, time, slice, rows, .. } => ("wf_compress", store, time, slice, rows),
            Stmt::Decompress { store, time, slice, rows, .. } => ("wf_decompress", store, time, slice, rows),
            _ => return,
        };
        let names = &self.printer.names.fields;
        let index = |field, shift| (self.printer.slot)(field, shift).unwrap_or_else(|| "0".into());
        let (snapshot, slot) = (index(*store, *time), index(slice.field, slice.time));
        let (store, field) = (&names[store.index()], &names[slice.field.index()]);
        let kind = if self.is_local_ticket(ticket) { "const int64_t " } else { "" };
        self.line(&format!(
            "{kind}{ticket} = {call}(cx, FIELD_{store}, {snapshot}, FIELD_{field}, {slot}, {rows});"
        ));
        self.line(&format!("if ({ticket} < 0) return (int)-{ticket};"));
    }

    /// Moves the points of the current tiles.
    fn part(&mut self, ticket: TicketId, slice: FieldId) {
        let d = &self.program.decls;
        let along = |dim: usize| {
            let x = &d.dims[dim];
            if self.printer.tiled.get()[dim] {
                format!("{0}_tile, {0}_end", x.name)
            } else {
                format!("0, {}", x.size)
            }
        };
        let tile = match d.field(slice).kind {
            FieldKind::Tile => self.printer.names.fields[slice.index()].clone(),
            _ => "0".into(),
        };
        // T14: there are two dimensions at least.
        self.line(&format!("wf_part(cx, {ticket}, {}, {}, {tile});", along(0), along(1)));
    }
}

/// Whether a loop stores anything past the caches.
fn streams(l: &Loop) -> bool {
    let mut found = false;
    l.body.iter().for_each(|s| s.visit(&mut |s| found |= matches!(s, Stmt::Stream(_))));
    found
}

/// Where a row stores what goes past the caches.
fn streamed(l: &Loop) -> Vec<Access> {
    l.body.iter().filter_map(Stmt::assigned).filter(|a| l.is_streamed(a.field, a.time)).copied().collect()
}

/// Where a reduction begins.
fn identity(op: Reduction) -> &'static str {
    match op {
        Reduction::Sum => "0",
        Reduction::Min => "(double)INFINITY",
        Reduction::Max => "-(double)INFINITY",
    }
}
