//! Names that a generated program can use as they are.

use crate::{Result, SymbolicError};

/// Names with a meaning in every program.
const RESERVED: [&str; 8] = ["t", "x", "y", "z", "dt", "h_x", "h_y", "h_z"];

/// Keywords of C up to C23, which the generated source could not use as names.
const C_KEYWORDS: &[&str] = &[
    "alignas",
    "alignof",
    "asm",
    "auto",
    "bool",
    "break",
    "case",
    "char",
    "const",
    "constexpr",
    "continue",
    "default",
    "do",
    "double",
    "else",
    "enum",
    "extern",
    "false",
    "float",
    "for",
    "goto",
    "if",
    "inline",
    "int",
    "long",
    "main",
    "nullptr",
    "register",
    "restrict",
    "return",
    "short",
    "signed",
    "sizeof",
    "static",
    "static_assert",
    "struct",
    "switch",
    "thread_local",
    "true",
    "typedef",
    "typeof",
    "typeof_unqual",
    "union",
    "unsigned",
    "void",
    "volatile",
    "while",
];

/// Checks that a name is an identifier and not taken.
pub(crate) fn check(name: &str) -> Result<()> {
    let mut chars = name.chars();
    let starts = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    if !starts || !chars.all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Err(SymbolicError::NameInvalid { name: name.into() });
    }
    let reason = if RESERVED.contains(&name) {
        "for a dimension or a step"
    } else if C_KEYWORDS.contains(&name) {
        "by the C language"
    } else {
        return Ok(());
    };
    Err(SymbolicError::NameReserved { name: name.into(), reason })
}
