"""Errors of means: over the rows, over the draws, and of the difference between two models on the same rows."""

import numpy as np
from numpy.typing import ArrayLike

from iwax.evaluation.tables import numeric

__all__ = ["error_of_mean", "mean_with_errors", "paired_difference", "standard_error"]


def standard_error(values: np.ndarray, *, axis: int = -1) -> np.ndarray:
    """``sqrt(sum_i (v_i - mean)^2 / (n - 1) / n)`` of the n values along an axis; NaN of a single one.

    >>> standard_error(np.array([[0.0, 1.0, 2.0, 3.0], [1.0, 1.0, 1.0, 1.0]])).round(3).tolist()
    [0.645, 0.0]
    """
    n = values.shape[axis]
    if n < 2:
        return np.nan * values.sum(axis=axis)
    with np.errstate(invalid="ignore"):  # a bound of -inf has no spread
        return values.std(axis=axis, ddof=1) / np.sqrt(n)


def error_of_mean(errors: ArrayLike) -> float:
    """``sqrt(sum_i e_i^2) / n`` of rows whose noise is independent, nats; ``errors`` [n].

    >>> error_of_mean(np.array([3.0, 4.0]))
    2.5
    """
    squares = np.square(numeric("errors", errors), dtype=np.float64)
    if not squares.size:
        raise ValueError("errors must be one number a row, of at least one row, got none")
    return float(np.sqrt(squares.sum()) / squares.size)


def paired_difference(ours: np.ndarray, theirs: np.ndarray) -> tuple[float, float]:
    """The mean of ``ours - theirs`` [n] and its standard error; NaN for a single row.

    >>> paired_difference(np.array([1.0, 2.0, 6.0]), np.array([0.0, 1.0, 2.0]))
    (2.0, 1.0)
    """
    difference = ours - theirs
    return float(difference.mean()), float(standard_error(difference))


def mean_with_errors(values: np.ndarray, errors: np.ndarray) -> dict[str, float]:
    """The mean of values [n], its standard error over the rows, and, from the error of each, that over the draws.

    >>> mean_with_errors(np.array([1.0, 3.0]), np.array([3.0, 4.0]))
    {'mean': 2.0, 'standard_error': 1.0, 'monte_carlo_error': 2.5}
    """
    return {
        "mean": float(np.mean(values)),
        "standard_error": float(standard_error(values)),
        "monte_carlo_error": error_of_mean(errors),
    }
