"""Many rows through a compiled function a piece at a time, so that memory does not grow with their number."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from iwax._typing import Datum

__all__ = ["Piece", "gathered", "pieces"]


class Piece(NamedTuple):
    """Rows ``first`` to ``first + kept - 1``, padded by repeating the last so that every piece has the same shape."""

    x: Datum
    first: int
    kept: int


def pieces(x: Any, n: int, *, size: int) -> Iterator[Piece]:
    """The n rows of x (of each of its leaves) in pieces of ``size``; a datum's index is the number of its row.

    >>> [(piece.first, piece.kept) for piece in pieces(np.zeros((5, 3)), 5, size=2)]
    [(0, 2), (2, 2), (4, 1)]
    """
    size = min(size, n)
    dtype = jnp.result_type(float)
    for first in range(0, n, size):
        index = np.minimum(np.arange(first, first + size), n - 1)
        values = jax.tree.map(lambda leaf, index=index: jnp.asarray(leaf[index], dtype), x)
        yield Piece(Datum(values=values, index=jnp.asarray(index, jnp.int32)), first, min(size, n - first))


def gathered(function: Callable[[Piece], Any], parts: Iterator[Piece]) -> Any:
    """The outputs of ``function`` [size, ...] for each piece, less their padding, one after another on the host."""
    outputs = [jax.tree.map(lambda leaf, kept=part.kept: np.asarray(leaf)[:kept], function(part)) for part in parts]
    return jax.tree.map(lambda *leaves: np.concatenate(leaves), *outputs)
