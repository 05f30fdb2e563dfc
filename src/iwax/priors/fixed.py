"""A part that is one distribution."""

from typing import Any

import equinox as eqx

from iwax._typing import PRNGKey
from iwax.parts import Distribution, Part

__all__ = ["Fixed"]


class Fixed(eqx.Module):
    """The same distribution whatever the context: what a prior is once it is prepared, and a posterior of one datum.

    >>> import jax, jax.numpy as jnp
    >>> from iwax.distributions import Factorized
    >>> p = Fixed(Factorized.normal(jnp.zeros(2), jnp.ones(2)))
    >>> float(p(None, key=jax.random.key(0)).log_prob(jnp.zeros(2)))  # - log 2 pi
    -1.8379
    """

    distribution: Any

    def prepare(self, posterior: Part | None, *, key: PRNGKey) -> "Fixed":
        """Itself: it is prepared."""
        return self

    def __call__(self, context: Any, *, key: PRNGKey) -> Distribution:
        """The distribution."""
        return self.distribution
