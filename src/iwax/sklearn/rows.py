"""Rows of a table as the estimators take them: numbers that key a row's noise, and blocks of one shape."""

import zlib

import numpy as np

__all__ = ["BLOCK", "numbers", "padded", "refuse_unobserved", "with_hole"]

BLOCK = 64  # rows worked on at once: always as many, so that the compiled code, and so its rounding, is always the same


def numbers(x: np.ndarray) -> np.ndarray:
    """A number below 2^31 for each row [n, D], a function of its values alone: of the CRC-32 of their bytes.

    >>> found = numbers(np.array([[0.0, 1.0], [2.0, np.nan], [-0.0, 1.0]]))
    >>> bool(found[0] == found[2]), bool(found[0] == found[1])
    (True, False)
    """
    same = np.where(np.isnan(x), np.nan, x + 0.0)  # one NaN, and one zero, for all that there are
    return np.array([zlib.crc32(row.tobytes()) >> 1 for row in np.ascontiguousarray(same, np.float64)], np.int32)


def padded(x: np.ndarray) -> np.ndarray:
    """The rows, and copies of the last up to a multiple of BLOCK.

    >>> padded(np.zeros((3, 2))).shape
    (64, 2)
    """
    return x[np.minimum(np.arange(-(-len(x) // BLOCK) * BLOCK), len(x) - 1)]


def with_hole(x: np.ndarray) -> np.ndarray:
    """The rows [n, D] and one more that has a hole: whole rows then run through the code of those with holes.

    Two compiled codes round differently, and a row's score would depend on whether another had a hole. Where D = 1
    there is nothing to add, for a row with a hole is then a row without a value, and is refused.

    >>> with_hole(np.ones((1, 3)))
    array([[ 1.,  1.,  1.],
           [nan,  0.,  0.]])
    """
    return x if x.shape[1] == 1 else np.vstack([x, np.where(np.arange(x.shape[1]) == 0, np.nan, 0.0)])


def refuse_unobserved(x: np.ndarray, names: list[str], *, columns: bool) -> None:
    """Raise ValueError, naming it, for a row, or with ``columns`` a feature, of which no value was observed.

    >>> refuse_unobserved(np.array([[1.0, np.nan]]), ["a", "b"], columns=False)
    >>> refuse_unobserved(np.array([[1.0, np.nan]]), ["a", "b"], columns=True)
    Traceback (most recent call last):
        ...
    ValueError: Input X contains no observed value in feature 'b': at least one is needed in every feature; leave it out
    """
    holes = np.isnan(x)
    if holes.all(axis=1).any():
        raise ValueError(
            f"Input X contains no observed value in row {int(np.argmax(holes.all(axis=1)))}: at least one is needed in "
            "every row; leave such rows out"
        )
    if columns and holes.all(axis=0).any():
        raise ValueError(
            f"Input X contains no observed value in feature {names[int(np.argmax(holes.all(axis=0)))]!r}: at least one "
            "is needed in every feature; leave it out"
        )
