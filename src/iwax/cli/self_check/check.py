"""A check: what it is called, and a function that finds whether it holds, with a figure."""

import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["Check", "Finding", "NotHere", "measured"]


class Finding(NamedTuple):
    """Whether a check holds, and what was measured, in a few words."""

    holds: bool
    figure: str


class NotHere(Exception):
    """What a check needs is not on this machine; the message says what."""


class Check(NamedTuple):
    """A check of docs/reference/reliability.md by its ``id``; ``find`` is given an empty folder to work in."""

    id: str
    what: str
    find: Callable[[Path], Finding]


def measured(check: Check, folder: Path) -> dict[str, Any]:
    """The check as a row of the table: id, what, verdict (PASS, FAIL or "not here"), figure, seconds.

    An error is a failure, and its message is the figure.

    >>> measured(Check("T0", "one and one", lambda folder: Finding(1 + 1 == 2, "2")), Path())["verdict"]
    'PASS'
    """
    start = time.perf_counter()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what a warning would say is what is measured
            holds, figure = check.find(folder)
        verdict = "PASS" if holds else "FAIL"
    except NotHere as reason:
        verdict, figure = "not here", str(reason)
    except Exception as error:
        verdict, figure = "FAIL", f"{type(error).__name__}: {' '.join(str(error).split())}"[:200]
    seconds = round(time.perf_counter() - start, 2)
    return {"id": check.id, "what": check.what, "verdict": verdict, "figure": figure, "seconds": seconds}
