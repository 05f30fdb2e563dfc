"""The prior without parameters."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp

from iwax._typing import PRNGKey
from iwax.distributions import Factorized
from iwax.parts import Part

__all__ = ["StandardNormal"]


class StandardNormal(eqx.Module):
    """``p(z) = N(0, I)`` in the given number of dimensions.

    >>> import jax
    >>> prior = StandardNormal(2).prepare(None, key=jax.random.key(0))
    >>> float(prior(None, key=jax.random.key(0)).log_prob(jnp.zeros(2)))  # - log 2 pi
    -1.8379
    """

    features: int = eqx.field(static=True)

    def __check_init__(self) -> None:
        if self.features < 1:
            raise ValueError(f"a standard normal prior needs at least 1 dimension, got {self.features}")

    def prepare(self, posterior: Part | None, *, key: PRNGKey) -> "StandardNormal":
        """Itself: nothing in it depends on the posterior."""
        return self

    def __call__(self, context: Any, *, key: PRNGKey) -> Factorized:
        """``N(0, I)``, whatever the context."""
        return Factorized.normal(jnp.zeros(self.features), jnp.ones(self.features))
