"""Data between 0 and 1."""

from typing import Any, ClassVar

import numpy as np
from jaxtyping import Array

from iwax import distributions
from iwax._typing import PRNGKey
from iwax.likelihoods.supports import not_between
from iwax.parts import Likelihood

__all__ = ["ContinuousBernoulli"]


class ContinuousBernoulli(Likelihood):
    """``p(x|z) = prod_j exp(m_j(z) x_j - A(m_j(z)))`` on [0, 1], the network giving the logits m, unclamped.

    The continuous Bernoulli (Loaiza-Ganem and Cunningham 2019, arXiv:1907.06845).

    >>> import jax, jax.numpy as jnp
    >>> from iwax.nn import MLP
    >>> p = ContinuousBernoulli(MLP(2, (8,), 5, key=jax.random.key(0)))(jnp.zeros(2), key=jax.random.key(1))
    >>> p.mean.shape
    (5,)
    """

    support: ClassVar[str] = "numbers from 0 to 1"
    outputs_a_feature: ClassVar[int] = 1

    network: Any

    @staticmethod
    def outside(values: np.ndarray) -> np.ndarray:
        """Which values have no density here: all but 0 to 1.

        >>> ContinuousBernoulli.outside(np.array([0.0, 0.5, 255.0]))
        array([False, False,  True])
        """
        return not_between(values)

    def of_outputs(self, outputs: Array) -> distributions.ContinuousBernoulli:
        """The distribution of x, given what the network gives: the logits."""
        return distributions.ContinuousBernoulli(outputs)

    def __call__(self, context: Any, given: Any = None, *, key: PRNGKey) -> distributions.ContinuousBernoulli:
        """The distribution of x at a latent."""
        return self.of_outputs(self.network(context, key=key))
