//! Fronts: the loops over blocks, strips, chunks and steps, and the tile of each part.

use super::Writer;
use super::expr::shifted;
use wavefold_ir::Direction;
use wavefold_ir::tree::{Front, Slot, Stmt, front_head};

impl Writer<'_> {
    /// What the steps of a group do outside of their front, in turn.
    pub(super) fn steps(&mut self, body: &[Stmt]) {
        let Some((direction, slots)) = self.program.time() else { return };
        self.open_steps(direction, slots);
        self.block(body);
        self.close();
    }

    /// The loop over the steps of a group, with the slots of each.
    fn open_steps(&mut self, direction: Direction, slots: &[Slot]) {
        self.open("for (int64_t step = 0; step < steps; step += 1)");
        let sign = if direction == Direction::Ascending { '+' } else { '-' };
        self.line(&format!("const int64_t t = start {sign} step;"));
        self.slots(slots, direction);
    }

    /// A group of steps: blocks in parallel, then the gaps between them.
    pub(super) fn front(&mut self, front: &Front, parts: &[Stmt]) {
        let Some((direction, slots)) = self.program.time() else { return };
        let (dims, rank) = (&self.program.decls.dims, self.program.decls.rank());
        let (shared, blocks) = (Front::shared(rank), front.blocks(parts, rank));
        let (s, last) = (&dims[shared].name, front.reach(1, parts));
        let (start, end) = Front::bounds(parts, shared);
        let reach = |lag: i64, step: i64| shifted(&format!("{step}*(steps - 1)"), lag);
        let (ahead, back) = (reach(last.ahead, front.period.ahead), reach(last.back, front.period.back));
        self.comment(&front_head(front, &self.program.decls));
        self.line(&format!("const int64_t ahead = {ahead}, back = {back};"));
        self.open(&format!("for (int64_t gaps = 0; gaps < {}; gaps += 1)", blocks.min(2)));
        self.open_parallel();
        self.open(&format!("for (int64_t block = gaps; block < {blocks}; block += 1)"));
        self.line(&format!(
            "const int64_t low = {}, high = low + {};",
            shifted(&format!("{}*block", front.block), start),
            front.block
        ));
        self.line(&format!(
            "const int64_t {s}_after = gaps ? low + ahead + back : block + 1 < {blocks} ? high : {} + ahead;",
            end
        ));
        let points = |x: &str, first: &str, size: usize| {
            format!("for (int64_t {x}_first = {first}; {x}_first < {x}_after; {x}_first += {size})")
        };
        let loops = shared + 3;
        let x = &dims[0].name;
        if shared == 1 {
            let (from, to) = Front::bounds(parts, 0);
            self.line(&format!("const int64_t {x}_after = {to} + ahead;"));
            self.open(&points(s, "low", front.strip));
            self.open(&points(x, &from.to_string(), front.chunk));
        } else {
            self.open(&points(x, "low", front.chunk));
        }
        self.open_steps(direction, slots);
        let program = self.program;
        self.scalars(program.step_scalars());
        for part in parts {
            let Stmt::Lagged { lag, from, to, body } = part else { continue };
            self.blank();
            self.line("{");
            self.depth += 1;
            let behind = |lag: i64, period: i64| shifted(&format!("{period}*step"), lag);
            self.line(&format!("const int64_t lag = {};", behind(lag.ahead, front.period.ahead)));
            for dim in 0..=shared {
                let x = &dims[dim].name;
                let size = if dim == shared && shared == 1 { front.strip } else { front.chunk };
                let (from, to) = (from[dim], to[dim]);
                let mut first = format!("wf_most({x}_first - lag, {from})");
                let mut end = format!("wf_least(wf_least({x}_first + {size}, {x}_after) - lag, {to})");
                if dim == shared {
                    let back = behind(lag.back, front.period.back);
                    self.line(&format!(
                        "const int64_t under = gaps ? low - lag : block > 0 ? low + {back} : {from};"
                    ));
                    self.line(&format!(
                        "const int64_t over = gaps ? low + {back} : block + 1 < {blocks} ? high - lag : {to};"
                    ));
                    (first, end) = (format!("wf_most({first}, under)"), format!("wf_least({end}, over)"));
                }
                self.line(&format!("const int64_t {x}_tile = {first};"));
                self.line(&format!("const int64_t {x}_end = {end};"));
            }
            self.in_tiles = true;
            self.block(body);
            self.in_tiles = false;
            self.close();
        }
        // Steps, chunks, strips, blocks.
        (0..loops).for_each(|_| self.close());
        self.close_parallel();
        self.close();
    }
}
