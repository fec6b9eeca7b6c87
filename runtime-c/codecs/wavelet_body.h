/* Body of wavelet.h for one element type: WF_T, WF_FN. */

/* row[i] += c (row[i-1] + row[i+1]) for every second row from `first`, mirrored at both ends. */
WF_INLINE void WF_FN(wf_lift_step)(WF_T *base, int64_t stride, int64_t rows, int64_t first, int64_t len, WF_T c) {
  for (int64_t i = first; i < rows; i += 2) {
    WF_T *x = base + i * stride;
    const WF_T *l = base + (i > 0 ? i - 1 : i + 1) * stride;
    const WF_T *r = base + (i + 1 < rows ? i + 1 : i - 1) * stride;
#pragma GCC ivdep
    for (int64_t k = 0; k < len; k++) x[k] = x[k] + c * (l[k] + r[k]);
  }
}

WF_INLINE void WF_FN(wf_lift_scale)(WF_T *base, int64_t stride, int64_t rows, int64_t len, WF_T even, WF_T odd) {
  for (int64_t i = 0; i < rows; i++) {
    WF_T *x = base + i * stride;
    const WF_T c = i % 2 ? odd : even;
    for (int64_t k = 0; k < len; k++) x[k] = x[k] * c;
  }
}

/* All levels along an axis of n rows of `len` contiguous values. */
WF_INLINE void WF_FN(wf_lift_forward)(WF_T *base, int64_t stride, int64_t n, int64_t len) {
  for (int64_t s = 1; s < n; s *= 2) {
    const int64_t rows = (n + s - 1) / s, apart = s * stride;
    WF_FN(wf_lift_step)(base, apart, rows, 1, len, (WF_T)WF_W_ALPHA);
    WF_FN(wf_lift_step)(base, apart, rows, 0, len, (WF_T)WF_W_BETA);
    WF_FN(wf_lift_step)(base, apart, rows, 1, len, (WF_T)WF_W_GAMMA);
    WF_FN(wf_lift_step)(base, apart, rows, 0, len, (WF_T)WF_W_DELTA);
    WF_FN(wf_lift_scale)(base, apart, rows, len, (WF_T)WF_W_LOW, (WF_T)WF_W_HIGH);
  }
}

WF_INLINE void WF_FN(wf_lift_inverse)(WF_T *base, int64_t stride, int64_t n, int64_t len) {
  int64_t s = 1;
  while (s < n) s *= 2;
  for (s /= 2; s >= 1; s /= 2) {
    const int64_t rows = (n + s - 1) / s, apart = s * stride;
    WF_FN(wf_lift_scale)(base, apart, rows, len, (WF_T)WF_W_HIGH, (WF_T)WF_W_LOW);
    WF_FN(wf_lift_step)(base, apart, rows, 0, len, (WF_T)-WF_W_DELTA);
    WF_FN(wf_lift_step)(base, apart, rows, 1, len, (WF_T)-WF_W_GAMMA);
    WF_FN(wf_lift_step)(base, apart, rows, 0, len, (WF_T)-WF_W_BETA);
    WF_FN(wf_lift_step)(base, apart, rows, 1, len, (WF_T)-WF_W_ALPHA);
  }
}

/* Loads one plane scaled to units of the step, transposed, lifts the last axis, turns it back, lifts the middle one. */
WF_INLINE int WF_FN(wf_wavelet_plane)(const WF_T *src, const wf_box *box, WF_T scale1, WF_T scale2, WF_T *turned,
                                       WF_T *plane) {
  const int64_t ny = box->extent[1], nz = box->extent[2];
  int any = 0;
  for (int64_t y = 0; y < ny; y++) {
    const WF_T *row = src + y * box->stride[1];
    for (int64_t z = 0; z < nz; z++) {
      const WF_T v = row[z] * scale1 * scale2;
      any |= v != 0;
      plane[y * nz + z] = v;
    }
  }
  if (!any) return any;
  for (int64_t z = 0; z < nz; z++)
    for (int64_t y = 0; y < ny; y++) turned[z * ny + y] = plane[y * nz + z];
  WF_FN(wf_lift_forward)(turned, ny, nz, ny);
  for (int64_t y = 0; y < ny; y++)
    for (int64_t z = 0; z < nz; z++) plane[y * nz + z] = turned[z * ny + y];
  WF_FN(wf_lift_forward)(plane, nz, ny, nz);
  return any;
}

/* Truncates to sign and magnitude, 2 |q| + (q < 0), and adds to `any` what is not zero. Returns 0 when a coefficient
 * does not fit. */
WF_INLINE int WF_FN(wf_wavelet_truncate)(const WF_T *c, int64_t n, uint32_t *q, uint32_t *any) {
  WF_T top[16] = {0};
  const int64_t body = n / 16 * 16;
  for (int64_t i = 0; i < body; i += 16)
    for (int l = 0; l < 16; l++) {
      const WF_T a = c[i + l] < 0 ? -c[i + l] : c[i + l];
      top[l] = a > top[l] ? a : top[l];
    }
  for (int64_t i = body; i < n; i++) {
    const WF_T a = c[i] < 0 ? -c[i] : c[i];
    top[0] = a > top[0] ? a : top[0];
  }
  for (int l = 0; l < 16; l++)
    if (top[l] >= (WF_T)(1 << WF_W_MAX_BITS)) return 0;
  uint32_t some = 0;
  for (int64_t i = 0; i < n; i++) {
    const int32_t t = (int32_t)c[i];
    const int32_t sign = t >> 31;
    q[i] = ((uint32_t)((t ^ sign) - sign) << 1) | ((uint32_t)t >> 31);
    some |= q[i];
  }
  *any |= some;
  return 1;
}

/* Codes one block; `out` holds 1 + the raw bytes of the box, `scratch` (64-byte aligned) what the plan says. */
WF_INLINE size_t WF_FN(wf_wavelet_encode)(const WF_T *src, const wf_box *box, const int32_t *group, WF_T scale1,
                                          WF_T scale2, uint8_t *scratch, uint8_t *out) {
  wf_wavelet_plan p;
  wf_wavelet_layout(box->extent, group, sizeof(WF_T), &p);
  const int64_t nx = box->extent[0], ny = box->extent[1], nz = box->extent[2];
  const size_t raw = (size_t)(nx * ny * nz) * sizeof(WF_T);
  WF_T *c = (WF_T *)(scratch + p.coefs), *turned = (WF_T *)(scratch + p.transposed);
  uint32_t *q = (uint32_t *)(scratch + p.quantised);
  const int64_t strides[3] = {p.plane, nz, 1};
  int any = 0;
  for (int64_t x = 0; x < nx; x++)
    any |= WF_FN(wf_wavelet_plane)(src + x * box->stride[0], box, scale1, scale2, turned, c + x * p.plane);
  out[0] = WF_W_ZERO;
  if (!any) return 1;
  for (int64_t y = 0; y < ny; y++) WF_FN(wf_lift_forward)(c + y * nz, p.plane, nx, nz);
  int fits = 1;
  uint32_t live = 0;
  for (int64_t x = 0; x < nx && fits; x++)
    fits = WF_FN(wf_wavelet_truncate)(c + x * p.plane, ny * nz, q + x * p.plane, &live);
  if (fits && !live) return 1;
  size_t used = 0;
  if (fits) {
    for (int a = 0; a < 3; a++)
      wf_wavelet_order(box->extent[a], p.groups[a] * group[a], strides[a], (int64_t *)(scratch + p.axis[a]));
    used = wf_wavelet_write(&p, group, scratch, out + 1, raw);
  }
  if (used) {
    out[0] = WF_W_CODED;
    return 1 + used;
  }
  out[0] = WF_W_RAW;
  for (int64_t x = 0; x < nx; x++)
    for (int64_t y = 0; y < ny; y++)
      memcpy(out + 1 + (size_t)((x * ny + y) * nz) * sizeof(WF_T), src + x * box->stride[0] + y * box->stride[1],
             (size_t)nz * sizeof(WF_T));
  return 1 + raw;
}

/* Puts the decoded coefficients of one group in their places; the others are zero already. */
WF_INLINE void WF_FN(wf_wavelet_scatter)(const uint32_t *v, const uint32_t *negative, const int64_t *x, const int64_t *y,
                                         const int64_t *z, const int32_t *group, WF_T *c) {
  WF_T value[8], *at = value;
  for (int j = 0; j < 8; j++) {
    const WF_T a = (WF_T)(int32_t)v[j] + (v[j] == 1 ? (WF_T)WF_W_OFFSET_ONE : (WF_T)WF_W_OFFSET_MORE);
    value[j] = v[j] == 0 ? 0 : negative[j] ? -a : a;
  }
  if (wf_wavelet_is_cube(x, y, z, group)) {
    WF_T *p = c + x[0] + y[0], *q = c + x[0] + y[1], *r = c + x[1] + y[0], *s = c + x[1] + y[1];
    p[z[0]] = value[0], p[z[1]] = value[1], q[z[0]] = value[2], q[z[1]] = value[3];
    r[z[0]] = value[4], r[z[1]] = value[5], s[z[0]] = value[6], s[z[1]] = value[7];
    return;
  }
  for (int i = 0; i < group[0]; i++)
    for (int j = 0; j < group[1]; j++)
      for (int k = 0; k < group[2]; k++, at++)
        if ((x[i] | y[j] | z[k]) >= 0) c[x[i] + y[j] + z[k]] = *at;
}

/* Reads all groups into the coefficients of the scratch buffer; 0 when the bytes make no block. */
WF_INLINE int WF_FN(wf_wavelet_read)(const uint8_t *in, size_t len, const wf_box *box, const wf_wavelet_plan *p,
                                     const int32_t *group, uint8_t *scratch) {
  const int64_t strides[3] = {p->plane, box->extent[2], 1};
  const int64_t *x = (const int64_t *)(scratch + p->axis[0]), *y = (const int64_t *)(scratch + p->axis[1]);
  const int64_t *z = (const int64_t *)(scratch + p->axis[2]);
  const uint16_t *masks = (const uint16_t *)(scratch + p->masks);
  WF_T *c = (WF_T *)(scratch + p->coefs);
  wf_wavelet_reader r;
  if (!wf_wavelet_open(in, len, p, scratch, &r)) return 0;
  for (int a = 0; a < 3; a++)
    wf_wavelet_order(box->extent[a], p->groups[a] * group[a], strides[a], (int64_t *)(scratch + p->axis[a]));
  memset(c, 0, (size_t)(box->extent[0] * p->plane) * sizeof(WF_T));
  int64_t g = 0;
  for (int64_t i = 0; i < p->groups[0]; i++)
    for (int64_t j = 0; j < p->groups[1]; j++)
      for (int64_t k = 0; k < p->groups[2]; k++, g++) {
        uint32_t v[8], negative[8];
        if (!(masks[g / 16] >> (g % 16) & 1)) continue;
        if (!wf_wavelet_get(&r, v, negative)) return 0;
        WF_FN(wf_wavelet_scatter)(v, negative, x + i * group[0], y + j * group[1], z + k * group[2], group, c);
      }
  return r.signs + (r.sign_at + 7) / 8 == r.end;
}

/* Decodes one block of exactly `len` bytes; scale1 * scale2 = step. Returns 1, or 0 when the bytes make no block. */
WF_INLINE int WF_FN(wf_wavelet_decode)(const uint8_t *in, size_t len, const wf_box *box, const int32_t *group,
                                       WF_T scale1, WF_T scale2, uint8_t *scratch, WF_T *dst) {
  wf_wavelet_plan p;
  wf_wavelet_layout(box->extent, group, sizeof(WF_T), &p);
  const int64_t nx = box->extent[0], ny = box->extent[1], nz = box->extent[2];
  const size_t row = (size_t)nz * sizeof(WF_T);
  if (len < 1) return 0;
  if (in[0] == WF_W_ZERO || in[0] == WF_W_RAW) {
    if (len != 1 + (in[0] == WF_W_RAW ? row * (size_t)(nx * ny) : 0)) return 0;
    for (int64_t x = 0; x < nx; x++)
      for (int64_t y = 0; y < ny; y++) {
        WF_T *to = dst + x * box->stride[0] + y * box->stride[1];
        if (in[0] == WF_W_RAW)
          memcpy(to, in + 1 + row * (size_t)(x * ny + y), row);
        else
          memset(to, 0, row);
      }
    return 1;
  }
  if (in[0] != WF_W_CODED || !WF_FN(wf_wavelet_read)(in + 1, len - 1, box, &p, group, scratch)) return 0;
  WF_T *c = (WF_T *)(scratch + p.coefs), *turned = (WF_T *)(scratch + p.transposed);
  for (int64_t y = 0; y < ny; y++) WF_FN(wf_lift_inverse)(c + y * nz, p.plane, nx, nz);
  for (int64_t x = 0; x < nx; x++) {
    WF_T *plane = c + x * p.plane;
    WF_FN(wf_lift_inverse)(plane, nz, ny, nz);
    for (int64_t z = 0; z < nz; z++)
      for (int64_t y = 0; y < ny; y++) turned[z * ny + y] = plane[y * nz + z];
    WF_FN(wf_lift_inverse)(turned, ny, nz, ny);
    for (int64_t y = 0; y < ny; y++) {
      WF_T *to = dst + x * box->stride[0] + y * box->stride[1];
      for (int64_t z = 0; z < nz; z++) to[z] = turned[z * ny + y] * scale1 * scale2;
    }
  }
  return 1;
}
