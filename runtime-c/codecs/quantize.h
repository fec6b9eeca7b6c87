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
#endif

enum {
  WF_Q_VALUES = 512,
  WF_Q_LANES = 16,
  WF_Q_ROWS = 32,
  WF_Q_BASE = 64,
  WF_Q_RAW = 255,
  WF_Q_STRIP = 16384, /* bytes of the decoded tiles that are written together, in rows */
  WF_Q_LINES = WF_Q_STRIP / WF_Q_ROWS / 64, /* cache lines of such a row */
  WF_Q_APART = WF_Q_STRIP / WF_Q_ROWS + 64, /* bytes from one to the next */
};
/* All r lie in -2^30 .. 2^30 - 1, so that differences fit in 32 bits. */
#define WF_Q_REACH (1 << 30)

typedef int32_t wf_lanes __attribute__((vector_size(64)));
typedef float wf_floats __attribute__((vector_size(64)));
typedef float wf_floats_at __attribute__((vector_size(64), aligned(4), may_alias));
typedef int32_t wf_lanes_at __attribute__((vector_size(64), aligned(4), may_alias));
typedef uint32_t wf_words __attribute__((vector_size(64)));
typedef uint32_t wf_words_at __attribute__((vector_size(64), aligned(1), may_alias));

#define WF_EACH_WIDTH(X)                                                                                         \
  X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15) X(16) X(17) X(18) X(19) X(20) \
  X(21) X(22) X(23) X(24) X(25) X(26) X(27) X(28) X(29) X(30) X(31) X(32)

/* For a constant w: all shifts are constants then. */
WF_INLINE void wf_pack_width(const int32_t *d, const int w, uint8_t *out) {
  const uint32_t mask = w == 32 ? UINT32_MAX : (UINT32_C(1) << w % 32) - 1;
  const wf_words_at *row = (const wf_words_at *)d;
  wf_words_at *to = (wf_words_at *)out;
  wf_words word = {0};
  int shift = 0;
#pragma GCC unroll 32
  for (int r = 0; r < WF_Q_ROWS; r++) {
    const wf_words field = row[r] & mask;
    word |= field << shift;
    shift += w;
    if (shift < 32) continue;
    *to++ = word;
    shift -= 32;
    word = shift ? field >> (w - shift) : (wf_words){0};
  }
}

WF_INLINE void wf_unpack_width(const uint8_t *in, const int w, int32_t *d) {
  const wf_words_at *from = (const wf_words_at *)in;
  wf_lanes_at *row = (wf_lanes_at *)d;
  wf_words word = *from;
  int shift = 0;
#pragma GCC unroll 32
  for (int r = 0; r < WF_Q_ROWS; r++) {
    wf_words field = word >> shift;
    shift += w;
    if (shift >= 32 && r + 1 < WF_Q_ROWS) {
      shift -= 32;
      word = *++from;
      if (shift) field |= word << (w - shift);
    }
    row[r] = (wf_lanes)(field << (32 - w)) >> (32 - w);
  }
}

WF_CLONES static __attribute__((noinline)) void wf_pack(const int32_t *d, int w, uint8_t *out) {
  switch (w) {
#define WF_CASE(W) \
  case W: wf_pack_width(d, W, out); break;
    WF_EACH_WIDTH(WF_CASE)
#undef WF_CASE
  }
}

WF_CLONES static __attribute__((noinline)) void wf_unpack(const uint8_t *in, int w, int32_t *d) {
  switch (w) {
#define WF_CASE(W) \
  case W: wf_unpack_width(in, W, d); break;
    WF_EACH_WIDTH(WF_CASE)
#undef WF_CASE
  }
}

WF_INLINE uint32_t wf_any_lane(const wf_words *v) {
  uint32_t lane[WF_Q_LANES], any = 0;
  memcpy(lane, v, sizeof lane);
  for (int l = 0; l < WF_Q_LANES; l++) any |= lane[l];
  return any;
}

/* v ^ 2 v has as many bits as the two's complement number v needs: 0 for 0, 1 for -1, 2 for 1 and -2. */
#define WF_BITS_OF(v) ((v) ^ ((v) << 1))

/* Differences of a tile, and the numbers above of all values and of all differences, put together. */
WF_INLINE void wf_tile_differ(const int32_t *tile, int32_t *d, uint32_t *values, uint32_t *differences) {
  const wf_words_at *row = (const wf_words_at *)tile;
  wf_words_at *to = (wf_words_at *)d;
  /* Unsigned: values out of reach may wrap, and are noticed by their bits. */
  d[0] = 0;
  for (int l = 1; l < WF_Q_LANES; l++) d[l] = (int32_t)((uint32_t)tile[l] - (uint32_t)tile[l - 1]);
  wf_words v = row[0], any = WF_BITS_OF(v), some = WF_BITS_OF(to[0]);
#pragma GCC unroll 4
  for (int r = 1; r < WF_Q_ROWS; r++) {
    const wf_words e = row[r] - v;
    v = row[r];
    any |= WF_BITS_OF(v);
    some |= WF_BITS_OF(e);
    to[r] = e;
  }
  *values = wf_any_lane(&any);
  *differences = wf_any_lane(&some);
}

/* Turns the differences of the first row into what they are of, starting from `base`; wraps where damaged ones do. */
WF_INLINE void wf_tile_sum(int32_t *d, uint32_t base) {
  uint32_t first[WF_Q_LANES];
  memcpy(first, d, sizeof first);
  for (int l = 0; l < WF_Q_LANES; l++) first[l] = base += first[l];
  memcpy(d, first, sizeof first);
}

/* Whether the functions for AVX-512 can be called. */
WF_INLINE int wf_has_wide(void) {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512f");
#else
  return 0;
#endif
}

/* Copies round the caches where lines are whole. Wide stores, so that few of them wait for memory. */
#if defined(__x86_64__)
static __attribute__((noinline, target("avx512f"))) void wf_row_stream_wide(uint8_t *to, const uint8_t *from, size_t lines) {
  for (; lines; lines--, to += 64, from += 64) _mm512_stream_si512((__m512i *)(void *)to, _mm512_loadu_si512(from));
}

static __attribute__((noinline)) void wf_row_stream(uint8_t *to, const uint8_t *from, size_t lines) {
  for (; lines; lines--, to += 64, from += 64)
    for (int i = 0; i < 64; i += 16)
      _mm_stream_si128((__m128i *)(void *)(to + i), _mm_loadu_si128((const __m128i *)(const void *)(from + i)));
}
#endif

WF_INLINE void wf_row_store(uint8_t *to, const uint8_t *from, size_t bytes, int bypass) {
#if defined(__x86_64__)
  const size_t ahead = -(uintptr_t)to & 63, lines = bytes > ahead ? (bytes - ahead) / 64 : 0;
  if (bypass && lines) {
    if (ahead) memcpy(to, from, ahead);
    if (wf_has_wide())
      wf_row_stream_wide(to + ahead, from + ahead, lines);
    else
      wf_row_stream(to + ahead, from + ahead, lines);
    const size_t done = ahead + 64 * lines;
    if (done < bytes) memcpy(to + done, from + done, bytes - done);
    return;
  }
#endif
  (void)bypass;
  memcpy(to, from, bytes);
}

/* As many cache lines of decoded rows as a tile has, which are to be written: WF_Q_LINES each of rows that lie
 * WF_Q_APART bytes apart. */
typedef struct {
  const uint8_t *from;
  uint8_t *to[WF_Q_ROWS / WF_Q_LINES];
} wf_lines;

/* The bits of the largest positive and of the largest negative number so far, by lanes: bits of positive numbers are in
 * the order of the numbers, of negative ones in that of their magnitude, once their sign is gone. */
typedef struct {
  wf_lanes positive, negative;
} wf_tops;

#define WF_LARGER(a, b)               \
  {                                   \
    const wf_lanes more = (b) > (a);  \
    (a) = ((b) & more) | ((a) & ~more); \
  }

WF_INLINE void wf_tops_start(wf_tops *tops) {
  tops->positive = (wf_lanes){0} + INT32_MIN;
  tops->negative = tops->positive;
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

#if defined(__x86_64__)
#define WF_WIDE __attribute__((target("avx512f")))

WF_WIDE WF_INLINE __m512i wf_rounded_wide(__m512i bits, __m512 scale) {
  return _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_castsi512_ps(bits), scale));
}

/* What the first row is the difference to: the lane before, and in the first lane the number itself. */
WF_WIDE WF_INLINE __m512i wf_before_wide(__m512i v) {
  return _mm512_alignr_epi32(v, _mm512_permutexvar_epi32(_mm512_setzero_si512(), v), 15);
}

/* any | WF_BITS_OF(v) */
WF_WIDE WF_INLINE __m512i wf_bits_wide(__m512i any, __m512i v) {
  return _mm512_ternarylogic_epi32(any, v, _mm512_add_epi32(v, v), 0xF6);
}

/* Row s of w: the w lowest bits, s bits higher. In memory, where operands are free; a compiler would make them one by one. */
#define WF_MASK(W, S) (uint32_t)((((UINT64_C(1) << (W)) - 1) << (S)) & UINT32_MAX)
#define WF_MASKS_4(W, S) WF_MASK(W, S), WF_MASK(W, S + 1), WF_MASK(W, S + 2), WF_MASK(W, S + 3)
#define WF_MASKS(W) \
  {WF_MASKS_4(W, 0), WF_MASKS_4(W, 4), WF_MASKS_4(W, 8), WF_MASKS_4(W, 12), \
   WF_MASKS_4(W, 16), WF_MASKS_4(W, 20), WF_MASKS_4(W, 24), WF_MASKS_4(W, 28)},
static const volatile uint32_t wf_masks[33][32] = {{0}, WF_EACH_WIDTH(WF_MASKS)};

/* wf_pack of a tile whose first row is there itself, and of the others the differences to the row before: of these, or, where
 * `sums` says so, of what they are differences of. */
WF_WIDE WF_INLINE void wf_pack_wide_width(const int32_t *tile, const int w, const int sums, uint8_t *out) {
  const __m512i low = _mm512_set1_epi32((int32_t)((UINT32_C(1) << w) - 1));
  __m512i v = _mm512_load_si512(tile), word = _mm512_setzero_si512();
  int shift = 0;
#pragma GCC unroll 32
  for (int r = 0; r < WF_Q_ROWS; r++) {
    const __m512i row = _mm512_load_si512(tile + WF_Q_LANES * r);
    __m512i field = row;
    if (sums)
      field = v = r ? _mm512_add_epi32(v, row) : v;
    else if (r == 0)
      field = _mm512_sub_epi32(v, wf_before_wide(v));
    if (shift == 0)
      word = _mm512_and_si512(field, low);
    else if (shift + w >= 32)
      word = _mm512_or_si512(word, _mm512_slli_epi32(field, (unsigned)shift));
    else
      word = _mm512_ternarylogic_epi32(word, _mm512_slli_epi32(field, (unsigned)shift),
                                       _mm512_set1_epi32((int32_t)wf_masks[w][shift]), 0xF8);
    shift += w;
    if (shift < 32) continue;
    _mm512_storeu_si512(out, word);
    out += 64;
    shift -= 32;
    if (shift) word = _mm512_srli_epi32(_mm512_and_si512(field, low), (unsigned)(w - shift));
  }
}

WF_WIDE static __attribute__((noinline)) void wf_pack_wide(const int32_t *tile, int w, uint8_t *out) {
  switch (w) {
#define WF_CASE(W) \
  case W: wf_pack_wide_width(tile, W % 32, 0, out); break;
    WF_EACH_WIDTH(WF_CASE)
#undef WF_CASE
  }
}

WF_WIDE static __attribute__((noinline)) void wf_pack_wide_sums(const int32_t *tile, int w, uint8_t *out) {
  switch (w) {
#define WF_CASE(W) \
  case W: wf_pack_wide_width(tile, W % 32, 1, out); break;
    WF_EACH_WIDTH(WF_CASE)
#undef WF_CASE
  }
}

WF_WIDE WF_INLINE void wf_tops_wide(wf_tops *tops, __m512i positive, __m512i negative) {
  tops->positive = (wf_lanes)_mm512_max_epi32((__m512i)tops->positive, positive);
  tops->negative =
      (wf_lanes)_mm512_max_epi32((__m512i)tops->negative, _mm512_xor_si512(negative, _mm512_set1_epi32(INT32_MIN)));
}

/* The bits of both extremes, rounded. Conversion makes the least integer of what is out of reach, which has 32 bits. */
WF_WIDE WF_INLINE __m512i wf_reach_wide(__m512i positive, __m512i negative, __m512 by) {
  return wf_bits_wide(wf_bits_wide(_mm512_setzero_si512(), wf_rounded_wide(positive, by)), wf_rounded_wide(negative, by));
}

/* Whether all values of the tile become 0; only then `tops` know them. A third of the work of wf_tile_encode_wide, and so little
 * between the loads that none need be asked for beforehand. */
static __attribute__((noinline)) WF_WIDE int wf_tile_quiet(const float *src, const int64_t *offset, float scale,
                                                           wf_tops *tops) {
  __m512i positive = _mm512_loadu_si512(src + offset[0]), negative = positive;
#pragma GCC unroll 31
  for (int r = 1; r < WF_Q_ROWS; r++) {
    const __m512i bits = _mm512_loadu_si512(src + offset[r]);
    positive = _mm512_max_epi32(positive, bits);
    negative = _mm512_max_epu32(negative, bits);
  }
  const __m512i any = wf_reach_wide(positive, negative, _mm512_set1_ps(scale));
  if (_mm512_test_epi32_mask(any, any)) return 0;
  wf_tops_wide(tops, positive, negative);
  return 1;
}

/* wf_tile_encode_f32 in one pass, for one scale and no limit but the reach: the bits of the values are those of the
 * extremes. */
static __attribute__((noinline)) WF_WIDE size_t wf_tile_encode_wide(const float *src, const int64_t *offset, float scale,
                                                                    wf_tops *tops, uint8_t *out) {
  int32_t tile[WF_Q_VALUES] __attribute__((aligned(64)));
  const __m512 by = _mm512_set1_ps(scale);
  __m512i bits = _mm512_loadu_si512(src + offset[0]), positive = bits, negative = bits;
  __m512i v = wf_rounded_wide(bits, by);
  __m512i some = wf_bits_wide(_mm512_setzero_si512(), _mm512_sub_epi32(v, wf_before_wide(v)));
  _mm512_store_si512(tile, v);
#pragma GCC unroll 31
  for (int r = 1; r < WF_Q_ROWS; r++) {
    bits = _mm512_loadu_si512(src + offset[r]);
    /* The tile behind this one. */
    _mm_prefetch((const char *)(src + offset[r] + WF_Q_LANES), _MM_HINT_T0);
    positive = _mm512_max_epi32(positive, bits);
    negative = _mm512_max_epu32(negative, bits);
    const __m512i next = wf_rounded_wide(bits, by);
    const __m512i d = _mm512_sub_epi32(next, v);
    some = wf_bits_wide(some, d);
    v = next;
    _mm512_store_si512(tile + WF_Q_LANES * r, d);
  }
  wf_tops_wide(tops, positive, negative);
  const __m512i any = wf_reach_wide(positive, negative, by);
  if (!_mm512_test_epi32_mask(any, any)) {
    out[0] = 0;
    return 1;
  }
  const int plain = wf_bits((uint32_t)_mm512_reduce_or_epi32(any)), w = wf_bits((uint32_t)_mm512_reduce_or_epi32(some));
  if (plain == 32) {
    out[0] = WF_Q_RAW;
    for (int r = 0; r < WF_Q_ROWS; r++) memcpy(out + 1 + 64 * r, src + offset[r], 64);
    return 1 + WF_Q_VALUES * 4;
  }
  if (plain <= w) {
    out[0] = (uint8_t)plain;
    wf_pack_wide_sums(tile, plain, out + 1);
    return 1 + (size_t)plain * 64;
  }
  out[0] = (uint8_t)(WF_Q_BASE + w);
  memcpy(out + 1, tile, 4);
  wf_pack_wide(tile, w, out + 5);
  return 5 + (size_t)w * 64;
}

/* Unpacks w words, sums them where `sums` says so (from `base`), and stores what they stand for, in one pass. With
 * `lines`, it also writes those round the caches, one with each row: memory works while the next row is unpacked. */
WF_WIDE WF_INLINE void wf_tile_restore_width(const uint8_t *in, const int w, int32_t base, int sums, float step, float *dst,
                                             const int64_t *offset, const wf_lines *lines) {
  const __m512i zero = _mm512_setzero_si512();
  const __m512 by = _mm512_set1_ps(step);
  const __mmask16 before = sums ? 0xFFFF : 0;
  __m512i word = _mm512_loadu_si512(in), v = zero;
  int shift = 0;
#pragma GCC unroll 32
  for (int r = 0; r < WF_Q_ROWS; r++) {
    __m512i field;
    if (shift + w <= 32) {
      field = _mm512_slli_epi32(word, (unsigned)(32 - w - shift));
      shift += w;
      if (shift == 32 && r + 1 < WF_Q_ROWS) word = _mm512_loadu_si512(in += 64), shift = 0;
    } else {
      const __m512i low = _mm512_srli_epi32(word, (unsigned)shift);
      word = _mm512_loadu_si512(in += 64);
      field = _mm512_slli_epi32(_mm512_or_si512(low, _mm512_slli_epi32(word, (unsigned)(32 - shift))), (unsigned)(32 - w));
      shift += w - 32;
    }
    field = _mm512_srai_epi32(field, (unsigned)(32 - w));
    if (r == 0 && sums) {
      field = _mm512_add_epi32(field, _mm512_alignr_epi32(field, zero, 15));
      field = _mm512_add_epi32(field, _mm512_alignr_epi32(field, zero, 14));
      field = _mm512_add_epi32(field, _mm512_alignr_epi32(field, zero, 12));
      field = _mm512_add_epi32(field, _mm512_alignr_epi32(field, zero, 8));
      field = _mm512_add_epi32(field, _mm512_set1_epi32(base));
    }
    v = _mm512_mask_add_epi32(field, before, field, v);
    _mm512_storeu_ps(dst + offset[r], _mm512_mul_ps(_mm512_cvtepi32_ps(v), by));
    if (lines)
      _mm512_stream_si512((__m512i *)(void *)(lines->to[r / WF_Q_LINES] + r % WF_Q_LINES * 64),
                          _mm512_load_si512(lines->from + r / WF_Q_LINES * WF_Q_APART + r % WF_Q_LINES * 64));
  }
}

WF_WIDE static __attribute__((noinline)) void wf_tile_restore(const uint8_t *in, int w, int32_t base, int sums, float step,
                                                              float *dst, const int64_t *offset) {
  switch (w) {
#define WF_CASE(W) \
  case W: wf_tile_restore_width(in, W, base, sums, step, dst, offset, NULL); break;
    WF_EACH_WIDTH(WF_CASE)
#undef WF_CASE
  }
}

WF_WIDE static __attribute__((noinline)) void wf_tile_restore_lines(const uint8_t *in, int w, int32_t base, int sums,
                                                                    float step, float *dst, const int64_t *offset,
                                                                    const wf_lines *lines) {
  switch (w) {
#define WF_CASE(W) \
  case W: wf_tile_restore_width(in, W, base, sums, step, dst, offset, lines); break;
    WF_EACH_WIDTH(WF_CASE)
#undef WF_CASE
  }
}
#else
WF_INLINE void wf_tile_restore_lines(const uint8_t *in, int w, int32_t base, int sums, float step, float *dst,
                                     const int64_t *offset, const wf_lines *lines) {
  (void)in, (void)w, (void)base, (void)sums, (void)step, (void)dst, (void)offset, (void)lines;
}

WF_INLINE int wf_tile_quiet(const float *src, const int64_t *offset, float scale, wf_tops *tops) {
  (void)src, (void)offset, (void)scale, (void)tops;
  return 0;
}

WF_INLINE size_t wf_tile_encode_wide(const float *src, const int64_t *offset, float scale, wf_tops *tops, uint8_t *out) {
  (void)src, (void)offset, (void)scale, (void)tops, (void)out;
  return 0;
}

WF_INLINE void wf_tile_restore(const uint8_t *in, int w, int32_t base, int sums, float step, float *dst, const int64_t *offset) {
  (void)in, (void)w, (void)base, (void)sums, (void)step, (void)dst, (void)offset;
}
#endif

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
