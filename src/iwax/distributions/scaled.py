"""Features in units of their own."""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from iwax._typing import AnyArray, PRNGKey
from iwax.distributions.independent import AbstractIndependent
from iwax.parts import Trace

__all__ = ["Scaled"]


class Scaled(AbstractIndependent):
    """``x_j = loc_j + scale_j y_j``, y ~ base: ``log p(x_j) = log p_base((x_j - loc_j) / scale_j) - log scale_j``.

    >>> from iwax.distributions import Normal
    >>> p = Scaled(Normal(jnp.zeros(1), jnp.ones(1)), jnp.array([10.0]), jnp.array([2.0]))
    >>> p.mean.tolist(), float(p.log_prob(jnp.array([10.0])))  # -log(2 pi)/2 - log 2
    ([10.0], -1.6120)
    """

    base: Any
    loc: Float[AnyArray, "*batch features"]
    scale: Float[AnyArray, "*batch features"]

    @property
    def reparameterized(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Whether a draw has a derivative: where it has one in the base."""
        return self.base.reparameterized

    @property
    def mean(self) -> Array:
        """``loc + scale E y`` of every feature."""
        return self.loc + self.scale * self.base.mean

    @property
    def classes(self) -> Array | None:
        """Those of the base, which are not scaled; None where it has none."""
        return self.base.classes

    def draw(self, key: PRNGKey) -> tuple[Array, Trace]:
        """A value; there is no trace."""
        return self.loc + self.scale * self.base.draw(key)[0], None

    def each(self, value: AnyArray) -> Float[AnyArray, "*batch features"]:
        """``log p(x_j)`` of every feature, nats."""
        return self.base.each((jnp.asarray(value) - self.loc) / self.scale) - jnp.log(jnp.asarray(self.scale))
