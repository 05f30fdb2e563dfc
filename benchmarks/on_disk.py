"""Training from disk next to training in memory: the rate of steps, and the largest resident memory of a run.

A .npy file of 20 GB (sparse, so that it takes no disk) and a folder of 100 Parquet shards, Burda's net at k = 50.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import interleaved
import jax
import machine
import numpy as np
import optax
import tables
from numpy.lib import format as npy
from step import model

from iwax import bounds, data, gradients, likelihoods, nn, posteriors, priors, runs, training
from iwax.data.on_disk import RowsOnDisk
from iwax.model import LatentVariableModel
from iwax.runs.reporter import Silent
from iwax.training.windows import windows

PIXELS, K, BATCH = 784, 50, 100
NPY_BYTES, SHARDS, SHARD_ROWS, COLUMNS = 20_000_000_000, 100, 100_000, 50
SEGMENT = 50  # steps of a compiled segment


def sparse(folder: Path) -> Path:
    """A .npy file of uint8 rows of which nothing takes disk: every pixel is 0."""
    rows = NPY_BYTES // PIXELS
    with (folder / "sparse.npy").open("wb") as stream:
        npy.write_array_header_1_0(stream, {"descr": "|u1", "fortran_order": False, "shape": (rows, PIXELS)})
        stream.truncate(stream.tell() + rows * PIXELS)
    return folder / "sparse.npy"


def parquet(folder: Path) -> Path:
    """Shards of float32 columns, ten row groups each: 2 GB, drawn from a Gaussian of few factors."""
    import pyarrow
    from pyarrow import parquet as written

    (folder / "shards").mkdir()
    factors = np.random.default_rng(0).normal(size=(5, COLUMNS)).astype(np.float32)
    for shard in range(SHARDS):
        random = np.random.default_rng(shard)
        rows = random.normal(size=(SHARD_ROWS, 5)).astype(np.float32) @ factors
        rows += random.normal(size=rows.shape).astype(np.float32)
        table = pyarrow.table({f"x{j}": rows[:, j] for j in range(COLUMNS)})
        written.write_table(table, folder / "shards" / f"{shard:03}.parquet", row_group_size=SHARD_ROWS // 10)
    return folder / "shards"


def peak(path: Path, seconds: float) -> None:
    """Train from a path as the command does, for some seconds, and print what it took: a process of its own."""
    begun, first = time.perf_counter(), []

    class Watch(Silent):
        def training(self, progress: training.Progress) -> None:
            first.append((time.perf_counter(), progress.step))

    def stop() -> bool:
        return bool(first) and time.perf_counter() - first[0][0] > seconds

    sets = [f"objective.k={K}", f"training.batch={BATCH}", "data.on_disk=true", "training.epochs=1"]
    with tempfile.TemporaryDirectory() as folder:
        config = runs.from_sources(data=str(path), sets=sets)
        run = runs.train(config, Path(folder, "run"), reporter=Watch(), stop=stop)
        rows = run.about.rows
    found = {"rows": rows, "before_first_step_seconds": first[0][0] - begun, "steps": first[-1][1] - first[0][1]}
    print(json.dumps({**found, "peak_resident_gb": machine.resident_peak() / 1e9}))


def steps_from(rows: Any, objective: gradients.Objective, net: Any) -> interleaved.Steps:
    """Further steps of the path of every run, in the windows that its rows come in."""
    plan = training.Plan(epochs=1000, batch=BATCH, seed=0, piece=training.rows_per_piece(BATCH, K))
    optimizer = optax.adam(1e-4)
    state = training.initial_state(net, optimizer, control=objective.init())
    advance = training.compile_segment(training.updates(objective, optimizer, plan, len(rows)), state)
    state = jax.tree.map(lambda leaf: jax.numpy.array(leaf) if isinstance(leaf, jax.Array) else leaf, state)
    read = windows(rows, plan)

    def run(steps: int) -> None:
        nonlocal state
        end = int(state.step) + steps
        while int(state.step) < end:
            found, order, stop = read.at(int(state.step))
            state, finite = advance(state, found, order, min(stop, end, int(state.step) + SEGMENT))
            if not finite:
                raise FloatingPointError("a loss was not finite")

    return run


def gaussian(features: int) -> LatentVariableModel:
    """A Gaussian model of as many real features, its networks as wide as Burda's."""
    of_decoder, of_encoder = jax.random.split(jax.random.key(0))
    return LatentVariableModel(
        prior=priors.StandardNormal(50),
        likelihood=likelihoods.Gaussian.of_network(nn.MLP(50, (200, 200), 2 * features, key=of_decoder, heads=2)),
        posterior=posteriors.Gaussian(nn.MLP(features, (200, 200), 100, key=of_encoder, heads=2)),
    )


def rates(path: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Interleaved timing of steps on rows from disk, and on the first 50,000 of them in memory."""
    rows = data.load(path, on_disk=True).train.values
    if not isinstance(rows, RowsOnDisk):
        raise TypeError(f"{path}: needed rows on disk")
    objective = gradients.Objective(gradients.pathwise(bounds.iwae), k=K)
    net = model(jax.random.key(0)) if rows.features == PIXELS else gaussian(rows.features)
    made: dict[str, Callable[[], interleaved.Steps]] = {
        "in memory": lambda: steps_from(np.asarray(rows[:50_000]), objective, net),
        "from disk": lambda: steps_from(rows, objective, net),
    }
    return interleaved.taken(made, "in memory", argparse.Namespace(**{**vars(options), "only": None}))


def main() -> None:
    """Measure, print the table, and save it where that is asked for."""
    parser = interleaved.parser((__doc__ or "").partition("\n")[0], "on_disk", batch=BATCH)
    parser.add_argument("--peak", type=Path, help="only train from this path, and print what it took")
    parser.add_argument("--seconds", type=float, default=60, help="that a run is trained for its peak of memory")
    options = parser.parse_args()
    if options.peak is not None:
        peak(options.peak, options.seconds)
        return
    threads = machine.use_processors(options.threads)
    result = machine.description(threads, ["iwax", "jax", "jaxlib", "grain", "pyarrow", "numpy"])
    result["data"] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, make in {"a .npy file": sparse, "Parquet shards": parquet}.items():
            if not options.only or any(word in name for word in options.only):
                result["data"][name] = measured(make(Path(folder)), options)
    print(tables.on_disk(result))
    if options.save:
        machine.save("on_disk", result)
        tables.write()


def measured(path: Path, options: argparse.Namespace) -> dict[str, Any]:
    """The sizes of data, the peak of a run on them in a process of its own, and the rates of steps."""
    files = [path] if path.is_file() else sorted(path.iterdir())
    command = [sys.executable, __file__, "--peak", str(path), "--seconds", str(options.seconds)]
    found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    print(found, file=sys.stderr)
    sizes = {"files": len(files), "bytes": sum(file.stat().st_size for file in files)}
    return {**sizes, "run": found, "steps": rates(path, options)}


if __name__ == "__main__":
    main()
