# Shared by the scripts of this folder: source it from the root of the repository.

# value KEY: the scalar of that key in the JSON object on standard input, "null" when it is not there.
value() {
  local found
  found=$(sed -n "s/.*\"$1\":\"\{0,1\}\([^,}\"]*\).*/\1/p")
  echo "${found:-null}"
}

# number FORMAT VALUE [FACTOR]: a number times a factor, or a dash for null.
number() {
  if [ "$2" = null ]; then echo "-"; else awk -v f="$1" -v v="$2" -v k="${3:-1}" 'BEGIN { printf f "\n", v * k }'; fi
}

# median NAME: of the numbers in a file, one a line.
median() { sort -g "$1" | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

# built: the command to measure: WAVEFOLD, or a fresh build.
built() {
  [ -n "${WAVEFOLD:-}" ] || cargo build --release --quiet -p wavefold-cli >&2
  echo "${WAVEFOLD:-${CARGO_TARGET_DIR:-target}/release/wavefold}"
}

# devito_python [PACKAGE...]: DEVITO_PYTHON, or a Python of a virtual environment with Devito and other packages; a new one is
# made in DEVITO_VENV, or in the folder $work.
devito_python() {
  local venv=${DEVITO_VENV:-$work/venv}
  if [ -z "${DEVITO_PYTHON:-}" ]; then
    [ -x "$venv/bin/python" ] || python3 -m venv "$venv" >&2
    "$venv/bin/pip" install --quiet "${DEVITO:-devito==4.8.23}" "$@" >&2
  fi
  echo "${DEVITO_PYTHON:-$venv/bin/python}"
}

# machine: what the numbers depend on, in one line.
machine() {
  local cpu
  cpu=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2>/dev/null | head -n 1)
  echo "${cpu:-unknown processor}, $(getconf _NPROCESSORS_ONLN) threads; $("${CC:-cc}" --version | head -n 1)"
}

# fill PAGE NAME: replaces what stands between "<!-- NAME begin -->" and "<!-- NAME end -->" by standard input.
fill() {
  local text fresh
  text=$(mktemp) fresh=$(mktemp)
  cat >"$text"
  awk -v name="$2" -v text="$text" '
    $0 == "<!-- " name " begin -->" { print; while ((getline line < text) > 0) print line; skip = 1; next }
    $0 == "<!-- " name " end -->" { skip = 0 }
    !skip { print }' "$1" >"$fresh"
  cat "$fresh" >"$1"
  rm -f "$text" "$fresh"
}

# into PAGE NAME FUNCTION: its output; with FILL=1 also between the marks of that name in the page, unless it fails.
into() {
  local made
  made=$(mktemp)
  "$3" | tee "$made"
  [ -z "${FILL:-}" ] || fill "$1" "$2" <"$made"
  rm -f "$made"
}
