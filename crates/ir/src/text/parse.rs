//! Reading of expressions and of the frame of a program.

use super::decls::declarations;
use super::lex::{Cursor, ParseError};
use crate::{
    Access, Arena, Comparison, Decls, Derivative, Expr, ExprId, Func, LocalId, Number, Region, ScalarId,
    Side, SparseId, TableId,
};
use smallvec::{SmallVec, smallvec};

/// Deepest nesting of parentheses that is read; deeper text is an error, not a stack overflow.
const MAX_DEPTH: usize = 200;

/// Reads `operator .. { declarations, body }`.
pub(crate) fn parse_program<B>(
    text: &str,
    body: impl FnOnce(&mut Cursor, &Decls, &mut Arena) -> Result<B, ParseError>,
) -> Result<(Decls, Arena, B), ParseError> {
    let mut c = Cursor::new(text)?;
    let decls = declarations(&mut c)?;
    let mut arena = Arena::new();
    let b = body(&mut c, &decls, &mut arena)?;
    c.expect("}")?;
    if !c.at_end() {
        return c.error("the end of the text");
    }
    Ok((decls, arena, b))
}

/// `u[t+1, x, y-2]`, a target or a load.
pub(crate) fn access(c: &mut Cursor, d: &Decls) -> Result<Access, ParseError> {
    let name = c.word()?;
    let Some(field) = d.find_field(name) else { return c.error("the name of a field before this") };
    c.expect("[")?;
    let mut access = Access::here(field, 0);
    if d.field(field).is_time() {
        access.time = shifted(c, "t")?;
        c.expect(",")?;
    }
    for (i, dim) in d.dims.iter().enumerate() {
        if i > 0 {
            c.expect(",")?;
        }
        access.offsets[i] = shifted(c, &dim.name)?;
    }
    c.expect("]")?;
    Ok(access)
}

/// `NAME`, `NAME+k` or `NAME-k`.
pub(crate) fn shifted(c: &mut Cursor, name: &str) -> Result<i32, ParseError> {
    c.expect(name)?;
    if c.eat("+") || c.peek() == "-" { c.integer() } else { Ok(0) }
}

/// An expression; nodes are kept as printed.
pub(crate) fn expression(c: &mut Cursor, d: &Decls, arena: &mut Arena) -> Result<ExprId, ParseError> {
    sum(c, d, arena, 0)
}

fn sum(c: &mut Cursor, d: &Decls, arena: &mut Arena, depth: usize) -> Result<ExprId, ParseError> {
    if depth > MAX_DEPTH {
        return c.error("less nesting");
    }
    let first = term(c, d, arena, depth)?;
    if c.eat("-") {
        let second = term(c, d, arena, depth)?;
        return Ok(arena.intern(Expr::Sub(first, second)));
    }
    let mut children: SmallVec<[ExprId; 4]> = smallvec![first];
    while c.eat("+") {
        children.push(term(c, d, arena, depth)?);
    }
    Ok(if children.len() == 1 { first } else { arena.intern(Expr::Sum(children)) })
}

fn term(c: &mut Cursor, d: &Decls, arena: &mut Arena, depth: usize) -> Result<ExprId, ParseError> {
    let first = factor(c, d, arena, depth)?;
    if c.eat("/") {
        let second = factor(c, d, arena, depth)?;
        return Ok(arena.intern(Expr::Div(first, second)));
    }
    let mut children: SmallVec<[ExprId; 4]> = smallvec![first];
    while c.eat("*") {
        children.push(factor(c, d, arena, depth)?);
    }
    Ok(if children.len() == 1 { first } else { arena.intern(Expr::Product(children)) })
}

fn factor(c: &mut Cursor, d: &Decls, arena: &mut Arena, depth: usize) -> Result<ExprId, ParseError> {
    let base = atom(c, d, arena, depth)?;
    if !c.eat("^") {
        return Ok(base);
    }
    let n = c.integer()?;
    Ok(arena.intern(Expr::Power(base, n)))
}

fn atom(c: &mut Cursor, d: &Decls, arena: &mut Arena, depth: usize) -> Result<ExprId, ParseError> {
    if c.eat("(") {
        let e = sum(c, d, arena, depth + 1)?;
        c.expect(")")?;
        return Ok(e);
    }
    if c.is_number() || c.peek() == "-" || c.is_keyword("inf") || c.is_keyword("NaN") {
        let v = c.number()?;
        return Ok(arena.number(v));
    }
    if !c.is_word() {
        return c.error("an expression");
    }
    match c.peek_second() {
        "(" => call(c, d, arena, depth),
        "[" => match d.sparse.iter().position(|s| s.name == c.peek()) {
            Some(i) => {
                let time = sparse_index(c, d, SparseId(i as u32))?;
                Ok(arena.intern(Expr::Sparse(SparseId(i as u32), time)))
            }
            None => {
                let a = access(c, d)?;
                Ok(arena.load(a))
            }
        },
        _ => {
            if let Some(i) = d.scalars.iter().position(|s| s.name == c.peek()) {
                c.word()?;
                return Ok(arena.intern(Expr::Scalar(ScalarId(i as u32))));
            }
            let local = local(c)?;
            Ok(arena.intern(Expr::Local(local)))
        }
    }
}

/// `src[t+1, p]`; the shift is 0 for values without time.
pub(crate) fn sparse_index(c: &mut Cursor, d: &Decls, id: SparseId) -> Result<i32, ParseError> {
    c.word()?;
    c.expect("[")?;
    let mut time = 0;
    if d.sparse(id).steps.is_some() {
        time = shifted(c, "t")?;
        c.expect(",")?;
    }
    c.expect("p")?;
    c.expect("]")?;
    Ok(time)
}

/// `energy[t]`, or `total` for a value without time.
pub(crate) fn series(c: &mut Cursor, d: &Decls) -> Result<SparseId, ParseError> {
    let Some(i) = d.sparse.iter().position(|s| s.name == c.peek()) else {
        return c.error("the name of a series");
    };
    c.word()?;
    if d.sparse[i].steps.is_some() {
        c.expect("[")?;
        c.expect("t")?;
        c.expect("]")?;
    }
    Ok(SparseId(i as u32))
}

/// `r7`
pub(crate) fn local(c: &mut Cursor) -> Result<LocalId, ParseError> {
    match c.peek().strip_prefix('r').and_then(|n| n.parse().ok()) {
        Some(n) => {
            c.word()?;
            Ok(LocalId(n))
        }
        None => c.error("a declared name"),
    }
}

fn call(c: &mut Cursor, d: &Decls, arena: &mut Arena, depth: usize) -> Result<ExprId, ParseError> {
    let name = c.word()?;
    c.expect("(")?;
    if name == "index" {
        let node = match d.dims.iter().position(|x| x.name == c.peek()) {
            Some(i) => Expr::Index(i as u8),
            None if c.peek() == "t" => Expr::Step,
            None => return c.error("a dimension or `t`"),
        };
        c.word()?;
        c.expect(")")?;
        return Ok(arena.intern(node));
    }
    let mut args: SmallVec<[ExprId; 2]> = smallvec![sum(c, d, arena, depth + 1)?];
    if name == "diff" {
        return derivative(c, d, arena, args[0]);
    }
    while c.eat(",") {
        args.push(sum(c, d, arena, depth + 1)?);
    }
    c.expect(")")?;
    let node = match (name, args.as_slice()) {
        ("neg", [a]) => Expr::Neg(*a),
        ("fma", [x, y, z]) => Expr::Fma(*x, *y, *z),
        ("less", [a, b]) => Expr::Compare(Comparison::Less, *a, *b),
        ("less_or_equal", [a, b]) => Expr::Compare(Comparison::LessOrEqual, *a, *b),
        ("equal", [a, b]) => Expr::Compare(Comparison::Equal, *a, *b),
        ("and", [a, b]) => Expr::And(*a, *b),
        ("or", [a, b]) => Expr::Or(*a, *b),
        ("not", [a]) => Expr::Not(*a),
        ("select", [c, a, b]) => Expr::Select(*c, *a, *b),
        _ => match Func::ALL.iter().find(|(_, n, arity)| *n == name && *arity == args.len()) {
            Some((f, ..)) => Expr::Call(*f, args),
            None => return c.error(&format!("a function instead of `{name}`")),
        },
    };
    Ok(arena.intern(node))
}

fn derivative(c: &mut Cursor, d: &Decls, arena: &mut Arena, of: ExprId) -> Result<ExprId, ParseError> {
    c.expect(",")?;
    let name = c.word()?;
    let Some(dim) = d.dims.iter().position(|x| x.name == name) else {
        return c.error("a dimension before this");
    };
    c.expect(",")?;
    let degree = c.integer()?;
    c.expect(",")?;
    let mut v = Derivative {
        of,
        dim: dim as u8,
        degree,
        order: 0,
        side: Side::Centered,
        shift: 0,
        transpose: false,
        weights: None,
    };
    if c.eat("weights") {
        v.weights = Some(weights(c)?);
    } else {
        c.expect("order")?;
        v.order = c.integer()?;
        c.expect(",")?;
        v.side = match c.word()? {
            "centered" => Side::Centered,
            "left" => Side::Left,
            "right" => Side::Right,
            _ => return c.error("a side before this"),
        };
    }
    while c.eat(",") {
        if c.eat("shift") {
            v.shift = c.integer()?;
        } else {
            c.expect("transposed")?;
            v.transpose = true;
        }
    }
    c.expect(")")?;
    Ok(arena.intern(Expr::Derivative(v)))
}

/// `(-1: -0.5, 1: 0.5)`
fn weights(c: &mut Cursor) -> Result<Box<[(i32, Number)]>, ParseError> {
    c.expect("(")?;
    let mut list = Vec::new();
    while !c.eat(")") {
        let offset = c.integer()?;
        c.expect(":")?;
        list.push((offset, Number::new(c.number()?)));
        c.eat(",");
    }
    Ok(list.into())
}

/// `node`, or the dimensions in which values lie half a spacing up: `x+y`.
pub(super) fn half(c: &mut Cursor, d: &Decls) -> Result<[bool; 3], ParseError> {
    let mut half = [false; 3];
    if c.eat("node") {
        return Ok(half);
    }
    loop {
        match d.dims.iter().position(|x| x.name == c.peek()) {
            Some(i) => half[i] = true,
            None => return c.error("a dimension"),
        }
        c.word()?;
        // What follows may also be the `+=` of an interpolation.
        if c.peek() != "+" || c.peek_second() == "=" {
            return Ok(half);
        }
        c.expect("+")?;
    }
}

/// What may follow the name of sparse points: ` at x+y`. The table that lies there.
pub(crate) fn table_at(c: &mut Cursor, d: &Decls, sparse: SparseId) -> Result<TableId, ParseError> {
    let half = if c.eat("at") { half(c, d)? } else { [false; 3] };
    match d.tables.iter().position(|t| t.sparse == sparse && t.half == half) {
        Some(i) => Ok(TableId(i as u32)),
        None => c.error("points with a table before this"),
    }
}

/// `[2:10, 0:4]` when it comes next, else the whole domain.
pub(crate) fn region(c: &mut Cursor, d: &Decls) -> Result<Region, ParseError> {
    let mut region = Region::domain(&d.dims);
    if !c.eat("[") {
        return Ok(region);
    }
    for i in 0..d.rank() {
        if i > 0 {
            c.expect(",")?;
        }
        (region.from[i], region.to[i]) = range(c)?;
    }
    c.expect("]")?;
    Ok(region)
}

/// `2:10`
pub(crate) fn range(c: &mut Cursor) -> Result<(i64, i64), ParseError> {
    let from = c.integer()?;
    c.expect(":")?;
    Ok((from, c.integer()?))
}
