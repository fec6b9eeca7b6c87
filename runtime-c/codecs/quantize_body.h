/* Body of quantize.h for one element type: WF_T, WF_INT (base), WF_RINT, WF_FN. */

/* Number of point (i, j, 0) in the order in which a block is visited. */
#define WF_TILE_ROW(block, i, j) (((i) * (block)[1] + ((i) % 2 ? (block)[1] - 1 - (j) : (j))) * (block)[2])

/* Gathers the block of the box that begins at `src` and has `n2` points along the last axis; repeats its edges. */
WF_INLINE void WF_FN(wf_tile_load)(const WF_T *src, const wf_box *box, int64_t n2, const int32_t *block, WF_T *tile) {
  WF_T line[WF_Q_VALUES], *to = wf_tile_turned(block) ? line : tile;
  for (int i = 0; i < block[0]; i++)
    for (int j = 0; j < block[1]; j++) {
      const int64_t x = i < box->extent[0] ? i : box->extent[0] - 1, y = j < box->extent[1] ? j : box->extent[1] - 1;
      WF_T *row = to + WF_TILE_ROW(block, i, j);
      memcpy(row, src + x * box->stride[0] + y * box->stride[1], (size_t)n2 * sizeof(WF_T));
      for (int64_t k = n2; k < block[2]; k++) row[k] = row[n2 - 1];
    }
  if (to == line)
    for (int n = 0; n < WF_Q_VALUES; n++) tile[n % WF_Q_ROWS * WF_Q_LANES + n / WF_Q_ROWS] = line[n];
}

WF_INLINE void WF_FN(wf_tile_store)(const WF_T *tile, const wf_box *box, int64_t n2, const int32_t *block, WF_T *dst) {
  WF_T line[WF_Q_VALUES];
  if (wf_tile_turned(block)) {
    for (int n = 0; n < WF_Q_VALUES; n++) line[n] = tile[n % WF_Q_ROWS * WF_Q_LANES + n / WF_Q_ROWS];
    tile = line;
  }
  for (int i = 0; i < box->extent[0]; i++)
    for (int j = 0; j < box->extent[1]; j++)
      memcpy(dst + i * box->stride[0] + j * box->stride[1], tile + WF_TILE_ROW(block, i, j), (size_t)n2 * sizeof(WF_T));
}

/* Scales by scale1 * scale2 = 1 / step (two factors, so that neither overflows), rounds, and subtracts `shift`, which is
 * 0 where the first value is within reach, and that value otherwise. Returns 0 when a value is found out of reach; in
 * f32 it may also be left to the caller, as conversion makes the smallest or the largest integer of it. */
WF_INLINE int WF_FN(wf_tile_round)(const WF_T *src, const int64_t *offset, WF_T scale1, WF_T scale2, WF_T limit,
                                   WF_INT *shift, int32_t *tile, wf_tops *tops) {
  *shift = 0;
  if (sizeof(WF_T) == 4) {
    for (int r = 0; r < WF_Q_ROWS; r++) {
      const WF_T *x = src + offset[r];
      for (int l = 0; l < WF_Q_LANES; l++) tile[r * WF_Q_LANES + l] = (int32_t)WF_RINT(x[l] * scale1 * scale2);
    }
    for (int r = 0; r < WF_Q_ROWS; r++)
      for (int l = 0; l < WF_Q_LANES; l++) {
        int32_t p, n;
        memcpy(&p, src + offset[r] + l, sizeof p);
        n = p ^ INT32_MIN;
        tops->positive[l] = p > tops->positive[l] ? p : tops->positive[l];
        tops->negative[l] = n > tops->negative[l] ? n : tops->negative[l];
      }
    if (limit >= (WF_T)WF_Q_REACH) return 1;
    const int32_t most = (int32_t)limit;
    int far = 0;
    for (int k = 0; k < WF_Q_VALUES; k++) far |= tile[k] > most || tile[k] < -most;
    return !far;
  }
  WF_T rounded[WF_Q_VALUES];
  int far = 0;
  for (int r = 0; r < WF_Q_ROWS; r++) {
    const WF_T *x = src + offset[r];
    for (int l = 0; l < WF_Q_LANES; l++) rounded[r * WF_Q_LANES + l] = WF_RINT(x[l] * scale1 * scale2);
  }
  const WF_T first = rounded[0], reach = (WF_T)WF_Q_REACH;
  const WF_T from = first >= -reach && first < reach ? 0 : first;
  for (int k = 0; k < WF_Q_VALUES; k++) far |= !(rounded[k] <= limit) | !(rounded[k] >= -limit);
  for (int k = 0; k < WF_Q_VALUES; k++) far |= !(rounded[k] - from < reach) | !(rounded[k] - from >= -reach);
  if (far) return 0;
  for (int k = 0; k < WF_Q_VALUES; k++) tile[k] = (int32_t)(rounded[k] - from);
  *shift = (WF_INT)from;
  return 1;
}

/* Codes one tile, whose rows are at `src` + `offset`: of f64, and of f32 those that `encode` of the coder does not do. */
WF_INLINE size_t WF_FN(wf_tile_encode)(const wf_tile_coder *coder, const WF_T *src, const int64_t *offset, WF_T scale1,
                                       WF_T scale2, WF_T limit, wf_tops *tops, uint8_t *out) {
  int32_t tile[WF_Q_TILE] __attribute__((aligned(64)));
  uint32_t values, differences;
  WF_INT shift;
  const int near = WF_FN(wf_tile_round)(src, offset, scale1, scale2, limit, &shift, tile, tops);
  if (near) wf_tile_differ(tile, &values, &differences);
  if (!near || values >> 31) {
    out[0] = WF_Q_RAW;
    for (int r = 0; r < WF_Q_ROWS; r++)
      memcpy(out + 1 + (size_t)r * WF_Q_LANES * sizeof(WF_T), src + offset[r], WF_Q_LANES * sizeof(WF_T));
    return 1 + WF_Q_VALUES * sizeof(WF_T);
  }
  if (!values && !shift) {
    out[0] = 0;
    return 1;
  }
  const int plain = wf_bits(values), w = wf_bits(differences);
  if (plain <= w && !shift) {
    out[0] = (uint8_t)plain;
    coder->pack_sums(tile, plain, out + 1);
    return 1 + (size_t)plain * 64;
  }
  const WF_INT base = shift + tile[0];
  out[0] = (uint8_t)(WF_Q_BASE + w);
  memcpy(out + 1, &base, sizeof base);
  coder->pack(tile, w, out + 1 + sizeof base);
  return 1 + sizeof base + (size_t)w * 64;
}

/* Smallest and largest value of the box, `finite` = 0 where one is not; from the tops of its values where these suffice. */
WF_INLINE int WF_FN(wf_tile_extremes)(const WF_T *src, const wf_box *box, const wf_tops *tops, WF_T *extremes) {
  if (sizeof(WF_T) == 4) {
    int32_t p = tops->positive[0], n = tops->negative[0];
    for (int l = 1; l < WF_Q_LANES; l++) {
      p = tops->positive[l] > p ? tops->positive[l] : p;
      n = tops->negative[l] > n ? tops->negative[l] : n;
    }
    if (p == 0 && n < 0) {
      extremes[0] = extremes[1] = 0;
      return 1;
    }
    if (p >= 0 && n >= 0 && p < 0x7F800000 && n < 0x7F800000) {
      n ^= INT32_MIN;
      memcpy(extremes, &n, 4);
      memcpy(extremes + 1, &p, 4);
      return 1;
    }
  }
  return WF_FN(wf_extremes)(src, box, extremes, extremes + 1);
}

/* Codes the blocks of a box, row after row of them; `out` holds 1 + 512 sizeof(WF_T) bytes for each. Where `extremes` is
 * not 0, it takes smallest and largest value of the box. Returns the bytes; 0 when a value is not finite and `extremes`
 * was asked for. */
WF_INLINE size_t WF_FN(wf_quantize_encode)(const WF_T *src, const wf_box *box, const int32_t *block, WF_T scale1,
                                           WF_T scale2, WF_T limit, WF_T *extremes, uint8_t *out) {
  int64_t rows[WF_Q_ROWS], dense[WF_Q_ROWS];
  wf_tops tops;
  uint8_t *to = out;
  /* The last tile is 0: the next one most often is, too. */
  int quiet = 0;
  wf_tops_start(&tops);
  const wf_tile_coder *coder = wf_tile_coder_here();
  const int fast = sizeof(WF_T) == 4 && wf_one_factor(scale1 * scale2) && limit >= (WF_T)WF_Q_REACH;
  const float scale = (float)(scale1 * scale2);
  for (int r = 0; r < WF_Q_ROWS; r++) dense[r] = r * WF_Q_LANES;
  if (block[2] == WF_Q_LANES) wf_tile_rows(box, block, rows);
  for (int64_t j = 0; j < box->extent[1]; j += block[1]) {
    const WF_T *from = src + j * box->stride[1];
    wf_box row = *box;
    row.extent[1] = row.extent[1] - j < block[1] ? row.extent[1] - j : block[1];
    const int full = block[2] == WF_Q_LANES && row.extent[0] == block[0] && row.extent[1] == block[1];
    for (int64_t k = 0; k < box->extent[2]; k += block[2]) {
      const int64_t left = box->extent[2] - k;
      const WF_T *at = from + k;
      const int64_t *offset = rows;
      WF_T tile[WF_Q_VALUES];
      if (!full || left < WF_Q_LANES) {
        WF_FN(wf_tile_load)(at, &row, left < block[2] ? left : block[2], block, tile);
        at = tile;
        offset = dense;
      }
      const float *values = (const float *)(const void *)at;
      if (fast && quiet && coder->quiet(values, offset, scale, &tops)) {
        *to++ = 0;
        continue;
      }
      const size_t bytes = fast ? coder->encode(values, offset, scale, &tops, to)
                                : WF_FN(wf_tile_encode)(coder, at, offset, scale1, scale2, limit, &tops, to);
      to += bytes;
      quiet = bytes == 1;
    }
  }
  if (extremes && !WF_FN(wf_tile_extremes)(src, box, &tops, extremes)) return 0;
  return (size_t)(to - out);
}

/* Decodes one tile, whose rows go to `dst` + `offset`; scale1 * scale2 = step. Where `lines` points to some, they may be
 * written meanwhile: it then points to none. Returns the bytes read, 0 when they make no tile. */
WF_INLINE size_t WF_FN(wf_tile_decode)(const wf_tile_coder *coder, const uint8_t *in, size_t len, WF_T scale1, WF_T scale2,
                                       WF_T *dst, const int64_t *offset, const wf_lines **lines) {
  int32_t d[WF_Q_VALUES] __attribute__((aligned(64)));
  if (len < 1) return 0;
  const int tag = in[0];
  if (tag == WF_Q_RAW) {
    if (len < 1 + WF_Q_VALUES * sizeof(WF_T)) return 0;
    for (int r = 0; r < WF_Q_ROWS; r++)
      memcpy(dst + offset[r], in + 1 + (size_t)r * WF_Q_LANES * sizeof(WF_T), WF_Q_LANES * sizeof(WF_T));
    return 1 + WF_Q_VALUES * sizeof(WF_T);
  }
  if (tag == 0) {
    for (int r = 0; r < WF_Q_ROWS; r++) memset(dst + offset[r], 0, WF_Q_LANES * sizeof(WF_T));
    return 1;
  }
  const int plain = tag < 32, w = plain ? tag : tag - WF_Q_BASE;
  if (w < 0 || w > 32) return 0;
  WF_INT base = 0;
  const size_t before = 1 + (plain ? 0 : sizeof base);
  if (len < before + (size_t)w * 64) return 0;
  if (!plain) memcpy(&base, in + 1, sizeof base);
  if (sizeof(WF_T) == 4 && w && wf_one_factor(scale1 * scale2)) {
    const float step = (float)(scale1 * scale2);
    if (*lines)
      coder->restore_lines(in + before, w, (int32_t)base, !plain, step, (float *)(void *)dst, offset, *lines);
    else
      coder->restore(in + before, w, (int32_t)base, !plain, step, (float *)(void *)dst, offset);
    *lines = NULL;
    return before + (size_t)w * 64;
  }
  /* In f64 a sum of two numbers, as not every base is an int32. */
  const int32_t low = sizeof(WF_T) == 4 ? (int32_t)base : 0;
  const WF_T from = sizeof(WF_T) == 4 ? 0 : (WF_T)base;
  if (w)
    coder->unpack(in + before, w, low, !plain, d);
  else
    for (int k = 0; k < WF_Q_VALUES; k++) d[k] = low;
  for (int r = 0; r < WF_Q_ROWS; r++) {
    WF_T *x = dst + offset[r];
    for (int l = 0; l < WF_Q_LANES; l++) x[l] = ((WF_T)d[WF_Q_LANES * r + l] + from) * scale1 * scale2;
  }
  return before + (size_t)w * 64;
}

/* Decoded rows on their way to the field. */
typedef struct {
  const WF_T *strip;
  WF_T *to;
  int64_t rows[WF_Q_ROWS], apart;
  size_t bytes;
  int next;
} WF_FN(wf_strip);

WF_INLINE void WF_FN(wf_strip_write)(WF_FN(wf_strip) * s, int count, const wf_tile_coder *bypass) {
  for (; count > 0 && s->next < WF_Q_ROWS; count--, s->next++)
    if (s->rows[s->next] >= 0)
      wf_row_store((uint8_t *)(s->to + s->rows[s->next]), (const uint8_t *)(s->strip + s->next * s->apart), s->bytes,
                   bypass);
}

/* Whether the next rows are cache lines as `wf_lines` has them. */
WF_INLINE int WF_FN(wf_strip_lines)(const WF_FN(wf_strip) * s, wf_lines *lines) {
  if (s->bytes != WF_Q_LINES * 64 || s->next + WF_Q_ROWS / WF_Q_LINES > WF_Q_ROWS) return 0;
  for (int i = 0; i < WF_Q_ROWS / WF_Q_LINES; i++) {
    if (s->rows[s->next + i] < 0) return 0;
    lines->to[i] = (uint8_t *)(s->to + s->rows[s->next + i]);
    if ((uintptr_t)lines->to[i] % 64) return 0;
  }
  lines->from = (const uint8_t *)(s->strip + s->next * s->apart);
  return 1;
}

/* Decodes the blocks of a box, row after row of them. Returns the bytes read, 0 when they make no tiles. */
WF_INLINE size_t WF_FN(wf_quantize_decode)(const uint8_t *in, size_t len, const wf_box *box, const int32_t *block,
                                           WF_T scale1, WF_T scale2, int past, WF_T *dst) {
  enum { HELD = WF_Q_STRIP / WF_Q_ROWS / sizeof(WF_T), APART = WF_Q_APART / sizeof(WF_T) };
  /* One is written, a few rows after each tile, while the other one is filled: memory works all the time. */
  WF_T strips[2][WF_Q_ROWS * APART] __attribute__((aligned(64)));
  WF_FN(wf_strip) done;
  const wf_tile_coder *coder = wf_tile_coder_here(), *bypass = past ? coder : NULL;
  const int wide = block[2] == WF_Q_LANES;
  int64_t rows[WF_Q_ROWS], held_rows[WF_Q_ROWS];
  size_t used = 0;
  int turn = 0;
  done.strip = strips[0];
  done.to = dst;
  done.apart = 0;
  done.bytes = 0;
  done.next = WF_Q_ROWS;
  for (int r = 0; r < WF_Q_ROWS; r++) held_rows[r] = r * (wide ? APART : WF_Q_LANES);
  for (int64_t j = 0; j < box->extent[1]; j += block[1]) {
    WF_T *to = dst + j * box->stride[1];
    wf_box row = *box;
    row.extent[1] = row.extent[1] - j < block[1] ? row.extent[1] - j : block[1];
    if (wide) wf_tile_rows(&row, block, rows);
    int64_t k = 0, held;
    /* Whole tiles go where they belong at once. */
    if (wide && !bypass && row.extent[0] == block[0] && row.extent[1] == block[1])
      for (; k + WF_Q_LANES <= box->extent[2]; k += WF_Q_LANES) {
        const wf_lines *none = NULL;
        const size_t n = WF_FN(wf_tile_decode)(coder, in + used, len - used, scale1, scale2, to + k, rows, &none);
        if (n == 0) return 0;
        used += n;
      }
    for (; k < box->extent[2]; k += held, turn = !turn) {
      const int64_t left = box->extent[2] - k, most = wide ? HELD : block[2];
      WF_T *strip = strips[turn];
      held = left < most ? left : most;
      const int tiles = (int)((held + block[2] - 1) / block[2]);
      for (int64_t at = 0; at < held; at += block[2]) {
        wf_lines lines;
        const int some = bypass && WF_FN(wf_strip_lines)(&done, &lines);
        const wf_lines *left_over = some ? &lines : NULL;
        const size_t n = WF_FN(wf_tile_decode)(coder, in + used, len - used, scale1, scale2, strip + at, held_rows, &left_over);
        if (n == 0) return 0;
        used += n;
        if (some && !left_over)
          done.next += WF_Q_ROWS / WF_Q_LINES;
        else
          WF_FN(wf_strip_write)(&done, (WF_Q_ROWS + tiles - 1) / tiles, bypass);
      }
      WF_FN(wf_strip_write)(&done, WF_Q_ROWS, bypass);
      if (!wide) {
        WF_FN(wf_tile_store)(strip, &row, held, block, to + k);
        continue;
      }
      done.strip = strip;
      done.to = to + k;
      done.apart = APART;
      done.bytes = (size_t)held * sizeof(WF_T);
      done.next = 0;
      memcpy(done.rows, rows, sizeof rows);
    }
  }
  WF_FN(wf_strip_write)(&done, WF_Q_ROWS, bypass);
  return used;
}

#undef WF_TILE_ROW
