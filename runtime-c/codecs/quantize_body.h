/* Body of quantize.h for one element type: WF_T, WF_INT (base), WF_RINT, WF_FN. */

/* Gathers the box into `tile`, block order, and repeats the first point outside the box. */
WF_INLINE void WF_FN(wf_tile_load)(const WF_T *src, const wf_box *box, const int32_t *block, WF_T *tile) {
  const int b0 = block[0], b1 = block[1], b2 = block[2];
  const int n0 = (int)box->extent[0], n1 = (int)box->extent[1], n2 = (int)box->extent[2];
  if (n0 == b0 && n1 == b1 && n2 == 8 && b2 == 8) {
    for (int i = 0; i < b0; i++)
      for (int j = 0; j < b1; j++, tile += 8)
        memcpy(tile, src + i * box->stride[0] + j * box->stride[1], 8 * sizeof(WF_T));
    return;
  }
  for (int k = 0; k < WF_Q_VALUES; k++) tile[k] = src[0];
  for (int i = 0; i < n0; i++)
    for (int j = 0; j < n1; j++)
      memcpy(tile + (i * b1 + j) * b2, src + i * box->stride[0] + j * box->stride[1], (size_t)n2 * sizeof(WF_T));
}

WF_INLINE void WF_FN(wf_tile_store)(const WF_T *tile, const wf_box *box, const int32_t *block, WF_T *dst) {
  const int b1 = block[1], b2 = block[2];
  const int n0 = (int)box->extent[0], n1 = (int)box->extent[1], n2 = (int)box->extent[2];
  if (n2 == 8 && b2 == 8) {
    for (int i = 0; i < n0; i++)
      for (int j = 0; j < n1; j++)
        memcpy(dst + i * box->stride[0] + j * box->stride[1], tile + (i * b1 + j) * 8, 8 * sizeof(WF_T));
    return;
  }
  for (int i = 0; i < n0; i++)
    for (int j = 0; j < n1; j++)
      memcpy(dst + i * box->stride[0] + j * box->stride[1], tile + (i * b1 + j) * b2, (size_t)n2 * sizeof(WF_T));
}

/* Scales by scale1 * scale2 = 1 / step (two factors, so that neither overflows) and rounds. */
WF_INLINE void WF_FN(wf_tile_round)(WF_T *tile, WF_T scale1, WF_T scale2, WF_T *low, WF_T *high) {
  /* Wide rows and one loop for each result: so gcc keeps all of them in vectors. */
  enum { WIDE = 64 };
  WF_T lo[WIDE], hi[WIDE];
  for (int k = 0; k < WF_Q_VALUES; k++) tile[k] = WF_RINT(tile[k] * scale1 * scale2);
  memcpy(lo, tile, sizeof lo);
  memcpy(hi, tile, sizeof hi);
  for (int r = WIDE; r < WF_Q_VALUES; r += WIDE) {
    for (int l = 0; l < WIDE; l++) lo[l] = tile[r + l] < lo[l] ? tile[r + l] : lo[l];
    for (int l = 0; l < WIDE; l++) hi[l] = tile[r + l] > hi[l] ? tile[r + l] : hi[l];
  }
  for (int half = WIDE / 2; half; half /= 2)
    for (int l = 0; l < half; l++) {
      lo[l] = lo[l + half] < lo[l] ? lo[l + half] : lo[l];
      hi[l] = hi[l + half] > hi[l] ? hi[l + half] : hi[l];
    }
  *low = lo[0];
  *high = hi[0];
}

WF_INLINE size_t WF_FN(wf_quantize_raw)(const WF_T *src, const wf_box *box, const int32_t *block, uint8_t *out) {
  WF_T tile[WF_Q_VALUES];
  WF_FN(wf_tile_load)(src, box, block, tile);
  out[0] = WF_Q_RAW;
  memcpy(out + 1, tile, sizeof tile);
  return 1 + sizeof tile;
}

/* Codes one block; `out` holds 1 + 512 sizeof(WF_T) bytes. A block with |r| > limit is stored raw. */
WF_INLINE size_t WF_FN(wf_quantize_encode)(const WF_T *src, const wf_box *box, const int32_t *block, WF_T scale1,
                                           WF_T scale2, WF_T limit, uint8_t *out) {
  WF_T tile[WF_Q_VALUES], low, high;
  uint32_t u[WF_Q_VALUES];
  WF_FN(wf_tile_load)(src, box, block, tile);
  WF_FN(wf_tile_round)(tile, scale1, scale2, &low, &high);
  if (!(low >= -limit && high <= limit)) return WF_FN(wf_quantize_raw)(src, box, block, out);
  const int64_t lo = (int64_t)low, hi = (int64_t)high;
  if (lo == 0 && hi == 0) {
    out[0] = 0;
    return 1;
  }
  if (hi - lo >= INT64_C(1) << 31) return WF_FN(wf_quantize_raw)(src, box, block, out);
  const int around_zero = 1 + wf_bits64((uint64_t)(hi > -lo - 1 ? hi : -lo - 1));
  const int above_low = wf_bits((uint32_t)(hi - lo));
  const int centred = around_zero <= above_low && around_zero <= 31;
  const int w = centred ? around_zero : above_low;
  const WF_INT base = centred ? -((WF_INT)1 << (w - 1)) : (WF_INT)lo;
  uint8_t *p = out;
  *p++ = (uint8_t)(centred ? w : WF_Q_BASE + w);
  if (!centred) {
    memcpy(p, &base, sizeof base);
    p += sizeof base;
  }
  if (sizeof(WF_T) == 4) {
    for (int k = 0; k < WF_Q_VALUES; k++) u[k] = (uint32_t)(int32_t)tile[k] - (uint32_t)base;
  } else {
    const WF_T from = (WF_T)base;
    for (int k = 0; k < WF_Q_VALUES; k++) u[k] = (uint32_t)(int32_t)(tile[k] - from);
  }
  if (w) wf_pack(u, w, p);
  return (size_t)(p - out) + (size_t)w * 64;
}

/* Decodes one block; scale1 * scale2 = step. Returns the bytes read, 0 when they make no block. */
WF_INLINE size_t WF_FN(wf_quantize_decode)(const uint8_t *in, size_t len, const wf_box *box, const int32_t *block,
                                           WF_T scale1, WF_T scale2, WF_T *dst) {
  WF_T tile[WF_Q_VALUES];
  uint32_t u[WF_Q_VALUES];
  if (len < 1) return 0;
  const int tag = in[0], centred = tag < WF_Q_BASE;
  const int w = centred ? tag : tag - WF_Q_BASE;
  const uint8_t *p = in + 1;
  if (tag == WF_Q_RAW) {
    if (len < 1 + sizeof tile) return 0;
    memcpy(tile, p, sizeof tile);
    WF_FN(wf_tile_store)(tile, box, block, dst);
    return 1 + sizeof tile;
  }
  if (w > 31) return 0;
  if (tag == 0) {
    memset(tile, 0, sizeof tile);
    WF_FN(wf_tile_store)(tile, box, block, dst);
    return 1;
  }
  const size_t used = 1 + (centred ? 0 : sizeof(WF_INT)) + (size_t)w * 64;
  if (len < used) return 0;
  WF_INT base = 0;
  if (centred) {
    base = -((WF_INT)1 << (w - 1));
  } else {
    memcpy(&base, p, sizeof base);
    p += sizeof base;
  }
  if (w)
    wf_unpack(p, w, u);
  else
    memset(u, 0, sizeof u);
  if (sizeof(WF_T) == 4) {
    for (int k = 0; k < WF_Q_VALUES; k++) tile[k] = (WF_T)(int32_t)(u[k] + (uint32_t)base) * scale1 * scale2;
  } else {
    const WF_T from = (WF_T)base;
    for (int k = 0; k < WF_Q_VALUES; k++) tile[k] = ((WF_T)(int32_t)u[k] + from) * scale1 * scale2;
  }
  WF_FN(wf_tile_store)(tile, box, block, dst);
  return used;
}
