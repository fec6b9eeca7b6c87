#!/usr/bin/env bash
# The codecs on late wavefields, and zfp beside them where its library is installed: a Markdown table on standard output.
#
#   docs/measure/codecs.sh     run from the root of the repository
#
# SHAPE=128x128x128 takes smaller fields, REPEAT is the number of timed runs. FILL=1 also puts the table into
# docs/compression.md.
set -euo pipefail
source docs/measure/common.sh

wavefold=$(built)

table() {
  echo "$(machine)."
  echo
  echo "| wavefield | codec | ratio | SNR dB | largest error | compress | decompress |"
  echo "|---|---|--:|--:|--:|--:|--:|"
  # Columns stand two spaces apart or more; rows of `lapped` that search for their step are left out, the next ones have it.
  "$wavefold" bench codecs --shape "${SHAPE:-256x256x256}" --repeat "${REPEAT:-5}" | awk -F '  +' '
    /^(acoustic|elastic velocity x,) late / && $2 != "noop" && $2 !~ /dB$/ && !/ [0-9]+x[0-9]+ f32/ && !/ f64/ {
      print "| " $1 " | " $2 " | " $3 " | " $4 " | " $5 " | " $6 " | " $7 " |"
    }'
}

into docs/compression.md codecs table
