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

/* Keeps a vector in its register: of a long chain of `or`, gcc would keep all operands for the end, and run out of registers. */
#if defined(__x86_64__)
#define WF_KEEP(v) __asm__("" : "+v"(v))
#else
#define WF_KEEP(v) ((void)0)
#endif

/* Makes a function that is not inlined once for each instruction set; the includer may say how. */
#ifndef WF_CLONES
#define WF_CLONES
#endif

/* Narrower vectors are for tests: streams are the same with all. */
static volatile int wf_widest = 64;

/* A box of points: extents of the three axes, and the distance in elements between neighbours along
 * the two slower ones (the fastest is contiguous). */
typedef struct {
  int64_t extent[3];
  int64_t stride[2];
} wf_box;

/* Bytes of the widest vectors that the machine has, and that are allowed. */
WF_INLINE int wf_vector_bytes(void) {
#if defined(__x86_64__)
  if (wf_widest >= 64 && __builtin_cpu_supports("avx512f")) return 64;
  if (wf_widest >= 32 && __builtin_cpu_supports("avx2")) return 32;
#endif
  return 16;
}

/* Number of bits that hold v: 0 for 0, 32 for 2^32 - 1. */
WF_INLINE int wf_bits(uint32_t v) { return v ? 32 - __builtin_clz(v) : 0; }

WF_INLINE int wf_bits64(uint64_t v) { return v ? 64 - __builtin_clzll(v) : 0; }

#endif
