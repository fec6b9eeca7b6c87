//! Kernels give the bits of the reference interpreter, at any number of threads.

mod common;

use common::{check, field, head};
use wavefold_backend_cranelift::{Vectors, emit_for};

/// `u[t+1]` from a star around `u[t]`, with three slots, and a `space` coefficient.
fn star(dtype: &str, sizes: &[usize], loops: &str, close: &str) -> String {
    let names = &["x", "y", "z"][..sizes.len()];
    let at = |shift: &str, moved: usize, by: i32| {
        let list: Vec<String> = (0..names.len())
            .map(|d| if d == moved && by != 0 { format!("{}{by:+}", names[d]) } else { names[d].to_string() })
            .collect();
        format!("u[{shift}, {}]", list.join(", "))
    };
    let taps: Vec<String> = (0..names.len())
        .flat_map(|d| (1..3).map(move |k| (d, k)))
        .map(|(d, k)| format!("{}*({} + {})", 0.3 / k as f64, at("t", d, k), at("t", d, -k)))
        .collect();
    let here = names.join(", ");
    head(dtype, sizes)
        + "  scalar dt step\n"
        + &field("u", "buffered 3", 2, sizes)
        + &field("m", "space", 0, sizes)
        + &format!(
            "  once r0 = dt*dt\n  time ascending {{\n    slot 0 = t/1+1 % 3\n    slot 1 = t/1+0 % 3\n    \
             slot 2 = t/1-1 % 3\n    # u.dt2 = laplace(u)/m\n    {loops}\n      \
             r1 = {}\n      u[t+1, {here}] = fma(r0, r1/(m[{here}]*m[{here}] + 1), fma(2, u[t, {here}], \
             neg(0.5*u[t-1, {here}]))) - 0.1\n    {close}\n  }}\n}}\n",
            taps.join(" + ")
        )
}

#[test]
fn stars_in_one_dimension() {
    for dtype in ["f32", "f64"] {
        for n in (1..=9).chain([15, 16, 33]) {
            check(&star(dtype, &[n], "simd x {", "}"), (1, 4));
            check(&star(dtype, &[n], "for x {", "}"), (1, 4));
            check(&star(dtype, &[n], "parallel tiles x by 3 {\n simd x in tile {", "}}"), (1, 4));
            check(&star(dtype, &[n], "tiles x by 6 {\n simd x in tile {", "}}"), (1, 4));
        }
    }
}

#[test]
fn stars_in_two_dimensions() {
    for dtype in ["f32", "f64"] {
        for n in (1..=9).chain([16, 31, 40]) {
            let sizes = [5, n];
            check(&star(dtype, &sizes, "for x { simd y {", "}}"), (1, 4));
            check(&star(dtype, &sizes, "parallel tiles x by 2 { for x in tile { simd y {", "}}}"), (1, 4));
            let inner = "for x { parallel tiles y by 4 { simd y in tile {";
            check(&star(dtype, &sizes, inner, "}}}"), (1, 4));
            let both = "parallel tiles x by 2 { parallel tiles y by 5 { for x in tile { simd y in tile {";
            check(&star(dtype, &sizes, both, "}}}}"), (1, 4));
        }
    }
}

#[test]
fn stars_in_three_dimensions() {
    for dtype in ["f32", "f64"] {
        for n in 1..=9 {
            let sizes = [4, 7, n];
            let tiles = "parallel tiles y by 3 { for x { for y in tile { simd z {";
            check(&star(dtype, &sizes, tiles, "}}}}"), (1, 3));
            let blocks = "parallel tiles x by 3 { tiles y by 4 { tiles z by 3 { for x in tile { for y in tile { \
                          simd z in tile {";
            check(&star(dtype, &sizes, blocks, "}}}}}}"), (1, 3));
        }
    }
}

#[test]
fn time_runs_back_in_place_and_over_snapshots() {
    for dtype in ["f32", "f64"] {
        let sizes = [6, 11];
        let text = head(dtype, &sizes)
            + &field("v", "buffered 2", 1, &sizes)
            + &field("saved", "saved 4 every 2", 0, &sizes)
            + &field("grad", "space", 0, &sizes)
            + "  time descending {
                 slot 0 = t/1-1 % 2
                 slot 1 = t/1+0 % 2
                 slot 2 = t/1+1 % 2
                 slot 3 = t/2+0 % 0
                 first {
                   for x { simd y { grad[x, y] = 0.25 } }
                 }
                 # in place: t-1 and t+1 share a slot
                 parallel tiles x by 4 { for x in tile { simd y {
                   r0 = v[t, x+1, y] + v[t, x-1, y] + v[t, x, y+1] + v[t, x, y-1]
                   v[t-1, x, y] = fma(r0, 0.25, 0.125*v[t+1, x, y])
                 } } }
                 every 2 {
                   for x { simd y {
                     grad[x, y] += v[t, x, y]*saved[t, x, y]
                     saved[t, x, y] = v[t-1, x, y]
                   } }
                 }
               }
             }";
        check(&text, (1, 7));
        check(&text, (4, 4));
        check(&text, (4, 3));
    }
}

#[test]
fn statements_see_what_earlier_ones_stored() {
    for dtype in ["f32", "f64"] {
        let sizes = [13];
        let text = head(dtype, &sizes)
            + &field("a", "space", 1, &sizes)
            + &field("b", "space", 1, &sizes)
            + &field("c", "space", 1, &sizes)
            + "  simd x {
                 r0 = a[x] + b[x+1]
                 a[x] = r0 + c[x-1]
                 b[x] += a[x]*r0
                 a[x] += b[x]
               }
               # every point reads what the one before it wrote
               for x { c[x] = 0.5*c[x-1] + a[x] }
             }";
        check(&text.replace("b[x+1]", "b[x]"), (0, 0));
    }
}

#[test]
fn all_functions() {
    for dtype in ["f32", "f64"] {
        let sizes = [3, 13];
        let text = head(dtype, &sizes)
            + "  scalar c constant\n"
            + &field("a", "space", 0, &sizes)
            + &field("b", "space", 0, &sizes)
            + &field("o", "space", 0, &sizes)
            + "  once r0 = (sqrt(exp(c)) + log(c + 2)) - sin(c)*cos(c)
                 once r1 = tan(r0) + abs(neg(c)) + floor(3.7*c) + min(c, r0) + max(c, r0) + pow(r0, 0.3)
                 once r2 = fma(r0, r1, c)/tanh(c) + ceil(r0*r1)
                 parallel tiles x by 1 { for x in tile { simd y {
                   r3 = abs(a[x, y])
                   o[x, y] = sqrt(r3) + exp(a[x, y]) + log(r3) + sin(b[x, y]) + cos(b[x, y]) + tan(a[x, y])
                   o[x, y] += tanh(b[x, y])*floor(10*a[x, y]) + ceil(7*b[x, y]) + pow(r3, 1.5)
                   o[x, y] += min(a[x, y], b[x, y])*max(a[x, y], b[x, y])*r2 + neg(r1)
                   a[x, y] = min(sqrt(a[x, y]), b[x, y]) - max(b[x, y], sqrt(b[x, y]))
                   b[x, y] = max(sqrt(b[x, y]), 2) + min(3, sqrt(b[x, y])) + min(b[x, y], 0)*c
                 } } }
               }";
        check(&text, (0, 0));
    }
}

#[test]
fn sparse_points() {
    for dtype in ["f32", "f64"] {
        for sizes in [&[9usize][..], &[5, 9], &[4, 5, 6]] {
            let (here, corners) = (["x", "y", "z"][..sizes.len()].join(", "), 1 << sizes.len());
            let text = head(dtype, sizes)
                + "  scalar dt step\n"
                + &field("u", "buffered 2", 1, sizes)
                + &field("m", "space", 0, sizes)
                + &format!(
                    "  sparse src points 3 steps 8
                       sparse w points 2
                       sparse rec points 7 steps 9
                       sparse none points 0 steps 9
                       table src at node corners {corners}
                       table w at node corners {corners}
                       table rec at node corners {corners}
                       table none at node corners {corners}
                       once r0 = dt*dt
                       time ascending {{
                         slot 0 = t/1+1 % 2
                         slot 1 = t/1+0 % 2
                         # src.inject(u.forward, src*dt^2/m)
                         inject src -> u[t+1, {here}] += (src[t, p]*r0)/m[{here}]
                         inject w -> u[t+1, {here}] += w[p] + u[t, {here}]
                         interpolate rec[t+1, p] = u[t, {here}]*m[{here}]
                         interpolate rec[t, p] += u[t+1, {here}]
                         interpolate none[t, p] = dt
                       }}
                     }}"
                );
            check(&text, (0, 7));
        }
    }
}

const COMPRESSED: &str = "  time ascending {
     slot 0 = t/1+1 % 2
     slot 1 = t/1+0 % 2
     slot 2 = t/2+0 % 3
     slot 3 = t/2+1 % 3
     slot 4 = t/1+0 % 0
     slot 5 = t/2+0 % 0
     slot 6 = t/2+1 % 0
     first { k3 = compress st[t] <- m  wait k3 }
     for x { simd y { u[t+1, x, y] = u[t, x, y] + 1 } }
     every 2 {
       k0 = compress s[t+1] <- u[t+1]
       k1 = decompress q[t] -> ring[t+1]
       wait k1
       for x { simd y { m[x, y] += ring[t+1, x, y]*ring[t, x, y] } }
       wait k0
     }
     k2 = compress all[t] <- u[t]
     wait k2
   }
 }";

fn compressed(dtype: &str) -> String {
    let sizes = [4, 7];
    head(dtype, &sizes)
        + &field("u", "buffered 2", 0, &sizes)
        + &field("m", "space", 0, &sizes)
        + "  field s compressed 8 every 2 noop halo 0
             field q compressed 8 every 2 quantize 9 halo 0
             field all compressed 8 every 1 noop halo 0
             field st compressed 8 every 1 noop halo 0\n"
        + &field("ring", "ring 3 every 2 of q", 0, &sizes)
        + COMPRESSED
}

#[test]
fn compression() {
    for dtype in ["f32", "f64"] {
        check(&compressed(dtype), (0, 7));
        check(&compressed(dtype).replace("ascending", "descending"), (0, 7));
    }
}

#[test]
fn slices_in_parts() {
    for text in common::harness::IN_PARTS {
        check(text, (0, 5));
    }
}

#[test]
fn what_is_said_of_memory_changes_nothing() {
    check(common::harness::HINTS, (0, 6));
}

#[test]
fn a_status_stops_the_run() {
    use common::harness::Host;
    let program = common::parse(&compressed("f32"));
    let kernel = wavefold_backend_cranelift::compile(&program).expect("compiles");
    for fail_at in 0..20 {
        let mut expected = Host::new(&program, 3);
        expected.fail_at = Some(fail_at);
        // SAFETY: the host made the context for this program.
        let interpret = |c| unsafe { wavefold_ir::tree::interpret(&program, c) };
        assert_eq!(expected.run((0, 7), 1, interpret), 7);
        let mut host = Host::new(&program, 3);
        host.fail_at = Some(fail_at);
        // SAFETY: the host made the context for this program.
        let status = host.run((0, 7), 2, |c| unsafe { (kernel.entry())(&common::threaded(c)) });
        assert_eq!(status, 7);
        assert_eq!(host.calls, expected.calls);
        assert_eq!(host.bits(), expected.bits());
    }
}

#[test]
fn many_buffers() {
    for (dtype, columns, tile) in [("f32", 9, 6), ("f64", 9, 6), ("f32", 70, 37), ("f64", 50, 27)] {
        let sizes = [3, columns];
        let mut text = head(dtype, &sizes);
        for i in 0..20 {
            text += &field(&format!("f{i}"), "space", i % 3, &sizes);
        }
        text += &format!("  tiles x by 2 {{ for x in tile {{ tiles y by {tile} {{ simd y in tile {{\n");
        for i in 1..20 {
            text += &format!("f{i}[x, y] = f{}[x, y]*f0[x, y] + {i}\n", (i * 7) % 19 + 1);
        }
        // Both operands of these are in memory, and so are the addresses of both.
        for (a, b, c) in [(3, 14, 15), (16, 17, 18), (18, 13, 2)] {
            text += &format!("f{c}[x, y] = fma(2, f{a}[x, y], f{b}[x, y])\n");
            text += &format!("f{a}[x, y] = fma(f0[x, y], f{b}[x, y], f{c}[x, y])\n");
        }
        check(&(text + "} } } }\n}"), (0, 0));
    }
}

#[test]
fn denormals_are_flushed_on_every_thread() {
    use common::harness::Host;
    let sizes = [8, 7];
    let text = head("f32", &sizes)
        + &field("a", "space", 0, &sizes)
        + &field("o", "space", 0, &sizes)
        + "  parallel tiles x by 1 { for x in tile { simd y { o[x, y] = a[x, y]*1e-30 } } }
           }";
    let program = common::parse(&text);
    let kernel = wavefold_backend_cranelift::compile(&program).expect("compiles");
    for threads in [1, 2, 5] {
        let mut host = Host::new(&program, 1);
        for at in 0..host.field(0).len() / 4 {
            host.set(0, at, 1e-10);
            host.set(1, at, 1.0);
        }
        // SAFETY: the host made the context for this program.
        let status = host.run((0, 0), threads, |c| unsafe { (kernel.entry())(&common::threaded(c)) });
        assert_eq!(status, 0);
        let zeros = host.field(1).chunks_exact(4).filter(|b| **b == [0; 4]).count();
        assert_eq!(zeros, 56, "1e-40 is below the normal range of f32");
        assert!(
            std::hint::black_box(1e-30f32) * std::hint::black_box(1e-10f32) > 0.0,
            "restored behind the kernel"
        );
    }
}

/// Numbers that look random (Knuth 1998, vol. 2, 3.3.4).
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }

    /// An expression over fields, names `r0 .. r<names>`, a scalar and numbers.
    fn expression(&mut self, depth: usize, names: u64) -> String {
        if depth == 0 {
            return match self.below(8) {
                0 => format!("{}", self.below(40) as f64 / 8.0 - 2.0),
                1 => "c".into(),
                2 | 3 if names > 0 => format!("r{}", self.below(names)),
                4 => "w[x, y]".into(),
                _ => {
                    let (field, x, y) = (self.below(3), self.below(3) as i64 - 1, self.below(5) as i64 - 2);
                    format!("a{field}[x{x:+}, y{y:+}]").replace("+0", "").replace("-0", "")
                }
            };
        }
        let mut one = || self.expression(depth - 1, names);
        let (a, b, c, d) = (one(), one(), one(), one());
        match self.below(16) {
            0 | 1 => format!("({a} + {b} + {c})"),
            2 => format!("({a} - {b})"),
            3 => format!("({a} * {b} * {c})"),
            4 => format!("({a} / {b})"),
            5..=8 => format!("fma({a}, {b}, {c})"),
            9 => format!("min({a}, {b})"),
            10 => format!("max({a}, {b})"),
            11 => format!("sqrt(abs({a}))"),
            12 => format!("(floor({a}) + ceil({b}))"),
            13 => format!("neg({a})"),
            14 => format!("select(less({a}, {b}), {c}, {d})"),
            _ => format!(
                "select(and(not(less_or_equal({a}, {b})), or(equal({a}, {c}), less({b}, {d}))), {c}, {d})"
            ),
        }
    }
}

/// Rows of everything that wide vectors have, more values at a time than there are registers, and stores between.
#[test]
fn rows_of_any_kind() {
    let mut spills = 0;
    for seed in 0..120 {
        let mut random = Random(seed);
        let dtype = if seed % 2 == 0 { "f32" } else { "f64" };
        let sizes = [2, 1 + random.below(50) as usize];
        let mut text = head(dtype, &sizes) + "  scalar c constant\n";
        for (name, halo) in [("a0", 2), ("a1", 2), ("a2", 2), ("w", 0), ("o", 0)] {
            text += &field(name, "space", halo, &sizes);
        }
        text += "  parallel tiles x by 1 { for x in tile { simd y {\n";
        let names = random.below(60);
        for i in 0..names {
            let depth = random.below(3) as usize;
            text += &format!("r{i} = {}\n", random.expression(depth, i));
            if random.below(8) == 0 {
                text += &format!("w[x, y] = {}\n", random.expression(2, i + 1));
            }
        }
        let all: Vec<String> = (0..names).rev().map(|i| format!("r{i}*r{}", names - 1 - i)).collect();
        text += &format!("o[x, y] = {}\n", if all.is_empty() { "c".into() } else { all.join(" + ") });
        text += &format!("o[x, y] += {}\n", random.expression(4, names));
        text += "} } }\n}";
        check(&text, (0, 0));
        spills += usize::from(emit_for(&common::parse(&text), Vectors::Bits512).contains("[rsp"));
    }
    assert!(spills > 20, "{spills} rows have more values than registers");
}
