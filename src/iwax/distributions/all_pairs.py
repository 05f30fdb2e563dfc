"""Sums over all pairs of nodes, in tiles whose size bounds the memory."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from iwax._typing import Scalar

__all__ = ["TILE", "log_no_links"]

TILE = 256  # nodes: a tile of scores then stays in a processor's cache
_TOGETHER = 4  # scores for which one logarithm is taken
_NEVER = -1e4  # the score of what fills up a tile


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def log_no_links(left: Float[Array, "nodes factors"], right: Float[Array, "nodes factors"], tile: int = TILE) -> Scalar:
    """``sum_{i < j} log sigmoid(-l_i . r_j)``: the log-probability that no two nodes are linked, nats.

    Takes the memory of tile^2 scores, whatever the number of nodes: the derivative of a tile is taken while its scores
    are there, and what is kept of them is its product with the factors.

    >>> float(log_no_links(jnp.zeros((3, 1)), jnp.zeros((3, 1))))  # -3 log 2
    -2.0794
    """
    return _sum(left, right, tile, slopes=False)[0]


def _forward(left: Array, right: Array, tile: int) -> tuple[Array, tuple[Array, Array]]:
    return _sum(left, right, tile, slopes=True)


def _backward(tile: int, slopes: tuple[Array, Array], cotangent: Array) -> tuple[Array, Array]:
    return cotangent * slopes[0], cotangent * slopes[1]


log_no_links.defvjp(_forward, _backward)


def _sum(left: Array, right: Array, tile: int, *, slopes: bool) -> tuple[Array, Any]:
    """The sum, and its derivatives in the factors where they are asked for.

    Nodes that fill up the last tile have a score of -10,000 with all others, as which they count nothing.
    """
    nodes, factors = left.shape
    tile = _TOGETHER * -(-min(tile, nodes) // _TOGETHER)
    blocks = -(-nodes // tile)
    none = jnp.where(jnp.arange(blocks * tile) < nodes, 0, _NEVER).astype(left.dtype)
    more = ((0, blocks * tile - nodes), (0, 0))
    rows = jnp.concatenate([jnp.pad(left, more), jnp.ones_like(none)[:, None]], axis=1)
    columns = jnp.concatenate([jnp.pad(right, more), none[:, None]], axis=1)
    of_blocks = [each.reshape(blocks, tile, factors + 1) for each in (rows, columns)]
    kept: Any = (jnp.zeros_like(of_blocks[0]), jnp.zeros_like(of_blocks[1])) if slopes else None
    first, second = np.triu_indices(blocks)
    total = jnp.zeros((), left.dtype)
    for diagonal in (False, True):
        places = np.stack([first, second], axis=1)[(first == second) == diagonal]
        if len(places):
            step = partial(_add_tile, *of_blocks, np.triu(np.ones((tile, tile), bool), 1) if diagonal else None)
            kept, totals = jax.lax.scan(step, kept, jnp.asarray(places))
            total = total - jnp.sum(totals)
    if slopes:
        kept = tuple(each.reshape(-1, factors + 1)[:nodes, :factors] for each in kept)
    return total, kept


def _add_tile(rows: Array, columns: Array, counted: Any, kept: Any, place: Array) -> tuple[Any, Array]:
    """``sum softplus(s)`` of a tile of scores, or of those ``counted``, its derivatives added to those ``kept``."""
    first, second = rows[place[0]], columns[place[1]]
    scores = first @ second.T
    small = jnp.exp(-jnp.abs(scores))
    linear, parts = jnp.maximum(scores, 0), 1 + small
    if counted is not None:
        linear, parts = jnp.where(counted, linear, 0), jnp.where(counted, parts, 1)
    fours = parts.reshape(_TOGETHER, -1, scores.shape[1])  # one logarithm for four factors, which are at most 2
    total = jnp.sum(jnp.sum(linear, axis=1)) + jnp.sum(jnp.sum(jnp.log(jnp.prod(fours, axis=0)), axis=1))
    if kept is None:
        return None, total
    slope = jnp.where(scores > 0, 1, small) / (1 + small)  # sigmoid
    slope = slope if counted is None else jnp.where(counted, slope, 0)
    of_rows, of_columns = kept
    return (of_rows.at[place[0]].add(-(slope @ second)), of_columns.at[place[1]].add(-(slope.T @ first))), total
