"""The mixture-of-Gaussians prior."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from iwax import distributions
from iwax._typing import PRNGKey
from iwax.distributions import Normal
from iwax.parts import Prior

__all__ = ["Mixture"]


class Mixture(Prior):
    """``p(z) = sum_c pi_c N(loc_c, diag scale_c^2)``, all learned; it starts with even weights and unit scales.

    The locs start at draws of N(0, 1). Raises ValueError with fewer than one component or dimension.

    >>> p = Mixture(2, components=3, key=jax.random.key(0))(None, key=jax.random.key(1))
    >>> p.mean.shape
    (2,)
    """

    log_weights: Float[Array, " components"]
    loc: Float[Array, "components features"]
    log_scale: Float[Array, "components features"]

    def __init__(self, features: int, *, components: int, key: PRNGKey) -> None:
        if min(features, components) < 1:
            raise ValueError(
                f"a mixture prior needs at least 1 dimension and 1 component, got {features} and {components}"
            )
        self.log_weights = jnp.zeros(components)
        self.loc = jax.random.normal(key, (components, features))
        self.log_scale = jnp.zeros((components, features))

    @property
    def features(self) -> int:
        """How many numbers z has."""
        return self.loc.shape[1]

    def __call__(self, given: Any = None, *, key: PRNGKey) -> distributions.Mixture:
        """The distribution, for any covariates."""
        return distributions.Mixture(self.log_weights, Normal(self.loc, jnp.exp(self.log_scale)))
