/* The calling convention between Wavefold kernels and the runtime: the mirror of `crates/ir/src/abi.rs`.
 *
 * A kernel is one function `int wavefold_kernel(const wf_context *cx)`. It runs the whole program, time loop
 * included, and returns 0, or the first non-zero status that a callback of the runtime returned. */
#ifndef WAVEFOLD_H
#define WAVEFOLD_H

#include <math.h>
#include <stdint.h>

typedef struct wf_context wf_context;

/* Part of a parallel loop: called with each index once. */
typedef void wf_body(void *argument, int64_t index);

/* Runs `body(argument, 0 .. count)` in any order on the threads of the run; returns when all are done. */
typedef void wf_parallel(const wf_context *cx, int64_t count, wf_body *body, void *argument);

/* Starts to move a slice between `slot` of `field` and `snapshot` of `store`; `rows` is 0, or the rows of the strips whose
 * parts are handed over next. Returns a ticket (0 or more), or minus the status that stops the run. */
typedef int64_t wf_effect(const wf_context *cx, int64_t store, int64_t snapshot, int64_t field, int64_t slot,
                          int64_t rows, wf_parallel *parallel);

/* What `wait` returns when all parts of a slice must be handed over again. */
enum { WF_AGAIN = -1 };

/* Values of a set of sparse points. */
typedef struct wf_sparse {
  int64_t points;
  void *values; /* [steps][points], or [points] */
} wf_sparse;

/* Something at sparse points that do not move, sorted by planes of the first dimension; null unless a kernel needs it. */
typedef struct wf_planes {
  const int64_t *first;        /* per plane: the position of its first entry; one more at the end */
  const int64_t (*entries)[2]; /* an index, and the position along the second dimension */
} wf_planes;

/* Where sparse points lie on the grid. With c corners per point, and r the point p, or t*points + p for points that
 * move, corner k has the position cells[(r*c + k)*rank + d] along dimension d, always inside the domain, and the
 * weight weights[r*c + k]. */
typedef struct wf_table {
  const int32_t *cells;
  const void *weights;
  wf_planes corners; /* corners with weight by their plane, in order: their position in weights */
  wf_planes points;  /* points by the plane of their first corner, in order */
} wf_table;

/* Everything that a kernel needs for one run. */
struct wf_context {
  void *const *fields;     /* per field: its slots; null for compressed fields */
  void *const *const *rows; /* per field by rows: the first point in memory of each row; after the first step of a kernel,
                             * equal rows may have one; null for other fields */
  const double *scalars;   /* per run-time scalar: its value */
  const wf_sparse *sparse; /* per sparse point set: its values */
  const wf_table *tables;  /* per table: cells and weights */
  int64_t time_m;          /* first step */
  int64_t time_max;        /* last step, included */
  int64_t in_place;        /* steps, from the first on, in which fields in place are */
  int64_t threads;         /* number of threads to use */
  void *host;              /* belongs to the runtime */
  wf_parallel *parallel;   /* threads of the runtime */
  /* Called before steps that are done together; may change what `rows` lead to; non-zero stops the run. */
  int (*step)(const wf_context *cx, int64_t t, int64_t count, wf_parallel *parallel);
  wf_effect *compress;                     /* reads the slot, writes the snapshot */
  wf_effect *decompress;                   /* reads the snapshot, writes the slot */
  void *(*take_tile)(void *host);          /* lends a thread memory for one tile, 64-byte aligned; never null */
  void (*give_tile)(void *host, void *tile); /* takes it back */
  /* Codes or decodes the part of a slice in x .. x_end along the first dimension, y .. y_end along the second; `tile`: the
   * memory of the tile field that is moved, or null for a slot. Keeps errors for `wait`. */
  void (*part)(void *host, int64_t ticket, int64_t x, int64_t x_end, int64_t y, int64_t y_end, void *tile);
  int (*wait)(const wf_context *cx, int64_t ticket, wf_parallel *parallel); /* WF_AGAIN, or non-zero stops the run */
};

/* Denormal numbers are flushed to zero in the loops of a kernel, on every thread, and nowhere else: each region
 * sets the mode of its thread and puts the old one back. */
typedef uint64_t wf_mode;

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
static inline wf_mode wf_get_mode(void) { return __builtin_ia32_stmxcsr(); }
static inline void wf_set_mode(wf_mode mode) { __builtin_ia32_ldmxcsr((unsigned)mode); }
enum { WF_FLUSH = 0x8040 }; /* FTZ and DAZ */
#elif defined(__aarch64__) && (defined(__GNUC__) || defined(__clang__))
static inline wf_mode wf_get_mode(void) {
  wf_mode mode;
  __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
  return mode;
}
static inline void wf_set_mode(wf_mode mode) { __asm__ volatile("msr fpcr, %0" : : "r"(mode)); }
enum { WF_FLUSH = 1 << 24 }; /* FZ */
#else
static inline wf_mode wf_get_mode(void) { return 0; }
static inline void wf_set_mode(wf_mode mode) { (void)mode; }
enum { WF_FLUSH = 0 };
#endif

/* Flushes denormals on the calling thread from here on; returns the mode before. */
static inline wf_mode wf_flush_denormals(void) {
  const wf_mode before = wf_get_mode();
  wf_set_mode(before | WF_FLUSH);
  return before;
}

/* The mode in which the runtime is called back. */
static inline wf_mode wf_keep_denormals(void) {
  const wf_mode before = wf_get_mode();
  wf_set_mode(before & ~(wf_mode)WF_FLUSH);
  return before;
}

/* A parallel loop on the threads that run the kernel's own loops. */
static inline void wf_parallel_openmp(const wf_context *cx, int64_t count, wf_body *body, void *argument) {
#ifdef _OPENMP
#pragma omp parallel for num_threads((int)cx->threads) schedule(dynamic)
  for (int64_t i = 0; i < count; i += 1) body(argument, i);
#else
  cx->parallel(cx, count, body, argument);
#endif
}

/* Remainder of a division, never negative. */
static inline int64_t wf_modulo(int64_t n, int64_t divisor) { return (n % divisor + divisor) % divisor; }

/* The slot of level t + shift of a field in place. In the first steps of a run, a level that is written takes the slot of
 * the oldest, so that levels share the slots of those that the first step reads. */
static inline int64_t wf_slot_ascending(const wf_context *cx, int64_t t, int64_t shift, int64_t slots) {
  const int64_t level = t + shift, oldest = cx->time_m + 2 - slots;
  const int in_place = t - cx->time_m < cx->in_place;
  return wf_modulo(in_place ? oldest + wf_modulo(level - oldest, slots - 1) : level, slots);
}

static inline int64_t wf_slot_descending(const wf_context *cx, int64_t t, int64_t shift, int64_t slots) {
  const int64_t level = t + shift, oldest = cx->time_max;
  const int in_place = cx->time_max - t < cx->in_place;
  return wf_modulo(in_place ? oldest + wf_modulo(level - oldest, slots - 1) : level, slots);
}

/* The callbacks, as a kernel writes them. */
static inline int wf_step(const wf_context *cx, int64_t t, int64_t count) {
  const wf_mode mode = wf_keep_denormals();
  const int status = cx->step(cx, t, count, wf_parallel_openmp);
  wf_set_mode(mode);
  return status;
}

static inline int64_t wf_compress(const wf_context *cx, int64_t store, int64_t snapshot, int64_t field,
                                  int64_t slot, int64_t rows) {
  const wf_mode mode = wf_keep_denormals();
  const int64_t ticket = cx->compress(cx, store, snapshot, field, slot, rows, wf_parallel_openmp);
  wf_set_mode(mode);
  return ticket;
}

static inline int64_t wf_decompress(const wf_context *cx, int64_t store, int64_t snapshot, int64_t field,
                                    int64_t slot, int64_t rows) {
  const wf_mode mode = wf_keep_denormals();
  const int64_t ticket = cx->decompress(cx, store, snapshot, field, slot, rows, wf_parallel_openmp);
  wf_set_mode(mode);
  return ticket;
}

static inline void wf_part(const wf_context *cx, int64_t ticket, int64_t x, int64_t x_end, int64_t y, int64_t y_end,
                           void *tile) {
  const wf_mode mode = wf_keep_denormals();
  cx->part(cx->host, ticket, x, x_end, y, y_end, tile);
  wf_set_mode(mode);
}

static inline int wf_wait(const wf_context *cx, int64_t ticket) {
  const wf_mode mode = wf_keep_denormals();
  const int status = cx->wait(cx, ticket, wf_parallel_openmp);
  wf_set_mode(mode);
  return status;
}

/* The smaller and the larger of two numbers; the second when either is NaN. */
static inline float wf_minf(float a, float b) { return a < b ? a : b; }
static inline float wf_maxf(float a, float b) { return a > b ? a : b; }
static inline double wf_min(double a, double b) { return a < b ? a : b; }
static inline double wf_max(double a, double b) { return a > b ? a : b; }

/* Hides from the compiler where the pointer `row` comes from, so that it finds the rows around by their distance from it. By
 * itself it would give each row of a stencil a pointer, and run out of registers. */
#if defined(__GNUC__) || defined(__clang__)
#define wf_hide(row) __asm__("" : "+r"(row))
#else
#define wf_hide(row) ((void)0)
#endif

/* Asks for the cache line at `place`, into the second-level cache. */
#if defined(__GNUC__) || defined(__clang__)
#define wf_prefetch(place) __builtin_prefetch((place), 0, 2)
#else
#define wf_prefetch(place) ((void)0)
#endif

/* Bytes of a vector. Loops that prefetch go on by as many. */
#if defined(__AVX512F__)
#define WF_VECTOR 64
#elif defined(__AVX__)
#define WF_VECTOR 32
#else
#define WF_VECTOR 16
#endif

/* Stores a vector to the aligned place `to`, past the caches where the machine can. */
typedef float wf_vector512 __attribute__((vector_size(64), may_alias));
typedef float wf_vector256 __attribute__((vector_size(32), may_alias));
typedef float wf_plain256 __attribute__((vector_size(32)));
typedef float wf_vector128 __attribute__((vector_size(16), may_alias));
static inline void wf_stream(void *to, const void *line) {
#if defined(__clang__)
  for (int i = 0; i < WF_VECTOR / 16; i += 1) __builtin_nontemporal_store(((const wf_vector128 *)line)[i], (wf_vector128 *)to + i);
#elif defined(__AVX512F__)
  __builtin_ia32_movntps512((float *)to, *(const wf_vector512 *)line);
#elif defined(__AVX__)
  __builtin_ia32_movntps256((float *)to, *(const wf_vector256 *)line);
#elif defined(__SSE__)
  __builtin_ia32_movntps((float *)to, *(const wf_vector128 *)line);
#else
  __builtin_memcpy(to, line, WF_VECTOR);
#endif
}

/* Stores a vector, or its first 32-bit words where it has more: the end of a row that is no whole vector. */
typedef int wf_words256 __attribute__((vector_size(32)));
static inline void wf_store_part(void *to, const void *line, int64_t words) {
  const int n = words < WF_VECTOR / 4 ? (int)words : WF_VECTOR / 4;
#if defined(__AVX512F__)
  __builtin_ia32_storeups512_mask((float *)to, *(const wf_vector512 *)line, (unsigned short)((1U << n) - 1));
#elif defined(__AVX__)
  const wf_words256 all = {n, n, n, n, n, n, n, n}, at = {0, 1, 2, 3, 4, 5, 6, 7};
  __builtin_ia32_maskstoreps256((wf_plain256 *)to, at < all, *(const wf_vector256 *)line);
#else
  __builtin_memcpy(to, line, 4 * (unsigned long)n);
#endif
}

/* Other threads see what was streamed before. */
static inline void wf_stream_end(void) {
#if defined(__x86_64__)
  __builtin_ia32_sfence();
#endif
}

static inline int64_t wf_least(int64_t a, int64_t b) { return a < b ? a : b; }

static inline int64_t wf_most(int64_t a, int64_t b) { return a > b ? a : b; }

#endif
