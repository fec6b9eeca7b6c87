/* quantize: blocks of 512 values on a uniform grid of step 2^k, packed with the fewest bits that hold the block.
 *
 *   r = rint(x / step),  u = r - base,  0 <= u < 2^w,  decoded x = (u + base) * step
 *
 * Coded block: one tag byte, then what the tag says.
 *   0        all 512 values are 0
 *   1..31    w = tag, base = -2^(w-1) (two's complement range around zero)
 *   64..95   w = tag - 64, base follows (int32 for f32, int64 for f64)
 *   255      512 values, raw
 * The w-bit fields are packed vertically: value 16 r + l belongs to lane l, row r; each lane is a string of
 * 32 w bits, row r at bit r w; the w words of 32 bits are stored as w vectors of 16 lanes.
 * Points of the block outside the field repeat the first point.
 */
#ifndef WAVEFOLD_CODECS_QUANTIZE_H
#define WAVEFOLD_CODECS_QUANTIZE_H

#include "block.h"

enum { WF_Q_VALUES = 512, WF_Q_LANES = 16, WF_Q_ROWS = 32, WF_Q_BASE = 64, WF_Q_RAW = 255 };

WF_INLINE void wf_pack(const uint32_t *u, int w, uint8_t *out) {
  uint32_t word[WF_Q_LANES] = {0};
  int shift = 0;
  for (int r = 0; r < WF_Q_ROWS; r++, u += WF_Q_LANES) {
    for (int l = 0; l < WF_Q_LANES; l++) word[l] |= u[l] << shift;
    shift += w;
    if (shift < 32) continue;
    memcpy(out, word, sizeof word);
    out += sizeof word;
    shift -= 32;
    /* w - shift is 32 only for w = 32, which no block uses. */
    for (int l = 0; l < WF_Q_LANES; l++) word[l] = shift ? u[l] >> (w - shift) : 0;
  }
}

WF_INLINE void wf_unpack(const uint8_t *in, int w, uint32_t *u) {
  const uint32_t mask = (UINT32_C(1) << w) - 1;
  uint32_t word[WF_Q_LANES];
  int shift = 0;
  memcpy(word, in, sizeof word);
  for (int r = 0; r < WF_Q_ROWS; r++, u += WF_Q_LANES) {
    for (int l = 0; l < WF_Q_LANES; l++) u[l] = word[l] >> shift;
    shift += w;
    if (shift >= 32 && (r + 1 < WF_Q_ROWS || shift > 32)) {
      in += sizeof word;
      memcpy(word, in, sizeof word);
      shift -= 32;
      if (shift)
        for (int l = 0; l < WF_Q_LANES; l++) u[l] |= word[l] << (w - shift);
    }
    for (int l = 0; l < WF_Q_LANES; l++) u[l] &= mask;
  }
}

#define WF_T float
#define WF_INT int32_t
#define WF_RINT rintf
#define WF_FN(name) WF_CAT(name, _f32)
#include "quantize_body.h"
#undef WF_T
#undef WF_INT
#undef WF_RINT
#undef WF_FN

#define WF_T double
#define WF_INT int64_t
#define WF_RINT rint
#define WF_FN(name) WF_CAT(name, _f64)
#include "quantize_body.h"
#undef WF_T
#undef WF_INT
#undef WF_RINT
#undef WF_FN

#endif
