//! The loops of a program in a few words.

use super::text::{front_head, loop_head};
use super::{Loop, LoopForm, Program, Stmt};
use crate::{Decls, FieldKind};

/// The loops of a step, one line for each nest, outermost loop first: `parallel tiles y by 16 > for x by 2 > for y in tile >
/// simd z`. Nests that look the same share a line, which begins with their number: `3 x ..`. What runs at the first step
/// only is left out.
pub fn outline(p: &Program) -> Vec<String> {
    let mut lines: Vec<(String, usize)> = Vec::new();
    collect(&p.body, &p.decls, &mut lines);
    let count = |(line, n)| if n == 1 { line } else { format!("{n} x {line}") };
    lines.into_iter().map(count).collect()
}

fn collect(body: &[Stmt], d: &Decls, lines: &mut Vec<(String, usize)>) {
    for s in body {
        match s {
            Stmt::First(_) => {}
            Stmt::Front { front, body } => {
                let mut inside = Vec::new();
                collect(body, d, &mut inside);
                inside
                    .into_iter()
                    .for_each(|(line, n)| add(lines, format!("{} > {line}", front_head(front, d)), n));
            }
            Stmt::Nest { outer, .. } | Stmt::Reduce { outer, .. } => add(lines, path(outer, d), 1),
            other => collect(other.body(), d, lines),
        }
    }
}

fn add(lines: &mut Vec<(String, usize)>, line: String, count: usize) {
    match lines.iter_mut().find(|(known, _)| *known == line) {
        Some((_, n)) => *n += count,
        None => lines.push((line, count)),
    }
}

/// A loop and those in it; of several, that of the main statements.
fn path(l: &Loop, d: &Decls) -> String {
    let loops: Vec<&Loop> =
        l.body.iter().filter_map(|s| if let Stmt::Loop(inner) = s { Some(inner) } else { None }).collect();
    // Planes that are left over come after those that are done several at a time; stages come before what reads them.
    let Some(main) = loops.iter().find(|l| l.step > 1).or(loops.last()) else { return loop_head(l, d) };
    // A stage computes tile fields for those that come after it.
    let (stages, nests): (Vec<&Loop>, Vec<&Loop>) = loops
        .iter()
        .filter(|l| matches!(l.form, LoopForm::Tile { .. }))
        .partition(|l| l.step == 1 && computes_tiles(l, d));
    let before = match (stages.len(), nests.len()) {
        (0, 0 | 1) => String::new(),
        (0, n) => format!("{n} nests, "),
        (1, _) => "1 stage, ".into(),
        (n, _) => format!("{n} stages, "),
    };
    format!("{} > {before}{}", loop_head(l, d), path(main, d))
}

/// Whether all that a loop stores is stored to tile fields.
fn computes_tiles(l: &Loop, d: &Decls) -> bool {
    let mut all = true;
    l.body.iter().for_each(|s| {
        s.visit(&mut |s| {
            if let Stmt::Assign { target, .. } = s {
                all &= d.field(target.field).kind == FieldKind::Tile;
            }
        });
    });
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
operator op f32 {
  dim x 9 spacing 1
  dim y 40 spacing 1
  field u buffered 2 halo 0 alloc (9, 48) pad (0, 0)
  field v buffered 2 halo 0 alloc (9, 48) pad (0, 0)
  time ascending {
    slot 0 = t/1+1 % 2
    slot 1 = t/1+0 % 2
    first {
      for x {
        simd y {
          u[t, x, y] = 2
        }
      }
    }
    parallel tiles x by 4 {
      for x in tile {
        simd y {
          u[t+1, x, y] = 1
        }
      }
    }
    for x by 2 [0:8] {
      for y {
        v[t+1, x, y] = 1
        v[t+1, x+1, y] = 1
      }
    }
    parallel tiles x by 4 {
      for x in tile {
        simd y {
          v[t+1, x, y] = 3
        }
      }
    }
  }
}
";

    #[test]
    fn nests_that_look_the_same_share_a_line() {
        let p = Program::parse(TEXT).expect("a program");
        let lines = ["2 x parallel tiles x by 4 > for x in tile > simd y", "for x by 2 [0:8] > for y"];
        assert_eq!(outline(&p), lines);
    }
}
