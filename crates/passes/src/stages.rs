//! Stages of a cluster: how tile fields are ordered, and how far around a tile they are needed.

use std::collections::HashMap;
use wavefold_ir::cluster::{PointStatement, Stage};
use wavefold_ir::{Arena, Decls, FieldId, FieldKind};

type Widen = [(i64, i64); 3];

/// Arranges the statements of tile fields: those that do not need each other share a stage, and so a loop. Each stage is
/// as wide as its readers need.
pub(crate) fn arrange(
    decls: &Decls,
    exprs: &Arena,
    stages: Vec<Stage>,
    statements: &[PointStatement],
) -> Vec<Stage> {
    let all: Vec<PointStatement> = stages.into_iter().flat_map(|s| s.statements).collect();
    if all.is_empty() {
        return vec![];
    }
    let needs = widths(decls, exprs, &all, statements);
    let level = levels(decls, exprs, &all);
    let last = level.iter().copied().max().unwrap_or(0);
    let levels = || (0..=last).map(|at| (0..all.len()).filter(|i| level[*i] == at).collect::<Vec<usize>>());
    let union = |members: &[usize]| members.iter().fold([(0, 0); 3], |w, i| wider(w, needs[*i]));
    let stage = |members: &[usize]| Stage {
        widen: union(members),
        statements: members.iter().map(|i| all[*i].clone()).collect(),
    };
    let mut out: Vec<Stage> = levels().map(|members| stage(&members)).collect();
    widen_for_readers(decls, exprs, &mut out);
    if !out.iter().all(|stage| fits(decls, exprs, stage)) {
        // Together they would leave a halo that none of them leaves alone.
        out = levels().flatten().map(|i| stage(&[i])).collect();
    }
    out
}

/// A stage that was widened for others needs more of those before it.
fn widen_for_readers(decls: &Decls, exprs: &Arena, out: &mut [Stage]) {
    for i in (1..out.len()).rev() {
        let (before, after) = out.split_at_mut(i);
        for stage in before {
            let needed = reads(decls, exprs, &after[0].statements, after[0].widen);
            for (field, widen) in needed {
                if stage.statements.iter().any(|s| target(s) == Some(field)) {
                    stage.widen = wider(stage.widen, widen);
                }
            }
        }
    }
}

fn target(s: &PointStatement) -> Option<FieldId> {
    match s {
        PointStatement::Assign { target, .. } => Some(target.field),
        PointStatement::Let { .. } => None,
    }
}

fn wider(a: Widen, b: Widen) -> Widen {
    std::array::from_fn(|d| (a[d].0.max(b[d].0), a[d].1.max(b[d].1)))
}

/// How far around its own points a list of statements reads each tile field.
fn reads(decls: &Decls, exprs: &Arena, list: &[PointStatement], widen: Widen) -> Vec<(FieldId, Widen)> {
    let mut found: Vec<(FieldId, Widen)> = Vec::new();
    let tiles = list.iter().flat_map(|s| exprs.loads(s.value()));
    for a in tiles.filter(|a| decls.field(a.field).kind == FieldKind::Tile) {
        let needed = std::array::from_fn(|d| {
            let offset = i64::from(a.offsets[d]);
            ((widen[d].0 - offset).max(0), (widen[d].1 + offset).max(0))
        });
        match found.iter_mut().find(|(field, _)| *field == a.field) {
            Some((_, known)) => *known = wider(*known, needed),
            None => found.push((a.field, needed)),
        }
    }
    found
}

/// How wide each tile field is needed, readers before what they read.
fn widths(decls: &Decls, exprs: &Arena, all: &[PointStatement], main: &[PointStatement]) -> Vec<Widen> {
    let mut needs: HashMap<FieldId, Widen> = HashMap::new();
    let add = |list: &[PointStatement], widen: Widen, needs: &mut HashMap<FieldId, Widen>| {
        for (field, needed) in reads(decls, exprs, list, widen) {
            let known = needs.entry(field).or_insert([(0, 0); 3]);
            *known = wider(*known, needed);
        }
    };
    add(main, [(0, 0); 3], &mut needs);
    for s in all.iter().rev() {
        let widen = target(s).and_then(|f| needs.get(&f).copied()).unwrap_or_default();
        add(std::slice::from_ref(s), widen, &mut needs);
    }
    all.iter().map(|s| target(s).and_then(|f| needs.get(&f).copied()).unwrap_or_default()).collect()
}

/// How many stages come before each statement.
fn levels(decls: &Decls, exprs: &Arena, all: &[PointStatement]) -> Vec<usize> {
    let mut of: HashMap<FieldId, usize> = HashMap::new();
    let mut levels = Vec::with_capacity(all.len());
    for s in all {
        let tiles =
            exprs.loads(s.value()).into_iter().filter(|a| decls.field(a.field).kind == FieldKind::Tile);
        let level = tiles.filter_map(|a| of.get(&a.field)).map(|l| l + 1).max().unwrap_or(0);
        if let Some(field) = target(s) {
            of.insert(field, level);
        }
        levels.push(level);
    }
    levels
}

/// Whether a stage stays within the halos of what it reads, over the whole domain.
fn fits(decls: &Decls, exprs: &Arena, stage: &Stage) -> bool {
    stage.statements.iter().flat_map(|s| exprs.loads(s.value())).all(|a| {
        let field = decls.field(a.field);
        field.kind == FieldKind::Tile
            || (0..decls.rank()).all(|d| {
                let offset = i64::from(a.offsets[d]);
                let halo = field.halo as i64;
                stage.widen[d].0 - offset <= halo && stage.widen[d].1 + offset <= halo
            })
    })
}
