"""Undirected graphs whose links are independent."""

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from iwax._typing import AnyArray, PRNGKey, Scalar
from iwax.distributions.bernoulli import Bernoulli
from iwax.parts import Distribution, Trace

__all__ = ["Graph"]


class Graph(Distribution):
    """``p(A) = prod_{i < j} sigmoid(s_ij)^A_ij sigmoid(-s_ij)^(1 - A_ij)``: a value is A at the listed pairs [pairs].

    ``logits`` are the scores of the listed pairs, and ``log_rest`` is the log-probability that no pair outside the list
    is linked. With an ``edge_weight`` other than 1 a link counts that often (Kipf and Welling 2016, arXiv:1611.07308,
    weigh links by the ratio of absent to present ones): log p is then no log-probability.

    >>> p = Graph(jnp.zeros(2), jnp.log(0.5))  # three nodes, two of their three pairs listed
    >>> float(p.log_prob(jnp.array([1.0, 0.0])))  # -3 log 2
    -2.0794
    """

    reparameterized: ClassVar[bool] = False

    logits: Float[Array, " pairs"]
    log_rest: Scalar
    edge_weight: float = eqx.field(static=True, default=1.0)

    @property
    def mean(self) -> Array:
        """The probability of a link, of each listed pair."""
        return Bernoulli(self.logits).mean

    def draw(self, key: PRNGKey) -> tuple[Array, Trace]:
        """The listed pairs, 1 where there is a link; there is no trace."""
        return Bernoulli(self.logits).draw(key)

    def each(self, value: AnyArray) -> Array:
        """The log-probability of every listed pair, nats; a link's times its weight."""
        value = jnp.asarray(value)
        found = jnp.asarray(Bernoulli(self.logits).each(value))
        if self.edge_weight == 1:
            return found
        return found + (self.edge_weight - 1) * value * jax.nn.log_sigmoid(self.logits)

    def log_prob(self, value: AnyArray, trace: Trace = None, where: AnyArray | None = None) -> Scalar:
        """The log-probability of the graph, nats; with ``where``, without the listed pairs that are not marked."""
        return jnp.sum(self.each(value), where=where) + self.log_rest
