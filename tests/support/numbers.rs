//! Bits of the reference interpreter: mixed types, conditions, indices, steps, tables of sparse points, reductions.

use crate::common::{check, field, head, tight};

const BOTH: [&str; 2] = ["f32", "f64"];

const SLOTS: &str = "  time ascending { slot 0 = t/1+1 % 2 slot 1 = t/1+0 % 2\n";

#[test]
fn mixed_types() {
    for dtype in BOTH {
        for n in 1..=9 {
            for simd in ["simd", "for"] {
                let sizes = [3, n];
                let text = head(dtype, &sizes)
                    + &field("u", "buffered 2 f32", 1, &sizes)
                    + &field("v", "buffered 2 f64", 1, &sizes)
                    + &field("m", "space f32", 0, &sizes)
                    + &tight("d", "space f64", 0, &[(0, 3), (0, n)])
                    + SLOTS
                    + "parallel tiles x by 2 { for x in tile { simd y {
                         r0 = u[t, x, y-1]*v[t, x+1, y] + exp(d[x, y])
                         u[t+1, x, y] = fma(r0, m[x, y], v[t, x, y+1])
                         v[t+1, x, y] = r0/3 - u[t+1, x, y]
                         d[x, y] += v[t+1, x, y]
                         m[x, y] += r0*0.1
                       } } } } }";
                check(&text.replace("simd", simd), (0, 3));
            }
        }
    }
}

#[test]
fn conditions() {
    for dtype in BOTH {
        for n in 1..=9 {
            let sizes = [3, n];
            let text = head(dtype, &sizes)
                + "  scalar c constant\n"
                + &field("a", "space", 0, &sizes)
                + &field("b", "space f32", 0, &sizes)
                + &field("o", "space", 0, &sizes)
                + "  once r0 = select(and(less(c, 0.5), not(equal(c, 0.2))), c*3, neg(c))
                   once r1 = select(or(less(0.5, c), less_or_equal(c, 0.1)), 1, 2)
                   parallel tiles x by 2 { for x in tile { simd y {
                     o[x, y] = select(less(a[x, y], b[x, y]), a[x, y]*r0, b[x, y] + r1)
                     o[x, y] += select(or(less(a[x, y], 0), equal(b[x, y], b[x, y])), 1, a[x, y])
                     o[x, y] += select(not(less_or_equal(sqrt(a[x, y]), 0.5)), 0.25, b[x, y])
                     a[x, y] = select(and(not(less(o[x, y], 1)), equal(o[x, y], max(o[x, y], 1))), 1/a[x, y], 7)
                     b[x, y] = select(equal(sqrt(b[x, y]), sqrt(b[x, y])), 3, select(less(0, a[x, y]), 4, c))
                   } } }
                 }";
            check(&text, (0, 0));
        }
    }
}

#[test]
fn indices_and_steps() {
    for dtype in BOTH {
        for n in 1..=9 {
            let sizes = [3, n];
            let text = head(dtype, &sizes)
                + &field("u", "buffered 2", 0, &sizes)
                + &field("i", "space", 2, &sizes)
                + "  sparse src points 4
                     table src at node corners 2\n"
                + SLOTS
                + "parallel tiles y by 4 { for x { simd y in tile {
                     u[t+1, x, y] = (u[t, x, y]*index(y) + index(x)/3) - sin(index(t)*index(y))
                   } } }
                   first { for x [-2:5] { simd y [-2:1] { i[x, y] = index(y)*0.1 + index(x) } } }
                   for x { simd y { i[x, y] += select(less(index(y), 3), index(t), 0.5) } }
                   inject src -> u[t+1, x, y] += (src[p]*index(x) + index(y)) - index(t)
                 } }";
            check(&text, (5, 8));
        }
    }
}

/// Levels take the place of others while the run is long enough, in fields of two, three and four levels.
#[test]
fn levels_in_place() {
    for dtype in BOTH {
        for (time, w, back) in [("ascending", 1i32, -1), ("descending", -1, 1)] {
            let sizes = [3, 9];
            let at = |shift: i32| format!("t{shift:+}").replace("t+0", "t");
            let slots = |count: i32, first: i32| -> String {
                let slot =
                    |i: i32| format!("slot {} = t/1{:+} % {count} in place\n", first + i, w + back * i);
                (0..count).map(slot).collect()
            };
            let text = head(dtype, &sizes)
                + &field("u", "buffered 2 in place", 1, &sizes)
                + &field("v", "buffered 3 in place", 1, &sizes)
                + &field("w", "buffered 4 in place", 1, &sizes)
                + &format!("time {time} {{\n{}{}{}", slots(2, 0), slots(3, 2), slots(4, 5))
                + &"parallel tiles x by 2 { for x in tile { simd y {
                      u[NEW, x, y] = u[t, x, y]*0.5 + v[t, x-1, y]
                      v[NEW, x, y] = v[t, x+1, y] - v[OLD, x, y]*0.5
                      w[NEW, x, y] = (w[OLDEST, x, y] + w[t, x, y+1]) - w[OLD, x, y]*0.25
                    } } } } }"
                    .replace("NEW", &at(w))
                    .replace("OLDEST", &at(w + 3 * back))
                    .replace("OLD", &at(w + 2 * back));
            for last in [4, 15, 16, 17, 18, 40] {
                check(&text, (4, last));
            }
        }
    }
}

#[test]
fn scalars_of_the_step() {
    for dtype in BOTH {
        let sizes = [4, 9];
        let text = head(dtype, &sizes)
            + "  scalar dt step\n"
            + &field("u", "buffered 2", 0, &sizes)
            + "  once r0 = dt/3
                 time descending { slot 0 = t/1+1 % 2 slot 1 = t/1+0 % 2
                 each r1 = sin(index(t)*r0)
                 each r2 = select(less(index(t), 4), r1*r1, r1 + 0.1)
                 parallel tiles x by 2 { for x in tile { simd y {
                   r3 = u[t, x, y]*r1
                   u[t+1, x, y] = fma(r3, r2, r0*index(t))
                 } } } } }";
        check(&text, (2, 6));
    }
}

#[test]
fn tables_of_sparse_points() {
    for dtype in BOTH {
        for other in BOTH {
            let sizes = [5, 6];
            let text = head(dtype, &sizes)
                + &field("u", &format!("buffered 2 {other}"), 1, &sizes)
                + &format!(
                    "  sparse src {other} points 3 steps 8
                       sparse rec {other} points 5 steps 9
                       sparse w points 2
                       table src at node corners 4
                       table src at x+y corners 7 moving
                       table rec at y corners 1
                       table rec at node corners 4 moving
                       table w at x corners 3 moving
                       {SLOTS}
                       inject src -> u[t+1, x, y] += src[t, p]*u[t, x, y]
                       inject src at x+y -> u[t+1, x, y] += src[t-1, p]
                       inject w at x -> u[t+1, x, y] += w[p]
                       interpolate rec[t+1, p] at y = u[t, x, y-1]*3
                       interpolate rec[t, p] += u[t+1, x, y] - u[t, x+1, y]
                     }} }}"
                );
            check(&text.replace("w at x corners 3 moving", "w at x corners 3"), (1, 7));
        }
    }
}

#[test]
fn reductions() {
    let loops = [
        ("parallel tiles x by 2", "for x in tile { simd y {", "} }"),
        ("tiles x by 3", "for x in tile { for y {", "} }"),
        ("parallel tiles x [1:4] by 2", "for x in tile { simd y [1:3] {", "} }"),
        ("parallel tiles x by 4", "parallel tiles y by 3 { for x in tile { simd y in tile {", "} } }"),
        ("parallel tiles x [3:3] by 4", "for x in tile { simd y {", "} }"),
        ("parallel tiles y by 4", "for x { simd y in tile {", "} }"),
    ];
    for dtype in BOTH {
        for other in BOTH {
            for (outer, open, close) in loops {
                for n in [3, 9] {
                    let sizes = [5, n];
                    let text = head(dtype, &sizes)
                        + &field("u", &format!("buffered 2 {other}"), 1, &sizes)
                        + &format!(
                            "  sparse energy {other} points 1 steps 9
                               sparse low points 1
                               sparse high {other} points 1 steps 9
                               {SLOTS}
                               for x {{ simd y {{ u[t+1, x, y] = u[t, x, y]*1.1 }} }}
                               # energy.forward = sum(u)
                               reduce energy[t] sum {outer} {{ {open}
                                 r0 = u[t, x, y]*u[t, x, y+1]
                                 accumulate r0 + 0.1
                               {close} }}
                               every 2 {{ reduce low min {outer} {{ {open}
                                 accumulate sqrt(u[t, x, y])
                               {close} }} }}
                               reduce high[t] max {outer} {{ {open} accumulate index(y) - u[t, x, y] {close} }}
                             }} }}"
                        );
                    check(&text, (1, 6));
                }
            }
        }
    }
}

#[test]
fn reductions_of_many_tiles_and_of_no_field() {
    for dtype in BOTH {
        for (n, by) in [(3000, 1), (1024, 1), (2049, 2)] {
            let text = head(dtype, &[n])
                + &field("u", "space", 0, &[n])
                + &format!(
                    "  sparse total points 1
                       sparse count points 1
                       reduce total sum parallel tiles x by {by} {{ simd x in tile {{ accumulate u[x] }} }}
                       reduce count sum tiles x by {by} {{ simd x in tile {{ accumulate index(x)*0.1 }} }}
                     }}"
                );
            check(&text, (0, 0));
        }
    }
}
