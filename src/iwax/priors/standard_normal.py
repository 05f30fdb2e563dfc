"""The prior without parameters."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp

from iwax._typing import PRNGKey
from iwax.distributions import Normal
from iwax.parts import Prior

__all__ = ["StandardNormal"]


class StandardNormal(Prior):
    """``p(z) = N(0, I)`` in the given number of dimensions.

    >>> import jax
    >>> prior = StandardNormal(2)
    >>> float(prior(None, key=jax.random.key(0)).log_prob(jnp.zeros(2)))  # - log 2 pi
    -1.8379
    """

    features: int = eqx.field(static=True)

    def __check_init__(self) -> None:
        if self.features < 1:
            raise ValueError(f"a standard normal prior needs at least 1 dimension, got {self.features}")

    def __call__(self, given: Any = None, *, key: PRNGKey) -> Normal:
        """``N(0, I)``, for any covariates."""
        return Normal(jnp.zeros(self.features), jnp.ones(self.features))
