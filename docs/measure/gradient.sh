#!/usr/bin/env bash
# The gradient of a shot in Wavefold and in Devito, taking turns: a Markdown table on standard output.
#
#   docs/measure/gradient.sh     run from the root of the repository
#
# Devito keeps every step, or checkpoints by pyrevolve; Wavefold keeps every step as it is, or compressed. SHAPE, ORDER and
# STEPS choose the problem, THREADS the number of threads (2), REPEAT the rounds (3), CHECKPOINTS how many Devito keeps
# ("20"; several are several rows), CODECS the histories of Wavefold ("none quantize:9"). DEVITO_PYTHON is a Python with Devito
# and pyrevolve; without it the script makes a virtual environment in DEVITO_VENV (default: a temporary folder) and installs
# DEVITO (default: devito==4.8.23) and pyrevolve from PyPI. WAVEFOLD is a built command; without it the script builds one.
# FILL=1 also puts the table into docs/devito.md.
set -euo pipefail
source docs/measure/common.sh

shape=${SHAPE:-168x168x168} order=${ORDER:-8} steps=${STEPS:-300} threads=${THREADS:-2} rounds=${REPEAT:-3}
codecs=${CODECS:-none quantize:9}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

wavefold=$(built)
export GOMP_SPINCOUNT=${GOMP_SPINCOUNT:-10000}
python=$(devito_python pyrevolve)

# keep FILE ANSWER: what is shown of a run, a line each.
keep() {
  echo "$(value seconds <<<"$2") $(value peak_rss_bytes <<<"$2") $(value cpu_utilisation <<<"$2")" >>"$work/$1"
}

wavefold_run() { # CODEC
  "$wavefold" bench gradient --codec "$1" --so "$order" --shape "$shape" --steps "$steps" --threads "$threads" \
    --backend c --repeat 1 --json
}

# turns MODE: rounds of Devito in a mode, and of Wavefold with every codec.
turns() {
  local answer round codec
  coproc DEVITO_SIDE {
    "$python" docs/measure/devito_gradient.py "$1" --so "$order" --shape "$shape" --steps "$steps" \
      --threads "$threads" 2>"$work/log"
  }
  local input=${DEVITO_SIDE[1]} output=${DEVITO_SIDE[0]} process=$DEVITO_SIDE_PID
  read -r answer <&"$output" || { cat "$work/log" >&2; return 1; }
  # Round 0 warms up.
  for ((round = 0; round <= rounds; round++)); do
    echo run >&"$input"
    read -r answer <&"$output" || { cat "$work/log" >&2; return 1; }
    [ "$round" != 0 ] || continue
    keep "devito-$1" "$answer"
    for codec in $codecs; do
      answer=$(wavefold_run "$codec")
      keep "wavefold-$codec" "$answer"
      value gradient_error <<<"$answer" >"$work/error-$codec"
    done
  done
  exec {input}>&-
  wait "$process" || true
}

# column FILE N: the median of a column.
column() { awk -v n="$2" '{ print $n }' "$work/$1" >"$work/column" && median "$work/column"; }

# row FILE NAME ERROR
row() {
  echo "| $2 | $(number %.2f "$(column "$1" 1)") | $(number %.2f "$(column "$1" 2)" 1e-9) | $3 | $(number %.2f "$(column "$1" 3)") |"
}

table() {
  local mode codec
  echo "$(machine); Devito $("$python" -c 'from importlib.metadata import version; print(version("devito"))')," \
    "autotuned (\`aggressive\`); $shape, order $order, $steps steps, $threads threads; medians of $rounds rounds or more," \
    "$(date -u +%Y-%m-%d)."
  echo
  echo "| history | forward and adjoint s | peak memory GB | error of the gradient | CPU |"
  echo "|---|--:|--:|--:|--:|"
  for mode in full ${CHECKPOINTS:-20}; do turns "$mode"; done
  for mode in full ${CHECKPOINTS:-20}; do
    if [ "$mode" = full ]; then row devito-full "Devito, every step" 0; else row "devito-$mode" "Devito, $mode checkpoints" 0; fi
  done
  for codec in $codecs; do
    if [ "$codec" = none ]; then
      row wavefold-none "Wavefold, every step" 0
    else
      row "wavefold-$codec" "Wavefold, \`$codec\`" "$(number %.1e "$(cat "$work/error-$codec")")"
    fi
  done
}

into docs/devito.md gradient table
