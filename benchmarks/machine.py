"""What a measurement is made on and with: processors, versions, clocks and ratios."""

import importlib.metadata
import json
import os
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def use_processors(threads: int) -> int:
    """Keep this process and its children to so many processors, where the system can; returns how many it has.

    JAX makes one thread for each processor it is allowed, so this is called before its first array.
    """
    if not hasattr(os, "sched_setaffinity"):
        return os.cpu_count() or 1
    allowed = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, allowed[:threads])
    return min(threads, len(allowed))


def processor_name() -> str:
    """The processor's own name for itself, or what Python knows."""
    description = Path("/proc/cpuinfo")
    if description.is_file():
        for line in description.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def description(threads: int, packages: Sequence[str], device: str | None = None) -> dict[str, Any]:
    """The machine, the device that arrays are on, where it is said, and the versions, for a results file."""
    return {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "command": " ".join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]]),
        "processor": processor_name(),
        "processors": os.cpu_count(),
        **({} if device is None else {"device": device}),
        "threads": threads,
        "system": f"{platform.system()} {platform.machine()}",
        "versions": {"python": platform.python_version()}
        | {package: importlib.metadata.version(package) for package in packages},
    }


def seconds(run: Callable[..., Any], *arguments: Any) -> float:
    """How long one call takes; it must not return before its work is done."""
    start = time.perf_counter()
    run(*arguments)
    return time.perf_counter() - start


def summary(values: Sequence[float]) -> dict[str, float]:
    """Median, quartiles and range of the rounds."""
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else [values[0]] * 3
    return {"median": middle, "lower": low, "upper": high, "least": min(values), "greatest": max(values)}


def resident_peak() -> int:
    """The most memory that this process has held, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def ratios(numerators: Sequence[float], denominators: Sequence[float]) -> dict[str, float]:
    """The summary of the ratios round by round: a drift of the machine's speed cancels within a round."""
    return summary([above / below for above, below in zip(numerators, denominators, strict=True)])


def save(name: str, result: dict[str, Any]) -> Path:
    """Write a results file."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return path
