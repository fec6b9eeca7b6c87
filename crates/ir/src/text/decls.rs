//! Reading of declarations.

use super::lex::{Cursor, ParseError};
use super::parse::{half, range};
use crate::{
    Compression, DType, Decls, Dim, Field, FieldKind, Layout, ScalarDecl, ScalarKind, SparseDecl, SparseId,
    TableDecl, Window,
};

/// `operator NAME TYPE {` and all declarations.
pub(super) fn declarations(c: &mut Cursor) -> Result<Decls, ParseError> {
    c.expect("operator")?;
    let name = c.word()?.to_string();
    let Some(dtype) = scalar_type(c) else { return c.error("`f32` or `f64`") };
    c.expect("{")?;
    let mut d =
        Decls { name, dtype, dims: vec![], scalars: vec![], fields: vec![], sparse: vec![], tables: vec![] };
    loop {
        if c.keyword("dim") {
            let name = c.word()?.to_string();
            if d.dims.len() == 3 {
                return c.error("at most three dimensions before this");
            }
            let size = c.integer()?;
            c.expect("spacing")?;
            d.dims.push(Dim { name, size, spacing: c.number()? });
        } else if c.keyword("scalar") {
            let name = c.word()?.to_string();
            let kind = match c.word()? {
                "step" => ScalarKind::Step,
                "constant" => ScalarKind::Constant,
                _ => return c.error("`step` or `constant`"),
            };
            d.scalars.push(ScalarDecl { name, kind });
        } else if c.keyword("field") {
            let field = field(c, &d)?;
            d.fields.push(field);
        } else if c.keyword("sparse") {
            let name = c.word()?.to_string();
            let dtype = scalar_type(c).unwrap_or(d.dtype);
            c.expect("points")?;
            let points = c.integer()?;
            let steps = if c.eat("steps") { Some(c.integer()?) } else { None };
            d.sparse.push(SparseDecl { name, points, steps, dtype });
        } else if c.keyword("table") {
            let table = table(c, &d)?;
            d.tables.push(table);
        } else {
            return Ok(d);
        }
    }
}

/// A type, when one comes next.
fn scalar_type(c: &mut Cursor) -> Option<DType> {
    match () {
        () if c.eat("f32") => Some(DType::F32),
        () if c.eat("f64") => Some(DType::F64),
        () => None,
    }
}

fn table(c: &mut Cursor, d: &Decls) -> Result<TableDecl, ParseError> {
    let Some(sparse) = d.sparse.iter().position(|s| s.name == c.peek()) else {
        return c.error("the name of sparse points");
    };
    c.word()?;
    c.expect("at")?;
    let half = half(c, d)?;
    c.expect("corners")?;
    let corners = c.positive()?;
    let moving = c.eat("moving");
    let planes = c.eat("planes");
    Ok(TableDecl { sparse: SparseId(sparse as u32), half, corners, moving, planes })
}

/// The words `in place`, where a field or slot has them.
pub(crate) fn in_place(c: &mut Cursor) -> Result<bool, ParseError> {
    let there = c.keyword("in");
    if there {
        c.expect("place")?;
    }
    Ok(there)
}

fn field(c: &mut Cursor, d: &Decls) -> Result<Field, ParseError> {
    let name = c.word()?.to_string();
    let kind = match c.word()? {
        "space" => FieldKind::Space,
        "invariant" => FieldKind::Invariant,
        "tile" => FieldKind::Tile,
        "buffered" => FieldKind::Buffered { slots: c.positive()?, in_place: in_place(c)? },
        "saved" => FieldKind::Saved { steps: c.integer()?, every: every(c)? },
        "compressed" => FieldKind::Compressed { steps: c.integer()?, every: every(c)?, codec: codec(c)? },
        "ring" => {
            let slots = c.positive()?;
            let every = every(c)?;
            c.expect("of")?;
            let name = c.word()?;
            match d.find_field(name) {
                Some(of) => FieldKind::Ring { slots, every, of },
                None => return c.error("a declared field"),
            }
        }
        _ => return c.error("a kind of field"),
    };
    let dtype = scalar_type(c).unwrap_or(d.dtype);
    c.expect("halo")?;
    let halo = c.integer()?;
    let window = if c.keyword_before_range("in") { Some(window(c)?) } else { None };
    let tight = c.keyword("tight");
    let layout = if c.eat("alloc") {
        let alloc = tuple(c)?;
        c.expect("pad")?;
        let pad = tuple(c)?;
        Some(Layout { alloc, pad, aligned: !tight, turns: c.keyword("turns") })
    } else {
        None
    };
    let by_rows = c.keyword("by");
    if by_rows {
        c.expect("rows")?;
    }
    Ok(Field { name, kind, dtype, halo, window, tight, layout, by_rows })
}

/// `[2:10, 0:4]`
fn window(c: &mut Cursor) -> Result<Window, ParseError> {
    let mut window = Window { from: vec![], shape: vec![] };
    c.expect("[")?;
    loop {
        let (from, to) = range(c)?;
        let (Ok(first), Ok(points)) = (usize::try_from(from), usize::try_from(to.saturating_sub(from)))
        else {
            return c.error("a range of points before this");
        };
        window.from.push(first);
        window.shape.push(points);
        if !c.eat(",") {
            c.expect("]")?;
            return Ok(window);
        }
    }
}

fn every(c: &mut Cursor) -> Result<usize, ParseError> {
    c.expect("every")?;
    c.positive()
}

fn codec(c: &mut Cursor) -> Result<Compression, ParseError> {
    Ok(match c.word()? {
        "noop" => Compression::Noop,
        "quantize" => Compression::Quantize { nbits: c.integer()? },
        "wavelet" => Compression::Wavelet { compscale: c.number()? },
        "lapped" => Compression::Lapped { compscale: c.number()? },
        "lapped_snr" => Compression::LappedSnr { snr: c.number()? },
        _ => return c.error("a codec"),
    })
}

fn tuple(c: &mut Cursor) -> Result<Vec<usize>, ParseError> {
    c.expect("(")?;
    let mut values = vec![c.integer()?];
    while c.eat(",") {
        values.push(c.integer()?);
    }
    c.expect(")")?;
    Ok(values)
}
