"""The Gaussian posterior with a full covariance."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp

from iwax._typing import PRNGKey
from iwax.bijections import UnitTriangular, packed_size
from iwax.distributions import Normal, Transformed
from iwax.parts import values_of
from iwax.posteriors.amortised import Amortised

__all__ = ["FullGaussian"]


class FullGaussian(Amortised):
    """``q(z|x) = N(loc(x), L D^2 L')``, L unit triangular, D diagonal; the network gives loc, log D and L's entries.

    It needs ``outputs(latent) = 2 latent + latent (latent - 1) / 2`` outputs of the network.
    Raises ValueError where the network gives another number.

    >>> import jax
    >>> from iwax.nn import MLP
    >>> q = FullGaussian(MLP(4, (8,), FullGaussian.outputs(3), key=jax.random.key(0)), 3)
    >>> q(jnp.zeros(4), key=jax.random.key(1)).mean.shape
    (3,)
    """

    latent: int = eqx.field(static=True)

    @staticmethod
    def outputs(latent: int) -> int:
        """How many outputs the network has to give.

        >>> FullGaussian.outputs(3)
        9
        """
        return 2 * latent + packed_size(latent)

    def __call__(self, context: Any, *, key: PRNGKey) -> Transformed:
        """The distribution at a data point, or at the latent of the layer below."""
        outputs = self.network(values_of(context), key=key)
        if outputs.shape[-1] != self.outputs(self.latent):
            raise ValueError(
                f"a Gaussian posterior with full covariance of {self.latent} latents needs "
                f"{self.outputs(self.latent)} outputs of its network, got {outputs.shape[-1]}"
            )
        loc, log_scale, below = jnp.split(outputs, (self.latent, 2 * self.latent))
        return Transformed(Normal(jnp.zeros_like(loc), jnp.exp(log_scale)), UnitTriangular(below, loc))
