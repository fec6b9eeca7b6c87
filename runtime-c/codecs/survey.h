/* Smallest and largest value of a box, and whether all values are finite: read before a slice is coded. */
#ifndef WAVEFOLD_CODECS_SURVEY_H
#define WAVEFOLD_CODECS_SURVEY_H

#include "block.h"

/* The bits of a number, with those of negative ones turned round, are integers in the order of the numbers: NaN and
 * infinity come out as extremes, and integer minima vectorise where those of numbers with a NaN among them do not. */
#define WF_SURVEY(T, I, LARGEST, S)                                                              \
  WF_INLINE I wf_ordered_##S(I bits) { return bits ^ ((bits >> (8 * sizeof(I) - 1)) & LARGEST); } \
                                                                                                 \
  WF_INLINE int wf_extremes_##S(const T *src, const wf_box *box, T *low, T *high) {              \
    const T infinity = (T)INFINITY;                                                              \
    I lo = LARGEST, hi = -LARGEST, top;                                                          \
    for (int64_t i = 0; i < box->extent[0]; i++)                                                 \
      for (int64_t j = 0; j < box->extent[1]; j++) {                                             \
        const T *row = src + i * box->stride[0] + j * box->stride[1];                            \
        for (int64_t k = 0; k < box->extent[2]; k++) {                                           \
          I x;                                                                                   \
          memcpy(&x, row + k, sizeof x);                                                         \
          x = wf_ordered_##S(x);                                                                 \
          lo = x < lo ? x : lo;                                                                  \
          hi = x > hi ? x : hi;                                                                  \
        }                                                                                        \
      }                                                                                          \
    memcpy(&top, &infinity, sizeof top);                                                         \
    const int finite = hi < top && lo > -top - 1;                                                \
    lo = wf_ordered_##S(lo);                                                                     \
    hi = wf_ordered_##S(hi);                                                                     \
    memcpy(low, &lo, sizeof lo);                                                                 \
    memcpy(high, &hi, sizeof hi);                                                                \
    return finite;                                                                               \
  }

WF_SURVEY(float, int32_t, INT32_MAX, f32)
WF_SURVEY(double, int64_t, INT64_MAX, f64)

#undef WF_SURVEY

/* Sum of the squares of the scaled values (two factors, so that neither overflows), in 16 partial sums per box. */
#define WF_SQUARES(T, S)                                                                         \
  WF_INLINE double wf_squares_##S(const T *src, const wf_box *box, double scale1, double scale2) { \
    double part[16] = {0}, sum = 0;                                                              \
    for (int64_t i = 0; i < box->extent[0]; i++)                                                 \
      for (int64_t j = 0; j < box->extent[1]; j++) {                                             \
        const T *row = src + i * box->stride[0] + j * box->stride[1];                            \
        int64_t k = 0;                                                                           \
        for (; k + 16 <= box->extent[2]; k += 16)                                                \
          for (int l = 0; l < 16; l++) {                                                         \
            const double x = (double)row[k + l] * scale1 * scale2;                               \
            part[l] += x * x;                                                                    \
          }                                                                                      \
        for (int l = 0; k < box->extent[2]; k++, l++) {                                          \
          const double x = (double)row[k] * scale1 * scale2;                                     \
          part[l] += x * x;                                                                      \
        }                                                                                        \
      }                                                                                          \
    for (int l = 0; l < 16; l++) sum += part[l];                                                 \
    return sum;                                                                                  \
  }

WF_SQUARES(float, f32)
WF_SQUARES(double, f64)

#undef WF_SQUARES

/* Adds the squares of the values of a box to 16 partial sums for each `width` values along the last axis, a multiple of 16. */
#define WF_LOUDNESS(T, S)                                                                        \
  WF_INLINE void wf_loudness_##S(const T *src, const wf_box *box, int64_t width, double *sums) { \
    for (int64_t i = 0; i < box->extent[0]; i++)                                                 \
      for (int64_t j = 0; j < box->extent[1]; j++) {                                             \
        const T *row = src + i * box->stride[0] + j * box->stride[1];                            \
        double *part = sums;                                                                     \
        for (int64_t from = 0; from < box->extent[2]; from += width, part += 16) {               \
          const int64_t to = from + width < box->extent[2] ? from + width : box->extent[2];      \
          int64_t k = from;                                                                      \
          for (; k + 16 <= to; k += 16)                                                          \
            for (int l = 0; l < 16; l++) part[l] += (double)row[k + l] * (double)row[k + l];     \
          for (int l = 0; k < to; k++, l++) part[l] += (double)row[k] * (double)row[k];          \
        }                                                                                        \
      }                                                                                          \
  }

WF_LOUDNESS(float, f32)
WF_LOUDNESS(double, f64)

#undef WF_LOUDNESS

#endif
