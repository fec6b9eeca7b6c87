/* The codec blocks as functions with external linkage, for callers that do not inline the headers.
 * Where the platform allows, each is compiled for several instruction sets and chosen at load time; the arithmetic
 * (no contraction, no reassociation) is the same in all of them, bit for bit. */
#include <stdint.h>

#if !defined(WF_CLONES) && defined(__x86_64__) && defined(__linux__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
#if __GNUC__ >= 12
#define WF_CLONES __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define WF_CLONES __attribute__((target_clones("default", "avx2")))
#endif
#endif

#include "lapped.h"
#include "noop.h"
#include "quantize.h"
#include "survey.h"
#include "wavelet.h"

/* Bytes of the widest vectors that are used from here on. */
void wavefold_widest(int bytes) { wf_widest = bytes; }

WF_CLONES size_t wavefold_noop_encode(const void *src, const wf_box *box, size_t size, uint8_t *out) {
  return wf_noop_encode(src, box, size, out);
}

WF_CLONES size_t wavefold_noop_decode(const uint8_t *in, size_t len, const wf_box *box, size_t size, void *dst) {
  return wf_noop_decode(in, len, box, size, dst);
}

/* Bytes of scratch that this wavelet block needs, for elements of `size` bytes. */
size_t wavefold_wavelet_scratch(const wf_box *box, const int32_t *group, size_t size) {
  wf_wavelet_plan plan;
  wf_wavelet_layout(box, group, size, &plan);
  return plan.bytes;
}

/* Bytes of scratch that a lapped row of blocks needs, for elements of `size` bytes; `room`: what it makes at most. */
size_t wavefold_lapped_scratch(const wf_lapped *l, size_t size, size_t *room) {
  wf_lapped_plan p;
  wf_lapped_layout(l, size, &p);
  *room = (size_t)p.tiles * (1 + (size_t)(p.tile[0] * p.tile[1] * p.tile[2]) * size);
  return p.bytes;
}

#define WF_EXPORT(T, S)                                                                                                \
  WF_CLONES int wavefold_extremes_##S(const T *src, const wf_box *box, T *low, T *high) {                              \
    return wf_extremes_##S(src, box, low, high);                                                                       \
  }                                                                                                                    \
  WF_CLONES size_t wavefold_quantize_encode_##S(const T *src, const wf_box *box, const int32_t *block, T scale1,       \
                                                T scale2, T limit, T *extremes, uint8_t *out) {                        \
    return wf_quantize_encode_##S(src, box, block, scale1, scale2, limit, extremes, out);                              \
  }                                                                                                                    \
  WF_CLONES size_t wavefold_quantize_decode_##S(const uint8_t *in, size_t len, const wf_box *box,                      \
                                                const int32_t *block, T scale1, T scale2, int bypass, T *dst) {        \
    return wf_quantize_decode_##S(in, len, box, block, scale1, scale2, bypass, dst);                                   \
  }                                                                                                                    \
  WF_CLONES size_t wavefold_wavelet_encode_##S(const T *src, const wf_box *box, const int32_t *group, T scale1,        \
                                               T scale2, uint8_t *scratch, uint8_t *out) {                             \
    return wf_wavelet_encode_##S(src, box, group, scale1, scale2, scratch, out);                                       \
  }                                                                                                                    \
  WF_CLONES int wavefold_wavelet_decode_##S(const uint8_t *in, size_t len, const wf_box *box, const int32_t *group,    \
                                            T scale1, T scale2, int bypass, uint8_t *scratch, T *dst) {                \
    return wf_wavelet_decode_##S(in, len, box, group, scale1, scale2, bypass, scratch, dst);                           \
  }                                                                                                                    \
  WF_CLONES double wavefold_squares_##S(const T *src, const wf_box *box, double scale1, double scale2) {               \
    return wf_squares_##S(src, box, scale1, scale2);                                                                   \
  }                                                                                                                    \
  WF_CLONES void wavefold_loudness_##S(const T *src, const wf_box *box, int64_t width, double *sums) {                 \
    wf_loudness_##S(src, box, width, sums);                                                                            \
  }                                                                                                                    \
  WF_CLONES size_t wavefold_lapped_encode_##S(const T *src, const wf_lapped *l, const wf_tap *x, const wf_tap *y,      \
                                              const T *own, const T *partner, T scale, int64_t first, int64_t end,     \
                                              uint8_t *scratch, uint8_t *out, double *errors) {                        \
    return wf_lapped_encode_##S(src, l, x, y, own, partner, scale, first, end, scratch, out, errors);                  \
  }                                                                                                                    \
  WF_CLONES void wavefold_lapped_errors_##S(const T *src, const wf_lapped *l, const wf_tap *x, const wf_tap *y,        \
                                            const T *own, const T *partner, T scale, int64_t first, int64_t end,       \
                                            uint8_t *scratch, double *errors) {                                        \
    wf_lapped_errors_##S(src, l, x, y, own, partner, scale, first, end, scratch, errors);                              \
  }                                                                                                                    \
  WF_CLONES int wavefold_lapped_decode_##S(const uint8_t *in, size_t len, const wf_lapped *l, const T *own,            \
                                           const T *partner, T scale, uint8_t *scratch, T *const *rows) {              \
    return wf_lapped_decode_##S(in, len, l, own, partner, scale, scratch, rows);                                       \
  }                                                                                                                    \
  WF_CLONES void wavefold_lapped_unfold_##S(T *a, T *b, T *c, T *d, T rx, T fx, T ry, T fy, int64_t length) {          \
    if (c && b)                                                                                                        \
      wf_lapped_unfold_##S(a, b, c, d, rx, fx, ry, fy, length);                                                        \
    else if (b)                                                                                                        \
      wf_lapped_unfold_two_##S(a, b, ry, fy, length);                                                                  \
    else if (c)                                                                                                        \
      wf_lapped_unfold_two_##S(a, c, rx, fx, length);                                                                  \
  }

WF_EXPORT(float, f32)
WF_EXPORT(double, f64)
