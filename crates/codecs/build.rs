//! Compiles the codec blocks of `runtime-c/codecs`.
//!
//! `WAVEFOLD_SANITIZE=1` compiles them with the address and undefined-behaviour sanitizers, for `docs/measure/sanitize.sh`.

fn main() {
    let blocks = "../../runtime-c/codecs";
    println!("cargo::rerun-if-changed={blocks}");
    println!("cargo::rerun-if-env-changed=WAVEFOLD_SANITIZE");
    let mut build = cc::Build::new();
    build
        .file(format!("{blocks}/blocks.c"))
        .std("gnu11")
        .opt_level(3)
        .pic(true)
        // A fused multiply-add would change bits, and with them the stream.
        .flag("-ffp-contract=off")
        // Neither changes a value; without them `rint` is a call and no loop with it is vectorised.
        .flag_if_supported("-fno-math-errno")
        .flag_if_supported("-fno-trapping-math")
        // Whole cache lines where AVX-512 is found at run time; nothing is wider than asked for elsewhere.
        .flag_if_supported("-mprefer-vector-width=512")
        .warnings(true)
        .extra_warnings(true);
    if std::env::var_os("WAVEFOLD_SANITIZE").is_some() {
        build.opt_level(1).debug(true).flag("-fsanitize=address,undefined").flag("-fno-sanitize-recover=all");
        // Once, for this machine: of several sets of instructions only one would run. Where variables are takes gcc half of the
        // time.
        build
            .define("WF_CLONES", "")
            .flag_if_supported("-march=native")
            .flag_if_supported("-fno-var-tracking");
    }
    build.compile("wavefold_codec_blocks");
    println!("cargo::rustc-link-lib=m");
}
