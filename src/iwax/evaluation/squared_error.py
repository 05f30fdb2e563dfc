"""How far filled cells are from what stood there, with the error that a finite number of rows leaves."""

import numpy as np
from numpy.typing import ArrayLike

from iwax.evaluation.tables import check_cells, marks, numeric

__all__ = ["squared_error", "squared_error_difference"]


def squared_error(found: ArrayLike, truth: ArrayLike, marked: ArrayLike) -> tuple[float, float]:
    """``sum_marked (found - truth)^2 / number marked`` of rows [n, D], and its standard error over rows.

    Rows weigh by how many cells of them are marked. The error is that of a ratio of two sums, to first order; nan for
    a single row. Raises ValueError for arrays of other shapes, and where nothing is marked.

    >>> squared_error([[1.0, 9.0], [3.0, 9.0]], np.zeros((2, 2)), [[True, False], [True, False]])
    (5.0, 4.0)
    """
    a, b, marks = _read(found, truth, marked)
    return _ratio(np.square(a - b), marks)


def squared_error_difference(
    found: ArrayLike, other: ArrayLike, truth: ArrayLike, marked: ArrayLike
) -> tuple[float, float]:
    """`squared_error` of ``found`` less that of ``other``, on the same rows and cells, and its standard error.

    Paired: what is hard about a row is hard for both, and leaves the difference.

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
