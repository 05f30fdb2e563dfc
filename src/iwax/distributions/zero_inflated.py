"""Counts with more zeros than their distribution would have."""

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from iwax._typing import AnyArray, PRNGKey
from iwax.distributions.independent import AbstractIndependent
from iwax.parts import Trace

__all__ = ["ZeroInflated"]


class ZeroInflated(AbstractIndependent):
    """``P(x_j) = g_j [x_j = 0] + (1 - g_j) P_counts(x_j)`` with ``g = sigmoid(gate)`` (Lambert 1992).

    ``counts`` is any distribution of independent features.

    >>> from iwax.distributions import Poisson
    >>> p = ZeroInflated(Poisson(jnp.array([100.0])), jnp.array([0.0]))  # a rate of e^100: zeros come from the gate
    >>> float(p.log_prob(jnp.array([0.0])))  # log(1/2)
    -0.6931
    """

    reparameterized: ClassVar[bool] = False

    counts: Any
    gate: Float[AnyArray, "*batch features"]

    @property
    def mean(self) -> Array:
        """``(1 - g) E_counts[x]``."""
        return jax.nn.sigmoid(-jnp.asarray(self.gate)) * self.counts.mean

    def draw(self, key: PRNGKey) -> tuple[Array, Trace]:
        """Counts, which have no gradient; there is no trace."""
        value, _ = self.counts.draw(jax.random.fold_in(key, 0))
        gated = jax.random.bernoulli(jax.random.fold_in(key, 1), jax.nn.sigmoid(self.gate))
        return jnp.where(gated, 0, value), None

    def each(self, value: AnyArray) -> Float[AnyArray, "*batch features"]:
        """``log P(x_j)`` of every feature, nats."""
        gate = jnp.asarray(self.gate)
        counted = -jax.nn.softplus(gate) + self.counts.each(value)
        return jnp.where(jnp.asarray(value) == 0, jnp.logaddexp(-jax.nn.softplus(-gate), counted), counted)
