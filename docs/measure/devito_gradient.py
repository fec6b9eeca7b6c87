"""Devito's side of docs/measure/gradient.sh: the gradient of one shot, as `wavefold bench gradient` computes it, in Devito.

    python devito_gradient.py MODE --so N --shape AxBxC --steps N --threads N

MODE is `full`, which keeps u of every step, or the number of checkpoints of u from which the other steps are computed again
(pyrevolve, in memory). Prepares the case, tunes and compiles, and prints one JSON object. Then each line on standard input is
answered by a timed gradient and one JSON object. Ends with its standard input.

Grid, time step, absorbing layers, wavelet, source and receivers are those of `wavefold bench gradient`; the velocity is a
smooth trend of the same range, since the values of a model change no time. What drives the adjoint is the recording.
"""

import argparse
import json
import os
import resource
import shutil
import sys
import tempfile
import time

SPACING, FREQUENCY = 10.0, 0.015  # m, kHz
SLOWEST, FASTEST = 1.5, 4.5  # km/s
WIDTH = 10  # points of the absorbing layers


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("mode", help="full, or a number of checkpoints")
    parser.add_argument("--so", type=int, required=True)
    parser.add_argument("--shape", type=lambda s: tuple(map(int, s.split("x"))), required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    return parser.parse_args()


def sponge(shape):
    """Quadratic damping in absorbing layers, added up where they meet."""
    width = min(WIDTH, min(shape) // 4)
    damp = np.zeros(shape, dtype=np.float32)
    for axis, n in enumerate(shape):
        i = np.arange(n)
        depth = np.maximum(width - i, 0) + np.maximum(i + 1 + width - n, 0)
        profile = 3.0 * np.log(1e3) / (FASTEST * width * SPACING) * (depth / width) ** 2
        damp += profile.astype(np.float32).reshape([-1 if k == axis else 1 for k in range(len(shape))])
    return damp


def stable_step(order, rank):
    """Seven tenths of the limit of the leapfrog scheme, in ms."""
    weights = [float(w) for w in sympy.finite_diff_weights(2, range(-order // 2, order // 2 + 1), 0)[-1][-1]]
    return 0.7 * 2.0 / (FASTEST * np.sqrt(rank * sum(map(abs, weights)) / SPACING**2))


class Gradient:
    """The fields of one shot, and the operators of its gradient."""

    def __init__(self, a):
        self.steps, self.threads, self.full = a.steps, a.threads, a.mode == "full"
        grid = dv.Grid(shape=a.shape, extent=tuple(SPACING * (n - 1) for n in a.shape), dtype=np.float32)
        self.dt = stable_step(a.so, len(a.shape))
        wave = dict(grid=grid, time_order=2, space_order=a.so)
        saved = dict(save=a.steps + 2) if self.full else {}
        self.u = u = dv.TimeFunction(name="u", **wave, **saved)
        self.v = v = dv.TimeFunction(name="v", **wave)
        self.grad = grad = dv.Function(name="grad", grid=grid, space_order=0)
        m = dv.Function(name="m", grid=grid, space_order=1)
        m.data[:] = 1 / np.linspace(SLOWEST, FASTEST, a.shape[-1], dtype=np.float32) ** 2
        damp = dv.Function(name="damp", grid=grid, space_order=0)
        damp.data[:] = sponge(a.shape)
        self.shot(grid, a.shape)
        s = grid.stepping_dim.spacing
        forward = [
            dv.Eq(u.forward, dv.solve(m * u.dt2 - u.laplace + damp * u.dt, u.forward)),
            self.source.inject(field=u.forward, expr=self.source * s**2 / m),
            self.receivers.interpolate(expr=u),
        ]
        adjoint = [
            dv.Eq(v.backward, dv.solve(m * v.dt2 - v.laplace + damp * v.dt.T, v.backward)),
            self.residual.inject(field=v.backward, expr=self.residual * s**2 / m),
            dv.Inc(grad, -u * v.dt2),
        ]
        self.forward = dv.Operator(forward, subs=grid.spacing_map, name="Forward")
        self.adjoint = dv.Operator(adjoint, subs=grid.spacing_map, name="Adjoint")

    def shot(self, grid, shape):
        """A source in the middle of the surface, 4 points down, and receivers at every fourth point, 6 points down."""
        first = min(WIDTH, min(shape) // 4)
        lines = [SPACING * np.arange(first, n - first, 4) for n in shape[:-1]]
        places = np.stack([x.ravel() for x in np.meshgrid(*lines, indexing="ij")], axis=1)
        samples = self.steps + 2
        self.source = dv.SparseTimeFunction(name="src", grid=grid, npoint=1, nt=samples)
        self.source.coordinates.data[0, :] = [*(e / 2 for e in grid.extent[:-1]), (first + 4) * SPACING]
        x = (np.pi * FREQUENCY * (np.arange(samples) * self.dt - 1 / FREQUENCY)) ** 2
        self.source.data[:, 0] = (1 - 2 * x) * np.exp(-x)
        for name in ("receivers", "residual"):
            points = dv.SparseTimeFunction(name=name, grid=grid, npoint=len(places), nt=samples)
            points.coordinates.data[:, :-1] = places
            points.coordinates.data[:, -1] = (first + 6) * SPACING
            setattr(self, name, points)

    def start(self):
        self.v.data_with_halo[:] = 0.0
        self.grad.data[:] = 0.0
        # All time levels, or those that a run with a history begins from.
        self.u.data_with_halo[:3] = 0.0

    def run(self, op, **more):
        return op.apply(dt=self.dt, autotune="off", nthreads=self.threads, **more)

    def tune(self):
        """The block sizes that Devito's autotuner finds for an operator, so that no timed run pays for the search."""
        for op in (self.forward, self.adjoint):
            few = dict(dt=self.dt, time_m=1, time_M=min(self.steps, 10))
            op.apply(autotune=("aggressive", "destructive"), nthreads=self.threads, **few)
            blocks = {}
            for state in op._state.get("autotuning", []):
                blocks.update({k: int(n) for k, n in state.get("tuned", {}).items() if k != "nthreads"})
            yield blocks

    def measured(self, mode, tuned):
        """Seconds of the forward and of the adjoint run."""
        self.start()
        begin = time.perf_counter()
        if self.full:
            self.run(self.forward, time_m=1, time_M=self.steps, **tuned[0])
            middle = time.perf_counter()
            self.run(self.adjoint, time_m=1, time_M=self.steps, **tuned[1])
        else:
            from pyrevolve.pyrevolve import MemoryRevolver

            common = dict(dt=self.dt, autotune="off", nthreads=self.threads)
            there = dv.CheckpointOperator(self.forward, u=self.u, **common, **tuned[0])
            back = dv.CheckpointOperator(self.adjoint, u=self.u, v=self.v, **common, **tuned[1])
            revolver = MemoryRevolver(dv.DevitoCheckpoint([self.u]), there, back, int(mode), self.steps)
            revolver.apply_forward()
            middle = time.perf_counter()
            revolver.apply_reverse()
        return middle - begin, time.perf_counter() - middle


def answer(**values):
    print(json.dumps(values), flush=True)


def resident():
    """Bytes that are in memory now."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def main(a):
    gradient = Gradient(a)
    # What a history costs counts from all fields on, with three time levels of u, whose memory is made below.
    gradient.v.data[:], gradient.grad.data[:] = 0.0, 0.0
    base = resident() + 3 * 4 * int(np.prod(gradient.u.shape_allocated[1:]))
    tuned = list(gradient.tune())
    gradient.start()
    gradient.run(gradient.forward, time_m=1, time_M=a.steps, **tuned[0])
    gradient.residual.data[:] = gradient.receivers.data
    answer(devito=dv.__version__, blocks=tuned)
    for _ in sys.stdin:
        cpu = time.process_time()
        forward, adjoint = gradient.measured(a.mode, tuned)
        cpu = time.process_time() - cpu
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        answer(
            forward_seconds=forward,
            adjoint_seconds=adjoint,
            seconds=forward + adjoint,
            cpu_utilisation=cpu / ((forward + adjoint) * a.threads),
            peak_rss_bytes=max(0, peak - base),
            norm=float(np.linalg.norm(gradient.grad.data)),
        )


if __name__ == "__main__":
    options = arguments()
    folder = tempfile.mkdtemp(prefix="wavefold-devito-")
    tempfile.tempdir = folder
    os.environ.update(TMPDIR=folder, DEVITO_LANGUAGE="openmp", DEVITO_LOGGING="ERROR")
    os.environ["OMP_NUM_THREADS"] = str(options.threads)
    # A file of this folder has the name of the package.
    del sys.path[0]
    import devito as dv
    import numpy as np
    import sympy

    try:
        main(options)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
