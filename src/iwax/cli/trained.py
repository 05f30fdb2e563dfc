"""A run opened for use by a verb, and warnings of the rows that it is used on."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import numpy as np

from iwax import parallel
from iwax.cli.arguments import check_devices, check_seed
from iwax.cli.terminal import Terminal
from iwax.runs.run import Run, open_run

__all__ = ["key_of", "numbered", "opened", "unsure", "warn_of_errors", "warn_of_missing"]

_MORE = 10  # times as many draws are suggested


@contextmanager
def opened(
    run: Path,
    *,
    checkpoint: str,
    data_path: Path | None = None,
    fallback: bool = False,
    devices: str | None = None,
) -> Iterator[Run]:
    """Open a run and compute where, and in the precision in which, it was trained, on this number of ``devices``."""
    several = parallel.over(check_devices(devices))
    found = open_run(run, checkpoint=checkpoint, data_path=data_path, fallback=fallback)
    with found.placed(), several:
        yield found


def warn_of_missing(terminal: Terminal, x: np.ndarray, meaning: str, *, refused: int = 0) -> bool:
    """Whether cells are missing; if so, a note says how many and what that means. NaN that was ``refused`` is not."""
    missing = int(np.isnan(x).sum()) - refused if x.dtype.kind == "f" else 0
    if missing:
        terminal.say(f"{missing:,} of {x.size:,} cells are missing: {meaning}")
    return missing > 0


def key_of(seed: int) -> jax.Array:
    """The key of a seed; ValueError for a seed out of range."""
    return jax.random.key(check_seed(seed))


def numbered(marks: np.ndarray) -> list[int]:
    """The numbers of the marked rows, counted from 1.

    >>> numbered(np.array([False, True]))
    [2]
    """
    return [row + 1 for row in range(len(marks)) if marks[row]]


def warn_of_errors(terminal: Terminal, found: Any, k: int) -> dict[str, Any]:
    """Warn of the rows whose error is unknown, with what to type; what a document has of the weights of every row."""
    for warning in found.warnings(first=1):
        terminal.warn(f"{warning}: --k {_MORE * k}")
    return {"ess": found.ess.tolist(), "khat": found.pareto_k.tolist(), "unknown": numbered(found.unknown)}


def unsure(unknown: list[int]) -> str:
    """An end for a summary line: of how many rows the error is unknown.

    >>> unsure([]), unsure([3])
    ('', '; error unknown for 1 row')
    """
    return f"; error unknown for {len(unknown):,} row{'s' * (len(unknown) > 1)}" if unknown else ""
