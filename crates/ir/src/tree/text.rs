//! Printer and parser of the tree level.

use super::{Front, Lag, Loop, LoopForm, Program, Slot, Stmt};
use crate::cluster::text as cluster_text;
use crate::cluster::{Action, PointStatement};
use crate::text::{self, Cursor, ParseError, in_place};
use crate::{Arena, Decls, Direction, stencil};
use std::fmt::{self, Write};

/// The statement as one line of text: everything but loops and blocks. Backends print it as a comment.
pub fn line(s: &Stmt, d: &Decls, exprs: &Arena) -> String {
    let effect = match s.clone() {
        Stmt::Let { local, value } => {
            return cluster_text::point_text(&PointStatement::Let { local, value }, d, exprs);
        }
        Stmt::Assign { target, value, increment } => {
            return cluster_text::point_text(&PointStatement::Assign { target, value, increment }, d, exprs);
        }
        Stmt::Inject { sparse, table, target, value, .. } => Action::Inject { sparse, table, target, value },
        Stmt::Interpolate { sparse, table, time, value, increment, .. } => {
            Action::Interpolate { sparse, table, time, value, increment }
        }
        Stmt::Prefetch(access) => return format!("prefetch {}", text::access_text(d, &access)),
        Stmt::Stream(level) => {
            return format!("stream {}", cluster_text::slice_text(d, level.field, level.time));
        }
        Stmt::Accumulate(value) => return format!("accumulate {}", text::expression_text(d, exprs, value)),
        Stmt::Compress { ticket, store, time, slice, rows, .. } => {
            let text = cluster_text::effect_text(&Action::Compress { ticket, store, time, slice }, d, exprs);
            return text + &parts_text(rows);
        }
        Stmt::Decompress { ticket, store, time, slice, rows } => {
            let text =
                cluster_text::effect_text(&Action::Decompress { ticket, store, time, slice }, d, exprs);
            return text + &parts_text(rows);
        }
        Stmt::Part { ticket, store, slice, decode } => {
            let (word, arrow) = if decode { ("decode", "->") } else { ("encode", "<-") };
            let slice = cluster_text::slice_text(d, slice.field, slice.time);
            return format!("{word} {ticket} {} {arrow} {slice}", d.field(store).name);
        }
        Stmt::Wait(ticket) => Action::Wait(ticket),
        _ => return String::new(),
    };
    cluster_text::effect_text(&effect, d, exprs)
}

/// ` in parts of 32`, or nothing.
fn parts_text(rows: usize) -> String {
    if rows == 0 { String::new() } else { format!(" in parts of {rows}") }
}

fn source(s: &Stmt) -> Vec<String> {
    match s {
        Stmt::Nest { source, .. } => source.clone(),
        Stmt::Inject { source, .. }
        | Stmt::Interpolate { source, .. }
        | Stmt::Reduce { source, .. }
        | Stmt::Compress { source, .. }
            if !source.is_empty() =>
        {
            vec![source.clone()]
        }
        _ => vec![],
    }
}

pub(super) fn loop_head(l: &Loop, d: &Decls) -> String {
    let dim = &d.dims[l.dim].name;
    let step = if l.step == 1 { String::new() } else { format!(" by {}", l.step) };
    match l.form {
        LoopForm::Tiles { from, to, size, parallel } => {
            let part = range_text(from, to, l.dim, d);
            format!("{}tiles {dim}{part} by {size}", if parallel { "parallel " } else { "" })
        }
        LoopForm::Points { from, to, simd } => {
            format!("{} {dim}{step}{}", if simd { "simd" } else { "for" }, range_text(from, to, l.dim, d))
        }
        LoopForm::Tile { before, after, simd } => {
            let widened =
                if (before, after) == (0, 0) { String::new() } else { format!(" widened {before} {after}") };
            format!("{} {dim}{step} in tile{widened}", if simd { "simd" } else { "for" })
        }
    }
}

/// The shape of a front: `front of 4 steps lag 2 back 2, x by 2, y by 16, blocks of 148`.
pub fn front_head(front: &Front, d: &Decls) -> String {
    let Front { steps, period, block, strip, chunk } = front;
    let x = &d.dims[0].name;
    let strips = if d.rank() == 3 { format!(", {} by {strip}", d.dims[1].name) } else { String::new() };
    format!("front of {steps} steps lag {}, {x} by {chunk}{strips}, blocks of {block}", lag_text(*period))
}

fn lag_text(lag: Lag) -> String {
    format!("{} back {}", lag.ahead, lag.back)
}

fn lag(c: &mut Cursor) -> Result<Lag, ParseError> {
    let ahead = c.integer()?;
    c.expect("back")?;
    Ok(Lag { ahead, back: c.integer()? })
}

fn front(c: &mut Cursor, d: &Decls) -> Result<Front, ParseError> {
    for word in ["front", "of"] {
        c.expect(word)?;
    }
    let steps = c.positive()?;
    c.expect("steps")?;
    c.expect("lag")?;
    let period = lag(c)?;
    let by = |c: &mut Cursor, dim: usize| {
        c.expect(",")?;
        c.expect(&d.dims[dim].name)?;
        c.expect("by")?;
        c.positive()
    };
    let chunk = by(c, 0)?;
    let strip = if d.rank() == 3 { by(c, 1)? } else { 1 };
    for word in [",", "blocks", "of"] {
        c.expect(word)?;
    }
    Ok(Front { steps, period, block: c.positive()?, strip, chunk })
}

fn lagged(c: &mut Cursor, d: &Decls, exprs: &mut Arena) -> Result<Stmt, ParseError> {
    c.expect("lag")?;
    let lag = lag(c)?;
    let size = |dim: usize| d.dims.get(dim).map_or(1, |x| x.size as i64);
    let (mut from, mut to) = ([0, 0], [size(0), if d.rank() == 3 { size(1) } else { 1 }]);
    if c.eat("[") {
        (from[0], to[0]) = text::range(c)?;
        if d.rank() == 3 {
            c.expect(",")?;
            (from[1], to[1]) = text::range(c)?;
        }
        c.expect("]")?;
    }
    Ok(Stmt::Lagged { lag, from, to, body: braces(c, d, exprs, false)? })
}

/// ` [1:63]`, or nothing for the whole dimension.
fn range_text(from: i64, to: i64, dim: usize, d: &Decls) -> String {
    if (from, to) == (0, d.dims[dim].size as i64) { String::new() } else { format!(" [{from}:{to}]") }
}

fn write_block(out: &mut String, body: &[Stmt], p: &Program, depth: usize) {
    let pad = "  ".repeat(depth);
    for s in body {
        out.push_str(&cluster_text::source_text(&source(s), &pad));
        let head = match s {
            Stmt::Time { direction, slots, scalars, .. } => {
                let _ = writeln!(out, "{pad}time {direction} {{");
                for (i, slot) in slots.iter().enumerate() {
                    let _ = writeln!(
                        out,
                        "{pad}  slot {i} = t/{}{}{} % {}{}",
                        slot.every,
                        if slot.shift < 0 { "" } else { "+" },
                        slot.shift,
                        slot.modulus,
                        if slot.in_place { " in place" } else { "" }
                    );
                }
                let each = format!("{pad}  each");
                out.push_str(&cluster_text::scalars_text(scalars, &each, &p.decls, &p.exprs));
                write_block(out, s.body(), p, depth + 1);
                let _ = writeln!(out, "{pad}}}");
                continue;
            }
            Stmt::First(_) => "first".to_string(),
            Stmt::Steps(_) => "steps".to_string(),
            Stmt::When { every, .. } => format!("every {every}"),
            Stmt::Until { ticket, .. } => format!("until {ticket}"),
            Stmt::Nest { outer: l, .. } | Stmt::Loop(l) => loop_head(l, &p.decls),
            Stmt::Front { front, .. } => front_head(front, &p.decls),
            Stmt::Lagged { lag, from, to, .. } => {
                let cut = Front::shared(p.decls.rank()) + 1;
                let whole = (0..cut).all(|d| (from[d], to[d]) == (0, p.decls.dims[d].size as i64));
                let range = |d: usize| format!("{}:{}", from[d], to[d]);
                let ranges: Vec<String> = (0..cut).map(range).collect();
                let part = if whole { String::new() } else { format!(" [{}]", ranges.join(", ")) };
                format!("lag {}{part}", lag_text(*lag))
            }
            Stmt::Reduce { series, op, outer, .. } => {
                let to = text::series_text(&p.decls, *series);
                format!("reduce {to} {} {}", op.name(), loop_head(outer, &p.decls))
            }
            _ => {
                let _ = writeln!(out, "{pad}{}", line(s, &p.decls, &p.exprs));
                continue;
            }
        };
        let _ = writeln!(out, "{pad}{head} {{");
        write_block(out, s.body(), p, depth + 1);
        let _ = writeln!(out, "{pad}}}");
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = text::header(&self.decls);
        out.push_str(&cluster_text::scalars_text(&self.scalars, "  once", &self.decls, &self.exprs));
        write_block(&mut out, &self.body, self, 1);
        out.push_str("}\n");
        f.write_str(&out)
    }
}

impl Program {
    /// Reads what the printer prints.
    ///
    /// # Errors
    /// The first place where the text is not a program of this level.
    pub fn parse(source: &str) -> Result<Program, ParseError> {
        let (decls, exprs, (scalars, body)) = text::parse_program(source, |c, d, exprs| {
            let scalars = cluster_text::parse_scalars(c, "once", d, exprs)?;
            Ok((scalars, block(c, d, exprs, false)?))
        })?;
        Ok(Program { decls, exprs, scalars, body })
    }
}

fn block(c: &mut Cursor, d: &Decls, exprs: &mut Arena, nested: bool) -> Result<Vec<Stmt>, ParseError> {
    let mut body = Vec::new();
    while c.peek() != "}" && !c.at_end() {
        body.push(statement(c, d, exprs, nested)?);
    }
    Ok(body)
}

fn braces(c: &mut Cursor, d: &Decls, exprs: &mut Arena, nested: bool) -> Result<Vec<Stmt>, ParseError> {
    c.open()?;
    let body = block(c, d, exprs, nested)?;
    c.close()?;
    Ok(body)
}

fn statement(c: &mut Cursor, d: &Decls, exprs: &mut Arena, nested: bool) -> Result<Stmt, ParseError> {
    let source = cluster_text::parse_source(c);
    let word = if c.peek_second() == "[" { "" } else { c.peek() };
    match word {
        "time" => {
            let direction = cluster_text::parse_direction(c)?.unwrap_or(Direction::Ascending);
            c.open()?;
            let slots = slots(c)?;
            let scalars = cluster_text::parse_scalars(c, "each", d, exprs)?;
            let body = block(c, d, exprs, nested)?;
            c.close()?;
            return Ok(Stmt::Time { direction, slots, scalars, body });
        }
        "first" => {
            c.word()?;
            return Ok(Stmt::First(braces(c, d, exprs, nested)?));
        }
        "steps" => {
            c.word()?;
            return Ok(Stmt::Steps(braces(c, d, exprs, nested)?));
        }
        "reduce" => {
            c.word()?;
            let series = text::series(c, d)?;
            let op = stencil::text::reduction(c)?;
            let Some((dim, form, step)) = loop_form(c, d)? else { return c.error("a loop") };
            let outer = Loop { dim, form, step, body: braces(c, d, exprs, true)? };
            let source = source.into_iter().next().unwrap_or_default();
            return Ok(Stmt::Reduce { series, op, outer, source });
        }
        "accumulate" => {
            c.word()?;
            return Ok(Stmt::Accumulate(text::expression(c, d, exprs)?));
        }
        "prefetch" => {
            c.word()?;
            return Ok(Stmt::Prefetch(text::access(c, d)?));
        }
        "stream" => {
            c.word()?;
            return Ok(Stmt::Stream(cluster_text::parse_slice(c, d)?));
        }
        "every" => {
            c.word()?;
            let every = c.positive()?;
            return Ok(Stmt::When { every, body: braces(c, d, exprs, nested)? });
        }
        "until" => {
            c.word()?;
            let ticket = cluster_text::ticket(c)?;
            return Ok(Stmt::Until { ticket, body: braces(c, d, exprs, nested)? });
        }
        "front" => {
            let front = front(c, d)?;
            return Ok(Stmt::Front { front, body: braces(c, d, exprs, false)? });
        }
        "lag" => return lagged(c, d, exprs),
        "encode" | "decode" => return part(c, d),
        _ => {}
    }
    if let Some((dim, form, step)) = loop_form(c, d)? {
        let l = Loop { dim, form, step, body: braces(c, d, exprs, true)? };
        return Ok(if nested { Stmt::Loop(l) } else { Stmt::Nest { source, outer: l } });
    }
    let source = source.into_iter().next().unwrap_or_default();
    Ok(match cluster_text::parse_effect(c, d, exprs)? {
        Some(Action::Inject { sparse, table, target, value }) => {
            Stmt::Inject { sparse, table, target, value, source }
        }
        Some(Action::Interpolate { sparse, table, time, value, increment }) => {
            Stmt::Interpolate { sparse, table, time, value, increment, source }
        }
        Some(Action::Compress { ticket, store, time, slice }) => {
            Stmt::Compress { ticket, store, time, slice, rows: rows(c)?, source }
        }
        Some(Action::Decompress { ticket, store, time, slice }) => {
            Stmt::Decompress { ticket, store, time, slice, rows: rows(c)? }
        }
        Some(Action::Wait(ticket)) => Stmt::Wait(ticket),
        Some(Action::Points { .. } | Action::Reduce { .. }) | None => {
            match cluster_text::parse_point(c, d, exprs)? {
                PointStatement::Let { local, value } => Stmt::Let { local, value },
                PointStatement::Assign { target, value, increment } => {
                    Stmt::Assign { target, value, increment }
                }
            }
        }
    })
}

/// `in parts of 32` when it comes next, else 0.
fn rows(c: &mut Cursor) -> Result<usize, ParseError> {
    if !c.keyword("in") {
        return Ok(0);
    }
    c.expect("parts")?;
    c.expect("of")?;
    c.positive()
}

fn part(c: &mut Cursor, d: &Decls) -> Result<Stmt, ParseError> {
    let decode = c.word()? == "decode";
    let ticket = cluster_text::ticket(c)?;
    let Some(store) = d.find_field(c.peek()) else { return c.error("the name of a field") };
    c.word()?;
    c.expect(if decode { "->" } else { "<-" })?;
    let slice = cluster_text::parse_slice(c, d)?;
    Ok(Stmt::Part { ticket, store, slice, decode })
}

fn loop_form(c: &mut Cursor, d: &Decls) -> Result<Option<(usize, LoopForm, usize)>, ParseError> {
    let parallel = c.keyword("parallel");
    if parallel || c.is_keyword("tiles") {
        c.expect("tiles")?;
        let dim = dimension(c, d)?;
        let (from, to) = bounds(c, d, dim)?;
        c.expect("by")?;
        return Ok(Some((dim, LoopForm::Tiles { from, to, size: c.integer()?, parallel }, 1)));
    }
    let simd = c.is_keyword("simd");
    if !simd && !c.is_keyword("for") {
        return Ok(None);
    }
    c.word()?;
    let dim = dimension(c, d)?;
    let step = if c.eat("by") { c.positive()? } else { 1 };
    if c.eat("in") {
        c.expect("tile")?;
        let (before, after) = if c.eat("widened") { (c.integer()?, c.integer()?) } else { (0, 0) };
        return Ok(Some((dim, LoopForm::Tile { before, after, simd }, step)));
    }
    let (from, to) = bounds(c, d, dim)?;
    Ok(Some((dim, LoopForm::Points { from, to, simd }, step)))
}

/// `[1:63]` when it comes next, else the whole dimension.
fn bounds(c: &mut Cursor, d: &Decls, dim: usize) -> Result<(i64, i64), ParseError> {
    if !c.eat("[") {
        return Ok((0, d.dims[dim].size as i64));
    }
    let range = text::range(c)?;
    c.expect("]")?;
    Ok(range)
}

fn dimension(c: &mut Cursor, d: &Decls) -> Result<usize, ParseError> {
    match d.dims.iter().position(|x| x.name == c.peek()) {
        Some(i) => {
            c.word()?;
            Ok(i)
        }
        None => c.error("a dimension"),
    }
}

fn slots(c: &mut Cursor) -> Result<Vec<Slot>, ParseError> {
    let mut slots = Vec::new();
    while c.keyword("slot") {
        c.integer::<usize>()?;
        c.expect("=")?;
        c.expect("t")?;
        c.expect("/")?;
        let every = c.positive()?;
        c.eat("+");
        let shift = c.integer()?;
        c.expect("%")?;
        slots.push(Slot { every, shift, modulus: c.integer()?, in_place: in_place(c)? });
    }
    Ok(slots)
}
