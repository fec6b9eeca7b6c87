//! Bits of the reference interpreter: rows that are found by pointers, which change behind the first step. The harness has them
//! backwards in memory, and nothing behind the plain pointers.

use crate::common::{check, field, head, tight};

const BOTH: [&str; 2] = ["f32", "f64"];

const SLOTS: &str = "  time ascending { slot 0 = t/1+1 % 2 slot 1 = t/1+0 % 2\n";

fn by_rows(field: String) -> String {
    format!("{} by rows\n", field.trim_end())
}

#[test]
fn neighbours_in_rows_of_their_own() {
    for dtype in BOTH {
        for sizes in [vec![9, 35], vec![5, 6, 33]] {
            let (point, beside) =
                if sizes.len() == 2 { ("x, y", "x-1, y+2") } else { ("x, y, z", "x-1, y+2, z-2") };
            let far = if sizes.len() == 2 { "x+2, y" } else { "x+2, y-2, z" };
            let values = format!("u[t+1, {point}] = u[t, {point}]*m[{beside}] + m[{point}]*m[{far}]");
            let nest = if sizes.len() == 2 {
                format!("parallel tiles x by 4 {{ for x in tile {{ simd y {{ {values} }} }} }}")
            } else {
                format!(
                    "parallel tiles y by 4 {{ for x {{ for y in tile {{ simd z {{ prefetch m[x, y, z+16] {values} }} }} }} }}"
                )
            };
            let text = head(dtype, &sizes)
                + &field("u", "buffered 2", 0, &sizes)
                + &by_rows(field("m", "space", 2, &sizes))
                + SLOTS
                + &nest
                + "} }";
            check(&text, (0, 4));
        }
    }
}

#[test]
fn rows_of_other_types_and_of_the_user() {
    for (dtype, other) in [("f32", "f64"), ("f64", "f32")] {
        let sizes = [7, 37];
        let of_user = tight("w", "space", 1, &[(0, 7), (0, 37)]).replace(" in [0:7, 0:37]", "");
        let text = head(dtype, &sizes)
            + &field("u", "buffered 2", 1, &sizes)
            + &by_rows(field("m", &format!("space {other}"), 1, &sizes))
            + &by_rows(of_user)
            + SLOTS
            + "for x { simd y { u[t+1, x, y] = u[t, x, y]*m[x+1, y] + w[x, y-1] } }
               for x { for y { u[t+1, x, y] = u[t+1, x, y] + w[x-1, y]*m[x, y] } } } }";
        check(&text, (0, 4));
    }
}

/// What the first step fills, in the halo too, by planes of two; sparse points and reductions find them as well.
#[test]
fn rows_that_the_first_step_fills() {
    for dtype in BOTH {
        let sizes = [6, 5, 20];
        let text = head(dtype, &sizes)
            + &field("u", "buffered 2", 1, &sizes)
            + &by_rows(field("m", "space", 1, &sizes))
            + &by_rows(field("f", "invariant", 1, &sizes))
            + "  sparse src points 3\n  sparse rec points 3 steps 9\n  sparse sum points 1 steps 9\n
               table src at node corners 4\n  table rec at node corners 2\n"
            + SLOTS
            + "first { parallel tiles y [-1:6] by 3 { for x [-1:7] { for y in tile { simd z [-1:21] {
                 stream f f[x, y, z] = 1/(m[x, y, z] + 3) } } } } }
               parallel tiles y by 2 { for x by 2 { for y in tile { simd z {
                 u[t+1, x, y, z] = f[x, y, z]*u[t, x-1, y, z] + f[x, y-1, z-1]*m[x, y, z]
                 u[t+1, x+1, y, z] = f[x+1, y, z]*u[t, x, y, z] + f[x+1, y-1, z-1]*m[x+1, y, z] } } } }
               inject src -> u[t+1, x, y, z] += src[p]*f[x, y, z]
               interpolate rec[t, p] += u[t, x, y, z]*m[x, y, z]
               reduce sum[t] sum parallel tiles x by 2 { for x in tile { for y { simd z { accumulate u[t, x, y, z]*f[x, y, z] } } } } } }";
        let text = text.replace("stream f ", "");
        check(&text, (0, 6));
    }
}
