#!/usr/bin/env bash
# Wavefold against Devito on the same grids and equations, taking turns: Markdown tables on standard output.
#
#   docs/measure/devito.sh     run from the root of the repository
#
# DEVITO_PYTHON is a Python that has Devito; without it the script makes a virtual environment in DEVITO_VENV (default: a
# temporary folder) and installs DEVITO (default: devito==4.8.23) from PyPI. CASES chooses rows by their beginning, as in
# CASES="acoustic3d:8 heat3d edges"; THREADS the numbers of threads, "2 1" if not given; REPEAT the rounds, 5 if not given.
# UNEVEN=1 gives the medium of Wavefold's runs another value at every point, so that none of its rows are equal; Devito's speed
# does not depend on values. WAVEFOLD is a built command; without it the script builds one. QUICK=1 takes small grids, to try the script. FILL=1 also puts the tables into docs/devito.md.
set -euo pipefail
source docs/measure/common.sh

# case:order:grid:steps:backends
ROWS="
acoustic3d:4:296x296x296:40:c,cranelift
acoustic3d:8:296x296x296:40:c,cranelift
acoustic3d:12:296x296x296:40:c,cranelift
acoustic3d:16:296x296x296:40:c,cranelift
acoustic2d:8:2040x2040:200:c,cranelift
tti3d:8:212x212x212:20:c,cranelift
elastic3d:4:212x212x212:20:c,cranelift
elastic3d:8:212x212x212:20:c,cranelift
elastic2d:4:2040x2040:50:c,cranelift
heat3d:2:256x256x256:100:c,cranelift
burgers2d:2:2000x2000:100:c,cranelift
"
# Edges of cubes whose speed per point is compared.
EDGES="280 288 290 296 300 304 310 316 320 324 330"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

wavefold=$(built)
DEVITO_PYTHON=$(devito_python)
# Both wait for their threads in the same way, as `wavefold` sets it for itself.
export GOMP_SPINCOUNT=${GOMP_SPINCOUNT:-10000}

# small SHAPE: the shape, or with QUICK one of as many axes.
small() {
  if [ -z "${QUICK:-}" ]; then echo "$1"; else case $1 in *x*x*) echo 40x40x40 ;; *) echo 200x200 ;; esac; fi
}

chosen() { # ROW
  local start
  [ -n "${CASES:-}" ] || return 0
  for start in $CASES; do case $1 in "$start"*) return 0 ;; esac; done
  return 1
}

uneven() { # CASE
  case ${UNEVEN:-}$1 in 1acoustic* | 1tti* | 1elastic*) echo --uneven ;; esac
}

bench() { # BACKEND CASE ORDER SHAPE STEPS THREADS
  "$wavefold" bench "$2" --backend "$1" --so "$3" --shape "$4" --steps "$5" --threads "$6" --repeat 1 --json \
    $(uneven "$2")
}

# turns ROW THREADS: the rows of the table for one case; Devito and each backend run once a round.
turns() {
  local case order shape steps backends threads=$2 ready answer backend round
  IFS=: read -r case order shape steps backends <<<"$1"
  shape=$(small "$shape")
  coproc DEVITO_SIDE {
    "$DEVITO_PYTHON" docs/measure/devito.py "$case" --so "$order" --shape "$shape" --steps "$steps" \
      --threads "$threads" 2>"$work/log"
  }
  local input=${DEVITO_SIDE[1]} output=${DEVITO_SIDE[0]} process=$DEVITO_SIDE_PID
  read -r ready <&"$output" || { cat "$work/log" >&2; return 1; }
  rm -f "$work"/*.txt
  # Round 0 warms up, and compiles.
  for ((round = 0; round <= ${REPEAT:-5}; round++)); do
    echo run >&"$input"
    read -r answer <&"$output" || { cat "$work/log" >&2; return 1; }
    value gpts_per_s <<<"$answer" >"$work/devito"
    [ "$round" = 0 ] || { cat "$work/devito" >>"$work/devito.txt"; value cpu_utilisation <<<"$answer" >>"$work/cpu.txt"; }
    for backend in ${backends//,/ }; do
      answer=$(bench "$backend" "$case" "$order" "$shape" "$steps" "$threads")
      [ "$round" != 0 ] || continue
      value gpts_per_s <<<"$answer" | tee "$work/mine" >>"$work/$backend.txt"
      value cpu_utilisation <<<"$answer" >>"$work/$backend-cpu.txt"
      value stream_fraction <<<"$answer" >>"$work/$backend-stream.txt"
      paste "$work/mine" "$work/devito" | awk '{ print $1 / $2 }' >>"$work/$backend-ratio.txt"
    done
  done
  exec {input}>&-
  wait "$process" || true
  for backend in ${backends//,/ }; do
    echo "| $case | $order | $shape | $threads | $(number %.3f "$(median "$work/devito.txt")") | $backend" \
      "| $(number %.3f "$(median "$work/$backend.txt")") | $(number %.2f "$(median "$work/$backend-ratio.txt")")" \
      "| $(number %.0f "$(median "$work/$backend-stream.txt")" 100) % | $(number %.2f "$(median "$work/cpu.txt")")" \
      "| $(number %.2f "$(median "$work/$backend-cpu.txt")") |"
  done
  first "$case" "$order" "$shape" "$threads" "$ready" >>"$work/first"
}

# first CASE ORDER SHAPE THREADS READY: a row of the table of first steps. A C compiler and Devito find nothing made before.
first() {
  local cold cached cranelift
  of() { value "$1" <<<"$2"; }
  cold=$(WAVEFOLD_CACHE_DIR=$(mktemp -d -p "$work") bench c "$1" "$2" "$3" 1 "$4")
  cached=$(bench c "$1" "$2" "$3" 1 "$4")
  cranelift=$(bench cranelift "$1" "$2" "$3" 1 "$4")
  echo "| $1 | $2 | $3 | $4 | $(number %.2f "$(of import_seconds "$5")") | $(number %.2f "$(of lower_seconds "$5")")" \
    "| $(number %.2f "$(of compile_seconds "$5")") | $(number %.2f "$(of first_step_seconds "$5")")" \
    "| $(number %.1f "$(of lower_seconds "$cold")" 1e3) | $(number %.0f "$(of compile_seconds "$cold")" 1e3)" \
    "| $(number %.2f "$(of first_step_seconds "$cold")")" \
    "| $(number %.1f "$(of compile_seconds "$cached")" 1e3) | $(number %.2f "$(of first_step_seconds "$cached")")" \
    "| $(number %.1f "$(of compile_seconds "$cranelift")" 1e3) | $(number %.2f "$(of first_step_seconds "$cranelift")") |"
}

# edges THREADS: the speed per point of cubes of many sizes, against the best of them. Each takes turns with the cube of the
# other cases, 296^3: a machine that others use too changes more between the first and the last size than sizes do.
edges() {
  local edge round backend
  cube() { # BACKEND EDGE THREADS
    local side=$2
    [ -z "${QUICK:-}" ] || side=$(($2 / 8))
    bench "$1" acoustic3d 8 "${side}x${side}x${side}" 20 "$3" | value gpts_per_s
  }
  for ((round = 1; round <= ${REPEAT:-5}; round++)); do
    for edge in $EDGES; do
      for backend in c cranelift; do
        { cube "$backend" "$edge" "$1"; cube "$backend" 296 "$1"; } | paste - - | awk '{ print $1 / $2 }' >>"$work/$backend$edge.txt"
      done
    done
  done
  echo "| edge | $(sed 's/ / | /g' <<<"$EDGES") |"
  echo "|---|$(sed 's/[0-9][0-9]*/--:/g; s/ /|/g' <<<"$EDGES")|"
  for backend in c cranelift; do
    for edge in $EDGES; do median "$work/$backend$edge.txt"; done | awk -v name="$backend" '
      { speed[NR] = $1; if ($1 > best) best = $1 }
      END { row = "| " name " |"; for (i = 1; i <= NR; i++) row = row sprintf(" %.2f |", speed[i] / best); print row }'
  done
}

tables() {
  local row threads
  echo "$(machine); Devito $("$DEVITO_PYTHON" -c 'from importlib.metadata import version; print(version("devito"))')," \
    "autotuned (\`aggressive\`), $("$DEVITO_PYTHON" --version); medians of ${REPEAT:-5} rounds, $(date -u +%Y-%m-%d)."
  echo
  echo "| case | order | grid | threads | Devito GPts/s | backend | Wavefold GPts/s | **ratio** | of the memory | Devito CPU | Wavefold CPU |"
  echo "|---|--:|---|--:|--:|---|--:|--:|--:|--:|--:|"
  : >"$work/first"
  for threads in ${THREADS:-2 1}; do
    for row in $ROWS; do
      if chosen "$row"; then turns "$row" "$threads"; fi
    done
  done
  echo
  echo "Time to the first step, on the same grids:"
  echo
  echo "| case | order | grid | threads | Devito: import s | lowering s | gcc s | first step s | Wavefold: lowering ms | C ms | first step s | C from the cache ms | first step s | Cranelift ms | first step s |"
  echo "|---|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
  cat "$work/first"
  if chosen edges; then
    echo
    echo "Cubes of other sizes, acoustic3d at order 8, speed per point against the best of a row:"
    echo
    edges "${THREADS%% *}"
  fi
}

THREADS=${THREADS:-2 1}
into docs/devito.md devito tables
