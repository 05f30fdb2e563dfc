"""Normal features."""

import math
import warnings
from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from iwax._typing import AnyArray, PRNGKey
from iwax.distributions.independent import AbstractIndependent
from iwax.numerics import reciprocal
from iwax.parts import Trace

__all__ = ["Normal"]


class Normal(AbstractIndependent):
    """``log p(z_j) = -(z_j - loc_j)^2 / (2 scale_j^2) - log scale_j - log(2 pi) / 2``, features independent.

    The density of a normal variable in closed form (Bishop 2006, Pattern Recognition and Machine Learning, equation
    1.46). The gradient in the scale is right where the scale's square leaves float32's range.

    >>> z = Normal(jnp.zeros(3), jnp.ones(3))
    >>> float(z.log_prob(jnp.zeros(3)))  # -(3/2) log 2 pi
    -2.7568
    """

    reparameterized: ClassVar[bool] = True
    one_per_feature: ClassVar[bool] = True

    loc: Float[AnyArray, "*batch features"]
    scale: Float[AnyArray, "*batch features"]

    @classmethod
    def normal(cls, loc: AnyArray, scale: AnyArray) -> "Normal":
        """Give the distribution itself, with a warning: what it was called as ``Factorized.normal``."""
        warnings.warn("Factorized.normal(loc, scale) is Normal(loc, scale)", DeprecationWarning, stacklevel=2)
        return cls(loc, scale)

    @property
    def parameters(self) -> tuple[AnyArray, AnyArray]:
        """``(loc, scale)``, with a warning."""
        warnings.warn("normal.parameters is (normal.loc, normal.scale)", DeprecationWarning, stacklevel=2)
        return self.loc, self.scale

    @property
    def mean(self) -> Array:
        """``loc`` of every feature."""
        return jnp.broadcast_to(self.loc, self._shape)

    @property
    def _shape(self) -> tuple[int, ...]:
        return jnp.broadcast_shapes(jnp.shape(self.loc), jnp.shape(self.scale))

    def draw(self, key: PRNGKey) -> tuple[Array, Trace]:
        """``loc + scale eps`` for a standard normal eps, differentiable in both; there is no trace."""
        return jnp.asarray(self.loc) + jax.random.normal(key, self._shape) * self.scale, None

    def each(self, value: AnyArray) -> Float[AnyArray, "*batch features"]:
        """``log p(value_j)`` of every feature, nats."""
        loc, scale = jnp.asarray(self.loc), jnp.asarray(self.scale)
        return -0.5 * ((value - loc) * reciprocal(scale)) ** 2 - jnp.log(scale) - 0.5 * math.log(2 * math.pi)

    def kl(self, other: "Normal") -> Float[Array, " features"]:
        """``KL(self_j || other_j)`` for every feature, nats, in closed form.

        >>> z = Normal(jnp.ones(1), jnp.ones(1))
        >>> float(z.kl(Normal(jnp.zeros(1), jnp.ones(1)))[0])
        0.5
        """
        ratio = jnp.square(self.scale / jnp.asarray(other.scale))
        apart = jnp.square((self.loc - jnp.asarray(other.loc)) / other.scale)
        return 0.5 * (ratio + apart - 1 - jnp.log(ratio))
