//! Statements and loops.

use super::Writer;
use super::expr::{Precision, shifted};
use wavefold_ir::tree::{Loop, LoopForm, Slot, Stmt, line};
use wavefold_ir::{Access, Direction, ExprId, SparseId, TicketId};

/// Whether the statement is a loop whose tiles may run at the same time.
pub(super) fn is_parallel(s: &Stmt) -> bool {
    let (Stmt::Nest { outer: l, .. } | Stmt::Loop(l)) = s else { return false };
    matches!(l.form, LoopForm::Tiles { parallel: true, .. })
}

/// The index of a slot at step `t`, which is never negative.
pub(super) fn slot_text(s: &Slot) -> String {
    let step = if s.every == 1 { "t".to_string() } else { format!("t / {}", s.every) };
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

    fn open(&mut self, head: &str) {
        self.line(&format!("{head} {{"));
        self.depth += 1;
    }

    fn close(&mut self) {
        self.depth -= 1;
        self.line("}");
    }

    fn statement(&mut self, s: &Stmt) {
        match s {
            Stmt::Time { direction, slots, body } => self.time(*direction, slots, body),
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
                self.walk(outer);
            }
            Stmt::Loop(l) => self.walk(l),
            Stmt::Let { local, value } => {
                let value = self.printer.expression(*value, Precision::Program);
                self.line(&format!("const {} {local} = {value};", self.printer.real()));
            }
            Stmt::Assign { target, value, increment } => {
                let value = self.printer.expression(*value, Precision::Program);
                let sign = if *increment { "+=" } else { "=" };
                self.line(&format!("{} {sign} {value};", self.printer.access(target)));
            }
            Stmt::Inject { sparse, target, value, source } => {
                self.source(s, source);
                self.inject(*sparse, target, *value);
            }
            Stmt::Interpolate { sparse, time, value, increment, source } => {
                self.source(s, source);
                self.interpolate(*sparse, *time, *value, *increment);
            }
            Stmt::Compress { ticket, source, .. } => {
                self.source(s, source);
                self.effect(*ticket, s);
            }
            Stmt::Decompress { ticket, .. } => {
                self.source(s, "");
                self.effect(*ticket, s);
            }
            Stmt::Wait(ticket) => self.check(&format!("wf_wait(cx, {ticket})")),
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

    fn time(&mut self, direction: Direction, slots: &[Slot], body: &[Stmt]) {
        self.open(match direction {
            Direction::Ascending => "for (int64_t t = cx->time_m; t <= cx->time_max; t += 1)",
            Direction::Descending => "for (int64_t t = cx->time_max; t >= cx->time_m; t -= 1)",
        });
        self.check("wf_step(cx, t)");
        for (i, slot) in slots.iter().enumerate() {
            self.line(&format!("const int64_t t{i} = {};", slot_text(slot)));
        }
        self.blank();
        self.block(body);
        self.close();
    }

    fn walk(&mut self, l: &Loop) {
        let dim = &self.program.decls.dims[l.dim];
        let (x, size) = (&dim.name, dim.size);
        match l.form {
            LoopForm::Tiles { size: tile, parallel } => {
                if parallel {
                    self.line("#pragma omp parallel num_threads(threads)");
                    self.line("{");
                    self.depth += 1;
                    self.line("const wf_mode mode = wf_flush_denormals();");
                    self.line("#pragma omp for schedule(dynamic)");
                }
                self.open(&format!("for (int64_t {x}_tile = 0; {x}_tile < {size}; {x}_tile += {tile})"));
                self.line(&match size % tile {
                    0 => format!("const int64_t {x}_end = {x}_tile + {tile};"),
                    _ => format!("const int64_t {x}_end = wf_least({x}_tile + {tile}, {size});"),
                });
                self.block(&l.body);
                self.close();
                if parallel {
                    self.line("wf_set_mode(mode);");
                    self.close();
                }
            }
            LoopForm::Points { tiled, simd } => {
                if simd {
                    self.line("#pragma omp simd");
                }
                self.open(&match tiled {
                    true => format!("for (int64_t {x} = {x}_tile; {x} < {x}_end; {x} += 1)"),
                    false => format!("for (int64_t {x} = 0; {x} < {size}; {x} += 1)"),
                });
                self.block(&l.body);
                self.close();
            }
        }
    }

    /// Opens the loops over points and corners; the corner is the current point.
    fn corners(&mut self, sparse: SparseId, sum: bool) {
        let d = &self.program.decls;
        let (name, rank) = (&self.printer.names.sparse[sparse.index()], d.rank());
        let corners = 1 << rank;
        let at = |k: usize| if rank == 1 { "c".to_string() } else { shifted(&format!("{rank}*c"), k as i64) };
        let dims: Vec<String> =
            d.dims.iter().enumerate().map(|(k, x)| format!("{} = {name}_cells[{}]", x.name, at(k))).collect();
        self.open(&format!("for (int64_t p = 0; p < {}; p += 1)", d.sparse(sparse).points));
        if sum {
            self.line(&format!("{} sum = 0;", self.printer.real()));
        }
        self.open(&format!("for (int64_t c = {corners}*p; c < {corners}*p + {corners}; c += 1)"));
        self.line(&format!("const int64_t {};", dims.join(", ")));
    }

    fn inject(&mut self, sparse: SparseId, target: &Access, value: ExprId) {
        self.corners(sparse, false);
        let name = &self.printer.names.sparse[sparse.index()];
        let value = self.printer.expression(value, Precision::Program);
        let target = self.printer.access(target);
        self.line(&format!("if ({name}_weights[c] != 0) {target} += {name}_weights[c]*({value});"));
        self.close();
        self.close();
    }

    fn interpolate(&mut self, sparse: SparseId, time: i32, value: ExprId, increment: bool) {
        self.corners(sparse, true);
        let name = &self.printer.names.sparse[sparse.index()];
        let value = self.printer.expression(value, Precision::Program);
        let fma = if self.printer.real() == "float" { "fmaf" } else { "fma" };
        self.line(&format!("if ({name}_weights[c] != 0) sum = {fma}({name}_weights[c], {value}, sum);"));
        self.close();
        let place = self.printer.sparse(sparse, time);
        self.line(&format!("{place} {} sum;", if increment { "+=" } else { "=" }));
        self.close();
    }

    /// A compression or decompression, and the check of its ticket.
    fn effect(&mut self, ticket: TicketId, s: &Stmt) {
        let (call, store, time, slice) = match s {
            Stmt::Compress { store, time, slice, .. } => ("wf_compress", store, time, slice),
            Stmt::Decompress { store, time, slice, .. } => ("wf_decompress", store, time, slice),
            _ => return,
        };
        let names = &self.printer.names.fields;
        let index = |field, shift| (self.printer.slot)(field, shift).unwrap_or_else(|| "0".into());
        let (snapshot, slot) = (index(*store, *time), index(slice.field, slice.time));
        let (store, field) = (&names[store.index()], &names[slice.field.index()]);
        let kind = if self.is_local_ticket(ticket) { "const int64_t " } else { "" };
        self.line(&format!("{kind}{ticket} = {call}(cx, FIELD_{store}, {snapshot}, FIELD_{field}, {slot});"));
        self.line(&format!("if ({ticket} < 0) return (int)-{ticket};"));
    }
}
