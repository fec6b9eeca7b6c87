//! Reading of expressions and of the frame of a program.

use super::decls::declarations;
use super::lex::{Cursor, ParseError};
use crate::{Access, Arena, Decls, Derivative, Expr, ExprId, Func, LocalId, ScalarId, Side, SparseId};
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
    c.expect("order")?;
    let order = c.integer()?;
    c.expect(",")?;
    let side = match c.word()? {
        "centered" => Side::Centered,
        "left" => Side::Left,
        "right" => Side::Right,
        _ => return c.error("a side before this"),
    };
    let transpose = c.eat(",");
    if transpose {
        c.expect("transposed")?;
    }
    c.expect(")")?;
    Ok(arena.intern(Expr::Derivative(Derivative { of, dim: dim as u8, degree, order, side, transpose })))
}
