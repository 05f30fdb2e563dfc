"""Rows a second of `iwax score` on a table of many files: one process, and workers of Ray of which one is killed.

    python benchmarks/large_table.py --rows 10000000 --save

Eleven columns, in files of a million rows at most. The model is trained for an epoch on rows of its own. Both results
must have the same bytes, though a worker is killed after the first block that is written.
"""

import argparse
import json
import os
import signal
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import machine
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tables

from iwax import blocks, runs
from iwax.runs.reporter import Silent

PER_FILE = 1_000_000
TRAINED = 10_000  # rows


def table(rows: int, number: int) -> pa.Table:
    """Rows of nine real columns of two factors, of whose cells a twentieth are missing, and two of texts."""
    rng, loadings = np.random.default_rng(number + 1), np.random.default_rng(0).normal(size=(2, 9))
    z = rng.normal(size=(rows, 2))
    x = z @ loadings + 0.3 * rng.normal(size=(rows, 9))
    missing = rng.random((rows, 9)) < 0.05
    columns = {f"x{i}": pa.array(x[:, i], mask=missing[:, i]) for i in range(9)}
    columns["colour"] = pa.array(np.array(["red", "green", "blue"])[np.digitize(z[:, 0], [-0.5, 0.5])])
    return pa.table({**columns, "flag": pa.array(np.where(z[:, 1] > 0, "yes", "no"))})


def prepared(folder: Path, rows: int) -> tuple[runs.Run, list[Path]]:
    """A trained run, and the files."""
    pq.write_table(table(TRAINED, -1), folder / "train.parquet")
    sets = ["training.epochs=1", "evaluation.k=10", "evaluation.limit=10"]
    config = runs.from_sources(data=str(folder / "train.parquet"), sets=sets)
    runs.train(config, folder / "run", reporter=Silent())
    files = []
    for number, start in enumerate(range(0, rows, PER_FILE)):
        files.append(folder / f"part-{number:03}.parquet")
        pq.write_table(table(min(PER_FILE, rows - start), number), files[-1])
    return runs.open_run(folder / "run"), files


def workers() -> list[int]:
    """The workers of Ray that descend from this process."""
    parents, names = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            names[int(folder.name)] = (folder / "cmdline").read_text()
        except OSError:
            continue

    def ours(process: int) -> bool:
        return process == os.getpid() or (process in parents and ours(parents[process]))

    return [process for process, name in names.items() if name.startswith("ray::MapWorker") and ours(process)]


def kill_one(folder: Path) -> None:
    """Kill a worker when the first block is written."""
    while not list(folder.glob("*.parquet")):
        time.sleep(0.1)
    os.kill(workers()[0], signal.SIGKILL)


def measured(run: runs.Run, files: list[Path], into: Path, engine: Any, options: argparse.Namespace) -> dict[str, Any]:
    """Seconds from the first reading to the last file, and the digests of what was written."""
    start = time.perf_counter()
    how = {
        "rows": options.block_rows,
        "engine": engine,
        "progress": lambda done, total: print(f"{done:,} of {total:,}"),
    }
    blocks.apply(blocks.Score(0, k=options.k), run, files, into, **how)
    written = json.loads((into / "manifest.json").read_text())["outputs"]
    return {"seconds": time.perf_counter() - start, "written": {each["file"]: each["sha256"] for each in written}}


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--k", type=int, default=10)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--block-rows", type=int, default=100_000)
    parser.add_argument("--save", action="store_true", help="write results/large_table.json and the table of README.md")
    return parser.parse_args()


def main() -> None:
    """Measure, compare, print the table, and save it where that is asked for."""
    options = parsed()
    result = machine.description(os.cpu_count() or 1, ["iwax", "jax", "jaxlib", "numpy", "ray", "pyarrow"])
    result |= {"rows": options.rows, "columns": 11, "k": options.k, "workers": options.workers}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        run, files = prepared(folder, options.rows)
        alone = measured(run, files, folder / "alone", blocks.Process(), options)
        threading.Thread(target=kill_one, args=(folder / "ray",), daemon=True).start()
        on_ray = measured(run, files, folder / "ray", blocks.OnRay(options.workers), options)
    if alone["written"] != on_ray["written"]:
        raise RuntimeError("the workers of Ray have written other bytes than the one process")
    result |= {"files": len(alone["written"]), "seconds": {"process": alone["seconds"], "ray": on_ray["seconds"]}}
    print(tables.large_table(result))
    if options.save:
        machine.save("large_table", result)
        tables.write()


if __name__ == "__main__":
    main()
