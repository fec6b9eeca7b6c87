/* wavelet: 9/7 lifting of a block along each axis, truncation, and groups of 8 neighbouring coefficients.
 *
 * Axes on which the field has one point do not count. Of the others the last is z, the one before it y, the first of
 * three x.
 *
 * Transform: Cohen, Daubechies, Feauveau (1992) 9/7 in the lifting form of Daubechies and Sweldens (1998), symmetric
 * extension, applied in place down to one sample along y, then z, then x ("tensor"); scaled so that the basis functions
 * have norm close to one. Samples are first divided by the step D, so coefficients are in units of D.
 * Quantiser: q = trunc(c); decoded as 0, +-1.42, or q +- 0.48 (means of Laplacian-like coefficients in their bins).
 *
 * Coefficients are visited in frequency order along each axis (coarsest first), in groups of 8: (x, y, z) = 2 2 2, or
 * (y, z) = 2 4, or z = 8; x slowest inside one, then z, y fastest. 8 groups side by side along y, or z if there is no y,
 * make an octet; octets follow each other along x, then y, then z. Points outside the block are 0.
 *
 * Coded block: one byte, 0: all zero; 1: coded as below; 2: raw rows.
 *   octet flags        1 bit for each two octets, set where any of their groups is not zero; padded to bytes
 *   group flags        for each live two octets 16 bits, one for each group
 *   widths             4 bits for each live group, low half first: bits of its largest |q|; 15: see next; padded to bytes
 *   long widths        1 byte (15..30) for each width 15
 *   magnitudes         for each live group, one byte per bit of its width, lowest bit first; bit j belongs to point j
 *   signs              1 bit for each q != 0, in order (1: negative); padded to bytes
 *
 * All arithmetic runs along rows of lanes: first y with z in the lanes, then, turned, z and x with y in the lanes, in
 * frequency order. A block with z alone is transformed value by value.
 */
#ifndef WAVEFOLD_CODECS_WAVELET_H
#define WAVEFOLD_CODECS_WAVELET_H

#include "block.h"
#include "quantize.h"

enum {
  WF_W_ZERO = 0,
  WF_W_CODED = 1,
  WF_W_RAW = 2,
  WF_W_LONG = 15,
  WF_W_MAX_BITS = 30,
  WF_W_LANES = 16, /* points of an octet along y; it has four such rows */
  WF_W_ROWS = 4,
  WF_W_LAYERS = 4, /* bytes of a number */
  WF_W_BATCH = 16, /* octets that are read before the first of them is put together */
};

#define WF_W_ALPHA (-1.586134342059924)
#define WF_W_BETA (-0.052980118572961)
#define WF_W_GAMMA 0.882911075530934
#define WF_W_DELTA 0.443506852043971
/* sqrt(2) / 1.230174104914001 and its inverse: gains of the low and the high band. */
#define WF_W_LOW 1.149604398860241
#define WF_W_HIGH 0.8698644516247808
#define WF_W_OFFSET_ONE 0.42
#define WF_W_OFFSET_MORE 0.48

/* The axes of a block, and what it needs of the scratch buffer, as offsets in bytes. Rows are padded to whole vectors. */
typedef struct {
  int64_t extent[3], stride[3]; /* of x, y, z */
  int axes, vector;             /* how many count; bytes of a vector */
  int64_t row, turned;          /* elements of a row along z, and along y */
  int64_t plane;                /* elements of a turned plane; padded, so that planes do not share cache sets */
  int64_t groups[3];            /* along x and z; along y octets. With z alone: octets along z */
  int64_t octets;
  size_t coefs, sheet, spare, axis[3], masks, widths, longs, magnitudes, signs, bytes;
} wf_wavelet_plan;

WF_INLINE size_t wf_align64(size_t n) { return (n + 63) & ~(size_t)63; }

/* Sets the axes; `group` tells those on which the field has more than one point. */
WF_INLINE void wf_wavelet_axes(const wf_box *box, const int32_t *group, wf_wavelet_plan *p) {
  int to = 3;
  for (int a = 2; a >= 0; a--) {
    if (group[a] == 1) continue;
    to--;
    p->extent[to] = box->extent[a];
    p->stride[to] = a < 2 ? box->stride[a] : 1;
  }
  p->axes = 3 - to;
  while (to-- > 0) p->extent[to] = 1, p->stride[to] = 0;
}

WF_INLINE void wf_wavelet_layout(const wf_box *box, const int32_t *group, size_t size, wf_wavelet_plan *p) {
  wf_wavelet_axes(box, group, p);
  p->vector = wf_vector_bytes();
  const int64_t nx = p->extent[0], ny = p->extent[1], nz = p->extent[2], lanes = 64 / (int64_t)size;
  p->row = (nz + WF_W_LANES - 1) / WF_W_LANES * WF_W_LANES;
  p->turned = (ny + WF_W_LANES - 1) / WF_W_LANES * WF_W_LANES;
  p->plane = p->row * p->turned + lanes;
  p->groups[0] = (nx + 1) / 2;
  p->groups[1] = p->turned / WF_W_LANES;
  p->groups[2] = p->axes == 3 ? (nz + 1) / 2 : p->axes == 2 ? (nz + 3) / 4 : (nz + 63) / 64;
  p->octets = p->groups[0] * p->groups[1] * p->groups[2];
  const size_t n = (size_t)p->octets * 8, line = wf_align64((size_t)p->row * size);
  size_t at = 0;
  p->coefs = at, at += p->axes == 1 ? line : wf_align64((size_t)(nx * p->plane) * size);
  p->sheet = at, at += p->axes == 1 ? 0 : line * (size_t)ny;
  /* Two rows: one of zeros, one for what is not wanted. */
  p->spare = at, at += 2 * (line + 64 * sizeof(double));
  for (int a = 0; a < 3; a++) p->axis[a] = at, at += wf_align64((size_t)(p->extent[a] + 64) * 8);
  p->masks = at, at += wf_align64((size_t)p->octets + 1);
  p->widths = at, at += wf_align64(n + 2);
  p->longs = at, at += wf_align64(n);
  p->magnitudes = at, at += wf_align64(n * WF_W_MAX_BITS + 16);
  p->signs = at, at += wf_align64(n + 16);
  p->bytes = at;
}

/* Positions of the coefficients of an axis in frequency order, and four of -1 behind them. In place, the level with
 * samples `s` apart leaves its high band at s, 3s, 5s, ... */
WF_INLINE void wf_wavelet_order(int64_t n, int64_t *position) {
  int64_t s = 1, k = 0;
  while (s < n) s *= 2;
  position[k++] = 0;
  for (s /= 2; s >= 1; s /= 2)
    for (int64_t i = s; i < n; i += 2 * s) position[k++] = i;
  for (int i = 0; i < 4; i++) position[k++] = -1;
}

/* The lanes of a row of an octet as bytes, by twos. */
typedef uint16_t wf_byte_pair __attribute__((may_alias));

/* Transposes an 8x8 bit matrix: bit j of byte b <-> bit b of byte j. */
WF_INLINE uint64_t wf_transpose8(uint64_t x) {
  uint64_t t = (x ^ (x >> 7)) & UINT64_C(0x00AA00AA00AA00AA);
  x ^= t ^ (t << 7);
  t = (x ^ (x >> 14)) & UINT64_C(0x0000CCCC0000CCCC);
  x ^= t ^ (t << 14);
  t = (x ^ (x >> 28)) & UINT64_C(0x00000000F0F0F0F0);
  return x ^ t ^ (t << 28);
}

/* Whether wf_squeeze and wf_spread are one instruction. */
WF_INLINE int wf_has_squeeze(void) {
#if defined(__x86_64__)
  return __builtin_cpu_supports("bmi2");
#else
  return 0;
#endif
}

/* The bits of x (of 8) where `mask` is set, side by side. */
WF_INLINE uint32_t wf_squeeze(uint32_t x, uint32_t mask, int fast) {
#if defined(__x86_64__)
  if (fast) {
    uint32_t y;
    __asm__("pext %2, %1, %0" : "=r"(y) : "r"(x), "r"(mask));
    return y;
  }
#endif
  (void)fast;
  uint32_t y = 0;
  for (int j = 0, k = 0; j < 8; j++)
    if (mask >> j & 1) y |= (x >> j & 1) << k++;
  return y;
}

/* The lowest bits of x, to where `mask` (of 8 bits) is set. */
WF_INLINE uint32_t wf_spread(uint32_t x, uint32_t mask, int fast) {
#if defined(__x86_64__)
  if (fast) {
    uint32_t y;
    __asm__("pdep %2, %1, %0" : "=r"(y) : "r"(x), "r"(mask));
    return y;
  }
#endif
  (void)fast;
  uint32_t y = 0;
  for (int j = 0; j < 8; j++)
    if (mask >> j & 1) y |= (x & 1) << j, x >>= 1;
  return y;
}

/* The or of the 8 bytes of x. */
WF_INLINE uint32_t wf_fold8(uint64_t x) {
  x |= x >> 32;
  x |= x >> 16;
  return (uint32_t)(x | x >> 8) & 255;
}

/* Cursor over the sections that the coder fills. */
typedef struct {
  uint8_t *masks, *widths, *longs, *magnitudes, *signs;
  size_t width_count;
  uint64_t sign_bits;
  uint32_t all; /* the or of all |q| */
  int sign_count, fast;
} wf_wavelet_sections;

WF_INLINE wf_wavelet_sections wf_wavelet_begin(const wf_wavelet_plan *p, uint8_t *scratch) {
  return (wf_wavelet_sections){
      .masks = scratch + p->masks,
      .widths = scratch + p->widths,
      .longs = scratch + p->longs,
      .magnitudes = scratch + p->magnitudes,
      .signs = scratch + p->signs,
      .fast = wf_has_squeeze(),
  };
}

/* The planes of one byte of the numbers of an octet: byte b of planes[j] has bit b of each of group j. */
WF_INLINE void wf_wavelet_planes(const uint32_t number[WF_W_ROWS][WF_W_LANES], int shift, uint64_t *planes) {
  uint8_t byte[WF_W_ROWS][WF_W_LANES];
  for (int r = 0; r < WF_W_ROWS; r++)
    for (int l = 0; l < WF_W_LANES; l++) byte[r][l] = (uint8_t)(number[r][l] >> shift);
  const wf_byte_pair *p0 = (const wf_byte_pair *)byte, *p1 = p0 + 8, *p2 = p0 + 16, *p3 = p0 + 24;
  for (int j = 0; j < 8; j++)
    planes[j] = wf_transpose8((uint64_t)p0[j] | (uint64_t)p1[j] << 16 | (uint64_t)p2[j] << 32 | (uint64_t)p3[j] << 48);
}

/* Appends an octet of numbers 2 |q| + (q < 0). */
WF_INLINE void wf_wavelet_put(wf_wavelet_sections *s, const uint32_t number[WF_W_ROWS][WF_W_LANES]) {
  uint32_t any[WF_W_LANES], largest[8], live = 0, all = 0;
  for (int l = 0; l < WF_W_LANES; l++) any[l] = (number[0][l] | number[1][l] | number[2][l] | number[3][l]) >> 1;
  for (int j = 0; j < 8; j++) largest[j] = any[2 * j] | any[2 * j + 1];
  for (int j = 0; j < 8; j++) live |= (uint32_t)(largest[j] != 0) << j;
  for (int j = 0; j < 8; j++) all |= largest[j];
  *s->masks++ = (uint8_t)live;
  if (!live) return;
  uint64_t planes[WF_W_LAYERS][8], some[8];
  s->all |= all;
  if (all >> WF_W_MAX_BITS) return;
  wf_wavelet_planes(number, 0, planes[0]);
  for (int j = 0; j < 8; j++) some[j] = planes[0][j] >> 8;
  for (int b = 7, layer = 1; all >> b; b += 8, layer++) {
    wf_wavelet_planes(number, b + 1, planes[layer]);
    for (int j = 0; j < 8; j++) some[j] |= planes[layer][j];
  }
  for (int j = 0; j < 8; j++) some[j] = wf_fold8(some[j]);
  for (; live; live &= live - 1) {
    const int j = __builtin_ctz(live), w = wf_bits(largest[j]);
    const uint64_t low = planes[0][j] >> 8;
    const uint32_t nonzero = (uint32_t)some[j];
    s->widths[s->width_count++] = (uint8_t)(w < WF_W_LONG ? w : WF_W_LONG);
    if (w >= WF_W_LONG) *s->longs++ = (uint8_t)w;
    memcpy(s->magnitudes, &low, 8);
    for (int b = 7, layer = 1; b < w; b += 8, layer++) memcpy(s->magnitudes + b, &planes[layer][j], 8);
    s->magnitudes += w;
    s->sign_bits |= (uint64_t)wf_squeeze((uint32_t)planes[0][j] & 255, nonzero, s->fast) << s->sign_count;
    s->sign_count += __builtin_popcount(nonzero);
    /* Eight bytes are written, as many as are full count. */
    memcpy(s->signs, &s->sign_bits, 8);
    s->signs += s->sign_count / 8;
    s->sign_bits >>= s->sign_count / 8 * 8;
    s->sign_count %= 8;
  }
}

/* Puts the sections one behind the other into `out` (room for `room` bytes); 0 when they do not fit. */
WF_INLINE size_t wf_wavelet_close(const wf_wavelet_plan *p, const uint8_t *scratch, wf_wavelet_sections *s, uint8_t *out,
                                  size_t room) {
  const uint8_t *masks = scratch + p->masks;
  const int64_t pairs = (p->octets + 1) / 2;
  *s->masks = 0;
  if (s->sign_count) s->signs++;
  s->widths[s->width_count] = 0;
  const size_t flags = (size_t)(pairs + 7) / 8, longs = (size_t)(s->longs - (scratch + p->longs));
  const size_t magnitudes = (size_t)(s->magnitudes - (scratch + p->magnitudes));
  const size_t signs = (size_t)(s->signs - (scratch + p->signs)), widths = (s->width_count + 1) / 2;
  size_t live = 0;
  for (int64_t i = 0; i < pairs; i++) live += (masks[2 * i] | masks[2 * i + 1]) != 0;
  if (flags + 2 * live + widths + longs + magnitudes + signs > room) return 0;
  uint8_t *o = out;
  memset(o, 0, flags);
  o += flags;
  for (int64_t i = 0; i < pairs; i++)
    if (masks[2 * i] | masks[2 * i + 1]) {
      out[i / 8] |= (uint8_t)(1 << (i % 8));
      memcpy(o, masks + 2 * i, 2), o += 2;
    }
  for (size_t i = 0; i < widths; i++) o[i] = (uint8_t)(s->widths[2 * i] | s->widths[2 * i + 1] << 4);
  o += widths;
  memcpy(o, scratch + p->longs, longs), o += longs;
  memcpy(o, scratch + p->magnitudes, magnitudes), o += magnitudes;
  memcpy(o, scratch + p->signs, signs), o += signs;
  return (size_t)(o - out);
}

/* Where the sections of a coded block begin, and how much is left of each. Masks and widths are in the scratch buffer. */
typedef struct {
  const uint8_t *masks, *widths, *longs, *magnitudes, *signs, *end;
  size_t sign_at;
  int fast;
} wf_wavelet_reader;

/* The group flags of all octets; how many groups are live. Returns what follows them, null when they are cut short. */
WF_INLINE const uint8_t *wf_wavelet_flags(const uint8_t *in, const uint8_t *end, const wf_wavelet_plan *p, uint8_t *masks,
                                          size_t *live) {
  const int64_t pairs = (p->octets + 1) / 2, flags = (pairs + 7) / 8;
  if (end - in < flags) return 0;
  const uint8_t *at = in + flags;
  *live = 0;
  for (int64_t i = 0; i < pairs; i++) {
    uint16_t mask = 0;
    if (in[i / 8] >> (i % 8) & 1) {
      if (end - at < 2) return 0;
      memcpy(&mask, at, 2);
      at += 2;
      *live += (size_t)__builtin_popcount(mask);
    }
    memcpy(masks + 2 * i, &mask, 2);
  }
  return p->octets % 2 && masks[p->octets] ? 0 : at;
}

/* Finds the sections and checks their sizes. Returns 0 when they are wrong. */
WF_INLINE int wf_wavelet_open(const uint8_t *in, size_t len, const wf_wavelet_plan *p, uint8_t *scratch,
                              wf_wavelet_reader *r) {
  uint8_t *widths = scratch + p->widths;
  const uint8_t *end = in + len;
  size_t live;
  const uint8_t *at = wf_wavelet_flags(in, end, p, scratch + p->masks, &live);
  if (!at || (size_t)(end - at) < (live + 1) / 2) return 0;
  for (size_t i = 0; i < (live + 1) / 2; i++) widths[2 * i] = at[i] & 15, widths[2 * i + 1] = at[i] >> 4;
  at += (live + 1) / 2;
  uint32_t longs = 0, empty = 0, bits = 0;
  for (size_t i = 0; i < live; i++) {
    longs += widths[i] == WF_W_LONG;
    empty += widths[i] == 0;
    bits += widths[i];
  }
  if (empty || (size_t)(end - at) < longs) return 0;
  r->longs = at;
  bits -= longs * WF_W_LONG;
  for (size_t i = 0; i < longs; i++) {
    if (at[i] < WF_W_LONG || at[i] > WF_W_MAX_BITS) return 0;
    bits += at[i];
  }
  at += longs;
  if ((size_t)(end - at) < bits) return 0;
  r->masks = scratch + p->masks;
  r->widths = widths;
  r->magnitudes = at;
  r->signs = at + bits;
  r->end = end;
  r->sign_at = 0;
  r->fast = wf_has_squeeze();
  return 1;
}

/* Reads up to 8 bytes that lie before `end`. */
WF_INLINE uint64_t wf_read8(const uint8_t *at, const uint8_t *end) {
  uint64_t m = 0;
  if (end - at >= 8)
    memcpy(&m, at, 8);
  else
    memcpy(&m, at, (size_t)(end - at));
  return m;
}

/* The planes of an octet, layer by layer, as wf_wavelet_planes makes them. */
typedef struct {
  uint64_t planes[WF_W_LAYERS][8];
  int layers; /* none of a dead octet */
} wf_wavelet_octet;

/* Reads the groups of one octet; 0 when their signs run past the end. */
WF_INLINE int wf_wavelet_get(wf_wavelet_reader *reader, uint32_t live, wf_wavelet_octet *octet) {
  wf_wavelet_reader r = *reader;
  octet->layers = live != 0;
  memset(octet->planes[0], 0, sizeof octet->planes[0]);
  for (; live; live &= live - 1) {
    const int j = __builtin_ctz(live);
    int w = *r.widths++;
    if (w == WF_W_LONG) w = *r.longs++;
    const uint64_t low = wf_read8(r.magnitudes, r.end) & (UINT64_MAX >> (w < 7 ? 64 - 8 * w : 8));
    uint64_t some = low;
    for (int b = 7, layer = 1; b < w; b += 8, layer++) {
      uint64_t m = wf_read8(r.magnitudes + b, r.end);
      if (w - b < 8) m &= UINT64_MAX >> (64 - 8 * (w - b));
      if (layer == octet->layers) memset(octet->planes[octet->layers++], 0, sizeof octet->planes[0]);
      octet->planes[layer][j] = m;
      some |= m;
    }
    r.magnitudes += w;
    const uint32_t nonzero = wf_fold8(some);
    const uint64_t bits = wf_read8(r.signs + r.sign_at / 8, r.end) >> (r.sign_at % 8);
    r.sign_at += (size_t)__builtin_popcount(nonzero);
    if (r.sign_at > (size_t)(r.end - r.signs) * 8) return 0;
    octet->planes[0][j] = low << 8 | wf_spread((uint32_t)bits, nonzero, r.fast);
  }
  *reader = r;
  return 1;
}

/* The numbers 2 |q| + (q < 0) of an octet. Loops: compilers do better with them than with conversions of vectors. */
WF_INLINE void wf_wavelet_join(const wf_wavelet_octet *octet, uint32_t number[WF_W_ROWS][WF_W_LANES]) {
  for (int layer = 0; layer < octet->layers; layer++) {
    uint8_t byte[WF_W_ROWS][WF_W_LANES];
    uint64_t columns[8];
    for (int j = 0; j < 8; j++) columns[j] = wf_transpose8(octet->planes[layer][j]);
    for (int r = 0; r < WF_W_ROWS; r++)
      for (int j = 0; j < 8; j++) ((wf_byte_pair *)byte[r])[j] = (uint16_t)(columns[j] >> (16 * r));
    for (int r = 0; r < WF_W_ROWS; r++)
      for (int l = 0; l < WF_W_LANES; l++) {
        const uint32_t low = byte[r][l];
        number[r][l] = layer ? number[r][l] | low << (8 * layer) : low;
      }
  }
}

#define WF_T float
#define WF_U uint32_t
#define WF_BYTES 4
#define WF_FN(name) WF_CAT(name, _f32)
#include "wavelet_body.h"
#undef WF_T
#undef WF_U
#undef WF_BYTES
#undef WF_FN

#define WF_T double
#define WF_U uint64_t
#define WF_BYTES 8
#define WF_FN(name) WF_CAT(name, _f64)
#include "wavelet_body.h"
#undef WF_T
#undef WF_U
#undef WF_BYTES
#undef WF_FN

#endif
