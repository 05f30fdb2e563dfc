"""A prior of latents that come with features of their own."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Float

from iwax._typing import AnyArray, PRNGKey
from iwax.distributions import Normal
from iwax.nn import Constant
from iwax.numerics import check_floor, scale_of
from iwax.parts import Prior

__all__ = ["OfFeatures"]


class OfFeatures(Prior):
    """``p(Z|X) = prod_i N(z_i; loc(x_i), diag scale(x_i)^2)``, the network giving ``(loc, log scale)`` of a row of X.

    X [nodes, features] is held as it is, and never trained; z is flat, [nodes * latent], as of
    `nn.GraphConvolution`. No scale is below the ``floor``. Raises ValueError for an odd number of outputs.

    >>> import jax
    >>> from iwax.nn import MLP
    >>> prior = OfFeatures(MLP(3, (8,), 2 * 2, key=jax.random.key(0), heads=2), jnp.ones((5, 3)))
    >>> prior(None, key=jax.random.key(1)).mean.shape
    (10,)
    """

    network: Any
    features: Constant
    floor: float = eqx.field(static=True)

    def __init__(self, network: Any, features: Float[AnyArray, "nodes features"], *, floor: float = 0.0) -> None:
        check_floor(floor, "a prior of features")
        self.network, self.features, self.floor = network, Constant(features), floor

    def __call__(self, given: Any = None, *, key: PRNGKey) -> Normal:
        """The distribution of all nodes' latents."""
        outputs = self.network(self.features.value, key=key)
        if outputs.shape[-1] % 2:
            raise ValueError(
                "the network of a prior must give a loc and a log scale for each latent: an even number of outputs is "
                f"needed, got {outputs.shape[-1]}"
            )
        loc, s = jnp.split(outputs, 2, axis=-1)
        return Normal(loc.ravel(), scale_of(s.ravel(), self.floor))
