//! How emitted C looks: the files in `tests/expected`. Set `WAVEFOLD_BLESS=1` to write them anew.

#[path = "../../../tests/support/harness.rs"]
mod harness;

use wavefold_backend_c::emit;

fn check(name: &str, text: &str) {
    let got = emit(&harness::program(text));
    let path = format!("{}/tests/expected/{name}.c", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("WAVEFOLD_BLESS").is_some() {
        std::fs::write(&path, &got).unwrap();
    }
    let want = std::fs::read_to_string(&path).unwrap();
    assert!(got == want, "{path} differs from what is printed now:\n{got}");
}

#[test]
fn a_save_that_is_compressed() {
    check(
        "save",
        "operator op0 f32 {
  dim x 4 spacing 1
  dim y 4 spacing 1
  field u buffered 2 halo 1 alloc (6, 32) pad (1, 16)
  field usave compressed 4 every 1 noop halo 0
  time ascending {
    slot 0 = t/1+0 % 2
    slot 1 = t/1+1 % 2
    slot 2 = t/1+0 % 0
    # u.forward = u + 1
    parallel tiles x by 2 {
      for x in tile {
        simd y {
          u[t+1, x, y] = u[t, x, y] + 1
        }
      }
    }
    # usave = u
    k0 = compress usave[t] <- u[t]
    wait k0
  }
}",
    );
}

#[test]
fn acoustic_waves_with_a_shot() {
    check(
        "acoustic",
        "operator acoustic f32 {
  dim x 101 spacing 10
  dim z 101 spacing 10
  scalar dt step
  field u buffered 3 halo 4 alloc (109, 144) pad (4, 16)
  field m space halo 0 alloc (101, 144) pad (0, 16)
  field damp space halo 0 alloc (101, 144) pad (0, 16)
  sparse src points 1 steps 300
  table src at node corners 4
  sparse rec points 101 steps 300
  table rec at node corners 4
  once r0 = 1/(dt*dt)
  once r1 = 0.5/dt
  time ascending {
    slot 0 = t/1+0 % 3
    slot 1 = t/1+1 % 3
    slot 2 = t/1-1 % 3
    # m*u.dt2 + damp*u.dt = u.laplace
    parallel tiles x by 16 {
      for x in tile {
        simd z {
          r2 = fma(0.013333333333333334, u[t, x-1, z] + u[t, x+1, z] + u[t, x, z-1] + u[t, x, z+1], \
           fma(-0.0008333333333333334, u[t, x-2, z] + u[t, x+2, z] + u[t, x, z-2] + u[t, x, z+2], -0.05*u[t, x, z]))
          u[t+1, x, z] = (r2 + r0*m[x, z]*(2*u[t, x, z] - u[t-1, x, z]) + r1*damp[x, z]*u[t-1, x, z])/\
           (r0*m[x, z] + r1*damp[x, z])
        }
      }
    }
    # u.forward += src*dt^2/m
    inject src -> u[t+1, x, z] += (src[t, p]*dt*dt)/m[x, z]
    # rec = u
    interpolate rec[t, p] = u[t, x, z]
  }
}",
    );
}
