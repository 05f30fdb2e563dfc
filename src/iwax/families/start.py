"""Where the untrained model of a column of a table stands: what its observed values say of it."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from iwax.nn import Encoding
from iwax.numerics import output_of_scale

__all__ = ["LEAST", "Start", "encoded", "logit", "output_of", "share"]

LEAST = 1e-3  # the least share of a class, mean count and spread that a model starts at: no log of 0

Cells = Float[np.ndarray, " rows"]


class Start(NamedTuple):
    """``outputs`` of the network; ``read``, the loc and scale of what an encoder reads; ``units``, those of x."""

    outputs: tuple[float, ...]
    read: tuple[float, float] = (0.0, 1.0)
    units: tuple[float, float] = (0.0, 1.0)


def encoded(encoding: Encoding, cells: Cells) -> tuple[float, float]:
    """The mean and standard deviation of what an encoder reads in place of the cells; 0 and 1 for classes.

    >>> encoded("linear", np.array([1.0, 3.0])), encoded(("classes", 2), np.array([0.0, 1.0]))
    ((2.0, 1.0), (0.0, 1.0))
    """
    if isinstance(encoding, tuple):
        return 0.0, 1.0
    if encoding in ("log", "log_or_zero"):
        logs = np.log(cells[cells > 0])
        return float(logs.mean()), max(float(logs.std()), LEAST)
    values = np.log1p(cells) if encoding == "log1p" else cells
    return float(values.mean()), float(values.std())


def share(marks: np.ndarray) -> float:
    """How many of the marks are set, as a fraction away from 0 and 1."""
    return float(np.clip(marks.mean(), LEAST, 1 - LEAST))


def logit(share: float) -> float:
    """``log(share / (1 - share))``."""
    return float(np.log(share / (1 - share)))


def output_of(scale: float, floor: float) -> float:
    """What the network gives at first of a scale: it, or, where it is no further than that above the floor, twice that.

    >>> round(output_of(1.0, 0.0), 6), output_of(1e-4, 1e-3) == output_of(2e-3, 1e-3)
    (0.0, True)
    """
    return output_of_scale(max(float(scale), 2 * floor), floor)
