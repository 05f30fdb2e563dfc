"""Many rows through a compiled function a piece at a time, so that memory does not grow with their number."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from iwax.parts import Datum, filled

__all__ = ["Piece", "gathered", "pieces"]


class Piece(NamedTuple):
    """Rows ``first`` to ``first + kept - 1``, padded by repeating the last so that every piece has the same shape."""

    x: Datum
    first: int
    kept: int


def pieces(x: Any, n: int, *, size: int, numbers: np.ndarray | None = None) -> Iterator[Piece]:
    """The n rows of x (of each of its leaves) in pieces of ``size``; a datum's index is the number of its row.

    These are 0 to n - 1 without ``numbers``. A NaN in a table marks what was not observed.

    >>> [(piece.first, piece.kept) for piece in pieces(np.zeros((5, 3)), 5, size=2)]
    [(0, 2), (2, 2), (4, 1)]
    """
    size = min(size, n)
    dtype = jnp.result_type(float)
    missing = isinstance(x, np.ndarray) and x.dtype.kind == "f" and bool(np.isnan(x).any())
    numbers = np.arange(n) if numbers is None else numbers
    for first in range(0, n, size):
        index = np.minimum(np.arange(first, first + size), n - 1)
        values = jax.tree.map(lambda leaf, index=index: jnp.asarray(leaf[index], dtype), x)
        yield Piece(filled(values, missing=missing, index=jnp.asarray(numbers[index])), first, min(size, n - first))


def gathered(function: Callable[[Piece], Any], parts: Iterator[Piece]) -> Any:
    """The outputs of ``function`` [size, ...] for each piece, less their padding, one after another on the host."""
    outputs = [jax.tree.map(lambda leaf, kept=part.kept: np.asarray(leaf)[:kept], function(part)) for part in parts]
    return jax.tree.map(lambda *leaves: np.concatenate(leaves), *outputs)
