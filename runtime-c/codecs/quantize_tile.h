/* Body of quantize.h for one width of vectors: WF_V_BYTES (64, 32, 16), WF_V (suffix), WF_V_TARGET (instructions it needs).
 *
 * Codes and decodes the tiles of f32, and packs and unpacks those of f64. A row of a tile has 16 lanes, so WF_V_PARTS vectors;
 * lanes are packed apart from each other, and loops over rows do one part of all rows after the other. */

#define WF_V_LANES (WF_V_BYTES / 4)
#define WF_V_PARTS (WF_Q_LANES / WF_V_LANES)
#define WF_V_INLINE WF_V_TARGET WF_INLINE
#define WF_V_OUTLINE WF_V_TARGET static __attribute__((noinline))

typedef uint32_t WF_V(wf_v) __attribute__((vector_size(WF_V_BYTES)));
typedef uint32_t WF_V(wf_v_at) __attribute__((vector_size(WF_V_BYTES), aligned(1), may_alias));
typedef int32_t WF_V(wf_vi) __attribute__((vector_size(WF_V_BYTES)));
typedef float WF_V(wf_vf) __attribute__((vector_size(WF_V_BYTES)));
#define V WF_V(wf_v)
#define VI WF_V(wf_vi)
#define VF WF_V(wf_vf)

WF_V_INLINE V WF_V(wf_load)(const void *from) { return *(const WF_V(wf_v_at) *)from; }

WF_V_INLINE void WF_V(wf_store)(void *to, V v) { *(WF_V(wf_v_at) *)to = v; }

WF_V_INLINE V WF_V(wf_splat)(uint32_t x) { return (V){0} + x; }

/* What follows depends on the instructions:
 *   rounded     floats times scale as integers; out of reach: one that has 32 bits
 *   larger      of signed numbers; larger_bits: of unsigned ones
 *   bits        any | WF_BITS_OF(v)
 *   merge       word | (field << shift), of w bits each; low: that many ones
 *   chain       field + v, or, where `sums` is 0 and not 1, field
 *   before      what the first row is the difference to: the lane before, and in the first lane the number itself
 *   none        whether v is 0
 *   summed      sums of a vector's lanes up to each, and `from`
 *   stream      stores an aligned part of a line, round the caches */
#if WF_V_BYTES == 64
WF_V_INLINE V WF_V(wf_rounded)(V x, float scale) {
  return (V)_mm512_cvtps_epi32(_mm512_mul_ps((__m512)x, _mm512_set1_ps(scale)));
}
WF_V_INLINE V WF_V(wf_larger)(V a, V b) { return (V)_mm512_max_epi32((__m512i)a, (__m512i)b); }
WF_V_INLINE V WF_V(wf_larger_bits)(V a, V b) { return (V)_mm512_max_epu32((__m512i)a, (__m512i)b); }
WF_V_INLINE V WF_V(wf_bits)(V any, V v) {
  return (V)_mm512_ternarylogic_epi32((__m512i)any, (__m512i)v, (__m512i)(v + v), 0xF6);
}
/* Masks are in memory, where operands are free; a compiler would make them one by one. */
#define WF_MERGE(word, field, low, w, shift)                                                            \
  (V) _mm512_ternarylogic_epi32((__m512i)(word), (__m512i)((field) << (shift)),                         \
                                _mm512_set1_epi32((int32_t)wf_masks[w][shift]), 0xF8)
WF_V_INLINE V WF_V(wf_chain)(V field, V v, int sums) {
  return (V)_mm512_mask_add_epi32((__m512i)field, (__mmask16)-sums, (__m512i)field, (__m512i)v);
}
WF_V_INLINE void WF_V(wf_before)(const V *v, V *before) {
  const __m512i x = (__m512i)v[0];
  before[0] = (V)_mm512_alignr_epi32(x, _mm512_permutexvar_epi32(_mm512_setzero_si512(), x), 15);
}
WF_V_INLINE V WF_V(wf_summed)(V v, V from) {
  const __m512i zero = _mm512_setzero_si512();
  v += (V)_mm512_alignr_epi32((__m512i)v, zero, 15);
  v += (V)_mm512_alignr_epi32((__m512i)v, zero, 14);
  v += (V)_mm512_alignr_epi32((__m512i)v, zero, 12);
  v += (V)_mm512_alignr_epi32((__m512i)v, zero, 8);
  return v + from;
}
WF_V_INLINE int WF_V(wf_none)(V v) { return !_mm512_test_epi32_mask((__m512i)v, (__m512i)v); }
WF_V_INLINE void WF_V(wf_stream)(void *to, V v) { _mm512_stream_si512((__m512i *)to, (__m512i)v); }
#else
#define WF_MERGE(word, field, low, w, shift) (word) | ((field) & (low)) << (shift)
WF_V_INLINE V WF_V(wf_bits)(V any, V v) { return any | WF_BITS_OF(v); }
WF_V_INLINE V WF_V(wf_chain)(V field, V v, int sums) { return field + (v & WF_V(wf_splat)(-(uint32_t)sums)); }
#endif

#if WF_V_BYTES == 32
WF_V_INLINE V WF_V(wf_rounded)(V x, float scale) {
  return (V)_mm256_cvtps_epi32(_mm256_mul_ps((__m256)x, _mm256_set1_ps(scale)));
}
WF_V_INLINE V WF_V(wf_larger)(V a, V b) { return (V)_mm256_max_epi32((__m256i)a, (__m256i)b); }
WF_V_INLINE V WF_V(wf_larger_bits)(V a, V b) { return (V)_mm256_max_epu32((__m256i)a, (__m256i)b); }
WF_V_INLINE void WF_V(wf_before)(const V *v, V *before) {
  const __m256i x = (__m256i)v[0], y = (__m256i)v[1];
  before[0] = (V)_mm256_permutevar8x32_epi32(x, _mm256_setr_epi32(0, 0, 1, 2, 3, 4, 5, 6));
  before[1] = (V)_mm256_alignr_epi8(y, _mm256_permute2x128_si256(x, y, 0x21), 12);
}
WF_V_INLINE V WF_V(wf_summed)(V v, V from) {
  v += (V)_mm256_slli_si256((__m256i)v, 4);
  v += (V)_mm256_slli_si256((__m256i)v, 8);
  /* The last sum of the lower half goes to all of the upper one. */
  v += (V)_mm256_shuffle_epi32(_mm256_permute2x128_si256((__m256i)v, (__m256i)v, 0x08), 0xFF);
  return v + from;
}
WF_V_INLINE int WF_V(wf_none)(V v) { return _mm256_testz_si256((__m256i)v, (__m256i)v); }
WF_V_INLINE void WF_V(wf_stream)(void *to, V v) { _mm256_stream_si256((__m256i *)to, (__m256i)v); }
#elif WF_V_BYTES == 16
WF_V_INLINE V WF_V(wf_rounded)(V x, float scale) {
  const VF y = (VF)x * scale;
#if defined(__x86_64__)
  return (V)_mm_cvtps_epi32((__m128)y);
#elif defined(__aarch64__)
  /* The largest and the least integer have 32 bits, too. */
  return (V)vcvtnq_s32_f32((float32x4_t)y);
#else
  V r;
  for (int l = 0; l < WF_V_LANES; l++) {
    const float n = rintf(y[l]);
    r[l] = n >= -2.0f * WF_Q_REACH && n < 2.0f * WF_Q_REACH ? (uint32_t)(int32_t)n : UINT32_C(1) << 31;
  }
  return r;
#endif
}
#if defined(__aarch64__)
WF_V_INLINE V WF_V(wf_larger)(V a, V b) { return (V)vmaxq_s32((int32x4_t)a, (int32x4_t)b); }
WF_V_INLINE V WF_V(wf_larger_bits)(V a, V b) { return (V)vmaxq_u32((uint32x4_t)a, (uint32x4_t)b); }
#else
WF_V_INLINE V WF_V(wf_larger)(V a, V b) {
  const V more = (V)((VI)b > (VI)a);
  return (b & more) | (a & ~more);
}
WF_V_INLINE V WF_V(wf_larger_bits)(V a, V b) {
  const V sign = WF_V(wf_splat)(UINT32_C(1) << 31);
  return WF_V(wf_larger)(a ^ sign, b ^ sign) ^ sign;
}
#endif
WF_V_INLINE void WF_V(wf_before)(const V *v, V *before) {
  uint32_t row[WF_Q_LANES + 1];
  memcpy(row + 1, v, 4 * WF_Q_LANES);
  row[0] = row[1];
  memcpy(before, row, 4 * WF_Q_LANES);
}
WF_V_INLINE V WF_V(wf_summed)(V v, V from) {
  uint32_t lane[WF_V_LANES], sum = from[0];
  memcpy(lane, &v, sizeof lane);
  for (int l = 0; l < WF_V_LANES; l++) lane[l] = sum += lane[l];
  memcpy(&v, lane, sizeof lane);
  return v;
}
WF_V_INLINE int WF_V(wf_none)(V v) {
  uint64_t half[2];
  memcpy(half, &v, sizeof half);
  return (half[0] | half[1]) == 0;
}
WF_V_INLINE void WF_V(wf_stream)(void *to, V v) {
#if defined(__x86_64__)
  _mm_stream_si128((__m128i *)to, (__m128i)v);
#else
  WF_V(wf_store)(to, v);
#endif
}
#endif

/* The bits of all lanes. */
WF_V_INLINE uint32_t WF_V(wf_either)(V v) {
  uint32_t lane[WF_V_LANES];
  memcpy(lane, &v, sizeof lane);
  for (int half = WF_V_LANES / 2; half; half /= 2)
    for (int l = 0; l < half; l++) lane[l] |= lane[l + half];
  return lane[0];
}

/* For constant w and sums: all shifts are constants then. */
WF_V_INLINE void WF_V(wf_pack_width)(const int32_t *tile, const int w, const int sums, uint8_t *out) {
  const V low = WF_V(wf_splat)(w == 32 ? UINT32_MAX : (UINT32_C(1) << w % 32) - 1);
#pragma GCC unroll 1
  for (int p = 0; p < WF_V_PARTS; p++, tile += WF_V_LANES, out += WF_V_BYTES) {
    V sum = WF_V(wf_load)(tile), word = low;
    uint8_t *to = out;
    int shift = 0;
#pragma GCC unroll 32
    for (int r = 0; r < WF_Q_ROWS; r++) {
      V field;
      if (sums)
        field = sum = r ? sum + WF_V(wf_load)(tile + WF_Q_LANES * r) : sum;
      else
        field = WF_V(wf_load)(tile + WF_Q_LANES * (r ? r : WF_Q_ROWS));
      if (shift == 0)
        word = field & low;
      else if (shift + w >= 32)
        word |= field << shift;
      else
        word = WF_MERGE(word, field, low, w, shift);
      shift += w;
      if (shift < 32) continue;
      WF_V(wf_store)(to, word);
      to += 4 * WF_Q_LANES;
      shift -= 32;
      if (shift) word = (field & low) >> (w - shift);
    }
  }
}

WF_V_OUTLINE void WF_V(wf_pack)(const int32_t *tile, int w, uint8_t *out) {
  switch (w) {
#define WF_CASE(W) \
  case W: WF_V(wf_pack_width)(tile, W, 0, out); break;
    WF_EACH_WIDTH(WF_CASE)
#undef WF_CASE
  }
}

WF_V_OUTLINE void WF_V(wf_pack_sums)(const int32_t *tile, int w, uint8_t *out) {
  switch (w) {
#define WF_CASE(W) \
  case W: WF_V(wf_pack_width)(tile, W, 1, out); break;
    WF_EACH_WIDTH(WF_CASE)
#undef WF_CASE
  }
}

WF_V_INLINE void WF_V(wf_tops_add)(wf_tops *tops, const V *positive, const V *negative) {
  for (int p = 0; p < WF_V_PARTS; p++) {
    int32_t *high = tops->positive + p * WF_V_LANES, *low = tops->negative + p * WF_V_LANES;
    WF_V(wf_store)(high, WF_V(wf_larger)(WF_V(wf_load)(high), positive[p]));
    WF_V(wf_store)(low, WF_V(wf_larger)(WF_V(wf_load)(low), negative[p] ^ UINT32_C(1) << 31));
  }
}

/* The bits of both extremes, rounded. */
WF_V_INLINE V WF_V(wf_reach)(const V *positive, const V *negative, float scale) {
  V any = {0};
#pragma GCC unroll 4
  for (int p = 0; p < WF_V_PARTS; p++) {
    any = WF_V(wf_bits)(any, WF_V(wf_rounded)(positive[p], scale));
    any = WF_V(wf_bits)(any, WF_V(wf_rounded)(negative[p], scale));
  }
  return any;
}

/* Whether all values of the tile become 0; only then `tops` know them. A third of the work of `encode`, and so little
 * between the loads that none need be asked for beforehand. */
WF_V_OUTLINE int WF_V(wf_tile_quiet)(const float *src, const int64_t *offset, float scale, wf_tops *tops) {
  V positive[WF_V_PARTS], negative[WF_V_PARTS];
  for (int p = 0; p < WF_V_PARTS; p++) positive[p] = negative[p] = WF_V(wf_load)(src + offset[0] + p * WF_V_LANES);
#pragma GCC unroll 31
  for (int r = 1; r < WF_Q_ROWS; r++)
#pragma GCC unroll 4
    for (int p = 0; p < WF_V_PARTS; p++) {
      const V x = WF_V(wf_load)(src + offset[r] + p * WF_V_LANES);
      positive[p] = WF_V(wf_larger)(positive[p], x);
      negative[p] = WF_V(wf_larger_bits)(negative[p], x);
    }
  if (!WF_V(wf_none)(WF_V(wf_reach)(positive, negative, scale))) return 0;
  WF_V(wf_tops_add)(tops, positive, negative);
  return 1;
}

/* Codes one tile in one pass, for one scale and no limit but the reach: the bits of the values are those of the extremes. */
WF_V_OUTLINE size_t WF_V(wf_tile_encode)(const float *src, const int64_t *offset, float scale, wf_tops *tops, uint8_t *out) {
  int32_t tile[WF_Q_TILE] __attribute__((aligned(64)));
  V positive[WF_V_PARTS], negative[WF_V_PARTS], v[WF_V_PARTS], before[WF_V_PARTS], some[WF_V_PARTS];
  for (int p = 0; p < WF_V_PARTS; p++) {
    positive[p] = negative[p] = WF_V(wf_load)(src + offset[0] + p * WF_V_LANES);
    v[p] = WF_V(wf_rounded)(positive[p], scale);
    WF_V(wf_store)(tile + p * WF_V_LANES, v[p]);
  }
  WF_V(wf_before)(v, before);
  for (int p = 0; p < WF_V_PARTS; p++) {
    const V d = v[p] - before[p];
    some[p] = WF_V(wf_bits)((V){0}, d);
    WF_V(wf_store)(tile + WF_Q_VALUES + p * WF_V_LANES, d);
  }
#pragma GCC unroll 31
  for (int r = 1; r < WF_Q_ROWS; r++) {
    /* The tile behind this one. */
    __builtin_prefetch(src + offset[r] + WF_Q_LANES);
#pragma GCC unroll 4
    for (int p = 0; p < WF_V_PARTS; p++) {
      const V x = WF_V(wf_load)(src + offset[r] + p * WF_V_LANES), next = WF_V(wf_rounded)(x, scale), d = next - v[p];
      positive[p] = WF_V(wf_larger)(positive[p], x);
      negative[p] = WF_V(wf_larger_bits)(negative[p], x);
      some[p] = WF_V(wf_bits)(some[p], d);
      WF_KEEP(some[p]);
      v[p] = next;
      WF_V(wf_store)(tile + WF_Q_LANES * r + p * WF_V_LANES, d);
    }
  }
  WF_V(wf_tops_add)(tops, positive, negative);
  const V any = WF_V(wf_reach)(positive, negative, scale);
  if (WF_V(wf_none)(any)) {
    out[0] = 0;
    return 1;
  }
#pragma GCC unroll 4
  for (int p = 1; p < WF_V_PARTS; p++) some[0] |= some[p];
  const int plain = wf_bits(WF_V(wf_either)(any)), w = wf_bits(WF_V(wf_either)(some[0]));
  if (plain == 32) {
    out[0] = WF_Q_RAW;
    for (int r = 0; r < WF_Q_ROWS; r++) memcpy(out + 1 + 64 * r, src + offset[r], 64);
    return 1 + WF_Q_VALUES * 4;
  }
  if (plain <= w) {
    out[0] = (uint8_t)plain;
    WF_V(wf_pack_sums)(tile, plain, out + 1);
    return 1 + (size_t)plain * 64;
  }
  out[0] = (uint8_t)(WF_Q_BASE + w);
  memcpy(out + 1, tile, 4);
  WF_V(wf_pack)(tile, w, out + 5);
  return 5 + (size_t)w * 64;
}

/* What to do with the sums. */
#define WF_TO_TILE 0  /* to a dense tile as they are */
#define WF_TO_ROWS 1  /* times the step to rows at offsets */
#define WF_TO_LINES 2 /* that, and `lines` are written round the caches: memory works while rows are unpacked */

/* Unpacks words of w bits, sums them from `base` where `sums` says so, and stores them or what they stand for, in one pass. */
WF_V_INLINE void WF_V(wf_restore_width)(const int to, const uint8_t *in, const int w, int32_t base, int sums, float step,
                                        void *dst, const int64_t *offset, const wf_lines *lines) {
  V from = WF_V(wf_splat)((uint32_t)base);
#pragma GCC unroll 1
  for (int p = 0; p < WF_V_PARTS; p++, in += WF_V_BYTES) {
    const int line = p * WF_Q_ROWS / WF_V_PARTS;
    const uint8_t *next = in;
    V word = WF_V(wf_load)(next), v = {0};
    int shift = 0;
#pragma GCC unroll 32
    for (int r = 0; r < WF_Q_ROWS; r++) {
      V field;
      if (shift + w <= 32) {
        field = word << (32 - w - shift);
        shift += w;
        if (shift == 32 && r + 1 < WF_Q_ROWS) word = WF_V(wf_load)(next += 64), shift = 0;
      } else {
        const V low = word >> shift;
        word = WF_V(wf_load)(next += 64);
        field = (low | word << (32 - shift)) << (32 - w);
        shift += w - 32;
      }
      field = (V)((VI)field >> (32 - w));
      if (r == 0 && sums) field = WF_V(wf_summed)(field, from);
      v = WF_V(wf_chain)(field, v, sums);
      if (r == 0 && WF_V_PARTS > 1) from = WF_V(wf_splat)(v[WF_V_LANES - 1]);
      if (to == WF_TO_TILE)
        WF_V(wf_store)((int32_t *)dst + WF_Q_LANES * r + WF_V_LANES * p, v);
      else
        WF_V(wf_store)((float *)dst + offset[r] + WF_V_LANES * p, (V)(__builtin_convertvector((VI)v, VF) * step));
      if (to == WF_TO_LINES && r % WF_V_PARTS == 0) {
        const int row = (line + r / WF_V_PARTS) / WF_Q_LINES, at = r / WF_V_PARTS % WF_Q_LINES * 64;
        for (int i = 0; i < 64; i += WF_V_BYTES)
          WF_V(wf_stream)(lines->to[row] + at + i, WF_V(wf_load)(lines->from + row * WF_Q_APART + at + i));
      }
    }
  }
}

WF_V_OUTLINE void WF_V(wf_tile_restore)(const uint8_t *in, int w, int32_t base, int sums, float step, float *dst,
                                        const int64_t *offset) {
  switch (w) {
#define WF_CASE(W) \
  case W: WF_V(wf_restore_width)(WF_TO_ROWS, in, W, base, sums, step, dst, offset, NULL); break;
    WF_EACH_WIDTH(WF_CASE)
#undef WF_CASE
  }
}

WF_V_OUTLINE void WF_V(wf_tile_restore_lines)(const uint8_t *in, int w, int32_t base, int sums, float step, float *dst,
                                              const int64_t *offset, const wf_lines *lines) {
  switch (w) {
#define WF_CASE(W) \
  case W: WF_V(wf_restore_width)(WF_TO_LINES, in, W, base, sums, step, dst, offset, lines); break;
    WF_EACH_WIDTH(WF_CASE)
#undef WF_CASE
  }
}

WF_V_OUTLINE void WF_V(wf_unpack)(const uint8_t *in, int w, int32_t base, int sums, int32_t *tile) {
  switch (w) {
#define WF_CASE(W) \
  case W: WF_V(wf_restore_width)(WF_TO_TILE, in, W, base, sums, 0, tile, NULL, NULL); break;
    WF_EACH_WIDTH(WF_CASE)
#undef WF_CASE
  }
}

/* Copies lines round the caches. Wide stores, so that few of them wait for memory. */
WF_V_OUTLINE void WF_V(wf_row_stream)(uint8_t *to, const uint8_t *from, size_t lines) {
  for (; lines; lines--, to += 64, from += 64)
    for (int i = 0; i < 64; i += WF_V_BYTES) WF_V(wf_stream)(to + i, WF_V(wf_load)(from + i));
}

static const wf_tile_coder WF_V(wf_tile_coder) = {
    .quiet = WF_V(wf_tile_quiet),
    .encode = WF_V(wf_tile_encode),
    .pack = WF_V(wf_pack),
    .pack_sums = WF_V(wf_pack_sums),
    .unpack = WF_V(wf_unpack),
    .restore = WF_V(wf_tile_restore),
    .restore_lines = WF_V(wf_tile_restore_lines),
    .stream = WF_V(wf_row_stream),
};

#undef V
#undef VI
#undef VF
#undef WF_MERGE
#undef WF_TO_TILE
#undef WF_TO_ROWS
#undef WF_TO_LINES
#undef WF_V_LANES
#undef WF_V_PARTS
#undef WF_V_INLINE
#undef WF_V_OUTLINE
