"""Positive features."""

from typing import ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float

from iwax._typing import AnyArray, PRNGKey
from iwax.distributions.independent import AbstractIndependent
from iwax.distributions.normal import Normal
from iwax.parts import Trace

__all__ = ["LogNormal"]


class LogNormal(AbstractIndependent):
    """``log x ~ N(loc, diag scale^2)``: ``log p(x) = log N(log x; loc, scale) - log x`` for x > 0.

    >>> float(LogNormal(jnp.zeros(1), jnp.ones(1)).log_prob(jnp.ones(1)))  # -log(2 pi)/2
    -0.9189
    """

    reparameterized: ClassVar[bool] = True

    loc: Float[AnyArray, "*batch features"]
    scale: Float[AnyArray, "*batch features"]

    @property
    def mean(self) -> Array:
        """``exp(loc + scale^2 / 2)``."""
        return jnp.exp(self.loc + 0.5 * jnp.asarray(self.scale) ** 2)

    def draw(self, key: PRNGKey) -> tuple[Array, Trace]:
        """The exponential of a normal draw, differentiable in loc and scale; there is no trace."""
        value, trace = Normal(self.loc, self.scale).draw(key)
        return jnp.exp(value), trace

    def each(self, value: AnyArray) -> Float[AnyArray, "*batch features"]:
        """``log p(x_j)`` of every feature, nats; what is not positive counts as 1."""
        log_x = jnp.log(jnp.where(jnp.asarray(value) > 0, value, 1))
        return Normal(self.loc, self.scale).each(log_x) - log_x
