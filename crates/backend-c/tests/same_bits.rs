//! Compiled C leaves the same bits as the interpreter.

#[path = "../../../tests/support/harness.rs"]
mod harness;

#[path = "../../../tests/support/texts.rs"]
mod texts;

use harness::{HINTS, Host, IN_PARTS, assert_same, program};
use wavefold_backend_c::compile;
use wavefold_ir::abi::Context;
use wavefold_ir::tree;

/// Compares a program's kernel with the interpreter for 1, 2 and 5 threads.
fn check(text: &str, range: (i64, i64)) {
    let program = program(text);
    let kernel = compile(&program).unwrap_or_else(|e| panic!("{e}\n{}", wavefold_backend_c::emit(&program)));
    // SAFETY: the harness makes the context for this program.
    assert_same(&program, range, &[1, 2, 5], |context| unsafe { kernel.entry()(context) });
}

#[test]
fn acoustic_3d_single_with_tiles_and_remainders() {
    check(
        "operator op f32 {
  dim x 11 spacing 10
  dim y 13 spacing 10
  dim z 37 spacing 10
  scalar dt step
  field u buffered 3 halo 2 alloc (15, 17, 48) pad (2, 2, 2)
  field m space halo 0 alloc (11, 13, 48) pad (0, 0, 0)
  once r0 = 1/(dt*dt)
  once r1 = 0.5*r0
  time ascending {
    slot 0 = t/1+0 % 3
    slot 1 = t/1+1 % 3
    slot 2 = t/1-1 % 3
    # u.forward = the wave equation \\
    parallel tiles y by 5 {
      for x {
        for y in tile {
          simd z {
            r2 = fma(-0.0833, u[t, x-2, y, z] + u[t, x+2, y, z], 1.333*(u[t, x, y-1, z] + u[t, x, y+1, z]))
            u[t+1, x, y, z] = (u[t, x, y, z]*2 - u[t-1, x, y, z]) + (r2*0.1)/(m[x, y, z]*r0 + dt)
          }
        }
      }
    }
    parallel tiles x by 4 {
      tiles y by 6 {
        for x in tile {
          for y in tile {
            simd z {
              u[t-1, x, y, z] += neg(r1)*u[t+1, x, y, z]
            }
          }
        }
      }
    }
  }
}",
        (0, 6),
    );
}

#[test]
fn double_2d_with_sparse_points() {
    check(
        "operator op f64 {
  dim x 19 spacing 1
  dim z 23 spacing 1
  scalar dt step
  field u buffered 2 halo 1 alloc (21, 32) pad (1, 8)
  field m space halo 0 alloc (19, 24) pad (0, 0)
  sparse src points 3 steps 9
  table src at node corners 4
  sparse rec points 17 steps 9
  table rec at node corners 4
  sparse w points 4
  table w at node corners 4
  time ascending {
    slot 0 = t/1+0 % 2
    slot 1 = t/1+1 % 2
    slot 2 = t/1-1 % 2
    first {
      # m from one
      parallel tiles x by 19 {
        for x in tile {
          for z {
            m[x, z] = 1 + 0.1*m[x, z]
          }
        }
      }
    }
    parallel tiles x by 8 {
      for x in tile {
        simd z {
          u[t+1, x, z] = fma(u[t, x-1, z] - u[t, x+1, z], 0.25, u[t, x, z-1]) - u[t-1, x, z]/3
        }
      }
    }
    inject src -> u[t+1, x, z] += (src[t, p]*dt)/m[x, z]
    every 3 {
      inject w -> u[t, x, z] += neg(w[p])
      interpolate rec[t+1, p] += u[t, x, z]*m[x, z]
    }
    # rec = u
    interpolate rec[t, p] = u[t+1, x, z]
  }
}",
        (1, 7),
    );
}

#[test]
fn one_dimension_backwards_with_saved_fields() {
    check(
        "operator op f32 {
  dim x 101 spacing 1
  field v buffered 2 halo 1 alloc (112) pad (4)
  field usave saved 5 every 2 halo 1 alloc (112) pad (4)
  field grad space halo 0 alloc (112) pad (0)
  time descending {
    slot 0 = t/1+0 % 2
    slot 1 = t/1-1 % 2
    slot 2 = t/2+0 % 0
    slot 3 = t/2-1 % 0
    simd x {
      v[t-1, x] = v[t, x+1]*0.5 + v[t, x-1]*-0.25
    }
    every 2 {
      simd x {
        grad[x] += v[t-1, x]*(usave[t, x+1] - usave[t-1, x])
      }
    }
  }
}",
        (2, 9),
    );
}

fn functions(dtype: &str) -> String {
    let calls = [
        "sqrt(abs(v[x]))",
        "exp(v[x])",
        "log(abs(v[x]))",
        "sin(v[x]*9)",
        "cos(v[x]*9)",
        "tan(v[x])",
        "tanh(v[x])",
        "abs(v[x])",
        "floor(v[x]*5)",
        "ceil(v[x]*5)",
        "min(v[x], w[x])",
        "max(v[x], w[x])",
        "pow(abs(v[x]), w[x])",
        "sqrt(v[x])",
        "pow(v[x], 2)",
        "pow(abs(v[x]), 0.5)",
        "sin(w[x])*cos(w[x])",
        "neg(neg(v[x]))",
        "(w[x]/v[x])/3",
        "v[x]*(w[x]/7)",
        "(v[x] + w[x]) + (v[x] - 1)",
        "v[x] - (w[x] - 0.1)",
        "neg(-2)*v[x]",
        "1e300*v[x]",
        "min(v[x], NaN)",
        "exp(1)*sin(0.5)",
    ];
    let mut text = format!("operator op {dtype} {{\n  dim x 203 spacing 1\n");
    for name in ["v", "w"] {
        text += &format!("  field {name} space halo 0 alloc (208) pad (0)\n");
    }
    for i in 0..calls.len() {
        text += &format!("  field f{i} space halo 0 alloc (208) pad (0)\n");
    }
    for (i, call) in calls.iter().enumerate() {
        text += &format!("  simd x {{\n    f{i}[x] = {call}\n  }}\n");
    }
    text + "}"
}

#[test]
fn functions_in_both_precisions() {
    check(&functions("f32"), (0, 0));
    check(&functions("f64"), (0, 0));
}

#[test]
fn once_values_are_double_and_rounded_where_they_are_used() {
    check(
        "operator op f32 {
  dim x 16 spacing 1
  scalar a constant
  scalar b constant
  field u space halo 0 alloc (16) pad (0)
  once r0 = a/3 + sqrt(b)
  once r1 = exp(r0*r0) - 1e-9
  for x {
    r7 = r1 + b*r0
    u[x] = r7*u[x] + r7
  }
}",
        (0, 0),
    );
}

#[test]
fn names_that_mean_something_in_c() {
    check(
        "operator while f32 {
  dim x 16 spacing 1
  scalar float constant
  scalar t1 constant
  field int space halo 0 alloc (16) pad (0)
  field unix buffered 2 halo 0 alloc (16) pad (0)
  field x_end buffered 1 halo 0 alloc (16) pad (0)
  field wf_step space halo 0 alloc (16) pad (0)
  field _I space halo 0 alloc (16) pad (0)
  field exp space halo 0 alloc (16) pad (0)
  field exp_ space halo 0 alloc (16) pad (0)
  sparse cx points 2 steps 4
  table cx at node corners 2
  time ascending {
    slot 0 = t/1+0 % 2
    slot 1 = t/1+0 % 1
    parallel tiles x by 3 {
      simd x in tile {
        int[x] = float*t1 + exp(wf_step[x])*_I[x] + (exp[x] - exp_[x])
        unix[t, x] = x_end[t, x]
      }
    }
    inject cx -> unix[t, x] += cx[t, p]
  }
}",
        (0, 3),
    );
}

const COMPRESSED: &str = "operator op f32 {
  dim x 12 spacing 1
  dim z 20 spacing 1
  field u buffered 2 halo 1 alloc (14, 32) pad (1, 4)
  field usave compressed 8 every 2 quantize 9 halo 0
  field ring ring 2 every 2 of usave halo 0 alloc (12, 32) pad (0, 0)
  field old compressed 8 every 1 noop halo 1
  field oldring ring 3 every 1 of old halo 1 alloc (14, 32) pad (1, 4)
  time ascending {
    slot 0 = t/1+0 % 2
    slot 1 = t/1+1 % 2
    slot 2 = t/2+0 % 2
    slot 3 = t/1+0 % 3
    slot 4 = t/1+1 % 3
    k0 = decompress old[t] -> oldring[t]
    k1 = decompress old[t+1] -> oldring[t+1]
    wait k1
    wait k0
    parallel tiles x by 4 {
      for x in tile {
        simd z {
          u[t+1, x, z] = (u[t, x-1, z] + oldring[t, x, z]) - oldring[t+1, x, z+1]
        }
      }
    }
    every 2 {
      parallel tiles x by 4 {
        for x in tile {
          simd z {
            ring[t, x, z] = u[t, x, z]*2
          }
        }
      }
      # usave = 2*u
      k2 = compress usave[t] <- ring[t]
    }
    every 2 {
      wait k2
    }
    k3 = compress usave[t+1] <- u[t]
    wait k3
  }
}";

#[test]
fn compression_and_decompression() {
    check(COMPRESSED, (0, 5));
}

#[test]
fn slices_in_parts() {
    for text in IN_PARTS {
        check(text, (0, 5));
    }
}

#[test]
fn a_status_stops_the_run() {
    let program = program(COMPRESSED);
    let kernel = compile(&program).unwrap();
    for fail_at in 0..20 {
        let run = |kernel: &dyn Fn(*const Context) -> i32| {
            let mut host = Host::new(&program, 3);
            host.fail_at = Some(fail_at);
            (host.run((0, 5), 2, kernel), host.calls.len(), host.bits())
        };
        // SAFETY: the harness makes the contexts for this program.
        let (got, want) = unsafe {
            (run(&|context| kernel.entry()(context)), run(&|context| tree::interpret(&program, context)))
        };
        assert_eq!(got.0, 7);
        assert_eq!(got.1, fail_at + 1);
        assert!(got == want, "call {fail_at}");
    }
}

#[test]
fn denormals_are_flushed_in_loops_only() {
    let program = program(
        "operator op f32 {
  dim x 64 spacing 1
  field u space halo 0 alloc (64) pad (0)
  parallel tiles x by 4 {
    simd x in tile {
      u[x] = u[x]*1e-39
    }
  }
}",
    );
    let kernel = compile(&program).unwrap();
    let mut host = Host::new(&program, 1);
    // SAFETY: the harness makes the context for this program.
    assert_eq!(host.run((0, 0), 2, |context| unsafe { kernel.entry()(context) }), 0);
    if cfg!(any(target_arch = "x86_64", target_arch = "aarch64")) {
        assert!(host.bits()[0].1.iter().all(|b| *b & 0x7fff_ffff == 0));
    }
    assert_ne!(std::hint::black_box(f32::MIN_POSITIVE) / std::hint::black_box(2.0), 0.0);
}

#[test]
fn rows_that_say_how_they_use_memory() {
    check(HINTS, (0, 6));
    check(&HINTS.replace("op f32", "op f64"), (0, 6));
    let code = wavefold_backend_c::emit(&program(HINTS));
    assert_eq!(code.matches("wf_stream(").count(), 4, "{code}");
    assert_eq!(code.matches("wf_prefetch(").count(), 2, "{code}");
}

/// Rows of any length: what does not fill a cache line is computed as one, and stored in part.
#[test]
fn rows_that_end_in_a_line() {
    let of = |points: usize, value: &str, alloc: usize| {
        format!(
            "operator op f32 {{
  dim x 3 spacing 1
  dim y {points} spacing 1
  field u buffered 2 halo 2 alloc (7, {alloc}) pad (2, 16)
  field w space halo 0 alloc (3, {alloc}) pad (0, 0)
  time ascending {{
    slot 0 = t/1+1 % 2
    slot 1 = t/1+0 % 2
    for x {{
      simd y {{
        r0 = {value}
        u[t+1, x, y] = r0 + u[t, x, y-1]
        w[x, y] += r0*u[t, x, y+2]
      }}
    }}
  }}
}}"
        )
    };
    let in_part = |text: &str| wavefold_backend_c::emit(&program(text)).matches("wf_store_part(").count();
    for points in 13..=33 {
        let text = of(points, "u[t, x+1, y]/w[x, y]", 80);
        check(&text, (0, 5));
        check(&text.replace("op f32", "op f64"), (0, 5));
        assert_eq!(in_part(&text), if points < 16 || points % 16 == 0 { 0 } else { 2 }, "{text}");
    }
    assert_eq!(in_part(&of(20, "sqrt(w[x, y])", 64)), 2);
    // A call for nothing, too little room beside the last line, and what reads the value stored before.
    let after =
        |level: &str| of(20, "w[x, y]", 64).replace("r0*u[t, x, y+2]", &format!("r0*u[{level}, x, y]"));
    // Level t-1 lies where t+1 does.
    let other = after("t-1").replace("  slot 1", "  slot 2 = t/1-1 % 2\n    slot 1");
    for text in [of(20, "sin(w[x, y])", 64), of(20, "w[x, y]", 48), after("t+1"), other] {
        check(&text, (0, 5));
        assert_eq!(in_part(&text), 0, "{text}");
    }
}

/// Rows that reach for many others, found from the current one; fields whose names could be those of the pointers.
#[test]
fn rows_found_from_the_current_one() {
    for dtype in ["f32", "f64"] {
        for sizes in [vec![5, 7, 37], vec![6, 37]] {
            let planes = |field: &str, time: &str| -> String {
                let beside = |d: usize, by: i64| {
                    let at: Vec<String> = (0..sizes.len())
                        .map(|k| {
                            format!(
                                "{}{}",
                                ["x", "y", "z"][k],
                                if k == d { format!("{by:+}") } else { String::new() }
                            )
                        })
                        .collect();
                    format!("{field}[{time}{}]", at.join(", "))
                };
                let all = (0..sizes.len()).flat_map(|d| [-2, -1, 1, 2].map(|by| beside(d, by)));
                all.collect::<Vec<_>>().join(" + ")
            };
            let point = ["x, y", "x, y, z"][sizes.len() - 2];
            let loops = ["for x { simd y {", "for x { for y { simd z {"][sizes.len() - 2];
            let text = three_fields(dtype, &sizes)
                + loops
                + &format!(
                    "u[t+1, {point}] = ({}) + u_t0[{point}]*({})\n u[t+1, {point}] += u[t, {point}]*({})",
                    planes("u", "t, "),
                    planes("u_t0", ""),
                    planes("u_this_row", ""),
                )
                + &"}".repeat(sizes.len() + 2);
            check(&text, (0, 5));
            let code = wavefold_backend_c::emit(&program(&text));
            assert_eq!(code.matches("wf_hide(").count(), 3, "{code}");
            // With few rows, registers do.
            let few = text.replace(&planes("u_t0", ""), "1").replace(&planes("u_this_row", ""), "1");
            let few = few
                .replace(&planes("u", "t, "), "u[t, x, y-1]")
                .replace("x, y-1", ["x, y-1", "x, y-1, z"][sizes.len() - 2]);
            check(&few, (0, 5));
            assert!(!wavefold_backend_c::emit(&program(&few)).contains("wf_hide("));
        }
    }
}

fn three_fields(dtype: &str, sizes: &[usize]) -> String {
    texts::head(dtype, sizes)
        + &texts::field("u", "buffered 2", 2, sizes)
        + &texts::field("u_t0", "space", 2, sizes)
        + &texts::field("u_this_row", "space", 2, sizes)
        + "time ascending { slot 0 = t/1+1 % 2 slot 1 = t/1+0 % 2\n"
}

/// Rows that a tile cuts, and begin anywhere; rows shorter than a line.
#[test]
fn rows_that_only_prefetch() {
    for size in [16, 4, 7, 100] {
        check(
            &format!(
                "operator op f64 {{
  dim x 101 spacing 1
  field u buffered 2 halo 2 alloc (128) pad (8)
  time descending {{
    slot 0 = t/1+0 % 2
    slot 1 = t/1-1 % 2
    parallel tiles x [3:100] by {size} {{
      simd x in tile {{
        prefetch u[t, x+130]
        u[t-1, x] += u[t, x-1]*0.5 + u[t, x+1]
      }}
    }}
    simd x [1:6] {{
      prefetch u[t-1, x]
      u[t-1, x] = u[t, x-1]
    }}
    simd x [9:3] {{
      prefetch u[t-1, x]
      u[t-1, x] = u[t, x-1]
    }}
  }}
}}"
            ),
            (1, 5),
        );
    }
}
