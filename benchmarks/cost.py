"""How the time and the memory of training grow with rows, features, draws and devices.

    python benchmarks/cost.py --save        ten minutes

Burda's one-layer network with as many pixels as asked for, batches of 100, pathwise gradients; one quantity is changed
at a time. Every point is a process of its own, whose peak of resident memory the system keeps; all points are taken in
turn, three times over. The devices are parts of one processor (``--xla_force_host_platform_device_count``): they show
what sharing the rows costs, not what further devices give.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, replace
from typing import Any

import jax
import machine
import network
import numpy as np
import optax
import tables
from step import model

from iwax import bounds, gradients, parallel, training


@dataclass(frozen=True)
class Point:
    """What is trained: rows of training data, features of a row, draws, devices."""

    rows: int = 10_000
    features: int = network.PIXELS
    k: int = 5
    devices: int = 1


BASE = Point()
GRID: dict[str, tuple[int, ...]] = {
    "rows": (1_000, 10_000, 100_000, 1_000_000),
    "features": (98, 784, 3_136, 12_544),
    "k": (1, 5, 50, 500),
    "devices": (1, 2, 4, 8),
}
POINTS = tuple(dict.fromkeys(replace(BASE, **{name: value}) for name, values in GRID.items() for value in values))
BATCH = 100


class Stopwatch:
    """An observer of training that stops it some seconds after its second segment, which is compiled by then."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.seen: list[tuple[float, int]] = []

    def segment(self, state: Any, progress: training.Progress) -> bool:
        """Note the time and the step; True when it has been long enough."""
        self.seen.append((time.perf_counter(), int(progress.step)))
        return len(self.seen) > 2 and self.seen[-1][0] - self.seen[1][0] > self.seconds

    def epoch(self, state: Any, row: Any) -> None:
        """Epochs are not told apart."""

    def improved(self, state: Any) -> None:
        """There are no validation data."""

    def milliseconds(self) -> float:
        """Of a step, since the second segment."""
        (begun, first), (ended, last) = self.seen[1], self.seen[-1]
        return 1e3 * (ended - begun) / (last - first)


def measured(point: Point, seconds: float) -> dict[str, float]:
    """Train at a point: milliseconds of a step, and the peak of this process's memory."""
    generator = np.random.default_rng(0)
    rows = np.empty((point.rows, point.features), np.uint8)
    for start in range(0, point.rows, 10_000):
        part = rows[start : start + 10_000]
        part[:] = generator.random(part.shape, dtype=np.float32) < 0.13
    objective = gradients.Objective(gradients.pathwise(bounds.iwae), k=point.k)
    optimizer, watch = optax.adam(1e-3), Stopwatch(seconds)
    piece = training.rows_per_piece(BATCH, point.k)
    plan = training.Plan(epochs=10**6, batch=BATCH, seed=0, piece=piece, segment_seconds=seconds / 8)
    with parallel.over(point.devices):
        state = training.initial_state(model(jax.random.key(0), point.features), optimizer)
        training.train(state, objective, rows, optimizer=optimizer, plan=plan, observer=watch)
    return {"milliseconds": watch.milliseconds(), "peak_bytes": peak_bytes()}


def peak_bytes() -> int:
    """The most that the memory of an accelerator has held; on a processor this process's resident peak."""
    held = jax.devices()[0].memory_stats()
    if held is not None:
        return held["peak_bytes_in_use"]
    return machine.resident_peak()


def in_a_process(point: Point, options: argparse.Namespace) -> dict[str, float]:
    """A point, measured in a process of its own with as many devices."""
    flags = f"--xla_force_host_platform_device_count={point.devices}"
    command = [sys.executable, __file__, "--point", json.dumps(asdict(point)), "--seconds", str(options.seconds)]
    found = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, env={**os.environ, "XLA_FLAGS": flags}
    )
    return json.loads(found.stdout)


def main() -> None:
    """Measure, print the table, and save it where that is asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0, help="that a point is timed for")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--point", type=json.loads, help="only measure this point, and print what it took")
    parser.add_argument("--save", action="store_true", help="write results/cost.json and the table of README.md")
    options = parser.parse_args()
    threads = machine.use_processors(options.threads)
    if options.point is not None:
        print(json.dumps(measured(Point(**options.point), options.seconds)))
        return
    result = machine.description(threads, ["iwax", "jax", "jaxlib", "numpy"])
    rounds = [[in_a_process(point, options) for point in POINTS] for _ in range(options.rounds)]
    base = POINTS.index(BASE)
    result |= {"batch": BATCH, "base": asdict(BASE), "grid": GRID, "points": []}
    for i, point in enumerate(POINTS):
        mine, those = ([every[j]["milliseconds"] for every in rounds] for j in (i, base))
        found = {"milliseconds": machine.summary(mine), "ratio": machine.ratios(mine, those)}
        result["points"].append(
            {**asdict(point), **found, "peak_bytes": max(every[i]["peak_bytes"] for every in rounds)}
        )
    print(tables.cost(result))
    if options.save:
        machine.save("cost", result)
        tables.write()


if __name__ == "__main__":
    main()
