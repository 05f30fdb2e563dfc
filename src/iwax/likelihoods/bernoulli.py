"""Binary data."""

from typing import Any

import equinox as eqx
import numpy as np

from iwax import distributions
from iwax._typing import PRNGKey

__all__ = ["Bernoulli"]


class Bernoulli(eqx.Module):
    """``p(x|z) = prod_j Bernoulli(x_j; sigmoid(m_j(z)))``, the network giving the logits m, unclamped.

    >>> import jax, jax.numpy as jnp
    >>> from iwax.nn import MLP
    >>> p = Bernoulli(MLP(2, (8,), 5, key=jax.random.key(0)))(jnp.zeros(2), key=jax.random.key(1))
    >>> p.mean.shape
    (5,)
    """

    network: Any

    @staticmethod
    def outside(values: np.ndarray) -> np.ndarray:
        """Which values have no density here: all but 0 and 1.

        >>> Bernoulli.outside(np.array([0.0, 0.5, 1.0]))
        array([False,  True, False])
        """
        return values > 1 if values.dtype == np.uint8 else (values != 0) & (values != 1)

    def __call__(self, context: Any, *, key: PRNGKey) -> distributions.Bernoulli:
        """The distribution of x at a latent."""
        return distributions.Bernoulli(self.network(context, key=key))
