"""Means and their errors: over rows, over draws, and of the difference between two models on the same rows."""

from typing import Any

import numpy as np

from iwax._typing import ArrayLike
from iwax.evaluation.tables import check_cells, marks, numeric

__all__ = [
    "Means",
    "StreamingMean",
    "error_of_mean",
    "mean_with_errors",
    "paired_difference",
    "squared_error",
    "squared_error_difference",
    "standard_error",
]


def standard_error(values: np.ndarray, *, axis: int = -1) -> Any:  # np.float64 of one axis, np.ndarray of more
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
        raise ValueError("errors must be one number per row, of at least one row, got none")
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


class Means:
    """Numbers of every row at several settings, [settings, n], with their Monte-Carlo errors: the base of results."""

    def _columns(self) -> tuple[np.ndarray, np.ndarray]:
        """The numbers and their errors."""
        raise NotImplementedError

    @property
    def mean(self) -> np.ndarray:
        """The mean over the rows, [settings], nats."""
        return self._columns()[0].mean(axis=1)

    @property
    def standard_error(self) -> np.ndarray:
        """The standard error of `mean` over the data, [settings]; NaN for a single row."""
        return standard_error(self._columns()[0])

    @property
    def monte_carlo_error(self) -> np.ndarray:
        """The standard error of `mean` over the draws, the rows held fixed, [settings]."""
        return np.array([error_of_mean(each) for each in self._columns()[1]])


class StreamingMean:
    """The mean of numbers that arrive in pieces, and its standard error, for every row; float64.

    >>> stream = StreamingMean()
    >>> stream.add(np.array([[1.0], [2.0]])); stream.add(np.array([[6.0]]))
    >>> stream.mean.tolist(), stream.error.round(3).tolist()
    ([3.0], [1.528])
    """

    def __init__(self) -> None:
        self.count = 0
        self.anchor = self.total = self.squares = np.zeros(())  # sums about a first value lose no digits

    def add(self, values: np.ndarray) -> None:
        """Take in values [pieces, n]."""
        if not self.count:
            self.anchor = np.where(np.isfinite(values[0]), values[0], 0.0)
        self.count += len(values)
        self.total = self.total + (values - self.anchor).sum(axis=0)
        self.squares = self.squares + ((values - self.anchor) ** 2).sum(axis=0)

    @property
    def mean(self) -> np.ndarray:
        """The mean of every row [n]."""
        return self.anchor + self.total / self.count

    @property
    def error(self) -> np.ndarray:
        """The standard error of `mean` [n]; NaN for a single value."""
        if self.count < 2:
            return np.full_like(self.total, np.nan)
        with np.errstate(invalid="ignore"):  # a bound of -inf has no spread
            variance = (self.squares - self.total**2 / self.count) / (self.count - 1)
        return np.sqrt(np.maximum(variance, 0) / self.count)


def squared_error(found: ArrayLike, truth: ArrayLike, marked: ArrayLike) -> tuple[float, float]:
    """``sum_marked (found - truth)^2 / number marked`` of rows [n, D], and its standard error over rows.

    Rows have weights in proportion to their marked cells. The error is that of a ratio of two sums, to first order; nan
    for a single row. Raises ValueError for arrays of other shapes, and where nothing is marked.

    >>> squared_error([[1.0, 9.0], [3.0, 9.0]], np.zeros((2, 2)), [[True, False], [True, False]])
    (5.0, 4.0)
    """
    a, b, marks = _read(found, truth, marked)
    return _ratio(np.square(a - b), marks)


def squared_error_difference(
    found: ArrayLike, other: ArrayLike, truth: ArrayLike, marked: ArrayLike
) -> tuple[float, float]:
    """`squared_error` of ``found`` less that of ``other``, on the same rows and cells, and its standard error.

    Paired: a row that is hard for both does not count in the difference.

    >>> squared_error_difference(np.ones((3, 1)), np.full((3, 1), 2.0), np.zeros((3, 1)), np.ones((3, 1), bool))
    (-3.0, 0.0)
    """
    ours, theirs = ((_read(each, truth, marked, name)) for name, each in (("found", found), ("other", other)))
    cells = [np.square(mine - there) for mine, there, _ in (ours, theirs)]
    return _ratio(cells[0] - cells[1], ours[2])


def _read(
    found: ArrayLike, truth: ArrayLike, marked: ArrayLike, name: str = "found"
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All three as arrays [n, D]: numbers, finite where they are marked (0 elsewhere), and the marks."""
    pair = {each: numeric(each, values, missing=True) for each, values in ((name, found), ("truth", truth))}
    marked = marks("marked", marked)
    shapes = [each.shape for each in (*pair.values(), marked)]
    if len(set(shapes)) > 1 or len(shapes[0]) != 2:
        raise ValueError(f"rows [n, D], what they are compared with and marks of one shape were needed, got {shapes}")
    if not marked.any():
        raise ValueError(f"marked cells were needed, got none in {shapes[0][0]} rows")
    cells = [np.where(marked, values, 0).astype(np.float64) for values in pair.values()]
    for each, values in zip(pair, cells, strict=True):
        check_cells(values, missing=False, name=f"the marked cells of {each}")
    return cells[0], cells[1], marked


def _ratio(cells: np.ndarray, marks: np.ndarray) -> tuple[float, float]:
    """The mean of the marked cells [n, D], and its standard error over rows."""
    sums, counts = np.where(marks, cells, 0.0).sum(axis=1), marks.sum(axis=1)
    mean = sums.sum() / counts.sum()
    n, off = len(sums), sums - mean * counts
    error = np.sqrt(np.sum(off**2) * n / (n - 1)) / counts.sum() if n > 1 else np.nan
    return float(mean), float(error)
