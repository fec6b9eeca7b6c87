/* Body of wavelet_body.h for one kind of lanes: WF_L (a vector of WF_T, or WF_T itself), WF_LIFT (names), WF_TARGET (the
 * instruction set that has such vectors). */

#define WF_ROW(i) (*(WF_L *)(base + (i) * apart))

/* One level of the transform of `rows` > 1 values in every lane of a column; all four lifting steps in one sweep. Each
 * is x[i] += c (x[i-1] + x[i+1]), mirrored at both ends. */
WF_INLINE void WF_LIFT(wf_lift_down)(WF_T *base, int64_t apart, int64_t rows) {
  const WF_T alpha = (WF_T)WF_W_ALPHA, beta = (WF_T)WF_W_BETA, gamma = (WF_T)WF_W_GAMMA, delta = (WF_T)WF_W_DELTA;
  const WF_T low = (WF_T)WF_W_LOW, high = (WF_T)WF_W_HIGH;
  /* s: even values, d: odd ones, with the number of steps they have behind them. */
  WF_L s0 = WF_ROW(0), ahead = rows > 2 ? WF_ROW(2) : s0;
  WF_L d1 = WF_ROW(1) + alpha * (s0 + ahead), s1 = s0 + beta * (d1 + d1), d2 = d1;
  int64_t i = 2;
  for (; i + 1 < rows; i += 2) {
    s0 = ahead;
    ahead = i + 2 < rows ? WF_ROW(i + 2) : s0;
    const WF_L d1_next = WF_ROW(i + 1) + alpha * (s0 + ahead), s1_next = s0 + beta * (d1 + d1_next);
    const WF_L before = d2;
    d2 = d1 + gamma * (s1 + s1_next);
    WF_ROW(i - 2) = (s1 + delta * ((i > 2 ? before : d2) + d2)) * low;
    WF_ROW(i - 1) = d2 * high;
    d1 = d1_next, s1 = s1_next;
  }
  const WF_L before = d2;
  if (i < rows) {
    const WF_L last = ahead + beta * (d1 + d1);
    d2 = d1 + gamma * (s1 + last);
    WF_ROW(i) = (last + delta * (d2 + d2)) * low;
  } else {
    d2 = d1 + gamma * (s1 + s1);
  }
  WF_ROW(i - 2) = (s1 + delta * ((i > 2 ? before : d2) + d2)) * low;
  WF_ROW(i - 1) = d2 * high;
}

/* The same backwards. */
WF_INLINE void WF_LIFT(wf_lift_up)(WF_T *base, int64_t apart, int64_t rows) {
  const WF_T alpha = (WF_T)-WF_W_ALPHA, beta = (WF_T)-WF_W_BETA, gamma = (WF_T)-WF_W_GAMMA, delta = (WF_T)-WF_W_DELTA;
  const WF_T low = (WF_T)WF_W_HIGH, high = (WF_T)WF_W_LOW;
  WF_L d2 = WF_ROW(1) * high, s1 = WF_ROW(0) * low + delta * (d2 + d2), d1 = d2, s0 = s1;
  int64_t i = 2;
  for (; i < rows; i += 2) {
    WF_L d2_next = d2;
    if (i + 1 < rows) d2_next = WF_ROW(i + 1) * high;
    const WF_L s1_next = WF_ROW(i) * low + delta * (d2 + d2_next);
    const WF_L d1_next = d2 + gamma * (s1 + s1_next);
    const WF_L s0_next = s1 + beta * ((i > 2 ? d1 : d1_next) + d1_next);
    if (i > 2) WF_ROW(i - 3) = d1 + alpha * (s0 + s0_next);
    WF_ROW(i - 2) = s0_next;
    d2 = d2_next, s1 = s1_next, d1 = d1_next, s0 = s0_next;
  }
  /* s1 is that of the last even value, at i - 2. */
  if (rows % 2 == 0) {
    const WF_L d1_last = d2 + gamma * (s1 + s1), s0_last = s1 + beta * ((i > 2 ? d1 : d1_last) + d1_last);
    if (i > 2) WF_ROW(i - 3) = d1 + alpha * (s0 + s0_last);
    WF_ROW(i - 2) = s0_last;
    WF_ROW(i - 1) = d1_last + alpha * (s0_last + s0_last);
  } else {
    const WF_L s0_last = s1 + beta * (d1 + d1);
    WF_ROW(i - 3) = d1 + alpha * (s0 + s0_last);
    WF_ROW(i - 2) = s0_last;
  }
}

/* All levels along an axis of n rows of `width` values (whole vectors). */
static WF_TARGET __attribute__((noinline)) void WF_LIFT(wf_lift_forward)(WF_T *base, int64_t apart, int64_t n,
                                                                         int64_t width) {
  const int64_t lanes = sizeof(WF_L) / sizeof(WF_T);
  for (int64_t s = 1; s < n; s *= 2)
    for (int64_t k = 0; k < width; k += lanes) WF_LIFT(wf_lift_down)(base + k, s * apart, (n + s - 1) / s);
}

static WF_TARGET __attribute__((noinline)) void WF_LIFT(wf_lift_inverse)(WF_T *base, int64_t apart, int64_t n,
                                                                         int64_t width) {
  const int64_t lanes = sizeof(WF_L) / sizeof(WF_T);
  int64_t s = 1;
  while (s < n) s *= 2;
  for (s /= 2; s >= 1; s /= 2)
    for (int64_t k = 0; k < width; k += lanes) WF_LIFT(wf_lift_up)(base + k, s * apart, (n + s - 1) / s);
}

#undef WF_ROW
