"""A value that is not random."""

from typing import ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float

from iwax._typing import AnyArray, PRNGKey, Scalar
from iwax.parts import Distribution, Trace

__all__ = ["Point"]


class Point(Distribution):
    """``z = loc``, whatever the key, with log q = 0: an autoencoder's code, which has no density.

    >>> Point(jnp.ones(2)).sample_and_log_prob(None)
    (Array([1., 1.], dtype=float32), Array(0., dtype=float32))
    """

    reparameterized: ClassVar[bool] = True
    has_density: ClassVar[bool] = False

    loc: Float[AnyArray, "*batch features"]

    @property
    def mean(self) -> Array:
        """``loc``."""
        return jnp.asarray(self.loc)

    def draw(self, key: PRNGKey) -> tuple[Array, Trace]:
        """``loc``; there is no trace."""
        return jnp.asarray(self.loc), None

    def log_prob(self, value: AnyArray, trace: Trace = None, where: AnyArray | None = None) -> Scalar:
        """0: what stands in the place of a density."""
        return jnp.zeros_like(jnp.asarray(self.loc), shape=jnp.shape(self.loc)[:-1])
