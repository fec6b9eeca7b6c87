/* wavelet: 9/7 lifting of a block along each axis, truncation, and groups of 8 neighbouring coefficients.
 *
 * Transform: Cohen, Daubechies, Feauveau (1992) 9/7 in the lifting form of Daubechies and Sweldens (1998), symmetric
 * extension, applied in place down to one sample along every axis in turn ("tensor"); scaled so that the basis
 * functions have norm close to one. Samples are first divided by the step D, so coefficients are in units of D.
 * Quantiser: q = trunc(c); decoded as 0, +-1.42, or q +- 0.48 (means of Laplacian-like coefficients in their bins).
 *
 * Coefficients are visited in frequency order along each axis (coarsest first), in groups of `group` points,
 * the last axis fastest; 16 consecutive groups make a supergroup; points outside the block are 0.
 *
 * Coded block: one byte, 0: all zero; 1: coded as below; 2: raw rows.
 *   supergroup flags   1 bit each, set where any of its groups is not zero; padded to bytes
 *   group flags        16 bits for each live supergroup
 *   widths             4 bits for each live group, low half first: bits of its largest |q|; 15: see next; padded to bytes
 *   long widths        1 byte (15..30) for each width 15
 *   magnitudes         for each live group, one byte per bit of its width, lowest bit first; bit j belongs to point j
 *   signs              1 bit for each q != 0, in order (1: negative); padded to bytes
 */
#ifndef WAVEFOLD_CODECS_WAVELET_H
#define WAVEFOLD_CODECS_WAVELET_H

#include "block.h"

enum { WF_W_ZERO = 0, WF_W_CODED = 1, WF_W_RAW = 2, WF_W_LONG = 15, WF_W_MAX_BITS = 30 };

#define WF_W_ALPHA (-1.586134342059924)
#define WF_W_BETA (-0.052980118572961)
#define WF_W_GAMMA 0.882911075530934
#define WF_W_DELTA 0.443506852043971
/* sqrt(2) / 1.230174104914001 and its inverse: gains of the low and the high band. */
#define WF_W_LOW 1.149604398860241
#define WF_W_HIGH 0.8698644516247808
#define WF_W_OFFSET_ONE 0.42
#define WF_W_OFFSET_MORE 0.48

/* What a block of given extents needs of the scratch buffer, as offsets in bytes. */
typedef struct {
  int64_t plane; /* elements between planes of the first axis; padded, so that they do not share cache sets */
  int64_t groups[3], group_count, supergroups;
  size_t coefs, transposed, quantised, axis[3], masks, widths, longs, magnitudes, signs, bytes;
} wf_wavelet_plan;

WF_INLINE size_t wf_align64(size_t n) { return (n + 63) & ~(size_t)63; }

WF_INLINE void wf_wavelet_layout(const int64_t *extent, const int32_t *group, size_t size, wf_wavelet_plan *p) {
  p->plane = extent[1] * extent[2] + (extent[0] > 1 ? 16 : 0);
  p->group_count = 1;
  for (int a = 0; a < 3; a++) p->group_count *= p->groups[a] = (extent[a] + group[a] - 1) / group[a];
  p->supergroups = (p->group_count + 15) / 16;
  size_t at = 0, n = (size_t)p->group_count;
  p->coefs = at, at += wf_align64((size_t)(extent[0] * p->plane) * size);
  p->transposed = at, at += wf_align64((size_t)(extent[1] * extent[2]) * size);
  p->quantised = at, at += wf_align64((size_t)(extent[0] * p->plane) * 4);
  for (int a = 0; a < 3; a++) p->axis[a] = at, at += wf_align64((size_t)(p->groups[a] * group[a]) * 8);
  p->masks = at, at += wf_align64((size_t)p->supergroups * 2);
  p->widths = at, at += wf_align64(n + 1);
  p->longs = at, at += wf_align64(n);
  p->magnitudes = at, at += wf_align64(n * WF_W_MAX_BITS + 8);
  p->signs = at, at += wf_align64(n + 16);
  p->bytes = at;
}

/* Offsets of the coefficients of one axis in frequency order, -1 past its end. In place, the level with samples
 * `s` apart leaves its high band at s, 3s, 5s, ... */
WF_INLINE void wf_wavelet_order(int64_t n, int64_t padded, int64_t stride, int64_t *offset) {
  int64_t s = 1, k = 0;
  while (s < n) s *= 2;
  offset[k++] = 0;
  for (s /= 2; s >= 1; s /= 2)
    for (int64_t i = s; i < n; i += 2 * s) offset[k++] = i * stride;
  while (k < padded) offset[k++] = -1;
}

/* Transposes an 8x8 bit matrix: bit j of byte b <-> bit b of byte j. */
WF_INLINE uint64_t wf_transpose8(uint64_t x) {
  uint64_t t = (x ^ (x >> 7)) & UINT64_C(0x00AA00AA00AA00AA);
  x ^= t ^ (t << 7);
  t = (x ^ (x >> 14)) & UINT64_C(0x0000CCCC0000CCCC);
  x ^= t ^ (t << 14);
  t = (x ^ (x >> 28)) & UINT64_C(0x00000000F0F0F0F0);
  return x ^ t ^ (t << 28);
}

/* Whether a group has 2x2x2 points, all inside the block: by far the most common. Only the last ones can be outside. */
WF_INLINE int wf_wavelet_is_cube(const int64_t *x, const int64_t *y, const int64_t *z, const int32_t *group) {
  return group[0] == 2 && group[1] == 2 && group[2] == 2 && (x[1] | y[1] | z[1]) >= 0;
}

/* Fetches the 8 coefficients of group (i, j, k); those outside the block are 0. */
WF_INLINE void wf_wavelet_gather(const uint32_t *q, const int64_t *x, const int64_t *y, const int64_t *z,
                                 const int32_t *group, uint32_t *v) {
  if (wf_wavelet_is_cube(x, y, z, group)) {
    const uint32_t *a = q + x[0] + y[0], *b = q + x[0] + y[1], *c = q + x[1] + y[0], *d = q + x[1] + y[1];
    v[0] = a[z[0]], v[1] = a[z[1]], v[2] = b[z[0]], v[3] = b[z[1]];
    v[4] = c[z[0]], v[5] = c[z[1]], v[6] = d[z[0]], v[7] = d[z[1]];
    return;
  }
  for (int i = 0; i < group[0]; i++)
    for (int j = 0; j < group[1]; j++)
      for (int k = 0; k < group[2]; k++, v++) *v = (x[i] | y[j] | z[k]) < 0 ? 0 : q[x[i] + y[j] + z[k]];
}

/* Cursor over the sections that the coder fills. */
typedef struct {
  uint8_t *widths, *longs, *magnitudes, *signs;
  size_t width_count;
  uint64_t sign_bits;
  int sign_count;
} wf_wavelet_sections;

/* Appends one live group of sign-and-magnitude values (2 |q| + (q < 0)), whose bitwise or is `any`. */
WF_INLINE void wf_wavelet_put(wf_wavelet_sections *s, const uint32_t *v, uint32_t any) {
  const int w = wf_bits(any >> 1);
  s->widths[s->width_count++] = (uint8_t)(w < WF_W_LONG ? w : WF_W_LONG);
  if (w >= WF_W_LONG) *s->longs++ = (uint8_t)w;
  for (int b = 0; b < w; b += 8) {
    uint64_t m = 0;
    for (int j = 0; j < 8; j++) m |= (uint64_t)((v[j] >> (b + 1)) & 255) << (8 * j);
    m = wf_transpose8(m);
    memcpy(s->magnitudes + b, &m, 8);
  }
  s->magnitudes += w;
  for (int j = 0; j < 8; j++) {
    s->sign_bits |= (uint64_t)(v[j] & 1) << s->sign_count;
    s->sign_count += v[j] != 0;
  }
  while (s->sign_count >= 8) {
    *s->signs++ = (uint8_t)s->sign_bits;
    s->sign_bits >>= 8;
    s->sign_count -= 8;
  }
}

/* Writes the groups of a quantised block to `out` (room for `room` bytes); 0 when they do not fit. */
WF_INLINE size_t wf_wavelet_write(const wf_wavelet_plan *p, const int32_t *group, uint8_t *scratch, uint8_t *out,
                                  size_t room) {
  const uint32_t *q = (const uint32_t *)(scratch + p->quantised);
  const int64_t *x = (const int64_t *)(scratch + p->axis[0]), *y = (const int64_t *)(scratch + p->axis[1]);
  const int64_t *z = (const int64_t *)(scratch + p->axis[2]);
  uint16_t *masks = (uint16_t *)(scratch + p->masks);
  wf_wavelet_sections s = {scratch + p->widths, scratch + p->longs, scratch + p->magnitudes, scratch + p->signs, 0, 0, 0};
  memset(masks, 0, (size_t)p->supergroups * 2);
  int64_t g = 0;
  for (int64_t i = 0; i < p->groups[0]; i++)
    for (int64_t j = 0; j < p->groups[1]; j++)
      for (int64_t k = 0; k < p->groups[2]; k++, g++) {
        uint32_t v[8], any = 0;
        wf_wavelet_gather(q, x + i * group[0], y + j * group[1], z + k * group[2], group, v);
        for (int c = 0; c < 8; c++) any |= v[c];
        if (!any) continue;
        masks[g / 16] |= (uint16_t)(1 << (g % 16));
        wf_wavelet_put(&s, v, any);
      }
  if (s.sign_count) *s.signs++ = (uint8_t)s.sign_bits;
  s.widths[s.width_count] = 0;
  const size_t flags = (size_t)(p->supergroups + 7) / 8, longs = (size_t)(s.longs - (scratch + p->longs));
  const size_t magnitudes = (size_t)(s.magnitudes - (scratch + p->magnitudes));
  const size_t signs = (size_t)(s.signs - (scratch + p->signs));
  size_t live = 0;
  for (int64_t i = 0; i < p->supergroups; i++) live += masks[i] != 0;
  if (flags + 2 * live + (s.width_count + 1) / 2 + longs + magnitudes + signs > room) return 0;
  uint8_t *o = out;
  memset(o, 0, flags);
  for (int64_t i = 0; i < p->supergroups; i++)
    if (masks[i]) o[i / 8] |= (uint8_t)(1 << (i % 8));
  o += flags;
  for (int64_t i = 0; i < p->supergroups; i++)
    if (masks[i]) memcpy(o, masks + i, 2), o += 2;
  for (size_t i = 0; i < s.width_count; i += 2) *o++ = (uint8_t)(s.widths[i] | s.widths[i + 1] << 4);
  memcpy(o, scratch + p->longs, longs), o += longs;
  memcpy(o, scratch + p->magnitudes, magnitudes), o += magnitudes;
  memcpy(o, scratch + p->signs, signs), o += signs;
  return (size_t)(o - out);
}

/* Where the sections of a coded block begin, and how much is left of each. */
typedef struct {
  const uint8_t *widths, *longs, *magnitudes, *signs, *end;
  size_t width_at, width_count, sign_at;
} wf_wavelet_reader;

/* Finds the sections and checks their sizes; the group flags go to the scratch buffer. Returns 0 when they are wrong. */
WF_INLINE int wf_wavelet_open(const uint8_t *in, size_t len, const wf_wavelet_plan *p, uint8_t *scratch,
                              wf_wavelet_reader *r) {
  uint16_t *masks = (uint16_t *)(scratch + p->masks);
  const uint8_t *end = in + len;
  const size_t flags = (size_t)(p->supergroups + 7) / 8;
  if (len < flags) return 0;
  const uint8_t *at = in + flags;
  r->width_count = 0;
  for (int64_t i = 0; i < p->supergroups; i++) {
    masks[i] = 0;
    if (!(in[i / 8] >> (i % 8) & 1)) continue;
    if (end - at < 2) return 0;
    memcpy(masks + i, at, 2);
    at += 2;
    r->width_count += (size_t)__builtin_popcount(masks[i]);
  }
  if (p->group_count % 16 && masks[p->supergroups - 1] >> (p->group_count % 16)) return 0;
  if ((size_t)(end - at) < (r->width_count + 1) / 2) return 0;
  r->widths = at;
  at += (r->width_count + 1) / 2;
  size_t longs = 0, bits = 0;
  for (size_t i = 0; i < r->width_count; i++) {
    const int w = r->widths[i / 2] >> (4 * (i % 2)) & 15;
    if (w == 0) return 0;
    if (w == WF_W_LONG)
      longs++;
    else
      bits += (size_t)w;
  }
  if ((size_t)(end - at) < longs) return 0;
  r->longs = at;
  for (size_t i = 0; i < longs; i++) {
    if (at[i] < WF_W_LONG || at[i] > WF_W_MAX_BITS) return 0;
    bits += at[i];
  }
  at += longs;
  if ((size_t)(end - at) < bits) return 0;
  r->magnitudes = at;
  r->signs = at + bits;
  r->end = end;
  r->width_at = r->sign_at = 0;
  return 1;
}

/* Reads one live group; 0 when its signs run past the end. */
WF_INLINE int wf_wavelet_get(wf_wavelet_reader *r, uint32_t *v, uint32_t *negative) {
  int w = r->widths[r->width_at / 2] >> (4 * (r->width_at % 2)) & 15;
  r->width_at++;
  if (w == WF_W_LONG) w = *r->longs++;
  for (int j = 0; j < 8; j++) v[j] = 0;
  for (int b = 0; b < w; b += 8) {
    uint64_t m = 0;
    memcpy(&m, r->magnitudes + b, (size_t)(w - b < 8 ? w - b : 8));
    m = wf_transpose8(m);
    for (int j = 0; j < 8; j++) v[j] |= (uint32_t)(m >> (8 * j) & 255) << b;
  }
  r->magnitudes += w;
  int count = 0;
  for (int j = 0; j < 8; j++) count += v[j] != 0;
  if (r->sign_at + (size_t)count > (size_t)(r->end - r->signs) * 8) return 0;
  uint32_t bits = 0;
  if (count) {
    bits = r->signs[r->sign_at / 8];
    if (r->sign_at % 8 + (size_t)count > 8) bits |= (uint32_t)r->signs[r->sign_at / 8 + 1] << 8;
    bits >>= r->sign_at % 8;
  }
  r->sign_at += (size_t)count;
  for (int j = 0; j < 8; j++) {
    negative[j] = v[j] ? bits & 1 : 0;
    bits >>= v[j] != 0;
  }
  return 1;
}

#define WF_T float
#define WF_FN(name) WF_CAT(name, _f32)
#include "wavelet_body.h"
#undef WF_T
#undef WF_FN

#define WF_T double
#define WF_FN(name) WF_CAT(name, _f64)
#include "wavelet_body.h"
#undef WF_T
#undef WF_FN

#endif
