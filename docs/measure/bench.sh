#!/usr/bin/env bash
# The cases of `wavefold bench` on both backends: Markdown tables on standard output.
#
#   docs/measure/bench.sh     run from the root of the repository
#
# QUICK=1 takes small grids, to try the script; BACKENDS="c cranelift" chooses the backends; REPEAT is the number of timed
# runs. FILL=1 also puts the tables into docs/bench.md.
set -euo pipefail
source docs/measure/common.sh

cargo build --release --quiet -p wavefold-cli
wavefold=${CARGO_TARGET_DIR:-target}/release/wavefold

bench() { # BACKEND CASE OPTION...
  local backend=$1 case=$2 small=()
  shift 2
  if [ -n "${QUICK:-}" ]; then
    case $case in *2d) small=(--shape 100x100) ;; *) small=(--shape 40x40x40) ;; esac
    small+=(--steps 10)
  fi
  "$wavefold" bench "$case" --backend "$backend" --repeat "${REPEAT:-3}" --json "${small[@]}" "$@"
}

# shape: the points per axis, from the JSON object on standard input.
shape() { sed -n 's/.*"shape":\[\([^]]*\)\].*/\1/p' | sed 's/,/x/g'; }

plain() {
  echo "| case | order | grid | steps | backend | flops/point | bytes/point | GPts/s | GFlops/s | GB/s | lowering ms | compilation ms | first step ms | CPU |"
  echo "|---|--:|---|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
  local backend case order json
  for case in acoustic2d:4 acoustic2d:8 acoustic3d:4 acoustic3d:8 tti2d:8 tti3d:8 elastic2d:4 elastic3d:4 burgers2d:2 heat3d:2; do
    for backend in ${BACKENDS:-c cranelift}; do
      json=$(bench "$backend" "${case%:*}" --so "${case#*:}")
      of() { value "$1" <<<"$json"; }
      local cached=""
      [ "$(of compile_cached)" != true ] || cached=" (cached)"
      echo "| $(of case) | $(of so) | $(shape <<<"$json") | $(of steps) | $(of backend)" \
        "| $(number %.1f "$(of flops_per_point)") | $(number %.1f "$(of bytes_per_point)") | $(number %.3f "$(of gpts_per_s)")" \
        "| $(number %.1f "$(of gflops)") | $(number %.1f "$(of gb_per_s)") | $(number %.2f "$(of lower_seconds)" 1e3)" \
        "| $(number %.1f "$(of compile_seconds)" 1e3)$cached | $(number %.0f "$(of first_step_seconds)" 1e3) | $(number %.2f "$(of cpu_utilisation)") |"
    done
  done
}

saving() {
  echo "| case | grid | steps | codec | every | backend | seconds | raw MB | kept MB | ratio | overhead % | gradient error | peak MB | CPU |"
  echo "|---|---|--:|---|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|"
  local backend case kept json
  for case in history gradient; do
    for kept in none noop quantize:9 quantize:12 wavelet:1e-3 lapped:60dB lapped:60dB@4; do
      for backend in ${BACKENDS:-c cranelift}; do
        local every=1
        [ "${kept%@*}" = "$kept" ] || every=${kept#*@}
        json=$(bench "$backend" "$case" --codec "${kept%@*}" --save-every "$every")
        of() { value "$1" <<<"$json"; }
        echo "| $(of case) | $(shape <<<"$json") | $(of steps) | $(of codec) | $(of save_every) | $(of backend)" \
          "| $(number %.2f "$(of seconds)") | $(number %.0f "$(of raw_bytes)" 1e-6) | $(number %.1f "$(of bytes)" 1e-6)" \
          "| $(number %.2f "$(of ratio)") | $(number %+.1f "$(of overhead)" 100) | $(number %.2e "$(of gradient_error)")" \
          "| $(number %.0f "$(of peak_rss_bytes)" 1e-6) | $(number %.2f "$(of cpu_utilisation)") |"
      done
    done
  done
}

tables() {
  echo "$(machine)."
  echo
  plain
  echo
  saving
  echo
  echo "CPU is \`cpu_utilisation\`; 1 means that the run had the machine for itself."
}

into docs/bench.md bench tables
