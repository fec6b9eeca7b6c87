//! Random programs of every level, made from a tape of choices so that failures shrink.
#![allow(dead_code, reason = "each test uses a part")]

use wavefold_ir::cluster::{self, Cluster, PointStatement, ScalarLet, Slice};
use wavefold_ir::tree::{Front, Lag, Loop, LoopForm, Slot, Stmt};
use wavefold_ir::*;

/// Names that a user may give, many of which are words of the language.
const NAMES: [&str; 26] = [
    "on",
    "stage",
    "reduce",
    "each",
    "index",
    "table",
    "u",
    "time",
    "inject",
    "k0",
    "first",
    "wait",
    "points",
    "every",
    "dim",
    "field",
    "once",
    "r1",
    "tiles",
    "simd",
    "compress",
    "slot",
    "inf",
    "interpolate",
    "serial",
    "scalar",
];

/// Bytes that decide; zeros after the end.
pub struct Tape<'a>(pub &'a [u8]);

impl Tape<'_> {
    fn below(&mut self, n: usize) -> usize {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first as usize % n
    }

    fn coin(&mut self) -> bool {
        self.below(2) == 1
    }

    fn shift(&mut self) -> i32 {
        [0, 0, 1, -1, 2, -2, i32::MAX, i32::MIN][self.below(8)]
    }

    fn number(&mut self) -> f64 {
        const SPECIAL: [f64; 12] = [
            0.0,
            1.0,
            -1.0,
            2.5,
            -0.1,
            1e300,
            5e-324,
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            1e22,
            123456789.0,
        ];
        match self.below(16) {
            i if i < 12 => SPECIAL[i],
            _ => f64::from_bits((0..8).fold(0, |bits, _| bits << 8 | self.below(256) as u64)),
        }
    }

    fn source(&mut self) -> String {
        ["", "u(t+1, x) = u(t, x)", "∂²/∂x² u {", "# ; \"weird\" \\ }", "x"][self.below(5)].to_string()
    }

    fn codec(&mut self) -> Compression {
        match self.below(5) {
            0 => Compression::Noop,
            1 => Compression::Quantize { nbits: 9 },
            2 => Compression::Lapped { compscale: 2.5e-2 },
            3 => Compression::LappedSnr { snr: 62.5 },
            _ => Compression::Wavelet { compscale: 1.5e-3 },
        }
    }
}

/// What may stand in an expression.
#[derive(Clone, Copy, PartialEq)]
pub enum Stage {
    Stencil,
    Cluster,
    Tree,
}

pub fn decls(t: &mut Tape, stage: Stage) -> Decls {
    let rank = 1 + t.below(3);
    let dims = ["x", "y", "z"][..rank]
        .iter()
        .map(|n| Dim { name: (*n).into(), size: t.below(50), spacing: t.number() })
        .collect();
    let mut d = Decls {
        name: "op".into(),
        dtype: if t.coin() { DType::F64 } else { DType::F32 },
        dims,
        scalars: vec![
            ScalarDecl { name: "dt".into(), kind: ScalarKind::Step },
            ScalarDecl { name: "sqrt".into(), kind: ScalarKind::Constant },
        ],
        fields: vec![],
        sparse: vec![
            SparseDecl { name: "src".into(), points: t.below(9), steps: Some(7), dtype: dtype(t) },
            SparseDecl { name: "weights".into(), points: 1, steps: None, dtype: DType::F32 },
        ],
        tables: vec![],
    };
    for (sparse, half) in [(0, false), (0, true), (1, false)] {
        let (half, corners) = ([half, false, false], 1 + t.below(8));
        let moving = sparse == 0 && t.coin();
        d.tables.push(TableDecl { sparse: SparseId(sparse), half, corners, moving, planes: t.coin() });
    }
    let first = t.below(NAMES.len());
    for i in 0..7 {
        let (slots, steps, every) = (1 + t.below(4), t.below(99), 1 + t.below(4));
        let kind = match i {
            0 => FieldKind::Buffered { slots, in_place: t.coin() },
            1 => FieldKind::Space,
            2 => FieldKind::Saved { steps, every },
            3 => FieldKind::Compressed { steps, every, codec: t.codec() },
            4 => FieldKind::Ring { slots, every, of: FieldId(3) },
            5 => FieldKind::Invariant,
            _ => FieldKind::Tile,
        };
        let halo = t.below(5);
        let shape: Vec<usize> = d.dims.iter().map(|x| x.size).collect();
        let window = t.coin().then(|| Window {
            from: shape.iter().map(|_| t.below(3)).collect(),
            shape: shape.iter().map(|n| t.below(n + 1)).collect(),
        });
        let (dtype, tight) = (dtype(t), t.coin());
        let layout = (stage == Stage::Tree && i != 3).then(|| match tight {
            true => Layout::tight(&shape, halo),
            false => Layout::new(&shape, halo, dtype.size()),
        });
        d.add_field(Field {
            name: NAMES[(first + i) % NAMES.len()].into(),
            kind,
            dtype,
            halo,
            window,
            tight,
            layout,
            by_rows: stage == Stage::Tree && t.coin(),
        });
    }
    d
}

fn dtype(t: &mut Tape) -> DType {
    if t.coin() { DType::F64 } else { DType::F32 }
}

fn region(t: &mut Tape, d: &Decls) -> Region {
    let mut region = Region::domain(&d.dims);
    if t.coin() {
        for i in 0..d.rank() {
            (region.from[i], region.to[i]) = (t.shift().into(), t.below(60) as i64);
        }
    }
    region
}

fn access(t: &mut Tape, d: &Decls) -> Access {
    let field = FieldId(t.below(d.fields.len()) as u32);
    let mut a = Access::here(field, if d.field(field).is_time() { t.shift() } else { 0 });
    a.offsets[..d.rank()].iter_mut().for_each(|o| *o = t.shift());
    a
}

pub fn expression(t: &mut Tape, d: &Decls, e: &mut Arena, stage: Stage, depth: usize) -> ExprId {
    let leaf = depth == 0 || t.0.is_empty();
    let node = match t.below(if leaf { 8 } else { 20 }) {
        0 | 1 => Expr::Load(access(t, d)),
        2 => Expr::Number(Number::new(t.number())),
        3 => Expr::Scalar(ScalarId(t.below(2) as u32)),
        4 => {
            let i = t.below(2);
            Expr::Sparse(SparseId(i as u32), if i == 0 { t.shift() } else { 0 })
        }
        5 => Expr::Local(LocalId(t.below(3) as u32)),
        6 => Expr::Index(t.below(d.rank()) as u8),
        7 => Expr::Step,
        kind => {
            let kind = kind - 2;
            let arity = 2 + t.below(3);
            let c: Vec<ExprId> = (0..arity).map(|_| expression(t, d, e, stage, depth - 1)).collect();
            match kind {
                6..=8 => Expr::Sum(c.into()),
                9..=11 => Expr::Product(c.into()),
                12 => {
                    let (f, _, n) = Func::ALL[t.below(Func::ALL.len())];
                    Expr::Call(f, c[..n].into())
                }
                13 if stage != Stage::Tree => Expr::Power(c[0], t.shift()),
                14 if stage == Stage::Stencil => Expr::Derivative(Derivative {
                    of: c[0],
                    dim: t.below(d.rank()) as u8,
                    degree: t.below(256) as u8,
                    order: t.below(256) as u8,
                    side: [Side::Left, Side::Centered, Side::Right][t.below(3)],
                    shift: t.below(5) as i8 - 2,
                    transpose: t.coin(),
                    weights: t
                        .coin()
                        .then(|| (0..t.below(4)).map(|_| (t.shift(), Number::new(t.number()))).collect()),
                }),
                15 => Expr::Select(c[0], c[1], c[arity - 1]),
                16 => Expr::Compare(
                    [Comparison::Less, Comparison::LessOrEqual, Comparison::Equal][t.below(3)],
                    c[0],
                    c[1],
                ),
                17 => [Expr::And(c[0], c[1]), Expr::Or(c[0], c[1]), Expr::Not(c[0])][t.below(3)].clone(),
                _ if stage != Stage::Tree => Expr::Sum(c.into()),
                _ => match t.below(4) {
                    0 => Expr::Sub(c[0], c[1]),
                    1 => Expr::Neg(c[0]),
                    2 => Expr::Div(c[0], c[1]),
                    _ => Expr::Fma(c[0], c[1], c[arity - 1]),
                },
            }
        }
    };
    e.intern(node)
}

fn action(t: &mut Tape, d: &Decls, e: &mut Arena, stage: Stage) -> stencil::Action {
    let value = expression(t, d, e, stage, 4);
    let (sparse, table, time) = match t.below(3) {
        2 => (SparseId(1), TableId(2), 0),
        i => (SparseId(0), TableId(i as u32), t.shift()),
    };
    match t.below(5) {
        0 => stencil::Action::Inject { sparse, table, target: access(t, d), value },
        1 => stencil::Action::Interpolate { sparse, table, time, value, increment: t.coin() },
        2 => stencil::Action::Reduce { series: sparse, op: stencil::Reduction::ALL[t.below(3)], value },
        _ => stencil::Action::Assign { target: access(t, d), value, increment: t.coin() },
    }
}

pub fn stencil_program(bytes: &[u8]) -> stencil::Program {
    let t = &mut Tape(bytes);
    let (decls, mut exprs) = (decls(t, Stage::Stencil), Arena::new());
    let statements = (0..t.below(5))
        .map(|_| stencil::Statement {
            action: action(t, &decls, &mut exprs, Stage::Stencil),
            region: region(t, &decls),
            source: t.source(),
        })
        .collect();
    stencil::Program { decls, exprs, statements }
}

fn slice(t: &mut Tape, d: &Decls) -> Slice {
    let a = access(t, d);
    Slice { field: a.field, time: a.time }
}

fn point(t: &mut Tape, d: &Decls, e: &mut Arena, stage: Stage) -> PointStatement {
    let value = expression(t, d, e, stage, 4);
    if t.coin() {
        return PointStatement::Let { local: LocalId(t.below(5) as u32), value };
    }
    PointStatement::Assign { target: access(t, d), value, increment: t.coin() }
}

fn effect(t: &mut Tape, d: &Decls, e: &mut Arena, stage: Stage) -> cluster::Action {
    let (ticket, store) = (TicketId(t.below(9) as u32), slice(t, d));
    match t.below(4) {
        0 => cluster::Action::Compress { ticket, store: store.field, time: store.time, slice: slice(t, d) },
        1 => cluster::Action::Decompress { ticket, store: store.field, time: store.time, slice: slice(t, d) },
        2 => cluster::Action::Wait(ticket),
        _ => match action(t, d, e, stage) {
            stencil::Action::Inject { sparse, table, target, value } => {
                cluster::Action::Inject { sparse, table, target, value }
            }
            stencil::Action::Interpolate { sparse, table, time, value, increment } => {
                cluster::Action::Interpolate { sparse, table, time, value, increment }
            }
            stencil::Action::Reduce { series, op, value } => {
                cluster::Action::Reduce { region: region(t, d), series, op, value }
            }
            stencil::Action::Assign { .. } => cluster::Action::Wait(ticket),
        },
    }
}

fn one_cluster(t: &mut Tape, d: &Decls, e: &mut Arena) -> Cluster {
    let action = if t.coin() {
        effect(t, d, e, Stage::Cluster)
    } else {
        let mut list = |t: &mut Tape| (0..t.below(4)).map(|_| point(t, d, e, Stage::Cluster)).collect();
        let stage = |t: &mut Tape, statements| {
            let mut widen = [(0, 0); 3];
            widen[..d.rank()].iter_mut().for_each(|w| *w = (t.below(5) as i64, t.shift().into()));
            cluster::Stage { widen, statements }
        };
        let stages = (0..t.below(3))
            .map(|_| {
                let statements = list(t);
                stage(t, statements)
            })
            .collect();
        let statements = list(t);
        cluster::Action::Points { region: region(t, d), stages, statements, serial: t.coin() }
    };
    Cluster { every: 1 + t.below(3), action, source: (0..t.below(3)).map(|_| t.source()).collect() }
}

fn scalars_of(t: &mut Tape, d: &Decls, e: &mut Arena, stage: Stage) -> Vec<ScalarLet> {
    (0..t.below(3))
        .map(|i| ScalarLet { local: LocalId(i as u32), value: expression(t, d, e, stage, 2) })
        .collect()
}

pub fn cluster_program(bytes: &[u8]) -> cluster::Program {
    let t = &mut Tape(bytes);
    let (decls, mut exprs) = (decls(t, Stage::Cluster), Arena::new());
    let step_scalars = scalars_of(t, &decls, &mut exprs, Stage::Cluster);
    let scalars = scalars_of(t, &decls, &mut exprs, Stage::Cluster);
    let direction = [None, Some(Direction::Ascending), Some(Direction::Descending)][t.below(3)];
    let mut list = |t: &mut Tape, n| (0..t.below(n)).map(|_| one_cluster(t, &decls, &mut exprs)).collect();
    let (first, clusters) = (list(t, 3), list(t, 6));
    cluster::Program { decls, exprs, direction, scalars, step_scalars, first, clusters }
}

fn a_loop(t: &mut Tape, d: &Decls, e: &mut Arena, depth: usize) -> Loop {
    let (from, to) = if t.coin() { (0, d.dims[0].size as i64) } else { (t.shift().into(), t.shift().into()) };
    let form = match t.below(3) {
        0 => LoopForm::Tiles { from, to, size: t.below(99), parallel: t.coin() },
        1 => LoopForm::Points { from, to, simd: t.coin() },
        _ => LoopForm::Tile { before: t.shift().into(), after: t.below(4) as i64, simd: t.coin() },
    };
    let step = if matches!(form, LoopForm::Tiles { .. }) { 1 } else { 1 + t.below(3) };
    Loop { dim: t.below(d.rank()), form, step, body: block(t, d, e, depth, true) }
}

fn block(t: &mut Tape, d: &Decls, e: &mut Arena, depth: usize, nested: bool) -> Vec<Stmt> {
    (0..t.below(4)).map(|_| stmt(t, d, e, depth, nested)).collect()
}

/// Rows of the strips of an effect in parts, or 0.
fn rows(t: &mut Tape) -> usize {
    if t.coin() { t.below(99) } else { 0 }
}

fn stmt(t: &mut Tape, d: &Decls, e: &mut Arena, depth: usize, nested: bool) -> Stmt {
    match t.below(if depth == 0 { 3 } else { 9 }) {
        0 | 1 => match point(t, d, e, Stage::Tree) {
            PointStatement::Let { local, value } => Stmt::Let { local, value },
            PointStatement::Assign { target, value, increment } => Stmt::Assign { target, value, increment },
        },
        2 => match effect(t, d, e, Stage::Tree) {
            cluster::Action::Inject { sparse, table, target, value } => {
                Stmt::Inject { sparse, table, target, value, source: t.source() }
            }
            cluster::Action::Interpolate { sparse, table, time, value, increment } => {
                Stmt::Interpolate { sparse, table, time, value, increment, source: t.source() }
            }
            cluster::Action::Reduce { value, .. } => Stmt::Accumulate(value),
            cluster::Action::Compress { ticket, store, time, slice } => {
                Stmt::Compress { ticket, store, time, slice, rows: rows(t), source: t.source() }
            }
            cluster::Action::Decompress { ticket, store, time, slice } => {
                Stmt::Decompress { ticket, store, time, slice, rows: rows(t) }
            }
            cluster::Action::Wait(ticket) if t.coin() => {
                let (store, slice) = (slice(t, d).field, slice(t, d));
                Stmt::Part { ticket, store, slice, decode: t.coin() }
            }
            cluster::Action::Wait(_) if t.coin() => {
                if t.coin() {
                    Stmt::Prefetch(access(t, d))
                } else {
                    Stmt::Stream(slice(t, d))
                }
            }
            cluster::Action::Wait(ticket) => Stmt::Wait(ticket),
            cluster::Action::Points { .. } => Stmt::First(vec![]),
        },
        3 => Stmt::First(block(t, d, e, depth - 1, nested)),
        4 if t.coin() => {
            Stmt::Until { ticket: TicketId(t.below(9) as u32), body: block(t, d, e, depth - 1, nested) }
        }
        4 => Stmt::When { every: 1 + t.below(9), body: block(t, d, e, depth - 1, nested) },
        5 if !nested => Stmt::Reduce {
            series: SparseId(t.below(2) as u32),
            op: stencil::Reduction::ALL[t.below(3)],
            outer: a_loop(t, d, e, depth - 1),
            source: t.source(),
        },
        _ if nested => Stmt::Loop(a_loop(t, d, e, depth - 1)),
        _ => Stmt::Nest {
            source: (0..t.below(3)).map(|_| t.source()).collect(),
            outer: a_loop(t, d, e, depth - 1),
        },
    }
}

fn front(t: &mut Tape, d: &Decls, e: &mut Arena) -> Stmt {
    let lag = |t: &mut Tape| Lag { ahead: t.shift().into(), back: t.shift().into() };
    let mut size = || 1 + t.below(40);
    let (steps, points, chunk) = (size(), size(), size());
    let strip = if d.rank() == 3 { size() } else { 1 };
    let front = Front { steps, period: lag(t), block: points, strip, chunk };
    let parts = (0..t.below(3)).map(|_| {
        let whole = |dim: usize| (0, d.dims[dim].size as i64);
        let part = |t: &mut Tape, whole: (i64, i64)| if t.coin() { whole } else { (t.shift().into(), 7) };
        let (x, y) = (part(t, whole(0)), if d.rank() == 3 { part(t, whole(1)) } else { (0, 1) });
        let body = block(t, d, e, 2, false);
        Stmt::Lagged { lag: lag(t), from: [x.0, y.0], to: [x.1, y.1], body }
    });
    let body = parts.collect();
    Stmt::Front { front, body }
}

pub fn tree_program(bytes: &[u8]) -> tree::Program {
    let t = &mut Tape(bytes);
    let (decls, mut exprs) = (decls(t, Stage::Tree), Arena::new());
    let scalars = scalars_of(t, &decls, &mut exprs, Stage::Tree);
    let mut body = block(t, &decls, &mut exprs, 2, false);
    if t.coin() {
        let slots = (0..t.below(4))
            .map(|_| Slot {
                every: 1 + t.below(9),
                shift: t.shift(),
                modulus: t.below(5),
                in_place: t.coin(),
            })
            .collect();
        let each = scalars_of(t, &decls, &mut exprs, Stage::Tree);
        let mut inner = block(t, &decls, &mut exprs, 4, false);
        if t.coin() {
            inner.push(front(t, &decls, &mut exprs));
        }
        body.push(Stmt::Time { direction: Direction::Descending, slots, scalars: each, body: inner });
    }
    tree::Program { decls, exprs, scalars, body }
}
