"""Reference solutions of upwind convection, in plain numpy, in double precision.

    python3 convection2d.py DIRECTORY

writes `convection2d_so1.npz` and `convection2d_so2.npz`, and prints their entries of `manifest.json`.

so1: u_t + u u_x + v u_y = 0 and the same for v, with one-sided differences of first order: upwind where u, v > 0
     (LeVeque 2002, section 4.9). Points of the edges keep 1.
so2: u_t + a u_x + b u_y = 0 about the centre of the grid, a = -(y - 0.5), b = x - 0.5, with one-sided differences of
     second order, (3 u_i - 4 u_(i-1) + u_(i-2))/(2 h) where the speed is positive and its mirror image elsewhere
     (Warming and Beam 1976). The two outermost points of each side keep their values.
Both step forward in time with Euler's method.
"""

import json
import sys

import numpy as np


def nonlinear(n, h, dt, nt, u, v):
    for _ in range(nt):
        old_u, old_v = u.copy(), v.copy()
        for f, old in ((u, old_u), (v, old_v)):
            dx = (old[1:-1, 1:-1] - old[:-2, 1:-1]) / h
            dy = (old[1:-1, 1:-1] - old[1:-1, :-2]) / h
            f[1:-1, 1:-1] = old[1:-1, 1:-1] - dt * (old_u[1:-1, 1:-1] * dx + old_v[1:-1, 1:-1] * dy)
    return u, v


def rotation(n, h, dt, nt, u, a, b):
    c = slice(2, -2)
    for _ in range(nt):
        o = u.copy()
        m = o[c, c]
        left_x = (3 * m - 4 * o[1:-3, c] + o[:-4, c]) / (2 * h)
        right_x = -(3 * m - 4 * o[3:-1, c] + o[4:, c]) / (2 * h)
        left_y = (3 * m - 4 * o[c, 1:-3] + o[c, :-4]) / (2 * h)
        right_y = -(3 * m - 4 * o[c, 3:-1] + o[c, 4:]) / (2 * h)
        dx = np.where(a[c, c] > 0, left_x, right_x)
        dy = np.where(b[c, c] > 0, left_y, right_y)
        u[c, c] = m - dt * (a[c, c] * dx + b[c, c] * dy)
    return u


def main(directory):
    n, h = 61, 1.0 / 60.0
    x = np.arange(n) * h
    x, y = np.meshgrid(x, x, indexing="ij")
    entries = {}

    u0 = 1.0 + np.exp(-((x - 0.3) ** 2 + (y - 0.4) ** 2) / 0.01)
    v0 = 1.0 + 0.5 * np.exp(-((x - 0.35) ** 2 + (y - 0.3) ** 2) / 0.02)
    for f in (u0, v0):
        f[0, :] = f[-1, :] = f[:, 0] = f[:, -1] = 1.0
    dt, nt = 0.2 * h, 70
    u, v = nonlinear(n, h, dt, nt, u0.copy(), v0.copy())
    save(directory, entries, "convection2d_so1", dict(dt=dt, nt=nt), n, h, u0=u0, v0=v0, u=u, v=v)

    u0 = np.exp(-((x - 0.5) ** 2 + (y - 0.3) ** 2) / 0.01)
    a, b = -(y - 0.5), x - 0.5
    dt, nt = 0.1 * h, 200
    u = rotation(n, h, dt, nt, u0.copy(), a, b)
    save(directory, entries, "convection2d_so2", dict(dt=dt, nt=nt), n, h, u0=u0, u=u)
    print(json.dumps(entries, indent=1))


def save(directory, entries, name, numbers, n, h, **arrays):
    path = f"{directory}/{name}.npz"
    np.savez_compressed(path, **arrays)
    shapes = {key: list(value.shape) for key, value in arrays.items()}
    entries[name] = dict(shape=[n, n], spacing=[h, h], **numbers, arrays=shapes)


if __name__ == "__main__":
    main(sys.argv[1])
