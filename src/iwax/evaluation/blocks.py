"""Rows of data, checked, and cut into blocks of one shape, so that one compilation serves them all."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from iwax._typing import Datum, filled

__all__ = ["Block", "at_least", "blocks", "check_cells", "checked"]


class Block(NamedTuple):
    """Rows ``first`` to ``stop - 1``; ``x`` may hold further ones, copies of the last, that are to be cut."""

    first: int
    stop: int
    x: Datum

    @property
    def size(self) -> int:
        """How many rows the block is for."""
        return self.stop - self.first


def checked(x: np.ndarray, rows: np.ndarray | None, *, missing: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """x as an array [n, features], and the numbers of its rows (0, 1, ... where ``rows`` is None).

    Raises ValueError where x is not a table of finite numbers (but for NaN where values may be ``missing``), or there
    is not one number a row.

    >>> checked(np.zeros((2, 3)), None)[1]
    array([0, 1])
    """
    x = np.asarray(x)
    if x.ndim != 2 or 0 in x.shape:
        raise ValueError(f"x must have shape [rows, features] with at least one of each, got {x.shape}")
    check_cells(x, missing=missing)
    rows = np.arange(x.shape[0]) if rows is None else np.asarray(rows)
    if rows.shape != x.shape[:1]:
        raise ValueError(f"rows must number the {x.shape[0]} rows of x, got shape {rows.shape}")
    return x, rows


def check_cells(x: np.ndarray, *, missing: bool, empty: bool = False, name: str = "x") -> None:
    """Raise ValueError, naming the cell, unless all cells [n, features] are finite or, as NaN, may be ``missing``.

    A row of which nothing was observed is refused too, unless rows may be ``empty``: it says nothing, and its log p(x)
    is 0.

    >>> check_cells(np.array([[0.0, np.nan]]), missing=True)
    """
    if x.dtype.kind not in "fc":
        return
    holes = np.isnan(x)
    wrong = ~np.isfinite(x) & ~holes if missing else ~np.isfinite(x)
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        advice = "; NaN marks a missing value with missing=True" if holes[row, column] else ""
        raise ValueError(f"{name} must be finite, got {x[row, column]} in row {row}, column {column}{advice}")
    if missing and not empty and holes.all(axis=1).any():
        row = int(np.argmax(holes.all(axis=1)))
        raise ValueError(f"{name} needs at least one observed value in every row, got none in row {row}")


def at_least(least: int, numbers: Mapping[str, int]) -> None:
    """Raise ValueError, naming it, for the first of the numbers that lies below ``least``.

    >>> at_least(1, {"k": 5, "batch": 20})
    """
    for name, number in numbers.items():
        if number < least:
            raise ValueError(f"{name} must be at least {least}, got {number}")


def blocks(x: np.ndarray, rows: np.ndarray, size: int) -> Iterator[Block]:
    """Checked rows, at most ``size`` at a time, all blocks of one shape; NaN marks what was not observed.

    >>> [block.size for block in blocks(np.zeros((5, 2)), np.arange(5), 3)]
    [3, 2]
    """
    n, size = x.shape[0], min(size, x.shape[0])
    missing = x.dtype.kind == "f" and bool(np.isnan(x).any())
    for first in range(0, n, size):
        index = np.minimum(np.arange(first, first + size), n - 1)
        values = jnp.asarray(x[index]).astype(float)
        yield Block(first, min(first + size, n), filled(values, missing=missing, index=jnp.asarray(rows[index])))
