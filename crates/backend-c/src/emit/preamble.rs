//! What comes before the statements: numbers of fields, values computed once, pointers.

use super::expr::Precision;
use super::{ENTRY, Writer};
use std::collections::HashSet;
use wavefold_ir::tree::{ScalarLet, Stmt};
use wavefold_ir::{DType, Expr, ExprId, FieldId, FieldKind, LocalId, ScalarId, TableId, TicketId};

/// Scalars and locals that some expressions name.
#[derive(Default)]
struct Used {
    scalars: HashSet<ScalarId>,
    locals: HashSet<LocalId>,
}

impl Writer<'_> {
    pub(super) fn head(&mut self) {
        let d = &self.program.decls;
        let dims: Vec<String> = d.dims.iter().map(|x| format!("{} {}", x.name, x.size)).collect();
        self.comment(&format!("{}: {} points, {}", d.name, dims.join(" x "), d.dtype));
        self.line("#include \"wavefold.h\"");
        self.blank();
        let names = self.printer.names;
        for (prefix, list) in
            [("FIELD", &names.fields), ("SCALAR", &names.scalars), ("SPARSE", &names.sparse)]
        {
            if !list.is_empty() {
                let list: Vec<String> = list.iter().map(|n| format!("{prefix}_{n}")).collect();
                self.line(&format!("enum {{ {} }};", list.join(", ")));
            }
        }
        self.blank();
    }

    pub(super) fn entry(&mut self) {
        self.blank();
        self.line(&format!("int {ENTRY}(const wf_context *cx) {{"));
        self.depth = 1;
        self.line("const wf_mode mode = wf_flush_denormals();");
        self.line("const int status = run(cx);");
        self.line("wf_set_mode(mode);");
        self.line("return status;");
        self.depth = 0;
        self.line("}");
    }

    fn used(&self, roots: impl IntoIterator<Item = ExprId>) -> Used {
        let mut used = Used::default();
        self.program.exprs.visit_all(roots, &mut |_, e| match e {
            Expr::Scalar(s) => {
                used.scalars.insert(*s);
            }
            Expr::Local(l) => {
                used.locals.insert(*l);
            }
            _ => {}
        });
        used
    }

    /// The values computed once: in double precision, then rounded for the loops.
    pub(super) fn constants(&mut self) {
        let mut values = Vec::new();
        self.visit(&mut |s| values.extend(s.value()));
        let in_loops = self.used(values);
        let each = self.program.step_scalars();
        let once = self.used(self.program.scalars.iter().chain(each).map(|s| s.value));
        let single = self.program.decls.dtype == DType::F32;

        for i in 0..self.program.decls.scalars.len() as u32 {
            let id = ScalarId(i);
            let (name, precise) =
                (self.printer.scalar(id, Precision::Program), self.printer.scalar(id, Precision::Double));
            let source = format!("cx->scalars[SCALAR_{}]", self.printer.names.scalars[id.index()]);
            let (once, in_loops) = (once.scalars.contains(&id), in_loops.scalars.contains(&id));
            if once || (in_loops && !single) {
                self.line(&format!("const double {precise} = {source};"));
            }
            if in_loops && single {
                let source = if once { precise } else { source };
                self.line(&format!("const float {name} = (float){source};"));
            }
        }
        let program = self.program;
        self.scalars(&program.scalars);
        let mut parallel = false;
        self.visit(&mut |s| parallel |= super::statement::is_parallel(s) || matches!(s, Stmt::Front { .. }));
        if parallel {
            self.line("const int threads = (int)cx->threads;");
        }
        let mut status = false;
        self.visit(&mut |s| status |= matches!(s, Stmt::Time { .. } | Stmt::Wait(_) | Stmt::Until { .. }));
        if status {
            self.line("int status;");
        }
        if self.program.time().is_none() && self.needs_time() {
            self.line("const int64_t t = cx->time_m;");
        }
        self.blank();
    }

    /// Values in double precision, rounded for the loops that use them.
    pub(super) fn scalars(&mut self, scalars: &[ScalarLet]) {
        let mut values = Vec::new();
        self.visit(&mut |s| values.extend(s.value()));
        let in_loops = self.used(values);
        for s in scalars {
            let (name, precise) = (
                self.printer.local(s.local, Precision::Program),
                self.printer.local(s.local, Precision::Double),
            );
            let value = self.printer.expression(s.value, Precision::Double);
            self.line(&format!("const double {precise} = {value};"));
            if self.program.decls.dtype == DType::F32 && in_loops.locals.contains(&s.local) {
                self.line(&format!("const float {name} = (float){precise};"));
            }
        }
    }

    /// The pointer to a tile field, in the memory of the tile.
    pub(super) fn tile_pointer(&mut self, id: FieldId) {
        let d = &self.program.decls;
        let Some(layout) = &d.field(id).layout else { return };
        let pointer =
            pointer(&format!("restrict {}", self.printer.names.fields[id.index()]), &layout.alloc[1..]);
        let real = c_type(d.field(id).dtype);
        self.line(&format!("{real} {pointer} = (void *)(tile + {});", d.tile_offset(id)));
    }

    /// Whether the step is named outside a time loop.
    fn needs_time(&self) -> bool {
        let d = &self.program.decls;
        let mut needed = d.sparse.iter().any(|s| s.steps.is_some());
        self.visit(&mut |s| needed |= matches!(s, Stmt::When { .. }));
        needed
    }

    /// Typed pointers to fields and tables.
    pub(super) fn pointers(&mut self) {
        let d = &self.program.decls;
        let real = self.printer.real();
        let written = self.program.written();
        let mut moved = HashSet::new();
        self.visit(&mut |s| match s {
            Stmt::Compress { slice, .. } | Stmt::Decompress { slice, .. } => {
                moved.insert(slice.field);
            }
            _ => {}
        });
        for id in d.field_ids() {
            let field = d.field(id);
            let Some(layout) = &field.layout else { continue };
            if field.kind == FieldKind::Tile {
                continue;
            }
            let value = c_type(field.dtype);
            let name = &self.printer.names.fields[id.index()];
            let constant = if written.contains(&id) { "" } else { "const " };
            if field.by_rows {
                let inner = &layout.alloc[1..layout.alloc.len() - 1];
                let rows = pointer(&format!("restrict {name}"), inner);
                self.line(&format!("{constant}{value} *const {rows} = (void *)cx->rows[FIELD_{name}];"));
                continue;
            }
            // Callbacks reach the fields that they move on their own ways, so these pointers are not restricted.
            let restrict = if moved.contains(&id) { "" } else { "restrict " };
            let sizes = if field.is_time() { &layout.alloc[..] } else { &layout.alloc[1..] };
            let pointer = pointer(&format!("{restrict}{name}"), sizes);
            self.line(&format!("{constant}{value} {pointer} = cx->fields[FIELD_{name}];"));
        }
        for (i, s) in d.sparse.iter().enumerate() {
            let name = &self.printer.names.sparse[i];
            let value = c_type(s.dtype);
            let values =
                if s.steps.is_some() { pointer(name, &[s.points.max(1)]) } else { format!("*{name}") };
            self.line(&format!("{value} {values} = cx->sparse[SPARSE_{name}].values;"));
        }
        for i in 0..d.tables.len() {
            let name = self.printer.table(TableId(i as u32));
            self.line(&format!("const int32_t *{name}_cells = cx->tables[{i}].cells;"));
            self.line(&format!("const {real} *{name}_weights = cx->tables[{i}].weights;"));
        }
        self.blank();
    }

    /// Tickets that are made in one block and waited for in another live as long as the run.
    pub(super) fn shared_tickets(&mut self) {
        let mut shared: Vec<TicketId> =
            self.tickets().into_iter().filter(|k| !self.is_local_ticket(*k)).collect();
        shared.sort_unstable();
        for k in shared {
            self.line(&format!("int64_t {k} = 0;"));
        }
    }

    fn tickets(&self) -> HashSet<TicketId> {
        let mut tickets = HashSet::new();
        self.visit(&mut |s| match s {
            Stmt::Compress { ticket, .. } | Stmt::Decompress { ticket, .. } => {
                tickets.insert(*ticket);
            }
            _ => {}
        });
        tickets
    }

    /// Whether a ticket is made and waited for in the same block.
    pub(super) fn is_local_ticket(&self, ticket: TicketId) -> bool {
        let made = |s: &Stmt| match s {
            Stmt::Compress { ticket: k, .. } | Stmt::Decompress { ticket: k, .. } => *k == ticket,
            _ => false,
        };
        let ended = |s: &Stmt| match s {
            Stmt::Wait(k) | Stmt::Until { ticket: k, .. } => *k == ticket,
            _ => false,
        };
        let in_block = |b: &[Stmt]| b.iter().any(made) && b.iter().any(ended);
        let mut local = in_block(&self.program.body);
        self.visit(&mut |s| local |= in_block(s.body()));
        local
    }
}

/// The declarator of a pointer to arrays of these sizes: `(*name)[3][4]`, or `*name`.
fn pointer(name: &str, sizes: &[usize]) -> String {
    if sizes.is_empty() {
        return format!("*{name}");
    }
    let sizes: String = sizes.iter().map(|n| format!("[{n}]")).collect();
    format!("(*{name}){sizes}")
}

pub(super) fn c_type(dtype: DType) -> &'static str {
    match dtype {
        DType::F32 => "float",
        DType::F64 => "double",
    }
}
