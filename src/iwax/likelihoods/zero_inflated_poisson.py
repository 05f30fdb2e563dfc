"""Counts whose variance is their mean, but for more zeros."""

from typing import Any, ClassVar

import numpy as np
from jaxtyping import Array

from iwax import distributions
from iwax._typing import PRNGKey
from iwax.likelihoods.outputs import split
from iwax.likelihoods.supports import not_counts
from iwax.parts import Likelihood

__all__ = ["ZeroInflatedPoisson"]


class ZeroInflatedPoisson(Likelihood):
    """``P(x_j | z) = g_j [x_j = 0] + (1 - g_j) Poisson(x_j; rate_j)`` (Lambert 1992).

    The network gives the logarithms of all rates, then the logits of all g.

    >>> import jax, jax.numpy as jnp
    >>> from iwax.nn import MLP
    >>> p = ZeroInflatedPoisson(MLP(2, (8,), 2 * 5, key=jax.random.key(0)))(jnp.zeros(2), key=jax.random.key(1))
    >>> p.mean.shape
    (5,)
    """

    support: ClassVar[str] = "whole numbers from 0"
    outputs_a_feature: ClassVar[int] = 2

    network: Any

    @staticmethod
    def outside(values: np.ndarray) -> np.ndarray:
        """Which values have no density here: all but whole numbers from 0.

        >>> ZeroInflatedPoisson.outside(np.array([-1.0, 0.5, 3.0]))
        array([ True,  True, False])
        """
        return not_counts(values)

    def of_outputs(self, outputs: Array) -> distributions.ZeroInflated:
        """The distribution of x, given what the network gives: (log rate, gate)."""
        log_rate, gate = split(outputs, 2, "a zero-inflated Poisson likelihood")
        return distributions.ZeroInflated(distributions.Poisson(log_rate), gate)

    def __call__(self, context: Any, given: Any = None, *, key: PRNGKey) -> distributions.ZeroInflated:
        """The distribution of x at a latent."""
        return self.of_outputs(self.network(context, key=key))
