"""The peak memory of `iwax evaluate` as k grows.

    python benchmarks/memory.py --save

Trains a model for an epoch, then evaluates 100 images at every k in a process of its own, whose peak of resident memory
the system keeps. This script stays small itself, because a child's peak starts at its parent's size.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import machine
import tables


def iwax(*arguments: str) -> dict[str, float]:
    """Run the program; its time, and the peak of its resident memory as the system counted it."""
    program = "from iwax.cli import main; main()"
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", program, *arguments], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"iwax {' '.join(arguments)} ended with exit code {process.returncode}")
    unit = 1 if sys.platform == "darwin" else 1024
    return {"seconds": time.perf_counter() - start, "peak_bytes": usage.ru_maxrss * unit}


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", default="digits", help="what the model is trained on")
    parser.add_argument("--limit", type=int, default=100, help="images evaluated")
    parser.add_argument("--k", type=int, nargs="+", default=[10_000, 1_000_000])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--save", action="store_true", help="write results/memory.json and the table of README.md")
    return parser.parse_args()


def main() -> None:
    """Measure, print the table, and save it where that is asked for."""
    options = parsed()
    threads = machine.use_processors(options.threads)
    result = machine.description(threads, ["iwax", "jax", "jaxlib", "numpy"])
    result |= {"data": options.data, "limit": options.limit, "runs": []}
    with tempfile.TemporaryDirectory() as folder:
        run = str(Path(folder) / "run")
        short = ["--epochs", "1", "--set", "evaluation.k=10", "--set", "evaluation.limit=10"]
        iwax("--quiet", "train", options.data, "--preset", "iwae-1-k5", "--output", run, *short)
        for k in options.k:
            measured = iwax("--quiet", "evaluate", run, "--limit", str(options.limit), "--k", str(k))
            result["runs"].append({"k": k, **measured})
    print(tables.memory(result))
    if options.save:
        machine.save("memory", result)
        tables.write()


if __name__ == "__main__":
    main()
