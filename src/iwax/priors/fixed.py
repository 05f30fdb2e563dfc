"""A part that is one distribution."""

from typing import Any

from iwax._typing import PRNGKey
from iwax.parts import Distribution, Posterior, Prior

__all__ = ["Fixed"]


class Fixed(Prior, Posterior):
    """The same distribution for any context: what a prior is once it is bound, and a posterior of one data point.

    >>> import jax, jax.numpy as jnp
    >>> from iwax.distributions import Normal
    >>> p = Fixed(Normal(jnp.zeros(2), jnp.ones(2)))
    >>> float(p(None, key=jax.random.key(0)).log_prob(jnp.zeros(2)))  # - log 2 pi
    -1.8379
    """

    distribution: Any

    @property
    def topmost(self) -> "Fixed":
        """Itself."""
        return self

    def __call__(self, context: Any = None, *, key: PRNGKey) -> Distribution:
        """The distribution."""
        return self.distribution
