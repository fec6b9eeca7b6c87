#!/usr/bin/env bash
# What `--backend auto` is worth: runs of several lengths with an empty compile cache, on each backend, as a Markdown table
# on standard output. Run from the root of the repository.
#
# WAVEFOLD is a built command; without it the script builds one. REPEAT is the number of rounds, 3 if not given. FILL=1 also
# puts the table into docs/performance.md.
set -euo pipefail
source docs/measure/common.sh

wavefold=${WAVEFOLD:-}
if [ -z "$wavefold" ]; then
  cargo build --release --quiet -p wavefold-cli
  wavefold=${CARGO_TARGET_DIR:-target}/release/wavefold
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat >"$work/shot.wf" <<'WF'
let n = 160
let nt = 100
grid box { shape n n n spacing 10 }
function m on box order 8
set m = 1/1.5^2
time u on box order 8 time_order 2
points src on box at 800 800 40 steps nt
points rec on box line 40 800 20 to 1560 800 20 count 153 steps nt
set src = ricker(0.02, 2, nt)
operator shot {
    solve m*u.dt2 - u.laplace = 0 for u.forward
    inject src*dt^2/m into u.forward
    rec = u
}
run shot dt = 2
WF

# fastest FILE: the smallest number in it.
fastest() { sort -g "$1" | head -n 1; }

table() {
  local steps backend round json
  echo "$(machine); 160x160x160 points, fastest of ${REPEAT:-3} rounds."
  echo
  echo "| steps | backend | first step s | whole program s | ran |"
  echo "|--:|---|--:|--:|---|"
  for steps in 20 200 2000; do
    rm -f "$work"/*.txt
    for ((round = 0; round < ${REPEAT:-3}; round++)); do
      for backend in cranelift auto c; do
        json=$(WAVEFOLD_CACHE_DIR=$(mktemp -d -p "$work") "$wavefold" run "$work/shot.wf" --json --backend "$backend" \
          --set nt=$((steps + 2)))
        value first_step_seconds <<<"$json" >>"$work/$backend-first.txt"
        # The last `seconds` are those of the program.
        value seconds <<<"$json" >>"$work/$backend.txt"
        sed 's/.*"tiers":\[\([^]]*\)\].*/\1/; s/{"backend":"\([a-z]*\)","steps":\([0-9]*\)[^}]*}/\1 \2/g; s/,/, /g' \
          <<<"$json" >"$work/$backend-ran"
      done
    done
    for backend in cranelift auto c; do
      echo "| $steps | $backend | $(number %.2f "$(fastest "$work/$backend-first.txt")")" \
        "| $(number %.2f "$(fastest "$work/$backend.txt")") | $(cat "$work/$backend-ran") |"
    done
  done
}

into docs/performance.md tiers table
