"""Rows of data, checked, and cut into blocks of one shape, so that one compilation serves them all."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from iwax import batched
from iwax.evaluation import tables
from iwax.evaluation.data_points import check_points, host_datum, rows_at
from iwax.model import LatentVariableModel
from iwax.parts import Datum

__all__ = ["Block", "at_least", "blocks", "by_row", "check_key", "checked", "prepared"]

_LARGEST = 2**31 - 1  # of a whole number where JAX has 32 bits for it


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
    model: LatentVariableModel,
    x: ArrayLike | Datum,
    rows: ArrayLike | None,
    key: Any,
    *,
    missing: bool = False,
    empty: bool = False,
) -> Datum:
    """Data points as a datum of NumPy arrays, whose ``index`` are ``rows``, or its own numbers, or 0, 1, ....

    Raises TypeError and ValueError, as `check_points` and `check_key` do, where x is not of the model's shape (a NaN
    may stand for a value that is ``missing``), there is not one number per row, or ``key`` is no key.
    """
    check_key(key)
    found = host_datum(check_points(model, x, missing=missing, empty=empty))
    rows = found.index if rows is None else rows
    return replace(found, index=tables.row_numbers(rows, len(found)))


def prepared(
    model: LatentVariableModel, x: ArrayLike | Datum, rows: ArrayLike | None, key: Any, *, missing: bool = False
) -> tuple[LatentVariableModel, Datum]:
    """The model bound once for all that follows, and data points `checked`, in the support of its likelihood."""
    x = checked(model, x, rows, key, missing=missing)
    model.refuse_outside(x)
    return batched.ready(model, key), x


def check_key(key: Any) -> None:
    """TypeError unless ``key`` is one key of `jax.random.key`."""
    if not (isinstance(key, jax.Array) and jnp.issubdtype(key.dtype, jax.dtypes.prng_key) and key.ndim == 0):
        got = f"an array {key.dtype}{list(key.shape)}" if isinstance(key, jax.Array) else repr(key)
        raise TypeError(f"key must be one random key, jax.random.key(seed): got {got}")


def at_least(least: int, numbers: Mapping[str, int]) -> None:
    """Raise ValueError, naming it, for the first number below ``least`` or beyond 2^31; TypeError for one not whole.

    >>> at_least(1, {"k": 5, "batch": 20})
    """
    for name, number in numbers.items():
        if isinstance(number, bool) or not isinstance(number, int | np.integer):
            raise TypeError(f"{name} must be a whole number, got {number!r}")
        if not least <= number <= _LARGEST:
            limit = f"at least {least}" if number < least else f"at most {_LARGEST}"
            raise ValueError(f"{name} must be {limit}, got {number}")


def blocks(x: Any, size: int) -> Iterator[Block]:
    """The rows of a datum, or of every leaf of x, at most ``size`` at a time, all blocks of one shape.

    Their numbers are the datum's ``index``, or 0, 1, ....

    >>> [block.size for block in blocks(np.zeros((5, 2)), 3)]
    [3, 2]
    """
    points = x if isinstance(x, Datum) else Datum(x)
    n, size = len(points), min(size, len(points))
    rows = np.arange(n) if points.index is None else np.asarray(points.index)
    for first in range(0, n, size):
        index = np.minimum(np.arange(first, first + size), n - 1)
        yield Block(first, min(first + size, n), rows_at(points, index, rows[index]))


def by_row(
    function: Callable[[Block], Any],
    x: Any,
    size: int,
    *,
    progress: Callable[[int, int], None] | None = None,
    axis: int = 0,
) -> Any:
    """The outputs of a function of every block on the host, less its padding, one after another along the rows' axis.

    ``progress(done, total)`` is told of rows done.

    >>> by_row(lambda block: 2 * block.x.values, np.arange(5.0), 3).tolist()
    [0.0, 2.0, 4.0, 6.0, 8.0]
    """
    found = []
    for block in blocks(x, size):
        kept = (*(slice(None),) * axis, slice(block.size))
        found.append(jax.tree.map(lambda leaf, kept=kept: np.asarray(leaf)[kept], function(block)))
        if progress is not None:
            progress(block.stop, len(jax.tree.leaves(x)[0]))
    return jax.tree.map(lambda *leaves: np.concatenate(leaves, axis=axis), *found)
