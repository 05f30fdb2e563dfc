"""Which data a likelihood gives no density to."""

import numpy as np

__all__ = [
    "not_between",
    "not_codes",
    "not_counts",
    "not_finite",
    "not_from_zero",
    "not_on_grid",
    "not_positive",
    "not_whole",
]

_OFF_GRID = 1e-2  # of the distance between two points of the grid: more than float32 rounds, less than data differ


def not_finite(values: np.ndarray) -> np.ndarray:
    """NaN and infinities.

    >>> not_finite(np.array([0.5, np.nan]))
    array([False,  True])
    """
    return ~np.isfinite(values)


def not_positive(values: np.ndarray) -> np.ndarray:
    """All but finite numbers above 0.

    >>> not_positive(np.array([0.0, 0.5, np.inf]))
    array([ True, False,  True])
    """
    return ~(np.isfinite(values) & (values > 0))


def not_from_zero(values: np.ndarray) -> np.ndarray:
    """All but finite numbers from 0.

    >>> not_from_zero(np.array([-1.0, 0.0, 0.5, np.inf]))
    array([ True, False, False,  True])
    """
    return ~(np.isfinite(values) & (values >= 0))


def not_between(values: np.ndarray) -> np.ndarray:
    """All but numbers from 0 to 1.

    >>> not_between(np.array([-0.1, 0.0, 1.0, np.nan]))
    array([ True, False, False,  True])
    """
    return ~((values >= 0) & (values <= 1))


def not_counts(values: np.ndarray) -> np.ndarray:
    """All but whole numbers from 0.

    >>> not_counts(np.array([-1.0, 0.0, 0.5, 3.0, np.inf]))
    array([ True, False,  True, False,  True])
    """
    return ~(np.isfinite(values) & (values >= 0) & (np.floor(values) == values))


def not_whole(values: np.ndarray, lower: int, upper: int) -> np.ndarray:
    """All but whole numbers from ``lower`` to ``upper``.

    >>> not_whole(np.array([-1.0, -2.0, 0.5, 3.0, np.nan]), -1, 2)
    array([False,  True,  True,  True,  True])
    """
    return ~((values >= lower) & (values <= upper) & (np.floor(values) == values))


def not_codes(values: np.ndarray, classes: int) -> np.ndarray:
    """All but whole numbers from 0 to ``classes - 1``.

    >>> not_codes(np.array([0.0, 2.0, 3.0]), 3)
    array([False, False,  True])
    """
    return not_counts(values) | (values >= classes)


def not_on_grid(values: np.ndarray, bins: int) -> np.ndarray:
    """All but the fractions ``k / (bins - 1)``, k = 0 to ``bins - 1``, up to rounding.

    >>> not_on_grid(np.array([0.0, 1 / 255, 0.5], np.float32), 256)
    array([False, False,  True])
    """
    k = values * np.float32(bins - 1)
    with np.errstate(invalid="ignore"):  # infinity less infinity
        return not_between(values) | ~(np.abs(k - np.round(k)) < _OFF_GRID)
