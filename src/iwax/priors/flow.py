"""Priors that are a map of a standard normal."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp

from iwax._typing import PRNGKey
from iwax.distributions import Normal, Transformed
from iwax.parts import Prior

__all__ = ["Flow"]


class Flow(Prior):
    """``z = f(u), u ~ N(0, I)``, f a learned bijection: RealNVP, a masked autoregressive flow, any of `bijections`.

    A flow prior with coupling layers is as strong as any prior of one stochastic layer on record (Chen et al. 2017,
    arXiv:1611.02731, for the autoregressive kind). f should have its inverse in closed form (`bijections.Coupling`,
    `bijections.Inverted`): log p(z) needs it at every draw. Raises ValueError in fewer than one dimension.

    >>> import jax
    >>> from iwax import bijections
    >>> prior = Flow(2, bijections.UnitTriangular(jnp.array([1.0])))
    >>> float(prior(None, key=jax.random.key(0)).log_prob(jnp.zeros(2)))  # - log 2 pi
    -1.8379
    """

    features: int = eqx.field(static=True)
    bijection: Any

    def __check_init__(self) -> None:
        if self.features < 1:
            raise ValueError(f"a flow prior needs at least 1 dimension, got {self.features}")

    def __call__(self, given: Any = None, *, key: PRNGKey) -> Transformed:
        """The distribution, for any covariates."""
        return Transformed(Normal(jnp.zeros(self.features), jnp.ones(self.features)), self.bijection)
