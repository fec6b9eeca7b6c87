#!/usr/bin/env bash
# Gradient of one shot with the history kept in different ways: a Markdown table on standard output.
#
#   docs/measure/marmousi.sh MODEL     run from the root of the repository
#
# MODEL is the Marmousi velocity as raw f32, 1601 x 401 points 7.5 m apart; SHAPE, SPACING and SECONDS_RECORDED describe
# another model and run, STEPS=200 makes it short, BACKENDS="c cranelift" chooses the backends. FILL=1 also puts the table into
# docs/compression.md.
set -euo pipefail
source docs/measure/common.sh

model=${1:?usage: docs/measure/marmousi.sh MODEL}
arguments=(--model "$model" --shape "${SHAPE:-1601x401}" --spacing "${SPACING:-7.5}"
  --seconds "${SECONDS_RECORDED:-3}" --reference --no-plot --json)
[ -z "${STEPS:-}" ] || arguments+=(--steps "$STEPS")

cargo build --release --quiet -p wavefold --example gradient
gradient=${CARGO_TARGET_DIR:-target}/release/examples/gradient

# The largest gradient error that each codec may cause; the script fails when one is larger.
limit() {
  case $1 in none | noop) echo 0 ;; quantize:12) echo 1e-2 ;; wavelet:1e-3) echo 1e-3 ;; *) echo 1 ;; esac
}

row() { # BACKEND CODEC...
  local backend=$1 json
  shift
  json=$("$gradient" "${arguments[@]}" --backend "$backend" --compression "$@")
  of() { value "$1" <<<"$json"; }
  [ -n "${header:-}" ] || {
    echo "$(machine). $(of steps) steps of $(number %.3f "$(of dt_ms)") ms, $(of receivers) receivers."
    echo
    echo "| codec | backend | raw MiB | kept MiB | ratio | SNR dB | gradient error | forward s | compress s | adjoint s | decompress s | uncompressed s |"
    echo "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
    header=done
  }
  local mib=9.5367431640625e-7
  echo "| $(of codec) | $(of backend) | $(number %.0f "$(of raw_bytes)" $mib) | $(number %.1f "$(of bytes)" $mib)" \
    "| $(number %.2f "$(of ratio)") | $(number %.1f "$(of snr_db)") | $(number %.2e "$(of gradient_error)")" \
    "| $(number %.2f "$(of forward_seconds)") | $(number %.2f "$(of compress_seconds)")" \
    "| $(number %.2f "$(of adjoint_seconds)") | $(number %.2f "$(of decompress_seconds)")" \
    "| $(number %.2f "$(of reference_seconds)") |"
  awk -v e="$(of gradient_error)" -v most="$(limit "$(of codec)")" 'BEGIN { exit !(e + 0 <= most + 0) }' || {
    echo "$(of codec) on $backend: the gradient error is above $(limit "$(of codec)")" >&2
    exit 1
  }
}

table() {
  local backend
  for backend in ${BACKENDS:-c cranelift}; do
    row "$backend" none
    row "$backend" noop
    for nbits in 9 12 16; do row "$backend" quantize --nbits "$nbits"; done
    for scale in 1e-2 1e-3 1e-4; do row "$backend" wavelet --compscale "$scale"; done
    for snr in 40 60 80; do row "$backend" lapped --snr "$snr"; done
  done
  echo
  echo "Times are those of the kernels: forward and adjoint with the codec in them, compress and decompress the part of"
  echo "it, uncompressed both runs with a plain history, in the same process. SNR is that of the history."
}

into docs/compression.md marmousi table
