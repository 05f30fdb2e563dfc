"""Rows of a table as the estimators take them: numbers that key a row's noise, and blocks of one shape."""

import warnings
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

from iwax.evaluation import tables

__all__ = ["BLOCK", "numbers", "padded", "read_by", "refuse_unobserved", "with_missing", "without_empty"]

BLOCK = 64  # rows worked on at once: always as many, so that the compiled code, and so its rounding, is always the same


def numbers(x: np.ndarray) -> np.ndarray:
    """A number below 2^31 for each row [n, D], a function of its values alone: of the CRC-32 of their bytes.

    >>> found = numbers(np.array([[0.0, 1.0], [2.0, np.nan], [-0.0, 1.0]]))
    >>> bool(found[0] == found[2]), bool(found[0] == found[1])
    (True, False)
    """
    same = np.where(np.isnan(x), np.nan, x + 0.0)  # one NaN, and one zero, for all that there are
    return np.array([zlib.crc32(row.tobytes()) >> 1 for row in np.ascontiguousarray(same, np.float64)], np.int32)


def read_by(check: Callable[[Any], Any], name: str, values: Any, *, missing: bool) -> np.ndarray:
    """float64 rows as scikit-learn's ``check`` reads them, NaN where a cell of a masked array is ``missing``.

    scikit-learn itself takes what lies under a mask, and lets a whole number beyond double precision overflow: both
    are a ValueError here, the first unless cells may be missing.

    >>> read_by(np.asarray, "Z", [[10**400, 1.0]], missing=False)
    Traceback (most recent call last):
        ...
    ValueError: Z must be finite, got a whole number of 401 digits in row 0, column 0, beyond double precision
    """
    values = tables.unmasked(name, values, missing=missing)
    try:
        return np.asarray(check(values), np.float64)
    except OverflowError as error:
        raise tables.refusal(name, values) from error


def padded(x: np.ndarray) -> np.ndarray:
    """The rows, and copies of the last up to a multiple of BLOCK.

    >>> padded(np.zeros((3, 2))).shape
    (64, 2)
    """
    return x[np.minimum(np.arange(-(-len(x) // BLOCK) * BLOCK), len(x) - 1)]


def with_missing(x: np.ndarray) -> np.ndarray:
    """The rows [n, D] and one more with a missing value: complete rows then run through the code of incomplete ones.

    Two compiled codes round differently, and a row's score would depend on whether another had a missing value. If
    D = 1 there is nothing to add: an incomplete row is then a row without a value, for which nothing is computed.

    >>> with_missing(np.ones((1, 3)))
    array([[ 1.,  1.,  1.],
           [nan,  0.,  0.]])
    """
    return x if x.shape[1] == 1 else np.vstack([x, np.where(np.arange(x.shape[1]) == 0, np.nan, 0.0)])


def refuse_unobserved(x: np.ndarray, names: list[str]) -> None:
    """Raise ValueError, naming it, for a feature of which no value was observed.

    >>> refuse_unobserved(np.array([[1.0, np.nan]]), ["a", "b"])
    Traceback (most recent call last):
        ...
    ValueError: Input X contains no observed value in feature 'b': at least one is needed in every feature; leave it out
    """
    empty = np.isnan(x).all(axis=0)
    if empty.any():
        name = names[int(np.argmax(empty))]
        raise ValueError(
            f"Input X contains no observed value in feature {name!r}: at least one is needed in every feature; "
            "leave it out"
        )


def without_empty(x: np.ndarray) -> np.ndarray:
    """The rows [n, D] to fit to, less those without an observed value, which are counted in a warning.

    Nothing can be learned of a row of which nothing is known, and a pipeline cannot leave it out. Raises ValueError
    where fewer than two rows are left.

    >>> without_empty(np.array([[1.0, np.nan], [0.0, 2.0]])).shape
    (2, 2)
    """
    empty = np.isnan(x).all(axis=1)
    if not empty.any():
        return x
    if (~empty).sum() < 2:
        raise ValueError(f"Found {(~empty).sum()} sample(s) with an observed value in X, a minimum of 2 is required")
    warnings.warn(
        f"{empty.sum()} of {len(x)} rows of X contain no observed value: the model is fitted to the others",
        UserWarning,
        stacklevel=2,
    )
    return x[~empty]
