//! Reading of declarations.

use super::lex::{Cursor, ParseError};
use crate::{Compression, DType, Decls, Dim, Field, FieldKind, Layout, ScalarDecl, ScalarKind, SparseDecl};

/// `operator NAME TYPE {` and all declarations.
pub(super) fn declarations(c: &mut Cursor) -> Result<Decls, ParseError> {
    c.expect("operator")?;
    let name = c.word()?.to_string();
    let dtype = match c.word()? {
        "f32" => DType::F32,
        "f64" => DType::F64,
        _ => return c.error("`f32` or `f64`"),
    };
    c.expect("{")?;
    let mut d = Decls { name, dtype, dims: vec![], scalars: vec![], fields: vec![], sparse: vec![] };
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
            c.expect("points")?;
            let points = c.integer()?;
            let steps = if c.eat("steps") { Some(c.integer()?) } else { None };
            d.sparse.push(SparseDecl { name, points, steps });
        } else {
            return Ok(d);
        }
    }
}

fn field(c: &mut Cursor, d: &Decls) -> Result<Field, ParseError> {
    let name = c.word()?.to_string();
    let kind = match c.word()? {
        "space" => FieldKind::Space,
        "buffered" => FieldKind::Buffered { slots: c.positive()? },
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
    c.expect("halo")?;
    let halo = c.integer()?;
    let layout = if c.eat("alloc") {
        let alloc = tuple(c)?;
        c.expect("pad")?;
        Some(Layout { alloc, pad: tuple(c)? })
    } else {
        None
    };
    Ok(Field { name, kind, halo, layout })
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
