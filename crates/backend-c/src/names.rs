//! Names of the user that are safe to print as C identifiers.

use std::collections::HashSet;
use wavefold_ir::Decls;

/// Words that mean something else in C, or in the code around them: keywords, macros of the included headers and
/// of compilers, functions that emitted code calls, and names that it defines.
#[rustfmt::skip]
const TAKEN: &[&str] = &[
    // Keywords up to C23, and spellings of GNU.
    "alignas", "alignof", "asm", "auto", "bool", "break", "case", "char", "const", "constexpr", "continue",
    "default", "do", "double", "else", "enum", "extern", "false", "float", "for", "goto", "if", "inline", "int",
    "long", "nullptr", "register", "restrict", "return", "short", "signed", "sizeof", "static", "static_assert",
    "struct", "switch", "thread_local", "true", "typedef", "typeof", "typeof_unqual", "union", "unsigned", "void",
    "volatile", "while",
    // Macros.
    "linux", "unix", "i386", "NULL", "NAN", "INFINITY", "HUGE_VAL", "HUGE_VALF", "HUGE_VALL", "isnan", "isinf",
    "isfinite", "isnormal", "signbit", "fpclassify", "isgreater", "isless", "isunordered", "math_errhandling",
    "MAXFLOAT", "DOMAIN", "SING", "OVERFLOW", "UNDERFLOW", "PLOSS", "TLOSS", "WAVEFOLD_H",
    // Functions.
    "sqrt", "sqrtf", "exp", "expf", "log", "logf", "sin", "sinf", "cos", "cosf", "tan", "tanf", "tanh", "tanhf",
    "fabs", "fabsf", "floor", "floorf", "ceil", "ceilf", "pow", "powf", "fma", "fmaf",
    // Names of the emitted code.
    "cx", "t", "p", "c", "threads", "status", "mode", "sum", "tile", "result", "results", "count", "start", "steps", "step", "gaps", "block", "low",
    "high", "under", "over", "lag", "ahead", "back", "entry", "run", "main", "wavefold_kernel",
];

/// How reserved names begin, and those that emitted code makes.
const PREFIXES: &[&str] = &["_", "wf_", "WF_", "FIELD_", "SCALAR_", "SPARSE_", "FP_", "M_", "INT", "UINT"];

/// How names of types end, and those that emitted code makes.
const SUFFIXES: &[&str] =
    &["_tile", "_end", "_vector", "_first", "_after", "_row", "_f64", "_cells", "_weights", "_t"];

/// Slots, tickets and locals: `t0`, `k1`, `r2`.
fn is_numbered(name: &str) -> bool {
    let digits = name.strip_prefix(['t', 'k', 'r']).unwrap_or("");
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}

fn is_taken(name: &str) -> bool {
    TAKEN.contains(&name) || is_numbered(name) || SUFFIXES.iter().any(|s| name.ends_with(s))
}

/// The C identifiers of everything declared, in order of declaration.
pub(crate) struct Names {
    pub(crate) fields: Vec<String>,
    pub(crate) scalars: Vec<String>,
    pub(crate) sparse: Vec<String>,
}

impl Names {
    pub(crate) fn new(d: &Decls) -> Names {
        let mut used: HashSet<String> = d.dims.iter().map(|dim| dim.name.clone()).collect();
        let mut safe = |name: &str| {
            let mut safe = name.to_string();
            if PREFIXES.iter().any(|p| safe.starts_with(p)) {
                safe.insert(0, 'v');
            }
            while is_taken(&safe) || !used.insert(safe.clone()) {
                safe.push('_');
            }
            safe
        };
        Names {
            fields: d.fields.iter().map(|f| safe(&f.name)).collect(),
            scalars: d.scalars.iter().map(|s| safe(&s.name)).collect(),
            sparse: d.sparse.iter().map(|s| safe(&s.name)).collect(),
        }
    }
}
