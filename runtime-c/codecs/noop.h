/* noop: the rows of a box, one after the other, as they are. */
#ifndef WAVEFOLD_CODECS_NOOP_H
#define WAVEFOLD_CODECS_NOOP_H

#include "block.h"

/* Copies the box at `src` (elements of `size` bytes) to `out`; returns the bytes written. */
WF_INLINE size_t wf_noop_encode(const void *src, const wf_box *box, size_t size, uint8_t *out) {
  const uint8_t *from = src;
  size_t row = (size_t)box->extent[2] * size, n = 0;
  for (int64_t i = 0; i < box->extent[0]; i++)
    for (int64_t j = 0; j < box->extent[1]; j++, n += row)
      memcpy(out + n, from + (i * box->stride[0] + j * box->stride[1]) * (int64_t)size, row);
  return n;
}

/* The way back; returns the bytes read, 0 when `len` is too short. */
WF_INLINE size_t wf_noop_decode(const uint8_t *in, size_t len, const wf_box *box, size_t size, void *dst) {
  uint8_t *to = dst;
  size_t row = (size_t)box->extent[2] * size, n = 0;
  if (len < row * (size_t)box->extent[0] * (size_t)box->extent[1]) return 0;
  for (int64_t i = 0; i < box->extent[0]; i++)
    for (int64_t j = 0; j < box->extent[1]; j++, n += row)
      memcpy(to + (i * box->stride[0] + j * box->stride[1]) * (int64_t)size, in + n, row);
  return n;
}

#endif
