#!/usr/bin/env bash
# The table of Marmousi as a picture: error of the gradient against the size of the history, an SVG file on standard output.
#
#   docs/measure/plot.sh > docs/images/marmousi.svg     run from the root of the repository
#
# It reads docs/compression.md, in which docs/measure/marmousi.sh puts the table with FILL=1. Both axes are logarithmic; codecs
# without error are left out.
set -euo pipefail

awk -F'|' '
  function trim(s) { gsub(/^ +| +$/, "", s); return s }
  function log10(v) { return log(v)/log(10) }
  function down(v) { return v == int(v) || v > 0 ? int(v) : int(v) - 1 }
  function px(ratio) { return left + (log10(ratio) - x0)/(x1 - x0)*width }
  function py(error) { return top + (y1 - log10(error))/(y1 - y0)*height }
  $0 == "<!-- marmousi begin -->" { inside = 1 }
  $0 == "<!-- marmousi end -->" { inside = 0 }
  inside && trim($3) == "c" && $8 + 0 > 0 {
    n++
    name[n] = trim($2); ratio[n] = $6 + 0; error[n] = $8 + 0
    codec[n] = name[n]; sub(/:.*/, "", codec[n])
  }
  END {
    if (n == 0) { print "docs/compression.md has no row with an error" > "/dev/stderr"; exit 1 }
    left = 70; top = 30; width = 520; height = 320
    x0 = y0 = 99; x1 = y1 = -99
    for (i = 1; i <= n; i++) {
      if (down(log10(ratio[i])) < x0) x0 = down(log10(ratio[i]))
      if (down(log10(ratio[i])) + 1 > x1) x1 = down(log10(ratio[i])) + 1
      if (down(log10(error[i])) < y0) y0 = down(log10(error[i]))
      if (down(log10(error[i])) + 1 > y1) y1 = down(log10(error[i])) + 1
    }
    print "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"640\" height=\"410\" font-family=\"sans-serif\" font-size=\"13\">"
    print "<rect width=\"640\" height=\"410\" fill=\"white\"/>"
    for (d = x0; d <= x1; d++) {
      x = px(10^d)
      printf "<line x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\" stroke=\"#ddd\"/>\n", x, top, x, top + height
      printf "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%g</text>\n", x, top + height + 18, 10^d
    }
    for (d = y0; d <= y1; d++) {
      y = py(10^d)
      printf "<line x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\" stroke=\"#ddd\"/>\n", left, y, left + width, y
      printf "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%g</text>\n", left - 8, y + 4, 10^d
    }
    split("#1b6ca8 #c2541b #3a8a3a #7b4fa3 #555555", colours, " ")
    for (i = 1; i <= n; i++) {
      if (!(codec[i] in colour)) { colour[codec[i]] = colours[(codecs++)%5 + 1] }
      c = colour[codec[i]]
      if (codec[i] == codec[i - 1])
        printf "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\" stroke-width=\"1.5\"/>\n", \
          px(ratio[i - 1]), py(error[i - 1]), px(ratio[i]), py(error[i]), c
      printf "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\" fill=\"%s\"/>\n", px(ratio[i]), py(error[i]), c
      printf "<text x=\"%.1f\" y=\"%.1f\" fill=\"%s\">%s</text>\n", px(ratio[i]) + 8, py(error[i]) + 4, c, name[i]
    }
    printf "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">ratio: uncompressed over compressed size</text>\n", left + width/2, top + height + 42
    printf "<text x=\"%d\" y=\"%d\">relative error of the gradient</text>\n", left - 60, top - 12
    print "</svg>"
  }' docs/compression.md
