// op0: x 4 x y 4 points, f32
#include "wavefold.h"

enum { FIELD_u, FIELD_usave };

static int run(const wf_context *cx) {
  const int threads = (int)cx->threads;
  int status;

  float (*u)[6][32] = cx->fields[FIELD_u];

  for (int64_t t = cx->time_m; t <= cx->time_max; t += 1) {
    if ((status = wf_step(cx, t, 1)) != 0) return status;
    const int64_t t0 = t % 2;
    const int64_t t1 = (t + 1) % 2;
    const int64_t t2 = t;

    // u.forward = u + 1
    #pragma omp parallel num_threads(threads)
    {
      const wf_mode mode = wf_flush_denormals();
      #pragma omp for schedule(dynamic)
      for (int64_t x_tile = 0; x_tile < 4; x_tile += 2) {
        const int64_t x_end = x_tile + 2;
        for (int64_t x = x_tile; x < x_end; x += 1) {
          #pragma omp simd
          for (int64_t y = 0; y < 4; y += 1) {
            u[t1][x + 1][y + 16] = u[t0][x + 1][y + 16] + 1.0F;
          }
        }
      }
      wf_set_mode(mode);
    }

    // usave = u
    const int64_t k0 = wf_compress(cx, FIELD_usave, t2, FIELD_u, t0, 0);
    if (k0 < 0) return (int)-k0;
    if ((status = wf_wait(cx, k0)) != 0) return status;
  }
  return 0;
}

int wavefold_kernel(const wf_context *cx) {
  const wf_mode mode = wf_flush_denormals();
  const int status = run(cx);
  wf_set_mode(mode);
  return status;
}
