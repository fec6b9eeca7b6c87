// acoustic: x 101 x z 101 points, f32
#include "wavefold.h"

enum { FIELD_u, FIELD_m, FIELD_damp };
enum { SCALAR_dt };
enum { SPARSE_src, SPARSE_rec };

static int run(const wf_context *cx) {
  const double dt_f64 = cx->scalars[SCALAR_dt];
  const float dt = (float)dt_f64;
  const double r0_f64 = 1.0/(dt_f64*dt_f64);
  const float r0 = (float)r0_f64;
  const double r1_f64 = 0.5/dt_f64;
  const float r1 = (float)r1_f64;
  const int threads = (int)cx->threads;
  int status;

  float (*restrict u)[109][144] = cx->fields[FIELD_u];
  const float (*restrict m)[144] = cx->fields[FIELD_m];
  const float (*restrict damp)[144] = cx->fields[FIELD_damp];
  float (*src)[1] = cx->sparse[SPARSE_src].values;
  float (*rec)[101] = cx->sparse[SPARSE_rec].values;
  const int32_t *src_cells = cx->tables[0].cells;
  const float *src_weights = cx->tables[0].weights;
  const int32_t *rec_cells = cx->tables[1].cells;
  const float *rec_weights = cx->tables[1].weights;

  for (int64_t t = cx->time_m; t <= cx->time_max; t += 1) {
    if ((status = wf_step(cx, t, 1)) != 0) return status;
    const int64_t t0 = t % 3;
    const int64_t t1 = (t + 1) % 3;
    const int64_t t2 = (t + 2) % 3;

    // m*u.dt2 + damp*u.dt = u.laplace
    #pragma omp parallel num_threads(threads)
    {
      const wf_mode mode = wf_flush_denormals();
      #pragma omp for schedule(dynamic)
      for (int64_t x_tile = 0; x_tile < 101; x_tile += 16) {
        const int64_t x_end = wf_least(x_tile + 16, 101);
        for (int64_t x = x_tile; x < x_end; x += 1) {
          #pragma omp simd
          for (int64_t z = 0; z < 96; z += 1) {
            const float r2 = fmaf(0.013333334F, u[t0][x + 3][z + 16] + u[t0][x + 5][z + 16]
                + u[t0][x + 4][z + 15] + u[t0][x + 4][z + 17], fmaf(-0.00083333335F, u[t0][x + 2][z + 16]
                + u[t0][x + 6][z + 16] + u[t0][x + 4][z + 14] + u[t0][x + 4][z + 18],
                -0.05F*u[t0][x + 4][z + 16]));
            u[t1][x + 4][z + 16] = (r2 + r0*m[x][z + 16]*(2.0F*u[t0][x + 4][z + 16] - u[t2][x + 4][z + 16])
                + r1*damp[x][z + 16]*u[t2][x + 4][z + 16])/(r0*m[x][z + 16] + r1*damp[x][z + 16]);
          }
          for (int64_t z_vector = 96; z_vector < 101; z_vector += WF_VECTOR/4) {
            _Alignas(64) float wf_value0[WF_VECTOR/4];
            #pragma omp simd
            for (int64_t z = z_vector; z < z_vector + WF_VECTOR/4; z += 1) {
              const float r2 = fmaf(0.013333334F, u[t0][x + 3][z + 16] + u[t0][x + 5][z + 16]
                  + u[t0][x + 4][z + 15] + u[t0][x + 4][z + 17], fmaf(-0.00083333335F, u[t0][x + 2][z + 16]
                  + u[t0][x + 6][z + 16] + u[t0][x + 4][z + 14] + u[t0][x + 4][z + 18],
                  -0.05F*u[t0][x + 4][z + 16]));
              wf_value0[z - z_vector] = (r2 + r0*m[x][z + 16]*(2.0F*u[t0][x + 4][z + 16]
                  - u[t2][x + 4][z + 16]) + r1*damp[x][z + 16]*u[t2][x + 4][z + 16])/(r0*m[x][z + 16]
                  + r1*damp[x][z + 16]);
            }
            wf_store_part(&u[t1][x + 4][z_vector + 16], wf_value0, 101 - z_vector);
          }
        }
      }
      wf_set_mode(mode);
    }

    // u.forward += src*dt^2/m
    for (int64_t p = 0; p < 1; p += 1) {
      for (int64_t c = 4*p; c < 4*p + 4; c += 1) {
        const int64_t x = src_cells[2*c], z = src_cells[2*c + 1];
        if (src_weights[c] != 0) u[t1][x + 4][z + 16] += src_weights[c]*((src[t][p]*dt*dt)/m[x][z + 16]);
      }
    }

    // rec = u
    for (int64_t p = 0; p < 101; p += 1) {
      float sum = 0;
      for (int64_t c = 4*p; c < 4*p + 4; c += 1) {
        const int64_t x = rec_cells[2*c], z = rec_cells[2*c + 1];
        if (rec_weights[c] != 0) sum = fmaf(rec_weights[c], u[t0][x + 4][z + 16], sum);
      }
      rec[t][p] = sum;
    }
  }
  return 0;
}

int wavefold_kernel(const wf_context *cx) {
  const wf_mode mode = wf_flush_denormals();
  const int status = run(cx);
  wf_set_mode(mode);
  return status;
}
