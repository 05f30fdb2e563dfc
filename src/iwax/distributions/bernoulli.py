"""Binary features."""

from typing import ClassVar

import jax
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from iwax._typing import AnyArray, PRNGKey
from iwax.distributions.independent import AbstractIndependent
from iwax.distributions.states import every
from iwax.numerics import softplus
from iwax.parts import Trace

__all__ = ["Bernoulli"]


class Bernoulli(AbstractIndependent):
    """``p(x) = prod_j sigmoid(m_j)^x_j sigmoid(-m_j)^(1 - x_j)`` for logits m, unclamped.

    Our own rather than NumPyro's, whose softplus makes a decoder's forward pass 1.5 times slower. Values must be 0 or
    1: that is checked where data enter; here those below 0 or above 1, whose "probability" would exceed 1, are refused
    with a ValueError, unless the call is being compiled.

    >>> import jax.numpy as jnp
    >>> float(Bernoulli(jnp.array([0.0, 1e4])).log_prob(jnp.array([1.0, 1.0])))
    -0.6931
    """

    reparameterized: ClassVar[bool] = False  # a draw has no derivative in the logits

    logits: Float[AnyArray, "*batch features"]

    @property
    def mean(self) -> Array:
        """``sigmoid(m)``."""
        return jax.nn.sigmoid(self.logits)

    @property
    def states(self) -> np.ndarray:
        """Every row of zeros and ones, [2^features, features]."""
        return every(2, self.logits.shape[-1])

    def draw(self, key: PRNGKey) -> tuple[Array, Trace]:
        """A value of zeros and ones, which has no gradient in the logits; there is no trace."""
        return jax.random.bernoulli(key, self.mean).astype(self.logits.dtype), None

    def each(self, value: AnyArray) -> Float[AnyArray, "*batch features"]:
        """``x_j m_j - softplus(m_j)``, nats."""
        if not isinstance(value, Tracer) and np.any((np.asarray(value) < 0) | (np.asarray(value) > 1)):
            beyond = np.asarray(value)[(np.asarray(value) < 0) | (np.asarray(value) > 1)]
            raise ValueError(f"a Bernoulli distribution needs values of 0 and 1, got {beyond.flat[0]}")
        return value * self.logits - softplus(self.logits)

    def kl(self, other: "Bernoulli") -> Float[AnyArray, "*batch features"]:
        """``KL(self_j || other_j)`` for every feature, nats, in closed form.

        >>> import jax.numpy as jnp
        >>> float(Bernoulli(jnp.array([50.0])).kl(Bernoulli(jnp.zeros(1)))[0])  # log 2
        0.6931
        """
        return self.mean * (self.logits - other.logits) - softplus(self.logits) + softplus(other.logits)
