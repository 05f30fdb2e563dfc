"""Binary features seen through noise that replaces some of them."""

from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from iwax._typing import AnyArray, PRNGKey
from iwax.distributions.bernoulli import Bernoulli
from iwax.distributions.independent import AbstractIndependent
from iwax.parts import Trace

__all__ = ["FlippedBernoulli"]


class FlippedBernoulli(AbstractIndependent):
    """``P(x_j = 1) = (1 - p) sigmoid(m_j) + p/2``: Bernoulli features, each replaced with probability p by a fair coin.

    The distribution of noisy values, p in ``flips``; that of the clean values, given noisy ones, is `clean`. Neither
    leaves the range for any logits: where p is above 0 every value has a probability of at least p/2.

    >>> float(FlippedBernoulli(jnp.array([1e4]), jnp.array(0.5)).log_prob(jnp.array([0.0])))  # log 1/4
    -1.3862
    """

    reparameterized: ClassVar[bool] = False  # a draw has no derivative in the logits

    logits: Float[AnyArray, "*batch features"]
    flips: Float[AnyArray, ""]

    @property
    def mean(self) -> Array:
        """``(1 - p) sigmoid(m) + p/2``."""
        return jax.nn.sigmoid(self.logits) * (1 - self.flips) + self.flips / 2

    def draw(self, key: PRNGKey) -> tuple[Array, Trace]:
        """A value of zeros and ones, which has no gradient in the logits; there is no trace."""
        return jax.random.bernoulli(key, self.mean).astype(jnp.result_type(self.logits)), None

    def each(self, value: AnyArray) -> Float[AnyArray, "*batch features"]:
        """``log((1 - p) sigmoid(±m_j) + p/2)``, + where x_j is 1, nats."""
        logits = jnp.where(jnp.asarray(value) > 0, self.logits, -jnp.asarray(self.logits))
        return jnp.logaddexp(jnp.log1p(-self.flips) + jax.nn.log_sigmoid(logits), jnp.log(self.flips / 2))

    def clean(self, value: AnyArray, where: AnyArray | None = None) -> Bernoulli:
        """The distribution of clean values given noisy ones: logits ``m_j ± log((2 - p)/p)``, + where the noisy is 1.

        By Bayes: P(noisy | the same) = 1 - p/2, P(noisy | the other) = p/2. Features that ``where`` does not mark were
        not observed: their logits stay m_j.

        >>> seen = FlippedBernoulli(jnp.zeros(3), jnp.array(0.5))
        >>> seen.clean(jnp.array([1.0, 0.0, 0.0]), jnp.array([True, True, False])).mean.tolist()
        [0.75, 0.25, 0.5]
        """
        shift = jnp.log((2 - self.flips) / self.flips) * (2 * jnp.asarray(value) - 1)
        return Bernoulli(self.logits + (shift if where is None else jnp.where(where, shift, 0)))
