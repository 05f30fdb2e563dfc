"""The mixture-of-Gaussians posterior."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp

from iwax import distributions
from iwax._typing import PRNGKey
from iwax.distributions import Normal
from iwax.parts import values_of
from iwax.posteriors.amortised import Amortised

__all__ = ["Mixture"]


class Mixture(Amortised):
    """``q(z|x) = sum_c pi_c(x) N(loc_c(x), diag scale_c(x)^2)``; the network gives the C logits, locs and log scales.

    Its draws have a derivative by implicit reparameterisation (`distributions.Mixture`), so that every estimator serves
    it. It needs ``outputs(latent, components)`` outputs. Raises ValueError where the network gives another number.

    >>> import jax
    >>> from iwax.nn import MLP
    >>> q = Mixture(MLP(4, (8,), Mixture.outputs(3, components=2), key=jax.random.key(0)), 3, components=2)
    >>> q(jnp.zeros(4), key=jax.random.key(1)).mean.shape
    (3,)
    """

    latent: int = eqx.field(static=True)
    components: int = eqx.field(static=True, kw_only=True)

    @staticmethod
    def outputs(latent: int, *, components: int) -> int:
        """How many outputs the network has to give.

        >>> Mixture.outputs(3, components=2)
        14
        """
        return components * (1 + 2 * latent)

    def __call__(self, context: Any, *, key: PRNGKey) -> distributions.Mixture:
        """The distribution at a data point, or at the latent of the layer below."""
        outputs, needed = (
            self.network(values_of(context), key=key),
            self.outputs(self.latent, components=self.components),
        )
        if outputs.shape[-1] != needed:
            raise ValueError(
                f"a mixture posterior of {self.components} components and {self.latent} latents needs {needed} outputs "
                f"of its network, got {outputs.shape[-1]}"
            )
        logits, rest = outputs[: self.components], outputs[self.components :].reshape(self.components, -1)
        loc, log_scale = jnp.split(rest, 2, axis=-1)
        return distributions.Mixture(logits, Normal(loc, jnp.exp(log_scale)))
