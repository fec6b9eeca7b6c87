//! The layout of programs: one statement a line, blocks indented by four. A block that was written on one line stays there.

use crate::ast::{Equation, EquationKind, Statement, StatementKind};
use crate::diagnostic::Failure;
use crate::lexer::{Spanned, Token, lex};
use crate::program::statements;

/// Lays a program out; the result parses back to the same program, comments included.
///
/// # Errors
/// What is no program.
pub fn format(source: &str) -> Result<String, Failure> {
    let (program, wrong) = statements(source);
    if !wrong.is_empty() {
        return Err(Failure::new("program.wf", source, wrong));
    }
    let (mut starts, mut words) = (vec![], vec![]);
    collect(&program, &mut starts, &mut words);
    let tokens = lex(source).0;
    let inline = inline(source, &tokens);
    let mut inlined = 0_usize;
    let mut out = String::new();
    let mut depth = 0_usize;
    let mut previous: Option<(Token, usize, usize)> = None;
    let mut line_open = false;
    for (start, token, end) in tokens {
        let between = &source[previous.map_or(0, |(_, end, _)| end)..start];
        let newlines = between.matches('\n').count();
        let comment = matches!(token, Token::Comment(_));
        let after_comment = matches!(previous, Some((Token::Comment(_), ..)));
        let opens = matches!(previous, Some((Token::OpenBlock, ..)));
        let flat = inlined > 0;
        inlined += usize::from(inline.binary_search(&start).is_ok());
        let after_word = previous.is_some_and(|(_, _, at)| words.binary_search(&at).is_ok());
        if token == Token::CloseBlock {
            depth = depth.saturating_sub(1);
        }
        // Settings in a block keep the lines that they were written on.
        let begins = starts.binary_search(&start).is_ok();
        let closes = token == Token::CloseBlock;
        let settings = words.binary_search(&start).is_ok() && newlines > 0 && depth > 0;
        let own_line = comment && newlines > 0;
        let broken = previous.is_some()
            && (begins || closes || opens || after_comment || own_line || settings)
            && !flat;
        if broken {
            out.push('\n');
            if newlines > 1 && !opens && !closes {
                out.push('\n');
            }
            line_open = false;
        }
        if flat && begins && !opens {
            out.push_str("   ");
        } else if !line_open {
            out.push_str(&"    ".repeat(depth));
        } else if comment {
            // Comments may be aligned.
            out.push_str(&" ".repeat(between.chars().filter(|c| *c == ' ').count().max(2)));
        } else if let Some((before, ..)) = previous
            && spaced(before, token, unary(&out), between.is_empty() && !after_word)
        {
            out.push(' ');
        }
        line_open = true;
        out.push_str(source[start..end].trim_end());
        match token {
            Token::OpenBlock => depth += 1,
            Token::CloseBlock => inlined = inlined.saturating_sub(1),
            _ => {}
        }
        previous = Some((token, end, start));
    }
    if !out.is_empty() {
        out.push('\n');
    }
    Ok(out)
}

/// The places of blocks that open and close on one line, in order.
fn inline(source: &str, tokens: &[Spanned]) -> Vec<usize> {
    let (mut open, mut found) = (vec![], vec![]);
    for (start, token, _) in tokens {
        match token {
            Token::OpenBlock => open.push(*start),
            Token::CloseBlock => found.extend(open.pop().filter(|o| !source[*o..*start].contains('\n'))),
            _ => {}
        }
    }
    found.sort_unstable();
    found
}

/// Whether the minus at the end of the line is a sign.
fn unary(line: &str) -> bool {
    let Some(rest) = line.strip_suffix('-') else { return false };
    let last = rest.trim_end().chars().last();
    rest.trim_end().len() == rest.len() && last.is_some_and(|c| "([".contains(c))
        || last.is_some_and(|c| "=,*/+-^<>{".contains(c))
}

fn spaced(before: Token, token: Token, sign: bool, touching: bool) -> bool {
    if sign {
        return false;
    }
    // `11.` would be a number.
    if matches!(before, Token::Number(_)) && token == Token::Dot {
        return true;
    }
    let tight_after = matches!(
        before,
        Token::Open | Token::OpenList | Token::Dot | Token::Power | Token::Times | Token::Over
    );
    let tight_before = matches!(
        token,
        Token::Close
            | Token::CloseList
            | Token::Comma
            | Token::Dot
            | Token::Power
            | Token::Times
            | Token::Over
    );
    let call = token == Token::Open && matches!(before, Token::Name(_) | Token::Word(_)) && touching;
    !(tight_after || tight_before || call)
}

/// The places where statements and equations begin, and where the words of settings do, in order.
fn collect(program: &[Statement], out: &mut Vec<usize>, words: &mut Vec<usize>) {
    for s in program {
        out.push(s.span.start);
        match &s.kind {
            StatementKind::Operator { body, .. } => equations(body, out),
            StatementKind::Repeat { body, .. } => collect(body, out, words),
            StatementKind::Grid { settings, .. } | StatementKind::Declare { settings, .. } => {
                words.extend(settings.iter().map(|s| s.word.span.start));
            }
            _ => {}
        }
    }
}

fn equations(body: &[Equation], out: &mut Vec<usize>) {
    for e in body {
        out.push(e.span.start);
        match &e.kind {
            EquationKind::On { body, .. }
            | EquationKind::Repeat { body, .. }
            | EquationKind::When { body, .. }
            | EquationKind::Surface { body, .. } => {
                equations(body, out);
            }
            _ => {}
        }
    }
}
