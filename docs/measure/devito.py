"""Devito's side of docs/measure/devito.sh: the problems of `wavefold bench`, on the same grids, in Devito.

    python devito.py CASE --so N --shape AxBxC --steps N --threads N

Prepares the case, tunes it, makes the first step, and prints one JSON object. Then each line on standard input is answered
by a timed run of all steps and one JSON object. Ends with its standard input.

Code is compiled anew: nothing of an earlier process is used.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time

SPACING = 10.0
RECEIVERS = 1000


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("case", choices=sorted(CASES))
    parser.add_argument("--so", type=int, required=True)
    parser.add_argument("--shape", type=lambda s: tuple(map(int, s.split("x"))), required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--tune", default="aggressive", choices=["off", "basic", "aggressive", "max"])
    return parser.parse_args()


class Problem:
    """Equations with the arguments of a run, and what is set to its start before each."""

    def __init__(self, grid, equations, start, **run):
        self.grid, self.equations, self.start, self.run = grid, equations, start, run


def box(shape, spacing=SPACING):
    return dv.Grid(shape=shape, extent=tuple(spacing * (n - 1) for n in shape), dtype=np.float32)


def at_rest(*fields):
    def start():
        for f in fields:
            f.data[:] = 0.0

    return start


def sponge(shape, velocity):
    """The damping of `wavefold bench`: quadratic in absorbing layers of 20 points (3-D: 10), added up."""
    width = min(20 if len(shape) == 2 else 10, min(shape) // 4)
    damp = np.zeros(shape, dtype=np.float32)
    for axis, n in enumerate(shape):
        i = np.arange(n)
        depth = np.maximum(width - i, 0) + np.maximum(i + 1 + width - n, 0)
        profile = 3.0 * np.log(1e3) / (velocity * width * SPACING) * (depth / width) ** 2 if width else 0.0 * i
        damp += profile.astype(np.float32).reshape([-1 if k == axis else 1 for k in range(len(shape))])
    return damp


def parameter(name, grid, values, order):
    """A parameter with its values in equal layers along the last axis, the last of them beyond, its halo filled."""
    f = dv.Function(name=name, grid=grid, space_order=order)
    profile = np.array(values, dtype=np.float32)[np.arange(grid.shape[-1]) * len(values) // grid.shape[-1]]
    f.data_with_halo[:] = values[-1]
    f.data[:] = np.broadcast_to(profile, grid.shape)
    return f


def shot(grid, steps, dt):
    """A source off the points near the middle, a Ricker wavelet of 10 Hz, and receivers on a line along the first axis."""
    source = dv.SparseTimeFunction(name="src", grid=grid, npoint=1, nt=steps + 2)
    source.coordinates.data[0, :] = [e / 2 + 3.3 for e in grid.extent]
    x = (np.pi * 0.010 * (np.arange(steps + 2) * dt - 100.0)) ** 2
    source.data[:, 0] = (1 - 2 * x) * np.exp(-x)
    receivers = dv.SparseTimeFunction(name="rec", grid=grid, npoint=RECEIVERS, nt=steps + 2)
    for axis, e in enumerate(grid.extent):
        along = np.linspace(0.1 * e, 0.9 * e, RECEIVERS)
        receivers.coordinates.data[:, axis] = along if axis == 0 else 0.37 * e + 1.7
    return source, receivers


def acoustic(a):
    grid = box(a.shape)
    u = dv.TimeFunction(name="u", grid=grid, time_order=2, space_order=a.so)
    # An injected expression needs functions of order 1.
    m = parameter("m", grid, [1 / 1.5**2, 1 / 2.5**2, 1 / 3.5**2], 1)
    damp = dv.Function(name="damp", grid=grid, space_order=0)
    damp.data[:] = sponge(a.shape, 3.5)
    dt = 0.3 * SPACING / 3.5
    source, receivers = shot(grid, a.steps, dt)
    s = grid.stepping_dim.spacing
    update = dv.Eq(u.forward, dv.solve(m * u.dt2 - u.laplace + damp * u.dt, u.forward))
    equations = [update, source.inject(field=u.forward, expr=source * s**2 / m), receivers.interpolate(expr=u)]
    return Problem(grid, equations, at_rest(u), dt=dt, time_m=1, time_M=a.steps)


def tti(a):
    grid = box(a.shape)
    p, q = (dv.TimeFunction(name=n, grid=grid, time_order=2, space_order=a.so) for n in ("p", "q"))
    names = {"m": [1 / 2.25, 1 / 6.25], "epsilon": [0.1, 0.24], "delta": [0.05, 0.1], "theta": [0.2, 0.6], "phi": [0.3, 0.7]}
    m, epsilon, delta, theta, phi = (parameter(n, grid, v, a.so) for n, v in names.items())
    damp = dv.Function(name="damp", grid=grid, space_order=0)
    damp.data[:] = sponge(a.shape, 2.5)
    sin, cos = dv.sin(theta), dv.cos(theta)
    axis = [sin * dv.cos(phi), sin * dv.sin(phi), cos] if len(a.shape) == 3 else [sin, cos]

    def along(f):
        """The second derivative along the axis: half the order, halfway between the points."""
        up = sum(c * f.diff(d, fd_order=a.so // 2, x0={d: d + d.spacing / 2}) for d, c in zip(grid.dimensions, axis))
        return sum(
            (c * up).diff(d, fd_order=a.so // 2, x0={d: d - d.spacing / 2}) for d, c in zip(grid.dimensions, axis)
        )

    across, vertical = p.laplace - along(p), along(q)
    normal, moveout = 1 + 2 * epsilon, dv.sqrt(1 + 2 * delta)
    force_p, force_q = normal * across + moveout * vertical, moveout * across + vertical
    dt = 0.3 * SPACING / (2.5 * np.sqrt(1.48))
    source, receivers = shot(grid, a.steps, dt)
    s = grid.stepping_dim.spacing
    equations = [
        dv.Eq(p.forward, dv.solve(m * p.dt2 + damp * p.dt - force_p, p.forward)),
        dv.Eq(q.forward, dv.solve(m * q.dt2 + damp * q.dt - force_q, q.forward)),
        source.inject(field=p.forward, expr=source * s**2 / m),
        source.inject(field=q.forward, expr=source * s**2 / m),
        receivers.interpolate(expr=p + q),
    ]
    return Problem(grid, equations, at_rest(p, q), dt=dt, time_m=1, time_M=a.steps)


def elastic(a):
    grid = box(a.shape)
    v = dv.VectorTimeFunction(name="v", grid=grid, space_order=a.so, time_order=1)
    stress = dv.TensorTimeFunction(name="t", grid=grid, space_order=a.so, time_order=1)
    names = {"lam": [4.0, 7.73], "mu": [2.0, 6.94], "b": [0.5, 1 / 2.4]}
    lam, mu, buoyancy = (parameter(n, grid, values, a.so) for n, values in names.items())
    damp = dv.Function(name="damp", grid=grid, space_order=a.so)
    damp.data[:] = sponge(a.shape, 3.0)
    s = grid.stepping_dim.spacing
    taper = 1 - s * damp
    strain = dv.grad(v.forward)
    rate = lam * dv.diag(dv.div(v.forward)) + mu * (strain + strain.transpose(inner=False))
    dt = 0.4 * SPACING / (3.0 * np.sqrt(len(a.shape)))
    source, receivers = shot(grid, a.steps, dt)
    equations = [
        dv.Eq(v.forward, taper * (v + s * buoyancy * dv.div(stress))),
        dv.Eq(stress.forward, taper * (stress + s * rate)),
    ]
    for component in stress.forward.diagonal():
        equations.append(source.inject(field=component, expr=source * s))
    equations.append(receivers.interpolate(expr=dv.div(v)))
    fields = [*v, *{f.name: f for f in stress}.values()]
    return Problem(grid, equations, at_rest(*fields), dt=dt, time_m=0, time_M=a.steps - 1)


def heat(a):
    grid = box(a.shape, 1.0)
    u = dv.TimeFunction(name="u", grid=grid, space_order=a.so)
    rate = dv.Constant(name="a", value=1.0)

    def start():
        u.data[:] = 0.0
        u.data[(slice(None), *(slice(n // 2 - 3, n // 2 + 4) for n in a.shape))] = 1e-3

    equation = dv.Eq(u.forward, dv.solve(u.dt - rate * u.laplace, u.forward))
    dt = 0.9 * 2 / (4.0 * len(a.shape))
    return Problem(grid, [equation], start, dt=dt, a=1.0, time_m=0, time_M=a.steps - 1)


def burgers(a):
    """Upwind convection, centred diffusion, and edges that stay 1."""
    grid = dv.Grid(shape=a.shape, extent=(2.0, 2.0), dtype=np.float32)
    (x, y), t = grid.dimensions, grid.stepping_dim
    u, v = (dv.TimeFunction(name=n, grid=grid, space_order=2) for n in ("u", "v"))
    nu = dv.Constant(name="nu", value=0.01)
    equations = []
    for f in (u, v):
        back = {d: (f - f.subs(d, d - d.spacing)) / d.spacing for d in (x, y)}
        rate = nu * f.laplace - (u * back[x] + v * back[y])
        equations.append(dv.Eq(f.forward, f + t.spacing * rate, subdomain=grid.interior))
    last = [n - 1 for n in a.shape]
    for f in (u, v):
        for at in ((0, y), (last[0], y), (x, 0), (x, last[1])):
            equations.append(dv.Eq(f[(t + 1, *at)], 1.0))

    def start():
        for f in (u, v):
            f.data[:] = 1.0
            f.data[(slice(None), *(slice(n // 4, n // 2) for n in a.shape))] = 2.0

    h = min(grid.spacing)
    dt = 0.5 / (2 * 2.0 / h + 4 * 0.01 / h**2)
    return Problem(grid, equations, start, dt=dt, nu=0.01, time_m=0, time_M=a.steps - 1)


CASES = {
    "acoustic2d": acoustic,
    "acoustic3d": acoustic,
    "tti2d": tti,
    "tti3d": tti,
    "elastic2d": elastic,
    "elastic3d": elastic,
    "heat3d": heat,
    "burgers2d": burgers,
}


def tuned(op, problem, a):
    """The block sizes that Devito's autotuner finds, so that no timed run pays for the search."""
    if a.tune == "off":
        return {}
    short = {**problem.run, "time_M": min(problem.run["time_M"], problem.run["time_m"] + 9)}
    op.apply(autotune=(a.tune, "destructive"), nthreads=a.threads, **short)
    found = {}
    for state in op._state.get("autotuning", []):
        found.update({k: int(v) for k, v in state.get("tuned", {}).items() if k != "nthreads"})
    return found


def answer(**values):
    print(json.dumps(values), flush=True)


def main(a, imported):
    begin = time.perf_counter()
    problem = CASES[a.case](a)
    lower = time.perf_counter()
    op = dv.Operator(problem.equations, subs=problem.grid.spacing_map, name="Kernel")
    compile = time.perf_counter()
    op.cfunction
    step = time.perf_counter()
    op.apply(autotune="off", nthreads=a.threads, **{**problem.run, "time_M": problem.run["time_m"]})
    first = time.perf_counter()
    blocks = tuned(op, problem, a)
    answer(
        devito=dv.__version__,
        import_seconds=imported,
        first_step_seconds=first - begin,
        lower_seconds=compile - lower,
        compile_seconds=step - compile,
        tune_seconds=time.perf_counter() - first,
        blocks=blocks,
    )
    points = int(np.prod(a.shape))
    for _ in sys.stdin:
        problem.start()
        run = op.arguments(autotune="off", nthreads=a.threads, **problem.run, **blocks)
        values = [run[p.name] for p in op.parameters]
        # The compiled function alone: what `apply` does in Python around it does not count, and its own times are rounded.
        wall, cpu = time.perf_counter(), time.process_time()
        op.cfunction(*values)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        answer(seconds=wall, gpts_per_s=a.steps * points / wall / 1e9, cpu_utilisation=cpu / (wall * a.threads))


if __name__ == "__main__":
    options = arguments()
    folder = tempfile.mkdtemp(prefix="wavefold-devito-")
    tempfile.tempdir = folder
    os.environ.update(TMPDIR=folder, DEVITO_LANGUAGE="openmp", DEVITO_LOGGING="ERROR")
    os.environ["OMP_NUM_THREADS"] = str(options.threads)
    begin = time.perf_counter()
    # This file has the name of the package, and its folder comes first.
    del sys.path[0]
    import devito as dv
    import numpy as np

    try:
        main(options, time.perf_counter() - begin)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
