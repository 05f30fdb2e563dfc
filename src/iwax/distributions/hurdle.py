"""Features that are 0 or positive."""

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from iwax._typing import AnyArray, PRNGKey
from iwax.distributions.independent import AbstractIndependent
from iwax.parts import Trace

__all__ = ["Hurdle"]


class Hurdle(AbstractIndependent):
    """``P(x_j = 0) = g_j``, and a density ``(1 - g_j) p_positive(x_j)`` above 0, with ``g = sigmoid(gate)``.

    Cragg (1971, Econometrica 39). ``positive`` is any distribution of independent positive features. The log-density of
    0 is the logarithm of a probability, that of other values the logarithm of a density.

    >>> from iwax.distributions import LogNormal
    >>> p = Hurdle(LogNormal(jnp.zeros(2), jnp.ones(2)), jnp.zeros(2))
    >>> p.each(jnp.array([0.0, 1.0])).round(3).tolist()  # log(1/2), log(1/2) - log(2 pi)/2
    [-0.693, -1.612]
    """

    reparameterized: ClassVar[bool] = False

    positive: Any
    gate: Float[AnyArray, "*batch features"]

    @property
    def mean(self) -> Array:
        """``(1 - g) E_positive[x]``."""
        return jax.nn.sigmoid(-jnp.asarray(self.gate)) * self.positive.mean

    def draw(self, key: PRNGKey) -> tuple[Array, Trace]:
        """0 or a positive number, which has no gradient here; there is no trace.

        What would be rounded to 0 or to infinity is the least or the largest number above 0 that the type holds.
        """
        value, _ = self.positive.draw(jax.random.fold_in(key, 0))
        range_of = jnp.finfo(value.dtype)
        gated = jax.random.bernoulli(jax.random.fold_in(key, 1), jax.nn.sigmoid(jnp.asarray(self.gate)))
        return jax.lax.stop_gradient(jnp.where(gated, 0, jnp.clip(value, range_of.tiny, range_of.max))), None

    def each(self, value: AnyArray) -> Float[AnyArray, "*batch features"]:
        """``log P(x_j = 0)``, or the log-density of what is above 0, of every feature, nats."""
        zero, gate = jnp.asarray(value) == 0, jnp.asarray(self.gate)
        above = self.positive.each(jnp.where(zero, 1, value)) - jax.nn.softplus(gate)
        return jnp.where(zero, -jax.nn.softplus(-gate), above)
