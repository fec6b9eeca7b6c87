/* Shared by all codec blocks: the box of a field that a block covers, and byte order.
 *
 * A block coder reads one small box straight from a field (with its halo), or writes one back.
 * Nothing here allocates; callers own every buffer. Compile with -ffp-contract=off and without
 * -ffast-math: the streams are defined bit for bit, and a fused multiply-add would change them.
 */
#ifndef WAVEFOLD_CODECS_BLOCK_H
#define WAVEFOLD_CODECS_BLOCK_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "Wavefold streams are little-endian; this codec needs a little-endian machine"
#endif

#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#endif

#define WF_INLINE static inline __attribute__((always_inline))
#define WF_CAT_(a, b) a##b
#define WF_CAT(a, b) WF_CAT_(a, b)

/* Makes a function that is not inlined once for each instruction set; the includer may say how. */
#ifndef WF_CLONES
#define WF_CLONES
#endif

/* A box of points: extents of the three axes, and the distance in elements between neighbours along
 * the two slower ones (the fastest is contiguous). */
typedef struct {
  int64_t extent[3];
  int64_t stride[2];
} wf_box;

/* Number of bits that hold v: 0 for 0, 32 for 2^32 - 1. */
WF_INLINE int wf_bits(uint32_t v) { return v ? 32 - __builtin_clz(v) : 0; }

WF_INLINE int wf_bits64(uint64_t v) { return v ? 64 - __builtin_clzll(v) : 0; }

#endif
