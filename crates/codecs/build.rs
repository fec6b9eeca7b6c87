//! Compiles the codec blocks of `runtime-c/codecs`.

fn main() {
    let blocks = "../../runtime-c/codecs";
    println!("cargo::rerun-if-changed={blocks}");
    cc::Build::new()
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
        .extra_warnings(true)
        .compile("wavefold_codec_blocks");
    println!("cargo::rustc-link-lib=m");
}
