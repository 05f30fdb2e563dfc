"""The Monte-Carlo error of a mean over rows, from that of every row."""

import numpy as np
from numpy.typing import ArrayLike

from iwax.evaluation.tables import numeric

__all__ = ["error_of_mean"]


def error_of_mean(errors: ArrayLike) -> float:
    """``sqrt(sum_i e_i^2) / n`` of rows whose noise is independent, nats; ``errors`` [n].

    >>> error_of_mean(np.array([3.0, 4.0]))
    2.5
    """
    squares = np.square(numeric("errors", errors), dtype=np.float64)
    if not squares.size:
        raise ValueError("errors must be one number a row, of at least one row, got none")
    return float(np.sqrt(squares.sum()) / squares.size)
