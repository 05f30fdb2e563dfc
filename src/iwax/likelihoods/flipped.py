"""Binary data seen through salt-and-pepper noise."""

from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jaxtyping import Array, Float

from iwax import distributions
from iwax._typing import PRNGKey
from iwax.likelihoods.nested import Nested
from iwax.parts import Latent

__all__ = ["Flipped"]


class Flipped(Nested):
    """``P(x_j = 1 | z) = (1 - p) pi_j(z) + p/2``: a Bernoulli likelihood, each value replaced by a coin with chance p.

    Salt-and-pepper noise of which it is not known where it fell, p in ``flips``, not learned. Raises ValueError for a
    p outside 0 < p < 1, and, where it is called, for a likelihood that is not Bernoulli.

    >>> from iwax.likelihoods import Bernoulli
    >>> from iwax.nn import Linear
    >>> seen = Flipped(Bernoulli(Linear(2, 3, key=jax.random.key(0))), 0.2)
    >>> seen(jnp.zeros(2), key=jax.random.key(1)).mean.tolist()
    [0.5, 0.5, 0.5]
    """

    flips: Float[Array, ""]

    def __init__(self, likelihood: Any, flips: float) -> None:
        if not isinstance(flips, Tracer) and not 0 < flips < 1:
            raise ValueError(f"flips, the probability that a value was replaced, must lie in 0 < p < 1: got {flips}")
        self.likelihood, self.flips = likelihood, jnp.asarray(flips, float)

    def __call__(self, z: Latent, given: Any = None, *, key: PRNGKey) -> distributions.FlippedBernoulli:
        """The distribution of what is seen, at a latent."""
        p_x = self.likelihood(z, given, key=key)
        if not isinstance(p_x, distributions.Bernoulli):
            raise ValueError(
                f"values replaced by 0 or 1 need a Bernoulli likelihood, got {type(self.likelihood).__name__}; where a "
                "value shows by itself that it was replaced, make it NaN and impute it"
            )
        return distributions.FlippedBernoulli(p_x.logits, jax.lax.stop_gradient(self.flips))
