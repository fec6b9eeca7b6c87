//! Random expressions give the same bits in compiled C and in the interpreter.

#[path = "../../../tests/support/harness.rs"]
mod harness;

use harness::Random;
use wavefold_backend_c::compile;

/// Expressions per program.
const COUNT: usize = 48;

/// A random expression over `v`, `w` and `r0`. Every operand is in parentheses, so the tree is as generated.
/// Functions that come near to denormals are left out: kernels flush them, the interpreter does not.
fn expression(random: &mut Random, depth: usize) -> String {
    let pick = |random: &mut Random, n: u64| random.next() % n;
    if depth == 0 {
        let offset = |random: &mut Random| ["", "+1", "-1", "+2", "-2"][pick(random, 5) as usize];
        return match pick(random, 8) {
            0 => ["2", "-0.5", "0.1", "1e10", "-3.75"][pick(random, 5) as usize].to_string(),
            1 => "r0".to_string(),
            2 => "a".to_string(),
            n => format!("{}[x{}, z{}]", ["v", "w"][n as usize % 2], offset(random), offset(random)),
        };
    }
    let operand = |random: &mut Random| {
        let shallower = depth - 1 - pick(random, depth as u64) as usize;
        format!("({})", expression(random, shallower))
    };
    let many = |random: &mut Random, between: &str, most: u64| {
        let operands: Vec<String> = (0..2 + pick(random, most - 1)).map(|_| operand(random)).collect();
        operands.join(between)
    };
    match pick(random, 10) {
        0..3 => many(random, " + ", 4),
        3..5 => many(random, "*", 2),
        5 => format!("{} - {}", operand(random), operand(random)),
        6 => format!("{}/{}", operand(random), operand(random)),
        7 => format!("fma({}, {}, {})", operand(random), operand(random), operand(random)),
        8 => format!("neg({})", operand(random)),
        _ => {
            let f = ["sqrt", "sin", "cos", "tanh", "abs", "floor", "ceil", "min", "max"]
                [pick(random, 9) as usize];
            match f {
                "min" | "max" => format!("{f}({}, {})", operand(random), operand(random)),
                _ => format!("{f}({})", operand(random)),
            }
        }
    }
}

fn program(dtype: &str, seed: u64) -> String {
    let mut random = Random(seed);
    let mut text =
        format!("operator op {dtype} {{\n dim x 9 spacing 1\n dim z 21 spacing 1\n scalar a constant\n");
    for name in ["v", "w"] {
        text += &format!(" field {name} space halo 2 alloc (13, 32) pad (2, 4)\n");
    }
    for i in 0..COUNT {
        text += &format!(" field f{i} space halo 0 alloc (9, 24) pad (0, 0)\n");
    }
    text += " once r0 = sqrt(a)/3 + 1\n";
    for i in 0..COUNT {
        let value = expression(&mut random, 3);
        let z = ["simd z", "for z"][i % 2];
        text += &format!(" parallel tiles x by 4 {{ for x in tile {{ {z} {{ f{i}[x, z] = {value} }} }} }}\n");
    }
    text + "}"
}

#[test]
fn random_expressions() {
    for (dtype, seed) in [("f32", 1), ("f64", 2), ("f32", 3)] {
        let program = harness::program(&program(dtype, seed));
        let kernel = compile(&program).unwrap();
        // SAFETY: the harness makes the context for this program.
        harness::assert_same(&program, (0, 0), &[1, 2], |context| unsafe { kernel.entry()(context) });
    }
}
