#!/usr/bin/env bash
# The tests of the codecs with their C blocks under the address and undefined-behaviour sanitizers of gcc.
#
#   docs/measure/sanitize.sh     run from the root of the repository; x86-64 or AArch64 Linux
set -euo pipefail
host=$(rustc -vV | sed -n 's/^host: //p')
# The target is named so that the flags go to the tests alone, and not to build scripts.
export WAVEFOLD_SANITIZE=1 RUSTFLAGS="-Clink-arg=-lasan -Clink-arg=-lubsan"
# Its library must come before all others.
runner=CARGO_TARGET_$(tr 'a-z-' 'A-Z_' <<<"$host")_RUNNER
export "$runner=env LD_PRELOAD=$(gcc -print-file-name=libasan.so)"
# Rust's test harness keeps what it allocated until the end.
export ASAN_OPTIONS=detect_leaks=0
cargo test --release --locked -p wavefold-codecs --target "$host" --target-dir "${CARGO_TARGET_DIR:-target}/sanitize"
