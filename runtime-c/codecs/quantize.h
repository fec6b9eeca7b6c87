/* quantize: values on a uniform grid of step 2^k, tiles of 512 of them as differences of neighbours, packed with the
 * fewest bits that hold the tile.
 *
 * A block of 512 points becomes a tile of 32 rows of 16 lanes. Its points are visited in row-major order, every second
 * plane with its rows backwards, so that a row's predecessor is its neighbour; point n goes to row n / 16, lane n % 16,
 * or, where the block has one axis only, to row n % 32, lane n / 32. Points outside the field repeat the nearest inside.
 *
 *   r = rint(x / step),  decoded x = r step
 *   difference: to the row before, in the first row to the lane before, 0 at the first point
 *
 * Coded tile: one tag byte, then what the tag says.
 *   0        all 512 values are 0
 *   1..31    w = tag: r, in w bits each
 *   64..96   w = tag - 64: base = r of the first point (int32 for f32, int64 for f64), differences in w bits each
 *   255      512 values in the order of the tile, raw
 * The fields are two's complement numbers, packed vertically: each lane is a string of 32 w bits, row r at bit r w; the
 * w words of 32 bits are stored as w vectors of 16 lanes.
 */
#ifndef WAVEFOLD_CODECS_QUANTIZE_H
#define WAVEFOLD_CODECS_QUANTIZE_H

#include "block.h"
#include "survey.h"

#include <float.h>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

enum {
  WF_Q_VALUES = 512,
  WF_Q_LANES = 16,
  WF_Q_ROWS = 32,
  WF_Q_TILE = WF_Q_VALUES + WF_Q_LANES, /* of a tile that is packed */
  WF_Q_BASE = 64,
  WF_Q_RAW = 255,
  WF_Q_STRIP = 16384, /* bytes of the decoded tiles that are written together, in rows */
  WF_Q_LINES = WF_Q_STRIP / WF_Q_ROWS / 64, /* cache lines of such a row */
  WF_Q_APART = WF_Q_STRIP / WF_Q_ROWS + 64, /* bytes from one to the next */
};
/* All r lie in -2^30 .. 2^30 - 1, so that differences fit in 32 bits. */
#define WF_Q_REACH (1 << 30)

#define WF_EACH_WIDTH(X)                                                                                         \
  X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15) X(16) X(17) X(18) X(19) X(20) \
  X(21) X(22) X(23) X(24) X(25) X(26) X(27) X(28) X(29) X(30) X(31) X(32)

/* v ^ 2 v has as many bits as the two's complement number v needs: 0 for 0, 1 for -1, 2 for 1 and -2. */
#define WF_BITS_OF(v) ((v) ^ ((v) << 1))

/* As many cache lines of decoded rows as a tile has, which are to be written: WF_Q_LINES each of rows that lie
 * WF_Q_APART bytes apart. */
typedef struct {
  const uint8_t *from;
  uint8_t *to[WF_Q_ROWS / WF_Q_LINES];
} wf_lines;

/* The bits of the largest positive and of the largest negative number so far, by lanes: bits of positive numbers are in
 * the order of the numbers, of negative ones in that of their magnitude, once their sign is gone. */
typedef struct {
  int32_t positive[WF_Q_LANES], negative[WF_Q_LANES];
} wf_tops;

WF_INLINE void wf_tops_start(wf_tops *tops) {
  for (int l = 0; l < WF_Q_LANES; l++) tops->positive[l] = tops->negative[l] = INT32_MIN;
}

/* Whether point n of a block goes to row n % 32, lane n / 32: it has one axis only. */
WF_INLINE int wf_tile_turned(const int32_t *block) {
  return block[0] == WF_Q_VALUES || block[1] == WF_Q_VALUES || block[2] == WF_Q_VALUES;
}

/* Offsets in the field of the 32 rows of a block whose rows have 16 points; -1 for rows outside the box. */
WF_INLINE void wf_tile_rows(const wf_box *box, const int32_t *block, int64_t *offset) {
  for (int i = 0; i < block[0]; i++)
    for (int j = 0; j < block[1]; j++) {
      const int at = i % 2 ? block[1] - 1 - j : j;
      *offset++ = i < box->extent[0] && at < box->extent[1] ? i * box->stride[0] + at * box->stride[1] : -1;
    }
}

/* What is done with vectors of one width. Tiles that are packed have their first row as it is, the others as differences to
 * the row before, and behind them the differences of the first row. */
typedef struct {
  int (*quiet)(const float *src, const int64_t *offset, float scale, wf_tops *tops);
  size_t (*encode)(const float *src, const int64_t *offset, float scale, wf_tops *tops, uint8_t *out);
  /* The differences, or what they are differences of. */
  void (*pack)(const int32_t *tile, int w, uint8_t *out);
  void (*pack_sums)(const int32_t *tile, int w, uint8_t *out);
  void (*unpack)(const uint8_t *in, int w, int32_t base, int sums, int32_t *tile);
  void (*restore)(const uint8_t *in, int w, int32_t base, int sums, float step, float *dst, const int64_t *offset);
  void (*restore_lines)(const uint8_t *in, int w, int32_t base, int sums, float step, float *dst, const int64_t *offset,
                        const wf_lines *lines);
  void (*stream)(uint8_t *to, const uint8_t *from, size_t lines);
} wf_tile_coder;

#define WF_V_BYTES 16
#define WF_V_TARGET
#define WF_V(name) WF_CAT(name, _16)
#include "quantize_tile.h"
#undef WF_V_BYTES
#undef WF_V_TARGET
#undef WF_V

#if defined(__x86_64__)
#define WF_V_BYTES 32
#define WF_V_TARGET __attribute__((target("avx2")))
#define WF_V(name) WF_CAT(name, _32)
#include "quantize_tile.h"
#undef WF_V_BYTES
#undef WF_V_TARGET
#undef WF_V

/* Row s of w: the w lowest bits, s bits higher. */
#define WF_MASK(W, S) (uint32_t)((((UINT64_C(1) << (W)) - 1) << (S)) & UINT32_MAX)
#define WF_MASKS_4(W, S) WF_MASK(W, S), WF_MASK(W, S + 1), WF_MASK(W, S + 2), WF_MASK(W, S + 3)
#define WF_MASKS(W) \
  {WF_MASKS_4(W, 0), WF_MASKS_4(W, 4), WF_MASKS_4(W, 8), WF_MASKS_4(W, 12), \
   WF_MASKS_4(W, 16), WF_MASKS_4(W, 20), WF_MASKS_4(W, 24), WF_MASKS_4(W, 28)},
static const volatile uint32_t wf_masks[33][32] = {{0}, WF_EACH_WIDTH(WF_MASKS)};

#define WF_V_BYTES 64
#define WF_V_TARGET __attribute__((target("avx512f")))
#define WF_V(name) WF_CAT(name, _64)
#include "quantize_tile.h"
#undef WF_V_BYTES
#undef WF_V_TARGET
#undef WF_V
#endif

WF_INLINE const wf_tile_coder *wf_tile_coder_here(void) {
#if defined(__x86_64__)
  if (wf_vector_bytes() == 64) return &wf_tile_coder_64;
  if (wf_vector_bytes() == 32) return &wf_tile_coder_32;
#endif
  return &wf_tile_coder_16;
}

/* Copies a row, round the caches where lines are whole and `bypass` asks for it. */
WF_INLINE void wf_row_store(uint8_t *to, const uint8_t *from, size_t bytes, const wf_tile_coder *bypass) {
  const size_t ahead = -(uintptr_t)to & 63, lines = bytes > ahead ? (bytes - ahead) / 64 : 0;
  if (!bypass || lines == 0) {
    memcpy(to, from, bytes);
    return;
  }
  const size_t done = ahead + 64 * lines;
  if (ahead) memcpy(to, from, ahead);
  bypass->stream(to + ahead, from + ahead, lines);
  if (done < bytes) memcpy(to + done, from + done, bytes - done);
}

/* Turns a tile into what is packed, and gives the bits of all values and of all differences, put together. Unsigned: values
 * out of reach may wrap, and are noticed by their bits. */
WF_INLINE void wf_tile_differ(int32_t *tile, uint32_t *values, uint32_t *differences) {
  uint32_t any[WF_Q_LANES], some[WF_Q_LANES], *v = (uint32_t *)tile, *first = v + WF_Q_VALUES;
  for (int l = 0; l < WF_Q_LANES; l++) {
    first[l] = v[l] - v[l ? l - 1 : 0];
    any[l] = WF_BITS_OF(v[l]);
    some[l] = WF_BITS_OF(first[l]);
  }
  for (int r = WF_Q_ROWS - 1; r > 0; r--)
    for (int l = 0; l < WF_Q_LANES; l++) {
      uint32_t *at = v + WF_Q_LANES * r + l;
      any[l] |= WF_BITS_OF(*at);
      *at -= *(at - WF_Q_LANES);
      some[l] |= WF_BITS_OF(*at);
    }
  *values = *differences = 0;
  for (int l = 0; l < WF_Q_LANES; l++) *values |= any[l], *differences |= some[l];
}

/* One factor does where it is neither denormal nor infinite: steps are powers of two. */
WF_INLINE int wf_one_factor(double scale) { return scale >= FLT_MIN && scale <= FLT_MAX; }

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
