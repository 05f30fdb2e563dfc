"""The likelihood of a graph."""

from typing import Any, Literal, TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from iwax import distributions, parts, supports
from iwax._typing import PRNGKey
from iwax.distributions.all_pairs import TILE, log_no_links
from iwax.nn import AbstractPairScore
from iwax.parts import Latent

__all__ = ["Graph"]

Link: TypeAlias = Literal["logistic", "poisson"]


class Graph(parts.Likelihood):
    """``p(A|z) = prod_{i < j} p(A_ij; s(z_i, z_j))`` of an undirected graph, z [nodes * latent] of all its nodes.

    The data point is the graph: one number for each of the ``pairs`` [pairs, 2] that are listed, 1 for a link. All
    other pairs are without a link, but for those in ``unknown`` [unknown, 2], of which nothing is said: what is held
    out, say. A pair is linked with probability ``sigmoid(s)``, and all pairs are in the sum, in tiles of ``tile``
    nodes; or, with ``link="poisson"``, with ``1 - exp(-s)`` for a score from 0 (`nn.Rates`), at a cost of the listed
    pairs alone. Kipf and Welling (2016, arXiv:1611.07308) minimise another sum: ``edge_weight`` is how often they count
    a link, and with ``loops`` each node is linked to itself, which counts half. Neither is a log-probability. Raises
    ValueError for pairs that are no two different nodes, or listed twice, and for a score that does not suit the link.

    >>> from iwax.nn import InnerProduct
    >>> p = Graph(InnerProduct(), np.array([[0, 1]]), nodes=3)
    >>> float(p(jnp.zeros(6), key=jax.random.key(0)).log_prob(jnp.ones(1)))  # -3 log 2
    -2.0794
    """

    score: AbstractPairScore
    pairs: Int[Array, "pairs 2"]
    unknown: Int[Array, "unknown 2"]
    nodes: int = eqx.field(static=True)
    link: Link = eqx.field(static=True)
    edge_weight: float = eqx.field(static=True)
    loops: bool = eqx.field(static=True)
    tile: int = eqx.field(static=True)

    def __init__(
        self,
        score: AbstractPairScore,
        pairs: Any,
        nodes: int,
        *,
        unknown: Any = (),
        link: Link = "logistic",
        edge_weight: float = 1.0,
        loops: bool = False,
        tile: int = TILE,
    ) -> None:
        listed, left_out = (np.asarray(each, np.int32).reshape(-1, 2) for each in (pairs, unknown))
        check_pairs(np.concatenate([listed, left_out]), nodes)
        if link == "poisson" and (not score.nonnegative or loops):
            raise ValueError(
                f"link='poisson' needs a score from 0, as nn.Rates, and no loops, got {score} with {loops=}"
            )
        self.score, self.pairs, self.unknown = score, jnp.asarray(listed), jnp.asarray(left_out)
        self.nodes, self.link, self.edge_weight, self.loops, self.tile = nodes, link, edge_weight, loops, tile

    @property
    def support(self) -> supports.Support:
        """0 and 1."""
        return supports.binary

    def __call__(self, z: Latent, given: Any = None, *, key: PRNGKey) -> distributions.Graph:
        """The distribution of the graph at the latents of its nodes."""
        left, right = self.factors(z)
        logits, unknown = (self.log_odds(_scores(left, right, pairs)) for pairs in (self.pairs, self.unknown))
        rest = self._log_no_links(left, right) + jnp.sum(jax.nn.softplus(logits)) + jnp.sum(jax.nn.softplus(unknown))
        if self.loops:
            rest = rest + 0.5 * self.edge_weight * jnp.sum(jax.nn.log_sigmoid(jnp.sum(left * right, axis=1)))
        return distributions.Graph(logits, rest, self.edge_weight)

    def factors(self, z: Latent) -> tuple[Array, Array]:
        """The factors of the scores (`nn.AbstractPairScore`), of latents [nodes * latent]."""
        return self.score.factors(jnp.reshape(z, (self.nodes, -1)))

    def log_odds(self, scores: Array) -> Array:
        """``log P(A_ij = 1) - log P(A_ij = 0)`` at scores: these themselves, or ``log(exp(s) - 1)`` of rates."""
        return scores if self.link == "logistic" else scores + jnp.log(-jnp.expm1(-scores))

    def log_odds_of(self, z: Latent, pairs: Int[Array, "pairs 2"]) -> Array:
        """`log_odds` of any pairs of nodes, at latents [nodes * latent].

        >>> from iwax.nn import InnerProduct
        >>> Graph(InnerProduct(), (), nodes=2).log_odds_of(jnp.array([2.0, 3.0]), jnp.array([[0, 1]])).tolist()
        [6.0]
        """
        return self.log_odds(_scores(*self.factors(z), jnp.asarray(pairs)))

    def _log_no_links(self, left: Array, right: Array) -> Array:
        if self.link == "logistic":
            return log_no_links(left, right, self.tile)
        return -0.5 * (jnp.sum(left, axis=0) @ jnp.sum(right, axis=0) - jnp.sum(left * right))


def check_pairs(pairs: np.ndarray, nodes: int) -> None:
    """Raise ValueError unless these [pairs, 2] are pairs of different nodes from 0 to nodes - 1, each listed once."""
    if len(pairs) and not (pairs.min() >= 0 and pairs.max() < nodes):
        raise ValueError(f"pairs need nodes from 0 to {nodes - 1}, got {pairs.min()} to {pairs.max()}")
    loops = np.flatnonzero(pairs[:, 0] == pairs[:, 1])
    if len(loops):
        raise ValueError(f"pairs need two different nodes, got {pairs[loops[0]].tolist()} in row {loops[0]}")
    number = pairs.min(axis=1, initial=nodes) * np.int64(nodes) + pairs.max(axis=1, initial=0)
    found, first, count = np.unique(number, return_index=True, return_counts=True)
    if len(found) < len(pairs):
        again = pairs[first[count > 1][0]].tolist()
        raise ValueError(f"pairs are without direction and listed once, got {again} {count.max()} times")


def _scores(left: Array, right: Array, pairs: Array) -> Array:
    return jnp.sum(left[pairs[:, 0]] * right[pairs[:, 1]], axis=-1)
