"""The prior of binary latents."""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from iwax import distributions
from iwax._typing import PRNGKey
from iwax.parts import Prior

__all__ = ["Bernoulli"]


class Bernoulli(Prior):
    """``p(z) = prod_j Bernoulli(z_j; sigmoid(m_j))`` with learned logits m, which start at 0: fair coins.

    >>> import jax
    >>> p = Bernoulli(3)(None, key=jax.random.key(0))
    >>> float(p.log_prob(jnp.ones(3)))  # -3 log 2
    -2.0794
    """

    logits: Float[Array, " features"]

    def __init__(self, features: int) -> None:
        if features < 1:
            raise ValueError(f"a Bernoulli prior needs at least 1 dimension, got {features}")
        self.logits = jnp.zeros(features)

    def __call__(self, given: Any = None, *, key: PRNGKey) -> distributions.Bernoulli:
        """The distribution, for any covariates."""
        return distributions.Bernoulli(self.logits)
