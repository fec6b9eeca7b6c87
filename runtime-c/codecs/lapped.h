/* lapped: a lapped cosine transform (folds at the borders of blocks, then a cosine transform of each block) along every
 * axis, rounding, and groups of 16 neighbouring frequencies stored as bit planes.
 *
 * One call codes a row of blocks along the last axis. The folds along the other axes come as taps: output row t of the
 * row of blocks is r x own + f x partner. Values are divided by the step while they are folded, so that coefficients
 * are in units of the step D.
 * Transforms: cosine transform IV (Malvar 1990, from Princen and Bradley 1987), II for the last block of an axis, whose
 * end has no fold; both sqrt(N) times the orthonormal ones, split into halves as by Wang (1984).
 * Quantiser: q = trunc(|c| + 0.36); decoded as 0, +-1.03, or q +- 0.12 (means of the coefficients in their bins).
 *
 * A tile is what is coded together: one block; of a field with one axis, 16 blocks, which then stand for the rows of a
 * block without a transform across them. A group has 4x1x4 frequencies along the three axes, 1x4x4 where the first has
 * one point. 16 groups make a unit: vectors of 16 lanes hold one point of each, so that bit planes need no shuffles.
 * A quad is the 4 planes, or the one, that the groups of a unit reach over.
 *
 * Coded tile: one byte, 0: all zero; 1: coded as below; 2: coefficients as they are, [x][z][y].
 *   unit flags         1 bit each, set where any of its groups is not zero
 *   group flags        16 bits for each live unit
 *   widths             4 bits for each live group, low half first: bits of its largest q; 15: see next; padded to bytes
 *   long widths        1 byte (15..30) for each width 15
 *   planes             for each live group 16 bits per bit of its width, lowest first; bit j belongs to point j
 *   signs              1 bit for each q != 0, in order (1: negative); padded to bytes
 */
#ifndef WAVEFOLD_CODECS_LAPPED_H
#define WAVEFOLD_CODECS_LAPPED_H

#include "block.h"

enum { WF_L_ZERO = 0, WF_L_CODED = 1, WF_L_PLAIN = 2, WF_L_LONG = 15, WF_L_MAX_BITS = 30, WF_L_GROUP = 16 };
enum { WF_L_IV = 0, WF_L_II = 1, WF_L_III = 2 };
/* Strides of blocks of 32x32x32 points: of the folded rows and of the planes of a tile, padded so that they do not share
 * cache sets. Constants make the transforms half as long. */
enum { WF_L_ROW = 512 + 16, WF_L_PLANE = 32 * 32 + 16 };
/* Where the lines of a transform are: see `lines`. */
enum { WF_L_ANY = 0, WF_L_FOLD_TO_TILE, WF_L_TILE_TO_FOLD, WF_L_PLANES, WF_L_TO_QUAD, WF_L_FROM_QUAD };

/* Steps at which errors are measured, each twice the last. */
enum { WF_L_STEPS = 12 };

/* Rows that are asked for ahead of those that are folded. */
#ifndef WF_L_AHEAD
#define WF_L_AHEAD 4
#endif

#define WF_L_ROUND 0.36
/* Frequencies whose squares add up to less all become 0; below 0.64^2, for rounding. */
#define WF_L_SILENT 0.36
/* 2^-40 */
#define WF_L_TINY 9.094947017729282e-13
#define WF_L_OFFSET_ONE 0.03
#define WF_L_OFFSET_MORE 0.12
#define WF_L_ROOT2 1.4142135623730951

/* cos and sin of pi (2 i + 1) / (4 n), i < n / 2, at n / 2 - 1 + i, for n = 2, 4, .. 32. */
static const double wf_l_cos[31] = {
    0.92387953251128675613, 0.98078528040323044913, 0.83146961230254523708, 0.99518472667219688624, 0.95694033573220886494,
    0.88192126434835502971, 0.77301045336273696081, 0.99879545620517239271, 0.98917650996478097345, 0.9700312531945439926,
    0.94154406518302077841, 0.90398929312344333159, 0.8577286100002720699, 0.80320753148064490981, 0.74095112535495909118,
    0.99969881869620422012, 0.99729045667869021614, 0.99247953459870999816, 0.98527764238894124477, 0.97570213003852854446,
    0.96377606579543986669, 0.9495281805930366672, 0.93299279883473888771, 0.91420975570353065464, 0.89322430119551532034,
    0.87008699110871141865, 0.84485356524970707326, 0.8175848131515836965, 0.78834642762660626201, 0.75720884650648454758,
    0.72424708295146692094};
static const double wf_l_sin[31] = {
    0.38268343236508977173, 0.19509032201612826785, 0.55557023301960222474, 0.098017140329560601994, 0.29028467725446236764,
    0.47139673682599764856, 0.63439328416364549822, 0.049067674327418014255, 0.14673047445536175166, 0.24298017990326388995,
    0.33688985339222005069, 0.42755509343028209432, 0.51410274419322172659, 0.59569930449243334347, 0.67155895484701840063,
    0.024541228522912288032, 0.073564563599667423529, 0.1224106751992161985, 0.17096188876030122636, 0.21910124015686979723,
    0.26671275747489838633, 0.31368174039889147666, 0.35989503653498814878, 0.40524131400498987091, 0.44961132965460660005,
    0.49289819222978403687, 0.53499761988709721066, 0.57580819141784530075, 0.61523159058062684548, 0.65317284295377676408,
    0.68954054473706692462};

/* A row of blocks. */
typedef struct {
  int64_t size[3]; /* points of a block: 1, 16 or 32 */
  int64_t length;  /* points of the row along the last axis */
  int64_t last[2]; /* whether the blocks are the last ones along the two slower axes */
  int64_t before;  /* whether the row of blocks before this one along the middle axis was coded with this scratch, */
  int64_t after;   /* and whether the one after it will be: what both need of the fold is then computed once */
} wf_lapped;

/* Where the values of a fold come from, in elements from the start of the field, and their weights. */
typedef struct {
  int64_t own, partner;
  double r, f;
} wf_tap;

/* What follows from the sizes: extents of a tile, groups, and offsets in the scratch buffer. One plane of the row of
 * blocks is folded at a time, and transformed along the middle axis into all tiles while it is in the cache. */
typedef struct {
  int64_t tile[3];        /* extents of a tile */
  int64_t blocks, tiles;  /* along the last axis */
  int64_t row, plane;     /* elements between rows of the folded field, between planes of a tile */
  int gx, gy, gz, run;    /* extents of a group; lanes of a unit that lie side by side */
  int64_t part, parts;    /* rows of a tile that can be silent together, and how many times that */
  int cube;               /* 32x32x32 points */
  int64_t quads, per_quad, units;
  /* Where the lanes of point j of the groups of a unit begin in a quad; to the next run of them; units
   * side by side, and from one row of those to the next. */
  int64_t point[16], below, step, side;
  int64_t points; /* elements between tiles */
  size_t folded, carry, work, quad, turned, other, lines, loud, masks, widths, longs, planes, signs, bytes;
} wf_lapped_plan;

WF_INLINE size_t wf_l_align(size_t n) { return (n + 63) & ~(size_t)63; }

WF_INLINE void wf_lapped_layout(const wf_lapped *l, size_t size, wf_lapped_plan *p) {
  const int line = l->size[1] == 1;
  p->tile[0] = l->size[0], p->tile[1] = line ? 16 : l->size[1], p->tile[2] = l->size[2];
  p->blocks = (l->length + l->size[2] - 1) / l->size[2];
  p->tiles = line ? (p->blocks + 15) / 16 : p->blocks;
  p->gx = l->size[0] > 1 ? 4 : 1, p->gy = l->size[0] > 1 ? 1 : 4, p->gz = 4;
  p->side = p->tile[1] / p->gy > 16 ? p->tile[1] / p->gy / 16 : 1;
  p->run = (int)(p->tile[1] / p->gy / p->side);
  p->part = p->gy > 1 ? p->tile[1] : 16, p->parts = p->tile[1] / p->part;
  p->quads = p->tile[0] / p->gx;
  p->per_quad = p->tile[1] * p->tile[2] / (p->gy * p->gz) / WF_L_GROUP;
  p->units = p->quads * p->per_quad;
  p->cube = p->tile[0] == 32 && p->tile[1] == 32 && p->tile[2] == 32;
  p->row = p->cube ? WF_L_ROW : p->tiles * (line ? 16 : 1) * l->size[2] + 16;
  p->plane = p->tile[1] * p->tile[2] + (p->tile[0] > 1 ? 16 : 0);
  p->below = p->gz * p->tile[1], p->step = p->below * (WF_L_GROUP / p->run);
  for (int x = 0, j = 0; x < p->gx; x++)
    for (int a = 0; a < p->gz; a++)
      for (int b = 0; b < p->gy; b++, j++) p->point[j] = (x * p->tile[2] + a) * p->tile[1] + b * p->run;
  const size_t groups = (size_t)p->units * WF_L_GROUP;
  size_t at = 0;
  p->folded = at, at += wf_l_align((size_t)(l->size[1] * p->row) * size);
  p->carry = at, at += wf_l_align((size_t)(l->size[0] * (l->size[1] / 2) * p->row) * size);
  p->points = (int64_t)(wf_l_align((size_t)(p->tile[0] * p->plane) * size) / size);
  p->work = at, at += (size_t)(p->tiles * p->points) * size;
  p->quad = at, at += wf_l_align((size_t)(p->gx * p->tile[1] * p->tile[2]) * size);
  p->turned = at, at += wf_l_align((size_t)(p->tile[1] * p->tile[2]) * size);
  p->other = at, at += wf_l_align((size_t)(p->tile[1] * p->tile[2]) * size);
  p->lines = at, at += wf_l_align((size_t)(2 * p->row) * size);
  p->loud = at, at += wf_l_align((size_t)p->tiles * sizeof(uint32_t));
  p->masks = at, at += wf_l_align((size_t)p->units * 2);
  p->widths = at, at += wf_l_align(groups + 1);
  p->longs = at, at += wf_l_align(groups);
  p->planes = at, at += wf_l_align(groups * WF_L_MAX_BITS * 2);
  p->signs = at, at += wf_l_align(groups * 2 + 16);
  p->bytes = at;
}

/* Cursor over the sections that the coder fills. */
typedef struct {
  uint8_t *widths, *longs, *planes, *signs;
  size_t width_count;
  uint64_t sign_bits;
  int sign_count;
} wf_lapped_sections;

/* Appends one live group: its bit planes, 16 words apart, and `count` sign bits. */
WF_INLINE void wf_lapped_put(wf_lapped_sections *s, const uint32_t *plane, int w, uint32_t signs, int count) {
  s->widths[s->width_count++] = (uint8_t)(w < WF_L_LONG ? w : WF_L_LONG);
  if (w >= WF_L_LONG) *s->longs++ = (uint8_t)w;
  for (int b = 0; b < w; b++, s->planes += 2) {
    const uint16_t bits = (uint16_t)plane[16 * b];
    memcpy(s->planes, &bits, 2);
  }
  const uint64_t bits = s->sign_bits | (uint64_t)signs << s->sign_count;
  count += s->sign_count;
  memcpy(s->signs, &bits, 4);
  s->signs += count / 8;
  s->sign_bits = bits >> (count / 8 * 8);
  s->sign_count = count % 8;
}

/* Puts the sections side by side into `out`; 0 when they need more than `room` bytes. */
WF_INLINE size_t wf_lapped_join(const wf_lapped_plan *p, uint8_t *scratch, wf_lapped_sections *s, uint8_t *out,
                                size_t room) {
  const uint16_t *masks = (const uint16_t *)(scratch + p->masks);
  if (s->sign_count) *s->signs++ = (uint8_t)s->sign_bits;
  s->widths[s->width_count] = 0;
  const size_t flags = (size_t)(p->units + 7) / 8, longs = (size_t)(s->longs - (scratch + p->longs));
  const size_t planes = (size_t)(s->planes - (scratch + p->planes)), signs = (size_t)(s->signs - (scratch + p->signs));
  size_t live = 0;
  for (int64_t i = 0; i < p->units; i++) live += masks[i] != 0;
  if (flags + 2 * live + (s->width_count + 1) / 2 + longs + planes + signs > room) return 0;
  uint8_t *o = out;
  memset(o, 0, flags);
  for (int64_t i = 0; i < p->units; i++)
    if (masks[i]) o[i / 8] |= (uint8_t)(1 << (i % 8));
  o += flags;
  for (int64_t i = 0; i < p->units; i++)
    if (masks[i]) memcpy(o, masks + i, 2), o += 2;
  for (size_t i = 0; i < s->width_count; i += 2) *o++ = (uint8_t)(s->widths[i] | s->widths[i + 1] << 4);
  memcpy(o, scratch + p->longs, longs), o += longs;
  memcpy(o, scratch + p->planes, planes), o += planes;
  memcpy(o, scratch + p->signs, signs), o += signs;
  return (size_t)(o - out);
}

/* Where the sections of a coded tile are. */
typedef struct {
  const uint8_t *widths, *longs, *planes, *signs, *end;
  size_t width_at, sign_at;
} wf_lapped_reader;

/* Finds the sections and checks their sizes; the group flags go to the scratch buffer. Returns 0 when they are wrong. */
WF_INLINE int wf_lapped_open(const uint8_t *in, const uint8_t *end, const wf_lapped_plan *p, uint8_t *scratch,
                             wf_lapped_reader *r) {
  uint16_t *masks = (uint16_t *)(scratch + p->masks);
  const size_t flags = (size_t)(p->units + 7) / 8;
  if ((size_t)(end - in) < flags) return 0;
  if (p->units % 8 && in[flags - 1] >> (p->units % 8)) return 0;
  const uint8_t *at = in + flags;
  size_t count = 0, longs = 0, bits = 0;
  for (int64_t i = 0; i < p->units; i++) {
    masks[i] = 0;
    if (!(in[i / 8] >> (i % 8) & 1)) continue;
    if (end - at < 2) return 0;
    memcpy(masks + i, at, 2);
    at += 2;
    count += (size_t)__builtin_popcount(masks[i]);
  }
  if ((size_t)(end - at) < (count + 1) / 2) return 0;
  r->widths = at;
  at += (count + 1) / 2;
  for (size_t i = 0; i < count; i++) {
    const int w = r->widths[i / 2] >> (4 * (i % 2)) & 15;
    if (w == 0) return 0;
    longs += w == WF_L_LONG;
    bits += w == WF_L_LONG ? 0 : (size_t)w;
  }
  if ((size_t)(end - at) < longs) return 0;
  r->longs = at;
  for (size_t i = 0; i < longs; i++) {
    if (at[i] < WF_L_LONG || at[i] > WF_L_MAX_BITS) return 0;
    bits += at[i];
  }
  at += longs;
  if ((size_t)(end - at) < 2 * bits) return 0;
  r->planes = at;
  r->signs = at + 2 * bits;
  r->end = end;
  r->width_at = r->sign_at = 0;
  return 1;
}

/* Reads the sign bits of `count` <= 16 points; 0 when they run past the end. */
WF_INLINE int wf_lapped_signs(wf_lapped_reader *r, size_t count, uint32_t *signs) {
  const size_t byte = r->sign_at / 8, left = (size_t)(r->end - r->signs);
  uint32_t bits = 0;
  if (r->sign_at + count > 8 * left) return 0;
  if (left - byte >= 4)
    memcpy(&bits, r->signs + byte, 4);
  else
    memcpy(&bits, r->signs + byte, left - byte);
  *signs = bits >> (r->sign_at % 8) & ((UINT32_C(1) << count) - 1);
  r->sign_at += count;
  return 1;
}

/* Reads one unit: bit planes [b][lane] up to the largest width, which is returned (-1: damaged), where points are not
 * zero, and the signs of those. */
WF_INLINE int wf_lapped_get(wf_lapped_reader *r, uint32_t mask, uint32_t *plane, uint32_t *live, uint32_t *signs) {
  int width[16], top = 0;
  for (uint32_t m = mask; m; m &= m - 1, r->width_at++) {
    int w = r->widths[r->width_at / 2] >> (4 * (r->width_at % 2)) & 15;
    if (w == WF_L_LONG) w = *r->longs++;
    width[__builtin_ctz(m)] = w;
    top = w > top ? w : top;
  }
  for (int b = 0; b < top; b++)
    for (int l = 0; l < 16; l++) plane[16 * b + l] = 0;
  for (int l = 0; l < 16; l++) live[l] = signs[l] = 0;
  for (uint32_t m = mask; m; m &= m - 1) {
    const int lane = __builtin_ctz(m);
    uint32_t some = 0;
    for (int b = 0; b < width[lane]; b++, r->planes += 2) {
      uint16_t bits;
      memcpy(&bits, r->planes, 2);
      plane[16 * b + lane] = bits;
      some |= bits;
    }
    live[lane] = some;
    if (!wf_lapped_signs(r, (size_t)__builtin_popcount(some), signs + lane)) return -1;
  }
  return top;
}

/* Unrolls by hand: lanes are vectors only where the loop over them is the innermost one. */
#define WF_L_ONCE(M) M(0)
#define WF_X2(M) M(0) M(1)
#define WF_X4(M) WF_X2(M) M(2) M(3)
#define WF_X8(M) WF_X4(M) M(4) M(5) M(6) M(7)
#define WF_X16(M) WF_X8(M) M(8) M(9) M(10) M(11) M(12) M(13) M(14) M(15)
#define WF_X32(M)                                                                                              \
  WF_X16(M) M(16) M(17) M(18) M(19) M(20) M(21) M(22) M(23) M(24) M(25) M(26) M(27) M(28) M(29) M(30) M(31)

#define WF_L_GATHER_BIT(j) word |= (q[16 * (j) + l] >> b & 1) << (j);
#define WF_L_SPREAD_BIT(j) q[16 * (j) + l] = 2 * q[16 * (j) + l] + (word >> (j) & 1);

/* Bit planes of a unit, plane[b][lane], for b < w. */
WF_INLINE void wf_lapped_planes(const uint32_t *restrict q, int w, uint32_t *restrict plane) {
  for (int b = 0; b < w; b++)
    for (int l = 0; l < 16; l++) {
      uint32_t word = 0;
      WF_X16(WF_L_GATHER_BIT)
      plane[16 * b + l] = word;
    }
}

/* Keeps the bits of `negative` at the points that are not zero, side by side, for all 16 groups of a unit. */
WF_INLINE void wf_lapped_pack_signs(const uint32_t *restrict live, const uint32_t *restrict negative,
                                    uint32_t *restrict signs) {
  for (int l = 0; l < 16; l++) {
    uint32_t packed = 0;
    for (int j = 15; j >= 0; j--) {
      const uint32_t more = packed << 1 | (negative[l] >> j & 1);
      packed = live[l] >> j & 1 ? more : packed;
    }
    signs[l] = packed;
  }
}

/* The way back. */
WF_INLINE void wf_lapped_unpack_signs(const uint32_t *restrict live, const uint32_t *restrict signs,
                                      uint32_t *restrict negative) {
  for (int l = 0; l < 16; l++) {
    uint32_t left = signs[l], spread = 0;
    for (int j = 0; j < 16; j++) {
      const uint32_t here = live[l] >> j & 1;
      spread |= (left & here) << j;
      left = here ? left >> 1 : left;
    }
    negative[l] = spread;
  }
}

WF_INLINE void wf_lapped_unplanes(const uint32_t *restrict plane, int w, uint32_t *restrict q) {
  memset(q, 0, 16 * 16 * sizeof *q);
  for (int b = w - 1; b >= 0; b--)
    for (int l = 0; l < 16; l++) {
      const uint32_t word = plane[16 * b + l];
      WF_X16(WF_L_SPREAD_BIT)
    }
}

#define WF_T float
#define WF_FN(name) WF_CAT(name, _f32)
#include "lapped_body.h"
#undef WF_T
#undef WF_FN

#define WF_T double
#define WF_FN(name) WF_CAT(name, _f64)
#include "lapped_body.h"
#undef WF_T
#undef WF_FN

#endif
