//! Bits of the reference interpreter: ranges of loops, stages within tiles, fields on boxes, memory of the user's.

use crate::common::{check, field, head, tight, windowed};

const BOTH: [&str; 2] = ["f32", "f64"];

const SLOTS: &str = "  time ascending { slot 0 = t/1+1 % 2 slot 1 = t/1+0 % 2\n";

#[test]
fn ranges_of_every_kind_of_loop() {
    let bodies = [
        "for x [1:8] { simd y [2:11] { BODY } }",
        "for x { for y [5:6] { BODY } }",
        "for x [4:4] { simd y { BODY } } for x { simd y [9:3] { BODY } }",
        "parallel tiles x [1:9] by 3 { for x in tile { simd y [1:12] { BODY } } }",
        "parallel tiles y [2:13] by 4 { for x [0:7] { simd y in tile { BODY } } }",
        "parallel tiles y [3:13] by 5 { for x { simd y in tile { BODY } } }",
        "tiles x [2:7] by 100 { tiles y [1:12] by 3 { for x in tile { simd y in tile { BODY } } } }",
        "parallel tiles x [9:2] by 3 { for x in tile { simd y { BODY } } }",
    ];
    let text = "u[t+1, x, y] = u[t, x-1, y] + u[t, x, y+1]*u[t, x+1, y-1]";
    for dtype in BOTH {
        for body in bodies {
            let sizes = [9, 13];
            let program = head(dtype, &sizes) + &field("u", "buffered 2", 1, &sizes) + SLOTS;
            check(&format!("{program}{} }} }}", body.replace("BODY", text)), (0, 3));
        }
    }
}

#[test]
fn invariants_reach_into_the_halo() {
    for dtype in BOTH {
        let sizes = [6, 9];
        let text = head(dtype, &sizes)
            + &field("u", "buffered 2", 2, &sizes)
            + &field("m", "space", 2, &sizes)
            + &field("f", "invariant", 2, &sizes)
            + SLOTS
            + "first { parallel tiles x [-2:8] by 4 { for x in tile { simd y [-1:11] {
                 f[x, y] = sin(m[x, y])
               } } } }
               parallel tiles x by 2 { for x in tile { simd y {
                 u[t+1, x, y] = f[x-2, y+1]*u[t, x+1, y] + f[x+2, y-1]
               } } } } }";
        check(&text, (0, 3));
    }
}

/// Two stages and what they are for, in loops over tiles which `open` and `close`.
fn stages(dtype: &str, tile: &str, sizes: [usize; 2], by: [usize; 2], open: &str, close: &str) -> String {
    let room = [by[0].min(sizes[0]) + 3, by[1].min(sizes[1]) + 3];
    head(dtype, &sizes)
        + &field("u", "buffered 2", 3, &sizes)
        + &field("a", &format!("tile {tile}"), 2, &room)
        + &field("m", "space f32", 2, &sizes)
        + &field("b", "tile", 2, &room)
        + SLOTS
        + open
        + "for x in tile widened 2 2 { for y in tile widened 1 2 { a[x, y] = u[t, x, y]*m[x, y] } }
           for x in tile widened 1 1 { simd y in tile {
             r0 = a[x-1, y] + a[x, y+1]
             b[x, y] = r0 - a[x, y-1]
             b[x, y] += a[x+1, y]*r0
           } }
           for x in tile { simd y in tile { u[t+1, x, y] = b[x+1, y] + b[x-1, y]*a[x, y+2] } }"
        + close
        + "} }"
}

#[test]
fn stages_share_memory_of_their_tile() {
    for dtype in BOTH {
        for tile in BOTH {
            for n in [1, 4, 7, 12] {
                let (sizes, by) = ([7, n], [3, 4]);
                let outer = "parallel tiles x by 3 { tiles y by 4 {";
                check(&stages(dtype, tile, sizes, by, outer, "} }"), (0, 3));
                let serial = "tiles y by 4 { tiles x by 3 {";
                check(&stages(dtype, tile, sizes, by, serial, "} }"), (0, 3));
            }
            let inside = "parallel tiles x by 3 { parallel tiles y by 4 {";
            check(&stages(dtype, tile, [7, 4], [3, 4], inside, "} }"), (0, 3));
            let part = "parallel tiles y [1:11] by 4 { tiles x [2:6] by 3 {";
            check(&stages(dtype, tile, [7, 12], [3, 4], part, "} }"), (0, 3));
        }
    }
}

#[test]
fn tile_fields_span_dimensions_without_tiles() {
    for dtype in BOTH {
        let sizes = [8, 11];
        let text = head(dtype, &sizes)
            + &field("u", "buffered 2", 1, &sizes)
            + &windowed("a", "tile", 1, &[(0, 3), (3, 9)])
            + SLOTS
            + "parallel tiles x by 3 {
                 for x in tile { simd y [3:9] { a[x, y] = 2*u[t, x, y] } }
                 for x in tile { simd y [4:8] { u[t+1, x, y] = a[x, y-1] + a[x, y+1] } }
               }
               } }";
        check(&text, (0, 3));
    }
}

#[test]
fn stages_in_three_dimensions() {
    for dtype in BOTH {
        let sizes = [6, 7, 10];
        let text = head(dtype, &sizes)
            + &field("u", "buffered 2", 1, &sizes)
            + &field("a", "tile", 1, &[4, 5, 10])
            + SLOTS
            + "parallel tiles x by 4 { tiles y by 5 {
                 for x in tile widened 1 1 { for y in tile { simd z { a[x, y, z] = u[t, x, y, z] - 1 } } }
                 for x in tile { for y in tile { simd z {
                   u[t+1, x, y, z] = (a[x+1, y, z] - a[x-1, y, z])*0.5
                 } } }
               } } } }";
        check(&text, (0, 2));
    }
}

#[test]
fn fields_on_a_box_and_memory_of_the_users() {
    for dtype in BOTH {
        for n in 6..=11 {
            let sizes = [9, n + 2];
            let window = [(2, 7), (1, n - 1)];
            let text = head(dtype, &sizes)
                + &tight("u", "buffered 3", 1, &[(0, 9), (0, n + 2)])
                + &tight("w", "space", 1, &window)
                + &tight("m", "space", 1, &window)
                + &windowed("v", "buffered 2", 2, &window)
                + &windowed("s", "saved 4 every 1", 0, &window)
                + &format!(
                    "  sparse src points 3
                       table src at node corners 4
                       time ascending {{ slot 0 = t/1+1 % 2 slot 1 = t/1+0 % 2 slot 2 = t/1+0 % 0
                         slot 3 = t/1+1 % 3 slot 4 = t/1+0 % 3
                       for x {{ simd y {{ u[t+1, x, y] = u[t, x, y+1] + 0.5*u[t, x-1, y] }} }}
                       inject src -> u[t+1, x, y] += src[p]
                       parallel tiles x [2:7] by 2 {{ for x in tile {{ simd y [1:{0}] {{
                         v[t+1, x, y] = v[t, x+2, y-1] + w[x, y]*u[t, x, y]
                         w[x, y] += 1
                         s[t, x, y] = v[t+1, x, y]
                       }} }} }}
                       parallel tiles y [2:{0}] by 3 {{ for x [2:6] {{ simd y in tile {{
                         u[t+1, x, y] += s[t, x, y-1]*m[x-1, y]
                       }} }} }}
                     }} }}",
                    n - 1
                );
            check(&text, (0, 3));
        }
    }
}
