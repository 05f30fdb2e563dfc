"""Rows of a part of a table, computed as they are within the whole table, so that they get its values bit for bit.

The value of a row depends on its data and its number, which keys its noise, and in the last digits on the program that
computes it: on its place among the rows of a batch, on how many these are, on whether a value of any row is missing.
A part of a table is therefore laid into batches as the whole table is: copies of its own rows stand where rows of other
parts do.
"""

from dataclasses import dataclass

import numpy as np

from iwax.parts import Datum

__all__ = ["Place", "placed"]


@dataclass(frozen=True)
class Place:
    """Where a part stands in a table: ``first`` is the number of its first row.

    Of the rows that are computed, ``before`` stand before the part and ``total`` in the table; ``missing`` says whether
    a value is missing in any of these.
    """

    first: int
    before: int
    total: int
    missing: bool


def placed(x: np.ndarray, at: np.ndarray, place: Place, batch: int) -> tuple[Datum, slice]:
    """The rows ``at`` these places of a part x [n, D], as they lie in batches of the table, and where they are in it.

    >>> place = Place(100, before=7, total=50, missing=False)
    >>> datum, own = placed(np.arange(10.0)[:, None], np.array([3, 4]), place, 5)
    >>> datum.values[:, 0].tolist(), datum.index.tolist(), own
    ([3.0, 3.0, 3.0, 4.0, 4.0], [103, 103, 103, 104, 104], slice(2, 4, None))
    """
    size = min(batch, place.total)
    front = place.before % size
    back = max(0, size - front - len(at))  # the last batch of a table is filled up by whoever computes it
    rows = np.pad(at, (front, back), mode="edge")
    values, own = x[rows], slice(front, front + len(at))
    if not place.missing:
        return Datum(values, index=place.first + rows), own
    observed = ~np.isnan(values) if values.dtype.kind == "f" else np.ones(values.shape, bool)
    return Datum(np.where(observed, values, 0), observed=observed, index=place.first + rows), own
