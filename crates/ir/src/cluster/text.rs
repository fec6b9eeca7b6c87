//! Printer and parser of the cluster level.

use super::{Action, Cluster, PointStatement, Program, ScalarLet, Slice, Stage};
use crate::stencil;
use crate::text::{self, Cursor, ParseError};
use crate::{Access, Arena, Decls, Direction, FieldId, Region, TicketId};
use std::fmt::{self, Write};

pub(crate) fn point_text(s: &PointStatement, d: &Decls, exprs: &Arena) -> String {
    match s {
        PointStatement::Let { local, value } => {
            format!("{local} = {}", text::expression_text(d, exprs, *value))
        }
        PointStatement::Assign { target, value, increment } => {
            stencil::Action::Assign { target: *target, value: *value, increment: *increment }.text(d, exprs)
        }
    }
}

pub(crate) fn parse_point(
    c: &mut Cursor,
    d: &Decls,
    exprs: &mut Arena,
) -> Result<PointStatement, ParseError> {
    if c.peek_second() == "=" {
        let local = text::local(c)?;
        c.expect("=")?;
        return Ok(PointStatement::Let { local, value: text::expression(c, d, exprs)? });
    }
    match stencil::Action::parse(c, d, exprs)? {
        stencil::Action::Assign { target, value, increment } => {
            Ok(PointStatement::Assign { target, value, increment })
        }
        _ => c.error("an assignment before this"),
    }
}

/// `usave[t+1]`
pub(crate) fn slice_text(d: &Decls, field: FieldId, time: i32) -> String {
    let field = d.field(field);
    if field.is_time() { format!("{}[{}]", field.name, text::time_text(time)) } else { field.name.clone() }
}

pub(crate) fn parse_slice(c: &mut Cursor, d: &Decls) -> Result<Slice, ParseError> {
    let Some(field) = d.find_field(c.peek()) else { return c.error("the name of a field") };
    c.word()?;
    let mut time = 0;
    if d.field(field).is_time() {
        c.expect("[")?;
        time = text::shifted(c, "t")?;
        c.expect("]")?;
    }
    Ok(Slice { field, time })
}

/// The text of everything but point statements.
pub(crate) fn effect_text(action: &Action, d: &Decls, exprs: &Arena) -> String {
    match action {
        Action::Points { .. } => String::new(),
        Action::Inject { sparse, table, target, value } => {
            stencil::Action::Inject { sparse: *sparse, table: *table, target: *target, value: *value }
                .text(d, exprs)
        }
        Action::Reduce { series, op, value, .. } => {
            stencil::Action::Reduce { series: *series, op: *op, value: *value }.text(d, exprs)
        }
        Action::Interpolate { sparse, table, time, value, increment } => stencil::Action::Interpolate {
            sparse: *sparse,
            table: *table,
            time: *time,
            value: *value,
            increment: *increment,
        }
        .text(d, exprs),
        Action::Compress { ticket, store, time, slice } => format!(
            "{ticket} = compress {} <- {}",
            slice_text(d, *store, *time),
            slice_text(d, slice.field, slice.time)
        ),
        Action::Decompress { ticket, store, time, slice } => format!(
            "{ticket} = decompress {} -> {}",
            slice_text(d, *store, *time),
            slice_text(d, slice.field, slice.time)
        ),
        Action::Wait(ticket) => format!("wait {ticket}"),
    }
}

pub(crate) fn ticket(c: &mut Cursor) -> Result<TicketId, ParseError> {
    match c.peek().strip_prefix('k').and_then(|n| n.parse().ok()) {
        Some(n) => {
            c.word()?;
            Ok(TicketId(n))
        }
        None => c.error("a ticket"),
    }
}

/// Reads one effect, or nothing when the next statement is none.
pub(crate) fn parse_effect(
    c: &mut Cursor,
    d: &Decls,
    exprs: &mut Arena,
) -> Result<Option<Action>, ParseError> {
    if c.keyword("wait") {
        return Ok(Some(Action::Wait(ticket(c)?)));
    }
    if c.is_keyword("inject") || c.is_keyword("interpolate") || c.is_keyword("reduce") {
        return Ok(Some(match stencil::Action::parse(c, d, exprs)? {
            stencil::Action::Inject { sparse, table, target, value } => {
                Action::Inject { sparse, table, target, value }
            }
            stencil::Action::Interpolate { sparse, table, time, value, increment } => {
                Action::Interpolate { sparse, table, time, value, increment }
            }
            stencil::Action::Reduce { series, op, value } => {
                Action::Reduce { region: Region::domain(&d.dims), series, op, value }
            }
            stencil::Action::Assign { .. } => return c.error("an effect before this"),
        }));
    }
    if !(c.peek().starts_with('k') && c.peek_second() == "=") {
        return Ok(None);
    }
    let ticket = ticket(c)?;
    c.expect("=")?;
    let compress = c.eat("compress");
    if !compress {
        c.expect("decompress")?;
    }
    let Slice { field: store, time } = parse_slice(c, d)?;
    c.expect(if compress { "<-" } else { "->" })?;
    let slice = parse_slice(c, d)?;
    Ok(Some(if compress {
        Action::Compress { ticket, store, time, slice }
    } else {
        Action::Decompress { ticket, store, time, slice }
    }))
}

/// One line per equation.
pub(crate) fn source_text(source: &[String], indent: &str) -> String {
    source.iter().fold(String::new(), |mut s, line| {
        let _ = writeln!(s, "{indent}# {line}");
        s
    })
}

pub(crate) fn parse_source(c: &mut Cursor) -> Vec<String> {
    std::iter::from_fn(|| c.comment().map(str::to_string)).collect()
}

fn write_cluster(f: &mut fmt::Formatter<'_>, p: &Program, cluster: &Cluster, indent: &str) -> fmt::Result {
    f.write_str(&source_text(&cluster.source, indent))?;
    f.write_str(indent)?;
    if cluster.every > 1 {
        write!(f, "every {} ", cluster.every)?;
    }
    match &cluster.action {
        Action::Points { region, stages, statements, serial } => {
            write!(f, "{}points", if *serial { "serial " } else { "" })?;
            if let Some(region) = text::region_text(&p.decls, region) {
                write!(f, " on {region}")?;
            }
            writeln!(f, " {{")?;
            for stage in stages {
                writeln!(f, "{indent}  stage widened {} {{", widen_text(&stage.widen, &p.decls))?;
                for s in &stage.statements {
                    writeln!(f, "{indent}    {}", point_text(s, &p.decls, &p.exprs))?;
                }
                writeln!(f, "{indent}  }}")?;
            }
            for s in statements {
                writeln!(f, "{indent}  {}", point_text(s, &p.decls, &p.exprs))?;
            }
            writeln!(f, "{indent}}}")
        }
        other => {
            if let Action::Reduce { region, .. } = other
                && let Some(region) = text::region_text(&p.decls, region)
            {
                write!(f, "on {region} ")?;
            }
            writeln!(f, "{}", effect_text(other, &p.decls, &p.exprs))
        }
    }
}

fn parse_cluster(c: &mut Cursor, d: &Decls, exprs: &mut Arena) -> Result<Cluster, ParseError> {
    let source = parse_source(c);
    let every = if c.keyword("every") { c.positive()? } else { 1 };
    if c.keyword_before_range("on") {
        let part = text::region(c, d)?;
        return match parse_effect(c, d, exprs)? {
            Some(Action::Reduce { series, op, value, .. }) => {
                Ok(Cluster { every, action: Action::Reduce { region: part, series, op, value }, source })
            }
            _ => c.error("a reduction before this"),
        };
    }
    if let Some(action) = parse_effect(c, d, exprs)? {
        return Ok(Cluster { every, action, source });
    }
    let serial = c.eat("serial");
    c.expect("points")?;
    let region = if c.keyword_before_range("on") { text::region(c, d)? } else { Region::domain(&d.dims) };
    c.expect("{")?;
    let (mut stages, mut statements) = (Vec::new(), Vec::new());
    while c.keyword("stage") {
        c.expect("widened")?;
        let mut widen = [(0, 0); 3];
        for w in widen.iter_mut().take(d.rank()) {
            *w = text::range(c)?;
        }
        c.expect("{")?;
        let mut statements = Vec::new();
        while !c.eat("}") {
            statements.push(parse_point(c, d, exprs)?);
        }
        stages.push(Stage { widen, statements });
    }
    while !c.eat("}") {
        statements.push(parse_point(c, d, exprs)?);
    }
    Ok(Cluster { every, action: Action::Points { region, stages, statements, serial }, source })
}

/// `2:2 0:1`: points before and after, per dimension.
fn widen_text(widen: &[(i64, i64); 3], d: &Decls) -> String {
    let list: Vec<String> = widen.iter().take(d.rank()).map(|(a, b)| format!("{a}:{b}")).collect();
    list.join(" ")
}

/// Lines that begin with `once` or `each`.
pub(crate) fn parse_scalars(
    c: &mut Cursor,
    word: &str,
    d: &Decls,
    exprs: &mut Arena,
) -> Result<Vec<ScalarLet>, ParseError> {
    let mut scalars = Vec::new();
    while c.keyword(word) {
        let local = text::local(c)?;
        c.expect("=")?;
        scalars.push(ScalarLet { local, value: text::expression(c, d, exprs)? });
    }
    Ok(scalars)
}

pub(crate) fn scalars_text(scalars: &[ScalarLet], word: &str, d: &Decls, exprs: &Arena) -> String {
    scalars.iter().fold(String::new(), |mut s, l| {
        let _ = writeln!(s, "{word} {} = {}", l.local, text::expression_text(d, exprs, l.value));
        s
    })
}

pub(crate) fn parse_direction(c: &mut Cursor) -> Result<Option<Direction>, ParseError> {
    Ok(if c.keyword("time") {
        if c.eat("descending") {
            Some(Direction::Descending)
        } else {
            c.expect("ascending")?;
            Some(Direction::Ascending)
        }
    } else {
        None
    })
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text::header(&self.decls))?;
        f.write_str(&scalars_text(&self.scalars, "  once", &self.decls, &self.exprs))?;
        if let Some(direction) = self.direction {
            writeln!(f, "  time {direction}")?;
        }
        f.write_str(&scalars_text(&self.step_scalars, "  each", &self.decls, &self.exprs))?;
        if !self.first.is_empty() {
            writeln!(f, "  first {{")?;
            for cluster in &self.first {
                write_cluster(f, self, cluster, "    ")?;
            }
            writeln!(f, "  }}")?;
        }
        for cluster in &self.clusters {
            write_cluster(f, self, cluster, "  ")?;
        }
        writeln!(f, "}}")
    }
}

impl Program {
    /// Reads what the printer prints.
    ///
    /// # Errors
    /// The first place where the text is not a program of this level.
    pub fn parse(source: &str) -> Result<Program, ParseError> {
        let (decls, exprs, (scalars, direction, step_scalars, first, clusters)) =
            text::parse_program(source, |c, d, exprs| {
                let scalars = parse_scalars(c, "once", d, exprs)?;
                let direction = parse_direction(c)?;
                let step_scalars = parse_scalars(c, "each", d, exprs)?;
                let mut first = Vec::new();
                if c.eat("first") {
                    c.expect("{")?;
                    while !c.eat("}") {
                        first.push(parse_cluster(c, d, exprs)?);
                    }
                }
                let mut clusters = Vec::new();
                while c.peek() != "}" && !c.at_end() {
                    clusters.push(parse_cluster(c, d, exprs)?);
                }
                Ok((scalars, direction, step_scalars, first, clusters))
            })?;
        Ok(Program { decls, exprs, direction, scalars, step_scalars, first, clusters })
    }

    /// A target or load as text, for messages.
    pub fn access_text(&self, a: &Access) -> String {
        text::access_text(&self.decls, a)
    }
}
