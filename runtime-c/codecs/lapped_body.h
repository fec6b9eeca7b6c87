/* Body of lapped.h for one element type: WF_T, WF_FN. */

/* u and v of the cosine transforms II and III: sums and differences of points that mirror each other. */
#define WF_L_SPLIT(i) u[i] = x[i] + x[n - 1 - (i)], v[i] = x[i] - x[n - 1 - (i)];
#define WF_L_EVEN_ODD(i) x[2 * (i)] = u[i], x[2 * (i) + 1] = v[i];
#define WF_L_PICK(i) u[i] = x[2 * (i)], v[i] = x[2 * (i) + 1];
#define WF_L_MERGE(i) x[i] = u[i] + v[i], x[n - 1 - (i)] = u[i] - v[i];
/* Cosine transform IV: rotations, two transforms II, sums and differences. */
#define WF_L_COS(i) (WF_T) wf_l_cos[m - 1 + (i)]
#define WF_L_SIN(i) (WF_T) wf_l_sin[m - 1 + (i)]
#define WF_L_TURN(i)                                                \
  a[i] = WF_L_COS(i) * x[i] + WF_L_SIN(i) * x[n - 1 - (i)];         \
  b[i] = (i) % 2 ? WF_L_COS(i) * x[n - 1 - (i)] - WF_L_SIN(i) * x[i] \
                 : WF_L_SIN(i) * x[i] - WF_L_COS(i) * x[n - 1 - (i)];
#define WF_L_JOIN(k) \
  if ((k) > 0) x[2 * (k)] = a[k] - b[(m - (k)) % m], x[(2 * (k) + n - 1) % n] = a[k] + b[(m - (k)) % m];

#define WF_L_DCT4(N, M, EACH, DCT2)                        \
  WF_INLINE void WF_FN(wf_dct4_##N)(WF_T * x) {            \
    enum { n = N, m = M };                                 \
    WF_T a[m], b[m];                                       \
    EACH(WF_L_TURN)                                        \
    DCT2(a);                                               \
    DCT2(b);                                               \
    x[0] = (WF_T)WF_L_ROOT2 * a[0], x[n - 1] = (WF_T)WF_L_ROOT2 * b[0]; \
    EACH(WF_L_JOIN)                                        \
  }

#define WF_L_DCT2(N, M, EACH, DCT2, DCT4)        \
  WF_INLINE void WF_FN(wf_dct2_##N)(WF_T * x) {  \
    enum { n = N, m = M };                       \
    WF_T u[m], v[m];                             \
    EACH(WF_L_SPLIT)                             \
    DCT2(u);                                     \
    DCT4(v);                                     \
    EACH(WF_L_EVEN_ODD)                          \
  }

#define WF_L_DCT3(N, M, EACH, DCT3, DCT4)        \
  WF_INLINE void WF_FN(wf_dct3_##N)(WF_T * x) {  \
    enum { n = N, m = M };                       \
    WF_T u[m], v[m];                             \
    EACH(WF_L_PICK)                              \
    DCT3(u);                                     \
    DCT4(v);                                     \
    EACH(WF_L_MERGE)                             \
  }

WF_INLINE void WF_FN(wf_dct2_1)(WF_T *x) { (void)x; }

WF_INLINE void WF_FN(wf_dct2_2)(WF_T *x) {
  const WF_T a = x[0], b = x[1];
  x[0] = a + b, x[1] = a - b;
}

WF_L_DCT4(2, 1, WF_L_ONCE, WF_FN(wf_dct2_1))
WF_L_DCT2(4, 2, WF_X2, WF_FN(wf_dct2_2), WF_FN(wf_dct4_2))
WF_L_DCT4(4, 2, WF_X2, WF_FN(wf_dct2_2))
WF_L_DCT2(8, 4, WF_X4, WF_FN(wf_dct2_4), WF_FN(wf_dct4_4))
WF_L_DCT4(8, 4, WF_X4, WF_FN(wf_dct2_4))
WF_L_DCT2(16, 8, WF_X8, WF_FN(wf_dct2_8), WF_FN(wf_dct4_8))
WF_L_DCT4(16, 8, WF_X8, WF_FN(wf_dct2_8))
WF_L_DCT2(32, 16, WF_X16, WF_FN(wf_dct2_16), WF_FN(wf_dct4_16))
WF_L_DCT4(32, 16, WF_X16, WF_FN(wf_dct2_16))
WF_L_DCT3(4, 2, WF_X2, WF_FN(wf_dct2_2), WF_FN(wf_dct4_2))
WF_L_DCT3(8, 4, WF_X4, WF_FN(wf_dct3_4), WF_FN(wf_dct4_4))
WF_L_DCT3(16, 8, WF_X8, WF_FN(wf_dct3_8), WF_FN(wf_dct4_8))
WF_L_DCT3(32, 16, WF_X16, WF_FN(wf_dct3_16), WF_FN(wf_dct4_16))

#define WF_L_LOAD(k) x[k] = in[(k) * from + l];
#define WF_L_STORE(k) out[(k) * to + l] = x[k];
#define WF_L_LINES(NAME, EACH, DCT)                                                                             \
  WF_INLINE void WF_FN(NAME)(const WF_T *in, int64_t from, WF_T *out, int64_t to, int64_t lanes) {              \
    _Pragma("GCC ivdep") for (int64_t l = 0; l < lanes; l++) {                                                  \
      WF_T x[32];                                                                                               \
      EACH(WF_L_LOAD)                                                                                                \
      DCT(x);                                                                                                   \
      EACH(WF_L_STORE)                                                                                               \
    }                                                                                                           \
  }

WF_L_LINES(wf_lines4_32, WF_X32, WF_FN(wf_dct4_32))
WF_L_LINES(wf_lines2_32, WF_X32, WF_FN(wf_dct2_32))
WF_L_LINES(wf_lines3_32, WF_X32, WF_FN(wf_dct3_32))
WF_L_LINES(wf_lines4_16, WF_X16, WF_FN(wf_dct4_16))
WF_L_LINES(wf_lines2_16, WF_X16, WF_FN(wf_dct2_16))
WF_L_LINES(wf_lines3_16, WF_X16, WF_FN(wf_dct3_16))

/* Transforms `lanes` lines of n points side by side. The points of a line are `from` apart in `in`, its frequencies `to`
 * in `out`, which may be `in`. `where`, if not WF_L_ANY, names strides, and mostly lanes, that are constant. */
WF_CLONES void WF_FN(wavefold_lapped_lines)(int kind, int64_t n, int where, const WF_T *in, int64_t from, WF_T *out,
                                            int64_t to, int64_t lanes) {
  if (n == 16) {
    if (kind == WF_L_IV)
      WF_FN(wf_lines4_16)(in, from, out, to, lanes);
    else if (kind == WF_L_II)
      WF_FN(wf_lines2_16)(in, from, out, to, lanes);
    else
      WF_FN(wf_lines3_16)(in, from, out, to, lanes);
  } else if (kind == WF_L_II) {
    WF_FN(wf_lines2_32)(in, from, out, to, lanes);
  } else if (kind == WF_L_III) {
    WF_FN(wf_lines3_32)(in, from, out, to, lanes);
  } else if (where == WF_L_FOLD_TO_TILE) {
    WF_FN(wf_lines4_32)(in, WF_L_ROW, out, 32, 32);
  } else if (where == WF_L_TILE_TO_FOLD) {
    WF_FN(wf_lines4_32)(in, 32, out, WF_L_ROW, 32);
  } else if (where == WF_L_PLANES) {
    WF_FN(wf_lines4_32)(in, WF_L_PLANE, out, WF_L_PLANE, lanes);
  } else if (where == WF_L_TO_QUAD) {
    WF_FN(wf_lines4_32)(in, 16, out, 32, 16);
  } else if (where == WF_L_FROM_QUAD) {
    WF_FN(wf_lines4_32)(in, 32, out, 16, 16);
  } else {
    WF_FN(wf_lines4_32)(in, from, out, to, lanes);
  }
}

/* Transposes `rows` rows of n points, both powers of two; the result is in `one` or in `other`, whichever is returned.
 * Interleaving the halves of an array rotates the bits of its indices; compilers know it as a shuffle. */
WF_INLINE const WF_T *WF_FN(wf_lapped_turn)(const WF_T *in, WF_T *one, WF_T *other, int64_t rows, int64_t n) {
  const int64_t half = rows * n / 2;
  for (; rows > 1; rows /= 2) {
    const WF_T *restrict low = in, *restrict high = in + half;
    WF_T *restrict to = in == one ? other : one;
    for (int64_t i = 0; i < half; i++) to[2 * i] = low[i], to[2 * i + 1] = high[i];
    in = to;
  }
  return in;
}

/* One row of the folded field: r (rx a + fx b) + f (rx c + fx d), from rows at its own place and beyond the border. */
WF_INLINE void WF_FN(wf_lapped_fold_row)(const WF_T *a, const WF_T *b, const WF_T *c, const WF_T *d, WF_T rx, WF_T fx,
                                         WF_T r, WF_T f, int64_t length, WF_T *restrict out) {
  for (int64_t z = 0; z < length; z++) out[z] = r * (rx * a[z] + fx * b[z]) + f * (rx * c[z] + fx * d[z]);
}

/* That, and the row beyond the border. */
WF_INLINE void WF_FN(wf_lapped_fold_two)(const WF_T *a, const WF_T *b, const WF_T *c, const WF_T *d, WF_T rx, WF_T fx,
                                         WF_T r, WF_T f, int64_t length, WF_T *restrict out,
                                         WF_T *restrict beyond) {
  for (int64_t z = 0; z < length; z++) {
    const WF_T here = rx * a[z] + fx * b[z], there = rx * c[z] + fx * d[z];
    out[z] = r * here + f * there;
    beyond[z] = r * there + -f * here;
  }
}

/* Draws values nearer to 0 by 2^-40, which no frequency notices: what is made of numbers that are far smaller is denormal,
 * and slow. */
WF_INLINE void WF_FN(wf_lapped_silence)(WF_T *restrict line, int64_t length) {
  const WF_T tiny = (WF_T)WF_L_TINY;
  for (int64_t z = 0; z < length; z++) {
    const WF_T v = line[z], below = v < tiny ? v : tiny;
    line[z] = v - (below > -tiny ? below : -tiny);
  }
}

/* Folds a row along the last axis. */
WF_INLINE void WF_FN(wf_lapped_fold_last)(WF_T *line, const wf_lapped *l, const wf_lapped_plan *p, const WF_T *own,
                                          const WF_T *partner, WF_T *restrict out) {
  const int64_t n = l->size[2], covered = p->blocks * n, most = p->tiles * (l->size[1] > 1 ? n : 16 * n);
  WF_FN(wf_lapped_silence)(line, l->length);
  /* The last block goes on with the mirror image of the row. */
  for (int64_t z = l->length, period = 2 * l->length; z < covered; z++)
    line[z] = line[z % period < l->length ? z % period : period - 1 - z % period];
  memcpy(out, line, (size_t)(n / 2) * sizeof(WF_T));
  for (int64_t z = n; z < covered; z += n) {
    const WF_T *from = line + z - n / 2, *mirror = line + z + n / 2 - 1;
    WF_T *to = out + z - n / 2;
    for (int64_t t = 0; t < n; t++) to[t] = own[t] * from[t] + partner[t] * mirror[-t];
  }
  memcpy(out + covered - n / 2, line + covered - n / 2, (size_t)(n / 2) * sizeof(WF_T));
  for (int64_t z = covered; z < most; z++) out[z] = 0;
}

/* Asks for the rows that row j of plane i of the fold is made of. */
WF_INLINE void WF_FN(wf_lapped_expect)(const WF_T *src, int64_t length, const wf_tap *x, const wf_tap *y) {
  const WF_T *rows[4] = {src + x->own + y->own, src + x->partner + y->own, src + x->own + y->partner,
                         src + x->partner + y->partner};
  for (int r = 0; r < 4; r++) {
    if ((r % 2 && x->f == 0) || (r / 2 && y->f == 0)) continue;
    for (int64_t z = 0; z < length; z += 64 / (int64_t)sizeof(WF_T)) __builtin_prefetch(rows[r] + z);
  }
}

/* Folds the rows of plane i of the row of blocks, and divides by the step. */
WF_INLINE void WF_FN(wf_lapped_fold)(const WF_T *src, const wf_lapped *l, const wf_lapped_plan *p, const wf_tap *x,
                                     const wf_tap *y, const WF_T *own, const WF_T *partner, WF_T scale, int64_t i,
                                     uint8_t *scratch) {
  const int64_t n1 = l->size[1], half = n1 / 2, first = l->before ? half : 0;
  const int64_t most = p->tiles * (n1 > 1 ? l->size[2] : 16 * l->size[2]);
  WF_T *line = (WF_T *)(scratch + p->lines), *beyond = line + p->row;
  WF_T *folded = (WF_T *)(scratch + p->folded), *carry = (WF_T *)(scratch + p->carry) + i * half * p->row;
  for (int64_t j = 0; j < first; j++) memcpy(folded + j * p->row, carry + j * p->row, (size_t)most * sizeof(WF_T));
  for (int64_t j = first; j < n1; j++) {
    /* A few rows ahead, in the next plane if need be: mirrored rows are nothing that processors foresee. */
    const int64_t ahead = j + WF_L_AHEAD, next = ahead < n1 ? i : i + 1;
    if (next < l->size[0]) WF_FN(wf_lapped_expect)(src, l->length, x + next, y + (ahead < n1 ? ahead : ahead - n1 + first));
    const WF_T *a = src + x[i].own + y[j].own, *b = src + x[i].partner + y[j].own;
    const WF_T *c = src + x[i].own + y[j].partner, *d = src + x[i].partner + y[j].partner;
    const WF_T rx = (WF_T)x[i].r, fx = (WF_T)x[i].f, ry = (WF_T)y[j].r * scale, fy = (WF_T)y[j].f * scale;
    if (l->after && j >= half) {
      WF_FN(wf_lapped_fold_two)(a, b, c, d, rx, fx, ry, fy, l->length, line, beyond);
      WF_FN(wf_lapped_fold_last)(beyond, l, p, own, partner, carry + (n1 - 1 - j) * p->row);
    } else {
      WF_FN(wf_lapped_fold_row)(a, b, c, d, rx, fx, ry, fy, l->length, line);
    }
    WF_FN(wf_lapped_fold_last)(line, l, p, own, partner, folded + j * p->row);
  }
}

/* Rounds the 16 groups of a unit, v[point][lane], to q[point][lane]. Gives the bitwise or of each group, and where its
 * points are not zero and negative; returns the or of all. */
#define WF_L_QUANTISE(j)                                                      \
  {                                                                           \
    const WF_T c = v[16 * (j) + l], size = (c < 0 ? -c : c) + (WF_T)WF_L_ROUND; \
    const uint32_t k = (uint32_t)(int32_t)(size < most ? size : most);        \
    q[16 * (j) + l] = k;                                                      \
    some |= k;                                                                \
    below |= (uint32_t)(c < 0) << (j);                                        \
    nonzero |= (uint32_t)(k != 0) << (j);                                     \
  }

WF_INLINE uint32_t WF_FN(wf_lapped_quantise)(const WF_T *restrict v, uint32_t *restrict q, uint32_t *restrict any,
                                             uint32_t *restrict live, uint32_t *restrict negative) {
  const WF_T most = (WF_T)(1 << WF_L_MAX_BITS);
  uint32_t all = 0;
  for (int l = 0; l < 16; l++) {
    uint32_t some = 0, below = 0, nonzero = 0;
    WF_X16(WF_L_QUANTISE)
    any[l] = some;
    live[l] = nonzero;
    negative[l] = below;
  }
  for (int l = 0; l < 16; l++) all |= any[l];
  return all;
}

/* Sum of the squares of the errors of a unit, v[point][lane], rounded to q[point][lane]. */
WF_INLINE WF_T WF_FN(wf_lapped_lost)(const WF_T *restrict v, const uint32_t *restrict q) {
  WF_T part[16] = {0};
  for (int j = 0; j < 16; j++)
    for (int l = 0; l < 16; l++) {
      const int32_t k = (int32_t)q[16 * j + l];
      const WF_T c = v[16 * j + l], size = c < 0 ? -c : c;
      const WF_T some = k == 0 ? 0 : (WF_T)k + (k == 1 ? (WF_T)WF_L_OFFSET_ONE : (WF_T)WF_L_OFFSET_MORE);
      part[l] += (size - some) * (size - some);
    }
  for (int half = 8; half; half /= 2)
    for (int l = 0; l < half; l++) part[l] += part[l + half];
  return part[0];
}

/* Copies runs of lanes between a quad and v[point][lane]. */
#define WF_L_RUNS(RUN, TO, FROM)                                                         \
  for (int j = 0; j < 16; j++) {                                                         \
    WF_T *at = quad + p->point[j] + u / p->side * p->step + u % p->side * 16;             \
    for (int r = 0; r < WF_L_GROUP / RUN; r++, at += p->below) {                         \
      WF_T *unit = v + 16 * j + r * RUN;                                                 \
      memcpy(TO, FROM, RUN * sizeof(WF_T));                                              \
    }                                                                                    \
  }

WF_INLINE void WF_FN(wf_lapped_take)(WF_T *quad, const wf_lapped_plan *p, int64_t u, WF_T *v) {
  if (p->run == 16)
    WF_L_RUNS(16, unit, at)
  else if (p->run == 8)
    WF_L_RUNS(8, unit, at)
  else
    WF_L_RUNS(4, unit, at)
}

WF_INLINE void WF_FN(wf_lapped_give)(WF_T *quad, const wf_lapped_plan *p, int64_t u, WF_T *v) {
  if (p->run == 16)
    WF_L_RUNS(16, at, unit)
  else if (p->run == 8)
    WF_L_RUNS(8, at, unit)
  else
    WF_L_RUNS(4, at, unit)
}

/* Codes the units of one quad, but for those of silent parts (bits of `sound` that are 0); 0 when a coefficient does not
 * fit. Adds to `lost`, if it is not null, the squares of the errors. */
WF_INLINE int WF_FN(wf_lapped_code)(WF_T *quad, const wf_lapped_plan *p, uint32_t sound, uint16_t *masks,
                                    wf_lapped_sections *s, double *lost) {
  for (int64_t u = 0; u < p->per_quad; u++) {
    WF_T v[256];
    uint32_t q[256], any[16], live[16], negative[16], signs[16], plane[16 * WF_L_MAX_BITS];
    masks[u] = 0;
    if (!(sound >> (u % p->side) & 1)) continue;
    WF_FN(wf_lapped_take)(quad, p, u, v);
    const uint32_t all = WF_FN(wf_lapped_quantise)(v, q, any, live, negative);
    const int top = wf_bits(all);
    if (lost) *lost += (double)WF_FN(wf_lapped_lost)(v, q);
    if (top == 0) continue;
    if (top > WF_L_MAX_BITS) return 0;
    wf_lapped_planes(q, top, plane);
    wf_lapped_pack_signs(live, negative, signs);
    uint32_t mask = 0;
    for (int l = 0; l < 16; l++) mask |= (uint32_t)(any[l] != 0) << l;
    masks[u] = (uint16_t)mask;
    for (; mask; mask &= mask - 1) {
      const int l = __builtin_ctz(mask);
      wf_lapped_put(s, plane + l, wf_bits(any[l]), signs[l], __builtin_popcount(live[l]));
    }
  }
  return 1;
}

/* Sum of squares, in 32 partial sums. */
WF_INLINE WF_T WF_FN(wf_lapped_energy)(const WF_T *v, int64_t n) {
  WF_T part[32] = {0};
  for (int64_t i = 0; i < n; i += 32)
    for (int l = 0; l < 32; l++) part[l] += v[i + l] * v[i + l];
  for (int half = 16; half; half /= 2)
    for (int l = 0; l < half; l++) part[l] += part[l + half];
  return part[0];
}

/* How many rows of a tile, in full parts, are not silent after their transform: all after them become 0. Adds the squares
 * that are lost with these to `lost`. */
WF_INLINE int64_t WF_FN(wf_lapped_audible)(const WF_T *work, const wf_lapped_plan *p, double *lost) {
  const int64_t nx = p->tile[0], ny = p->tile[1], nz = p->tile[2];
  const WF_T silent = (WF_T)WF_L_SILENT / (WF_T)(nx * nz);
  double after = 0;
  for (int64_t rows = ny; rows > 0; rows--) {
    WF_T sum = 0;
    for (int64_t x = 0; x < nx && sum < silent; x++)
      sum += WF_FN(wf_lapped_energy)(work + x * p->plane + (rows - 1) * nz, nz);
    if (!(sum < silent)) return (rows + p->part - 1) / p->part * p->part;
    after += (double)sum * (double)(nx * nz);
    if ((rows - 1) % p->part == 0) *lost += after, after = 0;
  }
  return 0;
}

/* Transforms along the last axis one part of a plane of a tile, [y][z], into a quad, [z][y]. `end`: the row of the block
 * whose end has no fold; all rows where it is -1, none where it is -2. */
WF_INLINE void WF_FN(wf_lapped_forward_last)(const WF_T *part, const wf_lapped_plan *p, int64_t end, uint8_t *scratch,
                                             WF_T *quad) {
  const int64_t ny = p->tile[1], nz = p->tile[2], rows = p->part;
  const WF_T *turned =
      WF_FN(wf_lapped_turn)(part, (WF_T *)(scratch + p->turned), (WF_T *)(scratch + p->other), rows, nz);
  WF_FN(wavefold_lapped_lines)
  (end == -1 ? WF_L_II : WF_L_IV, nz, p->cube ? WF_L_TO_QUAD : WF_L_ANY, turned, rows, quad, ny, rows);
  if (end >= 0) WF_FN(wavefold_lapped_lines)(WF_L_II, nz, WF_L_ANY, turned + end, rows, quad + end, ny, 1);
}

/* The way back. */
WF_INLINE void WF_FN(wf_lapped_inverse_last)(const WF_T *quad, const wf_lapped_plan *p, int64_t end, uint8_t *scratch,
                                             WF_T *part) {
  const int64_t ny = p->tile[1], nz = p->tile[2], rows = p->part;
  WF_T *other = (WF_T *)(scratch + p->other);
  WF_FN(wavefold_lapped_lines)
  (end == -1 ? WF_L_III : WF_L_IV, nz, p->cube ? WF_L_FROM_QUAD : WF_L_ANY, quad, ny, other, rows, rows);
  if (end >= 0) WF_FN(wavefold_lapped_lines)(WF_L_III, nz, WF_L_ANY, quad + end, ny, other + end, rows, 1);
  const WF_T *turned = WF_FN(wf_lapped_turn)(other, part, other, nz, rows);
  if (turned != part) memcpy(part, turned, (size_t)(rows * nz) * sizeof(WF_T));
}

/* Row y of a tile is kept at (y % gy) run + y / gy, so that the points of a group are in the same lane. */
WF_INLINE int64_t WF_FN(wf_lapped_place)(const wf_lapped_plan *p, int64_t y) { return y % p->gy * p->run + y / p->gy; }

/* The row of a tile that holds the last block, as the functions above want it. */
WF_INLINE int64_t WF_FN(wf_lapped_end)(const wf_lapped *l, const wf_lapped_plan *p, int64_t tile) {
  if (tile + 1 < p->tiles) return -2;
  if (l->size[1] > 1) return -1;
  return WF_FN(wf_lapped_place)(p, (p->blocks - 1) % 16);
}

/* Transforms along the middle axis one plane of the folded field into one of a tile, its rows in their places. */
WF_INLINE void WF_FN(wf_lapped_forward_middle)(const WF_T *folded, const wf_lapped *l, const wf_lapped_plan *p,
                                               WF_T *plane, WF_T *other) {
  const int64_t ny = p->tile[1], nz = p->tile[2], row = l->size[1] > 1 ? p->row : nz;
  const int kind = l->last[1] ? WF_L_II : WF_L_IV;
  if (p->cube && kind == WF_L_IV) {
    WF_FN(wavefold_lapped_lines)(kind, ny, WF_L_FOLD_TO_TILE, folded, row, plane, nz, nz);
    return;
  }
  if (l->size[1] > 1) WF_FN(wavefold_lapped_lines)(kind, ny, WF_L_ANY, folded, row, other, nz, nz);
  const WF_T *rows = l->size[1] > 1 ? other : folded;
  for (int64_t y = 0; y < ny; y++)
    memcpy(plane + WF_FN(wf_lapped_place)(p, y) * nz, rows + y * nz, (size_t)nz * sizeof(WF_T));
}

/* The way back. */
WF_INLINE void WF_FN(wf_lapped_inverse_middle)(const WF_T *plane, const wf_lapped *l, const wf_lapped_plan *p,
                                               WF_T *folded, WF_T *other) {
  const int64_t ny = p->tile[1], nz = p->tile[2], row = l->size[1] > 1 ? p->row : nz;
  const int kind = l->last[1] ? WF_L_III : WF_L_IV;
  if (p->cube && kind == WF_L_IV) {
    WF_FN(wavefold_lapped_lines)(kind, ny, WF_L_TILE_TO_FOLD, plane, nz, folded, row, nz);
    return;
  }
  WF_T *rows = l->size[1] > 1 ? other : folded;
  for (int64_t y = 0; y < ny; y++)
    memcpy(rows + y * nz, plane + WF_FN(wf_lapped_place)(p, y) * nz, (size_t)nz * sizeof(WF_T));
  if (l->size[1] > 1) WF_FN(wavefold_lapped_lines)(kind, ny, WF_L_ANY, other, nz, folded, row, nz);
}

/* Whether a plane of a tile of the folded field has a point that is not 0. */
WF_INLINE int WF_FN(wf_lapped_is_loud)(const WF_T *folded, int64_t rows, int64_t row, int64_t nz) {
  int any = 0;
  for (int64_t y = 0; y < rows && !any; y++)
    for (int64_t z = 0; z < nz; z++) any |= folded[y * row + z] != 0;
  return any;
}

/* Folds the planes of a row of blocks, and transforms them along the middle axis into its tiles from `first` to before
 * `end`. Where a plane of a tile is all 0, its bit is missing in loud[tile], and it is not written. */
WF_INLINE void WF_FN(wf_lapped_planes_in)(const WF_T *src, const wf_lapped *l, const wf_lapped_plan *p, const wf_tap *x,
                                          const wf_tap *y, const WF_T *own, const WF_T *partner, WF_T scale,
                                          int64_t first, int64_t end, uint8_t *scratch) {
  const int64_t ny = p->tile[1], nz = p->tile[2], across = l->size[1] > 1;
  const WF_T *folded = (const WF_T *)(scratch + p->folded);
  WF_T *work = (WF_T *)(scratch + p->work), *other = (WF_T *)(scratch + p->other);
  uint32_t *loud = (uint32_t *)(scratch + p->loud);
  memset(loud, 0, (size_t)p->tiles * sizeof *loud);
  for (int64_t i = 0; i < p->tile[0]; i++) {
    WF_FN(wf_lapped_fold)(src, l, p, x, y, own, partner, scale, i, scratch);
    for (int64_t tile = first; tile < end; tile++) {
      const WF_T *from = folded + tile * (across ? nz : ny * nz);
      if (!WF_FN(wf_lapped_is_loud)(from, ny, across ? p->row : nz, nz)) continue;
      loud[tile] |= UINT32_C(1) << i;
      WF_FN(wf_lapped_forward_middle)(from, l, p, work + tile * p->points + i * p->plane, other);
    }
  }
}

/* Transforms a tile along the first axis; returns the rows that may be audible, and adds the squares of the others to
 * `lost`; all rows if it is null. */
WF_INLINE int64_t WF_FN(wf_lapped_forward)(const wf_lapped *l, const wf_lapped_plan *p, uint32_t loud, double *lost,
                                           WF_T *work) {
  const int64_t nx = p->tile[0], ny = p->tile[1], nz = p->tile[2];
  for (int64_t x = 0; x < nx; x++)
    if (!(loud >> x & 1)) memset(work + x * p->plane, 0, (size_t)(ny * nz) * sizeof(WF_T));
  if (nx == 1) return ny;
  const int64_t rows = lost ? WF_FN(wf_lapped_audible)(work, p, lost) : ny;
  WF_FN(wavefold_lapped_lines)
  (l->last[0] ? WF_L_II : WF_L_IV, nx, p->cube ? WF_L_PLANES : WF_L_ANY, work, p->plane, work, p->plane, rows * nz);
  return rows;
}

/* The coefficients of a tile as they are: what `forward` has left out of its first axis, then the last axis. */
WF_INLINE size_t WF_FN(wf_lapped_plain)(const wf_lapped *l, const wf_lapped_plan *p, int64_t end, int64_t rows,
                                        WF_T *work, uint8_t *scratch, uint8_t *out) {
  const int64_t nx = p->tile[0], ny = p->tile[1], nz = p->tile[2];
  const size_t plane = (size_t)(ny * nz) * sizeof(WF_T);
  WF_T *quad = (WF_T *)(scratch + p->quad);
  if (rows < ny)
    WF_FN(wavefold_lapped_lines)
    (l->last[0] ? WF_L_II : WF_L_IV, nx, WF_L_ANY, work + rows * nz, p->plane, work + rows * nz, p->plane, (ny - rows) * nz);
  for (int64_t x = 0; x < nx; x++) {
    for (int64_t h = 0; h < p->parts; h++)
      WF_FN(wf_lapped_forward_last)(work + x * p->plane + h * p->part * nz, p, end, scratch, quad + h * p->part);
    memcpy(out + (size_t)x * plane, quad, plane);
  }
  return (size_t)nx * plane;
}

/* Codes one tile of transformed planes; `out` holds 1 + the bytes of its coefficients. Adds to `errors`, if it is not
 * null, the squares of the errors of its coefficients. */
WF_INLINE size_t WF_FN(wf_lapped_encode_tile)(const wf_lapped *l, const wf_lapped_plan *p, int64_t tile,
                                              uint8_t *scratch, uint8_t *out, double *errors) {
  const int64_t nx = p->tile[0], ny = p->tile[1], nz = p->tile[2], end = WF_FN(wf_lapped_end)(l, p, tile);
  const uint32_t loud = ((const uint32_t *)(scratch + p->loud))[tile];
  WF_T *work = (WF_T *)(scratch + p->work) + tile * p->points, *quad = (WF_T *)(scratch + p->quad);
  uint16_t *masks = (uint16_t *)(scratch + p->masks);
  int fits = 1;
  double lost = 0;
  out[0] = WF_L_ZERO;
  if (!loud) return 1;
  const int64_t rows = WF_FN(wf_lapped_forward)(l, p, loud, &lost, work);
  const WF_T silent = (WF_T)WF_L_SILENT / (WF_T)nz;
  wf_lapped_sections s = {scratch + p->widths, scratch + p->longs, scratch + p->planes, scratch + p->signs, 0, 0, 0};
  for (int64_t x = 0; x < nx && fits; x += p->gx) {
    uint32_t sound = 0;
    for (int64_t h = 0; h * p->part < rows; h++) {
      const WF_T *part = work + x * p->plane + h * p->part * nz;
      int heard = p->gx == 1;
      double energy = 0;
      for (int64_t i = 0; i < p->gx && !heard; i++) {
        const WF_T sum = WF_FN(wf_lapped_energy)(part + i * p->plane, p->part * nz);
        heard = !(sum < silent);
        energy += (double)sum * (double)nz;
      }
      if (!heard) lost += energy;
      sound |= (uint32_t)heard << h;
      for (int64_t i = 0; i < p->gx && heard; i++)
        WF_FN(wf_lapped_forward_last)(part + i * p->plane, p, end, scratch, quad + i * ny * nz + h * p->part);
    }
    fits = WF_FN(wf_lapped_code)(quad, p, sound, masks + x / p->gx * p->per_quad, &s, errors ? &lost : NULL);
  }
  if (fits && s.width_count == 0) {
    if (errors) *errors += lost;
    return 1;
  }
  const size_t plain = (size_t)(nx * ny * nz) * sizeof(WF_T);
  const size_t used = fits ? wf_lapped_join(p, scratch, &s, out + 1, plain) : 0;
  out[0] = used ? WF_L_CODED : WF_L_PLAIN;
  if (errors && used) *errors += lost;
  return 1 + (used ? used : WF_FN(wf_lapped_plain)(l, p, end, rows, work, scratch, out + 1));
}

/* Codes the tiles of a row of blocks from `first` to before `end`. `own` and `partner` are the weights of the fold along the last axis, scale = 1 / (D sqrt(points
 * of a block)). `out` holds, for each tile, 1 byte and its coefficients. `errors`, if it is not null, is increased by the
 * squares of the errors of the coefficients, in units of D. */
WF_INLINE size_t WF_FN(wf_lapped_encode)(const WF_T *src, const wf_lapped *l, const wf_tap *x, const wf_tap *y,
                                         const WF_T *own, const WF_T *partner, WF_T scale, int64_t first, int64_t end,
                                         uint8_t *scratch, uint8_t *out, double *errors) {
  wf_lapped_plan p;
  wf_lapped_layout(l, sizeof(WF_T), &p);
  end = end < p.tiles ? end : p.tiles;
  WF_FN(wf_lapped_planes_in)(src, l, &p, x, y, own, partner, scale, first, end, scratch);
  size_t used = 0;
  for (int64_t tile = first; tile < end; tile++)
    used += WF_FN(wf_lapped_encode_tile)(l, &p, tile, scratch, out + used, errors);
  return used;
}

/* Adds to errors[k] the squares of the errors of n <= 32 * 32 frequencies at the step 2^k, in units of the step 1. */
WF_INLINE void WF_FN(wf_lapped_errors_of)(const WF_T *restrict v, int64_t n, double *errors) {
  WF_T size[32 * 32];
  for (int64_t i = 0; i < n; i++) {
    const WF_T most = (WF_T)(1 << 22), c = v[i] < 0 ? -v[i] : v[i];
    size[i] = c < most ? c : most;
  }
  for (int k = 0; k < WF_L_STEPS; k++) {
    const WF_T step = (WF_T)(1 << k), inverse = 1 / step;
    WF_T part[32] = {0}, sum = 0;
    for (int64_t i = 0; i < n; i += 32)
      for (int l = 0; l < 32; l++) {
        const WF_T c = size[i + l] * inverse;
        const int32_t q = (int32_t)(c + (WF_T)WF_L_ROUND), some = q > 0, more = q > 1;
        const WF_T e = c - (WF_T)q - (WF_T)WF_L_OFFSET_ONE * (WF_T)some -
                       (WF_T)(WF_L_OFFSET_MORE - WF_L_OFFSET_ONE) * (WF_T)more;
        part[l] += e * e;
      }
    for (int l = 0; l < 32; l++) sum += part[l];
    errors[k] += (double)sum * (double)step * (double)step;
  }
}

/* The same for the tiles of a row of blocks from `first` to before `end`, with the arguments of `encode`; steps are units
 * of 1 / (scale sqrt(points of a block)). */
WF_INLINE void WF_FN(wf_lapped_errors)(const WF_T *src, const wf_lapped *l, const wf_tap *x, const wf_tap *y,
                                       const WF_T *own, const WF_T *partner, WF_T scale, int64_t first, int64_t end,
                                       uint8_t *scratch, double *errors) {
  wf_lapped_plan p;
  wf_lapped_layout(l, sizeof(WF_T), &p);
  end = end < p.tiles ? end : p.tiles;
  WF_FN(wf_lapped_planes_in)(src, l, &p, x, y, own, partner, scale, first, end, scratch);
  const int64_t ny = p.tile[1], nz = p.tile[2];
  const uint32_t *loud = (const uint32_t *)(scratch + p.loud);
  WF_T *quad = (WF_T *)(scratch + p.quad);
  for (int64_t tile = first; tile < end; tile++) {
    WF_T *work = (WF_T *)(scratch + p.work) + tile * p.points;
    if (!loud[tile]) continue;
    WF_FN(wf_lapped_forward)(l, &p, loud[tile], NULL, work);
    for (int64_t x0 = 0; x0 < p.tile[0]; x0++) {
      for (int64_t h = 0; h < p.parts; h++)
        WF_FN(wf_lapped_forward_last)
      (work + x0 * p.plane + h * p.part * nz, &p, WF_FN(wf_lapped_end)(l, &p, tile), scratch, quad + h * p.part);
      WF_FN(wf_lapped_errors_of)(quad, ny * nz, errors);
    }
  }
}

/* Decoded coefficients of a unit from its magnitudes and signs. */
WF_INLINE void WF_FN(wf_lapped_middle)(const uint32_t *restrict q, const uint32_t *restrict negative, WF_T *restrict v) {
  for (int j = 0; j < 16; j++)
    for (int l = 0; l < 16; l++) {
      const int32_t k = (int32_t)q[16 * j + l];
      const WF_T size = (WF_T)k + (k == 1 ? (WF_T)WF_L_OFFSET_ONE : (WF_T)WF_L_OFFSET_MORE);
      const WF_T some = k == 0 ? 0 : size;
      v[16 * j + l] = negative[l] >> j & 1 ? -some : some;
    }
}

/* Reads the units of one quad; the parts that are not all 0 are added to `sound`. Returns 0 when they are damaged. */
WF_INLINE int WF_FN(wf_lapped_uncode)(wf_lapped_reader *r, const wf_lapped_plan *p, const uint16_t *masks, WF_T *quad,
                                      uint32_t *sound) {
  for (int64_t u = 0; u < p->per_quad; u++) *sound |= (uint32_t)(masks[u] != 0) << (u % p->side);
  if (!*sound) return 1;
  memset(quad, 0, (size_t)(p->gx * p->tile[1] * p->tile[2]) * sizeof(WF_T));
  for (int64_t u = 0; u < p->per_quad; u++) {
    WF_T v[256];
    uint32_t q[256], plane[16 * WF_L_MAX_BITS], live[16], signs[16], negative[16];
    if (!masks[u]) continue;
    const int top = wf_lapped_get(r, masks[u], plane, live, signs);
    if (top < 0) return 0;
    wf_lapped_unpack_signs(live, signs, negative);
    wf_lapped_unplanes(plane, top, q);
    WF_FN(wf_lapped_middle)(q, negative, v);
    WF_FN(wf_lapped_give)(quad, p, u, v);
  }
  return 1;
}

/* Decodes one tile into planes that still are to be transformed along the middle axis; returns the bytes read, 0 when
 * they make no tile. */
WF_INLINE size_t WF_FN(wf_lapped_decode_tile)(const uint8_t *in, size_t len, const wf_lapped *l, const wf_lapped_plan *p,
                                              int64_t tile, uint8_t *scratch) {
  const int64_t nx = p->tile[0], ny = p->tile[1], nz = p->tile[2], end = WF_FN(wf_lapped_end)(l, p, tile);
  WF_T *work = (WF_T *)(scratch + p->work) + tile * p->points, *quad = (WF_T *)(scratch + p->quad);
  const uint16_t *masks = (const uint16_t *)(scratch + p->masks);
  uint32_t *loud = (uint32_t *)(scratch + p->loud);
  const size_t plane = (size_t)(ny * nz) * sizeof(WF_T), plain = (size_t)nx * plane;
  wf_lapped_reader r = {0};
  size_t used = 1;
  if (len < 1 || in[0] > WF_L_PLAIN) return 0;
  loud[tile] = in[0] != WF_L_ZERO;
  if (in[0] == WF_L_ZERO) return used;
  if (in[0] == WF_L_PLAIN) {
    if (len < 1 + plain) return 0;
    used += plain;
  } else if (!wf_lapped_open(in + 1, in + len, p, scratch, &r)) {
    return 0;
  }
  uint32_t heard = 0;
  for (int64_t x = 0; x < nx; x += p->gx) {
    uint32_t sound = in[0] == WF_L_PLAIN ? ~UINT32_C(0) : 0;
    if (in[0] == WF_L_PLAIN)
      memcpy(quad, in + 1 + (size_t)x * plane, (size_t)p->gx * plane);
    else if (!WF_FN(wf_lapped_uncode)(&r, p, masks + x / p->gx * p->per_quad, quad, &sound))
      return 0;
    heard |= sound;
    for (int64_t h = 0; h < p->parts; h++)
      for (int64_t i = 0; i < p->gx; i++) {
        WF_T *part = work + (x + i) * p->plane + h * p->part * nz;
        if (sound >> h & 1)
          WF_FN(wf_lapped_inverse_last)(quad + i * ny * nz + h * p->part, p, end, scratch, part);
        else
          memset(part, 0, (size_t)(p->part * nz) * sizeof(WF_T));
      }
  }
  const int64_t lanes = (p->parts > 1 && !(heard >> 1) ? p->part : ny) * nz;
  if (in[0] == WF_L_CODED) used = (size_t)(r.signs - in) + (r.sign_at + 7) / 8;
  if (nx > 1)
    WF_FN(wavefold_lapped_lines)
    (l->last[0] ? WF_L_III : WF_L_IV, nx, p->cube ? WF_L_PLANES : WF_L_ANY, work, p->plane, work, p->plane, lanes);
  return used;
}

/* Undoes the fold along the last axis of one row; the weights have the step in them. */
WF_INLINE void WF_FN(wf_lapped_unfold_last)(const WF_T *folded, const wf_lapped *l, const wf_lapped_plan *p,
                                            const WF_T *own, const WF_T *partner, WF_T scale, WF_T *restrict line) {
  const int64_t n = l->size[2], covered = p->blocks * n;
  for (int64_t z = 0; z < n / 2; z++) line[z] = folded[z] * scale;
  for (int64_t z = n; z < covered; z += n) {
    const WF_T *from = folded + z - n / 2, *mirror = folded + z + n / 2 - 1;
    WF_T *to = line + z - n / 2;
    for (int64_t t = 0; t < n; t++) to[t] = own[t] * from[t] - partner[t] * mirror[-t];
  }
  for (int64_t z = covered - n / 2; z < covered; z++) line[z] = folded[z] * scale;
}

/* Transforms the planes of the tiles along the middle axis, and writes their rows. */
WF_INLINE void WF_FN(wf_lapped_planes_out)(const wf_lapped *l, const wf_lapped_plan *p, const WF_T *own,
                                           const WF_T *partner, WF_T scale, uint8_t *scratch, WF_T *const *rows) {
  const int64_t ny = p->tile[1], nz = p->tile[2], across = l->size[1] > 1;
  const int64_t covered = p->blocks * l->size[2];
  const uint32_t *loud = (const uint32_t *)(scratch + p->loud);
  const WF_T *work = (const WF_T *)(scratch + p->work);
  WF_T *folded = (WF_T *)(scratch + p->folded), *other = (WF_T *)(scratch + p->other);
  for (int64_t i = 0; i < p->tile[0]; i++, rows += l->size[1]) {
    for (int64_t tile = 0; tile < p->tiles; tile++) {
      WF_T *to = folded + tile * (across ? nz : ny * nz);
      for (int64_t j = tile; j < l->size[1]; j += p->tiles)
        if (rows[j])
          for (int64_t z = 0; z < l->length; z += 64 / (int64_t)sizeof(WF_T)) __builtin_prefetch(rows[j] + z, 1);
      if (loud[tile])
        WF_FN(wf_lapped_inverse_middle)(work + tile * p->points + i * p->plane, l, p, to, other);
      else
        for (int64_t y = 0; y < ny; y++) memset(to + y * (across ? p->row : nz), 0, (size_t)nz * sizeof(WF_T));
    }
    for (int64_t j = 0; j < l->size[1]; j++) {
      if (!rows[j]) continue;
      WF_T *line = covered == l->length ? rows[j] : (WF_T *)(scratch + p->lines);
      WF_FN(wf_lapped_unfold_last)(folded + j * p->row, l, p, own, partner, scale, line);
      if (line != rows[j]) memcpy(rows[j], line, (size_t)l->length * sizeof(WF_T));
    }
  }
}

/* Decodes a row of blocks of exactly `len` bytes and undoes the fold along the last axis; `own` and `partner` are its
 * weights times scale = D / sqrt(points of a block). rows[i * size[1] + j] is where row (i, j) goes, NULL: nowhere. Returns
 * 1, or 0 when the bytes make no row of blocks. */
WF_INLINE int WF_FN(wf_lapped_decode)(const uint8_t *in, size_t len, const wf_lapped *l, const WF_T *own,
                                      const WF_T *partner, WF_T scale, uint8_t *scratch, WF_T *const *rows) {
  wf_lapped_plan p;
  wf_lapped_layout(l, sizeof(WF_T), &p);
  size_t at = 0;
  for (int64_t tile = 0; tile < p.tiles; tile++) {
    const size_t used = WF_FN(wf_lapped_decode_tile)(in + at, len - at, l, &p, tile, scratch);
    if (!used) return 0;
    at += used;
  }
  if (at != len) return 0;
  WF_FN(wf_lapped_planes_out)(l, &p, own, partner, scale, scratch, rows);
  return 1;
}

/* Undoes the folds along the two slower axes for four rows that mirror each other: a at (+, +), b at (+, -), c at (-, +),
 * d at (-, -) of the border. */
WF_INLINE void WF_FN(wf_lapped_unfold)(WF_T *restrict a, WF_T *restrict b, WF_T *restrict c, WF_T *restrict d, WF_T rx,
                                       WF_T fx, WF_T ry, WF_T fy, int64_t length) {
  for (int64_t z = 0; z < length; z++) {
    const WF_T a1 = ry * a[z] - fy * b[z], b1 = ry * b[z] + fy * a[z];
    const WF_T c1 = ry * c[z] - fy * d[z], d1 = ry * d[z] + fy * c[z];
    a[z] = rx * a1 - fx * c1, b[z] = rx * b1 - fx * d1;
    c[z] = rx * c1 + fx * a1, d[z] = rx * d1 + fx * b1;
  }
}

/* The same for two rows of a border of one axis: a at +, b at -. */
WF_INLINE void WF_FN(wf_lapped_unfold_two)(WF_T *restrict a, WF_T *restrict b, WF_T r, WF_T f, int64_t length) {
  for (int64_t z = 0; z < length; z++) {
    const WF_T a1 = r * a[z] - f * b[z], b1 = r * b[z] + f * a[z];
    a[z] = a1, b[z] = b1;
  }
}

#undef WF_L_SPLIT
#undef WF_L_EVEN_ODD
#undef WF_L_PICK
#undef WF_L_MERGE
#undef WF_L_COS
#undef WF_L_SIN
#undef WF_L_TURN
#undef WF_L_JOIN
#undef WF_L_DCT2
#undef WF_L_DCT3
#undef WF_L_DCT4
#undef WF_L_LOAD
#undef WF_L_LOAD_PLACE
#undef WF_L_STORE
#undef WF_L_STORE_PLACE
#undef WF_L_LINES
#undef WF_L_QUANTISE
#undef WF_L_RUNS
