"""Rows of data, checked, and cut into blocks of one shape, so that one compilation serves them all."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from iwax.evaluation import tables
from iwax.model import LatentVariableModel
from iwax.parts import Datum, filled

__all__ = ["Block", "at_least", "blocks", "check_key", "checked"]


class Block(NamedTuple):
    """Rows ``first`` to ``stop - 1``; ``x`` may hold further ones, copies of the last, that are to be cut."""

    first: int
    stop: int
    x: Datum

    @property
    def size(self) -> int:
        """How many rows the block is for."""
        return self.stop - self.first


def checked(
    model: LatentVariableModel, x: ArrayLike, rows: ArrayLike | None, key: Any, *, missing: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """x as finite numbers [n, features of the model], and the numbers of its rows (0, 1, ... where ``rows`` is None).

    Raises TypeError and ValueError, as `tables.table` and `check_key` do, where x is not such a table (a NaN may stand
    for a value that is ``missing``), there is not one number a row, or ``key`` is no key.
    """
    check_key(key)
    x = tables.table("x", x, tables.event_of(model), missing=missing)
    return x, tables.row_numbers(rows, len(x))


def check_key(key: Any) -> None:
    """TypeError unless ``key`` is one key of `jax.random.key`."""
    if not (isinstance(key, jax.Array) and jnp.issubdtype(key.dtype, jax.dtypes.prng_key) and key.ndim == 0):
        got = f"an array {key.dtype}{list(key.shape)}" if isinstance(key, jax.Array) else repr(key)
        raise TypeError(f"key must be one random key, jax.random.key(seed): got {got}")


def at_least(least: int, numbers: Mapping[str, int]) -> None:
    """Raise ValueError, naming it, for the first of the numbers below ``least``; TypeError for one that is not whole.

    >>> at_least(1, {"k": 5, "batch": 20})
    """
    for name, number in numbers.items():
        if isinstance(number, bool) or not isinstance(number, int | np.integer):
            raise TypeError(f"{name} must be a whole number, got {number!r}")
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
