"""Counts whose variance is their mean."""

from typing import Any, ClassVar

import numpy as np
from jaxtyping import Array

from iwax import distributions
from iwax._typing import PRNGKey
from iwax.likelihoods.supports import not_counts
from iwax.parts import Likelihood

__all__ = ["Poisson"]


class Poisson(Likelihood):
    """``p(x|z) = prod_j Poisson(x_j; exp m_j(z))``, the network giving the logarithms m of the rates.

    >>> import jax, jax.numpy as jnp
    >>> from iwax.nn import MLP
    >>> p = Poisson(MLP(2, (8,), 5, key=jax.random.key(0)))(jnp.zeros(2), key=jax.random.key(1))
    >>> p.mean.shape
    (5,)
    """

    support: ClassVar[str] = "whole numbers from 0"
    outputs_a_feature: ClassVar[int] = 1

    network: Any

    @staticmethod
    def outside(values: np.ndarray) -> np.ndarray:
        """Which values have no density here: all but whole numbers from 0.

        >>> Poisson.outside(np.array([-1.0, 0.5, 3.0]))
        array([ True,  True, False])
        """
        return not_counts(values)

    def of_outputs(self, outputs: Array) -> distributions.Poisson:
        """The distribution of x, given what the network gives: the logarithms of the rates."""
        return distributions.Poisson(outputs)

    def __call__(self, context: Any, given: Any = None, *, key: PRNGKey) -> distributions.Poisson:
        """The distribution of x at a latent."""
        return self.of_outputs(self.network(context, key=key))
