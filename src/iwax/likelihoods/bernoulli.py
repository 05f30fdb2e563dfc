"""Binary data."""

from typing import Any, ClassVar

import numpy as np
from jaxtyping import Array

from iwax import distributions
from iwax._typing import PRNGKey
from iwax.parts import Likelihood

__all__ = ["Bernoulli"]


class Bernoulli(Likelihood):
    """``p(x|z) = prod_j Bernoulli(x_j; sigmoid(m_j(z)))``, the network giving the logits m, unclamped.

    >>> import jax, jax.numpy as jnp
    >>> from iwax.nn import MLP
    >>> p = Bernoulli(MLP(2, (8,), 5, key=jax.random.key(0)))(jnp.zeros(2), key=jax.random.key(1))
    >>> p.mean.shape
    (5,)
    """

    support: ClassVar[str] = "0 or 1"
    advice: ClassVar[str] = (
        "binarise grey values (binarize=True redraws 0..255 while training), or use another likelihood"
    )
    outputs_a_feature: ClassVar[int] = 1

    network: Any

    @staticmethod
    def outside(values: np.ndarray) -> np.ndarray:
        """Which values have no density here: all but 0 and 1.

        >>> Bernoulli.outside(np.array([0.0, 0.5, 1.0]))
        array([False,  True, False])
        """
        return values > 1 if values.dtype == np.uint8 else (values != 0) & (values != 1)

    def of_outputs(self, outputs: Array) -> distributions.Bernoulli:
        """The distribution of x, given what the network gives: the logits."""
        return distributions.Bernoulli(outputs)

    def __call__(self, context: Any, given: Any = None, *, key: PRNGKey) -> distributions.Bernoulli:
        """The distribution of x at a latent."""
        return self.of_outputs(self.network(context, key=key))
