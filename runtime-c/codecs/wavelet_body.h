/* Body of wavelet.h for one element type: WF_T, WF_U (its bits), WF_BYTES (its size), WF_FN. */

#define WF_WIDTH (64 / (int64_t)sizeof(WF_T))

typedef WF_T WF_FN(wf_vector16) __attribute__((vector_size(16), may_alias));
#define WF_L WF_FN(wf_vector16)
#define WF_LIFT(name) WF_CAT(name, WF_FN(_16))
#define WF_TARGET
#include "wavelet_lift.h"
#undef WF_L
#undef WF_LIFT
#undef WF_TARGET

#if defined(__x86_64__)
typedef WF_T WF_FN(wf_vector32) __attribute__((vector_size(32), may_alias));
#define WF_L WF_FN(wf_vector32)
#define WF_LIFT(name) WF_CAT(name, WF_FN(_32))
#define WF_TARGET __attribute__((target("avx2")))
#include "wavelet_lift.h"
#undef WF_L
#undef WF_LIFT
#undef WF_TARGET

typedef WF_T WF_FN(wf_vector64) __attribute__((vector_size(64), may_alias));
#define WF_L WF_FN(wf_vector64)
#define WF_LIFT(name) WF_CAT(name, WF_FN(_64))
#define WF_TARGET __attribute__((target("avx512f")))
#include "wavelet_lift.h"
#undef WF_L
#undef WF_LIFT
#undef WF_TARGET
#endif

#define WF_L WF_T
#define WF_LIFT(name) WF_CAT(name, WF_FN(_single))
#define WF_TARGET
#include "wavelet_lift.h"
#undef WF_L
#undef WF_LIFT
#undef WF_TARGET

/* With the widest vectors that the machine has. */
WF_INLINE void WF_FN(wf_lift_forward)(const wf_wavelet_plan *p, WF_T *base, int64_t apart, int64_t n, int64_t width) {
#if defined(__x86_64__)
  if (p->vector == 64) return WF_CAT(wf_lift_forward, WF_FN(_64))(base, apart, n, width);
  if (p->vector == 32) return WF_CAT(wf_lift_forward, WF_FN(_32))(base, apart, n, width);
#endif
  (void)p;
  WF_CAT(wf_lift_forward, WF_FN(_16))(base, apart, n, width);
}

WF_INLINE void WF_FN(wf_lift_inverse)(const wf_wavelet_plan *p, WF_T *base, int64_t apart, int64_t n, int64_t width) {
#if defined(__x86_64__)
  if (p->vector == 64) return WF_CAT(wf_lift_inverse, WF_FN(_64))(base, apart, n, width);
  if (p->vector == 32) return WF_CAT(wf_lift_inverse, WF_FN(_32))(base, apart, n, width);
#endif
  (void)p;
  WF_CAT(wf_lift_inverse, WF_FN(_16))(base, apart, n, width);
}

/* Fetches the next plane into the second cache, line by line, while this one is transformed: the processor waits for
 * few lines at a time. */
typedef struct {
  const WF_T *row;
  int64_t rows, at; /* left, and where in the first of them */
} WF_FN(wf_wavelet_ahead);

WF_INLINE void WF_FN(wf_wavelet_prefetch)(WF_FN(wf_wavelet_ahead) *ahead, const wf_wavelet_plan *p, int64_t lines) {
  for (; lines > 0 && ahead->rows > 0; lines--) {
    __builtin_prefetch(ahead->row + ahead->at * p->stride[2], 0, 2);
    ahead->at += WF_WIDTH;
    if (ahead->at >= p->extent[2]) ahead->row += p->stride[1], ahead->at = 0, ahead->rows--;
  }
}

/* Turns squares of 16 bytes a row: b[k][j] = a[j][k]. */
enum { WF_FN(WF_SIDE) = 16 / sizeof(WF_T) };
typedef WF_T WF_FN(wf_square) __attribute__((vector_size(16), may_alias));

#if defined(__clang__)
#define WF_MIX(x, y, ...) __builtin_shufflevector(x, y, __VA_ARGS__)
#else
#define WF_MIX(x, y, ...) __builtin_shuffle(x, y, (index){__VA_ARGS__})
#endif

WF_INLINE void WF_FN(wf_turn_square)(const WF_FN(wf_square) *a, WF_FN(wf_square) *b) {
#if WF_BYTES == 4
  typedef int32_t index __attribute__((vector_size(16)));
  const WF_FN(wf_square) p = WF_MIX(a[0], a[1], 0, 4, 1, 5), q = WF_MIX(a[0], a[1], 2, 6, 3, 7);
  const WF_FN(wf_square) r = WF_MIX(a[2], a[3], 0, 4, 1, 5), s = WF_MIX(a[2], a[3], 2, 6, 3, 7);
  b[0] = WF_MIX(p, r, 0, 1, 4, 5), b[1] = WF_MIX(p, r, 2, 3, 6, 7);
  b[2] = WF_MIX(q, s, 0, 1, 4, 5), b[3] = WF_MIX(q, s, 2, 3, 6, 7);
#else
  typedef int64_t index __attribute__((vector_size(16)));
  b[0] = WF_MIX(a[0], a[1], 0, 2), b[1] = WF_MIX(a[0], a[1], 1, 3);
#endif
}

#undef WF_MIX

/* to[k][j] = from[row[j]][k] for whole rows of both; `zeros` follow the last of `rows`. */
WF_INLINE void WF_FN(wf_turn)(const WF_T *from, int64_t from_width, const int64_t *row, int64_t rows, WF_T *to,
                              int64_t to_width, const WF_T *zeros, const wf_wavelet_plan *p,
                              WF_FN(wf_wavelet_ahead) *ahead) {
  enum { SIDE = WF_FN(WF_SIDE) };
  typedef WF_FN(wf_square) square;
  for (int64_t j = 0; j < to_width; j += SIDE) {
    const WF_T *line[SIDE];
    WF_FN(wf_wavelet_prefetch)(ahead, p, 2 * SIDE);
    for (int i = 0; i < SIDE; i++) line[i] = j + i < rows ? from + row[j + i] * from_width : zeros;
    for (int64_t k = 0; k < from_width; k += SIDE) {
      square a[SIDE], b[SIDE];
      for (int i = 0; i < SIDE; i++) a[i] = *(const square *)(line[i] + k);
      WF_FN(wf_turn_square)(a, b);
      for (int i = 0; i < SIDE; i++) *(square *)(to + (k + i) * to_width + j) = b[i];
    }
  }
}

/* to[row[j]][k] = from[k][j] for the `rows` of `to`, and for k up to a square behind `n`. */
WF_INLINE void WF_FN(wf_turn_back)(WF_T *to, int64_t to_width, const int64_t *row, int64_t rows, const WF_T *from,
                                   int64_t from_width, int64_t n) {
  enum { SIDE = WF_FN(WF_SIDE) };
  typedef WF_FN(wf_square) square;
  for (int64_t j = 0; j < rows; j += SIDE)
    for (int64_t k = 0; k < n; k += SIDE) {
      square a[SIDE], b[SIDE];
      for (int i = 0; i < SIDE; i++) a[i] = *(const square *)(from + (k + i) * from_width + j);
      WF_FN(wf_turn_square)(a, b);
      for (int i = 0; i < SIDE && j + i < rows; i++) *(square *)(to + row[j + i] * to_width + k) = b[i];
    }
}

/* Numbers 2 |q| + (q < 0) of a row, q = trunc(c); sizes that do not fit become 2^30. */
WF_INLINE void WF_FN(wf_wavelet_numbers)(const WF_T *restrict row, uint32_t *restrict number) {
  const WF_T reach = (WF_T)(1 << WF_W_MAX_BITS);
  for (int l = 0; l < WF_W_LANES; l++) {
#if WF_BYTES == 4
    /* Of positive numbers the bits have the same order. */
    int32_t bits, most;
    float least;
    memcpy(&bits, row + l, sizeof bits);
    memcpy(&most, &reach, sizeof most);
    const int32_t size = bits & INT32_MAX, smaller = size < most ? size : most;
    memcpy(&least, &smaller, sizeof least);
    number[l] = (uint32_t)(int32_t)least << 1 | (uint32_t)bits >> 31;
#else
    const WF_T c = row[l], a = c < 0 ? -c : c;
    number[l] = (uint32_t)(int32_t)(a < reach ? a : reach) << 1 | (c < 0);
#endif
  }
}

WF_INLINE void WF_FN(wf_wavelet_put)(wf_wavelet_sections *s, const WF_T *const *row) {
  uint32_t number[WF_W_ROWS][WF_W_LANES];
  for (int r = 0; r < WF_W_ROWS; r++) WF_FN(wf_wavelet_numbers)(row[r], number[r]);
  wf_wavelet_put(s, (const uint32_t(*)[WF_W_LANES])number);
}

/* Stores a value in units of the step; returns its bits. */
WF_INLINE WF_U WF_FN(wf_wavelet_scale)(WF_T value, WF_T scale1, WF_T scale2, WF_T *to) {
  WF_U bits;
  memcpy(&bits, &value, sizeof bits);
  *to = value * scale1 * scale2;
  return bits;
}

/* Loads one plane along x, in units of the step; returns the or of the bits of its values. */
WF_INLINE WF_U WF_FN(wf_wavelet_load)(const WF_T *src, const wf_wavelet_plan *p, WF_T scale1, WF_T scale2, WF_T *sheet,
                                      WF_FN(wf_wavelet_ahead) *ahead) {
  const int64_t nz = p->extent[2];
  WF_U any = 0;
  for (int64_t y = 0; y < p->extent[1]; y++) {
    const WF_T *from = src + y * p->stride[1];
    WF_T *to = sheet + y * p->row;
    WF_FN(wf_wavelet_prefetch)(ahead, p, 1);
    if (p->stride[2] == 1)
      for (int64_t z = 0; z < nz; z++) any |= WF_FN(wf_wavelet_scale)(from[z], scale1, scale2, to + z);
    else
      for (int64_t z = 0; z < nz; z++) any |= WF_FN(wf_wavelet_scale)(from[z * p->stride[2]], scale1, scale2, to + z);
    for (int64_t z = nz; z < p->row; z++) to[z] = 0;
  }
  return any;
}

/* Where the rows of an octet are; rows outside the block are `beyond`. */
WF_INLINE void WF_FN(wf_wavelet_rows)(const wf_wavelet_plan *p, const int64_t *const *order, WF_T *coefs, int64_t y,
                                      int64_t z, int64_t x, WF_T *beyond, WF_T **row) {
  const int64_t *planes = order[0] + 2 * x, *lines = order[2] + z * (p->axes == 3 ? 2 : 4);
  for (int r = 0; r < WF_W_ROWS; r++) {
    const int64_t plane = p->axes == 3 ? planes[r / 2] : 0, line = p->axes == 3 ? lines[r % 2] : lines[r];
    const int64_t at = plane * p->plane + line * p->turned + y * WF_W_LANES;
    row[r] = __builtin_expect((plane | line) < 0, 0) ? beyond : coefs + at;
  }
}

/* Codes the octets of transformed planes, which still lack x. */
WF_INLINE void WF_FN(wf_wavelet_write)(const wf_wavelet_plan *p, const int64_t *const *order, uint8_t *scratch,
                                       wf_wavelet_sections *s) {
  WF_T *coefs = (WF_T *)(scratch + p->coefs), *zeros = (WF_T *)(scratch + p->spare);
  const int high = p->axes == 3 ? 2 : 4;
  for (int64_t z = 0; z < p->groups[2]; z++)
    for (int64_t y = 0; y < p->groups[1]; y++) {
      for (int64_t k = z * high; k < (z + 1) * high && k < p->extent[2]; k++)
        WF_FN(wf_lift_forward)(p, coefs + order[2][k] * p->turned + y * WF_W_LANES, p->plane, p->extent[0], WF_W_LANES);
      for (int64_t x = 0; x < p->groups[0]; x++) {
        WF_T *row[WF_W_ROWS];
        WF_FN(wf_wavelet_rows)(p, order, coefs, y, z, x, zeros, row);
        WF_FN(wf_wavelet_put)(s, (const WF_T *const *)row);
      }
    }
}

/* Transforms and codes a block of two or three axes; 0 when all values are. */
WF_INLINE int WF_FN(wf_wavelet_analyse)(const WF_T *src, const wf_wavelet_plan *p, const int64_t *const *order,
                                        WF_T scale1, WF_T scale2, uint8_t *scratch, wf_wavelet_sections *s) {
  WF_T *coefs = (WF_T *)(scratch + p->coefs), *sheet = (WF_T *)(scratch + p->sheet);
  WF_T *zeros = (WF_T *)(scratch + p->spare);
  WF_U any = 0;
  memset(zeros, 0, (size_t)p->row * sizeof(WF_T));
  for (int64_t x = 0; x < p->extent[0]; x++) {
    WF_T *plane = coefs + x * p->plane;
    WF_FN(wf_wavelet_ahead) ahead = {src + (x + 1) * p->stride[0], x + 1 < p->extent[0] ? p->extent[1] : 0, 0};
    any |= WF_FN(wf_wavelet_load)(src + x * p->stride[0], p, scale1, scale2, sheet, &ahead);
    WF_FN(wf_lift_forward)(p, sheet, p->row, p->extent[1], p->row);
    WF_FN(wf_turn)(sheet, p->row, order[1], p->extent[1], plane, p->turned, zeros, p, &ahead);
    for (int64_t y = 0; y < p->turned; y += WF_W_LANES) {
      WF_FN(wf_wavelet_prefetch)(&ahead, p, 16);
      WF_FN(wf_lift_forward)(p, plane + y, p->turned, p->extent[2], WF_W_LANES);
    }
  }
  if (!any) return 0;
  WF_FN(wf_wavelet_write)(p, order, scratch, s);
  return 1;
}

/* The same with z alone. */
WF_INLINE int WF_FN(wf_wavelet_analyse_line)(const WF_T *src, const wf_wavelet_plan *p, const int64_t *order, WF_T scale1,
                                             WF_T scale2, uint8_t *scratch, wf_wavelet_sections *s) {
  const int64_t n = p->extent[2];
  WF_T *c = (WF_T *)(scratch + p->coefs), row[WF_W_ROWS][WF_W_LANES];
  const WF_T *rows[WF_W_ROWS] = {row[0], row[1], row[2], row[3]};
  for (int64_t z = 0; z < n; z++) c[z] = src[z * p->stride[2]] * scale1 * scale2;
  WF_CAT(wf_lift_forward, WF_FN(_single))(c, 1, n, 1);
  for (int64_t at = 0; at < n; at += 64) {
    for (int i = 0; i < 64; i++) row[i / 2 % 4][i / 8 * 2 + i % 2] = at + i < n ? c[order[at + i]] : 0;
    WF_FN(wf_wavelet_put)(s, rows);
  }
  return 1;
}

/* Codes one block; `out` holds 1 + the raw bytes of the box, `scratch` (64-byte aligned) what the plan says. */
WF_INLINE size_t WF_FN(wf_wavelet_encode)(const WF_T *src, const wf_box *box, const int32_t *group, WF_T scale1,
                                          WF_T scale2, uint8_t *scratch, uint8_t *out) {
  wf_wavelet_plan p;
  wf_wavelet_layout(box, group, sizeof(WF_T), &p);
  const size_t raw = (size_t)(p.extent[0] * p.extent[1] * p.extent[2]) * sizeof(WF_T);
  int64_t *order[3];
  for (int a = 0; a < 3; a++) wf_wavelet_order(p.extent[a], order[a] = (int64_t *)(scratch + p.axis[a]));
  wf_wavelet_sections s = wf_wavelet_begin(&p, scratch);
  const int64_t *const *orders = (const int64_t *const *)order;
  const int any = p.axes == 1 ? WF_FN(wf_wavelet_analyse_line)(src, &p, order[2], scale1, scale2, scratch, &s)
                              : WF_FN(wf_wavelet_analyse)(src, &p, orders, scale1, scale2, scratch, &s);
  out[0] = WF_W_ZERO;
  if (!any || !s.all) return 1;
  const size_t used = s.all >> WF_W_MAX_BITS ? 0 : wf_wavelet_close(&p, scratch, &s, out + 1, raw);
  if (used) {
    out[0] = WF_W_CODED;
    return 1 + used;
  }
  out[0] = WF_W_RAW;
  uint8_t *o = out + 1;
  for (int64_t x = 0; x < box->extent[0]; x++)
    for (int64_t y = 0; y < box->extent[1]; y++, o += box->extent[2] * (int64_t)sizeof(WF_T))
      memcpy(o, src + x * box->stride[0] + y * box->stride[1], (size_t)box->extent[2] * sizeof(WF_T));
  return 1 + raw;
}

/* The decoded coefficients of an octet. */
WF_INLINE void WF_FN(wf_wavelet_values)(const uint32_t number[WF_W_ROWS][WF_W_LANES], WF_T *const *row) {
  for (int r = 0; r < WF_W_ROWS; r++) {
    WF_T *to = row[r];
    for (int l = 0; l < WF_W_LANES; l++) {
      const int32_t size = (int32_t)(number[r][l] >> 1);
      const WF_T a = (WF_T)size + (size == 1 ? (WF_T)WF_W_OFFSET_ONE : (WF_T)WF_W_OFFSET_MORE);
      const WF_T b = size ? a : 0;
      to[l] = number[r][l] & 1 ? -b : b;
    }
  }
}

/* Reads `count` octets side by side along x, from `x` on; returns whether one is live, -1 when the bytes make none. */
WF_INLINE int WF_FN(wf_wavelet_read_batch)(wf_wavelet_reader *reader, const wf_wavelet_plan *p, const int64_t *const *order,
                                           uint8_t *scratch, int64_t x, int64_t y, int64_t z, int64_t count) {
  WF_T *coefs = (WF_T *)(scratch + p->coefs), *beyond = (WF_T *)(scratch + p->spare);
  wf_wavelet_octet octet[WF_W_BATCH];
  int some = 0;
  for (int64_t i = 0; i < count; i++) {
    const uint32_t live = *reader->masks++;
    some |= live != 0;
    if (!wf_wavelet_get(reader, live, octet + i)) return -1;
  }
  for (int64_t i = 0; i < count; i++) {
    WF_T *row[WF_W_ROWS];
    WF_FN(wf_wavelet_rows)(p, order, coefs, y, z, x + i, beyond, row);
    if (octet[i].layers) {
      uint32_t number[WF_W_ROWS][WF_W_LANES];
      wf_wavelet_join(octet + i, number);
      WF_FN(wf_wavelet_values)((const uint32_t(*)[WF_W_LANES])number, row);
    } else {
      for (int r = 0; r < WF_W_ROWS; r++) memset(row[r], 0, WF_W_LANES * sizeof(WF_T));
    }
  }
  return some;
}

/* Reads the octets, and undoes x. Returns 0 when the bytes make none. */
WF_INLINE int WF_FN(wf_wavelet_read)(wf_wavelet_reader *reader, const wf_wavelet_plan *p, const int64_t *const *order,
                                     uint8_t *scratch) {
  WF_T *coefs = (WF_T *)(scratch + p->coefs);
  const int high = p->axes == 3 ? 2 : 4;
  for (int64_t z = 0; z < p->groups[2]; z++)
    for (int64_t y = 0; y < p->groups[1]; y++) {
      int some = 0;
      for (int64_t x = 0; x < p->groups[0]; x += WF_W_BATCH) {
        const int64_t count = p->groups[0] - x < WF_W_BATCH ? p->groups[0] - x : WF_W_BATCH;
        const int live = WF_FN(wf_wavelet_read_batch)(reader, p, order, scratch, x, y, z, count);
        if (live < 0) return 0;
        some |= live;
      }
      for (int64_t k = z * high; some && k < (z + 1) * high && k < p->extent[2]; k++)
        WF_FN(wf_lift_inverse)(p, coefs + order[2][k] * p->turned + y * WF_W_LANES, p->plane, p->extent[0], WF_W_LANES);
    }
  return 1;
}

/* Undoes what is left of the transform and writes the values. */
WF_INLINE void WF_FN(wf_wavelet_synthesise)(WF_T *dst, const wf_wavelet_plan *p, const int64_t *const *order, WF_T scale1,
                                            WF_T scale2, int bypass, uint8_t *scratch) {
  const int64_t nz = p->extent[2];
  const wf_tile_coder *past = bypass ? wf_tile_coder_here() : NULL;
  WF_T *sheet = (WF_T *)(scratch + p->sheet);
  for (int64_t x = 0; x < p->extent[0]; x++) {
    WF_T *plane = (WF_T *)(scratch + p->coefs) + x * p->plane;
    WF_FN(wf_lift_inverse)(p, plane, p->turned, nz, p->turned);
    WF_FN(wf_turn_back)(sheet, p->row, order[1], p->extent[1], plane, p->turned, nz);
    WF_FN(wf_lift_inverse)(p, sheet, p->row, p->extent[1], p->row);
    for (int64_t y = 0; y < p->extent[1]; y++) {
      WF_T *row = sheet + y * p->row, *to = dst + x * p->stride[0] + y * p->stride[1];
      for (int64_t z = 0; z < nz; z++) row[z] = row[z] * scale1 * scale2;
      if (p->stride[2] == 1)
        wf_row_store((uint8_t *)to, (const uint8_t *)row, (size_t)nz * sizeof(WF_T), past);
      else
        for (int64_t z = 0; z < nz; z++) to[z * p->stride[2]] = row[z];
    }
  }
}

/* Reads and undoes a block with z alone. Returns 0 when the bytes make none. */
WF_INLINE int WF_FN(wf_wavelet_line)(wf_wavelet_reader *reader, WF_T *dst, const wf_wavelet_plan *p, const int64_t *order,
                                     WF_T scale1, WF_T scale2, uint8_t *scratch) {
  const int64_t n = p->extent[2];
  WF_T *c = (WF_T *)(scratch + p->coefs), row[WF_W_ROWS][WF_W_LANES];
  WF_T *rows[WF_W_ROWS] = {row[0], row[1], row[2], row[3]};
  for (int64_t at = 0; at < n; at += 64) {
    uint32_t number[WF_W_ROWS][WF_W_LANES] = {{0}};
    wf_wavelet_octet octet;
    if (!wf_wavelet_get(reader, *reader->masks++, &octet)) return 0;
    wf_wavelet_join(&octet, number);
    WF_FN(wf_wavelet_values)((const uint32_t(*)[WF_W_LANES])number, rows);
    for (int i = 0; i < 64 && at + i < n; i++) c[order[at + i]] = row[i / 2 % 4][i / 8 * 2 + i % 2];
  }
  WF_CAT(wf_lift_inverse, WF_FN(_single))(c, 1, n, 1);
  for (int64_t z = 0; z < n; z++) dst[z * p->stride[2]] = c[z] * scale1 * scale2;
  return 1;
}

/* Decodes one block of exactly `len` bytes; scale1 * scale2 = step. Returns 1, or 0 when the bytes make no block. */
WF_INLINE int WF_FN(wf_wavelet_decode)(const uint8_t *in, size_t len, const wf_box *box, const int32_t *group, WF_T scale1,
                                       WF_T scale2, int bypass, uint8_t *scratch, WF_T *dst) {
  wf_wavelet_plan p;
  wf_wavelet_layout(box, group, sizeof(WF_T), &p);
  const size_t line = (size_t)box->extent[2] * sizeof(WF_T);
  const size_t raw = line * (size_t)(box->extent[0] * box->extent[1]);
  if (len == 0) return 0;
  if (in[0] == WF_W_ZERO ? len != 1 : in[0] == WF_W_RAW && len != 1 + raw) return 0;
  if (in[0] != WF_W_CODED) {
    if (in[0] != WF_W_ZERO && in[0] != WF_W_RAW) return 0;
    const uint8_t *from = in + 1;
    for (int64_t x = 0; x < box->extent[0]; x++)
      for (int64_t y = 0; y < box->extent[1]; y++, from += line) {
        WF_T *to = dst + x * box->stride[0] + y * box->stride[1];
        if (in[0] == WF_W_ZERO)
          memset(to, 0, line);
        else
          memcpy(to, from, line);
      }
    return 1;
  }
  wf_wavelet_reader reader;
  int64_t *order[3];
  if (!wf_wavelet_open(in + 1, len - 1, &p, scratch, &reader)) return 0;
  for (int a = 0; a < 3; a++) wf_wavelet_order(p.extent[a], order[a] = (int64_t *)(scratch + p.axis[a]));
  const int64_t *const *orders = (const int64_t *const *)order;
  if (!(p.axes == 1 ? WF_FN(wf_wavelet_line)(&reader, dst, &p, order[2], scale1, scale2, scratch)
                    : WF_FN(wf_wavelet_read)(&reader, &p, orders, scratch)))
    return 0;
  if (reader.signs + (reader.sign_at + 7) / 8 != reader.end) return 0;
  if (p.axes > 1) WF_FN(wf_wavelet_synthesise)(dst, &p, orders, scale1, scale2, bypass, scratch);
  return 1;
}

#undef WF_WIDTH
